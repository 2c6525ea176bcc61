/* SPDX-License-Identifier: Apache-2.0
 * Between the system's socket addresses and error numbers and ours. */
#ifndef LN_IO_SOCKADDR_H
#define LN_IO_SOCKADDR_H

#include <linnet/address.h>

#include <netinet/in.h>
#include <sys/socket.h>

union ln_sockaddr {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

/* Returns the length for the system, 0 for an address without a family. */
socklen_t ln_sockaddr_set(union ln_sockaddr *to, const struct ln_address *from);
/* Only link-local addresses keep their scope, so that equal addresses are equal bytes. Other
 * families than IP give LN_FAMILY_NONE. */
void ln_sockaddr_get(const union ln_sockaddr *from, struct ln_address *to);

/* Addresses without a port, as control messages carry them. */
void ln_address_from_in(const struct in_addr *from, struct ln_address *to);
void ln_address_from_in6(const struct in6_addr *from, uint32_t scope, struct ln_address *to);

int ln_address_system_family(const struct ln_address *address); /* AF_INET or AF_INET6 */

/* The LN_ERR_ value for an errno value; 0 for 0. */
int ln_error_from_errno(int number);

#endif
