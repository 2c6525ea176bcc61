/* SPDX-License-Identifier: Apache-2.0
 * The reader of users from Redis (turn_redis.h): one connection, one read at a time.
 *
 *   connect -> [AUTH] -> [SELECT] -> SCAN, MGET, SCAN, MGET ... -> SMEMBERS -> wait -> SCAN ...
 *
 * What is being read is the thread's own; only what has been read as a whole is swapped in under
 * the lock. An entry that is no key is passed over and counted: one bad entry locks nobody else
 * out. */
#include "cli/turn_redis.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "cli/redis_link.h"
#include "cli/turn_database.h"
#include "cli/turn_settings.h"
#include "crypto/rng.h"
#include "io/thread.h"

#include <linnet/error.h>

#include <stdlib.h>
#include <string.h>

#define PATIENCE      LN_SECONDS(10) /* without a reply */
#define BACKOFF_FIRST LN_SECONDS(1)
#define BACKOFF_MAX   LN_SECONDS(30)
#define KEYS_A_SCAN   "1000"
#define KEYS_MAX      65536u /* of one reply */
#define PASSWORD_MAX  512u
#define REASON_MAX    160u
#define PATTERN_MAX   (2 * LN_TURN_REALM_MAX + 32u)

/* One user, or with name NULL a secret. */
struct record {
    char *name, *value;
};

struct records {
    struct record *items;
    size_t count, cap, bad;
};

struct turn_redis {
    struct turn_redis_address address;
    char password[PASSWORD_MAX], realm[LN_TURN_REALM_MAX + 1], prefix[LN_TURN_REALM_MAX + 32];
    char pattern[PATTERN_MAX], text[TURN_REDIS_HOST_MAX + 32]; /* of the keys; for people */
    ln_duration period;
    struct ln_rng rng;
    struct ln_loop *loop;
    struct ln_thread thread;

    /* the thread's */
    struct redis_link link;
    struct ln_loop_timer timer; /* the end of patience, or the next read or try */
    struct records next;
    ln_duration backoff;
    bool reading;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t settled;
    struct records records;
    uint64_t generation, added; /* of what was read; of what was added last */
    uint64_t reads, failures;
    bool up, watched;
    char reason[REASON_MAX];
    void (*changed)(void *ctx);
    void *ctx;
};

/* ---- address ---- */

bool turn_redis_address_parse(const char *text, struct turn_redis_address *ret_address)
{
    struct turn_redis_address a = { .port = 6379 };
    const char *end = text + strcspn(text, "/"), *host = text, *colon;
    size_t len;
    char dummy;

    if (*end && sscanf(end, "/%d%c", &a.database, &dummy) != 1)
        return false;
    if (*host == '[') {
        colon = memchr(host, ']', (size_t)(end - host));
        if (!colon)
            return false;
        len = (size_t)(colon - ++host);
        colon++;
    } else {
        colon = memchr(host, ':', (size_t)(end - host));
        colon = colon ? colon : end;
        len = (size_t)(colon - host);
    }
    if (colon < end && (*colon != ':' || sscanf(colon, ":%d%c", &a.port, &dummy) < 1 ||
                        strspn(colon + 1, "0123456789") != (size_t)(end - colon - 1)))
        return false;
    if (len == 0 || len >= sizeof a.host || a.port < 1 || a.port > 65535 || a.database < 0)
        return false;
    memcpy(a.host, host, len);
    *ret_address = a;
    return true;
}

/* ---- records ---- */

static void record_free(struct record *record)
{
    if (record->value)
        ln_wipe(record->value, strlen(record->value));
    free(record->name);
    free(record->value);
}

static void records_clear(struct records *records)
{
    for (size_t i = 0; i < records->count; i++)
        record_free(&records->items[i]);
    free(records->items);
    *records = (struct records){ .items = NULL };
}

static bool is_key(const char *hex)
{
    struct ln_turn_key md5 = { .len = 0 }, sha256 = { .len = 0 };
    bool good = turn_database_key(hex, &md5, &sha256);

    ln_wipe(&md5, sizeof md5);
    ln_wipe(&sha256, sizeof sha256);
    return good;
}

