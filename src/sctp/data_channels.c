/* SPDX-License-Identifier: Apache-2.0
 * Data channels: the owner's calls. RFC 8831, 6; RFC 8832, 6; W3C webrtc, 6.2.
 *
 * A channel is CONNECTING until the association is up, OPEN until one side closes, CLOSING until
 * both sides have reset the stream, CLOSED then; its id is free from that moment. */
#include "sctp/data_channels.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/trace.h"
#include "sctp/data_channels_state.h"

#include <assert.h>
#include <string.h>

void ln_data_channels_config_init(struct ln_data_channels_config *config)
{
    memset(config, 0, sizeof *config);
    ln_sctp_config_init(&config->sctp);
    config->max_channels = LN_CHANNELS_MAX;
}

void ln_channel_options_init(struct ln_channel_options *options)
{
    memset(options, 0, sizeof *options);
    options->max_lifetime_ms = options->max_retransmits = LN_CHANNEL_NO_LIMIT;
    options->id = LN_CHANNEL_NO_ID;
    options->priority = LN_CHANNEL_PRIORITY_LOW;
}

int ln_data_channels_create(struct ln_data_channels **ret_channels,
                            const struct ln_data_channels_config *config, const struct ln_env *env)
{
    struct ln_data_channels *d = ln_alloc_zero(env->allocator, sizeof *d);
    int error;

    if (!d)
        return LN_ERR_NOMEM;
    error = ln_sctp_create(&d->sctp, &config->sctp, env);
    if (error) {
        ln_free(env->allocator, d);
        return error;
    }
    d->env = env;
    d->trace_object = config->sctp.trace_object;
    d->send_buffer_bytes = config->sctp.send_buffer_bytes;
    d->streams = config->sctp.streams;
    d->remote_max_message = LN_REMOTE_MESSAGE_DEFAULT;
    ln_channel_table_init(&d->table, env->allocator, config->max_channels);
    ln_list_init(&d->news);
    *ret_channels = d;
    return 0;
}

void ln_data_channels_free(struct ln_data_channels *d)
{
    if (!d)
        return;
    ln_channels_drop_early(d, 0, true);
    ln_sctp_message_free(d->lent);
    ln_free(d->env->allocator, d->early);
    ln_channel_table_deinit(&d->table);
    ln_sctp_free(d->sctp);
    ln_free(d->env->allocator, d);
}

void ln_channels_tell(struct ln_data_channels *d, struct ln_channel_object *channel, uint8_t what)
{
    channel->tell |= what;
    if (ln_list_empty(&channel->news))
        ln_list_append(&d->news, &channel->news);
}

void ln_channels_set_state(struct ln_data_channels *d, struct ln_channel_object *channel,
                           enum ln_channel_state state, int error)
{
    static const uint8_t told[] = { 0, LN_CHANNEL_TELL_OPEN, LN_CHANNEL_TELL_CLOSING,
                                    LN_CHANNEL_TELL_CLOSED };

    if (channel->info.state == state)
        return;
    assert(state > channel->info.state);
    ln_trace_emit(d->env->trace, d->now, LN_TRACE_CHANNEL_STATE, d->trace_object, channel->info.id,
                  channel->info.state, state, 0);
    channel->info.state = state;
    if (error)
        channel->error = error;
    if (state == LN_CHANNEL_OPEN)
        d->stats.opened++;
    if (state == LN_CHANNEL_CLOSED) {
        d->stats.closed++;
        if (channel->parts && channel->info.id != LN_CHANNEL_NO_ID)
            (void)!ln_sctp_set_parts(d->sctp, (uint16_t)channel->info.id, false); /* cannot fail */
        ln_channel_table_unbind(&d->table, channel);
    }
    ln_channels_tell(d, channel, told[state]);
}

