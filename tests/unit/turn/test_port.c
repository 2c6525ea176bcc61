/* SPDX-License-Identifier: Apache-2.0
 * Ports that several allocations share: whose is what a peer sends, and what collides. */
#include "tests/unit/turn/rig.h"

#include "base/rng.h"

#include <linnet/error.h>

#include <stdio.h>

static void start(struct rig *rig, uint16_t ports)
{
    rig_init(rig);
    rig->config.relay_ports = ports;
    rig_start(rig);
}

static struct rig_client client(struct rig *rig, unsigned i)
{
    char address[32];

    snprintf(address, sizeof address, "198.51.100.7:%u", 4000 + i);
    return i % 2 ? rig_client(rig, address, "bob", "hunter2")
                 : rig_client(rig, address, "alice", "secret");
}

/* The text in a Data indication to this client, in what was sent last; NULL when there is none. */
static const char *told(const struct rig *rig, const struct rig_client *to, char text[64])
{
    const char *found = NULL;

    for (size_t i = 0; i < rig->packet_count; i++) {
        const struct rig_packet *p = &rig->packets[i];
        struct ln_stun_message m;
        struct ln_bytes data;

        if (!ln_address_equal(&p->path.remote, &to->path.remote) ||
            ln_stun_parse(p->data, p->len, &m) != 0 || m.kind != LN_STUN_INDICATION ||
            !ln_stun_find(&m, LN_STUN_DATA_VALUE, &data) || data.len >= 64)
            continue;
        CHECK(!found);
        memcpy(text, data.data, data.len);
        text[data.len] = '\0';
        found = text;
    }
    return found;
}

static bool got(const struct rig *rig, const struct rig_client *to, const char *expected)
{
    char text[64];
    const char *found = told(rig, to, text);

    return expected ? found && strcmp(found, expected) == 0 : !found;
}

static const char *text_of(const struct ln_address *address)
{
    static char texts[4][LN_ADDRESS_TEXT_MAX];
    static unsigned next;

    return ln_address_format(address, texts[next++ % 4]);
}

/* Allocations of clients 0.. on so many ports, with their relayed addresses. */
static void allocate(struct rig *rig, struct rig_client *clients, struct ln_address *relayed,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = client(rig, (unsigned)i);
        CHECK_EQUAL(rig_allocate(&clients[i], &relayed[i]), 0);
    }
}

LN_TEST(shared_ports, carry_all_allocations_evenly_and_close_with_the_last)
{
    struct rig rig;
    struct rig_client clients[6];
    struct ln_address relayed[6];

    start(&rig, 2);
    allocate(&rig, clients, relayed, 6);
    CHECK_EQUAL(rig.open_count, 1 + 2);
    CHECK_EQUAL(rig_counts(&rig).shared_ports, 2);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 6);
    CHECK(relayed[0].port != relayed[1].port);
    for (unsigned i = 0, first = 0; i < 6; i++) {
        first += relayed[i].port == relayed[0].port;
        CHECK(i < 5 || first == 3);
    }
    for (unsigned i = 0; i < 6; i++) {
        CHECK(ln_turn_port_claimed(rig.shared, 0, relayed[i].port));
        CHECK_EQUAL(rig_refresh(&clients[i], 0), 0);
    }
    CHECK_EQUAL(rig.open_count, 1);
    CHECK_EQUAL(rig_counts(&rig).shared_ports, 0);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 0);
    CHECK(!ln_turn_port_claimed(rig.shared, 0, relayed[0].port));
    rig_end(&rig);
}

