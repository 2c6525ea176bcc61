/* SPDX-License-Identifier: Apache-2.0
 * The media engine of one peer connection: sources are captured, encoded and sent; what is received
 * is decoded and delivered at its time. Lives on the loop that drives the connection, all calls and
 * callbacks on that thread; encoders and decoders run on codec workers.
 *
 * Sending: a source ticks on the loop; drawing, scaling and encoding are one job. A track has one
 * job under way; a picture that comes meanwhile waits, and the next replaces it (counted as
 * dropped). LN_EVENT_ENCODER_TARGET rules rate, size, frame rate, key frames and expected loss.
 * Receiving: frames wait in order for their decoder (at most LN_ENGINE_FRAMES_MAX; then all up to
 * the next key frame are dropped and one is asked for). Pictures leave at their play_time, of
 * several that are due only the latest is shown; samples leave when they are decoded, with their
 * play_time, for a device to place. A lost packet waits for the one after it, whose forward error
 * correction may fill the hole.
 *
 * With a bare loop (the owner of the connection does this):
 *   ln_media_engine_create(&engine, &(struct ln_media_engine_config){ loop, workers, pc, place });
 *   ln_media_engine_set_source(engine, sender, &(struct ln_media_source){ LN_SOURCE_TEST });
 *   in `after`: while (ln_peer_connection_poll_event(pc, &event)) {
 *                   ln_media_engine_handle_event(engine, now, &event); ... }
 * Receivers are taken care of as soon as their first frame comes; nothing has to be set for them.
 */
#ifndef LN_CLIENT_MEDIA_ENGINE_H
#define LN_CLIENT_MEDIA_ENGINE_H

#include "client/port.h"
#include "client/workers.h"

#include <linnet/client.h>
#include <linnet/peer_connection.h>

#define LN_ENGINE_TRACKS_MAX   64u
#define LN_ENGINE_FRAMES_MAX   64u /* received, waiting for their decoder */
#define LN_ENGINE_PICTURES_MAX 32u /* decoded, waiting for their time */
#define LN_ENGINE_SAMPLES_MAX  8u  /* blocks of the application waiting for the encoder */

struct ln_media_engine;

struct ln_media_engine_config {
    struct ln_loop *loop;
    struct ln_workers *workers;
    ln_peer_connection *pc;
    struct ln_place *place;         /* of pc on the loop */
    struct ln_allocator *allocator; /* NULL: the C library's; used from all threads */

    /* May be NULL. Borrowed; ln_picture_ref() keeps. `now` is when it is shown. */
    void (*picture)(void *ctx, ln_rtp_receiver *receiver, struct ln_picture *picture, ln_time now);
    void (*samples)(void *ctx, ln_rtp_receiver *receiver, struct ln_samples *samples, ln_time now);
    void *ctx;
};

/* config is copied; what it points to outlives the engine. Returns 0, LN_ERR_NOMEM or
 * LN_ERR_LIMIT. */
LN_NODISCARD int ln_media_engine_create(struct ln_media_engine **ret_engine,
                                        const struct ln_media_engine_config *config);
/* No callback follows. Before ln_peer_connection_free() and ln_workers_free(); jobs under way end
 * by themselves. NULL is fine. */
void ln_media_engine_free(struct ln_media_engine *engine);

/* Every event of the connection passes here, right after it was polled. */
void ln_media_engine_handle_event(struct ln_media_engine *engine, ln_time now,
                                  const struct ln_event *event);

struct ln_media_source {
    enum ln_source_kind kind;    /* NONE takes the source away */
    uint16_t width, height, fps; /* test picture; 0: 640, 480, 30 */
    double frequency_hz;         /* test tone; 0: LN_TONE_HZ */
};

/* Gives the sender a source, in place of another. Returns 0, LN_ERR_RANGE, LN_ERR_LIMIT or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_media_engine_set_source(struct ln_media_engine *engine, ln_rtp_sender *sender,
                                            const struct ln_media_source *source);
/* For LN_SOURCE_APPLICATION; a reference is taken. capture_time on the loop's clock. Returns 0,
 * LN_ERR_INVALID_STATE (no such source) or LN_ERR_LIMIT (samples: the encoder is behind). A picture
 * never fails so: it replaces the one that waits. */
LN_NODISCARD int ln_media_engine_push_picture(struct ln_media_engine *engine, ln_rtp_sender *sender,
                                              struct ln_picture *picture);
LN_NODISCARD int ln_media_engine_push_samples(struct ln_media_engine *engine, ln_rtp_sender *sender,
                                              struct ln_samples *samples);

/* What a track has done; the members about packets, bitrate and jitter stay zero, getStats has
 * them. fps is over the time since the last call that is at least half a second old. False when the
 * engine has no such track. */
bool ln_media_engine_sender_figures(struct ln_media_engine *engine, const ln_rtp_sender *sender,
                                    struct ln_track_figures *ret);
bool ln_media_engine_receiver_figures(struct ln_media_engine *engine,
                                      const ln_rtp_receiver *receiver,
                                      struct ln_track_figures *ret);
/* Flash of the last picture that began one, to the beep that belongs to it; NAN while unknown. */
double ln_media_engine_flash_to_beep_ms(const struct ln_media_engine *engine);
/* The latest picture of a receiver (NULL: of any), one reference, the caller's; NULL: none. */
struct ln_picture *ln_media_engine_latest(const struct ln_media_engine *engine,
                                          const ln_rtp_receiver *receiver);

#endif
