/* SPDX-License-Identifier: Apache-2.0
 * Workers and what they share. The addresses are bound before any thread starts, so that a port in
 * use is the caller's error. What the owner changes goes to each worker as a message, and the owner
 * waits until it is done. */
#include "servers/turn/wiring/worker.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "crypto/crypto.h"
#include "crypto/rng.h"
#include "io/sockaddr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

/* ---- addresses ---- */

size_t ln_turn_own_addresses(struct ln_address own[LN_TURN_OWN_MAX])
{
    struct ifaddrs *list = NULL;
    size_t count = 0;

    if (getifaddrs(&list) != 0)
        return 0;
    for (struct ifaddrs *at = list; at && count < LN_TURN_OWN_MAX; at = at->ifa_next) {
        struct ln_address address;

        if (!at->ifa_addr || !(at->ifa_flags & IFF_UP))
            continue;
        ln_sockaddr_get((const union ln_sockaddr *)(const void *)at->ifa_addr, &address);
        if (address.family != LN_FAMILY_NONE)
            own[count++] = address;
    }
    freeifaddrs(list);
    return count;
}

static bool has_family(const struct ln_turn_service *s, size_t count, uint8_t family)
{
    for (size_t i = 0; i < count; i++)
        if (s->relays[i].bind.family == family)
            return true;
    return false;
}

/* Adds the address unless its family is there. */
static size_t add_relay(struct ln_turn_service *s, size_t count, struct ln_address address)
{
    address.port = 0;
    if (count == LN_TURN_RELAYS_MAX || has_family(s, count, address.family))
        return count;
    s->relays[count] = (struct ln_turn_relay){ .bind = address };
    return count + 1;
}

/* The listening addresses that are addresses, then the first good one of each family. */
static size_t choose_relays(struct ln_turn_service *s)
{
    struct ln_address own[LN_TURN_OWN_MAX];
    size_t own_count = ln_turn_own_addresses(own), count = 0;
    bool any = false;

    for (size_t i = 0; i < s->config.turn.listen_count; i++) {
        const struct ln_address *a = &s->listen[i].address;

        if (ln_address_is_unspecified(a))
            any = true;
        else
            count = add_relay(s, count, *a);
    }
    for (size_t i = 0; any && i < own_count; i++)
        if (!ln_address_is_loopback(&own[i]) && !ln_address_is_link_local(&own[i]))
            count = add_relay(s, count, own[i]);
    return count;
}

static void complete_policy(struct ln_turn_service *s, const struct ln_turn_policy *given)
{
    s->policy = *given;
    s->policy.own_count = ln_turn_own_addresses(s->policy.own);
    for (size_t i = 0; i < s->config.turn.relay_count && s->policy.own_count < LN_TURN_OWN_MAX; i++)
        if (s->relays[i].external.family)
            s->policy.own[s->policy.own_count++] = s->relays[i].external;
    s->policy.listening_count = s->config.turn.listen_count;
    for (size_t i = 0; i < s->config.turn.listen_count; i++)
        s->policy.listening[i] = s->listen[i].address;
}

/* ---- orders ---- */

static void order_followed(struct ln_turn_service *s)
{
    pthread_mutex_lock(&s->order_lock);
    if (--s->order_left == 0)
        pthread_cond_signal(&s->order_done);
    pthread_mutex_unlock(&s->order_lock);
}

static void follow_reload(void *ctx)
{
    struct turn_worker *w = ctx;

    (void)!turn_worker_take_certificate(w); /* it was tried before */
    turn_worker_take_config(w);
    order_followed(w->service);
}

static void follow_users(void *ctx)
{
    struct turn_worker *w = ctx;

    turn_worker_take_config(w);
    order_followed(w->service);
}

static void follow_drain(void *ctx)
{
    struct turn_worker *w = ctx;

    turn_worker_take_drain(w);
    order_followed(w->service);
}

static void follow_settle(void *ctx)
{
    struct turn_worker *w = ctx;

    turn_worker_settle(w);
    order_followed(w->service);
}

/* Has every worker call it on its own thread, and waits. */
static void give_order(struct ln_turn_service *s, void (*call)(void *ctx))
{
    pthread_mutex_lock(&s->orders);
    pthread_mutex_lock(&s->order_lock);
    s->order_left = s->worker_count;
    pthread_mutex_unlock(&s->order_lock);
    for (unsigned i = 0; i < s->worker_count; i++)
        while (ln_loop_post(s->workers[i].loop, call, &s->workers[i]) != 0)
            usleep(1000); /* its mailbox is full for a moment */
    pthread_mutex_lock(&s->order_lock);
    while (s->order_left > 0)
        pthread_cond_wait(&s->order_done, &s->order_lock);
    pthread_mutex_unlock(&s->order_lock);
    pthread_mutex_unlock(&s->orders);
}

static void settle(void *ctx)
{
    give_order(ctx, follow_settle);
}

static void free_pem(struct ln_bytes *pem)
{
    if (pem->data)
        ln_wipe((uint8_t *)(uintptr_t)pem->data, pem->len);
    ln_free(ln_allocator_libc(), (void *)(uintptr_t)pem->data);
    *pem = (struct ln_bytes){ NULL, 0 };
}

