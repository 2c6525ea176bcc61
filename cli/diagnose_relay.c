/* SPDX-License-Identifier: Apache-2.0
 * The relay steps: for each TURN server two peer connections of this process that may use nothing
 * but relayed addresses of it, a data channel between them, and figures of what passes through.
 *
 *     CONNECTING   both gather at the server, exchange descriptions in memory, check, shake hands
 *     ECHO         small unreliable messages there and back: loss, round trip, jitter
 *     BULK         large reliable ones for a second: throughput
 *
 * What the server says when it gives no address (RFC 8656, 19) is told in words; whether
 * credentials that expire (draft-uberti-behave-turn-rest: a user name that begins with a time) have
 * expired is worked out from the name and the clocks. */
#include "base/time.h"
#include "cli/diagnose.h"

#include <linnet/linnet.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_WITHIN LN_SECONDS(15) /* a server that is silent is given 9.5 s */
#define ECHOES         25u
#define ECHO_EVERY     LN_MILLISECONDS(20)
#define ECHO_WAIT      LN_MILLISECONDS(600) /* after the last: what is not back by then is lost */
#define ECHO_BYTES     160u                 /* as a packet of sound */
#define BULK_FOR       LN_SECONDS(1)
#define BULK_BYTES     16384u
#define BULK_AHEAD     (512u << 10) /* buffered at most */
#define PENDING_MAX    8u

enum phase { CONNECTING, ECHO, BULK, DONE, FAILED };

struct relay_test;

struct relay_end {
    struct relay_test *test;
    struct relay_end *other;
    ln_peer_connection *pc;
    struct ln_loop_endpoint *handle;
    ln_data_channel *echo, *bulk;
    ln_op_id local, remote; /* operations whose end is waited for; 0: none */
    bool described, gathered, has_remote, relayed;
    struct ln_ice_candidate_init early[PENDING_MAX];
    char early_text[PENDING_MAX][512];
    size_t early_count;
};

struct relay_test {
    struct diagnosis *d;
    const struct diagnose_server *server;
    struct ln_loop *loop;
    struct ln_loop_timer timer;
    struct relay_end ends[2]; /* the first offers */
    enum phase phase;
    ln_time begun, gathered_at, dtls_from, connected_at, phase_from;
    char relayed[LN_ADDRESS_TEXT_MAX + 8];
    uint16_t code; /* of the server's refusal, 0: none */
    char text[128];
    unsigned sent, returned;
    ln_time sent_at[ECHOES];
    ln_duration rtts[ECHOES]; /* -1: not back */
    uint64_t bulk_received;
    ln_time bulk_last;
};

/* --- signalling in memory */

static void fail(struct relay_test *t)
{
    if (t->phase != DONE)
        t->phase = FAILED;
}

static void add_candidate(struct relay_end *end, const struct ln_ice_candidate_init *candidate)
{
    ln_op_id op;

    if (ln_peer_connection_add_ice_candidate(end->pc, candidate, &op) != 0)
        fail(end->test);
}

static void take_candidate(struct relay_end *end, const struct ln_ice_candidate *candidate)
{
    struct ln_ice_candidate_init init = { .candidate = candidate->candidate,
                                          .sdp_mid = "0",
                                          .sdp_m_line_index = 0 };

    if (end->has_remote) {
        add_candidate(end, &init);
    } else if (end->early_count < PENDING_MAX) {
        snprintf(end->early_text[end->early_count], sizeof end->early_text[0], "%s",
                 candidate->candidate);
        init.candidate = end->early_text[end->early_count];
        end->early[end->early_count++] = init;
    }
    ln_loop_touch(end->handle);
}

static void on_remote_set(struct relay_end *end)
{
    end->has_remote = true;
    for (size_t i = 0; i < end->early_count; i++)
        add_candidate(end, &end->early[i]);
    if (end == &end->test->ends[1] &&
        ln_peer_connection_set_local_description(end->pc, NULL, &end->local) != 0)
        fail(end->test);
}

