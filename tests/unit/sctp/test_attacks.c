/* SPDX-License-Identifier: Apache-2.0
 * What a peer that knows the tags may send: attacks 55 to 60, and the rules of unknown things. */
#include "tests/unit/sctp/victim.h"

#include "base/bytes.h"
#include "sctp/packet.h"

#define INIT_HEX "01 00 0014 00000007 00100000 ffff ffff 000003e8"

/* Attack 55. */
LN_TEST(sctp_attacks, init_with_cut_parameters_is_dropped)
{
    static const char *const cases[] = {
        "01 00 0014 00000007 00100000 0001 0001 000003e8 ", /* whole: answered */
        "01 00 0013 00000007 00100000 0001 0001 0003e8 00",
        "01 00 0016 00000007 00100000 0001 0001 000003e8 8008 0000",
        "01 00 0018 00000007 00100000 0001 0001 000003e8 8008 0003",
        "01 00 0018 00000007 00100000 0001 0001 000003e8 0007 ffff",
        "01 00 0018 00000007 00100000 0001 0001 000003e8 0005 0008", /* address cut by the end */
        "01 00 0014 00000000 00100000 0001 0001 000003e8",           /* tag 0 */
    };
    struct ln_sctp_config config;
    struct victim v;
    uint8_t chunks[64];

    ln_sctp_config_init(&config);
    victim_create(&v, &config);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = test_hex(cases[i], chunks, sizeof chunks);

        victim_tell_raw(&v, 0, chunks, len);
        CHECK_EQUAL(victim_hear(&v), i == 0);
    }
    CHECK_EQUAL(victim_stats(&v).dropped_malformed, 6);
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_NEW);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, addresses_in_init_are_passed_over)
{
    struct ln_sctp_config config;
    struct victim v;
    uint8_t chunks[64];
    size_t len = test_hex("01 00 0030 00000007 00100000 0001 0001 000003e8"
                          "0005 0008 7f000001 0006 0014 00000000000000000000000000000001",
                          chunks, sizeof chunks);

    ln_sctp_config_init(&config);
    victim_create(&v, &config);
    victim_tell_raw(&v, 0, chunks, len);
    CHECK(victim_hear(&v) && v.out[12] == LN_CHUNK_INIT_ACK);
    ln_sctp_free(v.sctp);
}

/* Attack 56. */
LN_TEST(sctp_attacks, forged_cut_and_stale_cookies_open_nothing)
{
    struct ln_sctp_config config;
    struct victim v;
    uint8_t chunks[600], cookie[600];
    size_t len, cookie_len;

    ln_sctp_config_init(&config);
    victim_create(&v, &config);
    len = test_hex(INIT_HEX, chunks, sizeof chunks);
    victim_tell_raw(&v, 0, chunks, len);
    CHECK(victim_hear(&v));
    v.tag = ln_load32(v.out + 16);
    cookie_len = ln_load16(v.out + 12 + 34) - 4u;
    memcpy(cookie + 4, v.out + 12 + 36, cookie_len);
    cookie[0] = LN_CHUNK_COOKIE_ECHO;
    cookie[1] = 0;
    ln_store16(cookie + 2, (uint16_t)(cookie_len + 4));
    for (size_t i = 4; i < cookie_len + 4; i++) { /* each byte changed in turn */
        cookie[i] ^= 1;
        victim_tell_raw(&v, v.tag, cookie, cookie_len + 4);
        cookie[i] ^= 1;
    }
    CHECK_EQUAL(victim_stats(&v).dropped_cookie, cookie_len);
    ln_store16(cookie + 2, (uint16_t)(cookie_len + 3)); /* short */
    victim_tell_raw(&v, v.tag, cookie, cookie_len + 4);
    ln_store16(cookie + 2, (uint16_t)(cookie_len + 60)); /* past the packet */
    victim_tell_raw(&v, v.tag, cookie, cookie_len + 4);
    ln_store16(cookie + 2, (uint16_t)(cookie_len + 4));
    victim_tell_raw(&v, v.tag + 1, cookie, cookie_len + 4); /* another tag */
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_NEW);
    CHECK(!victim_hear(&v));
    v.now += LN_SECONDS(61);
    victim_tell_raw(&v, v.tag, cookie, cookie_len + 4); /* stale: said so */
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_NEW);
    CHECK(victim_hear(&v) && v.out[12] == LN_CHUNK_ERROR);
    CHECK_EQUAL(ln_load16(v.out + 16), LN_CAUSE_STALE_COOKIE);
    v.now -= LN_SECONDS(30);
    victim_tell_raw(&v, v.tag, cookie, cookie_len + 4);
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_CONNECTED);
    ln_sctp_free(v.sctp);
}

