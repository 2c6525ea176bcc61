/* SPDX-License-Identifier: Apache-2.0
 * One UDP port, and one TCP port, for thousands of agents: an endpoint that stands between the
 * driver and the endpoints of others (its members), which know nothing of one another.
 *
 *   driver                      mux                          members
 *   one socket an address  <->  who is it for?          <->  a link of its own each
 *   one listener an address     the first check on a stream
 *
 * A member asks for a socket as always and names the local ufrag that its checks carry
 * (LN_REQUEST_OPEN_UDP, LISTEN_TCP); it is given a link that only the mux and the member know. What
 * it asks for without a name (sockets of relays, streams, names) is passed on, with the link that
 * the driver gives. Interfaces are watched once for all.
 *
 * Who gets a datagram:
 *   a Binding request     by the ufrag before the colon of its USERNAME (RFC 8445, 7.3)
 *   a Binding response    whose request it answers, by the transaction's id
 *   anything else         by its address, if that is claimed
 * An address is claimed by what a member says of it, never by what arrives: it sent a success
 * response there (the check was authentic), or its own check was answered from there. The latter
 * takes an address from a member that has only the former, as a source can be forged by whoever
 * has credentials; an address that its owner did not prove anew for LN_ICE_MUX_HOLD is free.
 * Without a claim nothing is remembered of a sender, so that a flood costs no memory.
 *
 * A stream that is accepted is nobody's until its first packet, a Binding request, names a ufrag.
 * Members may be added and removed at any time, but not from within a call of the mux on one. */
#ifndef LN_ICE_MUX_H
#define LN_ICE_MUX_H

#include <linnet/endpoint.h>
#include <linnet/env.h>

#define LN_ICE_MUX_MEMBERS_MAX    65536u
#define LN_ICE_MUX_BASES_MAX      32u /* sockets and listeners */
#define LN_ICE_MUX_LINKS_MAX      64u /* of one member */
#define LN_ICE_MUX_UFRAGS_MAX     4u  /* of one link: present, before, and two rolled back */
#define LN_ICE_MUX_UFRAG_LEN_MAX  16u
#define LN_ICE_MUX_CLAIMS_MAX     16u  /* addresses of one link; the oldest gives way */
#define LN_ICE_MUX_ASKED_MAX      256u /* requests of one link without an answer; likewise */
#define LN_ICE_MUX_ASKED_TIME     LN_SECONDS(40) /* after it was sent last: longer than any check */
#define LN_ICE_MUX_HOLD           LN_SECONDS(15) /* three periods of consent (RFC 7675, 5.1) */
#define LN_ICE_MUX_STREAMS_MAX    256u           /* accepted, and nobody's yet */
#define LN_ICE_MUX_STREAMS_SOURCE 32u            /* of them from one address */
#define LN_ICE_MUX_STREAM_TIME    LN_SECONDS(10)
#define LN_ICE_MUX_REQUESTS_MAX   256u        /* of one member, not answered */
#define LN_ICE_MUX_LINK           0x40000000u /* the first of the members' links */

struct ln_ice_mux;
struct ln_ice_mux_member; /* the handle of a member */

struct ln_ice_mux_config {
    uint16_t udp_port;  /* of each address; 0: any */
    uint16_t tcp_port;  /* likewise */
    bool tcp;           /* listeners are shared too; else each member has its own */
    size_t members_max; /* 0: LN_ICE_MUX_MEMBERS_MAX */
};

/* Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_ice_mux_create(struct ln_ice_mux **ret_mux,
                                   const struct ln_ice_mux_config *config,
                                   const struct ln_env *env);
/* Members are removed; the driver closes what is open. NULL is fine. */
void ln_ice_mux_free(struct ln_ice_mux *mux);

/* What the driver drives in the members' place. */
struct ln_endpoint ln_ice_mux_endpoint(struct ln_ice_mux *mux);

/* Borrowed until it is removed. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_ice_mux_add(struct ln_ice_mux *mux, struct ln_endpoint endpoint, void *ctx,
                                struct ln_ice_mux_member **ret_member);
/* No call on it follows, what it had is closed, its addresses are free. NULL is fine. */
void ln_ice_mux_remove(struct ln_ice_mux_member *member);
/* Its owner called into it: the next turn of the mux looks after it. That is news, unless it was
 * just told and the next has not been asked for. */
void ln_ice_mux_touch(struct ln_ice_mux_member *member);
/* A member that was called since it was told last: its owner looks for events. Gives its ctx, or
 * NULL when there is none. */
void *ln_ice_mux_poll_news(struct ln_ice_mux *mux);

size_t ln_ice_mux_member_count(const struct ln_ice_mux *mux);
/* The address of the i-th open socket or listener; false past the end. */
bool ln_ice_mux_bound(const struct ln_ice_mux *mux, size_t i, struct ln_address *ret_address,
                      bool *ret_stream);

/* Why something was dropped. X(NAME, "name_for_metrics") */
#define LN_ICE_MUX_DROP_TABLE(X)                                                                   \
    X(UNKNOWN_ADDRESS, "data_from_unclaimed_address")                                              \
    X(UNKNOWN_UFRAG, "check_for_unknown_ufrag")                                                    \
    X(UNKNOWN_LINK, "unknown_link")                                                                \
    X(MALFORMED, "malformed_stun")                                                                 \
    X(NO_TRANSACTION, "answer_without_request")                                                    \
    X(CLAIMED, "address_of_another_member")                                                        \
    X(STREAM, "tcp_connection_not_wanted")                                                         \
    X(LIMIT, "table_full")
enum ln_ice_mux_drop {
#define LN_ICE_MUX_DROP_ENUM(name, text) LN_ICE_MUX_DROP_##name,
    LN_ICE_MUX_DROP_TABLE(LN_ICE_MUX_DROP_ENUM)
#undef LN_ICE_MUX_DROP_ENUM
        LN_ICE_MUX_DROPS
};
uint64_t ln_ice_mux_dropped(const struct ln_ice_mux *mux, enum ln_ice_mux_drop reason);
const char *ln_ice_mux_drop_name(enum ln_ice_mux_drop reason);

#endif
