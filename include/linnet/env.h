/* SPDX-License-Identifier: Apache-2.0
 * What an object borrows from its surroundings: memory, packet buffers, chance and trace.
 *
 * One environment per worker thread. Everything in it outlives every object created with it, and is
 * used only on the thread that owns those objects. */
#ifndef LINNET_ENV_H
#define LINNET_ENV_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory. resize(ctx, NULL, n) allocates, resize(ctx, p, 0) frees and returns NULL, else it is
 * realloc. NULL for n > 0 means out of memory; the old block is then unchanged. */
struct ln_allocator {
    void *(*resize)(void *ctx, void *block, size_t size);
    void *ctx;
};

/* Chance. fill() never fails. In production it is a cryptographic generator (attackers must not
 * guess what it gives); simulations install a seeded one, whose state is `state`. */
struct ln_rng {
    void (*fill)(struct ln_rng *rng, void *data, size_t len);
    uint64_t state[4];
};

struct ln_pool;   /* packet buffers, base/pool.h */
struct ln_trace;  /* typed events, linnet/trace.h */
struct ln_crypto; /* the cryptographic library, crypto/crypto.h */

struct ln_env {
    struct ln_allocator *allocator;
    struct ln_pool *pool;
    struct ln_rng *rng;
    struct ln_trace *trace;   /* may be NULL: nothing is traced */
    struct ln_crypto *crypto; /* may be NULL for objects that encrypt nothing */
};

#ifdef __cplusplus
}
#endif
#endif
