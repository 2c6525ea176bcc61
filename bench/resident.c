/* SPDX-License-Identifier: Apache-2.0
 * What it saves that a peer of the TURN server's clients lives in the server's program: the same
 * traffic to the same endpoint, which sends everything back, once handed over in memory
 * (servers/turn/wiring/resident.h) and once by sockets through the kernel.
 *
 * Server and endpoint, a thread each, are a process of their own; the load comes from here, so that
 * their processor time alone is counted. A packet that came back counts twice: it passed the server
 * in both directions. */
#include "bench/bench.h"
#include "bench/echo.h"
#include "bench/turn_load.h"

#include "io/loop.h"
#include "servers/turn/wiring/resident.h"
#include "servers/turn/wiring/service.h"
#include "stun/message.h"

#include <linnet/environment.h>
#include <linnet/error.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES  3
#define PLENTY 1000000u /* answers to the unknown: they are not what is measured */

struct ports {
    uint16_t server, peer;
};

/* ---- the process that is measured ---- */

struct house {
    struct ln_loop *loop;
    struct ln_turn_service *service;
    struct ln_turn_resident *resident;
    struct ln_loop_endpoint *handle;
    struct echo echo;
    int tell; /* a pipe */
};

static int start_service(struct house *h, struct ln_env *env)
{
    static struct ln_turn_service_config config;
    struct ln_address loopback = { LN_FAMILY_IPV4, { 127, 0, 0, 1 }, 0, 0 };
    struct ln_turn_listen listen = { loopback, false };
    struct ln_turn_credentials *credentials;
    size_t failed;
    int error = ln_turn_prefix_parse("127.0.0.0/8", &config.policy.allow[0]);

    config.policy.allow_count = 1;
    config.turn.listen = &listen;
    config.turn.listen_count = 1;
    config.turn.per_second = config.turn.burst = PLENTY;
    config.workers = 1;
    if (!error)
        error = ln_turn_credentials_create(&credentials, REALM, env);
    if (!error)
        error = ln_turn_credentials_add_user(credentials, USER, PASSWORD);
    return error ? error : ln_turn_service_start(&h->service, &config, credentials, &failed);
}

static void after(void *ctx, ln_time now)
{
    struct house *h = ctx;
    struct ports ports;

    (void)now;
    if (h->tell < 0 || h->echo.opened == 0)
        return;
    ports = (struct ports){ ln_turn_service_listening(h->service, 0).port,
                            h->echo.addresses[0].port };
    (void)!write(h->tell, &ports, sizeof ports);
    close(h->tell);
    h->tell = -1;
}

/* The endpoint is driven, as a resident or plainly. */
static int start_echo(struct house *h, struct ln_env *env, bool memory)
{
    struct ln_address loopback = { LN_FAMILY_IPV4, { 127, 0, 0, 1 }, 0, 0 };
    int error;

    echo_init(&h->echo, &loopback, 1, env);
    if (!memory)
        return ln_loop_add_endpoint(h->loop, echo_endpoint(&h->echo), after, h, &h->handle);
    error = ln_turn_resident_create(&h->resident, h->service, echo_endpoint(&h->echo), env);
    return error ? error : ln_turn_resident_drive(h->resident, h->loop, after, h);
}

static _Noreturn void live(bool memory, int tell)
{
    static struct house h; /* bench: of this process */
    struct ln_loop_config config = { .ignore_ecn = true };
    ln_environment *environment;
    int error = ln_environment_create(NULL, NULL, &environment);

    h.tell = tell;
    if (!error) {
        config.env = ln_environment_env(environment);
        error = ln_loop_create(&h.loop, &config);
    }
    if (!error)
        error = start_service(&h, config.env);
    if (!error)
        error = start_echo(&h, config.env, memory);
    if (!error)
        error = ln_loop_run(h.loop); /* until it is killed */
    _exit(error ? 1 : 0);
}

static bool start_house(struct load *load, bool memory)
{
    struct ports ports;
    bool right;
    int pipes[2];

    if (pipe(pipes) != 0)
        return false;
    load->server = fork();
    if (load->server == 0) {
        close(pipes[0]);
        live(memory, pipes[1]);
    }
    close(pipes[1]);
    right = load->server > 0 && read(pipes[0], &ports, sizeof ports) == (ssize_t)sizeof ports;
    close(pipes[0]);
    if (!right)
        return false;
    load->port = ports.server;
    load->peer_address = (struct sockaddr_in){ .sin_family = AF_INET,
                                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                               .sin_port = htons(ports.peer) };
    return true;
}

static void end_house(struct load *load)
{
    end_flows(load);
    if (load->server <= 0)
        return;
    kill(load->server, SIGKILL);
    waitpid(load->server, NULL, 0);
    load->server = 0;
}

/* ---- cases ---- */

struct resident_case {
    size_t payload, flows;
    enum batching batching;
};

/* Flows are begun once and with little patience: on a busy machine again. */
static bool begin(struct load *load, const struct resident_case *c, bool memory)
{
    double per_s, bytes;

    for (int i = 0; i < TRIES; i++) {
        if (start_house(load, memory) && wait_until_it_answers(load) &&
            begin_flows(load, c->flows, c->batching == GSO, &per_s, &bytes))
            return true;
        end_house(load);
    }
    return false;
}

static json_t *run_case(const struct resident_case *c, bool memory, double *kernel)
{
    static struct load load;
    json_t *row = NULL;

    memset(&load, 0, sizeof load);
    ln_stun_long_term_key((struct ln_bytes){ (const uint8_t *)USER, 1 },
                          (struct ln_bytes){ (const uint8_t *)REALM, 2 },
                          (struct ln_bytes){ (const uint8_t *)PASSWORD, 1 }, load.key);
    if (begin(&load, c, memory)) {
        struct result result = run_echoed(&load, c->payload, c->batching);

        if (!memory)
            *kernel = result.packets_per_cpu_s;
        row = json_pack("{s:s, s:s, s:i, s:i, s:s, s:f, s:f, s:f}", "stack", "linnet", "way",
                        memory ? "memory" : "kernel", "payload_bytes", (int)c->payload, "flows",
                        (int)c->flows, "batching", c->batching == GSO ? "gso" : "single",
                        "packets_per_cpu_s", result.packets_per_cpu_s, "mbit_per_s",
                        result.mbit_per_s, "of_kernel",
                        *kernel > 0 ? result.packets_per_cpu_s / *kernel : 0);
    } else {
        fprintf(stderr, "linnet bench: resident: %zu flows were not served\n", c->flows);
    }
    end_house(&load);
    return row;
}

int bench_resident(const struct bench_options *options, json_t *rows)
{
    static const struct resident_case cases[] = {
        { 200, 100, SINGLE }, { 200, 1, SINGLE }, { 1000, 100, SINGLE },
        { 200, 100, GSO },    { 1000, 1, GSO },   { 1000, 100, GSO },
    };
    size_t count = options->runs == 1 ? 1 : sizeof cases / sizeof *cases;

    for (size_t i = 0; i < count; i++) {
        double kernel = 0;

        for (int memory = 0; memory < 2; memory++) {
            json_t *row = run_case(&cases[i], memory, &kernel);

            if (!row)
                return LN_ERR_OPERATION;
            json_array_append_new(rows, row);
        }
    }
    return 0;
}
