/* SPDX-License-Identifier: Apache-2.0
 * Sockets that other threads accepted: they wait in a bounded queue for the loop's thread, which
 * treats them as those of its own listener.
 *
 * Invariant: a socket is in the queue, a connection's, or closed. */
#include "base/alloc.h"
#include "base/ring.h"
#include "http/connection.h"

#include <pthread.h>
#include <unistd.h>
#include <uv.h>

#define WAITING_MAX 1024u

struct visitor {
    int fd;
    struct ln_address remote;
    bool secure;
};

struct door {
    uv_async_t wake;
    struct ln_http_server *server;
    struct ln_allocator *allocator;
    pthread_mutex_t lock;
    struct ln_ring waiting; /* struct visitor; from any thread, so its memory is the C library's */
};

static bool next(struct door *door, struct visitor *ret_visitor)
{
    bool there;

    pthread_mutex_lock(&door->lock);
    there = ln_ring_pop(&door->waiting, ret_visitor);
    pthread_mutex_unlock(&door->lock);
    return there;
}

static void on_wake(uv_async_t *wake)
{
    struct door *door = wake->data;
    struct visitor visitor;

    while (next(door, &visitor))
        http_connection_accept(door->server, visitor.fd, &visitor.remote, visitor.secure);
}

void ln_http_server_hand_over(struct ln_http_server *server, int fd,
                              const struct ln_address *remote, bool secure)
{
    struct visitor visitor = { fd, *remote, secure };
    struct door *door = server->door;
    int error;

    pthread_mutex_lock(&door->lock);
    error = ln_ring_push(&door->waiting, &visitor);
    pthread_mutex_unlock(&door->lock);
    if (error)
        close(fd);
    else
        uv_async_send(&door->wake);
}

int http_door_open(struct ln_http_server *server)
{
    struct ln_allocator *allocator = http_loop_allocator(server->loop);
    struct door *door = ln_alloc_zero(allocator, sizeof *door);

    if (!door)
        return LN_ERR_NOMEM;
    if (uv_async_init(http_loop_uv(server->loop), &door->wake, on_wake) != 0) {
        ln_free(allocator, door);
        return LN_ERR_SYSTEM;
    }
    door->wake.data = door;
    door->server = server;
    door->allocator = allocator;
    pthread_mutex_init(&door->lock, NULL);
    ln_ring_init(&door->waiting, ln_allocator_libc(), sizeof(struct visitor), WAITING_MAX);
    server->door = door;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;

    ln_free(door->allocator, door);
}

void http_door_close(struct ln_http_server *server)
{
    struct door *door = server->door;
    struct visitor visitor;

    if (!door)
        return;
    while (next(door, &visitor))
        close(visitor.fd);
    ln_ring_deinit(&door->waiting);
    pthread_mutex_destroy(&door->lock);
    uv_close((uv_handle_t *)&door->wake, on_closed);
    server->door = NULL;
}
