/* SPDX-License-Identifier: Apache-2.0
 * addIceCandidate() and its errors, canTrickle, what browsers and other stacks offer, sections
 * outside of the bundle. */
#include "tests/unit/peer/steps.h"

#include <stdio.h>
#include <stdlib.h>

static struct pair pair; /* large */

#define LINE "candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host"

static int add(const char *candidate, const char *mid, int line, const char *ufrag)
{
    struct ln_ice_candidate_init init = { candidate, mid, line, ufrag };

    return step_candidate(&pair, 0, &init);
}

LN_TEST(candidates, are_refused_with_their_errors)
{
    struct ln_session_description description;

    steps_begin(&pair);
    step_add_transceiver(&pair, 1, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_channel(&pair, 1);
    CHECK_EQUAL(ln_peer_connection_can_trickle_ice_candidates(pair.sides[0].pc), -1);
    CHECK_EQUAL(add(LINE, "0", -1, NULL), LN_ERR_INVALID_STATE); /* no remote description */
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER,
                            step_edit(step_text(&pair, 1), "a=end-of-candidates", "a=x")),
                0);
    CHECK_EQUAL(ln_peer_connection_can_trickle_ice_candidates(pair.sides[0].pc), 1);
    CHECK_EQUAL(add(LINE, NULL, -1, NULL), LN_ERR_INVALID_ARGUMENT); /* a TypeError */
    CHECK_EQUAL(add(LINE, "none", -1, NULL), LN_ERR_OPERATION);
    CHECK_EQUAL(add(LINE, "none", 0, NULL), LN_ERR_OPERATION); /* the mid counts */
    CHECK_EQUAL(add(LINE, NULL, 2, NULL), LN_ERR_OPERATION);
    CHECK_EQUAL(add(LINE, "0", -1, "wrong"), LN_ERR_OPERATION);
    CHECK_EQUAL(add("candidate:nonsense", "0", -1, NULL), LN_ERR_OPERATION);
    CHECK_EQUAL(add("candidate:nonsense", "1", -1, NULL), LN_ERR_OPERATION); /* bundled */
    CHECK_EQUAL(add("candidate:1 1 tcp 1 10.0.0.2 9 typ host tcptype active", "0", -1, NULL), 0);
    CHECK_EQUAL(add(LINE, "0", -1, NULL), 0);
    CHECK_EQUAL(add(LINE, NULL, 1, NULL), 0);
    CHECK(ln_peer_connection_remote_description(pair.sides[0].pc, &description));
    CHECK(strstr(description.sdp, "10.0.0.2 5000 typ host") != NULL);
    CHECK_EQUAL(add("", "0", -1, NULL), 0); /* the end of this section's */
    CHECK(ln_peer_connection_remote_description(pair.sides[0].pc, &description));
    CHECK(strstr(description.sdp, "a=end-of-candidates") != NULL);
    CHECK_EQUAL(step_candidate(&pair, 0, NULL), 0); /* of all */
    CHECK_EQUAL(add(NULL, NULL, -1, NULL), 0);
    ln_peer_connection_close(pair.sides[0].pc);
    CHECK_EQUAL(add(LINE, "0", -1, NULL), LN_ERR_INVALID_STATE);
    steps_end(&pair);
}

LN_TEST(candidates, of_the_generation_before_a_restart_are_still_taken)
{
    const char *first;
    char ufrag[64] = "";

    steps_begin(&pair);
    step_add_channel(&pair, 1);
    step_exchange(&pair, 1);
    first = strstr(step_text(&pair, 1), "a=ice-ufrag:") + strlen("a=ice-ufrag:");
    strncpy(ufrag, first, strcspn(first, "\r"));
    ln_peer_connection_restart_ice(pair.sides[1].pc);
    step_offer(&pair, 1, 0);
    CHECK_EQUAL(add(LINE, "0", -1, ufrag), 0);
    CHECK_EQUAL(add(LINE, "0", -1, "neither"), LN_ERR_OPERATION);
    steps_end(&pair);
}

