/* SPDX-License-Identifier: Apache-2.0
 * Ephemeral credentials of TURN: a name that carries its expiry, and a password that a secret
 * shared by a service and its TURN servers signs (the REST interface of coturn; RFC 7635 speaks of
 * it as draft-uberti-behave-turn-rest).
 *
 *     name = expiry in seconds since 1970 [":" user]     password = base64(HMAC-SHA1(secret, name))
 */
#ifndef LN_STUN_EPHEMERAL_H
#define LN_STUN_EPHEMERAL_H

#include <linnet/types.h>

#define LN_STUN_EPHEMERAL_PASSWORD_MAX 29u /* base64 of 20 bytes, with its NUL */

void ln_stun_ephemeral_password(const char *secret, struct ln_bytes name,
                                char password[LN_STUN_EPHEMERAL_PASSWORD_MAX]);

/* Makes a pair. `user` may be "" or NULL: the name is the expiry alone. `name` holds cap bytes.
 * Returns 0 or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_stun_ephemeral_make(const char *secret, const char *user, int64_t expiry,
                                        char *name, size_t cap,
                                        char password[LN_STUN_EPHEMERAL_PASSWORD_MAX]);

#endif
