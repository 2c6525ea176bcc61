/* SPDX-License-Identifier: Apache-2.0
 * Answering a request: a file of the program, a route, a WebSocket, or a status with a sentence. */
#include "http/connection.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <time.h>

#define RESPONSE_HEAD_MAX 2048u

static const struct status_row {
    int status;
    const char *reason, *sentence;
} statuses[] = {
    { 101, "Switching Protocols", "" },
    { 200, "OK", "" },
    { 304, "Not Modified", "" },
    { 400, "Bad Request", "The request is not well-formed." },
    { 403, "Forbidden", "This origin is not allowed here." },
    { 404, "Not Found", "There is nothing at this address." },
    { 405, "Method Not Allowed", "Only GET and HEAD are known here." },
    { 408, "Request Timeout", "The request did not come in time." },
    { 413, "Content Too Large", "A request has no body here." },
    { 426, "Upgrade Required", "Only WebSocket connections are taken here." },
    { 431, "Request Header Fields Too Large", "The request is too long." },
    { 500, "Internal Server Error", "Something went wrong." },
    { 503, "Service Unavailable", "There are too many connections; try later." },
    { 505, "HTTP Version Not Supported", "HTTP/1.1 is spoken here." },
};

static const struct status_row *row_of(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return &statuses[i];
    return row_of(500);
}

struct body {
    const char *type;
    const uint8_t *data;
    size_t len;
    bool owned;
    const char *etag, *policy;
};

/* Writes head and body (not for HEAD) to the output. Returns 0 or -1. */
static int respond(struct connection *c, int status, bool head_only, const struct body *body)
{
    struct chunk head = { .owned = true }, content = { body->data, body->len, body->owned };
    char *text = ln_alloc(c->output.allocator, RESPONSE_HEAD_MAX), date[64];
    time_t wall = time(NULL);
    struct tm tm;
    int len = -1;

    if (text) {
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&wall, &tm));
        len = snprintf(text, RESPONSE_HEAD_MAX,
                       "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
                       "Referrer-Policy: no-referrer\r\n%s%s%s%s%s%s%sConnection: %s\r\n\r\n",
                       status, row_of(status)->reason, date, body->type, body->len,
                       body->etag ? "ETag: " : "", body->etag ? body->etag : "",
                       body->etag ? "\r\n" : "", body->policy ? "Content-Security-Policy: " : "",
                       body->policy ? body->policy : "", body->policy ? "\r\n" : "",
                       status == 405 ? "Allow: GET, HEAD\r\n" : "",
                       c->keep_alive ? "keep-alive" : "close");
    }
    if (len < 0 || (size_t)len >= RESPONSE_HEAD_MAX) {
        ln_free(c->output.allocator, text);
        if (body->owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)body->data);
        return -1;
    }
    head.data = (const uint8_t *)text;
    head.len = (size_t)len;
    if (head_only || status == 304 || body->len == 0) {
        if (body->owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)body->data);
        content.len = 0;
    }
    if (!c->keep_alive)
        c->close_after_output = true;
    if (http_connection_write(c, &head) != 0) {
        if (content.len > 0 && content.owned)
            ln_free(c->output.allocator, (void *)(uintptr_t)content.data);
        return -1;
    }
    return content.len > 0 && http_connection_write(c, &content) != 0 ? -1 : 0;
}

int http_respond_status(struct connection *c, int status, bool keep_alive)
{
    const struct status_row *row = row_of(status);
    struct body body = { .type = "text/plain; charset=utf-8",
                         .data = (const uint8_t *)row->sentence,
                         .len = strlen(row->sentence) };

    c->keep_alive = keep_alive;
    return respond(c, row->status, false, &body);
}

static void describe(const struct connection *c, const struct http_head *head,
                     struct ln_http_request *request)
{
    *request = (struct ln_http_request){
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .host = head->host ? head->host : "",
        .origin = head->origin,
        .remote = c->remote,
        .secure = c->secure,
    };
}

/* ------------------------------------------------------------------ WebSocket */

/* RFC 6455, 4.2.2: base64(SHA-1(key + GUID)). */
static void accept_value(const char *key, char *text)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char joined[24 + sizeof guid - 1], digest[20];

    memcpy(joined, key, 24);
    memcpy(joined + 24, guid, sizeof guid - 1);
    lws_SHA1(joined, sizeof joined, digest);
    ln_base64_encode(digest, sizeof digest, text);
}

