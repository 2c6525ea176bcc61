/* SPDX-License-Identifier: Apache-2.0
 * The endpoint of mdns/mdns.h, and its querier (RFC 6762, 5.1 and 6.7). The sockets are in
 * mdns/links.h, own names in mdns/responder.h.
 *
 * A question stands for one name, whoever asks; its waiters become events when it ends, so that
 * ending allocates nothing. Deadlines are derived from the questions. Questions that end without
 * any waiter are kept as the cache until their time to live is over. */
#include "mdns/mdns.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/time.h"
#include "mdns/responder.h"

#include <linnet/error.h>

#include <string.h>

#define SENDS_MAX     3u
#define SEND_PERIOD   LN_SECONDS(1)
#define CACHE_TTL_MAX LN_SECONDS(120) /* RFC 6762, 10: what host names have */
#define QUERY_MAX     (12 + 2 * (LN_DNS_NAME_MAX + 1 + 4))

struct question {
    struct ln_list in_mdns;
    struct ln_list waiters;
    char *name;
    bool begun, answered;
    uint8_t sends;
    uint16_t id;        /* of messages on ordinary ports */
    uint32_t due_links; /* a bit for each link that it is to be sent on */
    ln_time next_send, deadline;
    ln_time report_at; /* an address is there: the other family is waited for until then */
    ln_time expires;   /* answered: as long as it is remembered */
    struct ln_address addresses[2]; /* IPv4, IPv6; family NONE: none */
};

struct waiter {
    struct ln_list in_list; /* of a question, then of what poll_event gives */
    uint64_t id;
    int error;
    struct ln_address addresses[2];
};

struct ln_mdns {
    const struct ln_env *env;
    struct ln_mdns_config config;
    struct ln_mdns_links links;
    struct ln_mdns_responder responder;
    struct ln_list questions;
    struct ln_list done; /* waiters */
    size_t waiter_count, question_count;
    bool wake;
};

void ln_mdns_config_init(struct ln_mdns_config *config)
{
    *config = (struct ln_mdns_config){
        .ipv4 = true, .ipv6 = true, .wait = LN_SECONDS(3), .gather = LN_MILLISECONDS(20)
    };
}

int ln_mdns_create(struct ln_mdns **ret_mdns, const struct ln_mdns_config *config,
                   const struct ln_env *env)
{
    struct ln_mdns *m = ln_alloc_zero(env->allocator, sizeof *m);

    if (!m)
        return LN_ERR_NOMEM;
    m->env = env;
    if (config)
        m->config = *config;
    else
        ln_mdns_config_init(&m->config);
    ln_list_init(&m->questions);
    ln_list_init(&m->done);
    m->links.ipv4 = m->config.ipv4;
    m->links.ipv6 = m->config.ipv6;
    m->links.include_loopback = m->config.include_loopback;
    m->links.request_tag = m->config.request_tag;
    ln_mdns_responder_init(&m->responder, env);
    *ret_mdns = m;
    return 0;
}

static void free_waiters(struct ln_mdns *m, struct ln_list *list)
{
    LN_LIST_EACH_SAFE (at, after, list) {
        ln_list_remove(at);
        ln_free(m->env->allocator, LN_CONTAINER(at, struct waiter, in_list));
        m->waiter_count--;
    }
}

static void free_question(struct ln_mdns *m, struct question *q)
{
    free_waiters(m, &q->waiters);
    ln_list_remove(&q->in_mdns);
    m->question_count--;
    ln_free(m->env->allocator, q->name);
    ln_free(m->env->allocator, q);
}

void ln_mdns_free(struct ln_mdns *mdns)
{
    if (!mdns)
        return;
    LN_LIST_EACH_SAFE (at, after, &mdns->questions) {
        free_question(mdns, LN_CONTAINER(at, struct question, in_mdns));
    }
    free_waiters(mdns, &mdns->done);
    ln_mdns_responder_deinit(&mdns->responder);
    ln_free(mdns->env->allocator, mdns);
}

/* --- questions ------------------------------------------------------------------------------ */

static struct question *find_question(struct ln_mdns *m, const char *name)
{
    LN_LIST_EACH (at, &m->questions) {
        struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        if (ln_dns_name_equal(q->name, name))
            return q;
    }
    return NULL;
}

