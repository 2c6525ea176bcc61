/* SPDX-License-Identifier: Apache-2.0
 * RTP packets, header extensions, payload formats: RFC 3550, RFC 8285, RFC 7741, RFC 6716. */
#include "rtp/audio.h"
#include "rtp/packet.h"
#include "rtp/vp8.h"
#include "tests/support/test.h"

static int parse(const char *hex, struct ln_rtp_packet *ret)
{
    static uint8_t data[2048];

    return ln_rtp_packet_parse(data, test_hex(hex, data, sizeof data), ret);
}

LN_TEST(packet, writes_what_it_reads)
{
    struct ln_rtp_extension_writer w;
    struct ln_rtp_header h = { .payload_type = 96,
                               .marker = true,
                               .sequence = 0xfffe,
                               .timestamp = 0x12345678,
                               .ssrc = 0x9abcdef0,
                               .csrc_count = 2,
                               .csrc = { 7, 8 } };
    struct ln_rtp_packet p;
    uint8_t data[256];
    int len;

    ln_rtp_extension_writer_init(&w, false);
    CHECK(ln_rtp_extension_writer_add(&w, 1, "mid", 3));
    CHECK(ln_rtp_extension_writer_add(&w, 14, "x", 1));
    len = ln_rtp_header_write(&h, &w, data, sizeof data);
    CHECK_EQUAL(len, 12 + 8 + 4 + 8);
    memcpy(data + len, "payload", 7);
    CHECK_EQUAL(ln_rtp_packet_parse(data, (size_t)len + 7, &p), 0);
    CHECK(p.header.marker && p.header.payload_type == 96 && p.header.sequence == 0xfffe);
    CHECK(p.header.timestamp == 0x12345678 && p.header.ssrc == 0x9abcdef0);
    CHECK(p.header.csrc_count == 2 && p.header.csrc[1] == 8);
    CHECK_EQUAL(p.header_len, (size_t)len);
    CHECK(p.payload.len == 7 && memcmp(p.payload.data, "payload", 7) == 0);
    CHECK_EQUAL(ln_rtp_header_len(data, (size_t)len + 7), len);
    CHECK_EQUAL(ln_rtp_header_write(&h, &w, data, (size_t)len - 1), LN_ERR_NO_SPACE);
}

