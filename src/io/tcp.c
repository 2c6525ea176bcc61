/* SPDX-License-Identifier: Apache-2.0
 * TCP: connecting, listening, and streams with a bounded queue of unsent bytes.
 *
 * What is handed over goes to the kernel at once while nothing waits; the rest is copied to a ring
 * that epoll empties. A stream that is closed with bytes in that ring goes on sending for a while
 * without its object. */
#include "base/alloc.h"
#include "base/time.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define BACKLOG          128
#define ACCEPTS_PER_TURN 16
#define PIECES_PER_TURN  16
#define FLUSH_PATIENCE   LN_SECONDS(2)        /* nothing of the rest is taken */
#define FLUSH_LIMIT      LN_SECONDS(60)       /* of the rest in all */
#define ACCEPT_PAUSE     LN_MILLISECONDS(100) /* no descriptor is left: others may close theirs */
#define FIRST_QUEUE      4096u

static void stream_ready(struct ln_io_source *source, uint32_t events);

static void set_stream_options(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void ln_io_stream_opened(struct ln_io_link *link)
{
    struct ln_answer answer = { .kind = LN_ANSWER_OPENED,
                                .id = link->request_id,
                                .link = link->id,
                                .local = link->local,
                                .remote = link->remote,
                                .bytes = link->loop->config.stream_queue_max };

    answer.path.link = link->id;
    answer.path.local = link->local;
    answer.path.remote = link->remote;
    ln_io_answer(link->endpoint, &answer);
}

static void share_port(int fd, bool with_others)
{
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (with_others)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

/* ---- connecting ---- */

static void connect_failed(struct ln_io_link *link, int error)
{
    struct ln_loop_endpoint *endpoint = link->endpoint;
    uint32_t id = link->request_id;

    ln_io_link_close(link);
    ln_io_answer_failed(endpoint, id, error);
}

static void connect_done(struct ln_io_link *link)
{
    link->connecting = false;
    ln_loop_timer_set(&link->timer, LN_TIME_NEVER);
    ln_io_bound_address(link->source.fd, &link->local);
    ln_io_source_set(link->loop, &link->source, EPOLLIN);
    ln_io_stream_opened(link);
}

/* The time is over: of a connect that nobody answers, or of a flush. */
static void stream_time_is_over(void *ctx, ln_time now)
{
    struct ln_io_link *link = ctx;

    (void)now;
    if (link->endpoint)
        connect_failed(link, LN_ERR_TIMEOUT);
    else
        ln_io_link_close(link);
}

int ln_io_stream_create(struct ln_loop_endpoint *endpoint, int fd, uint32_t events,
                        struct ln_io_link **ret_link)
{
    struct ln_io_link *link;
    int error = ln_io_link_create(endpoint, LN_IO_STREAM, fd, &link);

    if (error) {
        close(fd);
        return error;
    }
    set_stream_options(fd);
    link->window = SIZE_MAX;
    link->source.ready = stream_ready;
    error = ln_loop_timer_init(endpoint->loop, &link->timer, stream_time_is_over, link);
    if (!error)
        error = ln_io_source_add(endpoint->loop, &link->source, events);
    if (error) {
        ln_io_link_close(link);
        return error;
    }
    *ret_link = link;
    return 0;
}

int ln_io_tcp_connect(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_loop *loop = endpoint->loop;
    union ln_sockaddr name;
    socklen_t len = ln_sockaddr_set(&name, &request->remote);
    struct ln_io_link *link;
    int error = 0, fd = ln_io_socket(&request->remote, SOCK_STREAM);

    if (fd < 0)
        return ln_error_from_errno(-fd);
    if (request->local.port != 0) /* it may be a listener's, or was that of a stream just closed */
        share_port(fd, true);
    if (request->local.family != LN_FAMILY_NONE)
        error = ln_io_bind(fd, &request->local);
    if (!error && connect(fd, &name.any, len) != 0 && errno != EINPROGRESS)
        error = ln_error_from_errno(errno);
    if (error) {
        close(fd);
        return error;
    }
    error = ln_io_stream_create(endpoint, fd, EPOLLOUT, &link);
    if (error)
        return error;
    link->request_id = request->id;
    link->remote = request->remote;
    link->connecting = true;
    ln_loop_timer_set(&link->timer, ln_loop_now(loop) + loop->config.connect_timeout);
    return 0;
}

/* ---- listening ---- */

static void accept_again(void *ctx, ln_time now)
{
    struct ln_io_link *listener = ctx;

    (void)now;
    ln_io_source_set(listener->loop, &listener->source, EPOLLIN);
}

static void pause_accepting(struct ln_io_link *listener)
{
    ln_io_source_set(listener->loop, &listener->source, 0);
    ln_loop_timer_set(&listener->timer, ln_loop_now(listener->loop) + ACCEPT_PAUSE);
}

static void accepted(struct ln_io_link *listener, int fd, const union ln_sockaddr *name)
{
    struct ln_io_link *link;

    if (listener->streams >= listener->loop->config.streams_max) {
        close(fd);
        return;
    }
    if (ln_io_stream_create(listener->endpoint, fd, EPOLLIN, &link) != 0)
        return;
    link->request_id = listener->request_id;
    link->listener = listener->id;
    link->unseen = listener->shared && listener->loop->taker;
    listener->streams++;
    ln_io_bound_address(fd, &link->local);
    ln_sockaddr_get(name, &link->remote);
    ln_io_stream_opened(link);
}

static void listener_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_io_link *listener = LN_CONTAINER(source, struct ln_io_link, source);

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->endpoint; i++) {
        union ln_sockaddr name = { 0 };
        socklen_t len = sizeof name;
        int fd = accept4(source->fd, &name.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            accepted(listener, fd, &name);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* mostly EAGAIN; else an error of that one connection, gone with it */
        }
    }
}

