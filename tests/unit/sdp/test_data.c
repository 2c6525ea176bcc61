/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer with a data channel alone (RFC 8841). */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

LN_TEST(data, offer_has_the_lines_that_browsers_want)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section data = sdp_data("0");
        const char *text = sdp_write(&arena, sdp_offer(&arena, &data, 1, NULL, NULL));

        CHECK(sdp_has_line(text, "v=0"));
        CHECK(sdp_has_line(text, "o=- 4711 2 IN IP4 0.0.0.0"));
        CHECK(sdp_has_line(text, "a=group:BUNDLE 0"));
        CHECK(sdp_has_line(text, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
        CHECK(sdp_has_line(text, "a=setup:actpass"));
        CHECK(sdp_has_line(text, "a=sctp-port:5000"));
        CHECK(sdp_has_line(text, "a=max-message-size:262144"));
        CHECK(sdp_has_line(text, "a=ice-options:trickle"));
        CHECK(sdp_has_line(text, "a=mid:0"));
    }
}

LN_TEST(data, two_sides_agree)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section ours = sdp_data("0"), theirs = sdp_other_side(ours);
        struct ln_sdp *offer = sdp_offer(&arena, &ours, 1, NULL, NULL);
        struct ln_sdp *answer = sdp_answer(&arena, &theirs, 1, offer);
        struct ln_jsep_agreed a = sdp_agree(&arena, offer, answer, true, 0),
                              b = sdp_agree(&arena, answer, offer, false, 0);

        CHECK(!a.rejected && !b.rejected && a.bundled && b.bundled);
        CHECK_EQUAL(a.role, LN_JSEP_ROLE_SERVER); /* the answerer says active */
        CHECK_EQUAL(b.role, LN_JSEP_ROLE_CLIENT);
        CHECK_TEXT(a.remote_ufrag, "othr");
        CHECK_TEXT(b.remote_ufrag, "ufra");
        CHECK_TEXT(b.remote_pwd, "password0123456789abcd");
        CHECK_EQUAL(b.remote_fingerprint_count, 1);
        CHECK_TEXT(b.remote_fingerprints[0].hash, "sha-256");
        CHECK_EQUAL(a.remote_sctp_port, 5000);
        CHECK_EQUAL(a.max_message_size, 262144);
        CHECK_TEXT(a.remote_ice_options, "trickle");
    }
}

LN_TEST(data, sctp_init_is_answered_and_agreed_only_if_both_have_it)
{
    WITH_ARENA(arena)
    {
        for (int with = 0; with < 4; with++) {
            struct ln_jsep_section ours = sdp_data("0"), theirs = sdp_other_side(ours);
            struct ln_sdp *offer, *answer;

            ours.sctp_init = with & 1 ? "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA" : NULL;
            theirs.sctp_init = with & 2 ? "AQAAHl+zdHQAUAAA/////6Gq3HTAAAAEgAgABoLA" : NULL;
            offer = sdp_offer(&arena, &ours, 1, NULL, NULL);
            answer = sdp_answer(&arena, &theirs, 1, offer);
            CHECK_TEXT(offer->media[0].sctp_init, with & 1 ? ours.sctp_init : "");
            CHECK_TEXT(answer->media[0].sctp_init, with == 3 ? theirs.sctp_init : "");
            CHECK_TEXT(sdp_agree(&arena, offer, answer, true, 0).remote_sctp_init,
                       with == 3 ? theirs.sctp_init : "");
            CHECK_TEXT(sdp_agree(&arena, answer, offer, false, 0).remote_sctp_init,
                       with == 3 ? ours.sctp_init : "");
        }
    }
}

LN_TEST(data, sctp_init_that_is_no_base64_or_too_long_is_as_none)
{
    static const char head[] = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
                               "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
                               "a=sctp-init:";
    static const struct {
        const char *value, *is;
    } cases[] = {
        { "AQAA", "AQAA" }, { " AQA= ", "AQA=" }, { "", "" },
        { "AQ AA", "" },    { "AQ=A", "" },       { "AQA\xc3\xa4", "" },
    };
    char text[4096];

    WITH_ARENA(arena)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            snprintf(text, sizeof text, "%s%s\r\n", head, cases[i].value);
            CHECK_TEXT(sdp_parse(&arena, text)->media[0].sctp_init, cases[i].is);
        }
        for (size_t more = 0; more < 2; more++) {
            size_t len = strlen(head), count = LN_SDP_SCTP_INIT_MAX + more;

            memcpy(text, head, len);
            memset(text + len, 'A', count);
            strcpy(text + len + count, "\r\n");
            CHECK_EQUAL(strlen(sdp_parse(&arena, text)->media[0].sctp_init), more ? 0 : count);
        }
    }
}
