/* SPDX-License-Identifier: Apache-2.0
 * Hashes, HMAC, AEAD, counter mode, replay window: vectors and laws. */
#include "crypto/aead.h"
#include "crypto/cipher.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/replay.h"
#include "crypto/rng.h"

#include "tests/support/test.h"

static struct ln_crypto *open_crypto(void)
{
    struct ln_crypto *crypto;

    CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
    return crypto;
}

static void check_digest(enum ln_hash hash, const char *hex)
{
    uint8_t expected[LN_HASH_MAX], digest[LN_HASH_MAX];
    struct ln_bytes pieces[3] = { { (const uint8_t *)"a", 1 },
                                  { (const uint8_t *)"", 0 },
                                  { (const uint8_t *)"bc", 2 } };

    CHECK_EQUAL(test_hex(hex, expected, sizeof expected), ln_hash_len(hash));
    ln_hash_once(hash, "abc", 3, digest);
    CHECK_BYTES(digest, expected, ln_hash_len(hash));
    ln_hash_pieces(hash, pieces, 3, digest);
    CHECK_BYTES(digest, expected, ln_hash_len(hash));
}

LN_TEST(hash, gives_the_known_digests_of_abc)
{
    check_digest(LN_HASH_MD5, "900150983cd24fb0d6963f7d28e17f72");          /* RFC 1321, A.5 */
    check_digest(LN_HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"); /* RFC 3174, 7.3 */
    check_digest(LN_HASH_SHA256,                                            /* RFC 6234, 8.5 */
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(LN_HASH_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                                 "8086072ba1e7cc2358baeca134c825a7");
    check_digest(LN_HASH_SHA512,
                 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void check_hmac(enum ln_hash hash, const char *key_hex, const char *data_hex,
                       const char *mac_hex)
{
    struct ln_crypto *crypto = open_crypto();
    uint8_t key[200], data[200], expected[LN_HASH_MAX], mac[LN_HASH_MAX];
    size_t key_len = test_hex(key_hex, key, sizeof key);
    size_t len = test_hex(data_hex, data, sizeof data);
    struct ln_bytes pieces[2] = { { data, len / 3 }, { data + len / 3, len - len / 3 } };
    struct ln_hmac hmac;

    test_hex(mac_hex, expected, sizeof expected);
    ln_hmac_once(hash, key, key_len, pieces, 2, mac);
    CHECK_BYTES(mac, expected, ln_hash_len(hash));
    CHECK_EQUAL(ln_hmac_init(&hmac, crypto, hash, key, key_len), 0);
    for (int i = 0; i < 3; i++) { /* the key is kept */
        memset(mac, 0, sizeof mac);
        ln_hmac_compute(&hmac, pieces, 2, mac);
        CHECK_BYTES(mac, expected, hmac.len);
    }
    ln_hmac_deinit(&hmac);
    ln_hmac_deinit(&hmac);
    ln_crypto_free(crypto);
}

LN_TEST(hash, hmac_agrees_with_rfc2202_and_rfc4231)
{
    check_hmac(LN_HASH_SHA1, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
               "b617318655057264e28bc0b6fb378c8ef146be00");
    check_hmac(LN_HASH_SHA1, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
               "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    check_hmac(LN_HASH_SHA256, "4a656665",
               "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(LN_HASH_SHA256, /* RFC 4231, test case 6: a key longer than a block */
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaa",
               "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579"
               "202d2048617368204b6579204669727374",
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

LN_TEST(hash, hmac_takes_an_empty_key)
{
    check_hmac(LN_HASH_SHA256, "", "", /* known value for empty key and message */
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

LN_TEST(aead, chacha20_poly1305_agrees_with_rfc8439_2_8_2)
{
    struct ln_crypto *crypto = open_crypto();
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    uint8_t key[32], nonce[12], aad[12], out[200], expected[32];
    struct ln_aead seal;

    test_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, 32);
    test_hex("070000004041424344454647", nonce, 12);
    test_hex("50515253c0c1c2c3c4c5c6c7", aad, 12);
    CHECK_EQUAL(ln_aead_init(&seal, crypto, LN_AEAD_CHACHA20_POLY1305, key, true), 0);
    ln_aead_seal(&seal, nonce, aad, 12, text, sizeof text - 1, out);
    test_hex("d31a8d34648e60db7b86afbc53ef7ec2", expected, 32);
    CHECK_BYTES(out, expected, 16);
    test_hex("1ae10b594f09e26a7e902ecbd0600691", expected, 32);
    CHECK_BYTES(out + sizeof text - 1, expected, 16);
    ln_aead_deinit(&seal);
    ln_crypto_free(crypto);
}

LN_TEST(aead, opens_what_it_sealed_in_place_and_apart_and_nothing_that_was_changed)
{
    struct ln_crypto *crypto = open_crypto();

    for (int a = 0; a <= LN_AEAD_CHACHA20_POLY1305; a++) {
        uint8_t key[32] = { 5 }, nonce[12] = { 6 }, aad[3] = { 1, 2, 3 }, data[116], out[116];
        struct ln_aead seal, open;

        CHECK_EQUAL(ln_aead_init(&seal, crypto, (enum ln_aead_algorithm)a, key, true), 0);
        CHECK_EQUAL(ln_aead_init(&open, crypto, (enum ln_aead_algorithm)a, key, false), 0);
        for (size_t len = 0; len <= 100; len += 25) {
            memset(data, 'd', sizeof data);
            nonce[11]++;
            ln_aead_seal(&seal, nonce, aad, 3, data, len, data);
            CHECK(ln_aead_open(&open, nonce, aad, 3, data, len + 16, out));
            for (size_t i = 0; i < len; i++)
                CHECK(out[i] == 'd');
            CHECK(!ln_aead_open(&open, nonce, aad, 2, data, len + 16, out));
            CHECK(!ln_aead_open(&open, nonce, aad, 3, data, len + 15, out));
            CHECK(!ln_aead_open(&open, nonce, aad, 3, data, 15, out));
            data[len / 2] ^= 1;
            CHECK(!ln_aead_open(&open, nonce, aad, 3, data, len + 16, out));
            data[len / 2] ^= 1;
            CHECK(ln_aead_open(&open, nonce, aad, 3, data, len + 16, data));
            CHECK(len == 0 || data[0] == 'd');
        }
        ln_aead_deinit(&seal);
        ln_aead_deinit(&open);
        ln_aead_deinit(&open);
    }
    ln_crypto_free(crypto);
}

LN_TEST(cipher, one_aes_block_agrees_with_fips_197)
{
    struct ln_crypto *crypto = open_crypto();
    uint8_t key[32], block[16], expected[16];

    test_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key, 32);
    test_hex("00112233445566778899aabbccddeeff", block, 16);
    CHECK_EQUAL(ln_aes_block(crypto, key, 32, block, block), 0);
    test_hex("8ea2b7ca516745bfeafc49904b496089", expected, 16);
    CHECK_BYTES(block, expected, 16);
    test_hex("00112233445566778899aabbccddeeff", block, 16);
    CHECK_EQUAL(ln_aes_block(crypto, key, 16, block, block), 0);
    test_hex("69c4e0d86a7b0430d8cdb78070b4c55a", expected, 16);
    CHECK_BYTES(block, expected, 16);
    ln_crypto_free(crypto);
}

LN_TEST(replay, agrees_with_a_plain_list_of_what_was_seen)
{
    static bool seen[20000];
    struct ln_replay replay = { 0 };
    uint64_t highest = 0;

    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 6000; i++) {
        uint32_t back = ln_rng_below(test_env()->rng, 1500),
                 step = ln_rng_below(test_env()->rng, 9);
        uint64_t number = i % 3 ? highest + step : highest > back ? highest - back : 0;
        bool expected;

        if (i % 700 == 699)
            number = highest + 1000 + step * 100;
        if (number >= 20000)
            break;
        expected = !seen[number] &&
                   (replay.end <= number || replay.end - number <= LN_REPLAY_WINDOW);
        CHECK(ln_replay_is_new(&replay, number) == expected);
        if (!expected)
            continue;
        ln_replay_mark(&replay, number);
        seen[number] = true;
        highest = number > highest ? number : highest;
    }
    CHECK(highest > 5000);
}

LN_TEST(rng, the_production_generator_gives_different_bytes)
{
    struct ln_rng rng;
    uint8_t a[64], b[64];

    ln_crypto_rng(&rng);
    ln_rng_bytes(&rng, a, sizeof a);
    ln_rng_bytes(&rng, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}
