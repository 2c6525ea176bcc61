/* SPDX-License-Identifier: Apache-2.0
 * createAnswer() (RFC 8829, 5.3; RFC 3264, 6). The answer has the offer's sections in the offer's
 * order, its payload types and its extension ids; ours are only the choices among them. */
#include "sdp/jsep_build.h"
#include "sdp/jsep_numbers.h"
#include "sdp/text.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

struct answer {
    struct ln_jsep_maker maker;
    const struct ln_sdp *offer;
    const char *uri[LN_JSEP_EXTENSION_ID_MAX + 1]; /* what the offer's extension ids mean */
};

/* ---- Codecs ---- */

static const struct ln_codec_parameters *find_same(const struct ln_codec_parameters *codecs,
                                                   size_t count,
                                                   const struct ln_codec_parameters *codec)
{
    for (size_t i = 0; i < count; i++) {
        if (ln_codec_same(&codecs[i], codec))
            return &codecs[i];
    }
    return NULL;
}

/* What both can do, in our words. */
static int common_feedback(struct ln_arena *arena, const struct ln_codec_parameters *wish,
                           const struct ln_codec_parameters *offered,
                           struct ln_codec_parameters *codec)
{
    const char **feedback = ln_arena_alloc(arena, wish->feedback_count * sizeof *feedback);

    codec->feedback = feedback;
    codec->feedback_count = 0;
    if (!feedback)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < wish->feedback_count; i++) {
        bool both = false;

        for (size_t j = 0; j < offered->feedback_count && !both; j++)
            both = ln_text_same(wish->feedback[i], offered->feedback[j]);
        if (both)
            feedback[codec->feedback_count++] = wish->feedback[i];
    }
    return 0;
}

/* The profile is the offer's; the level is ours where both allow asymmetry, else the lower one (RFC
 * 6184, 8.2.2). */
static int h264_fmtp(struct ln_arena *arena, const struct ln_codec_parameters *wish,
                     const struct ln_codec_parameters *offered, struct ln_codec_parameters *codec)
{
    struct ln_h264_parameters ours, theirs;
    const char *id = "42001f";
    size_t len = 6;
    bool asymmetric;
    unsigned level;

    ln_h264_parameters_parse(wish->fmtp, &ours);
    ln_h264_parameters_parse(offered->fmtp, &theirs);
    if (!ln_fmtp_get(offered->fmtp, "profile-level-id", &id, &len) || len != 6)
        id = "42001f";
    asymmetric = ours.level_asymmetry_allowed && theirs.level_asymmetry_allowed;
    level = asymmetric || ours.level_idc < theirs.level_idc ? ours.level_idc : theirs.level_idc;
    codec->fmtp = ln_text_print(arena, "%spacketization-mode=%u;profile-level-id=%.4s%02x",
                                asymmetric ? "level-asymmetry-allowed=1;" : "",
                                ours.packetization_mode, id, level);
    return codec->fmtp ? 0 : LN_ERR_NOMEM;
}

static int take_codec(struct answer *answer, struct ln_sdp_media *media,
                      const struct ln_codec_parameters *wish,
                      const struct ln_codec_parameters *offered)
{
    struct ln_codec_parameters *codec = &media->codecs[media->codec_count++];
    int status;

    *codec = *offered;
    codec->fmtp = wish->fmtp;
    status = common_feedback(answer->maker.arena, wish, offered, codec);
    if (status == 0 && ln_text_same(wish->name, "H264"))
        status = h264_fmtp(answer->maker.arena, wish, offered, codec);
    if (ln_text_same(wish->name, "red"))
        codec->fmtp = offered->fmtp; /* its payload types are the offer's */
    return status;
}

static bool is_taken(const struct ln_sdp_media *media, uint8_t payload_type)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        if (media->codecs[i].payload_type == payload_type)
            return true;
    }
    return false;
}