/* `name` with its length, or NULL; a value that cannot be one of its kind is counted. */
static void records_add(struct records *records, const char *name, size_t len, const char *value)
{
    struct record record = { NULL, NULL };

    if (strlen(value) > LN_TURN_SECRET_MAX || (name && (len == 0 || len > LN_TURN_NAME_MAX)) ||
        (name && !is_key(value)) ||
        ln_grow(ln_allocator_libc(), &records->items, sizeof *records->items, records->count,
                &records->cap, LN_TURN_KNOWN_USERS_MAX + LN_TURN_SECRETS_MAX) != 0) {
        records->bad++;
        return;
    }
    record.value = strdup(value);
    if (name)
        record.name = strndup(name, len);
    if (record.value && (!name || record.name)) {
        records->items[records->count++] = record;
    } else {
        record_free(&record);
        records->bad++;
    }
}

static int compare(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order;

    if (!a->name || !b->name)
        order = (a->name != NULL) - (b->name != NULL);
    else
        order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->value, b->value);
}

/* In order, and each once: SCAN may tell a key twice. */
static void records_settle(struct records *records)
{
    size_t kept = 0;

    if (records->count > 1)
        qsort(records->items, records->count, sizeof *records->items, compare);
    for (size_t i = 0; i < records->count; i++) {
        if (kept > 0 && compare(&records->items[kept - 1], &records->items[i]) == 0)
            record_free(&records->items[i]);
        else
            records->items[kept++] = records->items[i];
    }
    records->count = kept;
}

static bool records_equal(const struct records *a, const struct records *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare(&a->items[i], &b->items[i]) != 0)
            return false;
    return true;
}

/* ---- a read ---- */

static void fail(struct turn_redis *r, const char *reason)
{
    bool was_up;

    redis_link_close(&r->link);
    records_clear(&r->next);
    r->reading = false;
    r->backoff = r->backoff ? ln_time_min(2 * r->backoff, BACKOFF_MAX) : BACKOFF_FIRST;
    /* spread over 0.8 to 1.2, else a fleet comes back in step */
    ln_loop_timer_set(&r->timer, ln_loop_now(r->loop) +
                                     r->backoff / 1000 * (800 + ln_rng_below(&r->rng, 401)));
    pthread_mutex_lock(&r->lock);
    was_up = r->up;
    r->up = false;
    r->failures++;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    pthread_cond_broadcast(&r->settled);
    pthread_mutex_unlock(&r->lock);
    if (was_up)
        fprintf(stderr, "users of redis %s: %s; those that are known go on, it is tried again\n",
                r->text, reason);
}

static void lost(void *ctx, const char *reason)
{
    fail(ctx, reason);
}

static void done(struct turn_redis *r)
{
    void (*changed)(void *ctx) = NULL;
    bool back, differs;

    records_settle(&r->next);
    r->reading = false;
    r->backoff = 0;
    ln_loop_timer_set(&r->timer, ln_loop_now(r->loop) + r->period);
    pthread_mutex_lock(&r->lock);
    back = !r->up && r->watched && r->failures > 0;
    differs = r->reads == 0 || !records_equal(&r->records, &r->next);
    r->up = true;
    r->reads++;
    r->records.bad = r->next.bad;
    if (differs) {
        struct records old = r->records;

        r->records = r->next;
        r->next = old;
        r->generation++;
        if (r->watched)
            changed = r->changed;
    }
    pthread_cond_broadcast(&r->settled);
    pthread_mutex_unlock(&r->lock);
    records_clear(&r->next);
    if (back)
        fprintf(stderr, "users of redis %s: read again\n", r->text);
    if (changed)
        changed(r->ctx);
}

