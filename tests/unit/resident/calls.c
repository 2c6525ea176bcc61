/* SPDX-License-Identifier: Apache-2.0
 * The calls of calls.h. Descriptions and candidates go from loop to loop as posted messages. */
#include "tests/unit/resident/calls.h"

#include "base/time.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE LN_SECONDS(60) /* a deadline for what went wrong */

/* ---- signalling ---- */

struct note {
    struct calls_end *to;
    enum ln_sdp_type type; /* IMPLICIT: a candidate */
    char *text, *mid;
};

static void free_note(struct note *note)
{
    free(note->text);
    free(note->mid);
    free(note);
}

static void touch(struct calls_end *end)
{
    if (end->lives_here)
        ln_shared_port_touch(end->calls->shared, end->pc);
    if (end->lives_here && end->calls->resident)
        ln_turn_resident_touch(end->calls->resident);
    else
        ln_loop_touch(end->lives_here ? end->calls->handle : end->handle);
}

static void take_note(void *ctx)
{
    struct note *note = ctx;
    struct ln_session_description description = { note->type, note->text };
    struct ln_ice_candidate_init candidate = { note->text, note->mid, -1, NULL };
    struct calls_end *end = note->to;
    ln_op_id op = 0;
    int error = 0;

    if (!end->pc)
        error = 0; /* it has hung up */
    else if (note->type == LN_SDP_TYPE_IMPLICIT)
        error = ln_peer_connection_add_ice_candidate(end->pc, &candidate, &op);
    else
        error = ln_peer_connection_set_remote_description(end->pc, &description, &op);
    if (note->type == LN_SDP_TYPE_OFFER)
        end->offer_op = op;
    end->wrong |= error != 0;
    if (end->pc)
        touch(end);
    free_note(note);
}

static void send_note(struct calls_end *from, enum ln_sdp_type type, const char *text,
                      const char *mid)
{
    struct calls *calls = from->calls;
    struct note *note = calloc(1, sizeof *note);

    CHECK(note != NULL);
    note->to = &calls->ends[!from->lives_here][from->index];
    note->type = type;
    note->text = strdup(text);
    note->mid = mid ? strdup(mid) : NULL;
    CHECK(ln_loop_post(calls->loops[!from->lives_here], take_note, note) == 0);
}

/* ---- ends ---- */

static void fill(uint8_t *data, unsigned index, unsigned number)
{
    for (unsigned i = 0; i < CALLS_MESSAGE; i++)
        data[i] = (uint8_t)(i * 7 + number * 31 + index * 101 + i / 256);
}

static void send_messages(struct calls_end *end)
{
    static uint8_t data[CALLS_MESSAGE];

    for (unsigned i = 0; i < end->calls->options.messages; i++) {
        fill(data, end->index, i);
        end->wrong |= ln_data_channel_send(end->channel, data, sizeof data) != 0;
    }
}

/* Who lives here sends it back; a client looks whether it is what he sent. */
static void take_message(struct calls_end *end, const struct ln_event *event)
{
    static uint8_t wanted[CALLS_MESSAGE]; /* of the clients' thread */
    const uint8_t *data = event->u.message.data;
    size_t len = event->u.message.len;

    if (end->lives_here) {
        end->wrong |= ln_data_channel_send(event->u.message.channel, data, len) != 0;
    } else {
        fill(wanted, end->index, end->messages);
        end->wrong |= len != sizeof wanted || memcmp(data, wanted, sizeof wanted) != 0;
    }
    end->messages++;
}

static void take_operation(struct calls_end *end, const struct ln_event *event)
{
    struct ln_session_description description;

    end->wrong |= event->u.operation.error.error != 0;
    if (event->u.operation.op == end->offer_op)
        end->wrong |= ln_peer_connection_set_local_description(end->pc, NULL, &end->local_op) != 0;
    else if (event->u.operation.op == end->local_op &&
             ln_peer_connection_local_description(end->pc, &description))
        send_note(end, description.type, description.sdp, NULL);
}

static void take_events(void *ctx, ln_time now)
{
    struct calls_end *end = ctx;
    struct ln_event event;

    (void)now;
    while (end->pc && ln_peer_connection_poll_event(end->pc, &event) == 1) {
        const struct ln_ice_candidate *c = &event.u.ice_candidate.candidate;

        if (event.kind == LN_EVENT_OPERATION_DONE) {
            take_operation(end, &event);
        } else if (event.kind == LN_EVENT_ICE_CANDIDATE && !event.u.ice_candidate.last) {
            send_note(end, LN_SDP_TYPE_IMPLICIT, c->candidate, c->sdp_mid);
        } else if (event.kind == LN_EVENT_OPEN && !end->lives_here) {
            end->open = true;
            send_messages(end);
        } else if (event.kind == LN_EVENT_MESSAGE) {
            take_message(end, &event);
        }
    }
}

static void take_news(void *ctx, ln_time now)
{
    struct calls *calls = ctx;
    struct calls_end *end;

    while ((end = ln_shared_port_poll(calls->shared)) != NULL)
        take_events(end, now);
}

