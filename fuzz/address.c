/* SPDX-License-Identifier: Apache-2.0
 * Text to address and back: what parses is written and parses to the same. */
#include <linnet/address.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[128], again[LN_ADDRESS_TEXT_MAX];
    struct ln_address address, second;

    if (len >= sizeof text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    if (ln_address_parse(text, &address) != 0)
        return 0;
    ln_address_format(&address, again);
    if (ln_address_parse(again, &second) != 0 || !ln_address_equal(&address, &second))
        abort();
    return 0;
}