/* Retransmission comes along only with the codec that it repairs (RFC 4588, 8.6). */
static void take_rtx(struct ln_sdp_media *media, const struct ln_sdp_media *offered,
                     uint8_t primary)
{
    const struct ln_codec_parameters *rtx = ln_jsep_find_rtx(offered, primary);
    struct ln_codec_parameters *codec = &media->codecs[media->codec_count];

    if (!rtx || is_taken(media, rtx->payload_type))
        return;
    *codec = *rtx;
    codec->feedback_count = 0;
    media->codec_count++;
}

static int take_pair(struct answer *answer, struct ln_sdp_media *media,
                     const struct ln_sdp_media *offered, const struct ln_codec_parameters *wish,
                     const struct ln_codec_parameters *codec, bool rtx)
{
    int status = take_codec(answer, media, wish, codec);

    if (status == 0 && rtx && !ln_codec_is_auxiliary(codec))
        take_rtx(media, offered, codec->payload_type);
    return status;
}

static int put_codecs(struct answer *answer, struct ln_sdp_media *media,
                      const struct ln_jsep_section *section, const struct ln_sdp_media *offered)
{
    static const struct ln_codec_parameters any_rtx = { .name = "rtx",
                                                        .clock_rate_hz = 90000,
                                                        .fmtp = "" };
    bool rtx = false;
    int status = 0;

    for (size_t i = 0; i < section->codec_count; i++)
        rtx = rtx || ln_text_same(section->codecs[i].name, any_rtx.name);
    /* Twice: each of the offer's codecs may bring another one for retransmission. */
    media->codecs = ln_arena_alloc(answer->maker.arena,
                                   2 * offered->codec_count * sizeof *media->codecs);
    if (!media->codecs)
        return LN_ERR_NOMEM;
    if (section->own_codec_order) {
        for (size_t i = 0; i < section->codec_count && status == 0; i++) {
            const struct ln_codec_parameters *wish = &section->codecs[i];

            for (size_t j = 0; j < offered->codec_count && status == 0; j++) {
                const struct ln_codec_parameters *codec = &offered->codecs[j];

                if (!ln_codec_is_rtx(codec) && ln_codec_same(codec, wish) &&
                    !is_taken(media, codec->payload_type))
                    status = take_pair(answer, media, offered, wish, codec, rtx);
            }
        }
        return status;
    }
    for (size_t i = 0; i < offered->codec_count && status == 0; i++) {
        const struct ln_codec_parameters *codec = &offered->codecs[i];
        const struct ln_codec_parameters *wish =
            ln_codec_is_rtx(codec) ? NULL : find_same(section->codecs, section->codec_count, codec);

        if (wish)
            status = take_pair(answer, media, offered, wish, codec, rtx);
    }
    return status;
}

static bool can_send_something(const struct ln_sdp_media *media)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        if (!ln_codec_is_auxiliary(&media->codecs[i]))
            return true;
    }
    return false;
}

/* ---- Extensions ---- */

static bool has_uri(const struct ln_sdp_extension *extensions, size_t count, const char *uri)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(extensions[i].uri, uri) == 0)
            return true;
    }
    return false;
}

static int put_extensions(struct answer *answer, struct ln_sdp_media *media,
                          const struct ln_jsep_section *section, const struct ln_sdp_media *offered)
{
    struct ln_sdp_extension *extensions = ln_arena_alloc(
        answer->maker.arena, offered->extension_count * sizeof *extensions);
    bool mixed = ln_sdp_allows_mixed(answer->offer, offered);

    if (!extensions)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < offered->extension_count; i++) {
        const struct ln_sdp_extension *theirs = &offered->extensions[i];
        unsigned direction = LN_SDP_INACTIVE;

        if ((theirs->id > 14 && !mixed) ||
            (answer->uri[theirs->id] && strcmp(answer->uri[theirs->id], theirs->uri) != 0) ||
            has_uri(extensions, media->extension_count, theirs->uri))
            continue;
        for (size_t j = 0; j < section->extension_count; j++) {
            if (strcmp(section->extensions[j].uri, theirs->uri) == 0)
                direction = section->extensions[j].direction;
        }
        direction &= ln_sdp_reverse(theirs->direction);
        if (direction != LN_SDP_INACTIVE)
            extensions[media->extension_count++] = (struct ln_sdp_extension){
                theirs->id, (enum ln_sdp_direction)direction, theirs->uri, ""
            };
    }
    media->extensions = extensions;
    return 0;
}

