/* SPDX-License-Identifier: Apache-2.0
 * The server: its listening socket (our own, so that a failure has a name and an accepted socket is
 * counted before anything is spent on it), and the calls that name a WebSocket by its number. */
#include "http/server.h"

#include "base/address.h"
#include "base/alloc.h"
#include "http/connection.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define BACKLOG        128
#define ACCEPT_AT_ONCE 64

void ln_http_server_config_init(struct ln_http_server_config *config)
{
    *config = (struct ln_http_server_config){
        .connections = 4096,
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

static socklen_t to_sockaddr(const struct ln_address *address, struct sockaddr_storage *storage)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;

    memset(storage, 0, sizeof *storage);
    if (address->family == LN_FAMILY_IPV6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        v6->sin6_scope_id = address->scope;
        memcpy(&v6->sin6_addr, address->ip, 16);
        return sizeof *v6;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->ip, 4);
    return sizeof *v4;
}

static struct ln_address from_sockaddr(const struct sockaddr_storage *storage)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
    struct ln_address address = { .family = LN_FAMILY_NONE };

    if (storage->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        address.family = LN_FAMILY_IPV4; /* a listener on [::] takes both */
        memcpy(address.ip, v6->sin6_addr.s6_addr + 12, 4);
        address.port = ntohs(v6->sin6_port);
    } else if (storage->ss_family == AF_INET6) {
        address.family = LN_FAMILY_IPV6;
        memcpy(address.ip, &v6->sin6_addr, 16);
        address.port = ntohs(v6->sin6_port);
        address.scope = v6->sin6_scope_id;
    } else if (storage->ss_family == AF_INET) {
        address.family = LN_FAMILY_IPV4;
        memcpy(address.ip, &v4->sin_addr, 4);
        address.port = ntohs(v4->sin_port);
    }
    return address;
}

static int error_of(int number)
{
    switch (number) {
    case EADDRINUSE:
        return LN_ERR_ADDRESS_IN_USE;
    case EACCES:
    case EPERM:
        return LN_ERR_NOT_ALLOWED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return LN_ERR_NOT_FOUND;
    default:
        return LN_ERR_SYSTEM;
    }
}

static int listen_on(const struct ln_address *address, int *ret_fd, struct ln_address *ret_bound)
{
    struct sockaddr_storage storage;
    socklen_t len = to_sockaddr(address, &storage);
    int one = 1, error,
        fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_of(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&storage, len) != 0 || listen(fd, BACKLOG) != 0) {
        error = error_of(errno);
        close(fd);
        return error;
    }
    len = sizeof storage;
    getsockname(fd, (struct sockaddr *)&storage, &len);
    *ret_bound = from_sockaddr(&storage);
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
        struct sockaddr_storage storage;
        socklen_t len = sizeof storage;
        struct ln_address remote;
        int one = 1, fd = accept4(listener->fd, (struct sockaddr *)&storage, &len,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        if (server->connection_count >= server->config.connections) {
            server->figures.refused_connections++;
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        remote = from_sockaddr(&storage);
        http_connection_accept(server, fd, &remote);
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

static int create_vhost(struct ln_http_server *server)
{
    const struct ln_http_server_config *config = &server->config;
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = http_protocols(),
        .vhost_name = "server",
        .gid = (int)-1,
        .uid = (int)-1,
        .timeout_secs = config->head_seconds,
        .alpn = "http/1.1",
        .ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION,
    };

    server->tls = config->certificate_file || config->certificate_pem;
    if (config->certificate_file) {
        if (access(config->certificate_file, R_OK) != 0 || !config->key_file ||
            access(config->key_file, R_OK) != 0)
            return LN_ERR_NOT_READABLE;
        info.ssl_cert_filepath = config->certificate_file;
        info.ssl_private_key_filepath = config->key_file;
    } else if (config->certificate_pem) {
        info.server_ssl_cert_mem = config->certificate_pem;
        info.server_ssl_cert_mem_len = (unsigned)strlen(config->certificate_pem) + 1;
        info.server_ssl_private_key_mem = config->key_pem;
        info.server_ssl_private_key_mem_len = (unsigned)strlen(config->key_pem) + 1;
    }
    server->vhost = lws_create_vhost(http_loop_context(server->loop), &info);
    if (!server->vhost)
        return server->tls ? LN_ERR_CRYPTO : LN_ERR_NOMEM;
    return 0;
}

static void free_member(struct http_member *member)
{
    ln_http_server_free(LN_CONTAINER(member, struct ln_http_server, member));
}

/* A map wants an environment for its key; the numbers here are ours, nobody chooses collisions. */
static void fill_zero(struct ln_rng *rng, void *data, size_t len)
{
    memset(data, 0, len);
}

int ln_http_server_create(struct ln_http_server **ret_server, struct ln_http_loop *loop,
                          const struct ln_http_server_config *config)
{
    struct ln_allocator *allocator = http_loop_allocator(loop);
    struct ln_http_server *server = ln_alloc_zero(allocator, sizeof *server);
    struct ln_rng zero = { .fill = fill_zero };
    struct ln_env env = { .allocator = allocator, .rng = &zero };
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
    error = create_vhost(server);
    if (!error)
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
    while (!ln_list_empty(&server->connections))
        http_connection_abandon(LN_CONTAINER(server->connections.next, struct connection, node));
    if (server->vhost)
        lws_vhost_destroy(server->vhost);
    ln_map_deinit(&server->websockets);
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