/* A reply of a read that goes on; NULL when there is none, and then it has failed. */
static const redisReply *take(struct turn_redis *r, const redisAsyncContext *context,
                              const redisReply *reply, int type)
{
    if (r->link.context != context || !reply)
        return NULL; /* the connection's end has been dealt with */
    ln_loop_timer_set(&r->timer, ln_loop_now(r->loop) + PATIENCE);
    if (reply->type == type)
        return reply;
    fail(r, reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of another kind");
    return NULL;
}

static void ask(struct turn_redis *r, redisCallbackFn *call, int count, const char **words)
{
    if (r->link.context &&
        redisAsyncCommandArgv(r->link.context, call, r, count, words, NULL) != REDIS_OK)
        fail(r, "out of memory");
}

static void settled(redisAsyncContext *context, void *reply, void *ctx) /* AUTH, SELECT */
{
    (void)take(ctx, context, reply, REDIS_REPLY_STATUS);
}

static void got_secrets(redisAsyncContext *context, void *any, void *ctx)
{
    struct turn_redis *r = ctx;
    const redisReply *reply = take(r, context, any, REDIS_REPLY_ARRAY);

    if (!reply)
        return;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *secret = reply->element[i];

        if (secret->type == REDIS_REPLY_STRING && strlen(secret->str) == secret->len &&
            i < LN_TURN_SECRETS_MAX && secret->len > 0)
            records_add(&r->next, NULL, 0, secret->str);
        else
            r->next.bad++;
    }
    done(r);
}

/* The keys that an MGET was for: their values come in the same order. */
struct batch {
    struct turn_redis *redis;
    size_t count;
    char *names[];
};

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->names[i]);
    free(batch);
}

static void got_keys(redisAsyncContext *context, void *any, void *ctx)
{
    struct batch *batch = ctx;
    struct turn_redis *r = batch->redis;
    const redisReply *reply = take(r, context, any, REDIS_REPLY_ARRAY);

    for (size_t i = 0; reply && i < reply->elements && i < batch->count; i++) {
        const redisReply *value = reply->element[i];
        const char *name = batch->names[i] + strlen(r->prefix);
        size_t len = strlen(name);

        if (value->type != REDIS_REPLY_STRING)
            continue; /* it went meanwhile, or is no string */
        if (len <= strlen("/key") || strcmp(name + len - strlen("/key"), "/key") != 0 ||
            strlen(value->str) != value->len)
            r->next.bad++;
        else
            records_add(&r->next, name, len - strlen("/key"), value->str);
    }
    batch_free(batch);
}

/* Asks for the values of the keys that were told. */
static bool get_values(struct turn_redis *r, const redisReply *keys)
{
    size_t most = keys->elements < KEYS_MAX ? keys->elements : KEYS_MAX;
    struct batch *batch = calloc(1, sizeof *batch + most * sizeof(char *));
    const char **words = calloc(most + 1, sizeof *words);
    bool good = batch && words;

    if (good) {
        batch->redis = r;
        words[0] = "MGET";
    }
    for (size_t i = 0; good && i < most; i++) {
        const redisReply *key = keys->element[i];

        if (key->type != REDIS_REPLY_STRING || strlen(key->str) != key->len ||
            strncmp(key->str, r->prefix, strlen(r->prefix)) != 0) {
            r->next.bad++;
            continue;
        }
        batch->names[batch->count] = strdup(key->str);
        good = batch->names[batch->count] != NULL;
        words[batch->count + 1] = batch->names[batch->count];
        batch->count += good;
    }
    if (good && batch->count > 0) {
        good = redisAsyncCommandArgv(r->link.context, got_keys, batch, (int)batch->count + 1, words,
                                     NULL) == REDIS_OK;
        batch = good ? NULL : batch;
    }
    if (batch)
        batch_free(batch);
    free(words);
    return good;
}

static void got_scan(redisAsyncContext *context, void *any, void *ctx);

static void scan(struct turn_redis *r, const char *cursor)
{
    const char *words[] = { "SCAN", cursor, "MATCH", r->pattern, "COUNT", KEYS_A_SCAN };

    ask(r, got_scan, 6, words);
}

static void got_scan(redisAsyncContext *context, void *any, void *ctx)
{
    struct turn_redis *r = ctx;
    const redisReply *reply = take(r, context, any, REDIS_REPLY_ARRAY);
    char key[LN_TURN_REALM_MAX + 32];
    const char *secrets[] = { "SMEMBERS", key };

    if (!reply)
        return;
    if (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        fail(r, "an answer of another kind");
        return;
    }
    if (reply->element[1]->elements > 0 && !get_values(r, reply->element[1])) {
        fail(r, "out of memory");
        return;
    }
    if (strcmp(reply->element[0]->str, "0") != 0) {
        scan(r, reply->element[0]->str);
        return;
    }
    snprintf(key, sizeof key, "turn/realm/%s/secret", r->realm);
    ask(r, got_secrets, 2, secrets);
}

