/* SPDX-License-Identifier: Apache-2.0
 * A smoke with the real codec: the test picture through VP8, over a lossy path, back into pictures
 * whose numbers are read. Everything else in tests/sim uses frames that cost nothing to make. */
#include "media/codec/decoder.h"
#include "media/codec/encoder.h"
#include "media/frame/test_picture.h"
#include "tests/sim/call.h"
#include "tests/support/test.h"

#define WIDTH  160
#define HEIGHT 120

static struct ln_frame *encode(struct party *party, uint32_t number, bool key)
{
    struct ln_allocator *allocator = test_env()->allocator;
    struct ln_test_picture what = { .number = number, .time_ms = number };
    struct ln_picture *picture = ln_picture_create(allocator, WIDTH, HEIGHT);
    struct ln_video_encoder_config config;
    struct ln_frame *frame = NULL;
    int error;

    CHECK(picture != NULL);
    if (!party->encoder) {
        ln_video_encoder_config_init(&config);
        config.width = WIDTH;
        config.height = HEIGHT;
        config.bps = 150000;
        config.threads = 1;
        CHECK(ln_video_encoder_create(&party->encoder, &config, allocator) == 0);
    }
    picture->capture_time = party->call->net.now;
    ln_test_picture_draw(picture, &what);
    error = ln_video_encoder_encode(party->encoder, picture, key, &frame);
    ln_picture_unref(picture);
    CHECK(error == 0 || error == LN_ERR_AGAIN);
    return error ? NULL : frame;
}

static void decode(struct party *party, const struct ln_frame *frame)
{
    struct ln_allocator *allocator = test_env()->allocator;
    struct ln_video_decoder_config config = { .codec = LN_CODEC_VP8 };
    struct ln_test_picture what;
    struct ln_picture *picture;

    if (!party->decoder)
        CHECK(ln_video_decoder_create(&party->decoder, &config, allocator) == 0);
    CHECK(ln_video_decoder_decode(party->decoder, frame, &picture) == 0);
    CHECK(ln_test_picture_read(picture, &what) == 0);
    CHECK(party->video_in.count == 0 || what.number > party->video_in.last);
    party->video_in.last = what.number;
    ln_picture_unref(picture);
}

static void free_codec(struct party *party)
{
    ln_video_encoder_free(party->encoder);
    ln_video_decoder_free(party->decoder);
}

static const struct codec_hooks vp8 = { encode, decode, free_codec };

static void pictures_arrive(struct call *call)
{
    CHECK(call->parties[1].video_in.count > 60);
    CHECK(call->parties[1].video_in.count * 10 > call->parties[0].video_out.number * 8ull);
}

LN_SCENARIO(real_vp8) = {
    .line = { .delay = LN_MILLISECONDS(20), .loss = 0.03 },
    .video = true,
    .codec = &vp8,
    .length = LN_SECONDS(4),
    .holds = pictures_arrive,
    .seeds_max = 100,
};
