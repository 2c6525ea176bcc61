/* SPDX-License-Identifier: Apache-2.0
 * SPAKE2 (RFC 9382) on the groups of libcrypto.
 *
 *   pA = x*P + w*M     K = x*(pB - w*N)     (3.3; the cofactor of P-256 is 1)
 *   pB = y*P + w*N     K = y*(pA - w*M)
 *   TT = lengths and values of A, B, pA, pB, K, w; Ke || Ka = SHA-256(TT)   (3.3, 4)
 *   KcA || KcB = HKDF(Ka, "", "ConfirmationKeys" || AAD); cA = HMAC(KcA, TT)
 *
 * Scalars carry BN_FLG_CONSTTIME, and each is multiplied alone: a sum of two products in one call
 * would take the library's variable-time path. */
#include "crypto/spake2.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"

#include <linnet/error.h>

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

#define WIDE_LEN    40u /* a scalar with 64 bits more than the order */
#define FIELD_COUNT 6u  /* of TT */

/* RFC 9382, 4: M and N of P-256, compressed. Nobody knows their logarithms. */
static const uint8_t point_m[33] = { 0x02, 0x88, 0x6e, 0x2f, 0x97, 0xac, 0xe4, 0x6e, 0x55,
                                     0xba, 0x9d, 0xd7, 0x24, 0x25, 0x79, 0xf2, 0x99, 0x3b,
                                     0x64, 0xe1, 0x6e, 0xf3, 0xdc, 0xab, 0x95, 0xaf, 0xd4,
                                     0x97, 0x33, 0x3d, 0x8f, 0xa1, 0x2f };
static const uint8_t point_n[33] = { 0x03, 0xd8, 0xbb, 0xd6, 0xc6, 0x39, 0xc6, 0x29, 0x37,
                                     0xb0, 0x4d, 0x99, 0x7f, 0x38, 0xc3, 0x77, 0x07, 0x19,
                                     0xc6, 0x29, 0xd7, 0x01, 0x4d, 0x49, 0xa2, 0x4b, 0x4f,
                                     0x98, 0xba, 0xa1, 0x29, 0x2b, 0x49 };

struct ln_spake2 {
    struct ln_allocator *allocator;
    enum ln_spake2_role role;
    bool finished;
    uint8_t w[LN_SPAKE2_SCALAR_LEN], scalar[LN_SPAKE2_SCALAR_LEN];
    uint8_t share[LN_SPAKE2_SHARE_LEN];
    uint8_t key[LN_SPAKE2_KEY_LEN];
    uint8_t ours[LN_SPAKE2_CONFIRMATION_LEN], theirs[LN_SPAKE2_CONFIRMATION_LEN];
};

/* The library's objects of one computation. */
struct math {
    EC_GROUP *group;
    BN_CTX *context;
    BIGNUM *w, *scalar;
    EC_POINT *product, *sum, *blind;
};

static void math_deinit(struct math *m)
{
    EC_POINT_clear_free(m->product);
    EC_POINT_clear_free(m->sum);
    EC_POINT_clear_free(m->blind);
    BN_clear_free(m->w);
    BN_clear_free(m->scalar);
    BN_CTX_free(m->context);
    EC_GROUP_free(m->group);
    ERR_clear_error();
}

static int math_init(struct math *m, const struct ln_spake2 *s)
{
    memset(m, 0, sizeof *m);
    m->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    m->context = BN_CTX_secure_new();
    m->w = BN_secure_new();
    m->scalar = BN_secure_new();
    if (!m->group || !m->context || !m->w || !m->scalar)
        return LN_ERR_NOMEM;
    BN_set_flags(m->w, BN_FLG_CONSTTIME);
    BN_set_flags(m->scalar, BN_FLG_CONSTTIME);
    m->product = EC_POINT_new(m->group);
    m->sum = EC_POINT_new(m->group);
    m->blind = EC_POINT_new(m->group);
    if (!m->product || !m->sum || !m->blind || !BN_bin2bn(s->w, sizeof s->w, m->w) ||
        !BN_bin2bn(s->scalar, sizeof s->scalar, m->scalar))
        return LN_ERR_NOMEM;
    return 0;
}

/* m->blind = w times the point of a role. */
static bool blind(struct math *m, enum ln_spake2_role role)
{
    return EC_POINT_oct2point(m->group, m->product, role == LN_SPAKE2_A ? point_m : point_n,
                              sizeof point_m, m->context) &&
           EC_POINT_mul(m->group, m->blind, NULL, m->product, m->w, m->context);
}

