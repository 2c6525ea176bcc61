/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer with a data channel alone (RFC 8841). */
#include "tests/unit/sdp/support.h"

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
