/* SPDX-License-Identifier: Apache-2.0
 * Which sequence numbers are missing and when to ask for them again (RFC 4585, 6.2.1).
 *
 * Each is asked for at most TRIES times, a round trip apart, and given up then or when it is too
 * old. While packets arrive out of order the first question waits a little. Derived deadline. */
#ifndef LN_RTP_NACK_H
#define LN_RTP_NACK_H

#include <linnet/env.h>
#include <linnet/error.h>

#define LN_NACK_LIMIT 1000u /* missing packets known at once */
#define LN_NACK_TRIES 10u
#define LN_NACK_AGE   LN_SECONDS(2)

struct ln_nack_entry {
    int64_t sequence;
    ln_time since, next;
    uint8_t tries;
};

struct ln_nack {
    struct ln_allocator *allocator;
    struct ln_nack_entry *entries; /* by sequence */
    size_t count, capacity;
    ln_duration rtt;
    ln_duration reorder_wait; /* the first question waits so long */
    ln_time reorder_until;    /* and this is how long that holds */
    uint64_t asked, given_up;
};

void ln_nack_init(struct ln_nack *n, struct ln_allocator *allocator);
void ln_nack_deinit(struct ln_nack *n);
void ln_nack_clear(struct ln_nack *n);
void ln_nack_set_rtt(struct ln_nack *n, ln_duration rtt);

/* [from, to) did not come, to did. LN_ERR_LIMIT when there are too many: all are forgotten, and
 * only a key frame helps. LN_ERR_NOMEM. */
LN_NODISCARD int ln_nack_on_gap(struct ln_nack *n, ln_time now, int64_t from, int64_t to);
/* It came after all; `repaired`: by retransmission. Returns whether it had been missing. */
bool ln_nack_on_packet(struct ln_nack *n, ln_time now, int64_t sequence, bool repaired);
/* What lies below is of no use any more. */
void ln_nack_drop_below(struct ln_nack *n, int64_t sequence);

/* The numbers to ask for now, ascending; call again if it fills cap. */
size_t ln_nack_collect(struct ln_nack *n, ln_time now, uint16_t *out, size_t cap);
ln_time ln_nack_next_timeout(const struct ln_nack *n);

#endif
