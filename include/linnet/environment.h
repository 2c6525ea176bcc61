/* SPDX-License-Identifier: Apache-2.0
 * An environment ready for use: packet buffers, the cryptographic generator and library. One per
 * thread; it outlives every object created with it. */
#ifndef LINNET_ENVIRONMENT_H
#define LINNET_ENVIRONMENT_H

#include <linnet/env.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_environment ln_environment;

/* allocator NULL: the C library's. trace may be NULL. Returns 0, LN_ERR_NOMEM or LN_ERR_CRYPTO. */
LN_API LN_NODISCARD int ln_environment_create(struct ln_allocator *allocator,
                                              struct ln_trace *trace,
                                              ln_environment **ret_environment);
LN_API struct ln_env *ln_environment_env(ln_environment *environment);
/* All objects made with it are freed before. NULL is fine. */
LN_API void ln_environment_free(ln_environment *environment);

#ifdef __cplusplus
}
#endif
#endif
