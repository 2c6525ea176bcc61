/* SPDX-License-Identifier: Apache-2.0
 * Data channels over one SCTP association (RFC 8831) and their establishment protocol (RFC 8832):
 * what W3C's RTCDataChannel sits on. Owns the association; shaped like it (sctp/sctp.h): feed it
 * SCTP packets, poll SCTP packets, poll events.
 *
 * A channel is named by a handle that is never reused while it matters: calls with a stale handle
 * are harmless (getters give CLOSED and zeros, send gives LN_ERR_INVALID_STATE). A handle goes
 * stale when the closed event of its channel has been polled and the next
 * ln_data_channels_poll_event() comes. Owner thread only. */
#ifndef LN_SCTP_DATA_CHANNELS_H
#define LN_SCTP_DATA_CHANNELS_H

#include "sctp/sctp.h"

struct ln_data_channels;

typedef uint32_t ln_channel; /* 0 is none */

#define LN_CHANNEL_NO_LIMIT  (-1)
#define LN_CHANNEL_NO_ID     (-1)
#define LN_CHANNEL_ID_MAX    65534
#define LN_CHANNEL_LABEL_MAX 65535u /* bytes of UTF-8, label and protocol alike */
#define LN_CHANNELS_MAX      65535u
#define LN_REMOTE_MESSAGE_DEFAULT                                                                  \
    65536u /* no a=max-message-size in the description (RFC 8841, 6) */

struct ln_data_channels_config {
    struct ln_sctp_config sctp; /* sctp.max_message_bytes is what we announced */
    uint32_t max_channels;      /* open at a time, both sides' together; default 65535 */
};

void ln_data_channels_config_init(struct ln_data_channels_config *config);

enum ln_channel_state {
    LN_CHANNEL_CONNECTING,
    LN_CHANNEL_OPEN,
    LN_CHANNEL_CLOSING,
    LN_CHANNEL_CLOSED,
};

/* RFC 8831, 6.4. */
enum ln_channel_priority {
    LN_CHANNEL_PRIORITY_VERY_LOW = 128,
    LN_CHANNEL_PRIORITY_LOW = 256,
    LN_CHANNEL_PRIORITY_MEDIUM = 512,
    LN_CHANNEL_PRIORITY_HIGH = 1024,
};

struct ln_channel_options {
    const char *label, *protocol; /* UTF-8; NULL is "" */
    size_t label_len, protocol_len;
    bool unordered;
    int32_t max_lifetime_ms; /* LN_CHANNEL_NO_LIMIT, or 0 and up; at most one of the two is set */
    int32_t max_retransmits; /* LN_CHANNEL_NO_LIMIT, or 0 and up */
    bool negotiated;         /* both sides open it by themselves under the same id; no DCEP */
    int32_t id;              /* LN_CHANNEL_NO_ID: chosen; needed if negotiated */
    uint16_t priority;       /* default LN_CHANNEL_PRIORITY_LOW */
    bool parts;              /* received messages are told in parts */
};

void ln_channel_options_init(struct ln_channel_options *options);

/* What a channel is and did. Texts are borrowed until the handle goes stale. */
struct ln_channel_info {
    enum ln_channel_state state;
    const char *label, *protocol;
    size_t label_len, protocol_len;
    bool unordered, negotiated, incoming;
    int32_t max_lifetime_ms, max_retransmits, id; /* id LN_CHANNEL_NO_ID while none is assigned */
    uint16_t priority;
    uint64_t messages_sent, bytes_sent, messages_received, bytes_received;
};

