/* SPDX-License-Identifier: Apache-2.0
 * Other sizes and orientations of pictures. Each gives a new picture with the times of the old. */
#ifndef LN_MEDIA_PROCESS_SCALE_H
#define LN_MEDIA_PROCESS_SCALE_H

#include "base/frame.h"
#include "media/frame/limits.h"

/* The whole picture in another size (the aspect ratio is the caller's); the same picture,
 * referenced once more, where the size is right already. Returns 0, LN_ERR_RANGE for a side of 0 or
 * above LN_PICTURE_SIDE_MAX, LN_ERR_NOMEM. */
LN_NODISCARD int ln_picture_scale(const struct ln_picture *picture, uint16_t width, uint16_t height,
                                  struct ln_allocator *allocator, struct ln_picture **ret_picture);

/* The largest even size with the picture's aspect ratio of at most max_pixels (0: any), and at
 * least 16 x 16: what LN_EVENT_ENCODER_TARGET asks for. */
void ln_picture_size_within(uint16_t width, uint16_t height, uint32_t max_pixels,
                            uint16_t *ret_width, uint16_t *ret_height);

/* Upright: turned clockwise by its `rotation`, which is 0 in the new picture (the same, referenced
 * once more, where it is 0 already). Returns 0, LN_ERR_RANGE for a rotation that is no right angle,
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_picture_upright(const struct ln_picture *picture,
                                    struct ln_allocator *allocator,
                                    struct ln_picture **ret_picture);

#endif
