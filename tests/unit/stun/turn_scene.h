/* SPDX-License-Identifier: Apache-2.0
 * A TURN client, a small server of its own and a peer on a wire in virtual time. */
#ifndef LN_TEST_TURN_SCENE_H
#define LN_TEST_TURN_SCENE_H

#include "stun/turn_client.h"
#include "tests/support/test.h"
#include "tests/support/turn_double.h"
#include "tests/support/wire.h"

/* A client on one socket, and a peer that says back what it hears. */
struct turn_user {
    struct ln_turn_client *turn;
    bool asked;
    ln_link link;
    struct ln_address local, server;
    struct ln_address heard_from;
    uint8_t heard[256], out[1600];
    size_t heard_len, heard_count, out_len;
};

struct turn_scene {
    struct wire wire;
    struct turn_double server;
    struct turn_user user, peer;
    struct ln_turn_client_config config;
};

/* User "user" with the password "secret"; change it before the start. */
void scene_init(struct turn_scene *s);
/* False when out of memory (in the sweep). */
bool scene_start(struct turn_scene *s);
void scene_run(struct turn_scene *s, ln_duration duration);
void scene_free(struct turn_scene *s);
/* From the beginning until the client has its allocation; and a permission for the peer. */
bool scene_allocated(struct turn_scene *s);
bool scene_permitted(struct turn_scene *s);
/* The client sends this to the peer; the peer to the relayed address. */
void scene_say(struct turn_scene *s, const char *text);
void scene_peer_says(struct turn_scene *s, const char *text);

#endif
