/* SPDX-License-Identifier: Apache-2.0
 * The signalling state machine (W3C 4.3.3; RFC 8829, 3.2), what descriptions are refused with which
 * error, and the order of events and completions. */
#include "tests/unit/peer/steps.h"

#include <stdio.h>
#include <stdlib.h>

static struct pair pair; /* large */

static void begin(void)
{
    steps_begin(&pair);
    for (int i = 0; i < 2; i++) {
        step_add_transceiver(&pair, i, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
        step_add_channel(&pair, i);
    }
}

/* Brings side 0 into the state, by the legal way. */
static void reach(enum ln_signaling_state state)
{
    switch (state) {
    case LN_SIGNALING_STATE_HAVE_LOCAL_OFFER:
        CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_IMPLICIT, NULL), 0);
        break;
    case LN_SIGNALING_STATE_HAVE_REMOTE_OFFER:
        step_offer(&pair, 1, 0);
        break;
    case LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER:
        step_offer(&pair, 1, 0);
        CHECK_EQUAL(step_create_answer(&pair, 0), 0);
        CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_PRANSWER, pair.sides[0].description), 0);
        break;
    case LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER:
        step_offer(&pair, 0, 1);
        CHECK_EQUAL(step_create_answer(&pair, 1), 0);
        CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_PRANSWER, pair.sides[1].description), 0);
        break;
    case LN_SIGNALING_STATE_CLOSED:
        ln_peer_connection_close(pair.sides[0].pc);
        break;
    default:
        break;
    }
    CHECK_EQUAL(step_state(&pair, 0), state);
}

enum action {
    LOCAL_OFFER,
    LOCAL_PRANSWER,
    LOCAL_ANSWER,
    LOCAL_ROLLBACK,
    REMOTE_OFFER,
    REMOTE_PRANSWER,
    REMOTE_ANSWER,
    REMOTE_ROLLBACK,
    CREATE_OFFER,
    CREATE_ANSWER,
    ACTIONS
};

/* What the other side would say: an answer to our offer if there is one. */
static const char *theirs(enum action action)
{
    if (action == REMOTE_OFFER || step_state(&pair, 0) == LN_SIGNALING_STATE_STABLE ||
        step_state(&pair, 0) == LN_SIGNALING_STATE_CLOSED) {
        if (step_state(&pair, 1) == LN_SIGNALING_STATE_STABLE)
            CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_OFFER, NULL), 0);
        return step_state(&pair, 1) == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER ? step_text(&pair, 1)
                                                                           : "v=0\r\n";
    }
    if (step_state(&pair, 0) == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER)
        CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_text(&pair, 0)), 0);
    if (step_state(&pair, 1) == LN_SIGNALING_STATE_HAVE_REMOTE_OFFER)
        CHECK_EQUAL(step_create_answer(&pair, 1), 0);
    return pair.sides[1].description ? pair.sides[1].description : "v=0\r\n";
}

static int act(enum action action)
{
    static const enum ln_sdp_type types[] = { LN_SDP_TYPE_OFFER, LN_SDP_TYPE_PRANSWER,
                                              LN_SDP_TYPE_ANSWER, LN_SDP_TYPE_ROLLBACK };

    if (action == CREATE_OFFER)
        return step_create_offer(&pair, 0, false);
    if (action == CREATE_ANSWER)
        return step_create_answer(&pair, 0);
    if (action < REMOTE_OFFER)
        return step_local(&pair, 0, types[action], NULL);
    return step_remote(&pair, 0, types[action - REMOTE_OFFER],
                       action == REMOTE_ROLLBACK ? NULL : theirs(action));
}

#define NO  (-1)
#define ST  LN_SIGNALING_STATE_STABLE
#define HLO LN_SIGNALING_STATE_HAVE_LOCAL_OFFER
#define HRO LN_SIGNALING_STATE_HAVE_REMOTE_OFFER
#define HLP LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER
#define HRP LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER

/* The state after each action, NO: InvalidStateError and the state stays. */
static const int transitions[][ACTIONS] = {
    [ST] = { HLO, NO, NO, NO, HRO, NO, NO, NO, ST, NO },
    [HLO] = { HLO, NO, NO, ST, HRO, HRP, ST, ST, HLO, NO },
    [HRO] = { NO, HLP, ST, ST, HRO, NO, NO, ST, NO, HRO },
    [HLP] = { NO, HLP, ST, NO, NO, NO, NO, NO, NO, HLP },
    [HRP] = { NO, NO, NO, NO, NO, HRP, ST, NO, NO, NO },
    [LN_SIGNALING_STATE_CLOSED] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
};

