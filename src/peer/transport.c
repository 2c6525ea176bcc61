/* SPDX-License-Identifier: Apache-2.0
 * ICE, DTLS and what rides on them: packets in by their kind (RFC 7983), packets out in the order
 * checks, handshake, media, data. Data records of one size go out back to back, so that one system
 * call sends the train. */
#include "peer/transport.h"

#include "base/alloc.h"
#include "base/time.h"
#include "base/trace.h"
#include "crypto/certificate.h"
#include "peer/dscp.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"

#include <stdlib.h>
#include <string.h>

#define DATAGRAM_BYTES 1200u /* fits every path that WebRTC meets */
#define DATAGRAM_MAX   1452u /* the largest that we send, where the path was found to carry it */
/* Of a certificate made here. Nobody looks at its dates (the fingerprint counts), so a caller
 * without a wall clock gets some valid ones. */
#define CERTIFICATE_EPOCH_MS    INT64_C(1577836800000) /* 2020 */
#define CERTIFICATE_LIFETIME_MS (INT64_C(365) * 86400 * 1000)
#define PLAIN_BYTES             16384u /* one DTLS record at most */

/* --- making it */

static int parse_fingerprint(const char *text, struct ln_sdp_fingerprint *ret)
{
    size_t len = 0;

    memset(ret, 0, sizeof *ret);
    strcpy(ret->hash, "sha-256");
    for (; text[0] && text[1] && len < sizeof ret->value; text += text[2] ? 3 : 2) {
        char digits[3] = { text[0], text[1], 0 };

        ret->value[len++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    ret->len = (uint8_t)len;
    return len == 32 ? 0 : LN_ERR_CRYPTO;
}

static int make_certificate(struct ln_peer_connection *pc,
                            const struct ln_configuration *configuration)
{
    struct ln_transport *t = &pc->transport;
    int64_t wall_ms = configuration->wall_offset / 1000000; /* as if `now` were 0: a year is long */
    char text[LN_FINGERPRINT_TEXT_MAX];
    int error;

    if (configuration->certificate_count > 0) {
        t->certificate = ln_certificate_ref(configuration->certificates[0]);
        if (wall_ms > 0 && ln_certificate_expires_ms(t->certificate) < wall_ms)
            return LN_ERR_INVALID_ACCESS;
    } else {
        error = ln_certificate_generate(&t->certificate, LN_KEY_ECDSA_P256,
                                        wall_ms > CERTIFICATE_EPOCH_MS ? wall_ms
                                                                       : CERTIFICATE_EPOCH_MS,
                                        CERTIFICATE_LIFETIME_MS, pc->env.crypto);
        if (error)
            return error;
    }
    error = ln_fingerprint_format(ln_certificate_der(t->certificate), "sha-256", text);
    return error ? error : parse_fingerprint(text, &t->fingerprint);
}

/* The servers of a configuration as ICE takes them: one for each URL. */
struct servers {
    struct ln_ice_server_address list[LN_ICE_SERVERS_MAX];
    struct ln_ice_url urls[LN_ICE_SERVERS_MAX];
    size_t count;
};

static enum ln_ice_over url_transport(const struct ln_ice_url *url)
{
    bool secure = url->scheme == LN_ICE_URL_STUNS || url->scheme == LN_ICE_URL_TURNS;

    if (secure)
        return url->tcp ? LN_ICE_OVER_TLS : LN_ICE_OVER_DTLS;
    return url->tcp ? LN_ICE_OVER_TCP : LN_ICE_OVER_UDP;
}

static void collect_servers(const struct ln_configuration *configuration, struct servers *servers)
{
    size_t i, u;

    servers->count = 0;
    for (i = 0; i < configuration->ice_server_count; i++)
        for (u = 0; u < configuration->ice_servers[i].url_count; u++) {
            const struct ln_ice_server *from = &configuration->ice_servers[i];
            struct ln_ice_server_address *to = &servers->list[servers->count];
            struct ln_ice_url *url = &servers->urls[servers->count];

            if (servers->count == LN_ICE_SERVERS_MAX || ln_ice_url_parse(from->urls[u], url) != 0)
                continue;
            *to = (struct ln_ice_server_address){
                .url = from->urls[u],
                .host = url->host,
                .port = url->port,
                .relays = url->scheme == LN_ICE_URL_TURN || url->scheme == LN_ICE_URL_TURNS,
                .transport = url_transport(url),
                .username = from->username,
                .password = from->credential,
            };
            servers->count++;
        }
}

int ln_transport_set_configuration(struct ln_peer_connection *pc,
                                   const struct ln_configuration *configuration)
{
    struct servers servers;

    collect_servers(configuration, &servers);
    return ln_ice_set_servers(pc->transport.ice, servers.list, servers.count,
                              configuration->ice_transport_policy);
}

static int make_ice(struct ln_peer_connection *pc, const struct ln_configuration *configuration)
{
    struct ln_ice_config config;
    struct servers servers;

    collect_servers(configuration, &servers);
    ln_ice_config_init(&config);
    config.servers = servers.list;
    config.server_count = servers.count;
    config.policy = configuration->ice_transport_policy;
    config.include_loopback = configuration->include_loopback;
    config.filter = configuration->network.address_filter;
    config.filter_count = configuration->network.address_filter_count;
    config.externals = configuration->network.external_addresses;
    config.external_count = configuration->network.external_address_count;
    config.external_replaces = configuration->network.external_replaces;
    config.http_proxy = configuration->network.http_proxy;
    config.mdns_names = configuration->network.mdns_names;
    config.tcp = configuration->network.ice_tcp;
    config.lite = configuration->ice_lite;
    config.port_min = configuration->port_min;
    config.port_max = configuration->port_max;
    return ln_ice_create(&pc->transport.ice, &config, &pc->env);
}

int ln_transport_init(struct ln_peer_connection *pc, const struct ln_configuration *configuration)
{
    struct ln_transport *t = &pc->transport;
    struct ln_dtls_config config = { 0 };
    int error;

    t->priority = (uint8_t)configuration->network.priority;
    t->ice_handle.pc = pc;
    t->dtls_handle.pc = pc;
    error = make_certificate(pc, configuration);
    if (!error)
        error = make_ice(pc, configuration);
    if (error)
        return error;
    config.certificate = t->certificate;
    config.mtu = DATAGRAM_BYTES;
    return ln_dtls_create(&t->dtls, &config, pc->env.crypto, &pc->env);
}

void ln_transport_deinit(struct ln_peer_connection *pc)
{
    struct ln_transport *t = &pc->transport;

    ln_buffer_unref(t->stash);
    ln_dtls_free(t->dtls);
    ln_ice_free(t->ice);
    ln_certificate_unref(t->certificate);
}

/* --- negotiation's wishes */

void ln_transport_gather(struct ln_peer_connection *pc)
{
    ln_ice_gather(pc->transport.ice);
    ln_stir(pc);
}

/* Whether the generation that ICE has now is that of the exchange in force. */
static bool is_current(const struct ln_peer_connection *pc)
{
    const struct ln_sdp *local = pc->negotiation.current_local->sdp;
    const char *ufrag = ln_ice_local_ufrag(pc->transport.ice);
    size_t i;

    for (i = 0; i < local->media_count; i++)
        if (strcmp(ln_sdp_ufrag(local, &local->media[i]), ufrag) == 0)
            return true;
    return false;
}

void ln_transport_rollback(struct ln_peer_connection *pc)
{
    if (pc->negotiation.current_local && !is_current(pc)) {
        (void)ln_ice_rollback(pc->transport.ice);
        ln_stir(pc);
    }
}

int ln_transport_restart(struct ln_peer_connection *pc)
{
    int error;

    if (!pc->negotiation.current_local)
        return 0; /* nothing to restart */
    if (!is_current(pc))
        return 0; /* restarted already, and not offered yet */
    error = ln_ice_restart(pc->transport.ice);
    ln_stir(pc);
    return error;
}

void ln_transport_set_first_role(struct ln_peer_connection *pc, bool controlling)
{
    if (pc->negotiation.current_local)
        return; /* the role stays over all that follows (RFC 8445, 6.1.1) */
    ln_ice_set_role(pc->transport.ice, controlling);
    pc->transport.role_set = true;
}

int ln_transport_set_remote_ice(struct ln_peer_connection *pc, const struct ln_sdp *remote,
                                size_t section)
{
    const struct ln_sdp_media *media = &remote->media[section];
    struct ln_ice *ice = pc->transport.ice;
    const char *ufrag = ln_sdp_ufrag(remote, media), *pwd = ln_sdp_pwd(remote, media);
    size_t i;
    int error;

    ln_stir(pc);
    if (ln_ice_remote_ufrag(ice)[0] && (strcmp(ufrag, ln_ice_remote_ufrag(ice)) != 0 ||
                                        strcmp(pwd, ln_ice_remote_pwd(ice)) != 0)) {
        /* The other side restarted: so do we, unless our own offer already did. */
        error = ln_transport_restart(pc);
        if (error)
            return error;
    }
    error = ln_ice_set_remote(ice, ufrag, pwd, remote->ice_lite, ln_sdp_ice_options(remote, media));
    if (error)
        return error;
    for (i = 0; i < media->candidate_count; i++)
        (void)!ln_ice_add_remote_candidate_text(ice, media->candidates[i],
                                                strlen(media->candidates[i]));
    if (media->end_of_candidates)
        ln_ice_end_of_candidates(ice);
    return 0;
}

static void format_fingerprint(const struct ln_sdp_fingerprint *from, char *text)
{
    static const char digit[] = "0123456789ABCDEF";
    size_t i;

    for (i = 0; i < from->len; i++) {
        *text++ = digit[from->value[i] >> 4];
        *text++ = digit[from->value[i] & 15];
        *text++ = i + 1 < from->len ? ':' : '\0';
    }
}

int ln_transport_set_remote_dtls(struct ln_peer_connection *pc, const struct ln_jsep_agreed *agreed)
{
    char texts[LN_SDP_FINGERPRINTS_MAX][3 * LN_SDP_FINGERPRINT_MAX + 1];
    struct ln_fingerprint fingerprints[LN_SDP_FINGERPRINTS_MAX];
    /* Roles hold as long as the association. Pion 3 answers our second offer with "active" whoever
     * it was in the first; with the same fingerprint it means the association there is. */
    enum ln_dtls_role role = ln_dtls_role(pc->transport.dtls);
    size_t count = 0;
    int error;

    if (role == LN_DTLS_ROLE_UNKNOWN)
        role = agreed->role == LN_JSEP_ROLE_CLIENT ? LN_DTLS_ROLE_CLIENT : LN_DTLS_ROLE_SERVER;
    for (; count < agreed->remote_fingerprint_count && count < LN_SDP_FINGERPRINTS_MAX; count++) {
        format_fingerprint(&agreed->remote_fingerprints[count], texts[count]);
        fingerprints[count].algorithm = agreed->remote_fingerprints[count].hash;
        fingerprints[count].value = texts[count];
    }
    error = ln_dtls_set_remote(pc->transport.dtls, role, fingerprints, count);
    ln_stir(pc);
    return error == LN_ERR_INVALID_STATE ? 0 : error; /* failed before: the states tell it */
}

int ln_transport_candidates(struct ln_peer_connection *pc, struct ln_arena *arena,
                            struct ln_jsep_transport *ret_transport)
{
    struct ln_ice_candidate_info info;
    const char **lines = ln_arena_alloc(arena, LN_ICE_LOCAL_CANDIDATES_MAX * sizeof *lines);
    char text[LN_CANDIDATE_TEXT_MAX];
    size_t i, count = 0;

    if (!lines)
        return LN_ERR_NOMEM;
    for (i = 0;
         ln_ice_local_candidate(pc->transport.ice, i, &info) && count < LN_ICE_LOCAL_CANDIDATES_MAX;
         i++) {
        int len;

        if (!info.signalled || strcmp(info.candidate.ufrag, ret_transport->ufrag) != 0)
            continue;
        len = ln_candidate_write(&info.candidate, text, sizeof text);
        if (len < 0)
            continue;
        lines[count] = ln_arena_text(arena, text, (size_t)len);
        if (!lines[count++])
            return LN_ERR_NOMEM;
    }
    ret_transport->candidates = lines;
    ret_transport->candidate_count = count;
    ret_transport->end_of_candidates = count > 0 && ln_ice_gathering_state(pc->transport.ice) ==
                                                        LN_ICE_GATHERING_STATE_COMPLETE;
    return 0;
}

/* --- packets in */

static void receive_data(struct ln_peer_connection *pc, ln_time now, const uint8_t *data,
                         size_t len)
{
    ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_SCTP_RECEIVED, pc->trace_object, 0, 0, data,
                        len);
    if (pc->data.channels)
        ln_data_channels_receive(pc->data.channels, now, data, len);
    else
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_NO_DATA);
}

