/* SPDX-License-Identifier: Apache-2.0
 * WebSocket frames: RFC 6455's examples, every way of cutting them, and what is refused with which
 * close code (ATTACKS 64). */
#include "base/bytes.h"
#include "http/frames.h"
#include "tests/support/test.h"

#define MESSAGE_MAX 1000u

static struct websocket_decoder d;
static struct websocket_event event;

static int feed(const uint8_t *data, size_t len)
{
    return websocket_decode(&d, &data, &len, &event);
}

static int feed_hex(const char *hex)
{
    uint8_t data[4096];

    return feed(data, test_hex(hex, data, sizeof data));
}

static void begin(void)
{
    websocket_decoder_init(&d, test_env()->allocator, MESSAGE_MAX);
}

/* A masked frame whose mask is zero. */
static size_t frame(uint8_t *out, uint8_t first, size_t len)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];
    size_t header_len = websocket_header(header, WEBSOCKET_TEXT, len);

    memcpy(out, header, header_len);
    out[0] = first;
    out[1] |= 0x80;
    memset(out + header_len, 0, 4);
    return header_len + 4;
}

LN_TEST(frames, the_examples_of_rfc_6455)
{
    begin();
    CHECK(feed_hex("818537fa213d7f9f4d5158") == 1);
    CHECK(event.opcode == WEBSOCKET_TEXT && event.len == 5);
    CHECK_TEXT(event.data, "Hello");
    CHECK(feed_hex("898537fa213d7f9f4d5158") == 1);
    CHECK(event.opcode == WEBSOCKET_PING && event.len == 5 && memcmp(event.data, "Hello", 5) == 0);
    websocket_decoder_deinit(&d);
}

LN_TEST(frames, a_message_in_fragments_with_a_ping_between_in_pieces_of_any_size)
{
    uint8_t data[64];
    size_t len = test_hex("0183 00000000 48656c 8982 00000000 6869 8082 00000000 6c6f", data, 64);

    for (size_t piece = 1; piece <= len; piece++) {
        int events = 0;

        begin();
        for (size_t at = 0; at < len; at += piece) {
            const uint8_t *p = data + at;
            size_t left = piece < len - at ? piece : len - at;

            while (websocket_decode(&d, &p, &left, &event) == 1) {
                CHECK(event.opcode == (events == 0 ? WEBSOCKET_PING : WEBSOCKET_TEXT));
                CHECK_TEXT(event.data, events == 0 ? "hi" : "Hello");
                events++;
            }
            CHECK(left == 0);
        }
        CHECK(events == 2);
        websocket_decoder_deinit(&d);
    }
}

LN_TEST(frames, what_is_wrong_has_its_close_code)
{
    static const struct {
        const char *hex;
        int code;
    } cases[] = {
        { "8105 48656c6c6f", 1002 },             /* not masked */
        { "8900", 1002 },                        /* neither a ping */
        { "c180 00000000", 1002 },               /* a reserved bit: no extension was agreed on */
        { "a180 00000000", 1002 },               /* another */
        { "8380 00000000", 1002 },               /* reserved opcodes */
        { "8b80 00000000", 1002 },               /* of control frames too */
        { "8080 00000000", 1002 },               /* continues nothing */
        { "0180 00000000 8180 00000000", 1002 }, /* a message begins within another */
        { "0980 00000000", 1002 },               /* a ping in fragments */
        { "89fe 007e", 1002 },                   /* a ping of 126 bytes */
        { "8280 00000000", 1003 },               /* binary */
        { "81fe 0005 00000000", 1002 },          /* not the shortest form of a length */
        { "81ff 0000000000000005 00000000", 1002 },
        { "81ff 8000000000000000 00000000", 1002 }, /* the 64th bit */
        { "81ff 7fffffffffffffff 00000000", 1009 }, /* announced is not allocated */
        { "81ff 0000000100000000 00000000", 1009 },
        { "8881 00000000 03", 1002 },   /* half a close code */
        { "8882 00000000 03ed", 1002 }, /* 1005 never stands in a frame */
        { "8882 00000000 03ee", 1002 }, /* nor 1006 */
        { "8882 00000000 0000", 1002 },
        { "8882 00000000 ffff", 1002 },
        { "8883 00000000 03e8ff", 1007 }, /* a reason that is no UTF-8 */
        { "8181 00000000 ff", 1007 },
        { "8183 00000000 eda080", 1007 },   /* a surrogate */
        { "8182 00000000 c080", 1007 },     /* an overlong NUL */
        { "8184 00000000 f4908080", 1007 }, /* beyond U+10FFFF */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        CHECK_EQUAL(feed_hex(cases[i].hex), -cases[i].code);
        CHECK(d.message_cap <= 512);
        websocket_decoder_deinit(&d);
    }
}

