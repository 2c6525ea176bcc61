/* SPDX-License-Identifier: Apache-2.0
 * WebRTC's use of DTLS (RFC 8827 6.5, RFC 8842, RFC 5763, RFC 5764): a secure session whose peer is
 * known by the fingerprints of its certificate, and which gives SRTP its keys.
 *
 *     create -> set_remote (role, fingerprints) -> set_writable(true) -> ... -> CONNECTED
 *
 * - Packets that come before set_remote() are kept (32) and replayed.
 * - Nothing is delivered and no key is given before the peer's certificate matched, in both roles.
 * - The client's hello leaves, and everything else too, only while writable (ICE has a path).
 * - Nothing unauthenticated changes a connected session.
 * The owner passes only datagrams from addresses that ICE has checked, of kind LN_PACKET_DTLS. */
#ifndef LN_DTLS_DTLS_H
#define LN_DTLS_DTLS_H

#include "crypto/session.h"

#include <linnet/env.h>

struct ln_dtls;

/* W3C RTCDtlsTransportState. */
enum ln_dtls_state {
    LN_DTLS_STATE_NEW,
    LN_DTLS_STATE_CONNECTING,
    LN_DTLS_STATE_CONNECTED,
    LN_DTLS_STATE_CLOSED,
    LN_DTLS_STATE_FAILED,
};
const char *ln_dtls_state_text(enum ln_dtls_state state); /* "new", "connecting", ... */

enum ln_dtls_role { LN_DTLS_ROLE_UNKNOWN, LN_DTLS_ROLE_CLIENT, LN_DTLS_ROLE_SERVER };
const char *ln_dtls_role_text(enum ln_dtls_role role); /* RTCDtlsRole: "unknown", "client", ... */

struct ln_fingerprint {
    const char *algorithm; /* "sha-256", "sha-384", "sha-512"; others are passed over */
    const char *value;     /* "AB:CD:..", any case */
};

#define LN_DTLS_EARLY_MAX        32u /* packets kept before set_remote() */
#define LN_DTLS_FINGERPRINTS_MAX 16u /* taken; more are passed over */
#define LN_DTLS_OVERHEAD_MAX     LN_SESSION_OVERHEAD_MAX

struct ln_dtls_config {
    struct ln_certificate *certificate; /* a reference is taken */
    /* NULL: AEAD_AES_128_GCM, AES128_CM_HMAC_SHA1_80, AEAD_AES_256_GCM. */
    const uint16_t *srtp_profiles;
    size_t srtp_profile_count;
    bool require_srtp; /* fail without use_srtp; false: data alone will do */
    bool require_extended_master_secret;
    size_t mtu; /* largest UDP payload; 0: 1200 */
};

/* Returns 0, LN_ERR_INVALID_ARGUMENT (no certificate), LN_ERR_NOMEM, LN_ERR_CRYPTO. */
LN_NODISCARD int ln_dtls_create(struct ln_dtls **ret_dtls, const struct ln_dtls_config *config,
                                struct ln_crypto *crypto, const struct ln_env *env);
void ln_dtls_free(struct ln_dtls *dtls); /* NULL is fine; sends nothing */

/* Our role, and what the peer's certificate must match: any one fingerprint of the strongest hash
 * that is present and known (RFC 8122, 5). The texts are copied.
 *
 * First call: starts. Later calls (re-offers): the same role; if a certificate is known already it
 * must match, else LN_ERR_FINGERPRINT and nothing has changed: this peer needs a new transport.
 * Returns 0, LN_ERR_NOT_SUPPORTED (no usable fingerprint), LN_ERR_INVALID_MODIFICATION (role),
 * LN_ERR_INVALID_STATE (closed, failed), LN_ERR_NOMEM, LN_ERR_CRYPTO. */
LN_NODISCARD int ln_dtls_set_remote(struct ln_dtls *dtls, enum ln_dtls_role role,
                                    const struct ln_fingerprint *fingerprints, size_t count);

/* Whether ICE has a path. While false nothing is sent and no timer runs. */
void ln_dtls_set_writable(struct ln_dtls *dtls, bool writable);

