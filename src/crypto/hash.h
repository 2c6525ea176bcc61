/* SPDX-License-Identifier: Apache-2.0
 * Hashes and keyed hashes (RFC 2104).
 *
 * MD5 and SHA-1 are here for the protocols that prescribe them (STUN long-term keys,
 * MESSAGE-INTEGRITY, SRTP, the WebSocket handshake), not for anything new. */
#ifndef LN_CRYPTO_HASH_H
#define LN_CRYPTO_HASH_H

#include <linnet/types.h>

struct ln_crypto;

enum ln_hash { LN_HASH_MD5, LN_HASH_SHA1, LN_HASH_SHA256, LN_HASH_SHA384, LN_HASH_SHA512 };

#define LN_HASH_MAX   64u /* bytes of the longest digest */
#define LN_SHA1_LEN   20u
#define LN_SHA256_LEN 32u

size_t ln_hash_len(enum ln_hash hash);

/* The digest of len bytes. Needs no object; digest holds ln_hash_len(hash). Never fails. */
void ln_hash_once(enum ln_hash hash, const void *data, size_t len, uint8_t *digest);
/* The digest of several pieces, one after another. */
void ln_hash_pieces(enum ln_hash hash, const struct ln_bytes *pieces, size_t count,
                    uint8_t *digest);

/* The HMAC of several pieces under a key of any length (0 too); mac holds ln_hash_len(hash). For a
 * key that is used again, struct ln_hmac is several times faster. */
void ln_hmac_once(enum ln_hash hash, const void *key, size_t key_len, const struct ln_bytes *pieces,
                  size_t count, uint8_t *mac);

/* A key with its two inner states computed once: embed it; ln_hmac_deinit() wipes it. Zeroed memory
 * may be deinitialised. Not to be copied. */
struct ln_hmac {
    void *context;
    uint8_t len; /* of the MAC */
};

/* Returns 0 or LN_ERR_NOMEM; on failure hmac is zeroed. */
LN_NODISCARD int ln_hmac_init(struct ln_hmac *hmac, struct ln_crypto *crypto, enum ln_hash hash,
                              const void *key, size_t key_len);
void ln_hmac_deinit(struct ln_hmac *hmac);
/* The MAC of the pieces; mac holds hmac->len bytes. May be called any number of times. */
void ln_hmac_compute(struct ln_hmac *hmac, const struct ln_bytes *pieces, size_t count,
                     uint8_t *mac);

#endif
