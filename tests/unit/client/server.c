/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/client/server.h"

#include "base/address.h"
#include "base/alloc.h"
#include "crypto/rng.h"
#include "io/thread.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

struct test_server {
    struct ln_http_loop *loop;
    struct ln_signal_service *service;
    struct ln_rng rng;
    struct ln_env env;
    struct ln_thread thread;
    uint16_t port;
    char url[64];
};

static void run(void *ctx)
{
    struct test_server *server = ctx;

    ln_http_loop_run(server->loop);
}

struct test_server *test_server_start(const char *token, uint16_t port)
{
    struct test_server *server = calloc(1, sizeof *server);
    struct ln_http_loop_config loop = { .allocator = ln_allocator_libc() };
    struct ln_signal_service_config config;

    ln_crypto_rng(&server->rng);
    server->env = (struct ln_env){ .allocator = ln_allocator_libc(), .rng = &server->rng };
    ln_signal_service_config_init(&config);
    CHECK_EQUAL(ln_address_parse("127.0.0.1", &config.http.listen), 0);
    config.http.listen.port = port;
    config.signal.token = token;
    config.signal.grace_time = LN_SECONDS(2);
    CHECK_EQUAL(ln_http_loop_create(&server->loop, &loop), 0);
    CHECK_EQUAL(ln_signal_service_create(&server->service, server->loop, &config, &server->env), 0);
    server->port = ln_signal_service_address(server->service).port;
    snprintf(server->url, sizeof server->url, "ws://127.0.0.1:%u/ws", server->port);
    CHECK_EQUAL(ln_thread_start(&server->thread, "server", run, server), 0);
    return server;
}

void test_server_stop(struct test_server *server)
{
    ln_http_loop_stop(server->loop);
    ln_thread_join(&server->thread);
    ln_signal_service_free(server->service);
    ln_http_loop_free(server->loop);
    free(server);
}

const char *test_server_url(const struct test_server *server)
{
    return server->url;
}

uint16_t test_server_port(const struct test_server *server)
{
    return server->port;
}