static bool write_point(struct math *m, const EC_POINT *point, uint8_t *to)
{
    return EC_POINT_point2oct(m->group, point, POINT_CONVERSION_UNCOMPRESSED, to,
                              LN_SPAKE2_SHARE_LEN, m->context) == LN_SPAKE2_SHARE_LEN;
}

static int make_share(struct ln_spake2 *s)
{
    struct math m;
    int error = math_init(&m, s);

    if (!error &&
        !(blind(&m, s->role) && EC_POINT_mul(m.group, m.product, m.scalar, NULL, NULL, m.context) &&
          EC_POINT_add(m.group, m.sum, m.product, m.blind, m.context) &&
          write_point(&m, m.sum, s->share)))
        error = LN_ERR_NOMEM;
    math_deinit(&m);
    return error;
}

/* K = scalar * (their share - w * the point of their role). */
static int make_secret(const struct ln_spake2 *s, const uint8_t *share, uint8_t *secret)
{
    struct math m;
    int error = math_init(&m, s);

    if (!error && (share[0] != POINT_CONVERSION_UNCOMPRESSED ||
                   !EC_POINT_oct2point(m.group, m.sum, share, LN_SPAKE2_SHARE_LEN, m.context)))
        error = LN_ERR_MALFORMED;
    if (!error && !(blind(&m, s->role == LN_SPAKE2_A ? LN_SPAKE2_B : LN_SPAKE2_A) &&
                    EC_POINT_invert(m.group, m.blind, m.context) &&
                    EC_POINT_add(m.group, m.product, m.sum, m.blind, m.context)))
        error = LN_ERR_NOMEM;
    if (!error && EC_POINT_is_at_infinity(m.group, m.product))
        error = LN_ERR_MALFORMED; /* K would be known to everybody */
    if (!error && !(EC_POINT_mul(m.group, m.blind, NULL, m.product, m.scalar, m.context) &&
                    write_point(&m, m.blind, secret)))
        error = LN_ERR_NOMEM;
    math_deinit(&m);
    return error;
}

/* bytes (big-endian) modulo the order; wide has at most WIDE_LEN bytes. Never fails but for memory.
 */
static int reduce(const uint8_t *wide, size_t len, uint8_t scalar[LN_SPAKE2_SCALAR_LEN])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_CTX *context = BN_CTX_secure_new();
    BIGNUM *number = BN_secure_new();
    int error = LN_ERR_NOMEM;

    if (group && context && number && BN_bin2bn(wide, (int)len, number)) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        if (BN_mod(number, number, EC_GROUP_get0_order(group), context) &&
            BN_bn2binpad(number, scalar, LN_SPAKE2_SCALAR_LEN) == LN_SPAKE2_SCALAR_LEN)
            error = 0;
    }
    BN_clear_free(number);
    BN_CTX_free(context);
    EC_GROUP_free(group);
    ERR_clear_error();
    return error;
}

int ln_spake2_password(struct ln_bytes secret, struct ln_bytes salt, struct ln_bytes info,
                       uint8_t w[LN_SPAKE2_SCALAR_LEN])
{
    uint8_t wide[WIDE_LEN];
    int error;

    ln_hkdf_sha256(secret, salt, &info, 1, wide, sizeof wide);
    error = reduce(wide, sizeof wide, w);
    ln_wipe(wide, sizeof wide);
    return error;
}

static bool in_range(const uint8_t scalar[LN_SPAKE2_SCALAR_LEN])
{
    static const uint8_t zero[LN_SPAKE2_SCALAR_LEN];
    uint8_t reduced[LN_SPAKE2_SCALAR_LEN];
    bool ok = reduce(scalar, LN_SPAKE2_SCALAR_LEN, reduced) == 0 &&
              ln_equal_constant_time(scalar, reduced, sizeof reduced) &&
              !ln_equal_constant_time(scalar, zero, sizeof zero);

    ln_wipe(reduced, sizeof reduced);
    return ok;
}

int ln_spake2_create_with(struct ln_spake2 **ret_spake2, enum ln_spake2_role role,
                          const uint8_t w[LN_SPAKE2_SCALAR_LEN],
                          const uint8_t scalar[LN_SPAKE2_SCALAR_LEN], struct ln_env *env)
{
    struct ln_spake2 *s;
    int error;

    if (!in_range(scalar))
        return LN_ERR_RANGE;
    s = ln_alloc_zero(env->allocator, sizeof *s);
    if (!s)
        return LN_ERR_NOMEM;
    s->allocator = env->allocator;
    s->role = role;
    memcpy(s->w, w, sizeof s->w);
    memcpy(s->scalar, scalar, sizeof s->scalar);
    error = make_share(s);
    if (error)
        ln_spake2_free(s);
    else
        *ret_spake2 = s;
    return error;
}

