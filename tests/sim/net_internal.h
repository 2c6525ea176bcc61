/* SPDX-License-Identifier: Apache-2.0
 * Between the parts of net.h: net.c has hosts, lines, NATs and datagrams, net_stream.c streams. */
#ifndef LN_SIM_NET_INTERNAL_H
#define LN_SIM_NET_INTERNAL_H

#include "tests/sim/net.h"

/* net.c */
void net_answer(struct net *net, int host, const struct ln_answer *answer);
void net_fail_request(struct net *net, int host, uint32_t id, int error);
/* NULL: there are NET_LINKS of them. Port 0: any. */
struct net_link *net_new_link(struct net *net, int host, enum net_link_kind kind,
                              const struct ln_address *local);
/* When what enters the line now leaves it; LN_TIME_NEVER: it is dropped. */
ln_time net_through_line(struct net *net, const struct net_line *line, struct net_line_state *state,
                         struct net_figures *figures, size_t len);
/* The address by which the world knows `inside` towards `remote`; false: it may not pass. */
bool net_translate_out(struct net *net, int host, bool stream, const struct ln_address *inside,
                       const struct ln_address *remote, struct ln_address *ret_outside);
/* What `to` means on the host, for what comes from another one's realm; false: not that host, or
 * not let in. */
bool net_translate_in(struct net *net, int host, bool stream, int from_host, int realm,
                      const struct ln_address *from, const struct ln_address *to,
                      struct ln_address *ret_inside);
void net_count_sent(struct net *net, const uint8_t *data, size_t len);
struct net_packet *net_new_packet(struct net *net);
void net_give_back(struct net *net, struct net_packet *packet);
void net_schedule(struct net *net, struct net_packet *packet, ln_time at);

/* net_stream.c */
void net_stream_open(struct net *net, int host, const struct ln_request *request);
void net_stream_listen(struct net *net, int host, const struct ln_request *request);
void net_stream_window(struct net *net, const struct ln_request *request);
void net_stream_close(struct net *net, ln_link link);
void net_stream_cancel(struct net *net, int host, uint32_t id);
void net_stream_transmit(struct net *net, const struct ln_transmit *out);
/* The host has lost this address: what runs over it ends nowhere. */
void net_streams_lose(struct net *net, int host, const struct ln_address *local);
/* A segment's moment has come. */
void net_segment_due(struct net *net, struct net_packet *packet);
/* Tells the host what its streams have for it; true if there was something. */
bool net_streams_tell(struct net *net, int host);
void net_streams_deinit(struct net *net);

#endif
