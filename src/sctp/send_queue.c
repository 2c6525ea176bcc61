/* SPDX-License-Identifier: Apache-2.0
 * Invariants: a stream is with the scheduler exactly while it has messages; queued_bytes is the sum
 * of len - assigned over waiting messages; a message is freed when it is out of its stream and no
 * fragment refers to it. */
#include "sctp/send_queue.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sctp/tsn.h"

#include <assert.h>
#include <string.h>

#define STREAMS_MAX   65536u
#define SHORT_MESSAGE 1024u /* goes in one packet, mostly */

int ln_send_queue_init(struct ln_send_queue *queue, struct ln_allocator *allocator,
                       struct ln_blocks *blocks, struct ln_list *news,
                       const struct ln_sctp_scheduler_ops *ops)
{
    memset(queue, 0, sizeof *queue);
    queue->allocator = allocator;
    queue->blocks = blocks;
    queue->news = news;
    queue->ops = ops;
    ln_list_init(&queue->unstamped);
    ln_list_init(&queue->unfinished);
    queue->scheduler = ln_alloc_zero(allocator, ops->state_bytes);
    if (!queue->scheduler)
        return LN_ERR_NOMEM;
    ops->init(queue->scheduler);
    return 0;
}

static void free_message(struct ln_send_queue *queue, struct ln_outgoing *message)
{
    ln_list_remove(&message->unstamped);
    queue->held_bytes -= message->block_bytes;
    ln_blocks_put(queue->blocks, message, message->block_bytes);
}

/* The stream's list of messages has changed: the scheduler sees whether it has any, and when the
 * first of them came. */
static void update_schedule(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    bool waiting = !ln_list_empty(&stream->messages);
    uint64_t arrival = waiting
                           ? LN_CONTAINER(stream->messages.next, struct ln_outgoing, link)->arrival
                           : 0;

    if (stream->schedule.waiting == waiting && stream->schedule.arrival == arrival)
        return;
    if (stream->schedule.waiting)
        queue->ops->remove(queue->scheduler, &stream->schedule);
    stream->schedule.waiting = waiting;
    stream->schedule.arrival = arrival;
    if (waiting)
        queue->ops->add(queue->scheduler, &stream->schedule);
}

static void reduce_buffered(struct ln_send_queue *queue, struct ln_out_stream *stream, size_t bytes)
{
    bool above = stream->buffered > stream->low_threshold;

    assert(bytes <= stream->buffered && bytes <= queue->queued_bytes);
    stream->buffered -= bytes;
    queue->queued_bytes -= bytes;
    if (above && stream->buffered <= stream->low_threshold)
        ln_news_tell(queue->news, &stream->low);
}

static void set_unfinished(struct ln_send_queue *queue, struct ln_outgoing *message,
                           bool unfinished)
{
    if (ln_list_empty(&message->unfinished) != unfinished)
        return;
    if (unfinished) {
        ln_list_append(&queue->unfinished, &message->unfinished);
        queue->unfinished_bytes += message->len;
    } else {
        ln_list_remove(&message->unfinished);
        queue->unfinished_bytes -= message->len;
    }
}

/* Takes a message out of its stream; what of it was not sent will not be. */
static void unlink_message(struct ln_send_queue *queue, struct ln_out_stream *stream,
                           struct ln_outgoing *message)
{
    ln_list_remove(&message->link);
    if (queue->current == message)
        queue->current = NULL;
    set_unfinished(queue, message, false);
    update_schedule(queue, stream);
    reduce_buffered(queue, stream, message->len - message->assigned);
    message->assigned = message->len;
    if (message->fragments == 0)
        free_message(queue, message);
}

void ln_send_queue_deinit(struct ln_send_queue *queue)
{
    for (size_t i = 0; i < queue->stream_capacity; i++) {
        struct ln_out_stream *stream = queue->streams[i];

        if (!stream)
            continue;
        while (!ln_list_empty(&stream->messages))
            unlink_message(queue, stream,
                           LN_CONTAINER(stream->messages.next, struct ln_outgoing, link));
        ln_list_remove(&stream->low.link);
        ln_list_remove(&stream->reset_done.link);
        ln_list_remove(&stream->reset_asked.link);
        ln_free(queue->allocator, stream);
    }
    ln_free(queue->allocator, queue->streams);
    ln_free(queue->allocator, queue->scheduler);
}

struct ln_out_stream *ln_send_queue_stream(const struct ln_send_queue *queue, uint16_t id)
{
    return id < queue->stream_capacity ? queue->streams[id] : NULL;
}

struct ln_out_stream *ln_send_queue_make_stream(struct ln_send_queue *queue, uint16_t id)
{
    struct ln_out_stream *stream = ln_send_queue_stream(queue, id);

    if (stream)
        return stream;
    while (id >= queue->stream_capacity) {
        size_t before = queue->stream_capacity;

        if (ln_grow(queue->allocator, &queue->streams, sizeof(*queue->streams), before,
                    &queue->stream_capacity, STREAMS_MAX) != 0)
            return NULL;
        memset(queue->streams + before, 0,
               (queue->stream_capacity - before) * sizeof(*queue->streams));
    }
    stream = ln_alloc_zero(queue->allocator, sizeof *stream);
    if (!stream)
        return NULL;
    stream->id = id;
    stream->next_mid = queue->initial_ssn;
    ln_list_init(&stream->messages);
    ln_list_init(&stream->resetting);
    ln_list_init(&stream->schedule.link);
    stream->schedule.priority = 256;
    ln_news_init(&stream->low, LN_SCTP_EVENT_BUFFERED_LOW);
    ln_news_init(&stream->reset_done, LN_SCTP_EVENT_OUTGOING_RESET);
    ln_news_init(&stream->reset_asked, LN_SCTP_EVENT_RESET_REQUESTED);
    queue->streams[id] = stream;
    return stream;
}

