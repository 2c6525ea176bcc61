/* SPDX-License-Identifier: Apache-2.0
 * Offers, answers and what they come to. */
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

/* ---- Offers ---- */

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

/* ---- Answers ---- */

#define TRANSPORT                                                                                  \
    "a=ice-ufrag:remo\na=ice-pwd:remotepassword01234567\na=ice-options:trickle\n"                  \
    "a=fingerprint:sha-256 "                                                                       \
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:"   \
    "0E:0F\n"
#define SESSION "v=0\n" TRANSPORT "a=setup:actpass\n"

/* Our answer to a text, which must be acceptable. */
static struct ln_sdp *answer_to(struct ln_arena *arena, const char *text,
                                struct ln_jsep_section *sections, size_t count,
                                struct ln_sdp **ret_offer)
{
    struct ln_sdp_error error = { 0 };

    *ret_offer = sdp_parse(arena, text);
    if (ln_jsep_validate_remote(LN_JSEP_OFFER, *ret_offer, NULL, NULL, &error) != 0) {
        fprintf(stderr, "line %u: %s\n", error.line, error.reason);
        CHECK(!"the offer is acceptable");
    }
    return sdp_answer(arena, sections, count, *ret_offer);
}

LN_TEST(answer, takes_the_order_and_the_numbers_of_the_offer)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("ignored");
        struct ln_sdp *offer, *answer;

        answer = answer_to(&arena,
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

        answer = answer_to(
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

        answer = answer_to(&arena,
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

        answer = answer_to(
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
        setup = answer_to(&arena, text, &data, 1, &offer)->media[0].transport.setup;
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

        answer = answer_to(
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

        answer = answer_to(
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

        answer = answer_to(
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

        answer = answer_to(
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

        answer = answer_to(&arena,
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

        answer = answer_to(&arena, SESSION "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n", &audio, 1,
                           &offer);
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

        answer = answer_to(&arena,
                           "v=0\na=ice-ufrag:remo\na=ice-pwd:remotepassword01234567\n"
                           "a=fingerprint:sha-1 "
                           "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03\n"
                           "a=setup:actpass\nm=application 9 DTLS/SCTP 5000\na=mid:d\n",
                           &data, 1, &offer);
        CHECK(!ln_sdp_has_ice_option(answer, &answer->media[0], "trickle"));
        answer = answer_to(&arena, SESSION "m=application 9 DTLS/SCTP 5000\na=mid:d\n", &data, 1,
                           &offer);
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
        answer = answer_to(
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
        struct ln_sdp *offer, *answer = answer_to(&arena, text, &video, 1, &offer);

        CHECK(!strstr(sdp_write(&arena, answer), "a=rid"));
        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).receive_rid_count, 0);
        video.receive_simulcast = true;
        answer = answer_to(&arena, text, &video, 1, &offer);
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
        answer = answer_to(
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

/* ---- What was agreed ---- */

LN_TEST(agreed, send_uses_their_numbers_and_receive_ours)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section video = sdp_video("v");
        struct ln_sdp *offer = sdp_offer(&arena, &video, 1, NULL, NULL);
        struct ln_sdp *answer = sdp_parse(
            &arena,
            SESSION "a=group:BUNDLE v\nm=video 9 UDP/TLS/RTP/SAVPF 120 121\na=mid:v\n"
                    "a=rtcp-mux\na=rtcp-rsize\na=rtpmap:120 VP8/90000\na=fmtp:120 max-fr=30\n"
                    "a=rtpmap:121 rtx/90000\na=fmtp:121 apt=120;rtx-time=1000\n"
                    "a=rtcp-fb:120 nack\na=rtcp-fb:120 goog-remb\na=rtcp-fb:120 rrtr\n"
                    "b=AS:500\n");
        struct ln_jsep_agreed agreed = sdp_agree(&arena, offer, answer, true, 0);

        CHECK_EQUAL(agreed.send_count, 1);
        CHECK_EQUAL(agreed.send[0].parameters.payload_type, 120);
        CHECK_TEXT(agreed.send[0].parameters.fmtp, "max-fr=30");
        CHECK_EQUAL(agreed.send[0].rtx_payload_type, 121);
        CHECK_EQUAL(agreed.send[0].rtx_time_ms, 1000);
        CHECK_EQUAL(agreed.receive[0].parameters.payload_type, 96);
        CHECK_EQUAL(agreed.receive[0].rtx_payload_type, 97);
        CHECK_EQUAL(agreed.send[0].feedback, LN_FEEDBACK_NACK | LN_FEEDBACK_REMB);
        CHECK_EQUAL(agreed.receive[0].feedback, agreed.send[0].feedback);
        CHECK_EQUAL(agreed.max_bitrate_bps, 500000);
        CHECK(agreed.rtcp_rsize);
    }
}

LN_TEST(agreed, both_sides_see_the_same)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section ours[] = { sdp_audio("a"), sdp_video("v"), sdp_data("d") };
        struct ln_jsep_section theirs[3];
        struct ln_sdp *offer = sdp_offer(&arena, ours, 3, NULL, NULL), *answer;

        for (size_t i = 0; i < 3; i++)
            theirs[i] = sdp_other_side(ours[i]);
        answer = sdp_answer(&arena, theirs, 3, offer);
        for (size_t i = 0; i < 3; i++) {
            struct ln_jsep_agreed a = sdp_agree(&arena, offer, answer, true, i),
                                  b = sdp_agree(&arena, answer, offer, false, i);

            CHECK(!a.rejected && !b.rejected);
            CHECK_EQUAL(a.send_count, b.receive_count);
            CHECK_EQUAL(a.receive_count, b.send_count);
            for (size_t c = 0; c < a.send_count; c++) {
                CHECK_EQUAL(a.send[c].parameters.payload_type,
                            b.receive[c].parameters.payload_type);
                CHECK_EQUAL(a.send[c].rtx_payload_type, b.receive[c].rtx_payload_type);
            }
            CHECK_EQUAL(a.send_extension_count, b.receive_extension_count);
            CHECK_EQUAL(a.receive_extension_count, b.send_extension_count);
            CHECK(a.role != b.role);
            CHECK_EQUAL(a.transport_section, 0);
        }
        CHECK_TEXT(sdp_agree(&arena, offer, answer, true, 1).remote->msids[0].track, "videotrack");
        CHECK_EQUAL(sdp_agree(&arena, offer, answer, true, 1).remote->ssrcs[0].ssrc, 7001);
    }
}

LN_TEST(agreed, max_message_size_absent_is_64_kib_and_0_is_no_limit)
{
    static const struct {
        const char *line;
        uint64_t size;
    } rows[] = { { "", 65536 },
                 { "a=max-message-size:0\n", 0 },
                 { "a=max-message-size:1073741823\n", 1073741823 } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WITH_ARENA(arena)
        {
            struct ln_jsep_section data = sdp_data("d");
            struct ln_sdp *offer, *answer;
            char text[1024];

            snprintf(text, sizeof text,
                     SESSION "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\n%s",
                     rows[i].line);
            answer = answer_to(&arena, text, &data, 1, &offer);
            CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).max_message_size, rows[i].size);
            CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 0).remote_sctp_port, 5000);
        }
    }
}

LN_TEST(agreed, sctp_port_0_is_no_association)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("d");
        struct ln_sdp *offer, *answer, *ours;

        answer = answer_to(
            &arena,
            SESSION "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\na=sctp-port:0\n",
            &data, 1, &offer);
        CHECK(ln_sdp_is_rejected(&answer->media[0]));
        ours = sdp_offer(&arena, &data, 1, NULL, NULL);
        CHECK(sdp_agree(&arena, ours, offer, true, 0).rejected);
    }
}

