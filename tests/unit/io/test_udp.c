/* SPDX-License-Identifier: Apache-2.0
 * Datagrams through real loopback sockets. */
#include "tests/unit/io/probe.h"

#include "base/address.h"

/* A sender with a window: `sent` may be at most WINDOW ahead of what the receiver counted. */
#define WINDOW 400u

struct stream {
    struct probe *other;
    struct ln_path path;
    size_t total, size, next; /* datagrams, bytes of each */
    size_t received, wrong;
    bool slices;
    uint8_t ecn, ecn_seen;
    size_t largest_train;
    ln_time not_before;
};

static void fill(uint8_t *data, size_t len, size_t number)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number * 7 + i + (i < 8 ? number >> (8 * (i & 3)) : 0));
}

static int send_train(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct stream *s = probe->ctx;
    size_t count = s->total - s->next, window = WINDOW - (s->next - s->received);

    (void)now;
    if (s->path.link == 0 || count == 0 || window == 0)
        return 0;
    if (count > window)
        count = window;
    if (count > LN_TRANSMIT_SEGMENTS_MAX)
        count = LN_TRANSMIT_SEGMENTS_MAX;
    if (count > out->cap / s->size)
        count = out->cap / s->size;
    out->path = s->path;
    out->ecn = s->ecn;
    out->segment = s->size;
    out->not_before = s->not_before;
    if (count > s->largest_train)
        s->largest_train = count;
    for (size_t i = 0; i < count; i++, s->next++) {
        /* every 50th is shorter and so ends its train */
        size_t len = s->next % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

        if (s->slices) {
            struct ln_buffer *buffer = ln_buffer_create(test_env()->pool, len);

            if (!buffer)
                return i > 0;
            fill(ln_buffer_bytes(buffer), len, s->next);
            out->slices[i].base = ln_buffer_bytes(buffer);
            out->slices[i].len = len;
            out->slices[i].buffer = buffer;
            out->slice_count++;
        } else {
            fill(out->data + out->len, len, s->next);
        }
        out->len += len;
        if (len < s->size) {
            s->next++;
            break;
        }
    }
    return 1;
}

static void check_datagram(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    static uint8_t expected[LN_TRANSMIT_BYTES_MAX];
    struct stream *s = probe->ctx;
    size_t len = s->received % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

    (void)now;
    fill(expected, len, s->received);
    if (packet->len != len || memcmp(packet->data, expected, len) != 0)
        s->wrong++;
    s->ecn_seen = packet->ecn;
    s->received++;
    if (s->next < s->total)
        ln_loop_touch(s->other->handle);
}

static bool all_received(void *ctx)
{
    struct stream *s = ctx;

    return s->received >= s->total;
}

static void run_stream(struct stream *s, const char *ip)
{
    struct probe sender, receiver;
    struct ln_path to;

    probe_init(&sender);
    probe_init(&receiver);
    sender.ctx = receiver.ctx = s;
    sender.transmit = send_train;
    receiver.receive = check_datagram;
    s->other = &sender;
    probe_add(&sender);
    probe_add(&receiver);
    to = probe_udp(&receiver, ip);
    s->path = probe_udp(&sender, ip);
    s->path.remote = to.local;
    ln_loop_touch(sender.handle);
    run_until(all_received, s);
    TRY_EQUAL(s->wrong, 0);
    TRY_EQUAL(s->received, s->total);
    ln_loop_remove_endpoint(sender.handle);
    ln_loop_remove_endpoint(receiver.handle);
}

LN_TEST(io_udp, ten_thousand_datagrams_arrive_unchanged_and_in_order)
{
    struct stream s = { .total = 10000, .size = 1200 };
    struct ln_loop_stats stats;

    probe_loop(NULL);
    run_stream(&s, "127.0.0.1");
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.datagrams_received, 10000);
    TRY(stats.send_calls < 1000);    /* trains */
    TRY(stats.receive_calls < 1000); /* coalesced */
    probe_loop_close();
}

LN_TEST(io_udp, the_same_over_ipv6)
{
    struct stream s = { .total = 2000, .size = 1200 };

    probe_loop(NULL);
    run_stream(&s, "[::1]:0");
    probe_loop_close();
}
