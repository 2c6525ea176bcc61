/* SPDX-License-Identifier: Apache-2.0
 * The loop: timers, messages, descriptors, signals, hosts, and endpoints that come and go. */
#include "tests/unit/io/fault.h"
#include "tests/unit/io/probe.h"

#include "io/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* ---- life ---- */

LN_TEST(io_loop, needs_chance_from_its_creator_or_an_environment_with_a_pool)
{
    struct ln_env poor = *test_env();
    struct ln_loop_config config = { 0 };
    struct ln_loop *loop = NULL;

    CHECK(ln_loop_create(&loop, &config) == LN_ERR_INVALID_ARGUMENT);
    poor.pool = NULL;
    config.env = &poor;
    CHECK(ln_loop_create(&loop, &config) == LN_ERR_INVALID_ARGUMENT);
    CHECK(loop == NULL);
    ln_loop_free(NULL);
    config = (struct ln_loop_config){ .rng = test_env()->rng };
    CHECK(ln_loop_create(&loop, &config) == 0);
    CHECK(ln_loop_env(loop)->rng == config.rng);
    CHECK(ln_loop_env(loop)->pool && ln_loop_env(loop)->allocator);
    ln_loop_free(loop);
}

LN_TEST(io_loop, leaves_no_descriptor_open)
{
    struct ln_request listen_to = { .kind = LN_REQUEST_LISTEN_TCP, .id = 2 };
    struct ln_request connect_to = { .kind = LN_REQUEST_OPEN_TCP, .id = 3 };
    struct ln_request watch = { .kind = LN_REQUEST_WATCH_INTERFACES, .id = 4 };
    static const int wanted[1] = { SIGUSR1 };
    struct ln_loop_watch *signal_watch;
    struct probe p;
    int before;

    listen_to.local = address_of("127.0.0.1");
    before = count_descriptors();
    probe_loop(NULL);
    probe_init(&p);
    probe_add(&p);
    probe_udp(&p, "127.0.0.1");
    probe_request(&p, &listen_to);
    connect_to.remote = wait_answer(&p, LN_ANSWER_OPENED, 2)->local;
    probe_request(&p, &connect_to);
    probe_request(&p, &watch);
    wait_answer(&p, LN_ANSWER_OPENED, 3);
    wait_answer(&p, LN_ANSWER_INTERFACES, 4);
    TRY(ln_loop_watch_signals(test_loop, wanted, 1, NULL, NULL, &signal_watch) == 0);
    TRY(count_descriptors() > before + 5);
    probe_loop_close(); /* with all of it open */
    CHECK_EQUAL(count_descriptors(), before);
}

LN_TEST(io_loop, tells_monotonic_and_wall_time)
{
    ln_time a, b;

    probe_loop(NULL);
    a = ln_loop_now(test_loop);
    b = ln_loop_now(test_loop);
    TRY(a > 0 && b >= a);
    TRY(ln_loop_now(test_loop) + ln_loop_wall_offset(test_loop) > LN_SECONDS(1600000000));
    probe_loop_close();
}

/* ---- timers ---- */

struct alarm {
    struct ln_loop_timer timer;
    int *order, *next, number;
    ln_time when, fired;
    struct alarm *stops;
    bool again;
};

static void ring(void *ctx, ln_time now)
{
    struct alarm *a = ctx;

    a->fired = now;
    a->order[(*a->next)++] = a->number;
    if (a->stops)
        ln_loop_timer_set(&a->stops->timer, LN_TIME_NEVER);
    if (a->again) {
        a->again = false;
        ln_loop_timer_set(&a->timer, now + LN_MILLISECONDS(2));
    }
}

static bool rung(void *ctx)
{
    const struct alarm *a = ctx;

    return *a->next >= 6;
}

