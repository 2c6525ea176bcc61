/* SPDX-License-Identifier: Apache-2.0
 * Filters of addresses, and addresses that a NAT gives one to one. */
#include "ice/addresses.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s;

static bool allowed(const char *const *rules, size_t count, const char *name, const char *ip)
{
    struct ln_interface in = { .up = true };
    struct ln_ice_filter filter;

    CHECK(ln_ice_filter_parse(rules, count, &filter) == 0);
    strcpy(in.name, name);
    CHECK(ln_address_parse(ip, &in.address) == 0);
    return ln_ice_filter_allows(&filter, &in);
}

LN_TEST(filter, denied_names_and_networks_are_left_out_whatever_else_allows_them)
{
    static const char *const rules[] = { "eth*", "!*.100", "!10.0.0.0/8", "!fd00::/8" };

    CHECK(allowed(rules, 4, "eth0", "192.0.2.1"));
    CHECK(!allowed(rules, 4, "wlan0", "192.0.2.1"));
    CHECK(!allowed(rules, 4, "eth0.100", "192.0.2.1"));
    CHECK(!allowed(rules, 4, "eth0", "10.1.2.3"));
    CHECK(!allowed(rules, 4, "eth0", "fd12::1"));
    CHECK(allowed(rules, 4, "eth0", "2001:db8::1"));
    CHECK(allowed(rules + 1, 3, "wlan0", "192.0.2.1")); /* nothing is asked for */
}

LN_TEST(filter, allowed_names_and_allowed_networks_both_have_to_match)
{
    static const char *const rules[] = { "eth0", "wlan?", "192.0.2.0/25", "2001:db8::7" };

    CHECK(allowed(rules, 4, "eth0", "192.0.2.127"));
    CHECK(allowed(rules, 4, "wlan1", "2001:db8::7"));
    CHECK(!allowed(rules, 4, "eth0", "192.0.2.128"));
    CHECK(!allowed(rules, 4, "wlan10", "192.0.2.1"));
    CHECK(!allowed(rules, 4, "wlan", "192.0.2.1"));
    CHECK(!allowed(rules, 4, "eth0", "2001:db8::8"));
}

LN_TEST(filter, patterns_match_as_a_shell_does)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        { "*", "eth0", true },        { "e*0", "eth0", true },      { "e*h*0", "eth0", true },
        { "*0*", "eth0", true },      { "e*1", "eth0", false },     { "eth0?", "eth0", false },
        { "????", "eth0", true },     { "*?", "e", true },          { "**a", "ba", true },
        { "a*b*c", "aXbXbXc", true }, { "a*b*c", "aXbXbX", false }, { "ETH0", "eth0", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_EQUAL(allowed(&cases[i].pattern, 1, cases[i].name, "192.0.2.1"), cases[i].matches);
}

LN_TEST(filter, rules_out_of_form_are_refused)
{
    static const char *const wrong[] = {
        "",        "!",     "10.0.0.0/33", "10.0.0.0/",        "10.0.0.0/1x", "fd00::/129",
        "eth0/24", "1:2:3", "10.0.0.1:80", "abcdefghijklmnop", "10.0.0.0/-1"
    };
    const char *many[LN_ICE_RULES_MAX + 1];
    struct ln_ice_filter filter;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQUAL(ln_ice_filter_parse(&wrong[i], 1, &filter), LN_ERR_SYNTAX);
    for (size_t i = 0; i <= LN_ICE_RULES_MAX; i++)
        many[i] = "eth0";
    CHECK(ln_ice_filter_parse(many, LN_ICE_RULES_MAX, &filter) == 0);
    CHECK_EQUAL(ln_ice_filter_parse(many, LN_ICE_RULES_MAX + 1, &filter), LN_ERR_LIMIT);
}

/* a has the addresses given; its candidates are gathered. */
static void gather(const char *const *addresses, size_t count)
{
    CHECK(agents_create(&s));
    for (size_t i = 0; i < count; i++) {
        wire_interface(&s.wire, s.a.node, addresses[i]);
        snprintf(s.wire.nodes[s.a.node].interfaces[i].name, 16, "eth%zu", i);
    }
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    CHECK(s.a.gathered);
}

