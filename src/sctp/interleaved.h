/* SPDX-License-Identifier: Apache-2.0
 * Interleaved messages (RFC 8260, 2.1): fragments carry the number of their message on its stream
 * (MID) and their own number in it (FSN), TSNs say nothing about either. Part of reassembly. */
#ifndef LN_SCTP_INTERLEAVED_H
#define LN_SCTP_INTERLEAVED_H

#include "sctp/reassembly.h"

#define LN_ASSEMBLIES_MAX 4096u /* messages of an association that are not whole */

/* As ln_reassembly_add(), which has reserved the stream. */
LN_NODISCARD int ln_interleaved_add(struct ln_reassembly *r, const struct ln_fragment *f);
/* Drops what is not whole of a stream, of one kind up to and with mid. */
void ln_interleaved_skip(struct ln_reassembly *r, struct ln_in_stream *stream, bool unordered,
                         uint32_t mid);
void ln_interleaved_drop(struct ln_reassembly *r, struct ln_in_stream *stream);
/* A stream's messages that are not whole are offered in parts: all that are in turn; the one whose
 * turn it is now. */
void ln_interleaved_offer(struct ln_reassembly *r, struct ln_in_stream *stream);
void ln_interleaved_offer_next(struct ln_reassembly *r, const struct ln_in_stream *stream);
void ln_interleaved_clear(struct ln_reassembly *r);

#endif
