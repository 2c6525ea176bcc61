/* SPDX-License-Identifier: Apache-2.0
 * Reading the URL, writing the request, reading the answer (stun/proxy.h). */
#include "stun/proxy.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

/* ---- the URL ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Printable ASCII without a space is what may stand in a head. */
static bool is_visible(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return true;
}

/* user:password, decoded. A decoded colon in the user would move the border (RFC 7617, 2). */
static bool read_secret(const char *text, size_t len, char secret[LN_PROXY_SECRET_MAX + 1])
{
    bool password = false;
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];

        if (text[i] == '%') {
            int high = i + 2 < len ? hex(text[i + 1]) : -1,
                low = i + 2 < len ? hex(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c < ' ' || c == 0x7f || out == LN_PROXY_SECRET_MAX - 1 ||
            (c == ':' && text[i] != ':' && !password))
            return false;
        password = password || c == ':';
        secret[out++] = (char)c;
    }
    if (!password)
        secret[out++] = ':';
    secret[out] = '\0';
    return true;
}

static bool read_port(const char *text, size_t len, uint16_t *ret_port)
{
    unsigned port = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool read_host(const char *text, size_t len, struct ln_proxy *proxy)
{
    const char *end = text + len, *port = memchr(text, ':', len), *close;
    size_t host_len = port ? (size_t)(port - text) : len;

    if (len > 0 && text[0] == '[') {
        close = memchr(text, ']', len);
        if (!close || (close + 1 < end && close[1] != ':'))
            return false;
        port = close + 1 < end ? close + 1 : NULL;
        text++;
        host_len = (size_t)(close - text);
    }
    if (host_len == 0 || host_len > LN_PROXY_HOST_MAX || !is_visible(text, host_len))
        return false;
    memcpy(proxy->host, text, host_len);
    proxy->port = LN_PROXY_PORT;
    return !port || read_port(port + 1, (size_t)(end - port - 1), &proxy->port);
}

int ln_proxy_parse(const char *url, struct ln_proxy *ret_proxy)
{
    static const char scheme[] = "http://";
    struct ln_proxy proxy = { .port = 0 };
    const char *text, *at;
    size_t len;
    bool good = true;

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return strstr(url, "://") ? LN_ERR_NOT_SUPPORTED : LN_ERR_SYNTAX;
    text = url + sizeof scheme - 1;
    len = strcspn(text, "/");
    if (text[len] == '/' && text[len + 1] != '\0')
        return LN_ERR_SYNTAX;
    at = memrchr(text, '@', len);
    if (at) {
        good = read_secret(text, (size_t)(at - text), proxy.secret);
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (good && read_host(text, len, &proxy))
        *ret_proxy = proxy;
    else
        good = false;
    ln_wipe(proxy.secret, sizeof proxy.secret);
    return good ? 0 : LN_ERR_SYNTAX;
}

int ln_proxy_authority(const char *url, char text[LN_PROXY_AUTHORITY_MAX])
{
    struct ln_proxy proxy;
    int error = ln_proxy_parse(url, &proxy);

    if (error)
        return error;
    snprintf(text, LN_PROXY_AUTHORITY_MAX, strchr(proxy.host, ':') ? "%s%s[%s]:%u" : "%s%s%s:%u",
             proxy.secret, proxy.secret[0] ? "@" : "", proxy.host, proxy.port);
    ln_wipe(&proxy, sizeof proxy);
    return 0;
}

/* ---- the request ---- */

int ln_proxy_request(const struct ln_proxy *proxy, const char *host, uint16_t port,
                     const char *alpn, uint8_t *out, size_t cap)
{
    char secret[(LN_PROXY_SECRET_MAX + 2) / 3 * 4 + 1], target[LN_PROXY_HOST_MAX + 16];
    bool v6 = strchr(host, ':') != NULL, known = proxy->secret[0] != '\0';
    size_t host_len = strlen(host);
    int len;

    if (host_len == 0 || host_len > LN_PROXY_HOST_MAX || !is_visible(host, host_len) ||
        (alpn && !is_visible(alpn, strlen(alpn))))
        return LN_ERR_SYNTAX;
    snprintf(target, sizeof target, v6 ? "[%s]:%u" : "%s:%u", host, port);
    ln_base64_encode(proxy->secret, strlen(proxy->secret), secret);
    len = snprintf((char *)out, cap, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s%s%s\r\n", target,
                   target, alpn ? "ALPN: " : "", alpn ? alpn : "", alpn ? "\r\n" : "",
                   known ? "Proxy-Authorization: Basic " : "", known ? secret : "",
                   known ? "\r\n" : "");
    ln_wipe(secret, sizeof secret);
    return len > 0 && (size_t)len < cap ? len : LN_ERR_NO_SPACE;
}

/* ---- the answer ---- */

enum place { STATUS_LINE, REASON, LINE_BEGIN, FIELD };

/* One byte of "HTTP/1.x NNN". False: it is something else. */
static bool status_line(struct ln_proxy_answer *a, char c)
{
    static const char form[] = "HTTP/1.x NNN";
    char wanted = form[a->at++];

    if (wanted != 'x' && wanted != 'N')
        return c == wanted;
    if (c < '0' || c > '9')
        return false;
    if (wanted == 'N')
        a->status = (uint16_t)(a->status * 10 + (c - '0'));
    return true;
}

/* The empty line has come: what it means. */
static int head_complete(struct ln_proxy_answer *a)
{
    if (a->status >= 200 && a->status < 300)
        return 1;
    if (ln_proxy_wants_credentials(a->status))
        return LN_ERR_NOT_ALLOWED;
    if (a->status == 101 || a->status < 100)
        return LN_ERR_SYNTAX;
    if (a->status >= 200)
        return LN_ERR_UNREACHABLE;
    a->status = 0; /* the final one is to come (RFC 9110, 15.2) */
    a->at = 0;
    a->place = STATUS_LINE;
    return 0;
}

static int line_ends(struct ln_proxy_answer *a)
{
    if (a->place == STATUS_LINE && a->at < 12)
        return LN_ERR_SYNTAX;
    if (a->place == LINE_BEGIN)
        return head_complete(a);
    a->place = LINE_BEGIN;
    return 0;
}

static int take_byte(struct ln_proxy_answer *a, char c)
{
    bool after_return = a->after_return;

    a->after_return = c == '\r';
    if (c == '\n') /* alone it is a line's end too (RFC 9112, 2.2) */
        return line_ends(a);
    if (after_return || ((unsigned char)c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
        return LN_ERR_SYNTAX;
    if (c == '\r')
        return 0;
    if (a->place == STATUS_LINE && a->at == 12) {
        a->place = REASON;
        return c == ' ' ? 0 : LN_ERR_SYNTAX;
    }
    if (a->place == STATUS_LINE)
        return status_line(a, c) ? 0 : LN_ERR_SYNTAX;
    if (a->place == LINE_BEGIN)
        a->place = FIELD;
    return 0;
}

int ln_proxy_answer_read(struct ln_proxy_answer *answer, struct ln_bytes *piece)
{
    while (piece->len > 0) {
        int result = answer->bytes++ == LN_PROXY_ANSWER_MAX
                         ? LN_ERR_TOO_BIG
                         : take_byte(answer, (char)piece->data[0]);

        piece->data++;
        piece->len--;
        if (result != 0)
            return result;
    }
    return 0;
}