LN_TEST(shared_ports, what_a_peer_sends_goes_to_the_one_that_permitted_it)
{
    struct rig rig;
    struct rig_client c[3];
    struct ln_address relayed[3];

    start(&rig, 1);
    allocate(&rig, c, relayed, 3);
    CHECK(ln_address_equal(&relayed[0], &relayed[2]));
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.98"), 0);
    CHECK_EQUAL(rig_bind(&c[1], 0x4000, "198.51.100.99:9000"), 0);
    rig_from_peer(&rig, "198.51.100.98:5", &relayed[0], "to 0");
    CHECK(got(&rig, &c[0], "to 0") && rig.packet_count == 1);
    rig_from_peer(&rig, "198.51.100.99:9001", &relayed[0], "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    rig_from_peer(&rig, "198.51.100.97:9", &relayed[0], "nobody's");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_no_permission, 1);
    rig_send_channel(&c[1], 0x4000, "out");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9000", "out"));
    CHECK(ln_address_equal(&rig.packets[0].path.local, &relayed[1]));
    rig_send_indication(&c[0], "198.51.100.99:9000", "not mine");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_end(&rig);
}

LN_TEST(shared_ports, a_permission_that_collides_is_508_until_the_other_ends)
{
    struct rig rig;
    struct rig_client c[3];
    struct ln_address relayed[3];

    start(&rig, 1);
    allocate(&rig, c, relayed, 3);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99:7"), 508);
    CHECK_EQUAL(rig_bind(&c[1], 0x4000, "198.51.100.99:9000"), 508);
    CHECK_EQUAL(rig_counts(&rig).collisions, 2);
    rig_from_peer(&rig, "198.51.100.99:7", &relayed[0], "to 0");
    CHECK(got(&rig, &c[0], "to 0") && rig.packet_count == 1);
    rig_advance(&rig, LN_SECONDS(200));
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 0); /* refreshed */
    rig_advance(&rig, LN_SECONDS(300) - 1);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99"), 508);
    rig_advance(&rig, 1);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 508);
    rig_from_peer(&rig, "198.51.100.99:7", &relayed[0], "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    CHECK_EQUAL(rig_refresh(&c[1], 0), 0); /* its end frees it at once */
    CHECK_EQUAL(rig_permit(&c[2], "198.51.100.99"), 0);
    rig_end(&rig);
}

LN_TEST(shared_ports, on_another_port_the_same_peer_is_free)
{
    struct rig rig;
    struct rig_client c[2];
    struct ln_address relayed[2];

    start(&rig, 2);
    allocate(&rig, c, relayed, 2);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99"), 0);
    rig_from_peer(&rig, "198.51.100.99:7", &relayed[1], "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    rig_end(&rig);
}

LN_TEST(shared_ports, of_a_request_with_one_address_that_collides_nothing_is_installed)
{
    struct rig rig;
    struct rig_client c[2];
    struct ln_address relayed[2], free_one = rig_address("198.51.100.98"),
                                  taken = rig_address("198.51.100.99");
    struct ln_stun_message answer;
    struct rig_call call;

    start(&rig, 1);
    allocate(&rig, c, relayed, 2);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 0);
    rig_begin(&call, &c[1], LN_STUN_CREATE_PERMISSION);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &free_one);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &taken);
    CHECK_EQUAL(rig_call(&call, &answer), 508);
    rig_from_peer(&rig, "198.51.100.98:7", &relayed[1], "x");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.98"), 0);
    rig_end(&rig);
}

static int allocate_even(struct rig_client *client, uint8_t flags, struct ln_address *ret_relayed,
                         uint64_t *ret_token)
{
    struct ln_stun_message answer;
    struct rig_call call;
    struct ln_bytes token;
    int code;

    rig_begin(&call, client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    if (ret_token && *ret_token)
        ln_stun_add_u64(&call.b, LN_STUN_RESERVATION_TOKEN, *ret_token);
    else
        ln_stun_add(&call.b, LN_STUN_EVEN_PORT, &flags, 1);
    code = rig_call(&call, &answer);
    if (code == 0)
        CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, ret_relayed));
    if (code == 0 && flags && ln_stun_find(&answer, LN_STUN_RESERVATION_TOKEN, &token))
        *ret_token = ln_load64(token.data);
    return code;
}

LN_TEST(shared_ports, even_and_reserved_ones_stay_of_one_allocation)
{
    struct rig rig;
    struct rig_client c[2], even, next;
    struct ln_address relayed[2], of_even, of_next;
    uint64_t token = 0;

    start(&rig, 1);
    allocate(&rig, c, relayed, 2);
    even = client(&rig, 8);
    CHECK_EQUAL(allocate_even(&even, 0x80, &of_even, &token), 0);
    CHECK(of_even.port % 2 == 0 && of_even.port != relayed[0].port && token != 0);
    next = client(&rig, 10);
    CHECK_EQUAL(allocate_even(&next, 0, &of_next, &token), 0);
    CHECK_EQUAL(of_next.port, of_even.port + 1);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 2);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 0);
    CHECK_EQUAL(rig_permit(&even, "198.51.100.99"), 0); /* nobody shares it */
    CHECK_EQUAL(rig_permit(&next, "198.51.100.99"), 0);
    rig_from_peer(&rig, "198.51.100.99:7", &of_even, "even");
    CHECK(got(&rig, &even, "even") && rig.packet_count == 1);
    rig_end(&rig);
}

