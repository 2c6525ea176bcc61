/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cc/pacer.h"
#include "cc/receive_rate.h"
#include "tests/support/test.h"

LN_TEST(pacer, spreads_a_key_frame_at_two_and_a_half_times_the_target)
{
    struct ln_pacer p;
    ln_time start = LN_SECONDS(1), now = start;

    ln_pacer_init(&p, 1000000, now);
    for (int i = 0; i < 40; i++) { /* 40 kB: 128 ms at 2.5 Mbit/s */
        while (!ln_pacer_may_send(&p, now)) {
            CHECK(ln_pacer_next_timeout(&p) > now);
            now = ln_pacer_next_timeout(&p);
        }
        ln_pacer_on_sent(&p, now, 1000);
    }
    CHECK(now - start > LN_MILLISECONDS(115) && now - start < LN_MILLISECONDS(130));
}

LN_TEST(pacer, gives_no_credit_for_a_long_pause)
{
    struct ln_pacer p;
    ln_time now = LN_SECONDS(1);
    int burst = 0;

    ln_pacer_init(&p, 1000000, now);
    now += LN_SECONDS(60);
    while (ln_pacer_may_send(&p, now)) {
        ln_pacer_on_sent(&p, now, 1000);
        burst++;
    }
    CHECK(burst <= 3);
}

LN_TEST(pacer, counts_audio_that_does_not_wait)
{
    struct ln_pacer p;
    ln_time now = LN_SECONDS(1);

    ln_pacer_init(&p, 100000, now);
    for (int i = 0; i < 10; i++)
        ln_pacer_on_sent(&p, now, 200); /* never asked */
    CHECK(!ln_pacer_may_send(&p, now));
    CHECK(ln_pacer_next_timeout(&p) <= now + LN_MILLISECONDS(65));
}

LN_TEST(pacer, empties_an_old_queue_in_time)
{
    struct ln_pacer p;
    ln_time start = LN_SECONDS(1), now = start;
    size_t queued = 400000; /* 32 s at the target of 100 kbit/s */

    ln_pacer_init(&p, 100000, now);
    while (queued > 0) {
        ln_pacer_set_queue(&p, now, queued, start);
        if (!ln_pacer_may_send(&p, now)) {
            now = ln_pacer_next_timeout(&p);
            continue;
        }
        ln_pacer_on_sent(&p, now, 1000);
        queued -= 1000;
    }
    CHECK(now - start < LN_PACER_QUEUE_LIMIT + LN_MILLISECONDS(500));
}

LN_TEST(pacer, a_getter_on_an_idle_pacer_changes_nothing)
{
    struct ln_pacer p, copy;

    ln_pacer_init(&p, 100000, 5);
    copy = p;
    (void)ln_pacer_may_send(&p, LN_SECONDS(9));
    (void)ln_pacer_next_timeout(&p);
    CHECK_BYTES(&p, &copy, sizeof p);
}

LN_TEST(receive_rate, lets_a_healthy_sender_pass_1_mbits_within_20_s)
{
    struct ln_receive_rate r;
    uint64_t told = 300000, sending, expected = 0;
    ln_time now = LN_SECONDS(1), start = now;

    ln_receive_rate_init(&r, 300000, 20000000);
    while (told < 1000000) { /* a sender that follows at once what it is told */
        CHECK(now - start < LN_SECONDS(20));
        sending = told;
        ln_receive_rate_on_packet(&r, now, 1000);
        expected++;
        if (expected % 50 == 0)
            ln_receive_rate_on_totals(&r, now, expected, 0);
        (void)ln_receive_rate_poll(&r, &told);
        now += (ln_duration)(8000ull * 1000000000u / sending);
    }
    CHECK(now - start < LN_SECONDS(5));
}

LN_TEST(receive_rate, falls_below_what_arrives_when_much_is_lost)
{
    struct ln_receive_rate r;
    uint64_t told = 0, expected = 0, lost = 0;
    ln_time now = LN_SECONDS(1);

    ln_receive_rate_init(&r, 300000, 20000000);
    for (int i = 0; i < 4000; i++) { /* 1 Mbit/s, later a quarter of it lost */
        expected++;
        if (i > 2000 && i % 4 == 0)
            lost++;
        else
            ln_receive_rate_on_packet(&r, now, 1000);
        if (i % 50 == 49)
            ln_receive_rate_on_totals(&r, now, expected, lost);
        (void)ln_receive_rate_poll(&r, &told);
        now += LN_MILLISECONDS(8);
    }
    CHECK(told < 750000 && told > 300000);
}

LN_TEST(receive_rate, survives_totals_that_shrink)
{
    struct ln_receive_rate r;
    uint64_t told = 0;

    ln_receive_rate_init(&r, 300000, 20000000);
    ln_receive_rate_on_totals(&r, 1, 1000, 500);
    ln_receive_rate_on_totals(&r, 2, 10, 0);
    ln_receive_rate_on_totals(&r, 3, 100, 0);
    CHECK(!ln_receive_rate_poll(&r, &told) || told > 0);
}
