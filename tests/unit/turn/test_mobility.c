/* SPDX-License-Identifier: Apache-2.0
 * Allocations that move along with their client (RFC 8016), and tickets that are not his. */
#include "tests/unit/turn/rig.h"

struct ticket {
    uint8_t bytes[128];
    size_t len;
};

static void start(struct rig *rig)
{
    rig_init(rig);
    rig->mobile = true;
    rig_listen_for_streams(rig);
    rig_start(rig);
}

/* Of the last answer; empty when there was none. */
static void take_ticket(const struct ln_stun_message *answer, struct ticket *ret_ticket)
{
    struct ln_bytes value = { NULL, 0 };

    (void)ln_stun_find(answer, LN_STUN_MOBILITY_TICKET, &value);
    CHECK(value.len <= sizeof ret_ticket->bytes);
    ret_ticket->len = value.len;
    if (value.len > 0)
        memcpy(ret_ticket->bytes, value.data, value.len);
}

static int allocate(struct rig_client *client, struct ln_address *ret_relayed,
                    struct ticket *ret_ticket)
{
    struct ln_stun_message answer;
    struct rig_call call;
    int code;

    rig_begin(&call, client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, NULL, 0);
    code = rig_call(&call, &answer);
    if (code == 0) {
        CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, ret_relayed));
        take_ticket(&answer, ret_ticket);
    }
    return code;
}

/* A Refresh from there with the ticket, which is replaced by the new one. The nonce is the
 * client's own, as it is good for one IP address: 438 is answered by itself. */
static int move_for(struct rig_client *client, struct ticket *ticket, uint32_t lifetime)
{
    struct ln_stun_message answer;
    struct rig_call call;
    int code = 438;

    for (int i = 0; i < 2 && code == 438; i++) {
        rig_begin(&call, client, LN_STUN_REFRESH);
        ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, lifetime);
        ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, ticket->bytes, ticket->len);
        code = rig_call(&call, &answer);
    }
    if (code == 0)
        take_ticket(&answer, ticket);
    return code;
}

static int move(struct rig_client *client, struct ticket *ticket)
{
    return move_for(client, ticket, 600);
}

static struct rig_client alice_at(struct rig *rig, const char *address)
{
    return rig_client(rig, address, "alice", "secret");
}

static struct rig_client alice_on_stream(struct rig *rig, const char *from)
{
    return rig_stream_client(rig, from, "alice", "secret");
}

/* What came last went to this client, as five bytes on a channel. */
static bool got(const struct rig *rig, const struct rig_client *client, const char *text)
{
    return rig->packet_count == 1 && rig->packets[0].len >= 4 + strlen(text) &&
           ln_address_equal(&rig->packets[0].path.remote, &client->path.remote) &&
           memcmp(rig->packets[0].data + 4, text, strlen(text)) == 0;
}

LN_TEST(mobility, an_allocation_follows_its_client_to_another_address)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket, first;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK(ticket.len > 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    first = ticket;
    CHECK_EQUAL(move(&away, &ticket), 0);
    CHECK(ticket.len == first.len && memcmp(ticket.bytes, first.bytes, first.len) != 0);
    rig_send_channel(&away, 0x4000, "hello"); /* the same channel, permission and relay */
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &away, "world"));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    CHECK_EQUAL(rig_counts(&rig).moved, 1);
    rig_end(&rig);
}

LN_TEST(mobility, on_a_shared_port_what_the_client_may_receive_moves_along)
{
    struct rig rig;
    struct rig_client home, away, other;
    struct ln_address relayed, same;
    struct ticket ticket;

    rig_init(&rig);
    rig.mobile = true;
    rig.config.relay_ports = 1;
    rig_start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    other = rig_client(&rig, "198.51.100.8:4000", "bob", "hunter2");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_allocate(&other, &same), 0);
    CHECK(ln_address_equal(&relayed, &same));
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    CHECK_EQUAL(move(&away, &ticket), 0);
    CHECK_EQUAL(rig_permit(&other, "198.51.100.99"), 508);
    rig_send_channel(&away, 0x4000, "hello");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &away, "world") && rig.packet_count == 1);
    CHECK_EQUAL(rig_refresh(&away, 0), 0);
    CHECK_EQUAL(rig_permit(&other, "198.51.100.99"), 0);
    rig_end(&rig);
}

