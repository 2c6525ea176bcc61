/* SPDX-License-Identifier: Apache-2.0
 * Names: numeric ones and those of RFC 6761 at once, some suffixes by the owner's resolver, all
 * others by getaddrinfo() on one helper thread.
 *
 * getaddrinfo() may block for half a minute, so nobody waits for it: the thread and the loop share
 * the helper and whoever leaves last frees it. Questions and answers go through two mailboxes and
 * are told apart by tokens; an answer whose token is not known (any more) is ignored. */
#include "base/alloc.h"
#include "io/loop_internal.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define JOIN_LIMIT LN_SECONDS(1) /* for an idle thread, which ends at once */

struct question {
    uint64_t token;
    uint8_t family;
    char name[LN_IO_NAME_MAX];
};

struct reply {
    uint64_t token;
    int error;
    size_t count;
    struct ln_address addresses[LN_IO_ADDRESSES_MAX];
};

struct ln_io_helper {
    struct ln_mailbox questions, replies;
    struct ln_thread thread;
    atomic_int owners;
    atomic_bool busy;
};

/* ---- the helper thread ---- */

static void release_helper(struct ln_io_helper *helper)
{
    if (atomic_fetch_sub(&helper->owners, 1) > 1)
        return;
    ln_mailbox_deinit(&helper->questions);
    ln_mailbox_deinit(&helper->replies);
    ln_free(ln_allocator_libc(), helper);
}

static int error_of_lookup(int code)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return LN_ERR_NOT_FOUND;
    case EAI_MEMORY:
        return LN_ERR_NOMEM;
    default:
        return LN_ERR_NETWORK;
    }
}

static bool has_address(const struct reply *reply, const struct ln_address *address)
{
    for (size_t i = 0; i < reply->count; i++) {
        if (ln_address_equal(&reply->addresses[i], address))
            return true;
    }
    return false;
}

static void look_up(const struct question *question, struct reply *reply)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;

    memset(reply, 0, sizeof *reply);
    reply->token = question->token;
    if (question->family == LN_FAMILY_IPV4)
        hints.ai_family = AF_INET;
    else if (question->family == LN_FAMILY_IPV6)
        hints.ai_family = AF_INET6;
    reply->error = error_of_lookup(getaddrinfo(question->name, NULL, &hints, &list));
    for (struct addrinfo *at = reply->error ? NULL : list; at; at = at->ai_next) {
        struct ln_address address;
        union ln_sockaddr name = { 0 };

        if (at->ai_addrlen > sizeof name || reply->count == LN_IO_ADDRESSES_MAX)
            continue;
        memcpy(&name, at->ai_addr, at->ai_addrlen);
        ln_sockaddr_get(&name, &address);
        if (address.family != LN_FAMILY_NONE && !has_address(reply, &address))
            reply->addresses[reply->count++] = address;
    }
    if (!reply->error && reply->count == 0)
        reply->error = LN_ERR_NOT_FOUND;
    if (list)
        freeaddrinfo(list);
}

static void helper_main(void *ctx)
{
    struct ln_io_helper *helper = ctx;
    struct question question;
    struct reply reply;

    while (ln_mailbox_take(&helper->questions, &question, LN_TIME_NEVER) == 0) {
        atomic_store(&helper->busy, true);
        look_up(&question, &reply);
        atomic_store(&helper->busy, false);
        if (ln_mailbox_put(&helper->replies, &reply, NULL) < 0)
            break; /* the loop is gone */
    }
    release_helper(helper);
}

static void replies_ready(struct ln_io_source *source, uint32_t events)
{
    struct ln_loop *loop = LN_CONTAINER(source, struct ln_loop, helper_source);
    struct reply reply;

    (void)events;
    while (loop->helper && ln_mailbox_take(&loop->helper->replies, &reply, 0) == 0)
        ln_loop_resolved(loop, reply.token, reply.error, reply.addresses, reply.count);
}

