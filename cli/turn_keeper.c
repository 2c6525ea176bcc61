/* SPDX-License-Identifier: Apache-2.0
 * Reload and drain (turn_keeper.h). */
#include "cli/turn_keeper.h"

#include "cli/turn_redis.h"

#include <linnet/error.h>

#include <signal.h>
#include <time.h>
#include <unistd.h>

const int turn_keeper_signals[TURN_KEEPER_SIGNALS] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };

static time_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void reload(struct turn_keeper *k)
{
    struct serve_config config;
    struct turn_plan plan;
    int error;

    if (k->read(k->ctx, &config, &plan) != 0) {
        fprintf(stderr, "%s: what was in force stays in force\n", k->name);
        serve_config_free(&config);
        return;
    }
    error = ln_turn_service_reload(k->service, &plan.config, plan.credentials);
    plan.credentials = NULL;
    turn_plan_free(&plan);
    if (error) {
        fprintf(stderr, "%s: certificate and key: %s; what was in force stays in force\n", k->name,
                ln_error_sentence(error));
        serve_config_free(&config);
        return;
    }
    serve_config_free(k->config);
    *k->config = config;
    if (k->reloaded)
        k->reloaded(k->ctx);
    fprintf(stderr, "%s: the configuration was read again\n", k->name);
}

/* What is in force stays, but for users. */
static void take_users(struct turn_keeper *k)
{
    struct ln_turn_credentials *credentials;

    if (k->redis && turn_users_make(&credentials, &k->config->turn, k->redis, k->env, stderr) == 0)
        ln_turn_service_set_users(k->service, credentials);
}

/* On Redis' thread: the owner's takes them, by a signal as whatever else it is told. */
static void users_changed(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGUSR1);
}

void turn_keeper_watch_users(struct turn_keeper *keeper)
{
    if (keeper->redis)
        turn_redis_watch(keeper->redis, users_changed, keeper);
}

static void set_drain(struct turn_keeper *k, bool drain)
{
    if (k->draining == drain)
        return;
    k->draining = drain;
    ln_turn_service_drain(k->service, drain);
    if (!drain) {
        fprintf(stderr, "%s: takes allocations again\n", k->name);
        return;
    }
    k->end = seconds() + k->config->turn.drain_seconds;
    if (ln_turn_service_allocations(k->service) > 0)
        fprintf(stderr, "%s: drains: %zu allocations are left, at most %ld s\n", k->name,
                ln_turn_service_allocations(k->service), k->config->turn.drain_seconds);
}

bool turn_keeper_signal(struct turn_keeper *k, int signal)
{
    if (signal == SIGINT || (signal == SIGTERM && k->draining))
        return true;
    if (signal == SIGTERM) {
        set_drain(k, true);
    } else if (signal == SIGHUP) {
        set_drain(k, false);
        reload(k);
        if (k->redis)
            turn_redis_read_again(k->redis);
    } else if (signal == SIGUSR1) {
        take_users(k);
    }
    return k->draining && (ln_turn_service_allocations(k->service) == 0 || seconds() >= k->end);
}
