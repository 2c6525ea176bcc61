/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections find each other and talk, on a wire in virtual time. */
#include "tests/unit/peer/pair.h"

#include <stdlib.h>

static struct pair pair; /* large */

static void create_channel(int side, const char *label, const struct ln_data_channel_init *init)
{
    ln_data_channel *channel;

    CHECK(ln_peer_connection_create_data_channel(pair.sides[side].pc, label, init, &channel) == 0);
    pair.sides[side].channels[pair.sides[side].channel_count++] = channel;
}

static void begin(void)
{
    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
}

static void connect_with_channel(void)
{
    begin();
    create_channel(0, "chat", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
}

LN_TEST(connect, a_data_channel_opens_on_both_sides)
{
    connect_with_channel();
    CHECK(pair_connected(&pair));
    CHECK_TEXT(ln_data_channel_label(pair.sides[1].channels[0]), "chat");
    CHECK(ln_data_channel_id(pair.sides[0].channels[0]) ==
          ln_data_channel_id(pair.sides[1].channels[0]));
    CHECK(pair.wire.now - LN_SECONDS(1) < LN_MILLISECONDS(400));
    pair_free(&pair);
}

static bool heard_both(struct pair *p)
{
    return p->sides[0].messages >= 1 && p->sides[1].messages >= 1;
}

LN_TEST(connect, messages_pass_both_ways_unchanged)
{
    connect_with_channel();
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "hello", 5) == 0);
    CHECK(ln_data_channel_send(pair.sides[1].channels[0], "\0\1\2", 3) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), heard_both));
    CHECK(pair.sides[1].last_text && pair.sides[1].last_len == 5);
    CHECK_BYTES(pair.sides[1].last_message, "hello", 5);
    CHECK(!pair.sides[0].last_text && pair.sides[0].last_len == 3);
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "\xff", 1) ==
          LN_ERR_INVALID_ARGUMENT);
    pair_free(&pair);
}

LN_TEST(connect, events_come_in_the_order_of_the_specification)
{
    const char *log = pair.sides[0].log;
    static const char *const order[] = {
        "negotiationneeded", "have-local-offer", "gathering",    "stable", "ice-checking",
        "pc-connecting",     "ice-connected",    "pc-connected", "open"
    };

    connect_with_channel();
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *at = strstr(log, order[i]);

        CHECK(at != NULL);
        log = at;
    }
    pair_free(&pair);
}

LN_TEST(connect, both_sides_may_offer_at_once)
{
    begin();
    create_channel(0, "from-0", NULL);
    create_channel(1, "from-1", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(pair.sides[0].channel_count == 2 && pair.sides[1].channel_count == 2);
    CHECK(pair.sides[0].opened == 2 && pair.sides[1].opened == 2);
    pair_free(&pair);
}

LN_TEST(connect, without_trickle_the_description_has_all_candidates)
{
    begin();
    pair.no_trickle = true;
    create_channel(0, "chat", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
    pair_free(&pair);
}

LN_TEST(connect, a_connection_without_media_or_data_has_an_empty_offer)
{
    ln_op_id op;

    begin();
    CHECK(ln_peer_connection_create_offer(pair.sides[0].pc, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].last_error == 0 && pair.sides[0].description);
    CHECK(strstr(pair.sides[0].description, "m=") == NULL);
    pair_free(&pair);
}

static bool all_arrived(struct pair *p)
{
    return p->sides[1].messages == 200;
}

LN_TEST(connect, messages_survive_loss)
{
    connect_with_channel();
    pair.wire.loss_per_mille = 100;
    for (int i = 0; i < 200; i++) {
        uint8_t data[3000];

        memset(data, i, sizeof data);
        CHECK(ln_data_channel_send(pair.sides[0].channels[0], data, sizeof data) == 0);
    }
    CHECK(pair_run(&pair, LN_SECONDS(60), all_arrived));
    CHECK(pair.sides[1].bytes == 200 * 3000 && pair.sides[1].last_message[0] == 199);
    pair_free(&pair);
}

static bool closed_both(struct pair *p)
{
    return p->sides[0].closed == 1 && p->sides[1].closed == 1;
}

LN_TEST(connect, closing_a_channel_closes_it_on_both_sides)
{
    connect_with_channel();
    ln_data_channel_close(pair.sides[0].channels[0]);
    CHECK(ln_data_channel_ready_state(pair.sides[0].channels[0]) == LN_DATA_CHANNEL_STATE_CLOSING);
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "x", 1) == LN_ERR_INVALID_STATE);
    CHECK(pair_run(&pair, LN_SECONDS(5), closed_both));
    ln_data_channel_release(pair.sides[0].channels[0]);
    pair_free(&pair);
}

