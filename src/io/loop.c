/* SPDX-License-Identifier: Apache-2.0
 * The loop itself: descriptors by epoll, deadlines by one heap, messages by a mailbox.
 *
 * A turn waits once, hands out what epoll tells, fires due timers and drives the endpoints that
 * were touched by either. ln_loop_run_once() takes further turns without waiting while there is
 * something to do, so that a packet and its answers cross a loop without going back to the host in
 * between.
 *
 * Invariants: nothing is freed during a turn that an event of the same turn may point to; deadlines
 * live in one heap whose places are reserved when their owner is made, so that setting one never
 * fails. */
#include "base/alloc.h"
#include "base/time.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN    64
#define TIMERS_PER_TURN    1024
#define POSTS_PER_TURN     1024
#define PASSES_PER_TURN    4
#define TURNS_PER_RUN      16 /* without going back to the host */
#define TIMERS_MAX         (1u << 20)
#define POOL_BUFFER_BYTES  2048u
#define POOL_BUFFERS_KEPT  1024u
#define POOL_BUFFERS_MAX   65536u
#define LINKS_MAX          (1u << 20)
#define STREAMS_MAX        1024u
#define STREAM_QUEUE_MAX   (1024u * 1024)
#define DATAGRAM_QUEUE_MAX (8u * 1024 * 1024)
#define POSTS_MAX          1024u
#define SOCKET_BUFFER      (4u * 1024 * 1024)
#define CONNECT_TIMEOUT    LN_SECONDS(30)

/* ---- clock ---- */

static ln_time read_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return LN_SECONDS(t.tv_sec) + t.tv_nsec;
}

ln_time ln_loop_now(const struct ln_loop *loop)
{
    (void)loop;
    return read_clock(CLOCK_MONOTONIC);
}

ln_duration ln_loop_wall_offset(const struct ln_loop *loop)
{
    return read_clock(CLOCK_REALTIME) - ln_loop_now(loop);
}

/* ---- descriptors ---- */

int ln_io_source_add(struct ln_loop *loop, struct ln_io_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    source->events = events;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0)
        return 0;
    return errno == EPERM ? LN_ERR_NOT_SUPPORTED : ln_error_from_errno(errno);
}

void ln_io_source_set(struct ln_loop *loop, struct ln_io_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    int error;

    if (source->events == events || source->fd < 0)
        return;
    source->events = events;
    error = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
    assert(error == 0);
    (void)error;
}

void ln_io_source_close(struct ln_loop *loop, struct ln_io_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}

static void empty_graves(struct ln_loop *loop)
{
    while (!ln_list_empty(&loop->dead)) {
        struct ln_list *grave = loop->dead.next;

        ln_list_remove(grave);
        ln_free(loop->env->allocator, grave);
    }
}

void ln_io_bury(struct ln_loop *loop, struct ln_list *grave)
{
    ln_list_append(&loop->dead, grave);
    if (!loop->running)
        empty_graves(loop);
}

/* ---- timers ---- */

int ln_loop_timer_init(struct ln_loop *loop, struct ln_loop_timer *timer,
                       void (*call)(void *ctx, ln_time now), void *ctx)
{
    memset(timer, 0, sizeof *timer);
    timer->loop = loop;
    timer->call = call;
    timer->ctx = ctx;
    return ln_heap_set(&loop->heap, &timer->node, LN_TIME_NEVER);
}

void ln_loop_timer_set(struct ln_loop_timer *timer, ln_time when)
{
    int error;

    assert(timer->loop && timer->node.index > 0);
    if (timer->node.time == when && when == LN_TIME_NEVER)
        return;
    error = ln_heap_set(&timer->loop->heap, &timer->node, when);
    assert(error == 0); /* its place was made by init */
    (void)error;
    ln_io_wake_host(timer->loop);
}

void ln_loop_timer_deinit(struct ln_loop_timer *timer)
{
    if (timer->loop)
        ln_heap_remove(&timer->loop->heap, &timer->node);
    timer->loop = NULL;
}

