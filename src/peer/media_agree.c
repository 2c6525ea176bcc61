/* SPDX-License-Identifier: Apache-2.0
 * What was agreed, as the RTP session takes it: codecs, header extensions, SSRCs; and the tracks
 * that begin and end with it. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "peer/codecs.h"
#include "peer/media.h"
#include "peer/peer_connection.h"

#include <string.h>

static size_t fill_codecs(const struct ln_jsep_codec *from, size_t count, struct ln_rtp_codec *to)
{
    size_t i, filled = 0;

    for (i = 0; i < count && filled < LN_RTP_CODECS_MAX; i++) {
        enum ln_codec codec = ln_codec_of(&from[i].parameters);
        struct ln_rtp_codec *c = &to[filled];

        if (codec == LN_CODEC_NONE)
            continue;
        memset(c, 0, sizeof *c);
        c->codec = codec;
        c->payload_type = from[i].parameters.payload_type;
        c->clock_rate_hz = from[i].parameters.clock_rate_hz;
        c->channels = from[i].parameters.channels;
        c->rtx_payload_type = (int16_t)from[i].rtx_payload_type;
        c->nack = from[i].feedback & LN_FEEDBACK_NACK;
        c->pli = from[i].feedback & LN_FEEDBACK_PLI;
        c->fir = from[i].feedback & LN_FEEDBACK_FIR;
        c->transport_cc = from[i].feedback & LN_FEEDBACK_TRANSPORT_CC;
        c->remb = from[i].feedback & LN_FEEDBACK_REMB;
        filled++;
    }
    return filled;
}

static void fill_extensions(const struct ln_jsep_agreed_extension *from, size_t count,
                            bool two_byte, struct ln_rtp_extension_map *map)
{
    size_t i;

    memset(map, 0, sizeof *map);
    map->two_byte = two_byte;
    for (i = 0; i < count; i++) {
        enum ln_rtp_extension extension = ln_rtp_extension_from_uri(from[i].uri,
                                                                    strlen(from[i].uri));

        if (extension != LN_RTP_EXTENSIONS)
            (void)!ln_rtp_extension_map_set(map, extension, from[i].id);
    }
}

static void copy_mid(char *to, const char *mid)
{
    size_t len = strlen(mid);

    if (len > LN_RTP_ID_MAX)
        len = 0; /* too long to route by */
    memcpy(to, mid, len);
    to[len] = '\0';
}

/* The SSRCs that the description names, with their retransmission streams (RFC 5576, RFC 4588). */
static void fill_ssrcs(const struct ln_sdp_media *remote, struct ln_rtp_inbound_config *config)
{
    size_t i, g;

    for (i = 0; remote && i < remote->ssrc_count && config->ssrc_count < LN_RTP_SSRCS_MAX; i++) {
        struct ln_rtp_ssrc_pair pair = { remote->ssrcs[i].ssrc, 0 };
        bool repairs = false;

        for (g = 0; g < remote->ssrc_group_count; g++) {
            const struct ln_sdp_ssrc_group *group = &remote->ssrc_groups[g];

            if (strcmp(group->semantics, "FID") != 0 || group->ssrc_count < 2)
                continue;
            if (group->ssrcs[0] == pair.ssrc)
                pair.rtx_ssrc = group->ssrcs[1];
            repairs = repairs || group->ssrcs[1] == pair.ssrc;
        }
        if (!repairs)
            config->ssrcs[config->ssrc_count++] = pair;
    }
}

static uint32_t sync_group(const ln_rtp_receiver *receiver)
{
    if (receiver->streams.count == 0)
        return 0;
    return ln_crc32(0, receiver->streams.id[0], strlen(receiver->streams.id[0])) | 1;
}

static int set_inbound(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                       const struct ln_jsep_agreed *agreed, bool active)
{
    struct ln_rtp_inbound_config *config;
    ln_rtp_receiver *receiver = &t->receiver;
    int error;

    if (!active && !receiver->inbound)
        return 0;
    config = ln_alloc_zero(pc->env.allocator, sizeof *config);
    if (!config)
        return LN_ERR_NOMEM;
    config->kind = t->kind;
    copy_mid(config->mid, agreed->mid);
    config->codec_count = fill_codecs(agreed->receive, agreed->receive_count, config->codecs);
    fill_extensions(agreed->receive_extensions, agreed->receive_extension_count,
                    agreed->two_byte_extensions, &config->extensions);
    fill_ssrcs(agreed->remote, config);
    config->sync_group = sync_group(receiver);
    config->active = active && config->codec_count > 0;
    if (receiver->inbound) {
        error = ln_rtp_session_update_inbound(pc->media.rtp, receiver->inbound, config);
    } else {
        error = ln_rtp_session_add_inbound(pc->media.rtp, config, &receiver->inbound);
        if (!error)
            ln_rtp_inbound_set_owner(receiver->inbound, receiver);
    }
    ln_free(pc->env.allocator, config);
    return error;
}

