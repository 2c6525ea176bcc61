/* SPDX-License-Identifier: Apache-2.0
 * Rooms: joining, presence, addressed messages, leaving, tokens, origins. */
#include "tests/unit/signal/driver.h"

static struct driver d;

LN_TEST(rooms, anybody_may_ask_how_the_server_sees_him)
{
    json_t *m;

    driver_init(&d);
    driver_open(&d, 1);
    driver_say(&d, 1, "{\"type\":\"view\"}");
    m = driver_take(&d, 1);
    CHECK(is(m, "view"));
    CHECK_TEXT(text_of(m, "address"), "192.0.2.1");
    CHECK_EQUAL(number_of(m, "port"), 4000);
    CHECK_EQUAL(number_of(m, "time"), d.now / 1000000);
    driver_end(&d);
}

LN_TEST(rooms, a_newcomer_learns_who_is_there_and_they_learn_of_it)
{
    struct member_of_room a, b;
    json_t *m;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "Ada");
    driver_open(&d, 2);
    driver_say(&d, 2, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"Bob\"}");
    m = driver_take(&d, 2);
    CHECK(is(m, "joined"));
    CHECK_TEXT(text_of(m, "room"), "demo");
    CHECK(json_array_size(json_object_get(m, "participants")) == 1);
    CHECK_TEXT(text_of(json_array_get(json_object_get(m, "participants"), 0), "id"), a.id);
    CHECK_TEXT(text_of(json_array_get(json_object_get(m, "participants"), 0), "name"), "Ada");
    CHECK_TEXT(
        json_string_value(json_array_get(
            json_object_get(json_array_get(json_object_get(m, "iceServers"), 0), "urls"), 0)),
        "stun:example.org:3478");
    CHECK_EQUAL(number_of(m, "graceSeconds"), 30);
    CHECK_EQUAL(number_of(m, "pingSeconds"), 20);
    CHECK_EQUAL(number_of(m, "messageBytes"), 65536);
    snprintf(b.id, sizeof b.id, "%s", text_of(m, "id"));
    m = driver_take(&d, 1);
    CHECK(is(m, "presence") && number_of(m, "seq") == 1);
    CHECK_TEXT(text_of(m, "event"), "joined");
    CHECK_TEXT(text_of(json_object_get(m, "participant"), "name"), "Bob");
    CHECK_TEXT(text_of(json_object_get(m, "participant"), "id"), b.id);
    driver_say(&d, 2, "{\"type\":\"leave\"}");
    CHECK(is(driver_take(&d, 2), "left") && d.sockets[2].close_code == 1000);
    m = driver_take(&d, 1);
    CHECK_TEXT(text_of(m, "event"), "left");
    CHECK_TEXT(text_of(m, "reason"), "left");
    driver_end(&d);
}

LN_TEST(rooms, descriptions_and_candidates_reach_whom_they_name_and_nobody_else)
{
    struct member_of_room a, b, c, other;
    char text[512];
    json_t *m;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    c = driver_join(&d, 3, "demo", "c");
    other = driver_join(&d, 4, "elsewhere", "d");
    while (driver_waiting(&d, 1))
        driver_take(&d, 1);
    while (driver_waiting(&d, 2))
        driver_take(&d, 2);
    snprintf(text, sizeof text,
             "{\"type\":\"offer\",\"to\":\"%s\",\"from\":\"%s\",\"seq\":1,"
             "\"description\":{\"type\":\"offer\",\"sdp\":\"v=0\\r\\n\",\"evil\":true}}",
             a.id, c.id);
    driver_say(&d, 2, text);
    m = driver_take(&d, 1);
    CHECK(is(m, "offer"));
    CHECK_TEXT(text_of(m, "from"), b.id); /* never what the sender claims */
    CHECK_TEXT(text_of(json_object_get(m, "description"), "sdp"), "v=0\r\n");
    CHECK(json_object_size(json_object_get(m, "description")) == 2);
    driver_candidate(&d, &b, &a, 2, "candidate:1 1 udp 1 192.0.2.1 9 typ host");
    m = driver_take(&d, 1);
    CHECK(is(m, "candidate"));
    CHECK_TEXT(text_of(json_object_get(m, "candidate"), "sdpMid"), "0");
    CHECK(json_is_null(json_object_get(json_object_get(m, "candidate"), "usernameFragment")));
    CHECK(!json_object_get(json_object_get(m, "candidate"), "x"));
    CHECK(driver_waiting(&d, 3) == 0 && driver_waiting(&d, 4) == 0);

    driver_candidate(&d, &b, &other, 3, "");
    driver_expect_error(&d, 2, "no_such_participant");
    driver_candidate(&d, &b, &b, 4, "");
    driver_expect_error(&d, 2, "no_such_participant");
    snprintf(
        text, sizeof text,
        "{\"type\":\"answer\",\"to\":\"%s\",\"description\":{\"type\":\"offer\",\"sdp\":\"\"}}",
        a.id);
    driver_say(&d, 2, text);
    driver_expect_error(&d, 2, "bad_message");
    CHECK(driver_waiting(&d, 1) == 0);
    driver_end(&d);
}

