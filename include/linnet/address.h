/* SPDX-License-Identifier: Apache-2.0
 * A transport address: IP address and port. No names, no system types.
 *
 * An IPv4 address fills ip[0..3], the rest is zero, so that two equal addresses are equal bytes. */
#ifndef LINNET_ADDRESS_H
#define LINNET_ADDRESS_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ln_family { LN_FAMILY_NONE = 0, LN_FAMILY_IPV4 = 4, LN_FAMILY_IPV6 = 6 };

struct ln_address {
    uint8_t family; /* enum ln_family */
    uint8_t ip[16]; /* network order */
    uint16_t port;  /* host order; 0 where only the IP address is meant */
    uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
};

/* Enough for "[ipv6%scope]:port" with its NUL. */
#define LN_ADDRESS_TEXT_MAX 72

/* Reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80" (RFC 4291, 2.2), and a
 * numeric scope after '%'. Returns 0, or LN_ERR_SYNTAX with ret_address untouched. */
LN_API LN_NODISCARD int ln_address_parse(const char *text, struct ln_address *ret_address);

/* Writes "ip:port" or "[ip]:port" (ip alone with ln_address_format_ip), in the form of RFC 5952.
 * text holds LN_ADDRESS_TEXT_MAX bytes. Returns text. */
LN_API const char *ln_address_format(const struct ln_address *address, char *text);
LN_API const char *ln_address_format_ip(const struct ln_address *address, char *text);

LN_API bool ln_address_equal(const struct ln_address *a, const struct ln_address *b);

#ifdef __cplusplus
}
#endif
#endif
