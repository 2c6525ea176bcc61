/* SPDX-License-Identifier: Apache-2.0
 * Two ICE agents on a wire, with signalling between them, for the tests of this folder. */
#ifndef LN_TEST_ICE_AGENTS_H
#define LN_TEST_ICE_AGENTS_H

#include "ice/ice.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#define SIDES_MAX 2

struct side {
    struct ln_ice *ice;
    struct ln_ice_config config;
    int node;
    struct side *other;
    struct ln_candidate candidates[LN_ICE_LOCAL_CANDIDATES_MAX];
    size_t candidate_count, signalled;
    bool gathered, end_signalled;
    enum ln_ice_connection_state states[64];
    size_t state_count;
    unsigned selected_events, role_events, error_events;
    struct ln_ice_event last_error;
    ln_time connected_at;
    unsigned data_received;
};

struct agents {
    struct wire wire;
    struct side a, b; /* a offers and controls */
    bool hold_candidates_of_a, hold_candidates_of_b, hold_end;
};

/* Wire and two configurations; change them before agents_start(). */
void agents_init(struct agents *s);
/* Creates both agents, a controlling; false when out of memory (in the sweep). */
bool agents_create(struct agents *s);
/* Exchanges credentials and begins to gather. */
void agents_start(struct agents *s);
void agents_exchange(struct agents *s);
/* Runs until both are connected (or completed), at most so long. True if they are. */
bool agents_connect(struct agents *s, ln_duration most);
bool agents_complete(struct agents *s, ln_duration most);
void agents_run(struct agents *s, ln_duration duration);
void agents_free(struct agents *s);
bool side_was(const struct side *side, enum ln_ice_connection_state state);
/* The selected pair, which must be there. */
struct ln_ice_pair_info side_selected(const struct side *side);

#endif
