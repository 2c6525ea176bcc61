/* SPDX-License-Identifier: Apache-2.0
 * One SRTP or SRTCP packet under session keys (RFC 3711 3.1, 3.4, 4; RFC 7714 8, 9).
 *
 *     SRTP,  counter mode:  header | ciphertext | tag (10)
 *     SRTP,  GCM:           header | ciphertext | tag (16)
 *     SRTCP, counter mode:  8 bytes | ciphertext | E, index (4) | tag (10)
 *     SRTCP, GCM:           8 bytes | ciphertext | tag (16) | E, index (4) */
#include "srtp/transform.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

#define CM_TAG_LEN 10u /* HMAC-SHA1 cut to 80 bits */

/* Labels of the key derivation (RFC 3711, 4.3.2); SRTCP's are these plus 3. */
enum label { LABEL_ENCRYPTION = 0, LABEL_AUTHENTICATION = 1, LABEL_SALT = 2, LABELS_RTCP = 3 };

static const struct ln_srtp_suite suites[] = {
    { 0x0001, 16, 14, CM_TAG_LEN, false, "AES_CM_128_HMAC_SHA1_80" },
    { 0x0007, 16, 12, LN_AEAD_TAG_LEN, true, "AEAD_AES_128_GCM" },
    { 0x0008, 32, 12, LN_AEAD_TAG_LEN, true, "AEAD_AES_256_GCM" },
};

const struct ln_srtp_suite *ln_srtp_suite(uint16_t number)
{
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (suites[i].number == number)
            return &suites[i];
    return NULL;
}

/* AES counter mode over the master salt with the label in its eighth byte. A 96-bit salt is filled
 * up with zeros on the right (RFC 7714, 11). */
static void derive(struct ln_ctr *prf, const uint8_t salt[LN_AES_BLOCK_LEN], unsigned label,
                   uint8_t *out, size_t len)
{
    uint8_t iv[LN_AES_BLOCK_LEN];

    memcpy(iv, salt, sizeof iv);
    iv[7] ^= (uint8_t)label;
    memset(out, 0, len);
    ln_ctr_xor(prf, iv, out, len, out);
}

int ln_srtp_derive(const struct ln_srtp_suite *suite, const uint8_t *key, const uint8_t *salt,
                   bool rtcp, struct ln_crypto *crypto, struct ln_srtp_session_keys *ret_keys)
{
    unsigned first = rtcp ? LABELS_RTCP : 0;
    uint8_t padded[LN_AES_BLOCK_LEN] = { 0 };
    struct ln_ctr prf;

    if (ln_ctr_init(&prf, crypto, key, suite->key_len))
        return LN_ERR_NOMEM;
    memcpy(padded, salt, suite->salt_len);
    memset(ret_keys, 0, sizeof *ret_keys);
    derive(&prf, padded, first + LABEL_ENCRYPTION, ret_keys->key, suite->key_len);
    derive(&prf, padded, first + LABEL_AUTHENTICATION, ret_keys->auth, sizeof ret_keys->auth);
    derive(&prf, padded, first + LABEL_SALT, ret_keys->salt, suite->salt_len);
    ln_ctr_deinit(&prf);
    ln_wipe(padded, sizeof padded);
    return 0;
}

int ln_srtp_transform_init(struct ln_srtp_transform *t, const struct ln_srtp_suite *suite,
                           const struct ln_srtp_session_keys *keys, bool seal,
                           struct ln_crypto *crypto)
{
    int error;

    memset(t, 0, sizeof *t);
    t->suite = suite;
    memcpy(t->salt, keys->salt, sizeof t->salt);
    if (suite->gcm)
        return ln_aead_init(&t->aead, crypto,
                            suite->key_len == 32 ? LN_AEAD_AES_256_GCM : LN_AEAD_AES_128_GCM,
                            keys->key, seal);
    error = ln_ctr_init(&t->ctr, crypto, keys->key, suite->key_len);
    if (!error)
        error = ln_hmac_init(&t->hmac, crypto, LN_HASH_SHA1, keys->auth, sizeof keys->auth);
    return error;
}

void ln_srtp_transform_deinit(struct ln_srtp_transform *t)
{
    ln_aead_deinit(&t->aead);
    ln_ctr_deinit(&t->ctr);
    ln_hmac_deinit(&t->hmac);
    ln_wipe(t, sizeof *t);
}

/* salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16 (RFC 3711, 4.1.1). */
static void cm_iv(const struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index,
                  uint8_t iv[LN_AES_BLOCK_LEN])
{
    memcpy(iv, t->salt, 14);
    iv[14] = iv[15] = 0;
    ln_store32(iv + 4, ln_load32(iv + 4) ^ ssrc);
    ln_store64(iv + 8, ln_load64(iv + 8) ^ index << 16);
}

/* Two zeros, SSRC, 48 bits of index; XOR salt (RFC 7714, 8.1 and 9.1). */
static void gcm_iv(const struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index,
                   uint8_t iv[LN_AEAD_NONCE_LEN])
{
    memcpy(iv, t->salt, LN_AEAD_NONCE_LEN);
    ln_store32(iv + 2, ln_load32(iv + 2) ^ ssrc);
    ln_store16(iv + 6, (uint16_t)(ln_load16(iv + 6) ^ index >> 32));
    ln_store32(iv + 8, ln_load32(iv + 8) ^ (uint32_t)index);
}

