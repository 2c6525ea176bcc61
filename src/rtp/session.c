/* SPDX-License-Identifier: Apache-2.0
 * The session's own life: senders and receivers come and go, time passes, events leave. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "rtp/session_state.h"

#include <assert.h>
#include <string.h>

#define FIRST_REPORT          LN_MILLISECONDS(200)
#define REPORT_INTERVAL_VIDEO LN_MILLISECONDS(1000)
#define REPORT_INTERVAL_AUDIO LN_MILLISECONDS(2500)

#define CNAME_CHARACTERS 16 /* 96 random bits, RFC 7022, 4.2 */

static const size_t queue_limits[] = {
    [LN_RTP_CLASS_RTCP] = 1,
    [LN_RTP_CLASS_AUDIO] = 512,
    [LN_RTP_CLASS_RETRANSMISSION] = LN_RTP_RETRANSMISSIONS_MAX,
    [LN_RTP_CLASS_VIDEO] = LN_RTP_QUEUE_MAX,
    [LN_RTP_CLASS_PADDING] = 64,
};

int ln_rtp_session_create(struct ln_rtp_session **ret, const struct ln_rtp_session_config *config,
                          const struct ln_env *env)
{
    struct ln_rtp_session *s = ln_alloc_zero(env->allocator, sizeof *s);

    if (!s)
        return LN_ERR_NOMEM;
    s->env = env;
    s->config = *config;
    if (s->config.max_packet == 0)
        s->config.max_packet = LN_RTP_MAX_PACKET_DEFAULT;
    assert(s->config.max_packet >= LN_RTP_MAX_PACKET_MIN);
    if (s->config.history == 0)
        s->config.history = LN_RTP_HISTORY_DEFAULT;
    ln_map_init(&s->routes, env, 2 * LN_RTP_STREAMS_MAX);
    for (size_t i = 0; i < sizeof queue_limits / sizeof *queue_limits; i++)
        ln_ring_init(&s->queues[i], env->allocator, sizeof(struct ln_queued), queue_limits[i]);
    ln_ring_init(&s->feedback, env->allocator, sizeof(struct ln_feedback_item),
                 LN_RTP_FEEDBACK_MAX);
    ln_arrival_log_init(&s->arrivals, env->allocator);
    ln_sent_log_init(&s->sent, env->allocator);
    s->next_report = LN_TIME_NEVER;
    s->local_ssrc = ln_rtp_session_new_ssrc(s);
    ln_rng_text(env->rng, s->cname, CNAME_CHARACTERS); /* until a sender brings one */
    *ret = s;
    return 0;
}

void ln_rtp_session_free(struct ln_rtp_session *s)
{
    if (!s)
        return;
    while (s->outbound_count > 0)
        ln_rtp_session_remove_outbound(s, s->outbounds[s->outbound_count - 1]);
    while (s->inbound_count > 0)
        ln_rtp_session_remove_inbound(s, s->inbounds[s->inbound_count - 1]);
    for (size_t i = 0; i < sizeof queue_limits / sizeof *queue_limits; i++)
        ln_ring_deinit(&s->queues[i]);
    ln_ring_deinit(&s->feedback);
    ln_arrival_log_deinit(&s->arrivals);
    ln_sent_log_deinit(&s->sent);
    ln_map_deinit(&s->routes);
    ln_free(s->env->allocator, s->results);
    ln_free(s->env->allocator, s->result_ssrcs);
    ln_free(s->env->allocator, s->outbounds);
    ln_free(s->env->allocator, s->inbounds);
    ln_free(s->env->allocator, s);
}

void ln_rtp_session_set_wall_offset(struct ln_rtp_session *s, ln_time wall_offset)
{
    s->config.wall_offset = wall_offset;
}

void ln_rtp_session_set_reduced_size(struct ln_rtp_session *s, bool reduced_size)
{
    s->config.reduced_size = reduced_size;
}

