/* SPDX-License-Identifier: Apache-2.0
 * STUN and TURN of `linnet serve`: started beside the pages, read again on SIGHUP, drained on
 * SIGTERM (cli/turn_keeper.h). The control loop carries the signals, so that what participants are
 * told changes on the thread that tells it. */
#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "cli/options.h"
#include "cli/self_test.h"
#include "cli/serve_internal.h"
#include "cli/turn_metrics.h"
#include "cli/turn_redis.h"
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "stun/ephemeral.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_LOOK LN_MILLISECONDS(100) /* how often a drain is looked at */

size_t serve_turn_metrics(void *ctx, char *text, size_t cap)
{
    const struct serving *s = ctx;
    struct ln_metrics_text out = { text, cap, 0 };
    struct ln_turn_counts c;

    if (!s->turn)
        return 0;
    ln_turn_service_counts(s->turn, &c);
    const struct {
        const char *name, *help;
        uint64_t number;
    } rows[] = {
        { "stun_requests_total", "Datagrams received that are no data.",
          c.messages + c.dropped_no_allocation },
        { "stun_answers_total", "Answers sent.", c.answers },
        { "stun_malformed_total", "Datagrams that were no request.",
          c.dropped_malformed + c.dropped_no_allocation },
        { "stun_limited_total", "Requests above the limit of their source.", c.dropped_limited },
        { "stun_received_bytes_total", "Bytes received.", c.message_bytes },
        { "stun_sent_bytes_total", "Bytes sent.", c.answer_bytes },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ln_metrics_head(&out, rows[i].name, "counter", rows[i].help);
        ln_metrics_value(&out, rows[i].name, NULL, NULL, rows[i].number);
    }
    if (s->turn_wanted)
        turn_metrics_write(&out, s->turn, s->redis);
    return out.len;
}

/* What participants are told. */
void serve_turn_tell(const struct serving *s, struct ln_signal_config *signal)
{
    if (!s->turn)
        return;
    signal->stun_port = s->stun_bound.port;
    if (!s->turn_wanted || !s->turn_secret[0])
        return; /* users alone: nothing can be minted */
    signal->turn_secret = s->turn_secret;
    signal->turn_udp_port = s->stun_bound.port;
    signal->turn_tcp_port = s->turn_tcp_port;
    signal->turns_port = s->tls && !s->own_certificate ? s->turn_tcp_port : 0;
    signal->turn_lifetime = LN_SECONDS(s->config.turn.credential_seconds);
}

/* With --dev nobody has set up anything: a secret by chance, and peers on this machine. */
static void prepare_dev(struct serving *s, struct turn_settings *t)
{
    static char secret[33]; /* the same after a reload */
    uint8_t bytes[16];

    if (turn_settings_usable(t))
        return;
    ln_rng_bytes(&s->rng, bytes, sizeof bytes);
    if (!secret[0])
        (void)ln_hex_encode(bytes, sizeof bytes, secret);
    t->secrets.items[t->secrets.count++] = secret;
    if (ln_address_is_loopback(&s->stun_listen) && t->allow_peers.count + 2 <= TURN_TEXTS_MAX) {
        t->allow_peers.items[t->allow_peers.count++] = "127.0.0.0/8";
        t->allow_peers.items[t->allow_peers.count++] = "::1";
    }
}

/* Where STUN and TURN are: with one port for all there, and where STUN was asked for besides. */
static size_t usual_addresses(const struct serving *s, struct ln_address usual[TURN_USUAL_MAX])
{
    size_t count = 0;

    if (!s->one_port || s->stun_given)
        usual[count++] = s->stun_listen;
    if (s->one_port && (count == 0 || !ln_address_equal(&usual[0], &s->listen)))
        usual[count++] = s->listen;
    if (count == 2) { /* what participants are told of is the first */
        usual[0] = s->listen;
        usual[1] = s->stun_listen;
    }
    if (s->one_port && s->listen.family == LN_FAMILY_IPV6 &&
        ln_address_is_unspecified(&s->listen)) /* pages are served by both families there */
        usual[count++] = ln_address_ipv4(0, 0, 0, 0, s->listen.port);
    return count;
}

/* What comes to the one port and is no STUN. On a thread of TURN. */
static void hand_over(void *ctx, int fd, const struct ln_address *remote, bool secure)
{
    struct serving *s = ctx;
    struct ln_signal_service *service = s->door;

    if (service)
        ln_signal_service_hand_over(service, fd, remote, secure);
    else
        close(fd); /* it is only starting */
}

/* For whom is watched; on a thread of TURN. */
static void take_event(void *ctx, const struct ln_turn_event *event)
{
    turn_watch_event(&((struct serving *)ctx)->watch, event);
}

void serve_turn_view(void *ctx, const char *user, struct ln_signal_turn_view *ret_view)
{
    struct serving *s = ctx;

    turn_watch_look(&s->watch, user, ln_http_loop_now(s->loop), ret_view);
}

/* Of TURN, from this configuration; the secret that is to sign for participants in next_secret. The
 * plan is to be freed in any case. */
