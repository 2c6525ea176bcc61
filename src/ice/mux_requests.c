/* SPDX-License-Identifier: Apache-2.0
 * What members ask of the driver and is passed on under numbers of ours, and the driver's answers
 * (ice/mux.h). Invariant: what a member waits for stands in `requests`; what the driver gave for it
 * alone is a link of kind OWN. */
#include "ice/mux_internal.h"

#include "base/alloc.h"

#include <linnet/error.h>

/* --- links of a member's own --------------------------------------------------------------- */

struct ln_mux_link *ln_mux_give(struct ln_ice_mux_member *member, ln_link link)
{
    struct ln_ice_mux *mux = member->mux;
    struct ln_mux_link *own = NULL;

    if (link < LN_ICE_MUX_LINK && member->link_count < LN_ICE_MUX_LINKS_MAX)
        own = ln_alloc_zero(mux->env->allocator, sizeof *own);
    if (!own)
        return NULL;
    own->object = (struct ln_mux_object){ LN_MUX_OWN, link };
    own->member = member;
    if (ln_mux_set_object(mux, &own->object) != 0) {
        ln_free(mux->env->allocator, own);
        return NULL;
    }
    ln_list_init(&own->claims);
    ln_list_init(&own->asked);
    ln_list_init(&own->in_base);
    ln_list_append(&member->links, &own->in_member);
    member->link_count++;
    return own;
}

void ln_mux_close_unwanted(struct ln_ice_mux *mux, ln_link link)
{
    struct ln_mux_link *unwanted = ln_alloc_zero(mux->env->allocator, sizeof *unwanted);

    if (!unwanted) {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
        return;
    }
    unwanted->object = (struct ln_mux_object){ LN_MUX_OWN, link };
    ln_list_append(&mux->closing, &unwanted->in_member);
}

/* The driver has closed it, or is being told. */
static void forget_own(struct ln_ice_mux *mux, struct ln_mux_link *own)
{
    ln_mux_unset_object(mux, &own->object);
    ln_list_remove(&own->in_member);
    own->member->link_count--;
}

/* --- requests ------------------------------------------------------------------------------ */

static struct ln_mux_request *find_request(const struct ln_ice_mux *mux, uint32_t id)
{
    return ln_map_get_u64(&mux->requests, id);
}

static struct ln_mux_request *new_request(struct ln_ice_mux_member *member,
                                          const struct ln_request *from)
{
    struct ln_ice_mux *mux = member->mux;
    struct ln_mux_request *request = NULL;

    if (member->request_count < LN_ICE_MUX_REQUESTS_MAX)
        request = ln_alloc_zero(mux->env->allocator, sizeof *request);
    if (!request)
        return NULL;
    request->member = member;
    request->member_id = from->id;
    request->kind = (uint8_t)from->kind;
    do
        request->id = ++mux->last_request;
    while (find_request(mux, request->id));
    if (ln_map_set_u64(&mux->requests, request->id, request) != 0) {
        ln_free(mux->env->allocator, request);
        return NULL;
    }
    ln_list_append(&member->requests, &request->in_member);
    member->request_count++;
    return request;
}

static void forget_request(struct ln_ice_mux *mux, struct ln_mux_request *request)
{
    ln_map_remove_u64(&mux->requests, request->id);
    ln_list_remove(&request->in_member);
    request->member->request_count--;
}

static void free_request(struct ln_ice_mux *mux, struct ln_mux_request *request)
{
    forget_request(mux, request);
    ln_free(mux->env->allocator, request);
}

/* The request of a listener goes with it. */
static void free_own(struct ln_ice_mux *mux, struct ln_mux_link *own)
{
    struct ln_mux_request *request = own->request ? find_request(mux, own->request) : NULL;

    if (request && request->link == own)
        free_request(mux, request);
    forget_own(mux, own);
    ln_free(mux->env->allocator, own);
}

