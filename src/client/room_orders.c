/* SPDX-License-Identifier: Apache-2.0
 * What the application's thread wants of a room: messages, media of its own, snapshots, each posted
 * to the loop as a command with what it needs. */
#include "base/alloc.h"
#include "client/room_core.h"
#include "client/snapshot.h"

#include <linnet/error.h>

#include <string.h>

#define MEDIA_QUEUED_MAX 8u /* of the application, on their way to the loop */

/* A command with what it needs. */
struct order {
    struct ln_room_core *core;
    struct ln_allocator *allocator;
    uint64_t key;
    struct ln_picture *picture;
    struct ln_samples *samples;
    size_t len;
    char text[];
};

static struct order *write_order(struct ln_room_core *core, uint64_t key, const char *text,
                                 size_t len)
{
    struct order *order = ln_alloc(core->allocator, sizeof *order + len + 1);

    if (!order)
        return NULL;
    *order = (struct order){ .core = core, .allocator = core->allocator, .key = key, .len = len };
    if (len > 0)
        memcpy(order->text, text, len);
    order->text[len] = '\0';
    return order;
}

static void free_order(struct order *order)
{
    ln_picture_unref(order->picture);
    ln_samples_unref(order->samples);
    ln_free(order->allocator, order);
}

static int give_order(struct order *order, void (*call)(void *ctx))
{
    int error = ln_client_command(order->core->client, call, order);

    if (error)
        free_order(order);
    return error;
}

static void send_text(void *ctx)
{
    struct order *order = ctx;

    LN_LIST_EACH (link, &order->core->members) {
        struct ln_room_member *member = LN_CONTAINER(link, struct ln_room_member, link);

        if (member->call && (order->key == 0 || order->key == member->key))
            (void)!ln_call_send_text(member->call, order->text, order->len);
    }
    free_order(order);
}

int ln_room_core_post_text(struct ln_room_core *core, uint64_t to, const char *text, size_t len)
{
    struct order *order = write_order(core, to, text, len);

    return order ? give_order(order, send_text) : LN_ERR_NOMEM;
}

static void push_media(void *ctx)
{
    struct order *order = ctx;

    atomic_fetch_sub(&order->core->media_queued, 1);
    LN_LIST_EACH (link, &order->core->members) {
        struct ln_room_member *member = LN_CONTAINER(link, struct ln_room_member, link);

        if (member->call && order->picture)
            ln_call_push_picture(member->call, order->picture);
        if (member->call && order->samples)
            ln_call_push_samples(member->call, order->samples);
    }
    free_order(order);
}

int ln_room_core_post_media(struct ln_room_core *core, struct ln_picture *picture,
                            struct ln_samples *samples)
{
    struct order *order;
    int error;

    if (atomic_load(&core->media_queued) >= MEDIA_QUEUED_MAX)
        return LN_ERR_LIMIT;
    order = write_order(core, 0, NULL, 0);
    if (!order)
        return LN_ERR_NOMEM;
    order->picture = picture ? ln_picture_ref(picture) : NULL;
    order->samples = samples ? ln_samples_ref(samples) : NULL;
    atomic_fetch_add(&core->media_queued, 1);
    error = give_order(order, push_media);
    if (error)
        atomic_fetch_sub(&core->media_queued, 1);
    return error;
}

struct snapshot {
    struct ln_client *client;
    struct ln_room_core *core;
    uint64_t key;
    char path[];
};

/* Only at the client's end does a room not wait for its snapshots. */
static bool still_there(const struct ln_client *client, const struct ln_room_core *core)
{
    LN_LIST_EACH (link, (struct ln_list *)&client->cores)
        if (ln_room_core_of(link) == core)
            return true;
    return false;
}

static void on_snapshot(void *ctx, int error)
{
    struct snapshot *snapshot = ctx;
    struct ln_client *client = snapshot->client;
    struct ln_room_core *core = snapshot->core;
    struct ln_room_news *news;

    if (still_there(client, core)) {
        news = ln_room_core_news(core, LN_ROOM_NEWS_SNAPSHOT, snapshot->key, snapshot->path,
                                 strlen(snapshot->path));
        if (news)
            news->error = error;
        ln_room_core_tell(core, news, false);
        core->snapshots--;
        ln_room_core_end_if_done(core);
    }
    ln_free(client->allocator, snapshot);
}

static void take_snapshot(void *ctx)
{
    struct order *order = ctx;
    struct ln_room_core *core = order->core;
    struct ln_room_member *member = ln_room_core_find(core, order->key);
    struct ln_picture *picture = member && member->call ? ln_call_latest(member->call) : NULL;
    struct snapshot *snapshot = ln_alloc(core->allocator, sizeof *snapshot + order->len + 1);
    int error = picture ? 0 : LN_ERR_AGAIN;

    if (snapshot) {
        snapshot->client = core->client;
        snapshot->core = core;
        snapshot->key = order->key;
        memcpy(snapshot->path, order->text, order->len + 1);
        core->snapshots++;
        if (!error)
            error = ln_snapshot_write(core->client->workers, picture, order->text, core->allocator,
                                      on_snapshot, snapshot);
        if (error)
            on_snapshot(snapshot, error);
    }
    ln_picture_unref(picture);
    free_order(order);
}

int ln_room_core_post_snapshot(struct ln_room_core *core, uint64_t participant, const char *path)
{
    struct order *order = write_order(core, participant, path, strlen(path));

    return order ? give_order(order, take_snapshot) : LN_ERR_NOMEM;
}