/* ATTACKS 44 */
LN_TEST(packet, attack_44_shorter_than_12_or_lists_beyond_the_packet_is_dropped)
{
    struct ln_rtp_packet p;
    uint8_t data[128] = { 0x80 };

    for (size_t len = 0; len < 12; len++)
        CHECK_EQUAL(ln_rtp_packet_parse(data, len, &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_rtp_packet_parse(data, 12, &p), 0);
    data[0] = 0x8f; /* 15 CSRCs */
    CHECK_EQUAL(ln_rtp_packet_parse(data, 12 + 59, &p), LN_ERR_MALFORMED);
    data[0] = 0x90;
    CHECK_EQUAL(ln_rtp_packet_parse(data, 12, &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_rtp_packet_parse(data, 15, &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_rtp_packet_parse(data, 16, &p), 0);
    data[14] = data[15] = 0xff; /* 65 535 words */
    CHECK_EQUAL(ln_rtp_packet_parse(data, 64, &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_rtp_header_len(data, 64), LN_ERR_MALFORMED);
    data[0] = 0x40; /* version 1 */
    CHECK_EQUAL(ln_rtp_packet_parse(data, 64, &p), LN_ERR_MALFORMED);
}

/* ATTACKS 45 */
LN_TEST(packet, attack_45_padding_of_0_or_larger_than_the_payload_is_dropped)
{
    struct ln_rtp_packet p;

    CHECK_EQUAL(parse("a060000100000002 00000003", &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(parse("a060000100000002 00000003 6100", &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(parse("a060000100000002 00000003 6103", &p), LN_ERR_MALFORMED);
    CHECK_EQUAL(parse("a060000100000002 00000003 000002", &p), 0);
    CHECK(p.payload.len == 1 && p.padding == 2);
    CHECK_EQUAL(parse("a060000100000002 00000003 000003", &p), 0); /* nothing but padding */
    CHECK(p.payload.len == 0 && p.padding == 3);
}

static size_t walk(const char *hex, uint8_t *ids, bool *ret_ok)
{
    static uint8_t data[1024];
    struct ln_rtp_extension_iterator it;
    struct ln_rtp_packet p;
    size_t n = 0;

    CHECK_EQUAL(ln_rtp_packet_parse(data, test_hex(hex, data, sizeof data), &p), 0);
    ln_rtp_extensions_begin(&it, &p.header);
    while (ln_rtp_extensions_next(&it))
        ids[n++] = it.id;
    *ret_ok = it.ok;
    return n;
}

/* ATTACKS 52 */
LN_TEST(extension, attack_52_reserved_ids_end_the_walk_and_lengths_stay_inside)
{
    uint8_t ids[16];
    bool ok;

    /* padding between, then id 15: what stands before it counts */
    CHECK_EQUAL(walk("906000010000000200000003 bede0002 10aa00 20bb f0cc 30", ids, &ok), 2);
    CHECK(ok && ids[0] == 1 && ids[1] == 2);
    /* id 0 with a length ends it too */
    CHECK_EQUAL(walk("906000010000000200000003 bede0001 10aa0120", ids, &ok), 1);
    /* an element past the end */
    CHECK_EQUAL(walk("906000010000000200000003 bede0001 10aa2fbb", ids, &ok), 1);
    CHECK(!ok);
    /* two-byte: a length past the end, a length of 0, high ids */
    CHECK_EQUAL(walk("906000010000000200000003 10000002 c800 0f0155 2005aa", ids, &ok), 2);
    CHECK(!ok && ids[0] == 200 && ids[1] == 15);
    CHECK_EQUAL(walk("906000010000000200000003 10000001 01000002", ids, &ok), 1);
    /* another profile: nothing is known of it */
    CHECK_EQUAL(walk("906000010000000200000003 12340001 10aa20bb", ids, &ok), 0);
}

LN_TEST(extension, attack_52_the_first_of_an_id_counts_and_names_are_checked)
{
    struct ln_rtp_extension_map map = { { 0 }, false };
    struct ln_rtp_extension_values v;
    struct ln_rtp_packet p;

    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 1), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_AUDIO_LEVEL, 2), 0);
    CHECK_EQUAL(parse("906000010000000200000003 bede0002 1030 1031 2099 2011", &p), 0);
    ln_rtp_extensions_read(&p.header, &map, &v);
    CHECK(v.mid.len == 1 && v.mid.data[0] == '0');
    CHECK(v.has_audio_level && v.voice && v.audio_level == 0x19);
    /* not ASCII, and with a NUL: no name */
    CHECK_EQUAL(parse("906000010000000200000003 bede0001 11ff30 00", &p), 0);
    ln_rtp_extensions_read(&p.header, &map, &v);
    CHECK_EQUAL(v.mid.len, 0);
    CHECK_EQUAL(parse("906000010000000200000003 bede0001 113000 00", &p), 0);
    ln_rtp_extensions_read(&p.header, &map, &v);
    CHECK_EQUAL(v.mid.len, 0);
}

LN_TEST(extension, ids_that_cannot_be_or_clash_are_refused)
{
    struct ln_rtp_extension_map map = { { 0 }, false };

    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 0), LN_ERR_RANGE);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 15), LN_ERR_RANGE);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 256), LN_ERR_RANGE);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 4), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_MID, 4), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(&map, LN_RTP_EXTENSION_RID, 4), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_rtp_extension_map_find(&map, 4), LN_RTP_EXTENSION_MID);
    CHECK_EQUAL(ln_rtp_extension_map_find(&map, 0), LN_RTP_EXTENSIONS);
    for (unsigned k = 0; k < LN_RTP_EXTENSIONS; k++) {
        const char *uri = ln_rtp_extension_uri((enum ln_rtp_extension)k);

        CHECK_EQUAL(ln_rtp_extension_from_uri(uri, strlen(uri)), k);
        CHECK_EQUAL(ln_rtp_extension_from_uri(uri, strlen(uri) - 1), LN_RTP_EXTENSIONS);
    }
}