enum ln_data_channels_event_kind {
    LN_DATA_CHANNELS_CONNECTED,    /* the association is up */
    LN_DATA_CHANNELS_CLOSED,       /* it ended: error as LN_SCTP_EVENT_CLOSED; closed events of all
                                      channels came before */
    LN_DATA_CHANNELS_INCOMING,     /* channel: the other side opened it; LN_DATA_CHANNELS_STATE with
                                      LN_CHANNEL_OPEN comes next */
    LN_DATA_CHANNELS_STATE,        /* channel, state; CLOSED with error when it was not asked for */
    LN_DATA_CHANNELS_MESSAGE,      /* channel, text, data, len */
    LN_DATA_CHANNELS_BUFFERED_LOW, /* channel */
    LN_DATA_CHANNELS_PART,         /* channel, message, text, data, len, first, last */
    LN_DATA_CHANNELS_ABANDONED, /* channel, message: one of which parts were told will not go on */
    LN_DATA_CHANNELS_ROOM,      /* channel: a write that was cut short can go on, or its message is
                                   gone */
};

struct ln_data_channels_event {
    enum ln_data_channels_event_kind kind;
    ln_channel channel;
    enum ln_channel_state state;
    int error;
    bool first, last;    /* of its message */
    uint64_t message;    /* part, abandoned: its name, never used again */
    bool text;           /* message: valid UTF-8 is not checked here; false: binary */
    const uint8_t *data; /* borrowed until the next ln_data_channels_poll_event() or free */
    size_t len;
};

/* Returns 0, LN_ERR_INVALID_ARGUMENT, LN_ERR_NOMEM. */
LN_NODISCARD int ln_data_channels_create(struct ln_data_channels **ret_channels,
                                         const struct ln_data_channels_config *config,
                                         const struct ln_env *env);
void ln_data_channels_free(struct ln_data_channels *channels); /* NULL is fine */

/* The DTLS role once it is known: the client takes even ids (RFC 8832, 6). Channels opened before
 * get theirs now. A second call with the same role is harmless. */
void ln_data_channels_set_role(struct ln_data_channels *channels, bool dtls_client);
/* The remote a=max-message-size: 0 means no limit. LN_REMOTE_MESSAGE_DEFAULT until it is set. */
void ln_data_channels_set_remote_max_message(struct ln_data_channels *channels, uint64_t bytes);
/* What send() takes at most: the remote limit, and our own send buffer. */
uint64_t ln_data_channels_max_message(const struct ln_data_channels *channels);

/* As ln_sctp_own_init(), ln_sctp_init_acceptable() and ln_sctp_set_peer_init(). */
size_t ln_data_channels_own_init(struct ln_data_channels *channels, uint8_t *out, size_t cap);
bool ln_data_channels_init_acceptable(const struct ln_data_channels *channels, const uint8_t *data,
                                      size_t len);
LN_NODISCARD int ln_data_channels_set_peer_init(struct ln_data_channels *channels,
                                                const uint8_t *data, size_t len);

/* DTLS is connected: begins the association. */
void ln_data_channels_start(struct ln_data_channels *channels, ln_time now);
void ln_data_channels_receive(struct ln_data_channels *channels, ln_time now, const uint8_t *data,
                              size_t len);
void ln_data_channels_on_timeout(struct ln_data_channels *channels, ln_time now);
ln_time ln_data_channels_next_timeout(const struct ln_data_channels *channels);
size_t ln_data_channels_poll_transmit(struct ln_data_channels *channels, ln_time now, uint8_t *out,
                                      size_t cap); /* as ln_sctp_poll_transmit */
/* As ln_sctp_may_fragment(), ln_sctp_path_changed() and ln_sctp_restart_congestion(). */
bool ln_data_channels_may_fragment(const struct ln_data_channels *channels);
void ln_data_channels_path_changed(struct ln_data_channels *channels, ln_time now);
void ln_data_channels_restart_congestion(struct ln_data_channels *channels, ln_time now);
/* Returns 1 with ret_event filled, or 0. */
int ln_data_channels_poll_event(struct ln_data_channels *channels,
                                struct ln_data_channels_event *ret_event);
/* Takes the message of the event just returned, as ln_sctp_take_message(). */
struct ln_sctp_message *ln_data_channels_take_message(struct ln_data_channels *channels);

