/* SPDX-License-Identifier: Apache-2.0
 * Streams, indices, replay, limits and bad input, for all three profiles. */
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "srtp/srtp.h"

#include "tests/support/test.h"

static const uint16_t profiles[] = { 0x0001, 0x0007, 0x0008 };

struct rig {
    struct ln_crypto *crypto;
    struct ln_srtp *out, *in;
    uint8_t packet[2048], plain[2048];
    int len;
};

static void rig_open(struct rig *r, uint16_t profile)
{
    uint8_t key[LN_SRTP_KEY_MAX], salt[LN_SRTP_SALT_MAX];

    memset(r, 0, sizeof *r);
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 7);
    for (uint8_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)(i * 13);
    CHECK_EQUAL(ln_crypto_create(&r->crypto, test_env()->allocator), 0);
    CHECK_EQUAL(ln_srtp_create(&r->out, profile, key, salt, true, r->crypto, test_env()), 0);
    CHECK_EQUAL(ln_srtp_create(&r->in, profile, key, salt, false, r->crypto, test_env()), 0);
}

static void rig_close(struct rig *r)
{
    ln_srtp_free(r->out);
    ln_srtp_free(r->in);
    ln_crypto_free(r->crypto);
}

/* A 12-byte header and 50 bytes that tell of SSRC and number. */
static int protect(struct rig *r, uint32_t ssrc, uint16_t sequence)
{
    uint8_t header[12] = { 0x80, 96 }, payload[50];

    ln_store16(header + 2, sequence);
    ln_store32(header + 8, ssrc);
    memset(payload, (uint8_t)(sequence ^ ssrc), sizeof payload);
    r->len = ln_srtp_protect_rtp(r->out, ssrc, sequence, (struct ln_bytes){ header, 12 },
                                 (struct ln_bytes){ payload, sizeof payload }, r->packet,
                                 sizeof r->packet);
    return r->len;
}

static int unprotect(struct rig *r)
{
    int len = ln_srtp_unprotect_rtp(r->in, ln_load32(r->packet + 8), ln_load16(r->packet + 2), 12,
                                    r->packet, (size_t)r->len, r->plain, sizeof r->plain);

    if (len > 0) {
        CHECK_EQUAL(len, 62);
        CHECK_BYTES(r->plain, r->packet, 12);
        for (int i = 12; i < len; i++)
            CHECK(r->plain[i] == (uint8_t)(ln_load16(r->packet + 2) ^ ln_load32(r->packet + 8)));
    }
    return len;
}

static int pass(struct rig *r, uint32_t ssrc, uint16_t sequence)
{
    CHECK(protect(r, ssrc, sequence) > 0);
    return unprotect(r);
}

LN_TEST(srtp, packets_come_back_and_are_hidden_on_the_wire)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;

        rig_open(&r, profiles[i]);
        CHECK_EQUAL(protect(&r, 5, 1), 62 + ln_srtp_rtp_overhead(r.out));
        CHECK(r.packet[12] != (5 ^ 1) || r.packet[13] != (5 ^ 1));
        CHECK_EQUAL(unprotect(&r), 62);
        CHECK_EQUAL(ln_srtp_counters(r.in)->unprotected_packets, 1);
        rig_close(&r);
    }
}

LN_TEST(srtp, works_in_place_and_with_header_and_payload_apart)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;
        uint8_t apart[128], place[128] = { 0x80, 96, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7, 'p', 'a', 'y' };
        uint8_t header[12], payload[3] = { 'p', 'a', 'y' };
        int len;

        rig_open(&r, profiles[i]);
        memcpy(header, place, 12);
        len = ln_srtp_protect_rtp(r.out, 7, 9, (struct ln_bytes){ header, 12 },
                                  (struct ln_bytes){ payload, 3 }, apart, sizeof apart);
        CHECK(len > 0);
        ln_srtp_free(r.out);
        r.out = NULL;
        rig_close(&r);
        rig_open(&r, profiles[i]);
        CHECK_EQUAL(ln_srtp_protect_rtp(r.out, 7, 9, (struct ln_bytes){ place, 12 },
                                        (struct ln_bytes){ place + 12, 3 }, place, sizeof place),
                    len);
        CHECK_BYTES(place, apart, (size_t)len);
        CHECK_EQUAL(ln_srtp_unprotect_rtp(r.in, 7, 9, 12, place, (size_t)len, place, sizeof place),
                    15);
        CHECK_BYTES(place + 12, "pay", 3);
        rig_close(&r);
    }
}

