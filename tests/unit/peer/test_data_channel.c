/* SPDX-License-Identifier: Apache-2.0
 * RTCDataChannel at its edges: what is refused, the limits on messages, closing at every point. */
#include "tests/unit/peer/steps.h"

#include <stdio.h>
#include <stdlib.h>

static struct pair pair; /* large */

static int create(const struct ln_data_channel_init *init, const char *label,
                  ln_data_channel **ret_channel)
{
    return ln_peer_connection_create_data_channel(pair.sides[0].pc, label, init, ret_channel);
}

LN_TEST(data_channel, what_cannot_be_is_refused)
{
    struct ln_data_channel_init init;
    ln_data_channel *channel;
    char *label = malloc(65537);

    CHECK(label != NULL);
    memset(label, 'x', 65536);
    label[65536] = '\0';
    steps_begin(&pair);
    ln_data_channel_init_init(&init);
    CHECK_EQUAL(create(&init, label, &channel), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(create(&init, label + 1, &channel), 0);
    CHECK_EQUAL(create(&init, "\xc3\x28", &channel), LN_ERR_INVALID_ARGUMENT);
    init.max_retransmits = init.max_packet_life_time = 1;
    CHECK_EQUAL(create(&init, "both", &channel), LN_ERR_INVALID_ARGUMENT);
    ln_data_channel_init_init(&init);
    init.negotiated = true;
    CHECK_EQUAL(create(&init, "no id", &channel), LN_ERR_INVALID_ARGUMENT);
    init.id = 65535;
    CHECK_EQUAL(create(&init, "above", &channel), LN_ERR_INVALID_ARGUMENT);
    init.id = 5;
    CHECK_EQUAL(create(&init, "five", &channel), 0);
    CHECK_EQUAL(ln_data_channel_id(channel), 5);
    CHECK_EQUAL(create(&init, "five again", &channel), LN_ERR_OPERATION);
    ln_peer_connection_close(pair.sides[0].pc);
    CHECK_EQUAL(create(NULL, "late", &channel), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_data_channel_send_text(channel, "x", 1), LN_ERR_INVALID_STATE);
    free(label);
    steps_end(&pair);
}

static void connect(const struct ln_configuration *configuration)
{
    pair_init(&pair, configuration);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(create(NULL, "x", &pair.sides[0].channels[0]) == 0);
    pair.sides[0].channel_count = 1;
    CHECK_EQUAL(ln_data_channel_id(pair.sides[0].channels[0]), -1);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
}

LN_TEST(data_channel, ids_follow_the_dtls_role)
{
    ln_data_channel *back;

    connect(NULL);
    /* Side 0 offered: it is the DTLS server and takes odd ids (RFC 8832, 6). */
    CHECK_EQUAL(ln_data_channel_id(pair.sides[0].channels[0]), 1);
    CHECK_EQUAL(ln_data_channel_id(pair.sides[1].channels[0]), 1);
    CHECK(ln_peer_connection_create_data_channel(pair.sides[1].pc, "b", NULL, &back) == 0);
    CHECK_EQUAL(ln_data_channel_id(back), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK_EQUAL(pair.sides[0].channel_count, 2);
    CHECK_EQUAL(step_count(&pair, 1, "negotiationneeded"), 0); /* the section was there */
    pair_free(&pair);
}

LN_TEST(data_channel, a_message_above_what_the_other_side_takes_is_refused)
{
    struct ln_configuration configuration;
    uint8_t *data = calloc(1, 1001);

    CHECK(data != NULL);
    ln_configuration_init(&configuration);
    configuration.max_message_size = 1000;
    connect(&configuration);
    CHECK_EQUAL(ln_sctp_transport_max_message_size(ln_peer_connection_sctp(pair.sides[0].pc)),
                1000);
    CHECK_EQUAL(ln_data_channel_send(pair.sides[0].channels[0], data, 1001), LN_ERR_TOO_BIG);
    CHECK_EQUAL(ln_data_channel_send(pair.sides[0].channels[0], data, 1000), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK_EQUAL(pair.sides[1].bytes, 1000);
    CHECK_EQUAL(pair.sides[1].errors, 0);
    free(data);
    pair_free(&pair);
}

/* Every description on its way promises more than its maker takes. */
static bool promise_more(struct pair *p)
{
    for (size_t i = 0; i < p->note_count; i++) {
        char *at = p->notes[i].type == LN_SDP_TYPE_IMPLICIT
                       ? NULL
                       : strstr(p->notes[i].text, "a=max-message-size:1000");

        if (at)
            memcpy(at, "a=max-message-size:9000", strlen("a=max-message-size:9000"));
    }
    return pair_open(p);
}

LN_TEST(data_channel, a_message_above_what_we_announced_fails_the_channel)
{
    struct ln_configuration configuration;
    uint8_t data[2000] = { 0 };

    ln_configuration_init(&configuration);
    configuration.max_message_size = 1000;
    pair_init(&pair, &configuration);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(create(NULL, "x", &pair.sides[0].channels[0]) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), promise_more));
    CHECK_EQUAL(ln_data_channel_send(pair.sides[0].channels[0], data, sizeof data), 0);
    CHECK(pair_run(&pair, LN_SECONDS(3), NULL));
    CHECK_EQUAL(pair.sides[1].messages, 0);
    CHECK_EQUAL(pair.sides[1].errors, 1);
    CHECK_EQUAL(pair.sides[1].last_rtc_error.detail, LN_ERROR_DETAIL_DATA_CHANNEL_FAILURE);
    CHECK(pair.sides[0].closed == 1 && pair.sides[1].closed == 1);
    CHECK(strstr(pair.sides[1].log, "error close") != NULL);
    pair_free(&pair);
}

LN_TEST(data_channel, both_sides_may_close_at_once)
{
    connect(NULL);
    ln_data_channel_close(pair.sides[0].channels[0]);
    ln_data_channel_close(pair.sides[1].channels[0]);
    ln_data_channel_close(pair.sides[1].channels[0]); /* again: nothing */
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(pair.sides[0].closed == 1 && pair.sides[1].closed == 1);
    CHECK(pair.sides[0].errors == 0 && pair.sides[1].errors == 0);
    CHECK_EQUAL(step_count(&pair, 0, "closing"), 0);
    CHECK_EQUAL(ln_data_channel_ready_state(pair.sides[0].channels[0]),
                LN_DATA_CHANNEL_STATE_CLOSED);
    pair_free(&pair);
}

LN_TEST(data_channel, closed_before_it_was_open_it_never_opens)
{
    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(create(NULL, "stays", &pair.sides[0].channels[0]) == 0);
    CHECK(create(NULL, "goes", &pair.sides[0].channels[1]) == 0);
    ln_data_channel_close(pair.sides[0].channels[1]);
    CHECK_EQUAL(ln_data_channel_ready_state(pair.sides[0].channels[1]),
                LN_DATA_CHANNEL_STATE_CLOSING);
    CHECK(pair_run(&pair, LN_SECONDS(3), NULL));
    CHECK_EQUAL(pair.sides[0].opened, 1);
    CHECK_EQUAL(pair.sides[0].closed, 1);
    CHECK_EQUAL(ln_data_channel_ready_state(pair.sides[0].channels[1]),
                LN_DATA_CHANNEL_STATE_CLOSED);
    pair_free(&pair);
}

static size_t released;

static void release_at_once(struct side *side, const struct ln_event *event)
{
    if (side->index == 1 && event->kind == LN_EVENT_ERROR) {
        ln_data_channel_release(event->u.error.channel);
        released++;
    }
    CHECK(side->index == 0 || event->kind != LN_EVENT_CLOSE || !released);
}

LN_TEST(data_channel, one_given_back_inside_its_error_is_not_told_again)
{
    connect(NULL);
    released = 0;
    pair.on_event = release_at_once;
    pair.wire.loss_per_mille = 0;
    ln_peer_connection_close(pair.sides[0].pc); /* aborts the association */
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(released <= 1);
    pair_free(&pair);
}

LN_TEST(data_channel, releasing_an_open_channel_closes_it_quietly)
{
    connect(NULL);
    ln_data_channel_release(pair.sides[0].channels[0]);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK_EQUAL(pair.sides[0].closed, 0);
    CHECK_EQUAL(pair.sides[1].closed, 1);
    pair_free(&pair);
}

LN_TEST(data_channel, closing_the_connection_at_any_time_ends_everything)
{
    if (test_allocator()->fail_at > 0)
        return; /* a sweep over all of them would take minutes */
    for (int ms = 0; ms < 250; ms += 10) {
        size_t logged;

        pair_init(&pair, NULL);
        pair.sides[0].negotiates = pair.sides[1].negotiates = true;
        CHECK(create(NULL, "x", &pair.sides[0].channels[0]) == 0);
        CHECK(pair_run(&pair, LN_MILLISECONDS(ms) + 1, NULL));
        ln_peer_connection_close(pair.sides[0].pc);
        pair.sides[0].negotiates = false;
        while (pair.note_count > 0) /* an application that closed listens no more */
            free(pair.notes[--pair.note_count].text);
        logged = strlen(pair.sides[0].log);
        CHECK_EQUAL(ln_peer_connection_connection_state(pair.sides[0].pc),
                    LN_PEER_CONNECTION_STATE_CLOSED);
        CHECK_EQUAL(ln_data_channel_ready_state(pair.sides[0].channels[0]),
                    LN_DATA_CHANNEL_STATE_CLOSED);
        CHECK(pair_run(&pair, LN_MILLISECONDS(500), NULL));
        CHECK_EQUAL(strlen(pair.sides[0].log), logged);
        CHECK(ln_peer_connection_next_timeout(pair.sides[0].pc) == LN_TIME_NEVER);
        CHECK_EQUAL(pair.sides[1].closed, pair.sides[1].opened);
        pair_free(&pair);
    }
}

/* Side 0 offers again, and side 1 is told that it wants no data any more; side 1's answer is true.
 */
static void refuse_data(void)
{
    const char *offer, *line;
    char from[64], to[64];

    pair.sides[0].negotiates = pair.sides[1].negotiates = false;
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    offer = step_text(&pair, 0);
    line = strstr(offer, "m=application ");
    CHECK(line != NULL);
    snprintf(from, sizeof from, "%.*s", (int)strcspn(line, "\r"), line);
    snprintf(to, sizeof to, "m=application 0%s", strchr(from + strlen("m=application "), ' '));
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_edit(offer, from, to)), 0);
    step_answer(&pair, 1, 0);
    pair_settle(&pair);
}