static ln_time first_deadline(const struct ln_loop *loop)
{
    const struct ln_heap_node *first = ln_heap_first(&loop->heap);

    if (!ln_list_empty(&loop->ready))
        return LN_TIME_IMMEDIATE;
    return first ? first->time : LN_TIME_NEVER;
}

static bool fire_timers(struct ln_loop *loop, ln_time now)
{
    size_t fired = 0;

    while (fired < TIMERS_PER_TURN) {
        struct ln_heap_node *first = ln_heap_first(&loop->heap);
        struct ln_loop_timer *timer;

        if (!first || !ln_time_due(first->time, now))
            break;
        timer = LN_CONTAINER(first, struct ln_loop_timer, node);
        ln_loop_timer_set(timer, LN_TIME_NEVER);
        timer->call(timer->ctx, now);
        fired++;
    }
    return fired > 0;
}

/* ---- a host's loop ---- */

/* The host polls the epoll descriptor; a timerfd in it tells of deadlines. */
static void arm_timer(struct ln_loop *loop)
{
    ln_time deadline = first_deadline(loop);
    struct itimerspec spec = { 0 };

    if (deadline == loop->timer_armed)
        return;
    loop->timer_armed = deadline;
    if (deadline != LN_TIME_NEVER) {
        deadline = ln_time_max(deadline, 1); /* zero would disarm it */
        spec.it_value.tv_sec = deadline / LN_SECONDS(1);
        spec.it_value.tv_nsec = deadline % LN_SECONDS(1);
    }
    timerfd_settime(loop->timer_source.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void ln_io_wake_host(struct ln_loop *loop)
{
    if (loop->embedded && !loop->running)
        arm_timer(loop);
}

static void timer_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_loop *loop = LN_CONTAINER(source, struct ln_loop, timer_source);
    uint64_t count;
    ssize_t n = read(source->fd, &count, sizeof count);

    (void)n;
    (void)events;
    loop->timer_armed = LN_TIME_NEVER;
}

int ln_loop_fd(struct ln_loop *loop)
{
    if (!loop->embedded) {
        loop->embedded = true;
        ln_io_wake_host(loop);
    }
    return loop->epoll_fd;
}

/* ---- messages ---- */

int ln_loop_post(struct ln_loop *loop, void (*call)(void *ctx), void *ctx)
{
    struct ln_io_post post = { call, ctx };

    return ln_mailbox_put(&loop->posts, &post, NULL);
}

static void posts_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_loop *loop = LN_CONTAINER(source, struct ln_loop, posts_source);
    struct ln_io_post post;

    (void)events;
    for (int i = 0; i < POSTS_PER_TURN && ln_mailbox_take(&loop->posts, &post, 0) == 0; i++)
        post.call(post.ctx);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

void ln_loop_stop(struct ln_loop *loop)
{
    int error;

    atomic_store(&loop->stopped, true);
    error = ln_loop_post(loop, nothing, NULL); /* a full mailbox wakes the loop as well */
    (void)error;
}

/* ---- running ---- */

static int wait_for_events(struct ln_loop *loop, struct epoll_event *events, ln_duration wait)
{
    ln_duration ms;
    int n;

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 35)
    if (!loop->no_pwait2) { /* paced packets need more than milliseconds */
        struct timespec t = { .tv_sec = wait / LN_SECONDS(1), .tv_nsec = wait % LN_SECONDS(1) };

        n = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, wait == LN_TIME_NEVER ? NULL : &t,
                         NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        loop->no_pwait2 = true;
    }
#endif
#endif
    ms = wait == LN_TIME_NEVER ? -1 : (wait + LN_MILLISECONDS(1) - 1) / LN_MILLISECONDS(1);
    n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, ms > 1000000 ? 1000000 : (int)ms);
    return n;
}

static bool drive_ready(struct ln_loop *loop)
{
    bool driven = false;

    for (int pass = 0; pass < PASSES_PER_TURN && !ln_list_empty(&loop->ready); pass++) {
        struct ln_list batch;

        /* Those touched meanwhile wait for the next pass. */
        ln_list_init(&batch);
        while (!ln_list_empty(&loop->ready)) {
            struct ln_list *first = loop->ready.next;

            ln_list_remove(first);
            ln_list_append(&batch, first);
        }
        while (!ln_list_empty(&batch)) {
            struct ln_list *first = batch.next;

            ln_list_remove(first);
            ln_io_drive(LN_CONTAINER(first, struct ln_loop_endpoint, ready));
            driven = true;
        }
    }
    return driven;
}

