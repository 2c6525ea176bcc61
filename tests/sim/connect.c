/* SPDX-License-Identifier: Apache-2.0
 * Scenarios of connecting, of data, of calls in trouble. */
#include "base/time.h"
#include "ice/ice.h"
#include "peer/peer_connection.h"
#include "tests/sim/call.h"
#include "tests/sim/memory.h"
#include "tests/sim/negotiation.h"
#include "tests/support/test.h"

#define MS LN_MILLISECONDS
#define S  LN_SECONDS

LN_SCENARIO(perfect) = {
    .line = { .delay = MS(1) },
    .channels = CHANNELS_ALL,
    .messages = 30,
    .open_within = S(1),
    .open_within_p95 = MS(200),
};

/* --- loss */

LN_SCENARIO(loss_5) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .messages = 40,
    .open_within_p95 = S(2),
};

LN_SCENARIO(loss_10) = {
    .line = { .delay = MS(30), .loss = 0.1 },
    .messages = 40,
    .open_within_p95 = S(3),
};

LN_SCENARIO(loss_20) = {
    .line = { .delay = MS(30), .loss = 0.2 },
    .channels = CHANNELS_ALL,
    .messages = 30,
};

LN_SCENARIO(loss_20_far) = {
    .line = { .delay = MS(150), .loss = 0.2 },
    .signalling = MS(150),
    .messages = 20,
};

/* A fifth of the time nearly nothing passes, for 150 ms on average. */
LN_SCENARIO(loss_in_bursts) = {
    .line = { .delay = MS(30), .burst_every = MS(600), .burst_length = MS(150), .burst_loss = 0.9 },
    .channels = CHANNELS_ALL,
    .messages = 40,
};

LN_SCENARIO(large_messages) = {
    .line = { .delay = MS(20), .loss = 0.1 },
    .messages = 12,
    .message_max = 262144 - 13,
    .channels = 1u << CHANNEL_ORDERED | 1u << CHANNEL_UNORDERED,
};

/* --- order, copies, delay */

LN_SCENARIO(reorder) = {
    .line = { .delay = MS(30), .reorder = 0.3, .reorder_by = MS(40) },
    .channels = CHANNELS_ALL,
    .messages = 60,
    .open_within_p95 = S(1),
};

LN_SCENARIO(duplicates) = {
    .line = { .delay = MS(30), .jitter = MS(10), .duplicate = 0.3 },
    .channels = CHANNELS_ALL,
    .messages = 60,
    .open_within_p95 = S(1),
};

LN_SCENARIO(jitter) = {
    .line = { .delay = MS(20), .jitter = MS(100) },
    .channels = CHANNELS_ALL,
    .messages = 60,
    .open_within_p95 = S(2),
};

LN_SCENARIO(delay_500) = {
    .line = { .delay = MS(500) },
    .signalling = MS(500),
    .messages = 20,
    .open_within_p95 = S(7), /* five round trips of 1 s, and the signalling */
};

static void recovered(struct call *call)
{
    CHECK(call->parties[0].failed == LN_TIME_NEVER && call->parties[1].failed == LN_TIME_NEVER);
}

/* Eight seconds without a sign of life happen here: "disconnected" for a while, never "failed". */
LN_SCENARIO(everything_at_once) = {
    .line = { .delay = MS(150),
              .jitter = MS(80),
              .loss = 0.2,
              .burst_every = S(1),
              .burst_length = MS(200),
              .burst_loss = 0.9,
              .reorder = 0.2,
              .reorder_by = MS(60),
              .duplicate = 0.2 },
    .vary = true,
    .channels = CHANNELS_ALL,
    .messages = 40,
    .may_disconnect = true,
    .holds = recovered,
};

LN_SCENARIO(narrow) = {
    .line = { .delay = MS(40), .rate_bps = 64000, .queue = MS(700) },
    .messages = 20,
    .message_max = 4000,
    .open_within_p95 = S(5),
};

/* IPv6's smallest: nothing we send may be larger. */
LN_SCENARIO(mtu_1280) = {
    .line = { .delay = MS(10), .mtu = 1280 },
    .messages = 20,
    .message_max = 60000,
    .open_within = S(2),
};

LN_SCENARIO(late_timers) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .lateness = MS(150),
    .channels = CHANNELS_ALL,
    .messages = 30,
};

/* --- negotiation */