LN_TEST(io_timer, fires_in_the_order_of_time_then_of_setting)
{
    static const int delay_ms[6] = { 9, 3, 3, 6, 1, 3 }, expected[6] = { 4, 1, 2, 5, 3, 0 };
    int order[8], next = 0;
    struct alarm alarms[6] = { 0 };
    ln_time start;

    probe_loop(NULL);
    start = ln_loop_now(test_loop);
    for (int i = 0; i < 6; i++) {
        alarms[i].order = order;
        alarms[i].next = &next;
        alarms[i].number = i;
        TRY(ln_loop_timer_init(test_loop, &alarms[i].timer, ring, &alarms[i]) == 0);
        alarms[i].when = start + LN_MILLISECONDS(delay_ms[i]);
        ln_loop_timer_set(&alarms[i].timer, alarms[i].when);
    }
    run_until(rung, &alarms[0]);
    for (int i = 0; i < 6; i++) {
        TRY_EQUAL(order[i], expected[i]);
        TRY(alarms[i].fired >= alarms[i].when);
        ln_loop_timer_deinit(&alarms[i].timer);
        ln_loop_timer_deinit(&alarms[i].timer);
    }
    probe_loop_close();
}

LN_TEST(io_timer, may_be_stopped_and_set_again_from_a_callback)
{
    int order[8], next = 0;
    struct alarm alarms[3] = { 0 };
    ln_time now;

    probe_loop(NULL);
    now = ln_loop_now(test_loop);
    for (int i = 0; i < 3; i++) {
        alarms[i].order = order;
        alarms[i].next = &next;
        alarms[i].number = i;
        TRY(ln_loop_timer_init(test_loop, &alarms[i].timer, ring, &alarms[i]) == 0);
        ln_loop_timer_set(&alarms[i].timer, now - 1 + i); /* past: all due in one turn */
    }
    alarms[0].stops = &alarms[1];
    alarms[0].again = true;
    while (next < 3)
        TRY(ln_loop_run_once(test_loop, LN_TIME_NEVER) == 0);
    TRY(order[0] == 0 && order[1] == 2 && order[2] == 0);
    for (int i = 0; i < 3; i++)
        ln_loop_timer_deinit(&alarms[i].timer);
    probe_loop_close();
}

/* ---- messages ---- */

#define POSTERS 4
#define POSTS   300

struct poster {
    struct ln_thread thread;
    struct ln_loop *loop;
    int *count; /* written on the loop's thread only */
};

static void count_post(void *ctx)
{
    int *count = ctx;

    if (++*count == POSTERS * POSTS)
        ln_loop_stop(test_loop);
}

static void post_many(void *ctx)
{
    struct poster *p = ctx;

    for (int i = 0; i < POSTS;)
        i += ln_loop_post(p->loop, count_post, p->count) == 0;
}

LN_TEST(io_post, from_other_threads_runs_on_the_loop)
{
    struct ln_loop_config config = { .posts_max = 16 };
    struct poster posters[POSTERS] = { 0 };
    int count = 0;

    probe_loop(&config);
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = test_loop;
        posters[i].count = &count;
        TRY(ln_thread_start(&posters[i].thread, "poster", post_many, &posters[i]) == 0);
    }
    TRY(ln_loop_run(test_loop) == 0);
    for (int i = 0; i < POSTERS; i++)
        ln_thread_join(&posters[i].thread);
    TRY_EQUAL(count, POSTERS * POSTS);
    probe_loop_close();
}

static void stop_it(void *ctx)
{
    ln_loop_stop(ctx);
}

LN_TEST(io_post, a_full_mailbox_refuses_and_a_stop_still_comes_through)
{
    struct ln_loop_config config = { .posts_max = 2 };
    struct ln_thread thread = { 0 };
    int count = 0;

    probe_loop(&config);
    TRY(ln_loop_post(test_loop, count_post, &count) == 0);
    TRY(ln_loop_post(test_loop, count_post, &count) == 0);
    TRY(ln_loop_post(test_loop, count_post, &count) == LN_ERR_LIMIT);
    ln_loop_stop(test_loop);
    TRY(ln_loop_run(test_loop) == 0); /* a stop before the run counts */
    TRY(ln_thread_start(&thread, "stopper", stop_it, test_loop) == 0);
    TRY(ln_loop_run(test_loop) == 0);
    ln_thread_join(&thread);
    run_idle(); /* a stop leaves what was posted before it */
    TRY_EQUAL(count, 2);
    probe_loop_close();
}

/* ---- a host's loop ---- */

