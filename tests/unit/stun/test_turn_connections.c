/* SPDX-License-Identifier: Apache-2.0
 * A TURN client's connections (RFC 6062, 4): what it asks, what it believes, what it forgets. The
 * server is written down here, message by message. */
#include "base/address.h"
#include "stun/turn_client.h"
#include "tests/support/test.h"

#include <linnet/error.h>

static struct ln_turn_client *turn;
static struct ln_address peer;
static ln_time now;

/* ---- the server's side ---- */

static uint8_t request[LN_TURN_CLIENT_MESSAGE_MAX];
static struct ln_stun_message asked;

/* What the client sends on its control connection, or (number) on a stream: there is one. */
static void take(uint32_t number)
{
    int len = number ? ln_turn_client_bind_poll(turn, now, number, request, sizeof request)
                     : ln_turn_client_poll(turn, now, request, sizeof request);

    CHECK(len > 0);
    CHECK(ln_stun_parse(request, (size_t)len, &asked) == 0);
}

enum integrity { UNSIGNED, SIGNED, FORGED };

/* Answers `asked`; `value` is the CONNECTION-ID of a success, or the code of an error. */
static int answer(uint32_t number, enum integrity integrity, enum ln_stun_class kind,
                  uint32_t value, const char *nonce)
{
    uint8_t data[300], key[16], *ret_data;
    struct ln_address address;
    struct ln_stun_builder b;
    size_t ret_len;
    int len;

    ln_stun_begin(&b, data, sizeof data, kind, asked.method, &asked.id);
    if (kind == LN_STUN_ERROR)
        ln_stun_add_error(&b, (uint16_t)value, NULL);
    else if (value)
        ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, value);
    if (nonce) {
        ln_stun_add_text(&b, LN_STUN_REALM, "example.org");
        ln_stun_add_text(&b, LN_STUN_NONCE, nonce);
    }
    if (asked.method == LN_STUN_ALLOCATE && kind == LN_STUN_SUCCESS) {
        CHECK(ln_address_parse("203.0.113.1:50000", &address) == 0);
        ln_stun_add_xor_address(&b, LN_STUN_XOR_RELAYED_ADDRESS, &address);
    }
    ln_stun_long_term_key(test_bytes("user"), test_bytes("example.org"),
                          test_bytes(integrity == FORGED ? "guess" : "secret"), key);
    if (integrity != UNSIGNED)
        ln_stun_add_integrity(&b, (struct ln_bytes){ key, sizeof key });
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return number ? ln_turn_client_bind_receive(turn, now, number, data, (size_t)len)
                  : ln_turn_client_receive(turn, now, data, (size_t)len, &address, &ret_data,
                                           &ret_len);
}

static int attempt(uint32_t connection, const char *from)
{
    uint8_t data[100], *ret_data;
    struct ln_stun_id id = { { 7 } };
    struct ln_address address;
    struct ln_stun_builder b;
    size_t ret_len;
    int len;

    CHECK(ln_address_parse(from, &address) == 0);
    ln_stun_begin(&b, data, sizeof data, LN_STUN_INDICATION, LN_STUN_CONNECTION_ATTEMPT, &id);
    ln_stun_add_u32(&b, LN_STUN_CONNECTION_ID, connection);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &address);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return ln_turn_client_receive(turn, now, data, (size_t)len, &address, &ret_data, &ret_len);
}

static uint64_t dropped(enum ln_turn_client_drop reason)
{
    return ln_turn_client_dropped(turn, reason);
}

/* ---- the client's ---- */

static void allocate(bool tcp)
{
    struct ln_turn_client_config config = {
        .username = "user", .password = "secret", .stream = true, .connections = tcp
    };

    now = LN_SECONDS(1000);
    CHECK(ln_address_parse("198.51.100.66:4000", &peer) == 0);
    CHECK(ln_turn_client_create(&turn, &config, test_env()) == 0);
    ln_turn_client_start(turn, now);
    take(0);
    CHECK(answer(0, UNSIGNED, LN_STUN_ERROR, 401, "one") == 0);
    take(0);
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 0, NULL) == 0);
    CHECK_EQUAL(ln_turn_client_state(turn), LN_TURN_CLIENT_READY);
}

static void permit(void)
{
    CHECK(ln_turn_client_permit(turn, now, &peer) == 0);
    take(0);
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 0, NULL) == 0);
}

static uint32_t connect_peer(void)
{
    uint32_t number;

    CHECK(ln_turn_client_connect(turn, now, &peer, &number) == 0);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_ASKED);
    take(0);
    return number;
}

