/* SPDX-License-Identifier: Apache-2.0
 * Figures: W3C webrtc-stats, sources, and what synchronises receivers. */
#include "base/time.h"
#include "rtp/session_state.h"
#include "rtp/sync.h"

#include <math.h>
#include <string.h>

#define SOURCE_AGE LN_SECONDS(10) /* W3C webrtc, 5.3.2 */

bool ln_rtp_outbound_get_stats(const struct ln_rtp_outbound *o, size_t encoding,
                               struct ln_rtp_outbound_stats *ret)
{
    if (encoding >= o->stream_count)
        return false;
    *ret = o->streams[encoding].stats;
    ret->active = o->config.active;
    return true;
}

static void add_stream(struct ln_rtp_inbound_stats *t, const struct ln_receive_stream *s)
{
    const struct ln_jitter_counters *c = &s->jitter.counters;

    t->packets_received += s->packets;
    t->bytes_received += s->bytes;
    t->header_bytes_received += s->header_bytes;
    t->packets_lost += ln_reception_lost(&s->reception);
    t->packets_discarded += s->discarded + c->packets_discarded;
    t->packets_duplicated += s->reception.duplicates;
    t->retransmitted_packets_received += s->rtx_packets;
    t->retransmitted_bytes_received += s->rtx_bytes;
    t->nack_count += s->nack_count;
    t->pli_count += s->pli_count;
    t->fir_count += s->fir_count;
    t->frames_received += c->frames_received;
    t->key_frames_received += c->key_frames_received;
    t->frames_dropped += c->frames_dropped;
    t->frames_late += c->frames_late;
    t->frames_assembled_from_multiple_packets += c->frames_assembled_from_multiple_packets;
    t->total_assembly_time += c->total_assembly_time;
    t->jitter_buffer_delay += c->delay_sum;
    t->jitter_buffer_target_delay += c->target_sum;
    t->jitter_buffer_minimum_delay += c->minimum_sum;
    t->jitter_buffer_emitted_count += c->emitted;
    t->concealed_samples += c->concealed_samples;
    t->concealment_events += c->concealment_events;
    t->total_samples_received += c->total_samples;
}

/* What plays now, on the sender's clock. */
static ln_time estimated_playout(const struct ln_receive_stream *s, ln_time now)
{
    ln_time release = ln_delay_release(&s->jitter.delay, s->report_timestamp);

    if (!s->has_report || release == LN_TIME_NEVER)
        return LN_TIME_NEVER;
    return ln_ntp_to_unix(s->report_ntp) + (now - release - LN_JITTER_LEAD);
}

static void add_latest(struct ln_rtp_inbound_stats *t, const struct ln_receive_stream *s,
                       ln_time now)
{
    t->ssrc = s->ssrc;
    t->rtx_ssrc = s->rtx_ssrc;
    t->payload_type = s->payload_type;
    t->jitter_seconds = s->clock_hz ? s->reception.jitter / s->clock_hz : 0;
    t->last_packet_received = s->last_packet;
    t->current_delay = ln_delay_current(&s->jitter.delay);
    t->audio_level = s->audio_level >= 0 ? pow(10.0, -s->audio_level / 20.0) : -1;
    memcpy(t->cname, s->cname, sizeof t->cname);
    t->has_remote = s->has_report;
    if (s->has_report) {
        t->remote_time = s->report_arrival;
        t->remote_ntp_seconds = (double)ln_ntp_to_unix(s->report_ntp) / 1e9;
        t->remote_packets_sent = s->report_packets;
        t->remote_bytes_sent = s->report_octets;
        t->remote_reports_sent = s->reports;
    }
    t->estimated_playout = estimated_playout(s, now);
}

void ln_rtp_inbound_get_stats(const struct ln_rtp_inbound *in, ln_time now,
                              struct ln_rtp_inbound_stats *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->payload_type = -1;
    ret->last_packet_received = LN_TIME_NEVER;
    ret->audio_level = -1;
    ret->estimated_playout = LN_TIME_NEVER;
    for (size_t i = 0; i < in->stream_count; i++)
        add_stream(ret, in->streams[i]);
    if (in->latest)
        add_latest(ret, in->latest, now);
}

size_t ln_rtp_inbound_sources(const struct ln_rtp_inbound *in, ln_time now,
                              struct ln_rtp_source *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < in->source_count && n < cap; i++)
        if (now - in->sources[i].time <= SOURCE_AGE)
            out[n++] = in->sources[i];
    return n;
}

void ln_rtp_session_get_stats(const struct ln_rtp_session *s, struct ln_rtp_session_stats *ret)
{
    *ret = s->stats;
    for (size_t i = 0; i < s->inbound_count; i++)
        for (size_t j = 0; j < s->inbounds[i]->stream_count; j++) {
            const struct ln_reception *r = &s->inbounds[i]->streams[j]->reception;
            int64_t lost = ln_reception_lost(r);

            ret->packets_expected += ln_reception_expected(r);
            ret->packets_lost += lost > 0 ? (uint64_t)lost : 0;
        }
}

/* ---- lip synchronisation ---- */

/* The streams of a group that can be placed in NTP time. */
static size_t collect_group(struct ln_rtp_session *s, uint32_t group, struct ln_sync_stream *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s->inbound_count; i++) {
        struct ln_receive_stream *latest = s->inbounds[i]->latest;

        if (s->inbounds[i]->config.sync_group == group && latest && latest->has_report &&
            latest->jitter.delay.started && n < LN_SYNC_STREAMS_MAX)
            out[n++] = (struct ln_sync_stream){ &latest->jitter.delay,
                                                ln_ntp_to_unix(latest->report_ntp),
                                                latest->report_timestamp };
    }
    return n;
}

void ln_rtp_session_synchronize(struct ln_rtp_session *s)
{
    struct ln_sync_stream streams[LN_SYNC_STREAMS_MAX];

    for (size_t i = 0; i < s->inbound_count; i++) {
        uint32_t group = s->inbounds[i]->config.sync_group;
        bool first = group != 0;

        for (size_t j = 0; j < i; j++)
            first = first && s->inbounds[j]->config.sync_group != group;
        if (first)
            ln_sync_update(streams, collect_group(s, group, streams));
    }
}
