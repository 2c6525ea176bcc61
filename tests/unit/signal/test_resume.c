/* SPDX-License-Identifier: Apache-2.0
 * A broken socket: nothing is lost and nothing comes twice, within the grace period. */
#include "tests/unit/signal/driver.h"

#define MESSAGES 40

static struct driver d;

LN_TEST(resume, what_was_sent_meanwhile_arrives_once_and_in_order)
{
    struct member_of_room a, b;
    json_t *m;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    CHECK_EQUAL(number_of(driver_take(&d, 1), "seq"), 1); /* presence of b */
    driver_candidate(&d, &b, &a, 1, "one");
    CHECK_EQUAL(number_of(driver_take(&d, 1), "seq"), 2);
    driver_candidate(&d, &b, &a, 2, "two"); /* written, but lost with the socket */
    driver_break(&d, 1);
    CHECK(driver_waiting(&d, 2) == 0); /* nobody is told */
    driver_candidate(&d, &b, &a, 3, "three");
    driver_resume(&d, &a, 3, 2);
    m = driver_take(&d, 3);
    CHECK(is(m, "resumed") && number_of(m, "ack") == 0);
    m = driver_take(&d, 3);
    CHECK(number_of(m, "seq") == 3);
    CHECK_TEXT(text_of(json_object_get(m, "candidate"), "candidate"), "two");
    m = driver_take(&d, 3);
    CHECK(number_of(m, "seq") == 4);
    CHECK_TEXT(text_of(json_object_get(m, "candidate"), "candidate"), "three");
    CHECK(driver_waiting(&d, 3) == 0);
    driver_end(&d);
}

LN_TEST(resume, a_client_that_repeats_itself_is_heard_once)
{
    struct member_of_room a, b;
    struct ln_signal_figures figures;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    driver_candidate(&d, &b, &a, 1, "one");
    driver_candidate(&d, &b, &a, 2, "two");
    driver_break(&d, 2);
    driver_resume(&d, &b, 3, 0);
    CHECK_EQUAL(number_of(driver_take(&d, 3), "ack"), 2);
    driver_candidate(&d, &b, &a, 2, "two");
    driver_candidate(&d, &b, &a, 3, "three");
    CHECK(driver_waiting(&d, 1) == 4); /* presence and three candidates */
    driver_candidate(&d, &b, &a, 5, "five");
    driver_expect_error(&d, 3, "sequence_gap");
    CHECK(d.sockets[3].close_code == 4004);
    driver_resume(&d, &b, 4, 0);
    CHECK_EQUAL(number_of(driver_take(&d, 4), "ack"), 3);
    ln_signal_get_figures(d.signal, &figures);
    CHECK(figures.duplicates == 1 && figures.resumed == 2 && figures.participants == 2);
    driver_end(&d);
}

LN_TEST(resume, the_grace_period_ends_a_participant)
{
    struct member_of_room a, b;
    json_t *m;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    driver_take(&d, 1);
    driver_break(&d, 2);
    driver_advance(&d, LN_SECONDS(29));
    CHECK(driver_waiting(&d, 1) == 0);
    driver_advance(&d, LN_SECONDS(2));
    m = driver_take(&d, 1);
    CHECK_TEXT(text_of(m, "event"), "left");
    CHECK_TEXT(text_of(m, "reason"), "lost");
    driver_resume(&d, &b, 3, 0);
    driver_expect_error(&d, 3, "resume_failed");
    driver_say(&d, 3, "{\"type\":\"join\",\"room\":\"demo\",\"name\":\"b\"}"); /* still welcome */
    CHECK(is(driver_take(&d, 3), "joined"));
    (void)a;
    driver_end(&d);
}

LN_TEST(resume, a_second_socket_replaces_the_first)
{
    struct member_of_room a;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    driver_resume(&d, &a, 2, 0);
    CHECK(d.sockets[1].close_code == 4001);
    CHECK(is(driver_take(&d, 2), "resumed"));
    driver_break(&d, 1); /* the driver's late word about the old one harms nothing */
    driver_advance(&d, LN_SECONDS(40));
    driver_say(&d, 2, "{\"type\":\"ping\"}");
    CHECK(is(driver_take(&d, 2), "pong"));
    driver_end(&d);
}

