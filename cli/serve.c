/* SPDX-License-Identifier: Apache-2.0
 * `linnet serve`: pages, signalling, STUN and TURN in one process.
 *
 * The main thread is the control loop (HTTP, WebSockets, rooms), STUN and TURN have threads of
 * their own. Every failure to start is one sentence with what to do about it, and exit code 1. */
#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/guest.h"
#include "cli/options.h"
#include "cli/page.h"
#include "cli/self_test.h"
#include "cli/turn_metrics.h"
#include "cli/turn_settings.h"
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "crypto/rng.h"
#include "io/sockaddr.h"
#include "stun/ephemeral.h"

#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HTTP_PORT 8080
#define STUN_PORT 3478
/* The page takes nothing from elsewhere; pictures and sound come as streams. */
#define SECURITY_POLICY                                                                            \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "media-src 'self' blob: mediastream:; connect-src 'self' ws: wss:; base-uri 'none'; "          \
    "form-action 'none'; frame-ancestors 'self'"

struct arguments {
    bool dev, studio;
    const char *listen, *tls_cert, *tls_key, *config, *stun;
};

static const struct cli_option options[] = {
    CLI_FLAG("dev", struct arguments, dev,
             "for development: 127.0.0.1 unless --listen says otherwise, then with a certificate"),
    CLI_FLAG("studio", struct arguments, studio,
             "with a participant in the room demo: test picture, tone, a chat that echoes"),
    CLI_TEXT("listen", "ADDR:PORT", struct arguments, listen,
             "where pages and signalling are served (0.0.0.0:8080)"),
    CLI_TEXT("tls-cert", "FILE", struct arguments, tls_cert, "HTTPS: the certificate, in PEM"),
    CLI_TEXT("tls-key", "FILE", struct arguments, tls_key, "HTTPS: its private key, in PEM"),
    CLI_TEXT("stun", "ADDR:PORT|none", struct arguments, stun,
             "the STUN server (the address of --listen, UDP port 3478)"),
    CLI_TEXT("config", "FILE", struct arguments, config, "YAML, as docs/linnet.yaml shows"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "serve",
    .synopsis = "[--dev] [--studio] [--listen ADDR:PORT] [--tls-cert FILE --tls-key FILE] [--stun "
                "ADDR:PORT|none] [--config FILE]",
    .summary = "Serves the page, the signalling of rooms and STUN, until Ctrl-C.",
    .details =
        "Paths: / the page, /receive files, /linnet.js the browser library, /ws signalling,\n"
        "/healthz, /metrics (Prometheus). Exit codes: 0 ended by a signal, 1 could not start, 2 "
        "wrong\n"
        "command line.",
    .options = options,
};

struct serving {
    struct arguments arguments;
    struct serve_config config;
    struct ln_address listen, stun_listen, stun_bound;
    bool tls, own_certificate, stun_wanted;
    struct ln_rng rng;
    struct ln_env env;
    char *certificate_pem;
    struct ln_turn_service *turn; /* STUN alone, or TURN as well */
    bool turn_wanted, turn_secure;
    struct ln_turn_listen turn_listen[LN_TURN_LISTEN_MAX];
    size_t turn_listen_count;
    char turn_secret[LN_TURN_SECRET_MAX + 2];
    uint16_t turn_tcp_port;
    struct studio *studio;
    struct ln_http_loop *loop;
    struct ln_signal_service *service;
};

/* ------------------------------------------------------------------ settings */

static int parse_address(const char *option, const char *text, uint16_t default_port,
                         struct ln_address *ret_address)
{
    struct ln_address address;
    const char *port = strrchr(text, ':');

    if (ln_address_parse(text, &address) != 0) {
        fprintf(stderr,
                "linnet serve: %s takes an address as 127.0.0.1:8080 or [::1]:8080, not \"%s\"\n",
                option, text);
        return CLI_EXIT_USAGE;
    }
    /* "1.2.3.4:0" asks for any port, "1.2.3.4" for the usual one */
    if (address.port == 0 && !(port && strcmp(port, ":0") == 0 && strchr("]0123456789", port[-1])))
        address.port = default_port;
    *ret_address = address;
    return 0;
}

static int choose_tls(struct serving *s)
{
    const char *certificate = s->config.certificate, *key = s->config.key;

    if ((certificate == NULL) != (key == NULL)) {
        fprintf(stderr, "linnet serve: %s is given, %s is missing; HTTPS needs both\n",
                certificate ? "a certificate" : "a key",
                certificate ? "its key (--tls-key)" : "its certificate (--tls-cert)");
        return CLI_EXIT_USAGE;
    }
    s->own_certificate = !certificate && s->arguments.dev && !ln_address_is_loopback(&s->listen);
    s->tls = certificate || s->own_certificate;
    return 0;
}

/* Command line over file over defaults. Returns 0 or the exit code. */
static int settle(struct serving *s)
{
    const struct arguments *a = &s->arguments;
    struct serve_config *c = &s->config;
    int error;

    serve_config_init(c);
    if (a->config && serve_config_read(c, a->config, stderr) != 0)
        return CLI_EXIT_FAILED;
    if (a->listen)
        c->listen = a->listen;
    if (a->tls_cert)
        c->certificate = a->tls_cert;
    if (a->tls_key)
        c->key = a->tls_key;
    if (a->stun)
        c->stun_listen = a->stun;
    if (!c->listen)
        c->listen = a->dev ? "127.0.0.1" : "0.0.0.0";
    error = parse_address("--listen", c->listen, HTTP_PORT, &s->listen);
    if (error)
        return error;
    s->stun_wanted = !c->stun_listen || strcmp(c->stun_listen, "none") != 0;
    if (s->stun_wanted && c->stun_listen) {
        error = parse_address("--stun", c->stun_listen, STUN_PORT, &s->stun_listen);
        if (error)
            return error;
    } else {
        s->stun_listen = s->listen;
        s->stun_listen.port = STUN_PORT;
    }
    return choose_tls(s);
}

/* ------------------------------------------------------------------ starting */

static int failed(const char *what, const struct ln_address *address, int error, const char *option)
{
    char text[LN_ADDRESS_TEXT_MAX];

    ln_address_format(address, text);
    switch (error) {
    case LN_ERR_ADDRESS_IN_USE:
        fprintf(stderr,
                "linnet serve: %s: %s is in use; end the other program or choose another with %s "
                "ADDR:PORT\n",
                what, text, option);
        break;
    case LN_ERR_NOT_ALLOWED:
        fprintf(
            stderr,
            "linnet serve: %s: %s needs more rights; choose a port from 1024 with %s ADDR:PORT\n",
            what, text, option);
        break;
    case LN_ERR_NOT_FOUND:
    case LN_ERR_UNREACHABLE:
        fprintf(stderr,
                "linnet serve: %s: this machine has no address %s; choose one with %s ADDR:PORT "
                "(0.0.0.0 means all)\n",
                what, text, option);
        break;
    case LN_ERR_NOT_READABLE:
        fprintf(stderr, "linnet serve: the certificate or its key cannot be read; look at "
                        "--tls-cert and --tls-key\n");
        break;
    case LN_ERR_CRYPTO:
        fprintf(stderr, "linnet serve: certificate and key are not valid PEM, or do not belong "
                        "together; look at --tls-cert and --tls-key\n");
        break;
    default:
        fprintf(stderr, "linnet serve: %s on %s: %s\n", what, text, ln_error_sentence(error));
    }
    return CLI_EXIT_FAILED;
}

static int make_certificate(struct serving *s)
{
    struct ln_certificate *certificate = NULL;
    struct ln_crypto *crypto = NULL;
    int error = ln_crypto_create(&crypto, ln_allocator_libc());

    if (!error)
        error = ln_certificate_generate(&certificate, LN_KEY_ECDSA_P256, (int64_t)time(NULL) * 1000,
                                        0, crypto);
    if (!error)
        error = ln_certificate_export(certificate, &s->certificate_pem);
    ln_certificate_unref(certificate);
    ln_crypto_free(crypto);
    if (error)
        fprintf(stderr, "linnet serve: no certificate could be made: %s\n",
                ln_error_sentence(error));
    return error ? CLI_EXIT_FAILED : 0;
}

static size_t more_metrics(void *ctx, char *text, size_t cap)
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
        turn_metrics_write(&out, s->turn);
    return out.len;
}

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "linnet serve: %s\n", line);
}

