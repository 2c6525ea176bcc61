/* SPDX-License-Identifier: Apache-2.0
 * The control loop: one thread that serves HTTP and WebSockets, and waits for timers, signals and
 * posted calls. Servers (http/server.h) and clients (http/websocket_client.h) live on it.
 *
 * Everything here is called on the thread that sits in ln_http_loop_run() (or before it runs),
 * except ln_http_loop_post() and ln_http_loop_stop(). */
#ifndef LN_HTTP_LOOP_H
#define LN_HTTP_LOOP_H

#include <linnet/env.h>
#include <linnet/error.h>

struct ln_http_loop;

struct ln_http_loop_config {
    struct ln_allocator *allocator; /* outlives the loop; used on the loop's thread only */
    /* One line of the libraries underneath, without its newline; NULL: dropped. */
    void (*log)(void *ctx, const char *line);
    void *ctx;
};

/* Returns 0, LN_ERR_NOMEM or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_http_loop_create(struct ln_http_loop **ret_loop,
                                     const struct ln_http_loop_config *config);
/* Closes what still lives on it, servers and clients included (their close callbacks are not
 * called). Not from within a callback. NULL is fine. */
void ln_http_loop_free(struct ln_http_loop *loop);

/* Serves until ln_http_loop_stop(). May be called again. */
void ln_http_loop_run(struct ln_http_loop *loop);
/* Ends run() after the present callback. Any thread, and signal handlers. */
void ln_http_loop_stop(struct ln_http_loop *loop);
/* Has function(ctx, number) called on the loop's thread for each of these signals (at most
 * LN_HTTP_SIGNALS_MAX), once. Returns 0, LN_ERR_LIMIT or LN_ERR_SYSTEM. */
#define LN_HTTP_SIGNALS_MAX 4
LN_NODISCARD int ln_http_loop_watch_signals(struct ln_http_loop *loop, const int *numbers,
                                            size_t count, void (*function)(void *ctx, int number),
                                            void *ctx);

/* Has function(ctx) called on the loop's thread, in the order of the posts. Any thread. Calls that
 * were posted and not made when the loop is freed are dropped. Returns 0, LN_ERR_LIMIT (4096 wait)
 * or LN_ERR_NOMEM. */
LN_NODISCARD int ln_http_loop_post(struct ln_http_loop *loop, void (*function)(void *ctx),
                                   void *ctx);

/* The monotonic clock, read now. */
ln_time ln_http_loop_now(const struct ln_http_loop *loop);

/* A timer: function(ctx) is called once, at or soon after `at`; setting it again moves it,
 * LN_TIME_NEVER stops it. */
struct ln_http_timer;
LN_NODISCARD int ln_http_timer_create(struct ln_http_timer **ret_timer, struct ln_http_loop *loop,
                                      void (*function)(void *ctx), void *ctx);
void ln_http_timer_set(struct ln_http_timer *timer, ln_time at);
void ln_http_timer_free(struct ln_http_timer *timer);

#endif
