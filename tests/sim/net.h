/* SPDX-License-Identifier: Apache-2.0
 * A network in virtual time, from one seed: hosts with a line each (delay, jitter, loss in bursts,
 * reorder, duplicates, rate and queue, MTU, up and down), NATs and firewalls before them, and a
 * core without loss between them.
 *
 *   endpoint -> [NAT] -> line up -> core -> [NAT] -> line down -> endpoint
 *
 * Streams go the same way in segments (net_stream.c): what a line loses comes again after a
 * time-out that doubles, what follows waits for it, and the amount under way grows and shrinks with
 * success and loss, as TCP's does (RFC 9293, 5681, 6298). Acknowledgements take their time and are
 * not lost. Of a driver they have the words of io/loop.h: read windows, room that is told, refused,
 * reset and timed-out connects, two that cross.
 *
 * It drives endpoints (linnet/endpoint.h) of any kind: answers their requests, carries their
 * datagrams, calls them at their deadlines (late, if asked). At each step it checks the laws: after
 * on_timeout(now) the deadline lies after now, polls on an object that has nothing to say change
 * nothing, time never stands still.
 *
 * Invariants: what is drawn here comes from `chance`, never from the endpoints' generator; packets
 * that arrive at one moment arrive in the order they were sent. */
#ifndef LN_SIM_NET_H
#define LN_SIM_NET_H

#include "base/endpoint.h"
#include "base/heap.h"
#include "base/rng.h"

#include <linnet/env.h>

#define NET_HOSTS      8
#define NET_INTERFACES 4
#define NET_LINKS      256
#define NET_ENDS       256 /* of streams, those that ended too */
#define NET_MAPPINGS   256
#define NET_PACKETS    8192 /* on their way at once */
#define NET_MTU        1500

/* One direction of a line. All zero: instant and perfect. */
struct net_line {
    ln_duration delay;
    ln_duration jitter;       /* uniform in 0..jitter, on top of delay */
    bool in_order;            /* jitter never lets a packet overtake another */
    double loss;              /* 0..1, of each packet by itself */
    ln_duration burst_every;  /* Gilbert-Elliott in time: mean length of the good state, */
    ln_duration burst_length; /* and of the bad one */
    double burst_loss;        /* chance of a loss in the bad one */
    double reorder;           /* chance that a packet is held back by reorder_by */
    ln_duration reorder_by;
    double duplicate;  /* chance that a packet comes twice */
    uint64_t rate_bps; /* 0: without end */
    ln_duration queue; /* what waits for the line at most; more is dropped (default 1 s) */
    size_t mtu;        /* longer datagrams vanish; 0: NET_MTU */
    bool down;
};

/* RFC 4787: mapping and filtering behaviour. */
enum net_nat_kind { NET_INDEPENDENT, NET_ADDRESS, NET_ADDRESS_AND_PORT };

struct net_nat {
    bool present;
    bool firewall_only; /* filters, but keeps addresses */
    bool udp_blocked;   /* no datagram passes */
    uint16_t only_port; /* streams go out to this port alone; 0: to any */
    enum net_nat_kind mapping, filtering;
    ln_duration lifetime; /* of an idle mapping; 0: for ever */
    struct ln_address outside;
};

/* Clients as people meet them; tests/nat/topology.py has the same. Two NATs in a row, the carrier's
 * open to everybody, behave as the stricter one. */
#define NET_KIND_TABLE(X)                                                                          \
    X(open, .firewall_only = true)                                                                 \
    X(full_cone, .mapping = NET_INDEPENDENT)                                                       \
    X(address_cone, .filtering = NET_ADDRESS)                                                      \
    X(port_cone, .filtering = NET_ADDRESS_AND_PORT)                                                \
    X(symmetric, .mapping = NET_ADDRESS_AND_PORT, .filtering = NET_ADDRESS_AND_PORT)               \
    X(carrier_grade, .filtering = NET_ADDRESS_AND_PORT)                                            \
    X(udp_blocked, .filtering = NET_ADDRESS_AND_PORT, .udp_blocked = true)                         \
    X(only_443, .filtering = NET_ADDRESS_AND_PORT, .udp_blocked = true, .only_port = 443)
enum net_kind {
#define NET_KIND_ENUM(name, ...) net_##name,
    NET_KIND_TABLE(NET_KIND_ENUM)
#undef NET_KIND_ENUM
        NET_KINDS
};
extern const struct net_nat net_kinds[NET_KINDS];

struct net_line_state {
    bool bad;        /* Gilbert-Elliott */
    ln_time changes; /* when that ends; 0: not begun */
    ln_time idle_at; /* when all that was accepted has left */
    ln_time last_at; /* arrival of the last packet */
};

struct net_figures {
    uint64_t sent, sent_bytes, delivered, delivered_bytes, lost, overflowed, unroutable;
    ln_duration longest_queue;
};

