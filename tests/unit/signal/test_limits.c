/* SPDX-License-Identifier: Apache-2.0
 * Wrong messages, floods, stalled receivers: each is answered by its code, and harms nobody else.
 */
#include "base/alloc.h"
#include "tests/unit/signal/driver.h"

static struct driver d;

LN_TEST(limits, each_wrong_message_has_its_error_and_the_socket_stays)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        { "", "bad_json" },
        { "{", "bad_json" },
        { "[]", "bad_json" },
        { "null", "bad_json" },
        { "{\"type\":\"join\",\"type\":\"join\"}", "bad_json" },
        { "{\"type\":\"join\",\"room\":\"a\\u0000b\",\"name\":\"x\"}", "bad_json" },
        { "{\"a\":\"\xff\"}", "bad_json" },
        { "{}", "unknown_type" },
        { "{\"type\":7}", "unknown_type" },
        { "{\"type\":\"dance\"}", "unknown_type" },
        { "{\"type\":\"offer\"}", "wrong_state" },
        { "{\"type\":\"leave\"}", "wrong_state" },
        { "{\"type\":\"join\"}", "bad_message" },
        { "{\"type\":\"join\",\"room\":\"demo\"}", "bad_message" },
        { "{\"type\":\"join\",\"room\":1,\"name\":\"x\"}", "bad_message" },
        { "{\"type\":\"join\",\"room\":\"a b\",\"name\":\"x\"}", "bad_message" },
        { "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"a\\nb\"}", "bad_message" },
        { "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"\"}", "bad_message" },
        { "{\"type\":\"resume\",\"id\":\"x\",\"resume\":\"y\"}", "bad_message" },
        { "{\"type\":\"resume\",\"id\":\"x\",\"resume\":\"y\",\"ack\":-1}", "bad_message" },
        { "{\"type\":\"resume\",\"id\":\"x\",\"resume\":\"y\",\"ack\":0}", "resume_failed" },
    };

    driver_init(&d);
    driver_open(&d, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_say(&d, 1, cases[i].text);
        driver_expect_error(&d, 1, cases[i].code);
    }
    driver_say(&d, 1, "{\"type\":\"ping\"}");
    CHECK(is(driver_take(&d, 1), "pong"));
    driver_say(&d, 1, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"x\",\"unknown\":[1,2]}");
    CHECK(is(driver_take(&d, 1), "joined"));
    driver_say(&d, 1, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"x\"}");
    driver_expect_error(&d, 1, "wrong_state");
    driver_end(&d);
}

LN_TEST(limits, the_error_names_the_member_and_the_message)
{
    json_t *m;

    driver_init(&d);
    driver_open(&d, 1);
    driver_say(&d, 1, "{\"type\":\"join\",\"room\":\"demo\"}");
    m = driver_take(&d, 1);
    CHECK_TEXT(text_of(m, "of"), "join");
    CHECK_TEXT(text_of(m, "sentence"), "The member \"name\" is missing.");
    driver_end(&d);
}

LN_TEST(limits, a_seventh_participant_and_a_room_too_many_are_refused)
{
    driver_make(&d);
    d.config.rooms = 2;
    driver_start(&d);
    for (uint64_t i = 0; i < 6; i++)
        driver_join(&d, i, "demo", "x");
    driver_open(&d, 10);
    driver_say(&d, 10, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"x\"}");
    driver_expect_error(&d, 10, "room_full");
    driver_join(&d, 11, "second", "x");
    driver_say(&d, 10, "{\"type\":\"join\",\"room\":\"third\",\"name\":\"x\"}");
    driver_expect_error(&d, 10, "too_many_rooms");
    driver_say(&d, 0, "{\"type\":\"leave\"}");
    driver_say(&d, 10, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"x\"}");
    CHECK(is(driver_take(&d, 10), "joined"));
    driver_end(&d);
}

