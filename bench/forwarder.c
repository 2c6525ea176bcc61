/* SPDX-License-Identifier: Apache-2.0
 * A loop of epoll_wait, recvmmsg and sendmmsg. What one read gave is sent before the next, without
 * a copy. With trains, packets of one flow that follow each other leave as one send; without, each
 * is a message of its own. The sockets are not connected: a relay's cannot be, as it has many
 * peers. */
#include "bench/forwarder.h"

#include "stun/framing.h"

#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define CHANNEL     0x4000
#define MESSAGES    32u    /* of one read, and of one send */
#define SEGMENTS    64u    /* of one train: what the kernel takes */
#define TRAIN_BYTES 65000u /* with headers below 64 KiB */
#define DATAGRAM_CAP                                                                               \
    2112u /* no power of two: buffers at one place of all pages share few cache lines */
#define TRAIN_CAP 65728u
#define PACKETS   (MESSAGES * SEGMENTS)
#define NOBODY    UINT32_MAX

/* Where a message came from, or goes to; and the length of its packets, when they are several. */
struct envelope {
    struct sockaddr_in name;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
};

struct pass {
    const struct bench_forwarder *f;
    uint32_t flow_of_port[65536];
    /* what was read */
    struct mmsghdr in[MESSAGES];
    struct iovec in_iov[MESSAGES];
    struct envelope from[MESSAGES];
    uint8_t *data;
    size_t cap; /* of one message */
    /* what is to be sent, all by one socket */
    struct mmsghdr out[MESSAGES];
    struct envelope to[MESSAGES];
    struct iovec out_iov[2 * PACKETS];
    uint16_t len[MESSAGES]; /* of a packet */
    size_t segments[MESSAGES], bytes[MESSAGES];
    size_t out_count, out_iovs;
    int out_fd;
    uint32_t last_flow;
    uint8_t header[LN_CHANNEL_HEADER_LEN];
    size_t header_of; /* the length that is in it */
};

static void flush(struct pass *p)
{
    for (size_t i = 0; i < p->out_count; i++) {
        struct msghdr *m = &p->out[i].msg_hdr;
        struct cmsghdr *c = (struct cmsghdr *)(void *)p->to[i].control;

        m->msg_control = p->segments[i] > 1 ? p->to[i].control : NULL;
        m->msg_controllen = p->segments[i] > 1 ? CMSG_SPACE(sizeof p->len[i]) : 0;
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof p->len[i]);
        memcpy(CMSG_DATA(c), &p->len[i], sizeof p->len[i]);
    }
    if (p->out_count > 0)
        (void)!sendmmsg(p->out_fd, p->out, (unsigned)p->out_count, 0);
    p->out_count = p->out_iovs = 0;
    p->last_flow = NOBODY;
}

/* Adds a packet of two pieces, the first of which may be empty, for `to`. */
static void add(struct pass *p, int fd, const struct sockaddr_in *to, uint32_t flow,
                const struct iovec pieces[2])
{
    size_t len = pieces[0].iov_len + pieces[1].iov_len, last = p->out_count - 1;
    bool joins = p->f->trains && p->out_count > 0 && fd == p->out_fd && flow == p->last_flow &&
                 len == p->len[last] && p->segments[last] < SEGMENTS &&
                 p->bytes[last] + len <= TRAIN_BYTES;

    if (!joins && (fd != p->out_fd || p->out_count == MESSAGES))
        flush(p);
    if (!joins) {
        last = p->out_count++;
        p->out_fd = fd;
        p->last_flow = flow;
        p->len[last] = (uint16_t)len;
        p->segments[last] = p->bytes[last] = 0;
        p->to[last].name = *to;
        p->out[last].msg_hdr = (struct msghdr){ .msg_name = &p->to[last].name,
                                                .msg_namelen = sizeof *to,
                                                .msg_iov = &p->out_iov[p->out_iovs] };
    }
    for (int i = 0; i < 2; i++)
        if (pieces[i].iov_len > 0) {
            p->out_iov[p->out_iovs++] = pieces[i];
            p->out[last].msg_hdr.msg_iovlen++;
        }
    p->segments[last]++;
    p->bytes[last] += len;
}