static void begin_read(struct turn_redis *r)
{
    r->reading = true;
    records_clear(&r->next);
    ln_loop_timer_set(&r->timer, ln_loop_now(r->loop) + PATIENCE);
    scan(r, "0");
}

static void opened(void *ctx)
{
    struct turn_redis *r = ctx;
    const char *auth[] = { "AUTH", r->password };
    char number[16];
    const char *select[] = { "SELECT", number };

    snprintf(number, sizeof number, "%d", r->address.database);
    if (r->password[0])
        ask(r, settled, 2, auth);
    if (r->address.database > 0)
        ask(r, settled, 2, select);
    begin_read(r);
}

static void time_came(void *ctx, ln_time now)
{
    struct turn_redis *r = ctx;

    if (r->reading) {
        fail(r, "it does not answer");
    } else if (r->link.context) {
        begin_read(r);
    } else {
        r->reading = true;
        ln_loop_timer_set(&r->timer, now + PATIENCE);
        redis_link_open(&r->link, r->address.host, r->address.port);
    }
}

/* ---- life ---- */

static void run(void *ctx)
{
    struct turn_redis *r = ctx;

    (void)!ln_loop_run(r->loop);
}

/* What is special in a pattern of SCAN stands for itself. */
static void write_pattern(struct turn_redis *r)
{
    size_t at = 0;

    for (const char *c = r->prefix; *c && at + 8 < sizeof r->pattern; c++) {
        if (strchr("*?[]^\\", *c))
            r->pattern[at++] = '\\';
        r->pattern[at++] = *c;
    }
    snprintf(r->pattern + at, sizeof r->pattern - at, "*/key");
}

static int begin(struct turn_redis *r)
{
    struct ln_loop_config config = { .rng = &r->rng };
    int error;

    ln_crypto_rng(&r->rng);
    error = ln_loop_create(&r->loop, &config);
    if (error)
        return error;
    r->link = (struct redis_link){ .loop = r->loop, .opened = opened, .closed = lost, .ctx = r };
    error = ln_loop_timer_init(r->loop, &r->timer, time_came, r);
    if (error)
        return error;
    ln_loop_timer_set(&r->timer, LN_TIME_IMMEDIATE);
    return ln_thread_start(&r->thread, "redis", run, r);
}

int turn_redis_start(struct turn_redis **ret_redis, const char *address, const char *password,
                     const char *realm, long seconds)
{
    struct turn_redis *r = calloc(1, sizeof *r);
    int error;

    if (!r)
        return LN_ERR_NOMEM;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->settled, NULL);
    r->period = LN_SECONDS(seconds);
    snprintf(r->password, sizeof r->password, "%s", password ? password : "");
    snprintf(r->realm, sizeof r->realm, "%s", realm);
    snprintf(r->text, sizeof r->text, "%s", address);
    snprintf(r->prefix, sizeof r->prefix, "turn/realm/%s/user/", r->realm);
    write_pattern(r);
    error = turn_redis_address_parse(address, &r->address) ? begin(r) : LN_ERR_SYNTAX;
    if (error) {
        turn_redis_stop(r);
        return error;
    }
    *ret_redis = r;
    return 0;
}

void turn_redis_stop(struct turn_redis *redis)
{
    if (!redis)
        return;
    if (redis->thread.started)
        ln_loop_stop(redis->loop);
    ln_thread_join(&redis->thread);
    redis_link_close(&redis->link);
    ln_loop_timer_deinit(&redis->timer);
    ln_loop_free(redis->loop);
    records_clear(&redis->next);
    records_clear(&redis->records);
    pthread_mutex_destroy(&redis->lock);
    pthread_cond_destroy(&redis->settled);
    ln_wipe(redis->password, sizeof redis->password);
    free(redis);
}

/* ---- for the owner ---- */