LN_TEST(extension, takes_the_two_byte_form_only_if_needed_and_allowed)
{
    struct ln_rtp_extension_writer w;
    struct ln_rtp_header h = { .payload_type = 1 };
    uint8_t data[400], long_name[20] = "a name of 19 chars!";
    struct ln_rtp_packet p;
    size_t len;
    int n;

    ln_rtp_extension_writer_init(&w, false);
    CHECK(!ln_rtp_extension_writer_add(&w, 16, "x", 1));
    CHECK(!ln_rtp_extension_writer_add(&w, 1, long_name, 17));
    CHECK(!ln_rtp_extension_writer_add(&w, 15, "x", 1));
    CHECK_EQUAL(ln_rtp_extension_writer_size(&w), 0);
    ln_rtp_extension_writer_init(&w, true);
    CHECK(ln_rtp_extension_writer_add(&w, 3, "abc", 3));
    CHECK(ln_rtp_extension_writer_add(&w, 1, long_name, 19));
    n = ln_rtp_header_write(&h, &w, data, sizeof data);
    CHECK_EQUAL(n, 12 + 4 + 28);
    CHECK_EQUAL(ln_load16(data + 12), LN_RTP_TWO_BYTE);
    CHECK_EQUAL(ln_rtp_packet_parse(data, (size_t)n, &p), 0);
    CHECK(ln_rtp_extension_locate(data, (size_t)n, 1, &len) == data + 16 + 5 + 2 && len == 19);
    CHECK(ln_rtp_extension_locate(data, (size_t)n, 2, &len) == NULL);
}

LN_TEST(packet, unwraps_counters_to_the_nearest)
{
    struct ln_rtp_unwrap u = { 0, false };

    CHECK_EQUAL(ln_rtp_unwrap16(&u, 65530), 65530);
    CHECK_EQUAL(ln_rtp_unwrap16(&u, 3), 65539);
    CHECK_EQUAL(ln_rtp_unwrap16(&u, 65531), 65531); /* late: does not move back */
    CHECK_EQUAL(u.last, 65539);
    CHECK_EQUAL(ln_rtp_unwrap16_peek(&u, 4), 65540);
    u = (struct ln_rtp_unwrap){ 0, false };
    CHECK_EQUAL(ln_rtp_unwrap32(&u, 0xfffffff0u), 0xfffffff0ll);
    CHECK_EQUAL(ln_rtp_unwrap32(&u, 0x10), 0x100000010ll);
}

LN_TEST(packet, abs_send_time_is_6_18_fixed_point)
{
    CHECK_EQUAL(ln_rtp_abs_send_time(LN_SECONDS(1)), 1 << 18);
    CHECK_EQUAL(ln_rtp_abs_send_time(LN_SECONDS(65) + LN_MILLISECONDS(500)), 3 << 17);
    CHECK_EQUAL(ln_rtp_abs_send_time(0), 0);
}

/* ---- VP8 ---- */

static int parse_vp8(const char *hex, struct ln_vp8_descriptor *d, struct ln_bytes *data)
{
    static uint8_t bytes[64];

    return ln_vp8_parse(bytes, test_hex(hex, bytes, sizeof bytes), d, data);
}

LN_TEST(vp8, reads_every_descriptor_field)
{
    struct ln_vp8_descriptor d;
    struct ln_bytes data;

    CHECK_EQUAL(parse_vp8("10 aa", &d, &data), 0);
    CHECK(d.start && d.partition == 0 && d.picture_id == -1 && data.len == 1);
    CHECK_EQUAL(parse_vp8("b1 f0 9234 56 f7 aabb", &d, &data), 0);
    CHECK(d.non_reference && d.start && d.partition == 1);
    CHECK(d.long_picture_id && d.picture_id == 0x1234 && d.tl0picidx == 0x56);
    CHECK(d.temporal_layer == 3 && d.layer_sync && d.key_index == 0x17 && data.len == 2);
    CHECK_EQUAL(parse_vp8("80 80 11 aa", &d, &data), 0);
    CHECK(!d.long_picture_id && d.picture_id == 0x11 && !d.start);
}

/* ATTACKS 53 */
LN_TEST(vp8, attack_53_flags_without_their_bytes_are_malformed)
{
    static const char *const cut[] = { "",           "10",     "90",       "9080",
                                       "908081",     "908001", "90f08112", "90f0811234",
                                       "90f08112ff", "904005", "902040",   "9010" };
    struct ln_vp8_descriptor d;
    struct ln_bytes data;

    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        CHECK_EQUAL(parse_vp8(cut[i], &d, &data), LN_ERR_MALFORMED);
}

