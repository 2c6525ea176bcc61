/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dtls/foreign.h"

#include "base/time.h"

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 1;
}

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x509 = X509_new();

    CHECK(x509 != NULL);
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), -5); /* odd, and of no consequence */
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               (const unsigned char *)"foreign", -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    ASN1_TIME_set(X509_getm_notBefore(x509), 1000000000);
    ASN1_TIME_set(X509_getm_notAfter(x509), 1100000000); /* long expired: the fingerprint counts */
    X509_set_pubkey(x509, key);
    CHECK(X509_sign(x509, key, EVP_sha256()) > 0);
    return x509;
}

void foreign_open(struct foreign *f, bool we_are_client, const char *their_key,
                  const struct ln_dtls_config *config)
{
    struct ln_dtls_config ours = config ? *config : (struct ln_dtls_config){ 0 };
    struct ln_fingerprint fingerprint = { "sha-256", NULL };
    char text[LN_FINGERPRINT_TEXT_MAX];
    unsigned char *der = NULL;
    int der_len;

    memset(f, 0, sizeof *f);
    f->now = LN_SECONDS(1000);
    f->mtu = 1200;
    virtual_clock_set(f->now);
    virtual_random_seed(3);
    CHECK_EQUAL(ln_crypto_create(&f->crypto, test_env()->allocator), 0);
    CHECK_EQUAL(
        ln_certificate_generate(&f->certificate, LN_KEY_ECDSA_P256, 1700000000000, 0, f->crypto),
        0);
    ours.certificate = f->certificate;
    CHECK_EQUAL(ln_dtls_create(&f->dtls, &ours, f->crypto, test_env()), 0);
    f->key = strncmp(their_key, "RSA:", 4) == 0 ? EVP_RSA_gen((unsigned)atoi(their_key + 4))
                                                : EVP_EC_gen(their_key);
    CHECK(f->key != NULL);
    f->x509 = self_signed(f->key);
    f->context = SSL_CTX_new(DTLS_method());
    CHECK_EQUAL(SSL_CTX_use_certificate(f->context, f->x509), 1);
    CHECK_EQUAL(SSL_CTX_use_PrivateKey(f->context, f->key), 1);
    SSL_CTX_set_verify(f->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    SSL_CTX_set_tlsext_use_srtp(f->context, "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:"
                                            "SRTP_AEAD_AES_128_GCM");
    der_len = i2d_X509(f->x509, &der);
    CHECK_EQUAL(ln_fingerprint_format((struct ln_bytes){ der, (size_t)der_len }, "sha-256", text),
                0);
    OPENSSL_free(der);
    fingerprint.value = text;
    CHECK_EQUAL(ln_dtls_set_remote(f->dtls,
                                   we_are_client ? LN_DTLS_ROLE_CLIENT : LN_DTLS_ROLE_SERVER,
                                   &fingerprint, 1),
                0);
    ln_dtls_set_writable(f->dtls, true);
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, f->wire), 0);
}

static void start_theirs(struct foreign *f)
{
    BIO *bio = BIO_new_socket(f->wire[1], BIO_NOCLOSE);

    f->ssl = SSL_new(f->context);
    CHECK(f->ssl && bio);
    SSL_set_bio(f->ssl, bio, bio);
    SSL_set_options(f->ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(f->ssl, (long)f->mtu);
    if (ln_dtls_role(f->dtls) == LN_DTLS_ROLE_SERVER)
        SSL_set_connect_state(f->ssl);
    else
        SSL_set_accept_state(f->ssl);
}

static bool move_ours(struct foreign *f)
{
    uint8_t data[2048], out[2048];
    bool moved = false;
    ssize_t n;
    size_t len;
    int sent;

    while ((n = recv(f->wire[0], data, sizeof data, 0)) > 0) {
        struct ln_bytes packet = { data, (size_t)n };

        while ((len = ln_dtls_receive(f->dtls, f->now, &packet, out, sizeof out)) > 0) {
            CHECK(len < sizeof f->received[0]);
            memcpy(f->received[0], out, len);
            f->received[0][len] = '\0';
        }
        moved = true;
    }
    while ((sent = ln_dtls_poll_transmit(f->dtls, f->now, out, sizeof out)) > 0) {
        CHECK_EQUAL(send(f->wire[0], out, (size_t)sent, 0), sent);
        moved = true;
    }
    while (ln_dtls_poll_event(f->dtls, &f->last))
        ;
    return moved;
}

static void move_theirs(struct foreign *f)
{
    int n;

    if (!f->their_handshake_done) {
        n = SSL_do_handshake(f->ssl);
        f->their_handshake_done = n == 1;
        if (n != 1 && SSL_get_error(f->ssl, n) != SSL_ERROR_WANT_READ)
            f->they_failed = true;
    } else if ((n = SSL_read(f->ssl, f->received[1], sizeof f->received[1] - 1)) > 0) {
        f->received[1][n] = '\0';
    }
    ERR_clear_error();
}

void foreign_run(struct foreign *f, int steps)
{
    if (!f->ssl)
        start_theirs(f);
    for (int step = 0; step < steps; step++) {
        bool moved = true;

        while (moved) {
            if (!f->they_failed)
                move_theirs(f);
            moved = move_ours(f);
        }
        f->now += LN_MILLISECONDS(20);
        virtual_clock_set(f->now);
        if (!f->their_handshake_done && !f->they_failed)
            DTLSv1_handle_timeout(f->ssl);
        if (ln_time_due(ln_dtls_next_timeout(f->dtls), f->now))
            ln_dtls_on_timeout(f->dtls, f->now);
    }
}

bool foreign_connected(const struct foreign *f)
{
    return f->their_handshake_done && ln_dtls_state(f->dtls) == LN_DTLS_STATE_CONNECTED;
}

void foreign_exchange(struct foreign *f)
{
    uint8_t out[200];
    int len;

    CHECK_EQUAL(SSL_write(f->ssl, "to us", 5), 5);
    len = ln_dtls_wrap(f->dtls, f->now, "to them", 7, out, sizeof out);
    CHECK(len > 0);
    CHECK_EQUAL(send(f->wire[0], out, (size_t)len, 0), len);
    foreign_run(f, 1);
    CHECK_TEXT(f->received[0], "to us");
    CHECK_TEXT(f->received[1], "to them");
}

void foreign_close(struct foreign *f)
{
    ln_dtls_free(f->dtls);
    ln_certificate_unref(f->certificate);
    ln_crypto_free(f->crypto);
    SSL_free(f->ssl);
    SSL_CTX_free(f->context);
    X509_free(f->x509);
    EVP_PKEY_free(f->key);
    close(f->wire[0]);
    close(f->wire[1]);
    ERR_clear_error();
}
