/* SPDX-License-Identifier: Apache-2.0
 * Quotas of users and of all, and the relay ports, for several workers at once. */
#include "servers/turn/core/quota.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/time.h"

#include <linnet/error.h>

#define CHAINS          4096u                /* of the table of users; a power of two */
#define BURST           LN_MILLISECONDS(250) /* what a bucket holds, in time at its rate */
#define STREAM          0x80u                /* of a port: of TCP */
#define BURST_BYTES_MIN 16384u               /* a slow rate still passes a video frame */

struct token {
    struct token *next;
    uint64_t number;
    struct ln_turn_user *user;
    size_t relay;
    uint16_t port;
};

struct ln_turn_shared {
    struct ln_allocator *allocator;
    uint64_t secret[2];
    _Atomic uint32_t allocations_max, per_user_max;
    _Atomic uint64_t rate, user_rate;
    _Atomic uint32_t places_max[LN_TURN_PLACE_KINDS], user_places_max[LN_TURN_PLACE_KINDS];
    _Atomic uint32_t places[LN_TURN_PLACE_KINDS];
    _Atomic uint32_t allocations, users;
    _Atomic int64_t bucket;
    atomic_flag entering;
    struct ln_turn_user *chains[CHAINS];
    struct token *tokens[CHAINS];
    _Atomic uint8_t ports[LN_TURN_RELAYS_MAX][65536]; /* 0: free; else worker + 1, and STREAM */
    struct ln_turn_residents residents;
};

int ln_turn_shared_create(struct ln_turn_shared **ret_shared, const struct ln_env *env,
                          const struct ln_turn_limits *limits)
{
    struct ln_turn_shared *s = ln_alloc_zero(env->allocator, sizeof *s);

    if (!s)
        return LN_ERR_NOMEM;
    s->allocator = env->allocator;
    ln_rng_bytes(env->rng, s->secret, sizeof s->secret);
    atomic_flag_clear(&s->entering);
    ln_turn_residents_init(&s->residents);
    ln_turn_shared_set_limits(s, limits);
    *ret_shared = s;
    return 0;
}

void ln_turn_shared_free(struct ln_turn_shared *shared)
{
    if (!shared)
        return;
    for (size_t i = 0; i < CHAINS; i++) {
        while (shared->chains[i]) {
            struct ln_turn_user *user = shared->chains[i];

            shared->chains[i] = user->next;
            ln_free(shared->allocator, user);
        }
        while (shared->tokens[i]) {
            struct token *token = shared->tokens[i];

            shared->tokens[i] = token->next;
            ln_free(shared->allocator, token);
        }
    }
    ln_free(shared->allocator, shared);
}

struct ln_turn_residents *ln_turn_shared_residents(struct ln_turn_shared *shared)
{
    return &shared->residents;
}

void ln_turn_shared_set_limits(struct ln_turn_shared *shared, const struct ln_turn_limits *limits)
{
    atomic_store(&shared->allocations_max, limits->allocations);
    atomic_store(&shared->per_user_max, limits->allocations_per_user);
    atomic_store(&shared->rate, limits->bytes_per_second);
    atomic_store(&shared->user_rate, limits->bytes_per_second_per_user);
    atomic_store(&shared->places_max[LN_TURN_PLACE_PERMISSION], limits->permissions);
    atomic_store(&shared->places_max[LN_TURN_PLACE_CHANNEL], limits->channels);
    atomic_store(&shared->user_places_max[LN_TURN_PLACE_PERMISSION], limits->permissions_per_user);
    atomic_store(&shared->user_places_max[LN_TURN_PLACE_CHANNEL], limits->channels_per_user);
}

/* ---- users ---- */

static void lock(struct ln_turn_shared *shared)
{
    while (atomic_flag_test_and_set_explicit(&shared->entering, memory_order_acquire))
        ;
}

static void unlock(struct ln_turn_shared *shared)
{
    atomic_flag_clear_explicit(&shared->entering, memory_order_release);
}

static int enter(struct ln_turn_shared *shared, uint64_t hash, struct ln_turn_user **ret_user)
{
    struct ln_turn_user **chain = &shared->chains[hash % CHAINS], *user = *chain;
    uint32_t per_user = atomic_load(&shared->per_user_max), most;

    most = atomic_load(&shared->allocations_max);
    if (most > 0 && atomic_load(&shared->allocations) >= most)
        return LN_ERR_AGAIN;
    while (user && user->hash != hash)
        user = user->next;
    if (user && per_user > 0 && user->held >= per_user)
        return LN_ERR_LIMIT;
    if (!user) {
        if (atomic_load(&shared->users) >= LN_TURN_USERS_MAX)
            return LN_ERR_AGAIN;
        user = ln_alloc_zero(shared->allocator, sizeof *user);
        if (!user)
            return LN_ERR_NOMEM;
        user->hash = hash;
        user->next = *chain;
        *chain = user;
        atomic_fetch_add(&shared->users, 1);
    }
    user->held++;
    atomic_fetch_add(&shared->allocations, 1);
    *ret_user = user;
    return 0;
}

