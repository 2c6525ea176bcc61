/* SPDX-License-Identifier: Apache-2.0
 * HKDF with SHA-256 (RFC 5869): keys from a secret that is not one yet. */
#ifndef LN_CRYPTO_HKDF_H
#define LN_CRYPTO_HKDF_H

#include <linnet/types.h>

#define LN_HKDF_MAX (255u * 32u) /* bytes that one call gives (RFC 5869, 2.3) */

/* Extract, then expand: fills key[0..key_len), key_len at most LN_HKDF_MAX. An empty salt stands
 * for the RFC's string of zeros. info comes in pieces, one after another. */
void ln_hkdf_sha256(struct ln_bytes secret, struct ln_bytes salt, const struct ln_bytes *info,
                    size_t info_count, uint8_t *key, size_t key_len);

#endif
