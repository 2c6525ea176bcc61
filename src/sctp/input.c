/* SPDX-License-Identifier: Apache-2.0
 * Packets in: verification tag, then each chunk by the table of types (RFC 9260, 3.2 and 8.5). The
 * table says in which states a chunk means anything; elsewhere it is dropped and counted. */
#include "sctp/association.h"

#include "base/time.h"

#include <string.h>

#define REPORTED_BYTES_MAX 256u

struct input {
    ln_time now;
    uint32_t tag;
    bool stop; /* the rest of the packet is not to be looked at */
};

typedef void handler(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk);

static void on_data(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    ln_transfer_on_data(s, in->now, chunk);
}

static void on_init(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    in->stop = true; /* stands alone */
    ln_handshake_on_init(s, in->now, chunk);
}

static void on_init_ack(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    in->stop = true;
    ln_handshake_on_init_ack(s, in->now, chunk);
}

static void on_sack(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    ln_transfer_on_sack(s, in->now, chunk);
}

static void on_heartbeat(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    struct ln_control *control;
    struct ln_writer w;
    size_t at;

    (void)in;
    if (chunk->whole.len + LN_SCTP_HEADER_BYTES > s->config.packet_bytes ||
        (control = ln_output_control(s, chunk->whole.len + 3)) == NULL)
        return;
    ln_writer_init(&w, control->data, control->len);
    ln_sctp_packet_begin(&w, s->config.local_port, s->config.remote_port, s->peer_tag);
    at = ln_chunk_begin(&w, LN_CHUNK_HEARTBEAT_ACK, 0);
    ln_write_bytes(&w, chunk->value.data, chunk->value.len);
    ln_chunk_finish(&w, at);
    ln_sctp_packet_finish(&w);
    control->len = w.len;
}

static void on_heartbeat_ack(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    struct ln_reader r;
    uint16_t type, len;
    uint64_t nonce;

    ln_reader_init(&r, chunk->value.data, chunk->value.len);
    type = ln_read16(&r);
    len = ln_read16(&r);
    nonce = ln_read64(&r);
    if (!r.ok || type != LN_PARAMETER_HEARTBEAT_INFO || len != 12) {
        s->stats.dropped_malformed++;
        return;
    }
    if (ln_pmtu_answered(&s->pmtu, in->now, nonce)) {
        ln_sctp_set_packet_bytes(s, s->pmtu.best);
        return;
    }
    if (!s->heartbeat_waiting || nonce != s->heartbeat_nonce)
        return;
    s->heartbeat_waiting = false;
    s->error_count = 0;
    if (in->now > s->heartbeat_sent)
        ln_rto_measure(&s->rto, in->now - s->heartbeat_sent);
}

static void on_abort(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    uint16_t cause = chunk->value.len >= 4 ? ln_load16(chunk->value.data) : 0;

    in->stop = true;
    if (ln_handshake_try_bare(s, in->now))
        return;
    /* Before there is an association, an ABORT is the answer to our INIT. */
    ln_association_end(
        s, in->now, s->state < LN_ASSOCIATION_ESTABLISHED ? LN_ERR_REFUSED : LN_ERR_RESET, cause);
}

static void on_shutdown(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    if (chunk->value.len < 4) {
        s->stats.dropped_malformed++;
        return;
    }
    ln_transfer_on_cumulative(s, in->now, ln_load32(chunk->value.data));
    switch (s->state) {
    case LN_ASSOCIATION_ESTABLISHED:
    case LN_ASSOCIATION_SHUTDOWN_PENDING:
        ln_association_set_state(s, in->now, LN_ASSOCIATION_SHUTDOWN_RECEIVED);
        ln_association_continue_shutdown(s, in->now);
        break;
    case LN_ASSOCIATION_SHUTDOWN_SENT: /* both at once */
        ln_association_set_state(s, in->now, LN_ASSOCIATION_SHUTDOWN_ACK_SENT);
        s->shutdown_due = false;
        s->shutdown_ack_due = true;
        break;
    default:
        break;
    }
}