static bool host_sees(int ms)
{
    struct pollfd poll_fd = { .fd = ln_loop_fd(test_loop), .events = POLLIN };

    return poll(&poll_fd, 1, ms) == 1;
}

/* Lets the host poll until the descriptor is readable, then run the loop without waiting. */
static void host_turn(void)
{
    TRY(host_sees(2000));
    TRY(ln_loop_run_once(test_loop, 0) == 0);
}

LN_TEST(io_host, sees_deadlines_messages_and_touches_by_one_descriptor)
{
    int order[8], next = 0, count = 0;
    struct alarm alarm = { .order = order, .next = &next };
    struct probe p;

    probe_loop(NULL);
    TRY(!host_sees(0));
    TRY(ln_loop_timer_init(test_loop, &alarm.timer, ring, &alarm) == 0);
    ln_loop_timer_set(&alarm.timer, ln_loop_now(test_loop) + LN_MILLISECONDS(5));
    TRY(!host_sees(0));
    while (next == 0)
        host_turn();
    TRY(ln_loop_run_once(test_loop, 0) == 0);
    TRY(!host_sees(0));
    TRY(ln_loop_post(test_loop, count_post, &count) == 0);
    host_turn();
    TRY_EQUAL(count, 1);
    TRY(!host_sees(0));
    probe_init(&p);
    probe_add(&p);
    host_turn();
    TRY_EQUAL(p.afters, 1);
    TRY(!host_sees(0));
    p.deadline = LN_TIME_IMMEDIATE;
    ln_loop_touch(p.handle);
    host_turn();
    TRY_EQUAL(p.timeouts, 1);
    p.deadline = ln_loop_now(test_loop) + LN_MILLISECONDS(3);
    ln_loop_touch(p.handle);
    while (p.timeouts < 2)
        host_turn();
    ln_loop_timer_deinit(&alarm.timer);
    probe_loop_close();
}

static int ping(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct ln_path *path = probe->ctx;

    (void)now;
    if (path->link == 0 || path->remote.family == 0)
        return 0;
    out->path = *path;
    out->len = 4;
    memset(out->data, 1, 4);
    path->remote.family = 0; /* once */
    return 1;
}

LN_TEST(io_host, sees_packets)
{
    struct ln_path to, from;
    struct probe a, b;

    probe_loop(NULL);
    probe_init(&a);
    probe_init(&b);
    probe_add(&a);
    probe_add(&b);
    to = probe_udp(&b, "127.0.0.1");
    from = probe_udp(&a, "127.0.0.1");
    (void)ln_loop_fd(test_loop);
    run_idle();
    a.transmit = ping;
    a.ctx = &from;
    from.remote = to.local;
    ln_loop_touch(a.handle);
    while (b.packets == 0)
        host_turn();
    TRY(!host_sees(0));
    probe_loop_close();
}

/* ---- descriptors and signals ---- */

struct watched {
    struct ln_loop_watch *watch;
    int fd, calls;
    unsigned events;
    bool remove;
};

static void watched_ready(void *ctx, unsigned events)
{
    struct watched *w = ctx;
    char text[8];

    w->calls++;
    w->events = events;
    if (events & LN_LOOP_READABLE)
        (void)!read(w->fd, text, sizeof text);
    if (w->remove)
        ln_loop_watch_remove(w->watch);
}

LN_TEST(io_watch, tells_of_a_pipe_and_stays_the_callers)
{
    struct watched in = { 0 }, out = { .remove = true };
    int fds[2];

    probe_loop(NULL);
    TRY(pipe(fds) == 0);
    in.fd = fds[0];
    out.fd = fds[1];
    if (ln_loop_watch_fd(test_loop, fds[0], LN_LOOP_READABLE, watched_ready, &in, &in.watch) ||
        ln_loop_watch_fd(test_loop, fds[1], LN_LOOP_WRITABLE, watched_ready, &out, &out.watch)) {
        close(fds[0]);
        close(fds[1]);
        TRY(!"watched");
    }
    run_idle();
    TRY(out.calls == 1 && out.events == LN_LOOP_WRITABLE); /* then removed itself */
    TRY_EQUAL(in.calls, 0);
    TRY(write(fds[1], "x", 1) == 1);
    run_idle();
    TRY(in.calls == 1 && in.events == LN_LOOP_READABLE);
    ln_loop_watch_set(in.watch, 0);
    TRY(write(fds[1], "x", 1) == 1);
    run_idle();
    TRY_EQUAL(in.calls, 1);
    in.remove = true;
    ln_loop_watch_set(in.watch, LN_LOOP_READABLE);
    close(fds[1]);
    run_idle();
    TRY_EQUAL(in.calls, 2);
    TRY(in.events == (LN_LOOP_READABLE | LN_LOOP_HANGUP));
    TRY(close(fds[0]) == 0);
    ln_loop_watch_remove(NULL);
    probe_loop_close();
}

