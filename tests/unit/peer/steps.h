/* SPDX-License-Identifier: Apache-2.0
 * Negotiation step by step on a pair: each step runs one operation to its end, without letting time
 * pass, and gives its error. Texts are malloc'ed and freed by steps_free(). */
#ifndef LN_TEST_PEER_STEPS_H
#define LN_TEST_PEER_STEPS_H

#include "tests/unit/peer/pair.h"

int step_create_offer(struct pair *pair, int side, bool ice_restart);
int step_create_answer(struct pair *pair, int side);
/* sdp NULL: none; type IMPLICIT: no description at all. */
int step_local(struct pair *pair, int side, enum ln_sdp_type type, const char *sdp);
int step_remote(struct pair *pair, int side, enum ln_sdp_type type, const char *sdp);
int step_candidate(struct pair *pair, int side, const struct ln_ice_candidate_init *candidate);

/* The side's local description in effect: a copy that lives until steps_end(). */
const char *step_text(struct pair *pair, int side);
/* `from` offers and `to` takes it; then `to` answers and `from` takes that. Nothing may fail. */
void step_offer(struct pair *pair, int from, int to);
void step_answer(struct pair *pair, int from, int to);
void step_exchange(struct pair *pair, int offerer);

enum ln_signaling_state step_state(struct pair *pair, int side);
ln_rtp_transceiver *step_transceiver(struct pair *pair, int side, size_t index);
/* A transceiver without a track; a sender of a new track in the stream "s". */
ln_rtp_transceiver *step_add_transceiver(struct pair *pair, int side, enum ln_media_kind kind,
                                         enum ln_rtp_transceiver_direction direction);
ln_rtp_sender *step_add_track(struct pair *pair, int side, enum ln_media_kind kind);
ln_data_channel *step_add_channel(struct pair *pair, int side);

/* How often a word is in the side's log, and forgetting the log. */
size_t step_count(struct pair *pair, int side, const char *word);
void step_forget(struct pair *pair, int side);
/* The text with the first `from` replaced by `to`, freed by steps_end(). */
const char *step_edit(const char *text, const char *from, const char *to);

void steps_begin(struct pair *pair);
void steps_end(struct pair *pair);

#endif
