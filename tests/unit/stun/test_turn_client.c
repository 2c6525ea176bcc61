/* SPDX-License-Identifier: Apache-2.0
 * The TURN client against a small server on a wire in virtual time. */
#include "base/address.h"
#include "stun/framing.h"
#include "stun/turn_client.h"
#include "tests/support/test.h"
#include "tests/support/turn_double.h"
#include "tests/support/wire.h"

/* A client on one socket, and a peer that says back what it hears. */
struct user {
    struct ln_turn_client *turn;
    bool asked;
    ln_link link;
    struct ln_address local, server;
    struct ln_address heard_from;
    uint8_t heard[256], out[1600];
    size_t heard_len, heard_count, out_len;
};

static struct wire wire;
static struct turn_double server;
static struct user user, peer;
static struct ln_turn_client_config config;

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct user *u = object;
    uint8_t *data = packet->data;
    size_t len = packet->len;

    u->heard_from = packet->path.remote;
    if (u->turn && ln_turn_client_receive(u->turn, now, packet->data, packet->len, &u->heard_from,
                                          &data, &len) != 1)
        return;
    CHECK(len <= sizeof u->heard);
    memcpy(u->heard, data, len);
    u->heard_len = len;
    u->heard_count++;
}

static void on_timeout(void *object, ln_time now)
{
    struct user *u = object;

    if (u->turn)
        ln_turn_client_on_timeout(u->turn, now);
}

static ln_time next_timeout(const void *object)
{
    const struct user *u = object;

    return u->turn ? ln_turn_client_next_timeout(u->turn) : LN_TIME_NEVER;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct user *u = object;
    int len = 0;

    ln_transmit_begin(out);
    out->path = (struct ln_path){ u->link, u->local, u->server };
    if (u->out_len > 0) {
        memcpy(out->data, u->out, u->out_len);
        len = (int)u->out_len;
        u->out_len = 0;
    } else if (u->turn) {
        len = ln_turn_client_poll(u->turn, now, out->data, out->cap);
        CHECK(len >= 0);
    }
    out->len = (size_t)len;
    return len > 0;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct user *u = object;

    if (u->asked)
        return 0;
    u->asked = true;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .id = 1, .local = u->local };
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct user *u = object;

    CHECK_EQUAL(a->kind, LN_ANSWER_OPENED);
    u->link = a->link;
    u->local = a->local;
    if (u->turn)
        ln_turn_client_start(u->turn, now);
}

static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                            poll_transmit, poll_request, answer };

static void set_up(void)
{
    wire_init(&wire, test_env());
    turn_double_init(&server, test_env(), "192.0.2.1");
    memset(&user, 0, sizeof user);
    memset(&peer, 0, sizeof peer);
    memset(&config, 0, sizeof config);
    config.username = "user";
    config.password = "secret";
}

/* False when out of memory (in the sweep). */
static bool start(void)
{
    if (ln_turn_client_create(&user.turn, &config, test_env()) != 0)
        return false;
    user.server = server.listen;
    CHECK(ln_address_parse("192.0.2.2", &user.local) == 0);
    CHECK(ln_address_parse("192.0.2.3", &peer.local) == 0);
    wire_add(&wire, turn_double_endpoint(&server));
    wire_add(&wire, (struct ln_endpoint){ &ops, &user });
    wire_add(&wire, (struct ln_endpoint){ &ops, &peer });
    return true;
}

static void run(ln_duration duration)
{
    wire_run(&wire, wire.now + duration, NULL, NULL);
}

static void tear_down(void)
{
    ln_turn_client_free(user.turn);
}

static bool allocated(void)
{
    set_up();
    if (!start())
        return false;
    run(LN_MILLISECONDS(10));
    return ln_turn_client_state(user.turn) == LN_TURN_CLIENT_READY;
}