/* The packets of one message: to the peer without their header, or to the client with one. */
static void pass_message(struct pass *p, uint32_t flow, bool to_peer, uint8_t *data, size_t len,
                         size_t segment)
{
    for (size_t at = 0; at < len; at += segment) {
        size_t n = len - at < segment ? len - at : segment;
        struct iovec pieces[2] = { { p->header, LN_CHANNEL_HEADER_LEN }, { data + at, n } };

        if (to_peer) {
            if (n <= LN_CHANNEL_HEADER_LEN)
                continue;
            pieces[0].iov_len = 0;
            pieces[1] = (struct iovec){ data + at + LN_CHANNEL_HEADER_LEN,
                                        n - LN_CHANNEL_HEADER_LEN };
            add(p, p->f->back[flow], &p->f->peer, flow, pieces);
            continue;
        }
        if (n != p->header_of) {
            flush(p); /* what waits has the other length in it */
            ln_channel_data_write_header(p->header, CHANNEL, p->header_of = n);
        }
        add(p, p->f->front, &p->f->clients[flow], flow, pieces);
    }
}

/* What UDP_GRO says, or the whole of it. */
static size_t segment_of(struct msghdr *m, size_t len)
{
    int segment = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
    return segment > 0 ? (size_t)segment : len;
}

/* Reads once; `flow` NOBODY: from the clients. */
static void pass_ready(struct pass *p, int fd, uint32_t flow)
{
    int count;

    for (unsigned i = 0; i < MESSAGES; i++) {
        p->in_iov[i] = (struct iovec){ p->data + i * p->cap, p->cap };
        p->in[i].msg_hdr = (struct msghdr){ .msg_name = &p->from[i].name,
                                            .msg_namelen = sizeof p->from[i].name,
                                            .msg_iov = &p->in_iov[i],
                                            .msg_iovlen = 1,
                                            .msg_control = p->from[i].control,
                                            .msg_controllen = sizeof p->from[i].control };
    }
    count = recvmmsg(fd, p->in, MESSAGES, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        uint32_t of = flow == NOBODY ? p->flow_of_port[ntohs(p->from[i].name.sin_port)] : flow;
        size_t len = p->in[i].msg_len;

        if (of != NOBODY && len > 0)
            pass_message(p, of, flow == NOBODY, p->in_iov[i].iov_base, len,
                         segment_of(&p->in[i].msg_hdr, len));
    }
    flush(p);
}

static void watch(int set, int fd, uint32_t flow, bool trains)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = flow };
    int on = trains;

    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        _exit(1);
}

static _Noreturn void run(const struct bench_forwarder *f)
{
    struct pass *p = calloc(1, sizeof *p);
    struct epoll_event events[64];
    int set = epoll_create1(0);

    if (!p || set < 0)
        _exit(1);
    p->f = f;
    p->cap = f->trains ? TRAIN_CAP : DATAGRAM_CAP;
    p->data = calloc(MESSAGES, p->cap);
    p->last_flow = NOBODY;
    memset(p->flow_of_port, 0xFF, sizeof p->flow_of_port); /* NOBODY */
    if (!p->data)
        _exit(1);
    watch(set, f->front, NOBODY, f->trains);
    for (uint32_t i = 0; i < f->count; i++) {
        watch(set, f->back[i], i, f->trains);
        p->flow_of_port[ntohs(f->clients[i].sin_port)] = i;
    }
    for (;;) {
        int count = epoll_wait(set, events, 64, -1);

        for (int i = 0; i < count; i++) {
            uint32_t flow = events[i].data.u32;

            pass_ready(p, flow == NOBODY ? f->front : f->back[flow], flow);
        }
    }
}

pid_t bench_forwarder_start(const struct bench_forwarder *f)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(f);
    }
    return pid;
}
