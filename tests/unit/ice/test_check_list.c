/* SPDX-License-Identifier: Apache-2.0
 * The check list: order, freezing by foundation, the cap, triggered checks. */
#include "ice/check_list.h"
#include "tests/support/test.h"

static struct ln_ice_check_list list;
static struct ln_ice_local locals[4];
static struct ln_ice_remote remotes[200];

static void begin(size_t limit)
{
    ln_ice_check_list_init(&list, limit);
    memset(locals, 0, sizeof locals);
    memset(remotes, 0, sizeof remotes);
}

/* The n-th remote candidate with a foundation, paired with a local one. */
static struct ln_ice_pair *make(unsigned local, unsigned n, uint64_t foundation, uint64_t priority)
{
    struct ln_ice_pair *pair;

    locals[local].link = local + 1;
    locals[local].foundation = local;
    remotes[n].address.family = LN_FAMILY_IPV4;
    remotes[n].address.port = (uint16_t)n;
    remotes[n].foundation = foundation;
    pair = ln_ice_pair_create(test_env()->allocator, NULL, &locals[local], &remotes[n], n + 1,
                              false);
    CHECK(pair);
    pair->priority = priority;
    return pair;
}

static int add(struct ln_ice_pair *pair, bool keep)
{
    struct ln_ice_pair *evicted = NULL;
    int error = ln_ice_check_list_add(&list, test_env()->allocator, pair, keep, &evicted);

    if (error)
        ln_ice_pair_free(test_env()->allocator, pair);
    if (evicted)
        ln_ice_pair_free(test_env()->allocator, evicted);
    return error;
}

LN_TEST(check_list, is_ordered_by_priority_and_stable)
{
    begin(100);
    for (unsigned i = 0; i < 60; i++)
        CHECK(add(make(0, i, i, i * 7 % 10), false) == 0);
    for (size_t i = 1; i < list.count; i++) {
        CHECK(list.pairs[i - 1]->priority >= list.pairs[i]->priority);
        CHECK(list.pairs[i - 1]->priority > list.pairs[i]->priority ||
              list.pairs[i - 1]->id < list.pairs[i]->id);
    }
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}

LN_TEST(check_list, one_pair_of_a_foundation_is_checked_before_the_others_thaw)
{
    struct ln_ice_pair *first, *second, *other;

    begin(100);
    CHECK(add(first = make(0, 0, 5, 10), false) == 0);
    CHECK(add(second = make(0, 1, 5, 9), false) == 0);
    CHECK(add(other = make(1, 2, 5, 8), false) == 0); /* another local foundation */
    CHECK(first->state == LN_ICE_PAIR_WAITING && second->state == LN_ICE_PAIR_FROZEN);
    CHECK(other->state == LN_ICE_PAIR_WAITING && ln_ice_check_list_ordinary(&list) == first);
    first->state = LN_ICE_PAIR_IN_PROGRESS;
    CHECK(ln_ice_check_list_ordinary(&list) == other);
    other->state = LN_ICE_PAIR_IN_PROGRESS;
    CHECK(!ln_ice_check_list_ordinary(&list)); /* its foundation is busy */
    ln_ice_check_list_thaw(&list, first);
    CHECK(second->state == LN_ICE_PAIR_WAITING && ln_ice_check_list_ordinary(&list) == second);
    second->state = LN_ICE_PAIR_FROZEN;
    first->state = LN_ICE_PAIR_FAILED;
    CHECK(ln_ice_check_list_ordinary(&list) == second); /* nobody checks its foundation any more */
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}

LN_TEST(check_list, a_late_pair_of_a_proven_foundation_waits)
{
    struct ln_ice_pair *first, *late;

    begin(100);
    CHECK(add(first = make(0, 0, 5, 10), false) == 0);
    first->state = LN_ICE_PAIR_SUCCEEDED;
    CHECK(add(late = make(0, 1, 5, 11), false) == 0);
    CHECK(late->state == LN_ICE_PAIR_WAITING && ln_ice_check_list_best(&list) == first);
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}

