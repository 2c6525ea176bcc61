/* SPDX-License-Identifier: Apache-2.0
 * What the configuration says of TURN, and what the service takes: texts become addresses, users
 * and prefixes, and what does not fit is one sentence. */
#ifndef LN_CLI_TURN_SETTINGS_H
#define LN_CLI_TURN_SETTINGS_H

#include "servers/turn/wiring/service.h"

#include <stdio.h>

#define TURN_TEXTS_MAX 64

struct turn_texts {
    const char *items[TURN_TEXTS_MAX];
    size_t count;
};

struct turn_settings {
    bool present; /* the section is there */
    bool strict_channels, tcp_relay, mobility;
    struct turn_texts listen, relay, users, secrets, allow_peers, deny_peers;
    const char *realm, *nonce_key, *check_stun, *users_database, *users_redis, *redis_password;
    long port_min, port_max, workers, allocations, user_allocations, permissions, channels;
    long user_permissions, user_channels, all_permissions, all_channels;
    long kbit_per_second, user_kbit_per_second, lifetime_seconds, nonce_seconds;
    long credential_seconds, streams, source_streams, stream_seconds, drain_seconds;
    long tcp_connections, shared_ports, redis_seconds;
};

void turn_settings_init(struct turn_settings *settings); /* all defaults */
/* Whether anybody could get in. */
bool turn_settings_usable(const struct turn_settings *settings);

/* What the service reads: its arrays stand here. */
struct turn_plan {
    struct ln_turn_listen listen[LN_TURN_LISTEN_MAX];
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    struct ln_turn_service_config config;
    struct ln_turn_credentials *credentials; /* goes to the service */
    char *certificate_pem, *key_pem;         /* what config.certificate_pem and key_pem stand in */
};

#define TURN_USUAL_MAX 3

struct turn_redis;

/* All users: of Redis (NULL: none), of the database, of the settings; a later one replaces an
 * earlier one of the same name. `env` outlives them. Returns 0, or -1 after one sentence. */
int turn_users_make(struct ln_turn_credentials **ret_credentials,
                    const struct turn_settings *settings, struct turn_redis *redis,
                    const struct ln_env *env, FILE *errors);

/* `env` outlives the credentials. Without `listen` in the settings the `usual` addresses, at most
 * TURN_USUAL_MAX, are taken (each for UDP and TCP). Returns 0, or -1 after one sentence to
 * `errors`; then nothing is left behind. */
int turn_plan_make(struct turn_plan *plan, const struct turn_settings *settings,
                   const struct ln_address *usual, size_t usual_count, struct turn_redis *redis,
                   const struct ln_env *env, FILE *errors);

/* Reads certificate and key from their files. Returns 0, or -1 after one sentence. */
int turn_plan_read_certificate(struct turn_plan *plan, const char *certificate, const char *key,
                               FILE *errors);
void turn_plan_free(struct turn_plan *plan);

/* The value itself, or with "@FILE" the first line of that file in `memory`. NULL after one
 * sentence to `errors`. */
const char *turn_secret_text(const char *value, char *memory, size_t cap, FILE *errors);

/* Writes the settings as they are in force, in the form of the file; secrets are left out. */
void turn_settings_print(const struct turn_settings *settings, FILE *out);

#endif