/* What participants are told. */
static void tell_of_turn(const struct serving *s, struct ln_signal_config *signal)
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

static int start_service(struct serving *s)
{
    struct ln_http_loop_config loop = { ln_allocator_libc(),
                                        getenv("LINNET_DEBUG") ? log_line : NULL, NULL };
    struct ln_signal_service_config config;
    int error;

    ln_signal_service_config_init(&config);
    serve_config_apply(&s->config, &config);
    config.http.listen = s->listen;
    config.http.certificate_file = s->own_certificate ? NULL : s->config.certificate;
    config.http.key_file = s->own_certificate ? NULL : s->config.key;
    config.http.certificate_pem = s->certificate_pem;
    config.http.files = cli_page;
    config.http.file_count = cli_page_count;
    config.http.security_policy = SECURITY_POLICY;
    tell_of_turn(s, &config.signal);
    config.more_metrics = more_metrics;
    config.more_metrics_ctx = s;
    error = ln_http_loop_create(&s->loop, &loop);
    if (error) {
        fprintf(stderr, "linnet serve: the HTTP library could not start; is the package "
                        "libwebsockets-evlib-uv installed?\n");
        return CLI_EXIT_FAILED;
    }
    error = ln_http_loop_stop_on_signals(s->loop);
    if (!error)
        error = ln_signal_service_create(&s->service, s->loop, &config, &s->env);
    if (error)
        return failed("pages", &s->listen, error, "--listen");
    s->listen = ln_signal_service_address(s->service);
    return 0;
}

