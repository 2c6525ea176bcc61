/* SPDX-License-Identifier: Apache-2.0
 * What the TURN server saw of those few users who asked to be watched, for `linnet diagnose`
 * (docs/signalling.md, `view`). Of nobody else anything is kept; who asked is forgotten after five
 * minutes, or when others asked since. Events come from the workers' threads. */
#ifndef LN_CLI_TURN_WATCH_H
#define LN_CLI_TURN_WATCH_H

#include "servers/signal/core/signal.h"
#include "servers/turn/core/turn.h"

#include <pthread.h>

#define TURN_WATCHES_MAX  32u
#define TURN_WATCH_PERIOD LN_SECONDS(300)

struct turn_watched {
    char user[65]; /* "": free */
    ln_time until;
    uint64_t allocations[LN_SIGNAL_TURN_SEEN_MAX]; /* their numbers */
    struct ln_signal_turn_view view;
};

struct turn_watch {
    pthread_mutex_t lock; /* of the rest */
    struct turn_watched watched[TURN_WATCHES_MAX];
};

void turn_watch_init(struct turn_watch *watch);
void turn_watch_deinit(struct turn_watch *watch);
/* Any thread. */
void turn_watch_event(struct turn_watch *watch, const struct ln_turn_event *event);
/* What was seen of the user since he asked first, and goes on watching. */
void turn_watch_look(struct turn_watch *watch, const char *user, ln_time now,
                     struct ln_signal_turn_view *ret_view);

#endif