static bool permitted(void)
{
    if (!allocated())
        return false;
    CHECK(ln_turn_client_permit(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    return ln_turn_client_permitted(user.turn, &peer.local) == LN_TURN_CLIENT_PERMIT_GRANTED;
}

static void say(const char *text)
{
    size_t head = ln_turn_client_head(user.turn, &peer.local);
    int len;

    memcpy(user.out + head, text, strlen(text));
    len = ln_turn_client_wrap(user.turn, wire.now, &peer.local, user.out, strlen(text));
    CHECK(len > 0);
    user.out_len = (size_t)len;
    run(LN_MILLISECONDS(10));
}

static void peer_says(const char *text)
{
    CHECK(ln_turn_client_relayed(user.turn, 0, &peer.server));
    memcpy(peer.out, text, strlen(text));
    peer.out_len = strlen(text);
    run(LN_MILLISECONDS(10));
}

LN_TEST(turn_client, allocates_answering_one_challenge)
{
    struct ln_address relayed, mapped;

    CHECK(allocated());
    CHECK(ln_turn_client_relayed(user.turn, 0, &relayed) &&
          !ln_turn_client_relayed(user.turn, 1, &relayed));
    CHECK(ln_address_equal(&relayed, &server.allocations[0].relayed));
    CHECK(ln_turn_client_mapped(user.turn, &mapped) && ln_address_equal(&mapped, &user.local));
    CHECK_EQUAL(server.allocates, 1);
    CHECK_EQUAL(server.signed_requests, 1);
    tear_down();
}

LN_TEST(turn_client, takes_the_first_algorithm_that_it_knows_and_hides_the_name_when_asked)
{
    for (uint16_t algorithm = 1; algorithm <= 2; algorithm++) {
        set_up();
        server.algorithm = algorithm;
        server.anonymous = algorithm == 2;
        CHECK(start());
        run(LN_MILLISECONDS(10));
        CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
        tear_down();
    }
}

LN_TEST(turn_attack, algorithms_that_were_cut_out_of_a_challenge_are_missed)
{
    set_up();
    server.algorithm = 2;
    server.cut_algorithms = true;
    CHECK(start());
    run(LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    CHECK_EQUAL(server.signed_requests, 0); /* nothing that could be cracked has left */
    tear_down();
}

LN_TEST(turn_attack, an_agreed_algorithm_is_not_given_up_for_less)
{
    set_up();
    server.algorithm = 2;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    server.algorithm = 0; /* and a challenge that says nothing of it */
    server.nonce++;
    CHECK(ln_turn_client_permit(user.turn, wire.now, &peer.local) == 0);
    run(LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_permitted(user.turn, &peer.local), LN_TURN_CLIENT_PERMIT_REFUSED);
    CHECK_EQUAL(server.permissions, 0);
    tear_down();
}

LN_TEST(turn_attack, a_success_with_another_key_is_no_success)
{
    set_up();
    server.wrong_integrity = true;
    config.allocate_rc = 3;
    config.allocate_rm = 2;
    CHECK(start());
    run(LN_MILLISECONDS(100));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_ALLOCATING);
    CHECK(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_INTEGRITY) > 0);
    run(LN_SECONDS(5));
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    tear_down();
}

/* RFC 8489, 9.2.5 and 16.1.3: the right key is not enough. */
LN_TEST(turn_attack, a_success_with_less_than_was_agreed_on_is_no_success)
{
    set_up();
    server.algorithm = 2;
    server.weak_integrity = true;
    config.allocate_rc = 3;
    config.allocate_rm = 2;
    CHECK(start());
    run(LN_SECONDS(5));
    CHECK(server.allocates > 0);
    CHECK(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_INTEGRITY) > 0);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    tear_down();
}

/* An answer to the Refresh that is under way, as anybody might make it who saw that. */
static int answer_refresh(enum ln_stun_class kind, uint16_t method)
{
    uint8_t data[512], *payload;
    struct ln_stun_message request;
    struct ln_stun_builder b;
    struct ln_address from;
    size_t payload_len;
    int len;

    CHECK(ln_turn_client_refresh(user.turn, wire.now));
    len = ln_turn_client_poll(user.turn, wire.now, data, sizeof data);
    CHECK(len > 0 && ln_stun_parse(data, (size_t)len, &request) == 0);
    ln_stun_begin(&b, data, sizeof data, kind, method, &request.id);
    if (kind == LN_STUN_ERROR) {
        ln_stun_add_error(&b, 300, NULL);
        ln_stun_add_address(&b, LN_STUN_ALTERNATE_SERVER, &peer.local);
    }
    len = ln_stun_finish(&b);
    return ln_turn_client_receive(user.turn, wire.now, data, (size_t)len, &from, &payload,
                                  &payload_len);
}