void ln_transport_receive_dtls(struct ln_peer_connection *pc, ln_time now, const uint8_t *data,
                               size_t len)
{
    struct ln_bytes packet = { data, len };
    uint8_t plain[PLAIN_BYTES];
    size_t n;

    bool connected = ln_dtls_state(pc->transport.dtls) == LN_DTLS_STATE_CONNECTED;

    while ((n = ln_dtls_receive(pc->transport.dtls, now, &packet, plain, sizeof plain)) > 0) {
        pc->transport.proven = true;
        receive_data(pc, now, plain, n);
    }
    if (!connected && ln_dtls_state(pc->transport.dtls) == LN_DTLS_STATE_CONNECTED)
        pc->transport.proven = true;
}

static void receive_unwrapped(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet)
{
    struct ln_transport *t = &pc->transport;

    t->proven = false;
    t->packets_received++;
    t->bytes_received += packet->len;
    ln_ice_count_received(t->ice, now, &packet->path, 1, packet->len);
    switch (ln_packet_classify(packet->data, packet->len)) {
    case LN_PACKET_DTLS:
        ln_transport_receive_dtls(pc, now, packet->data, packet->len);
        break;
    case LN_PACKET_RTP:
        ln_media_receive_rtp(pc, now, packet);
        break;
    case LN_PACKET_RTCP:
        ln_media_receive_rtcp(pc, now, packet);
        break;
    default:
        ln_transport_drop(t, LN_TRANSPORT_DROP_UNKNOWN_KIND);
        break;
    }
    if (t->proven)
        ln_ice_confirm(t->ice, now, &packet->path);
}

