/* SPDX-License-Identifier: Apache-2.0
 * Numbers by chance from an environment's generator. */
#ifndef LN_BASE_RNG_H
#define LN_BASE_RNG_H

#include <linnet/env.h>

void ln_rng_bytes(struct ln_rng *rng, void *data, size_t len);
uint32_t ln_rng_u32(struct ln_rng *rng);
uint64_t ln_rng_u64(struct ln_rng *rng);
/* Uniform in [0, bound); 0 for bound 0. */
uint32_t ln_rng_below(struct ln_rng *rng, uint32_t bound);
/* Uniform in [0, 1). */
double ln_rng_unit(struct ln_rng *rng);
/* len characters of ALPHA / DIGIT / "+" / "/" (ice-char, RFC 8839, 5.4), six bits each, and a NUL.
 */
void ln_rng_text(struct ln_rng *rng, char *text, size_t len);

#define LN_UUID_TEXT 37u
/* A random UUID (RFC 9562, 5.4) in text. */
void ln_uuid_text(struct ln_rng *rng, char text[LN_UUID_TEXT]);

/* A generator that asks `source` (borrowed) for many bytes at a time, for who wants few of them
 * often; what it has given is wiped. Not to be used on both sides of a fork. */
struct ln_rng_ahead {
    struct ln_rng rng;
    struct ln_rng *source;
    size_t left;
    uint8_t bytes[512];
};
void ln_rng_ahead_init(struct ln_rng_ahead *ahead, struct ln_rng *source);

/* A repeatable generator (xoshiro256**), for tests and simulations only: it is not linked into the
 * library (base/rng_seeded.c). */
void ln_rng_seed(struct ln_rng *rng, uint64_t seed);

#endif
