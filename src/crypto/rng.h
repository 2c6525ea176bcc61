/* SPDX-License-Identifier: Apache-2.0
 * The production generator for env.rng. */
#ifndef LN_CRYPTO_RNG_H
#define LN_CRYPTO_RNG_H

#include <linnet/env.h>

/* Makes *ret_rng draw from the library's generator (reseeded by itself from the system). If that
 * ever fails the process aborts: there is no safe way on. */
void ln_crypto_rng(struct ln_rng *ret_rng);

#endif
