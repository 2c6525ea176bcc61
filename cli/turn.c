/* SPDX-License-Identifier: Apache-2.0
 * `linnet turn`: a STUN and TURN server by itself; its configuration, explained and checked; and
 * `linnet turn credentials`, which mints ephemeral ones.
 *
 * The main thread waits for signals: SIGHUP reads the configuration again, SIGTERM drains (and
 * SIGHUP takes that back), a second SIGTERM or SIGINT ends. */
#include "base/address.h"
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/options.h"
#include "cli/self_test.h"
#include "cli/turn_keeper.h"
#include "cli/turn_metrics.h"
#include "cli/turn_redis.h"
#include "crypto/rng.h"
#include "io/thread.h"
#include "stun/ephemeral.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TTL_DEFAULT 86400

struct arguments {
    struct cli_texts listen, relay, users, secrets, allow, deny;
    const char *realm, *ports, *config, *metrics, *log, *explain, *certificate, *key, *check_stun;
    const char *database, *redis, *redis_password;
    long workers, ttl, shared_ports;
    bool check, print, addresses, tcp_relay;
};

static const struct cli_option options[] = {
    CLI_LIST("listen", "ADDR:PORT", struct arguments, listen,
             "UDP and TCP (0.0.0.0:3478); may be given several times"),
    CLI_LIST("user", "NAME:PASSWORD", struct arguments, users,
             "who may use it; several times (credentials: the name to mint for)"),
    CLI_TEXT("users-database", "FILE", struct arguments, database,
             "SQLite with more of them, in the table of coturn's turnadmin; read again on SIGHUP"),
    CLI_TEXT("users-redis", "HOST:PORT/DB", struct arguments, redis,
             "Redis with more of them, under the keys of coturn's turnadmin; read again by itself"),
    CLI_TEXT("redis-password", "TEXT|@FILE", struct arguments, redis_password,
             "what Redis asks for"),
    CLI_LIST("secret", "TEXT|@FILE", struct arguments, secrets,
             "signs ephemeral credentials; several are valid at once"),
    CLI_TEXT("realm", "TEXT", struct arguments, realm, "the realm of the passwords (linnet)"),
    CLI_LIST("relay", "ADDR[=EXTERNAL]", struct arguments, relay,
             "where peers are reached from; EXTERNAL is told to clients behind a 1:1 NAT"),
    CLI_TEXT("check-stun", "HOST:PORT", struct arguments, check_stun,
             "a STUN server elsewhere: the start compares what it sees with what is told"),
    CLI_TEXT("ports", "MIN-MAX", struct arguments, ports, "relay ports (49152-65535)"),
    CLI_INTEGER("shared-ports", "N", 0, LN_TURN_SHARED_PORTS_MAX, struct arguments, shared_ports,
                "so many of them for all relays that need none of their own (0: one a relay)"),
    CLI_LIST("allow-peer", "PREFIX", struct arguments, allow,
             "peers that are refused otherwise: private, loopback, own addresses"),
    CLI_LIST("deny-peer", "PREFIX", struct arguments, deny, "peers that are refused in any case"),
    CLI_FLAG("tcp-relay", struct arguments, tcp_relay,
             "clients may have TCP connections to peers as well (RFC 6062)"),
    CLI_TEXT("tls-cert", "FILE", struct arguments, certificate,
             "TLS and DTLS at the same ports: the certificate, in PEM"),
    CLI_TEXT("tls-key", "FILE", struct arguments, key, "its private key, in PEM"),
    CLI_INTEGER("workers", "N", 1, LN_TURN_WORKERS_MAX, struct arguments, workers,
                "threads (one a core)"),
    CLI_TEXT("config", "FILE", struct arguments, config,
             "YAML, as docs/linnet.yaml shows; read again on SIGHUP"),
    CLI_TEXT("metrics", "ADDR:PORT", struct arguments, metrics, "HTTP: /metrics and /healthz"),
    CLI_CHOICE("log", "json none", struct arguments, log, "events on standard output (none)"),
    CLI_FLAG("log-addresses", struct arguments, addresses, "the log may name addresses"),
    CLI_FLAG("check-config", struct arguments, check, "only look whether all of it is right"),
    CLI_FLAG("print-config", struct arguments, print,
             "only show what is in force, without secrets"),
    CLI_TEXT("explain-policy", "ADDR[:PORT]", struct arguments, explain,
             "only tell whether this peer would be allowed, and why"),
    CLI_INTEGER("ttl", "SECONDS", 1, 315360000, struct arguments, ttl,
                "credentials: how long they are valid (86400)"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "turn",
    .synopsis = "[credentials] --user NAME:PASSWORD|--secret TEXT [--listen ADDR:PORT] [options]",
    .summary = "Serves STUN and TURN until Ctrl-C, or mints ephemeral credentials.",
    .details = "Signals: HUP reads --config again, TERM drains (HUP takes it back), INT ends.\n"
               "Exit codes: 0 ended by a signal, 1 could not start, 2 wrong command line.",
    .options = options,
    .arguments_max = 1,
};

struct turning {
    struct arguments arguments;
    struct serve_config config;
    struct ln_rng rng;
    struct ln_env env;
    struct turn_redis *redis; /* once it serves, if users come from there */
    struct turn_plan plan;
    struct ln_turn_service *service;
    struct ln_http_loop *loop;
    struct ln_http_server *http;
    struct ln_thread http_thread;
    struct turn_keeper keeper;
};

/* ------------------------------------------------------------------ settings */

static void add_all(struct turn_texts *list, const struct cli_texts *given, bool replace)
{
    if (given->count > 0 && replace)
        list->count = 0;
    for (size_t i = 0; i < given->count && list->count < TURN_TEXTS_MAX; i++)
        list->items[list->count++] = given->items[i];
}

/* The command line over the file over the defaults. Returns 0 or the exit code. */
static int settle(struct turning *t, struct serve_config *config)
{
    const struct arguments *a = &t->arguments;
    struct turn_settings *s = &config->turn;
    char dummy;

    if (serve_config_load(config, a->config, a->certificate, a->key, stderr) != 0)
        return CLI_EXIT_FAILED;
    add_all(&s->listen, &a->listen, true);
    add_all(&s->relay, &a->relay, true);
    add_all(&s->users, &a->users, false);
    add_all(&s->secrets, &a->secrets, false);
    add_all(&s->allow_peers, &a->allow, false);
    add_all(&s->deny_peers, &a->deny, false);
    s->tcp_relay |= a->tcp_relay;
    if (a->realm)
        s->realm = a->realm;
    if (a->database)
        s->users_database = a->database;
    if (a->redis)
        s->users_redis = a->redis;
    if (a->redis_password)
        s->redis_password = a->redis_password;
    if (a->check_stun)
        s->check_stun = a->check_stun;
    if (a->shared_ports)
        s->shared_ports = a->shared_ports;
    if (a->workers)
        s->workers = a->workers;
    if (a->ports && (sscanf(a->ports, "%ld-%ld%c", &s->port_min, &s->port_max, &dummy) != 2 ||
                     s->port_min < 1 || s->port_max > 65535 || s->port_min > s->port_max)) {
        fprintf(stderr, "linnet turn: --ports takes a range as 49152-65535, not \"%s\"\n",
                a->ports);
        return CLI_EXIT_USAGE;
    }
    if (!turn_settings_usable(s) && !a->explain && !a->print) {
        fprintf(stderr, "linnet turn: nobody could use it; give --user NAME:PASSWORD or --secret "
                        "TEXT\n");
        return CLI_EXIT_USAGE;
    }
    return 0;
}

static int make_plan(struct turning *t, struct turn_plan *plan, const struct serve_config *config)
{
    struct ln_address any = ln_address_ipv4(0, 0, 0, 0, 3478);

    if (turn_plan_make(plan, &config->turn, &any, 1, t->redis, &t->env, stderr) != 0)
        return CLI_EXIT_FAILED;
    plan->config.turn.per_second = (uint32_t)config->stun_per_second;
    plan->config.turn.burst = (uint32_t)config->stun_burst;
    if (turn_plan_read_certificate(plan, config->certificate, config->key, stderr) == 0)
        return 0;
    turn_plan_free(plan);
    return CLI_EXIT_FAILED;
}

/* ------------------------------------------------------------------ without serving */

static int mint(const struct turning *t)
{
    const struct arguments *a = &t->arguments;
    char memory[LN_TURN_SECRET_MAX + 2], name[LN_TURN_NAME_MAX + 1];
    char password[LN_STUN_EPHEMERAL_PASSWORD_MAX];
    long ttl = a->ttl ? a->ttl : TTL_DEFAULT;
    const char *secret;

    if (a->secrets.count != 1 || a->users.count > 1) {
        fprintf(stderr, "linnet turn: credentials takes one --secret, and at most one --user\n");
        return CLI_EXIT_USAGE;
    }
    secret = turn_secret_text(a->secrets.items[0], memory, sizeof memory, stderr);
    if (!secret)
        return CLI_EXIT_FAILED;
    if (ln_stun_ephemeral_make(secret, a->users.count ? a->users.items[0] : NULL,
                               (int64_t)time(NULL) + ttl, name, sizeof name, password) != 0) {
        fprintf(stderr, "linnet turn: the user's name is too long\n");
        return CLI_EXIT_FAILED;
    }
    printf("username    %s\ncredential  %s\n", name, password);
    ln_wipe(memory, sizeof memory);
    return 0;
}

static int explain(struct turning *t)
{
    struct ln_turn_policy *policy = &t->plan.config.policy;
    const struct ln_turn_config *turn = &t->plan.config.turn;
    struct ln_turn_verdict verdict;
    struct ln_address peer;
    char text[LN_ADDRESS_TEXT_MAX];

    if (ln_address_parse(t->arguments.explain, &peer) != 0) {
        fprintf(stderr, "linnet turn: --explain-policy takes an address, not \"%s\"\n",
                t->arguments.explain);
        return CLI_EXIT_USAGE;
    }
    policy->own_count = ln_turn_own_addresses(policy->own);
    for (size_t i = 0; i < turn->relay_count && policy->own_count < LN_TURN_OWN_MAX; i++)
        if (turn->relays[i].external.family)
            policy->own[policy->own_count++] = turn->relays[i].external;
    policy->listening_count = t->plan.config.turn.listen_count;
    for (size_t i = 0; i < policy->listening_count; i++)
        policy->listening[i] = t->plan.listen[i].address;
    verdict = ln_turn_policy_check(policy, &peer);
    printf("%s: %s: %s", t->arguments.explain, verdict.allowed ? "allowed" : "refused",
           ln_turn_class_text(verdict.kind));
    if (verdict.prefix)
        printf(", by the rule %s/%u", ln_address_format_ip(&verdict.prefix->address, text),
               verdict.prefix->length);
    printf("\n");
    return 0;
}

/* ------------------------------------------------------------------ serving */

static void log_event(void *ctx, const struct ln_turn_event *event)
{
    const struct turning *t = ctx;

    turn_log_event(stdout, event, t->arguments.addresses);
    fflush(stdout);
}

static bool logs_json(const struct turning *t)
{
    return t->arguments.log && strcmp(t->arguments.log, "json") == 0;
}

static void tell_check(void *ctx, const struct self_test_result *result)
{
    const struct turning *t = ctx;

    self_test_print(stdout, result);
    if (logs_json(t))
        turn_log_check(stdout, result, t->arguments.addresses);
}

/* What fails is told, and serving begins all the same. */
static void check_itself(struct turning *t)
{
    const struct self_test test = { .service = t->service,
                                    .listen = t->plan.listen,
                                    .listen_count = t->plan.config.turn.listen_count,
                                    .relays = true,
                                    .secure = t->plan.config.certificate_pem.len > 0,
                                    .outside = t->config.turn.check_stun,
                                    .tell = tell_check,
                                    .ctx = t };

    (void)self_test_run(&test, &t->env);
}

static int start(struct turning *t)
{
    char text[LN_ADDRESS_TEXT_MAX];
    size_t failed = 0;
    int error;

    if (logs_json(t)) {
        t->plan.config.event = log_event;
        t->plan.config.ctx = t;
    }
    error = ln_turn_service_start(&t->service, &t->plan.config, t->plan.credentials, &failed);
    t->plan.credentials = NULL;
    if (!error)
        return 0;
    ln_address_format(&t->plan.listen[failed].address, text);
    if (error == LN_ERR_ADDRESS_IN_USE)
        fprintf(stderr,
                "linnet turn: %s is in use; end the other program or choose another with --listen "
                "ADDR:PORT\n",
                text);
    else if (error == LN_ERR_SYNTAX || error == LN_ERR_INVALID_ACCESS)
        fprintf(stderr, "linnet turn: certificate and key are not valid PEM, or do not belong "
                        "together; look at --tls-cert and --tls-key\n");
    else if (error == LN_ERR_NOT_FOUND && t->plan.config.turn.relay_count == 0)
        fprintf(stderr, "linnet turn: this machine has no address to relay from; give one with "
                        "--relay ADDR\n");
    else
        fprintf(stderr, "linnet turn: on %s: %s\n", text, ln_error_sentence(error));
    return CLI_EXIT_FAILED;
}

/* The same ports take TLS and DTLS. */
static void print_certificate(const struct turning *t)
{
    time_t expires = (time_t)(ln_turn_service_certificate_expires_ms(t->service) / 1000);
    struct tm parts;
    char text[32];

    gmtime_r(&expires, &parts);
    strftime(text, sizeof text, "%Y-%m-%d", &parts);
    printf("  tls    turns: at the same ports, with a certificate that is valid until %s\n", text);
}

static void print_start(struct turning *t)
{
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    size_t count = ln_turn_service_relays(t->service, relays);
    char text[LN_ADDRESS_TEXT_MAX];

    printf("linnet %s relays, realm %s\n", LINNET_VERSION, t->config.turn.realm);
    for (size_t i = 0; i < t->plan.config.turn.listen_count; i++) {
        struct ln_address address = ln_turn_service_listening(t->service, i);

        printf("  turn   turn:%s?transport=%s\n", ln_address_format(&address, text),
               t->plan.listen[i].stream ? "tcp" : "udp");
    }
    if (t->plan.config.certificate_pem.len > 0)
        print_certificate(t);
    for (size_t i = 0; i < count; i++) {
        printf("  relay  %s", ln_address_format_ip(&relays[i].bind, text));
        if (relays[i].external.family)
            printf(", told as %s", ln_address_format_ip(&relays[i].external, text));
        printf(", ports %ld to %ld", t->config.turn.port_min, t->config.turn.port_max);
        if (t->config.turn.shared_ports)
            printf(", %ld of them shared", t->config.turn.shared_ports);
        printf("\n");
    }
    fflush(stdout);
    check_itself(t);
    printf("Ctrl-C ends it.\n");
    fflush(stdout);
}

static void serve_metrics(void *ctx, const struct ln_http_request *request,
                          struct ln_http_response *response)
{
    static char text[TURN_METRICS_MAX]; /* of the one thread that serves HTTP */
    struct ln_metrics_text out = { text, sizeof text, 0 };
    struct turning *t = ctx;

    (void)request;
    text[0] = '\0';
    turn_metrics_write(&out, t->service, t->redis);
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4";
    response->body = text;
    response->body_len = out.len;
}

static void serve_health(void *ctx, const struct ln_http_request *request,
                         struct ln_http_response *response)
{
    const struct turning *t = ctx;

    (void)request;
    response->status = t->keeper.draining ? 503 : 200;
    response->content_type = "text/plain";
    response->body = t->keeper.draining ? "draining\n" : "ok\n";
    response->body_len = strlen(response->body);
}

static void run_http(void *ctx)
{
    ln_http_loop_run(((struct turning *)ctx)->loop);
}

static int start_metrics(struct turning *t)
{
    static const struct ln_http_route routes[] = { { "/metrics", serve_metrics },
                                                   { "/healthz", serve_health } };
    struct ln_http_loop_config loop = { ln_allocator_libc(), NULL, NULL };
    struct ln_http_server_config config;
    int error;

    if (!t->arguments.metrics)
        return 0;
    ln_http_server_config_init(&config);
    if (ln_address_parse(t->arguments.metrics, &config.listen) != 0) {
        fprintf(stderr, "linnet turn: --metrics takes an address as 127.0.0.1:9641, not \"%s\"\n",
                t->arguments.metrics);
        return CLI_EXIT_USAGE;
    }
    config.routes = routes;
    config.route_count = sizeof routes / sizeof *routes;
    config.ctx = t;
    error = ln_http_loop_create(&t->loop, &loop);
    if (!error)
        error = ln_http_server_create(&t->http, t->loop, &config);
    if (!error)
        error = ln_thread_start(&t->http_thread, "metrics", run_http, t);
    if (error)
        fprintf(stderr, "linnet turn: metrics on %s: %s; choose another address with --metrics\n",
                t->arguments.metrics, ln_error_sentence(error));
    return error ? CLI_EXIT_FAILED : 0;
}

static int read_again(void *ctx, struct serve_config *config, struct turn_plan *plan)
{
    struct turning *t = ctx;
    int code = settle(t, config);

    return code ? code : make_plan(t, plan, config);
}

/* Returns when it is time to end. */
static void wait_for_signals(struct turning *t, const sigset_t *signals)
{
    struct timespec period = { .tv_nsec = 100000000 };
    int signal;

    do
        signal = t->keeper.draining ? sigtimedwait(signals, NULL, &period)
                                    : sigwaitinfo(signals, NULL);
    while (!turn_keeper_signal(&t->keeper, signal > 0 ? signal : 0));
}

static int serve(struct turning *t)
{
    sigset_t signals;
    int code;

    sigemptyset(&signals);
    for (int i = 0; i < TURN_KEEPER_SIGNALS; i++)
        sigaddset(&signals, turn_keeper_signals[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    code = start(t);
    t->keeper = (struct turn_keeper){ .name = "linnet turn",
                                      .service = t->service,
                                      .read = read_again,
                                      .ctx = t,
                                      .redis = t->redis,
                                      .env = &t->env,
                                      .config = &t->config };
    if (!code)
        code = start_metrics(t);
    if (!code) {
        print_start(t);
        turn_keeper_watch_users(&t->keeper);
        wait_for_signals(t, &signals);
    }
    if (t->loop)
        ln_http_loop_stop(t->loop);
    ln_thread_join(&t->http_thread);
    ln_http_server_free(t->http);
    ln_http_loop_free(t->loop);
    ln_turn_service_stop(t->service);
    return code;
}

int cli_turn(int argc, char **argv)
{
    static struct turning t;
    struct cli_words words = { .count = 0 };
    int code;

    switch (cli_parse(&command, argc, argv, &t.arguments, &words)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (words.count > 0 && strcmp(words.items[0], "credentials") != 0) {
        fprintf(stderr, "linnet turn: there is no \"%s\"; did you mean credentials?\n",
                words.items[0]);
        return CLI_EXIT_USAGE;
    }
    if (words.count > 0)
        return mint(&t);
    ln_crypto_rng(&t.rng);
    t.env = (struct ln_env){ .allocator = ln_allocator_libc(), .rng = &t.rng };
    code = settle(&t, &t.config);
    if (!code && !t.arguments.explain && !t.arguments.print && !t.arguments.check)
        code = turn_redis_open(&t.redis, &t.config.turn, "linnet turn", stderr) == 0
                   ? 0
                   : CLI_EXIT_FAILED;
    if (!code)
        code = make_plan(&t, &t.plan, &t.config);
    if (!code && t.arguments.explain)
        code = explain(&t);
    else if (!code && t.arguments.print)
        turn_settings_print(&t.config.turn, stdout);
    else if (!code && t.arguments.check)
        printf("the configuration is right\n");
    else if (!code)
        code = serve(&t);
    turn_redis_stop(t.redis);
    turn_plan_free(&t.plan);
    serve_config_free(&t.config);
    return code;
}