LN_TEST(agreed, old_sctp_form_is_answered_and_offered_in_its_own_words)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("0");
        struct ln_sdp *offer = sdp_parse_file(&arena, "firefox-old-data-offer"), *answer, *again;

        answer = sdp_answer(&arena, &data, 1, offer);
        CHECK(sdp_has_line(sdp_write(&arena, answer), "m=application 9 DTLS/SCTP 5000"));
        CHECK(!sdp_agree(&arena, answer, offer, false, 0).rejected);
        data.mid = "sdparta_0";
        again = sdp_offer(&arena, &data, 1, answer, offer);
        CHECK(sdp_has_line(sdp_write(&arena, again), "m=application 9 DTLS/SCTP 5000"));
    }
}

LN_TEST(agreed, before_the_answer_we_know_what_we_can_receive)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v") };
        struct ln_sdp *offer = sdp_offer(&arena, sections, 2, NULL, NULL);
        struct ln_jsep_agreed agreed;

        CHECK(ln_jsep_expect(offer, 1, &arena, &agreed) == 0);
        CHECK_EQUAL(agreed.receive_count, 1);
        CHECK_EQUAL(agreed.receive[0].parameters.payload_type, 96);
        CHECK_EQUAL(agreed.receive[0].rtx_payload_type, 97);
        CHECK_EQUAL(agreed.receive_extension_count, 4);
        CHECK_EQUAL(agreed.send_count, 0);
        CHECK(agreed.bundled && agreed.transport_section == 0);
    }
}

