/* SPDX-License-Identifier: Apache-2.0
 * RFC 9260, 6.5 and 6.6; RFC 3758, 3.6; RFC 6525, 5.2.2.
 *
 * waiting[] is sorted by distance from next_mid; messages mostly come in order, so that insertion
 * is mostly at the end and removal always at the front. */
#include "sctp/streams_in.h"

#include "base/alloc.h"
#include "sctp/interleaved.h"
#include "sctp/tsn.h"

#include <assert.h>
#include <string.h>

#define STREAMS_MAX 65536u
#define WAITING_MAX 32768u /* half the sequence numbers */

static struct ln_in_stream *find(const struct ln_reassembly *r, uint16_t id)
{
    return id < r->stream_capacity ? r->streams[id] : NULL;
}

static struct ln_in_stream *make(struct ln_reassembly *r, uint16_t id)
{
    struct ln_in_stream *stream = find(r, id);

    if (stream)
        return stream;
    while (id >= r->stream_capacity) {
        size_t before = r->stream_capacity;

        if (ln_grow(r->allocator, &r->streams, sizeof(*r->streams), before, &r->stream_capacity,
                    STREAMS_MAX) != 0)
            return NULL;
        memset(r->streams + before, 0, (r->stream_capacity - before) * sizeof(*r->streams));
    }
    stream = ln_alloc_zero(r->allocator, sizeof *stream);
    if (!stream)
        return NULL;
    stream->id = id;
    stream->next_mid = r->interleaving ? r->initial_ssn : (uint16_t)r->initial_ssn;
    ln_list_init(&stream->assemblies);
    ln_news_init(&stream->reset, LN_SCTP_EVENT_INCOMING_RESET);
    r->streams[id] = stream;
    return stream;
}

int ln_in_stream_reserve(struct ln_reassembly *r, uint16_t id, bool ordered, uint32_t mid)
{
    struct ln_in_stream *s = make(r, id);

    if (!s)
        return LN_ERR_NOMEM;
    if (!ordered || mid == s->next_mid || s->waiting_first + s->waiting_count < s->waiting_capacity)
        return 0;
    if (s->waiting_first > 0) {
        memmove(s->waiting, s->waiting + s->waiting_first, s->waiting_count * sizeof(*s->waiting));
        s->waiting_first = 0;
        return 0;
    }
    return ln_grow(r->allocator, &s->waiting, sizeof(*s->waiting), s->waiting_count,
                   &s->waiting_capacity, WAITING_MAX);
}

static void tell(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    ln_news_tell(r->news, &message->news); /* one told in parts may be there already */
}

static struct ln_sctp_message *first_waiting(const struct ln_in_stream *s)
{
    return s->waiting_count > 0 ? s->waiting[s->waiting_first] : NULL;
}

static struct ln_sctp_message *take_first(struct ln_in_stream *s)
{
    struct ln_sctp_message *message = s->waiting[s->waiting_first];

    s->waiting_count--;
    s->waiting_first = s->waiting_count > 0 ? s->waiting_first + 1 : 0;
    return message;
}

static void deliver_ready(struct ln_reassembly *r, struct ln_in_stream *s)
{
    while (s->waiting_count > 0 && first_waiting(s)->mid == s->next_mid) {
        tell(r, take_first(s));
        s->next_mid = ln_mid_next(r->interleaving, s->next_mid);
    }
    ln_interleaved_offer_next(r, s);
}

static int32_t ahead(const struct ln_reassembly *r, const struct ln_in_stream *s, uint32_t mid)
{
    return ln_mid_distance(r->interleaving, s->next_mid, mid);
}

/* Returns false when that number waits already. */
static bool insert(const struct ln_reassembly *r, struct ln_in_stream *s,
                   struct ln_sctp_message *message)
{
    struct ln_sctp_message **waiting = s->waiting + s->waiting_first;
    int32_t distance = ahead(r, s, message->mid);
    size_t low = 0, high = s->waiting_count;

    if (high > 0 && ahead(r, s, waiting[high - 1]->mid) < distance)
        low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ahead(r, s, waiting[middle]->mid) < distance)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->waiting_count && waiting[low]->mid == message->mid)
        return false;
    assert(s->waiting_first + s->waiting_count < s->waiting_capacity);
    memmove(waiting + low + 1, waiting + low, (s->waiting_count - low) * sizeof(*waiting));
    waiting[low] = message;
    s->waiting_count++;
    return true;
}

void ln_in_stream_deliver(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    struct ln_in_stream *s = find(r, message->stream);

    assert(s);
    if (message->unordered) {
        tell(r, message);
    } else if (message->mid == s->next_mid) {
        s->next_mid = ln_mid_next(r->interleaving, s->next_mid);
        tell(r, message);
        deliver_ready(r, s);
    } else if (ahead(r, s, message->mid) < 0 || !insert(r, s, message)) {
        r->dropped_malformed++;
        ln_reassembly_drop(r, message);
    }
}

void ln_reassembly_skip_mid(struct ln_reassembly *r, uint16_t id, bool unordered, uint32_t mid)
{
    struct ln_in_stream *s = make(r, id);

    if (!s)
        return;
    ln_interleaved_skip(r, s, unordered, mid);
    if (unordered || ahead(r, s, mid) < 0)
        return;
    while (s->waiting_count > 0 &&
           ln_mid_distance(r->interleaving, first_waiting(s)->mid, mid) >= 0)
        tell(r, take_first(s));
    s->next_mid = ln_mid_next(r->interleaving, mid);
    deliver_ready(r, s);
}

static void drop_waiting(struct ln_reassembly *r, struct ln_in_stream *s)
{
    while (s->waiting_count > 0)
        ln_reassembly_release(r, take_first(s));
    ln_free(r->allocator, s->waiting);
    s->waiting = NULL;
    s->waiting_capacity = s->waiting_first = 0;
    s->next_mid = 0;
}

int ln_reassembly_reset_stream(struct ln_reassembly *r, uint16_t id)
{
    struct ln_in_stream *s = make(r, id);

    if (!s)
        return LN_ERR_NOMEM;
    ln_interleaved_drop(r, s);
    drop_waiting(r, s);
    ln_news_tell(r->news, &s->reset);
    return 0;
}

void ln_reassembly_reset_all(struct ln_reassembly *r)
{
    for (size_t i = 0; i < r->stream_capacity; i++) {
        if (!r->streams[i])
            continue;
        ln_interleaved_drop(r, r->streams[i]);
        drop_waiting(r, r->streams[i]);
        ln_news_tell(r->news, &r->streams[i]->reset);
    }
}

void ln_in_streams_clear(struct ln_reassembly *r)
{
    for (size_t i = 0; i < r->stream_capacity; i++)
        if (r->streams[i])
            drop_waiting(r, r->streams[i]);
}

void ln_in_streams_free(struct ln_reassembly *r)
{
    for (size_t i = 0; i < r->stream_capacity; i++) {
        if (!r->streams[i])
            continue;
        ln_list_remove(&r->streams[i]->reset.link);
        ln_free(r->allocator, r->streams[i]->waiting);
        ln_free(r->allocator, r->streams[i]);
    }
    ln_free(r->allocator, r->streams);
    r->streams = NULL;
    r->stream_capacity = 0;
}
