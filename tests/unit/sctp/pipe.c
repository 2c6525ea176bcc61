/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "base/time.h"
#include "sctp/crc32c.h"

#include <stdlib.h>

/* The link's own memory is not the associations', which may be swept for failures: blocks of one
 * size, all reclaimed when the next pipe begins. */
#define BLOCK_BYTES 2048

struct block {
    uint8_t data[BLOCK_BYTES];
};

static struct block *blocks[PIPE_PACKETS_MAX];
static size_t block_count, blocks_used;
static struct pipe_packet heap[PIPE_PACKETS_MAX];

static uint8_t *take_block(void)
{
    if (blocks_used == block_count) {
        blocks[block_count] = malloc(sizeof *blocks[0]);
        if (!blocks[block_count++])
            abort();
    }
    return blocks[blocks_used++]->data;
}

static void give_block(uint8_t *data)
{
    size_t i = blocks_used;

    while (blocks[--i]->data != data)
        ;
    struct block *block = blocks[i];
    blocks[i] = blocks[--blocks_used];
    blocks[blocks_used] = block;
}

void pipe_init(struct pipe *pipe, uint64_t seed)
{
    memset(pipe, 0, sizeof *pipe);
    blocks_used = 0;
    pipe->packets = heap;
    pipe->now = LN_SECONDS(1);
    pipe->delay = LN_MILLISECONDS(10);
    pipe->reorder_by = LN_MILLISECONDS(15);
    ln_rng_seed(&pipe->rng, seed);
}

void pipe_create(struct pipe *pipe, const struct ln_sctp_config *a, const struct ln_sctp_config *b)
{
    struct ln_sctp_config config;

    ln_sctp_config_init(&config);
    CHECK(ln_sctp_create(&pipe->end[0], a ? a : &config, test_env()) == 0);
    CHECK(ln_sctp_create(&pipe->end[1], b ? b : &config, test_env()) == 0);
}

void pipe_free(struct pipe *pipe)
{
    ln_sctp_free(pipe->end[0]);
    ln_sctp_free(pipe->end[1]);
    memset(pipe, 0, sizeof *pipe);
}

static bool before(const struct pipe_packet *a, const struct pipe_packet *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct pipe *pipe, int to, const uint8_t *data, size_t len, ln_time at)
{
    size_t i;

    CHECK(pipe->count < PIPE_PACKETS_MAX && len <= BLOCK_BYTES);
    struct pipe_packet packet = { at, pipe->order++, to, len, take_block() };

    memcpy(packet.data, data, len);
    for (i = pipe->count++; i > 0 && before(&packet, &pipe->packets[(i - 1) / 2]); i = (i - 1) / 2)
        pipe->packets[i] = pipe->packets[(i - 1) / 2];
    pipe->packets[i] = packet;
}

static struct pipe_packet pop(struct pipe *pipe)
{
    struct pipe_packet first = pipe->packets[0], last = pipe->packets[--pipe->count];
    size_t i = 0, child;

    for (; (child = 2 * i + 1) < pipe->count; i = child) {
        if (child + 1 < pipe->count && before(&pipe->packets[child + 1], &pipe->packets[child]))
            child++;
        if (!before(&pipe->packets[child], &last))
            break;
        pipe->packets[i] = pipe->packets[child];
    }
    pipe->packets[i] = last;
    return first;
}

static void transmit(struct pipe *pipe, int from, uint8_t *data, size_t len)
{
    ln_time at = pipe->now + pipe->delay;
    int copies = 1;

    pipe->sent[from]++;
    for (size_t i = 0; i < len; i++)
        pipe->hash = (pipe->hash ^ data[i]) * 0x100000001b3u;
    if (pipe->filter && !pipe->filter(pipe, from, data, &len))
        return;
    if (pipe->loss > 0 && ln_rng_unit(&pipe->rng) < pipe->loss)
        return;
    if (pipe->duplicate > 0 && ln_rng_unit(&pipe->rng) < pipe->duplicate)
        copies = 2;
    while (copies-- > 0) {
        ln_duration extra = 0;

        if (pipe->reorder > 0 && ln_rng_unit(&pipe->rng) < pipe->reorder)
            extra = (ln_duration)(ln_rng_unit(&pipe->rng) * (double)pipe->reorder_by);
        push(pipe, 1 - from, data, len, at + extra);
    }
}

void pipe_flush(struct pipe *pipe)
{
    uint8_t out[LN_SCTP_PACKET_BYTES_MAX];
    size_t len;

    for (int i = 0; i < 2; i++)
        while (!pipe->no_poll[i] && pipe->end[i] &&
               (len = ln_sctp_poll_transmit(pipe->end[i], pipe->now, out, sizeof out)) > 0)
            transmit(pipe, i, out, len);
}

bool pipe_step(struct pipe *pipe, ln_time until)
{
    ln_time next = until;

    pipe_flush(pipe);
    for (int i = 0; i < 2; i++)
        if (pipe->end[i])
            next = ln_time_min(next, ln_sctp_next_timeout(pipe->end[i]));
    if (pipe->count > 0)
        next = ln_time_min(next, pipe->packets[0].at);
    if (next >= until) {
        pipe->now = until;
        return false;
    }
    pipe->now = ln_time_max(next, pipe->now);
    for (int i = 0; i < 2; i++) {
        if (!pipe->end[i] || ln_sctp_next_timeout(pipe->end[i]) > pipe->now)
            continue;
        ln_sctp_on_timeout(pipe->end[i], pipe->now);
        CHECK(ln_sctp_next_timeout(pipe->end[i]) > pipe->now);
    }
    while (pipe->count > 0 && pipe->packets[0].at <= pipe->now) {
        struct pipe_packet packet = pop(pipe);

        if (pipe->end[packet.to])
            ln_sctp_receive(pipe->end[packet.to], pipe->now, packet.data, packet.len);
        give_block(packet.data);
    }
    return true;
}

bool pipe_run(struct pipe *pipe, ln_time until, bool (*stop)(struct pipe *pipe))
{
    while (!(stop && stop(pipe)))
        if (!pipe_step(pipe, until))
            return stop == NULL;
    return true;
}

bool pipe_event(struct pipe *pipe, int end, enum ln_sctp_event_kind kind,
                struct ln_sctp_event *ret_event)
{
    struct ln_sctp_event event;

    while (ln_sctp_poll_event(pipe->end[end], &event)) {
        if (event.kind == kind) {
            if (ret_event)
                *ret_event = event;
            return true;
        }
    }
    return false;
}

static bool both_connected(struct pipe *pipe)
{
    return ln_sctp_state(pipe->end[0]) == LN_SCTP_CONNECTED &&
           ln_sctp_state(pipe->end[1]) == LN_SCTP_CONNECTED;
}

void pipe_connect(struct pipe *pipe)
{
    ln_sctp_start(pipe->end[0], pipe->now);
    ln_sctp_start(pipe->end[1], pipe->now);
    CHECK(pipe_run(pipe, pipe->now + LN_SECONDS(60), both_connected));
    CHECK(pipe_event(pipe, 0, LN_SCTP_EVENT_CONNECTED, NULL));
    CHECK(pipe_event(pipe, 1, LN_SCTP_EVENT_CONNECTED, NULL));
}

void pipe_checksum(uint8_t *data, size_t len)
{
    memset(data + 8, 0, 4);
    ln_store32(data + 8, __builtin_bswap32(ln_crc32c(0, data, len)));
}
