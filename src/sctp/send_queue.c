/* SPDX-License-Identifier: Apache-2.0
 * Invariants: a stream is with the scheduler exactly while the first of its messages has bytes that
 * may go; queued_bytes is the sum of unsent - held over messages in their streams, buffered that of
 * one stream; a message is freed when it is out of its stream and no fragment refers to it, a part
 * when the message has passed it and no fragment refers to it. */
#include "sctp/send_queue.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sctp/tsn.h"

#include <assert.h>
#include <string.h>

#define STREAMS_MAX   65536u
#define SHORT_MESSAGE 1024u /* goes in one packet, mostly */

int ln_send_queue_init(struct ln_send_queue *queue, struct ln_allocator *allocator,
                       struct ln_blocks *blocks, struct ln_list *news, size_t limit_bytes,
                       const struct ln_sctp_scheduler_ops *ops)
{
    memset(queue, 0, sizeof *queue);
    queue->allocator = allocator;
    queue->blocks = blocks;
    queue->news = news;
    queue->ops = ops;
    queue->limit_bytes = limit_bytes;
    ln_list_init(&queue->wanting);
    ln_list_init(&queue->unstamped);
    ln_list_init(&queue->unfinished);
    queue->scheduler = ln_alloc_zero(allocator, ops->state_bytes);
    if (!queue->scheduler)
        return LN_ERR_NOMEM;
    ops->init(queue->scheduler);
    return 0;
}

static void give_back(struct ln_send_queue *queue, void *block, size_t bytes)
{
    ln_blocks_put(queue->blocks, block, bytes);
    queue->held_bytes -= bytes;
    if (!ln_list_empty(&queue->wanting))
        ln_send_queue_tell_room(queue);
}

static void free_part(struct ln_send_queue *queue, struct ln_part *part)
{
    if (part->block_bytes > 0)
        give_back(queue, part, part->block_bytes);
}

static void free_message(struct ln_send_queue *queue, struct ln_outgoing *message)
{
    if (message->sending)
        free_part(queue, message->sending);
    ln_list_remove(&message->unstamped);
    give_back(queue, message, message->block_bytes);
}

/* The first of the stream's messages has changed, or whether it may go: the scheduler sees it, and
 * when it came. */
void ln_send_queue_update(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    const struct ln_outgoing *first = ln_list_empty(&stream->messages)
                                          ? NULL
                                          : LN_CONTAINER(stream->messages.next, struct ln_outgoing,
                                                         link);
    bool waiting = first && ln_outgoing_ready(first);
    uint64_t arrival = waiting ? first->arrival : 0;

    if (stream->schedule.waiting == waiting && stream->schedule.arrival == arrival)
        return;
    if (stream->schedule.waiting) {
        queue->ops->remove(queue->scheduler, &stream->schedule);
        queue->waiting_streams--;
    }
    stream->schedule.waiting = waiting;
    stream->schedule.arrival = arrival;
    if (waiting) {
        queue->ops->add(queue->scheduler, &stream->schedule);
        queue->waiting_streams++;
    }
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
        queue->unfinished_bytes += message->weight;
    } else {
        ln_list_remove(&message->unfinished);
        queue->unfinished_bytes -= message->weight;
    }
}

static void free_parts_behind(struct ln_send_queue *queue, struct ln_part *part)
{
    struct ln_part *next;

    for (struct ln_part *at = part->next; at; at = next) {
        next = at->next;
        free_part(queue, at);
    }
    part->next = NULL;
    part->assigned = part->len;
}

/* What of it was not sent will not be. */
void ln_send_queue_unlink(struct ln_send_queue *queue, struct ln_out_stream *stream,
                          struct ln_outgoing *message)
{
    size_t waits = (size_t)(message->unsent - message->held);

    ln_send_queue_lose_open(queue, message);
    ln_list_remove(&message->link);
    message->out = true;
    message->unsent = message->held = 0;
    if (queue->current == message)
        queue->current = NULL;
    set_unfinished(queue, message, false);
    ln_send_queue_update(queue, stream);
    reduce_buffered(queue, stream, waits);
    if (message->sending) {
        free_parts_behind(queue, message->sending);
        message->last = message->sending;
    }
    if (message->fragments == 0)
        free_message(queue, message);
}

struct ln_part *ln_send_queue_give_up_rest(struct ln_send_queue *queue, struct ln_outgoing *message)
{
    struct ln_part *part = message->sending;

    part->fragments++;
    message->fragments++;
    ln_send_queue_unlink(queue, queue->streams[message->stream], message);
    return part;
}

