/* SPDX-License-Identifier: Apache-2.0
 * The handshake of a secure session and its timers: which records the library gets to see, what
 * comes too early, a peer that begins anew; RFC 5246, RFC 6347.
 *
 * Invariant: the library sees of a datagram session only handshake and ChangeCipherSpec records of
 * its present epoch: alerts that nobody signed, early data and everything else are kept from it. */
#include "base/bytes.h"
#include "base/time.h"
#include "crypto/session_internal.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define HANDSHAKE_LIMIT LN_SECONDS(30)
#define NOT_YET         LN_MILLISECONDS(15) /* the library's clock is a little behind ours */
#define NOT_SENT        LN_MILLISECONDS(50)
#define ALERT_PATIENCE  LN_SECONDS(2) /* anyone can forge an alert; real ones end the progress */
#define HELD_RECORD_MAX 2048u
#define CLIENT_HELLO    1
#define MESSAGE_HEADER  12u
#define HELLO_RANDOM_AT (MESSAGE_HEADER + 2u)

int ln_session_library_error(const struct ln_session *s)
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

/* It ends a while after it began: with what we sent, or what came first. */
static void begin(struct ln_session *s, ln_time now)
{
    if (s->give_up_at == LN_TIME_NEVER)
        s->give_up_at = ln_time_add(now, HANDSHAKE_LIMIT);
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

void ln_session_advance(struct ln_session *s, ln_time now)
{
    int result, progress;

    begin(s, now);
    ERR_clear_error();
    result = SSL_do_handshake(s->ssl);
    if (result == 1) {
        int error = ln_session_take_result(s);

        if (error)
            ln_session_fail(s, error);
        else
            ln_session_set_state(s, LN_SESSION_ESTABLISHED);
    } else if (SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ) {
        ln_session_fail(s, ln_session_library_error(s));
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
    ln_session_advance(s, now);
    s->input = NULL;
}

void ln_session_start(struct ln_session *s, ln_time now)
{
    assert(s->state == LN_SESSION_NEW);
    ln_session_set_state(s, LN_SESSION_HANDSHAKE);
    if (s->is_client)
        ln_session_advance(s, now);
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
    if (record->body.len != 2 || record->body.data[0] != LN_ALERT_FATAL)
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

void ln_session_handshake_record(struct ln_session *s, ln_time now, const struct ln_record *record)
{
    begin(s, now);
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

void ln_session_on_timeout(struct ln_session *s, ln_time now)
{
    int result;

    if (s->state != LN_SESSION_HANDSHAKE)
        return;
    if (ln_time_due(s->alert_at, now)) {
        ln_session_fail(s, LN_ERR_REFUSED);
    } else if (ln_time_due(s->give_up_at, now)) {
        ln_session_fail(s, LN_ERR_TIMEOUT);
    } else if (ln_time_due(s->retransmit_at, now) && s->output.count > 0) {
        /* What would be repeated has not left yet: there is no path. The library's patience (twelve
         * timeouts) is for what was sent. */
        s->retransmit_at = ln_time_add(now, NOT_SENT);
    } else if (ln_time_due(s->retransmit_at, now)) {
        ERR_clear_error();
        result = (int)DTLSv1_handle_timeout(s->ssl);
        ERR_clear_error();
        if (result < 0) {
            ln_session_fail(s, LN_ERR_TIMEOUT);
            return;
        }
        s->counters.retransmissions += result > 0;
        read_timer(s, now);
        /* The library's clock is the system's: it may say "not yet". */
        s->retransmit_at = ln_time_max(s->retransmit_at, ln_time_add(now, NOT_YET));
    }
}
