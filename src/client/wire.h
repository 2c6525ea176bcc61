/* SPDX-License-Identifier: Apache-2.0
 * A WebSocket of the control thread, seen from the loop's thread: what is said here is done there,
 * what happens there is told here, each in order and by message.
 *
 * One wire serves for many sockets, one after another: news of an older one never comes through. */
#ifndef LN_CLIENT_WIRE_H
#define LN_CLIENT_WIRE_H

#include "http/loop.h"
#include "io/loop.h"

struct ln_wire;

struct ln_wire_config {
    struct ln_loop *loop;
    struct ln_http_loop *control;
    struct ln_allocator *allocator; /* for several threads */
    const char *url;                /* copied */
    bool insecure;
    const char *proxy; /* as that of a WebSocket client (http/websocket_client.h); copied */

    /* On the loop. */
    void (*opened)(void *ctx);
    void (*message)(void *ctx, const char *text, size_t len);
    /* code: RFC 6455, 7.4.1; 1006 without one; 0 when the URL makes no sense. */
    void (*closed)(void *ctx, unsigned code, const char *sentence);
    void *ctx;
};

/* All on the loop's thread. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_wire_create(struct ln_wire **ret_wire, const struct ln_wire_config *config);
/* No callback follows. What was sent before still goes out. NULL is fine. */
void ln_wire_free(struct ln_wire *wire);

/* Opens a socket, after closing the one before. opened() or closed() follows. */
void ln_wire_open(struct ln_wire *wire);
void ln_wire_send(struct ln_wire *wire, const char *text, size_t len);
/* Closes the socket after what was sent; closed() does not follow. */
void ln_wire_close(struct ln_wire *wire);
/* Cuts it off at once, as a bad network would; closed() follows. */
void ln_wire_cut(struct ln_wire *wire);

#endif
