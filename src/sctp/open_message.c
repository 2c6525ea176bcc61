/* SPDX-License-Identifier: Apache-2.0
 * Messages that are written piece by piece. Part of the send queue.
 *
 * The last fragment of a message says so (the E bit), and nobody knows which one it is before the
 * owner finishes the message: its last byte is held back until another follows it. A stream whose
 * message has nothing that may go leaves the scheduler and comes back with the next piece.
 *
 * With interleaving (RFC 8260) other streams go on meanwhile. Without it the fragments of a message
 * have consecutive TSNs (RFC 9260, 6.9), and whoever begins one keeps all others waiting until it
 * ends. So it is held until it is whole, as far as that costs no more than WHOLE_FIRST bytes, and
 * begins earlier only when it is longer, or when the memory is full; output.c then bounds the time
 * that its owner may keep others waiting. A peer that takes no FORWARD TSN could not be told that
 * a message was given up half way: to it each is held until it is whole. */
#include "sctp/send_queue.h"

#include <assert.h>
#include <string.h>

#define WHOLE_FIRST   (1u << 20)
#define PART_MIN      2048u
#define PART_MAX      65536u
#define RESERVE       65536u /* for a message under way, so that it can go on */
#define LENGTH_HIDDEN 65536u /* what one whose length is not known counts as unfinished */

static size_t reserve(const struct ln_send_queue *queue)
{
    return queue->limit_bytes / 4 < RESERVE ? queue->limit_bytes / 4 : RESERVE;
}

static size_t room_above(const struct ln_send_queue *queue, size_t kept)
{
    size_t used = queue->held_bytes + kept;

    return used < queue->limit_bytes ? queue->limit_bytes - used : 0;
}

size_t ln_send_queue_room_for_whole(const struct ln_send_queue *queue)
{
    return room_above(queue, queue->open_count > 0 ? reserve(queue) : 0);
}

/* Whether others wait for the end of the message, or would as soon as it has bytes. */
static bool must_go_on(const struct ln_send_queue *queue, const struct ln_out_stream *stream)
{
    const struct ln_outgoing *message = stream->open;

    if (!message || message->begun)
        return message;
    return stream->messages.next == &message->link && (queue->interleaving || !queue->current);
}

size_t ln_send_queue_room(const struct ln_send_queue *queue, const struct ln_out_stream *stream)
{
    return room_above(queue, must_go_on(queue, stream) ? 0 : reserve(queue));
}

void ln_send_queue_tell_room(struct ln_send_queue *queue)
{
    LN_LIST_EACH_SAFE (at, after, &queue->wanting) {
        struct ln_out_stream *stream = LN_CONTAINER(at, struct ln_out_stream, wanting);

        if (ln_send_queue_room(queue, stream) < reserve(queue) / 2)
            continue;
        ln_list_remove(&stream->wanting);
        ln_news_tell(queue->news, &stream->room);
    }
}

/* What of its unsent bytes waits for the owner. */
static uint64_t held_now(const struct ln_send_queue *queue, const struct ln_outgoing *message)
{
    bool whole_first = !queue->interleaving && !message->pressed && message->unsent < WHOLE_FIRST;

    if (!message->open || message->unsent == 0)
        return 0;
    if (!message->begun && (whole_first || !queue->skippable))
        return message->unsent;
    return 1;
}

/* `more` bytes were added, or it was finished, or the rules are others now. */
static void settle(struct ln_send_queue *queue, struct ln_out_stream *stream,
                   struct ln_outgoing *message, size_t more)
{
    uint64_t held = message->held, added;

    message->unsent += more;
    message->len += more;
    message->held = held_now(queue, message);
    added = held + more - message->held;
    stream->buffered += (size_t)added;
    queue->queued_bytes += (size_t)added;
    ln_send_queue_update(queue, stream);
}

void ln_send_queue_agree(struct ln_send_queue *queue, bool interleaving, bool skippable)
{
    queue->interleaving = interleaving;
    queue->skippable = skippable;
    if (queue->open_count == 0)
        return;
    for (size_t i = 0; i < queue->stream_capacity; i++)
        if (queue->streams[i] && queue->streams[i]->open)
            settle(queue, queue->streams[i], queue->streams[i]->open, 0);
}

