/* SPDX-License-Identifier: Apache-2.0
 * The shared sockets and listeners, and the members' links on them (ice/mux.h).
 *
 * A member has one link on each socket, whatever generations it has: an ICE restart adds its ufrag
 * to it, and the second request is refused as the port of a real socket would be, so that the agent
 * goes on with the link that it has. On a listener each generation has its own. */
#include "ice/mux_internal.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "ice/ice.h"

#include <linnet/error.h>

#include <string.h>

/* --- ufrags -------------------------------------------------------------------------------- */

#define UFRAG_KEY_MAX (1u + LN_ICE_MUX_UFRAG_LEN_MAX)

static size_t ufrag_key(const struct ln_ice_mux *mux, const struct ln_mux_base *base,
                        struct ln_bytes ufrag, uint8_t key[UFRAG_KEY_MAX])
{
    key[0] = (uint8_t)(base - mux->bases);
    memcpy(key + 1, ufrag.data, ufrag.len);
    return 1 + ufrag.len;
}

struct ln_mux_link *ln_mux_link_of_ufrag(const struct ln_ice_mux *mux,
                                         const struct ln_mux_base *base, struct ln_bytes ufrag)
{
    uint8_t key[UFRAG_KEY_MAX];

    if (ufrag.len == 0 || ufrag.len > LN_ICE_MUX_UFRAG_LEN_MAX)
        return NULL;
    return ln_map_get(&mux->ufrags, key, ufrag_key(mux, base, ufrag, key));
}

static struct ln_bytes text_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

static void remove_ufrag(struct ln_ice_mux *mux, struct ln_mux_link *link, char *ufrag)
{
    uint8_t key[UFRAG_KEY_MAX];

    if (ufrag[0])
        ln_map_remove(&mux->ufrags, key, ufrag_key(mux, link->base, text_bytes(ufrag), key));
    ufrag[0] = '\0';
}

/* The oldest gives way. */
static int add_ufrag(struct ln_ice_mux *mux, struct ln_mux_link *link, const char *name)
{
    struct ln_bytes ufrag = text_bytes(name);
    struct ln_mux_link *has = ln_mux_link_of_ufrag(mux, link->base, ufrag);
    uint8_t key[UFRAG_KEY_MAX];
    char *slot = link->ufrags[link->next_ufrag];
    int error;

    if (ufrag.len == 0 || ufrag.len > LN_ICE_MUX_UFRAG_LEN_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    if (has)
        return has == link ? 0 : LN_ERR_ADDRESS_IN_USE;
    error = ln_map_set(&mux->ufrags, key, ufrag_key(mux, link->base, ufrag, key), link);
    if (error)
        return error;
    remove_ufrag(mux, link, slot);
    memcpy(slot, ufrag.data, ufrag.len);
    slot[ufrag.len] = '\0';
    link->next_ufrag = (uint8_t)((link->next_ufrag + 1u) % LN_ICE_MUX_UFRAGS_MAX);
    return 0;
}

/* --- links --------------------------------------------------------------------------------- */

/* Nothing finds it by what arrives any more. */
static void detach(struct ln_ice_mux *mux, struct ln_mux_link *link)
{
    if (!link->base)
        return;
    ln_mux_forget(mux, link);
    for (size_t i = 0; i < LN_ICE_MUX_UFRAGS_MAX; i++)
        remove_ufrag(mux, link, link->ufrags[i]);
    ln_list_remove(&link->in_base);
    link->base = NULL;
}

void ln_mux_close(struct ln_ice_mux *mux, struct ln_mux_link *link)
{
    detach(mux, link);
    ln_mux_unset_object(mux, &link->object);
    ln_list_remove(&link->in_member);
    link->member->link_count--;
    ln_free(mux->env->allocator, link);
    ln_mux_review_bases(mux);
}

static struct ln_mux_base *find_base(struct ln_ice_mux *mux, const struct ln_address *address,
                                     bool stream)
{
    struct ln_mux_base *room = NULL;

    for (size_t i = 0; i < LN_ICE_MUX_BASES_MAX; i++) {
        struct ln_mux_base *base = &mux->bases[i];

        if (base->state == LN_MUX_BASE_FREE)
            room = room ? room : base;
        else if (base->state != LN_MUX_BASE_CLOSING && base->stream == stream &&
                 ln_address_equal_ip(&base->address, address))
            return base;
    }
    if (!room)
        return NULL;
    room->state = LN_MUX_BASE_WANTED;
    room->stream = stream;
    room->address = *address;
    mux->bases_pending++;
    return room;
}

static struct ln_mux_link *link_on(const struct ln_ice_mux_member *member,
                                   const struct ln_mux_base *base)
{
    LN_LIST_EACH (at, &member->links) {
        struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_member);

        if (link->object.kind == LN_MUX_VIRTUAL && link->base == base)
            return link;
    }
    return NULL;
}

