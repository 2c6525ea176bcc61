/* SPDX-License-Identifier: Apache-2.0
 * Reliable ordered messages over loopback between a connection of ours and one of another stack in
 * a process of its own (bench/peers/run STACK far), one way and the other, and that stack with
 * itself beside it. We offer. Orders and reports go over one socket, a line of JSON each:
 *
 *     to it    {"offer": SDP}    {"send": BYTES}, 0: only receive    {"stop": true}
 *     from it  {"answer": SDP}   {"begun": true}                     {"bytes": B, "seconds": S,
 *                                                                     "cpu_s": C}
 *
 * Both descriptions have their candidates in them. `bytes` is what it received since it began. */
#include "bench/bench.h"
#include "client/loop_driver.h"

#include <linnet/linnet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS         3
#define SECONDS      3
#define PATIENCE_S   60 /* for whatever it is to do next */
#define BUFFER_ABOVE (8u << 20)
#define BUFFER_BELOW (4u << 20)
#define LINE_CAP     65536
#define GIB          (1024.0 * 1024 * 1024)

struct mixed {
    const char *stack;
    bool forth; /* we send */
    uint8_t *message;
    size_t message_bytes;
    ln_duration length;

    struct ln_driver *driver;
    struct ln_loop *loop;
    struct ln_loop_endpoint *handle;
    struct ln_loop_watch *watch;
    struct ln_loop_timer timer; /* the end of the run, or of our patience */
    ln_peer_connection *pc;
    ln_data_channel *channel;
    pid_t child;
    int fd;
    char line[LINE_CAP];
    size_t line_len;

    bool running, done;
    double from, cpu_from;
    uint64_t received;
    double mb_per_s, own_cpu_s, far_cpu_s; /* processor seconds a GiB */
};

static void tell(struct mixed *m, json_t *order)
{
    char *text = json_dumps(order, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0;

    json_decref(order);
    if (text) {
        text[len] = '\n'; /* in the place of its end */
        if (send(m->fd, text, len + 1, MSG_NOSIGNAL) != (ssize_t)len + 1)
            ln_loop_stop(m->loop);
    }
    free(text);
}

static void fill(struct mixed *m)
{
    while (ln_data_channel_buffered_amount(m->channel) < BUFFER_ABOVE)
        if (ln_data_channel_send(m->channel, m->message, m->message_bytes) != 0)
            break;
    ln_loop_touch(m->handle);
}

static void begin(struct mixed *m)
{
    m->running = true;
    m->received = 0;
    m->from = bench_wall_seconds();
    m->cpu_from = bench_cpu_seconds();
    ln_loop_timer_set(&m->timer, ln_loop_now(m->loop) + m->length);
    if (m->forth)
        fill(m);
}

/* The end of the run: our figures now, the other's when it answers. */
static void on_timer(void *ctx, ln_time now)
{
    struct mixed *m = ctx;

    if (!m->running) {
        ln_loop_stop(m->loop);
        return;
    }
    m->running = false;
    m->own_cpu_s = bench_cpu_seconds() - m->cpu_from;
    m->mb_per_s = (double)m->received / 1e6 / (bench_wall_seconds() - m->from);
    ln_loop_timer_set(&m->timer, now + LN_SECONDS(PATIENCE_S));
    tell(m, json_pack("{s:b}", "stop", 1));
}

static void finish(struct mixed *m, double bytes, double seconds, double far_cpu_s)
{
    if (m->forth)
        m->mb_per_s = bytes / 1e6 / seconds;
    else
        bytes = (double)m->received;
    m->own_cpu_s /= bytes / GIB;
    m->far_cpu_s = far_cpu_s / (bytes / GIB);
    m->done = bytes > 0;
    ln_loop_stop(m->loop);
}

static void take_line(struct mixed *m, const char *line)
{
    struct ln_session_description answer = { LN_SDP_TYPE_ANSWER, NULL };
    double bytes, seconds, cpu_s;
    ln_op_id op;
    json_t *report = json_loads(line, 0, NULL);
    int error = 0;

    if (json_unpack(report, "{s:s}", "answer", &answer.sdp) == 0)
        error = ln_peer_connection_set_remote_description(m->pc, &answer, &op);
    else if (json_object_get(report, "begun") && !m->running)
        begin(m);
    else if (json_unpack(report, "{s:F, s:F, s:F}", "bytes", &bytes, "seconds", &seconds, "cpu_s",
                         &cpu_s) == 0)
        finish(m, bytes, seconds, cpu_s);
    if (error)
        ln_loop_stop(m->loop);
    ln_loop_touch(m->handle);
    json_decref(report);
}

static void on_readable(void *ctx, unsigned events)
{
    struct mixed *m = ctx;
    ssize_t got = recv(m->fd, m->line + m->line_len, LINE_CAP - 1 - m->line_len, MSG_DONTWAIT);
    char *end;

    (void)events;
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            ln_loop_stop(m->loop);
        return;
    }
    m->line_len += (size_t)got;
    m->line[m->line_len] = '\0';
    while ((end = strchr(m->line, '\n'))) {
        *end = '\0';
        take_line(m, m->line);
        m->line_len -= (size_t)(end + 1 - m->line);
        memmove(m->line, end + 1, m->line_len + 1);
    }
    if (m->line_len == LINE_CAP - 1)
        ln_loop_stop(m->loop);
}