/* Forgets the oldest remembered name when there are too many. */
static void trim_cache(struct ln_mdns *m)
{
    struct question *oldest = NULL;
    size_t remembered = 0;

    LN_LIST_EACH (at, &m->questions) {
        struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        if (!q->answered || !ln_list_empty(&q->waiters))
            continue;
        remembered++;
        if (!oldest)
            oldest = q;
    }
    if (remembered > LN_MDNS_CACHE_MAX)
        free_question(m, oldest);
}

static struct question *new_question(struct ln_mdns *m, const char *name)
{
    struct question *q = ln_alloc_zero(m->env->allocator, sizeof *q);

    if (!q)
        return NULL;
    q->name = ln_alloc_text(m->env->allocator, name);
    if (!q->name) {
        ln_free(m->env->allocator, q);
        return NULL;
    }
    ln_list_init(&q->waiters);
    q->id = (uint16_t)ln_rng_u32(m->env->rng);
    q->next_send = q->deadline = q->report_at = q->expires = LN_TIME_NEVER;
    ln_list_append(&m->questions, &q->in_mdns);
    m->question_count++;
    return q;
}

int ln_mdns_query(struct ln_mdns *mdns, const char *name, uint64_t id)
{
    struct question *q;
    struct waiter *w;

    if (!ln_dns_name_is_local(name))
        return LN_ERR_SYNTAX;
    if (mdns->waiter_count >= LN_MDNS_QUERIES_MAX)
        return LN_ERR_LIMIT;
    w = ln_alloc_zero(mdns->env->allocator, sizeof *w);
    if (!w)
        return LN_ERR_NOMEM;
    q = find_question(mdns, name);
    if (!q)
        q = new_question(mdns, name);
    if (!q) {
        ln_free(mdns->env->allocator, w);
        return LN_ERR_NOMEM;
    }
    w->id = id;
    ln_list_append(&q->waiters, &w->in_list);
    mdns->waiter_count++;
    ln_mdns_links_want(&mdns->links);
    mdns->wake = true;
    return 0;
}

void ln_mdns_cancel(struct ln_mdns *mdns, uint64_t id)
{
    LN_LIST_EACH_SAFE (at, after, &mdns->questions) {
        struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        LN_LIST_EACH_SAFE (w, next, &q->waiters) {
            if (LN_CONTAINER(w, struct waiter, in_list)->id != id)
                continue;
            ln_list_remove(w);
            ln_free(mdns->env->allocator, LN_CONTAINER(w, struct waiter, in_list));
            mdns->waiter_count--;
        }
        if (ln_list_empty(&q->waiters) && !q->answered)
            free_question(mdns, q);
    }
}

/* Its waiters become events. */
static void report(struct ln_mdns *m, struct question *q, int error)
{
    LN_LIST_EACH_SAFE (at, after, &q->waiters) {
        struct waiter *w = LN_CONTAINER(at, struct waiter, in_list);

        w->error = error;
        memcpy(w->addresses, q->addresses, sizeof w->addresses);
        ln_list_remove(at);
        ln_list_append(&m->done, at);
    }
    q->due_links = 0;
    q->next_send = q->deadline = q->report_at = LN_TIME_NEVER;
}

/* The first of its kind keeps the order of time; a remembered answer serves late askers. */
static void begin(struct ln_mdns *m, struct question *q, ln_time now)
{
    if (q->answered && now < q->expires) {
        report(m, q, 0);
        return;
    }
    q->begun = true;
    q->answered = false;
    q->expires = LN_TIME_NEVER;
    memset(q->addresses, 0, sizeof q->addresses);
    q->sends = 0;
    q->next_send = now;
    q->deadline = now + m->config.wait;
}

