/* SPDX-License-Identifier: Apache-2.0
 * The machine's interfaces and their addresses, by route netlink (rtnetlink(7)), which unlike
 * getifaddrs() also tells temporary and deprecated addresses (RFC 4941, RFC 4862).
 *
 * One monitor a loop hears of changes; they come in bursts, so the list is read anew 200 ms after
 * the first, and told only if it differs. While the monitor is silent the last list is valid. Where
 * route netlink is forbidden (some sandboxes), getifaddrs() gives what it can, and no changes. */
#include "base/alloc.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#define DEBOUNCE    LN_MILLISECONDS(200)
#define DUMP_BUFFER 32768
#define DUMPS       8 /* while the list changes under the reader */

struct ln_io_interfaces {
    struct ln_loop *loop;
    struct ln_io_source monitor;
    struct ln_loop_timer debounce;
    bool valid, waiting;
    size_t count;
    struct ln_interface list[LN_IO_INTERFACES_MAX];
    /* while reading */
    bool torn; /* the kernel's list changed under it: entries may be missing */
    size_t link_count;
    struct ln_interface links[LN_IO_INTERFACES_MAX]; /* without address */
    struct ln_interface fresh[LN_IO_INTERFACES_MAX];
    size_t fresh_count;
};

/* ---- one dump ---- */

struct attributes {
    const uint8_t *data[64]; /* by type; NULL: absent */
    size_t len[64];
};

static void read_attributes(struct attributes *attributes, const uint8_t *data, size_t len)
{
    memset(attributes, 0, sizeof *attributes);
    while (len >= sizeof(struct rtattr)) {
        struct rtattr head;
        size_t step;

        memcpy(&head, data, sizeof head);
        if (head.rta_len < sizeof head || head.rta_len > len)
            return;
        if (head.rta_type < 64) {
            attributes->data[head.rta_type] = data + RTA_LENGTH(0);
            attributes->len[head.rta_type] = head.rta_len - RTA_LENGTH(0);
        }
        step = RTA_ALIGN((size_t)head.rta_len);
        if (step > len)
            return;
        data += step;
        len -= step;
    }
}

static void read_link(struct ln_io_interfaces *all, const uint8_t *data, size_t len)
{
    struct ln_interface *link = &all->links[all->link_count];
    struct attributes attributes;
    struct ifinfomsg info;
    size_t name_len;

    if (len < sizeof info || all->link_count == LN_IO_INTERFACES_MAX)
        return;
    memcpy(&info, data, sizeof info);
    read_attributes(&attributes, data + NLMSG_ALIGN(sizeof info), len - sizeof info);
    memset(link, 0, sizeof *link);
    link->index = (uint32_t)info.ifi_index;
    link->up = (info.ifi_flags & IFF_UP) && (info.ifi_flags & IFF_RUNNING);
    link->loopback = info.ifi_flags & IFF_LOOPBACK;
    link->point_to_point = info.ifi_flags & IFF_POINTOPOINT;
    name_len = attributes.len[IFLA_IFNAME];
    if (attributes.data[IFLA_IFNAME])
        memcpy(link->name, attributes.data[IFLA_IFNAME],
               name_len < sizeof link->name ? name_len : sizeof link->name - 1);
    all->link_count++;
}

static const struct ln_interface *find_link(const struct ln_io_interfaces *all, uint32_t index)
{
    for (size_t i = 0; i < all->link_count; i++) {
        if (all->links[i].index == index)
            return &all->links[i];
    }
    return NULL;
}

static bool read_ip(const struct attributes *attributes, const struct ifaddrmsg *info,
                    struct ln_address *address)
{
    /* On a point-to-point link IFA_ADDRESS is the other end; IPv6 mostly has no IFA_LOCAL. */
    int type = attributes->data[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS;
    const uint8_t *ip = attributes->data[type];

    if (ip && info->ifa_family == AF_INET && attributes->len[type] == 4) {
        struct in_addr in;

        memcpy(&in, ip, sizeof in);
        ln_address_from_in(&in, address);
        return true;
    }
    if (ip && info->ifa_family == AF_INET6 && attributes->len[type] == 16) {
        struct in6_addr in;

        memcpy(&in, ip, sizeof in);
        ln_address_from_in6(&in, info->ifa_index, address);
        return true;
    }
    return false;
}

static void read_address(struct ln_io_interfaces *all, const uint8_t *data, size_t len)
{
    struct ln_interface *entry = &all->fresh[all->fresh_count];
    const struct ln_interface *link;
    struct attributes attributes;
    struct ln_address address;
    struct ifaddrmsg info;
    uint32_t flags;

    if (len < sizeof info || all->fresh_count == LN_IO_INTERFACES_MAX)
        return;
    memcpy(&info, data, sizeof info);
    read_attributes(&attributes, data + NLMSG_ALIGN(sizeof info), len - sizeof info);
    flags = info.ifa_flags;
    if (attributes.data[IFA_FLAGS] && attributes.len[IFA_FLAGS] == sizeof flags)
        memcpy(&flags, attributes.data[IFA_FLAGS], sizeof flags);
    link = find_link(all, info.ifa_index);
    if (!link || !read_ip(&attributes, &info, &address))
        return;
    /* Not usable (yet): no socket can be bound to it. News come when it is. */
    if ((flags & IFA_F_DADFAILED) || ((flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC)))
        return;
    *entry = *link;
    entry->address = address;
    entry->prefix_len = info.ifa_prefixlen;
    entry->deprecated = flags & IFA_F_DEPRECATED;
    /* The same bit means "secondary" for IPv4. */
    entry->temporary = info.ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY);
    all->fresh_count++;
}

