/* SPDX-License-Identifier: Apache-2.0
 * The least that a relay can cost on this machine: a process that passes the packets of the same
 * flows by the same sockets as a TURN server (one that all clients send to, one a flow towards the
 * peer) and knows nothing else: no permission, no time, no statistics, no other client. It cuts and
 * writes the header of ChannelData, which costs nothing, so that both sides see what they would. */
#ifndef LN_BENCH_FORWARDER_H
#define LN_BENCH_FORWARDER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bench_forwarder {
    int front;                         /* the clients send here */
    const int *back;                   /* count sockets: the peer's packets for a flow come here */
    size_t count;                      /* of flows */
    const struct sockaddr_in *clients; /* count addresses */
    struct sockaddr_in peer;
    bool trains; /* UDP_GRO and UDP_SEGMENT; else recvmmsg and sendmmsg */
};

/* Starts it; its processor time is that of this process. It ends with ours. -1: it did not start.
 */
pid_t bench_forwarder_start(const struct bench_forwarder *f);

#endif
