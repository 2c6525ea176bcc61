/* SPDX-License-Identifier: Apache-2.0
 * Threads and mailboxes. A mailbox's eventfd is written and read only under its lock, at the steps
 * from empty to not empty and back, so that it is readable exactly while there is something. */
#include "io/thread.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static void *thread_main(void *argument)
{
    struct ln_thread *thread = argument;

    thread->run(thread->ctx);
    return NULL;
}

int ln_thread_start(struct ln_thread *thread, const char *name, void (*run)(void *ctx), void *ctx)
{
    sigset_t all, before;
    int error;

    thread->run = run;
    thread->ctx = ctx;
    snprintf(thread->name, sizeof thread->name, "%s", name);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return LN_ERR_SYSTEM;
    thread->started = true;
    pthread_setname_np(thread->id, thread->name);
    return 0;
}

void ln_thread_join(struct ln_thread *thread)
{
    if (!thread->started)
        return;
    pthread_join(thread->id, NULL);
    thread->started = false;
}

int ln_mailbox_init(struct ln_mailbox *mailbox, size_t element_size, size_t capacity,
                    enum ln_mailbox_policy policy)
{
    assert(element_size > 0 && capacity > 0);
    memset(mailbox, 0, sizeof *mailbox);
    mailbox->element_size = element_size;
    mailbox->capacity = capacity;
    mailbox->policy = policy;
    mailbox->fd = -1;
    mailbox->elements = ln_alloc_array(ln_allocator_libc(), capacity, element_size);
    if (!mailbox->elements)
        return LN_ERR_NOMEM;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd < 0) {
        ln_free(ln_allocator_libc(), mailbox->elements);
        mailbox->elements = NULL;
        return errno == EMFILE || errno == ENFILE ? LN_ERR_LIMIT : LN_ERR_SYSTEM;
    }
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void ln_mailbox_deinit(struct ln_mailbox *mailbox)
{
    if (!mailbox->elements)
        return;
    close(mailbox->fd);
    mailbox->fd = -1;
    pthread_mutex_destroy(&mailbox->lock);
    ln_free(ln_allocator_libc(), mailbox->elements);
    mailbox->elements = NULL;
}

static uint8_t *element_at(const struct ln_mailbox *mailbox, size_t i)
{
    return mailbox->elements + (mailbox->head + i) % mailbox->capacity * mailbox->element_size;
}

/* An eventfd of ours holds 0 or 1, so neither call can fail. */
static void raise_flag(const struct ln_mailbox *mailbox)
{
    uint64_t one = 1;
    ssize_t n = write(mailbox->fd, &one, sizeof one);

    (void)n;
}

static void lower_flag(const struct ln_mailbox *mailbox)
{
    uint64_t value;
    ssize_t n = read(mailbox->fd, &value, sizeof value);

    (void)n;
}

int ln_mailbox_put(struct ln_mailbox *mailbox, const void *element, void *ret_dropped)
{
    int result = 0;

    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->closed) {
        result = LN_ERR_CLOSED;
    } else if (mailbox->count == mailbox->capacity) {
        mailbox->dropped++;
        if (mailbox->policy == LN_MAILBOX_REFUSE) {
            result = LN_ERR_LIMIT;
        } else {
            if (ret_dropped)
                memcpy(ret_dropped, element_at(mailbox, 0), mailbox->element_size);
            mailbox->head = (mailbox->head + 1) % mailbox->capacity;
            mailbox->count--;
            result = 1;
        }
    }
    if (result >= 0) {
        memcpy(element_at(mailbox, mailbox->count), element, mailbox->element_size);
        if (mailbox->count++ == 0 && result == 0)
            raise_flag(mailbox);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return result;
}

static int take_now(struct ln_mailbox *mailbox, void *ret_element)
{
    int result = 0;

    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->count == 0) {
        result = mailbox->closed ? LN_ERR_CLOSED : LN_ERR_AGAIN;
    } else {
        memcpy(ret_element, element_at(mailbox, 0), mailbox->element_size);
        mailbox->head = (mailbox->head + 1) % mailbox->capacity;
        if (--mailbox->count == 0 && !mailbox->closed)
            lower_flag(mailbox);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return result;
}

static ln_time monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return LN_SECONDS(t.tv_sec) + t.tv_nsec;
}

int ln_mailbox_take(struct ln_mailbox *mailbox, void *ret_element, ln_duration wait)
{
    int result = take_now(mailbox, ret_element);
    ln_time deadline;

    if (result != LN_ERR_AGAIN || wait <= 0)
        return result;
    deadline = wait == LN_TIME_NEVER ? LN_TIME_NEVER : monotonic() + wait;
    while (result == LN_ERR_AGAIN) {
        struct pollfd poll_fd = { .fd = mailbox->fd, .events = POLLIN };
        ln_duration left = deadline == LN_TIME_NEVER ? LN_SECONDS(3600) : deadline - monotonic();
        struct timespec t = { .tv_sec = left / LN_SECONDS(1), .tv_nsec = left % LN_SECONDS(1) };

        if (left <= 0)
            break;
        (void)ppoll(&poll_fd, 1, &t, NULL);
        result = take_now(mailbox, ret_element);
    }
    return result;
}

void ln_mailbox_close(struct ln_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    if (!mailbox->closed && mailbox->count == 0)
        raise_flag(mailbox);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
}

int ln_mailbox_fd(const struct ln_mailbox *mailbox)
{
    return mailbox->fd;
}

uint64_t ln_mailbox_dropped(struct ln_mailbox *mailbox)
{
    uint64_t dropped;

    pthread_mutex_lock(&mailbox->lock);
    dropped = mailbox->dropped;
    pthread_mutex_unlock(&mailbox->lock);
    return dropped;
}
