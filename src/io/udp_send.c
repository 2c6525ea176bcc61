/* SPDX-License-Identifier: Apache-2.0
 * Sending datagrams: trains with UDP_SEGMENT where the path allows it, one by one where not.
 *
 * A run is what one message takes (udp_run.h); those that may leave together go by udp_batch.c.
 * What finds the socket full waits, in order, for it to become writable; what has a not_before
 * waits for that; both are copied and bounded. */
#include "base/address.h"
#include "base/alloc.h"
#include "io/udp_run.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>

#define PASSES_EVERYWHERE         512u /* bytes of a datagram: within the 576 of RFC 1122, 3.3.2 */
#define SEGMENTATION_FAILURES_MAX 8    /* in a row, then it is not tried again on this socket */

/* ---- one system call ---- */

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

/* The system knows it by the socket, so that it is changed only where it matters: what is short
 * passes everywhere, and most sockets never send what must stay whole. */
static void choose_fragmentation(struct ln_io_link *link, const struct ln_io_run *run)
{
    size_t longest = run->count > 1 ? run->segment : run->len;
    bool whole = run->whole || (longest > link->whole_above && !run->may_fragment);

    if (link->whole_above == 0) {
        if (run->whole != link->whole)
            ln_io_udp_forbid_fragments(link, run->whole);
        return;
    }
    if (whole == link->whole || (!whole && longest <= PASSES_EVERYWHERE))
        return;
    ln_io_udp_allow_fragments(link->source.fd, (enum ln_family)link->local.family, !whole);
    link->whole = whole;
}

/* Returns 0 or an errno value. */
static int send_run(struct ln_io_link *link, const struct ln_io_run *run)
{
    struct ln_io_envelope envelope;
    struct msghdr message;
    int number;

    if (!ln_io_run_message(link, run, &envelope, &message))
        return EAFNOSUPPORT;
    choose_fragmentation(link, run);
    number = send_message(link, &message);
    if (number && may_be_of_another_send(number) && (number != EMSGSIZE || run->count == 1)) {
        ln_io_udp_errors(link);
        if (!link->endpoint)
            return 0;
        number = send_message(link, &message);
    }
    if (number == EAGAIN && ln_io_udp_widen(link))
        number = send_message(link, &message);
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
static struct ln_io_held *hold(struct ln_io_link *link, const struct ln_io_run *run, size_t first)
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
    held->may_fragment = run->may_fragment;
    held->whole = run->whole;
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

static void block(struct ln_io_link *link, const struct ln_io_run *run, size_t first)
{
    struct ln_io_held *held = hold(link, run, first);

    if (!held)
        return;
    ln_list_append(&link->blocked, &held->siblings);
    ln_io_source_set(link->loop, &link->source, EPOLLIN | EPOLLOUT);
}

/* ---- runs ---- */

/* The first link did not take it: told as a router tells it (RFC 1191, 4; RFC 4443, 3.2). */
static struct ln_icmp too_big(struct ln_io_link *link)
{
    bool ipv4 = link->local.family == LN_FAMILY_IPV4;

    link->first_mtu = 0;
    ln_io_udp_errors(link); /* where the system has put what it takes */
    if (link->first_mtu == 0)
        return (struct ln_icmp){ 0 }; /* no link would have */
    return (struct ln_icmp){ .type = ipv4 ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG,
                             .code = ipv4 ? ICMP_FRAG_NEEDED : 0,
                             .mtu = link->first_mtu };
}

static void report_failure(struct ln_io_link *link, const struct ln_io_run *run, int number)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED,
                                .link = link->id,
                                .path = *run->path,
                                .remote = run->path->remote,
                                .error = ln_error_from_errno(number) };

    if (number == EMSGSIZE)
        answer.icmp = too_big(link);
    link->loop->stats.send_errors++;
    if (link->endpoint)
        ln_io_answer(link->endpoint, &answer);
}

void ln_io_udp_count_sent(struct ln_io_link *link, const struct ln_io_run *run)
{
    link->loop->stats.datagrams_sent += run->count;
    link->loop->stats.bytes_sent += run->len;
}

static void count_sent(struct ln_io_link *link, const struct ln_io_run *run)
{
    link->loop->stats.send_calls++;
    ln_io_udp_count_sent(link, run);
}

/* Returns whether to go on with the rest of the transmit. */
static bool finish(struct ln_io_link *link, const struct ln_io_run *whole, size_t first, int number)
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

