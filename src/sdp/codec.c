/* SPDX-License-Identifier: Apache-2.0
 * Comparing codecs and reading their format parameters. */
#include "sdp/codec.h"

#include "sdp/text.h"

#include <stdio.h>
#include <string.h>

uint32_t ln_codec_feedback_bits(const struct ln_codec_parameters *codec)
{
    static const struct {
        const char *text;
        uint32_t bit;
    } kinds[] = {
        { "nack", LN_FEEDBACK_NACK },   { "nack pli", LN_FEEDBACK_PLI },
        { "ccm fir", LN_FEEDBACK_FIR }, { "goog-remb", LN_FEEDBACK_REMB },
        { "rrtr", LN_FEEDBACK_RRTR },   { "transport-cc", LN_FEEDBACK_TRANSPORT_CC },
    };
    uint32_t bits = 0;

    for (size_t i = 0; i < codec->feedback_count; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (ln_text_same(codec->feedback[i], kinds[k].text))
                bits |= kinds[k].bit;
        }
    }
    return bits;
}

bool ln_codec_is_rtx(const struct ln_codec_parameters *codec)
{
    return ln_text_same(codec->name, "rtx");
}

bool ln_codec_is_auxiliary(const struct ln_codec_parameters *codec)
{
    static const char *const names[] = {
        "rtx", "red", "ulpfec", "flexfec", "flexfec-03", "CN", "telephone-event",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (ln_text_same(codec->name, names[i]))
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool ln_fmtp_get(const char *fmtp, const char *key, const char **ret_value, size_t *ret_len)
{
    while (*fmtp) {
        size_t len, key_len, value_len = 0;
        const char *value;

        while (is_blank(*fmtp) || *fmtp == ';')
            fmtp++;
        len = strcspn(fmtp, ";");
        key_len = strcspn(fmtp, "=;");
        value = fmtp + key_len;
        if (key_len < len) {
            value++;
            value_len = len - key_len - 1;
        }
        while (key_len > 0 && is_blank(fmtp[key_len - 1]))
            key_len--;
        while (value_len > 0 && is_blank(*value)) {
            value++;
            value_len--;
        }
        while (value_len > 0 && is_blank(value[value_len - 1]))
            value_len--;
        if (key_len > 0 && ln_text_same_n(fmtp, key_len, key)) {
            *ret_value = value;
            *ret_len = value_len;
            return true;
        }
        fmtp += len;
    }
    return false;
}

bool ln_fmtp_number(const char *fmtp, const char *key, uint32_t *ret_number)
{
    char digits[16];
    const char *value;
    uint64_t number;
    size_t len;

    if (!ln_fmtp_get(fmtp, key, &value, &len) || len >= sizeof digits)
        return false;
    memcpy(digits, value, len);
    digits[len] = '\0';
    if (!ln_text_number(digits, UINT32_MAX, &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

int ln_codec_apt(const struct ln_codec_parameters *codec)
{
    uint32_t apt;

    if (!ln_codec_is_rtx(codec) || !ln_fmtp_number(codec->fmtp, "apt", &apt) ||
        apt > LN_PAYLOAD_TYPE_MAX)
        return LN_PAYLOAD_TYPE_NONE;
    return (int)apt;
}

/* ---- H.264 ---- */

/* Bit pattern of profile_iop: '1', '0', or 'x' for either, from the highest bit (RFC 6184, table
 * 5). */
static const struct {
    uint8_t profile_idc;
    char iop[9];
    enum ln_h264_profile profile;
} h264_profiles[] = {
    { 0x42, "x1xx0000", LN_H264_PROFILE_CONSTRAINED_BASELINE },
    { 0x4d, "1xxx0000", LN_H264_PROFILE_CONSTRAINED_BASELINE },
    { 0x58, "11xx0000", LN_H264_PROFILE_CONSTRAINED_BASELINE },
    { 0x42, "x0xx0000", LN_H264_PROFILE_BASELINE },
    { 0x58, "10xx0000", LN_H264_PROFILE_BASELINE },
    { 0x4d, "0x0x0000", LN_H264_PROFILE_MAIN },
    { 0x64, "00000000", LN_H264_PROFILE_HIGH },
    { 0x64, "00001100", LN_H264_PROFILE_CONSTRAINED_HIGH },
    { 0xf4, "00000000", LN_H264_PROFILE_HIGH_444_PREDICTIVE },
};

static bool iop_fits(uint8_t iop, const char *pattern)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        bool set = iop & (0x80u >> bit);

        if (pattern[bit] != 'x' && set != (pattern[bit] == '1'))
            return false;
    }
    return true;
}

static bool read_hex24(const char *text, size_t len, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (len != 6)
        return false;
    for (size_t i = 0; i < 6; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret_value = value;
    return true;
}

void ln_h264_parameters_parse(const char *fmtp, struct ln_h264_parameters *ret_parameters)
{
    struct ln_h264_parameters p = { LN_H264_PROFILE_UNKNOWN, 0, 0, false };
    uint32_t id = 0x420010, number;
    const char *value;
    size_t len;

    if (ln_fmtp_number(fmtp, "packetization-mode", &number) && number <= 2)
        p.packetization_mode = (uint8_t)number;
    if (ln_fmtp_number(fmtp, "level-asymmetry-allowed", &number))
        p.level_asymmetry_allowed = number == 1;
    if (!ln_fmtp_get(fmtp, "profile-level-id", &value, &len) || read_hex24(value, len, &id)) {
        for (size_t i = 0; i < sizeof h264_profiles / sizeof h264_profiles[0]; i++) {
            if (p.profile == LN_H264_PROFILE_UNKNOWN && h264_profiles[i].profile_idc == id >> 16 &&
                iop_fits((uint8_t)(id >> 8), h264_profiles[i].iop))
                p.profile = h264_profiles[i].profile;
        }
        p.level_idc = (uint8_t)id;
        /* Constraint set 3 with level 1.1 means level 1b in these profiles (RFC 6184, 8.1). */
        if (p.level_idc == 11 && (id >> 8 & 0x10) && id >> 16 != 0x64 && id >> 16 != 0xf4)
            p.level_idc = 9;
    }
    *ret_parameters = p;
}

static bool same_h264(const char *a, const char *b)
{
    struct ln_h264_parameters pa, pb;

    ln_h264_parameters_parse(a, &pa);
    ln_h264_parameters_parse(b, &pb);
    return pa.profile != LN_H264_PROFILE_UNKNOWN && pa.profile == pb.profile &&
           pa.packetization_mode == pb.packetization_mode;
}

static bool same_number(const char *a, const char *b, const char *key)
{
    uint32_t na = 0, nb = 0; /* absent means 0 */

    (void)ln_fmtp_number(a, key, &na);
    (void)ln_fmtp_number(b, key, &nb);
    return na == nb;
}

bool ln_codec_same(const struct ln_codec_parameters *a, const struct ln_codec_parameters *b)
{
    unsigned channels_a = a->channels ? a->channels : 1, channels_b = b->channels ? b->channels : 1;

    if (!*a->name || !ln_text_same(a->name, b->name) || a->clock_rate_hz != b->clock_rate_hz ||
        channels_a != channels_b)
        return false;
    if (ln_text_same(a->name, "H264"))
        return same_h264(a->fmtp, b->fmtp);
    if (ln_text_same(a->name, "VP9"))
        return same_number(a->fmtp, b->fmtp, "profile-id");
    if (ln_text_same(a->name, "AV1"))
        return same_number(a->fmtp, b->fmtp, "profile");
    return true;
}

/* ---- Opus ---- */

static bool flag_of(const char *fmtp, const char *key)
{
    uint32_t number;

    return ln_fmtp_number(fmtp, key, &number) && number == 1;
}

static uint32_t number_of(const char *fmtp, const char *key, uint32_t low, uint32_t high,
                          uint32_t absent)
{
    uint32_t number;

    if (!ln_fmtp_number(fmtp, key, &number))
        return absent;
    return number < low ? low : number > high ? high : number;
}

void ln_opus_parameters_parse(const char *fmtp, struct ln_opus_parameters *ret_parameters)
{
    *ret_parameters = (struct ln_opus_parameters){
        .useinbandfec = flag_of(fmtp, "useinbandfec"),
        .usedtx = flag_of(fmtp, "usedtx"),
        .cbr = flag_of(fmtp, "cbr"),
        .stereo = flag_of(fmtp, "stereo"),
        .sprop_stereo = flag_of(fmtp, "sprop-stereo"),
        .minptime_ms = number_of(fmtp, "minptime", 3, 120, 3),
        .maxptime_ms = number_of(fmtp, "maxptime", 3, 120, 120),
        .maxaveragebitrate_bps = number_of(fmtp, "maxaveragebitrate", 6000, 510000, 0),
        .maxplaybackrate_hz = number_of(fmtp, "maxplaybackrate", 8000, 48000, 48000),
    };
}

static uint32_t lower_limit(uint32_t a, uint32_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

void ln_opus_parameters_merge(const struct ln_opus_parameters *ours,
                              const struct ln_opus_parameters *theirs,
                              struct ln_opus_parameters *ret_send)
{
    *ret_send = (struct ln_opus_parameters){
        .useinbandfec = ours->useinbandfec && theirs->useinbandfec,
        .usedtx = ours->usedtx && theirs->usedtx,
        .cbr = ours->cbr || theirs->cbr, /* asked for by either */
        .stereo = ours->stereo && theirs->stereo,
        .sprop_stereo = theirs->sprop_stereo,
        .minptime_ms = ours->minptime_ms > theirs->minptime_ms ? ours->minptime_ms
                                                               : theirs->minptime_ms,
        .maxptime_ms = lower_limit(ours->maxptime_ms, theirs->maxptime_ms),
        .maxaveragebitrate_bps = lower_limit(ours->maxaveragebitrate_bps,
                                             theirs->maxaveragebitrate_bps),
        .maxplaybackrate_hz = lower_limit(ours->maxplaybackrate_hz, theirs->maxplaybackrate_hz),
    };
}

static void add(char *text, const char *key, uint32_t number, uint32_t absent)
{
    size_t len = strlen(text);

    if (number != absent)
        snprintf(text + len, LN_OPUS_FMTP_MAX - len, "%s%s=%u", len ? ";" : "", key, number);
}

char *ln_opus_parameters_format(const struct ln_opus_parameters *parameters, char *text)
{
    text[0] = '\0';
    add(text, "minptime", parameters->minptime_ms, 3);
    add(text, "maxptime", parameters->maxptime_ms, 120);
    add(text, "useinbandfec", parameters->useinbandfec, 0);
    add(text, "usedtx", parameters->usedtx, 0);
    add(text, "cbr", parameters->cbr, 0);
    add(text, "stereo", parameters->stereo, 0);
    add(text, "sprop-stereo", parameters->sprop_stereo, 0);
    add(text, "maxaveragebitrate", parameters->maxaveragebitrate_bps, 0);
    add(text, "maxplaybackrate", parameters->maxplaybackrate_hz, 48000);
    return text;
}
