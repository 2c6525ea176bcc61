/* SPDX-License-Identifier: Apache-2.0
 * What offer and answer come to, and whether they are to be made again. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

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
            answer = sdp_answer_to(&arena, text, &data, 1, &offer);
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

        answer = sdp_answer_to(
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
