/* SPDX-License-Identifier: Apache-2.0
 * Fragments that have a TSN and are not yet cumulatively acknowledged: a ring of slots by TSN. What
 * gap blocks acknowledged stands in a set of ranges too, so that a SACK costs its news and not the
 * window (each SACK repeats all gap blocks). */
#ifndef LN_SCTP_OUTSTANDING_H
#define LN_SCTP_OUTSTANDING_H

#include "sctp/ranges.h"
#include "sctp/send_queue.h"
#include "sctp/spurious.h"

enum ln_slot_state {
    LN_SLOT_IN_FLIGHT,
    LN_SLOT_ACKED,     /* by a gap block */
    LN_SLOT_LOST,      /* to be sent again */
    LN_SLOT_ABANDONED, /* RFC 3758: to be skipped by a FORWARD TSN */
};

struct ln_slot {
    struct ln_part *part; /* where its bytes lie */
    ln_time sent_at;
    uint32_t offset, fsn;
    uint32_t older, newer; /* TSNs of its neighbours among those resent, while one itself */
    uint16_t len;          /* 0: stands for the rest of an abandoned message, never sent */
    uint16_t transmits;
    uint8_t flags;  /* LN_DATA_BEGIN, _END, _UNORDERED */
    uint8_t state;  /* enum ln_slot_state */
    uint8_t misses; /* of the loss detection */
};

struct ln_outstanding {
    struct ln_allocator *allocator;
    struct ln_send_queue *queue;
    struct ln_slot *slots;
    size_t capacity;        /* a power of two, or 0 */
    uint64_t first;         /* lowest TSN not cumulatively acknowledged */
    uint64_t next;          /* the next to be assigned */
    uint64_t lost_from;     /* no lost slot stands before */
    uint64_t rtt_from;      /* the next TSN to measure the round trip with */
    uint64_t highest_acked; /* by any SACK */
    /* A SACK has room for so many gap blocks. When the last one was full, it says nothing of what
     * is above this TSN; else UINT64_MAX. */
    uint64_t told_to;
    size_t untold_bytes; /* what must have arrived above: each SACK is for a packet at least */
    size_t in_flight_bytes, lost_count, abandoned_count;
    size_t gap_acked_count; /* ACKED slots */
    uint64_t lost_bytes;    /* found lost in all, also wrongly */
    ln_duration min_rtt;    /* the shortest round trip seen; 0: none yet */
    /* Those in flight that were sent more than once, in the order of their last sending: their TSNs
     * say nothing about time. 0: none. */
    uint64_t oldest_resent, newest_resent;
    struct ln_ranges acked;
    struct ln_spurious spurious;
};

/* What a SACK brought. */
struct ln_ack {
    uint64_t cumulative; /* the point after it */
    bool advanced;
    size_t acked_bytes;
    uint64_t highest;    /* highest TSN newly acknowledged; 0: none */
    ln_time newest_sent; /* when the last sent of those was sent; too early answers to a
                            retransmission (spurious.h) are no news of it */
    uint64_t newest_tsn;
    ln_duration rtt;        /* one sample a round trip, for the timeout; 0: none */
    ln_duration latest_rtt; /* of the newest that was sent once; 0: none */
    bool reordered;         /* something sent once arrived after what was sent later */
};

void ln_outstanding_init(struct ln_outstanding *o, struct ln_allocator *allocator,
                         struct ln_send_queue *queue, uint64_t first_tsn);
/* Releases all fragments. */
void ln_outstanding_deinit(struct ln_outstanding *o);

static inline bool ln_outstanding_empty(const struct ln_outstanding *o)
{
    return o->first == o->next;
}

/* What is still on its way, as far as can be told. */
static inline size_t ln_outstanding_flight(const struct ln_outstanding *o)
{
    return o->in_flight_bytes > o->untold_bytes ? o->in_flight_bytes - o->untold_bytes : 0;
}

static inline struct ln_slot *ln_outstanding_slot(const struct ln_outstanding *o, uint64_t tsn)
{
    return &o->slots[tsn & (o->capacity - 1)];
}

/* With nothing outstanding: gives the ring back until it is needed again. */
void ln_outstanding_trim(struct ln_outstanding *o);
/* Makes the next push safe. Returns 0, LN_ERR_LIMIT (half the number space in flight) or NOMEM. */
LN_NODISCARD int ln_outstanding_reserve(struct ln_outstanding *o);
/* The next `len` bytes of the message, as sent now. Returns the TSN. */
uint64_t ln_outstanding_push(struct ln_outstanding *o, struct ln_outgoing *message, size_t len,
                             ln_time now);

/* Takes a SACK with valid, ascending blocks. The peer is bound to what it said: should a gap block
 * have been withdrawn (RFC 9260, 6.2.1), its fragments are lost again. */
void ln_outstanding_ack(struct ln_outstanding *o, uint64_t cumulative,
                        const struct ln_range *blocks, size_t count, ln_time now,
                        struct ln_ack *ret_ack);

void ln_outstanding_lose(struct ln_outstanding *o, uint64_t tsn); /* an IN_FLIGHT one */
void ln_outstanding_lose_all(struct ln_outstanding *o);
/* Those held lost that were not yet sent again are in flight after all. */
void ln_outstanding_find_again(struct ln_outstanding *o);
/* The highest in flight; 0 when there is none. */
uint64_t ln_outstanding_last_in_flight(const struct ln_outstanding *o);
/* The neighbour of a resent one towards the newer; 0 at the end. */
uint64_t ln_outstanding_newer_resent(const struct ln_outstanding *o, uint64_t tsn);
/* The lowest lost one; 0 when there is none. */
uint64_t ln_outstanding_next_lost(struct ln_outstanding *o);
void ln_outstanding_resent(struct ln_outstanding *o, uint64_t tsn, ln_time now);

/* Gives a begun message up. Room for one more slot was reserved unless all of it has TSNs. */
void ln_outstanding_abandon(struct ln_outstanding *o, struct ln_outgoing *message);
/* The TSN to which the peer may move on (Advanced.Peer.Ack.Point); first - 1 when nowhere. */
uint64_t ln_outstanding_advance(const struct ln_outstanding *o);

#endif
