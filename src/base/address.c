/* SPDX-License-Identifier: Apache-2.0
 * Text forms of addresses (RFC 4291, RFC 5952) and their kinds. */
#include "base/address.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

struct ln_address ln_address_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    struct ln_address address = { .family = LN_FAMILY_IPV4, .ip = { a, b, c, d }, .port = port };

    return address;
}

/* A decimal number below 2^32 that ends at a character which is no digit; NULL if there is none. */
static const char *parse_number(const char *p, uint32_t limit, uint32_t *ret_value)
{
    uint64_t value = 0;
    const char *start = p;

    while (*p >= '0' && *p <= '9') {
        value = value * 10 + (uint64_t)(*p++ - '0');
        if (value > limit)
            return NULL;
    }
    if (p == start)
        return NULL;
    *ret_value = (uint32_t)value;
    return p;
}

static const char *parse_ipv4(const char *p, uint8_t ip[4])
{
    int i;

    for (i = 0; i < 4; i++) {
        uint32_t value;

        if (i > 0 && *p++ != '.')
            return NULL;
        if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
            return NULL; /* no octal look-alikes */
        p = parse_number(p, 255, &value);
        if (!p)
            return NULL;
        ip[i] = (uint8_t)value;
    }
    return p;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One group of up to four hex digits. */
static const char *parse_group(const char *p, uint8_t *out)
{
    unsigned value = 0;
    int digits = 0;

    while (hex_digit(*p) >= 0 && digits < 5) {
        value = value << 4 | (unsigned)hex_digit(*p++);
        digits++;
    }
    if (digits == 0 || digits > 4)
        return NULL;
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return p;
}

static const char *parse_ipv6(const char *p, uint8_t ip[16])
{
    uint8_t out[16] = { 0 };
    int at = 0, gap = -1;

    if (p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }
    while (at < 16 && hex_digit(*p) >= 0) {
        const char *group = p;

        p = parse_group(group, out + at);
        if (p && *p != '.') {
            at += 2;
        } else { /* the rest may be an IPv4 address */
            if (at > 12 || (at < 12 && gap < 0))
                return NULL;
            p = parse_ipv4(group, out + at);
            if (!p)
                return NULL;
            at += 4;
            break;
        }
        if (p[0] == ':' && p[1] == ':') {
            if (gap >= 0)
                return NULL;
            gap = at;
            p += 2;
        } else if (p[0] == ':' && hex_digit(p[1]) >= 0 && at < 16) {
            p++;
        } else {
            break;
        }
    }
    if (gap < 0 ? at != 16 : at > 14)
        return NULL;
    memset(ip, 0, 16);
    if (gap < 0) {
        memcpy(ip, out, 16);
    } else {
        memcpy(ip, out, (size_t)gap);
        memcpy(ip + 16 - (at - gap), out + gap, (size_t)(at - gap));
    }
    return p;
}

int ln_address_parse(const char *text, struct ln_address *ret_address)
{
    struct ln_address address = { 0 };
    bool bracket = text[0] == '[';
    uint32_t port = 0;
    const char *p;

    p = bracket ? NULL : parse_ipv4(text, address.ip);
    if (p) {
        address.family = LN_FAMILY_IPV4;
    } else {
        memset(&address, 0, sizeof address);
        address.family = LN_FAMILY_IPV6;
        p = parse_ipv6(text + (bracket ? 1 : 0), address.ip);
        if (p && *p == '%' && !ln_address_is_mapped(&address)) /* IPv4 has no scopes */
            p = parse_number(p + 1, UINT32_MAX, &address.scope);
        if (p && bracket)
            p = *p == ']' ? p + 1 : NULL;
    }
    if (p && *p == ':' && (address.family == LN_FAMILY_IPV4 || bracket))
        p = parse_number(p + 1, 65535, &port);
    if (!p || *p != '\0')
        return LN_ERR_SYNTAX;
    address.port = (uint16_t)port;
    *ret_address = address;
    return 0;
}

/* RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::". */
static char *format_ipv6(const struct ln_address *address, char *out)
{
    const uint8_t *ip = address->ip;
    int best = -1, best_len = 1, i, run;

    for (i = 0; i < 8; i++) {
        for (run = 0; i + run < 8 && ip[2 * (i + run)] == 0 && ip[2 * (i + run) + 1] == 0;)
            run++;
        if (run > best_len) {
            best = i;
            best_len = run;
        }
    }
    for (i = 0; i < 8; i++) {
        if (i == best) {
            out += sprintf(out, "::");
            i += best_len - 1;
        } else {
            out += sprintf(out, i > 0 && i != best + best_len ? ":%x" : "%x",
                           (unsigned)(ip[2 * i] << 8 | ip[2 * i + 1]));
        }
    }
    if (address->scope)
        out += sprintf(out, "%%%lu", (unsigned long)address->scope);
    return out;
}

const char *ln_address_format_ip(const struct ln_address *address, char *text)
{
    const uint8_t *ip = address->ip;

    if (address->family == LN_FAMILY_IPV4)
        sprintf(text, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    else if (ln_address_is_mapped(address))
        sprintf(text, "::ffff:%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    else if (address->family == LN_FAMILY_IPV6)
        format_ipv6(address, text);
    else
        strcpy(text, "none");
    return text;
}

const char *ln_address_format(const struct ln_address *address, char *text)
{
    bool ipv6 = address->family == LN_FAMILY_IPV6;

    if (ipv6)
        *text = '[';
    ln_address_format_ip(address, text + ipv6);
    sprintf(text + strlen(text), ipv6 ? "]:%u" : ":%u", address->port);
    return text;
}

bool ln_address_equal_ip(const struct ln_address *a, const struct ln_address *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

bool ln_address_equal(const struct ln_address *a, const struct ln_address *b)
{
    return a->port == b->port && ln_address_equal_ip(a, b);
}

bool ln_address_in_prefix(const struct ln_address *address, const struct ln_address *prefix,
                          unsigned bits)
{
    unsigned most = address->family == LN_FAMILY_IPV4 ? 32 : 128, whole, rest;

    if (address->family != prefix->family)
        return false;
    bits = bits < most ? bits : most;
    whole = bits / 8;
    rest = bits % 8;
    return memcmp(address->ip, prefix->ip, whole) == 0 &&
           (rest == 0 || ((address->ip[whole] ^ prefix->ip[whole]) >> (8 - rest)) == 0);
}

static bool is_zero(const uint8_t *p, size_t len)
{
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    return len == 0;
}

bool ln_address_is_unspecified(const struct ln_address *address)
{
    return is_zero(address->ip, 16);
}

bool ln_address_is_loopback(const struct ln_address *address)
{
    if (address->family == LN_FAMILY_IPV4)
        return address->ip[0] == 127;
    return is_zero(address->ip, 15) && address->ip[15] == 1;
}

bool ln_address_is_link_local(const struct ln_address *address)
{
    if (address->family == LN_FAMILY_IPV4)
        return address->ip[0] == 169 && address->ip[1] == 254;
    return address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80;
}

bool ln_address_is_multicast(const struct ln_address *address)
{
    if (address->family == LN_FAMILY_IPV4)
        return (address->ip[0] & 0xf0) == 0xe0;
    return address->ip[0] == 0xff;
}

bool ln_address_is_broadcast(const struct ln_address *address)
{
    static const uint8_t all[4] = { 255, 255, 255, 255 };

    return address->family == LN_FAMILY_IPV4 && memcmp(address->ip, all, 4) == 0;
}

bool ln_address_is_private(const struct ln_address *address)
{
    const uint8_t *ip = address->ip;

    if (address->family == LN_FAMILY_IPV4)
        return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
               (ip[0] == 192 && ip[1] == 168) || (ip[0] == 100 && (ip[1] & 0xc0) == 64);
    return (ip[0] & 0xfe) == 0xfc;
}

bool ln_address_is_mapped(const struct ln_address *address)
{
    return address->family == LN_FAMILY_IPV6 && is_zero(address->ip, 10) &&
           address->ip[10] == 0xff && address->ip[11] == 0xff;
}

bool ln_address_is_site_local(const struct ln_address *address)
{
    return address->family == LN_FAMILY_IPV6 && address->ip[0] == 0xfe &&
           (address->ip[1] & 0xc0) == 0xc0;
}
