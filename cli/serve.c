/* SPDX-License-Identifier: Apache-2.0
 * `linnet serve`: pages, signalling, STUN and TURN in one process.
 *
 * The main thread is the control loop (HTTP, WebSockets, rooms), STUN and TURN have threads of
 * their own. SIGHUP and SIGTERM mean what they mean to `linnet turn`. Every failure to start is one
 * sentence with what to do about it, and exit code 1. */
#include "base/address.h"
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/page.h"
#include "cli/serve_internal.h"
#include "cli/turn_redis.h"
#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "crypto/rng.h"
#include "io/sockaddr.h"

#include <ifaddrs.h>
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

static const struct cli_option options[] = {
    CLI_FLAG("dev", struct serve_arguments, dev,
             "for development: 127.0.0.1 unless --listen says otherwise, then with a certificate"),
    CLI_FLAG("studio", struct serve_arguments, studio,
             "with a participant in the room demo: test picture, tone, a chat that echoes"),
    CLI_TEXT("listen", "ADDR:PORT", struct serve_arguments, listen,
             "where pages and signalling are served (0.0.0.0:8080)"),
    CLI_TEXT("tls-cert", "FILE", struct serve_arguments, tls_cert,
             "HTTPS: the certificate, in PEM"),
    CLI_TEXT("tls-key", "FILE", struct serve_arguments, tls_key, "HTTPS: its private key, in PEM"),
    CLI_TEXT("stun", "ADDR:PORT|none", struct serve_arguments, stun,
             "the STUN server (the address of --listen, UDP port 3478)"),
    CLI_FLAG("one-port", struct serve_arguments, one_port,
             "STUN and TURN at the address and port of --listen too, over UDP, TCP, TLS and DTLS"),
    CLI_FLAG("check-config", struct serve_arguments, check, "only look whether all of it is right"),
    CLI_TEXT("config", "FILE", struct serve_arguments, config, "YAML, as docs/linnet.yaml shows"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "serve",
    .synopsis = "[--dev] [--studio] [--listen ADDR:PORT] [--tls-cert FILE --tls-key FILE] "
                "[--one-port] [--stun ADDR:PORT|none] [--config FILE] [--check-config]",
    .summary = "Serves the page, the signalling of rooms and STUN, until Ctrl-C.",
    .details =
        "Paths: / the page, /receive files, /linnet.js the browser library, /ws signalling,\n"
        "/healthz, /metrics (Prometheus). Exit codes: 0 ended by a signal, 1 could not start, 2 "
        "wrong\n"
        "command line.",
    .options = options,
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

/* Where STUN is, and whether that is where the pages are. */
static int choose_stun(struct serving *s)
{
    const char *stun = s->config.stun_listen;
    int error;

    s->one_port = s->arguments.one_port || s->config.one_port;
    s->stun_wanted = !stun || strcmp(stun, "none") != 0;
    s->stun_given = s->stun_wanted && stun;
    s->stun_listen = s->listen;
    s->stun_listen.port = STUN_PORT;
    if (s->stun_given) {
        error = parse_address("--stun", stun, STUN_PORT, &s->stun_listen);
        if (error)
            return error;
    }
    if (!s->one_port || (s->stun_wanted && s->listen.port != 0))
        return 0;
    fprintf(stderr, "linnet serve: one port for all needs %s\n",
            s->stun_wanted ? "a port that is not 0 (--listen ADDR:PORT)"
                           : "a STUN server; leave \"none\" out");
    return CLI_EXIT_USAGE;
}

/* Command line over file over defaults. Returns 0 or the exit code. */
static int settle(struct serving *s)
{
    const struct serve_arguments *a = &s->arguments;
    struct serve_config *c = &s->config;
    int error;

    if (serve_config_load(c, a->config, a->tls_cert, a->tls_key, stderr) != 0)
        return CLI_EXIT_FAILED;
    if (a->listen)
        c->listen = a->listen;
    if (a->stun)
        c->stun_listen = a->stun;
    if (!c->listen)
        c->listen = a->dev ? "127.0.0.1" : "0.0.0.0";
    error = parse_address("--listen", c->listen, HTTP_PORT, &s->listen);
    if (error)
        return error;
    error = choose_stun(s);
    return error ? error : choose_tls(s);
}

/* ------------------------------------------------------------------ starting */

int serve_failed(const char *what, const struct ln_address *address, int error, const char *option)
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

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "linnet serve: %s\n", line);
}

