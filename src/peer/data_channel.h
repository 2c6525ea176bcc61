/* SPDX-License-Identifier: Apache-2.0
 * RTCDataChannel and RTCSctpTransport over sctp/data_channels.h, from the inside. */
#ifndef LN_PEER_DATA_CHANNEL_H
#define LN_PEER_DATA_CHANNEL_H

#include "base/bytes.h"
#include "base/list.h"
#include "sctp/data_channels.h"
#include "sdp/jsep.h"

#include <linnet/configuration.h>
#include <linnet/data_channel.h>
#include <linnet/event.h>
#include <linnet/transports.h>

struct ln_peer_connection;

#define LN_CHANNEL_HANDLES_MAX 65535u

struct ln_data_channel {
    struct ln_peer_connection *pc;
    struct ln_list link; /* of ln_data.handles */
    ln_channel channel;  /* 0: gone below */
    struct ln_data_channel_init init;
    char *label, *protocol;           /* owned */
    int32_t id;                       /* -1: null; kept when the channel below is gone */
    enum ln_data_channel_state state; /* true inside; the getter shows `shown` */
    enum ln_data_channel_state shown;
    uint64_t low_threshold;
    struct ln_utf8 text; /* of the message being written */
    bool writes_text;
    uint64_t messages_sent, bytes_sent, messages_received, bytes_received; /* at its end */
    bool released;
    void *user_data;
};

struct ln_sctp_transport {
    struct ln_peer_connection *pc;
};

struct ln_data {
    struct ln_sctp_transport handle;
    bool wanted;       /* a channel was created or the other side offered a section */
    bool agreed;       /* the section is in an applied answer */
    bool asks_nothing; /* some channel asks nothing of the network */
    uint8_t asked;     /* enum ln_network_priority: the highest that channels ask for */
    int m_line;        /* -1: none */
    int stable_line;
    struct ln_data_channels *channels; /* NULL until one is wanted */
    struct ln_list handles;
    size_t handle_count;
    enum ln_sctp_transport_state state;
    bool started;
    char *own_init;          /* base64 of the association's INIT once a description had it; owned */
    bool snap;               /* both descriptions had one when the section was agreed */
    uint64_t opened, closed; /* RTCPeerConnectionStats */
};

void ln_data_init(struct ln_peer_connection *pc);
void ln_data_deinit(struct ln_peer_connection *pc);
/* The layer below comes to life with the first channel, so that a media-only peer costs nothing. */
LN_NODISCARD int ln_data_need_channels(struct ln_peer_connection *pc);
/* A handle in the list, without a channel below; NULL at the limit or without memory. */
struct ln_data_channel *ln_data_handle_create(struct ln_peer_connection *pc, const char *label,
                                              size_t label_len, const char *protocol,
                                              size_t protocol_len);
void ln_data_handle_free(struct ln_data_channel *handle);
/* A channel of this priority (RFC 8831, 6.4) came to be. */
void ln_data_note_priority(struct ln_peer_connection *pc, uint16_t priority);
/* What the channel below counted stays with the handle. */
void ln_data_keep_figures(struct ln_data_channel *handle);
/* The section was agreed: limits and ports are known. */
LN_NODISCARD int ln_data_agree(struct ln_peer_connection *pc, const struct ln_jsep_agreed *agreed);
/* The section was refused for good: all channels close, what was not read is gone, and the
 * association with it. The next channel asks for a section and an association of its own. */
void ln_data_refuse(struct ln_peer_connection *pc);
/* --- data_snap.c: what our next description says as sctp-init. NULL: nothing. offered is the
 * section that it answers, NULL for an offer. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_data_own_init(struct ln_peer_connection *pc, const struct ln_sdp_media *offered,
                                  const char **ret_init);
/* The first agreement decides whether the association begins without a handshake. */
LN_NODISCARD int ln_data_snap_agree(struct ln_peer_connection *pc,
                                    const struct ln_jsep_agreed *agreed);
void ln_data_snap_forget(struct ln_peer_connection *pc);
/* DTLS is connected (again harmless), or gone. */
void ln_data_start(struct ln_peer_connection *pc, ln_time now);
void ln_data_close(struct ln_peer_connection *pc);
/* Whether it can be sent on, as its getters show it. */
bool ln_data_channel_is_open(const struct ln_data_channel *channel);
/* The next event of the channels, true if there is one. Messages stay below until then, so that the
 * receive window speaks for the application. */
bool ln_data_poll_event(struct ln_peer_connection *pc, struct ln_event *ret_event);
/* Whether a queued event is about a channel that was given back since: it is not to be told. Frees
 * the channel with its last one. */
bool ln_data_is_released(const struct ln_event *event);
/* What the getters of the channel show follows the event being taken. */
void ln_data_show(const struct ln_event *event);

#endif
