/* SPDX-License-Identifier: Apache-2.0
 * What a running TURN server tells: figures for Prometheus, events for a log. */
#ifndef LN_CLI_TURN_METRICS_H
#define LN_CLI_TURN_METRICS_H

#include "cli/self_test.h"
#include "servers/signal/wiring/service.h"
#include "servers/turn/wiring/service.h"

#include <stdio.h>

#define TURN_METRICS_MAX 32768u /* bytes of text */

struct turn_redis;

/* `redis` NULL: users do not come from there. */
void turn_metrics_write(struct ln_metrics_text *out, struct ln_turn_service *service,
                        struct turn_redis *redis);

/* One line of JSON; addresses of people only when asked for. */
void turn_log_event(FILE *out, const struct ln_turn_event *event, bool addresses);

/* One of the self-test; the addresses of the server itself only with `addresses`. */
void turn_log_check(FILE *out, const struct self_test_result *result, bool addresses);

#endif