LN_TEST(shared_ports, clients_on_two_ports_reach_each_other_and_no_third_comes_between)
{
    struct rig rig;
    struct rig_client c[4];
    struct ln_address relayed[4];

    start(&rig, 2);
    allocate(&rig, c, relayed, 4);
    for (size_t i = 2; i < 4; i++) { /* 0 and 2, 1 and 3 share */
        if (relayed[i].port == relayed[0].port && i == 3) {
            struct rig_client keep = c[2];

            c[2] = c[3];
            c[3] = keep;
        }
    }
    relayed[2] = relayed[0];
    relayed[3] = relayed[1];
    CHECK_EQUAL(rig_permit(&c[0], text_of(&relayed[1])), 0);
    rig_send_indication(&c[0], text_of(&relayed[1]), "too early");
    CHECK_EQUAL(rig.packet_count, 0); /* not permitted yet: nobody's, and not 3's */
    CHECK_EQUAL(rig_permit(&c[1], text_of(&relayed[0])), 0);
    rig_send_indication(&c[0], text_of(&relayed[1]), "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    rig_send_indication(&c[1], text_of(&relayed[0]), "to 0");
    CHECK(got(&rig, &c[0], "to 0") && rig.packet_count == 1);
    CHECK_EQUAL(rig_counts(&rig).handed_over, 2);

    CHECK_EQUAL(rig_permit(&c[2], text_of(&relayed[1])), 508);
    CHECK_EQUAL(rig_permit(&c[3], text_of(&relayed[0])), 508);
    CHECK_EQUAL(rig_permit(&c[3], "203.0.113.1"), 0); /* the address without a port */
    rig_send_indication(&c[3], text_of(&relayed[0]), "as if from 1");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_send_indication(&c[0], text_of(&relayed[1]), "still to 1");
    CHECK(got(&rig, &c[1], "still to 1") && rig.packet_count == 1);
    CHECK_EQUAL(rig_counts(&rig).collisions, 3);
    rig_end(&rig);
}

LN_TEST(shared_ports, two_clients_on_one_port_reach_each_other_and_a_third_is_508)
{
    struct rig rig;
    struct rig_client c[3];
    struct ln_address relayed[3];
    const char *own;

    start(&rig, 1);
    allocate(&rig, c, relayed, 3);
    own = text_of(&relayed[0]);
    CHECK_EQUAL(rig_permit(&c[0], own), 0);
    rig_send_indication(&c[0], own, "to itself");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_bind(&c[1], 0x4001, own), 0);
    CHECK_EQUAL(rig_permit(&c[2], own), 508);
    rig_send_indication(&c[0], own, "to 1");
    CHECK_EQUAL(rig.packet_count, 1);
    CHECK(ln_address_equal(&rig.packets[0].path.remote, &c[1].path.remote));
    CHECK(memcmp(rig.packets[0].data, "\x40\x01\x00\x04to 1", 8) == 0);
    rig_send_channel(&c[1], 0x4001, "to 0");
    CHECK(got(&rig, &c[0], "to 0") && rig.packet_count == 1);
    CHECK_EQUAL(rig_refresh(&c[0], 0), 0); /* its place is free for another */
    CHECK_EQUAL(rig_permit(&c[2], own), 0);
    CHECK_EQUAL(rig_permit(&c[1], own), 0); /* and the second holder keeps his */
    rig_send_channel(&c[1], 0x4001, "to 2");
    CHECK(got(&rig, &c[2], "to 2") && rig.packet_count == 1);
    rig_end(&rig);
}

LN_TEST(shared_ports, a_permission_without_a_port_is_claimed_by_the_first_datagram)
{
    struct rig rig;
    struct rig_client c[2];
    struct ln_address relayed[2];

    start(&rig, 2);
    allocate(&rig, c, relayed, 2);
    CHECK_EQUAL(rig_permit(&c[0], "203.0.113.1"), 0);
    CHECK_EQUAL(rig_permit(&c[1], "203.0.113.1"), 0);
    rig_send_indication(&c[0], text_of(&relayed[1]), "nobody's yet");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_send_indication(&c[1], text_of(&relayed[0]), "to 0");
    CHECK(got(&rig, &c[0], "to 0") && rig.packet_count == 1);
    rig_send_indication(&c[0], text_of(&relayed[1]), "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    for (int i = 0; i < 3; i++) { /* kept by the permission alone, in both directions */
        rig_advance(&rig, LN_SECONDS(200));
        CHECK_EQUAL(rig_refresh(&c[0], 3600), 0);
        CHECK_EQUAL(rig_refresh(&c[1], 3600), 0);
        CHECK_EQUAL(rig_permit(&c[0], "203.0.113.1"), 0);
        CHECK_EQUAL(rig_permit(&c[1], "203.0.113.1"), 0);
    }
    rig_send_indication(&c[0], text_of(&relayed[1]), "later");
    CHECK(got(&rig, &c[1], "later") && rig.packet_count == 1);
    rig_end(&rig);
}

