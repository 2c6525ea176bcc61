/* SPDX-License-Identifier: Apache-2.0
 * Certificates with keys: made, read, written (RFC 5280, RFC 8827 6.5). */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY, see generate_p256() */
#include "crypto/certificate.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/internal.h"

#include <linnet/address.h>
#include <linnet/certificate.h>
#include <linnet/error.h>

#include <assert.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS      INT64_C(86400000)
#define LIFETIME_MS (30 * DAY_MS)            /* as the browsers do */
#define MAX_MS      (365 * DAY_MS)           /* W3C generateCertificate: expires is capped */
#define WALL_MAX_MS INT64_C(253370764800000) /* year 9999 */

struct ln_certificate {
    struct ln_allocator *allocator;
    uint32_t references;
    X509 *x509;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* without the leaf; NULL: none */
    uint8_t *der;
    size_t der_len;
    int64_t expires_ms;
};

X509 *ln_certificate_x509(const struct ln_certificate *c)
{
    return c->x509;
}

EVP_PKEY *ln_certificate_key(const struct ln_certificate *c)
{
    return c->key;
}

STACK_OF(X509) * ln_certificate_chain(const struct ln_certificate *c)
{
    return c->chain;
}

struct ln_certificate *ln_certificate_ref(struct ln_certificate *c)
{
    c->references++;
    return c;
}

void ln_certificate_unref(struct ln_certificate *c)
{
    if (!c || --c->references > 0)
        return;
    sk_X509_pop_free(c->chain, X509_free);
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    ln_free(c->allocator, c->der);
    ln_free(c->allocator, c);
}

struct ln_bytes ln_certificate_der(const struct ln_certificate *c)
{
    return (struct ln_bytes){ c->der, c->der_len };
}

int64_t ln_certificate_expires_ms(const struct ln_certificate *c)
{
    return c->expires_ms;
}

enum ln_key_type ln_certificate_key_type(const struct ln_certificate *c)
{
    char group[32];
    size_t len;

    if (EVP_PKEY_is_a(c->key, "RSA"))
        return EVP_PKEY_get_bits(c->key) == 2048 ? LN_KEY_RSA_2048 : LN_KEY_OTHER;
    if (EVP_PKEY_is_a(c->key, "EC") &&
        EVP_PKEY_get_group_name(c->key, group, sizeof group, &len) == 1 &&
        (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0))
        return LN_KEY_ECDSA_P256;
    return LN_KEY_OTHER;
}

static int64_t milliseconds(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    if (epoch)
        (void)ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return days * DAY_MS + seconds * INT64_C(1000);
}

/* Takes over x509, key and chain, also when it fails. */
static int wrap(struct ln_certificate **ret_certificate, struct ln_crypto *crypto, X509 *x509,
                EVP_PKEY *key, STACK_OF(X509) * chain)
{
    struct ln_certificate *c = ln_alloc_zero(crypto->allocator, sizeof *c);
    int len = i2d_X509(x509, NULL);
    unsigned char *at;

    if (!c) {
        sk_X509_pop_free(chain, X509_free);
        X509_free(x509);
        EVP_PKEY_free(key);
        return LN_ERR_NOMEM;
    }
    *c = (struct ln_certificate){ crypto->allocator, 1, x509, key, chain, NULL, 0, 0 };
    if (len > 0)
        at = c->der = ln_alloc(c->allocator, (size_t)len);
    if (!c->der || i2d_X509(x509, &at) != len) {
        ln_certificate_unref(c);
        return LN_ERR_NOMEM;
    }
    c->der_len = (size_t)len;
    c->expires_ms = milliseconds(X509_get0_notAfter(x509));
    *ret_certificate = c;
    return 0;
}

/* 126 random bits: never negative, never zero in practice, and the first bit set so that the length
 * does not vary. */
