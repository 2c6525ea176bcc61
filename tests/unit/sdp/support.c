/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sdp/support.h"

#include <stdio.h>

struct ln_arena sdp_test_arena(struct ln_allocator *allocator)
{
    struct ln_arena arena;

    ln_arena_init(&arena, allocator, LN_SDP_ARENA_BYTES);
    return arena;
}

/* A failed check jumps out of the test: the arena's memory is then the test's, and is freed with
 * it.
 */
struct ln_sdp *sdp_parse(struct ln_arena *arena, const char *text)
{
    struct ln_sdp_error error = { 0 };
    struct ln_sdp *sdp = NULL;

    if (ln_sdp_parse(text, strlen(text), arena, &sdp, &error) != 0) {
        fprintf(stderr, "line %u: %s\n", error.line, error.reason);
        CHECK(!"parses");
    }
    return sdp;
}

const char *sdp_write(struct ln_arena *arena, const struct ln_sdp *sdp)
{
    const char *text = NULL;
    size_t len = 0;

    CHECK(ln_sdp_write(sdp, arena, &text, &len) == 0);
    CHECK_EQUAL(strlen(text), len);
    return text;
}

struct ln_sdp_error sdp_refused(const char *text, size_t len)
{
    struct ln_sdp_error error = { 0 };
    struct ln_sdp *sdp = NULL;
    int status;

    WITH_ARENA(arena)
    {
        status = ln_sdp_parse(text, len, &arena, &sdp, &error);
        CHECK(status < 0);
        CHECK_EQUAL(status, error.error);
        CHECK(sdp == NULL);
        CHECK(error.reason[0] != '\0');
    }
    return error;
}

bool sdp_has_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && (at[len] == '\r' || at[len] == '\0'))
            return true;
    }
    return false;
}

struct ln_sdp *sdp_parse_file(struct ln_arena *arena, const char *name)
{
    char path[256];
    size_t len;

    snprintf(path, sizeof path, "fuzz/corpus/sdp/%s", name);
    return sdp_parse(arena, (const char *)test_file(path, &len));
}

/* ---- Wishes ---- */

static const char *const video_feedback[] = { "goog-remb", "transport-cc", "ccm fir", "nack",
                                              "nack pli" };
static const char *const audio_feedback[] = { "transport-cc" };

static const struct ln_codec_parameters audio_codecs[] = {
    { "opus", LN_PAYLOAD_TYPE_ANY, 48000, 2, "minptime=10;useinbandfec=1", audio_feedback, 1 },
    { "PCMU", LN_PAYLOAD_TYPE_ANY, 8000, 1, "", NULL, 0 },
    { "PCMA", LN_PAYLOAD_TYPE_ANY, 8000, 1, "", NULL, 0 },
};
static const struct ln_codec_parameters video_codecs[] = {
    { "VP8", LN_PAYLOAD_TYPE_ANY, 90000, 0, "", video_feedback, 5 },
    { "rtx", LN_PAYLOAD_TYPE_ANY, 90000, 0, "", NULL, 0 },
};
static const struct ln_jsep_extension extensions[] = {
    { "urn:ietf:params:rtp-hdrext:sdes:mid", LN_SDP_SENDRECV },
    { "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
      LN_SDP_SENDRECV },
    { "urn:ietf:params:rtp-hdrext:ssrc-audio-level", LN_SDP_SENDRECV },
    { "urn:3gpp:video-orientation", LN_SDP_RECVONLY },
};
static const char *const streams[] = { "stream1" };
static const struct ln_sdp_fingerprint fingerprint = { "sha-256", { 1, 2, 3, 0xff }, 32 };
static const struct ln_sdp_fingerprint other_fingerprint = { "sha-256", { 9, 8, 7 }, 32 };

static struct ln_jsep_section section_of(enum ln_sdp_kind kind, const char *mid)
{
    return (struct ln_jsep_section){
        .kind = kind,
        .mid = mid,
        .direction = LN_SDP_SENDRECV,
        .transport = { .ufrag = "ufra",
                       .pwd = "password0123456789abcd",
                       .ice_options = "trickle",
                       .fingerprints = &fingerprint,
                       .fingerprint_count = 1 },
    };
}

