/* SPDX-License-Identifier: Apache-2.0
 * Our TURN server as a host of the network: over UDP and TCP on port 3478, over TLS on port 443. */
#ifndef LN_SIM_TURN_HOST_H
#define LN_SIM_TURN_HOST_H

#include "tests/sim/scenario.h"

extern const struct server_hooks turn_server;

#endif
