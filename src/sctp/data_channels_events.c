/* SPDX-License-Identifier: Apache-2.0
 * Data channels: what the association tells, turned into news of channels. RFC 8831, 6.5 to 6.7;
 * RFC 8832, 5 and 6.
 *
 * News of channels are told before the association is asked for more, so that a channel's open
 * event comes before its first message and its closed event after its last. */
#include "base/alloc.h"
#include "sctp/data_channels_state.h"

#include <string.h>

bool ln_channels_text_ppid(uint32_t ppid)
{
    return ppid == LN_PPID_STRING || ppid == LN_PPID_STRING_EMPTY;
}

bool ln_channels_user_ppid(uint32_t ppid)
{
    return ln_channels_text_ppid(ppid) || ppid == LN_PPID_BINARY || ppid == LN_PPID_BINARY_EMPTY;
}

/* Early messages. */

static void remove_early(struct ln_data_channels *d, size_t i)
{
    d->early_bytes -= d->early[i].len;
    d->early_count--;
    memmove(d->early + i, d->early + i + 1, (d->early_count - i) * sizeof *d->early);
}

void ln_channels_drop_early(struct ln_data_channels *d, uint16_t stream, bool all)
{
    for (size_t i = 0; i < d->early_count;) {
        if (all || d->early[i].stream == stream) {
            ln_sctp_message_free(d->early[i].message);
            remove_early(d, i);
        } else {
            i++;
        }
    }
}

static void keep_early(struct ln_data_channels *d, const struct ln_sctp_event *event)
{
    struct ln_sctp_message *message;

    if (!d->early)
        d->early = ln_alloc_array(d->env->allocator, LN_EARLY_MESSAGES_MAX, sizeof *d->early);
    if (!d->early || d->early_count == LN_EARLY_MESSAGES_MAX ||
        d->early_bytes + event->len > LN_EARLY_BYTES_MAX ||
        (message = ln_sctp_take_message(d->sctp)) == NULL) {
        d->stats.dropped_unknown++;
        return;
    }
    d->early[d->early_count++] = (struct ln_early_message){ message,     event->data,
                                                            event->len,  event->message,
                                                            event->ppid, event->stream };
    d->early_bytes += event->len;
}

static int fill_message(struct ln_channel_object *channel, uint64_t id, uint32_t ppid,
                        const uint8_t *data, size_t len, struct ln_data_channels_event *ret_event)
{
    bool empty = ppid == LN_PPID_STRING_EMPTY || ppid == LN_PPID_BINARY_EMPTY;

    ret_event->kind = channel->parts ? LN_DATA_CHANNELS_PART : LN_DATA_CHANNELS_MESSAGE;
    ret_event->message = id;
    ret_event->first = ret_event->last = true;
    ret_event->channel = channel->handle;
    ret_event->text = ln_channels_text_ppid(ppid);
    ret_event->data = data;
    ret_event->len = empty ? 0 : len; /* the one byte of an empty message is nothing */
    channel->info.messages_received++;
    channel->info.bytes_received += ret_event->len;
    return 1;
}

/* An early message whose channel is open by now. */
static int tell_early(struct ln_data_channels *d, struct ln_data_channels_event *ret_event)
{
    for (size_t i = 0; i < d->early_count; i++) {
        struct ln_early_message early = d->early[i];
        struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, early.stream);

        if (!channel || channel->info.state != LN_CHANNEL_OPEN)
            continue;
        remove_early(d, i);
        d->lent = early.message;
        return fill_message(channel, early.id, early.ppid, early.data, early.len, ret_event);
    }
    return 0;
}

/* The other side's OPEN and ACK. */

static void refuse(struct ln_data_channels *d, uint16_t stream)
{
    (void)!ln_sctp_reset_stream(d->sctp, stream);
}

static void on_open(struct ln_data_channels *d, const struct ln_sctp_event *event)
{
    static const uint8_t ack = LN_DCEP_ACK;
    struct ln_channel_options options;
    struct ln_channel_object *channel;
    struct ln_dcep_open open;

    if (ln_channel_table_by_id(&d->table, event->stream)) {
        d->stats.dropped_in_use++; /* the channel that is there goes on */
        return;
    }
    if (ln_dcep_open_read(event->data, event->len, &open) != 0) {
        d->stats.dropped_malformed++;
        refuse(d, event->stream);
        return;
    }
    if (event->stream > LN_CHANNEL_ID_MAX ||
        (d->role_known && (event->stream & 1) != (d->client ? 1 : 0))) {
        d->stats.dropped_parity++;
        refuse(d, event->stream);
        return;
    }
    ln_channel_options_init(&options);
    options.label = (const char *)open.label.data;
    options.label_len = open.label.len;
    options.protocol = (const char *)open.protocol.data;
    options.protocol_len = open.protocol.len;
    options.unordered = open.unordered;
    options.max_lifetime_ms = open.max_lifetime_ms;
    options.max_retransmits = open.max_retransmits;
    options.priority = open.priority;
    if (ln_channel_table_add(&d->table, &options, &channel) != 0) {
        refuse(d, event->stream);
        return;
    }
    if (ln_channel_table_bind(&d->table, channel, event->stream) != 0 ||
        ln_sctp_send(d->sctp, event->stream, LN_PPID_DCEP, &ack, 1, NULL) != 0) {
        ln_channel_table_remove(&d->table, channel);
        refuse(d, event->stream);
        return;
    }
    (void)!ln_sctp_set_priority(d->sctp, event->stream, open.priority);
    (void)!ln_sctp_set_buffered_low(d->sctp, event->stream, 0);
    channel->info.incoming = true;
    channel->acknowledged = true;
    channel->dcep_bytes = 1;
    channel->stream_bytes = 1;
    ln_channels_tell(d, channel, LN_CHANNEL_TELL_INCOMING);
    ln_channels_set_state(d, channel, LN_CHANNEL_OPEN, 0);
}

