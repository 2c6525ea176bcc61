/* SPDX-License-Identifier: Apache-2.0
 * A secure session: its states, its two kinds of input and its timers; see session.h.
 *
 * Invariants: ssl is set exactly in HANDSHAKE, and in an established stream session. The library
 * sees of a datagram session only handshake and ChangeCipherSpec records of its present epoch:
 * alerts that nobody signed, early data and everything else are kept from it. */
#include "crypto/session.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "crypto/session_internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <limits.h>
#include <openssl/pem.h>
#include <string.h>

#define MTU_DEFAULT     1200u
#define MTU_MIN         256u
#define MTU_MAX         16384u
#define HANDSHAKE_LIMIT LN_SECONDS(30)
#define NOT_YET         LN_MILLISECONDS(15) /* the library's clock is a little behind ours */
#define NOT_SENT        LN_MILLISECONDS(50)
#define ALERT_PATIENCE  LN_SECONDS(2) /* anyone can forge an alert; real ones end the progress */
#define SMALL_RECORD    256u          /* plaintext of an alert or a repeated Finished */
#define HELD_RECORD_MAX 2048u

/* Handshake messages (RFC 5246, 7.4; RFC 6347, 4.2.2). */
#define CLIENT_HELLO        1
#define FINISHED            20
#define MESSAGE_HEADER      12u
#define CLOSE_NOTIFY        0
#define ALERT_LEVEL_WARNING 1
#define ALERT_LEVEL_FATAL   2
#define HELLO_RANDOM_AT     (MESSAGE_HEADER + 2u)

/* ---- life ---- */

static bool copy_alpn(struct ln_session *s, const char *const *names, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += 1 + strlen(names[i]);
    if (len == 0)
        return true;
    if (!(s->alpn = ln_alloc(s->env->allocator, len)))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);

        s->alpn[s->alpn_len++] = (uint8_t)n;
        memcpy(s->alpn + s->alpn_len, names[i], n);
        s->alpn_len += n;
    }
    return true;
}

static X509_STORE *read_roots(struct ln_bytes pem)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    X509 *x509;
    int count = 0;

    while (store && bio && (x509 = PEM_read_bio_X509(bio, NULL, ln_no_passphrase, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, x509) == 1;
        X509_free(x509);
    }
    BIO_free(bio);
    if (count == 0) {
        X509_STORE_free(store);
        store = NULL;
    }
    return store;
}

/* The system's roots are read once for a worker: that takes some milliseconds. */
static X509_STORE *system_roots(struct ln_crypto *crypto)
{
    if (!crypto->roots && (crypto->roots = X509_STORE_new()) != NULL)
        (void)X509_STORE_set_default_paths(crypto->roots);
    if (crypto->roots)
        X509_STORE_up_ref(crypto->roots);
    return crypto->roots;
}

static bool config_is_valid(const struct ln_session_config *config)
{
    if (!config->is_client && !config->certificate)
        return false;
    if (config->srtp_profile_count > LN_SESSION_SRTP_PROFILES_MAX ||
        config->alpn_count > LN_SESSION_ALPN_MAX)
        return false;
    for (size_t i = 0; i < config->srtp_profile_count; i++)
        if (!ln_srtp_library_name(config->srtp_profiles[i]))
            return false;
    for (size_t i = 0; i < config->alpn_count; i++)
        if (!config->alpn[i][0] ||
            strlen(config->alpn[i]) >= sizeof((struct ln_session *)0)->alpn_name)
            return false;
    return config->mtu == 0 || (config->mtu >= MTU_MIN && config->mtu <= MTU_MAX);
}

