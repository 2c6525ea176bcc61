/* SPDX-License-Identifier: Apache-2.0
 * Relayed TCP candidates (RFC 6544, 4.1 and 5.5; RFC 6062, 4): an allocation of TCP at a TURN
 * server makes two bases, a passive one, to which peers connect that have a permission, and an
 * active one, from which the server connects to passive candidates.
 *
 *   pair --stream--> ASKED (Connect) --> THERE --way to the server--> ConnectionBind --> OPEN
 *   a peer ------- ConnectionAttempt --> THERE ...
 *
 * Each of their streams is a way of its own to the same server, plain or inside TLS; once it is
 * bound, the peer's bytes pass on it as they are. Peers that connect are unproven like those of a
 * listening socket, but each costs a connection to the server: the oldest makes room for another
 * only after a while.
 *
 * For a peer that has nothing but TCP and no relay of its own; all others are better served by
 * relays of UDP, which come before. The allocation is given back when the connection rests on
 * another pair. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

/* --- bases --------------------------------------------------------------------------------- */

void ln_ice_tcp_add_relayed(struct ln_ice *ice, struct ln_ice_relay *relay)
{
    struct ln_address address;

    for (size_t i = 0; ln_turn_client_relayed(relay->turn, i, &address); i++)
        for (unsigned type = LN_CANDIDATE_TCP_ACTIVE; type <= LN_CANDIDATE_TCP_PASSIVE; type++) {
            struct ln_ice_tcp_base *base = ln_ice_tcp_new_base(ice, type);

            if (!base)
                return;
            base->state = LN_ICE_TCP_BASE_OPEN;
            base->relay = relay;
            base->interface = relay->interface;
            base->preference = ln_ice_tcp_relayed_preference(type, relay->preference);
            base->address = address;
            if (type == LN_CANDIDATE_TCP_ACTIVE)
                base->address.port = LN_ICE_TCP_ACTIVE_PORT;
            ln_ice_add_relayed_tcp(ice, base);
        }
}

bool ln_ice_tcp_uses(const struct ln_ice *ice, const struct ln_ice_relay *relay)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE && ice->tcp->streams[i].relayed &&
            ice->tcp->streams[i].relayed->relay == relay)
            return true;
    return false;
}

/* --- streams ------------------------------------------------------------------------------- */

void ln_ice_tcp_relayed_free(struct ln_ice *ice, struct ln_ice_tcp_stream *stream)
{
    struct ln_ice_tcp_relayed *relayed = stream->relayed;

    ln_turn_client_forget_connection(relayed->relay->turn, relayed->number);
    ln_ice_way_end(ice, &relayed->way);
    ln_free(ice->env->allocator, relayed);
    ice->tcp->relayed_count--;
    stream->relayed = NULL;
}

static bool attach(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, struct ln_ice_relay *relay,
                   uint32_t number)
{
    stream->relayed = ln_alloc_zero(ice->env->allocator, sizeof *stream->relayed);
    if (!stream->relayed)
        return false;
    ice->tcp->relayed_count++;
    stream->state = LN_ICE_TCP_STREAM_RELAYED;
    stream->relayed->relay = relay;
    stream->relayed->number = number;
    return true;
}

bool ln_ice_tcp_relayed_connect(struct ln_ice *ice, struct ln_ice_tcp_stream *stream,
                                struct ln_ice_relay *relay, ln_time now)
{
    uint32_t number;

    if (ln_turn_client_connect(relay->turn, now, &stream->path.remote, &number) != 0)
        return false;
    if (attach(ice, stream, relay, number))
        return true;
    ln_turn_client_forget_connection(relay->turn, number);
    return false;
}

/* The server waits for our stream: the same way as that of its control connection. */
static int open_way(struct ln_ice *ice, struct ln_ice_tcp_relayed *relayed, ln_time now)
{
    const struct ln_ice_way *control = &relayed->relay->way;

    relayed->begun = true;
    relayed->way = (struct ln_ice_way){ .to = control->to,
                                        .over = control->over,
                                        .base = control->base,
                                        .server = control->server,
                                        .target = control->target,
                                        .domain = control->domain };
    return ln_ice_way_begin(ice, &relayed->way, now);
}

void ln_ice_tcp_relayed_run(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    struct ln_ice_tcp_relayed *relayed = stream->relayed;
    struct ln_turn_client *turn = relayed->relay->turn;
    bool over = relayed->begun && ln_ice_way_run(&relayed->way, now) != 0;

    switch (ln_turn_client_connection_state(turn, relayed->number)) {
    case LN_TURN_CLIENT_CONNECTION_THERE:
        if (!relayed->begun)
            over = open_way(ice, relayed, now) != 0;
        else if (ln_ice_way_ready(&relayed->way))
            ln_turn_client_bind_connection(turn, now, relayed->number);
        break;
    case LN_TURN_CLIENT_CONNECTION_NONE:
        over = true;
        break;
    default:
        break;
    }
    if (over)
        ln_ice_tcp_end_stream(ice, stream,
                              stream->state == LN_ICE_TCP_STREAM_OPEN ? LN_ICE_FAILURE_STREAM_CLOSED
                                                                      : LN_ICE_FAILURE_CONNECT);
}

