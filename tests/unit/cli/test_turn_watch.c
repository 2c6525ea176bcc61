/* SPDX-License-Identifier: Apache-2.0
 * What is kept of a TURN server's events, and of whom. */
#include "cli/turn_watch.h"
#include "tests/support/test.h"

#include "base/address.h"

#include <stdio.h>
#include <string.h>

static struct turn_watch watch;

static struct ln_turn_event event_of(enum ln_turn_event_kind kind, const char *user,
                                     uint64_t allocation)
{
    struct ln_turn_event event = { .kind = kind,
                                   .transport = LN_TURN_TLS,
                                   .allocation = allocation,
                                   .client = ln_address_ipv4(198, 51, 100, 7, 4000),
                                   .relayed = ln_address_ipv4(203, 0, 113, 9, 50000) };

    snprintf(event.user, sizeof event.user, "%s", user);
    return event;
}

static void happened(enum ln_turn_event_kind kind, const char *user, uint64_t allocation)
{
    struct ln_turn_event event = event_of(kind, user, allocation);

    event.code = 486;
    event.bytes_to_client = 77;
    event.packets_dropped = 5;
    turn_watch_event(&watch, &event);
}

LN_TEST(turn_watch, sees_the_allocations_of_who_asked_from_then_on)
{
    struct ln_signal_turn_view view;

    turn_watch_init(&watch);
    happened(LN_TURN_EVENT_ALLOCATED, "ann", 1); /* before she asked */
    turn_watch_look(&watch, "ann", 0, &view);
    CHECK(view.count == 0);
    happened(LN_TURN_EVENT_ALLOCATED, "ann", 2);
    happened(LN_TURN_EVENT_REFUSED, "ann", 0);
    happened(LN_TURN_EVENT_WRONG_CREDENTIALS, "ann", 0);
    happened(LN_TURN_EVENT_REFUSED_PEER, "ann", 2);
    happened(LN_TURN_EVENT_ALLOCATED, "bob", 3);
    happened(LN_TURN_EVENT_ENDED, "bob", 2); /* another worker's number 2 */
    turn_watch_look(&watch, "ann", LN_SECONDS(1), &view);
    CHECK(view.count == 2 && view.wrong_credentials == 1);
    CHECK_TEXT(view.seen[0].transport, "tls");
    CHECK(view.seen[0].open && view.seen[0].relayed.port == 50000);
    CHECK(!view.seen[1].open && view.seen[1].relayed.family == LN_FAMILY_NONE);
    CHECK_EQUAL(view.seen[1].code, 486);
    happened(LN_TURN_EVENT_ENDED, "ann", 2);
    turn_watch_look(&watch, "ann", LN_SECONDS(2), &view);
    CHECK(!view.seen[0].open);
    CHECK_EQUAL(view.seen[0].bytes_to_client, 77);
    CHECK_EQUAL(view.seen[0].packets_dropped, 5);
    turn_watch_look(&watch, "bob", LN_SECONDS(2), &view); /* nothing was kept of him */
    CHECK(view.count == 0);
    turn_watch_deinit(&watch);
}

LN_TEST(turn_watch, two_workers_may_count_alike)
{
    struct ln_signal_turn_view view;
    struct ln_turn_event other = event_of(LN_TURN_EVENT_ALLOCATED, "ann", 1);

    turn_watch_init(&watch);
    turn_watch_look(&watch, "ann", 0, &view);
    happened(LN_TURN_EVENT_ALLOCATED, "ann", 1);
    other.client.port = 4001;
    turn_watch_event(&watch, &other);
    other.kind = LN_TURN_EVENT_ENDED;
    turn_watch_event(&watch, &other);
    turn_watch_look(&watch, "ann", 0, &view);
    CHECK(view.count == 2 && view.seen[0].open && !view.seen[1].open);
    other.client.port = 4002; /* who moved meanwhile is known by his number */
    turn_watch_event(&watch, &other);
    turn_watch_look(&watch, "ann", 0, &view);
    CHECK(!view.seen[0].open);
    turn_watch_deinit(&watch);
}

LN_TEST(turn_watch, is_bounded_in_users_in_rows_and_in_time)
{
    struct ln_signal_turn_view view;
    char name[100];

    turn_watch_init(&watch);
    turn_watch_look(&watch, "ann", 0, &view);
    for (uint64_t i = 0; i < 100; i++)
        happened(LN_TURN_EVENT_ALLOCATED, "ann", i);
    turn_watch_look(&watch, "ann", 1, &view);
    CHECK_EQUAL(view.count, LN_SIGNAL_TURN_SEEN_MAX);
    for (unsigned i = 0; i < TURN_WATCHES_MAX; i++) { /* the one who asked longest ago goes */
        snprintf(name, sizeof name, "user%u", i);
        turn_watch_look(&watch, name, LN_SECONDS(1), &view);
    }
    turn_watch_look(&watch, "ann", LN_SECONDS(2), &view);
    CHECK_EQUAL(view.count, 0);
    happened(LN_TURN_EVENT_ALLOCATED, "ann", 1);
    turn_watch_look(&watch, "ann", LN_SECONDS(2) + TURN_WATCH_PERIOD, &view); /* it is over */
    CHECK_EQUAL(view.count, 0);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    turn_watch_look(&watch, name, 0, &view); /* longer than events say it */
    turn_watch_look(&watch, "", 0, &view);
    happened(LN_TURN_EVENT_ALLOCATED, "", 1);
    turn_watch_look(&watch, "", 0, &view);
    CHECK_EQUAL(view.count, 0);
    turn_watch_deinit(&watch);
}
