/* SPDX-License-Identifier: Apache-2.0
 * The mux as an endpoint (ice/mux.h): which member is due, who has something to send or to ask.
 *
 * No turn looks at all members: those that were called stand in lists, those that wait for a time
 * in a heap. Invariant: the heap has the deadline of every member that is not `unsettled`. */
#include "ice/mux_internal.h"

#include "base/alloc.h"
#include "base/time.h"

#include <linnet/error.h>

#define TABLE_MAX (LN_ICE_MUX_MEMBERS_MAX * 16u)

void ln_mux_drop(struct ln_ice_mux *mux, enum ln_ice_mux_drop reason)
{
    mux->drops[reason]++;
}

/* --- objects ------------------------------------------------------------------------------- */

struct ln_mux_object *ln_mux_find(struct ln_ice_mux *mux, ln_link link)
{
    struct ln_mux_object *last = mux->last_object;

    if (!last || last->link != link) {
        last = ln_map_get_u64(&mux->objects, link);
        if (last)
            mux->last_object = last;
    }
    return last;
}

int ln_mux_set_object(struct ln_ice_mux *mux, struct ln_mux_object *object)
{
    return ln_map_set_u64(&mux->objects, object->link, object);
}

void ln_mux_unset_object(struct ln_ice_mux *mux, struct ln_mux_object *object)
{
    if (mux->last_object == object)
        mux->last_object = NULL;
    ln_map_remove_u64(&mux->objects, object->link);
}

/* --- life ---------------------------------------------------------------------------------- */

int ln_ice_mux_create(struct ln_ice_mux **ret_mux, const struct ln_ice_mux_config *config,
                      const struct ln_env *env)
{
    struct ln_ice_mux *mux = ln_alloc_zero(env->allocator, sizeof *mux);

    if (!mux)
        return LN_ERR_NOMEM;
    mux->env = env;
    mux->config = *config;
    if (mux->config.members_max == 0 || mux->config.members_max > LN_ICE_MUX_MEMBERS_MAX)
        mux->config.members_max = LN_ICE_MUX_MEMBERS_MAX;
    ln_list_init(&mux->members);
    ln_list_init(&mux->unsettled);
    ln_list_init(&mux->to_send);
    ln_list_init(&mux->to_ask);
    ln_list_init(&mux->news);
    ln_list_init(&mux->all_asked);
    ln_list_init(&mux->closing);
    ln_list_init(&mux->cancelling);
    ln_list_init(&mux->streams);
    ln_heap_init(&mux->heap, env->allocator, mux->config.members_max);
    ln_map_init(&mux->objects, env, TABLE_MAX);
    ln_map_init(&mux->ufrags, env, TABLE_MAX);
    ln_map_init(&mux->claims, env, TABLE_MAX);
    ln_map_init(&mux->asked, env, TABLE_MAX);
    ln_map_init(&mux->requests, env, TABLE_MAX);
    for (size_t i = 0; i < LN_ICE_MUX_BASES_MAX; i++)
        ln_list_init(&mux->bases[i].links);
    *ret_mux = mux;
    return 0;
}

void ln_ice_mux_free(struct ln_ice_mux *mux)
{
    if (!mux)
        return;
    LN_LIST_EACH_SAFE (at, after, &mux->members)
        ln_ice_mux_remove(LN_CONTAINER(at, struct ln_ice_mux_member, in_all));
    LN_LIST_EACH_SAFE (at, after, &mux->streams)
        ln_mux_stream_free(mux, LN_CONTAINER(at, struct ln_mux_stream, in_all));
    LN_LIST_EACH_SAFE (at, after, &mux->closing)
        ln_free(mux->env->allocator, LN_CONTAINER(at, struct ln_mux_link, in_member));
    LN_LIST_EACH_SAFE (at, after, &mux->cancelling)
        ln_free(mux->env->allocator, LN_CONTAINER(at, struct ln_mux_request, in_member));
    ln_heap_deinit(&mux->heap);
    ln_map_deinit(&mux->objects);
    ln_map_deinit(&mux->ufrags);
    ln_map_deinit(&mux->claims);
    ln_map_deinit(&mux->asked);
    ln_map_deinit(&mux->requests);
    ln_free(mux->env->allocator, mux->interfaces);
    ln_free(mux->env->allocator, mux);
}