LN_TEST(rooms, a_room_may_ask_for_a_token)
{
    static const struct ln_signal_room_token tokens[] = { { "private", "secret" } };
    struct ln_signal_figures figures;

    driver_make(&d);
    d.config.room_tokens = tokens;
    d.config.room_token_count = 1;
    driver_start(&d);
    driver_open(&d, 1);
    driver_say(&d, 1, "{\"type\":\"join\",\"room\":\"private\",\"name\":\"x\"}");
    driver_expect_error(&d, 1, "not_allowed");
    driver_say(&d, 1, "{\"type\":\"join\",\"room\":\"private\",\"name\":\"x\",\"token\":\"\"}");
    driver_expect_error(&d, 1, "not_allowed");
    driver_say(&d, 1,
               "{\"type\":\"join\",\"room\":\"private\",\"name\":\"x\",\"token\":\"secret\"}");
    CHECK(is(driver_take(&d, 1), "joined"));
    driver_open(&d, 2);
    for (int i = 0; i < 5; i++)
        driver_say(&d, 2,
                   "{\"type\":\"join\",\"room\":\"private\",\"name\":\"x\",\"token\":\"no\"}");
    CHECK(d.sockets[2].close_code == 1008);
    driver_open(&d, 3);
    driver_say(&d, 3, "{\"type\":\"join\",\"room\":\"open\",\"name\":\"x\"}");
    CHECK(is(driver_take(&d, 3), "joined"));
    ln_signal_get_figures(d.signal, &figures);
    CHECK_EQUAL(figures.errors[LN_SIGNAL_ERROR_NOT_ALLOWED], 7);
    driver_end(&d);
}

LN_TEST(rooms, the_origin_must_be_the_host_or_be_listed)
{
    static const char *const origins[] = { "https://friend.example" };

    driver_make(&d);
    d.config.origins = origins;
    d.config.origin_count = 1;
    driver_start(&d);
    CHECK(driver_open_as(&d, 1, NULL, "example.org") == 0);
    CHECK(driver_open_as(&d, 2, "https://example.org:8443", "example.org:8443") == 0);
    CHECK(driver_open_as(&d, 3, "https://Example.org", "example.org") == 0);
    CHECK(driver_open_as(&d, 4, "https://friend.example", "example.org") == 0);
    CHECK(driver_open_as(&d, 5, "https://evil.example", "example.org") == LN_ERR_NOT_ALLOWED);
    CHECK(driver_open_as(&d, 5, "https://example.org.evil", "example.org") == LN_ERR_NOT_ALLOWED);
    CHECK(driver_open_as(&d, 5, "null", "example.org") == LN_ERR_NOT_ALLOWED);
    CHECK(driver_open_as(&d, 5, "https://", "") == LN_ERR_NOT_ALLOWED);
    CHECK(driver_open_as(&d, 5, "", "") == LN_ERR_NOT_ALLOWED);
    CHECK(driver_open_as(&d, 5, "https://example.org:1", "example.org") == LN_ERR_NOT_ALLOWED);
    driver_end(&d);
}

LN_TEST(rooms, a_host_that_is_none_gets_no_stun_url)
{
    static const char *const hosts[] = { "a b", "x\"y", "[::1", "[::1]x", "name/path", "", "a@b" };

    driver_init(&d);
    for (uint64_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        CHECK(driver_open_as(&d, i, NULL, hosts[i]) == 0);
        driver_say(&d, i, "{\"type\":\"join\",\"room\":\"h\",\"name\":\"x\"}");
        if (i < 6)
            CHECK(json_array_size(json_object_get(driver_take(&d, i), "iceServers")) == 0);
        driver_say(&d, i, "{\"type\":\"leave\"}");
    }
    CHECK(driver_open_as(&d, 20, NULL, "[2001:db8::1]:8443") == 0);
    driver_say(&d, 20, "{\"type\":\"join\",\"room\":\"h\",\"name\":\"x\"}");
    CHECK_TEXT(
        json_string_value(json_array_get(
            json_object_get(json_array_get(json_object_get(driver_take(&d, 20), "iceServers"), 0),
                            "urls"),
            0)),
        "stun:[2001:db8::1]:3478");
    driver_end(&d);
}