/* Attack 56: the cookie of an association says nothing about memory: two with the same randomness
 * make the same one wherever they live. */
LN_TEST(sctp_attacks, the_cookie_holds_no_addresses)
{
    struct ln_sctp_config config;
    uint8_t chunks[64], first[600];
    size_t len = test_hex(INIT_HEX, chunks, sizeof chunks), first_len = 0;
    struct victim v[2];

    ln_sctp_config_init(&config);
    for (int i = 0; i < 2; i++) {
        ln_rng_seed(test_env()->rng, 9);
        victim_create(&v[i], &config);
        victim_tell_raw(&v[i], 0, chunks, len);
        CHECK(victim_hear(&v[i]));
        if (i == 0)
            memcpy(first, v[0].out, first_len = v[0].out_len);
    }
    CHECK_EQUAL(v[1].out_len, first_len);
    CHECK_BYTES(v[1].out, first, first_len);
    ln_sctp_free(v[0].sctp);
    ln_sctp_free(v[1].sctp);
}

/* Attack 57. */
LN_TEST(sctp_attacks, unknown_chunks_follow_their_high_bits)
{
    static const struct {
        uint8_t type;
        bool go_on, report;
    } cases[] = {
        { 0x0f, false, false }, /* AUTH */
        { 0x40, false, true },  /* I-DATA, not agreed on */
        { 0x80, true, false },  /* ASCONF-ACK */
        { 0x84, true, false },  /* PAD */
        { 0xc1, true, true },   /* ASCONF */
        { 0xc2, true, true },   /* I-FORWARD-TSN */
    };
    struct victim v;
    uint32_t tsn = TSN;

    victim_default(&v);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t chunks[28] = { cases[i].type, 0, 0, 8, 1, 2, 3, 4, 0, 3, 0, 17 };
        bool reported = false;

        ln_store32(chunks + 12, tsn);
        ln_store16(chunks + 18, (uint16_t)(tsn - TSN));
        victim_tell_raw(&v, v.tag, chunks, sizeof chunks);
        CHECK_EQUAL(victim_messages(&v), cases[i].go_on);
        tsn += cases[i].go_on;
        while (victim_hear(&v))
            if (v.out[12] == LN_CHUNK_ERROR) {
                reported = true;
                CHECK_EQUAL(ln_load16(v.out + 16), LN_CAUSE_UNRECOGNIZED_CHUNK);
                CHECK_EQUAL(v.out[20], cases[i].type);
            }
        CHECK_EQUAL(reported, cases[i].report);
    }
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, unknown_parameters_of_init_follow_their_high_bits)
{
    struct ln_sctp_init init;
    uint8_t value[64];
    size_t len;

    /* 0x8001 skipped, 0xc123 reported, then 0x4001 reported and the end: the extension list behind
     * it is not read. */
    len = test_hex("00000007 00100000 0001 0001 000003e8 8001 0004 c123 0005 aa000000"
                   "4001 0004 8008 0006 c082 0000",
                   value, sizeof value);
    CHECK(ln_sctp_init_read((struct ln_bytes){ value, len }, &init) == 0);
    CHECK(!init.reset && !init.partial_reliability);
    CHECK_EQUAL(init.unrecognized_len, 12 + 8);
    CHECK_EQUAL(ln_load16(init.unrecognized), LN_PARAMETER_UNRECOGNIZED);
    CHECK_EQUAL(ln_load16(init.unrecognized + 4), 0xc123);
    CHECK_EQUAL(ln_load16(init.unrecognized + 16), 0x4001);
}

