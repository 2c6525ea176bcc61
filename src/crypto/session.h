/* SPDX-License-Identifier: Apache-2.0
 * A secure session without input or output of its own: TLS 1.2/1.3 on a byte stream (RFC 5246,
 * 8446), DTLS 1.2 on datagrams (RFC 6347).
 *
 *     handshake   receive/unwrap -> session -> poll_output, until the state is ESTABLISHED or
 * FAILED afterwards  wrap: plaintext -> one record in the caller's memory; unwrap: the reverse
 *
 * DTLS: the library does the handshake; the record layer of the established session is our own, and
 * the library's object (70 KiB) is given back the moment the handshake is done. Nothing that is not
 * authenticated changes an established session. One datagram may carry several records.
 *
 * Provider: these functions are the provider interface; session_*.c implement it on OpenSSL 3.0 (no
 * DTLS 1.3, no post-quantum groups). Another library is another set of these files. */
#ifndef LN_CRYPTO_SESSION_H
#define LN_CRYPTO_SESSION_H

#include "crypto/certificate.h"

#include <linnet/env.h>

struct ln_session;

enum ln_session_state {
    LN_SESSION_NEW,         /* not started */
    LN_SESSION_HANDSHAKE,   /* started, or waiting for a ClientHello */
    LN_SESSION_ESTABLISHED, /* the peer proved its key; data may pass */
    LN_SESSION_CLOSED,      /* close_notify sent or received */
    LN_SESSION_FAILED,      /* see ln_session_error() */
};

enum ln_session_verify {
    LN_SESSION_VERIFY_NONE,    /* server: asks for no certificate; client: accepts any */
    LN_SESSION_VERIFY_REQUIRE, /* demands a certificate, any that `accept` takes */
    LN_SESSION_VERIFY_CHAIN,   /* demands a chain up to a trusted root, for server_name if set */
};

/* SRTP protection profiles (RFC 5764, 4.1.2; RFC 7714, 14.2). */
#define LN_SRTP_AES128_CM_HMAC_SHA1_80 0x0001u
#define LN_SRTP_AEAD_AES_128_GCM       0x0007u
#define LN_SRTP_AEAD_AES_256_GCM       0x0008u

#define LN_SESSION_SRTP_PROFILES_MAX 4u
#define LN_SESSION_ALPN_MAX          8u  /* protocols */
#define LN_SESSION_HELD_MAX          32u /* application records kept that overtake the handshake */
#define LN_SESSION_OUTPUT_MAX        64u /* handshake datagrams waiting for poll_output */
#define LN_SESSION_STREAM_MAX        (256u * 1024u) /* bytes waiting in a stream session, each way */
#define LN_SESSION_RESTARTS_MAX      8u /* new ClientHellos taken before one handshake is done */
#define LN_SESSION_CERTIFICATE_MAX   (16u * 1024u) /* bytes of the peer's leaf */

struct ln_session_config {
    bool is_client, is_datagram;
    struct ln_certificate *certificate; /* a reference is taken; NULL: a client without one */
    const uint16_t *srtp_profiles;      /* in order of preference; count 0: no use_srtp */
    size_t srtp_profile_count;
    const char *const *alpn; /* protocol names in order of preference; count 0: none */
    size_t alpn_count;
    const char *server_name;   /* client: SNI and, with VERIFY_CHAIN, the name that must match */
    struct ln_bytes trust_pem; /* VERIFY_CHAIN: roots; {NULL, 0}: the system's */
    size_t mtu;                /* datagram: largest UDP payload; 0: 1200 */
    enum ln_session_verify verify;
    /* Asked during the handshake, once the peer's certificate is there (verify not NONE), before a
     * key is agreed and before anything is delivered: false ends the handshake with an alert and
     * LN_ERR_FINGERPRINT. NULL: accepted. It calls nothing of the session. */
    bool (*accept)(void *context, struct ln_bytes der);
    void *accept_context;
    /* Server, datagram: the first ClientHello to come is the second one of its client, with a
     * cookie that ln_dtls_cookie_check() has found right (RFC 6347, 4.2.1). */
    bool after_cookie;
    bool require_extended_master_secret; /* refuse a peer without it (RFC 7627); else counted */
};

/* All that is read from config is copied. Returns 0, LN_ERR_INVALID_ARGUMENT, LN_ERR_NOMEM,
 * LN_ERR_CRYPTO. crypto and env outlive the session. */
LN_NODISCARD int ln_session_create(struct ln_session **ret_session,
                                   const struct ln_session_config *config, struct ln_crypto *crypto,
                                   const struct ln_env *env);
void ln_session_free(struct ln_session *session); /* NULL is fine; sends nothing */

/* Client: writes the first flight. Server: begins to listen. Once, in state NEW. */
void ln_session_start(struct ln_session *session, ln_time now);

