/* SPDX-License-Identifier: Apache-2.0
 * The client: its threads, and the way of news to the application. */
#include "base/alloc.h"
#include "client/call.h"
#include "client/client_internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_WAIT   LN_SECONDS(1)
#define DISPATCH_MAX 256 /* callbacks of one dispatch, so that a host's loop gets its turn */
#define FULL_WAIT_MS 1

/* ---- news ---- */

void ln_client_tell(struct ln_client *client, struct ln_news *news, bool lossy)
{
    size_t room = LN_CLIENT_NEWS_MAX - (lossy ? LN_CLIENT_NEWS_SPARED : 0);

    if (atomic_load(&client->news_count) >= room) {
        news->drop(news);
        return;
    }
    atomic_fetch_add(&client->news_count, 1);
    if (ln_mailbox_put(&client->news, &news, NULL) != 0) {
        atomic_fetch_sub(&client->news_count, 1);
        news->drop(news);
    }
}

void ln_client_tell_media(struct ln_client *client, struct ln_news *news)
{
    struct ln_news *oldest = NULL;
    int result = ln_mailbox_put(&client->media, &news, &oldest);

    if (result == 1)
        oldest->drop(oldest);
    else if (result < 0)
        news->drop(news);
}

static void tell(struct ln_news *news)
{
    news->tell(news);
    news->drop(news);
}

void ln_client_tell_waiting_media(struct ln_client *client)
{
    struct ln_news *news;

    for (unsigned i = 0; i < LN_CLIENT_MEDIA_MAX && ln_mailbox_take(&client->media, &news, 0) == 0;
         i++)
        tell(news);
}

static bool dispatch_one(struct ln_client *client)
{
    struct ln_news *news;

    if (ln_mailbox_take(&client->news, &news, 0) == 0) {
        atomic_fetch_sub(&client->news_count, 1);
        tell(news);
        return true;
    }
    if (ln_mailbox_take(&client->media, &news, 0) == 0) {
        tell(news);
        return true;
    }
    return false;
}

void ln_client_dispatch(ln_client *client)
{
    assert(!client->dispatching);
    client->dispatching = true;
    for (int i = 0; i < DISPATCH_MAX && dispatch_one(client); i++)
        ;
    client->dispatching = false;
}

int ln_client_fd(const ln_client *client)
{
    return client->fd;
}

int ln_client_run(ln_client *client)
{
    while (!atomic_exchange(&client->stopped, false) && client->rooms_open > 0) {
        struct pollfd ready = { .fd = client->fd, .events = POLLIN };

        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return LN_ERR_SYSTEM;
        ln_client_dispatch(client);
    }
    return client->rooms_open > 0 ? 0 : client->last_error;
}

struct posted {
    struct ln_news news;
    struct ln_client *client;
    void (*call)(void *ctx);
    void *ctx;
};

static void tell_posted(struct ln_news *news)
{
    struct posted *posted = (struct posted *)news;

    if (posted->call && !posted->client->muted)
        posted->call(posted->ctx);
}

static void drop_posted(struct ln_news *news)
{
    struct posted *posted = (struct posted *)news;

    ln_free(posted->client->allocator, posted);
}

int ln_client_post(ln_client *client, void (*call)(void *ctx), void *ctx)
{
    struct posted *posted = ln_alloc(client->allocator, sizeof *posted);
    struct ln_news *news = &posted->news;

    if (!posted)
        return LN_ERR_NOMEM;
    *posted = (struct posted){ .news = { .tell = tell_posted, .drop = drop_posted },
                               .client = client,
                               .call = call,
                               .ctx = ctx };
    if (atomic_fetch_add(&client->news_count, 1) >= LN_CLIENT_NEWS_MAX - LN_CLIENT_NEWS_SPARED ||
        ln_mailbox_put(&client->news, &news, NULL) != 0) {
        atomic_fetch_sub(&client->news_count, 1);
        drop_posted(news);
        return LN_ERR_LIMIT;
    }
    return 0;
}

void ln_client_stop(ln_client *client)
{
    atomic_store(&client->stopped, true);
    (void)!ln_client_post(client, NULL, NULL); /* wakes it; a full mailbox does too */
}

ln_time ln_client_now(const ln_client *client)
{
    struct timespec t;

    (void)client;
    clock_gettime(CLOCK_MONOTONIC, &t); /* the loop's clock */
    return LN_SECONDS(t.tv_sec) + t.tv_nsec;
}

/* ---- commands ---- */

int ln_client_command(struct ln_client *client, void (*call)(void *ctx), void *ctx)
{
    return ln_loop_post(client->loop, call, ctx);
}

void ln_client_must_command(struct ln_client *client, void (*call)(void *ctx), void *ctx)
{
    while (ln_loop_post(client->loop, call, ctx) != 0)
        poll(NULL, 0,
             FULL_WAIT_MS); /* the loop is behind by a thousand commands; it never blocks */
}

/* ---- life ---- */

static void run_loop(void *ctx)
{
    struct ln_client *client = ctx;

    (void)!ln_loop_run(client->loop);
}

static void run_control(void *ctx)
{
    struct ln_client *client = ctx;

    ln_http_loop_run(client->control);
}

static void stop_loop(void *ctx)
{
    struct ln_client *client = ctx;

    ln_loop_stop(client->loop);
}

static void stop_control(void *ctx)
{
    struct ln_client *client = ctx;

    ln_http_loop_stop(client->control);
}

