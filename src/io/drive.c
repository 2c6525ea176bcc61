/* SPDX-License-Identifier: Apache-2.0
 * Driving an endpoint: its deadline, its output, its requests, and the owner's turn in between.
 *
 * One drive takes passes over the object until a pass brings nothing, or the caps are reached (then
 * it comes again after the others had their turn). The owner's callback runs after every pass that
 * brought something, and once in any case, as a received packet alone may have made events.
 *
 * Invariant: no call on the object is made from within another one, and none after its removal. */
#include "base/alloc.h"
#include "base/endpoint.h"
#include "base/time.h"
#include "io/loop_internal.h"

#include <linnet/error.h>

#include <unistd.h>

#define PASSES_MAX         6
#define TRANSMITS_MAX      64 /* calls of one drive */
#define TRANSMIT_BYTES_MAX (1024u * 1024)
#define REQUESTS_MAX       256

void ln_io_touch(struct ln_loop_endpoint *endpoint)
{
    if (ln_list_empty(&endpoint->ready) && endpoint->loop->driving != endpoint)
        ln_list_append(&endpoint->loop->ready, &endpoint->ready);
}

void ln_loop_touch(struct ln_loop_endpoint *handle)
{
    ln_io_touch(handle);
    ln_io_wake_host(handle->loop);
}

void ln_io_answer(struct ln_loop_endpoint *endpoint, const struct ln_answer *answer)
{
    endpoint->answered = true;
    endpoint->endpoint.ops->answer(endpoint->endpoint.object, ln_loop_now(endpoint->loop), answer);
    ln_io_touch(endpoint);
}

void ln_io_answer_failed(struct ln_loop_endpoint *endpoint, uint32_t id, int error)
{
    struct ln_answer answer = { .kind = LN_ANSWER_FAILED, .id = id, .error = error };

    ln_io_answer(endpoint, &answer);
}

/* ---- output ---- */

static void release_slices(struct ln_transmit *transmit)
{
    for (size_t i = 0; i < transmit->slice_count; i++)
        ln_buffer_unref(transmit->slices[i].buffer);
    transmit->slice_count = 0;
}

static void send_out(struct ln_loop_endpoint *endpoint, ln_time now, struct ln_transmit *transmit)
{
    struct ln_loop *loop = endpoint->loop;
    struct ln_io_link *link = ln_io_link_get(loop, transmit->path.link);

    if (!link || link->endpoint != endpoint || link->kind == LN_IO_LISTENER)
        loop->stats.dropped_no_link++;
    else if (link->kind == LN_IO_UDP)
        ln_io_udp_transmit(link, now, transmit);
    else
        ln_io_tcp_transmit(link, transmit);
}

/* What is left of a drive's caps. */
struct allowance {
    size_t transmits, bytes, requests;
};

static bool take_transmits(struct ln_loop_endpoint *endpoint, ln_time now, struct allowance *left)
{
    struct ln_transmit *transmit = &endpoint->loop->transmit;
    bool any = false;

    while (left->transmits > 0 && left->bytes > 0) {
        ln_transmit_begin(transmit);
        transmit->data = endpoint->loop->transmit_data;
        transmit->cap = LN_TRANSMIT_BYTES_MAX;
        if (endpoint->endpoint.ops->poll_transmit(endpoint->endpoint.object, now, transmit) <= 0)
            break;
        send_out(endpoint, now, transmit);
        left->transmits--;
        left->bytes -= transmit->len < left->bytes ? transmit->len : left->bytes;
        release_slices(transmit);
        any = true;
    }
    ln_io_batch_send(endpoint->loop);
    return any;
}

/* ---- requests ---- */

static void answer_opened(struct ln_loop_endpoint *endpoint, const struct ln_io_link *link)
{
    struct ln_answer answer = {
        .kind = LN_ANSWER_OPENED, .id = link->request_id, .link = link->id, .local = link->local
    };

    ln_io_answer(endpoint, &answer);
}

static void open_socket(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_io_link *link = NULL;
    int error;

    if (request->kind == LN_REQUEST_OPEN_UDP)
        error = ln_io_udp_open(endpoint, request, &link);
    else
        error = ln_io_tcp_listen(endpoint, request, &link);
    if (error)
        ln_io_answer_failed(endpoint, request->id, error);
    else
        answer_opened(endpoint, link);
}

/* Takes back what has been asked for under this id: what was not answered yet, and a name. */
static void cancel(struct ln_loop_endpoint *endpoint, uint32_t id)
{
    LN_LIST_EACH_SAFE (at, after, &endpoint->links) {
        struct ln_io_link *link = LN_CONTAINER(at, struct ln_io_link, siblings);

        if (link->connecting && link->request_id == id)
            ln_io_link_close(link);
    }
    ln_io_resolve_cancel(endpoint, id, false);
    ln_io_publish_cancel(endpoint, id, false);
    if (endpoint->watches_interfaces && endpoint->watch_id == id)
        endpoint->watches_interfaces = false;
}

static void close_link(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_io_link *link = ln_io_link_get(endpoint->loop, request->link);

    if (request->link == 0)
        cancel(endpoint, request->id);
    else if (link && link->endpoint == endpoint && link->kind == LN_IO_STREAM)
        ln_io_tcp_close(link);
    else if (link && link->endpoint == endpoint)
        ln_io_link_close(link);
}