/* Takes the next datagram, or any piece of a stream, and gives out decrypted data.
 *
 * packet  in: what arrived (may be empty); out: what is left of it. Call until it is empty and the
 *         result 0: one datagram may hold several records, and records that overtook the handshake
 *         are given out once it is done.
 * out     cap bytes that do not overlap the packet. Datagram: one record's plaintext a call; a
 *         record larger than cap is dropped and counted (16384 always suffices).
 *
 * Returns the length of the plaintext in out; 0 when nothing more is there, or the state has just
 * changed (then a rest of the packet may be left); LN_ERR_CLOSED after the end (the packet is
 * emptied). Answers of the handshake wait in poll_output afterwards. */
LN_NODISCARD int ln_session_unwrap(struct ln_session *session, ln_time now, struct ln_bytes *packet,
                                   uint8_t *out, size_t cap);

/* Protects one message. Datagram: exactly one record at out, `len` + ln_session_overhead() bytes;
 * plain may stand at out + ln_session_headroom(), then nothing is copied. Stream: records at out as
 * far as cap goes, the rest (and all of it while output is already waiting) through poll_output.
 * Returns the bytes written to out, LN_ERR_INVALID_STATE when not established, LN_ERR_NO_SPACE,
 * LN_ERR_TOO_BIG (datagram: above 16384), LN_ERR_LIMIT (stream: too much waits). */
LN_NODISCARD int ln_session_wrap(struct ln_session *session, ln_time now, const void *plain,
                                 size_t len, uint8_t *out, size_t cap);
/* Datagram sessions: bytes added to a message in all, and in front of it. 37 and 21 with AES-GCM,
 * 29 and 13 with ChaCha20-Poly1305; the larger before the handshake is done. */
#define LN_SESSION_OVERHEAD_MAX 37u
#define LN_SESSION_TAG_LEN      16u
size_t ln_session_overhead(const struct ln_session *session);
size_t ln_session_headroom(const struct ln_session *session);

/* Datagram: the next datagram to send. Stream: the next bytes, as many as fit. Returns the length,
 * 0 when there is none, LN_ERR_NO_SPACE when the datagram is larger than cap (it stays). */
LN_NODISCARD int ln_session_poll_output(struct ln_session *session, uint8_t *out, size_t cap);

/* Retransmission and the limit of the handshake (30 s). */
ln_time ln_session_next_timeout(const struct ln_session *session);
void ln_session_on_timeout(struct ln_session *session, ln_time now);

/* Queues a close_notify if established; the state becomes CLOSED. */
void ln_session_close(struct ln_session *session, ln_time now);

enum ln_session_state ln_session_state(const struct ln_session *session);
int ln_session_error(const struct ln_session *session); /* why FAILED; else 0 */

/* Keying material of an established session (RFC 5705, without context), at any time while it is
 * ESTABLISHED. Returns 0, LN_ERR_INVALID_STATE, LN_ERR_TOO_BIG (above 256 bytes) or LN_ERR_CRYPTO.
 */
LN_NODISCARD int ln_session_export(const struct ln_session *session, const char *label,
                                   uint8_t *out, size_t len);

/* What was negotiated; all of an established session, and the certificate of a failed one too. */
struct ln_bytes
ln_session_peer_certificate(const struct ln_session *session);        /* DER or {NULL, 0} */
uint16_t ln_session_srtp_profile(const struct ln_session *session);   /* 0: none */
const char *ln_session_alpn(const struct ln_session *session);        /* "" : none */
uint16_t ln_session_version(const struct ln_session *session);        /* 0xfefd, 0x0303, 0x0304 */
const char *ln_session_cipher_name(const struct ln_session *session); /* IANA name, "" : none */
const char *
ln_session_group_name(const struct ln_session *session); /* "x25519", "secp256r1", "" : none */

/* Input that was dropped, by reason, and other things worth counting. */
struct ln_session_counters {
    uint64_t records_sent, records_received; /* application data */
    uint64_t malformed;                      /* not a record, or cut short */
    uint64_t bad_integrity;                  /* did not decrypt */
    uint64_t replayed;                       /* seen before or too old */
    uint64_t wrong_epoch; /* plain or future-epoch records in an established session */
    uint64_t unauthenticated_alerts;
    uint64_t refused_handshakes; /* renegotiation and the like in an established session */
    uint64_t not_held;           /* early records beyond LN_SESSION_HELD_MAX */
    uint64_t too_big;            /* larger than the caller's buffer */
    uint64_t restarts;           /* handshakes begun anew by another ClientHello */
    uint64_t retransmissions;    /* flights sent again */
    uint64_t no_extended_master_secret;
    uint8_t alert_received, alert_sent; /* the last alert's description (RFC 5246, 7.2) */
};
const struct ln_session_counters *ln_session_counters(const struct ln_session *session);

#endif
