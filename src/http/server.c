/* SPDX-License-Identifier: Apache-2.0
 * The server: its listening socket (our own, so that a failure has a name and an accepted socket is
 * counted before anything is spent on it), and the calls that name a WebSocket by its number. */
#include "http/server.h"

#include "base/address.h"
#include "base/alloc.h"
#include "http/connection.h"
#include "io/sockaddr.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#define BACKLOG        128
#define ACCEPT_AT_ONCE 64

void ln_http_server_config_init(struct ln_http_server_config *config)
{
    *config = (struct ln_http_server_config){
        .connections = 4096,
        .source_connections = 256,
        .head_bytes = 8192,
        .message_bytes = 65536,
        .send_queue_bytes = 1048576,
        .pings_per_minute = 120,
        .head_seconds = 10,
        .idle_seconds = 30,
        .stall_seconds = 30,
    };
}

/* ------------------------------------------------------------------ sockets */

/* A listener on [::] takes IPv4 too, and shows it as mapped addresses. */
static struct ln_address remote_of(const union ln_sockaddr *socket_address)
{
    struct ln_address address, inner = { .family = LN_FAMILY_IPV4 };

    ln_sockaddr_get(socket_address, &address);
    if (!ln_address_is_mapped(&address))
        return address;
    memcpy(inner.ip, address.ip + 12, 4);
    inner.port = address.port;
    return inner;
}

static int error_of(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return LN_ERR_NOT_ALLOWED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return LN_ERR_NOT_FOUND;
    default:
        return ln_error_from_errno(number);
    }
}

static int listen_on(const struct ln_address *address, int *ret_fd, struct ln_address *ret_bound)
{
    union ln_sockaddr local;
    socklen_t len = ln_sockaddr_set(&local, address);
    int one = 1, error,
        fd = socket(local.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_of(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, &local.any, len) != 0 || listen(fd, BACKLOG) != 0) {
        error = error_of(errno);
        close(fd);
        return error;
    }
    len = sizeof local;
    getsockname(fd, &local.any, &len);
    ln_sockaddr_get(&local, ret_bound);
    *ret_fd = fd;
    return 0;
}

struct listener {
    uv_poll_t handle;
    struct ln_http_server *server;
    struct ln_allocator *allocator;
    int fd;
};

