/* SPDX-License-Identifier: Apache-2.0
 * Which payload type and which extension id means what in a session. Inside sdp/ only.
 *
 * All sections share one BUNDLE group, so there is one table for all. What the descriptions in
 * force have bound stays bound; a new codec gets the number that browsers give it, if that is free,
 * else a free dynamic one outside of 64..95, which RTCP would be taken for (RFC 5761, 4). */
#ifndef LN_SDP_JSEP_NUMBERS_H
#define LN_SDP_JSEP_NUMBERS_H

#include "sdp/jsep.h"

#define LN_JSEP_EXTENSION_ID_MAX 255

struct ln_jsep_numbers {
    const struct ln_codec_parameters *codec[LN_PAYLOAD_TYPE_MAX + 1]; /* NULL: free */
    enum ln_sdp_kind kind[LN_PAYLOAD_TYPE_MAX + 1];
    const char *uri[LN_JSEP_EXTENSION_ID_MAX + 1]; /* NULL: free */
};

/* Everything in the descriptions; `state` may be NULL. */
void ln_jsep_numbers_init(struct ln_jsep_numbers *numbers, const struct ln_jsep_state *state);

/* The payload type of `wish` in a section whose last local form is `before` (may be NULL); binds
 * it. LN_ERR_LIMIT when none is free. `wish` is kept by reference. */
LN_NODISCARD int ln_jsep_number_codec(struct ln_jsep_numbers *numbers, enum ln_sdp_kind kind,
                                      const struct ln_codec_parameters *wish,
                                      const struct ln_sdp_media *before);
/* The same for the rtx of a payload type; `rtx` is what to bind. */
LN_NODISCARD int ln_jsep_number_rtx(struct ln_jsep_numbers *numbers, enum ln_sdp_kind kind,
                                    int primary, const struct ln_codec_parameters *rtx);
LN_NODISCARD int ln_jsep_number_extension(struct ln_jsep_numbers *numbers, const char *uri,
                                          const struct ln_sdp_media *before);

/* What each extension id means in the bundled sections of a description: the first use counts. Some
 * stacks (aiortc before 1.6) number each section for itself; a later section's other use of an id
 * is then not agreed on, so that ids stay unique. `uri` has LN_JSEP_EXTENSION_ID_MAX + 1 places. */
void ln_jsep_first_uris(const struct ln_sdp *sdp, const char **uri);

/* The rtx codec of a list that repairs this payload type, or NULL. */
const struct ln_codec_parameters *ln_jsep_find_rtx(const struct ln_sdp_media *media, int primary);

#endif
