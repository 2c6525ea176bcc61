/* SPDX-License-Identifier: Apache-2.0
 * Two transports with each other: handshakes over every kind of wire, roles, certificates,
 * profiles. */
#include "tests/unit/dtls/pair.h"

LN_TEST(dtls, two_transports_connect_and_exchange_data)
{
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_NEVER);
    pair_start(&p);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_IMMEDIATE);
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK(pair_connected(&p));
    CHECK_EQUAL(p.sent, 4); /* one datagram a flight */
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(p.side[i].events, 2);
        CHECK(p.side[i].last.state == LN_DTLS_STATE_CONNECTED);
        CHECK_EQUAL(ln_dtls_version(p.side[i].dtls), 0xfefd);
        CHECK_TEXT(ln_dtls_cipher_name(p.side[i].dtls), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
        CHECK_TEXT(ln_dtls_group_name(p.side[i].dtls), "x25519");
        CHECK_EQUAL(ln_dtls_srtp_profile(p.side[i].dtls), LN_SRTP_AEAD_AES_128_GCM);
        CHECK_EQUAL(ln_dtls_overhead(p.side[i].dtls), 37);
        CHECK(ln_dtls_next_timeout(p.side[i].dtls) == LN_TIME_NEVER);
    }
    pair_send(&p, 0, "from the client");
    pair_send(&p, 1, "from the server");
    pair_send(&p, 1, "again");
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK_EQUAL(p.side[0].received_count, 2);
    CHECK_EQUAL(p.side[1].received_count, 1);
    CHECK_BYTES(p.side[1].received[0], "from the client", 15);
    CHECK_BYTES(p.side[0].received[0], "from the server", 15);
    CHECK_BYTES(p.side[0].received[1], "again", 5);
    pair_close(&p);
}

static bool lose_nth(struct pair *p, struct wire_packet *packet)
{
    (void)packet;
    return p->sent != *(int *)p->context;
}

LN_TEST(dtls, a_packet_lost_at_any_step_delays_the_handshake_by_its_timer_only)
{
    for (int n = 1; n <= 4; n++) {
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        p.filter = lose_nth;
        p.context = &n;
        pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(35)); /* two round trips are 40 */
        CHECK(!pair_connected(&p));
        pair_run(&p, LN_MILLISECONDS(115));
        CHECK(pair_connected(&p));
        pair_send(&p, 0, "after");
        pair_send(&p, 1, "after");
        pair_run(&p, LN_MILLISECONDS(20));
        CHECK(p.side[0].received_count == 1 && p.side[1].received_count == 1);
        pair_close(&p);
    }
}

static bool lose_many(struct pair *p, struct wire_packet *packet)
{
    packet->at += LN_MILLISECONDS(ln_rng_below(test_env()->rng, 40)); /* reorders */
    if (ln_rng_below(test_env()->rng, 5) == 0)
        pair_push(p, packet->to, packet->data, packet->len, LN_MILLISECONDS(30));
    return ln_rng_below(test_env()->rng, 100) >= 20;
}

LN_TEST(dtls, a_fifth_lost_and_the_rest_reordered_and_doubled_still_connects)
{
    for (int seed = 0; seed < 25; seed++) {
        struct pair p;

        if (test_allocator()->fail_at > 120)
            return; /* an out-of-memory sweep has seen it all by then */
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        virtual_random_seed((uint64_t)seed);
        p.filter = lose_many;
        pair_start(&p);
        pair_run(&p, LN_SECONDS(25));
        CHECK(pair_connected(&p));
        p.filter = NULL;
        pair_send(&p, 0, "x");
        pair_send(&p, 1, "y");
        pair_run(&p, LN_MILLISECONDS(100));
        CHECK(p.side[0].received_count == 1 && p.side[1].received_count == 1);
        pair_close(&p);
    }
}

static bool lose_all(struct pair *p, struct wire_packet *packet)
{
    ln_time *times = p->context;

    if (packet->to == 1 && p->sent <= 20)
        times[p->sent - 1] = p->now;
    return false;
}

LN_TEST(dtls, retransmission_begins_at_50_ms_doubles_and_ends_within_31_s)
{
    struct pair p;
    ln_time times[20] = { 0 }, started;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    p.filter = lose_all;
    p.context = times;
    started = p.now;
    pair_start(&p);
    pair_run(&p, LN_SECONDS(31));
    CHECK(times[0] == started);
    for (int i = 0; i < 6; i++) { /* the library's timer is up to 15 ms early */
        ln_duration gap = times[i + 1] - times[i], expected = LN_MILLISECONDS(50) << i;

        CHECK(gap <= expected + LN_MILLISECONDS(1) && gap >= expected - LN_MILLISECONDS(16));
    }
    CHECK(p.sent <= 14);
    CHECK(p.side[0].last.state == LN_DTLS_STATE_FAILED);
    CHECK_EQUAL(p.side[0].last.error, LN_ERR_TIMEOUT);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_NEVER);
    pair_close(&p);
}

