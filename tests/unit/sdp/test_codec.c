/* SPDX-License-Identifier: Apache-2.0
 * Comparing codecs and reading fmtp. */
#include "tests/unit/sdp/support.h"

static struct ln_codec_parameters codec(const char *name, uint32_t clock, uint8_t channels,
                                        const char *fmtp)
{
    return (struct ln_codec_parameters){
        .name = name, .clock_rate_hz = clock, .channels = channels, .fmtp = fmtp
    };
}

static bool same(const char *name_a, const char *fmtp_a, const char *name_b, const char *fmtp_b)
{
    struct ln_codec_parameters a = codec(name_a, 90000, 0, fmtp_a),
                               b = codec(name_b, 90000, 1, fmtp_b);

    CHECK_EQUAL(ln_codec_same(&a, &b), ln_codec_same(&b, &a));
    return ln_codec_same(&a, &b);
}

LN_TEST(codec, names_are_compared_without_case)
{
    CHECK(same("VP8", "", "vp8", "max-fr=30"));
    CHECK(!same("VP8", "", "VP9", ""));
    CHECK(!same("", "", "", ""));
}

LN_TEST(codec, clock_and_channels_count)
{
    struct ln_codec_parameters a = codec("opus", 48000, 2, ""), b = codec("OPUS", 48000, 2, ""),
                               c = codec("opus", 48000, 1, ""), d = codec("opus", 8000, 2, "");

    CHECK(ln_codec_same(&a, &b));
    CHECK(!ln_codec_same(&a, &c) && !ln_codec_same(&a, &d));
}

LN_TEST(codec, h264_profile_and_packetization_count_and_level_does_not)
{
    static const char *const base = "packetization-mode=1;profile-level-id=42e01f";

    CHECK(same("H264", base, "H264", "profile-level-id=42E034;packetization-mode=1"));
    CHECK(same("H264", base, "H264", "profile-level-id=4d801f;packetization-mode=1"));
    CHECK(!same("H264", base, "H264", "profile-level-id=42e01f"));
    CHECK(!same("H264", base, "H264", "profile-level-id=42001f;packetization-mode=1"));
    CHECK(!same("H264", base, "H264", "profile-level-id=640c34;packetization-mode=1"));
    CHECK(!same("H264", base, "H264", "profile-level-id=zzzzzz;packetization-mode=1"));
    CHECK(!same("H264", "profile-level-id=zz", "H264", "profile-level-id=zz"));
    CHECK(same("H264", "", "H264", "profile-level-id=42001f")); /* absent: baseline, level 1 */
}