static int start_helper(struct ln_loop *loop)
{
    struct ln_io_helper *helper;
    int error;

    if (loop->helper)
        return 0;
    helper = ln_alloc_zero(ln_allocator_libc(), sizeof *helper);
    if (!helper)
        return LN_ERR_NOMEM;
    atomic_init(&helper->owners, 2);
    error = ln_mailbox_init(&helper->questions, sizeof(struct question), LN_IO_LOOKUPS_MAX,
                            LN_MAILBOX_REFUSE);
    if (!error) /* one more than questions: the one in work has its place, too */
        error = ln_mailbox_init(&helper->replies, sizeof(struct reply), LN_IO_LOOKUPS_MAX + 1,
                                LN_MAILBOX_DROP_OLDEST);
    loop->helper_source.fd = error ? -1 : ln_mailbox_fd(&helper->replies);
    loop->helper_source.ready = replies_ready;
    if (!error)
        error = ln_io_source_add(loop, &loop->helper_source, EPOLLIN);
    if (!error)
        error = ln_thread_start(&helper->thread, "linnet-names", helper_main, helper);
    if (error) {
        loop->helper_source.fd = -1; /* closing it takes it out of the epoll set */
        atomic_store(&helper->owners, 1);
        release_helper(helper);
        return error;
    }
    loop->helper = helper;
    return 0;
}

void ln_io_resolve_end(struct ln_loop *loop)
{
    struct ln_io_helper *helper = loop->helper;
    struct question question;
    struct timespec limit;

    if (!helper)
        return;
    loop->helper = NULL;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->helper_source.fd, NULL);
    loop->helper_source.fd = -1;
    while (ln_mailbox_take(&helper->questions, &question, 0) == 0)
        continue;
    ln_mailbox_close(&helper->questions);
    ln_mailbox_close(&helper->replies);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += JOIN_LIMIT / LN_SECONDS(1);
    if (atomic_load(&helper->busy) || pthread_timedjoin_np(helper->thread.id, NULL, &limit) != 0)
        pthread_detach(helper->thread.id);
    release_helper(helper);
}

/* ---- lookups ---- */

static void forget(struct ln_loop *loop, struct ln_io_lookup *lookup)
{
    ln_list_remove(&lookup->siblings);
    ln_free(loop->env->allocator, lookup);
    loop->lookup_count--;
}

void ln_io_resolve_cancel(struct ln_loop_endpoint *endpoint, uint32_t id, bool all)
{
    LN_LIST_EACH_SAFE (at, after, &endpoint->loop->lookups) {
        struct ln_io_lookup *lookup = LN_CONTAINER(at, struct ln_io_lookup, siblings);

        if (lookup->endpoint == endpoint && (all || lookup->id == id))
            forget(endpoint->loop, lookup);
    }
}

static void answer_resolved(struct ln_loop_endpoint *endpoint, uint32_t id,
                            const struct ln_address *addresses, size_t count)
{
    struct ln_answer answer = {
        .kind = LN_ANSWER_RESOLVED, .id = id, .addresses = addresses, .address_count = count
    };

    ln_io_answer(endpoint, &answer);
}

void ln_loop_resolved(struct ln_loop *loop, uint64_t token, int error,
                      const struct ln_address *addresses, size_t count)
{
    LN_LIST_EACH (at, &loop->lookups) {
        struct ln_io_lookup *lookup = LN_CONTAINER(at, struct ln_io_lookup, siblings);
        struct ln_loop_endpoint *endpoint = lookup->endpoint;
        uint32_t id = lookup->id;

        if (lookup->token != token)
            continue;
        forget(loop, lookup);
        if (error || count == 0)
            ln_io_answer_failed(endpoint, id, error ? error : LN_ERR_NOT_FOUND);
        else
            answer_resolved(endpoint, id, addresses, count);
        ln_io_wake_host(loop);
        return;
    }
}

