/* SPDX-License-Identifier: Apache-2.0
 * Peer connections of which one is lite, or both (RFC 8445, 2.5; RFC 8839, 5.3): descriptions,
 * handshake, messages and media; what leaves and when. */
#include "base/bytes.h"
#include "peer/peer_connection.h"
#include "tests/unit/peer/pair.h"
#include "tests/unit/peer/steps.h"

static struct pair pair; /* large */
static struct {
    unsigned requests[2]; /* checks that left side 0 and side 1 */
    size_t other[2];      /* what is no STUN, in bytes */
    bool drop_requests, deaf;
} seen;

static bool watch(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                  size_t len)
{
    bool is_stun = len >= 20 && data[0] < 4, is_request = is_stun && ln_load16(data) == 1;

    (void)wire;
    (void)path;
    seen.requests[node] += is_request;
    seen.other[node] += is_stun ? 0 : len;
    return (is_request && seen.drop_requests) || (!is_stun && seen.deaf && node == 0);
}

/* `lite`: a bit for each side. Side 0 offers. */
static void begin(unsigned lite)
{
    struct ln_configuration configurations[2];

    memset(&seen, 0, sizeof seen);
    for (int i = 0; i < 2; i++) {
        ln_configuration_init(&configurations[i]);
        configurations[i].ice_lite = lite >> i & 1;
    }
    pair_init_with(&pair, &configurations[0], &configurations[1]);
    pair.wire.filter = watch;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL,
                                                 &pair.sides[0].channels[0]) == 0);
    pair.sides[0].channel_count = 1;
    step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
}

static bool says_lite(const struct ln_session_description *description)
{
    const char *line = strstr(description->sdp, "\r\na=ice-lite\r\n");

    CHECK(!line || line < strstr(description->sdp, "\r\nm=")); /* RFC 8839, 5.3: session level */
    return line != NULL;
}

static enum ln_ice_role role(int side)
{
    return ln_ice_transport_role(ln_dtls_transport_ice_transport(
        ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[side].pc))));
}

static bool got_message(struct pair *p)
{
    return p->sides[0].messages > 0 && p->sides[1].messages > 0;
}

static void converse(void)
{
    pair.sides[0].messages = pair.sides[1].messages = 0;
    for (int i = 0; i < 2; i++)
        CHECK(ln_data_channel_send_text(pair.sides[i].channels[0], "hello", 5) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), got_message));
}

LN_TEST(lite, either_side_may_be_so_or_both_and_says_it)
{
    for (unsigned lite = 1; lite < 4; lite++) {
        begin(lite);
        CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
        converse();
        CHECK(pair_run(&pair, LN_SECONDS(60), NULL));
        converse();
        for (int i = 0; i < 2; i++) {
            struct ln_session_description local;

            CHECK(ln_peer_connection_current_local_description(pair.sides[i].pc, &local));
            CHECK_EQUAL(says_lite(&local), lite >> i & 1);
            CHECK_EQUAL(seen.requests[i] == 0, (lite >> i & 1) || lite == 3);
        }
        CHECK_EQUAL(role(0), lite == 1 ? LN_ICE_ROLE_CONTROLLED : LN_ICE_ROLE_CONTROLLING);
        CHECK_EQUAL(role(1), lite == 1 ? LN_ICE_ROLE_CONTROLLING : LN_ICE_ROLE_CONTROLLED);
        pair_free(&pair);
    }
}

LN_TEST(lite, an_ice_restart_from_either_side_goes_on)
{
    for (int side = 0; side < 2; side++) {
        begin(2);
        CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
        ln_peer_connection_restart_ice(pair.sides[side].pc);
        CHECK(pair_run(&pair, LN_SECONDS(10), NULL));
        converse();
        CHECK_EQUAL(seen.requests[1], 0);
        pair_free(&pair);
    }
}

/* ATTACKS 13 */
LN_TEST(lite, nothing_leaves_it_30_s_after_the_last_check)
{
    size_t before;

    begin(2);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    CHECK(pair_run(&pair, LN_SECONDS(10), NULL)); /* it asks for consent */
    seen.drop_requests = true;
    CHECK(pair_run(&pair, LN_SECONDS(20), NULL));
    before = seen.other[1];
    (void)!ln_data_channel_send_text(pair.sides[1].channels[0], "still there", 11);
    CHECK(pair_run(&pair, LN_SECONDS(12), NULL));
    CHECK(seen.other[1] > before);
    before = seen.other[1];
    for (int i = 0; i < 100; i++) {
        (void)!ln_data_channel_send_text(pair.sides[1].channels[0], "still there", 11);
        (void)!ln_data_channel_send_text(pair.sides[0].channels[0], "I am", 4);
        CHECK(pair_run(&pair, LN_MILLISECONDS(100), NULL));
    }
    CHECK_EQUAL(seen.other[1], before);
    CHECK(ln_peer_connection_ice_connection_state(pair.sides[1].pc) ==
          LN_ICE_CONNECTION_STATE_FAILED);
    pair_free(&pair);
}

/* A nomination with a forged source makes it answer a hello there; not for long. */
LN_TEST(lite, a_handshake_that_nobody_answers_costs_little)
{
    begin(3);
    seen.deaf = true; /* the server's flight reaches nobody */
    CHECK(!pair_run(&pair, LN_SECONDS(40), pair_open));
    CHECK(seen.other[0] > 1000 && seen.other[0] < 8192 + 3 * seen.other[1] + 1500);
    CHECK(seen.other[1] > 100 && seen.other[1] < 8192 + 1500);
    pair_free(&pair);
}

LN_TEST(lite, cannot_be_changed_and_not_be_joined_with_the_relay_policy)
{
    struct ln_configuration configuration;
    ln_peer_connection *pc;

    begin(0);
    ln_peer_connection_get_configuration(pair.sides[0].pc, &configuration);
    configuration.ice_lite = true;
    CHECK_EQUAL(ln_peer_connection_set_configuration(pair.sides[0].pc, &configuration),
                LN_ERR_INVALID_MODIFICATION);
    ln_configuration_init(&configuration);
    configuration.ice_lite = true;
    configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    CHECK_EQUAL(ln_peer_connection_create(&configuration, test_env(), &pc),
                LN_ERR_INVALID_ARGUMENT);
    pair_free(&pair);
}