static bool second_is_open(struct pair *p)
{
    return p->sides[0].opened == 2 && p->sides[1].opened == 2;
}

static void check_refused(int side)
{
    struct side *s = &pair.sides[side];

    CHECK_EQUAL(s->closed, 1);
    CHECK_EQUAL(ln_data_channel_ready_state(s->channels[0]), LN_DATA_CHANNEL_STATE_CLOSED);
    CHECK_EQUAL(ln_data_channel_send_text(s->channels[0], "x", 1), LN_ERR_INVALID_STATE);
    CHECK(ln_peer_connection_sctp(s->pc) == NULL);
    CHECK(step_count(&pair, side, "negotiationneeded") <= 1); /* of the beginning */
}

/* With and without another section to keep the transport. */
static void data_comes_back(bool with_sound)
{
    ln_sctp_transport *sctp;

    connect(NULL);
    if (with_sound) {
        step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
        CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
        step_forget(&pair, 0);
    }
    sctp = ln_peer_connection_sctp(pair.sides[0].pc);
    refuse_data();
    check_refused(0);
    check_refused(1);
    CHECK_EQUAL(ln_sctp_transport_max_message_size(sctp), 0);
    CHECK_EQUAL(ln_sctp_transport_state(sctp), LN_SCTP_TRANSPORT_STATE_CLOSED);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(create(NULL, "again", &pair.sides[0].channels[1]) == 0);
    pair.sides[0].channel_count = 2;
    CHECK(pair_run(&pair, LN_SECONDS(5), second_is_open));
    CHECK_EQUAL(ln_sctp_transport_state(sctp), LN_SCTP_TRANSPORT_STATE_CONNECTED);
    CHECK_EQUAL(ln_data_channel_send_text(pair.sides[0].channels[1], "hello", 5), 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK_EQUAL(pair.sides[1].messages, 1);
    CHECK_EQUAL(pair.sides[1].last_len, 5);
    steps_end(&pair);
}

LN_TEST(data_channel, a_section_that_was_refused_is_offered_anew_for_the_next_channel)
{
    data_comes_back(false);
    data_comes_back(true);
}

LN_TEST(data_channel, a_channel_given_back_before_its_section_is_refused_is_freed)
{
    connect(NULL);
    ln_data_channel_release(pair.sides[0].channels[0]);
    refuse_data();
    ln_data_channel_release(pair.sides[1].channels[0]); /* its close event was taken */
    pair.sides[0].channel_count = pair.sides[1].channel_count = 0;
    steps_end(&pair);
}
