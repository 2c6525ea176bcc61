/* SPDX-License-Identifier: Apache-2.0
 * Server-reflexive TCP candidates (RFC 6544, 5.2): what a STUN server over TCP says of ports that
 * listen, connections through NATs by what it said, and servers that are not there, say nonsense or
 * end their streams. */
#include "base/address.h"
#include "base/bytes.h"
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "ice/tcp.h"
#include "stun/message.h"
#include "tests/unit/ice/agents.h"
#include "tests/unit/ice/turn_host.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct agents s;
static struct turn_host host;

#define SERVER(url_, relays_, over_)                                                               \
    {                                                                                              \
        .url = url_, .host = "203.0.113.1", .relays = relays_, .transport = over_,                 \
        .username = "alice", .password = "secret"                                                  \
    }
static const struct ln_ice_server_address stun = SERVER("stun:203.0.113.1", false, LN_ICE_OVER_UDP),
                                          turn_tcp = SERVER("turn:203.0.113.1?transport=tcp", true,
                                                            LN_ICE_OVER_TCP),
                                          turn_udp = SERVER("turn:203.0.113.1", true,
                                                            LN_ICE_OVER_UDP);

static void set_up(const struct ln_ice_server_address *server)
{
    agents_init(&s);
    s.wire.filter = wire_drop_all; /* no UDP */
    s.wire.delay = LN_MILLISECONDS(10);
    s.a.config.tcp = s.b.config.tcp = true;
    s.a.config.servers = s.b.config.servers = server;
    s.a.config.server_count = s.b.config.server_count = 1;
}

/* Two sides behind NATs that keep ports, and the server, which may be spoken to by TLS. */
static void begin_with(struct ln_certificate *certificate)
{
    CHECK(agents_create(&s));
    if (certificate)
        turn_host_start_tls(&host, &s.wire, test_env(), certificate);
    else
        turn_host_start(&host, &s.wire, test_env(), false);
    s.wire.nodes[s.wire.node_count - 1].public_listeners = true;
    agents_run(&s, LN_MILLISECONDS(1)); /* it listens */
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
}

static void begin(void)
{
    begin_with(NULL);
}

/* Then a gathers for so long. */
static void gather(ln_duration time)
{
    begin();
    ln_ice_gather(s.a.ice);
    agents_run(&s, time);
}

static void tear_down(void)
{
    agents_free(&s);
    turn_host_stop(&host);
}

static const struct ln_candidate *reflexive(const struct side *side,
                                            enum ln_candidate_tcp_type type)
{
    for (size_t i = 0; i < side->candidate_count; i++)
        if (side->candidates[i].type == LN_CANDIDATE_SRFLX && side->candidates[i].tcp_type == type)
            return &side->candidates[i];
    return NULL;
}

static size_t reflexive_count(const struct side *side)
{
    size_t count = 0;

    for (size_t i = 0; i < side->candidate_count; i++)
        count += side->candidates[i].type == LN_CANDIDATE_SRFLX && side->candidates[i].tcp_type;
    return count;
}

static const struct ln_candidate *host_of(const struct side *side, enum ln_candidate_tcp_type type)
{
    for (size_t i = 0; i < side->candidate_count; i++)
        if (side->candidates[i].type == LN_CANDIDATE_HOST && side->candidates[i].tcp_type == type)
            return &side->candidates[i];
    return NULL;
}

static struct ln_ice_candidate_info selected_local(const struct side *side)
{
    struct ln_ice_pair_info pair = side_selected(side);
    struct ln_ice_candidate_info info = { 0 };

    for (size_t i = 0; ln_ice_local_candidate(side->ice, i, &info) && info.id != pair.local_id; i++)
        ;
    return info;
}

/* --- candidates ---------------------------------------------------------------------------- */

