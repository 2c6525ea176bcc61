/* SPDX-License-Identifier: Apache-2.0
 * The test picture: what is drawn is read, in any size; what is no code is not read. The vectors
 * and the two fixtures are shared with web/test/test-picture.test.mjs. */
#include "media/codec/encoder.h"
#include "media/frame/test_picture.h"
#include "media/process/scale.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

static struct ln_picture *drawn(uint16_t width, uint16_t height, uint32_t number, uint64_t time_ms,
                                bool flash)
{
    struct ln_picture *picture = ln_picture_create(ln_allocator_libc(), width, height);
    struct ln_test_picture what = { number, time_ms, flash };

    CHECK(picture != NULL);
    ln_test_picture_draw(picture, &what);
    return picture;
}

static bool reads(const struct ln_picture *picture, uint32_t number, uint64_t time_ms, bool flash)
{
    struct ln_test_picture what;

    return ln_test_picture_read(picture, &what) == 0 && what.number == number &&
           what.time_ms == time_ms && what.flash == flash;
}

LN_TEST(test_picture, is_read_in_every_size_it_is_drawn_in)
{
    static const uint16_t sizes[][2] = {
        { 640, 480 },   { 320, 240 }, { 1280, 720 }, { 64, 64 },
        { 1920, 1080 }, { 99, 77 },   { 161, 2000 }, { 480, 640 }
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint32_t n = 0; n < 20; n++) {
            uint32_t number = ln_rng_below(test_env()->rng, UINT32_MAX);
            uint64_t time_ms = (uint64_t)ln_rng_below(test_env()->rng, UINT32_MAX) << 16;
            struct ln_picture *picture = drawn(sizes[i][0], sizes[i][1], number, time_ms + n,
                                               n % 2 == 0);

            CHECK(reads(picture, number, time_ms + n, n % 2 == 0));
            ln_picture_unref(picture);
        }
    }
}

LN_TEST(test_picture, is_read_after_scaling_down_and_up_and_at_its_extremes)
{
    static const uint16_t sizes[][2] = {
        { 320, 240 }, { 160, 120 }, { 213, 160 }, { 1280, 720 }, { 80, 64 }
    };
    struct ln_picture *extremes[] = {
        drawn(640, 480, 0, 0, true),
        drawn(640, 480, UINT32_MAX, LN_TEST_PICTURE_TIME_MAX_MS, false),
        drawn(640, 480, 0x55555555, 0xaaaaaaaaaaaa, true),
    };

    CHECK(reads(extremes[0], 0, 0, true));
    CHECK(reads(extremes[1], UINT32_MAX, LN_TEST_PICTURE_TIME_MAX_MS, false));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct ln_picture *scaled = NULL, *back = NULL;

        CHECK_EQUAL(
            ln_picture_scale(extremes[2], sizes[i][0], sizes[i][1], ln_allocator_libc(), &scaled),
            0);
        CHECK(reads(scaled, 0x55555555, 0xaaaaaaaaaaaa, true));
        CHECK_EQUAL(ln_picture_scale(scaled, 640, 480, ln_allocator_libc(), &back), 0);
        CHECK(reads(back, 0x55555555, 0xaaaaaaaaaaaa, true));
        ln_picture_unref(scaled);
        ln_picture_unref(back);
    }
    for (int i = 0; i < 3; i++)
        ln_picture_unref(extremes[i]);
}

LN_TEST(test_picture, nothing_is_read_where_there_is_no_code)
{
    struct ln_picture *picture = ln_picture_create(ln_allocator_libc(), 640, 480);
    struct ln_picture *tiny = drawn(63, 480, 1, 1, false);
    struct ln_test_picture what = { 7, 7, true };

    CHECK(picture != NULL);
    for (int grey = 0; grey < 256; grey += 51) {
        memset(picture->plane[0], grey, picture->stride[0] * 480);
        CHECK_EQUAL(ln_test_picture_read(picture, &what), LN_ERR_INTEGRITY);
    }
    for (int i = 0; i < 50; i++) { /* noise block by block */
        for (size_t y = 0; y < 480; y++)
            for (size_t x = 0; x < 640; x += 40)
                memset(picture->plane[0] + y * picture->stride[0] + x,
                       y % 20 == 0 ? (int)ln_rng_below(test_env()->rng, 256)
                                   : picture->plane[0][(y - 1) * picture->stride[0] + x],
                       40);
        CHECK_EQUAL(ln_test_picture_read(picture, &what), LN_ERR_INTEGRITY);
    }
    CHECK_EQUAL(ln_test_picture_read(tiny, &what), LN_ERR_INTEGRITY);
    CHECK(what.number == 7 && what.time_ms == 7 && what.flash);
    ln_picture_unref(picture);
    ln_picture_unref(tiny);
}

