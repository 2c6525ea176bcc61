/* SPDX-License-Identifier: Apache-2.0
 * Incoming streams: order of delivery by number. Part of reassembly. */
#ifndef LN_SCTP_STREAMS_IN_H
#define LN_SCTP_STREAMS_IN_H

#include "sctp/reassembly.h"

/* The stream, and room for one more waiting message if an ordered one with this number would have
 * to wait. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_in_stream_reserve(struct ln_reassembly *r, uint16_t id, bool ordered,
                                      uint32_t mid);
/* A whole message: to the news now, or when its turn comes. */
void ln_in_stream_deliver(struct ln_reassembly *r, struct ln_sctp_message *message);
/* Drops what waits for its turn; all streams are at their beginning again. */
void ln_in_streams_clear(struct ln_reassembly *r);
void ln_in_streams_free(struct ln_reassembly *r);

#endif
