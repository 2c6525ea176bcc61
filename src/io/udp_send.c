/* SPDX-License-Identifier: Apache-2.0
 * Sending datagrams: trains with UDP_SEGMENT where the path allows it, one by one where not.
 *
 * A run is what one sendmsg call takes: datagrams of one size (the last may be shorter) for one
 * path, in one piece of memory or in a slice each. What finds the socket full waits, in order, for
 * it to become writable; what has a not_before waits for that; both are copied and bounded. */
#include "base/address.h"
#include "base/alloc.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define SEGMENTATION_FAILURES_MAX 8 /* in a row, then it is not tried again on this socket */

struct run {
    const struct ln_path *path;
    uint8_t ecn, dscp;
    bool may_fragment;
    size_t segment; /* size of all but the last datagram */
    size_t count;   /* datagrams */
    size_t len;     /* bytes */
    struct iovec iov[LN_TRANSMIT_SEGMENTS_MAX];
    size_t iov_count; /* 1 or count */
};

/* ---- one system call ---- */

static void *add_note(struct msghdr *message, int level, int type, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)message->msg_control +
                                                   message->msg_controllen);

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    message->msg_controllen += CMSG_SPACE(len);
    return CMSG_DATA(c);
}

static void note_int(struct msghdr *message, int level, int type, int value)
{
    memcpy(add_note(message, level, type, sizeof value), &value, sizeof value);
}

/* The source address, where the socket leaves it open. */
static void note_local(struct msghdr *message, const struct ln_io_link *link,
                       const struct ln_address *local)
{
    if (!link->wildcard || local->family != link->local.family || ln_address_is_unspecified(local))
        return;
    if (local->family == LN_FAMILY_IPV4) {
        struct in_pktinfo info = { 0 };

        memcpy(&info.ipi_spec_dst, local->ip, 4);
        memcpy(add_note(message, IPPROTO_IP, IP_PKTINFO, sizeof info), &info, sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = local->scope };

        memcpy(&info.ipi6_addr, local->ip, 16);
        memcpy(add_note(message, IPPROTO_IPV6, IPV6_PKTINFO, sizeof info), &info, sizeof info);
    }
}