LN_TEST(mobility, data_takes_the_old_way_until_the_new_one_has_sent_some)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &home, "world"));
    rig_send_channel(&home, 0x4000, "still");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "still"));
    CHECK_EQUAL(rig_permit(&away, "198.51.100.98"), 0); /* no data: it decides nothing */
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "again");
    CHECK(got(&rig, &home, "again"));

    rig_send_indication(&away, "198.51.100.99:9", "here");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "here"));
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "there");
    CHECK(got(&rig, &away, "there"));
    rig_send_channel(&home, 0x4000, "late");
    CHECK_EQUAL(rig.packet_count, 0);
    CHECK_EQUAL(rig_counts(&rig).dropped_no_allocation, 1);
    CHECK_EQUAL(rig_refresh(&home, 600), 437);
    rig_end(&rig);
}

LN_TEST(mobility, a_lost_answer_is_given_again_to_the_same_request_alone)
{
    struct rig rig;
    struct rig_client home, away, other;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct ticket ticket, old;
    struct rig_call call;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    other = alice_at(&rig, "198.51.100.200:1235");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_refresh(&away, 600), 437); /* learns a nonce */
    old = ticket;
    CHECK_EQUAL(move(&away, &ticket), 0);
    for (int spoken = 0; spoken < 2; spoken++) { /* before it sent data, and after */
        rig_repeat_id(&call, &away, LN_STUN_REFRESH, away.next_id);
        ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, old.bytes, old.len);
        CHECK_EQUAL(rig_call(&call, &answer), 0);
        take_ticket(&answer, &ticket);
        CHECK(ticket.len > 0);
        rig_send_channel(&away, 0x4000, "x");
    }
    CHECK_EQUAL(rig_counts(&rig).moved, 1);
    memcpy(other.nonce, away.nonce, sizeof other.nonce);
    rig_repeat_id(&call, &other, LN_STUN_REFRESH, away.next_id);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, old.bytes, old.len);
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    CHECK_EQUAL(move(&other, &ticket), 0); /* the new one is good */
    rig_end(&rig);
}

LN_TEST(mobility, it_may_move_on_and_back_before_it_sent_anything)
{
    struct rig rig;
    struct rig_client home, one, two;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    one = alice_at(&rig, "198.51.100.200:1");
    two = alice_at(&rig, "198.51.100.201:2");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    CHECK_EQUAL(move(&one, &ticket), 0);
    CHECK_EQUAL(move(&two, &ticket), 0);
    CHECK_EQUAL(rig_refresh(&one, 600), 437);
    CHECK_EQUAL(move(&home, &ticket), 0);
    CHECK_EQUAL(rig_refresh(&two, 600), 437);
    CHECK_EQUAL(rig_refresh(&home, 600), 0);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &home, "world"));
    CHECK_EQUAL(move(&two, &ticket), 0);
    rig_send_channel(&two, 0x4000, "x");
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &two, "world"));
    rig_end(&rig);
}

LN_TEST(mobility, it_moves_between_datagrams_and_streams)
{
    struct rig rig;
    struct rig_client home, stream, back;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    stream = alice_on_stream(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(move(&stream, &ticket), 0);
    rig_send_channel(&stream, 0x4000, "hello");
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &stream, "world"));
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TCP].allocations, 1);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_UDP].allocations, 0);
    rig_advance(&rig, LN_SECONDS(60)); /* it is no guest */
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 0);
    back = alice_at(&rig, "198.51.100.8:4001");
    CHECK_EQUAL(move(&back, &ticket), 0);
    rig_send_channel(&back, 0x4000, "hello");
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_TCP].allocations, 0);
    rig_advance(&rig, LN_SECONDS(60)); /* the stream is one again, and goes */
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

