/* SPDX-License-Identifier: Apache-2.0
 * Streams that are not for the object whose listener took them: they go to the loop's taker, as
 * they are after a look at their first byte, or as one end of a pair whose other end is a stream of
 * the object.
 *
 * Invariant: a descriptor has one owner; what was given away is closed by the taker alone. */
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

void ln_loop_set_taker(struct ln_loop *loop, const struct ln_loop_taker *taker, void *ctx)
{
    loop->taker = taker;
    loop->taker_ctx = ctx;
}

bool ln_io_give_away(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;
    struct ln_address remote = link->remote;
    uint8_t first;
    int fd;

    if (recv(link->source.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false; /* the end, or an error: the reading that follows finds it too */
    link->unseen = false;
    if (!loop->taker || !loop->taker->wants(loop->taker_ctx, first))
        return false;
    fd = fcntl(link->source.fd, F_DUPFD_CLOEXEC, 0);
    ln_io_link_fail(link, 0);
    if (fd >= 0)
        loop->taker->take(loop->taker_ctx, fd, &remote, false);
    return true;
}

int ln_io_pair_open(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_loop *loop = endpoint->loop;
    struct ln_io_link *link;
    int ends[2], error;

    if (!loop->taker)
        return LN_ERR_NOT_SUPPORTED;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return ln_error_from_errno(errno);
    error = ln_io_stream_create(endpoint, ends[0], EPOLLIN, &link);
    if (error) {
        close(ends[1]);
        return error;
    }
    link->pair = true;
    link->request_id = request->id;
    link->local = request->local;
    link->remote = request->remote;
    loop->taker->take(loop->taker_ctx, ends[1], &request->remote, true);
    ln_io_stream_opened(link);
    return 0;
}