static int copy_config(struct ln_session *s, const struct ln_session_config *config)
{
    char *at = s->srtp_names;

    if (config->certificate)
        s->certificate = ln_certificate_ref(config->certificate);
    s->is_client = config->is_client;
    s->is_datagram = config->is_datagram;
    s->require_extended_master_secret = config->require_extended_master_secret;
    s->after_cookie = config->after_cookie && config->is_datagram && !config->is_client;
    s->verify = config->verify;
    s->accept = config->accept;
    s->accept_context = config->accept_context;
    s->mtu = config->mtu ? config->mtu : MTU_DEFAULT;
    for (size_t i = 0; i < config->srtp_profile_count; i++) {
        const char *name = ln_srtp_library_name(config->srtp_profiles[i]);

        if (i > 0)
            *at++ = ':';
        memcpy(at, name, strlen(name) + 1);
        at += strlen(name);
    }
    if (config->server_name &&
        !(s->server_name = ln_alloc_text(s->env->allocator, config->server_name)))
        return LN_ERR_NOMEM;
    if (!copy_alpn(s, config->alpn, config->alpn_count))
        return LN_ERR_NOMEM;
    if (s->verify == LN_SESSION_VERIFY_CHAIN) {
        s->trust = config->trust_pem.data ? read_roots(config->trust_pem) : system_roots(s->crypto);
        ERR_clear_error();
        if (!s->trust)
            return LN_ERR_CRYPTO;
    }
    return 0;
}

int ln_session_create(struct ln_session **ret_session, const struct ln_session_config *config,
                      struct ln_crypto *crypto, const struct ln_env *env)
{
    struct ln_session *s;
    int error;

    if (!config_is_valid(config))
        return LN_ERR_INVALID_ARGUMENT;
    if (!(s = ln_alloc_zero(env->allocator, sizeof *s)))
        return LN_ERR_NOMEM;
    s->crypto = crypto;
    s->env = env;
    s->cipher_name = s->group_name = "";
    s->retransmit_at = s->give_up_at = s->alert_at = LN_TIME_NEVER;
    error = copy_config(s, config);
    if (!error)
        error = ln_session_open_library(s);
    if (error) {
        ln_session_free(s);
        return error;
    }
    *ret_session = s;
    return 0;
}

void ln_session_free(struct ln_session *s)
{
    struct ln_allocator *allocator;

    if (!s)
        return;
    allocator = s->env->allocator;
    SSL_free(s->ssl);
    ERR_clear_error();
    X509_STORE_free(s->trust);
    ln_record_keys_deinit(&s->keys);
    ln_block_clear(&s->output, allocator);
    ln_block_clear(&s->held, allocator);
    ln_certificate_unref(s->certificate);
    ln_free(allocator, s->peer_der);
    ln_free(allocator, s->server_name);
    ln_free(allocator, s->alpn);
    ln_wipe(s, sizeof *s);
    ln_free(allocator, s);
}

static void set_state(struct ln_session *s, enum ln_session_state state)
{
    assert(state > s->state);
    s->state = state;
    if (state == LN_SESSION_HANDSHAKE)
        return;
    s->retransmit_at = s->give_up_at = s->alert_at = LN_TIME_NEVER;
    if (state == LN_SESSION_ESTABLISHED)
        return;
    if (s->is_datagram) {
        SSL_free(s->ssl);
        ERR_clear_error();
        s->ssl = NULL;
    }
    ln_block_clear(&s->held, s->env->allocator);
}

static void fail(struct ln_session *s, int error)
{
    s->error = error;
    set_state(s, LN_SESSION_FAILED);
}

/* ---- the handshake ---- */

static int error_of_library(const struct ln_session *s)
{
    unsigned long code = ERR_peek_last_error();

    if (s->error)
        return s->error; /* our own check said why */
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return LN_ERR_CRYPTO;
    if (ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET)
        return LN_ERR_REFUSED; /* an alert of the peer */
    switch (ERR_GET_REASON(code)) {
    case SSL_R_READ_TIMEOUT_EXPIRED:
        return LN_ERR_TIMEOUT;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return LN_ERR_FINGERPRINT;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_BAD_SRTP_MKI_VALUE:
    case SSL_R_BAD_SRTP_PROTECTION_PROFILE_LIST:
        return LN_ERR_NOT_SUPPORTED;
    default:
        return LN_ERR_CRYPTO;
    }
}

