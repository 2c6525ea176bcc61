/* SPDX-License-Identifier: Apache-2.0
 * An HTTP/1.1 (RFC 9112: GET and HEAD) and WebSocket (RFC 6455) server on a control loop: embedded
 * files, routes answered by a function, and WebSockets of whole text messages, without extensions.
 *
 * WebSockets are named by numbers that are never used twice, so that nobody holds a pointer to one
 * that has gone. Everything runs on the loop's thread. */
#ifndef LN_HTTP_SERVER_H
#define LN_HTTP_SERVER_H

#include "http/loop.h"

#include <linnet/address.h>

struct ln_http_server;

/* What the other side asked for. Borrowed for the callback. */
struct ln_http_request {
    const char *method; /* "GET" or "HEAD" */
    const char *path;   /* without the query */
    const char *query;  /* "" if none */
    const char *host;   /* the Host header, "" if none */
    const char *origin; /* NULL if none */
    struct ln_address remote;
    bool secure;
};

/* A response to be filled by a route. `body` is copied after the callback; when `free_body` is set
 * it is then called with it. Starts as 404 without a body. */
struct ln_http_response {
    int status;
    const char *content_type;
    const char *body;
    size_t body_len;
    void (*free_body)(void *ctx, const char *body);
    void *ctx;
};

struct ln_http_file { /* a file in the program itself; everything borrowed for the server's life */
    const char *path; /* "/linnet.js" */
    const char *content_type;
    const uint8_t *data;
    size_t len;
    const char *etag; /* NULL: none */
};

struct ln_http_route {
    const char *path; /* exact */
    void (*handle)(void *ctx, const struct ln_http_request *request,
                   struct ln_http_response *response);
};

struct ln_websocket_handlers {
    /* Asked in the handshake: 0 accepts, else the HTTP status of the refusal. May be NULL. */
    int (*accept)(void *ctx, const struct ln_http_request *request);
    void (*opened)(void *ctx, uint64_t websocket, const struct ln_http_request *request);
    void (*message)(void *ctx, uint64_t websocket, const char *text, size_t len);
    /* Called once for each one opened, except those that ln_http_server_close() named and those
     * still open when the server is freed. code: RFC 6455, 7.4.1; 1006 when there was none. */
    void (*closed)(void *ctx, uint64_t websocket, uint16_t code);
};

struct ln_http_server_config {
    struct ln_address listen; /* port 0: any, see ln_http_server_address(); no family: nowhere, all
                                 comes by ln_http_server_hand_over() */
    /* TLS if a certificate (its chain behind it) and a key are given, as PEM files or as PEM texts;
     * key_pem NULL: the key stands in the same text. Read during create. */
    const char *certificate_file, *key_file;
    const char *certificate_pem, *key_pem;
    const struct ln_http_file *files;
    size_t file_count;
    const struct ln_http_route *routes;
    size_t route_count;
    const char *websocket_path; /* NULL: no WebSockets */
    struct ln_websocket_handlers websocket;
    void *ctx;                   /* of all callbacks */
    const char *security_policy; /* Content-Security-Policy of files; NULL: none */

    size_t connections;        /* sockets at a time; 4096 */
    size_t source_connections; /* of them of one source (IPv4 address, IPv6 /56); 256 */
    size_t head_bytes;         /* a request with all its headers, above: 431; 8192 */
    size_t message_bytes;      /* a WebSocket message, above: closed with 1009; 65536 */
    size_t send_queue_bytes;   /* waiting for one WebSocket; 1 MiB */
    unsigned pings_per_minute; /* of one WebSocket, above: closed with 1008; 120 */
    unsigned head_seconds;     /* until a request's head must be complete; 10 */
    unsigned idle_seconds;     /* a connection kept open between requests; 30 */
    unsigned stall_seconds;    /* output of which nothing is taken; 30 */
};

void ln_http_server_config_init(struct ln_http_server_config *config);

/* Listens. Arrays and texts of config outlive the server. Returns 0, LN_ERR_ADDRESS_IN_USE,
 * LN_ERR_NOT_ALLOWED (a port that needs more rights), LN_ERR_NOT_FOUND (no such local address),
 * LN_ERR_NOT_READABLE (certificate or key file), LN_ERR_CRYPTO (they are not valid, or not a pair),
 * LN_ERR_SYSTEM or LN_ERR_NOMEM. */
LN_NODISCARD int ln_http_server_create(struct ln_http_server **ret_server,
                                       struct ln_http_loop *loop,
                                       const struct ln_http_server_config *config);
void ln_http_server_free(struct ln_http_server *server);

/* The address it is bound to. */
struct ln_address ln_http_server_address(const struct ln_http_server *server);

/* Another certificate and key for connections to come, from the files or texts that config names
 * (its other members are not read). Returns 0, LN_ERR_INVALID_STATE when the server has no TLS,
 * LN_ERR_NOT_READABLE, LN_ERR_CRYPTO or LN_ERR_NOMEM; then the old ones stay. */
LN_NODISCARD int ln_http_server_reload(struct ln_http_server *server,
                                       const struct ln_http_server_config *config);

/* Takes over a connected socket that somebody else accepted, without TLS: `secure` says that he
 * took it off. Any thread, as long as the server lives. The socket is closed when there is no room
 * for it. */
void ln_http_server_hand_over(struct ln_http_server *server, int fd,
                              const struct ln_address *remote, bool secure);

/* Queues a text message. Returns 0, LN_ERR_NOT_FOUND (gone), LN_ERR_LIMIT (queue full: the caller
 * should close it) or LN_ERR_NOMEM. */
LN_NODISCARD int ln_http_server_send(struct ln_http_server *server, uint64_t websocket,
                                     const char *text, size_t len);
/* Closes after what is queued; no callback comes for it any more. */
void ln_http_server_close(struct ln_http_server *server, uint64_t websocket, uint16_t code);

struct ln_http_figures {
    size_t connections, websockets;
    uint64_t requests, bad_requests, not_found, timeouts, refused_connections;
    uint64_t websockets_opened, websockets_refused;
    uint64_t closed_too_big, closed_bad_text, closed_binary, closed_protocol, closed_flood;
};
void ln_http_server_get_figures(const struct ln_http_server *server,
                                struct ln_http_figures *ret_figures);

#endif
