/* SPDX-License-Identifier: Apache-2.0
 * The state of one parse, between the lines (parse.c) and the attributes (attributes.c). */
#ifndef LN_SDP_PARSER_H
#define LN_SDP_PARSER_H

#include "sdp/sdp.h"
#include "sdp/text.h"

struct ln_sdp_parser {
    struct ln_arena *arena;
    struct ln_sdp *sdp;
    struct ln_sdp_media *media; /* the section being read; NULL at session level */
    struct ln_sdp_error *error;
    uint32_t line;

    struct ln_text_list medias, groups;
    enum ln_sdp_direction session_direction;

    /* Of the level being read; made part of the tree when it ends. */
    struct ln_text_list fingerprints, bandwidths;
    struct ln_text_list codecs, extensions, msids, ssrcs, ssrc_groups, rids, candidates;
    struct ln_text_list simulcast_send, simulcast_recv;
    struct ln_text_list wildcard_feedback;
    struct ln_text_list feedback[LN_PAYLOAD_TYPE_MAX + 1];
    int16_t codec_of[LN_PAYLOAD_TYPE_MAX + 1]; /* index in codecs, or -1 */
};

/* Fills the error and returns its number. */
int ln_sdp_parser_fail(struct ln_sdp_parser *p, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "a=" is cut off: "name:value" or "name". */
LN_NODISCARD int ln_sdp_parse_attribute(struct ln_sdp_parser *p, char *text);

#endif
