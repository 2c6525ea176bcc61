/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer on a peer connection (RFC 8829, 5; W3C 4.4.1.5 and 4.4.1.6): the state that the
 * other files work on, and what they share.
 *
 * Applying goes in one order: check everything that can be refused, then change objects, then
 * states and events. What runs out of memory half-way fails the operation and leaves the signalling
 * state. */
#include "peer/negotiation_parts.h"

#include "base/rng.h"
#include "peer/peer_connection.h"

void ln_negotiation_init(struct ln_peer_connection *pc)
{
    /* 62 bits: the session id is below 2^63 (RFC 8829, 5.2.1). */
    pc->negotiation.session_id = ln_rng_u64(pc->env.rng) >> 2;
    pc->negotiation.session_version = 1;
}

void ln_negotiation_deinit(struct ln_peer_connection *pc)
{
    struct ln_negotiation *n = &pc->negotiation;

    ln_description_drop(&n->created_offer);
    ln_description_drop(&n->created_answer);
    ln_description_drop(&n->pending_local);
    ln_description_drop(&n->pending_remote);
    ln_description_drop(&n->current_local);
    ln_description_drop(&n->current_remote);
}

struct ln_description *ln_negotiation_local(const struct ln_peer_connection *pc)
{
    return pc->negotiation.pending_local ? pc->negotiation.pending_local
                                         : pc->negotiation.current_local;
}

struct ln_description *ln_negotiation_remote(const struct ln_peer_connection *pc)
{
    return pc->negotiation.pending_remote ? pc->negotiation.pending_remote
                                          : pc->negotiation.current_remote;
}

/* The signalling state that a description leads to, or that it must not come now (CLOSED). */
enum ln_signaling_state ln_negotiation_next_state(enum ln_signaling_state state, bool local,
                                                  enum ln_sdp_type type)
{
    enum ln_signaling_state own_offer = local ? LN_SIGNALING_STATE_HAVE_LOCAL_OFFER
                                              : LN_SIGNALING_STATE_HAVE_REMOTE_OFFER;
    enum ln_signaling_state their_offer = local ? LN_SIGNALING_STATE_HAVE_REMOTE_OFFER
                                                : LN_SIGNALING_STATE_HAVE_LOCAL_OFFER;
    enum ln_signaling_state provisional = local ? LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER
                                                : LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER;

    if (type == LN_SDP_TYPE_OFFER)
        return state == LN_SIGNALING_STATE_STABLE || state == own_offer ? own_offer
                                                                        : LN_SIGNALING_STATE_CLOSED;
    if (state != their_offer && state != provisional)
        return LN_SIGNALING_STATE_CLOSED;
    return type == LN_SDP_TYPE_PRANSWER ? provisional : LN_SIGNALING_STATE_STABLE;
}

bool ln_negotiation_refuse_state(struct ln_peer_connection *pc, bool local, enum ln_sdp_type type,
                                 struct ln_operation_result *result)
{
    if (ln_negotiation_next_state(pc->negotiation.state, local, type) != LN_SIGNALING_STATE_CLOSED)
        return false;
    ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                      "a %s %s cannot be set in the signaling state %s", local ? "local" : "remote",
                      ln_sdp_type_name(type), ln_signaling_state_name(pc->negotiation.state));
    return true;
}

void ln_negotiation_fail_sdp(struct ln_peer_connection *pc, struct ln_operation_result *result,
                             int error, const struct ln_sdp_error *why)
{
    if (error == LN_ERR_SYNTAX || error == LN_ERR_LIMIT) {
        /* W3C: an SDP syntax error is an OperationError with this detail. */
        ln_operation_fail(pc, result, LN_ERR_OPERATION, "%s%s", why->reason,
                          why->line ? "" : " (no line)");
        result->error.detail = LN_ERROR_DETAIL_SDP_SYNTAX_ERROR;
        result->error.sdp_line_number = (int32_t)why->line;
        return;
    }
    ln_operation_fail(pc, result, error, "%s",
                      why->reason[0] ? why->reason : ln_error_sentence(error));
}

/* The section whose transport is ours in a remote description. */
size_t ln_negotiation_transport_section(const struct ln_sdp *sdp)
{
    size_t i;

    for (i = 0; i < sdp->media_count; i++)
        if (!ln_sdp_is_rejected(&sdp->media[i]))
            return ln_jsep_transport_section(sdp, i);
    return 0;
}

bool ln_negotiation_has_transport(const struct ln_sdp *sdp)
{
    size_t i;

    for (i = 0; i < sdp->media_count; i++)
        if (!ln_sdp_is_rejected(&sdp->media[i]))
            return true;
    return false;
}
