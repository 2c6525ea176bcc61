/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cipher.h"

#include "crypto/internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

int ln_ctr_init(struct ln_ctr *ctr, struct ln_crypto *crypto, const uint8_t *key, size_t key_len)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = key_len == 16 ? crypto->ctr_128 : crypto->ctr_256;

    assert(key_len == 16 || key_len == 32);
    ctr->context = NULL;
    if (!context || EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        ERR_clear_error();
        return LN_ERR_NOMEM;
    }
    ctr->context = context;
    return 0;
}

void ln_ctr_deinit(struct ln_ctr *ctr)
{
    EVP_CIPHER_CTX_free(ctr->context);
    ctr->context = NULL;
}

void ln_ctr_xor(struct ln_ctr *ctr, const uint8_t iv[LN_AES_BLOCK_LEN], const void *in, size_t len,
                uint8_t *out)
{
    int n;

    assert(len <= INT_MAX);
    /* A failure would leave plaintext where ciphertext is expected. */
    if (EVP_EncryptInit_ex2(ctr->context, NULL, NULL, iv, NULL) != 1 ||
        (len > 0 && EVP_EncryptUpdate(ctr->context, out, &n, in, (int)len) != 1))
        abort();
}

int ln_aes_block(struct ln_crypto *crypto, const uint8_t *key, size_t key_len,
                 const uint8_t in[LN_AES_BLOCK_LEN], uint8_t out[LN_AES_BLOCK_LEN])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = key_len == 16 ? crypto->ecb_128 : crypto->ecb_256;
    int n, error = 0;

    assert(key_len == 16 || key_len == 32);
    if (!context || EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) != 1 ||
        EVP_EncryptUpdate(context, out, &n, in, LN_AES_BLOCK_LEN) != 1)
        error = LN_ERR_NOMEM;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return error;
}
