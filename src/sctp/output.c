/* SPDX-License-Identifier: Apache-2.0
 * Packets out. Control packets that stand alone go first, then one packet at a time is composed:
 * handshake chunks, SACK, FORWARD TSN, RE-CONFIG, HEARTBEAT, SHUTDOWN, lost fragments, new ones.
 * RFC 9260, 6.1, 6.9 and 6.10; RFC 3758, 3.5; RFC 7053, 4.
 *
 * A message longer than a packet is cut so that each packet is filled to the last word: bulk data
 * leaves in packets of one size. A message that fits one packet is never cut. */
#include "sctp/association.h"

#include "base/time.h"

#include <assert.h>
#include <string.h>

#define CONTROLS_MAX      8u
#define PROBE_AFTER_BYTES 65536u /* sent: a talker, for whom larger packets are worth probes */
#define FRAGMENT_MIN      64u    /* of user data; smaller pieces of a long message wait */

struct ln_control *ln_output_control(struct ln_sctp *s, size_t body_bytes)
{
    struct ln_control *control;
    size_t bytes;

    if (s->control_count >= CONTROLS_MAX)
        return NULL;
    control = ln_blocks_get(&s->blocks, sizeof *control + LN_SCTP_HEADER_BYTES + body_bytes,
                            &bytes);
    if (!control)
        return NULL;
    control->block_bytes = bytes;
    control->len = LN_SCTP_HEADER_BYTES + body_bytes;
    ln_list_append(&s->controls, &control->link);
    s->control_count++;
    return control;
}

static void write_cause(struct ln_sctp *s, uint8_t type, uint8_t flags, uint32_t tag,
                        uint16_t cause, struct ln_bytes info)
{
    struct ln_control *control = ln_output_control(s, 12 + info.len);
    struct ln_writer w;
    size_t chunk, parameter;

    if (!control)
        return;
    ln_writer_init(&w, control->data, control->len);
    ln_sctp_packet_begin(&w, s->config.local_port, s->config.remote_port, tag);
    chunk = ln_chunk_begin(&w, type, flags);
    parameter = ln_parameter_begin(&w, cause);
    ln_write_bytes(&w, info.data, info.len);
    ln_parameter_finish(&w, parameter);
    ln_chunk_finish(&w, chunk);
    assert(w.ok);
    ln_sctp_packet_finish(&w);
    control->len = w.len;
}

void ln_output_error(struct ln_sctp *s, uint16_t cause, struct ln_bytes info)
{
    write_cause(s, LN_CHUNK_ERROR, 0, s->peer_tag, cause, info);
}

void ln_output_abort(struct ln_sctp *s, uint32_t tag, bool reflected, uint16_t cause)
{
    write_cause(s, LN_CHUNK_ABORT, reflected ? LN_TAG_REFLECTED : 0, tag, cause,
                (struct ln_bytes){ NULL, 0 });
}

static size_t take_control(struct ln_sctp *s, uint8_t *out, size_t cap)
{
    struct ln_control *control = LN_CONTAINER(s->controls.next, struct ln_control, link);
    size_t len = control->len;

    if (len <= cap)
        memcpy(out, control->data, len);
    else
        len = 0;
    ln_list_remove(&control->link);
    s->control_count--;
    ln_blocks_put(&s->blocks, control, control->block_bytes);
    return len;
}

/* User data. */

static uint8_t *write_data_head(const struct ln_sctp *s, uint8_t *p, uint64_t tsn,
                                const struct ln_slot *slot, uint8_t flags)
{
    const struct ln_outgoing *m = slot->part->message;
    size_t head = ln_association_data_head(s);

    p[0] = s->queue.interleaving ? LN_CHUNK_IDATA : LN_CHUNK_DATA;
    p[1] = flags;
    ln_store16(p + 2, (uint16_t)(head + slot->len));
    ln_store32(p + 4, (uint32_t)tsn);
    ln_store16(p + 8, m->stream);
    if (s->queue.interleaving) {
        ln_store16(p + 10, 0);
        ln_store32(p + 12, m->mid);
        ln_store32(p + 16, flags & LN_DATA_BEGIN ? m->ppid : slot->fsn);
    } else {
        ln_store16(p + 10, (uint16_t)m->mid);
        ln_store32(p + 12, m->ppid);
    }
    return p + head;
}

static void write_data(struct ln_sctp *s, struct ln_writer *w, uint64_t tsn, uint8_t extra_flags)
{
    const struct ln_slot *slot = ln_outstanding_slot(&s->outstanding, tsn);
    size_t padding = (4 - (slot->len & 3u)) & 3u;
    uint8_t *p = ln_write_reserve(w, ln_association_data_head(s) + slot->len + padding);

    assert(p);
    p = write_data_head(s, p, tsn, slot, slot->flags | extra_flags);
    memcpy(p, slot->part->data + slot->offset, slot->len);
    memset(p + slot->len, 0, padding);
    s->stats.data_chunks_sent++;
    s->last_sent = slot->sent_at;
}

