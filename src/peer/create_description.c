/* SPDX-License-Identifier: Apache-2.0
 * createOffer() and createAnswer() (RFC 8829, 5.2 and 5.3; W3C 4.4.1.8): what the objects wish,
 * written as a description. */
#include "peer/negotiation_parts.h"

#include "base/alloc.h"
#include "peer/peer_connection.h"

#include <stdio.h>
#include <string.h>

/* Gives the description the version after the last one, unless it says what that said (RFC 8829,
 * 5.2.2). It was made with the last version. */
static int set_version(struct ln_peer_connection *pc, struct ln_description *made,
                       struct ln_description *before)
{
    struct ln_negotiation *n = &pc->negotiation;
    const char *text = before ? ln_description_text(made) : NULL;
    const char *text_before = before ? ln_description_text(before) : NULL;
    char version[24];

    if (text && text_before && strcmp(text, text_before) == 0)
        return 0;
    snprintf(version, sizeof version, "%llu", (unsigned long long)n->session_version + 1);
    made->sdp->session_version = ln_arena_text(&made->arena, version, strlen(version));
    if (!made->sdp->session_version)
        return LN_ERR_NOMEM;
    n->session_version++;
    ln_description_touch(made);
    return 0;
}

/* Made in an arena of its own, of which nothing is kept but what the description says. */
static int fill(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                struct ln_description *made)
{
    struct ln_jsep_state state = ln_sections_state(pc);
    struct ln_jsep_local local;
    struct ln_arena scratch;
    struct ln_sdp *sdp;
    const char *text;
    size_t len;
    int error;

    ln_arena_init(&scratch, pc->env.allocator, LN_SDP_ARENA_BYTES);
    error = ln_sections_build(pc, purpose, &scratch, &local);
    if (!error)
        error = purpose == LN_SECTIONS_FOR_OFFER
                    ? ln_jsep_create_offer(&local, &state, &scratch, &sdp)
                    : ln_jsep_create_answer(&local, pc->negotiation.pending_remote->sdp, &scratch,
                                            &sdp);
    if (!error)
        error = ln_sdp_write(sdp, &scratch, &text, &len);
    if (!error)
        error = ln_sdp_parse(text, len, &made->arena, &made->sdp, NULL);
    ln_arena_deinit(&scratch);
    return error;
}

static int make(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                struct ln_description **slot)
{
    struct ln_description *made;
    int error;

    made = ln_description_create(pc->env.allocator, purpose == LN_SECTIONS_FOR_OFFER
                                                        ? LN_SDP_TYPE_OFFER
                                                        : LN_SDP_TYPE_ANSWER);
    if (!made)
        return LN_ERR_NOMEM;
    error = fill(pc, purpose, made);
    if (!error)
        error = set_version(pc, made, *slot ? *slot : ln_negotiation_local(pc));
    if (error) {
        ln_description_free(made);
        return error;
    }
    ln_description_drop(slot);
    *slot = made;
    return 0;
}

int ln_negotiation_make_offer(struct ln_peer_connection *pc, bool ice_restart)
{
    int error = 0;

    if (ice_restart || pc->negotiation.ice_restart)
        error = ln_transport_restart(pc);
    return error ? error : make(pc, LN_SECTIONS_FOR_OFFER, &pc->negotiation.created_offer);
}

int ln_negotiation_make_answer(struct ln_peer_connection *pc)
{
    return make(pc, LN_SECTIONS_FOR_ANSWER, &pc->negotiation.created_answer);
}

static void give(struct ln_peer_connection *pc, struct ln_description *made,
                 struct ln_operation_result *result)
{
    const char *text = ln_description_text(made);

    result->text = text ? ln_alloc_text(pc->env.allocator, text) : NULL;
    if (!result->text) {
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
        return;
    }
    result->description.type = made->type;
    result->description.sdp = result->text;
}

void ln_negotiation_create_offer(struct ln_peer_connection *pc, ln_time now,
                                 struct ln_operation *operation, struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;
    int error;

    (void)now;
    if (state != LN_SIGNALING_STATE_STABLE && state != LN_SIGNALING_STATE_HAVE_LOCAL_OFFER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "an offer cannot be made in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    error = ln_negotiation_make_offer(pc, operation->ice_restart);
    if (error)
        ln_operation_fail(pc, result, error, "the offer could not be made: %s",
                          ln_error_sentence(error));
    else
        give(pc, pc->negotiation.created_offer, result);
}

void ln_negotiation_create_answer(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result)
{
    enum ln_signaling_state state = pc->negotiation.state;
    int error;

    (void)now;
    (void)operation;
    if (state != LN_SIGNALING_STATE_HAVE_REMOTE_OFFER &&
        state != LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER) {
        ln_operation_fail(pc, result, LN_ERR_INVALID_STATE,
                          "an answer cannot be made in the signaling state %s",
                          ln_signaling_state_name(state));
        return;
    }
    error = ln_negotiation_make_answer(pc);
    if (error)
        ln_operation_fail(pc, result, error, "the answer could not be made: %s",
                          ln_error_sentence(error));
    else
        give(pc, pc->negotiation.created_answer, result);
}
