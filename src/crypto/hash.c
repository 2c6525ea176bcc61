/* SPDX-License-Identifier: Apache-2.0
 * Hashes and HMAC (RFC 2104) on EVP. The library fails here only for lack of memory; a digest that
 * is not computed must never be used, so that ends the process. */
#include "crypto/hash.h"

#include "base/alloc.h"
#include "crypto/internal.h"

#include <linnet/error.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const EVP_MD *(*algorithm)(void);
    uint8_t len, block;
} hashes[] = {
    [LN_HASH_MD5] = { "MD5", EVP_md5, 16, 64 },
    [LN_HASH_SHA1] = { "SHA1", EVP_sha1, 20, 64 },
    [LN_HASH_SHA256] = { "SHA256", EVP_sha256, 32, 64 },
    [LN_HASH_SHA384] = { "SHA384", EVP_sha384, 48, 128 },
    [LN_HASH_SHA512] = { "SHA512", EVP_sha512, 64, 128 },
};

static void must(int ok)
{
    if (ok != 1)
        abort();
}

/* What EVP_sha1() gives is looked up again, under locks, whenever a hash begins: which costs more
 * than a short hash. So each is looked up once a process and kept; threads that meet keep one. */
const EVP_MD *ln_hash_algorithm(enum ln_hash hash)
{
    static _Atomic(EVP_MD *) kept[sizeof hashes / sizeof *hashes];
    EVP_MD *algorithm = atomic_load_explicit(&kept[hash], memory_order_acquire), *first = NULL;

    if (algorithm)
        return algorithm;
    algorithm = EVP_MD_fetch(NULL, hashes[hash].name, NULL);
    if (!algorithm) { /* out of memory: the next call asks again */
        ERR_clear_error();
        return hashes[hash].algorithm();
    }
    if (atomic_compare_exchange_strong(&kept[hash], &first, algorithm))
        return algorithm;
    EVP_MD_free(algorithm);
    return first;
}

const char *ln_hash_name(enum ln_hash hash)
{
    return hashes[hash].name;
}

size_t ln_hash_len(enum ln_hash hash)
{
    return hashes[hash].len;
}

void ln_hash_once(enum ln_hash hash, const void *data, size_t len, uint8_t *digest)
{
    must(EVP_Digest(data, len, digest, NULL, ln_hash_algorithm(hash), NULL));
}

void ln_hash_pieces(enum ln_hash hash, const struct ln_bytes *pieces, size_t count, uint8_t *digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    must(context != NULL);
    must(EVP_DigestInit_ex2(context, ln_hash_algorithm(hash), NULL));
    for (size_t i = 0; i < count; i++)
        must(EVP_DigestUpdate(context, pieces[i].data, pieces[i].len));
    must(EVP_DigestFinal_ex(context, digest, NULL));
    EVP_MD_CTX_free(context);
}

/* One half of RFC 2104: H((key XOR pad) || pieces). Looking the algorithm up costs more than a
 * short hash: the second half goes on with the first one's (algorithm NULL). */
static void hmac_half(EVP_MD_CTX *context, const EVP_MD *algorithm, enum ln_hash hash,
                      const uint8_t *key, uint8_t pad, const struct ln_bytes *pieces, size_t count,
                      uint8_t *digest)
{
    uint8_t block[128];

    for (size_t i = 0; i < hashes[hash].block; i++)
        block[i] = key[i] ^ pad;
    must(EVP_DigestInit_ex2(context, algorithm, NULL));
    must(EVP_DigestUpdate(context, block, hashes[hash].block));
    for (size_t i = 0; i < count; i++)
        must(EVP_DigestUpdate(context, pieces[i].data, pieces[i].len));
    must(EVP_DigestFinal_ex(context, digest, NULL));
    ln_wipe(block, sizeof block);
}

void ln_hmac_once(enum ln_hash hash, const void *key, size_t key_len, const struct ln_bytes *pieces,
                  size_t count, uint8_t *mac)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t padded[128] = { 0 }, inner[LN_HASH_MAX];
    struct ln_bytes inner_piece = { inner, ln_hash_len(hash) };

    must(context != NULL);
    if (key_len > hashes[hash].block)
        ln_hash_once(hash, key, key_len, padded);
    else if (key_len > 0)
        memcpy(padded, key, key_len);
    hmac_half(context, ln_hash_algorithm(hash), hash, padded, 0x36, pieces, count, inner);
    hmac_half(context, NULL, hash, padded, 0x5c, &inner_piece, 1, mac);
    EVP_MD_CTX_free(context);
    ln_wipe(padded, sizeof padded);
    ln_wipe(inner, sizeof inner);
}

int ln_hmac_init(struct ln_hmac *hmac, struct ln_crypto *crypto, enum ln_hash hash, const void *key,
                 size_t key_len)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(crypto->hmac);
    char name[16];
    OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };

    memset(hmac, 0, sizeof *hmac);
    memcpy(name, hashes[hash].name, strlen(hashes[hash].name) + 1);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    /* A NULL key would mean "the key from before". */
    if (!context || EVP_MAC_init(context, key_len ? key : "", key_len, params) != 1) {
        EVP_MAC_CTX_free(context);
        ERR_clear_error();
        return LN_ERR_NOMEM;
    }
    hmac->context = context;
    hmac->len = hashes[hash].len;
    return 0;
}

void ln_hmac_deinit(struct ln_hmac *hmac)
{
    EVP_MAC_CTX_free(hmac->context);
    hmac->context = NULL;
}

void ln_hmac_compute(struct ln_hmac *hmac, const struct ln_bytes *pieces, size_t count,
                     uint8_t *mac)
{
    size_t len;

    must(EVP_MAC_init(hmac->context, NULL, 0, NULL));
    for (size_t i = 0; i < count; i++)
        must(EVP_MAC_update(hmac->context, pieces[i].data, pieces[i].len));
    must(EVP_MAC_final(hmac->context, mac, &len, hmac->len));
}
