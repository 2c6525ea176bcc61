/* SPDX-License-Identifier: Apache-2.0
 * Between the two files of the wire. */
#ifndef LN_TEST_WIRE_STREAMS_H
#define LN_TEST_WIRE_STREAMS_H

#include "tests/support/wire.h"

/* ---- of wire.c ---- */

void wire_answer(struct wire *wire, int node, const struct ln_answer *a);
void wire_refuse(struct wire *wire, int node, uint32_t id, int error);
struct wire_link *wire_new_link(struct wire *wire, int node, const struct ln_address *local);

/* ---- of wire_streams.c ---- */

void wire_listen_tcp(struct wire *wire, int node, const struct ln_request *request);
void wire_open_tcp(struct wire *wire, int node, const struct ln_request *request);
/* False when no such connect is under way. */
bool wire_forget_connect(struct wire *wire, int node, uint32_t id);
/* When the next connect arrives; all that arrive now. */
ln_time wire_next_connect(const struct wire *wire);
void wire_connects_arrive(struct wire *wire);
/* A socket of datagrams as well. */
void wire_close_link(struct wire *wire, ln_link id);
void wire_transmit_stream(struct wire *wire, const struct wire_link *link,
                          const struct ln_transmit *out);
/* Whether its receiver reads no more of that stream now. */
bool wire_stream_waits(const struct wire *wire, const struct wire_packet *p);
/* Takes it off the wire, or as much of it as its receiver reads. */
void wire_take(struct wire *wire, struct wire_packet *p, struct wire_packet *ret_taken);

#endif
