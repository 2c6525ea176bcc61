/* SPDX-License-Identifier: Apache-2.0
 * A loop with all that peer connections on it need: their environment, and a querier for the
 * browsers'
 * `.local` names. One thread. */
#ifndef LN_CLIENT_LOOP_DRIVER_H
#define LN_CLIENT_LOOP_DRIVER_H

#include "io/loop.h"

struct ln_driver;

/* Returns 0, LN_ERR_NOMEM, LN_ERR_CRYPTO, LN_ERR_LIMIT or LN_ERR_SYSTEM. */
LN_NODISCARD int ln_driver_create(struct ln_driver **ret_driver);
/* Objects on it are freed before. NULL is fine. */
void ln_driver_free(struct ln_driver *driver);

struct ln_loop *ln_driver_loop(struct ln_driver *driver);
struct ln_env *ln_driver_env(struct ln_driver *driver);

#endif
