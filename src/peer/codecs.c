/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/codecs.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const audio_feedback[] = { "transport-cc", "nack" };
static const char *const video_feedback[] = { "goog-remb", "transport-cc", "ccm fir", "nack",
                                              "nack pli" };

/* In order of preference. Payload types are those that browsers use. */
static const struct ln_known_codec known_codecs[] = {
    { LN_MEDIA_AUDIO,
      LN_CODEC_OPUS,
      { "opus", 111, 48000, 2, "minptime=10;useinbandfec=1", audio_feedback, 2 } },
    { LN_MEDIA_AUDIO, LN_CODEC_PCMU, { "PCMU", 0, 8000, 1, "", audio_feedback, 1 } },
    { LN_MEDIA_AUDIO, LN_CODEC_PCMA, { "PCMA", 8, 8000, 1, "", audio_feedback, 1 } },
    { LN_MEDIA_VIDEO, LN_CODEC_VP8, { "VP8", 96, 90000, 0, "", video_feedback, 5 } },
    { LN_MEDIA_VIDEO, LN_CODEC_NONE, { "rtx", LN_PAYLOAD_TYPE_ANY, 90000, 0, "", NULL, 0 } },
};

#define URI_MID               "urn:ietf:params:rtp-hdrext:sdes:mid"
#define URI_AUDIO_LEVEL       "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define URI_ABS_SEND_TIME     "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
#define URI_TRANSPORT_CC      "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define URI_VIDEO_ORIENTATION "urn:3gpp:video-orientation"

static const struct ln_jsep_extension audio_extensions[] = {
    { URI_MID, LN_SDP_SENDRECV },
    { URI_AUDIO_LEVEL, LN_SDP_SENDRECV },
    { URI_ABS_SEND_TIME, LN_SDP_SENDRECV },
    { URI_TRANSPORT_CC, LN_SDP_SENDRECV },
};

static const struct ln_jsep_extension video_extensions[] = {
    { URI_MID, LN_SDP_SENDRECV },
    { URI_ABS_SEND_TIME, LN_SDP_SENDRECV },
    { URI_TRANSPORT_CC, LN_SDP_SENDRECV },
    { URI_VIDEO_ORIENTATION, LN_SDP_SENDRECV },
};

const struct ln_known_codec *ln_known_codec_at(enum ln_media_kind kind, size_t index)
{
    size_t i;

    for (i = 0; i < sizeof known_codecs / sizeof *known_codecs; i++)
        if (known_codecs[i].kind == kind && index-- == 0)
            return &known_codecs[i];
    return NULL;
}

static const char *kind_name(enum ln_media_kind kind)
{
    return kind == LN_MEDIA_AUDIO ? "audio" : "video";
}

void ln_rtp_codec_fill(enum ln_media_kind kind, const struct ln_codec_parameters *from,
                       struct ln_rtp_codec_parameters *ret)
{
    memset(ret, 0, sizeof *ret);
    snprintf(ret->mime_type, sizeof ret->mime_type, "%s/%s", kind_name(kind), from->name);
    snprintf(ret->sdp_fmtp_line, sizeof ret->sdp_fmtp_line, "%s", from->fmtp);
    ret->clock_rate = from->clock_rate_hz;
    ret->channels = kind == LN_MEDIA_AUDIO ? from->channels : 0;
    ret->payload_type = from->payload_type;
}

static bool means(const struct ln_rtp_codec_parameters *codec, const struct ln_known_codec *known)
{
    struct ln_rtp_codec_parameters ours;

    ln_rtp_codec_fill(known->kind, &known->parameters, &ours);
    return strcasecmp(codec->mime_type, ours.mime_type) == 0 &&
           codec->clock_rate == ours.clock_rate && codec->channels == ours.channels;
}

const struct ln_known_codec *ln_known_codec_match(enum ln_media_kind kind,
                                                  const struct ln_rtp_codec_parameters *codec)
{
    const struct ln_known_codec *known;
    size_t i;

    for (i = 0; (known = ln_known_codec_at(kind, i)) != NULL; i++)
        if (means(codec, known))
            return known;
    return NULL;
}

bool ln_known_codec_in(const struct ln_known_codec *known,
                       const struct ln_rtp_codec_parameters *list, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (means(&list[i], known))
            return true;
    return false;
}

enum ln_codec ln_codec_of(const struct ln_codec_parameters *parameters)
{
    size_t i;

    for (i = 0; i < sizeof known_codecs / sizeof *known_codecs; i++)
        if (ln_codec_same(&known_codecs[i].parameters, parameters))
            return known_codecs[i].codec;
    return LN_CODEC_NONE;
}

const struct ln_jsep_extension *ln_known_extensions(enum ln_media_kind kind, size_t *ret_count)
{
    if (kind == LN_MEDIA_AUDIO) {
        *ret_count = sizeof audio_extensions / sizeof *audio_extensions;
        return audio_extensions;
    }
    *ret_count = sizeof video_extensions / sizeof *video_extensions;
    return video_extensions;
}

void ln_rtp_capabilities_get(enum ln_media_kind kind, struct ln_rtp_capabilities *ret)
{
    const struct ln_known_codec *known;
    const struct ln_jsep_extension *extensions;
    size_t i;

    memset(ret, 0, sizeof *ret);
    for (i = 0; (known = ln_known_codec_at(kind, i)) != NULL; i++) {
        ln_rtp_codec_fill(kind, &known->parameters, &ret->codecs[i]);
        ret->codecs[i].payload_type = 0;
        ret->codec_count++;
    }
    extensions = ln_known_extensions(kind, &ret->header_extension_count);
    for (i = 0; i < ret->header_extension_count; i++)
        snprintf(ret->header_extensions[i].uri, sizeof ret->header_extensions[i].uri, "%s",
                 extensions[i].uri);
}

void ln_rtp_encoding_parameters_init(struct ln_rtp_encoding_parameters *encoding)
{
    memset(encoding, 0, sizeof *encoding);
    encoding->active = true;
    encoding->max_framerate = -1;
    encoding->priority = LN_NETWORK_PRIORITY_LOW;
}

int ln_rtp_encoding_check(enum ln_media_kind kind,
                          const struct ln_rtp_encoding_parameters *encoding)
{
    if (!memchr(encoding->rid, 0, sizeof encoding->rid) || encoding->rid[0])
        return LN_ERR_INVALID_ARGUMENT; /* rid belongs to simulcast */
    if ((unsigned)encoding->priority > LN_NETWORK_PRIORITY_HIGH ||
        (unsigned)encoding->network_priority > LN_NETWORK_PRIORITY_HIGH)
        return LN_ERR_RANGE;
    if (kind == LN_MEDIA_VIDEO && encoding->scale_resolution_down_by != 0 &&
        !(encoding->scale_resolution_down_by >= 1))
        return LN_ERR_RANGE;
    if (kind == LN_MEDIA_VIDEO && encoding->max_framerate < 0 && encoding->max_framerate != -1)
        return LN_ERR_RANGE;
    return 0;
}
