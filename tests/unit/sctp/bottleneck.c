/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sctp/bottleneck.h"

#include "base/time.h"

#define MESSAGE_BYTES 16384u
#define UNSENT_BYTES  (256u << 10)

/* Not of the environment's allocator, which a sweep makes fail. */
static struct bottleneck_packet memory[2][BOTTLENECK_PACKETS_MAX];

void bottleneck_init(struct bottleneck *b, double mbit_per_s, ln_duration rtt, double queue_rtts)
{
    memset(b, 0, sizeof *b);
    b->bytes_per_s = mbit_per_s * 1e6 / 8;
    b->queue_bytes = (size_t)(b->bytes_per_s * (double)rtt / 1e9 * queue_rtts);
    b->one_way = rtt / 2;
    b->now = LN_SECONDS(1);
    b->forth.packets = memory[0];
    b->back.packets = memory[1];
    ln_rng_seed(&b->rng, 5);
}

static void push(struct bottleneck_queue *queue, int flow, int to, ln_time at, const uint8_t *data,
                 size_t len)
{
    struct bottleneck_packet *packet = &queue->packets[queue->tail++ % BOTTLENECK_PACKETS_MAX];

    CHECK(queue->tail - queue->head <= BOTTLENECK_PACKETS_MAX);
    packet->flow = flow;
    packet->to = to;
    packet->at = at;
    packet->len = len;
    memcpy(packet->data, data, len);
}

static void go_forth(struct bottleneck *b, int flow, const uint8_t *data, size_t len)
{
    ln_time start = ln_time_max(b->now, b->free_at);
    ln_duration wait = start - b->now;

    if ((double)wait / 1e9 * b->bytes_per_s > (double)b->queue_bytes) {
        b->dropped++;
        return;
    }
    if (wait > b->queue_most)
        b->queue_most = wait;
    b->free_at = start + (ln_duration)((double)len * 1e9 / b->bytes_per_s);
    if (b->loss > 0 && ln_rng_unit(&b->rng) < b->loss)
        return;
    push(&b->forth, flow, 1, b->free_at + b->one_way, data, len);
}

static void transmit(struct bottleneck *b)
{
    uint8_t out[LN_SCTP_PACKET_BYTES];
    size_t len;

    for (int i = 0; i < b->flows; i++) {
        b->burst = 0;
        while ((len = ln_sctp_poll_transmit(b->end[i][0], b->now, out, sizeof out)) > 0) {
            go_forth(b, i, out, len);
            b->burst++;
        }
        if (b->burst > b->burst_most)
            b->burst_most = b->burst;
        while ((len = ln_sctp_poll_transmit(b->end[i][1], b->now, out, sizeof out)) > 0)
            push(&b->back, i, 0, b->now + b->one_way, out, len);
    }
}

static void deliver(struct bottleneck *b, struct bottleneck_queue *queue)
{
    while (queue->head < queue->tail) {
        struct bottleneck_packet *packet = &queue->packets[queue->head % BOTTLENECK_PACKETS_MAX];

        if (packet->at > b->now)
            return;
        queue->head++;
        ln_sctp_receive(b->end[packet->flow][packet->to], b->now, packet->data, packet->len);
    }
}

static void use(struct bottleneck *b)
{
    static const uint8_t message[MESSAGE_BYTES];
    struct ln_sctp_event event;

    for (int i = 0; i < b->flows; i++) {
        while (b->sending[i] && ln_sctp_buffered_amount(b->end[i][0], 0) < UNSENT_BYTES)
            CHECK(ln_sctp_send(b->end[i][0], 0, 53, message, sizeof message, NULL) == 0);
        for (int k = 0; k < 2 && !b->keep_events; k++)
            while (ln_sctp_poll_event(b->end[i][k], &event))
                if (event.kind == LN_SCTP_EVENT_MESSAGE)
                    b->delivered[i] += event.len;
    }
}

void bottleneck_run(struct bottleneck *b, ln_duration length)
{
    ln_time until = b->now + length;

    while (b->now < until) {
        ln_time next = until;

        use(b);
        transmit(b);
        for (int i = 0; i < b->flows; i++)
            for (int k = 0; k < 2; k++)
                next = ln_time_min(next, ln_sctp_next_timeout(b->end[i][k]));
        if (b->forth.head < b->forth.tail)
            next = ln_time_min(next, b->forth.packets[b->forth.head % BOTTLENECK_PACKETS_MAX].at);
        if (b->back.head < b->back.tail)
            next = ln_time_min(next, b->back.packets[b->back.head % BOTTLENECK_PACKETS_MAX].at);
        b->now = ln_time_max(b->now, next);
        for (int i = 0; i < b->flows; i++)
            for (int k = 0; k < 2; k++)
                if (ln_sctp_next_timeout(b->end[i][k]) <= b->now)
                    ln_sctp_on_timeout(b->end[i][k], b->now);
        deliver(b, &b->forth);
        deliver(b, &b->back);
    }
    use(b);
}

int bottleneck_add(struct bottleneck *b, const struct ln_sctp_cc_ops *cc)
{
    struct ln_sctp_config config;

    ln_sctp_config_init(&config);
    config.cc = cc;
    return bottleneck_add_with(b, &config);
}

int bottleneck_add_with(struct bottleneck *b, const struct ln_sctp_config *config)
{
    int flow = b->flows;

    CHECK(flow < BOTTLENECK_FLOWS_MAX);
    for (int k = 0; k < 2; k++)
        CHECK(ln_sctp_create(&b->end[flow][k], config, test_env()) == 0);
    b->flows++;
    ln_sctp_start(b->end[flow][0], b->now);
    b->sending[flow] = true;
    return flow;
}

void bottleneck_reset_figures(struct bottleneck *b)
{
    memset(b->delivered, 0, sizeof b->delivered);
    b->dropped = 0;
    b->queue_most = 0;
    b->burst_most = 0;
}

double bottleneck_share(const struct bottleneck *b, int flow, ln_duration length)
{
    return (double)b->delivered[flow] / (b->bytes_per_s * (double)length / 1e9);
}

void bottleneck_free(struct bottleneck *b)
{
    for (int i = 0; i < b->flows; i++)
        for (int k = 0; k < 2; k++)
            ln_sctp_free(b->end[i][k]);
}