static void create_pc(struct calls_end *end, bool relay)
{
    static const char *const loopback[] = { "127.0.0.0/8" };
    static const char *const outside[] = { "127.0.0.9=127.0.0.1" };
    struct calls *calls = end->calls;
    struct ln_configuration configuration;
    struct ln_ice_server server = { .url_count = 1, .username = "u", .credential = "p" };
    const char *urls[1], *transports = calls->options.transports;
    char url[64];
    char kind = transports[end->index % strlen(transports)];

    ln_configuration_init(&configuration);
    configuration.include_loopback = true;
    configuration.network.address_filter = loopback;
    configuration.network.address_filter_count = 1;
    configuration.wall_offset = ln_loop_wall_offset(calls->loops[end->lives_here]);
    if (relay) {
        snprintf(url, sizeof url, "%s:127.0.0.1:%u?transport=%s", kind == 's' ? "turns" : "turn",
                 calls->port, kind == 'u' ? "udp" : "tcp");
        urls[0] = url;
        server.urls = urls;
        configuration.ice_servers = &server;
        configuration.ice_server_count = 1;
        configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    } else {
        configuration.ice_lite = !calls->options.full;
        configuration.network.external_addresses = outside;
        configuration.network.external_address_count = calls->options.behind_nat;
        configuration.network.external_replaces = calls->options.behind_nat;
    }
    CHECK(ln_peer_connection_create(&configuration,
                                    ln_environment_env(calls->environments[end->lives_here]),
                                    &end->pc) == 0);
}

/* ---- the service ---- */

/* One that nobody has, of UDP and TCP. */
static uint16_t free_port(void)
{
    for (int i = 0; i < 100; i++) {
        struct sockaddr_in name = { .sin_family = AF_INET };
        socklen_t len = sizeof name;
        int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
        bool ok;

        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ok = bind(udp, (struct sockaddr *)&name, len) == 0 &&
             getsockname(udp, (struct sockaddr *)&name, &len) == 0 &&
             bind(tcp, (struct sockaddr *)&name, len) == 0;
        close(udp);
        close(tcp);
        if (ok)
            return ntohs(name.sin_port);
    }
    return 0;
}

/* For 127.0.0.1, and the only one that the clients trust. */
static void make_certificate(struct calls *calls)
{
    char command[600];

    snprintf(calls->directory, sizeof calls->directory, "/tmp/linnet-resident-XXXXXX");
    CHECK(mkdtemp(calls->directory) != NULL);
    snprintf(calls->certificate, sizeof calls->certificate, "%s/cert.pem", calls->directory);
    snprintf(calls->key, sizeof calls->key, "%s/key.pem", calls->directory);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
             "/CN=localhost -addext subjectAltName=IP:127.0.0.1 -days 2 -out %s -keyout %s "
             ">/dev/null 2>&1",
             calls->certificate, calls->key);
    CHECK(system(command) == 0);
    CHECK(setenv("SSL_CERT_FILE", calls->certificate, 1) == 0);
}

static struct ln_bytes read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t len;

    CHECK(file != NULL);
    len = fread(text, 1, size, file);
    fclose(file);
    return (struct ln_bytes){ (const uint8_t *)text, len };
}

static void start_service(struct calls *calls)
{
    struct ln_address loopback = { LN_FAMILY_IPV4, { 127, 0, 0, 1 }, calls->port, 0 };
    struct ln_turn_listen listen[2] = { { loopback, false }, { loopback, true } };
    struct ln_turn_relay relay = { loopback, { LN_FAMILY_IPV4, { 127, 0, 0, 9 }, 0, 0 } };
    static struct ln_turn_service_config config;
    struct ln_turn_credentials *credentials;
    char certificate[4096], key[4096];
    size_t failed;

    memset(&config, 0, sizeof config);
    config.turn.listen = listen;
    config.turn.listen_count = 2;
    config.workers = calls->options.workers;
    config.turn.relay_ports = calls->options.shared_ports;
    if (calls->options.behind_nat) {
        relay.bind.port = relay.external.port = 0;
        config.turn.relays = &relay;
        config.turn.relay_count = 1;
    }
    CHECK(ln_turn_prefix_parse("127.0.0.0/8", &config.policy.allow[0]) == 0);
    config.policy.allow_count = 1;
    if (strchr(calls->options.transports, 's')) {
        make_certificate(calls);
        config.certificate_pem = read_file(calls->certificate, certificate, sizeof certificate);
        config.key_pem = read_file(calls->key, key, sizeof key);
    }
    CHECK(ln_turn_credentials_create(&credentials, "ex",
                                     ln_environment_env(calls->environments[0])) == 0);
    CHECK(ln_turn_credentials_add_user(credentials, "u", "p") == 0);
    CHECK(ln_turn_service_start(&calls->service, &config, credentials, &failed) == 0);
}

/* ---- life ---- */

static void run_loop(void *ctx)
{
    (void)!ln_loop_run(ctx);
}

