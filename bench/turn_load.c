/* SPDX-License-Identifier: Apache-2.0
 * Clients of a TURN server that are as small as can be, so that the server's processor is what is
 * measured: sockets, a train or a packet at a time, and the peer that all of them talk to. */
#include "bench/turn_load.h"

#include "base/bytes.h"
#include "bench/bench.h"
#include "stun/framing.h"
#include "stun/message.h"

#include <linnet/error.h>

#include <arpa/inet.h>
#include <math.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define TRAIN        16
#define RUN_SECONDS  1.0
#define LATENCY_PPS  10000
#define LATENCIES    5000
#define LATE_SECONDS 0.1 /* of silence: what is not there then is lost */
#define WAIT_SECONDS 5.0
#define PAUSE_US     100
#define SILENT_MAX   2000 /* pauses */
#define TRIES        25
#define AT_A_TIME    50u /* allocations under way */
#define TRY_MS       200
#define READ_CAP     65536
#define PACKET_CAP   2048
#define INDICATION_HEADER_LEN                                                                      \
    (LN_STUN_HEADER_LEN + 12u + 4u) /* XOR-PEER-ADDRESS of IPv4, and DATA's own header */
#define ECHOES 1024u                /* under way at a time */

/* ---- a client ---- */

int open_client(const struct load *load, bool gro)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(load->port) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 22, on = gro;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What has come, if it is the answer with this id. */
static bool take_answer(int fd, const struct ln_stun_id *id, uint8_t *answer,
                        struct ln_stun_message *ret)
{
    ssize_t n = recv(fd, answer, READ_CAP, MSG_DONTWAIT);

    return n > 0 && ln_stun_parse(answer, (size_t)n, ret) == 0 && ln_stun_id_equal(&ret->id, id);
}

/* The answer with this id, if it comes soon. */
static bool await(int fd, const struct ln_stun_id *id, uint8_t *answer, struct ln_stun_message *ret)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    while (poll(&p, 1, TRY_MS) > 0) {
        if (take_answer(fd, id, answer, ret))
            return true;
        if (p.revents & POLLERR)
            usleep(10000); /* nobody is there yet */
    }
    return false;
}

/* Sends what the builder holds, again while nothing comes, and waits for the answer. */
static bool ask(int fd, struct ln_stun_builder *b, uint8_t *answer, struct ln_stun_message *ret)
{
    int len = ln_stun_finish(b);

    for (int i = 0; i < TRIES && len > 0; i++) {
        (void)!send(fd, b->w.data, (size_t)len, 0);
        if (await(fd, &b->id, answer, ret))
            return true;
    }
    return false;
}

static struct ln_stun_id new_id(struct load *load)
{
    struct ln_stun_id id = { { 0 } };

    ln_store32(id.bytes, ++load->next_id);
    ln_store32(id.bytes + 4, (uint32_t)getpid());
    return id;
}

static void begin(struct load *load, struct ln_stun_builder *b, uint8_t *data, size_t cap,
                  uint16_t method)
{
    struct ln_stun_id id = new_id(load);

    ln_stun_begin(b, data, cap, LN_STUN_REQUEST, method, &id);
}

static void sign(const struct load *load, const struct flow *flow, struct ln_stun_builder *b)
{
    ln_stun_add_text(b, LN_STUN_USERNAME, USER);
    ln_stun_add_text(b, LN_STUN_REALM, REALM);
    ln_stun_add_text(b, LN_STUN_NONCE, flow->nonce);
    ln_stun_add_integrity(b, (struct ln_bytes){ load->key, sizeof load->key });
}

/* An Allocate request; signed once the flow has a nonce. */
static void send_allocate(const struct load *load, const struct flow *flow,
                          const struct ln_stun_id *id)
{
    struct ln_stun_builder b;
    uint8_t data[512];
    int len;

    ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, LN_STUN_ALLOCATE, id);
    ln_stun_add_u32(&b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    if (flow->nonce[0])
        sign(load, flow, &b);
    len = ln_stun_finish(&b);
    (void)!send(flow->fd, data, len > 0 ? (size_t)len : 0, 0);
}

static bool take_nonce(struct flow *flow, const struct ln_stun_message *m)
{
    struct ln_bytes nonce;

    if (!ln_stun_find(m, LN_STUN_NONCE, &nonce) || nonce.len >= sizeof flow->nonce)
        return false;
    memcpy(flow->nonce, nonce.data, nonce.len);
    flow->nonce[nonce.len] = '\0';
    return true;
}

static bool take_address(struct flow *flow, const struct ln_stun_message *m)
{
    struct ln_address relayed;

    if (m->kind != LN_STUN_SUCCESS ||
        !ln_stun_find_xor_address(m, LN_STUN_XOR_RELAYED_ADDRESS, &relayed))
        return false;
    flow->relayed = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(relayed.port) };
    memcpy(&flow->relayed.sin_addr, relayed.ip, 4);
    return true;
}

