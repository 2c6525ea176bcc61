/* SPDX-License-Identifier: Apache-2.0
 * The library's side of a session: settings shared by all sessions of a worker, the object of one
 * handshake, the check of the peer's certificate, and what is taken out at the end.
 *
 * Policy (RFC 8827 6.5, RFC 7525): TLS 1.2 and up, ECDHE with AEAD only, extended master secret, no
 * renegotiation, no compression, no tickets, no resumption. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/session_internal.h"

#include <linnet/address.h>
#include <linnet/error.h>

#include <openssl/core_names.h>
#include <openssl/srtp.h>
#include <string.h>

#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256:P-384"

/* Public keys of a peer that are worth the time of a verification. */
#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 8192

/* Retransmission doubles from 50 ms to 4 s; the library gives up after twelve, about 30 s. */
#define TIMER_FIRST_US 50000u
#define TIMER_MAX_US   4000000u

const char *ln_srtp_library_name(uint16_t profile)
{
    switch (profile) {
    case LN_SRTP_AES128_CM_HMAC_SHA1_80:
        return "SRTP_AES128_CM_SHA1_80";
    case LN_SRTP_AEAD_AES_128_GCM:
        return "SRTP_AEAD_AES_128_GCM";
    case LN_SRTP_AEAD_AES_256_GCM:
        return "SRTP_AEAD_AES_256_GCM";
    default:
        return NULL;
    }
}

static unsigned timer_us(SSL *ssl, unsigned last)
{
    (void)ssl;
    return last == 0 ? TIMER_FIRST_US : last >= TIMER_MAX_US / 2 ? TIMER_MAX_US : 2 * last;
}

static bool key_is_sane(const X509 *x509)
{
    EVP_PKEY *key = X509_get0_pubkey(x509); /* NULL for parameters that are not known by name */
    char group[32];
    size_t len;

    if (!key)
        return false;
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
    if (EVP_PKEY_is_a(key, "EC"))
        return EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
               (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
                strcmp(group, "secp521r1") == 0);
    return EVP_PKEY_is_a(key, "ED25519");
}

/* Keeps the peer's certificate and asks the owner. */
static int check_peer(struct ln_session *s, X509 *x509)
{
    int len = x509 ? i2d_X509(x509, NULL) : -1;
    unsigned char *at;

    if (len <= 0 || (unsigned)len > LN_SESSION_CERTIFICATE_MAX || !key_is_sane(x509))
        return LN_ERR_FINGERPRINT;
    ln_free(s->env->allocator, s->peer_der);
    s->peer_der_len = 0;
    if (!(at = s->peer_der = ln_alloc(s->env->allocator, (size_t)len)))
        return LN_ERR_NOMEM;
    s->peer_der_len = (size_t)i2d_X509(x509, &at);
    if (s->accept && !s->accept(s->accept_context, ln_session_peer_certificate(s)))
        return LN_ERR_FINGERPRINT;
    return 0;
}

