/* SPDX-License-Identifier: Apache-2.0
 * RTCDataChannel and RTCSctpTransport (https://www.w3.org/TR/webrtc/#rtcdatachannel,
 * https://www.w3.org/TR/webrtc/#rtcsctptransport-interface).
 *
 * A handle outlives the channel below it; the two are joined by ln_channel, 0 when the lower one is
 * gone. Messages stay below until the application takes their events. */
#include "peer/data_channel.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "peer/peer_connection.h"

#include <limits.h>
#include <string.h>

void ln_data_init(struct ln_peer_connection *pc)
{
    pc->data.handle.pc = pc;
    pc->data.m_line = pc->data.stable_line = -1;
    ln_list_init(&pc->data.handles);
}

static void free_handle(struct ln_data_channel *handle)
{
    struct ln_peer_connection *pc = handle->pc;

    ln_list_remove(&handle->link);
    pc->data.handle_count--;
    ln_free(pc->env.allocator, handle->label);
    ln_free(pc->env.allocator, handle->protocol);
    ln_free(pc->env.allocator, handle);
}

void ln_data_deinit(struct ln_peer_connection *pc)
{
    LN_LIST_EACH_SAFE (at, after, &pc->data.handles) {
        free_handle(LN_CONTAINER(at, struct ln_data_channel, link));
    }
    ln_data_channels_free(pc->data.channels);
    pc->data.channels = NULL;
}

/* The layer below comes to life with the first channel, so that a media-only peer costs nothing. */
static int need_channels(struct ln_peer_connection *pc)
{
    const struct ln_configuration *configuration = &pc->configuration.public;
    struct ln_data_channels_config config;

    if (pc->data.channels)
        return 0;
    ln_data_channels_config_init(&config);
    config.sctp.send_buffer_bytes = configuration->send_buffer_limit;
    config.sctp.max_message_bytes = configuration->max_message_size
                                        ? configuration->max_message_size
                                        : SIZE_MAX;
    config.sctp.trace_object = pc->trace_object;
    if (config.sctp.receive_window_bytes < config.sctp.max_message_bytes * 2 &&
        configuration->max_message_size)
        config.sctp.receive_window_bytes = config.sctp.max_message_bytes * 2;
    return ln_data_channels_create(&pc->data.channels, &config, &pc->env);
}

int ln_data_agree(struct ln_peer_connection *pc, const struct ln_jsep_agreed *agreed)
{
    int error = need_channels(pc);

    if (error)
        return error;
    pc->data.agreed = true;
    ln_data_channels_set_remote_max_message(pc->data.channels, agreed->max_message_size);
    if (agreed->role != LN_JSEP_ROLE_UNKNOWN)
        ln_data_channels_set_role(pc->data.channels, agreed->role == LN_JSEP_ROLE_CLIENT);
    if (pc->transport.dtls_state == LN_DTLS_STATE_CONNECTED)
        ln_data_start(pc, pc->now);
    return 0;
}

void ln_data_refuse(struct ln_peer_connection *pc)
{
    ln_data_close(pc);
}

void ln_data_start(struct ln_peer_connection *pc, ln_time now)
{
    struct ln_data *data = &pc->data;

    if (!data->agreed || data->started || !data->channels)
        return;
    data->started = true;
    ln_data_channels_set_role(data->channels,
                              ln_dtls_role(pc->transport.dtls) == LN_DTLS_ROLE_CLIENT);
    ln_data_channels_start(data->channels, now);
}

void ln_data_close(struct ln_peer_connection *pc)
{
    if (pc->data.channels)
        ln_data_channels_abort(pc->data.channels);
}

/* --- events from below */

static struct ln_data_channel *find(struct ln_peer_connection *pc, ln_channel channel)
{
    LN_LIST_EACH (at, &pc->data.handles) {
        struct ln_data_channel *handle = LN_CONTAINER(at, struct ln_data_channel, link);

        if (handle->channel == channel)
            return handle;
    }
    return NULL;
}

static struct ln_data_channel *new_handle(struct ln_peer_connection *pc, const char *label,
                                          size_t label_len, const char *protocol,
                                          size_t protocol_len)
{
    struct ln_data_channel *handle;

    if (pc->data.handle_count >= LN_CHANNEL_HANDLES_MAX)
        return NULL;
    handle = ln_alloc_zero(pc->env.allocator, sizeof *handle);
    if (!handle)
        return NULL;
    handle->pc = pc;
    handle->id = -1;
    ln_list_append(&pc->data.handles, &handle->link);
    pc->data.handle_count++;
    handle->label = ln_alloc_text_n(pc->env.allocator, label, label_len);
    handle->protocol = ln_alloc_text_n(pc->env.allocator, protocol, protocol_len);
    if (!handle->label || !handle->protocol) {
        free_handle(handle);
        return NULL;
    }
    return handle;
}

