/* SPDX-License-Identifier: Apache-2.0
 * What the helpers of the tests expect may not hold under any input: then that input ends, by
 * longjmp(ended, 1). The laws that the wire checks hold always. For one target's one source. */
#ifndef LN_FUZZ_INPUT_END_H
#define LN_FUZZ_INPUT_END_H

#include "tests/support/test.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf ended;

void ln_test_fail(const char *what, const char *file, int line)
{
    if (strstr(file, "wire.c"))
        abort();
    longjmp(ended, 1);
}

void ln_test_fail_values(const char *what, long long left, long long right, const char *file,
                         int line)
{
    ln_test_fail(what, file, line);
}

#endif