int ln_turn_user_enter(struct ln_turn_shared *shared, struct ln_bytes name,
                       struct ln_turn_user **ret_user)
{
    uint64_t hash = ln_siphash(shared->secret, name.data, name.len);
    int error;

    lock(shared);
    error = enter(shared, hash, ret_user);
    unlock(shared);
    return error;
}

void ln_turn_user_leave(struct ln_turn_shared *shared, struct ln_turn_user *user)
{
    struct ln_turn_user **at = &shared->chains[user->hash % CHAINS];

    lock(shared);
    atomic_fetch_sub(&shared->allocations, 1);
    if (--user->held == 0) {
        while (*at != user)
            at = &(*at)->next;
        *at = user->next;
        atomic_fetch_sub(&shared->users, 1);
    } else {
        user = NULL;
    }
    unlock(shared);
    ln_free(shared->allocator, user);
}

uint32_t ln_turn_shared_allocations(const struct ln_turn_shared *shared)
{
    return atomic_load(&shared->allocations);
}

size_t ln_turn_shared_users(const struct ln_turn_shared *shared)
{
    return atomic_load(&shared->users);
}

/* ---- places ---- */

static bool fits(uint32_t taken, size_t count, uint32_t most)
{
    return most == 0 || (taken <= most && count <= most - taken);
}

bool ln_turn_user_has_places(const struct ln_turn_shared *shared, const struct ln_turn_user *user,
                             enum ln_turn_place kind, size_t count)
{
    return fits(atomic_load(&user->places[kind]), count,
                atomic_load(&shared->user_places_max[kind])) &&
           fits(atomic_load(&shared->places[kind]), count, atomic_load(&shared->places_max[kind]));
}

bool ln_turn_user_take_place(struct ln_turn_shared *shared, struct ln_turn_user *user,
                             enum ln_turn_place kind)
{
    uint32_t own = atomic_fetch_add(&user->places[kind], 1);
    uint32_t all = atomic_fetch_add(&shared->places[kind], 1);

    if (fits(own, 1, atomic_load(&shared->user_places_max[kind])) &&
        fits(all, 1, atomic_load(&shared->places_max[kind])))
        return true;
    ln_turn_user_give_places(shared, user, kind, 1);
    return false;
}

void ln_turn_user_give_places(struct ln_turn_shared *shared, struct ln_turn_user *user,
                              enum ln_turn_place kind, size_t count)
{
    atomic_fetch_sub(&user->places[kind], (uint32_t)count);
    atomic_fetch_sub(&shared->places[kind], (uint32_t)count);
}

/* ---- tokens ---- */

int ln_turn_token_put(struct ln_turn_shared *shared, uint64_t token, struct ln_turn_user *user,
                      size_t relay, uint16_t port)
{
    struct ln_turn_user *held;
    struct token *t = ln_alloc(shared->allocator, sizeof *t);
    int error;

    if (!t)
        return LN_ERR_NOMEM;
    lock(shared);
    error = enter(shared, user->hash, &held);
    if (!error) {
        *t = (struct token){ shared->tokens[token % CHAINS], token, held, relay, port };
        shared->tokens[token % CHAINS] = t;
    }
    unlock(shared);
    if (error)
        ln_free(shared->allocator, t);
    return error;
}

/* The token taken out of its chain; with `hash`, only if it is that user's. */
static struct token *take_token(struct ln_turn_shared *shared, uint64_t number,
                                const uint64_t *hash)
{
    struct token **at = &shared->tokens[number % CHAINS], *found = NULL;

    lock(shared);
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (*at && (!hash || (*at)->user->hash == *hash)) {
        found = *at;
        *at = found->next;
    }
    unlock(shared);
    return found;
}

bool ln_turn_token_take(struct ln_turn_shared *shared, uint64_t token, struct ln_bytes name,
                        struct ln_turn_user **ret_user, size_t *ret_relay, uint16_t *ret_port)
{
    uint64_t hash = ln_siphash(shared->secret, name.data, name.len);
    struct token *t = take_token(shared, token, &hash);

    if (!t)
        return false;
    *ret_user = t->user;
    *ret_relay = t->relay;
    *ret_port = t->port;
    ln_free(shared->allocator, t);
    return true;
}

void ln_turn_token_drop(struct ln_turn_shared *shared, uint64_t token)
{
    struct token *t = take_token(shared, token, NULL);

    if (!t)
        return;
    ln_turn_port_release(shared, t->relay, t->port);
    ln_turn_user_leave(shared, t->user);
    ln_free(shared->allocator, t);
}

/* ---- bandwidth ---- */

static int64_t burst_of(uint64_t rate)
{
    int64_t burst = (int64_t)((uint64_t)BURST_BYTES_MIN * 1000000000u / rate);

    return burst > BURST ? burst : BURST;
}

