/* SPDX-License-Identifier: Apache-2.0
 * Runs for many destinations that leave by one socket in one call: a relay's answers, the packets
 * of a peer to its clients. Beside the calls it saves, whoever waits for the first of them does not
 * take the processor before the last has left.
 *
 * Only slices wait, as they stay where they are; they leave in the order in which they came, and
 * before the drive ends. What the socket refuses is sent by itself, and udp_send.c sees to it. */
#include "base/alloc.h"
#include "base/pool.h"
#include "io/udp_run.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct ln_io_batch *ln_io_batch_create(struct ln_allocator *allocator)
{
    struct ln_io_batch *batch = ln_alloc(allocator, sizeof *batch);

    if (batch) {
        batch->count = batch->pieces = 0;
        batch->link = NULL;
    }
    return batch;
}

static void release(struct ln_io_batch *batch)
{
    for (size_t i = 0; i < batch->pieces; i++)
        ln_buffer_unref(batch->buffers[i]);
    batch->count = batch->pieces = 0;
    batch->link = NULL;
}

/* The number that has left, from `first` on. */
static size_t send_some(struct ln_io_batch *batch, size_t first)
{
    int n;

    do {
        n = sendmmsg(batch->link->source.fd, batch->messages + first,
                     (unsigned)(batch->count - first), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    for (int i = 0; i < n; i++)
        ln_io_udp_count_sent(batch->link, &batch->runs[first + (size_t)i]);
    batch->link->loop->stats.send_calls += n > 0;
    return n > 0 ? (size_t)n : 0;
}

void ln_io_batch_send(struct ln_loop *loop)
{
    struct ln_io_batch *batch = loop->batch;
    size_t at = 0;

    while (at < batch->count && batch->link->endpoint) {
        bool together = batch->count - at > 1 && ln_list_empty(&batch->link->blocked);
        size_t sent = together ? send_some(batch, at) : 0;

        at += sent;
        if (sent == 0) /* alone, refused, or behind what waits */
            (void)ln_io_udp_send_run(batch->link, &batch->runs[at++]);
    }
    release(batch);
}

static bool may_wait(const struct ln_io_link *link, ln_time now, const struct ln_transmit *transmit)
{
    for (size_t i = 0; i < transmit->slice_count; i++)
        if (!transmit->slices[i].buffer)
            return false;
    return transmit->slice_count > 0 && transmit->not_before <= now && !transmit->may_fragment &&
           !transmit->whole && !link->whole && transmit->path.remote.family == link->local.family &&
           link->segmentation && link->whole_above == 0 && ln_list_empty(&link->blocked);
}

/* The next run, begun at slice *at; its buffers are held. */
static void add_run(struct ln_io_batch *batch, const struct ln_transmit *transmit, size_t *at)
{
    struct ln_io_run *run = &batch->runs[batch->count];
    size_t first = *at;
    bool fits;

    batch->paths[batch->count] = transmit->path;
    *run = (struct ln_io_run){ .path = &batch->paths[batch->count],
                               .ecn = transmit->ecn,
                               .dscp = transmit->dscp & 63,
                               .iov = &batch->iov[batch->pieces] };
    ln_io_next_run_of_slices(run, transmit->slices, transmit->slice_count, at);
    for (; first < *at; first++)
        batch->buffers[batch->pieces++] = ln_buffer_ref(transmit->slices[first].buffer);
    fits = ln_io_run_message(batch->link, run, &batch->envelopes[batch->count],
                             &batch->messages[batch->count].msg_hdr);
    assert(fits); /* the family was looked at */
    (void)fits;
    batch->count++;
}

bool ln_io_batch_take(struct ln_io_link *link, ln_time now, const struct ln_transmit *transmit)
{
    struct ln_io_batch *batch = link->loop->batch;
    bool waits = may_wait(link, now, transmit);
    size_t at = 0;

    if (batch->count > 0 && (batch->link != link || !waits ||
                             batch->pieces + transmit->slice_count > LN_IO_BATCH_PIECES))
        ln_io_batch_send(link->loop);
    while (waits && at < transmit->slice_count && link->endpoint) {
        batch->link = link;
        add_run(batch, transmit, &at);
        if (batch->count == LN_IO_BATCH_RUNS)
            ln_io_batch_send(link->loop);
    }
    return waits;
}
