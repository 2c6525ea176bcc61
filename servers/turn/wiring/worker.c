/* SPDX-License-Identifier: Apache-2.0
 * One worker: a loop, its sockets, the clients that the kernel gives it, its box. Counts are copied
 * after each turn, for other threads to read. */
#include "servers/turn/wiring/worker.h"

#include "base/alloc.h"
#include "base/pool.h"
#include "crypto/crypto.h"
#include "crypto/rng.h"

#define OPEN_WAIT    LN_SECONDS(5)
#define CLOCK_PERIOD LN_SECONDS(1)
#define LINKS_MAX    (4u * LN_TURN_CLIENTS_MAX)
#define STREAM_QUEUE (256u * 1024)
#define STREAMS_MAX  65536u

static void take_events(struct turn_worker *w)
{
    struct ln_turn_service *s = w->service;
    struct ln_turn_event event;

    while (ln_turn_server_poll_event(w->server, &event)) {
        if (!s->config.event)
            continue;
        pthread_mutex_lock(&s->event_lock);
        s->config.event(s->config.ctx, &event);
        pthread_mutex_unlock(&s->event_lock);
    }
}

/* What its clients send to those of other workers and to residents. */
static void send_parcels(struct turn_worker *w)
{
    struct exchange_box *boxes = w->service->hall->boxes;
    struct ln_buffer *parcel;
    unsigned to;

    while ((parcel = ln_turn_server_poll_parcel(w->server, &to)) != NULL)
        exchange_add(boxes, w->index, to, parcel);
    exchange_flush(boxes, w->index);
}

static void take_parcel(void *ctx, struct ln_buffer *parcel)
{
    struct turn_worker *w = ctx;

    ln_turn_server_take_parcel(w->server, ln_loop_now(w->loop), parcel);
}

static void inbox_ready(void *ctx, unsigned events)
{
    struct turn_worker *w = ctx;

    (void)events;
    exchange_take(w->service->hall->boxes, w->index, take_parcel, w);
    ln_loop_touch(w->handle);
}

static int open_box(struct turn_worker *w)
{
    struct exchange_box *box = &w->service->hall->boxes[w->index];
    int error = exchange_init(box);

    return error ? error
                 : ln_loop_watch_fd(w->loop, ln_mailbox_fd(&box->inbox), LN_LOOP_READABLE,
                                    inbox_ready, w, &w->inbox);
}

static void after(void *ctx, ln_time now)
{
    struct turn_worker *w = ctx;

    send_parcels(w);
    if (now - w->clock_read >= CLOCK_PERIOD) {
        w->clock_read = now;
        ln_turn_server_set_wall_offset(w->server, ln_loop_wall_offset(w->loop));
    }
    pthread_mutex_lock(&w->lock);
    ln_turn_server_counts(w->server, &w->counts);
    w->counts.dropped_exchange = w->service->hall->boxes[w->index].dropped;
    w->allocations = ln_turn_server_allocations(w->server);
    pthread_mutex_unlock(&w->lock);
    take_events(w); /* what the log tells has been counted */
}

static int wait_until_bound(struct turn_worker *w, size_t *ret_failed)
{
    struct ln_turn_service *s = w->service;
    ln_time end = ln_loop_now(w->loop) + OPEN_WAIT;

    for (size_t i = 0; i < s->config.turn.listen_count; i++) {
        int state;

        *ret_failed = i;
        while ((state = ln_turn_server_listening(w->server, i, &s->listen[i].address)) ==
               LN_ERR_AGAIN) {
            if (ln_loop_now(w->loop) > end)
                return LN_ERR_TIMEOUT;
            state = ln_loop_run_once(w->loop, LN_MILLISECONDS(100));
            if (state)
                return state;
        }
        if (state)
            return state;
    }
    return 0;
}

