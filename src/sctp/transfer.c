/* SPDX-License-Identifier: Apache-2.0
 * User data and its acknowledgement: DATA, SACK, FORWARD TSN, the retransmission timer.
 * RFC 9260, 6; RFC 3758, 3. */
#include "sctp/association.h"

#include "base/alloc.h"
#include "base/time.h"
#include "base/trace.h"
#include "sctp/parts_in.h"
#include "sctp/streams_in.h"
#include "sctp/tsn.h"

#include <string.h>

#define BLOCKS_TELL_ALL 64u /* fewer gap blocks than any SACK has room for */
#define UNKNOWN_RTT     LN_MILLISECONDS(100)

int ln_transfer_init(struct ln_sctp *s, uint32_t local_tsn)
{
    struct ln_allocator *allocator = s->env->allocator;
    struct ln_sctp_cc_config cc_config = {
        ln_association_fragment_bytes(s),
        ln_association_fragment_bytes(s) * s->config.initial_window_packets,
        s->config.max_window_bytes,
    };
    int error;

    ln_reassembly_init(&s->reassembly, s->env, &s->blocks, &s->news, s->config.receive_window_first,
                       s->config.max_message_bytes);
    ln_received_init(&s->received, allocator, ln_tsn_first(0));
    ln_outstanding_init(&s->outstanding, allocator, &s->queue, ln_tsn_first(local_tsn));
    s->forwarded = s->outstanding.first - 1;
    error = ln_send_queue_init(
        &s->queue, allocator, &s->blocks, &s->news, s->config.send_buffer_bytes,
        s->config.scheduler ? s->config.scheduler : &ln_sctp_scheduler_weighted_fair);
    if (s->config.initial_tsn_fixed)
        s->queue.initial_ssn = s->reassembly.initial_ssn = s->config.initial_ssn;
    s->cc = ln_alloc_zero(allocator, s->cc_ops->state_bytes);
    s->loss = ln_alloc_zero(allocator, s->loss_ops->state_bytes);
    if (error || !s->cc || !s->loss)
        return LN_ERR_NOMEM;
    s->cc_ops->init(s->cc, &cc_config, 0);
    s->loss_ops->init(s->loss);
    return 0;
}

void ln_transfer_deinit(struct ln_sctp *s)
{
    ln_outstanding_deinit(&s->outstanding);
    ln_send_queue_deinit(&s->queue);
    ln_received_deinit(&s->received);
    ln_reassembly_deinit(&s->reassembly);
    ln_free(s->env->allocator, s->cc);
    ln_free(s->env->allocator, s->loss);
}

void ln_transfer_set_interleaving(struct ln_sctp *s, bool interleaving)
{
    ln_send_queue_agree(&s->queue, interleaving, s->peer_partial_reliability);
    s->reassembly.interleaving = interleaving;
    s->cc_ops->set_packet_bytes(s->cc, ln_association_fragment_bytes(s));
}

void ln_transfer_begin_receiving(struct ln_sctp *s, uint32_t peer_tsn)
{
    ln_reassembly_restart(&s->reassembly);
    ln_received_deinit(&s->received);
    ln_received_init(&s->received, s->env->allocator, ln_tsn_first(peer_tsn));
}

void ln_sctp_restart_congestion(struct ln_sctp *s, ln_time now)
{
    struct ln_sctp_cc_config cc_config = {
        ln_association_fragment_bytes(s),
        ln_association_fragment_bytes(s) * s->config.initial_window_packets,
        s->config.max_window_bytes,
    };

    s->cc_ops->init(s->cc, &cc_config, now);
}

void ln_transfer_restart(struct ln_sctp *s, ln_time now, uint32_t local_tsn)
{
    ln_send_queue_restart(&s->queue);
    ln_outstanding_deinit(&s->outstanding);
    ln_outstanding_init(&s->outstanding, s->env->allocator, &s->queue, ln_tsn_first(local_tsn));
    ln_reassembly_restart(&s->reassembly);
    s->forwarded = s->outstanding.first - 1;
    s->data_deadline = LN_TIME_NEVER;
    s->paced_until = LN_TIME_NEVER;
    s->forward_due = s->window_limited = s->pace_limited = false;
    s->fast_retransmit = s->probing = false;
    s->repair_bytes = 0;
    ln_sctp_restart_congestion(s, now);
    s->loss_ops->init(s->loss);
    ln_rto_init(&s->rto, s->config.rto_initial, s->config.rto_min, s->config.rto_max);
}

/* Receiving. */

