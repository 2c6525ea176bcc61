/* SPDX-License-Identifier: Apache-2.0
 * `linnet peer`: one peer connection whose signalling is lines of JSON on standard input and
 * output, in the shape of the W3C dictionaries. For scripts, and for tests against other stacks.
 *
 * Everything but the dictionaries goes to standard error. Standard input is read no faster than the
 * data channels take it. docs/peer.md describes the lines. */
#include "cli/commands.h"
#include "cli/json_lines.h"
#include "cli/network.h"
#include "cli/options.h"
#include "cli/peer_channels.h"
#include "cli/peer_media.h"
#include "cli/trace_file.h"

#include "client/loop_driver.h"
#include "io/loop.h"

#include <linnet/linnet.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_NOT_CONNECTED 3
#define CONNECT_WITHIN     LN_SECONDS(30)
#define TURN_SERVERS_MAX   CLI_TEXTS_MAX

struct arguments {
    bool offer, answer, echo, parts, no_trickle, loopback, ice_tcp, snap;
    struct cli_network network;
    const char *policy, *video, *audio, *trace;
    struct cli_texts data, servers;
    long duration;
};

/* What an operation was started for: its completion continues there. */
enum purpose {
    FOR_NOTHING,
    FOR_LOCAL,
    FOR_REMOTE_OFFER,
    FOR_REMOTE_ANSWER,
    FOR_CANDIDATE,
    FOR_STATS
};

struct pending {
    ln_op_id op;
    enum purpose purpose;
};

struct peer {
    struct arguments arguments;
    struct ln_driver *driver;
    struct ln_loop *loop;
    ln_peer_connection *pc;
    struct ln_loop_endpoint *handle;
    struct peer_media *media;
    struct trace_file trace;
    struct ln_loop_watch *input_watch, *signal_watch;
    struct ln_loop_timer connect_timer, duration_timer;
    struct json_lines input;
    json_t *early[64]; /* candidates that came before the description they belong to */
    size_t early_count;
    struct pending pending[64];
    size_t pending_count;
    struct peer_channels channels;
    bool input_ended, was_connected, ending, description_due, paused;
    bool refused; /* the last description of the other side was not taken */
    int exit_code;
};

static void end(struct peer *p, int exit_code)
{
    if (p->ending)
        return;
    p->ending = true;
    p->exit_code = exit_code == CLI_EXIT_OK && p->refused ? CLI_EXIT_FAILED : exit_code;
    ln_peer_connection_close(p->pc);
    ln_loop_touch(p->handle);
    ln_loop_stop(p->loop);
}

static void remember(struct peer *p, ln_op_id op, enum purpose purpose)
{
    if (p->pending_count < sizeof p->pending / sizeof *p->pending) {
        p->pending[p->pending_count].op = op;
        p->pending[p->pending_count++].purpose = purpose;
    }
}

static enum purpose recall(struct peer *p, ln_op_id op)
{
    for (size_t i = 0; i < p->pending_count; i++)
        if (p->pending[i].op == op) {
            enum purpose purpose = p->pending[i].purpose;

            p->pending[i] = p->pending[--p->pending_count];
            return purpose;
        }
    return FOR_NOTHING;
}

static void complain_of_operation(const struct ln_rtc_error *error)
{
    const char *name = ln_error_dom_name(error->error);

    if (error->sdp_line_number >= 0)
        fprintf(stderr, "linnet peer: SDP line %d: %s (%s)\n", (int)error->sdp_line_number,
                error->message, name);
    else
        fprintf(stderr, "linnet peer: %s (%s)\n", error->message, name);
}

/* --- what is written */

static void write_description(struct peer *p)
{
    struct ln_session_description description;

    if (!ln_peer_connection_local_description(p->pc, &description))
        return;
    p->description_due = false;
    json_lines_write(json_pack("{s:s, s:s}", "type", ln_sdp_type_name(description.type), "sdp",
                               description.sdp));
}

static void write_candidate(struct peer *p, const struct ln_event *event)
{
    const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;

    if (event->u.ice_candidate.last) {
        if (p->description_due)
            write_description(p);
        return;
    }
    if (p->arguments.no_trickle)
        return;
    if (!c->candidate[0]) {
        json_lines_write(json_pack("{s:s, s:s?}", "candidate", "", "sdpMid", c->sdp_mid));
        return;
    }
    json_lines_write(json_pack("{s:s, s:s?, s:o?, s:s?}", "candidate", c->candidate, "sdpMid",
                               c->sdp_mid, "sdpMLineIndex",
                               c->sdp_m_line_index < 0 ? NULL : json_integer(c->sdp_m_line_index),
                               "usernameFragment", c->username_fragment));
}