LN_TEST(io_watch, refuses_a_regular_file)
{
    struct watched w = { 0 };
    FILE *file = tmpfile();
    int error;

    probe_loop(NULL);
    TRY(file != NULL);
    error = ln_loop_watch_fd(test_loop, fileno(file), LN_LOOP_READABLE, watched_ready, &w,
                             &w.watch);
    fclose(file);
    TRY(error == LN_ERR_NOT_SUPPORTED);
    probe_loop_close();
}

struct signals {
    int seen[4], count;
};

static void signal_came(void *ctx, int signal)
{
    struct signals *s = ctx;

    if (s->count < 4)
        s->seen[s->count++] = signal;
}

LN_TEST(io_watch, tells_of_signals_on_the_loop)
{
    static const int wanted[2] = { SIGINT, SIGTERM };
    struct ln_loop_watch *watch = NULL;
    struct signals s = { 0 };
    sigset_t mask;

    probe_loop(NULL);
    TRY(ln_loop_watch_signals(test_loop, wanted, 2, signal_came, &s, &watch) == 0);
    raise(SIGTERM);
    run_idle();
    raise(SIGINT);
    run_idle();
    TRY(s.count == 2 && s.seen[0] == SIGTERM && s.seen[1] == SIGINT);
    ln_loop_watch_remove(watch);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    TRY(!sigismember(&mask, SIGINT) && !sigismember(&mask, SIGTERM));
    probe_loop_close();
}

/* ---- endpoints ---- */

LN_TEST(io_endpoint, is_driven_at_its_deadline_never_before)
{
    struct probe p;
    ln_time when;

    probe_loop(NULL);
    probe_init(&p);
    probe_add(&p);
    run_idle();
    when = p.deadline = ln_loop_now(test_loop) + LN_MILLISECONDS(7);
    ln_loop_touch(p.handle);
    while (p.timeouts == 0)
        TRY(ln_loop_run_once(test_loop, LN_TIME_NEVER) == 0);
    TRY(p.last_timeout >= when);
    TRY(p.last_timeout < when + LN_SECONDS(1));
    probe_loop_close();
}

LN_TEST(io_endpoint, that_is_idle_is_left_alone)
{
    struct ln_loop_stats before, later;
    struct probe p;

    probe_loop(NULL);
    probe_init(&p);
    probe_add(&p);
    run_idle();
    TRY_EQUAL(p.afters, 1);
    ln_loop_stats(test_loop, &before);
    TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(5)) == 0);
    ln_loop_stats(test_loop, &later);
    TRY_EQUAL(p.afters, 1);
    TRY_EQUAL(later.turns, before.turns + 1);
    probe_loop_close();
}

/* Says at each turn that it has something: others must come through. */
static int always(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    (void)probe;
    (void)now;
    out->path.link = 12345; /* no such link */
    out->len = 1;
    out->data[0] = 0;
    return 1;
}

LN_TEST(io_endpoint, that_never_ends_starves_nobody)
{
    int order[8], next = 0;
    struct alarm alarm = { .order = order, .next = &next };
    struct probe busy, other;

    probe_loop(NULL);
    probe_init(&busy);
    probe_init(&other);
    busy.transmit = always;
    probe_add(&busy);
    probe_add(&other);
    TRY(ln_loop_timer_init(test_loop, &alarm.timer, ring, &alarm) == 0);
    ln_loop_timer_set(&alarm.timer, ln_loop_now(test_loop) + LN_MILLISECONDS(2));
    probe_udp(&other, "127.0.0.1");
    while (next == 0)
        TRY(ln_loop_run_once(test_loop, LN_TIME_NEVER) == 0);
    ln_loop_timer_deinit(&alarm.timer);
    probe_loop_close();
}

