/* SPDX-License-Identifier: Apache-2.0
 * Which addresses of this host an agent uses, and under which others see them, where its owner
 * knows better: filters by interface and network, and the external addresses of a NAT that maps one
 * to one (RFC 4787, 4.1), as machines in clouds have.
 *
 *   filter:    ["!"] NAME-PATTERN  or  ["!"] ADDRESS ["/" BITS]       "!docker*", "192.168.0.0/16"
 *   external:  EXTERNAL ["=" LOCAL]                                  "203.0.113.5=10.0.0.5" */
#ifndef LN_ICE_ADDRESSES_H
#define LN_ICE_ADDRESSES_H

#include <linnet/endpoint.h>

#define LN_ICE_RULES_MAX     32u
#define LN_ICE_EXTERNALS_MAX 16u
#define LN_ICE_PATTERN_MAX   15u /* characters: as many as a name of an interface has */

struct ln_ice_rule {
    bool deny;
    char pattern[LN_ICE_PATTERN_MAX + 1]; /* of names, with * and ?; "": by the prefix */
    struct ln_address prefix;
    uint8_t bits;
};

struct ln_ice_filter {
    struct ln_ice_rule rules[LN_ICE_RULES_MAX];
    size_t count;
};

/* Returns 0, LN_ERR_SYNTAX or LN_ERR_LIMIT. */
LN_NODISCARD int ln_ice_filter_parse(const char *const *texts, size_t count,
                                     struct ln_ice_filter *ret_filter);
/* An address is used if no rule denies it, and of the rules that allow names, and of those that
 * allow networks, one each does, where there are any. */
bool ln_ice_filter_allows(const struct ln_ice_filter *filter, const struct ln_interface *in);

struct ln_ice_external {
    struct ln_address external, local; /* ports 0; local of family NONE: each of that family */
};

struct ln_ice_externals {
    struct ln_ice_external entries[LN_ICE_EXTERNALS_MAX];
    size_t count;
};

/* Returns 0, LN_ERR_SYNTAX (also: families that differ, a local address twice) or LN_ERR_LIMIT. */
LN_NODISCARD int ln_ice_externals_parse(const char *const *texts, size_t count,
                                        struct ln_ice_externals *ret_externals);
/* Under which address others see this one, with its port; false: under none that is known. One that
 * names the local address comes before one for all, which does not count for loopback. */
bool ln_ice_external_of(const struct ln_ice_externals *externals, const struct ln_address *local,
                        struct ln_address *ret_external);

#endif