LN_TEST(sctp_attacks, chunk_lengths_of_0_to_3_and_past_the_end_stop_the_packet)
{
    struct victim v;

    victim_default(&v);
    victim_tell(&v, "00 03 0000 000003e8 00000000 00000035 61000000");
    victim_tell(&v, "00 03 0001 000003e8 00000000 00000035 61000000");
    victim_tell(&v, "00 03 0003 000003e8 00000000 00000035 61000000");
    victim_tell(&v, "00 03 0200 000003e8 00000000 00000035 61000000");
    victim_tell(&v, "00 03 0008 000003e8");                    /* too short for its type */
    victim_tell(&v, "03 00 0010 000003e7 00010000 ffff ffff"); /* SACK without its blocks */
    victim_tell(&v, "05 00 0005 00000000");                    /* HEARTBEAT-ACK with short info */
    victim_tell(&v, "05 00 000c 0001 0007 00000000");
    victim_tell(&v, "82 00 0007 000d 0003");
    victim_tell(&v, "c0 00 0006 00010000");
    CHECK_EQUAL(victim_messages(&v), 0);
    CHECK(victim_stats(&v).dropped_malformed >= 8);
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_CONNECTED);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, wrong_and_zero_checksums_and_tags_are_dropped)
{
    uint8_t packet[32];
    struct victim v;

    victim_default(&v);
    test_hex("1388 1388 00000000 00000000 00 03 0011 000003e8 0000 0000 00000035 61000000", packet,
             sizeof packet);
    ln_store32(packet + 4, v.tag);
    ln_sctp_receive(v.sctp, v.now, packet, sizeof packet); /* zero, not agreed on */
    pipe_checksum(packet, sizeof packet);
    packet[9] ^= 1;
    ln_sctp_receive(v.sctp, v.now, packet, sizeof packet);
    CHECK_EQUAL(victim_stats(&v).dropped_checksum, 2);
    ln_store32(packet + 4, v.tag ^ 1);
    pipe_checksum(packet, sizeof packet);
    ln_sctp_receive(v.sctp, v.now, packet, sizeof packet);
    CHECK_EQUAL(victim_stats(&v).dropped_tag, 1);
    for (size_t len = 0; len < 16; len++)
        ln_sctp_receive(v.sctp, v.now, packet, len);
    CHECK_EQUAL(victim_messages(&v), 0);
    ln_store32(packet + 4, v.tag);
    pipe_checksum(packet, sizeof packet);
    ln_sctp_receive(v.sctp, v.now, packet, sizeof packet);
    CHECK_EQUAL(victim_messages(&v), 1);
    ln_sctp_free(v.sctp);
}