void ln_channels_on_dcep(struct ln_data_channels *d, const struct ln_sctp_event *event)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, event->stream);

    if (event->data[0] == LN_DCEP_OPEN) {
        on_open(d, event);
    } else if (event->data[0] == LN_DCEP_ACK && event->len == 1) {
        if (channel && channel->open_queued)
            channel->acknowledged = true;
        else
            d->stats.dropped_unknown++;
    } else {
        d->stats.dropped_malformed++;
    }
}

/* Returns 1 when ret_event was filled. */
static int on_message(struct ln_data_channels *d, const struct ln_sctp_event *event,
                      struct ln_data_channels_event *ret_event)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, event->stream);

    if (event->ppid == LN_PPID_DCEP) {
        ln_channels_on_dcep(d, event);
        return 0;
    }
    if (!ln_channels_user_ppid(event->ppid)) {
        d->stats.dropped_unknown++;
        return 0;
    }
    if (!channel || channel->info.state == LN_CHANNEL_CONNECTING) {
        keep_early(d, event);
        return 0;
    }
    if (channel->info.state != LN_CHANNEL_OPEN)
        return 0;                 /* W3C: nothing is delivered once closing */
    channel->acknowledged = true; /* whoever sends on it has seen our OPEN */
    return fill_message(channel, event->message, event->ppid, event->data, event->len, ret_event);
}

/* Resets. */

static void finish_closing(struct ln_data_channels *d, struct ln_channel_object *channel, int error)
{
    if (channel->out_done && channel->in_done)
        ln_channels_set_state(d, channel, LN_CHANNEL_CLOSED, error);
}

static void on_incoming_reset(struct ln_data_channels *d, uint16_t stream)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, stream);

    ln_channels_drop_early(d, stream, false);
    if (!channel || channel->info.state == LN_CHANNEL_CONNECTING)
        return;
    channel->in_done = true;
    if (channel->info.state == LN_CHANNEL_OPEN) {
        ln_channels_set_state(d, channel, LN_CHANNEL_CLOSING, 0);
        ln_sctp_discard(d->sctp, stream); /* the other side takes nothing any more */
        ln_channels_begin_closing(d, channel);
    }
    finish_closing(d, channel, 0);
}

static void on_outgoing_reset(struct ln_data_channels *d, uint16_t stream, int error)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, stream);

    if (!channel)
        return;
    channel->out_done = true;
    /* A stream that cannot be reset, or was never granted, is closed on our side alone. */
    if (error) {
        channel->in_done = true;
        if (channel->reset_asked)
            error = 0;
    }
    if (error || channel->info.state == LN_CHANNEL_CLOSING)
        finish_closing(d, channel, error);
}

static void fail_channel(struct ln_data_channels *d, uint16_t stream, int error)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, stream);

    if (!channel || channel->info.state != LN_CHANNEL_OPEN)
        return;
    channel->error = error;
    ln_channels_set_state(d, channel, LN_CHANNEL_CLOSING, error);
    ln_channels_begin_closing(d, channel);
}

void ln_channels_end_all(struct ln_data_channels *d, int error)
{
    struct ln_channel_object *channel;

    for (size_t slot = 0; (channel = ln_channel_table_from(&d->table, slot)) != NULL;
         slot = ln_channel_slot_of(channel->handle) + 1)
        ln_channels_set_state(d, channel, LN_CHANNEL_CLOSED, error);
    ln_channels_drop_early(d, 0, true);
}

static void on_connected(struct ln_data_channels *d)
{
    struct ln_channel_object *channel;

    d->connected = d->tell_connected = true;
    for (size_t slot = 0; (channel = ln_channel_table_from(&d->table, slot)) != NULL;
         slot = ln_channel_slot_of(channel->handle) + 1)
        if (channel->info.id != LN_CHANNEL_NO_ID && channel->info.state == LN_CHANNEL_CONNECTING)
            ln_channels_set_state(d, channel, LN_CHANNEL_OPEN, 0);
}

static void on_low(struct ln_data_channels *d, uint16_t stream)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, stream);

    /* Our own OPEN or ACK leaving is no news. */
    if (channel && channel->info.state == LN_CHANNEL_OPEN && channel->info.messages_sent > 0)
        ln_channels_tell(d, channel, LN_CHANNEL_TELL_LOW);
}

