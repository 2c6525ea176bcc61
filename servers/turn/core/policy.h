/* SPDX-License-Identifier: Apache-2.0
 * Which peer addresses a relay may reach (RFC 8656, 21.1 and 21.4.1): one canonical classifier and
 * a policy on top of it.
 *
 * A relay that reaches whatever its clients name opens the operator's own network to them. So only
 * addresses of the public internet are peers; everything else has a class by which it is refused,
 * and an operator opens what he means to open, prefix by prefix. Addresses that carry an IPv4
 * address inside (mapped, NAT64, 6to4, Teredo, ISATAP) are refused whatever is inside: the same
 * peer can be named plainly. */
#ifndef LN_TURN_POLICY_H
#define LN_TURN_POLICY_H

#include <linnet/address.h>

#include <stdio.h>

#define LN_TURN_RULES_MAX     64u  /* prefixes of each list */
#define LN_TURN_OWN_MAX       512u /* addresses of the machine */
#define LN_TURN_LISTENING_MAX 16u  /* addresses with ports */

/* X(NAME, "what it is") */
#define LN_TURN_CLASS_TABLE(X)                                                                     \
    X(PUBLIC, "an address of the public internet")                                                 \
    X(UNSPECIFIED, "the unspecified address or network 0")                                         \
    X(LOOPBACK, "a loopback address")                                                              \
    X(PRIVATE, "a private address (RFC 1918, RFC 4193)")                                           \
    X(SHARED, "a shared address of carrier-grade NAT (RFC 6598)")                                  \
    X(LINK_LOCAL, "a link-local or site-local address")                                            \
    X(MULTICAST, "a multicast address")                                                            \
    X(BROADCAST, "the broadcast address")                                                          \
    X(RESERVED, "a reserved address (RFC 6890)")                                                   \
    X(MAPPED, "an IPv6 address that maps an IPv4 address (RFC 4291, 2.5.5)")                       \
    X(NAT64, "an IPv6 address translated by NAT64 (RFC 6052, RFC 8215)")                           \
    X(SIX_TO_FOUR, "a 6to4 address (RFC 3056)")                                                    \
    X(TEREDO, "a Teredo address (RFC 4380)")                                                       \
    X(ISATAP, "an ISATAP address (RFC 5214)")                                                      \
    X(OWN, "an address of this machine")                                                           \
    X(LISTENING, "an address on which this server listens")                                        \
    X(DENIED, "an address that the configuration denies")

enum ln_turn_class {
#define LN_TURN_CLASS_ENUM(name, what) LN_TURN_CLASS_##name,
    LN_TURN_CLASS_TABLE(LN_TURN_CLASS_ENUM)
#undef LN_TURN_CLASS_ENUM
        LN_TURN_CLASS_COUNT
};

/* "LOOPBACK" in lower case, for logs and metrics, and the sentence of the table. */
const char *ln_turn_class_name(enum ln_turn_class kind);
const char *ln_turn_class_text(enum ln_turn_class kind);

/* What kind of address it is by its bits alone. */
enum ln_turn_class ln_turn_classify(const struct ln_address *address);

struct ln_turn_prefix {
    struct ln_address address;
    uint8_t length; /* bits */
};

/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. Returns 0 or LN_ERR_SYNTAX. */
LN_NODISCARD int ln_turn_prefix_parse(const char *text, struct ln_turn_prefix *ret_prefix);
bool ln_turn_prefix_has(const struct ln_turn_prefix *prefix, const struct ln_address *address);

/* Zeroed it refuses all but public addresses. A plain value; copied freely. */
struct ln_turn_policy {
    struct ln_turn_prefix allow[LN_TURN_RULES_MAX], deny[LN_TURN_RULES_MAX];
    size_t allow_count, deny_count;
    struct ln_address own[LN_TURN_OWN_MAX]; /* ports do not count */
    size_t own_count;
    struct ln_address listening[LN_TURN_LISTENING_MAX]; /* unspecified: the port on every own one */
    size_t listening_count;
};

struct ln_turn_verdict {
    bool allowed;
    enum ln_turn_class kind;             /* why, when refused */
    const struct ln_turn_prefix *prefix; /* the rule that decided; NULL: none */
};

/* Deny goes before allow, and a listening address (when the port is not 0) before both. */
struct ln_turn_verdict ln_turn_policy_check(const struct ln_turn_policy *policy,
                                            const struct ln_address *peer);

#endif
