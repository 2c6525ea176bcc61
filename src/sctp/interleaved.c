/* SPDX-License-Identifier: Apache-2.0
 * A message that is not whole is an assembly: its bytes from the beginning without a hole, in the
 * buffer that becomes the message, and the fragments beyond the hole in a heap by their number. A
 * message of one fragment never is one. Whatever is held counts in used_bytes. */
#include "sctp/interleaved.h"

#include "base/alloc.h"
#include "base/heap.h"
#include "sctp/packet.h"
#include "sctp/parts_in.h"
#include "sctp/tsn.h"

#include <string.h>

#define ASSEMBLY_OVERHEAD 256u
#define STRAY_OVERHEAD    64u /* its place in the heap */
#define STRAYS_MAX        65536u

struct stray {
    struct ln_heap_node node; /* its "time" is the FSN, widened */
    size_t block_bytes, len;
    bool end;
    uint8_t data[];
};

struct ln_assembly {
    struct ln_list link; /* in its stream */
    uint64_t key;
    struct ln_sctp_message *message; /* NULL before its first fragment */
    uint64_t next_fsn;               /* the number as it would be without wrapping */
    size_t charge, block_bytes;
    struct ln_heap strays;
};

static uint64_t key_of(uint16_t stream, bool unordered, uint32_t mid)
{
    return (uint64_t)unordered << 48 | (uint64_t)stream << 32 | mid;
}

static void charge(struct ln_reassembly *r, struct ln_assembly *a, size_t bytes)
{
    a->charge += bytes;
    r->used_bytes += bytes;
}

static void free_stray(struct ln_reassembly *r, struct ln_assembly *a, struct stray *stray)
{
    size_t bytes = stray->block_bytes + STRAY_OVERHEAD;

    a->charge -= bytes;
    r->used_bytes -= bytes;
    ln_heap_remove(&a->strays, &stray->node);
    ln_blocks_put(r->blocks, stray, stray->block_bytes);
}

static struct stray *first_stray(const struct ln_assembly *a)
{
    struct ln_heap_node *node = ln_heap_first(&a->strays);

    return node ? LN_CONTAINER(node, struct stray, node) : NULL;
}

static void free_assembly(struct ln_reassembly *r, struct ln_assembly *a)
{
    struct stray *stray;

    while ((stray = first_stray(a)) != NULL)
        free_stray(r, a, stray);
    ln_heap_deinit(&a->strays);
    ln_map_remove_u64(&r->assemblies, a->key);
    ln_list_remove(&a->link);
    if (r->last == a)
        r->last = NULL;
    if (a->message)
        ln_reassembly_drop(r, a->message);
    r->used_bytes -= a->charge;
    ln_blocks_put(r->blocks, a, a->block_bytes);
}

static struct ln_assembly *find(struct ln_reassembly *r, uint64_t key)
{
    if (r->last && r->last->key == key)
        return r->last;
    return r->assemblies.count > 0 ? ln_map_get_u64(&r->assemblies, key) : NULL;
}

static int create(struct ln_reassembly *r, uint16_t stream, uint64_t key,
                  struct ln_assembly **ret_assembly)
{
    struct ln_assembly *a;
    size_t bytes;
    int error;

    a = ln_blocks_get(r->blocks, sizeof *a, &bytes);
    if (!a)
        return LN_ERR_NOMEM;
    memset(a, 0, sizeof *a);
    a->block_bytes = bytes;
    a->key = key;
    ln_heap_init(&a->strays, r->allocator, STRAYS_MAX);
    error = ln_map_set_u64(&r->assemblies, key, a);
    if (error) {
        ln_blocks_put(r->blocks, a, bytes);
        return error;
    }
    ln_list_append(&r->streams[stream]->assemblies, &a->link);
    charge(r, a, ASSEMBLY_OVERHEAD);
    *ret_assembly = a;
    return 0;
}

/* The next bytes of the message. */
static int extend(struct ln_reassembly *r, struct ln_assembly *a, const struct ln_fragment *f)
{
    if (a->message) {
        if (ln_reassembly_put(r, a->message, f->data.data, f->data.len, false) != 0)
            return LN_ERR_NOMEM;
    } else {
        a->message = ln_reassembly_create(r, f);
        if (!a->message)
            return LN_ERR_NOMEM;
    }
    a->next_fsn++;
    return 0;
}

static int keep_stray(struct ln_reassembly *r, struct ln_assembly *a, const struct ln_fragment *f,
                      uint64_t fsn)
{
    struct stray *stray;
    size_t bytes;
    int error;

    stray = ln_blocks_get(r->blocks, sizeof *stray + f->data.len, &bytes);
    if (!stray)
        return LN_ERR_NOMEM;
    memset(stray, 0, sizeof *stray);
    stray->block_bytes = bytes;
    stray->len = f->data.len;
    stray->end = (f->flags & LN_DATA_END) != 0;
    memcpy(stray->data, f->data.data, f->data.len);
    error = ln_heap_set(&a->strays, &stray->node, (ln_time)fsn);
    if (error) {
        ln_blocks_put(r->blocks, stray, bytes);
        return error;
    }
    charge(r, a, bytes + STRAY_OVERHEAD);
    return 0;
}

