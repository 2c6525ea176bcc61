/* SPDX-License-Identifier: Apache-2.0
 * The owner's calls for messages in pieces, both ways: sctp.h says what they do; the queue's side
 * is open_message.c, reassembly's parts_in.c. */
#include "sctp/association.h"

#include "base/time.h"
#include "sctp/parts_in.h"

int ln_sctp_begin_message(struct ln_sctp *s, uint16_t stream_id, uint32_t ppid, uint64_t max_bytes,
                          const struct ln_sctp_send_options *options)
{
    static const struct ln_sctp_send_options reliable = LN_SCTP_RELIABLE;
    struct ln_out_stream *stream;
    int error = ln_association_sendable_stream(s, stream_id, &stream);

    if (error)
        return error;
    if (stream->open)
        return LN_ERR_INVALID_STATE;
    if (ln_send_queue_room_for_whole(&s->queue) == 0)
        return LN_ERR_LIMIT;
    return ln_send_queue_begin(&s->queue, stream, ppid, max_bytes, options ? options : &reliable);
}

/* The stream whose message is open. */
static int find_open(struct ln_sctp *s, uint16_t stream_id, struct ln_out_stream **ret_stream)
{
    struct ln_out_stream *stream = ln_send_queue_stream(&s->queue, stream_id);

    if (s->state == LN_ASSOCIATION_ENDED)
        return LN_ERR_CLOSED;
    if (stream && stream->open_lost) {
        stream->open_lost = false;
        return LN_ERR_ABORT;
    }
    if (!stream || !stream->open)
        return LN_ERR_INVALID_STATE;
    *ret_stream = stream;
    return 0;
}

/* One that is sent when it is whole must not fill the buffer before. */
static uint64_t largest(const struct ln_sctp *s, const struct ln_outgoing *message)
{
    uint64_t whole = s->config.send_buffer_bytes / 2;

    return s->peer_known && !s->queue.skippable && whole < message->max_len ? whole
                                                                            : message->max_len;
}

int ln_sctp_write_message(struct ln_sctp *s, uint16_t stream_id, const void *data, size_t len,
                          size_t *ret_taken)
{
    struct ln_out_stream *stream;
    int error = find_open(s, stream_id, &stream);

    if (error)
        return error;
    if (len > UINT64_MAX - stream->open->len || stream->open->len + len > largest(s, stream->open))
        return LN_ERR_TOO_BIG;
    error = ln_send_queue_write(&s->queue, stream, data, len, ret_taken);
    s->want_now = true;
    return error;
}

size_t ln_sctp_message_room(const struct ln_sctp *s, uint16_t stream_id)
{
    const struct ln_out_stream *stream = ln_send_queue_stream(&s->queue, stream_id);

    return stream && stream->open ? ln_send_queue_room(&s->queue, stream) : 0;
}

int ln_sctp_finish_message(struct ln_sctp *s, uint16_t stream_id, uint32_t empty_ppid)
{
    struct ln_out_stream *stream;
    int error = find_open(s, stream_id, &stream);

    if (error)
        return error;
    ln_send_queue_finish(&s->queue, stream, empty_ppid);
    s->want_now = true;
    return 0;
}

int ln_sctp_abandon_message(struct ln_sctp *s, uint16_t stream_id)
{
    struct ln_out_stream *stream;
    int error = find_open(s, stream_id, &stream);

    if (error)
        return error;
    ln_send_queue_cut(&s->queue, stream);
    stream->open_lost = false;
    ln_list_remove(&stream->room.link);
    s->want_now = true;
    return 0;
}

/* Whether the message under way waits for its owner while others wait for it, and since when. */
void ln_streaming_watch(struct ln_sctp *s, ln_time now)
{
    struct ln_outgoing *current = s->queue.current;
    bool stalled = ln_send_queue_stalled(&s->queue);

    if (stalled && s->starving_since == LN_TIME_NEVER) {
        s->starving_since = now;
    } else if (!stalled && s->starving_since != LN_TIME_NEVER) {
        if (current)
            current->starved += now - s->starving_since;
        s->starving_since = LN_TIME_NEVER;
    }
}

ln_time ln_streaming_deadline(const struct ln_sctp *s)
{
    const struct ln_outgoing *current = s->queue.current;

    if (s->starving_since == LN_TIME_NEVER || !current)
        return LN_TIME_NEVER;
    return ln_time_add(s->starving_since, LN_SCTP_STARVED_MAX - current->starved);
}

void ln_streaming_timeout(struct ln_sctp *s)
{
    struct ln_out_stream *stream = s->queue.streams[s->queue.current->stream];

    s->starving_since = LN_TIME_NEVER;
    ln_send_queue_cut(&s->queue, stream);
    stream->open_lost = true;
    ln_news_tell(&s->news, &stream->room);
}

int ln_sctp_set_parts(struct ln_sctp *s, uint16_t stream, bool parts)
{
    return ln_parts_set(&s->reassembly, stream, parts, s->received.cumulative);
}