/* Whoever takes more than a third of a window in a round trip could take more: it is doubled, so
 * that it never is what limits a path of any length, and stays small where little comes. */
void ln_transfer_tune_window(struct ln_sctp *s, ln_time now)
{
    ln_duration rtt = s->rto.smoothed > 0 ? s->rto.smoothed : UNKNOWN_RTT;
    struct ln_reassembly *r = &s->reassembly;
    uint64_t taken = r->taken_bytes - s->window_taken;

    if (now - s->window_from < rtt)
        return;
    s->window_from = now;
    s->window_taken = r->taken_bytes;
    if (taken * 3 <= r->limit_bytes || r->limit_bytes == s->config.receive_window_bytes)
        return;
    r->limit_bytes = r->limit_bytes * 2 < s->config.receive_window_bytes
                         ? r->limit_bytes * 2
                         : s->config.receive_window_bytes;
    s->received.due = s->received.due || s->received.packets > 0;
}

static void report_invalid_stream(struct ln_sctp *s, uint16_t stream)
{
    uint8_t info[4] = { 0 };

    s->stats.dropped_stream++;
    ln_store16(info, stream);
    ln_output_error(s, LN_CAUSE_INVALID_STREAM, (struct ln_bytes){ info, sizeof info });
}

/* Between the peer's reset request and its fulfilment nothing new may come on that stream. */
static bool held_back_by_reset(const struct ln_sctp *s, const struct ln_fragment *f)
{
    if (!s->reset.deferred || f->tsn <= s->reset.deferred_tsn)
        return false;
    for (size_t i = 0; i < s->reset.deferred_count; i++)
        if (s->reset.deferred_streams[i] == f->stream)
            return true;
    return s->reset.deferred_all;
}

static bool read_fragment(const struct ln_sctp *s, const struct ln_chunk *chunk,
                          struct ln_fragment *ret_fragment)
{
    struct ln_reader r;

    ln_reader_init(&r, chunk->value.data, chunk->value.len);
    ret_fragment->flags = chunk->flags;
    ret_fragment->tsn = ln_tsn_widen(s->received.cumulative, ln_read32(&r));
    ret_fragment->stream = ln_read16(&r);
    ret_fragment->mid = ln_read16(&r);
    ret_fragment->fsn = 0;
    if (chunk->type == LN_CHUNK_IDATA)
        ret_fragment->mid = ln_read32(&r);
    ret_fragment->ppid = ln_read32(&r);
    if (chunk->type == LN_CHUNK_IDATA && !(chunk->flags & LN_DATA_BEGIN))
        ret_fragment->fsn = ret_fragment->ppid;
    ret_fragment->data = ln_read_rest(&r);
    return r.ok;
}

/* Hands a new fragment to reassembly; only what was taken counts as received. */
static void take_fragment(struct ln_sctp *s, ln_time now, const struct ln_fragment *f)
{
    int error = ln_received_reserve(&s->received, f->tsn);

    if (error == 0 && held_back_by_reset(s, f))
        error = LN_ERR_LIMIT;
    if (error == 0) {
        if (f->stream >= s->incoming_streams)
            report_invalid_stream(s, f->stream);
        else
            error = ln_reassembly_add(&s->reassembly, f, s->received.cumulative);
    }
    if (error == 0) {
        ln_received_add(&s->received, f->tsn);
        if (s->reassembly.part_streams > 0)
            ln_parts_offer_run(&s->reassembly, s->received.cumulative);
        ln_reset_on_cumulative(s);
    } else if (error == LN_ERR_OPERATION) {
        ln_association_abort(s, now, LN_ERR_NOMEM, LN_CAUSE_OUT_OF_RESOURCE);
    } else {
        if (error == LN_ERR_NOMEM)
            s->stats.dropped_memory++;
        else
            s->stats.dropped_window++;
        s->received.packet_has_data = true; /* the sender shall see the window */
        s->received.due = true;
    }
}