LN_TEST(srtp, an_empty_payload_passes)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;
        uint8_t header[12] = { 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 };
        int len;

        rig_open(&r, profiles[i]);
        len = ln_srtp_protect_rtp(r.out, 1, 1, (struct ln_bytes){ header, 12 },
                                  (struct ln_bytes){ NULL, 0 }, r.packet, sizeof r.packet);
        CHECK_EQUAL(len, 12 + ln_srtp_rtp_overhead(r.out));
        CHECK_EQUAL(
            ln_srtp_unprotect_rtp(r.in, 1, 1, 12, r.packet, (size_t)len, r.plain, sizeof r.plain),
            12);
        rig_close(&r);
    }
}

LN_TEST(srtp, a_packet_passes_once_and_a_whole_capture_not_again)
{
    struct rig r;
    uint8_t capture[200][96];
    int len = 0;

    rig_open(&r, 0x0007);
    for (uint16_t i = 0; i < 200; i++) {
        len = protect(&r, 1, (uint16_t)(65400 + i));
        CHECK(len > 0);
        memcpy(capture[i], r.packet, (size_t)len);
        CHECK_EQUAL(unprotect(&r), 62);
    }
    for (int i = 0; i < 200; i++) {
        memcpy(r.packet, capture[i], (size_t)len);
        r.len = len;
        CHECK_EQUAL(unprotect(&r), LN_ERR_REPLAY);
    }
    CHECK_EQUAL(ln_srtp_counters(r.in)->replayed, 200);
    CHECK_EQUAL(pass(&r, 1, (uint16_t)(65400 + 200)), 62);
    rig_close(&r);
}

LN_TEST(srtp, a_sender_never_uses_an_index_twice)
{
    struct rig r;

    rig_open(&r, 0x0007);
    CHECK(protect(&r, 1, 10) > 0);
    CHECK_EQUAL(protect(&r, 1, 10), LN_ERR_REPLAY);
    CHECK(protect(&r, 1, 9) > 0); /* late, but new */
    CHECK_EQUAL(protect(&r, 1, 9), LN_ERR_REPLAY);
    CHECK(protect(&r, 2, 10) > 0); /* another stream */
    rig_close(&r);
}

LN_TEST(srtp, late_packets_pass_within_the_window_and_not_beyond)
{
    struct rig r;
    uint8_t old[96], older[96];
    int len;

    rig_open(&r, 0x0001);
    CHECK(protect(&r, 1, 1000) > 0);
    memcpy(older, r.packet, sizeof older);
    len = protect(&r, 1, 1001);
    CHECK(len > 0);
    memcpy(old, r.packet, sizeof old);
    CHECK_EQUAL(pass(&r, 1, (uint16_t)(1000 + LN_SRTP_WINDOW)), 62);
    r.len = len;
    memcpy(r.packet, older, sizeof older);
    CHECK_EQUAL(unprotect(&r), LN_ERR_REPLAY);
    memcpy(r.packet, old, sizeof old);
    CHECK_EQUAL(unprotect(&r), 62);
    rig_close(&r);
}

