/* SPDX-License-Identifier: Apache-2.0
 * Stream reset (RFC 6525) as data channels need it: each side resets its outgoing streams.
 *
 *   | 13 | length | request sequence | response sequence | last TSN | stream 16 ... |   outgoing
 * reset | 14 | length | request sequence | stream 16 ... | incoming reset | 16 | length | response
 * sequence | result |                                        response
 *
 * One request of ours is under way at a time. It names streams whose data all has TSNs, and the
 * peer fulfils it when it has everything up to the last of those. The last two answers are kept and
 * given again to a repeated request. */
#include "sctp/association.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sctp/tsn.h"

#include <string.h>

#define REQUEST_HEAD_BYTES 20u /* chunk and parameter up to the streams */
#define TRIES_SAME_NUMBER  3u

void ln_reset_init(struct ln_sctp *s)
{
    ln_list_init(&s->reset.wanted);
    ln_list_init(&s->reset.asked);
    s->reset.deadline = LN_TIME_NEVER;
}

static void forget_deferred(struct ln_sctp *s)
{
    ln_free(s->env->allocator, s->reset.deferred_streams);
    s->reset.deferred_streams = NULL;
    s->reset.deferred_count = 0;
    s->reset.deferred = false;
}

void ln_reset_deinit(struct ln_sctp *s)
{
    forget_deferred(s);
}

void ln_reset_begin(struct ln_sctp *s, uint32_t local_tsn, uint32_t peer_tsn)
{
    forget_deferred(s);
    s->reset.next_sequence = local_tsn;
    s->reset.peer_sequence = peer_tsn;
    s->reset.answer_count = 0;
    s->reset.under_way = s->reset.request_due = false;
    s->reset.deadline = LN_TIME_NEVER;
}

/* Our requests. */

int ln_reset_want(struct ln_sctp *s, uint16_t id)
{
    struct ln_out_stream *stream = ln_send_queue_make_stream(&s->queue, id);

    if (!stream)
        return LN_ERR_NOMEM;
    if (stream->reset != LN_STREAM_OPEN)
        return 0;
    ln_send_queue_cut(&s->queue, stream);
    stream->reset = LN_STREAM_RESET_WANTED;
    ln_list_append(&s->reset.wanted, &stream->resetting);
    return 0;
}

static void finish_stream(struct ln_sctp *s, struct ln_out_stream *stream, int error)
{
    ln_list_remove(&stream->resetting);
    if (error == 0)
        stream->next_mid = stream->next_unordered_mid = 0;
    stream->reset = LN_STREAM_OPEN;
    stream->reset_error = error;
    ln_news_tell(&s->news, &stream->reset_done);
}

static void finish_list(struct ln_sctp *s, struct ln_list *list, int error)
{
    while (!ln_list_empty(list))
        finish_stream(s, LN_CONTAINER(list->next, struct ln_out_stream, resetting), error);
}

void ln_reset_fail_all(struct ln_sctp *s, int error)
{
    finish_list(s, &s->reset.asked, error);
    finish_list(s, &s->reset.wanted, error);
    s->reset.under_way = s->reset.request_due = false;
    s->reset.deadline = LN_TIME_NEVER;
    for (size_t i = 0; i < s->reset.answer_count; i++)
        s->reset.answers[i].due = false;
}

void ln_reset_prepare(struct ln_sctp *s)
{
    size_t room = (s->config.packet_bytes - LN_SCTP_HEADER_BYTES - REQUEST_HEAD_BYTES) / 2;

    if (s->reset.under_way || ln_list_empty(&s->reset.wanted) ||
        !ln_association_in(s, LN_STATES_SENDING))
        return;
    if (!s->peer_reset) {
        finish_list(s, &s->reset.wanted, LN_ERR_NOT_SUPPORTED);
        return;
    }
    LN_LIST_EACH_SAFE (at, next, &s->reset.wanted) {
        struct ln_out_stream *stream = LN_CONTAINER(at, struct ln_out_stream, resetting);

        if (stream->id >= s->outgoing_streams) {
            finish_stream(s, stream, LN_ERR_RANGE);
        } else if (ln_list_empty(&stream->messages) && room > 0) {
            ln_list_remove(&stream->resetting);
            ln_list_append(&s->reset.asked, &stream->resetting);
            stream->reset = LN_STREAM_RESET_ASKED;
            room--;
        }
    }
    if (ln_list_empty(&s->reset.asked))
        return;
    s->reset.under_way = s->reset.request_due = true;
    s->reset.in_progress = s->reset.nudged = false;
    s->reset.tries = 0;
    s->reset.sequence = s->reset.next_sequence++;
    s->reset.last_tsn = (uint32_t)(s->outstanding.next - 1);
}

void ln_reset_timeout(struct ln_sctp *s, ln_time now)
{
    s->reset.deadline = LN_TIME_NEVER;
    if (!s->reset.under_way)
        return;
    if (!s->reset.in_progress)
        ln_association_count_error(s, now);
    /* A peer that has lost track of an old number takes the request as a new one. */
    if (s->reset.in_progress && s->reset.tries >= TRIES_SAME_NUMBER) {
        s->reset.sequence = s->reset.next_sequence++;
        s->reset.tries = 0;
    }
    s->reset.request_due = s->state != LN_ASSOCIATION_ENDED;
}

