/* SPDX-License-Identifier: Apache-2.0
 * Real descriptions, as Chromium 156, Firefox 153 and aiortc 1.4 write them (recorded), in the
 * shape of others, and those of RFC 8829, 7: all are taken, answered and agreed on. */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

/* Offer and answer of one exchange. */
static const char *const exchanges[] = {
    "chromium-data",       "chromium-data-gathered",
    "chromium-av-data",    "chromium-av-data-gathered",
    "chromium-av-more",    "chromium-stopped",
    "chromium-recycled",   "chromium-restart",
    "chromium-inactive",   "chromium-max-bundle",
    "chromium-max-compat", "chromium-balanced",
    "chromium-simulcast",  "chromium-recvonly",
    "firefox-data",        "firefox-data-gathered",
    "firefox-av-data",     "firefox-av-data-gathered",
    "firefox-av-more",     "firefox-stopped",
    "firefox-recycled",    "firefox-restart",
    "firefox-inactive",    "firefox-max-bundle",
    "firefox-max-compat",  "firefox-balanced",
    "firefox-simulcast",   "firefox-recvonly",
};
static const char *const offers[] = {
    "aiortc-offer",
    "aiortc-data-offer",
    "safari-offer",
    "pion-offer",
    "gst-offer",
    "janus-offer",
    "libdatachannel-offer",
    "firefox-old-data-offer",
    "firefox-old-simulcast",
    "chromium-old-planb",
    "session-level-all",
    "no-mid-offer",
    "rfc8829-offer-a1",
    "rfc8829-offer-b1",
    "rfc8829-offer-c1",
};

static void accept(enum ln_jsep_type type, const struct ln_sdp *sdp, const struct ln_sdp *offer,
                   const char *name)
{
    struct ln_sdp_error error = { 0 };

    if (ln_jsep_validate_remote(type, sdp, offer, NULL, &error) != 0) {
        fprintf(stderr, "%s, line %u: %s\n", name, error.line, error.reason);
        CHECK(!"is acceptable");
    }
}

/* Wishes for every section of an offer. */
static size_t wish(const struct ln_sdp *offer, struct ln_jsep_section *sections)
{
    for (size_t i = 0; i < offer->media_count; i++) {
        const struct ln_sdp_media *m = &offer->media[i];

        sections[i] = m->kind == LN_SDP_AUDIO   ? sdp_audio(m->mid)
                      : m->kind == LN_SDP_VIDEO ? sdp_video(m->mid)
                                                : sdp_data(m->mid);
    }
    return offer->media_count;
}

static void answer_it(struct ln_arena *arena, const char *name)
{
    struct ln_sdp *offer = sdp_parse_file(arena, name), *answer;
    struct ln_jsep_section sections[16];

    accept(LN_JSEP_OFFER, offer, NULL, name);
    answer = sdp_answer(arena, sections, wish(offer, sections), offer);
    for (size_t i = 0; i < offer->media_count; i++) {
        struct ln_jsep_agreed agreed = sdp_agree(arena, answer, offer, false, i);

        CHECK_EQUAL(agreed.rejected, ln_sdp_is_rejected(&offer->media[i]));
        if (agreed.rejected)
            continue;
        CHECK(*agreed.remote_ufrag && *agreed.remote_pwd && agreed.remote_fingerprint_count > 0);
        CHECK(agreed.role == LN_JSEP_ROLE_CLIENT);
        if (agreed.kind == LN_SDP_APPLICATION) {
            CHECK_EQUAL(agreed.remote_sctp_port, 5000);
        } else {
            CHECK(agreed.send_count > 0 && agreed.send_count == agreed.receive_count);
            CHECK_EQUAL(agreed.send[0].parameters.payload_type,
                        agreed.receive[0].parameters.payload_type);
        }
    }
}

LN_TEST(stacks, every_offer_is_answered)
{
    char name[64];

    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        WITH_UNCOUNTED_ARENA(arena)
        answer_it(&arena, offers[i]);
    }
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        snprintf(name, sizeof name, "%s-offer", exchanges[i]);
        WITH_UNCOUNTED_ARENA(arena)
        answer_it(&arena, name);
    }
}

