/* SPDX-License-Identifier: Apache-2.0
 * From texts to the service's configuration. */
#include "cli/turn_settings.h"

#include "base/alloc.h"
#include "cli/turn_database.h"
#include "cli/turn_redis.h"
#include "crypto/hash.h"
#include "stun/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PEM_MAX 65536u /* bytes of a file */

void turn_settings_init(struct turn_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->realm = "linnet";
    settings->port_min = 49152;
    settings->port_max = 65535;
    settings->allocations = 20000;
    settings->permissions = 128;
    settings->channels = 64;
    settings->mobility = true;
    settings->tcp_connections = 16;
    settings->redis_seconds = 30;
    settings->lifetime_seconds = 3600;
    settings->nonce_seconds = 3600;
    settings->credential_seconds = 86400;
    settings->streams = 1024;
    settings->source_streams = 64;
    settings->stream_seconds = 30;
    settings->drain_seconds = 3600;
}

bool turn_settings_usable(const struct turn_settings *settings)
{
    return settings->users.count > 0 || settings->secrets.count > 0 || settings->users_database ||
           settings->users_redis;
}

const char *turn_secret_text(const char *value, char *memory, size_t cap, FILE *errors)
{
    FILE *file;
    char *line;

    if (value[0] != '@')
        return value;
    file = fopen(value + 1, "r");
    if (!file) {
        fprintf(errors, "%s: cannot be read: %s\n", value + 1, strerror(errno));
        return NULL;
    }
    line = fgets(memory, (int)cap, file);
    fclose(file);
    if (line)
        line[strcspn(line, "\r\n")] = '\0';
    if (!line || !*line) {
        fprintf(errors, "%s: is empty; its first line should be the secret\n", value + 1);
        return NULL;
    }
    return line;
}

/* ---- addresses ---- */

static int complain(FILE *errors, const char *what, const char *text, const char *want)
{
    fprintf(errors, "turn: %s takes %s, not \"%s\"\n", what, want, text);
    return -1;
}

static int add_listener(struct turn_plan *plan, const struct ln_address *address)
{
    for (int stream = 0; stream < 2; stream++) {
        if (plan->config.turn.listen_count == LN_TURN_LISTEN_MAX)
            return -1;
        plan->listen[plan->config.turn.listen_count++] = (struct ln_turn_listen){ *address,
                                                                                  stream == 1 };
    }
    return 0;
}

/* Two addresses on one port: the next port of each makes behaviour discovery possible (RFC 5780).
 */
static void add_alternates(struct turn_plan *plan, const struct turn_settings *settings)
{
    const struct ln_address *a = &plan->listen[0].address, *b = &plan->listen[2].address;

    if (settings->listen.count != 2 || a->family != b->family || a->port != b->port ||
        a->port == 0 || a->port == UINT16_MAX || ln_address_equal(a, b))
        return;
    for (size_t i = 0; i < 2; i++) {
        struct ln_turn_listen alternate = { plan->listen[2 * i].address, false };

        alternate.address.port++;
        plan->listen[plan->config.turn.listen_count++] = alternate;
    }
}

static int read_listeners(struct turn_plan *plan, const struct turn_settings *settings,
                          const struct ln_address *usual, size_t usual_count, FILE *errors)
{
    plan->config.turn.listen = plan->listen;
    for (size_t i = 0; i < usual_count && settings->listen.count == 0; i++)
        (void)add_listener(plan, &usual[i]); /* there is room for so few */
    for (size_t i = 0; i < settings->listen.count; i++) {
        const char *text = settings->listen.items[i], *port = strrchr(text, ':');
        struct ln_address address;

        if (ln_address_parse(text, &address) != 0)
            return complain(errors, "listen", text, "an address as 0.0.0.0:3478 or [::]:3478");
        if (address.port == 0 && !(port && strcmp(port, ":0") == 0 && port > text &&
                                   strchr("]0123456789", port[-1]) != NULL))
            address.port = LN_STUN_PORT;
        if (add_listener(plan, &address) != 0)
            return complain(errors, "listen", text, "eight addresses at most");
    }
    add_alternates(plan, settings);
    return 0;
}

