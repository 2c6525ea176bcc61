/* SPDX-License-Identifier: Apache-2.0
 * The check list (RFC 8445, 6.1.2): pairs by falling priority, frozen by foundation, capped, and
 * the queue of triggered checks. It decides which pair is checked next; it sends nothing.
 *
 * Invariant: `pairs` is sorted, no two pairs have one path, count <= limit. */
#ifndef LN_ICE_CHECK_LIST_H
#define LN_ICE_CHECK_LIST_H

#include "ice/pair.h"

struct ln_ice_check_list {
    struct ln_ice_pair **pairs; /* by falling priority; equal ones in the order they came */
    size_t count, capacity, limit;
    uint8_t last_family;      /* of the ordinary check that was last; NONE: none yet */
    struct ln_list triggered; /* first in, first out (RFC 8445, 6.1.4.1) */
};

void ln_ice_check_list_init(struct ln_ice_check_list *list, size_t limit);
/* Frees the pairs. */
void ln_ice_check_list_deinit(struct ln_ice_check_list *list, struct ln_allocator *allocator);

struct ln_ice_pair *ln_ice_check_list_find(const struct ln_ice_check_list *list,
                                           const struct ln_path *path);
/* Takes over a pair that is not in it, frozen or waiting by the rules of trickle (RFC 8838, 12).
 * When the list is full the least promising pair makes room: the one of lowest priority that was
 * never checked and never heard of; `*ret_evicted` is then that pair, to be freed (else NULL).
 * `keep`: the new pair was heard of and goes before any such pair. Returns 0, LN_ERR_LIMIT or
 * LN_ERR_NOMEM (the pair then stays the caller's). */
LN_NODISCARD int ln_ice_check_list_add(struct ln_ice_check_list *list,
                                       struct ln_allocator *allocator, struct ln_ice_pair *pair,
                                       bool keep, struct ln_ice_pair **ret_evicted);
/* Takes a pair out that is in it; it is then the caller's. */
void ln_ice_check_list_remove(struct ln_ice_check_list *list, const struct ln_ice_pair *pair);
/* Gives back what is not needed for the pairs that it has. */
void ln_ice_check_list_trim(struct ln_ice_check_list *list, struct ln_allocator *allocator);
/* After priorities changed. */
void ln_ice_check_list_sort(struct ln_ice_check_list *list);

void ln_ice_check_list_trigger(struct ln_ice_check_list *list, struct ln_ice_pair *pair);
/* The oldest triggered pair, or NULL. It stays in the queue. */
struct ln_ice_pair *ln_ice_check_list_triggered(const struct ln_ice_check_list *list);
/* The ordinary check that is next: the waiting pair of highest priority, but of the other family
 * than the last one where one of its kind waits (RFC 8421, 4): the better family has a head start
 * of one check, and when nothing comes through it that costs no more. Else the frozen one whose
 * foundation nobody is checking (it is still frozen); NULL: none. Changes nothing. */
struct ln_ice_pair *ln_ice_check_list_ordinary(const struct ln_ice_check_list *list);
/* The ordinary check of this pair begins. */
void ln_ice_check_list_begun(struct ln_ice_check_list *list, const struct ln_ice_pair *pair);
/* A check of this pair was answered: frozen pairs of its foundation wait from now on. */
void ln_ice_check_list_thaw(struct ln_ice_check_list *list, const struct ln_ice_pair *pair);
/* The usable pair of highest priority, or NULL. */
struct ln_ice_pair *ln_ice_check_list_best(const struct ln_ice_check_list *list);
/* Whether any pair may still succeed. */
bool ln_ice_check_list_alive(const struct ln_ice_check_list *list);

#endif