/* Takes a datagram and gives out decrypted application data (SCTP packets), one record a call.
 *
 *     struct ln_bytes packet = { data, len };
 *     while ((n = ln_dtls_receive(dtls, now, &packet, out, cap)) > 0)
 *         use(out, n);
 *
 * packet  advanced past what was taken; always empty when the result is 0
 * out     cap bytes (16384 always suffices) that do not overlap the packet
 *
 * Returns the length of the plaintext, or 0 when there is no more. Never fails: what is bad is
 * dropped and counted. */
LN_NODISCARD size_t ln_dtls_receive(struct ln_dtls *dtls, ln_time now, struct ln_bytes *packet,
                                    uint8_t *out, size_t cap);

/* Protects one message as one record at out: len + ln_dtls_overhead() bytes. plain may stand at out
 * + ln_dtls_headroom(): then nothing is copied. Returns the length, LN_ERR_INVALID_STATE (not
 * connected), LN_ERR_NO_SPACE, LN_ERR_TOO_BIG. */
LN_NODISCARD int ln_dtls_wrap(struct ln_dtls *dtls, ln_time now, const void *plain, size_t len,
                              uint8_t *out, size_t cap);
size_t ln_dtls_overhead(const struct ln_dtls *dtls);
size_t ln_dtls_headroom(const struct ln_dtls *dtls);

/* The next handshake (or alert) datagram into out. Returns its length, 0 when there is none or
 * there is no path, LN_ERR_NO_SPACE. Poll after each call with `now`, set_writable() and close().
 */
LN_NODISCARD int ln_dtls_poll_transmit(struct ln_dtls *dtls, ln_time now, uint8_t *out, size_t cap);

ln_time ln_dtls_next_timeout(const struct ln_dtls *dtls);
void ln_dtls_on_timeout(struct ln_dtls *dtls, ln_time now);

/* Queues a close_notify; CLOSED at once, with an event unless it was so before. */
void ln_dtls_close(struct ln_dtls *dtls, ln_time now);

/* News: each change of state, once, in order. Returns true if *ret_event was set. */
struct ln_dtls_event {
    enum ln_dtls_state state;
    int error; /* FAILED: LN_ERR_FINGERPRINT, LN_ERR_TIMEOUT, LN_ERR_NOT_SUPPORTED (no use_srtp),
                  LN_ERR_REFUSED (alert), LN_ERR_CRYPTO, LN_ERR_NOMEM */
    uint8_t alert; /* FAILED: the last alert sent or received, for RTCError; 0: none */
    bool alert_was_received;
};
bool ln_dtls_poll_event(struct ln_dtls *dtls, struct ln_dtls_event *ret_event);

enum ln_dtls_state ln_dtls_state(const struct ln_dtls *dtls);
enum ln_dtls_role ln_dtls_role(const struct ln_dtls *dtls);

/* SRTP master keys and salts from the exporter (RFC 5764, 4.2), sorted by direction; lengths by
 * ln_srtp_key_len() of the profile. */
struct ln_dtls_srtp_keys {
    uint16_t profile; /* LN_SRTP_... of session.h */
    uint8_t local_key[32], local_salt[14], remote_key[32], remote_salt[14];
};
/* Returns 0; LN_ERR_INVALID_STATE unless connected; LN_ERR_NOT_FOUND if use_srtp was not agreed.
 * Wipe *ret_keys after use. */
LN_NODISCARD int ln_dtls_srtp_keys(const struct ln_dtls *dtls, struct ln_dtls_srtp_keys *ret_keys);

/* For statistics and RTCDtlsTransport.getRemoteCertificates(). */
struct ln_bytes ln_dtls_remote_certificate(const struct ln_dtls *dtls); /* DER or {NULL, 0} */
struct ln_certificate *ln_dtls_certificate(const struct ln_dtls *dtls); /* ours, borrowed */
uint16_t ln_dtls_version(const struct ln_dtls *dtls);                   /* 0xfefd; 0: none yet */
const char *ln_dtls_cipher_name(const struct ln_dtls *dtls);            /* IANA name, "" */
const char *ln_dtls_group_name(const struct ln_dtls *dtls);             /* "x25519", "" */
uint16_t ln_dtls_srtp_profile(const struct ln_dtls *dtls);              /* 0: none */

struct ln_dtls_counters {
    uint64_t early_dropped; /* beyond LN_DTLS_EARLY_MAX, or when out of memory */
    struct ln_session_counters session;
};
void ln_dtls_counters(const struct ln_dtls *dtls, struct ln_dtls_counters *ret_counters);

#endif
