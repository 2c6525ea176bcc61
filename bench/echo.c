/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/echo.h"

#include "base/endpoint.h"

#include <linnet/error.h>

struct waiting {
    struct ln_path path;
    struct ln_buffer *buffer;
};

void echo_init(struct echo *echo, const struct ln_address *addresses, uint32_t count,
               const struct ln_env *env)
{
    memset(echo, 0, sizeof *echo);
    echo->env = env;
    echo->count = count < ECHO_SOCKETS_MAX ? count : ECHO_SOCKETS_MAX;
    memcpy(echo->addresses, addresses, echo->count * sizeof *addresses);
    ln_ring_init(&echo->queue, env->allocator, sizeof(struct waiting), ECHO_QUEUE_MAX);
}

void echo_deinit(struct echo *echo)
{
    struct waiting waiting;

    while (ln_ring_pop(&echo->queue, &waiting))
        ln_buffer_unref(waiting.buffer);
    ln_ring_deinit(&echo->queue);
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct echo *echo = object;
    struct waiting waiting = { packet->path,
                               ln_buffer_copy(echo->env->pool, packet->data, packet->len) };

    (void)now;
    echo->received++;
    if (waiting.buffer && ln_ring_push(&echo->queue, &waiting) == 0)
        return;
    ln_buffer_unref(waiting.buffer);
    echo->dropped++;
}

static void on_timeout(void *object, ln_time now)
{
    (void)object;
    (void)now;
}

static ln_time next_timeout(const void *object)
{
    (void)object;
    return LN_TIME_NEVER;
}

/* Whether it may stand behind those that are there: of one size but for the last. */
static bool fits(const struct ln_transmit *out, const struct waiting *waiting)
{
    const struct ln_slice *last = &out->slices[out->slice_count - 1];

    return out->slice_count < LN_TRANSMIT_SEGMENTS_MAX &&
           ln_path_equal(&out->path, &waiting->path) && last->len == out->slices[0].len &&
           waiting->buffer->len <= last->len && waiting->buffer->len > 0 &&
           out->len + waiting->buffer->len <= LN_TRANSMIT_BYTES_MAX;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct echo *echo = object;
    struct waiting *next;

    (void)now;
    ln_transmit_begin(out);
    while ((next = ln_ring_at(&echo->queue, 0)) != NULL) {
        if (out->slice_count == 0)
            out->path = next->path;
        else if (!fits(out, next))
            break;
        out->slices[out->slice_count++] = (struct ln_slice){ ln_buffer_bytes(next->buffer),
                                                             next->buffer->len, next->buffer };
        out->len += next->buffer->len;
        (void)ln_ring_pop(&echo->queue, NULL);
    }
    out->segment = out->slice_count > 1 ? out->slices[0].len : 0;
    return out->slice_count > 0;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct echo *echo = object;

    if (echo->asked == echo->count)
        return 0;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                        .id = echo->asked,
                                        .local = echo->addresses[echo->asked],
                                        .exclusive = true };
    echo->asked++;
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *given)
{
    struct echo *echo = object;

    (void)now;
    if (given->kind == LN_ANSWER_OPENED) {
        echo->addresses[given->id] = given->local;
        echo->opened++;
    } else if (given->kind == LN_ANSWER_FAILED) {
        echo->failed++;
    }
}

struct ln_endpoint echo_endpoint(struct echo *echo)
{
    static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, answer };

    return (struct ln_endpoint){ &ops, echo };
}
