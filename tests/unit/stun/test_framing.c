/* SPDX-License-Identifier: Apache-2.0
 * ChannelData and the frames of a stream. */
#include "stun/framing.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#include <string.h>

LN_TEST(framing, the_first_four_bytes_tell_a_frames_length)
{
    CHECK_EQUAL(ln_stun_frame_length("\x00\x01\x00\x08", 4), 28);
    CHECK_EQUAL(ln_stun_frame_length("\x3f\xff\xff\xfc", 4), 20 + 65532);
    CHECK_EQUAL(ln_stun_frame_length("\x40\x00\x00\x00", 4), 4);
    CHECK_EQUAL(ln_stun_frame_length("\x40\x00\x00\x01", 4), 8);
    CHECK_EQUAL(ln_stun_frame_length("\x4f\xff\xff\xff", 4), 4 + 65536);
    CHECK_EQUAL(ln_stun_frame_length("\x40\x00\x00", 3), LN_ERR_AGAIN);
    CHECK_EQUAL(ln_stun_frame_length("\x00\x01\x00\x07", 4), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_stun_frame_length("\x7f\x00\x00\x04", 4), 8);
    CHECK_EQUAL(ln_stun_frame_length("\x80\x00\x00\x04", 4), LN_ERR_MALFORMED);
}

LN_TEST(framing, channel_data_is_read_with_and_without_padding)
{
    struct ln_bytes payload;
    uint8_t message[8] = { 0 };
    uint16_t channel;

    ln_channel_data_write_header(message, 0x4001, 3);
    memcpy(message + 4, "abc", 3);
    CHECK(ln_channel_data_read(message, 7, &channel, &payload) == 0 && channel == 0x4001);
    CHECK(payload.len == 3 && memcmp(payload.data, "abc", 3) == 0);
    CHECK(ln_channel_data_read(message, 8, &channel, &payload) == 0 && payload.len == 3);
    CHECK_EQUAL(ln_channel_data_padding(3), 1);
    CHECK_EQUAL(ln_channel_data_padding(4), 0);
}

/* ATTACKS 23 */
LN_TEST(attack_23, channel_data_longer_than_its_datagram_is_refused)
{
    struct ln_bytes payload = { 0 };
    uint16_t channel = 7;

    CHECK_EQUAL(ln_channel_data_read("\x40\x00\x00\x04"
                                     "abc",
                                     7, &channel, &payload),
                LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_channel_data_read("\x40\x00\x00", 3, &channel, &payload), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_channel_data_read("\x80\x00\x00\x00", 4, &channel, &payload), LN_ERR_MALFORMED);
    CHECK(channel == 7 && !payload.data);
}

/* A binding request, then five bytes on a channel, then an empty one. */
static const uint8_t wire[] = { 0,   1,   0,   0,   0x21, 0x12, 0xa4, 0x42, 1,    2,    3,   4,
                                5,   6,   7,   8,   9,    10,   11,   12,   0x40, 0x1,  0x0, 0x5,
                                'h', 'e', 'l', 'l', 'o',  0,    0,    0,    0x4f, 0xff, 0,   0 };
static const size_t frames[] = { 20, 12, 4 };

LN_TEST(framing, a_stream_cut_anywhere_gives_the_same_frames)
{
    for (size_t size = 1; size <= sizeof wire; size++) {
        struct ln_stun_stream s = { .allocator = test_env()->allocator, .limit = 64 };
        struct ln_bytes frame;
        size_t seen = 0, at = 0;

        for (size_t i = 0; i < sizeof wire; i += size) {
            size_t left = sizeof wire - i;
            struct ln_bytes piece = { wire + i, left < size ? left : size };

            while (ln_stun_stream_next(&s, &piece, &frame) == 1) {
                CHECK(seen < 3 && frame.len == frames[seen]);
                CHECK(memcmp(frame.data, wire + at, frame.len) == 0);
                at += frames[seen++];
            }
            CHECK_EQUAL(piece.len, 0);
        }
        CHECK(seen == 3 && !ln_stun_stream_inside(&s));
        ln_stun_stream_deinit(&s);
    }
}

/* ATTACKS 23 */
LN_TEST(attack_23, a_stream_costs_what_arrived_and_not_what_it_claims)
{
    struct ln_stun_stream s = { .allocator = test_env()->allocator, .limit = LN_STUN_FRAME_MAX };
    size_t before = test_allocator()->live_bytes;
    struct ln_bytes piece = { (const uint8_t *)"\x40\x00\xff\xff"
                                               "x",
                              5 },
                    frame;

    CHECK(ln_stun_stream_next(&s, &piece, &frame) == 0 && ln_stun_stream_inside(&s));
    CHECK(test_allocator()->live_bytes - before <= 512);
    ln_stun_stream_deinit(&s);
}

LN_TEST(framing, a_stream_out_of_step_or_above_its_limit_ends)
{
    struct ln_stun_stream s = { .allocator = test_env()->allocator, .limit = 64 };
    struct ln_bytes piece = { (const uint8_t *)"\x80\x03\x01\x02", 4 }, frame;

    CHECK_EQUAL(ln_stun_stream_next(&s, &piece, &frame), LN_ERR_MALFORMED);
    piece = (struct ln_bytes){ (const uint8_t *)"\x40\x00\x00\x40", 4 };
    CHECK_EQUAL(ln_stun_stream_next(&s, &piece, &frame), LN_ERR_LIMIT);
    piece = (struct ln_bytes){ (const uint8_t *)"\x40\x00", 2 };
    CHECK_EQUAL(ln_stun_stream_next(&s, &piece, &frame), 0);
    piece = (struct ln_bytes){ (const uint8_t *)"\x01\x00", 2 };
    CHECK_EQUAL(ln_stun_stream_next(&s, &piece, &frame), LN_ERR_LIMIT);
    ln_stun_stream_deinit(&s);
}
