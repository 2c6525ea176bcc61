/* SPDX-License-Identifier: Apache-2.0
 * VP8 round trips: what goes in is what comes out, at the rate that was asked for; what is no VP8
 * is refused. */
#include "media/codec/codec.h"
#include "media/codec/decoder.h"
#include "media/codec/encoder.h"
#include "media/frame/test_picture.h"
#include "tests/support/test.h"

#define FRAME_TIME (LN_SECONDS(1) / 30)

struct loop {
    struct ln_video_encoder *encoder;
    struct ln_video_decoder *decoder;
    uint32_t number;
    uint64_t bytes;
    unsigned keys, dropped, decoded, read;
};

/* Static, so that an allocation that fails under --oom in mid-test leaves nothing behind that the
 * next begin() cannot free; what happens without memory is test_memory.c's. */
static struct loop loop;
static struct ln_counting_allocator memory;

static void end(struct loop *l);

static void begin(struct loop *l, uint16_t width, uint16_t height, uint32_t bps)
{
    struct ln_video_encoder_config config;
    struct ln_video_decoder_config decoder = { .codec = LN_CODEC_VP8 };

    end(l);
    ln_counting_allocator_init(&memory, ln_allocator_libc());
    ln_video_encoder_config_init(&config);
    config.width = width;
    config.height = height;
    config.bps = bps;
    CHECK_EQUAL(ln_video_encoder_create(&l->encoder, &config, &memory.allocator), 0);
    CHECK_EQUAL(ln_video_decoder_create(&l->decoder, &decoder, &memory.allocator), 0);
}

static void end(struct loop *l)
{
    ln_video_encoder_free(l->encoder);
    ln_video_decoder_free(l->decoder);
    memset(l, 0, sizeof *l);
    CHECK_EQUAL(memory.live_blocks, 0);
}

static struct ln_picture *draw(struct loop *l, uint16_t width, uint16_t height)
{
    struct ln_picture *picture = ln_picture_create(&memory.allocator, width, height);
    uint64_t time_ms = 1700000000000u + (uint64_t)l->number * 1000 / 30;
    struct ln_test_picture what = { l->number, time_ms, ln_test_picture_flash_at(time_ms) };

    CHECK(picture != NULL);
    picture->capture_time = l->number * FRAME_TIME;
    ln_test_picture_draw(picture, &what);
    l->number++;
    return picture;
}

/* One picture to one frame; NULL when the rate control dropped it. */
static struct ln_frame *encode(struct loop *l, uint16_t width, uint16_t height, bool force_key)
{
    struct ln_picture *picture = draw(l, width, height);
    struct ln_frame *frame = NULL;
    int error = ln_video_encoder_encode(l->encoder, picture, force_key, &frame);

    ln_picture_unref(picture);
    if (error == LN_ERR_AGAIN) {
        l->dropped++;
        return NULL;
    }
    CHECK_EQUAL(error, 0);
    l->bytes += frame->len;
    l->keys += frame->key;
    return frame;
}

static void decode(struct loop *l, struct ln_frame *frame)
{
    struct ln_picture *picture = NULL;
    struct ln_test_picture what;

    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, frame, &picture), 0);
    CHECK_EQUAL(picture->width, frame->width);
    CHECK_EQUAL(picture->height, frame->height);
    CHECK_EQUAL(picture->capture_time, frame->capture_time);
    CHECK_EQUAL(picture->rtp_timestamp, frame->rtp_timestamp);
    l->decoded++;
    if (ln_test_picture_read(picture, &what) == 0 && what.number == l->number - 1)
        l->read++;
    ln_picture_unref(picture);
    ln_frame_unref(frame);
}

static void run(struct loop *l, uint16_t width, uint16_t height, unsigned pictures)
{
    for (unsigned i = 0; i < pictures; i++) {
        struct ln_frame *frame = encode(l, width, height, false);

        if (frame)
            decode(l, frame);
    }
}