static void on_room(struct ln_data_channels *d, uint16_t stream)
{
    struct ln_channel_object *channel = ln_channel_table_by_id(&d->table, stream);

    if (channel && channel->info.state == LN_CHANNEL_OPEN)
        ln_channels_tell(d, channel, LN_CHANNEL_TELL_ROOM);
}

/* Returns 1 when ret_event was filled. */
static int on_association_event(struct ln_data_channels *d, const struct ln_sctp_event *event,
                                struct ln_data_channels_event *ret_event)
{
    switch (event->kind) {
    case LN_SCTP_EVENT_CONNECTED:
        on_connected(d);
        return 0;
    case LN_SCTP_EVENT_CLOSED:
        d->ended = d->tell_ended = true;
        d->end_error = event->error;
        ln_channels_end_all(d, event->error);
        return 0;
    case LN_SCTP_EVENT_RESTARTED:
        ln_channels_end_all(d, LN_ERR_RESET);
        return 0;
    case LN_SCTP_EVENT_MESSAGE:
        return on_message(d, event, ret_event);
    case LN_SCTP_EVENT_MESSAGE_TOO_BIG:
        fail_channel(d, event->stream, LN_ERR_TOO_BIG);
        return 0;
    case LN_SCTP_EVENT_INCOMING_RESET:
        on_incoming_reset(d, event->stream);
        return 0;
    case LN_SCTP_EVENT_OUTGOING_RESET:
        on_outgoing_reset(d, event->stream, event->error);
        return 0;
    case LN_SCTP_EVENT_RESET_REQUESTED:
        fail_channel(d, event->stream, 0);
        return 0;
    case LN_SCTP_EVENT_BUFFERED_LOW:
        on_low(d, event->stream);
        return 0;
    case LN_SCTP_EVENT_ROOM:
        on_room(d, event->stream);
        return 0;
    case LN_SCTP_EVENT_PART:
        return ln_channels_on_part(d, event, ret_event);
    case LN_SCTP_EVENT_ABANDONED:
        return ln_channels_on_abandoned(d, event, ret_event);
    }
    return 0;
}

/* The next news of the first channel that has some. */
static void tell_channel(struct ln_data_channels *d, struct ln_data_channels_event *ret_event)
{
    static const struct {
        enum ln_data_channels_event_kind kind;
        enum ln_channel_state state;
    } news[] = {
        /* in the order of the LN_CHANNEL_TELL bits */
        { LN_DATA_CHANNELS_INCOMING, LN_CHANNEL_CONNECTING },
        { LN_DATA_CHANNELS_STATE, LN_CHANNEL_OPEN },
        { LN_DATA_CHANNELS_BUFFERED_LOW, LN_CHANNEL_CONNECTING },
        { LN_DATA_CHANNELS_ROOM, LN_CHANNEL_CONNECTING },
        { LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSING },
        { LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED },
    };
    struct ln_channel_object *channel = LN_CONTAINER(d->news.next, struct ln_channel_object, news);
    unsigned bit = (unsigned)__builtin_ctz(channel->tell);

    channel->tell &= (uint8_t) ~(1u << bit);
    if (channel->tell == 0)
        ln_list_remove(&channel->news);
    ret_event->channel = channel->handle;
    ret_event->kind = news[bit].kind;
    ret_event->state = news[bit].state;
    if (1u << bit == LN_CHANNEL_TELL_CLOSED) {
        ret_event->error = channel->error;
        d->told_closed = channel;
    }
}

static void clean_up(struct ln_data_channels *d)
{
    if (d->told_closed)
        ln_channel_table_remove(&d->table, d->told_closed);
    d->told_closed = NULL;
    ln_sctp_message_free(d->lent);
    d->lent = NULL;
}

int ln_data_channels_poll_event(struct ln_data_channels *d,
                                struct ln_data_channels_event *ret_event)
{
    struct ln_data_channels_event told;
    struct ln_sctp_event event;

    clean_up(d);
    memset(&told, 0, sizeof told);
    do {
        if (d->tell_connected) {
            d->tell_connected = false;
            told.kind = LN_DATA_CHANNELS_CONNECTED;
            break;
        }
        if (!ln_list_empty(&d->news)) {
            tell_channel(d, &told);
            break;
        }
        if (d->tell_ended) {
            d->tell_ended = false;
            told.kind = LN_DATA_CHANNELS_CLOSED;
            told.error = d->end_error;
            break;
        }
        if (d->early_count > 0 && tell_early(d, &told))
            break;
        if (!ln_sctp_poll_event(d->sctp, &event))
            return 0;
    } while (!on_association_event(d, &event, &told));
    *ret_event = told;
    return 1;
}

struct ln_sctp_message *ln_data_channels_take_message(struct ln_data_channels *d)
{
    struct ln_sctp_message *message = d->lent;

    d->lent = NULL;
    return message ? message : ln_sctp_take_message(d->sctp);
}