LN_TEST(resume, nobody_resumes_as_somebody_else)
{
    struct member_of_room a, thief;
    uint64_t socket = 10;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    thief = a;
    memset(thief.secret, '0', strlen(thief.secret));
    driver_resume(&d, &thief, socket, 0);
    driver_expect_error(&d, socket, "resume_failed");
    thief.secret[0] = '\0';
    driver_resume(&d, &thief, ++socket, 0);
    driver_expect_error(&d, socket, "resume_failed");
    thief = a;
    thief.id[0] ^= 1;
    driver_resume(&d, &thief, ++socket, 0);
    driver_expect_error(&d, socket, "resume_failed");
    thief = a;
    driver_resume(&d, &thief, ++socket, 7); /* it never got that much */
    driver_expect_error(&d, socket, "resume_failed");
    CHECK(d.sockets[1].close_code == 0);
    driver_end(&d);
}

LN_TEST(resume, acks_free_the_queue_and_foolish_ones_do_not)
{
    struct member_of_room a, b;
    char text[64];

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    for (int i = 1; i <= 20; i++)
        driver_candidate(&d, &b, &a, i, "x");
    CHECK(is(driver_take(&d, 2), "ack"));                 /* after the sixteenth */
    driver_say(&d, 1, "{\"type\":\"ack\",\"ack\":1000}"); /* ignored */
    driver_say(&d, 1, "{\"type\":\"ack\",\"ack\":12}");
    driver_say(&d, 1, "{\"type\":\"ack\",\"ack\":3}"); /* never goes back */
    driver_say(&d, 1, "{\"type\":\"ping\",\"ack\":15}");
    driver_break(&d, 1);
    driver_resume(&d, &a, 3, 15);
    CHECK(is(driver_take(&d, 3), "resumed"));
    CHECK_EQUAL(number_of(driver_take(&d, 3), "seq"), 16);
    CHECK_EQUAL(driver_waiting(&d, 3), 5);
    snprintf(text, sizeof text, "{\"type\":\"ack\",\"ack\":-1}");
    driver_say(&d, 3, text);
    driver_end(&d);
}

/* Two talk through sockets that break at random; each side of the protocol done as documented. */
LN_TEST(resume, random_breaks_lose_and_double_nothing)
{
    struct member_of_room a, b;
    uint64_t next_socket = 3;
    int sent = 0;
    long long got = 0, presence;

    driver_init(&d);
    a = driver_join(&d, 1, "demo", "a");
    b = driver_join(&d, 2, "demo", "b");
    presence = 1;
    for (int turn = 0; turn < 2000 && (sent < MESSAGES || got < MESSAGES); turn++) {
        uint32_t what = ln_rng_below(test_env()->rng, 20);
        char text[64];

        driver_advance(&d, LN_MILLISECONDS(100));
        if (what == 0 || d.sockets[a.socket].close_code) {
            while (d.sockets[a.socket].texts && driver_waiting(&d, a.socket) &&
                   ln_rng_below(test_env()->rng, 2))
                json_array_remove(d.sockets[a.socket].texts,
                                  driver_waiting(&d, a.socket) - 1); /* lost on the way */
            while (driver_waiting(&d, a.socket)) {
                json_t *m = driver_take(&d, a.socket);

                if (is(m, "candidate")) {
                    got++;
                    CHECK_EQUAL(number_of(m, "seq"), got + presence);
                }
            }
            driver_break(&d, a.socket);
            driver_resume(&d, &a, next_socket++ % SOCKETS, got + presence);
        } else if (sent < MESSAGES) {
            snprintf(text, sizeof text, "%d", ++sent);
            driver_candidate(&d, &b, &a, sent, text);
        }
        while (ln_rng_below(test_env()->rng, 3) && driver_waiting(&d, a.socket)) {
            json_t *m = driver_take(&d, a.socket);

            if (is(m, "candidate")) {
                got++;
                CHECK_EQUAL(number_of(m, "seq"), got + presence);
                CHECK_EQUAL(atoi(text_of(json_object_get(m, "candidate"), "candidate")), got);
            } else if (is(m, "presence")) {
                CHECK_EQUAL(number_of(m, "seq"), 1);
            }
        }
        snprintf(text, sizeof text, "{\"type\":\"ack\",\"ack\":%lld}", got + presence);
        if (ln_rng_below(test_env()->rng, 4) == 0 && got > 0)
            driver_say(&d, a.socket, text);
        if (driver_waiting(&d, b.socket))
            driver_take(&d, b.socket);
    }
    CHECK_EQUAL(got, MESSAGES);
    driver_end(&d);
}
