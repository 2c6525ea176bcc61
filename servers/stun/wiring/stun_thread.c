/* SPDX-License-Identifier: Apache-2.0
 * A loop with one endpoint in it. The address is bound before the thread starts, so that a port in
 * use is the caller's error; the counts are copied after each turn, for other threads to read. */
#include "servers/stun/wiring/stun_thread.h"

#include "base/alloc.h"
#include "crypto/rng.h"
#include "io/loop.h"
#include "io/thread.h"

#define OPEN_WAIT LN_SECONDS(5)

struct ln_stun_thread {
    struct ln_rng rng;
    struct ln_loop *loop;
    struct ln_stun_server *server;
    struct ln_loop_endpoint *handle;
    struct ln_thread thread;
    pthread_mutex_t lock; /* of the counts */
    struct ln_stun_server_counts counts;
};

static void after(void *ctx, ln_time now)
{
    struct ln_stun_thread *t = ctx;
    struct ln_stun_server_counts counts;

    ln_stun_server_counts(t->server, &counts);
    pthread_mutex_lock(&t->lock);
    t->counts = counts;
    pthread_mutex_unlock(&t->lock);
}

static void run(void *ctx)
{
    struct ln_stun_thread *t = ctx;

    (void)!ln_loop_run(t->loop);
}

static int wait_until_bound(struct ln_stun_thread *t, struct ln_address *ret_bound)
{
    ln_time end = ln_loop_now(t->loop) + OPEN_WAIT;
    int state;

    while ((state = ln_stun_server_listening(t->server, 0, ret_bound)) == LN_ERR_AGAIN) {
        if (ln_loop_now(t->loop) > end)
            return LN_ERR_TIMEOUT;
        state = ln_loop_run_once(t->loop, LN_MILLISECONDS(100));
        if (state)
            return state;
    }
    return state;
}

int ln_stun_thread_start(struct ln_stun_thread **ret_thread, const struct ln_address *listen,
                         uint32_t per_second, uint32_t burst, struct ln_address *ret_bound)
{
    struct ln_stun_thread *t = ln_alloc_zero(ln_allocator_libc(), sizeof *t);
    struct ln_loop_config loop = { .rng = t ? &t->rng : NULL };
    struct ln_stun_server_config server = { listen, 1, per_second, burst };
    int error;

    if (!t)
        return LN_ERR_NOMEM;
    ln_crypto_rng(&t->rng);
    pthread_mutex_init(&t->lock, NULL);
    error = ln_loop_create(&t->loop, &loop);
    if (!error)
        error = ln_stun_server_create(&t->server, &server, ln_loop_env(t->loop));
    if (!error)
        error = ln_loop_add_endpoint(t->loop, ln_stun_server_endpoint(t->server), after, t,
                                     &t->handle);
    if (!error)
        error = wait_until_bound(t, ret_bound);
    if (!error)
        error = ln_thread_start(&t->thread, "stun", run, t);
    if (error) {
        ln_stun_thread_stop(t);
        return error;
    }
    *ret_thread = t;
    return 0;
}

void ln_stun_thread_stop(struct ln_stun_thread *thread)
{
    if (!thread)
        return;
    if (thread->thread.started) {
        ln_loop_stop(thread->loop);
        ln_thread_join(&thread->thread);
    }
    ln_loop_remove_endpoint(thread->handle);
    ln_stun_server_free(thread->server);
    ln_loop_free(thread->loop);
    pthread_mutex_destroy(&thread->lock);
    ln_free(ln_allocator_libc(), thread);
}

void ln_stun_thread_counts(const struct ln_stun_thread *thread,
                           struct ln_stun_server_counts *ret_counts)
{
    struct ln_stun_thread *t = (struct ln_stun_thread *)(uintptr_t)thread;

    pthread_mutex_lock(&t->lock);
    *ret_counts = t->counts;
    pthread_mutex_unlock(&t->lock);
}
