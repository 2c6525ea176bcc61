/* SPDX-License-Identifier: Apache-2.0
 * Scaling and rotation through libyuv. */
#include "media/process/scale.h"

#include <linnet/error.h>

#include <libyuv.h>

#define SIDE_MIN 16u

static void copy_times(struct ln_picture *to, const struct ln_picture *from)
{
    to->capture_time = from->capture_time;
    to->play_time = from->play_time;
    to->rtp_timestamp = from->rtp_timestamp;
}

int ln_picture_scale(const struct ln_picture *picture, uint16_t width, uint16_t height,
                     struct ln_allocator *allocator, struct ln_picture **ret_picture)
{
    struct ln_picture *out;

    if (width == 0 || height == 0 || width > LN_PICTURE_SIDE_MAX || height > LN_PICTURE_SIDE_MAX)
        return LN_ERR_RANGE;
    if (width == picture->width && height == picture->height) {
        *ret_picture = ln_picture_ref(picture);
        return 0;
    }
    out = ln_picture_create(allocator, width, height);
    if (!out)
        return LN_ERR_NOMEM;
    if (I420Scale(picture->plane[0], (int)picture->stride[0], picture->plane[1],
                  (int)picture->stride[1], picture->plane[2], (int)picture->stride[2],
                  picture->width, picture->height, out->plane[0], (int)out->stride[0],
                  out->plane[1], (int)out->stride[1], out->plane[2], (int)out->stride[2], width,
                  height, kFilterBox) != 0) {
        ln_picture_unref(out);
        return LN_ERR_RANGE;
    }
    copy_times(out, picture);
    out->rotation = picture->rotation;
    *ret_picture = out;
    return 0;
}

static uint16_t even(double side)
{
    unsigned n = (unsigned)side & ~1u;

    return (uint16_t)(n < SIDE_MIN ? SIDE_MIN : n > LN_PICTURE_SIDE_MAX ? LN_PICTURE_SIDE_MAX : n);
}

void ln_picture_size_within(uint16_t width, uint16_t height, uint32_t max_pixels,
                            uint16_t *ret_width, uint16_t *ret_height)
{
    uint64_t pixels = (uint64_t)width * height;
    uint64_t steps = 1024; /* of 1/1024 of the size: the first that fits, without a square root */

    while (max_pixels > 0 && steps > 1 && pixels * steps * steps > (uint64_t)max_pixels << 20)
        steps--;
    *ret_width = even((double)width * (double)steps / 1024);
    *ret_height = even((double)height * (double)steps / 1024);
}

int ln_picture_upright(const struct ln_picture *picture, struct ln_allocator *allocator,
                       struct ln_picture **ret_picture)
{
    bool turned = picture->rotation == 90 || picture->rotation == 270;
    struct ln_picture *out;

    if (picture->rotation == 0) {
        *ret_picture = ln_picture_ref(picture);
        return 0;
    }
    if (!turned && picture->rotation != 180)
        return LN_ERR_RANGE;
    out = ln_picture_create(allocator, turned ? picture->height : picture->width,
                            turned ? picture->width : picture->height);
    if (!out)
        return LN_ERR_NOMEM;
    if (I420Rotate(picture->plane[0], (int)picture->stride[0], picture->plane[1],
                   (int)picture->stride[1], picture->plane[2], (int)picture->stride[2],
                   out->plane[0], (int)out->stride[0], out->plane[1], (int)out->stride[1],
                   out->plane[2], (int)out->stride[2], picture->width, picture->height,
                   (enum RotationMode)picture->rotation) != 0) {
        ln_picture_unref(out);
        return LN_ERR_RANGE;
    }
    copy_times(out, picture);
    *ret_picture = out;
    return 0;
}