static bool lose_answers(struct pair *p, struct wire_packet *packet)
{
    size_t *shortest = p->context;

    if (packet->to == 0 && packet->len < *shortest)
        *shortest = packet->len;
    return packet->to == 1;
}

LN_TEST(dtls, a_repeated_flight_travels_in_one_datagram)
{
    struct pair p;
    size_t shortest = SIZE_MAX;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    p.filter = lose_answers;
    p.context = &shortest;
    pair_start(&p);
    pair_run(&p, LN_SECONDS(2));
    CHECK(shortest > 500 && shortest <= 1200); /* hello, certificate, key, request, done */
    pair_close(&p);
}

LN_TEST(dtls, two_runs_of_one_seed_send_the_same_bytes)
{
    uint8_t first[LN_SHA256_LEN] = { 0 };

    for (int run = 0; run < 3; run++) {
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        virtual_random_seed(run < 2 ? 42 : 43);
        pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(100));
        pair_send(&p, 0, "hello");
        CHECK(pair_connected(&p));
        if (run == 0)
            memcpy(first, p.digest, sizeof first);
        CHECK((memcmp(first, p.digest, sizeof first) == 0) == (run < 2));
        pair_close(&p);
    }
}

static void connect_with(enum ln_key_type client, enum ln_key_type server)
{
    struct pair p;
    char text[LN_FINGERPRINT_TEXT_MAX];

    pair_open(&p, client, server, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(200));
    CHECK(pair_connected(&p));
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(
            ln_fingerprint_format(ln_dtls_remote_certificate(p.side[i].dtls), "sha-256", text), 0);
        CHECK_TEXT(text, p.side[1 - i].fingerprint);
    }
    pair_close(&p);
}

LN_TEST(dtls, rsa_certificates_work_on_either_side)
{
    connect_with(LN_KEY_RSA_2048, LN_KEY_ECDSA_P256);
    connect_with(LN_KEY_ECDSA_P256, LN_KEY_RSA_2048);
}

LN_TEST(dtls, each_srtp_profile_is_agreed_and_both_ends_have_matching_keys)
{
    static const uint16_t profiles[] = { 0x0001, 0x0007, 0x0008 };

    for (int i = 0; i < 6; i++) {
        struct ln_dtls_config only = { .srtp_profiles = &profiles[i % 3],
                                       .srtp_profile_count = 1,
                                       .require_srtp = true };
        struct ln_dtls_config any = { .require_srtp = true };
        struct ln_dtls_srtp_keys a, b;
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, i < 3 ? &only : &any,
                  i < 3 ? &any : &only);
        pair_start(&p);
        CHECK_EQUAL(ln_dtls_srtp_keys(p.side[0].dtls, &a), LN_ERR_INVALID_STATE);
        pair_run(&p, LN_MILLISECONDS(100));
        CHECK(pair_connected(&p));
        CHECK_EQUAL(ln_dtls_srtp_keys(p.side[0].dtls, &a), 0);
        CHECK_EQUAL(ln_dtls_srtp_keys(p.side[1].dtls, &b), 0);
        CHECK(a.profile == profiles[i % 3] && b.profile == a.profile);
        CHECK_BYTES(a.local_key, b.remote_key, sizeof a.local_key);
        CHECK_BYTES(a.remote_key, b.local_key, sizeof a.local_key);
        CHECK_BYTES(a.local_salt, b.remote_salt, sizeof a.local_salt);
        CHECK_BYTES(a.remote_salt, b.local_salt, sizeof a.local_salt);
        CHECK(memcmp(a.local_key, a.remote_key, 16) != 0);
        pair_close(&p);
    }
}

LN_TEST(dtls, the_server_takes_its_first_profile_that_the_client_offers)
{
    static const uint16_t chromium[] = { 0x0001, 0x0008, 0x0007 };
    struct ln_dtls_config client = { .srtp_profiles = chromium, .srtp_profile_count = 3 };
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, &client, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    CHECK_EQUAL(ln_dtls_srtp_profile(p.side[0].dtls), 0x0007);
    pair_close(&p);
}

