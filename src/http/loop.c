/* SPDX-License-Identifier: Apache-2.0
 * The control loop: libuv's, with a libwebsockets context on it.
 *
 * libwebsockets reaches libuv through a plug-in of its own package (libwebsockets-evlib-uv), logs
 * through one function of the whole process, and closes its handles only while the loop turns.
 *
 * A context of libwebsockets 4.1 closes the descriptor of its wake-up pipe twice when it is
 * destroyed; between the two another thread may have got that number for a socket of its own. So
 * contexts are not destroyed: one that is no longer needed is kept, with its libuv loop, for who
 * needs one next. */
#include "http/loop.h"

#include "base/alloc.h"
#include "base/ring.h"
#include "base/time.h"
#include "http/internal.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <uv.h>

#define POSTS_MAX   4096u
#define CLOSE_TURNS 5000 /* of the loop, until libwebsockets must have closed its handles */

struct post {
    void (*function)(void *ctx);
    void *ctx;
};

struct ln_http_timer {
    struct http_member member;
    uv_timer_t handle;
    struct ln_http_loop *loop;
    void (*function)(void *ctx);
    void *ctx;
};

/* What outlives a control loop. */
struct engine {
    uv_loop_t uv;
    struct lws_context *context;
    struct lws_vhost *client_vhosts[6]; /* plain, secure, insecure; those with a proxy */
    unsigned handles;                   /* of libuv, in a fresh one */
    struct engine *next;
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct engine *idle; /* as many as there were control loops at one time */

struct ln_http_loop {
    struct ln_http_loop_config config;
    struct engine *engine;
    uv_async_t wake;
    uv_signal_t signals[LN_HTTP_SIGNALS_MAX];
    size_t signal_count;
    void (*on_signal)(void *ctx, int number);
    void *signal_ctx;
    struct ln_list members;
    pthread_mutex_t lock; /* of what follows */
    struct ln_ring posts;
    bool stop;
};

/* libwebsockets has one log for the process and says no context with a line. */
static _Thread_local struct ln_http_loop *logging_loop;

static void log_line(int level, const char *line)
{
    struct ln_http_loop *loop = logging_loop;
    char text[512];
    size_t len = strcspn(line, "\n");

    if (!loop || !loop->config.log)
        return;
    if (len >= sizeof text)
        len = sizeof text - 1;
    memcpy(text, line, len);
    text[len] = '\0';
    loop->config.log(loop->config.ctx, text);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    const struct lws_protocols *protocol = lws_get_protocol(wsi);

    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
        return http_server_callback(in, user);
    if (protocol && strcmp(protocol->name, HTTP_PROTOCOL_CLIENT) == 0)
        return http_client_callback(wsi, (int)reason, in, len);
    return http_connection_callback(wsi, (int)reason, in, len);
}

static const struct lws_protocols protocols[] = {
    { .name = HTTP_PROTOCOL_SERVER, .callback = callback, .rx_buffer_size = 16384 },
    { .name = HTTP_PROTOCOL_CLIENT, .callback = callback, .rx_buffer_size = 16384 },
    { .name = NULL },
};

const void *http_protocols(void)
{
    return protocols;
}

/* ------------------------------------------------------------------ posts */

static bool take_post(struct ln_http_loop *loop, struct post *ret_post)
{
    bool taken;

    pthread_mutex_lock(&loop->lock);
    taken = ln_ring_pop(&loop->posts, ret_post);
    pthread_mutex_unlock(&loop->lock);
    return taken;
}

static void on_wake(uv_async_t *wake)
{
    struct ln_http_loop *loop = wake->data;
    struct post post;
    bool stop;

    while (take_post(loop, &post))
        post.function(post.ctx);
    stop = __atomic_exchange_n(&loop->stop, false, __ATOMIC_ACQ_REL);
    if (stop)
        uv_stop(&loop->engine->uv);
}

int ln_http_loop_post(struct ln_http_loop *loop, void (*function)(void *ctx), void *ctx)
{
    struct post post = { function, ctx };
    int error;

    pthread_mutex_lock(&loop->lock);
    error = ln_ring_push(&loop->posts, &post);
    pthread_mutex_unlock(&loop->lock);
    if (!error)
        uv_async_send(&loop->wake);
    return error;
}

void ln_http_loop_stop(struct ln_http_loop *loop)
{
    /* no lock: a signal handler may be the caller */
    __atomic_store_n(&loop->stop, true, __ATOMIC_RELEASE);
    uv_async_send(&loop->wake);
}

/* ------------------------------------------------------------------ life */

static struct lws_context *create_context(struct engine *engine)
{
    void *loops[1] = { &engine->uv };
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .foreign_loops = loops,
        .pcontext = &engine->context,
        .port = CONTEXT_PORT_NO_LISTEN,
        .gid = (int)-1,
        .uid = (int)-1,
        .timeout_secs = 10, /* TLS handshakes */
        .pt_serv_buf_size = 16384,
    };

    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    return lws_create_context(&info);
}

