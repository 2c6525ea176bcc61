/* SPDX-License-Identifier: Apache-2.0
 * A server and its connections. A connection reads a head, writes a response, reads the next; or it
 * becomes a WebSocket and stays one.
 *
 * READING --head complete--> RESPONDING --all written, keep-alive--> READING
 *    '--upgrade--> WEBSOCKET --close frame sent or received--> CLOSING
 * Every state has one deadline, the connection's timer. */
#ifndef LN_HTTP_CONNECTION_H
#define LN_HTTP_CONNECTION_H

#include "base/map.h"
#include "base/ring.h"
#include "http/frames.h"
#include "http/internal.h"
#include "http/request.h"
#include "http/server.h"

#define WEBSOCKET_CLOSE_SECONDS 5u     /* until the other side must have answered a close */
#define HTTP_WRITE_BYTES        16384u /* at once */

struct ln_http_server {
    struct http_member member;
    struct ln_http_loop *loop;
    struct ln_http_server_config config;
    struct lws_vhost *vhost;
    void *listener; /* uv_poll_t with its descriptor, freed by its close callback */
    struct door *door;
    void *ssl_ctx; /* of the vhost */
    struct ln_address address;
    bool tls, certificate_loaded;
    struct ln_map websockets; /* by number */
    struct ln_map sources;    /* connections of a source: a count as a pointer */
    uint64_t next_websocket;
    struct ln_list connections;
    size_t connection_count;
    struct ln_http_figures figures;
};

enum connection_state {
    CONNECTION_READING,
    CONNECTION_RESPONDING,
    CONNECTION_WEBSOCKET,
    CONNECTION_CLOSING, /* a WebSocket that has sent its close frame, or a response that is the last
                         */
};

struct chunk { /* of output */
    const uint8_t *data;
    size_t len;
    bool owned; /* else it is a file in the program */
};

struct connection {
    struct ln_list node;
    struct ln_http_server *server; /* NULL: the server has gone */
    struct lws *wsi;
    bool secure;         /* it came, or comes, by TLS */
    bool adopting, gone; /* libwebsockets takes it over; and gave it up while it did */
    struct ln_address remote;
    enum connection_state state;
    bool keep_alive, close_after_output, reported; /* opened() was called, closed() was not */
    char *head;                                    /* head_bytes, while reading */
    size_t head_len;
    struct ln_ring output;        /* struct chunk */
    size_t output_bytes, written; /* of the first chunk */
    uint64_t websocket;           /* its number, 0 if it is none */
    struct websocket_decoder decoder;
    uint16_t close_code; /* what closed() will be told */
    double pings;        /* left, filled by pings_per_minute */
    ln_time pings_at;
};

/* Adopts an accepted socket (closing it on failure), on which libwebsockets is to speak TLS if the
 * server has it and `secure` does not say that somebody does already. */
void http_connection_accept(struct ln_http_server *server, int fd, const struct ln_address *remote,
                            bool secure);
/* Ends it without a word to the application. */
void http_connection_abandon(struct connection *c);
/* Queues output, taking what is owned. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
int http_connection_write(struct connection *c, const struct chunk *chunk);
int http_websocket_send(struct connection *c, enum websocket_opcode opcode, const void *data,
                        size_t len);
/* Sends a close frame and ends after it. */
void http_websocket_close(struct connection *c, uint16_t code);

/* door.c: sockets that come from other threads. */
int http_door_open(struct ln_http_server *server);
void http_door_close(struct ln_http_server *server);

/* response.c: answers the head in c, or turns it into a WebSocket. Returns 0, or -1 to drop the
 * connection. */
int http_respond(struct connection *c, const struct http_head *head);
int http_respond_status(struct connection *c, int status, bool keep_alive);

#endif
