/* SPDX-License-Identifier: Apache-2.0
 * Kinds of addresses. The public part (parse, format, equal) is in linnet/address.h. */
#ifndef LN_BASE_ADDRESS_H
#define LN_BASE_ADDRESS_H

#include <linnet/address.h>

struct ln_address ln_address_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
bool ln_address_equal_ip(const struct ln_address *a, const struct ln_address *b);

/* Whether the first `bits` bits are those of `prefix`; families differ: no. */
bool ln_address_in_prefix(const struct ln_address *address, const struct ln_address *prefix,
                          unsigned bits);
bool ln_address_is_unspecified(const struct ln_address *address);
bool ln_address_is_loopback(const struct ln_address *address);
bool ln_address_is_link_local(const struct ln_address *address);
bool ln_address_is_multicast(const struct ln_address *address);
bool ln_address_is_broadcast(const struct ln_address *address);  /* 255.255.255.255 */
bool ln_address_is_private(const struct ln_address *address);    /* RFC 1918, RFC 6598, RFC 4193 */
bool ln_address_is_mapped(const struct ln_address *address);     /* ::ffff:0:0/96 */
bool ln_address_is_site_local(const struct ln_address *address); /* fec0::/10 */

#endif