int ln_send_queue_begin(struct ln_send_queue *queue, struct ln_out_stream *stream, uint32_t ppid,
                        uint64_t max_len, const struct ln_sctp_send_options *options)
{
    struct ln_outgoing *message = ln_send_queue_append(queue, stream, ppid, 0, options);

    if (!message)
        return LN_ERR_NOMEM;
    message->open = true;
    message->max_len = max_len;
    message->weight = max_len < LENGTH_HIDDEN ? (size_t)max_len : LENGTH_HIDDEN;
    stream->open = message;
    stream->open_lost = false;
    queue->open_count++;
    return 0;
}

static struct ln_part *add_part(struct ln_send_queue *queue, struct ln_out_stream *stream,
                                size_t wanted, int *ret_error)
{
    struct ln_outgoing *message = stream->open;
    /* A block may be a quarter larger than what is asked for. */
    size_t room = ln_send_queue_room(queue, stream) / 5 * 4, bytes;
    /* One of which a byte is held is held whole: a few must fit. */
    size_t most = queue->limit_bytes / 8 < PART_MAX ? queue->limit_bytes / 8 : PART_MAX;
    size_t least = most / 2 < PART_MIN ? most / 2 : PART_MIN;
    struct ln_part *part;

    wanted = wanted < least ? least : wanted < most ? wanted : most;
    if (room < sizeof *part + least) {
        *ret_error = LN_ERR_LIMIT;
        return NULL;
    }
    if (wanted > room - sizeof *part)
        wanted = room - sizeof *part;
    part = ln_blocks_get(queue->blocks, sizeof *part + wanted, &bytes);
    if (!part) {
        *ret_error = LN_ERR_NOMEM;
        return NULL;
    }
    memset(part, 0, sizeof *part);
    part->message = message;
    part->data = (uint8_t *)(part + 1);
    part->block_bytes = bytes;
    part->cap = (uint32_t)(bytes - sizeof *part);
    queue->held_bytes += bytes;
    if (message->last)
        message->last->next = part;
    else
        message->sending = part;
    message->last = part;
    return part;
}

int ln_send_queue_write(struct ln_send_queue *queue, struct ln_out_stream *stream,
                        const uint8_t *data, size_t len, size_t *ret_taken)
{
    struct ln_outgoing *message = stream->open;
    size_t taken = 0;
    int error = 0;

    while (taken < len) {
        struct ln_part *part = message->last;
        size_t n;

        if (!part || part->len == part->cap)
            part = add_part(queue, stream, len - taken, &error);
        if (!part)
            break;
        n = part->cap - part->len < len - taken ? part->cap - part->len : len - taken;
        memcpy(part->data + part->len, data + taken, n);
        part->len += (uint32_t)n;
        taken += n;
    }
    if (taken < len) {
        message->pressed = message->pressed || error == LN_ERR_LIMIT;
        if (ln_list_empty(&stream->wanting))
            ln_list_append(&queue->wanting, &stream->wanting);
    }
    settle(queue, stream, message, taken);
    if (taken == 0 && error)
        return error;
    *ret_taken = taken;
    return 0;
}

static void close_open(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    stream->open->open = false;
    stream->open = NULL;
    queue->open_count--;
    ln_list_remove(&stream->wanting);
}

void ln_send_queue_finish(struct ln_send_queue *queue, struct ln_out_stream *stream,
                          uint32_t empty_ppid)
{
    struct ln_outgoing *message = stream->open;
    size_t more = 0;

    if (message->len == 0) {
        message->ppid = empty_ppid;
        message->part.message = message;
        message->part.data = &message->nothing;
        message->part.cap = message->part.len = 1;
        message->sending = message->last = &message->part;
        more = 1;
    }
    close_open(queue, stream);
    settle(queue, stream, message, more);
}

static void cut(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    struct ln_outgoing *message = stream->open;

    if (!message->begun) {
        ln_send_queue_unlink(queue, stream, message);
        return;
    }
    close_open(queue, stream);
    message->deadline = LN_TIME_IMMEDIATE;
    ln_list_remove(&message->unstamped);
    settle(queue, stream, message, 0);
}

void ln_send_queue_cut(struct ln_send_queue *queue, struct ln_out_stream *stream)
{
    if (stream && stream->open)
        cut(queue, stream);
    for (size_t i = 0; !stream && i < queue->stream_capacity && queue->open_count > 0; i++)
        if (queue->streams[i] && queue->streams[i]->open)
            cut(queue, queue->streams[i]);
}

void ln_send_queue_lose_open(struct ln_send_queue *queue, struct ln_outgoing *message)
{
    struct ln_out_stream *stream = queue->streams[message->stream];

    if (!message->open)
        return;
    close_open(queue, stream);
    stream->open_lost = true;
    ln_news_tell(queue->news, &stream->room);
}