static void note_sent(struct ln_sctp *s, ln_time now, size_t bytes)
{
    if (s->stats.bytes_sent > PROBE_AFTER_BYTES)
        ln_pmtu_start(&s->pmtu);
    /* Alone in flight, into a closed window. */
    if (s->peer_window == 0 && s->outstanding.in_flight_bytes == bytes)
        s->probing = true;
    s->peer_window -= bytes < s->peer_window ? bytes : s->peer_window;
    s->cc_ops->on_sent(s->cc, now, bytes, s->outstanding.in_flight_bytes);
    if (s->loss_ops->on_sent)
        s->loss_ops->on_sent(s->loss, &s->outstanding, s->rto.smoothed, now);
    /* What goes with a COOKIE ECHO is repeated with it. */
    if (s->data_deadline == LN_TIME_NEVER && s->state != LN_ASSOCIATION_COOKIE_ECHOED)
        s->data_deadline = ln_time_add(now, s->rto.value);
}

/* Gives up lost messages that have had their time or their tries (RFC 3758, 3.5; RFC 7496). */
static void abandon_lost(struct ln_sctp *s, ln_time now)
{
    uint64_t tsn;

    while (s->peer_partial_reliability && (tsn = ln_outstanding_next_lost(&s->outstanding)) != 0) {
        const struct ln_slot *slot = ln_outstanding_slot(&s->outstanding, tsn);
        struct ln_outgoing *message = slot->part->message;

        if (slot->transmits <= message->max_retransmits && !ln_time_due(message->deadline, now))
            return;
        if (ln_outstanding_reserve(&s->outstanding) != 0) /* moves the slots */
            return;
        ln_outstanding_abandon(&s->outstanding, message);
        s->forward_due = true;
    }
}

static bool window_open(struct ln_sctp *s)
{
    if (s->fast_retransmit)
        return true;
    if (ln_outstanding_flight(&s->outstanding) < s->cc_ops->window(s->cc))
        return true;
    s->window_limited = true;
    return false;
}

/* RFC 7053, 4: what a SACK could wait for will not come. */
static bool nothing_follows(const struct ln_sctp *s)
{
    return !ln_send_queue_ready(&s->queue) && s->outstanding.lost_count == 0;
}

/* Retransmissions that fit. Returns false when nothing more is to be written. */
static bool write_lost(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    uint64_t tsn;

    while ((tsn = ln_outstanding_next_lost(&s->outstanding)) != 0) {
        const struct ln_slot *slot = ln_outstanding_slot(&s->outstanding, tsn);
        size_t bytes = ln_association_data_head(s) + ((slot->len + 3u) & ~3u);

        if (!window_open(s) && s->repair_bytes == 0)
            return false;
        if (bytes > ln_writer_room(w))
            return false;
        s->repair_bytes -= slot->len < s->repair_bytes ? slot->len : s->repair_bytes;
        if (tsn == s->outstanding.first && s->state != LN_ASSOCIATION_COOKIE_ECHOED)
            s->data_deadline = ln_time_add(now, s->rto.value);
        ln_outstanding_resent(&s->outstanding, tsn, now);
        write_data(s, w, tsn, nothing_follows(s) ? LN_DATA_IMMEDIATE : 0);
        s->stats.retransmissions++;
        if (s->cc_ops->in_recovery(s->cc))
            s->stats.fast_retransmissions++;
        note_sent(s, now, slot->len);
    }
    return true;
}

/* The bytes of the message's next fragment in this room; 0: not here. */
static size_t fragment_bytes(const struct ln_sctp *s, const struct ln_outgoing *message,
                             size_t room)
{
    size_t left = ln_outgoing_next_bytes(message);

    if (room <= ln_association_data_head(s))
        return 0;
    room -= ln_association_data_head(s);
    if (left <= room)
        return left;
    if (!message->begun && !message->open && message->unsent <= ln_association_fragment_bytes(s))
        return 0;
    return room >= FRAGMENT_MIN ? room : 0;
}

/* The message under way has expired: nothing more of it is sent. */
static bool give_up_current(struct ln_sctp *s, ln_time now, struct ln_outgoing *message)
{
    if (!message->begun || !s->peer_partial_reliability || !ln_time_due(message->deadline, now))
        return false;
    ln_outstanding_abandon(&s->outstanding, message); /* the caller has reserved */
    s->forward_due = true;
    return true;
}

static void write_new(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    while (ln_send_queue_ready(&s->queue)) {
        struct ln_outgoing *message = ln_send_queue_next(&s->queue, now);
        size_t bytes;
        uint64_t tsn;

        if (!message || ln_outstanding_reserve(&s->outstanding) != 0)
            break;
        if (give_up_current(s, now, message))
            continue;
        bytes = fragment_bytes(s, message, ln_writer_room(w));
        if (bytes == 0)
            return;
        if (!window_open(s))
            return;
        /* Into a closed window goes one fragment at a time, as a probe (RFC 9260, 6.1 A). */
        if (bytes > s->peer_window && s->outstanding.in_flight_bytes > 0)
            break;
        tsn = ln_outstanding_push(&s->outstanding, message, bytes, now);
        write_data(s, w, tsn, nothing_follows(s) ? LN_DATA_IMMEDIATE : 0);
        if (ln_outstanding_slot(&s->outstanding, tsn)->flags & LN_DATA_END)
            s->stats.messages_sent++;
        note_sent(s, now, bytes);
    }
    s->window_limited = s->pace_limited = false;
}