/* ---- Sections ---- */

static enum ln_sdp_setup answer_setup(const struct ln_jsep_section *section,
                                      enum ln_sdp_setup offered)
{
    if (offered == LN_SDP_SETUP_ACTIVE)
        return LN_SDP_SETUP_PASSIVE;
    if (offered == LN_SDP_SETUP_PASSIVE)
        return LN_SDP_SETUP_ACTIVE;
    return section->transport.setup == LN_SDP_SETUP_PASSIVE ? LN_SDP_SETUP_PASSIVE
                                                            : LN_SDP_SETUP_ACTIVE;
}

/* The section that the offer's transport values of this one stand in (RFC 9143, 7.1.3). */
static enum ln_sdp_setup offered_setup(const struct ln_sdp *offer, size_t i)
{
    enum ln_sdp_setup setup = ln_sdp_setup_of(offer, &offer->media[i]);

    if (setup == LN_SDP_SETUP_NONE)
        setup = ln_sdp_setup_of(offer, &offer->media[ln_jsep_transport_section(offer, i)]);
    return setup;
}

/* To somebody who does not trickle it is not named (RFC 8829, 5.3.1). */
static bool offers_trickle(const struct ln_sdp *offer, size_t i)
{
    return ln_sdp_has_ice_option(offer, &offer->media[i], "trickle") ||
           ln_sdp_has_ice_option(offer, &offer->media[ln_jsep_transport_section(offer, i)],
                                 "trickle");
}

static int put_rtp(struct answer *answer, struct ln_sdp_media *media,
                   const struct ln_jsep_section *section, const struct ln_sdp_media *offered,
                   bool *ret_accepted)
{
    int status;

    media->direction = (enum ln_sdp_direction)((unsigned)section->direction &
                                               ln_sdp_reverse(offered->direction));
    status = put_codecs(answer, media, section, offered);
    if (status != 0 || !can_send_something(media))
        return status;
    *ret_accepted = true;
    media->rtcp = "9 IN IP4 0.0.0.0";
    media->rtcp_mux = true;
    media->rtcp_rsize = offered->rtcp_rsize;
    media->extmap_allow_mixed = offered->extmap_allow_mixed;
    status = put_extensions(answer, media, section, offered);
    if (status == 0)
        status = ln_jsep_put_streams(&answer->maker, media, section, offered);
    return status;
}

/* A refused section repeats what was offered, so that its m= line is complete. */
static void refuse(struct ln_sdp_media *media, const struct ln_sdp_media *offered)
{
    media->formats = offered->formats;
    media->codecs = offered->codecs;
    media->codec_count = offered->codec_count;
    if (!*media->formats && media->codec_count == 0)
        media->formats = "0";
    ln_jsep_reject(media);
}

static int put_section(struct answer *answer, size_t i)
{
    static const struct ln_jsep_section nothing = { .kind = LN_SDP_OTHER, .stopped = true };
    const struct ln_jsep_local *local = answer->maker.local;
    const struct ln_jsep_section *section = i < local->section_count ? &local->sections[i]
                                                                     : &nothing;
    const struct ln_sdp_media *offered = &answer->offer->media[i];
    struct ln_sdp_media *media = &answer->maker.sdp.media[i];
    bool accepted = false;
    int status = 0;

    media->kind = offered->kind;
    media->media = offered->media;
    media->protocol = offered->protocol;
    media->mid = offered->mid;
    if (!section->stopped && !ln_sdp_is_rejected(offered) && section->kind == offered->kind &&
        !(offered->bundle_only && !ln_sdp_bundle_of(answer->offer, offered->mid))) {
        if (ln_sdp_is_rtp(offered)) {
            status = put_rtp(answer, media, section, offered, &accepted);
        } else if (ln_sdp_is_data(offered) &&
                   !(offered->sctp_port_given && offered->sctp_port == 0)) {
            media->formats = offered->formats;
            ln_jsep_put_sctp(media, section, offered->old_sctp);
            if (!*offered->sctp_init)
                media->sctp_init = "";
            accepted = true;
        }
    }
    if (status != 0)
        return status;
    if (accepted) {
        ln_jsep_put_transport(media, section,
                              answer_setup(section, offered_setup(answer->offer, i)));
        if (!offers_trickle(answer->offer, i))
            media->transport.ice_options = "";
    } else {
        refuse(media, offered);
    }
    return 0;
}