void ln_transfer_on_data(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    struct ln_fragment fragment;

    s->stats.data_chunks_received++;
    if (chunk->type == LN_CHUNK_DATA && s->queue.interleaving) { /* RFC 8260, 2.2.2 */
        ln_association_abort(s, now, LN_ERR_MALFORMED, LN_CAUSE_PROTOCOL_VIOLATION);
        return;
    }
    if (!read_fragment(s, chunk, &fragment)) {
        s->stats.dropped_malformed++;
        return;
    }
    if (fragment.data.len == 0) {
        ln_association_abort(s, now, LN_ERR_MALFORMED, LN_CAUSE_NO_USER_DATA);
        return;
    }
    if (fragment.flags & LN_DATA_IMMEDIATE)
        s->sack_immediate = true;
    switch (ln_received_classify(&s->received, fragment.tsn)) {
    case LN_ARRIVAL_NEW:
        take_fragment(s, now, &fragment);
        break;
    case LN_ARRIVAL_DUPLICATE:
        s->stats.duplicates_received++;
        ln_received_note_duplicate(&s->received, (uint32_t)fragment.tsn);
        break;
    case LN_ARRIVAL_TOO_FAR:
        s->stats.dropped_window++;
        break;
    }
    if (s->state == LN_ASSOCIATION_SHUTDOWN_SENT) {
        s->shutdown_due = true; /* RFC 9260, 9.2: SACK and SHUTDOWN again, with its timer */
        s->received.due = true;
    }
}

struct skipped {
    uint16_t stream;
    bool unordered;
    uint32_t mid;
};

/* The next entry of a FORWARD TSN (RFC 3758, 3.2) or I-FORWARD-TSN (RFC 8260, 2.3.1). */
static bool read_skipped(struct ln_reader *r, bool interleaving, struct skipped *ret_skipped)
{
    if (ln_reader_left(r) < (interleaving ? 8u : 4u))
        return false;
    ret_skipped->stream = ln_read16(r);
    ret_skipped->mid = ln_read16(r);
    ret_skipped->unordered = interleaving && (ret_skipped->mid & LN_SKIPPED_UNORDERED) != 0;
    if (interleaving)
        ret_skipped->mid = ln_read32(r);
    return true;
}

void ln_transfer_on_forward_tsn(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    bool interleaving = s->queue.interleaving;
    struct ln_reader r, streams;
    struct skipped skipped;
    uint64_t tsn;

    (void)now;
    if ((chunk->type == LN_CHUNK_IFORWARD_TSN) != interleaving) {
        s->stats.dropped_state++;
        return;
    }
    ln_reader_init(&r, chunk->value.data, chunk->value.len);
    tsn = ln_tsn_widen(s->received.cumulative, ln_read32(&r));
    streams = r;
    while (r.ok && read_skipped(&r, interleaving, &skipped)) {
        if (skipped.stream < s->incoming_streams && tsn > s->received.cumulative &&
            ln_in_stream_reserve(&s->reassembly, skipped.stream, false, 0) != 0) {
            s->stats.dropped_memory++;
            return; /* the peer says it again */
        }
    }
    s->received.packet_has_data = true;
    if (tsn <= s->received.cumulative) {
        s->received.due = true;
        return;
    }
    ln_received_skip_to(&s->received, tsn);
    ln_reassembly_skip_to(&s->reassembly, tsn);
    while (read_skipped(&streams, interleaving, &skipped))
        if (skipped.stream < s->incoming_streams)
            ln_reassembly_skip_mid(&s->reassembly, skipped.stream, skipped.unordered, skipped.mid);
    ln_parts_offer_run(&s->reassembly, s->received.cumulative);
    ln_reset_on_cumulative(s);
}

/* Sending. */

/* What FORWARD TSN can skip has grown. */
static void consider_forward(struct ln_sctp *s)
{
    uint64_t tsn;

    if (!s->peer_partial_reliability || s->outstanding.abandoned_count == 0)
        return;
    tsn = ln_outstanding_advance(&s->outstanding);
    if (tsn >= s->outstanding.first && tsn > s->forwarded)
        s->forward_due = true;
}

static void restart_timer(struct ln_sctp *s, ln_time now)
{
    s->data_deadline = ln_outstanding_empty(&s->outstanding) ? LN_TIME_NEVER
                                                             : ln_time_add(now, s->rto.value);
}

/* Something up to `highest` was found lost. */
static void apply_loss(struct ln_sctp *s, ln_time now, uint64_t highest, uint64_t lost_before)
{
    if (highest == 0)
        return;
    if (!s->cc_ops->in_recovery(s->cc)) {
        s->fast_retransmit = true;
        ln_spurious_begin(&s->outstanding.spurious, false);
    }
    s->cc_ops->on_loss(s->cc, now, (size_t)(s->outstanding.lost_bytes - lost_before), highest,
                       s->outstanding.next);
    ln_trace_emit(s->env->trace, now, LN_TRACE_SCTP_RETRANSMIT, s->config.trace_object,
                  (int64_t)(uint32_t)highest, 1, ln_time_ms(s->rto.value), 0);
}

