/* SPDX-License-Identifier: Apache-2.0
 * SNAP in descriptions (draft-hancke-tsvwg-snap): who writes sctp-init and when, what an answer
 * without it or a hostile one comes to, and what it saves. */
#include "peer/peer_connection.h"
#include "tests/unit/peer/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE "a=sctp-init:"

static struct pair pair; /* large */

/* The value in a description, "" when it has none; of the last call. */
static const char *value_of(const char *sdp)
{
    static char value[LN_SDP_SCTP_INIT_MAX + 1];
    const char *at = strstr(sdp, LINE);

    value[0] = '\0';
    if (at)
        CHECK_EQUAL(sscanf(at + strlen(LINE), "%1368s", value), 1);
    return value;
}

static const char *own(int side)
{
    return value_of(step_text(&pair, side));
}

static void want_snap(int side)
{
    pair.sides[side].pc->configuration.public.data_snap = true;
}

static bool used(int side)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(ln_data_channels_association(pair.sides[side].pc->data.channels), &stats);
    return stats.snap;
}

/* What is done to each description on its way. */
static void (*meddle)(struct note *note);

static bool meddled_open(struct pair *p)
{
    for (size_t i = 0; i < p->note_count && meddle; i++)
        if (p->notes[i].type != LN_SDP_TYPE_IMPLICIT)
            meddle(&p->notes[i]);
    return pair_open(p);
}

/* Connects with side 0 offering it; messages then pass both ways. Returns when both were open. */
static ln_time connect(bool snap, void (*meddling)(struct note *note))
{
    ln_time open;

    meddle = meddling;
    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    if (snap)
        want_snap(0);
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL,
                                                 &pair.sides[0].channels[0]) == 0);
    pair.sides[0].channel_count = 1;
    CHECK(pair_run(&pair, LN_SECONDS(5), meddled_open));
    open = pair.wire.now;
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(ln_data_channel_send_text(pair.sides[i].channels[0], "hello", 5), 0);
    (void)pair_run(&pair, LN_SECONDS(2), NULL);
    for (int i = 0; i < 2; i++)
        CHECK(pair.sides[i].messages == 1 && pair.sides[i].errors == 0);
    return open;
}

LN_TEST(snap, channels_open_at_least_a_round_trip_earlier)
{
    ln_time with, without;

    with = connect(true, NULL);
    CHECK(used(0) && used(1));
    pair_free(&pair);
    without = connect(false, NULL);
    CHECK(!used(0) && !used(1));
    pair_free(&pair);
    CHECK(without - with >= LN_MILLISECONDS(20)); /* the round trip of the wire */
}

LN_TEST(snap, offers_have_it_only_where_the_setting_says_so_and_answers_where_the_offer_does)
{
    for (int wanted = 0; wanted < 4; wanted++) {
        steps_begin(&pair);
        for (int i = 0; i < 2; i++)
            if (wanted & (1 << i))
                want_snap(i);
        (void)step_add_channel(&pair, 0);
        step_exchange(&pair, 0);
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(*own(i) != '\0', wanted & 1);
            CHECK_EQUAL(pair.sides[i].pc->data.snap, wanted & 1);
        }
        steps_end(&pair);
    }
}

LN_TEST(snap, later_descriptions_repeat_the_value_whoever_offers)
{
    char first[2][100];

    steps_begin(&pair);
    want_snap(0);
    step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_exchange(&pair, 0); /* media alone at first (pion#3443) */
    CHECK_TEXT(own(0), "");
    (void)step_add_channel(&pair, 0);
    step_exchange(&pair, 0);
    for (int i = 0; i < 2; i++)
        snprintf(first[i], sizeof first[i], "%s", own(i));
    CHECK(first[0][0] && first[1][0] && strcmp(first[0], first[1]) != 0);
    step_add_transceiver(&pair, 1, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    for (int offerer = 1; offerer >= 0; offerer--) {
        step_exchange(&pair, offerer);
        for (int i = 0; i < 2; i++)
            CHECK_TEXT(own(i), first[i]);
    }
    steps_end(&pair);
}

LN_TEST(snap, what_was_agreed_without_it_stays_so)
{
    steps_begin(&pair);
    (void)step_add_channel(&pair, 0);
    step_exchange(&pair, 0);
    want_snap(0);
    want_snap(1);
    step_exchange(&pair, 0);
    CHECK(!*own(0) && !*own(1));
    /* A value that comes later has no answer. */
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK_EQUAL(
        step_remote(&pair, 1, LN_SDP_TYPE_OFFER,
                    step_edit(step_text(&pair, 0), "a=sctp-port",
                              LINE "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA\r\na=sctp-port")),
        0);
    step_answer(&pair, 1, 0);
    CHECK_TEXT(own(1), "");
    steps_end(&pair);
}

LN_TEST(snap, an_offer_that_was_rolled_back_leaves_nothing)
{
    steps_begin(&pair);
    want_snap(0);
    (void)step_add_channel(&pair, 0);
    (void)step_add_channel(&pair, 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK(*own(0));
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    step_exchange(&pair, 1); /* its offer has none */
    CHECK(!*own(0) && !*own(1));
    CHECK(!pair.sides[0].pc->data.snap && !pair.sides[1].pc->data.snap);
    steps_end(&pair);
}

LN_TEST(snap, an_application_may_take_the_line_out_and_not_change_it)
{
    const char *offer, *value;
    char line[sizeof LINE + 100];

    steps_begin(&pair);
    want_snap(0);
    (void)step_add_channel(&pair, 0);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    offer = pair.sides[0].description;
    value = value_of(offer);
    CHECK(*value);
    snprintf(line, sizeof line, LINE "%s\r\n", value);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, step_edit(offer, LINE, LINE "AQAA")),
                LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, step_edit(offer, line, "")), 0);
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_text(&pair, 0)), 0);
    step_answer(&pair, 1, 0);
    CHECK(!*own(0) && !*own(1));
    steps_end(&pair);
}