/* Queues our OPEN, once the channel has its id. */
static int queue_open(struct ln_data_channels *d, struct ln_channel_object *channel)
{
    const struct ln_channel_info *info = &channel->info;
    struct ln_dcep_open open = {
        .unordered = info->unordered,
        .max_lifetime_ms = info->max_lifetime_ms,
        .max_retransmits = info->max_retransmits,
        .priority = info->priority,
        .label = { (const uint8_t *)info->label, info->label_len },
        .protocol = { (const uint8_t *)info->protocol, info->protocol_len },
    };
    size_t cap = LN_DCEP_OPEN_HEAD_BYTES + info->label_len + info->protocol_len;
    uint8_t *bytes = ln_alloc(d->env->allocator, cap);
    int len, error;

    if (!bytes)
        return LN_ERR_NOMEM;
    len = ln_dcep_open_write(&open, bytes, cap);
    assert(len > 0);
    error = ln_sctp_send(d->sctp, (uint16_t)info->id, LN_PPID_DCEP, bytes, (size_t)len, NULL);
    ln_free(d->env->allocator, bytes);
    if (error == 0) {
        channel->open_queued = true;
        channel->dcep_bytes = (size_t)len;
        channel->stream_bytes = (uint64_t)len;
    }
    return error;
}

static uint32_t id_end(const struct ln_data_channels *d)
{
    struct ln_sctp_stats stats;

    if (!d->connected)
        return d->streams < LN_CHANNEL_ID_MAX + 1u ? d->streams : LN_CHANNEL_ID_MAX + 1u;
    ln_sctp_stats(d->sctp, &stats);
    return stats.outgoing_streams;
}

/* Gives the channel its stream, as far as is known which. */
static int attach(struct ln_data_channels *d, struct ln_channel_object *channel, int32_t id)
{
    int error;

    if (id == LN_CHANNEL_NO_ID && d->role_known) {
        id = ln_channel_table_free_id(&d->table, d->client ? 0 : 1, id_end(d));
        if (id == LN_CHANNEL_NO_ID)
            return LN_ERR_OPERATION;
    }
    if (id == LN_CHANNEL_NO_ID)
        return 0; /* until the role is known */
    error = ln_channel_table_bind(&d->table, channel, (uint16_t)id);
    if (error)
        return error;
    (void)!ln_sctp_set_priority(d->sctp, (uint16_t)id, channel->info.priority);
    (void)!ln_sctp_set_buffered_low(d->sctp, (uint16_t)id, channel->low_threshold);
    if (channel->parts && ln_sctp_set_parts(d->sctp, (uint16_t)id, true) != 0)
        return LN_ERR_NOMEM;
    if (channel->info.negotiated)
        channel->acknowledged = true;
    else
        error = queue_open(d, channel);
    if (error == 0 && d->connected)
        ln_channels_set_state(d, channel, LN_CHANNEL_OPEN, 0);
    return error;
}

static bool options_valid(const struct ln_channel_options *o)
{
    if (o->max_lifetime_ms >= 0 && o->max_retransmits >= 0)
        return false;
    if (o->id != LN_CHANNEL_NO_ID && (o->id < 0 || o->id > LN_CHANNEL_ID_MAX))
        return false;
    if (o->negotiated && o->id == LN_CHANNEL_NO_ID)
        return false;
    return o->label_len <= LN_CHANNEL_LABEL_MAX && o->protocol_len <= LN_CHANNEL_LABEL_MAX &&
           ln_utf8_valid(o->label, o->label_len) && ln_utf8_valid(o->protocol, o->protocol_len);
}

int ln_data_channels_open(struct ln_data_channels *d, const struct ln_channel_options *options,
                          ln_channel *ret_channel)
{
    struct ln_channel_object *channel;
    int error;

    if (!options_valid(options))
        return LN_ERR_INVALID_ARGUMENT;
    if (d->ended)
        return LN_ERR_INVALID_STATE;
    if (options->id != LN_CHANNEL_NO_ID &&
        (ln_channel_table_by_id(&d->table, (uint16_t)options->id) ||
         (uint32_t)options->id >= id_end(d)))
        return LN_ERR_OPERATION;
    error = ln_channel_table_add(&d->table, options, &channel);
    if (error)
        return error;
    channel->parts = options->parts;
    error = attach(d, channel, options->id);
    if (error) {
        ln_channel_table_remove(&d->table, channel);
        return error == LN_ERR_RANGE || error == LN_ERR_INVALID_STATE ? LN_ERR_OPERATION : error;
    }
    *ret_channel = channel->handle;
    return 0;
}

