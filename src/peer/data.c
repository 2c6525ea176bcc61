/* SPDX-License-Identifier: Apache-2.0
 * Data on the transport: the life of the association, from the first channel or section to its
 * refusal or end, and the handles of its channels.
 *
 * A handle outlives the channel below it; the two are joined by ln_channel, 0 when the lower one is
 * gone. */
#include "base/alloc.h"
#include "peer/data_channel.h"
#include "peer/peer_connection.h"
#include "sctp/cc.h"

void ln_data_handle_free(struct ln_data_channel *handle)
{
    struct ln_peer_connection *pc = handle->pc;

    ln_list_remove(&handle->link);
    pc->data.handle_count--;
    ln_free(pc->env.allocator, handle->label);
    ln_free(pc->env.allocator, handle->protocol);
    ln_free(pc->env.allocator, handle);
}

struct ln_data_channel *ln_data_handle_create(struct ln_peer_connection *pc, const char *label,
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
        ln_data_handle_free(handle);
        return NULL;
    }
    return handle;
}

void ln_data_init(struct ln_peer_connection *pc)
{
    pc->data.handle.pc = pc;
    pc->data.m_line = pc->data.stable_line = -1;
    ln_list_init(&pc->data.handles);
}

void ln_data_deinit(struct ln_peer_connection *pc)
{
    LN_LIST_EACH_SAFE (at, after, &pc->data.handles) {
        ln_data_handle_free(LN_CONTAINER(at, struct ln_data_channel, link));
    }
    ln_data_channels_free(pc->data.channels);
    pc->data.channels = NULL;
    ln_data_snap_forget(pc);
}

static const struct ln_sctp_cc_ops *congestion_control(enum ln_data_congestion_control wanted)
{
    switch (wanted) {
    case LN_DATA_CONGESTION_CONTROL_MODEL:
        return &ln_sctp_cc_model;
    case LN_DATA_CONGESTION_CONTROL_DELAY:
        return &ln_sctp_cc_delay;
    case LN_DATA_CONGESTION_CONTROL_RENO:
        return &ln_sctp_cc_reno;
    default:
        return &ln_sctp_cc_cubic;
    }
}

int ln_data_need_channels(struct ln_peer_connection *pc)
{
    const struct ln_configuration *configuration = &pc->configuration.public;
    struct ln_data_channels_config config;

    if (pc->data.channels)
        return 0;
    ln_data_channels_config_init(&config);
    config.sctp.send_buffer_bytes = configuration->send_buffer_limit;
    config.sctp.max_message_bytes = configuration->max_message_size
                                        ? configuration->max_message_size
                                        : LN_SCTP_MESSAGE_BYTES_MAX;
    config.sctp.trace_object = pc->trace_object;
    config.sctp.packet_bytes_limit = LN_SCTP_PACKET_BYTES_SEARCHED;
    config.sctp.cc = congestion_control(configuration->data_congestion_control);
    if (config.sctp.receive_window_bytes < config.sctp.max_message_bytes * 2 &&
        configuration->max_message_size)
        config.sctp.receive_window_bytes = config.sctp.max_message_bytes * 2;
    if (config.sctp.receive_window_first < config.sctp.max_message_bytes * 2)
        config.sctp.receive_window_first = config.sctp.max_message_bytes < UINT32_MAX / 8
                                               ? config.sctp.max_message_bytes * 2
                                               : config.sctp.receive_window_bytes;
    pc->data.state = LN_SCTP_TRANSPORT_STATE_CONNECTING; /* again, after one that was refused */
    return ln_data_channels_create(&pc->data.channels, &config, &pc->env);
}

int ln_data_agree(struct ln_peer_connection *pc, const struct ln_jsep_agreed *agreed)
{
    int error = ln_data_need_channels(pc);

    if (!error && !pc->data.agreed)
        error = ln_data_snap_agree(pc, agreed);
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

/* Its event is queued; without room for it the handle only shows it. */
static void end_handle(struct ln_data_channel *handle)
{
    struct ln_event close = { .kind = LN_EVENT_CLOSE };

    ln_data_keep_figures(handle);
    handle->state = LN_DATA_CHANNEL_STATE_CLOSED;
    handle->channel = 0;
    handle->pc->data.closed++;
    close.u.channel = handle;
    if (handle->released)
        ln_data_handle_free(handle);
    else if (!ln_push_event(handle->pc, &close))
        handle->shown = LN_DATA_CHANNEL_STATE_CLOSED;
}

void ln_data_refuse(struct ln_peer_connection *pc)
{
    struct ln_data *data = &pc->data;

    LN_LIST_EACH_SAFE (at, after, &data->handles) {
        struct ln_data_channel *handle = LN_CONTAINER(at, struct ln_data_channel, link);

        if (handle->channel)
            end_handle(handle);
    }
    ln_data_channels_free(data->channels);
    data->channels = NULL;
    ln_data_snap_forget(pc);
    data->wanted = data->agreed = data->started = false;
    data->m_line = -1;
    data->state = LN_SCTP_TRANSPORT_STATE_CLOSED;
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