struct net_host {
    struct ln_endpoint endpoint;
    struct ln_interface interfaces[NET_INTERFACES];
    size_t interface_count;
    uint32_t watch; /* request that is answered at changes; 0: none */
    int realm;      /* 0: public; hosts of one realm reach each other directly */
    struct net_nat nat;
    struct net_line up, down;
    struct net_line_state up_state, down_state;
    struct net_figures up_figures, down_figures;
    bool stopped;          /* neither called nor delivered to: the program hangs */
    ln_duration lateness;  /* timers fire late by 0..lateness */
    ln_time wake;          /* when the timer fires; LN_TIME_NEVER: not set */
    ln_time wake_deadline; /* the deadline it was set for */
};

enum net_link_kind { NET_DATAGRAMS, NET_LISTENER, NET_STREAM };

struct net_link {
    int host;
    enum net_link_kind kind;
    struct ln_address local;
    bool open;
    uint32_t request; /* a listener's */
    size_t end;       /* a stream's, in net->ends */
};

/* One end of a stream, from its connect (or its first segment) on. */
struct net_end {
    enum { NET_END_CONNECTING, NET_END_OPEN, NET_END_OVER } state;
    int host;
    uint32_t request;
    ln_link link;                             /* 0: not yet */
    struct ln_address local, outside, remote; /* outside: as the core knows it */
    size_t peer;                              /* the other end + 1; 0: not known yet */
    bool accepted;                            /* by a listener */
    bool lost;                                /* its address is gone: a black hole */
    /* what the driver is to be told */
    bool told_open, is_over;
    int error; /* why it is over */
    /* sending: `out` waits behind what is in flight */
    uint8_t *out;
    size_t out_len, out_cap, flight, taken;
    uint64_t next_seq;
    double window; /* what may be in flight, bytes */
    bool slow_start, closing, fin_sent;
    /* receiving */
    uint8_t *in; /* in order, not read yet */
    size_t in_len, in_cap, read_window;
    uint64_t expected;
    struct net_packet *early; /* ahead of `expected` */
    bool fin_seen;
};

enum net_segment { NET_SYN, NET_SYN_ACK, NET_DATA, NET_FIN, NET_ACK, NET_RST };

struct net_mapping {
    int host;
    struct ln_address inside, outside;
    struct ln_address remote; /* of the packet that made it: mapping and filtering go by it */
    ln_time used;
    bool stream; /* those of streams are apart, and stay (RFC 5382, REQ-5) */
};

struct net_packet {
    struct ln_heap_node node;
    struct net_packet *next; /* free list; early segments of an end */
    bool at_core;            /* else on its way down to `host` */
    int from_host, host, realm;
    ln_link link;
    struct ln_address from, to;
    uint8_t ecn;
    /* a segment of a stream */
    size_t end; /* who sent it, + 1; 0: a datagram */
    enum net_segment segment;
    uint64_t seq; /* of its first byte; an acknowledgement: how many bytes it is of */
    unsigned tries;
    bool again; /* was lost: it waits to be sent anew */
    size_t len;
    uint8_t data[NET_MTU];
};

struct net {
    const struct ln_env *env;
    struct ln_rng chance;
    ln_time now;
    struct net_host hosts[NET_HOSTS];
    size_t host_count;
    struct net_link links[NET_LINKS];
    size_t link_count;
    struct net_end ends[NET_ENDS];
    size_t end_count;
    struct net_mapping mappings[NET_MAPPINGS];
    size_t mapping_count;
    struct ln_heap heap;
    struct net_packet *free_packets;
    uint64_t sent, hash; /* of every datagram with its time */
    uint16_t next_port;
    uint64_t steps;
    bool lenient; /* memory is failing on purpose: laws about time are checked, the rest is not */

    /* May drop a datagram before it reaches the line. */
    bool (*drop)(void *context, int host, const uint8_t *data, size_t len);
    /* May look at what arrives. */
    void (*tell)(void *context, int host, const uint8_t *data, size_t len);
    /* The applications: called after each turn, before time moves; and when they want to be. */
    void (*turn)(void *context);
    ln_time (*next_action)(void *context);
    /* Sets the clocks that no `now` reaches (OpenSSL's). */
    void (*set_clock)(ln_time now);
    void *context;
};

/* Tell on standard error what happens: for whoever looks at one run. */
extern bool sim_verbose;

void net_init(struct net *net, const struct ln_env *env, uint64_t seed);
/* Frees what is on the way. Before the endpoints or after them. */
void net_deinit(struct net *net);
/* Returns the host's number. ip "" : no interface yet. */
int net_add_host(struct net *net, struct ln_endpoint endpoint, const char *ip);
void net_set_line(struct net *net, int host, const struct net_line *up,
                  const struct net_line *down);
/* Puts the host behind a NAT (its own realm) with this public address. */
void net_set_nat(struct net *net, int host, const struct net_nat *nat, const char *outside);
/* The NAT forgets its mappings and has another public address. */
void net_rebind_nat(struct net *net, int host);
/* Another address; watchers are told. */
void net_add_interface(struct net *net, int host, const char *ip);
void net_remove_interface(struct net *net, int host, const char *ip);
/* Every stream of the host breaks at once, at both ends (what a middlebox that restarts does). */
void net_reset_streams(struct net *net, int host);

/* Runs until the time comes or stop() is true; true if stop() was. */
bool net_run(struct net *net, ln_time deadline, bool (*stop)(void *context));

#endif
