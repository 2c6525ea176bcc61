/* SPDX-License-Identifier: Apache-2.0
 * Opus and G.711 round trips, loss, and what is no packet. */
#include "media/codec/decoder.h"
#include "media/codec/encoder.h"
#include "media/codec/g711.h"
#include "media/frame/tone.h"
#include "media/process/level.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

#define TEN_MS LN_MILLISECONDS(10)

struct loop {
    struct ln_audio_encoder *encoder;
    struct ln_audio_decoder *decoder;
    struct ln_tone tone;
    uint8_t channels;
    ln_time time;
    int16_t heard[48000 * 4]; /* first channel */
    size_t heard_count;
};

/* Static, so that an allocation that fails under --oom in mid-test leaves nothing behind that the
 * next begin() cannot free; what happens without memory is test_memory.c's. */
static struct loop loop;
static struct ln_counting_allocator memory;

static void end(struct loop *l);

static void begin(struct loop *l, const struct ln_audio_encoder_config *config)
{
    struct ln_audio_decoder_config decoder = { config->codec, config->channels };

    end(l);
    ln_counting_allocator_init(&memory, ln_allocator_libc());
    l->channels = config->channels;
    ln_tone_init(&l->tone, LN_TONE_HZ, 0);
    CHECK_EQUAL(ln_audio_encoder_create(&l->encoder, config, &memory.allocator), 0);
    CHECK_EQUAL(ln_audio_decoder_create(&l->decoder, &decoder, &memory.allocator), 0);
}

static void begin_codec(struct loop *l, enum ln_codec codec)
{
    struct ln_audio_encoder_config config;

    ln_audio_encoder_config_init(&config);
    config.codec = codec;
    begin(l, &config);
}

static void end(struct loop *l)
{
    ln_audio_encoder_free(l->encoder);
    ln_audio_decoder_free(l->decoder);
    memset(l, 0, sizeof *l);
    CHECK_EQUAL(memory.live_blocks, 0);
}

static void put(struct loop *l, uint32_t count)
{
    struct ln_samples *samples = ln_samples_create(&memory.allocator, LN_AUDIO_RATE_HZ, l->channels,
                                                   count);

    CHECK(samples != NULL);
    samples->capture_time = l->time;
    ln_tone_fill(&l->tone, samples, l->time);
    CHECK_EQUAL(ln_audio_encoder_put(l->encoder, samples), 0);
    l->time += (ln_time)count * 1000000000 / LN_AUDIO_RATE_HZ;
    ln_samples_unref(samples);
}

/* The next 20 ms as a frame. */
static struct ln_frame *next_frame(struct loop *l)
{
    struct ln_frame *frame = NULL;
    int got;

    put(l, 480);
    CHECK_EQUAL(ln_audio_encoder_poll(l->encoder, &frame), 0);
    put(l, 480);
    got = ln_audio_encoder_poll(l->encoder, &frame);
    CHECK_EQUAL(got, 1);
    return frame;
}

static void hear(struct loop *l, const struct ln_frame *frame, const struct ln_frame *next)
{
    struct ln_samples *samples = NULL;

    CHECK_EQUAL(ln_audio_decoder_decode(l->decoder, frame, next, &samples), 0);
    CHECK_EQUAL(samples->rate_hz, 48000);
    CHECK_EQUAL(samples->channels, l->channels);
    CHECK_EQUAL(samples->concealed, frame->lost);
    for (uint32_t i = 0; i < samples->count && l->heard_count < 48000 * 4; i++)
        l->heard[l->heard_count++] = samples->data[i * samples->channels];
    ln_samples_unref(samples);
}

static void run(struct loop *l, int packets)
{
    for (int i = 0; i < packets; i++) {
        struct ln_frame *frame = next_frame(l);

        hear(l, frame, NULL);
        ln_frame_unref(frame);
    }
}

static void check_tone(const struct loop *l, double within_hz)
{
    size_t half = 24000;

    CHECK(l->heard_count > half);
    CHECK(fabs(ln_tone_frequency(l->heard + l->heard_count - half, half, 1, 48000) - LN_TONE_HZ) <
          within_hz);
}