/* Appends the strays that follow now. Failing here would leave a message that never ends: an error
 * for good. */
static int take_strays(struct ln_reassembly *r, struct ln_assembly *a, bool *end)
{
    struct stray *stray;

    while (!*end && (stray = first_stray(a)) != NULL && stray->node.time <= (ln_time)a->next_fsn) {
        if (stray->node.time < (ln_time)a->next_fsn) {
            r->dropped_malformed++; /* a number that was there already */
        } else {
            if (ln_reassembly_put(r, a->message, stray->data, stray->len, false) != 0)
                return LN_ERR_OPERATION;
            a->next_fsn++;
            *end = stray->end;
        }
        free_stray(r, a, stray);
    }
    return 0;
}

static void finish(struct ln_reassembly *r, struct ln_assembly *a)
{
    struct ln_sctp_message *message = a->message;

    a->message = NULL;
    free_assembly(r, a);
    ln_reassembly_complete(r, message);
}

static int add_to(struct ln_reassembly *r, struct ln_assembly *a, const struct ln_fragment *f)
{
    bool begin = (f->flags & LN_DATA_BEGIN) != 0, end = (f->flags & LN_DATA_END) != 0;
    int32_t ahead = (int32_t)(f->fsn - (uint32_t)a->next_fsn); /* RFC 8260, 2.1: it may wrap */
    int error;

    if (ahead < 0 || begin != (a->next_fsn + (uint32_t)ahead == 0)) {
        r->dropped_malformed++;
        return 0;
    }
    if (ahead > 0)
        return keep_stray(r, a, f, a->next_fsn + (uint32_t)ahead);
    error = extend(r, a, f);
    if (error == 0)
        error = take_strays(r, a, &end);
    if (error == 0 && end)
        finish(r, a);
    else if (error == 0)
        ln_parts_offer(r, a->message);
    return error;
}

static int add_whole(struct ln_reassembly *r, const struct ln_fragment *f)
{
    struct ln_sctp_message *message = ln_reassembly_create(r, f);

    if (!message)
        return LN_ERR_NOMEM;
    ln_reassembly_complete(r, message);
    return 0;
}

int ln_interleaved_add(struct ln_reassembly *r, const struct ln_fragment *f)
{
    uint64_t key = key_of(f->stream, (f->flags & LN_DATA_UNORDERED) != 0, f->mid);
    bool begin = (f->flags & LN_DATA_BEGIN) != 0;
    struct ln_assembly *a = find(r, key);
    int error = 0;

    if (!a && begin && (f->flags & LN_DATA_END))
        return add_whole(r, f);
    if (!a && !begin && (int32_t)f->fsn <= 0) {
        r->dropped_malformed++;
        return 0;
    }
    if (!a)
        error = create(r, f->stream, key, &a);
    if (error)
        return error;
    r->last = a;
    error = add_to(r, a, f);
    if (error && error != LN_ERR_OPERATION && !a->message && !ln_heap_first(&a->strays))
        free_assembly(r, a); /* it was made for this fragment */
    return error;
}

void ln_interleaved_skip(struct ln_reassembly *r, struct ln_in_stream *stream, bool unordered,
                         uint32_t mid)
{
    LN_LIST_EACH_SAFE (at, after, &stream->assemblies) {
        struct ln_assembly *a = LN_CONTAINER(at, struct ln_assembly, link);

        if ((a->key >> 48 != 0) == unordered && ln_mid_distance(true, (uint32_t)a->key, mid) >= 0)
            free_assembly(r, a);
    }
}

void ln_interleaved_drop(struct ln_reassembly *r, struct ln_in_stream *stream)
{
    LN_LIST_EACH_SAFE (at, after, &stream->assemblies) {
        free_assembly(r, LN_CONTAINER(at, struct ln_assembly, link));
    }
}

void ln_interleaved_offer(struct ln_reassembly *r, struct ln_in_stream *stream)
{
    LN_LIST_EACH (at, &stream->assemblies) {
        struct ln_assembly *a = LN_CONTAINER(at, struct ln_assembly, link);

        if (a->message)
            ln_parts_offer(r, a->message);
    }
}

void ln_interleaved_offer_next(struct ln_reassembly *r, const struct ln_in_stream *stream)
{
    struct ln_assembly *a;

    if (!stream->parts || !r->interleaving)
        return;
    a = find(r, key_of(stream->id, false, stream->next_mid));
    if (a && a->message)
        ln_parts_offer(r, a->message);
}

void ln_interleaved_clear(struct ln_reassembly *r)
{
    for (size_t i = 0; i < r->stream_capacity && r->assemblies.count > 0; i++)
        if (r->streams[i])
            ln_interleaved_drop(r, r->streams[i]);
}