struct ln_send_stream *ln_rtp_session_find_send(struct ln_rtp_session *s, uint32_t ssrc,
                                                bool *ret_rtx)
{
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++) {
            struct ln_send_stream *stream = &s->outbounds[i]->streams[j];

            *ret_rtx = stream->rtx_ssrc != 0 && stream->rtx_ssrc == ssrc;
            if (stream->ssrc == ssrc || *ret_rtx)
                return stream;
        }
    return NULL;
}

static bool ssrc_in_use(struct ln_rtp_session *s, uint32_t ssrc)
{
    bool rtx;

    return ssrc == 0 || ssrc == s->local_ssrc || ln_rtp_session_find_send(s, ssrc, &rtx) ||
           ln_map_get_u64(&s->routes, ssrc);
}

uint32_t ln_rtp_session_new_ssrc(struct ln_rtp_session *s)
{
    uint32_t ssrc;

    do
        ssrc = ln_rng_u32(s->env->rng);
    while (ssrc_in_use(s, ssrc));
    return ssrc;
}

const struct ln_rtp_codec *ln_rtp_codec_by_type(const struct ln_rtp_codec *codecs, size_t count,
                                                uint8_t payload_type, bool *ret_rtx)
{
    for (size_t i = 0; i < count; i++) {
        *ret_rtx = codecs[i].rtx_payload_type == payload_type;
        if (codecs[i].payload_type == payload_type || *ret_rtx)
            return &codecs[i];
    }
    return NULL;
}

/* ---- senders ---- */

static bool outbound_config_valid(struct ln_rtp_session *s, const struct ln_rtp_outbound_config *c)
{
    if (c->encoding_count == 0 || c->encoding_count > LN_RTP_ENCODINGS_MAX ||
        c->codec_count > LN_RTP_CODECS_MAX)
        return false;
    for (size_t i = 0; i < c->encoding_count; i++)
        if (ssrc_in_use(s, c->encodings[i].ssrc) ||
            (c->encodings[i].rtx_ssrc && ssrc_in_use(s, c->encodings[i].rtx_ssrc)))
            return false;
    return true;
}

static void keep_cname(struct ln_rtp_session *s, const char *cname)
{
    size_t len = cname ? strlen(cname) : 0;

    if (len == 0)
        return;
    len = len > LN_RTP_CNAME_MAX ? LN_RTP_CNAME_MAX : len;
    memcpy(s->cname, cname, len);
    s->cname[len] = '\0';
}

int ln_rtp_session_add_outbound(struct ln_rtp_session *s,
                                const struct ln_rtp_outbound_config *config,
                                struct ln_rtp_outbound **ret)
{
    struct ln_rtp_outbound *o;
    int error;

    if (!outbound_config_valid(s, config))
        return LN_ERR_INVALID_ARGUMENT;
    error = ln_grow(s->env->allocator, &s->outbounds, sizeof(struct ln_rtp_outbound *),
                    s->outbound_count, &s->outbound_capacity, LN_RTP_OUTBOUND_MAX);
    if (error)
        return error;
    o = ln_alloc_zero(s->env->allocator, sizeof *o);
    if (!o)
        return LN_ERR_NOMEM;
    o->session = s;
    o->config = *config;
    keep_cname(s, config->cname);
    o->config.cname = s->cname;
    o->stream_count = config->encoding_count;
    for (size_t i = 0; i < o->stream_count; i++)
        ln_send_stream_init(&o->streams[i], s->env, o, &config->encodings[i], (uint8_t)i,
                            s->config.history);
    s->outbounds[s->outbound_count++] = o;
    *ret = o;
    return 0;
}

