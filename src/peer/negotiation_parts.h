/* SPDX-License-Identifier: Apache-2.0
 * What the files of negotiation share with each other and with nobody else. */
#ifndef LN_PEER_NEGOTIATION_PARTS_H
#define LN_PEER_NEGOTIATION_PARTS_H

#include "peer/description.h"
#include "peer/negotiation.h"

/* --- negotiation.c */

/* The signalling state that a description leads to, or that it must not come now (CLOSED). */
enum ln_signaling_state ln_negotiation_next_state(enum ln_signaling_state state, bool local,
                                                  enum ln_sdp_type type);
/* Fails the operation and gives true when a description must not come now. */
bool ln_negotiation_refuse_state(struct ln_peer_connection *pc, bool local, enum ln_sdp_type type,
                                 struct ln_operation_result *result);
void ln_negotiation_fail_sdp(struct ln_peer_connection *pc, struct ln_operation_result *result,
                             int error, const struct ln_sdp_error *why);
/* The section whose transport is ours, if the description has one at all. */
size_t ln_negotiation_transport_section(const struct ln_sdp *sdp);
bool ln_negotiation_has_transport(const struct ln_sdp *sdp);

/* --- create_description.c: into created_offer and created_answer */

LN_NODISCARD int ln_negotiation_make_offer(struct ln_peer_connection *pc, bool ice_restart);
LN_NODISCARD int ln_negotiation_make_answer(struct ln_peer_connection *pc);

/* --- settle.c */

/* Takes what a pair of descriptions settles into the objects. */
LN_NODISCARD int ln_negotiation_settle(struct ln_peer_connection *pc, const struct ln_sdp *local,
                                       const struct ln_sdp *remote, bool local_offered, bool final);
/* An exchange is over: this is where a rollback goes back to. */
void ln_negotiation_keep_as_stable(struct ln_peer_connection *pc);
/* Forgets the offer that stands. */
void ln_negotiation_roll_back(struct ln_peer_connection *pc);
/* An offer takes the place of one that was not answered and had more sections: what those had been
 * given is free again. */
void ln_negotiation_forget_beyond(struct ln_peer_connection *pc, const struct ln_sdp *offer);
/* The operation of that name. */
void ln_negotiation_rollback(struct ln_peer_connection *pc, struct ln_operation_result *result);
/* The events of tracks that applying a description made due (W3C 4.4.1.5): after the signalling
 * state's, before the operation's end; first those that fall silent, then the new ones. */
void ln_negotiation_fire(struct ln_peer_connection *pc);

#endif