static void on_shutdown_ack(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    (void)chunk;
    in->stop = true;
    s->shutdown_complete_due = true;
    ln_association_end(s, in->now, 0, 0);
}

static void on_shutdown_complete(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    (void)chunk;
    in->stop = true;
    ln_association_end(s, in->now, 0, 0);
}

static void on_error(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    struct ln_parameter cause;
    struct ln_reader r;

    ln_reader_init(&r, chunk->value.data, chunk->value.len);
    while (ln_parameter_read(&r, &cause) > 0)
        if (cause.type == LN_CAUSE_STALE_COOKIE)
            ln_handshake_on_stale_cookie(s, in->now);
}

static void on_cookie_echo(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    if (!ln_handshake_on_cookie_echo(s, in->now, in->tag, chunk))
        in->stop = true;
}

static void on_cookie_ack(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    (void)chunk;
    ln_handshake_on_cookie_ack(s, in->now);
}

static void on_reconfig(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    ln_reset_on_reconfig(s, in->now, chunk);
}

static void on_padding(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    (void)s;
    (void)in;
    (void)chunk;
}

static void on_forward_tsn(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    ln_transfer_on_forward_tsn(s, in->now, chunk);
}

#define IN(state) LN_STATE_BIT(LN_ASSOCIATION_##state)
#define RUNNING                                                                                    \
    (IN(ESTABLISHED) | IN(SHUTDOWN_PENDING) | IN(SHUTDOWN_SENT) | IN(SHUTDOWN_RECEIVED) |          \
     IN(SHUTDOWN_ACK_SENT))
#define ANY (IN(IDLE) | IN(COOKIE_WAIT) | IN(COOKIE_ECHOED) | RUNNING)

static const struct row {
    uint8_t type;
    unsigned states;
    handler *handle;
} rows[] = {
    { LN_CHUNK_DATA, LN_STATES_RECEIVING, on_data },
    { LN_CHUNK_IDATA, LN_STATES_RECEIVING, on_data },
    { LN_CHUNK_SACK, LN_STATES_SENDING | IN(SHUTDOWN_SENT), on_sack },
    { LN_CHUNK_INIT, ANY, on_init },
    { LN_CHUNK_INIT_ACK, IN(COOKIE_WAIT), on_init_ack },
    { LN_CHUNK_COOKIE_ECHO, ANY, on_cookie_echo },
    { LN_CHUNK_COOKIE_ACK, IN(COOKIE_ECHOED), on_cookie_ack },
    { LN_CHUNK_HEARTBEAT, IN(COOKIE_ECHOED) | RUNNING, on_heartbeat },
    { LN_CHUNK_HEARTBEAT_ACK, RUNNING, on_heartbeat_ack },
    { LN_CHUNK_ABORT, ANY & ~IN(IDLE), on_abort },
    { LN_CHUNK_SHUTDOWN, RUNNING, on_shutdown },
    { LN_CHUNK_SHUTDOWN_ACK, IN(SHUTDOWN_SENT) | IN(SHUTDOWN_ACK_SENT), on_shutdown_ack },
    { LN_CHUNK_SHUTDOWN_COMPLETE, IN(SHUTDOWN_ACK_SENT), on_shutdown_complete },
    { LN_CHUNK_ERROR, ANY & ~IN(IDLE), on_error },
    { LN_CHUNK_PAD, ANY, on_padding },
    { LN_CHUNK_RECONFIG, IN(ESTABLISHED) | IN(SHUTDOWN_PENDING) | IN(SHUTDOWN_RECEIVED),
      on_reconfig },
    { LN_CHUNK_FORWARD_TSN, LN_STATES_RECEIVING, on_forward_tsn },
    { LN_CHUNK_IFORWARD_TSN, LN_STATES_RECEIVING, on_forward_tsn },
};

