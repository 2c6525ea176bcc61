/* SPDX-License-Identifier: Apache-2.0
 * What message.c needs of view.c. */
#ifndef LN_SIGNAL_CORE_VIEW_H
#define LN_SIGNAL_CORE_VIEW_H

#include "servers/signal/core/internal.h"

#include <jansson.h>

/* Whether it is what our TURN server takes of this user. */
bool view_credential_right(const struct ln_signal *signal, const char *user,
                           const char *credential);
/* The connection as we see it; NULL without memory. */
json_t *view_json(const struct ln_signal *signal, ln_time now, const struct connection *c);
/* The connection waits to be told of this user. False without memory. */
bool view_ask(struct ln_signal *signal, struct connection *c, const char *user);
void view_forget(struct ln_signal *signal, struct connection *c);

#endif