LN_TEST(dtls, without_use_srtp_a_session_with_media_fails_and_one_with_data_only_connects)
{
    static const uint16_t none = 0;

    for (int required = 0; required < 2; required++) {
        struct ln_dtls_config client = { .srtp_profiles = &none };
        struct ln_dtls_config server = { .require_srtp = required };
        struct ln_dtls_srtp_keys keys;
        struct pair p;

        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, &client, &server);
        pair_start(&p);
        pair_run(&p, LN_SECONDS(1));
        if (required) {
            CHECK(p.side[1].last.state == LN_DTLS_STATE_FAILED);
            CHECK_EQUAL(p.side[1].last.error, LN_ERR_NOT_SUPPORTED);
        } else {
            CHECK(pair_connected(&p));
            CHECK_EQUAL(ln_dtls_srtp_keys(p.side[1].dtls, &keys), LN_ERR_NOT_FOUND);
        }
        pair_close(&p);
    }
}

LN_TEST(dtls, packets_before_the_remote_description_are_kept_and_answered_then)
{
    struct ln_fingerprint fingerprint = { "SHA-256", NULL };
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    fingerprint.value = p.side[1].fingerprint;
    CHECK_EQUAL(ln_dtls_set_remote(p.side[0].dtls, LN_DTLS_ROLE_CLIENT, &fingerprint, 1), 0);
    ln_dtls_set_writable(p.side[0].dtls, true);
    pair_run(&p, LN_MILLISECONDS(20)); /* the hello has arrived */
    CHECK(ln_dtls_state(p.side[1].dtls) == LN_DTLS_STATE_NEW);
    fingerprint.value = p.side[0].fingerprint;
    CHECK_EQUAL(ln_dtls_set_remote(p.side[1].dtls, LN_DTLS_ROLE_SERVER, &fingerprint, 1), 0);
    ln_dtls_set_writable(p.side[1].dtls, true);
    CHECK(ln_dtls_next_timeout(p.side[1].dtls) == LN_TIME_IMMEDIATE);
    pair_run(&p, LN_MILLISECONDS(31));
    CHECK(pair_connected(&p)); /* no retransmission was needed */
    CHECK_EQUAL(p.sent, 4);
    pair_close(&p);
}

LN_TEST(dtls, at_most_32_early_packets_are_kept)
{
    struct ln_dtls_counters counters;
    struct pair p;
    uint8_t hello[100] = { 22, 0xfe, 0xfd };

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    for (int i = 0; i < 50; i++)
        pair_push(&p, 1, hello, sizeof hello, 0);
    pair_run(&p, LN_MILLISECONDS(1));
    ln_dtls_counters(p.side[1].dtls, &counters);
    CHECK_EQUAL(counters.early_dropped, 50 - LN_DTLS_EARLY_MAX);
    pair_close(&p);
}

static bool delay_last_flight(struct pair *p, struct wire_packet *packet)
{
    if (p->sent == 4)
        packet->at += LN_MILLISECONDS(20);
    return true;
}

LN_TEST(dtls, data_that_overtakes_the_last_flight_is_delivered_after_it)
{
    struct pair p;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    p.filter = delay_last_flight;
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(31));
    CHECK(ln_dtls_state(p.side[1].dtls) == LN_DTLS_STATE_CONNECTED);
    CHECK(ln_dtls_state(p.side[0].dtls) == LN_DTLS_STATE_CONNECTING);
    pair_send(&p, 1, "one");
    pair_send(&p, 1, "two");
    pair_run(&p, LN_MILLISECONDS(10));
    CHECK_EQUAL(p.side[0].received_count, 0);
    pair_run(&p, LN_MILLISECONDS(20));
    CHECK_EQUAL(p.side[0].received_count, 2);
    CHECK_BYTES(p.side[0].received[0], "one", 3);
    CHECK_BYTES(p.side[0].received[1], "two", 3);
    pair_close(&p);
}

LN_TEST(dtls, nothing_leaves_and_no_timer_runs_while_ice_has_no_path)
{
    struct pair p;
    int sent;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    for (int i = 0; i < 2; i++)
        ln_dtls_set_writable(p.side[i].dtls, false);
    pair_run(&p, LN_SECONDS(60));
    CHECK_EQUAL(p.sent, 0);
    CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_NEVER);
    for (int i = 0; i < 2; i++)
        ln_dtls_set_writable(p.side[i].dtls, true);
    pair_run(&p, LN_MILLISECONDS(15));
    sent = p.sent;
    ln_dtls_set_writable(p.side[1].dtls, false); /* in mid-handshake */
    pair_run(&p, LN_MILLISECONDS(10));
    ln_dtls_set_writable(p.side[1].dtls, true);
    pair_run(&p, LN_MILLISECONDS(300));
    CHECK(pair_connected(&p) && p.sent > sent);
    pair_close(&p);
}