/* Attack 58. */
LN_TEST(sctp_attacks, data_on_a_stream_beyond_the_agreed_is_acknowledged_and_reported)
{
    struct ln_sctp_config config;
    bool reported = false;
    struct victim v;

    ln_sctp_config_init(&config);
    config.streams = 10;
    victim_connect(&v, &config);
    victim_tell_data(&v, TSN, 3, 10, 0, "x", 1);
    victim_tell_data(&v, TSN + 1, 3, 65535, 0, "x", 1);
    CHECK_EQUAL(victim_messages(&v), 0);
    CHECK_EQUAL(victim_stats(&v).dropped_stream, 2);
    while (victim_hear(&v))
        reported |= v.out[12] == LN_CHUNK_ERROR && ln_load16(v.out + 16) == LN_CAUSE_INVALID_STREAM;
    CHECK(reported);
    victim_tell_data(&v, TSN + 2, 3, 9, 0, "x", 1);
    CHECK_EQUAL(victim_messages(&v), 1);
    CHECK_EQUAL(victim_acknowledged(&v), TSN + 2);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, data_far_outside_the_window_is_dropped)
{
    struct victim v;

    victim_default(&v);
    victim_tell_data(&v, TSN + 65536, 3, 0, 0, "x", 1);
    victim_tell_data(&v, TSN + 0x7ffffffe, 3, 0, 0, "x", 1);
    victim_tell_data(&v, TSN - 1, 3, 0, 0, "x", 1);
    victim_tell_data(&v, TSN - 0x7ffffff0, 3, 0, 0, "x", 1);
    CHECK_EQUAL(victim_messages(&v), 0);
    CHECK_EQUAL(victim_stats(&v).dropped_window, 2);
    CHECK_EQUAL(victim_stats(&v).duplicates_received, 2);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, data_without_user_data_ends_the_association)
{
    struct ln_sctp_event event;
    struct victim v;

    victim_default(&v);
    victim_tell(&v, "00 03 0010 000003e8 0000 0000 00000035");
    CHECK(victim_hear(&v) && v.out[12] == LN_CHUNK_ABORT);
    CHECK_EQUAL(ln_load16(v.out + 16), LN_CAUSE_NO_USER_DATA);
    CHECK(ln_sctp_poll_event(v.sctp, &event)); /* connected */
    CHECK(ln_sctp_poll_event(v.sctp, &event) && event.kind == LN_SCTP_EVENT_CLOSED);
    CHECK_EQUAL(event.error, LN_ERR_MALFORMED);
    ln_sctp_free(v.sctp);
}

/* Memory of the victim while somebody does his worst. */
static size_t peak_while(struct victim *v, void (*attack)(struct victim *v))
{
    size_t before = test_allocator()->live_bytes;

    test_allocator()->peak_bytes = before;
    attack(v);
    return test_allocator()->peak_bytes - before;
}

static uint8_t block[1200];

static void never_ending(struct victim *v)
{
    for (uint32_t i = 0; i < (pipe_sweeping() ? 40 : 2000); i++) {
        victim_tell_data(v, TSN + i, i == 0 ? 2 : 0, 0, 0, block, 1000);
        victim_hush(v);
    }
}

static void every_second_with_a_hole(struct victim *v)
{
    for (uint32_t i = 0; i < (pipe_sweeping() ? 40 : 6000); i++) {
        victim_tell_data(v, TSN + 1 + 2 * i, 2, (uint16_t)i, 0, block, 1);
        victim_hush(v);
    }
}

static void partial_on_every_stream(struct victim *v)
{
    for (uint32_t i = 0; i < (pipe_sweeping() ? 40 : 20000); i++) {
        victim_tell_data(v, TSN + 1 + i, 2, (uint16_t)i, 0, block, 1);
        victim_hush(v);
    }
}

static void ahead_of_its_turn(struct victim *v)
{
    for (uint32_t i = 0; i < (pipe_sweeping() ? 40 : 20000); i++) {
        victim_tell_data(v, TSN + i, 3, (uint16_t)(i % 100), (uint16_t)(1 + i / 100), block, 100);
        victim_hush(v);
    }
}

LN_TEST(sctp_attacks, memory_stays_within_the_receive_window)
{
    static void (*const attacks[])(struct victim * v) = { never_ending, every_second_with_a_hole,
                                                          partial_on_every_stream,
                                                          ahead_of_its_turn };
    struct ln_sctp_config config;

    ln_sctp_config_init(&config);
    config.receive_window_bytes = 500000;
    config.max_message_bytes = 100000;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        struct victim v;

        victim_connect(&v, &config);
        /* The window, a message beyond it, tables of streams, gaps and edges. */
        CHECK(peak_while(&v, attacks[i]) < 500000 + 2 * 100000 + 1500000);
        CHECK(victim_stats(&v).receive_buffered_bytes <= 500000 + 2 * 100000);
        ln_sctp_free(v.sctp);
    }
}

