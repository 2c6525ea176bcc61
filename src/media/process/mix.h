/* SPDX-License-Identifier: Apache-2.0
 * Adding sounds up, and one channel from two or two from one. */
#ifndef LN_MEDIA_PROCESS_MIX_H
#define LN_MEDIA_PROCESS_MIX_H

#include "base/frame.h"

/* Copies `count` samples a channel from one layout to another (1 or 2 channels each): two become
 * their mean, one is doubled. */
void ln_mix_channels(const int16_t *from, uint8_t from_channels, int16_t *to, uint8_t to_channels,
                     size_t count);

/* Adds values to a sum; saturates. */
void ln_mix_add(int16_t *sum, const int16_t *data, size_t values);

/* The sum of sounds of one rate, channels and count. Times are those of the first. Returns 0,
 * LN_ERR_INVALID_ARGUMENT when they differ or there is none, LN_ERR_NOMEM. */
LN_NODISCARD int ln_mix_samples(const struct ln_samples *const *inputs, size_t input_count,
                                struct ln_allocator *allocator, struct ln_samples **ret_samples);

#endif
