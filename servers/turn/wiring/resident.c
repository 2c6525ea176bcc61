/* SPDX-License-Identifier: Apache-2.0
 * The endpoint between a driver and one that lives here (resident.h).
 *
 * Which links are UDP sockets it learns as they are asked for and answered. A link is a home while
 * its names are in the table of residents; a parcel finds it by the one that the client used.
 *
 * Invariant: what of our box others use too we touch within turn_room_begin() and turn_room_end()
 * alone; what is added waits on our own side of it until then. */
#include "servers/turn/wiring/resident.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/endpoint.h"
#include "base/time.h"
#include "servers/turn/wiring/hall.h"

#include <linnet/error.h>

#define BATCH_MAX 256u /* datagrams that go to the workers at once */
#define TRANSMITS_PER_CALL                                                                         \
    32u /* of the inner endpoint, to relays, until the driver is asked again */

struct home {
    ln_link link;
    struct ln_turn_names names;
};

struct ln_turn_resident {
    const struct ln_env *env;
    struct ln_endpoint inner;
    struct turn_hall *hall;
    unsigned room, box;
    struct home homes[LN_TURN_RESIDENT_HOMES_MAX];
    size_t home_count;
    uint32_t asked[LN_TURN_RESIDENT_ASKED_MAX]; /* ids of requests for UDP sockets */
    size_t asked_count;
    unsigned added;       /* since the last flush */
    bool more;            /* there is more to be sent than one call took */
    bool alone;           /* the service has ended */
    ln_time now;          /* while parcels are taken */
    struct ln_loop *loop; /* NULL: another driver */
    struct ln_loop_endpoint *handle;
    struct ln_loop_watch *watch;
    struct ln_turn_resident_counts counts;
};

/* ---- homes ---- */

static struct home *home_of(struct ln_turn_resident *r, ln_link link)
{
    for (size_t i = 0; i < r->home_count; i++)
        if (r->homes[i].link == link)
            return &r->homes[i];
    return NULL;
}

static struct home *home_named(struct ln_turn_resident *r, const struct ln_address *name)
{
    for (size_t i = 0; i < r->home_count; i++)
        if (ln_address_equal(&r->homes[i].names.bound, name) ||
            ln_address_equal(&r->homes[i].names.external, name))
            return &r->homes[i];
    return NULL;
}

/* What a 1:1 NAT makes of it, if it is an address of the relays'. */
static struct ln_address external_of(const struct turn_hall *hall, const struct ln_address *bound)
{
    struct ln_address external = { .family = LN_FAMILY_NONE };

    for (size_t i = 0; i < hall->relay_count; i++) {
        if (hall->relays[i].external.family == LN_FAMILY_NONE ||
            !ln_address_equal_ip(&hall->relays[i].bind, bound))
            continue;
        external = hall->relays[i].external;
        external.port = bound->port;
        break;
    }
    return external;
}

static void move_in(struct ln_turn_resident *r, ln_link link, const struct ln_address *bound)
{
    struct ln_turn_residents *residents = ln_turn_shared_residents(r->hall->shared);
    struct home home = { link, { external_of(r->hall, bound), *bound } };

    if (r->home_count == LN_TURN_RESIDENT_HOMES_MAX ||
        ln_turn_residents_enter(residents, bound, r->box) != 0) {
        r->counts.homeless++;
        return;
    }
    if (home.names.external.family != LN_FAMILY_NONE &&
        ln_turn_residents_enter(residents, &home.names.external, r->box) != 0) {
        r->counts.homeless++;
        home.names.external.family = LN_FAMILY_NONE;
    }
    r->homes[r->home_count++] = home;
}

static void move_out(struct ln_turn_resident *r, struct home *home)
{
    struct ln_turn_residents *residents = ln_turn_shared_residents(r->hall->shared);

    ln_turn_residents_leave(residents, &home->names.bound);
    if (home->names.external.family != LN_FAMILY_NONE)
        ln_turn_residents_leave(residents, &home->names.external);
    *home = r->homes[--r->home_count];
}

static void close_home(struct ln_turn_resident *r, ln_link link)
{
    struct home *home = home_of(r, link);

    if (home)
        move_out(r, home);
}

/* ---- relays of the service ---- */

