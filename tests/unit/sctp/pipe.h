/* SPDX-License-Identifier: Apache-2.0
 * Two associations and a link between them in virtual time: delay, loss, reordering, duplication,
 * by a seed; or a filter that decides about each packet. */
#ifndef LN_TEST_SCTP_PIPE_H
#define LN_TEST_SCTP_PIPE_H

#include "sctp/packet.h"
#include "sctp/sctp.h"
#include "tests/support/test.h"

#define PIPE_PACKETS_MAX 16384

struct pipe_packet {
    ln_time at;
    uint64_t order;
    int to;
    size_t len;
    uint8_t *data;
};

struct pipe;
/* Returns false to drop the packet; may change it. */
typedef bool pipe_filter(struct pipe *pipe, int from, uint8_t *data, size_t *len);

struct pipe {
    struct ln_sctp *end[2];
    ln_time now;
    ln_duration delay;
    double loss, duplicate, reorder;
    ln_duration reorder_by;
    struct ln_rng rng;
    pipe_filter *filter;
    void *context;
    struct pipe_packet *packets; /* a heap by (at, order) */
    size_t count;
    uint64_t order, sent[2], hash;
    bool no_poll[2]; /* leave this end's output alone */
};

void pipe_init(struct pipe *pipe, uint64_t seed);
void pipe_create(struct pipe *pipe, const struct ln_sctp_config *a, const struct ln_sctp_config *b);
void pipe_free(struct pipe *pipe);

/* Takes all output of both ends, delivers what is due, until nothing happens before `until`. Stops
 * early when stop(context) says so. Returns false when time ran out. */
bool pipe_run(struct pipe *pipe, ln_time until, bool (*stop)(struct pipe *pipe));
/* One step: transmit, then advance to the next moment (at most `until`). False when nothing is left
 * before it. */
bool pipe_step(struct pipe *pipe, ln_time until);
void pipe_flush(struct pipe *pipe); /* takes output only */

/* Discards events until one of this kind; false when there is none. */
bool pipe_event(struct pipe *pipe, int end, enum ln_sctp_event_kind kind,
                struct ln_sctp_event *ret_event);
/* Both started, run until connected. */
void pipe_connect(struct pipe *pipe);

/* Each allocation fails in turn (--oom): long tests do less then. */
static inline bool pipe_sweeping(void)
{
    return test_allocator()->fail_at != 0;
}

static inline bool pipe_is_data(uint8_t type)
{
    return type == LN_CHUNK_DATA || type == LN_CHUNK_IDATA;
}

/* Writes the right checksum into a packet. */
void pipe_checksum(uint8_t *data, size_t len);

#endif