static void read_timer(struct ln_session *s, ln_time now)
{
    struct timeval left;

    s->retransmit_at = LN_TIME_NEVER;
    if (s->state == LN_SESSION_HANDSHAKE && s->is_datagram &&
        DTLSv1_get_timeout(s->ssl, &left) == 1)
        s->retransmit_at = ln_time_add(now,
                                       LN_SECONDS(left.tv_sec) + LN_MICROSECONDS(left.tv_usec));
}

/* Lets the library go on with s->input. */
static void advance(struct ln_session *s, ln_time now)
{
    int result, progress;

    ERR_clear_error();
    result = SSL_do_handshake(s->ssl);
    if (result == 1) {
        int error = ln_session_take_result(s);

        if (error)
            fail(s, error);
        else
            set_state(s, LN_SESSION_ESTABLISHED);
    } else if (SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ) {
        fail(s, error_of_library(s));
    } else {
        progress = (int)SSL_get_state(s->ssl);
        if (progress != s->last_progress)
            s->alert_at = LN_TIME_NEVER; /* the peer is alive: that alert was none of its own */
        s->last_progress = progress;
        read_timer(s, now);
    }
    ERR_clear_error();
}

static void feed(struct ln_session *s, ln_time now, struct ln_bytes record)
{
    s->input = &record;
    advance(s, now);
    s->input = NULL;
}

void ln_session_start(struct ln_session *s, ln_time now)
{
    assert(s->state == LN_SESSION_NEW);
    set_state(s, LN_SESSION_HANDSHAKE);
    if (s->is_client) {
        s->give_up_at = ln_time_add(now, HANDSHAKE_LIMIT);
        advance(s, now);
    }
}

/* The peer's ChangeCipherSpec was taken, so its Finished can be read. */
static bool awaits_finished(const struct ln_session *s)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(s->ssl);

    return state == TLS_ST_SR_CHANGE || state == TLS_ST_CR_CHANGE;
}

/* A server that has answered one ClientHello and heard no more may begin anew with another. */
static bool may_restart(const struct ln_session *s)
{
    switch (SSL_get_state(s->ssl)) {
    case TLS_ST_SR_CERT:
    case TLS_ST_SR_KEY_EXCH:
    case TLS_ST_SR_CERT_VRFY:
    case TLS_ST_SR_CHANGE:
    case TLS_ST_SR_FINISHED:
        return false;
    default:
        return s->counters.restarts < LN_SESSION_RESTARTS_MAX;
    }
}

static void restart(struct ln_session *s)
{
    SSL *old = s->ssl;

    s->ssl = NULL;
    if (ln_session_open_library(s)) {
        s->ssl = old; /* go on with what there is */
        return;
    }
    SSL_free(old);
    ERR_clear_error();
    ln_block_clear(&s->output, s->env->allocator);
    ln_block_clear(&s->held, s->env->allocator);
    memset(s->next_sequence, 0, sizeof s->next_sequence);
    s->finished_len = 0;
    s->last_progress = 0;
    s->counters.restarts++;
}

/* A ClientHello with another random on the same path is a peer that began anew: its message numbers
 * repeat, so the library would take it for a retransmission and answer nothing useful. */
static void look_for_restart(struct ln_session *s, const struct ln_record *record)
{
    const uint8_t *m = record->body.data;

    if (s->is_client || record->body.len < HELLO_RANDOM_AT + LN_RANDOM_LEN ||
        m[0] != CLIENT_HELLO || ln_load16(m + 4) != 0 || ln_load24(m + 6) != 0)
        return;
    if (s->have_hello && memcmp(s->hello_random, m + HELLO_RANDOM_AT, LN_RANDOM_LEN) != 0) {
        if (!may_restart(s))
            return;
        restart(s);
    }
    memcpy(s->hello_random, m + HELLO_RANDOM_AT, LN_RANDOM_LEN);
    s->have_hello = true;
}

