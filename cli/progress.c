/* SPDX-License-Identifier: Apache-2.0
 * The rate is that of the last seconds, so that the time left follows the network. */
#include "cli/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SAMPLE_EVERY LN_MILLISECONDS(500)
#define BAR_CELLS    20u
#define NAME_WIDTH   24u
#define WIDTH_LEAST  20u
#define SENTENCE_MAX 700u

void progress_init(struct progress *p, FILE *out, bool terminal)
{
    memset(p, 0, sizeof *p);
    p->out = out;
    p->terminal = terminal;
}

void progress_restart(struct progress *p)
{
    p->sample_count = 0;
    p->sampled_at = 0;
}

static void sample(struct progress *p, ln_time now, uint64_t bytes)
{
    if (p->sample_count > 0 && now - p->sampled_at < SAMPLE_EVERY)
        return;
    if (p->sample_count == PROGRESS_SAMPLES)
        memmove(&p->samples[0], &p->samples[1], (--p->sample_count) * sizeof p->samples[0]);
    p->samples[p->sample_count].at = now;
    p->samples[p->sample_count++].bytes = bytes;
    p->sampled_at = now;
}

/* Bytes a second; 0: not known. */
static double rate(const struct progress *p, ln_time now, uint64_t bytes)
{
    if (p->sample_count == 0 || now - p->samples[0].at < LN_MILLISECONDS(300) ||
        bytes < p->samples[0].bytes)
        return 0;
    return (double)(bytes - p->samples[0].bytes) / ((double)(now - p->samples[0].at) / 1e9);
}

char *progress_bytes(uint64_t bytes, char text[16])
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
    double value = (double)bytes / 1000;
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(text, 16, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
        return text;
    }
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 16, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* The end of a long name tells more than its beginning. Cut at a character's border. */
static const char *short_name(const char *name, const char **ret_dots)
{
    size_t len = strlen(name), cut = len > NAME_WIDTH ? len - (NAME_WIDTH - 2) : 0;

    while (cut > 0 && ((uint8_t)name[cut] & 0xc0) == 0x80)
        cut++;
    *ret_dots = cut > 0 ? ".." : "";
    return name + cut;
}

static void add_bar(const struct progress_state *s, char *text, size_t cap)
{
    double part = s->total ? (double)s->done / (double)s->total : 1;
    size_t full;
    char bar[BAR_CELLS + 1];

    part = part > 1 ? 1 : part;
    full = (size_t)(part * BAR_CELLS);
    for (size_t i = 0; i < BAR_CELLS; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    snprintf(text, cap, "[%s] %3d %%  ", bar, (int)(part * 100));
}

static void add_time(const struct progress_state *s, double bytes_per_second, char *text,
                     size_t cap)
{
    double left;

    if (bytes_per_second <= 0 || s->total == UINT64_MAX || s->done >= s->total)
        return;
    left = (double)(s->total - s->done) / bytes_per_second;
    if (left < 359999)
        snprintf(text, cap, left < 3600 ? "  %d:%02d left" : "  %d:%02d h left",
                 (int)(left < 3600 ? left / 60 : left / 3600),
                 (int)(left < 3600 ? (int)left % 60 : (int)(left / 60) % 60));
}

char *progress_line(const struct progress *p, ln_time now, const struct progress_state *s,
                    size_t width, char text[PROGRESS_TEXT])
{
    char bar[48] = "", done[16], total[20] = "", speed[24] = "", left[24] = "";
    double bytes_per_second = rate(p, now, s->done);
    const char *dots, *name = short_name(s->name, &dots);

    if (s->total != UINT64_MAX) {
        char sum[16];

        add_bar(s, bar, sizeof bar);
        snprintf(total, sizeof total, " of %s", progress_bytes(s->total, sum));
    }
    if (bytes_per_second > 0) {
        char each[16];

        snprintf(speed, sizeof speed, "  %s/s", progress_bytes((uint64_t)bytes_per_second, each));
    }
    add_time(s, bytes_per_second, left, sizeof left);
    snprintf(text, PROGRESS_TEXT, "%s%s  %s%s%s%s%s%s%s", dots, name, bar,
             progress_bytes(s->done, done), total, speed, left, s->path[0] ? "  " : "", s->path);
    if (width < PROGRESS_TEXT)
        text[width] = '\0';
    return text;
}

static size_t width_of(const struct progress *p)
{
    struct winsize size;

    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_LEAST)
        return 79;
    return size.ws_col - 1u;
}

void progress_show(struct progress *p, ln_time now, const struct progress_state *s)
{
    char text[PROGRESS_TEXT];

    sample(p, now, s->done);
    if (p->next == 0 && !p->terminal) /* what is quick needs no line */
        p->next = now + PROGRESS_LINES;
    if (now < p->next)
        return;
    p->next = now + (p->terminal ? PROGRESS_EVERY : PROGRESS_LINES);
    if (p->terminal) {
        fprintf(p->out, "\r%s\x1b[K", progress_line(p, now, s, width_of(p), text));
        p->shown = true;
    } else {
        fprintf(p->out, "%s\n", progress_line(p, now, s, PROGRESS_TEXT, text));
    }
    fflush(p->out);
}

void progress_clear(struct progress *p)
{
    if (p->shown)
        fputs("\r\x1b[K", p->out);
    p->shown = false;
    if (p->terminal)
        p->next = 0;
}

/* A terminal obeys control characters, also those that UTF-8 writes as two bytes (U+0080 to
 * U+009F). */
static void leave_out_controls(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        uint8_t c = (uint8_t)*at, next = (uint8_t)at[1];

        if (c == 0xc2 && next >= 0x80 && next < 0xa0)
            at++;
        else if (c >= 0x20 && c != 0x7f)
            *to++ = *at;
    }
    *to = '\0';
}

void progress_say(struct progress *p, const char *who, const char *format, const char *argument)
{
    char line[SENTENCE_MAX];

    snprintf(line, sizeof line, format, argument);
    leave_out_controls(line);
    progress_clear(p);
    fprintf(p->out, "%s: %s\n", who, line);
}
