/* SPDX-License-Identifier: Apache-2.0
 * The STUN binding server on a thread of its own. */
#ifndef LN_STUN_WIRING_STUN_THREAD_H
#define LN_STUN_WIRING_STUN_THREAD_H

#include "stun/server.h"

#include <linnet/error.h>

struct ln_stun_thread;

/* Binds the address (port 0: any) and answers from then on. Returns 0 with the bound address,
 * LN_ERR_ADDRESS_IN_USE or another reason why it could not be bound, LN_ERR_NOMEM, LN_ERR_SYSTEM.
 */
LN_NODISCARD int ln_stun_thread_start(struct ln_stun_thread **ret_thread,
                                      const struct ln_address *listen, uint32_t per_second,
                                      uint32_t burst, struct ln_address *ret_bound);
/* Ends it. NULL is fine. */
void ln_stun_thread_stop(struct ln_stun_thread *thread);

/* What it has counted so far. Any thread. */
void ln_stun_thread_counts(const struct ln_stun_thread *thread,
                           struct ln_stun_server_counts *ret_counts);

#endif
