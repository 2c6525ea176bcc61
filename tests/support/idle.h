/* SPDX-License-Identifier: Apache-2.0
 * An endpoint that does nothing by itself, for tests of what others do with it; and its parts, for
 * those that need not all of them. */
#ifndef LN_TEST_IDLE_H
#define LN_TEST_IDLE_H

#include "base/endpoint.h"

static inline void idle_receive(void *object, ln_time now, struct ln_packet *packet)
{
    (void)object;
    (void)now;
    (void)packet;
}

static inline void idle_on_timeout(void *object, ln_time now)
{
    (void)object;
    (void)now;
}

static inline ln_time idle_next_timeout(const void *object)
{
    (void)object;
    return LN_TIME_NEVER;
}

static inline int idle_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    (void)object;
    (void)now;
    (void)out;
    return 0;
}

static inline int idle_request(void *object, struct ln_request *ret_request)
{
    (void)object;
    (void)ret_request;
    return 0;
}

static inline void idle_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    (void)object;
    (void)now;
    (void)answer;
}

#endif