void ln_data_channels_set_role(struct ln_data_channels *d, bool dtls_client)
{
    struct ln_channel_object *channel;

    if (d->role_known)
        return;
    d->role_known = true;
    d->client = dtls_client;
    for (size_t slot = 0; (channel = ln_channel_table_from(&d->table, slot)) != NULL;
         slot = ln_channel_slot_of(channel->handle) + 1) {
        int error;

        if (channel->info.id != LN_CHANNEL_NO_ID || channel->info.state != LN_CHANNEL_CONNECTING)
            continue;
        error = attach(d, channel, LN_CHANNEL_NO_ID);
        if (error)
            ln_channels_set_state(d, channel, LN_CHANNEL_CLOSED, error);
    }
}

void ln_data_channels_set_remote_max_message(struct ln_data_channels *d, uint64_t bytes)
{
    d->remote_max_message = bytes;
}

uint64_t ln_data_channels_max_message(const struct ln_data_channels *d)
{
    uint64_t own = d->send_buffer_bytes;

    return d->remote_max_message == 0 || d->remote_max_message > own ? own : d->remote_max_message;
}

/* Limited reliability holds for both sides (RFC 8832, 5.1); until the acknowledgement everything is
 * ordered, so that no message comes before the OPEN (RFC 8832, 6). */
struct ln_sctp_send_options ln_channels_send_options(const struct ln_channel_object *channel)
{
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;

    options.unordered = channel->info.unordered && channel->acknowledged;
    if (channel->info.max_lifetime_ms >= 0)
        options.lifetime = LN_MILLISECONDS(channel->info.max_lifetime_ms);
    if (channel->info.max_retransmits >= 0)
        options.max_retransmits = (uint32_t)channel->info.max_retransmits;
    return options;
}

int ln_data_channels_send(struct ln_data_channels *d, ln_channel handle, bool text,
                          const void *data, size_t len)
{
    static const uint8_t empty;
    struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);
    struct ln_sctp_send_options options;
    uint32_t ppid = text ? LN_PPID_STRING : LN_PPID_BINARY;
    int error;

    if (!channel || channel->info.state != LN_CHANNEL_OPEN)
        return LN_ERR_INVALID_STATE;
    if (len > ln_data_channels_max_message(d))
        return LN_ERR_TOO_BIG;
    options = ln_channels_send_options(channel);
    if (len == 0)
        error = ln_sctp_send(d->sctp, (uint16_t)channel->info.id,
                             text ? LN_PPID_STRING_EMPTY : LN_PPID_BINARY_EMPTY, &empty, 1,
                             &options);
    else
        error = ln_sctp_send(d->sctp, (uint16_t)channel->info.id, ppid, data, len, &options);
    if (error == LN_ERR_CLOSED || error == LN_ERR_RANGE)
        return LN_ERR_INVALID_STATE;
    if (error)
        return error;
    channel->info.messages_sent++;
    channel->info.bytes_sent += len;
    channel->stream_bytes += len > 0 ? len : 1;
    return 0;
}

void ln_channels_begin_closing(struct ln_data_channels *d, struct ln_channel_object *channel)
{
    if (channel->reset_asked)
        return;
    channel->reset_asked = true;
    /* Without memory for it the stream could never be reset: then it is closed on our side only. */
    if (ln_sctp_reset_stream(d->sctp, (uint16_t)channel->info.id) != 0)
        ln_channels_set_state(d, channel, LN_CHANNEL_CLOSED, LN_ERR_NOMEM);
}

void ln_data_channels_close(struct ln_data_channels *d, ln_channel handle)
{
    struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);

    if (!channel || channel->info.state >= LN_CHANNEL_CLOSING)
        return;
    ln_channels_set_state(d, channel, LN_CHANNEL_CLOSING, 0);
    /* Nothing of it is on the wire yet. */
    if (channel->info.id == LN_CHANNEL_NO_ID || (channel->info.negotiated && !d->connected))
        ln_channels_set_state(d, channel, LN_CHANNEL_CLOSED, 0);
    else
        ln_channels_begin_closing(d, channel);
}