LN_TEST(turn_attack, an_allocation_is_not_lost_by_a_300_that_proves_nothing)
{
    CHECK(allocated());
    peer.local.port = 3478;
    CHECK_EQUAL(answer_refresh(LN_STUN_ERROR, LN_STUN_REFRESH), LN_ERR_INTEGRITY);
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    tear_down();
}

LN_TEST(turn_attack, an_answer_to_another_method_is_none)
{
    CHECK(allocated());
    CHECK_EQUAL(answer_refresh(LN_STUN_SUCCESS, LN_STUN_ALLOCATE), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_TRANSACTION), 1);
    tear_down();
}

LN_TEST(turn_client, fails_with_401_when_the_password_is_wrong_and_asks_no_more)
{
    set_up();
    config.password = "wrong";
    CHECK(start());
    run(LN_SECONDS(60));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), 401);
    CHECK_EQUAL(server.signed_requests, 1);
    tear_down();
}

LN_TEST(turn_client, tells_the_code_of_a_refusal_signed_or_not)
{
    static const uint16_t codes[] = { 403, 437, 441, 442, 486, 508 };

    for (size_t i = 0; i < 12; i++) {
        set_up();
        server.refuse_allocate = codes[i / 2];
        server.unsigned_errors = i % 2;
        CHECK(start());
        run(LN_SECONDS(1));
        /* One that proves nothing is believed when nothing better comes. */
        CHECK_EQUAL(ln_turn_client_state(user.turn),
                    i % 2 ? LN_TURN_CLIENT_ALLOCATING : LN_TURN_CLIENT_FAILED);
        run(LN_SECONDS(60));
        CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
        CHECK_EQUAL(ln_turn_client_error_code(user.turn), codes[i / 2]);
        tear_down();
    }
}

LN_TEST(turn_client, gives_up_a_silent_server_in_the_time_it_was_told)
{
    set_up();
    server.silent = true;
    config.allocate_rc = 5;
    config.allocate_rm = 4;
    CHECK(start());
    run(LN_MILLISECONDS(9400));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_ALLOCATING);
    run(LN_MILLISECONDS(200));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), LN_TURN_CLIENT_CODE_TIMEOUT);
    CHECK_EQUAL(ln_turn_client_next_timeout(user.turn), LN_TIME_NEVER);
    tear_down();
}

LN_TEST(turn_client, repeats_a_request_for_a_stale_nonce_but_not_for_ever)
{
    set_up();
    server.stale_every = 3;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK(ln_turn_client_permit(user.turn, wire.now, &peer.local) == 0);
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(20));
    CHECK_EQUAL(ln_turn_client_permitted(user.turn, &peer.local), LN_TURN_CLIENT_PERMIT_GRANTED);
    CHECK_EQUAL(ln_turn_client_head(user.turn, &peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    CHECK(server.nonce > 0);
    tear_down();
    set_up();
    server.stale_every = 1; /* every nonce is stale */
    CHECK(start());
    run(LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), 438);
    CHECK(server.signed_requests <= LN_TURN_CLIENT_CHALLENGES_MAX);
    tear_down();
}

LN_TEST(turn_client, names_the_other_server_of_a_300)
{
    struct ln_address other;
    char domain[256];

    set_up();
    CHECK(ln_address_parse("192.0.2.9:3479", &server.alternate) == 0);
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_ALTERNATE);
    ln_turn_client_alternate(user.turn, &other, domain);
    CHECK(ln_address_equal(&other, &server.alternate));
    CHECK_TEXT(domain, "");
    tear_down();
}

LN_TEST(turn_client, carries_data_in_indications_and_then_on_a_channel)
{
    CHECK(permitted());
    say("first");
    CHECK(peer.heard_len == 5 && memcmp(peer.heard, "first", 5) == 0);
    CHECK(ln_address_equal(&peer.heard_from, &server.allocations[0].relayed));
    CHECK_EQUAL(server.indications_in, 1);
    peer_says("back");
    CHECK(user.heard_len == 4 && memcmp(user.heard, "back", 4) == 0);
    CHECK(ln_address_equal(&user.heard_from, &peer.local));
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_head(user.turn, &peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    say("second");
    CHECK(peer.heard_len == 6 && memcmp(peer.heard, "second", 6) == 0);
    CHECK_EQUAL(server.indications_in, 1);
    CHECK_EQUAL(server.channel_data_in, 1);
    peer_says("again");
    CHECK(user.heard_len == 5 && memcmp(user.heard, "again", 5) == 0);
    CHECK_EQUAL(server.channel_data_out, 1);
    CHECK(ln_address_equal(&user.heard_from, &peer.local));
    tear_down();
}

/* A Data indication of the server about a peer, with ICMP of so many bytes. Returns what the client
 * does. */
static int icmp_comes(const struct ln_address *about, const uint8_t *value, size_t value_len)
{
    struct ln_stun_id id = { { 3 } };
    struct ln_stun_builder b;
    struct ln_address from;
    uint8_t message[128], *data;
    size_t data_len;
    int len;

    ln_stun_begin(&b, message, sizeof message, LN_STUN_INDICATION, LN_STUN_DATA, &id);
    if (about)
        ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, about);
    if (value)
        ln_stun_add(&b, LN_STUN_ICMP, value, value_len);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return ln_turn_client_receive(user.turn, wire.now, message, (size_t)len, &from, &data,
                                  &data_len);
}

