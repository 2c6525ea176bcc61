/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: what the provider object holds. */
#ifndef LN_CRYPTO_INTERNAL_H
#define LN_CRYPTO_INTERNAL_H

#include "crypto/aead.h"
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct ln_crypto {
    struct ln_allocator *allocator;
    EVP_MD *md[LN_HASH_SHA512 + 1];
    EVP_MAC *hmac;
    EVP_CIPHER *aead[LN_AEAD_CHACHA20_POLY1305 + 1];
    EVP_CIPHER *ctr_128, *ctr_256, *ecb_128, *ecb_256;
    EVP_KDF *tls_prf;
    BIO_METHOD *bio;     /* made at first use, like the following */
    X509_STORE *roots;   /* the system's */
    SSL_CTX *dtls, *tls; /* made at first use; shared by both roles and all certificates */
};

const EVP_MD *ln_hash_algorithm(enum ln_hash hash);
const char *ln_hash_name(enum ln_hash hash);

/* A PEM callback that gives none: the default one would ask at the terminal. */
int ln_no_passphrase(char *text, int cap, int writing, void *context);

X509 *ln_certificate_x509(const struct ln_certificate *certificate);
EVP_PKEY *ln_certificate_key(const struct ln_certificate *certificate);
STACK_OF(X509) * ln_certificate_chain(const struct ln_certificate *certificate); /* NULL: none */

#endif