LN_TEST(tcp_ask, a_server_tells_how_it_sees_the_ports_that_listen)
{
    struct ln_ice_candidate_info info;
    char text[LN_CANDIDATE_TEXT_MAX];

    set_up(&stun);
    gather(LN_SECONDS(10)); /* the server is not reached by UDP */
    CHECK(s.a.gathered);
    CHECK_EQUAL(reflexive_count(&s.a), 3);
    for (int type = LN_CANDIDATE_TCP_ACTIVE; type <= LN_CANDIDATE_TCP_SO; type++) {
        const struct ln_candidate *c = reflexive(&s.a, type), *base = host_of(&s.a, type);

        CHECK(c && base);
        CHECK(ln_candidate_write(c, text, sizeof text) > 0);
        CHECK(strstr(text, " 198.51.100.1 ") && strstr(text, " typ srflx raddr 10.0.0.2 "));
        CHECK_EQUAL(c->address.port, base->address.port); /* this NAT keeps ports */
        CHECK_EQUAL(c->related.port, base->address.port);
        CHECK_EQUAL(c->address.port == 9, type == LN_CANDIDATE_TCP_ACTIVE);
        CHECK(strcmp(c->foundation, base->foundation) != 0);
        CHECK(c->priority < base->priority);
    }
    for (size_t i = 0; ln_ice_local_candidate(s.a.ice, i, &info); i++)
        if (info.candidate.type == LN_CANDIDATE_SRFLX)
            CHECK_TEXT(info.url, "stun:203.0.113.1");
    tear_down();
}

LN_TEST(tcp_ask, of_reflexive_candidates_simultaneous_open_comes_first_and_passive_last)
{
    static const uint8_t direction[] = {
        [LN_CANDIDATE_TCP_ACTIVE] = 4, [LN_CANDIDATE_TCP_PASSIVE] = 2, [LN_CANDIDATE_TCP_SO] = 6
    };

    set_up(&stun);
    gather(LN_SECONDS(10));
    for (int type = LN_CANDIDATE_TCP_ACTIVE; type <= LN_CANDIDATE_TCP_SO; type++) {
        const struct ln_candidate *c = reflexive(&s.a, type);

        CHECK(c && host_of(&s.a, type));
        CHECK_EQUAL(c->priority >> 24, 70);
        CHECK_EQUAL((c->priority >> 21) & 7, direction[type]); /* RFC 6544, 4.2 */
        CHECK_EQUAL((c->priority >> 8) & 8191, (host_of(&s.a, type)->priority >> 8) & 8191);
    }
    tear_down();
}

LN_TEST(tcp_ask, a_turn_server_over_tcp_is_asked_as_well_and_one_over_udp_is_not)
{
    set_up(&turn_tcp);
    gather(LN_SECONDS(1));
    CHECK_EQUAL(reflexive_count(&s.a), 3);
    tear_down();
    set_up(&turn_udp);
    gather(LN_SECONDS(10));
    CHECK_EQUAL(reflexive_count(&s.a), 0);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
    tear_down();
}

LN_TEST(tcp_ask, nobody_is_asked_for_udp_alone_for_relays_alone_or_on_a_shared_port)
{
    for (int why = 0; why < 3; why++) {
        set_up(&turn_tcp);
        s.a.config.tcp = why != 0;
        s.a.config.policy = why == 1 ? LN_ICE_TRANSPORT_POLICY_RELAY : LN_ICE_TRANSPORT_POLICY_ALL;
        begin();
        if (why == 2)
            ln_ice_share_port(s.a.ice);
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_SECONDS(10));
        CHECK(s.a.gathered);
        CHECK_EQUAL(reflexive_count(&s.a), 0);
        for (size_t i = 0; i < s.a.candidate_count && why == 1; i++)
            CHECK_EQUAL(s.a.candidates[i].type, LN_CANDIDATE_RELAY);
        tear_down();
    }
}

LN_TEST(tcp_ask, where_there_is_no_nat_nothing_is_told_and_no_stream_kept)
{
    set_up(&stun);
    begin();
    wire_set_nat(&s.wire, s.a.node, 0, WIRE_NAT_NONE, "198.51.100.1");
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(100));
    CHECK_EQUAL(reflexive_count(&s.a), 0);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
    tear_down();
}

