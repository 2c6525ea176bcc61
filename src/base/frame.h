/* SPDX-License-Identifier: Apache-2.0
 * Where the protocols and the codecs meet: see linnet/frame.h, whose implementation is
 * base/frame.c. */
#ifndef LN_BASE_FRAME_H
#define LN_BASE_FRAME_H

#include <linnet/frame.h>

#endif
