/* SPDX-License-Identifier: Apache-2.0
 * The parser: what it keeps, what it passes over. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

#define HEAD  "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define AUDIO HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
#define VIDEO HEAD "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\n"
#define DATA  HEAD "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"

LN_TEST(parse, session_lines)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena,
            "v=0\no=alice 8 9 IN IP6 ::1\ns=any text, really = this: too\nc=IN IP4 1.2.3.4\n"
            "b=AS:500\nt=0 0\na=group:BUNDLE a b\na=group:LS a b\na=ice-lite\n"
            "a=msid-semantic: WMS s1\na=extmap-allow-mixed\na=ice-options:trickle ice2\n");

        CHECK_TEXT(sdp->username, "alice");
        CHECK_TEXT(sdp->session_id, "8");
        CHECK_TEXT(sdp->session_version, "9");
        CHECK_TEXT(sdp->origin_address, "IN IP6 ::1");
        CHECK_TEXT(sdp->name, "any text, really = this: too");
        CHECK_TEXT(sdp->connection, "IN IP4 1.2.3.4");
        CHECK_EQUAL(sdp->bandwidths[0].value, 500);
        CHECK_EQUAL(sdp->group_count, 2);
        CHECK_EQUAL(sdp->groups[0].mid_count, 2);
        CHECK_TEXT(sdp->groups[0].mids[1], "b");
        CHECK_TEXT(sdp->msid_semantic, "WMS s1");
        CHECK(sdp->ice_lite && sdp->extmap_allow_mixed);
        CHECK_TEXT(sdp->transport.ice_options, "trickle ice2");
    }
}

LN_TEST(parse, line_ends_may_be_lf_or_crlf_and_the_last_may_be_missing)
{
    WITH_ARENA(arena)
    {
        const char *crlf = sdp_write(&arena, sdp_parse(&arena, AUDIO "a=mid:0\r\n"));
        struct ln_sdp *lf = sdp_parse(&arena, "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n"
                                              "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\n\na=mid:0");

        CHECK_TEXT(sdp_write(&arena, lf), crlf);
    }
}

LN_TEST(parse, unknown_lines_and_attributes_are_passed_over)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, HEAD
                                       "i=x\r\ne=y\r\np=1\r\nz=0 0\r\nk=clear:1\r\nr=7d\r\nq=??\r\n"
                                       "a=whatever\r\na=what:ever\r\na=:\r\na=\r\n"
                                       "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\ni=title\r\na=foo:bar\r\n");

        CHECK_EQUAL(sdp->media_count, 1);
    }
}

LN_TEST(parse, codec_lines)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena, HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110 96\r\na=rtpmap:111 opus/48000/2\r\n"
                         "a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 transport-cc\r\n"
                         "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:120 stray/8000\r\n"
                         "a=fmtp:121 stray\r\na=ptime:20\r\na=maxptime:60\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->codec_count, 4);
        CHECK_TEXT(m->codecs[0].name, "opus");
        CHECK_EQUAL(m->codecs[0].clock_rate_hz, 48000);
        CHECK_EQUAL(m->codecs[0].channels, 2);
        CHECK_TEXT(m->codecs[0].fmtp, "minptime=10;useinbandfec=1");
        CHECK_EQUAL(m->codecs[0].feedback_count, 1);
        CHECK_TEXT(m->codecs[1].name, "PCMU"); /* static, without rtpmap */
        CHECK_EQUAL(m->codecs[1].clock_rate_hz, 8000);
        CHECK_EQUAL(m->codecs[2].channels, 1);
        CHECK_TEXT(m->codecs[3].name, ""); /* dynamic, without rtpmap */
        CHECK_EQUAL(m->ptime_ms, 20);
        CHECK_EQUAL(m->maxptime_ms, 60);
    }
}

LN_TEST(parse, wildcard_feedback_is_for_all_codecs_but_repair)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, VIDEO
                                       "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
                                       "a=rtcp-fb:96 nack  pli\r\na=rtcp-fb:* nack\r\n"
                                       "a=rtcp-fb:* nack pli\r\na=rtcp-fb:*\r\na=rtcp-fb\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->codecs[0].feedback_count, 2);
        CHECK_EQUAL(ln_codec_feedback_bits(&m->codecs[0]), LN_FEEDBACK_NACK | LN_FEEDBACK_PLI);
        CHECK_EQUAL(m->codecs[1].feedback_count, 0);
    }
}

