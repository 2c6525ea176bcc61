/* SPDX-License-Identifier: Apache-2.0
 * Texts that have broken others, and the limits. */
#include "tests/unit/sdp/support.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD  "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define AUDIO HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"

static void refuse(const char *text, int error, uint32_t line)
{
    struct ln_sdp_error found = sdp_refused(text, strlen(text));

    CHECK_EQUAL(found.error, error);
    CHECK_EQUAL(found.line, line);
}

LN_TEST(attack, nul_bytes_are_refused)
{
    static const char text[] = HEAD "m=audio 9 RTP/AVP 0\r\na=mid:\0\r\n";

    CHECK_EQUAL(sdp_refused(text, sizeof text - 1).error, LN_ERR_SYNTAX);
    CHECK_EQUAL(sdp_refused("\0", 1).error, LN_ERR_SYNTAX);
}

LN_TEST(attack, ten_megabytes_are_refused_unread)
{
    char *text = ln_alloc(test_env()->allocator, 10000000);

    CHECK(text);
    memset(text, 'a', 10000000);
    CHECK_EQUAL(sdp_refused(text, 10000000).error, LN_ERR_LIMIT);
    ln_free(test_env()->allocator, text);
}

/* `head`, then `line` n times; with %d the index. */
static struct ln_sdp_error refuse_many(const char *head, const char *line, int n)
{
    size_t cap = strlen(head) + (size_t)n * (strlen(line) + 8) + 1, len = 0;
    char *text = ln_alloc(test_env()->allocator, cap);
    struct ln_sdp_error error;

    CHECK(text);
    len += (size_t)snprintf(text, cap, "%s", head);
    for (int i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        len += (size_t)snprintf(text + len, cap - len, line, i);
#pragma GCC diagnostic pop
    }
    error = sdp_refused(text, len);
    ln_free(test_env()->allocator, text);
    return error;
}

LN_TEST(attack, ten_thousand_m_lines_are_refused)
{
    struct ln_sdp_error error = refuse_many("v=0\n", "m=audio 9 RTP/AVP 0\n", 10000);

    CHECK_EQUAL(error.error, LN_ERR_LIMIT);
    CHECK_EQUAL(error.line, LN_SDP_MEDIA_MAX + 2);
}

LN_TEST(attack, every_list_has_a_limit)
{
    CHECK_EQUAL(refuse_many("v=0\n", "i=%d\n", 10001).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many("v=0\n", "a=group:BUNDLE %d\n", 33).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many("v=0\na=group:BUNDLE", " %d", 300).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=extmap:1 urn:%d\n", 65).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=msid:%d t\n", 33).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=ssrc:%d cname:x\n", 9000).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=ssrc-group:FID %d\n", 200).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO "a=ssrc-group:FID", " %d", 200).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=rid:%d send\n", 33).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO "a=simulcast:send ", "%d;", 33).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO, "a=fingerprint:sha-x 0%d\n", 9).error, LN_ERR_LIMIT);
    CHECK_EQUAL(refuse_many(AUDIO "a=x:", "%d", 10000).error, LN_ERR_LIMIT);
}

LN_TEST(attack, ten_thousand_candidates_and_one_of_100_kilobytes_cost_little)
{
    struct ln_allocator *allocator = test_env()->allocator;
    char *text = ln_alloc_zero(allocator, 200000);

    CHECK(text);
    WITH_UNCOUNTED_ARENA(arena)
    {
        size_t len = (size_t)sprintf(text, AUDIO);
        struct ln_sdp *sdp;

        for (int i = 0; i < 9000; i++)
            len += (size_t)sprintf(text + len, "a=candidate:%d\n", i);
        len += (size_t)sprintf(text + len, "a=candidate:");
        memset(text + len, '1', 10000);
        sdp = sdp_parse(&arena, text);
        CHECK_EQUAL(sdp->media[0].candidate_count, LN_SDP_CANDIDATES_MAX);
        CHECK(arena.used < 250000);
    }
    ln_free(allocator, text);
}