/* Takes the place of the library's chain check. */
static int verify_peer(X509_STORE_CTX *store, void *context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct ln_session *s = SSL_get_app_data(ssl);
    int error;

    (void)context;
    if (s->verify == LN_SESSION_VERIFY_NONE)
        return 1;
    if ((error = check_peer(s, X509_STORE_CTX_get0_cert(store)))) {
        s->error = error;
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (s->verify == LN_SESSION_VERIFY_CHAIN)
        return X509_verify_cert(store);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int select_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_len, void *context)
{
    struct ln_session *s = SSL_get_app_data(ssl);
    unsigned char *name;

    (void)context;
    if (s->alpn_len == 0 || SSL_select_next_proto(&name, ret_len, s->alpn, (unsigned)s->alpn_len,
                                                  offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static void note_alert(const SSL *ssl, int where, int value)
{
    struct ln_session *s = SSL_get_app_data(ssl);

    if (where == SSL_CB_WRITE_ALERT)
        s->counters.alert_sent = (uint8_t)value;
    else if (where == SSL_CB_READ_ALERT)
        s->counters.alert_received = (uint8_t)value;
}

/* The library's part of the exchange that took place without it: its own cookie goes nowhere. */
static int give_cookie(SSL *ssl, unsigned char *cookie, unsigned *ret_len)
{
    (void)ssl;
    *cookie = 0;
    *ret_len = 1;
    return 1;
}

static int take_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    (void)ssl;
    (void)cookie;
    return len > 0; /* whose it is has been checked before there was a session */
}

/* Lets the library ask for a cookie once, so that it expects the second ClientHello. What the first
 * one said is in no transcript (RFC 6347, 4.2.1): any will do. */
static bool pass_cookie_exchange(struct ln_session *s, SSL *ssl)
{
    static const uint8_t hello[] = {
        22,   0xfe, 0xff, 0,    0,  0,  0,  0,  0,  0,  0,  0,  54, /* record */
        1,    0,    0,    42,   0,  0,  0,  0,  0,  0,  0,  42,     /* handshake */
        0xfe, 0xfd, 1,    2,    3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
        18,   19,   20,   21,   22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0,  0, /* no session, no
                                                                                      cookie */
        0,    2,    0xc0, 0x2b, 1,  0,
    };
    struct ln_bytes record = { hello, sizeof hello };
    int result;

    SSL_set_options(ssl, SSL_OP_COOKIE_EXCHANGE);
    s->input = &record;
    result = SSL_do_handshake(ssl);
    s->input = NULL;
    ln_block_clear(&s->output, s->env->allocator);
    return result != 1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;
}

static SSL_CTX *make_context(bool datagram)
{
    SSL_CTX *c = SSL_CTX_new(datagram ? DTLS_method() : TLS_method());

    if (!c)
        return NULL;
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_cert_verify_callback(c, verify_peer, NULL);
    SSL_CTX_set_alpn_select_cb(c, select_alpn, NULL);
    SSL_CTX_set_info_callback(c, note_alert);
    SSL_CTX_set_cookie_generate_cb(c, give_cookie);
    SSL_CTX_set_cookie_verify_cb(c, take_cookie);
    SSL_CTX_set_max_cert_list(c, LN_SESSION_CERTIFICATE_MAX);
    if (SSL_CTX_set_min_proto_version(c, datagram ? DTLS1_2_VERSION : TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(c, datagram ? DTLS1_2_VERSION : TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(c, CIPHERS) != 1 || SSL_CTX_set1_groups_list(c, GROUPS) != 1) {
        SSL_CTX_free(c);
        return NULL;
    }
    return c;
}

static bool use_certificate(SSL *ssl, const struct ln_certificate *certificate)
{
    STACK_OF(X509) *chain = ln_certificate_chain(certificate);

    return SSL_use_certificate(ssl, ln_certificate_x509(certificate)) == 1 &&
           SSL_use_PrivateKey(ssl, ln_certificate_key(certificate)) == 1 &&
           (!chain || SSL_set1_chain(ssl, chain) == 1);
}

static bool apply(struct ln_session *s, SSL *ssl)
{
    bool chain = s->verify == LN_SESSION_VERIFY_CHAIN;
    struct ln_address address;

    if (s->certificate && !use_certificate(ssl, s->certificate))
        return false;
    if (s->srtp_names[0] && SSL_set_tlsext_use_srtp(ssl, s->srtp_names) != 0)
        return false; /* this call alone returns 0 for success */
    if (s->is_client && s->alpn_len > 0 &&
        SSL_set_alpn_protos(ssl, s->alpn, (unsigned)s->alpn_len) != 0)
        return false; /* and this one */
    /* The indication takes no addresses (RFC 6066, 3); SSL_set1_host() knows them by itself. */
    if (s->is_client && s->server_name && ln_address_parse(s->server_name, &address) != 0 &&
        SSL_set_tlsext_host_name(ssl, s->server_name) != 1)
        return false;
    if (chain && SSL_set1_verify_cert_store(ssl, s->trust) != 1)
        return false;
    if (chain && s->server_name && SSL_set1_host(ssl, s->server_name) != 1)
        return false;
    if (s->verify != LN_SESSION_VERIFY_NONE)
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!s->is_datagram)
        return true;
    DTLS_set_timer_cb(ssl, timer_us);
    return DTLS_set_link_mtu(ssl, (long)s->mtu + 28) == 1 &&
           SSL_set_max_send_fragment(ssl, (long)(s->mtu > 512 ? s->mtu : 512)) == 1;
}

int ln_session_open_library(struct ln_session *s)
{
    SSL_CTX **context = s->is_datagram ? &s->crypto->dtls : &s->crypto->tls;
    SSL *ssl = NULL;
    BIO *bio = NULL;

    if (!*context)
        *context = make_context(s->is_datagram);
    if (!s->crypto->bio)
        s->crypto->bio = ln_session_bio_method();
    if (!*context || !s->crypto->bio || !(ssl = SSL_new(*context)) ||
        !(bio = BIO_new(s->crypto->bio)))
        goto fail;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, s);
    if (!apply(s, ssl))
        goto fail;
    if (s->is_client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    if (s->after_cookie && !pass_cookie_exchange(s, ssl))
        goto fail;
    s->ssl = ssl;
    ERR_clear_error();
    return 0;
fail:
    SSL_free(ssl);
    ERR_clear_error();
    return LN_ERR_CRYPTO;
}

int ln_session_prf(const struct ln_session *s, const char *label, bool server_first, uint8_t *out,
                   size_t len)
{
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(s->crypto->tls_prf);
    uint8_t seed[2 * LN_RANDOM_LEN];
    OSSL_PARAM params[5];
    int ok;

    memcpy(seed, s->randoms + (server_first ? LN_RANDOM_LEN : 0), LN_RANDOM_LEN);
    memcpy(seed + LN_RANDOM_LEN, s->randoms + (server_first ? 0 : LN_RANDOM_LEN), LN_RANDOM_LEN);
    /* The library takes its inputs as pointers to what it does not change. */
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 (char *)(uintptr_t)ln_hash_name(s->prf_hash), 0);
    params[1] = OSSL_PARAM_construct_octet_string(
        OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)s->master_secret, sizeof s->master_secret);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)label,
                                                  strlen(label));
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed);
    params[4] = OSSL_PARAM_construct_end();
    ok = kdf && EVP_KDF_derive(kdf, out, len, params) == 1;
    EVP_KDF_CTX_free(kdf);
    ERR_clear_error();
    return ok ? 0 : LN_ERR_CRYPTO;
}

