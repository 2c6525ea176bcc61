/* SPDX-License-Identifier: Apache-2.0
 * Ends of the line: they look at pictures and samples, count, and keep at most the latest picture.
 *
 * A sink that only counts is the null sink; with `keep` the latest picture stays at hand, for a PNG
 * snapshot (file/png.h). Plain structs, one thread. */
#ifndef LN_MEDIA_FRAME_SINK_H
#define LN_MEDIA_FRAME_SINK_H

#include "media/frame/test_picture.h"
#include "media/frame/tone.h"

#define LN_SINK_LATENCY_MAX_MS 2048u /* above it all count as this */

struct ln_video_sink {
    bool keep;
    uint64_t pictures;
    uint64_t read;                      /* pictures whose code was read */
    uint64_t unread;                    /* and those where it was not */
    uint64_t missing;                   /* numbers passed over */
    uint64_t disordered;                /* numbers that did not grow: repeated or late */
    uint32_t first_number, last_number; /* of those read */
    bool last_flash;
    uint64_t flashes;       /* changes from dark to light */
    ln_time flash_time;     /* play or arrival time of the last of them, LN_TIME_NEVER before */
    uint16_t width, height; /* of the last picture */
    uint64_t latency_count;
    int64_t latency_sum_ms;
    uint32_t latency_ms[LN_SINK_LATENCY_MAX_MS + 1]; /* pictures of each latency */
    struct ln_picture *latest;                       /* with keep; owned */
};

void ln_video_sink_init(struct ln_video_sink *sink, bool keep);
void ln_video_sink_close(struct ln_video_sink *sink); /* drops the latest picture */

/* Looks at a picture shown at `now`. wall_ms is the clock that the sender's test picture carries, 0
 * when it is not shared (no latency is then counted). */
void ln_video_sink_put(struct ln_video_sink *sink, const struct ln_picture *picture, ln_time now,
                       uint64_t wall_ms);

/* The latest picture, one reference, the caller's; NULL when there is none. */
struct ln_picture *ln_video_sink_latest(const struct ln_video_sink *sink);

/* The latency that `percent` of the pictures stay at or under, in ms; -1 while there is none. */
int ln_video_sink_latency_ms(const struct ln_video_sink *sink, unsigned percent);

#define LN_SINK_WINDOW 24000u /* samples a frequency is measured over: 0.5 s */

struct ln_audio_sink {
    uint64_t samples;    /* a channel */
    uint64_t concealed;  /* of those, made up */
    int8_t level_dbov;   /* of the last samples */
    double rms;          /* of the last samples */
    double frequency_hz; /* of the last full window; 0 for silence or before */
    struct ln_beep_detector beep;
    uint32_t window_count;
    int16_t window[LN_SINK_WINDOW]; /* first channel */
};

void ln_audio_sink_init(struct ln_audio_sink *sink);

/* Hears samples (48 kHz) whose first is played at `now`. */
void ln_audio_sink_put(struct ln_audio_sink *sink, const struct ln_samples *samples, ln_time now);

#endif