static void check_transitions_from(enum ln_signaling_state from)
{
    if (test_allocator()->fail_at > 0)
        return; /* a sweep over all of them would take minutes */
    for (int action = 0; action < ACTIONS; action++) {
        int next = transitions[from][action];

        begin();
        reach(from);
        CHECK_EQUAL(act((enum action)action), next == NO ? LN_ERR_INVALID_STATE : 0);
        CHECK_EQUAL(step_state(&pair, 0), next == NO ? (int)from : next);
        steps_end(&pair);
    }
}

LN_TEST(negotiation, what_is_legal_in_stable)
{
    check_transitions_from(LN_SIGNALING_STATE_STABLE);
}

LN_TEST(negotiation, what_is_legal_in_have_local_offer)
{
    check_transitions_from(LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
}

LN_TEST(negotiation, what_is_legal_in_have_remote_offer)
{
    check_transitions_from(LN_SIGNALING_STATE_HAVE_REMOTE_OFFER);
}

LN_TEST(negotiation, what_is_legal_in_have_local_pranswer)
{
    check_transitions_from(LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER);
}

LN_TEST(negotiation, what_is_legal_in_have_remote_pranswer)
{
    check_transitions_from(LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER);
}

LN_TEST(negotiation, nothing_is_legal_in_closed)
{
    check_transitions_from(LN_SIGNALING_STATE_CLOSED);
}

LN_TEST(negotiation, the_description_is_implied_by_the_state)
{
    struct ln_session_description description;

    begin();
    reach(LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_IMPLICIT, NULL), 0); /* again an offer */
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_OFFER, step_text(&pair, 0)), 0);
    CHECK_EQUAL(step_create_answer(&pair, 1), 0);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_PRANSWER, pair.sides[1].description), 0);
    CHECK(ln_peer_connection_local_description(pair.sides[1].pc, &description));
    CHECK_EQUAL(description.type, LN_SDP_TYPE_PRANSWER);
    CHECK(!ln_peer_connection_current_local_description(pair.sides[1].pc, &description));
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_PRANSWER, step_text(&pair, 1)), 0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_IMPLICIT, NULL), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_IMPLICIT, NULL), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ANSWER, step_text(&pair, 1)), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(step_state(&pair, i), LN_SIGNALING_STATE_STABLE);
        CHECK(ln_peer_connection_current_local_description(pair.sides[i].pc, &description));
        CHECK_EQUAL(description.type, i == 0 ? LN_SDP_TYPE_OFFER : LN_SDP_TYPE_ANSWER);
        CHECK(ln_peer_connection_current_remote_description(pair.sides[i].pc, &description));
        CHECK_EQUAL(description.type, i == 0 ? LN_SDP_TYPE_ANSWER : LN_SDP_TYPE_OFFER);
        CHECK(!ln_peer_connection_pending_local_description(pair.sides[i].pc, &description));
        CHECK(!ln_peer_connection_pending_remote_description(pair.sides[i].pc, &description));
    }
    steps_end(&pair);
}

LN_TEST(negotiation, a_provisional_answer_is_enough_to_connect)
{
    begin();
    pair.drop_candidates = false;
    reach(LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_PRANSWER, pair.sides[1].description), 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER);
    steps_end(&pair);
}

LN_TEST(negotiation, an_unchanged_offer_is_the_same_text)
{
    char *first;

    begin();
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    first = strdup(pair.sides[0].description);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    CHECK_TEXT(first, pair.sides[0].description); /* mids and version too */
    step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    CHECK(strcmp(first, pair.sides[0].description) != 0);
    /* Only the last one may be applied. */
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, first), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, pair.sides[0].description), 0);
    free(first);
    steps_end(&pair);
}

static unsigned version_of(const char *sdp)
{
    unsigned version = 0;

    CHECK(sscanf(strstr(sdp, "o="), "o=%*s %*s %u", &version) == 1);
    return version;
}

LN_TEST(negotiation, the_session_version_grows_with_changes_only)
{
    unsigned before;

    begin();
    step_exchange(&pair, 0);
    step_exchange(&pair, 0);
    before = version_of(step_text(&pair, 0));
    step_exchange(&pair, 0);
    CHECK_EQUAL(version_of(step_text(&pair, 0)), before);
    step_add_transceiver(&pair, 0, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_exchange(&pair, 0);
    CHECK_EQUAL(version_of(step_text(&pair, 0)), before + 1);
    steps_end(&pair);
}

LN_TEST(negotiation, an_offer_of_an_exchange_that_is_over_is_refused)
{
    char *old;

    begin();
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    old = strdup(pair.sides[0].description);
    step_exchange(&pair, 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, old), LN_ERR_INVALID_MODIFICATION);
    free(old);
    steps_end(&pair);
}

