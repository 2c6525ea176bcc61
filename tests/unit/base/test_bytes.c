/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include "base/endpoint.h"
#include "tests/support/test.h"

LN_TEST(bytes, what_was_written_is_read_back)
{
    uint8_t data[32];
    struct ln_writer w;
    struct ln_reader r;

    ln_writer_init(&w, data, sizeof data);
    ln_write8(&w, 1);
    ln_write16(&w, 0x0203);
    ln_write24(&w, 0x040506);
    ln_write32(&w, 0x0708090a);
    ln_write64(&w, 0x0b0c0d0e0f101112);
    ln_write_align(&w, 4);
    CHECK(w.ok && w.len == 20);
    ln_reader_init(&r, data, w.len);
    CHECK(ln_read8(&r) == 1 && ln_read16(&r) == 0x0203 && ln_read24(&r) == 0x040506);
    CHECK(ln_read32(&r) == 0x0708090a && ln_read64(&r) == 0x0b0c0d0e0f101112);
    ln_read_align(&r, 4);
    CHECK(r.ok && ln_reader_left(&r) == 0);
}

LN_TEST(bytes, a_reader_past_its_end_gives_zero_and_stays_spoilt)
{
    static const uint8_t data[3] = { 1, 2, 3 };
    struct ln_reader r, sub;

    ln_reader_init(&r, data, sizeof data);
    CHECK(ln_read32(&r) == 0 && !r.ok);
    CHECK(ln_read8(&r) == 0 && ln_read_bytes(&r, 1).data == NULL);
    ln_reader_init(&r, data, sizeof data);
    sub = ln_read_sub(&r, 4);
    CHECK(!sub.ok && !r.ok && ln_read8(&sub) == 0);
}

LN_TEST(bytes, a_writer_past_its_end_writes_nothing_more)
{
    uint8_t data[3] = { 0 };
    struct ln_writer w;

    ln_writer_init(&w, data, sizeof data);
    ln_write16(&w, 0xffff);
    ln_write16(&w, 0xffff);
    ln_write8(&w, 0xff);
    CHECK(!w.ok && w.len == 2 && data[2] == 0);
}

LN_TEST(bytes, utf8_is_told_from_what_is_not)
{
    static const char *const good[] = { "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa6" };
    static const char *const bad[] = { "\x80",
                                       "\xc0\x80",
                                       "\xc3",
                                       "\xe0\x80\x80",
                                       "\xed\xa0\x80",
                                       "\xf0\x80\x80\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xff",
                                       "a\xe2\x82" };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(ln_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!ln_utf8_valid(bad[i], strlen(bad[i])));
}

LN_TEST(bytes, base64_and_hex_follow_rfc_4648)
{
    static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const coded[] = { "",         "Zg==",     "Zm8=",    "Zm9v",
                                         "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
    char text[16];
    uint8_t data[16];

    for (size_t i = 0; i < 7; i++) {
        int len;

        CHECK_TEXT(ln_base64_encode(plain[i], i, text), coded[i]);
        len = ln_base64_decode(coded[i], strlen(coded[i]), data, sizeof data);
        CHECK(len == (int)i);
        CHECK_BYTES(data, plain[i], i);
    }
    CHECK(ln_base64_decode("Zg=g", 4, data, sizeof data) == LN_ERR_SYNTAX);
    CHECK(ln_base64_decode("Z", 1, data, sizeof data) == LN_ERR_SYNTAX);
    CHECK(ln_base64_decode("Zm9v", 4, data, 2) == LN_ERR_NO_SPACE);
    CHECK_TEXT(ln_hex_encode("\x01\xab", 2, text), "01ab");
}

LN_TEST(bytes, crc32_matches_the_check_value)
{
    CHECK(ln_crc32(0, "123456789", 9) == 0xcbf43926);
    CHECK(ln_crc32(ln_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926);
}

LN_TEST(bytes, equality_in_constant_time_is_equality)
{
    CHECK(ln_equal_constant_time("abc", "abc", 3) && !ln_equal_constant_time("abc", "abd", 3));
}

LN_TEST(endpoint, packets_are_classified_as_rfc_7983_says)
{
    static const struct {
        uint8_t first, second;
        enum ln_packet_kind kind;
    } cases[] = {
        { 0, 1, LN_PACKET_STUN },          { 3, 0, LN_PACKET_STUN },
        { 4, 0, LN_PACKET_UNKNOWN },       { 19, 0, LN_PACKET_UNKNOWN },
        { 20, 0, LN_PACKET_DTLS },         { 63, 0, LN_PACKET_DTLS },
        { 64, 0, LN_PACKET_CHANNEL_DATA }, { 79, 0, LN_PACKET_CHANNEL_DATA },
        { 80, 0, LN_PACKET_UNKNOWN },      { 127, 0, LN_PACKET_UNKNOWN },
        { 128, 96, LN_PACKET_RTP },        { 144, 224, LN_PACKET_RTP },
        { 129, 200, LN_PACKET_RTCP },      { 128, 192, LN_PACKET_RTCP },
        { 191, 223, LN_PACKET_RTCP },      { 192, 0, LN_PACKET_UNKNOWN },
        { 255, 0, LN_PACKET_UNKNOWN },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[2] = { cases[i].first, cases[i].second };

        CHECK_EQUAL(ln_packet_classify(data, 2), cases[i].kind);
    }
    CHECK(ln_packet_classify(NULL, 0) == LN_PACKET_UNKNOWN);
}

/* Bit by bit, as the polynomial says. */
static uint32_t slow_crc32(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

LN_TEST(bytes, crc32_is_that_of_the_polynomial_at_every_length)
{
    uint8_t data[67];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 89 + 7);
    CHECK_EQUAL(ln_crc32(0, "123456789", 9), 0xcbf43926u);
    for (size_t len = 0; len <= sizeof data; len++) {
        CHECK_EQUAL(ln_crc32(0, data, len), slow_crc32(data, len));
        CHECK_EQUAL(ln_crc32(ln_crc32(0, data, len / 3), data + len / 3, len - len / 3),
                    slow_crc32(data, len));
    }
}