LN_TEST(test_picture, one_wrong_block_is_never_read_as_another_number)
{
    struct ln_picture *picture = drawn(160, 120, 123456, 1700000000123, false);
    struct ln_test_picture what;

    for (size_t bit = 0; bit < 96; bit++) {
        size_t left = bit % 16 * 10, top = 90 + bit / 16 * 5;

        for (size_t y = top; y < top + 5; y++)
            for (size_t x = left; x < left + 10; x++)
                picture->plane[0][y * picture->stride[0] + x] ^= 16 ^ 235;
        CHECK_EQUAL(ln_test_picture_read(picture, &what), LN_ERR_INTEGRITY);
        for (size_t y = top; y < top + 5; y++)
            for (size_t x = left; x < left + 10; x++)
                picture->plane[0][y * picture->stride[0] + x] ^= 16 ^ 235;
    }
    CHECK(reads(picture, 123456, 1700000000123, false));
    ln_picture_unref(picture);
}

LN_TEST(test_picture, flashes_for_a_tenth_of_each_second)
{
    unsigned on = 0;

    for (uint64_t ms = 5000; ms < 7000; ms++)
        on += ln_test_picture_flash_at(ms);
    CHECK_EQUAL(on, 200);
    CHECK(ln_test_picture_flash_at(6000) && !ln_test_picture_flash_at(5999));
}

/* docs/test-picture.md; web/test/test-picture.test.mjs has the same. */
static const struct {
    uint32_t number;
    uint64_t time_ms;
    const char *code;
} vectors[] = {
    { 0u, 0u, "00000000000000000000e139" },
    { 1u, 1000u, "000000010000000003e8702d" },
    { 123456789u, 1700000000123u, "075bcd15018bcfe5687b0ccd" },
    { 4294967295u, 281474976710655u, "ffffffffffffffffffffa6e1" },
    { 305419896u, 170135984804404u, "123456789abcdef0123488d5" },
};

LN_TEST(test_picture, its_blocks_are_those_of_the_document)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct ln_picture *p = drawn(160, 120, vectors[i].number, vectors[i].time_ms, false);
        uint8_t code[12];

        CHECK_EQUAL(test_hex(vectors[i].code, code, sizeof code), 12);
        for (size_t bit = 0; bit < 96; bit++)
            CHECK_EQUAL(p->plane[0][(92 + bit / 16 * 5) * p->stride[0] + 5 + bit % 16 * 10],
                        code[bit / 8] >> (7 - bit % 8) & 1 ? 235 : 16);
        ln_picture_unref(p);
    }
}

/* A grey map: "P5\n160 120\n255\n" and the luma, as it is. */
#define FIXTURE_HEAD "P5\n160 120\n255\n"

LN_TEST(test_picture, is_the_same_as_the_fixture_that_javascript_reads)
{
    struct ln_picture *p = drawn(160, 120, 3000000001u, 1234567890042, true);
    size_t len, head = strlen(FIXTURE_HEAD);
    uint8_t *data = test_file("web/test/from-c.pgm", &len);

    CHECK_EQUAL(len, head + 160 * 120);
    CHECK_BYTES(data, FIXTURE_HEAD, head);
    for (size_t y = 0; y < 120; y++)
        CHECK_BYTES(data + head + y * 160, p->plane[0] + y * p->stride[0], 160);
    ln_picture_unref(p);
}

LN_TEST(test_picture, reads_the_picture_that_javascript_drew)
{
    struct ln_picture *p = ln_picture_create(ln_allocator_libc(), 160, 120);
    size_t len, head = strlen(FIXTURE_HEAD);
    uint8_t *data = test_file("web/test/from-js.pgm", &len);

    CHECK(p != NULL);
    CHECK_EQUAL(len, head + 160 * 120);
    for (size_t y = 0; y < 120; y++)
        memcpy(p->plane[0] + y * p->stride[0], data + head + y * 160, 160);
    CHECK(reads(p, 2882400001u, 1700000000777, true));
    ln_picture_unref(p);
}
