/* SPDX-License-Identifier: Apache-2.0
 * Fingerprints of certificates as SDP carries them (RFC 8122, 5). SHA-1 and MD5 are refused. */
#include "base/bytes.h"
#include "crypto/certificate.h"
#include "crypto/hash.h"

#include <linnet/error.h>

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum ln_hash hash;
} algorithms[] = {
    { "sha-256", LN_HASH_SHA256 },
    { "sha-384", LN_HASH_SHA384 },
    { "sha-512", LN_HASH_SHA512 },
};

int ln_fingerprint_strength(const char *algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcasecmp(algorithm, algorithms[i].name) == 0)
            return (int)i + 1;
    return 0;
}

int ln_fingerprint_format(struct ln_bytes der, const char *algorithm, char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    int strength = ln_fingerprint_strength(algorithm);
    uint8_t digest[LN_HASH_MAX];
    size_t len;

    if (strength == 0)
        return LN_ERR_NOT_SUPPORTED;
    len = ln_hash_len(algorithms[strength - 1].hash);
    ln_hash_once(algorithms[strength - 1].hash, der.data, der.len, digest);
    for (size_t i = 0; i < len; i++) {
        text[3 * i] = digits[digest[i] >> 4];
        text[3 * i + 1] = digits[digest[i] & 15];
        text[3 * i + 2] = i + 1 < len ? ':' : '\0';
    }
    return 0;
}

bool ln_fingerprint_matches(struct ln_bytes der, const char *algorithm, const char *value)
{
    char text[LN_FINGERPRINT_TEXT_MAX];

    return ln_fingerprint_format(der, algorithm, text) == 0 && strcasecmp(text, value) == 0;
}
