/* SPDX-License-Identifier: Apache-2.0
 * Our TURN server as a host of the network: over UDP and TCP on port 3478, over TLS on port 443;
 * relays of TCP too (RFC 6062). */
#ifndef LN_SIM_TURN_HOST_H
#define LN_SIM_TURN_HOST_H

#include "tests/sim/scenario.h"

extern const struct server_hooks turn_server;
/* The same, of which the parties are told that it is a STUN server. */
extern const struct server_hooks turn_server_for_stun;

#endif