void ln_transport_receive(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet)
{
    struct ln_ice *ice = pc->transport.ice;
    int more;

    ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_PACKET_RECEIVED, pc->trace_object,
                        packet->path.link, packet->path.remote.port, packet->data, packet->len);
    more = ln_ice_unwrap(ice, now, packet);
    for (; more == 1; more = ln_ice_unwrap_more(ice, now, packet))
        receive_unwrapped(pc, now, packet);
}

/* --- time */

void ln_transport_on_timeout(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_transport *t = &pc->transport;

    if (ln_time_due(ln_ice_next_timeout(t->ice), now))
        ln_ice_on_timeout(t->ice, now);
    if (ln_time_due(ln_dtls_next_timeout(t->dtls), now)) {
        ln_dtls_on_timeout(t->dtls, now);
        ln_transport_receive_dtls(pc, now, NULL, 0);
    }
    if (pc->data.channels && ln_time_due(ln_data_channels_next_timeout(pc->data.channels), now))
        ln_data_channels_on_timeout(pc->data.channels, now);
}

ln_time ln_transport_next_timeout(const struct ln_peer_connection *pc)
{
    const struct ln_transport *t = &pc->transport;
    ln_time next = ln_time_min(ln_ice_next_timeout(t->ice), ln_dtls_next_timeout(t->dtls));

    if (pc->data.channels)
        next = ln_time_min(next, ln_data_channels_next_timeout(pc->data.channels));
    return next;
}

