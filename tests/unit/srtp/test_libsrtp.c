/* SPDX-License-Identifier: Apache-2.0
 * Against libsrtp2: random packets with CSRCs and extensions, both directions, all profiles, wraps.
 */
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "srtp/srtp.h"

#include "tests/support/test.h"

#include <srtp2/srtp.h>

struct both {
    struct ln_crypto *crypto;
    struct ln_srtp *out, *in;
    srtp_t theirs_out, theirs_in;
    uint8_t key[LN_SRTP_KEY_MAX + LN_SRTP_SALT_MAX];
};

static srtp_t open_theirs(uint16_t profile, uint8_t *key, bool outbound)
{
    srtp_policy_t policy;
    srtp_t session;

    memset(&policy, 0, sizeof policy);
    if (profile == 1) {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    } else if (profile == 7) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
    }
    policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = key;
    policy.window_size = 1024;
    CHECK_EQUAL(srtp_create(&session, &policy), srtp_err_status_ok);
    return session;
}

static void both_open(struct both *b, uint16_t profile)
{
    const uint8_t *salt = b->key + ln_srtp_key_len(profile);

    memset(b, 0, sizeof *b);
    CHECK_EQUAL(srtp_init(), srtp_err_status_ok);
    ln_rng_bytes(test_env()->rng, b->key, sizeof b->key);
    CHECK_EQUAL(ln_crypto_create(&b->crypto, test_env()->allocator), 0);
    CHECK_EQUAL(ln_srtp_create(&b->out, profile, b->key, salt, true, b->crypto, test_env()), 0);
    CHECK_EQUAL(ln_srtp_create(&b->in, profile, b->key, salt, false, b->crypto, test_env()), 0);
    b->theirs_out = open_theirs(profile, b->key, true);
    b->theirs_in = open_theirs(profile, b->key, false);
}

static void both_close(struct both *b)
{
    ln_srtp_free(b->out);
    ln_srtp_free(b->in);
    srtp_dealloc(b->theirs_out);
    srtp_dealloc(b->theirs_in);
    srtp_shutdown();
    ln_crypto_free(b->crypto);
}

/* A random packet; returns the header's length. */
static size_t make_rtp(uint8_t *packet, size_t *ret_len, uint32_t ssrc, uint16_t sequence)
{
    struct ln_rng *rng = test_env()->rng;
    size_t csrcs = ln_rng_below(rng, 3) == 0 ? ln_rng_below(rng, 16) : 0;
    bool extension = ln_rng_below(rng, 2) == 0;
    size_t words = ln_rng_below(rng, 20), header_len = 12 + 4 * csrcs;

    ln_rng_bytes(rng, packet, 1500);
    packet[0] = (uint8_t)(0x80 | (extension ? 0x10 : 0) | csrcs);
    packet[1] &= 0x7f;
    ln_store16(packet + 2, sequence);
    ln_store32(packet + 8, ssrc);
    if (extension) {
        ln_store16(packet + header_len, 0xbede);
        ln_store16(packet + header_len + 2, (uint16_t)words);
        header_len += 4 + 4 * words;
    }
    *ret_len = header_len + ln_rng_below(rng, 1200);
    return header_len;
}

static void exchange_rtp(struct both *b, uint32_t ssrc, uint16_t sequence, bool arrives)
{
    uint8_t plain[1600], ours[1600], theirs[1600], back[1600];
    size_t len, header_len = make_rtp(plain, &len, ssrc, sequence);
    int ours_len = ln_srtp_protect_rtp(
        b->out, ssrc, sequence, (struct ln_bytes){ plain, header_len },
        (struct ln_bytes){ plain + header_len, len - header_len }, ours, sizeof ours);
    int theirs_len = (int)len;

    memcpy(theirs, plain, len);
    CHECK_EQUAL(srtp_protect(b->theirs_out, theirs, &theirs_len), srtp_err_status_ok);
    CHECK_EQUAL(ours_len, theirs_len);
    CHECK_BYTES(ours, theirs, (size_t)ours_len);
    if (!arrives)
        return;
    CHECK_EQUAL(ln_srtp_unprotect_rtp(b->in, ssrc, sequence, header_len, theirs, (size_t)theirs_len,
                                      back, sizeof back),
                len);
    CHECK_BYTES(back, plain, len);
    CHECK_EQUAL(srtp_unprotect(b->theirs_in, ours, &ours_len), srtp_err_status_ok);
    CHECK_EQUAL(ours_len, len);
    CHECK_BYTES(ours, plain, len);
}

static void exchange_rtcp(struct both *b, uint32_t ssrc)
{
    uint8_t plain[1600], ours[1600], theirs[1600];
    size_t len = 8 + 4 * ln_rng_below(test_env()->rng, 300);
    int ours_len, theirs_len = (int)len;

    ln_rng_bytes(test_env()->rng, plain, len);
    plain[0] = 0x80;
    plain[1] = 200;
    ln_store32(plain + 4, ssrc);
    ours_len = ln_srtp_protect_rtcp(b->out, plain, len, ours, sizeof ours);
    memcpy(theirs, plain, len);
    CHECK_EQUAL(srtp_protect_rtcp(b->theirs_out, theirs, &theirs_len), srtp_err_status_ok);
    CHECK_EQUAL(ours_len, theirs_len);
    CHECK_EQUAL(srtp_unprotect_rtcp(b->theirs_in, ours, &ours_len), srtp_err_status_ok);
    CHECK_EQUAL(ours_len, len);
    CHECK_BYTES(ours, plain, len);
    CHECK_EQUAL(ln_srtp_unprotect_rtcp(b->in, theirs, (size_t)theirs_len, theirs, sizeof theirs),
                len);
    CHECK_BYTES(theirs, plain, len);
}

static void compare(uint16_t profile)
{
    struct both b;
    uint32_t sequence = 65000;

    both_open(&b, profile);
    for (int i = 0; i < 400; i++) {
        sequence +=
            1 + (ln_rng_below(test_env()->rng, 10) == 0 ? ln_rng_below(test_env()->rng, 9000) : 0);
        exchange_rtp(&b, 0x11111111 + (uint32_t)(i % 3), (uint16_t)sequence,
                     i < 3 || ln_rng_below(test_env()->rng, 4) > 0);
        if (i % 8 == 0)
            exchange_rtcp(&b, 0x22222222 + (uint32_t)(i % 2));
    }
    CHECK(sequence > 2 * 65536u); /* the roll-over counter was in play */
    both_close(&b);
}

LN_TEST(srtp_libsrtp, agrees_on_aes128_cm_hmac_sha1_80)
{
    compare(1);
}

LN_TEST(srtp_libsrtp, agrees_on_aead_aes_128_gcm)
{
    compare(7);
}

LN_TEST(srtp_libsrtp, agrees_on_aead_aes_256_gcm)
{
    compare(8);
}
