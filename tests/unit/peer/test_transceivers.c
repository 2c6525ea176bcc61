/* SPDX-License-Identifier: Apache-2.0
 * Transceivers: who is reused, what asks for negotiation and how often, directions, recycling,
 * parameters, tracks (W3C 5; RFC 8829, 5). */
#include "tests/unit/peer/steps.h"

#include <stdio.h>

static struct pair pair; /* large */

static enum ln_rtp_transceiver_direction current(const ln_rtp_transceiver *t)
{
    enum ln_rtp_transceiver_direction direction;

    CHECK(ln_rtp_transceiver_current_direction(t, &direction));
    return direction;
}

static size_t needed(void)
{
    size_t count;

    pair_settle(&pair);
    count = step_count(&pair, 0, "negotiationneeded");
    step_forget(&pair, 0);
    return count;
}

LN_TEST(transceivers, negotiation_is_asked_for_once_for_each_need)
{
    ln_rtp_transceiver *t;
    ln_rtp_sender *sender;

    steps_begin(&pair);
    CHECK_EQUAL(needed(), 0);
    t = step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_channel(&pair, 0);
    CHECK_EQUAL(needed(), 1);
    step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(needed(), 0); /* was told */
    step_exchange(&pair, 0);
    CHECK_EQUAL(needed(), 0);
    step_add_channel(&pair, 0);
    CHECK_EQUAL(needed(), 0); /* there is a section */
    CHECK(ln_rtp_transceiver_set_direction(t, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV) == 0);
    CHECK_EQUAL(needed(), 0);
    CHECK(ln_rtp_transceiver_set_direction(t, LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE) == 0);
    CHECK_EQUAL(needed(), 1);
    step_exchange(&pair, 0);
    CHECK_EQUAL(needed(), 0);
    sender = step_add_track(&pair, 0, LN_MEDIA_AUDIO); /* inactive becomes sendonly */
    CHECK_EQUAL(needed(), 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK(ln_peer_connection_remove_track(pair.sides[0].pc, sender) == 0);
    CHECK_EQUAL(needed(), 0); /* not while an offer stands */
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_text(&pair, 0)), 0);
    step_answer(&pair, 1, 0);
    CHECK_EQUAL(needed(), 1); /* but after it */
    step_exchange(&pair, 0);
    CHECK_EQUAL(needed(), 0);
    CHECK(ln_rtp_transceiver_stop(t) == 0);
    CHECK_EQUAL(needed(), 1);
    step_exchange(&pair, 1);  /* the other side's offer does not settle it */
    CHECK_EQUAL(needed(), 0); /* the answer refused the section: that is enough */
    steps_end(&pair);
}