/* --- packets out */

static void count_sent(struct ln_peer_connection *pc, ln_time now, const struct ln_transmit *out)
{
    size_t packets = out->segment ? (out->len + out->segment - 1) / out->segment : 1;
    size_t bytes = out->len - packets * pc->transport.head;

    pc->transport.packets_sent += packets;
    pc->transport.bytes_sent += bytes;
    ln_ice_count_sent(pc->transport.ice, now, &out->path, packets, bytes);
}

size_t ln_transport_train_room(const struct ln_peer_connection *pc, const struct ln_transmit *out)
{
    const struct ln_transport *t = &pc->transport;
    size_t cap = out->cap < LN_TRANSMIT_BYTES_MAX ? out->cap : LN_TRANSMIT_BYTES_MAX;
    size_t used = out->len + t->head + LN_ICE_TAILROOM;

    if (used >= cap ||
        (out->len > 0 && (t->single || out->len / out->segment >= LN_TRANSMIT_SEGMENTS_MAX)))
        return 0;
    return cap - used;
}

/* One SCTP packet as one record at `at`; 0 when there is none. */
static size_t write_record(struct ln_peer_connection *pc, ln_time now, uint8_t *at, size_t room)
{
    struct ln_dtls *dtls = pc->transport.dtls;
    size_t head = ln_dtls_headroom(dtls), len;
    int n;

    if (room < DATAGRAM_MAX)
        return 0;
    len = ln_data_channels_poll_transmit(pc->data.channels, now, at + head,
                                         DATAGRAM_MAX - ln_dtls_overhead(dtls));
    if (len == 0)
        return 0;
    n = ln_dtls_wrap(dtls, now, at + head, len, at, room);
    return n > 0 ? (size_t)n : 0;
}

/* A train of records of one size; the last may be shorter. One that is longer waits for the next.
 */
