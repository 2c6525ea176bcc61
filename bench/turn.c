/* SPDX-License-Identifier: Apache-2.0
 * The TURN server beside coturn: each runs as a process of its own, and the load comes from here,
 * so that the CPU time of the server alone is counted (from /proc, all its threads).
 *
 * Every flow is a client with an allocation and a channel to one and the same peer, or a permission
 * for him and indications; half of the packets go to the peer, half come back. How they come:
 *   single  one packet a flow, then the next flow
 *   four    four packets of each flow are queued: the server runs when the load sleeps
 *   gso     trains of sixteen with UDP_SEGMENT, read with UDP_GRO
 * Latency is that of single packets, 10,000 a second, from client to peer; server and load have
 * cores of their own then, as the load waits by looking again and again. Allocations are asked for
 * fifty at a time, and the load sleeps until they are answered: to wake it with each answer would
 * be the server's time, which clients on other machines do not take.
 *
 * Before the servers the same load runs through a forwarder (bench/forwarder.h) in both its ways:
 * what this machine takes at least. The better of the two is what the rows of servers are held
 * against, in the same run. */
#include "bench/bench.h"
#include "bench/forwarder.h"
#include "bench/turn_load.h"

#include "stun/message.h"

#include <linnet/error.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRONT_QUEUE (1 << 25) /* bytes: what all clients send while the forwarder is stopped */
#define BACK_QUEUE  (1 << 20)
#define PORTS       8 /* that are tried */

enum stack { MACHINE, MACHINE_GSO, LINNET, COTURN, STACKS };
static const char *const stack_names[] = { "machine", "machine-gso", "linnet", "coturn" };
static const char *const batching_names[] = { "single", "four", "gso" };
static const char *const framing_names[] = { "channel", "indication" };

struct turn_case {
    size_t payload, flows;
    enum batching batching;
    enum framing framing;
};

/* ---- the servers ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint16_t port = 0;

    if (bind(fd, (struct sockaddr *)&name, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&name, &len) == 0)
        port = ntohs(name.sin_port);
    close(fd);
    return port;
}

/* Its limit of answers to the unknown would be what is measured. */
static const char *no_limit(void)
{
    static char path[] = "/tmp/linnet-bench-turn-XXXXXX";
    static const char text[] = "stun:\n  per_second: 1000000\n  burst: 1000000\n";
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, sizeof text - 1) < 0)
        return NULL;
    close(fd);
    return path;
}

static void run_linnet(const char *listen, const char *config)
{
    execl("/proc/self/exe", "linnet", "turn", "--listen", listen, "--user", USER ":" PASSWORD,
          "--realm", REALM, "--allow-peer", "127.0.0.0/8", "--workers", "1", "--config", config,
          (char *)NULL);
}

static void run_coturn(const char *port)
{
    execlp("turnserver", "turnserver", "-n", "--listening-ip=127.0.0.1", port,
           "--relay-ip=127.0.0.1", "--user=" USER ":" PASSWORD, "--realm=" REALM, "--lt-cred-mech",
           "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--relay-threads=1",
           "--log-file=stdout", "--simple-log", (char *)NULL);
}

static pid_t start_server(enum stack stack, uint16_t port, const char *config)
{
    char text[64];
    pid_t pid;

    snprintf(text, sizeof text, stack == LINNET ? "127.0.0.1:%u" : "--listening-port=%u", port);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (stack == LINNET)
            run_linnet(text, config);
        else
            run_coturn(text);
        _exit(127);
    }
    return pid;
}