LN_TEST(vp8, cuts_a_frame_into_equal_shares_that_join_to_it)
{
    uint8_t frame[5000], joined[5000], payload[1200];
    struct ln_vp8_descriptor d, seen;
    struct ln_vp8_packetizer p;
    size_t len, at = 0, smallest = SIZE_MAX, largest = 0;
    int count, n = 0;

    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 7);
    ln_vp8_descriptor_init(&d);
    d.picture_id = 0x7fff;
    d.long_picture_id = true;
    count = ln_vp8_packetizer_init(&p, &d, (struct ln_bytes){ frame, sizeof frame }, 1100);
    CHECK_EQUAL(count, 5);
    while ((len = ln_vp8_packetizer_next(&p, payload, sizeof payload)) > 0) {
        struct ln_bytes data;

        CHECK(len <= 1100);
        CHECK_EQUAL(ln_vp8_parse(payload, len, &seen, &data), 0);
        CHECK_EQUAL(seen.start, n == 0);
        CHECK_EQUAL(seen.picture_id, 0x7fff);
        memcpy(joined + at, data.data, data.len);
        at += data.len;
        smallest = len < smallest ? len : smallest;
        largest = len > largest ? len : largest;
        n++;
    }
    CHECK(n == count && at == sizeof frame && largest - smallest <= 1);
    CHECK_BYTES(frame, joined, sizeof frame);
    CHECK_EQUAL(ln_vp8_packetizer_init(&p, &d, (struct ln_bytes){ frame, 0 }, 1100),
                LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_vp8_packetizer_init(&p, &d, (struct ln_bytes){ frame, 9 }, 4),
                LN_ERR_INVALID_ARGUMENT);
}

LN_TEST(vp8, knows_key_frames_and_their_size)
{
    uint8_t data[10];
    struct ln_vp8_frame_header h;
    size_t len = test_hex("10 0200 9d012a 8002 e001", data, sizeof data);

    CHECK_EQUAL(ln_vp8_frame_header((struct ln_bytes){ data, len }, &h), 0);
    CHECK(h.key && h.width == 640 && h.height == 480);
    CHECK_EQUAL(ln_vp8_frame_header((struct ln_bytes){ data, 9 }, &h), 0);
    CHECK(h.key && h.width == 0);
    data[0] = 0x11;
    CHECK_EQUAL(ln_vp8_frame_header((struct ln_bytes){ data, len }, &h), 0);
    CHECK(!h.key);
    CHECK_EQUAL(ln_vp8_frame_header((struct ln_bytes){ data, 0 }, &h), LN_ERR_MALFORMED);
}

/* ---- Opus ---- */

LN_TEST(opus, tells_the_duration_of_every_configuration)
{
    static const uint16_t expected[32] = { 480, 960, 1920, 2880, 480, 960, 1920, 2880,
                                           480, 960, 1920, 2880, 480, 960, 480,  960,
                                           120, 240, 480,  960,  120, 240, 480,  960,
                                           120, 240, 480,  960,  120, 240, 480,  960 };
    struct ln_opus_packet p;

    for (unsigned config = 0; config < 32; config++) {
        uint8_t data[11] = { (uint8_t)(config << 3) };

        CHECK_EQUAL(ln_opus_packet_parse(data, 11, &p), 0);
        CHECK(p.samples == expected[config] && p.frame_count == 1 && !p.stereo);
        data[0] |= 1 | 4;
        CHECK_EQUAL(ln_opus_packet_parse(data, 11, &p), 0);
        CHECK(p.samples == 2u * expected[config] && p.stereo);
    }
    CHECK_EQUAL(ln_audio_payload_duration(LN_CODEC_PCMU, (struct ln_bytes){ (uint8_t *)"x", 160 }),
                160);
}

/* ATTACKS 53 */
LN_TEST(opus, attack_53_bad_frame_counts_and_lengths_are_malformed)
{
    static const char *const bad[] = {
        "",                     /* no TOC */
        "79 aa",                /* two equal frames of an odd sum... one byte */
        "7a",                   /* no length */
        "7a 05 aa",             /* length past the end */
        "7b",                   /* no count */
        "7b 00",                /* no frames */
        "7b 3f",                /* 63 frames of 20 ms: above 120 ms */
        "7b 07 aabbccddeeff11", /* 140 ms */
        "7b 02 aa",             /* not divisible */
        "7b 41 c8 aa",          /* padding past the end */
        "7b 41 ffff",           /* padding without end */
        "7b 83 fc fc",          /* lengths cut */
        "7b 82 05 aa",          /* first frame past the end */
    };
    uint8_t data[1500];
    struct ln_opus_packet p;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQUAL(ln_opus_packet_parse(data, test_hex(bad[i], data, sizeof data), &p),
                    LN_ERR_MALFORMED);
    memset(data, 0x78, sizeof data);
    CHECK_EQUAL(ln_opus_packet_parse(data, 1277, &p), LN_ERR_MALFORMED); /* over 1275 */
    CHECK_EQUAL(ln_opus_packet_parse(data, 1276, &p), 0);
    CHECK_EQUAL(ln_opus_packet_parse(data, 1, &p), 0); /* DTX */
}
