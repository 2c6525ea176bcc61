/* SPDX-License-Identifier: Apache-2.0
 * Runs on the line of TSNs (RFC 9260, 6.9).
 *
 * edges[] is a ring by TSN. A run that lacks its end stands at its last TSN, one that lacks its
 * beginning at its first: a fragment finds both neighbours in one look each. Whatever lies at or
 * below the cumulative TSN was received, so only the run ending exactly there can still grow, and
 * all live edges are within LN_TSN_AHEAD_MAX of each other.
 *
 * The peer chooses sizes and order; buffers grow by half as much again at the end that needs it, so
 * that even single bytes in reverse order cost no more than a constant factor. What counts in
 * used_bytes is the size of the buffers, not of what is in them. */
#include "sctp/reassembly.h"

#include "base/alloc.h"
#include "sctp/interleaved.h"
#include "sctp/packet.h"
#include "sctp/parts_in.h"
#include "sctp/sack.h"
#include "sctp/streams_in.h"

#include <assert.h>
#include <string.h>

#define FIRST_EDGES  64u
#define RUN_OVERHEAD 192u
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

static struct ln_sctp_message **edge(const struct ln_reassembly *r, uint64_t tsn)
{
    return &r->edges[tsn & (r->edge_capacity - 1)];
}

static void set_edges(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    if (!run->begin)
        *edge(r, run->first_tsn) = run;
    if (!run->end)
        *edge(r, run->last_tsn) = run;
}

static void clear_edges(struct ln_reassembly *r, const struct ln_sctp_message *run)
{
    if (*edge(r, run->first_tsn) == run)
        *edge(r, run->first_tsn) = NULL;
    if (*edge(r, run->last_tsn) == run)
        *edge(r, run->last_tsn) = NULL;
}

