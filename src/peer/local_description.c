/* SPDX-License-Identifier: Apache-2.0
 * setLocalDescription() (RFC 8829, 5.9; W3C 4.4.1.5). */
#include "peer/negotiation_parts.h"

#include "peer/peer_connection.h"

#include <stdlib.h>
#include <string.h>

static void associate_offered(struct ln_peer_connection *pc, const struct ln_sdp *offer)
{
    size_t i;

    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->stopped || t->offered_line < 0 || (size_t)t->offered_line >= offer->media_count)
            continue;
        t->m_line = t->offered_line;
        strncpy(t->mid, offer->media[t->m_line].mid, sizeof t->mid - 1);
        ln_media_expect(pc, t, offer);
    }
    for (i = 0; i < offer->media_count; i++) {
        unsigned long number = strtoul(offer->media[i].mid, NULL, 10);

        if (number >= pc->negotiation.next_mid && number < UINT32_MAX)
            pc->negotiation.next_mid = (uint32_t)number + 1;
    }
    for (i = 0; i < offer->media_count && pc->data.m_line < 0 && pc->data.wanted; i++)
        if (offer->media[i].kind == LN_SDP_APPLICATION && !ln_sdp_is_rejected(&offer->media[i]))
            pc->data.m_line = (int)i;
}

/* The description to apply: made now when the application gave no text, else its text, which must
 * be what was created with no more than the usual changes. */
static struct ln_description *local_to_apply(struct ln_peer_connection *pc,
                                             struct ln_operation *operation, enum ln_sdp_type type,
                                             struct ln_operation_result *result)
{
    struct ln_negotiation *n = &pc->negotiation;
    struct ln_description **created = type == LN_SDP_TYPE_OFFER ? &n->created_offer
                                                                : &n->created_answer;
    struct ln_sdp_error why = { 0, 0, "" };
    struct ln_description *description = NULL;
    enum ln_jsep_type jsep_type = type == LN_SDP_TYPE_OFFER    ? LN_JSEP_OFFER
                                  : type == LN_SDP_TYPE_ANSWER ? LN_JSEP_ANSWER
                                                               : LN_JSEP_PRANSWER;
    int error;

    if (!operation->text || !operation->text[0]) {
        error = type == LN_SDP_TYPE_OFFER ? ln_negotiation_make_offer(pc, false)
                                          : ln_negotiation_make_answer(pc);
        if (error) {
            ln_operation_fail(pc, result, error, "the description could not be made: %s",
                              ln_error_sentence(error));
            return NULL;
        }
        description = *created;
        description->type = type;
        *created = NULL;
        return description;
    }
    if (!*created) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_MODIFICATION,
                          "the %s was not made by this peer connection", ln_sdp_type_name(type));
        return NULL;
    }
    error = ln_description_parse(pc->env.allocator, type, operation->text, &description, &why);
    if (!error)
        error = ln_jsep_validate_local(jsep_type, description->sdp, (*created)->sdp, &why);
    if (error) {
        ln_description_free(description);
        ln_negotiation_fail_sdp(pc, result, error, &why);
        return NULL;
    }
    return description;
}

static int apply_local(struct ln_peer_connection *pc, struct ln_description *description)
{
    struct ln_negotiation *n = &pc->negotiation;
    int error = 0;

    if (description->type == LN_SDP_TYPE_OFFER) {
        ln_transport_set_first_role(pc, true);
        ln_description_drop(&n->pending_local);
        n->pending_local = description;
        associate_offered(pc, description->sdp);
    } else {
        struct ln_description *remote = ln_negotiation_remote(pc);
        bool final = description->type == LN_SDP_TYPE_ANSWER;

        error = ln_negotiation_settle(pc, description->sdp, remote->sdp, false, final);
        if (error)
            return error;
        ln_description_drop(&n->pending_local);
        if (final) {
            ln_description_drop(&n->current_local);
            ln_description_drop(&n->current_remote);
            n->current_local = description;
            n->current_remote = n->pending_remote;
            n->pending_remote = NULL;
            n->local_offered = false;
        } else {
            n->pending_local = description;
        }
    }
    ln_transport_gather(pc);
    return error;
}

void ln_negotiation_set_local(struct ln_peer_connection *pc, ln_time now,
                              struct ln_operation *operation, struct ln_operation_result *result)
{
    struct ln_negotiation *n = &pc->negotiation;
    enum ln_sdp_type type = operation->type;
    struct ln_description *description;
    enum ln_signaling_state next;
    int error;

    (void)now;
    if (type == LN_SDP_TYPE_IMPLICIT)
        type = n->state == LN_SIGNALING_STATE_STABLE ||
                       n->state == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER ||
                       n->state == LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER
                   ? LN_SDP_TYPE_OFFER
                   : LN_SDP_TYPE_ANSWER;
    if (type == LN_SDP_TYPE_ROLLBACK) {
        ln_negotiation_rollback(pc, result);
        return;
    }
    if (ln_negotiation_refuse_state(pc, true, type, result))
        return;
    description = local_to_apply(pc, operation, type, result);
    if (!description)
        return;
    next = ln_negotiation_next_state(n->state, true, type);
    error = apply_local(pc, description);
    if (error) {
        ln_description_free(description);
        ln_operation_fail(pc, result, error, "the local description could not be applied: %s",
                          ln_error_sentence(error));
        return;
    }
    n->state = next;
    if (next == LN_SIGNALING_STATE_STABLE)
        ln_negotiation_keep_as_stable(pc);
    ln_states_update(pc);
    ln_negotiation_fire(pc);
}
