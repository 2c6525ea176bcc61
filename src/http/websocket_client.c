/* SPDX-License-Identifier: Apache-2.0
 * The client's side of a WebSocket, by libwebsockets: name lookup, TLS, handshake, frames.
 *
 * `wsi` is NULL before the attempt has begun and after libwebsockets has given it up, which it does
 * not always say before it frees the wsi. A client that is freed in one of its own callbacks leaves
 * its wsi without an owner: it is then closed at the next callback.
 *
 * Nothing is told while libwebsockets begins, as it goes on with the client's memory afterwards. */
#include "http/websocket_client.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/ring.h"
#include "http/internal.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define MESSAGES_MAX   4096u
#define MESSAGE_BYTES  262144u
#define QUEUE_BYTES    1048576u
#define CLOSE_SECONDS  5
#define ABNORMAL_CLOSE 1006
#define SENTENCE_CAP   512u
#define NO_ANSWER      "The server did not answer."
#define PROXY_SECRET   95u /* bytes that libwebsockets takes */

struct message {
    unsigned char *data; /* with LWS_PRE bytes before the text */
    size_t len;
};

struct url {
    char host[256], authority[280], path[1024];
    int port;
    bool secure;
};

/* What came while libwebsockets began. */
struct beginning {
    bool ended;
    uint16_t code;
    char sentence[SENTENCE_CAP];
};

struct ln_websocket_client {
    struct http_member member;
    struct ln_http_loop *loop;
    struct ln_websocket_client_config config;
    uint8_t pin[32];
    struct url url;
    char proxy[PROXY_SECRET + 1 + 256 + 8]; /* "": none */
    struct lws *wsi;
    struct beginning *beginning; /* NULL but within connect_now() */
    struct ln_http_timer *timer;
    bool connected, closing, ended;
    uint16_t close_code;
    struct ln_ring queue; /* struct message */
    size_t queue_bytes;
    char *text; /* of the message that is coming */
    size_t text_len, text_cap;
};

/* ------------------------------------------------------------------ URL */

static int parse_url(const char *text, struct url *url)
{
    const char *host, *end, *port;
    size_t len;
    long number;
    char *rest;

    memset(url, 0, sizeof *url);
    url->secure = strncmp(text, "wss://", 6) == 0;
    if (!url->secure && strncmp(text, "ws://", 5) != 0)
        return LN_ERR_SYNTAX;
    host = text + (url->secure ? 6 : 5);
    len = strcspn(host, "/?#");
    if (len == 0 || len >= sizeof url->authority || strcspn(host, "@ \\\r\n\t") < len)
        return LN_ERR_SYNTAX;
    memcpy(url->authority, host, len);
    end = host + len;
    url->port = url->secure ? 443 : 80;
    if (*host == '[') {
        const char *bracket = memchr(host, ']', len);

        if (!bracket)
            return LN_ERR_SYNTAX;
        host++;
        len = (size_t)(bracket - host);
        port = bracket + 1;
    } else {
        port = memchr(host, ':', len);
        if (port)
            len = (size_t)(port - host);
        else
            port = end;
    }
    if (port < end) {
        number = strtol(port + 1, &rest, 10);
        if (*port != ':' || rest != end || number < 1 || number > 65535)
            return LN_ERR_SYNTAX;
        url->port = (int)number;
    }
    if (len == 0 || len >= sizeof url->host)
        return LN_ERR_SYNTAX;
    memcpy(url->host, host, len);
    len = strcspn(end, "#");
    if (len + 2 > sizeof url->path || strcspn(end, " \r\n\t") < len)
        return LN_ERR_SYNTAX;
    snprintf(url->path, sizeof url->path, "%s%.*s", *end == '/' ? "" : "/", (int)len, end);
    return 0;
}

static bool proxy_fits(const char *proxy, size_t cap)
{
    const char *at = strrchr(proxy, '@');

    return strlen(proxy) < cap && (!at || (size_t)(at - proxy) <= PROXY_SECRET);
}

/* ------------------------------------------------------------------ life */

static void drop_queue(struct ln_websocket_client *client)
{
    struct message message;

    while (ln_ring_pop(&client->queue, &message))
        ln_free(client->queue.allocator, message.data);
    client->queue_bytes = 0;
}

