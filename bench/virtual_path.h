/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections on a path of 100 ms in virtual time, for counting round trips. */
#ifndef LN_BENCH_VIRTUAL_PATH_H
#define LN_BENCH_VIRTUAL_PATH_H

#include <linnet/types.h>

/* Time from createOffer() to `open` on the offerer, in round trips of the path (signalling takes
 * half a round trip each way too). Returns 0 or an error. */
LN_NODISCARD int bench_virtual_round_trips(double *ret_round_trips);

#endif