static bool set_serial(X509 *x509)
{
    uint8_t bytes[16];
    BIGNUM *number = NULL;
    bool ok = RAND_bytes(bytes, sizeof bytes) == 1;

    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
    ok = ok && (number = BN_bin2bn(bytes, sizeof bytes, NULL)) != NULL &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

/* A random name: it tells nothing about the user, and two certificates never look related. */
static bool set_name(X509 *x509)
{
    uint8_t bytes[8];
    char text[2 * sizeof bytes + 1];
    X509_NAME *name = X509_get_subject_name(x509);

    return RAND_bytes(bytes, sizeof bytes) == 1 &&
           X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_ASC,
               (const unsigned char *)ln_hex_encode(bytes, sizeof bytes, text), -1, -1, 0) == 1 &&
           X509_set_issuer_name(x509, name) == 1;
}

/* A key of the old kind: X509_set_pubkey() puts one of the new kind through the library's general
 * encoder and decoder, which takes 170 us, ten times as long as making the key. */
static EVP_PKEY *generate_p256(void)
{
#ifndef OPENSSL_NO_DEPRECATED_3_0
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();

    if (ec && key && EC_KEY_generate_key(ec) == 1 && EVP_PKEY_assign_EC_KEY(key, ec) == 1)
        return key;
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
#else
    return EVP_EC_gen("P-256");
#endif
}

int ln_certificate_generate(struct ln_certificate **ret_certificate, enum ln_key_type type,
                            int64_t wall_ms, int64_t lifetime_ms, struct ln_crypto *crypto)
{
    EVP_PKEY *key;
    X509 *x509;

    if (wall_ms < DAY_MS || wall_ms > WALL_MAX_MS || lifetime_ms < 0)
        return LN_ERR_RANGE;
    if (type != LN_KEY_ECDSA_P256 && type != LN_KEY_RSA_2048)
        return LN_ERR_RANGE;
    if (lifetime_ms == 0)
        lifetime_ms = LIFETIME_MS;
    if (lifetime_ms > MAX_MS)
        lifetime_ms = MAX_MS;
    key = type == LN_KEY_RSA_2048 ? EVP_RSA_gen(2048) : generate_p256();
    x509 = X509_new();
    if (!key || !x509 || X509_set_version(x509, X509_VERSION_3) != 1 || !set_serial(x509) ||
        !set_name(x509) ||
        !ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)((wall_ms - DAY_MS) / 1000)) ||
        !ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)((wall_ms + lifetime_ms) / 1000)) ||
        X509_set_pubkey(x509, key) != 1 || X509_sign(x509, key, EVP_sha256()) <= 0) {
        X509_free(x509);
        EVP_PKEY_free(key);
        ERR_clear_error();
        return LN_ERR_CRYPTO;
    }
    return wrap(ret_certificate, crypto, x509, key, NULL);
}

int ln_no_passphrase(char *text, int cap, int writing, void *context)
{
    (void)text, (void)cap, (void)writing, (void)context;
    return -1;
}

static int read_chain(BIO *bio, STACK_OF(X509) * *ret_chain)
{
    STACK_OF(X509) *chain = NULL;
    X509 *next;
    int error = 0;

    while (!error && (next = PEM_read_bio_X509(bio, NULL, ln_no_passphrase, NULL)) != NULL) {
        if (!chain && !(chain = sk_X509_new_null()))
            error = LN_ERR_NOMEM;
        else if (sk_X509_num(chain) >= LN_CERTIFICATE_CHAIN_MAX)
            error = LN_ERR_SYNTAX;
        else if (sk_X509_push(chain, next) <= 0)
            error = LN_ERR_NOMEM;
        if (error)
            X509_free(next);
    }
    if (error)
        sk_X509_pop_free(chain, X509_free);
    else
        *ret_chain = chain;
    return error;
}

int ln_certificate_import(struct ln_certificate **ret_certificate, struct ln_bytes certificate_pem,
                          struct ln_bytes key_pem, struct ln_crypto *crypto)
{
    struct ln_bytes key_text = key_pem.data ? key_pem : certificate_pem;
    STACK_OF(X509) *chain = NULL;
    BIO *bio = NULL;
    X509 *leaf = NULL;
    EVP_PKEY *key = NULL;
    int error = LN_ERR_SYNTAX;

