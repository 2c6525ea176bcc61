/* SPDX-License-Identifier: Apache-2.0
 * SRTP and SRTCP (RFC 3711; AES-GCM: RFC 7714): one direction of one session.
 *
 * The caller gives header length, SSRC and sequence number; this module knows no RTP beyond the
 * first four bytes of an SRTCP packet's SSRC. Per SSRC it keeps the roll-over counter and a replay
 * window of LN_SRTP_WINDOW packets, both ways: a sender cannot use an index twice, since under GCM
 * that gives away the key. */
#ifndef LN_SRTP_SRTP_H
#define LN_SRTP_SRTP_H

#include <linnet/env.h>

struct ln_crypto;
struct ln_srtp;

/* Protection profiles by their DTLS-SRTP number (RFC 5764, 4.1.2; RFC 7714, 14.2). */
enum ln_srtp_profile {
    LN_SRTP_PROFILE_AES128_CM_SHA1_80 = 0x0001,
    LN_SRTP_PROFILE_AEAD_AES_128_GCM = 0x0007,
    LN_SRTP_PROFILE_AEAD_AES_256_GCM = 0x0008,
};

#define LN_SRTP_KEY_MAX  32u
#define LN_SRTP_SALT_MAX 14u
/* SSRCs known at once. A receiver then forgets the one unused for longest, a sender refuses more.
 */
#define LN_SRTP_STREAMS_MAX   1024u
#define LN_SRTP_WINDOW        1024u /* packets */
#define LN_SRTP_OVERHEAD_MAX  16u   /* bytes that protect_rtp adds at most */
#define LN_SRTCP_OVERHEAD_MAX 20u   /* bytes that protect_rtcp adds at most */

/* 16/14, 16/12, 32/12; 0 for a profile that is not known. */
size_t ln_srtp_key_len(uint16_t profile);
size_t ln_srtp_salt_len(uint16_t profile);
/* "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM": the names of
 * RTCTransportStats.srtpCipher; "" for a profile that is not known. */
const char *ln_srtp_profile_name(uint16_t profile);

/* outbound  true: protects what we send; false: unprotects what we receive.
 * Returns 0, LN_ERR_NOT_SUPPORTED (profile), LN_ERR_NOMEM, LN_ERR_CRYPTO. */
LN_NODISCARD int ln_srtp_create(struct ln_srtp **ret_srtp, uint16_t profile, const uint8_t *key,
                                const uint8_t *salt, bool outbound, struct ln_crypto *crypto,
                                const struct ln_env *env);
void ln_srtp_free(struct ln_srtp *srtp); /* NULL is fine; wipes the keys */

/* Bytes added to a packet. */
size_t ln_srtp_rtp_overhead(const struct ln_srtp *srtp);
size_t ln_srtp_rtcp_overhead(const struct ln_srtp *srtp);

/* Protects a packet given as header (fixed part, CSRCs, extension: sent in the clear) and payload
 * (with padding), wherever they stand, into out. In place: header.data == out and payload.data ==
 * out + header.len. Else out overlaps neither; payload.data == out + header.len alone is fine too.
 *
 * ssrc, sequence  as in the header.
 *
 * Returns the length of the protected packet, LN_ERR_NO_SPACE, LN_ERR_REPLAY (this index was used,
 * or is too far back: send the kept bytes again instead, or RTX), LN_ERR_NOMEM. */
LN_NODISCARD int ln_srtp_protect_rtp(struct ln_srtp *srtp, uint32_t ssrc, uint16_t sequence,
                                     struct ln_bytes header, struct ln_bytes payload, uint8_t *out,
                                     size_t cap);

/* Unprotects a packet whose header has header_len bytes (extension included; the caller has checked
 * that they are there). out is `in` or does not overlap it; the header is copied along.
 *
 * Returns the length of the plain packet; dropped and counted: LN_ERR_MALFORMED (shorter than
 * header and tag), LN_ERR_INTEGRITY, LN_ERR_REPLAY, LN_ERR_NO_SPACE, LN_ERR_NOMEM. After an error
 * no state has changed, but a packet opened in place is spoilt. */
LN_NODISCARD int ln_srtp_unprotect_rtp(struct ln_srtp *srtp, uint32_t ssrc, uint16_t sequence,
                                       size_t header_len, const uint8_t *in, size_t len,
                                       uint8_t *out, size_t cap);

/* Protects a compound packet (8 bytes at least: header and sender SSRC): always encrypted, index
 * counted per SSRC. out is `in` or does not overlap it. Errors as above, and LN_ERR_MALFORMED,
 * LN_ERR_LIMIT after 2^31 packets. */
LN_NODISCARD int ln_srtp_protect_rtcp(struct ln_srtp *srtp, const uint8_t *in, size_t len,
                                      uint8_t *out, size_t cap);
LN_NODISCARD int ln_srtp_unprotect_rtcp(struct ln_srtp *srtp, const uint8_t *in, size_t len,
                                        uint8_t *out, size_t cap);

/* Packets by fate. */
struct ln_srtp_counters {
    uint64_t protected_packets, unprotected_packets;
    uint64_t malformed, bad_integrity, replayed;
    uint64_t streams_replaced; /* SSRCs forgotten for new ones */
};
const struct ln_srtp_counters *ln_srtp_counters(const struct ln_srtp *srtp);

#endif
