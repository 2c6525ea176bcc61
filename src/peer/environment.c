/* SPDX-License-Identifier: Apache-2.0
 * The usual environment (linnet/environment.h). */
#include <linnet/environment.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "crypto/crypto.h"
#include "crypto/rng.h"

#include <linnet/error.h>

#define BUFFER_BYTES 2048u
#define BUFFERS_KEPT 4096u
#define BUFFERS_MAX  262144u

struct ln_environment {
    struct ln_env env;
    struct ln_pool pool;
    struct ln_rng rng;
};

int ln_environment_create(struct ln_allocator *allocator, struct ln_trace *trace,
                          ln_environment **ret_environment)
{
    ln_environment *environment;
    int error;

    if (!allocator)
        allocator = ln_allocator_libc();
    environment = ln_alloc_zero(allocator, sizeof *environment);
    if (!environment)
        return LN_ERR_NOMEM;
    error = ln_crypto_create(&environment->env.crypto, allocator);
    if (error) {
        ln_free(allocator, environment);
        return error;
    }
    ln_pool_init(&environment->pool, allocator, BUFFER_BYTES, BUFFERS_KEPT, BUFFERS_MAX);
    ln_crypto_rng(&environment->rng);
    environment->env.allocator = allocator;
    environment->env.pool = &environment->pool;
    environment->env.rng = &environment->rng;
    environment->env.trace = trace;
    *ret_environment = environment;
    return 0;
}

struct ln_env *ln_environment_env(ln_environment *environment)
{
    return &environment->env;
}

void ln_environment_free(ln_environment *environment)
{
    struct ln_allocator *allocator;

    if (!environment)
        return;
    allocator = environment->env.allocator;
    ln_pool_deinit(&environment->pool);
    ln_crypto_free(environment->env.crypto);
    ln_free(allocator, environment);
}
