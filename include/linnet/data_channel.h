/* SPDX-License-Identifier: Apache-2.0
 * RTCDataChannel (https://www.w3.org/TR/webrtc/#rtcdatachannel).
 *
 * A channel belongs to its peer connection. Its handle is valid until ln_data_channel_release()
 * after LN_EVENT_CLOSE, or until ln_peer_connection_free(). All calls on the owner thread. */
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
};

LN_API void ln_data_channel_init_init(struct ln_data_channel_init *init);

LN_API const char *ln_data_channel_label(const ln_data_channel *channel);
LN_API bool ln_data_channel_ordered(const ln_data_channel *channel);
LN_API int32_t ln_data_channel_max_packet_life_time(const ln_data_channel *channel); /* -1: null */
LN_API int32_t ln_data_channel_max_retransmits(const ln_data_channel *channel);      /* -1: null */
LN_API const char *ln_data_channel_protocol(const ln_data_channel *channel);
LN_API bool ln_data_channel_negotiated(const ln_data_channel *channel);
LN_API int32_t ln_data_channel_id(const ln_data_channel *channel); /* -1: null */
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
LN_API void ln_data_channel_close(ln_data_channel *channel);

/* Gives the handle back. A channel that is not closed is closed first, without further events. */
LN_API void ln_data_channel_release(ln_data_channel *channel);

LN_API void ln_data_channel_set_user_data(ln_data_channel *channel, void *user_data);
LN_API void *ln_data_channel_user_data(const ln_data_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
