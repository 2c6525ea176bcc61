/* SPDX-License-Identifier: Apache-2.0
 * What a hostile peer or stranger sends to an agent: the lines of ATTACKS about STUN and ICE. */
#include "ice/agent.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s;

static void connected(void)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
}

static struct ln_path path_from(const char *remote)
{
    struct ln_path path = { 1, { 0 }, { 0 } };

    path.local = s.wire.links[0].local;
    CHECK(ln_address_parse(remote, &path.remote) == 0);
    return path;
}

static int feed(const struct ln_path *path, const void *data, size_t len)
{
    uint8_t copy[2048];
    struct ln_packet packet = { .data = copy, .len = len, .path = *path };

    memcpy(copy, data, len);
    return ln_ice_unwrap(s.a.ice, s.wire.now, &packet);
}

/* How many packets the agent wants to send now. */
static int transmits(void)
{
    uint8_t buffer[1500];
    struct ln_transmit out = { .data = buffer, .cap = sizeof buffer };
    int count = 0;

    while (ln_ice_poll_transmit(s.a.ice, s.wire.now, &out) == 1)
        count++;
    return count;
}

static size_t build_check(uint8_t *data, size_t cap, const char *ufrag, const char *pwd,
                          bool behind_integrity)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;
    char username[64];
    int len;

    ln_rng_bytes(test_env()->rng, &id, sizeof id);
    snprintf(username, sizeof username, "%s:%s", ufrag, "peer");
    ln_stun_begin(&b, data, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 1845501695);
    ln_stun_add_u64(&b, LN_STUN_ICE_CONTROLLED, 1);
    if (pwd)
        ln_stun_add_integrity(&b, test_bytes(pwd));
    if (behind_integrity)
        ln_stun_add(&b, LN_STUN_USE_CANDIDATE, NULL, 0);
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return (size_t)len;
}

LN_TEST(attack_1, short_and_garbled_datagrams_get_no_answer)
{
    struct ln_path path;
    uint8_t data[256];
    size_t len;

    connected();
    path = path_from("192.168.1.3:40001");
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                      false);
    for (size_t cut = 0; cut < len; cut++)
        CHECK(feed(&path, data, cut) != 0);
    for (size_t i = 0; i < len; i++) {
        data[i] ^= 0x40;
        /* The fingerprint's own type may become another's: the integrity still holds. */
        CHECK(feed(&path, data, len) != 0 || (i >= len - 8 && i < len - 4));
        (void)transmits();
        data[i] ^= 0x40;
    }
    CHECK_EQUAL(transmits(), 0);
    CHECK_EQUAL(feed(&path, data, len), 0);
    CHECK_EQUAL(transmits(), 1);
    agents_free(&s);
}

static struct {
    struct ln_path path;
    struct ln_stun_id id;
} asked[64];
static size_t asked_count;

/* Keeps what a asks, and lets nothing pass. */
static bool keep_requests(struct wire *wire, int node, const struct ln_path *path,
                          const uint8_t *data, size_t len)
{
    struct ln_stun_message m;

    (void)wire;
    if (node == s.a.node && ln_stun_parse(data, len, &m) == 0 && m.kind == LN_STUN_REQUEST &&
        asked_count < 64) {
        asked[asked_count].path = *path;
        asked[asked_count++].id = m.id;
    }
    return true;
}

static void answer_487(size_t i)
{
    const char *pwd = ln_ice_local_pwd(s.b.ice);
    struct ln_stun_builder b;
    uint8_t data[256];
    int len;

    ln_stun_begin(&b, data, sizeof data, LN_STUN_ERROR, LN_STUN_BINDING, &asked[i].id);
    ln_stun_add_error(&b, 487, NULL);
    ln_stun_add_integrity(&b, test_bytes(pwd));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    (void)feed(&asked[i].path, data, (size_t)len);
}