LN_TEST(transceivers, an_answer_asks_for_nothing_it_could_not_say)
{
    steps_begin(&pair);
    step_add_transceiver(&pair, 1, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_offer(&pair, 1, 0);
    CHECK_EQUAL(ln_rtp_transceiver_direction(step_transceiver(&pair, 0, 0)),
                LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    step_add_track(&pair, 0, LN_MEDIA_AUDIO); /* takes the offered section */
    CHECK_EQUAL(ln_rtp_transceiver_direction(step_transceiver(&pair, 0, 0)),
                LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_answer(&pair, 0, 1);
    CHECK_EQUAL(needed(), 0);
    CHECK_EQUAL(current(step_transceiver(&pair, 0, 0)), LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(current(step_transceiver(&pair, 1, 0)), LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    CHECK_EQUAL(pair.sides[1].tracks, 1);
    step_add_track(&pair, 0, LN_MEDIA_AUDIO); /* a second one needs a section */
    CHECK_EQUAL(needed(), 1);
    steps_end(&pair);
}

LN_TEST(transceivers, addtrack_reuses_what_never_sent)
{
    ln_rtp_transceiver *first, *second;
    ln_rtp_sender *sender;
    ln_media_stream_track *track;

    steps_begin(&pair);
    first = step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    sender = step_add_track(&pair, 0, LN_MEDIA_VIDEO);
    CHECK(sender == ln_rtp_transceiver_sender(first));
    CHECK_EQUAL(ln_rtp_transceiver_direction(first), LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    track = ln_rtp_sender_track(sender);
    CHECK_EQUAL(ln_peer_connection_add_track(pair.sides[0].pc, track, NULL, 0, &sender),
                LN_ERR_INVALID_ACCESS);
    step_exchange(&pair, 0);
    CHECK_EQUAL(current(first), LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY);
    CHECK(ln_peer_connection_remove_track(pair.sides[0].pc, sender) == 0);
    CHECK(ln_peer_connection_remove_track(pair.sides[0].pc, sender) == 0); /* nothing */
    CHECK_EQUAL(ln_peer_connection_remove_track(pair.sides[1].pc, sender), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(ln_rtp_transceiver_direction(first), LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    sender = step_add_track(&pair, 0, LN_MEDIA_VIDEO); /* the first has sent: a new one */
    second = step_transceiver(&pair, 0, 1);
    CHECK(sender == ln_rtp_transceiver_sender(second));
    steps_end(&pair);
}

LN_TEST(transceivers, a_remote_section_is_adopted_only_by_what_addtrack_made)
{
    ln_rtp_sender *sender;

    steps_begin(&pair);
    step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    sender = step_add_track(&pair, 0, LN_MEDIA_VIDEO);
    step_add_transceiver(&pair, 1, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_transceiver(&pair, 1, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_exchange(&pair, 1);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 3);
    CHECK(ln_rtp_transceiver_mid(step_transceiver(&pair, 0, 0)) == NULL);
    CHECK(ln_rtp_transceiver_sender(step_transceiver(&pair, 0, 1)) == sender);
    CHECK_TEXT(ln_rtp_transceiver_mid(step_transceiver(&pair, 0, 1)), "1");
    CHECK_TEXT(ln_rtp_transceiver_mid(step_transceiver(&pair, 0, 2)), "0");
    steps_end(&pair);
}

LN_TEST(transceivers, directions_of_both_sides_meet)
{
    static const enum ln_rtp_transceiver_direction all[] = {
        LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV, LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
        LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY, LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE
    };

    if (test_allocator()->fail_at > 0)
        return; /* a sweep over all of them would take minutes */
    for (int offered = 0; offered < 4; offered++) {
        for (int answered = 0; answered < 4; answered++) {
            bool there = offered < 2 && !(answered & 1); /* offerer sends */
            bool back = !(offered & 1) && answered < 2;  /* answerer sends */

            steps_begin(&pair);
            step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, all[offered]);
            step_offer(&pair, 0, 1);
            CHECK(ln_rtp_transceiver_set_direction(step_transceiver(&pair, 1, 0), all[answered]) ==
                  0);
            step_answer(&pair, 1, 0);
            CHECK_EQUAL(current(step_transceiver(&pair, 0, 0)),
                        all[(there ? 0 : 2) + (back ? 0 : 1)]);
            CHECK_EQUAL(current(step_transceiver(&pair, 1, 0)),
                        all[(back ? 0 : 2) + (there ? 0 : 1)]);
            CHECK_EQUAL(pair.sides[0].tracks, back);
            CHECK_EQUAL(pair.sides[1].tracks, offered < 2);
            CHECK_EQUAL(needed(), 0);
            steps_end(&pair);
        }
    }
}

LN_TEST(transceivers, a_stopped_section_is_recycled_under_a_new_mid)
{
    ln_rtp_transceiver *t, *next;

    steps_begin(&pair);
    t = step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_channel(&pair, 0);
    step_exchange(&pair, 0);
    CHECK_TEXT(ln_rtp_transceiver_mid(t), "0");
    CHECK(ln_rtp_transceiver_stop(t) == 0);
    CHECK_EQUAL(ln_rtp_transceiver_set_direction(t, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV),
                LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1); /* stopping */
    step_exchange(&pair, 0);
    CHECK_EQUAL(current(t), LN_RTP_TRANSCEIVER_DIRECTION_STOPPED);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 0);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[1].pc), 0);
    next = step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_exchange(&pair, 0);
    CHECK_TEXT(ln_rtp_transceiver_mid(next), "2");
    CHECK(strstr(step_text(&pair, 0), "m=audio") == NULL);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[1].pc), 1);
    steps_end(&pair);
}

static int set_parameters(ln_rtp_sender *sender, const struct ln_rtp_parameters *parameters)
{
    ln_op_id op;

    CHECK(ln_rtp_sender_set_parameters(sender, parameters, &op) == 0);
    pair_settle(&pair);
    return pair.sides[0].last_error;
}

LN_TEST(transceivers, only_encodings_of_fresh_parameters_may_be_set)
{
    struct ln_rtp_parameters parameters, changed;
    ln_rtp_sender *sender;

    steps_begin(&pair);
    sender = step_add_track(&pair, 0, LN_MEDIA_VIDEO);
    step_exchange(&pair, 0);
    memset(&parameters, 0, sizeof parameters);
    CHECK_EQUAL(set_parameters(sender, &parameters), LN_ERR_INVALID_STATE); /* not got before */
    ln_rtp_sender_get_parameters(sender, &parameters);
    changed = parameters;
    changed.transaction_id[0] ^= 1;
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_INVALID_MODIFICATION);
    changed = parameters;
    changed.encoding_count = 0;
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_INVALID_MODIFICATION);
    changed = parameters;
    changed.codecs[0].payload_type++;
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_INVALID_MODIFICATION);
    changed = parameters;
    changed.header_extensions[0].id++;
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_INVALID_MODIFICATION);
    changed = parameters;
    strcpy(changed.encodings[0].rid, "r");
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_INVALID_MODIFICATION);
    changed = parameters;
    changed.encodings[0].scale_resolution_down_by = 0.5;
    CHECK_EQUAL(set_parameters(sender, &changed), LN_ERR_RANGE);
    parameters.encodings[0].max_bitrate_bps = 100000;
    CHECK_EQUAL(set_parameters(sender, &parameters), 0);
    CHECK_EQUAL(set_parameters(sender, &parameters), LN_ERR_INVALID_STATE); /* used up */
    ln_rtp_sender_get_parameters(sender, &parameters);
    CHECK_EQUAL(parameters.encodings[0].max_bitrate_bps, 100000);
    steps_end(&pair);
}