/* Told in parts it has no limit but the window, which its sender ignores. */
LN_TEST(sctp_attacks, an_endless_message_in_parts_stays_within_the_window)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct victim v;
    size_t told = 0, held;

    ln_sctp_config_init(&config);
    config.receive_window_first = config.receive_window_bytes = 200000;
    config.max_message_bytes = 3000;
    victim_connect(&v, &config);
    CHECK(ln_sctp_set_parts(v.sctp, 0, true) == 0);
    /* Window and allowance, twice while the buffer grows, and what blocks are larger; tables. */
    CHECK(peak_while(&v, never_ending) < 2 * 265536 * 5 / 4 + 100000);
    held = victim_stats(&v).receive_buffered_bytes;
    CHECK(pipe_sweeping() || (held > 100000 && held < 265536 * 5 / 4));
    CHECK(pipe_sweeping() || victim_stats(&v).dropped_window > 1000);
    while (ln_sctp_poll_event(v.sctp, &event))
        told += event.kind == LN_SCTP_EVENT_PART ? event.len : 0;
    CHECK(told > 30000);
    CHECK(victim_stats(&v).receive_buffered_bytes < 1000);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, messages_begun_and_abandoned_for_ever_hold_nothing)
{
    struct ln_sctp_event event;
    struct victim v;
    size_t first = 0, abandoned = 0;

    victim_default(&v);
    CHECK(ln_sctp_set_parts(v.sctp, 0, true) == 0);
    for (uint16_t i = 0; i < 100; i++) {
        uint8_t skip[12] = { LN_CHUNK_FORWARD_TSN, 0, 0, 12 };

        victim_tell_data(&v, TSN + 3u * i, 2, 0, i, block, 1000);
        if (i % 2 == 0) /* every second one unseen until it is too late */
            while (ln_sctp_poll_event(v.sctp, &event)) {
                first += event.kind == LN_SCTP_EVENT_PART && event.first && !event.last;
                abandoned += event.kind == LN_SCTP_EVENT_ABANDONED;
            }
        victim_tell_data(&v, TSN + 3u * i + 1, 0, 0, i, block, 1000);
        ln_store32(skip + 4, TSN + 3u * i + 2);
        ln_store16(skip + 10, i);
        victim_tell_raw(&v, v.tag, skip, sizeof skip);
        victim_tell_data(&v, TSN + 3u * i + 2, 1, 0, i, block, 1000); /* its end after all */
        victim_hush(&v);
    }
    while (ln_sctp_poll_event(v.sctp, &event))
        abandoned += event.kind == LN_SCTP_EVENT_ABANDONED;
    CHECK_EQUAL(first, 50);
    CHECK_EQUAL(abandoned, 50);
    CHECK_EQUAL(victim_stats(&v).receive_buffered_bytes, 0);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, an_endless_message_is_given_up_at_the_limit)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct victim v;
    int too_big = 0, messages = 0;

    ln_sctp_config_init(&config);
    config.max_message_bytes = 3000;
    victim_connect(&v, &config);
    for (uint32_t i = 0; i < 10; i++)
        victim_tell_data(&v, TSN + i, i == 0 ? 2 : i == 9 ? 1 : 0, 4, 0, block, 1000);
    victim_tell_data(&v, TSN + 10, 3, 4, 1, "next", 4);
    while (ln_sctp_poll_event(v.sctp, &event)) {
        too_big += event.kind == LN_SCTP_EVENT_MESSAGE_TOO_BIG && event.stream == 4;
        messages += event.kind == LN_SCTP_EVENT_MESSAGE && event.len == 4;
    }
    CHECK_EQUAL(too_big, 1);
    CHECK_EQUAL(messages, 1);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, fragments_in_any_order_make_one_message)
{
    struct ln_sctp_event event;
    struct victim v;
    uint8_t byte;

    victim_default(&v);
    for (uint32_t i = 0; i < 3000; i++) { /* single bytes, last first */
        uint32_t at = 2999 - i;

        byte = (uint8_t)(at * 3);
        victim_tell_data(&v, TSN + at, at == 0 ? 2 : at == 2999 ? 1 : 0, 0, 0, &byte, 1);
    }
    CHECK(ln_sctp_poll_event(v.sctp, &event) && ln_sctp_poll_event(v.sctp, &event));
    CHECK(event.kind == LN_SCTP_EVENT_MESSAGE);
    CHECK_EQUAL(event.len, 3000);
    for (size_t i = 0; i < 3000; i++)
        CHECK_EQUAL(event.data[i], (uint8_t)(i * 3));
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, contradictory_fragments_deliver_nothing_wrong)
{
    struct victim v;

    victim_default(&v);
    victim_tell_data(&v, TSN, 2, 0, 0, "aa", 2);
    victim_tell_data(&v, TSN + 1, 2, 0, 1, "bb", 2); /* begins although the last has not ended */
    victim_tell_data(&v, TSN + 2, 1, 9, 1, "cc", 2); /* another stream's end */
    victim_tell_data(&v, TSN + 3, 0, 0, 1, "dd", 2); /* a middle of nothing */
    victim_tell_data(&v, TSN + 5, 1, 0, 2, "ff", 2);
    victim_tell_data(&v, TSN + 4, 1, 0, 2, "ee", 2); /* ends before an end */
    CHECK_EQUAL(victim_messages(&v), 0);
    CHECK_EQUAL(victim_acknowledged(&v), TSN + 5);
    victim_tell_data(&v, TSN + 6, 7, 0, 0, "whole", 5);
    CHECK_EQUAL(victim_messages(&v), 1);
    ln_sctp_free(v.sctp);
}

