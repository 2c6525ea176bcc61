/* SPDX-License-Identifier: Apache-2.0
 * The cryptographic library as one object: algorithms are fetched once, TLS settings are shared.
 *
 * One per worker thread, like the environment; it outlives everything made with it. Only this
 * folder sees OpenSSL, whose types appear in no header. Its own allocations do not pass our
 * allocator. */
#ifndef LN_CRYPTO_CRYPTO_H
#define LN_CRYPTO_CRYPTO_H

#include <linnet/env.h>

struct ln_crypto;

/* Returns 0, LN_ERR_NOMEM or LN_ERR_CRYPTO (an algorithm is missing). Takes about a millisecond. */
LN_NODISCARD int ln_crypto_create(struct ln_crypto **ret_crypto, struct ln_allocator *allocator);
void ln_crypto_free(struct ln_crypto *crypto); /* NULL is fine */

#endif