/* With --dev nobody has set up anything: a secret by chance, and peers on this machine. */
static void prepare_dev(struct serving *s)
{
    struct turn_settings *t = &s->config.turn;
    static char secret[33];
    uint8_t bytes[16];

    if (turn_settings_usable(t))
        return;
    ln_rng_bytes(&s->rng, bytes, sizeof bytes);
    t->secrets.items[t->secrets.count++] = ln_hex_encode(bytes, sizeof bytes, secret);
    if (ln_address_is_loopback(&s->stun_listen) && t->allow_peers.count + 2 <= TURN_TEXTS_MAX) {
        t->allow_peers.items[t->allow_peers.count++] = "127.0.0.0/8";
        t->allow_peers.items[t->allow_peers.count++] = "::1";
    }
}

static int make_turn_plan(struct serving *s, struct turn_plan *plan)
{
    struct turn_settings *t = &s->config.turn;
    const char *secret;

    t->listen.count = 0; /* where STUN is */
    if (turn_plan_make(plan, t, &s->stun_listen, &s->env, stderr) != 0)
        return CLI_EXIT_FAILED;
    plan->config.turn.per_second = (uint32_t)s->config.stun_per_second;
    plan->config.turn.burst = (uint32_t)s->config.stun_burst;
    if (!s->turn_wanted) {
        plan->config.turn.listen_count = 1; /* UDP */
        plan->config.workers = 1;
        return 0;
    }
    if (s->own_certificate)
        plan->config.certificate_pem = (struct ln_bytes){ (const uint8_t *)s->certificate_pem,
                                                          strlen(s->certificate_pem) };
    else if (turn_plan_read_certificate(plan, s->config.certificate, s->config.key, stderr) != 0)
        return CLI_EXIT_FAILED;
    if (t->secrets.count == 0)
        return 0;
    secret = turn_secret_text(t->secrets.items[0], s->turn_secret, sizeof s->turn_secret, stderr);
    if (secret && secret != s->turn_secret)
        snprintf(s->turn_secret, sizeof s->turn_secret, "%s", secret);
    return secret ? 0 : CLI_EXIT_FAILED;
}

static int start_stun(struct serving *s)
{
    struct turn_plan plan = { .credentials = NULL };
    size_t failed_listener = 0;
    int error;

    if (!s->stun_wanted)
        return 0;
    if (s->arguments.dev)
        prepare_dev(s);
    s->turn_wanted = turn_settings_usable(&s->config.turn);
    error = make_turn_plan(s, &plan);
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
    if (error)
        return failed("STUN", &s->stun_listen, error, "--stun");
    s->stun_bound = ln_turn_service_listening(s->turn, 0);
    if (s->turn_wanted)
        s->turn_tcp_port = ln_turn_service_listening(s->turn, 1).port;
    return 0;
}