static int set_outbound(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                        const struct ln_jsep_agreed *agreed, bool active)
{
    struct ln_rtp_outbound_config *config;
    ln_rtp_sender *sender = &t->sender;
    int error;

    sender->sending = false;
    sender->codec = LN_CODEC_NONE;
    if (!active && !sender->outbound)
        return 0;
    config = ln_alloc_zero(pc->env.allocator, sizeof *config);
    if (!config)
        return LN_ERR_NOMEM;
    config->kind = t->kind;
    copy_mid(config->mid, agreed->mid);
    config->cname = pc->cname;
    config->codec_count = fill_codecs(agreed->send, agreed->send_count, config->codecs);
    config->encoding_count = 1;
    config->encodings[0].ssrc = sender->ssrc;
    config->encodings[0].rtx_ssrc = sender->rtx_ssrc;
    fill_extensions(agreed->send_extensions, agreed->send_extension_count,
                    agreed->two_byte_extensions, &config->extensions);
    config->active = active && config->codec_count > 0;
    if (sender->outbound) {
        error = ln_rtp_session_update_outbound(pc->media.rtp, sender->outbound, config);
    } else {
        error = ln_rtp_session_add_outbound(pc->media.rtp, config, &sender->outbound);
        if (!error)
            ln_rtp_outbound_set_owner(sender->outbound, sender);
    }
    if (!error && config->active) {
        sender->sending = true;
        sender->codec = config->codecs[0].codec;
        sender->key_frame_due = true;
    }
    ln_free(pc->env.allocator, config);
    return error;
}

int ln_media_agree(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                   const struct ln_jsep_agreed *agreed)
{
    int error = ln_media_need_session(pc);

    if (error)
        return error;
    ln_rtp_session_set_reduced_size(pc->media.rtp, agreed->rtcp_rsize);
    error = set_inbound(pc, t, agreed, ln_direction_receives(t->current_direction) && !t->stopping);
    if (!error)
        error = set_outbound(pc, t, agreed,
                             ln_direction_sends(t->current_direction) && !t->stopping);
    if (!error && ln_direction_receives(t->current_direction))
        ln_media_resume(pc, t);
    return error;
}

void ln_media_expect(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                     const struct ln_sdp *offer)
{
    struct ln_jsep_agreed agreed;
    struct ln_arena arena;

    if (t->receiver.inbound || !ln_direction_receives(t->direction) ||
        ln_media_need_session(pc) != 0)
        return;
    ln_arena_init(&arena, pc->env.allocator, LN_SDP_ARENA_BYTES);
    if (ln_jsep_expect(offer, (size_t)t->m_line, &arena, &agreed) == 0)
        (void)set_inbound(pc, t, &agreed, true); /* the answer tries again */
    ln_arena_deinit(&arena);
}

void ln_media_update(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    if (t->stopping)
        t->sender.sending = false;
    ln_stir(pc);
}

void ln_media_remove(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    if (t->sender.outbound)
        ln_rtp_session_remove_outbound(pc->media.rtp, t->sender.outbound);
    if (t->receiver.inbound)
        ln_rtp_session_remove_inbound(pc->media.rtp, t->receiver.inbound);
    t->sender.outbound = NULL;
    t->receiver.inbound = NULL;
    t->sender.sending = false;
    t->sender.codec = LN_CODEC_NONE;
}

void ln_media_push_track(struct ln_peer_connection *pc, ln_rtp_transceiver *t,
                         enum ln_event_kind kind)
{
    struct ln_event event = { .kind = kind };

    event.u.track.transceiver = t;
    event.u.track.receiver = &t->receiver;
    event.u.track.track = t->receiver.track;
    ln_push_event(pc, &event);
}

void ln_media_mute(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    (void)pc;
    if (t->receiver.receiving)
        t->mute_due = true;
    t->receiver.receiving = false;
}

void ln_media_resume(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    struct ln_rtp_inbound_stats stats;

    if (!t->receiver.inbound || t->receiver.receiving)
        return;
    ln_rtp_inbound_get_stats(t->receiver.inbound, pc->now, &stats);
    if (stats.packets_received > 0) /* its stream is known: it is heard again */
        t->receiver.receiving = t->unmute_due = true;
}

void ln_media_unmute(struct ln_peer_connection *pc, ln_rtp_transceiver *t)
{
    if (!t->receiver.receiving)
        ln_media_push_track(pc, t, LN_EVENT_UNMUTE);
    t->receiver.receiving = true;
}