static bool send_one_by_one(struct ln_io_link *link, const struct ln_io_run *whole)
{
    for (size_t i = 0; i < whole->count; i++) {
        size_t at = i * whole->segment, left = whole->len - at;
        struct iovec piece;
        struct ln_io_run run = { .path = whole->path,
                                 .ecn = whole->ecn,
                                 .dscp = whole->dscp,
                                 .may_fragment = whole->may_fragment,
                                 .whole = whole->whole,
                                 .count = 1,
                                 .iov = &piece,
                                 .iov_count = 1 };
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

bool ln_io_udp_send_run(struct ln_io_link *link, struct ln_io_run *run)
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
static void next_run_of_bytes(struct ln_io_run *run, const uint8_t *data, size_t len,
                              size_t segment, size_t *at)
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
void ln_io_next_run_of_slices(struct ln_io_run *run, const struct ln_slice *slices, size_t count,
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

static struct ln_io_run run_of_held(const struct ln_io_held *held, struct iovec *piece)
{
    return (struct ln_io_run){ .path = &held->path,
                               .ecn = held->ecn,
                               .dscp = held->dscp,
                               .may_fragment = held->may_fragment,
                               .whole = held->whole,
                               .iov = piece };
}

static void held_is_due(void *ctx, ln_time now)
{
    struct ln_io_held *held = ctx;
    struct ln_loop *loop = held->loop;
    struct ln_io_link *link = ln_io_link_get(loop, held->path.link);
    struct iovec piece;
    struct ln_io_run run = run_of_held(held, &piece);
    size_t at = 0;

    (void)now;
    if (link && link->kind == LN_IO_UDP) {
        next_run_of_bytes(&run, held->data, held->len, held->segment ? held->segment : held->len,
                          &at);
        ln_io_udp_send_run(link, &run);
    } else {
        loop->stats.dropped_no_link++;
    }
    ln_io_held_free(held);
}

static void hold_until(struct ln_io_link *link, const struct ln_io_run *run, ln_time when)
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
    struct iovec pieces[LN_TRANSMIT_SEGMENTS_MAX];
    struct ln_io_run run = { .path = &transmit->path,
                             .ecn = transmit->ecn,
                             .dscp = transmit->dscp & 63,
                             .may_fragment = transmit->may_fragment,
                             .whole = transmit->whole,
                             .iov = pieces };
    size_t segment = transmit->segment ? transmit->segment : transmit->len, at = 0;
    bool go_on = true, wait = transmit->not_before > now;

    if (!link->hears_errors)
        ln_io_udp_hear_errors(link);
    if (ln_io_batch_take(link, now, transmit))
        return;
    do {
        if (transmit->slice_count > 0)
            ln_io_next_run_of_slices(&run, transmit->slices, transmit->slice_count, &at);
        else
            next_run_of_bytes(&run, transmit->data, transmit->len, segment, &at);
        if (wait)
            hold_until(link, &run, transmit->not_before);
        else
            go_on = ln_io_udp_send_run(link, &run);
    } while (go_on && link->endpoint &&
             at < (transmit->slice_count > 0 ? transmit->slice_count : transmit->len));
}

void ln_io_udp_flush(struct ln_io_link *link)
{
    struct ln_list batch;

    /* ln_io_udp_send_run() queues behind what is blocked: take the queue away, what is refused
     * again makes a new one in the same order. */
    ln_list_init(&batch);
    while (!ln_list_empty(&link->blocked)) {
        struct ln_list *first = link->blocked.next;

        ln_list_remove(first);
        ln_list_append(&batch, first);
    }
    ln_io_source_set(link->loop, &link->source, EPOLLIN);
    while (!ln_list_empty(&batch)) {
        struct ln_io_held *held = LN_CONTAINER(batch.next, struct ln_io_held, siblings);
        struct iovec piece;
        struct ln_io_run run = run_of_held(held, &piece);
        size_t at = 0;

        if (link->endpoint && !ln_list_empty(&link->blocked)) {
            ln_list_remove(&held->siblings); /* full again: moved over as it is */
            ln_list_append(&link->blocked, &held->siblings);
            continue;
        }
        if (link->endpoint) {
            next_run_of_bytes(&run, held->data, held->len,
                              held->segment ? held->segment : held->len, &at);
            ln_io_udp_send_run(link, &run);
        }
        ln_io_held_free(held);
    }
}