LN_TEST(snap, an_association_after_a_refusal_has_a_value_of_its_own)
{
    char first[100];

    steps_begin(&pair);
    want_snap(0);
    (void)step_add_channel(&pair, 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    snprintf(first, sizeof first, "%s", own(0));
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_text(&pair, 0)), 0);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_ANSWER, NULL), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ANSWER,
                            step_edit(step_text(&pair, 1), "m=application 9", "m=application 0")),
                0);
    (void)step_add_channel(&pair, 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK(*own(0) && strcmp(own(0), first) != 0);
    steps_end(&pair);
}

/* The value of a description on its way becomes another, at most as long; NULL: the line goes. */
static void replace(struct note *note, enum ln_sdp_type type, const char *by)
{
    char *at = strstr(note->text, LINE), *end, *text;

    if (note->type != type || !at)
        return;
    end = strstr(at, "\r\n");
    CHECK(end != NULL);
    text = malloc(strlen(note->text) + LN_SDP_SCTP_INIT_MAX + 100);
    CHECK(text != NULL);
    if (by)
        sprintf(text, "%.*s" LINE "%s%s", (int)(at - note->text), note->text, by, end);
    else
        sprintf(text, "%.*s%s", (int)(at - note->text), note->text, end + 2);
    free(note->text);
    note->text = text;
}

static const char *hostile;

static void spoil_offer(struct note *note)
{
    replace(note, LN_SDP_TYPE_OFFER, hostile);
}

static void spoil_answer(struct note *note)
{
    replace(note, LN_SDP_TYPE_ANSWER, hostile);
}

static char offered[100];

/* As libdatachannel 0.24 answers. */
static void echo(struct note *note)
{
    if (note->type == LN_SDP_TYPE_OFFER)
        snprintf(offered, sizeof offered, "%s", value_of(note->text));
    else
        replace(note, LN_SDP_TYPE_ANSWER, offered);
}

LN_TEST(snap, an_answer_that_gives_our_own_value_back_falls_back)
{
    (void)connect(true, echo);
    CHECK(!used(0));
    pair_free(&pair);
}

LN_TEST(snap, an_answer_without_it_falls_back)
{
    hostile = NULL;
    (void)connect(true, spoil_offer);
    CHECK(!used(0) && !used(1));
    pair_free(&pair);
    (void)connect(true, spoil_answer); /* this answerer believes that it is used */
    CHECK(!used(0) && used(1));
    pair_free(&pair);
}

LN_TEST(snap, hostile_values_are_dropped_and_fall_back)
{
    static char long_value[LN_SDP_SCTP_INIT_MAX + 2];
    static const char *const values[] = {
        "",
        "=",
        "!not base64!",
        "AQAA",                                     /* cut */
        "AgAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA", /* an INIT ACK */
        "AQAAHgAAAAAAUAAA/////+B5ZR3AAAAEgAgABoLA", /* tag 0 */
        "AQAAHols3R0AAAXb/////+B5ZR3AAAAEgAgABoLA", /* a window of 1499 */
        "AQAAHols3R0AUAAAAAD//+B5ZR3AAAAEgAgABoLA", /* no stream out */
        "AQD//4ls3R0AUAAA/////+B5ZR3AAAAEgAgABoLA", /* a length past the end */
        "AQAAHols3R0AUAAA/////+B5ZR3AAAADgAgABoLA", /* a parameter of 3 bytes */
        "AQAAFIls3R0AUAAA/////+B5ZR3AAAAEgAgABoLA", /* bytes after it */
        long_value,
    };

    memset(long_value, 'A', sizeof long_value - 1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        hostile = values[i];
        (void)connect(true, spoil_offer);
        CHECK(!used(0) && !used(1));
        pair_free(&pair);
        (void)connect(true, spoil_answer);
        CHECK(!used(0));
        pair_free(&pair);
        if (test_allocator()->fail_at > 0)
            return; /* a sweep over all of them would take minutes */
    }
}