LN_SCENARIO(glare) = {
    .line = { .delay = MS(20) },
    .glare = true,
    .channels = CHANNELS_ALL,
    .messages = 20,
    .open_within_p95 = S(2),
};

LN_SCENARIO(glare_with_loss) = {
    .line = { .delay = MS(60), .loss = 0.15, .jitter = MS(30) },
    .signalling = MS(100),
    .glare = true,
    .messages = 20,
};

LN_SCENARIO(slow_signalling) = {
    .line = { .delay = MS(5) },
    .signalling = S(1),
    .messages = 10,
    .open_within_p95 = S(6),
};

LN_SCENARIO(without_trickle) = {
    .line = { .delay = MS(30), .loss = 0.1 },
    .no_trickle = true,
    .messages = 20,
};

/* --- one lost packet, at every step of the set-up: the seed is the step */

LN_SCENARIO(the_nth_packet_is_lost) = {
    .line = { .delay = MS(20) },
    .drop = DROP_NTH,
    .messages = 5,
    .open_within = S(3),
    .open_within_p95 = S(2),
    .seeds_max = 100,
};

LN_SCENARIO(three_packets_are_lost) = {
    .line = { .delay = MS(20) },
    .drop = DROP_RUN,
    .messages = 5,
    .open_within = S(6),
    .seeds_max = 100,
};

LN_SCENARIO(the_nth_of_both_is_lost) = {
    .line = { .delay = MS(20) },
    .drop = DROP_BOTH,
    .messages = 5,
    .open_within = S(4),
    .open_within_p95 = S(3),
    .seeds_max = 100,
};

/* --- NATs */

LN_SCENARIO(behind_nats) = {
    .line = { .delay = MS(30) },
    .nat = NAT_REACHABLE,
    .messages = 10,
    .open_within_p95 = S(3),
};

LN_SCENARIO(behind_nats_with_loss) = {
    .line = { .delay = MS(30), .loss = 0.15 },
    .nat = NAT_REACHABLE,
    .messages = 10,
};

LN_SCENARIO(behind_firewalls) = {
    .line = { .delay = MS(30) },
    .nat = NAT_FIREWALLS,
    .messages = 10,
    .open_within_p95 = S(3),
};

LN_SCENARIO(behind_symmetric_nats) = {
    .line = { .delay = MS(30) },
    .nat = NAT_UNREACHABLE,
    .never_opens = true,
};

/* An idle call keeps its mappings: nothing is sent but checks. */
LN_SCENARIO(nat_forgets_after_30_s) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .nat = NAT_REACHABLE,
    .nat_lifetime = S(30),
    .length = S(120),
    .messages = 10,
};

/* --- a server that is lite */

static void lite_asked_nothing(struct call *call)
{
    struct ln_ice_pair_info info;

    for (int i = 0; i < 2; i++)
        for (size_t k = 0; call->scenario->lite >> i & 1 &&
                           ln_ice_pair(call->parties[i].pc->transport.ice, k, &info);
             k++)
            CHECK_EQUAL(info.requests_sent, 0);
}

LN_SCENARIO(lite_server) = {
    .line = { .delay = MS(30), .jitter = MS(10), .loss = 0.15 },
    .nat = NAT_CLIENT,
    .lite = 1u << 1,
    .channels = CHANNELS_ALL,
    .messages = 30,
    .holds = lite_asked_nothing,
};

LN_SCENARIO(lite_server_offers) = {
    .line = { .delay = MS(30), .loss = 0.15 },
    .lite = 1u << 0,
    .channels = CHANNELS_ALL,
    .messages = 30,
    .holds = lite_asked_nothing,
};

LN_SCENARIO(lite_server_idle_for_2_minutes) = {
    .line = { .delay = MS(30), .loss = 0.1 },
    .nat = NAT_CLIENT,
    .lite = 1u << 1,
    .length = S(120),
    .messages = 10,
    .holds = lite_asked_nothing,
};

LN_SCENARIO(lite_server_restarts) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .nat = NAT_CLIENT,
    .lite = 1u << 1,
    .length = S(6),
    .messages = 100,
    .acts = { { ACT_RESTART, MS(500), 0 }, { ACT_RESTART, S(3), 1 } },
    .holds = lite_asked_nothing,
};

/* The client asks again from its new address, which the server follows. */
LN_SCENARIO(lite_server_follows_a_client) = {
    .line = { .delay = MS(30) },
    .nat = NAT_CLIENT,
    .lite = 1u << 1,
    .length = S(12),
    .messages = 300,
    .acts = { { ACT_REBIND, S(3), 0 } },
    .may_disconnect = true,
    .holds = lite_asked_nothing,
};

