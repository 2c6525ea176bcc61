/* SPDX-License-Identifier: Apache-2.0
 * The client's side of the long-term credential mechanism (RFC 8489, 9.2): what a challenge taught,
 * the attributes that prove the password, and whether an answer is the server's.
 *
 * A value object. Two keys exist: MD5 (16 bytes, MESSAGE-INTEGRITY) and, where the server lists it
 * in PASSWORD-ALGORITHMS, SHA-256 (32 bytes, MESSAGE-INTEGRITY-SHA256). A nonce says in its first
 * 13 characters what the server can do, so a list that somebody cut out on the way is missed (RFC
 * 8489, 9.2.1); and what was agreed once is never given up for less. */
#ifndef LN_STUN_TURN_AUTH_H
#define LN_STUN_TURN_AUTH_H

#include "stun/message.h"

#define LN_TURN_CLIENT_USERNAME_MAX   508u /* bytes; RFC 8489, 14.3 */
#define LN_TURN_CLIENT_PASSWORD_MAX   763u /* bytes */
#define LN_TURN_CLIENT_REALM_MAX      763u /* RFC 8489, 14.9 */
#define LN_TURN_CLIENT_NONCE_MAX      763u /* RFC 8489, 14.10 */
#define LN_TURN_CLIENT_ALGORITHMS_MAX 64u  /* bytes of a PASSWORD-ALGORITHMS that we repeat */

enum ln_turn_client_algorithm {                                    /* RFC 8489, 18.5 */
                                LN_TURN_CLIENT_ALGORITHM_NONE = 0, /* MD5, not spoken of */
                                LN_TURN_CLIENT_ALGORITHM_MD5 = 1,
                                LN_TURN_CLIENT_ALGORITHM_SHA256 = 2,
};

struct ln_turn_client_auth {
    bool ready;         /* a challenge was taken: requests carry credentials */
    bool anonymous;     /* USERHASH in place of USERNAME */
    uint16_t algorithm; /* enum ln_turn_client_algorithm */
    uint16_t realm_len, nonce_len, algorithms_len;
    uint8_t realm[LN_TURN_CLIENT_REALM_MAX], nonce[LN_TURN_CLIENT_NONCE_MAX];
    uint8_t algorithms[LN_TURN_CLIENT_ALGORITHMS_MAX];
    uint8_t key[32];
};

/* Takes what a 401 or 438 brings. Returns 0; LN_ERR_MALFORMED (no nonce, no realm, too long);
 * LN_ERR_NOT_ALLOWED: the algorithms were cut out, or none of them is ours. On failure nothing has
 * changed. */
LN_NODISCARD int ln_turn_client_auth_challenge(struct ln_turn_client_auth *auth,
                                               const struct ln_stun_message *message,
                                               const char *username, const char *password);
/* Whether a nonce that promises PASSWORD-ALGORITHMS comes without them: the message is a forgery.
 */
bool ln_turn_client_auth_was_cut(const struct ln_stun_message *message);
/* The credentials and the integrity, as the last attributes before FINGERPRINT; nothing before the
 * first challenge. */
void ln_turn_client_auth_add(const struct ln_turn_client_auth *auth, struct ln_stun_builder *b,
                             const char *username);
/* Whether an answer proves that the server knows the password, by the algorithm agreed on. */
LN_NODISCARD bool ln_turn_client_auth_check(const struct ln_turn_client_auth *auth,
                                            const struct ln_stun_message *message);
void ln_turn_client_auth_wipe(struct ln_turn_client_auth *auth);

#endif