static void note_plain_alert(struct ln_session *s, ln_time now, const struct ln_record *record)
{
    s->counters.unauthenticated_alerts++;
    if (record->body.len != 2 || record->body.data[0] != ALERT_LEVEL_FATAL)
        return;
    s->counters.alert_received = record->body.data[1];
    s->alert_at = ln_time_min(s->alert_at, ln_time_add(now, ALERT_PATIENCE));
}

static void hold(struct ln_session *s, const struct ln_record *record)
{
    if (s->held.count >= LN_SESSION_HELD_MAX || record->whole.len > HELD_RECORD_MAX ||
        !ln_block_push(&s->held, s->env->allocator, record->whole.data, record->whole.len))
        s->counters.not_held++;
}

/* Gives the library a Finished that overtook what precedes it. */
static void feed_held_finished(struct ln_session *s, ln_time now)
{
    struct ln_block_queue rest = { NULL, NULL, 0, 0 };

    while (s->held.first) {
        struct ln_block *block = s->held.first;

        if (block->data[0] == LN_RECORD_HANDSHAKE && s->state == LN_SESSION_HANDSHAKE)
            feed(s, now, (struct ln_bytes){ block->data, block->len });
        else
            (void)ln_block_push(&rest, s->env->allocator, block->data, block->len);
        if (s->held.first) /* empty if the session failed */
            ln_block_drop(&s->held, s->env->allocator);
    }
    if (s->state > LN_SESSION_ESTABLISHED)
        ln_block_clear(&rest, s->env->allocator);
    s->held = rest;
}

static void handshake_record(struct ln_session *s, ln_time now, const struct ln_record *record)
{
    if (s->give_up_at == LN_TIME_NEVER)
        s->give_up_at = ln_time_add(now, HANDSHAKE_LIMIT);
    if (record->epoch == 1 && !(record->type == LN_RECORD_HANDSHAKE && awaits_finished(s))) {
        hold(s, record);
        return;
    }
    if (record->epoch > 1) {
        s->counters.wrong_epoch++;
        return;
    }
    switch (record->type) {
    case LN_RECORD_ALERT:
        note_plain_alert(s, now, record);
        return;
    case LN_RECORD_HANDSHAKE:
        if (record->epoch == 0)
            look_for_restart(s, record);
        break;
    case LN_RECORD_CHANGE_CIPHER_SPEC:
        break;
    default:
        s->counters.malformed++;
        return;
    }
    feed(s, now, record->whole);
    if (s->state == LN_SESSION_HANDSHAKE && s->held.count > 0 && awaits_finished(s))
        feed_held_finished(s, now);
}

/* ---- the established datagram session ---- */

static void send_record(struct ln_session *s, enum ln_record_type type, const uint8_t *plain,
                        size_t len)
{
    uint8_t record[SMALL_RECORD + LN_SESSION_OVERHEAD_MAX];
    int record_len;

    assert(len <= SMALL_RECORD);
    record_len = ln_record_seal(&s->keys, type, plain, len, record);
    if (record_len > 0 && s->output.count < LN_SESSION_OUTPUT_MAX)
        (void)ln_block_push(&s->output, s->env->allocator, record, (size_t)record_len);
}

/* The client did not get our last flight: ChangeCipherSpec and Finished, with fresh numbers. */
static void repeat_last_flight(struct ln_session *s)
{
    uint8_t flight[LN_RECORD_HEADER_LEN + 1 + LN_FINISHED_MAX + LN_SESSION_OVERHEAD_MAX] = { 0 };
    size_t at = LN_RECORD_HEADER_LEN + 1;
    int len;

    flight[0] = LN_RECORD_CHANGE_CIPHER_SPEC;
    ln_store16(flight + 1, LN_DTLS_1_2);
    ln_store64(flight + 3, s->next_sequence[0]++); /* epoch 0 in the upper 16 bits */
    ln_store16(flight + 11, 1);
    flight[13] = 1;
    len = ln_record_seal(&s->keys, LN_RECORD_HANDSHAKE, s->finished, s->finished_len, flight + at);
    if (len > 0 && s->output.count < LN_SESSION_OUTPUT_MAX)
        (void)ln_block_push(&s->output, s->env->allocator, flight, at + (size_t)len);
    s->counters.retransmissions++;
}