static int watch_mailbox(struct ln_client *client, const struct ln_mailbox *mailbox)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(client->fd, EPOLL_CTL_ADD, ln_mailbox_fd(mailbox), &event) == 0
               ? 0
               : LN_ERR_SYSTEM;
}

static int open_mailboxes(struct ln_client *client)
{
    int error;

    client->fd = epoll_create1(EPOLL_CLOEXEC);
    if (client->fd < 0)
        return LN_ERR_LIMIT;
    error = ln_mailbox_init(&client->news, sizeof(struct ln_news *), LN_CLIENT_NEWS_MAX,
                            LN_MAILBOX_REFUSE);
    if (!error)
        error = watch_mailbox(client, &client->news);
    if (!error)
        error = ln_mailbox_init(&client->media, sizeof(struct ln_news *), LN_CLIENT_MEDIA_MAX,
                                LN_MAILBOX_DROP_OLDEST);
    return error ? error : watch_mailbox(client, &client->media);
}

static int open_port(struct ln_client *client)
{
    struct ln_shared_port_options options;

    if (!client->config.one_port)
        return 0;
    ln_shared_port_options_init(&options);
    options.udp_port = client->config.udp_port;
    options.tcp_port = client->config.tcp_port;
    options.tcp = client->config.network.ice_tcp;
    return ln_port_create(&client->port, client->loop, ln_driver_env(client->driver), &options);
}

static int start(struct ln_client *client)
{
    struct ln_http_loop_config control = { .allocator = client->allocator };
    int error = open_mailboxes(client);

    if (!error)
        error = ln_driver_create(&client->driver);
    if (error)
        return error;
    client->loop = ln_driver_loop(client->driver);
    error = open_port(client);
    if (!error)
        error = ln_workers_create(&client->workers, client->loop, client->config.codec_threads,
                                  client->allocator);
    if (!error)
        error = ln_http_loop_create(&client->control, &control);
    if (!error)
        error = ln_thread_start(&client->control_thread, "control", run_control, client);
    client->control_running = !error;
    if (!error)
        error = ln_thread_start(&client->loop_thread, "loop", run_loop, client);
    client->loop_running = !error;
    return error;
}

void ln_client_config_init(struct ln_client_config *config)
{
    *config = (struct ln_client_config){ .size = sizeof *config };
}

int ln_client_create(const struct ln_client_config *config, ln_client **ret_client)
{
    struct ln_client_config defaults;
    struct ln_client *client;
    int error;

    if (!config) {
        ln_client_config_init(&defaults);
        config = &defaults;
    }
    if (config->size != sizeof *config)
        return LN_ERR_INVALID_ARGUMENT;
    client = ln_alloc_zero(config->allocator ? config->allocator : ln_allocator_libc(),
                           sizeof *client);
    if (!client)
        return LN_ERR_NOMEM;
    client->config = *config;
    client->allocator = config->allocator ? config->allocator : ln_allocator_libc();
    client->fd = client->news.fd = client->media.fd = -1;
    ln_list_init(&client->rooms);
    ln_list_init(&client->cores);
    ln_list_init(&client->ending);
    error = start(client);
    if (error)
        ln_client_free(client);
    else
        *ret_client = client;
    return error;
}

/* Leaves all rooms, and waits a moment for the words to get out. */
static void leave_rooms(struct ln_client *client)
{
    ln_time now = ln_client_now(client), deadline = now + LEAVE_WAIT;

    LN_LIST_EACH_SAFE (link, next, &client->rooms)
        ln_room_end(link);
    while (!ln_list_empty(&client->rooms) && now < deadline) {
        struct pollfd ready = { .fd = client->fd, .events = POLLIN };

        poll(&ready, 1, (int)((deadline - now) / 1000000) + 1);
        ln_client_dispatch(client);
        now = ln_client_now(client);
    }
}

/* The loop ends first. What its rooms then still say to the control thread is said before that one
 * ends, and what that one answered is taken by a last turn of the loop: so that every message meets
 * its receiver and nothing it holds is lost. */
static void stop_threads(struct ln_client *client)
{
    if (client->loop_running)
        ln_client_must_command(client, stop_loop, client);
    ln_thread_join(&client->loop_thread);
    while (!ln_list_empty(&client->cores))
        ln_room_core_discard(ln_room_core_of(client->cores.next));
    ln_call_free_ended(&client->ending);
    if (client->control_running)
        while (ln_http_loop_post(client->control, stop_control, client) != 0)
            poll(NULL, 0, FULL_WAIT_MS);
    ln_thread_join(&client->control_thread);
    if (client->loop)
        (void)!ln_loop_run_once(client->loop, 0);
}

static void drop_news(struct ln_mailbox *mailbox)
{
    struct ln_news *news;

    if (mailbox->fd < 0)
        return;
    while (ln_mailbox_take(mailbox, &news, 0) == 0)
        news->drop(news);
    ln_mailbox_deinit(mailbox);
}

void ln_client_free(ln_client *client)
{
    if (!client)
        return;
    assert(!client->dispatching);
    client->muted = true;
    if (client->loop_running)
        leave_rooms(client);
    stop_threads(client);
    ln_workers_free(client->workers);
    ln_http_loop_free(client->control);
    ln_port_free(client->port);
    ln_driver_free(client->driver);
    drop_news(&client->news);
    drop_news(&client->media);
    while (!ln_list_empty(&client->rooms))
        ln_room_discard(client->rooms.next);
    if (client->fd >= 0)
        close(client->fd);
    ln_free(client->allocator, client);
}
