/* SPDX-License-Identifier: Apache-2.0
 * The signalling server on real sockets: pages and WebSockets on one port, rooms behind them, and
 * what /healthz and /metrics tell. Lives on a control loop, everything on its thread. */
#ifndef LN_SIGNAL_WIRING_SERVICE_H
#define LN_SIGNAL_WIRING_SERVICE_H

#include "http/server.h"
#include "servers/signal/core/signal.h"

struct ln_signal_service;

/* Extra figures for /metrics, added up by whoever runs another server beside this one: writes lines
 * of the Prometheus text format, at most cap bytes, and returns how many. */
typedef size_t (*ln_metrics_fn)(void *ctx, char *text, size_t cap);

struct ln_signal_service_config {
    struct ln_http_server_config http; /* without routes, handlers and ctx */
    struct ln_signal_config signal;
    bool metrics; /* whether /metrics is there */
    ln_metrics_fn more_metrics;
    void *more_metrics_ctx;
    /* What TURN saw of a user, on the loop's thread; NULL: nothing. */
    void (*turn_view)(void *ctx, const char *user, struct ln_signal_turn_view *ret_view);
    void *turn_view_ctx;
};

void ln_signal_service_config_init(struct ln_signal_service_config *config);

/* Listens. env outlives the service. Errors: those of ln_http_server_create(), and
 * LN_ERR_INVALID_ARGUMENT for a limit of 0. */
LN_NODISCARD int ln_signal_service_create(struct ln_signal_service **ret_service,
                                          struct ln_http_loop *loop,
                                          const struct ln_signal_service_config *config,
                                          struct ln_env *env);
/* Closes all WebSockets, saying that the server goes away. */
void ln_signal_service_free(struct ln_signal_service *service);

/* /healthz says 503 and "draining" from now on, or "ok" again. Nothing else changes. */
void ln_signal_service_drain(struct ln_signal_service *service, bool drain);

/* Another certificate: as ln_http_server_reload(). */
LN_NODISCARD int ln_signal_service_reload(struct ln_signal_service *service,
                                          const struct ln_http_server_config *config);
/* As ln_http_server_hand_over(). Any thread. */
void ln_signal_service_hand_over(struct ln_signal_service *service, int fd,
                                 const struct ln_address *remote, bool secure);

struct ln_address ln_signal_service_address(const struct ln_signal_service *service);

/* metrics.c: one metric of the text format, appended at *len as far as there is room. */
struct ln_metrics_text {
    char *text;
    size_t cap, len;
};
void ln_metrics_head(struct ln_metrics_text *out, const char *name, const char *type,
                     const char *help);
void ln_metrics_value(struct ln_metrics_text *out, const char *name, const char *label,
                      const char *value, uint64_t number);
void ln_metrics_signal(struct ln_metrics_text *out, const struct ln_signal_figures *figures);
void ln_metrics_http(struct ln_metrics_text *out, const struct ln_http_figures *figures);

#endif