LN_SCENARIO(both_lite) = {
    .line = { .delay = MS(30), .loss = 0.15 },
    .lite = 3,
    .channels = CHANNELS_ALL,
    .messages = 30,
    .holds = lite_asked_nothing,
};

/* --- trouble in mid-call */

static void restarted(struct call *call)
{
    for (int i = 0; i < 2; i++)
        CHECK(call->parties[i].disconnected == LN_TIME_NEVER);
}

LN_SCENARIO(ice_restart) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .length = S(6),
    .messages = 100,
    .acts = { { ACT_RESTART, MS(500), 0 }, { ACT_RESTART, S(3), 1 } },
    .holds = restarted,
};

/* Both at one moment: their offers cross. */
LN_SCENARIO(both_restart_ice) = {
    .line = { .delay = MS(30), .loss = 0.05 },
    .length = S(6),
    .messages = 100,
    .acts = { { ACT_RESTART, MS(500), 0 }, { ACT_RESTART, MS(500), 1 } },
};

LN_SCENARIO(cut_for_10_s) = {
    .line = { .delay = MS(30) },
    .length = S(20),
    .messages = 200,
    .acts = { { ACT_DOWN, S(2), 0 }, { ACT_UP, S(12), 0 } },
    .holds = recovered,
};

/* The address is gone: the application sees "failed" and restarts ICE. */
LN_SCENARIO(another_address) = {
    .line = { .delay = MS(30) },
    .length = S(12),
    .messages = 200,
    .acts = { { ACT_MOVE, S(2), 0 }, { ACT_RESTART, S(3), 0 } },
};

/* A program that hangs is called late, after everything was due, and goes on. */
LN_SCENARIO(program_hangs_for_6_s) = {
    .line = { .delay = MS(30) },
    .length = S(15),
    .messages = 200,
    .audio = true,
    .acts = { { ACT_SILENCE, S(2), 1 }, { ACT_WAKE, S(8), 1 } },
    .holds = recovered,
};

/* RFC 7675: consent ends 30 s after the last answer to a check of ours. */
static void consent_ended(struct call *call)
{
    const struct party *left = &call->parties[0];
    ln_duration after = left->failed - call->mark;

    CHECK(left->failed != LN_TIME_NEVER);
    CHECK(left->disconnected < left->failed);
    CHECK(after > S(23) && after <= S(30) + MS(500));
    call->figure = (double)after / 1e9;
    call->has_figure = true;
}

LN_SCENARIO(one_side_falls_silent) = {
    .line = { .delay = MS(30), .jitter = MS(20) },
    .length = S(55),
    .messages = 100,
    .may_lose_messages = true,
    .may_disconnect = true,
    .acts = { { ACT_SILENCE, S(12), 1 }, { ACT_MARK, S(12) } },
    .holds = consent_ended,
    .figure = "consent lived (s)",
};

/* Nothing comes back, though what is sent arrives: consent must end all the same. */
LN_SCENARIO(one_way_cut) = {
    .line = { .delay = MS(30) },
    .length = S(55),
    .messages = 100,
    .may_lose_messages = true,
    .may_disconnect = true,
    .acts = { { ACT_LINE, S(12), 1, { .down = true } }, { ACT_MARK, S(12) } },
    .holds = consent_ended,
    .figure = "consent lived (s)",
};

static void other_side_knows(struct call *call)
{
    const struct party *left = &call->parties[1];

    for (size_t i = 0; i < left->flow_count; i++)
        CHECK(left->flows[i].closed);
}

LN_SCENARIO(one_side_closes) = {
    .line = { .delay = MS(30) },
    .length = S(5),
    .messages = 40,
    .may_lose_messages = true,
    .may_disconnect = true,
    .acts = { { ACT_CLOSE, S(2), 0 } },
    .holds = other_side_knows,
};

/* --- applications that do anything, memory that fails */

LN_SCENARIO(random_negotiation) = { .run = negotiation_run };

/* Each seed lets other allocations fail: a thousand seeds, each of them once and for good. */
static void memory_fails(uint64_t seed, struct outcome *ret)
{
    (void)ret;
    for (int sticky = 0; sticky < 2; sticky++)
        for (uint64_t n = seed; memory_run(n, sticky); n += 1000)
            ;
}

LN_SCENARIO(memory_fails) = { .run = memory_fails };