LN_TEST(opus, a_tone_keeps_its_pitch_and_loudness)
{
    struct loop *l = &loop;

    begin_codec(l, LN_CODEC_OPUS);
    run(l, 50);
    CHECK_EQUAL(l->heard_count, 48000);
    check_tone(l, 2);
    CHECK(fabs(ln_level_rms(l->heard + 24000, 24000) - 0.25 / sqrt(2)) < 0.03);
    end(l);
}

LN_TEST(opus, stereo_dtx_and_constant_rate)
{
    struct loop *l = &loop;
    struct ln_audio_encoder_config config;
    struct ln_frame *frame;
    size_t len;

    ln_audio_encoder_config_init(&config);
    config.channels = 2;
    config.constant = true;
    config.music = true;
    config.bps = 64000;
    begin(l, &config);
    frame = next_frame(l);
    len = frame->len;
    CHECK(len >= 150 && len <= 170); /* 64 kbit/s of 20 ms: 160 bytes */
    hear(l, frame, NULL);
    ln_frame_unref(frame);
    run(l, 40);
    check_tone(l, 2);
    end(l);
}

LN_TEST(opus, dtx_tells_silence)
{
    struct loop *l = &loop;
    struct ln_audio_encoder_config config;
    int silent = 0;

    ln_audio_encoder_config_init(&config);
    config.dtx = true;
    begin(l, &config);
    for (int i = 0; i < 50; i++) {
        struct ln_samples *samples = ln_samples_create(&memory.allocator, 48000, 1, 960);
        struct ln_frame *frame = NULL;

        CHECK(samples != NULL);
        samples->capture_time = i * LN_MILLISECONDS(20);
        CHECK_EQUAL(ln_audio_encoder_put(l->encoder, samples), 0);
        ln_samples_unref(samples);
        CHECK_EQUAL(ln_audio_encoder_poll(l->encoder, &frame), 1);
        CHECK_EQUAL(frame->audio_level_dbov, -127);
        silent += frame->silence;
        hear(l, frame, NULL); /* and its tiny packets decode */
        ln_frame_unref(frame);
    }
    CHECK(silent > 20);
    end(l);
}

LN_TEST(audio_encoder, makes_packets_of_20_ms_with_steady_timestamps)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU, LN_CODEC_PCMA };
    struct loop *l = &loop;

    for (int c = 0; c < 3; c++) {
        struct ln_frame *frame = NULL;
        uint32_t rate = codecs[c] == LN_CODEC_OPUS ? 48000 : 8000;

        begin_codec(l, codecs[c]);
        l->time = LN_SECONDS(100);
        for (int i = 0; i < 20; i++) {
            frame = next_frame(l);
            CHECK_EQUAL(frame->clock_rate_hz, rate);
            CHECK_EQUAL(frame->rtp_timestamp, 100 * rate + (uint32_t)i * rate / 50);
            CHECK_EQUAL(frame->capture_time, LN_SECONDS(100) + i * LN_MILLISECONDS(20));
            CHECK_EQUAL(frame->duration, LN_MILLISECONDS(20));
            CHECK_EQUAL(frame->frame_id, i);
            CHECK(frame->key && !frame->silence);
            CHECK_EQUAL(frame->audio_level_dbov, -15); /* a sine of a quarter */
            ln_frame_unref(frame);
        }
        end(l);
    }
}

LN_TEST(audio_encoder, small_jitter_of_capture_times_is_smoothed_and_a_pause_is_a_gap)
{
    struct loop *l = &loop;
    struct ln_frame *frame;
    uint32_t last = 0;

    begin_codec(l, LN_CODEC_OPUS);
    for (int i = 0; i < 20; i++) {
        ln_time real = l->time;

        l->time += (ln_time)ln_rng_below(test_env()->rng, 15) * 1000000;
        frame = next_frame(l);
        CHECK(i == 0 || frame->rtp_timestamp == last + 960);
        last = frame->rtp_timestamp;
        l->time = real + LN_MILLISECONDS(20);
        ln_frame_unref(frame);
    }
    l->time += LN_SECONDS(1);
    frame = next_frame(l);
    CHECK(frame->rtp_timestamp > last + 48000 && frame->rtp_timestamp < last + 51000);
    ln_frame_unref(frame);
    end(l);
}