/* The answers that come before another try is due, while the load sleeps in between: a challenge
 * before a flow has a nonce, an address after that. The number of flows answered; LN_ERR_OPERATION
 * when one was refused. */
static int take_answers(const struct ln_stun_id *ids, struct flow *flows, size_t count)
{
    static uint8_t answer[READ_CAP];
    double start = bench_wall_seconds();
    struct ln_stun_message m;
    size_t taken = 0;

    while (taken < count && bench_wall_seconds() - start < TRY_MS / 1e3) {
        usleep(PAUSE_US);
        for (; taken < count && take_answer(flows[taken].fd, &ids[taken], answer, &m); taken++) {
            struct flow *flow = &flows[taken];

            if (!(flow->nonce[0] ? take_address(flow, &m) : take_nonce(flow, &m)))
                return LN_ERR_OPERATION;
        }
    }
    return (int)taken;
}

/* Every flow asks, and again while its answer is missing. */
static bool ask_for_all(struct load *load, struct flow *flows, size_t count)
{
    struct ln_stun_id ids[AT_A_TIME];
    size_t done = 0;

    for (size_t i = 0; i < count; i++)
        ids[i] = new_id(load);
    for (int k = 0; k < TRIES && done < count; k++) {
        int taken;

        for (size_t i = done; i < count; i++)
            send_allocate(load, &flows[i], &ids[i]);
        taken = take_answers(ids + done, flows + done, count - done);
        if (taken < 0)
            return false;
        done += (size_t)taken;
    }
    return done == count;
}

/* One challenge and the signed request, as every client's first allocation takes; several clients
 * at a time. */
static bool allocate(struct load *load, struct flow *flows, size_t count)
{
    return ask_for_all(load, flows, count) && ask_for_all(load, flows, count);
}

static struct ln_address peer_of(const struct load *load)
{
    struct ln_address peer = { .family = LN_FAMILY_IPV4,
                               .port = ntohs(load->peer_address.sin_port) };

    memcpy(peer.ip, &load->peer_address.sin_addr, 4);
    return peer;
}

/* A channel to the peer, or a permission for him. */
static bool admit_peer(struct load *load, struct flow *flow)
{
    static uint8_t answer[READ_CAP];
    struct ln_address peer = peer_of(load);
    struct ln_stun_message m;
    struct ln_stun_builder b;
    uint8_t data[512];

    begin(load, &b, data, sizeof data,
          load->framing == CHANNEL ? LN_STUN_CHANNEL_BIND : LN_STUN_CREATE_PERMISSION);
    if (load->framing == CHANNEL)
        ln_stun_add_u32(&b, LN_STUN_CHANNEL_NUMBER, 0x40000000u);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &peer);
    sign(load, flow, &b);
    return ask(flow->fd, &b, answer, &m) && m.kind == LN_STUN_SUCCESS;
}

/* ---- packets ---- */

/* Bytes of a payload with what stands around it on the way between client and server. */
static size_t framed_len(const struct load *load, size_t payload)
{
    return load->framing == CHANNEL ? payload + LN_CHANNEL_HEADER_LEN
                                    : payload + INDICATION_HEADER_LEN;
}

/* What a client sends, with a payload of zeros. The peer sends as many of its bytes. */
static void write_packet(const struct load *load, uint8_t *packet, size_t cap, size_t payload)
{
    static const uint8_t zeros[PACKET_CAP];
    struct ln_address peer = peer_of(load);
    struct ln_stun_id id = { { 1 } };
    struct ln_stun_builder b;

    memset(packet, 0, cap);
    if (load->framing == CHANNEL) {
        ln_channel_data_write_header(packet, 0x4000, payload);
        return;
    }
    ln_stun_begin(&b, packet, cap, LN_STUN_INDICATION, LN_STUN_SEND, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &peer);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, zeros, payload);
    (void)!ln_stun_finish(&b); /* there is room */
}

/* `count` datagrams of one size; `to` NULL: where the socket is connected to. */
static void send_packets(int fd, const struct sockaddr_in *to, uint8_t *packet, size_t len,
                         unsigned count, bool gso)
{
    static uint8_t train[TRAIN * PACKET_CAP];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct iovec iov = { packet, len };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (to) {
        message.msg_name = (void *)(uintptr_t)to;
        message.msg_namelen = sizeof *to;
    }
    if (gso) {
        struct cmsghdr *c = (struct cmsghdr *)(void *)control;
        uint16_t segment = (uint16_t)len;

        for (unsigned i = 0; i < count; i++)
            memcpy(train + i * len, packet, len);
        iov = (struct iovec){ train, len * count };
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(c), &segment, sizeof segment);
        count = 1;
    }
    for (unsigned i = 0; i < count; i++)
        (void)!sendmsg(fd, &message, 0);
}

