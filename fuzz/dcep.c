/* SPDX-License-Identifier: Apache-2.0
 * A channel's OPEN: what is read, written again, reads the same. */
#include "sctp/dcep.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_dcep_open open, again;
    uint8_t *bytes;
    int written;

    if (ln_dcep_open_read(data, len, &open) != 0)
        return 0;
    bytes = malloc(len);
    if (!bytes)
        return 0;
    written = ln_dcep_open_write(&open, bytes, len);
    if (written < 0 || ln_dcep_open_read(bytes, (size_t)written, &again) != 0)
        abort();
    if (again.unordered != open.unordered || again.label.len != open.label.len ||
        again.max_lifetime_ms != open.max_lifetime_ms ||
        again.max_retransmits != open.max_retransmits || again.priority != open.priority ||
        again.protocol.len != open.protocol.len)
        abort();
    free(bytes);
    return 0;
}
