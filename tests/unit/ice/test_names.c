/* SPDX-License-Identifier: Apache-2.0
 * Names in place of the addresses of host candidates. */
#include "stun/server.h"
#include "tests/unit/ice/agents.h"

static struct agents s;
static struct ln_stun_server *stun;

static const struct ln_ice_server_address stun_server = { .url = "stun:203.0.113.1",
                                                          .host = "203.0.113.1" };

static void lan(bool a_has_two)
{
    agents_init(&s);
    s.a.config.mdns_names = s.b.config.mdns_names = true;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    if (a_has_two)
        wire_interface(&s.wire, s.a.node, "192.168.1.4");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
}

/* A STUN server that a reaches without a NAT. */
static void with_stun(void)
{
    struct ln_stun_server_config config = { .listen_count = 1 };
    struct ln_address listen;

    agents_init(&s);
    s.a.config.mdns_names = true;
    s.a.config.servers = &stun_server;
    s.a.config.server_count = 1;
    CHECK(agents_create(&s));
    CHECK(ln_address_parse("203.0.113.1:3478", &listen) == 0);
    config.listen = &listen;
    CHECK(ln_stun_server_create(&stun, &config, test_env()) == 0);
    wire_add(&s.wire, ln_stun_server_endpoint(stun));
}

static bool is_uuid_name(const char *name)
{
    static const char form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx.local";
    size_t i;

    for (i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'x'   ? !strchr("0123456789abcdef", name[i])
            : form[i] == 'y' ? !strchr("89ab", name[i])
                             : name[i] != form[i])
            return false;
    }
    return name[i] == '\0';
}

/* No candidate of the agent, told or not, shows `ip`. */
static bool shows(const struct side *side, const char *ip)
{
    struct ln_ice_candidate_info info;
    char text[LN_CANDIDATE_TEXT_MAX];

    for (size_t i = 0; ln_ice_local_candidate(side->ice, i, &info); i++) {
        CHECK(ln_candidate_write(&info.candidate, text, sizeof text) > 0);
        if (strstr(text, ip))
            return true;
    }
    return false;
}

LN_TEST(own_names, stand_for_addresses_and_both_sides_connect_by_them)
{
    struct ln_ice_pair_info pair;

    lan(true);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK_EQUAL(s.a.candidate_count, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK(is_uuid_name(s.a.candidates[i].name));
        CHECK(s.a.candidates[i].address.family == LN_FAMILY_NONE);
        CHECK(s.a.candidates[i].address.port != 0);
    }
    CHECK(strcmp(s.a.candidates[0].name, s.a.candidates[1].name) != 0);
    CHECK_EQUAL(s.wire.published, 3);
    CHECK(!shows(&s.a, "192.168.1.") && !shows(&s.b, "192.168.1."));
    pair = side_selected(&s.a);
    CHECK(pair.path.remote.ip[3] == 3);
    agents_free(&s);
}

LN_TEST(own_names, are_others_after_a_restart_and_the_old_ones_are_taken_back)
{
    char before[LN_CANDIDATE_NAME_MAX + 1];

    lan(false);
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    memcpy(before, s.a.candidates[0].name, sizeof before);
    CHECK(ln_ice_restart(s.a.ice) == 0 && ln_ice_restart(s.b.ice) == 0);
    s.a.candidate_count = s.b.candidate_count = s.a.signalled = s.b.signalled = 0;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(5));
    CHECK_EQUAL(s.a.candidate_count, 1);
    CHECK(is_uuid_name(s.a.candidates[0].name) && strcmp(s.a.candidates[0].name, before) != 0);
    CHECK_EQUAL(s.wire.published, 4);
    CHECK_EQUAL(s.wire.withdrawn, 2);
    ln_ice_close(s.a.ice);
    ln_ice_close(s.b.ice);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK_EQUAL(s.wire.withdrawn, 4);
    agents_free(&s);
}

LN_TEST(own_names, a_candidate_whose_name_cannot_be_published_is_not_told_but_checks_leave_from_it)
{
    agents_init(&s);
    s.a.config.mdns_names = true;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.wire.refuse_names = true;
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(3)));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.candidate_count, 0);
    CHECK(!shows(&s.a, "192.168.1.2"));
    agents_free(&s);
}

LN_TEST(own_names, gathering_ends_when_they_are_published)
{
    lan(false);
    s.wire.names_hang = true;
    agents_start(&s);
    agents_run(&s, LN_SECONDS(5));
    CHECK(!s.a.gathered && s.a.candidate_count == 0);
    agents_free(&s);
}

LN_TEST(own_names, a_reflexive_candidate_hides_its_base_and_stands_beside_a_name_without_a_nat)
{
    with_stun();
    wire_interface(&s.wire, s.a.node, "198.51.100.7");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(2));
    CHECK(s.a.gathered);
    CHECK_EQUAL(s.a.candidate_count, 2);
    CHECK(is_uuid_name(s.a.candidates[0].name));
    CHECK_EQUAL(s.a.candidates[1].type, LN_CANDIDATE_SRFLX);
    CHECK(s.a.candidates[1].address.ip[3] == 7);
    CHECK(s.a.candidates[1].related.ip[0] == 0 && s.a.candidates[1].related.port == 9);
    agents_free(&s);
    ln_stun_server_free(stun);

    with_stun();
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_PORT_RESTRICTED, "198.51.100.1");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(2));
    CHECK_EQUAL(s.a.candidate_count, 2);
    CHECK(s.a.candidates[1].address.ip[0] == 198 && s.a.candidates[1].related.ip[0] == 0);
    CHECK(!shows(&s.a, "10.0.0.2"));
    agents_free(&s);
    ln_stun_server_free(stun);
}

LN_TEST(own_names, errors_of_servers_do_not_show_the_address_they_were_asked_from)
{
    agents_init(&s);
    s.a.config.mdns_names = true;
    s.a.config.servers = &stun_server; /* nobody is there */
    s.a.config.server_count = 1;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(12));
    CHECK_EQUAL(s.a.error_events, 1);
    CHECK_EQUAL(s.a.last_error.error.address.family, LN_FAMILY_NONE);
    agents_free(&s);
}