int ln_loop_set_resolver(struct ln_loop *loop, const char *suffix, ln_loop_resolver_fn resolver,
                         void *ctx)
{
    struct ln_io_resolver *place = NULL;

    for (size_t i = 0; i < LN_IO_RESOLVERS_MAX; i++) {
        struct ln_io_resolver *at = &loop->resolvers[i];

        if (at->suffix && strcasecmp(at->suffix, suffix) == 0) {
            place = at;
            break;
        }
        if (!at->suffix && !place)
            place = at;
    }
    if (!place)
        return resolver ? LN_ERR_LIMIT : 0;
    place->suffix = resolver ? suffix : NULL;
    place->call = resolver;
    place->ctx = ctx;
    return 0;
}

static bool ends_in(const char *name, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len && strncasecmp(name + len - suffix_len, suffix, suffix_len) == 0;
}

/* The name is kept in `question`, as the asker's copy may end with the answer to it. */
static int ask(struct ln_loop *loop, const struct question *question)
{
    size_t len = strlen(question->name);
    int error;

    if (len > 1 && question->name[len - 1] == '.')
        len--;
    for (size_t i = 0; i < LN_IO_RESOLVERS_MAX; i++) {
        const struct ln_io_resolver *resolver = &loop->resolvers[i];

        if (resolver->suffix && ends_in(question->name, len, resolver->suffix)) {
            resolver->call(resolver->ctx, question->token, question->name, question->family);
            return 0;
        }
    }
    error = start_helper(loop);
    return error ? error : ln_mailbox_put(&loop->helper->questions, question, NULL);
}

/* What needs no lookup: returns how many addresses, 0 when there is no such name, -1 to look it up.
 * RFC 6761, 6.3: localhost is the loopback; 6.4: nothing ends in ".invalid". */
static int known_addresses(const struct question *question, struct ln_address addresses[2])
{
    static const struct ln_address loopback[2] = {
        { .family = LN_FAMILY_IPV4, .ip = { 127, 0, 0, 1 } },
        { .family = LN_FAMILY_IPV6, .ip = { [15] = 1 } },
    };
    const char *name = question->name;
    size_t len = strlen(name);
    int count = 0, found = 0;

    if (len > 1 && name[len - 1] == '.')
        len--;
    if (ln_address_parse(name, &addresses[0]) == 0 && addresses[0].port == 0) {
        found = 1;
    } else if ((len == 9 && ends_in(name, len, "localhost")) || ends_in(name, len, ".localhost")) {
        memcpy(addresses, loopback, sizeof loopback);
        found = 2;
    } else if (len > 0 && !ends_in(name, len, ".invalid")) {
        return -1;
    }
    for (int i = 0; i < found; i++) {
        if (question->family == LN_FAMILY_NONE || question->family == addresses[i].family)
            addresses[count++] = addresses[i];
    }
    return count;
}

void ln_io_resolve(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_loop *loop = endpoint->loop;
    struct question question = { .token = ++loop->next_token, .family = request->family };
    size_t len = request->name ? strlen(request->name) : 0;
    struct ln_address known[2];
    struct ln_io_lookup *lookup;
    int count, error = 0;

    if (len >= sizeof question.name) {
        ln_io_answer_failed(endpoint, request->id, LN_ERR_NOT_FOUND);
        return;
    }
    if (len > 0)
        memcpy(question.name, request->name, len);
    count = known_addresses(&question, known);
    if (count > 0) {
        answer_resolved(endpoint, request->id, known, (size_t)count);
        return;
    }
    lookup = NULL;
    if (count == 0)
        error = LN_ERR_NOT_FOUND;
    else if (loop->lookup_count >= LN_IO_LOOKUPS_MAX)
        error = LN_ERR_LIMIT;
    else if (!(lookup = ln_alloc_zero(loop->env->allocator, sizeof *lookup)))
        error = LN_ERR_NOMEM;
    if (!error) {
        lookup->endpoint = endpoint;
        lookup->token = question.token;
        lookup->id = request->id;
        ln_list_append(&loop->lookups, &lookup->siblings);
        loop->lookup_count++;
        error = ask(loop, &question);
        if (error)
            forget(loop, lookup);
    }
    if (error)
        ln_io_answer_failed(endpoint, request->id, error);
}
