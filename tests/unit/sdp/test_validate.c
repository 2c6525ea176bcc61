/* SPDX-License-Identifier: Apache-2.0
 * Which descriptions are taken where. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>
#include <stdlib.h>

#define AUDIO(m) "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:" m "\na=rtcp-mux\n"

static int validate(enum ln_jsep_type type, const char *text, const char *offer, const char *before)
{
    struct ln_sdp_error error = { 0 };
    int status = 0;

    WITH_ARENA(arena)
    {
        struct ln_sdp *state = before ? sdp_parse(&arena, before) : NULL;
        struct ln_jsep_state in_force = { state, state };

        status = ln_jsep_validate_remote(type, sdp_parse(&arena, text),
                                         offer ? sdp_parse(&arena, offer) : NULL,
                                         before ? &in_force : NULL, &error);
        CHECK_EQUAL(status, error.error);
        CHECK((status == 0) == (error.reason[0] == '\0'));
        CHECK_EQUAL(ln_jsep_validate_remote(type, sdp_parse(&arena, text),
                                            offer ? sdp_parse(&arena, offer) : NULL,
                                            before ? &in_force : NULL, NULL),
                    status);
    }
    return status;
}

static int offer(const char *text)
{
    return validate(LN_JSEP_OFFER, text, NULL, NULL);
}

LN_TEST(remote, mids_are_unique_and_bundled_ones_exist)
{
    CHECK_EQUAL(offer(SESSION AUDIO("a") AUDIO("b")), 0);
    CHECK_EQUAL(offer(SESSION AUDIO("a") AUDIO("a")), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE a\n" AUDIO("a")), 0);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE a b\n" AUDIO("a")), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE a a\n" AUDIO("a")), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE a\na=group:BUNDLE a\n" AUDIO("a")),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "a=group:LS x y\na=group:BUNDLE\n" AUDIO("a")), 0);
}

LN_TEST(remote, transport_values_are_needed)
{
    CHECK_EQUAL(offer("v=0\n" AUDIO("a")), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer("v=0\n" AUDIO("a") TRANSPORT), 0);
    CHECK_EQUAL(offer("v=0\n" AUDIO("a") "a=ice-ufrag:remo\na=ice-pwd:remotepassword01234567\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer("v=0\na=fingerprint:x 00\n" AUDIO("a") "a=ice-ufrag:remo\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer("v=0\na=fingerprint:x 00\n" AUDIO("a") "a=ice-ufrag:abc\na=ice-pwd:"
                                                             "remotepassword01234567\n"),
                LN_ERR_SYNTAX);
    CHECK_EQUAL(offer("v=0\na=fingerprint:x 00\n" AUDIO("a") "a=ice-ufrag:abcd\na=ice-pwd:short\n"),
                LN_ERR_SYNTAX);
    CHECK_EQUAL(offer("v=0\na=fingerprint:x 00\n" AUDIO(
                    "a") "a=ice-ufrag:ab:cd\na=ice-pwd:remotepassword01234567\n"),
                LN_ERR_SYNTAX);
}

LN_TEST(remote, bundled_sections_may_leave_transport_to_the_first)
{
    CHECK_EQUAL(offer("v=0\na=group:BUNDLE a b\n" AUDIO("a") TRANSPORT
                      "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:b\n"),
                0);
    CHECK_EQUAL(offer("v=0\na=group:BUNDLE b a\n" AUDIO("a") TRANSPORT
                      "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:b\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer("v=0\na=group:BUNDLE a b\n" AUDIO("a") TRANSPORT
                      "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:b\na=bundle-only\n"),
                0);
}

LN_TEST(remote, setup_fits_its_place)
{
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=setup:holdconn\n"), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=setup:active\n"), 0);
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=setup:passive\n"), 0);
    CHECK_EQUAL(validate(LN_JSEP_ANSWER, SESSION AUDIO("a"), SESSION AUDIO("a"), NULL),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_PRANSWER, SESSION AUDIO("a") "a=setup:passive\n",
                         SESSION AUDIO("a"), NULL),
                0);
    CHECK_EQUAL(validate(LN_JSEP_ANSWER, "v=0\n" TRANSPORT AUDIO("a"), SESSION AUDIO("a"), NULL),
                0);
}

LN_TEST(remote, rtcp_mux_is_needed)
{
    CHECK_EQUAL(offer(SESSION "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\n"), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=rtcp-mux-only\n"), 0);
    CHECK_EQUAL(offer(SESSION "m=application 9 DTLS/SCTP 5000\n"), 0);
}

LN_TEST(remote, payload_types_mean_one_codec_in_a_bundle)
{
#define OPUS96  "m=audio 9 UDP/TLS/RTP/SAVPF 96\na=mid:a\na=rtcp-mux\na=rtpmap:96 opus/48000/2\n"
#define VIDEO96 "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 "
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE a v\n" OPUS96 VIDEO96 "VP8/90000\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION OPUS96 VIDEO96 "VP8/90000\n"), 0); /* not bundled */
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE v w\n" VIDEO96 "VP8/90000\n"
                              "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:w\na=rtcp-mux\n"
                              "a=rtpmap:96 VP9/90000\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE v w\n" VIDEO96 "VP8/90000\n"
                              "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:w\na=rtcp-mux\n"
                              "a=rtpmap:96 vp8/90000\na=fmtp:96 max-fr=60\n"),
                0);
    CHECK_EQUAL(offer(SESSION "a=group:BUNDLE v w\n" VIDEO96 "rtx/90000\na=fmtp:96 apt=97\n"
                              "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:w\na=rtcp-mux\n"
                              "a=rtpmap:96 rtx/90000\na=fmtp:96 apt=98\n"),
                LN_ERR_INVALID_ACCESS);
}