static void on_local_set(struct relay_end *end)
{
    struct ln_session_description description;

    if (!ln_peer_connection_local_description(end->pc, &description) ||
        ln_peer_connection_set_remote_description(end->other->pc, &description,
                                                  &end->other->remote) != 0)
        fail(end->test);
    ln_loop_touch(end->other->handle);
}

static void on_operation(struct relay_end *end, const struct ln_event *event)
{
    if (event->u.operation.error.error) {
        fail(end->test);
    } else if (event->u.operation.op == end->local) {
        end->local = 0;
        on_local_set(end);
    } else if (event->u.operation.op == end->remote) {
        end->remote = 0;
        on_remote_set(end);
    }
}

static void on_candidate(struct relay_end *end, const struct ln_event *event)
{
    const struct ln_ice_candidate *candidate = &event->u.ice_candidate.candidate;
    struct relay_test *t = end->test;

    if (event->u.ice_candidate.last) {
        end->gathered = true;
        if (t->phase == CONNECTING && !end->relayed)
            fail(t); /* the server gave no address */
        return;
    }
    end->relayed = end->relayed || candidate->candidate[0];
    if (candidate->candidate[0] && !t->relayed[0]) {
        snprintf(t->relayed, sizeof t->relayed, "%s:%u",
                 candidate->address ? candidate->address : "?", (unsigned)candidate->port);
        t->gathered_at = ln_loop_now(t->loop);
    }
    take_candidate(end->other, candidate);
}

/* --- what passes */

static unsigned number_in(const uint8_t *data, size_t len)
{
    return len >= 2 ? (unsigned)data[0] << 8 | data[1] : ECHOES;
}

static void on_message(struct relay_end *end, const struct ln_event *event)
{
    struct relay_test *t = end->test;
    const uint8_t *data = event->u.message.data;
    size_t len = event->u.message.len;
    unsigned number;

    if (len == BULK_BYTES) {
        t->bulk_received += len;
        t->bulk_last = ln_loop_now(t->loop);
    } else if (end == &t->ends[1]) {
        (void)!ln_data_channel_send(event->u.message.channel, data, len);
        ln_loop_touch(end->handle);
    } else if ((number = number_in(data, len)) < t->sent && t->rtts[number] < 0) {
        t->rtts[number] = ln_loop_now(t->loop) - t->sent_at[number];
        t->returned++;
    }
}

static void send_echo(struct relay_test *t)
{
    uint8_t data[ECHO_BYTES] = { (uint8_t)(t->sent >> 8), (uint8_t)t->sent };

    (void)!ln_data_channel_send(t->ends[0].echo, data, sizeof data);
    t->sent_at[t->sent] = ln_loop_now(t->loop);
    t->rtts[t->sent++] = -1;
    ln_loop_touch(t->ends[0].handle);
}

static void send_bulk(struct relay_test *t)
{
    static const uint8_t data[BULK_BYTES];

    while (ln_data_channel_buffered_amount(t->ends[0].bulk) < BULK_AHEAD)
        if (ln_data_channel_send(t->ends[0].bulk, data, sizeof data) != 0)
            break;
    ln_loop_touch(t->ends[0].handle);
}

static void enter(struct relay_test *t, enum phase phase, ln_time now)
{
    t->phase = phase;
    t->phase_from = now;
    ln_loop_timer_set(&t->timer, now);
}

static void on_timer(void *ctx, ln_time now)
{
    struct relay_test *t = ctx;

    if (t->phase == ECHO && t->sent < ECHOES) {
        send_echo(t);
        ln_loop_timer_set(&t->timer, t->sent < ECHOES
                                         ? t->phase_from + (ln_duration)t->sent * ECHO_EVERY
                                         : now + ECHO_WAIT);
    } else if (t->phase == ECHO) {
        enter(t, BULK, now);
    } else if (t->phase == BULK && now < t->phase_from + BULK_FOR) {
        send_bulk(t);
        ln_loop_timer_set(&t->timer, now + LN_MILLISECONDS(5));
    } else if (t->phase == BULK) {
        t->phase = DONE;
    }
}

