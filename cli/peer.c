/* SPDX-License-Identifier: Apache-2.0
 * `linnet peer`: peer connections whose signalling is lines of JSON on standard input and output,
 * in the shape of the W3C dictionaries. For scripts, and for tests against other stacks.
 *
 * One connection, or with --many one for each name in the lines, all on one port if that is wanted.
 * Everything but the dictionaries goes to standard error. Standard input is read no faster than the
 * data channels take it. docs/peer.md describes the lines. */
#include "cli/commands.h"
#include "cli/json_lines.h"
#include "cli/peer_channels.h"
#include "cli/peer_session.h"
#include "cli/trace_file.h"

#include "client/port.h"

#include <linnet/linnet.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 4096u

struct program {
    struct peer_arguments arguments;
    struct peer_host host;
    struct peer *peers[PEERS_MAX], *ended[PEERS_MAX];
    size_t peer_count, ended_count;
    struct trace_file trace;
    struct ln_loop_watch *input_watch, *signal_watch;
    struct ln_loop_timer duration_timer;
    struct json_lines input;
    bool input_ended, ending, paused;
    int exit_code;
};

static void end(struct program *p)
{
    if (p->ending)
        return;
    p->ending = true;
    for (size_t i = p->peer_count; i-- > 0;)
        peer_close(p->peers[i]);
    ln_loop_stop(p->host.loop);
}

/* --- the connections */

static void free_ended(void *ctx)
{
    struct program *p = ctx;

    while (p->ended_count > 0)
        peer_free(p->ended[--p->ended_count]);
}

static void on_ended(void *ctx, struct peer *peer, int exit_code)
{
    struct program *p = ctx;

    for (size_t i = 0; i < p->peer_count; i++)
        if (p->peers[i] == peer)
            p->peers[i] = p->peers[--p->peer_count];
    p->ended[p->ended_count++] = peer;
    if (!p->arguments.many) {
        p->exit_code = exit_code;
        p->ending = true;
        ln_loop_stop(p->host.loop);
        return;
    }
    json_lines_write_of(peer_name(peer), json_pack("{s:i}", "ended", exit_code));
    if (!p->ending)
        (void)!ln_loop_post(p->host.loop, free_ended, p); /* the farewell leaves before */
}

static int add_peer(struct program *p, const char *name, struct peer **ret_peer)
{
    int error;

    if (p->peer_count + p->ended_count >= PEERS_MAX)
        return LN_ERR_LIMIT;
    error = peer_create(ret_peer, &p->host, name);
    if (!error)
        p->peers[p->peer_count++] = *ret_peer;
    return error;
}

static struct peer *find_peer(struct program *p, const char *name)
{
    for (size_t i = 0; i < p->peer_count; i++)
        if (strcmp(peer_name(p->peers[i]), name) == 0)
            return p->peers[i];
    return NULL;
}

/* --- input */

static void pace_input(void *ctx)
{
    struct program *p = ctx;
    bool full = false;

    for (size_t i = 0; i < p->peer_count && !p->arguments.many; i++)
        full = full || peer_full(p->peers[i]);
    if (full != p->paused) {
        p->paused = full;
        if (p->input_watch)
            ln_loop_watch_set(p->input_watch, full ? 0 : LN_LOOP_READABLE);
    }
}

/* The first line about a connection makes it: the other side's offer, or that we shall make one. */
static void take_named(struct program *p, const char *name, json_t *line)
{
    const char *type = json_string_value(json_object_get(line, "type"));
    const char *command = json_string_value(json_object_get(line, "cmd"));
    struct peer *peer = find_peer(p, name);
    bool offer = command && strcmp(command, "offer") == 0;
    int error = 0;

    if (peer) {
        peer_line(peer, line);
        return;
    }
    if (!offer && !(type && strcmp(type, "offer") == 0)) {
        fprintf(stderr, "linnet peer: there is no connection \"%s\"\n", name);
        return;
    }
    error = add_peer(p, name, &peer);
    if (!error && offer)
        error = peer_offer(peer);
    if (error)
        peer_complain("no connection", error);
    else if (!offer)
        peer_line(peer, line);
}

