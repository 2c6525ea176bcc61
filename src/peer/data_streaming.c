/* SPDX-License-Identifier: Apache-2.0
 * Messages of a data channel in pieces: linnet's own, beside RTCDataChannel's send() and message
 * event. What is text is checked over the borders of the pieces. */
#include "peer/data_channel.h"
#include "peer/peer_connection.h"

int ln_data_channel_begin_message(ln_data_channel *channel, bool text)
{
    int error;

    if (!ln_data_channel_is_open(channel))
        return LN_ERR_INVALID_STATE;
    error = ln_data_channels_begin_message(channel->pc->data.channels, channel->channel, text);
    if (error)
        return error;
    channel->writes_text = text;
    channel->text = (struct ln_utf8){ 0, 0, 0 };
    return 0;
}

int ln_data_channel_write(ln_data_channel *channel, const void *data, size_t len, size_t *ret_taken)
{
    struct ln_utf8 text = channel->text;
    size_t taken = 0;
    int error;

    if (!ln_data_channel_is_open(channel))
        return LN_ERR_INVALID_STATE;
    if (channel->writes_text && !ln_utf8_next(&text, data, len))
        return LN_ERR_INVALID_ARGUMENT;
    error = ln_data_channels_write_message(channel->pc->data.channels, channel->channel, data, len,
                                           &taken);
    if (error)
        return error;
    if (channel->writes_text)
        (void)!ln_utf8_next(&channel->text, data, taken);
    *ret_taken = taken;
    return 0;
}

int ln_data_channel_finish_message(ln_data_channel *channel)
{
    if (!ln_data_channel_is_open(channel))
        return LN_ERR_INVALID_STATE;
    if (channel->writes_text && channel->text.left > 0)
        return LN_ERR_INVALID_ARGUMENT;
    return ln_data_channels_finish_message(channel->pc->data.channels, channel->channel);
}

int ln_data_channel_abandon_message(ln_data_channel *channel)
{
    if (!ln_data_channel_is_open(channel))
        return LN_ERR_INVALID_STATE;
    return ln_data_channels_abandon_message(channel->pc->data.channels, channel->channel);
}

int ln_data_channel_set_receive_parts(ln_data_channel *channel, bool parts)
{
    if (channel->pc->closed || !channel->channel)
        return LN_ERR_INVALID_STATE;
    return ln_data_channels_set_parts(channel->pc->data.channels, channel->channel, parts);
}
