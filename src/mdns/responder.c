/* SPDX-License-Identifier: Apache-2.0
 * The mDNS responder of mdns/responder.h (RFC 6762, 6, 7.1, 8.3, 10.1).
 *
 * A name goes through three stages: announced (twice, a second apart, on each link where it is
 * valid; the first makes the event), answered for, and after its removal taken back by a farewell
 * on the links where it was told. `asked` are links whose question waits for the second since the
 * last answer to be over, `due` what poll_transmit sends now. An announcement does not put off an
 * answer: who was just given the name asks within that second, and began to listen after it. */
#include "mdns/responder.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"

#include <linnet/error.h>

#include <string.h>

#define TTL             120u /* RFC 6762, 10: of host names */
#define TTL_LEGACY      10u  /* RFC 6762, 6.7 */
#define ANNOUNCEMENTS   2u   /* RFC 6762, 8.3 */
#define ANNOUNCE_PERIOD LN_SECONDS(1)
#define PUBLISH_WAIT    LN_SECONDS(1) /* for a link on which it is valid */

struct name {
    struct ln_list in_responder;
    char text[LN_MDNS_NAME_MAX + 1];
    struct ln_address address;
    uint64_t id;
    int error;
    bool known; /* it is told whether it can be asked for */
    bool told;  /* the owner has heard that */
    bool removed;
    uint8_t announcements;
    uint32_t due, asked, spread; /* links; spread: where it was told */
    ln_time next_announce, deadline;
    ln_time answered_at[LN_MDNS_LINKS_MAX];
};

void ln_mdns_responder_init(struct ln_mdns_responder *r, const struct ln_env *env)
{
    memset(r, 0, sizeof *r);
    r->env = env;
    r->second_from = LN_TIME_NEVER;
    ln_list_init(&r->names);
}

static void free_name(struct ln_mdns_responder *r, struct name *n)
{
    ln_list_remove(&n->in_responder);
    ln_free(r->env->allocator, n);
    r->name_count--;
}

void ln_mdns_responder_deinit(struct ln_mdns_responder *r)
{
    LN_LIST_EACH_SAFE (at, after, &r->names) {
        free_name(r, LN_CONTAINER(at, struct name, in_responder));
    }
}

/* --- the table ------------------------------------------------------------------------------ */

static struct name *find_text(struct ln_mdns_responder *r, const char *text)
{
    LN_LIST_EACH (at, &r->names) {
        struct name *n = LN_CONTAINER(at, struct name, in_responder);

        if (!n->removed && ln_dns_name_equal(n->text, text))
            return n;
    }
    return NULL;
}

static struct name *find_id(struct ln_mdns_responder *r, uint64_t id)
{
    LN_LIST_EACH (at, &r->names) {
        struct name *n = LN_CONTAINER(at, struct name, in_responder);

        if (!n->removed && n->id == id)
            return n;
    }
    return NULL;
}

int ln_mdns_responder_add(struct ln_mdns_responder *r, const char *name,
                          const struct ln_address *address, uint64_t id)
{
    struct name *n;
    size_t i;

    if (!ln_dns_name_is_local(name) || strlen(name) > LN_MDNS_NAME_MAX ||
        address->family == LN_FAMILY_NONE)
        return LN_ERR_SYNTAX;
    if (find_text(r, name))
        return LN_ERR_ADDRESS_IN_USE;
    if (r->name_count >= LN_MDNS_NAMES_MAX)
        return LN_ERR_LIMIT;
    n = ln_alloc_zero(r->env->allocator, sizeof *n);
    if (!n)
        return LN_ERR_NOMEM;
    strcpy(n->text, name);
    n->address = *address;
    n->address.port = 0;
    n->id = id;
    n->next_announce = LN_TIME_IMMEDIATE;
    n->deadline = LN_TIME_NEVER;
    for (i = 0; i < LN_MDNS_LINKS_MAX; i++)
        n->answered_at[i] = LN_TIME_NEVER;
    ln_list_append(&r->names, &n->in_responder);
    r->name_count++;
    return 0;
}

void ln_mdns_responder_remove(struct ln_mdns_responder *r, uint64_t id)
{
    struct name *n = find_id(r, id);

    if (!n)
        return;
    n->removed = true;
    n->asked = 0;
    n->due = n->spread;
    n->next_announce = n->deadline = LN_TIME_NEVER;
    if (n->due == 0)
        free_name(r, n);
}

bool ln_mdns_responder_poll_event(struct ln_mdns_responder *r, uint64_t *ret_id, int *ret_error)
{
    LN_LIST_EACH (at, &r->names) {
        struct name *n = LN_CONTAINER(at, struct name, in_responder);

        if (!n->known || n->told || n->removed)
            continue;
        n->told = true;
        *ret_id = n->id;
        *ret_error = n->error;
        if (n->error)
            free_name(r, n);
        return true;
    }
    return false;
}

