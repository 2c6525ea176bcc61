/* SPDX-License-Identifier: Apache-2.0
 * One connection of `linnet peer`: what its lines ask, what it tells in lines. */
#include "cli/peer_session.h"

#include "cli/json_lines.h"
#include "cli/peer_channels.h"
#include "cli/peer_media.h"

#include "client/port.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_WITHIN   LN_SECONDS(30)
#define TURN_SERVERS_MAX CLI_TEXTS_MAX

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
    const struct peer_host *host;
    char *name; /* NULL: there is only one */
    ln_peer_connection *pc;
    struct ln_place *place;
    struct peer_media *media;
    struct ln_loop_timer connect_timer;
    json_t *early[64]; /* candidates that came before the description they belong to */
    size_t early_count;
    struct pending pending[64];
    size_t pending_count;
    struct peer_channels channels;
    bool was_connected, ending, description_due;
    bool refused; /* the last description of the other side was not taken */
};

static void end(struct peer *p, int exit_code)
{
    if (p->ending)
        return;
    p->ending = true;
    ln_peer_connection_close(p->pc);
    ln_place_touch(p->place);
    p->host->ended(p->host->ctx, p,
                   exit_code == CLI_EXIT_OK && p->refused ? CLI_EXIT_FAILED : exit_code);
}

static void say(struct peer *p, json_t *object)
{
    json_lines_write_of(p->name, object);
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
    say(p, json_pack("{s:s, s:s}", "type", ln_sdp_type_name(description.type), "sdp",
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
    if (p->host->arguments->no_trickle)
        return;
    if (!c->candidate[0]) {
        say(p, json_pack("{s:s, s:s?}", "candidate", "", "sdpMid", c->sdp_mid));
        return;
    }
    say(p, json_pack("{s:s, s:s?, s:o?, s:s?}", "candidate", c->candidate, "sdpMid", c->sdp_mid,
                     "sdpMLineIndex",
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
    say(p, json_pack("{s:o}", "stats", array));
}

/* --- what is read */

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
        if (!p->host->arguments->no_trickle ||
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
        end(p, p->was_connected ? CLI_EXIT_FAILED : PEER_EXIT_NOT_CONNECTED);
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
        p->host->heard(p->host->ctx);
    ln_place_touch(p->place);
}

/* --- commands */

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

void peer_line(struct peer *p, json_t *line)
{
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
    ln_place_touch(p->place);
}

/* --- from start to end */

static void on_connect_timer(void *ctx, ln_time now)
{
    struct peer *p = ctx;

    (void)now;
    if (!p->was_connected) {
        fprintf(stderr, "linnet peer: not connected within 30 seconds\n");
        end(p, PEER_EXIT_NOT_CONNECTED);
    }
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
    for (size_t i = 0; i < p->host->arguments->servers.count; i++) {
        texts[i] = strdup(p->host->arguments->servers.items[i]);
        if (!texts[i])
            return LN_ERR_NOMEM;
        split_server(texts[i], &urls[i], &servers[i]);
    }
    configuration.ice_servers = servers;
    configuration.ice_server_count = p->host->arguments->servers.count;
    configuration.include_loopback = p->host->arguments->loopback;
    cli_network_apply(&p->host->arguments->network, &configuration.network);
    configuration.ice_lite = p->host->arguments->ice_lite;
    configuration.data_snap = p->host->arguments->snap;
    if (p->host->arguments->parts)
        configuration.max_message_size = 0;
    configuration.wall_offset = ln_loop_wall_offset(p->host->loop);
    if (p->host->arguments->policy && strcmp(p->host->arguments->policy, "relay") == 0)
        configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    error = ln_peer_connection_create(&configuration, ln_driver_env(p->host->driver), &p->pc);
    p->channels.pc = p->pc;
    p->channels.peer = p->name;
    p->channels.echo = p->host->arguments->echo;
    p->channels.parts = p->host->arguments->parts;
    for (size_t i = 0; i < p->host->arguments->servers.count; i++)
        free(texts[i]);
    return error;
}

static int open_channels(struct peer *p)
{
    for (size_t i = 0; i < p->host->arguments->data.count; i++) {
        ln_data_channel *channel;
        int error = ln_peer_connection_create_data_channel(p->pc, p->host->arguments->data.items[i],
                                                           NULL, &channel);

        if (error)
            return error;
        peer_channels_add(&p->channels, channel);
    }
    return 0;
}

static int start(struct peer *p)
{
    const struct peer_host *host = p->host;
    int error = create(p);

    if (!error)
        error = ln_place_take(&p->place, host->loop, host->port, p->pc, after, p);
    if (!error)
        error = ln_loop_timer_init(host->loop, &p->connect_timer, on_connect_timer, p);
    if (!error)
        error = peer_media_create(&p->media, host->loop, ln_driver_env(host->driver), p->pc,
                                  p->place, host->arguments->video, host->arguments->audio);
    if (!error)
        ln_loop_timer_set(&p->connect_timer, ln_loop_now(host->loop) + CONNECT_WITHIN);
    return error;
}

int peer_create(struct peer **ret_peer, const struct peer_host *host, const char *name)
{
    struct peer *p = calloc(1, sizeof *p);
    int error;

    if (!p)
        return LN_ERR_NOMEM;
    p->host = host;
    if (name && !(p->name = strdup(name))) {
        free(p);
        return LN_ERR_NOMEM;
    }
    error = start(p);
    if (error) {
        peer_free(p);
        return error;
    }
    *ret_peer = p;
    return 0;
}

void peer_free(struct peer *p)
{
    if (!p)
        return;
    ln_loop_timer_deinit(&p->connect_timer);
    peer_media_free(p->media);
    ln_place_leave(p->place);
    ln_peer_connection_free(p->pc);
    while (p->early_count > 0)
        json_decref(p->early[--p->early_count]);
    free(p->name);
    free(p);
}

int peer_offer(struct peer *p)
{
    int error = open_channels(p);

    if (!error)
        start_offer(p, false);
    return error;
}

void peer_close(struct peer *p)
{
    end(p, CLI_EXIT_OK);
}

bool peer_full(struct peer *p)
{
    return !p->ending && peer_channels_full(&p->channels);
}

const char *peer_name(const struct peer *p)
{
    return p->name;
}
