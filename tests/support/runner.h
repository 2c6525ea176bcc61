/* SPDX-License-Identifier: Apache-2.0
 * Between the test runner and the environment of a test. */
#ifndef LN_TEST_RUNNER_H
#define LN_TEST_RUNNER_H

#include "base/alloc.h"

void ln_runner_begin(uint64_t fail_at);
/* Frees what is left; returns the number of blocks still in use. */
size_t ln_runner_end(bool *ret_failed_allocation);

#endif
