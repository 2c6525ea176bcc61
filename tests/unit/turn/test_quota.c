/* SPDX-License-Identifier: Apache-2.0
 * Bandwidth is shared, not cut off; ports and users are counted right. */
#include "servers/turn/core/quota.h"
#include "tests/unit/turn/rig.h"

static struct ln_turn_user *enter(struct ln_turn_shared *shared, const char *name)
{
    struct ln_turn_user *user;

    CHECK(ln_turn_user_enter(shared, test_bytes(name), &user) == 0);
    return user;
}

LN_TEST(quota, above_a_users_rate_only_the_excess_is_dropped)
{
    struct ln_turn_limits limits = { .bytes_per_second_per_user = 100000 };
    struct ln_turn_shared *shared;
    struct ln_turn_user *user;
    unsigned passed = 0;

    CHECK(ln_turn_shared_create(&shared, test_env(), &limits) == 0);
    user = enter(shared, "alice");
    for (int i = 0; i < 10000; i++) /* 1,000 B each ms for 10 s: ten times the rate */
        passed += ln_turn_user_take(shared, user, LN_SECONDS(5) + i * LN_MILLISECONDS(1), 1000);
    CHECK(passed >= 1000 && passed <= 1030);
    ln_turn_user_leave(shared, user);
    ln_turn_shared_free(shared);
}

LN_TEST(quota, one_who_sends_much_does_not_touch_one_who_sends_little)
{
    struct ln_turn_limits limits = { .bytes_per_second = 1000000 };
    struct ln_turn_shared *shared;
    struct ln_turn_user *loud, *quiet;
    unsigned loud_passed = 0, quiet_passed = 0, quiet_sent = 0;

    CHECK(ln_turn_shared_create(&shared, test_env(), &limits) == 0);
    loud = enter(shared, "loud");
    quiet = enter(shared, "quiet");
    for (int i = 0; i < 50000; i++) { /* 10 MB/s against 100 kB/s, for 5 s */
        ln_time now = LN_SECONDS(5) + i * LN_MICROSECONDS(100);

        loud_passed += ln_turn_user_take(shared, loud, now, 1000);
        if (i % 100 == 0) {
            quiet_sent++;
            quiet_passed += ln_turn_user_take(shared, quiet, now, 1000);
        }
    }
    CHECK_EQUAL(quiet_passed, quiet_sent);
    CHECK(loud_passed >= 4000 && loud_passed <= 5500); /* what the other leaves */
    ln_turn_user_leave(shared, loud);
    ln_turn_user_leave(shared, quiet);
    ln_turn_shared_free(shared);
}

LN_TEST(quota, users_and_ports_come_and_go)
{
    struct ln_turn_limits limits = { .allocations = 0 };
    struct ln_turn_shared *shared;
    struct ln_turn_user *a, *b;

    CHECK(ln_turn_shared_create(&shared, test_env(), &limits) == 0);
    a = enter(shared, "alice");
    b = enter(shared, "bob");
    CHECK(a != b && enter(shared, "alice") == a);
    CHECK(ln_turn_shared_allocations(shared) == 3 && ln_turn_shared_users(shared) == 2);
    ln_turn_user_leave(shared, a);
    ln_turn_user_leave(shared, a);
    ln_turn_user_leave(shared, b);
    CHECK(ln_turn_shared_allocations(shared) == 0 && ln_turn_shared_users(shared) == 0);
    CHECK(ln_turn_port_claim(shared, 1, 50000, 0) && !ln_turn_port_claim(shared, 1, 50000, 0));
    CHECK(ln_turn_port_claim(shared, 0, 50000, 0) && ln_turn_port_claim(shared, 1, 50001, 0));
    ln_turn_port_release(shared, 1, 50000);
    CHECK(!ln_turn_port_claimed(shared, 1, 50000) && ln_turn_port_claimed(shared, 1, 50001));
    ln_turn_shared_free(shared);
}

LN_TEST(quota, data_above_the_rate_is_dropped_and_counted)
{
    struct rig rig;
    struct rig_client alice;
    unsigned passed = 0;

    rig_init(&rig);
    rig.limits.bytes_per_second_per_user = 10000;
    rig_start(&rig);
    alice = rig_client(&rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(&alice, NULL), 0);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    for (int i = 0; i < 400; i++) {
        rig_send_channel(&alice, 0x4000,
                         "01234567890123456789012345678901234567890123456789"
                         "01234567890123456789012345678901234567890123456789");
        passed += rig.packet_count == 1;
    }
    CHECK(passed > 100 && passed < 200); /* the burst: 16 KiB */
    CHECK_EQUAL(rig_counts(&rig).dropped_rate, 400 - passed);
    rig_end(&rig);
}
