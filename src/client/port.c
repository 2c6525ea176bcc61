/* SPDX-License-Identifier: Apache-2.0
 * Connections on a loop (client/port.h). */
#include "client/port.h"

#include "base/alloc.h"

#include <linnet/error.h>

struct ln_port {
    struct ln_loop *loop;
    ln_shared_port *shared;
    struct ln_loop_endpoint *handle;
};

struct ln_place {
    struct ln_loop *loop;
    struct ln_port *port;
    ln_peer_connection *pc;
    struct ln_loop_endpoint *handle; /* without a port */
    ln_loop_after_fn after;
    void *ctx;
};

static void after_port(void *ctx, ln_time now)
{
    struct ln_port *port = ctx;
    struct ln_place *place;

    while ((place = ln_shared_port_poll(port->shared)) != NULL)
        place->after(place->ctx, now);
}

int ln_port_create(struct ln_port **ret_port, struct ln_loop *loop, struct ln_env *env,
                   const struct ln_shared_port_options *options)
{
    struct ln_port *port = ln_alloc_zero(ln_loop_env(loop)->allocator, sizeof *port);
    int error;

    if (!port)
        return LN_ERR_NOMEM;
    port->loop = loop;
    error = ln_shared_port_create(options, env ? env : ln_loop_env(loop), &port->shared);
    if (!error)
        error = ln_loop_add_endpoint(loop, ln_shared_port_endpoint(port->shared), after_port, port,
                                     &port->handle);
    if (error) {
        ln_port_free(port);
        return error;
    }
    *ret_port = port;
    return 0;
}

void ln_port_free(struct ln_port *port)
{
    if (!port)
        return;
    ln_loop_remove_endpoint(port->handle);
    ln_shared_port_free(port->shared);
    ln_free(ln_loop_env(port->loop)->allocator, port);
}

ln_shared_port *ln_port_shared(struct ln_port *port)
{
    return port->shared;
}

int ln_place_take(struct ln_place **ret_place, struct ln_loop *loop, struct ln_port *port,
                  ln_peer_connection *pc, ln_loop_after_fn after, void *ctx)
{
    struct ln_allocator *allocator = ln_loop_env(loop)->allocator;
    struct ln_place *place = ln_alloc_zero(allocator, sizeof *place);
    int error;

    if (!place)
        return LN_ERR_NOMEM;
    *place = (struct ln_place){ .loop = loop, .port = port, .pc = pc, .after = after, .ctx = ctx };
    error = port ? ln_shared_port_add(port->shared, pc, place)
                 : ln_loop_add_endpoint(loop, ln_peer_connection_endpoint(pc), after, ctx,
                                        &place->handle);
    if (error) {
        ln_free(allocator, place);
        return error;
    }
    if (port)
        ln_loop_touch(port->handle);
    *ret_place = place;
    return 0;
}

void ln_place_leave(struct ln_place *place)
{
    if (!place)
        return;
    if (place->port) {
        ln_shared_port_remove(place->port->shared, place->pc);
        ln_loop_touch(place->port->handle);
    } else {
        ln_loop_remove_endpoint(place->handle);
    }
    ln_free(ln_loop_env(place->loop)->allocator, place);
}

void ln_place_touch(struct ln_place *place)
{
    if (!place->port) {
        ln_loop_touch(place->handle);
        return;
    }
    ln_shared_port_touch(place->port->shared, place->pc);
    ln_loop_touch(place->port->handle);
}
