/* SPDX-License-Identifier: Apache-2.0
 * The timers of a transaction (RFC 8489, 6.2.1). */
#include "base/time.h"
#include "stun/transaction.h"
#include "tests/support/test.h"

LN_TEST(transaction, sends_at_the_moments_of_the_rfc_and_ends_at_39500_ms)
{
    static const int moments[] = { 0, 500, 1500, 3500, 7500, 15500, 31500 };
    struct ln_stun_transaction t;
    ln_time begin = LN_SECONDS(7), now = begin;

    ln_stun_transaction_begin(&t, LN_STUN_TIMING_DEFAULT, test_env()->rng, now);
    for (size_t i = 0; i < 7; i++) {
        CHECK(ln_stun_transaction_take(&t, now) && !ln_stun_transaction_take(&t, now));
        CHECK_EQUAL(ln_time_ms(now - begin), moments[i]);
        now = ln_stun_transaction_next_timeout(&t);
        ln_stun_transaction_on_timeout(&t, now);
        CHECK(ln_stun_transaction_next_timeout(&t) > now);
    }
    CHECK_EQUAL(ln_time_ms(now - begin), 39500);
    CHECK_EQUAL(t.state, LN_STUN_TIMED_OUT);
    CHECK_EQUAL(ln_stun_transaction_next_timeout(&t), LN_TIME_NEVER);
}

LN_TEST(transaction, waits_stay_under_their_limit_if_there_is_one)
{
    static const int moments[] = { 0, 500, 1500, 2500, 3500 };
    struct ln_stun_timing timing = { LN_STUN_RTO, 5, LN_STUN_RM, LN_SECONDS(1) };
    struct ln_stun_transaction t;
    ln_time begin = LN_SECONDS(7), now = begin;

    ln_stun_transaction_begin(&t, timing, test_env()->rng, now);
    for (size_t i = 0; i < 5; i++) {
        CHECK(ln_stun_transaction_take(&t, now));
        CHECK_EQUAL(ln_time_ms(now - begin), moments[i]);
        now = ln_stun_transaction_next_timeout(&t);
        ln_stun_transaction_on_timeout(&t, now);
    }
    CHECK_EQUAL(ln_time_ms(now - begin), 3500 + 8000);
    CHECK_EQUAL(t.state, LN_STUN_TIMED_OUT);
}

LN_TEST(transaction, a_late_call_sends_once)
{
    struct ln_stun_transaction t;
    ln_time now = 0;

    ln_stun_transaction_begin(&t, LN_STUN_TIMING_DEFAULT, test_env()->rng, now);
    CHECK(ln_stun_transaction_take(&t, now));
    now = LN_SECONDS(20);
    ln_stun_transaction_on_timeout(&t, now);
    CHECK(ln_stun_transaction_next_timeout(&t) > now);
    CHECK(ln_stun_transaction_take(&t, now) && !ln_stun_transaction_take(&t, now));
}

/* ATTACKS 12 */
LN_TEST(attack_12, only_the_running_id_is_answered_and_only_once)
{
    struct ln_stun_transaction t;
    struct ln_stun_id id;
    ln_duration rtt = 0;

    ln_stun_transaction_begin(&t, LN_STUN_TIMING_DEFAULT, test_env()->rng, 100);
    id = t.id;
    CHECK(!ln_stun_transaction_answer(&t, &id, 100, &rtt)); /* nothing was sent yet */
    CHECK(ln_stun_transaction_take(&t, 100));
    id.bytes[0] ^= 1;
    CHECK(!ln_stun_transaction_answer(&t, &id, 150, &rtt));
    id.bytes[0] ^= 1;
    CHECK(ln_stun_transaction_answer(&t, &id, 150, &rtt) && rtt == 50);
    CHECK(!ln_stun_transaction_answer(&t, &id, 160, &rtt));
}

LN_TEST(transaction, a_hastened_request_leaves_the_schedule_alone)
{
    struct ln_stun_transaction t;
    ln_duration rtt = 0;
    ln_time next;

    ln_stun_transaction_begin(&t, LN_STUN_TIMING_DEFAULT, test_env()->rng, 0);
    CHECK(ln_stun_transaction_take(&t, 0));
    next = ln_stun_transaction_next_timeout(&t);
    ln_stun_transaction_hasten(&t, LN_MILLISECONDS(10), LN_MILLISECONDS(20));
    CHECK(!ln_stun_transaction_take(&t, LN_MILLISECONDS(10)));
    ln_stun_transaction_hasten(&t, LN_MILLISECONDS(20), LN_MILLISECONDS(20));
    CHECK(ln_stun_transaction_take(&t, LN_MILLISECONDS(20)));
    CHECK_EQUAL(ln_stun_transaction_next_timeout(&t), next);
    CHECK(ln_stun_transaction_answer(&t, &t.id, LN_MILLISECONDS(30), &rtt) && rtt == -1);
}