static void run_question(struct ln_mdns *m, struct question *q, ln_time now)
{
    if (!ln_list_empty(&q->waiters) && q->deadline == LN_TIME_NEVER)
        begin(m, q, now);
    if (ln_time_due(q->next_send, now)) {
        q->sends++;
        q->due_links = ln_mdns_links_open(&m->links);
        q->next_send = q->sends < SENDS_MAX ? now + SEND_PERIOD : LN_TIME_NEVER;
    }
    if (ln_time_due(q->report_at, now)) {
        report(m, q, 0);
    } else if (ln_time_due(q->deadline, now)) {
        report(m, q, LN_ERR_NOT_FOUND);
        q->expires = now; /* a failure is not remembered */
    }
    if (ln_list_empty(&q->waiters) && ln_time_due(q->expires, now))
        free_question(m, q);
}

static void mdns_on_timeout(void *object, ln_time now)
{
    struct ln_mdns *m = object;

    m->wake = false;
    LN_LIST_EACH_SAFE (at, after, &m->questions) {
        run_question(m, LN_CONTAINER(at, struct question, in_mdns), now);
    }
    trim_cache(m);
    ln_mdns_responder_run(&m->responder, &m->links, now);
}

static ln_time mdns_next_timeout(const void *object)
{
    const struct ln_mdns *m = object;
    ln_time next;

    if (m->wake)
        return LN_TIME_IMMEDIATE;
    next = ln_mdns_responder_next_timeout(&m->responder);
    LN_LIST_EACH (at, &m->questions) {
        const struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        next = ln_time_min(next, ln_time_min(q->next_send, q->deadline));
        next = ln_time_min(next, q->report_at);
        if (ln_list_empty(&q->waiters))
            next = ln_time_min(next, q->expires);
    }
    return next;
}

/* --- answers -------------------------------------------------------------------------------- */

/* What a neighbour can have. */
static bool acceptable(const struct ln_mdns *m, const struct ln_address *a)
{
    if (ln_address_is_loopback(a))
        return m->config.include_loopback;
    if (ln_address_is_private(a) || ln_address_is_link_local(a))
        return true;
    return a->family == LN_FAMILY_IPV6 && !m->config.strict && (a->ip[0] & 0xe0) == 0x20;
}

static void take_record(struct ln_mdns *m, const struct ln_mdns_link *link, uint16_t id,
                        const struct ln_dns_item *item, ln_time now)
{
    struct question *q;
    struct ln_address *slot;
    ln_duration ttl = LN_SECONDS((int64_t)item->ttl);

    if (item->question || item->klass != LN_DNS_CLASS_IN || item->ttl == 0 ||
        item->address.family == LN_FAMILY_NONE || !acceptable(m, &item->address))
        return;
    q = find_question(m, item->name);
    if (!q || q->deadline == LN_TIME_NEVER || (!link->group && id != q->id))
        return; /* nobody asked, or not for this message */
    slot = &q->addresses[item->address.family == LN_FAMILY_IPV6];
    if (slot->family != LN_FAMILY_NONE)
        return;
    *slot = item->address;
    if (ln_address_is_link_local(slot) && slot->family == LN_FAMILY_IPV6)
        slot->scope = link->index;
    if (!q->answered)
        q->report_at = now + m->config.gather;
    q->answered = true;
    q->expires = ln_time_min(q->expires, now + (ttl < CACHE_TTL_MAX ? ttl : CACHE_TTL_MAX));
    if (q->addresses[0].family && q->addresses[1].family)
        q->report_at = now;
}

/* RFC 6762, 18.3 and 18.11: messages with another opcode or an error in them are nobody's. */
#define OPCODE_AND_ERROR 0x780fu

static void mdns_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_mdns *m = object;
    struct ln_mdns_link *link = ln_mdns_links_find(&m->links, packet->path.link);
    struct ln_dns_message message;
    struct ln_dns_item item;

    if (!link || ln_dns_parse(packet->data, packet->len, &message) != 0 ||
        (message.flags & OPCODE_AND_ERROR))
        return;
    if (!(message.flags & LN_DNS_FLAG_RESPONSE))
        ln_mdns_responder_question(&m->responder, &m->links, link, &message, &packet->path, now);
    else if (packet->path.remote.port == LN_MDNS_PORT) /* RFC 6762, 6 */
        while (ln_dns_next(&message, &item) == 1)
            take_record(m, link, message.id, &item, now);
    mdns_on_timeout(m, now);
}