LN_TEST(parse, direction_of_the_session_holds_for_sections_without_one)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena,
            HEAD "a=recvonly\r\nm=audio 9 RTP/AVP 0\r\nm=video 9 RTP/AVP 96\r\na=sendonly\r\n");

        CHECK_EQUAL(sdp->media[0].direction, LN_SDP_RECVONLY);
        CHECK_EQUAL(sdp->media[1].direction, LN_SDP_SENDONLY);
    }
}

LN_TEST(parse, transport_of_the_session_holds_for_sections_without_one)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena,
            HEAD "a=ice-ufrag:sess\r\na=ice-pwd:0123456789012345678901\r\na=setup:active\r\n"
                 "a=fingerprint:SHA-1 "
                 "00:11:22:33:44:55:66:77:88:99:aa:BB:cc:dd:ee:ff:00:01:02:03\r\n"
                 "m=audio 9 RTP/AVP 0\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:own1\r\n");
        size_t count;

        CHECK_TEXT(ln_sdp_ufrag(sdp, &sdp->media[0]), "sess");
        CHECK_TEXT(ln_sdp_ufrag(sdp, &sdp->media[1]), "own1");
        CHECK_EQUAL(ln_sdp_setup_of(sdp, &sdp->media[1]), LN_SDP_SETUP_ACTIVE);
        CHECK_TEXT(ln_sdp_fingerprints(sdp, &sdp->media[0], &count)->hash, "sha-1");
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(ln_sdp_fingerprints(sdp, &sdp->media[0], &count)->value[11], 0xbb);
    }
}

LN_TEST(parse, ice_options_are_separated_by_blanks)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, AUDIO "a=ice-options:trickle renomination\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK(ln_sdp_has_ice_option(sdp, m, "trickle"));
        CHECK(ln_sdp_has_ice_option(sdp, m, "renomination"));
        CHECK(!ln_sdp_has_ice_option(sdp, m, "renomi"));
        CHECK(!ln_sdp_has_ice_option(sdp, m, ""));
        sdp = sdp_parse(&arena, AUDIO "a=ice-options:ice2,trickle\r\n"); /* libdatachannel */
        CHECK(ln_sdp_has_ice_option(sdp, &sdp->media[0], "trickle"));
        CHECK(ln_sdp_has_ice_option(sdp, &sdp->media[0], "ice2"));
    }
}

LN_TEST(parse, fingerprints_with_sha_384_and_512_and_several)
{
    WITH_ARENA(arena)
    {
        char text[1024] = AUDIO;

        strcat(text, "a=fingerprint:sha-512 00");
        for (int i = 1; i < 64; i++)
            strcat(text, ":aB");
        strcat(text, "\r\na=fingerprint:sha-384 00");
        for (int i = 1; i < 48; i++)
            strcat(text, ":01");
        strcat(text, "\r\na=fingerprint:sha3-256 00:01\r\n");
        CHECK_EQUAL(sdp_parse(&arena, text)->media[0].transport.fingerprint_count, 3);
    }
}

LN_TEST(parse, header_extensions_with_direction_and_attributes)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, AUDIO
                                       "a=extmap:1 urn:a\r\na=extmap:2/recvonly urn:b vad=on x\r\n"
                                       "a=extmap:255/inactive urn:c\r\na=extmap:4096 urn:spare\r\n"
                                       "a=extmap-allow-mixed\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->extension_count, 3);
        CHECK_EQUAL(m->extensions[1].direction, LN_SDP_RECVONLY);
        CHECK_TEXT(m->extensions[1].attributes, "vad=on x");
        CHECK_EQUAL(m->extensions[2].id, 255);
        CHECK(ln_sdp_allows_mixed(sdp, m));
    }
}

