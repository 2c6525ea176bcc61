/* SPDX-License-Identifier: Apache-2.0
 * UDP sockets: opening, receiving, and what ICMP says about what was sent.
 *
 * Reads are batched twice: recvmmsg takes several messages a call, and UDP_GRO makes each of them a
 * train of equal datagrams of one sender, which is handed up datagram by datagram. ECN comes as a
 * control message (RFC 3168; RFC 6679 needs it), and so does the local address when the socket is
 * bound to all of them. */
#include "base/address.h"
#include "base/pool.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define MULTICAST_TTL   255 /* RFC 6762, 11 */
#define READS_PER_TURN  4   /* recvmmsg calls */
#define ERRORS_PER_CALL 64

/* ---- opening ---- */

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

/* The forced variant passes the system's limit, for those who may. */
static void set_buffer(const struct ln_io_link *link, int forced, int name)
{
    size_t bytes = link->loop->config.socket_buffer;
    int size = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;

    if (setsockopt(link->source.fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
        set_option(link->source.fd, SOL_SOCKET, name, size);
}

/* With the first datagram: most sockets that relays and candidates open never see one. */
static void prepare_for_many(struct ln_io_link *link)
{
    link->receives_many = true;
    set_buffer(link, SO_RCVBUFFORCE, SO_RCVBUF);
    if (!link->loop->config.no_offload)
        set_option(link->source.fd, SOL_UDP, UDP_GRO, 1);
}

bool ln_io_udp_widen(struct ln_io_link *link)
{
    bool first = !link->sends_many;

    link->sends_many = true;
    if (first)
        set_buffer(link, SO_SNDBUFFORCE, SO_SNDBUF);
    return first;
}

void ln_io_udp_hear_errors(struct ln_io_link *link)
{
    link->hears_errors = true;
    if (link->local.family == LN_FAMILY_IPV4)
        set_option(link->source.fd, IPPROTO_IP, IP_RECVERR, 1);
    else
        set_option(link->source.fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

static void set_options(int fd, const struct ln_request *request,
                        const struct ln_loop_config *config)
{
    const struct ln_address *local = &request->local;
    bool any = ln_address_is_unspecified(local) || ln_address_is_multicast(local);
    bool ecn = !config->ignore_ecn;

    if (local->family == LN_FAMILY_IPV4) {
        if (ecn)
            set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
        if (any)
            set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        if (ecn)
            set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        if (any)
            set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
}

/* Joins the group that the socket is bound to. */
static int join_group(int fd, const struct ln_address *group, const struct ln_address *interface)
{
    int result;

    if (group->family == LN_FAMILY_IPV4) {
        struct ip_mreqn request = { .imr_ifindex = (int)group->scope };

        memcpy(&request.imr_multiaddr, group->ip, 4);
        if (interface->family == LN_FAMILY_IPV4)
            memcpy(&request.imr_address, interface->ip, 4);
        result = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
        (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
        set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, MULTICAST_TTL);
        set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
        set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    } else {
        struct ipv6_mreq request = { .ipv6mr_interface = group->scope };

        memcpy(&request.ipv6mr_multiaddr, group->ip, 16);
        result = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request);
        set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)request.ipv6mr_interface);
        set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, MULTICAST_TTL);
        set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    }
    return result == 0 ? 0 : ln_error_from_errno(errno);
}

static int bind_multicast(int fd, const struct ln_request *request)
{
    struct ln_address group = request->local;
    int error;

    if (group.scope == 0 && request->remote.family == LN_FAMILY_IPV6)
        group.scope = request->remote.scope; /* a link-local group is bound with it */
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    error = ln_io_bind(fd, &group);
    return error ? error : join_group(fd, &group, &request->remote);
}

/* PROBE: the system sets DF and does not learn from ICMP, so that each size has its own fate. */
void ln_io_udp_allow_fragments(int fd, enum ln_family family, bool allow)
{
    if (family == LN_FAMILY_IPV4)
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, allow ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE);
    else
        set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                   allow ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_PROBE);
}