LN_TEST(attack_8, a_peer_that_answers_487_for_ever_is_bounded)
{
    unsigned switches = 0, answered = 0;
    bool controlling;
    uint64_t before; /* RFC 8445, 7.2.5.1: with each 487 that is followed comes another one */

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.wire.filter = keep_requests;
    asked_count = 0;
    agents_start(&s);
    for (int round = 0; round < 400; round++) {
        agents_run(&s, LN_MILLISECONDS(50));
        controlling = s.a.ice->controlling;
        for (size_t i = 0; i < asked_count; i++, answered++) {
            before = s.a.ice->tie_breaker;
            answer_487(i);
            switches += s.a.ice->controlling != controlling;
            CHECK((s.a.ice->tie_breaker != before) == (s.a.ice->controlling != controlling));
            controlling = s.a.ice->controlling;
        }
        asked_count = 0;
    }
    CHECK(answered > LN_ICE_ROLE_SWITCHES_MAX);
    CHECK_EQUAL(switches, LN_ICE_ROLE_SWITCHES_MAX);
    agents_free(&s);
}

/* Who knows the credentials, as the peer does, and guesses the address. */
LN_TEST(attack_6, under_the_relay_policy_a_check_past_the_relay_gets_no_answer)
{
    static const struct ln_ice_server_address server = { .url = "turn:203.0.113.1",
                                                         .host = "203.0.113.1",
                                                         .relays = true,
                                                         .username = "user",
                                                         .password = "secret" };
    struct ln_path path;
    uint8_t data[256];
    size_t len;

    agents_init(&s);
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    s.a.config.servers = &server;
    s.a.config.server_count = 1;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    path = path_from("192.168.1.3:40001");
    (void)transmits();
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                      false);
    CHECK_EQUAL(feed(&path, data, len), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_HIDDEN), 1);
    CHECK_EQUAL(transmits(), 0);
    agents_free(&s);
}

LN_TEST(attack_4, missing_and_wrong_integrity_are_ignored)
{
    struct ln_path path;
    uint8_t data[256];
    size_t len;

    connected();
    path = path_from("192.168.1.3:40001");
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), NULL, false);
    CHECK_EQUAL(feed(&path, data, len), LN_ERR_INTEGRITY);
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), "wrong", false);
    CHECK_EQUAL(feed(&path, data, len), LN_ERR_INTEGRITY);
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_INTEGRITY), 2);
    CHECK_EQUAL(transmits(), 0);
    CHECK_TEXT(ln_ice_drop_name(LN_ICE_DROP_INTEGRITY), "wrong_integrity");
    agents_free(&s);
}

LN_TEST(attack_4, use_candidate_behind_the_integrity_does_not_nominate)
{
    struct ln_path path;
    uint8_t data[256];
    size_t len;

    connected();
    path = path_from("192.168.1.3:40001");
    ln_ice_set_role(s.a.ice, false);
    s.a.ice->current->selected = NULL;
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                      true);
    CHECK_EQUAL(feed(&path, data, len), 0);
    CHECK_EQUAL(s.a.ice->current->nominations, 0);
    agents_free(&s);
}

LN_TEST(attack_6, checks_for_an_unknown_ufrag_are_neither_answered_nor_kept)
{
    uint8_t data[256];
    char ufrag[9], remote[64];
    uint64_t before;

    connected();
    before = test_allocator()->allocations;
    for (unsigned i = 0; i < 10000; i++) {
        struct ln_path path;

        snprintf(remote, sizeof remote, "10.%u.%u.%u:%u", i & 255, i >> 8, i % 99, 1024 + i);
        path = path_from(remote);
        ln_rng_text(test_env()->rng, ufrag, 8);
        CHECK_EQUAL(feed(&path, data, build_check(data, sizeof data, ufrag, "x", false)),
                    LN_ERR_NOT_FOUND);
    }
    CHECK_EQUAL(transmits(), 0);
    CHECK_EQUAL(test_allocator()->allocations, before);
    CHECK_EQUAL(ln_ice_dropped(s.a.ice, LN_ICE_DROP_UNKNOWN_UFRAG), 10000);
    agents_free(&s);
}

static unsigned stray;

static bool count_strays(struct wire *wire, int node, const struct ln_path *path,
                         const uint8_t *data, size_t len)
{
    (void)wire;
    (void)len;
    if (node == s.a.node && path->remote.port == 6666 && data[0] > 3)
        stray++;
    return path->remote.port == 6666;
}

