/* SPDX-License-Identifier: Apache-2.0
 * The server over plain sockets: pages, and the attacks of ATTACKS 64. */
#include "tests/unit/http/host.h"

#include <fcntl.h>

static struct host h;

static void get(const char *request, char *text, size_t cap)
{
    int fd = host_connect(&h);
    ssize_t len;

    host_say(fd, request);
    len = host_read_all(fd, text, cap - 1);
    CHECK(len >= 0);
    text[len] = '\0';
    close(fd);
}

LN_TEST(server, gives_files_routes_and_404)
{
    static char text[400000];

    host_begin(&h);
    get("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof text);
    CHECK(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
    CHECK(strstr(text, "Content-Security-Policy: default-src 'self'\r\n"));
    CHECK(strstr(text, "X-Content-Type-Options: nosniff\r\n"));
    CHECK(strstr(text, "\r\n\r\n<p>"));
    get("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof text);
    CHECK(strstr(text, "Content-Length: 3\r\n") && !strstr(text, "<p>"));
    get("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"tag\"\r\nConnection: close\r\n\r\n", text,
        sizeof text);
    CHECK(strncmp(text, "HTTP/1.1 304 ", 13) == 0 && !strstr(text, "<p>"));
    get("GET /hello?x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof text);
    CHECK(strstr(text, "\r\n\r\nhello"));
    get("GET /big HTTP/1.0\r\n\r\n", text, sizeof text);
    CHECK(strlen(strstr(text, "\r\n\r\n")) == 300004);
    get("GET /../etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof text);
    CHECK(strncmp(text, "HTTP/1.1 404 ", 13) == 0);
    get("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", text, sizeof text);
    CHECK(strncmp(text, "HTTP/1.1 405 ", 13) == 0 && strstr(text, "Allow: GET, HEAD\r\n"));
    host_end(&h);
}

LN_TEST(server, answers_pipelined_requests_in_order)
{
    static char text[700000];
    char *second;

    host_begin(&h);
    get("GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        text, sizeof text);
    second = strstr(text, "helloHTTP/1.1 200");
    CHECK(second && strstr(second, "bbbHTTP/1.1 200") && strstr(second, "<p>"));
    host_end(&h);
}

LN_TEST(server, a_request_larger_than_allowed_is_431)
{
    static char big[100000], text[4096];
    int fd;

    host_begin(&h);
    memset(big, 'a', sizeof big - 1);
    memcpy(big, "GET / HTTP/1.1\r\nX: ", 19);
    fd = host_connect(&h);
    host_send(fd, big, sizeof big - 1);
    host_read_all(fd, text, sizeof text);
    CHECK(strncmp(text, "HTTP/1.1 431 ", 13) == 0 || text[0] == '\0'); /* or reset before read */
    close(fd);
    snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 2000; i++)
        strcat(big + strlen(big), "a:b\r\n");
    fd = host_connect(&h);
    host_send(fd, big, strlen(big));
    CHECK(host_read_all(fd, text, sizeof text) >= 0);
    close(fd);
    get("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof text);
    CHECK(strstr(text, "hello"));
    host_end(&h);
}

LN_TEST(server, a_head_that_never_ends_is_ended)
{
    char text[4096];
    int fd, idle;

    host_prepare(&h);
    h.config.head_seconds = 1;
    h.config.idle_seconds = 1;
    host_start(&h);
    fd = host_connect(&h);
    idle = host_connect(&h);
    host_say(idle, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(idle, "hello"));
    host_say(fd, "GET / HTTP/1.1\r\nHost:");
    CHECK(host_read_all(fd, text, sizeof text) > 0);
    CHECK(strncmp(text, "HTTP/1.1 408 ", 13) == 0);
    CHECK(host_read_all(idle, text, sizeof text) == 0);
    close(fd);
    close(idle);
    host_end(&h);
}

LN_TEST(server, sockets_are_limited)
{
    struct ln_http_figures figures;
    int fds[8];
    char text[64];

    host_prepare(&h);
    h.config.connections = 4;
    host_start(&h);
    for (int i = 0; i < 8; i++)
        fds[i] = host_connect(&h);
    for (int i = 4; i < 8; i++)
        CHECK(host_read_all(fds[i], text, sizeof text) == 0);
    host_say(fds[0], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(fds[0], "hello"));
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    ln_http_server_get_figures(h.server, &figures);
    CHECK_EQUAL(figures.refused_connections, 4);
    host_end(&h);
}

LN_TEST(server, sockets_of_one_source_are_limited)
{
    struct ln_http_figures figures;
    char text[64];
    int fds[3];

    host_prepare(&h);
    h.config.source_connections = 2;
    host_start(&h);
    for (int i = 0; i < 3; i++)
        fds[i] = host_connect(&h);
    CHECK(host_read_all(fds[2], text, sizeof text) == 0);
    host_say(fds[0], "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK(host_expect(fds[0], "hello") && host_read_all(fds[0], text, sizeof text) == 0);
    close(fds[2]);
    fds[2] = host_connect(&h); /* one has gone: there is room again */
    host_say(fds[2], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(fds[2], "hello"));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    ln_http_server_get_figures(h.server, &figures);
    CHECK_EQUAL(figures.refused_connections, 1);
    host_end(&h);
}

/* ---- handed over by another thread ---- */

static int hand_over(const char *remote, bool secure)
{
    struct timeval patience = { 5, 0 };
    struct ln_address address;
    int ends[2];

    CHECK(ln_address_parse(remote, &address) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ln_http_server_hand_over(h.server, ends[1], &address, secure);
    return ends[0];
}

static void tell_visitor(void *ctx, const struct ln_http_request *request,
                         struct ln_http_response *response)
{
    static char text[LN_ADDRESS_TEXT_MAX + 16], address[LN_ADDRESS_TEXT_MAX];

    (void)ctx;
    snprintf(text, sizeof text, "%s %s.", ln_address_format(&request->remote, address),
             request->secure ? "secure" : "plain");
    response->status = 200;
    response->body = text;
    response->body_len = strlen(text);
}

LN_TEST(server, sockets_handed_over_are_served_with_the_address_beside_them)
{
    static const struct ln_http_route routes[] = { { "/me", tell_visitor } };
    char text[400000];
    int first, second;

    host_prepare(&h);
    h.config.routes = routes;
    h.config.listen.family = LN_FAMILY_NONE; /* all comes that way */
    host_start(&h);
    first = hand_over("203.0.113.5:1234", true);
    second = hand_over("[2001:db8::5]:80", false);
    host_say(first, "GET /me HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(first, "203.0.113.5:1234 secure."));
    host_say(second, "GET /me HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(second, "[2001:db8::5]:80 plain."));
    host_say(first, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK(host_read_all(first, text, sizeof text) > 300000);
    close(second);
    close(first);
    host_end(&h);
}

LN_TEST(server, sockets_handed_over_count_and_wait_for_the_loop_or_its_end)
{
    struct ln_http_figures figures;
    char text[64];
    int fds[4];

    host_prepare(&h);
    h.config.connections = 2;
    host_start(&h);
    for (int i = 0; i < 3; i++)
        fds[i] = hand_over("203.0.113.5:1234", true);
    CHECK(host_read_all(fds[2], text, sizeof text) == 0);
    ln_http_server_get_figures(h.server, &figures);
    CHECK_EQUAL(figures.refused_connections, 1);
    ln_http_loop_stop(h.loop);
    pthread_join(h.thread, NULL);
    fds[3] = hand_over("203.0.113.5:1234", true); /* nobody comes for it any more */
    ln_http_server_free(h.server);
    ln_http_loop_free(h.loop);
    CHECK(host_read_all(fds[3], text, sizeof text) == 0); /* it is closed with the server */
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

LN_TEST(server, names_why_it_cannot_listen)
{
    struct ln_http_server *second;
    struct ln_http_server_config config;

    host_begin(&h);
    ln_http_loop_stop(h.loop);
    pthread_join(h.thread, NULL);
    config = h.config;
    config.listen = ln_http_server_address(h.server);
    CHECK(ln_http_server_create(&second, h.loop, &config) == LN_ERR_ADDRESS_IN_USE);
    config.listen = ln_address_ipv4(192, 0, 2, 77, 0);
    CHECK(ln_http_server_create(&second, h.loop, &config) == LN_ERR_NOT_FOUND);
    config.listen = ln_address_ipv4(127, 0, 0, 1, 0);
    config.certificate_file = "/nonexistent";
    config.key_file = "/nonexistent";
    CHECK(ln_http_server_create(&second, h.loop, &config) == LN_ERR_NOT_READABLE);
    config.certificate_file = config.key_file = NULL;
    config.certificate_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    CHECK(ln_http_server_create(&second, h.loop, &config) == LN_ERR_CRYPTO);
    CHECK(pthread_create(&h.thread, NULL, host_run, &h) == 0);
    host_end(&h);
}

/* ------------------------------------------------------------------ WebSocket */

LN_TEST(server, a_websocket_echoes_and_closes)
{
    uint8_t data[64];
    int fd;

    host_begin(&h);
    fd = host_websocket(&h);
    host_send(fd, data, test_hex("818537fa213d7f9f4d5158", data, sizeof data));
    CHECK(host_expect(fd, "\x81\x05Hello"));
    host_send(fd, data, test_hex("898200000000 6869", data, sizeof data));
    CHECK(host_expect(fd, "\x8a\x02hi"));
    host_send(fd, data, test_hex("888200000000 03e8", data, sizeof data));
    CHECK_EQUAL(host_close_code(fd), 1000);
    close(fd);
    while (h.closed == 0) /* told by the server's thread, soon */
        usleep(1000);
    CHECK(h.opened == 1 && h.messages == 1 && h.close_code == 1000);
    host_end(&h);
}

LN_TEST(server, a_handshake_and_its_first_frame_may_come_in_one_piece)
{
    uint8_t data[1024];
    size_t len = sizeof HOST_UPGRADE + 1;
    int fd;

    host_begin(&h);
    memcpy(data, HOST_UPGRADE "\r\n", len);
    len += test_hex("818537fa213d7f9f4d5158", data + len, sizeof data - len);
    fd = host_connect(&h);
    host_send(fd, data, len);
    CHECK(host_expect(fd, "\x81\x05Hello"));
    close(fd);
    host_end(&h);
}

LN_TEST(server, handshakes_that_are_none_are_refused)
{
    static const struct {
        const char *request, *status;
    } cases[] = {
        { HOST_UPGRADE "Origin: http://evil\r\n\r\n", "403" },
        { "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", "426" },
        { "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "426" },
        { "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
          "400" },
        { "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400" },
        { "HEAD /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400" },
    };
    char text[4096];

    host_begin(&h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(cases[i].request, text, sizeof text);
        CHECK(strncmp(text + 9, cases[i].status, 3) == 0);
    }
    CHECK(h.opened == 0);
    host_end(&h);
}

LN_TEST(server, an_offered_extension_is_not_taken)
{
    char text[1024];
    int fd;

    host_begin(&h);
    fd = host_connect(&h);
    host_say(fd, HOST_UPGRADE "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    CHECK(recv(fd, text, sizeof text - 1, 0) > 0);
    CHECK(strncmp(text, "HTTP/1.1 101 ", 13) == 0);
    CHECK(!memmem(text, sizeof text - 1, "Extensions", 10));
    close(fd);
    host_end(&h);
}

LN_TEST(server, bad_frames_close_with_their_code)
{
    static const struct {
        const char *hex;
        int code;
    } cases[] = {
        { "8105 48656c6c6f", 1002 },                /* not masked */
        { "0980 00000000", 1002 },                  /* a control frame in fragments */
        { "81ff 7fffffffffffffff 00000000", 1009 }, /* a length of 64 bits */
        { "8280 00000000", 1003 },                  /* binary */
        { "8181 00000000 ff", 1007 },               /* not UTF-8 */
        { "c180 00000000", 1002 },                  /* compressed, as it were */
    };
    struct ln_http_figures figures;
    uint8_t data[64];

    host_begin(&h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = host_websocket(&h);

        host_send(fd, data, test_hex(cases[i].hex, data, sizeof data));
        CHECK_EQUAL(host_close_code(fd), cases[i].code);
        close(fd);
    }
    ln_http_server_get_figures(h.server, &figures);
    CHECK(figures.closed_protocol == 3 && figures.closed_too_big == 1 &&
          figures.closed_binary == 1 && figures.closed_bad_text == 1);
    CHECK(h.messages == 0);
    host_end(&h);
}

LN_TEST(server, a_flood_of_pings_is_ended)
{
    uint8_t ping[6] = { 0x89, 0x80 };
    int fd;

    host_prepare(&h);
    h.config.pings_per_minute = 10;
    host_start(&h);
    fd = host_websocket(&h);
    for (int i = 0; i < 30; i++)
        host_send(fd, ping, sizeof ping);
    CHECK_EQUAL(host_close_code(fd), 1008);
    close(fd);
    host_end(&h);
}

/* It asks for echoes and reads none of them: its queue is bounded, and it is let go. */
LN_TEST(server, one_that_reads_nothing_is_let_go)
{
    static uint8_t message[60008] = { 0x81, 0xfe, 0xea, 0x60 };
    int fd;

    host_prepare(&h);
    h.config.send_queue_bytes = 200000;
    host_start(&h);
    fd = host_websocket(&h);
    memset(message + 8, 'x', sizeof message - 8);
    for (int i = 0; i < 400 && h.closed == 0; i++)
        host_send(fd, message, sizeof message);
    close(fd);
    while (h.closed == 0 && h.messages < 1)
        usleep(1000);
    fd = host_connect(&h);
    host_say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(fd, "hello"));
    close(fd);
    host_end(&h);
}

LN_TEST(server, random_bytes_at_every_state_harm_nothing)
{
    struct ln_rng *rng = test_env()->rng;
    uint8_t data[2000];
    char text[64];
    int fd;

    host_begin(&h);
    for (int i = 0; i < 60; i++) {
        size_t len = 1 + ln_rng_below(rng, sizeof data - 1);

        fd = i % 2 ? host_websocket(&h) : host_connect(&h);
        ln_rng_bytes(rng, data, len);
        host_send(fd, data, len);
        shutdown(fd, SHUT_WR);
        host_read_all(fd, text, sizeof text);
        close(fd);
    }
    fd = host_connect(&h);
    host_say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(host_expect(fd, "hello"));
    close(fd);
    host_end(&h);
}
