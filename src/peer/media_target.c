/* SPDX-License-Identifier: Apache-2.0
 * What the RTP session and the estimator tell, and what follows from it: feedback, key frame
 * requests, tracks that begin, and the targets of the encoders.
 *
 * The estimator's target is shared out: audio takes what it needs, video the rest; within a kind by
 * the priorities of the senders (RFC 8835, 4.1). */
#include "peer/media.h"
#include "peer/peer_connection.h"

#define AUDIO_BPS_MAX    64000u
#define AUDIO_BPS_MIN    12000u
#define DEMAND_VIDEO_BPS 2500000u /* an encoder without a limit of its own takes this much */

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

/* RFC 8835, 4.1: each level is twice the one below. */
static unsigned parts(const ln_rtp_transceiver *t)
{
    enum ln_network_priority priority = t->sender.encoding.priority;

    return 1u << ((priority ? priority : LN_NETWORK_PRIORITY_LOW) - LN_NETWORK_PRIORITY_VERY_LOW);
}

static void share_out(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_media *m = &pc->media;
    uint64_t left = m->estimator->ops->target_bps(m->estimator), demand = 0;
    uint32_t audio = 0, video = 0, audio_parts = 0, video_parts = 0;
    uint64_t audio_bps;
    size_t i;

    if (left != m->target_bps) {
        m->target_bps = left;
        ln_pacer_set_target(&m->pacer, now, left);
    }
    for (i = 0; i < pc->transceiver_count; i++) {
        const ln_rtp_transceiver *t = pc->transceivers[i];

        audio += wants(t, LN_MEDIA_AUDIO);
        video += wants(t, LN_MEDIA_VIDEO);
        audio_parts += wants(t, LN_MEDIA_AUDIO) ? parts(t) : 0;
        video_parts += wants(t, LN_MEDIA_VIDEO) ? parts(t) : 0;
        if (wants(t, LN_MEDIA_VIDEO))
            demand += t->sender.encoding.max_bitrate_bps ? t->sender.encoding.max_bitrate_bps
                                                         : DEMAND_VIDEO_BPS;
    }
    m->estimator->ops->on_demand(m->estimator, now, demand + (uint64_t)audio * AUDIO_BPS_MAX);
    /* Audio takes a fifth of what there is, within its limits; video the rest. */
    audio_bps = audio ? (uint64_t)audio * clamp_bps((video ? left / 5 : left) / audio,
                                                    AUDIO_BPS_MIN, AUDIO_BPS_MAX)
                      : 0;
    left = left > audio_bps ? left - audio_bps : 0;
    for (i = 0; i < pc->transceiver_count; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];
        uint32_t bps = 0;

        if (wants(t, LN_MEDIA_AUDIO))
            bps = clamp_bps(audio_bps * parts(t) / audio_parts, AUDIO_BPS_MIN, AUDIO_BPS_MAX);
        else if (wants(t, LN_MEDIA_VIDEO))
            bps = clamp_bps(left * parts(t) / video_parts, 1, UINT32_MAX);
        tell_target(pc, &t->sender, wants(t, t->kind), bps);
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