static bool key_valid(const char *key)
{
    uint8_t nonce[18];

    return key && strlen(key) == 24 && ln_base64_decode(key, 24, nonce, sizeof nonce) == 16;
}

static int require_upgrade(struct connection *c)
{
    static const char text[] = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
                               "Content-Length: 0\r\n\r\n";
    struct chunk chunk = { (const uint8_t *)text, sizeof text - 1, false };

    c->keep_alive = false;
    c->close_after_output = true;
    return http_connection_write(c, &chunk) == 0 ? 0 : -1;
}

static int open_websocket(struct connection *c, const struct http_head *head)
{
    struct ln_http_server *server = c->server;
    const struct ln_websocket_handlers *handlers = &server->config.websocket;
    struct ln_http_request request;
    struct chunk chunk = { .owned = true };
    char accept[32], *text;
    int status;

    if (!head->upgrade || !http_list_has(head->upgrade, "websocket") || !head->websocket_version ||
        strcmp(head->websocket_version, "13") != 0)
        return require_upgrade(c);
    if (strcmp(head->method, "GET") != 0 || !http_list_has(head->connection, "upgrade") ||
        !key_valid(head->websocket_key))
        return http_respond_status(c, 400, false);
    describe(c, head, &request);
    status = handlers->accept ? handlers->accept(server->config.ctx, &request) : 0;
    if (status == 0 && ln_map_set_u64(&server->websockets, server->next_websocket, c) != 0)
        status = 503;
    if (status) {
        server->figures.websockets_refused++;
        return http_respond_status(c, status, false);
    }
    c->websocket = server->next_websocket++;
    accept_value(head->websocket_key, accept);
    text = ln_alloc(c->output.allocator, 256);
    if (!text)
        return -1;
    chunk.data = (const uint8_t *)text;
    chunk.len = (size_t)snprintf(text, 256,
                                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                 accept);
    if (http_connection_write(c, &chunk) != 0)
        return -1;
    c->state = CONNECTION_WEBSOCKET;
    c->pings = server->config.pings_per_minute;
    c->pings_at = ln_http_loop_now(server->loop);
    c->reported = true;
    server->figures.websockets_opened++;
    handlers->opened(server->config.ctx, c->websocket, &request);
    return 0;
}

/* ------------------------------------------------------------------ files and routes */

static int serve_file(struct connection *c, const struct http_head *head,
                      const struct ln_http_file *file)
{
    struct body body = { .type = file->content_type,
                         .data = file->data,
                         .len = file->len,
                         .etag = file->etag,
                         .policy = c->server->config.security_policy };
    bool same = file->etag && head->if_none_match && strcmp(file->etag, head->if_none_match) == 0;

    return respond(c, same ? 304 : 200, strcmp(head->method, "HEAD") == 0, &body);
}

static int serve_route(struct connection *c, const struct http_head *head,
                       const struct ln_http_route *route)
{
    struct ln_http_response response = { .status = 404, .content_type = "text/plain" };
    struct ln_http_request request;
    struct body body;

    describe(c, head, &request);
    route->handle(c->server->config.ctx, &request, &response);
    body = (struct body){ .type = response.content_type, .len = response.body_len, .owned = true };
    if (body.len > 0)
        body.data = ln_alloc_copy(c->output.allocator, response.body, response.body_len);
    if (response.free_body)
        response.free_body(response.ctx, response.body);
    if (body.len > 0 && !body.data)
        return http_respond_status(c, 503, false);
    return respond(c, response.status, strcmp(head->method, "HEAD") == 0, &body);
}

int http_respond(struct connection *c, const struct http_head *head)
{
    const struct ln_http_server_config *config = &c->server->config;

    if (config->websocket_path && strcmp(head->path, config->websocket_path) == 0)
        return open_websocket(c, head);
    for (size_t i = 0; i < config->route_count; i++)
        if (strcmp(config->routes[i].path, head->path) == 0)
            return serve_route(c, head, &config->routes[i]);
    for (size_t i = 0; i < config->file_count; i++)
        if (strcmp(config->files[i].path, head->path) == 0)
            return serve_file(c, head, &config->files[i]);
    c->server->figures.not_found++;
    return http_respond_status(c, 404, head->keep_alive);
}
