/* SPDX-License-Identifier: Apache-2.0
 * RTP, SRTP and congestion control on the transport.
 *
 *   out: frame -> rtp session -> (pacer) -> SRTP -> transport
 *   in:  transport -> SRTP -> rtp session -> jitter buffer -> frame
 *
 * The estimator's target is shared out: audio takes what it needs, video the rest. */
#include "peer/media.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/trace.h"
#include "peer/codecs.h"
#include "peer/peer_connection.h"

#include <string.h>

#define AUDIO_BPS_MAX    64000u
#define AUDIO_BPS_MIN    12000u
#define RTCP_BYTES_MIN   8u
#define PACKET_BYTES     1200u
#define DEMAND_VIDEO_BPS 2500000u /* an encoder without a limit of its own takes this much */

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
    return ln_rtp_session_create(&m->rtp, &config, &pc->env);
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

void ln_media_keyed(struct ln_peer_connection *pc)
{
    struct ln_media *m = &pc->media;
    struct ln_dtls_srtp_keys keys;
    size_t i, count = m->early_count;

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
    if (len >= 0)
        ln_trace_emit_bytes(pc->env.trace, now, LN_TRACE_RTCP_RECEIVED, pc->trace_object, 0, 0,
                            packet->data, (size_t)len);
    if (len < 0)
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_SRTP);
    else if (!m->rtp || ln_rtp_session_receive_rtcp(m->rtp, now, packet->data, (size_t)len) < 0)
        ln_transport_drop(&pc->transport, LN_TRANSPORT_DROP_RTP);
}

