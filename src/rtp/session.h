/* SPDX-License-Identifier: Apache-2.0
 * The RTP session of one BUNDLE transport: streams out, streams in, RTCP for both.
 * RFC 3550, 3551, 4585, 4588, 5104, 5506, 5761, 9143 (9.2 routing), transport-wide-cc-01, REMB.
 *
 * Sans-IO, plaintext: the owner applies SRTP and owns pacer and estimator. How to drive it:
 *
 *   frames out   send_frame() cuts a frame into packets and queues them. While peek() shows a
 *                packet, ask the pacer (cc/pacer.h) whether its class and size may leave, then
 *                poll_packet() and protect it. poll_packet() stamps transport-wide sequence
 *                number and abs-send-time: what it gave must be sent now.
 *   packets in   receive_rtp() / receive_rtcp() after SRTP authentication. Then poll_feedback()
 *                (records for the estimator) and poll_event().
 *   frames in    poll_frame() gives frames in order, each when it is due.
 *   time         on_timeout(now) at next_timeout(). Packets that wait in the queue do not make
 *                the deadline: the owner combines it with its pacer's (cc/pacer.h,
 *                ln_pacer_next_timeout) while peek() shows one. Call peek() after every call.
 *
 * Invariants: every table and queue has a limit below; peer input is dropped and counted, never an
 * error of the session; out of memory drops the packet or frame at hand. */
#ifndef LN_RTP_SESSION_H
#define LN_RTP_SESSION_H

#include "base/pool.h"
#include "rtp/packet.h"

#include <linnet/env.h>
#include <linnet/frame.h>

#define LN_RTP_ID_MAX            32u  /* characters of a mid or rid that are kept */
#define LN_RTP_CNAME_MAX         255u /* RFC 3550, 6.5 */
#define LN_RTP_CODECS_MAX        24u /* payload types of one m-section, RTX counted with its codec */
#define LN_RTP_ENCODINGS_MAX     4u  /* simulcast encodings of one sender */
#define LN_RTP_SSRCS_MAX         8u  /* signalled (ssrc, rtx) pairs of one receiver */
#define LN_RTP_OUTBOUND_MAX      64u   /* senders of one session */
#define LN_RTP_INBOUND_MAX       256u  /* receivers of one session */
#define LN_RTP_STREAMS_MAX       512u  /* received SSRCs of one session, RTX included */
#define LN_RTP_INBOUND_SSRCS_MAX 16u   /* learnt SSRCs of one receiver */
#define LN_RTP_QUEUE_MAX         4096u /* packets queued to be sent */
#define LN_RTP_EVENTS_MAX        256u

/* ---- what was negotiated ---- */

struct ln_rtp_codec {
    enum ln_codec codec;
    uint8_t payload_type;
    uint32_t clock_rate_hz;
    uint8_t channels;
    int16_t rtx_payload_type; /* the RTX type whose apt is payload_type; -1: none */
    bool nack, pli, fir;      /* rtcp-fb lines of this payload type */
    bool transport_cc, remb;
};

struct ln_rtp_encoding {
    uint32_t ssrc;
    uint32_t rtx_ssrc;           /* 0: no RTX stream */
    char rid[LN_RTP_ID_MAX + 1]; /* "" without simulcast */
};

struct ln_rtp_outbound_config {
    enum ln_media_kind kind;
    char mid[LN_RTP_ID_MAX + 1];
    const char *cname; /* copied; the same for all senders of a peer connection */
    struct ln_rtp_codec codecs[LN_RTP_CODECS_MAX]; /* as the remote wants to receive them */
    size_t codec_count;
    struct ln_rtp_encoding encodings[LN_RTP_ENCODINGS_MAX];
    size_t encoding_count; /* at least 1 */
    struct ln_rtp_extension_map extensions;
    bool active; /* direction says send; false: nothing is sent, history is kept */
};

struct ln_rtp_ssrc_pair {
    uint32_t ssrc, rtx_ssrc; /* rtx 0: none signalled */
};

