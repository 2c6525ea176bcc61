/* SPDX-License-Identifier: Apache-2.0
 * The cryptographic half of SRTP: session keys, and one packet sealed or opened with them at a
 * given index. No state, no replay check. Inside srtp/ only (and for the RFCs' vectors, which begin
 * at session keys). */
#ifndef LN_SRTP_TRANSFORM_H
#define LN_SRTP_TRANSFORM_H

#include "crypto/aead.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

#include <linnet/env.h>

#define LN_SRTP_AUTH_KEY_LEN 20u
#define LN_SRTCP_CLEAR_LEN   8u /* header and sender's SSRC stay in the clear */
#define LN_SRTCP_WORD_LEN    4u /* E and index */
#define LN_SRTCP_E           0x80000000u

struct ln_srtp_suite {
    uint16_t number;
    uint8_t key_len, salt_len, tag_len;
    bool gcm;
    const char *name;
};

const struct ln_srtp_suite *ln_srtp_suite(uint16_t number); /* NULL: not known */

/* What protects RTP, or RTCP. Zeroed memory may be deinitialised. */
struct ln_srtp_transform {
    const struct ln_srtp_suite *suite;
    struct ln_aead aead; /* GCM */
    struct ln_ctr ctr;   /* counter mode */
    struct ln_hmac hmac;
    uint8_t salt[14];
};

/* Session keys from the master key and salt (RFC 3711, 4.3), key derivation rate 0. */
struct ln_srtp_session_keys {
    uint8_t key[32], auth[LN_SRTP_AUTH_KEY_LEN], salt[14];
};
LN_NODISCARD int ln_srtp_derive(const struct ln_srtp_suite *suite, const uint8_t *key,
                                const uint8_t *salt, bool rtcp, struct ln_crypto *crypto,
                                struct ln_srtp_session_keys *ret_keys);

/* Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_srtp_transform_init(struct ln_srtp_transform *transform,
                                        const struct ln_srtp_suite *suite,
                                        const struct ln_srtp_session_keys *keys, bool seal,
                                        struct ln_crypto *crypto);
void ln_srtp_transform_deinit(struct ln_srtp_transform *transform);

/* The header stands at out already; ciphertext and tag are written behind it. */
void ln_srtp_seal_rtp(struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index, size_t header_len,
                      struct ln_bytes payload, uint8_t *out);
/* Writes the plain payload to out + header_len; len includes the tag. */
LN_NODISCARD bool ln_srtp_open_rtp(struct ln_srtp_transform *t, uint32_t ssrc, uint64_t index,
                                   size_t header_len, const uint8_t *in, size_t len, uint8_t *out);
/* Of len bytes of RTCP at `in`; writes all of the packet. */
void ln_srtp_seal_rtcp(struct ln_srtp_transform *t, uint32_t ssrc, uint32_t index,
                       const uint8_t *in, size_t len, uint8_t *out);
/* plain_len: without tag and word. Writes the packet behind its first 8 bytes. */
LN_NODISCARD bool ln_srtp_open_rtcp(struct ln_srtp_transform *t, uint32_t ssrc, uint32_t word,
                                    const uint8_t *in, size_t plain_len, uint8_t *out);

#endif
