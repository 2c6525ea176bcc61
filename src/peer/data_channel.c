/* SPDX-License-Identifier: Apache-2.0
 * RTCPeerConnection.createDataChannel() and RTCDataChannel
 * (https://www.w3.org/TR/webrtc/#rtcdatachannel). */
#include "peer/data_channel.h"

#include "base/bytes.h"
#include "peer/dscp.h"
#include "peer/peer_connection.h"

#include <string.h>

void ln_data_channel_init_init(struct ln_data_channel_init *init)
{
    memset(init, 0, sizeof *init);
    init->size = sizeof *init;
    init->ordered = true;
    init->max_packet_life_time = -1;
    init->max_retransmits = -1;
    init->protocol = "";
    init->id = -1;
    init->priority = LN_CHANNEL_PRIORITY_LOW;
}

static int check_init(const char *label, const struct ln_data_channel_init *init)
{
    const char *protocol = init->protocol ? init->protocol : "";
    size_t label_len = strlen(label), protocol_len = strlen(protocol);

    if (init->size != sizeof *init || label_len > LN_CHANNEL_LABEL_MAX ||
        protocol_len > LN_CHANNEL_LABEL_MAX || !ln_utf8_valid(label, label_len) ||
        !ln_utf8_valid(protocol, protocol_len))
        return LN_ERR_INVALID_ARGUMENT;
    if ((init->max_packet_life_time >= 0 && init->max_retransmits >= 0) ||
        init->max_packet_life_time > UINT16_MAX || init->max_retransmits > UINT16_MAX ||
        init->id > LN_CHANNEL_ID_MAX || (init->negotiated && init->id < 0))
        return LN_ERR_INVALID_ARGUMENT;
    return 0;
}

int ln_peer_connection_create_data_channel(ln_peer_connection *pc, const char *label,
                                           const struct ln_data_channel_init *init,
                                           ln_data_channel **ret_channel)
{
    struct ln_data_channel_init defaults;
    struct ln_channel_options options;
    struct ln_data_channel *handle;
    int error;

    ln_data_channel_init_init(&defaults);
    if (!init)
        init = &defaults;
    if (pc->closed)
        return LN_ERR_INVALID_STATE;
    error = check_init(label, init);
    if (!error)
        error = ln_data_need_channels(pc);
    if (error)
        return error;
    ln_channel_options_init(&options);
    options.label = label;
    options.label_len = strlen(label);
    options.protocol = init->protocol ? init->protocol : "";
    options.protocol_len = strlen(options.protocol);
    options.unordered = !init->ordered;
    options.max_lifetime_ms = init->max_packet_life_time;
    options.max_retransmits = init->max_retransmits;
    options.negotiated = init->negotiated;
    options.id = init->negotiated ? init->id : LN_CHANNEL_NO_ID;
    options.priority = init->priority;
    options.parts = init->receive_parts;
    handle = ln_data_handle_create(pc, label, options.label_len, options.protocol,
                                   options.protocol_len);
    if (!handle)
        return LN_ERR_NOMEM;
    error = ln_data_channels_open(pc->data.channels, &options, &handle->channel);
    if (error) {
        ln_data_handle_free(handle);
        return error == LN_ERR_LIMIT ? LN_ERR_OPERATION : error;
    }
    handle->init = *init;
    handle->init.protocol = handle->protocol;
    handle->id = init->negotiated ? init->id : -1;
    ln_data_note_priority(pc, init->priority);
    if (!pc->data.wanted) {
        pc->data.wanted = true;
        pc->negotiation.check_needed = true;
    }
    ln_stir(pc);
    *ret_channel = handle;
    return 0;
}

void ln_data_note_priority(struct ln_peer_connection *pc, uint16_t priority)
{
    enum ln_network_priority asked = ln_dscp_of_channel(priority);

    if (asked == LN_NETWORK_PRIORITY_NONE)
        pc->data.asks_nothing = true;
    else if (asked > pc->data.asked)
        pc->data.asked = (uint8_t)asked;
}