void ln_send_queue_deinit(struct ln_send_queue *queue)
{
    for (size_t i = 0; i < queue->stream_capacity; i++) {
        struct ln_out_stream *stream = queue->streams[i];

        if (!stream)
            continue;
        while (!ln_list_empty(&stream->messages))
            ln_send_queue_unlink(queue, stream,
                                 LN_CONTAINER(stream->messages.next, struct ln_outgoing, link));
        ln_list_remove(&stream->room.link);
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
    ln_list_init(&stream->wanting);
    ln_list_init(&stream->schedule.link);
    stream->schedule.priority = 256;
    ln_news_init(&stream->low, LN_SCTP_EVENT_BUFFERED_LOW);
    ln_news_init(&stream->reset_done, LN_SCTP_EVENT_OUTGOING_RESET);
    ln_news_init(&stream->reset_asked, LN_SCTP_EVENT_RESET_REQUESTED);
    ln_news_init(&stream->room, LN_SCTP_EVENT_ROOM);
    queue->streams[id] = stream;
    return stream;
}

struct ln_outgoing *ln_send_queue_append(struct ln_send_queue *queue, struct ln_out_stream *stream,
                                         uint32_t ppid, size_t more,
                                         const struct ln_sctp_send_options *options)
{
    struct ln_outgoing *message;
    size_t bytes;

    message = ln_blocks_get(queue->blocks, sizeof *message + more, &bytes);
    if (!message)
        return NULL;
    memset(message, 0, sizeof *message);
    message->block_bytes = bytes;
    message->lifetime = options->lifetime;
    message->deadline = LN_TIME_NEVER;
    message->max_retransmits = options->max_retransmits;
    message->unordered = options->unordered;
    message->stream = stream->id;
    message->ppid = ppid;
    ln_list_init(&message->unstamped);
    ln_list_init(&message->unfinished);
    if (message->lifetime != LN_TIME_NEVER)
        ln_list_append(&queue->unstamped, &message->unstamped);
    ln_list_append(&stream->messages, &message->link);
    queue->held_bytes += bytes;
    message->arrival = ++queue->arrivals;
    return message;
}

int ln_send_queue_push(struct ln_send_queue *queue, struct ln_out_stream *stream, uint32_t ppid,
                       const uint8_t *data, size_t len, const struct ln_sctp_send_options *options)
{
    struct ln_outgoing *message = ln_send_queue_append(queue, stream, ppid, len, options);

    if (!message)
        return LN_ERR_NOMEM;
    message->part.message = message;
    message->part.data = (uint8_t *)(message + 1);
    message->part.cap = message->part.len = (uint32_t)len;
    message->sending = message->last = &message->part;
    message->unsent = message->len = message->max_len = message->weight = len;
    memcpy(message->part.data, data, len);
    stream->buffered += len;
    queue->queued_bytes += len;
    ln_send_queue_update(queue, stream);
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

/* The first of those begun that may go on; otherwise that one. */
static struct ln_outgoing *first_unfinished(const struct ln_send_queue *queue,
                                            struct ln_outgoing *otherwise)
{
    LN_LIST_EACH (at, &queue->unfinished) {
        struct ln_outgoing *message = LN_CONTAINER(at, struct ln_outgoing, unfinished);

        if (ln_outgoing_ready(message))
            return message;
    }
    return otherwise;
}

static bool may_begin(const struct ln_send_queue *queue, const struct ln_outgoing *message)
{
    return ln_list_empty(&queue->unfinished) || message->weight <= SHORT_MESSAGE ||
           queue->unfinished_bytes + message->weight <= queue->unfinished_limit;
}

struct ln_outgoing *ln_send_queue_next(struct ln_send_queue *queue, ln_time now)
{
    struct ln_schedulable *chosen;

    if (queue->current && !queue->interleaving)
        return ln_outgoing_ready(queue->current) ? queue->current : NULL;
    while ((chosen = queue->ops->next(queue->scheduler)) != NULL) {
        struct ln_out_stream *stream = LN_CONTAINER(chosen, struct ln_out_stream, schedule);
        struct ln_outgoing *message = LN_CONTAINER(stream->messages.next, struct ln_outgoing, link);

        if (message->begun)
            return message;
        if (!ln_time_due(message->deadline, now))
            return may_begin(queue, message) ? message : first_unfinished(queue, message);
        queue->abandoned++;
        ln_send_queue_unlink(queue, stream, message);
    }
    return NULL;
}

size_t ln_outgoing_next_bytes(const struct ln_outgoing *message)
{
    size_t together = message->sending->len - message->sending->assigned;
    uint64_t may_go = message->unsent - message->held;

    return together < may_go ? together : (size_t)may_go;
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
    struct ln_part *part = message->sending;
    bool whole = bytes == message->unsent && !message->open;

    assert(bytes <= part->len - part->assigned && bytes <= message->unsent - message->held);
    if (!message->begun) {
        message->begun = true;
        message->mid = take_mid(queue, stream, message->unordered);
    }
    part->fragments++;
    message->fragments++;
    part->assigned += (uint32_t)bytes;
    message->unsent -= bytes;
    if (part->assigned == part->len && part->next)
        message->sending = part->next;
    queue->current = whole ? NULL : message;
    if (queue->interleaving)
        set_unfinished(queue, message, !whole);
    queue->ops->sent(queue->scheduler, &stream->schedule, bytes, whole, queue->interleaving);
    if (whole) {
        ln_list_remove(&message->link);
        message->out = true;
    }
    if (whole || !ln_outgoing_ready(message))
        ln_send_queue_update(queue, stream);
    reduce_buffered(queue, stream, bytes);
}

void ln_send_queue_release(struct ln_send_queue *queue, struct ln_part *part)
{
    struct ln_outgoing *message = part->message;

    assert(part->fragments > 0 && message->fragments > 0);
    part->fragments--;
    message->fragments--;
    if (part->fragments == 0 && part != message->sending)
        free_part(queue, part);
    if (message->fragments == 0 && message->out)
        free_message(queue, message);
}

void ln_send_queue_discard(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    LN_LIST_EACH_SAFE (at, after, &stream->messages) {
        struct ln_outgoing *message = LN_CONTAINER(at, struct ln_outgoing, link);

        if (!message->begun)
            ln_send_queue_unlink(queue, stream, message);
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
            ln_send_queue_unlink(queue, stream, first);
    }
}
