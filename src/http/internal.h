/* SPDX-License-Identifier: Apache-2.0
 * What the files of this folder share. No header of libwebsockets or libuv stands here: theirs
 * include OpenSSL's. */
#ifndef LN_HTTP_INTERNAL_H
#define LN_HTTP_INTERNAL_H

#include "base/list.h"
#include "http/loop.h"

struct lws;
struct lws_context;
struct lws_vhost;
struct uv_loop_s;

/* Something that lives on a loop and goes with it. */
struct http_member {
    struct ln_list node;
    void (*free)(struct http_member *member);
};

struct uv_loop_s *http_loop_uv(struct ln_http_loop *loop);
struct lws_context *http_loop_context(struct ln_http_loop *loop);
struct ln_allocator *http_loop_allocator(struct ln_http_loop *loop);
void http_loop_add(struct ln_http_loop *loop, struct http_member *member);
/* The timer goes with its owner, which is a member itself, and no more with the loop. */
void http_timer_disown(struct ln_http_timer *timer);
/* The vhost of the clients, made when first asked for; NULL when that fails. The proxy ("": none)
 * is that of what is connected next. */
struct lws_vhost *http_loop_client_vhost(struct ln_http_loop *loop, bool secure, bool insecure,
                                         const char *proxy);

/* The callbacks of libwebsockets; reason is its enum. */
int http_connection_callback(struct lws *wsi, int reason, void *in, size_t len);
/* A vhost's SSL_CTX is made, and waits for its certificate. */
int http_server_callback(struct lws_vhost *vhost, void *ssl_ctx);
int http_client_callback(struct lws *wsi, int reason, void *in, size_t len);

#define HTTP_PROTOCOL_SERVER "linnet-connection"
#define HTTP_PROTOCOL_CLIENT "linnet-client"
/* The protocols array of all vhosts (struct lws_protocols). */
const void *http_protocols(void);

#endif