const char *ln_data_channel_label(const ln_data_channel *channel)
{
    return channel->label;
}

bool ln_data_channel_ordered(const ln_data_channel *channel)
{
    return channel->init.ordered;
}

int32_t ln_data_channel_max_packet_life_time(const ln_data_channel *channel)
{
    return channel->init.max_packet_life_time;
}

int32_t ln_data_channel_max_retransmits(const ln_data_channel *channel)
{
    return channel->init.max_retransmits;
}

const char *ln_data_channel_protocol(const ln_data_channel *channel)
{
    return channel->protocol;
}

bool ln_data_channel_negotiated(const ln_data_channel *channel)
{
    return channel->init.negotiated;
}

uint16_t ln_data_channel_priority(const ln_data_channel *channel)
{
    return channel->init.priority;
}

int32_t ln_data_channel_id(const ln_data_channel *channel)
{
    struct ln_channel_info info;

    if (channel->channel &&
        ln_data_channels_get(channel->pc->data.channels, channel->channel, &info))
        return info.id;
    return channel->id;
}

enum ln_data_channel_state ln_data_channel_ready_state(const ln_data_channel *channel)
{
    return channel->shown;
}

uint64_t ln_data_channel_buffered_amount(const ln_data_channel *channel)
{
    return channel->channel
               ? ln_data_channels_buffered_amount(channel->pc->data.channels, channel->channel)
               : 0;
}

uint64_t ln_data_channel_buffered_amount_low_threshold(const ln_data_channel *channel)
{
    return channel->low_threshold;
}

void ln_data_channel_set_buffered_amount_low_threshold(ln_data_channel *channel, uint64_t bytes)
{
    channel->low_threshold = bytes;
    if (channel->channel)
        ln_data_channels_set_buffered_low(channel->pc->data.channels, channel->channel,
                                          (size_t)bytes);
}

bool ln_data_channel_is_open(const ln_data_channel *channel)
{
    return !channel->pc->closed && channel->channel && channel->shown == LN_DATA_CHANNEL_STATE_OPEN;
}

static int send(ln_data_channel *channel, bool text, const void *data, size_t len)
{
    if (!ln_data_channel_is_open(channel))
        return LN_ERR_INVALID_STATE;
    return ln_data_channels_send(channel->pc->data.channels, channel->channel, text, data, len);
}

int ln_data_channel_send_text(ln_data_channel *channel, const char *text, size_t len)
{
    if (!ln_utf8_valid(text, len))
        return LN_ERR_INVALID_ARGUMENT;
    return send(channel, true, text, len);
}

int ln_data_channel_send(ln_data_channel *channel, const void *data, size_t len)
{
    return send(channel, false, data, len);
}

void ln_data_channel_close(ln_data_channel *channel)
{
    if (channel->state == LN_DATA_CHANNEL_STATE_CLOSING ||
        channel->state == LN_DATA_CHANNEL_STATE_CLOSED)
        return;
    channel->state = channel->shown = LN_DATA_CHANNEL_STATE_CLOSING;
    if (channel->channel)
        ln_data_channels_close(channel->pc->data.channels, channel->channel);
    ln_stir(channel->pc);
}

void ln_data_channel_release(ln_data_channel *channel)
{
    /* Between its error and its close event the queue still points at it. */
    if (!channel->channel && channel->shown == LN_DATA_CHANNEL_STATE_CLOSED) {
        ln_data_handle_free(channel);
        return;
    }
    ln_data_channel_close(channel);
    channel->released = true; /* freed when the channel below has ended and that was told */
}

void ln_data_channel_set_user_data(ln_data_channel *channel, void *user_data)
{
    channel->user_data = user_data;
}

void *ln_data_channel_user_data(const ln_data_channel *channel)
{
    return channel->user_data;
}