/* Returns 1 when there was something to do, 0, or LN_ERR_SYSTEM. */
static int turn(struct ln_loop *loop, ln_duration wait)
{
    struct epoll_event events[EVENTS_PER_TURN];
    ln_time deadline = first_deadline(loop);
    bool busy;
    int n;

    if (wait > 0 && deadline != LN_TIME_NEVER) {
        ln_time now = ln_loop_now(loop);

        wait = deadline <= now ? 0 : ln_time_min(wait, deadline - now);
    }
    n = wait_for_events(loop, events, wait < 0 ? 0 : wait);
    if (n < 0 && errno != EINTR)
        return LN_ERR_SYSTEM;
    loop->stats.turns++;
    for (int i = 0; i < n; i++) {
        struct ln_io_source *source = events[i].data.ptr;

        if (source->fd >= 0) /* else closed by an earlier one */
            source->ready(source, events[i].events);
    }
    busy = fire_timers(loop, ln_loop_now(loop));
    busy |= drive_ready(loop);
    empty_graves(loop);
    return busy || n > 0;
}

int ln_loop_run_once(struct ln_loop *loop, ln_duration wait)
{
    int result;

    assert(!loop->running);
    loop->running = true;
    result = turn(loop, wait);
    for (int i = 1; i < TURNS_PER_RUN && result > 0; i++)
        result = turn(loop, 0);
    loop->running = false;
    ln_io_wake_host(loop);
    return result < 0 ? result : 0;
}

/* A wait a turn, and none in between that only asks: there is no host to go back to. */
int ln_loop_run(struct ln_loop *loop)
{
    int result = 0;

    assert(!loop->running);
    loop->running = true;
    while (result >= 0 && !atomic_exchange(&loop->stopped, false))
        result = turn(loop, LN_TIME_NEVER);
    loop->running = false;
    ln_io_wake_host(loop);
    return result < 0 ? result : 0;
}

/* ---- life ---- */

static size_t or_default(size_t value, size_t fallback)
{
    return value > 0 ? value : fallback;
}

/* As many as the process may have descriptors. */
static size_t links_default(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > LINKS_MAX)
        return LINKS_MAX;
    return (size_t)limit.rlim_cur;
}

static void configure(struct ln_loop *loop, const struct ln_loop_config *config)
{
    struct ln_loop_config *own = &loop->config;

    *own = *config;
    own->links_max = or_default(config->links_max, links_default());
    own->streams_max = or_default(config->streams_max, STREAMS_MAX);
    own->stream_queue_max = or_default(config->stream_queue_max, STREAM_QUEUE_MAX);
    own->datagram_queue_max = or_default(config->datagram_queue_max, DATAGRAM_QUEUE_MAX);
    own->posts_max = or_default(config->posts_max, POSTS_MAX);
    own->socket_buffer = or_default(config->socket_buffer, SOCKET_BUFFER);
    if (own->connect_timeout <= 0)
        own->connect_timeout = CONNECT_TIMEOUT;
}

static void set_environment(struct ln_loop *loop, struct ln_allocator *allocator)
{
    if (loop->config.env) {
        loop->env = loop->config.env;
        return;
    }
    ln_pool_init(&loop->own_pool, allocator, POOL_BUFFER_BYTES, POOL_BUFFERS_KEPT,
                 POOL_BUFFERS_MAX);
    loop->own_env.allocator = allocator;
    loop->own_env.pool = &loop->own_pool;
    loop->own_env.rng = loop->config.rng;
    loop->own_env.trace = loop->config.trace;
    loop->env = &loop->own_env;
}