static void count_handle(uv_handle_t *handle, void *ctx)
{
    (void)handle;
    ++*(unsigned *)ctx;
}

static unsigned handles_of(struct engine *engine)
{
    unsigned count = 0;

    uv_walk(&engine->uv, count_handle, &count);
    return count;
}

static struct engine *take_idle(void)
{
    struct engine *engine;

    pthread_mutex_lock(&idle_lock);
    engine = idle;
    if (engine)
        idle = engine->next;
    pthread_mutex_unlock(&idle_lock);
    return engine;
}

static struct engine *make_engine(void)
{
    struct engine *engine = take_idle();

    if (engine)
        return engine;
    engine = ln_alloc_zero(ln_allocator_libc(), sizeof *engine);
    if (!engine)
        return NULL;
    if (uv_loop_init(&engine->uv) != 0) {
        ln_free(ln_allocator_libc(), engine);
        return NULL;
    }
    engine->context = create_context(engine);
    if (!engine->context) {
        uv_run(&engine->uv, UV_RUN_NOWAIT);
        uv_loop_close(&engine->uv);
        ln_free(ln_allocator_libc(), engine);
        return NULL;
    }
    engine->handles = handles_of(engine);
    return engine;
}

/* Lets everything that is closing end, then keeps it. */
static void keep_engine(struct engine *engine)
{
    for (int i = 0; i < CLOSE_TURNS && handles_of(engine) > engine->handles; i++)
        uv_run(&engine->uv, UV_RUN_NOWAIT);
    pthread_mutex_lock(&idle_lock);
    engine->next = idle;
    idle = engine;
    pthread_mutex_unlock(&idle_lock);
}

int ln_http_loop_create(struct ln_http_loop **ret_loop, const struct ln_http_loop_config *config)
{
    struct ln_http_loop *loop = ln_alloc_zero(config->allocator, sizeof *loop);

    if (!loop)
        return LN_ERR_NOMEM;
    loop->config = *config;
    ln_list_init(&loop->members);
    /* posts come from any thread, so their ring is the C library's */
    ln_ring_init(&loop->posts, ln_allocator_libc(), sizeof(struct post), POSTS_MAX);
    pthread_mutex_init(&loop->lock, NULL);
    logging_loop = loop;
    loop->engine = make_engine();
    loop->wake.data = loop;
    if (!loop->engine || uv_async_init(&loop->engine->uv, &loop->wake, on_wake) != 0) {
        logging_loop = NULL;
        if (loop->engine)
            keep_engine(loop->engine);
        pthread_mutex_destroy(&loop->lock);
        ln_free(config->allocator, loop);
        return LN_ERR_SYSTEM;
    }
    *ret_loop = loop;
    return 0;
}

void ln_http_loop_free(struct ln_http_loop *loop)
{
    if (!loop)
        return;
    logging_loop = loop;
    while (!ln_list_empty(&loop->members)) {
        struct http_member *member = LN_CONTAINER(loop->members.next, struct http_member, node);

        member->free(member);
    }
    for (size_t i = 0; i < loop->signal_count; i++)
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    keep_engine(loop->engine);
    logging_loop = NULL;
    ln_ring_deinit(&loop->posts);
    pthread_mutex_destroy(&loop->lock);
    ln_free(loop->config.allocator, loop);
}

void ln_http_loop_run(struct ln_http_loop *loop)
{
    logging_loop = loop;
    uv_run(&loop->engine->uv, UV_RUN_DEFAULT);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct ln_http_loop *loop = handle->data;

    loop->on_signal(loop->signal_ctx, number);
}

