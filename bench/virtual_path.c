/* SPDX-License-Identifier: Apache-2.0
 * A lossless path with a fixed delay: packets, descriptions and candidates in one queue of times.
 */
#include "bench/virtual_path.h"

#include <linnet/environment.h>
#include <linnet/linnet.h>

#include <stdlib.h>
#include <string.h>

#define ONE_WAY    LN_MILLISECONDS(50)
#define FLIGHT_MAX 4096
#define LIMIT      LN_SECONDS(20)

struct flight {
    ln_time at;
    int to;
    enum { DATAGRAM, DESCRIPTION, CANDIDATE } kind;
    enum ln_sdp_type type;
    char *mid;
    size_t len;
    uint8_t *data;
};

struct path {
    ln_peer_connection *pc[2];
    ln_op_id local_op[2], offer_op[2];
    struct flight flights[FLIGHT_MAX];
    size_t count;
    ln_time now;
    bool open;
};

static struct ln_address address_of(int side)
{
    struct ln_address address = { .family = LN_FAMILY_IPV4 };

    address.ip[0] = 10;
    address.ip[3] = (uint8_t)(side + 1);
    address.port = 50000;
    return address;
}

static void launch(struct path *p, int from, const struct flight *what, const void *data,
                   size_t len)
{
    struct flight *f;

    if (p->count == FLIGHT_MAX)
        return;
    f = &p->flights[p->count];
    *f = *what;
    f->at = p->now + ONE_WAY;
    f->to = 1 - from;
    f->len = len;
    f->data = malloc(len + 1);
    if (!f->data)
        return;
    memcpy(f->data, data, len);
    f->data[len] = 0;
    p->count++;
}

static void answer_requests(struct path *p, int side)
{
    struct ln_interface interface = { .name = "v0", .index = 1, .prefix_len = 24, .up = true };
    struct ln_request request;

    interface.address = address_of(side);
    interface.address.port = 0;
    while (ln_peer_connection_poll_request(p->pc[side], &request) == 1) {
        struct ln_answer answer = { .id = request.id };

        if (request.kind == LN_REQUEST_WATCH_INTERFACES) {
            answer.kind = LN_ANSWER_INTERFACES;
            answer.interfaces = &interface;
            answer.interface_count = 1;
        } else if (request.kind == LN_REQUEST_OPEN_UDP) {
            answer.kind = LN_ANSWER_OPENED;
            answer.link = 1;
            answer.local = address_of(side);
        } else {
            continue;
        }
        ln_peer_connection_answer(p->pc[side], p->now, &answer);
    }
}

static void take_events(struct path *p, int side)
{
    struct ln_session_description description;
    struct flight what = { 0 };
    struct ln_event event;

    while (ln_peer_connection_poll_event(p->pc[side], &event) == 1) {
        if (event.kind == LN_EVENT_OPEN && side == 0)
            p->open = true;
        if (event.kind == LN_EVENT_ICE_CANDIDATE && !event.u.ice_candidate.last) {
            const struct ln_ice_candidate *c = &event.u.ice_candidate.candidate;

            what.kind = CANDIDATE;
            what.mid = strdup(c->sdp_mid ? c->sdp_mid : "0");
            launch(p, side, &what, c->candidate, strlen(c->candidate));
        }
        if (event.kind != LN_EVENT_OPERATION_DONE)
            continue;
        if (event.u.operation.op == p->offer_op[side]) {
            if (ln_peer_connection_set_local_description(p->pc[side], NULL, &p->local_op[side]))
                return;
        } else if (event.u.operation.op == p->local_op[side] &&
                   ln_peer_connection_local_description(p->pc[side], &description)) {
            what.kind = DESCRIPTION;
            what.mid = NULL;
            what.type = description.type;
            launch(p, side, &what, description.sdp, strlen(description.sdp));
        }
    }
}

