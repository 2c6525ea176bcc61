/* SPDX-License-Identifier: Apache-2.0
 * One SSRC that we send, with its RTX stream: numbers, history, budget of retransmissions, what
 * receivers report. */
#ifndef LN_RTP_SEND_STREAM_H
#define LN_RTP_SEND_STREAM_H

#include "rtp/history.h"
#include "rtp/rtcp.h"
#include "rtp/session.h"

/* Encoders are asked for key frames at most this often, whatever comes (RFC 5104, 3.5.1). */
#define LN_KEY_FRAME_EVENT_INTERVAL LN_MILLISECONDS(300)
#define LN_SENT_REPORTS             4u

struct ln_send_stream {
    struct ln_rtp_outbound *outbound;
    uint8_t encoding;
    uint32_t ssrc, rtx_ssrc;
    uint16_t sequence, rtx_sequence; /* the next ones */
    uint32_t timestamp_offset;
    uint16_t picture_id;
    uint8_t tl0picidx;
    bool layers;           /* the encoder uses temporal layers: descriptors tell of them */
    bool needs_key;        /* a frame was dropped: nothing is sent before a key frame */
    bool acked, rtx_acked; /* the remote has got packets: MID and RID may be left out */
    struct ln_history history;

    /* where RTP time stands, for sender reports */
    bool has_sent;
    uint32_t last_timestamp; /* with the offset */
    ln_time last_capture;
    uint32_t clock_hz;
    uint32_t report_packets, report_octets; /* of the media SSRC, as SR counts them */
    bool report_pending;
    struct {
        uint32_t ntp_middle;
        ln_time sent;
    } sent_reports[LN_SENT_REPORTS];
    size_t next_sent_report;
    uint32_t last_highest; /* of the last receiver report */
    bool has_highest;

    /* retransmission budget: bytes that may be sent again */
    int64_t budget;
    ln_time budget_updated;
    uint64_t budget_sent; /* media bytes since then, which refill it */

    /* key frame requests */
    bool key_requested; /* waits for key_allowed */
    bool key_event;     /* news for the owner */
    ln_time key_allowed;
    bool has_fir;
    uint8_t fir_sequence;
    uint32_t fir_sender;

    struct ln_rtp_outbound_stats stats;
};

void ln_send_stream_init(struct ln_send_stream *s, const struct ln_env *env,
                         struct ln_rtp_outbound *outbound, const struct ln_rtp_encoding *encoding,
                         uint8_t index, ln_duration history);
void ln_send_stream_deinit(struct ln_send_stream *s);

/* Whether `len` more bytes may be sent again now; takes them off. */
bool ln_send_stream_take_budget(struct ln_send_stream *s, ln_time now, size_t len);
/* A PLI, or a FIR that is new: an event now, or when one is allowed again. */
void ln_send_stream_request_key(struct ln_send_stream *s, ln_time now);
void ln_send_stream_check_due(struct ln_send_stream *s, ln_time now);
ln_time ln_send_stream_next_timeout(const struct ln_send_stream *s);

/* The sender info of a report now (RFC 3550, 6.4.1); remembers it for the round-trip time. */
void ln_send_stream_report(struct ln_send_stream *s, ln_time now, ln_time wall_offset,
                           struct ln_rtcp_report *ret);
/* A block about the media SSRC. Returns the round-trip time, 0 if it cannot be told. The loss of
 * the interval comes in *ret_fraction over *ret_packets. */
ln_duration ln_send_stream_on_block(struct ln_send_stream *s, ln_time now,
                                    const struct ln_rtcp_block *block, double *ret_fraction,
                                    uint32_t *ret_packets);

#endif