LN_TEST(parse, streams_and_ssrcs)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena, VIDEO "a=msid:s1 t\r\na=msid:s2 t\r\na=msid:- t\r\na=msid:lonely\r\n"
                          "a=ssrc-group:FID 1 4294967295\r\na=ssrc:1 cname:c d\r\n"
                          "a=ssrc:1 msid:s1 t\r\na=ssrc:1 mslabel:x\r\na=ssrc:1 label\r\n"
                          "a=ssrc:4294967295 cname:c\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->msid_count, 4);
        CHECK_TEXT(m->msids[2].stream, "-");
        CHECK_TEXT(m->msids[3].track, "");
        CHECK_EQUAL(m->ssrc_count, 2);
        CHECK_TEXT(m->ssrcs[0].msid.track, "t");
        CHECK_EQUAL(m->ssrcs[1].ssrc, 4294967295u);
        CHECK_TEXT(m->ssrc_groups[0].semantics, "FID");
        CHECK_EQUAL(m->ssrc_groups[0].ssrcs[1], 4294967295u);
    }
}

LN_TEST(parse, simulcast_with_pauses_and_alternatives)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, VIDEO
                                       "a=simulcast:send 1,~4;2;~3 recv ~c\r\na=rid:1 send\r\n"
                                       "a=rid:2 send pt=96;max-width=640\r\na=rid:3 send\r\n"
                                       "a=rid:4 send\r\na=rid:c recv\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->rid_count, 5);
        CHECK_TEXT(m->rids[1].restrictions, "pt=96;max-width=640");
        CHECK_EQUAL(m->simulcast_send_count, 4);
        CHECK(m->simulcast_send[1].alternative && m->simulcast_send[1].paused);
        CHECK(!m->simulcast_send[2].alternative && !m->simulcast_send[2].paused);
        CHECK_EQUAL(m->simulcast_recv_count, 1);
        CHECK(m->simulcast_recv[0].paused);
        CHECK(sdp_has_line(sdp_write(&arena, sdp), "a=simulcast:send 1,~4;2;~3 recv ~c"));
    }
}

LN_TEST(parse, simulcast_keeps_only_declared_rids)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena, VIDEO "a=rid:a send\r\na=rid:b recv\r\na=rid:c send\r\na=rid:a recv\r\n"
                          "a=rid:bad! send\r\na=rid:x sideways\r\na=rid\r\n"
                          "a=simulcast:send gone,c;b;a;a;;~ recv a\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_EQUAL(m->rid_count, 3);
        CHECK_EQUAL(m->simulcast_send_count, 2);
        CHECK_TEXT(m->simulcast_send[0].id, "c");
        CHECK(!m->simulcast_send[0].alternative);
        CHECK_TEXT(m->simulcast_send[1].id, "a");
        CHECK_EQUAL(m->simulcast_recv_count, 0);
    }
}

LN_TEST(parse, firefox_simulcast_of_old)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena, VIDEO "a=rid:hi send\r\na=rid:lo send\r\na=simulcast: send rid=hi;lo\r\n");

        CHECK_EQUAL(sdp->media[0].simulcast_send_count, 2);
    }
}

LN_TEST(parse, data_section_of_today)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena,
                                       DATA "a=sctp-port:5001\r\na=max-message-size:262144\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK(ln_sdp_is_data(m) && !m->old_sctp);
        CHECK_EQUAL(m->sctp_port, 5001);
        CHECK_EQUAL(m->max_message_size, 262144);
    }
}

LN_TEST(parse, data_section_of_old)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena,
            HEAD "m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 256\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];
        const char *text = sdp_write(&arena, sdp);

        CHECK(ln_sdp_is_data(m) && m->old_sctp);
        CHECK_EQUAL(m->sctp_port, 5000);
        CHECK(!m->max_message_size_given);
        CHECK(sdp_has_line(text, "m=application 9 DTLS/SCTP 5000"));
        CHECK(strstr(text, "a=sctpmap:5000 webrtc-datachannel"));
    }
}

/* Both forms in one section: the m= line's number counts, so that what is written says the same. */
LN_TEST(parse, data_section_of_old_with_a_port_of_today)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena,
                                       HEAD "m=application 9 DTLS/SCTP 7\r\na=sctp-port:5000\r\n");

        CHECK_EQUAL(sdp->media[0].sctp_port, 7);
        CHECK(strstr(sdp_write(&arena, sdp), "a=sctpmap:7 webrtc-datachannel"));
    }
}

