/* SPDX-License-Identifier: Apache-2.0
 * Who may allocate: users with passwords, and holders of ephemeral credentials that a shared secret
 * signs (RFC 8489, 9.2; the REST form of coturn: username "expiry:user", password
 * base64(HMAC-SHA1(secret, username))).
 *
 * Built once, then only read: a reload builds another and gives it to the server. Passwords are not
 * kept, only the keys made of them. Several secrets are valid at once, so that one can be replaced
 * without a moment at which fresh credentials fail. */
#ifndef LN_TURN_CREDENTIALS_H
#define LN_TURN_CREDENTIALS_H

#include <linnet/address.h>
#include <linnet/env.h>

#define LN_TURN_REALM_MAX        127u
#define LN_TURN_NAME_MAX         508u /* RFC 8489, 14.3 */
#define LN_TURN_PASSWORD_MAX     763u /* RFC 8489, 14.4's measure for text, in bytes */
#define LN_TURN_KNOWN_USERS_MAX  1000000u
#define LN_TURN_SECRETS_MAX      4u
#define LN_TURN_SECRET_MAX       256u
#define LN_TURN_CANDIDATES_MAX   (1u + LN_TURN_SECRETS_MAX)
#define LN_TURN_EXPIRY_AHEAD_MAX (10LL * 366 * 86400) /* s; an expiry beyond it is no expiry */
#define LN_TURN_KEY_MAX          32u

/* Password algorithms (RFC 8489, 18.5). */
enum ln_turn_algorithm { LN_TURN_MD5 = 1, LN_TURN_SHA256 = 2 };

struct ln_turn_key {
    uint8_t bytes[LN_TURN_KEY_MAX];
    uint8_t len; /* 16 or 32 */
};

struct ln_turn_credentials;

/* Returns 0, LN_ERR_NOMEM or LN_ERR_TOO_BIG. */
LN_NODISCARD int ln_turn_credentials_create(struct ln_turn_credentials **ret_credentials,
                                            const char *realm, const struct ln_env *env);
void ln_turn_credentials_free(struct ln_turn_credentials *credentials); /* NULL is fine */

/* A later one of the same name replaces the earlier. Returns 0, LN_ERR_INVALID_ARGUMENT (empty or
 * too long), LN_ERR_LIMIT, LN_ERR_NOMEM. */
LN_NODISCARD int ln_turn_credentials_add_user(struct ln_turn_credentials *credentials,
                                              const char *name, const char *password);
/* The same with keys that somebody else has made, one of which may be empty. Without a SHA-256 key
 * of everybody only MD5 is offered to anybody, as a challenge does not know whom it is for. */
LN_NODISCARD int ln_turn_credentials_add_keys(struct ln_turn_credentials *credentials,
                                              const char *name, const struct ln_turn_key *md5,
                                              const struct ln_turn_key *sha256);
/* Whether PASSWORD-ALGORITHMS is offered (RFC 8489, 9.2.4). */
bool ln_turn_credentials_offer_sha256(const struct ln_turn_credentials *credentials);
LN_NODISCARD int ln_turn_credentials_add_secret(struct ln_turn_credentials *credentials,
                                                const char *secret);

/* Whether there is nobody at all. */
bool ln_turn_credentials_empty(const struct ln_turn_credentials *credentials);
const char *ln_turn_credentials_realm(const struct ln_turn_credentials *credentials);

/* The keys that a user of this name may have signed with; `wall` is seconds since 1970. Returns how
 * many there are: 0 for nobody known, or an ephemeral name that has expired or never will. */
size_t ln_turn_credentials_find(const struct ln_turn_credentials *credentials, struct ln_bytes name,
                                int64_t wall, enum ln_turn_algorithm algorithm,
                                struct ln_turn_key keys[LN_TURN_CANDIDATES_MAX]);
/* The name behind a USERHASH (RFC 8489, 14.4): only of users with passwords. False when unknown. */
bool ln_turn_credentials_name(const struct ln_turn_credentials *credentials, struct ln_bytes hash,
                              struct ln_bytes *ret_name);

/* The user whom quotas are counted for: what follows the expiry, or the whole name. */
struct ln_bytes ln_turn_quota_name(struct ln_bytes name);

/* ---- nonces ---- */

/* RFC 8489, 9.2: cookie, 24 bits of features, then our own part: time and HMAC, in base64. */
#define LN_TURN_NONCE_LEN     37u
#define LN_TURN_NONCE_KEY_LEN 32u

/* A nonce for a client at this IP address; needs no memory of it later. `nonce` has no NUL. It
 * offers to hide user names (RFC 8489, 9.2.2) unless there are secrets. */
void ln_turn_nonce_write(const struct ln_turn_credentials *credentials,
                         const uint8_t key[LN_TURN_NONCE_KEY_LEN], int64_t wall,
                         const struct ln_address *client, char nonce[LN_TURN_NONCE_LEN]);
/* Whether it was made with this key for this IP address at most `lifetime` seconds ago. */
bool ln_turn_nonce_valid(const uint8_t key[LN_TURN_NONCE_KEY_LEN], int64_t wall, int64_t lifetime,
                         const struct ln_address *client, struct ln_bytes nonce);

#endif