LN_TEST(audio_encoder, its_queue_has_a_limit_and_takes_any_pieces)
{
    struct loop *l = &loop;
    struct ln_samples *samples;
    struct ln_frame *frame = NULL;
    int packets = 0;

    begin_codec(l, LN_CODEC_OPUS);
    for (int i = 0; i < 9; i++)
        put(l, 1000);
    samples = ln_samples_create(&memory.allocator, 48000, 1, 1000);
    CHECK(samples != NULL);
    CHECK_EQUAL(ln_audio_encoder_put(l->encoder, samples), LN_ERR_LIMIT);
    samples->rate_hz = 44100;
    CHECK_EQUAL(ln_audio_encoder_put(l->encoder, samples), LN_ERR_INVALID_ARGUMENT);
    ln_samples_unref(samples);
    while (ln_audio_encoder_poll(l->encoder, &frame) == 1) {
        packets++;
        ln_frame_unref(frame);
    }
    CHECK_EQUAL(packets, 9); /* 9000 samples of 960 */
    end(l);
}

LN_TEST(audio_encoder, a_packet_that_found_no_memory_comes_with_the_next_poll)
{
    struct loop *l = &loop;
    struct ln_frame *frame = NULL;

    begin_codec(l, LN_CODEC_OPUS);
    put(l, 960);
    memory.fail_at = memory.allocations + 1;
    CHECK_EQUAL(ln_audio_encoder_poll(l->encoder, &frame), LN_ERR_NOMEM);
    memory.fail_at = 0;
    CHECK_EQUAL(ln_audio_encoder_poll(l->encoder, &frame), 1);
    CHECK_EQUAL(frame->frame_id, 0);
    ln_frame_unref(frame);
    end(l);
}

static struct ln_frame *gap(ln_duration duration)
{
    struct ln_frame *lost = ln_frame_create(&memory.allocator, 0);

    CHECK(lost != NULL);
    lost->lost = true;
    lost->duration = duration;
    return lost;
}

static size_t conceal(struct loop *l, ln_duration duration)
{
    struct ln_frame *lost = gap(duration);
    size_t before = l->heard_count;

    hear(l, lost, NULL);
    ln_frame_unref(lost);
    return l->heard_count - before;
}

LN_TEST(audio_decoder, made_up_sound_is_as_long_as_the_gap_and_fades)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU, LN_CODEC_PCMA };
    struct loop *l = &loop;

    for (int c = 0; c < 3; c++) {
        struct ln_audio_decoder_counts counts;

        begin_codec(l, codecs[c]);
        CHECK_EQUAL(conceal(l, 0), 960); /* before any packet */
        run(l, 30);
        CHECK_EQUAL(conceal(l, 0), 960);
        CHECK(ln_level_dbov(l->heard + l->heard_count - 960, 960) > -30); /* still the tone */
        CHECK_EQUAL(conceal(l, LN_MILLISECONDS(20)), 960);
        CHECK_EQUAL(conceal(l, LN_MILLISECONDS(10)), 480);
        CHECK_EQUAL(conceal(l, LN_MICROSECONDS(2600)), 120);
        CHECK_EQUAL(conceal(l, 1), 120);
        CHECK_EQUAL(conceal(l, LN_SECONDS(10)), 5760);
        for (int i = 0; i < 20; i++)
            (void)conceal(l, LN_MILLISECONDS(60));
        CHECK(ln_level_dbov(l->heard + l->heard_count - 960, 960) < -35);
        ln_audio_decoder_get_counts(l->decoder, &counts);
        CHECK_EQUAL(counts.decoded, 30 * 960);
        CHECK_EQUAL(counts.corrected, 0);
        CHECK_EQUAL(counts.concealed, 3 * 960 + 480 + 240 + 5760 + 20 * 2880);
        run(l, 30);
        check_tone(l, 2);
        end(l);
    }
}

/* The largest step between neighbours; a sine of 440 Hz at 0.25 makes at most 472 at 48 kHz. */
static int roughest(const int16_t *data, size_t count)
{
    int most = 0;

    for (size_t i = 1; i < count; i++)
        if (abs(data[i] - data[i - 1]) > most)
            most = abs(data[i] - data[i - 1]);
    return most;
}

