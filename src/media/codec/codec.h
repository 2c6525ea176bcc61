/* SPDX-License-Identifier: Apache-2.0
 * Which codecs this library was built with, and what a session description says about them. */
#ifndef LN_MEDIA_CODEC_CODEC_H
#define LN_MEDIA_CODEC_CODEC_H

#include "base/frame.h"

struct ln_codec_info {
    enum ln_codec codec;
    enum ln_media_kind kind;
    uint32_t clock_rate_hz; /* of the rtpmap line; what it really samples at is another matter */
    uint8_t channels;       /* of the rtpmap line: 2 for Opus, 1 for G.711, 0 for video */
    bool encoder, decoder;  /* built in */
};

/* All codecs that can be encoded or decoded here, best first, sound before pictures. The table is
 * constant. */
const struct ln_codec_info *ln_codec_list(size_t *ret_count);

/* The entry of one codec, or NULL when it is not built in. */
const struct ln_codec_info *ln_codec_info(enum ln_codec codec);

#endif
