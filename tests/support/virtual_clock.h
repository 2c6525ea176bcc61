/* SPDX-License-Identifier: Apache-2.0
 * Puts OpenSSL in virtual time and makes its randomness repeat: for simulations and tests whose
 * binary links virtual_clock.c (OpenSSL then finds this gettimeofday first). */
#ifndef LN_TEST_VIRTUAL_CLOCK_H
#define LN_TEST_VIRTUAL_CLOCK_H

#include <linnet/types.h>

/* Moves OpenSSL's clock: to some fixed day plus `now`. Call it with each step of virtual time,
 * before the objects are called with that `now`. */
void virtual_clock_set(ln_time now);

/* Makes OpenSSL's generator (keys, nonces, signatures) repeat from this seed. */
void virtual_random_seed(uint64_t seed);

#endif
