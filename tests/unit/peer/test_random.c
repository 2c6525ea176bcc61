/* SPDX-License-Identifier: Apache-2.0
 * The negotiation driven at random (tests/sim/negotiation.h; more seeds in the simulation), and
 * what a connection may do before its application agreed. */
#include "base/endpoint.h"
#include "tests/sim/negotiation.h"
#include "tests/unit/peer/pair.h"

#define SEEDS 120u

/* ATTACKS 63 */
LN_TEST(attack_63, negotiation_driven_at_random_keeps_its_states)
{
    struct outcome outcome;

    if (test_allocator()->fail_at > 0)
        return; /* memory that fails is another test's matter */
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        negotiation_run(1000000 + seed, &outcome);
}

static struct pair pair;
static size_t other_than_stun;

static bool count(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                  size_t len)
{
    (void)wire, (void)path;
    if (node == 1 && ln_packet_classify(data, len) != LN_PACKET_STUN)
        other_than_stun++;
    return false;
}

/* ATTACKS 63: an offer alone makes nobody send media, or even shake hands. */
LN_TEST(attack_63, nothing_but_checks_leaves_before_the_application_answers)
{
    struct ln_session_description offer;
    ln_rtp_transceiver *transceiver;
    ln_media_stream_track *track;
    ln_rtp_sender *sender;
    struct ln_frame *frame;
    ln_op_id op;

    pair_init(&pair, NULL);
    pair.wire.filter = count;
    other_than_stun = 0;
    CHECK(ln_media_stream_track_create(test_env(), LN_MEDIA_AUDIO, NULL, &track) == 0);
    CHECK(ln_peer_connection_add_track(pair.sides[1].pc, track, NULL, 0, &sender) == 0);
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL,
                                             &transceiver) == 0);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(ln_peer_connection_local_description(pair.sides[0].pc, &offer));
    CHECK(ln_peer_connection_set_remote_description(pair.sides[1].pc, &offer, &op) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), NULL));
    frame = ln_frame_create(test_env()->allocator, 80);
    CHECK(frame != NULL);
    frame->kind = LN_MEDIA_AUDIO;
    frame->codec = LN_CODEC_OPUS;
    CHECK(ln_rtp_sender_codec(sender) == LN_CODEC_NONE);
    CHECK(ln_rtp_sender_send_frame(sender, pair.wire.now, frame) == LN_ERR_INVALID_STATE);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(other_than_stun == 0);
    ln_frame_unref(frame);
    ln_media_stream_track_unref(track);
    pair_free(&pair);
}

/* An answer that was created for the offer before is none for this one; found by the above. */
LN_TEST(attack_63, an_answer_to_an_offer_that_was_replaced_is_refused)
{
    struct ln_session_description offer, answer = { LN_SDP_TYPE_ANSWER, NULL };
    ln_rtp_transceiver *transceiver;
    ln_op_id op;

    pair_init(&pair, NULL);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_peer_connection_local_description(pair.sides[0].pc, &offer));
    CHECK(ln_peer_connection_set_remote_description(pair.sides[1].pc, &offer, &op) == 0);
    CHECK(ln_peer_connection_create_answer(pair.sides[1].pc, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[1].last_error == 0 && pair.sides[1].description);
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_VIDEO, NULL, NULL,
                                             &transceiver) == 0);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_peer_connection_local_description(pair.sides[0].pc, &offer));
    CHECK(ln_peer_connection_set_remote_description(pair.sides[1].pc, &offer, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[1].last_error == 0);
    answer.sdp = pair.sides[1].description;
    CHECK(ln_peer_connection_set_local_description(pair.sides[1].pc, &answer, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[1].last_error == LN_ERR_INVALID_MODIFICATION);
    pair_free(&pair);
}
