/* SPDX-License-Identifier: Apache-2.0
 * Links: the loop's names of open sockets and streams, from the first call to the last.
 *
 * A link belongs to one endpoint until it is closed for it; a stream may live on a little to send
 * what is queued. Numbers come from a counter and are not given out again while in use. */
#include "base/alloc.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <assert.h>
#include <errno.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/epoll.h>

static ln_link next_id(struct ln_loop *loop)
{
    do {
        loop->next_link++;
    } while (loop->next_link == 0 || ln_map_get_u64(&loop->links, loop->next_link));
    return loop->next_link;
}

int ln_io_link_create(struct ln_loop_endpoint *endpoint, enum ln_io_kind kind, int fd,
                      struct ln_io_link **ret_link)
{
    struct ln_loop *loop = endpoint->loop;
    struct ln_io_link *link = ln_alloc_zero(loop->env->allocator, sizeof *link);
    int error;

    if (!link)
        return LN_ERR_NOMEM;
    link->id = next_id(loop);
    error = ln_map_set_u64(&loop->links, link->id, link);
    if (error) {
        ln_free(loop->env->allocator, link);
        return error;
    }
    ln_list_init(&link->grave);
    ln_list_init(&link->blocked);
    link->loop = loop;
    link->endpoint = endpoint;
    link->kind = kind;
    link->source.fd = fd;
    ln_list_append(&endpoint->links, &link->siblings);
    *ret_link = link;
    return 0;
}

struct ln_io_link *ln_io_link_get(struct ln_loop *loop, ln_link id)
{
    if (!loop->last_link || loop->last_link->id != id)
        loop->last_link = id ? ln_map_get_u64(&loop->links, id) : NULL;
    return loop->last_link;
}

static void leave_listener(struct ln_io_link *link)
{
    struct ln_io_link *listener = link->listener
                                      ? ln_map_get_u64(&link->loop->links, link->listener)
                                      : NULL;

    link->listener = 0;
    if (listener)
        listener->streams--;
}

void ln_io_link_detach(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;

    if (!link->endpoint)
        return;
    if (loop->last_link == link)
        loop->last_link = NULL;
    ln_map_remove_u64(&loop->links, link->id);
    link->endpoint = NULL;
    leave_listener(link);
    ln_list_remove(&link->siblings);
}

void ln_io_link_close(struct ln_io_link *link)
{
    struct ln_loop *loop = link->loop;

    if (link->source.fd < 0)
        return; /* waits for its burial */
    ln_io_link_detach(link);
    ln_list_remove(&link->siblings);
    ln_io_source_close(loop, &link->source);
    ln_loop_timer_deinit(&link->timer);
    ln_io_udp_drop_blocked(link);
    ln_io_tcp_forget(link);
    ln_io_bury(loop, &link->grave);
}

void ln_io_link_fail(struct ln_io_link *link, int error)
{
    struct ln_loop_endpoint *endpoint = link->endpoint;
    struct ln_answer answer = { .kind = LN_ANSWER_CLOSED,
                                .id = link->request_id,
                                .link = link->id,
                                .local = link->local,
                                .remote = link->remote,
                                .error = error };

    ln_io_link_close(link);
    if (endpoint)
        ln_io_answer(endpoint, &answer);
}

/* ---- sockets of both kinds ---- */

int ln_io_socket(const struct ln_address *address, int type)
{
    int fd, on = 1;

    if (address->family == LN_FAMILY_NONE)
        return -(errno = EAFNOSUPPORT);
    fd = socket(ln_address_system_family(address), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (address->family == LN_FAMILY_IPV6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return fd;
}

int ln_io_bind(int fd, const struct ln_address *address)
{
    union ln_sockaddr name;
    socklen_t len = ln_sockaddr_set(&name, address);

    return bind(fd, &name.any, len) == 0 ? 0 : ln_error_from_errno(errno);
}

bool ln_io_shares_port(const struct ln_request *request, const struct ln_loop_config *config)
{
    return config->ports != LN_LOOP_PORTS_OWN && request->local.port != 0 && !request->exclusive;
}

int ln_io_bind_port(int fd, const struct ln_request *request, const struct ln_loop_config *config)
{
    bool shared = ln_io_shares_port(request, config), first = config->ports == LN_LOOP_PORTS_FIRST;
    int on = 1, error;

    if (shared && !first)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    error = ln_io_bind(fd, &request->local);
    if (shared && first)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    return error;
}

void ln_io_bound_address(int fd, struct ln_address *ret_address)
{
    union ln_sockaddr name;
    socklen_t len = sizeof name;

    memset(ret_address, 0, sizeof *ret_address);
    if (getsockname(fd, &name.any, &len) == 0)
        ln_sockaddr_get(&name, ret_address);
}

int ln_loop_set_dscp(struct ln_loop *loop, ln_link id, uint8_t dscp)
{
    struct ln_io_link *link = ln_io_link_get(loop, id);
    int value = dscp << 2, result;

    if (!link)
        return LN_ERR_NOT_FOUND;
    if (dscp > 63)
        return LN_ERR_RANGE;
    if (link->local.family == LN_FAMILY_IPV6)
        result = setsockopt(link->source.fd, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
    else
        result = setsockopt(link->source.fd, IPPROTO_IP, IP_TOS, &value, sizeof value);
    if (result != 0)
        return ln_error_from_errno(errno);
    link->dscp = dscp;
    return 0;
}