static void transmit(struct path *p, int side)
{
    static uint8_t memory[65536]; /* bench: one thread */
    struct ln_transmit out = { .data = memory, .cap = sizeof memory };
    struct flight what = { .kind = DATAGRAM };
    size_t at, len;

    while (ln_peer_connection_poll_transmit(p->pc[side], p->now, &out) == 1)
        for (at = 0; at < out.len; at += len) {
            len = out.segment && out.segment < out.len - at ? out.segment : out.len - at;
            launch(p, side, &what, memory + at, len);
        }
}

/* Does all that is due now. */
static void settle(struct path *p)
{
    int round, side;

    for (round = 0; round < 8; round++)
        for (side = 0; side < 2; side++) {
            if (ln_peer_connection_next_timeout(p->pc[side]) <= p->now)
                ln_peer_connection_on_timeout(p->pc[side], p->now);
            answer_requests(p, side);
            transmit(p, side);
            take_events(p, side);
        }
}

static void land(struct path *p, struct flight *f)
{
    struct ln_session_description description = { f->type, (const char *)f->data };
    struct ln_ice_candidate_init candidate = { (const char *)f->data, f->mid, -1, NULL };
    struct ln_packet packet = { .data = f->data, .len = f->len };
    ln_op_id op = 0;
    int error = 0;

    if (f->kind == DATAGRAM) {
        packet.path.link = 1;
        packet.path.local = address_of(f->to);
        packet.path.remote = address_of(1 - f->to);
        ln_peer_connection_receive(p->pc[f->to], p->now, &packet);
    } else if (f->kind == CANDIDATE) {
        error = ln_peer_connection_add_ice_candidate(p->pc[f->to], &candidate, &op);
    } else {
        error = ln_peer_connection_set_remote_description(p->pc[f->to], &description, &op);
        if (f->type == LN_SDP_TYPE_OFFER)
            p->offer_op[f->to] = op;
    }
    (void)error;
    free(f->data);
    free(f->mid);
}

/* The next moment at which something happens. */
static ln_time next_moment(const struct path *p)
{
    ln_time next = p->count > 0 ? p->flights[0].at : LN_TIME_NEVER;
    int side;

    for (side = 0; side < 2; side++) {
        ln_time timeout = ln_peer_connection_next_timeout(p->pc[side]);

        if (timeout < next)
            next = timeout;
    }
    return next > p->now ? next : p->now;
}

static int run(struct path *p, const struct ln_env *env, double *ret_round_trips)
{
    ln_time from = p->now = LN_SECONDS(1);
    ln_data_channel *channel;
    int side, error = 0;

    for (side = 0; side < 2 && !error; side++)
        error = ln_peer_connection_create(NULL, env, &p->pc[side]);
    if (!error)
        error = ln_peer_connection_create_data_channel(p->pc[0], "bench", NULL, &channel);
    if (!error)
        error = ln_peer_connection_set_local_description(p->pc[0], NULL, &p->local_op[0]);
    while (!error && !p->open && p->now - from < LIMIT) {
        settle(p);
        if (p->open)
            break;
        p->now = next_moment(p);
        while (p->count > 0 && p->flights[0].at <= p->now) {
            struct flight first = p->flights[0];

            memmove(p->flights, p->flights + 1, --p->count * sizeof first);
            land(p, &first);
        }
    }
    *ret_round_trips = (double)(p->now - from) / (double)(2 * ONE_WAY);
    for (side = 0; side < 2; side++)
        ln_peer_connection_free(p->pc[side]);
    while (p->count > 0) {
        free(p->flights[--p->count].data);
        free(p->flights[p->count].mid);
    }
    return error ? error : p->open ? 0 : LN_ERR_TIMEOUT;
}

int bench_virtual_round_trips(double *ret_round_trips)
{
    struct path *path = calloc(1, sizeof *path);
    ln_environment *environment = NULL;
    int error = path ? ln_environment_create(NULL, NULL, &environment) : LN_ERR_NOMEM;

    if (!error)
        error = run(path, ln_environment_env(environment), ret_round_trips);
    ln_environment_free(environment);
    free(path);
    return error;
}