LN_TEST(audio_decoder, a_short_gap_does_not_click)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU, LN_CODEC_PCMA };
    struct loop *l = &loop;

    for (int c = 0; c < 3; c++) {
        begin_codec(l, codecs[c]);
        run(l, 25);
        ln_frame_unref(next_frame(l));
        (void)conceal(l, LN_MILLISECONDS(20));
        run(l, 10);
        CHECK(roughest(l->heard + 20 * 960, 16 * 960) < 1500);
        end(l);
    }
}

LN_TEST(opus, the_next_packet_corrects_a_lost_one)
{
    struct loop *l = &loop;
    struct ln_audio_encoder_config config;
    struct ln_audio_decoder_counts counts;
    struct ln_frame *lost, *first, *second;

    ln_audio_encoder_config_init(&config);
    config.bps = 24000;
    config.loss_percent = 20;
    begin(l, &config);
    for (int i = 0; i < 20; i++) {
        ln_frame_unref(first = next_frame(l));
        second = next_frame(l);
        lost = gap(LN_MILLISECONDS(20));
        hear(l, lost, second);
        hear(l, second, NULL);
        ln_frame_unref(lost);
        ln_frame_unref(second);
    }
    ln_audio_decoder_get_counts(l->decoder, &counts);
    CHECK_EQUAL(l->heard_count, 40 * 960);
    CHECK(counts.corrected >= 15 * 960);
    check_tone(l, 5);
    end(l);
}

static int decode_bytes(struct loop *l, enum ln_codec codec, const uint8_t *data, size_t len)
{
    struct ln_frame *frame = ln_frame_create(&memory.allocator, len);
    struct ln_frame *lost = gap(LN_MILLISECONDS(20));
    struct ln_samples *samples = NULL;
    int error;

    CHECK(frame != NULL);
    if (len > 0)
        memcpy(ln_frame_data(frame), data, len);
    frame->codec = codec;
    CHECK_EQUAL(ln_audio_decoder_decode(l->decoder, lost, frame, &samples), 0);
    ln_samples_unref(samples);
    samples = NULL;
    error = ln_audio_decoder_decode(l->decoder, frame, NULL, &samples);
    CHECK((error == 0) == (samples != NULL));
    CHECK(error == 0 || error == LN_ERR_MALFORMED);
    CHECK(!samples || samples->count <= 5760);
    ln_samples_unref(samples);
    ln_frame_unref(frame);
    ln_frame_unref(lost);
    return error;
}

LN_TEST(opus, refuses_bad_frame_counts_and_lengths)
{
    /* RFC 6716, 3.4: no bytes; code 1 with odd length; code 2 whose first length is past the end;
     * code 3 without its count; with count 0; with 49 frames; over 120 ms; padding past the end. */
    static const uint8_t odd[] = { 0x01, 1, 2, 3 }, two[] = { 0x02, 200, 1 }, bare[] = { 0x03 },
                         zero[] = { 0x03, 0 }, many[] = { 0x83, 49 },
                         long_[] = { 0x1b, 3, 1, 1, 1 },
                         padding[] = { 0x03, 0x41, 0xff, 0xff, 0xff };
    struct loop *l = &loop;

    begin_codec(l, LN_CODEC_OPUS);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, NULL, 0), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, odd, sizeof odd), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, two, sizeof two), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, bare, sizeof bare), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, zero, sizeof zero), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, many, sizeof many), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, long_, sizeof long_), LN_ERR_MALFORMED);
    CHECK_EQUAL(decode_bytes(l, LN_CODEC_OPUS, padding, sizeof padding), LN_ERR_MALFORMED);
    end(l);
}

LN_TEST(audio_decoder, survives_random_bytes_and_truncated_packets)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU, LN_CODEC_PCMA };
    struct loop *l = &loop;
    uint8_t data[1500];

    for (int c = 0; c < 3; c++) {
        struct ln_frame *frame;

        begin_codec(l, codecs[c]);
        for (int i = 0; i < 200; i++) {
            size_t len = (size_t)ln_rng_below(test_env()->rng, sizeof data);

            test_env()->rng->fill(test_env()->rng, data, len);
            (void)decode_bytes(l, codecs[c], data, len);
        }
        frame = next_frame(l);
        for (size_t len = 0; len <= frame->len; len++)
            (void)decode_bytes(l, codecs[c], frame->data, len);
        ln_frame_unref(frame);
        run(l, 30); /* and it recovers */
        check_tone(l, 3);
        CHECK_EQUAL(decode_bytes(l, LN_CODEC_VP8, data, 100), LN_ERR_MALFORMED);
        end(l);
    }
}

