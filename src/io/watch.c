/* SPDX-License-Identifier: Apache-2.0
 * Descriptors and signals that somebody else than an endpoint waits for.
 *
 * A watched descriptor stays its owner's; the one of signals (signalfd) is ours. */
#include "base/alloc.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void watch_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_loop_watch *watch = LN_CONTAINER(source, struct ln_loop_watch, source);

    watch->call(watch->ctx, (events & EPOLLIN ? LN_LOOP_READABLE : 0u) |
                                (events & EPOLLOUT ? LN_LOOP_WRITABLE : 0u) |
                                (events & (EPOLLHUP | EPOLLERR) ? LN_LOOP_HANGUP : 0u));
}

static uint32_t epoll_events(unsigned events)
{
    return (events & LN_LOOP_READABLE ? (uint32_t)EPOLLIN : 0u) |
           (events & LN_LOOP_WRITABLE ? (uint32_t)EPOLLOUT : 0u);
}

static int create_watch(struct ln_loop *loop, int fd,
                        void (*ready)(struct ln_io_source *source, uint32_t events),
                        uint32_t events, void *ctx, struct ln_loop_watch **ret_watch)
{
    struct ln_loop_watch *watch = ln_alloc_zero(loop->env->allocator, sizeof *watch);
    int error;

    if (!watch)
        return LN_ERR_NOMEM;
    ln_list_init(&watch->grave);
    watch->loop = loop;
    watch->ctx = ctx;
    watch->source.fd = fd;
    watch->source.ready = ready;
    error = ln_io_source_add(loop, &watch->source, events);
    if (error) {
        ln_free(loop->env->allocator, watch);
        return error;
    }
    ln_list_append(&loop->watches, &watch->siblings);
    *ret_watch = watch;
    return 0;
}

int ln_loop_watch_fd(struct ln_loop *loop, int fd, unsigned events,
                     void (*call)(void *ctx, unsigned events), void *ctx,
                     struct ln_loop_watch **ret_watch)
{
    struct ln_loop_watch *watch;
    int error = create_watch(loop, fd, watch_ready, epoll_events(events), ctx, &watch);

    if (error)
        return error;
    watch->call = call;
    *ret_watch = watch;
    return 0;
}

/* ---- signals ---- */

static void signals_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_loop_watch *watch = LN_CONTAINER(source, struct ln_loop_watch, source);
    struct signalfd_siginfo info;

    (void)events;
    /* The callback may remove the watch. */
    while (source->fd >= 0 && read(source->fd, &info, sizeof info) == (ssize_t)sizeof info)
        watch->signal_call(watch->ctx, (int)info.ssi_signo);
}

int ln_loop_watch_signals(struct ln_loop *loop, const int *signals, size_t count,
                          void (*call)(void *ctx, int signal), void *ctx,
                          struct ln_loop_watch **ret_watch)
{
    sigset_t wanted, before, unblock;
    struct ln_loop_watch *watch;
    int error, fd;

    sigemptyset(&wanted);
    for (size_t i = 0; i < count; i++)
        sigaddset(&wanted, signals[i]);
    fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return ln_error_from_errno(errno);
    error = create_watch(loop, fd, signals_ready, EPOLLIN, ctx, &watch);
    if (error) {
        close(fd);
        return error;
    }
    pthread_sigmask(SIG_BLOCK, &wanted, &before);
    sigemptyset(&unblock); /* what is blocked by us, not by the program */
    for (size_t i = 0; i < count; i++) {
        if (!sigismember(&before, signals[i]))
            sigaddset(&unblock, signals[i]);
    }
    watch->signals = true;
    watch->signal_call = call;
    watch->unblock = unblock;
    *ret_watch = watch;
    return 0;
}

/* ---- both ---- */

void ln_loop_watch_set(struct ln_loop_watch *watch, unsigned events)
{
    ln_io_source_set(watch->loop, &watch->source, epoll_events(events));
}

void ln_loop_watch_remove(struct ln_loop_watch *watch)
{
    struct ln_loop *loop;

    if (!watch)
        return;
    loop = watch->loop;
    if (watch->signals) {
        ln_io_source_close(loop, &watch->source);
        pthread_sigmask(SIG_UNBLOCK, &watch->unblock, NULL);
    } else {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->source.fd, NULL);
        watch->source.fd = -1;
    }
    ln_list_remove(&watch->siblings);
    ln_io_bury(loop, &watch->grave);
}
