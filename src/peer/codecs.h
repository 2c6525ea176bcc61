/* SPDX-License-Identifier: Apache-2.0
 * The codecs and header extensions that the core can send and receive: one table for capabilities,
 * offers, answers and codec preferences. */
#ifndef LN_PEER_CODECS_H
#define LN_PEER_CODECS_H

#include "sdp/jsep.h"

#include <linnet/rtp_parameters.h>

struct ln_known_codec {
    enum ln_media_kind kind;
    enum ln_codec codec; /* NONE: rtx, which codes no media */
    struct ln_codec_parameters parameters;
};

/* The index-th codec of a kind in our order of preference, NULL past the end. */
const struct ln_known_codec *ln_known_codec_at(enum ln_media_kind kind, size_t index);
/* The one that the application's description means, or NULL. */
const struct ln_known_codec *ln_known_codec_match(enum ln_media_kind kind,
                                                  const struct ln_rtp_codec_parameters *codec);
/* Whether one of the list is it. */
bool ln_known_codec_in(const struct ln_known_codec *known,
                       const struct ln_rtp_codec_parameters *list, size_t count);
/* The codec behind a negotiated one (NONE for auxiliary ones). */
enum ln_codec ln_codec_of(const struct ln_codec_parameters *parameters);

/* The header extensions offered for a kind. */
const struct ln_jsep_extension *ln_known_extensions(enum ln_media_kind kind, size_t *ret_count);

/* rid, maxBitrate, maxFramerate and scaleResolutionDownBy in their ranges: 0, LN_ERR_RANGE or
 * LN_ERR_INVALID_ARGUMENT. */
LN_NODISCARD int ln_rtp_encoding_check(enum ln_media_kind kind,
                                       const struct ln_rtp_encoding_parameters *encoding);

/* Fills the public dictionary from a negotiated or known codec. */
void ln_rtp_codec_fill(enum ln_media_kind kind, const struct ln_codec_parameters *from,
                       struct ln_rtp_codec_parameters *ret);

#endif
