/* SPDX-License-Identifier: Apache-2.0
 * Candidate lines: what parses is written, and parses to the same. */
#include "ice/candidate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[LN_CANDIDATE_TEXT_MAX], again[LN_CANDIDATE_TEXT_MAX];
    struct ln_candidate c, second;
    int written;

    if (ln_candidate_parse((const char *)data, len, &c) != 0)
        return 0;
    ln_candidate_may_check(&c.address);
    written = ln_candidate_write(&c, text, sizeof text);
    if (written < 0 || ln_candidate_parse(text, (size_t)written, &second) != 0)
        abort();
    written = ln_candidate_write(&second, again, sizeof again);
    if (written < 0 || strcmp(text, again) != 0)
        abort();
    return 0;
}