static void after(void *ctx, ln_time now)
{
    struct mixed *m = ctx;
    struct ln_session_description offer;
    struct ln_event event;

    (void)now;
    while (ln_peer_connection_poll_event(m->pc, &event) == 1) {
        if (event.kind == LN_EVENT_ICE_CANDIDATE && event.u.ice_candidate.last &&
            ln_peer_connection_local_description(m->pc, &offer))
            tell(m, json_pack("{s:s}", "offer", offer.sdp));
        else if (event.kind == LN_EVENT_OPEN)
            tell(m, json_pack("{s:i}", "send", m->forth ? 0 : (int)m->message_bytes));
        else if (event.kind == LN_EVENT_MESSAGE)
            m->received += event.u.message.len;
        else if (event.kind == LN_EVENT_BUFFERED_AMOUNT_LOW && m->running && m->forth)
            fill(m);
    }
}

static int start_far(struct mixed *m)
{
    const char *folder = getenv("LINNET_BENCH_PEERS");
    char program[1024];
    int ends[2];

    snprintf(program, sizeof program, "%s/run", folder ? folder : "bench/peers");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return LN_ERR_SYSTEM;
    m->child = fork();
    if (m->child == 0) {
        if (dup2(ends[1], 0) == 0 && dup2(ends[1], 1) == 1)
            execl(program, program, m->stack, "far", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    m->fd = ends[0];
    return m->child > 0 ? 0 : LN_ERR_SYSTEM;
}

static int start(struct mixed *m)
{
    struct ln_configuration configuration;
    ln_op_id op;
    int error = ln_driver_create(&m->driver);

    if (error)
        return error;
    m->loop = ln_driver_loop(m->driver);
    ln_configuration_init(&configuration);
    configuration.include_loopback = true;
    configuration.wall_offset = ln_loop_wall_offset(m->loop);
    error = ln_peer_connection_create(&configuration, ln_driver_env(m->driver), &m->pc);
    if (!error)
        error = ln_loop_add_endpoint(m->loop, ln_peer_connection_endpoint(m->pc), after, m,
                                     &m->handle);
    if (!error)
        error = ln_loop_timer_init(m->loop, &m->timer, on_timer, m);
    if (!error)
        error = start_far(m);
    if (!error)
        error = ln_loop_watch_fd(m->loop, m->fd, LN_LOOP_READABLE, on_readable, m, &m->watch);
    if (!error)
        error = ln_peer_connection_create_data_channel(m->pc, "bench", NULL, &m->channel);
    if (error)
        return error;
    ln_data_channel_set_buffered_amount_low_threshold(m->channel, BUFFER_BELOW);
    ln_loop_timer_set(&m->timer, ln_loop_now(m->loop) + LN_SECONDS(PATIENCE_S));
    return ln_peer_connection_set_local_description(m->pc, NULL, &op);
}

/* The far process ends when its end of the socket does. */
static void stop(struct mixed *m)
{
    ln_loop_watch_remove(m->watch);
    ln_loop_timer_deinit(&m->timer);
    ln_loop_remove_endpoint(m->handle);
    ln_peer_connection_free(m->pc);
    ln_driver_free(m->driver);
    if (m->fd >= 0)
        close(m->fd);
    if (m->child > 0)
        waitpid(m->child, NULL, 0);
}

static int run_once(struct mixed *m)
{
    int error = start(m);

    if (!error)
        error = ln_loop_run(m->loop);
    stop(m);
    return error ? error : m->done ? 0 : LN_ERR_NETWORK;
}

static int measure(const char *stack, bool forth, size_t bytes, const struct bench_options *options,
                   json_t *rows)
{
    size_t runs = options->runs ? (size_t)options->runs : RUNS, i;
    double mb[64], own[64], far[64];
    char name[64];
    int error = 0;

    runs = runs > 64 ? 64 : runs;
    snprintf(name, sizeof name, "linnet and %s", stack);
    for (i = 0; i < runs && !error; i++) {
        struct mixed *m = calloc(1, sizeof *m);

        if (!m)
            return LN_ERR_NOMEM;
        m->stack = stack;
        m->forth = forth;
        m->fd = -1;
        m->message_bytes = bytes;
        m->message = calloc(1, bytes);
        m->length = LN_SECONDS(options->seconds ? options->seconds : SECONDS);
        error = m->message ? run_once(m) : LN_ERR_NOMEM;
        mb[i] = m->mb_per_s;
        own[i] = m->own_cpu_s;
        far[i] = m->far_cpu_s;
        free(m->message);
        free(m);
    }
    if (!error)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f}", "stack", name,
                                              "direction", forth ? "forth" : "back",
                                              "message_bytes", (int)bytes, "runs", (int)runs,
                                              "mb_per_s", bench_quantile(mb, runs, 0.5),
                                              "own_cpu_s_per_gib", bench_quantile(own, runs, 0.5),
                                              "far_cpu_s_per_gib", bench_quantile(far, runs, 0.5)));
    return error;
}

int bench_mixed(const struct bench_options *options, json_t *rows)
{
    size_t bytes = options->sizes ? (size_t)strtol(options->sizes, NULL, 10) : 65536;
    char list[256], *at, *rest;

    snprintf(list, sizeof list, "%s", options->with ? options->with : "datachannel");
    for (at = strtok_r(list, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
        int error = measure(at, true, bytes, options, rows);

        if (!error)
            error = measure(at, false, bytes, options, rows);
        if (error == LN_ERR_NOMEM)
            return error;
        if (error)
            fprintf(stderr, "linnet bench: %s gave no figures (is it installed?)\n", at);
    }
    bench_other_stacks("data", options, rows);
    return 0;
}