struct ln_rtp_inbound_config {
    enum ln_media_kind kind;
    char mid[LN_RTP_ID_MAX + 1];
    struct ln_rtp_codec codecs[LN_RTP_CODECS_MAX]; /* payload types that the remote may send */
    size_t codec_count;
    struct ln_rtp_ssrc_pair ssrcs[LN_RTP_SSRCS_MAX]; /* a=ssrc and ssrc-group:FID lines */
    size_t ssrc_count;
    char rids[LN_RTP_ENCODINGS_MAX][LN_RTP_ID_MAX + 1];
    size_t rid_count;
    struct ln_rtp_extension_map extensions;
    uint32_t sync_group; /* receivers of one nonzero group are played in step (one msid stream) */
    bool active;         /* direction says receive; false: packets are dropped */
};

/* ---- the session ---- */

struct ln_rtp_session;
struct ln_rtp_outbound; /* one sender: RTCRtpSender of one m-section */
struct ln_rtp_inbound;  /* one receiver */

struct ln_rtp_session_config {
    size_t max_packet;   /* largest RTP or RTCP packet without SRTP's trailer; 0: 1150 */
    ln_time wall_offset; /* Unix time minus `now`, for NTP times of sender reports */
    bool reduced_size;   /* a=rtcp-rsize was agreed (RFC 5506) */
    ln_duration history; /* packets are kept this long for retransmission; 0: 2 s */
};

LN_NODISCARD int ln_rtp_session_create(struct ln_rtp_session **ret,
                                       const struct ln_rtp_session_config *config,
                                       const struct ln_env *env);
void ln_rtp_session_free(struct ln_rtp_session *session);

/* The wall clock was set; no deadline moves. */
void ln_rtp_session_set_wall_offset(struct ln_rtp_session *session, ln_time wall_offset);
void ln_rtp_session_set_reduced_size(struct ln_rtp_session *session, bool reduced_size);

/* A random SSRC that neither side uses in this session. Never 0. */
uint32_t ln_rtp_session_new_ssrc(struct ln_rtp_session *session);

/* Senders. add: LN_ERR_LIMIT, LN_ERR_NOMEM, LN_ERR_INVALID_ARGUMENT (no encoding, SSRC in use).
 * update takes new codecs, extensions, mid and `active`; the encodings' SSRCs stay as they are.
 * remove queues an RTCP BYE and drops what is queued; the pointer is gone. */
LN_NODISCARD int ln_rtp_session_add_outbound(struct ln_rtp_session *session,
                                             const struct ln_rtp_outbound_config *config,
                                             struct ln_rtp_outbound **ret);
LN_NODISCARD int ln_rtp_session_update_outbound(struct ln_rtp_session *session,
                                                struct ln_rtp_outbound *outbound,
                                                const struct ln_rtp_outbound_config *config);
void ln_rtp_session_remove_outbound(struct ln_rtp_session *session,
                                    struct ln_rtp_outbound *outbound);

/* Receivers. The ids of all receivers' extension maps must agree (RFC 9143, 9.1): add and update
 * return LN_ERR_INVALID_ARGUMENT if an id has another meaning in the session. A payload type may
 * occur in several receivers; it then routes nothing by itself. */
LN_NODISCARD int ln_rtp_session_add_inbound(struct ln_rtp_session *session,
                                            const struct ln_rtp_inbound_config *config,
                                            struct ln_rtp_inbound **ret);
LN_NODISCARD int ln_rtp_session_update_inbound(struct ln_rtp_session *session,
                                               struct ln_rtp_inbound *inbound,
                                               const struct ln_rtp_inbound_config *config);
void ln_rtp_session_remove_inbound(struct ln_rtp_session *session, struct ln_rtp_inbound *inbound);

/* A free pointer of the owner's, carried along; events name the object. */
void ln_rtp_outbound_set_owner(struct ln_rtp_outbound *outbound, void *owner);
void *ln_rtp_outbound_owner(const struct ln_rtp_outbound *outbound);
void ln_rtp_inbound_set_owner(struct ln_rtp_inbound *inbound, void *owner);
void *ln_rtp_inbound_owner(const struct ln_rtp_inbound *inbound);

/* ---- packets in ---- */

