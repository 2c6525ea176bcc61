/* SPDX-License-Identifier: Apache-2.0
 * Changes the sampling rate by a polyphase FIR filter (windowed sinc), for rates whose ratio is a
 * small fraction: 8, 16, 24, 32, 44.1 and 48 kHz among each other. */
#ifndef LN_MEDIA_PROCESS_RESAMPLE_H
#define LN_MEDIA_PROCESS_RESAMPLE_H

#include "base/frame.h"

struct ln_resampler;

/* Returns 0, LN_ERR_RANGE when a rate is not 8,000 to 192,000 or the ratio has too many phases,
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_resampler_create(struct ln_resampler **ret_resampler, uint32_t from_hz,
                                     uint32_t to_hz, uint8_t channels,
                                     struct ln_allocator *allocator);
void ln_resampler_free(struct ln_resampler *resampler);

/* The most samples a channel that `count` in can give. */
size_t ln_resampler_bound(const struct ln_resampler *resampler, size_t count);

/* Eats all of data (count samples a channel), writes to out, which has room for
 * ln_resampler_bound(count). Returns the samples a channel written. Over time exactly to/from of
 * what went in. */
size_t ln_resampler_put(struct ln_resampler *resampler, const int16_t *data, size_t count,
                        int16_t *out);

/* How far the output lags behind the input. */
ln_duration ln_resampler_delay(const struct ln_resampler *resampler);

#endif