static void stop_server(pid_t pid)
{
    kill(pid, SIGINT);
    for (int i = 0; i < 20 && waitpid(pid, NULL, WNOHANG) == 0; i++)
        usleep(50000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* What is free for datagrams may be taken for streams: then the server ends, and another port is
 * tried. */
static bool serve(struct load *load, enum stack stack, const char *config)
{
    for (int i = 0; i < PORTS; i++) {
        load->port = free_port();
        load->server = start_server(stack, load->port, config);
        if (load->server < 0)
            return false;
        if (wait_until_it_answers(load))
            return true;
        stop_server(load->server);
        load->server = -1;
    }
    return false;
}

double server_cpu(pid_t pid)
{
    char path[300];
    DIR *tasks;
    double sum = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    for (struct dirent *e; tasks && (e = readdir(tasks)) != NULL;) {
        double ran = 0;
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
        file = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file && fscanf(file, "%lf", &ran) == 1)
            sum += ran;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return sum / 1e9;
}

/* On which cores the load and the server may run. */
static void choose_cores(enum placement placement, const cpu_set_t *all, cpu_set_t *own,
                         cpu_set_t *its)
{
    size_t first = 0;

    *own = *its = *all;
    if (placement == ANYWHERE)
        return;
    while (!CPU_ISSET(first, all))
        first++;
    CPU_ZERO(own);
    CPU_SET(first, own);
    if (placement == BEHIND)
        *its = *own;
    else if (CPU_COUNT(all) > 1)
        CPU_CLR(first, its);
    else
        *own = *all;
}

void server_place(pid_t pid, enum placement placement)
{
    static const struct sched_param param;
    static cpu_set_t all;
    cpu_set_t own, its;
    char path[300];
    DIR *tasks;

    if (placement != ANYWHERE && sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    choose_cores(placement, &all, &own, &its);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    for (struct dirent *e; tasks && (e = readdir(tasks)) != NULL;) {
        pid_t task = (pid_t)strtol(e->d_name, NULL, 10);

        if (e->d_name[0] == '.')
            continue;
        sched_setaffinity(task, sizeof its, &its);
        if (placement == BEHIND)
            sched_setscheduler(task, SCHED_IDLE, &param);
    }
    if (tasks)
        closedir(tasks);
    sched_setaffinity(0, sizeof own, &own);
}

double server_memory(pid_t pid)
{
    char path[64], line[256];
    double kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %lf kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* ---- the forwarder ---- */

static int open_port(int queue, struct sockaddr_in *ret_name)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof queue);
    if (bind(fd, (struct sockaddr *)&name, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&name, &len) == 0) {
        *ret_name = name;
        return fd;
    }
    close(fd);
    return -1;
}

/* The flows that a server would make, without asking anybody. */
static bool begin_forwarded(struct load *load, const struct turn_case *c, bool trains)
{
    static struct sockaddr_in clients[FLOWS_MAX]; /* bench: one thread */
    static int back[FLOWS_MAX];
    struct bench_forwarder f = { .back = back, .clients = clients, .trains = trains };
    struct sockaddr_in front;
    bool right;

    f.peer = load->peer_address;
    f.front = open_port(FRONT_QUEUE, &front);
    right = f.front >= 0;
    load->port = right ? ntohs(front.sin_port) : 0;
    for (; right && f.count < c->flows; f.count++) {
        struct flow *flow = &load->flows[f.count];
        socklen_t len = sizeof clients[0];

        flow->fd = open_client(load, c->batching == GSO);
        back[f.count] = open_port(BACK_QUEUE, &flow->relayed);
        right = flow->fd >= 0 && back[f.count] >= 0 &&
                getsockname(flow->fd, (struct sockaddr *)&clients[f.count], &len) == 0;
        load->count = f.count + 1;
    }
    load->server = right ? bench_forwarder_start(&f) : -1;
    for (size_t i = 0; i < f.count; i++)
        close(back[i]);
    close(f.front);
    return load->server > 0;
}

/* ---- cases ---- */

static json_t *row_of(enum stack stack, const struct turn_case *c, const struct result *result)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:f, s:f}", "stack", stack_names[stack],
                     "payload_bytes", (int)c->payload, "flows", (int)c->flows, "batching",
                     batching_names[c->batching], "framing", framing_names[c->framing],
                     "packets_per_cpu_s", result->packets_per_cpu_s, "mbit_per_s",
                     result->mbit_per_s);
}

/* The row of flows that have begun, or NULL when nothing comes through them; `limit` is the best of
 * the machine so far in this case. */
