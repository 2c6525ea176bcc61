/* SPDX-License-Identifier: Apache-2.0
 * A picture written to a PNG file, by a codec worker. */
#ifndef LN_CLIENT_SNAPSHOT_H
#define LN_CLIENT_SNAPSHOT_H

#include "client/workers.h"

#include <linnet/frame.h>

/* Takes a reference to the picture. The file appears whole or not at all (it is written beside and
 * renamed). done(ctx, error) follows on the loop: 0, LN_ERR_NOT_FOUND (no such folder),
 * LN_ERR_NOT_ALLOWED, LN_ERR_SYSTEM, LN_ERR_NOMEM. Returns 0, LN_ERR_NOMEM or LN_ERR_LIMIT. */
LN_NODISCARD int ln_snapshot_write(struct ln_workers *workers, struct ln_picture *picture,
                                   const char *path, struct ln_allocator *allocator,
                                   void (*done)(void *ctx, int error), void *ctx);

#endif