/* What waited for a path would come a second late, and the sound behind it. */
LN_TEST(transceivers, without_a_track_or_a_connection_a_sender_sends_nothing)
{
    struct ln_frame *frame;
    ln_rtp_sender *sender;
    ln_op_id op;

    steps_begin(&pair);
    pair.drop_candidates = false;
    sender = step_add_track(&pair, 0, LN_MEDIA_AUDIO);
    step_exchange(&pair, 0);
    frame = ln_frame_create(test_env()->allocator, 80);
    CHECK(frame != NULL);
    frame->kind = LN_MEDIA_AUDIO;
    frame->codec = LN_CODEC_OPUS;
    frame->clock_rate_hz = 48000;
    CHECK_EQUAL(ln_rtp_sender_send_frame(sender, pair.wire.now, frame), LN_ERR_INVALID_STATE);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK_EQUAL(ln_rtp_sender_send_frame(sender, pair.wire.now, frame), 0);
    CHECK(ln_rtp_sender_replace_track(sender, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_rtp_sender_track(sender) == NULL);
    CHECK_EQUAL(ln_rtp_sender_send_frame(sender, pair.wire.now, frame), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(needed(), 0); /* replaceTrack() asks for nothing */
    ln_frame_unref(frame);
    steps_end(&pair);
}

static size_t targets;

static void count_target(struct side *side, const struct ln_event *event)
{
    targets += side->index == 0 && event->u.encoder_target.active;
}

LN_TEST(transceivers, encoder_targets_do_not_pile_up)
{
    ln_rtp_sender *sender;
    struct ln_rtp_parameters parameters;
    ln_op_id op;

    steps_begin(&pair);
    pair.drop_candidates = false;
    sender = step_add_track(&pair, 0, LN_MEDIA_VIDEO);
    step_exchange(&pair, 0);
    CHECK(pair_run(&pair, LN_SECONDS(3), pair_connected));
    targets = 0;
    pair.on_target = count_target;
    for (uint32_t i = 1; i <= 20; i++) { /* nobody takes the events meanwhile */
        ln_rtp_sender_get_parameters(sender, &parameters);
        parameters.encodings[0].max_bitrate_bps = 10000 * i;
        CHECK(ln_rtp_sender_set_parameters(sender, &parameters, &op) == 0);
        ln_peer_connection_on_timeout(pair.sides[0].pc, pair.wire.now);
    }
    pair_settle(&pair);
    CHECK_EQUAL(targets, 1);
    steps_end(&pair);
}

LN_TEST(transceivers, a_track_falls_silent_after_the_state_and_before_the_end)
{
    ln_rtp_transceiver *t;

    steps_begin(&pair);
    pair.drop_candidates = false;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    step_add_track(&pair, 1, LN_MEDIA_AUDIO);
    CHECK(pair_run(&pair, LN_SECONDS(3), pair_connected));
    for (int i = 0; i < 5; i++) {
        struct ln_frame *frame = ln_frame_create(test_env()->allocator, 80);

        CHECK(frame != NULL);
        frame->kind = LN_MEDIA_AUDIO;
        frame->codec = LN_CODEC_OPUS;
        frame->clock_rate_hz = 48000;
        frame->rtp_timestamp = (uint32_t)i * 960;
        CHECK(ln_rtp_sender_send_frame(ln_rtp_transceiver_sender(step_transceiver(&pair, 1, 0)),
                                       pair.wire.now, frame) == 0);
        ln_frame_unref(frame);
        CHECK(pair_run(&pair, LN_MILLISECONDS(20), NULL));
    }
    CHECK_EQUAL(step_count(&pair, 0, "unmute"), 1);
    t = step_transceiver(&pair, 1, 0);
    pair.sides[0].negotiates = pair.sides[1].negotiates = false;
    CHECK(ln_rtp_transceiver_set_direction(t, LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY) == 0);
    step_forget(&pair, 0);
    step_offer(&pair, 1, 0);
    CHECK(strstr(pair.sides[0].log, "have-remote-offer mute done") != NULL);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK(strstr(pair.sides[0].log, "stable unmute done") != NULL);
    steps_end(&pair);
}

LN_TEST(transceivers, the_limit_is_on_those_that_are_not_stopped)
{
    ln_rtp_transceiver *t = NULL, *first = NULL;
    int error = 0;

    steps_begin(&pair);
    for (int i = 0; i < 300; i++) { /* a call that goes on: one comes, one goes */
        t = step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY);
        CHECK(ln_rtp_transceiver_stop(t) == 0);
        first = first ? first : t;
    }
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 0);
    CHECK_EQUAL(ln_rtp_transceiver_direction(first), LN_RTP_TRANSCEIVER_DIRECTION_STOPPED);
    for (int i = 0; i < 128; i++)
        step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY);
    error = ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL, &t);
    CHECK_EQUAL(error, LN_ERR_LIMIT);
    CHECK(ln_rtp_transceiver_stop(ln_peer_connection_transceiver(pair.sides[0].pc, 5)) == 0);
    error = ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL, &t);
    CHECK_EQUAL(error, 0);
    steps_end(&pair);
}

LN_TEST(transceivers, handles_of_stopped_ones_have_a_limit_too)
{
    ln_rtp_transceiver *t = NULL;
    size_t made = 0;

    steps_begin(&pair);
    while (made < 5000 && ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL,
                                                             NULL, &t) == 0) {
        CHECK(ln_rtp_transceiver_stop(t) == 0);
        made++;
    }
    CHECK_EQUAL(made, 4096);
    steps_end(&pair);
}