/* Whatever the scope, which is a relay's mark (servers/turn/core/port.c). */
static bool is_same_ip(const struct ln_address *a, const struct ln_address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* Which of the relays' addresses clients know by this one; relay_count: none. */
static size_t place_of(const struct turn_hall *hall, const struct ln_address *address)
{
    size_t i = 0;

    while (i < hall->relay_count &&
           !is_same_ip(hall->relays[i].external.family ? &hall->relays[i].external
                                                       : &hall->relays[i].bind,
                       address))
        i++;
    return i;
}

/* Whether the network has no business to bring something from there: by either name. */
static bool is_relays_own(const struct ln_turn_resident *r, const struct ln_address *source)
{
    const struct turn_hall *hall = r->hall;
    unsigned worker;

    for (size_t i = 0; i < hall->relay_count; i++)
        if ((is_same_ip(&hall->relays[i].bind, source) ||
             is_same_ip(&hall->relays[i].external, source)) &&
            ln_turn_port_worker(hall->shared, i, source->port, &worker))
            return true;
    return false;
}

/* ---- out ---- */

static void flush(struct ln_turn_resident *r)
{
    if (r->added == 0)
        return;
    if (turn_room_begin(r->hall, r->room)) {
        exchange_flush(r->hall->boxes, r->box);
        turn_room_end(r->hall, r->room);
    } else {
        r->alone = true; /* what was added is given back at the end */
        r->counts.dropped_full += r->added;
    }
    r->added = 0;
}

static void post(struct ln_turn_resident *r, unsigned worker, const struct home *home,
                 const struct ln_address *to, const uint8_t *data, size_t len)
{
    struct ln_buffer *parcel = ln_turn_parcel_create(r->env->pool, &home->names, to, data, len);

    if (!parcel) {
        r->counts.dropped_memory++;
        return;
    }
    exchange_add(r->hall->boxes, r->box, worker, parcel);
    r->counts.handed_out++;
    if (++r->added == BATCH_MAX)
        flush(r);
}

/* Datagram by datagram, as a socket with segmentation offload would. */
static void post_all(struct ln_turn_resident *r, unsigned worker, const struct home *home,
                     struct ln_transmit *out)
{
    size_t segment = out->segment ? out->segment : out->len, at = 0;

    for (size_t i = 0; i < out->slice_count; i++) {
        post(r, worker, home, &out->path.remote, out->slices[i].base, out->slices[i].len);
        ln_buffer_unref(out->slices[i].buffer);
    }
    if (out->slice_count > 0)
        return;
    do {
        size_t len = out->len - at < segment ? out->len - at : segment;

        post(r, worker, home, &out->path.remote, out->data + at, len);
        at += len;
    } while (at < out->len);
}

static size_t datagrams_in(const struct ln_transmit *out)
{
    if (out->slice_count > 0)
        return out->slice_count;
    return out->segment > 0 ? (out->len + out->segment - 1) / out->segment : 1;
}

/* To one relay of several on a port that is open no more: no socket could tell it from them. */
static void drop(struct ln_turn_resident *r, struct ln_transmit *out)
{
    r->counts.dropped_gone += datagrams_in(out);
    for (size_t i = 0; i < out->slice_count; i++)
        ln_buffer_unref(out->slices[i].buffer);
}

/* False when it is to leave by the socket. */
static bool hand_out(struct ln_turn_resident *r, struct ln_transmit *out)
{
    const struct ln_address *remote = &out->path.remote;
    const struct home *home = home_of(r, out->path.link);
    size_t place = place_of(r->hall, remote);
    unsigned worker;

    if (!home)
        return false;
    if (!r->alone && place < r->hall->relay_count &&
        ln_turn_port_worker(r->hall->shared, place, remote->port, &worker)) {
        post_all(r, worker, home, out);
        return true;
    }
    if (place < r->hall->relay_count && remote->scope != 0) {
        drop(r, out);
        return true;
    }
    r->counts.sent += datagrams_in(out);
    return false;
}

static int resident_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_turn_resident *r = object;
    int result = 0;

    for (unsigned i = 0; i < TRANSMITS_PER_CALL; i++) {
        result = r->inner.ops->poll_transmit(r->inner.object, now, out);
        if (result <= 0 || !hand_out(r, out)) {
            flush(r);
            return result;
        }
        ln_transmit_begin(out);
    }
    flush(r);
    r->more = true;
    return 0;
}

/* ---- in ---- */

static void resident_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_turn_resident *r = object;

    if (home_of(r, packet->path.link)) {
        if (!r->alone && is_relays_own(r, &packet->path.remote)) {
            r->counts.dropped_spoofed++;
            return;
        }
        r->counts.received++;
    }
    r->inner.ops->receive(r->inner.object, now, packet);
}

static void take_one(void *ctx, struct ln_buffer *buffer)
{
    struct ln_turn_resident *r = ctx;
    struct ln_turn_parcel parcel = ln_turn_parcel_read(buffer);
    struct home *home = home_named(r, &parcel.to);
    struct ln_packet packet = { .data = parcel.data, .len = parcel.len };

    if (!home) {
        r->counts.dropped_gone++;
        return;
    }
    packet.path = (struct ln_path){ home->link, home->names.bound, parcel.from };
    r->counts.handed_in++;
    r->inner.ops->receive(r->inner.object, r->now, &packet);
}

void ln_turn_resident_take(struct ln_turn_resident *resident, ln_time now)
{
    struct ln_turn_resident *r = resident;

    if (!turn_room_begin(r->hall, r->room)) {
        r->alone = true;
        return;
    }
    r->now = now;
    exchange_take(r->hall->boxes, r->box, take_one, r);
    turn_room_end(r->hall, r->room);
}

/* ---- the rest of an endpoint ---- */

static void resident_on_timeout(void *object, ln_time now)
{
    struct ln_turn_resident *r = object;

    r->more = false;
    if (ln_time_due(r->inner.ops->next_timeout(r->inner.object), now))
        r->inner.ops->on_timeout(r->inner.object, now);
}

