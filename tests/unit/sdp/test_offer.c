/* SPDX-License-Identifier: Apache-2.0
 * Offers, the first and those after it. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

static const struct ln_codec_parameters *find(const struct ln_sdp_media *media, const char *name)
{
    for (size_t i = 0; i < media->codec_count; i++) {
        if (strcmp(media->codecs[i].name, name) == 0)
            return &media->codecs[i];
    }
    return NULL;
}

LN_TEST(offer, has_the_payload_types_of_browsers)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        const char *text = sdp_write(&arena, sdp_offer(&arena, sections, 2, NULL, NULL));

        CHECK(sdp_has_line(text, "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8"));
        CHECK(sdp_has_line(text, "a=rtpmap:111 opus/48000/2"));
        CHECK(sdp_has_line(text, "a=rtpmap:0 PCMU/8000"));
        CHECK(sdp_has_line(text, "m=video 9 UDP/TLS/RTP/SAVPF 96 97"));
        CHECK(sdp_has_line(text, "a=fmtp:97 apt=96"));
        CHECK(sdp_has_line(text, "a=rtcp-fb:96 nack pli"));
        CHECK(sdp_has_line(text, "a=extmap-allow-mixed"));
        CHECK(sdp_has_line(text, "a=msid-semantic: WMS *"));
        CHECK(sdp_has_line(text, "a=msid:stream1 videotrack"));
        CHECK(sdp_has_line(text, "a=ssrc-group:FID 2001 2002"));
        CHECK(sdp_has_line(text, "a=ssrc:2002 cname:cname"));
        CHECK(sdp_has_line(text, "a=rtcp-mux"));
        CHECK(sdp_has_line(text, "a=group:BUNDLE a v"));
    }
}

LN_TEST(offer, extension_ids_are_one_per_uri_over_all_sections)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        struct ln_sdp *offer = sdp_offer(&arena, sections, 2, NULL, NULL);

        for (size_t i = 0; i < 3; i++) {
            CHECK_EQUAL(offer->media[0].extensions[i].id, i + 1);
            CHECK_EQUAL(offer->media[1].extensions[i].id, i + 1);
        }
        CHECK_EQUAL(offer->media[1].extensions[3].id, 4);
        CHECK_EQUAL(offer->media[1].extensions[3].direction, LN_SDP_RECVONLY);
    }
}

LN_TEST(offer, more_than_14_extensions_pass_over_id_15)
{
    static const char uris[20][8] = { "u:0", "u:1", "u:2", "u:3", "u:4", "u:5", "u:6",
                                      "u:7", "u:8", "u:9", "u:a", "u:b", "u:c", "u:d",
                                      "u:e", "u:f", "u:g", "u:h", "u:i", "u:j" };
    struct ln_jsep_extension extensions[20];

    for (int i = 0; i < 20; i++)
        extensions[i] = (struct ln_jsep_extension){ uris[i], LN_SDP_SENDRECV };
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("a");
        struct ln_sdp *offer;

        audio.extensions = extensions;
        audio.extension_count = 20;
        offer = sdp_offer(&arena, &audio, 1, NULL, NULL);
        CHECK_EQUAL(offer->media[0].extensions[13].id, 14);
        CHECK_EQUAL(offer->media[0].extensions[14].id, 16);
        CHECK_EQUAL(offer->media[0].extension_count, 20);
    }
}

LN_TEST(offer, payload_types_and_ids_stay_over_re_offers)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v"), sdp_video("w") };
        struct ln_sdp *first = sdp_parse(
            &arena, "v=0\na=group:BUNDLE a v\na=extmap-allow-mixed\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 100 0\na=mid:a\na=rtpmap:100 opus/48000/2\n"
                    "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\n"
                    "m=video 9 UDP/TLS/RTP/SAVPF 96 120 121\na=mid:v\na=rtpmap:96 VP9/90000\n"
                    "a=rtpmap:120 VP8/90000\na=rtpmap:121 rtx/90000\na=fmtp:121 apt=120\n"
                    "a=extmap:1 urn:other\na=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\n");
        struct ln_sdp *offer = sdp_offer(&arena, sections, 3, first, first);

        CHECK_EQUAL(find(&offer->media[0], "opus")->payload_type, 100);
        CHECK_EQUAL(find(&offer->media[1], "VP8")->payload_type, 120);
        CHECK_EQUAL(find(&offer->media[1], "rtx")->payload_type, 121);
        CHECK_EQUAL(find(&offer->media[2], "VP8")->payload_type, 120);
        CHECK_EQUAL(offer->media[0].extensions[0].id, 9);
        CHECK_EQUAL(offer->media[1].extensions[1].id, 2); /* 1 means something else */
    }
}