int ln_send_queue_push(struct ln_send_queue *queue, struct ln_out_stream *stream, uint32_t ppid,
                       const uint8_t *data, size_t len, const struct ln_sctp_send_options *options)
{
    struct ln_outgoing *message;
    size_t bytes;

    message = ln_blocks_get(queue->blocks, sizeof *message + len, &bytes);
    if (!message)
        return LN_ERR_NOMEM;
    memset(message, 0, sizeof *message);
    message->block_bytes = bytes;
    message->lifetime = options->lifetime;
    message->deadline = LN_TIME_NEVER;
    message->max_retransmits = options->max_retransmits;
    message->unordered = options->unordered;
    message->stream = stream->id;
    message->ppid = ppid;
    message->len = (uint32_t)len;
    memcpy(message->data, data, len);
    ln_list_init(&message->unstamped);
    ln_list_init(&message->unfinished);
    if (message->lifetime != LN_TIME_NEVER)
        ln_list_append(&queue->unstamped, &message->unstamped);
    ln_list_append(&stream->messages, &message->link);
    stream->buffered += len;
    queue->queued_bytes += len;
    queue->held_bytes += bytes;
    message->arrival = ++queue->arrivals;
    update_schedule(queue, stream);
    return 0;
}

void ln_send_queue_stamp(struct ln_send_queue *queue, ln_time now)
{
    while (!ln_list_empty(&queue->unstamped)) {
        struct ln_outgoing *message = LN_CONTAINER(queue->unstamped.next, struct ln_outgoing,
                                                   unstamped);

        message->deadline = ln_time_add(now, message->lifetime);
        ln_list_remove(&message->unstamped);
    }
}

static struct ln_outgoing *first_unfinished(const struct ln_send_queue *queue)
{
    return LN_CONTAINER(queue->unfinished.next, struct ln_outgoing, unfinished);
}

static bool may_begin(const struct ln_send_queue *queue, const struct ln_outgoing *message)
{
    return ln_list_empty(&queue->unfinished) || message->len <= SHORT_MESSAGE ||
           queue->unfinished_bytes + message->len <= queue->unfinished_limit;
}

struct ln_outgoing *ln_send_queue_next(struct ln_send_queue *queue, ln_time now)
{
    struct ln_schedulable *chosen;

    if (queue->current && !queue->interleaving)
        return queue->current;
    while ((chosen = queue->ops->next(queue->scheduler)) != NULL) {
        struct ln_out_stream *stream = LN_CONTAINER(chosen, struct ln_out_stream, schedule);
        struct ln_outgoing *message = LN_CONTAINER(stream->messages.next, struct ln_outgoing, link);

        if (message->begun)
            return message;
        if (!ln_time_due(message->deadline, now))
            return may_begin(queue, message) ? message : first_unfinished(queue);
        queue->abandoned++;
        unlink_message(queue, stream, message);
    }
    return NULL;
}

static uint32_t take_mid(struct ln_send_queue *queue, struct ln_out_stream *stream, bool unordered)
{
    uint32_t *next = unordered ? &stream->next_unordered_mid : &stream->next_mid, mid = *next;

    if (unordered && !queue->interleaving)
        return 0;
    *next = ln_mid_next(queue->interleaving, mid);
    return mid;
}

void ln_send_queue_assign(struct ln_send_queue *queue, struct ln_outgoing *message, size_t bytes)
{
    struct ln_out_stream *stream = queue->streams[message->stream];
    bool whole = message->assigned + bytes == message->len;

    assert(bytes <= message->len - message->assigned);
    if (!message->begun) {
        message->begun = true;
        message->mid = take_mid(queue, stream, message->unordered);
    }
    message->fragments++;
    message->assigned += (uint32_t)bytes;
    queue->current = whole ? NULL : message;
    if (queue->interleaving)
        set_unfinished(queue, message, !whole);
    queue->ops->sent(queue->scheduler, &stream->schedule, bytes, whole, queue->interleaving);
    if (whole) {
        ln_list_remove(&message->link);
        update_schedule(queue, stream);
    }
    reduce_buffered(queue, stream, bytes);
}

void ln_send_queue_release(struct ln_send_queue *queue, struct ln_outgoing *message)
{
    assert(message->fragments > 0);
    message->fragments--;
    if (message->fragments == 0 && message->assigned == message->len)
        free_message(queue, message);
}

void ln_send_queue_discard(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    LN_LIST_EACH_SAFE (at, after, &stream->messages) {
        struct ln_outgoing *message = LN_CONTAINER(at, struct ln_outgoing, link);

        if (!message->begun)
            unlink_message(queue, stream, message);
    }
}

void ln_send_queue_restart(struct ln_send_queue *queue)
{
    queue->current = NULL;
    for (size_t i = 0; i < queue->stream_capacity; i++) {
        struct ln_out_stream *stream = queue->streams[i];
        struct ln_outgoing *first;

        if (!stream)
            continue;
        stream->next_mid = stream->next_unordered_mid = 0;
        if (ln_list_empty(&stream->messages))
            continue;
        first = LN_CONTAINER(stream->messages.next, struct ln_outgoing, link);
        if (first->begun)
            unlink_message(queue, stream, first);
    }
}