void ln_reset_on_ack(struct ln_sctp *s)
{
    /* Once: a peer that has other reasons is asked at the pace of the timer. */
    if (s->reset.under_way && s->reset.in_progress && !s->reset.nudged &&
        ln_tsn_widen(s->outstanding.first, s->reset.last_tsn) < s->outstanding.first) {
        s->reset.in_progress = false;
        s->reset.nudged = s->reset.request_due = true;
    }
}

static void on_response(struct ln_sctp *s, ln_time now, struct ln_bytes value)
{
    struct ln_reader r;
    uint32_t sequence, result;

    ln_reader_init(&r, value.data, value.len);
    sequence = ln_read32(&r);
    result = ln_read32(&r);
    if (!r.ok) {
        s->stats.dropped_malformed++;
        return;
    }
    if (!s->reset.under_way || sequence != s->reset.sequence)
        return; /* to a request never sent, or long answered */
    if (result == LN_RESET_IN_PROGRESS || result == LN_RESET_ALREADY_IN_PROGRESS) {
        s->reset.in_progress = true;
        s->reset.deadline = ln_time_add(now, s->rto.value);
        ln_reset_on_ack(s);
        return;
    }
    s->reset.under_way = s->reset.request_due = false;
    s->reset.deadline = LN_TIME_NEVER;
    finish_list(s, &s->reset.asked, result <= LN_RESET_PERFORMED ? 0 : LN_ERR_REFUSED);
}

/* The peer's requests. */

static void answer(struct ln_sctp *s, uint32_t sequence, uint8_t result)
{
    struct ln_reset_answer *answers = s->reset.answers;

    for (size_t i = 0; i < s->reset.answer_count; i++) {
        if (answers[i].sequence == sequence) {
            answers[i].result = result;
            answers[i].due = true;
            return;
        }
    }
    answers[1] = answers[0];
    answers[0] = (struct ln_reset_answer){ sequence, result, true };
    s->reset.answer_count = s->reset.answer_count > 0 ? 2 : 1;
}

/* Returns true for the request that comes next; an old one is answered as before, any other is
 * refused. */
static bool take_number(struct ln_sctp *s, uint32_t sequence)
{
    if (sequence == s->reset.peer_sequence) {
        s->reset.peer_sequence++;
        return true;
    }
    for (size_t i = 0; i < s->reset.answer_count; i++) {
        if (s->reset.answers[i].sequence == sequence) {
            s->reset.answers[i].due = true;
            return false;
        }
    }
    answer(s, sequence, LN_RESET_BAD_SEQUENCE);
    return false;
}

static bool perform(struct ln_sctp *s, const uint16_t *streams, size_t count, bool all)
{
    bool ok = true;

    /* A message that the peer left in its middle must not go on as one of the new stream. */
    if (all) {
        ln_reassembly_cut_any(&s->reassembly, s->received.cumulative);
        ln_reassembly_reset_all(&s->reassembly);
    }
    for (size_t i = 0; i < count; i++) {
        ln_reassembly_cut(&s->reassembly, streams[i], s->received.cumulative);
        if (ln_reassembly_reset_stream(&s->reassembly, streams[i]) != 0)
            ok = false;
    }
    return ok;
}

void ln_reset_on_cumulative(struct ln_sctp *s)
{
    if (!s->reset.deferred || s->received.cumulative < s->reset.deferred_tsn)
        return;
    answer(s, s->reset.deferred_sequence,
           perform(s, s->reset.deferred_streams, s->reset.deferred_count, s->reset.deferred_all)
               ? LN_RESET_PERFORMED
               : LN_RESET_DENIED);
    forget_deferred(s);
}

static bool read_streams(const struct ln_sctp *s, struct ln_reader *r, uint16_t *streams,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        streams[i] = ln_read16(r);
        if (streams[i] >= s->incoming_streams)
            return false;
    }
    return true;
}

static void on_outgoing_reset(struct ln_sctp *s, struct ln_bytes value)
{
    uint32_t sequence, last_tsn;
    uint16_t *streams = NULL;
    struct ln_reader r;
    size_t count;

    ln_reader_init(&r, value.data, value.len);
    sequence = ln_read32(&r);
    ln_read_skip(&r, 4);
    last_tsn = ln_read32(&r);
    if (!r.ok) {
        s->stats.dropped_malformed++;
        return;
    }
    if (!take_number(s, sequence))
        return;
    count = ln_reader_left(&r) / 2;
    if (count > 0 && (streams = ln_alloc(s->env->allocator, count * sizeof *streams)) == NULL) {
        s->reset.peer_sequence--; /* unanswered, it comes again */
        return;
    }
    forget_deferred(s);
    s->reset.deferred_streams = streams;
    if (!read_streams(s, &r, streams, count)) {
        answer(s, sequence, LN_RESET_WRONG_SSN);
        forget_deferred(s);
        return;
    }
    s->reset.deferred = true;
    s->reset.deferred_sequence = sequence;
    s->reset.deferred_all = count == 0;
    s->reset.deferred_count = count;
    s->reset.deferred_tsn = ln_tsn_widen(s->received.cumulative, last_tsn);
    answer(s, sequence, LN_RESET_IN_PROGRESS);
    ln_reset_on_cumulative(s);
}

