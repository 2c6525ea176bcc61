/* SPDX-License-Identifier: Apache-2.0
 * One connection of `linnet peer`: it is told lines and tells lines. */
#ifndef CLI_PEER_SESSION_H
#define CLI_PEER_SESSION_H

#include "cli/network.h"
#include "cli/options.h"

#include "client/loop_driver.h"

#include <jansson.h>

#define PEER_EXIT_NOT_CONNECTED 3

struct ln_port;
struct peer;

struct peer_arguments {
    bool offer, answer, echo, parts, no_trickle, loopback, ice_lite, snap, many;
    struct cli_network network;
    const char *policy, *video, *audio, *trace;
    struct cli_texts data, servers;
    long duration, udp_port, tcp_port; /* ports: -1: none is shared */
};

/* What its connections have in common. */
struct peer_host {
    const struct peer_arguments *arguments;
    struct ln_driver *driver;
    struct ln_loop *loop;
    struct ln_port *port; /* NULL: none is shared */
    /* It has closed itself; to be freed, but not from here. */
    void (*ended)(void *ctx, struct peer *peer, int exit_code);
    /* Something happened: it may take more, or less. */
    void (*heard)(void *ctx);
    void *ctx;
};

/* name: put into its lines; NULL: it is the only one. Returns 0 or an error. */
int peer_create(struct peer **ret_peer, const struct peer_host *host, const char *name);
void peer_free(struct peer *peer); /* NULL is fine */
/* Opens the channels that were asked for and makes an offer. Returns 0 or an error. */
int peer_offer(struct peer *peer);
void peer_line(struct peer *peer, json_t *line);
void peer_close(struct peer *peer);
/* So much waits to be sent that no more is to be read for it. */
bool peer_full(struct peer *peer);
const char *peer_name(const struct peer *peer);

#endif