LN_TEST(shared_ports, a_client_with_a_port_of_its_own_reaches_one_that_shares)
{
    struct rig rig;
    struct rig_client c[2], even;
    struct ln_address relayed[2], of_even;

    start(&rig, 1);
    allocate(&rig, c, relayed, 2);
    even = client(&rig, 8);
    CHECK_EQUAL(allocate_even(&even, 0, &of_even, NULL), 0);
    CHECK_EQUAL(rig_permit(&even, "203.0.113.1"), 0);
    CHECK_EQUAL(rig_permit(&c[1], text_of(&of_even)), 0);
    CHECK_EQUAL(rig_permit(&c[0], text_of(&of_even)), 508);
    rig_send_indication(&even, text_of(&relayed[0]), "to 1");
    CHECK(got(&rig, &c[1], "to 1") && rig.packet_count == 1);
    rig_send_indication(&c[1], text_of(&of_even), "back");
    CHECK(got(&rig, &even, "back") && rig.packet_count == 1);
    rig_end(&rig);
}

LN_TEST(shared_ports, allocations_that_wait_for_one_socket_are_all_answered)
{
    struct rig rig;
    struct rig_client c[3];

    start(&rig, 1);
    rig.hold = true;
    for (unsigned i = 0; i < 3; i++) {
        c[i] = client(&rig, i);
        CHECK_EQUAL(rig_allocate(&c[i], NULL), -1);
    }
    CHECK_EQUAL(rig.held_count, 1);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 437); /* not there yet */
    rig_answer_held(&rig, 0);
    CHECK_EQUAL(rig.packet_count, 3);
    CHECK_EQUAL(rig_counts(&rig).allocations, 3);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99"), 0);
    rig_end(&rig);
}

LN_TEST(shared_ports, another_number_is_tried_and_if_none_opens_all_are_refused)
{
    struct rig rig;
    struct rig_client c[3];
    struct ln_address relayed;

    start(&rig, 1);
    rig.fail_opens = 3;
    c[0] = client(&rig, 0);
    CHECK_EQUAL(rig_allocate(&c[0], &relayed), 0);
    CHECK(rig_link_of(&rig, &relayed) != 0);
    CHECK_EQUAL(rig_refresh(&c[0], 0), 0);

    rig.hold = true;
    for (unsigned i = 0; i < 3; i++) {
        c[i] = client(&rig, i);
        CHECK_EQUAL(rig_allocate(&c[i], NULL), -1);
    }
    rig_answer_held(&rig, LN_ERR_LIMIT);
    CHECK_EQUAL(rig.packet_count, 3);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 0);
    CHECK_EQUAL(rig_counts(&rig).refused_capacity, 3);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 0);
    for (uint32_t port = 49152; port < 65536; port++)
        CHECK(!ln_turn_port_claimed(rig.shared, 0, (uint16_t)port));
    rig_end(&rig);
}

LN_TEST(shared_ports, a_socket_that_is_given_back_before_it_opens_is_closed)
{
    struct rig rig;
    struct rig_client c;

    start(&rig, 1);
    rig.hold = true;
    c = client(&rig, 0);
    CHECK_EQUAL(rig_allocate(&c, NULL), -1);
    ln_turn_server_free(rig.server);
    CHECK_EQUAL(ln_turn_shared_allocations(rig.shared), 0);
    rig.server = NULL;
    rig_end(&rig);
}

LN_TEST(shared_ports, one_that_the_system_closes_ends_its_allocations)
{
    struct rig rig;
    struct rig_client c[4];
    struct ln_address relayed[4];

    start(&rig, 2);
    allocate(&rig, c, relayed, 4);
    rig_close_link(&rig, rig_link_of(&rig, &relayed[0]));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 2);
    CHECK_EQUAL(rig_counts(&rig).shared_ports, 1);
    CHECK_EQUAL(rig_permit(&c[0], "198.51.100.99"), 437);
    CHECK_EQUAL(rig_permit(&c[1], "198.51.100.99"), 0);
    rig_end(&rig);
}