static void find_losses(struct ln_sctp *s, ln_time now, const struct ln_ack *ack)
{
    uint64_t before = s->outstanding.lost_bytes, highest;

    highest = s->loss_ops->on_ack(s->loss, &s->outstanding, ack, s->cc_ops->in_recovery(s->cc),
                                  s->rto.smoothed, now);
    apply_loss(s, now, highest, before);
}

/* All that was sent again since the last loss was sent in vain: nothing had been lost. */
static void consider_undo(struct ln_sctp *s, ln_time now)
{
    if (!ln_spurious_all(&s->outstanding.spurious))
        return;
    ln_spurious_end(&s->outstanding.spurious);
    s->stats.losses_undone++;
    s->cc_ops->undo(s->cc, now);
    ln_outstanding_find_again(&s->outstanding);
    if (s->loss_ops->on_undo)
        s->loss_ops->on_undo(s->loss, &s->outstanding, now);
    s->fast_retransmit = false;
    ln_rto_recover(&s->rto);
}

/* What a SACK tells about retransmissions that had not been needed; those that it shows by coming
 * too early were counted with its acknowledgements. */
static void apply_duplicates(struct ln_sctp *s, const struct ln_sack *sack, size_t before)
{
    const struct ln_spurious *spurious = &s->outstanding.spurious;

    for (size_t i = 0; i < sack->duplicate_count; i++)
        ln_spurious_in_vain(&s->outstanding.spurious, sack->duplicates[i]);
    if (spurious->in_vain + spurious->not_lost > before && s->loss_ops->on_in_vain)
        s->loss_ops->on_in_vain(s->loss, &s->outstanding);
}

static void apply_ack(struct ln_sctp *s, ln_time now, const struct ln_ack *ack, size_t flight)
{
    struct ln_sctp_cc_ack report = {
        .now = now,
        .acked_bytes = ack->acked_bytes,
        .in_flight_bytes = flight,
        .cumulative = ack->advanced,
        .limited = s->window_limited,
        .paced = s->pace_limited,
        .cumulative_tsn = ack->cumulative,
        .highest_tsn = s->outstanding.highest_acked,
        .next_tsn = s->outstanding.next,
        .rtt = ack->latest_rtt,
    };

    if (ack->rtt > 0)
        ln_rto_measure(&s->rto, ack->rtt);
    report.smoothed_rtt = s->rto.smoothed;
    s->cc_ops->on_ack(s->cc, &report);
    if (ack->highest > 0)
        find_losses(s, now, ack);
    consider_undo(s, now);
    if (ack->advanced) {
        s->error_count = 0;
        if (ack->rtt == 0)
            ln_rto_recover(&s->rto);
        restart_timer(s, now);
        ln_reset_on_ack(s);
    }
}

/* Takes the peer's window; one that opens calls back what was sent into the closed one. */
static void apply_window(struct ln_sctp *s, uint32_t window)
{
    size_t flight = ln_outstanding_flight(&s->outstanding);

    if (s->probing && window > 0) {
        s->probing = false;
        ln_outstanding_lose_all(&s->outstanding);
        ln_rto_recover(&s->rto);
    }
    if (s->queue.unfinished_limit < window / 2)
        s->queue.unfinished_limit = window / 2;
    s->peer_window = window > flight ? window - flight : 0;
}

/* A SACK full of gap blocks is for a packet at least that arrived above them: that is counted when
 * it happens and not when it is shown. The times of what is shown then are not those of its
 * arrival, which may have been long before. As many bytes as it shows to have left the path, and
 * one packet, may be repaired whatever seems to be in flight: else nothing would ever show more. */
static void note_untold(struct ln_sctp *s, const struct ln_sack *sack, struct ln_ack *ack)
{
    struct ln_outstanding *o = &s->outstanding;
    size_t packet = ln_association_fragment_bytes(s);
    size_t shown = ack->acked_bytes > packet ? ack->acked_bytes - packet : 0;
    bool full = sack->block_count >= BLOCKS_TELL_ALL;

    s->repair_bytes = full ? ack->acked_bytes + packet : 0;
    if (full || o->untold_bytes > 0)
        ack->latest_rtt = 0;
    if (shown > o->untold_bytes)
        shown = o->untold_bytes;
    o->untold_bytes -= shown;
    ack->acked_bytes -= shown;
    if (full && ack->acked_bytes == 0) {
        ack->acked_bytes = packet;
        o->untold_bytes += packet;
    }
    if (!full)
        o->untold_bytes = 0;
    o->told_to = full ? sack->blocks[sack->block_count - 1].last : UINT64_MAX;
}

