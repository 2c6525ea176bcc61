/* SPDX-License-Identifier: Apache-2.0
 * Trace: typed events from one table. No text is made and nothing is written here; a sink does that
 * (callback, post-mortem ring, JSON lines, pcapng: base/trace.h).
 *
 * An event has up to four integers, named in the table, and optionally bytes (a packet, a name).
 * The bytes are borrowed for the call. Packets of the transport are as they pass the wire; those of
 * rtp, rtcp and sctp are in the clear: who records them can read what was said. */
#ifndef LINNET_TRACE_H
#define LINNET_TRACE_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, "module", "event", "name of a", "name of b", "name of c", "name of d", "name of bytes")
 */
#define LN_TRACE_TABLE(X)                                                                          \
    X(PACKET_RECEIVED, "transport", "packet_received", "link", "port", 0, 0, "packet")             \
    X(PACKET_SENT, "transport", "packet_sent", "link", "port", 0, 0, "packet")                     \
    X(RTP_RECEIVED, "rtp", "packet_received", 0, 0, 0, 0, "packet")                                \
    X(RTCP_RECEIVED, "rtcp", "packet_received", 0, 0, 0, 0, "packet")                              \
    X(SCTP_RECEIVED, "sctp", "packet_received", 0, 0, 0, 0, "packet")                              \
    X(PACKET_DROPPED, "transport", "packet_dropped", "reason", "len", 0, 0, 0)                     \
    X(ICE_STATE, "ice", "state", "old", "new", 0, 0, 0)                                            \
    X(ICE_PAIR, "ice", "pair_state", "pair", "old", "new", "reason", 0)                            \
    X(ICE_CANDIDATE, "ice", "candidate", "local", "type", 0, 0, "candidate")                       \
    X(ICE_SELECTED, "ice", "selected", "pair", "rtt_us", 0, 0, 0)                                  \
    X(ICE_ROLE, "ice", "role", "controlling", 0, 0, 0, 0)                                          \
    X(DTLS_STATE, "dtls", "state", "old", "new", "error", 0, 0)                                    \
    X(SRTP_KEYED, "srtp", "keyed", "profile", 0, 0, 0, 0)                                          \
    X(SCTP_STATE, "sctp", "state", "old", "new", "error", 0, 0)                                    \
    X(SCTP_RETRANSMIT, "sctp", "retransmit", "tsn", "fast", "rto_ms", 0, 0)                        \
    X(SCTP_WINDOW, "sctp", "window", "cwnd", "ssthresh", "flight", "rwnd", 0)                      \
    X(CHANNEL_STATE, "channel", "state", "stream", "old", "new", 0, 0)                             \
    X(PEER_SIGNALING, "peer", "signaling_state", "old", "new", 0, 0, 0)                            \
    X(PEER_CONNECTION, "peer", "connection_state", "old", "new", 0, 0, 0)                          \
    X(RTP_LOSS, "rtp", "loss", "ssrc", "sequence", "count", 0, 0)                                  \
    X(RTP_NACK, "rtp", "nack", "ssrc", "count", "sent", 0, 0)                                      \
    X(RTP_KEY_FRAME_REQUEST, "rtp", "key_frame_request", "ssrc", "sent", 0, 0, 0)                  \
    X(RTP_FRAME, "rtp", "frame", "ssrc", "timestamp", "len", "delay_us", 0)                        \
    X(CC_TARGET, "cc", "target", "bps", "cause", 0, 0, 0)                                          \
    X(CC_FEEDBACK, "cc", "feedback", "acked", "lost", "rtt_us", 0, 0)                              \
    X(SIGNAL_MESSAGE, "signal", "message", "kind", "len", "from", 0, 0)

enum ln_trace_type {
#define LN_TRACE_ENUM(name, module, event, a, b, c, d, bytes) LN_TRACE_##name,
    LN_TRACE_TABLE(LN_TRACE_ENUM)
#undef LN_TRACE_ENUM
        LN_TRACE_TYPES
};

struct ln_trace_event {
    enum ln_trace_type type;
    ln_time time;
    uint64_t object; /* tells objects of one kind apart; no address of memory */
    int64_t value[4];
    struct ln_bytes bytes;
};

struct ln_trace {
    void (*record)(struct ln_trace *trace, const struct ln_trace_event *event);
};

#ifdef __cplusplus
}
#endif
#endif
