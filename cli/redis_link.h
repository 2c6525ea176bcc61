/* SPDX-License-Identifier: Apache-2.0
 * hiredis on io's loop: a connection whose replies come as callbacks (hiredis/async.h). */
#ifndef LN_CLI_REDIS_LINK_H
#define LN_CLI_REDIS_LINK_H

#include "io/loop.h"

#include <hiredis/async.h>

struct redis_link {
    struct ln_loop *loop;
    redisAsyncContext *context; /* NULL: closed */
    struct ln_loop_watch *watch;
    unsigned events;
    /* The connection stands, or has ended: by the other end, or because it never stood (`reason`,
     * for the call). Closed already then. */
    void (*opened)(void *ctx);
    void (*closed)(void *ctx, const char *reason);
    void *ctx;
};

/* Begins to connect; closed() may be called at once. A name is looked up here, which blocks. */
void redis_link_open(struct redis_link *link, const char *host, int port);
/* Ends it without a call of closed(). Requests that wait are answered NULL. Harmless when closed.
 */
void redis_link_close(struct redis_link *link);

#endif