static void set_window(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_io_link *link = ln_io_link_get(endpoint->loop, request->link);

    if (link && link->endpoint == endpoint && link->kind == LN_IO_STREAM)
        ln_io_tcp_set_window(link, request->bytes);
}

static void fulfil(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    int error = 0;

    switch (request->kind) {
    case LN_REQUEST_OPEN_UDP:
    case LN_REQUEST_LISTEN_TCP:
        open_socket(endpoint, request);
        break;
    case LN_REQUEST_OPEN_TCP:
        error = ln_io_tcp_connect(endpoint, request);
        break;
    case LN_REQUEST_CLOSE:
        close_link(endpoint, request);
        break;
    case LN_REQUEST_RESOLVE:
        ln_io_resolve(endpoint, request);
        break;
    case LN_REQUEST_PUBLISH:
        ln_io_publish(endpoint, request);
        break;
    case LN_REQUEST_WATCH_INTERFACES:
        ln_io_interfaces_watch(endpoint, request->id);
        break;
    case LN_REQUEST_WINDOW:
        set_window(endpoint, request);
        break;
    case LN_REQUEST_OPEN_PAIR:
        error = ln_io_pair_open(endpoint, request);
        break;
    default:
        error = LN_ERR_NOT_SUPPORTED;
    }
    if (error)
        ln_io_answer_failed(endpoint, request->id, error);
}

static bool take_requests(struct ln_loop_endpoint *endpoint, struct allowance *left)
{
    struct ln_request request = { 0 };
    bool any = false;

    while (left->requests > 0 &&
           endpoint->endpoint.ops->poll_request(endpoint->endpoint.object, &request) > 0) {
        left->requests--;
        fulfil(endpoint, &request);
        any = true;
    }
    return any;
}

/* ---- a drive ---- */

static bool pass(struct ln_loop_endpoint *endpoint, struct allowance *left)
{
    const struct ln_endpoint_ops *ops = endpoint->endpoint.ops;
    void *object = endpoint->endpoint.object;
    ln_time now = ln_loop_now(endpoint->loop);
    bool any = false;

    endpoint->answered = false;
    if (ln_time_due(ops->next_timeout(object), now)) {
        ops->on_timeout(object, now);
        any = true;
    }
    any |= take_transmits(endpoint, now, left);
    any |= take_requests(endpoint, left);
    return any || endpoint->answered;
}

void ln_io_drive(struct ln_loop_endpoint *endpoint)
{
    struct allowance left = { TRANSMITS_MAX, TRANSMIT_BYTES_MAX, REQUESTS_MAX };
    struct ln_loop *loop = endpoint->loop;
    struct ln_loop_endpoint *outer = loop->driving;
    ln_time deadline;
    bool any = true;

    loop->driving = endpoint;
    ln_list_remove(&endpoint->ready);
    for (int i = 0; i < PASSES_MAX && any && !endpoint->removed; i++) {
        any = pass(endpoint, &left);
        if ((any || i == 0) && endpoint->after) {
            endpoint->after(endpoint->ctx, ln_loop_now(loop));
            any = true; /* the owner may have called into the object */
        }
        if (left.transmits == 0 || left.bytes == 0 || left.requests == 0)
            break; /* `any` holds: there may be more */
    }
    loop->driving = outer;
    if (endpoint->removed)
        return;
    if (any)
        ln_io_touch(endpoint);
    deadline = endpoint->endpoint.ops->next_timeout(endpoint->endpoint.object);
    if (deadline != endpoint->deadline.node.time)
        ln_loop_timer_set(&endpoint->deadline, deadline);
}

/* ---- life ---- */

static void deadline_came(void *ctx, ln_time now)
{
    (void)now;
    ln_io_touch(ctx);
}

int ln_loop_add_endpoint(struct ln_loop *loop, struct ln_endpoint endpoint, ln_loop_after_fn after,
                         void *ctx, struct ln_loop_endpoint **ret_handle)
{
    struct ln_loop_endpoint *handle = ln_alloc_zero(loop->env->allocator, sizeof *handle);
    int error;

    if (!handle)
        return LN_ERR_NOMEM;
    error = ln_loop_timer_init(loop, &handle->deadline, deadline_came, handle);
    if (error) {
        ln_free(loop->env->allocator, handle);
        return error;
    }
    ln_list_init(&handle->grave);
    ln_list_init(&handle->ready);
    ln_list_init(&handle->links);
    ln_list_append(&loop->endpoints, &handle->siblings);
    handle->loop = loop;
    handle->endpoint = endpoint;
    handle->after = after;
    handle->ctx = ctx;
    *ret_handle = handle;
    ln_loop_touch(handle);
    return 0;
}

void ln_loop_remove_endpoint(struct ln_loop_endpoint *handle)
{
    if (!handle || handle->removed)
        return;
    handle->removed = true;
    LN_LIST_EACH_SAFE (at, after, &handle->links) {
        struct ln_io_link *link = LN_CONTAINER(at, struct ln_io_link, siblings);

        if (link->kind == LN_IO_STREAM)
            ln_io_tcp_close(link);
        else
            ln_io_link_close(link);
    }
    ln_io_resolve_cancel(handle, 0, true);
    ln_io_publish_cancel(handle, 0, true);
    ln_loop_timer_deinit(&handle->deadline);
    ln_list_remove(&handle->ready);
    ln_list_remove(&handle->siblings);
    ln_io_bury(handle->loop, &handle->grave);
}