LN_TEST(limits, sockets_are_limited_in_all_and_by_source)
{
    struct ln_signal_visitor v = { NULL, "h", { .family = LN_FAMILY_IPV6, .ip = { 0x20, 1 } } };

    driver_make(&d);
    d.config.source_connections = 3;
    d.config.connections = 5;
    driver_start(&d);
    for (uint64_t i = 0; i < 3; i++) {
        v.source.ip[15] = (uint8_t)(i + 1); /* one /56 */
        v.source.ip[7] = (uint8_t)(i + 1);
        CHECK(ln_signal_open(d.signal, d.now, i, &v) == 0);
    }
    CHECK(ln_signal_open(d.signal, d.now, 3, &v) == LN_ERR_LIMIT);
    CHECK(ln_signal_admit(d.signal, &v) == LN_ERR_LIMIT);
    driver_break(&d, 0);
    CHECK(ln_signal_open(d.signal, d.now, 4, &v) == 0);
    for (uint64_t i = 5; i < 7; i++) {
        v.source.ip[1] = (uint8_t)i;
        CHECK(ln_signal_open(d.signal, d.now, i, &v) == 0);
    }
    v.source.ip[1] = 9;
    CHECK(ln_signal_open(d.signal, d.now, 8, &v) == LN_ERR_LIMIT);
    driver_end(&d);
}

LN_TEST(limits, a_flood_ends_the_socket_and_the_session_can_be_resumed)
{
    struct member_of_room a;
    int answered = 0;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    for (int i = 0; i < 300; i++)
        driver_say(&d, 1, "{\"type\":\"ping\"}");
    while (driver_waiting(&d, 1) > 1) {
        driver_take(&d, 1);
        answered++;
    }
    CHECK(answered == 199);
    driver_expect_error(&d, 1, "rate_limited");
    CHECK(d.sockets[1].close_code == 1008);
    driver_resume(&d, &a, 2, 0);
    CHECK(is(driver_take(&d, 2), "resumed"));
    for (int i = 0; i < 120; i++) { /* fifty a second may go on for ever */
        driver_advance(&d, LN_MILLISECONDS(20));
        driver_say(&d, 2, "{\"type\":\"ping\"}");
        CHECK(is(driver_take(&d, 2), "pong"));
    }
    driver_end(&d);
}

LN_TEST(limits, sixty_four_errors_are_enough)
{
    driver_init(&d);
    driver_open(&d, 1);
    for (int i = 0; i < 64; i++)
        driver_say(&d, 1, "x");
    CHECK(d.sockets[1].close_code == 1008);
    driver_end(&d);
}

LN_TEST(limits, a_message_too_big_closes_the_socket)
{
    static char big[70000];

    driver_init(&d);
    driver_open(&d, 1);
    memset(big, ' ', sizeof big);
    ln_signal_receive(d.signal, d.now, 1, big, 65536); /* as large as allowed: only not JSON */
    driver_poll(&d);
    driver_expect_error(&d, 1, "bad_json");
    ln_signal_receive(d.signal, d.now, 1, big, 65537);
    driver_poll(&d);
    driver_expect_error(&d, 1, "too_big");
    CHECK(d.sockets[1].close_code == 1009);
    driver_end(&d);
}

LN_TEST(limits, deep_nesting_is_refused)
{
    static char deep[60001];

    driver_init(&d);
    driver_open(&d, 1);
    memset(deep, '[', sizeof deep - 1);
    driver_say(&d, 1, deep);
    driver_expect_error(&d, 1, "bad_json");
    driver_end(&d);
}

LN_TEST(limits, who_does_not_join_or_falls_silent_is_closed)
{
    struct member_of_room a;

    driver_init(&d);
    driver_open(&d, 1);
    a = driver_join(&d, 2, "demo", "a");
    for (int i = 0; i < 9; i++) { /* pings do not replace a join */
        driver_advance(&d, LN_SECONDS(1));
        driver_say(&d, 1, "{\"type\":\"ping\"}");
        driver_take(&d, 1);
    }
    CHECK(d.sockets[1].close_code == 0);
    driver_advance(&d, LN_SECONDS(2));
    driver_expect_error(&d, 1, "too_slow");
    CHECK(d.sockets[1].close_code == 4002 && d.sockets[2].close_code == 0);
    driver_advance(&d, LN_SECONDS(60));
    CHECK(d.sockets[2].close_code == 4002);
    driver_resume(&d, &a, 3, 0);
    CHECK(is(driver_take(&d, 3), "resumed"));
    driver_end(&d);
}

