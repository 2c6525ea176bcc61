/* SPDX-License-Identifier: Apache-2.0
 * Descriptions and candidates on their way between the two parties of a call. */
#include "base/time.h"
#include "tests/sim/call_internal.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALLING_DELAY LN_MILLISECONDS(20)

static struct note *new_note(struct party *from)
{
    struct call *call = from->call;
    ln_duration delay = call->scenario->signalling ? call->scenario->signalling : SIGNALLING_DELAY;
    struct note *n;

    CHECK(call->note_count < CALL_NOTES);
    n = &call->notes[call->note_count++];
    memset(n, 0, sizeof *n);
    n->to = 1 - from->index;
    /* Half to one and a half of the delay, in order as over a WebSocket. */
    n->at = call->net.now + delay / 2 +
            (ln_duration)(ln_rng_unit(&call->net.chance) * (double)delay);
    n->at = ln_time_max(n->at, call->last_note[n->to]);
    call->last_note[n->to] = n->at;
    return n;
}

void call_send_description(struct party *party)
{
    struct ln_session_description description;
    struct note *n;

    if (!ln_peer_connection_local_description(party->pc, &description)) {
        call_fine(party, LN_ERR_INVALID_STATE);
        return;
    }
    n = new_note(party);
    n->type = description.type;
    n->text = strdup(description.sdp);
}

void call_send_candidate(struct party *party, const struct ln_event *event)
{
    struct note *n;

    if (event->u.ice_candidate.last || party->call->scenario->no_trickle)
        return;
    n = new_note(party);
    n->type = LN_SDP_TYPE_IMPLICIT;
    n->text = strdup(event->u.ice_candidate.candidate.candidate);
    snprintf(n->mid, sizeof n->mid, "%s", event->u.ice_candidate.candidate.sdp_mid);
}

void call_offer(struct party *party)
{
    if (call_fine(party,
                  ln_peer_connection_set_local_description(party->pc, NULL, &party->local_op)))
        party->making_offer = true;
}

void call_on_operation(struct party *party, const struct ln_event *event)
{
    int error = event->u.operation.error.error;

    if (event->u.operation.op == party->local_op) {
        party->local_op = 0;
        party->making_offer = false;
        /* An offer that crossed another one fails when its turn comes: that is no harm. */
        if (error && error != LN_ERR_INVALID_STATE)
            call_fine(party, error);
        else if (!error && !party->call->scenario->no_trickle)
            call_send_description(party);
        else if (!error && ln_peer_connection_ice_gathering_state(party->pc) ==
                               LN_ICE_GATHERING_STATE_COMPLETE)
            call_send_description(party);
    } else if (event->u.operation.op == party->remote_offer_op) {
        party->remote_offer_op = 0;
        if (call_fine(party, error))
            call_fine(party,
                      ln_peer_connection_set_local_description(party->pc, NULL, &party->local_op));
    } else if (error) {
        call_fine(party, error);
    }
}

/* Perfect negotiation (https://www.w3.org/TR/webrtc/#perfect-negotiation-example). */
static void take_description(struct party *party, const struct note *n)
{
    struct ln_session_description description = { n->type, n->text };
    bool stable = ln_peer_connection_signaling_state(party->pc) == LN_SIGNALING_STATE_STABLE;
    bool collision = n->type == LN_SDP_TYPE_OFFER && (party->making_offer || !stable);
    ln_op_id op;

    party->ignoring_offer = party->index == 0 && collision;
    if (party->ignoring_offer)
        return;
    if (n->type == LN_SDP_TYPE_OFFER)
        party->negotiates = true; /* it knows now that there is somebody */
    if (call_fine(party, ln_peer_connection_set_remote_description(party->pc, &description, &op)) &&
        n->type == LN_SDP_TYPE_OFFER)
        party->remote_offer_op = op;
}

static void take_note(struct call *call, const struct note *n)
{
    struct party *party = &call->parties[n->to];
    struct ln_ice_candidate_init candidate = { n->text, n->mid, -1, NULL };
    ln_op_id op;

    if (call->net.hosts[n->to].stopped || party->gave_up ||
        ln_peer_connection_signaling_state(party->pc) == LN_SIGNALING_STATE_CLOSED)
        return;
    if (n->type != LN_SDP_TYPE_IMPLICIT)
        take_description(party, n);
    else if (!party->ignoring_offer)
        call_fine(party, ln_peer_connection_add_ice_candidate(party->pc, &candidate, &op));
}

struct note *call_first_note(struct call *call)
{
    struct note *first = NULL;

    for (size_t i = 0; i < call->note_count; i++)
        if (!first || call->notes[i].at < first->at)
            first = &call->notes[i]; /* of equal ones the older */
    return first;
}

void call_take_notes(struct call *call)
{
    struct note *n;

    while ((n = call_first_note(call)) != NULL && n->at <= call->net.now) {
        struct note taken = *n;

        memmove(n, n + 1, (size_t)(call->notes + call->note_count - (n + 1)) * sizeof *n);
        call->note_count--;
        take_note(call, &taken);
        free(taken.text);
    }
}