/* Each worker has its own object, as references to one are not counted across threads. */
int turn_worker_take_certificate(struct turn_worker *w)
{
    const struct ln_turn_service *s = w->service;
    struct ln_certificate *certificate;
    int error;

    if (s->certificate_pem.len == 0)
        return 0;
    error = ln_certificate_import(&certificate, s->certificate_pem, s->key_pem, w->crypto);
    if (error)
        return error;
    ln_certificate_unref(w->certificate);
    w->certificate = certificate;
    return 0;
}

void turn_worker_take_config(struct turn_worker *w)
{
    struct ln_turn_config turn = w->service->config.turn;

    turn.certificate = w->certificate;
    ln_turn_server_reload(w->server, &turn);
}

static bool wants(void *ctx, uint8_t first)
{
    const struct ln_turn_service *s = ctx;

    return !s->secure && ln_turn_is_http(first); /* where there is TLS, no page comes without it */
}

static void take(void *ctx, int fd, const struct ln_address *remote, bool secure)
{
    const struct ln_turn_service *s = ctx;

    s->config.take(s->config.take_ctx, fd, remote, secure);
}

static const struct ln_loop_taker taker = { wants, take };

int turn_worker_create(struct ln_turn_service *s, struct turn_worker *w, size_t *ret_failed)
{
    struct ln_loop_config loop = { .rng = &w->chance.rng,
                                   .links_max = LINKS_MAX,
                                   .streams_max = STREAMS_MAX,
                                   .stream_queue_max = STREAM_QUEUE,
                                   .ports = s->worker_count == 1 ? LN_LOOP_PORTS_OWN
                                            : w == s->workers    ? LN_LOOP_PORTS_FIRST
                                                                 : LN_LOOP_PORTS_SHARED,
                                   /* a client's data comes to the worker of his allocation */
                                   .by_source = s->config.turn.tcp_relay ? s->worker_count : 0,
                                   .no_offload = s->config.no_offload,
                                   .ignore_ecn = true };
    struct ln_turn_config turn;
    int error;

    w->service = s;
    w->index = (unsigned)(w - s->workers);
    ln_crypto_rng(&w->rng);
    ln_rng_ahead_init(&w->chance, &w->rng);
    pthread_mutex_init(&w->lock, NULL);
    error = ln_crypto_create(&w->crypto, ln_allocator_libc());
    if (!error)
        error = ln_loop_create(&w->loop, &loop);
    if (error)
        return error;
    w->env = *ln_loop_env(w->loop);
    w->env.crypto = w->crypto;
    error = turn_worker_take_certificate(w);
    if (error)
        return error;
    turn = s->config.turn;
    turn.certificate = w->certificate;
    turn.worker = (uint8_t)w->index;
    turn.watch_own = true;
    turn.shared_port = s->config.take != NULL;
    if (turn.shared_port)
        ln_loop_set_taker(w->loop, &taker, s);
    turn.relay_ports = (uint16_t)((turn.relay_ports + s->worker_count - 1) / s->worker_count);
    error = ln_turn_server_create(&w->server, &turn, &w->env);
    if (error)
        return error;
    ln_turn_server_set_wall_offset(w->server, ln_loop_wall_offset(w->loop));
    error = ln_loop_add_endpoint(w->loop, ln_turn_server_endpoint(w->server), after, w, &w->handle);
    if (!error)
        error = open_box(w);
    return error ? error : wait_until_bound(w, ret_failed);
}

void turn_worker_free(struct turn_worker *w)
{
    if (!w->service)
        return;
    ln_loop_remove_endpoint(w->handle);
    ln_turn_server_free(w->server);
    ln_certificate_unref(w->certificate);
    ln_loop_free(w->loop);
    ln_crypto_free(w->crypto);
    pthread_mutex_destroy(&w->lock);
}

void turn_worker_run(void *ctx)
{
    struct turn_worker *w = ctx;

    (void)!ln_loop_run(w->loop);
}

void turn_worker_take_drain(struct turn_worker *w)
{
    ln_turn_server_drain(w->server, w->service->drain);
}

void turn_worker_settle(struct turn_worker *w)
{
    send_parcels(w);
    exchange_take_all(w->service->hall->boxes, w->index, take_parcel, w);
    ln_loop_touch(w->handle);
}
