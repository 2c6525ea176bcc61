/* SPDX-License-Identifier: Apache-2.0
 * Answers: what is taken, refused and said of an offer. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

LN_TEST(answer, takes_the_order_and_the_numbers_of_the_offer)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("ignored");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(&arena,
                               SESSION "m=audio 9 UDP/TLS/RTP/SAVPF 9 8 109 0 101\na=mid:x\n"
                                       "a=rtcp-mux\na=rtpmap:109 OPUS/48000/2\n"
                                       "a=rtpmap:101 telephone-event/8000\n",
                               &audio, 1, &offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=audio 9 UDP/TLS/RTP/SAVPF 8 109 0"));
        CHECK_TEXT(answer->media[0].mid, "x");
        audio.own_codec_order = true;
        answer = sdp_answer(&arena, &audio, 1, offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=audio 9 UDP/TLS/RTP/SAVPF 109 0 8"));
    }
}

LN_TEST(answer, keeps_rtx_only_of_kept_codecs)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(
            &arena,
            SESSION "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97 100 101 102\na=mid:v\na=rtcp-mux\n"
                    "a=rtpmap:98 VP9/90000\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\n"
                    "a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"
                    "a=rtpmap:100 rtx/90000\na=fmtp:100 apt=50\na=rtpmap:101 rtx/90000\n"
                    "a=rtpmap:102 rtx/90000\na=fmtp:102 apt=999\n",
            &video, 1, &offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=video 9 UDP/TLS/RTP/SAVPF 96 97"));
        video.codec_count = 1; /* no rtx wished */
        answer = sdp_answer(&arena, &video, 1, offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=video 9 UDP/TLS/RTP/SAVPF 96"));
    }
}

LN_TEST(answer, refuses_what_has_no_common_codec)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(&arena,
                               SESSION
                               "a=group:BUNDLE a v\nm=audio 9 UDP/TLS/RTP/SAVPF 101 13\na=mid:a\n"
                               "a=rtcp-mux\na=rtpmap:101 telephone-event/8000\n"
                               "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\n"
                               "a=rtpmap:96 VP8/90000\n",
                               sections, 2, &offer);
        CHECK(ln_sdp_is_rejected(&answer->media[0]) && !ln_sdp_is_rejected(&answer->media[1]));
        CHECK(sdp_has_line(sdp_write(&arena, answer), "a=group:BUNDLE v"));
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=audio 0 UDP/TLS/RTP/SAVPF 101 13"));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).rejected, true);
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).rejected, false);
    }
}

LN_TEST(answer, refuses_foreign_sections_and_those_it_knows_nothing_of)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_data("d") };
        struct ln_sdp *offer, *answer;
        const char *text;

        answer = sdp_answer_to(
            &arena,
            "v=0\nm=image 54111 udptl t38\nm=application 9 UDP/BFCP *\n"
            "m=audio 9 RTP/XYZ 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n" TRANSPORT,
            sections, 2, &offer);
        text = sdp_write(&arena, answer);
        CHECK(sdp_has_line(text, "m=image 0 udptl t38"));
        CHECK(sdp_has_line(text, "m=application 0 UDP/BFCP *"));
        CHECK(sdp_has_line(text, "m=audio 0 RTP/XYZ 0"));
        CHECK(sdp_has_line(text, "m=audio 0 UDP/TLS/RTP/SAVPF 0"));
        CHECK_EQUAL(answer->group_count, 0);
    }
}

LN_TEST(answer, direction_is_the_wish_as_far_as_the_offer_lets_it)
{
    static const enum ln_sdp_direction rows[][3] = {
        { LN_SDP_SENDRECV, LN_SDP_SENDRECV, LN_SDP_SENDRECV },
        { LN_SDP_SENDONLY, LN_SDP_SENDRECV, LN_SDP_RECVONLY },
        { LN_SDP_RECVONLY, LN_SDP_SENDRECV, LN_SDP_SENDONLY },
        { LN_SDP_RECVONLY, LN_SDP_RECVONLY, LN_SDP_INACTIVE },
        { LN_SDP_SENDRECV, LN_SDP_INACTIVE, LN_SDP_INACTIVE },
        { LN_SDP_INACTIVE, LN_SDP_SENDRECV, LN_SDP_INACTIVE },
        { LN_SDP_SENDRECV, LN_SDP_RECVONLY, LN_SDP_RECVONLY },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WITH_ARENA(arena)
        {
            struct ln_jsep_section ours = sdp_audio("a"), theirs = sdp_other_side(ours);
            struct ln_sdp *offer, *answer;

            ours.direction = rows[i][0];
            theirs.direction = rows[i][1];
            offer = sdp_offer(&arena, &ours, 1, NULL, NULL);
            answer = sdp_answer(&arena, &theirs, 1, offer);
            CHECK_EQUAL(answer->media[0].direction, rows[i][2]);
            CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).direction, rows[i][2]);
            CHECK_EQUAL(sdp_agree(&arena, offer, answer, true, 0).direction,
                        ln_sdp_reverse(rows[i][2]));
        }
    }
}