/* One authenticated, decrypted packet. `buffer`, if not NULL, holds `data`: a reference is taken
 * while the payload is needed; else it is copied. Returns 0 when the packet was taken, or why it
 * was dropped: LN_ERR_MALFORMED, LN_ERR_NOT_FOUND (no receiver for it), LN_ERR_LIMIT (stream
 * table), LN_ERR_REPLAY (duplicate or too old), LN_ERR_NOMEM. The owner may ignore it: all are
 * counted. */
int ln_rtp_session_receive_rtp(struct ln_rtp_session *session, ln_time now, const uint8_t *data,
                               size_t len, struct ln_buffer *buffer);
int ln_rtp_session_receive_rtcp(struct ln_rtp_session *session, ln_time now, const uint8_t *data,
                                size_t len);

/* ---- frames out, packets out ---- */

/* Cuts an encoded frame into packets and queues them. frame->encoding names the encoding,
 * frame->codec must be one of the negotiated ones. The frame is copied, not kept. Returns 0,
 * LN_ERR_INVALID_STATE (not active), LN_ERR_NOT_SUPPORTED (codec not negotiated, or no payload
 * format for it), LN_ERR_INVALID_ARGUMENT (no such encoding, empty frame), LN_ERR_LIMIT (queue
 * full: the frame is dropped as a whole; encode a key frame next), LN_ERR_NOMEM. */
LN_NODISCARD int ln_rtp_session_send_frame(struct ln_rtp_session *session,
                                           struct ln_rtp_outbound *outbound, ln_time now,
                                           const struct ln_frame *frame);

/* In the order in which they leave: RTCP and audio first and unpaced, then retransmissions, then
 * video, then padding. */
enum ln_rtp_class {
    LN_RTP_CLASS_RTCP,
    LN_RTP_CLASS_AUDIO,
    LN_RTP_CLASS_RETRANSMISSION,
    LN_RTP_CLASS_VIDEO,
    LN_RTP_CLASS_PADDING,
};

struct ln_rtp_head {
    enum ln_rtp_class class;
    size_t len;        /* of the packet without SRTP's trailer; for RTCP an upper bound */
    ln_time queued_at; /* when it entered the queue; RTCP: LN_TIME_IMMEDIATE */
    const struct ln_rtp_outbound *outbound; /* whose it is; RTCP: NULL */
};

/* The packet that poll_packet() would give; false when there is none. */
bool ln_rtp_session_peek(const struct ln_rtp_session *session, struct ln_rtp_head *ret);
/* All that waits, for the pacer's queue limit: bytes of RTP and the oldest paced packet's time
 * (LN_TIME_NEVER when none). */
size_t ln_rtp_session_queued_bytes(const struct ln_rtp_session *session);
ln_time ln_rtp_session_oldest_queued(const struct ln_rtp_session *session);

struct ln_rtp_out {
    uint8_t *data; /* the caller's memory */
    size_t cap;
    size_t len;
    bool rtcp;
    enum ln_rtp_class class;
    const struct ln_rtp_outbound *outbound; /* whose it is; RTCP: NULL */
    /* RTP only, what SRTP and the estimator ask for: */
    size_t header_len; /* authenticated, not encrypted */
    uint32_t ssrc;
    uint16_t sequence;
    int64_t transport_sequence; /* unwrapped; -1: the packet carries none */
};

/* Writes the next packet to out->data. Returns 1 if filled, 0 if none waits, LN_ERR_NO_SPACE (the
 * packet stays). A cap of max_packet always suffices. */
LN_NODISCARD int ln_rtp_session_poll_packet(struct ln_rtp_session *session, ln_time now,
                                            struct ln_rtp_out *out);

/* Queues `bytes` of padding on an RTX stream (repeats of sent packets, or padding alone) to probe
 * the path. Returns the bytes queued, 0 when no stream can carry it. */
size_t ln_rtp_session_send_padding(struct ln_rtp_session *session, ln_time now, size_t bytes);

/* ---- frames in ---- */

/* The next frame that is due at `now`. Returns 1 and a reference in *ret, or 0. Video comes in
 * decodable order, never late frames after newer ones; audio comes in steps of its packet time, a
 * frame with `lost` set (len 0) where nothing arrived in time. */
