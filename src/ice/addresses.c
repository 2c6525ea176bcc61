/* SPDX-License-Identifier: Apache-2.0
 * Filters and external addresses (ice/addresses.h). */
#include "ice/addresses.h"

#include "base/address.h"

#include <linnet/error.h>

#include <string.h>

#define TEXT_MAX 96u /* of one address with its mask */

/* --- filters -------------------------------------------------------------------------------- */

/* "/BITS"; without it all bits count. */
static int parse_bits(const char *text, const struct ln_address *address, uint8_t *ret_bits)
{
    unsigned most = address->family == LN_FAMILY_IPV4 ? 32 : 128, bits = 0;
    size_t i;

    if (!text) {
        *ret_bits = (uint8_t)most;
        return 0;
    }
    for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 3; i++)
        bits = bits * 10 + (unsigned)(text[i] - '0');
    if (i == 0 || text[i] != '\0' || bits > most)
        return LN_ERR_SYNTAX;
    *ret_bits = (uint8_t)bits;
    return 0;
}

static int parse_ip(const char *text, size_t len, struct ln_address *ret_address)
{
    char copy[TEXT_MAX];

    if (len >= sizeof copy)
        return LN_ERR_SYNTAX;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return ln_address_parse(copy, ret_address) != 0 || ret_address->port != 0 ? LN_ERR_SYNTAX : 0;
}

static int parse_rule(const char *text, struct ln_ice_rule *rule)
{
    const char *slash;
    size_t len;

    memset(rule, 0, sizeof *rule);
    rule->deny = *text == '!';
    text += rule->deny;
    slash = strchr(text, '/');
    len = slash ? (size_t)(slash - text) : strlen(text);
    if (parse_ip(text, len, &rule->prefix) == 0)
        return parse_bits(slash ? slash + 1 : NULL, &rule->prefix, &rule->bits);
    if (slash || len == 0 || len > LN_ICE_PATTERN_MAX || strchr(text, ':'))
        return LN_ERR_SYNTAX; /* a mistake in an address is no name */
    memcpy(rule->pattern, text, len);
    return 0;
}

int ln_ice_filter_parse(const char *const *texts, size_t count, struct ln_ice_filter *ret_filter)
{
    struct ln_ice_filter filter = { .count = count };
    size_t i;

    if (count > LN_ICE_RULES_MAX)
        return LN_ERR_LIMIT;
    for (i = 0; i < count; i++)
        if (parse_rule(texts[i], &filter.rules[i]) != 0)
            return LN_ERR_SYNTAX;
    *ret_filter = filter;
    return 0;
}

/* `*` stands for any characters, `?` for one. On a mismatch the last `*` takes one more. */
static bool name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *after = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            after = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++after;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool ln_ice_filter_allows(const struct ln_ice_filter *filter, const struct ln_interface *in)
{
    bool asked[2] = { false, false }, allowed[2] = { false, false };
    size_t i;

    for (i = 0; i < filter->count; i++) {
        const struct ln_ice_rule *rule = &filter->rules[i];
        bool by_name = rule->pattern[0] != '\0';
        bool matches = by_name ? name_matches(rule->pattern, in->name)
                               : ln_address_in_prefix(&in->address, &rule->prefix, rule->bits);

        if (rule->deny && matches)
            return false;
        asked[by_name] = asked[by_name] || !rule->deny;
        allowed[by_name] = allowed[by_name] || matches;
    }
    return (allowed[0] || !asked[0]) && (allowed[1] || !asked[1]);
}

/* --- external addresses --------------------------------------------------------------------- */

static int parse_external(const char *text, struct ln_ice_external *entry)
{
    const char *equals = strchr(text, '=');

    memset(entry, 0, sizeof *entry);
    if (parse_ip(text, equals ? (size_t)(equals - text) : strlen(text), &entry->external) != 0 ||
        ln_address_is_unspecified(&entry->external) || ln_address_is_multicast(&entry->external))
        return LN_ERR_SYNTAX;
    if (!equals)
        return 0;
    if (parse_ip(equals + 1, strlen(equals + 1), &entry->local) != 0 ||
        entry->local.family != entry->external.family)
        return LN_ERR_SYNTAX;
    return 0;
}

static bool same_local(const struct ln_ice_external *a, const struct ln_ice_external *b)
{
    return a->external.family == b->external.family && ln_address_equal_ip(&a->local, &b->local);
}

int ln_ice_externals_parse(const char *const *texts, size_t count,
                           struct ln_ice_externals *ret_externals)
{
    struct ln_ice_externals externals = { .count = count };
    size_t i, k;

    if (count > LN_ICE_EXTERNALS_MAX)
        return LN_ERR_LIMIT;
    for (i = 0; i < count; i++) {
        if (parse_external(texts[i], &externals.entries[i]) != 0)
            return LN_ERR_SYNTAX;
        for (k = 0; k < i; k++)
            if (same_local(&externals.entries[i], &externals.entries[k]))
                return LN_ERR_SYNTAX;
    }
    *ret_externals = externals;
    return 0;
}

bool ln_ice_external_of(const struct ln_ice_externals *externals, const struct ln_address *local,
                        struct ln_address *ret_external)
{
    const struct ln_ice_external *found = NULL;
    size_t i;

    for (i = 0; i < externals->count; i++) {
        const struct ln_ice_external *entry = &externals->entries[i];

        if (ln_address_equal_ip(&entry->local, local)) {
            found = entry;
            break;
        }
        if (entry->local.family == LN_FAMILY_NONE && entry->external.family == local->family &&
            !ln_address_is_loopback(local))
            found = entry;
    }
    if (!found)
        return false;
    *ret_external = found->external;
    ret_external->port = local->port;
    return true;
}