LN_TEST(stacks, their_own_exchanges_come_to_an_agreement)
{
    char name[64];

    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        WITH_UNCOUNTED_ARENA(arena)
        {
            struct ln_sdp *offer, *answer;

            snprintf(name, sizeof name, "%s-offer", exchanges[i]);
            offer = sdp_parse_file(&arena, name);
            snprintf(name, sizeof name, "%s-answer", exchanges[i]);
            answer = sdp_parse_file(&arena, name);
            accept(LN_JSEP_ANSWER, answer, offer, name);
            for (size_t m = 0; m < offer->media_count; m++) {
                struct ln_jsep_agreed a = sdp_agree(&arena, offer, answer, true, m),
                                      b = sdp_agree(&arena, answer, offer, false, m);

                CHECK_EQUAL(a.rejected, b.rejected);
                CHECK_EQUAL(a.transport_section, b.transport_section);
                CHECK_EQUAL(a.send_count, b.receive_count);
                if (!a.rejected) {
                    CHECK(a.role != b.role && a.bundled);
                    CHECK_EQUAL(a.direction, ln_sdp_reverse(b.direction));
                }
            }
        }
    }
}

/* 0 is refused in between and used again in the one after. */
LN_TEST(stacks, sequences_of_offers_are_in_order)
{
    static const char *const steps[] = { "av-data",  "av-more", "stopped",
                                         "recycled", "restart", "inactive" };
    static const char *const browsers[] = { "chromium", "firefox" };

    for (size_t b = 0; b < 2; b++) {
        WITH_UNCOUNTED_ARENA(arena)
        {
            struct ln_jsep_state state = { NULL, NULL };

            for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
                struct ln_sdp_error error = { 0 };
                char name[64];
                struct ln_sdp *offer;

                snprintf(name, sizeof name, "%s-%s-offer", browsers[b], steps[i]);
                offer = sdp_parse_file(&arena, name);
                if (ln_jsep_validate_remote(LN_JSEP_OFFER, offer, NULL, &state, &error) != 0) {
                    fprintf(stderr, "%s: %s\n", name, error.reason);
                    CHECK(!"is acceptable");
                }
                if (strcmp(steps[i], "restart") == 0)
                    CHECK(ln_jsep_ice_restarted(state.remote, offer, 0));
                else if (state.remote)
                    CHECK(!ln_jsep_ice_restarted(state.remote, offer, 0));
                state.remote = offer;
                snprintf(name, sizeof name, "%s-%s-answer", browsers[b], steps[i]);
                state.local = sdp_parse_file(&arena, name);
            }
        }
    }
}

LN_TEST(stacks, browsers_video_is_agreed_with_nack_rtx_and_transport_cc)
{
    static const char *const names[] = { "chromium-av-data-offer", "firefox-av-data-offer" };
    static const int numbers[][2] = { { 96, 97 }, { 120, 124 } };

    for (size_t i = 0; i < 2; i++) {
        WITH_ARENA(arena)
        {
            struct ln_jsep_section sections[16];
            struct ln_sdp *offer = sdp_parse_file(&arena, names[i]), *answer;
            struct ln_jsep_agreed agreed;

            answer = sdp_answer(&arena, sections, wish(offer, sections), offer);
            agreed = sdp_agree(&arena, answer, offer, false, 1);
            CHECK_EQUAL(agreed.send_count, 1);
            CHECK_EQUAL(agreed.send[0].parameters.payload_type, numbers[i][0]);
            CHECK_EQUAL(agreed.send[0].rtx_payload_type, numbers[i][1]);
            CHECK_EQUAL(agreed.send[0].feedback, LN_FEEDBACK_NACK | LN_FEEDBACK_PLI |
                                                     LN_FEEDBACK_FIR | LN_FEEDBACK_REMB |
                                                     LN_FEEDBACK_TRANSPORT_CC);
            CHECK(agreed.two_byte_extensions && agreed.rtcp_rsize && agreed.bundled);
            CHECK(agreed.send_extension_count >= 2);
            CHECK_EQUAL(agreed.remote->msid_count, 1);
            agreed = sdp_agree(&arena, answer, offer, false, 2);
            CHECK_EQUAL(agreed.max_message_size, i == 0 ? 262144 : 1073741823);
        }
    }
}