LN_TEST(codec, h264_profiles_of_browsers_are_told_apart)
{
    static const struct {
        const char *fmtp;
        enum ln_h264_profile profile;
        int level;
    } rows[] = {
        { "profile-level-id=42001f", LN_H264_PROFILE_BASELINE, 31 },
        { "profile-level-id=42e01f", LN_H264_PROFILE_CONSTRAINED_BASELINE, 31 },
        { "profile-level-id=4d001f", LN_H264_PROFILE_MAIN, 31 },
        { "profile-level-id=64001f", LN_H264_PROFILE_HIGH, 31 },
        { "profile-level-id=640c34", LN_H264_PROFILE_CONSTRAINED_HIGH, 52 },
        { "profile-level-id=42e034", LN_H264_PROFILE_CONSTRAINED_BASELINE, 52 },
        { "profile-level-id=f4001f", LN_H264_PROFILE_HIGH_444_PREDICTIVE, 31 },
        { "profile-level-id=42f00b", LN_H264_PROFILE_CONSTRAINED_BASELINE, 9 }, /* level 1b */
        { "profile-level-id=", LN_H264_PROFILE_UNKNOWN, 0 },
        { "", LN_H264_PROFILE_BASELINE, 16 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ln_h264_parameters p;

        ln_h264_parameters_parse(rows[i].fmtp, &p);
        CHECK_EQUAL(p.profile, rows[i].profile);
        CHECK_EQUAL(p.level_idc, rows[i].level);
    }
}

LN_TEST(codec, vp9_and_av1_profiles_count)
{
    CHECK(same("VP9", "", "VP9", "profile-id=0"));
    CHECK(!same("VP9", "profile-id=2", "VP9", "profile-id=0"));
    CHECK(same("AV1", "profile=0;level-idx=5", "AV1", "level-idx=8"));
    CHECK(!same("AV1", "profile=1", "AV1", ""));
}

LN_TEST(codec, fmtp_values_are_found_between_blanks_and_cases)
{
    static const char *const fmtp = " ;; minPtime = 10 ;useinbandfec=1;flag; x=;=y;big=4294967296";
    const char *value;
    uint32_t number;
    size_t len;

    CHECK(ln_fmtp_number(fmtp, "minptime", &number) && number == 10);
    CHECK(ln_fmtp_number(fmtp, "USEINBANDFEC", &number) && number == 1);
    CHECK(ln_fmtp_get(fmtp, "flag", &value, &len) && len == 0);
    CHECK(ln_fmtp_get(fmtp, "x", &value, &len) && len == 0);
    CHECK(!ln_fmtp_get(fmtp, "ptime", &value, &len));
    CHECK(!ln_fmtp_get(fmtp, "", &value, &len));
    CHECK(!ln_fmtp_number(fmtp, "big", &number));
    CHECK(!ln_fmtp_number("a=18446744073709551617", "a", &number));
}

LN_TEST(codec, apt_beyond_payload_types_is_none)
{
    struct ln_codec_parameters a = codec("rtx", 90000, 0, "rtx-time=3000;apt=96"),
                               b = codec("RTX", 90000, 0, "apt=128"),
                               c = codec("rtx", 90000, 0, ""), d = codec("VP8", 90000, 0, "apt=1");

    CHECK_EQUAL(ln_codec_apt(&a), 96);
    CHECK_EQUAL(ln_codec_apt(&b), LN_PAYLOAD_TYPE_NONE);
    CHECK_EQUAL(ln_codec_apt(&c), LN_PAYLOAD_TYPE_NONE);
    CHECK_EQUAL(ln_codec_apt(&d), LN_PAYLOAD_TYPE_NONE);
}

LN_TEST(opus, parameters_are_read_with_defaults_and_bounds)
{
    struct ln_opus_parameters p;

    ln_opus_parameters_parse("", &p);
    CHECK(!p.useinbandfec && !p.usedtx && !p.stereo && !p.cbr);
    CHECK_EQUAL(p.minptime_ms, 3);
    CHECK_EQUAL(p.maxplaybackrate_hz, 48000);
    CHECK_EQUAL(p.maxaveragebitrate_bps, 0);
    ln_opus_parameters_parse(
        "stereo=1; useinbandfec=1;minptime=10;maxaveragebitrate=9999999;usedtx=1;"
        "maxplaybackrate=16000;sprop-stereo=1;cbr=2",
        &p);
    CHECK(p.useinbandfec && p.usedtx && p.stereo && p.sprop_stereo && !p.cbr);
    CHECK_EQUAL(p.minptime_ms, 10);
    CHECK_EQUAL(p.maxaveragebitrate_bps, 510000);
    CHECK_EQUAL(p.maxplaybackrate_hz, 16000);
}

LN_TEST(opus, what_is_sent_is_the_lesser_of_both)
{
    struct ln_opus_parameters ours, theirs, send;
    char text[LN_OPUS_FMTP_MAX];

    ln_opus_parameters_parse("useinbandfec=1;usedtx=1;stereo=1;maxaveragebitrate=64000", &ours);
    ln_opus_parameters_parse("useinbandfec=1;stereo=1;maxaveragebitrate=128000;minptime=20;cbr=1",
                             &theirs);
    ln_opus_parameters_merge(&ours, &theirs, &send);
    CHECK_TEXT(ln_opus_parameters_format(&send, text),
               "minptime=20;useinbandfec=1;cbr=1;stereo=1;maxaveragebitrate=64000");
    ln_opus_parameters_parse("", &theirs);
    ln_opus_parameters_merge(&ours, &theirs, &send);
    CHECK_TEXT(ln_opus_parameters_format(&send, text), "maxaveragebitrate=64000");
}
