/* SPDX-License-Identifier: Apache-2.0
 * The signalling step: a WebSocket to the page's server, a room, the ICE servers it gives, and how
 * the server sees us (docs/signalling.md). The control loop runs on this thread until that is known
 * or ten seconds have passed. */
#include "base/alloc.h"
#include "base/time.h"
#include "cli/diagnose.h"
#include "cli/url.h"
#include "http/websocket_client.h"
#include "stun/proxy.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIGNALLING_WITHIN LN_SECONDS(10)
#define CLOCK_MAY_DIFFER  60000 /* ms; credentials that expire live longer than that */

struct signalling {
    struct diagnosis *d;
    struct ln_http_loop *loop;
    struct ln_websocket_client *socket;
    struct ln_http_timer *timer;
    char url[CLI_URL_MAX];
    ln_time begun;
    ln_duration connected_after, joined_after; /* -1: not yet */
    json_t *view;                              /* the server's answer; NULL: none (an older one) */
    size_t servers;
    char failure[256];
    const char *remedy;
};

static void fail(struct signalling *s, const char *remedy, const char *sentence)
{
    snprintf(s->failure, sizeof s->failure, "%s", sentence);
    s->remedy = remedy;
    ln_http_loop_stop(s->loop);
}

static void say(struct signalling *s, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

    json_decref(message);
    if (text && ln_websocket_client_send(s->socket, text, strlen(text)) != 0)
        fail(s, NULL, "out of memory");
    free(text);
}

static void on_connected(void *ctx)
{
    struct signalling *s = ctx;
    const struct diagnose_arguments *a = &s->d->arguments;
    char room[40];

    s->connected_after = ln_http_loop_now(s->loop) - s->begun;
    snprintf(room, sizeof room, "diagnose-%llx", (unsigned long long)s->begun);
    say(s, json_pack("{s:s}", "type", "view"));
    say(s, json_pack("{s:s, s:s, s:s, s:s*}", "type", "join", "room", a->room ? a->room : room,
                     "name", "diagnose", "token", a->token));
}

/* The credentials by which the page's TURN server may be asked about this test, and nothing else.
 */
static void keep_credential(struct diagnosis *d, const char *url, const char *user,
                            const char *password)
{
    if (d->user || !user || !password)
        return;
    d->page = strdup(url);
    d->user = strdup(user);
    d->credential = strdup(password);
}

static void take_servers(struct signalling *s, const json_t *list)
{
    size_t i, k;
    const json_t *server, *url;

    json_array_foreach(list, i, server)
    {
        const char *user = json_string_value(json_object_get(server, "username"));
        const char *password = json_string_value(json_object_get(server, "credential"));

        keep_credential(s->d, s->url, user, password);
        json_array_foreach(json_object_get(server, "urls"), k, url)
        {
            const char *text = json_string_value(url);

            s->servers += text && diagnose_add_server(s->d, text, user, password) == 0;
        }
    }
}

static void leave(struct signalling *s)
{
    say(s, json_pack("{s:s}", "type", "leave"));
    ln_http_loop_stop(s->loop);
}

static void on_refused(struct signalling *s, const json_t *message)
{
    const char *code = json_string_value(json_object_get(message, "code"));
    const char *sentence = json_string_value(json_object_get(message, "sentence"));

    if (code && strcmp(code, "unknown_type") == 0 && s->joined_after < 0)
        return;                 /* a server that knows no `view` */
    if (s->joined_after >= 0) { /* nor will it tell anything of TURN */
        leave(s);
        return;
    }
    fail(s,
         code && strcmp(code, "not_allowed") == 0
             ? "give the room's token: --room ROOM --token TOKEN"
             : "name another room: --room ROOM",
         sentence ? sentence : "the server refused the room");
}

static void on_message(void *ctx, const char *text, size_t len)
{
    struct signalling *s = ctx;
    json_t *message = json_loadb(text, len, 0, NULL);
    const char *type = json_string_value(json_object_get(message, "type"));

    if (!type) {
        fail(s, "correct the URL: this server speaks something else", "no JSON object came");
    } else if (strcmp(type, "view") == 0) {
        json_decref(s->view);
        s->view = json_incref(message);
        if (s->joined_after >= 0)
            leave(s);
    } else if (strcmp(type, "joined") == 0) {
        s->joined_after = ln_http_loop_now(s->loop) - s->begun;
        take_servers(s, json_object_get(message, "iceServers"));
        if (s->d->user) /* from now on the server keeps what its TURN sees of us */
            say(s, json_pack("{s:s, s:s, s:s}", "type", "view", "username", s->d->user,
                             "credential", s->d->credential));
        else
            leave(s);
    } else if (strcmp(type, "error") == 0) {
        on_refused(s, message);
    }
    json_decref(message);
}

