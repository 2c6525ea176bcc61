/* SPDX-License-Identifier: Apache-2.0
 * A TURN server whose clients' peer lives in the same program, for the clients of others:
 *
 *   resident-host echo HOST PORT SHARED [CERT KEY]   an echo at the UDP ports PORT and the next
 *   resident-host peer HOST PORT SHARED [CERT KEY]   a peer connection (ICE-lite) at PORT
 *
 * SHARED: so many ports for all relays, or 0. User "u", password "p", realm "ex"; nothing is
 * allowed but what a policy allows by itself. The first line tells {"udp":PORT,"tcp":PORT} of the
 * server. Then lines as those of `linnet peer`: for the peer descriptions and candidates, which
 * answers and sends back all messages; {"cmd":"stats"} is answered {"stats":{...}} with the
 * counters of the server and of the resident. Ends with its input. */
#include "bench/echo.h"
#include "cli/json_lines.h"
#include "client/loop_driver.h"
#include "servers/turn/wiring/resident.h"
#include "servers/turn/wiring/service.h"

#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
    struct ln_driver *driver;
    struct ln_loop *loop;
    struct ln_turn_service *service;
    struct ln_turn_resident *resident;
    struct echo echo;
    bool is_peer, told, ended;
    /* the peer */
    ln_shared_port *port;
    ln_peer_connection *pc;
    ln_op_id offer_op, answer_op;
    struct json_lines lines;
};

static void must(int error, const char *what)
{
    if (error == 0)
        return;
    fprintf(stderr, "resident-host: %s: %s\n", what, ln_error_sentence(error));
    exit(1);
}

static struct ln_address address_of(const char *host, const char *port)
{
    struct ln_address address;

    must(ln_address_parse(host, &address), "address");
    address.port = (uint16_t)atoi(port);
    return address;
}

/* ---- the server ---- */

static struct ln_bytes read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, size, file) : 0;

    must(len > 0 ? 0 : LN_ERR_NOT_READABLE, path);
    fclose(file);
    return (struct ln_bytes){ (const uint8_t *)text, len };
}

static void start_service(struct host *h, int count, char **words)
{
    static struct ln_turn_service_config config;
    struct ln_turn_listen listen[2] = { { address_of(words[2], "0"), false },
                                        { address_of(words[2], "0"), true } };
    struct ln_turn_credentials *credentials;
    static char certificate[8192], key[8192];
    size_t failed;

    config.turn.listen = listen;
    config.turn.listen_count = 2;
    config.turn.relay_ports = (uint16_t)atoi(words[4]);
    if (count > 6) {
        config.certificate_pem = read_file(words[5], certificate, sizeof certificate);
        config.key_pem = read_file(words[6], key, sizeof key);
    }
    must(ln_turn_credentials_create(&credentials, "ex", ln_driver_env(h->driver)), "credentials");
    must(ln_turn_credentials_add_user(credentials, "u", "p"), "credentials");
    must(ln_turn_service_start(&h->service, &config, credentials, &failed), "service");
}