static enum ln_sdp_setup answered_setup(const char *offered, enum ln_sdp_setup wish)
{
    enum ln_sdp_setup setup = LN_SDP_SETUP_NONE;

    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("d");
        struct ln_sdp *offer;
        char text[1024];

        data.transport.setup = wish;
        snprintf(text, sizeof text,
                 "v=0\n" TRANSPORT "%sm=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\n",
                 offered);
        setup = sdp_answer_to(&arena, text, &data, 1, &offer)->media[0].transport.setup;
    }
    return setup;
}

LN_TEST(answer, is_active_unless_offer_or_wish_say_otherwise)
{
    CHECK_EQUAL(answered_setup("a=setup:actpass\n", LN_SDP_SETUP_NONE), LN_SDP_SETUP_ACTIVE);
    CHECK_EQUAL(answered_setup("a=setup:actpass\n", LN_SDP_SETUP_PASSIVE), LN_SDP_SETUP_PASSIVE);
    CHECK_EQUAL(answered_setup("a=setup:actpass\n", LN_SDP_SETUP_ACTIVE), LN_SDP_SETUP_ACTIVE);
    CHECK_EQUAL(answered_setup("a=setup:active\n", LN_SDP_SETUP_ACTIVE), LN_SDP_SETUP_PASSIVE);
    CHECK_EQUAL(answered_setup("a=setup:passive\n", LN_SDP_SETUP_PASSIVE), LN_SDP_SETUP_ACTIVE);
    CHECK_EQUAL(answered_setup("", LN_SDP_SETUP_NONE), LN_SDP_SETUP_ACTIVE);
}

LN_TEST(answer, takes_extension_ids_of_the_offer)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer, *answer;
        struct ln_jsep_agreed agreed;

        answer = sdp_answer_to(
            &arena,
            SESSION "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
                    "a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:5 urn:unknown\n"
                    "a=extmap:3/sendonly urn:3gpp:video-orientation\n"
                    "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level\n"
                    "a=extmap:20 http://www.ietf.org/id/"
                    "draft-holmer-rmcat-transport-wide-cc-extensions-01\n",
            &video, 1, &offer);
        CHECK_EQUAL(answer->media[0].extension_count, 3); /* 20 needs extmap-allow-mixed */
        CHECK_EQUAL(answer->media[0].extensions[0].id, 7);
        CHECK_EQUAL(answer->media[0].extensions[1].direction, LN_SDP_RECVONLY);
        CHECK_EQUAL(answer->media[0].extensions[2].direction, LN_SDP_SENDONLY);
        CHECK(!answer->extmap_allow_mixed);
        agreed = sdp_agree(&arena, answer, offer, false, 0);
        CHECK_EQUAL(agreed.send_extension_count, 2);
        CHECK_EQUAL(agreed.send_extensions[1].id, 2);
        CHECK_EQUAL(agreed.receive_extension_count, 2);
        CHECK_TEXT(agreed.receive_extensions[1].uri, "urn:3gpp:video-orientation");
        CHECK(!agreed.two_byte_extensions);
    }
}

LN_TEST(answer, with_mixed_headers_allowed_takes_ids_above_14)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(
            &arena,
            SESSION "a=extmap-allow-mixed\nm=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\n"
                    "a=rtpmap:96 VP8/90000\na=extmap:20 urn:ietf:params:rtp-hdrext:sdes:mid\n",
            &video, 1, &offer);
        CHECK_EQUAL(answer->media[0].extensions[0].id, 20);
        CHECK(answer->extmap_allow_mixed);
        CHECK(sdp_agree(&arena, answer, offer, false, 0).two_byte_extensions);
    }
}

LN_TEST(answer, keeps_the_first_meaning_of_an_extension_id_in_a_bundle)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(
            &arena,
            SESSION "a=group:BUNDLE a v\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=rtcp-mux\n"
                    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\n"
                    "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n"
                    "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
                    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\n"
                    "a=extmap:2 urn:3gpp:video-orientation\n",
            sections, 2, &offer);
        CHECK_EQUAL(answer->media[0].extension_count, 2);
        CHECK_EQUAL(answer->media[1].extension_count, 1);
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).receive_extension_count, 1);
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).send_extension_count, 1);
    }
}

