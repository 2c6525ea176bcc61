/* SPDX-License-Identifier: Apache-2.0
 * A description: what parses is written and parses to the same; as an offer it gets an answer, as a
 * pair with that answer or with itself it is negotiated; as the state of a session it gives an
 * offer that is acceptable. An sctp-init is base64 or none. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "sdp/jsep.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct ln_codec_parameters audio_codecs[] = {
    { "opus", LN_PAYLOAD_TYPE_ANY, 48000, 2, "useinbandfec=1", NULL, 0 },
    { "PCMU", LN_PAYLOAD_TYPE_ANY, 8000, 1, "", NULL, 0 },
    { "red", LN_PAYLOAD_TYPE_ANY, 48000, 2, "", NULL, 0 },
};
static const struct ln_codec_parameters video_codecs[] = {
    { "VP8", LN_PAYLOAD_TYPE_ANY, 90000, 0, "", NULL, 0 },
    { "H264", LN_PAYLOAD_TYPE_ANY, 90000, 0, "packetization-mode=1;profile-level-id=42e01f", NULL,
      0 },
    { "rtx", LN_PAYLOAD_TYPE_ANY, 90000, 0, "", NULL, 0 },
};
static const struct ln_jsep_extension extensions[] = {
    { "urn:ietf:params:rtp-hdrext:sdes:mid", LN_SDP_SENDRECV },
    { "urn:3gpp:video-orientation", LN_SDP_RECVONLY },
};
static const struct ln_sdp_fingerprint fingerprint = { "sha-256", { 1 }, 32 };
static const struct ln_jsep_rid rids[] = { { "hi", false }, { "f", true }, { "lo", false } };

static void wish(const struct ln_sdp *sdp, struct ln_jsep_section *sections)
{
    for (size_t i = 0; i < sdp->media_count; i++) {
        struct ln_jsep_section *s = &sections[i];

        s->kind = sdp->media[i].kind;
        s->mid = sdp->media[i].mid;
        s->direction = LN_SDP_SENDRECV;
        s->codecs = s->kind == LN_SDP_AUDIO ? audio_codecs : video_codecs;
        s->codec_count = 3;
        s->own_codec_order = i % 2;
        s->extensions = extensions;
        s->extension_count = 2;
        s->track_id = "t";
        s->ssrc = 1;
        s->rtx_ssrc = 2;
        s->rids = rids;
        s->rid_count = i % 3 ? 3 : 0;
        s->receive_simulcast = true;
        s->transport.ufrag = "ufra";
        s->transport.pwd = "0123456789012345678901";
        s->transport.fingerprints = &fingerprint;
        s->transport.fingerprint_count = 1;
        s->sctp_init = "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA";
    }
}

static void round_trip(const struct ln_sdp *sdp, struct ln_arena *arena)
{
    struct ln_sdp *again;
    const char *once, *twice;
    size_t once_len, twice_len;

    if (ln_sdp_write(sdp, arena, &once, &once_len) != 0 ||
        ln_sdp_parse(once, once_len, arena, &again, NULL) != 0 ||
        ln_sdp_write(again, arena, &twice, &twice_len) != 0 || once_len != twice_len ||
        memcmp(once, twice, once_len) != 0)
        abort();
}

static void negotiate(const struct ln_sdp *a, const struct ln_sdp *b, struct ln_arena *arena)
{
    for (size_t i = 0; i < a->media_count; i++) {
        struct ln_jsep_agreed agreed;

        if (ln_jsep_negotiate(a, b, true, i, arena, &agreed) != 0 ||
            ln_jsep_negotiate(b, a, false, i, arena, &agreed) != 0 ||
            ln_jsep_expect(a, i, arena, &agreed) != 0)
            abort();
    }
}

/* Opus parameters, written, read the same. */
static void opus(const struct ln_sdp *sdp)
{
    struct ln_opus_parameters first, second, both;
    char text[LN_OPUS_FMTP_MAX], again[LN_OPUS_FMTP_MAX];

    for (size_t i = 0; i < sdp->media_count; i++)
        for (size_t k = 0; k < sdp->media[i].codec_count; k++) {
            ln_opus_parameters_parse(sdp->media[i].codecs[k].fmtp, &first);
            ln_opus_parameters_parse(ln_opus_parameters_format(&first, text), &second);
            if (strcmp(text, ln_opus_parameters_format(&second, again)) != 0)
                abort();
            ln_opus_parameters_merge(&first, &second, &both);
        }
}

static void sctp_inits(const struct ln_sdp *sdp)
{
    uint8_t init[LN_SDP_SCTP_INIT_MAX];

    for (size_t i = 0; i < sdp->media_count; i++)
        if (ln_base64_decode(sdp->media[i].sctp_init, strlen(sdp->media[i].sctp_init), init,
                             sizeof init) > (int)(LN_SDP_SCTP_INIT_MAX / 4 * 3))
            abort();
}

static void use(const struct ln_sdp *sdp, struct ln_arena *arena)
{
    struct ln_jsep_section sections[LN_SDP_MEDIA_MAX] = { 0 };
    struct ln_jsep_local local = { .session_id = 1, .sections = sections };
    struct ln_jsep_state state = { sdp, sdp };
    struct ln_sdp_error error;
    struct ln_sdp *answer, *offer;

    wish(sdp, sections);
    local.section_count = sdp->media_count;
    local.bundle_policy = sdp->media_count % 3 == 0 ? LN_JSEP_BUNDLE_MAX_BUNDLE
                                                    : LN_JSEP_BUNDLE_BALANCED;
    (void)ln_jsep_needs_negotiation(&local, &state, true);
    (void)!ln_jsep_validate_local(LN_JSEP_ANSWER, sdp, sdp, &error);
    (void)!ln_jsep_validate_remote(LN_JSEP_ANSWER, sdp, sdp, &state, &error);
    if (ln_jsep_validate_remote(LN_JSEP_OFFER, sdp, NULL, &state, &error) != 0)
        return;
    negotiate(sdp, sdp, arena);
    if (ln_jsep_create_answer(&local, sdp, arena, &answer) != 0)
        abort();
    /* What the offer left out we cannot put in, so only its own faults may show here. */
    if (ln_jsep_validate_remote(LN_JSEP_ANSWER, answer, sdp, NULL, &error) != 0)
        abort();
    round_trip(answer, arena);
    negotiate(sdp, answer, arena);
    if (ln_jsep_create_offer(&local, &state, arena, &offer) == 0)
        round_trip(offer, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_sdp_error error;
    struct ln_arena arena;
    struct ln_sdp *sdp;

    ln_arena_init(&arena, ln_allocator_libc(), SIZE_MAX / 2);
    if (ln_sdp_parse((const char *)data, len, &arena, &sdp, &error) == 0) {
        round_trip(sdp, &arena);
        use(sdp, &arena);
        opus(sdp);
        sctp_inits(sdp);
    }
    ln_arena_deinit(&arena);
    return 0;
}
