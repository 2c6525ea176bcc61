/* SPDX-License-Identifier: Apache-2.0
 * The server as an endpoint: what arrives goes by its link to a relay, a stream or the messages of
 * a UDP client; deadlines of all kinds lie in one heap. What it asks its driver for: driver.c. */
#include "base/alloc.h"
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define NONCE_LIFETIME         LN_SECONDS(3600)
#define PORT_MIN               49152u
#define PERMISSIONS_DEFAULT    128u
#define CHANNELS_DEFAULT       64u
#define STREAMS_DEFAULT        1024u
#define STREAMS_SOURCE_DEFAULT 64u
#define STREAM_PATIENCE        LN_SECONDS(30)
#define CONNECTIONS_DEFAULT    16u

const char *ln_turn_transport_name(enum ln_turn_transport transport)
{
    static const char *const names[] = { "udp", "tcp", "tls", "dtls" };

    return names[transport];
}

const char *ln_turn_end_name(enum ln_turn_end end)
{
    static const char *const names[] = { "expired", "deleted", "closed", "server" };

    return names[end];
}

/* ---- for the other files ---- */

int64_t turn_wall_seconds(const struct ln_turn_server *server, ln_time now)
{
    return (now + server->wall_offset) / LN_SECONDS(1);
}

void turn_set_timer(struct ln_turn_server *server, struct turn_timer *timer, ln_time when)
{
    int error = ln_heap_set(&server->heap, &timer->node, when);

    assert(error == 0); /* a move: its place was made when its owner was */
    (void)error;
}

void turn_tell(struct ln_turn_server *server, const struct ln_turn_event *event)
{
    if (ln_ring_push(&server->events, event) != 0)
        server->counts.events_lost++;
}

void turn_event_name(struct ln_turn_event *event, struct ln_bytes name)
{
    size_t len = name.len < sizeof event->user - 1 ? name.len : sizeof event->user - 1;

    for (size_t i = 0; i < len; i++)
        event->user[i] = name.data[i] >= 0x20 && name.data[i] < 0x7f ? (char)name.data[i] : '?';
    event->user[len] = '\0';
}

/* ---- life ---- */

static void set_limits(struct ln_turn_server *server, const struct ln_turn_config *config)
{
    struct ln_turn_config *c = &server->config;

    c->nonce_lifetime = config->nonce_lifetime > 0 ? config->nonce_lifetime : NONCE_LIFETIME;
    c->lifetime_max = config->lifetime_max > 0 ? config->lifetime_max : LN_TURN_LIFETIME_MAX;
    c->permissions_max = config->permissions_max ? config->permissions_max : PERMISSIONS_DEFAULT;
    c->channels_max = config->channels_max ? config->channels_max : CHANNELS_DEFAULT;
    if (c->permissions_max > LN_TURN_PERMISSIONS_MAX)
        c->permissions_max = LN_TURN_PERMISSIONS_MAX;
    if (c->channels_max > LN_TURN_CHANNELS_MAX)
        c->channels_max = LN_TURN_CHANNELS_MAX;
    c->strict_channels = config->strict_channels;
    c->streams_max = config->streams_max ? config->streams_max : STREAMS_DEFAULT;
    c->streams_per_source_max = config->streams_per_source_max ? config->streams_per_source_max
                                                               : STREAMS_SOURCE_DEFAULT;
    c->stream_patience = config->stream_patience > 0 ? config->stream_patience : STREAM_PATIENCE;
    c->connections_max = config->connections_max ? config->connections_max : CONNECTIONS_DEFAULT;
    if (c->connections_max > LN_TURN_CONNECTIONS_MAX)
        c->connections_max = LN_TURN_CONNECTIONS_MAX;
    c->credentials = config->credentials;
    server->policy = *config->policy;
    server->own_given = server->policy.own_count;
    server->watch_due = c->watch_own;
    c->policy = &server->policy;
    c->certificate = config->certificate;
    c->no_mobility = config->no_mobility;
}

static bool config_is_valid(const struct ln_turn_config *config)
{
    if (config->listen_count == 0 || config->listen_count > LN_TURN_LISTEN_MAX)
        return false;
    if (config->relay_count == 0 || config->relay_count > LN_TURN_RELAYS_MAX)
        return false;
    return config->shared && config->credentials && config->policy &&
           config->worker < LN_TURN_WORKERS_MAX && config->port_min <= config->port_max &&
           config->relay_ports <= LN_TURN_SHARED_PORTS_MAX;
}