static bool is_paced(enum ln_rtp_class class)
{
    return class != LN_RTP_CLASS_RTCP && class != LN_RTP_CLASS_AUDIO;
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
    len = head.len + ln_srtp_rtp_overhead(m->protect);
    return head.class != LN_RTP_CLASS_RTCP && len <= out->segment &&
           out->len + PACKET_BYTES <= out->cap &&
           out->len / out->segment < LN_TRANSMIT_SEGMENTS_MAX &&
           out->len + PACKET_BYTES <= LN_TRANSMIT_BYTES_MAX;
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
static size_t write_packet(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_media *m = &pc->media;
    struct ln_rtp_out packet = { .data = out->data + out->len,
                                 .cap = out->cap - out->len - LN_SRTCP_OVERHEAD_MAX };
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
    return (size_t)len;
}

void ln_media_poll_transmit(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out)
{
    struct ln_media *m = &pc->media;
    size_t len;

    if (!m->rtp || !m->protect || out->cap < PACKET_BYTES + LN_SRTCP_OVERHEAD_MAX)
        return;
    while (may_append(pc, now, out)) {
        len = write_packet(pc, now, out);
        if (len == 0)
            continue; /* dropped: the next one */
        if (out->len == 0)
            out->segment = len;
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

/* --- news */

static void take_feedback(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_media *m = &pc->media;
    const struct ln_estimator_ops *ops = m->estimator->ops;
    struct ln_cc_result results[64];
    struct ln_rtp_feedback feedback;
    size_t i, n;

    while (ln_rtp_session_poll_feedback(m->rtp, &feedback)) {
        switch (feedback.kind) {
        case LN_RTP_FEEDBACK_TRANSPORT:
            for (i = 0; i < feedback.count; i += n) {
                for (n = 0; n < 64 && i + n < feedback.count; n++) {
                    const struct ln_rtp_packet_result *from = &feedback.results[i + n];

                    results[n].sequence = from->transport_sequence;
                    results[n].size = from->size;
                    results[n].send_time = from->send_time;
                    results[n].arrival_time = from->arrival_time;
                }
                ops->on_feedback(m->estimator, now, results, n);
            }
            break;
        case LN_RTP_FEEDBACK_LOSS:
            m->loss = feedback.fraction_lost;
            ops->on_loss(m->estimator, now, feedback.fraction_lost, feedback.packets);
            break;
        case LN_RTP_FEEDBACK_REMB:
            ops->on_remb(m->estimator, now, feedback.bps);
            break;
        case LN_RTP_FEEDBACK_RTT:
            ops->on_rtt(m->estimator, now, feedback.rtt);
            break;
        }
    }
}

static void take_events(struct ln_peer_connection *pc)
{
    struct ln_rtp_event event;

    while (ln_rtp_session_poll_event(pc->media.rtp, &event)) {
        ln_rtp_sender *sender = event.outbound ? ln_rtp_outbound_owner(event.outbound) : NULL;
        ln_rtp_receiver *receiver = event.inbound ? ln_rtp_inbound_owner(event.inbound) : NULL;
        struct ln_event frame = { .kind = LN_EVENT_FRAME };

        if (event.kind == LN_RTP_EVENT_KEY_FRAME_REQUESTED && sender) {
            sender->key_frame_due = true;
        } else if (event.kind == LN_RTP_EVENT_STREAM && receiver) {
            ln_media_unmute(pc, receiver->transceiver);
        } else if (event.kind == LN_RTP_EVENT_FRAME && receiver && !receiver->frame_told) {
            receiver->frame_told = true;
            frame.u.receiver = receiver;
            ln_push_event(pc, &frame);
        }
    }
}

static bool wants(const ln_rtp_transceiver *t, enum ln_media_kind kind)
{
    return t->kind == kind && t->sender.sending && t->sender.encoding.active && t->sender.track;
}

static uint32_t clamp_bps(uint64_t bps, uint32_t low, uint32_t high)
{
    return bps < low ? low : bps > high ? high : (uint32_t)bps;
}

/* Told when it matters: at a key frame, when it begins or ends, or when it moved by 5 %. */
static void tell_target(struct ln_peer_connection *pc, ln_rtp_sender *sender, bool active,
                        uint32_t bps)
{
    struct ln_event event = { .kind = LN_EVENT_ENCODER_TARGET };
    struct ln_encoder_target *target = &sender->told;
    double max_framerate = sender->encoding.max_framerate > 0 ? sender->encoding.max_framerate : 0;
    const struct ln_rtp_encoding_parameters *encoding = &sender->encoding;
    uint32_t before = sender->told.bitrate_bps;

    if (encoding->max_bitrate_bps && bps > encoding->max_bitrate_bps)
        bps = encoding->max_bitrate_bps;
    if (active == sender->told.active && (!active || !sender->key_frame_due) &&
        (!active ||
         (bps <= before + before / 20 && bps >= before - before / 20 &&
          max_framerate <= target->max_framerate && max_framerate >= target->max_framerate)))
        return;
    target->sender = sender;
    target->active = active;
    target->bitrate_bps = bps;
    target->max_framerate = max_framerate;
    target->key_frame = active && (target->key_frame || sender->key_frame_due);
    target->loss_percent = (uint8_t)(pc->media.loss * 100);
    if (active)
        sender->key_frame_due = false;
    /* One at a time is in the queue, so that an owner who is slow gets no storm of them. */
    event.u.encoder_target.sender = sender;
    if (!sender->target_queued)
        sender->target_queued = ln_push_event(pc, &event);
}

static void share_out(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_media *m = &pc->media;
    uint64_t left = m->estimator->ops->target_bps(m->estimator), demand = 0;
    uint32_t audio = 0, video = 0, audio_bps, video_bps;
    size_t i;

    if (left != m->target_bps) {
        m->target_bps = left;
        ln_pacer_set_target(&m->pacer, now, left);
    }
    for (i = 0; i < pc->transceiver_count; i++) {
        const ln_rtp_transceiver *t = pc->transceivers[i];

        audio += wants(t, LN_MEDIA_AUDIO);
        video += wants(t, LN_MEDIA_VIDEO);
        if (wants(t, LN_MEDIA_VIDEO))
            demand += t->sender.encoding.max_bitrate_bps ? t->sender.encoding.max_bitrate_bps
                                                         : DEMAND_VIDEO_BPS;
    }
    m->estimator->ops->on_demand(m->estimator, now, demand + (uint64_t)audio * AUDIO_BPS_MAX);
    /* Audio takes a fifth of what there is, within its limits; video the rest in equal parts. */
    audio_bps = audio ? clamp_bps((video ? left / 5 : left) / audio, AUDIO_BPS_MIN, AUDIO_BPS_MAX)
                      : 0;
    left = left > (uint64_t)audio_bps * audio ? left - (uint64_t)audio_bps * audio : 0;
    video_bps = video ? clamp_bps(left / video, 1, UINT32_MAX) : 0;
    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        tell_target(pc, &t->sender, wants(t, t->kind),
                    t->kind == LN_MEDIA_AUDIO ? audio_bps : video_bps);
    }
}

static void feed_remb(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_media *m = &pc->media;
    struct ln_rtp_session_stats stats;
    uint64_t bps;

    if (!ln_rtp_session_wants_remb(m->rtp))
        return;
    ln_rtp_session_get_stats(m->rtp, &stats);
    ln_receive_rate_on_totals(&m->receive_rate, now, stats.packets_expected, stats.packets_lost);
    if (ln_receive_rate_poll(&m->receive_rate, &bps))
        ln_rtp_session_set_remb(m->rtp, now, bps);
}

void ln_media_process(struct ln_peer_connection *pc, ln_time now)
{
    if (!pc->media.rtp || pc->closed)
        return;
    take_feedback(pc, now);
    take_events(pc);
    feed_remb(pc, now);
    share_out(pc, now);
}

void ln_media_show(struct ln_event *event)
{
    ln_rtp_sender *sender;

    if (event->kind == LN_EVENT_MUTE || event->kind == LN_EVENT_UNMUTE)
        event->u.track.track->muted = event->kind == LN_EVENT_MUTE;
    else if (event->kind == LN_EVENT_FRAME)
        event->u.receiver->frame_told = false;
    if (event->kind == LN_EVENT_ENCODER_TARGET) {
        sender = event->u.encoder_target.sender;
        event->u.encoder_target = sender->told;
        sender->told.key_frame = sender->target_queued = false;
    }
}