/* Of the sockets that share a port, the system takes the one that this program names by its place
 * among them: the source address (of IPv6 its /64) modulo their number. */
static int choose_by_source(int fd, unsigned count)
{
    const uint32_t net = (uint32_t)SKF_NET_OFF; /* the packet, from its IP header on */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, net), /* the version */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, net + 12),
        BPF_STMT(BPF_JMP | BPF_JA, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, net + 8),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, net + 12),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0
               ? 0
               : ln_error_from_errno(errno);
}

int ln_io_tcp_listen(struct ln_loop_endpoint *endpoint, const struct ln_request *request,
                     struct ln_io_link **ret_link)
{
    struct ln_io_link *link = NULL;
    const struct ln_loop_config *config = &endpoint->loop->config;
    int error, fd = ln_io_socket(&request->local, SOCK_STREAM);

    if (fd < 0)
        return ln_error_from_errno(-fd);
    share_port(fd, false);
    error = ln_io_bind_port(fd, request, config);
    if (request->exclusive) /* nobody shared it while it was bound; from now on our own streams */
        share_port(fd, true);
    if (!error && listen(fd, BACKLOG) != 0)
        error = ln_error_from_errno(errno);
    if (!error && ln_io_shares_port(request, config) && config->by_source > 1)
        error = choose_by_source(fd, config->by_source);
    if (!error)
        error = ln_io_link_create(endpoint, LN_IO_LISTENER, fd, &link);
    if (error) {
        close(fd);
        return error;
    }
    link->request_id = request->id;
    link->shared = request->shared;
    link->source.ready = listener_ready;
    ln_io_bound_address(fd, &link->local);
    error = ln_loop_timer_init(endpoint->loop, &link->timer, accept_again, link);
    if (!error)
        error = ln_io_source_add(endpoint->loop, &link->source, EPOLLIN);
    if (error) {
        ln_io_link_close(link);
        return error;
    }
    *ret_link = link;
    return 0;
}

/* ---- sending ---- */

void ln_io_tcp_forget(struct ln_io_link *link)
{
    ln_free(link->loop->env->allocator, link->out);
    link->out = NULL;
    link->out_cap = link->out_head = link->out_len = 0;
}

/* Hands pieces to the kernel; sets *ret_sent. Returns 0 (also when it took only a part) or an
 * error. */
