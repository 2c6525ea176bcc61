/* SPDX-License-Identifier: Apache-2.0
 * createOffer() (RFC 8829, 5.2). Every section of the wishes becomes one m-section in its place. */
#include "sdp/jsep_build.h"
#include "sdp/jsep_numbers.h"
#include "sdp/text.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

struct offer {
    struct ln_jsep_maker maker;
    struct ln_jsep_numbers numbers;
    const struct ln_jsep_state *state;
};

/* The section's form in the local description in force; NULL if it is new or recycled. */
static const struct ln_sdp_media *form_before(const struct ln_sdp *sdp, size_t i, const char *mid)
{
    if (!sdp || i >= sdp->media_count || strcmp(sdp->media[i].mid, mid) != 0)
        return NULL;
    return &sdp->media[i];
}

/* ---- Codecs and extensions ---- */

static bool wants_rtx(const struct ln_jsep_section *section)
{
    for (size_t i = 0; i < section->codec_count; i++) {
        if (ln_codec_is_rtx(&section->codecs[i]))
            return true;
    }
    return false;
}

static int put_rtx(struct offer *offer, struct ln_sdp_media *media,
                   const struct ln_codec_parameters *primary)
{
    struct ln_codec_parameters *rtx = &media->codecs[media->codec_count];
    int number;

    *rtx = (struct ln_codec_parameters){ .name = "rtx",
                                         .clock_rate_hz = primary->clock_rate_hz,
                                         .channels = primary->channels };
    rtx->fmtp = ln_text_print(offer->maker.arena, "apt=%u", primary->payload_type);
    if (!rtx->fmtp)
        return LN_ERR_NOMEM;
    number = ln_jsep_number_rtx(&offer->numbers, media->kind, primary->payload_type, rtx);
    if (number < 0)
        return number;
    rtx->payload_type = (uint8_t)number;
    media->codec_count++;
    return 0;
}

/* Redundant audio names what it carries (RFC 2198, 5); only known when all numbers are. */
static int fill_red(struct offer *offer, struct ln_sdp_media *media)
{
    const struct ln_codec_parameters *primary = NULL;

    for (size_t i = 0; i < media->codec_count && !primary; i++) {
        if (!ln_codec_is_auxiliary(&media->codecs[i]))
            primary = &media->codecs[i];
    }
    for (size_t i = 0; i < media->codec_count && primary; i++) {
        struct ln_codec_parameters *codec = &media->codecs[i];

        if (media->kind != LN_SDP_AUDIO || *codec->fmtp || !ln_text_same(codec->name, "red"))
            continue;
        codec->fmtp = ln_text_print(offer->maker.arena, "%u/%u", primary->payload_type,
                                    primary->payload_type);
        if (!codec->fmtp)
            return LN_ERR_NOMEM;
    }
    return 0;
}

static bool has_number(const struct ln_sdp_media *media, int number)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        if (media->codecs[i].payload_type == number)
            return true;
    }
    return false;
}

static int put_codecs(struct offer *offer, struct ln_sdp_media *media,
                      const struct ln_jsep_section *section, const struct ln_sdp_media *before)
{
    bool rtx = wants_rtx(section);

    media->codecs = ln_arena_alloc(offer->maker.arena,
                                   2 * section->codec_count * sizeof *media->codecs);
    if (!media->codecs)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < section->codec_count; i++) {
        const struct ln_codec_parameters *wish = &section->codecs[i];
        struct ln_codec_parameters *codec = &media->codecs[media->codec_count];
        int number, status = 0;

        if (ln_codec_is_rtx(wish))
            continue;
        number = ln_jsep_number_codec(&offer->numbers, media->kind, wish, before);
        if (number < 0)
            return number;
        if (has_number(media, number))
            continue; /* wished twice */
        *codec = *wish;
        codec->payload_type = (uint8_t)number;
        media->codec_count++;
        if (rtx && !ln_codec_is_auxiliary(wish))
            status = put_rtx(offer, media, codec);
        if (status != 0)
            return status;
    }
    return fill_red(offer, media);
}

static int put_extensions(struct offer *offer, struct ln_sdp_media *media,
                          const struct ln_jsep_section *section, const struct ln_sdp_media *before)
{
    struct ln_sdp_extension *extensions = ln_arena_alloc(
        offer->maker.arena, section->extension_count * sizeof *extensions);

    if (!extensions)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < section->extension_count; i++) {
        const struct ln_jsep_extension *wish = &section->extensions[i];
        int id;

        if (wish->direction == LN_SDP_INACTIVE)
            continue;
        id = ln_jsep_number_extension(&offer->numbers, wish->uri, before);
        if (id < 0)
            return id;
        extensions[media->extension_count++] =
            (struct ln_sdp_extension){ (uint16_t)id, wish->direction, wish->uri, "" };
    }
    media->extensions = extensions;
    return 0;
}

/* ---- Sections ---- */

static int put_rtp(struct offer *offer, struct ln_sdp_media *media,
                   const struct ln_jsep_section *section, const struct ln_sdp_media *before)
{
    int status;

    media->media = section->kind == LN_SDP_AUDIO ? "audio" : "video";
    media->protocol = "UDP/TLS/RTP/SAVPF"; /* RFC 8829, 5.1.2 */
    media->direction = section->direction;
    status = put_codecs(offer, media, section, before);
    if (status == 0)
        status = put_extensions(offer, media, section, before);
    if (status == 0)
        status = ln_jsep_put_streams(&offer->maker, media, section, NULL);
    if (media->codec_count == 0)
        media->formats = "0"; /* the grammar wants one */
    media->rtcp = "9 IN IP4 0.0.0.0";
    media->rtcp_mux = media->rtcp_rsize = true;
    return status;
}