void turn_redis_wait(struct turn_redis *redis, const char *name, FILE *errors)
{
    struct timespec end;
    int late = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += TURN_REDIS_WAIT / LN_SECONDS(1);
    pthread_mutex_lock(&redis->lock);
    while (!late && redis->reads == 0 && redis->failures == 0)
        late = pthread_cond_timedwait(&redis->settled, &redis->lock, &end);
    if (redis->reads == 0)
        fprintf(errors,
                "%s: users of redis %s: %s; it is tried again, until then they are unknown\n", name,
                redis->text, redis->failures ? redis->reason : "it does not answer");
    pthread_mutex_unlock(&redis->lock);
}

int turn_redis_open(struct turn_redis **ret_redis, const struct turn_settings *settings,
                    const char *name, FILE *errors)
{
    char memory[LN_TURN_SECRET_MAX + 2];
    const char *password = NULL;
    int error;

    *ret_redis = NULL;
    if (!settings->users_redis)
        return 0;
    if (settings->redis_password) {
        password = turn_secret_text(settings->redis_password, memory, sizeof memory, errors);
        if (!password)
            return -1;
    }
    error = turn_redis_start(ret_redis, settings->users_redis, password, settings->realm,
                             settings->redis_seconds);
    ln_wipe(memory, sizeof memory);
    if (error) {
        fprintf(errors, "%s: users_redis %s: %s; it should be HOST:PORT/DATABASE\n", name,
                settings->users_redis, ln_error_sentence(error));
        return -1;
    }
    turn_redis_wait(*ret_redis, name, errors);
    return 0;
}

static int add_user(struct ln_turn_credentials *credentials, const struct record *record)
{
    struct ln_turn_key md5 = { .len = 0 }, sha256 = { .len = 0 };
    int error;

    (void)turn_database_key(record->value, &md5, &sha256); /* it was tried before */
    error = ln_turn_credentials_add_keys(credentials, record->name, &md5, &sha256);
    ln_wipe(&md5, sizeof md5);
    ln_wipe(&sha256, sizeof sha256);
    return error;
}

int turn_redis_add_users(struct turn_redis *redis, struct ln_turn_credentials *credentials,
                         FILE *errors)
{
    int error = 0;

    pthread_mutex_lock(&redis->lock);
    redis->added = redis->generation;
    for (size_t i = 0; i < redis->records.count && !error; i++)
        if (redis->records.items[i].name)
            error = add_user(credentials, &redis->records.items[i]);
    pthread_mutex_unlock(&redis->lock);
    if (!error)
        return 0;
    fprintf(errors, "users of redis %s: %s\n", redis->text, ln_error_sentence(error));
    return -1;
}

void turn_redis_add_secrets(struct turn_redis *redis, struct ln_turn_credentials *credentials)
{
    pthread_mutex_lock(&redis->lock);
    for (size_t i = 0; i < redis->records.count; i++)
        if (!redis->records.items[i].name)
            (void)!ln_turn_credentials_add_secret(credentials, redis->records.items[i].value);
    pthread_mutex_unlock(&redis->lock);
}

void turn_redis_watch(struct turn_redis *redis, void (*changed)(void *ctx), void *ctx)
{
    bool missed;

    pthread_mutex_lock(&redis->lock);
    redis->changed = changed;
    redis->ctx = ctx;
    redis->watched = true;
    missed = redis->added != redis->generation;
    pthread_mutex_unlock(&redis->lock);
    if (missed)
        changed(ctx);
}

static void read_now(void *ctx)
{
    struct turn_redis *r = ctx;

    if (!r->reading)
        ln_loop_timer_set(&r->timer, LN_TIME_IMMEDIATE);
}

void turn_redis_read_again(struct turn_redis *redis)
{
    (void)!ln_loop_post(redis->loop, read_now, redis); /* full: it is about to */
}

void turn_redis_stats(struct turn_redis *redis, struct turn_redis_stats *ret_stats)
{
    pthread_mutex_lock(&redis->lock);
    *ret_stats = (struct turn_redis_stats){ .up = redis->up,
                                            .reads = redis->reads,
                                            .failures = redis->failures,
                                            .bad = redis->records.bad };
    for (size_t i = 0; i < redis->records.count; i++)
        ret_stats->secrets += !redis->records.items[i].name;
    ret_stats->users = redis->records.count - ret_stats->secrets;
    pthread_mutex_unlock(&redis->lock);
}
