/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections on one loop and real sockets over loopback, each with a media engine: the
 * sender has sources, the receiver listens and watches. For tests and measurements. */
#ifndef LN_BENCH_MEDIA_PAIR_H
#define LN_BENCH_MEDIA_PAIR_H

#include "client/loop_driver.h"
#include "client/media_engine.h"

struct media_pair;

struct media_side {
    struct media_pair *pair;
    struct media_side *other;
    ln_peer_connection *pc;
    struct ln_place *place;
    struct ln_media_engine *engine;
    ln_op_id local_op, remote_op;
    bool connected;
    ln_rtp_sender *video_sender, *audio_sender;
    ln_rtp_receiver *video_receiver, *audio_receiver;
    ln_media_stream_track *video_track, *audio_track;
};

struct media_pair {
    struct ln_driver *driver;
    struct ln_loop *loop;
    struct ln_workers *workers;
    struct media_side sender, receiver;
    int error; /* the first that a negotiation step ended with */
    /* Called on the loop when the receiver shows or plays something; may be set after open. */
    void (*picture)(void *ctx, struct ln_picture *picture, ln_time now);
    void (*samples)(void *ctx, struct ln_samples *samples, ln_time now);
    void *ctx;
};

/* Begins to connect. A source of kind NONE is left out. Returns 0 or an error; close it in any
 * case. */
LN_NODISCARD int media_pair_open(struct media_pair *pair, const struct ln_media_source *video,
                                 const struct ln_media_source *audio);
void media_pair_close(struct media_pair *pair);

/* Runs until done() says so. False when `limit` has passed before, or something failed. */
bool media_pair_run(struct media_pair *pair, bool (*done)(struct media_pair *pair),
                    ln_duration limit);
void media_pair_figures(struct media_pair *pair, struct ln_track_figures *ret_video,
                        struct ln_track_figures *ret_audio);

#endif
