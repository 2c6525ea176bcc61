/* SPDX-License-Identifier: Apache-2.0
 * Tunnels through an HTTP proxy: its URL, the request, and answers of every kind. */
#include "stun/proxy.h"
#include "tests/support/test.h"

#include <string.h>

static int parse(const char *url, struct ln_proxy *ret_proxy)
{
    memset(ret_proxy, 0, sizeof *ret_proxy);
    return ln_proxy_parse(url, ret_proxy);
}

LN_TEST(proxy, a_url_has_a_host_and_may_have_a_port_and_credentials)
{
    struct ln_proxy p;
    char text[LN_PROXY_AUTHORITY_MAX];

    CHECK(parse("http://proxy.example.org", &p) == 0);
    CHECK_TEXT(p.host, "proxy.example.org");
    CHECK(p.port == 3128 && p.secret[0] == '\0');
    CHECK(parse("http://10.0.0.1:8080/", &p) == 0);
    CHECK_TEXT(p.host, "10.0.0.1");
    CHECK(p.port == 8080);
    CHECK(parse("http://ann:se%40cret%3a@[2001:db8::1]:80", &p) == 0);
    CHECK_TEXT(p.host, "2001:db8::1");
    CHECK_TEXT(p.secret, "ann:se@cret:");
    CHECK(ln_proxy_authority("http://ann:se%40cret@[2001:db8::1]:80", text) == 0);
    CHECK_TEXT(text, "ann:se@cret@[2001:db8::1]:80");
    CHECK(parse("http://ann@h", &p) == 0);
    CHECK_TEXT(p.secret, "ann:");
    CHECK(ln_proxy_authority("http://h", text) == 0);
    CHECK_TEXT(text, "h:3128");
}

LN_TEST(proxy, a_url_that_is_none_is_refused)
{
    static const char *const wrong[] = {
        "",
        "proxy",
        "http://",
        "http://:80",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:8x",
        "http://h/path",
        "http://[::1",
        "http://[::1]x",
        "http://a%4@h",
        "http://a%zz@h",
        "http://a%0ab:c@h",
        "http://a%3ab:c@h",
        "http://a b/",
        "http://h\r\nx: y",
    };
    struct ln_proxy p = { .port = 7 };
    char longest[700] = "http://";

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(ln_proxy_parse(wrong[i], &p) == LN_ERR_SYNTAX);
    CHECK(ln_proxy_parse("https://h:443", &p) == LN_ERR_NOT_SUPPORTED);
    CHECK(ln_proxy_parse("socks5://h", &p) == LN_ERR_NOT_SUPPORTED);
    memset(longest + 7, 'h', 256);
    CHECK(ln_proxy_parse(longest, &p) == LN_ERR_SYNTAX);
    memset(longest + 7, 'u', 300);
    strcpy(longest + 307, "@h");
    CHECK(ln_proxy_parse(longest, &p) == LN_ERR_SYNTAX);
    CHECK(p.port == 7);
}

