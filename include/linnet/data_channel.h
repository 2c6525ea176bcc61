/* SPDX-License-Identifier: Apache-2.0
 * RTCDataChannel (https://www.w3.org/TR/webrtc/#rtcdatachannel).
 *
 * A channel belongs to its peer connection. Its handle is valid until ln_data_channel_release()
 * after LN_EVENT_CLOSE, or until ln_peer_connection_free(). All calls on the owner thread.
 *
 * Beside send() and LN_EVENT_MESSAGE, which take and give whole messages, stand calls for messages
 * of any length in pieces, each way by itself: the other side sees an ordinary message. */
#ifndef LINNET_DATA_CHANNEL_H
#define LINNET_DATA_CHANNEL_H

#include <linnet/enums.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_data_channel ln_data_channel;

/* RTCDataChannelInit. */
struct ln_data_channel_init {
    size_t size;
    bool ordered;                 /* default true */
    int32_t max_packet_life_time; /* milliseconds; -1: absent */
    int32_t max_retransmits;      /* -1: absent; not both */
    const char *protocol;         /* default "" */
    bool negotiated;              /* default false */
    int32_t id;                   /* 0..65534 with negotiated; -1: absent */
    uint16_t priority;            /* RFC 8831, 6.4; 256 is "low", the default */
    bool receive_parts;           /* linnet: as ln_data_channel_set_receive_parts(); false */
};

LN_API void ln_data_channel_init_init(struct ln_data_channel_init *init);

LN_API const char *ln_data_channel_label(const ln_data_channel *channel);
LN_API bool ln_data_channel_ordered(const ln_data_channel *channel);
LN_API int32_t ln_data_channel_max_packet_life_time(const ln_data_channel *channel); /* -1: null */
LN_API int32_t ln_data_channel_max_retransmits(const ln_data_channel *channel);      /* -1: null */
LN_API const char *ln_data_channel_protocol(const ln_data_channel *channel);
LN_API bool ln_data_channel_negotiated(const ln_data_channel *channel);
LN_API uint16_t ln_data_channel_priority(const ln_data_channel *channel); /* RFC 8831, 6.4 */
LN_API int32_t ln_data_channel_id(const ln_data_channel *channel);        /* -1: null */
LN_API enum ln_data_channel_state ln_data_channel_ready_state(const ln_data_channel *channel);
/* Bytes handed to send() and not yet given to the network. */
LN_API uint64_t ln_data_channel_buffered_amount(const ln_data_channel *channel);
LN_API uint64_t ln_data_channel_buffered_amount_low_threshold(const ln_data_channel *channel);
LN_API void ln_data_channel_set_buffered_amount_low_threshold(ln_data_channel *channel,
                                                              uint64_t bytes);

/* send(): the bytes are copied and leave at the next call with now. Returns 0;
 * LN_ERR_INVALID_STATE unless open; LN_ERR_TOO_BIG above what the other side takes (a TypeError);
 * LN_ERR_LIMIT when the send buffer is full (an OperationError); LN_ERR_INVALID_ARGUMENT for text
 * that is not UTF-8. */
LN_API LN_NODISCARD int ln_data_channel_send_text(ln_data_channel *channel, const char *text,
                                                  size_t len);
LN_API LN_NODISCARD int ln_data_channel_send(ln_data_channel *channel, const void *data,
                                             size_t len);

/* A message written as its bytes come, one at a time on a channel; send() meanwhile queues behind
 * it. It has the channel's order and limits (a lifetime is that of the whole message). What is
 * written is copied and counts in the send buffer (ln_configuration.send_buffer_limit) until it is
 * acknowledged, so that memory stays bounded whatever the length. bufferedAmount counts what waits
 * for the network, not what waits for the next write: at least the last byte does.
 *
 * Between peers that interleave (RFC 8260), as two of linnet do, other channels go on meanwhile.
 * Else a message that is begun keeps the others waiting until its end: one of up to 1 MiB is sent
 * when it is finished, and a longer one is given up when its writer has kept others waiting for
 * five seconds in all.
 *
 * Begins one. Returns 0; LN_ERR_INVALID_STATE unless the channel is open and no message is begun;
 * LN_ERR_LIMIT when the send buffer is full; LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_data_channel_begin_message(ln_data_channel *channel, bool text);
/* Takes as many of the next bytes as fit; unless it was all, LN_EVENT_WRITABLE comes when there is
 * room again. Returns 0 with ret_taken; LN_ERR_LIMIT when nothing fits (an OperationError);
 * LN_ERR_TOO_BIG above what the other side takes (a TypeError), with nothing taken: the message can
 * still be finished; LN_ERR_INVALID_ARGUMENT for text that is not UTF-8, where a character may lie
 * in two pieces; LN_ERR_ABORT, once, when the message was abandoned: by the channel's limits, or
 * because its writer kept others waiting; LN_ERR_INVALID_STATE when none is begun or the channel is
 * not open; LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_data_channel_write(ln_data_channel *channel, const void *data,
                                              size_t len, size_t *ret_taken);
/* All of it is written; nothing written is an empty message. LN_ERR_INVALID_ARGUMENT in the middle
 * of a character; else as ln_data_channel_write(). */
LN_API LN_NODISCARD int ln_data_channel_finish_message(ln_data_channel *channel);
/* Gives it up, on a reliable channel too: the other side skips it, and the channel goes on. So does
 * ln_data_channel_close() in the middle of one. Returns as ln_data_channel_finish_message(). */
LN_API LN_NODISCARD int ln_data_channel_abandon_message(ln_data_channel *channel);

/* From now on what comes is given in LN_EVENT_MESSAGE_PART as it comes, in order, and of any length
 * whatever maxMessageSize was announced; false: whole again. Parts that are not taken hold the
 * receive window. Best called when the channel is created or LN_EVENT_DATA_CHANNEL was taken: a
 * longer message is then never seen whole. Text is not looked at: a character may lie in two parts.
 * LN_EVENT_MESSAGE_ABANDONED tells that a message ends without its last part: its sender, a reset
 * or the end of the connection cut it (nothing is told once closing). Returns 0,
 * LN_ERR_INVALID_STATE when closed, LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_data_channel_set_receive_parts(ln_data_channel *channel, bool parts);

LN_API void ln_data_channel_close(ln_data_channel *channel);

/* Gives the handle back. A channel that is not closed is closed first, without further events. */
LN_API void ln_data_channel_release(ln_data_channel *channel);

LN_API void ln_data_channel_set_user_data(ln_data_channel *channel, void *user_data);
LN_API void *ln_data_channel_user_data(const ln_data_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