LN_TEST(remote, extension_ids_mean_one_uri_in_a_section)
{
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=extmap:1 urn:x\n" AUDIO("b") "a=extmap:1 urn:y\n"), 0);
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=extmap:1 urn:x\na=extmap:1 urn:y\n"),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(offer(SESSION AUDIO("a") "a=extmap:1 urn:x\na=extmap:2 urn:x\n"
                                         "a=extmap:200 urn:z\n"),
                0);
}

LN_TEST(remote, refused_sections_are_not_looked_into)
{
    CHECK_EQUAL(offer("v=0\nm=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=setup:holdconn\n"
                      "m=image 9 udptl t38\nm=application 9 UDP/BFCP *\n"),
                0);
}

LN_TEST(remote, re_offers_keep_the_order_and_kind)
{
    static const char *const before = SESSION AUDIO(
        "a") "m=application 9 DTLS/SCTP 5000\na=mid:d\n";

    CHECK_EQUAL(validate(LN_JSEP_OFFER, before, NULL, before), 0);
    CHECK_EQUAL(validate(LN_JSEP_OFFER, SESSION AUDIO("a"), NULL, before), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_OFFER,
                         SESSION "m=application 9 DTLS/SCTP 5000\na=mid:d\n" AUDIO("a"), NULL,
                         before),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_OFFER,
                         SESSION AUDIO("b") "m=application 9 DTLS/SCTP 5000\na=mid:d\n", NULL,
                         before),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_OFFER,
                         SESSION AUDIO("a") "m=application 9 DTLS/SCTP 5000\na=mid:d\n" AUDIO("b"),
                         NULL, before),
                0);
    CHECK_EQUAL(validate(LN_JSEP_OFFER,
                         SESSION "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\n"
                                 "a=rtcp-mux\na=rtpmap:96 VP8/90000\n",
                         NULL, "v=0\nm=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:a\n"),
                0); /* recycled */
}