/* Reads one datagram of a dump. Returns 1 at its end, 0 for more, or an error. */
static int read_part(struct ln_io_interfaces *all, const uint8_t *data, size_t len)
{
    while (len >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;
        const uint8_t *body = data + NLMSG_HDRLEN;
        size_t step;

        memcpy(&head, data, sizeof head);
        if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > len)
            return LN_ERR_SYSTEM;
        all->torn |= (head.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (head.nlmsg_type == NLMSG_DONE)
            return 1;
        if (head.nlmsg_type == NLMSG_ERROR)
            return LN_ERR_SYSTEM;
        if (head.nlmsg_type == RTM_NEWLINK)
            read_link(all, body, head.nlmsg_len - NLMSG_HDRLEN);
        else if (head.nlmsg_type == RTM_NEWADDR)
            read_address(all, body, head.nlmsg_len - NLMSG_HDRLEN);
        step = NLMSG_ALIGN((size_t)head.nlmsg_len);
        if (step >= len)
            return 0;
        data += step;
        len -= step;
    }
    return 0;
}

static int dump(struct ln_io_interfaces *all, int fd, uint16_t type)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg body;
    } request = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
                            .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = type },
                  .body = { .rtgen_family = AF_UNSPEC } };
    _Alignas(struct nlmsghdr) uint8_t buffer[DUMP_BUFFER];
    int result = 0;

    if (send(fd, &request, request.head.nlmsg_len, 0) < 0)
        return ln_error_from_errno(errno);
    while (result == 0) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);

        if (n < 0 && errno == EINTR)
            continue;
        result = n <= 0 ? LN_ERR_SYSTEM : read_part(all, buffer, (size_t)n);
    }
    return result < 0 ? result : 0;
}

static uint8_t prefix_of_mask(const struct sockaddr *mask, uint8_t family)
{
    union ln_sockaddr name = { 0 };
    struct ln_address address;
    uint8_t bits = 0;

    if (!mask)
        return 0;
    memcpy(&name, mask, family == LN_FAMILY_IPV6 ? sizeof name.ipv6 : sizeof name.ipv4);
    name.any.sa_family = family == LN_FAMILY_IPV6 ? AF_INET6 : AF_INET; /* may be unset */
    ln_sockaddr_get(&name, &address);
    while (bits < 128 && (address.ip[bits / 8] & (0x80 >> bits % 8)))
        bits++;
    return bits;
}

/* The second choice: no temporary or deprecated addresses can be told. */
static int read_fresh_by_libc(struct ln_io_interfaces *all)
{
    struct ifaddrs *list;

    if (getifaddrs(&list) != 0)
        return ln_error_from_errno(errno);
    all->fresh_count = 0;
    memset(all->fresh, 0, sizeof all->fresh);
    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        struct ln_interface *entry = &all->fresh[all->fresh_count];
        int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;
        union ln_sockaddr name = { 0 };

        if ((family != AF_INET && family != AF_INET6) || all->fresh_count == LN_IO_INTERFACES_MAX)
            continue;
        memcpy(&name, at->ifa_addr, family == AF_INET ? sizeof name.ipv4 : sizeof name.ipv6);
        ln_sockaddr_get(&name, &entry->address);
        entry->prefix_len = prefix_of_mask(at->ifa_netmask, entry->address.family);
        strncpy(entry->name, at->ifa_name, sizeof entry->name - 1);
        entry->index = if_nametoindex(at->ifa_name);
        entry->up = (at->ifa_flags & IFF_UP) && (at->ifa_flags & IFF_RUNNING);
        entry->loopback = at->ifa_flags & IFF_LOOPBACK;
        entry->point_to_point = at->ifa_flags & IFF_POINTOPOINT;
        all->fresh_count++;
    }
    freeifaddrs(list);
    return 0;
}

static int dump_all(struct ln_io_interfaces *all, int fd)
{
    int error;

    all->torn = false;
    all->link_count = all->fresh_count = 0;
    memset(all->fresh, 0, sizeof all->fresh);
    error = dump(all, fd, RTM_GETLINK);
    return error ? error : dump(all, fd, RTM_GETADDR);
}

/* Reads the list into `fresh`. The kernel answers a dump in the calls themselves, so this does not
 * block; the limit guards against a kernel that does otherwise. */