/* The W3C report, and what the media engine knows of its tracks beyond it. */
static void write_stats(struct peer *p, const ln_stats_report *report)
{
    size_t len = ln_stats_report_json(report, NULL, 0);
    char *text = malloc(len + 1);
    json_t *array;

    if (!text)
        return;
    ln_stats_report_json(report, text, len + 1);
    array = json_loadb(text, len, 0, NULL);
    free(text);
    if (array)
        peer_media_stats(p->media, array);
    json_lines_write(json_pack("{s:o}", "stats", array));
}

/* --- what is read */

static void pace_input(struct peer *p)
{
    bool full = peer_channels_full(&p->channels);

    if (full != p->paused) {
        p->paused = full;
        if (p->input_watch)
            ln_loop_watch_set(p->input_watch, full ? 0 : LN_LOOP_READABLE);
    }
}

static void take_candidate(struct peer *p, json_t *line)
{
    struct ln_session_description remote;
    const json_t *text = json_object_get(line, "candidate");
    const json_t *index = json_object_get(line, "sdpMLineIndex");
    struct ln_ice_candidate_init candidate = {
        .candidate = json_string_value(text),
        .sdp_mid = json_string_value(json_object_get(line, "sdpMid")),
        .sdp_m_line_index = json_is_integer(index) ? (int32_t)json_integer_value(index) : -1,
        .username_fragment = json_string_value(json_object_get(line, "usernameFragment")),
    };
    ln_op_id op;
    int error;

    if (!json_is_string(text) && !json_is_null(text)) {
        fprintf(stderr, "linnet peer: a candidate is a text\n");
        return;
    }
    if (!ln_peer_connection_remote_description(p->pc, &remote) &&
        p->early_count < sizeof p->early / sizeof *p->early) {
        p->early[p->early_count++] = json_incref(line);
        return;
    }
    error = ln_peer_connection_add_ice_candidate(p->pc, &candidate, &op);
    if (error)
        peer_complain("the candidate was not taken", error);
    else
        remember(p, op, FOR_CANDIDATE);
}

static void take_early_candidates(struct peer *p)
{
    for (size_t i = 0; i < p->early_count; i++) {
        take_candidate(p, p->early[i]);
        json_decref(p->early[i]);
    }
    p->early_count = 0;
}

/* --- events */

static void on_operation(struct peer *p, const struct ln_event *event)
{
    enum purpose purpose = recall(p, event->u.operation.op);
    ln_op_id op;

    if (event->u.operation.error.error) {
        complain_of_operation(&event->u.operation.error);
        if (purpose == FOR_REMOTE_OFFER || purpose == FOR_REMOTE_ANSWER)
            p->refused = true; /* another one may come */
        else if (purpose == FOR_LOCAL)
            end(p, CLI_EXIT_FAILED);
        return;
    }
    switch (purpose) {
    case FOR_LOCAL:
        if (!p->arguments.no_trickle ||
            ln_peer_connection_ice_gathering_state(p->pc) == LN_ICE_GATHERING_STATE_COMPLETE)
            write_description(p);
        else
            p->description_due = true;
        break;
    case FOR_REMOTE_OFFER:
        p->refused = false;
        take_early_candidates(p);
        if (ln_peer_connection_set_local_description(p->pc, NULL, &op) == 0)
            remember(p, op, FOR_LOCAL);
        break;
    case FOR_REMOTE_ANSWER:
        p->refused = false;
        take_early_candidates(p);
        break;
    case FOR_STATS:
        write_stats(p, event->u.operation.stats);
        break;
    default:
        break;
    }
}

static void on_connection_state(struct peer *p, enum ln_peer_connection_state state)
{
    fprintf(stderr, "linnet peer: %s\n", ln_peer_connection_state_name(state));
    if (state == LN_PEER_CONNECTION_STATE_CONNECTED)
        p->was_connected = true;
    if (state == LN_PEER_CONNECTION_STATE_FAILED)
        end(p, p->was_connected ? CLI_EXIT_FAILED : EXIT_NOT_CONNECTED);
}