LN_TEST(check_list, when_full_the_least_promising_pair_makes_room)
{
    begin(3);
    CHECK(add(make(0, 0, 0, 10), false) == 0);
    CHECK(add(make(0, 1, 1, 5), false) == 0);
    CHECK(add(make(0, 2, 2, 1), false) == 0);
    list.pairs[2]->authenticated = true; /* heard of: stays */
    CHECK_EQUAL(add(make(0, 3, 3, 4), false), LN_ERR_LIMIT);
    CHECK(add(make(0, 4, 4, 7), false) == 0);
    CHECK(list.count == 3 && list.pairs[1]->priority == 7 && list.pairs[2]->priority == 1);
    CHECK(add(make(0, 5, 5, 2), true) == 0); /* from a check: even before a better one */
    CHECK(list.pairs[0]->priority == 10 && list.pairs[1]->priority == 2);
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}

LN_TEST(check_list, triggered_checks_are_first_in_first_out_and_once)
{
    struct ln_ice_pair *a, *b;

    begin(3);
    CHECK(add(a = make(0, 0, 0, 1), false) == 0);
    CHECK(add(b = make(0, 1, 1, 2), false) == 0);
    ln_ice_check_list_trigger(&list, a);
    ln_ice_check_list_trigger(&list, b);
    ln_ice_check_list_trigger(&list, a);
    CHECK(ln_ice_check_list_triggered(&list) == a);
    ln_list_remove(&a->triggered);
    CHECK(ln_ice_check_list_triggered(&list) == b);
    ln_list_remove(&b->triggered);
    CHECK(!ln_ice_check_list_triggered(&list));
    CHECK(ln_ice_check_list_alive(&list));
    a->state = b->state = LN_ICE_PAIR_FAILED;
    CHECK(!ln_ice_check_list_alive(&list));
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}

LN_TEST(check_list, pairs_join_addresses_that_can_reach_each_other)
{
    struct ln_ice_local base = { 0 };
    struct ln_ice_remote remote = { .usable = true };

    CHECK(ln_address_parse("192.168.1.2:1", &base.base) == 0);
    CHECK(ln_address_parse("10.0.0.1:1", &remote.address) == 0);
    CHECK(ln_ice_pair_possible(&base, &remote));
    CHECK(ln_address_parse("127.0.0.1:1", &remote.address) == 0);
    CHECK(!ln_ice_pair_possible(&base, &remote));
    CHECK(ln_address_parse("[::1]:1", &remote.address) == 0);
    CHECK(!ln_ice_pair_possible(&base, &remote));
    CHECK(ln_address_parse("127.0.0.1:1", &base.base) == 0);
    CHECK(ln_address_parse("127.0.0.1:2", &remote.address) == 0);
    CHECK(ln_ice_pair_possible(&base, &remote));
}

LN_TEST(check_list, families_take_turns_and_the_better_one_begins)
{
    /* IPv6 is preferred; the last of each family goes through a relay. */
    static const struct {
        uint8_t family;
        uint64_t priority;
        bool relayed;
    } pairs[] = { { LN_FAMILY_IPV6, 10, false }, { LN_FAMILY_IPV6, 9, false },
                  { LN_FAMILY_IPV6, 8, false },  { LN_FAMILY_IPV6, 7, false },
                  { LN_FAMILY_IPV4, 5, false },  { LN_FAMILY_IPV4, 4, false },
                  { LN_FAMILY_IPV6, 3, true },   { LN_FAMILY_IPV4, 2, true } };
    static const uint64_t order[] = { 10, 5, 9, 4, 8, 7, 2, 3 };

    begin(100);
    for (unsigned i = 0; i < 8; i++) {
        struct ln_ice_pair *pair = make(0, i, i, pairs[i].priority);

        remotes[i].type = pairs[i].relayed ? LN_CANDIDATE_RELAY : LN_CANDIDATE_HOST;
        pair->path.remote.family = pairs[i].family;
        CHECK(add(pair, false) == 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        struct ln_ice_pair *pair = ln_ice_check_list_ordinary(&list);

        CHECK(pair && pair->priority == order[i]);
        pair->state = LN_ICE_PAIR_IN_PROGRESS;
        ln_ice_check_list_begun(&list, pair);
    }
    CHECK(!ln_ice_check_list_ordinary(&list));
    ln_ice_check_list_deinit(&list, test_env()->allocator);
}