int ln_http_loop_watch_signals(struct ln_http_loop *loop, const int *numbers, size_t count,
                               void (*function)(void *ctx, int number), void *ctx)
{
    if (count > LN_HTTP_SIGNALS_MAX - loop->signal_count)
        return LN_ERR_LIMIT;
    loop->on_signal = function;
    loop->signal_ctx = ctx;
    for (size_t i = 0; i < count; i++) {
        uv_signal_t *signal = &loop->signals[loop->signal_count];

        if (uv_signal_init(&loop->engine->uv, signal) != 0)
            return LN_ERR_SYSTEM;
        signal->data = loop;
        loop->signal_count++;
        if (uv_signal_start(signal, on_signal, numbers[i]) != 0)
            return LN_ERR_SYSTEM;
    }
    return 0;
}

/* ------------------------------------------------------------------ time */

ln_time ln_http_loop_now(const struct ln_http_loop *loop)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ln_time)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void on_timer(uv_timer_t *handle)
{
    struct ln_http_timer *timer = handle->data;

    timer->function(timer->ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ln_http_timer *timer = handle->data;

    ln_free(timer->loop->config.allocator, timer);
}

static void free_timer_member(struct http_member *member)
{
    ln_http_timer_free(LN_CONTAINER(member, struct ln_http_timer, member));
}

int ln_http_timer_create(struct ln_http_timer **ret_timer, struct ln_http_loop *loop,
                         void (*function)(void *ctx), void *ctx)
{
    struct ln_http_timer *timer = ln_alloc_zero(loop->config.allocator, sizeof *timer);

    if (!timer)
        return LN_ERR_NOMEM;
    timer->loop = loop;
    timer->function = function;
    timer->ctx = ctx;
    timer->handle.data = timer;
    uv_timer_init(&loop->engine->uv, &timer->handle);
    timer->member.free = free_timer_member;
    http_loop_add(loop, &timer->member);
    *ret_timer = timer;
    return 0;
}

/* libuv counts whole milliseconds of the same clock, rounded down: it is asked for the first one
 * that does not lie before `at`. */
void ln_http_timer_set(struct ln_http_timer *timer, ln_time at)
{
    uint64_t now_ms, at_ms;

    if (at == LN_TIME_NEVER) {
        uv_timer_stop(&timer->handle);
        return;
    }
    uv_update_time(&timer->loop->engine->uv);
    now_ms = uv_now(&timer->loop->engine->uv);
    at_ms = at <= 0 ? 0 : ((uint64_t)at + 999999) / 1000000;
    uv_timer_start(&timer->handle, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

void http_timer_disown(struct ln_http_timer *timer)
{
    ln_list_remove(&timer->member.node);
}

void ln_http_timer_free(struct ln_http_timer *timer)
{
    if (!timer)
        return;
    ln_list_remove(&timer->member.node);
    uv_close((uv_handle_t *)&timer->handle, on_timer_closed);
}

/* ------------------------------------------------------------------ for the other files */

struct uv_loop_s *http_loop_uv(struct ln_http_loop *loop)
{
    return &loop->engine->uv;
}

struct lws_context *http_loop_context(struct ln_http_loop *loop)
{
    return loop->engine->context;
}

struct ln_allocator *http_loop_allocator(struct ln_http_loop *loop)
{
    return loop->config.allocator;
}

void http_loop_add(struct ln_http_loop *loop, struct http_member *member)
{
    ln_list_append(&loop->members, &member->node);
}

struct lws_vhost *http_loop_client_vhost(struct ln_http_loop *loop, bool secure, bool insecure,
                                         const char *proxy)
{
    static const char *const names[] = { "client-plain",    "client",
                                         "client-insecure", "client-plain-proxy",
                                         "client-proxy",    "client-insecure-proxy" };
    int which = (!secure ? 0 : insecure ? 2 : 1) + (*proxy ? 3 : 0);
    struct lws_context_creation_info info = {
        /* a plain one reads no authorities, which takes a while */
        .options = secure ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .vhost_name = names[which],
        .http_proxy_address = proxy, /* without one it would look into the environment itself */
        .gid = (int)-1,
        .uid = (int)-1,
    };
    struct lws_vhost *vhost = loop->engine->client_vhosts[which];

    if (!vhost)
        vhost = loop->engine->client_vhosts[which] = lws_create_vhost(loop->engine->context, &info);
    else if (*proxy && lws_set_proxy(vhost, proxy) != 0)
        return NULL;
    return vhost;
}
