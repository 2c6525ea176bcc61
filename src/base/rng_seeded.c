/* SPDX-License-Identifier: Apache-2.0
 * xoshiro256** (Blackman, Vigna), seeded by splitmix64. Tests and simulations only. */
#include "base/rng.h"

#include <string.h>

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t next(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void fill(struct ln_rng *rng, void *data, size_t len)
{
    uint8_t *out = data;

    while (len > 0) {
        uint64_t value = next(rng->state);
        size_t n = len < sizeof value ? len : sizeof value;

        memcpy(out, &value, n);
        out += n;
        len -= n;
    }
}

void ln_rng_seed(struct ln_rng *rng, uint64_t seed)
{
    int i;

    rng->fill = fill;
    for (i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        rng->state[i] = z ^ (z >> 31);
    }
}
