/* SPDX-License-Identifier: Apache-2.0
 * Codecs as SDP describes them: an rtpmap line with its fmtp and rtcp-fb lines (RFC 8866, 6.6 and
 * 6.15; RFC 4585, 4.2), and when two of them mean the same thing.
 *
 * The texts are borrowed; whoever fills the struct keeps them alive (in a parsed description its
 * arena does). No text is ever NULL: an absent one is "". */
#ifndef LN_SDP_CODEC_H
#define LN_SDP_CODEC_H

#include <linnet/types.h>

#define LN_PAYLOAD_TYPE_MAX   127
#define LN_PAYLOAD_TYPE_NONE  (-1)
#define LN_PAYLOAD_TYPE_ANY   255 /* in a wish: choose one */
#define LN_CODEC_FEEDBACK_MAX 32  /* rtcp-fb lines kept of one codec; the rest is passed over */

struct ln_codec_parameters {
    const char *name; /* encoding name as in rtpmap: "opus", "VP8", "rtx"; "" when not known */
    uint8_t payload_type;
    uint32_t clock_rate_hz;
    uint8_t channels;            /* audio; 1 when the line names none. Video: 0 or 1 */
    const char *fmtp;            /* "minptime=10;useinbandfec=1" */
    const char *const *feedback; /* "nack", "nack pli", "ccm fir", "goog-remb", "transport-cc" */
    size_t feedback_count;
};

/* Feedback that both sides understand, as bits. */
enum ln_feedback {
    LN_FEEDBACK_NACK = 1 << 0,         /* RFC 4585, 6.2.1 */
    LN_FEEDBACK_PLI = 1 << 1,          /* "nack pli", RFC 4585, 6.3.1 */
    LN_FEEDBACK_FIR = 1 << 2,          /* "ccm fir", RFC 5104, 4.3.1 */
    LN_FEEDBACK_REMB = 1 << 3,         /* "goog-remb" */
    LN_FEEDBACK_TRANSPORT_CC = 1 << 4, /* "transport-cc" */
    LN_FEEDBACK_RRTR = 1 << 5,         /* "rrtr" */
};

/* The bits of all its feedback lines; unknown ones give none. */
uint32_t ln_codec_feedback_bits(const struct ln_codec_parameters *codec);

/* Whether the two are the same codec in the sense of RFC 3264, 6.1: name (any case), clock rate and
 * channels, and what their payload format fixes beyond that: H.264 packetization mode and profile
 * (the level is negotiable; RFC 6184, 8.2.2), VP9 and AV1 profile. Payload types, rtcp-fb and other
 * parameters play no part. Nothing is the same as a codec without a name. */
bool ln_codec_same(const struct ln_codec_parameters *a, const struct ln_codec_parameters *b);

/* Whether it only serves other codecs: rtx, red, ulpfec, flexfec, CN, telephone-event. A section
 * that has nothing else in common is refused. */
bool ln_codec_is_auxiliary(const struct ln_codec_parameters *codec);
bool ln_codec_is_rtx(const struct ln_codec_parameters *codec);

/* The value of a key in a list "key=value;key=value" (any case of the key, blanks around tolerated,
 * a key without '=' has an empty value). False when it is not there; else the value as a run of
 * characters inside fmtp. */
bool ln_fmtp_get(const char *fmtp, const char *key, const char **ret_value, size_t *ret_len);
/* The same as a number 0..2^32-1; false when absent or no number. */
bool ln_fmtp_number(const char *fmtp, const char *key, uint32_t *ret_number);
/* The payload type that an rtx codec repairs (RFC 4588, 8.1), or LN_PAYLOAD_TYPE_NONE. */
int ln_codec_apt(const struct ln_codec_parameters *codec);

/* Opus, RFC 7587, 6.1. The values describe what the declaring side wants to receive, and with
 * sprop_stereo what it will send. */
struct ln_opus_parameters {
    bool useinbandfec, usedtx, cbr, stereo, sprop_stereo;
    uint32_t minptime_ms;           /* 3..120; 3 when absent */
    uint32_t maxptime_ms;           /* 120 when absent */
    uint32_t maxaveragebitrate_bps; /* 6000..510000; 0 when absent */
    uint32_t maxplaybackrate_hz;    /* 48000 when absent */
};
void ln_opus_parameters_parse(const char *fmtp, struct ln_opus_parameters *ret_parameters);
/* How to encode towards a side that declares `theirs` when we could do `ours` (stereo, bit rate)
 * and are willing to do FEC and DTX: every bit only where both have it, every limit the lower one.
 */
void ln_opus_parameters_merge(const struct ln_opus_parameters *ours,
                              const struct ln_opus_parameters *theirs,
                              struct ln_opus_parameters *ret_send);

#define LN_OPUS_FMTP_MAX 192
/* Writes the fmtp of the parameters, defaults left out. `text` holds LN_OPUS_FMTP_MAX bytes. */
char *ln_opus_parameters_format(const struct ln_opus_parameters *parameters, char *text);

/* H.264, RFC 6184, 8.1. */
enum ln_h264_profile {
    LN_H264_PROFILE_UNKNOWN,
    LN_H264_PROFILE_CONSTRAINED_BASELINE,
    LN_H264_PROFILE_BASELINE,
    LN_H264_PROFILE_MAIN,
    LN_H264_PROFILE_HIGH,
    LN_H264_PROFILE_CONSTRAINED_HIGH,
    LN_H264_PROFILE_HIGH_444_PREDICTIVE,
};
struct ln_h264_parameters {
    enum ln_h264_profile profile;
    uint8_t level_idc; /* 31 = level 3.1; 9 = level 1b */
    uint8_t packetization_mode;
    bool level_asymmetry_allowed;
};
/* Absent profile-level-id means 420010 (baseline, level 1); a malformed one gives
 * LN_H264_PROFILE_UNKNOWN, which matches nothing. */
void ln_h264_parameters_parse(const char *fmtp, struct ln_h264_parameters *ret_parameters);

#endif
