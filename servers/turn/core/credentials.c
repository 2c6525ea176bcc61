/* SPDX-License-Identifier: Apache-2.0
 * Keys by name, by USERHASH and by shared secret, and the nonces (RFC 8489, 9.2.2, 14.4, 18.5).
 *
 * Users lie in a map under SHA-256(name ":" realm), which is their USERHASH. */
#include "servers/turn/core/credentials.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"
#include "crypto/hash.h"
#include "stun/ephemeral.h"
#include "stun/message.h"

#include <linnet/error.h>

#include <string.h>

#define NONCE_COOKIE     "obMatJos2"
#define NONCE_COOKIE_LEN 9u
/* RFC 8489, 18.1: bits from the left. */
#define ALGORITHMS   0x800000u
#define ANONYMITY    0x400000u
#define MAC_LEN      12u
#define SKEW_SECONDS 60 /* between the clocks of a fleet */
#define DIGITS_MAX   12u

struct user {
    uint8_t hash[LN_SHA256_LEN];
    struct ln_turn_key md5, sha256;
    size_t name_len;
    char name[];
};

struct ln_turn_credentials {
    const struct ln_env *env;
    char realm[LN_TURN_REALM_MAX + 1];
    struct ln_map users;
    char secrets[LN_TURN_SECRETS_MAX][LN_TURN_SECRET_MAX + 1];
    size_t secret_count;
    bool md5_alone; /* of somebody there is no SHA-256 key */
};

static struct ln_bytes text_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

int ln_turn_credentials_create(struct ln_turn_credentials **ret_credentials, const char *realm,
                               const struct ln_env *env)
{
    struct ln_turn_credentials *c;

    if (strlen(realm) > LN_TURN_REALM_MAX)
        return LN_ERR_TOO_BIG;
    c = ln_alloc_zero(env->allocator, sizeof *c);
    if (!c)
        return LN_ERR_NOMEM;
    c->env = env;
    memcpy(c->realm, realm, strlen(realm) + 1);
    ln_map_init(&c->users, env, LN_TURN_KNOWN_USERS_MAX);
    *ret_credentials = c;
    return 0;
}

static void free_user(struct ln_turn_credentials *credentials, struct user *user)
{
    if (user)
        ln_wipe(user, sizeof *user);
    ln_free(credentials->env->allocator, user);
}

void ln_turn_credentials_free(struct ln_turn_credentials *credentials)
{
    struct user *user;
    size_t cursor = 0;

    if (!credentials)
        return;
    while ((user = ln_map_next(&credentials->users, &cursor)) != NULL)
        free_user(credentials, user);
    ln_map_deinit(&credentials->users);
    ln_wipe(credentials->secrets, sizeof credentials->secrets);
    ln_free(credentials->env->allocator, credentials);
}

const char *ln_turn_credentials_realm(const struct ln_turn_credentials *credentials)
{
    return credentials->realm;
}

bool ln_turn_credentials_empty(const struct ln_turn_credentials *credentials)
{
    return credentials->users.count == 0 && credentials->secret_count == 0;
}

static void hash_user(const struct ln_turn_credentials *c, struct ln_bytes name,
                      uint8_t hash[LN_SHA256_LEN])
{
    struct ln_bytes pieces[3] = { name, text_bytes(":"), text_bytes(c->realm) };

    ln_hash_pieces(LN_HASH_SHA256, pieces, 3, hash);
}

static void make_key(const struct ln_turn_credentials *c, struct ln_bytes name,
                     struct ln_bytes password, enum ln_turn_algorithm algorithm,
                     struct ln_turn_key *key)
{
    struct ln_bytes colon = text_bytes(":"), realm = text_bytes(c->realm);
    struct ln_bytes pieces[5] = { name, colon, realm, colon, password };

    if (algorithm == LN_TURN_SHA256)
        ln_hash_pieces(LN_HASH_SHA256, pieces, 5, key->bytes);
    else
        ln_stun_long_term_key(name, realm, password, key->bytes);
    key->len = algorithm == LN_TURN_SHA256 ? LN_SHA256_LEN : 16;
}

