/* SPDX-License-Identifier: Apache-2.0
 * The WebSocket client against the server, plain and through TLS; and the loop's posts and timers.
 */
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "tests/unit/http/host.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct host h;

struct visitor {
    struct ln_websocket_client *client;
    struct ln_http_loop *loop;
    int connected, messages, closed, code;
    bool close_after_first;
    char text[256], sentence[256];
};

static void on_connected(void *ctx)
{
    struct visitor *v = ctx;

    v->connected++;
}

static void on_message(void *ctx, const char *text, size_t len)
{
    struct visitor *v = ctx;

    snprintf(v->text, sizeof v->text, "%s", text);
    if (++v->messages == 1 && v->close_after_first)
        ln_websocket_client_close(v->client, 1000);
}

static void on_closed(void *ctx, uint16_t code, const char *sentence)
{
    struct visitor *v = ctx;

    v->closed++;
    v->code = code;
    snprintf(v->sentence, sizeof v->sentence, "%s", sentence);
    ln_websocket_client_free(v->client); /* allowed in a callback */
    v->client = NULL;
    ln_http_loop_stop(v->loop);
}

static void prepare(struct visitor *v, struct ln_websocket_client_config *config)
{
    struct ln_http_loop_config loop = { ln_allocator_libc(), NULL, NULL };

    memset(v, 0, sizeof *v);
    CHECK(ln_http_loop_create(&v->loop, &loop) == 0);
    *config = (struct ln_websocket_client_config){
        .connected = on_connected, .message = on_message, .closed = on_closed, .ctx = v
    };
}

LN_TEST(client, sends_before_and_after_it_is_connected_and_closes)
{
    struct ln_websocket_client_config config;
    struct visitor v;
    char url[64];

    host_begin(&h);
    prepare(&v, &config);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/ws", ln_http_server_address(h.server).port);
    config.url = url;
    v.close_after_first = true;
    CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == 0);
    CHECK(ln_websocket_client_send(v.client, "hello", 5) == 0);
    ln_http_loop_run(v.loop);
    CHECK(v.connected == 1 && v.messages == 1 && v.closed == 1);
    CHECK_TEXT(v.text, "hello");
    CHECK_EQUAL(v.code, 1000);
    ln_http_loop_free(v.loop);
    host_end(&h);
}

LN_TEST(client, learns_the_server_s_close_code)
{
    struct ln_websocket_client_config config;
    struct visitor v;
    char url[64];

    host_begin(&h);
    prepare(&v, &config);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/ws", ln_http_server_address(h.server).port);
    config.url = url;
    CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == 0);
    CHECK(ln_websocket_client_post(v.client, "close", 5) == 0);
    ln_http_loop_run(v.loop);
    CHECK_EQUAL(v.code, 4321);
    ln_http_loop_free(v.loop);
    host_end(&h);
}

LN_TEST(client, says_when_nobody_is_there_or_it_is_refused)
{
    char url[64];
    const char *const urls[] = { url, "ws://127.0.0.1:1/ws", "ws://nothing.invalid/ws" };
    struct ln_websocket_client_config config;
    struct visitor v;

    host_begin(&h);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/nothing", ln_http_server_address(h.server).port);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        prepare(&v, &config);
        config.url = urls[i];
        CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == 0);
        ln_http_loop_run(v.loop);
        CHECK(v.connected == 0 && v.closed == 1 && v.code == 1006);
        CHECK(strstr(v.sentence, "failed"));
        ln_http_loop_free(v.loop);
    }
    host_end(&h);
}

/* libwebsockets gives up after 10 s as well, and closes what it gives up without a word. */
LN_TEST(client, ends_when_a_server_says_nothing_whoever_gives_up_first)
{
    enum { CLIENTS = 3 };
    static const unsigned seconds[CLIENTS] = { 1, 10, 30 };
    struct ln_websocket_client_config config;
    struct visitor v[CLIENTS];
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];

    CHECK(bind(fd, (struct sockaddr *)&name, len) == 0 && listen(fd, CLIENTS) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/ws", ntohs(name.sin_port));
    for (int i = 0; i < CLIENTS; i++) {
        if (i == 0) {
            prepare(&v[0], &config);
        } else {
            memset(&v[i], 0, sizeof v[i]);
            v[i].loop = v[0].loop;
        }
        config.url = url;
        config.ctx = &v[i];
        config.connect_seconds = seconds[i];
        CHECK(ln_websocket_client_create(&v[i].client, v[i].loop, &config) == 0);
    }
    while (v[0].closed + v[1].closed + v[2].closed < CLIENTS)
        ln_http_loop_run(v[0].loop);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(v[i].connected == 0 && v[i].closed == 1 && v[i].code == 1006);
        CHECK_TEXT(v[i].sentence, "The server did not answer.");
    }
    ln_http_loop_free(v[0].loop);
    close(fd);
}

LN_TEST(client, urls_that_are_none_are_refused)
{
    static const char *const urls[] = { "",          "http://a/", "ws://",        "ws://a:0/",
                                        "ws://a:b",  "ws://[::1", "ws://a:70000", "ws://u@a/",
                                        "ws://a/b c" };
    struct ln_websocket_client_config config;
    struct visitor v;

    prepare(&v, &config);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        config.url = urls[i];
        CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == LN_ERR_SYNTAX);
    }
    ln_http_loop_free(v.loop);
}

