/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_numbers.h"

#include "sdp/text.h"

#include <linnet/error.h>

#include <string.h>

#define FIRST_DYNAMIC   96
#define FIRST_SPARE     35 /* 35..63 are unassigned and safe beside RTCP (RFC 8834's practice) */
#define LAST_SPARE      63
#define ONE_BYTE_ID_MAX 14 /* RFC 8285, 4.2 */

static const struct {
    struct ln_codec_parameters codec;
    int payload_type;
} usual[] = {
    { { .name = "opus", .clock_rate_hz = 48000, .channels = 2, .fmtp = "" }, 111 },
    { { .name = "PCMU", .clock_rate_hz = 8000, .channels = 1, .fmtp = "" }, 0 },
    { { .name = "PCMA", .clock_rate_hz = 8000, .channels = 1, .fmtp = "" }, 8 },
    { { .name = "G722", .clock_rate_hz = 8000, .channels = 1, .fmtp = "" }, 9 },
    { { .name = "CN", .clock_rate_hz = 8000, .channels = 1, .fmtp = "" }, 13 },
    { { .name = "red", .clock_rate_hz = 48000, .channels = 2, .fmtp = "" }, 63 },
    { { .name = "telephone-event", .clock_rate_hz = 48000, .channels = 1, .fmtp = "" }, 110 },
    { { .name = "telephone-event", .clock_rate_hz = 8000, .channels = 1, .fmtp = "" }, 126 },
    { { .name = "VP8", .clock_rate_hz = 90000, .fmtp = "" }, 96 },
    { { .name = "VP9", .clock_rate_hz = 90000, .fmtp = "profile-id=0" }, 98 },
    { { .name = "VP9", .clock_rate_hz = 90000, .fmtp = "profile-id=2" }, 100 },
    { { .name = "AV1", .clock_rate_hz = 90000, .fmtp = "" }, 45 },
    { { .name = "H264",
        .clock_rate_hz = 90000,
        .fmtp = "packetization-mode=1;profile-level-id=42001f" },
      102 },
    { { .name = "H264",
        .clock_rate_hz = 90000,
        .fmtp = "packetization-mode=1;profile-level-id=42e01f" },
      108 },
};

/* Whether two entries may share a number: the same codec, and for rtx the same repaired type. */
static bool same_meaning(const struct ln_codec_parameters *a, const struct ln_codec_parameters *b)
{
    return ln_codec_same(a, b) && ln_codec_apt(a) == ln_codec_apt(b);
}

static void bind_media(struct ln_jsep_numbers *numbers, const struct ln_sdp_media *media)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        const struct ln_codec_parameters *codec = &media->codecs[i];

        if (*codec->name && !numbers->codec[codec->payload_type]) {
            numbers->codec[codec->payload_type] = codec;
            numbers->kind[codec->payload_type] = media->kind;
        }
    }
    for (size_t i = 0; i < media->extension_count; i++) {
        const struct ln_sdp_extension *extension = &media->extensions[i];

        if (!numbers->uri[extension->id])
            numbers->uri[extension->id] = extension->uri;
    }
}

static void bind_description(struct ln_jsep_numbers *numbers, const struct ln_sdp *sdp,
                             bool rejected)
{
    for (size_t i = 0; sdp && i < sdp->media_count; i++) {
        if (ln_sdp_is_rejected(&sdp->media[i]) == rejected)
            bind_media(numbers, &sdp->media[i]);
    }
}

void ln_jsep_numbers_init(struct ln_jsep_numbers *numbers, const struct ln_jsep_state *state)
{
    memset(numbers, 0, sizeof *numbers);
    if (!state)
        return;
    bind_description(numbers, state->local, false);
    bind_description(numbers, state->remote, false);
    bind_description(numbers, state->local, true);
    bind_description(numbers, state->remote, true);
}

static bool may_be(const struct ln_jsep_numbers *numbers, int payload_type, enum ln_sdp_kind kind,
                   const struct ln_codec_parameters *codec)
{
    const struct ln_codec_parameters *bound = numbers->codec[payload_type];

    return !bound || (numbers->kind[payload_type] == kind && same_meaning(bound, codec));
}

static int bind_number(struct ln_jsep_numbers *numbers, int payload_type, enum ln_sdp_kind kind,
                       const struct ln_codec_parameters *codec)
{
    if (!numbers->codec[payload_type]) {
        numbers->codec[payload_type] = codec;
        numbers->kind[payload_type] = kind;
    }
    return payload_type;
}