void ln_mux_release(struct ln_ice_mux_member *member)
{
    struct ln_ice_mux *mux = member->mux;

    LN_LIST_EACH_SAFE (at, after, &member->requests) {
        struct ln_mux_request *request = LN_CONTAINER(at, struct ln_mux_request, in_member);

        if (request->link) /* it ends with its listener */
            continue;
        forget_request(mux, request);
        ln_list_append(&mux->cancelling, &request->in_member);
    }
    LN_LIST_EACH_SAFE (at, after, &member->links) {
        struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_member);

        if (link->object.kind == LN_MUX_VIRTUAL) {
            ln_mux_close(mux, link);
            continue;
        }
        forget_own(mux, link);
        ln_list_append(&mux->closing, &link->in_member);
    }
    LN_LIST_EACH_SAFE (at, after, &member->requests)
        free_request(mux, LN_CONTAINER(at, struct ln_mux_request, in_member));
}

/* --- what a member asks -------------------------------------------------------------------- */

static void refuse(struct ln_ice_mux_member *member, uint32_t id, int error)
{
    member->refused = true;
    member->refused_id = id;
    member->refused_error = error;
    ln_mux_stir(member);
}

static int pass_on(struct ln_ice_mux_member *member, struct ln_request *request)
{
    struct ln_mux_request *noted = new_request(member, request);

    if (!noted) {
        refuse(member, request->id, LN_ERR_NOMEM);
        return 0;
    }
    request->id = noted->id;
    return 1;
}

/* What was asked for under this id and not answered, or a name. */
static int take_back(struct ln_ice_mux_member *member, struct ln_request *request)
{
    struct ln_ice_mux *mux = member->mux;

    if (member->watches && member->watch_id == request->id)
        member->watches = member->watch_due = false;
    LN_LIST_EACH (at, &member->links) {
        struct ln_mux_link *link = LN_CONTAINER(at, struct ln_mux_link, in_member);

        if (link->object.kind == LN_MUX_VIRTUAL && link->request == request->id &&
            (link->tell == LN_MUX_TELL_OPENED ||
             (link->base && link->base->state != LN_MUX_BASE_OPEN))) {
            ln_mux_close(mux, link);
            return 0;
        }
    }
    LN_LIST_EACH (at, &member->requests) {
        struct ln_mux_request *noted = LN_CONTAINER(at, struct ln_mux_request, in_member);

        if (noted->member_id == request->id && !noted->link) {
            request->id = noted->id;
            free_request(mux, noted);
            return 1;
        }
    }
    return 0;
}

static int close_link(struct ln_ice_mux_member *member, struct ln_request *request)
{
    struct ln_mux_object *object = ln_mux_find(member->mux, request->link);
    struct ln_mux_link *link;

    if (!object || (object->kind != LN_MUX_VIRTUAL && object->kind != LN_MUX_OWN))
        return 0;
    link = LN_CONTAINER(object, struct ln_mux_link, object);
    if (link->member != member)
        return 0;
    if (object->kind == LN_MUX_VIRTUAL) {
        ln_mux_close(member->mux, link);
        return 0;
    }
    request->id = link->request;
    free_own(member->mux, link);
    return 1;
}

static int watch(struct ln_ice_mux_member *member, const struct ln_request *request)
{
    struct ln_ice_mux *mux = member->mux;

    member->watches = member->watch_due = true;
    member->watch_id = request->id;
    mux->watch_wanted = mux->watch_wanted || !mux->watch_asked;
    ln_mux_stir(member);
    return 0;
}

static int set_window(struct ln_ice_mux_member *member, const struct ln_request *request)
{
    struct ln_mux_object *object = ln_mux_find(member->mux, request->link);

    return object && object->kind == LN_MUX_OWN &&
           LN_CONTAINER(object, struct ln_mux_link, object)->member == member;
}

