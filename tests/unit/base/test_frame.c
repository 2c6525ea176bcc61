/* SPDX-License-Identifier: Apache-2.0 */
#include <linnet/frame.h>

#include "base/time.h"
#include "tests/support/test.h"

LN_TEST(frame, lives_as_long_as_its_references)
{
    struct ln_allocator *allocator = test_env()->allocator;
    struct ln_frame *frame = ln_frame_create(allocator, 100);
    struct ln_samples *samples = ln_samples_create(allocator, 48000, 2, 960);
    struct ln_picture *picture = ln_picture_create(allocator, 33, 17);

    CHECK(frame && samples && picture);
    memset(ln_frame_data(frame), 1, 100);
    CHECK(frame->len == 100 && frame->data[99] == 1 && frame->audio_level_dbov == 1);
    CHECK(ln_frame_ref(frame) == frame);
    ln_frame_unref(frame);
    CHECK(frame->data[0] == 1);
    ln_frame_unref(frame);
    ln_frame_unref(NULL);
    samples->data[960 * 2 - 1] = 5;
    ln_samples_unref(samples);
    memset(picture->plane[0], 0, picture->stride[0] * 17);
    memset(picture->plane[2], 0, picture->stride[2] * 9);
    CHECK((uintptr_t)picture->plane[1] % 64 == 0 && picture->stride[1] >= 17);
    ln_picture_unref(picture);
}

LN_TEST(frame, codecs_have_their_rtpmap_names)
{
    for (int codec = LN_CODEC_OPUS; codec <= LN_CODEC_AV1; codec++)
        CHECK(ln_codec_from_name(ln_codec_name((enum ln_codec)codec)) == (enum ln_codec)codec);
    CHECK(ln_codec_from_name("vp8") == LN_CODEC_VP8 && ln_codec_from_name("x") == LN_CODEC_NONE);
}

LN_TEST(time, never_and_immediate_stay_what_they_are)
{
    CHECK(ln_time_add(LN_TIME_NEVER, -1) == LN_TIME_NEVER);
    CHECK(ln_time_add(LN_TIME_IMMEDIATE, 1) == LN_TIME_IMMEDIATE);
    CHECK(ln_time_add(LN_TIME_NEVER - 5, 100) == LN_TIME_NEVER - 1);
    CHECK(ln_time_due(LN_TIME_IMMEDIATE, -5) && !ln_time_due(LN_TIME_NEVER, LN_TIME_NEVER));
}
