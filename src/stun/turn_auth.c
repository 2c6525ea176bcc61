/* SPDX-License-Identifier: Apache-2.0
 * The client's side of the long-term credential mechanism (RFC 8489, 9.2 and 18.1). */
#include "stun/turn_auth.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <linnet/error.h>

#include <string.h>

#define COOKIE             "obMatJos2" /* RFC 8489, 9.2 */
#define COOKIE_LEN         9u
#define FEATURES_LEN       4u    /* 24 bits in base64 */
#define FEATURE_ALGORITHMS 0x20u /* bit 0: the first of the first character's six */
#define FEATURE_ANONYMOUS  0x10u /* bit 1 */

/* The first six feature bits of a nonce; 0 when it carries none. */
static unsigned features(struct ln_bytes nonce)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at;

    if (nonce.len < COOKIE_LEN + FEATURES_LEN || memcmp(nonce.data, COOKIE, COOKIE_LEN) != 0 ||
        nonce.data[COOKIE_LEN] == '\0')
        return 0;
    at = strchr(alphabet, nonce.data[COOKIE_LEN]);
    return at ? (unsigned)(at - alphabet) : 0;
}

bool ln_turn_client_auth_was_cut(const struct ln_stun_message *message)
{
    struct ln_bytes nonce, list;

    return ln_stun_find(message, LN_STUN_NONCE, &nonce) &&
           (features(nonce) & FEATURE_ALGORITHMS) != 0 &&
           !ln_stun_find(message, LN_STUN_PASSWORD_ALGORITHMS, &list);
}

/* The first of the list that we know, or NONE.
 *   | algorithm (16) | parameter length (16) | parameters, padded | ... */
static uint16_t first_known(struct ln_bytes list)
{
    struct ln_reader r;

    ln_reader_init(&r, list.data, list.len);
    while (r.ok && ln_reader_left(&r) > 0) {
        uint16_t algorithm = ln_read16(&r), parameters = ln_read16(&r);

        ln_read_skip(&r, parameters);
        if (ln_reader_left(&r) > 0)
            ln_read_align(&r, 4);
        if (r.ok && parameters == 0 &&
            (algorithm == LN_TURN_CLIENT_ALGORITHM_MD5 ||
             algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256))
            return algorithm;
    }
    return LN_TURN_CLIENT_ALGORITHM_NONE;
}

static struct ln_bytes text_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

static void make_key(struct ln_turn_client_auth *auth, const char *username, const char *password)
{
    static const uint8_t colon[1] = { ':' };
    struct ln_bytes pieces[5] = { text_bytes(username),
                                  { colon, 1 },
                                  { auth->realm, auth->realm_len },
                                  { colon, 1 },
                                  text_bytes(password) };

    ln_hash_pieces(auth->algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256 ? LN_HASH_SHA256
                                                                      : LN_HASH_MD5,
                   pieces, 5, auth->key);
}

int ln_turn_client_auth_challenge(struct ln_turn_client_auth *auth,
                                  const struct ln_stun_message *message, const char *username,
                                  const char *password)
{
    struct ln_bytes realm = { auth->realm, auth->realm_len }, nonce, list = { NULL, 0 };
    uint16_t algorithm = LN_TURN_CLIENT_ALGORITHM_NONE;

    if (!ln_stun_find(message, LN_STUN_NONCE, &nonce) || nonce.len == 0 ||
        nonce.len > sizeof auth->nonce ||
        (!ln_stun_find(message, LN_STUN_REALM, &realm) && !auth->ready) ||
        realm.len > sizeof auth->realm)
        return LN_ERR_MALFORMED;
    if (ln_turn_client_auth_was_cut(message))
        return LN_ERR_NOT_ALLOWED;
    if (ln_stun_find(message, LN_STUN_PASSWORD_ALGORITHMS, &list)) {
        algorithm = first_known(list);
        if (algorithm == LN_TURN_CLIENT_ALGORITHM_NONE || list.len > sizeof auth->algorithms)
            return LN_ERR_NOT_ALLOWED;
    }
    if (auth->ready && auth->algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256 &&
        algorithm != LN_TURN_CLIENT_ALGORITHM_SHA256)
        return LN_ERR_NOT_ALLOWED;
    if (realm.data != auth->realm && realm.len > 0)
        memcpy(auth->realm, realm.data, realm.len);
    auth->realm_len = (uint16_t)realm.len;
    memcpy(auth->nonce, nonce.data, nonce.len);
    auth->nonce_len = (uint16_t)nonce.len;
    if (list.len > 0)
        memcpy(auth->algorithms, list.data, list.len);
    auth->algorithms_len = (uint16_t)list.len;
    auth->algorithm = algorithm;
    auth->anonymous = (features(nonce) & FEATURE_ANONYMOUS) != 0;
    auth->ready = true;
    make_key(auth, username, password);
    return 0;
}

static void add_user(const struct ln_turn_client_auth *auth, struct ln_stun_builder *b,
                     const char *username)
{
    static const uint8_t colon[1] = { ':' };
    struct ln_bytes pieces[3] = { text_bytes(username),
                                  { colon, 1 },
                                  { auth->realm, auth->realm_len } };
    uint8_t hash[LN_SHA256_LEN];

    if (!auth->anonymous) {
        ln_stun_add_text(b, LN_STUN_USERNAME, username);
        return;
    }
    ln_hash_pieces(LN_HASH_SHA256, pieces, 3, hash); /* RFC 8489, 14.4 */
    ln_stun_add(b, LN_STUN_USERHASH, hash, sizeof hash);
}

void ln_turn_client_auth_add(const struct ln_turn_client_auth *auth, struct ln_stun_builder *b,
                             const char *username)
{
    if (!auth->ready)
        return;
    add_user(auth, b, username);
    ln_stun_add(b, LN_STUN_REALM, auth->realm, auth->realm_len);
    ln_stun_add(b, LN_STUN_NONCE, auth->nonce, auth->nonce_len);
    if (auth->algorithm != LN_TURN_CLIENT_ALGORITHM_NONE) {
        ln_stun_add(b, LN_STUN_PASSWORD_ALGORITHMS, auth->algorithms, auth->algorithms_len);
        ln_stun_add_u32(b, LN_STUN_PASSWORD_ALGORITHM, (uint32_t)auth->algorithm << 16);
    }
    /* A server that lists algorithms knows the longer integrity; it alone is used from then on
     * (RFC 8489, 9.2.5). */
    if (auth->algorithm == LN_TURN_CLIENT_ALGORITHM_NONE)
        ln_stun_add_integrity(b, (struct ln_bytes){ auth->key, 16 });
    else
        ln_stun_add_integrity_sha256(
            b, (struct ln_bytes){ auth->key,
                                  auth->algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256 ? 32u : 16u });
}

bool ln_turn_client_auth_check(const struct ln_turn_client_auth *auth,
                               const struct ln_stun_message *message)
{
    size_t len = auth->algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256 ? 32 : 16;

    if (!auth->ready || ln_turn_client_auth_was_cut(message))
        return false;
    if (auth->algorithm != LN_TURN_CLIENT_ALGORITHM_NONE && message->integrity256 == 0)
        return false;
    return ln_stun_check_integrity(message, (struct ln_bytes){ auth->key, len });
}

void ln_turn_client_auth_wipe(struct ln_turn_client_auth *auth)
{
    ln_wipe(auth->key, sizeof auth->key);
    auth->ready = false;
}
