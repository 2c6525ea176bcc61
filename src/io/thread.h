/* SPDX-License-Identifier: Apache-2.0
 * Threads and the bounded mailboxes between them.
 *
 * A mailbox is a queue of equal-sized elements (mostly one pointer), written by any thread and
 * taken by one. Its descriptor is readable exactly while something is in it (or it is closed), so a
 * loop may watch it and a worker may sleep on it. Nothing here knows what the elements own: what
 * comes out of a mailbox, taken, pushed out or left at the end, is the taker's to release. */
#ifndef LN_IO_THREAD_H
#define LN_IO_THREAD_H

#include <linnet/types.h>

#include <pthread.h>

/* ---- threads ---- */

struct ln_thread {
    pthread_t id;
    void (*run)(void *ctx);
    void *ctx;
    char name[16];
    bool started;
};

/* Runs run(ctx) on a thread of its own, named (cut to 15 characters). All signals are blocked
 * there, so that they reach the program's own threads. `thread` stays in place until it is joined.
 * Returns 0 or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_thread_start(struct ln_thread *thread, const char *name, void (*run)(void *ctx),
                                 void *ctx);
/* Waits for its end. Harmless when it was never started (all zero) or is joined already. */
void ln_thread_join(struct ln_thread *thread);

/* ---- mailboxes ---- */

enum ln_mailbox_policy {
    LN_MAILBOX_REFUSE,     /* full: put fails with LN_ERR_LIMIT */
    LN_MAILBOX_DROP_OLDEST /* full: the oldest element makes room */
};

struct ln_mailbox {
    pthread_mutex_t lock;
    int fd; /* eventfd; -1 before init */
    enum ln_mailbox_policy policy;
    size_t element_size, capacity, head, count;
    uint64_t dropped;
    bool closed;
    uint8_t *elements;
};

/* A mailbox of `capacity` elements of `element_size` bytes each. Returns 0, LN_ERR_NOMEM, or
 * LN_ERR_LIMIT (no descriptor left) / LN_ERR_SYSTEM. */
LN_NODISCARD int ln_mailbox_init(struct ln_mailbox *mailbox, size_t element_size, size_t capacity,
                                 enum ln_mailbox_policy policy);
/* No other thread may use it any more, and what it held has been taken out. */
void ln_mailbox_deinit(struct ln_mailbox *mailbox);

/* Any thread. Copies the element in. Returns 0; 1 when the oldest element was pushed out, which is
 * then copied to ret_dropped (NULL: it is forgotten); LN_ERR_LIMIT when full, LN_ERR_CLOSED. */
LN_NODISCARD int ln_mailbox_put(struct ln_mailbox *mailbox, const void *element, void *ret_dropped);

/* The taker's thread. Copies the oldest element out. Waits for one up to `wait` (0: not at all,
 * LN_TIME_NEVER: until one comes). Returns 0, LN_ERR_AGAIN when none came, LN_ERR_CLOSED when it is
 * closed and empty. */
LN_NODISCARD int ln_mailbox_take(struct ln_mailbox *mailbox, void *ret_element, ln_duration wait);

/* Any thread. Nothing can be put any more; a waiting taker wakes. */
void ln_mailbox_close(struct ln_mailbox *mailbox);

/* Readable while ln_mailbox_take would return at once with something else than LN_ERR_AGAIN. Only
 * to be polled, never read. */
int ln_mailbox_fd(const struct ln_mailbox *mailbox);
/* Elements that were pushed out, or refused because it was full. Any thread. */
uint64_t ln_mailbox_dropped(struct ln_mailbox *mailbox);

#endif