LN_TEST(srtp, the_roll_over_counter_survives_wraps_with_loss_and_a_first_packet_65535)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;
        uint32_t sequence = 65535;

        rig_open(&r, profiles[i]);
        CHECK_EQUAL(pass(&r, 1, 65535), 62);
        CHECK_EQUAL(pass(&r, 1, 0), 62);
        for (int n = 0; n < 400; n++) {
            sequence += 1 + ln_rng_below(test_env()->rng, 3000);
            CHECK(protect(&r, 1, (uint16_t)sequence) > 0);
            if (ln_rng_below(test_env()->rng, 3) > 0)
                CHECK_EQUAL(unprotect(&r), 62);
        }
        CHECK(sequence > 3 * 65536u);
        rig_close(&r);
    }
}

LN_TEST(srtp, a_late_packet_from_before_the_wrap_finds_its_counter)
{
    struct rig r;
    uint8_t late[96];
    int len;

    rig_open(&r, 0x0007);
    CHECK_EQUAL(pass(&r, 1, 65534), 62);
    len = protect(&r, 1, 65535);
    CHECK(len > 0);
    memcpy(late, r.packet, sizeof late);
    CHECK_EQUAL(pass(&r, 1, 0), 62);
    CHECK_EQUAL(pass(&r, 1, 1), 62);
    memcpy(r.packet, late, sizeof late);
    r.len = len;
    CHECK_EQUAL(unprotect(&r), 62);
    rig_close(&r);
}

LN_TEST(srtp, a_jump_by_half_the_number_space_does_not_break_the_stream)
{
    struct rig r;

    rig_open(&r, 0x0007);
    CHECK_EQUAL(pass(&r, 1, 100), 62);
    CHECK_EQUAL(pass(&r, 1, 100 + 0x8000), 62);
    CHECK_EQUAL(pass(&r, 1, 101 + 0x8000), 62);
    CHECK_EQUAL(pass(&r, 1, 99), 62); /* forward again, into the next round */
    CHECK_EQUAL(pass(&r, 1, 100), 62);
    rig_close(&r);
}

LN_TEST(srtp, a_forged_number_far_ahead_moves_nothing)
{
    struct rig r;
    uint8_t good[96];
    int len;

    rig_open(&r, 0x0007);
    CHECK_EQUAL(pass(&r, 1, 100), 62);
    len = protect(&r, 1, 101);
    CHECK(len > 0);
    memcpy(good, r.packet, sizeof good);
    ln_store16(r.packet + 2, 40000);
    CHECK_EQUAL(unprotect(&r), LN_ERR_INTEGRITY);
    memcpy(r.packet, good, sizeof good);
    r.len = len;
    CHECK_EQUAL(unprotect(&r), 62);
    CHECK_EQUAL(ln_srtp_counters(r.in)->bad_integrity, 1);
    rig_close(&r);
}

LN_TEST(srtp, forged_bits_truncation_and_plain_rtp_are_counted_and_dropped)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;
        uint8_t good[128];
        int len, bad = 0;

        rig_open(&r, profiles[i]);
        len = protect(&r, 1, 1);
        CHECK(len > 0);
        memcpy(good, r.packet, sizeof good);
        for (int bit = 0; bit < len * 8; bit += 5) {
            memcpy(r.packet, good, sizeof good);
            r.len = len;
            r.packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_EQUAL(unprotect(&r), LN_ERR_INTEGRITY);
            bad++;
        }
        for (r.len = 12; r.len < len; r.len++) {
            memcpy(r.packet, good, sizeof good);
            CHECK(unprotect(&r) < 0);
        }
        CHECK(ln_srtp_counters(r.in)->malformed == ln_srtp_rtp_overhead(r.in));
        memset(r.packet + 12, 0, 100); /* never protected */
        r.len = 112;
        CHECK_EQUAL(unprotect(&r), LN_ERR_INTEGRITY);
        memcpy(r.packet, good, sizeof good);
        r.len = len;
        CHECK_EQUAL(unprotect(&r), 62);
        CHECK(ln_srtp_counters(r.in)->bad_integrity > (uint64_t)bad);
        rig_close(&r);
    }
}