LN_TEST(connect, closing_the_connection_ends_the_other_sides_channels)
{
    connect_with_channel();
    ln_peer_connection_close(pair.sides[0].pc);
    CHECK(ln_peer_connection_connection_state(pair.sides[0].pc) == LN_PEER_CONNECTION_STATE_CLOSED);
    CHECK(ln_data_channel_ready_state(pair.sides[0].channels[0]) == LN_DATA_CHANNEL_STATE_CLOSED);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(pair.sides[1].closed == 1);
    CHECK(ln_peer_connection_next_timeout(pair.sides[0].pc) == LN_TIME_NEVER);
    pair_free(&pair);
}

LN_TEST(connect, negotiated_channels_need_no_announcement)
{
    struct ln_data_channel_init init;

    begin();
    ln_data_channel_init_init(&init);
    init.negotiated = true;
    init.id = 7;
    init.ordered = false;
    init.max_retransmits = 0;
    create_channel(0, "same", &init);
    create_channel(1, "same", &init);
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
    CHECK(pair.sides[0].channel_count == 1 && pair.sides[1].channel_count == 1);
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "hi", 2) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(pair.sides[1].messages == 1);
    pair_free(&pair);
}

static bool restarted(struct pair *p)
{
    return strstr(p->sides[0].log, "ice-connected negotiationneeded") != NULL;
}

LN_TEST(connect, an_ice_restart_keeps_the_channel)
{
    const char *ufrag, *pwd;
    char before[64];

    connect_with_channel();
    CHECK(ln_ice_transport_local_parameters(
        ln_dtls_transport_ice_transport(
            ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc))),
        &ufrag, &pwd));
    strcpy(before, ufrag);
    ln_peer_connection_restart_ice(pair.sides[0].pc);
    (void)restarted;
    CHECK(pair_run(&pair, LN_SECONDS(5), NULL));
    CHECK(ln_ice_transport_local_parameters(
        ln_dtls_transport_ice_transport(
            ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc))),
        &ufrag, &pwd));
    CHECK(strcmp(before, ufrag) != 0);
    CHECK(pair_connected(&pair));
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "on", 2) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(pair.sides[1].messages == 1 && pair.sides[1].closed == 0);
    pair_free(&pair);
}

static int edited_answers;

/* Every answer on its way says that the answerer is the DTLS client, as Pion 3 does. */
static bool answers_say_active(struct pair *p)
{
    for (size_t i = 0; i < p->note_count; i++) {
        char *setup = p->notes[i].type == LN_SDP_TYPE_ANSWER
                          ? strstr(p->notes[i].text, "a=setup:passive")
                          : NULL;

        for (; setup; setup = strstr(setup, "a=setup:passive")) {
            memmove(setup + strlen("a=setup:active"), setup + strlen("a=setup:passive"),
                    strlen(setup + strlen("a=setup:passive")) + 1);
            memcpy(setup, "a=setup:active", strlen("a=setup:active"));
            edited_answers++;
        }
    }
    return false;
}

LN_TEST(connect, a_second_answer_with_another_setup_keeps_the_association)
{
    connect_with_channel();
    ln_peer_connection_restart_ice(pair.sides[1].pc); /* side 0 made the offer and is the server */
    CHECK(!pair_run(&pair, LN_SECONDS(5), answers_say_active));
    CHECK(edited_answers > 0);
    CHECK(ln_peer_connection_signaling_state(pair.sides[1].pc) == LN_SIGNALING_STATE_STABLE);
    CHECK(pair_connected(&pair));
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "on", 2) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(pair.sides[1].messages == 1 && pair.sides[1].closed == 0);
    pair_free(&pair);
}

static bool failed(struct pair *p)
{
    return ln_peer_connection_connection_state(p->sides[0].pc) == LN_PEER_CONNECTION_STATE_FAILED;
}

LN_TEST(connect, a_silent_path_fails_after_thirty_seconds)
{
    ln_time silent;

    connect_with_channel();
    silent = pair.wire.now;
    pair.wire.loss_per_mille = 1000;
    CHECK(pair_run(&pair, LN_SECONDS(60), failed));
    CHECK(pair.wire.now - silent > LN_SECONDS(20) && pair.wire.now - silent < LN_SECONDS(40));
    pair_free(&pair);
}

LN_TEST(connect, statistics_have_the_standard_members)
{
    static const char *const expected[] = {
        "\"type\":\"peer-connection\"", "\"dataChannelsOpened\":1",  "\"type\":\"transport\"",
        "\"dtlsState\":\"connected\"",  "\"tlsVersion\":\"FEFD\"",   "\"type\":\"candidate-pair\"",
        "\"currentRoundTripTime\":",    "\"nominated\":true",        "\"type\":\"local-candidate\"",
        "\"type\":\"certificate\"",     "\"type\":\"data-channel\"", "\"selectedCandidatePairId\"",
        "\"messagesSent\":1",
    };
    ln_op_id op;

    connect_with_channel();
    CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], "on", 2) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[0].stats != NULL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(pair.sides[0].stats && strstr(pair.sides[0].stats, expected[i]) != NULL);
    pair_free(&pair);
}
