/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rng.h"

#include <limits.h>
#include <openssl/rand.h>
#include <stdlib.h>

static void fill(struct ln_rng *rng, void *data, size_t len)
{
    (void)rng;
    /* Going on with predictable bytes would be worse than ending. */
    if (len > INT_MAX || RAND_bytes(data, (int)len) != 1)
        abort();
}

void ln_crypto_rng(struct ln_rng *ret_rng)
{
    *ret_rng = (struct ln_rng){ fill, { 0 } };
}