static void on_closed(void *ctx, uint16_t code, const char *sentence)
{
    struct signalling *s = ctx;

    (void)code;
    if (s->joined_after >= 0)
        return;
    fail(s,
         s->connected_after < 0
             ? "look whether the server runs and the URL is right, and let TCP out to its port"
             : "look at the server's log: it ended the connection",
         sentence);
}

static void on_time(void *ctx)
{
    struct signalling *s = ctx;

    fail(s, "look whether the server runs, and let TCP out to its port",
         s->connected_after < 0 ? "no connection within 10 s" : "no answer within 10 s");
}

/* --- the report */

static void report_clock(struct signalling *s)
{
    int64_t theirs = json_integer_value(json_object_get(s->view, "time")), ours;
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    ours = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    s->d->clock_ahead_ms = ours - theirs;
    if (ours - theirs > CLOCK_MAY_DIFFER || theirs - ours > CLOCK_MAY_DIFFER)
        report_step(&s->d->report, "clock", VERDICT_WARN,
                    json_pack("{s:I}", "aheadMs", (json_int_t)(ours - theirs)),
                    "set the clock (NTP): certificates and credentials that expire depend on it",
                    "our clock is %.0f s %s the server's",
                    (double)(ours > theirs ? ours - theirs : theirs - ours) / 1000,
                    ours > theirs ? "ahead of" : "behind");
    else
        report_step(&s->d->report, "clock", VERDICT_OK,
                    json_pack("{s:I}", "aheadMs", (json_int_t)(ours - theirs)), NULL,
                    "our clock and the server's agree");
}

static bool report(struct signalling *s)
{
    struct report *report = &s->d->report;
    const char *seen = json_string_value(json_object_get(s->view, "address"));

    if (s->joined_after < 0) {
        report_step(report, "signalling", VERDICT_FAIL, json_pack("{s:s}", "url", s->url),
                    s->remedy, "%s: %s", s->url, s->failure);
        return false;
    }
    report_step(report, "signalling", s->servers > 0 ? VERDICT_OK : VERDICT_WARN,
                json_pack("{s:s, s:f, s:f, s:i, s:s*}", "url", s->url, "connectMs",
                          (double)s->connected_after / 1e6, "ms", (double)s->joined_after / 1e6,
                          "iceServers", (int)s->servers, "seenAs", seen),
                s->servers > 0 ? NULL : "configure STUN and TURN at the server",
                "%s: joined in %.0f ms; it gives %zu ICE server%s%s%s", s->url,
                (double)s->joined_after / 1e6, s->servers, s->servers == 1 ? "" : "s",
                seen ? " and sees us as " : "", seen ? seen : "");
    if (s->view)
        report_clock(s);
    return true;
}

static int begin(struct signalling *s)
{
    struct ln_http_loop_config loop = { .allocator = ln_allocator_libc() };
    struct ln_websocket_client_config socket = { .url = s->url,
                                                 .insecure = s->d->arguments.insecure,
                                                 .connected = on_connected,
                                                 .message = on_message,
                                                 .closed = on_closed,
                                                 .ctx = s };
    char proxy[LN_PROXY_AUTHORITY_MAX];
    int error = ln_http_loop_create(&s->loop, &loop);

    if (!error && s->d->arguments.proxy) {
        error = ln_proxy_authority(s->d->arguments.proxy, proxy);
        socket.proxy = proxy;
    }
    if (!error)
        error = ln_http_timer_create(&s->timer, s->loop, on_time, s);
    if (!error) {
        s->begun = ln_http_loop_now(s->loop);
        ln_http_timer_set(s->timer, s->begun + SIGNALLING_WITHIN);
        error = ln_websocket_client_create(&s->socket, s->loop, &socket);
    }
    ln_wipe(proxy, sizeof proxy);
    return error;
}

bool diagnose_signalling(struct diagnosis *d, const char *url)
{
    struct signalling s = { .d = d, .connected_after = -1, .joined_after = -1 };
    int error = cli_socket_url(url, s.url);
    bool good;

    if (!error)
        error = begin(&s);
    if (error) {
        snprintf(s.failure, sizeof s.failure, "%s", ln_error_sentence(error));
        s.remedy = error == LN_ERR_SYNTAX ? "give the page's address, as http://HOST:PORT/" : NULL;
    } else {
        ln_http_loop_run(s.loop);
    }
    good = report(&s);
    ln_websocket_client_free(s.socket);
    ln_http_timer_free(s.timer);
    ln_http_loop_free(s.loop);
    json_decref(s.view);
    return good;
}
