/* SPDX-License-Identifier: Apache-2.0
 * An SCTP association without IO: whole SCTP packets in and out (the owner wraps them in DTLS,
 * RFC 8261), messages on streams in between. RFC 9260 with partial reliability (RFC 3758), stream
 * reset (RFC 6525), the I bit (RFC 7053), interleaving (RFC 8260) and zero checksums (RFC 9653);
 * begun by the handshake, or by INITs that went another way (draft-hancke-tsvwg-snap).
 *
 * Sans-IO rules of the house: every call that takes `now` may do work; send() and the other calls
 * without it only queue, and next_timeout() is then LN_TIME_IMMEDIATE until the next call with
 * `now`. After each call that may have queued something, take poll_transmit() until it returns 0.
 * Any order of calls is legal. Owner thread only. */
#ifndef LN_SCTP_SCTP_H
#define LN_SCTP_SCTP_H

#include <linnet/env.h>
#include <linnet/error.h>
#include <linnet/types.h>

struct ln_sctp;
struct ln_sctp_cc_ops;        /* sctp/cc.h */
struct ln_sctp_loss_ops;      /* sctp/loss.h */
struct ln_sctp_scheduler_ops; /* sctp/scheduler.h */

/* What fits a UDP payload of 1,200 bytes beside a DTLS 1.2 record with AES-GCM (13 + 8 + 16), in
 * whole words. */
#define LN_SCTP_PACKET_BYTES 1160u
/* As far as larger ones are searched for: what fits a UDP payload of 1,452 bytes, IPv6 over
 * Ethernet. */
#define LN_SCTP_PACKET_BYTES_SEARCHED 1412u
#define LN_SCTP_PACKET_BYTES_MIN      200u
#define LN_SCTP_PACKET_BYTES_MAX      65532u
/* The largest max_message_bytes. */
#define LN_SCTP_MESSAGE_BYTES_MAX (UINT32_MAX / 4)
/* The longest INIT chunk that is taken from a description. */
#define LN_SCTP_INIT_BYTES_MAX 1024u

struct ln_sctp_config {
    uint16_t local_port, remote_port;
    size_t packet_bytes;       /* the largest SCTP packet to be sent; rounded down to words */
    size_t packet_bytes_limit; /* up to which the path is searched for larger ones (RFC 8899);
                                  not above packet_bytes: not at all, the default */
    uint16_t streams;          /* announced in both directions; memory grows with use only */
    size_t max_message_bytes;  /* larger ones from the peer are discarded with an event */
    /* The window begins with the first and grows with what the owner takes in a round trip, up to
     * the second, which is also the bound on memory held for undelivered data. */
    size_t receive_window_first, receive_window_bytes;
    size_t send_buffer_bytes; /* queued and unacknowledged in all; send() beyond: LN_ERR_LIMIT */
    uint32_t max_init_retransmits; /* 0: no limit (consent freshness ends a dead path) */
    uint32_t max_retransmits;      /* of the association in a row; 0: no limit */
    ln_duration rto_initial, rto_min, rto_max;
    ln_duration sack_delay;
    ln_duration heartbeat_interval; /* 0: none */
    ln_duration cookie_lifetime;
    size_t initial_window_packets; /* of the congestion window */
    size_t max_window_bytes;       /* of the congestion window */
    /* NULL: ln_sctp_cc_cubic, ln_sctp_loss_rack, ln_sctp_scheduler_weighted_fair. */
    const struct ln_sctp_cc_ops *cc;
    const struct ln_sctp_loss_ops *loss;
    const struct ln_sctp_scheduler_ops *scheduler;
    bool interleaving; /* offer and take I-DATA (RFC 8260); default true */
    bool
        zero_checksum; /* offer and take packets without a sum, inside DTLS only (RFC 9653); true */
    bool initial_tsn_fixed; /* tests of number wrap only: initial_tsn and initial_ssn hold */
    uint32_t initial_tsn;
    uint32_t initial_ssn;  /* of every stream and both directions */
    uint64_t trace_object; /* name of this association in the trace */
};

/* Fills in the defaults: ports 5000, LN_SCTP_PACKET_BYTES, 65535 streams, 256 KiB messages, a
 * receive window from 1 to 64 MiB, 64 MiB send buffer, RTO 500 ms, at least 300 ms, at most 3 s. */
void ln_sctp_config_init(struct ln_sctp_config *config);