LN_TEST(turn_client, tells_what_icmp_says_about_a_peer_with_a_permission)
{
    static const uint8_t closed[] = { 9, 9, 3, 3, 0, 0, 0, 0 },
                         big[] = { 0, 0, 3, 4, 0, 0, 5, 120 };
    struct ln_address told, other;
    struct ln_icmp icmp;

    CHECK(permitted());
    CHECK(!ln_turn_client_next_icmp(user.turn, &told, &icmp));
    CHECK_EQUAL(icmp_comes(&peer.local, closed, sizeof closed), 0); /* whatever is reserved */
    CHECK(ln_turn_client_next_icmp(user.turn, &told, &icmp));
    CHECK(ln_address_equal(&told, &peer.local) && icmp.type == 3 && icmp.code == 3);
    CHECK_EQUAL(icmp.mtu, 0);
    CHECK(!ln_turn_client_next_icmp(user.turn, &told, &icmp)); /* once */
    CHECK_EQUAL(icmp_comes(&peer.local, closed, sizeof closed), 0);
    CHECK_EQUAL(icmp_comes(&peer.local, big, sizeof big), 0);
    CHECK(ln_turn_client_next_icmp(user.turn, &told, &icmp)); /* the last */
    CHECK(icmp.code == 4 && icmp.mtu == 1400);
    CHECK(ln_address_parse("192.0.2.77:5000", &other) == 0);
    CHECK_EQUAL(icmp_comes(&other, closed, sizeof closed), LN_ERR_NOT_FOUND);
    CHECK(!ln_turn_client_next_icmp(user.turn, &told, &icmp));
    CHECK_EQUAL(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    tear_down();
}

LN_TEST(turn_attack, icmp_that_is_cut_or_says_nothing_is_dropped)
{
    static const uint8_t value[] = { 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0 }, nothing[8] = { 0 };
    struct ln_address told;
    struct ln_icmp icmp;

    CHECK(permitted());
    for (size_t len = 0; len <= sizeof value; len++)
        if (len != 8)
            CHECK_EQUAL(icmp_comes(&peer.local, value, len), LN_ERR_MALFORMED);
    CHECK_EQUAL(icmp_comes(&peer.local, nothing, sizeof nothing), LN_ERR_MALFORMED);
    CHECK_EQUAL(icmp_comes(&peer.local, NULL, 0), LN_ERR_MALFORMED); /* nor data */
    CHECK_EQUAL(icmp_comes(NULL, value, 8), LN_ERR_MALFORMED);
    CHECK(!ln_turn_client_next_icmp(user.turn, &told, &icmp));
    CHECK_EQUAL(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_MALFORMED), sizeof value + 3);
    tear_down();
}

LN_TEST(turn_client, sends_nothing_without_a_permission)
{
    uint8_t message[64] = { 0 };
    struct ln_address other;

    CHECK(permitted());
    CHECK(ln_address_parse("192.0.2.77:5000", &other) == 0);
    CHECK_EQUAL(ln_turn_client_wrap(user.turn, wire.now, &other, message, 4), LN_ERR_INVALID_STATE);
    server.refuse_permission = 403;
    CHECK(ln_turn_client_permit(user.turn, wire.now, &other) == 0);
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_permitted(user.turn, &other), LN_TURN_CLIENT_PERMIT_REFUSED);
    CHECK_EQUAL(ln_turn_client_wrap(user.turn, wire.now, &other, message, 4), LN_ERR_INVALID_STATE);
    CHECK(ln_turn_client_permit(user.turn, wire.now, &other) == 0); /* is not asked again */
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(server.permissions, 2);
    tear_down();
}

