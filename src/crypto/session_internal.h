/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: a secure session's parts.
 *
 *   session.c           life and states, streams, the calls of both kinds
 *   session_handshake.c which records the library sees, and the timers
 *   session_datagram.c  records of a datagram session
 *   session_bio.c       the library's input and output: borrowed packets in, queued blocks out
 *   session_library.c   the library's objects: settings, certificates, keys of the finished
 * handshake record.c            the record layer of an established datagram session */
#ifndef LN_CRYPTO_SESSION_INTERNAL_H
#define LN_CRYPTO_SESSION_INTERNAL_H

#include "crypto/internal.h"
#include "crypto/record.h"
#include "crypto/session.h"

#define LN_MASTER_SECRET_LEN 48u /* RFC 5246, 8.1 */
#define LN_RANDOM_LEN        32u
#define LN_FINISHED_MAX      64u /* a sealed Finished: 13 + 8 + 24 + 16 bytes */

/* Alerts (RFC 5246, 7.2). */
#define LN_ALERT_WARNING      1
#define LN_ALERT_FATAL        2
#define LN_ALERT_CLOSE_NOTIFY 0

/* A kept piece: a datagram or record, or a part of a stream. */
struct ln_block {
    struct ln_block *next;
    size_t len, at;
    uint8_t data[];
};

struct ln_block_queue {
    struct ln_block *first, *last;
    size_t count, bytes;
};

bool ln_block_push(struct ln_block_queue *queue, struct ln_allocator *allocator, const void *data,
                   size_t len);
void ln_block_drop(struct ln_block_queue *queue, struct ln_allocator *allocator); /* the first */
void ln_block_clear(struct ln_block_queue *queue, struct ln_allocator *allocator);

struct ln_session {
    struct ln_crypto *crypto;
    const struct ln_env *env;

    /* settings */
    struct ln_certificate *certificate;
    bool is_client, is_datagram, require_extended_master_secret, after_cookie;
    enum ln_session_verify verify;
    bool (*accept)(void *context, struct ln_bytes der);
    void *accept_context;
    char *server_name; /* NULL: none */
    uint8_t *alpn;     /* names, each behind its length (RFC 7301, 3.1) */
    size_t alpn_len;
    char srtp_names[128]; /* the library's names, separated by ':' */
    size_t mtu;
    X509_STORE *trust; /* VERIFY_CHAIN */

    enum ln_session_state state;
    int error;
    SSL *ssl; /* datagram: only until the handshake is done */

    /* for the length of one call */
    struct ln_bytes *input; /* what the library may read */
    uint8_t *direct;        /* where the library's output goes first; else to the queue */
    size_t direct_cap, direct_len;

    struct ln_block_queue output;
    struct ln_block_queue held; /* records of epoch 1 that came before its keys */

    ln_time retransmit_at; /* the library's timer, on our clock */
    ln_time give_up_at;    /* end of the whole handshake */
    ln_time alert_at;      /* when an unauthenticated fatal alert is believed */
    int last_progress;     /* the library's state when last looked at */

    /* datagram: what went out, read off the wire */
    uint64_t next_sequence[2]; /* by epoch */
    uint64_t next_nonce;
    uint8_t finished[LN_FINISHED_MAX]; /* server: our Finished; sealed, then plain */
    size_t finished_len;
    bool have_hello;
    uint8_t hello_random[LN_RANDOM_LEN]; /* server: of the ClientHello that is answered */

    /* the finished handshake */
    struct ln_record_keys keys;
    enum ln_hash prf_hash;
    uint8_t master_secret[LN_MASTER_SECRET_LEN], randoms[2 * LN_RANDOM_LEN];
    uint8_t *peer_der;
    size_t peer_der_len;
    uint16_t version, srtp_profile;
    const char *cipher_name, *group_name; /* static */
    char alpn_name[32];

    struct ln_session_counters counters;
};

/* session.c */
void ln_session_set_state(struct ln_session *s, enum ln_session_state state);
void ln_session_fail(struct ln_session *s, int error);

/* session_handshake.c */
/* Lets the library go on with s->input. */
void ln_session_advance(struct ln_session *s, ln_time now);
/* A record that comes before the handshake is done. */
void ln_session_handshake_record(struct ln_session *s, ln_time now, const struct ln_record *record);
/* Why the library's last call failed. */
int ln_session_library_error(const struct ln_session *s);

/* session_datagram.c */
int ln_session_unwrap_datagram(struct ln_session *s, ln_time now, struct ln_bytes *packet,
                               uint8_t *out, size_t cap);
void ln_session_say_close(struct ln_session *s);

/* session_bio.c */
BIO_METHOD *ln_session_bio_method(void);

/* session_library.c */
LN_NODISCARD int ln_session_open_library(struct ln_session *s); /* makes s->ssl */
/* Reads what was negotiated and, for a datagram session, takes the keys out of the library. */
LN_NODISCARD int ln_session_take_result(struct ln_session *s);
LN_NODISCARD int ln_session_prf(const struct ln_session *s, const char *label, bool server_first,
                                uint8_t *out, size_t len);
const char *ln_srtp_library_name(uint16_t profile); /* NULL: not known */

#endif