LN_TEST(filter, what_it_leaves_out_gets_no_socket)
{
    static const char *const addresses[] = { "192.168.1.2", "172.17.0.1", "192.168.2.2" };
    static const char *const rules[] = { "!172.16.0.0/12", "!eth2" };

    agents_init(&s);
    s.a.config.filter = rules;
    s.a.config.filter_count = 2;
    gather(addresses, 3);
    CHECK_EQUAL(s.a.candidate_count, 1);
    CHECK(s.a.candidates[0].address.ip[2] == 1);
    CHECK_EQUAL(s.wire.link_count, 1);
    agents_free(&s);
}

LN_TEST(filter, a_stable_address_stands_in_for_a_temporary_one_that_is_left_out)
{
    static const char *const rules[] = { "!2001:db8::99" };
    struct wire_node *node;

    agents_init(&s);
    s.a.config.filter = rules;
    s.a.config.filter_count = 1;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "2001:db8::1");
    wire_interface(&s.wire, s.a.node, "2001:db8::99");
    node = &s.wire.nodes[s.a.node];
    node->interfaces[1].temporary = true;
    node->interfaces[1].index = node->interfaces[0].index;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(s.a.candidate_count, 1);
    CHECK_EQUAL(s.a.candidates[0].address.ip[15], 1);
    agents_free(&s);
}

/* --- external addresses --------------------------------------------------------------------- */

LN_TEST(external, the_one_for_an_address_comes_before_the_one_for_all)
{
    static const char *const texts[] = { "203.0.113.1", "203.0.113.2=10.0.0.2",
                                         "2001:db8::1=fd00::1" };
    struct ln_ice_externals externals;
    struct ln_address local, found;

    CHECK(ln_ice_externals_parse(texts, 3, &externals) == 0);
    CHECK(ln_address_parse("10.0.0.2:5000", &local) == 0);
    CHECK(ln_ice_external_of(&externals, &local, &found));
    CHECK(found.ip[3] == 2 && found.port == 5000);
    CHECK(ln_address_parse("10.0.0.3:5001", &local) == 0);
    CHECK(ln_ice_external_of(&externals, &local, &found));
    CHECK(found.ip[3] == 1 && found.port == 5001);
    CHECK(ln_address_parse("127.0.0.1", &local) == 0);
    CHECK(!ln_ice_external_of(&externals, &local, &found));
    CHECK(ln_address_parse("fd00::2", &local) == 0);
    CHECK(!ln_ice_external_of(&externals, &local, &found));
}

LN_TEST(external, texts_out_of_form_are_refused)
{
    static const char *const wrong[] = { "",
                                         "=",
                                         "203.0.113.1=",
                                         "203.0.113.1:80",
                                         "0.0.0.0",
                                         "224.0.0.1",
                                         "203.0.113.1=fd00::1",
                                         "x",
                                         "::=fd00::1",
                                         "203.0.113.1=10.0.0.1=10.0.0.2" };
    static const char *const twice[] = { "203.0.113.1=10.0.0.2", "203.0.113.2=10.0.0.2" };
    static const char *const both[] = { "203.0.113.1", "203.0.113.2" };
    static const char *const families[] = { "203.0.113.1", "2001:db8::1" };
    struct ln_ice_externals externals;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQUAL(ln_ice_externals_parse(&wrong[i], 1, &externals), LN_ERR_SYNTAX);
    CHECK_EQUAL(ln_ice_externals_parse(twice, 2, &externals), LN_ERR_SYNTAX);
    CHECK_EQUAL(ln_ice_externals_parse(both, 2, &externals), LN_ERR_SYNTAX);
    CHECK(ln_ice_externals_parse(families, 2, &externals) == 0);
}

