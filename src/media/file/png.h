/* SPDX-License-Identifier: Apache-2.0
 * Pictures as PNG, 8-bit RGB (BT.601, limited range), to memory or piece by piece. Opens no file.
 */
#ifndef LN_MEDIA_FILE_PNG_H
#define LN_MEDIA_FILE_PNG_H

#include "base/frame.h"

/* Takes the next piece of the file; a negative value stops the writing and is returned. */
typedef int (*ln_png_sink)(void *ctx, const uint8_t *data, size_t len);

/* Returns 0, what the sink returned, LN_ERR_RANGE (no size), LN_ERR_NOMEM, LN_ERR_OPERATION. */
LN_NODISCARD int ln_png_write(const struct ln_picture *picture, struct ln_allocator *allocator,
                              ln_png_sink sink, void *ctx);

/* The whole file in one block of the allocator, the caller's to free. */
LN_NODISCARD int ln_png_encode(const struct ln_picture *picture, struct ln_allocator *allocator,
                               uint8_t **ret_data, size_t *ret_len);

#endif
