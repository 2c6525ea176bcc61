/* SPDX-License-Identifier: Apache-2.0
 * Messages that grow, and what they cost. Where their fragments belong: runs.c, interleaved.c.
 *
 * The peer chooses sizes and order; buffers grow by half as much again at the end that needs it, so
 * that even single bytes in reverse order cost no more than a constant factor. What counts in
 * used_bytes is the size of the buffers, not of what is in them. */
#include "sctp/reassembly.h"

#include "base/alloc.h"
#include "sctp/interleaved.h"
#include "sctp/packet.h"
#include "sctp/parts_in.h"
#include "sctp/runs.h"
#include "sctp/streams_in.h"

#include <assert.h>
#include <string.h>

#define RUN_OVERHEAD   192u
#define PART_GUESS_MAX (256u << 10)

void ln_reassembly_init(struct ln_reassembly *r, const struct ln_env *env, struct ln_blocks *blocks,
                        struct ln_list *news, size_t limit_bytes, size_t max_message_bytes)
{
    memset(r, 0, sizeof *r);
    r->allocator = env->allocator;
    r->blocks = blocks;
    r->news = news;
    r->limit_bytes = limit_bytes;
    r->max_message_bytes = max_message_bytes;
    ln_list_init(&r->partial);
    ln_map_init(&r->assemblies, env, LN_ASSEMBLIES_MAX);
}

size_t ln_reassembly_window(const struct ln_reassembly *r)
{
    size_t room = r->used_bytes < r->limit_bytes ? r->limit_bytes - r->used_bytes : 0;

    /* Fragments beyond a hole take more memory than they have bytes. */
    return r->interleaving ? room - room / 4 : room;
}

static void discharge(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    r->used_bytes -= run->charge;
    run->charge = 0;
}

static void free_run(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    discharge(r, run);
    ln_list_remove(&run->partial);
    ln_list_remove(&run->news.link);
    ln_blocks_put(r->blocks, run->data, run->cap);
    ln_blocks_put(r->blocks, run, run->own_bytes);
}

void ln_reassembly_drop(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    if (!message->handed || r->ending) {
        free_run(r, message);
        return;
    }
    ln_list_remove(&message->partial);
    ln_blocks_put(r->blocks, message->data, message->cap);
    message->data = NULL;
    message->cap = message->start = message->len = 0;
    discharge(r, message);
    message->whole = true; /* as far as it goes */
    message->news.kind = LN_SCTP_EVENT_ABANDONED;
    ln_news_tell(r->news, &message->news);
}

void ln_reassembly_release(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    r->taken_bytes += message->len;
    free_run(r, message);
}

void ln_reassembly_hand_over(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    r->taken_bytes += message->len;
    discharge(r, message);
}

/* How large a buffer to take for so many bytes of the run. */
static size_t buffer_for(const struct ln_reassembly *r, const struct ln_sctp_message *run,
                         size_t bytes)
{
    size_t wanted = bytes + bytes / 2, window = ln_reassembly_window(r);

    if (run->begin && run->end)
        return bytes;
    if (run->handed || ln_parts_wanted(r, run->stream)) {
        if (run->last_part > wanted && run->last_part <= PART_GUESS_MAX)
            wanted = run->last_part;
        /* The owner may take it at any time: it need not grow beyond the window. */
        return wanted < bytes + window ? wanted : bytes + window;
    }
    if (run->data == NULL && run->begin && r->last_message_bytes > wanted)
        return r->last_message_bytes;
    return wanted;
}

/* Makes room for `more` bytes behind (or before) what the run has. */
static int make_room(struct ln_reassembly *r, struct ln_sctp_message *run, size_t more, bool before)
{
    size_t cap, start;
    uint8_t *data;

    if (before ? run->start >= more : run->cap - run->start - run->len >= more)
        return 0;
    data = ln_blocks_get(r->blocks, buffer_for(r, run, run->len + more), &cap);
    if (!data)
        return LN_ERR_NOMEM;
    start = before ? cap - run->len - (cap - run->len - more) / 4 : run->begin ? 0 : run->start;
    if (start + run->len + (before ? 0 : more) > cap)
        start = before ? cap - run->len : 0;
    if (run->len > 0)
        memcpy(data + start, run->data + run->start, run->len);
    ln_blocks_put(r->blocks, run->data, run->cap);
    r->used_bytes += cap - run->cap;
    run->charge += cap - run->cap;
    run->data = data;
    run->cap = cap;
    run->start = start;
    return 0;
}