static int reserve_edges(struct ln_reassembly *r, uint64_t distance)
{
    size_t capacity = r->edge_capacity ? r->edge_capacity : FIRST_EDGES;
    struct ln_sctp_message **edges;

    /* Two more: the neighbours of the fragment. */
    while (capacity < distance + 3)
        capacity *= 2;
    if (capacity == r->edge_capacity)
        return 0;
    edges = ln_alloc_array(r->allocator, capacity, sizeof(*edges));
    if (!edges)
        return LN_ERR_NOMEM;
    ln_free(r->allocator, r->edges);
    r->edges = edges;
    r->edge_capacity = capacity;
    LN_LIST_EACH (at, &r->partial) {
        set_edges(r, LN_CONTAINER(at, struct ln_sctp_message, partial));
    }
    return 0;
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

static void drop_run(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    clear_edges(r, run);
    if (r->current == run)
        r->current = NULL;
    r->dropped_malformed++;
    ln_reassembly_drop(r, run);
}

struct ln_sctp_message *ln_reassembly_open_run(const struct ln_reassembly *r, uint64_t tsn)
{
    struct ln_sctp_message *run = r->edge_capacity ? *edge(r, tsn) : NULL;

    return run && run->last_tsn == tsn && !run->end ? run : NULL;
}

void ln_reassembly_cut(struct ln_reassembly *r, uint16_t stream, uint64_t tsn)
{
    struct ln_sctp_message *run = ln_reassembly_open_run(r, tsn);

    if (run && run->stream == stream)
        drop_run(r, run);
}

void ln_reassembly_cut_any(struct ln_reassembly *r, uint64_t tsn)
{
    struct ln_sctp_message *run = ln_reassembly_open_run(r, tsn);

    if (run)
        drop_run(r, run);
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

/* Makes room for `more` bytes behind (or before) what the run has. */
static int make_room(struct ln_reassembly *r, struct ln_sctp_message *run, size_t more, bool before)
{
    size_t wanted, cap, start;
    uint8_t *data;

    if (before ? run->start >= more : run->cap - run->start - run->len >= more)
        return 0;
    wanted = run->len + more + (run->len + more) / 2;
    if (run->begin && run->end)
        wanted = run->len + more;
    else if (run->handed && run->last_part > wanted)
        wanted = run->last_part < PART_GUESS_MAX ? run->last_part : wanted;
    else if (run->data == NULL && run->begin && r->last_message_bytes > wanted)
        wanted = r->last_message_bytes;
    data = ln_blocks_get(r->blocks, wanted, &cap);
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

/* From here on its fragments are swallowed. */
static void make_too_big(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    run->too_big = true;
    ln_blocks_put(r->blocks, run->data, run->cap);
    run->data = NULL;
    run->cap = run->start = run->len = 0;
    discharge(r, run);
    run->charge = RUN_OVERHEAD;
    r->used_bytes += RUN_OVERHEAD;
}

static int put_bytes(struct ln_reassembly *r, struct ln_sctp_message *run, const uint8_t *data,
                     size_t len, bool before)
{
    if (run->too_big)
        return 0;
    if (run->len + len > r->max_message_bytes && !run->handed &&
        !ln_parts_wanted(r, run->stream)) {
        make_too_big(r, run);
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
    if (put_bytes(r, run, f->data.data, f->data.len, false) != 0) {
        free_run(r, run);
        return NULL;
    }
    return run;
}

static bool same_message(const struct ln_sctp_message *run, const struct ln_fragment *f)
{
    bool unordered = (f->flags & LN_DATA_UNORDERED) != 0;

    return run->stream == f->stream && run->unordered == unordered &&
           (unordered || run->mid == f->mid);
}

/* The open run that ends just before the fragment, or begins just after it. */
static struct ln_sctp_message *run_before(const struct ln_reassembly *r, uint64_t tsn)
{
    return ln_reassembly_open_run(r, tsn - 1);
}

static struct ln_sctp_message *run_after(const struct ln_reassembly *r, uint64_t tsn)
{
    struct ln_sctp_message *run = r->edge_capacity ? *edge(r, tsn + 1) : NULL;

    return run && run->first_tsn == tsn + 1 && !run->begin ? run : NULL;
}

/* The bytes of two runs change places. */
static void swap_bytes(struct ln_sctp_message *a, struct ln_sctp_message *b)
{
    struct ln_sctp_message kept = *a;

    a->data = b->data;
    a->cap = b->cap;
    a->start = b->start;
    a->len = b->len;
    a->charge = b->charge;
    b->data = kept.data;
    b->cap = kept.cap;
    b->start = kept.start;
    b->len = kept.len;
    b->charge = kept.charge;
}

/* Joins `after` to the end of `run`; the smaller moves, but not one that is news already. Returns
 * the one that is left. */
static int join(struct ln_reassembly *r, struct ln_sctp_message *run, struct ln_sctp_message *after,
                struct ln_sctp_message **ret_joined)
{
    bool told = run->handed || !ln_list_empty(&run->news.link);
    struct ln_sctp_message *big = told || run->len >= after->len ? run : after,
                           *small = big == run ? after : run;

    if (run->len == 0 && !run->too_big && !after->too_big)
        swap_bytes(run, after);
    if (run->too_big || after->too_big) {
        if (!big->too_big)
            make_too_big(r, big);
    } else if (small->len > 0 &&
               put_bytes(r, big, small->data + small->start, small->len, big == after) != 0) {
        return LN_ERR_NOMEM;
    }
    clear_edges(r, run);
    clear_edges(r, after);
    big->id = run->id;
    big->begin = run->begin;
    big->end = after->end;
    big->first_tsn = run->first_tsn;
    big->last_tsn = after->last_tsn;
    big->ppid = run->ppid;
    free_run(r, small);
    set_edges(r, big);
    *ret_joined = big;
    return 0;
}

int ln_reassembly_append(struct ln_reassembly *r, struct ln_sctp_message *message,
                         const uint8_t *data, size_t len)
{
    return put_bytes(r, message, data, len, false);
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

static void complete(struct ln_reassembly *r, struct ln_sctp_message *run)
{
    clear_edges(r, run);
    if (r->current == run)
        r->current = NULL;
    ln_list_remove(&run->partial);
    ln_reassembly_complete(r, run);
}

/* Adds the fragment to the run before it. */
static int append(struct ln_reassembly *r, struct ln_sctp_message *run, const struct ln_fragment *f)
{
    if (put_bytes(r, run, f->data.data, f->data.len, false) != 0)
        return LN_ERR_NOMEM;
    clear_edges(r, run);
    run->last_tsn = f->tsn;
    run->end = (f->flags & LN_DATA_END) != 0;
    set_edges(r, run);
    return 0;
}

static int prepend(struct ln_reassembly *r, struct ln_sctp_message *run,
                   const struct ln_fragment *f)
{
    if (put_bytes(r, run, f->data.data, f->data.len, true) != 0)
        return LN_ERR_NOMEM;
    clear_edges(r, run);
    run->first_tsn = f->tsn;
    run->begin = (f->flags & LN_DATA_BEGIN) != 0;
    run->ppid = f->ppid;
    set_edges(r, run);
    return 0;
}

/* Places the fragment beside its neighbours, or alone. */
static int place(struct ln_reassembly *r, const struct ln_fragment *f,
                 struct ln_sctp_message *before, struct ln_sctp_message *after)
{
    struct ln_sctp_message *run;

    if (before) {
        if (append(r, before, f) != 0)
            return LN_ERR_NOMEM;
        run = before;
        /* Failing here leaves two runs side by side that would never meet: an error for good. */
        if (after && join(r, before, after, &run) != 0)
            return LN_ERR_OPERATION;
    } else if (after) {
        if (prepend(r, after, f) != 0)
            return LN_ERR_NOMEM;
        run = after;
    } else {
        run = ln_reassembly_create(r, f);
        if (!run)
            return LN_ERR_NOMEM;
        ln_list_append(&r->partial, &run->partial);
        set_edges(r, run);
    }
    r->current = run;
    if (run->begin && run->end)
        complete(r, run);
    return 0;
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

static int add_to_runs(struct ln_reassembly *r, const struct ln_fragment *f, uint64_t cumulative)
{
    bool begin = (f->flags & LN_DATA_BEGIN) != 0, end = (f->flags & LN_DATA_END) != 0;
    struct ln_sctp_message *before, *after;
    int error = reserve_edges(r, f->tsn - cumulative);

    if (error)
        return error;
    if (r->current && r->current->last_tsn + 1 == f->tsn && !r->current->end)
        before = r->current;
    else
        before = run_before(r, f->tsn);
    after = run_after(r, f->tsn);
    /* Neighbours that contradict the fragment are what a broken peer left. */
    if (before && (begin || !same_message(before, f))) {
        drop_run(r, before);
        before = NULL;
    }
    if (after && (end || !same_message(after, f))) {
        drop_run(r, after);
        after = NULL;
    }
    if (!begin && !before && f->tsn == cumulative + 1) {
        if (after)
            drop_run(r, after);
        r->dropped_malformed++;
        return 0;
    }
    return place(r, f, before, after);
}

int ln_reassembly_add(struct ln_reassembly *r, const struct ln_fragment *f, uint64_t cumulative)
{
    int error;

    if (!fits(r, f, cumulative))
        return LN_ERR_LIMIT;
    error = ln_in_stream_reserve(r, f->stream, (f->flags & LN_DATA_UNORDERED) == 0, f->mid);
    if (error)
        return error;
    return r->interleaving ? ln_interleaved_add(r, f) : add_to_runs(r, f, cumulative);
}

void ln_reassembly_skip_to(struct ln_reassembly *r, uint64_t cumulative)
{
    LN_LIST_EACH_SAFE (at, next, &r->partial) {
        struct ln_sctp_message *run = LN_CONTAINER(at, struct ln_sctp_message, partial);

        if (run->first_tsn <= cumulative || (!run->begin && run->first_tsn == cumulative + 1)) {
            drop_run(r, run);
            r->dropped_malformed--; /* abandoned by its sender, not malformed */
        }
    }
}

void ln_reassembly_restart(struct ln_reassembly *r)
{
    while (!ln_list_empty(&r->partial)) {
        drop_run(r, LN_CONTAINER(r->partial.next, struct ln_sctp_message, partial));
        r->dropped_malformed--;
    }
    ln_interleaved_clear(r);
    ln_in_streams_clear(r);
    if (r->edges)
        memset(r->edges, 0, r->edge_capacity * sizeof(*r->edges));
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