/* --- time ----------------------------------------------------------------------------------- */

void ln_mdns_responder_links_changed(struct ln_mdns_responder *r)
{
    LN_LIST_EACH (at, &r->names) {
        struct name *n = LN_CONTAINER(at, struct name, in_responder);

        if (n->removed || n->error)
            continue;
        n->announcements = 0;
        n->next_announce = LN_TIME_IMMEDIATE;
    }
}

static void fail(struct name *n)
{
    n->known = true;
    n->error = LN_ERR_NOT_FOUND;
    n->next_announce = n->deadline = LN_TIME_NEVER;
}

/* `valid`: links on which it may be told. Without any it waits for one, for a while. */
static void announce(struct name *n, const struct ln_mdns_links *links, uint32_t valid, ln_time now)
{
    if (valid == 0) {
        n->next_announce = LN_TIME_NEVER;
        if (n->known)
            return;
        if (!ln_mdns_links_may_come(links, &n->address))
            fail(n);
        else if (n->deadline == LN_TIME_NEVER)
            n->deadline = now + PUBLISH_WAIT;
        return;
    }
    n->due |= valid;
    n->next_announce = ++n->announcements < ANNOUNCEMENTS ? now + ANNOUNCE_PERIOD : LN_TIME_NEVER;
}

static ln_time answer_at(const struct name *n, unsigned link)
{
    return n->answered_at[link] == LN_TIME_NEVER ? LN_TIME_IMMEDIATE
                                                 : n->answered_at[link] + LN_MDNS_MULTICAST_GAP;
}

static void run_name(struct name *n, const struct ln_mdns_links *links, ln_time now)
{
    uint32_t valid = ln_mdns_links_of_address(links, &n->address);
    unsigned i;

    if (ln_time_due(n->next_announce, now))
        announce(n, links, valid, now);
    if (ln_time_due(n->deadline, now) && !n->known)
        fail(n);
    n->due &= valid;
    n->asked &= valid;
    n->spread &= ln_mdns_links_open(links);
    for (i = 0; n->asked && i < LN_MDNS_LINKS_MAX; i++)
        if ((n->asked & (1u << i)) && ln_time_due(answer_at(n, i), now)) {
            n->asked &= ~(1u << i);
            n->due |= 1u << i;
            n->answered_at[i] = now;
        }
}

void ln_mdns_responder_run(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                           ln_time now)
{
    LN_LIST_EACH_SAFE (at, after, &r->names) {
        struct name *n = LN_CONTAINER(at, struct name, in_responder);

        run_name(n, links, now);
        if (n->removed && n->due == 0)
            free_name(r, n);
    }
}

ln_time ln_mdns_responder_next_timeout(const struct ln_mdns_responder *r)
{
    ln_time next = LN_TIME_NEVER;
    unsigned i;

    LN_LIST_EACH (at, &r->names) {
        const struct name *n = LN_CONTAINER(at, struct name, in_responder);

        next = ln_time_min(next, n->next_announce);
        if (!n->known)
            next = ln_time_min(next, n->deadline);
        for (i = 0; n->asked && i < LN_MDNS_LINKS_MAX; i++)
            if (n->asked & (1u << i))
                next = ln_time_min(next, answer_at(n, i));
    }
    return next;
}

/* --- questions ------------------------------------------------------------------------------ */

struct match {
    struct name *name;
    uint16_t type;
    bool unicast;
};

static bool asks_for_address(const struct ln_dns_item *item)
{
    return (item->klass == LN_DNS_CLASS_IN || item->klass == LN_DNS_CLASS_ANY) &&
           (item->type == LN_DNS_A || item->type == LN_DNS_AAAA || item->type == LN_DNS_ANY);
}

/* The names asked for, each once, without what the asker knows already (RFC 6762, 7.1). */
static size_t read_questions(struct ln_mdns_responder *r, struct ln_dns_message *message,
                             struct match *matches)
{
    struct ln_dns_item item;
    size_t count = 0, looked = 0, i;

    while (looked++ < 2 * LN_MDNS_QUESTIONS_MAX && ln_dns_next(message, &item) == 1) {
        struct name *n = !item.question || asks_for_address(&item) ? find_text(r, item.name) : NULL;

        if (!n || !n->known || n->error)
            continue;
        for (i = 0; i < count && matches[i].name != n; i++)
            ;
        if (!item.question) {
            if (i < count && ln_address_equal_ip(&item.address, &n->address) && item.ttl >= TTL / 2)
                matches[i] = matches[--count];
        } else if (i < count) {
            matches[i].unicast = matches[i].unicast && item.top_bit;
        } else if (count < LN_MDNS_QUESTIONS_MAX) {
            matches[count++] = (struct match){ n, item.type, item.top_bit };
        }
    }
    return count;
}