LN_TEST(attack_7, a_valid_check_from_a_new_address_opens_receiving_not_sending)
{
    static const uint8_t dtls[16] = { 22, 254, 253 };
    struct ln_path good, path, sending;
    uint8_t data[256];
    size_t len;

    connected();
    CHECK(ln_ice_send_path(s.a.ice, &good));
    path = path_from("192.168.1.66:6666");
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    CHECK_EQUAL(feed(&good, dtls, sizeof dtls), 1);
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                      false);
    CHECK_EQUAL(feed(&path, data, len), 0);
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), 1); /* taken: an authenticated check was seen */
    s.wire.filter = count_strays;
    stray = 0;
    agents_run(&s, LN_SECONDS(60));
    CHECK(ln_ice_send_path(s.a.ice, &sending) && ln_path_equal(&sending, &good));
    CHECK_EQUAL(stray, 0);
    path.link = 77; /* the same address on another link is nobody */
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    agents_free(&s);
}

LN_TEST(attack_7, data_before_the_remote_description_is_taken_from_checked_addresses_only)
{
    static const uint8_t dtls[16] = { 22, 254, 253 };
    struct ln_path path, other;
    uint8_t data[256];
    size_t len;

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, 1);
    path = path_from("192.168.1.3:40001");
    other = path_from("192.168.1.3:40002");
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                      false);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(feed(&path, data, len), 0);
    CHECK_EQUAL(feed(&path, dtls, sizeof dtls), 1);
    CHECK_EQUAL(feed(&other, dtls, sizeof dtls), LN_ERR_NOT_ALLOWED);
    for (unsigned i = 0; i < 200; i++) { /* more senders than are remembered */
        other.remote.port = (uint16_t)(50000 + i);
        CHECK(feed(&other, data, len) == 0 || transmits() > 0);
    }
    CHECK_EQUAL(s.a.ice->early_count, LN_ICE_EARLY_MAX);
    agents_free(&s);
}

LN_TEST(attack_9, ten_thousand_candidates_are_capped_without_quadratic_work)
{
    struct ln_ice_pair_info info;
    unsigned accepted = 0, refused = 0;
    size_t pairs = 0;
    char line[128];

    agents_init(&s);
    CHECK(agents_create(&s));
    for (int i = 0; i < 8; i++) {
        snprintf(line, sizeof line, "192.168.%d.2", i);
        wire_interface(&s.wire, s.a.node, line);
    }
    agents_exchange(&s);
    ln_ice_gather(s.a.ice);
    agents_run(&s, 1);
    for (unsigned i = 0; i < 10000; i++) {
        int len = snprintf(line, sizeof line,
                           "candidate:%u 1 udp %u 10.%u.%u.9 %u typ host ufrag %s", i, 1000 + i,
                           i >> 8, i & 255, 1024 + i, ln_ice_local_ufrag(s.b.ice));
        int error = ln_ice_add_remote_candidate_text(s.a.ice, line, (size_t)len);

        accepted += error == 0;
        refused += error == LN_ERR_LIMIT;
    }
    CHECK_EQUAL(accepted, LN_ICE_REMOTE_CANDIDATES_MAX);
    CHECK_EQUAL(refused, 10000 - LN_ICE_REMOTE_CANDIDATES_MAX);
    while (ln_ice_pair(s.a.ice, pairs, &info))
        pairs++;
    CHECK_EQUAL(pairs, LN_ICE_PAIRS_MAX);
    s.a.config.max_pairs = 1;
    agents_run(&s, LN_SECONDS(60));
    CHECK(s.wire.sent < LN_ICE_PAIRS_MAX * 8 + 10);
    agents_free(&s);
}

LN_TEST(attack_9, a_check_of_the_real_peer_finds_room_in_a_full_list)
{
    char line[128];

    agents_init(&s);
    s.a.config.max_pairs = 3;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.hold_candidates_of_b = true;
    agents_start(&s);
    for (unsigned i = 0; i < 20; i++) {
        int len = snprintf(line, sizeof line,
                           "candidate:%u 1 udp 2130706431 10.0.0.%u 5000 typ host", i, i + 1);

        CHECK(ln_ice_add_remote_candidate_text(s.a.ice, line, (size_t)len) == 0);
    }
    CHECK(agents_connect(&s, LN_SECONDS(5)));
    agents_free(&s);
}