/* Moves the moment at which a bucket is empty again by the time the bytes take at the rate. False
 * and nothing moved when that would be more than the burst ahead of now. */
static bool take(_Atomic int64_t *bucket, ln_time now, size_t bytes, uint64_t rate)
{
    int64_t was = atomic_load_explicit(bucket, memory_order_relaxed), base;
    int64_t cost = (int64_t)((uint64_t)bytes * 1000000000u / rate);
    int64_t burst = burst_of(rate);

    do {
        base = was > now ? was : now;
        if (base + cost - now > burst)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(bucket, &was, base + cost, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

bool ln_turn_user_take(struct ln_turn_shared *shared, struct ln_turn_user *user, ln_time now,
                       size_t bytes)
{
    uint64_t user_rate = atomic_load_explicit(&shared->user_rate, memory_order_relaxed);
    uint64_t rate = atomic_load_explicit(&shared->rate, memory_order_relaxed), fair;
    uint32_t users;

    if (user_rate > 0 && !take(&user->bucket, now, bytes, user_rate))
        return false;
    if (rate == 0)
        return true;
    users = atomic_load_explicit(&shared->users, memory_order_relaxed);
    fair = rate / (users > 0 ? users : 1);
    if (take(&user->share, now, bytes, fair > 0 ? fair : 1)) {
        (void)take(&shared->bucket, now, bytes, rate);
        return true; /* within his share: passes whatever the others do */
    }
    return take(&shared->bucket, now, bytes, rate); /* above it: only what nobody else uses */
}

/* Moves the bucket's moment as take() does, but always; returns when it is within its burst. */
static ln_time charge(_Atomic int64_t *bucket, ln_time now, size_t bytes, uint64_t rate)
{
    int64_t was = atomic_load_explicit(bucket, memory_order_relaxed), base;
    int64_t cost = (int64_t)((uint64_t)bytes * 1000000000u / rate);

    do {
        base = was > now ? was : now;
    } while (!atomic_compare_exchange_weak_explicit(bucket, &was, base + cost, memory_order_relaxed,
                                                    memory_order_relaxed));
    return base + cost - burst_of(rate);
}

ln_time ln_turn_user_charge(struct ln_turn_shared *shared, struct ln_turn_user *user, ln_time now,
                            size_t bytes)
{
    uint64_t user_rate = atomic_load_explicit(&shared->user_rate, memory_order_relaxed);
    uint64_t rate = atomic_load_explicit(&shared->rate, memory_order_relaxed), fair;
    ln_time next = now, share, all;
    uint32_t users;

    if (user_rate > 0)
        next = ln_time_max(next, charge(&user->bucket, now, bytes, user_rate));
    if (rate == 0)
        return next;
    users = atomic_load_explicit(&shared->users, memory_order_relaxed);
    fair = rate / (users > 0 ? users : 1);
    share = charge(&user->share, now, bytes, fair > 0 ? fair : 1);
    all = charge(&shared->bucket, now, bytes, rate);
    return ln_time_max(next, ln_time_min(share, all)); /* within his share, or what nobody uses */
}

/* ---- ports ---- */

bool ln_turn_port_claim(struct ln_turn_shared *shared, size_t relay, uint16_t port, unsigned worker)
{
    uint8_t was = 0;

    return atomic_compare_exchange_strong(&shared->ports[relay][port], &was, (uint8_t)(worker + 1));
}

void ln_turn_port_release(struct ln_turn_shared *shared, size_t relay, uint16_t port)
{
    atomic_store(&shared->ports[relay][port], 0);
}

void ln_turn_port_move(struct ln_turn_shared *shared, size_t relay, uint16_t port, unsigned worker)
{
    atomic_store(&shared->ports[relay][port], (uint8_t)(worker + 1));
}

void ln_turn_port_set_stream(struct ln_turn_shared *shared, size_t relay, uint16_t port)
{
    atomic_fetch_or(&shared->ports[relay][port], STREAM);
}

static uint8_t owner_of(const struct ln_turn_shared *shared, size_t relay, uint16_t port)
{
    return atomic_load_explicit(&shared->ports[relay][port], memory_order_relaxed);
}

bool ln_turn_port_serves(const struct ln_turn_shared *shared, size_t relay, uint16_t port,
                         bool stream)
{
    uint8_t owner = owner_of(shared, relay, port);

    return owner != 0 && ((owner & STREAM) != 0) == stream;
}

bool ln_turn_port_claimed(const struct ln_turn_shared *shared, size_t relay, uint16_t port)
{
    return owner_of(shared, relay, port) != 0;
}

bool ln_turn_port_worker(const struct ln_turn_shared *shared, size_t relay, uint16_t port,
                         unsigned *ret_worker)
{
    uint8_t owner = owner_of(shared, relay, port);

    if (owner == 0 || (owner & STREAM))
        return false;
    *ret_worker = owner - 1u;
    return true;
}
