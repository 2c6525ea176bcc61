/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/turn_watch.h"

#include <string.h>

void turn_watch_init(struct turn_watch *watch)
{
    memset(watch, 0, sizeof *watch);
    pthread_mutex_init(&watch->lock, NULL);
}

void turn_watch_deinit(struct turn_watch *watch)
{
    pthread_mutex_destroy(&watch->lock);
}

static struct turn_watched *find(struct turn_watch *watch, const char *user)
{
    for (size_t i = 0; user[0] && i < TURN_WATCHES_MAX; i++)
        if (strcmp(watch->watched[i].user, user) == 0)
            return &watch->watched[i];
    return NULL;
}

/* A free place, or that of who asked longest ago. */
static struct turn_watched *make_place(struct turn_watch *watch, ln_time now)
{
    struct turn_watched *best = &watch->watched[0];

    for (size_t i = 0; i < TURN_WATCHES_MAX; i++) {
        struct turn_watched *w = &watch->watched[i];

        if (!w->user[0] || w->until <= now)
            return w;
        if (w->until < best->until)
            best = w;
    }
    return best;
}

static struct ln_signal_turn_seen *add(struct turn_watched *w, const struct ln_turn_event *event)
{
    struct ln_signal_turn_seen *seen;

    if (w->view.count == LN_SIGNAL_TURN_SEEN_MAX)
        return NULL;
    w->allocations[w->view.count] = event->allocation;
    seen = &w->view.seen[w->view.count++];
    *seen = (struct ln_signal_turn_seen){ .transport = ln_turn_transport_name(event->transport),
                                          .client = event->client };
    return seen;
}

/* Numbers are a worker's own: the transport and the address tell two of them apart, mostly. */
static struct ln_signal_turn_seen *open_one(struct turn_watched *w,
                                            const struct ln_turn_event *event)
{
    struct ln_signal_turn_seen *found = NULL;

    for (size_t i = 0; i < w->view.count; i++) {
        struct ln_signal_turn_seen *seen = &w->view.seen[i];

        if (!seen->open || w->allocations[i] != event->allocation)
            continue;
        if (memcmp(&seen->client, &event->client, sizeof seen->client) == 0)
            return seen;
        found = seen;
    }
    return found;
}

static void note(struct turn_watched *w, const struct ln_turn_event *event)
{
    struct ln_signal_turn_seen *seen;

    switch (event->kind) {
    case LN_TURN_EVENT_ALLOCATED:
        seen = add(w, event);
        if (seen) {
            seen->relayed = event->relayed;
            seen->open = true;
        }
        break;
    case LN_TURN_EVENT_REFUSED:
        seen = add(w, event);
        if (seen)
            seen->code = event->code;
        break;
    case LN_TURN_EVENT_ENDED:
        seen = open_one(w, event);
        if (seen) {
            seen->open = false;
            seen->bytes_from_client = event->bytes_from_client;
            seen->bytes_to_client = event->bytes_to_client;
            seen->packets_dropped = event->packets_dropped;
        }
        break;
    case LN_TURN_EVENT_WRONG_CREDENTIALS:
        w->view.wrong_credentials++;
        break;
    default:
        break;
    }
}

void turn_watch_event(struct turn_watch *watch, const struct ln_turn_event *event)
{
    struct turn_watched *w;

    pthread_mutex_lock(&watch->lock);
    w = find(watch, event->user);
    if (w)
        note(w, event);
    pthread_mutex_unlock(&watch->lock);
}

void turn_watch_look(struct turn_watch *watch, const char *user, ln_time now,
                     struct ln_signal_turn_view *ret_view)
{
    struct turn_watched *w;

    memset(ret_view, 0, sizeof *ret_view);
    if (!user[0] || strlen(user) >= sizeof w->user)
        return; /* its events would have another name */
    pthread_mutex_lock(&watch->lock);
    w = find(watch, user);
    if (!w || w->until <= now) {
        w = w ? w : make_place(watch, now);
        memset(w, 0, sizeof *w);
        strcpy(w->user, user);
    }
    w->until = now + TURN_WATCH_PERIOD;
    *ret_view = w->view;
    pthread_mutex_unlock(&watch->lock);
}