static void on_listener(uv_poll_t *handle, int status, int events)
{
    struct listener *listener = handle->data;
    struct ln_http_server *server = listener->server;

    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        union ln_sockaddr from;
        socklen_t len = sizeof from;
        struct ln_address remote;
        int one = 1, fd = accept4(listener->fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        remote = remote_of(&from);
        http_connection_accept(server, fd, &remote, false);
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    close(listener->fd);
    ln_free(listener->allocator, listener);
}

static int start_listener(struct ln_http_server *server)
{
    struct ln_allocator *allocator = http_loop_allocator(server->loop);
    struct listener *listener = ln_alloc_zero(allocator, sizeof *listener);
    int error;

    if (!listener)
        return LN_ERR_NOMEM;
    listener->server = server;
    listener->allocator = allocator;
    listener->handle.data = listener;
    error = listen_on(&server->config.listen, &listener->fd, &server->address);
    if (error) {
        ln_free(allocator, listener);
        return error;
    }
    uv_poll_init(http_loop_uv(server->loop), &listener->handle, listener->fd);
    uv_poll_start(&listener->handle, UV_READABLE, on_listener);
    server->listener = listener;
    return 0;
}

/* ------------------------------------------------------------------ life */

/* libwebsockets takes a certificate from memory only as one RSA pair in DER, so PEM goes to its
 * SSL_CTX by hand (libwebsockets.h brings OpenSSL's names; no other file of ours does). What was
 * there before stays when the new one is not whole. */
static bool use_certificate(SSL_CTX *ssl_ctx, const char *certificate_pem, const char *key_pem)
{
    BIO *in = BIO_new_mem_buf(certificate_pem, -1);
    BIO *key_in = BIO_new_mem_buf(key_pem ? key_pem : certificate_pem, -1);
    X509 *leaf = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL, *next;
    EVP_PKEY *key = key_in ? PEM_read_bio_PrivateKey(key_in, NULL, NULL, NULL) : NULL;
    STACK_OF(X509) *chain = sk_X509_new_null();
    bool good = leaf && key && chain && X509_check_private_key(leaf, key) == 1;

    while (good && (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(chain, next) <= 0) {
            X509_free(next);
            good = false;
        }
    good = good && SSL_CTX_use_cert_and_key(ssl_ctx, leaf, key, chain, 1) == 1;
    ERR_clear_error(); /* reading past the last one leaves an error */
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(key_in);
    return good;
}

static int load_certificate(struct ln_http_server *server, void *ssl_ctx)
{
    server->ssl_ctx = ssl_ctx;
    server->certificate_loaded = use_certificate(ssl_ctx, server->config.certificate_pem,
                                                 server->config.key_pem);
    return server->certificate_loaded ? 0 : -1;
}

int http_server_callback(struct lws_vhost *vhost, void *ssl_ctx)
{
    struct ln_http_server *server = lws_vhost_user(vhost);

    return server ? load_certificate(server, ssl_ctx) : 0;
}

/* Reads a whole file of at most a mebibyte. */
static int read_file(struct ln_allocator *allocator, const char *path, char **ret_text)
{
    size_t cap = 1u << 20;
    FILE *file = path ? fopen(path, "rb") : NULL;
    char *text = file ? ln_alloc(allocator, cap) : NULL;
    size_t len = text ? fread(text, 1, cap - 1, file) : 0;
    int error = !file          ? LN_ERR_NOT_READABLE
                : !text        ? LN_ERR_NOMEM
                : ferror(file) ? LN_ERR_NOT_READABLE
                               : 0;

    if (file)
        fclose(file);
    if (error) {
        ln_free(allocator, text);
        return error;
    }
    text[len] = '\0';
    *ret_text = text;
    return 0;
}

static int create_vhost(struct ln_http_server *server)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = http_protocols(),
        .vhost_name = "server",
        .user = server,
        .gid = (int)-1,
        .uid = (int)-1,
        .timeout_secs = server->config.head_seconds,
        .alpn = "http/1.1",
        .listen_accept_role = "raw-skt",
        .listen_accept_protocol = HTTP_PROTOCOL_SERVER,
        .ssl_options_set = (long)(SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION),
    };

    server->tls = server->config.certificate_pem != NULL;
    /* Without the last of these every vhost also reads the system's authorities, for connections
     * it would make itself. */
    if (server->tls)
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                       LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX |
                       LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG;
    server->vhost = lws_create_vhost(http_loop_context(server->loop), &info);
    if (server->tls && !server->certificate_loaded)
        return LN_ERR_CRYPTO;
    return server->vhost ? 0 : LN_ERR_NOMEM;
}

static int change_certificate(struct ln_http_server *server)
{
    return use_certificate(server->ssl_ctx, server->config.certificate_pem, server->config.key_pem)
               ? 0
               : LN_ERR_CRYPTO;
}

/* Takes certificate and key from their files, if that is where they are, for the call alone; wiped
 * after use. */
static int with_certificate(struct ln_http_server *server,
                            int (*call)(struct ln_http_server *server))
{
    struct ln_allocator *allocator = http_loop_allocator(server->loop);
    struct ln_http_server_config *config = &server->config;
    char *certificate = NULL, *key = NULL;
    int error;

    if (!config->certificate_file)
        return call(server);
    error = read_file(allocator, config->certificate_file, &certificate);
    if (!error)
        error = read_file(allocator, config->key_file, &key);
    if (!error) {
        config->certificate_pem = certificate;
        config->key_pem = key;
        error = call(server);
    }
    config->certificate_pem = config->key_pem = NULL;
    if (key)
        ln_wipe(key, strlen(key));
    ln_free(allocator, key);
    ln_free(allocator, certificate);
    return error;
}

