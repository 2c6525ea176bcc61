/* SPDX-License-Identifier: Apache-2.0
 * Datagrams between two probes on test_loop: a stream of many, each of which is looked at, and
 * single ones that ask for this or that of the socket. */
#ifndef LN_TEST_IO_DATAGRAMS_H
#define LN_TEST_IO_DATAGRAMS_H

#include "tests/unit/io/probe.h"

/* ---- many ---- */

struct stream {
    struct probe *other;
    uint16_t from_port; /* the sender's, as the first datagram told it */
    struct ln_path path;
    size_t total, size, next; /* datagrams, bytes of each */
    size_t received, wrong;
    bool slices;
    struct ln_buffer **kept; /* those of datagrams that came alone, by number; or NULL */
    size_t largest_train;
};

/* Sends them all and waits for them, from one socket of this address to another; all must arrive
 * unchanged and in order. */
void run_stream(struct stream *s, const char *ip);
/* The bytes of a datagram, by its number. */
void datagram_fill(uint8_t *data, size_t len, size_t number);

/* ---- single ones ---- */

struct shot {
    struct ln_transmit template; /* all but the bytes */
    int count;
};

struct seen {
    struct ln_path path;
    size_t len, lens[64];
    uint8_t ecn;
    ln_time when;
};

/* Two probes on test_loop with a socket each. */
struct pair {
    struct probe a, b;
    struct shot shot;
    struct seen seen;
    struct ln_path path_a, path_b;
    size_t expected;
};

void pair_open(struct pair *pair, const char *local_a, const char *local_b);
void pair_close(struct pair *pair); /* the loop goes on */
/* a sends shot.template, which is so many datagrams, and b gets them. */
void pair_shoot(struct pair *pair, size_t expected);
/* a sends it so often, and nobody is waited for. */
void pair_fire(struct pair *pair, int times);
/* a sends it and is told that it failed. */
const struct ln_answer *pair_shoot_in_vain(struct pair *pair);

#endif