static ln_link new_number(struct ln_ice_mux *mux)
{
    do
        mux->last_link = (mux->last_link + 1) & (LN_ICE_MUX_LINK - 1);
    while (ln_map_get_u64(&mux->objects, LN_ICE_MUX_LINK + mux->last_link));
    return LN_ICE_MUX_LINK + mux->last_link;
}

static int add_link(struct ln_ice_mux_member *member, struct ln_mux_base *base,
                    const struct ln_request *request)
{
    struct ln_ice_mux *mux = member->mux;
    struct ln_mux_link *link;
    int error;

    if (member->link_count >= LN_ICE_MUX_LINKS_MAX)
        return LN_ERR_LIMIT;
    link = ln_alloc_zero(mux->env->allocator, sizeof *link);
    if (!link)
        return LN_ERR_NOMEM;
    link->object.kind = LN_MUX_VIRTUAL;
    link->object.link = new_number(mux);
    link->member = member;
    link->request = request->id;
    link->base = base;
    ln_list_init(&link->claims);
    ln_list_init(&link->asked);
    error = add_ufrag(mux, link, request->name);
    if (!error && (error = ln_mux_set_object(mux, &link->object)) != 0)
        remove_ufrag(mux, link, link->ufrags[0]);
    if (error) {
        ln_free(mux->env->allocator, link);
        return error;
    }
    ln_list_append(&member->links, &link->in_member);
    ln_list_append(&base->links, &link->in_base);
    member->link_count++;
    if (base->state == LN_MUX_BASE_OPEN)
        link->tell = LN_MUX_TELL_OPENED;
    return 0;
}

void ln_mux_open(struct ln_ice_mux_member *member, const struct ln_request *request)
{
    bool stream = request->kind == LN_REQUEST_LISTEN_TCP;
    struct ln_mux_base *base = find_base(member->mux, &request->local, stream);
    struct ln_mux_link *has = base && !stream ? link_on(member, base) : NULL;
    int error = LN_ERR_LIMIT;

    if (has)
        error = add_ufrag(member->mux, has, request->name);
    else if (base)
        error = add_link(member, base, request);
    if (has && !error)
        error = LN_ERR_ADDRESS_IN_USE; /* it goes on with the link that it has */
    if (error) {
        member->refused = true;
        member->refused_id = request->id;
        member->refused_error = error;
    }
    ln_mux_stir(member);
}

/* --- what the member hears ----------------------------------------------------------------- */

static void tell(struct ln_ice_mux_member *member, ln_time now, const struct ln_answer *answer)
{
    member->endpoint.ops->answer(member->endpoint.object, now, answer);
    ln_mux_stir(member);
}

static void tell_of_link(struct ln_mux_link *link, ln_time now)
{
    struct ln_ice_mux_member *member = link->member;
    struct ln_answer answer = { .id = link->request,
                                .link = link->object.link,
                                .error = link->error };
    uint8_t what = link->tell;

    link->tell = LN_MUX_TELL_NOTHING;
    if (what == LN_MUX_TELL_OPENED) {
        answer.kind = LN_ANSWER_OPENED;
        answer.local = link->base->address;
    } else {
        answer.kind = what == LN_MUX_TELL_FAILED ? LN_ANSWER_FAILED : LN_ANSWER_CLOSED;
        answer.link = what == LN_MUX_TELL_FAILED ? 0 : answer.link;
        ln_mux_close(member->mux, link);
    }
    tell(member, now, &answer);
}

static bool waits(const struct ln_ice_mux_member *member)
{
    LN_LIST_EACH (at, &member->links) {
        const struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_member);

        if (link->base && link->base->state != LN_MUX_BASE_OPEN)
            return true;
    }
    return false;
}

void ln_mux_tell(struct ln_ice_mux_member *member, ln_time now)
{
    struct ln_ice_mux *mux = member->mux;

    LN_LIST_EACH_SAFE (at, after, &member->links) {
        struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_member);

        if (link->tell != LN_MUX_TELL_NOTHING)
            tell_of_link(link, now);
    }
    if (member->refused && !waits(member)) { /* after what it may fall back on */
        member->refused = false;
        tell(member, now,
             &(struct ln_answer){ .kind = LN_ANSWER_FAILED,
                                  .id = member->refused_id,
                                  .error = member->refused_error });
    }
    if (member->watch_due && mux->interfaces_known) {
        member->watch_due = false;
        tell(member, now,
             &(struct ln_answer){ .kind = LN_ANSWER_INTERFACES,
                                  .id = member->watch_id,
                                  .interfaces = mux->interfaces,
                                  .interface_count = mux->interface_count });
    }
}

/* --- the driver ---------------------------------------------------------------------------- */

static bool is_there(const struct ln_ice_mux *mux, const struct ln_address *address)
{
    for (size_t i = 0; i < mux->interface_count; i++)
        if (mux->interfaces[i].up && ln_address_equal_ip(&mux->interfaces[i].address, address))
            return true;
    return !mux->interfaces_known;
}