static void make_certificate(char **ret_pem, uint8_t digest[32])
{
    struct ln_certificate *certificate;
    struct ln_crypto *crypto;
    char text[LN_FINGERPRINT_TEXT_MAX];

    CHECK(ln_crypto_create(&crypto, ln_allocator_libc()) == 0);
    CHECK(ln_certificate_generate(&certificate, LN_KEY_ECDSA_P256, (int64_t)time(NULL) * 1000, 0,
                                  crypto) == 0);
    CHECK(ln_certificate_export(certificate, ret_pem) == 0);
    CHECK(ln_fingerprint_format(ln_certificate_der(certificate), "sha-256", text) == 0);
    CHECK(test_hex(text, digest, 32) == 32);
    ln_certificate_unref(certificate);
    ln_crypto_free(crypto);
}

/* One visit through TLS with a self-made certificate; returns whether it was let in. */
static bool visit(bool insecure, const uint8_t *pin)
{
    struct ln_websocket_client_config config;
    struct visitor v;
    char url[64];

    prepare(&v, &config);
    snprintf(url, sizeof url, "wss://127.0.0.1:%u/ws", ln_http_server_address(h.server).port);
    config.url = url;
    config.insecure = insecure;
    config.pinned_sha256 = pin;
    v.close_after_first = true;
    CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == 0);
    CHECK(ln_websocket_client_send(v.client, "secret", 6) == 0);
    ln_http_loop_run(v.loop);
    CHECK(v.closed == 1);
    ln_http_loop_free(v.loop);
    return v.messages == 1;
}

LN_TEST(client, trusts_a_self_made_certificate_only_when_told_to)
{
    uint8_t digest[32];
    char *pem;

    make_certificate(&pem, digest);
    host_prepare(&h);
    h.config.certificate_pem = pem;
    host_start(&h);
    CHECK(!visit(false, NULL));
    CHECK(visit(true, NULL));
    CHECK(visit(false, digest));
    digest[7] ^= 1;
    CHECK(!visit(false, digest));
    CHECK(h.messages == 2);
    host_end(&h);
    ln_free(ln_allocator_libc(), pem);
}

struct reloading {
    const char *pem;
    _Atomic int done, error;
};

static void reload(void *ctx)
{
    struct reloading *r = ctx;
    struct ln_http_server_config config = { .certificate_pem = r->pem };

    r->error = ln_http_server_reload(h.server, &config);
    r->done = 1;
}

static int reload_with(const char *pem)
{
    struct reloading r = { .pem = pem };

    CHECK(ln_http_loop_post(h.loop, reload, &r) == 0);
    while (!r.done)
        usleep(1000);
    return r.error;
}

LN_TEST(client, sees_another_certificate_once_the_server_has_read_it)
{
    uint8_t first[32], second[32];
    char *pem, *next;

    make_certificate(&pem, first);
    make_certificate(&next, second);
    host_prepare(&h);
    h.config.certificate_pem = pem;
    host_start(&h);
    CHECK(visit(false, first));
    CHECK(reload_with("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") ==
          LN_ERR_CRYPTO);
    CHECK(visit(false, first)); /* what was in force stays in force */
    CHECK(reload_with(next) == 0);
    CHECK(!visit(false, first));
    CHECK(visit(false, second));
    host_end(&h);
    ln_free(ln_allocator_libc(), pem);
    ln_free(ln_allocator_libc(), next);
}

LN_TEST(client, is_dropped_with_its_loop)
{
    struct ln_websocket_client_config config;
    struct visitor v;

    prepare(&v, &config);
    config.url = "ws://127.0.0.1:1/ws";
    CHECK(ln_websocket_client_create(&v.client, v.loop, &config) == 0);
    ln_http_loop_free(v.loop);
    CHECK(v.closed == 0);
}

/* ------------------------------------------------------------------ the loop itself */

struct counting {
    struct ln_http_loop *loop;
    int posts, timers;
    ln_time set, fired;
};

/* The loop ends when all posts and the timer have come. */
static void count_end(struct counting *c)
{
    if (c->posts == 1000 && c->timers == 1)
        ln_http_loop_stop(c->loop);
}

static void on_post(void *ctx)
{
    struct counting *c = ctx;

    c->posts++;
    count_end(c);
}

static void on_timer(void *ctx)
{
    struct counting *c = ctx;

    c->timers++;
    c->fired = ln_http_loop_now(c->loop);
    count_end(c);
}

static void *post_many(void *ctx)
{
    struct counting *c = ctx;

    for (int i = 0; i < 1000; i++)
        if (ln_http_loop_post(c->loop, on_post, c) != 0)
            return c;
    return NULL;
}

LN_TEST(loop, runs_posts_of_other_threads_and_timers)
{
    struct ln_http_loop_config config = { ln_allocator_libc(), NULL, NULL };
    struct counting c = { 0 };
    struct ln_http_timer *timer;
    pthread_t thread;
    void *failed;

    CHECK(ln_http_loop_create(&c.loop, &config) == 0);
    CHECK(ln_http_timer_create(&timer, c.loop, on_timer, &c) == 0);
    c.set = ln_http_loop_now(c.loop);
    ln_http_timer_set(timer, c.set + LN_MILLISECONDS(60));
    CHECK(pthread_create(&thread, NULL, post_many, &c) == 0);
    ln_http_loop_run(c.loop);
    pthread_join(thread, &failed);
    CHECK(failed == NULL && c.posts == 1000 && c.timers == 1);
    CHECK(c.fired - c.set >= LN_MILLISECONDS(60));
    ln_http_timer_set(timer, LN_TIME_NEVER);
    ln_http_timer_free(timer);
    ln_http_loop_free(c.loop);
}
