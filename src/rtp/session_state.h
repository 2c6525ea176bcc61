/* SPDX-License-Identifier: Apache-2.0
 * The inside of a session, shared by its files: session.c (make and change), session_send.c (frames
 * to packets), session_receive.c (packets to streams), session_rtcp_in.c and session_rtcp_out.c,
 * session_stats.c. */
#ifndef LN_RTP_SESSION_STATE_H
#define LN_RTP_SESSION_STATE_H

#include "base/map.h"
#include "base/ring.h"
#include "rtp/arrival_log.h"
#include "rtp/receive_stream.h"
#include "rtp/send_stream.h"
#include "rtp/sent_log.h"
#include "rtp/session.h"

#define LN_RTP_MAX_PACKET_DEFAULT  1150u
#define LN_RTP_MAX_PACKET_MIN      300u /* a compound must fit */
#define LN_RTP_HISTORY_DEFAULT     LN_SECONDS(2)
#define LN_RTP_FEEDBACK_MAX        64u   /* reports for the estimator that wait */
#define LN_RTP_RESULTS_MAX         8192u /* records in them */
#define LN_RTP_BYES_MAX            31u
#define LN_RTP_RETRANSMISSIONS_MAX 512u

struct ln_rtp_outbound {
    struct ln_rtp_session *session;
    void *owner;
    struct ln_rtp_outbound_config config; /* cname points to the session's copy */
    struct ln_send_stream streams[LN_RTP_ENCODINGS_MAX];
    size_t stream_count;
};

struct ln_rtp_inbound {
    struct ln_rtp_session *session;
    void *owner;
    struct ln_rtp_inbound_config config;
    struct ln_receive_stream *streams[LN_RTP_INBOUND_SSRCS_MAX];
    size_t stream_count;
    struct ln_receive_stream *latest; /* whose packet came last; NULL at first */
    ln_duration target_delay;
    struct ln_rtp_source sources[LN_RTP_SOURCES_MAX];
    size_t source_count;
    bool bye_event;
    uint32_t bye_ssrc;
};

/* A packet that waits to be sent. */
struct ln_queued {
    struct ln_send_stream *stream; /* NULL: its sender is gone, skip it */
    struct ln_buffer *buffer;      /* header and payload; padding alone: NULL */
    ln_time queued_at;
    uint32_t len;     /* as it will leave, at most */
    uint16_t padding; /* bytes, without a buffer */
    bool again;       /* a retransmission: wrapped if the stream has RTX */
};

struct ln_rtp_session {
    const struct ln_env *env;
    struct ln_rtp_session_config config;
    uint32_t local_ssrc; /* speaks for us while nothing is sent */
    char cname[LN_RTP_CNAME_MAX + 1];

    struct ln_rtp_outbound **outbounds;
    size_t outbound_count, outbound_capacity;
    struct ln_rtp_inbound **inbounds;
    size_t inbound_count, inbound_capacity;
    struct ln_rtp_extension_map receive_map; /* all receivers' together */
    struct ln_map routes;                    /* SSRC to struct ln_ssrc_route */

    struct ln_ring queues[LN_RTP_CLASS_PADDING + 1]; /* by class; RTCP's is not used */
    size_t queued_bytes;

    struct ln_arrival_log arrivals;
    struct ln_sent_log sent;
    bool transport_cc_wanted; /* a receiver negotiated it */
    bool feedback_due;

    struct ln_ring feedback; /* struct ln_feedback_item */
    struct ln_rtp_packet_result *results;
    uint32_t *result_ssrcs;
    size_t result_count, result_capacity;

    bool rtcp_waiting;   /* something is pending: poll_packet() shall look */
    ln_time next_report; /* LN_TIME_NEVER while there are no streams */
    uint32_t byes[LN_RTP_BYES_MAX];
    size_t bye_count;
    uint64_t remb_bps;
    bool remb_pending;
    ln_duration rtt; /* smoothed; 0: not known */
    struct ln_rtp_session_stats stats;
};

/* Feedback as it waits; results lie in session->results[first..). */
struct ln_feedback_item {
    struct ln_rtp_feedback feedback;
    size_t first;
};

/* Reports begin soon after the first packet in or out. */
void ln_rtp_session_start_reports(struct ln_rtp_session *session, ln_time now);
struct ln_send_stream *ln_rtp_session_find_send(struct ln_rtp_session *session, uint32_t ssrc,
                                                bool *ret_rtx);
const struct ln_rtp_codec *ln_rtp_codec_by_type(const struct ln_rtp_codec *codecs, size_t count,
                                                uint8_t payload_type, bool *ret_rtx);

/* session_send.c */
void ln_rtp_session_queue_retransmission(struct ln_rtp_session *session, ln_time now,
                                         struct ln_send_stream *stream, uint16_t sequence);
void ln_rtp_session_forget_queued(struct ln_rtp_session *session,
                                  const struct ln_rtp_outbound *outbound);

/* session_receive.c */
void ln_rtp_session_drop_stream(struct ln_rtp_session *session, struct ln_receive_stream *stream);

/* session_rtcp_out.c: one RTCP packet of what is pending; its length, 0 if there was nothing. */
size_t ln_rtp_session_write_rtcp(struct ln_rtp_session *session, ln_time now, uint8_t *data,
                                 size_t cap);

/* session_stats.c: lines up the receivers of each sync group. */
void ln_rtp_session_synchronize(struct ln_rtp_session *session);

#endif
