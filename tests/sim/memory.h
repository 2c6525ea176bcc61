/* SPDX-License-Identifier: Apache-2.0
 * A whole set-up (connect, channels, messages, media both ways) in which an allocation fails. */
#ifndef LN_SIM_MEMORY_H
#define LN_SIM_MEMORY_H

#include <linnet/types.h>

/* Runs it with the n-th allocation failing (sticky: and all after it); n 0: none. CHECKs that
 * nothing is left in memory, and without a failure that everything arrived. False when there were
 * fewer than n. */
bool memory_run(uint64_t n, bool sticky);

#endif