LN_TEST(attack, feedback_times_codecs_stays_small)
{
    struct ln_allocator *allocator = test_env()->allocator;
    char *text = ln_alloc_zero(allocator, 300000);

    CHECK(text);
    WITH_UNCOUNTED_ARENA(arena)
    {
        size_t len = (size_t)sprintf(text, "v=0\n");

        for (int m = 0; m < 200; m++) {
            len += (size_t)sprintf(text + len, "m=video 9 RTP/AVP");
            for (int i = 0; i < 128; i++)
                len += (size_t)sprintf(text + len, " %d", i);
            for (int i = 0; i < 40; i++)
                len += (size_t)sprintf(text + len, "\na=rtcp-fb:* x%d", i);
            len += (size_t)sprintf(text + len, "\n");
        }
        CHECK(len < LN_SDP_BYTES_MAX);
        CHECK_EQUAL(sdp_parse(&arena, text)->media[199].codecs[127].feedback_count,
                    LN_CODEC_FEEDBACK_MAX);
    }
    ln_free(allocator, text);
}

LN_TEST(attack, lines_that_are_none_are_refused)
{
    refuse("", LN_ERR_SYNTAX, 0);
    refuse("\r\n\r\n", LN_ERR_SYNTAX, 2);
    refuse("hello", LN_ERR_SYNTAX, 1);
    refuse("v=1\r\n", LN_ERR_SYNTAX, 1);
    refuse("m=audio 9 RTP/AVP 0\r\n", LN_ERR_SYNTAX, 1);
    refuse(HEAD "a\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD " a=b\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "A=b\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "=\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "a=mid:x\ra=y\r\n", LN_ERR_SYNTAX, 5);
}

LN_TEST(attack, m_lines_with_numbers_out_of_range_are_refused)
{
    refuse(HEAD "m=audio 17000 RTP/AVP 4294967296\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio 17000 RTP/AVP 128\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio 17000 RTP/AVP -1\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio 17000 RTP/AVP 0x1\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio 17000 RTP/AVP 18446744073709551616\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio 65536 RTP/AVP 0\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio -9 RTP/AVP 0\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio / RTP/AVP 0\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=audio\r\n", LN_ERR_SYNTAX, 5);
    refuse(HEAD "m=\r\n", LN_ERR_SYNTAX, 5);
}

LN_TEST(attack, attributes_without_value_are_refused_or_passed_over)
{
    static const char *const needed[] = {
        "mid",    "ice-ufrag", "ice-pwd", "fingerprint", "setup",     "rtpmap",
        "extmap", "ssrc",      "msid",    "ssrc-group",  "sctp-port", "max-message-size",
    };
    static const char *const optional[] = {
        "rtcp-fb", "fmtp",    "candidate", "rid",      "simulcast", "ice-options",
        "rtcp",    "sctpmap", "ptime",     "maxptime", "tls-id",    "msid-semantic"
    };
    char text[256];

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        snprintf(text, sizeof text, AUDIO "a=%s\r\n", needed[i]);
        refuse(text, LN_ERR_SYNTAX, 6);
        snprintf(text, sizeof text, AUDIO "a=%s:\r\n", needed[i]);
        refuse(text, LN_ERR_SYNTAX, 6);
        snprintf(text, sizeof text, AUDIO "a=%s: \t \r\n", needed[i]);
        if (strcmp(needed[i], "msid") != 0)
            refuse(text, LN_ERR_SYNTAX, 6);
    }
    WITH_ARENA(arena)
    {
        for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
            snprintf(text, sizeof text, AUDIO "a=%s\r\na=%s:\r\na=%s: \r\n", optional[i],
                     optional[i], optional[i]);
            sdp_write(&arena, sdp_parse(&arena, text));
        }
    }
    refuse("v=0\na=group\n", LN_ERR_SYNTAX, 2);
    refuse("v=0\na=group: \n", LN_ERR_SYNTAX, 2);
}

LN_TEST(attack, mids_are_short_and_single)
{
    char text[2048] = AUDIO "a=mid:";

    memset(text + strlen(text), 'm', 1000);
    refuse(text, LN_ERR_LIMIT, 6);
    refuse(AUDIO "a=mid:a\r\na=mid:b\r\n", LN_ERR_SYNTAX, 7);
    refuse(AUDIO "a=mid:a b\r\n", LN_ERR_SYNTAX, 6);
}

LN_TEST(attack, sdes_keys_are_refused)
{
    refuse(AUDIO "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n", LN_ERR_INVALID_ACCESS, 6);
    refuse(AUDIO "a=crypto\r\n", LN_ERR_INVALID_ACCESS, 6);
}