static bool poll_resolved(struct ln_mdns *mdns, struct ln_mdns_event *ret_event)
{
    struct waiter *w;
    size_t i;

    if (ln_list_empty(&mdns->done))
        return false;
    w = LN_CONTAINER(mdns->done.next, struct waiter, in_list);
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->kind = LN_MDNS_RESOLVED;
    ret_event->id = w->id;
    ret_event->error = w->error;
    for (i = 0; i < 2 && w->error == 0; i++)
        if (w->addresses[i].family != LN_FAMILY_NONE)
            ret_event->addresses[ret_event->address_count++] = w->addresses[i];
    ln_list_remove(&w->in_list);
    ln_free(mdns->env->allocator, w);
    mdns->waiter_count--;
    return true;
}

bool ln_mdns_poll_event(struct ln_mdns *mdns, struct ln_mdns_event *ret_event)
{
    struct ln_mdns_event event = { .kind = LN_MDNS_PUBLISHED };

    if (poll_resolved(mdns, ret_event))
        return true;
    if (!ln_mdns_responder_poll_event(&mdns->responder, &event.id, &event.error))
        return false;
    *ret_event = event;
    return true;
}

/* --- own names ------------------------------------------------------------------------------ */

int ln_mdns_publish(struct ln_mdns *mdns, const char *name, const struct ln_address *address,
                    uint64_t id)
{
    int error = ln_mdns_responder_add(&mdns->responder, name, address, id);

    if (error)
        return error;
    ln_mdns_links_want(&mdns->links);
    mdns->wake = true;
    return 0;
}

void ln_mdns_withdraw(struct ln_mdns *mdns, uint64_t id)
{
    ln_mdns_responder_remove(&mdns->responder, id);
    mdns->wake = true;
}

/* --- the endpoint --------------------------------------------------------------------------- */

/* A link that opens late gets what the others got. */
static void link_opened(struct ln_mdns *m, unsigned index)
{
    LN_LIST_EACH (at, &m->questions) {
        struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        if (q->sends > 0 && q->deadline != LN_TIME_NEVER)
            q->due_links |= 1u << index;
    }
}

static void mdns_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct ln_mdns *m = object;
    int opened = ln_mdns_links_answer(&m->links, answer);

    (void)now;
    if (opened >= 0)
        link_opened(m, (unsigned)opened);
    if (opened >= 0 || answer->kind == LN_ANSWER_INTERFACES || answer->kind == LN_ANSWER_FAILED)
        ln_mdns_responder_links_changed(&m->responder);
}

static int mdns_poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_mdns *m = object;

    return ln_mdns_links_poll_request(&m->links, ret_request);
}

static void write_query(const struct question *q, const struct ln_mdns_link *link,
                        struct ln_transmit *out)
{
    struct ln_writer w;

    ln_transmit_begin(out);
    ln_writer_init(&w, out->data, out->cap);
    ln_dns_write_header(&w, link->group ? 0 : q->id, 0, 2, 0, 0);
    ln_dns_write_question(&w, q->name, LN_DNS_A, false);
    ln_dns_write_question(&w, q->name, LN_DNS_AAAA, false);
    out->len = w.len;
    out->path = ln_mdns_link_path(link);
}

static int mdns_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_mdns *m = object;
    unsigned i;

    (void)now;
    LN_LIST_EACH (at, &m->questions) {
        struct question *q = LN_CONTAINER(at, struct question, in_mdns);

        for (i = 0; q->due_links && i < LN_MDNS_LINKS_MAX; i++) {
            if (!(q->due_links & (1u << i)))
                continue;
            if (out->cap < QUERY_MAX)
                return LN_ERR_NO_SPACE;
            q->due_links &= ~(1u << i);
            if (m->links.links[i].state != LN_MDNS_LINK_OPEN)
                continue;
            write_query(q, &m->links.links[i], out);
            return 1;
        }
    }
    return ln_mdns_responder_poll(&m->responder, &m->links, out);
}

struct ln_endpoint ln_mdns_endpoint(struct ln_mdns *mdns)
{
    static const struct ln_endpoint_ops ops = {
        mdns_receive,       mdns_on_timeout,   mdns_next_timeout,
        mdns_poll_transmit, mdns_poll_request, mdns_answer,
    };

    return (struct ln_endpoint){ &ops, mdns };
}
