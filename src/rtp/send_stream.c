/* SPDX-License-Identifier: Apache-2.0
 * One stream out: see rtp/send_stream.h. */
#include "rtp/send_stream.h"

#include "base/rng.h"
#include "base/time.h"

#include <string.h>

#define SEQUENCE_START_BELOW                                                                       \
    0x1000                     /* low: no early wrap while SRTP's roll-over counter settles        \
                                */
#define BUDGET_BURST     30000 /* bytes that may be sent again at once */
#define BUDGET_FLOOR_BPS 64000 /* and at any time, however little is sent */

void ln_send_stream_init(struct ln_send_stream *s, const struct ln_env *env,
                         struct ln_rtp_outbound *outbound, const struct ln_rtp_encoding *encoding,
                         uint8_t index, ln_duration history)
{
    memset(s, 0, sizeof *s);
    s->outbound = outbound;
    s->encoding = index;
    s->ssrc = encoding->ssrc;
    s->rtx_ssrc = encoding->rtx_ssrc;
    s->sequence = (uint16_t)ln_rng_below(env->rng, SEQUENCE_START_BELOW);
    s->rtx_sequence = (uint16_t)ln_rng_below(env->rng, SEQUENCE_START_BELOW);
    s->timestamp_offset = ln_rng_u32(env->rng);
    s->picture_id = (uint16_t)ln_rng_below(env->rng, 0x8000);
    s->tl0picidx = (uint8_t)ln_rng_below(env->rng, 256);
    s->budget = BUDGET_BURST;
    s->budget_updated = LN_TIME_IMMEDIATE;
    s->key_allowed = LN_TIME_IMMEDIATE;
    ln_history_init(&s->history, env->allocator, history);
    s->stats.ssrc = encoding->ssrc;
    s->stats.rtx_ssrc = encoding->rtx_ssrc;
    memcpy(s->stats.rid, encoding->rid, sizeof s->stats.rid);
    s->stats.payload_type = -1;
    s->stats.last_packet_sent = LN_TIME_NEVER;
}

void ln_send_stream_deinit(struct ln_send_stream *s)
{
    ln_history_deinit(&s->history);
}

/* Half of what is sent may be sent again: enough for heavy loss, no lever for a flood of NACKs. */
bool ln_send_stream_take_budget(struct ln_send_stream *s, ln_time now, size_t len)
{
    if (s->budget_updated != LN_TIME_IMMEDIATE) {
        ln_duration elapsed = ln_time_min(now - s->budget_updated, LN_SECONDS(1));
        int64_t refill = (int64_t)(s->budget_sent / 2) +
                         elapsed / 1000 * (BUDGET_FLOOR_BPS / 8) / 1000000;

        s->budget = ln_time_min(s->budget + refill, BUDGET_BURST);
    }
    s->budget_updated = now;
    s->budget_sent = 0;
    if (s->budget < (int64_t)len)
        return false;
    s->budget -= (int64_t)len;
    return true;
}

void ln_send_stream_request_key(struct ln_send_stream *s, ln_time now)
{
    s->key_requested = true;
    ln_send_stream_check_due(s, now);
}

void ln_send_stream_check_due(struct ln_send_stream *s, ln_time now)
{
    if (s->key_requested && ln_time_due(s->key_allowed, now)) {
        s->key_requested = false;
        s->key_event = true;
        s->key_allowed = now + LN_KEY_FRAME_EVENT_INTERVAL;
    }
}

ln_time ln_send_stream_next_timeout(const struct ln_send_stream *s)
{
    return s->key_requested ? s->key_allowed : LN_TIME_NEVER;
}

void ln_send_stream_report(struct ln_send_stream *s, ln_time now, ln_time wall_offset,
                           struct ln_rtcp_report *ret)
{
    ln_duration since = now - s->last_capture;

    memset(ret, 0, sizeof *ret);
    ret->ssrc = s->ssrc;
    ret->sender = true;
    ret->ntp = ln_ntp_from_unix(now + wall_offset);
    ret->rtp_timestamp = s->last_timestamp +
                         (uint32_t)(since / 1000000000 * s->clock_hz +
                                    since % 1000000000 * (int64_t)s->clock_hz / 1000000000);
    ret->packets = s->report_packets;
    ret->octets = s->report_octets;
    s->sent_reports[s->next_sent_report].ntp_middle = (uint32_t)(ret->ntp >> 16);
    s->sent_reports[s->next_sent_report].sent = now;
    s->next_sent_report = (s->next_sent_report + 1) % LN_SENT_REPORTS;
}

/* By our own note of when that report left: a step of the wall clock does no harm. */
static ln_duration round_trip(const struct ln_send_stream *s, ln_time now,
                              const struct ln_rtcp_block *block)
{
    for (size_t i = 0; block->last_sr != 0 && i < LN_SENT_REPORTS; i++) {
        ln_duration held = (ln_duration)block->delay_since_sr * 1000000 / 65536 * 1000, rtt;

        if (s->sent_reports[i].ntp_middle != block->last_sr || s->sent_reports[i].sent == 0)
            continue;
        rtt = now - s->sent_reports[i].sent - held;
        return ln_time_max(rtt, LN_MICROSECONDS(1));
    }
    return 0;
}

ln_duration ln_send_stream_on_block(struct ln_send_stream *s, ln_time now,
                                    const struct ln_rtcp_block *block, double *ret_fraction,
                                    uint32_t *ret_packets)
{
    struct ln_rtp_outbound_stats *stats = &s->stats;
    ln_duration rtt = round_trip(s, now, block);
    uint32_t packets = s->has_highest ? block->highest - s->last_highest : 0;

    s->acked = true;
    *ret_fraction = block->fraction_lost / 256.0;
    *ret_packets = packets < 0x10000 ? packets : 0;
    s->has_highest = true;
    s->last_highest = block->highest;
    stats->has_remote = true;
    stats->remote_time = now;
    stats->remote_packets_lost = block->lost;
    stats->remote_fraction_lost = *ret_fraction;
    stats->remote_packets_received = block->lost < (int64_t)s->report_packets
                                         ? s->report_packets -
                                               (uint64_t)(block->lost > 0 ? block->lost : 0)
                                         : 0;
    stats->remote_jitter_seconds = s->clock_hz ? (double)block->jitter / s->clock_hz : 0;
    if (rtt > 0) {
        stats->round_trip_time = rtt;
        stats->total_round_trip_time += rtt;
        stats->round_trip_time_measurements++;
    }
    return rtt;
}