LN_TEST(attack_9, candidates_of_another_ufrag_are_refused)
{
    static const char line[] = "candidate:1 1 udp 1 10.0.0.1 5000 typ host ufrag other";

    connected();
    CHECK_EQUAL(ln_ice_add_remote_candidate_text(s.a.ice, line, strlen(line)), LN_ERR_NOT_FOUND);
    agents_free(&s);
}

LN_TEST(attack_10, filtered_candidates_get_no_pair_and_no_packet)
{
    static const char *const lines[] = {
        "candidate:1 1 udp 1 192.168.1.1 22 typ host",
        "candidate:1 1 udp 1 255.255.255.255 5000 typ host",
        "candidate:1 1 udp 1 224.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 1 fe80::1 5000 typ host",
        "candidate:1 1 udp 1 ::ffff:10.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 127.0.0.1 5000 typ host", /* no loopback on our side */
        "candidate:1 2 udp 1 192.168.1.9 5000 typ host",
    };
    struct ln_ice_pair_info info;

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "2001:db8::2");
    agents_exchange(&s);
    ln_ice_gather(s.a.ice);
    agents_run(&s, 1);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CHECK_EQUAL(ln_ice_add_remote_candidate_text(s.a.ice, lines[i], strlen(lines[i])), 0);
    CHECK(!ln_ice_pair(s.a.ice, 0, &info));
    agents_run(&s, LN_SECONDS(5));
    CHECK_EQUAL(s.wire.sent, 0);
    agents_free(&s);
}

/* Sends a response as if from b, to the check that a has under way. */
static int respond(const struct ln_path *path, const struct ln_stun_id *id, const char *pwd)
{
    struct ln_stun_builder b;
    uint8_t data[256];
    int len;

    ln_stun_begin(&b, data, sizeof data, LN_STUN_SUCCESS, LN_STUN_BINDING, id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &path->local);
    ln_stun_add_integrity(&b, test_bytes(pwd));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return feed(path, data, (size_t)len);
}

LN_TEST(attack_12, unsolicited_replayed_and_unauthentic_answers_do_not_count)
{
    static const char line[] = "candidate:1 1 udp 1 192.168.1.3 5000 typ host";
    struct ln_stun_id id, wrong;
    struct ln_ice_pair *pair;
    struct ln_path path;

    agents_init(&s);
    CHECK(agents_create(&s));
    s.wire.filter = wire_drop_all;
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    agents_exchange(&s);
    ln_ice_gather(s.a.ice);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, line, strlen(line)) == 0);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK_EQUAL(s.a.ice->current->list.count, 1);
    pair = s.a.ice->current->list.pairs[0];
    CHECK_EQUAL(pair->state, LN_ICE_PAIR_IN_PROGRESS);
    path = path_from("192.168.1.3:5000");
    id = wrong = pair->check.id;
    wrong.bytes[11] ^= 1;
    CHECK_EQUAL(respond(&path, &wrong, ln_ice_local_pwd(s.b.ice)), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(respond(&path, &id, "not the password"), LN_ERR_INTEGRITY);
    CHECK_EQUAL(pair->state, LN_ICE_PAIR_IN_PROGRESS);
    CHECK_EQUAL(respond(&path, &id, ln_ice_local_pwd(s.b.ice)), 0);
    CHECK_EQUAL(pair->state, LN_ICE_PAIR_SUCCEEDED);
    CHECK_EQUAL(pair->responses_received, 1);
    CHECK_EQUAL(respond(&path, &id, ln_ice_local_pwd(s.b.ice)), LN_ERR_NOT_FOUND); /* replayed */
    CHECK_EQUAL(pair->responses_received, 1);
    agents_free(&s);
}