static void init_tables(struct ln_turn_server *server)
{
    const struct ln_env *env = server->env;

    ln_map_init(&server->clients, env, LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->links, env, 2 * LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->asked, env, LN_TURN_REQUESTS_MAX);
    ln_map_init(&server->accepting, env, LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->connections, env, LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->relayed, env, 2 * LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->mobile, env, LN_TURN_CLIENTS_MAX);
    ln_map_init(&server->claims, env, LN_TURN_CLAIMS_MAX);
    ln_map_init(&server->sources, env, LN_TURN_CLIENTS_MAX);
    ln_heap_init(&server->heap, env->allocator, 2 * LN_TURN_CLIENTS_MAX);
    ln_ring_init(&server->requests, env->allocator, sizeof(struct ln_request),
                 LN_TURN_REQUESTS_MAX);
    ln_ring_init(&server->events, env->allocator, sizeof(struct ln_turn_event), LN_TURN_EVENTS_MAX);
    ln_ring_init(&server->parcels, env->allocator, sizeof(struct turn_outgoing),
                 LN_TURN_PARCELS_MAX);
    ln_list_init(&server->allocations);
    ln_list_init(&server->streams);
    ln_list_init(&server->due);
    ln_list_init(&server->ports);
    ln_list_init(&server->forwarded);
}

int ln_turn_server_create(struct ln_turn_server **ret_server, const struct ln_turn_config *config,
                          const struct ln_env *env)
{
    struct ln_turn_server *server;
    size_t i;

    if (!config_is_valid(config))
        return LN_ERR_INVALID_ARGUMENT;
    server = ln_alloc_zero(env->allocator, sizeof *server);
    if (!server)
        return LN_ERR_NOMEM;
    server->env = env;
    init_tables(server);
    server->trains = ln_alloc_array(env->allocator, LN_TURN_TRAINS_MAX, sizeof *server->trains);
    if (!server->trains || !turn_reserve_close(server) ||
        ln_stun_rate_limit_init(&server->limit, env, config->per_second, config->burst) != 0) {
        ln_turn_server_free(server);
        return LN_ERR_NOMEM;
    }
    server->config = *config;
    server->config.listen = NULL;
    server->config.relays = NULL;
    server->config.port_min = config->port_min ? config->port_min : (uint16_t)PORT_MIN;
    server->config.port_max = config->port_max ? config->port_max : UINT16_MAX;
    set_limits(server, config);
    if (turn_tickets_init(server) != 0) {
        ln_turn_server_free(server);
        return LN_ERR_NOMEM;
    }
    for (i = 0; i < config->listen_count; i++)
        server->listeners[i].what = config->listen[i];
    for (i = 0; i < config->relay_count; i++)
        server->relays[i] = config->relays[i];
    *ret_server = server;
    return 0;
}

void ln_turn_server_free(struct ln_turn_server *server)
{
    struct ln_heap_node *first;

    if (!server)
        return;
    LN_LIST_EACH_SAFE (at, after, &server->allocations)
        turn_allocation_end(server, 0, LN_CONTAINER(at, struct turn_allocation, siblings),
                            LN_TURN_END_SERVER);
    LN_LIST_EACH_SAFE (at, after, &server->streams)
        turn_client_end(server, 0, LN_CONTAINER(at, struct turn_client, siblings));
    LN_LIST_EACH_SAFE (at, after, &server->forwarded)
        turn_client_free(server, LN_CONTAINER(at, struct turn_client, siblings));
    while ((first = ln_heap_first(&server->heap)) != NULL) /* what is left is reserved */
        turn_reservation_end(server, LN_CONTAINER(LN_CONTAINER(first, struct turn_timer, node),
                                                  struct turn_reservation, timer));
    if (server->trains)
        turn_transmit_free(server);
    ln_map_deinit(&server->clients);
    ln_map_deinit(&server->links);
    ln_map_deinit(&server->asked);
    ln_map_deinit(&server->accepting);
    ln_map_deinit(&server->connections);
    ln_map_deinit(&server->relayed);
    ln_map_deinit(&server->mobile);
    ln_map_deinit(&server->claims);
    ln_map_deinit(&server->sources);
    turn_tickets_deinit(server);
    ln_heap_deinit(&server->heap);
    ln_ring_deinit(&server->requests);
    ln_ring_deinit(&server->events);
    turn_parcels_free(server);
    ln_stun_rate_limit_deinit(&server->limit);
    ln_free(server->env->allocator, server->scratch);
    ln_free(server->env->allocator, server->closes);
    ln_free(server->env->allocator, server->trains);
    ln_free(server->env->allocator, server);
}

void ln_turn_server_set_wall_offset(struct ln_turn_server *server, ln_duration offset)
{
    server->wall_offset = offset;
}

void ln_turn_server_reload(struct ln_turn_server *server, const struct ln_turn_config *config)
{
    set_limits(server, config);
}

void ln_turn_server_drain(struct ln_turn_server *server, bool drain)
{
    server->draining = drain;
}

/* ---- the endpoint ---- */