/* Names of the IANA registry of supported groups. */
static const char *group_name(SSL *ssl)
{
    EVP_PKEY *key = NULL;
    int nid = (int)SSL_get_negotiated_group(ssl);

    /* Under TLS 1.2 the library may know it only by the peer's key. */
    if (nid == NID_undef && SSL_get_peer_tmp_key(ssl, &key) == 1) {
        nid = EVP_PKEY_get_id(key);
        EVP_PKEY_free(key);
    }
    return nid == NID_X25519             ? "x25519"
           : nid == NID_X9_62_prime256v1 ? "secp256r1"
           : nid == NID_secp384r1        ? "secp384r1"
                                         : "";
}

static void take_names(struct ln_session *s)
{
    const unsigned char *alpn;
    unsigned alpn_len;
    SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(s->ssl);

    s->version = (uint16_t)SSL_version(s->ssl);
    s->cipher_name = SSL_CIPHER_standard_name(SSL_get_current_cipher(s->ssl));
    s->srtp_profile = profile ? (uint16_t)profile->id : 0;
    SSL_get0_alpn_selected(s->ssl, &alpn, &alpn_len);
    if (alpn_len > 0 && alpn_len < sizeof s->alpn_name)
        memcpy(s->alpn_name, alpn, alpn_len);
    s->group_name = group_name(s->ssl);
}