LN_TEST(tcp_ask, two_servers_that_say_the_same_make_one_candidate_and_keep_one_stream)
{
    struct ln_ice_server_address both[2] = { stun, turn_tcp };

    set_up(both);
    s.a.config.server_count = 2;
    gather(LN_SECONDS(1));
    CHECK_EQUAL(reflexive_count(&s.a), 3);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 2 + 1); /* passive, so; the relay's */
    tear_down();
}

LN_TEST(tcp_ask, with_names_in_use_no_related_address_is_told)
{
    set_up(&stun);
    s.a.config.mdns_names = true;
    gather(LN_SECONDS(10));
    CHECK_EQUAL(reflexive_count(&s.a), 3);
    for (int type = LN_CANDIDATE_TCP_ACTIVE; type <= LN_CANDIDATE_TCP_SO; type++) {
        const struct ln_candidate *c = reflexive(&s.a, type);

        CHECK(c);
        CHECK(ln_address_is_unspecified(&c->related));
        CHECK_EQUAL(c->related.port, 9);
    }
    tear_down();
}

LN_TEST(tcp_ask, a_server_that_answers_udp_alone_costs_half_a_second_at_most)
{
    set_up(&stun);
    s.wire.filter = NULL;
    begin();
    s.wire.streams_hang = true;
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_MILLISECONDS(490));
    CHECK(!s.a.gathered);
    agents_run(&s, LN_MILLISECONDS(20));
    CHECK(s.a.gathered);
    CHECK_EQUAL(reflexive_count(&s.a), 0);
    tear_down();
}

/* --- connections --------------------------------------------------------------------------- */

LN_TEST(tcp_ask, two_sides_behind_nats_connect_by_simultaneous_open)
{
    struct ln_ice_candidate_info local;

    set_up(&stun);
    s.wire.streams_cross = true;
    begin();
    agents_start(&s);
    CHECK(agents_connect(&s, LN_SECONDS(10)));
    for (int i = 0; i < 2; i++) {
        local = selected_local(i ? &s.b : &s.a);
        CHECK_EQUAL(local.candidate.tcp_type, LN_CANDIDATE_TCP_SO);
        CHECK_EQUAL(local.candidate.type, LN_CANDIDATE_SRFLX);
    }
    agents_run(&s, LN_SECONDS(60)); /* consent; what is not needed is closed */
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 1);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.b.node), 1);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    tear_down();
}

LN_TEST(tcp_ask, a_passive_candidate_is_reached_through_a_nat_that_lets_everybody_in)
{
    struct ln_ice_candidate_info local;

    set_up(&stun);
    s.b.config.server_count = 0;
    begin();
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_FULL_CONE, "198.51.100.1");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(15)));
    local = selected_local(&s.b);
    CHECK_EQUAL(local.candidate.tcp_type, LN_CANDIDATE_TCP_ACTIVE);
    local = selected_local(&s.a);
    CHECK_EQUAL(local.candidate.tcp_type, LN_CANDIDATE_TCP_PASSIVE);
    CHECK_EQUAL(local.candidate.type, LN_CANDIDATE_SRFLX);
    tear_down();
}

LN_TEST(tcp_ask, is_passed_over_while_udp_works)
{
    set_up(&stun);
    s.wire.filter = NULL;
    begin();
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    CHECK_EQUAL(selected_local(&s.a).candidate.protocol, LN_CANDIDATE_UDP);
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.b.node), 0);
    tear_down();
}

/* --- its life ------------------------------------------------------------------------------ */

