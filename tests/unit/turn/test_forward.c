/* SPDX-License-Identifier: Apache-2.0
 * Clients who move (RFC 8016) to where another worker hears them: two servers that share ports,
 * quotas and the key of tickets, and the test in between, which may lose parcels. */
#include "base/pool.h"
#include "tests/unit/turn/rig.h"

struct pair {
    struct rig home, front;
    struct ln_address relayed;
    uint8_t ticket[128];
    size_t ticket_len;
    struct rig_client client, away; /* at home, at the front */
    bool lossy;                     /* parcels are lost */
};

static void start(struct pair *p)
{
    memset(p, 0, sizeof *p);
    for (struct rig *rig = &p->home;; rig = &p->front) {
        rig_init(rig);
        rig->mobile = true;
        rig_listen_for_streams(rig);
        memset(rig->config.ticket_key, 9, sizeof rig->config.ticket_key);
        if (rig == &p->front)
            break;
        rig_start(rig);
    }
    p->front.shared = p->home.shared;
    p->front.config.worker = 1;
    rig_start(&p->front);
    p->client = rig_client(&p->home, "198.51.100.7:4000", "alice", "secret");
    p->away = rig_client(&p->front, "198.51.100.200:1234", "alice", "secret");
}

static void end(struct pair *p)
{
    rig_end(&p->front);
    rig_end(&p->home);
}

static bool carry_one(struct pair *p, struct rig *from)
{
    struct rig *to = from == &p->home ? &p->front : &p->home;
    unsigned worker;
    struct ln_buffer *parcel = ln_turn_server_poll_parcel(from->server, &worker);

    if (!parcel)
        return false;
    CHECK_EQUAL(worker, to->config.worker);
    if (!p->lossy)
        ln_turn_server_take_parcel(to->server, to->now, parcel);
    ln_buffer_unref(parcel);
    return true;
}

/* Until no parcel is left. */
static void carry(struct pair *p)
{
    while (carry_one(p, &p->home) || carry_one(p, &p->front))
        ;
    rig_drive(&p->home);
    rig_drive(&p->front);
}

static void take_ticket(struct pair *p, const struct ln_stun_message *answer)
{
    struct ln_bytes value;

    CHECK(ln_stun_find(answer, LN_STUN_MOBILITY_TICKET, &value) && value.len <= sizeof p->ticket);
    memcpy(p->ticket, value.data, value.len);
    p->ticket_len = value.len;
}

static void allocate(struct pair *p)
{
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, &p->client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, NULL, 0);
    CHECK_EQUAL(rig_call(&call, &answer), 0);
    CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, &p->relayed));
    take_ticket(p, &answer);
    CHECK_EQUAL(rig_bind(&p->client, 0x4000, "198.51.100.99:9"), 0);
}

/* A signed request from the client at the front, answered by way of the home: 0, the code, or -1.
 */
static int call_away(struct pair *p, struct rig_call *call, struct ln_stun_message *ret_answer)
{
    struct rig *rig = &p->front;
    struct ln_bytes reason;
    uint16_t code;
    int here = rig_call(call, ret_answer);

    if (here >= 0)
        return here; /* the front's own */
    carry(p);
    for (size_t i = 0; i < rig->packet_count; i++)
        if (ln_stun_parse(rig->packets[i].data, rig->packets[i].len, ret_answer) == 0 &&
            ln_stun_id_equal(&ret_answer->id, &call->b.id)) {
            CHECK(ln_address_equal(&rig->packets[i].path.remote, &call->client->path.remote));
            return ln_stun_find_error(ret_answer, &code, &reason) ? code : 0;
        }
    return -1;
}

static int move(struct pair *p, struct rig_client *client)
{
    struct ln_stun_message answer;
    struct rig_call call;
    int code;

    if (!client->nonce[0])
        CHECK_EQUAL(rig_refresh(client, 600), 437); /* learns a nonce, good at both */
    rig_begin(&call, client, LN_STUN_REFRESH);
    ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, p->ticket, p->ticket_len);
    code = call_away(p, &call, &answer);
    if (code == 0)
        take_ticket(p, &answer);
    return code;
}

static void say(struct pair *p, struct rig_client *client, const char *text)
{
    rig_send_channel(client, 0x4000, text);
    carry_one(p, &p->front);
    rig_drive(&p->home);
}

/* Whether what a peer says comes out at the front, as data on the channel to this client. */
static bool hears(struct pair *p, const struct rig_client *client, const char *text)
{
    rig_from_peer(&p->home, "198.51.100.99:9", &p->relayed, text);
    CHECK_EQUAL(p->home.packet_count, 0);
    carry(p);
    return p->front.packet_count == 1 && p->front.packets[0].len >= 4 + strlen(text) &&
           memcmp(p->front.packets[0].data + 4, text, strlen(text)) == 0 &&
           ln_address_equal(&p->front.packets[0].path.remote, &client->path.remote);
}

