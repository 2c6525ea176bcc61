/* SPDX-License-Identifier: Apache-2.0
 * One received SSRC with its RTX stream: reception figures, what is missing, the jitter buffer, and
 * when a key frame must be asked for. */
#ifndef LN_RTP_RECEIVE_STREAM_H
#define LN_RTP_RECEIVE_STREAM_H

#include "rtp/jitter_buffer.h"
#include "rtp/nack.h"
#include "rtp/reception.h"
#include "rtp/session.h"

#define LN_KEY_FRAME_REQUEST_INTERVAL LN_MILLISECONDS(300)

struct ln_receive_stream;

/* What an SSRC of the session's table means. */
struct ln_ssrc_route {
    struct ln_receive_stream *stream;
    bool rtx;
};

struct ln_receive_stream {
    const struct ln_env *env;
    struct ln_rtp_inbound *inbound;
    struct ln_ssrc_route media_route, rtx_route;
    uint32_t ssrc, rtx_ssrc; /* rtx 0: not known yet */
    uint8_t encoding;
    bool signalled;      /* named by the description: never evicted */
    bool routed_by_type; /* neither SSRC nor MID led here: a MID may still move it */
    bool nack;           /* negotiated for the codec in use */
    struct ln_reception reception, rtx_reception;
    struct ln_nack nacks;
    struct ln_jitter_buffer jitter;
    ln_duration rtt;     /* 0: not known */
    ln_time last_packet; /* LN_TIME_NEVER before the first */
    int16_t payload_type;
    uint32_t clock_hz;

    /* sender reports: where RTP time stands on the sender's NTP clock */
    bool has_report;
    uint64_t report_ntp;
    int64_t report_timestamp; /* unwrapped */
    ln_time report_arrival;
    uint64_t reports, report_packets, report_octets;
    int64_t clock_offset; /* local time less the sender's Unix time, the smallest seen */

    /* feedback to be sent */
    bool report_pending, rtx_report_pending, nack_due, key_request_due;
    ln_time last_key_request; /* LN_TIME_IMMEDIATE before the first */
    ln_time key_wanted_since; /* the decoder asked; LN_TIME_NEVER */
    uint8_t fir_sequence;

    /* news for the owner */
    bool new_event, bye_event, frame_event, frame_signalled;

    uint64_t packets, bytes, header_bytes;
    uint64_t rtx_packets, rtx_bytes;
    uint64_t nack_count, pli_count, fir_count;
    uint64_t discarded;
    int16_t audio_level; /* 0..127; -1: not known */
    char cname[64];
};

LN_NODISCARD int ln_receive_stream_create(struct ln_receive_stream **ret, const struct ln_env *env,
                                          enum ln_media_kind kind, uint32_t clock_hz,
                                          uint32_t ssrc);
void ln_receive_stream_free(struct ln_receive_stream *s);

/* A packet of the RTX stream, as it came: what it repairs goes through on_packet() thereafter.
 * Senders probe the path with padding and with repeats of what arrived, and count both as sent. */
void ln_receive_stream_count_rtx(struct ln_receive_stream *s, ln_time now,
                                 const struct ln_rtp_packet *packet);

/* One packet of the media SSRC, or one taken out of RTX (`repaired`). `codec` is that of its
 * payload type. Returns as ln_rtp_session_receive_rtp(). */
int ln_receive_stream_on_packet(struct ln_receive_stream *s, ln_time now,
                                const struct ln_rtp_packet *packet,
                                const struct ln_rtp_codec *codec,
                                const struct ln_rtp_extension_values *extensions,
                                struct ln_buffer *buffer, bool repaired);
void ln_receive_stream_on_sender_report(struct ln_receive_stream *s, ln_time now,
                                        const struct ln_rtcp_report *report);

LN_NODISCARD int ln_receive_stream_poll_frame(struct ln_receive_stream *s, ln_time now,
                                              struct ln_frame **ret);

/* Sets the due flags; true if feedback waits to be sent. */
bool ln_receive_stream_check_due(struct ln_receive_stream *s, ln_time now);
ln_time ln_receive_stream_next_timeout(const struct ln_receive_stream *s);

#endif