LN_TEST(answer, bundles_what_it_accepts_and_has_no_bundle_only)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section ours[] = { sdp_audio("0"), sdp_video("1"), sdp_video("2"),
                                          sdp_data("3") };
        struct ln_jsep_section theirs[4];
        struct ln_jsep_local local = sdp_local(ours, 4);
        struct ln_sdp *offer = NULL, *answer;

        local.bundle_policy = LN_JSEP_BUNDLE_MAX_BUNDLE;
        CHECK(ln_jsep_create_offer(&local, NULL, &arena, &offer) == 0);
        for (size_t i = 0; i < 4; i++)
            theirs[i] = sdp_other_side(ours[i]);
        theirs[0].stopped = true;
        answer = sdp_answer(&arena, theirs, 4, offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "a=group:BUNDLE 1 2 3"));
        CHECK(!strstr(sdp_write(&arena, answer), "bundle-only"));
        for (size_t i = 1; i < 4; i++) {
            struct ln_jsep_agreed agreed = sdp_agree(&arena, offer, answer, true, i);

            CHECK(agreed.bundled && !agreed.rejected);
            CHECK_EQUAL(agreed.transport_section, 1);
            CHECK_TEXT(agreed.remote_ufrag, "othr");
        }
    }
}

LN_TEST(answer, refuses_a_bundle_only_section_without_a_group)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("a");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(
            &arena, SESSION "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=bundle-only\na=rtcp-mux\n",
            &audio, 1, &offer);
        CHECK(ln_sdp_is_rejected(&answer->media[0]));
    }
}

LN_TEST(answer, with_max_bundle_refuses_what_is_outside_of_the_first_group)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_audio("b"), sdp_audio("c") };
        struct ln_jsep_local local = sdp_local(sections, 3);
        struct ln_sdp *answer = NULL;
        struct ln_sdp *offer = sdp_parse(
            &arena,
            SESSION "a=group:BUNDLE a c\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=rtcp-mux\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:b\na=rtcp-mux\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:c\na=rtcp-mux\n");

        local.bundle_policy = LN_JSEP_BUNDLE_MAX_BUNDLE;
        CHECK(ln_jsep_create_answer(&local, offer, &arena, &answer) == 0);
        CHECK(!ln_sdp_is_rejected(&answer->media[0]));
        CHECK(ln_sdp_is_rejected(&answer->media[1]));
        CHECK(!ln_sdp_is_rejected(&answer->media[2]));
        local.bundle_policy = LN_JSEP_BUNDLE_BALANCED;
        CHECK(ln_jsep_create_answer(&local, offer, &arena, &answer) == 0);
        CHECK(!ln_sdp_is_rejected(&answer->media[1]));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).bundled, false);
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).transport_section, 1);
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 2).transport_section, 0);
    }
}

LN_TEST(answer, of_two_bundle_groups_has_two)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_audio("b"), sdp_audio("c") };
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(&arena,
                               SESSION "a=group:BUNDLE a\na=group:LS a b\na=group:BUNDLE c b\n"
                                       "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=rtcp-mux\n"
                                       "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:b\na=rtcp-mux\n"
                                       "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:c\na=rtcp-mux\n",
                               sections, 3, &offer);
        CHECK_EQUAL(answer->group_count, 2);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "a=group:BUNDLE c b"));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 1).transport_section, 2);
    }
}

LN_TEST(answer, without_mid_in_the_offer_has_none)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("local");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(&arena, SESSION "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n",
                               &audio, 1, &offer);
        CHECK(!ln_sdp_is_rejected(&answer->media[0]));
        CHECK(!strstr(sdp_write(&arena, answer), "a=mid"));
    }
}

LN_TEST(answer, says_trickle_only_to_those_who_do)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("d");
        struct ln_sdp *offer, *answer;

        answer = sdp_answer_to(&arena,
                               "v=0\na=ice-ufrag:remo\na=ice-pwd:remotepassword01234567\n"
                               "a=fingerprint:sha-1 "
                               "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03\n"
                               "a=setup:actpass\nm=application 9 DTLS/SCTP 5000\na=mid:d\n",
                               &data, 1, &offer);
        CHECK(!ln_sdp_has_ice_option(answer, &answer->media[0], "trickle"));
        answer = sdp_answer_to(&arena, SESSION "m=application 9 DTLS/SCTP 5000\na=mid:d\n", &data,
                               1, &offer);
        CHECK(ln_sdp_has_ice_option(answer, &answer->media[0], "trickle"));
    }
}

