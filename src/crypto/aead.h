/* SPDX-License-Identifier: Apache-2.0
 * Authenticated encryption with a 12-byte nonce and a 16-byte tag behind the ciphertext (RFC 5116):
 * AES-GCM, and ChaCha20-Poly1305 (RFC 8439).
 *
 * An object holds one expanded key. The nonce is the caller's: one nonce never protects two
 * different messages under one key. */
#ifndef LN_CRYPTO_AEAD_H
#define LN_CRYPTO_AEAD_H

#include <linnet/types.h>

struct ln_crypto;

enum ln_aead_algorithm {
    LN_AEAD_AES_128_GCM,       /* 16-byte key */
    LN_AEAD_AES_256_GCM,       /* 32-byte key */
    LN_AEAD_CHACHA20_POLY1305, /* 32-byte key */
};

#define LN_AEAD_NONCE_LEN 12u
#define LN_AEAD_TAG_LEN   16u
#define LN_AEAD_KEY_MAX   32u

size_t ln_aead_key_len(enum ln_aead_algorithm algorithm);

/* Embed it. Zeroed memory may be deinitialised. Not to be copied. */
struct ln_aead {
    void *context;
};

/* `seal`: for sealing; else for opening. Returns 0 or LN_ERR_NOMEM (aead is then zeroed). */
LN_NODISCARD int ln_aead_init(struct ln_aead *aead, struct ln_crypto *crypto,
                              enum ln_aead_algorithm algorithm, const uint8_t *key, bool seal);
void ln_aead_deinit(struct ln_aead *aead); /* wipes the key */

/* Writes len bytes of ciphertext and the tag to out (len + LN_AEAD_TAG_LEN). out is `in` itself or
 * does not overlap it. */
void ln_aead_seal(struct ln_aead *aead, const uint8_t nonce[LN_AEAD_NONCE_LEN], const void *aad,
                  size_t aad_len, const void *in, size_t len, uint8_t *out);
/* Opens len bytes of ciphertext-and-tag to out (len - LN_AEAD_TAG_LEN). False when len is too short
 * or the tag does not fit; out then holds nothing of use. Same overlap rule. */
LN_NODISCARD bool ln_aead_open(struct ln_aead *aead, const uint8_t nonce[LN_AEAD_NONCE_LEN],
                               const void *aad, size_t aad_len, const void *in, size_t len,
                               uint8_t *out);

#endif