static ln_time resident_next_timeout(const void *object)
{
    const struct ln_turn_resident *r = object;

    return r->more ? LN_TIME_IMMEDIATE : r->inner.ops->next_timeout(r->inner.object);
}

static void note_asked(struct ln_turn_resident *r, uint32_t id)
{
    if (r->asked_count < LN_TURN_RESIDENT_ASKED_MAX)
        r->asked[r->asked_count++] = id;
    else
        r->counts.homeless++;
}

static bool take_asked(struct ln_turn_resident *r, uint32_t id)
{
    for (size_t i = 0; i < r->asked_count; i++) {
        if (r->asked[i] == id) {
            r->asked[i] = r->asked[--r->asked_count];
            return true;
        }
    }
    return false;
}

static int resident_poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_turn_resident *r = object;
    int result = r->inner.ops->poll_request(r->inner.object, ret_request);

    if (result <= 0)
        return result;
    if (ret_request->kind == LN_REQUEST_OPEN_UDP)
        note_asked(r, ret_request->id);
    else if (ret_request->kind == LN_REQUEST_CLOSE && ret_request->link == 0)
        (void)take_asked(r, ret_request->id);
    else if (ret_request->kind == LN_REQUEST_CLOSE)
        close_home(r, ret_request->link);
    return result;
}

static void resident_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct ln_turn_resident *r = object;

    if (answer->kind == LN_ANSWER_OPENED && take_asked(r, answer->id))
        move_in(r, answer->link, &answer->local);
    else if (answer->kind == LN_ANSWER_FAILED)
        (void)take_asked(r, answer->id);
    else if (answer->kind == LN_ANSWER_CLOSED)
        close_home(r, answer->link);
    r->inner.ops->answer(r->inner.object, now, answer);
}

struct ln_endpoint ln_turn_resident_endpoint(struct ln_turn_resident *resident)
{
    static const struct ln_endpoint_ops ops = {
        resident_receive,       resident_on_timeout,   resident_next_timeout,
        resident_poll_transmit, resident_poll_request, resident_answer,
    };

    return (struct ln_endpoint){ &ops, resident };
}

/* ---- life ---- */

int turn_resident_create(struct ln_turn_resident **ret_resident, struct turn_hall *hall,
                         struct ln_endpoint inner, const struct ln_env *env)
{
    struct ln_turn_resident *r;
    int error;

    if (!env->pool)
        return LN_ERR_INVALID_ARGUMENT;
    r = ln_alloc_zero(env->allocator, sizeof *r);
    if (!r)
        return LN_ERR_NOMEM;
    r->env = env;
    r->inner = inner;
    r->hall = hall;
    error = turn_hall_enter(r->hall, &r->room);
    if (error) {
        ln_free(env->allocator, r);
        return error;
    }
    r->box = turn_room_box(r->room);
    *ret_resident = r;
    return 0;
}

int ln_turn_resident_create(struct ln_turn_resident **ret_resident, struct ln_turn_service *service,
                            struct ln_endpoint inner, const struct ln_env *env)
{
    return turn_resident_create(ret_resident, turn_service_hall(service), inner, env);
}

static void parcels_wait(void *ctx, unsigned events)
{
    struct ln_turn_resident *r = ctx;

    (void)events;
    ln_turn_resident_take(r, ln_loop_now(r->loop));
    ln_loop_touch(r->handle);
}

int ln_turn_resident_drive(struct ln_turn_resident *resident, struct ln_loop *loop,
                           ln_loop_after_fn after, void *ctx)
{
    struct ln_turn_resident *r = resident;
    int error = ln_loop_add_endpoint(loop, ln_turn_resident_endpoint(r), after, ctx, &r->handle);

    if (error)
        return error;
    r->loop = loop;
    error = ln_loop_watch_fd(loop, ln_turn_resident_fd(r), LN_LOOP_READABLE, parcels_wait, r,
                             &r->watch);
    if (error) {
        ln_loop_remove_endpoint(r->handle);
        r->handle = NULL;
    }
    return error;
}

void ln_turn_resident_touch(struct ln_turn_resident *resident)
{
    ln_loop_touch(resident->handle);
}

void ln_turn_resident_free(struct ln_turn_resident *resident)
{
    if (!resident)
        return;
    ln_loop_watch_remove(resident->watch);
    ln_loop_remove_endpoint(resident->handle);
    while (resident->home_count > 0)
        move_out(resident, &resident->homes[0]);
    turn_hall_leave(resident->hall, resident->room);
    ln_free(resident->env->allocator, resident);
}

int ln_turn_resident_fd(const struct ln_turn_resident *resident)
{
    return ln_mailbox_fd(&resident->hall->boxes[resident->box].inbox);
}

struct ln_turn_resident_counts ln_turn_resident_counts(const struct ln_turn_resident *resident)
{
    struct ln_turn_resident_counts counts = resident->counts;
    uint64_t full = resident->hall->boxes[resident->box].dropped;

    counts.dropped_full += full;
    counts.handed_out -= counts.dropped_full;
    return counts;
}