/* Attack 59. */
LN_TEST(sctp_attacks, forward_tsn_before_at_and_after_the_window)
{
    struct victim v;

    victim_default(&v);
    victim_tell_data(&v, TSN, 3, 0, 0, "0", 1);
    victim_tell_data(&v, TSN + 2, 3, 0, 2, "2", 1);
    CHECK_EQUAL(victim_messages(&v), 1);
    victim_tell(&v, "c0 00 000c 000003e0 0000 0009"); /* before: nothing but a SACK */
    CHECK_EQUAL(victim_messages(&v), 0);
    CHECK_EQUAL(victim_acknowledged(&v), TSN);
    victim_tell(&v, "c0 00 000c 000003e9 0000 0001"); /* TSN 1001, stream 0 up to 1 */
    CHECK_EQUAL(victim_messages(&v), 1);
    CHECK_EQUAL(victim_acknowledged(&v), TSN + 2);
    victim_tell(&v, "c0 00 0008 7ffffff0"); /* a huge jump */
    CHECK_EQUAL(victim_acknowledged(&v), 0x7ffffff0);
    victim_tell_data(&v, 0x7ffffff1, 3, 0, 3, "3", 1);
    CHECK_EQUAL(victim_messages(&v), 1);
    victim_tell(&v, "c0 00 000c 7ffffff2 ffff 0001"); /* a stream that does not exist */
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_CONNECTED);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, sacks_for_what_was_never_sent_and_reversed_blocks_change_nothing)
{
    struct victim v;
    uint8_t data[5000] = { 0 };

    victim_default(&v);
    CHECK(ln_sctp_send(v.sctp, 0, 53, data, sizeof data, NULL) == 0);
    victim_hush(&v);
    victim_tell(&v, "03 00 0010 00000500 00100000 0000 0000");           /* beyond what was sent */
    victim_tell(&v, "03 00 0014 000003e7 00100000 0001 0000 0003 0002"); /* reversed */
    victim_tell(&v, "03 00 0014 000003e7 00100000 0001 0000 0001 0002"); /* what is no gap */
    victim_tell(&v, "03 00 0014 000003e7 00100000 0001 0000 0002 ffff"); /* past the end */
    victim_tell(&v, "03 00 0014 000003e7 00100000 0001 0000 0000 0000");
    CHECK_EQUAL(victim_stats(&v).in_flight_bytes, sizeof data);
    victim_tell(&v, "03 00 0010 000003e0 00100000 0000 0000"); /* the past */
    CHECK_EQUAL(victim_stats(&v).in_flight_bytes, sizeof data);
    victim_tell(&v, "03 00 0010 000003ec 00100000 0000 0000");
    CHECK_EQUAL(victim_stats(&v).in_flight_bytes, 0);
    CHECK_EQUAL(victim_stats(&v).send_buffered_bytes, 0);
    ln_sctp_free(v.sctp);
}

