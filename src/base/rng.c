/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include "base/alloc.h"
#include "base/list.h"

#include <stdio.h>
#include <string.h>

void ln_rng_bytes(struct ln_rng *rng, void *data, size_t len)
{
    rng->fill(rng, data, len);
}

uint32_t ln_rng_u32(struct ln_rng *rng)
{
    uint32_t value;

    rng->fill(rng, &value, sizeof value);
    return value;
}

uint64_t ln_rng_u64(struct ln_rng *rng)
{
    uint64_t value;

    rng->fill(rng, &value, sizeof value);
    return value;
}

uint32_t ln_rng_below(struct ln_rng *rng, uint32_t bound)
{
    uint32_t value, reject;

    if (bound == 0)
        return 0;
    /* Values below 2^32 mod bound would favour the small remainders. */
    reject = (uint32_t)(-bound) % bound;
    do
        value = ln_rng_u32(rng);
    while (value < reject);
    return value % bound;
}

double ln_rng_unit(struct ln_rng *rng)
{
    return (double)(ln_rng_u64(rng) >> 11) * 0x1p-53;
}

void ln_rng_text(struct ln_rng *rng, char *text, size_t len)
{
    static const char ice_char[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;

    ln_rng_bytes(rng, text, len);
    for (i = 0; i < len; i++)
        text[i] = ice_char[(uint8_t)text[i] & 63];
    text[len] = '\0';
}

void ln_uuid_text(struct ln_rng *rng, char text[LN_UUID_TEXT])
{
    uint8_t b[16];

    ln_rng_bytes(rng, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
    snprintf(text, LN_UUID_TEXT,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static void fill_ahead(struct ln_rng *rng, void *data, size_t len)
{
    struct ln_rng_ahead *ahead = LN_CONTAINER(rng, struct ln_rng_ahead, rng);
    uint8_t *at;

    if (len > sizeof ahead->bytes) {
        ln_rng_bytes(ahead->source, data, len);
        return;
    }
    if (len > ahead->left) {
        ln_rng_bytes(ahead->source, ahead->bytes, sizeof ahead->bytes);
        ahead->left = sizeof ahead->bytes;
    }
    ahead->left -= len;
    at = ahead->bytes + ahead->left;
    memcpy(data, at, len);
    ln_wipe(at, len);
}

void ln_rng_ahead_init(struct ln_rng_ahead *ahead, struct ln_rng *source)
{
    ahead->rng = (struct ln_rng){ fill_ahead, { 0 } };
    ahead->source = source;
    ahead->left = 0;
}