static int copy_pem(struct ln_bytes *to, struct ln_bytes from)
{
    void *copy = from.len > 0 ? ln_alloc_copy(ln_allocator_libc(), from.data, from.len) : NULL;

    if (from.len > 0 && !copy)
        return LN_ERR_NOMEM;
    free_pem(to);
    *to = (struct ln_bytes){ copy, copy ? from.len : 0 };
    return 0;
}

/* Whether certificate and key are right, before any worker is told of them. */
static int try_certificate(const struct ln_turn_service_config *config)
{
    struct ln_certificate *certificate = NULL;
    struct ln_crypto *crypto = NULL;
    int error;

    if (config->certificate_pem.len == 0)
        return 0;
    error = ln_crypto_create(&crypto, ln_allocator_libc());
    if (!error)
        error = ln_certificate_import(&certificate, config->certificate_pem, config->key_pem,
                                      crypto);
    ln_certificate_unref(certificate);
    ln_crypto_free(crypto);
    return error;
}

int ln_turn_service_reload(struct ln_turn_service *service,
                           const struct ln_turn_service_config *config,
                           struct ln_turn_credentials *credentials)
{
    struct ln_turn_service *s = service;
    struct ln_turn_credentials *old = s->credentials;
    struct ln_turn_config next = config->turn;
    int error = try_certificate(config);

    if (!error)
        error = copy_pem(&s->certificate_pem, config->certificate_pem);
    if (!error)
        error = copy_pem(&s->key_pem, config->key_pem);
    if (error) {
        ln_turn_credentials_free(credentials);
        return error;
    }
    next.listen = s->listen;
    next.listen_count = s->config.turn.listen_count;
    next.relays = s->relays;
    next.relay_count = s->config.turn.relay_count;
    next.tcp_relay = s->config.turn.tcp_relay;
    next.relay_ports = s->config.turn.relay_ports;
    next.shared = s->shared;
    next.credentials = s->credentials = credentials;
    next.policy = &s->policy;
    complete_policy(s, &config->policy);
    s->config.turn = next;
    s->config.limits = config->limits;
    ln_turn_shared_set_limits(s->shared, &config->limits);
    give_order(s, follow_reload);
    ln_turn_credentials_free(old);
    return 0;
}

void ln_turn_service_set_users(struct ln_turn_service *service,
                               struct ln_turn_credentials *credentials)
{
    struct ln_turn_credentials *old = service->credentials;

    service->config.turn.credentials = service->credentials = credentials;
    give_order(service, follow_users);
    ln_turn_credentials_free(old);
}

void ln_turn_service_drain(struct ln_turn_service *service, bool drain)
{
    service->drain = drain;
    give_order(service, follow_drain);
}

/* ---- life ---- */

static unsigned choose_workers(const struct ln_turn_service_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = config->workers ? config->workers : (unsigned)(cores > 0 ? cores : 1);

    for (size_t i = 0; i < config->turn.listen_count; i++)
        if (config->turn.listen[i].address.port == 0)
            return 1; /* each would get another */
    return count < LN_TURN_WORKERS_MAX ? count : LN_TURN_WORKERS_MAX;
}

static int create_hall(struct ln_turn_service *s)
{
    int error = turn_hall_create(&s->hall, s->shared);

    if (error) {
        ln_turn_shared_free(s->shared);
        return error;
    }
    memcpy(s->hall->relays, s->relays, sizeof s->relays);
    s->hall->relay_count = s->config.turn.relay_count;
    s->hall->settle = settle;
    s->hall->ctx = s;
    return 0;
}