LN_TEST(vp8, at_150_kbit_s_every_code_is_still_read)
{
    struct loop *l = &loop;

    begin(l, 640, 480, 150000);
    run(l, 640, 480, 100);
    CHECK_EQUAL(l->read, l->decoded);
    CHECK_EQUAL(l->keys, 1);
    CHECK_EQUAL(l->dropped, ln_video_encoder_dropped(l->encoder));
    CHECK(l->decoded >= 95);
    end(l);
}

LN_TEST(vp8, frames_carry_time_size_and_dependencies)
{
    struct loop *l = &loop;
    struct ln_frame *frame;

    begin(l, 320, 240, 500000);
    for (int i = 0; i < 5; i++) {
        frame = encode(l, 320, 240, false);
        CHECK(frame != NULL);
        CHECK_EQUAL(frame->kind, LN_MEDIA_VIDEO);
        CHECK_EQUAL(frame->codec, LN_CODEC_VP8);
        CHECK_EQUAL(frame->clock_rate_hz, 90000);
        CHECK_EQUAL(frame->capture_time, i * FRAME_TIME);
        CHECK(frame->rtp_timestamp + 1 >= (uint32_t)i * 3000 &&
              frame->rtp_timestamp <= (uint32_t)i * 3000);
        CHECK_EQUAL(frame->frame_id, i);
        CHECK_EQUAL(frame->key, i == 0);
        CHECK_EQUAL(frame->dependency_count, i > 0);
        CHECK(i == 0 || frame->dependencies[0] == i - 1);
        CHECK_EQUAL(frame->width, 320);
        CHECK_EQUAL(frame->height, 240);
        decode(l, frame);
    }
    end(l);
}

LN_TEST(vp8, gives_a_key_frame_when_asked_and_only_then)
{
    struct loop *l = &loop;

    begin(l, 320, 240, 500000);
    run(l, 320, 240, 40);
    CHECK_EQUAL(l->keys, 1);
    for (int i = 0; i < 3; i++) {
        struct ln_frame *frame = encode(l, 320, 240, true);

        CHECK(frame && frame->key);
        decode(l, frame);
        run(l, 320, 240, 10);
    }
    CHECK_EQUAL(l->keys, 4);
    end(l);
}

LN_TEST(vp8, follows_a_change_of_rate_without_a_key_frame)
{
    struct loop *l = &loop;
    uint64_t high, low;

    begin(l, 640, 480, 1000000);
    run(l, 640, 480, 60);
    l->bytes = 0;
    run(l, 640, 480, 30);
    high = l->bytes * 8;
    ln_video_encoder_set_rate(l->encoder, 200000, 0);
    run(l, 640, 480, 30);
    l->bytes = 0;
    run(l, 640, 480, 60);
    low = l->bytes * 8 / 2;
    CHECK_EQUAL(l->keys, 1);
    CHECK(low < 300000);
    CHECK(high > low);
    CHECK_EQUAL(l->read, l->decoded);
    end(l);
}

LN_TEST(vp8, follows_a_change_of_size_with_a_key_frame)
{
    static const uint16_t sizes[][2] = { { 320, 240 }, { 640, 480 }, { 161, 121 }, { 64, 64 } };
    struct loop *l = &loop;

    begin(l, 640, 360, 500000);
    for (unsigned i = 0; i < 4; i++) {
        struct ln_frame *frame = encode(l, sizes[i][0], sizes[i][1], false);

        CHECK(frame && frame->key);
        CHECK_EQUAL(frame->width, sizes[i][0]);
        decode(l, frame);
        run(l, sizes[i][0], sizes[i][1], 5);
    }
    CHECK_EQUAL(l->keys, 4);
    end(l);
}

