/* SPDX-License-Identifier: Apache-2.0
 * A participant's figures: what the media engine counted, joined with getStats. */
#ifndef LN_CLIENT_CALL_FIGURES_H
#define LN_CLIENT_CALL_FIGURES_H

#include "client/media_engine.h"

#include <linnet/stats.h>

/* The counts of the report before, for rates. */
struct ln_stats_counts {
    int64_t bytes, packets, lost;
};
struct ln_figures_state {
    double timestamp_ms; /* of the report before; 0: none */
    struct ln_stats_counts video_in, audio_in, video_out, audio_out;
};

/* Fills `figures` but for state and ice_restarts. */
void ln_figures_collect(struct ln_figures_state *state, const ln_stats_report *report,
                        struct ln_media_engine *engine, const ln_peer_connection *pc,
                        struct ln_participant_figures *figures);

#endif