static int read_relays(struct turn_plan *plan, const struct turn_settings *settings, FILE *errors)
{
    static const char want[] = "ADDR or ADDR=EXTERNAL of one family, without ports";

    plan->config.turn.relays = plan->relays;
    for (size_t i = 0; i < settings->relay.count; i++) {
        const char *text = settings->relay.items[i], *external = strchr(text, '=');
        size_t len = external ? (size_t)(external - text) : strlen(text);
        struct ln_turn_relay relay = { .external = { 0 } };
        char bind[LN_ADDRESS_TEXT_MAX];

        if (i == LN_TURN_RELAYS_MAX || len >= sizeof bind)
            return complain(errors, "relay", text, "eight addresses at most");
        memcpy(bind, text, len);
        bind[len] = '\0';
        if (ln_address_parse(bind, &relay.bind) != 0 || relay.bind.port != 0 ||
            (external && (ln_address_parse(external + 1, &relay.external) != 0 ||
                          relay.external.port != 0 || relay.external.family != relay.bind.family)))
            return complain(errors, "relay", text, want);
        plan->relays[plan->config.turn.relay_count++] = relay;
    }
    return 0;
}

static int read_prefixes(const struct turn_texts *texts, const char *what,
                         struct ln_turn_prefix *prefixes, size_t *count, FILE *errors)
{
    for (size_t i = 0; i < texts->count; i++)
        if (ln_turn_prefix_parse(texts->items[i], &prefixes[(*count)++]) != 0)
            return complain(errors, what, texts->items[i], "a prefix as 10.1.0.0/16 or fd00::/8");
    return 0;
}

/* ---- users ---- */

static int read_user(struct ln_turn_credentials *credentials, const char *text, FILE *errors)
{
    char name[LN_TURN_NAME_MAX + 1], memory[LN_TURN_PASSWORD_MAX + 2];
    const char *colon = strchr(text, ':'), *password;
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (len == 0 || len >= sizeof name || !colon[1])
        return complain(errors, "user", text, "NAME:PASSWORD");
    memcpy(name, text, len);
    name[len] = '\0';
    password = turn_secret_text(colon + 1, memory, sizeof memory, errors);
    if (!password)
        return -1;
    if (ln_turn_credentials_add_user(credentials, name, password) != 0)
        return complain(errors, "user", name, "shorter names and passwords");
    ln_wipe(memory, sizeof memory);
    return 0;
}

static int read_secret(struct ln_turn_credentials *credentials, const char *value, FILE *errors)
{
    char memory[LN_TURN_SECRET_MAX + 2];
    const char *secret = turn_secret_text(value, memory, sizeof memory, errors);

    if (!secret)
        return -1;
    if (ln_turn_credentials_add_secret(credentials, secret) != 0) {
        fprintf(errors, "turn: secrets: there may be %u, each of at most %u bytes\n",
                LN_TURN_SECRETS_MAX, LN_TURN_SECRET_MAX);
        return -1;
    }
    ln_wipe(memory, sizeof memory);
    return 0;
}

static int read_users(struct ln_turn_credentials *credentials, const struct turn_settings *settings,
                      struct turn_redis *redis, FILE *errors)
{
    if (redis && turn_redis_add_users(redis, credentials, errors) != 0)
        return -1;
    if (settings->users_database &&
        turn_database_read(credentials, settings->users_database, errors) != 0)
        return -1;
    for (size_t i = 0; i < settings->users.count; i++)
        if (read_user(credentials, settings->users.items[i], errors) != 0)
            return -1;
    for (size_t i = 0; i < settings->secrets.count; i++)
        if (read_secret(credentials, settings->secrets.items[i], errors) != 0)
            return -1;
    if (redis)
        turn_redis_add_secrets(redis, credentials);
    return 0;
}

int turn_users_make(struct ln_turn_credentials **ret_credentials,
                    const struct turn_settings *settings, struct turn_redis *redis,
                    const struct ln_env *env, FILE *errors)
{
    struct ln_turn_credentials *credentials;

    if (ln_turn_credentials_create(&credentials, settings->realm, env) != 0)
        return complain(errors, "realm", settings->realm, "a shorter text");
    if (read_users(credentials, settings, redis, errors) != 0) {
        ln_turn_credentials_free(credentials);
        return -1;
    }
    *ret_credentials = credentials;
    return 0;
}

