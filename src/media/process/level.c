/* SPDX-License-Identifier: Apache-2.0
 * Levels of samples (RFC 6464, 3: relative to overload, -127 and below is silence). */
#include "media/process/level.h"

#include <math.h>

double ln_level_rms(const int16_t *data, size_t values)
{
    double sum = 0;

    for (size_t i = 0; i < values; i++)
        sum += (double)data[i] * data[i];
    return values > 0 ? sqrt(sum / (double)values) / 32767 : 0;
}

int8_t ln_level_dbov(const int16_t *data, size_t values)
{
    double rms = ln_level_rms(data, values), level;

    if (rms <= 0)
        return -127;
    level = round(20 * log10(rms));
    return (int8_t)(level > 0 ? 0 : level < -127 ? -127 : level);
}