static int free_number(const struct ln_jsep_numbers *numbers)
{
    for (int i = FIRST_DYNAMIC; i <= LN_PAYLOAD_TYPE_MAX; i++) {
        if (!numbers->codec[i])
            return i;
    }
    for (int i = LAST_SPARE; i >= FIRST_SPARE; i--) {
        if (!numbers->codec[i])
            return i;
    }
    return LN_ERR_LIMIT;
}

static int bound_number(const struct ln_jsep_numbers *numbers, enum ln_sdp_kind kind,
                        const struct ln_codec_parameters *codec)
{
    for (int i = 0; i <= LN_PAYLOAD_TYPE_MAX; i++) {
        if (numbers->codec[i] && may_be(numbers, i, kind, codec))
            return i;
    }
    return LN_PAYLOAD_TYPE_NONE;
}

static int usual_number(const struct ln_codec_parameters *codec)
{
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (ln_codec_same(&usual[i].codec, codec))
            return usual[i].payload_type;
    }
    return LN_PAYLOAD_TYPE_NONE;
}

int ln_jsep_number_codec(struct ln_jsep_numbers *numbers, enum ln_sdp_kind kind,
                         const struct ln_codec_parameters *wish, const struct ln_sdp_media *before)
{
    int number;

    for (size_t i = 0; before && i < before->codec_count; i++) {
        number = before->codecs[i].payload_type;
        if (ln_codec_same(&before->codecs[i], wish) && may_be(numbers, number, kind, wish))
            return bind_number(numbers, number, kind, wish);
    }
    number = bound_number(numbers, kind, wish);
    if (number < 0 && wish->payload_type <= LN_PAYLOAD_TYPE_MAX &&
        !numbers->codec[wish->payload_type])
        number = wish->payload_type;
    if (number < 0) {
        number = usual_number(wish);
        if (number >= 0 && numbers->codec[number])
            number = LN_PAYLOAD_TYPE_NONE;
    }
    if (number < 0)
        number = free_number(numbers);
    return number < 0 ? number : bind_number(numbers, number, kind, wish);
}

int ln_jsep_number_rtx(struct ln_jsep_numbers *numbers, enum ln_sdp_kind kind, int primary,
                       const struct ln_codec_parameters *rtx)
{
    int number = bound_number(numbers, kind, rtx);

    if (number < 0 && primary < LN_PAYLOAD_TYPE_MAX && primary >= FIRST_SPARE &&
        primary != LAST_SPARE && !numbers->codec[primary + 1])
        number = primary + 1;
    if (number < 0)
        number = free_number(numbers);
    return number < 0 ? number : bind_number(numbers, number, kind, rtx);
}

int ln_jsep_number_extension(struct ln_jsep_numbers *numbers, const char *uri,
                             const struct ln_sdp_media *before)
{
    int id = 0;

    for (size_t i = 0; before && i < before->extension_count && !id; i++) {
        const struct ln_sdp_extension *extension = &before->extensions[i];

        if (strcmp(extension->uri, uri) == 0 && numbers->uri[extension->id] &&
            strcmp(numbers->uri[extension->id], uri) == 0)
            id = extension->id;
    }
    for (int i = 1; i <= LN_JSEP_EXTENSION_ID_MAX && !id; i++) {
        if (numbers->uri[i] && strcmp(numbers->uri[i], uri) == 0)
            id = i;
    }
    for (int i = 1; i <= LN_JSEP_EXTENSION_ID_MAX && !id; i++) {
        if (!numbers->uri[i] && i != ONE_BYTE_ID_MAX + 1) /* 15 ends a one-byte header */
            id = i;
    }
    if (!id)
        return LN_ERR_LIMIT;
    numbers->uri[id] = uri;
    return id;
}

void ln_jsep_first_uris(const struct ln_sdp *sdp, const char **uri)
{
    memset(uri, 0, (LN_JSEP_EXTENSION_ID_MAX + 1) * sizeof *uri);
    for (size_t i = 0; i < sdp->media_count; i++) {
        const struct ln_sdp_media *media = &sdp->media[i];

        if (ln_sdp_is_rejected(media) || !ln_sdp_bundle_of(sdp, media->mid))
            continue;
        for (size_t e = 0; e < media->extension_count; e++) {
            if (!uri[media->extensions[e].id])
                uri[media->extensions[e].id] = media->extensions[e].uri;
        }
    }
}

const struct ln_codec_parameters *ln_jsep_find_rtx(const struct ln_sdp_media *media, int primary)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        if (ln_codec_apt(&media->codecs[i]) == primary)
            return &media->codecs[i];
    }
    return NULL;
}