enum ln_sctp_state {
    LN_SCTP_NEW,        /* nothing started; takes and answers the peer's INIT already */
    LN_SCTP_CONNECTING, /* handshake under way */
    LN_SCTP_CONNECTED,
    LN_SCTP_SHUTTING_DOWN, /* by either side; what is queued is still sent, nothing new is taken */
    LN_SCTP_CLOSED,        /* final */
};

/* How a message is sent. A zeroed struct is not valid: use LN_SCTP_RELIABLE. */
struct ln_sctp_send_options {
    bool unordered;
    ln_duration lifetime; /* from the next call with `now`; LN_TIME_NEVER: no limit */
    uint32_t max_retransmits;
};
#define LN_SCTP_RETRANSMITS_UNLIMITED UINT32_MAX
#define LN_SCTP_RELIABLE                                                                           \
    {                                                                                              \
        false, LN_TIME_NEVER, LN_SCTP_RETRANSMITS_UNLIMITED                                        \
    }

enum ln_sctp_event_kind {
    LN_SCTP_EVENT_CONNECTED,
    LN_SCTP_EVENT_CLOSED,    /* error: 0 after a shutdown, else LN_ERR_RESET (ABORT received),
                                LN_ERR_ABORT (own abort), LN_ERR_TIMEOUT, LN_ERR_REFUSED,
                                LN_ERR_MALFORMED (the peer broke the protocol), LN_ERR_NOMEM;
                                cause: error cause code of a received ABORT, or 0 */
    LN_SCTP_EVENT_RESTARTED, /* the peer began anew (RFC 9260, 5.2.4 A): all streams are at their
                                beginning, what was unacknowledged is gone */
    LN_SCTP_EVENT_MESSAGE,   /* stream, ppid, data, len, unordered */
    LN_SCTP_EVENT_MESSAGE_TOO_BIG, /* stream: one above max_message_bytes was discarded */
    LN_SCTP_EVENT_INCOMING_RESET,  /* stream: the peer reset its side; all before it was delivered
                                    */
    LN_SCTP_EVENT_OUTGOING_RESET,  /* stream: our side is reset (error 0), or refused (error) */
    LN_SCTP_EVENT_RESET_REQUESTED, /* stream: the peer asked us to reset our side of it */
    LN_SCTP_EVENT_BUFFERED_LOW,    /* stream: buffered amount came down to its threshold */
    LN_SCTP_EVENT_ROOM, /* stream: a write that was cut short can go on, or its message is gone */
    LN_SCTP_EVENT_PART, /* stream, ppid, message, data, len, unordered, first, last: the next bytes
                           of a message, where ln_sctp_set_parts() asked for them */
    LN_SCTP_EVENT_ABANDONED, /* stream, message: one of which parts were told will not go on */
};

struct ln_sctp_event {
    enum ln_sctp_event_kind kind;
    uint16_t stream;
    bool unordered;
    bool first, last; /* of its message */
    uint32_t ppid;
    uint64_t message;    /* its name, for as long as the association lasts */
    const uint8_t *data; /* borrowed until the next ln_sctp_poll_event() or free; or taken */
    size_t len;
    int error;
    uint16_t cause;
};

/* A received message that the owner took over. */
struct ln_sctp_message;

struct ln_sctp_stats {
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received; /* SCTP packets */
    uint64_t data_chunks_sent, data_chunks_received, retransmissions, fast_retransmissions;
    uint64_t probes_sent;   /* of a tail that was not acknowledged */
    uint64_t losses_undone; /* retransmissions that turned out to be in vain */
    uint64_t timeouts, duplicates_received, messages_sent, messages_received, messages_abandoned;
    uint64_t sacks_sent, sacks_received;
    /* Packets and chunks thrown away, by reason. */
    uint64_t dropped_checksum, dropped_tag, dropped_malformed, dropped_window, dropped_stream,
        dropped_state, dropped_cookie, dropped_memory;
    ln_duration smoothed_rtt; /* 0: not measured */
    ln_duration rto;
    size_t congestion_window, in_flight_bytes, peer_window_bytes;
    size_t receive_window_limit;   /* as it has grown */
    size_t packet_bytes;           /* the largest that is sent now */
    size_t send_buffered_bytes;    /* queued and unacknowledged */
    size_t receive_buffered_bytes; /* not yet taken by ln_sctp_poll_event(), with overhead */
    const char *congestion_control;
    uint16_t outgoing_streams, incoming_streams; /* negotiated; 0 before */
    bool peer_partial_reliability, peer_reset;   /* extensions that the peer announced */
    bool interleaving, zero_checksum_sent;       /* in use */
    bool snap;                                   /* began without a handshake */
};

