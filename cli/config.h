/* SPDX-License-Identifier: Apache-2.0
 * The configuration file of `linnet serve` (docs/linnet.yaml): YAML, each key in one table. What
 * the table does not know, or a value that does not fit, is an error with file, line and the
 * nearest key. */
#ifndef LN_CLI_CONFIG_H
#define LN_CLI_CONFIG_H

#include "cli/turn_settings.h"
#include "servers/signal/wiring/service.h"

#include <stdio.h>

#define CONFIG_ROOMS_MAX       64
#define CONFIG_ORIGINS_MAX     64
#define CONFIG_ICE_SERVERS_MAX 16

struct serve_config {
    const char *listen, *certificate, *key, *stun_listen; /* NULL: not set */
    long stun_per_second, stun_burst;
    bool metrics, one_port;
    long rooms, room_participants, connections, source_connections, message_bytes;
    long messages_per_second, message_burst, queue_messages, queue_bytes, name_bytes, room_bytes;
    long join_seconds, idle_seconds, grace_seconds;
    long http_connections, http_source_connections, head_bytes, head_seconds, keep_alive_seconds,
        stall_seconds;
    long pings_per_minute;
    const char *token;
    struct ln_signal_room_token room_tokens[CONFIG_ROOMS_MAX];
    size_t room_token_count;
    const char *origins[CONFIG_ORIGINS_MAX];
    size_t origin_count;
    struct ln_signal_ice_server ice_servers[CONFIG_ICE_SERVERS_MAX];
    size_t ice_server_count;
    struct turn_settings turn; /* docs/linnet.yaml's section turn */
    void *texts;               /* what the texts above stand in */
};

/* All defaults. */
void serve_config_init(struct serve_config *config);
void serve_config_free(struct serve_config *config);

/* Reads a file over what is there. Returns 0, or -1 after writing one sentence to `errors`. */
int serve_config_read(struct serve_config *config, const char *path, FILE *errors);

/* All defaults, over them the file (NULL: none), over that certificate and key (NULL: as they are).
 * Returns as above; to be freed in any case. */
int serve_config_load(struct serve_config *config, const char *path, const char *certificate,
                      const char *key, FILE *errors);

/* Hands the limits on. */
void serve_config_apply(const struct serve_config *config,
                        struct ln_signal_service_config *service);

#endif
