/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: a provider would be ten times the code */
#include "tests/support/virtual_clock.h"

#include "base/rng.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/time.h>

#define DAY_ZERO 1700000000 /* seconds since 1970 of virtual time 0 */

static ln_time virtual_now;
static struct ln_rng generator;

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv,
                                                        void *restrict zone)
{
    (void)zone;
    tv->tv_sec = DAY_ZERO + (time_t)(virtual_now / 1000000000);
    tv->tv_usec = (suseconds_t)(virtual_now % 1000000000 / 1000);
    return 0;
}

void virtual_clock_set(ln_time now)
{
    virtual_now = now;
}

static int random_bytes(unsigned char *data, int len)
{
    ln_rng_bytes(&generator, data, (size_t)len);
    return 1;
}

static int random_status(void)
{
    return 1;
}

static const RAND_METHOD method = { .bytes = random_bytes,
                                    .pseudorand = random_bytes,
                                    .status = random_status };

void virtual_random_seed(uint64_t seed)
{
    ln_rng_seed(&generator, seed);
    if (RAND_set_rand_method(&method) != 1)
        abort();
}