static int read_fresh(struct ln_io_interfaces *all)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error;
    struct timeval limit = { .tv_sec = 1 };

    if (fd < 0)
        return ln_error_from_errno(errno);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    error = dump_all(all, fd);
    for (int i = 1; i < DUMPS && !error && all->torn; i++)
        error = dump_all(all, fd);
    close(fd);
    return error;
}

/* ---- telling ---- */

static void tell(struct ln_io_interfaces *all, struct ln_loop_endpoint *endpoint)
{
    struct ln_answer answer = { .kind = LN_ANSWER_INTERFACES,
                                .id = endpoint->watch_id,
                                .interfaces = all->list,
                                .interface_count = all->count };

    ln_io_answer(endpoint, &answer);
}

/* Returns whether the list has changed, or an error. */
static int refresh(struct ln_io_interfaces *all)
{
    int error = read_fresh(all), changed;

    if (error && error != LN_ERR_LIMIT)
        error = read_fresh_by_libc(all);
    if (error)
        return error;
    changed = all->count != all->fresh_count ||
              memcmp(all->list, all->fresh, all->count * sizeof *all->list) != 0;
    memcpy(all->list, all->fresh, all->fresh_count * sizeof *all->list);
    all->count = all->fresh_count;
    all->valid = all->monitor.fd >= 0;
    return changed;
}

static void tell_all(struct ln_io_interfaces *all)
{
    LN_LIST_EACH (at, &all->loop->endpoints) {
        struct ln_loop_endpoint *endpoint = LN_CONTAINER(at, struct ln_loop_endpoint, siblings);

        if (endpoint->watches_interfaces)
            tell(all, endpoint);
    }
}

static void debounced(void *ctx, ln_time now)
{
    struct ln_io_interfaces *all = ctx;

    (void)now;
    all->waiting = false;
    if (refresh(all) > 0)
        tell_all(all);
}

/* Takes what the monitor heard; the content does not matter. */
static void hear(struct ln_io_interfaces *all)
{
    uint8_t buffer[8192];
    bool heard = false;

    for (;;) {
        ssize_t n = recv(all->monitor.fd, buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != ENOBUFS) /* too many at once is news as well */
            break;
        heard = true;
    }
    if (!heard)
        return;
    all->valid = false;
    if (!all->waiting) {
        all->waiting = true;
        ln_loop_timer_set(&all->debounce, ln_loop_now(all->loop) + DEBOUNCE);
    }
}

static void monitor_ready(struct ln_io_source *source, uint32_t events)
{
    (void)events;
    hear(LN_CONTAINER(source, struct ln_io_interfaces, monitor));
}

/* Without a monitor (an error other than want of descriptors) the list is read anew for each asker.
 */
static int open_monitor(struct ln_io_interfaces *all)
{
    struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
    };
    int error = 0, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    all->monitor.fd = fd;
    if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof groups) != 0)
        error = ln_error_from_errno(errno);
    else
        error = ln_io_source_add(all->loop, &all->monitor, EPOLLIN);
    if (!error)
        return 0;
    if (fd >= 0)
        close(fd);
    all->monitor.fd = -1;
    return error == LN_ERR_LIMIT || error == LN_ERR_NOMEM ? error : 0;
}

static int start_monitor(struct ln_loop *loop)
{
    struct ln_io_interfaces *all;
    int error;

    if (loop->interfaces)
        return 0;
    all = ln_alloc_zero(loop->env->allocator, sizeof *all);
    if (!all)
        return LN_ERR_NOMEM;
    loop->interfaces = all;
    all->loop = loop;
    all->monitor.ready = monitor_ready;
    all->monitor.fd = -1;
    error = ln_loop_timer_init(loop, &all->debounce, debounced, all);
    if (!error)
        error = open_monitor(all);
    if (error)
        ln_io_interfaces_end(loop);
    return error;
}

void ln_io_interfaces_watch(struct ln_loop_endpoint *endpoint, uint32_t id)
{
    struct ln_loop *loop = endpoint->loop;
    int result = start_monitor(loop);

    if (!result) {
        if (loop->interfaces->monitor.fd >= 0)
            hear(loop->interfaces);
        if (!loop->interfaces->valid)
            result = refresh(loop->interfaces);
    }
    if (result < 0) {
        ln_io_answer_failed(endpoint, id, result);
        return;
    }
    endpoint->watches_interfaces = true;
    endpoint->watch_id = id;
    if (result > 0)
        tell_all(loop->interfaces); /* the others do not know yet */
    else
        tell(loop->interfaces, endpoint);
}

void ln_io_interfaces_end(struct ln_loop *loop)
{
    struct ln_io_interfaces *all = loop->interfaces;

    if (!all)
        return;
    loop->interfaces = NULL;
    ln_io_source_close(loop, &all->monitor);
    ln_loop_timer_deinit(&all->debounce);
    ln_free(loop->env->allocator, all);
}
