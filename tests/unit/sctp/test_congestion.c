/* SPDX-License-Identifier: Apache-2.0
 * Congestion control: each controller over one line, against another, and by hand. */
#include "tests/unit/sctp/bottleneck.h"
#include "tests/unit/sctp/pipe.h"

#include "base/time.h"
#include "sctp/pace.h"
#include "sctp/slow_start.h"

#define RTT LN_MILLISECONDS(100)

static struct bottleneck line; /* large */

LN_TEST(sctp_cc, cubic_fills_a_long_line_and_leaves_slow_start_before_it_drops)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 4);
    bottleneck_add(&line, &ln_sctp_cc_cubic);
    bottleneck_run(&line, LN_SECONDS(3));
    CHECK_EQUAL(line.dropped, 0);
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(5));
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(5)) > 0.9);
    bottleneck_free(&line);
}

LN_TEST(sctp_cc, the_model_keeps_four_fifths_of_a_line_that_loses_one_in_a_hundred)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 1);
    line.loss = 0.01;
    bottleneck_add(&line, &ln_sctp_cc_model);
    bottleneck_run(&line, LN_SECONDS(3));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(6));
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(6)) > 0.8);
    CHECK(line.queue_most < RTT / 2);
    bottleneck_free(&line);
}

LN_TEST(sctp_cc, the_model_finds_a_rate_that_has_fallen)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 1);
    bottleneck_add(&line, &ln_sctp_cc_model);
    bottleneck_run(&line, LN_SECONDS(3));
    line.bytes_per_s /= 4;
    line.queue_bytes /= 4;
    bottleneck_run(&line, LN_SECONDS(4));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(4));
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(4)) > 0.85);
    CHECK(line.dropped < 100);
    bottleneck_free(&line);
}

LN_TEST(sctp_cc, delay_keeps_the_queue_short_and_the_line_busy)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 2);
    bottleneck_add(&line, &ln_sctp_cc_delay);
    bottleneck_run(&line, LN_SECONDS(4));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(6));
    CHECK(line.queue_most < LN_MILLISECONDS(30));
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(6)) > 0.7);
    bottleneck_free(&line);
}

LN_TEST(sctp_cc, delay_gives_way_to_one_that_fills_the_queue)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 1);
    bottleneck_add(&line, &ln_sctp_cc_delay);
    bottleneck_add(&line, &ln_sctp_cc_cubic);
    bottleneck_run(&line, LN_SECONDS(5));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(5));
    CHECK(bottleneck_share(&line, 1, LN_SECONDS(5)) > 0.7);
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(5)) < 0.25);
    bottleneck_free(&line);
}

/* RFC 9438 where a TCP by Reno would have as much: a short way and a small product. */
LN_TEST(sctp_cc, cubic_and_reno_share_a_line_within_a_factor_of_two)
{
    double cubic, reno;

    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 10, LN_MILLISECONDS(40), 1);
    bottleneck_add(&line, &ln_sctp_cc_cubic);
    bottleneck_add(&line, &ln_sctp_cc_reno);
    bottleneck_run(&line, LN_SECONDS(10));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(30));
    cubic = bottleneck_share(&line, 0, LN_SECONDS(30));
    reno = bottleneck_share(&line, 1, LN_SECONDS(30));
    CHECK(cubic + reno > 0.85);
    CHECK(cubic < reno * 2 && reno < cubic * 2);
    bottleneck_free(&line);
}

LN_TEST(sctp_cc, paced_data_leaves_in_short_bursts)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, RTT, 4);
    bottleneck_add(&line, &ln_sctp_cc_cubic);
    bottleneck_run(&line, LN_SECONDS(3));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(2));
    CHECK(line.burst_most <= LN_PACE_SLACK_PACKETS + 2);
    bottleneck_free(&line);
}

/* By hand. */

