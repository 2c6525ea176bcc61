/* SPDX-License-Identifier: Apache-2.0
 * Data channels: messages in pieces, both ways. RFC 8831, 6.6; sctp/sctp.h has the rules. */
#include "sctp/data_channels_state.h"

static struct ln_channel_object *find_open(const struct ln_data_channels *d, ln_channel handle)
{
    struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);

    return channel && channel->info.state == LN_CHANNEL_OPEN ? channel : NULL;
}

static int outer_error(int error)
{
    return error == LN_ERR_CLOSED || error == LN_ERR_RANGE ? LN_ERR_INVALID_STATE : error;
}

int ln_data_channels_begin_message(struct ln_data_channels *d, ln_channel handle, bool text)
{
    struct ln_channel_object *channel = find_open(d, handle);
    uint64_t limit = d->remote_max_message ? d->remote_max_message : UINT64_MAX;
    struct ln_sctp_send_options options;
    int error;

    if (!channel)
        return LN_ERR_INVALID_STATE;
    options = ln_channels_send_options(channel);
    error = ln_sctp_begin_message(d->sctp, (uint16_t)channel->info.id,
                                  text ? LN_PPID_STRING : LN_PPID_BINARY, limit, &options);
    if (error)
        return outer_error(error);
    channel->open_text = text;
    channel->open_bytes = 0;
    return 0;
}

int ln_data_channels_write_message(struct ln_data_channels *d, ln_channel handle, const void *data,
                                   size_t len, size_t *ret_taken)
{
    struct ln_channel_object *channel = find_open(d, handle);
    size_t taken = 0;
    int error;

    if (!channel)
        return LN_ERR_INVALID_STATE;
    error = ln_sctp_write_message(d->sctp, (uint16_t)channel->info.id, data, len, &taken);
    if (error)
        return outer_error(error);
    channel->open_bytes += taken;
    channel->stream_bytes += taken;
    channel->info.bytes_sent += taken;
    *ret_taken = taken;
    return 0;
}

int ln_data_channels_finish_message(struct ln_data_channels *d, ln_channel handle)
{
    struct ln_channel_object *channel = find_open(d, handle);
    int error;

    if (!channel)
        return LN_ERR_INVALID_STATE;
    error = ln_sctp_finish_message(d->sctp, (uint16_t)channel->info.id,
                                   channel->open_text ? LN_PPID_STRING_EMPTY
                                                      : LN_PPID_BINARY_EMPTY);
    if (error)
        return outer_error(error);
    channel->info.messages_sent++;
    if (channel->open_bytes == 0)
        channel->stream_bytes++; /* its one byte */
    return 0;
}

int ln_data_channels_abandon_message(struct ln_data_channels *d, ln_channel handle)
{
    struct ln_channel_object *channel = find_open(d, handle);

    if (!channel)
        return LN_ERR_INVALID_STATE;
    return outer_error(ln_sctp_abandon_message(d->sctp, (uint16_t)channel->info.id));
}

size_t ln_data_channels_message_room(const struct ln_data_channels *d, ln_channel handle)
{
    const struct ln_channel_object *channel = find_open(d, handle);

    return channel ? ln_sctp_message_room(d->sctp, (uint16_t)channel->info.id) : 0;
}

int ln_data_channels_set_parts(struct ln_data_channels *d, ln_channel handle, bool parts)
{
    struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);

    if (!channel || channel->info.state == LN_CHANNEL_CLOSED)
        return LN_ERR_INVALID_STATE;
    if (channel->info.id != LN_CHANNEL_NO_ID &&
        ln_sctp_set_parts(d->sctp, (uint16_t)channel->info.id, parts) != 0)
        return LN_ERR_NOMEM;
    channel->parts = parts;
    return 0;
}

int ln_channels_on_part(struct ln_data_channels *d, const struct ln_sctp_event *event,
                        struct ln_data_channels_event *ret_event)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, event->stream);
    bool empty = event->ppid == LN_PPID_STRING_EMPTY || event->ppid == LN_PPID_BINARY_EMPTY;

    if (event->ppid == LN_PPID_DCEP && event->first && event->last) {
        ln_channels_on_dcep(d, event);
        return 0;
    }
    if (!ln_channels_user_ppid(event->ppid)) {
        d->stats.dropped_unknown++;
        return 0;
    }
    if (!channel || channel->info.state != LN_CHANNEL_OPEN)
        return 0; /* W3C: nothing is delivered once closing */
    channel->acknowledged = true;
    ret_event->kind = LN_DATA_CHANNELS_PART;
    ret_event->channel = channel->handle;
    ret_event->message = event->message;
    ret_event->first = event->first;
    ret_event->last = event->last;
    ret_event->text = ln_channels_text_ppid(event->ppid);
    ret_event->data = event->data;
    ret_event->len = empty ? 0 : event->len;
    channel->info.messages_received += event->last;
    channel->info.bytes_received += ret_event->len;
    return 1;
}

int ln_channels_on_abandoned(struct ln_data_channels *d, const struct ln_sctp_event *event,
                             struct ln_data_channels_event *ret_event)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, event->stream);

    if (!channel || channel->info.state != LN_CHANNEL_OPEN || !ln_channels_user_ppid(event->ppid))
        return 0;
    ret_event->kind = LN_DATA_CHANNELS_ABANDONED;
    ret_event->channel = channel->handle;
    ret_event->message = event->message;
    return 1;
}