/* The other side opened a channel: it is announced, then open (W3C 6.2.2). */
static bool take_incoming(struct ln_peer_connection *pc, ln_channel channel,
                          struct ln_event *ret_event)
{
    struct ln_channel_info info;
    struct ln_data_channel *handle;

    if (!ln_data_channels_get(pc->data.channels, channel, &info))
        return false;
    handle = new_handle(pc, info.label, info.label_len, info.protocol, info.protocol_len);
    if (!handle) {
        ln_data_channels_close(pc->data.channels, channel);
        return false;
    }
    ln_data_channel_init_init(&handle->init);
    handle->init.ordered = !info.unordered;
    handle->init.max_packet_life_time = info.max_lifetime_ms;
    handle->init.max_retransmits = info.max_retransmits;
    handle->init.priority = info.priority;
    handle->id = info.id;
    handle->channel = channel;
    handle->state = LN_DATA_CHANNEL_STATE_OPEN;
    handle->shown = LN_DATA_CHANNEL_STATE_CONNECTING;
    pc->data.opened++;
    ret_event->kind = LN_EVENT_DATA_CHANNEL;
    ret_event->u.channel = handle;
    return true;
}

static void keep_figures(struct ln_data_channel *handle)
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
    keep_figures(handle);
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
            free_handle(handle);
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

bool ln_data_poll_event(struct ln_peer_connection *pc, struct ln_event *ret_event)
{
    struct ln_data_channels_event event;
    struct ln_data_channel *handle;

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
        case LN_DATA_CHANNELS_BUFFERED_LOW:
            handle = find(pc, event.channel);
            if (handle && !handle->released) {
                ret_event->kind = LN_EVENT_BUFFERED_AMOUNT_LOW;
                ret_event->u.channel = handle;
                return true;
            }
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
        free_handle(handle);
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

/* --- RTCPeerConnection.createDataChannel() and RTCDataChannel */

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
        error = need_channels(pc);
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
    handle = new_handle(pc, label, options.label_len, options.protocol, options.protocol_len);
    if (!handle)
        return LN_ERR_NOMEM;
    error = ln_data_channels_open(pc->data.channels, &options, &handle->channel);
    if (error) {
        free_handle(handle);
        return error == LN_ERR_LIMIT ? LN_ERR_OPERATION : error;
    }
    handle->init = *init;
    handle->init.protocol = handle->protocol;
    handle->id = init->negotiated ? init->id : -1;
    if (!pc->data.wanted) {
        pc->data.wanted = true;
        pc->negotiation.check_needed = true;
    }
    ln_stir(pc);
    *ret_channel = handle;
    return 0;
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

static int send(ln_data_channel *channel, bool text, const void *data, size_t len)
{
    if (channel->pc->closed || !channel->channel || channel->shown != LN_DATA_CHANNEL_STATE_OPEN)
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
        free_handle(channel);
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

/* --- RTCSctpTransport */

ln_sctp_transport *ln_peer_connection_sctp(const ln_peer_connection *pc)
{
    return pc->data.agreed ? (ln_sctp_transport *)(uintptr_t)&pc->data.handle : NULL;
}

ln_dtls_transport *ln_sctp_transport_transport(ln_sctp_transport *transport)
{
    return &transport->pc->transport.dtls_handle;
}

enum ln_sctp_transport_state ln_sctp_transport_state(const ln_sctp_transport *transport)
{
    return transport->pc->shown.sctp;
}

size_t ln_sctp_transport_max_message_size(const ln_sctp_transport *transport)
{
    uint64_t max = ln_data_channels_max_message(transport->pc->data.channels);

    return max > SIZE_MAX ? SIZE_MAX : (size_t)max;
}

bool ln_sctp_transport_max_channels(const ln_sctp_transport *transport, uint16_t *ret_channels)
{
    struct ln_sctp_stats stats;

    if (transport->pc->shown.sctp != LN_SCTP_TRANSPORT_STATE_CONNECTED)
        return false;
    ln_sctp_stats(ln_data_channels_association(transport->pc->data.channels), &stats);
    *ret_channels = stats.incoming_streams < stats.outgoing_streams ? stats.incoming_streams
                                                                    : stats.outgoing_streams;
    return true;
}
