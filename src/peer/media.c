/* SPDX-License-Identifier: Apache-2.0
 * RTP, SRTP and congestion control on the transport.
 *
 *   out: frame -> rtp session -> (pacer) -> SRTP -> transport
 *   in:  transport -> SRTP -> rtp session -> jitter buffer -> frame */
#include "peer/media.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/trace.h"
#include "peer/dscp.h"
#include "peer/peer_connection.h"

#define RTCP_BYTES_MIN 8u
#define PACKET_BYTES   1200u

/* --- making it */

void ln_media_init(struct ln_peer_connection *pc)
{
    ln_receive_rate_init(&pc->media.receive_rate, pc->configuration.public.start_bitrate_bps,
                         pc->configuration.public.max_bitrate_bps);
}

void ln_media_deinit(struct ln_peer_connection *pc)
{
    struct ln_media *m = &pc->media;

    while (m->early_count > 0)
        ln_buffer_unref(m->early[--m->early_count]);
    ln_srtp_free(m->protect);
    ln_srtp_free(m->unprotect);
    ln_estimator_free(m->estimator);
    ln_rtp_session_free(m->rtp);
    m->rtp = NULL;
}

void ln_media_set_wall_offset(struct ln_peer_connection *pc, int64_t wall_offset)
{
    if (pc->media.rtp)
        ln_rtp_session_set_wall_offset(pc->media.rtp, wall_offset);
}

int ln_media_need_session(struct ln_peer_connection *pc)
{
    const struct ln_configuration *configuration = &pc->configuration.public;
    struct ln_estimator_config estimator = { configuration->start_bitrate_bps,
                                             configuration->min_bitrate_bps,
                                             configuration->max_bitrate_bps };
    struct ln_rtp_session_config config = { .wall_offset = configuration->wall_offset,
                                            .max_packet = PACKET_BYTES - LN_SRTCP_OVERHEAD_MAX };
    struct ln_media *m = &pc->media;
    int error;

    if (m->rtp)
        return 0;
    error = m->estimator ? 0 /* memory was short before */
                         : ln_estimator_simple_create(&m->estimator, &pc->env, &estimator, pc->now);
    if (error)
        return error;
    ln_pacer_init(&m->pacer, configuration->start_bitrate_bps, pc->now);
    error = ln_rtp_session_create(&m->rtp, &config, &pc->env);
    if (!error)
        ln_media_keyed(pc); /* of a connection that had no media so far */
    return error;
}

uint32_t ln_media_new_ssrc(struct ln_peer_connection *pc)
{
    uint32_t ssrc;
    size_t i;
    bool taken;

    do {
        ssrc = ln_rng_u32(pc->env.rng);
        taken = ssrc == 0;
        for (i = 0; i < pc->transceiver_count && !taken; i++)
            taken = pc->transceivers[i]->sender.ssrc == ssrc ||
                    pc->transceivers[i]->sender.rtx_ssrc == ssrc;
    } while (taken);
    return ssrc;
}

/* --- keys and packets */

static void drop_early(struct ln_peer_connection *pc)
{
    struct ln_media *m = &pc->media;

    while (m->early_count > 0 && pc->transport.dtls_state == LN_DTLS_STATE_CONNECTED) {
        ln_buffer_unref(m->early[--m->early_count]);
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
    }
}

void ln_media_keyed(struct ln_peer_connection *pc)
{
    struct ln_media *m = &pc->media;
    struct ln_dtls_srtp_keys keys;
    size_t i, count = m->early_count;

    if (!m->rtp) { /* no media, no keys: they can be had whenever they are needed */
        drop_early(pc);
        return;
    }
    if (m->protect || ln_dtls_srtp_keys(pc->transport.dtls, &keys) != 0)
        return;
    if (ln_srtp_create(&m->protect, keys.profile, keys.local_key, keys.local_salt, true,
                       pc->env.crypto, &pc->env) == 0 &&
        ln_srtp_create(&m->unprotect, keys.profile, keys.remote_key, keys.remote_salt, false,
                       pc->env.crypto, &pc->env) != 0) {
        ln_srtp_free(m->protect);
        m->protect = NULL;
    }
    ln_wipe(&keys, sizeof keys);
    m->early_count = 0;
    for (i = 0; i < count; i++) {
        struct ln_buffer *early = m->early[i];
        struct ln_packet packet = { .data = ln_buffer_bytes(early), .len = early->len };

        if (!m->unprotect) /* no memory for the keys: it would only wait again */
            ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_NO_KEYS);
        else if (ln_packet_classify(packet.data, packet.len) == LN_PACKET_RTCP)
            ln_media_receive_rtcp(pc, pc->now, &packet);
        else
            ln_media_receive_rtp(pc, pc->now, &packet);
        ln_buffer_unref(early);
    }
}