LN_TEST(remote, answers_fit_their_offer)
{
#define ANSWER "v=0\n" TRANSPORT "a=setup:active\n"
    static const char *const ours = SESSION "a=group:BUNDLE a b\n" AUDIO("a")
        AUDIO("b") "m=audio 0 RTP/AVP 0\na=mid:c\n";

    CHECK_EQUAL(validate(LN_JSEP_ANSWER,
                         ANSWER "a=group:BUNDLE a b\n" AUDIO("a")
                             AUDIO("b") "m=audio 0 RTP/AVP 0\n",
                         ours, NULL),
                0);
    CHECK_EQUAL(validate(LN_JSEP_ANSWER, ANSWER AUDIO("a") AUDIO("b"), ours, NULL),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(
        validate(LN_JSEP_ANSWER, ANSWER AUDIO("b") AUDIO("a") "m=audio 0 RTP/AVP 0\n", ours, NULL),
        LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_ANSWER,
                         ANSWER AUDIO("a") "m=video 0 RTP/AVP 96\na=mid:b\nm=audio 0 RTP/AVP 0\n",
                         ours, NULL),
                LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(validate(LN_JSEP_ANSWER, ANSWER AUDIO("a") AUDIO("b") AUDIO("c"), ours, NULL),
                LN_ERR_INVALID_ACCESS); /* what was not offered */
    CHECK_EQUAL(validate(LN_JSEP_ANSWER,
                         ANSWER "a=group:BUNDLE a b\n" AUDIO("a")
                             AUDIO("b") "m=audio 0 RTP/AVP 0\n",
                         SESSION AUDIO("a") AUDIO("b") "m=audio 0 RTP/AVP 0\na=mid:c\n", NULL),
                LN_ERR_INVALID_ACCESS); /* bundled though not offered so */
}

/* `edit` changes one part of the created text. */
static int edit(const char *from, const char *to, enum ln_jsep_type type)
{
    struct ln_sdp_error error = { 0 };
    int status = 0;

    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v"), sdp_data("d") };
        struct ln_sdp *created = sdp_offer(&arena, sections, 3, NULL, NULL);
        const char *text = sdp_write(&arena, created), *at = strstr(text, from);
        char *edited = ln_arena_alloc(&arena, strlen(text) + strlen(to) + 1);

        CHECK(at && edited);
        sprintf(edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        status = ln_jsep_validate_local(type, sdp_parse(&arena, edited), created, &error);
        CHECK_EQUAL(status, error.error);
    }
    return status;
}

LN_TEST(local, may_be_narrowed_as_pages_do)
{
    CHECK_EQUAL(edit("s=-", "s=-", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("111 0 8", "8 111", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("useinbandfec=1", "useinbandfec=1;stereo=1", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("a=sendrecv", "a=sendonly", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("a=rtcp-fb:96 goog-remb\r\n", "", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("c=IN IP4 0.0.0.0", "c=IN IP4 0.0.0.0\r\nb=AS:500", LN_JSEP_OFFER), 0);
    CHECK_EQUAL(edit("a=setup:actpass", "a=setup:passive", LN_JSEP_ANSWER), 0);
}

LN_TEST(local, may_not_become_another)
{
    CHECK_EQUAL(edit("a=mid:a", "a=mid:x", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("ufrag:ufra", "ufrag:evil", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("01:02:03", "FF:02:03", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("a=setup:actpass", "a=setup:active", LN_JSEP_OFFER),
                LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("111 0 8", "111 0 8 9", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("VP8", "VP9", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("m=video 9", "m=audio 9", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("sctp-port:5000", "sctp-port:5001", LN_JSEP_OFFER),
                LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("BUNDLE a v d", "BUNDLE a z", LN_JSEP_OFFER), LN_ERR_INVALID_MODIFICATION);
    CHECK_EQUAL(edit("m=application 9 UDP/DTLS/SCTP",
                     "m=audio 9 RTP/AVP 0\r\nm=application 9 "
                     "UDP/DTLS/SCTP",
                     LN_JSEP_OFFER),
                LN_ERR_INVALID_MODIFICATION);
}