/* Opens a channel, before or after the association is up. Returns 0 and the handle;
 * LN_ERR_INVALID_ARGUMENT (both limits, negotiated without id, id above 65534, label too long or
 * not UTF-8), LN_ERR_OPERATION (id in use, or no id left), LN_ERR_LIMIT, LN_ERR_INVALID_STATE after
 * the end, LN_ERR_NOMEM. The channel is open as soon as the association is up: the other side's
 * acknowledgement is not waited for (RFC 8832, 6), until it comes everything is sent in order. A
 * lifetime or retransmit limit of 0 is a limit. Messages that came for a negotiated id before it
 * was opened here are delivered then (some; named limits in data_channels.c). */
LN_NODISCARD int ln_data_channels_open(struct ln_data_channels *channels,
                                       const struct ln_channel_options *options,
                                       ln_channel *ret_channel);

/* Queues a message; len 0 is fine. Returns 0; LN_ERR_INVALID_STATE unless the channel is open;
 * LN_ERR_TOO_BIG above ln_data_channels_max_message(); LN_ERR_LIMIT when the send buffer is full;
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_data_channels_send(struct ln_data_channels *channels, ln_channel channel,
                                       bool text, const void *data, size_t len);

/* A message of any length in pieces, one at a time on a channel; as ln_sctp_begin_message() and
 * what follows it. begin returns 0; LN_ERR_INVALID_STATE unless the channel is open and no message
 * is; LN_ERR_LIMIT; LN_ERR_NOMEM. write: LN_ERR_TOO_BIG above what the other side takes; the send
 * buffer is no bound on the message. */
LN_NODISCARD int ln_data_channels_begin_message(struct ln_data_channels *channels,
                                                ln_channel channel, bool text);
LN_NODISCARD int ln_data_channels_write_message(struct ln_data_channels *channels,
                                                ln_channel channel, const void *data, size_t len,
                                                size_t *ret_taken);
LN_NODISCARD int ln_data_channels_finish_message(struct ln_data_channels *channels,
                                                 ln_channel channel);
LN_NODISCARD int ln_data_channels_abandon_message(struct ln_data_channels *channels,
                                                  ln_channel channel);
/* What a write would take at least; 0 when no message is open. */
size_t ln_data_channels_message_room(const struct ln_data_channels *channels, ln_channel channel);
/* From now on what comes on the channel is told in parts, messages of any length; or whole again.
 * Returns 0, LN_ERR_INVALID_STATE when closed, LN_ERR_NOMEM. */
LN_NODISCARD int ln_data_channels_set_parts(struct ln_data_channels *channels, ln_channel channel,
                                            bool parts);

/* Begins the closing procedure (RFC 8831, 6.7): what is queued is still sent, a message that is
 * open is given up; the closed event comes when both sides have reset the stream, and the id is
 * then free again. Harmless when closing or closed. */
void ln_data_channels_close(struct ln_data_channels *channels, ln_channel channel);
/* Closes the whole association at once: an ABORT is left to be polled. */
void ln_data_channels_abort(struct ln_data_channels *channels);

bool ln_data_channels_get(const struct ln_data_channels *channels, ln_channel channel,
                          struct ln_channel_info *ret_info);
/* Bytes of application data queued and not yet sent. */
size_t ln_data_channels_buffered_amount(const struct ln_data_channels *channels,
                                        ln_channel channel);
void ln_data_channels_set_buffered_low(struct ln_data_channels *channels, ln_channel channel,
                                       size_t threshold);
/* Walks all channels that exist: begin with 0; 0 at the end. */
ln_channel ln_data_channels_next(const struct ln_data_channels *channels, ln_channel after);

const struct ln_sctp *ln_data_channels_association(const struct ln_data_channels *channels);
/* channels opened, closed, and DCEP messages thrown away by reason */
struct ln_data_channels_stats {
    uint64_t opened, closed, dropped_malformed, dropped_parity, dropped_in_use, dropped_unknown;
};
void ln_data_channels_stats(const struct ln_data_channels *channels,
                            struct ln_data_channels_stats *ret_stats);

#endif
