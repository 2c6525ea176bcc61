/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sockaddr.h"

#include "base/address.h"

#include <linnet/error.h>

#include <errno.h>
#include <string.h>

socklen_t ln_sockaddr_set(union ln_sockaddr *to, const struct ln_address *from)
{
    memset(to, 0, sizeof *to);
    switch (from->family) {
    case LN_FAMILY_IPV4:
        to->ipv4.sin_family = AF_INET;
        to->ipv4.sin_port = htons(from->port);
        memcpy(&to->ipv4.sin_addr, from->ip, 4);
        return sizeof to->ipv4;
    case LN_FAMILY_IPV6:
        to->ipv6.sin6_family = AF_INET6;
        to->ipv6.sin6_port = htons(from->port);
        memcpy(&to->ipv6.sin6_addr, from->ip, 16);
        to->ipv6.sin6_scope_id = from->scope;
        return sizeof to->ipv6;
    default:
        return 0;
    }
}

void ln_address_from_in(const struct in_addr *from, struct ln_address *to)
{
    memset(to, 0, sizeof *to);
    to->family = LN_FAMILY_IPV4;
    memcpy(to->ip, from, 4);
}

void ln_address_from_in6(const struct in6_addr *from, uint32_t scope, struct ln_address *to)
{
    memset(to, 0, sizeof *to);
    to->family = LN_FAMILY_IPV6;
    memcpy(to->ip, from, 16);
    if (ln_address_is_link_local(to))
        to->scope = scope;
}

void ln_sockaddr_get(const union ln_sockaddr *from, struct ln_address *to)
{
    if (from->any.sa_family == AF_INET) {
        ln_address_from_in(&from->ipv4.sin_addr, to);
        to->port = ntohs(from->ipv4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        ln_address_from_in6(&from->ipv6.sin6_addr, from->ipv6.sin6_scope_id, to);
        to->port = ntohs(from->ipv6.sin6_port);
    } else {
        memset(to, 0, sizeof *to);
    }
}

int ln_address_system_family(const struct ln_address *address)
{
    return address->family == LN_FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

int ln_error_from_errno(int number)
{
    static const struct {
        int number, error;
    } table[] = {
        { 0, 0 },
        { ENOMEM, LN_ERR_NOMEM },
        { ENOBUFS, LN_ERR_NOMEM },
        { EINVAL, LN_ERR_INVALID_ARGUMENT },
        { EADDRINUSE, LN_ERR_ADDRESS_IN_USE },
        { EADDRNOTAVAIL, LN_ERR_NOT_FOUND },
        { EAFNOSUPPORT, LN_ERR_NOT_SUPPORTED },
        { EACCES, LN_ERR_NOT_ALLOWED },
        { EPERM, LN_ERR_NOT_ALLOWED },
        { EMFILE, LN_ERR_LIMIT },
        { ENFILE, LN_ERR_LIMIT },
        { EMSGSIZE, LN_ERR_TOO_BIG },
        { EAGAIN, LN_ERR_AGAIN },
        { ECONNREFUSED, LN_ERR_REFUSED },
        { ECONNRESET, LN_ERR_RESET },
        { ECONNABORTED, LN_ERR_RESET },
        { EPIPE, LN_ERR_RESET },
        { ETIMEDOUT, LN_ERR_TIMEOUT },
        { ENETUNREACH, LN_ERR_UNREACHABLE },
        { EHOSTUNREACH, LN_ERR_UNREACHABLE },
        { ENETDOWN, LN_ERR_UNREACHABLE },
        { EHOSTDOWN, LN_ERR_UNREACHABLE },
        { ENONET, LN_ERR_UNREACHABLE },
        { EPROTO, LN_ERR_UNREACHABLE },
        { ENOPROTOOPT, LN_ERR_UNREACHABLE }, /* ICMP: protocol unreachable */
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].number == number)
            return table[i].error;
    }
    return LN_ERR_SYSTEM;
}
