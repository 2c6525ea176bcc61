/* SPDX-License-Identifier: Apache-2.0
 * The load of `linnet bench turn`: clients, each with an allocation and a channel to one and the
 * same peer, or a permission for him, and what they send. */
#ifndef LN_BENCH_TURN_LOAD_H
#define LN_BENCH_TURN_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOWS_MAX 1000
#define USER      "u"
#define PASSWORD  "p"
#define REALM     "ex"

enum batching { SINGLE, FOUR, GSO };
enum framing { CHANNEL, INDICATION }; /* ChannelData, or Send and Data indications */

struct flow {
    int fd;
    struct sockaddr_in relayed;
    char nonce[128];
};

struct load {
    pid_t server;
    uint16_t port;
    enum framing framing;
    struct flow flows[FLOWS_MAX];
    size_t count;
    int peer;
    struct sockaddr_in peer_address;
    uint8_t key[16];
    uint32_t next_id;
};

struct result {
    double packets_per_cpu_s, mbit_per_s;
};

/* Of a process: nanoseconds that all its threads have run; bytes that are its own. */
double server_cpu(pid_t pid);
double server_memory(pid_t pid);
enum placement {
    ANYWHERE,
    APART, /* the load has a core of its own, if there are two */
    BEHIND /* both on one core; the server runs when the load sleeps. For the rest of its life */
};
void server_place(pid_t pid, enum placement placement);

bool wait_until_it_answers(struct load *load);
bool open_peer(struct load *load, bool gro);
int open_client(const struct load *load, bool gro); /* connected to the server's port, or -1 */

/* Flows with allocation and channel, or permission. Sets what an allocation cost. */
bool begin_flows(struct load *load, size_t count, bool gro, double *ret_per_s, double *ret_bytes);
void end_flows(struct load *load);

/* Both directions of all flows for a while. */
struct result run_load(struct load *load, size_t payload, enum batching batching);

/* The same where the peer sends back what it gets: from the clients alone, and a packet that came
 * back counts twice. */
struct result run_echoed(struct load *load, size_t payload, enum batching batching);

/* Microseconds of single packets from client to peer, at a steady rate. False: none arrived. */
bool run_latency(struct load *load, size_t payload, double *ret_p50, double *ret_p99);

#endif
