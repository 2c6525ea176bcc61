/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/nack.h"

#include "base/alloc.h"
#include "base/time.h"

#include <string.h>

#define RTT_UNKNOWN  LN_MILLISECONDS(100)
#define RETRY_MIN    LN_MILLISECONDS(20)
#define REORDER_MAX  LN_MILLISECONDS(20)
#define REORDER_HOLD LN_SECONDS(5)

void ln_nack_init(struct ln_nack *n, struct ln_allocator *allocator)
{
    memset(n, 0, sizeof *n);
    n->allocator = allocator;
    n->rtt = RTT_UNKNOWN;
    n->reorder_until = LN_TIME_IMMEDIATE;
}

void ln_nack_deinit(struct ln_nack *n)
{
    ln_free(n->allocator, n->entries);
    n->entries = NULL;
    n->count = n->capacity = 0;
}

void ln_nack_clear(struct ln_nack *n)
{
    n->count = 0;
}

void ln_nack_set_rtt(struct ln_nack *n, ln_duration rtt)
{
    n->rtt = rtt;
}

int ln_nack_on_gap(struct ln_nack *n, ln_time now, int64_t from, int64_t to)
{
    ln_duration wait = now < n->reorder_until ? n->reorder_wait : 0;

    if (to - from > (int64_t)(LN_NACK_LIMIT - n->count)) {
        n->given_up += n->count;
        n->count = 0;
        return LN_ERR_LIMIT;
    }
    for (int64_t s = from; s < to; s++) {
        int error = ln_grow(n->allocator, &n->entries, sizeof *n->entries, n->count, &n->capacity,
                            LN_NACK_LIMIT);

        if (error)
            return error;
        n->entries[n->count++] = (struct ln_nack_entry){ s, now, now + wait, 0 };
    }
    return 0;
}

static size_t find(const struct ln_nack *n, int64_t sequence)
{
    size_t low = 0, high = n->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (n->entries[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ln_nack_on_packet(struct ln_nack *n, ln_time now, int64_t sequence, bool repaired)
{
    size_t at = find(n, sequence);
    ln_duration age;

    if (at == n->count || n->entries[at].sequence != sequence)
        return false;
    age = now - n->entries[at].since;
    if (!repaired && age < n->rtt) { /* only out of order: the question was too hasty */
        n->reorder_wait = ln_time_min(ln_time_max(n->reorder_wait, age + age / 4), REORDER_MAX);
        n->reorder_until = now + REORDER_HOLD;
    }
    n->count--;
    memmove(n->entries + at, n->entries + at + 1, (n->count - at) * sizeof *n->entries);
    return true;
}

void ln_nack_drop_below(struct ln_nack *n, int64_t sequence)
{
    size_t at = find(n, sequence);

    if (at == 0)
        return;
    n->count -= at;
    memmove(n->entries, n->entries + at, n->count * sizeof *n->entries);
}

size_t ln_nack_collect(struct ln_nack *n, ln_time now, uint16_t *out, size_t cap)
{
    ln_duration retry = ln_time_max(n->rtt + n->rtt / 8 + LN_MILLISECONDS(5), RETRY_MIN);
    size_t asked = 0, kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        struct ln_nack_entry e = n->entries[i];

        if (ln_time_due(e.next, now) && asked < cap) {
            if (e.tries >= LN_NACK_TRIES || now - e.since > LN_NACK_AGE) {
                n->given_up++;
                continue;
            }
            out[asked++] = (uint16_t)e.sequence;
            e.tries++;
            e.next = now + retry;
        }
        n->entries[kept++] = e;
    }
    n->count = kept;
    n->asked += asked;
    return asked;
}

ln_time ln_nack_next_timeout(const struct ln_nack *n)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < n->count; i++)
        next = ln_time_min(next, n->entries[i].next);
    return next;
}
