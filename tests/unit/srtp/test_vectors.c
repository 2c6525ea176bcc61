/* SPDX-License-Identifier: Apache-2.0
 * The RFCs' own vectors: RFC 3711 B.2 and B.3, RFC 7714 16 and 17. */
#include "crypto/crypto.h"
#include "srtp/srtp.h"
#include "srtp/transform.h"

#include "tests/support/test.h"

static struct ln_crypto *open_crypto(void)
{
    struct ln_crypto *crypto;

    CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
    return crypto;
}

LN_TEST(srtp_vectors, rfc3711_b2_counter_mode_keystream)
{
    struct ln_crypto *crypto = open_crypto();
    uint8_t key[16], iv[16], expected[48], out[48] = { 0 };
    struct ln_ctr ctr;

    test_hex("2B7E151628AED2A6ABF7158809CF4F3C", key, sizeof key);
    test_hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000", iv, sizeof iv);
    CHECK_EQUAL(ln_ctr_init(&ctr, crypto, key, sizeof key), 0);
    ln_ctr_xor(&ctr, iv, out, sizeof out, out);
    test_hex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"
             "41E95B3BB0A2E8DD477901E4FCA894C0",
             expected, sizeof expected);
    CHECK_BYTES(out, expected, sizeof out);
    test_hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF", iv, sizeof iv);
    memset(out, 0, sizeof out);
    ln_ctr_xor(&ctr, iv, out, sizeof out, out);
    test_hex("EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE"
             "6A2CC3787889374FBEB4C81B17BA6C44",
             expected, sizeof expected);
    CHECK_BYTES(out, expected, sizeof out);
    ln_ctr_deinit(&ctr);
    ln_crypto_free(crypto);
}

LN_TEST(srtp_vectors, rfc3711_b3_key_derivation)
{
    struct ln_crypto *crypto = open_crypto();
    uint8_t key[16], salt[14], expected[20];
    struct ln_srtp_session_keys keys;

    test_hex("E1F97A0D3E018BE0D64FA32C06DE4139", key, sizeof key);
    test_hex("0EC675AD498AFEEBB6960B3AABE6", salt, sizeof salt);
    CHECK_EQUAL(ln_srtp_derive(ln_srtp_suite(1), key, salt, false, crypto, &keys), 0);
    test_hex("C61E7A93744F39EE10734AFE3FF7A087", expected, sizeof expected);
    CHECK_BYTES(keys.key, expected, 16);
    test_hex("30CBBC08863D8C85D49DB34A9AE1", expected, sizeof expected);
    CHECK_BYTES(keys.salt, expected, 14);
    test_hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4", expected, sizeof expected);
    CHECK_BYTES(keys.auth, expected, 20);
    ln_crypto_free(crypto);
}

static void gcm_vector(uint16_t profile, bool rtcp, uint64_t index, const char *plain_hex,
                       const char *sealed_hex)
{
    struct ln_crypto *crypto = open_crypto();
    struct ln_srtp_session_keys keys = { { 0 }, { 0 }, { 0 } };
    struct ln_srtp_transform seal, open;
    uint8_t plain[128], sealed[128], out[128];
    size_t plain_len = test_hex(plain_hex, plain, sizeof plain);
    size_t sealed_len = test_hex(sealed_hex, sealed, sizeof sealed);

    for (uint8_t i = 0; i < 32; i++)
        keys.key[i] = i;
    test_hex("51756964 2070726f 2071756f", keys.salt, sizeof keys.salt);
    CHECK_EQUAL(ln_srtp_transform_init(&seal, ln_srtp_suite(profile), &keys, true, crypto), 0);
    CHECK_EQUAL(ln_srtp_transform_init(&open, ln_srtp_suite(profile), &keys, false, crypto), 0);
    if (rtcp) {
        ln_srtp_seal_rtcp(&seal, 0x4d617273, (uint32_t)index, plain, plain_len, out);
        CHECK_BYTES(out, sealed, sealed_len);
        CHECK(ln_srtp_open_rtcp(&open, 0x4d617273, LN_SRTCP_E | (uint32_t)index, sealed, plain_len,
                                out));
        CHECK_BYTES(out + 8, plain + 8, plain_len - 8);
    } else {
        memcpy(out, plain, 12);
        ln_srtp_seal_rtp(&seal, 0x5501a0b2, index, 12,
                         (struct ln_bytes){ plain + 12, plain_len - 12 }, out);
        CHECK_BYTES(out, sealed, sealed_len);
        CHECK(ln_srtp_open_rtp(&open, 0x5501a0b2, index, 12, sealed, sealed_len, out));
        CHECK_BYTES(out + 12, plain + 12, plain_len - 12);
    }
    ln_srtp_transform_deinit(&seal);
    ln_srtp_transform_deinit(&open);
    ln_crypto_free(crypto);
}

#define RTP_PLAIN                                                                                  \
    "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361"                       \
    "20696e207061727465732074726573"
#define RTCP_PLAIN                                                                                 \
    "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61"                             \
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"

LN_TEST(srtp_vectors, rfc7714_16_1_aead_aes_128_gcm_rtp)
{
    gcm_vector(7, false, 0xf17b, RTP_PLAIN,
               "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca"
               "be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1"
               "6a9152cf 765ee439 0cce");
}

LN_TEST(srtp_vectors, rfc7714_16_2_aead_aes_256_gcm_rtp)
{
    gcm_vector(8, false, 0xf17b, RTP_PLAIN,
               "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238"
               "9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13");
}

LN_TEST(srtp_vectors, rfc7714_17_1_aead_aes_128_gcm_rtcp)
{
    gcm_vector(7, true, 0x5d4, RTCP_PLAIN,
               "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d"
               "c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872"
               "45d9eade 800005d4");
}

LN_TEST(srtp_vectors, rfc7714_17_2_aead_aes_256_gcm_rtcp)
{
    gcm_vector(8, true, 0x5d4, RTCP_PLAIN,
               "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50"
               "a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c"
               "b26ac3be 800005d4");
}
