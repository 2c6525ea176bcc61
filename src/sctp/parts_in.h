/* SPDX-License-Identifier: Apache-2.0
 * Messages told in parts, before they are whole. Part of reassembly. */
#ifndef LN_SCTP_PARTS_IN_H
#define LN_SCTP_PARTS_IN_H

#include "sctp/reassembly.h"

/* What a fragment in its turn may use beyond the limit, where the owner can take it at once. */
#define LN_PART_BEYOND_BYTES 65536u

/* Whether the stream's messages are told in parts. */
static inline bool ln_parts_wanted(const struct ln_reassembly *r, uint16_t stream)
{
    return r->part_streams > 0 && stream < r->stream_capacity && r->streams[stream] &&
           r->streams[stream]->parts;
}
LN_NODISCARD int ln_parts_set(struct ln_reassembly *r, uint16_t stream, bool parts,
                              uint64_t cumulative);

/* Bytes were added to a message that is not whole: they are news, if it is its turn. */
void ln_parts_offer(struct ln_reassembly *r, struct ln_sctp_message *message);
/* The cumulative TSN has moved: the run that ends there is offered. */
void ln_parts_offer_run(struct ln_reassembly *r, uint64_t cumulative);

/* What there is of the message leaves it. */
void ln_parts_detach(struct ln_sctp_message *message, struct ln_lent_part *ret_part);
void ln_parts_release(struct ln_reassembly *r, struct ln_lent_part *part);
/* The owner keeps it; NULL without memory. */
struct ln_sctp_message *ln_parts_take(struct ln_reassembly *r, struct ln_lent_part *part);

#endif
