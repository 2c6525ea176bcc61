/* SPDX-License-Identifier: Apache-2.0
 * A server under test on a thread of its own, and plain sockets to it. */
#ifndef LN_TEST_HTTP_HOST_H
#define LN_TEST_HTTP_HOST_H

#include "base/address.h"
#include "base/alloc.h"
#include "http/server.h"
#include "http/websocket_client.h"
#include "tests/support/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct host {
    struct ln_http_loop *loop;
    struct ln_http_server *server;
    struct ln_http_server_config config;
    pthread_t thread;
    _Atomic int opened, closed, messages, close_code;
    bool echo;
};

static inline int host_accept(void *ctx, const struct ln_http_request *request)
{
    return request->origin && strcmp(request->origin, "http://evil") == 0 ? 403 : 0;
}

static inline void host_opened(void *ctx, uint64_t websocket, const struct ln_http_request *request)
{
    struct host *h = ctx;

    h->opened++;
}

static inline void host_message(void *ctx, uint64_t websocket, const char *text, size_t len)
{
    struct host *h = ctx;

    h->messages++;
    if (strcmp(text, "close") == 0)
        ln_http_server_close(h->server, websocket, 4321);
    else if (h->echo && ln_http_server_send(h->server, websocket, text, len) != 0)
        ln_http_server_close(h->server, websocket, 1013);
}

static inline void host_closed(void *ctx, uint64_t websocket, uint16_t code)
{
    struct host *h = ctx;

    h->close_code = code;
    h->closed++;
}

static inline void host_hello(void *ctx, const struct ln_http_request *request,
                              struct ln_http_response *response)
{
    response->status = 200;
    response->body = "hello";
    response->body_len = 5;
}

static inline void *host_run(void *ctx)
{
    struct host *h = ctx;

    ln_http_loop_run(h->loop);
    return NULL;
}

static inline void host_prepare(struct host *h)
{
    static const struct ln_http_route routes[] = { { "/hello", host_hello } };
    static uint8_t big[300000];
    static const struct ln_http_file files[] = {
        { "/", "text/html", (const uint8_t *)"<p>", 3, "\"tag\"" },
        { "/big", "text/plain", big, sizeof big, NULL },
    };

    memset(h, 0, sizeof *h);
    memset(big, 'b', sizeof big);
    ln_http_server_config_init(&h->config);
    h->config.listen = ln_address_ipv4(127, 0, 0, 1, 0);
    h->config.routes = routes;
    h->config.route_count = 1;
    h->config.files = files;
    h->config.file_count = 2;
    h->config.websocket_path = "/ws";
    h->config.websocket = (struct ln_websocket_handlers){ host_accept, host_opened, host_message,
                                                          host_closed };
    h->config.security_policy = "default-src 'self'";
    h->config.ctx = h;
    h->echo = true;
}

static inline void host_start(struct host *h)
{
    struct ln_http_loop_config loop = { ln_allocator_libc(), NULL, NULL };

    CHECK(ln_http_loop_create(&h->loop, &loop) == 0);
    CHECK(ln_http_server_create(&h->server, h->loop, &h->config) == 0);
    CHECK(pthread_create(&h->thread, NULL, host_run, h) == 0);
}

static inline void host_begin(struct host *h)
{
    host_prepare(h);
    host_start(h);
}

static inline void host_end(struct host *h)
{
    ln_http_loop_stop(h->loop);
    pthread_join(h->thread, NULL);
    ln_http_server_free(h->server);
    ln_http_loop_free(h->loop);
}

static inline int host_connect(struct host *h)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(ln_http_server_address(h->server).port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { 5, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static inline void host_send(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* it hung up, which the reader will see */
        p += n;
        len -= (size_t)n;
    }
}

static inline void host_say(int fd, const char *text)
{
    host_send(fd, text, strlen(text));
}

/* Reads until the text has come; false at the end of the stream, or after five seconds. */
static inline bool host_expect(int fd, const char *text)
{
    static char data[65536];
    size_t len = 0;

    while (len < sizeof data - 1) {
        ssize_t n = recv(fd, data + len, 1, 0);

        if (n <= 0)
            return false;
        len += (size_t)n;
        data[len] = '\0';
        if (memmem(data, len, text, strlen(text)))
            return true;
    }
    return false;
}

/* Reads to the end of the stream; -1 if it does not end in five seconds. */
static inline ssize_t host_read_all(int fd, void *data, size_t cap)
{
    size_t len = 0;

    for (;;) {
        char spill[4096];
        bool full = len == cap;
        ssize_t n = recv(fd, full ? spill : (char *)data + len, full ? sizeof spill : cap - len, 0);

        if (n == 0)
            return (ssize_t)len;
        if (n < 0)
            return errno == ECONNRESET ? (ssize_t)len : -1;
        if (!full)
            len += (size_t)n;
    }
}

#define HOST_UPGRADE                                                                               \
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                 \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static inline int host_websocket(struct host *h)
{
    int fd = host_connect(h);

    host_say(fd, HOST_UPGRADE "\r\n");
    CHECK(host_expect(fd, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")); /* RFC 6455, 1.3 */
    return fd;
}

/* The code of the close frame that must be what comes before the end of the stream. */
static inline int host_close_code(int fd)
{
    uint8_t data[65536];
    ssize_t len = host_read_all(fd, data, sizeof data);

    if (len < 4 || data[len - 4] != 0x88 || data[len - 3] != 2)
        return len < 0 ? -1 : 0;
    return data[len - 2] << 8 | data[len - 1];
}

#endif