void ln_io_udp_forbid_fragments(struct ln_io_link *link, bool forbid)
{
    bool ipv4 = link->local.family == LN_FAMILY_IPV4;
    int level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    int name = ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
    socklen_t len = sizeof link->discovery;

    if (forbid) {
        (void)getsockopt(link->source.fd, level, name, &link->discovery, &len);
        ln_io_udp_allow_fragments(link->source.fd, (enum ln_family)link->local.family, false);
    } else {
        set_option(link->source.fd, level, name, link->discovery);
    }
    link->whole = forbid;
}

static void udp_ready(struct ln_io_source *source, uint32_t events);

int ln_io_udp_open(struct ln_loop_endpoint *endpoint, const struct ln_request *request,
                   struct ln_io_link **ret_link)
{
    struct ln_loop *loop = endpoint->loop;
    bool multicast = ln_address_is_multicast(&request->local);
    struct ln_io_link *link;
    int error, fd = ln_io_socket(&request->local, SOCK_DGRAM);

    if (fd < 0)
        return ln_error_from_errno(-fd);
    set_options(fd, request, &loop->config);
    if (request->whole_above > 0)
        ln_io_udp_allow_fragments(fd, request->local.family, false);
    error = multicast ? bind_multicast(fd, request) : ln_io_bind_port(fd, request, &loop->config);
    if (!error)
        error = ln_io_link_create(endpoint, LN_IO_UDP, fd, &link);
    if (error) {
        close(fd);
        return error;
    }
    link->request_id = request->id;
    link->whole_above = request->whole_above;
    link->whole = request->whole_above > 0;
    link->source.ready = udp_ready;
    link->segmentation = !loop->config.no_offload;
    link->multicast = multicast;
    link->wildcard = ln_address_is_unspecified(&request->local);
    link->local = request->local;
    if (request->local.port == 0 || multicast)
        ln_io_bound_address(fd, &link->local);
    error = ln_io_source_add(loop, &link->source, EPOLLIN);
    if (error) {
        ln_io_link_close(link);
        return error;
    }
    *ret_link = link;
    return 0;
}

/* ---- receiving ---- */

/* What the control messages of one read say. */
struct notes {
    size_t segment; /* 0: not coalesced */
    uint8_t ecn;
    struct ln_address local; /* without port; no family: not told */
};

static int small_int(const struct cmsghdr *c)
{
    int value = 0;

    /* IP_TOS comes as one byte, the others as an int. */
    if (c->cmsg_len >= CMSG_LEN(sizeof value))
        memcpy(&value, CMSG_DATA(c), sizeof value);
    else if (c->cmsg_len > CMSG_LEN(0))
        value = CMSG_DATA(c)[0];
    return value;
}

static void read_notes(struct msghdr *message, struct notes *notes)
{
    memset(notes, 0, sizeof *notes);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            notes->segment = (size_t)small_int(c);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            notes->ecn = (uint8_t)(small_int(c) & 3);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            notes->ecn = (uint8_t)(small_int(c) & 3);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            ln_address_from_in(&info.ipi_spec_dst, &notes->local);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            ln_address_from_in6(&info.ipi6_addr, info.ipi6_ifindex, &notes->local);
        }
    }
}

void ln_io_receive_init(struct ln_io_receive *receive)
{
    receive->prepared = false;
    memset(receive->buffers, 0, sizeof receive->buffers);
}

void ln_io_receive_deinit(struct ln_io_receive *receive)
{
    for (size_t i = 0; receive && i < LN_IO_RECEIVE_BATCH; i++)
        ln_buffer_unref(receive->buffers[i]);
}

/* The buffer in which message i begins: the last one, unless its receiver has kept it. */
static struct ln_buffer *buffer_for(struct ln_io_receive *receive, struct ln_pool *pool, size_t i)
{
    struct ln_buffer *buffer = receive->buffers[i];

    if (buffer && buffer->references > 1) {
        ln_buffer_unref(buffer);
        buffer = NULL;
    }
    if (!buffer)
        receive->buffers[i] = buffer = ln_buffer_create(pool, 0);
    return buffer;
}