/* ---- BUNDLE ---- */

static int put_groups(struct answer *answer)
{
    const struct ln_sdp *offer = answer->offer;
    struct ln_sdp *sdp = &answer->maker.sdp;
    struct ln_sdp_group *groups = ln_arena_alloc(answer->maker.arena,
                                                 offer->group_count * sizeof *groups);

    if (!groups)
        return LN_ERR_NOMEM;
    sdp->groups = groups;
    for (size_t g = 0; g < offer->group_count; g++) {
        const struct ln_sdp_group *offered = &offer->groups[g];
        struct ln_sdp_group *group = &groups[sdp->group_count];
        const char **mids = ln_arena_alloc(answer->maker.arena, offered->mid_count * sizeof *mids);

        if (!mids)
            return LN_ERR_NOMEM;
        if (strcmp(offered->semantics, "BUNDLE") != 0)
            continue;
        *group = (struct ln_sdp_group){ "BUNDLE", mids, 0 };
        for (size_t i = 0; i < offered->mid_count; i++) {
            int section = ln_sdp_find_mid(sdp, offered->mids[i]);

            if (section >= 0 && !ln_sdp_is_rejected(&sdp->media[section]))
                mids[group->mid_count++] = offered->mids[i];
        }
        sdp->group_count += group->mid_count > 0;
    }
    return 0;
}

/* Candidates stand with the section that carries a group, and nowhere else in it (RFC 8829, 5.3.2).
 */
static void keep_candidates_of_carriers(struct ln_sdp *sdp)
{
    for (size_t i = 0; i < sdp->media_count; i++) {
        if (ln_jsep_transport_section(sdp, i) != i) {
            sdp->media[i].candidate_count = 0;
            sdp->media[i].end_of_candidates = false;
        }
    }
}

/* With max-bundle one transport serves all: what is not with the first accepted section is refused
 * (RFC 8829, 4.1.1). */
static void refuse_unbundled(struct answer *answer)
{
    struct ln_sdp *sdp = &answer->maker.sdp;
    const struct ln_sdp_group *group = NULL;
    bool first = true;

    if (answer->maker.local->bundle_policy != LN_JSEP_BUNDLE_MAX_BUNDLE)
        return;
    for (size_t i = 0; i < sdp->media_count; i++) {
        struct ln_sdp_media *media = &sdp->media[i];
        const struct ln_sdp_group *own = ln_sdp_bundle_of(answer->offer, media->mid);

        if (ln_sdp_is_rejected(media))
            continue;
        if (first)
            group = own;
        else if (!own || own != group)
            refuse(media, &answer->offer->media[i]);
        first = false;
    }
}

int ln_jsep_create_answer(const struct ln_jsep_local *local, const struct ln_sdp *offer,
                          struct ln_arena *arena, struct ln_sdp **ret_answer)
{
    struct answer *answer = ln_arena_alloc(arena, sizeof *answer);
    int status = answer ? ln_jsep_begin(&answer->maker, local, offer->media_count, arena)
                        : LN_ERR_NOMEM;

    if (status != 0)
        return status;
    answer->offer = offer;
    ln_jsep_first_uris(offer, answer->uri);
    answer->maker.sdp.extmap_allow_mixed = offer->extmap_allow_mixed;
    for (size_t i = 0; i < offer->media_count && status == 0; i++)
        status = put_section(answer, i);
    if (status == 0) {
        refuse_unbundled(answer);
        status = put_groups(answer);
        keep_candidates_of_carriers(&answer->maker.sdp);
    }
    return status == 0 ? ln_jsep_finish(&answer->maker, ret_answer) : status;
}