static int send_message(struct ln_io_link *link, const struct msghdr *message)
{
    ssize_t n;

    do {
        n = sendmsg(link->source.fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

/* What an ICMP message may leave on a socket: the next send gets it, wherever it goes. */
static bool may_be_of_another_send(int number)
{
    return number == ECONNREFUSED || number == EHOSTUNREACH || number == ENETUNREACH ||
           number == ENOPROTOOPT || number == EPROTO || number == EHOSTDOWN || number == ENONET ||
           number == EMSGSIZE || number == EACCES;
}

/* Returns 0 or an errno value. */
static int send_run(struct ln_io_link *link, struct run *run)
{
    _Alignas(struct cmsghdr)
        uint8_t control[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) +
                        CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
    struct ln_address remote = run->path->remote;
    union ln_sockaddr name;
    struct msghdr message = {
        .msg_name = &name, .msg_iov = run->iov, .msg_iovlen = run->iov_count, .msg_control = control
    };
    int number;

    if (remote.family != link->local.family)
        return EAFNOSUPPORT;
    if (remote.scope == 0 && remote.family == LN_FAMILY_IPV6 && ln_address_is_link_local(&remote))
        remote.scope = run->path->local.scope ? run->path->local.scope : link->local.scope;
    message.msg_namelen = ln_sockaddr_set(&name, &remote);
    if (run->count > 1) {
        uint16_t segment = (uint16_t)run->segment;

        memcpy(add_note(&message, SOL_UDP, UDP_SEGMENT, sizeof segment), &segment, sizeof segment);
    }
    if (run->ecn != LN_ECN_NOT_ECT || run->dscp != 0) {
        int class = (run->dscp ? run->dscp : link->dscp) << 2 | run->ecn;

        if (remote.family == LN_FAMILY_IPV4)
            note_int(&message, IPPROTO_IP, IP_TOS, class);
        else
            note_int(&message, IPPROTO_IPV6, IPV6_TCLASS, class);
    }
    note_local(&message, link, &run->path->local);
    if (message.msg_controllen == 0)
        message.msg_control = NULL;
    if (run->may_fragment)
        ln_io_udp_allow_fragments(link->source.fd, remote.family, true);
    number = send_message(link, &message);
    if (run->may_fragment)
        ln_io_udp_allow_fragments(link->source.fd, remote.family, false);
    if (number && may_be_of_another_send(number) && (number != EMSGSIZE || run->count == 1)) {
        ln_io_udp_errors(link);
        if (!link->endpoint)
            return 0;
        number = send_message(link, &message);
    }
    return number;
}

/* ---- waiting ---- */

void ln_io_held_free(struct ln_io_held *held)
{
    struct ln_loop *loop = held->loop;

    loop->held_bytes -= sizeof *held + held->len;
    ln_loop_timer_deinit(&held->timer);
    ln_list_remove(&held->siblings);
    ln_free(loop->env->allocator, held);
}

void ln_io_udp_drop_blocked(struct ln_io_link *link)
{
    if (link->kind != LN_IO_UDP)
        return;
    LN_LIST_EACH_SAFE (at, after, &link->blocked)
        ln_io_held_free(LN_CONTAINER(at, struct ln_io_held, siblings));
}

/* A copy of the run from its first-th datagram on; NULL when there is no room for it. */
static struct ln_io_held *hold(struct ln_io_link *link, const struct run *run, size_t first)
{
    struct ln_loop *loop = link->loop;
    size_t skip = first * run->segment, len = run->len - skip, at = 0;
    struct ln_io_held *held = NULL;

    if (loop->held_bytes + sizeof *held + len <= loop->config.datagram_queue_max)
        held = ln_alloc(loop->env->allocator, sizeof *held + len);
    if (!held) {
        loop->stats.dropped_queue_full += run->count - first;
        return NULL;
    }
    memset(held, 0, sizeof *held);
    ln_list_init(&held->siblings);
    held->loop = loop;
    held->path = *run->path;
    held->ecn = run->ecn;
    held->dscp = run->dscp;
    held->segment = run->count - first > 1 ? run->segment : 0;
    held->len = len;
    for (size_t i = 0; i < run->iov_count; i++) {
        size_t size = run->iov[i].iov_len, jump = skip < size ? skip : size;

        if (size > jump)
            memcpy(held->data + at, (const uint8_t *)run->iov[i].iov_base + jump, size - jump);
        at += size - jump;
        skip -= jump;
    }
    assert(at == len);
    loop->held_bytes += sizeof *held + len;
    return held;
}

static void block(struct ln_io_link *link, const struct run *run, size_t first)
{
    struct ln_io_held *held = hold(link, run, first);

    if (!held)
        return;
    ln_list_append(&link->blocked, &held->siblings);
    ln_io_source_set(link->loop, &link->source, EPOLLIN | EPOLLOUT);
}

/* ---- runs ---- */

static void report_failure(struct ln_io_link *link, const struct run *run, int number)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED,
                                .link = link->id,
                                .path = *run->path,
                                .remote = run->path->remote,
                                .error = ln_error_from_errno(number) };

    link->loop->stats.send_errors++;
    if (link->endpoint)
        ln_io_answer(link->endpoint, &answer);
}

static void count_sent(struct ln_io_link *link, const struct run *run)
{
    link->loop->stats.send_calls++;
    link->loop->stats.datagrams_sent += run->count;
    link->loop->stats.bytes_sent += run->len;
}

/* Returns whether to go on with the rest of the transmit. */
static bool finish(struct ln_io_link *link, const struct run *whole, size_t first, int number)
{
    switch (number) {
    case 0:
        return true;
    case EAGAIN:
        block(link, whole, first);
        return true; /* what follows queues behind it */
    case ENOBUFS:
    case ENOMEM: /* a full qdisc: as if lost on the way, and epoll would not tell of room */
        link->loop->stats.dropped_by_system += whole->count - first;
        return true;
    default:
        report_failure(link, whole, number);
        return false;
    }
}

static bool send_one_by_one(struct ln_io_link *link, const struct run *whole)
{
    for (size_t i = 0; i < whole->count; i++) {
        size_t at = i * whole->segment, left = whole->len - at;
        struct run run = {
            .path = whole->path, .ecn = whole->ecn, .dscp = whole->dscp, .count = 1, .iov_count = 1
        };
        int number;

        if (whole->iov_count > 1) {
            run.iov[0] = whole->iov[i];
        } else {
            run.iov[0].iov_base = (uint8_t *)whole->iov[0].iov_base + at;
            run.iov[0].iov_len = left < whole->segment ? left : whole->segment;
        }
        run.len = run.segment = run.iov[0].iov_len;
        number = send_run(link, &run);
        if (number == 0)
            count_sent(link, &run);
        if (!finish(link, whole, i, number))
            return false;
        if (number)
            return true; /* the rest was blocked or dropped with it */
    }
    return true;
}

static bool transmit_run(struct ln_io_link *link, struct run *run)
{
    int number;

    if (!ln_list_empty(&link->blocked)) {
        block(link, run, 0);
        return true;
    }
    if (run->count > 1 && !link->segmentation)
        return send_one_by_one(link, run);
    number = send_run(link, run);
    if (number == 0) {
        count_sent(link, run);
        if (run->count > 1)
            link->segmentation_failures = 0;
        return true;
    }
    /* EIO: the device has no checksum offload; EINVAL, EMSGSIZE: a segment is larger than the path
     * takes. The first never changes, the others may. */
    if (run->count > 1 && (number == EIO || number == EINVAL || number == EMSGSIZE)) {
        link->loop->stats.segmentation_refused++;
        if (number == EIO || ++link->segmentation_failures >= SEGMENTATION_FAILURES_MAX)
            link->segmentation = false;
        return send_one_by_one(link, run);
    }
    return finish(link, run, 0, number);
}

/* ---- a transmit ---- */

/* Cuts the next run off data[*at..len), equal datagrams back to back. */
static void next_run_of_bytes(struct run *run, const uint8_t *data, size_t len, size_t segment,
                              size_t *at)
{
    size_t left = len - *at, most;

    if (segment == 0)
        segment = 1; /* one empty datagram */
    most = LN_TRANSMIT_BYTES_MAX / segment;
    if (most > LN_TRANSMIT_SEGMENTS_MAX)
        most = LN_TRANSMIT_SEGMENTS_MAX;
    run->segment = segment;
    run->len = left < most * segment ? left : most * segment;
    run->count = run->len > 0 ? (run->len + segment - 1) / segment : 1;
    run->iov_count = 1;
    run->iov[0].iov_base = (void *)(uintptr_t)(data + *at);
    run->iov[0].iov_len = run->len;
    *at += run->len;
}

/* Cuts the next run off the slices from *at on: equal sizes, the last may be shorter. */
static void next_run_of_slices(struct run *run, const struct ln_slice *slices, size_t count,
                               size_t *at)
{
    run->segment = slices[*at].len;
    run->len = run->count = 0;
    while (*at < count && run->count < LN_TRANSMIT_SEGMENTS_MAX) {
        const struct ln_slice *slice = &slices[*at];

        if (run->count > 0 && (slice->len > run->segment || slice->len == 0 ||
                               run->len + slice->len > LN_TRANSMIT_BYTES_MAX))
            break;
        run->iov[run->count].iov_base = (void *)(uintptr_t)slice->base;
        run->iov[run->count].iov_len = slice->len;
        run->count++;
        run->len += slice->len;
        ++*at;
        if (slice->len < run->segment || slice->len == 0)
            break;
    }
    run->iov_count = run->count;
}

static void held_is_due(void *ctx, ln_time now)
{
    struct ln_io_held *held = ctx;
    struct ln_loop *loop = held->loop;
    struct ln_io_link *link = ln_io_link_get(loop, held->path.link);
    struct run run = { .path = &held->path, .ecn = held->ecn, .dscp = held->dscp };
    size_t at = 0;

    (void)now;
    if (link && link->kind == LN_IO_UDP) {
        next_run_of_bytes(&run, held->data, held->len, held->segment ? held->segment : held->len,
                          &at);
        transmit_run(link, &run);
    } else {
        loop->stats.dropped_no_link++;
    }
    ln_io_held_free(held);
}

static void hold_until(struct ln_io_link *link, const struct run *run, ln_time when)
{
    struct ln_io_held *held = hold(link, run, 0);

    if (!held)
        return;
    ln_list_append(&link->loop->held, &held->siblings);
    if (ln_loop_timer_init(link->loop, &held->timer, held_is_due, held) != 0) {
        link->loop->stats.dropped_queue_full += run->count;
        ln_io_held_free(held);
        return;
    }
    ln_loop_timer_set(&held->timer, when);
}

void ln_io_udp_transmit(struct ln_io_link *link, ln_time now, const struct ln_transmit *transmit)
{
    struct run run = { .path = &transmit->path,
                       .ecn = transmit->ecn,
                       .dscp = transmit->dscp & 63,
                       .may_fragment = transmit->may_fragment };
    size_t segment = transmit->segment ? transmit->segment : transmit->len, at = 0;
    bool go_on = true, wait = transmit->not_before > now;

    do {
        if (transmit->slice_count > 0)
            next_run_of_slices(&run, transmit->slices, transmit->slice_count, &at);
        else
            next_run_of_bytes(&run, transmit->data, transmit->len, segment, &at);
        if (wait)
            hold_until(link, &run, transmit->not_before);
        else
            go_on = transmit_run(link, &run);
    } while (go_on && link->endpoint &&
             at < (transmit->slice_count > 0 ? transmit->slice_count : transmit->len));
}

void ln_io_udp_flush(struct ln_io_link *link)
{
    struct ln_list batch;

    /* transmit_run() queues behind what is blocked: take the queue away, what is refused again
     * makes a new one in the same order. */
    ln_list_init(&batch);
    while (!ln_list_empty(&link->blocked)) {
        struct ln_list *first = link->blocked.next;

        ln_list_remove(first);
        ln_list_append(&batch, first);
    }
    ln_io_source_set(link->loop, &link->source, EPOLLIN);
    while (!ln_list_empty(&batch)) {
        struct ln_io_held *held = LN_CONTAINER(batch.next, struct ln_io_held, siblings);
        struct run run = { .path = &held->path, .ecn = held->ecn, .dscp = held->dscp };
        size_t at = 0;

        if (link->endpoint && !ln_list_empty(&link->blocked)) {
            ln_list_remove(&held->siblings); /* full again: moved over as it is */
            ln_list_append(&link->blocked, &held->siblings);
            continue;
        }
        if (link->endpoint) {
            next_run_of_bytes(&run, held->data, held->len,
                              held->segment ? held->segment : held->len, &at);
            transmit_run(link, &run);
        }
        ln_io_held_free(held);
    }
}