static void on_stream(struct pair *p, struct rig_client *client)
{
    char from[LN_ADDRESS_TEXT_MAX];

    client->path.link = rig_open_stream(&p->front, ln_address_format(&client->path.remote, from));
    client->stream = true;
}

LN_TEST(forward, an_allocation_is_moved_to_where_another_worker_hears_its_client)
{
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    CHECK_EQUAL(rig_counts(&p.home).moved, 1);
    say(&p, &p.away, "hello");
    CHECK(rig_sent(&p.home, 0, "198.51.100.99:9", "hello"));
    CHECK(hears(&p, &p.away, "world"));
    rig_send_channel(&p.client, 0x4000, "late"); /* the old address is nobody's */
    CHECK_EQUAL(p.home.packet_count, 0);
    CHECK_EQUAL(rig_counts(&p.home).dropped_no_allocation, 1);
    CHECK_EQUAL(ln_turn_server_allocations(p.home.server), 1);
    CHECK_EQUAL(ln_turn_server_allocations(p.front.server), 0);
    CHECK(rig_counts(&p.front).forwarded >= 2);
    end(&p);
}

LN_TEST(forward, what_icmp_says_about_a_peer_is_told_by_way_of_the_front)
{
    struct ln_icmp nobody_listens = { .type = 3, .code = 3 };
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    say(&p, &p.away, "hello");
    rig_icmp(&p.home, &p.relayed, "198.51.100.99:9", nobody_listens);
    CHECK_EQUAL(p.home.packet_count, 0);
    carry(&p);
    CHECK(p.front.packet_count == 1 &&
          ln_address_equal(&p.front.packets[0].path.remote, &p.away.path.remote) &&
          rig_is_icmp(p.front.packets[0].data, p.front.packets[0].len, "198.51.100.99:9",
                      nobody_listens));
    end(&p);
}

LN_TEST(forward, data_takes_the_old_way_until_the_new_one_has_sent_some)
{
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    rig_from_peer(&p.home, "198.51.100.99:9", &p.relayed, "world");
    CHECK(p.home.packet_count == 1 &&
          ln_address_equal(&p.home.packets[0].path.remote, &p.client.path.remote));
    say(&p, &p.away, "x");
    CHECK(hears(&p, &p.away, "world"));
    end(&p);
}

LN_TEST(forward, requests_of_all_kinds_are_answered_by_way_of_the_front)
{
    struct ln_address peer = rig_address("198.51.100.77:7");
    struct ln_stun_message answer;
    struct rig_call call;
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    rig_begin(&call, &p.away, LN_STUN_CREATE_PERMISSION);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &peer);
    CHECK_EQUAL(call_away(&p, &call, &answer), 0);
    rig_begin(&call, &p.away, LN_STUN_CHANNEL_BIND);
    ln_stun_add_u32(&call.b, LN_STUN_CHANNEL_NUMBER, 0x4001u << 16);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &peer);
    CHECK_EQUAL(call_away(&p, &call, &answer), 0);
    rig_begin(&call, &p.away, LN_STUN_ALLOCATE); /* he has one */
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    CHECK_EQUAL(call_away(&p, &call, &answer), 437);
    rig_begin(&call, &p.away, LN_STUN_BINDING); /* the front's own */
    CHECK_EQUAL(rig_call_unsigned(&call, &answer), 0);
    rig_begin(&call, &p.away, LN_STUN_REFRESH);
    CHECK_EQUAL(call_away(&p, &call, &answer), 0);
    take_ticket(&p, &answer);
    end(&p);
}

LN_TEST(forward, it_moves_on_to_a_third_address_and_back_home)
{
    struct rig_client third, back;
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    say(&p, &p.away, "x");
    third = rig_client(&p.front, "198.51.100.201:1", "alice", "secret");
    CHECK_EQUAL(move(&p, &third), 0);
    say(&p, &third, "x");
    CHECK(hears(&p, &third, "world"));
    carry(&p);
    CHECK_EQUAL(rig_refresh(&p.away, 600), 437); /* the front has forgotten him */
    back = rig_client(&p.home, "198.51.100.8:8", "alice", "secret");
    CHECK_EQUAL(rig_refresh(&back, 600), 437);
    {
        struct ln_stun_message answer;
        struct rig_call call;

        rig_begin(&call, &back, LN_STUN_REFRESH);
        ln_stun_add(&call.b, LN_STUN_MOBILITY_TICKET, p.ticket, p.ticket_len);
        CHECK_EQUAL(rig_call(&call, &answer), 0);
    }
    rig_send_channel(&back, 0x4000, "home");
    CHECK(rig_sent(&p.home, 0, "198.51.100.99:9", "home"));
    carry(&p);
    CHECK_EQUAL(rig_refresh(&third, 600), 437);
    end(&p);
}