/* Bytes of a message that its buffer takes. */
static size_t buffer_bytes(const struct ln_buffer *buffer)
{
    size_t bytes = buffer ? buffer->cap - LN_BUFFER_HEADROOM : 0;

    return bytes < LN_IO_RECEIVE_CAP ? bytes : LN_IO_RECEIVE_CAP;
}

static void prepare_one(struct ln_io_receive *receive, struct ln_pool *pool, size_t i)
{
    struct ln_buffer *buffer = buffer_for(receive, pool, i);
    struct msghdr *header = &receive->messages[i].msg_hdr;
    struct iovec *iov = receive->iov[i];
    size_t bytes = buffer_bytes(buffer);

    if (buffer)
        iov[0] = (struct iovec){ buffer->data + LN_BUFFER_HEADROOM, bytes };
    iov[1] = (struct iovec){ receive->data[i] + bytes, LN_IO_RECEIVE_CAP - bytes };
    memset(header, 0, sizeof *header);
    header->msg_name = &receive->names[i];
    header->msg_namelen = sizeof receive->names[i];
    header->msg_iov = buffer ? iov : iov + 1;
    header->msg_iovlen = buffer ? 2 : 1;
    header->msg_control = receive->control[i];
    header->msg_controllen = sizeof receive->control[i];
}

/* What the last call wrote is set again, nothing else: most calls bring few messages. */
static void prepare(struct ln_io_receive *receive, struct ln_pool *pool)
{
    size_t stale = receive->prepared ? receive->used : LN_IO_RECEIVE_BATCH;

    receive->prepared = true;
    receive->used = 0;
    for (size_t i = 0; i < stale; i++)
        prepare_one(receive, pool, i);
}

/* The bytes of message i in one piece; *ret_buffer NULL: not in a buffer. */
static uint8_t *gather(struct ln_io_receive *receive, size_t i, struct ln_buffer **ret_buffer)
{
    struct ln_buffer *buffer = receive->buffers[i];
    size_t bytes = buffer_bytes(buffer), len = receive->messages[i].msg_len;

    *ret_buffer = NULL;
    if (buffer && len <= bytes) {
        buffer->offset = LN_BUFFER_HEADROOM;
        buffer->len = (uint32_t)len;
        *ret_buffer = buffer;
        return ln_buffer_bytes(buffer);
    }
    if (buffer)
        memcpy(receive->data[i], buffer->data + LN_BUFFER_HEADROOM, bytes);
    return receive->data[i];
}

/* Hands message i up, datagram by datagram. Returns their number. */
static size_t deliver(struct ln_io_link *link, ln_time now, struct ln_io_receive *receive, size_t i)
{
    struct ln_loop_endpoint *endpoint = link->endpoint;
    struct ln_path path = { .link = link->id, .local = link->local };
    struct mmsghdr *read = &receive->messages[i];
    size_t len = read->msg_len, at = 0, count = 0;
    struct ln_buffer *buffer;
    uint8_t *data = gather(receive, i, &buffer);
    union ln_sockaddr name;
    struct notes notes;

    memcpy(&name, read->msg_hdr.msg_name, sizeof name.storage);
    ln_sockaddr_get(&name, &path.remote);
    read_notes(&read->msg_hdr, &notes);
    if (link->wildcard && notes.local.family) {
        notes.local.port = link->local.port;
        path.local = notes.local;
    }
    link->loop->stats.bytes_received += len;
    do {
        size_t left = len - at;
        struct ln_packet packet = { .data = data + at, .path = path, .ecn = notes.ecn };

        packet.len = notes.segment > 0 && notes.segment < left ? notes.segment : left;
        packet.buffer = packet.len == len ? buffer : NULL;
        at += packet.len;
        count++;
        endpoint->endpoint.ops->receive(endpoint->endpoint.object, now, &packet);
    } while (at < len);
    link->loop->stats.datagrams_received += count;
    return count;
}

