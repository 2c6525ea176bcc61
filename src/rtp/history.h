/* SPDX-License-Identifier: Apache-2.0
 * Packets of one SSRC kept after they left, to be sent again (RFC 4588, RFC 4585). Holds references
 * to pool buffers; bounded by age and count. */
#ifndef LN_RTP_HISTORY_H
#define LN_RTP_HISTORY_H

#include "base/pool.h"

#include <linnet/env.h>

#define LN_HISTORY_PACKETS_MAX 2048u /* a power of two */
#define LN_HISTORY_RESENDS_MAX 8u    /* of one packet */

struct ln_history_entry {
    struct ln_buffer *buffer; /* NULL: free */
    uint16_t sequence;
    uint8_t resends;
    ln_time sent, resent; /* resent: LN_TIME_IMMEDIATE before the first time */
};

struct ln_history {
    struct ln_allocator *allocator;
    ln_duration age;
    struct ln_history_entry *entries; /* by the low bits of the sequence number */
    size_t capacity;
    uint16_t newest, oldest;
    size_t count;
};

void ln_history_init(struct ln_history *h, struct ln_allocator *allocator, ln_duration age);
void ln_history_deinit(struct ln_history *h);
/* Takes a reference. Sequence numbers grow. Out of memory: it is not kept. */
void ln_history_add(struct ln_history *h, ln_time now, uint16_t sequence, struct ln_buffer *buffer);
/* NULL when it is not there any more. */
struct ln_history_entry *ln_history_find(struct ln_history *h, uint16_t sequence);
/* The newest packet of at most `len` bytes among the last few; NULL when there is none. */
struct ln_history_entry *ln_history_recent(struct ln_history *h, size_t len);
void ln_history_prune(struct ln_history *h, ln_time now);

#endif