static int open_descriptors(struct ln_loop *loop)
{
    int error;

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return ln_error_from_errno(errno);
    loop->timer_source.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_source.fd < 0)
        return ln_error_from_errno(errno);
    loop->timer_source.ready = timer_ready;
    error = ln_io_source_add(loop, &loop->timer_source, EPOLLIN);
    if (error)
        return error;
    error = ln_mailbox_init(&loop->posts, sizeof(struct ln_io_post), loop->config.posts_max,
                            LN_MAILBOX_REFUSE);
    if (error)
        return error;
    loop->posts_source.fd = ln_mailbox_fd(&loop->posts);
    loop->posts_source.ready = posts_ready;
    return ln_io_source_add(loop, &loop->posts_source, EPOLLIN);
}

int ln_loop_create(struct ln_loop **ret_loop, const struct ln_loop_config *config)
{
    struct ln_allocator *allocator = config->env ? config->env->allocator : ln_allocator_libc();
    struct ln_loop *loop;
    int error;

    if (config->env ? !config->env->pool : !config->rng)
        return LN_ERR_INVALID_ARGUMENT;
    loop = ln_alloc_zero(allocator, sizeof *loop);
    if (!loop)
        return LN_ERR_NOMEM;
    configure(loop, config);
    set_environment(loop, allocator);
    loop->epoll_fd = loop->timer_source.fd = loop->helper_source.fd = -1;
    loop->timer_armed = LN_TIME_NEVER;
    ln_list_init(&loop->endpoints);
    ln_list_init(&loop->ready);
    ln_list_init(&loop->watches);
    ln_list_init(&loop->flushing);
    ln_list_init(&loop->dead);
    ln_list_init(&loop->held);
    ln_list_init(&loop->lookups);
    ln_list_init(&loop->publications);
    ln_heap_init(&loop->heap, allocator, TIMERS_MAX);
    ln_map_init(&loop->links, loop->env, loop->config.links_max);
    loop->receive = ln_alloc(allocator, sizeof *loop->receive);
    if (loop->receive)
        ln_io_receive_init(loop->receive);
    loop->transmit_data = ln_alloc(allocator, LN_TRANSMIT_BYTES_MAX);
    loop->batch = ln_io_batch_create(allocator);
    error = loop->receive && loop->transmit_data && loop->batch ? open_descriptors(loop)
                                                                : LN_ERR_NOMEM;
    if (error) {
        ln_loop_free(loop);
        return error;
    }
    *ret_loop = loop;
    return 0;
}

void ln_loop_free(struct ln_loop *loop)
{
    struct ln_allocator *allocator;

    if (!loop)
        return;
    assert(!loop->running);
    allocator = loop->env->allocator;
    LN_LIST_EACH_SAFE (at, after, &loop->endpoints)
        ln_loop_remove_endpoint(LN_CONTAINER(at, struct ln_loop_endpoint, siblings));
    LN_LIST_EACH_SAFE (at, after, &loop->flushing)
        ln_io_link_close(LN_CONTAINER(at, struct ln_io_link, siblings));
    LN_LIST_EACH_SAFE (at, after, &loop->held)
        ln_io_held_free(LN_CONTAINER(at, struct ln_io_held, siblings));
    LN_LIST_EACH_SAFE (at, after, &loop->watches)
        ln_loop_watch_remove(LN_CONTAINER(at, struct ln_loop_watch, siblings));
    ln_io_resolve_end(loop);
    ln_io_interfaces_end(loop);
    ln_mailbox_deinit(&loop->posts);
    if (loop->timer_source.fd >= 0)
        close(loop->timer_source.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    empty_graves(loop);
    ln_map_deinit(&loop->links);
    ln_heap_deinit(&loop->heap);
    ln_free(allocator, loop->transmit_data);
    ln_free(allocator, loop->batch);
    ln_io_receive_deinit(loop->receive);
    ln_free(allocator, loop->receive);
    if (!loop->config.env)
        ln_pool_deinit(&loop->own_pool);
    ln_free(allocator, loop);
}

struct ln_env *ln_loop_env(struct ln_loop *loop)
{
    return loop->env;
}

void ln_loop_stats(const struct ln_loop *loop, struct ln_loop_stats *ret_stats)
{
    *ret_stats = loop->stats;
    ret_stats->links = loop->links.count;
}