LN_TEST(parse, candidates_stay_as_they_are)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(
            &arena, DATA "a=candidate:1 1 udp 2113937151 192.0.2.1 54400 typ host generation 0\r\n"
                         "a=candidate:\r\na=candidate\r\na=end-of-candidates\r\n");
        const struct ln_sdp_media *m = &sdp->media[0];

        CHECK_TEXT(m->candidates[0],
                   "candidate:1 1 udp 2113937151 192.0.2.1 54400 typ host generation 0");
        CHECK(m->end_of_candidates);
    }
}

LN_TEST(parse, sections_that_nobody_knows_are_kept_to_be_refused)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, HEAD
                                       "m=image 54111 udptl t38\r\na=mid:i\r\na=rtpmap:nonsense\r\n"
                                       "m=audio 9 RTP/XYZ 999 foo\r\nm=application 9 UDP/BFCP *\r\n"
                                       "m=text 9 RTP/AVP 98 500\r\na=crypto:1\r\n");

        CHECK_EQUAL(sdp->media_count, 4);
        CHECK_EQUAL(sdp->media[0].kind, LN_SDP_OTHER);
        CHECK_TEXT(sdp->media[0].formats, "t38");
        CHECK_TEXT(sdp->media[0].mid, "i");
        CHECK(!ln_sdp_is_rtp(&sdp->media[1]) && !ln_sdp_is_data(&sdp->media[2]));
        CHECK_EQUAL(sdp->media[1].codec_count, 0);
    }
}

LN_TEST(parse, port_may_carry_a_count)
{
    WITH_ARENA(arena)
    CHECK_EQUAL(sdp_parse(&arena, HEAD "m=audio 49170/2 RTP/AVP 0\r\n")->media[0].port, 49170);
}

LN_TEST(parse, payload_type_named_twice_counts_once)
{
    WITH_ARENA(arena)
    CHECK_EQUAL(sdp_parse(&arena, HEAD "m=audio 9 RTP/AVP 0 8 0 8\r\n")->media[0].codec_count, 2);
}

LN_TEST(parse, bare_session_needs_the_version_line_only)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, "v=0");

        CHECK_TEXT(sdp->name, "-");
        CHECK_TEXT(sdp->username, "-");
        CHECK_EQUAL(sdp->media_count, 0);
        CHECK(sdp_has_line(sdp_write(&arena, sdp), "s=-"));
    }
}

LN_TEST(write, refuses_a_line_break_inside_a_value)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section audio = sdp_audio("0");
        struct ln_jsep_local local = sdp_local(&audio, 1);
        struct ln_sdp *offer = NULL;

        audio.track_id = "track\r\na=crypto:1";
        CHECK_EQUAL(ln_jsep_create_offer(&local, NULL, &arena, &offer), LN_ERR_INVALID_ARGUMENT);
        CHECK(offer == NULL);
    }
}

LN_TEST(candidates, can_be_added_to_a_description)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, DATA);
        const char *text;
        char name[64];

        for (int i = 0; i < 300; i++) {
            snprintf(name, sizeof name, "a=candidate:%d 1 udp 1 192.0.2.1 9 typ host", i);
            CHECK(ln_sdp_add_candidate(sdp, &arena, 0, name) == 0);
            CHECK(ln_sdp_add_candidate(sdp, &arena, 0, name + 2) == 0); /* a second time */
        }
        CHECK(ln_sdp_add_candidate(sdp, &arena, 0, "no candidate") == 0);
        CHECK(ln_sdp_add_candidate(sdp, &arena, 0, "candidate:\r\na=x") == 0);
        ln_sdp_end_candidates(sdp, 0);
        text = sdp_write(&arena, sdp);
        CHECK_EQUAL(sdp->media[0].candidate_count, LN_SDP_CANDIDATES_MAX);
        CHECK(sdp_has_line(text, "a=candidate:255 1 udp 1 192.0.2.1 9 typ host"));
        CHECK(sdp_has_line(text, "a=end-of-candidates"));
    }
}

LN_TEST(candidates, grow_a_parsed_list_without_touching_what_was_there)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = sdp_parse(&arena, DATA "a=candidate:1 x\r\n");

        CHECK(ln_sdp_add_candidate(sdp, &arena, 0, "candidate:2 x") == 0);
        CHECK_TEXT(sdp->media[0].candidates[0], "candidate:1 x");
        CHECK_TEXT(sdp->media[0].candidates[1], "candidate:2 x");
    }
}
