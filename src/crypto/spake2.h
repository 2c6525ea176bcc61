/* SPDX-License-Identifier: Apache-2.0
 * SPAKE2 over P-256 with SHA-256, HKDF and HMAC (RFC 9382): two who share a weak secret agree on a
 * strong key, and each learns that the other knew it. Who stands between or guesses gets one guess
 * a run, and nothing to try guesses on afterwards.
 *
 *   A                                     B
 *   create(A, w)                          create(B, w)
 *   share()            -- pA -->
 *                      <-- pB --          share()
 *   finish(pB, …)                         finish(pA, …)
 *   confirmation()     -- cA -->          confirmed(cA)
 *   confirmed(cB)      <-- cB --          confirmation()
 *
 * Both give the same identities and additional data, or the confirmations do not match. The key and
 * our confirmation are to be used for nothing before confirmed() was true, but for sending the
 * latter.
 *
 * Scalars are secret: the group operations that touch them are OpenSSL's constant-time ones. */
#ifndef LN_CRYPTO_SPAKE2_H
#define LN_CRYPTO_SPAKE2_H

#include <linnet/env.h>

#define LN_SPAKE2_SCALAR_LEN       32u
#define LN_SPAKE2_SHARE_LEN        65u /* an uncompressed point (SEC 1, 2.3.3) */
#define LN_SPAKE2_KEY_LEN          16u
#define LN_SPAKE2_CONFIRMATION_LEN 32u

enum ln_spake2_role { LN_SPAKE2_A, LN_SPAKE2_B };

struct ln_spake2;

/* The scalar w of a secret text: 40 bytes of HKDF-SHA256(secret, salt, info), reduced by the order
 * of the group (RFC 9382, 3.2; 64 bits more than the order, so that the bias vanishes). Returns 0
 * or LN_ERR_NOMEM. */
LN_NODISCARD int ln_spake2_password(struct ln_bytes secret, struct ln_bytes salt,
                                    struct ln_bytes info, uint8_t w[LN_SPAKE2_SCALAR_LEN]);

/* Draws our own scalar from env's generator. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_spake2_create(struct ln_spake2 **ret_spake2, enum ln_spake2_role role,
                                  const uint8_t w[LN_SPAKE2_SCALAR_LEN], struct ln_env *env);
/* The same with a given scalar, for vectors. Also LN_ERR_RANGE: it is 0 or not below the order. */
LN_NODISCARD int ln_spake2_create_with(struct ln_spake2 **ret_spake2, enum ln_spake2_role role,
                                       const uint8_t w[LN_SPAKE2_SCALAR_LEN],
                                       const uint8_t scalar[LN_SPAKE2_SCALAR_LEN],
                                       struct ln_env *env);
/* Wipes what it held. NULL is fine. */
void ln_spake2_free(struct ln_spake2 *spake2);

/* What is sent first: pA or pB. */
void ln_spake2_share(const struct ln_spake2 *spake2, uint8_t share[LN_SPAKE2_SHARE_LEN]);

/* Takes the other's share. identities: of A and of B; additional: bound into the confirmations.
 * Each may be empty. Once. Returns 0, LN_ERR_MALFORMED (no point of the curve, or one that gives
 * away the key) or LN_ERR_NOMEM. */
LN_NODISCARD int ln_spake2_finish(struct ln_spake2 *spake2,
                                  const uint8_t share[LN_SPAKE2_SHARE_LEN], struct ln_bytes id_a,
                                  struct ln_bytes id_b, struct ln_bytes additional);

/* After finish(): our confirmation; whether theirs is right; the key Ke. */
void ln_spake2_confirmation(const struct ln_spake2 *spake2,
                            uint8_t confirmation[LN_SPAKE2_CONFIRMATION_LEN]);
bool ln_spake2_confirmed(const struct ln_spake2 *spake2,
                         const uint8_t confirmation[LN_SPAKE2_CONFIRMATION_LEN]);
void ln_spake2_key(const struct ln_spake2 *spake2, uint8_t key[LN_SPAKE2_KEY_LEN]);

#endif