LN_TEST(negotiation, a_local_description_must_be_what_was_created)
{
    const char *text;

    begin();
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, "v=0\r\n"), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(step_create_offer(&pair, 0, false), 0);
    text = step_edit(pair.sides[0].description, "a=ice-ufrag:", "a=ice-ufrag:x");
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, text), LN_ERR_INVALID_MODIFICATION);
    text = step_edit(pair.sides[0].description, "a=sendrecv", "a=recvonly");
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, text), 0);
    steps_end(&pair);
}

LN_TEST(negotiation, remote_descriptions_are_refused_with_their_errors)
{
    const char *offer;

    begin();
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER, "hello"), LN_ERR_OPERATION);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.detail, LN_ERROR_DETAIL_SDP_SYNTAX_ERROR);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.sdp_line_number, 1);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER, NULL), LN_ERR_OPERATION);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_OFFER, NULL), 0);
    offer = step_text(&pair, 1);
    CHECK_EQUAL(
        step_remote(&pair, 0, LN_SDP_TYPE_OFFER, step_edit(offer, "a=fingerprint:", "a=x:")),
        LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER, step_edit(offer, "a=mid:1", "a=mid:0")),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_STABLE);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    step_add_transceiver(&pair, 1, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_OFFER, NULL), 0);
    offer = step_edit(step_text(&pair, 1), "actpass", "active"); /* three sections, not our two */
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_ANSWER, offer), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
    steps_end(&pair);
}

LN_TEST(negotiation, the_state_is_told_before_tracks_and_both_before_the_end)
{
    steps_begin(&pair);
    step_add_track(&pair, 1, LN_MEDIA_AUDIO);
    pair_settle(&pair);
    step_offer(&pair, 1, 0);
    CHECK(strstr(pair.sides[0].log, "have-remote-offer track done") != NULL);
    step_answer(&pair, 0, 1);
    CHECK(strstr(pair.sides[0].log, "stable done") != NULL);
    CHECK_EQUAL(step_count(&pair, 1, "negotiationneeded"), 1);
    CHECK_EQUAL(step_count(&pair, 0, "negotiationneeded"), 0);
    CHECK(ln_rtp_transceiver_stop(step_transceiver(&pair, 1, 0)) == 0);
    step_forget(&pair, 0);
    step_exchange(&pair, 1);
    CHECK(strstr(pair.sides[0].log, "have-remote-offer done") != NULL);
    CHECK(strstr(pair.sides[0].log, "stable ended done") != NULL);
    steps_end(&pair);
}

LN_TEST(negotiation, operations_end_in_the_order_they_began)
{
    ln_op_id first, second, third;
    struct ln_event event;
    ln_op_id last = 0;
    size_t ended = 0;

    begin();
    CHECK(ln_peer_connection_create_offer(pair.sides[0].pc, NULL, &first) == 0);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &second) == 0);
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &third) == 0);
    CHECK(first < second && second < third);
    CHECK(ln_peer_connection_next_timeout(pair.sides[0].pc) == LN_TIME_IMMEDIATE);
    CHECK(ln_peer_connection_poll_event(pair.sides[0].pc, &event) == 0); /* not without now */
    ln_peer_connection_on_timeout(pair.sides[0].pc, pair.wire.now);
    while (ln_peer_connection_poll_event(pair.sides[0].pc, &event)) {
        if (event.kind != LN_EVENT_OPERATION_DONE)
            continue;
        CHECK(event.u.operation.op > last);
        last = event.u.operation.op;
        ended++;
    }
    CHECK_EQUAL(ended, 3);
    steps_end(&pair);
}

LN_TEST(negotiation, the_chain_has_a_limit)
{
    ln_op_id op;
    int error = 0, count = 0;

    if (test_allocator()->fail_at > 0)
        return; /* a sweep over all of them would take minutes */
    begin();
    while (!error && count < 1000) {
        error = ln_peer_connection_create_offer(pair.sides[0].pc, NULL, &op);
        count += !error;
    }
    CHECK_EQUAL(error, LN_ERR_LIMIT);
    CHECK_EQUAL(count, 256);
    pair_settle(&pair);
    CHECK_EQUAL(step_count(&pair, 0, "done"), 256);
    steps_end(&pair);
}

LN_TEST(negotiation, close_drops_what_is_queued)
{
    struct ln_event event;
    ln_op_id op;

    begin();
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &op) == 0);
    ln_peer_connection_on_timeout(pair.sides[0].pc, pair.wire.now);
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    ln_peer_connection_close(pair.sides[0].pc);
    CHECK(ln_peer_connection_poll_event(pair.sides[0].pc, &event) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL)); /* gathering was under way */
    CHECK(pair.sides[0].log[0] == '\0');
    CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_CLOSED);
    steps_end(&pair);
}
