/* SPDX-License-Identifier: Apache-2.0
 * The last step: what the page's TURN server saw of this very test (docs/signalling.md, `view`),
 * asked for with the credentials that the test itself used. It tells apart what never reached the
 * server from what it refused, and from what was lost on the way back. */
#include "base/alloc.h"
#include "cli/diagnose.h"
#include "http/websocket_client.h"
#include "stun/proxy.h"

#include <linnet/error.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_WITHIN LN_SECONDS(5)
#define ASK_AGAIN   LN_MILLISECONDS(200) /* allocations that are given back end in a moment */
#define ASK_MOST    10u

struct asking {
    struct diagnosis *d;
    struct ln_http_loop *loop;
    struct ln_websocket_client *socket;
    struct ln_http_timer *again, *over;
    unsigned asked;
    json_t *turn; /* what the server said last; NULL: nothing */
};

static void stop(void *ctx)
{
    ln_http_loop_stop(((struct asking *)ctx)->loop);
}

static void ask(void *ctx)
{
    struct asking *a = ctx;
    json_t *message = json_pack("{s:s, s:s, s:s}", "type", "view", "username", a->d->user,
                                "credential", a->d->credential);
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

    a->asked++;
    json_decref(message);
    if (!text || ln_websocket_client_send(a->socket, text, strlen(text)) != 0)
        stop(a);
    free(text);
}

static bool any_open(const json_t *turn)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(turn, "allocations"), i,
                       one) if (json_is_true(json_object_get(one, "open"))) return true;
    return false;
}

static void on_message(void *ctx, const char *text, size_t len)
{
    struct asking *a = ctx;
    json_t *message = json_loadb(text, len, 0, NULL), *turn = json_object_get(message, "turn");

    json_decref(a->turn);
    a->turn = json_is_object(turn) ? json_incref(turn) : NULL;
    json_decref(message);
    if (a->turn && any_open(a->turn) && a->asked < ASK_MOST)
        ln_http_timer_set(a->again, ln_http_loop_now(a->loop) + ASK_AGAIN);
    else
        stop(a);
}

static void on_closed(void *ctx, uint16_t code, const char *sentence)
{
    (void)code;
    (void)sentence;
    stop(ctx);
}

/* --- the report */

struct sum {
    unsigned made, refused;
    uint64_t bytes, dropped;
    uint16_t code;
    const char *address;
};

static uint64_t number(const json_t *of, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(of, name));
}

static struct sum sum_up(const json_t *turn, const char *transport)
{
    struct sum sum = { .made = 0 };
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(turn, "allocations"), i, one)
    {
        const char *over = json_string_value(json_object_get(one, "transport"));

        if (!over || strcmp(over, transport) != 0)
            continue;
        sum.address = json_string_value(json_object_get(one, "address"));
        if (json_string_value(json_object_get(one, "relayed"))) {
            sum.made++;
            sum.bytes += number(one, "bytesFromClient") + number(one, "bytesToClient");
            sum.dropped += number(one, "packetsDropped");
        } else {
            sum.refused++;
            sum.code = (uint16_t)number(one, "code");
        }
    }
    return sum;
}

/* "udp from 192.0.2.1: 2 addresses given, 12.3 kB relayed, 0 packets dropped" */
static size_t describe(const struct sum *sum, const char *transport, char *text, size_t cap)
{
    int len;

    if (sum->made > 0)
        len = snprintf(text, cap,
                       "%s from %s: %u address%s given, %.1f kB relayed, %" PRIu64
                       " packets dropped",
                       transport, sum->address ? sum->address : "?", sum->made,
                       sum->made == 1 ? "" : "es", (double)sum->bytes / 1000, sum->dropped);
    else
        len = snprintf(text, cap, "%s from %s: refused with %u", transport,
                       sum->address ? sum->address : "?", sum->code);
    return len > 0 && (size_t)len < cap ? (size_t)len : 0;
}

static void report(const struct asking *a)
{
    static const char *const transports[] = { "udp", "tcp", "tls", "dtls" };
    uint64_t wrong = number(a->turn, "wrongCredentials");
    unsigned made = 0, seen = 0;
    char text[600] = "";
    size_t len = 0;

    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        struct sum sum = sum_up(a->turn, transports[i]);

        if (sum.made + sum.refused == 0)
            continue;
        if (len > 0 && len + 2 < sizeof text)
            len += (size_t)snprintf(text + len, sizeof text - len, "; ");
        len += describe(&sum, transports[i], text + len, sizeof text - len);
        made += sum.made;
        seen += sum.made + sum.refused;
    }
    if (made > 0)
        report_step(&a->d->report, "server", VERDICT_OK, json_incref(a->turn), NULL,
                    "the TURN server saw this test: %s", text);
    else if (seen > 0)
        report_step(&a->d->report, "server", VERDICT_WARN, json_incref(a->turn),
                    "look at the TURN server's quotas and its free ports",
                    "the TURN server saw this test and refused it: %s", text);
    else if (wrong > 0)
        report_step(
            &a->d->report, "server", VERDICT_WARN, json_incref(a->turn),
            "give the page's server and the TURN server the same secret, and set the clocks",
            "the TURN server saw this test, and took none of its credentials");
    else
        report_step(&a->d->report, "server", VERDICT_WARN, json_incref(a->turn),
                    "let UDP and TCP out to the TURN server's ports; something between drops what "
                    "we send",
                    "the TURN server saw nothing of this test: no request that it could answer "
                    "with an address reached it");
}

/* --- asking */

static int begin(struct asking *a)
{
    struct ln_http_loop_config loop = { .allocator = ln_allocator_libc() };
    struct ln_websocket_client_config socket = { .url = a->d->page,
                                                 .insecure = a->d->arguments.insecure,
                                                 .connected = ask,
                                                 .message = on_message,
                                                 .closed = on_closed,
                                                 .ctx = a };
    char proxy[LN_PROXY_AUTHORITY_MAX];
    int error = ln_http_loop_create(&a->loop, &loop);

    if (!error && a->d->arguments.proxy) {
        error = ln_proxy_authority(a->d->arguments.proxy, proxy);
        socket.proxy = proxy;
    }
    if (!error)
        error = ln_http_timer_create(&a->again, a->loop, ask, a);
    if (!error)
        error = ln_http_timer_create(&a->over, a->loop, stop, a);
    if (!error)
        error = ln_websocket_client_create(&a->socket, a->loop, &socket);
    if (!error)
        ln_http_timer_set(a->over, ln_http_loop_now(a->loop) + VIEW_WITHIN);
    ln_wipe(proxy, sizeof proxy);
    return error;
}

void diagnose_view(struct diagnosis *d)
{
    struct asking a = { .d = d };

    if (!d->page || !d->user || !d->credential || !d->relay_asked)
        return;
    if (begin(&a) == 0)
        ln_http_loop_run(a.loop);
    if (a.turn) /* else an older server, or one that has no TURN of its own */
        report(&a);
    json_decref(a.turn);
    ln_websocket_client_free(a.socket);
    ln_http_timer_free(a.again);
    ln_http_timer_free(a.over);
    ln_http_loop_free(a.loop);
}