/* Whether the controller lets a packet go now. */
static bool its_turn(struct ln_sctp *s, ln_time now)
{
    ln_time next = s->cc_ops->next_send ? s->cc_ops->next_send(s->cc) : LN_TIME_IMMEDIATE;

    s->paced_until = LN_TIME_NEVER;
    if (next <= now || s->fast_retransmit || nothing_follows(s))
        return true;
    s->paced_until = next;
    s->pace_limited = true;
    return false;
}

static void write_user_data(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    if (!its_turn(s, now))
        return;
    if (ln_outstanding_empty(&s->outstanding) && ln_send_queue_ready(&s->queue) &&
        s->last_sent > 0 && now - s->last_sent > s->rto.value)
        s->cc_ops->on_idle(s->cc, now, now - s->last_sent, s->rto.value);
    if (write_lost(s, now, w))
        write_new(s, now, w);
}

/* Composition. */

static bool may_send_data(const struct ln_sctp *s, bool with_cookie)
{
    return with_cookie || ln_association_in(s, LN_STATES_SENDING);
}

static void compose(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    bool init = s->init_due, cookie = s->cookie_echo_due;
    size_t before, head;

    ln_output_write_handshake(s, w);
    if (init)
        return; /* stands alone (RFC 9260, 6.10) */
    if (s->received.due)
        ln_output_write_sack(s, w);
    if (s->forward_due && ln_association_in(s, LN_STATES_SENDING))
        ln_output_write_forward_tsn(s, now, w);
    if (ln_reset_due(s))
        ln_reset_write(s, now, w);
    if (s->heartbeat_due)
        ln_output_write_heartbeat(s, now, w);
    ln_output_write_shutdown(s, w);
    if (!may_send_data(s, cookie))
        return;
    head = w->len;
    before = s->received.packets;
    /* A SACK that may wait still travels with data that goes anyway. */
    if (before > 0 && !cookie && !nothing_follows(s)) {
        struct ln_writer with = *w;
        struct ln_received kept = s->received;
        size_t announced = s->announced_window;

        ln_output_write_sack(s, &with);
        head = with.len;
        write_user_data(s, now, &with);
        if (with.len > head) {
            *w = with;
        } else { /* nothing went: it waits on */
            s->received = kept;
            s->announced_window = announced;
            s->stats.sacks_sent--;
        }
    } else {
        write_user_data(s, now, w);
    }
    if (w->len > LN_SCTP_HEADER_BYTES)
        s->fast_retransmit = false;
}

/* A lost fragment that is larger than packets are now is written all the same. */
static size_t packet_limit(struct ln_sctp *s, size_t cap)
{
    size_t limit = s->config.packet_bytes;
    uint64_t tsn = ln_outstanding_next_lost(&s->outstanding);

    if (tsn != 0) {
        size_t whole = LN_SCTP_HEADER_BYTES + ln_association_data_head(s) +
                       ((ln_outstanding_slot(&s->outstanding, tsn)->len + 3u) & ~(size_t)3);

        if (whole > limit && whole <= cap)
            limit = whole;
    }
    return limit;
}

size_t ln_sctp_poll_transmit(struct ln_sctp *s, ln_time now, uint8_t *out, size_t cap)
{
    bool with_sum = !s->zero_checksum || s->cookie_echo_due || s->init_due;
    struct ln_writer w;

    s->want_now = s->oversized = false;
    if (cap < s->config.packet_bytes)
        return 0;
    ln_send_queue_stamp(&s->queue, now);
    ln_streaming_watch(s, now);
    ln_association_continue_shutdown(s, now);
    if (!ln_list_empty(&s->controls)) {
        size_t len = take_control(s, out, cap);

        s->stats.packets_sent++;
        s->stats.bytes_sent += len;
        return len;
    }
    if (s->state == LN_ASSOCIATION_ENDED && !s->shutdown_complete_due)
        return 0;
    if (s->pmtu.due && ln_association_in(s, LN_STATES_SENDING)) {
        size_t len = ln_output_write_probe(s, now, out, cap);

        if (len > 0)
            return len;
    }
    abandon_lost(s, now);
    ln_reset_prepare(s);
    ln_writer_init(&w, out, packet_limit(s, cap));
    ln_sctp_packet_begin(&w, s->config.local_port, s->config.remote_port,
                         s->init_due ? 0 : s->peer_tag);
    compose(s, now, &w);
    if (w.len == LN_SCTP_HEADER_BYTES && s->forward_due)
        compose(s, now, &w); /* the message whose turn it was had expired: the peer is told */
    if (w.len == LN_SCTP_HEADER_BYTES)
        return 0;
    assert(w.ok);
    s->oversized = w.len > s->config.packet_bytes;
    if (with_sum)
        ln_sctp_packet_finish(&w);
    s->stats.packets_sent++;
    s->stats.bytes_sent += w.len;
    return w.len;
}
