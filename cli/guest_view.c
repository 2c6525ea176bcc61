/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/guest_view.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_INTERVAL LN_SECONDS(5)
#define LINE_BYTES     320
#define SHOWN_BYTES    4096 /* of a message */

void guest_view_init(struct guest_view *view, enum guest_output output, bool chat)
{
    *view = (struct guest_view){
        .output = output, .rewrites = output == GUEST_TEXT && !chat && isatty(STDOUT_FILENO)
    };
}

/* ---- text ---- */

/* A copy in which nothing steers a terminal: C0 and C1 controls become '?'. */
static const char *plain(const char *text, size_t len, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < cap; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0) {
            out[n++] = '?';
            i++;
        } else {
            out[n++] = c < 0x20 || c == 0x7f ? '?' : text[i];
        }
    }
    out[n] = '\0';
    return out;
}

static const char *name_of(const ln_participant *participant, char *out, size_t cap)
{
    const char *name = ln_participant_name(participant);

    return plain(name, strlen(name), out, cap);
}

static void erase_rows(struct guest_view *view)
{
    for (; view->rows > 0; view->rows--)
        fputs("\033[1A\033[2K", stdout);
}

static void say(struct guest_view *view, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct guest_view *view, const char *format, ...)
{
    va_list arguments;

    if (view->output == GUEST_QUIET)
        return;
    erase_rows(view);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

struct line {
    char text[LINE_BYTES];
    size_t len;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(line->text + line->len, sizeof line->text - line->len, format, arguments);
    va_end(arguments);
    if (written > 0)
        line->len += (size_t)written;
    if (line->len >= sizeof line->text)
        line->len = sizeof line->text - 1;
}

static void add_video(struct line *line, const char *label, const struct ln_track_figures *track)
{
    if (!track->active)
        return;
    add(line, "  %s %ux%u %.1f fps %.0f kbit/s", label, track->width, track->height, track->fps,
        track->bitrate_bps / 1e3);
}

static void add_figures(struct line *line, const ln_participant *participant)
{
    struct ln_participant_figures figures;

    ln_participant_figures(participant, &figures);
    add_video(line, "sees", &figures.video_in);
    if (figures.video_in.active)
        add(line, " loss %.1f %% jitter %.1f ms", figures.video_in.loss * 100,
            figures.video_in.jitter_ms);
    if (figures.video_in.latency_p50_ms >= 0)
        add(line, " delay %d ms", figures.video_in.latency_p50_ms);
    if (figures.audio_in.active)
        add(line, "  hears %.0f dB %.0f Hz loss %.1f %%", figures.audio_in.level_dbov,
            figures.audio_in.frequency_hz, figures.audio_in.loss * 100);
    add_video(line, "sends", &figures.video_out);
    if (figures.round_trip_ms >= 0)
        add(line, "  rtt %.1f ms", figures.round_trip_ms);
    if (figures.ice_restarts > 0)
        add(line, "  restarts %u", figures.ice_restarts);
}

static void write_row(const ln_participant *participant)
{
    struct line line = { .len = 0 };
    char name[80];

    add(&line, "%-12s %s", name_of(participant, name, sizeof name),
        ln_peer_connection_state_name(ln_participant_state(participant)));
    add_figures(&line, participant);
    puts(line.text);
}

static void write_rows(struct guest_view *view, ln_room *room, ln_time now)
{
    size_t count = ln_room_participant_count(room);

    if (!view->rewrites && now < view->next_lines)
        return;
    view->next_lines = now + LINES_INTERVAL;
    erase_rows(view);
    for (size_t i = 0; i < count; i++)
        write_row(ln_room_participant(room, i));
    view->rows = view->rewrites ? (unsigned)count : 0;
    fflush(stdout);
}

/* ---- JSON ---- */

/* Takes over the object. */
static void write_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;

    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static json_t *participant_json(const ln_participant *participant)
{
    return json_pack("{s:s, s:s}", "id", ln_participant_id(participant), "name",
                     ln_participant_name(participant));
}

static void set(json_t *object, const char *name, double value)
{
    if (isfinite(value))
        json_object_set_new(object, name, json_real(value));
}

static void count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *track_json(const struct ln_track_figures *track, bool video, bool in)
{
    json_t *object = json_object();

    json_object_set_new(object, "codec", json_string(ln_codec_name(track->codec)));
    count(object, "frames", track->frames);
    count(object, "dropped", track->dropped);
    set(object, "bitsPerSecond", track->bitrate_bps);
    count(object, "packets", track->packets);
    count(object, "packetsLost", track->packets_lost);
    set(object, "loss", track->loss);
    set(object, "jitterMs", track->jitter_ms);
    set(object, "codecMs", track->codec_ms);
    if (video) {
        count(object, "keyFrames", track->key_frames);
        count(object, "width", track->width);
        count(object, "height", track->height);
        set(object, "framesPerSecond", track->fps);
    }
    if (video && in) {
        count(object, "numbersRead", track->numbers_read);
        count(object, "numbersMissing", track->numbers_missing);
        count(object, "numbersDisordered", track->numbers_disordered);
        count(object, "lastNumber", track->last_number);
        if (track->latency_p50_ms >= 0) {
            count(object, "latencyP50Ms", (uint64_t)track->latency_p50_ms);
            count(object, "latencyP95Ms", (uint64_t)track->latency_p95_ms);
        }
    }
    if (!video && in) {
        count(object, "samples", track->samples);
        count(object, "samplesConcealed", track->samples_concealed);
        set(object, "levelDbov", track->level_dbov);
        set(object, "frequencyHz", track->frequency_hz);
    }
    return object;
}

static void write_figures_json(const ln_participant *participant)
{
    struct ln_participant_figures figures;
    json_t *object;

    ln_participant_figures(participant, &figures);
    object = json_pack("{s:s, s:o, s:s, s:i}", "event", "figures", "participant",
                       participant_json(participant), "state",
                       ln_peer_connection_state_name(figures.state), "iceRestarts",
                       (int)figures.ice_restarts);
    if (!object)
        return;
    if (figures.round_trip_ms >= 0)
        set(object, "roundTripMs", figures.round_trip_ms);
    if (figures.available_bitrate_bps > 0)
        set(object, "availableBitsPerSecond", figures.available_bitrate_bps);
    set(object, "flashToBeepMs", figures.flash_to_beep_ms);
    if (figures.video_in.active)
        json_object_set_new(object, "videoIn", track_json(&figures.video_in, true, true));
    if (figures.audio_in.active)
        json_object_set_new(object, "audioIn", track_json(&figures.audio_in, false, true));
    if (figures.video_out.active)
        json_object_set_new(object, "videoOut", track_json(&figures.video_out, true, false));
    if (figures.audio_out.active)
        json_object_set_new(object, "audioOut", track_json(&figures.audio_out, false, false));
    write_json(object);
}

/* ---- events ---- */

void guest_view_state(struct guest_view *view, enum ln_room_state state, int error,
                      const char *sentence)
{
    const char *name = ln_room_state_name(state);
    char shown[256];

    if (view->output == GUEST_JSON)
        write_json(json_pack("{s:s, s:s, s:s, s:s}", "event", "state", "state", name, "error",
                             error ? ln_error_name(error) : "", "sentence", sentence));
    else if (error)
        say(view, "%s: %s", name, plain(sentence, strlen(sentence), shown, sizeof shown));
    else
        say(view, "%s", name);
}

void guest_view_presence(struct guest_view *view, const ln_participant *participant,
                         const char *event)
{
    char name[80];

    if (view->output == GUEST_JSON)
        write_json(
            json_pack("{s:s, s:o}", "event", event, "participant", participant_json(participant)));
    else
        say(view, "%s %s the room", name_of(participant, name, sizeof name), event);
}

void guest_view_message(struct guest_view *view, const ln_participant *from, const char *text,
                        size_t len)
{
    char name[80], shown[SHOWN_BYTES];

    if (view->output == GUEST_JSON)
        write_json(json_pack("{s:s, s:o, s:s%}", "event", "message", "participant",
                             participant_json(from), "text", text, len));
    else
        say(view, "<%s> %s", name_of(from, name, sizeof name),
            plain(text, len, shown, sizeof shown));
}

void guest_view_snapshot(struct guest_view *view, const ln_participant *participant,
                         const char *path, int error)
{
    char name[80];

    if (view->output == GUEST_JSON)
        write_json(json_pack("{s:s, s:o, s:s, s:s}", "event", "snapshot", "participant",
                             participant_json(participant), "path", path, "error",
                             error ? ln_error_name(error) : ""));
    else if (!error)
        say(view, "%s shows what %s sends", path, name_of(participant, name, sizeof name));
}

void guest_view_figures(struct guest_view *view, ln_room *room, const ln_participant *participant,
                        ln_time now)
{
    if (view->output == GUEST_JSON)
        write_figures_json(participant);
    else if (view->output == GUEST_TEXT)
        write_rows(view, room, now);
}