static void receive_datagram(struct ln_turn_server *server, ln_time now, struct ln_packet *packet)
{
    struct turn_client *client = turn_client_find(server, &packet->path), guest;

    if (packet->len > 0 && packet->data[0] >= 20 && packet->data[0] <= 63) { /* RFC 7983, 7 */
        turn_dtls_receive(server, now, client, packet);
        return;
    }
    if (client && client->transport == LN_TURN_DTLS) {
        server->counts.dropped_malformed++; /* plain, where a session is */
        return;
    }
    if (!client) {
        guest = (struct turn_client){ .path = packet->path, .transport = LN_TURN_UDP };
        client = &guest;
    }
    turn_client_message(server, now, client, packet->data, packet->len);
}

static void take_packet(struct ln_turn_server *server, ln_time now, struct ln_packet *packet)
{
    ln_link link = packet->path.link;
    enum turn_kind *kind;

    if (server->last_relay && server->last_relay->link == link) {
        turn_from_peer(server, now, server->last_relay, &packet->path.remote, packet->data,
                       packet->len);
        return;
    }
    if (turn_listener_find(server, link)) {
        receive_datagram(server, now, packet);
        return;
    }
    kind = ln_map_get_u64(&server->links, link);
    if (!kind)
        return; /* closed meanwhile */
    if (*kind == TURN_CLIENT) {
        turn_stream_receive(server, now, LN_CONTAINER(kind, struct turn_client, kind), packet);
        return;
    }
    if (*kind == TURN_CONNECTION) {
        turn_connection_from_peer(server, now, LN_CONTAINER(kind, struct turn_connection, kind),
                                  (struct ln_bytes){ packet->data, packet->len });
        return;
    }
    if (*kind == TURN_PORT) {
        turn_from_peer_to_port(server, now, LN_CONTAINER(kind, struct turn_port, kind), packet);
        return;
    }
    server->last_relay = LN_CONTAINER(kind, struct turn_relay, kind);
    turn_from_peer(server, now, server->last_relay, &packet->path.remote, packet->data,
                   packet->len);
}

static void server_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_turn_server *server = object;

    server->arrived = packet->buffer;
    take_packet(server, now, packet);
    server->arrived = NULL;
}

static void expire(struct ln_turn_server *server, ln_time now, struct turn_timer *timer)
{
    struct turn_client *client;

    switch (timer->kind) {
    case TURN_ALLOCATION:
        turn_allocation_on_timeout(server, now, LN_CONTAINER(timer, struct turn_allocation, timer));
        break;
    case TURN_RESERVATION:
        turn_reservation_end(server, LN_CONTAINER(timer, struct turn_reservation, timer));
        break;
    case TURN_CLIENT:
        client = LN_CONTAINER(timer, struct turn_client, timer);
        if (client->transport == LN_TURN_UDP) {
            turn_forward_on_timeout(server, now, client);
            break;
        }
        if (turn_secure_on_timeout(server, now, client))
            break;
        server->counts.streams_timed_out++;
        turn_client_end(server, now, client);
        break;
    case TURN_CONNECTION:
        turn_connection_on_timeout(server, now, LN_CONTAINER(timer, struct turn_connection, timer));
        break;
    case TURN_RELAY:
    case TURN_PORT:
        break; /* have no deadline */
    }
}

static void server_on_timeout(void *object, ln_time now)
{
    struct ln_turn_server *server = object;
    struct ln_heap_node *first;

    while ((first = ln_heap_first(&server->heap)) != NULL && ln_time_due(first->time, now))
        expire(server, now, LN_CONTAINER(first, struct turn_timer, node));
}

static ln_time server_next_timeout(const void *object)
{
    const struct ln_turn_server *server = object;
    const struct ln_heap_node *first = ln_heap_first(&server->heap);

    return first ? first->time : LN_TIME_NEVER;
}

static int server_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    (void)now;
    return turn_poll_transmit(object, out);
}

static int server_poll_request(void *object, struct ln_request *ret_request)
{
    return turn_poll_request(object, ret_request);
}

static void server_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    turn_driver_answered(object, now, answer);
}

struct ln_endpoint ln_turn_server_endpoint(struct ln_turn_server *server)
{
    static const struct ln_endpoint_ops ops = {
        server_receive,       server_on_timeout,   server_next_timeout,
        server_poll_transmit, server_poll_request, server_answer,
    };

    return (struct ln_endpoint){ &ops, server };
}

/* ---- what is told ---- */

void ln_turn_server_counts(const struct ln_turn_server *server, struct ln_turn_counts *ret_counts)
{
    *ret_counts = server->counts;
}

size_t ln_turn_server_allocations(const struct ln_turn_server *server)
{
    return server->allocation_count;
}

int ln_turn_server_poll_event(struct ln_turn_server *server, struct ln_turn_event *ret_event)
{
    return ln_ring_pop(&server->events, ret_event);
}