static void put_data(struct ln_sdp_media *media, const struct ln_jsep_section *section,
                     const struct ln_sdp_media *before)
{
    bool old_form = before && before->old_sctp;

    media->media = "application";
    media->protocol = old_form ? before->protocol : "UDP/DTLS/SCTP";
    media->formats = old_form ? before->formats : "webrtc-datachannel";
    ln_jsep_put_sctp(media, section, old_form);
}

/* A section that only the other side ever knew: its m= line again, refused. */
static void put_foreign(struct ln_sdp_media *media, const struct ln_sdp_media *before)
{
    media->media = before && *before->media ? before->media : "unknown";
    media->protocol = before ? before->protocol : "UDP";
    media->formats = before && *before->formats ? before->formats : "0";
}

static int put_section(struct offer *offer, size_t i)
{
    const struct ln_jsep_section *section = &offer->maker.local->sections[i];
    const struct ln_sdp *local = offer->state ? offer->state->local : NULL;
    const struct ln_sdp_media *before = form_before(local, i, section->mid);
    struct ln_sdp_media *media = &offer->maker.sdp.media[i];
    int status = 0;

    media->kind = section->kind;
    media->mid = section->mid;
    if (section->kind == LN_SDP_AUDIO || section->kind == LN_SDP_VIDEO)
        status = put_rtp(offer, media, section, before);
    else if (section->kind == LN_SDP_APPLICATION)
        put_data(media, section, before);
    else
        put_foreign(media, before);
    if (section->stopped || section->kind == LN_SDP_OTHER)
        ln_jsep_reject(media);
    return status;
}

/* ---- BUNDLE ---- */

static bool is_offered(const struct ln_jsep_section *section)
{
    return !section->stopped && section->kind != LN_SDP_OTHER;
}

/* Whether a section gets no address of its own (RFC 8829, 4.1.1 and 5.2.1). One that has been
 * agreed on has. */
static bool is_bundle_only(const struct offer *offer, size_t i, bool first, bool first_of_kind)
{
    const struct ln_jsep_local *local = offer->maker.local;
    const struct ln_sdp *state = offer->state ? offer->state->local : NULL;
    const struct ln_sdp_media *before = form_before(state, i, local->sections[i].mid);

    if (first || (before && !ln_sdp_is_rejected(before)))
        return false;
    return local->bundle_policy == LN_JSEP_BUNDLE_MAX_BUNDLE ||
           (local->bundle_policy == LN_JSEP_BUNDLE_BALANCED && !first_of_kind);
}

/* Whether BUNDLE has put the section on another's transport already; its candidates stand there. */
static bool is_carried(const struct offer *offer, size_t i)
{
    const struct ln_sdp *local = offer->state ? offer->state->local : NULL;
    const struct ln_sdp *remote = offer->state ? offer->state->remote : NULL;
    const char *mid = offer->maker.local->sections[i].mid;

    return form_before(local, i, mid) && form_before(remote, i, mid) &&
           ln_jsep_transport_section(local, i) != i && ln_jsep_transport_section(remote, i) != i;
}

static int put_bundle(struct offer *offer)
{
    const struct ln_jsep_local *local = offer->maker.local;
    struct ln_sdp *sdp = &offer->maker.sdp;
    struct ln_sdp_group *group = ln_arena_alloc(offer->maker.arena, sizeof *group);
    const char **mids = ln_arena_alloc(offer->maker.arena, local->section_count * sizeof *mids);
    unsigned kinds = 0;

    if (!group || !mids)
        return LN_ERR_NOMEM;
    group->semantics = "BUNDLE";
    group->mids = mids;
    for (size_t i = 0; i < local->section_count; i++) {
        const struct ln_jsep_section *section = &local->sections[i];
        unsigned kind = 1u << section->kind;

        if (!is_offered(section))
            continue;
        sdp->media[i].bundle_only = is_bundle_only(offer, i, group->mid_count == 0,
                                                   !(kinds & kind));
        kinds |= kind;
        ln_jsep_put_transport(&sdp->media[i], section, LN_SDP_SETUP_ACTPASS);
        if (sdp->media[i].bundle_only)
            sdp->media[i].port = 0;
        if (is_carried(offer, i)) {
            sdp->media[i].candidate_count = 0;
            sdp->media[i].end_of_candidates = false;
        }
        mids[group->mid_count++] = section->mid;
    }
    sdp->groups = group;
    sdp->group_count = group->mid_count > 0;
    return 0;
}

int ln_jsep_create_offer(const struct ln_jsep_local *local, const struct ln_jsep_state *state,
                         struct ln_arena *arena, struct ln_sdp **ret_offer)
{
    struct offer *offer = ln_arena_alloc(arena, sizeof *offer);
    int status = offer ? 0 : LN_ERR_NOMEM;

    assert(!state || !state->local || state->local->media_count <= local->section_count);
    if (status == 0)
        status = ln_jsep_begin(&offer->maker, local, local->section_count, arena);
    if (status != 0)
        return status;
    offer->state = state;
    offer->maker.sdp.extmap_allow_mixed = true;
    ln_jsep_numbers_init(&offer->numbers, state);
    for (size_t i = 0; i < local->section_count && status == 0; i++)
        status = put_section(offer, i);
    if (status == 0)
        status = put_bundle(offer);
    return status == 0 ? ln_jsep_finish(&offer->maker, ret_offer) : status;
}