void ln_media_path_changed(struct ln_peer_connection *pc, ln_time now)
{
    if (pc->media.estimator)
        pc->media.estimator->ops->on_path_change(pc->media.estimator, now);
}

/* Media may overtake the last flight of the handshake: a few packets wait for the keys. */
static void keep_early(struct ln_peer_connection *pc, const struct ln_packet *packet)
{
    struct ln_media *m = &pc->media;
    struct ln_buffer *copy = NULL;

    if (!m->rtp && pc->transport.dtls_state == LN_DTLS_STATE_CONNECTED) {
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
        return;
    }
    if (m->early_count < LN_MEDIA_EARLY_MAX)
        copy = ln_buffer_copy(pc->env.pool, packet->data, packet->len);
    if (copy)
        m->early[m->early_count++] = copy;
    else
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_NO_KEYS);
}

void ln_media_receive_rtp(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet)
{
    struct ln_media *m = &pc->media;
    int header, len;

    if (!m->unprotect) {
        keep_early(pc, packet);
        return;
    }
    header = ln_rtp_header_len(packet->data, packet->len);
    if (header < 0 || !m->rtp) {
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
        return;
    }
    len = ln_srtp_unprotect_rtp(m->unprotect, ln_load32(packet->data + 8),
                                ln_load16(packet->data + 2), (size_t)header, packet->data,
                                packet->len, packet->data, packet->len);
    if (len < 0) {
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_SRTP);
        return;
    }
    pc->transport.proven = true;
    ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_RTP_RECEIVED, pc->trace_object, 0, 0,
                        packet->data, (size_t)len);
    if (ln_rtp_session_receive_rtp(m->rtp, now, packet->data, (size_t)len, NULL) < 0)
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
    else if (ln_rtp_session_wants_remb(m->rtp))
        ln_receive_rate_on_packet(&m->receive_rate, now, (size_t)len);
}

void ln_media_receive_rtcp(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet)
{
    struct ln_media *m = &pc->media;
    int len;

    if (!m->unprotect) {
        keep_early(pc, packet);
        return;
    }
    len = packet->len < RTCP_BYTES_MIN
              ? LN_ERR_MALFORMED
              : ln_srtp_unprotect_rtcp(m->unprotect, packet->data, packet->len, packet->data,
                                       packet->len);
    if (len < 0) {
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_SRTP);
        return;
    }
    pc->transport.proven = true;
    ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_RTCP_RECEIVED, pc->trace_object, 0, 0,
                        packet->data, (size_t)len);
    if (!m->rtp || ln_rtp_session_receive_rtcp(m->rtp, now, packet->data, (size_t)len) < 0)
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
}

static bool is_paced(enum ln_rtp_class class)
{
    return class != LN_RTP_CLASS_RTCP && class != LN_RTP_CLASS_AUDIO;
}

/* RFC 8837, 5: the sender's own priority, else the connection's; reports have the latter. */
static uint8_t code_point(const struct ln_peer_connection *pc, enum ln_rtp_class class,
                          const struct ln_rtp_outbound *outbound)
{
    const ln_rtp_sender *sender = outbound ? ln_rtp_outbound_owner(outbound) : NULL;
    enum ln_network_priority own = sender ? sender->encoding.network_priority
                                          : LN_NETWORK_PRIORITY_NONE;

    return ln_dscp_of_class(own ? own : pc->transport.priority, class);
}

/* Whether the packet at the head may leave now and fits the train in `out`. */
static bool may_append(struct ln_peer_connection *pc, ln_time now, const struct ln_transmit *out)
{
    struct ln_media *m = &pc->media;
    struct ln_rtp_head head;
    size_t len;

    if (!ln_rtp_session_peek(m->rtp, &head))
        return false;
    if (is_paced(head.class) && !ln_pacer_may_send(&m->pacer, now))
        return false;
    if (out->len == 0)
        return true;
    len = pc->transport.head + head.len + ln_srtp_rtp_overhead(m->protect);
    return head.class != LN_RTP_CLASS_RTCP && len <= out->segment &&
           out->dscp == code_point(pc, head.class, head.outbound) &&
           ln_transport_train_room(pc, out) >= PACKET_BYTES;
}

