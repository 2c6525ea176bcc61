/* SPDX-License-Identifier: Apache-2.0
 * MediaStreamTrack, as far as a peer connection needs it: an identity with a kind and states. What
 * it carries are encoded frames (ln_rtp_sender_send_frame, ln_rtp_receiver_poll_frame);
 * linnet-client joins tracks to cameras, encoders, decoders and speakers.
 * (https://www.w3.org/TR/mediacapture-streams/#mediastreamtrack) */
#ifndef LINNET_MEDIA_STREAM_TRACK_H
#define LINNET_MEDIA_STREAM_TRACK_H

#include <linnet/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_media_stream_track ln_media_stream_track;

/* A live, enabled local track. id NULL: a random UUID (version 4). Returns 0, LN_ERR_NOMEM or
 * LN_ERR_INVALID_ARGUMENT (an id that cannot stand in an SDP msid line). */
LN_API LN_NODISCARD int ln_media_stream_track_create(const struct ln_env *env,
                                                     enum ln_media_kind kind, const char *id,
                                                     ln_media_stream_track **ret_track);
LN_API ln_media_stream_track *ln_media_stream_track_ref(ln_media_stream_track *track);
LN_API void ln_media_stream_track_unref(ln_media_stream_track *track); /* NULL is fine */

LN_API enum ln_media_kind ln_media_stream_track_kind(const ln_media_stream_track *track);
LN_API const char *ln_media_stream_track_id(const ln_media_stream_track *track);
LN_API bool ln_media_stream_track_enabled(const ln_media_stream_track *track);
LN_API void ln_media_stream_track_set_enabled(ln_media_stream_track *track, bool enabled);
LN_API bool ln_media_stream_track_muted(const ln_media_stream_track *track);
/* readyState: true for "live", false for "ended". */
LN_API bool ln_media_stream_track_live(const ln_media_stream_track *track);
LN_API void ln_media_stream_track_stop(ln_media_stream_track *track);

#ifdef __cplusplus
}
#endif
#endif