static const char *file_text(const char *name)
{
    char path[128];
    uint8_t *data;
    size_t len;

    snprintf(path, sizeof path, "fuzz/corpus/sdp/%s", name);
    data = test_file(path, &len);
    CHECK(data[len - 1] == '\n'); /* then a NUL is not needed: it is copied up to there */
    data[len - 1] = '\0';
    return (const char *)data;
}

static const struct {
    const char *name;
    size_t transceivers;
    bool data;
} captures[] = {
    { "chromium-av-data-offer", 2, true },
    { "chromium-av-data-gathered-offer", 2, true },
    { "chromium-data-offer", 0, true },
    { "chromium-max-bundle-offer", 2, true },
    { "chromium-recvonly-offer", 2, false },
    { "chromium-inactive-offer", 2, false },
    { "chromium-simulcast-offer", 1, false },
    { "firefox-av-data-offer", 2, true },
    { "firefox-av-data-gathered-offer", 2, true },
    { "firefox-data-offer", 0, true },
    { "firefox-max-bundle-offer", 2, true },
    { "firefox-recvonly-offer", 2, false },
    { "firefox-simulcast-offer", 1, false },
    { "safari-offer", 2, false },
    { "aiortc-offer", 0, false },
    { "pion-offer", 0, false },
    { "gst-offer", 0, false },
};

static size_t sections(const char *sdp)
{
    size_t count = 0;

    for (; (sdp = strstr(sdp, "\nm=")) != NULL; sdp++)
        count++;
    return count;
}

LN_TEST(candidates, offers_of_browsers_are_answered_section_by_section)
{
    for (size_t i = 0; i < sizeof captures / sizeof *captures; i++) {
        const char *offer = file_text(captures[i].name), *answer;

        steps_begin(&pair);
        CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER, offer), 0);
        CHECK(ln_peer_connection_transceiver_count(pair.sides[0].pc) >= captures[i].transceivers);
        CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ANSWER, NULL), 0);
        answer = step_text(&pair, 0);
        CHECK_EQUAL(sections(answer), sections(offer));
        CHECK(strstr(answer, "a=setup:active") != NULL);
        CHECK(!captures[i].data || ln_peer_connection_sctp(pair.sides[0].pc) != NULL);
        CHECK_EQUAL(step_state(&pair, 0), LN_SIGNALING_STATE_STABLE);
        steps_end(&pair);
    }
}

LN_TEST(candidates, sections_outside_of_the_bundle_are_refused_in_the_answer)
{
    ln_rtp_transceiver *t;
    const char *answer;

    steps_begin(&pair);
    step_add_transceiver(&pair, 1, LN_MEDIA_AUDIO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    step_add_transceiver(&pair, 1, LN_MEDIA_VIDEO, LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK_EQUAL(step_local(&pair, 1, LN_SDP_TYPE_OFFER, NULL), 0);
    CHECK_EQUAL(step_remote(&pair, 0, LN_SDP_TYPE_OFFER,
                            step_edit(step_text(&pair, 1), "a=group:BUNDLE 0 1", "a=x:0 1")),
                0);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_ANSWER, NULL), 0);
    answer = step_text(&pair, 0);
    CHECK(strstr(answer, "m=audio 9 ") != NULL && strstr(answer, "m=video 0 ") != NULL);
    CHECK_EQUAL(ln_peer_connection_transceiver_count(pair.sides[0].pc), 1);
    t = step_transceiver(&pair, 1, 1);
    CHECK_EQUAL(step_remote(&pair, 1, LN_SDP_TYPE_ANSWER, answer), 0);
    CHECK_EQUAL(ln_rtp_transceiver_direction(t), LN_RTP_TRANSCEIVER_DIRECTION_STOPPED);
    steps_end(&pair);
}