LN_TEST(attack, fingerprints_with_odd_hex_are_refused)
{
    static const char *const bad[] = {
        "sha-256 0",
        "sha-256 0:1",
        "sha-256 00:1",
        "sha-256 00:",
        "sha-256 00::11",
        "sha-256 0011",
        "sha-256 00:gg",
        "sha-256 00:11",
        "sha-256",
        "sha-1 00",
        "averylonghashname 00",
        " ",
        "sha-9 00:11:22:33:44:55:66:77:88:99:00:11:22:33:44:55:66:77:88:99:00:11:22:33:44:55:66:77:"
        "88:99:00:11:22:33:44:55:66:77:88:99:00:11:22:33:44:55:66:77:88:99:00:11:22:33:44:55:66:77:"
        "88:99:00:11:22:33:44",
    };
    char text[512];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, AUDIO "a=fingerprint:%s\r\n", bad[i]);
        refuse(text, LN_ERR_SYNTAX, 6);
    }
}

LN_TEST(attack, extension_ids_0_and_256_are_refused)
{
    refuse(AUDIO "a=extmap:0 urn:x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=extmap:256 urn:x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=extmap:65537 urn:x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=extmap:1/both urn:x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=extmap:1\r\n", LN_ERR_SYNTAX, 6);
}

LN_TEST(attack, values_out_of_their_grammar_are_refused)
{
    refuse(AUDIO "a=setup:maybe\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:128 x/8000\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:111 opus\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:111 /48000\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:111 opus/99999999999\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:111 opus/48000/0\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=rtpmap:111 opus/48000/256\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=ssrc:4294967296 cname:x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=ssrc-group:FID 1 x\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=sctp-port:65536\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=max-message-size:18446744073709551616\r\n", LN_ERR_SYNTAX, 6);
    refuse(AUDIO "a=ice-ufrag:a b\r\n", LN_ERR_SYNTAX, 6);
}

LN_TEST(attack, long_credentials_and_stream_ids_are_refused)
{
    char text[2048], name[600];

    memset(name, 'u', sizeof name);
    name[599] = '\0';
    snprintf(text, sizeof text, AUDIO "a=ice-ufrag:%s\r\n", name);
    refuse(text, LN_ERR_LIMIT, 6);
    snprintf(text, sizeof text, AUDIO "a=ice-pwd:%s\r\n", name);
    refuse(text, LN_ERR_LIMIT, 6);
    snprintf(text, sizeof text, AUDIO "a=msid:%s\r\n", name);
    refuse(text, LN_ERR_LIMIT, 6);
}

LN_TEST(attack, the_error_is_optional_and_the_result_untouched)
{
    WITH_ARENA(arena)
    {
        struct ln_sdp *sdp = (struct ln_sdp *)(void *)&arena;

        CHECK_EQUAL(ln_sdp_parse("x", 1, &arena, &sdp, NULL), LN_ERR_SYNTAX);
        CHECK(sdp == (void *)&arena);
    }
}

LN_TEST(attack, an_arena_that_is_too_small_is_out_of_memory)
{
    static const char text[] = AUDIO "a=mid:a\r\na=rid:a send\r\na=ssrc:1 cname:a\r\n";

    for (size_t limit = 0; limit < 20000; limit += 500) {
        struct ln_arena arena;
        struct ln_sdp *sdp = NULL;

        ln_arena_init(&arena, test_env()->allocator, limit);
        CHECK(ln_sdp_parse(text, sizeof text - 1, &arena, &sdp, NULL) == (sdp ? 0 : LN_ERR_NOMEM));
        ln_arena_deinit(&arena);
    }
}

/* Every prefix, and every byte changed, of a full description: no crash, and what parses
 * round-trips. */
LN_TEST(attack, cut_and_bent_descriptions_do_no_harm)
{
    struct ln_jsep_section sections[] = { sdp_audio("a"), sdp_video("v"), sdp_data("d") };

    WITH_ARENA(outer)
    {
        const char *text = sdp_write(&outer, sdp_offer(&outer, sections, 3, NULL, NULL));
        size_t len = strlen(text);
        char *bent = ln_arena_text(&outer, text, len);

        CHECK(bent);
        for (size_t i = 0; i < len; i += 3) {
            static const char bytes[] = { '\0', ' ', '0', ':', '\r', (char)0xff };
            char kept = bent[i];

            WITH_UNCOUNTED_ARENA(arena)
            {
                struct ln_sdp *sdp, *again;
                const char *once;

                (void)!ln_sdp_parse(text, i, &arena, &sdp, NULL);
                bent[i] = bytes[i % sizeof bytes];
                if (ln_sdp_parse(bent, len, &arena, &sdp, NULL) == 0) {
                    once = sdp_write(&arena, sdp);
                    again = sdp_parse(&arena, once);
                    CHECK_TEXT(sdp_write(&arena, again), once);
                }
            }
            bent[i] = kept;
        }
    }
}
