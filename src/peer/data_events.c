/* SPDX-License-Identifier: Apache-2.0
 * What happens below a data channel, as the events of RTCDataChannel (W3C 6.2). Messages stay below
 * until the application takes their events, so that the receive window speaks for it. */
#include "peer/data_channel.h"
#include "peer/peer_connection.h"

#include <string.h>

static struct ln_data_channel *find(struct ln_peer_connection *pc, ln_channel channel)
{
    LN_LIST_EACH (at, &pc->data.handles) {
        struct ln_data_channel *handle = LN_CONTAINER(at, struct ln_data_channel, link);

        if (handle->channel == channel)
            return handle;
    }
    return NULL;
}

/* The other side opened a channel: it is announced, then open (W3C 6.2.2). */
static bool take_incoming(struct ln_peer_connection *pc, ln_channel channel,
                          struct ln_event *ret_event)
{
    struct ln_channel_info info;
    struct ln_data_channel *handle;

    if (!ln_data_channels_get(pc->data.channels, channel, &info))
        return false;
    handle = ln_data_handle_create(pc, info.label, info.label_len, info.protocol,
                                   info.protocol_len);
    if (!handle) {
        ln_data_channels_close(pc->data.channels, channel);
        return false;
    }
    ln_data_channel_init_init(&handle->init);
    handle->init.ordered = !info.unordered;
    handle->init.max_packet_life_time = info.max_lifetime_ms;
    handle->init.max_retransmits = info.max_retransmits;
    handle->init.priority = info.priority;
    ln_data_note_priority(pc, info.priority);
    handle->id = info.id;
    handle->channel = channel;
    handle->state = LN_DATA_CHANNEL_STATE_OPEN;
    handle->shown = LN_DATA_CHANNEL_STATE_CONNECTING;
    pc->data.opened++;
    ret_event->kind = LN_EVENT_DATA_CHANNEL;
    ret_event->u.channel = handle;
    return true;
}

void ln_data_keep_figures(struct ln_data_channel *handle)
{
    struct ln_channel_info info;

    if (ln_data_channels_get(handle->pc->data.channels, handle->channel, &info)) {
        if (info.id != LN_CHANNEL_NO_ID)
            handle->id = info.id;
        handle->messages_sent = info.messages_sent;
        handle->bytes_sent = info.bytes_sent;
        handle->messages_received = info.messages_received;
        handle->bytes_received = info.bytes_received;
    }
}

static void push_channel_error(struct ln_data_channel *handle, int error)
{
    struct ln_event event = { .kind = LN_EVENT_ERROR };

    event.u.error.channel = handle;
    event.u.error.error.error = LN_ERR_OPERATION;
    event.u.error.error.detail = error == LN_ERR_TOO_BIG ? LN_ERROR_DETAIL_DATA_CHANNEL_FAILURE
                                                         : LN_ERROR_DETAIL_SCTP_FAILURE;
    event.u.error.error.message = ln_error_sentence(error);
    event.u.error.error.sdp_line_number = event.u.error.error.sctp_cause_code = -1;
    event.u.error.error.received_alert = event.u.error.error.sent_alert = -1;
    ln_push_event(handle->pc, &event);
}

/* A state below becomes an event; a closing that failed is told first (W3C 6.2.4). */
static bool take_state(struct ln_peer_connection *pc, const struct ln_data_channels_event *from,
                       struct ln_event *ret_event)
{
    struct ln_data_channel *handle = find(pc, from->channel);
    struct ln_event close = { .kind = LN_EVENT_CLOSE };

    if (!handle)
        return false;
    ln_data_keep_figures(handle);
    ret_event->u.channel = handle;
    if (handle->released && from->state != LN_CHANNEL_CLOSED)
        return false;
    switch (from->state) {
    case LN_CHANNEL_OPEN:
        if (handle->state == LN_DATA_CHANNEL_STATE_CONNECTING)
            pc->data.opened++;
        if (handle->state == LN_DATA_CHANNEL_STATE_CLOSING)
            return false; /* close() came first */
        handle->state = LN_DATA_CHANNEL_STATE_OPEN;
        ret_event->kind = LN_EVENT_OPEN;
        return true;
    case LN_CHANNEL_CLOSING:
        if (handle->state == LN_DATA_CHANNEL_STATE_CLOSING)
            return false; /* our own close(): no event */
        handle->state = LN_DATA_CHANNEL_STATE_CLOSING;
        ret_event->kind = LN_EVENT_CLOSING;
        return true;
    case LN_CHANNEL_CLOSED:
        handle->state = LN_DATA_CHANNEL_STATE_CLOSED;
        handle->channel = 0;
        pc->data.closed++;
        if (handle->released) {
            ln_data_handle_free(handle);
            return false;
        }
        close.u.channel = handle;
        if (from->error) {
            push_channel_error(handle, from->error);
            ln_push_event(pc, &close);
            return ln_events_pop(&pc->events, ret_event);
        }
        *ret_event = close;
        return true;
    default:
        return false;
    }
}