/* ---- Questions ---- */

LN_TEST(restart, is_seen_by_new_credentials)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_data("d") };
        struct ln_sdp *before = sdp_offer(&arena, sections, 2, NULL, NULL), *after;

        after = sdp_offer(&arena, sections, 2, before, before);
        CHECK(!ln_jsep_ice_restarted(before, after, 0));
        CHECK(!ln_jsep_ice_restarted(NULL, after, 0));
        sections[0].transport.ufrag = "neww";
        after = sdp_offer(&arena, sections, 2, before, before);
        CHECK(ln_jsep_ice_restarted(before, after, 0));
        CHECK(ln_jsep_ice_restarted(before, after, 1)); /* bundled with it */
        sections[0].stopped = true;
        after = sdp_offer(&arena, sections, 2, before, before);
        CHECK(!ln_jsep_ice_restarted(before, after, 0));
    }
}

static bool needs(const struct ln_jsep_section *sections, size_t count, const struct ln_sdp *local,
                  const struct ln_sdp *remote, bool offered)
{
    struct ln_jsep_local wishes = sdp_local(sections, count);
    struct ln_jsep_state state = { local, remote };

    return ln_jsep_needs_negotiation(&wishes, &state, offered);
}

LN_TEST(negotiation_needed, when_the_wishes_move_away_from_what_is_in_force)
{
    static const char *const other_stream[] = { "stream2" };

    WITH_ARENA(arena)
    {
        struct ln_jsep_section s[] = { sdp_audio("a"), sdp_video("v"), sdp_data("d") }, theirs[3];
        struct ln_sdp *offer = sdp_offer(&arena, s, 3, NULL, NULL), *answer;
        struct ln_jsep_section kept;

        for (size_t i = 0; i < 3; i++)
            theirs[i] = sdp_other_side(s[i]);
        answer = sdp_answer(&arena, theirs, 3, offer);
        CHECK(needs(s, 1, NULL, NULL, true));
        CHECK(!needs(s, 0, NULL, NULL, true));
        CHECK(!needs(s, 3, offer, answer, true));
        CHECK(!needs(theirs, 3, answer, offer, false));
        CHECK(needs(s, 3, sdp_offer(&arena, s, 2, NULL, NULL), answer, true)); /* a new channel */
        kept = s[0];
        s[0].direction = LN_SDP_RECVONLY;
        CHECK(needs(s, 3, offer, answer, true));
        s[0] = kept;
        s[0].stream_ids = other_stream;
        CHECK(needs(s, 3, offer, answer, true));
        s[0].stream_count = 0;
        CHECK(needs(s, 3, offer, answer, true));
        s[0] = kept;
        s[1].stopped = true;
        CHECK(needs(s, 3, offer, answer, true));
        offer = sdp_offer(&arena, s, 3, offer, answer);
        answer = sdp_answer(&arena, theirs, 3, offer);
        CHECK(!needs(s, 3, offer, answer, true));
    }
}

LN_TEST(negotiation_needed, not_by_an_answerer_who_got_less_than_wished)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section ours = sdp_audio("a"), theirs = sdp_other_side(ours);
        struct ln_sdp *offer, *answer;

        ours.direction = LN_SDP_SENDONLY;
        offer = sdp_offer(&arena, &ours, 1, NULL, NULL);
        answer = sdp_answer(&arena, &theirs, 1, offer);
        CHECK_EQUAL(answer->media[0].direction, LN_SDP_RECVONLY);
        CHECK(needs(&theirs, 1, answer, offer, false)); /* sendrecv wished: msid is missing */
        theirs.track_id = NULL;
        CHECK(!needs(&theirs, 1, answer, offer, false));
    }
}
