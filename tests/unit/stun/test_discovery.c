/* SPDX-License-Identifier: Apache-2.0
 * NAT discovery behind every kind of NAT of the simulated network, against a server with two
 * addresses and two ports (RFC 5780) that is written here. */
#include "base/address.h"
#include "base/ring.h"
#include "base/time.h"
#include "stun/discovery.h"
#include "stun/message.h"
#include "tests/sim/net.h"
#include "tests/support/idle.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#define S  LN_SECONDS
#define MS LN_MILLISECONDS

static const char *const ips[2] = { "203.0.113.1", "203.0.113.2" };
static const uint16_t ports[2] = { 3478, 3479 };

/* What is not asked of it answers from link (ip, port) = (l / 2, l % 2). */
struct server {
    bool plain;  /* one address; knows no CHANGE-REQUEST and says nothing of another */
    bool refuse; /* answers 420 */
    const char *ip;
    bool asked[4];
    ln_link links[4];
    struct ln_ring answers;
};

struct answer {
    struct ln_path path;
    size_t len;
    uint8_t data[128];
};

static struct net net;
static struct server servers[2];
static struct ln_stun_discovery *discovery;
static struct ln_stun_discovery_result result;

static int server_of(const struct server *s, ln_link link)
{
    for (int l = 0; l < 4; l++)
        if (s->links[l] == link)
            return l;
    return -1;
}

static struct ln_address address_of(int l)
{
    struct ln_address address;

    CHECK(ln_address_parse(ips[l / 2], &address) == 0);
    address.port = ports[l % 2];
    return address;
}

static void server_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct server *s = object;
    struct answer a = { .path = packet->path };
    struct ln_stun_message request;
    struct ln_stun_builder b;
    struct ln_address other;
    uint32_t change = 0, port;
    int l = server_of(s, packet->path.link);

    (void)now;
    CHECK(ln_stun_parse(packet->data, packet->len, &request) == 0);
    CHECK(request.method == LN_STUN_BINDING && request.kind == LN_STUN_REQUEST);
    (void)ln_stun_find_u32(&request, LN_STUN_CHANGE_REQUEST, &change);
    ln_stun_begin(&b, a.data, sizeof a.data, s->refuse ? LN_STUN_ERROR : LN_STUN_SUCCESS,
                  LN_STUN_BINDING, &request.id);
    if (s->refuse) {
        ln_stun_add_error(&b, 420, NULL);
    } else {
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &packet->path.remote);
    }
    if (!s->plain) {
        other = address_of(l ^ 3);
        ln_stun_add_address(&b, LN_STUN_OTHER_ADDRESS, &other);
        l ^= (change & 4 ? 2 : 0) | (change & 2 ? 1 : 0);
        if (ln_stun_find_u32(&request, LN_STUN_RESPONSE_PORT, &port))
            a.path.remote.port = (uint16_t)(port >> 16);
    }
    a.path.link = s->links[l];
    a.len = (size_t)ln_stun_finish(&b);
    (void)!ln_ring_push(&s->answers, &a); /* lost, in the sweep */
}

static int server_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct server *s = object;
    struct answer a;

    (void)now;
    if (!ln_ring_pop(&s->answers, &a))
        return 0;
    ln_transmit_begin(out);
    memcpy(out->data, a.data, a.len);
    out->len = a.len;
    out->path = a.path;
    return 1;
}

static int server_poll_request(void *object, struct ln_request *ret_request)
{
    struct server *s = object;

    for (uint32_t l = 0; l < (s->plain ? 1 : 4); l++) {
        if (s->asked[l])
            continue;
        s->asked[l] = true;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .id = l };
        if (s->plain) {
            CHECK(ln_address_parse(s->ip, &ret_request->local) == 0);
            ret_request->local.port = 3478;
        } else {
            ret_request->local = address_of((int)l);
        }
        return 1;
    }
    return 0;
}

static void server_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct server *s = object;

    (void)now;
    if (answer->kind == LN_ANSWER_OPENED)
        s->links[answer->id] = answer->link;
}

static void add_server(int i, bool plain, const char *ip)
{
    static const struct ln_endpoint_ops ops = {
        server_receive,       idle_on_timeout,     idle_next_timeout,
        server_poll_transmit, server_poll_request, server_answer,
    };
    struct server *s = &servers[i];
    int host;

    memset(s, 0, sizeof *s);
    s->plain = plain;
    s->ip = ip;
    ln_ring_init(&s->answers, test_env()->allocator, sizeof(struct answer), 64);
    host = net_add_host(&net, (struct ln_endpoint){ &ops, s }, ip);
    if (!plain)
        net_add_interface(&net, host, ips[1]);
}