static void process_sack(struct ln_sctp *s, ln_time now, const struct ln_sack *sack)
{
    const struct ln_spurious *spurious = &s->outstanding.spurious;
    size_t flight = ln_outstanding_flight(&s->outstanding),
           before = spurious->in_vain + spurious->not_lost;
    struct ln_ack ack;

    /* A SACK that could not say all shows later what had arrived before: no proof of anything. */
    if (sack->block_count >= BLOCKS_TELL_ALL)
        ln_spurious_end(&s->outstanding.spurious);
    ln_outstanding_ack(&s->outstanding, sack->cumulative, sack->blocks, sack->block_count, now,
                       &ack);
    note_untold(s, sack, &ack);
    if (s->outstanding.in_flight_bytes == 0)
        s->probing = false;
    apply_duplicates(s, sack, before);
    apply_ack(s, now, &ack, flight);
    apply_window(s, sack->window);
    consider_forward(s);
    ln_association_continue_shutdown(s, now);
}

void ln_transfer_on_sack(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    struct ln_sack sack;

    if (ln_sack_read(chunk->value, s->outstanding.first - 1, s->outstanding.next, &sack) != 0 ||
        sack.cumulative >= s->outstanding.next) {
        s->stats.dropped_malformed++; /* or it acknowledges what was never sent */
        return;
    }
    s->stats.sacks_received++;
    if (sack.cumulative + 1 < s->outstanding.first)
        return; /* overtaken by a later one */
    if (sack.window == 0)
        s->error_count = 0; /* alive, though closed (RFC 9260, 6.1) */
    process_sack(s, now, &sack);
}

void ln_transfer_on_cumulative(struct ln_sctp *s, ln_time now, uint32_t wire_tsn)
{
    uint64_t tsn = ln_tsn_widen(s->outstanding.first - 1, wire_tsn);
    struct ln_ack ack;
    size_t flight = ln_outstanding_flight(&s->outstanding);

    if (tsn >= s->outstanding.next || tsn < s->outstanding.first)
        return;
    ln_outstanding_ack(&s->outstanding, tsn, NULL, 0, now, &ack);
    apply_ack(s, now, &ack, flight);
}

/* T3-rtx (RFC 9260, 6.3.3; RFC 3758, 3.5 A5). */
void ln_transfer_timeout(struct ln_sctp *s, ln_time now)
{
    if (ln_outstanding_empty(&s->outstanding)) {
        s->data_deadline = LN_TIME_NEVER;
        return;
    }
    s->stats.timeouts++;
    ln_trace_emit(s->env->trace, now, LN_TRACE_SCTP_RETRANSMIT, s->config.trace_object,
                  (int64_t)(uint32_t)s->outstanding.first, 0, ln_time_ms(s->rto.value), 0);
    ln_association_count_error(s, now);
    if (s->state == LN_ASSOCIATION_ENDED)
        return;
    if (s->outstanding.in_flight_bytes > 0 && !s->probing) {
        s->cc_ops->on_timeout(s->cc, now, s->error_count > 1);
        ln_spurious_begin(&s->outstanding.spurious, true);
    }
    /* Twice in a row: perhaps the path no longer takes what it took. */
    if (s->error_count > 1 && ln_pmtu_fall_back(&s->pmtu, now))
        ln_sctp_set_packet_bytes(s, s->pmtu.best);
    if (s->loss_ops->on_rto)
        s->loss_ops->on_rto(s->loss);
    ln_outstanding_lose_all(&s->outstanding);
    ln_rto_back_off(&s->rto);
    if (s->outstanding.abandoned_count > 0 &&
        ln_outstanding_advance(&s->outstanding) >= s->outstanding.first)
        s->forward_due = s->peer_partial_reliability;
    s->outstanding.rtt_from = s->outstanding.next;
    s->data_deadline = ln_time_add(now, s->rto.value);
}

ln_time ln_transfer_loss_deadline(const struct ln_sctp *s)
{
    /* A closed window is probed by the retransmission timer (RFC 9260, 6.1 A). */
    if (!s->loss_ops->next_timeout || ln_outstanding_empty(&s->outstanding) || s->probing ||
        !ln_association_in(s, LN_STATES_SENDING))
        return LN_TIME_NEVER;
    return s->loss_ops->next_timeout(s->loss);
}

void ln_transfer_loss_timeout(struct ln_sctp *s, ln_time now)
{
    uint64_t before = s->outstanding.lost_bytes, highest;
    bool probe;

    highest = s->loss_ops->on_timeout(s->loss, &s->outstanding, now, &probe);
    if (probe) {
        s->stats.probes_sent++;
        s->fast_retransmit = true;
        restart_timer(s, now);
    }
    apply_loss(s, now, highest, before);
}
