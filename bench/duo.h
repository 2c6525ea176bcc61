/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections of one process that talk over loopback: on one loop, or on two with a thread
 * each. Signalling goes from loop to loop as messages, with trickled candidates. */
#ifndef LN_BENCH_DUO_H
#define LN_BENCH_DUO_H

#include "client/loop_driver.h"
#include "client/port.h"

#include <linnet/linnet.h>

struct duo_side {
    struct ln_driver *driver;
    struct ln_place *place;
    ln_peer_connection *pc;
    ln_data_channel *channel;
    struct duo_side *other;
    ln_op_id local_op, offer_op;
    bool open;
    void (*on_open)(struct duo_side *side, ln_time now);
    void (*on_event)(struct duo_side *side, ln_time now, const struct ln_event *event);
    void *ctx;
};

/* Makes both ends on their drivers (which may be one), in the environments of these or in another
 * for both; any_size: messages of any size are announced. The first offers. Returns 0 or an error.
 */
LN_NODISCARD int duo_create(struct duo_side sides[2], struct ln_driver *first,
                            struct ln_driver *second, struct ln_env *env, bool any_size);
/* On one driver, the first by a port that it shares with others, unless that is NULL. */
LN_NODISCARD int duo_create_on_port(struct duo_side sides[2], struct ln_driver *driver,
                                    struct ln_env *env, struct ln_port *port);
/* On the offerer's thread: opens a channel and makes the offer. */
LN_NODISCARD int duo_start(struct duo_side sides[2]);
/* One end, on its thread. */
void duo_close(struct duo_side *side);

#endif
