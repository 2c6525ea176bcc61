/* SPDX-License-Identifier: Apache-2.0
 * Life and death of everything that takes memory, written so that it ends cleanly wherever memory
 * fails: --oom runs these with each allocation failing in turn. What an error left in an
 * out-parameter would be freed twice here. */
#include "base/alloc.h"
#include "media/codec/decoder.h"
#include "media/codec/encoder.h"
#include "media/file/png.h"
#include "media/frame/sink.h"
#include "media/process/mix.h"
#include "media/process/resample.h"
#include "media/process/scale.h"
#include "tests/support/test.h"

#include <stdlib.h>

/* Without memory LN_ERR_NOMEM, else what was expected. */
static void expect(int error, int expected)
{
    CHECK(error == expected || (test_allocator()->failed && error == LN_ERR_NOMEM));
}

static struct ln_picture *drawn(uint32_t number)
{
    struct ln_picture *p = ln_picture_create(test_env()->allocator, 64, 64);
    struct ln_test_picture what = { number, number, false };

    if (p)
        ln_test_picture_draw(p, &what);
    return p;
}

LN_TEST(memory, of_video_encoder_and_decoder_is_all_returned)
{
    struct ln_video_encoder_config config;
    struct ln_video_decoder_config decoder_config = { .codec = LN_CODEC_VP8 };
    struct ln_video_encoder *encoder = NULL;
    struct ln_video_decoder *decoder = NULL;

    ln_video_encoder_config_init(&config);
    config.width = config.height = 64;
    expect(ln_video_encoder_create(&encoder, &config, test_env()->allocator), 0);
    expect(ln_video_decoder_create(&decoder, &decoder_config, test_env()->allocator), 0);
    for (uint32_t i = 0; encoder && decoder && i < 3; i++) {
        struct ln_picture *in = drawn(i), *out = NULL;
        struct ln_frame *frame = NULL;

        if (in)
            expect(ln_video_encoder_encode(encoder, in, false, &frame), 0);
        if (frame)
            expect(ln_video_decoder_decode(decoder, frame, &out), 0);
        ln_picture_unref(in);
        ln_picture_unref(out);
        ln_frame_unref(frame);
    }
    ln_video_encoder_free(encoder);
    ln_video_decoder_free(decoder);
}

LN_TEST(memory, of_audio_encoders_and_decoders_is_all_returned)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU, LN_CODEC_PCMA };

    for (int c = 0; c < 3; c++) {
        struct ln_audio_encoder_config config;
        struct ln_audio_decoder_config decoder_config = { codecs[c], 2 };
        struct ln_audio_encoder *encoder = NULL;
        struct ln_audio_decoder *decoder = NULL;

        ln_audio_encoder_config_init(&config);
        config.codec = codecs[c];
        expect(ln_audio_encoder_create(&encoder, &config, test_env()->allocator), 0);
        expect(ln_audio_decoder_create(&decoder, &decoder_config, test_env()->allocator), 0);
        for (int i = 0; encoder && decoder && i < 3; i++) {
            struct ln_samples *in = ln_samples_create(test_env()->allocator, 48000, 2, 960);
            struct ln_samples *out = NULL;
            struct ln_frame *frame = NULL;

            if (in)
                CHECK_EQUAL(ln_audio_encoder_put(encoder, in), 0);
            if (in)
                expect(ln_audio_encoder_poll(encoder, &frame), 1);
            if (frame)
                expect(ln_audio_decoder_decode(decoder, frame, NULL, &out), 0);
            ln_samples_unref(in);
            ln_samples_unref(out);
            ln_frame_unref(frame);
        }
        ln_audio_encoder_free(encoder);
        ln_audio_decoder_free(decoder);
    }
    ln_audio_encoder_free(NULL);
    ln_audio_decoder_free(NULL);
    ln_video_encoder_free(NULL);
    ln_video_decoder_free(NULL);
    ln_resampler_free(NULL);
}

LN_TEST(memory, of_processing_is_all_returned)
{
    struct ln_picture *picture = drawn(1), *scaled = NULL, *upright = NULL;
    struct ln_samples *samples = ln_samples_create(test_env()->allocator, 48000, 1, 480);
    const struct ln_samples *inputs[2] = { samples, samples };
    struct ln_samples *sum = NULL;
    struct ln_resampler *resampler = NULL;

    if (picture) {
        expect(ln_picture_scale(picture, 32, 32, test_env()->allocator, &scaled), 0);
        picture->rotation = 90;
        expect(ln_picture_upright(picture, test_env()->allocator, &upright), 0);
    }
    if (samples)
        expect(ln_mix_samples(inputs, 2, test_env()->allocator, &sum), 0);
    expect(ln_resampler_create(&resampler, 8000, 48000, 2, test_env()->allocator), 0);
    ln_resampler_free(resampler);
    ln_picture_unref(picture);
    ln_picture_unref(scaled);
    ln_picture_unref(upright);
    ln_samples_unref(samples);
    ln_samples_unref(sum);
}

LN_TEST(memory, of_a_png_and_of_sinks_is_all_returned)
{
    struct ln_picture *picture = drawn(1), *latest;
    struct ln_video_sink sink;
    uint8_t *file = NULL;
    size_t len = 0;

    ln_video_sink_init(&sink, true);
    if (picture) {
        expect(ln_png_encode(picture, test_env()->allocator, &file, &len), 0);
        CHECK((file != NULL) == (len > 0));
        ln_video_sink_put(&sink, picture, 0, 0);
        ln_video_sink_put(&sink, picture, 0, 0);
        latest = ln_video_sink_latest(&sink);
        ln_picture_unref(picture);
        ln_picture_unref(latest);
    }
    ln_free(test_env()->allocator, file);
    ln_video_sink_close(&sink);
    ln_video_sink_close(&sink);
}