LN_TEST(offer, runs_out_of_payload_types_with_an_error)
{
    static struct ln_codec_parameters codecs[120];
    static char names[120][8];

    for (int i = 0; i < 120; i++) {
        snprintf(names[i], sizeof names[i], "C%d", i);
        codecs[i] = (struct ln_codec_parameters){ .name = names[i],
                                                  .payload_type = LN_PAYLOAD_TYPE_ANY,
                                                  .clock_rate_hz = 90000,
                                                  .fmtp = "" };
    }
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_jsep_local local = sdp_local(&video, 1);
        struct ln_sdp *offer = NULL;

        video.codecs = codecs;
        video.codec_count = 61;
        CHECK(ln_jsep_create_offer(&local, NULL, &arena, &offer) == 0);
        for (size_t i = 0; i < 61; i++) { /* none where RTCP would be seen */
            uint8_t number = offer->media[0].codecs[i].payload_type;

            CHECK(number >= 96 || (number >= 35 && number <= 63));
        }
        video.codec_count = 120;
        CHECK_EQUAL(ln_jsep_create_offer(&local, NULL, &arena, &offer), LN_ERR_LIMIT);
    }
}

LN_TEST(offer, a_wished_payload_type_is_taken_if_free)
{
    static const struct ln_codec_parameters codecs[] = {
        { "VP8", 120, 90000, 0, "", NULL, 0 },
        { "VP9", 120, 90000, 0, "", NULL, 0 },
        { "VP8", 121, 90000, 0, "", NULL, 0 }, /* the same again */
    };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer;

        video.codecs = codecs;
        video.codec_count = 3;
        offer = sdp_offer(&arena, &video, 1, NULL, NULL);
        CHECK_EQUAL(offer->media[0].codec_count, 2);
        CHECK_EQUAL(offer->media[0].codecs[0].payload_type, 120);
        CHECK_EQUAL(offer->media[0].codecs[1].payload_type, 98);
    }
}

LN_TEST(offer, redundant_audio_names_its_primary)
{
    static const struct ln_codec_parameters codecs[] = {
        { "red", LN_PAYLOAD_TYPE_ANY, 48000, 2, "", NULL, 0 },
        { "opus", LN_PAYLOAD_TYPE_ANY, 48000, 2, "", NULL, 0 },
    };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("a");

        audio.codecs = codecs;
        audio.codec_count = 2;
        CHECK(sdp_has_line(sdp_write(&arena, sdp_offer(&arena, &audio, 1, NULL, NULL)),
                           "a=fmtp:63 111/111"));
    }
}

LN_TEST(offer, stopped_sections_have_port_0_and_leave_the_bundle)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v"), sdp_data("d") };
        struct ln_sdp *first = sdp_offer(&arena, sections, 3, NULL, NULL), *offer;
        const char *text;

        sections[1].stopped = true;
        offer = sdp_offer(&arena, sections, 3, first, first);
        text = sdp_write(&arena, offer);
        CHECK_EQUAL(offer->media_count, 3);
        CHECK(ln_sdp_is_rejected(&offer->media[1]));
        CHECK_EQUAL(offer->media[1].direction, LN_SDP_INACTIVE);
        CHECK_EQUAL(offer->media[1].msid_count, 0);
        CHECK_TEXT(offer->media[1].mid, "v");
        CHECK(sdp_has_line(text, "a=group:BUNDLE a d"));
        CHECK(sdp_has_line(text, "m=video 0 UDP/TLS/RTP/SAVPF 96 97"));
    }
}

LN_TEST(offer, a_refused_place_is_used_again_under_a_new_mid)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        struct ln_sdp *first, *again;
        struct ln_jsep_state state;

        sections[0].stopped = true;
        first = sdp_offer(&arena, sections, 2, NULL, NULL);
        state = (struct ln_jsep_state){ first, first };
        CHECK_EQUAL(ln_jsep_recyclable(&state, 0), 0);
        CHECK_EQUAL(ln_jsep_recyclable(&state, 1), -1);
        sections[0] = sdp_video("x");
        again = sdp_offer(&arena, sections, 2, first, first);
        CHECK_TEXT(again->media[0].mid, "x");
        CHECK_EQUAL(again->media[0].kind, LN_SDP_VIDEO);
        CHECK(ln_jsep_validate_remote(LN_JSEP_OFFER, again, NULL, &state, NULL) == 0);
        CHECK(sdp_has_line(sdp_write(&arena, again), "a=group:BUNDLE x v"));
    }
}