static bool is_awaited(const struct ln_ice_tcp_relayed *relayed)
{
    enum ln_turn_client_connection_state state = ln_turn_client_connection_state(
        relayed->relay->turn, relayed->number);

    return state == LN_TURN_CLIENT_CONNECTION_THERE || state == LN_TURN_CLIENT_CONNECTION_BINDING;
}

void ln_ice_tcp_relayed_bind(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now)
{
    struct ln_ice_tcp_relayed *relayed = stream->relayed;
    struct ln_turn_client *turn = relayed->relay->turn;
    struct ln_bytes message;
    int result = 0;

    while (is_awaited(relayed) && (result = ln_ice_way_next(&relayed->way, now, &message)) == 1)
        if (ln_turn_client_bind_receive(turn, now, relayed->number, message.data, message.len) < 0)
            ln_ice_drop(ice, LN_ICE_DROP_RELAY, 0);
    if (ln_turn_client_connection_state(turn, relayed->number) == LN_TURN_CLIENT_CONNECTION_BOUND)
        ln_ice_tcp_stream_opened(stream, relayed->way.link, &relayed->way.base, relayed->way.room,
                                 now);
    else if (result < 0)
        ln_ice_tcp_end_stream(ice, stream, LN_ICE_FAILURE_CONNECT);
}

static int write_bind(struct ln_ice *ice, void *owner, ln_time now, uint8_t *data, size_t cap)
{
    struct ln_ice_tcp_relayed *relayed = owner;

    (void)ice;
    return ln_turn_client_bind_poll(relayed->relay->turn, now, relayed->number, data, cap);
}

int ln_ice_tcp_relayed_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out)
{
    bool none = !ice->tcp || ice->tcp->relayed_count == 0;

    for (size_t i = 0; !none && i < LN_ICE_TCP_STREAMS_MAX; i++) {
        struct ln_ice_tcp_relayed *relayed = ice->tcp->streams[i].relayed;

        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE && relayed && relayed->begun &&
            ln_ice_way_transmit(ice, &relayed->way, now, write_bind, relayed, out) > 0)
            return 1;
    }
    return 0;
}

/* --- peers that connect -------------------------------------------------------------------- */

/* Whoever may connect to us: a peer's active candidates, and where it is seen by UDP (RFC 6544,
 * 5.2). What only its own network knows is not asked for at a relay elsewhere. */
static bool may_call(const struct ln_ice_remote *remote, const struct ln_address *relayed)
{
    bool calls = remote->protocol == LN_CANDIDATE_TCP ? remote->tcp_type == LN_CANDIDATE_TCP_ACTIVE
                                                      : remote->type != LN_CANDIDATE_RELAY;

    return calls && remote->address.family == relayed->family &&
           (!ln_candidate_is_inside(&remote->address) || ln_candidate_is_inside(relayed)) &&
           !ln_address_is_unspecified(&remote->address) &&
           !ln_address_is_multicast(&remote->address) && !ln_address_is_broadcast(&remote->address);
}

void ln_ice_tcp_relayed_permit(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    struct ln_address relayed;

    for (size_t i = 0; ln_turn_client_relayed(relay->turn, i, &relayed); i++)
        LN_LIST_EACH (at, &ice->current->remotes) {
            const struct ln_ice_remote *remote = LN_CONTAINER(at, struct ln_ice_remote,
                                                              in_generation);

            if (may_call(remote, &relayed))
                (void)!ln_turn_client_permit(relay->turn, now, &remote->address);
        }
}

static const struct ln_ice_tcp_base *passive_base(const struct ln_ice *ice,
                                                  const struct ln_ice_relay *relay, uint8_t family)
{
    for (size_t i = 0; i < LN_ICE_TCP_BASES_MAX; i++) {
        const struct ln_ice_tcp_base *base = &ice->tcp->bases[i];

        if (base->state == LN_ICE_TCP_BASE_OPEN && base->relay == relay &&
            base->tcp_type == LN_CANDIDATE_TCP_PASSIVE && base->address.family == family)
            return base;
    }
    return NULL;
}

static bool take_attempt(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now,
                         const struct ln_address *peer, uint32_t number)
{
    const struct ln_ice_tcp_base *base = passive_base(ice, relay, peer->family);
    struct ln_ice_tcp_stream *stream;

    if (!base)
        return false;
    stream = ln_ice_tcp_admit(ice, base, peer, LN_ICE_TCP_ATTEMPT_GAP, now);
    if (!stream || !attach(ice, stream, relay, number))
        return false;
    stream->accepted = true;
    stream->give_up_at = now + LN_ICE_TCP_UNPROVEN_TIME;
    return true;
}

void ln_ice_tcp_relayed_attempts(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now)
{
    struct ln_address peer;
    uint32_t number;

    while (ln_turn_client_next_attempt(relay->turn, &peer, &number))
        if (!take_attempt(ice, relay, now, &peer, number)) {
            ln_ice_drop(ice, LN_ICE_DROP_TCP_STREAM, 0);
            ln_turn_client_forget_connection(relay->turn, number);
        }
}