void ln_reassembly_swallow(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    run->too_big = true;
    ln_blocks_put(r->blocks, run->data, run->cap);
    run->data = NULL;
    run->cap = run->start = run->len = 0;
    discharge(r, run);
    run->charge = RUN_OVERHEAD;
    r->used_bytes += RUN_OVERHEAD;
}

int ln_reassembly_put(struct ln_reassembly *r, struct ln_sctp_message *run, const uint8_t *data,
                      size_t len, bool before)
{
    if (run->too_big)
        return 0;
    if (run->len + len > r->max_message_bytes && !run->handed && !ln_parts_wanted(r, run->stream)) {
        ln_reassembly_swallow(r, run);
        return 0;
    }
    if (make_room(r, run, len, before) != 0)
        return LN_ERR_NOMEM;
    if (before) {
        run->start -= len;
        memcpy(run->data + run->start, data, len);
    } else {
        memcpy(run->data + run->start + run->len, data, len);
    }
    run->len += len;
    return 0;
}

struct ln_sctp_message *ln_reassembly_create(struct ln_reassembly *r, const struct ln_fragment *f)
{
    struct ln_sctp_message *run;
    size_t own;

    run = ln_blocks_get(r->blocks, sizeof *run, &own);
    if (!run)
        return NULL;
    memset(run, 0, sizeof *run);
    ln_news_init(&run->news, LN_SCTP_EVENT_MESSAGE);
    ln_list_init(&run->partial);
    run->allocator = r->allocator;
    run->own_bytes = own;
    run->id = r->next_id++;
    run->first_tsn = run->last_tsn = f->tsn;
    run->ppid = f->ppid;
    run->stream = f->stream;
    run->mid = f->mid;
    run->unordered = (f->flags & LN_DATA_UNORDERED) != 0;
    run->begin = (f->flags & LN_DATA_BEGIN) != 0;
    run->end = (f->flags & LN_DATA_END) != 0;
    run->charge = RUN_OVERHEAD;
    r->used_bytes += RUN_OVERHEAD;
    if (ln_reassembly_put(r, run, f->data.data, f->data.len, false) != 0) {
        free_run(r, run);
        return NULL;
    }
    return run;
}

void ln_reassembly_complete(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    run->whole = true;
    if (run->too_big)
        run->news.kind = LN_SCTP_EVENT_MESSAGE_TOO_BIG;
    else if (!run->handed)
        r->last_message_bytes = run->len;
    r->messages++;
    ln_in_stream_deliver(r, run);
}

/* Whether there is memory for it. What follows the cumulative point without a hole may use one
 * message beyond the limit, else a window full of later fragments could never be emptied. */
static bool fits(const struct ln_reassembly *r, const struct ln_fragment *f, uint64_t cumulative)
{
    size_t limit = r->limit_bytes;

    if (f->tsn == cumulative + 1)
        limit += ln_parts_wanted(r, f->stream) ? LN_PART_BEYOND_BYTES : r->max_message_bytes;
    return r->used_bytes + f->data.len + RUN_OVERHEAD <= limit;
}

int ln_reassembly_add(struct ln_reassembly *r, const struct ln_fragment *f, uint64_t cumulative)
{
    int error;

    if (!fits(r, f, cumulative))
        return LN_ERR_LIMIT;
    error = ln_in_stream_reserve(r, f->stream, (f->flags & LN_DATA_UNORDERED) == 0, f->mid);
    if (error)
        return error;
    return r->interleaving ? ln_interleaved_add(r, f) : ln_runs_add(r, f, cumulative);
}

void ln_reassembly_restart(struct ln_reassembly *r)
{
    ln_runs_drop_all(r);
    ln_interleaved_clear(r);
    ln_in_streams_clear(r);
}

void ln_reassembly_deinit(struct ln_reassembly *r)
{
    r->ending = true;
    ln_reassembly_restart(r);
    ln_in_streams_free(r);
    ln_map_deinit(&r->assemblies);
    ln_free(r->allocator, r->edges);
    r->edges = NULL;
    r->edge_capacity = 0;
}