/* Over the packet and the word that follows it: roll-over counter, or E and index. */
static void cm_tag(struct ln_srtp_transform *t, const uint8_t *data, size_t len, uint32_t behind,
                   uint8_t tag[LN_HASH_MAX])
{
    uint8_t word[4];
    struct ln_bytes pieces[2] = { { data, len }, { word, sizeof word } };

    ln_store32(word, behind);
    ln_hmac_compute(&t->hmac, pieces, 2, tag);
}

void ln_srtp_seal_rtp(struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index, size_t header_len,
                      struct ln_bytes payload, uint8_t *out)
{
    uint8_t iv[LN_AES_BLOCK_LEN], tag[LN_HASH_MAX];

    if (t->suite->gcm) {
        gcm_iv(t, ssrc, index, iv);
        ln_aead_seal(&t->aead, iv, out, header_len, payload.data, payload.len, out + header_len);
        return;
    }
    cm_iv(t, ssrc, index, iv);
    ln_ctr_xor(&t->ctr, iv, payload.data, payload.len, out + header_len);
    cm_tag(t, out, header_len + payload.len, (uint32_t)(index >> 16), tag);
    memcpy(out + header_len + payload.len, tag, CM_TAG_LEN);
}

bool ln_srtp_open_rtp(struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index, size_t header_len,
                      const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t iv[LN_AES_BLOCK_LEN], tag[LN_HASH_MAX];
    size_t plain_len = len - t->suite->tag_len;

    if (t->suite->gcm) {
        gcm_iv(t, ssrc, index, iv);
        return ln_aead_open(&t->aead, iv, in, header_len, in + header_len, len - header_len,
                            out + header_len);
    }
    cm_tag(t, in, plain_len, (uint32_t)(index >> 16), tag);
    if (!ln_equal_constant_time(tag, in + plain_len, CM_TAG_LEN))
        return false;
    cm_iv(t, ssrc, index, iv);
    ln_ctr_xor(&t->ctr, iv, in + header_len, plain_len - header_len, out + header_len);
    return true;
}

static void rtcp_aad(const uint8_t *in, uint32_t word,
                     uint8_t aad[LN_SRTCP_CLEAR_LEN + LN_SRTCP_WORD_LEN])
{
    memcpy(aad, in, LN_SRTCP_CLEAR_LEN);
    ln_store32(aad + LN_SRTCP_CLEAR_LEN, word);
}

void ln_srtp_seal_rtcp(struct ln_srtp_transform *t, uint32_t ssrc, uint32_t index,
                       const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t iv[LN_AES_BLOCK_LEN], tag[LN_HASH_MAX], aad[LN_SRTCP_CLEAR_LEN + LN_SRTCP_WORD_LEN];
    const uint8_t *plain = in + LN_SRTCP_CLEAR_LEN;
    size_t plain_len = len - LN_SRTCP_CLEAR_LEN;
    uint32_t word = LN_SRTCP_E | index;

    if (out != in)
        memcpy(out, in, LN_SRTCP_CLEAR_LEN);
    if (t->suite->gcm) {
        rtcp_aad(in, word, aad);
        gcm_iv(t, ssrc, index, iv);
        ln_aead_seal(&t->aead, iv, aad, sizeof aad, plain, plain_len, out + LN_SRTCP_CLEAR_LEN);
        ln_store32(out + len + LN_AEAD_TAG_LEN, word);
        return;
    }
    cm_iv(t, ssrc, index, iv);
    ln_ctr_xor(&t->ctr, iv, plain, plain_len, out + LN_SRTCP_CLEAR_LEN);
    ln_store32(out + len, word);
    cm_tag(t, out, len, word, tag);
    memcpy(out + len + LN_SRTCP_WORD_LEN, tag, CM_TAG_LEN);
}

bool ln_srtp_open_rtcp(struct ln_srtp_transform *t, uint32_t ssrc, uint32_t word, const uint8_t *in,
                       size_t plain_len, uint8_t *out)
{
    uint8_t iv[LN_AES_BLOCK_LEN], tag[LN_HASH_MAX], aad[LN_SRTCP_CLEAR_LEN + LN_SRTCP_WORD_LEN];
    const uint8_t *sealed = in + LN_SRTCP_CLEAR_LEN;
    size_t len = plain_len - LN_SRTCP_CLEAR_LEN;
    uint32_t index = word & ~LN_SRTCP_E;

    if (t->suite->gcm) {
        rtcp_aad(in, word, aad);
        gcm_iv(t, ssrc, index, iv);
        return ln_aead_open(&t->aead, iv, aad, sizeof aad, sealed, len + LN_AEAD_TAG_LEN,
                            out + LN_SRTCP_CLEAR_LEN);
    }
    cm_tag(t, in, plain_len, word, tag);
    if (!ln_equal_constant_time(tag, in + plain_len + LN_SRTCP_WORD_LEN, CM_TAG_LEN))
        return false;
    cm_iv(t, ssrc, index, iv);
    ln_ctr_xor(&t->ctr, iv, sealed, len, out + LN_SRTCP_CLEAR_LEN);
    return true;
}