LN_TEST(rooms, names_of_any_script_pass_and_control_characters_do_not)
{
    CHECK(ln_signal_name_valid("Ада 😀 <b>", 64));
    CHECK(!ln_signal_name_valid("", 64));
    CHECK(!ln_signal_name_valid("a\nb", 64));
    CHECK(!ln_signal_name_valid("a\x7f", 64));
    CHECK(!ln_signal_name_valid("a\xc2\x85", 64));
    CHECK(!ln_signal_name_valid("a\xff", 64));
    CHECK(!ln_signal_name_valid("12345", 4));
    CHECK(ln_signal_room_valid("Demo_1.x-y", 64));
    CHECK(!ln_signal_room_valid("", 64));
    CHECK(!ln_signal_room_valid("a b", 64));
    CHECK(!ln_signal_room_valid("a/b", 64));
    CHECK(!ln_signal_room_valid("12345", 4));
}

LN_TEST(rooms, participants_are_told_of_turn_with_credentials_of_their_own)
{
    char names[2][64];
    const char *id;
    json_t *turn;

    driver_make(&d);
    d.config.turn_secret = "north";
    d.config.turn_udp_port = 3478;
    d.config.turn_tcp_port = 3479;
    d.config.turn_lifetime = LN_SECONDS(600);
    driver_start(&d);
    for (int i = 0; i < 2; i++) {
        driver_open(&d, (uint64_t)i);
        driver_say(&d, (uint64_t)i, "{\"type\":\"join\",\"room\":\"r\",\"name\":\"n\"}");
    }
    for (int i = 0; i < 2; i++) {
        json_t *joined = driver_take(&d, (uint64_t)i);

        id = json_string_value(json_object_get(joined, "id"));
        turn = json_array_get(json_object_get(joined, "iceServers"), 1);
        snprintf(names[i], sizeof names[i], "%s", text_of(turn, "username"));
        CHECK(json_array_size(json_object_get(turn, "urls")) == 2);
        CHECK_TEXT(json_string_value(json_array_get(json_object_get(turn, "urls"), 0)),
                   "turn:example.org:3478?transport=udp");
        CHECK(strncmp(names[i], "1600:", 5) == 0); /* 1000 s, and what they last */
        CHECK_TEXT(names[i] + 5, id);
        CHECK(strlen(json_string_value(json_object_get(turn, "credential"))) == 28);
    }
    CHECK(strcmp(names[0], names[1]) != 0);
    driver_end(&d);
}

/* ---- what TURN saw ---- */

static void start_with_turn(void)
{
    driver_make(&d);
    d.config.turn_secret = "north";
    d.config.turn_udp_port = 3478;
    d.config.turn_lifetime = LN_SECONDS(600);
    driver_start(&d);
}

/* Joins, and keeps the name and the credential for TURN. */
static void join_for_turn(uint64_t socket, char name[64], char credential[64])
{
    json_t *turn;

    driver_open(&d, socket);
    driver_say(&d, socket, "{\"type\":\"join\",\"room\":\"r\",\"name\":\"n\"}");
    turn = json_array_get(json_object_get(driver_take(&d, socket), "iceServers"), 1);
    snprintf(name, 64, "%s", text_of(turn, "username"));
    snprintf(credential, 64, "%s", text_of(turn, "credential"));
}

static void ask(uint64_t socket, const char *name, const char *credential)
{
    char text[256];

    snprintf(text, sizeof text, "{\"type\":\"view\",\"username\":\"%s\",\"credential\":\"%s\"}",
             name, credential);
    driver_say(&d, socket, text);
}