static int start_service(struct serving *s)
{
    struct ln_http_loop_config loop = { ln_allocator_libc(),
                                        getenv("LINNET_DEBUG") ? log_line : NULL, NULL };
    struct ln_signal_service_config config;
    int error;

    ln_signal_service_config_init(&config);
    serve_config_apply(&s->config, &config);
    if (!s->one_port) { /* else TURN's threads listen, and take TLS off */
        config.http.listen = s->listen;
        config.http.certificate_file = s->own_certificate ? NULL : s->config.certificate;
        config.http.key_file = s->own_certificate ? NULL : s->config.key;
        config.http.certificate_pem = s->certificate_pem;
    }
    config.http.files = cli_page;
    config.http.file_count = cli_page_count;
    config.http.security_policy = SECURITY_POLICY;
    serve_turn_tell(s, &config.signal);
    config.more_metrics = serve_turn_metrics;
    config.more_metrics_ctx = s;
    config.turn_view = serve_turn_view;
    config.turn_view_ctx = s;
    error = ln_http_loop_create(&s->loop, &loop);
    if (error) {
        fprintf(stderr, "linnet serve: the HTTP library could not start; is the package "
                        "libwebsockets-evlib-uv installed?\n");
        return CLI_EXIT_FAILED;
    }
    error = serve_turn_watch_signals(s);
    if (!error)
        error = ln_signal_service_create(&s->service, s->loop, &config, &s->env);
    if (error)
        return serve_failed("pages", &s->listen, error, "--listen");
    if (!s->one_port)
        s->listen = ln_signal_service_address(s->service);
    s->door = s->service;
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

static void print_start(const struct serving *s)
{
    char text[LN_ADDRESS_TEXT_MAX];

    printf("linnet %s serves\n", LINNET_VERSION);
    print_urls(s);
    if (s->turn)
        printf("  stun   stun:%s\n", ln_address_format(&s->stun_bound, text));
    if (s->one_port)
        printf("  port   %u is for all: %s and signalling, STUN%s over %s\n", s->listen.port,
               s->tls ? "HTTPS" : "HTTP", s->turn_wanted ? " and TURN" : "",
               s->tls ? "UDP, TCP, TLS and DTLS" : "UDP and TCP");
    if (s->turn_wanted)
        serve_turn_print(s);
    fflush(stdout);
    if (s->turn)
        serve_turn_check(s);
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
    turn_redis_stop(s->redis);
    ln_turn_service_stop(s->turn); /* its threads hand over no more */
    ln_signal_service_free(s->service);
    ln_http_timer_free(s->drain_timer);
    ln_http_loop_free(s->loop);
    turn_watch_deinit(&s->watch);
    serve_config_free(&s->turn_config);
    ln_wipe(s->turn_secret, sizeof s->turn_secret);
    ln_wipe(s->next_secret, sizeof s->next_secret);
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
    turn_watch_init(&s.watch);
    ln_crypto_rng(&s.rng);
    s.env = (struct ln_env){ ln_allocator_libc(), NULL, &s.rng, NULL };
    code = settle(&s);
    if (!code && s.arguments.check) {
        code = serve_turn_check_config(&s);
        if (!code)
            printf("the configuration is right\n");
        serve_config_free(&s.config);
        return code;
    }
    if (!code && s.own_certificate)
        code = make_certificate(&s);
    if (!code)
        code = serve_turn_start(&s);
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