int ln_spake2_create(struct ln_spake2 **ret_spake2, enum ln_spake2_role role,
                     const uint8_t w[LN_SPAKE2_SCALAR_LEN], struct ln_env *env)
{
    uint8_t wide[WIDE_LEN], scalar[LN_SPAKE2_SCALAR_LEN];
    int error;

    ln_rng_bytes(env->rng, wide, sizeof wide);
    error = reduce(wide, sizeof wide, scalar);
    if (!error)
        error = ln_spake2_create_with(ret_spake2, role, w, scalar, env);
    ln_wipe(wide, sizeof wide);
    ln_wipe(scalar, sizeof scalar);
    return error;
}

void ln_spake2_free(struct ln_spake2 *s)
{
    if (!s)
        return;
    struct ln_allocator *allocator = s->allocator;

    ln_wipe(s, sizeof *s);
    ln_free(allocator, s);
}

void ln_spake2_share(const struct ln_spake2 *s, uint8_t share[LN_SPAKE2_SHARE_LEN])
{
    memcpy(share, s->share, LN_SPAKE2_SHARE_LEN);
}

/* From the transcript to the key and both confirmations (RFC 9382, 4). */
static void derive(struct ln_spake2 *s, const struct ln_bytes *transcript, size_t count,
                   struct ln_bytes additional)
{
    static const char label[] = "ConfirmationKeys";
    const struct ln_bytes info[2] = { { (const uint8_t *)label, sizeof label - 1 }, additional };
    uint8_t digest[LN_SHA256_LEN], keys[LN_SHA256_LEN];
    uint8_t *a = s->role == LN_SPAKE2_A ? s->ours : s->theirs;
    uint8_t *b = s->role == LN_SPAKE2_A ? s->theirs : s->ours;

    ln_hash_pieces(LN_HASH_SHA256, transcript, count, digest);
    memcpy(s->key, digest, sizeof s->key);
    ln_hkdf_sha256((struct ln_bytes){ digest + 16, 16 }, (struct ln_bytes){ NULL, 0 }, info, 2,
                   keys, sizeof keys);
    ln_hmac_once(LN_HASH_SHA256, keys, 16, transcript, count, a);
    ln_hmac_once(LN_HASH_SHA256, keys + 16, 16, transcript, count, b);
    ln_wipe(digest, sizeof digest);
    ln_wipe(keys, sizeof keys);
}

int ln_spake2_finish(struct ln_spake2 *s, const uint8_t share[LN_SPAKE2_SHARE_LEN],
                     struct ln_bytes id_a, struct ln_bytes id_b, struct ln_bytes additional)
{
    uint8_t secret[LN_SPAKE2_SHARE_LEN], lengths[FIELD_COUNT][8];
    bool is_a = s->role == LN_SPAKE2_A;
    struct ln_bytes transcript[2 * FIELD_COUNT];
    const struct ln_bytes fields[FIELD_COUNT] = {
        id_a,
        id_b,
        { is_a ? s->share : share, LN_SPAKE2_SHARE_LEN },
        { is_a ? share : s->share, LN_SPAKE2_SHARE_LEN },
        { secret, sizeof secret },
        { s->w, sizeof s->w },
    };
    int error;

    assert(!s->finished);
    error = make_secret(s, share, secret);
    if (error)
        return error;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        for (size_t byte = 0; byte < 8; byte++) /* little-endian (RFC 9382, 3.3) */
            lengths[i][byte] = (uint8_t)((uint64_t)fields[i].len >> (8 * byte));
        transcript[2 * i] = (struct ln_bytes){ lengths[i], 8 };
        transcript[2 * i + 1] = fields[i];
    }
    derive(s, transcript, 2 * FIELD_COUNT, additional);
    ln_wipe(secret, sizeof secret);
    s->finished = true;
    return 0;
}

void ln_spake2_confirmation(const struct ln_spake2 *s,
                            uint8_t confirmation[LN_SPAKE2_CONFIRMATION_LEN])
{
    assert(s->finished);
    memcpy(confirmation, s->ours, LN_SPAKE2_CONFIRMATION_LEN);
}

bool ln_spake2_confirmed(const struct ln_spake2 *s,
                         const uint8_t confirmation[LN_SPAKE2_CONFIRMATION_LEN])
{
    assert(s->finished);
    return ln_equal_constant_time(confirmation, s->theirs, LN_SPAKE2_CONFIRMATION_LEN);
}

void ln_spake2_key(const struct ln_spake2 *s, uint8_t key[LN_SPAKE2_KEY_LEN])
{
    assert(s->finished);
    memcpy(key, s->key, LN_SPAKE2_KEY_LEN);
}