static int make_turn_plan(struct serving *s, struct serve_config *config, struct turn_plan *plan)
{
    struct turn_settings *t = &config->turn;
    const char *secret;

    struct ln_address usual[TURN_USUAL_MAX];
    size_t usual_count = usual_addresses(s, usual);

    t->listen.count = 0; /* where STUN is */
    if (turn_plan_make(plan, t, usual, usual_count, s->redis, &s->env, stderr) != 0)
        return CLI_EXIT_FAILED;
    plan->config.turn.per_second = (uint32_t)config->stun_per_second;
    plan->config.turn.burst = (uint32_t)config->stun_burst;
    plan->config.event = take_event;
    plan->config.ctx = s;
    if (!s->turn_wanted && !s->one_port) {
        plan->config.turn.listen_count = 1; /* UDP */
        plan->config.workers = 1;
        return 0;
    }
    if (s->one_port) {
        plan->config.take = hand_over;
        plan->config.take_ctx = s;
    }
    if (s->own_certificate && s->certificate_pem)
        plan->config.certificate_pem = (struct ln_bytes){ (const uint8_t *)s->certificate_pem,
                                                          strlen(s->certificate_pem) };
    else if (turn_plan_read_certificate(plan, config->certificate, config->key, stderr) != 0)
        return CLI_EXIT_FAILED;
    if (t->secrets.count == 0)
        return 0;
    secret = turn_secret_text(t->secrets.items[0], s->next_secret, sizeof s->next_secret, stderr);
    if (secret && secret != s->next_secret)
        snprintf(s->next_secret, sizeof s->next_secret, "%s", secret);
    return secret ? 0 : CLI_EXIT_FAILED;
}

/* ------------------------------------------------------------------ signals */

static int read_again(void *ctx, struct serve_config *config, struct turn_plan *plan)
{
    struct serving *s = ctx;
    const struct serve_arguments *a = &s->arguments;

    if (serve_config_load(config, a->config, a->tls_cert, a->tls_key, stderr) != 0)
        return CLI_EXIT_FAILED;
    if (a->dev)
        prepare_dev(s, &config->turn);
    if (turn_settings_usable(&config->turn) != s->turn_wanted ||
        (s->turn_secret[0] && config->turn.secrets.count == 0)) {
        fprintf(stderr, "linnet serve: TURN, and the secret of its participants, are switched on "
                        "and off by a restart only\n");
        return CLI_EXIT_FAILED;
    }
    if (make_turn_plan(s, config, plan) == 0)
        return 0;
    turn_plan_free(plan);
    return CLI_EXIT_FAILED;
}

/* The pages' own TLS, where they have one. Returns 0 or an error after one sentence. */
static int reload_pages(struct serving *s, const struct serve_config *config)
{
    struct ln_http_server_config http = { .certificate_file = config->certificate,
                                          .key_file = config->key };
    int error;

    if (!s->tls || s->own_certificate || s->one_port)
        return 0;
    error = ln_signal_service_reload(s->service, &http);
    if (error)
        fprintf(stderr,
                "linnet serve: the pages' certificate and key: %s; what was in force stays "
                "in force\n",
                ln_error_sentence(error));
    return error;
}

/* Without TURN there is but the certificate. */
static void reload_certificate(struct serving *s)
{
    const struct serve_arguments *a = &s->arguments;
    struct serve_config config;

    if (!s->tls || s->own_certificate)
        fprintf(stderr, "linnet serve: a certificate and what TURN needs are read again, and there "
                        "is neither here\n");
    else if (serve_config_load(&config, a->config, a->tls_cert, a->tls_key, stderr) != 0)
        fprintf(stderr, "linnet serve: what was in force stays in force\n");
    else if (reload_pages(s, &config) == 0)
        fprintf(stderr, "linnet serve: the certificate was read again\n");
    if (s->tls && !s->own_certificate)
        serve_config_free(&config);
}

/* Participants get their credentials from the secret that is in force. */
static void reloaded(void *ctx)
{
    struct serving *s = ctx;

    (void)reload_pages(s, &s->turn_config);
    if (s->turn_secret[0])
        memcpy(s->turn_secret, s->next_secret, sizeof s->turn_secret);
}

static void on_signal(void *ctx, int number)
{
    struct serving *s = ctx;

    if (!s->turn_wanted && !s->one_port) {
        if (number == SIGHUP)
            reload_certificate(s);
        else if (number != SIGUSR1) /* there are no users */
            ln_http_loop_stop(s->loop);
        return;
    }
    if (turn_keeper_signal(&s->keeper, number))
        ln_http_loop_stop(s->loop);
    ln_signal_service_drain(s->service, s->keeper.draining);
    ln_http_timer_set(s->drain_timer,
                      s->keeper.draining ? ln_http_loop_now(s->loop) + DRAIN_LOOK : LN_TIME_NEVER);
}

static void look_at_drain(void *ctx)
{
    on_signal(ctx, 0);
}