static void start_residents(struct calls *calls)
{
    struct ln_env *env = ln_environment_env(calls->environments[1]);
    struct ln_endpoint endpoint;

    CHECK(ln_shared_port_create(NULL, env, &calls->shared) == 0);
    endpoint = ln_shared_port_endpoint(calls->shared);
    if (calls->options.plain) {
        CHECK(ln_loop_add_endpoint(calls->loops[1], endpoint, take_news, calls, &calls->handle) ==
              0);
    } else {
        CHECK(ln_turn_resident_create(&calls->resident, calls->service, endpoint, env) == 0);
        CHECK(ln_turn_resident_drive(calls->resident, calls->loops[1], take_news, calls) == 0);
    }
    for (unsigned i = 0; i < calls->options.count; i++) {
        struct calls_end *end = &calls->ends[1][i];

        create_pc(end, false);
        CHECK(ln_shared_port_add(calls->shared, end->pc, end) == 0);
    }
    CHECK(ln_thread_start(&calls->thread, "resident", run_loop, calls->loops[1]) == 0);
}

void calls_start(struct calls *calls, const struct calls_options *options)
{
    memset(calls, 0, sizeof *calls);
    calls->options = *options;
    calls->port = free_port();
    for (int i = 0; i < 2; i++) {
        struct ln_loop_config config = { 0 };

        CHECK(ln_environment_create(NULL, NULL, &calls->environments[i]) == 0);
        config.env = ln_environment_env(calls->environments[i]);
        CHECK(ln_loop_create(&calls->loops[i], &config) == 0);
        for (unsigned k = 0; k < options->count; k++)
            calls->ends[i][k] = (struct calls_end){ .calls = calls, .index = k, .lives_here = i };
    }
    start_service(calls);
    start_residents(calls);
}

static bool is_done(const struct calls *calls)
{
    for (unsigned i = 0; i < calls->options.count; i++)
        if (calls->ends[0][i].messages < calls->options.messages)
            return false;
    return true;
}

bool calls_run(struct calls *calls)
{
    ln_time end = ln_loop_now(calls->loops[0]) + PATIENCE;
    bool wrong = false;

    for (unsigned i = 0; i < calls->options.count; i++) {
        struct calls_end *client = &calls->ends[0][i];

        create_pc(client, true);
        CHECK(ln_loop_add_endpoint(calls->loops[0], ln_peer_connection_endpoint(client->pc),
                                   take_events, client, &client->handle) == 0);
        CHECK(ln_peer_connection_create_data_channel(client->pc, "x", NULL, &client->channel) == 0);
        CHECK(ln_peer_connection_set_local_description(client->pc, NULL, &client->local_op) == 0);
        touch(client);
    }
    while (!is_done(calls) && ln_loop_now(calls->loops[0]) < end)
        CHECK(ln_loop_run_once(calls->loops[0], LN_MILLISECONDS(100)) == 0);
    for (unsigned i = 0; i < calls->options.count; i++)
        wrong |= calls->ends[0][i].wrong;
    return is_done(calls) && !wrong;
}

static bool is_same(struct calls *calls, struct ln_turn_counts *counts)
{
    struct ln_turn_counts before = *counts;

    ln_turn_service_counts(calls->service, counts);
    return memcmp(&before, counts, sizeof before) == 0;
}

struct ln_turn_counts calls_counts(struct calls *calls)
{
    struct ln_turn_counts counts;
    int same = 0;

    ln_turn_service_counts(calls->service, &counts);
    for (int i = 0; i < 1000 && same < 20; i++) { /* what is on its way is answered */
        CHECK(ln_loop_run_once(calls->loops[0], LN_MILLISECONDS(10)) == 0);
        same = is_same(calls, &counts) ? same + 1 : 0;
    }
    same = 0;
    for (int i = 0; i < 1000 && same < 20; i++) { /* and taken */
        poll(NULL, 0, 10);
        same = is_same(calls, &counts) ? same + 1 : 0;
    }
    return counts;
}

void calls_pause(struct calls *calls)
{
    if (calls->thread.started)
        ln_loop_stop(calls->loops[1]);
    ln_thread_join(&calls->thread);
}

void calls_end_residents(struct calls *calls)
{
    calls_pause(calls);
    for (unsigned i = 0; i < calls->options.count; i++) {
        ln_peer_connection_free(calls->ends[1][i].pc);
        calls->ends[1][i].pc = NULL;
    }
    ln_loop_remove_endpoint(calls->handle);
    ln_turn_resident_free(calls->resident);
    ln_shared_port_free(calls->shared);
    calls->handle = NULL;
    calls->resident = NULL;
    calls->shared = NULL;
}

void calls_end(struct calls *calls)
{
    calls_end_residents(calls);
    for (unsigned i = 0; i < calls->options.count; i++) {
        ln_loop_remove_endpoint(calls->ends[0][i].handle);
        ln_peer_connection_free(calls->ends[0][i].pc);
    }
    ln_turn_service_stop(calls->service);
    for (int i = 0; i < 2; i++) {
        ln_loop_free(calls->loops[i]);
        ln_environment_free(calls->environments[i]);
    }
    if (calls->directory[0]) {
        unlink(calls->certificate);
        unlink(calls->key);
        rmdir(calls->directory);
    }
}