static void on_open(struct relay_test *t)
{
    const struct relay_end *a = &t->ends[0];

    if (t->phase == CONNECTING &&
        ln_data_channel_ready_state(a->echo) == LN_DATA_CHANNEL_STATE_OPEN &&
        ln_data_channel_ready_state(a->bulk) == LN_DATA_CHANNEL_STATE_OPEN)
        enter(t, ECHO, ln_loop_now(t->loop));
}

/* --- events */

static void on_event(struct relay_end *end, const struct ln_event *event)
{
    struct relay_test *t = end->test;

    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        on_operation(end, event);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        on_candidate(end, event);
        break;
    case LN_EVENT_ICE_CANDIDATE_ERROR:
        t->code = event->u.ice_candidate_error.error_code;
        snprintf(t->text, sizeof t->text, "%s", event->u.ice_candidate_error.error_text);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        if (event->u.connection_state == LN_PEER_CONNECTION_STATE_CONNECTED && !t->connected_at)
            t->connected_at = ln_loop_now(t->loop);
        else if (event->u.connection_state == LN_PEER_CONNECTION_STATE_FAILED)
            fail(t);
        break;
    case LN_EVENT_ICE_CONNECTION_STATE_CHANGE:
        if (event->u.ice_connection_state == LN_ICE_CONNECTION_STATE_CONNECTED && !t->dtls_from)
            t->dtls_from = ln_loop_now(t->loop);
        break;
    case LN_EVENT_OPEN:
        on_open(t);
        break;
    case LN_EVENT_MESSAGE:
        on_message(end, event);
        break;
    default:
        break;
    }
}

static void after(void *ctx, ln_time now)
{
    struct relay_end *end = ctx;
    struct ln_event event;

    (void)now;
    while (ln_peer_connection_poll_event(end->pc, &event) > 0)
        on_event(end, &event);
}

static bool relay_done(void *ctx)
{
    const struct relay_test *t = ctx;

    return t->phase == DONE || t->phase == FAILED ||
           (t->phase == CONNECTING && ln_loop_now(t->loop) > t->begun + CONNECT_WITHIN);
}

/* --- life */

static int create_end(struct relay_test *t, struct relay_end *end)
{
    struct ln_ice_server server = { .urls = &t->server->name,
                                    .url_count = 1,
                                    .username = t->server->username,
                                    .credential = t->server->credential };
    struct ln_configuration configuration;
    int error;

    ln_configuration_init(&configuration);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    configuration.include_loopback = true;
    configuration.network.http_proxy = t->d->arguments.proxy;
    configuration.wall_offset = ln_loop_wall_offset(t->loop);
    configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    end->test = t;
    error = ln_peer_connection_create(&configuration, ln_driver_env(t->d->driver), &end->pc);
    return error ? error
                 : ln_loop_add_endpoint(t->loop, ln_peer_connection_endpoint(end->pc), after, end,
                                        &end->handle);
}

static int start(struct relay_test *t)
{
    struct ln_data_channel_init unreliable;
    struct relay_end *a = &t->ends[0], *b = &t->ends[1];
    int error = ln_loop_timer_init(t->loop, &t->timer, on_timer, t);

    a->other = b;
    b->other = a;
    ln_data_channel_init_init(&unreliable);
    unreliable.ordered = false;
    unreliable.max_retransmits = 0;
    for (int i = 0; i < 2 && !error; i++)
        error = create_end(t, &t->ends[i]);
    if (!error)
        error = ln_peer_connection_create_data_channel(a->pc, "echo", &unreliable, &a->echo);
    if (!error)
        error = ln_peer_connection_create_data_channel(a->pc, "bulk", NULL, &a->bulk);
    return error ? error : ln_peer_connection_set_local_description(a->pc, NULL, &a->local);
}