/* ATTACKS 65: one stalled subscriber must not stall the others. */
LN_TEST(limits, who_acknowledges_nothing_is_removed_and_the_others_go_on)
{
    struct member_of_room a, b, c;
    struct ln_signal_figures figures;
    char text[64];
    json_t *m;

    driver_make(&d);
    d.config.queue_messages = 100;
    driver_start(&d);
    a = driver_join(&d, 1, "demo", "stalled");
    b = driver_join(&d, 2, "demo", "b");
    c = driver_join(&d, 3, "demo", "c");
    driver_break(&d, 1);
    for (int i = 1; i <= 120; i++) {
        driver_advance(&d, LN_MILLISECONDS(20));
        driver_candidate(&d, &b, &a, 0, "x");
        driver_candidate(&d, &b, &c, 0, "x");
        snprintf(text, sizeof text, "{\"type\":\"ping\",\"ack\":%d}", i);
        driver_say(&d, 3, text);
    }
    ln_signal_get_figures(d.signal, &figures);
    CHECK(figures.participants == 2 && figures.errors[LN_SIGNAL_ERROR_QUEUE_FULL] == 1);
    for (bool seen = false; !seen;) {
        m = driver_take(&d, 2);
        if (is(m, "presence") && strcmp(text_of(m, "event"), "left") == 0) {
            CHECK_TEXT(text_of(m, "reason"), "removed");
            CHECK_TEXT(text_of(json_object_get(m, "participant"), "id"), a.id);
            seen = true;
        }
    }
    CHECK(d.sockets[2].close_code == 0);
    driver_end(&d);
}

LN_TEST(limits, replies_to_strangers_are_not_much_larger_than_what_they_say)
{
    driver_init(&d);
    driver_open(&d, 1);
    for (int i = 0; i < 60; i++)
        driver_say(&d, 1, "{\"type\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}");
    for (int i = 0; i < 60; i++) {
        char *text = json_dumps(driver_take(&d, 1), JSON_COMPACT);

        CHECK(strlen(text) < 160);
        free(text);
    }
    driver_end(&d);
}

LN_TEST(limits, idle_servers_change_nothing)
{
    struct ln_signal_output out;
    ln_time before;

    driver_init(&d);
    CHECK(ln_signal_next_timeout(d.signal) == LN_TIME_NEVER);
    driver_join(&d, 1, "demo", "a");
    before = ln_signal_next_timeout(d.signal);
    for (int i = 0; i < 10; i++) {
        CHECK(ln_signal_poll(d.signal, &out) == 0);
        ln_signal_on_timeout(d.signal, d.now);
        CHECK(ln_signal_next_timeout(d.signal) == before);
    }
    ln_signal_on_timeout(d.signal, d.now + LN_SECONDS(100000)); /* late: all of it at once */
    CHECK(ln_signal_next_timeout(d.signal) > d.now + LN_SECONDS(100000));
    driver_end(&d);
}

LN_TEST(limits, a_limit_of_zero_is_a_mistake)
{
    driver_make(&d);
    d.config.rooms = 0;
    CHECK(ln_signal_create(&d.signal, &d.config, test_env()) == LN_ERR_INVALID_ARGUMENT);
}

/* Anything in any order, with memory failing by chance: no crash, no leak. */
LN_TEST(limits, random_use_with_failing_memory_ends_clean)
{
    static const char *const texts[] = {
        "{\"type\":\"join\",\"room\":\"a\",\"name\":\"x\"}",
        "{\"type\":\"join\",\"room\":\"b\",\"name\":\"x\"}",
        "{\"type\":\"leave\"}",
        "{\"type\":\"ping\"}",
        "{\"type\":\"ack\",\"ack\":3}",
        "{\"type\":\"offer\",\"to\":\"x\",\"description\":{\"type\":\"offer\",\"sdp\":\"\"}}",
    };
    struct ln_rng *rng = test_env()->rng;

    driver_make(&d);
    d.config.rooms = 2;
    d.config.room_participants = 3;
    driver_start(&d);
    for (int i = 0; i < 5000; i++) {
        uint64_t socket = ln_rng_below(rng, 12);

        if (ln_rng_below(rng, 8) == 0)
            test_allocator()->fail_at = test_allocator()->allocations + 1 + ln_rng_below(rng, 6);
        switch (ln_rng_below(rng, 6)) {
        case 0:
            driver_break(&d, socket);
            (void)driver_open_as(&d, socket, NULL, "h");
            break;
        case 1:
            driver_advance(&d, LN_MILLISECONDS(ln_rng_below(rng, 3000)));
            break;
        default:
            driver_say(&d, socket, texts[ln_rng_below(rng, 6)]);
        }
    }
    test_allocator()->fail_at = 0;
    test_allocator()->failed = false;
    driver_end(&d);
}