    if (certificate_pem.len > INT_MAX || key_text.len > INT_MAX)
        return LN_ERR_SYNTAX;
    if (!(bio = BIO_new_mem_buf(certificate_pem.data, (int)certificate_pem.len)))
        return LN_ERR_NOMEM;
    if (!(leaf = PEM_read_bio_X509(bio, NULL, ln_no_passphrase, NULL)))
        goto out;
    if ((error = read_chain(bio, &chain)))
        goto out;
    BIO_free(bio);
    error = LN_ERR_NOMEM;
    if (!(bio = BIO_new_mem_buf(key_text.data, (int)key_text.len)))
        goto out;
    error = LN_ERR_SYNTAX;
    if (!(key = PEM_read_bio_PrivateKey(bio, NULL, ln_no_passphrase, NULL)))
        goto out;
    error = X509_check_private_key(leaf, key) == 1 ? 0 : LN_ERR_INVALID_ACCESS;
out:
    BIO_free(bio);
    ERR_clear_error();
    if (!error)
        return wrap(ret_certificate, crypto, leaf, key, chain);
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return error;
}

int ln_certificate_export(const struct ln_certificate *c, char **ret_pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data, *copy = NULL;
    long len;
    bool ok = bio && PEM_write_bio_X509(bio, c->x509) == 1;

    for (int i = 0; ok && i < sk_X509_num(c->chain); i++)
        ok = PEM_write_bio_X509(bio, sk_X509_value(c->chain, i)) == 1;
    ok = ok && PEM_write_bio_PKCS8PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL) == 1;
    if (ok && (len = BIO_get_mem_data(bio, &data)) > 0)
        copy = ln_alloc_text_n(c->allocator, data, (size_t)len);
    BIO_free(bio);
    ERR_clear_error();
    if (!copy)
        return LN_ERR_NOMEM;
    *ret_pem = copy;
    return 0;
}

/* ---- what others see ---- */

/* Printable ASCII, cut to what fits. */
static void copy_name(char *name, size_t cap, const ASN1_STRING *value)
{
    const unsigned char *data = ASN1_STRING_get0_data(value);
    int len = ASN1_STRING_length(value);
    size_t count = len > 0 ? (size_t)len : 0;

    if (count > cap - 1)
        count = cap - 1;
    for (size_t i = 0; i < count; i++)
        name[i] = data[i] > 0x20 && data[i] < 0x7f ? (char)data[i] : '?';
    name[count] = '\0';
}

static void copy_address(char *name, size_t cap, const ASN1_OCTET_STRING *value)
{
    struct ln_address address = { .family = LN_FAMILY_NONE };
    int len = ASN1_STRING_length(value);
    char text[LN_ADDRESS_TEXT_MAX];

    if (len != 4 && len != 16)
        return;
    address.family = len == 4 ? LN_FAMILY_IPV4 : LN_FAMILY_IPV6;
    memcpy(address.ip, ASN1_STRING_get0_data(value), (size_t)len);
    snprintf(name, cap, "%s", ln_address_format_ip(&address, text));
}

static void read_alternative_name(X509 *x509, char *name, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !name[0]; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

        if (one->type == GEN_DNS)
            copy_name(name, cap, one->d.dNSName);
        else if (one->type == GEN_IPADD)
            copy_address(name, cap, one->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

static void read_common_name(X509 *x509, char *name, size_t cap)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at >= 0)
        copy_name(name, cap, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

int ln_certificate_read_facts(struct ln_bytes der, struct ln_certificate_facts *ret_facts)
{
    struct ln_certificate_facts facts = { .name = "" };
    const unsigned char *at = der.data;
    X509 *x509 = der.len > 0 && der.len < LONG_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;

    if (!x509) {
        ERR_clear_error();
        return LN_ERR_SYNTAX;
    }
    read_alternative_name(x509, facts.name, sizeof facts.name);
    if (!facts.name[0])
        read_common_name(x509, facts.name, sizeof facts.name);
    facts.begins_ms = milliseconds(X509_get0_notBefore(x509));
    facts.expires_ms = milliseconds(X509_get0_notAfter(x509));
    X509_free(x509);
    ERR_clear_error();
    *ret_facts = facts;
    return 0;
}
