/* SPDX-License-Identifier: Apache-2.0
 * The classifier of peer addresses, from the registries of RFC 6890 and its successors.
 *
 * Tables are walked from top to bottom and the first prefix that holds the address decides, so
 * that a narrower one stands above a wider one. What no IPv6 row names is no global unicast. */
#include "servers/turn/core/policy.h"

#include "base/address.h"

#include <linnet/error.h>

#include <stdlib.h>
#include <string.h>

struct row {
    uint8_t ip[16];
    uint8_t length;
    enum ln_turn_class kind;
};

static const struct row ipv4_rows[] = {
    { { 0 }, 8, LN_TURN_CLASS_UNSPECIFIED },
    { { 10 }, 8, LN_TURN_CLASS_PRIVATE },
    { { 100, 64 }, 10, LN_TURN_CLASS_SHARED },
    { { 127 }, 8, LN_TURN_CLASS_LOOPBACK },
    { { 169, 254 }, 16, LN_TURN_CLASS_LINK_LOCAL },
    { { 172, 16 }, 12, LN_TURN_CLASS_PRIVATE },
    { { 192, 0, 0 }, 24, LN_TURN_CLASS_RESERVED },
    { { 192, 88, 99 }, 24, LN_TURN_CLASS_SIX_TO_FOUR },
    { { 192, 168 }, 16, LN_TURN_CLASS_PRIVATE },
    { { 198, 18 }, 15, LN_TURN_CLASS_RESERVED },
    { { 224 }, 4, LN_TURN_CLASS_MULTICAST },
    { { 255, 255, 255, 255 }, 32, LN_TURN_CLASS_BROADCAST },
    { { 240 }, 4, LN_TURN_CLASS_RESERVED },
    { { 0 }, 0, LN_TURN_CLASS_PUBLIC },
};

static const struct row ipv6_rows[] = {
    { { 0 }, 128, LN_TURN_CLASS_UNSPECIFIED },
    { { [15] = 1 }, 128, LN_TURN_CLASS_LOOPBACK },
    { { [10] = 0xff, [11] = 0xff }, 96, LN_TURN_CLASS_MAPPED },
    { { [8] = 0xff, [9] = 0xff }, 96, LN_TURN_CLASS_MAPPED }, /* RFC 2765's translated form */
    { { 0 }, 96, LN_TURN_CLASS_MAPPED },                      /* IPv4-compatible, deprecated */
    { { 0, 0x64, 0xff, 0x9b }, 96, LN_TURN_CLASS_NAT64 },
    { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48, LN_TURN_CLASS_NAT64 },
    { { 0x20, 0x01, 0, 0 }, 32, LN_TURN_CLASS_TEREDO },
    { { 0x20, 0x01, 0, 0 }, 23, LN_TURN_CLASS_RESERVED },
    { { 0x20, 0x02 }, 16, LN_TURN_CLASS_SIX_TO_FOUR },
    { { 0x3f, 0xfe }, 16, LN_TURN_CLASS_RESERVED }, /* the 6bone, returned */
    { { 0x20 }, 3, LN_TURN_CLASS_PUBLIC },
    { { 0xfc }, 7, LN_TURN_CLASS_PRIVATE },
    { { 0xfe, 0x80 }, 9, LN_TURN_CLASS_LINK_LOCAL }, /* and fec0::/10 */
    { { 0xff }, 8, LN_TURN_CLASS_MULTICAST },
    { { 0 }, 0, LN_TURN_CLASS_RESERVED },
};

const char *ln_turn_class_name(enum ln_turn_class kind)
{
    static const char *const names[] = {
        "public",    "unspecified", "loopback", "private",   "shared", "link-local",
        "multicast", "broadcast",   "reserved", "mapped",    "nat64",  "6to4",
        "teredo",    "isatap",      "own",      "listening", "denied",
    };

    _Static_assert(sizeof names / sizeof *names == LN_TURN_CLASS_COUNT, "one name a class");
    return names[kind];
}

