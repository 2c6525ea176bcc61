/* SPDX-License-Identifier: Apache-2.0
 * Whether a description may be applied in its place (RFC 8829, 5.4 to 5.7; RFC 9143, 7; RFC 8842,
 * 5; RFC 8839, 5.4). Sections that will be refused anyway are looked into as little as possible: a
 * stranger's section must not spoil the rest. */
#include "sdp/jsep.h"
#include "sdp/jsep_numbers.h"
#include "sdp/text.h"

#include <linnet/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
    enum ln_jsep_type type;
    const struct ln_sdp *sdp;
    struct ln_sdp_error *error;
};

static int fail(const struct check *c, const struct ln_sdp_media *media, int error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(const struct check *c, const struct ln_sdp_media *media, int error,
                const char *format, ...)
{
    if (c->error) {
        va_list arguments;

        c->error->error = error;
        c->error->line = media ? media->line : 0;
        va_start(arguments, format);
        vsnprintf(c->error->reason, sizeof c->error->reason, format, arguments);
        va_end(arguments);
    }
    return error;
}

/* Whether the section can be accepted at all, so that its contents matter. */
static bool matters(const struct ln_sdp_media *media)
{
    return !ln_sdp_is_rejected(media) && (ln_sdp_is_rtp(media) || ln_sdp_is_data(media));
}

/* ---- mid and BUNDLE ---- */

static int check_mids(const struct check *c)
{
    const struct ln_sdp *sdp = c->sdp;

    for (size_t i = 0; i < sdp->media_count; i++) {
        const char *mid = sdp->media[i].mid;

        if (*mid && ln_sdp_find_mid(sdp, mid) != (int)i)
            return fail(c, &sdp->media[i], LN_ERR_INVALID_ACCESS, "mid \"%s\" occurs twice", mid);
    }
    return 0;
}

/* Every mid exists and is in one group only; `seen` has a flag for each section. */
static int check_group(const struct check *c, const struct ln_sdp_group *group, bool *seen)
{
    for (size_t i = 0; i < group->mid_count; i++) {
        int section = ln_sdp_find_mid(c->sdp, group->mids[i]);

        if (section < 0)
            return fail(c, NULL, LN_ERR_INVALID_ACCESS,
                        "BUNDLE group names mid \"%.64s\", which no section has", group->mids[i]);
        if (seen[section])
            return fail(c, NULL, LN_ERR_INVALID_ACCESS,
                        "mid \"%.64s\" is in BUNDLE groups more than once", group->mids[i]);
        seen[section] = true;
    }
    return 0;
}

static int check_groups(const struct check *c)
{
    bool seen[LN_SDP_MEDIA_MAX] = { false };

    for (size_t g = 0; g < c->sdp->group_count; g++) {
        int status = 0;

        if (strcmp(c->sdp->groups[g].semantics, "BUNDLE") == 0)
            status = check_group(c, &c->sdp->groups[g], seen);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- Ids that collide ---- */

struct seen_ids {
    const struct ln_sdp_media *media[LN_PAYLOAD_TYPE_MAX + 1];
    const struct ln_codec_parameters *codec[LN_PAYLOAD_TYPE_MAX + 1];
};

/* Extension ids that differ between sections are no fault: see ln_jsep_first_uris(). */
static int check_extensions(const struct check *c, const struct ln_sdp_media *media)
{
    const char *seen[LN_JSEP_EXTENSION_ID_MAX + 1] = { NULL };

    for (size_t i = 0; i < media->extension_count; i++) {
        const struct ln_sdp_extension *extension = &media->extensions[i];
        const char **uri = &seen[extension->id];

        if (*uri && strcmp(*uri, extension->uri) != 0)
            return fail(c, media, LN_ERR_INVALID_ACCESS,
                        "extension id %u means two extensions in one section", extension->id);
        *uri = extension->uri;
    }
    return 0;
}

static int check_section_ids(const struct check *c, const struct ln_sdp_media *media,
                             struct seen_ids *seen)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        const struct ln_codec_parameters *codec = &media->codecs[i];
        const struct ln_codec_parameters *other = seen->codec[codec->payload_type];

        if (!*codec->name)
            continue;
        if (other && (seen->media[codec->payload_type]->kind != media->kind ||
                      !(ln_codec_same(other, codec) && ln_codec_apt(other) == ln_codec_apt(codec))))
            return fail(c, media, LN_ERR_INVALID_ACCESS,
                        "payload type %u means two codecs in one BUNDLE group",
                        codec->payload_type);
        seen->codec[codec->payload_type] = codec;
        seen->media[codec->payload_type] = media;
    }
    return check_extensions(c, media);
}

static int check_ids(const struct check *c)
{
    const struct ln_sdp *sdp = c->sdp;

    for (size_t g = 0; g < sdp->group_count; g++) {
        struct seen_ids seen = { 0 };

        for (size_t i = 0; i < sdp->groups[g].mid_count; i++) {
            int section = ln_sdp_find_mid(sdp, sdp->groups[g].mids[i]), status = 0;

            if (strcmp(sdp->groups[g].semantics, "BUNDLE") != 0)
                continue;
            if (matters(&sdp->media[section]))
                status = check_section_ids(c, &sdp->media[section], &seen);
            if (status != 0)
                return status;
        }
    }
    for (size_t i = 0; i < sdp->media_count; i++) {
        const struct ln_sdp_media *media = &sdp->media[i];
        struct seen_ids seen = { 0 };
        int status = 0;

        if (matters(media) && !ln_sdp_bundle_of(sdp, media->mid))
            status = check_section_ids(c, media, &seen);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- Transport ---- */

static bool is_ice_text(const char *text, size_t min, size_t max)
{
    size_t len = strlen(text);

    /* ice-char is narrower; some stacks put '-', '_', '=' there and every browser takes them. */
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p > '~' || *p == ':')
            return false;
    }
    return len >= min && len <= max;
}

static int check_setup(const struct check *c, const struct ln_sdp_media *media,
                       enum ln_sdp_setup setup)
{
    if (setup == LN_SDP_SETUP_HOLDCONN)
        return fail(c, media, LN_ERR_INVALID_ACCESS, "setup:holdconn is not for DTLS");
    if (c->type != LN_JSEP_OFFER && setup == LN_SDP_SETUP_ACTPASS)
        return fail(c, media, LN_ERR_INVALID_ACCESS, "an answer cannot say setup:actpass");
    return 0;
}

/* Where BUNDLE puts the section on another's transport, that one's values stand in for missing
 * ones (RFC 9143, 7.1.3). */
static int check_transport(const struct check *c, size_t i)
{
    const struct ln_sdp *sdp = c->sdp;
    const struct ln_sdp_media *media = &sdp->media[i];
    const struct ln_sdp_media *tag = &sdp->media[ln_jsep_transport_section(sdp, i)];
    const struct ln_sdp_media *own = *ln_sdp_ufrag(sdp, media) ? media : tag;
    size_t count;
    int status;

    if (!*ln_sdp_ufrag(sdp, own) || !*ln_sdp_pwd(sdp, own))
        return fail(c, media, LN_ERR_INVALID_ACCESS, "section \"%s\" has no ICE ufrag or password",
                    media->mid);
    if (!is_ice_text(ln_sdp_ufrag(sdp, own), 4, 256))
        return fail(c, media, LN_ERR_SYNTAX, "ice-ufrag is not 4 to 256 of its characters");
    if (!is_ice_text(ln_sdp_pwd(sdp, own), 22, 256))
        return fail(c, media, LN_ERR_SYNTAX, "ice-pwd is not 22 to 256 of its characters");
    (void)ln_sdp_fingerprints(sdp, media, &count);
    if (count == 0)
        (void)ln_sdp_fingerprints(sdp, tag, &count);
    if (count == 0)
        return fail(c, media, LN_ERR_INVALID_ACCESS, "section \"%s\" has no fingerprint",
                    media->mid);
    status = check_setup(c, media, ln_sdp_setup_of(sdp, media));
    if (status == 0)
        status = check_setup(c, media, ln_sdp_setup_of(sdp, tag));
    if (status == 0 && ln_sdp_is_rtp(media) && !media->rtcp_mux && !media->rtcp_mux_only &&
        !tag->rtcp_mux && !(tag != media && ln_sdp_is_data(tag)))
        return fail(c, media, LN_ERR_INVALID_ACCESS, "section \"%s\" has no rtcp-mux", media->mid);
    return status;
}

/* ---- Against other descriptions ---- */

static bool is_rejected_at(const struct ln_sdp *sdp, size_t i)
{
    return !sdp || i >= sdp->media_count || ln_sdp_is_rejected(&sdp->media[i]);
}

/* The sections that were there keep their place (RFC 8829, 5.2.2 and 5.6); one that both sides
 * refused may come back as something else. */
static int check_order(const struct check *c, const struct ln_sdp *before,
                       const struct ln_jsep_state *state)
{
    for (size_t i = 0; before && i < before->media_count; i++) {
        const struct ln_sdp_media *was = &before->media[i], *is;

        if (i >= c->sdp->media_count)
            return fail(c, NULL, LN_ERR_INVALID_ACCESS, "there were %zu sections, now %zu",
                        before->media_count, c->sdp->media_count);
        is = &c->sdp->media[i];
        if (is_rejected_at(state->local, i) || is_rejected_at(state->remote, i))
            continue;
        if (strcmp(was->media, is->media) != 0)
            return fail(c, is, LN_ERR_INVALID_ACCESS, "section %zu was %.32s and is now %.32s", i,
                        was->media, is->media);
        if (*was->mid && strcmp(was->mid, is->mid) != 0)
            return fail(c, is, LN_ERR_INVALID_ACCESS, "section %zu had mid \"%s\" and has \"%s\"",
                        i, was->mid, is->mid);
    }
    return 0;
}

static int check_answer_section(const struct check *c, const struct ln_sdp *offer, size_t i)
{
    const struct ln_sdp_media *is = &c->sdp->media[i], *offered = &offer->media[i];

    if (strcmp(is->media, offered->media) != 0)
        return fail(c, is, LN_ERR_INVALID_ACCESS, "section %zu is %.32s, the offer's is %.32s", i,
                    is->media, offered->media);
    if (*is->mid && strcmp(is->mid, offered->mid) != 0)
        return fail(c, is, LN_ERR_INVALID_ACCESS, "section %zu has mid \"%s\", the offer's \"%s\"",
                    i, is->mid, offered->mid);
    if (ln_sdp_is_rejected(offered) && !ln_sdp_is_rejected(is))
        return fail(c, is, LN_ERR_INVALID_ACCESS, "section %zu is accepted but was not offered", i);
    return 0;
}

static int check_answer(const struct check *c, const struct ln_sdp *offer)
{
    const struct ln_sdp *sdp = c->sdp;

    if (sdp->media_count != offer->media_count)
        return fail(c, NULL, LN_ERR_INVALID_ACCESS, "the offer has %zu sections, the answer %zu",
                    offer->media_count, sdp->media_count);
    for (size_t i = 0; i < sdp->media_count; i++) {
        const struct ln_sdp_group *group = ln_sdp_bundle_of(sdp, sdp->media[i].mid);
        int status = check_answer_section(c, offer, i);

        if (status != 0)
            return status;
        /* All of an answer's group come from one group of the offer (RFC 9143, 7.3.1). */
        if (group &&
            (!ln_sdp_bundle_of(offer, sdp->media[i].mid) ||
             ln_sdp_bundle_of(offer, sdp->media[i].mid) != ln_sdp_bundle_of(offer, group->mids[0])))
            return fail(c, &sdp->media[i], LN_ERR_INVALID_ACCESS,
                        "mid \"%s\" is bundled otherwise than offered", sdp->media[i].mid);
    }
    return 0;
}

int ln_jsep_validate_remote(enum ln_jsep_type type, const struct ln_sdp *description,
                            const struct ln_sdp *offer, const struct ln_jsep_state *state,
                            struct ln_sdp_error *ret_error)
{
    struct check c = { type, description, ret_error };
    int status = check_mids(&c);

    if (status == 0)
        status = check_groups(&c);
    if (status == 0)
        status = check_ids(&c);
    if (status == 0 && state && type == LN_JSEP_OFFER)
        status = check_order(&c, state->remote ? state->remote : state->local, state);
    if (status == 0 && type != LN_JSEP_OFFER && offer)
        status = check_answer(&c, offer);
    for (size_t i = 0; i < description->media_count && status == 0; i++) {
        if (matters(&description->media[i]))
            status = check_transport(&c, i);
    }
    return status;
}

/* ---- Local descriptions ---- */

static bool same_fingerprints(const struct ln_sdp_media *a, const struct ln_sdp_media *b)
{
    if (a->transport.fingerprint_count != b->transport.fingerprint_count)
        return false;
    for (size_t i = 0; i < a->transport.fingerprint_count; i++) {
        const struct ln_sdp_fingerprint *fa = &a->transport.fingerprints[i],
                                        *fb = &b->transport.fingerprints[i];

        if (strcmp(fa->hash, fb->hash) != 0 || fa->len != fb->len ||
            memcmp(fa->value, fb->value, fa->len) != 0)
            return false;
    }
    return true;
}

static bool same_setup(enum ln_jsep_type type, enum ln_sdp_setup is, enum ln_sdp_setup was)
{
    /* An answer's role may be turned, as applications that want to be the DTLS server do. */
    return is == was ||
           (type != LN_JSEP_OFFER && (is == LN_SDP_SETUP_ACTIVE || is == LN_SDP_SETUP_PASSIVE));
}

static int check_local_codecs(const struct check *c, const struct ln_sdp_media *is,
                              const struct ln_sdp_media *was)
{
    for (size_t i = 0; i < is->codec_count; i++) {
        const struct ln_codec_parameters *same = NULL;

        for (size_t j = 0; j < was->codec_count && !same; j++) {
            if (was->codecs[j].payload_type == is->codecs[i].payload_type)
                same = &was->codecs[j];
        }
        if (!same || !ln_text_same(same->name, is->codecs[i].name))
            return fail(c, is, LN_ERR_INVALID_MODIFICATION,
                        "payload type %u was not in the description that was made",
                        is->codecs[i].payload_type);
    }
    return 0;
}

static int check_local_section(const struct check *c, const struct ln_sdp_media *is,
                               const struct ln_sdp_media *was)
{
    if (strcmp(is->media, was->media) != 0 || strcmp(is->mid, was->mid) != 0 ||
        strcmp(is->protocol, was->protocol) != 0)
        return fail(c, is, LN_ERR_INVALID_MODIFICATION, "section \"%s\" is not as it was made",
                    was->mid);
    if (ln_sdp_is_rejected(is))
        return 0;
    if (ln_sdp_is_rejected(was))
        return fail(c, is, LN_ERR_INVALID_MODIFICATION, "section \"%s\" was refused", was->mid);
    if (strcmp(is->transport.ufrag, was->transport.ufrag) != 0 ||
        strcmp(is->transport.pwd, was->transport.pwd) != 0 || !same_fingerprints(is, was) ||
        !same_setup(c->type, is->transport.setup, was->transport.setup))
        return fail(c, is, LN_ERR_INVALID_MODIFICATION,
                    "section \"%s\" has another transport than was made", was->mid);
    if ((is->direction & ~was->direction) != 0)
        return fail(c, is, LN_ERR_INVALID_MODIFICATION, "section \"%s\" was %s and is %s", was->mid,
                    ln_sdp_direction_name(was->direction), ln_sdp_direction_name(is->direction));
    if (is->sctp_port_given != was->sctp_port_given || is->sctp_port != was->sctp_port)
        return fail(c, is, LN_ERR_INVALID_MODIFICATION, "section \"%s\" has another SCTP port",
                    was->mid);
    if (*is->sctp_init && strcmp(is->sctp_init, was->sctp_init) != 0) /* none: no short cut */
        return fail(c, is, LN_ERR_INVALID_MODIFICATION, "section \"%s\" has another sctp-init",
                    was->mid);
    return check_local_codecs(c, is, was);
}

int ln_jsep_validate_local(enum ln_jsep_type type, const struct ln_sdp *description,
                           const struct ln_sdp *created, struct ln_sdp_error *ret_error)
{
    struct check c = { type, description, ret_error };
    int status;

    if (description->media_count != created->media_count)
        return fail(&c, NULL, LN_ERR_INVALID_MODIFICATION, "%zu sections were made, here are %zu",
                    created->media_count, description->media_count);
    status = check_groups(&c);
    if (status != 0)
        return fail(&c, NULL, LN_ERR_INVALID_MODIFICATION, "BUNDLE group is not as it was made");
    for (size_t i = 0; i < created->media_count && status == 0; i++)
        status = check_local_section(&c, &description->media[i], &created->media[i]);
    return status;
}
