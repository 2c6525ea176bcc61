/* SPDX-License-Identifier: Apache-2.0
 * The rig with relays of TCP (RFC 6062): clients on streams, and peers that connect or are
 * connected to. */
#ifndef LN_TEST_TURN_TCP_RIG_H
#define LN_TEST_TURN_TCP_RIG_H

#include "tests/unit/turn/rig.h"

#define PEER "198.51.100.99:80"

void tcp_rig_init(struct rig *rig); /* to be changed before rig_start() */
void tcp_rig_start(struct rig *rig);

struct rig_client tcp_alice(struct rig *rig, const char *from);
/* The code of the answer, as all of these; -1 while there is none. */
int tcp_allocate(struct rig_client *client, struct ln_address *ret_relayed);
int tcp_dial(struct rig_client *client, const char *peer, uint32_t *ret_id);
int tcp_bind(struct rig_client *client, uint32_t id);
/* The first error or success answer among what was sent. */
int tcp_code_sent(const struct rig *rig);
/* The identifier of the ConnectionAttempt that was sent; 0: none. */
uint32_t tcp_attempt_sent(const struct rig *rig, const char *peer);

/* A peer connects to the relay; the link of his stream. */
ln_link tcp_peer_connects(struct rig *rig, const char *peer, const struct ln_address *relayed);
/* By which path a peer's bytes come; and some that do. */
struct ln_path tcp_path_of(const struct rig *rig, ln_link link);
void tcp_from_peer(struct rig *rig, ln_link link, const char *text);

/* A client with an allocation, a connection to PEER and a stream bound to it. */
struct tcp_joined {
    struct rig_client control, data;
    struct ln_address relayed;
    ln_link peer;
    uint32_t id;
};

void tcp_join(struct tcp_joined *j, struct rig *rig);

#endif