LN_TEST(stacks, browsers_simulcast_is_received_on_wish)
{
    static const char *const names[] = { "chromium-simulcast-offer", "firefox-simulcast-offer" };

    for (size_t i = 0; i < 2; i++) {
        WITH_ARENA(arena)
        {
            struct ln_jsep_section video = sdp_video("0");
            struct ln_sdp *offer = sdp_parse_file(&arena, names[i]), *answer;
            struct ln_jsep_agreed agreed;

            video.receive_simulcast = true;
            answer = sdp_answer(&arena, &video, 1, offer);
            agreed = sdp_agree(&arena, answer, offer, false, 0);
            CHECK_EQUAL(agreed.receive_rid_count, 3);
            CHECK_TEXT(agreed.receive_rids[0].id, "q");
        }
    }
}

LN_TEST(stacks, gstreamer_bundle_only_sections_share_the_first)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[16];
        struct ln_sdp *offer = sdp_parse_file(&arena, "gst-offer");
        struct ln_sdp *answer = sdp_answer(&arena, sections, wish(offer, sections), offer);

        CHECK_EQUAL(sdp_agree(&arena, answer, offer, false, 2).transport_section, 0);
        CHECK_EQUAL(answer->media[2].port, 9);
    }
}

LN_TEST(stacks, aiortc_has_a_transport_a_section_until_the_answer_bundles)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[16];
        struct ln_sdp *offer = sdp_parse_file(&arena, "aiortc-offer");
        struct ln_sdp *answer = sdp_answer(&arena, sections, wish(offer, sections), offer);
        struct ln_jsep_agreed agreed = sdp_agree(&arena, answer, offer, false, 2);

        CHECK_TEXT(agreed.remote_ufrag, offer->media[0].transport.ufrag);
        CHECK_EQUAL(agreed.remote_candidate_count, offer->media[0].candidate_count);
        CHECK(agreed.remote_end_of_candidates);
        CHECK_EQUAL(agreed.max_message_size, 65536);
        accept(LN_JSEP_ANSWER, sdp_parse_file(&arena, "aiortc-answer"), offer, "aiortc-answer");
    }
}

LN_TEST(stacks, an_ice_lite_server_is_seen)
{
    WITH_ARENA(arena)
    {
        struct ln_jsep_section sections[16];
        struct ln_sdp *offer = sdp_parse_file(&arena, "janus-offer");
        struct ln_sdp *answer = sdp_answer(&arena, sections, wish(offer, sections), offer);
        struct ln_jsep_agreed agreed = sdp_agree(&arena, answer, offer, false, 1);

        CHECK(agreed.remote_ice_lite);
        CHECK_EQUAL(agreed.direction, LN_SDP_RECVONLY);
        CHECK_TEXT(offer->name, "VideoRoom 1234");
        CHECK_TEXT(agreed.remote->ssrc_groups[0].semantics, "FID");
    }
}

LN_TEST(stacks, examples_of_rfc_8829_fit_each_other)
{
    static const char *const names[] = { "a1", "b1", "c1" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        WITH_ARENA(arena)
        {
            char name[64];
            struct ln_sdp *offer, *answer;

            snprintf(name, sizeof name, "rfc8829-offer-%s", names[i]);
            offer = sdp_parse_file(&arena, name);
            snprintf(name, sizeof name, "rfc8829-answer-%s", names[i]);
            answer = sdp_parse_file(&arena, name);
            accept(LN_JSEP_ANSWER, answer, offer, name);
            CHECK(!sdp_agree(&arena, offer, answer, true, 0).rejected);
            CHECK_TEXT(offer->media[0].mid, "a1");
        }
    }
}
