/* SPDX-License-Identifier: Apache-2.0
 * One UDP port, and one TCP port, for many peer connections: for a server that has one hole in its
 * firewall, or thousands of peers. Beyond the W3C.
 *
 * A shared port is an endpoint that the driver drives in place of its connections:
 *
 *   ln_shared_port_create(&options, env, &port);
 *   drive ln_shared_port_endpoint(port) as one of linnet/endpoint.h, and after each turn:
 *   while ((owner = ln_shared_port_poll(port)) != NULL)
 *       take the events of the owner's connection;
 *   ln_shared_port_add(port, pc, owner);       instead of driving its own endpoint
 *   ln_shared_port_touch(port, pc);            after calls on it from elsewhere
 *
 * Peers are told apart by the ICE username fragment of their checks, then by the address that the
 * connection proved: a peer whose address changes is found again, and nobody takes another's
 * address by forging it. Sockets are opened for each address of the machine that is used, listeners
 * with `tcp` for connections that gather TCP candidates (ice_tcp). Connections that use a TURN
 * server over UDP have a socket of their own to it besides.
 *
 * Thread rule: the port and its connections belong to one thread. */
#ifndef LINNET_SHARED_PORT_H
#define LINNET_SHARED_PORT_H

#include <linnet/endpoint.h>
#include <linnet/env.h>
#include <linnet/peer_connection.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_shared_port ln_shared_port;

/* Fill it with ln_shared_port_options_init() first. */
struct ln_shared_port_options {
    size_t size;
    uint16_t udp_port;      /* of each address; 0: any */
    uint16_t tcp_port;      /* likewise */
    bool tcp;               /* share a TCP port too; default false: each has its own */
    size_t connections_max; /* at most 65536, the default */
};

LN_API void ln_shared_port_options_init(struct ln_shared_port_options *options);

/* options NULL: the default. The environment is borrowed. Returns 0, LN_ERR_INVALID_ARGUMENT or
 * LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_shared_port_create(const struct ln_shared_port_options *options,
                                              struct ln_env *env, ln_shared_port **ret_port);
/* All connections on it are removed or freed before. NULL is fine. */
LN_API void ln_shared_port_free(ln_shared_port *port);

LN_API struct ln_endpoint ln_shared_port_endpoint(ln_shared_port *port);

/* The connection is driven by the port from now on; before its first local description is set.
 * `owner` is given back by ln_shared_port_poll(), not NULL. A connection that is freed is removed.
 * Not from within a call of the driver on the port. Returns 0, LN_ERR_INVALID_STATE (it is on a
 * port), LN_ERR_INVALID_ARGUMENT, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_shared_port_add(ln_shared_port *port, ln_peer_connection *pc,
                                           void *owner);
/* What the connection has open is closed; the port does not call it any more. */
LN_API void ln_shared_port_remove(ln_shared_port *port, ln_peer_connection *pc);
/* The connection was called: it is looked after in the port's next turn (which the driver has to
 * give it: ln_shared_port's deadline is now). */
LN_API void ln_shared_port_touch(ln_shared_port *port, ln_peer_connection *pc);
/* The owner of a connection that was called or touched since it was told last, or NULL. Ask until
 * NULL; a touch of the connection between its own turn and the next question is no news. */
LN_API void *ln_shared_port_poll(ln_shared_port *port);

LN_API size_t ln_shared_port_connection_count(const ln_shared_port *port);
/* The address of the i-th open socket or listener; false past the end. */
LN_API bool ln_shared_port_bound(const ln_shared_port *port, size_t i,
                                 struct ln_address *ret_address, bool *ret_tcp);
/* Why packets and streams were dropped, for metrics: the name of the reason and how many; NULL past
 * the end. */
LN_API const char *ln_shared_port_drop_reason(const ln_shared_port *port, size_t index,
                                              uint64_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
