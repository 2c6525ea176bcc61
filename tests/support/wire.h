/* SPDX-License-Identifier: Apache-2.0
 * A few endpoints on a small network in virtual time, for unit tests of one module: it answers
 * their requests (sockets, names, interfaces), carries their datagrams with delay and loss, through
 * NATs if asked, and streams whole and in order, in pieces; it calls them at their deadlines. At
 * each turn it checks the law that after on_timeout the deadline lies later. */
#ifndef LN_TEST_WIRE_H
#define LN_TEST_WIRE_H

#include "base/endpoint.h"

#include <linnet/env.h>

#define WIRE_NODES    8
#define WIRE_LINKS    384
#define WIRE_PACKETS  512
#define WIRE_MTU      1500
#define WIRE_NAMES    32
#define WIRE_MAPS     256
#define WIRE_CONNECTS 32

enum wire_nat {
    WIRE_NAT_NONE,
    WIRE_NAT_FULL_CONE,
    WIRE_NAT_PORT_RESTRICTED,
    WIRE_NAT_SYMMETRIC,
    WIRE_NAT_ONE_TO_ONE
};

struct wire_node {
    struct ln_endpoint endpoint;
    struct ln_interface interfaces[8];
    size_t interface_count;
    int realm; /* 0: public; nodes of one realm reach each other directly */
    enum wire_nat nat;
    struct ln_address nat_address; /* public address of the NAT */
    uint32_t watch;                /* request to be answered at changes, 0: none */
    bool stopped;                  /* neither called nor delivered to */
    bool public_listeners;         /* they are reached although streams cross */
    struct ln_address only;        /* its streams reach nothing else; family NONE: everything */
};

struct wire_link {
    ln_link link;
    int node;
    struct ln_address local;
    bool open;
    bool listens;     /* for streams */
    bool mute;        /* a stream: what is sent on it is lost */
    uint32_t request; /* of the listener */
    ln_link peer;     /* a stream: its other end; 0: no stream */
    size_t window;    /* of a stream: bytes that its node reads more (LN_REQUEST_WINDOW) */
    struct ln_address remote;
};

/* A connect under way (streams_cross). */
struct wire_connect {
    int node;
    ln_time at;             /* it arrives; LN_TIME_NEVER: nobody listened when it did */
    struct ln_address from; /* as it stands behind the NAT */
    struct ln_request request;
};

struct wire_packet {
    ln_time at;
    uint64_t order;
    struct ln_address from, to; /* as they stand on the wire at the receiver */
    int realm;                  /* where `to` is looked up */
    ln_link stream;             /* the end of a stream that it goes to; 0: a datagram */
    size_t len;
    uint8_t data[WIRE_MTU];
};

struct wire_map {
    int node;
    struct ln_address inside, outside, remote; /* remote: of the packet that made it */
};

struct wire {
    const struct ln_env *env;
    ln_time now;
    struct wire_node nodes[WIRE_NODES];
    size_t node_count;
    struct wire_link links[WIRE_LINKS];
    size_t link_count;
    struct wire_packet packets[WIRE_PACKETS];
    size_t packet_count;
    struct wire_connect connects[WIRE_CONNECTS];
    size_t connect_count;
    uint64_t order, sent, delivered, hash;
    struct wire_map maps[WIRE_MAPS];
    size_t map_count;
    uint16_t next_port;
    struct {
        char name[256];
        struct ln_address addresses[4];
        size_t count;
    } names[WIRE_NAMES];
    size_t name_count;
    ln_duration delay, jitter;
    unsigned loss_per_mille;
    /* Called for each datagram before it is sent; true drops it. */
    bool (*filter)(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                   size_t len);
    uint8_t dscp; /* of the datagram that the filter looks at */
    /* Called after each turn: the owners look at their events. */
    void (*turn)(struct wire *wire, void *context);
    void *context;
    size_t stream_piece; /* bytes of a stream that arrive at once; 0: 1400 */
    bool streams_hang;   /* OPEN_TCP is never answered */
    bool refuse_names;   /* PUBLISH fails */
    bool names_hang;     /* PUBLISH is never answered */
    size_t published, withdrawn;
    bool streams_cross; /* no listener is reached; two connects that meet make one stream */
    bool refuse_ports;  /* OPEN_UDP of ports below refuse_below fails */
    uint16_t refuse_below;
    struct ln_icmp
        icmp; /* what a socket without a NAT is told when nobody is there; type 0: nothing */
};

#define WIRE_ALL_NODES (-1)

void wire_init(struct wire *wire, const struct ln_env *env);
int wire_add(struct wire *wire, struct ln_endpoint endpoint);
/* "10.0.0.2" or "127.0.0.1"; may be called later: watchers are told. */
void wire_interface(struct wire *wire, int node, const char *ip);
void wire_remove_interface(struct wire *wire, int node, const char *ip);
/* A filter: no datagram passes; streams do. */
bool wire_drop_all(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                   size_t len);
void wire_set_nat(struct wire *wire, int node, int realm, enum wire_nat nat, const char *public_ip);
void wire_name(struct wire *wire, const char *name, const char *ip);
/* Ends of streams that are open, of a node or of all. */
size_t wire_open_streams(const struct wire *wire, int node);
/* Runs until `deadline`, or until stop(context) is true. */
void wire_run(struct wire *wire, ln_time deadline, bool (*stop)(void *context), void *context);
/* Node opens a stream, from "ip:port" (port 0: any), as if it had asked for it with id 0. Returns
 * the link of the other end; 0: nobody listens there. */
ln_link wire_connect(struct wire *wire, int node, const char *from, const struct ln_address *to);
/* Every stream that is open now loses what is sent on it, and nobody is told. */
void wire_mute_streams(struct wire *wire);
/* Every stream ends at once, at both ends. */
void wire_break_streams(struct wire *wire);
/* Delivers one datagram at once, from anywhere. */
void wire_inject(struct wire *wire, int node, const struct ln_path *path, const void *data,
                 size_t len);

#endif