static void touch_itself(struct probe *probe)
{
    ln_loop_touch(probe->handle);
}

LN_TEST(io_endpoint, whose_owner_always_touches_it_still_comes_to_rest)
{
    struct ln_loop_stats stats;
    struct probe p;

    probe_loop(NULL);
    probe_init(&p);
    p.after = touch_itself;
    probe_add(&p);
    TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(20)) == 0);
    TRY(ln_loop_run_once(test_loop, LN_MILLISECONDS(20)) == 0);
    ln_loop_stats(test_loop, &stats);
    TRY(stats.turns < 20);
    probe_loop_close();
}

static void remove_ctx(struct probe *probe)
{
    struct probe *other = probe->ctx;

    if (other && other->handle) {
        ln_loop_remove_endpoint(other->handle);
        other->handle = NULL;
        if (other != probe)
            ln_free(test_env()->allocator, other); /* the object may go at once */
    }
}

LN_TEST(io_endpoint, may_remove_itself_or_another_in_the_middle_of_a_drive)
{
    struct probe p, *other;

    probe_loop(NULL);
    other = ln_alloc_zero(test_env()->allocator, sizeof *other);
    TRY(other != NULL);
    probe_init(&p);
    probe_init(other);
    probe_add(&p);
    probe_add(other);
    probe_udp(&p, "127.0.0.1");
    probe_udp(other, "127.0.0.1");
    p.ctx = other;
    p.after = remove_ctx;
    ln_loop_touch(p.handle); /* both wait to be driven in one turn */
    ln_loop_touch(other->handle);
    run_idle();
    TRY(p.handle != NULL);
    p.ctx = &p;
    ln_loop_touch(p.handle);
    run_idle();
    TRY(p.handle == NULL);
    ln_loop_remove_endpoint(NULL);
    probe_loop_close();
}

/* The receiver's owner removes it while more of the same batch waits to be handed up. */
static void remove_at_first_packet(struct probe *probe)
{
    if (probe->packets > 0 && probe->handle) {
        ln_loop_remove_endpoint(probe->handle);
        probe->handle = NULL;
    }
}

static int many_trains(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct ln_path *path = probe->ctx;

    (void)now;
    if (path->link == 0 || path->remote.port == 0 || probe->bytes >= 64 * 12)
        return 0;
    out->path = *path;
    out->segment = 10;
    out->len = 640;
    memset(out->data, 1, out->len);
    probe->bytes += 64;
    return 1;
}

LN_TEST(io_endpoint, may_go_while_its_packets_are_handed_up)
{
    struct ln_path to, from;
    struct probe a, b;

    probe_loop(NULL);
    probe_init(&a);
    probe_init(&b);
    probe_add(&a);
    probe_add(&b);
    to = probe_udp(&b, "127.0.0.1");
    from = probe_udp(&a, "127.0.0.1");
    from.remote = to.local;
    b.after = remove_at_first_packet;
    a.transmit = many_trains;
    a.ctx = &from;
    ln_loop_touch(a.handle);
    run_idle();
    TRY(b.handle == NULL);
    TRY(b.packets >= 64 && b.packets < 64 * 12);
    probe_loop_close();
}

LN_TEST(io_endpoint, that_closes_a_socket_gets_nothing_more_from_it)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct ln_path to, from;
    struct probe a, b;

    probe_loop(NULL);
    probe_init(&a);
    probe_init(&b);
    probe_add(&a);
    probe_add(&b);
    to = probe_udp(&b, "127.0.0.1");
    from = probe_udp(&a, "127.0.0.1");
    a.transmit = ping;
    a.ctx = &from;
    from.remote = to.local;
    ln_loop_touch(a.handle);
    close_it.link = to.link;
    probe_request(&b, &close_it); /* driven after a in the same turn */
    run_idle();
    TRY_EQUAL(b.packets, 0);
    probe_request(&b, &close_it); /* once more is harmless */
    run_idle();
    probe_loop_close();
}
