/* SPDX-License-Identifier: Apache-2.0
 * One participant of a room, on the loop: its peer connection with media and chat, negotiated
 * "perfectly" (https://www.w3.org/TR/webrtc/#perfect-negotiation-example): when offers cross, the
 * polite side (the smaller id) takes the other's. The one who joined later makes the first offer
 * and the chat channel.
 *
 * A connection that failed, or is disconnected for three seconds, gets an ICE restart, again and
 * again at growing distances until it is back. */
#ifndef LN_CLIENT_CALL_H
#define LN_CLIENT_CALL_H

#include "base/list.h"
#include "client/media_engine.h"

#define LN_CALL_CHANNEL    "chat"
#define LN_CALL_TEXTS_MAX  256u   /* texts that wait for the channel */
#define LN_CALL_TEXT_BYTES 65536u /* of one text */

struct ln_call;

struct ln_call_config {
    struct ln_loop *loop;
    struct ln_port *port; /* shared with other calls; NULL: none */
    struct ln_workers *workers;
    struct ln_env *env;
    const struct ln_configuration *configuration; /* read during create */
    struct ln_media_source video, audio;          /* kind NONE: nothing is sent */
    bool receive_video, receive_audio;
    bool polite;
    bool first_offer; /* we make it */

    /* On the loop; none may free the call. */
    void (*describe)(void *ctx, struct ln_call *call, const char *type, const char *sdp);
    void (*candidate)(void *ctx, struct ln_call *call, const struct ln_ice_candidate *candidate);
    void (*state)(void *ctx, struct ln_call *call, enum ln_peer_connection_state state,
                  bool can_receive);
    void (*track)(void *ctx, struct ln_call *call, enum ln_media_kind kind, bool live);
    void (*message)(void *ctx, struct ln_call *call, const char *text, size_t len);
    void (*picture)(void *ctx, struct ln_call *call, struct ln_picture *picture);
    void (*samples)(void *ctx, struct ln_call *call, struct ln_samples *samples);
    void (*figures)(void *ctx, struct ln_call *call, const struct ln_participant_figures *figures);
    void *ctx;
};

/* Errors: those of ln_peer_connection_create(). */
LN_NODISCARD int ln_call_create(struct ln_call **ret_call, const struct ln_call_config *config);
/* Frees it at once. NULL is fine. */
void ln_call_free(struct ln_call *call);
/* Closes the connection and tells the other side; no callback follows. It frees itself a moment
 * later, and stands in the list until then. */
void ln_call_end(struct ln_call *call, struct ln_list *ending);
/* Frees those in the list now. */
void ln_call_free_ended(struct ln_list *ending);

/* What the other side's signalling said. */
void ln_call_described(struct ln_call *call, const char *type, const char *sdp);
void ln_call_candidate(struct ln_call *call, const struct ln_ice_candidate_init *candidate);

/* Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_call_send_text(struct ln_call *call, const char *text, size_t len);
void ln_call_push_picture(struct ln_call *call, struct ln_picture *picture);
void ln_call_push_samples(struct ln_call *call, struct ln_samples *samples);
/* One reference, the caller's; NULL: none has come. */
struct ln_picture *ln_call_latest(const struct ln_call *call);
void ln_call_restart_ice(struct ln_call *call);

#endif