static void finish(struct relay_test *t)
{
    ln_loop_timer_deinit(&t->timer);
    for (int i = 0; i < 2; i++)
        if (t->ends[i].handle) {
            ln_peer_connection_close(t->ends[i].pc);
            ln_loop_touch(t->ends[i].handle);
        }
    (void)!ln_loop_run_once(t->loop, 0); /* the farewell leaves */
    for (int i = 0; i < 2; i++) {
        ln_loop_remove_endpoint(t->ends[i].handle);
        ln_peer_connection_free(t->ends[i].pc);
    }
}

/* --- why there is no relayed address */

static int64_t wall_ms(void)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

/* "1700000000:ada", or only the time. */
static bool expiry_of(const char *username, int64_t *ret_ms)
{
    char *end;
    unsigned long long seconds = username ? strtoull(username, &end, 10) : 0;

    if (!username || end == username || (*end != ':' && *end != '\0') || seconds < 1000000000)
        return false;
    *ret_ms = (int64_t)seconds * 1000;
    return true;
}

static const char *why_unauthorized(const struct relay_test *t, char *text, size_t cap)
{
    int64_t expiry, ours = wall_ms(), theirs = ours - t->d->clock_ahead_ms;

    if (!expiry_of(t->server->username, &expiry)) {
        snprintf(text, cap, "the user name or the password is wrong");
        return "correct the user name and the password of the TURN server";
    }
    if ((expiry < ours) != (expiry < theirs)) {
        snprintf(text, cap,
                 "the credentials are valid by one clock and expired by the other: ours is %" PRId64
                 " s off",
                 t->d->clock_ahead_ms / 1000);
        return "set the clocks (NTP): credentials that expire depend on them";
    }
    if (expiry < ours) {
        snprintf(text, cap, "the credentials expired %" PRId64 " s ago", (ours - expiry) / 1000);
        return "ask for new ones: join again, or mint them anew";
    }
    snprintf(text, cap, "the credentials have not expired, but the server does not take them");
    return "give the page's server and the TURN server the same secret, and look at the TURN "
           "server's clock";
}

static void report_refusal(struct relay_test *t, json_t *facts)
{
    char text[160];
    const char *remedy = NULL;

    snprintf(text, sizeof text, "%s",
             t->text[0]           ? t->text
             : t->phase == FAILED ? "it gave no relayed address"
                                  : "no answer within 15 s");
    json_object_set_new(facts, "code", json_integer(t->code));
    if (t->code == 401 || t->code == 441)
        remedy = why_unauthorized(t, text, sizeof text);
    else if (t->code == 486)
        remedy = "wait until other allocations of this user end, or raise the user's quota";
    else if (t->code == 508)
        remedy = "give the TURN server more relay ports";
    else if (strstr(text, "the proxy"))
        remedy = "look at --proxy: its address, user and password, and whether it may connect to "
                 "the TURN server's port";
    else if (strstr(text, "certificate"))
        remedy = "give the TURN server a certificate for this name from an authority that clients "
                 "know";
    else if (t->code == 403)
        remedy = "ask who runs the TURN server: it does not allow this";
    else if (t->code >= 300 && t->code < 700)
        remedy = "look at the TURN server's log";
    else
        remedy = "look whether the TURN server runs, and let this way out of the network";
    report_step(&t->d->report, "turn", VERDICT_WARN, facts, remedy, "%s: %s", t->server->name,
                text);
}

/* --- figures */