LN_TEST(vp8, asks_for_a_key_frame_at_the_start_and_after_damage)
{
    struct loop *l = &loop;
    struct ln_frame *key, *delta, *cut;
    struct ln_picture *picture = NULL;

    begin(l, 320, 240, 500000);
    key = encode(l, 320, 240, false);
    delta = encode(l, 320, 240, false);
    CHECK(key && delta);
    CHECK(ln_video_decoder_needs_key(l->decoder));
    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, delta, &picture), LN_ERR_INVALID_STATE);
    CHECK(picture == NULL);
    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, key, &picture), 0);
    ln_picture_unref(picture);
    CHECK(!ln_video_decoder_needs_key(l->decoder));
    cut = ln_frame_create(&memory.allocator, 4);
    CHECK(cut != NULL);
    memcpy(ln_frame_data(cut), delta->data, 4);
    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, cut, &picture), LN_ERR_MALFORMED);
    CHECK(ln_video_decoder_needs_key(l->decoder));
    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, delta, &picture), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_video_decoder_decode(l->decoder, key, &picture), 0);
    ln_picture_unref(picture);
    ln_frame_unref(key);
    ln_frame_unref(delta);
    ln_frame_unref(cut);
    end(l);
}

static int decode_bytes(struct ln_video_decoder *decoder, const uint8_t *data, size_t len)
{
    struct ln_frame *frame = ln_frame_create(&memory.allocator, len);
    struct ln_picture *picture = NULL;
    int error;

    CHECK(frame != NULL);
    if (len > 0)
        memcpy(ln_frame_data(frame), data, len);
    error = ln_video_decoder_decode(decoder, frame, &picture);
    CHECK((error == 0) == (picture != NULL));
    ln_picture_unref(picture);
    ln_frame_unref(frame);
    return error;
}

LN_TEST(vp8, refuses_a_picture_above_the_limit_before_it_allocates_for_it)
{
    /* A key frame's header: 16383 x 16383; 4097 x 16; 0 x 16; a wrong start code. */
    static const uint8_t huge[] = { 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0 };
    static const uint8_t wide[] = { 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x01, 0x10, 0x10, 0x00, 0, 0 };
    static const uint8_t none[] = { 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x00, 0x10, 0x00, 0, 0 };
    static const uint8_t code[] = { 0x10, 0, 0, 0x9d, 0x01, 0x2b, 0x10, 0x00, 0x10, 0x00, 0, 0 };
    struct loop *l = &loop;

    begin(l, 64, 64, 100000);
    CHECK_EQUAL(decode_bytes(l->decoder, huge, sizeof huge), LN_ERR_LIMIT);
    CHECK_EQUAL(decode_bytes(l->decoder, wide, sizeof wide), LN_ERR_LIMIT);
    CHECK_EQUAL(decode_bytes(l->decoder, none, sizeof none), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l->decoder, code, sizeof code), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l->decoder, huge, 9), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l->decoder, NULL, 0), LN_ERR_MALFORMED);
    end(l);
}

LN_TEST(vp8, survives_truncation_at_any_byte_and_flipped_bits)
{
    struct loop *l = &loop;
    struct ln_frame *key, *delta;
    uint8_t data[20000];

    begin(l, 160, 120, 300000);
    key = encode(l, 160, 120, false);
    delta = encode(l, 160, 120, false);
    CHECK(key && delta && key->len < sizeof data && delta->len < sizeof data);
    for (size_t len = 0; len < key->len; len += 1 + key->len / 150)
        (void)decode_bytes(l->decoder, key->data, len);
    for (int i = 0; i < 300; i++) {
        const struct ln_frame *frame = i % 3 ? delta : key;

        (void)decode_bytes(l->decoder, key->data, key->len);
        memcpy(data, frame->data, frame->len);
        for (int flips = 1 + i % 8; flips > 0; flips--)
            data[ln_rng_below(test_env()->rng,
                              frame->len < 40 || i % 2 ? (uint32_t)frame->len : 40)] ^=
                (uint8_t)(1u << ln_rng_below(test_env()->rng, 8));
        (void)decode_bytes(l->decoder, data, frame->len);
    }
    ln_frame_unref(key);
    ln_frame_unref(delta);
    end(l);
}