static struct ln_sctp_cc_ack ack_at(ln_time now, size_t bytes, uint64_t tsn, ln_duration rtt)
{
    return (struct ln_sctp_cc_ack){
        .now = now,
        .acked_bytes = bytes,
        .in_flight_bytes = bytes,
        .cumulative = true,
        .limited = true,
        .cumulative_tsn = tsn,
        .highest_tsn = tsn,
        .next_tsn = tsn + 50,
        .rtt = rtt,
        .smoothed_rtt = rtt,
    };
}

LN_TEST(sctp_cc, cubic_comes_back_to_its_window_after_the_time_of_the_formula)
{
    const struct ln_sctp_cc_ops *ops = &ln_sctp_cc_cubic;
    struct ln_sctp_cc_config config = { 1000, 200000, 10000000 };
    void *cc = ln_alloc_zero(test_env()->allocator, ops->state_bytes);
    ln_time now = LN_SECONDS(1), lost_at;

    CHECK(cc != NULL);
    ops->init(cc, &config, now);
    CHECK_EQUAL(ops->window(cc), 200000);
    ops->on_loss(cc, now, 1000, 90, 100);
    CHECK(ops->in_recovery(cc));
    CHECK_EQUAL(ops->window(cc), 140000); /* beta 0.7 */
    ops->on_loss(cc, now, 1000, 95, 100); /* of the same window: counts once */
    CHECK_EQUAL(ops->window(cc), 140000);
    lost_at = now;
    /* K = (200 * 0.3 / 0.4)^(1/3) = 5.31 s; the round trip is too long for Reno's share to lead. */
    while (ops->window(cc) < 199000 && now < lost_at + LN_SECONDS(20)) {
        struct ln_sctp_cc_ack ack;

        now += LN_MILLISECONDS(100);
        ack = ack_at(now, ops->window(cc), 100 + (uint64_t)(now / 1000000), LN_MILLISECONDS(100));
        ops->on_ack(cc, &ack);
    }
    CHECK(now - lost_at > LN_MILLISECONDS(3800) && now - lost_at < LN_MILLISECONDS(5600));
    ln_free(test_env()->allocator, cc);
}

LN_TEST(sctp_cc, every_controller_takes_back_what_an_undone_loss_cost)
{
    static const struct ln_sctp_cc_ops *const all[] = { &ln_sctp_cc_reno, &ln_sctp_cc_cubic,
                                                        &ln_sctp_cc_model, &ln_sctp_cc_delay };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct ln_sctp_cc_ops *ops = all[i];
        struct ln_sctp_cc_config config = { 1000, 200000, 10000000 };
        void *cc = ln_alloc_zero(test_env()->allocator, ops->state_bytes);

        CHECK(cc != NULL);
        ops->init(cc, &config, 0);
        ops->on_loss(cc, LN_SECONDS(1), 1000, 90, 100);
        ops->undo(cc, LN_SECONDS(1));
        CHECK_EQUAL(ops->window(cc), 200000);
        CHECK(!ops->in_recovery(cc));
        ops->on_timeout(cc, LN_SECONDS(2), false);
        ops->on_timeout(cc, LN_SECONDS(3), true);
        CHECK_EQUAL(ops->window(cc), 1000);
        if (ops != &ln_sctp_cc_model) { /* which has nothing measured to go back to */
            ops->undo(cc, LN_SECONDS(3));
            CHECK_EQUAL(ops->window(cc), 200000);
        }
        ln_free(test_env()->allocator, cc);
    }
}