/* Whether what is said of Redis can be used. */
static int check_redis(const struct turn_settings *settings, FILE *errors)
{
    char memory[LN_TURN_SECRET_MAX + 2];
    struct turn_redis_address address;

    if (settings->users_redis && !turn_redis_address_parse(settings->users_redis, &address))
        return complain(errors, "users_redis", settings->users_redis,
                        "HOST:PORT/DATABASE as 127.0.0.1:6379/0");
    if (settings->redis_password &&
        !turn_secret_text(settings->redis_password, memory, sizeof memory, errors))
        return -1;
    ln_wipe(memory, sizeof memory);
    return 0;
}

static int read_nonce_key(struct turn_plan *plan, const struct turn_settings *settings,
                          FILE *errors)
{
    char memory[LN_TURN_SECRET_MAX + 2];
    const char *text;

    if (!settings->nonce_key)
        return 0;
    text = turn_secret_text(settings->nonce_key, memory, sizeof memory, errors);
    if (!text)
        return -1;
    ln_hash_once(LN_HASH_SHA256, text, strlen(text), plan->config.turn.nonce_key);
    ln_wipe(memory, sizeof memory);
    return 0;
}

/* ---- all of it ---- */

static void read_limits(struct turn_plan *plan, const struct turn_settings *s)
{
    struct ln_turn_config *turn = &plan->config.turn;

    turn->port_min = (uint16_t)s->port_min;
    turn->port_max = (uint16_t)s->port_max;
    turn->nonce_lifetime = LN_SECONDS(s->nonce_seconds);
    turn->lifetime_max = LN_SECONDS(s->lifetime_seconds);
    turn->permissions_max = (uint32_t)s->permissions;
    turn->channels_max = (uint32_t)s->channels;
    turn->strict_channels = s->strict_channels;
    turn->relay_ports = (uint16_t)s->shared_ports;
    turn->tcp_relay = s->tcp_relay;
    turn->no_mobility = !s->mobility;
    turn->connections_max = (uint32_t)s->tcp_connections;
    turn->streams_max = (uint32_t)s->streams;
    turn->streams_per_source_max = (uint32_t)s->source_streams;
    turn->stream_patience = LN_SECONDS(s->stream_seconds);
    plan->config.workers = (unsigned)s->workers;
    plan->config.limits = (struct ln_turn_limits){
        .allocations = (uint32_t)s->allocations,
        .allocations_per_user = (uint32_t)s->user_allocations,
        .bytes_per_second = (uint64_t)s->kbit_per_second * 125,
        .bytes_per_second_per_user = (uint64_t)s->user_kbit_per_second * 125,
        .permissions = (uint32_t)s->all_permissions,
        .permissions_per_user = (uint32_t)s->user_permissions,
        .channels = (uint32_t)s->all_channels,
        .channels_per_user = (uint32_t)s->user_channels,
    };
}

int turn_plan_make(struct turn_plan *plan, const struct turn_settings *settings,
                   const struct ln_address *usual, size_t usual_count, struct turn_redis *redis,
                   const struct ln_env *env, FILE *errors)
{
    struct ln_turn_policy *policy = &plan->config.policy;

    memset(plan, 0, sizeof *plan);
    read_limits(plan, settings);
    if (settings->port_min > settings->port_max) {
        fprintf(errors, "turn: port_min is above port_max\n");
        return -1;
    }
    if (settings->shared_ports > settings->port_max - settings->port_min + 1) {
        fprintf(errors,
                "turn: shared_ports is %ld, and there are %ld ports; give it fewer or the "
                "relays more\n",
                settings->shared_ports, settings->port_max - settings->port_min + 1);
        return -1;
    }
    if (read_listeners(plan, settings, usual, usual_count, errors) != 0 ||
        read_relays(plan, settings, errors) != 0 ||
        read_prefixes(&settings->allow_peers, "allow_peers", policy->allow, &policy->allow_count,
                      errors) != 0 ||
        read_prefixes(&settings->deny_peers, "deny_peers", policy->deny, &policy->deny_count,
                      errors) != 0 ||
        read_nonce_key(plan, settings, errors) != 0 || check_redis(settings, errors) != 0)
        return -1;
    return turn_users_make(&plan->credentials, settings, redis, env, errors);
}

/* ---- certificate ---- */

