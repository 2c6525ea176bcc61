/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/datagrams.h"

/* A sender with a window: `sent` may be at most WINDOW ahead of what the receiver counted. */
#define WINDOW    400u
#define BEGINNING 16 /* before the first has come: until then a socket has a small buffer */

void datagram_fill(uint8_t *data, size_t len, size_t number)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number * 7 + i + (i < 8 ? number >> (8 * (i & 3)) : 0));
}

static int send_train(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct stream *s = probe->ctx;
    size_t most = s->received > 0 ? WINDOW : BEGINNING;
    size_t count = s->total - s->next, window = most - (s->next - s->received);

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
    out->segment = s->size;
    if (count > s->largest_train)
        s->largest_train = count;
    for (size_t i = 0; i < count; i++, s->next++) {
        /* every 50th is shorter and so ends its train */
        size_t len = s->next % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

        if (s->slices) {
            struct ln_buffer *buffer = ln_buffer_create(test_env()->pool, len);

            if (!buffer)
                return i > 0;
            datagram_fill(ln_buffer_bytes(buffer), len, s->next);
            out->slices[i].base = ln_buffer_bytes(buffer);
            out->slices[i].len = len;
            out->slices[i].buffer = buffer;
            out->slice_count++;
        } else {
            datagram_fill(out->data + out->len, len, s->next);
        }
        out->len += len;
        if (len < s->size) {
            s->next++;
            break;
        }
    }
    return 1;
}

/* One that came alone lies in a buffer, with room before it. */
static bool buffer_fits(const struct ln_packet *packet)
{
    struct ln_buffer *buffer = packet->buffer;

    return !buffer || (ln_buffer_bytes(buffer) == packet->data && buffer->len == packet->len &&
                       buffer->offset == LN_BUFFER_HEADROOM && buffer->references == 1);
}

static void check_datagram(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    static uint8_t expected[LN_TRANSMIT_BYTES_MAX];
    struct stream *s = probe->ctx;
    size_t len = s->received % 50 == 49 && s->size > 1 ? s->size - 1 : s->size;

    (void)now;
    datagram_fill(expected, len, s->received);
    if (packet->len != len || memcmp(packet->data, expected, len) != 0)
        s->wrong++;
    if (s->from_port == 0)
        s->from_port = packet->path.remote.port;
    if (packet->path.remote.port != s->from_port || !buffer_fits(packet))
        s->wrong++;
    if (s->kept && packet->buffer)
        s->kept[s->received] = ln_buffer_ref(packet->buffer);
    s->received++;
    memset(packet, 0xff, sizeof *packet); /* it is ours: the next of the train has its own */
    if (s->next < s->total)
        ln_loop_touch(s->other->handle);
}

static bool all_received(void *ctx)
{
    struct stream *s = ctx;

    return s->received >= s->total;
}

void run_stream(struct stream *s, const char *ip)
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

/* ---- single ones ---- */

static int fire(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct shot *shot = probe->ctx;

    (void)now;
    if (shot->count == 0)
        return 0;
    shot->count--;
    out->path = shot->template.path;
    out->ecn = shot->template.ecn;
    out->dscp = shot->template.dscp;
    out->not_before = shot->template.not_before;
    out->len = shot->template.len;
    out->segment = shot->template.segment;
    out->whole = shot->template.whole;
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = (uint8_t)i;
    return 1;
}

static void note(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct seen *seen = probe->ctx;

    seen->path = packet->path;
    seen->len = packet->len;
    if (probe->packets <= 64)
        seen->lens[probe->packets - 1] = packet->len;
    seen->ecn = packet->ecn;
    seen->when = now;
}

static bool pair_done(void *ctx)
{
    const struct pair *pair = ctx;

    return pair->b.packets >= pair->expected;
}

void pair_open(struct pair *pair, const char *local_a, const char *local_b)
{
    memset(pair, 0, sizeof *pair);
    probe_init(&pair->a);
    probe_init(&pair->b);
    pair->a.ctx = &pair->shot;
    pair->a.transmit = fire;
    pair->b.ctx = &pair->seen;
    pair->b.receive = note;
    probe_add(&pair->a);
    probe_add(&pair->b);
    pair->path_b = probe_udp(&pair->b, local_b);
    pair->path_a = probe_udp(&pair->a, local_a);
    pair->path_a.remote = pair->path_b.local;
    pair->shot.template.path = pair->path_a;
    pair->shot.template.not_before = LN_TIME_IMMEDIATE;
}

void pair_close(struct pair *pair)
{
    ln_loop_remove_endpoint(pair->a.handle);
    ln_loop_remove_endpoint(pair->b.handle);
}

void pair_shoot(struct pair *pair, size_t expected)
{
    pair->shot.count = 1;
    pair->expected = pair->b.packets + expected;
    ln_loop_touch(pair->a.handle);
    run_until(pair_done, pair);
}

void pair_fire(struct pair *pair, int times)
{
    pair->shot.count = times;
    ln_loop_touch(pair->a.handle);
    run_idle();
}

const struct ln_answer *pair_shoot_in_vain(struct pair *pair)
{
    pair->shot.count = 1;
    ln_loop_touch(pair->a.handle);
    return wait_answer(&pair->a, LN_ANSWER_SEND_FAILED, 0);
}
