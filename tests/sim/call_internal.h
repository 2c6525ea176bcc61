/* SPDX-License-Identifier: Apache-2.0
 * Between the parts of call.h. */
#ifndef LN_SIM_CALL_INTERNAL_H
#define LN_SIM_CALL_INTERNAL_H

#include "tests/sim/call.h"

bool call_fine(struct party *party, int error);

/* call_signalling.c */
void call_offer(struct party *party);
void call_send_description(struct party *party);
void call_send_candidate(struct party *party, const struct ln_event *event);
void call_on_operation(struct party *party, const struct ln_event *event);
struct note *call_first_note(struct call *call); /* the next on its way; NULL: none */
void call_take_notes(struct call *call);

/* call_messages.c */
struct flow *call_new_flow(struct party *party, ln_data_channel *channel);
void call_create_channels(struct party *party, unsigned mask);
void call_on_message(struct party *party, const struct ln_event *event);
void call_send_messages(struct call *call);
bool call_is_reliable(const struct flow *flow);

/* call_media.c */
void call_media_init(struct party *party); /* adds the tracks */
void call_media_deinit(struct party *party);
void call_media_event(struct party *party, const struct ln_event *event);
void call_media_poll(struct party *party);
void call_media_send(struct party *party);
ln_time call_media_next(const struct party *party);

#endif
