/* SPDX-License-Identifier: Apache-2.0
 * The constants of RFC 9260, 16: alpha 1/8, beta 1/4. */
#include "sctp/rto.h"

#define GRANULARITY LN_MILLISECONDS(1)

void ln_rto_init(struct ln_rto *rto, ln_duration initial, ln_duration min, ln_duration max)
{
    rto->initial = initial;
    rto->min = min;
    rto->max = max;
    rto->smoothed = rto->variation = 0;
    rto->value = initial;
}

void ln_rto_recover(struct ln_rto *rto)
{
    ln_duration spread = rto->variation * 4;

    if (rto->smoothed == 0) {
        rto->value = rto->initial;
        return;
    }
    rto->value = rto->smoothed + (spread > GRANULARITY ? spread : GRANULARITY);
    if (rto->value < rto->min)
        rto->value = rto->min;
    if (rto->value > rto->max)
        rto->value = rto->max;
}

void ln_rto_measure(struct ln_rto *rto, ln_duration sample)
{
    ln_duration error;

    if (sample < 1)
        sample = 1;
    if (sample > rto->max * 4)
        sample = rto->max * 4;
    if (rto->smoothed == 0) {
        rto->smoothed = sample;
        rto->variation = sample / 2;
    } else {
        error = rto->smoothed > sample ? rto->smoothed - sample : sample - rto->smoothed;
        rto->variation += (error - rto->variation) / 4;
        rto->smoothed += (sample - rto->smoothed) / 8;
        if (rto->smoothed < 1)
            rto->smoothed = 1;
    }
    ln_rto_recover(rto);
}

void ln_rto_back_off(struct ln_rto *rto)
{
    rto->value = rto->value > rto->max / 2 ? rto->max : rto->value * 2;
}
