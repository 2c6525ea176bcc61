/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

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
