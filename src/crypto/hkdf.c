/* SPDX-License-Identifier: Apache-2.0
 * HKDF (RFC 5869) on our HMAC. */
#include "crypto/hkdf.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

#define INFO_PIECES_MAX 4u

void ln_hkdf_sha256(struct ln_bytes secret, struct ln_bytes salt, const struct ln_bytes *info,
                    size_t info_count, uint8_t *key, size_t key_len)
{
    uint8_t extracted[LN_SHA256_LEN], block[LN_SHA256_LEN], number = 0;
    struct ln_bytes pieces[INFO_PIECES_MAX + 2];

    assert(info_count <= INFO_PIECES_MAX && key_len <= LN_HKDF_MAX);
    ln_hmac_once(LN_HASH_SHA256, salt.data, salt.len, &secret, 1, extracted);
    for (size_t i = 0; i < info_count; i++)
        pieces[i + 1] = info[i];
    pieces[info_count + 1] = (struct ln_bytes){ &number, 1 };
    for (size_t at = 0; at < key_len; at += sizeof block) {
        size_t take = key_len - at < sizeof block ? key_len - at : sizeof block;

        pieces[0] = (struct ln_bytes){ block, number ? sizeof block : 0 }; /* T(0) is empty */
        number++;
        ln_hmac_once(LN_HASH_SHA256, extracted, sizeof extracted, pieces, info_count + 2, block);
        memcpy(key + at, block, take);
    }
    ln_wipe(extracted, sizeof extracted);
    ln_wipe(block, sizeof block);
}
