/* SPDX-License-Identifier: Apache-2.0
 * Between the two halves of call.h. */
#ifndef LN_SIM_CALL_INTERNAL_H
#define LN_SIM_CALL_INTERNAL_H

#include "tests/sim/call.h"

bool call_fine(struct party *party, int error);

void call_media_init(struct party *party); /* adds the tracks */
void call_media_deinit(struct party *party);
void call_media_event(struct party *party, const struct ln_event *event);
void call_media_poll(struct party *party);
void call_media_send(struct party *party);
ln_time call_media_next(const struct party *party);

#endif
