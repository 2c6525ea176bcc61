/* SPDX-License-Identifier: Apache-2.0
 * A peer connection on a loop: alone, or on a port that it shares with others
 * (linnet/shared_port.h). Both ways look the same to its owner. One thread. */
#ifndef LN_CLIENT_PORT_H
#define LN_CLIENT_PORT_H

#include "io/loop.h"

#include <linnet/shared_port.h>

struct ln_port;  /* a shared port on a loop */
struct ln_place; /* where a connection is driven */

/* env NULL: the loop's. Returns 0 or what ln_shared_port_create() and ln_loop_add_endpoint()
 * return. */
LN_NODISCARD int ln_port_create(struct ln_port **ret_port, struct ln_loop *loop, struct ln_env *env,
                                const struct ln_shared_port_options *options);
/* The places on it are left before. NULL is fine. */
void ln_port_free(struct ln_port *port);
ln_shared_port *ln_port_shared(struct ln_port *port);

/* The loop drives the connection, by the port if that is not NULL. `after` runs when it was driven,
 * outside any call on it; it may leave its own place. Returns 0 or an error. */
LN_NODISCARD int ln_place_take(struct ln_place **ret_place, struct ln_loop *loop,
                               struct ln_port *port, ln_peer_connection *pc, ln_loop_after_fn after,
                               void *ctx);
/* The connection may be freed then. NULL is fine. */
void ln_place_leave(struct ln_place *place);
/* The owner called into the connection. */
void ln_place_touch(struct ln_place *place);

#endif