static void count_open_error(struct ln_session *s, int error)
{
    switch (error) {
    case LN_ERR_REPLAY:
        s->counters.replayed++;
        break;
    case LN_ERR_INTEGRITY:
        s->counters.bad_integrity++;
        break;
    case LN_ERR_NO_SPACE:
        s->counters.too_big++;
        break;
    default:
        s->counters.malformed++;
        break;
    }
}

static void alert(struct ln_session *s, const uint8_t *plain, int len)
{
    static const uint8_t answer[] = { ALERT_LEVEL_WARNING, CLOSE_NOTIFY };

    if (len != 2)
        return;
    if (plain[1] == CLOSE_NOTIFY) {
        send_record(s, LN_RECORD_ALERT, answer, sizeof answer);
        set_state(s, LN_SESSION_CLOSED);
    } else if (plain[0] == ALERT_LEVEL_FATAL) {
        s->counters.alert_received = plain[1];
        fail(s, LN_ERR_REFUSED);
    }
}

/* Anything of epoch 1 but application data. */
static void control_record(struct ln_session *s, const struct ln_record *record)
{
    uint8_t plain[SMALL_RECORD];
    int len = ln_record_open(&s->keys, record, plain, sizeof plain);

    if (len < 0) {
        count_open_error(s, len);
    } else if (record->type == LN_RECORD_ALERT) {
        alert(s, plain, len);
    } else if (record->type == LN_RECORD_HANDSHAKE) {
        /* A repeated Finished asks for our last flight; anything else would be renegotiation. */
        if (!s->is_client && len > 0 && plain[0] == FINISHED)
            repeat_last_flight(s);
        else
            s->counters.refused_handshakes++;
    } else {
        s->counters.malformed++;
    }
    ln_wipe(plain, sizeof plain);
}

/* Returns the length of delivered plaintext, or 0. */
static int established_record(struct ln_session *s, const struct ln_record *record, uint8_t *out,
                              size_t cap)
{
    int len;

    if (record->epoch != 1) {
        s->counters.wrong_epoch++;
        s->counters.unauthenticated_alerts += record->type == LN_RECORD_ALERT;
        return 0;
    }
    if (record->type != LN_RECORD_APPLICATION_DATA) {
        control_record(s, record);
        return 0;
    }
    len = ln_record_open(&s->keys, record, out, cap);
    if (len < 0) {
        count_open_error(s, len);
        return 0;
    }
    s->counters.records_received++;
    return len;
}

static int unwrap_held(struct ln_session *s, uint8_t *out, size_t cap)
{
    int len = 0;

    while (len == 0 && s->held.first && s->state == LN_SESSION_ESTABLISHED) {
        struct ln_bytes datagram = { s->held.first->data, s->held.first->len };
        struct ln_record record;

        if (ln_record_next(&datagram, &record))
            len = established_record(s, &record, out, cap);
        if (s->held.first) /* an alert may have ended the session */
            ln_block_drop(&s->held, s->env->allocator);
    }
    return len;
}

static int unwrap_datagram(struct ln_session *s, ln_time now, struct ln_bytes *packet, uint8_t *out,
                           size_t cap)
{
    struct ln_record record;
    int len;

    if (s->state == LN_SESSION_ESTABLISHED && (len = unwrap_held(s, out, cap)) > 0)
        return len;
    while (s->state <= LN_SESSION_ESTABLISHED && ln_record_next(packet, &record)) {
        if (s->state == LN_SESSION_HANDSHAKE) {
            handshake_record(s, now, &record);
            if (s->state != LN_SESSION_HANDSHAKE)
                return 0;
        } else if ((len = established_record(s, &record, out, cap)) > 0) {
            return len;
        }
    }
    if (packet->len > 0)
        s->counters.malformed++;
    *packet = (struct ln_bytes){ NULL, 0 };
    return 0;
}