int serve_turn_watch_signals(struct serving *s)
{
    int error = ln_http_timer_create(&s->drain_timer, s->loop, look_at_drain, s);

    s->keeper = (struct turn_keeper){ .name = "linnet serve",
                                      .service = s->turn,
                                      .read = read_again,
                                      .reloaded = reloaded,
                                      .ctx = s,
                                      .redis = s->redis,
                                      .env = &s->env,
                                      .config = &s->turn_config };
    if (!error)
        error = ln_http_loop_watch_signals(s->loop, turn_keeper_signals, TURN_KEEPER_SIGNALS,
                                           on_signal, s);
    if (!error)
        turn_keeper_watch_users(&s->keeper);
    return error;
}

/* Whether certificate and key are right, and belong together. */
static int try_certificate(struct serving *s, const struct turn_plan *plan)
{
    struct ln_certificate *certificate = NULL;
    struct ln_crypto *crypto = NULL;
    int error;

    if (plan->config.certificate_pem.len == 0)
        return 0;
    error = ln_crypto_create(&crypto, ln_allocator_libc());
    if (!error)
        error = ln_certificate_import(&certificate, plan->config.certificate_pem,
                                      plan->config.key_pem, crypto);
    ln_certificate_unref(certificate);
    ln_crypto_free(crypto);
    return error ? serve_failed("pages", &s->listen, LN_ERR_CRYPTO, "--listen") : 0;
}

int serve_turn_check_config(struct serving *s)
{
    struct turn_plan plan = { .credentials = NULL };
    int code;

    if (s->arguments.dev)
        prepare_dev(s, &s->config.turn);
    s->turn_wanted = s->stun_wanted && turn_settings_usable(&s->config.turn);
    code = make_turn_plan(s, &s->config, &plan);
    if (!code && !s->turn_wanted && !s->one_port) /* it was not looked at */
        code = turn_plan_read_certificate(&plan, s->config.certificate, s->config.key, stderr) == 0
                   ? 0
                   : CLI_EXIT_FAILED;
    if (!code)
        code = try_certificate(s, &plan);
    turn_plan_free(&plan);
    return code;
}

int serve_turn_start(struct serving *s)
{
    struct turn_plan plan = { .credentials = NULL };
    size_t failed_listener = 0;
    int error;

    if (!s->stun_wanted)
        return 0;
    if (s->arguments.dev)
        prepare_dev(s, &s->config.turn);
    s->turn_wanted = turn_settings_usable(&s->config.turn);
    if (turn_redis_open(&s->redis, &s->config.turn, "linnet serve", stderr) != 0)
        return CLI_EXIT_FAILED;
    error = make_turn_plan(s, &s->config, &plan);
    if (error) {
        turn_plan_free(&plan);
        return error;
    }
    s->turn_listen_count = plan.config.turn.listen_count;
    memcpy(s->turn_listen, plan.listen, sizeof s->turn_listen);
    s->turn_secure = plan.config.certificate_pem.len > 0;
    error = ln_turn_service_start(&s->turn, &plan.config, plan.credentials, &failed_listener);
    plan.credentials = NULL;
    turn_plan_free(&plan);
    memcpy(s->turn_secret, s->next_secret, sizeof s->turn_secret);
    s->turn_config = s->config;
    s->turn_config.texts = NULL; /* they stay with the first */
    if (error == LN_ERR_SYNTAX || error == LN_ERR_INVALID_ACCESS)
        error = LN_ERR_CRYPTO; /* as of the pages' certificate */
    if (error && s->one_port && failed_listener < s->turn_listen_count)
        return serve_failed("one port for all", &s->turn_listen[failed_listener].address, error,
                            "--listen");
    if (error)
        return serve_failed("STUN", &s->stun_listen, error, "--stun");
    s->stun_bound = ln_turn_service_listening(s->turn, 0);
    if (s->turn_wanted || s->one_port)
        s->turn_tcp_port = ln_turn_service_listening(s->turn, 1).port;
    return 0;
}

/* With --dev also credentials to try it with. */
void serve_turn_print(const struct serving *s)
{
    char text[LN_ADDRESS_TEXT_MAX], name[64], password[LN_STUN_EPHEMERAL_PASSWORD_MAX];

    printf("  turn   turn:%s, also over TCP at port %u", ln_address_format(&s->stun_bound, text),
           s->turn_tcp_port);
    if (s->arguments.dev && s->turn_secret[0] &&
        ln_stun_ephemeral_make(s->turn_secret, "dev",
                               (int64_t)time(NULL) + s->config.turn.credential_seconds, name,
                               sizeof name, password) == 0)
        printf("; user %s password %s", name, password);
    printf("\n");
}

static void tell_check(void *ctx, const struct self_test_result *result)
{
    (void)ctx;
    self_test_print(stdout, result);
}

/* STUN and TURN run already; pages are served once the loop does. */
void serve_turn_check(const struct serving *s)
{
    const struct self_test test = { .service = s->turn,
                                    .listen = s->turn_listen,
                                    .listen_count = s->turn_listen_count,
                                    .relays = s->turn_wanted,
                                    .secure = s->turn_secure,
                                    .outside = s->config.turn.check_stun,
                                    .tell = tell_check };

    (void)self_test_run(&test, &s->env);
}