LN_TEST(mobility, an_allocation_whose_stream_broke_waits_for_its_client)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_on_stream(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    rig_close_link(&rig, home.path.link);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "lost");
    CHECK_EQUAL(rig.packet_count, 0);
    rig_advance(&rig, LN_SECONDS(20));
    away = alice_on_stream(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world"); /* there is no other way */
    CHECK(got(&rig, &away, "world"));
    rig_advance(&rig, LN_SECONDS(60));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);

    rig_close_link(&rig, away.path.link);
    rig_advance(&rig, LN_TURN_ADRIFT + 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(move(&home, &ticket), -1); /* a stream that is no more */
    home = alice_at(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(move(&home, &ticket), 437);
    rig_end(&rig);
}

static int refresh_family(struct rig_client *client, uint32_t family, uint32_t lifetime)
{
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_REFRESH);
    ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, lifetime);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_ADDRESS_FAMILY, family << 24);
    return rig_call(&call, &answer);
}

LN_TEST(mobility, an_allocation_without_a_stream_ends_with_the_family_that_is_left)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;

    start(&rig);
    alice = alice_on_stream(&rig, "198.51.100.7:4000");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add_u32(&call.b, LN_STUN_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, NULL, 0);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    rig_advance(&rig, LN_SECONDS(500));
    CHECK_EQUAL(refresh_family(&alice, 1, 600), 0); /* until 1100 s */
    rig_advance(&rig, LN_SECONDS(95));
    CHECK_EQUAL(refresh_family(&alice, 1, 0), 0); /* what is left ends at 600 s */
    rig_close_link(&rig, alice.path.link);
    rig_advance(&rig, LN_SECONDS(5) - 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_advance(&rig, 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    rig_end(&rig);
}

LN_TEST(mobility, an_old_stream_that_breaks_during_the_move_leaves_the_new_way)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_on_stream(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    away = alice_on_stream(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_close_link(&rig, away.path.link); /* the new one first: the old one stays */
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &home, "world"));
    away = alice_on_stream(&rig, "198.51.100.200:1235");
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_close_link(&rig, home.path.link);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &away, "world"));
    rig_end(&rig);
}

LN_TEST(mobility, tickets_are_for_those_who_ask)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;
    struct ticket ticket = { { 1 }, 1 };

    start(&rig);
    alice = alice_at(&rig, "198.51.100.7:4000");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    take_ticket(&answer, &ticket);
    CHECK_EQUAL(ticket.len, 0);
    CHECK_EQUAL(rig_refresh(&alice, 0), 0);

    rig_begin(&call, &alice, LN_STUN_ALLOCATE); /* one of its own is no wish */
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, "?", 1);
    CHECK_EQUAL(rig_call(&call, &answer), 400);
    rig_end(&rig);
}

LN_TEST(mobility, each_refresh_brings_a_ticket_that_lives_as_long)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct ticket ticket, first;
    struct rig_call call;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &first), 0);
    for (int i = 0; i < 3; i++) {
        rig_advance(&rig, LN_SECONDS(500));
        rig_begin(&call, &home, LN_STUN_REFRESH);
        CHECK_EQUAL(rig_call(&call, &answer), 0);
        take_ticket(&answer, &ticket);
    }
    CHECK_EQUAL(move(&away, &first), 400);
    CHECK_EQUAL(rig_counts(&rig).tickets_expired, 1);
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_end(&rig);
}

LN_TEST(mobility, the_operator_may_forbid_it)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;
    struct ln_turn_config config;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    config = rig.config;
    config.no_mobility = true;
    ln_turn_server_reload(rig.server, &config);
    CHECK_EQUAL(move(&away, &ticket), 405);
    CHECK_EQUAL(allocate(&away, &relayed, &ticket), 405);
    CHECK_EQUAL(rig_allocate(&away, &relayed), 0);
    CHECK_EQUAL(rig_refresh(&home, 600), 0); /* what is there goes on */
    rig_end(&rig);
}