static int set_up(struct ln_turn_service *s)
{
    static const uint8_t none[LN_TURN_NONCE_KEY_LEN];
    struct ln_turn_config *turn = &s->config.turn;
    int error;

    ln_crypto_rng(&s->rng);
    s->env = (struct ln_env){ .allocator = ln_allocator_libc(), .rng = &s->rng };
    if (turn->listen_count > LN_TURN_LISTEN_MAX || turn->relay_count > LN_TURN_RELAYS_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    for (size_t i = 0; i < turn->listen_count; i++)
        s->listen[i] = turn->listen[i];
    for (size_t i = 0; i < turn->relay_count; i++)
        s->relays[i] = turn->relays[i];
    if (turn->relay_count == 0)
        turn->relay_count = choose_relays(s);
    if (turn->relay_count == 0 && ln_turn_credentials_empty(s->credentials))
        s->relays[turn->relay_count++].bind = ln_address_ipv4(127, 0, 0, 1, 0); /* never used */
    if (turn->relay_count == 0)
        return LN_ERR_NOT_FOUND;
    if (memcmp(turn->nonce_key, none, sizeof none) == 0)
        ln_rng_bytes(&s->rng, turn->nonce_key, sizeof turn->nonce_key);
    ln_rng_bytes(&s->rng, turn->ticket_key, sizeof turn->ticket_key);
    error = ln_turn_shared_create(&s->shared, &s->env, &s->config.limits);
    if (!error)
        error = create_hall(s);
    if (!error)
        error = copy_pem(&s->certificate_pem, s->config.certificate_pem);
    if (!error)
        error = copy_pem(&s->key_pem, s->config.key_pem);
    turn->listen = s->listen;
    turn->relays = s->relays;
    turn->shared = s->shared;
    turn->credentials = s->credentials;
    turn->policy = &s->policy;
    complete_policy(s, &s->config.policy);
    return error;
}

int ln_turn_service_start(struct ln_turn_service **ret_service,
                          const struct ln_turn_service_config *config,
                          struct ln_turn_credentials *credentials, size_t *ret_failed)
{
    struct ln_turn_service *s = ln_alloc_zero(ln_allocator_libc(), sizeof *s);
    int error;

    if (!s) {
        ln_turn_credentials_free(credentials);
        return LN_ERR_NOMEM;
    }
    s->config = *config;
    s->credentials = credentials;
    pthread_mutex_init(&s->event_lock, NULL);
    pthread_mutex_init(&s->orders, NULL);
    pthread_mutex_init(&s->order_lock, NULL);
    pthread_cond_init(&s->order_done, NULL);
    s->secure = config->certificate_pem.len > 0;
    s->worker_count = choose_workers(config);
    error = set_up(s);
    for (unsigned i = 0; i < s->worker_count && !error; i++)
        error = turn_worker_create(s, &s->workers[i], ret_failed);
    if (!error)
        complete_policy(s, &s->config.policy); /* now with the ports that were bound */
    for (unsigned i = 0; i < s->worker_count && !error; i++)
        turn_worker_take_config(&s->workers[i]);
    for (unsigned i = 0; i < s->worker_count && !error; i++)
        error = ln_thread_start(&s->workers[i].thread, "turn", turn_worker_run, &s->workers[i]);
    if (error) {
        ln_turn_service_stop(s);
        return error;
    }
    *ret_service = s;
    return 0;
}

static void end_workers(void *ctx)
{
    struct ln_turn_service *s = ctx;

    for (unsigned i = 0; i < s->worker_count; i++)
        if (s->workers[i].thread.started)
            ln_loop_stop(s->workers[i].loop);
    for (unsigned i = 0; i < s->worker_count; i++)
        ln_thread_join(&s->workers[i].thread);
}

void ln_turn_service_stop(struct ln_turn_service *service)
{
    if (!service)
        return;
    if (service->hall)
        turn_hall_close(service->hall, end_workers, service);
    for (unsigned i = 0; i < service->worker_count; i++)
        turn_worker_free(&service->workers[i]);
    turn_hall_unref(service->hall);
    ln_turn_credentials_free(service->credentials);
    pthread_mutex_destroy(&service->event_lock);
    pthread_mutex_destroy(&service->orders);
    pthread_mutex_destroy(&service->order_lock);
    pthread_cond_destroy(&service->order_done);
    free_pem(&service->certificate_pem);
    free_pem(&service->key_pem);
    ln_wipe(service->config.turn.nonce_key, sizeof service->config.turn.nonce_key);
    ln_wipe(service->config.turn.ticket_key, sizeof service->config.turn.ticket_key);
    ln_free(ln_allocator_libc(), service);
}

struct turn_hall *turn_service_hall(struct ln_turn_service *service)
{
    return service->hall;
}

/* ---- what is told ---- */

struct ln_address ln_turn_service_listening(const struct ln_turn_service *service, size_t i)
{
    return service->listen[i].address;
}

size_t ln_turn_service_relays(const struct ln_turn_service *service,
                              struct ln_turn_relay relays[LN_TURN_RELAYS_MAX])
{
    memcpy(relays, service->relays, sizeof service->relays);
    return service->config.turn.relay_count;
}

unsigned ln_turn_service_workers(const struct ln_turn_service *service)
{
    return service->worker_count;
}

size_t ln_turn_service_allocations(const struct ln_turn_service *service)
{
    return ln_turn_shared_allocations(service->shared);
}

int64_t ln_turn_service_certificate_expires_ms(const struct ln_turn_service *service)
{
    const struct ln_certificate *certificate = service->workers[0].certificate;

    return certificate ? ln_certificate_expires_ms(certificate) : 0;
}

size_t ln_turn_service_users(const struct ln_turn_service *service)
{
    return ln_turn_shared_users(service->shared);
}

static void add(struct ln_turn_counts *sum, const struct ln_turn_counts *one)
{
    /* nothing but 64-bit counters, one after another */
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)one;

    _Static_assert(sizeof *sum % sizeof(uint64_t) == 0, "counters of 64 bits");
    for (size_t i = 0; i < sizeof *sum / sizeof(uint64_t); i++)
        to[i] += from[i];
}

void ln_turn_service_counts(struct ln_turn_service *service, struct ln_turn_counts *ret_counts)
{
    struct ln_turn_counts sum;

    memset(&sum, 0, sizeof sum);
    for (unsigned i = 0; i < service->worker_count; i++) {
        struct turn_worker *w = &service->workers[i];

        pthread_mutex_lock(&w->lock);
        add(&sum, &w->counts);
        pthread_mutex_unlock(&w->lock);
    }
    *ret_counts = sum;
}