LN_TEST(turn_connection, an_allocation_asks_for_tcp_and_only_such_a_one_has_connections)
{
    uint32_t transport, number;

    for (int tcp = 0; tcp < 2; tcp++) {
        allocate(tcp);
        ln_turn_client_free(turn);
    }
    CHECK(ln_stun_find_u32(&asked, LN_STUN_REQUESTED_TRANSPORT, &transport));
    CHECK_EQUAL(transport >> 24, 6);
    allocate(false);
    CHECK_EQUAL(ln_turn_client_connect(turn, now, &peer, &number), LN_ERR_INVALID_STATE);
    permit();
    CHECK(attempt(1, "198.51.100.66:4000") < 0);
    CHECK_EQUAL(dropped(LN_TURN_CLIENT_DROP_KIND), 1);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, connect_names_the_peer_and_bind_echoes_the_identifier)
{
    struct ln_address named;
    uint32_t number, id;

    allocate(true);
    number = connect_peer();
    CHECK_EQUAL(asked.method, LN_STUN_CONNECT);
    CHECK(ln_stun_find_xor_address(&asked, LN_STUN_XOR_PEER_ADDRESS, &named));
    CHECK(ln_address_equal(&named, &peer));
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 0xabcd1234, NULL) == 0);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_THERE);
    CHECK(ln_turn_client_bind_poll(turn, now, number, request, sizeof request) == 0);
    ln_turn_client_bind_connection(turn, now, number);
    take(number);
    CHECK_EQUAL(asked.method, LN_STUN_CONNECTION_BIND);
    CHECK(ln_stun_find_u32(&asked, LN_STUN_CONNECTION_ID, &id));
    CHECK_EQUAL(id, 0xabcd1234);
    CHECK(answer(number, SIGNED, LN_STUN_SUCCESS, 0, NULL) == 0);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_BOUND);
    ln_turn_client_forget_connection(turn, number);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_NONE);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, a_stale_nonce_costs_a_bind_one_more_round)
{
    uint32_t number;
    struct ln_bytes nonce;

    allocate(true);
    number = connect_peer();
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 5, NULL) == 0);
    ln_turn_client_bind_connection(turn, now, number);
    take(number);
    CHECK(answer(number, UNSIGNED, LN_STUN_ERROR, 438, "two") == 0);
    take(number);
    CHECK(ln_stun_find(&asked, LN_STUN_NONCE, &nonce) && nonce.len == 3 &&
          memcmp(nonce.data, "two", 3) == 0);
    CHECK(answer(number, SIGNED, LN_STUN_SUCCESS, 0, NULL) == 0);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_BOUND);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, answers_that_are_forged_refused_or_lack_the_identifier_end_it)
{
    static const struct {
        enum integrity integrity;
        enum ln_stun_class kind;
        uint32_t value;
    } wrong[] = { { FORGED, LN_STUN_SUCCESS, 5 }, { UNSIGNED, LN_STUN_SUCCESS, 5 },
                  { SIGNED, LN_STUN_SUCCESS, 0 }, { SIGNED, LN_STUN_ERROR, 447 },
                  { SIGNED, LN_STUN_ERROR, 446 }, { UNSIGNED, LN_STUN_ERROR, 403 } };
    uint32_t number;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        allocate(true);
        number = connect_peer();
        (void)answer(0, wrong[i].integrity, wrong[i].kind, wrong[i].value, NULL);
        CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_NONE);
        CHECK_EQUAL(ln_turn_client_state(turn), LN_TURN_CLIENT_READY);
        ln_turn_client_free(turn);
    }
}

LN_TEST(turn_connection, what_answers_a_bind_elsewhere_or_twice_is_dropped)
{
    uint32_t number;

    allocate(true);
    number = connect_peer();
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 5, NULL) == 0);
    ln_turn_client_bind_connection(turn, now, number);
    take(number);
    CHECK(answer(0, SIGNED, LN_STUN_SUCCESS, 0, NULL) < 0); /* on the control connection */
    CHECK(answer(number + 1, SIGNED, LN_STUN_SUCCESS, 0, NULL) < 0);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_BINDING);
    CHECK(answer(number, SIGNED, LN_STUN_SUCCESS, 0, NULL) == 0);
    CHECK(answer(number, SIGNED, LN_STUN_SUCCESS, 0, NULL) < 0);
    CHECK_EQUAL(dropped(LN_TURN_CLIENT_DROP_TRANSACTION), 3);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_BOUND);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, peers_with_a_permission_are_told_once_and_others_never)
{
    struct ln_address from;
    uint32_t number = 0;

    allocate(true);
    CHECK(attempt(1, "198.51.100.66:4000") < 0);
    CHECK_EQUAL(dropped(LN_TURN_CLIENT_DROP_PERMISSION), 1);
    permit();
    CHECK(attempt(2, "198.51.100.66:4001") == 0);
    CHECK(attempt(2, "198.51.100.66:4002") < 0); /* the same identifier */
    CHECK(attempt(3, "198.51.100.67:4000") < 0);
    CHECK_EQUAL(dropped(LN_TURN_CLIENT_DROP_CONNECTION), 1);
    CHECK(ln_turn_client_next_attempt(turn, &from, &number));
    CHECK_EQUAL(from.port, 4001);
    CHECK(!ln_turn_client_next_attempt(turn, &from, &number));
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_THERE);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, there_are_few_and_those_that_nobody_binds_end_after_30_s)
{
    struct ln_address from;
    uint32_t number = 0, last = 0;

    allocate(true);
    permit();
    for (uint32_t i = 1; i <= 100; i++)
        (void)attempt(i, "198.51.100.66:4000");
    CHECK_EQUAL(dropped(LN_TURN_CLIENT_DROP_CONNECTION), 100 - LN_TURN_CLIENT_CONNECTIONS_MAX);
    CHECK_EQUAL(ln_turn_client_connect(turn, now, &peer, &number), LN_ERR_LIMIT);
    while (ln_turn_client_next_attempt(turn, &from, &number))
        CHECK(number != last && (last = number) != 0);
    now += LN_TURN_CLIENT_ATTEMPT_LIFE;
    CHECK(ln_turn_client_next_timeout(turn) <= now);
    ln_turn_client_on_timeout(turn, now);
    CHECK_EQUAL(ln_turn_client_connection_state(turn, number), LN_TURN_CLIENT_CONNECTION_NONE);
    CHECK(ln_turn_client_connect(turn, now, &peer, &number) == 0);
    ln_turn_client_free(turn);
}

LN_TEST(turn_connection, a_permission_is_kept_while_the_allocation_lives)
{
    allocate(true);
    permit();
    now += LN_TURN_CLIENT_PERMISSION_LIFE - LN_SECONDS(60);
    ln_turn_client_on_timeout(turn, now);
    take(0);
    CHECK_EQUAL(asked.method, LN_STUN_CREATE_PERMISSION);
    ln_turn_client_free(turn);
}
