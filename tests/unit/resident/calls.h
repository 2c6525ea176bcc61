/* SPDX-License-Identifier: Apache-2.0
 * A TURN service with peers in its own program, for tests: real peer connections (ICE-lite, on one
 * shared port) behind a resident with a thread of its own, real clients with the relay policy on
 * the test's thread, and the workers' threads. Everything is on loopback.
 *
 *   client -- socket -- worker == parcels == resident -- shared port -- its peer connection */
#ifndef LN_TEST_RESIDENT_CALLS_H
#define LN_TEST_RESIDENT_CALLS_H

#include "io/loop.h"
#include "io/thread.h"
#include "servers/turn/wiring/resident.h"
#include "servers/turn/wiring/service.h"

#include <linnet/environment.h>
#include <linnet/linnet.h>

#define CALLS_MAX     64u
#define CALLS_MESSAGE 16384u

struct calls;

/* One peer connection. What it is told by the other end comes as messages of its loop. */
struct calls_end {
    struct calls *calls;
    unsigned index;
    bool lives_here; /* behind the resident */
    ln_peer_connection *pc;
    struct ln_loop_endpoint *handle; /* a client's */
    ln_data_channel *channel;
    ln_op_id local_op, offer_op;
    bool open, wrong;
    unsigned messages; /* received */
};

struct calls_options {
    unsigned count, workers;
    const char *transports; /* of the clients in turn: "u", "t", "s" for TLS */
    bool full;              /* those who live here send checks as well */
    bool plain;             /* they do not live here: the same by the kernel */
    uint16_t shared_ports;  /* 0: one port a relay */
    bool behind_nat;        /* all are told 127.0.0.9, where nobody is */
    unsigned messages;      /* of CALLS_MESSAGE bytes, each way */
};

struct calls {
    struct calls_options options;
    char directory[64], certificate[96], key[96];
    uint16_t port;
    struct ln_turn_service *service;
    ln_environment *environments[2];
    struct ln_loop *loops[2]; /* the clients', the resident's */
    ln_shared_port *shared;
    struct ln_turn_resident *resident;
    struct ln_loop_endpoint *handle; /* where they are no residents */
    struct ln_thread thread;
    struct calls_end ends[2][CALLS_MAX];
};

/* Everything is there, and nobody calls yet. */
void calls_start(struct calls *calls, const struct calls_options *options);
/* All clients call, send their messages and get them back. False after a minute. */
bool calls_run(struct calls *calls);
/* The service's counts once nothing is under way; the clients stand still from then on. */
struct ln_turn_counts calls_counts(struct calls *calls);
/* Ends the thread of the resident, whose counters may be read then. */
void calls_pause(struct calls *calls);
/* The resident goes; its peers with it. */
void calls_end_residents(struct calls *calls);
/* Ends what is left. */
void calls_end(struct calls *calls);

#endif
