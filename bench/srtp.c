/* SPDX-License-Identifier: Apache-2.0
 * Protecting and unprotecting one packet, beside the bare calls of the cryptographic library that
 * do the same work: the cipher fetched once, a nonce for each packet, the header as associated
 * data, a tag (GCM), or counter mode and one HMAC (CM). */
#include "bench/bench.h"

#include "crypto/crypto.h"
#include "srtp/srtp.h"

#include <linnet/environment.h>
#include <linnet/error.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define PACKETS 20000
#define ROUNDS  11
#define BYTES   1200
#define HEADER  12

struct work {
    uint16_t profile;
    const char *name;
    struct ln_env *env;
    uint8_t key[32], salt[14], plain[BYTES], sealed[BYTES + 32], opened[BYTES + 32];
};

static void write_header(uint8_t *packet, uint32_t index)
{
    memset(packet, 0, HEADER);
    packet[0] = 0x80;
    packet[1] = 96;
    packet[2] = (uint8_t)(index >> 8);
    packet[3] = (uint8_t)index;
    packet[11] = 7;
}

/* Nanoseconds a packet to protect and to unprotect; packets of consecutive numbers. */
static int run_ours(struct work *w, double *ret_protect, double *ret_unprotect)
{
    static uint8_t packets[PACKETS][BYTES + 32]; /* bench: one thread */
    struct ln_bytes header = { w->plain, HEADER }, payload = { w->plain + HEADER, BYTES - HEADER };
    struct ln_srtp *out = NULL, *in = NULL;
    int error, len = 0, i;
    double from;

    error = ln_srtp_create(&out, w->profile, w->key, w->salt, true, w->env->crypto, w->env);
    if (!error)
        error = ln_srtp_create(&in, w->profile, w->key, w->salt, false, w->env->crypto, w->env);
    from = bench_cpu_seconds();
    for (i = 0; i < PACKETS && !error; i++) {
        write_header(w->plain, (uint32_t)i);
        len = ln_srtp_protect_rtp(out, 7, (uint16_t)i, header, payload, packets[i],
                                  sizeof packets[i]);
        error = len < 0 ? len : 0;
    }
    *ret_protect = (bench_cpu_seconds() - from) / PACKETS * 1e9;
    from = bench_cpu_seconds();
    for (i = 0; i < PACKETS && !error; i++) {
        int n = ln_srtp_unprotect_rtp(in, 7, (uint16_t)i, HEADER, packets[i], (size_t)len,
                                      w->opened, sizeof w->opened);

        error = n < 0 ? n : 0;
    }
    *ret_unprotect = (bench_cpu_seconds() - from) / PACKETS * 1e9;
    ln_srtp_free(out);
    ln_srtp_free(in);
    return error;
}

static int run_gcm(struct work *w, bool seal, double *ret_ns)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(
        NULL, w->profile == LN_SRTP_PROFILE_AEAD_AES_256_GCM ? "AES-256-GCM" : "AES-128-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[12] = { 0 }, tag[16];
    double from;
    int len, i,
        good = cipher && ctx && EVP_CipherInit_ex2(ctx, cipher, w->key, NULL, seal, NULL) == 1;

    from = bench_cpu_seconds();
    for (i = 0; i < PACKETS && good; i++) {
        nonce[10] = (uint8_t)(i >> 8);
        nonce[11] = (uint8_t)i;
        write_header(w->plain, (uint32_t)i);
        if (!seal) /* the tag of another packet: the work is the same, the answer is no */
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag);
        good = EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, seal, NULL) == 1 &&
               EVP_CipherUpdate(ctx, NULL, &len, w->plain, HEADER) == 1 &&
               EVP_CipherUpdate(ctx, w->sealed, &len, w->plain + HEADER, BYTES - HEADER) == 1;
        if (seal)
            good = good && EVP_CipherFinal_ex(ctx, w->sealed, &len) == 1 &&
                   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
        else
            EVP_CipherFinal_ex(ctx, w->sealed, &len);
    }
    *ret_ns = (bench_cpu_seconds() - from) / PACKETS * 1e9;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return good ? 0 : LN_ERR_CRYPTO;
}

static int run_cm(struct work *w, double *ret_ns)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    char sha1[] = "SHA1";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha1, 0),
                            OSSL_PARAM_construct_end() };
    uint8_t iv[16] = { 0 }, tag[20];
    size_t tag_len;
    double from;
    int len, i,
        good = cipher && ctx && mac && EVP_MAC_init(mac, w->key, 20, params) == 1 &&
               EVP_CipherInit_ex2(ctx, cipher, w->key, NULL, 1, NULL) == 1;

    from = bench_cpu_seconds();
    for (i = 0; i < PACKETS && good; i++) {
        iv[12] = (uint8_t)(i >> 8);
        iv[13] = (uint8_t)i;
        write_header(w->plain, (uint32_t)i);
        good = EVP_CipherInit_ex2(ctx, NULL, NULL, iv, 1, NULL) == 1 &&
               EVP_CipherUpdate(ctx, w->sealed, &len, w->plain + HEADER, BYTES - HEADER) == 1 &&
               EVP_MAC_init(mac, NULL, 0, NULL) == 1 &&
               EVP_MAC_update(mac, w->plain, HEADER) == 1 &&
               EVP_MAC_update(mac, w->sealed, BYTES - HEADER) == 1 &&
               EVP_MAC_final(mac, tag, &tag_len, sizeof tag) == 1;
    }
    *ret_ns = (bench_cpu_seconds() - from) / PACKETS * 1e9;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return good ? 0 : LN_ERR_CRYPTO;
}

static int run_bare(struct work *w, bool seal, double *ret_ns)
{
    return w->profile == LN_SRTP_PROFILE_AES128_CM_SHA1_80 ? run_cm(w, ret_ns)
                                                           : run_gcm(w, seal, ret_ns);
}

static int measure(struct work *w, long runs, json_t *rows)
{
    double ours[2][64], bare[2][64];
    int error = 0, direction;
    long i;

    for (i = 0; i < runs && !error; i++) { /* in turn, so that both see the same machine */
        error = run_ours(w, &ours[0][i], &ours[1][i]);
        if (!error)
            error = run_bare(w, true, &bare[0][i]);
        if (!error)
            error = run_bare(w, false, &bare[1][i]);
    }
    for (direction = 0; direction < 2 && !error; direction++)
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:i, s:f, s:f}", "stack", "linnet", "profile", w->name,
                            "direction", direction == 0 ? "protect" : "unprotect", "bytes", BYTES,
                            "ns", bench_quantile(ours[direction], (size_t)runs, 0.5), "ns_evp",
                            bench_quantile(bare[direction], (size_t)runs, 0.5)));
    return error;
}

int bench_srtp(const struct bench_options *options, json_t *rows)
{
    static const uint16_t profiles[] = { LN_SRTP_PROFILE_AEAD_AES_128_GCM,
                                         LN_SRTP_PROFILE_AES128_CM_SHA1_80,
                                         LN_SRTP_PROFILE_AEAD_AES_256_GCM };
    long runs = options->runs ? options->runs : ROUNDS;
    ln_environment *environment;
    int error = ln_environment_create(NULL, NULL, &environment);
    size_t i;

    if (error)
        return error;
    for (i = 0; i < sizeof profiles / sizeof *profiles && !error; i++) {
        struct work work = { .profile = profiles[i], .name = ln_srtp_profile_name(profiles[i]) };

        work.env = ln_environment_env(environment);
        error = measure(&work, runs < 64 ? runs : 64, rows);
    }
    ln_environment_free(environment);
    return error;
}