LN_TEST(proxy, the_request_names_the_server_the_protocol_and_the_user)
{
    uint8_t out[LN_PROXY_REQUEST_MAX + 1] = { 0 };
    struct ln_proxy p;

    CHECK(parse("http://Aladdin:open%20sesame@h", &p) == 0);
    CHECK(ln_proxy_request(&p, "turn.example.org", 443, "stun.turn", out, sizeof out - 1) > 0);
    CHECK_TEXT((char *)out, "CONNECT turn.example.org:443 HTTP/1.1\r\n"
                            "Host: turn.example.org:443\r\n"
                            "ALPN: stun.turn\r\n" /* RFC 7639, 2 */
                            "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    memset(out, 0, sizeof out);
    CHECK(parse("http://h", &p) == 0);
    CHECK(ln_proxy_request(&p, "2001:db8::7", 3478, NULL, out, sizeof out - 1) > 0);
    CHECK_TEXT((char *)out,
               "CONNECT [2001:db8::7]:3478 HTTP/1.1\r\nHost: [2001:db8::7]:3478\r\n\r\n");
    CHECK(ln_proxy_request(&p, "h\r\nX: y", 80, NULL, out, sizeof out) == LN_ERR_SYNTAX);
    CHECK(ln_proxy_request(&p, "", 80, NULL, out, sizeof out) == LN_ERR_SYNTAX);
    CHECK(ln_proxy_request(&p, "h", 80, "a b", out, sizeof out) == LN_ERR_SYNTAX);
    CHECK(ln_proxy_request(&p, "turn.example.org", 80, NULL, out, 40) == LN_ERR_NO_SPACE);
}

LN_TEST(proxy, the_longest_request_fits)
{
    uint8_t out[LN_PROXY_REQUEST_MAX];
    struct ln_proxy p = { .host = "h" };
    char host[LN_PROXY_HOST_MAX + 1] = "";

    memset(p.secret, 's', LN_PROXY_SECRET_MAX);
    memset(host, ':', LN_PROXY_HOST_MAX);
    CHECK(ln_proxy_request(&p, host, 65535, "stun.nat-discovery", out, sizeof out) > 0);
}

/* The result of the text in pieces of this size; *ret_rest: what is left of the last piece. */
static int read_in_pieces(const char *text, size_t size, struct ln_proxy_answer *a,
                          size_t *ret_rest)
{
    size_t len = strlen(text), at = 0;
    int result = 0;

    memset(a, 0, sizeof *a);
    *ret_rest = 0;
    while (at < len && result == 0) {
        struct ln_bytes piece = { (const uint8_t *)text + at, len - at < size ? len - at : size };

        at += piece.len;
        result = ln_proxy_answer_read(a, &piece);
        *ret_rest = len - at + piece.len;
    }
    return result;
}

static int answer(const char *text, size_t *ret_rest)
{
    struct ln_proxy_answer a;
    int whole = read_in_pieces(text, 100000, &a, ret_rest);

    for (size_t size = 1; size < 20; size++) {
        size_t rest;

        CHECK(read_in_pieces(text, size, &a, &rest) == whole && rest == *ret_rest);
    }
    return whole;
}

LN_TEST(proxy, an_answer_of_2xx_opens_the_tunnel_and_what_follows_is_the_servers)
{
    size_t rest;

    CHECK(answer("HTTP/1.1 200 Connection established\r\n\r\nserver", &rest) == 1 && rest == 6);
    CHECK(answer("HTTP/1.0 200\r\nVia: x\r\nContent-Length: 5\r\n\r\n\r\n", &rest) == 1 &&
          rest == 2);
    CHECK(answer("HTTP/1.1 204 \nA: b\n\n", &rest) == 1 && rest == 0);
    CHECK(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 299 x\r\n"
                 "\r\n",
                 &rest) == 1);
    CHECK(answer("HTTP/1.1 200 \xc3\xa9\t\r\n\r\n", &rest) == 1);
    CHECK(answer("HTTP/1.1 200 OK\r\nA: b\r\n", &rest) == 0); /* it goes on */
}

LN_TEST(proxy, a_refusal_tells_its_status)
{
    struct ln_proxy_answer a;
    size_t rest;

    CHECK(
        answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n<p>",
               &rest) == LN_ERR_NOT_ALLOWED);
    CHECK(answer("HTTP/1.0 401 Unauthorized\r\n\r\n", &rest) == LN_ERR_NOT_ALLOWED);
    CHECK(answer("HTTP/1.1 403 Filtered\r\n\r\n", &rest) == LN_ERR_UNREACHABLE);
    CHECK(answer("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", &rest) == LN_ERR_UNREACHABLE);
    CHECK(read_in_pieces("HTTP/1.1 503 x\r\n\r\n", 3, &a, &rest) == LN_ERR_UNREACHABLE);
    CHECK_EQUAL(a.status, 503);
}

LN_TEST(proxy, an_answer_that_is_none_is_refused_at_once)
{
    static const char *const wrong[] = {
        "SSH-2.0-x\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 2000 x\r\n",
        "HTTP/1.1  200 OK\r\n",
        "http/1.1 200 OK\r\n",
        "\r\n",
        "HTTP/1.1 200 O\x01K\r\n",
        "HTTP/1.1 200 O\rK\r\n",
        "HTTP/1.1 101 x\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \x7f\r\n",
    };
    struct ln_bytes nothing = { (const uint8_t *)"HTTP/1.1 200 OK\0\r\n", 18 };
    struct ln_proxy_answer a = { 0 };
    size_t rest;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(answer(wrong[i], &rest) == LN_ERR_SYNTAX);
    CHECK(ln_proxy_answer_read(&a, &nothing) == LN_ERR_SYNTAX);
}

LN_TEST(proxy, an_answer_without_end_is_ended)
{
    static const char field[] = "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
                      early[] = "HTTP/1.1 100 \r\n\r\n";
    struct ln_proxy_answer a = { 0 };
    struct ln_bytes piece = { (const uint8_t *)"HTTP/1.1 200 OK\r\n", 17 };
    size_t total = 17;
    int result = ln_proxy_answer_read(&a, &piece);

    while (result == 0) {
        piece = (struct ln_bytes){ (const uint8_t *)field, sizeof field - 1 };
        result = ln_proxy_answer_read(&a, &piece);
        total += sizeof field - 1;
    }
    CHECK(result == LN_ERR_TOO_BIG && total < LN_PROXY_ANSWER_MAX + 64);
    a = (struct ln_proxy_answer){ 0 };
    for (result = 0, total = 0; result == 0; total++) { /* nor do interim ones go on for ever */
        piece = (struct ln_bytes){ (const uint8_t *)early, sizeof early - 1 };
        result = ln_proxy_answer_read(&a, &piece);
    }
    CHECK(result == LN_ERR_TOO_BIG && total <= LN_PROXY_ANSWER_MAX / (sizeof early - 1) + 1);
}