int ln_rtp_session_update_outbound(struct ln_rtp_session *s, struct ln_rtp_outbound *o,
                                   const struct ln_rtp_outbound_config *config)
{
    if (config->codec_count > LN_RTP_CODECS_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    memcpy(o->config.mid, config->mid, sizeof o->config.mid);
    memcpy(o->config.codecs, config->codecs, sizeof o->config.codecs);
    o->config.codec_count = config->codec_count;
    o->config.extensions = config->extensions;
    if (o->config.active && !config->active)
        ln_rtp_session_forget_queued(s, o);
    o->config.active = config->active;
    keep_cname(s, config->cname);
    return 0;
}

void ln_rtp_session_remove_outbound(struct ln_rtp_session *s, struct ln_rtp_outbound *o)
{
    size_t at = 0;

    ln_rtp_session_forget_queued(s, o);
    for (size_t i = 0; i < o->stream_count; i++) {
        if (o->streams[i].has_sent && s->bye_count < LN_RTP_BYES_MAX) {
            s->byes[s->bye_count++] = o->streams[i].ssrc;
            s->rtcp_waiting = true;
        }
        ln_send_stream_deinit(&o->streams[i]);
    }
    while (s->outbounds[at] != o)
        at++;
    s->outbounds[at] = s->outbounds[--s->outbound_count];
    ln_free(s->env->allocator, o);
}

void ln_rtp_outbound_set_owner(struct ln_rtp_outbound *o, void *owner)
{
    o->owner = owner;
}

void *ln_rtp_outbound_owner(const struct ln_rtp_outbound *o)
{
    return o->owner;
}

/* ---- receivers ---- */

/* All maps together with `more` in the place of `except`'s; LN_ERR_INVALID_ARGUMENT if ids clash.
 */
static int merge_maps(const struct ln_rtp_session *s, const struct ln_rtp_inbound *except,
                      const struct ln_rtp_extension_map *more, struct ln_rtp_extension_map *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i <= s->inbound_count; i++) {
        const struct ln_rtp_extension_map *map;

        if (i < s->inbound_count && s->inbounds[i] == except)
            continue;
        map = i < s->inbound_count ? &s->inbounds[i]->config.extensions : more;
        for (unsigned k = 0; map && k < LN_RTP_EXTENSIONS; k++)
            if (map->id[k] != 0 &&
                ((ret->id[k] != 0 && ret->id[k] != map->id[k]) ||
                 ln_rtp_extension_map_set(ret, (enum ln_rtp_extension)k, map->id[k]) != 0))
                return LN_ERR_INVALID_ARGUMENT;
    }
    return 0;
}

static void look_at_feedback(struct ln_rtp_session *s)
{
    s->transport_cc_wanted = false;
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->config.codec_count; j++)
            s->transport_cc_wanted |= s->inbounds[i]->config.codecs[j].transport_cc;
}

static bool inbound_config_valid(const struct ln_rtp_inbound_config *c)
{
    return c->codec_count <= LN_RTP_CODECS_MAX && c->ssrc_count <= LN_RTP_SSRCS_MAX &&
           c->rid_count <= LN_RTP_ENCODINGS_MAX;
}

int ln_rtp_session_add_inbound(struct ln_rtp_session *s, const struct ln_rtp_inbound_config *config,
                               struct ln_rtp_inbound **ret)
{
    struct ln_rtp_extension_map map;
    struct ln_rtp_inbound *in;
    int error;

    if (!inbound_config_valid(config) || merge_maps(s, NULL, &config->extensions, &map) != 0)
        return LN_ERR_INVALID_ARGUMENT;
    error = ln_grow(s->env->allocator, &s->inbounds, sizeof(struct ln_rtp_inbound *),
                    s->inbound_count, &s->inbound_capacity, LN_RTP_INBOUND_MAX);
    if (error)
        return error;
    in = ln_alloc_zero(s->env->allocator, sizeof *in);
    if (!in)
        return LN_ERR_NOMEM;
    in->session = s;
    in->config = *config;
    s->inbounds[s->inbound_count++] = in;
    s->receive_map = map;
    look_at_feedback(s);
    *ret = in;
    return 0;
}

int ln_rtp_session_update_inbound(struct ln_rtp_session *s, struct ln_rtp_inbound *in,
                                  const struct ln_rtp_inbound_config *config)
{
    struct ln_rtp_extension_map map;

    if (!inbound_config_valid(config) || merge_maps(s, in, &config->extensions, &map) != 0)
        return LN_ERR_INVALID_ARGUMENT;
    in->config = *config;
    s->receive_map = map;
    look_at_feedback(s);
    return 0;
}