static void tell_stats(struct host *h)
{
    struct ln_turn_resident_counts seen = ln_turn_resident_counts(h->resident);
    struct ln_turn_counts counts;
    json_t *stats = json_object();
    uint64_t in = 0, out = 0;

    ln_turn_service_counts(h->service, &counts);
    for (int i = 0; i < LN_TURN_TRANSPORT_COUNT; i++) {
        in += counts.transport[i].packets_in;
        out += counts.transport[i].packets_out;
    }
    json_object_set_new(stats, "packets_in", json_integer((json_int_t)in));
    json_object_set_new(stats, "packets_out", json_integer((json_int_t)out));
#define SET_COUNTER(name, what)                                                                    \
    json_object_set_new(stats, #name, json_integer((json_int_t)counts.name));
    LN_TURN_COUNTER_TABLE(SET_COUNTER)
#undef SET_COUNTER
#define SET_COUNTER(name, what)                                                                    \
    json_object_set_new(stats, "resident_" #name, json_integer((json_int_t)seen.name));
    LN_TURN_RESIDENT_COUNTER_TABLE(SET_COUNTER)
#undef SET_COUNTER
    json_lines_write(json_pack("{s:o}", "stats", stats));
}

/* ---- the peer ---- */

static void tell_local(struct host *h)
{
    struct ln_session_description d;

    if (ln_peer_connection_local_description(h->pc, &d))
        json_lines_write(json_pack("{s:s, s:s}", "type", ln_sdp_type_name(d.type), "sdp", d.sdp));
}

static void take_event(struct host *h, const struct ln_event *event)
{
    const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;

    if (event->kind == LN_EVENT_OPERATION_DONE) {
        must(event->u.operation.error.error, "operation");
        if (event->u.operation.op == h->offer_op)
            must(ln_peer_connection_set_local_description(h->pc, NULL, &h->answer_op), "answer");
        else if (event->u.operation.op == h->answer_op)
            tell_local(h);
    } else if (event->kind == LN_EVENT_ICE_CANDIDATE && !event->u.ice_candidate.last) {
        json_lines_write(json_pack("{s:s, s:s?}", "candidate", c->candidate, "sdpMid", c->sdp_mid));
    } else if (event->kind == LN_EVENT_MESSAGE && event->u.message.text) {
        must(ln_data_channel_send_text(event->u.message.channel,
                                       (const char *)event->u.message.data, event->u.message.len),
             "send");
    } else if (event->kind == LN_EVENT_MESSAGE) {
        must(ln_data_channel_send(event->u.message.channel, event->u.message.data,
                                  event->u.message.len),
             "send");
    }
}

static void take_signal(struct host *h, json_t *line)
{
    const char *type = json_string_value(json_object_get(line, "type"));
    const char *sdp = json_string_value(json_object_get(line, "sdp"));
    const char *candidate = json_string_value(json_object_get(line, "candidate"));
    const char *mid = json_string_value(json_object_get(line, "sdpMid"));
    struct ln_session_description description = { LN_SDP_TYPE_OFFER, sdp };
    struct ln_ice_candidate_init init = { candidate, mid, -1, NULL };
    ln_op_id op;

    if (type && strcmp(type, "offer") == 0)
        must(ln_peer_connection_set_remote_description(h->pc, &description, &h->offer_op), "offer");
    else if (candidate)
        must(ln_peer_connection_add_ice_candidate(h->pc, &init, &op), "candidate");
    ln_shared_port_touch(h->port, h->pc);
    ln_turn_resident_touch(h->resident);
}

static struct ln_endpoint start_peer(struct host *h, char **words)
{
    const char *const only[] = { words[2] };
    struct ln_configuration configuration;
    struct ln_shared_port_options options;

    ln_configuration_init(&configuration);
    configuration.ice_lite = true;
    configuration.network.address_filter = only;
    configuration.network.address_filter_count = 1;
    configuration.wall_offset = ln_loop_wall_offset(h->loop);
    ln_shared_port_options_init(&options);
    options.udp_port = (uint16_t)atoi(words[3]);
    must(ln_shared_port_create(&options, ln_driver_env(h->driver), &h->port), "port");
    must(ln_peer_connection_create(&configuration, ln_driver_env(h->driver), &h->pc), "peer");
    must(ln_shared_port_add(h->port, h->pc, h), "peer");
    return ln_shared_port_endpoint(h->port);
}

/* ---- the whole ---- */

/* Once the sockets are there, as clients may come then. */
static void tell_ports(struct host *h)
{
    h->told = true;
    json_lines_write(json_pack("{s:i, s:i}", "udp", ln_turn_service_listening(h->service, 0).port,
                               "tcp", ln_turn_service_listening(h->service, 1).port));
}

static void after(void *ctx, ln_time now)
{
    struct host *h = ctx;
    struct ln_event event;

    (void)now;
    must(h->echo.failed > 0 ? LN_ERR_ADDRESS_IN_USE : 0, "sockets");
    while (h->is_peer && ln_shared_port_poll(h->port) != NULL)
        while (ln_peer_connection_poll_event(h->pc, &event) == 1)
            take_event(h, &event);
    if (!h->told && (h->is_peer || h->echo.opened == h->echo.count))
        tell_ports(h);
}

static void take_line(void *ctx, json_t *line)
{
    struct host *h = ctx;

    if (json_object_get(line, "cmd"))
        tell_stats(h);
    else if (h->is_peer)
        take_signal(h, line);
}

static void input_waits(void *ctx, unsigned events)
{
    struct host *h = ctx;

    (void)events;
    if (json_lines_read(&h->lines, 0) <= 0)
        h->ended = true;
}

static void start(struct host *h, int count, char **words)
{
    struct ln_env *env = ln_driver_env(h->driver);
    struct ln_address addresses[2];
    struct ln_endpoint inner;

    start_service(h, count, words);
    addresses[0] = addresses[1] = address_of(words[2], words[3]);
    addresses[1].port++;
    echo_init(&h->echo, addresses, h->is_peer ? 0 : 2, env);
    inner = h->is_peer ? start_peer(h, words) : echo_endpoint(&h->echo);
    must(ln_turn_resident_create(&h->resident, h->service, inner, env), "resident");
    must(ln_turn_resident_drive(h->resident, h->loop, after, h), "resident");
}

static void end(struct host *h)
{
    ln_peer_connection_free(h->pc);
    ln_turn_resident_free(h->resident);
    ln_shared_port_free(h->port);
    echo_deinit(&h->echo);
    ln_turn_service_stop(h->service);
    json_lines_deinit(&h->lines);
    ln_driver_free(h->driver);
}

int main(int count, char **words)
{
    static struct host h;
    struct ln_loop_watch *input;

    if (count < 5 || (strcmp(words[1], "echo") != 0 && strcmp(words[1], "peer") != 0)) {
        fprintf(stderr, "resident-host echo|peer HOST PORT SHARED [CERT KEY]\n");
        return 2;
    }
    h.is_peer = strcmp(words[1], "peer") == 0;
    must(ln_driver_create(&h.driver), "driver");
    h.loop = ln_driver_loop(h.driver);
    json_lines_init(&h.lines, take_line, &h);
    start(&h, count, words);
    must(ln_loop_watch_fd(h.loop, 0, LN_LOOP_READABLE, input_waits, &h, &input), "input");
    while (!h.ended)
        must(ln_loop_run_once(h.loop, LN_SECONDS(1)), "loop");
    ln_loop_watch_remove(input);
    end(&h);
    return 0;
}