static int read_pem(const char *path, char **ret_text, struct ln_bytes *ret_bytes, FILE *errors)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(PEM_MAX) : NULL;
    size_t len = text ? fread(text, 1, PEM_MAX, file) : 0;

    if (file)
        fclose(file);
    if (len == 0 || len == PEM_MAX) {
        fprintf(errors, "%s: cannot be read; it should hold a certificate or a key in PEM\n", path);
        free(text);
        return -1;
    }
    *ret_text = text;
    *ret_bytes = (struct ln_bytes){ (const uint8_t *)text, len };
    return 0;
}

int turn_plan_read_certificate(struct turn_plan *plan, const char *certificate, const char *key,
                               FILE *errors)
{
    if (!certificate && !key)
        return 0;
    if (!certificate) {
        fprintf(errors, "turn: a key is given, its certificate is missing (--tls-cert)\n");
        return -1;
    }
    if (read_pem(certificate, &plan->certificate_pem, &plan->config.certificate_pem, errors) != 0)
        return -1;
    return key ? read_pem(key, &plan->key_pem, &plan->config.key_pem, errors) : 0;
}

void turn_plan_free(struct turn_plan *plan)
{
    if (plan->key_pem)
        ln_wipe(plan->key_pem, PEM_MAX);
    free(plan->key_pem);
    free(plan->certificate_pem);
    plan->key_pem = plan->certificate_pem = NULL;
    ln_turn_credentials_free(plan->credentials);
    plan->credentials = NULL;
}

/* ---- printing ---- */

static void print_list(FILE *out, const char *name, const struct turn_texts *texts, bool secret)
{
    fprintf(out, "  %s:", name);
    if (texts->count == 0)
        fprintf(out, " []");
    fprintf(out, "\n");
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = texts->items[i], *colon = strchr(text, ':');

        if (!secret)
            fprintf(out, "    - \"%s\"\n", text);
        else
            fprintf(out, "    - \"%.*s***\"\n", colon ? (int)(colon - text + 1) : 0, text);
    }
}

void turn_settings_print(const struct turn_settings *s, FILE *out)
{
    const struct {
        const char *name;
        long value;
    } rows[] = {
        { "port_min", s->port_min },
        { "port_max", s->port_max },
        { "shared_ports", s->shared_ports },
        { "workers", s->workers },
        { "allocations", s->allocations },
        { "user_allocations", s->user_allocations },
        { "permissions", s->permissions },
        { "channels", s->channels },
        { "user_permissions", s->user_permissions },
        { "user_channels", s->user_channels },
        { "all_permissions", s->all_permissions },
        { "all_channels", s->all_channels },
        { "tcp_connections", s->tcp_connections },
        { "kbit_per_second", s->kbit_per_second },
        { "user_kbit_per_second", s->user_kbit_per_second },
        { "redis_seconds", s->redis_seconds },
        { "lifetime_seconds", s->lifetime_seconds },
        { "nonce_seconds", s->nonce_seconds },
        { "credential_seconds", s->credential_seconds },
        { "streams", s->streams },
        { "source_streams", s->source_streams },
        { "stream_seconds", s->stream_seconds },
        { "drain_seconds", s->drain_seconds },
    };

    fprintf(out, "turn:\n");
    print_list(out, "listen", &s->listen, false);
    print_list(out, "relay", &s->relay, false);
    fprintf(out, "  check_stun:%s%s\n", s->check_stun ? " " : "",
            s->check_stun ? s->check_stun : "");
    fprintf(out, "  realm: \"%s\"\n", s->realm);
    print_list(out, "users", &s->users, true);
    fprintf(out, "  users_database:%s%s\n", s->users_database ? " " : "",
            s->users_database ? s->users_database : "");
    fprintf(out, "  users_redis:%s%s\n", s->users_redis ? " " : "",
            s->users_redis ? s->users_redis : "");
    fprintf(out, "  redis_password:%s\n", s->redis_password ? " \"***\"" : "");
    print_list(out, "secrets", &s->secrets, true);
    fprintf(out, "  nonce_key:%s\n", s->nonce_key ? " \"***\"" : "");
    print_list(out, "allow_peers", &s->allow_peers, false);
    print_list(out, "deny_peers", &s->deny_peers, false);
    fprintf(out, "  strict_channels: %s\n", s->strict_channels ? "true" : "false");
    fprintf(out, "  tcp_relay: %s\n", s->tcp_relay ? "true" : "false");
    fprintf(out, "  mobility: %s\n", s->mobility ? "true" : "false");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf(out, "  %s: %ld\n", rows[i].name, rows[i].value);
}