static void report_loop(struct relay_test *t)
{
    double sum = 0, jitter = 0, rate = 0;
    ln_duration least = INT64_MAX, before = -1;
    unsigned lost = t->sent - t->returned;

    for (unsigned i = 0; i < t->sent; i++) {
        if (t->rtts[i] < 0)
            continue;
        sum += (double)t->rtts[i] / 1e6;
        least = t->rtts[i] < least ? t->rtts[i] : least;
        if (before >= 0)
            jitter += (double)llabs((long long)(t->rtts[i] - before)) / 1e6;
        before = t->rtts[i];
    }
    if (t->returned > 1)
        jitter /= t->returned - 1;
    if (t->bulk_last > t->phase_from)
        rate = (double)t->bulk_received * 8 / ((double)(t->bulk_last - t->phase_from) / 1e9) / 1e6;
    report_step(&t->d->report, "loop",
                lost * 20 > t->sent || rate < 0.5 ? VERDICT_WARN : VERDICT_OK,
                json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:i}", "server", t->server->name,
                          "roundTripMs", t->returned ? sum / t->returned : -1.0, "leastMs",
                          t->returned ? (double)least / 1e6 : -1.0, "jitterMs", jitter,
                          "mbitPerSecond", rate, "sent", (int)t->sent, "lost", (int)lost),
                lost * 20 > t->sent ? "look for loss on the line: Wi-Fi, a full uplink"
                : rate < 0.5        ? "look whether the TURN server limits the bandwidth"
                                    : NULL,
                "there and back through the relay: %.1f ms, jitter %.1f ms, %u of %u lost, %.1f "
                "Mbit/s",
                t->returned ? sum / t->returned : 0.0, jitter, lost, t->sent, rate);
}

static void report_no_connection(struct relay_test *t)
{
    bool alone = !t->ends[0].relayed || !t->ends[1].relayed;

    report_step(&t->d->report, "dtls", VERDICT_FAIL, json_pack("{s:s}", "server", t->server->name),
                alone ? "give the TURN server more relay ports, and the user more allocations"
                      : "let the TURN server relay between its own addresses, and look at its "
                        "list of denied peers",
                alone          ? "the server gives one relayed address, but no second"
                : t->dtls_from ? "no DTLS handshake through the relay"
                               : "nothing passes from one relayed address to another");
}

static void report(struct relay_test *t)
{
    json_t *facts = json_pack("{s:s}", "server", t->server->name);

    if (!t->relayed[0]) {
        report_refusal(t, facts);
        return;
    }
    json_object_set_new(facts, "relayed", json_string(t->relayed));
    json_object_set_new(facts, "ms", json_real((double)(t->gathered_at - t->begun) / 1e6));
    report_step(&t->d->report, "turn", VERDICT_OK, facts, NULL, "%s gives %s (%.0f ms)",
                t->server->name, t->relayed, (double)(t->gathered_at - t->begun) / 1e6);
    if (!t->connected_at) {
        report_no_connection(t);
        return;
    }
    t->d->relay_passes = true;
    report_step(&t->d->report, "dtls", VERDICT_OK,
                json_pack("{s:s, s:f}", "server", t->server->name, "ms",
                          (double)(t->connected_at - t->begun) / 1e6),
                NULL, "connected and encrypted through the relay (%.0f ms)",
                (double)(t->connected_at - t->begun) / 1e6);
    if (t->phase == DONE)
        report_loop(t);
    else
        report_step(&t->d->report, "loop", VERDICT_FAIL,
                    json_pack("{s:s}", "server", t->server->name), "look at the TURN server's log",
                    "no data channel through the relay");
}

static void test_server(struct diagnosis *d, const struct diagnose_server *server)
{
    struct relay_test *t = calloc(1, sizeof *t);

    if (!t)
        return;
    d->relay_asked = true;
    t->d = d;
    t->server = server;
    t->loop = ln_driver_loop(d->driver);
    t->begun = ln_loop_now(t->loop);
    if (start(t) != 0)
        t->phase = FAILED;
    diagnose_wait(d, relay_done, t, CONNECT_WITHIN + LN_SECONDS(5));
    report(t);
    finish(t);
    free(t);
}

void diagnose_relays(struct diagnosis *d)
{
    for (size_t i = 0; i < d->server_count; i++) {
        const struct diagnose_server *server = &d->servers[i];

        if (server->url.scheme != LN_ICE_URL_TURN && server->url.scheme != LN_ICE_URL_TURNS)
            continue;
        if (!server->username || !server->credential)
            report_step(&d->report, "turn", VERDICT_WARN,
                        json_pack("{s:s}", "server", server->name), "give it as URL,USER,PASSWORD",
                        "%s: there is no user name and password", server->name);
        else
            test_server(d, server);
    }
}
