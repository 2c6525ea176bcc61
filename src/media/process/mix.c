/* SPDX-License-Identifier: Apache-2.0
 * Sums of sounds and changes of channel layout. */
#include "media/process/mix.h"

#include <linnet/error.h>

#include <string.h>

void ln_mix_channels(const int16_t *from, uint8_t from_channels, int16_t *to, uint8_t to_channels,
                     size_t count)
{
    if (from_channels == to_channels) {
        memcpy(to, from, count * from_channels * sizeof *to);
    } else if (from_channels == 2) {
        for (size_t i = 0; i < count; i++)
            to[i] = (int16_t)((from[2 * i] + from[2 * i + 1]) / 2);
    } else {
        for (size_t i = 0; i < count; i++)
            to[2 * i] = to[2 * i + 1] = from[i];
    }
}

void ln_mix_add(int16_t *sum, const int16_t *data, size_t values)
{
    for (size_t i = 0; i < values; i++) {
        int v = sum[i] + data[i];

        sum[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
    }
}

int ln_mix_samples(const struct ln_samples *const *inputs, size_t input_count,
                   struct ln_allocator *allocator, struct ln_samples **ret_samples)
{
    const struct ln_samples *first;
    struct ln_samples *sum;

    if (input_count == 0)
        return LN_ERR_INVALID_ARGUMENT;
    first = inputs[0];
    for (size_t i = 1; i < input_count; i++)
        if (inputs[i]->rate_hz != first->rate_hz || inputs[i]->channels != first->channels ||
            inputs[i]->count != first->count)
            return LN_ERR_INVALID_ARGUMENT;
    sum = ln_samples_create(allocator, first->rate_hz, first->channels, first->count);
    if (!sum)
        return LN_ERR_NOMEM;
    sum->capture_time = first->capture_time;
    sum->play_time = first->play_time;
    sum->rtp_timestamp = first->rtp_timestamp;
    for (size_t i = 0; i < input_count; i++)
        ln_mix_add(sum->data, inputs[i]->data, (size_t)first->count * first->channels);
    *ret_samples = sum;
    return 0;
}