/* Reads all that has come; the number of datagrams of `len` bytes, or with a little more around
 * their payload. */
static size_t drain(int fd, size_t len)
{
    static uint8_t data[READ_CAP];
    size_t count = 0;
    ssize_t n;

    while ((n = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0)
        count += (size_t)n / len;
    return count;
}

/* What has come at the clients and at the peer. */
static size_t drain_all(struct load *load, size_t payload)
{
    size_t got = drain(load->peer, payload);

    for (size_t i = 0; i < load->count; i++)
        got += drain(load->flows[i].fd, framed_len(load, payload));
    return got;
}

/* Sends a burst of every flow, both ways, and takes what comes meanwhile. */
static size_t send_round(struct load *load, size_t payload, uint8_t *packet, unsigned burst,
                         bool gso, bool meanwhile)
{
    size_t framed = framed_len(load, payload), got = 0;

    for (size_t i = 0; i < load->count; i++) {
        struct flow *flow = &load->flows[i];

        send_packets(flow->fd, NULL, packet, framed, burst, gso);
        send_packets(load->peer, &flow->relayed, packet, payload, burst, gso);
        if (!meanwhile)
            continue;
        got += drain(flow->fd, framed);
        if (i % 16 == 0)
            got += drain(load->peer, payload);
    }
    return got;
}

/* What comes until it is as much as wanted, or nothing more comes. */
static size_t collect(struct load *load, size_t payload, size_t wanted)
{
    size_t got = 0, silent = 0;

    while (got < wanted && silent < SILENT_MAX) {
        size_t more = drain_all(load, payload);

        silent = more > 0 ? 0 : silent + 1;
        got += more;
        if (more == 0)
            usleep(PAUSE_US);
    }
    return got;
}

/* The same with a server that runs when nothing else does, so that all of it is queued by then. */
static size_t send_queued(struct load *load, size_t payload, uint8_t *packet, unsigned burst)
{
    (void)send_round(load, payload, packet, burst, false, false);
    return collect(load, payload, 2 * burst * load->count);
}

struct result run_load(struct load *load, size_t payload, enum batching batching)
{
    unsigned burst = batching == SINGLE ? 1 : batching == FOUR ? 4 : TRAIN;
    size_t got = 0;
    uint8_t packet[PACKET_CAP];
    double start, cpu, took;
    struct result result;

    if (batching == FOUR)
        server_place(load->server, BEHIND);
    start = bench_wall_seconds();
    cpu = server_cpu(load->server);
    write_packet(load, packet, sizeof packet, payload);
    while (bench_wall_seconds() - start < RUN_SECONDS)
        got += batching == FOUR ? send_queued(load, payload, packet, burst)
                                : send_round(load, payload, packet, burst, batching == GSO, true);
    usleep(20000);
    took = bench_wall_seconds() - start;
    got += drain_all(load, payload);
    cpu = server_cpu(load->server) - cpu;
    server_place(load->server, ANYWHERE);
    result.packets_per_cpu_s = cpu > 0 ? (double)got / cpu : 0;
    result.mbit_per_s = (double)got * (double)payload * 8 / took / 1e6;
    return result;
}

/* As much as came back meanwhile; what is missing after a while is lost. */
static size_t await_echoes(struct load *load, size_t framed, size_t missing)
{
    size_t got = 0, silent = 0;

    while (got < missing && silent < SILENT_MAX) {
        size_t more = 0;

        for (size_t i = 0; i < load->count; i++)
            more += drain(load->flows[i].fd, framed);
        silent = more > 0 ? 0 : silent + 1;
        got += more;
        if (more == 0)
            usleep(500);
    }
    return got;
}

struct result run_echoed(struct load *load, size_t payload, enum batching batching)
{
    unsigned burst = batching == GSO ? TRAIN : 1, pass = ECHOES / burst / (unsigned)load->count;
    size_t framed = framed_len(load, payload), got = 0;
    uint8_t packet[PACKET_CAP] = { 0 };
    double start = bench_wall_seconds(), cpu = server_cpu(load->server), took;
    struct result result;

    pass += pass == 0;
    write_packet(load, packet, sizeof packet, payload);
    while (bench_wall_seconds() - start < RUN_SECONDS) {
        size_t sent = 0;

        for (unsigned k = 0; k < pass; k++)
            for (size_t i = 0; i < load->count; i++, sent += burst)
                send_packets(load->flows[i].fd, NULL, packet, framed, burst, batching == GSO);
        got += await_echoes(load, framed, sent);
    }
    took = bench_wall_seconds() - start;
    cpu = server_cpu(load->server) - cpu;
    result.packets_per_cpu_s = cpu > 0 ? 2 * (double)got / cpu : 0;
    result.mbit_per_s = 2 * (double)got * (double)payload * 8 / took / 1e6;
    return result;
}

/* One way, from a client to the peer; quantiles of what arrived, NAN if nothing did. */
static void latency_pass(struct load *load, size_t payload, double *ret_p50, double *ret_p99)
{
    static double values[LATENCIES];
    uint8_t packet[PACKET_CAP] = { 0 };
    size_t count = 0, sent = 0;
    double start, last;

    (void)collect(load, payload, SIZE_MAX); /* what was still under way */
    start = last = bench_wall_seconds();
    while (sent < LATENCIES || (count < LATENCIES && bench_wall_seconds() - last < LATE_SECONDS)) {
        double now = bench_wall_seconds();

        if (sent < LATENCIES && now - start >= (double)sent / LATENCY_PPS) {
            ln_channel_data_write_header(packet, 0x4000, payload);
            memcpy(packet + LN_CHANNEL_HEADER_LEN, &now, sizeof now);
            send_packets(load->flows[sent % load->count].fd, NULL, packet,
                         payload + LN_CHANNEL_HEADER_LEN, 1, false);
            sent++;
            last = now;
        }
        while (count < LATENCIES &&
               recv(load->peer, packet, sizeof packet, MSG_DONTWAIT) == (ssize_t)payload) {
            double then;

            memcpy(&then, packet, sizeof then);
            last = bench_wall_seconds();
            if (then >= start) /* else one that was still under way */
                values[count++] = (last - then) * 1e6;
        }
    }
    *ret_p50 = bench_quantile(values, count, 0.5);
    *ret_p99 = bench_quantile(values, count, 0.99);
}

/* The better of two passes: what else the machine does comes and goes. */
bool run_latency(struct load *load, size_t payload, double *ret_p50, double *ret_p99)
{
    double p50, p99;

    server_place(load->server, APART);
    latency_pass(load, payload, ret_p50, ret_p99);
    latency_pass(load, payload, &p50, &p99);
    server_place(load->server, ANYWHERE);
    if (isnan(*ret_p99) || p99 < *ret_p99) {
        *ret_p50 = p50;
        *ret_p99 = p99;
    }
    return !isnan(*ret_p99);
}

/* ---- flows ---- */

void end_flows(struct load *load)
{
    for (size_t i = 0; i < load->count; i++)
        close(load->flows[i].fd);
    load->count = 0;
}

bool begin_flows(struct load *load, size_t count, bool gro, double *ret_per_s, double *ret_bytes)
{
    double cpu = server_cpu(load->server), memory = server_memory(load->server);
    bool right = true;

    while (load->count < count && right) {
        size_t n = count - load->count < AT_A_TIME ? count - load->count : AT_A_TIME;
        struct flow *flows = &load->flows[load->count];

        memset(flows, 0, n * sizeof *flows);
        for (size_t i = 0; i < n; i++)
            right &= (flows[i].fd = open_client(load, gro)) >= 0;
        right = right && allocate(load, flows, n);
        load->count += n;
    }
    cpu = server_cpu(load->server) - cpu;
    *ret_per_s = cpu > 0 ? (double)count / cpu : 0;
    *ret_bytes = (server_memory(load->server) - memory) / (double)count;
    for (size_t i = 0; i < load->count && right; i++)
        right = admit_peer(load, &load->flows[i]);
    return right;
}

bool open_peer(struct load *load, bool gro)
{
    socklen_t len = sizeof load->peer_address;
    int size = 1 << 24, on = gro;

    load->peer = socket(AF_INET, SOCK_DGRAM, 0);
    load->peer_address = (struct sockaddr_in){ .sin_family = AF_INET,
                                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    setsockopt(load->peer, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(load->peer, SOL_UDP, UDP_GRO, &on, sizeof on);
    return bind(load->peer, (struct sockaddr *)&load->peer_address, len) == 0 &&
           getsockname(load->peer, (struct sockaddr *)&load->peer_address, &len) == 0;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

bool wait_until_it_answers(struct load *load)
{
    static uint8_t answer[READ_CAP];
    double start = bench_wall_seconds();
    struct ln_stun_message m;
    struct ln_stun_builder b;
    bool right = false;
    uint8_t data[64];
    int len;

    begin(load, &b, data, sizeof data, LN_STUN_BINDING);
    len = ln_stun_finish(&b);
    while (len > 0 && !right && bench_wall_seconds() - start < WAIT_SECONDS &&
           !has_ended(load->server)) {
        int fd = open_client(load, false);

        (void)!send(fd, data, (size_t)len, 0);
        right = await(fd, &b.id, answer, &m);
        close(fd);
    }
    return right;
}
