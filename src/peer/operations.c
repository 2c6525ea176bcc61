/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/operations.h"

#include "base/alloc.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "peer/stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void release(struct ln_peer_connection *pc, struct ln_operation *operation)
{
    ln_free(pc->env.allocator, operation->text);
    ln_free(pc->env.allocator, operation->mid);
    ln_free(pc->env.allocator, operation->username_fragment);
    ln_free(pc->env.allocator, operation->parameters);
    ln_media_stream_track_unref(operation->track);
}

int ln_operations_add(struct ln_peer_connection *pc, struct ln_operation *operation,
                      ln_op_id *ret_op)
{
    int error = pc->closed ? LN_ERR_INVALID_STATE : 0;

    operation->id = pc->last_op + 1;
    if (!error)
        error = ln_ring_push(&pc->operations, operation);
    if (!error) {
        error = ln_events_reserve(&pc->events);
        if (error)
            pc->operations.count--; /* the one just queued */
    }
    if (error) {
        release(pc, operation);
        return error;
    }
    pc->last_op++;
    *ret_op = operation->id;
    ln_stir(pc);
    return 0;
}

void ln_operations_clear(struct ln_peer_connection *pc)
{
    struct ln_operation operation;

    while (ln_ring_pop(&pc->operations, &operation))
        release(pc, &operation);
}

void ln_operation_fail(struct ln_peer_connection *pc, struct ln_operation_result *result, int error,
                       const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ln_free(pc->env.allocator, result->message);
    result->message = ln_alloc_text(pc->env.allocator, text);
    result->error.error = error;
    result->error.message = result->message ? result->message : ln_error_sentence(error);
}

/* What to do, by kind. */
static void (*const handlers[LN_OPERATIONS])(struct ln_peer_connection *pc, ln_time now,
                                             struct ln_operation *operation,
                                             struct ln_operation_result *result) = {
    [LN_OPERATION_CREATE_OFFER] = ln_negotiation_create_offer,
    [LN_OPERATION_CREATE_ANSWER] = ln_negotiation_create_answer,
    [LN_OPERATION_SET_LOCAL_DESCRIPTION] = ln_negotiation_set_local,
    [LN_OPERATION_SET_REMOTE_DESCRIPTION] = ln_negotiation_set_remote,
    [LN_OPERATION_ADD_ICE_CANDIDATE] = ln_negotiation_add_candidate,
    [LN_OPERATION_GET_STATS] = ln_stats_collect,
    [LN_OPERATION_SET_PARAMETERS] = ln_sender_set_parameters_now,
    [LN_OPERATION_REPLACE_TRACK] = ln_sender_replace_track_now,
};

static void finish(struct ln_peer_connection *pc, const struct ln_operation *operation,
                   struct ln_operation_result *result)
{
    struct ln_event event = { .kind = LN_EVENT_OPERATION_DONE };
    char *owned = result->text ? result->text : result->message;

    event.u.operation.op = operation->id;
    event.u.operation.error = result->error;
    event.u.operation.description = result->description;
    event.u.operation.stats = result->stats;
    if (result->text && result->message)
        ln_free(pc->env.allocator, result->message); /* a description is never an error */
    (void)ln_events_push(&pc->events, &event, owned);
}

void ln_operations_run(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_operation operation;

    while (!pc->closed && ln_ring_pop(&pc->operations, &operation)) {
        struct ln_operation_result result = { 0 };

        result.error.sdp_line_number = -1;
        result.error.sctp_cause_code = -1;
        result.error.received_alert = -1;
        result.error.sent_alert = -1;
        handlers[operation.kind](pc, now, &operation, &result);
        finish(pc, &operation, &result);
        release(pc, &operation);
    }
    if (pc->operations.count == 0)
        ln_ring_deinit(&pc->operations); /* mostly there is none for long */
}
