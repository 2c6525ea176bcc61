/* SPDX-License-Identifier: Apache-2.0
 * Text to address and back: what parses is written and parses to the same. */
#include "base/address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* No address is of two of these kinds. */
static void classify(const struct ln_address *a)
{
    int kinds = ln_address_is_unspecified(a) + ln_address_is_loopback(a) +
                ln_address_is_link_local(a) + ln_address_is_multicast(a) +
                ln_address_is_broadcast(a) + ln_address_is_private(a) +
                ln_address_is_site_local(a) + ln_address_is_mapped(a);

    if (kinds > 1)
        abort();
}

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
    classify(&address);
    return 0;
}