LN_TEST(forward, a_stream_is_cut_by_the_front_and_tells_when_it_ends)
{
    struct pair p;

    start(&p);
    allocate(&p);
    on_stream(&p, &p.away);
    CHECK_EQUAL(move(&p, &p.away), 0);
    say(&p, &p.away, "hello"); /* with padding */
    CHECK(rig_sent(&p.home, 0, "198.51.100.99:9", "hello"));
    CHECK(hears(&p, &p.away, "world") && p.front.packets[0].len == 12);
    CHECK_EQUAL(rig_counts(&p.home).transport[LN_TURN_TCP].allocations, 1);
    rig_advance(&p.front, LN_SECONDS(60)); /* no guest */
    CHECK_EQUAL(rig_counts(&p.front).streams_timed_out, 0);
    rig_close_link(&p.front, p.away.path.link);
    carry(&p);
    CHECK_EQUAL(ln_turn_server_allocations(p.home.server), 1); /* adrift */
    rig_advance(&p.home, LN_TURN_ADRIFT + 1);
    CHECK_EQUAL(ln_turn_server_allocations(p.home.server), 0);
    end(&p);
}

LN_TEST(forward, both_forget_him_when_the_allocation_ends)
{
    struct ln_stun_message answer;
    struct rig_call call;
    struct pair p;
    size_t before;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(rig_refresh(&p.away, 600), 437);
    before = test_allocator()->live_blocks;
    CHECK_EQUAL(move(&p, &p.away), 0);
    say(&p, &p.away, "x");
    rig_begin(&call, &p.away, LN_STUN_REFRESH);
    ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, 0);
    CHECK_EQUAL(call_away(&p, &call, &answer), 0);
    carry(&p);
    CHECK_EQUAL(ln_turn_server_allocations(p.home.server), 0);
    CHECK_EQUAL(rig_refresh(&p.away, 600), 437);
    CHECK(test_allocator()->live_blocks < before + 8);
    end(&p);
}

LN_TEST(forward, a_silent_client_is_forgotten_though_his_worker_said_nothing)
{
    struct pair p;

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    p.lossy = true; /* the word that the allocation ended is lost */
    rig_advance(&p.home, LN_SECONDS(700));
    carry(&p);
    CHECK_EQUAL(ln_turn_server_allocations(p.home.server), 0);
    p.lossy = false;
    say(&p, &p.away, "x"); /* it is said again when he is heard */
    carry(&p);
    CHECK_EQUAL(rig_refresh(&p.away, 600), 437);
    rig_end(&p.front);
    rig_end(&p.home);

    start(&p);
    allocate(&p);
    CHECK_EQUAL(move(&p, &p.away), 0);
    p.lossy = true;
    rig_advance(&p.front, LN_TURN_LIFETIME_MAX + 1);
    carry(&p);
    CHECK_EQUAL(rig_refresh(&p.away, 600), 437); /* the front's own answer */
    end(&p);
}

LN_TEST(forward_attack, nothing_is_kept_of_a_move_that_is_refused)
{
    struct rig_client bob;
    struct pair p;
    size_t before = 0;

    start(&p);
    allocate(&p);
    bob = rig_client(&p.front, "198.51.100.66:6", "bob", "hunter2");
    CHECK_EQUAL(rig_refresh(&bob, 600), 437);
    for (int i = 0; i < 8; i++) { /* at first rings and buffers grow */
        before = test_allocator()->live_blocks;
        bob.password = "hunter2";
        CHECK_EQUAL(move(&p, &bob), 441);
        bob.password = "wrong";
        CHECK_EQUAL(move(&p, &bob), 401);
        p.ticket[20] ^= 1;
        CHECK_EQUAL(move(&p, &bob), 401); /* a forged one does not leave the front */
        p.ticket[20] ^= 1;
    }
    CHECK_EQUAL(rig_counts(&p.home).tickets_of_others, 8);
    CHECK(test_allocator()->live_blocks <= before);
    CHECK_EQUAL(rig_counts(&p.home).moved, 0);
    rig_send_channel(&bob, 0x4000, "x");
    CHECK(!carry_one(&p, &p.front));
    end(&p);
}

LN_TEST(forward_attack, a_ticket_serves_once_whichever_worker_it_is_shown)
{
    struct rig_client thief;
    uint8_t used[128];
    struct pair p;

    start(&p);
    allocate(&p);
    memcpy(used, p.ticket, sizeof used);
    CHECK_EQUAL(move(&p, &p.away), 0);
    memcpy(p.ticket, used, sizeof used);
    thief = rig_client(&p.front, "198.51.100.66:6", "alice", "secret");
    CHECK_EQUAL(move(&p, &thief), 400);
    CHECK_EQUAL(rig_counts(&p.home).tickets_replayed, 1);
    end(&p);
}