void ln_mux_review_bases(struct ln_ice_mux *mux)
{
    for (size_t i = 0; i < LN_ICE_MUX_BASES_MAX; i++) {
        struct ln_mux_base *base = &mux->bases[i];

        if (base->state != LN_MUX_BASE_OPEN || !ln_list_empty(&base->links) ||
            is_there(mux, &base->address))
            continue;
        ln_mux_end_streams(mux, base);
        ln_mux_unset_object(mux, &base->object);
        base->state = LN_MUX_BASE_CLOSING;
        mux->bases_pending++;
    }
}

int ln_mux_bases_poll_request(struct ln_ice_mux *mux, struct ln_request *ret_request)
{
    for (size_t i = 0; mux->bases_pending > 0 && i < LN_ICE_MUX_BASES_MAX; i++) {
        struct ln_mux_base *base = &mux->bases[i];

        if (base->state == LN_MUX_BASE_CLOSING) {
            *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE,
                                                .link = base->object.link,
                                                .id = base->request };
            base->state = LN_MUX_BASE_FREE;
        } else if (base->state == LN_MUX_BASE_WANTED) {
            base->state = LN_MUX_BASE_ASKED;
            base->request = ++mux->last_request;
            *ret_request = (struct ln_request){
                .kind = base->stream ? LN_REQUEST_LISTEN_TCP : LN_REQUEST_OPEN_UDP,
                .id = base->request,
                .local = base->address,
                .exclusive = base->stream,
                .whole_above = base->stream ? 0 : LN_ICE_WHOLE_ABOVE
            };
            ret_request->local.port = base->stream ? mux->config.tcp_port : mux->config.udp_port;
        } else {
            continue;
        }
        mux->bases_pending--;
        return 1;
    }
    return 0;
}

static void tell_all(struct ln_mux_base *base, enum ln_mux_tell what, int error)
{
    LN_LIST_EACH (at, &base->links) {
        struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_base);

        /* one that it never heard of has failed */
        link->tell = link->tell == LN_MUX_TELL_OPENED && what == LN_MUX_TELL_CLOSED
                         ? LN_MUX_TELL_FAILED
                         : (uint8_t)what;
        link->error = error;
        ln_mux_stir(link->member);
    }
}

static void end_base(struct ln_ice_mux *mux, struct ln_mux_base *base, enum ln_mux_tell what,
                     int error)
{
    tell_all(base, what, error);
    LN_LIST_EACH_SAFE (at, after, &base->links)
        detach(mux, LN_CONTAINER(at, struct ln_mux_link, in_base));
    ln_mux_end_streams(mux, base);
    if (base->state == LN_MUX_BASE_OPEN)
        ln_mux_unset_object(mux, &base->object);
    base->state = LN_MUX_BASE_FREE;
}

static void opened(struct ln_ice_mux *mux, struct ln_mux_base *base, const struct ln_answer *answer)
{
    int error;

    base->object = (struct ln_mux_object){ LN_MUX_BASE, answer->link };
    error = answer->link >= LN_ICE_MUX_LINK ? LN_ERR_LIMIT : ln_mux_set_object(mux, &base->object);
    if (error) {
        ln_mux_close_unwanted(mux, answer->link);
        end_base(mux, base, LN_MUX_TELL_FAILED, error);
        return;
    }
    base->state = LN_MUX_BASE_OPEN;
    base->address = answer->local;
    tell_all(base, LN_MUX_TELL_OPENED, 0);
    ln_mux_review_bases(mux);
}

static bool base_answer(struct ln_ice_mux *mux, struct ln_mux_base *base, ln_time now,
                        const struct ln_answer *answer)
{
    bool asked = base->state == LN_MUX_BASE_ASKED && base->request == answer->id;
    bool open = base->state == LN_MUX_BASE_OPEN;

    if (answer->kind == LN_ANSWER_OPENED && asked)
        opened(mux, base, answer);
    else if (answer->kind == LN_ANSWER_FAILED && asked)
        end_base(mux, base, LN_MUX_TELL_FAILED, answer->error);
    else if (answer->kind == LN_ANSWER_CLOSED && open && base->object.link == answer->link)
        end_base(mux, base, LN_MUX_TELL_CLOSED, answer->error);
    else if (answer->kind == LN_ANSWER_OPENED && open && base->stream &&
             base->request == answer->id)
        ln_mux_accept(mux, base, now, answer);
    else
        return false;
    return true;
}

bool ln_mux_bases_answer(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer)
{
    if (answer->kind != LN_ANSWER_OPENED && answer->kind != LN_ANSWER_FAILED &&
        answer->kind != LN_ANSWER_CLOSED)
        return false;
    for (size_t i = 0; i < LN_ICE_MUX_BASES_MAX; i++)
        if (base_answer(mux, &mux->bases[i], now, answer))
            return true;
    return false;
}
