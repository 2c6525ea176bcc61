/* SPDX-License-Identifier: Apache-2.0
 * Certificates with their private keys, and fingerprints (RFC 8122, RFC 8827 6.5).
 *
 * A certificate is immutable and counted with a plain count: it belongs to one thread, like the
 * rest (copy it to another thread as PEM). */
#ifndef LN_CRYPTO_CERTIFICATE_H
#define LN_CRYPTO_CERTIFICATE_H

#include <linnet/env.h>

struct ln_crypto;
struct ln_certificate;

enum ln_key_type { LN_KEY_ECDSA_P256, LN_KEY_RSA_2048, LN_KEY_OTHER };

/* Makes a self-signed certificate: random serial number and common name, valid from a day before
 * wall_ms (milliseconds since 1970, UTC) to wall_ms + lifetime_ms (at most a year; 0: 30 days).
 * Returns 0, LN_ERR_NOMEM, LN_ERR_RANGE or LN_ERR_CRYPTO. One reference. */
LN_NODISCARD int ln_certificate_generate(struct ln_certificate **ret_certificate,
                                         enum ln_key_type type, int64_t wall_ms,
                                         int64_t lifetime_ms, struct ln_crypto *crypto);

/* Reads a PEM certificate (chain: leaf first, up to LN_CERTIFICATE_CHAIN_MAX) and its private key;
 * the key may stand in the same text (key_pem NULL). Returns 0, LN_ERR_SYNTAX,
 * LN_ERR_INVALID_ACCESS (key and certificate do not belong together), LN_ERR_NOMEM. */
#define LN_CERTIFICATE_CHAIN_MAX 8
LN_NODISCARD int ln_certificate_import(struct ln_certificate **ret_certificate,
                                       struct ln_bytes certificate_pem, struct ln_bytes key_pem,
                                       struct ln_crypto *crypto);

/* Writes certificate (with chain) and private key as one NUL-ended PEM text, allocated with the
 * crypto object's allocator; wipe and ln_free() it. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_certificate_export(const struct ln_certificate *certificate, char **ret_pem);

struct ln_certificate *ln_certificate_ref(struct ln_certificate *certificate);
void ln_certificate_unref(struct ln_certificate *certificate); /* NULL is fine */

/* The leaf in DER, borrowed for the certificate's life. */
struct ln_bytes ln_certificate_der(const struct ln_certificate *certificate);
/* End of validity, in milliseconds since 1970. */
int64_t ln_certificate_expires_ms(const struct ln_certificate *certificate);
enum ln_key_type ln_certificate_key_type(const struct ln_certificate *certificate);

/* What a certificate says to whoever is shown it. */
struct ln_certificate_facts {
    char name[128]; /* the first DNS name or address it is for, else its common name; "": none */
    int64_t begins_ms, expires_ms; /* milliseconds since 1970 */
};

/* Reads a leaf in DER. Returns 0 or LN_ERR_SYNTAX. */
LN_NODISCARD int ln_certificate_read_facts(struct ln_bytes der,
                                           struct ln_certificate_facts *ret_facts);

/* Longest fingerprint text with its NUL: sha-512, "AB:" 64 times. */
#define LN_FINGERPRINT_TEXT_MAX 192u

/* Writes "AB:CD:.." of the DER under a hash named as in SDP: "sha-256", "sha-384", "sha-512" (any
 * case). Returns 0, or LN_ERR_NOT_SUPPORTED for other names (sha-1 and md5 too: RFC 8122, 5). text
 * holds LN_FINGERPRINT_TEXT_MAX. */
LN_NODISCARD int ln_fingerprint_format(struct ln_bytes der, const char *algorithm, char *text);

/* Whether the value ("AB:CD:..", any case) is the fingerprint of der. False for unknown or refused
 * algorithms and for malformed values. */
bool ln_fingerprint_matches(struct ln_bytes der, const char *algorithm, const char *value);

/* Strength of a fingerprint algorithm for comparing: 0 unknown or refused, else higher is stronger.
 */
int ln_fingerprint_strength(const char *algorithm);

#endif