/* One call; returns how many messages it brought. */
static int receive_batch(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;
    struct ln_io_receive *receive = loop->receive;
    size_t waiting = 0;
    ln_time now;
    int n;

    prepare(receive, loop->env->pool);
    do {
        n = recvmmsg(link->source.fd, receive->messages, LN_IO_RECEIVE_BATCH, MSG_DONTWAIT, NULL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        ln_io_udp_errors(link); /* it was of an earlier send */
    if (n <= 0)
        return 0;
    if (!link->receives_many)
        prepare_for_many(link);
    receive->used = (size_t)n;
    now = ln_loop_now(loop);
    loop->stats.receive_calls++;
    for (int i = 0; i < n && link->endpoint; i++) {
        waiting += deliver(link, now, receive, (size_t)i);
        ln_io_touch(link->endpoint);
        if (waiting >= LN_IO_RECEIVED_PER_DRIVE) { /* objects' queues are not made for more */
            waiting = 0;
            ln_io_drive(link->endpoint);
        }
    }
    return n;
}

static void udp_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_io_link *link = LN_CONTAINER(source, struct ln_io_link, source);

    if (events & EPOLLERR)
        ln_io_udp_errors(link);
    if (events & EPOLLOUT)
        ln_io_udp_flush(link);
    for (int i = 0; i < READS_PER_TURN && (events & EPOLLIN) && link->endpoint; i++) {
        if (receive_batch(link) < (int)LN_IO_RECEIVE_BATCH)
            break;
    }
}

/* ---- ICMP ---- */

/* The MTU of IPv4's "fragmentation needed", or IPv6's "packet too big": of no other message has
 * that word a meaning. */
static bool tells_mtu(const struct ln_io_link *link, const struct ln_icmp *icmp)
{
    return link->local.family == LN_FAMILY_IPV4
               ? icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED
               : icmp->type == ICMP6_PACKET_TOO_BIG;
}

static void report_error(struct ln_io_link *link, struct msghdr *message)
{
    struct ln_answer answer = { .kind = LN_ANSWER_SEND_FAILED,
                                .link = link->id,
                                .path = { .link = link->id, .local = link->local } };
    union ln_sockaddr name;
    bool from_network = false;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        bool ipv4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool ipv6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err error;

        if ((!ipv4 && !ipv6) || c->cmsg_len < CMSG_LEN(sizeof error))
            continue;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        from_network = error.ee_origin == SO_EE_ORIGIN_ICMP ||
                       error.ee_origin == SO_EE_ORIGIN_ICMP6;
        answer.error = ln_error_from_errno((int)error.ee_errno);
        if (error.ee_origin == SO_EE_ORIGIN_LOCAL && error.ee_errno == EMSGSIZE)
            link->first_mtu = error.ee_info;
        if (!from_network)
            continue;
        answer.icmp = (struct ln_icmp){ .type = error.ee_type, .code = error.ee_code };
        answer.icmp.mtu = tells_mtu(link, &answer.icmp) ? error.ee_info : 0;
    }
    if (!from_network || !link->endpoint)
        return; /* the send itself told of a local one */
    memcpy(&name, message->msg_name, sizeof name);
    ln_sockaddr_get(&name, &answer.path.remote);
    answer.remote = answer.path.remote;
    link->loop->stats.send_errors++;
    ln_io_answer(link->endpoint, &answer);
}

void ln_io_udp_errors(struct ln_io_link *link)
{
    int pending;
    socklen_t pending_len = sizeof pending;

    /* Each packet of the queue leaves the same error behind as the socket's own: clear it. */
    (void)getsockopt(link->source.fd, SOL_SOCKET, SO_ERROR, &pending, &pending_len);
    for (int i = 0; i < ERRORS_PER_CALL && link->endpoint; i++) {
        _Alignas(8) uint8_t control[512];
        union ln_sockaddr name = { 0 };
        uint8_t data[1];
        struct iovec iov = { .iov_base = data, .iov_len = sizeof data };
        struct msghdr message = { .msg_name = &name,
                                  .msg_namelen = sizeof name,
                                  .msg_iov = &iov,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = sizeof control };

        if (recvmsg(link->source.fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            break;
        report_error(link, &message);
    }
}