static void take_line(void *ctx, json_t *line)
{
    struct program *p = ctx;
    const char *name = json_string_value(json_object_get(line, "peer"));

    if (p->ending)
        return;
    if (!p->arguments.many)
        peer_line(p->peers[0], line);
    else if (name && name[0])
        take_named(p, name, line);
    else
        fprintf(stderr, "linnet peer: with --many a line names its connection: \"peer\", a text\n");
    if (!p->ending)
        pace_input(p);
}

static void on_input(void *ctx, unsigned events)
{
    struct program *p = ctx;

    (void)events;
    if (json_lines_read(&p->input, STDIN_FILENO) > 0 || p->ending)
        return;
    p->input_ended = true;
    ln_loop_watch_remove(p->input_watch);
    p->input_watch = NULL;
    end(p);
}

static void read_file(void *ctx)
{
    struct program *p = ctx;

    on_input(p, LN_LOOP_READABLE);
    if (!p->input_ended)
        (void)!ln_loop_post(p->host.loop, read_file, p);
}

/* --- from start to end */

static void on_signal(void *ctx, int signal)
{
    (void)signal;
    end(ctx);
}

static void on_duration_timer(void *ctx, ln_time now)
{
    (void)now;
    end(ctx);
}

static int open_port(struct program *p)
{
    struct ln_shared_port_options options;

    if (p->arguments.udp_port < 0 && p->arguments.tcp_port < 0)
        return 0;
    ln_shared_port_options_init(&options);
    options.udp_port = p->arguments.udp_port > 0 ? (uint16_t)p->arguments.udp_port : 0;
    options.tcp = p->arguments.tcp_port >= 0;
    options.tcp_port = options.tcp ? (uint16_t)p->arguments.tcp_port : 0;
    return ln_port_create(&p->host.port, p->host.loop, NULL, &options);
}

static int start(struct program *p)
{
    static const int signals[] = { SIGINT, SIGTERM };
    struct ln_loop *loop = p->host.loop;
    struct peer *only = NULL;
    int error = ln_loop_watch_signals(loop, signals, 2, on_signal, p, &p->signal_watch);

    if (!error)
        error = open_port(p);
    if (!error)
        error = ln_loop_timer_init(loop, &p->duration_timer, on_duration_timer, p);
    if (!error && !p->arguments.many)
        error = add_peer(p, NULL, &only);
    if (error)
        return error;
    if (p->arguments.duration > 0)
        ln_loop_timer_set(&p->duration_timer,
                          ln_loop_now(loop) + LN_SECONDS(p->arguments.duration));
    json_lines_init(&p->input, take_line, p);
    error = ln_loop_watch_fd(loop, STDIN_FILENO, LN_LOOP_READABLE, on_input, p, &p->input_watch);
    if (error == LN_ERR_NOT_SUPPORTED)
        error = ln_loop_post(loop, read_file, p);
    return !error && only && p->arguments.offer ? peer_offer(only) : error;
}

static void finish(struct program *p)
{
    if (p->host.loop) /* the farewells leave */
        (void)!ln_loop_run_once(p->host.loop, 0);
    ln_loop_watch_remove(p->input_watch);
    ln_loop_watch_remove(p->signal_watch);
    ln_loop_timer_deinit(&p->duration_timer);
    while (p->peer_count > 0)
        peer_free(p->peers[--p->peer_count]);
    free_ended(p);
    ln_port_free(p->host.port);
    json_lines_deinit(&p->input);
    ln_driver_free(p->host.driver);
    trace_file_close(&p->trace);
}

