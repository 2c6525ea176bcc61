/* SPDX-License-Identifier: Apache-2.0
 * Small arithmetic on moments. LN_TIME_NEVER and LN_TIME_IMMEDIATE are kept, never added to. */
#ifndef LN_BASE_TIME_H
#define LN_BASE_TIME_H

#include <linnet/types.h>

static inline ln_time ln_time_min(ln_time a, ln_time b)
{
    return a < b ? a : b;
}

static inline ln_time ln_time_max(ln_time a, ln_time b)
{
    return a > b ? a : b;
}

/* t + d, staying at NEVER or IMMEDIATE and saturating below NEVER. */
static inline ln_time ln_time_add(ln_time t, ln_duration d)
{
    if (t == LN_TIME_NEVER || t == LN_TIME_IMMEDIATE)
        return t;
    if (d > 0 && t > LN_TIME_NEVER - 1 - d)
        return LN_TIME_NEVER - 1;
    return t + d;
}

static inline bool ln_time_due(ln_time deadline, ln_time now)
{
    return deadline <= now && deadline != LN_TIME_NEVER;
}

static inline int64_t ln_time_ms(ln_duration d)
{
    return d / 1000000;
}

static inline double ln_time_seconds(ln_duration d)
{
    return (double)d / 1e9;
}

#endif