const char *ln_turn_class_text(enum ln_turn_class kind)
{
    static const char *const texts[] = {
#define LN_TURN_CLASS_SENTENCE(name, what) what,
        LN_TURN_CLASS_TABLE(LN_TURN_CLASS_SENTENCE)
#undef LN_TURN_CLASS_SENTENCE
    };

    return texts[kind];
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* ::0:5efe:a.b.c.d below any prefix, with or without the universal bit. */
static bool is_isatap(const struct ln_address *address)
{
    const uint8_t *ip = address->ip;

    return (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;
}

enum ln_turn_class ln_turn_classify(const struct ln_address *address)
{
    const struct row *row = address->family == LN_FAMILY_IPV4 ? ipv4_rows : ipv6_rows;

    if (address->family != LN_FAMILY_IPV4 && address->family != LN_FAMILY_IPV6)
        return LN_TURN_CLASS_UNSPECIFIED;
    while (!same_bits(address->ip, row->ip, row->length))
        row++;
    if (row->kind == LN_TURN_CLASS_PUBLIC && address->family == LN_FAMILY_IPV6 &&
        is_isatap(address))
        return LN_TURN_CLASS_ISATAP;
    return row->kind;
}

int ln_turn_prefix_parse(const char *text, struct ln_turn_prefix *ret_prefix)
{
    char host[LN_ADDRESS_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    struct ln_turn_prefix prefix;
    unsigned long most, length;
    char *end;

    if (len == 0 || len >= sizeof host)
        return LN_ERR_SYNTAX;
    memcpy(host, text, len);
    host[len] = '\0';
    if (ln_address_parse(host, &prefix.address) != 0 || prefix.address.port != 0)
        return LN_ERR_SYNTAX;
    most = length = prefix.address.family == LN_FAMILY_IPV4 ? 32 : 128;
    if (slash) {
        if (slash[1] < '0' || slash[1] > '9')
            return LN_ERR_SYNTAX;
        length = strtoul(slash + 1, &end, 10);
        if (*end || length > most)
            return LN_ERR_SYNTAX;
    }
    prefix.length = (uint8_t)length;
    *ret_prefix = prefix;
    return 0;
}

bool ln_turn_prefix_has(const struct ln_turn_prefix *prefix, const struct ln_address *address)
{
    return prefix->address.family == address->family &&
           same_bits(prefix->address.ip, address->ip, prefix->length);
}

static const struct ln_turn_prefix *find(const struct ln_turn_prefix *prefixes, size_t count,
                                         const struct ln_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (ln_turn_prefix_has(&prefixes[i], address))
            return &prefixes[i];
    return NULL;
}

static bool is_own(const struct ln_turn_policy *policy, const struct ln_address *peer)
{
    for (size_t i = 0; i < policy->own_count; i++)
        if (policy->own[i].family == peer->family && memcmp(policy->own[i].ip, peer->ip, 16) == 0)
            return true;
    return false;
}

static bool is_listening(const struct ln_turn_policy *policy, const struct ln_address *peer)
{
    for (size_t i = 0; i < policy->listening_count; i++) {
        const struct ln_address *l = &policy->listening[i];

        if (peer->port == 0 || l->port != peer->port || l->family != peer->family)
            continue;
        if (memcmp(l->ip, peer->ip, 16) == 0 ||
            (ln_address_is_unspecified(l) &&
             (is_own(policy, peer) || ln_address_is_loopback(peer))))
            return true;
    }
    return false;
}

struct ln_turn_verdict ln_turn_policy_check(const struct ln_turn_policy *policy,
                                            const struct ln_address *peer)
{
    struct ln_turn_verdict v = { .kind = ln_turn_classify(peer) };

    if (is_listening(policy, peer)) {
        v.kind = LN_TURN_CLASS_LISTENING;
    } else if ((v.prefix = find(policy->deny, policy->deny_count, peer)) != NULL) {
        v.kind = LN_TURN_CLASS_DENIED;
    } else if ((v.prefix = find(policy->allow, policy->allow_count, peer)) != NULL) {
        v.allowed = true;
    } else {
        if (v.kind == LN_TURN_CLASS_PUBLIC && is_own(policy, peer))
            v.kind = LN_TURN_CLASS_OWN;
        v.allowed = v.kind == LN_TURN_CLASS_PUBLIC;
    }
    return v;
}