LN_TEST(vp8, survives_random_bytes)
{
    struct loop *l = &loop;
    uint8_t data[600];

    begin(l, 64, 64, 100000);
    for (int i = 0; i < 500; i++) {
        size_t len = (size_t)ln_rng_below(test_env()->rng, sizeof data);
        static const uint8_t start[] = { 0x9d, 0x01, 0x2a, 0x40, 0x00, 0x40, 0x00 };

        test_env()->rng->fill(test_env()->rng, data, len);
        if (i % 2 && len >= 10) { /* a plausible key frame of 64 x 64 */
            data[0] &= 0xfe;
            data[1] = data[2] = 0;
            memcpy(data + 3, start, sizeof start);
        }
        (void)decode_bytes(l->decoder, data, len);
    }
    end(l);
}

LN_TEST(vp8, allocates_nothing_a_frame_but_the_frame_itself)
{
    struct loop *l = &loop;
    uint64_t before;
    struct ln_picture *picture;
    struct ln_frame *frame = NULL;

    begin(l, 320, 240, 500000);
    run(l, 320, 240, 10);
    for (int i = 0; i < 10; i++) {
        picture = draw(l, 320, 240);
        before = memory.allocations;
        CHECK_EQUAL(ln_video_encoder_encode(l->encoder, picture, false, &frame), 0);
        CHECK_EQUAL(memory.allocations, before + 1);
        ln_picture_unref(picture);
        CHECK_EQUAL(ln_video_decoder_decode(l->decoder, frame, &picture), 0);
        CHECK_EQUAL(memory.allocations, before + 2);
        ln_picture_unref(picture);
        ln_frame_unref(frame);
    }
    end(l);
}

LN_TEST(vp8, a_key_frame_follows_a_frame_that_found_no_memory)
{
    struct loop *l = &loop;
    struct ln_picture *picture;
    struct ln_frame *frame = NULL;

    begin(l, 320, 240, 500000);
    run(l, 320, 240, 3);
    picture = draw(l, 320, 240);
    memory.fail_at = memory.allocations + 1;
    CHECK_EQUAL(ln_video_encoder_encode(l->encoder, picture, false, &frame), LN_ERR_NOMEM);
    CHECK(frame == NULL);
    memory.fail_at = 0;
    CHECK_EQUAL(ln_video_encoder_encode(l->encoder, picture, false, &frame), 0);
    CHECK(frame->key);
    ln_frame_unref(frame);
    ln_picture_unref(picture);
    end(l);
}

LN_TEST(codecs, those_listed_can_be_made_and_others_cannot)
{
    struct ln_video_encoder_config video;
    struct ln_audio_encoder_config audio;
    struct ln_video_encoder *ve = NULL;
    struct ln_audio_encoder *ae = NULL;
    size_t count;
    const struct ln_codec_info *list = ln_codec_list(&count);

    ln_counting_allocator_init(&memory, ln_allocator_libc());
    CHECK(count >= 4);
    for (size_t i = 0; i < count; i++) {
        ln_video_encoder_config_init(&video);
        ln_audio_encoder_config_init(&audio);
        video.codec = audio.codec = list[i].codec;
        CHECK(ln_codec_info(list[i].codec) == &list[i]);
        if (list[i].kind == LN_MEDIA_VIDEO) {
            CHECK_EQUAL(ln_video_encoder_create(&ve, &video, &memory.allocator), 0);
            CHECK_EQUAL(ln_audio_encoder_create(&ae, &audio, &memory.allocator),
                        LN_ERR_NOT_SUPPORTED);
            ln_video_encoder_free(ve);
        } else {
            CHECK_EQUAL(ln_audio_encoder_create(&ae, &audio, &memory.allocator), 0);
            CHECK_EQUAL(ln_video_encoder_create(&ve, &video, &memory.allocator),
                        LN_ERR_NOT_SUPPORTED);
            ln_audio_encoder_free(ae);
        }
    }
    video.codec = LN_CODEC_AV1;
    CHECK_EQUAL(ln_video_encoder_create(&ve, &video, &memory.allocator), LN_ERR_NOT_SUPPORTED);
    CHECK(ln_codec_info(LN_CODEC_NONE) == NULL);
    video.codec = LN_CODEC_VP8;
    video.width = 5000;
    CHECK_EQUAL(ln_video_encoder_create(&ve, &video, &memory.allocator), LN_ERR_RANGE);
}