/* env is borrowed. Returns 0, LN_ERR_INVALID_ARGUMENT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_create(struct ln_sctp **ret_sctp, const struct ln_sctp_config *config,
                                const struct ln_env *env);
void ln_sctp_free(struct ln_sctp *sctp); /* sends nothing; NULL is fine */

/* Begins the handshake. Both sides call it; one call is enough, simultaneous ones meet. No effect
 * but in LN_SCTP_NEW. */
void ln_sctp_start(struct ln_sctp *sctp, ln_time now);

/* SNAP (draft-hancke-tsvwg-snap): the INIT chunks of both sides travel in the descriptions, and the
 * handshake is left out. Writes ours, the same at each call. Returns its length; 0 when cap is too
 * small or the association has begun. */
size_t ln_sctp_own_init(struct ln_sctp *sctp, uint8_t *out, size_t cap);
/* Whether the bytes are an INIT chunk that an association can begin with: one chunk and nothing
 * after it, a tag, streams and a window as RFC 9260, 3.3.2 has them, and not our own come back (as
 * libdatachannel 0.24 does with attributes that it does not know). */
bool ln_sctp_init_acceptable(const struct ln_sctp *sctp, const uint8_t *data, size_t len);
/* The peer has our INIT, and this is its own: start(), or its first packet, establishes the
 * association at once. Returns 0; LN_ERR_MALFORMED (counted; the handshake is as ever);
 * LN_ERR_INVALID_STATE when the association has begun; LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_set_peer_init(struct ln_sctp *sctp, const uint8_t *data, size_t len);

void ln_sctp_receive(struct ln_sctp *sctp, ln_time now, const uint8_t *data, size_t len);
void ln_sctp_on_timeout(struct ln_sctp *sctp, ln_time now);
ln_time ln_sctp_next_timeout(const struct ln_sctp *sctp);

/* Writes one SCTP packet of at most cap bytes. Returns its length, or 0 when nothing is to be sent
 * now; cap below packet_bytes (as it is now) gives 0. While bulk data is waiting, packets
 * are all packet_bytes long (now and then one is up to 19 bytes shorter). */
size_t ln_sctp_poll_transmit(struct ln_sctp *sctp, ln_time now, uint8_t *out, size_t cap);

/* The packet just written holds an old fragment too large for the path as it is now: it arrives
 * only if the network may cut it. */
bool ln_sctp_may_fragment(const struct ln_sctp *sctp);

/* Returns 1 with ret_event filled, or 0. */
int ln_sctp_poll_event(struct ln_sctp *sctp, struct ln_sctp_event *ret_event);
/* Takes the message of the LN_SCTP_EVENT_MESSAGE or _PART just returned: its data then stays until
 * ln_sctp_message_free(), which may come after the association is gone (not after its allocator).
 * NULL if the last event was none, or without memory. The data no longer counts against the receive
 * window. */
struct ln_sctp_message *ln_sctp_take_message(struct ln_sctp *sctp);
void ln_sctp_message_free(struct ln_sctp_message *message);

/* Queues a copy of one message; allowed from LN_SCTP_NEW on. options NULL: reliable and ordered.
 * A zero-length message cannot be sent (RFC 9260, 3.3.1): LN_ERR_INVALID_ARGUMENT.
 * Returns 0; LN_ERR_CLOSED after the end; LN_ERR_INVALID_STATE when shutting down or while the
 * stream is being reset; LN_ERR_RANGE for a stream that was not negotiated; LN_ERR_LIMIT when the
 * send buffer is full; LN_ERR_NOMEM. Messages on streams that the handshake then does not grant are
 * dropped, and LN_SCTP_EVENT_OUTGOING_RESET with LN_ERR_RANGE tells it. */
LN_NODISCARD int ln_sctp_send(struct ln_sctp *sctp, uint16_t stream, uint32_t ppid,
                              const uint8_t *data, size_t len,
                              const struct ln_sctp_send_options *options);

/* A message of any length, written as its bytes come; one at a time on a stream. What is written is
 * copied and counts in the send buffer until it is acknowledged; messages sent meanwhile on the
 * same stream wait behind it. With interleaving other streams go on. Without it a message that is
 * begun keeps all others waiting, so one of up to 1 MiB is sent when it is whole, and a longer one
 * is given up when its owner has kept others waiting for LN_SCTP_STARVED_MAX in all. To a peer
 * without FORWARD TSN each is sent when it is whole.
 *
 * Begins one. max_bytes: its largest length, UINT64_MAX for any. options as in ln_sctp_send(); the
 * lifetime is that of the whole. Returns as ln_sctp_send(), and LN_ERR_INVALID_STATE while another
 * is open. */
