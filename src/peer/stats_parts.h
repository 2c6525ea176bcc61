/* SPDX-License-Identifier: Apache-2.0
 * What the collectors share: peer/stats.c and peer/stats_media.c. */
#ifndef LN_PEER_STATS_PARTS_H
#define LN_PEER_STATS_PARTS_H

#include "peer/stats_report.h"
#include "peer/transceiver.h"

#define LN_STATS_TRANSPORT_ID "T0"
#define LN_STATS_SECONDS(d)   ((double)(d) / 1e9)

/* A moment as the wall clock has it; LN_TIME_NEVER adds nothing. */
void ln_stats_add_wall(struct ln_peer_connection *pc, ln_stats_report *report, const char *name,
                       ln_time when);

/* The media source, the stream that is sent, what the other side says of it, its codec. */
void ln_stats_collect_sender(ln_stats_report *report, const ln_rtp_sender *sender);
/* The stream that is received, what the other side says of it, its codec. */
void ln_stats_collect_receiver(struct ln_peer_connection *pc, ln_stats_report *report,
                               const ln_rtp_receiver *receiver, ln_time now);

#endif
