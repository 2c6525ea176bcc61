/* SPDX-License-Identifier: Apache-2.0
 * Loss detection by time, its probes, and what is taken back when nothing was lost. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "base/time.h"
#include "sctp/packet.h"

static uint8_t data[400000];

struct plan {
    uint32_t tsn; /* of the fragment that is lost; 0: the first that comes */
    int times;    /* how often */
    bool armed;
};

/* The first fragment of a packet of end 0 with user data; 0: none. */
static uint32_t tsn_of(const uint8_t *packet, size_t len)
{
    size_t at = 12;

    while (at + 16 <= len && !pipe_is_data(packet[at]))
        at += (ln_load16(packet + at + 2) + 3u) & ~3u;
    return at + 16 <= len ? ln_load32(packet + at + 4) : 0;
}

static bool lose_one(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    struct plan *plan = pipe->context;
    uint32_t tsn = from == 0 ? tsn_of(packet, *len) : 0;

    if (!plan->armed || tsn == 0 || plan->times == 0)
        return true;
    if (plan->tsn == 0)
        plan->tsn = tsn;
    if (plan->tsn != tsn)
        return true;
    plan->times--;
    return false;
}

static struct ln_sctp_stats stats_of(struct pipe *pipe)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(pipe->end[0], &stats);
    return stats;
}

static bool acknowledged(struct pipe *pipe)
{
    return stats_of(pipe).send_buffered_bytes == 0;
}

static void begin(struct pipe *pipe, struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    pipe_init(pipe, 1);
    pipe_create(pipe, NULL, NULL);
    pipe_connect(pipe);
    pipe->filter = lose_one;
    pipe->context = plan;
    /* Round trips are measured, the window is open. */
    CHECK(ln_sctp_send(pipe->end[0], 0, 53, data, sizeof data, NULL) == 0);
    CHECK(pipe_run(pipe, pipe->now + LN_SECONDS(5), acknowledged));
}

/* Every second packet with data is lost, `times` in all. */
static bool lose_every_second(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    struct plan *plan = pipe->context;

    if (!plan->armed || from != 0 || tsn_of(packet, *len) == 0 || plan->times == 0)
        return true;
    plan->tsn++;
    if (plan->tsn % 2 == 0)
        return true;
    plan->times--;
    return false;
}

/* What arrived above them is not told: it is neither held lost, nor in the way of sending. */
LN_TEST(sctp_loss,
        more_holes_than_a_sack_can_tell_of_are_repaired_without_a_timeout_or_much_in_vain)
{
    enum { HOLES = 1000 };
    static uint8_t message[200000];
    struct ln_sctp_config config;
    struct ln_sctp_stats stats;
    struct plan plan = { 0 };
    struct pipe pipe;

    if (pipe_sweeping())
        return;
    ln_sctp_config_init(&config);
    config.initial_window_packets = 4000;
    config.receive_window_first = 16u << 20;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, &config, &config);
    pipe_connect(&pipe);
    pipe.filter = lose_every_second;
    pipe.context = &plan;
    plan.armed = true;
    plan.times = HOLES;
    for (int i = 0; i < 20; i++)
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, message, sizeof message, NULL) == 0);
    CHECK(pipe_run(&pipe, pipe.now + LN_SECONDS(5), acknowledged));
    stats = stats_of(&pipe);
    CHECK_EQUAL(stats.timeouts, 0);
    CHECK(stats.retransmissions < HOLES + HOLES / 100);
    pipe_free(&pipe);
}

LN_TEST(sctp_loss, a_lost_tail_is_repaired_by_a_probe_within_three_round_trips)
{
    struct pipe pipe;
    struct plan plan;
    ln_time sent;

    begin(&pipe, &plan);
    plan.armed = true;
    plan.times = 1;
    sent = pipe.now;
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 1000, NULL) == 0);
    CHECK(pipe_run(&pipe, pipe.now + LN_SECONDS(5), acknowledged));
    CHECK(pipe.now - sent <= LN_MILLISECONDS(20) * 3 + LN_MILLISECONDS(15));
    CHECK_EQUAL(stats_of(&pipe).probes_sent, 1);
    CHECK_EQUAL(stats_of(&pipe).timeouts, 0);
    pipe_free(&pipe);
}