struct ln_jsep_section sdp_audio(const char *mid)
{
    struct ln_jsep_section section = section_of(LN_SDP_AUDIO, mid);

    section.codecs = audio_codecs;
    section.codec_count = sizeof audio_codecs / sizeof audio_codecs[0];
    section.extensions = extensions;
    section.extension_count = 3;
    section.stream_ids = streams;
    section.stream_count = 1;
    section.track_id = "audiotrack";
    section.ssrc = 1001;
    section.cname = "cname";
    return section;
}

struct ln_jsep_section sdp_video(const char *mid)
{
    struct ln_jsep_section section = section_of(LN_SDP_VIDEO, mid);

    section.codecs = video_codecs;
    section.codec_count = sizeof video_codecs / sizeof video_codecs[0];
    section.extensions = extensions;
    section.extension_count = 4;
    section.stream_ids = streams;
    section.stream_count = 1;
    section.track_id = "videotrack";
    section.ssrc = 2001;
    section.rtx_ssrc = 2002;
    section.cname = "cname";
    return section;
}

struct ln_jsep_section sdp_data(const char *mid)
{
    struct ln_jsep_section section = section_of(LN_SDP_APPLICATION, mid);

    section.sctp_port = 5000;
    section.max_message_size = 262144;
    return section;
}

struct ln_jsep_section sdp_other_side(struct ln_jsep_section section)
{
    section.transport.ufrag = "othr";
    section.transport.pwd = "anotherpassword0123456";
    section.transport.fingerprints = &other_fingerprint;
    section.ssrc += 5000;
    return section;
}

struct ln_jsep_local sdp_local(const struct ln_jsep_section *sections, size_t count)
{
    return (struct ln_jsep_local){
        .session_id = 4711, .session_version = 2, .sections = sections, .section_count = count
    };
}

/* With the reason when it is not. */
static void check_valid(enum ln_jsep_type type, const struct ln_sdp *sdp,
                        const struct ln_sdp *offer)
{
    struct ln_sdp_error error = { 0 };

    if (ln_jsep_validate_remote(type, sdp, offer, NULL, &error) != 0) {
        fprintf(stderr, "line %u: %s\n", error.line, error.reason);
        CHECK(!"the description is acceptable");
    }
}

struct ln_sdp *sdp_offer(struct ln_arena *arena, const struct ln_jsep_section *sections,
                         size_t count, const struct ln_sdp *local, const struct ln_sdp *remote)
{
    struct ln_jsep_local wishes = sdp_local(sections, count);
    struct ln_jsep_state state = { local, remote };
    struct ln_sdp *offer = NULL;

    CHECK(ln_jsep_create_offer(&wishes, &state, arena, &offer) == 0);
    check_valid(LN_JSEP_OFFER, offer, NULL);
    return offer;
}

struct ln_sdp *sdp_answer(struct ln_arena *arena, const struct ln_jsep_section *sections,
                          size_t count, const struct ln_sdp *offer)
{
    struct ln_jsep_local wishes = sdp_local(sections, count);
    struct ln_sdp *answer = NULL;

    CHECK(ln_jsep_create_answer(&wishes, offer, arena, &answer) == 0);
    check_valid(LN_JSEP_ANSWER, answer, offer);
    return answer;
}

struct ln_sdp *sdp_answer_to(struct ln_arena *arena, const char *text,
                             const struct ln_jsep_section *sections, size_t count,
                             struct ln_sdp **ret_offer)
{
    *ret_offer = sdp_parse(arena, text);
    check_valid(LN_JSEP_OFFER, *ret_offer, NULL);
    return sdp_answer(arena, sections, count, *ret_offer);
}

struct ln_jsep_agreed sdp_agree(struct ln_arena *arena, const struct ln_sdp *local,
                                const struct ln_sdp *remote, bool local_offered, size_t i)
{
    struct ln_jsep_agreed agreed;

    CHECK(ln_jsep_negotiate(local, remote, local_offered, i, arena, &agreed) == 0);
    return agreed;
}
