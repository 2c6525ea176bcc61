/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/spurious.h"

#include <string.h>

void ln_spurious_begin(struct ln_spurious *spurious, bool by_timeout)
{
    memset(spurious, 0, sizeof *spurious);
    spurious->watching = true;
    spurious->by_timeout = by_timeout;
}

void ln_spurious_end(struct ln_spurious *spurious)
{
    spurious->watching = false;
}

void ln_spurious_resent(struct ln_spurious *spurious, uint32_t tsn)
{
    if (!spurious->watching)
        return;
    if (spurious->count == LN_SPURIOUS_NOTED_MAX)
        spurious->too_many = true;
    else
        spurious->resent[spurious->count++] = tsn;
}

void ln_spurious_in_vain(struct ln_spurious *spurious, uint32_t tsn)
{
    for (size_t i = 0; spurious->watching && i < spurious->count; i++) {
        if (spurious->resent[i] != tsn)
            continue;
        spurious->resent[i] = spurious->resent[--spurious->count];
        spurious->in_vain++;
        return;
    }
}

void ln_spurious_not_lost(struct ln_spurious *spurious)
{
    if (spurious->watching)
        spurious->not_lost++;
}

bool ln_spurious_all(const struct ln_spurious *spurious)
{
    if (!spurious->watching)
        return false;
    /* What had not even been sent again arrives after the timeout: it came too soon. */
    if (spurious->by_timeout && spurious->not_lost > 0)
        return true;
    return !spurious->too_many && spurious->count == 0 &&
           spurious->in_vain + spurious->not_lost > 0;
}
