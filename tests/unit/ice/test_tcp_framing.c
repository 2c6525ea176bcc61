/* SPDX-License-Identifier: Apache-2.0
 * Packets on a stream (RFC 4571). */
#include "ice/tcp_framing.h"
#include "tests/support/test.h"

#include <linnet/error.h>

static struct ln_ice_tcp_frames frames;

static void begin(size_t limit)
{
    frames = (struct ln_ice_tcp_frames){ .allocator = test_env()->allocator, .limit = limit };
}

/* All packets of a stream that comes in pieces of one size: their lengths, or the error. */
static int cut(const uint8_t *stream, size_t len, size_t piece_len, size_t *lengths, size_t max)
{
    size_t count = 0, at, n;
    int result = 0;

    for (at = 0; at < len && result >= 0; at += n) {
        struct ln_bytes piece, packet;

        n = len - at < piece_len ? len - at : piece_len;
        piece = (struct ln_bytes){ stream + at, n };
        while ((result = ln_ice_tcp_frames_next(&frames, &piece, &packet)) == 1) {
            CHECK(count < max);
            for (size_t i = 0; i < packet.len; i++)
                CHECK_EQUAL(packet.data[i], packet.len);
            lengths[count++] = packet.len;
        }
        if (result == 0)
            CHECK_EQUAL(piece.len, 0);
    }
    ln_ice_tcp_frames_deinit(&frames);
    return result < 0 ? result : (int)count;
}

LN_TEST(tcp_framing, cuts_packets_whatever_the_pieces)
{
    static const uint8_t stream[] = { 0, 3, 3, 3, 3, 0, 0, 0, 1, 1, 0, 5, 5, 5, 5, 5, 5, 0, 0 };

    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        size_t lengths[4];

        begin(100);
        CHECK_EQUAL(cut(stream, sizeof stream, piece, lengths, 4), 3);
        CHECK_EQUAL(lengths[0], 3);
        CHECK_EQUAL(lengths[1], 1);
        CHECK_EQUAL(lengths[2], 5);
    }
}

LN_TEST(tcp_framing, refuses_a_packet_above_the_limit_before_it_comes)
{
    static const uint8_t longest[] = { 0xff, 0xff }, above[] = { 0, 101 };
    size_t lengths[1];

    begin(100);
    CHECK_EQUAL(cut(longest, sizeof longest, 2, lengths, 1), LN_ERR_LIMIT);
    begin(100);
    CHECK_EQUAL(cut(above, sizeof above, 1, lengths, 1), LN_ERR_LIMIT);
}

LN_TEST(tcp_framing, holds_no_memory_between_packets)
{
    static const uint8_t stream[] = { 0, 2, 2, 2, 0 };
    struct ln_bytes piece = { stream, 3 }, packet;

    begin(100);
    CHECK_EQUAL(ln_ice_tcp_frames_next(&frames, &piece, &packet), 0);
    CHECK(frames.held != NULL);
    piece = (struct ln_bytes){ stream + 3, 2 };
    CHECK_EQUAL(ln_ice_tcp_frames_next(&frames, &piece, &packet), 1);
    CHECK_EQUAL(ln_ice_tcp_frames_next(&frames, &piece, &packet), 0);
    CHECK(frames.held == NULL);
    CHECK_EQUAL(piece.len, 0);
}