LN_TEST(audio_decoder, allocates_nothing_a_frame_but_the_samples)
{
    static const enum ln_codec codecs[] = { LN_CODEC_OPUS, LN_CODEC_PCMU };
    struct loop *l = &loop;

    for (int c = 0; c < 2; c++) {
        begin_codec(l, codecs[c]);
        for (int i = 0; i < 10; i++) {
            uint64_t before = memory.allocations;

            run(l, 1);
            CHECK_EQUAL(memory.allocations, before + 4); /* 2 put, frame, samples */
        }
        end(l);
    }
}

/* What G.711 says a code means, written down from the formula of its tables 1 and 2. */
static int ulaw_value(int code)
{
    int e = 7 - (code >> 4 & 7), m = 15 - (code & 15), v = ((2 * m + 33) * (1 << e) - 33) * 4;

    return code & 0x80 ? v : -v;
}

static int alaw_value(int code)
{
    int plain = code ^ 0x55, e = plain >> 4 & 7, m = plain & 15;
    int v = (e == 0 ? 2 * m + 1 : (2 * m + 33) << (e - 1)) * 8;

    return plain & 0x80 ? v : -v;
}

LN_TEST(g711, every_code_has_the_value_of_the_recommendation)
{
    CHECK_EQUAL(ln_g711_ulaw_decode(0x80), 8031 * 4); /* table 2a, last row */
    CHECK_EQUAL(ln_g711_ulaw_decode(0x00), -8031 * 4);
    CHECK_EQUAL(ln_g711_ulaw_decode(0xff), 0);
    CHECK_EQUAL(ln_g711_ulaw_decode(0x7f), 0);
    CHECK_EQUAL(ln_g711_alaw_decode(0xaa), 4032 * 8); /* table 1a, last row */
    CHECK_EQUAL(ln_g711_alaw_decode(0xd5), 1 * 8);
    for (int code = 0; code < 256; code++) {
        CHECK_EQUAL(ln_g711_ulaw_decode((uint8_t)code), ulaw_value(code));
        CHECK_EQUAL(ln_g711_alaw_decode((uint8_t)code), alaw_value(code));
        if (code != 0x7f) /* negative zero */
            CHECK_EQUAL(ln_g711_ulaw_encode(ln_g711_ulaw_decode((uint8_t)code)), code);
        CHECK_EQUAL(ln_g711_alaw_encode(ln_g711_alaw_decode((uint8_t)code)), code);
    }
}

LN_TEST(g711, every_sample_goes_to_the_nearest_value_of_its_sign)
{
    for (int x = -32768; x <= 32767; x++) {
        int u = ln_g711_ulaw_decode(ln_g711_ulaw_encode((int16_t)x));
        int a = ln_g711_alaw_decode(ln_g711_alaw_encode((int16_t)x));
        int size = abs(x), ustep = 8, astep = 16;

        while (size + 132 >= 256 * (ustep / 8) && ustep < 1024)
            ustep *= 2;
        while (size >= 512 * (astep / 16) && astep < 1024)
            astep *= 2;
        CHECK(abs(x) > 32635 || abs(u - x) <= ustep / 2 + 4);
        CHECK(abs(a - x) <= astep / 2 + 8);
        CHECK((x >= 0) == (a > 0));
    }
}

LN_TEST(g711, a_tone_keeps_its_pitch_and_loudness)
{
    static const enum ln_codec codecs[] = { LN_CODEC_PCMU, LN_CODEC_PCMA };
    struct loop *l = &loop;

    for (int c = 0; c < 2; c++) {
        begin_codec(l, codecs[c]);
        run(l, 50);
        CHECK_EQUAL(l->heard_count, 48000);
        check_tone(l, 1);
        CHECK(fabs(ln_level_rms(l->heard + 24000, 24000) - 0.25 / sqrt(2)) < 0.01);
        end(l);
    }
}
