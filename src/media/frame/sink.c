/* SPDX-License-Identifier: Apache-2.0
 * Counting ends of the line. */
#include "media/frame/sink.h"

#include "media/process/level.h"

#include <string.h>

void ln_video_sink_init(struct ln_video_sink *sink, bool keep)
{
    memset(sink, 0, sizeof *sink);
    sink->keep = keep;
    sink->flash_time = LN_TIME_NEVER;
}

void ln_video_sink_close(struct ln_video_sink *sink)
{
    ln_picture_unref(sink->latest);
    sink->latest = NULL;
}

/* Numbers wrap: what lies less than half the range ahead is newer. */
static void count_number(struct ln_video_sink *sink, uint32_t number)
{
    uint32_t step = number - sink->last_number;

    if (sink->read == 0) {
        sink->first_number = number;
    } else if (step == 0 || step > UINT32_MAX / 2) {
        sink->disordered++;
        return;
    } else {
        sink->missing += step - 1;
    }
    sink->last_number = number;
}

static void count_latency(struct ln_video_sink *sink, uint64_t sent_ms, uint64_t wall_ms)
{
    int64_t latency = (int64_t)(wall_ms - sent_ms);

    if (latency < 0)
        latency = 0;
    if (latency > LN_SINK_LATENCY_MAX_MS)
        latency = LN_SINK_LATENCY_MAX_MS;
    sink->latency_count++;
    sink->latency_sum_ms += latency;
    sink->latency_ms[latency]++;
}

void ln_video_sink_put(struct ln_video_sink *sink, const struct ln_picture *picture, ln_time now,
                       uint64_t wall_ms)
{
    struct ln_test_picture what;

    sink->pictures++;
    sink->width = picture->width;
    sink->height = picture->height;
    if (sink->keep) {
        ln_picture_unref(sink->latest);
        sink->latest = ln_picture_ref(picture);
    }
    if (ln_test_picture_read(picture, &what) != 0) {
        sink->unread++;
        return;
    }
    count_number(sink, what.number);
    sink->read++;
    if (what.flash && !sink->last_flash) {
        sink->flashes++;
        sink->flash_time = now;
    }
    sink->last_flash = what.flash;
    if (wall_ms > 0)
        count_latency(sink, what.time_ms, wall_ms);
}

struct ln_picture *ln_video_sink_latest(const struct ln_video_sink *sink)
{
    return sink->latest ? ln_picture_ref(sink->latest) : NULL;
}

int ln_video_sink_latency_ms(const struct ln_video_sink *sink, unsigned percent)
{
    uint64_t wanted = (sink->latency_count * (percent < 100 ? percent : 100) + 99) / 100, seen = 0;

    if (sink->latency_count == 0)
        return -1;
    for (int ms = 0; ms <= (int)LN_SINK_LATENCY_MAX_MS; ms++) {
        seen += sink->latency_ms[ms];
        if (seen > 0 && seen >= wanted)
            return ms;
    }
    return (int)LN_SINK_LATENCY_MAX_MS;
}

void ln_audio_sink_init(struct ln_audio_sink *sink)
{
    memset(sink, 0, sizeof *sink);
    sink->level_dbov = -127;
    ln_beep_detector_init(&sink->beep, LN_TONE_BEEP_HZ);
}

void ln_audio_sink_put(struct ln_audio_sink *sink, const struct ln_samples *samples, ln_time now)
{
    size_t values = (size_t)samples->count * samples->channels;

    sink->samples += samples->count;
    if (samples->concealed)
        sink->concealed += samples->count;
    sink->level_dbov = ln_level_dbov(samples->data, values);
    sink->rms = ln_level_rms(samples->data, values);
    ln_beep_detector_put(&sink->beep, samples, now);
    for (uint32_t i = 0; i < samples->count; i++) {
        sink->window[sink->window_count++] = samples->data[(size_t)i * samples->channels];
        if (sink->window_count == LN_SINK_WINDOW) {
            sink->frequency_hz = ln_tone_frequency(sink->window, LN_SINK_WINDOW, 1, 48000);
            sink->window_count = 0;
        }
    }
}