static void on_event(struct peer *p, const struct ln_event *event)
{
    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        on_operation(p, event);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        write_candidate(p, event);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        on_connection_state(p, event->u.connection_state);
        break;
    case LN_EVENT_DTLS_TRANSPORT_ERROR:
        fprintf(stderr, "linnet peer: %s: %s\n", ln_error_detail_name(event->u.error.error.detail),
                event->u.error.error.message);
        break;
    default:
        break;
    }
}

static void after(void *ctx, ln_time now)
{
    struct peer *p = ctx;
    struct ln_event event;

    while (!p->ending && ln_peer_connection_poll_event(p->pc, &event) == 1) {
        peer_media_event(p->media, now, &event);
        if (!peer_channels_event(&p->channels, &event))
            on_event(p, &event);
    }
    if (!p->ending)
        pace_input(p);
    ln_loop_touch(p->handle);
}

/* --- input */

static void start_offer(struct peer *p, bool ice_restart)
{
    ln_op_id op;
    int error;

    if (ice_restart)
        ln_peer_connection_restart_ice(p->pc);
    error = ln_peer_connection_set_local_description(
        p->pc, &(struct ln_session_description){ LN_SDP_TYPE_OFFER, NULL }, &op);
    if (error)
        peer_complain("no offer", error);
    else
        remember(p, op, FOR_LOCAL);
}

static void take_description(struct peer *p, const json_t *line)
{
    const char *type = json_string_value(json_object_get(line, "type"));
    const char *sdp = json_string_value(json_object_get(line, "sdp"));
    struct ln_session_description description = { LN_SDP_TYPE_IMPLICIT, sdp };
    ln_op_id op;
    int t, error;

    for (t = 0; t < LN_SDP_TYPE_IMPLICIT; t++)
        if (type && strcmp(type, ln_sdp_type_name((enum ln_sdp_type)t)) == 0)
            description.type = (enum ln_sdp_type)t;
    if (description.type == LN_SDP_TYPE_IMPLICIT ||
        (!sdp && description.type != LN_SDP_TYPE_ROLLBACK)) {
        fprintf(stderr, "linnet peer: a description needs sdp and a type: offer, answer, pranswer "
                        "or rollback\n");
        p->refused = true;
        return;
    }
    error = ln_peer_connection_set_remote_description(p->pc, &description, &op);
    if (!error) {
        remember(p, op,
                 description.type == LN_SDP_TYPE_OFFER ? FOR_REMOTE_OFFER : FOR_REMOTE_ANSWER);
        return;
    }
    peer_complain("the description was not taken", error);
    p->refused = true;
}

static void take_command(struct peer *p, const char *command)
{
    ln_op_id op;

    if (strcmp(command, "offer") == 0)
        start_offer(p, false);
    else if (strcmp(command, "restart") == 0)
        start_offer(p, true);
    else if (strcmp(command, "close") == 0)
        end(p, CLI_EXIT_OK);
    else if (strcmp(command, "stats") != 0)
        fprintf(stderr, "linnet peer: unknown command \"%s\": offer, restart, stats or close\n",
                command);
    else if (ln_peer_connection_get_stats(p->pc, NULL, &op) == 0)
        remember(p, op, FOR_STATS);
}

static void take_line(void *ctx, json_t *line)
{
    struct peer *p = ctx;
    const char *command = json_string_value(json_object_get(line, "cmd"));

    if (p->ending)
        return;
    if (command)
        take_command(p, command);
    else if (json_object_get(line, "channel"))
        peer_channels_line(&p->channels, line);
    else if (json_object_get(line, "type"))
        take_description(p, line);
    else if (json_object_get(line, "candidate"))
        take_candidate(p, line);
    else
        fprintf(stderr, "linnet peer: a line needs type, candidate, channel or cmd\n");
    pace_input(p);
    ln_loop_touch(p->handle);
}

static void on_input(void *ctx, unsigned events)
{
    struct peer *p = ctx;

    (void)events;
    if (json_lines_read(&p->input, STDIN_FILENO) > 0 || p->ending)
        return;
    p->input_ended = true;
    ln_loop_watch_remove(p->input_watch);
    p->input_watch = NULL;
    end(p, CLI_EXIT_OK);
}

static void read_file(void *ctx)
{
    on_input(ctx, LN_LOOP_READABLE);
    if (!((struct peer *)ctx)->input_ended)
        (void)!ln_loop_post(((struct peer *)ctx)->loop, read_file, ctx);
}

