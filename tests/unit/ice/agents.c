/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ice/agents.h"

static void take_events(struct agents *s, struct side *side)
{
    struct ln_ice_event event;

    while (ln_ice_poll_event(side->ice, &event)) {
        switch (event.kind) {
        case LN_ICE_EVENT_GATHERING_STATE:
            side->gathered = event.gathering_state == LN_ICE_GATHERING_STATE_COMPLETE;
            break;
        case LN_ICE_EVENT_CANDIDATE:
            CHECK(side->candidate_count < LN_ICE_LOCAL_CANDIDATES_MAX);
            side->candidates[side->candidate_count++] = event.candidate.candidate;
            break;
        case LN_ICE_EVENT_CANDIDATE_ERROR:
            side->error_events++;
            side->last_error = event;
            break;
        case LN_ICE_EVENT_STATE:
            if (side->state_count < 64)
                side->states[side->state_count++] = event.state;
            if (event.state == LN_ICE_CONNECTION_STATE_CONNECTED && side->connected_at == 0)
                side->connected_at = s->wire.now;
            break;
        case LN_ICE_EVENT_SELECTED_PAIR:
            side->selected_events++;
            break;
        case LN_ICE_EVENT_ROLE:
            side->role_events++;
            break;
        }
    }
}

static void signal_candidates(struct agents *s, struct side *side, bool hold)
{
    char text[LN_CANDIDATE_TEXT_MAX];
    int len, error;

    if (hold)
        return;
    for (; side->signalled < side->candidate_count; side->signalled++) {
        len = ln_candidate_write(&side->candidates[side->signalled], text, sizeof text);
        CHECK(len > 0);
        error = ln_ice_add_remote_candidate_text(side->other->ice, text, (size_t)len);
        CHECK(error != LN_ERR_SYNTAX && error != LN_ERR_NOT_SUPPORTED);
    }
    if (side->gathered && !side->end_signalled && !s->hold_end) {
        side->end_signalled = true;
        ln_ice_end_of_candidates(side->other->ice);
    }
}

static void turn(struct wire *wire, void *context)
{
    struct agents *s = context;

    (void)wire;
    take_events(s, &s->a);
    take_events(s, &s->b);
    signal_candidates(s, &s->a, s->hold_candidates_of_a);
    signal_candidates(s, &s->b, s->hold_candidates_of_b);
}

void agents_init(struct agents *s)
{
    memset(s, 0, sizeof *s);
    wire_init(&s->wire, test_env());
    s->wire.turn = turn;
    s->wire.context = s;
    s->a.other = &s->b;
    s->b.other = &s->a;
    ln_ice_config_init(&s->a.config);
    ln_ice_config_init(&s->b.config);
    s->a.config.controlling = true;
}

bool agents_create(struct agents *s)
{
    if (ln_ice_create(&s->a.ice, &s->a.config, test_env()) != 0)
        return false;
    if (ln_ice_create(&s->b.ice, &s->b.config, test_env()) != 0)
        return false;
    s->a.node = wire_add(&s->wire, ln_ice_endpoint(s->a.ice));
    s->b.node = wire_add(&s->wire, ln_ice_endpoint(s->b.ice));
    return true;
}

void agents_exchange(struct agents *s)
{
    int error;

    error = ln_ice_set_remote(s->a.ice, ln_ice_local_ufrag(s->b.ice), ln_ice_local_pwd(s->b.ice),
                              s->b.config.lite, "trickle");
    CHECK(error == 0 || error == LN_ERR_NOMEM);
    error = ln_ice_set_remote(s->b.ice, ln_ice_local_ufrag(s->a.ice), ln_ice_local_pwd(s->a.ice),
                              s->a.config.lite, "trickle renomination");
    CHECK(error == 0 || error == LN_ERR_NOMEM);
}

void agents_start(struct agents *s)
{
    agents_exchange(s);
    ln_ice_gather(s->a.ice);
    ln_ice_gather(s->b.ice);
}

static bool is_connected(const struct side *side)
{
    enum ln_ice_connection_state state = ln_ice_state(side->ice);

    return state == LN_ICE_CONNECTION_STATE_CONNECTED || state == LN_ICE_CONNECTION_STATE_COMPLETED;
}

static bool both_connected(void *context)
{
    struct agents *s = context;

    return is_connected(&s->a) && is_connected(&s->b);
}

static bool both_completed(void *context)
{
    struct agents *s = context;

    return ln_ice_state(s->a.ice) == LN_ICE_CONNECTION_STATE_COMPLETED &&
           ln_ice_state(s->b.ice) == LN_ICE_CONNECTION_STATE_COMPLETED;
}

bool agents_connect(struct agents *s, ln_duration most)
{
    wire_run(&s->wire, s->wire.now + most, both_connected, s);
    return both_connected(s);
}

bool agents_complete(struct agents *s, ln_duration most)
{
    wire_run(&s->wire, s->wire.now + most, both_completed, s);
    return both_completed(s);
}

void agents_run(struct agents *s, ln_duration duration)
{
    wire_run(&s->wire, s->wire.now + duration, NULL, NULL);
}

void agents_free(struct agents *s)
{
    ln_ice_free(s->a.ice);
    ln_ice_free(s->b.ice);
    s->a.ice = s->b.ice = NULL;
}

bool side_was(const struct side *side, enum ln_ice_connection_state state)
{
    for (size_t i = 0; i < side->state_count; i++)
        if (side->states[i] == state)
            return true;
    return false;
}

struct ln_ice_pair_info side_selected(const struct side *side)
{
    struct ln_ice_pair_info info;

    CHECK(ln_ice_selected_pair(side->ice, &info));
    return info;
}
