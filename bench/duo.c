/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/duo.h"

#include <stdlib.h>
#include <string.h>

/* A description or a candidate on its way to the other loop. */
struct note {
    struct duo_side *to;
    enum ln_sdp_type type; /* IMPLICIT: a candidate */
    char *text, *mid;
};

static void take_note(void *ctx)
{
    struct note *note = ctx;
    struct duo_side *side = note->to;
    struct ln_session_description description = { note->type, note->text };
    struct ln_ice_candidate_init candidate = { note->text, note->mid, -1, NULL };
    ln_op_id op = 0;
    int error;

    if (side->pc && note->type == LN_SDP_TYPE_IMPLICIT) {
        error = ln_peer_connection_add_ice_candidate(side->pc, &candidate, &op);
    } else if (side->pc) {
        error = ln_peer_connection_set_remote_description(side->pc, &description, &op);
        if (note->type == LN_SDP_TYPE_OFFER)
            side->offer_op = op;
    }
    (void)error;
    if (side->pc)
        ln_place_touch(side->place);
    free(note->text);
    free(note->mid);
    free(note);
}

static void send_note(struct duo_side *from, enum ln_sdp_type type, const char *text,
                      const char *mid)
{
    struct note *note = calloc(1, sizeof *note);

    if (!note)
        return;
    note->to = from->other;
    note->type = type;
    note->text = strdup(text);
    note->mid = mid ? strdup(mid) : NULL;
    if (ln_loop_post(ln_driver_loop(from->other->driver), take_note, note) != 0) {
        free(note->text);
        free(note->mid);
        free(note);
    }
}

static void on_operation(struct duo_side *side, const struct ln_event *event)
{
    struct ln_session_description description;
    int error = 0;

    if (event->u.operation.op == side->offer_op)
        error = ln_peer_connection_set_local_description(side->pc, NULL, &side->local_op);
    else if (event->u.operation.op == side->local_op &&
             ln_peer_connection_local_description(side->pc, &description))
        send_note(side, description.type, description.sdp, NULL);
    (void)error;
}

static void after(void *ctx, ln_time now)
{
    struct duo_side *side = ctx;
    struct ln_event event;

    while (side->pc && ln_peer_connection_poll_event(side->pc, &event) == 1) {
        const struct ln_ice_candidate *c = &event.u.ice_candidate.candidate;

        if (event.kind == LN_EVENT_OPERATION_DONE)
            on_operation(side, &event);
        else if (event.kind == LN_EVENT_ICE_CANDIDATE && !event.u.ice_candidate.last)
            send_note(side, LN_SDP_TYPE_IMPLICIT, c->candidate, c->sdp_mid);
        else if (event.kind == LN_EVENT_DATA_CHANNEL)
            side->channel = event.u.channel;
        if (event.kind == LN_EVENT_OPEN) {
            side->open = true;
            if (side->on_open)
                side->on_open(side, now);
        }
        if (side->on_event)
            side->on_event(side, now, &event);
    }
}

static int create_side(struct duo_side *side, struct ln_driver *driver, struct ln_env *env,
                       bool any_size, struct ln_port *port)
{
    struct ln_configuration configuration;
    struct ln_loop *loop = ln_driver_loop(driver);
    int error;

    ln_configuration_init(&configuration);
    configuration.include_loopback = true;
    if (any_size)
        configuration.max_message_size = 0;
    configuration.wall_offset = ln_loop_wall_offset(loop);
    side->driver = driver;
    error = ln_peer_connection_create(&configuration, env ? env : ln_driver_env(driver), &side->pc);
    if (!error)
        error = ln_place_take(&side->place, loop, port, side->pc, after, side);
    return error;
}

static int create(struct duo_side sides[2], struct ln_driver *first, struct ln_driver *second,
                  struct ln_env *env, bool any_size, struct ln_port *port)
{
    int error;

    memset(sides, 0, 2 * sizeof *sides);
    sides[0].other = &sides[1];
    sides[1].other = &sides[0];
    error = create_side(&sides[0], first, env, any_size, port);
    return error ? error : create_side(&sides[1], second, env, any_size, NULL);
}

int duo_create(struct duo_side sides[2], struct ln_driver *first, struct ln_driver *second,
               struct ln_env *env, bool any_size)
{
    return create(sides, first, second, env, any_size, NULL);
}

int duo_create_on_port(struct duo_side sides[2], struct ln_driver *driver, struct ln_env *env,
                       struct ln_port *port)
{
    return create(sides, driver, driver, env, false, port);
}

int duo_start(struct duo_side sides[2])
{
    int error = ln_peer_connection_create_data_channel(sides[0].pc, "bench", NULL,
                                                       &sides[0].channel);

    if (!error)
        error = ln_peer_connection_set_local_description(sides[0].pc, NULL, &sides[0].local_op);
    ln_place_touch(sides[0].place);
    return error;
}

void duo_close(struct duo_side *side)
{
    ln_place_leave(side->place);
    ln_peer_connection_free(side->pc);
    side->place = NULL;
    side->pc = NULL;
}