static void on_incoming_reset(struct ln_sctp *s, struct ln_bytes value)
{
    uint8_t result = LN_RESET_NOTHING_TO_DO;
    struct ln_reader r;
    uint32_t sequence;

    ln_reader_init(&r, value.data, value.len);
    sequence = ln_read32(&r);
    if (!r.ok) {
        s->stats.dropped_malformed++;
        return;
    }
    if (!take_number(s, sequence))
        return;
    while (ln_reader_left(&r) >= 2) {
        struct ln_out_stream *stream = ln_send_queue_stream(&s->queue, ln_read16(&r));

        if (!stream || ln_reset_want(s, stream->id) != 0)
            continue;
        ln_news_tell(&s->news, &stream->reset_asked);
        result = LN_RESET_PERFORMED;
    }
    answer(s, sequence, result);
}

static void deny(struct ln_sctp *s, struct ln_bytes value)
{
    if (value.len < 4)
        s->stats.dropped_malformed++;
    else if (take_number(s, ln_load32(value.data)))
        answer(s, ln_load32(value.data), LN_RESET_DENIED);
}

void ln_reset_on_reconfig(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    struct ln_parameter parameter;
    struct ln_reader r;

    ln_reader_init(&r, chunk->value.data, chunk->value.len);
    /* Two parameters at most (RFC 6525, 3.1). */
    for (int i = 0; i < 2 && ln_parameter_read(&r, &parameter) > 0; i++) {
        switch (parameter.type) {
        case LN_PARAMETER_OUTGOING_RESET:
            on_outgoing_reset(s, parameter.value);
            break;
        case LN_PARAMETER_INCOMING_RESET:
            on_incoming_reset(s, parameter.value);
            break;
        case LN_PARAMETER_RESET_RESPONSE:
            on_response(s, now, parameter.value);
            break;
        case LN_PARAMETER_TSN_RESET:
        case LN_PARAMETER_ADD_OUTGOING:
        case LN_PARAMETER_ADD_INCOMING:
            deny(s, parameter.value);
            break;
        default:
            s->stats.dropped_malformed++;
            break;
        }
    }
}

/* Writing. */

bool ln_reset_due(const struct ln_sctp *s)
{
    for (size_t i = 0; i < s->reset.answer_count; i++)
        if (s->reset.answers[i].due)
            return true;
    return s->reset.request_due;
}

static void write_answers(struct ln_sctp *s, struct ln_writer *w)
{
    for (size_t i = s->reset.answer_count; i-- > 0;) {
        struct ln_reset_answer *a = &s->reset.answers[i];
        size_t chunk, parameter;

        if (!a->due || ln_writer_room(w) < 16)
            continue;
        chunk = ln_chunk_begin(w, LN_CHUNK_RECONFIG, 0);
        parameter = ln_parameter_begin(w, LN_PARAMETER_RESET_RESPONSE);
        ln_write32(w, a->sequence);
        ln_write32(w, a->result);
        ln_parameter_finish(w, parameter);
        ln_chunk_finish(w, chunk);
        a->due = false;
    }
}

static void write_request(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    size_t chunk, parameter, count = 0;
    ln_duration wait = s->rto.value;

    LN_LIST_EACH (at, &s->reset.asked) {
        count++;
    }
    if (ln_writer_room(w) < REQUEST_HEAD_BYTES + count * 2 + 2)
        return;
    chunk = ln_chunk_begin(w, LN_CHUNK_RECONFIG, 0);
    parameter = ln_parameter_begin(w, LN_PARAMETER_OUTGOING_RESET);
    ln_write32(w, s->reset.sequence);
    ln_write32(w, s->reset.peer_sequence - 1);
    ln_write32(w, s->reset.last_tsn);
    LN_LIST_EACH (at, &s->reset.asked) {
        ln_write16(w, LN_CONTAINER(at, struct ln_out_stream, resetting)->id);
    }
    /* The chunk's length leaves out the padding of its last parameter (RFC 9260, 3.2.1). */
    ln_write16_at(w, parameter + 2, (uint16_t)(w->len - parameter));
    ln_chunk_finish(w, chunk);
    for (unsigned i = 0; i < s->reset.tries && wait < s->config.rto_max; i++)
        wait *= 2;
    s->reset.tries++;
    s->reset.request_due = false;
    s->reset.deadline = ln_time_add(now, wait < s->config.rto_max ? wait : s->config.rto_max);
}

void ln_reset_write(struct ln_sctp *s, ln_time now, struct ln_writer *w)
{
    write_answers(s, w);
    if (s->reset.request_due)
        write_request(s, now, w);
}
