/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer_media.h"

#include "client/media_engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct peer_media {
    ln_peer_connection *pc;
    struct ln_env *env;
    struct ln_workers *workers;
    struct ln_media_engine *engine;
};

static bool is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

/* A track of ours with its source; in one stream with the other, so that they are played in step.
 */
static int add_source(struct peer_media *media, enum ln_media_kind kind)
{
    static const char *const stream[] = { "linnet" };
    struct ln_media_source source = { .kind = LN_SOURCE_TEST };
    ln_media_stream_track *track;
    ln_rtp_sender *sender;
    int error = ln_media_stream_track_create(media->env, kind, NULL, &track);

    if (error)
        return error;
    error = ln_peer_connection_add_track(media->pc, track, stream, 1, &sender);
    ln_media_stream_track_unref(track);
    return error ? error : ln_media_engine_set_source(media->engine, sender, &source);
}

static int add_kind(struct peer_media *media, enum ln_media_kind kind, const char *wish)
{
    struct ln_rtp_transceiver_init init;
    ln_rtp_transceiver *transceiver;

    if (is(wish, "test") || is(wish, "tone"))
        return add_source(media, kind);
    if (!is(wish, "recv"))
        return 0;
    ln_rtp_transceiver_init_init(&init);
    init.direction = LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY;
    return ln_peer_connection_add_transceiver(media->pc, kind, NULL, &init, &transceiver);
}

int peer_media_create(struct peer_media **ret_media, struct ln_loop *loop, struct ln_env *env,
                      ln_peer_connection *pc, struct ln_place *place, const char *video,
                      const char *audio)
{
    struct peer_media *media = calloc(1, sizeof *media);
    struct ln_media_engine_config config = { .loop = loop, .pc = pc, .place = place };
    int error;

    if (!media)
        return LN_ERR_NOMEM;
    media->pc = pc;
    media->env = env;
    error = ln_workers_create(&media->workers, loop, 0, env->allocator);
    config.workers = media->workers;
    if (!error)
        error = ln_media_engine_create(&media->engine, &config);
    if (!error)
        error = add_kind(media, LN_MEDIA_AUDIO, audio);
    if (!error)
        error = add_kind(media, LN_MEDIA_VIDEO, video);
    if (error) {
        peer_media_free(media);
        return error;
    }
    *ret_media = media;
    return 0;
}

void peer_media_free(struct peer_media *media)
{
    if (!media)
        return;
    ln_media_engine_free(media->engine);
    ln_workers_free(media->workers);
    free(media);
}

void peer_media_event(struct peer_media *media, ln_time now, const struct ln_event *event)
{
    ln_media_engine_handle_event(media->engine, now, event);
}

static void set_number(json_t *object, const char *name, double value)
{
    if (!isnan(value))
        json_object_set_new(object, name, json_real(value));
}

static void add_figures(json_t *array, const char *mid, bool received, enum ln_media_kind kind,
                        const struct ln_track_figures *f)
{
    json_t *object = json_pack(
        "{s:s+, s:s, s:s?, s:s, s:s, s:I, s:I, s:I}", "id", received ? "LI" : "LO", mid ? mid : "",
        "type", "linnet-track", "mid", mid, "direction", received ? "in" : "out", "kind",
        kind == LN_MEDIA_AUDIO ? "audio" : "video", "frames", (json_int_t)f->frames, "keyFrames",
        (json_int_t)f->key_frames, "dropped", (json_int_t)f->dropped);

    if (!object)
        return;
    if (kind == LN_MEDIA_VIDEO && received) {
        json_object_set_new(object, "numbersRead", json_integer((json_int_t)f->numbers_read));
        json_object_set_new(object, "numbersMissing", json_integer((json_int_t)f->numbers_missing));
        json_object_set_new(object, "numbersDisordered",
                            json_integer((json_int_t)f->numbers_disordered));
        json_object_set_new(object, "lastNumber", json_integer(f->last_number));
        json_object_set_new(object, "latencyP50Ms", json_integer(f->latency_p50_ms));
        json_object_set_new(object, "latencyP95Ms", json_integer(f->latency_p95_ms));
        json_object_set_new(object, "width", json_integer(f->width));
        json_object_set_new(object, "height", json_integer(f->height));
    } else if (received) {
        json_object_set_new(object, "samples", json_integer((json_int_t)f->samples));
        json_object_set_new(object, "samplesConcealed",
                            json_integer((json_int_t)f->samples_concealed));
        set_number(object, "frequencyHz", f->frequency_hz);
        set_number(object, "levelDbov", f->level_dbov);
    }
    set_number(object, "framesPerSecond", f->fps);
    set_number(object, "codecMs", f->codec_ms);
    json_array_append_new(array, object);
}

void peer_media_stats(struct peer_media *media, json_t *array)
{
    size_t i, count = ln_peer_connection_transceiver_count(media->pc);
    double flash_to_beep = ln_media_engine_flash_to_beep_ms(media->engine);

    for (i = 0; i < count; i++) {
        ln_rtp_transceiver *t = ln_peer_connection_transceiver(media->pc, i);
        struct ln_track_figures figures;

        if (ln_media_engine_receiver_figures(media->engine, ln_rtp_transceiver_receiver(t),
                                             &figures))
            add_figures(array, ln_rtp_transceiver_mid(t), true, ln_rtp_transceiver_kind(t),
                        &figures);
        if (ln_media_engine_sender_figures(media->engine, ln_rtp_transceiver_sender(t), &figures))
            add_figures(array, ln_rtp_transceiver_mid(t), false, ln_rtp_transceiver_kind(t),
                        &figures);
    }
    if (!isnan(flash_to_beep))
        json_array_append_new(array, json_pack("{s:s, s:s, s:f}", "id", "LS", "type", "linnet-sync",
                                               "flashToBeepMs", flash_to_beep));
}