LN_TEST(srtp, packets_shorter_than_header_tag_and_index_are_malformed)
{
    for (int i = 0; i < 3; i++) {
        struct rig r;

        rig_open(&r, profiles[i]);
        for (size_t len = 0; len < 12 + ln_srtp_rtp_overhead(r.in); len++)
            CHECK_EQUAL(
                ln_srtp_unprotect_rtp(r.in, 1, 1, 12, r.packet, len, r.plain, sizeof r.plain),
                LN_ERR_MALFORMED);
        CHECK_EQUAL(ln_srtp_unprotect_rtp(r.in, 1, 1, 65535 * 4 + 16, r.packet, 100, r.plain,
                                          sizeof r.plain),
                    LN_ERR_MALFORMED);
        for (size_t len = 0; len < 8 + ln_srtp_rtcp_overhead(r.in); len++)
            CHECK_EQUAL(ln_srtp_unprotect_rtcp(r.in, r.packet, len, r.plain, sizeof r.plain),
                        LN_ERR_MALFORMED);
        for (size_t len = 0; len < 8; len++)
            CHECK_EQUAL(ln_srtp_protect_rtcp(r.out, r.packet, len, r.plain, sizeof r.plain),
                        LN_ERR_MALFORMED);
        rig_close(&r);
    }
}

LN_TEST(srtp, a_buffer_that_is_too_small_is_refused)
{
    struct rig r;
    uint8_t header[12] = { 0x80 }, payload[10] = { 0 };

    rig_open(&r, 0x0007);
    for (size_t cap = 0; cap < 38; cap++)
        CHECK_EQUAL(ln_srtp_protect_rtp(r.out, 1, 1, (struct ln_bytes){ header, 12 },
                                        (struct ln_bytes){ payload, 10 }, r.packet, cap),
                    LN_ERR_NO_SPACE);
    CHECK_EQUAL(ln_srtp_protect_rtp(r.out, 1, 1, (struct ln_bytes){ header, 12 },
                                    (struct ln_bytes){ payload, 10 }, r.packet, 38),
                38);
    CHECK_EQUAL(ln_srtp_unprotect_rtp(r.in, 1, 1, 12, r.packet, 38, r.plain, 21), LN_ERR_NO_SPACE);
    CHECK_EQUAL(ln_srtp_unprotect_rtp(r.in, 1, 1, 12, r.packet, 38, r.plain, 22), 22);
    rig_close(&r);
}

LN_TEST(srtp, a_hundred_thousand_ssrcs_stay_within_the_table)
{
    struct rig r;
    size_t full;

    if (test_allocator()->fail_at > 40)
        return; /* an out-of-memory sweep: the rest is the same again, thousands of times */
    rig_open(&r, 0x0007);
    for (uint32_t ssrc = 1; ssrc <= LN_SRTP_STREAMS_MAX; ssrc++)
        CHECK_EQUAL(pass(&r, ssrc, 1), 62);
    CHECK_EQUAL(protect(&r, 900000, 1), LN_ERR_LIMIT); /* our own table never forgets */
    full = test_allocator()->live_bytes;
    for (uint32_t round = 1; round < 8; round++) { /* fresh senders with the same key */
        uint8_t key[LN_SRTP_KEY_MAX], salt[LN_SRTP_SALT_MAX];

        for (uint8_t i = 0; i < sizeof key; i++)
            key[i] = (uint8_t)(i * 7);
        for (uint8_t i = 0; i < sizeof salt; i++)
            salt[i] = (uint8_t)(i * 13);
        ln_srtp_free(r.out);
        CHECK_EQUAL(ln_srtp_create(&r.out, 0x0007, key, salt, true, r.crypto, test_env()), 0);
        for (uint32_t i = 0; i < LN_SRTP_STREAMS_MAX; i++)
            CHECK_EQUAL(pass(&r, round * 1000000 + i, 1), 62);
        CHECK_EQUAL(test_allocator()->live_bytes, full);
    }
    CHECK_EQUAL(ln_srtp_counters(r.in)->streams_replaced, 7 * LN_SRTP_STREAMS_MAX);
    rig_close(&r);
}

