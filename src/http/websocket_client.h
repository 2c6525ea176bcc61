/* SPDX-License-Identifier: Apache-2.0
 * A WebSocket to a server (RFC 6455, client side; ws: and wss:), on a control loop.
 *
 * One object is one attempt: it connects once, and after `closed` only free() is left. Who wants
 * to reconnect makes a new one. */
#ifndef LN_HTTP_WEBSOCKET_CLIENT_H
#define LN_HTTP_WEBSOCKET_CLIENT_H

#include "http/loop.h"

struct ln_websocket_client;

struct ln_websocket_client_config {
    const char *url;    /* "ws://host[:port]/path" or "wss://…"; read during create */
    const char *origin; /* Origin header; NULL: none */
    bool insecure;      /* wss: any certificate will do (development) */
    /* wss: SHA-256 of the certificate's DER that alone is accepted, for self-made ones; NULL: the
     * system's authorities decide. */
    const uint8_t *pinned_sha256;
    /* "[user:password@]host:port" of an HTTP proxy to be asked for a tunnel (nothing of it is
     * %-encoded; user and password have at most 95 bytes); NULL: none, whatever the environment
     * says. Read during create. */
    const char *proxy;
    size_t message_bytes;     /* larger: closed with 1009; 0: 256 KiB */
    size_t send_queue_bytes;  /* 0: 1 MiB */
    unsigned connect_seconds; /* 0: 10 */

    /* All on the loop's thread; each may free the client. */
    void (*connected)(void *ctx);
    void (*message)(void *ctx, const char *text, size_t len);
    /* At most once, also when connecting failed. code: RFC 6455, 7.4.1; 1006 when there was none.
     * sentence: what happened, for people. */
    void (*closed)(void *ctx, uint16_t code, const char *sentence);
    void *ctx;
};

/* Begins to connect. Returns 0, LN_ERR_SYNTAX (the URL), LN_ERR_TOO_BIG (the proxy) or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_websocket_client_create(struct ln_websocket_client **ret_client,
                                            struct ln_http_loop *loop,
                                            const struct ln_websocket_client_config *config);
/* Drops the connection; no callback comes any more. NULL is fine. */
void ln_websocket_client_free(struct ln_websocket_client *client);

/* Queues a text message, also before `connected`. Returns 0, LN_ERR_CLOSED, LN_ERR_LIMIT or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_websocket_client_send(struct ln_websocket_client *client, const char *text,
                                          size_t len);
/* The same from any thread, while the client is not freed: the text is copied and sent by the loop;
 * what no longer fits is dropped then, and `closed` follows. Returns 0, LN_ERR_LIMIT or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_websocket_client_post(struct ln_websocket_client *client, const char *text,
                                          size_t len);
/* Closes after what is queued; `closed` follows. */
void ln_websocket_client_close(struct ln_websocket_client *client, uint16_t code);

#endif