LN_TEST(frames, close_codes_that_may_be_sent_are_taken)
{
    begin();
    CHECK(feed_hex("8880 00000000") == 1 && event.code == 1005);
    CHECK(feed_hex("8882 00000000 03e8") == 1 && event.code == 1000);
    CHECK(feed_hex("8884 00000000 0fa0 6869") == 1 && event.code == 4000);
    websocket_decoder_deinit(&d);
}

LN_TEST(frames, a_message_may_be_as_long_as_allowed_and_no_longer)
{
    static uint8_t data[2048];
    size_t len;

    begin();
    memset(data, 'x', sizeof data);
    len = frame(data, 0x81, MESSAGE_MAX);
    CHECK(feed(data, len + MESSAGE_MAX) == 1 && event.len == MESSAGE_MAX);
    len = frame(data, 0x81, MESSAGE_MAX + 1);
    CHECK(feed(data, len) == -WEBSOCKET_TOO_BIG);
    websocket_decoder_deinit(&d);
    begin(); /* in fragments the sum counts */
    len = frame(data, 0x01, 600);
    CHECK(feed(data, len + 600) == 0);
    len = frame(data, 0x80, 401);
    CHECK(feed(data, len) == -WEBSOCKET_TOO_BIG);
    websocket_decoder_deinit(&d);
}

LN_TEST(frames, empty_fragments_without_end_are_a_flood)
{
    int result, count = 1;

    begin();
    result = feed_hex("0180 00000000");
    while (result == 0 && count < 5000) {
        count++;
        result = feed_hex("0080 00000000");
    }
    CHECK_EQUAL(result, -WEBSOCKET_POLICY);
    CHECK_EQUAL(count, WEBSOCKET_FRAGMENTS_MAX + 1);
    websocket_decoder_deinit(&d);
}

LN_TEST(frames, headers_have_the_shortest_length)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];

    CHECK(websocket_header(header, WEBSOCKET_TEXT, 125) == 2 && header[1] == 125);
    CHECK(websocket_header(header, WEBSOCKET_TEXT, 126) == 4 && ln_load16(header + 2) == 126);
    CHECK(websocket_header(header, WEBSOCKET_PONG, 65535) == 4 && header[0] == 0x8a);
    CHECK(websocket_header(header, WEBSOCKET_TEXT, 65536) == 10 && ln_load64(header + 2) == 65536);
}

LN_TEST(frames, random_bytes_never_confuse_the_decoder)
{
    struct ln_rng *rng = test_env()->rng;

    for (int i = 0; i < 3000; i++) {
        uint8_t data[200];
        const uint8_t *p = data;
        size_t len = 1 + ln_rng_below(rng, sizeof data - 1);

        begin();
        ln_rng_bytes(rng, data, len);
        data[0] = (uint8_t)((data[0] & 0x8f) | 0x80);
        if (len > 1)
            data[1] = (uint8_t)(0x80 | (data[1] & 0x3f));
        while (websocket_decode(&d, &p, &len, &event) == 1)
            CHECK(event.len <= MESSAGE_MAX);
        websocket_decoder_deinit(&d);
    }
}