LN_TEST(turn_client, goes_on_with_indications_when_a_channel_is_refused)
{
    CHECK(permitted());
    server.refuse_channel = 403;
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    CHECK(ln_turn_client_head(user.turn, &peer.local) > LN_TURN_CLIENT_CHANNEL_HEAD);
    say("still");
    CHECK_EQUAL(peer.heard_len, 5);
    tear_down();
}

/* An hour of a call, then an hour of silence. */
LN_TEST(turn_client, keeps_alive_what_is_used_and_lets_go_what_is_not)
{
    unsigned permissions, bindings;

    CHECK(permitted());
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    for (int i = 0; i < 360; i++) {
        say("tick");
        run(LN_SECONDS(10));
    }
    CHECK_EQUAL(peer.heard_count, 360);
    CHECK_EQUAL(server.channel_data_in, 360);
    CHECK(server.refreshes >= 6 && server.refreshes <= 8);
    CHECK(server.bindings >= 6 && server.bindings <= 8);
    CHECK(server.permissions >= 6 && server.permissions <= 16);
    permissions = server.permissions;
    bindings = server.bindings;
    run(LN_SECONDS(3600));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK(server.permissions <= permissions + 1);
    CHECK(server.bindings <= bindings + 1);
    CHECK_EQUAL(ln_turn_client_permitted(user.turn, &peer.local), LN_TURN_CLIENT_PERMIT_NONE);
    tear_down();
}

/* RFC 8656, 12.6: the channel outlives the permission by five minutes. */
LN_TEST(turn_attack, data_on_the_channel_of_a_peer_without_a_permission_is_dropped)
{
    uint8_t message[] = { 0x40, 0, 0, 1, 'x' }, *data;
    struct ln_address from;
    size_t len;

    CHECK(permitted());
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, message, 5, &from, &data, &len), 1);
    run(LN_SECONDS(301));
    CHECK_EQUAL(ln_turn_client_head(user.turn, &peer.local), LN_TURN_CLIENT_CHANNEL_HEAD);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, message, 5, &from, &data, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    tear_down();
}

LN_TEST(turn_client, refreshes_a_short_lifetime_in_time_and_fails_when_the_server_is_gone)
{
    set_up();
    server.lifetime_s = 20;
    CHECK(start());
    run(LN_SECONDS(200));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(turn_double_allocated(&server), 1);
    server.silent = true;
    run(LN_SECONDS(21));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    tear_down();
}

LN_TEST(attack_29, a_relayed_address_of_nowhere_is_no_allocation)
{
    set_up();
    server.relayed_nowhere = true;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), LN_TURN_CLIENT_CODE_NONSENSE);
    CHECK_EQUAL(server.releases, 1); /* it is given back (RFC 8656, 7.3) */
    run(LN_SECONDS(60));
    CHECK_EQUAL(server.releases, 1);
    tear_down();
}

LN_TEST(attack_29, a_lifetime_of_for_ever_is_refreshed_within_the_hour_all_the_same)
{
    set_up();
    server.lifetime_s = UINT32_MAX;
    CHECK(start());
    run(LN_SECONDS(3700));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK(server.refreshes >= 1 && server.refreshes <= 2);
    tear_down();
}

LN_TEST(attack_29, a_lifetime_of_a_second_does_not_make_us_ask_all_the_time)
{
    set_up();
    server.lifetime_s = 1;
    CHECK(start());
    run(LN_SECONDS(60));
    CHECK(server.refreshes <= 12);
    tear_down();
}

LN_TEST(turn_client, fails_with_437_when_the_server_forgot_the_allocation)
{
    CHECK(permitted());
    memset(server.allocations, 0, sizeof server.allocations);
    run(LN_SECONDS(600));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
    CHECK_EQUAL(ln_turn_client_error_code(user.turn), 437);
    tear_down();
}

LN_TEST(turn_client, gives_the_allocation_back)
{
    CHECK(permitted());
    ln_turn_client_close(user.turn, wire.now);
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(server.releases, 1);
    CHECK_EQUAL(turn_double_allocated(&server), 0);
    CHECK_EQUAL(ln_turn_client_next_timeout(user.turn), LN_TIME_NEVER);
    tear_down();
}

