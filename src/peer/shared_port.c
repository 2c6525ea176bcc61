/* SPDX-License-Identifier: Apache-2.0
 * One port for many connections (linnet/shared_port.h): the mux of ice/ with peer connections as
 * its members. */
#include <linnet/shared_port.h>

#include "base/alloc.h"
#include "ice/mux.h"
#include "peer/peer_connection.h"

struct ln_shared_port {
    struct ln_env *env;
    struct ln_ice_mux *mux;
};

void ln_shared_port_options_init(struct ln_shared_port_options *options)
{
    *options = (struct ln_shared_port_options){ .size = sizeof *options,
                                                .connections_max = LN_ICE_MUX_MEMBERS_MAX };
}

int ln_shared_port_create(const struct ln_shared_port_options *options, struct ln_env *env,
                          ln_shared_port **ret_port)
{
    struct ln_shared_port_options defaults;
    struct ln_ice_mux_config config;
    ln_shared_port *port;
    int error;

    ln_shared_port_options_init(&defaults);
    if (!options)
        options = &defaults;
    if (options->size != sizeof *options || options->connections_max == 0 ||
        options->connections_max > LN_ICE_MUX_MEMBERS_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    config = (struct ln_ice_mux_config){ .udp_port = options->udp_port,
                                         .tcp_port = options->tcp_port,
                                         .tcp = options->tcp,
                                         .members_max = options->connections_max };
    port = ln_alloc_zero(env->allocator, sizeof *port);
    if (!port)
        return LN_ERR_NOMEM;
    port->env = env;
    error = ln_ice_mux_create(&port->mux, &config, env);
    if (error) {
        ln_free(env->allocator, port);
        return error;
    }
    *ret_port = port;
    return 0;
}

void ln_shared_port_free(ln_shared_port *port)
{
    if (!port)
        return;
    ln_ice_mux_free(port->mux);
    ln_free(port->env->allocator, port);
}

struct ln_endpoint ln_shared_port_endpoint(ln_shared_port *port)
{
    return ln_ice_mux_endpoint(port->mux);
}

int ln_shared_port_add(ln_shared_port *port, ln_peer_connection *pc, void *owner)
{
    int error;

    if (!owner)
        return LN_ERR_INVALID_ARGUMENT;
    if (pc->member)
        return LN_ERR_INVALID_STATE;
    error = ln_ice_mux_add(port->mux, ln_peer_connection_endpoint(pc), owner, &pc->member);
    if (!error)
        ln_ice_share_port(pc->transport.ice);
    return error;
}

void ln_shared_port_remove(ln_shared_port *port, ln_peer_connection *pc)
{
    (void)port;
    ln_ice_mux_remove(pc->member);
    pc->member = NULL;
}

void ln_shared_port_touch(ln_shared_port *port, ln_peer_connection *pc)
{
    (void)port;
    if (pc->member)
        ln_ice_mux_touch(pc->member);
}

void *ln_shared_port_poll(ln_shared_port *port)
{
    return ln_ice_mux_poll_news(port->mux);
}

size_t ln_shared_port_connection_count(const ln_shared_port *port)
{
    return ln_ice_mux_member_count(port->mux);
}

bool ln_shared_port_bound(const ln_shared_port *port, size_t i, struct ln_address *ret_address,
                          bool *ret_tcp)
{
    return ln_ice_mux_bound(port->mux, i, ret_address, ret_tcp);
}

const char *ln_shared_port_drop_reason(const ln_shared_port *port, size_t index,
                                       uint64_t *ret_count)
{
    if (index >= LN_ICE_MUX_DROPS)
        return NULL;
    *ret_count = ln_ice_mux_dropped(port->mux, (enum ln_ice_mux_drop)index);
    return ln_ice_mux_drop_name((enum ln_ice_mux_drop)index);
}
