/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/peer/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXTS_MAX 64u

static char *texts[TEXTS_MAX];
static size_t text_count;

static char *keep(char *text)
{
    CHECK(text != NULL && text_count < TEXTS_MAX);
    texts[text_count++] = text;
    return text;
}

void steps_begin(struct pair *pair)
{
    text_count = 0;
    pair_init(pair, NULL);
    pair->drop_candidates = true;
}

void steps_end(struct pair *pair)
{
    while (text_count > 0)
        free(texts[--text_count]);
    pair_free(pair);
}

static int finish(struct pair *pair, int side, int error)
{
    if (error)
        return error;
    pair->sides[side].last_error = 1; /* no operation ends so */
    pair_settle(pair);
    return pair->sides[side].last_error;
}

int step_create_offer(struct pair *pair, int side, bool ice_restart)
{
    struct ln_offer_options options = { sizeof options, ice_restart };
    ln_op_id op;

    return finish(pair, side, ln_peer_connection_create_offer(pair->sides[side].pc, &options, &op));
}

int step_create_answer(struct pair *pair, int side)
{
    ln_op_id op;

    return finish(pair, side, ln_peer_connection_create_answer(pair->sides[side].pc, &op));
}

int step_local(struct pair *pair, int side, enum ln_sdp_type type, const char *sdp)
{
    struct ln_session_description description = { type, sdp };
    ln_op_id op;

    return finish(
        pair, side,
        ln_peer_connection_set_local_description(
            pair->sides[side].pc, type == LN_SDP_TYPE_IMPLICIT ? NULL : &description, &op));
}

int step_remote(struct pair *pair, int side, enum ln_sdp_type type, const char *sdp)
{
    struct ln_session_description description = { type, sdp };
    ln_op_id op;

    return finish(
        pair, side,
        ln_peer_connection_set_remote_description(pair->sides[side].pc, &description, &op));
}

int step_candidate(struct pair *pair, int side, const struct ln_ice_candidate_init *candidate)
{
    ln_op_id op;

    return finish(pair, side,
                  ln_peer_connection_add_ice_candidate(pair->sides[side].pc, candidate, &op));
}

const char *step_text(struct pair *pair, int side)
{
    struct ln_session_description description;

    CHECK(ln_peer_connection_local_description(pair->sides[side].pc, &description));
    return keep(strdup(description.sdp));
}

void step_offer(struct pair *pair, int from, int to)
{
    CHECK_EQUAL(step_local(pair, from, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK_EQUAL(step_remote(pair, to, LN_SDP_TYPE_OFFER, step_text(pair, from)), 0);
}

void step_answer(struct pair *pair, int from, int to)
{
    CHECK_EQUAL(step_local(pair, from, LN_SDP_TYPE_ANSWER, NULL), 0);
    CHECK_EQUAL(step_remote(pair, to, LN_SDP_TYPE_ANSWER, step_text(pair, from)), 0);
}

void step_exchange(struct pair *pair, int offerer)
{
    step_offer(pair, offerer, 1 - offerer);
    step_answer(pair, 1 - offerer, offerer);
}

enum ln_signaling_state step_state(struct pair *pair, int side)
{
    return ln_peer_connection_signaling_state(pair->sides[side].pc);
}

ln_rtp_transceiver *step_transceiver(struct pair *pair, int side, size_t index)
{
    ln_rtp_transceiver *t = ln_peer_connection_transceiver(pair->sides[side].pc, index);

    CHECK(t != NULL);
    return t;
}

ln_rtp_transceiver *step_add_transceiver(struct pair *pair, int side, enum ln_media_kind kind,
                                         enum ln_rtp_transceiver_direction direction)
{
    struct ln_rtp_transceiver_init init;
    ln_rtp_transceiver *transceiver;

    ln_rtp_transceiver_init_init(&init);
    init.direction = direction;
    CHECK(ln_peer_connection_add_transceiver(pair->sides[side].pc, kind, NULL, &init,
                                             &transceiver) == 0);
    return transceiver;
}

ln_rtp_sender *step_add_track(struct pair *pair, int side, enum ln_media_kind kind)
{
    static const char *const stream[] = { "s" };
    ln_media_stream_track *track;
    ln_rtp_sender *sender;

    CHECK(ln_media_stream_track_create(test_env(), kind, NULL, &track) == 0);
    CHECK(ln_peer_connection_add_track(pair->sides[side].pc, track, stream, 1, &sender) == 0);
    ln_media_stream_track_unref(track);
    return sender;
}

ln_data_channel *step_add_channel(struct pair *pair, int side)
{
    ln_data_channel *channel;

    CHECK(ln_peer_connection_create_data_channel(pair->sides[side].pc, "x", NULL, &channel) == 0);
    return channel;
}

size_t step_count(struct pair *pair, int side, const char *word)
{
    const char *at = pair->sides[side].log;
    size_t len = strlen(word), count = 0;

    for (; *at; at += strcspn(at, " "), at += *at == ' ')
        count += strcspn(at, " ") == len && memcmp(at, word, len) == 0;
    return count;
}

void step_forget(struct pair *pair, int side)
{
    pair->sides[side].log[0] = '\0';
}

const char *step_edit(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *edited;

    CHECK(at != NULL);
    edited = keep(malloc(strlen(text) + strlen(to) + 1));
    sprintf(edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return edited;
}