/* ---- streams ---- */

static int unwrap_stream(struct ln_session *s, ln_time now, struct ln_bytes *packet, uint8_t *out,
                         size_t cap)
{
    size_t len = 0;
    int result;

    s->input = packet;
    if (s->state == LN_SESSION_HANDSHAKE) {
        if (s->give_up_at == LN_TIME_NEVER)
            s->give_up_at = ln_time_add(now, HANDSHAKE_LIMIT);
        advance(s, now);
    } else if (cap > 0) {
        ERR_clear_error();
        result = SSL_read_ex(s->ssl, out, cap, &len);
        if (result != 1) {
            len = 0;
            result = SSL_get_error(s->ssl, result);
            if (result == SSL_ERROR_ZERO_RETURN)
                set_state(s, LN_SESSION_CLOSED);
            else if (result != SSL_ERROR_WANT_READ)
                fail(s, error_of_library(s));
        } else {
            s->counters.records_received++;
        }
        ERR_clear_error();
    }
    s->input = NULL;
    return (int)len;
}

static int wrap_stream(struct ln_session *s, const void *plain, size_t len, uint8_t *out,
                       size_t cap)
{
    size_t written = 0;
    int result;

    if (s->output.bytes + len > LN_SESSION_STREAM_MAX)
        return LN_ERR_LIMIT;
    if (len == 0)
        return 0;
    s->direct = out;
    s->direct_cap = cap;
    s->direct_len = 0;
    ERR_clear_error();
    result = SSL_write_ex(s->ssl, plain, len, &written);
    s->direct = NULL;
    if (result != 1)
        fail(s, LN_ERR_NOMEM); /* the output takes everything unless memory ends */
    ERR_clear_error();
    s->counters.records_sent++;
    return result == 1 ? (int)s->direct_len : LN_ERR_INVALID_STATE;
}

/* ---- calls for both ---- */

int ln_session_unwrap(struct ln_session *s, ln_time now, struct ln_bytes *packet, uint8_t *out,
                      size_t cap)
{
    if (s->state > LN_SESSION_ESTABLISHED) {
        *packet = (struct ln_bytes){ NULL, 0 };
        return LN_ERR_CLOSED;
    }
    assert(s->state != LN_SESSION_NEW);
    return s->is_datagram ? unwrap_datagram(s, now, packet, out, cap)
                          : unwrap_stream(s, now, packet, out, cap);
}

int ln_session_wrap(struct ln_session *s, ln_time now, const void *plain, size_t len, uint8_t *out,
                    size_t cap)
{
    int result;

    (void)now;
    if (s->state != LN_SESSION_ESTABLISHED)
        return LN_ERR_INVALID_STATE;
    if (!s->is_datagram)
        return wrap_stream(s, plain, len, out, cap);
    if (len > LN_RECORD_PLAIN_MAX)
        return LN_ERR_TOO_BIG;
    if (cap < len + ln_session_overhead(s))
        return LN_ERR_NO_SPACE;
    result = ln_record_seal(&s->keys, LN_RECORD_APPLICATION_DATA, plain, len, out);
    if (result > 0)
        s->counters.records_sent++;
    return result;
}

size_t ln_session_headroom(const struct ln_session *s)
{
    if (s->state != LN_SESSION_ESTABLISHED || !s->is_datagram)
        return LN_RECORD_HEADER_LEN + LN_RECORD_NONCE_LEN;
    return ln_record_headroom(&s->keys);
}

size_t ln_session_overhead(const struct ln_session *s)
{
    return ln_session_headroom(s) + LN_AEAD_TAG_LEN;
}