/* --- moving (RFC 8016) ---------------------------------------------------------------------- */

static bool mobile(void)
{
    set_up();
    config.mobile = true;
    server.mobility = TURN_DOUBLE_MOVES;
    if (!start())
        return false;
    run(LN_MILLISECONDS(10));
    return ln_turn_client_state(user.turn) == LN_TURN_CLIENT_READY;
}

/* A NAT has another mapping for us, or we have another socket. */
static void another_address(void)
{
    for (size_t i = 0; i < wire.link_count; i++)
        if (wire.links[i].link == user.link)
            wire.links[i].local.port += 1000;
    user.local.port += 1000;
}

LN_TEST(turn_client, moves_its_allocation_with_a_ticket)
{
    CHECK(mobile());
    CHECK(ln_turn_client_mobile(user.turn));
    CHECK(ln_turn_client_permit(user.turn, wire.now, &peer.local) == 0);
    CHECK(ln_turn_client_bind(user.turn, wire.now, &peer.local) == 0);
    run(LN_MILLISECONDS(10));
    for (unsigned i = 1; i <= 3; i++) { /* each brings the ticket for the next */
        another_address();
        server.nonce++; /* nonces are bound to addresses */
        CHECK(ln_turn_client_move(user.turn, wire.now));
        CHECK(ln_turn_client_moving(user.turn) && !ln_turn_client_move(user.turn, wire.now));
        run(LN_MILLISECONDS(10));
        CHECK(!ln_turn_client_moving(user.turn));
        CHECK_EQUAL(ln_turn_client_moves(user.turn), i);
        CHECK_EQUAL(server.moves, i);
        say("hello");
        CHECK(peer.heard_len == 5 && memcmp(peer.heard, "hello", 5) == 0);
        peer_says("world");
        CHECK(user.heard_len == 5 && memcmp(user.heard, "world", 5) == 0);
    }
    CHECK_EQUAL(server.channel_data_in, 3); /* the channel came along */
    run(LN_SECONDS(2000));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY); /* refreshed as ever */
    tear_down();
}

LN_TEST(turn_client, that_did_not_move_is_told_so_and_goes_on)
{
    CHECK(mobile());
    CHECK(ln_turn_client_move(user.turn, wire.now));
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(ln_turn_client_moves(user.turn), 0);
    CHECK_EQUAL(server.refreshes, 1);
    another_address();
    CHECK(ln_turn_client_move(user.turn, wire.now)); /* the ticket is still good */
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_moves(user.turn), 1);
    tear_down();
}

LN_TEST(turn_client, fails_when_its_ticket_is_refused)
{
    static const uint16_t codes[] = { 400, 405, 437, 441 };

    for (size_t i = 0; i < 4; i++) {
        CHECK(mobile());
        another_address();
        server.refuse_move = codes[i];
        CHECK(ln_turn_client_move(user.turn, wire.now));
        run(LN_MILLISECONDS(20));
        CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_FAILED);
        /* 400 and 405 say nothing of the allocation: the Refresh after them does. */
        CHECK_EQUAL(ln_turn_client_error_code(user.turn), codes[i] < 437 ? 437 : codes[i]);
        tear_down();
    }
}

LN_TEST(turn_client, asks_again_without_a_ticket_where_moving_is_forbidden)
{
    set_up();
    config.mobile = true;
    server.mobility = TURN_DOUBLE_FORBIDS_MOVES;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(server.allocates, 2);
    CHECK(ln_turn_client_immobile(user.turn) && !ln_turn_client_mobile(user.turn));
    CHECK(!ln_turn_client_move(user.turn, wire.now));
    tear_down();
}

LN_TEST(turn_client, does_without_a_ticket_where_nobody_knows_of_them)
{
    set_up();
    config.mobile = true;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK_EQUAL(server.allocates, 1); /* it costs nothing */
    CHECK(!ln_turn_client_mobile(user.turn) && !ln_turn_client_immobile(user.turn));
    tear_down();
}

