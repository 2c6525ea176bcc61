/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/fault.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local struct fault sendmsg_fault;
_Thread_local int netlink_fault, torn_dumps;

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

/* As if the first address had been added while the list was read. */
static void tear(uint8_t *data, size_t len)
{
    struct nlmsghdr head;

    if (len < sizeof head)
        return;
    memcpy(&head, data, sizeof head);
    if (head.nlmsg_type != RTM_NEWADDR)
        return;
    head.nlmsg_type = NLMSG_NOOP;
    head.nlmsg_flags |= NLM_F_DUMP_INTR;
    memcpy(data, &head, sizeof head);
    torn_dumps--;
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *data, size_t cap, int flags)
{
    ssize_t n = (ssize_t)syscall(SYS_recvfrom, fd, data, cap, flags, NULL, NULL);
    int domain = 0;
    socklen_t len = sizeof domain;

    if (n > 0 && torn_dumps > 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
        domain == AF_NETLINK)
        tear(data, (size_t)n);
    return n;
}