/* --- from start to end */

static void on_signal(void *ctx, int signal)
{
    (void)signal;
    end(ctx, CLI_EXIT_OK);
}

static void on_connect_timer(void *ctx, ln_time now)
{
    struct peer *p = ctx;

    (void)now;
    if (!p->was_connected) {
        fprintf(stderr, "linnet peer: not connected within 30 seconds\n");
        end(p, EXIT_NOT_CONNECTED);
    }
}

static void on_duration_timer(void *ctx, ln_time now)
{
    (void)now;
    end(ctx, CLI_EXIT_OK);
}

/* "stun:host:port" or "turn:host:port?transport=udp,USER,PASS". */
static void split_server(char *text, const char **url, struct ln_ice_server *server)
{
    char *user = strchr(text, ','), *password = user ? strchr(user + 1, ',') : NULL;

    if (user)
        *user++ = '\0';
    if (password)
        *password++ = '\0';
    *url = text;
    server->urls = url;
    server->url_count = 1;
    server->username = user;
    server->credential = password;
}

static int create(struct peer *p)
{
    struct ln_ice_server servers[TURN_SERVERS_MAX] = { 0 };
    const char *urls[TURN_SERVERS_MAX];
    char *texts[TURN_SERVERS_MAX];
    struct ln_configuration configuration;
    int error;

    ln_configuration_init(&configuration);
    for (size_t i = 0; i < p->arguments.servers.count; i++) {
        texts[i] = strdup(p->arguments.servers.items[i]);
        if (!texts[i])
            return LN_ERR_NOMEM;
        split_server(texts[i], &urls[i], &servers[i]);
    }
    configuration.ice_servers = servers;
    configuration.ice_server_count = p->arguments.servers.count;
    configuration.include_loopback = p->arguments.loopback;
    cli_network_apply(&p->arguments.network, &configuration.network);
    configuration.ice_tcp = p->arguments.ice_tcp;
    configuration.data_snap = p->arguments.snap;
    if (p->arguments.parts)
        configuration.max_message_size = 0;
    configuration.wall_offset = ln_loop_wall_offset(p->loop);
    if (p->arguments.policy && strcmp(p->arguments.policy, "relay") == 0)
        configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    error = ln_peer_connection_create(&configuration, ln_driver_env(p->driver), &p->pc);
    p->channels.pc = p->pc;
    p->channels.echo = p->arguments.echo;
    p->channels.parts = p->arguments.parts;
    for (size_t i = 0; i < p->arguments.servers.count; i++)
        free(texts[i]);
    return error;
}

static int open_channels(struct peer *p)
{
    for (size_t i = 0; i < p->arguments.data.count; i++) {
        ln_data_channel *channel;
        int error = ln_peer_connection_create_data_channel(p->pc, p->arguments.data.items[i], NULL,
                                                           &channel);

        if (error)
            return error;
        peer_channels_add(&p->channels, channel);
    }
    return 0;
}

static int start(struct peer *p)
{
    static const int signals[] = { SIGINT, SIGTERM };
    int error = ln_loop_watch_signals(p->loop, signals, 2, on_signal, p, &p->signal_watch);

    if (!error)
        error = create(p);
    if (!error)
        error = ln_loop_add_endpoint(p->loop, ln_peer_connection_endpoint(p->pc), after, p,
                                     &p->handle);
    if (!error)
        error = ln_loop_timer_init(p->loop, &p->connect_timer, on_connect_timer, p);
    if (!error)
        error = ln_loop_timer_init(p->loop, &p->duration_timer, on_duration_timer, p);
    if (!error)
        error = peer_media_create(&p->media, p->loop, ln_driver_env(p->driver), p->pc, p->handle,
                                  p->arguments.video, p->arguments.audio);
    if (!error && p->arguments.offer)
        error = open_channels(p);
    if (error)
        return error;
    ln_loop_timer_set(&p->connect_timer, ln_loop_now(p->loop) + CONNECT_WITHIN);
    if (p->arguments.duration > 0)
        ln_loop_timer_set(&p->duration_timer,
                          ln_loop_now(p->loop) + LN_SECONDS(p->arguments.duration));
    json_lines_init(&p->input, take_line, p);
    error = ln_loop_watch_fd(p->loop, STDIN_FILENO, LN_LOOP_READABLE, on_input, p, &p->input_watch);
    if (error == LN_ERR_NOT_SUPPORTED)
        error = ln_loop_post(p->loop, read_file, p);
    if (!error && p->arguments.offer)
        start_offer(p, false);
    return error;
}