LN_TEST(turn_client, repeats_a_move_often_and_keeps_the_allocation_when_nobody_answers)
{
    ln_time begin;

    CHECK(mobile());
    another_address();
    server.silent = true;
    CHECK(ln_turn_client_move(user.turn, wire.now));
    begin = wire.now;
    run(LN_MILLISECONDS(650));
    server.silent = false;
    while (ln_turn_client_moves(user.turn) == 0 && wire.now < begin + LN_SECONDS(2))
        run(LN_MILLISECONDS(10));
    CHECK(wire.now - begin <= LN_MILLISECONDS(750)); /* not RFC 8489's 500 ms, doubled */
    another_address();
    server.silent = true;
    CHECK(ln_turn_client_move(user.turn, wire.now));
    run(LN_SECONDS(10));
    CHECK(!ln_turn_client_moving(user.turn));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    server.silent = false;
    CHECK(ln_turn_client_move(user.turn, wire.now));
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_moves(user.turn), 2);
    tear_down();
}

LN_TEST(turn_client, gives_an_allocation_back_that_was_under_way)
{
    CHECK(mobile());
    another_address();
    CHECK(ln_turn_client_move(user.turn, wire.now));
    ln_turn_client_close(user.turn, wire.now);
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(server.releases, 1);
    CHECK_EQUAL(turn_double_allocated(&server), 0);
    tear_down();
}

LN_TEST(turn_attack, a_ticket_that_is_too_long_is_not_kept)
{
    set_up();
    config.mobile = true;
    server.mobility = TURN_DOUBLE_MOVES;
    server.ticket_len = LN_TURN_CLIENT_TICKET_MAX + 1;
    CHECK(start());
    run(LN_MILLISECONDS(10));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    CHECK(!ln_turn_client_mobile(user.turn));
    tear_down();
}

LN_TEST(turn_attack, a_refusal_that_proves_nothing_ends_no_move)
{
    CHECK(mobile());
    another_address();
    server.refuse_move = 437;
    server.unsigned_errors = true;
    CHECK(ln_turn_client_move(user.turn, wire.now));
    run(LN_MILLISECONDS(50));
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    server.refuse_move = 0;
    run(LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_client_moves(user.turn), 1);
    tear_down();
}

LN_TEST(turn_attack, messages_that_nobody_asked_for_change_nothing)
{
    uint8_t data[64], *out;
    struct ln_stun_builder b;
    struct ln_stun_id id = { { 7 } };
    struct ln_address from, stranger;
    size_t len;
    int n;

    CHECK(permitted());
    CHECK(ln_address_parse("192.0.2.77:5000", &stranger) == 0);
    /* An answer without a request. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_SUCCESS, LN_STUN_REFRESH, &id);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    /* Data of a peer that we gave no permission. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_INDICATION, LN_STUN_DATA, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &stranger);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, "data", 4);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_dropped(user.turn, LN_TURN_CLIENT_DROP_PERMISSION), 1);
    /* A channel that was never bound, and data that ends past the message. */
    ln_channel_data_write_header(data, 0x4005, 4);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, data, 8, &from, &out, &len),
                LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, data, 7, &from, &out, &len),
                LN_ERR_MALFORMED);
    /* A request to us. */
    ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, LN_STUN_ALLOCATE, &id);
    n = ln_stun_finish(&b);
    CHECK_EQUAL(ln_turn_client_receive(user.turn, wire.now, data, (size_t)n, &from, &out, &len),
                LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_turn_client_state(user.turn), LN_TURN_CLIENT_READY);
    tear_down();
}

LN_TEST(turn_client, tables_have_limits)
{
    struct ln_address other = ln_address_ipv4(192, 0, 2, 100, 1000);
    size_t i;

    CHECK(allocated());
    server.silent = true;
    for (i = 0; i < LN_TURN_CLIENT_PERMISSIONS_MAX; i++, other.ip[3]++)
        CHECK(ln_turn_client_permit(user.turn, wire.now, &other) == 0);
    CHECK_EQUAL(ln_turn_client_permit(user.turn, wire.now, &other), LN_ERR_LIMIT);
    for (i = 0; i < LN_TURN_CLIENT_CHANNELS_MAX; i++, other.port++)
        CHECK(ln_turn_client_bind(user.turn, wire.now, &other) == 0);
    CHECK_EQUAL(ln_turn_client_bind(user.turn, wire.now, &other), LN_ERR_LIMIT);
    tear_down();
    set_up();
    {
        char text[LN_TURN_CLIENT_USERNAME_MAX + 2];

        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        config.username = text;
        CHECK_EQUAL(ln_turn_client_create(&user.turn, &config, test_env()),
                    LN_ERR_INVALID_ARGUMENT);
    }
}