int ln_http_server_reload(struct ln_http_server *server, const struct ln_http_server_config *config)
{
    int error;

    if (!server->tls)
        return LN_ERR_INVALID_STATE;
    server->config.certificate_file = config->certificate_file;
    server->config.key_file = config->key_file;
    server->config.certificate_pem = config->certificate_pem;
    server->config.key_pem = config->key_pem;
    error = with_certificate(server, change_certificate);
    server->config.certificate_file = server->config.key_file = NULL; /* they may go now */
    server->config.certificate_pem = server->config.key_pem = NULL;
    return error;
}

static void free_member(struct http_member *member)
{
    ln_http_server_free(LN_CONTAINER(member, struct ln_http_server, member));
}

/* A map wants an environment for its key. */
static void fill_by_system(struct ln_rng *rng, void *data, size_t len)
{
    (void)rng;
    if (getrandom(data, len, 0) != (ssize_t)len)
        abort(); /* not before the system's pool is ready, which was long ago */
}

int ln_http_server_create(struct ln_http_server **ret_server, struct ln_http_loop *loop,
                          const struct ln_http_server_config *config)
{
    struct ln_allocator *allocator = http_loop_allocator(loop);
    struct ln_http_server *server = ln_alloc_zero(allocator, sizeof *server);
    struct ln_rng rng = { .fill = fill_by_system };
    struct ln_env env = { .allocator = allocator, .rng = &rng };
    int error;

    if (!server)
        return LN_ERR_NOMEM;
    server->loop = loop;
    server->config = *config;
    server->next_websocket = 1;
    server->member.free = free_member;
    ln_list_init(&server->member.node);
    ln_list_init(&server->connections);
    ln_map_init(&server->websockets, &env, config->connections);
    ln_map_init(&server->sources, &env, config->connections);
    error = with_certificate(server, create_vhost);
    if (!error)
        error = http_door_open(server);
    if (!error && config->listen.family != LN_FAMILY_NONE)
        error = start_listener(server);
    if (error) {
        ln_http_server_free(server);
        return error;
    }
    http_loop_add(loop, &server->member);
    *ret_server = server;
    return 0;
}

void ln_http_server_free(struct ln_http_server *server)
{
    if (!server)
        return;
    ln_list_remove(&server->member.node);
    if (server->listener) {
        struct listener *listener = server->listener;

        uv_poll_stop(&listener->handle);
        uv_close((uv_handle_t *)&listener->handle, on_listener_closed);
    }
    http_door_close(server);
    while (!ln_list_empty(&server->connections))
        http_connection_abandon(LN_CONTAINER(server->connections.next, struct connection, node));
    if (server->vhost)
        lws_vhost_destroy(server->vhost);
    ln_map_deinit(&server->websockets);
    ln_map_deinit(&server->sources);
    ln_free(http_loop_allocator(server->loop), server);
}

struct ln_address ln_http_server_address(const struct ln_http_server *server)
{
    return server->address;
}

/* ------------------------------------------------------------------ WebSockets by number */

int ln_http_server_send(struct ln_http_server *server, uint64_t websocket, const char *text,
                        size_t len)
{
    struct connection *c = ln_map_get_u64(&server->websockets, websocket);

    if (!c || c->state != CONNECTION_WEBSOCKET)
        return LN_ERR_NOT_FOUND;
    return http_websocket_send(c, WEBSOCKET_TEXT, text, len);
}

void ln_http_server_close(struct ln_http_server *server, uint64_t websocket, uint16_t code)
{
    struct connection *c = ln_map_get_u64(&server->websockets, websocket);

    if (!c)
        return;
    c->reported = false;
    http_websocket_close(c, code);
}

void ln_http_server_get_figures(const struct ln_http_server *server,
                                struct ln_http_figures *ret_figures)
{
    *ret_figures = server->figures;
    ret_figures->connections = server->connection_count;
    ret_figures->websockets = server->websockets.count;
}
