/* SPDX-License-Identifier: Apache-2.0
 * AEAD on EVP: the cipher is fetched and keyed once, a message sets only its nonce. */
#include "crypto/aead.h"

#include "crypto/internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void must(int ok)
{
    if (ok != 1)
        abort(); /* nothing half sealed may leave */
}

size_t ln_aead_key_len(enum ln_aead_algorithm algorithm)
{
    return algorithm == LN_AEAD_AES_128_GCM ? 16 : 32;
}

int ln_aead_init(struct ln_aead *aead, struct ln_crypto *crypto, enum ln_aead_algorithm algorithm,
                 const uint8_t *key, bool seal)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    aead->context = NULL;
    if (!context ||
        EVP_CipherInit_ex2(context, crypto->aead[algorithm], key, NULL, seal ? 1 : 0, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        ERR_clear_error();
        return LN_ERR_NOMEM;
    }
    aead->context = context;
    return 0;
}

void ln_aead_deinit(struct ln_aead *aead)
{
    EVP_CIPHER_CTX_free(aead->context);
    aead->context = NULL;
}

void ln_aead_seal(struct ln_aead *aead, const uint8_t nonce[LN_AEAD_NONCE_LEN], const void *aad,
                  size_t aad_len, const void *in, size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *context = aead->context;
    int n = 0;

    assert(len <= INT_MAX && aad_len <= INT_MAX);
    must(EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL));
    if (aad_len > 0)
        must(EVP_EncryptUpdate(context, NULL, &n, aad, (int)aad_len));
    if (len > 0)
        must(EVP_EncryptUpdate(context, out, &n, in, (int)len));
    must(EVP_EncryptFinal_ex(context, out + len, &n));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, LN_AEAD_TAG_LEN, out + len));
}

bool ln_aead_open(struct ln_aead *aead, const uint8_t nonce[LN_AEAD_NONCE_LEN], const void *aad,
                  size_t aad_len, const void *in, size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *context = aead->context;
    uint8_t none[LN_AEAD_TAG_LEN], tag[LN_AEAD_TAG_LEN];
    size_t plain_len;
    int n = 0;

    assert(len <= INT_MAX && aad_len <= INT_MAX);
    if (len < LN_AEAD_TAG_LEN)
        return false;
    plain_len = len - LN_AEAD_TAG_LEN;
    memcpy(tag, (const uint8_t *)in + plain_len, sizeof tag);
    must(EVP_DecryptInit_ex2(context, NULL, NULL, nonce, NULL));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, LN_AEAD_TAG_LEN, tag));
    if (aad_len > 0)
        must(EVP_DecryptUpdate(context, NULL, &n, aad, (int)aad_len));
    if (plain_len > 0)
        must(EVP_DecryptUpdate(context, out, &n, in, (int)plain_len));
    return EVP_DecryptFinal_ex(context, none, &n) == 1;
}
