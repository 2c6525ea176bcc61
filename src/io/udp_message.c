/* SPDX-License-Identifier: Apache-2.0
 * The message that sendmsg and sendmmsg take for a run: where it goes, and the notes that come with
 * it: segment size, traffic class (RFC 2474, RFC 3168), source address. */
#include "base/address.h"
#include "io/udp_run.h"

#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

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

bool ln_io_run_message(const struct ln_io_link *link, const struct ln_io_run *run,
                       struct ln_io_envelope *envelope, struct msghdr *ret_message)
{
    struct ln_address remote = run->path->remote;
    struct msghdr *message = ret_message;

    if (remote.family != link->local.family)
        return false;
    memset(envelope->control, 0, sizeof envelope->control);
    *message = (struct msghdr){ .msg_name = &envelope->name,
                                .msg_iov = run->iov,
                                .msg_iovlen = run->iov_count,
                                .msg_control = envelope->control };
    if (remote.scope == 0 && remote.family == LN_FAMILY_IPV6 && ln_address_is_link_local(&remote))
        remote.scope = run->path->local.scope ? run->path->local.scope : link->local.scope;
    message->msg_namelen = ln_sockaddr_set(&envelope->name, &remote);
    if (run->count > 1) {
        uint16_t segment = (uint16_t)run->segment;

        memcpy(add_note(message, SOL_UDP, UDP_SEGMENT, sizeof segment), &segment, sizeof segment);
    }
    if (run->ecn != LN_ECN_NOT_ECT || run->dscp != 0) {
        int class = (run->dscp ? run->dscp : link->dscp) << 2 | run->ecn;

        if (remote.family == LN_FAMILY_IPV4)
            note_int(message, IPPROTO_IP, IP_TOS, class);
        else
            note_int(message, IPPROTO_IPV6, IPV6_TCLASS, class);
    }
    note_local(message, link, &run->path->local);
    if (message->msg_controllen == 0)
        message->msg_control = NULL;
    return true;
}
