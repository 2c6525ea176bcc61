/* SPDX-License-Identifier: Apache-2.0
 * AES without authentication: counter mode, and the bare block for key derivation. */
#ifndef LN_CRYPTO_CIPHER_H
#define LN_CRYPTO_CIPHER_H

#include <linnet/types.h>

struct ln_crypto;

#define LN_AES_BLOCK_LEN 16u

/* AES-CTR with a 16- or 32-byte key. Embed it. Zeroed memory may be deinitialised. */
struct ln_ctr {
    void *context;
};

/* Returns 0 or LN_ERR_NOMEM (ctr is then zeroed). */
LN_NODISCARD int ln_ctr_init(struct ln_ctr *ctr, struct ln_crypto *crypto, const uint8_t *key,
                             size_t key_len);
void ln_ctr_deinit(struct ln_ctr *ctr); /* wipes the key */

/* out = in XOR the keystream that begins at counter block iv. out is `in` itself or does not
 * overlap it. */
void ln_ctr_xor(struct ln_ctr *ctr, const uint8_t iv[LN_AES_BLOCK_LEN], const void *in, size_t len,
                uint8_t *out);

/* One block through AES with a 16- or 32-byte key. Slow (expands the key). Returns 0 or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_aes_block(struct ln_crypto *crypto, const uint8_t *key, size_t key_len,
                              const uint8_t in[LN_AES_BLOCK_LEN], uint8_t out[LN_AES_BLOCK_LEN]);

#endif
