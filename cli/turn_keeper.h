/* SPDX-License-Identifier: Apache-2.0
 * What signals mean for a TURN server that runs, alone or within `linnet serve`: SIGHUP reads the
 * configuration again and takes a drain back; SIGTERM drains while there are allocations, for as
 * long as the configuration says; a second one, or SIGINT, ends it at once. SIGUSR1 is the
 * server's word to itself that users have changed. */
#ifndef LN_CLI_TURN_KEEPER_H
#define LN_CLI_TURN_KEEPER_H

#include "cli/config.h"
#include "cli/turn_settings.h"

#include <time.h>

struct turn_keeper {
    const char *name; /* "linnet turn", before each sentence */
    struct ln_turn_service *service;
    /* Reads the configuration again: 0, with config and plan filled, or an exit code after one
     * sentence, with nothing left behind in the plan. The config is freed in any case. */
    int (*read)(void *ctx, struct serve_config *config, struct turn_plan *plan);
    void (*reloaded)(void *ctx); /* what was read is in force; may be NULL */
    void *ctx;
    struct turn_redis *redis;    /* users from there as well; NULL: none */
    const struct ln_env *env;    /* of the credentials */
    struct serve_config *config; /* in force; replaced by a reload */
    time_t end;                  /* of the drain, monotonic */
    _Atomic bool draining;
};

/* The signals that are meant. */
#define TURN_KEEPER_SIGNALS 4
extern const int turn_keeper_signals[TURN_KEEPER_SIGNALS];

/* From now on users that changed in Redis come into force. The signals are blocked. */
void turn_keeper_watch_users(struct turn_keeper *keeper);
/* Does what the signal asks for (0: time has passed). True when it is time to end. */
bool turn_keeper_signal(struct turn_keeper *keeper, int signal);

#endif
