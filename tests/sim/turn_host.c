/* SPDX-License-Identifier: Apache-2.0
 * The server of turn_host.h. Its certificate is made for each run from the run's chance, and is the
 * one root that clients trust; its times are fixed, as OpenSSL compares them with the real day. */
#include "tests/sim/turn_host.h"

#include "base/alloc.h"
#include "crypto/internal.h"
#include "servers/turn/core/turn.h"
#include "tests/support/test.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define TURN_USER     "ada"
#define TURN_PASSWORD "lovelace"
#define TURN_IP       "203.0.113.1"

struct turn_host {
    struct ln_turn_shared *shared;
    struct ln_turn_credentials *credentials;
    struct ln_turn_policy policy;
    struct ln_certificate *certificate;
    struct ln_turn_server *server;
};

/* ---- its certificate ---- */

static X509 *self_signed(EVP_PKEY *key, const char *alternative_name)
{
    X509 *x = X509_new();
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative_name);
    X509_NAME *subject = X509_get_subject_name(x);

    CHECK(x != NULL && name != NULL);
    CHECK(X509_set_version(x, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    CHECK(ASN1_TIME_set_string(X509_getm_notBefore(x), "20200101000000Z") == 1);
    CHECK(ASN1_TIME_set_string(X509_getm_notAfter(x), "21200101000000Z") == 1);
    CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"sim", -1,
                                     -1, 0) == 1);
    CHECK(X509_set_issuer_name(x, subject) == 1);
    CHECK(X509_set_pubkey(x, key) == 1);
    CHECK(X509_add_ext(x, name, -1) == 1);
    X509_EXTENSION_free(name);
    CHECK(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static struct ln_bytes bytes_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);

    return (struct ln_bytes){ (const uint8_t *)data, (size_t)len };
}

/* Clients and server share the provider object: its root is that certificate. */
static void make_certificate(struct turn_host *turn, struct ln_crypto *crypto)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key, "IP:" TURN_IP);
    BIO *certificate_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());

    CHECK(key != NULL && certificate_pem != NULL && key_pem != NULL && !crypto->roots);
    CHECK(PEM_write_bio_X509(certificate_pem, x) == 1);
    CHECK(PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(ln_certificate_import(&turn->certificate, bytes_of(certificate_pem), bytes_of(key_pem),
                                crypto) == 0);
    crypto->roots = X509_STORE_new();
    CHECK(crypto->roots != NULL && X509_STORE_add_cert(crypto->roots, x) == 1);
    BIO_free(certificate_pem);
    BIO_free(key_pem);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* ---- the server ---- */

static void *turn_host_create(struct net *net, const char *ip)
{
    struct turn_host *turn = calloc(1, sizeof *turn);
    struct ln_turn_limits limits = { .allocations = 100 };
    struct ln_turn_listen listen[3] = { { .stream = false },
                                        { .stream = true },
                                        { .stream = true } };
    struct ln_turn_relay relay = { .bind = { 0 } };
    struct ln_turn_config config = {
        .listen = listen, .listen_count = 3, .relays = &relay, .relay_count = 1, .tcp_relay = true
    };

    CHECK(turn != NULL && ln_address_parse(ip, &relay.bind) == 0);
    for (size_t i = 0; i < 3; i++) {
        listen[i].address = relay.bind;
        listen[i].address.port = i < 2 ? 3478 : 443;
    }
    turn->policy.allow_count = 1; /* the simulated internet is made of reserved addresses */
    CHECK(ln_turn_prefix_parse("0.0.0.0/0", &turn->policy.allow[0]) == 0);
    CHECK(ln_turn_shared_create(&turn->shared, test_env(), &limits) == 0);
    CHECK(ln_turn_credentials_create(&turn->credentials, "sim.test", test_env()) == 0);
    CHECK(ln_turn_credentials_add_user(turn->credentials, TURN_USER, TURN_PASSWORD) == 0);
    make_certificate(turn, test_env()->crypto);
    config.certificate = turn->certificate;
    config.shared = turn->shared;
    config.credentials = turn->credentials;
    config.policy = &turn->policy;
    CHECK(ln_turn_server_create(&turn->server, &config, test_env()) == 0);
    ln_turn_server_set_wall_offset(turn->server, LN_SECONDS(1700000000));
    net_add_host(net, ln_turn_server_endpoint(turn->server), ip);
    return turn;
}

static void turn_host_free(void *server)
{
    struct turn_host *turn = server;

    ln_turn_server_free(turn->server);
    ln_turn_credentials_free(turn->credentials);
    ln_turn_shared_free(turn->shared);
    ln_certificate_unref(turn->certificate);
    free(turn);
}

static const char *const turn_urls[] = { "turn:" TURN_IP ":3478",
                                         "turn:" TURN_IP ":3478?transport=tcp",
                                         "turns:" TURN_IP ":443?transport=tcp" };

const struct server_hooks turn_server = {
    .create = turn_host_create,
    .free = turn_host_free,
    .ice = { .urls = turn_urls,
             .url_count = sizeof turn_urls / sizeof *turn_urls,
             .username = TURN_USER,
             .credential = TURN_PASSWORD },
};

static const char *const stun_urls[] = { "stun:" TURN_IP ":3478" };

const struct server_hooks turn_server_for_stun = {
    .create = turn_host_create,
    .free = turn_host_free,
    .ice = { .urls = stun_urls, .url_count = 1 },
};