/* Attack 60. */
LN_TEST(sctp_attacks, a_window_closed_for_ever_is_probed_and_the_send_buffer_fills)
{
    struct ln_sctp_config config;
    struct victim v;
    int error, probes = 0;

    ln_sctp_config_init(&config);
    config.send_buffer_bytes = 100000;
    config.heartbeat_interval = 0;
    victim_connect(&v, &config);
    CHECK(ln_sctp_send(v.sctp, 0, 53, block, 1000, NULL) == 0);
    victim_hush(&v);
    victim_tell(&v, "03 00 0010 000003e8 00000000 0000 0000"); /* taken, and the window closed */
    while ((error = ln_sctp_send(v.sctp, 0, 53, block, 1000, NULL)) == 0)
        ;
    CHECK_EQUAL(error, LN_ERR_LIMIT);
    CHECK(victim_stats(&v).send_buffered_bytes <= 100000 + 1000);
    for (int i = 0; i < 20; i++) {
        while (victim_hear(&v))
            probes++;
        v.now = ln_sctp_next_timeout(v.sctp);
        ln_sctp_on_timeout(v.sctp, v.now);
        victim_tell(&v, "03 00 0010 000003e8 00000000 0000 0000");
    }
    CHECK(probes >= 15 && probes <= 21); /* one packet a timeout */
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_CONNECTED);
    victim_tell(&v, "03 00 0010 000003e8 00100000 0000 0000"); /* opens: at once */
    CHECK(victim_hear(&v) && v.out[12] == LN_CHUNK_DATA);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, a_flood_of_inits_leaves_nothing_behind)
{
    struct ln_sctp_config config;
    struct victim v;
    uint8_t chunks[64];
    size_t len = test_hex(INIT_HEX, chunks, sizeof chunks), before;

    ln_sctp_config_init(&config);
    victim_create(&v, &config);
    before = test_allocator()->live_bytes;
    for (uint32_t i = 1; i < 1000; i++) {
        ln_store32(chunks + 4, i);
        victim_tell_raw(&v, 0, chunks, len);
    }
    victim_hush(&v);
    CHECK_EQUAL(test_allocator()->live_bytes, before);
    CHECK(ln_sctp_state(v.sctp) == LN_SCTP_NEW);
    ln_sctp_free(v.sctp);
}

LN_TEST(sctp_attacks, a_heartbeat_is_echoed_whole_or_not_at_all)
{
    struct victim v;
    uint8_t chunk[1300] = { LN_CHUNK_HEARTBEAT, 0 };

    victim_default(&v);
    ln_store16(chunk + 2, 1000);
    victim_tell_raw(&v, v.tag, chunk, 1000);
    CHECK(victim_hear(&v) && v.out[12] == LN_CHUNK_HEARTBEAT_ACK && v.out_len == 1012);
    ln_store16(chunk + 2, 1280);
    victim_tell_raw(&v, v.tag, chunk, 1280); /* larger than we send */
    CHECK(!victim_hear(&v));
    ln_sctp_free(v.sctp);
}