LN_TEST(dtls, close_notify_closes_the_other_side_once)
{
    struct pair p;
    uint8_t out[100];

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    ln_dtls_close(p.side[0].dtls, p.now);
    ln_dtls_close(p.side[0].dtls, p.now);
    pair_run(&p, LN_MILLISECONDS(100));
    for (int i = 0; i < 2; i++) {
        CHECK(p.side[i].last.state == LN_DTLS_STATE_CLOSED && p.side[i].last.error == 0);
        CHECK_EQUAL(p.side[i].events, 3);
        CHECK_EQUAL(ln_dtls_wrap(p.side[i].dtls, p.now, "x", 1, out, sizeof out),
                    LN_ERR_INVALID_STATE);
        CHECK(ln_dtls_next_timeout(p.side[i].dtls) == LN_TIME_NEVER);
    }
    pair_close(&p);
}

LN_TEST(dtls, closing_and_freeing_are_legal_in_every_state)
{
    struct pair p;

    for (int steps = 0; steps < 8; steps++) {
        pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
        if (steps > 0)
            pair_start(&p);
        pair_run(&p, LN_MILLISECONDS(7 * steps));
        ln_dtls_close(p.side[steps % 2].dtls, p.now);
        pair_run(&p, LN_MILLISECONDS(100));
        CHECK(ln_dtls_state(p.side[steps % 2].dtls) == LN_DTLS_STATE_CLOSED);
        pair_close(&p);
    }
    ln_dtls_free(NULL);
}

LN_TEST(dtls, wrap_writes_one_record_in_place_and_refuses_what_does_not_fit)
{
    struct pair p;
    uint8_t out[300];
    size_t headroom;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    headroom = ln_dtls_headroom(p.side[0].dtls);
    memset(out + headroom, 'z', 100);
    CHECK_EQUAL(ln_dtls_wrap(p.side[0].dtls, p.now, out + headroom, 100, out, sizeof out), 137);
    pair_push(&p, 1, out, 137, 0);
    CHECK_EQUAL(ln_dtls_wrap(p.side[0].dtls, p.now, "x", 1, out, 37), LN_ERR_NO_SPACE);
    CHECK_EQUAL(ln_dtls_wrap(p.side[0].dtls, p.now, out, 16385, out, SIZE_MAX), LN_ERR_TOO_BIG);
    pair_run(&p, LN_MILLISECONDS(1));
    CHECK(p.side[1].received_count == 1 && p.side[1].received_len[0] == 100);
    CHECK(p.side[1].received[0][99] == 'z');
    pair_close(&p);
}

LN_TEST(dtls, several_records_in_one_datagram_are_all_delivered)
{
    struct pair p;
    uint8_t out[300];
    int len = 0;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    for (int i = 0; i < 3; i++)
        len += ln_dtls_wrap(p.side[1].dtls, p.now, "abc" + i, 1, out + len,
                            sizeof out - (size_t)len);
    pair_push(&p, 0, out, (size_t)len, 0);
    pair_run(&p, LN_MILLISECONDS(1));
    CHECK_EQUAL(p.side[0].received_count, 3);
    CHECK(p.side[0].received[2][0] == 'c');
    pair_close(&p);
}

LN_TEST(dtls, polls_and_getters_on_an_idle_transport_change_nothing)
{
    struct pair p;
    struct ln_dtls_event event;
    uint8_t out[2000];
    int sent;

    pair_open(&p, LN_KEY_ECDSA_P256, LN_KEY_ECDSA_P256, NULL, NULL);
    pair_start(&p);
    pair_run(&p, LN_MILLISECONDS(100));
    sent = p.sent;
    for (int i = 0; i < 3; i++) {
        struct ln_bytes nothing = { NULL, 0 };

        CHECK_EQUAL(ln_dtls_poll_transmit(p.side[0].dtls, p.now, out, sizeof out), 0);
        CHECK(!ln_dtls_poll_event(p.side[0].dtls, &event));
        CHECK_EQUAL(ln_dtls_receive(p.side[0].dtls, p.now, &nothing, out, sizeof out), 0);
        ln_dtls_on_timeout(p.side[0].dtls, p.now + LN_SECONDS(100));
        CHECK(ln_dtls_next_timeout(p.side[0].dtls) == LN_TIME_NEVER);
    }
    CHECK(p.sent == sent && pair_connected(&p));
    pair_close(&p);
}