static void write_train(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_transport *t = &pc->transport;
    size_t room, len;

    if (t->stash) {
        memcpy(out->data + t->head, ln_buffer_bytes(t->stash), t->stash->len);
        out->len = out->segment = t->head + t->stash->len;
        out->may_fragment = t->stash_may_fragment;
        ln_buffer_unref(t->stash);
        t->stash = NULL;
    }
    while (!out->may_fragment && (room = ln_transport_train_room(pc, out)) >= DATAGRAM_MAX) {
        bool may_fragment;
        uint8_t *at = out->data + out->len + t->head;

        len = write_record(pc, now, at, room);
        if (len == 0)
            break;
        may_fragment = ln_data_channels_may_fragment(pc->data.channels);
        if (out->len > 0 && (may_fragment || t->head + len > out->segment)) {
            t->stash_may_fragment = may_fragment;
            t->stash = ln_buffer_copy(pc->env.pool, at, len);
            break; /* out of memory: the record is lost, as on the wire */
        }
        if (out->len == 0)
            out->segment = t->head + len;
        out->may_fragment = may_fragment;
        out->len += t->head + len;
        if (t->head + len < out->segment)
            break;
    }
    if (out->len == out->segment)
        out->segment = 0;
}

/* RFC 8837, 5: the congestion control begins anew after another code point. It only rises, so
 * that a channel which comes and goes does not do that again and again. */
static uint8_t data_code_point(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_transport *t = &pc->transport;
    enum ln_network_priority wanted = pc->data.asked;
    uint8_t before = ln_dscp_of(t->data_priority, LN_DSCP_FLOW_DATA), dscp;

    if (t->priority == LN_NETWORK_PRIORITY_NONE)
        return 0;
    if ((pc->data.asks_nothing || !wanted) && t->priority > wanted)
        wanted = t->priority;
    dscp = ln_dscp_of(wanted, LN_DSCP_FLOW_DATA);
    if (t->data_priority && dscp != before)
        ln_data_channels_restart_congestion(pc->data.channels, now);
    t->data_priority = (uint8_t)wanted;
    return dscp;
}

/* Handshake, media, data: the first that has something fills the output. */
static int write_next(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_transport *t = &pc->transport;
    int n;

    t->head = ln_ice_headroom(t->ice, &out->path);
    t->single = !ln_ice_takes_trains(t->ice, &out->path);
    n = ln_dtls_poll_transmit(t->dtls, now, out->data + t->head,
                              out->cap - t->head - LN_ICE_TAILROOM);
    if (n < 0)
        return n;
    out->len = n > 0 ? t->head + (size_t)n : 0;
    if (out->len == 0)
        ln_media_poll_transmit(pc, now, out);
    if (out->len == 0 && pc->data.channels && ln_dtls_state(t->dtls) == LN_DTLS_STATE_CONNECTED) {
        out->dscp = data_code_point(pc, now);
        write_train(pc, now, out);
    }
    return out->len > 0;
}

/* After close(): what is queued (BYE, ABORT) has left, now close_notify, then the sockets. */
static int write_farewell(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_transport *t = &pc->transport;
    int n = 0;

    if (!t->closing) {
        t->closing = true;
        ln_dtls_close(t->dtls, now);
        n = write_next(pc, now, out);
    }
    return n;
}

static void trace_sent(struct ln_peer_connection *pc, ln_time now, const struct ln_transmit *out)
{
    size_t step = out->segment ? out->segment : out->len, at;

    for (at = 0; pc->env.trace && at < out->len; at += step)
        ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_PACKET_SENT, pc->trace_object,
                            out->path.link, out->path.remote.port, out->data + at,
                            out->len - at < step ? out->len - at : step);
}

static int poll_transmit(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_transport *t = &pc->transport;
    struct ln_path path;
    int n;

    ln_transmit_begin(out);
    n = ln_ice_poll_transmit(t->ice, now, out);
    if (n != 0)
        return n;
    if (!ln_ice_send_path(t->ice, &path)) {
        if (!pc->closed)
            return 0;
        ln_ice_close(t->ice);
        ln_transmit_begin(out);
        return ln_ice_poll_transmit(t->ice, now, out);
    }
    do {
        ln_transmit_begin(out);
        out->path = path;
        n = write_next(pc, now, out);
        if (n == 0 && pc->closed) {
            n = write_farewell(pc, now, out);
            if (n == 0) { /* what is left to say is for the relays */
                ln_ice_close(t->ice);
                ln_transmit_begin(out);
                return ln_ice_poll_transmit(t->ice, now, out);
            }
        }
        if (n > 0)
            count_sent(pc, now, out);
    } while (n > 0 && ln_ice_wrap(t->ice, now, out) < 0); /* it is lost, as on a network */
    return n;
}

int ln_transport_poll_transmit(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    int n = poll_transmit(pc, now, out);

    if (n > 0)
        trace_sent(pc, now, out);
    return n;
}