static int protect(struct ln_peer_connection *pc, const struct ln_rtp_out *packet)
{
    struct ln_srtp *srtp = pc->media.protect;
    struct ln_bytes header = { packet->data, packet->header_len };
    struct ln_bytes payload = { packet->data + packet->header_len,
                                packet->len - packet->header_len };

    if (packet->rtcp)
        return ln_srtp_protect_rtcp(srtp, packet->data, packet->len, packet->data,
                                    packet->len + LN_SRTCP_OVERHEAD_MAX);
    return ln_srtp_protect_rtp(srtp, packet->ssrc, packet->sequence, header, payload, packet->data,
                               packet->len + LN_SRTP_OVERHEAD_MAX);
}

/* Writes the next packet behind what is in `out`; its protected length, 0 if none came of it. */
static size_t write_packet(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out,
                           uint8_t *ret_dscp)
{
    struct ln_media *m = &pc->media;
    struct ln_rtp_out packet = { .data = out->data + out->len + pc->transport.head,
                                 .cap = ln_transport_train_room(pc, out) - LN_SRTCP_OVERHEAD_MAX };
    struct ln_cc_sent sent;
    int len;

    if (ln_rtp_session_poll_packet(m->rtp, now, &packet) != 1)
        return 0;
    len = protect(pc, &packet);
    if (len < 0)
        return 0;
    sent.sequence = packet.rtcp ? -1 : packet.transport_sequence;
    sent.size = (uint32_t)len;
    sent.send_time = now;
    sent.paced = is_paced(packet.class);
    sent.probe = packet.class == LN_RTP_CLASS_PADDING;
    m->estimator->ops->on_sent(m->estimator, &sent);
    ln_pacer_on_sent(&m->pacer, now, (size_t)len);
    *ret_dscp = code_point(pc, packet.class, packet.outbound);
    return (size_t)len;
}

void ln_media_poll_transmit(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_media *m = &pc->media;
    uint8_t dscp;
    size_t len;

    if (!m->rtp || !m->protect ||
        ln_transport_train_room(pc, out) < PACKET_BYTES + LN_SRTCP_OVERHEAD_MAX)
        return;
    while (may_append(pc, now, out)) {
        len = write_packet(pc, now, out, &dscp);
        if (len == 0)
            continue; /* dropped: the next one */
        len += pc->transport.head;
        if (out->len == 0) {
            out->segment = len;
            out->dscp = dscp;
        }
        out->len += len;
        if (len < out->segment)
            break;
    }
    if (out->len == out->segment)
        out->segment = 0;
}

/* --- time */

void ln_media_on_timeout(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_media *m = &pc->media;
    size_t probe;

    if (!m->rtp)
        return;
    if (ln_time_due(ln_rtp_session_next_timeout(m->rtp), now))
        ln_rtp_session_on_timeout(m->rtp, now);
    if (ln_time_due(m->estimator->ops->next_timeout(m->estimator), now))
        m->estimator->ops->on_timeout(m->estimator, now);
    probe = m->protect ? m->estimator->ops->poll_probe(m->estimator, now) : 0;
    if (probe > 0)
        ln_rtp_session_send_padding(m->rtp, now, probe);
    ln_pacer_set_queue(&m->pacer, now, ln_rtp_session_queued_bytes(m->rtp),
                       ln_rtp_session_oldest_queued(m->rtp));
}

ln_time ln_media_next_timeout(const struct ln_peer_connection *pc)
{
    const struct ln_media *m = &pc->media;
    struct ln_rtp_head head;
    struct ln_path path;
    ln_time next;

    if (!m->rtp)
        return LN_TIME_NEVER;
    next = ln_time_min(ln_rtp_session_next_timeout(m->rtp),
                       m->estimator->ops->next_timeout(m->estimator));
    /* What may leave at once is poll_transmit()'s, which follows every call. */
    if (m->protect && ln_rtp_session_peek(m->rtp, &head) && is_paced(head.class) &&
        !ln_pacer_may_send(&m->pacer, pc->now) && ln_ice_send_path(pc->transport.ice, &path))
        next = ln_time_min(next, ln_pacer_next_timeout(&m->pacer));
    return next;
}