/* 1: for the driver, in place; 0: it was for us. */
static int take(struct ln_ice_mux_member *member, struct ln_request *request)
{
    switch (request->kind) {
    case LN_REQUEST_OPEN_UDP:
        if (!request->name)
            return pass_on(member, request);
        ln_mux_open(member, request);
        return 0;
    case LN_REQUEST_LISTEN_TCP:
        if (!request->name || !member->mux->config.tcp)
            return pass_on(member, request);
        ln_mux_open(member, request);
        return 0;
    case LN_REQUEST_CLOSE:
        return request->link == 0 ? take_back(member, request) : close_link(member, request);
    case LN_REQUEST_WATCH_INTERFACES:
        return watch(member, request);
    case LN_REQUEST_WINDOW:
        return set_window(member, request);
    default:
        return pass_on(member, request);
    }
}

/* What is to be closed and forgotten. */
static int poll_endings(struct ln_ice_mux *mux, struct ln_request *ret_request)
{
    if (!ln_list_empty(&mux->closing)) {
        struct ln_mux_link *link = LN_CONTAINER(mux->closing.next, struct ln_mux_link, in_member);

        *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE,
                                            .link = link->object.link,
                                            .id = link->request };
        ln_list_remove(&link->in_member);
        ln_free(mux->env->allocator, link);
        return 1;
    }
    if (!ln_list_empty(&mux->cancelling)) {
        struct ln_mux_request *request = LN_CONTAINER(mux->cancelling.next, struct ln_mux_request,
                                                      in_member);

        *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE, .id = request->id };
        ln_list_remove(&request->in_member);
        ln_free(mux->env->allocator, request);
        return 1;
    }
    return 0;
}

int ln_mux_poll_request(struct ln_ice_mux *mux, struct ln_request *ret_request)
{
    if (poll_endings(mux, ret_request))
        return 1;
    if (mux->watch_wanted) {
        mux->watch_wanted = false;
        mux->watch_asked = true;
        mux->watch_request = ++mux->last_request;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_WATCH_INTERFACES,
                                            .id = mux->watch_request };
        return 1;
    }
    while (!ln_list_empty(&mux->to_ask)) {
        struct ln_ice_mux_member *member = LN_CONTAINER(mux->to_ask.next, struct ln_ice_mux_member,
                                                        to_ask);
        struct ln_request request = { 0 };

        /* one refusal at a time is remembered: it hears of that first */
        if (member->refused ||
            member->endpoint.ops->poll_request(member->endpoint.object, &request) <= 0) {
            ln_list_remove(&member->to_ask);
            ln_mux_set_deadline(member);
        } else if (take(member, &request)) {
            *ret_request = request;
            return 1;
        }
    }
    return 0;
}

/* --- what the driver answers --------------------------------------------------------------- */

static void tell(struct ln_ice_mux_member *member, ln_time now, const struct ln_answer *answer)
{
    member->endpoint.ops->answer(member->endpoint.object, now, answer);
    ln_mux_stir(member);
}

/* A link for a request: the first of a listener is the listener itself. */
static void give_opened(struct ln_ice_mux *mux, struct ln_mux_request *request, ln_time now,
                        const struct ln_answer *answer)
{
    struct ln_ice_mux_member *member = request->member;
    struct ln_mux_link *own = ln_mux_give(member, answer->link);
    struct ln_answer told = *answer;

    told.id = request->member_id;
    if (!own) {
        ln_mux_close_unwanted(mux, answer->link);
        if (request->link)
            return; /* a stream of a listener, which nobody awaits */
        told = (struct ln_answer){ .kind = LN_ANSWER_FAILED,
                                   .id = request->member_id,
                                   .error = LN_ERR_LIMIT };
        free_request(mux, request);
    } else if (request->kind == LN_REQUEST_LISTEN_TCP) {
        if (!request->link) {
            request->link = own;
            own->request = request->id;
        }
    } else {
        free_request(mux, request);
    }
    tell(member, now, &told);
}