/* ------------------------------------------------------------------ telling */

static void print_url(const struct serving *s, const struct ln_address *address)
{
    char text[LN_ADDRESS_TEXT_MAX];

    printf("  page   %s://%s/\n", s->tls ? "https" : "http", ln_address_format(address, text));
}

/* One line for each address by which the page can be reached. */
static void print_urls(const struct serving *s)
{
    struct ifaddrs *list = NULL;

    if (!ln_address_is_unspecified(&s->listen)) {
        print_url(s, &s->listen);
        return;
    }
    if (getifaddrs(&list) != 0)
        print_url(s, &s->listen);
    for (struct ifaddrs *at = list; at; at = at->ifa_next) {
        struct ln_address address;

        if (!at->ifa_addr || !(at->ifa_flags & IFF_UP))
            continue;
        ln_sockaddr_get((const union ln_sockaddr *)(const void *)at->ifa_addr, &address);
        if (address.family != s->listen.family && s->listen.family != LN_FAMILY_IPV6)
            continue;
        if (address.family == LN_FAMILY_NONE || ln_address_is_link_local(&address))
            continue;
        address.port = s->listen.port;
        print_url(s, &address);
    }
    freeifaddrs(list);
}

/* With --dev also credentials to try it with. */
static void print_turn(const struct serving *s)
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
static void check_itself(const struct serving *s)
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

static void print_start(const struct serving *s)
{
    char text[LN_ADDRESS_TEXT_MAX];

    printf("linnet %s serves\n", LINNET_VERSION);
    print_urls(s);
    if (s->turn)
        printf("  stun   stun:%s\n", ln_address_format(&s->stun_bound, text));
    if (s->turn_wanted)
        print_turn(s);
    fflush(stdout);
    if (s->turn)
        check_itself(s);
    if (s->own_certificate)
        printf("The certificate was made just now: the browser asks once whether to go on.\n");
    if (!s->tls && !ln_address_is_loopback(&s->listen))
        printf("Without HTTPS browsers give camera and microphone only to localhost; see "
               "--tls-cert.\n");
    printf("Ctrl-C ends it.\n");
    fflush(stdout);
}

/* It comes in by the front door, as everybody does. */
static int start_studio(struct serving *s)
{
    char text[LN_ADDRESS_TEXT_MAX], url[LN_ADDRESS_TEXT_MAX + 16];
    struct ln_address address = s->listen;

    if (!s->arguments.studio)
        return 0;
    if (ln_address_is_unspecified(&address)) {
        (void)!ln_address_parse(address.family == LN_FAMILY_IPV6 ? "[::1]" : "127.0.0.1", &address);
        address.port = s->listen.port;
    }
    snprintf(url, sizeof url, "%s://%s/ws", s->tls ? "wss" : "ws",
             ln_address_format(&address, text));
    s->studio = studio_start(url, "demo", true, ln_address_is_loopback(&s->listen));
    if (!s->studio)
        fprintf(stderr, "linnet serve: the studio could not start\n");
    return s->studio ? 0 : CLI_EXIT_FAILED;
}

static void end(struct serving *s)
{
    studio_stop(s->studio);
    ln_signal_service_free(s->service);
    ln_http_loop_free(s->loop);
    ln_turn_service_stop(s->turn);
    ln_wipe(s->turn_secret, sizeof s->turn_secret);
    if (s->certificate_pem) {
        ln_wipe(s->certificate_pem, strlen(s->certificate_pem));
        ln_free(ln_allocator_libc(), s->certificate_pem);
    }
    serve_config_free(&s->config);
}

int cli_serve(int argc, char **argv)
{
    struct serving s = { .arguments = { .dev = false } };
    int code;

    switch (cli_parse(&command, argc, argv, &s.arguments, NULL)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    ln_crypto_rng(&s.rng);
    s.env = (struct ln_env){ ln_allocator_libc(), NULL, &s.rng, NULL };
    code = settle(&s);
    if (!code && s.own_certificate)
        code = make_certificate(&s);
    if (!code)
        code = start_stun(&s);
    if (!code)
        code = start_service(&s);
    if (!code) {
        print_start(&s);
        code = start_studio(&s);
    }
    if (!code)
        ln_http_loop_run(s.loop);
    end(&s);
    return code;
}
