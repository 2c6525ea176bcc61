/* SPDX-License-Identifier: Apache-2.0
 * Users of the TURN server from Redis, under the keys that coturn's turnadmin writes:
 *
 *     turn/realm/REALM/user/NAME/key     the key in hex: 32 digits of MD5(name:realm:password), or
 *                                        64 of SHA-256
 *     turn/realm/REALM/secret            a set of secrets for ephemeral credentials
 *
 * All of the realm is read at the start, then again after a while, on a thread of its own: whoever
 * authenticates is looked up in what was read, so that Redis can be slow or gone and nobody
 * waits. While it cannot be reached, what was read last stays in force; it is tried again after 1
 * s, then twice as long each time, up to 30 s. */
#ifndef LN_CLI_TURN_REDIS_H
#define LN_CLI_TURN_REDIS_H

#include "servers/turn/core/credentials.h"

#include <stdio.h>

#define TURN_REDIS_HOST_MAX 256u
#define TURN_REDIS_WAIT     LN_SECONDS(3) /* of the start, for the first answer */

struct turn_redis_address {
    char host[TURN_REDIS_HOST_MAX];
    int port, database;
};

/* Reads "HOST[:PORT][/DATABASE]", IPv6 in brackets. False when it is something else. */
bool turn_redis_address_parse(const char *text, struct turn_redis_address *ret_address);

struct turn_redis;

/* Begins to read; the texts are copied. `password` may be NULL. Returns 0, LN_ERR_SYNTAX, or why
 * there is no thread. */
LN_NODISCARD int turn_redis_start(struct turn_redis **ret_redis, const char *address,
                                  const char *password, const char *realm, long seconds);
void turn_redis_stop(struct turn_redis *redis); /* NULL is fine */

struct turn_settings;
/* The whole of a start: as the settings say (NULL when they name no Redis), and waits for it.
 * Returns 0, or -1 after one sentence; a Redis that cannot be reached is told, and no error. */
int turn_redis_open(struct turn_redis **ret_redis, const struct turn_settings *settings,
                    const char *name, FILE *errors);

/* Waits until all was read, or the first try failed: then says why in one sentence to `errors`. */
void turn_redis_wait(struct turn_redis *redis, const char *name, FILE *errors);
/* Adds the users that were read last. Any thread. Returns 0, or -1 after one sentence. */
int turn_redis_add_users(struct turn_redis *redis, struct ln_turn_credentials *credentials,
                         FILE *errors);
/* And the secrets, as many as there is room for beside those that are there already. */
void turn_redis_add_secrets(struct turn_redis *redis, struct ln_turn_credentials *credentials);
/* Calls `changed` on the reader's thread whenever there is something else to add than was added
 * last, from now on. */
void turn_redis_watch(struct turn_redis *redis, void (*changed)(void *ctx), void *ctx);
/* Reads now. Any thread. */
void turn_redis_read_again(struct turn_redis *redis);

struct turn_redis_stats {
    bool up;                      /* what is in force is what Redis has, as far as is known */
    uint64_t reads, failures;     /* so far */
    uint64_t users, secrets, bad; /* of the last read; bad: entries that are no key */
};
void turn_redis_stats(struct turn_redis *redis, struct turn_redis_stats *ret_stats);

#endif