LN_TEST(external, an_address_is_told_beside_the_host_candidate)
{
    static const char *const addresses[] = { "10.0.0.2" };
    static const char *const texts[] = { "203.0.113.5=10.0.0.2" };

    agents_init(&s);
    s.a.config.externals = texts;
    s.a.config.external_count = 1;
    gather(addresses, 1);
    CHECK_EQUAL(s.a.candidate_count, 2);
    CHECK(s.a.candidates[0].type == LN_CANDIDATE_HOST && s.a.candidates[0].address.ip[0] == 10);
    CHECK(s.a.candidates[1].type == LN_CANDIDATE_SRFLX && s.a.candidates[1].address.ip[0] == 203);
    CHECK_EQUAL(s.a.candidates[1].address.port, s.a.candidates[0].address.port);
    CHECK(ln_address_equal(&s.a.candidates[1].related, &s.a.candidates[0].address));
    agents_free(&s);
}

LN_TEST(external, a_tcp_port_that_listens_is_told_under_the_address_of_the_nat_too)
{
    static const char *const addresses[] = { "10.0.0.2" };
    static const char *const texts[] = { "203.0.113.5" };
    size_t count[LN_CANDIDATE_TCP_SO + 1] = { 0 };
    uint32_t host[LN_CANDIDATE_TCP_SO + 1] = { 0 };

    agents_init(&s);
    s.a.config.tcp = true;
    s.a.config.externals = texts;
    s.a.config.external_count = 1;
    gather(addresses, 1);
    for (size_t i = 0; i < s.a.candidate_count; i++) {
        const struct ln_candidate *c = &s.a.candidates[i];

        if (c->type == LN_CANDIDATE_HOST) {
            host[c->tcp_type] = c->priority;
            continue;
        }
        CHECK(c->type == LN_CANDIDATE_SRFLX && c->address.ip[0] == 203);
        CHECK(c->protocol ==
              (c->tcp_type == LN_CANDIDATE_TCP_NONE ? LN_CANDIDATE_UDP : LN_CANDIDATE_TCP));
        CHECK(c->related.ip[0] == 10 && c->related.port == c->address.port);
        CHECK(c->priority < host[c->tcp_type]);
        count[c->tcp_type]++;
    }
    CHECK_EQUAL(count[LN_CANDIDATE_TCP_NONE], 1);
    CHECK_EQUAL(count[LN_CANDIDATE_TCP_ACTIVE], 0); /* nobody connects to it */
    CHECK_EQUAL(count[LN_CANDIDATE_TCP_PASSIVE], 1);
    CHECK_EQUAL(count[LN_CANDIDATE_TCP_SO], 1);
    agents_free(&s);
}

LN_TEST(external, an_address_is_told_in_place_of_the_host_candidate_even_with_names)
{
    static const char *const addresses[] = { "10.0.0.2", "10.1.0.2" };
    static const char *const texts[] = { "203.0.113.5=10.0.0.2" };

    agents_init(&s);
    s.a.config.externals = texts;
    s.a.config.external_count = 1;
    s.a.config.external_replaces = s.a.config.mdns_names = true;
    gather(addresses, 2);
    CHECK_EQUAL(s.a.candidate_count, 2);
    CHECK(s.a.candidates[0].type == LN_CANDIDATE_HOST && s.a.candidates[0].address.ip[0] == 203);
    CHECK(s.a.candidates[1].type == LN_CANDIDATE_HOST && s.a.candidates[1].name[0]);
    agents_free(&s);
}

/* A machine in a cloud, told nothing of the client, which knows only what it was told. */
LN_TEST(external, a_client_far_away_connects_to_the_address_it_was_told)
{
    static const char *const texts[] = { "198.51.100.1" };
    struct ln_ice_pair_info pair;

    for (int replaces = 0; replaces < 2; replaces++) {
        agents_init(&s);
        s.a.config.externals = texts;
        s.a.config.external_count = 1;
        s.a.config.external_replaces = replaces;
        s.hold_candidates_of_b = true;
        CHECK(agents_create(&s));
        wire_interface(&s.wire, s.a.node, "10.0.0.2");
        wire_interface(&s.wire, s.b.node, "203.0.113.9");
        wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_ONE_TO_ONE, "198.51.100.1");
        agents_start(&s);
        CHECK(agents_connect(&s, LN_SECONDS(5)));
        pair = side_selected(&s.b);
        CHECK(pair.path.remote.ip[0] == 198);
        agents_free(&s);
    }
}
