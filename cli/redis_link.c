/* SPDX-License-Identifier: Apache-2.0
 * The five hooks that hiredis wants of a loop, and its connection's end in one place. hiredis frees
 * its context by itself when it is over; from then on the link knows of none. */
#include "cli/redis_link.h"

static void ready(void *ctx, unsigned events)
{
    struct redis_link *link = ctx;
    redisAsyncContext *context = link->context;

    if (context && (events & LN_LOOP_WRITABLE))
        redisAsyncHandleWrite(context);
    if (context && link->context == context && (events & (LN_LOOP_READABLE | LN_LOOP_HANGUP)))
        redisAsyncHandleRead(context);
}

static void set_events(struct redis_link *link, unsigned events)
{
    if (!link->context)
        return; /* it is being freed */
    link->events = events;
    if (link->watch)
        ln_loop_watch_set(link->watch, events);
    else if (ln_loop_watch_fd(link->loop, link->context->c.fd, events, ready, link, &link->watch) !=
             0)
        link->watch = NULL; /* never ready: its owner's patience ends it */
}

static void add_read(void *data)
{
    struct redis_link *link = data;

    set_events(link, link->events | LN_LOOP_READABLE);
}

static void remove_read(void *data)
{
    struct redis_link *link = data;

    set_events(link, link->events & ~(unsigned)LN_LOOP_READABLE);
}

static void add_write(void *data)
{
    struct redis_link *link = data;

    set_events(link, link->events | LN_LOOP_WRITABLE);
}

static void remove_write(void *data)
{
    struct redis_link *link = data;

    set_events(link, link->events & ~(unsigned)LN_LOOP_WRITABLE);
}

static void clean_up(void *data)
{
    struct redis_link *link = data;

    ln_loop_watch_remove(link->watch);
    link->watch = NULL;
    link->events = 0;
}

static void ended(const redisAsyncContext *context, const char *otherwise)
{
    struct redis_link *link = context->ev.data;

    if (link->context != context)
        return; /* closed from here */
    link->context = NULL;
    clean_up(link);
    link->closed(link->ctx, context->c.err ? context->c.errstr : otherwise);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis_link *link = context->ev.data;

    if (status != REDIS_OK)
        ended(context, "no connection");
    else if (link->context == context)
        link->opened(link->ctx);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    (void)status;
    ended(context, "the connection was closed");
}

void redis_link_open(struct redis_link *link, const char *host, int port)
{
    redisAsyncContext *context = redisAsyncConnect(host, port);

    if (!context) {
        link->closed(link->ctx, "out of memory");
        return;
    }
    if (context->err) {
        link->closed(link->ctx, context->errstr);
        redisAsyncFree(context);
        return;
    }
    link->context = context;
    context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = remove_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = remove_write;
    context->ev.cleanup = clean_up;
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
}

void redis_link_close(struct redis_link *link)
{
    redisAsyncContext *context = link->context;

    link->context = NULL;
    if (context)
        redisAsyncFree(context);
}
