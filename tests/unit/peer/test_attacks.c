/* SPDX-License-Identifier: Apache-2.0
 * Attacks on a whole connection (docs/attacks.md): what needs ICE, DTLS, SRTP and SCTP together. */
#include "tests/unit/peer/steps.h"

#include "base/address.h"
#include "base/bytes.h"
#include "peer/peer_connection.h"

#include <linnet/certificate.h>

static struct pair pair;

static struct {
    struct ln_path path[2]; /* of the last packet of each side */
    size_t dtls[2], other[2];
    bool drop_dtls, drop_answers;
    uint8_t hello[1500]; /* the first flight of the DTLS client, side 1 */
    size_t hello_len;
    struct ln_address stranger; /* nothing may leave for it */
    size_t to_stranger;
} seen;

/* A success response of STUN (RFC 8489, 5). */
static bool is_answer(const uint8_t *data, size_t len)
{
    return ln_packet_classify(data, len) == LN_PACKET_STUN && (ln_load16(data) & 0x0110) == 0x0100;
}

static bool watch(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                  size_t len)
{
    enum ln_packet_kind kind = ln_packet_classify(data, len);

    (void)wire;
    seen.path[node] = *path;
    seen.to_stranger += ln_address_equal(&path->remote, &seen.stranger);
    if (kind == LN_PACKET_DTLS) {
        seen.dtls[node]++;
        if (node == 1 && !seen.hello_len && len <= sizeof seen.hello) {
            memcpy(seen.hello, data, len);
            seen.hello_len = len;
        }
    }
    seen.other[node] += kind != LN_PACKET_STUN;
    return (kind == LN_PACKET_DTLS && seen.drop_dtls) ||
           (node == 1 && seen.drop_answers && is_answer(data, len));
}

static void begin(void)
{
    memset(&seen, 0, sizeof seen);
    pair_init(&pair, NULL);
    pair.wire.filter = watch;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL,
                                                 &pair.sides[0].channels[0]) == 0);
    pair.sides[0].channel_count = 1;
    step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
}

/* ATTACKS 13: the path still carries everything but answers to our own checks. */
LN_TEST(attack_13, without_consent_nothing_but_checks_leaves)
{
    size_t before;

    begin();
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    seen.drop_answers = true;
    CHECK(pair_run(&pair, LN_SECONDS(32), NULL));
    before = seen.other[0];
    CHECK(before > 0);
    for (int i = 0; i < 100; i++) {
        (void)!ln_data_channel_send_text(pair.sides[0].channels[0], "still there", 11);
        CHECK_EQUAL(ln_data_channel_send_text(pair.sides[1].channels[0], "I am", 4), 0);
        CHECK(pair_run(&pair, LN_MILLISECONDS(100), NULL));
    }
    CHECK_EQUAL(seen.other[0], before);
    CHECK(ln_peer_connection_ice_connection_state(pair.sides[0].pc) ==
          LN_ICE_CONNECTION_STATE_FAILED);
    pair_free(&pair);
}

/* ATTACKS 30: the hello of somebody else comes before the right one. */
LN_TEST(attack_30, a_hello_from_an_address_without_a_check_changes_nothing)
{
    struct ln_path stranger;

    begin();
    seen.drop_dtls = true;
    CHECK(!pair_run(&pair, LN_SECONDS(2), pair_open));
    CHECK(seen.hello_len > 100);
    CHECK_EQUAL(seen.dtls[0], 0); /* the server waits */
    stranger = seen.path[0];
    stranger.remote.port ^= 1;
    seen.stranger = stranger.remote;
    for (int i = 0; i < 10; i++) {
        wire_inject(&pair.wire, 0, &stranger, seen.hello, seen.hello_len);
        (void)pair_run(&pair, LN_MILLISECONDS(100), NULL);
    }
    CHECK_EQUAL(seen.dtls[0], 0);
    CHECK_EQUAL(seen.to_stranger, 0);
    CHECK(ln_dtls_state(pair.sides[0].pc->transport.dtls) != LN_DTLS_STATE_FAILED);
    seen.drop_dtls = false;
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    CHECK_EQUAL(seen.to_stranger, 0);
    pair_free(&pair);
}

/* ATTACKS 49: media before the keys, from the right address: a few packets wait, no more. */
LN_TEST(attack_49, media_before_the_keys_is_kept_within_a_limit)
{
    uint8_t packet[200] = { 0x80, 111 };
    struct ln_peer_connection *victim;

    begin();
    seen.drop_dtls = true;
    CHECK(!pair_run(&pair, LN_SECONDS(2), pair_open));
    victim = pair.sides[0].pc;
    for (unsigned i = 0; i < 1000; i++) {
        ln_store16(packet + 2, (uint16_t)i);
        ln_store32(packet + 8, 0x5000 + i);
        wire_inject(&pair.wire, 0, &seen.path[0], packet, sizeof packet);
    }
    CHECK_EQUAL(victim->media.early_count, 32);
    CHECK_EQUAL(victim->transport.dropped[LN_TRANSPORT_DROP_NO_KEYS], 968);
    seen.drop_dtls = false;
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    CHECK_EQUAL(victim->media.early_count, 0);
    CHECK_EQUAL(victim->transport.dropped[LN_TRANSPORT_DROP_SRTP], 32); /* none was authentic */
    pair_free(&pair);
}

/* ATTACKS 63. */
LN_TEST(attack_63, ten_thousand_connections_come_and_go)
{
    struct ln_configuration configuration;
    ln_certificate *certificate;
    ln_op_id op;

    if (test_allocator()->fail_at > 0)
        return; /* memory that fails is another test's matter */
    pair_init(&pair, NULL);
    CHECK(ln_peer_connection_generate_certificate(test_env(), LN_KEY_ALGORITHM_ECDSA_P256,
                                                  LN_SECONDS(86400), &certificate) == 0);
    ln_configuration_init(&configuration);
    configuration.certificates = &certificate;
    configuration.certificate_count = 1;
    for (unsigned i = 0; i < 10000; i++) {
        ln_rtp_transceiver *transceiver;
        ln_peer_connection *pc;
        ln_data_channel *channel;

        CHECK(ln_peer_connection_create(&configuration, test_env(), &pc) == 0);
        CHECK(ln_peer_connection_create_data_channel(pc, "x", NULL, &channel) == 0);
        if (i % 8 == 0) {
            CHECK(ln_peer_connection_add_transceiver(pc, LN_MEDIA_VIDEO, NULL, NULL,
                                                     &transceiver) == 0);
            CHECK(ln_peer_connection_set_local_description(pc, NULL, &op) == 0);
            ln_peer_connection_on_timeout(pc, pair.wire.now);
        }
        if (i % 2 == 0)
            ln_peer_connection_close(pc);
        ln_peer_connection_free(pc);
    }
    ln_certificate_unref(certificate);
    pair_free(&pair); /* the runner looks for what was not given back */
}
