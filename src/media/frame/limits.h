/* SPDX-License-Identifier: Apache-2.0
 * Sizes that all of media agrees on. */
#ifndef LN_MEDIA_FRAME_LIMITS_H
#define LN_MEDIA_FRAME_LIMITS_H

#define LN_PICTURE_SIDE_MAX     4096u  /* pixels, either way; larger pictures are refused */
#define LN_AUDIO_RATE_HZ        48000u /* of samples to encoders and from decoders */
#define LN_AUDIO_PACKET_SAMPLES 960u   /* 20 ms, one frame out */

#endif