static const struct cli_option options[] = {
    CLI_FLAG("offer", struct peer_arguments, offer, "make the first offer"),
    CLI_FLAG("answer", struct peer_arguments, answer, "wait for an offer"),
    CLI_LIST("data", "LABEL", struct peer_arguments, data,
             "open a data channel with this label (with --offer)"),
    CLI_FLAG("echo", struct peer_arguments, echo, "send every message back on its channel"),
    CLI_FLAG("parts", struct peer_arguments, parts,
             "take messages of any size, in parts as they come"),
    CLI_CHOICE("video", "test recv none", struct peer_arguments, video,
               "send the test picture, or only receive"),
    CLI_CHOICE("audio", "tone recv none", struct peer_arguments, audio,
               "send the test tone, or only receive"),
    CLI_FLAG("no-trickle", struct peer_arguments, no_trickle,
             "put all candidates into the description"),
    CLI_FLAG("loopback", struct peer_arguments, loopback, "gather loopback addresses too"),
    CLI_NETWORK_OPTIONS(struct peer_arguments, network),
    CLI_FLAG("ice-lite", struct peer_arguments, ice_lite,
             "answer checks and send none: for a host that everybody reaches"),
    CLI_FLAG("snap", struct peer_arguments, snap,
             "offer data channels without a handshake of their own"),
    CLI_LIST("ice-server", "URL[,USER,PASS]", struct peer_arguments, servers,
             "a STUN or TURN server"),
    CLI_CHOICE("policy", "all relay", struct peer_arguments, policy, "which candidates to use"),
    CLI_FLAG("many", struct peer_arguments, many,
             "many connections, each line with the name of its own in \"peer\""),
    CLI_INTEGER("udp-port", "PORT", 0, 65535, struct peer_arguments, udp_port,
                "one UDP port for all connections (0: any)"),
    CLI_INTEGER("tcp-port", "PORT", 0, 65535, struct peer_arguments, tcp_port,
                "and one TCP port (0: any); gathers TCP candidates too"),
    CLI_INTEGER("duration", "SECONDS", 1, 86400, struct peer_arguments, duration,
                "end after this time"),
    CLI_TEXT("trace", "FILE", struct peer_arguments, trace,
             "write what happens as lines of JSON, packets in the clear"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "peer",
    .synopsis = "--offer|--answer|--many [options]",
    .summary = "Peer connections, signalled by lines of JSON on standard input and output.",
    .details = "Exit codes: 0 ended, 1 failed, 2 wrong command line, 3 not connected in 30 s.",
    .options = options,
};

static bool usage_right(struct peer_arguments *a)
{
    if (a->many ? a->offer : a->offer == a->answer) {
        fprintf(stderr, a->many ? "linnet peer: with --many the lines say who offers\n"
                                : "linnet peer: give one of --offer and --answer\n");
        return false;
    }
    if (a->echo && a->parts) {
        fprintf(stderr, "linnet peer: --echo sends whole messages back, and --parts takes none\n");
        return false;
    }
    if (a->ice_lite && a->policy && strcmp(a->policy, "relay") == 0) {
        fprintf(stderr, "linnet peer: --ice-lite has no relay; leave out --policy relay\n");
        return false;
    }
    a->network.ice_tcp |= a->tcp_port >= 0;
    return cli_network_valid("peer", NULL, &a->network);
}

int cli_peer(int argc, char **argv)
{
    static struct program p; /* its tables are large */
    int error;

    p.exit_code = CLI_EXIT_OK;
    p.arguments.udp_port = p.arguments.tcp_port = -1;
    p.host = (struct peer_host){
        .arguments = &p.arguments, .ended = on_ended, .heard = pace_input, .ctx = &p
    };
    switch (cli_parse(&command, argc, argv, &p.arguments, NULL)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (!usage_right(&p.arguments))
        return CLI_EXIT_USAGE;
    if (p.arguments.trace && trace_file_open(&p.trace, p.arguments.trace) != 0) {
        fprintf(stderr, "linnet peer: %s cannot be written: %s\n", p.arguments.trace,
                strerror(errno));
        return CLI_EXIT_FAILED;
    }
    error = ln_driver_create(&p.host.driver);
    if (!error) {
        if (p.arguments.trace)
            ln_driver_env(p.host.driver)->trace = &p.trace.trace;
        p.host.loop = ln_driver_loop(p.host.driver);
        error = start(&p);
    }
    if (!error)
        error = ln_loop_run(p.host.loop);
    if (error) {
        peer_complain("cannot start", error);
        p.exit_code = CLI_EXIT_FAILED;
    }
    finish(&p);
    return p.exit_code;
}
