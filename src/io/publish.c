/* SPDX-License-Identifier: Apache-2.0
 * Names that an object wants to be found under: handed on to the owner's publisher (mDNS), as
 * lookups are to its resolvers. One lives until it is taken back, its object is removed, or the
 * publisher says that it failed. */
#include "base/alloc.h"
#include "io/loop_internal.h"

#include <linnet/error.h>

struct ln_io_publication {
    struct ln_list siblings;
    struct ln_loop_endpoint *endpoint;
    uint64_t token;
    uint32_t id;
};

static void forget(struct ln_loop *loop, struct ln_io_publication *publication)
{
    ln_list_remove(&publication->siblings);
    ln_free(loop->env->allocator, publication);
    loop->publication_count--;
}

void ln_loop_set_publisher(struct ln_loop *loop, const struct ln_loop_publisher *publisher,
                           void *ctx)
{
    loop->publisher = publisher;
    loop->publisher_ctx = ctx;
}

void ln_io_publish(struct ln_loop_endpoint *endpoint, const struct ln_request *request)
{
    struct ln_loop *loop = endpoint->loop;
    struct ln_io_publication *publication = NULL;
    int error = 0;

    if (!loop->publisher)
        error = LN_ERR_NOT_SUPPORTED;
    else if (loop->publication_count >= LN_IO_PUBLICATIONS_MAX)
        error = LN_ERR_LIMIT;
    else if (!(publication = ln_alloc_zero(loop->env->allocator, sizeof *publication)))
        error = LN_ERR_NOMEM;
    if (error) {
        ln_io_answer_failed(endpoint, request->id, error);
        return;
    }
    publication->endpoint = endpoint;
    publication->token = ++loop->next_token;
    publication->id = request->id;
    ln_list_append(&loop->publications, &publication->siblings);
    loop->publication_count++;
    loop->publisher->publish(loop->publisher_ctx, publication->token, request->name,
                             &request->local);
}

void ln_io_publish_cancel(struct ln_loop_endpoint *endpoint, uint32_t id, bool all)
{
    struct ln_loop *loop = endpoint->loop;

    LN_LIST_EACH_SAFE (at, after, &loop->publications) {
        struct ln_io_publication *publication = LN_CONTAINER(at, struct ln_io_publication,
                                                             siblings);
        uint64_t token = publication->token;

        if (publication->endpoint != endpoint || (!all && publication->id != id))
            continue;
        forget(loop, publication);
        if (loop->publisher)
            loop->publisher->withdraw(loop->publisher_ctx, token);
    }
}

void ln_loop_published(struct ln_loop *loop, uint64_t token, int error)
{
    LN_LIST_EACH (at, &loop->publications) {
        struct ln_io_publication *publication = LN_CONTAINER(at, struct ln_io_publication,
                                                             siblings);
        struct ln_loop_endpoint *endpoint = publication->endpoint;
        struct ln_answer answer = { .kind = LN_ANSWER_PUBLISHED, .id = publication->id };

        if (publication->token != token)
            continue;
        if (error) {
            forget(loop, publication);
            ln_io_answer_failed(endpoint, answer.id, error);
        } else {
            ln_io_answer(endpoint, &answer);
        }
        ln_io_wake_host(loop);
        return;
    }
}