LN_TEST(offer, inactive_sections_keep_mid_extension_and_feedback)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer;

        video.direction = LN_SDP_INACTIVE;
        offer = sdp_offer(&arena, &video, 1, NULL, NULL);
        CHECK(!ln_sdp_is_rejected(&offer->media[0]));
        CHECK_TEXT(offer->media[0].extensions[0].uri, "urn:ietf:params:rtp-hdrext:sdes:mid");
        CHECK_EQUAL(offer->media[0].codecs[0].feedback_count, 5);
        CHECK_EQUAL(offer->media[0].ssrc_count, 0);
    }
}

LN_TEST(offer, all_stopped_has_no_bundle_group)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("a");

        audio.stopped = true;
        CHECK_EQUAL(sdp_offer(&arena, &audio, 1, NULL, NULL)->group_count, 0);
    }
}

static void bundle_only(enum ln_jsep_bundle_policy policy, const char *expected)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("0"), sdp_video("1"), sdp_video("2"),
                                              sdp_data("3") };
        struct ln_jsep_local local = sdp_local(sections, 4);
        struct ln_sdp *offer = NULL, *again = NULL;
        struct ln_jsep_state state;

        local.bundle_policy = policy;
        CHECK(ln_jsep_create_offer(&local, NULL, &arena, &offer) == 0);
        for (size_t i = 0; i < 4; i++) {
            CHECK_EQUAL(offer->media[i].bundle_only, expected[i] == 'b');
            CHECK_EQUAL(offer->media[i].port, expected[i] == 'b' ? 0 : 9);
            CHECK(!ln_sdp_is_rejected(&offer->media[i]));
        }
        CHECK_EQUAL(offer->groups[0].mid_count, 4);
        CHECK(ln_jsep_validate_remote(LN_JSEP_OFFER, offer, NULL, NULL, NULL) == 0);
        state = (struct ln_jsep_state){ offer, offer };
        CHECK(ln_jsep_create_offer(&local, &state, &arena, &again) == 0);
        for (size_t i = 0; i < 4; i++)
            CHECK(!again->media[i].bundle_only); /* RFC 8829, 5.2.2 */
    }
}

LN_TEST(offer, bundle_policy_says_who_has_an_address)
{
    bundle_only(LN_JSEP_BUNDLE_BALANCED, "..b.");
    bundle_only(LN_JSEP_BUNDLE_MAX_COMPAT, "....");
    bundle_only(LN_JSEP_BUNDLE_MAX_BUNDLE, ".bbb");
}

LN_TEST(offer, simulcast_has_rids_and_no_ssrcs)
{
    static const struct ln_jsep_rid rids[] = { { "q", false }, { "h", true }, { "f", false } };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        const char *text;

        video.rids = rids;
        video.rid_count = 3;
        text = sdp_write(&arena, sdp_offer(&arena, &video, 1, NULL, NULL));
        CHECK(sdp_has_line(text, "a=rid:q send"));
        CHECK(sdp_has_line(text, "a=simulcast:send q;~h;f"));
        CHECK(!strstr(text, "a=ssrc"));
        video.rid_count = 1;
        text = sdp_write(&arena, sdp_offer(&arena, &video, 1, NULL, NULL));
        CHECK(sdp_has_line(text, "a=rid:q send"));
        CHECK(!strstr(text, "a=simulcast"));
    }
}

LN_TEST(offer, receiving_sections_say_nothing_of_streams)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("a");
        const char *text;

        audio.direction = LN_SDP_RECVONLY;
        text = sdp_write(&arena, sdp_offer(&arena, &audio, 1, NULL, NULL));
        CHECK(sdp_has_line(text, "a=recvonly"));
        CHECK(!strstr(text, "a=msid:") && !strstr(text, "a=ssrc"));
        audio.direction = LN_SDP_SENDONLY;
        audio.stream_count = 0;
        text = sdp_write(&arena, sdp_offer(&arena, &audio, 1, NULL, NULL));
        CHECK(sdp_has_line(text, "a=msid:- audiotrack"));
    }
}

LN_TEST(offer, carries_candidates_and_the_default_address)
{
    static const char *const candidates[] = { "candidate:1 1 udp 1 192.0.2.1 7 typ host" };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("d");
        const char *text;

        data.transport.candidates = candidates;
        data.transport.candidate_count = 1;
        data.transport.end_of_candidates = true;
        data.transport.default_address = "IN IP4 192.0.2.1";
        data.transport.default_port = 7;
        text = sdp_write(&arena, sdp_offer(&arena, &data, 1, NULL, NULL));
        CHECK(sdp_has_line(text, "a=candidate:1 1 udp 1 192.0.2.1 7 typ host"));
        CHECK(sdp_has_line(text, "a=end-of-candidates"));
        CHECK(sdp_has_line(text, "c=IN IP4 192.0.2.1"));
        CHECK(sdp_has_line(text, "m=application 7 UDP/DTLS/SCTP webrtc-datachannel"));
    }
}