void ln_rtp_session_remove_inbound(struct ln_rtp_session *s, struct ln_rtp_inbound *in)
{
    size_t at = 0;

    while (in->stream_count > 0)
        ln_rtp_session_drop_stream(s, in->streams[in->stream_count - 1]);
    while (s->inbounds[at] != in)
        at++;
    s->inbounds[at] = s->inbounds[--s->inbound_count];
    (void)merge_maps(s, NULL, NULL, &s->receive_map);
    look_at_feedback(s);
    ln_free(s->env->allocator, in);
}

void ln_rtp_inbound_set_owner(struct ln_rtp_inbound *in, void *owner)
{
    in->owner = owner;
}

void *ln_rtp_inbound_owner(const struct ln_rtp_inbound *in)
{
    return in->owner;
}

void ln_rtp_inbound_set_target_delay(struct ln_rtp_inbound *in, ln_duration delay)
{
    in->target_delay = ln_time_max(0, ln_time_min(delay, LN_DELAY_MAX));
    for (size_t i = 0; i < in->stream_count; i++)
        in->streams[i]->jitter.delay.minimum = in->target_delay;
}

/* ---- time ---- */

static ln_duration report_interval(struct ln_rtp_session *s)
{
    ln_duration interval = REPORT_INTERVAL_AUDIO;

    for (size_t i = 0; i < s->outbound_count; i++)
        if (s->outbounds[i]->config.kind == LN_MEDIA_VIDEO)
            interval = REPORT_INTERVAL_VIDEO;
    for (size_t i = 0; i < s->inbound_count; i++)
        if (s->inbounds[i]->config.kind == LN_MEDIA_VIDEO)
            interval = REPORT_INTERVAL_VIDEO;
    /* Spread over 0.5 to 1.5 of it, so that peers do not fall into step (RFC 3550, 6.3.1). */
    return interval / 2 + interval / 1000 * ln_rng_below(s->env->rng, 1001);
}

void ln_rtp_session_start_reports(struct ln_rtp_session *s, ln_time now)
{
    if (s->next_report == LN_TIME_NEVER)
        s->next_report = now + FIRST_REPORT;
}

/* A round of reports: every stream that is alive is due. */
static void begin_reports(struct ln_rtp_session *s, ln_time now)
{
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++) {
            struct ln_send_stream *stream = &s->outbounds[i]->streams[j];

            stream->report_pending = stream->has_sent;
            ln_history_prune(&stream->history, now);
        }
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++) {
            struct ln_receive_stream *stream = s->inbounds[i]->streams[j];

            stream->report_pending = stream->reception.started;
            stream->rtx_report_pending = stream->rtx_reception.started;
        }
    s->remb_pending = s->remb_bps > 0 && ln_rtp_session_wants_remb(s);
    s->rtcp_waiting = true;
    s->next_report = now + report_interval(s);
    ln_rtp_session_synchronize(s);
}

void ln_rtp_session_on_timeout(struct ln_rtp_session *s, ln_time now)
{
    if (ln_time_due(s->next_report, now))
        begin_reports(s, now);
    if (!s->feedback_due && ln_time_due(ln_arrival_log_next_report(&s->arrivals), now))
        s->feedback_due = s->rtcp_waiting = true;
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++)
            ln_send_stream_check_due(&s->outbounds[i]->streams[j], now);
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++)
            if (ln_receive_stream_check_due(s->inbounds[i]->streams[j], now))
                s->rtcp_waiting = true;
}

ln_time ln_rtp_session_next_timeout(const struct ln_rtp_session *s)
{
    ln_time next = s->next_report;

    if (!s->feedback_due)
        next = ln_time_min(next, ln_arrival_log_next_report(&s->arrivals));
    for (size_t i = 0; i < s->outbound_count; i++)
        for (size_t j = 0; j < s->outbounds[i]->stream_count; j++)
            next = ln_time_min(next, ln_send_stream_next_timeout(&s->outbounds[i]->streams[j]));
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++)
            next = ln_time_min(next, ln_receive_stream_next_timeout(s->inbounds[i]->streams[j]));
    return next;
}

