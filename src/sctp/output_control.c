/* SPDX-License-Identifier: Apache-2.0
 * The control chunks of a packet being composed: each writes what is due, if there is room, and
 * counts it as said. RFC 9260, 3.3; RFC 3758, 3.2; RFC 8260, 2.3. */
#include "sctp/association.h"

#include "base/rng.h"
#include "base/time.h"
#include "sctp/tsn.h"

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
    uint16_t stream;
    bool unordered;
    uint32_t mid;
};

/* Notes the number of one abandoned fragment's message. Returns false when the list is full. */
static bool note_skipped(const struct ln_sctp *s, struct skipped *list, size_t *count, size_t limit,
                         const struct ln_outgoing *m)
{
    if (m->unordered && !s->queue.interleaving)
        return true;
    for (size_t i = 0; i < *count; i++) {
        struct skipped *at = &list[i];

        if (at->stream != m->stream || at->unordered != m->unordered)
            continue;
        if (ln_mid_distance(s->queue.interleaving, at->mid, m->mid) > 0)
            at->mid = m->mid;
        return true;
    }
    if (*count >= limit)
        return false;
    list[(*count)++] = (struct skipped){ m->stream, m->unordered, m->mid };
    return true;
}

static void write_skipped(const struct ln_sctp *s, struct ln_writer *w,
                          const struct skipped *skipped)
{
    ln_write16(w, skipped->stream);
    if (s->queue.interleaving) {
        ln_write16(w, skipped->unordered ? LN_SKIPPED_UNORDERED : 0);
        ln_write32(w, skipped->mid);
    } else {
        ln_write16(w, (uint16_t)skipped->mid);
    }
}

/* FORWARD TSN (RFC 3758, 3.2), or I-FORWARD-TSN (RFC 8260, 2.3.1). */
void ln_output_write_forward_tsn(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    uint64_t end = ln_outstanding_advance(&s->outstanding), tsn = s->outstanding.first;
    size_t count = 0, limit, at, each = s->queue.interleaving ? 8 : 4;
    struct skipped list[FORWARD_STREAMS];

    if (end < tsn) {
        s->forward_due = false;
        return;
    }
    if (ln_writer_room(w) < CHUNK_SMALL_BYTES + each)
        return;
    limit = (ln_writer_room(w) - CHUNK_SMALL_BYTES) / each;
    if (limit > FORWARD_STREAMS)
        limit = FORWARD_STREAMS;
    for (; tsn <= end; tsn++)
        if (!note_skipped(s, list, &count, limit,
                          ln_outstanding_slot(&s->outstanding, tsn)->part->message))
            break;
    at = ln_chunk_begin(w, s->queue.interleaving ? LN_CHUNK_IFORWARD_TSN : LN_CHUNK_FORWARD_TSN, 0);
    ln_write32(w, (uint32_t)(tsn - 1));
    for (size_t i = 0; i < count; i++)
        write_skipped(s, w, &list[i]);
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

/* RFC 8899, 6.2.1.2: a HEARTBEAT, and a PAD chunk (RFC 4820) up to the size. */
size_t ln_output_write_probe(struct ln_sctp *s, ln_time now, uint8_t *out, size_t cap)
{
    size_t size = s->pmtu.probe, chunk, parameter;
    uint64_t nonce = ln_rng_u64(s->env->rng);
    struct ln_writer w;

    ln_pmtu_sent(&s->pmtu, now, nonce, s->rto.value);
    if (size > cap)
        return 0; /* the owner cannot carry it: as if lost */
    ln_writer_init(&w, out, size);
    ln_sctp_packet_begin(&w, s->config.local_port, s->config.remote_port, s->peer_tag);
    chunk = ln_chunk_begin(&w, LN_CHUNK_HEARTBEAT, 0);
    parameter = ln_parameter_begin(&w, LN_PARAMETER_HEARTBEAT_INFO);
    ln_write64(&w, nonce);
    ln_parameter_finish(&w, parameter);
    ln_chunk_finish(&w, chunk);
    chunk = ln_chunk_begin(&w, LN_CHUNK_PAD, 0);
    ln_write_zero(&w, ln_writer_room(&w));
    ln_chunk_finish(&w, chunk);
    ln_sctp_packet_finish(&w);
    s->stats.packets_sent++;
    s->stats.bytes_sent += w.len;
    return w.len;
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