static void reply(struct ln_mdns_responder *r, const struct match *match,
                  const struct ln_path *path, uint16_t id, ln_time now)
{
    if (r->second_from == LN_TIME_NEVER || now - r->second_from >= LN_SECONDS(1)) {
        r->second_from = now;
        r->second_count = 0;
    }
    if (r->second_count >= LN_MDNS_UNICASTS_MAX || r->reply_count >= LN_MDNS_REPLIES_MAX) {
        r->limited++;
        return;
    }
    r->second_count++;
    r->replies[r->reply_count++] = (struct ln_mdns_reply){
        *path, match->name->id, id, path->remote.port == LN_MDNS_PORT ? 0 : match->type
    };
}

/* Told to all within a quarter of its life: the asker alone may be answered (RFC 6762, 5.4). */
static bool told_lately(const struct name *n, unsigned link, ln_time now)
{
    return n->answered_at[link] != LN_TIME_NEVER &&
           now - n->answered_at[link] < LN_SECONDS(TTL) / 4;
}

void ln_mdns_responder_question(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                                const struct ln_mdns_link *link, struct ln_dns_message *message,
                                const struct ln_path *path, ln_time now)
{
    unsigned slot = (unsigned)(link - links->links);
    struct match matches[LN_MDNS_QUESTIONS_MAX];
    size_t count, i;

    if (!link->group || ln_list_empty(&r->names))
        return;
    if (path->remote.port == 0 || !ln_mdns_links_neighbour(links, link, &path->remote)) {
        r->strangers++;
        return;
    }
    count = read_questions(r, message, matches);
    for (i = 0; i < count; i++) {
        struct name *n = matches[i].name;

        if (!(ln_mdns_links_of_address(links, &n->address) & (1u << slot)))
            continue; /* of another network */
        if (path->remote.port != LN_MDNS_PORT || (matches[i].unicast && told_lately(n, slot, now)))
            reply(r, &matches[i], path, message->id, now);
        else
            n->asked |= 1u << slot;
    }
}

/* --- what goes out -------------------------------------------------------------------------- */

static void write_response(struct ln_transmit *out, const struct name *n, uint32_t ttl,
                           const struct ln_mdns_reply *legacy)
{
    enum ln_dns_type type = n->address.family == LN_FAMILY_IPV4 ? LN_DNS_A : LN_DNS_AAAA;
    struct ln_writer w;

    ln_transmit_begin(out);
    ln_writer_init(&w, out->data, out->cap);
    ln_dns_write_header(&w, legacy ? legacy->id : 0, LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA,
                        legacy ? 1 : 0, 1, ttl > 0 && !legacy ? 1 : 0);
    if (legacy)
        ln_dns_write_question(&w, n->text, legacy->type, false);
    ln_dns_write_address(&w, n->text, !legacy, ttl, &n->address);
    if (ttl > 0 && !legacy)
        ln_dns_write_no_other(&w, n->text, ttl, type);
    out->len = w.len;
}

static bool poll_reply(struct ln_mdns_responder *r, struct ln_transmit *out)
{
    while (r->reply_count > 0) {
        struct ln_mdns_reply first = r->replies[0];
        const struct name *n = find_id(r, first.name);

        memmove(r->replies, r->replies + 1, --r->reply_count * sizeof *r->replies);
        if (!n)
            continue;
        write_response(out, n, first.type ? TTL_LEGACY : TTL, first.type ? &first : NULL);
        out->path = first.path;
        return true;
    }
    return false;
}

static bool poll_name(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                      struct name *n, struct ln_transmit *out)
{
    unsigned i;

    for (i = 0; n->due && i < LN_MDNS_LINKS_MAX; i++) {
        if (!(n->due & (1u << i)))
            continue;
        n->due &= ~(1u << i);
        if (links->links[i].state != LN_MDNS_LINK_OPEN)
            continue;
        write_response(out, n, n->removed ? 0 : TTL, NULL);
        out->path = ln_mdns_link_path(&links->links[i]);
        n->spread |= 1u << i;
        n->known = true;
        if (n->removed && n->due == 0)
            free_name(r, n);
        return true;
    }
    return false;
}

int ln_mdns_responder_poll(struct ln_mdns_responder *r, const struct ln_mdns_links *links,
                           struct ln_transmit *out)
{
    if (out->cap < LN_MDNS_RESPONSE_MAX)
        return LN_ERR_NO_SPACE;
    if (poll_reply(r, out))
        return 1;
    LN_LIST_EACH_SAFE (at, after, &r->names) {
        if (poll_name(r, links, LN_CONTAINER(at, struct name, in_responder), out))
            return 1;
    }
    return 0;
}