LN_TEST(answer, to_simulcast_sends_the_rids_that_are_asked_for)
{
    static const struct ln_jsep_rid rids[] = { { "q", false }, { "h", false }, { "f", false } };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer, *answer;
        struct ln_jsep_agreed agreed;
        const char *text;

        video.rids = rids;
        video.rid_count = 3;
        answer = sdp_answer_to(
            &arena,
            SESSION "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
                    "a=rid:f recv\na=rid:q recv\na=simulcast:recv f;~q\n",
            &video, 1, &offer);
        text = sdp_write(&arena, answer);
        CHECK(sdp_has_line(text, "a=rid:q send"));
        CHECK(sdp_has_line(text, "a=simulcast:send q;f"));
        CHECK(!strstr(text, "a=ssrc"));
        agreed = sdp_agree(&arena, answer, offer, false, 0);
        CHECK_EQUAL(agreed.send_rid_count, 2);
        CHECK_TEXT(agreed.send_rids[0].id, "f");
        CHECK(agreed.send_rids[1].paused);
        CHECK_EQUAL(agreed.receive_rid_count, 0);
    }
}

LN_TEST(answer, of_a_receiver_of_simulcast_asks_for_all_that_is_offered)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        static const char *const text = SESSION
            "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
            "a=rid:hi send\na=rid:lo send\na=simulcast:send hi;lo\n";
        struct ln_sdp *offer, *answer = sdp_answer_to(&arena, text, &video, 1, &offer);

        CHECK(!strstr(sdp_write(&arena, answer), "a=rid"));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).receive_rid_count, 0);
        video.receive_simulcast = true;
        answer = sdp_answer_to(&arena, text, &video, 1, &offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "a=simulcast:recv hi;lo"));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).receive_rid_count, 2);
        CHECK_TEXT(sdp_agree(&arena, answer, offer, false, 0).receive_rids[1].id, "lo");
    }
}

LN_TEST(answer, to_h264_keeps_the_profile_and_lowers_the_level)
{
    static const struct ln_codec_parameters codecs[] = {
        { "H264", LN_PAYLOAD_TYPE_ANY, 90000, 0, "packetization-mode=1;profile-level-id=42e01f",
          NULL, 0 },
        { "H264", LN_PAYLOAD_TYPE_ANY, 90000, 0,
          "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f", NULL, 0 },
    };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer, *answer;
        const char *text;

        video.codecs = codecs;
        video.codec_count = 2;
        answer = sdp_answer_to(
            &arena,
            SESSION
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\na=mid:v\na=rtcp-mux\na=rtpmap:96 H264/90000\n"
            "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c34\n"
            "a=rtpmap:97 H264/90000\n"
            "a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e014\n"
            "a=rtpmap:98 H264/90000\na=fmtp:98 packetization-mode=1;profile-level-id=42e034\n"
            "a=rtpmap:99 H264/90000\n"
            "a=fmtp:99 level-asymmetry-allowed=1;profile-level-id=42e034\n",
            &video, 1, &offer);
        text = sdp_write(&arena, answer);
        CHECK(sdp_has_line(text, "m=video 9 UDP/TLS/RTP/SAVPF 97 98 99"));
        CHECK(sdp_has_line(text, "a=fmtp:97 packetization-mode=1;profile-level-id=42e014"));
        CHECK(sdp_has_line(text, "a=fmtp:98 packetization-mode=1;profile-level-id=42e01f"));
        CHECK(sdp_has_line(text, "a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=0;"
                                 "profile-level-id=42e01f"));
    }
}

LN_TEST(answer, candidates_stand_in_the_section_that_carries_the_bundle)
{
    static const char *const candidates[] = { "candidate:1 1 udp 1 192.0.2.1 7 typ host" };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_data("d") };
        struct ln_sdp *offer, *answer, *again;

        for (size_t i = 0; i < 2; i++) {
            sections[i].transport.candidates = candidates;
            sections[i].transport.candidate_count = 1;
            sections[i].transport.end_of_candidates = true;
        }
        offer = sdp_offer(&arena, sections, 2, NULL, NULL);
        answer = sdp_answer(&arena, sections, 2, offer);
        CHECK_EQUAL(answer->media[0].candidate_count, 1);
        CHECK_EQUAL(answer->media[1].candidate_count, 0);
        CHECK(!answer->media[1].end_of_candidates);
        again = sdp_offer(&arena, sections, 2, answer, offer);
        CHECK_EQUAL(again->media[0].candidate_count, 1);
        CHECK_EQUAL(again->media[1].candidate_count, 0);
    }
}
