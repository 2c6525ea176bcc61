/* SPDX-License-Identifier: Apache-2.0
 * Figures out of a statistics report (https://www.w3.org/TR/webrtc-stats/). */
#include "client/call_figures.h"

#include <math.h>
#include <string.h>

static double number(const struct ln_stats *stats, const char *name, double otherwise)
{
    const struct ln_stats_member *member = ln_stats_get(stats, name);

    if (!member)
        return otherwise;
    return member->kind == LN_STATS_INTEGER ? (double)member->value.integer : member->value.number;
}

static const char *text(const struct ln_stats *stats, const char *name)
{
    const struct ln_stats_member *member = ln_stats_get(stats, name);

    return member && member->kind == LN_STATS_TEXT ? member->value.text : "";
}

static bool is_video(const struct ln_stats *stats)
{
    return strcmp(text(stats, "kind"), "video") == 0;
}

/* Sums and rates of one stream. lost < 0: not counted by this dictionary. */
static void add_rates(struct ln_track_figures *figures, struct ln_stats_counts *before,
                      const struct ln_stats_counts *now, double seconds)
{
    int64_t packets = now->packets - before->packets, lost = now->lost - before->lost;

    figures->packets = now->packets > 0 ? (uint64_t)now->packets : 0;
    figures->packets_lost = now->lost > 0 ? (uint64_t)now->lost : 0;
    if (seconds > 0) {
        if (now->bytes >= before->bytes)
            figures->bitrate_bps = (double)(now->bytes - before->bytes) * 8 / seconds;
        if (lost > 0 && packets + lost > 0)
            figures->loss = (double)lost / (double)(packets + lost);
    }
    *before = *now;
}

static void add_inbound(struct ln_figures_state *state, const struct ln_stats *stats,
                        double seconds, struct ln_participant_figures *figures)
{
    bool video = is_video(stats);
    struct ln_track_figures *track = video ? &figures->video_in : &figures->audio_in;
    struct ln_stats_counts now = { .bytes = (int64_t)number(stats, "bytesReceived", 0),
                                   .packets = (int64_t)number(stats, "packetsReceived", 0),
                                   .lost = (int64_t)number(stats, "packetsLost", 0) };

    add_rates(track, video ? &state->video_in : &state->audio_in, &now, seconds);
    track->jitter_ms = number(stats, "jitter", 0) * 1e3;
}

static void add_outbound(struct ln_figures_state *state, const struct ln_stats *stats,
                         const ln_stats_report *report, double seconds,
                         struct ln_participant_figures *figures)
{
    bool video = is_video(stats);
    struct ln_track_figures *track = video ? &figures->video_out : &figures->audio_out;
    struct ln_stats_counts now = { .bytes = (int64_t)number(stats, "bytesSent", 0),
                                   .packets = (int64_t)number(stats, "packetsSent", 0) };
    const struct ln_stats *remote = ln_stats_report_get(report, text(stats, "remoteId"));
    double round_trip;

    if (!remote) { /* the report's own link may be missing: look for the one that points back */
        for (size_t i = 0; i < ln_stats_report_size(report) && !remote; i++) {
            const struct ln_stats *at = ln_stats_report_at(report, i);

            if (strcmp(at->type, "remote-inbound-rtp") == 0 &&
                strcmp(text(at, "localId"), stats->id) == 0)
                remote = at;
        }
    }
    if (remote) {
        now.lost = (int64_t)number(remote, "packetsLost", 0);
        track->jitter_ms = number(remote, "jitter", 0) * 1e3;
        round_trip = number(remote, "roundTripTime", -1);
        if (round_trip >= 0 && figures->round_trip_ms < 0)
            figures->round_trip_ms = round_trip * 1e3;
    }
    add_rates(track, video ? &state->video_out : &state->audio_out, &now, seconds);
}

static void add_pair(const struct ln_stats *stats, struct ln_participant_figures *figures)
{
    const struct ln_stats_member *nominated = ln_stats_get(stats, "nominated");
    double round_trip = number(stats, "currentRoundTripTime", -1);

    if (!nominated || !nominated->value.boolean)
        return;
    if (round_trip >= 0)
        figures->round_trip_ms = round_trip * 1e3;
    figures->available_bitrate_bps = number(stats, "availableOutgoingBitrate", 0);
}

static void add_tracks(struct ln_media_engine *engine, const ln_peer_connection *pc,
                       struct ln_participant_figures *figures)
{
    for (size_t i = 0; i < ln_peer_connection_transceiver_count(pc); i++) {
        ln_rtp_transceiver *transceiver = ln_peer_connection_transceiver(pc, i);
        bool video = ln_rtp_transceiver_kind(transceiver) == LN_MEDIA_VIDEO;
        struct ln_track_figures *in = video ? &figures->video_in : &figures->audio_in;
        struct ln_track_figures *out = video ? &figures->video_out : &figures->audio_out;
        struct ln_track_figures got;

        if (!out->active &&
            ln_media_engine_sender_figures(engine, ln_rtp_transceiver_sender(transceiver), &got))
            *out = got;
        if (!in->active && ln_media_engine_receiver_figures(
                               engine, ln_rtp_transceiver_receiver(transceiver), &got))
            *in = got;
    }
}

void ln_figures_collect(struct ln_figures_state *state, const ln_stats_report *report,
                        struct ln_media_engine *engine, const ln_peer_connection *pc,
                        struct ln_participant_figures *figures)
{
    double timestamp_ms = 0, seconds = 0;

    *figures = (struct ln_participant_figures){ .round_trip_ms = -1 };
    figures->video_in.latency_p50_ms = figures->video_in.latency_p95_ms = -1;
    figures->video_out.latency_p50_ms = figures->video_out.latency_p95_ms = -1;
    figures->audio_in.level_dbov = figures->audio_out.level_dbov = -127;
    add_tracks(engine, pc, figures);
    figures->flash_to_beep_ms = ln_media_engine_flash_to_beep_ms(engine);
    if (!report)
        return;
    for (size_t i = 0; i < ln_stats_report_size(report); i++) {
        const struct ln_stats *stats = ln_stats_report_at(report, i);

        if (timestamp_ms <= 0) {
            timestamp_ms = stats->timestamp_ms;
            if (state->timestamp_ms > 0)
                seconds = (timestamp_ms - state->timestamp_ms) / 1e3;
            state->timestamp_ms = timestamp_ms;
        }
        if (strcmp(stats->type, "candidate-pair") == 0)
            add_pair(stats, figures);
        else if (strcmp(stats->type, "inbound-rtp") == 0)
            add_inbound(state, stats, seconds, figures);
        else if (strcmp(stats->type, "outbound-rtp") == 0)
            add_outbound(state, stats, report, seconds, figures);
    }
}
