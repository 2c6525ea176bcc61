/* SPDX-License-Identifier: Apache-2.0
 * Clients on streams: framing, bounds, patience. */
#include "tests/unit/turn/rig.h"

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_listen_for_streams(rig);
    rig->config.streams_max = 8;
    rig->config.streams_per_source_max = 3;
    rig_start(rig);
}

static void start_with_alice(struct rig *rig, struct rig_client *ret_alice,
                             struct ln_address *ret_relayed)
{
    start(rig);
    *ret_alice = rig_stream_client(rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(ret_alice, ret_relayed), 0);
}

/* Whether a client may come from there. */
static bool admits(struct rig *rig, const char *from)
{
    return rig_open_stream(rig, from) != rig->closed_stream;
}

LN_TEST(stream, an_allocation_over_tcp_relays_padded_channel_data)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_send_channel(&alice, 0x4000, "hello"); /* with its padding */
    CHECK(rig_sent(&rig, 0, "198.51.100.99:9", "hello"));
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, "world");
    CHECK(rig.packet_count == 1 && rig.packets[0].len == 12 && rig.packets[0].data[11] == 0);
    rig_end(&rig);
}

LN_TEST(stream, what_icmp_says_about_a_peer_is_told_over_tcp)
{
    struct ln_icmp nobody_listens = { .type = 3, .code = 3 };
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;

    start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    rig_icmp(&rig, &relayed, "198.51.100.99:9", nobody_listens);
    CHECK(rig.packets[0].path.link == alice.path.link &&
          rig_got_icmp(&alice, "198.51.100.99:9", nobody_listens));
    rig_end(&rig);
}

/* ATTACKS 23 */
LN_TEST(attack_23, pieces_of_any_size_make_the_same_messages)
{
    for (size_t size = 1; size <= 16; size++) {
        struct rig rig;
        struct rig_client alice;
        uint8_t data[] = { 0x40, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0x40, 0, 0, 0 };
        size_t sent = 0;

        start_with_alice(&rig, &alice, NULL);
        CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
        for (size_t at = 0; at < sizeof data; at += size) {
            rig_receive(&rig, &alice.path, data + at,
                        sizeof data - at < size ? sizeof data - at : size);
            for (size_t i = 0; i < rig.packet_count; i++)
                sent += rig_sent(&rig, i, "198.51.100.99:9", sent == 0 ? "hello" : "");
        }
        CHECK_EQUAL(sent, 2);
        rig_end(&rig);
    }
}

LN_TEST(attack_23, a_stream_out_of_step_is_closed)
{
    struct rig rig;
    struct rig_client alice;

    start_with_alice(&rig, &alice, NULL);
    rig_receive(&rig, &alice.path, "\x80garbage", 8);
    CHECK_EQUAL(rig.closed_stream, alice.path.link);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(rig_counts(&rig).streams_broken, 1);
    rig_receive(&rig, &alice.path, "late", 4); /* nobody is there any more */
    rig_end(&rig);
}

/* ATTACKS 19, and slow loris */
LN_TEST(attack_19, guests_are_few_and_leave_after_30_s)
{
    struct rig rig;
    ln_link first;

    start(&rig);
    first = rig_open_stream(&rig, "198.51.100.7:4000");
    CHECK(rig.closed_stream == 0 && admits(&rig, "198.51.100.7:4001"));
    CHECK(admits(&rig, "198.51.100.7:4002"));
    CHECK(!admits(&rig, "198.51.100.7:4003")); /* three of one source */
    for (int i = 0; i < 5; i++) {
        char text[] = "198.51.100.10:4000";

        text[12] = (char)('1' + i);
        CHECK(admits(&rig, text));
    }
    CHECK(!admits(&rig, "198.51.100.20:4000")); /* eight in all */
    CHECK_EQUAL(rig_counts(&rig).streams_refused, 2);
    rig_advance(&rig, LN_SECONDS(29));
    rig_receive(&rig, &(struct ln_path){ .link = first }, "\x00", 1); /* a byte now and then */
    rig_advance(&rig, LN_SECONDS(1));
    CHECK_EQUAL(rig_counts(&rig).streams_timed_out, 8);
    CHECK(admits(&rig, "198.51.100.7:4004"));
    rig_end(&rig);
}

LN_TEST(stream, one_with_an_allocation_may_be_silent_but_not_stop_within_a_frame)
{
    struct rig rig;
    struct rig_client alice;

    start_with_alice(&rig, &alice, NULL);
    rig_advance(&rig, LN_SECONDS(500));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_receive(&rig, &alice.path, "\x40\x00\x00\x08half", 8);
    rig_advance(&rig, LN_SECONDS(29));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 1);
    rig_advance(&rig, LN_SECONDS(1));
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    rig_end(&rig);
}

LN_TEST(stream, a_client_that_reads_nothing_loses_data_and_nothing_else)
{
    struct rig rig;
    struct rig_client alice;
    struct ln_address relayed;
    char text[1001];

    start_with_alice(&rig, &alice, &relayed);
    CHECK_EQUAL(rig_bind(&alice, 0x4000, "198.51.100.99:9"), 0);
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (int i = 0; i < 100; i++)
        rig_from_peer(&rig, "198.51.100.99:9", &relayed, text);
    CHECK(rig_counts(&rig).dropped_stream_full >= 35);
    rig_make_writable(&rig, alice.path.link, 65536);
    rig_from_peer(&rig, "198.51.100.99:9", &relayed, text);
    CHECK_EQUAL(rig.packet_count, 1);
    rig_end(&rig);
}

LN_TEST(stream, its_end_ends_the_allocation)
{
    struct rig rig;
    struct rig_client alice;

    start_with_alice(&rig, &alice, NULL);
    rig_close_link(&rig, alice.path.link);
    CHECK_EQUAL(ln_turn_server_allocations(rig.server), 0);
    CHECK_EQUAL(rig.open_count, 2); /* the listeners */
    rig_end(&rig);
}
