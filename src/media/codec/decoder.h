/* SPDX-License-Identifier: Apache-2.0
 * Decoders: encoded frames in, pictures or samples out. What comes in is from the network: any
 * bytes are legal input, bad ones are an error and never more.
 *
 * A decoder belongs to one thread at a time, never to a loop. The allocator is the one of the
 * pictures and samples it gives out, so it must be usable from every thread that drops one. */
#ifndef LN_MEDIA_CODEC_DECODER_H
#define LN_MEDIA_CODEC_DECODER_H

#include "base/frame.h"
#include "media/frame/limits.h"

struct ln_video_decoder;
struct ln_audio_decoder;

struct ln_video_decoder_config {
    enum ln_codec codec;
    uint8_t threads;   /* 0: one */
    uint16_t side_max; /* pixels, either way; 0: LN_PICTURE_SIDE_MAX (4096) */
};

/* Returns 0, LN_ERR_NOT_SUPPORTED, LN_ERR_NOMEM, LN_ERR_OPERATION. */
LN_NODISCARD int ln_video_decoder_create(struct ln_video_decoder **ret_decoder,
                                         const struct ln_video_decoder_config *config,
                                         struct ln_allocator *allocator);
void ln_video_decoder_free(struct ln_video_decoder *decoder);

/* Decodes one frame. ret_picture: one reference, the caller's, with its own memory; times,
 * rtp_timestamp and rotation from the frame.
 *
 * Returns 0; LN_ERR_AGAIN when the frame is not to be shown (no picture, all is well);
 * LN_ERR_INVALID_STATE when a key frame is needed first (ask the sender for one);
 * LN_ERR_MALFORMED when the bytes are not a frame: from then on a key frame is needed;
 * LN_ERR_LIMIT when the picture is larger than side_max; LN_ERR_NOMEM (decoded, but not given). */
LN_NODISCARD int ln_video_decoder_decode(struct ln_video_decoder *decoder,
                                         const struct ln_frame *frame,
                                         struct ln_picture **ret_picture);

/* Whether the decoder waits for a key frame: at the start and after a malformed frame. */
bool ln_video_decoder_needs_key(const struct ln_video_decoder *decoder);

struct ln_audio_decoder_config {
    enum ln_codec codec;
    uint8_t channels; /* of the samples that come out: 1 or 2 */
};

/* Returns 0, LN_ERR_NOT_SUPPORTED, LN_ERR_INVALID_ARGUMENT (channels), LN_ERR_NOMEM,
 * LN_ERR_OPERATION. */
LN_NODISCARD int ln_audio_decoder_create(struct ln_audio_decoder **ret_decoder,
                                         const struct ln_audio_decoder_config *config,
                                         struct ln_allocator *allocator);
void ln_audio_decoder_free(struct ln_audio_decoder *decoder);

/* Decodes one frame to samples of 48 kHz; or, when frame->lost, makes up what is missing: from
 * the forward error correction inside the frame after it, where that is at hand, else by
 * concealment. The concealment of a long gap fades to silence.
 *
 * frame  with `lost`: `duration` says how much is missing; 0 means as much as the frame before.
 *        Rounded to 2.5 ms and limited to 120 ms.
 * next   the frame that follows a lost one in the sender's order, NULL while not known. It is only
 *        looked into; it is decoded by its own call.
 * ret_samples  one reference, the caller's; times and rtp_timestamp from the frame, `concealed`
 *        set for a lost frame.
 *
 * Returns 0; LN_ERR_MALFORMED when the bytes are no packet of this codec (the caller may then treat
 * it as lost); LN_ERR_NOMEM. */
LN_NODISCARD int ln_audio_decoder_decode(struct ln_audio_decoder *decoder,
                                         const struct ln_frame *frame, const struct ln_frame *next,
                                         struct ln_samples **ret_samples);

/* Samples that came from forward error correction and from concealment, per channel. */
struct ln_audio_decoder_counts {
    uint64_t decoded, corrected, concealed;
};
void ln_audio_decoder_get_counts(const struct ln_audio_decoder *decoder,
                                 struct ln_audio_decoder_counts *ret_counts);

#endif
