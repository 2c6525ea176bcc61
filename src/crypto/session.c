/* SPDX-License-Identifier: Apache-2.0
 * A secure session: its life and states, streams, and the calls of both kinds; see session.h.
 *
 * Invariant: ssl is set exactly in HANDSHAKE, and in an established stream session. */
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

#define MTU_DEFAULT 1200u
#define MTU_MIN     256u
#define MTU_MAX     16384u

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

void ln_session_set_state(struct ln_session *s, enum ln_session_state state)
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

void ln_session_fail(struct ln_session *s, int error)
{
    s->error = error;
    ln_session_set_state(s, LN_SESSION_FAILED);
}

/* ---- streams ---- */

static int unwrap_stream(struct ln_session *s, ln_time now, struct ln_bytes *packet, uint8_t *out,
                         size_t cap)
{
    size_t len = 0;
    int result;

    s->input = packet;
    if (s->state == LN_SESSION_HANDSHAKE) {
        ln_session_advance(s, now);
    } else if (cap > 0) {
        ERR_clear_error();
        result = SSL_read_ex(s->ssl, out, cap, &len);
        if (result != 1) {
            len = 0;
            result = SSL_get_error(s->ssl, result);
            if (result == SSL_ERROR_ZERO_RETURN)
                ln_session_set_state(s, LN_SESSION_CLOSED);
            else if (result != SSL_ERROR_WANT_READ)
                ln_session_fail(s, ln_session_library_error(s));
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
        ln_session_fail(s, LN_ERR_NOMEM); /* the output takes everything unless memory ends */
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
    return s->is_datagram ? ln_session_unwrap_datagram(s, now, packet, out, cap)
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

void ln_session_close(struct ln_session *s, ln_time now)
{
    (void)now;
    if (s->state > LN_SESSION_ESTABLISHED)
        return;
    if (s->state == LN_SESSION_ESTABLISHED && s->is_datagram) {
        ln_session_say_close(s);
    } else if (s->state == LN_SESSION_ESTABLISHED) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    ln_session_set_state(s, LN_SESSION_CLOSED);
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
