/* SPDX-License-Identifier: Apache-2.0
 * How loud samples are: RFC 6464 levels and root mean square. */
#ifndef LN_MEDIA_PROCESS_LEVEL_H
#define LN_MEDIA_PROCESS_LEVEL_H

#include "base/frame.h"

/* Root mean square over all values, 0 to 1 of full scale. */
double ln_level_rms(const int16_t *data, size_t values);

/* 0 (a square wave of full scale) down to -127 (silence), as in frame.h; RFC 6464, 3 sends its
 * negative. */
int8_t ln_level_dbov(const int16_t *data, size_t values);

#endif
