/* SPDX-License-Identifier: Apache-2.0
 * What is written as PNG, libpng reads back. */
#include "base/alloc.h"
#include "media/file/png.h"
#include "media/frame/test_picture.h"
#include "tests/support/test.h"

#include <stdlib.h>

#include <png.h>

static struct ln_picture *drawn(uint16_t width, uint16_t height)
{
    struct ln_picture *p = ln_picture_create(ln_allocator_libc(), width, height);
    struct ln_test_picture what = { 42, 1700000000000, true };

    CHECK(p != NULL);
    ln_test_picture_draw(p, &what);
    return p;
}

static void check_near(const uint8_t *rgb, int r, int g, int b)
{
    CHECK(abs(rgb[0] - r) <= 3 && abs(rgb[1] - g) <= 3 && abs(rgb[2] - b) <= 3);
}

LN_TEST(png, is_read_back_by_libpng_in_the_right_colours)
{
    static const uint16_t sizes[][2] = { { 640, 480 }, { 161, 121 }, { 64, 65 } };

    for (int i = 0; i < 3; i++) {
        struct ln_picture *p = drawn(sizes[i][0], sizes[i][1]);
        png_image image = { .version = PNG_IMAGE_VERSION };
        uint8_t *file = NULL, *rgb;
        size_t len = 0, w = p->width;

        CHECK_EQUAL(ln_png_encode(p, ln_allocator_libc(), &file, &len), 0);
        CHECK(png_image_begin_read_from_memory(&image, file, len));
        CHECK_EQUAL(image.width, sizes[i][0]);
        CHECK_EQUAL(image.height, sizes[i][1]);
        image.format = PNG_FORMAT_RGB;
        rgb = malloc(PNG_IMAGE_SIZE(image));
        CHECK(png_image_finish_read(&image, NULL, rgb, 0, NULL));
        check_near(rgb, 255, 255, 255); /* the flash */
        check_near(rgb + 3 * (w * (p->height * 9u / 24 - 3) + w / 16), 191, 191, 191);
        check_near(rgb + 3 * (w * (p->height * 9u / 24 - 3) + w * 11 / 16), 191, 0, 0);
        check_near(rgb + 3 * (w * (p->height * 9u / 24 - 3) + w * 13 / 16), 0, 0, 191);
        check_near(rgb + 3 * (w * (size_t)(p->height - 2)), 0, 0, 0); /* first bit of row 6 */
        free(rgb);
        ln_free(ln_allocator_libc(), file);
        ln_picture_unref(p);
    }
}

static int stop_after(void *ctx, const uint8_t *data, size_t len)
{
    int *left = ctx;

    (void)data;
    (void)len;
    return (*left)-- > 0 ? 0 : LN_ERR_ABORT;
}

LN_TEST(png, stops_where_the_sink_refuses)
{
    struct ln_picture *p = drawn(320, 240);

    for (int pieces = 0; pieces < 8; pieces++) {
        int left = pieces;

        CHECK_EQUAL(ln_png_write(p, ln_allocator_libc(), stop_after, &left), LN_ERR_ABORT);
    }
    ln_picture_unref(p);
}

LN_TEST(png, refuses_a_picture_without_size)
{
    struct ln_picture *p = ln_picture_create(ln_allocator_libc(), 0, 0);
    uint8_t *file = NULL;
    size_t len = 7;

    CHECK(p != NULL);
    CHECK_EQUAL(ln_png_encode(p, ln_allocator_libc(), &file, &len), LN_ERR_RANGE);
    CHECK(file == NULL && len == 7);
    ln_picture_unref(p);
}