LN_TEST(tcp_ask, the_stream_is_kept_open_until_a_pair_is_selected)
{
    set_up(&stun);
    s.wire.streams_cross = true;
    begin();
    s.hold_candidates_of_a = s.hold_candidates_of_b = true;
    ln_ice_gather(s.a.ice);
    ln_ice_gather(s.b.ice);
    for (int i = 0; i < 20; i++) { /* six minutes: this server lets guests stay for 30 s */
        agents_run(&s, LN_SECONDS(17));
        CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 2);
        CHECK_EQUAL(reflexive_count(&s.a), 3);
    }
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 2);
    s.hold_candidates_of_a = s.hold_candidates_of_b = false;
    agents_exchange(&s);
    CHECK(agents_connect(&s, LN_SECONDS(10)));
    agents_run(&s, LN_SECONDS(10));
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 1); /* the pair's */
    tear_down();
}

LN_TEST(tcp_ask, a_server_that_ends_the_stream_is_asked_anew_but_not_at_once_or_for_ever)
{
    size_t opened = 0, last = 0;

    set_up(&stun);
    gather(LN_SECONDS(1));
    wire_break_streams(&s.wire);
    agents_run(&s, LN_SECONDS(13));
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
    agents_run(&s, LN_SECONDS(3));
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 2);
    for (int i = 0; i < 60; i++) {
        agents_run(&s, LN_SECONDS(16));
        last = opened;
        opened = s.wire.link_count;
        wire_break_streams(&s.wire);
    }
    CHECK_EQUAL(opened, last);
    CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
    CHECK_EQUAL(reflexive_count(&s.a), 3);
    tear_down();
}

/* For the server's address, and the only one that is trusted; the environment can do TLS then. It
 * lies in memory, in an open file. */
static struct ln_certificate *trust_certificate(int *ret_fd)
{
    struct ln_certificate *certificate = NULL;
    char command[400], path[32], text[4096];
    int fd = memfd_create("certificate", 0);
    struct ln_bytes pem = { (const uint8_t *)text, 0 };
    ssize_t len;

    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
             "/CN=server -addext subjectAltName=IP:203.0.113.1 -days 2 -out - -keyout - "
             ">/proc/%d/fd/%d 2>/dev/null",
             (int)getpid(), fd);
    CHECK(fd >= 0 && system(command) == 0);
    len = pread(fd, text, sizeof text, 0);
    CHECK(len > 0);
    pem.len = (size_t)len;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(setenv("SSL_CERT_FILE", path, 1) == 0);
    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    CHECK(ln_certificate_import(&certificate, pem, pem, test_env()->crypto) == 0);
    *ret_fd = fd;
    return certificate;
}

LN_TEST(tcp_ask, a_server_that_says_good_bye_inside_tls_is_asked_anew_too)
{
    const struct ln_ice_server_address stuns = { .url = "stuns:203.0.113.1",
                                                 .host = "203.0.113.1",
                                                 .port = 3478,
                                                 .transport = LN_ICE_OVER_TLS };
    int trusted;
    struct ln_certificate *certificate = trust_certificate(&trusted);

    set_up(&stuns);
    begin_with(certificate);
    ln_ice_gather(s.a.ice);
    for (int i = 0; i < 10; i++) { /* three minutes: this server lets guests stay for 30 s */
        agents_run(&s, LN_SECONDS(17));
        CHECK_EQUAL(reflexive_count(&s.a), 3);
        CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 2);
    }
    CHECK(s.wire.link_count > 10); /* in all */
    tear_down();
    ln_certificate_unref(certificate);
    ln_crypto_free(test_env()->crypto);
    test_env()->crypto = NULL;
    close(trusted);
}

LN_TEST(tcp_ask, streams_end_with_the_agent_its_address_and_its_generation)
{
    for (int how = 0; how < 3; how++) {
        set_up(&stun);
        gather(LN_MILLISECONDS(how == 0 ? 15 : 1000)); /* also half-way */
        if (how == 2)
            wire_remove_interface(&s.wire, s.a.node, "10.0.0.2");
        else if (how == 1)
            CHECK(ln_ice_restart(s.a.ice) == 0);
        else
            ln_ice_close(s.a.ice);
        agents_run(&s, LN_MILLISECONDS(100));
        CHECK_EQUAL(wire_open_streams(&s.wire, s.a.node), 0);
        tear_down();
    }
}