LN_TEST(sctp_cc, slow_start_turns_careful_when_the_delay_grows_and_back_when_it_was_noise)
{
    struct ln_slow_start s;
    struct ln_sctp_cc_ack ack;
    uint64_t tsn = 0;
    bool end = false;
    ln_time now = 0;

    ln_slow_start_init(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            ack = ack_at(now += LN_MILLISECONDS(10), 1000, tsn += 5, LN_MILLISECONDS(100));
            CHECK_EQUAL(ln_slow_start_on_ack(&s, &ack, &end), 1000);
            CHECK(!end);
        }
    }
    for (int i = 0; i < 20; i++) {
        ack = ack_at(now += LN_MILLISECONDS(10), 1000, tsn += 5, LN_MILLISECONDS(114));
        (void)ln_slow_start_on_ack(&s, &ack, &end);
    }
    CHECK(s.cautious);
    CHECK_EQUAL(ln_slow_start_on_ack(&s, &ack, &end), 250);
    for (int i = 0; i < 20; i++) {
        ack = ack_at(now += LN_MILLISECONDS(10), 1000, tsn += 5, LN_MILLISECONDS(100));
        (void)ln_slow_start_on_ack(&s, &ack, &end);
    }
    CHECK(!s.cautious && !end);
    for (int i = 0; i < 200 && !end; i++) {
        ack = ack_at(now += LN_MILLISECONDS(10), 1000, tsn += 5, LN_MILLISECONDS(115));
        (void)ln_slow_start_on_ack(&s, &ack, &end);
    }
    CHECK(end);
}

/* On a long path the window doubles between the beginnings of two rounds. */
LN_TEST(sctp_cc, slow_start_sees_a_queue_that_grows_within_a_round)
{
    struct ln_slow_start s;
    struct ln_sctp_cc_ack ack;
    uint64_t tsn = 0;
    ln_duration rtt = LN_MILLISECONDS(200);
    ln_time now = 0;
    bool end = false;

    ln_slow_start_init(&s);
    for (int i = 0; i < 100; i++) {
        ack = ack_at(now += LN_MILLISECONDS(2), 1000, ++tsn, rtt);
        CHECK_EQUAL(ln_slow_start_on_ack(&s, &ack, &end), 1000);
    }
    for (int i = 0; i < 100 && !end; i++) { /* one round: its end is not acknowledged */
        ack = ack_at(now += LN_MILLISECONDS(2), 1000, tsn, rtt += LN_MILLISECONDS(1));
        (void)ln_slow_start_on_ack(&s, &ack, &end);
        CHECK(s.cautious || rtt < LN_MILLISECONDS(200 + 16 + 2 * 25));
    }
    CHECK(end && rtt < LN_MILLISECONDS(200 + 50 + 2 * 25));
}

LN_TEST(sctp_pace, a_late_sender_keeps_the_rate_and_an_idle_one_gets_no_more_than_the_slack)
{
    struct ln_pace pace;
    ln_time now = LN_SECONDS(1);
    size_t sent = 0;

    ln_pace_init(&pace, 1000);
    ln_pace_set_rate(&pace, 1e8); /* 100 packets a millisecond */
    while (now < LN_SECONDS(2)) {
        if (ln_pace_next(&pace) > now) {
            now = ln_pace_next(&pace) + LN_MILLISECONDS(1); /* its timer is late */
            continue;
        }
        ln_pace_sent(&pace, now, 1000);
        sent += 1000;
    }
    CHECK(sent > 95000000 && sent < 101000000);
    now += LN_SECONDS(5);
    for (sent = 0; ln_pace_next(&pace) <= now; sent += 1000)
        ln_pace_sent(&pace, now, 1000);
    CHECK(sent <= 402000);
}

/* Hundreds of holes at once: more than a SACK can tell of. */
LN_TEST(sctp_cc, the_model_keeps_four_fifths_of_a_very_long_line_that_loses_three_in_a_hundred)
{
    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 10, LN_MILLISECONDS(200), 1);
    line.loss = 0.03;
    bottleneck_add(&line, &ln_sctp_cc_model);
    bottleneck_run(&line, LN_SECONDS(6));
    bottleneck_reset_figures(&line);
    bottleneck_run(&line, LN_SECONDS(6));
    CHECK(bottleneck_share(&line, 0, LN_SECONDS(6)) > 0.8);
    bottleneck_free(&line);
}