static const struct row *row_of(uint8_t type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

static void on_unknown(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    struct ln_bytes report = chunk->whole;

    s->stats.dropped_malformed++;
    if (LN_CHUNK_UNKNOWN_REPORT(chunk->type) && s->peer_known && report.len <= REPORTED_BYTES_MAX)
        ln_output_error(s, LN_CAUSE_UNRECOGNIZED_CHUNK, report);
    if (!LN_CHUNK_UNKNOWN_GO_ON(chunk->type))
        in->stop = true;
}

/* Chunks of an extension that was not agreed on are unknown ones. */
static bool spoken(const struct ln_sctp *s, uint8_t type)
{
    return s->queue.interleaving || (type != LN_CHUNK_IDATA && type != LN_CHUNK_IFORWARD_TSN);
}

static void dispatch(struct ln_sctp *s, struct input *in, const struct ln_chunk *chunk)
{
    const struct row *row = row_of(chunk->type);

    if (!row || !spoken(s, chunk->type))
        on_unknown(s, in, chunk);
    else if (row->states & LN_STATE_BIT(s->state))
        row->handle(s, in, chunk);
    else
        s->stats.dropped_state++;
}

/* RFC 9260, 8.5.1: the first chunk decides which tag the packet must carry. */
static bool tag_valid(const struct ln_sctp *s, uint32_t tag, const struct ln_chunk *first,
                      bool alone)
{
    bool reflected = (first->flags & LN_TAG_REFLECTED) != 0;

    switch (first->type) {
    case LN_CHUNK_INIT:
        return tag == 0 && alone;
    case LN_CHUNK_COOKIE_ECHO:
        return tag != 0; /* compared with the cookie's */
    case LN_CHUNK_ABORT:
    case LN_CHUNK_SHUTDOWN_COMPLETE:
        return reflected ? s->peer_known && tag == s->peer_tag : tag == s->local_tag;
    default:
        return tag == s->local_tag;
    }
}

static void read_chunks(struct ln_sctp *s, struct input *in, struct ln_reader *r)
{
    bool first = true;
    struct ln_chunk chunk;
    int result;

    while (!in->stop && (result = ln_chunk_read(r, &chunk)) != 0) {
        if (result < 0) {
            s->stats.dropped_malformed++;
            return;
        }
        if (first && !tag_valid(s, in->tag, &chunk, ln_reader_left(r) == 0)) {
            s->stats.dropped_tag++;
            return;
        }
        /* These two stand first or not at all. */
        if (!first && (chunk.type == LN_CHUNK_INIT || chunk.type == LN_CHUNK_COOKIE_ECHO)) {
            s->stats.dropped_malformed++;
            return;
        }
        first = false;
        if (in->tag == s->local_tag && chunk.type != LN_CHUNK_COOKIE_ECHO)
            s->unheard = false;
        dispatch(s, in, &chunk);
    }
}

void ln_sctp_receive(struct ln_sctp *s, ln_time now, const uint8_t *data, size_t len)
{
    struct input in = { now, 0, false };
    struct ln_sctp_header header;
    struct ln_reader r;
    int error;

    s->want_now = false;
    ln_send_queue_stamp(&s->queue, now);
    s->stats.packets_received++;
    s->stats.bytes_received += len;
    ln_reader_init(&r, data, len);
    error = ln_sctp_header_read(&r, s->zero_accepted, &header);
    if (error) {
        if (error == LN_ERR_INTEGRITY)
            s->stats.dropped_checksum++;
        else
            s->stats.dropped_malformed++;
        return;
    }
    if (header.source_port != s->config.remote_port ||
        header.destination_port != s->config.local_port) {
        s->stats.dropped_tag++;
        return;
    }
    if (s->state == LN_ASSOCIATION_ENDED) {
        s->stats.dropped_state++;
        return;
    }
    in.tag = header.tag;
    if (s->state == LN_ASSOCIATION_IDLE && header.tag == s->local_tag)
        ln_snap_start(s, now); /* the peer has begun */
    s->sack_immediate = false;
    ln_transfer_tune_window(s, now);
    read_chunks(s, &in, &r);
    ln_received_packet_end(&s->received, now, s->config.sack_delay, s->sack_immediate);
    if (s->state == LN_ASSOCIATION_ENDED)
        s->received.delay_until = LN_TIME_NEVER;
}