int ln_turn_credentials_add_keys(struct ln_turn_credentials *credentials, const char *name,
                                 const struct ln_turn_key *md5, const struct ln_turn_key *sha256)
{
    struct ln_bytes name_bytes = text_bytes(name);
    struct user *user, *old;
    int error;

    if (name_bytes.len == 0 || name_bytes.len > LN_TURN_NAME_MAX || md5->len + sha256->len == 0)
        return LN_ERR_INVALID_ARGUMENT;
    user = ln_alloc_zero(credentials->env->allocator, sizeof *user + name_bytes.len);
    if (!user)
        return LN_ERR_NOMEM;
    user->name_len = name_bytes.len;
    memcpy(user->name, name, name_bytes.len);
    hash_user(credentials, name_bytes, user->hash);
    user->md5 = *md5;
    user->sha256 = *sha256;
    old = ln_map_get(&credentials->users, user->hash, sizeof user->hash);
    error = ln_map_set(&credentials->users, user->hash, sizeof user->hash, user);
    free_user(credentials, error ? user : old);
    credentials->md5_alone |= !error && sha256->len == 0;
    return error;
}

int ln_turn_credentials_add_user(struct ln_turn_credentials *credentials, const char *name,
                                 const char *password)
{
    struct ln_bytes name_bytes = text_bytes(name), password_bytes = text_bytes(password);
    struct ln_turn_key md5, sha256;
    int error;

    if (password_bytes.len > LN_TURN_PASSWORD_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    make_key(credentials, name_bytes, password_bytes, LN_TURN_MD5, &md5);
    make_key(credentials, name_bytes, password_bytes, LN_TURN_SHA256, &sha256);
    error = ln_turn_credentials_add_keys(credentials, name, &md5, &sha256);
    ln_wipe(&md5, sizeof md5);
    ln_wipe(&sha256, sizeof sha256);
    return error;
}

bool ln_turn_credentials_offer_sha256(const struct ln_turn_credentials *credentials)
{
    return !credentials->md5_alone;
}

int ln_turn_credentials_add_secret(struct ln_turn_credentials *credentials, const char *secret)
{
    size_t len = strlen(secret);

    if (len == 0 || len > LN_TURN_SECRET_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    if (credentials->secret_count == LN_TURN_SECRETS_MAX)
        return LN_ERR_LIMIT;
    memcpy(credentials->secrets[credentials->secret_count++], secret, len + 1);
    return 0;
}

/* ---- ephemeral names ---- */

/* Splits "expiry:user" or "expiry". False when it does not begin so. */
static bool split_ephemeral(struct ln_bytes name, int64_t *ret_expiry, struct ln_bytes *ret_user)
{
    int64_t expiry = 0;
    size_t i;

    for (i = 0; i < name.len && name.data[i] >= '0' && name.data[i] <= '9'; i++) {
        if (i == DIGITS_MAX)
            return false;
        expiry = expiry * 10 + (name.data[i] - '0');
    }
    if (i == 0 || (i < name.len && name.data[i] != ':'))
        return false;
    *ret_expiry = expiry;
    if (i < name.len)
        i++;
    *ret_user = (struct ln_bytes){ name.data + i, name.len - i };
    return true;
}

struct ln_bytes ln_turn_quota_name(struct ln_bytes name)
{
    struct ln_bytes user;
    int64_t expiry;

    return split_ephemeral(name, &expiry, &user) && user.len > 0 ? user : name;
}

size_t ln_turn_credentials_find(const struct ln_turn_credentials *credentials, struct ln_bytes name,
                                int64_t wall, enum ln_turn_algorithm algorithm,
                                struct ln_turn_key keys[LN_TURN_CANDIDATES_MAX])
{
    uint8_t hash[LN_SHA256_LEN];
    char password[LN_STUN_EPHEMERAL_PASSWORD_MAX];
    const struct user *user;
    struct ln_bytes rest;
    size_t count = 0;
    int64_t expiry;

    hash_user(credentials, name, hash);
    user = ln_map_get(&credentials->users, hash, sizeof hash);
    if (user && (algorithm == LN_TURN_SHA256 ? user->sha256 : user->md5).len > 0)
        keys[count++] = algorithm == LN_TURN_SHA256 ? user->sha256 : user->md5;
    if (credentials->secret_count == 0 || !split_ephemeral(name, &expiry, &rest) ||
        expiry <= wall || expiry - wall > LN_TURN_EXPIRY_AHEAD_MAX)
        return count;
    for (size_t i = 0; i < credentials->secret_count; i++) {
        ln_stun_ephemeral_password(credentials->secrets[i], name, password);
        make_key(credentials, name, text_bytes(password), algorithm, &keys[count++]);
    }
    ln_wipe(password, sizeof password);
    return count;
}

bool ln_turn_credentials_name(const struct ln_turn_credentials *credentials, struct ln_bytes hash,
                              struct ln_bytes *ret_name)
{
    const struct user *user = NULL;

    if (hash.len == LN_SHA256_LEN)
        user = ln_map_get(&credentials->users, hash.data, hash.len);
    if (!user)
        return false;
    *ret_name = (struct ln_bytes){ (const uint8_t *)user->name, user->name_len };
    return true;
}

/* ---- nonces ---- */

/*   | seconds (32) | port (16) | HMAC-SHA-256 (96, cut) |   in base64: 24 characters
 *
 * The client's port makes nonces of one address differ (RFC 8489, 9.2.4), but they are good at any
 * of its ports: a connection of RFC 6062, and a client that moves (RFC 8016), come from another. */
static void nonce_mac(const uint8_t key[LN_TURN_NONCE_KEY_LEN], const uint8_t stamp[6],
                      const struct ln_address *client, uint8_t mac[LN_SHA256_LEN])
{
    struct ln_bytes pieces[3] = { { stamp, 6 }, { &client->family, 1 }, { client->ip, 16 } };

    ln_hmac_once(LN_HASH_SHA256, key, LN_TURN_NONCE_KEY_LEN, pieces, 3, mac);
}

static void write_nonce(bool anonymity, const uint8_t stamp[6], const uint8_t mac[MAC_LEN],
                        char nonce[LN_TURN_NONCE_LEN])
{
    uint8_t features[3], own[6 + MAC_LEN];
    char text[25];

    ln_store24(features, ALGORITHMS | (anonymity ? ANONYMITY : 0));
    memcpy(own, stamp, 6);
    memcpy(own + 6, mac, MAC_LEN);
    memcpy(nonce, NONCE_COOKIE, NONCE_COOKIE_LEN);
    ln_base64_encode(features, sizeof features, text);
    memcpy(nonce + NONCE_COOKIE_LEN, text, 4);
    ln_base64_encode(own, sizeof own, text);
    memcpy(nonce + NONCE_COOKIE_LEN + 4, text, 24);
}

void ln_turn_nonce_write(const struct ln_turn_credentials *credentials,
                         const uint8_t key[LN_TURN_NONCE_KEY_LEN], int64_t wall,
                         const struct ln_address *client, char nonce[LN_TURN_NONCE_LEN])
{
    uint8_t stamp[6], mac[LN_SHA256_LEN];

    ln_store32(stamp, (uint32_t)wall);
    ln_store16(stamp + 4, client->port);
    nonce_mac(key, stamp, client, mac);
    /* Who hides an ephemeral name behind its hash is nobody to us: we never saw the name. */
    write_nonce(credentials->secret_count == 0, stamp, mac, nonce);
}

bool ln_turn_nonce_valid(const uint8_t key[LN_TURN_NONCE_KEY_LEN], int64_t wall, int64_t lifetime,
                         const struct ln_address *client, struct ln_bytes nonce)
{
    char expected[LN_TURN_NONCE_LEN];
    uint8_t own[6 + MAC_LEN], mac[LN_SHA256_LEN];
    int64_t made;
    bool same;

    if (nonce.len != LN_TURN_NONCE_LEN ||
        ln_base64_decode((const char *)nonce.data + NONCE_COOKIE_LEN + 4, 24, own, sizeof own) !=
            6 + (int)MAC_LEN)
        return false;
    /* With either bit, as a reload may have brought or taken the secrets: who removed it from the
     * challenge has already read the name, and gains nothing more. */
    nonce_mac(key, own, client, mac);
    write_nonce(true, own, mac, expected);
    same = ln_equal_constant_time(expected, nonce.data, LN_TURN_NONCE_LEN);
    write_nonce(false, own, mac, expected);
    same |= ln_equal_constant_time(expected, nonce.data, LN_TURN_NONCE_LEN);
    if (!same)
        return false;
    made = (int64_t)ln_load32(own); /* until 2106 */
    return made <= wall + SKEW_SECONDS && wall - made <= lifetime;
}
