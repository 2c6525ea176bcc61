/* SPDX-License-Identifier: Apache-2.0
 * The control chunks of a packet being composed: each writes what is due, if there is room, and
 * counts it as said. RFC 9260, 3.3; RFC 3758, 3.2. */
#include "sctp/association.h"

#include "base/rng.h"
#include "base/time.h"

#define FORWARD_STREAMS   64u
#define HEARTBEAT_BYTES   16u
#define CHUNK_SMALL_BYTES 8u

static void write_plain(struct ln_writer *w, uint8_t type)
{
    ln_chunk_finish(w, ln_chunk_begin(w, type, 0));
}

void ln_output_write_handshake(struct ln_sctp *s, struct ln_writer *w)
{
    if (s->init_due) {
        ln_handshake_write_init(s, w);
        s->init_due = false;
    } else if (s->cookie_echo_due) {
        size_t at = ln_chunk_begin(w, LN_CHUNK_COOKIE_ECHO, 0);

        ln_write_bytes(w, s->cookie.data, s->cookie.len);
        ln_chunk_finish(w, at);
        s->cookie_echo_due = false;
    } else if (s->cookie_ack_due) {
        write_plain(w, LN_CHUNK_COOKIE_ACK);
        s->cookie_ack_due = false;
    }
}

struct skipped {
    uint16_t stream, ssn;
};

/* Notes the sequence number of one abandoned fragment. Returns false when the list is full. */
static bool note_skipped(struct skipped *list, size_t *count, size_t limit,
                         const struct ln_outgoing *message)
{
    if (message->unordered)
        return true;
    for (size_t i = 0; i < *count; i++) {
        if (list[i].stream == message->stream) {
            list[i].ssn = message->ssn; /* TSNs ascend, so do a stream's sequence numbers */
            return true;
        }
    }
    if (*count >= limit)
        return false;
    list[(*count)++] = (struct skipped){ message->stream, message->ssn };
    return true;
}

void ln_output_write_forward_tsn(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    uint64_t end = ln_outstanding_advance(&s->outstanding), tsn = s->outstanding.first;
    struct skipped list[FORWARD_STREAMS];
    size_t count = 0, limit, at;

    if (end < tsn) {
        s->forward_due = false;
        return;
    }
    if (ln_writer_room(w) < CHUNK_SMALL_BYTES + 4)
        return;
    limit = (ln_writer_room(w) - CHUNK_SMALL_BYTES) / 4;
    if (limit > FORWARD_STREAMS)
        limit = FORWARD_STREAMS;
    for (; tsn <= end; tsn++)
        if (!note_skipped(list, &count, limit, ln_outstanding_slot(&s->outstanding, tsn)->message))
            break;
    at = ln_chunk_begin(w, LN_CHUNK_FORWARD_TSN, 0);
    ln_write32(w, (uint32_t)(tsn - 1));
    for (size_t i = 0; i < count; i++) {
        ln_write16(w, list[i].stream);
        ln_write16(w, list[i].ssn);
    }
    ln_chunk_finish(w, at);
    s->forwarded = tsn - 1;
    s->forward_due = false;
    if (s->data_deadline == LN_TIME_NEVER)
        s->data_deadline = ln_time_add(now, s->rto.value);
}

void ln_output_write_heartbeat(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    size_t chunk, parameter;

    if (ln_writer_room(w) < HEARTBEAT_BYTES)
        return;
    s->heartbeat_nonce = ln_rng_u64(s->env->rng);
    chunk = ln_chunk_begin(w, LN_CHUNK_HEARTBEAT, 0);
    parameter = ln_parameter_begin(w, LN_PARAMETER_HEARTBEAT_INFO);
    ln_write64(w, s->heartbeat_nonce);
    ln_parameter_finish(w, parameter);
    ln_chunk_finish(w, chunk);
    s->heartbeat_due = false;
    s->heartbeat_waiting = true;
    s->heartbeat_sent = now;
}

void ln_output_write_shutdown(struct ln_sctp *s, struct ln_writer *w)
{
    if (ln_writer_room(w) < CHUNK_SMALL_BYTES)
        return;
    if (s->shutdown_due) {
        size_t at = ln_chunk_begin(w, LN_CHUNK_SHUTDOWN, 0);

        ln_write32(w, (uint32_t)s->received.cumulative);
        ln_chunk_finish(w, at);
        s->shutdown_due = false;
    } else if (s->shutdown_ack_due) {
        write_plain(w, LN_CHUNK_SHUTDOWN_ACK);
        s->shutdown_ack_due = false;
    } else if (s->shutdown_complete_due) {
        write_plain(w, LN_CHUNK_SHUTDOWN_COMPLETE);
        s->shutdown_complete_due = false;
    }
}

void ln_output_write_sack(struct ln_sctp *s, struct ln_writer *w)
{
    size_t window = ln_reassembly_window(&s->reassembly);

    if (ln_sack_write(&s->received, w, (uint32_t)window)) {
        s->announced_window = window;
        s->stats.sacks_sent++;
    }
}