static void release_wsi(struct ln_websocket_client *client)
{
    if (client->wsi) {
        lws_set_opaque_user_data(client->wsi, NULL);
        lws_set_timeout(client->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        client->wsi = NULL;
    }
}

/* Says that it is over, once. The callback may free the client. */
static void end(struct ln_websocket_client *client, uint16_t code, const char *sentence)
{
    if (client->ended)
        return;
    if (client->beginning) {
        client->beginning->ended = true;
        client->beginning->code = code;
        snprintf(client->beginning->sentence, sizeof client->beginning->sentence, "%s", sentence);
        return;
    }
    client->ended = true;
    ln_http_timer_set(client->timer, LN_TIME_NEVER);
    drop_queue(client);
    if (client->config.closed)
        client->config.closed(client->config.ctx, code, sentence);
}

static void on_timer(void *ctx)
{
    struct ln_websocket_client *client = ctx;

    release_wsi(client);
    end(client, ABNORMAL_CLOSE,
        client->connected ? "The server did not answer the close." : NO_ANSWER);
}

/* libwebsockets says no more of a name that it does not find. */
static void not_begun(struct ln_websocket_client *client)
{
    char sentence[SENTENCE_CAP];

    snprintf(sentence, sizeof sentence,
             "Connecting to %s failed: its name was not found, or there is no way to it.",
             client->url.authority);
    end(client, ABNORMAL_CLOSE, sentence);
}

/* Begins; on the loop's next turn, so that no callback comes before create() has returned. */
static void connect_now(struct ln_websocket_client *client)
{
    struct beginning beginning = { 0 };
    struct lws_client_connect_info info = {
        .context = http_loop_context(client->loop),
        .address = client->url.host,
        .port = client->url.port,
        .path = client->url.path,
        .host = client->url.authority,
        .origin = client->config.origin,
        .ietf_version_or_minus_one = -1,
        .local_protocol_name = HTTP_PROTOCOL_CLIENT,
        .vhost = http_loop_client_vhost(client->loop, client->url.secure, client->config.insecure,
                                        client->proxy),
        .pwsi = &client->wsi,
        .opaque_user_data = client,
        .alpn = "http/1.1",
    };

    if (client->url.secure)
        info.ssl_connection = LCCSCF_USE_SSL;
    if (client->url.secure && (client->config.insecure || client->config.pinned_sha256))
        info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK |
                               LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
    if (!info.vhost) {
        end(client, ABNORMAL_CLOSE, "Out of memory.");
        return;
    }
    client->beginning = &beginning;
    if (!lws_client_connect_via_info(&info)) {
        client->wsi = NULL;
        if (!beginning.ended)
            not_begun(client);
    }
    client->beginning = NULL;
    if (beginning.ended)
        end(client, beginning.code, beginning.sentence);
}

static void on_start(void *ctx)
{
    struct ln_websocket_client *client = ctx;

    ln_http_timer_free(client->timer);
    client->timer = NULL;
    if (ln_http_timer_create(&client->timer, client->loop, on_timer, client) != 0) {
        client->ended = true;
        if (client->config.closed)
            client->config.closed(client->config.ctx, ABNORMAL_CLOSE, "Out of memory.");
        return;
    }
    ln_http_timer_set(client->timer,
                      ln_http_loop_now(client->loop) + LN_SECONDS(client->config.connect_seconds));
    connect_now(client);
}

static void free_member(struct http_member *member)
{
    ln_websocket_client_free(LN_CONTAINER(member, struct ln_websocket_client, member));
}

int ln_websocket_client_create(struct ln_websocket_client **ret_client, struct ln_http_loop *loop,
                               const struct ln_websocket_client_config *config)
{
    struct ln_allocator *allocator = http_loop_allocator(loop);
    struct ln_websocket_client *client = ln_alloc_zero(allocator, sizeof *client);
    int error;

    if (!client)
        return LN_ERR_NOMEM;
    error = parse_url(config->url, &client->url);
    if (!error && config->proxy && !proxy_fits(config->proxy, sizeof client->proxy))
        error = LN_ERR_TOO_BIG;
    if (!error)
        error = ln_http_timer_create(&client->timer, loop, on_start, client);
    if (error) {
        ln_free(allocator, client);
        return error;
    }
    http_timer_disown(client->timer);
    client->loop = loop;
    client->config = *config;
    client->config.url = client->config.proxy = NULL;
    if (config->proxy)
        memcpy(client->proxy, config->proxy, strlen(config->proxy) + 1);
    if (!client->config.message_bytes)
        client->config.message_bytes = MESSAGE_BYTES;
    if (!client->config.send_queue_bytes)
        client->config.send_queue_bytes = QUEUE_BYTES;
    if (!client->config.connect_seconds)
        client->config.connect_seconds = 10;
    if (config->pinned_sha256) {
        memcpy(client->pin, config->pinned_sha256, sizeof client->pin);
        client->config.pinned_sha256 = client->pin;
    }
    client->close_code = ABNORMAL_CLOSE;
    ln_ring_init(&client->queue, allocator, sizeof(struct message), MESSAGES_MAX);
    client->member.free = free_member;
    http_loop_add(loop, &client->member);
    ln_http_timer_set(client->timer, ln_http_loop_now(loop));
    *ret_client = client;
    return 0;
}

void ln_websocket_client_free(struct ln_websocket_client *client)
{
    struct ln_allocator *allocator;

    if (!client)
        return;
    allocator = client->queue.allocator;
    ln_list_remove(&client->member.node);
    release_wsi(client);
    ln_http_timer_free(client->timer);
    drop_queue(client);
    ln_ring_deinit(&client->queue);
    ln_wipe(client->proxy, sizeof client->proxy);
    ln_free(allocator, client->text);
    ln_free(allocator, client);
}

/* ------------------------------------------------------------------ output */

int ln_websocket_client_send(struct ln_websocket_client *client, const char *text, size_t len)
{
    struct message message = { .len = len };
    int error;

    if (client->ended || client->closing)
        return LN_ERR_CLOSED;
    if (client->queue_bytes + len > client->config.send_queue_bytes)
        return LN_ERR_LIMIT;
    message.data = ln_alloc(client->queue.allocator, LWS_PRE + len + 1);
    if (!message.data)
        return LN_ERR_NOMEM;
    memcpy(message.data + LWS_PRE, text, len);
    error = ln_ring_push(&client->queue, &message);
    if (error) {
        ln_free(client->queue.allocator, message.data);
        return error;
    }
    client->queue_bytes += len;
    if (client->connected)
        lws_callback_on_writable(client->wsi);
    return 0;
}

struct posted {
    struct ln_websocket_client *client;
    size_t len;
    char text[];
};

static void send_posted(void *ctx)
{
    struct posted *posted = ctx;
    struct ln_websocket_client *client = posted->client;
    int error = ln_websocket_client_send(client, posted->text, posted->len);

    free(posted);
    if (error && error != LN_ERR_CLOSED) {
        release_wsi(client);
        end(client, ABNORMAL_CLOSE, "More was sent than the connection takes.");
    }
}

int ln_websocket_client_post(struct ln_websocket_client *client, const char *text, size_t len)
{
    /* the loop's allocator belongs to its thread, so this is the C library's */
    struct posted *posted = malloc(sizeof *posted + len);
    int error;

    if (!posted)
        return LN_ERR_NOMEM;
    posted->client = client;
    posted->len = len;
    memcpy(posted->text, text, len);
    error = ln_http_loop_post(client->loop, send_posted, posted);
    if (error)
        free(posted);
    return error;
}

void ln_websocket_client_close(struct ln_websocket_client *client, uint16_t code)
{
    if (client->ended || client->closing)
        return;
    client->closing = true;
    client->close_code = code;
    http_timer_disown(client->timer);
    ln_http_timer_set(client->timer, ln_http_loop_now(client->loop) + LN_SECONDS(CLOSE_SECONDS));
    if (client->connected)
        lws_callback_on_writable(client->wsi);
}

/* One message, or the close when there is none left. */
static int writable(struct ln_websocket_client *client)
{
    struct message message;
    int written;

    if (!ln_ring_pop(&client->queue, &message)) {
        if (!client->closing)
            return 0;
        lws_close_reason(client->wsi, client->close_code, NULL, 0);
        return -1;
    }
    client->queue_bytes -= message.len;
    written = lws_write(client->wsi, message.data + LWS_PRE, message.len, LWS_WRITE_TEXT);
    ln_free(client->queue.allocator, message.data);
    if (written < (int)message.len)
        return -1;
    if (client->queue.count > 0 || client->closing)
        lws_callback_on_writable(client->wsi);
    return 0;
}

/* ------------------------------------------------------------------ input */

static int refuse(struct ln_websocket_client *client, uint16_t code)
{
    client->close_code = code;
    lws_close_reason(client->wsi, code, NULL, 0);
    return -1;
}

static int received(struct ln_websocket_client *client, const char *data, size_t len)
{
    struct lws *wsi = client->wsi;
    size_t cap = client->text_cap ? client->text_cap : 1024;

    if (lws_frame_is_binary(wsi))
        return refuse(client, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
    if (client->text_len + len > client->config.message_bytes)
        return refuse(client, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
    while (cap <= client->text_len + len)
        cap *= 2;
    if (cap > client->text_cap) {
        char *text = ln_realloc(client->queue.allocator, client->text, cap);

        if (!text)
            return refuse(client, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION);
        client->text = text;
        client->text_cap = cap;
    }
    memcpy(client->text + client->text_len, data, len);
    client->text_len += len;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return 0;
    len = client->text_len;
    client->text_len = 0;
    client->text[len] = '\0';
    if (!ln_utf8_valid(client->text, len))
        return refuse(client, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
    if (!client->ended && !client->closing)
        client->config.message(client->config.ctx, client->text, len);
    return lws_get_opaque_user_data(wsi) ? 0 : -1; /* freed meanwhile */
}

/* The certificate must be the pinned one; libwebsockets has taken any. */
static bool pin_matches(const struct ln_websocket_client *client, struct lws *wsi)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *certificate;

    if (!client->url.secure || !client->config.pinned_sha256)
        return true;
    certificate = SSL_get1_peer_certificate(lws_get_ssl(wsi));
    if (!certificate)
        return false;
    if (!X509_digest(certificate, EVP_sha256(), digest, &len))
        len = 0;
    X509_free(certificate);
    return len == sizeof client->pin && memcmp(digest, client->pin, len) == 0;
}

static int established(struct ln_websocket_client *client, struct lws *wsi)
{
    client->wsi = wsi;
    if (!pin_matches(client, wsi)) {
        release_wsi(client);
        end(client, ABNORMAL_CLOSE, "The server's certificate is not the expected one.");
        return -1;
    }
    ln_http_timer_set(client->timer, LN_TIME_NEVER);
    client->connected = true;
    if (client->queue.count > 0 || client->closing)
        lws_callback_on_writable(wsi);
    if (client->config.connected)
        client->config.connected(client->config.ctx);
    return lws_get_opaque_user_data(wsi) ? 0 : -1;
}

/* libwebsockets tells no more of a proxy than that it did not say 200. */
static bool is_of_proxy(const struct ln_websocket_client *client, const char *why, size_t len)
{
    return client->proxy[0] && (!why || (len >= 5 && strncasecmp(why, "proxy", 5) == 0));
}

static void failed(struct ln_websocket_client *client, const char *why, size_t len)
{
    char sentence[SENTENCE_CAP];

    if (is_of_proxy(client, why, len))
        snprintf(sentence, sizeof sentence,
                 "Connecting to %s failed: the proxy refuses; its user name or password is missing "
                 "or wrong, or it lets nobody connect there.",
                 client->url.authority);
    else
        snprintf(sentence, sizeof sentence, "Connecting to %s failed: %.*s.", client->url.authority,
                 why ? (int)len : 7, why ? why : "refused");
    lws_set_opaque_user_data(client->wsi, NULL);
    client->wsi = NULL;
    end(client, ABNORMAL_CLOSE, sentence);
}

static void closed(struct ln_websocket_client *client, struct lws *wsi)
{
    lws_set_opaque_user_data(wsi, NULL);
    client->wsi = NULL;
    end(client, client->close_code,
        !client->connected                     ? NO_ANSWER
        : client->close_code == ABNORMAL_CLOSE ? "The connection broke."
                                               : "The connection was closed.");
}

int http_client_callback(struct lws *wsi, int reason, void *in, size_t len)
{
    struct ln_websocket_client *client = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    if (!client)
        return reason == LWS_CALLBACK_CLIENT_RECEIVE || reason == LWS_CALLBACK_CLIENT_WRITEABLE ||
                       reason == LWS_CALLBACK_CLIENT_ESTABLISHED
                   ? -1
                   : 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return established(client, wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return received(client, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return writable(client);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        client->close_code = len >= 2 ? ln_load16(in) : 1005;
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        if (!client->wsi)
            client->wsi = wsi;
        failed(client, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP: /* given up before it was a WebSocket */
    case LWS_CALLBACK_WSI_DESTROY:        /* the last word, whatever came before */
        closed(client, wsi);
        return 0;
    default:
        return 0;
    }
}