LN_TEST(mobility, an_allocation_of_tcp_stays_where_it_is)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_stun_message answer;
    struct rig_call call;

    rig_init(&rig);
    rig.mobile = rig.config.tcp_relay = true;
    rig_listen_for_streams(&rig);
    rig_start(&rig);
    alice = alice_on_stream(&rig, "198.51.100.7:4000");
    rig_begin(&call, &alice, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 6u << 24);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, NULL, 0);
    CHECK_EQUAL(rig_call(&call, &answer), 405);
    rig_end(&rig);
}

LN_TEST(mobility, an_allocation_may_be_given_back_from_the_new_address)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(move_for(&away, &ticket, 0), 0);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(rig_refresh(&home, 600), 437);
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(move(&away, &ticket), 0);
    CHECK_EQUAL(rig_refresh(&away, 0), 0); /* also while two addresses are its client's */
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    rig_end(&rig);
}

LN_TEST(mobility, it_is_told_when_an_allocation_moved)
{
    struct rig rig;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket;
    struct ln_turn_event event;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    while (ln_turn_server_poll_event(rig.server, &event))
        ;
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_send_channel(&away, 0x4000, "x");
    CHECK(ln_turn_server_poll_event(rig.server, &event));
    CHECK(event.kind == LN_TURN_EVENT_MOVED && strcmp(event.user, "alice") == 0 &&
          ln_address_equal(&event.client, &away.path.remote) && event.allocation == 1);
    rig_end(&rig);
}

/* ATTACKS 21: what others may try with tickets. */
LN_TEST(mobility_attack, a_ticket_of_another_user_is_refused)
{
    struct rig rig;
    struct rig_client home, bob;
    struct ln_address relayed, own;
    struct ticket ticket, his;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    bob = rig_client(&rig, "198.51.100.66:6", "bob", "hunter2");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_bind(&home, 0x4000, "198.51.100.99:9"), 0);
    CHECK_EQUAL(move(&bob, &ticket), 441);
    CHECK_EQUAL(move_for(&bob, &ticket, 0), 441);
    CHECK_EQUAL(allocate(&bob, &own, &his), 0);
    CHECK_EQUAL(move(&bob, &ticket), 441); /* nor with an allocation of his own */
    CHECK_EQUAL(rig_counts(&rig).tickets_of_others, 3);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(got(&rig, &home, "world"));
    CHECK_EQUAL(rig_counts(&rig).moved, 0);
    rig_end(&rig);
}

LN_TEST(mobility_attack, a_ticket_that_was_used_is_refused)
{
    struct rig rig;
    struct rig_client home, away, thief;
    struct ln_address relayed;
    struct ticket ticket, used;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    thief = alice_at(&rig, "198.51.100.66:6"); /* even with the password */
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    used = ticket;
    CHECK_EQUAL(move(&away, &ticket), 0);
    CHECK_EQUAL(move(&thief, &used), 400);
    CHECK_EQUAL(move(&home, &used), 400);
    rig_send_channel(&away, 0x4000, "x");
    CHECK_EQUAL(move(&home, &used), 400);
    CHECK_EQUAL(rig_counts(&rig).tickets_replayed, 3);
    CHECK_EQUAL(move(&away, &ticket), 400); /* where it is already (RFC 8016, 3.2.2) */
    CHECK_EQUAL(rig_counts(&rig).moved, 1);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_end(&rig);
}

/* A captured request is bound to the IP address by its nonce, and to the port by the serial. */
LN_TEST(mobility_attack, a_captured_request_moves_nothing)
{
    struct rig rig;
    struct rig_client home, away, thief;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct ticket ticket, used;
    struct rig_call call, replay;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    CHECK_EQUAL(rig_refresh(&away, 600), 437); /* learns a nonce */
    used = ticket;
    CHECK_EQUAL(move(&away, &ticket), 0);
    for (int same_ip = 0; same_ip < 2; same_ip++) {
        thief = alice_at(&rig, same_ip ? "198.51.100.200:9999" : "198.51.100.66:6");
        memcpy(thief.nonce, away.nonce, sizeof thief.nonce);
        rig_repeat_id(&replay, &thief, LN_STUN_REFRESH, away.next_id);
        ln_stun_add(&replay.b, LN_STUN_MOBILITY_TICKET, used.bytes, used.len);
        CHECK_EQUAL(rig_call(&replay, &answer), same_ip ? 400 : 438);
    }
    rig_begin(&call, &away, LN_STUN_REFRESH); /* unsigned: a challenge, whatever the ticket */
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, ticket.bytes, ticket.len);
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 401);
    CHECK_EQUAL(rig_counts(&rig).moved, 1);
    rig_end(&rig);
}