LN_TEST(rooms, who_has_a_credential_is_told_what_turn_saw_of_its_user)
{
    struct ln_signal_turn_view view = { .count = 2, .wrong_credentials = 3 };
    char name[64], credential[64];
    const char *user;
    uint64_t connection = 0;
    json_t *m, *rows;

    start_with_turn();
    join_for_turn(1, name, credential);
    driver_say(&d, 1, "{\"type\":\"leave\"}");
    driver_open(&d, 2); /* another socket, in no room */
    ask(2, name, credential);
    CHECK_EQUAL(driver_waiting(&d, 2), 0); /* the driver knows */
    user = ln_signal_poll_view(d.signal, &connection);
    CHECK(user != NULL);
    CHECK_TEXT(user, name);
    CHECK_EQUAL(connection, 2);
    CHECK(ln_signal_poll_view(d.signal, &connection) == NULL);
    view.seen[0] = (struct ln_signal_turn_seen){ .transport = "tls",
                                                 .client = ln_address_ipv4(198, 51, 100, 7, 99),
                                                 .relayed = ln_address_ipv4(203, 0, 113, 9, 50000),
                                                 .bytes_to_client = 5,
                                                 .packets_dropped = 1 };
    view.seen[1] = (struct ln_signal_turn_seen){ .transport = "udp",
                                                 .client = ln_address_ipv4(198, 51, 100, 7, 98),
                                                 .code = 486 };
    ln_signal_answer_view(d.signal, d.now, 2, &view);
    driver_poll(&d);
    m = driver_take(&d, 2);
    CHECK(is(m, "view"));
    CHECK_TEXT(text_of(m, "address"), "192.0.2.1");
    rows = json_object_get(json_object_get(m, "turn"), "allocations");
    CHECK_EQUAL(json_array_size(rows), 2);
    CHECK_TEXT(text_of(json_array_get(rows, 0), "relayed"), "203.0.113.9:50000");
    CHECK_EQUAL(number_of(json_array_get(rows, 0), "bytesToClient"), 5);
    CHECK(json_object_get(json_array_get(rows, 1), "relayed") == NULL);
    CHECK_EQUAL(number_of(json_array_get(rows, 1), "code"), 486);
    CHECK_EQUAL(number_of(json_object_get(m, "turn"), "wrongCredentials"), 3);
    ln_signal_answer_view(d.signal, d.now, 2, &view); /* nobody asks any more */
    CHECK_EQUAL(driver_waiting(&d, 2), 0);
    driver_end(&d);
}

LN_TEST(rooms, nobody_is_told_what_turn_saw_of_others)
{
    char name[64], credential[64], other[64], others[64];
    uint64_t connection = 0;

    start_with_turn();
    join_for_turn(1, name, credential);
    join_for_turn(2, other, others);
    driver_open(&d, 3);
    for (int i = 0; i < 4; i++) {
        ask(3, other, i == 0 ? credential : i == 1 ? "" : i == 2 ? other : "north");
        CHECK_TEXT(text_of(driver_take(&d, 3), "code"), "not_allowed");
    }
    CHECK(ln_signal_poll_view(d.signal, &connection) == NULL);
    CHECK_EQUAL(d.sockets[3].close_code, 0);
    ask(3, other, "guessed"); /* the fifth guess is the last */
    CHECK_EQUAL(d.sockets[3].close_code, 1008);
    driver_open(&d, 4);
    driver_say(&d, 4,
               "{\"type\":\"view\",\"username\":\"x\"}"); /* without a credential: the plain one */
    CHECK(json_object_get(driver_take(&d, 4), "turn") == NULL);
    driver_end(&d);
}

LN_TEST(rooms, who_goes_while_he_asks_what_turn_saw_is_forgotten)
{
    struct ln_signal_turn_view view = { .count = 0 };
    char name[64], credential[64];
    uint64_t connection = 0;

    start_with_turn();
    join_for_turn(1, name, credential);
    for (uint64_t i = 2; i < 4; i++) {
        driver_open(&d, i);
        ask(i, name, credential);
        ask(i, name, credential); /* twice is once */
    }
    ln_signal_closed(d.signal, d.now, 2);
    CHECK(ln_signal_poll_view(d.signal, &connection) != NULL && connection == 3);
    ln_signal_closed(d.signal, d.now, 3);
    ln_signal_answer_view(d.signal, d.now, 3, &view);
    CHECK(ln_signal_poll_view(d.signal, &connection) == NULL);
    driver_end(&d);
}

LN_TEST(rooms, a_server_without_turn_tells_the_plain_view)
{
    driver_init(&d);
    driver_open(&d, 1);
    ask(1, "1600:x", "anything");
    CHECK(is(driver_take(&d, 1), "view"));
    driver_end(&d);
}