#define LN_SCTP_STARVED_MAX LN_SECONDS(5)
LN_NODISCARD int ln_sctp_begin_message(struct ln_sctp *sctp, uint16_t stream, uint32_t ppid,
                                       uint64_t max_bytes,
                                       const struct ln_sctp_send_options *options);
/* Takes as many of the next bytes as fit; LN_SCTP_EVENT_ROOM comes when it was not all. Returns 0
 * with ret_taken (more than 0, unless len is 0); LN_ERR_LIMIT when nothing fits; LN_ERR_NOMEM;
 * LN_ERR_TOO_BIG above max_bytes, nothing is taken then and the message stays open; LN_ERR_ABORT
 * when the message was abandoned (its lifetime, its tries, starved others), told once;
 * LN_ERR_INVALID_STATE when none is open; LN_ERR_CLOSED. */
LN_NODISCARD int ln_sctp_write_message(struct ln_sctp *sctp, uint16_t stream, const void *data,
                                       size_t len, size_t *ret_taken);
/* What ln_sctp_write_message() would take at least; 0 when none is open. */
size_t ln_sctp_message_room(const struct ln_sctp *sctp, uint16_t stream);
/* All of it is written. One without bytes goes as a byte 0 under empty_ppid (RFC 8831, 6.6). Errors
 * as above. */
LN_NODISCARD int ln_sctp_finish_message(struct ln_sctp *sctp, uint16_t stream, uint32_t empty_ppid);
/* Gives it up: what of it has arrived is skipped at the other side (RFC 3758). Errors as above. */
LN_NODISCARD int ln_sctp_abandon_message(struct ln_sctp *sctp, uint16_t stream);

/* From now on the messages of an incoming stream are told in parts, as their bytes come in order,
 * and of any length: LN_SCTP_EVENT_PART instead of _MESSAGE. What is not polled holds the window.
 * Turned off in the middle of a message it still holds for that one. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_set_parts(struct ln_sctp *sctp, uint16_t stream, bool parts);

/* Bytes queued on the stream, not yet sent for the first time, that wait for the network; those of
 * an open message that wait for its owner (its last byte, at least) are not among them. */
size_t ln_sctp_buffered_amount(const struct ln_sctp *sctp, uint16_t stream);
/* LN_SCTP_EVENT_BUFFERED_LOW comes each time the buffered amount falls from above to at most this;
 * 0 at the beginning. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_set_buffered_low(struct ln_sctp *sctp, uint16_t stream, size_t threshold);
/* For the scheduler (RFC 8831, 6.4): 128, 256, 512, 1024. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_set_priority(struct ln_sctp *sctp, uint16_t stream, uint16_t priority);

/* Resets the outgoing side of a stream once all that is queued on it was sent; then
 * LN_SCTP_EVENT_OUTGOING_RESET. A message that is open is given up. send() on it fails meanwhile.
 * Asking again is harmless. Returns 0, LN_ERR_CLOSED, LN_ERR_NOMEM. */
LN_NODISCARD int ln_sctp_reset_stream(struct ln_sctp *sctp, uint16_t stream);
/* Throws away the messages of a stream that are queued and not begun, and gives up an open one. */
void ln_sctp_discard(struct ln_sctp *sctp, uint16_t stream);

/* Ends after everything queued was delivered (RFC 9260, 9.2); LN_SCTP_EVENT_CLOSED follows. */
void ln_sctp_shutdown(struct ln_sctp *sctp);
/* Ends at once: one ABORT is left to be polled, LN_SCTP_EVENT_CLOSED with LN_ERR_ABORT follows. */
void ln_sctp_abort(struct ln_sctp *sctp);

enum ln_sctp_state ln_sctp_state(const struct ln_sctp *sctp);
void ln_sctp_stats(const struct ln_sctp *sctp, struct ln_sctp_stats *ret_stats);
/* The packets take another way from now on: what was measured of the old one is forgotten. */
void ln_sctp_path_changed(struct ln_sctp *sctp, ln_time now);
/* The network treats the packets in another way from now on (RFC 8837, 5): the congestion control
 * begins anew, in slow start. What is in flight stays. */
void ln_sctp_restart_congestion(struct ln_sctp *sctp, ln_time now);
/* Changes the packet size from the next new fragment on; clamped to the limits. */
void ln_sctp_set_packet_bytes(struct ln_sctp *sctp, size_t packet_bytes);

#endif
