/* SPDX-License-Identifier: Apache-2.0
 * Time, bytes and the declaration macros that every public header uses.
 *
 * Time is a signed 64-bit count of nanoseconds on a monotonic clock of the caller's choice. Nothing
 * in the library reads a clock: each call that does work takes `now`. */
#ifndef LINNET_TYPES_H
#define LINNET_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LN_API       __attribute__((visibility("default")))
#define LN_NODISCARD __attribute__((warn_unused_result))
#else
#define LN_API
#define LN_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t ln_time;     /* a moment, in nanoseconds */
typedef int64_t ln_duration; /* a difference of two moments, in nanoseconds */

#define LN_TIME_NEVER     INT64_MAX /* a deadline that never comes */
#define LN_TIME_IMMEDIATE INT64_MIN /* a deadline that is due whatever `now` is */

#define LN_NANOSECONDS(n)  ((ln_duration)(n))
#define LN_MICROSECONDS(n) ((ln_duration)(n)*1000)
#define LN_MILLISECONDS(n) ((ln_duration)(n)*1000000)
#define LN_SECONDS(n)      ((ln_duration)(n)*1000000000)

/* A read-only run of bytes that somebody else owns. {NULL, 0} is the empty one. */
struct ln_bytes {
    const uint8_t *data;
    size_t len;
};

#ifdef __cplusplus
}
#endif
#endif