LN_NODISCARD int ln_rtp_session_poll_frame(struct ln_rtp_session *session,
                                           struct ln_rtp_inbound *inbound, ln_time now,
                                           struct ln_frame **ret);

/* The decoder could not use what it got: a key frame is asked for, at a limited rate. */
void ln_rtp_session_request_key_frame(struct ln_rtp_session *session,
                                      struct ln_rtp_inbound *inbound, ln_time now);
/* W3C jitterBufferTarget: never play earlier than this after arrival; 0 for none. At most 4 s. */
void ln_rtp_inbound_set_target_delay(struct ln_rtp_inbound *inbound, ln_duration delay);

/* ---- for congestion control ---- */

/* One packet of ours of which a transport-cc report spoke. */
struct ln_rtp_packet_result {
    int64_t transport_sequence;
    uint32_t size; /* of the RTP packet, without SRTP's trailer */
    ln_time send_time;
    ln_time arrival_time; /* on the remote's clock, only differences count; LN_TIME_NEVER: lost */
};

enum ln_rtp_feedback_kind {
    LN_RTP_FEEDBACK_TRANSPORT, /* results */
    LN_RTP_FEEDBACK_LOSS,      /* fraction_lost, packets: one round of receiver reports */
    LN_RTP_FEEDBACK_REMB,      /* bps */
    LN_RTP_FEEDBACK_RTT,       /* rtt */
};

struct ln_rtp_feedback {
    enum ln_rtp_feedback_kind kind;
    const struct ln_rtp_packet_result *results; /* in sequence order, each packet at most twice:
                                                   lost, later arrived */
    size_t count;
    double fraction_lost;
    uint32_t packets; /* that the fraction is about */
    uint64_t bps;
    ln_duration rtt;
};

/* Takes one report; false when there is none. Results are borrowed until the next call on the
 * session. Reports about packets never sent are dropped and counted. */
bool ln_rtp_session_poll_feedback(struct ln_rtp_session *session, struct ln_rtp_feedback *ret);

/* The value that goes into REMB for receivers that negotiated goog-remb and not transport-cc; 0:
 * send none. */
void ln_rtp_session_set_remb(struct ln_rtp_session *session, ln_time now, uint64_t bps);
/* Whether any receiver wants REMB (and cc/receive_rate.h is worth feeding). */
bool ln_rtp_session_wants_remb(const struct ln_rtp_session *session);

/* ---- events ---- */

enum ln_rtp_event_kind {
    LN_RTP_EVENT_KEY_FRAME_REQUESTED, /* outbound, encoding: PLI or FIR came (rate limited) */
    LN_RTP_EVENT_STREAM,              /* inbound, ssrc: the first packet of a new SSRC */
    LN_RTP_EVENT_FRAME,               /* inbound: poll_frame() has something now */
    LN_RTP_EVENT_BYE,                 /* inbound, ssrc */
};

struct ln_rtp_event {
    enum ln_rtp_event_kind kind;
    struct ln_rtp_outbound *outbound;
    struct ln_rtp_inbound *inbound;
    uint8_t encoding;
    uint32_t ssrc;
};

bool ln_rtp_session_poll_event(struct ln_rtp_session *session, struct ln_rtp_event *ret);

/* ---- time ---- */

ln_time ln_rtp_session_next_timeout(const struct ln_rtp_session *session);
void ln_rtp_session_on_timeout(struct ln_rtp_session *session, ln_time now);

/* ---- figures: W3C webrtc-stats ---- */

struct ln_rtp_outbound_stats { /* RTCOutboundRtpStreamStats and RTCRemoteInboundRtpStreamStats */
    uint32_t ssrc, rtx_ssrc;
    char rid[LN_RTP_ID_MAX + 1];
    bool active;
    int16_t payload_type;                                 /* of the last frame; -1 before it */
    uint64_t packets_sent, bytes_sent, header_bytes_sent; /* bytes: payload; RTX counted in */
    uint64_t retransmitted_packets_sent, retransmitted_bytes_sent;
    uint64_t frames_sent, key_frames_sent, frames_dropped; /* dropped: the queue was full */
    uint64_t nack_count, pli_count, fir_count;
    ln_duration total_packet_send_delay; /* sum over packets of the time in the queue */
    ln_time last_packet_sent;            /* LN_TIME_NEVER before the first */
    bool has_remote;                     /* a receiver report came */
    ln_time remote_time;                 /* when */
    int64_t remote_packets_lost;
    uint64_t remote_packets_received;
    double remote_fraction_lost, remote_jitter_seconds;
    ln_duration round_trip_time, total_round_trip_time; /* 0: not known */
    uint64_t round_trip_time_measurements;
};