/* ---- frames and events ---- */

int ln_rtp_session_poll_frame(struct ln_rtp_session *s, struct ln_rtp_inbound *in, ln_time now,
                              struct ln_frame **ret)
{
    (void)s;
    for (size_t i = 0; i < in->stream_count; i++)
        if (ln_receive_stream_poll_frame(in->streams[i], now, ret) == 1)
            return 1;
    return 0;
}

void ln_rtp_session_request_key_frame(struct ln_rtp_session *s, struct ln_rtp_inbound *in,
                                      ln_time now)
{
    struct ln_receive_stream *stream = in->latest;

    if (!stream || in->config.kind != LN_MEDIA_VIDEO)
        return;
    if (stream->key_wanted_since == LN_TIME_NEVER)
        stream->key_wanted_since = now;
    if (ln_receive_stream_check_due(stream, now))
        s->rtcp_waiting = true;
}

static bool take(bool *flag)
{
    bool was = *flag;

    *flag = false;
    return was;
}

static bool outbound_event(struct ln_rtp_outbound *o, struct ln_rtp_event *e)
{
    for (size_t i = 0; i < o->stream_count; i++)
        if (take(&o->streams[i].key_event)) {
            e->kind = LN_RTP_EVENT_KEY_FRAME_REQUESTED;
            e->outbound = o;
            e->encoding = (uint8_t)i;
            e->ssrc = o->streams[i].ssrc;
            return true;
        }
    return false;
}

static bool inbound_event(struct ln_rtp_inbound *in, struct ln_rtp_event *e)
{
    bool frame = false;

    e->inbound = in;
    for (size_t i = 0; i < in->stream_count; i++) {
        e->ssrc = in->streams[i]->ssrc;
        e->encoding = in->streams[i]->encoding;
        e->kind = LN_RTP_EVENT_STREAM;
        if (take(&in->streams[i]->new_event))
            return true;
    }
    for (size_t i = 0; i < in->stream_count; i++)
        if (take(&in->streams[i]->frame_event)) {
            frame = true; /* one event for all streams: poll_frame() looks at all */
            e->ssrc = in->streams[i]->ssrc;
        }
    e->kind = LN_RTP_EVENT_FRAME;
    if (frame)
        return true;
    e->kind = LN_RTP_EVENT_BYE;
    e->ssrc = in->bye_ssrc;
    return take(&in->bye_event);
}

bool ln_rtp_session_poll_event(struct ln_rtp_session *s, struct ln_rtp_event *ret)
{
    struct ln_rtp_event e;

    memset(&e, 0, sizeof e);
    for (size_t i = 0; i < s->outbound_count; i++)
        if (outbound_event(s->outbounds[i], &e)) {
            *ret = e;
            return true;
        }
    for (size_t i = 0; i < s->inbound_count; i++)
        if (inbound_event(s->inbounds[i], &e)) {
            *ret = e;
            return true;
        }
    return false;
}

bool ln_rtp_session_poll_feedback(struct ln_rtp_session *s, struct ln_rtp_feedback *ret)
{
    struct ln_feedback_item item;

    if (!ln_ring_pop(&s->feedback, &item)) {
        s->result_count = 0;
        return false;
    }
    *ret = item.feedback;
    ret->results = item.feedback.count > 0 ? s->results + item.first : NULL;
    return true;
}

void ln_rtp_session_set_remb(struct ln_rtp_session *s, ln_time now, uint64_t bps)
{
    bool drop = bps > 0 && bps < s->remb_bps - s->remb_bps / 32;

    (void)now;
    s->remb_bps = bps;
    if (drop && ln_rtp_session_wants_remb(s)) /* bad news travels at once */
        s->remb_pending = s->rtcp_waiting = true;
}

bool ln_rtp_session_wants_remb(const struct ln_rtp_session *s)
{
    bool remb = false, transport = false;

    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->config.codec_count; j++) {
            remb |= s->inbounds[i]->config.codecs[j].remb;
            transport |= s->inbounds[i]->config.codecs[j].transport_cc;
        }
    return remb && !transport;
}