LN_TEST(srtp, forged_ssrcs_take_no_room)
{
    struct rig r;
    size_t before;

    rig_open(&r, 0x0007);
    CHECK_EQUAL(pass(&r, 1, 1), 62);
    before = test_allocator()->live_bytes;
    for (uint32_t ssrc = 2; ssrc < 100000; ssrc++) {
        ln_store32(r.packet + 8, ssrc);
        CHECK_EQUAL(unprotect(&r), LN_ERR_INTEGRITY);
    }
    CHECK_EQUAL(test_allocator()->live_bytes, before);
    rig_close(&r);
}

LN_TEST(srtp, rtcp_comes_back_once_and_unencrypted_rtcp_is_refused)
{
    static const uint8_t report[28] = { 0x80, 200, 0, 6, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6 };

    for (int i = 0; i < 3; i++) {
        struct rig r;
        size_t word;

        rig_open(&r, profiles[i]);
        for (int n = 0; n < 5; n++) {
            r.len = ln_srtp_protect_rtcp(r.out, report, sizeof report, r.packet, sizeof r.packet);
            CHECK_EQUAL(r.len, sizeof report + ln_srtp_rtcp_overhead(r.out));
            CHECK_EQUAL(
                ln_srtp_unprotect_rtcp(r.in, r.packet, (size_t)r.len, r.plain, sizeof r.plain),
                sizeof report);
            CHECK_BYTES(r.plain, report, sizeof report);
            CHECK_EQUAL(
                ln_srtp_unprotect_rtcp(r.in, r.packet, (size_t)r.len, r.plain, sizeof r.plain),
                LN_ERR_REPLAY);
        }
        word = profiles[i] == 1 ? sizeof report : (size_t)r.len - 4;
        CHECK_EQUAL(ln_load32(r.packet + word), 0x80000004);
        r.packet[word] ^= 0x80;
        CHECK_EQUAL(ln_srtp_unprotect_rtcp(r.in, r.packet, (size_t)r.len, r.plain, sizeof r.plain),
                    LN_ERR_MALFORMED);
        r.packet[word] ^= 0x80;
        r.packet[word + 3] ^= 0x40;
        CHECK_EQUAL(ln_srtp_unprotect_rtcp(r.in, r.packet, (size_t)r.len, r.plain, sizeof r.plain),
                    LN_ERR_INTEGRITY);
        rig_close(&r);
    }
}

LN_TEST(srtp, nothing_is_allocated_per_packet)
{
    struct rig r;
    uint64_t before;

    rig_open(&r, 0x0007);
    CHECK_EQUAL(pass(&r, 1, 0), 62);
    before = test_allocator()->allocations;
    for (uint16_t i = 1; i < 500; i++)
        CHECK_EQUAL(pass(&r, 1, i), 62);
    CHECK_EQUAL(test_allocator()->allocations, before);
    rig_close(&r);
}

LN_TEST(srtp, unknown_profiles_are_refused_and_names_are_those_of_the_statistics)
{
    struct ln_crypto *crypto;
    struct ln_srtp *srtp = NULL;
    uint8_t zero[32] = { 0 };

    CHECK_EQUAL(ln_crypto_create(&crypto, test_env()->allocator), 0);
    CHECK_EQUAL(ln_srtp_create(&srtp, 2, zero, zero, true, crypto, test_env()),
                LN_ERR_NOT_SUPPORTED);
    CHECK(srtp == NULL && ln_srtp_key_len(2) == 0 && ln_srtp_salt_len(5) == 0);
    CHECK_TEXT(ln_srtp_profile_name(2), "");
    CHECK_TEXT(ln_srtp_profile_name(7), "AEAD_AES_128_GCM");
    ln_crypto_free(crypto);
}
