/* SPDX-License-Identifier: Apache-2.0
 * What offers and answers are put together from. Inside sdp/ only.
 *
 * The tree under construction borrows the texts of the wishes; ln_jsep_finish() copies it, which
 * also checks it against the parser's limits. */
#ifndef LN_SDP_JSEP_BUILD_H
#define LN_SDP_JSEP_BUILD_H

#include "sdp/jsep.h"

struct ln_jsep_maker {
    const struct ln_jsep_local *local;
    struct ln_arena *arena;
    struct ln_sdp sdp;
};

/* An empty description with `media_count` zeroed sections whose texts are "". */
LN_NODISCARD int ln_jsep_begin(struct ln_jsep_maker *maker, const struct ln_jsep_local *local,
                               size_t media_count, struct ln_arena *arena);
/* A copy of the whole that borrows nothing. */
LN_NODISCARD int ln_jsep_finish(struct ln_jsep_maker *maker, struct ln_sdp **ret_sdp);

/* Makes a section a refused one: port 0, inactive, no transport. `protocol` and `formats` fit its
 * kind already. */
void ln_jsep_reject(struct ln_sdp_media *media);
void ln_jsep_put_transport(struct ln_sdp_media *media, const struct ln_jsep_section *section,
                           enum ln_sdp_setup setup);
/* msid, ssrc, rid and simulcast lines. `offered`: the section that is answered; NULL in offers. */
LN_NODISCARD int ln_jsep_put_streams(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                                     const struct ln_jsep_section *section,
                                     const struct ln_sdp_media *offered);
void ln_jsep_put_sctp(struct ln_sdp_media *media, const struct ln_jsep_section *section,
                      bool old_form);

#endif
