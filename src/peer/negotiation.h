/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer on a peer connection (JSEP, RFC 8829; W3C 4.4.1.5 ff.): the handlers of the
 * operations chain, and whether negotiation is needed. */
#ifndef LN_PEER_NEGOTIATION_H
#define LN_PEER_NEGOTIATION_H

#include "peer/operations.h"
#include "sdp/jsep.h"

void ln_negotiation_create_offer(struct ln_peer_connection *pc, ln_time now,
                                 struct ln_operation *operation,
                                 struct ln_operation_result *result);
void ln_negotiation_create_answer(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result);
void ln_negotiation_set_local(struct ln_peer_connection *pc, ln_time now,
                              struct ln_operation *operation, struct ln_operation_result *result);
void ln_negotiation_set_remote(struct ln_peer_connection *pc, ln_time now,
                               struct ln_operation *operation, struct ln_operation_result *result);
void ln_negotiation_add_candidate(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result);

void ln_negotiation_init(struct ln_peer_connection *pc);
void ln_negotiation_deinit(struct ln_peer_connection *pc);
/* Fires negotiationneeded when it has become due (W3C 4.7.3). */
void ln_negotiation_check(struct ln_peer_connection *pc);

/* A local candidate was gathered (line "candidate:..."), or none more comes (NULL): the local
 * descriptions show it. Gives the section it belongs to. */
void ln_negotiation_local_candidate(struct ln_peer_connection *pc, const char *line,
                                    const char **ret_mid, int *ret_m_line);

/* The descriptions in effect: pending before current. */
struct ln_description *ln_negotiation_local(const struct ln_peer_connection *pc);
struct ln_description *ln_negotiation_remote(const struct ln_peer_connection *pc);

/* --- sections.c: what the objects wish */

enum ln_sections_for { LN_SECTIONS_FOR_OFFER, LN_SECTIONS_FOR_ANSWER };

/* Builds the wishes in m-line order into the arena. For an offer, transceivers without a section
 * get one (offered_line) and a new mid. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sections_build(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                                   struct ln_arena *arena, struct ln_jsep_local *ret_local);
struct ln_jsep_state ln_sections_state(const struct ln_peer_connection *pc);

#endif
