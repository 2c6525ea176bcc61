/* SPDX-License-Identifier: Apache-2.0
 * Many agents behind one mux, each with an agent of its own at another host, in virtual time; every
 * datagram takes ten milliseconds. Made for thousands: no step looks at all of them. */
#ifndef LN_TEST_ICE_CROWD_H
#define LN_TEST_ICE_CROWD_H

#include "base/heap.h"
#include "ice/ice.h"
#include "ice/mux.h"
#include "tests/support/test.h"

#define CROWD_MAX   1300
#define CROWD_QUEUE 32768 /* datagrams under way */
#define CROWD_MTU   1280

struct crowd_node {
    struct ln_endpoint endpoint;
    struct ln_heap_node deadline;
    struct ln_interface interfaces[4];
    size_t interface_count;
    struct ln_address outside; /* the source that others see; family NONE: its own */
    uint32_t watch;
    struct { /* its sockets; links are numbered from 1 in each node */
        struct ln_address local;
        bool open;
    } links[8];
    size_t link_count, opened;
    bool refuse_ports; /* no socket is opened */
};

struct crowd_peer {
    struct ln_ice *inside, *outside; /* behind the mux, and its other end */
    struct ln_ice_mux_member *member;
    struct crowd_node node;   /* of the other end */
    size_t received, strange; /* packets of data behind the mux: its own, and of others */
    size_t calls;             /* of the mux on the one inside */
};

struct crowd {
    struct ln_ice_mux *mux;
    struct crowd_node node; /* of the mux */
    struct crowd_peer peers[CROWD_MAX];
    size_t count;
    struct ln_heap heap;
    ln_time now;
    struct crowd_packet {
        ln_time at;
        struct ln_address from, to;
        uint16_t len;
        uint8_t data[CROWD_MTU];
    } * queue; /* a ring */
    size_t head, queued;
    struct ln_ice_config config; /* of all agents behind the mux */
    uint64_t delivered;
};

/* A mux with the addresses 192.0.2.1 and (two: true) 198.51.100.1, on one port. */
void crowd_init(struct crowd *c, bool two);
/* Adds agents up to `count`, with addresses 10.x.y.z; signals and starts them. */
void crowd_add(struct crowd *c, size_t count);
void crowd_run(struct crowd *c, ln_duration duration);
bool crowd_connected(const struct crowd *c, size_t i);
size_t crowd_connected_count(const struct crowd *c);
/* The other end of the i-th sends a packet of data. */
void crowd_say(struct crowd *c, size_t i);
/* From now on its packets come from elsewhere, and answers to before are lost. */
void crowd_move(struct crowd *c, size_t i, const char *outside);
/* A datagram for the first socket of the mux, from anywhere, now. */
void crowd_inject(struct crowd *c, const struct ln_address *from, const void *data, size_t len);
struct ln_address crowd_address(const struct crowd *c, size_t i);
/* The mux hears of its interfaces anew: the first `count` of them. */
void crowd_interfaces(struct crowd *c, size_t count);
void crowd_remove(struct crowd *c, size_t i);
void crowd_free(struct crowd *c);
/* A check to the i-th, signed with `pwd`; its length. */
size_t crowd_check(const struct crowd *c, const char *ufrag, const char *pwd, uint8_t *data,
                   size_t cap);

#endif
