/* SPDX-License-Identifier: Apache-2.0
 * A doubly linked list whose links live inside its elements: no allocation, removal in one step. */
#ifndef LN_BASE_LIST_H
#define LN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ln_list {
    struct ln_list *next, *prev;
};

#define LN_CONTAINER(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void ln_list_init(struct ln_list *list)
{
    list->next = list->prev = list;
}

static inline bool ln_list_empty(const struct ln_list *list)
{
    return list->next == list;
}

static inline void ln_list_insert_before(struct ln_list *where, struct ln_list *element)
{
    element->prev = where->prev;
    element->next = where;
    where->prev->next = element;
    where->prev = element;
}

static inline void ln_list_append(struct ln_list *list, struct ln_list *element)
{
    ln_list_insert_before(list, element);
}

static inline void ln_list_prepend(struct ln_list *list, struct ln_list *element)
{
    ln_list_insert_before(list->next, element);
}

/* The element is left as an empty list, so that removing it twice is harmless. */
static inline void ln_list_remove(struct ln_list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    ln_list_init(element);
}

#define LN_LIST_EACH(at, list) for (struct ln_list *at = (list)->next; at != (list); at = at->next)
/* As above, but `at` may be removed in the body. */
#define LN_LIST_EACH_SAFE(at, after, list)                                                         \
    for (struct ln_list *at = (list)->next, *after = at->next; at != (list);                       \
         at = after, after = at->next)

#endif