static int write_pieces(struct ln_io_link *link, struct iovec *pieces, size_t count,
                        size_t *ret_sent)
{
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
    ssize_t n;

    do {
        n = sendmsg(link->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    *ret_sent = n > 0 ? (size_t)n : 0;
    return n >= 0 || errno == EAGAIN ? 0 : ln_error_from_errno(errno);
}

/* Makes the ring hold `need` bytes. */
static int grow_queue(struct ln_io_link *link, size_t need)
{
    size_t first, cap = link->out_cap ? link->out_cap : FIRST_QUEUE;
    uint8_t *out;

    if (need > link->loop->config.stream_queue_max)
        return LN_ERR_LIMIT;
    if (need <= link->out_cap)
        return 0;
    while (cap < need)
        cap *= 2;
    out = ln_alloc(link->loop->env->allocator, cap);
    if (!out)
        return LN_ERR_NOMEM;
    first = link->out_cap - link->out_head;
    if (first > link->out_len)
        first = link->out_len;
    if (link->out_len > 0) {
        memcpy(out, link->out + link->out_head, first);
        memcpy(out + first, link->out, link->out_len - first);
    }
    ln_free(link->loop->env->allocator, link->out);
    link->out = out;
    link->out_cap = cap;
    link->out_head = 0;
    return 0;
}

static void append(struct ln_io_link *link, const uint8_t *data, size_t len)
{
    size_t at = (link->out_head + link->out_len) % link->out_cap, first = link->out_cap - at;

    if (first > len)
        first = len;
    memcpy(link->out + at, data, first);
    memcpy(link->out, data + first, len - first);
    link->out_len += len;
}

static int queue_rest(struct ln_io_link *link, const struct iovec *pieces, size_t count,
                      size_t sent, size_t len)
{
    int error = grow_queue(link, link->out_len + len - sent);

    if (error)
        return error;
    for (size_t i = 0; i < count; i++) {
        size_t skip = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;

        if (pieces[i].iov_len > skip)
            append(link, (const uint8_t *)pieces[i].iov_base + skip, pieces[i].iov_len - skip);
        sent -= skip;
    }
    return 0;
}

/* Tells the room again after at least half of the queue's size went through it. */
static void announce_room(struct ln_io_link *link)
{
    size_t limit = link->loop->config.stream_queue_max;
    struct ln_answer answer = { .kind = LN_ANSWER_WRITABLE,
                                .link = link->id,
                                .bytes = limit - link->out_len };

    if (!link->endpoint || link->taken < limit / 2 || link->out_len > limit / 4)
        return;
    link->taken = 0;
    answer.path.link = link->id;
    answer.path.local = link->local;
    answer.path.remote = link->remote;
    ln_io_answer(link->endpoint, &answer);
}

/* A pair's other end that was closed is told as a hang-up at once, whatever there is still to be
 * read; EPOLLONESHOT has it told once, until the window is open again. */
static void await_room(struct ln_io_link *link)
{
    uint32_t events = link->endpoint && link->window > 0 ? (uint32_t)EPOLLIN : 0u;

    if (link->out_len > 0)
        events |= (uint32_t)EPOLLOUT;
    else if (link->pair && events == 0)
        events = (uint32_t)EPOLLONESHOT;
    ln_io_source_set(link->loop, &link->source, events);
}

/* Who closed the other end of a pair may have left something to be read: it goes before the end. */
static bool write_failed_alone(struct ln_io_link *link, int error)
{
    if (!link->pair || !link->endpoint || error == LN_ERR_LIMIT || error == LN_ERR_NOMEM)
        return false;
    ln_io_tcp_forget(link);
    return true;
}

void ln_io_tcp_transmit(struct ln_io_link *link, const struct ln_transmit *transmit)
{
    struct iovec pieces[LN_TRANSMIT_SEGMENTS_MAX];
    size_t count = 1, len = transmit->len, sent = 0;
    int error = 0;

    if (link->connecting) {
        link->loop->stats.dropped_no_link++;
        return;
    }
    if (transmit->slice_count > 0) {
        for (count = len = 0; count < transmit->slice_count; count++) {
            pieces[count].iov_base = (void *)(uintptr_t)transmit->slices[count].base;
            pieces[count].iov_len = transmit->slices[count].len;
            len += transmit->slices[count].len;
        }
    } else {
        pieces[0].iov_base = transmit->data;
        pieces[0].iov_len = len;
    }
    if (link->out_len == 0)
        error = write_pieces(link, pieces, count, &sent);
    if (!error && sent < len)
        error = queue_rest(link, pieces, count, sent, len);
    if (error && !write_failed_alone(link, error))
        ln_io_link_fail(link, error);
    if (error)
        return;
    link->taken += len;
    link->loop->stats.bytes_sent += len;
    await_room(link);
    announce_room(link);
}

/* Of a stream that is closed for its object. */
static void await_flush(struct ln_io_link *link)
{
    ln_loop_timer_set(&link->timer,
                      ln_time_min(ln_loop_now(link->loop) + FLUSH_PATIENCE, link->flush_end));
}

/* Sends what waits. Returns 0 or an error. */
static int flush(struct ln_io_link *link)
{
    while (link->out_len > 0) {
        struct iovec pieces[2];
        size_t first = link->out_cap - link->out_head, sent;
        int error;

        if (first > link->out_len)
            first = link->out_len;
        pieces[0].iov_base = link->out + link->out_head;
        pieces[0].iov_len = first;
        pieces[1].iov_base = link->out;
        pieces[1].iov_len = link->out_len - first;
        error = write_pieces(link, pieces, pieces[1].iov_len > 0 ? 2 : 1, &sent);
        if (error)
            return error;
        if (sent == 0)
            break;
        link->out_head = (link->out_head + sent) % link->out_cap;
        link->out_len -= sent;
        if (!link->endpoint)
            await_flush(link);
    }
    if (link->out_len == 0)
        ln_io_tcp_forget(link);
    return 0;
}

/* ---- receiving ---- */

void ln_io_tcp_set_window(struct ln_io_link *link, size_t bytes)
{
    link->window = bytes;
    await_room(link);
}

static void take_from_window(struct ln_io_link *link, size_t len)
{
    if (link->window == SIZE_MAX)
        return;
    link->window -= len;
    if (link->window == 0)
        await_room(link);
}

/* What the system says of a stream that is not read at the moment: that it is broken. */
static void closed_window_ready(struct ln_io_link *link)
{
    int number = 0;
    socklen_t len = sizeof number;

    if (getsockopt(link->source.fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    ln_io_link_fail(link, number ? ln_error_from_errno(number) : 0);
}

static void read_stream(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;

    if (link->unseen && ln_io_give_away(link))
        return;
    for (int i = 0; i < PIECES_PER_TURN && link->endpoint && link->window > 0; i++) {
        struct ln_loop_endpoint *endpoint = link->endpoint;
        struct ln_packet packet = { .data = loop->receive->data[0], .path = { .link = link->id } };
        size_t cap = link->window < LN_IO_STREAM_PIECE ? link->window : LN_IO_STREAM_PIECE;
        ssize_t n = recv(link->source.fd, packet.data, cap, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            ln_io_link_fail(link, n < 0 ? ln_error_from_errno(errno) : 0);
            return;
        }
        packet.len = (size_t)n;
        take_from_window(link, packet.len);
        packet.path.local = link->local;
        packet.path.remote = link->remote;
        loop->stats.bytes_received += packet.len;
        endpoint->endpoint.ops->receive(endpoint->endpoint.object, ln_loop_now(loop), &packet);
        ln_io_touch(endpoint);
        if (packet.len < cap)
            return;
    }
}

static void connecting_ready(struct ln_io_link *link)
{
    int number = 0;
    socklen_t len = sizeof number;

    if (getsockopt(link->source.fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number)
        connect_failed(link, ln_error_from_errno(number));
    else
        connect_done(link);
}

static void stream_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_io_link *link = LN_CONTAINER(source, struct ln_io_link, source);
    int error = 0;

    if (link->connecting) {
        connecting_ready(link);
        return;
    }
    if (link->out_len > 0)
        error = flush(link);
    if (error && write_failed_alone(link, error))
        error = 0;
    if (error || (!link->endpoint && link->out_len == 0)) {
        ln_io_link_fail(link, error);
        return;
    }
    await_room(link);
    announce_room(link);
    if (events & (EPOLLHUP | EPOLLERR) && link->endpoint && link->window == 0 && !link->pair)
        closed_window_ready(link);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_stream(link);
    if (!link->endpoint && source->fd >= 0 && events & (EPOLLHUP | EPOLLERR))
        ln_io_link_close(link);
}

/* ---- closing ---- */

void ln_io_tcp_close(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;

    if (link->connecting || link->out_len == 0) {
        ln_io_link_close(link);
        return;
    }
    ln_io_link_detach(link);
    ln_list_append(&loop->flushing, &link->siblings);
    link->flush_end = ln_loop_now(loop) + FLUSH_LIMIT;
    await_flush(link);
    await_room(link);
}
