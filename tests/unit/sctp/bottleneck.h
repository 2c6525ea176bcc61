/* SPDX-License-Identifier: Apache-2.0
 * Several associations that share one line of a fixed rate with a queue before it, in virtual time.
 * Data goes from the first end of each flow to its second; the way back is only long. */
#ifndef LN_TEST_SCTP_BOTTLENECK_H
#define LN_TEST_SCTP_BOTTLENECK_H

#include "sctp/cc.h"
#include "sctp/sctp.h"
#include "tests/support/test.h"

#define BOTTLENECK_FLOWS_MAX   3
#define BOTTLENECK_PACKETS_MAX 8192

struct bottleneck_packet {
    ln_time at;
    int flow, to;
    size_t len;
    uint8_t data[LN_SCTP_PACKET_BYTES];
};

struct bottleneck_queue { /* first in, first out */
    struct bottleneck_packet *packets;
    size_t head, tail;
};

struct bottleneck {
    struct ln_sctp *end[BOTTLENECK_FLOWS_MAX][2];
    int flows;
    uint64_t delivered[BOTTLENECK_FLOWS_MAX]; /* bytes of messages, since the last reset */
    bool sending[BOTTLENECK_FLOWS_MAX];       /* keep this one's queue filled */
    double bytes_per_s, loss;
    size_t queue_bytes;
    bool keep_events;                /* the test takes them itself */
    ln_duration one_way, queue_most; /* the longest wait seen */
    size_t dropped;                  /* by a full queue */
    size_t burst, burst_most;        /* data packets handed over at one moment */
    ln_time now, free_at;
    struct ln_rng rng;
    struct bottleneck_queue forth, back;
};

void bottleneck_init(struct bottleneck *b, double mbit_per_s, ln_duration rtt, double queue_rtts);
/* Adds a flow with this congestion control and connects it. */
int bottleneck_add_with(struct bottleneck *b, const struct ln_sctp_config *config);
int bottleneck_add(struct bottleneck *b, const struct ln_sctp_cc_ops *cc);
void bottleneck_run(struct bottleneck *b, ln_duration length);
/* Forgets what was delivered, dropped and seen of the queue. */
void bottleneck_reset_figures(struct bottleneck *b);
/* The part of the line that a flow's messages took over the length of time. */
double bottleneck_share(const struct bottleneck *b, int flow, ln_duration length);
void bottleneck_free(struct bottleneck *b);

#endif
