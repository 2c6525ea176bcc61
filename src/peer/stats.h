/* SPDX-License-Identifier: Apache-2.0
 * getStats: what the layers count, as the dictionaries of webrtc-stats. */
#ifndef LN_PEER_STATS_H
#define LN_PEER_STATS_H

#include "peer/operations.h"

/* The handler of the operations chain. With a track, only what its sender or receiver has and what
 * that refers to (https://www.w3.org/TR/webrtc/#the-stats-selection-algorithm). */
void ln_stats_collect(struct ln_peer_connection *pc, ln_time now, struct ln_operation *operation,
                      struct ln_operation_result *result);

#endif