static bool take_secrets(struct ln_session *s)
{
    SSL_SESSION *session = SSL_get_session(s->ssl);
    const EVP_MD *md = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(s->ssl));

    s->prf_hash = EVP_MD_get_type(md) == NID_sha384 ? LN_HASH_SHA384 : LN_HASH_SHA256;
    return session &&
           SSL_SESSION_get_master_key(session, s->master_secret, sizeof s->master_secret) ==
               sizeof s->master_secret &&
           SSL_get_client_random(s->ssl, s->randoms, LN_RANDOM_LEN) == LN_RANDOM_LEN &&
           SSL_get_server_random(s->ssl, s->randoms + LN_RANDOM_LEN, LN_RANDOM_LEN) ==
               LN_RANDOM_LEN;
}

/* The server keeps its Finished in the clear: it is sealed anew each time it is sent again, so that
 * no nonce is used twice. */
static bool keep_finished(struct ln_session *s, enum ln_aead_algorithm algorithm,
                          const uint8_t *key)
{
    struct ln_record_keys own = s->keys;
    struct ln_bytes sealed = { s->finished, s->finished_len };
    struct ln_record record;
    uint8_t plain[LN_FINISHED_MAX];
    int len;

    if (!ln_record_next(&sealed, &record) ||
        ln_aead_init(&own.open, s->crypto, algorithm, key, false))
        return false;
    memcpy(own.open_iv, own.seal_iv, sizeof own.open_iv);
    memset(&own.replay, 0, sizeof own.replay);
    len = ln_record_open(&own, &record, plain, sizeof plain);
    ln_aead_deinit(&own.open);
    ln_wipe(&own, sizeof own);
    if (len <= 0)
        return false;
    memcpy(s->finished, plain, (size_t)len);
    s->finished_len = (size_t)len;
    return true;
}

/* Key block of an AEAD suite (RFC 5246, 6.3): client key, server key, client IV, server IV. */
static int take_keys(struct ln_session *s)
{
    int nid = SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(s->ssl));
    enum ln_aead_algorithm algorithm = nid == NID_aes_128_gcm   ? LN_AEAD_AES_128_GCM
                                       : nid == NID_aes_256_gcm ? LN_AEAD_AES_256_GCM
                                                                : LN_AEAD_CHACHA20_POLY1305;
    bool gcm = algorithm != LN_AEAD_CHACHA20_POLY1305;
    size_t key_len = ln_aead_key_len(algorithm), iv_len = gcm ? 4 : LN_AEAD_NONCE_LEN;
    uint8_t block[2 * (LN_AEAD_KEY_MAX + LN_AEAD_NONCE_LEN)];
    const uint8_t *key = block + (s->is_client ? 0 : key_len);
    const uint8_t *peer_key = block + (s->is_client ? key_len : 0);
    const uint8_t *iv = block + 2 * key_len;
    int error = ln_session_prf(s, "key expansion", true, block, 2 * (key_len + iv_len));

    if (!error)
        error = ln_aead_init(&s->keys.seal, s->crypto, algorithm, key, true);
    if (!error)
        error = ln_aead_init(&s->keys.open, s->crypto, algorithm, peer_key, false);
    if (!error) {
        s->keys.explicit_nonce = gcm;
        s->keys.next_sequence = s->next_sequence[1];
        s->keys.next_nonce = s->next_nonce;
        memcpy(s->keys.seal_iv, iv + (s->is_client ? 0 : iv_len), iv_len);
        memcpy(s->keys.open_iv, iv + (s->is_client ? iv_len : 0), iv_len);
    }
    if (!error && !s->is_client && !keep_finished(s, algorithm, key))
        error = LN_ERR_CRYPTO;
    ln_wipe(block, sizeof block);
    return error;
}

int ln_session_take_result(struct ln_session *s)
{
    int error;

    take_names(s);
    if (s->version < TLS1_3_VERSION || s->is_datagram) {
        if (SSL_get_extms_support(s->ssl) != 1) {
            s->counters.no_extended_master_secret++;
            if (s->require_extended_master_secret)
                return LN_ERR_NOT_SUPPORTED;
        }
    }
    if (!s->is_datagram)
        return 0;
    if (!take_secrets(s))
        return LN_ERR_CRYPTO;
    error = take_keys(s);
    SSL_free(s->ssl);
    s->ssl = NULL;
    return error;
}