int ln_ice_mux_add(struct ln_ice_mux *mux, struct ln_endpoint endpoint, void *ctx,
                   struct ln_ice_mux_member **ret_member)
{
    struct ln_ice_mux_member *member;
    int error;

    if (mux->member_count >= mux->config.members_max)
        return LN_ERR_LIMIT;
    member = ln_alloc_zero(mux->env->allocator, sizeof *member);
    if (!member)
        return LN_ERR_NOMEM;
    error = ln_heap_set(&mux->heap, &member->deadline, LN_TIME_NEVER);
    if (error) {
        ln_free(mux->env->allocator, member);
        return error;
    }
    member->mux = mux;
    member->endpoint = endpoint;
    member->ctx = ctx;
    ln_list_init(&member->unsettled);
    ln_list_init(&member->to_send);
    ln_list_init(&member->to_ask);
    ln_list_init(&member->news);
    ln_list_init(&member->links);
    ln_list_init(&member->requests);
    ln_list_append(&mux->members, &member->in_all);
    mux->member_count++;
    ln_mux_stir(member);
    *ret_member = member;
    return 0;
}

void ln_ice_mux_remove(struct ln_ice_mux_member *member)
{
    struct ln_ice_mux *mux;

    if (!member)
        return;
    mux = member->mux;
    if (mux->telling == member)
        mux->telling = NULL;
    ln_mux_release(member);
    ln_heap_remove(&mux->heap, &member->deadline);
    ln_list_remove(&member->unsettled);
    ln_list_remove(&member->to_send);
    ln_list_remove(&member->to_ask);
    ln_list_remove(&member->news);
    ln_list_remove(&member->in_all);
    mux->member_count--;
    ln_free(mux->env->allocator, member);
}

/* --- turns --------------------------------------------------------------------------------- */

static void enter(struct ln_list *list, struct ln_list *element)
{
    if (ln_list_empty(element))
        ln_list_append(list, element);
}

/* It may have something to send, to ask and to tell. */
static void listen_to(struct ln_ice_mux_member *member)
{
    struct ln_ice_mux *mux = member->mux;

    enter(&mux->to_send, &member->to_send);
    enter(&mux->to_ask, &member->to_ask);
    enter(&mux->news, &member->news);
}

void ln_mux_stir(struct ln_ice_mux_member *member)
{
    enter(&member->mux->unsettled, &member->unsettled);
    listen_to(member);
}

void ln_ice_mux_touch(struct ln_ice_mux_member *member)
{
    ln_mux_stir(member);
    if (member->mux->telling == member)
        ln_list_remove(&member->news); /* its owner is at it */
}

void *ln_ice_mux_poll_news(struct ln_ice_mux *mux)
{
    mux->telling = NULL;
    if (ln_list_empty(&mux->news))
        return NULL;
    mux->telling = LN_CONTAINER(mux->news.next, struct ln_ice_mux_member, news);
    ln_list_remove(&mux->telling->news);
    return mux->telling->ctx;
}

void ln_mux_set_deadline(struct ln_ice_mux_member *member)
{
    ln_time next = member->endpoint.ops->next_timeout(member->endpoint.object);

    if (next != member->deadline.time)
        (void)!ln_heap_set(&member->mux->heap, &member->deadline, next); /* a move never fails */
}

/* What a member does in its own time. One that is due again at once has its next turn after the
 * others. */
static void run_member(struct ln_ice_mux_member *member, ln_time now)
{
    member->endpoint.ops->on_timeout(member->endpoint.object, now);
    listen_to(member);
    ln_mux_set_deadline(member);
    if (ln_time_due(member->deadline.time, now)) {
        (void)!ln_heap_set(&member->mux->heap, &member->deadline, LN_TIME_NEVER);
        enter(&member->mux->unsettled, &member->unsettled);
    }
}

static void on_timeout(void *object, ln_time now)
{
    struct ln_ice_mux *mux = object;
    struct ln_heap_node *first;

    while (!ln_list_empty(&mux->unsettled)) {
        struct ln_ice_mux_member *member = LN_CONTAINER(mux->unsettled.next,
                                                        struct ln_ice_mux_member, unsettled);

        ln_list_remove(&member->unsettled);
        ln_mux_tell(member, now);
        ln_mux_set_deadline(member);
    }
    while ((first = ln_heap_first(&mux->heap)) && ln_time_due(first->time, now))
        run_member(LN_CONTAINER(first, struct ln_ice_mux_member, deadline), now);
    ln_mux_streams_on_timeout(mux, now);
}