LN_TEST(shared_ports, both_families_have_their_own)
{
    struct rig rig;
    struct rig_client c[2];
    struct ln_stun_message answer;
    struct rig_call call;

    start(&rig, 1);
    for (unsigned i = 0; i < 2; i++) {
        c[i] = client(&rig, i);
        rig_begin(&call, &c[i], LN_STUN_ALLOCATE);
        ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
        ln_stun_add_u32(&call.b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
        CHECK_EQUAL(rig_call(&call, &answer), 0);
    }
    CHECK_EQUAL(rig_counts(&rig).shared_ports, 2);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 4);
    CHECK_EQUAL(rig_permit(&c[0], "2001:db8:9::1"), 0);
    CHECK_EQUAL(rig_permit(&c[1], "2001:db8:9::1"), 508);
    rig_begin(&call, &c[0], LN_STUN_REFRESH); /* without IPv6 from now on */
    ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, 0);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_ADDRESS_FAMILY, 2u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK_EQUAL(rig_permit(&c[1], "2001:db8:9::1"), 0);
    CHECK_EQUAL(rig_permit(&c[0], "2001:db8:9::1"), 443);
    CHECK_EQUAL(rig_counts(&rig).shared_relays, 3);
    rig_end(&rig);
}

/* What one client may claim is bounded, however many ports of ours he names. */
LN_TEST(shared_ports, claims_are_few_and_those_that_ended_make_room)
{
    struct rig rig;
    struct rig_client c[2], own;
    struct ln_address relayed[2], of_own[6];

    rig_init(&rig);
    rig.config.relay_ports = 1;
    rig.config.permissions_max = 4;
    rig_start(&rig);
    allocate(&rig, c, relayed, 2);
    for (unsigned i = 0; i < 6; i++) {
        own = client(&rig, 20 + 2 * i);
        CHECK_EQUAL(allocate_even(&own, 0, &of_own[i], NULL), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQUAL(rig_permit(&c[0], text_of(&of_own[i])), 0);
    CHECK_EQUAL(rig_permit(&c[0], text_of(&of_own[4])), 508);
    rig_send_indication(&c[0], text_of(&of_own[4]), "x");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_permit(&c[1], text_of(&of_own[4])), 0); /* it is not taken */
    rig_advance(&rig, LN_SECONDS(300));
    CHECK_EQUAL(rig_permit(&c[0], text_of(&of_own[5])), 0);
    rig_end(&rig);
}

/* Against a model: whoever got the permission last, while it lasts, and nobody else. */
LN_TEST(shared_ports, random_permissions_never_give_one_peer_to_two)
{
    struct rig rig;
    struct rig_client c[4];
    struct ln_address relayed[4];
    struct ln_rng rng;
    ln_time until[4][3] = { { 0 } };

    rig_init(&rig);
    rig.config.relay_ports = 2;
    rig.config.nonce_lifetime = LN_SECONDS(100000);
    rig_start(&rig);
    allocate(&rig, c, relayed, 4);
    ln_rng_seed(&rng, 5);
    for (int step = 0; step < 400; step++) {
        unsigned who = ln_rng_below(&rng, 4), peer = ln_rng_below(&rng, 3), other;
        bool taken = false;
        char address[32];

        snprintf(address, sizeof address, "198.51.100.%u:9", 90 + peer);
        for (other = 0; other < 4; other++)
            taken |= other != who && relayed[other].port == relayed[who].port &&
                     until[other][peer] > rig.now;
        if (ln_rng_below(&rng, 3) == 0) {
            CHECK_EQUAL(rig_permit(&c[who], address), taken ? 508 : 0);
            if (!taken)
                until[who][peer] = rig.now + LN_SECONDS(300);
        } else {
            unsigned receivers = 0;

            rig_from_peer(&rig, address, &relayed[who], "x");
            for (other = 0; other < 4; other++) {
                bool expected = relayed[other].port == relayed[who].port &&
                                until[other][peer] > rig.now;

                receivers += expected;
                CHECK(got(&rig, &c[other], expected ? "x" : NULL));
            }
            CHECK(receivers <= 1 && rig.packet_count == receivers);
        }
        rig_advance(&rig, LN_SECONDS(ln_rng_below(&rng, 60)));
        if (step % 8 == 0)
            for (other = 0; other < 4; other++)
                CHECK_EQUAL(rig_refresh(&c[other], 3600), 0);
    }
    rig_end(&rig);
}