static json_t *measure(struct load *load, enum stack stack, const struct turn_case *c,
                       double *limit)
{
    struct result result = run_load(load, c->payload, c->batching);
    json_t *row = row_of(stack, c, &result);
    double p50, p99;

    if (stack < LINNET && result.packets_per_cpu_s > *limit)
        *limit = result.packets_per_cpu_s;
    if (stack >= LINNET && *limit > 0)
        json_object_set_new(row, "of_machine", json_real(result.packets_per_cpu_s / *limit));
    if (c->batching != SINGLE || c->framing != CHANNEL)
        return row;
    if (!run_latency(load, c->payload, &p50, &p99)) {
        json_decref(row);
        return NULL;
    }
    json_object_set_new(row, "p50_us", json_real(p50));
    json_object_set_new(row, "p99_us", json_real(p99));
    return row;
}

/* One stack in one case. */
static json_t *run_case(struct load *load, const char *config, enum stack stack,
                        const struct turn_case *c, double *limit)
{
    bool gro = c->batching == GSO, serves = stack >= LINNET, right;
    double per_s = 0, bytes = 0;
    json_t *row;

    load->framing = c->framing;
    load->server = -1;
    right = open_peer(load, gro);
    if (serves)
        right = right && serve(load, stack, config) &&
                begin_flows(load, c->flows, gro, &per_s, &bytes);
    else
        right = right && begin_forwarded(load, c, stack == MACHINE_GSO);
    row = right ? measure(load, stack, c, limit) : NULL;
    if (!row)
        fprintf(stderr, "linnet bench: turn: %s did not serve %zu flows\n", stack_names[stack],
                c->flows);
    if (row && serves) {
        json_object_set_new(row, "allocations_per_s", json_real(per_s));
        json_object_set_new(row, "bytes_per_allocation", json_real(bytes));
    }
    end_flows(load);
    close(load->peer);
    if (load->server > 0)
        stop_server(load->server);
    return row;
}

static bool has_coturn(void)
{
    return access("/usr/bin/turnserver", X_OK) == 0 ||
           access("/usr/local/bin/turnserver", X_OK) == 0;
}

/* All stacks, one after another, so that what else the machine does touches them alike. */
static int run_stacks(struct load *load, const char *config, const struct turn_case *c, bool beside,
                      json_t *rows)
{
    double limit = 0;

    for (int stack = c->framing == CHANNEL ? MACHINE : LINNET; stack < (beside ? STACKS : COTURN);
         stack++) {
        json_t *row = run_case(load, config, (enum stack)stack, c, &limit);

        if (!row)
            return LN_ERR_OPERATION;
        json_array_append_new(rows, row);
    }
    return 0;
}

int bench_turn(const struct bench_options *options, json_t *rows)
{
    static const size_t payloads[] = { 120, 200, 1000 }, flow_counts[] = { 1, 100, 1000 };
    static struct load load;
    bool beside = options->with && strstr(options->with, "coturn") != NULL;
    bool short_run = options->runs == 1; /* one case of each kind */
    const char *config = no_limit();
    int error = config ? 0 : LN_ERR_SYSTEM;

    ln_stun_long_term_key((struct ln_bytes){ (const uint8_t *)USER, 1 },
                          (struct ln_bytes){ (const uint8_t *)REALM, 2 },
                          (struct ln_bytes){ (const uint8_t *)PASSWORD, 1 }, load.key);
    if (beside && !has_coturn())
        fprintf(stderr, "linnet bench: coturn is not installed\n");
    for (int framing = CHANNEL; framing <= INDICATION; framing++)
        for (size_t at = 0; at < 27 && !error; at++) {
            size_t f = at / 9, p = at / 3 % 3, b = at % 3;
            struct turn_case c = { payloads[p], flow_counts[f], (enum batching)b,
                                   (enum framing)framing };

            if (!short_run || (f == 1 && p == 1))
                error = run_stacks(&load, config, &c, beside && has_coturn(), rows);
        }
    if (config)
        unlink(config);
    return error;
}
