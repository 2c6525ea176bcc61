/* SPDX-License-Identifier: Apache-2.0
 * The check list (RFC 8445, 6.1.2.3 to 6.1.2.6 and 6.1.4.2; RFC 8838, 12). */
#include "ice/check_list.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <string.h>

void ln_ice_check_list_init(struct ln_ice_check_list *list, size_t limit)
{
    memset(list, 0, sizeof *list);
    list->limit = limit;
    ln_list_init(&list->triggered);
}

void ln_ice_check_list_deinit(struct ln_ice_check_list *list, struct ln_allocator *allocator)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        ln_ice_pair_free(allocator, list->pairs[i]);
    ln_free(allocator, list->pairs);
    ln_ice_check_list_init(list, list->limit);
}

struct ln_ice_pair *ln_ice_check_list_find(const struct ln_ice_check_list *list,
                                           const struct ln_path *path)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (ln_path_equal(&list->pairs[i]->path, path))
            return list->pairs[i];
    return NULL;
}

static bool unproven(const struct ln_ice_pair *pair)
{
    return !pair->authenticated && pair->state != LN_ICE_PAIR_IN_PROGRESS &&
           pair->state != LN_ICE_PAIR_SUCCEEDED && ln_list_empty(&pair->triggered);
}

/* The pair that makes room, or NULL. The list is sorted: it is found from the end. */
static struct ln_ice_pair *least(const struct ln_ice_check_list *list,
                                 const struct ln_ice_pair *newcomer, bool keep)
{
    size_t i;

    for (i = list->count; i-- > 0;) {
        struct ln_ice_pair *pair = list->pairs[i];

        if (!keep && pair->priority >= newcomer->priority)
            return NULL;
        if (unproven(pair))
            return pair;
    }
    return NULL;
}

void ln_ice_check_list_remove(struct ln_ice_check_list *list, const struct ln_ice_pair *pair)
{
    size_t i;

    for (i = 0; list->pairs[i] != pair; i++)
        ;
    list->count--;
    memmove(&list->pairs[i], &list->pairs[i + 1], (list->count - i) * sizeof *list->pairs);
}

void ln_ice_check_list_trim(struct ln_ice_check_list *list, struct ln_allocator *allocator)
{
    struct ln_ice_pair **pairs;

    if (list->count == 0 || list->count == list->capacity)
        return;
    pairs = ln_realloc(allocator, list->pairs, list->count * sizeof *pairs);
    if (!pairs)
        return;
    list->pairs = pairs;
    list->capacity = list->count;
}

static void insert(struct ln_ice_check_list *list, struct ln_ice_pair *pair)
{
    size_t i = list->count;

    for (; i > 0 && list->pairs[i - 1]->priority < pair->priority; i--)
        list->pairs[i] = list->pairs[i - 1];
    list->pairs[i] = pair;
    list->count++;
}

/* A pair that comes late waits where its foundation has already succeeded, or where it is the first
 * of its foundation; else it is frozen behind the one that is checked (RFC 8838, 12). */
static void set_first_state(const struct ln_ice_check_list *list, struct ln_ice_pair *pair)
{
    bool first = true;
    size_t i;

    pair->state = LN_ICE_PAIR_WAITING;
    for (i = 0; i < list->count; i++) {
        const struct ln_ice_pair *other = list->pairs[i];

        if (!ln_ice_pair_same_foundation(other, pair))
            continue;
        if (other->state == LN_ICE_PAIR_SUCCEEDED)
            return;
        if (other->state != LN_ICE_PAIR_FAILED)
            first = false;
    }
    if (!first)
        pair->state = LN_ICE_PAIR_FROZEN;
}

int ln_ice_check_list_add(struct ln_ice_check_list *list, struct ln_allocator *allocator,
                          struct ln_ice_pair *pair, bool keep, struct ln_ice_pair **ret_evicted)
{
    struct ln_ice_pair *evicted = NULL;
    int error;

    if (list->count >= list->limit) {
        evicted = least(list, pair, keep);
        if (!evicted)
            return LN_ERR_LIMIT;
        ln_ice_check_list_remove(list, evicted);
    } else {
        error = ln_grow(allocator, &list->pairs, sizeof *list->pairs, list->count, &list->capacity,
                        list->limit);
        if (error)
            return error;
    }
    set_first_state(list, pair);
    insert(list, pair);
    *ret_evicted = evicted;
    return 0;
}

void ln_ice_check_list_sort(struct ln_ice_check_list *list)
{
    size_t i, count = list->count;

    list->count = 0;
    for (i = 0; i < count; i++)
        insert(list, list->pairs[i]);
}

void ln_ice_check_list_trigger(struct ln_ice_check_list *list, struct ln_ice_pair *pair)
{
    if (ln_list_empty(&pair->triggered))
        ln_list_append(&list->triggered, &pair->triggered);
}

struct ln_ice_pair *ln_ice_check_list_triggered(const struct ln_ice_check_list *list)
{
    if (ln_list_empty(&list->triggered))
        return NULL;
    return LN_CONTAINER(list->triggered.next, struct ln_ice_pair, triggered);
}

/* Whether a pair of this foundation waits for its check or is in it. */
static bool foundation_busy(const struct ln_ice_check_list *list, const struct ln_ice_pair *pair)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        const struct ln_ice_pair *other = list->pairs[i];

        if ((other->state == LN_ICE_PAIR_WAITING || other->state == LN_ICE_PAIR_IN_PROGRESS) &&
            ln_ice_pair_same_foundation(other, pair))
            return true;
    }
    return false;
}

/* Families take turns among pairs without a relay, and among those through one. */
static bool take_turns(const struct ln_ice_pair *a, const struct ln_ice_pair *b)
{
    return ln_ice_pair_relayed(a) == ln_ice_pair_relayed(b) &&
           a->base->tcp_type == b->base->tcp_type;
}

static struct ln_ice_pair *waiting(const struct ln_ice_check_list *list)
{
    struct ln_ice_pair *first = NULL;
    size_t i;

    for (i = 0; i < list->count; i++) {
        struct ln_ice_pair *pair = list->pairs[i];

        if (pair->state != LN_ICE_PAIR_WAITING)
            continue;
        if (!first)
            first = pair;
        if (pair->path.remote.family != list->last_family && take_turns(first, pair))
            return pair;
    }
    return first;
}

struct ln_ice_pair *ln_ice_check_list_ordinary(const struct ln_ice_check_list *list)
{
    struct ln_ice_pair *pair = waiting(list);
    size_t i;

    if (pair)
        return pair;
    for (i = 0; i < list->count; i++)
        if (list->pairs[i]->state == LN_ICE_PAIR_FROZEN && !foundation_busy(list, list->pairs[i]))
            return list->pairs[i];
    return NULL;
}

void ln_ice_check_list_begun(struct ln_ice_check_list *list, const struct ln_ice_pair *pair)
{
    list->last_family = pair->path.remote.family;
}

void ln_ice_check_list_thaw(struct ln_ice_check_list *list, const struct ln_ice_pair *pair)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (list->pairs[i]->state == LN_ICE_PAIR_FROZEN &&
            ln_ice_pair_same_foundation(list->pairs[i], pair))
            list->pairs[i]->state = LN_ICE_PAIR_WAITING;
}

struct ln_ice_pair *ln_ice_check_list_best(const struct ln_ice_check_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (ln_ice_pair_usable(list->pairs[i]))
            return list->pairs[i];
    return NULL;
}

bool ln_ice_check_list_alive(const struct ln_ice_check_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (list->pairs[i]->state != LN_ICE_PAIR_FAILED)
            return true;
    return false;
}
