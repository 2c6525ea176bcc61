/* SPDX-License-Identifier: Apache-2.0
 * Runs on the line of TSNs (RFC 9260, 6.9). Part of reassembly.
 *
 * edges[] is a ring by TSN. A run that lacks its end stands at its last TSN, one that lacks its
 * beginning at its first: a fragment finds both neighbours in one look each. Whatever lies at or
 * below the cumulative TSN was received, so only the run ending exactly there can still grow, and
 * all live edges are within LN_TSN_AHEAD_MAX of each other. */
#include "sctp/runs.h"

#include "base/alloc.h"
#include "sctp/packet.h"

#include <string.h>

#define FIRST_EDGES 64u

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

/* Joins `after` to the end of `run`; the smaller moves, but not one that is news already. Returns
 * the one that is left. */
static int join(struct ln_reassembly *r, struct ln_sctp_message *run, struct ln_sctp_message *after,
                struct ln_sctp_message **ret_joined)
{
    bool told = run->handed || !ln_list_empty(&run->news.link);
    struct ln_sctp_message *big = told || run->len >= after->len ? run : after,
                           *small = big == run ? after : run;

    if (run->too_big || after->too_big) {
        if (!big->too_big)
            ln_reassembly_swallow(r, big);
    } else if (ln_reassembly_put(r, big, small->data + small->start, small->len, big == after) !=
               0) {
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
    ln_reassembly_drop(r, small);
    set_edges(r, big);
    *ret_joined = big;
    return 0;
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
    if (ln_reassembly_put(r, run, f->data.data, f->data.len, false) != 0)
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
    if (ln_reassembly_put(r, run, f->data.data, f->data.len, true) != 0)
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

int ln_runs_add(struct ln_reassembly *r, const struct ln_fragment *f, uint64_t cumulative)
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

void ln_runs_drop_all(struct ln_reassembly *r)
{
    while (!ln_list_empty(&r->partial)) {
        drop_run(r, LN_CONTAINER(r->partial.next, struct ln_sctp_message, partial));
        r->dropped_malformed--; /* as above */
    }
    if (r->edges)
        memset(r->edges, 0, r->edge_capacity * sizeof(*r->edges));
}