static bool done(void *context)
{
    (void)context;
    return ln_stun_discovery_done(discovery);
}

struct question {
    const struct net_nat *nat; /* NULL: none */
    size_t server_count;       /* 0: one with two addresses; else so many plain ones */
    bool refuse, hairpin, mtu;
    ln_duration lifetime, most;
    struct net_line line;
};

/* False when out of memory (in the sweep). */
static bool discover(struct question q)
{
    struct ln_stun_discovery_config config = { .server_count = q.server_count ? q.server_count : 1,
                                               .hairpin = q.hairpin,
                                               .mtu = q.mtu,
                                               .lifetime = q.lifetime };
    struct ln_address addresses[2];
    struct net_line down = { 0 };
    int error, host;

    net_init(&net, test_env(), 1);
    for (int i = 0; i < (int)config.server_count; i++) {
        add_server(i, q.server_count > 0, ips[i]);
        servers[i].refuse = q.refuse;
        CHECK(ln_address_parse(ips[i], &addresses[i]) == 0);
        addresses[i].port = 3478;
    }
    CHECK(ln_address_parse("192.168.1.2", &config.local) == 0);
    config.servers = addresses;
    error = ln_stun_discovery_create(&discovery, &config, test_env());
    if (!error) {
        host = net_add_host(&net, ln_stun_discovery_endpoint(discovery), "192.168.1.2");
        q.line.delay = MS(20);
        net_set_line(&net, host, &q.line, &down);
        if (q.nat)
            net_set_nat(&net, host, q.nat, "198.51.100.9");
        CHECK(net_run(&net, net.now + (q.most ? q.most : S(8)), done));
        ln_stun_discovery_result(discovery, &result);
        CHECK(ln_stun_discovery_done(discovery));
    } else {
        CHECK_EQUAL(error, LN_ERR_NOMEM);
    }
    ln_stun_discovery_free(discovery);
    discovery = NULL;
    for (size_t i = 0; i < config.server_count; i++)
        ln_ring_deinit(&servers[i].answers);
    net_deinit(&net);
    return !error;
}

static const enum ln_nat_behavior named[] = {
    [NET_INDEPENDENT] = LN_NAT_INDEPENDENT,
    [NET_ADDRESS] = LN_NAT_ADDRESS_DEPENDENT,
    [NET_ADDRESS_AND_PORT] = LN_NAT_ADDRESS_AND_PORT_DEPENDENT
};

/* RFC 5780, 4.3 and 4.4 */
LN_TEST(discovery, each_mapping_and_each_filter_has_its_name)
{
    for (int m = 0; m < 3; m++)
        for (int f = 0; f < 3; f++) {
            struct net_nat nat = { .mapping = (enum net_nat_kind)m,
                                   .filtering = (enum net_nat_kind)f };

            if (!discover((struct question){ .nat = &nat }))
                return;
            CHECK_EQUAL(result.mapping, named[m]);
            CHECK_EQUAL(result.filtering, named[f]);
            CHECK(result.servers[0].answered && result.servers[0].two_addresses);
            CHECK_EQUAL(result.servers[0].rtt, MS(20));
        }
}

