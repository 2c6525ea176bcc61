/* SPDX-License-Identifier: Apache-2.0
 * Between the signalling core and the HTTP server: what one says is done by the other.
 *
 * After every call into the core its output is taken and its deadline set, in pump(). */
#include "servers/signal/wiring/service.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define METRICS_MAX 49152u /* TURN's are most of it */

struct ln_signal_service {
    struct ln_signal_service_config config;
    struct ln_allocator *allocator;
    struct ln_http_loop *loop;
    struct ln_http_server *http;
    struct ln_signal *signal;
    struct ln_http_timer *timer;
    char metrics[METRICS_MAX];
    bool draining;
};

static ln_duration wall_offset(const struct ln_http_loop *loop)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return LN_SECONDS(wall.tv_sec) + wall.tv_nsec - ln_http_loop_now(loop);
}

static void answer_views(struct ln_signal_service *s)
{
    struct ln_signal_turn_view view;
    uint64_t connection;
    const char *user;

    while ((user = ln_signal_poll_view(s->signal, &connection)) != NULL) {
        memset(&view, 0, sizeof view);
        if (s->config.turn_view)
            s->config.turn_view(s->config.turn_view_ctx, user, &view);
        ln_signal_answer_view(s->signal, ln_http_loop_now(s->loop), connection, &view);
    }
}

static void pump(struct ln_signal_service *s)
{
    struct ln_signal_output out;

    answer_views(s);
    while (ln_signal_poll(s->signal, &out)) {
        if (out.close_code) {
            ln_http_server_close(s->http, out.connection, out.close_code);
        } else if (ln_http_server_send(s->http, out.connection, out.text, out.len) != 0) {
            /* it takes nothing any more; its participant may resume elsewhere */
            ln_http_server_close(s->http, out.connection, 1013);
            ln_signal_closed(s->signal, ln_http_loop_now(s->loop), out.connection);
        }
    }
    ln_http_timer_set(s->timer, ln_signal_next_timeout(s->signal));
}

static void on_timer(void *ctx)
{
    struct ln_signal_service *s = ctx;

    ln_signal_on_timeout(s->signal, ln_http_loop_now(s->loop));
    pump(s);
}

static void visit(const struct ln_http_request *request, struct ln_signal_visitor *visitor)
{
    visitor->origin = request->origin;
    visitor->host = request->host;
    visitor->source = request->remote;
}

static int on_accept(void *ctx, const struct ln_http_request *request)
{
    struct ln_signal_service *s = ctx;
    struct ln_signal_visitor visitor;

    visit(request, &visitor);
    switch (ln_signal_admit(s->signal, &visitor)) {
    case 0:
        return 0;
    case LN_ERR_NOT_ALLOWED:
        return 403;
    default:
        return 503;
    }
}

static void on_opened(void *ctx, uint64_t websocket, const struct ln_http_request *request)
{
    struct ln_signal_service *s = ctx;
    struct ln_signal_visitor visitor;

    visit(request, &visitor);
    if (ln_signal_open(s->signal, ln_http_loop_now(s->loop), websocket, &visitor) != 0)
        ln_http_server_close(s->http, websocket, 1013);
    pump(s);
}

static void on_message(void *ctx, uint64_t websocket, const char *text, size_t len)
{
    struct ln_signal_service *s = ctx;

    ln_signal_receive(s->signal, ln_http_loop_now(s->loop), websocket, text, len);
    pump(s);
}

static void on_closed(void *ctx, uint64_t websocket, uint16_t code)
{
    struct ln_signal_service *s = ctx;

    ln_signal_closed(s->signal, ln_http_loop_now(s->loop), websocket);
    pump(s);
}

static void healthz(void *ctx, const struct ln_http_request *request,
                    struct ln_http_response *response)
{
    const struct ln_signal_service *s = ctx;

    response->status = s->draining ? 503 : 200;
    response->body = s->draining ? "draining\n" : "ok\n";
    response->body_len = strlen(response->body);
}

static void metrics(void *ctx, const struct ln_http_request *request,
                    struct ln_http_response *response)
{
    struct ln_signal_service *s = ctx;
    struct ln_metrics_text out = { s->metrics, sizeof s->metrics, 0 };
    struct ln_signal_figures signal;
    struct ln_http_figures http;

    if (!s->config.metrics)
        return;
    ln_signal_get_figures(s->signal, &signal);
    ln_http_server_get_figures(s->http, &http);
    ln_metrics_head(&out, "build_info", "gauge", "The version, as a label.");
    ln_metrics_value(&out, "build_info", "version", LINNET_VERSION, 1);
    ln_metrics_signal(&out, &signal);
    ln_metrics_http(&out, &http);
    if (s->config.more_metrics)
        out.len += s->config.more_metrics(s->config.more_metrics_ctx, out.text + out.len,
                                          out.cap - out.len);
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    response->body = s->metrics;
    response->body_len = out.len;
}

static const struct ln_http_route routes[] = { { "/healthz", healthz }, { "/metrics", metrics } };

void ln_signal_service_config_init(struct ln_signal_service_config *config)
{
    *config = (struct ln_signal_service_config){ .metrics = true };
    ln_http_server_config_init(&config->http);
    ln_signal_config_init(&config->signal);
}

int ln_signal_service_create(struct ln_signal_service **ret_service, struct ln_http_loop *loop,
                             const struct ln_signal_service_config *config, struct ln_env *env)
{
    struct ln_signal_service *s = ln_alloc_zero(env->allocator, sizeof *s);
    struct ln_http_server_config http = config->http;
    int error;

    if (!s)
        return LN_ERR_NOMEM;
    s->config = *config;
    s->allocator = env->allocator;
    s->loop = loop;
    http.routes = routes;
    http.route_count = sizeof routes / sizeof *routes;
    http.websocket_path = "/ws";
    http.websocket = (struct ln_websocket_handlers){ on_accept, on_opened, on_message, on_closed };
    http.message_bytes = config->signal.message_bytes;
    http.ctx = s;
    s->config.signal.wall_offset = wall_offset(loop);
    error = ln_signal_create(&s->signal, &s->config.signal, env);
    if (!error)
        error = ln_http_timer_create(&s->timer, loop, on_timer, s);
    if (!error)
        error = ln_http_server_create(&s->http, loop, &http);
    if (error) {
        ln_signal_service_free(s);
        return error;
    }
    *ret_service = s;
    return 0;
}

void ln_signal_service_free(struct ln_signal_service *service)
{
    if (!service)
        return;
    ln_http_server_free(service->http);
    ln_http_timer_free(service->timer);
    ln_signal_free(service->signal);
    ln_free(service->allocator, service);
}

void ln_signal_service_drain(struct ln_signal_service *service, bool drain)
{
    service->draining = drain;
}

int ln_signal_service_reload(struct ln_signal_service *service,
                             const struct ln_http_server_config *config)
{
    return ln_http_server_reload(service->http, config);
}

void ln_signal_service_hand_over(struct ln_signal_service *service, int fd,
                                 const struct ln_address *remote, bool secure)
{
    ln_http_server_hand_over(service->http, fd, remote, secure);
}

struct ln_address ln_signal_service_address(const struct ln_signal_service *service)
{
    return ln_http_server_address(service->http);
}