static bool take_message(struct ln_peer_connection *pc, const struct ln_data_channels_event *from,
                         struct ln_event *ret_event)
{
    struct ln_data_channel *handle = find(pc, from->channel);

    if (!handle || handle->released)
        return false;
    ret_event->kind = LN_EVENT_MESSAGE;
    ret_event->u.message.channel = handle;
    ret_event->u.message.data = from->data;
    ret_event->u.message.len = from->len;
    ret_event->u.message.text = from->text;
    return true;
}

static bool take_part(struct ln_peer_connection *pc, const struct ln_data_channels_event *from,
                      struct ln_event *ret_event)
{
    struct ln_data_channel *handle = find(pc, from->channel);

    if (!handle || handle->released)
        return false;
    ret_event->kind = from->kind == LN_DATA_CHANNELS_PART ? LN_EVENT_MESSAGE_PART
                                                          : LN_EVENT_MESSAGE_ABANDONED;
    ret_event->u.part.channel = handle;
    ret_event->u.part.message = from->message;
    ret_event->u.part.data = from->data;
    ret_event->u.part.len = from->len;
    ret_event->u.part.text = from->text;
    ret_event->u.part.first = from->first;
    ret_event->u.part.last = from->last;
    return true;
}

/* News that say nothing but that they are. */
static bool take_plain(struct ln_peer_connection *pc, const struct ln_data_channels_event *from,
                       struct ln_event *ret_event)
{
    struct ln_data_channel *handle = find(pc, from->channel);

    if (!handle || handle->released)
        return false;
    ret_event->kind = from->kind == LN_DATA_CHANNELS_ROOM ? LN_EVENT_WRITABLE
                                                          : LN_EVENT_BUFFERED_AMOUNT_LOW;
    ret_event->u.channel = handle;
    return true;
}

bool ln_data_poll_event(struct ln_peer_connection *pc, struct ln_event *ret_event)
{
    struct ln_data_channels_event event;

    while (pc->data.channels && ln_data_channels_poll_event(pc->data.channels, &event)) {
        memset(ret_event, 0, sizeof *ret_event);
        switch (event.kind) {
        case LN_DATA_CHANNELS_CONNECTED:
        case LN_DATA_CHANNELS_CLOSED:
            pc->data.state = event.kind == LN_DATA_CHANNELS_CONNECTED
                                 ? LN_SCTP_TRANSPORT_STATE_CONNECTED
                                 : LN_SCTP_TRANSPORT_STATE_CLOSED;
            ln_states_update(pc);
            if (ln_events_pop(&pc->events, ret_event))
                return true;
            break;
        case LN_DATA_CHANNELS_INCOMING:
            if (take_incoming(pc, event.channel, ret_event))
                return true;
            break;
        case LN_DATA_CHANNELS_STATE:
            if (take_state(pc, &event, ret_event))
                return true;
            break;
        case LN_DATA_CHANNELS_MESSAGE:
            if (take_message(pc, &event, ret_event))
                return true;
            break;
        case LN_DATA_CHANNELS_PART:
        case LN_DATA_CHANNELS_ABANDONED:
            if (take_part(pc, &event, ret_event))
                return true;
            break;
        case LN_DATA_CHANNELS_BUFFERED_LOW:
        case LN_DATA_CHANNELS_ROOM:
            if (take_plain(pc, &event, ret_event))
                return true;
            break;
        }
    }
    return false;
}

bool ln_data_is_released(const struct ln_event *event)
{
    struct ln_data_channel *handle = event->kind == LN_EVENT_ERROR   ? event->u.error.channel
                                     : event->kind == LN_EVENT_CLOSE ? event->u.channel
                                                                     : NULL;

    if (!handle || !handle->released)
        return false;
    if (event->kind == LN_EVENT_CLOSE)
        ln_data_handle_free(handle);
    return true;
}

void ln_data_show(const struct ln_event *event)
{
    if (event->kind == LN_EVENT_OPEN)
        event->u.channel->shown = LN_DATA_CHANNEL_STATE_OPEN;
    else if (event->kind == LN_EVENT_CLOSING)
        event->u.channel->shown = LN_DATA_CHANNEL_STATE_CLOSING;
    else if (event->kind == LN_EVENT_CLOSE)
        event->u.channel->shown = LN_DATA_CHANNEL_STATE_CLOSED;
}