LN_TEST(attack_12, an_answer_from_another_address_fails_the_pair)
{
    static const char line[] = "candidate:1 1 udp 1 192.168.1.3 5000 typ host";
    struct ln_ice_pair_info info;
    struct ln_path path, sending;

    agents_init(&s);
    CHECK(agents_create(&s));
    s.wire.filter = wire_drop_all;
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    agents_exchange(&s);
    ln_ice_gather(s.a.ice);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, line, strlen(line)) == 0);
    agents_run(&s, LN_MILLISECONDS(1));
    path = path_from("192.168.1.3:5001");
    CHECK_EQUAL(s.a.ice->current->list.count, 1);
    CHECK_EQUAL(
        respond(&path, &s.a.ice->current->list.pairs[0]->check.id, ln_ice_local_pwd(s.b.ice)), 0);
    CHECK(ln_ice_pair(s.a.ice, 0, &info) && info.state == LN_ICE_PAIR_FAILED);
    CHECK_EQUAL(info.failure, LN_ICE_FAILURE_ASYMMETRIC);
    CHECK(!ln_ice_send_path(s.a.ice, &sending));
    agents_free(&s);
}

LN_TEST(attacks, a_flood_of_authentic_checks_is_answered_within_bounds)
{
    struct ln_path path;
    uint8_t data[256];
    size_t len;

    connected();
    for (unsigned i = 0; i < 5000; i++) { /* a peer that knows the password, from many ports */
        char remote[64];

        snprintf(remote, sizeof remote, "10.0.%u.%u:%u", i >> 8 & 255, i & 255, 2000 + i);
        path = path_from(remote);
        len = build_check(data, sizeof data, ln_ice_local_ufrag(s.a.ice), ln_ice_local_pwd(s.a.ice),
                          false);
        (void)feed(&path, data, len);
    }
    CHECK(s.a.ice->answers.count <= LN_ICE_ANSWERS_MAX);
    CHECK(s.a.ice->current->list.count <= LN_ICE_PAIRS_MAX);
    CHECK(s.a.ice->current->remote_count <= LN_ICE_REMOTE_CANDIDATES_MAX);
    CHECK(transmits() <= (int)LN_ICE_ANSWERS_MAX + 8 + 1);
    agents_run(&s, LN_SECONDS(10));
    CHECK(ln_ice_send_path(s.a.ice, &path) && path.remote.ip[0] == 192);
    agents_free(&s);
}

/* Any order of calls is legal, on any input. */
LN_TEST(attacks, random_calls_in_random_order_never_break_the_laws)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct ln_rng *rng = test_env()->rng;

        ln_rng_seed(rng, seed);
        agents_init(&s);
        s.wire.loss_per_mille = 100;
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "192.168.1.2");
        wire_interface(&s.wire, s.b.node, "192.168.1.3");
        for (int step = 0; step < 60; step++) {
            struct side *side = ln_rng_below(rng, 2) ? &s.a : &s.b;

            switch (ln_rng_below(rng, 12)) {
            case 0:
                ln_ice_gather(side->ice);
                break;
            case 1:
                (void)!ln_ice_set_remote(side->ice, ln_ice_local_ufrag(side->other->ice),
                                         ln_ice_local_pwd(side->other->ice),
                                         ln_rng_below(rng, 8) == 0, NULL);
                break;
            case 2:
                if (ln_rng_below(rng, 4) == 0 && side->candidate_count < 50) {
                    (void)!ln_ice_restart(side->ice);
                    side->gathered = false;
                }
                break;
            case 3:
                (void)ln_ice_rollback(side->ice);
                break;
            case 4:
                ln_ice_set_role(side->ice, ln_rng_below(rng, 2));
                break;
            case 5:
                ln_ice_end_of_candidates(side->ice);
                break;
            case 6:
                if (ln_rng_below(rng, 2))
                    wire_remove_interface(&s.wire, side->node,
                                          side == &s.a ? "192.168.1.2" : "192.168.1.3");
                else if (s.wire.nodes[side->node].interface_count == 0)
                    wire_interface(&s.wire, side->node,
                                   side == &s.a ? "192.168.1.2" : "192.168.1.3");
                break;
            case 7:
                if (ln_rng_below(rng, 60) == 0)
                    ln_ice_close(side->ice);
                break;
            default:
                agents_run(&s, LN_MILLISECONDS((int)ln_rng_below(rng, 3000)));
            }
        }
        agents_run(&s, LN_SECONDS(100));
        agents_free(&s);
    }
}