static void answer_request(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer)
{
    struct ln_mux_request *request = find_request(mux, answer->id);
    struct ln_ice_mux_member *member = request ? request->member : NULL;
    struct ln_answer told = *answer;

    if (!request) {
        if (answer->kind == LN_ANSWER_OPENED) /* before the driver heard that it is not wanted */
            ln_mux_close_unwanted(mux, answer->link);
        return;
    }
    if (answer->kind == LN_ANSWER_OPENED) {
        give_opened(mux, request, now, answer);
        return;
    }
    told.id = request->member_id;
    if (answer->kind != LN_ANSWER_PUBLISHED) /* that one is taken back by its id */
        free_request(mux, request);
    tell(member, now, &told);
}

static void answer_link(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer)
{
    struct ln_mux_object *object = ln_mux_find(mux, answer->link);
    struct ln_ice_mux_member *member;
    struct ln_mux_stream *stream;

    if (object && object->kind == LN_MUX_STREAM) {
        stream = LN_CONTAINER(object, struct ln_mux_stream, object);
        if (answer->kind == LN_ANSWER_WRITABLE)
            stream->room = answer->bytes;
        else
            ln_mux_stream_free(mux, stream);
    } else if (object && object->kind == LN_MUX_OWN) {
        member = LN_CONTAINER(object, struct ln_mux_link, object)->member;
        if (answer->kind == LN_ANSWER_CLOSED)
            free_own(mux, LN_CONTAINER(object, struct ln_mux_link, object));
        tell(member, now, answer);
    }
}

/* By the address if it is claimed, else it was what was sent last. */
static void answer_send_failed(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer)
{
    struct ln_mux_object *object = ln_mux_find(mux, answer->path.link);
    struct ln_mux_link *link = NULL;
    struct ln_answer told = *answer;

    if (object && object->kind == LN_MUX_OWN)
        link = LN_CONTAINER(object, struct ln_mux_link, object);
    else if (object && object->kind == LN_MUX_BASE)
        link = ln_mux_link_of_address(mux, LN_CONTAINER(object, struct ln_mux_base, object),
                                      &answer->path.remote);
    if (!link && mux->sending && object == &mux->sending->base->object &&
        ln_address_equal(&mux->sending_to, &answer->path.remote))
        link = mux->sending;
    if (!link)
        return;
    told.link = told.path.link = link->object.link;
    tell(link->member, now, &told);
}

static void take_interfaces(struct ln_ice_mux *mux, const struct ln_answer *answer)
{
    struct ln_interface *copy = NULL;

    if (answer->interface_count > 0) {
        copy = ln_alloc_copy(mux->env->allocator, answer->interfaces,
                             answer->interface_count * sizeof *copy);
        if (!copy) { /* those that are known serve on */
            ln_mux_drop(mux, LN_ICE_MUX_DROP_LIMIT);
            return;
        }
    }
    ln_free(mux->env->allocator, mux->interfaces);
    mux->interfaces = copy;
    mux->interface_count = answer->interface_count;
    mux->interfaces_known = true;
    LN_LIST_EACH (at, &mux->members) {
        struct ln_ice_mux_member *member = LN_CONTAINER(at, struct ln_ice_mux_member, in_all);

        member->watch_due = member->watches;
        if (member->watches)
            ln_mux_stir(member);
    }
    ln_mux_review_bases(mux);
}

void ln_mux_answer(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer)
{
    switch (answer->kind) {
    case LN_ANSWER_INTERFACES:
        take_interfaces(mux, answer);
        break;
    case LN_ANSWER_SEND_FAILED:
        answer_send_failed(mux, now, answer);
        break;
    case LN_ANSWER_CLOSED:
    case LN_ANSWER_WRITABLE:
        answer_link(mux, now, answer);
        break;
    case LN_ANSWER_FAILED:
        if (mux->watch_asked && answer->id == mux->watch_request)
            take_interfaces(mux, &(struct ln_answer){ .kind = LN_ANSWER_INTERFACES });
        else
            answer_request(mux, now, answer);
        break;
    default:
        answer_request(mux, now, answer);
    }
}
