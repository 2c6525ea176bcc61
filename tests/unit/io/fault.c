/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/fault.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local struct fault sendmsg_fault;
_Thread_local int netlink_fault;

static bool is_train(const struct msghdr *message)
{
    const struct cmsghdr *c = message->msg_controllen > 0 ? CMSG_FIRSTHDR(message) : NULL;

    return c && c->cmsg_level == IPPROTO_UDP;
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    struct fault *fault = &sendmsg_fault;

    if (fault->times > 0 && (!fault->trains_only || is_train(message)) && fault->skip-- <= 0) {
        fault->times--;
        errno = fault->number;
        return -1;
    }
    return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
}

/* One by one, as the system does: it stops at the first that fails. */
__attribute__((visibility("default"))) int sendmmsg(int fd, struct mmsghdr *messages,
                                                    unsigned count, int flags)
{
    unsigned sent = 0;

    for (; sent < count; sent++) {
        ssize_t n = sendmsg(fd, &messages[sent].msg_hdr, flags);

        if (n < 0)
            return sent > 0 ? (int)sent : -1;
        messages[sent].msg_len = (unsigned)n;
    }
    return (int)sent;
}

__attribute__((visibility("default"))) int socket(int domain, int type, int protocol)
{
    if (domain == AF_NETLINK && netlink_fault) {
        errno = netlink_fault;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}