int ln_session_poll_output(struct ln_session *s, uint8_t *out, size_t cap)
{
    size_t len = 0;

    if (!s->output.first)
        return 0;
    if (s->is_datagram) {
        len = s->output.first->len;
        if (len > cap)
            return LN_ERR_NO_SPACE;
        memcpy(out, s->output.first->data, len);
        ln_block_drop(&s->output, s->env->allocator);
        return (int)len;
    }
    if (cap > INT_MAX)
        cap = INT_MAX;
    while (s->output.first && len < cap) {
        struct ln_block *block = s->output.first;
        size_t n = block->len - block->at < cap - len ? block->len - block->at : cap - len;

        memcpy(out + len, block->data + block->at, n);
        block->at += n;
        len += n;
        if (block->at == block->len)
            ln_block_drop(&s->output, s->env->allocator);
    }
    return (int)len;
}

ln_time ln_session_next_timeout(const struct ln_session *s)
{
    return ln_time_min(s->retransmit_at, ln_time_min(s->give_up_at, s->alert_at));
}

void ln_session_on_timeout(struct ln_session *s, ln_time now)
{
    int result;

    if (s->state != LN_SESSION_HANDSHAKE)
        return;
    if (ln_time_due(s->alert_at, now)) {
        fail(s, LN_ERR_REFUSED);
    } else if (ln_time_due(s->give_up_at, now)) {
        fail(s, LN_ERR_TIMEOUT);
    } else if (ln_time_due(s->retransmit_at, now) && s->output.count > 0) {
        /* What would be repeated has not left yet: there is no path. The library's patience (twelve
         * timeouts) is for what was sent. */
        s->retransmit_at = ln_time_add(now, NOT_SENT);
    } else if (ln_time_due(s->retransmit_at, now)) {
        ERR_clear_error();
        result = (int)DTLSv1_handle_timeout(s->ssl);
        ERR_clear_error();
        if (result < 0) {
            fail(s, LN_ERR_TIMEOUT);
            return;
        }
        s->counters.retransmissions += result > 0;
        read_timer(s, now);
        /* The library's clock is the system's: it may say "not yet". */
        s->retransmit_at = ln_time_max(s->retransmit_at, ln_time_add(now, NOT_YET));
    }
}

void ln_session_close(struct ln_session *s, ln_time now)
{
    static const uint8_t notify[] = { ALERT_LEVEL_WARNING, CLOSE_NOTIFY };

    (void)now;
    if (s->state > LN_SESSION_ESTABLISHED)
        return;
    if (s->state == LN_SESSION_ESTABLISHED && s->is_datagram) {
        send_record(s, LN_RECORD_ALERT, notify, sizeof notify);
    } else if (s->state == LN_SESSION_ESTABLISHED) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    set_state(s, LN_SESSION_CLOSED);
}

int ln_session_export(const struct ln_session *s, const char *label, uint8_t *out, size_t len)
{
    int ok;

    if (s->state != LN_SESSION_ESTABLISHED)
        return LN_ERR_INVALID_STATE;
    if (len > 256)
        return LN_ERR_TOO_BIG;
    if (s->is_datagram)
        return ln_session_prf(s, label, false, out, len);
    ok = SSL_export_keying_material(s->ssl, out, len, label, strlen(label), NULL, 0, 0);
    ERR_clear_error();
    return ok == 1 ? 0 : LN_ERR_CRYPTO;
}

enum ln_session_state ln_session_state(const struct ln_session *s)
{
    return s->state;
}

int ln_session_error(const struct ln_session *s)
{
    return s->state == LN_SESSION_FAILED ? s->error : 0;
}

struct ln_bytes ln_session_peer_certificate(const struct ln_session *s)
{
    return (struct ln_bytes){ s->peer_der_len > 0 ? s->peer_der : NULL, s->peer_der_len };
}

uint16_t ln_session_srtp_profile(const struct ln_session *s)
{
    return s->srtp_profile;
}

const char *ln_session_alpn(const struct ln_session *s)
{
    return s->alpn_name;
}

uint16_t ln_session_version(const struct ln_session *s)
{
    return s->version;
}

const char *ln_session_cipher_name(const struct ln_session *s)
{
    return s->cipher_name;
}

const char *ln_session_group_name(const struct ln_session *s)
{
    return s->group_name;
}

const struct ln_session_counters *ln_session_counters(const struct ln_session *s)
{
    return &s->counters;
}