LN_TEST(sctp_loss, a_retransmission_that_is_lost_again_needs_no_timer)
{
    struct pipe pipe;
    struct plan plan;

    begin(&pipe, &plan);
    plan.armed = true;
    plan.times = 3;
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
    CHECK(pipe_run(&pipe, pipe.now + LN_SECONDS(5), acknowledged));
    CHECK_EQUAL(stats_of(&pipe).timeouts, 0);
    CHECK(stats_of(&pipe).retransmissions >= 3);
    pipe_free(&pipe);
}

LN_TEST(sctp_loss, the_window_learns_how_far_packets_are_reordered)
{
    struct ln_sctp_stats before, after;
    struct pipe pipe;
    struct plan plan;

    if (pipe_sweeping())
        return;
    begin(&pipe, &plan);
    pipe.reorder = 0.1;
    pipe.reorder_by = LN_MILLISECONDS(18); /* most of a round trip */
    for (int i = 0; i < 10; i++) {
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(400), NULL);
    }
    before = stats_of(&pipe);
    for (int i = 0; i < 10; i++) {
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, sizeof data, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(400), NULL);
    }
    after = stats_of(&pipe);
    CHECK_EQUAL(after.timeouts, 0);
    CHECK((after.retransmissions - before.retransmissions) * 50 <
          after.data_chunks_sent - before.data_chunks_sent);
    pipe_free(&pipe);
}

/* One packet takes far longer than its followers: it is sent again, both arrive. */
LN_TEST(sctp_loss, a_retransmission_in_vain_gives_the_window_back)
{
    struct ln_sctp_stats before, after;
    struct pipe pipe;
    struct plan plan;

    begin(&pipe, &plan);
    before = stats_of(&pipe);
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 1000, NULL) == 0);
    pipe.delay = LN_MILLISECONDS(35);
    pipe_flush(&pipe);
    pipe.delay = LN_MILLISECONDS(10);
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 10000, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
    after = stats_of(&pipe);
    CHECK(after.retransmissions > before.retransmissions);
    CHECK_EQUAL(after.losses_undone, 1);
    CHECK(after.congestion_window >= before.congestion_window);
    pipe_free(&pipe);
}

LN_TEST(sctp_loss, a_timeout_that_came_too_soon_is_undone)
{
    struct ln_sctp_stats before, after;
    struct pipe pipe;
    struct plan plan;

    begin(&pipe, &plan);
    before = stats_of(&pipe);
    pipe.delay = LN_MILLISECONDS(600); /* the path stalls */
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 100000, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(500), NULL);
    CHECK(stats_of(&pipe).timeouts >= 1);
    CHECK(stats_of(&pipe).congestion_window < 3000);
    pipe.delay = LN_MILLISECONDS(10);
    pipe_run(&pipe, pipe.now + LN_SECONDS(3), NULL);
    after = stats_of(&pipe);
    CHECK(after.losses_undone >= 1);
    CHECK(after.congestion_window >= before.congestion_window);
    CHECK(after.retransmissions - before.retransmissions < 30); /* of 88 */
    CHECK_EQUAL(after.send_buffered_bytes, 0);
    pipe_free(&pipe);
}

/* SACKs that a peer holds back for 200 ms (as long as RFC 9260 lets it without a reason). */
LN_TEST(sctp_loss, a_slow_acknowledgement_is_no_timeout)
{
    struct ln_sctp_config lazy;
    struct pipe pipe;

    ln_sctp_config_init(&lazy);
    lazy.sack_delay = LN_MILLISECONDS(200);
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, &lazy);
    pipe_connect(&pipe);
    for (int i = 0; i < 20; i++) {
        CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 100, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_MILLISECONDS(500), NULL);
    }
    CHECK_EQUAL(stats_of(&pipe).timeouts, 0);
    pipe_free(&pipe);
}