static void finish(struct peer *p)
{
    if (p->handle) /* the farewell leaves */
        (void)!ln_loop_run_once(p->loop, 0);
    ln_loop_watch_remove(p->input_watch);
    ln_loop_watch_remove(p->signal_watch);
    ln_loop_timer_deinit(&p->connect_timer);
    ln_loop_timer_deinit(&p->duration_timer);
    peer_media_free(p->media);
    ln_loop_remove_endpoint(p->handle);
    ln_peer_connection_free(p->pc);
    while (p->early_count > 0)
        json_decref(p->early[--p->early_count]);
    json_lines_deinit(&p->input);
    ln_driver_free(p->driver);
    trace_file_close(&p->trace);
}

static const struct cli_option options[] = {
    CLI_FLAG("offer", struct arguments, offer, "make the first offer"),
    CLI_FLAG("answer", struct arguments, answer, "wait for an offer"),
    CLI_LIST("data", "LABEL", struct arguments, data,
             "open a data channel with this label (with --offer)"),
    CLI_FLAG("echo", struct arguments, echo, "send every message back on its channel"),
    CLI_FLAG("parts", struct arguments, parts, "take messages of any size, in parts as they come"),
    CLI_CHOICE("video", "test recv none", struct arguments, video,
               "send the test picture, or only receive"),
    CLI_CHOICE("audio", "tone recv none", struct arguments, audio,
               "send the test tone, or only receive"),
    CLI_FLAG("no-trickle", struct arguments, no_trickle, "put all candidates into the description"),
    CLI_FLAG("loopback", struct arguments, loopback, "gather loopback addresses too"),
    CLI_NETWORK_OPTIONS(struct arguments, network),
    CLI_FLAG("ice-tcp", struct arguments, ice_tcp, "gather TCP candidates too"),
    CLI_FLAG("snap", struct arguments, snap,
             "offer data channels without a handshake of their own"),
    CLI_LIST("ice-server", "URL[,USER,PASS]", struct arguments, servers, "a STUN or TURN server"),
    CLI_CHOICE("policy", "all relay", struct arguments, policy, "which candidates to use"),
    CLI_INTEGER("duration", "SECONDS", 1, 86400, struct arguments, duration, "end after this time"),
    CLI_TEXT("trace", "FILE", struct arguments, trace,
             "write what happens as lines of JSON, packets in the clear"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "peer",
    .synopsis = "--offer|--answer [options]",
    .summary = "One peer connection, signalled by lines of JSON on standard input and output.",
    .details = "Exit codes: 0 ended, 1 failed, 2 wrong command line, 3 not connected in 30 s.",
    .options = options,
};

int cli_peer(int argc, char **argv)
{
    struct peer p = { .exit_code = CLI_EXIT_OK };
    int error;

    switch (cli_parse(&command, argc, argv, &p.arguments, NULL)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (p.arguments.offer == p.arguments.answer) {
        fprintf(stderr, "linnet peer: give one of --offer and --answer\n");
        return CLI_EXIT_USAGE;
    }
    if (p.arguments.echo && p.arguments.parts) {
        fprintf(stderr, "linnet peer: --echo sends whole messages back, and --parts takes none\n");
        return CLI_EXIT_USAGE;
    }
    if (!cli_network_valid("peer", NULL, &p.arguments.network))
        return CLI_EXIT_USAGE;
    if (p.arguments.trace && trace_file_open(&p.trace, p.arguments.trace) != 0) {
        fprintf(stderr, "linnet peer: %s cannot be written: %s\n", p.arguments.trace,
                strerror(errno));
        return CLI_EXIT_FAILED;
    }
    error = ln_driver_create(&p.driver);
    if (!error) {
        if (p.arguments.trace)
            ln_driver_env(p.driver)->trace = &p.trace.trace;
        p.loop = ln_driver_loop(p.driver);
        error = start(&p);
    }
    if (!error)
        error = ln_loop_run(p.loop);
    if (error) {
        peer_complain("cannot start", error);
        p.exit_code = CLI_EXIT_FAILED;
    }
    finish(&p);
    return p.exit_code;
}
