/* SPDX-License-Identifier: Apache-2.0
 * Which peers are refused, and by what. */
#include "servers/turn/core/policy.h"
#include "tests/unit/turn/rig.h"

static bool allowed(const struct ln_turn_policy *policy, const char *text)
{
    struct ln_address a = rig_address(text);

    return ln_turn_policy_check(policy, &a).allowed;
}

/* ATTACKS 15, 16, 17, and every form of issue 3. */
LN_TEST(attack_15, every_form_of_a_local_address_has_its_class)
{
    static const struct {
        const char *text;
        enum ln_turn_class kind;
    } rows[] = {
        { "0.0.0.0", LN_TURN_CLASS_UNSPECIFIED },
        { "0.1.2.3", LN_TURN_CLASS_UNSPECIFIED },
        { "::", LN_TURN_CLASS_UNSPECIFIED },
        { "127.0.0.1", LN_TURN_CLASS_LOOPBACK },
        { "127.255.255.254", LN_TURN_CLASS_LOOPBACK },
        { "::1", LN_TURN_CLASS_LOOPBACK },
        { "10.0.0.1", LN_TURN_CLASS_PRIVATE },
        { "172.16.0.1", LN_TURN_CLASS_PRIVATE },
        { "172.31.255.255", LN_TURN_CLASS_PRIVATE },
        { "172.32.0.1", LN_TURN_CLASS_PUBLIC },
        { "192.168.1.1", LN_TURN_CLASS_PRIVATE },
        { "100.64.0.1", LN_TURN_CLASS_SHARED },
        { "100.127.255.255", LN_TURN_CLASS_SHARED },
        { "100.128.0.1", LN_TURN_CLASS_PUBLIC },
        { "169.254.169.254", LN_TURN_CLASS_LINK_LOCAL },
        { "224.0.0.1", LN_TURN_CLASS_MULTICAST },
        { "239.255.255.255", LN_TURN_CLASS_MULTICAST },
        { "255.255.255.255", LN_TURN_CLASS_BROADCAST },
        { "240.0.0.1", LN_TURN_CLASS_RESERVED },
        { "192.0.0.8", LN_TURN_CLASS_RESERVED },
        { "198.18.0.1", LN_TURN_CLASS_RESERVED },
        { "192.88.99.1", LN_TURN_CLASS_SIX_TO_FOUR },
        { "8.8.8.8", LN_TURN_CLASS_PUBLIC },
        { "::ffff:127.0.0.1", LN_TURN_CLASS_MAPPED },
        { "::ffff:0.0.0.0", LN_TURN_CLASS_MAPPED },
        { "::ffff:8.8.8.8", LN_TURN_CLASS_MAPPED },
        { "::ffff:0:127.0.0.1", LN_TURN_CLASS_MAPPED },
        { "::127.0.0.1", LN_TURN_CLASS_MAPPED },
        { "64:ff9b::7f00:1", LN_TURN_CLASS_NAT64 },
        { "64:ff9b:1::1", LN_TURN_CLASS_NAT64 },
        { "2002:7f00:1::", LN_TURN_CLASS_SIX_TO_FOUR },
        { "2001:0:4136:e378::1", LN_TURN_CLASS_TEREDO },
        { "2001:2::1", LN_TURN_CLASS_RESERVED },
        { "2001:4860::5efe:127.0.0.1", LN_TURN_CLASS_ISATAP },
        { "2001:4860::200:5efe:10.0.0.1", LN_TURN_CLASS_ISATAP },
        { "fe80::1", LN_TURN_CLASS_LINK_LOCAL },
        { "fec0::1", LN_TURN_CLASS_LINK_LOCAL },
        { "fc00::1", LN_TURN_CLASS_PRIVATE },
        { "fd00::2", LN_TURN_CLASS_PRIVATE },
        { "ff02::1", LN_TURN_CLASS_MULTICAST },
        { "100::1", LN_TURN_CLASS_RESERVED },
        { "4000::1", LN_TURN_CLASS_RESERVED },
        { "2606:4700::1111", LN_TURN_CLASS_PUBLIC },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ln_address a = rig_address(rows[i].text);
        struct ln_turn_policy none = { .own_count = 0 };

        CHECK_TEXT(ln_turn_class_name(ln_turn_classify(&a)), ln_turn_class_name(rows[i].kind));
        CHECK(ln_turn_policy_check(&none, &a).allowed == (rows[i].kind == LN_TURN_CLASS_PUBLIC));
    }
}

LN_TEST(policy, prefixes_are_read_and_wrong_ones_refused)
{
    struct ln_turn_prefix p;
    struct ln_address a = rig_address("10.63.255.255"), b = rig_address("10.64.0.0");

    CHECK(ln_turn_prefix_parse("10.0.0.0/10", &p) == 0 && p.length == 10);
    CHECK(ln_turn_prefix_has(&p, &a) && !ln_turn_prefix_has(&p, &b));
    CHECK(ln_turn_prefix_parse("10.0.0.1", &p) == 0 && p.length == 32);
    CHECK(ln_turn_prefix_parse("fd00::/8", &p) == 0 && p.length == 8);
    CHECK(ln_turn_prefix_parse("0.0.0.0/0", &p) == 0 && ln_turn_prefix_has(&p, &a));
    CHECK(ln_turn_prefix_parse("10.0.0.0/33", &p) == LN_ERR_SYNTAX);
    CHECK(ln_turn_prefix_parse("10.0.0.0/", &p) == LN_ERR_SYNTAX);
    CHECK(ln_turn_prefix_parse("10.0.0.0/-1", &p) == LN_ERR_SYNTAX);
    CHECK(ln_turn_prefix_parse("10.0.0.0/8x", &p) == LN_ERR_SYNTAX);
    CHECK(ln_turn_prefix_parse("", &p) == LN_ERR_SYNTAX);
}

LN_TEST(policy, allowing_a_range_opens_its_plain_form_only)
{
    struct ln_turn_policy policy = { .allow_count = 1, .deny_count = 1 };

    CHECK(ln_turn_prefix_parse("127.0.0.0/8", &policy.allow[0]) == 0);
    CHECK(ln_turn_prefix_parse("127.0.0.5", &policy.deny[0]) == 0);
    CHECK(allowed(&policy, "127.0.0.1") && !allowed(&policy, "127.0.0.5"));
    CHECK(!allowed(&policy, "::ffff:127.0.0.1") && !allowed(&policy, "::1"));
}

/* ATTACKS 18 */
LN_TEST(attack_18, own_addresses_are_refused_and_listening_ones_even_if_allowed)
{
    struct ln_turn_policy policy = { .own_count = 1, .listening_count = 1, .allow_count = 1 };

    policy.own[0] = rig_address("203.0.113.9");
    policy.listening[0] = rig_address("0.0.0.0:3478");
    CHECK(ln_turn_prefix_parse("127.0.0.0/8", &policy.allow[0]) == 0);
    CHECK(!allowed(&policy, "203.0.113.9:3478") && !allowed(&policy, "203.0.113.9:22"));
    CHECK(!allowed(&policy, "127.0.0.1:3478") && allowed(&policy, "127.0.0.1:9"));
    CHECK(allowed(&policy, "198.51.100.1:3478"));
    CHECK(ln_turn_prefix_parse("203.0.113.9", &policy.allow[0]) == 0);
    CHECK(!allowed(&policy, "203.0.113.9:3478") && allowed(&policy, "203.0.113.9:22"));
}
