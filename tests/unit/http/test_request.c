/* SPDX-License-Identifier: Apache-2.0
 * Heads of requests: what is taken, and what is refused with which status. */
#include "http/request.h"
#include "tests/support/test.h"

#include <stdio.h>

static int parse(const char *text, struct http_head *head)
{
    static char data[16384];

    snprintf(data, sizeof data, "%s", text);
    return http_head_parse(data, strlen(text), head);
}

LN_TEST(request, a_browser_s_head_is_understood)
{
    struct http_head head;

    CHECK(parse("GET /ws?x=1&y HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: x y z\r\n"
                "origin:  http://localhost:8080 \r\nConnection: keep-alive, Upgrade\r\n"
                "Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\nX-Empty:\r\n\r\n",
                &head) == 0);
    CHECK_TEXT(head.method, "GET");
    CHECK_TEXT(head.path, "/ws");
    CHECK_TEXT(head.query, "x=1&y");
    CHECK_TEXT(head.host, "localhost:8080");
    CHECK_TEXT(head.origin, "http://localhost:8080");
    CHECK(http_list_has(head.connection, "upgrade") && http_list_has(head.upgrade, "websocket"));
    CHECK(head.keep_alive && !head.if_none_match);
    CHECK(parse("HEAD / HTTP/1.0\r\n\r\n", &head) == 0);
    CHECK(!head.keep_alive && head.query[0] == '\0' && !head.host);
    CHECK(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n", &head) == 0);
    CHECK(!head.keep_alive);
}

LN_TEST(request, what_could_be_read_in_two_ways_is_refused)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", 400 },                       /* no host */
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 }, /* two */
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },           /* blank before the colon */
        { "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400 }, /* continued line */
        { "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400 },      /* bare line feed */
        { "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400 },      /* bare carriage return */
        { "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400 },
        { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET /\r\nHost: a\r\n\r\n", 400 },
        { "GET\r\n\r\n", 400 },
        { "\r\n\r\n", 400 },
        { "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
        { "GET / FTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
        { "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413 },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n", 413 },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413 },
    };
    struct http_head head;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_EQUAL(parse(cases[i].text, &head), cases[i].status);
    CHECK_EQUAL(http_head_parse((char[]){ 'G', 'E', 'T', '\0', '\r', '\n', '\r', '\n' }, 8, &head),
                400);
}

LN_TEST(request, a_hundred_fields_are_enough)
{
    struct http_head head;
    char text[8192];
    int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");

    for (int i = 0; i < 99; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "X%d: y\r\n", i);
    snprintf(text + len, sizeof text - (size_t)len, "\r\n");
    CHECK_EQUAL(parse(text, &head), 0);
    snprintf(text + len, sizeof text - (size_t)len, "Z: y\r\n\r\n");
    CHECK_EQUAL(parse(text, &head), 431);
}

LN_TEST(request, the_end_of_a_head_is_found_wherever_it_stands)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";

    for (size_t len = 0; len < sizeof text - 5; len++)
        CHECK(http_head_length(text, len) == 0);
    CHECK(http_head_length(text, sizeof text - 1) == sizeof text - 5);
}

LN_TEST(request, lists_are_compared_token_by_token)
{
    CHECK(http_list_has("a, b ,c", "b") && http_list_has(",,x", "X"));
    CHECK(!http_list_has("ab", "a") && !http_list_has("", "a") && !http_list_has(NULL, "a"));
    CHECK(!http_list_has("a b", "a"));
}