static ln_time next_timeout(const void *object)
{
    const struct ln_ice_mux *mux = object;
    const struct ln_heap_node *first = ln_heap_first(&mux->heap);
    ln_time next = ln_mux_streams_next_timeout(mux);

    if (!ln_list_empty(&mux->unsettled))
        return LN_TIME_IMMEDIATE;
    return first ? ln_time_min(next, first->time) : next;
}

/* --- packets ------------------------------------------------------------------------------- */

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_ice_mux *mux = object;
    struct ln_mux_object *link = ln_mux_find(mux, packet->path.link);

    if (link && link->kind == LN_MUX_BASE) {
        ln_mux_receive(mux, now, packet, LN_CONTAINER(link, struct ln_mux_base, object));
    } else if (link && link->kind == LN_MUX_OWN) {
        struct ln_ice_mux_member *member = LN_CONTAINER(link, struct ln_mux_link, object)->member;

        member->endpoint.ops->receive(member->endpoint.object, now, packet);
        ln_mux_stir(member);
    } else if (link && link->kind == LN_MUX_STREAM) {
        ln_mux_stream_receive(mux, now, LN_CONTAINER(link, struct ln_mux_stream, object), packet);
    } else {
        ln_mux_drop(mux, LN_ICE_MUX_DROP_UNKNOWN_LINK);
    }
}

static void let_slices_go(struct ln_transmit *out)
{
    for (size_t i = 0; i < out->slice_count; i++)
        ln_buffer_unref(out->slices[i].buffer);
}

/* One train of each that has something, in turn. */
static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_ice_mux *mux = object;

    while (!ln_list_empty(&mux->to_send)) {
        struct ln_ice_mux_member *member = LN_CONTAINER(mux->to_send.next, struct ln_ice_mux_member,
                                                        to_send);

        ln_transmit_begin(out);
        ln_list_remove(&member->to_send);
        if (member->endpoint.ops->poll_transmit(member->endpoint.object, now, out) <= 0) {
            ln_mux_set_deadline(member);
            continue;
        }
        ln_list_append(&mux->to_send, &member->to_send);
        enter(&mux->news, &member->news);
        if (ln_mux_send(member, now, out))
            return 1;
        let_slices_go(out);
    }
    return 0;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_ice_mux *mux = object;
    int found = ln_mux_bases_poll_request(mux, ret_request);

    return found ? found : ln_mux_poll_request(mux, ret_request);
}

static void answer(void *object, ln_time now, const struct ln_answer *given)
{
    if (!ln_mux_bases_answer(object, now, given))
        ln_mux_answer(object, now, given);
}

struct ln_endpoint ln_ice_mux_endpoint(struct ln_ice_mux *mux)
{
    static const struct ln_endpoint_ops ops = {
        receive, on_timeout, next_timeout, poll_transmit, poll_request, answer,
    };

    return (struct ln_endpoint){ &ops, mux };
}

/* --- what it tells ------------------------------------------------------------------------- */

size_t ln_ice_mux_member_count(const struct ln_ice_mux *mux)
{
    return mux->member_count;
}

bool ln_ice_mux_bound(const struct ln_ice_mux *mux, size_t i, struct ln_address *ret_address,
                      bool *ret_stream)
{
    for (size_t b = 0; b < LN_ICE_MUX_BASES_MAX; b++)
        if (mux->bases[b].state == LN_MUX_BASE_OPEN && i-- == 0) {
            *ret_address = mux->bases[b].address;
            *ret_stream = mux->bases[b].stream;
            return true;
        }
    return false;
}

uint64_t ln_ice_mux_dropped(const struct ln_ice_mux *mux, enum ln_ice_mux_drop reason)
{
    return mux->drops[reason];
}

const char *ln_ice_mux_drop_name(enum ln_ice_mux_drop reason)
{
#define LN_X(name, text) text,
    static const char *const names[] = { LN_ICE_MUX_DROP_TABLE(LN_X) };
#undef LN_X

    return names[reason];
}
