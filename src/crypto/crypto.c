/* SPDX-License-Identifier: Apache-2.0
 * The provider object: every algorithm is fetched here, once. A fetch at each use costs more than
 * the hash of a small packet. */
#include "crypto/crypto.h"

#include "base/alloc.h"
#include "crypto/internal.h"

#include <linnet/error.h>

static int fetch(struct ln_crypto *c)
{
    for (int i = 0; i <= LN_HASH_SHA512; i++)
        if (!(c->md[i] = EVP_MD_fetch(NULL, ln_hash_name((enum ln_hash)i), NULL)))
            return LN_ERR_CRYPTO;
    c->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    c->aead[LN_AEAD_AES_128_GCM] = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    c->aead[LN_AEAD_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    c->aead[LN_AEAD_CHACHA20_POLY1305] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    c->ctr_128 = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    c->ctr_256 = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
    c->ecb_128 = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    c->ecb_256 = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    c->tls_prf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    return c->hmac && c->aead[0] && c->aead[1] && c->aead[2] && c->ctr_128 && c->ctr_256 &&
                   c->ecb_128 && c->ecb_256 && c->tls_prf
               ? 0
               : LN_ERR_CRYPTO;
}

int ln_crypto_create(struct ln_crypto **ret_crypto, struct ln_allocator *allocator)
{
    struct ln_crypto *c = ln_alloc_zero(allocator, sizeof *c);
    int error;

    if (!c)
        return LN_ERR_NOMEM;
    c->allocator = allocator;
    error = fetch(c);
    ERR_clear_error();
    if (error) {
        ln_crypto_free(c);
        return error;
    }
    *ret_crypto = c;
    return 0;
}

void ln_crypto_free(struct ln_crypto *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->dtls);
    SSL_CTX_free(c->tls);
    X509_STORE_free(c->roots);
    BIO_meth_free(c->bio);
    for (int i = 0; i <= LN_HASH_SHA512; i++)
        EVP_MD_free(c->md[i]);
    for (int i = 0; i <= LN_AEAD_CHACHA20_POLY1305; i++)
        EVP_CIPHER_free(c->aead[i]);
    EVP_MAC_free(c->hmac);
    EVP_CIPHER_free(c->ctr_128);
    EVP_CIPHER_free(c->ctr_256);
    EVP_CIPHER_free(c->ecb_128);
    EVP_CIPHER_free(c->ecb_256);
    EVP_KDF_free(c->tls_prf);
    ln_free(c->allocator, c);
}