void ln_data_channels_abort(struct ln_data_channels *d)
{
    ln_sctp_abort(d->sctp);
}

bool ln_data_channels_get(const struct ln_data_channels *d, ln_channel handle,
                          struct ln_channel_info *ret_info)
{
    const struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);

    if (!channel)
        return false;
    *ret_info = channel->info;
    return true;
}

size_t ln_data_channels_buffered_amount(const struct ln_data_channels *d, ln_channel handle)
{
    const struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);
    size_t buffered;
    uint64_t sent;

    if (!channel || channel->info.id == LN_CHANNEL_NO_ID ||
        channel->info.state == LN_CHANNEL_CLOSED)
        return 0;
    buffered = ln_sctp_buffered_amount(d->sctp, (uint16_t)channel->info.id);
    /* Our OPEN or ACK went first; what of it still waits is not the application's. */
    sent = channel->stream_bytes > buffered ? channel->stream_bytes - buffered : 0;
    if (sent < channel->dcep_bytes)
        buffered -= buffered < channel->dcep_bytes - (size_t)sent
                        ? buffered
                        : channel->dcep_bytes - (size_t)sent;
    return buffered;
}

void ln_data_channels_set_buffered_low(struct ln_data_channels *d, ln_channel handle,
                                       size_t threshold)
{
    struct ln_channel_object *channel = ln_channel_table_get(&d->table, handle);

    if (!channel)
        return;
    channel->low_threshold = threshold;
    if (channel->info.id != LN_CHANNEL_NO_ID && channel->info.state != LN_CHANNEL_CLOSED)
        (void)!ln_sctp_set_buffered_low(d->sctp, (uint16_t)channel->info.id, threshold);
}

ln_channel ln_data_channels_next(const struct ln_data_channels *d, ln_channel after)
{
    const struct ln_channel_object *channel = ln_channel_table_from(
        &d->table, after ? ln_channel_slot_of(after) + 1 : 0);

    return channel ? channel->handle : 0;
}

size_t ln_data_channels_own_init(struct ln_data_channels *d, uint8_t *out, size_t cap)
{
    return ln_sctp_own_init(d->sctp, out, cap);
}

bool ln_data_channels_init_acceptable(const struct ln_data_channels *d, const uint8_t *data,
                                      size_t len)
{
    return ln_sctp_init_acceptable(d->sctp, data, len);
}

int ln_data_channels_set_peer_init(struct ln_data_channels *d, const uint8_t *data, size_t len)
{
    return ln_sctp_set_peer_init(d->sctp, data, len);
}

void ln_data_channels_start(struct ln_data_channels *d, ln_time now)
{
    d->now = now;
    ln_sctp_start(d->sctp, now);
}

void ln_data_channels_receive(struct ln_data_channels *d, ln_time now, const uint8_t *data,
                              size_t len)
{
    d->now = now;
    ln_sctp_receive(d->sctp, now, data, len);
}

void ln_data_channels_on_timeout(struct ln_data_channels *d, ln_time now)
{
    d->now = now;
    ln_sctp_on_timeout(d->sctp, now);
}

ln_time ln_data_channels_next_timeout(const struct ln_data_channels *d)
{
    return ln_sctp_next_timeout(d->sctp);
}

size_t ln_data_channels_poll_transmit(struct ln_data_channels *d, ln_time now, uint8_t *out,
                                      size_t cap)
{
    return ln_sctp_poll_transmit(d->sctp, now, out, cap);
}

bool ln_data_channels_may_fragment(const struct ln_data_channels *d)
{
    return ln_sctp_may_fragment(d->sctp);
}

void ln_data_channels_path_changed(struct ln_data_channels *d, ln_time now)
{
    ln_sctp_path_changed(d->sctp, now);
}

void ln_data_channels_restart_congestion(struct ln_data_channels *d, ln_time now)
{
    ln_sctp_restart_congestion(d->sctp, now);
}

const struct ln_sctp *ln_data_channels_association(const struct ln_data_channels *d)
{
    return d->sctp;
}

void ln_data_channels_stats(const struct ln_data_channels *d,
                            struct ln_data_channels_stats *ret_stats)
{
    *ret_stats = d->stats;
}
