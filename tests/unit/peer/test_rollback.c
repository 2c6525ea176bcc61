/* SPDX-License-Identifier: Apache-2.0
 * Rollback (RFC 8829, 4.1.10.2 and 5.7; W3C 4.4.1.5): a connection is afterwards as if the offer
 * had never been there. */
#include "tests/unit/peer/steps.h"

#include <stdlib.h>

static struct pair pair; /* large */

LN_TEST(rollback, of_a_local_offer_takes_the_mids_back)
{
    ln_rtp_transceiver *t;

    steps_begin(&pair);
    t = step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    pair_settle(&pair);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK(ln_rtp_transceiver_mid(t) != NULL);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK(ln_rtp_transceiver_mid(t) == NULL);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 2); /* it still is */
    step_exchange(&pair, 0);
    CHECK(ln_rtp_transceiver_mid(t) != NULL);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 2);
    steps_end(&pair);
}

LN_TEST(rollback, an_offer_rolled_back_can_be_applied_again)
{
    ln_rtp_transceiver *t;
    char *text;

    steps_begin(&pair);
    t = step_add_transceiver(&pair, 0, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    text = strdup(pair.sides[0].description);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, text), 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, text), 0);
    CHECK(ln_rtp_transceiver_mid(t) != NULL);
    free(text);
    steps_end(&pair);
}

LN_TEST(rollback, of_a_remote_offer_removes_the_transceivers_it_made)
{
    steps_begin(&pair);
    step_add_track(&pair, 1, LN_MEDIA_AUDIO);
    step_add_track(&pair, 1, LN_MEDIA_VIDEO);
    step_add_channel(&pair, 1);
    step_offer(&pair, 1, 0);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 2);
    step_add_track(&pair, 0, LN_MEDIA_VIDEO); /* takes the second: it stays */
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    CHECK_EQUAL(ln_rtp_transceiver_kind(step_transceiver(&pair, 0, 0)), LN_MEDIA_VIDEO);
    CHECK(ln_rtp_transceiver_mid(step_transceiver(&pair, 0, 0)) == NULL);
    CHECK(strstr(pair.sides[0].log, "stable ended done negotiationneeded") != NULL);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    CHECK(strstr(pair.sides[0].description, "m=application") == NULL);
    CHECK(strstr(pair.sides[0].description, "m=audio") == NULL);
    steps_end(&pair);
}

LN_TEST(rollback, an_offer_over_our_own_rolls_that_back)
{
    ln_rtp_transceiver *t;

    steps_begin(&pair);
    t = step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_transceiver(&pair, 1, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    step_forget(&pair, 0);
    step_offer(&pair, 1, 0);
    CHECK(strstr(pair.sides[0].log, "stable have-remote-offer track done") != NULL);
    CHECK(ln_rtp_transceiver_mid(t) == NULL);
    step_answer(&pair, 0, 1);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 1); /* for the video */
    step_exchange(&pair, 0);
    CHECK_TEXT(ln_rtp_transceiver_mid(t), "1");
    steps_end(&pair);
}

LN_TEST(rollback, a_malformed_offer_rolls_nothing_back)
{
    steps_begin(&pair);
    step_add_channel(&pair, 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER, "v=1"), LN_ERR_OPERATION);
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
    steps_end(&pair);
}

LN_TEST(rollback, a_section_refused_by_the_offer_lives_on)
{
    ln_rtp_transceiver *t;
    enum ln_rtp_transceiver_direction direction;

    steps_begin(&pair);
    step_add_track(&pair, 1, LN_MEDIA_AUDIO);
    step_exchange(&pair, 1);
    t = step_transceiver(&pair, 0, 0);
    CHECK(ln_rtp_transceiver_stop(step_transceiver(&pair, 1, 0)) == 0);
    step_offer(&pair, 1, 0);
    CHECK_EQUAL(step_count(&pair, 0, "ended"), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    CHECK_EQUAL(ln_rtp_transceiver_direction(t), LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    CHECK(ln_rtp_transceiver_current_direction(t, &direction));
    CHECK_EQUAL(direction, LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    CHECK(ln_rtp_transceiver_set_direction(t, LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE) == 0);
    step_offer(&pair, 1, 0); /* now it is answered */
    step_answer(&pair, 0, 1);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 0);
    CHECK_EQUAL(step_count(&pair, 0, "ended"), 1);
    CHECK_EQUAL(ln_rtp_transceiver_direction(t), LN_RTP_TRANSCEIVER_DIRECTION_STOPPED);
    steps_end(&pair);
}

static const char *ufrag_of(int side)
{
    static char kept[2][64];
    const char *sdp = strstr(step_text(&pair, side), "a=ice-ufrag:");

    CHECK(sdp != NULL);
    sdp += strlen("a=ice-ufrag:");
    strncpy(kept[side], sdp, strcspn(sdp, "\r"));
    kept[side][strcspn(sdp, "\r")] = '\0';
    return kept[side];
}

LN_TEST(rollback, a_restart_rolled_back_is_still_needed)
{
    char first[64];

    steps_begin(&pair);
    step_add_channel(&pair, 0);
    step_exchange(&pair, 0);
    strcpy(first, ufrag_of(0));
    step_forget(&pair, 0);
    ln_peer_connection_restart_ice(pair.sides[0].pc);
    pair_settle(&pair);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK(strcmp(ufrag_of(0), first) != 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ROLLBACK, NULL), 0);
    CHECK_TEXT(ufrag_of(0), first);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 2);
    step_exchange(&pair, 0);
    CHECK(strcmp(ufrag_of(0), first) != 0);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 2);
    steps_end(&pair);
}

LN_TEST(rollback, a_restart_created_but_not_offered_leaves_no_trace_in_an_answer)
{
    char first[64];

    steps_begin(&pair);
    step_add_channel(&pair, 0);
    step_exchange(&pair, 0);
    strcpy(first, ufrag_of(0));
    CHECK_EQUAL(step_create_offer(&pair, 0, true), 0);
    CHECK(strstr(pair.sides[0].description, first) == NULL);
    step_exchange(&pair, 1);
    CHECK_TEXT(ufrag_of(0), first);
    steps_end(&pair);
}