LN_TEST(mobility_attack, a_forged_ticket_is_refused_whatever_bit_was_changed)
{
    struct rig rig, other;
    struct rig_client home, away;
    struct ln_address relayed;
    struct ticket ticket, forged;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    away = alice_at(&rig, "198.51.100.200:1234");
    CHECK_EQUAL(allocate(&home, &relayed, &ticket), 0);
    for (size_t i = 0; i < ticket.len * 8; i++) {
        forged = ticket;
        forged.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_EQUAL(move(&away, &forged), 400);
    }
    for (size_t len = 0; len < ticket.len; len++) {
        forged = ticket;
        forged.len = len;
        CHECK_EQUAL(move(&away, &forged), 400);
    }
    forged = ticket;
    forged.bytes[forged.len++] = 0;
    CHECK_EQUAL(move(&away, &forged), 400);
    CHECK_EQUAL(rig_counts(&rig).tickets_forged, ticket.len * 9 + 1);
    CHECK_EQUAL(rig_counts(&rig).moved, 0);

    start(&other); /* another server, or this one after a restart */
    away.rig = &other;
    away.nonce[0] = '\0';
    CHECK_EQUAL(move(&away, &ticket), 400);
    CHECK_EQUAL(rig_counts(&other).tickets_forged, 1);
    rig_end(&other);
    away.rig = &rig;
    away.nonce[0] = '\0';
    CHECK_EQUAL(move(&away, &ticket), 0);
    rig_end(&rig);
}

LN_TEST(mobility_attack, nothing_of_an_allocation_can_be_read_in_its_ticket)
{
    struct rig rig;
    struct rig_client home;
    struct ln_stun_message answer;
    struct ln_address relayed;
    struct ticket a, b;
    struct rig_call call;
    size_t same = 0;

    start(&rig);
    home = alice_at(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(allocate(&home, &relayed, &a), 0);
    rig_begin(&call, &home, LN_STUN_REFRESH); /* the same content at the same moment */
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    take_ticket(&answer, &b);
    CHECK_EQUAL(a.len, b.len);
    for (size_t i = 0; i < a.len; i++)
        same += a.bytes[i] == b.bytes[i];
    CHECK(same < 8);
    rig_end(&rig);
}

LN_TEST(mobility_attack, moving_for_ever_leaves_nothing_behind)
{
    struct rig rig;
    struct rig_client at;
    struct ln_address relayed;
    struct ticket ticket;
    struct ln_turn_event event;
    size_t live = 0;
    char text[32];

    start(&rig);
    at = alice_at(&rig, "198.51.100.7:4000");
    CHECK_EQUAL(allocate(&at, &relayed, &ticket), 0);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "198.51.100.7:%u", 5000 + i);
        at.path.remote = rig_address(text);
        CHECK_EQUAL(move(&at, &ticket), 0);
        if (i % 3 == 0)
            rig_send_channel(&at, 0x4000, "x");
        while (ln_turn_server_poll_event(rig.server, &event))
            ;
        if (i == 9)
            live = test_allocator()->live_bytes;
    }
    CHECK(test_allocator()->live_bytes <= live + 4096); /* of maps that grew */
    CHECK_EQUAL(rig_counts(&rig).moved, 500);
    CHECK_EQUAL(rig_counts(&rig).transport[LN_TURN_UDP].allocations, 1);
    rig_end(&rig);
}
