/* SPDX-License-Identifier: Apache-2.0
 * The laws of protocol objects, for the peer connection as a whole. The network of tests/sim checks
 * two of them at each of its steps: after on_timeout(now) the deadline lies after now, and polls on
 * an object that has nothing to say change nothing. */
#include "base/time.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

static struct call call; /* large */

static const struct scenario lossy = {
    .line = { .delay = LN_MILLISECONDS(20), .jitter = LN_MILLISECONDS(30), .loss = 0.1 },
    .messages = 20,
    .audio = true,
    .video = true,
    .both_send = true,
    .length = LN_SECONDS(2),
};

static uint64_t hash_of(uint64_t seed)
{
    CHECK(call_init(&call, &lossy, seed, false) == 0);
    CHECK(call_run(&call, LN_SECONDS(30), call_open));
    call_converse(&call);
    call_check(&call);
    call_free(&call);
    return call.net.hash;
}

LN_TEST(laws, the_same_inputs_and_seed_give_the_same_bytes)
{
    uint64_t first = hash_of(7);

    if (test_allocator()->fail_at > 0)
        return; /* the same again */
    CHECK(hash_of(8) != first);
    CHECK(hash_of(7) == first);
}

static const struct scenario calm = { .line = { .delay = LN_MILLISECONDS(5) }, .messages = 1 };

static void look_at_everything(ln_peer_connection *pc)
{
    struct ln_session_description description;
    struct ln_configuration configuration;
    struct ln_event event;
    uint64_t count;

    (void)ln_peer_connection_signaling_state(pc);
    (void)ln_peer_connection_connection_state(pc);
    (void)ln_peer_connection_ice_connection_state(pc);
    (void)ln_peer_connection_ice_gathering_state(pc);
    (void)ln_peer_connection_can_trickle_ice_candidates(pc);
    (void)ln_peer_connection_local_description(pc, &description);
    (void)ln_peer_connection_pending_local_description(pc, &description);
    (void)ln_peer_connection_current_remote_description(pc, &description);
    ln_peer_connection_get_configuration(pc, &configuration);
    (void)ln_peer_connection_sctp(pc);
    for (size_t i = 0; ln_peer_connection_drop_reason(pc, i, &count); i++)
        ;
    CHECK(ln_peer_connection_poll_event(pc, &event) == 0);
}

LN_TEST(laws, getters_and_polls_on_an_idle_connection_change_nothing)
{
    static uint8_t buffer[65536];
    ln_peer_connection *pc;
    ln_time deadline;

    CHECK(call_init(&call, &calm, 1, false) == 0);
    CHECK(call_run(&call, LN_SECONDS(5), call_open));
    call_converse(&call);
    pc = call.parties[0].pc;
    deadline = ln_peer_connection_next_timeout(pc);
    CHECK(deadline > call.net.now && deadline != LN_TIME_NEVER);
    for (int i = 0; i < 50; i++) {
        struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
        struct ln_request request;

        look_at_everything(pc);
        CHECK(ln_peer_connection_poll_transmit(pc, call.net.now, &out) == 0);
        CHECK(ln_peer_connection_poll_request(pc, &request) == 0);
        CHECK(ln_peer_connection_next_timeout(pc) == deadline);
    }
    /* Time that passes before the deadline changes it no more than the polls do. */
    ln_peer_connection_on_timeout(pc, call.net.now + (deadline - call.net.now) / 2);
    CHECK(ln_peer_connection_next_timeout(pc) == deadline);
    call_free(&call);
}

LN_TEST(laws, a_late_on_timeout_catches_up)
{
    ln_peer_connection *pc;
    ln_time now;

    CHECK(call_init(&call, &calm, 2, false) == 0);
    CHECK(call_run(&call, LN_SECONDS(5), call_open));
    call_converse(&call);
    pc = call.parties[0].pc;
    now = call.net.now;
    for (ln_duration late = LN_MILLISECONDS(1); late < LN_SECONDS(400000); late *= 7) {
        now += late;
        ln_peer_connection_on_timeout(pc, now);
        CHECK(ln_peer_connection_next_timeout(pc) > now);
    }
    call_free(&call);
}

LN_TEST(laws, a_new_connection_asks_for_nothing_until_it_is_used)
{
    CHECK(call_init(&call, &calm, 3, false) == 0);
    ln_peer_connection_on_timeout(call.parties[1].pc, call.net.now);
    CHECK(ln_peer_connection_next_timeout(call.parties[1].pc) == LN_TIME_NEVER);
    call_free(&call);
}
