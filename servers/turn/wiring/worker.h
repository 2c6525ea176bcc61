/* SPDX-License-Identifier: Apache-2.0
 * Between service.c and worker.c: a worker with its loop and its server object, and the service
 * that all of them look at. A worker's own thread alone touches what is his, but for what stands
 * under its lock. */
#ifndef LN_TURN_WIRING_WORKER_H
#define LN_TURN_WIRING_WORKER_H

#include "base/rng.h"
#include "io/loop.h"
#include "io/thread.h"
#include "servers/turn/wiring/hall.h"
#include "servers/turn/wiring/service.h"

#include <pthread.h>

struct turn_worker {
    struct ln_turn_service *service;
    unsigned index; /* of this one, and of its box */
    struct ln_rng rng;
    struct ln_rng_ahead chance; /* of `rng`: a port or an id at a time */
    struct ln_loop *loop;
    struct ln_crypto *crypto;
    struct ln_env env;
    struct ln_certificate *certificate;
    struct ln_turn_server *server;
    struct ln_loop_endpoint *handle;
    struct ln_loop_watch *inbox;
    struct ln_thread thread;
    ln_time clock_read;
    pthread_mutex_t lock; /* of the next two */
    struct ln_turn_counts counts;
    size_t allocations;
};

struct ln_turn_service {
    struct ln_turn_service_config config;
    struct ln_rng rng;
    struct ln_env env;
    struct ln_turn_listen listen[LN_TURN_LISTEN_MAX]; /* with the ports bound */
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    struct turn_hall *hall;
    struct ln_turn_shared *shared; /* the hall's */
    struct ln_turn_credentials *credentials;
    struct ln_turn_policy policy;
    struct ln_bytes certificate_pem, key_pem; /* own copies */
    bool secure;                              /* there was one from the beginning */
    unsigned worker_count;
    struct turn_worker workers[LN_TURN_WORKERS_MAX];
    pthread_mutex_t event_lock;

    /* an order to the workers, one at a time, and how many have yet to follow it */
    pthread_mutex_t orders, order_lock;
    pthread_cond_t order_done;
    unsigned order_left;
    bool drain;
};

/* On the owner's thread, before the worker's begins: binds its listeners; *ret_failed is the one
 * that could not be bound. To be freed either way. */
LN_NODISCARD int turn_worker_create(struct ln_turn_service *service, struct turn_worker *worker,
                                    size_t *ret_failed);
void turn_worker_free(struct turn_worker *worker); /* harmless on a zeroed one */
/* Its thread, until its loop is stopped. */
void turn_worker_run(void *worker);

/* ---- on its thread: what the service has now ---- */

/* Returns 0, or what is wrong with it; then the old one stays. */
LN_NODISCARD int turn_worker_take_certificate(struct turn_worker *worker);
/* The server keeps copies of all but the credentials. */
void turn_worker_take_config(struct turn_worker *worker);
void turn_worker_take_drain(struct turn_worker *worker);
/* All that is under way between it and the other boxes. */
void turn_worker_settle(struct turn_worker *worker);

#endif