LN_TEST(discovery, the_names_are_right_with_loss_too)
{
    struct net_nat nat = { .mapping = NET_INDEPENDENT, .filtering = NET_ADDRESS };

    if (!discover((struct question){ .nat = &nat, .line = { .loss = 0.1 } }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_INDEPENDENT);
    CHECK_EQUAL(result.filtering, LN_NAT_ADDRESS_DEPENDENT);
}

LN_TEST(discovery, without_a_nat_nothing_is_mapped)
{
    if (!discover((struct question){ .hairpin = true }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_NONE);
    CHECK_EQUAL(result.filtering, LN_NAT_INDEPENDENT);
    CHECK(result.port_preserved);
    CHECK_EQUAL(result.hairpin, LN_NAT_NOT_ASKED);
}

LN_TEST(discovery, a_firewall_filters_and_maps_nothing)
{
    struct net_nat nat = { .firewall_only = true, .filtering = NET_ADDRESS_AND_PORT };

    if (!discover((struct question){ .nat = &nat }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_NONE);
    CHECK_EQUAL(result.filtering, LN_NAT_ADDRESS_AND_PORT_DEPENDENT);
}

LN_TEST(discovery, two_servers_are_compared_where_none_has_two_addresses)
{
    struct net_nat nat = { .mapping = NET_ADDRESS };

    if (!discover((struct question){ .nat = &nat, .server_count = 2 }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_DEPENDENT);
    CHECK_EQUAL(result.filtering, LN_NAT_UNKNOWN);
    nat.mapping = NET_INDEPENDENT;
    if (!discover((struct question){ .nat = &nat, .server_count = 2 }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_INDEPENDENT);
    if (!discover((struct question){ .nat = &nat, .server_count = 1 }))
        return;
    CHECK_EQUAL(result.mapping, LN_NAT_UNKNOWN);
    CHECK(result.servers[0].answered);
}

LN_TEST(discovery, udp_that_is_blocked_and_a_refusal_are_told_apart)
{
    struct net_nat nat = { .udp_blocked = true };

    if (!discover((struct question){ .nat = &nat, .mtu = true }))
        return;
    CHECK(!result.servers[0].answered && result.servers[0].code == 0);
    CHECK_EQUAL(result.mapping, LN_NAT_UNKNOWN);
    if (!discover((struct question){ .refuse = true }))
        return;
    CHECK(!result.servers[0].answered);
    CHECK_EQUAL(result.servers[0].code, 420);
}

/* RFC 5780, 4.5 */
LN_TEST(discovery, a_packet_that_turns_round_at_the_nat_is_a_hairpin)
{
    struct net_nat nat = { .mapping = NET_INDEPENDENT, .filtering = NET_INDEPENDENT };

    if (!discover((struct question){ .nat = &nat, .hairpin = true }))
        return;
    CHECK_EQUAL(result.hairpin, LN_NAT_YES);
    nat.filtering = NET_ADDRESS_AND_PORT; /* the simulated NAT filters these as any other */
    if (!discover((struct question){ .nat = &nat, .hairpin = true }))
        return;
    CHECK_EQUAL(result.hairpin, LN_NAT_NO);
}

LN_TEST(discovery, the_largest_packet_that_passes_is_the_path_mtu)
{
    if (!discover((struct question){ .mtu = true, .line = { .mtu = 1420 } }))
        return;
    CHECK_EQUAL(result.mtu, 1400); /* the largest of those tried */
    if (!discover((struct question){ .mtu = true }))
        return;
    CHECK_EQUAL(result.mtu, 1500);
    CHECK_EQUAL(result.mtu_asked, 1500);
}

/* RFC 5780, 4.6 */
LN_TEST(discovery, a_mapping_lives_between_the_longest_wait_and_the_next)
{
    struct net_nat nat = { .filtering = NET_ADDRESS_AND_PORT, .lifetime = S(45) };

    if (!discover((struct question){ .nat = &nat, .lifetime = S(120), .most = S(130) }))
        return;
    CHECK_EQUAL(result.lifetime_min, S(30));
    CHECK_EQUAL(result.lifetime_max, S(60));
    nat.lifetime = S(300);
    if (!discover((struct question){ .nat = &nat, .lifetime = S(60), .most = S(70) }))
        return;
    CHECK_EQUAL(result.lifetime_min, S(60));
    CHECK_EQUAL(result.lifetime_max, 0);
}

LN_TEST(discovery, refuses_servers_of_another_family_or_without_a_port)
{
    struct ln_stun_discovery_config config = { .server_count = 1 };
    struct ln_address server;

    CHECK(ln_address_parse("192.168.1.2", &config.local) == 0);
    config.servers = &server;
    CHECK(ln_address_parse("203.0.113.1", &server) == 0);
    CHECK_EQUAL(ln_stun_discovery_create(&discovery, &config, test_env()), LN_ERR_INVALID_ARGUMENT);
    CHECK(ln_address_parse("[2001:db8::1]:3478", &server) == 0);
    CHECK_EQUAL(ln_stun_discovery_create(&discovery, &config, test_env()), LN_ERR_INVALID_ARGUMENT);
    config.server_count = 0;
    CHECK_EQUAL(ln_stun_discovery_create(&discovery, &config, test_env()), LN_ERR_INVALID_ARGUMENT);
}