struct ln_rtp_inbound_stats { /* RTCInboundRtpStreamStats and RTCRemoteOutboundRtpStreamStats */
    uint32_t ssrc, rtx_ssrc;  /* 0 until a packet came */
    int16_t payload_type;
    uint64_t packets_received, bytes_received, header_bytes_received; /* RTX and padding too */
    int64_t packets_lost; /* signed: duplicates count against it (RFC 3550, 6.4.1) */
    double jitter_seconds;
    ln_time last_packet_received; /* LN_TIME_NEVER before the first */
    uint64_t packets_discarded, packets_duplicated;
    uint64_t retransmitted_packets_received, retransmitted_bytes_received;
    uint64_t nack_count, pli_count, fir_count;
    uint64_t frames_received, key_frames_received, frames_dropped;
    uint64_t frames_late; /* complete only after their play time */
    uint64_t frames_assembled_from_multiple_packets;
    ln_duration total_assembly_time;
    ln_duration jitter_buffer_delay, jitter_buffer_target_delay, jitter_buffer_minimum_delay;
    uint64_t jitter_buffer_emitted_count;           /* audio: samples; video: frames */
    uint64_t concealed_samples, concealment_events; /* audio: of `lost` frames */
    uint64_t total_samples_received;
    ln_duration current_delay; /* the jitter buffer's present target */
    double audio_level;        /* 0..1, from the header extension; -1: not known */
    char cname[64];
    bool has_remote; /* a sender report came */
    ln_time remote_time;
    double remote_ntp_seconds; /* the report's NTP time, Unix epoch */
    uint64_t remote_packets_sent, remote_bytes_sent, remote_reports_sent;
    ln_time estimated_playout; /* NTP time (Unix epoch, ns) of what plays now; LN_TIME_NEVER */
};

/* False when there is no such encoding. */
bool ln_rtp_outbound_get_stats(const struct ln_rtp_outbound *outbound, size_t encoding,
                               struct ln_rtp_outbound_stats *ret);
void ln_rtp_inbound_get_stats(const struct ln_rtp_inbound *inbound, ln_time now,
                              struct ln_rtp_inbound_stats *ret);

/* RTCRtpReceiver.getSynchronizationSources() and getContributingSources(): those heard within the
 * last ten seconds. Writes up to cap and returns how many. */
struct ln_rtp_source {
    uint32_t source;
    bool contributing; /* a CSRC */
    ln_time time;
    uint32_t rtp_timestamp;
    int16_t audio_level_dbov; /* 0..-127; 1: not known */
};
#define LN_RTP_SOURCES_MAX 16u
size_t ln_rtp_inbound_sources(const struct ln_rtp_inbound *inbound, ln_time now,
                              struct ln_rtp_source *out, size_t cap);

/* Session-wide: for transport stats, and the reasons of drops. */
struct ln_rtp_session_stats {
    uint64_t packets_received, packets_malformed, packets_unroutable, packets_over_limit;
    uint64_t packets_expected, packets_lost; /* over all received streams, before repair */
    uint64_t rtcp_received, rtcp_malformed, rtcp_foreign; /* foreign: about SSRCs not ours */
    uint64_t rtcp_sent, feedback_sent;
    uint64_t feedback_dropped;        /* reports that poll_feedback() did not take in time */
    uint64_t feedback_unknown;        /* transport-cc records of packets never sent */
    uint64_t retransmissions_refused; /* over the budget */
    ln_duration round_trip_time;      /* smoothed; 0: not known */
};
void ln_rtp_session_get_stats(const struct ln_rtp_session *session,
                              struct ln_rtp_session_stats *ret);

#endif
