/* SPDX-License-Identifier: Apache-2.0
 * How far a transfer is: one line, rewritten in place on a terminal; elsewhere a line now and then.
 *
 *   film.mp4  [########··········]  42 %  1.7 of 4.0 GB  85 MB/s  0:28 left  host */
#ifndef LN_CLI_PROGRESS_H
#define LN_CLI_PROGRESS_H

#include <linnet/types.h>

#include <stdio.h>

#define PROGRESS_EVERY   LN_MILLISECONDS(200) /* on a terminal */
#define PROGRESS_LINES   LN_SECONDS(5)        /* elsewhere */
#define PROGRESS_SAMPLES 16u                  /* of the last seconds, for the rate */
#define PROGRESS_TEXT    200u

struct progress {
    FILE *out;
    bool terminal, shown; /* a line stands there, unfinished */
    ln_time next, sampled_at;
    struct {
        ln_time at;
        uint64_t bytes;
    } samples[PROGRESS_SAMPLES];
    size_t sample_count;
};

struct progress_state {
    const char *name;     /* what is under way; may be long */
    uint64_t done, total; /* bytes; total UINT64_MAX: unknown */
    const char *path;     /* "host", "srflx", "prflx", "relay" or "" */
};

void progress_init(struct progress *progress, FILE *out, bool terminal);
/* Shows it if it is time. */
void progress_show(struct progress *progress, ln_time now, const struct progress_state *state);
/* Takes an unfinished line away, so that something else may be written. */
void progress_clear(struct progress *progress);
/* Writes "WHO: " and a sentence in the line's place: the format with the argument, which may come
 * from elsewhere: control characters are left out. */
void progress_say(struct progress *progress, const char *who, const char *format,
                  const char *argument);
/* A pause makes no rate: what came before does not count. */
void progress_restart(struct progress *progress);

/* The line without its end, at most `width` characters wide. Returns text. */
char *progress_line(const struct progress *progress, ln_time now,
                    const struct progress_state *state, size_t width, char text[PROGRESS_TEXT]);
/* "1.7 GB", "12 kB", "7 bytes". Returns text. */
char *progress_bytes(uint64_t bytes, char text[16]);

#endif
