/* SPDX-License-Identifier: Apache-2.0
 * The association: creation, state, timers and the owner's calls. RFC 9260, 4, 8 and 9.
 *
 * The parts: handshake.c (setting up), snap.c (without it), input.c (dispatch of chunks),
 * transfer.c (user data and its acknowledgement), reset.c (RFC 6525), output.c (packets). */
#include "sctp/association.h"

#include "base/alloc.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/trace.h"

#include <assert.h>
#include <string.h>

#define BLOCKS_KEPT_BYTES (2u << 20)

void ln_sctp_config_init(struct ln_sctp_config *config)
{
    memset(config, 0, sizeof *config);
    config->local_port = config->remote_port = 5000;
    config->packet_bytes = LN_SCTP_PACKET_BYTES;
    config->streams = 65535;
    config->max_message_bytes = 256u << 10;
    config->receive_window_first = 1u << 20;
    config->receive_window_bytes = 64u << 20;
    config->send_buffer_bytes = 64u << 20;
    config->rto_initial = LN_MILLISECONDS(500);
    config->rto_min = LN_MILLISECONDS(300);
    config->rto_max = LN_SECONDS(3);
    config->sack_delay = LN_MILLISECONDS(50);
    config->heartbeat_interval = LN_SECONDS(30);
    config->cookie_lifetime = LN_SECONDS(60);
    config->initial_window_packets = 10;
    config->max_window_bytes = 64u << 20;
    config->interleaving = config->zero_checksum = true;
}

static bool config_valid(const struct ln_sctp_config *c)
{
    return c->packet_bytes >= LN_SCTP_PACKET_BYTES_MIN &&
           c->packet_bytes <= LN_SCTP_PACKET_BYTES_MAX && c->streams > 0 &&
           c->max_message_bytes > 0 && c->max_message_bytes <= LN_SCTP_MESSAGE_BYTES_MAX &&
           c->receive_window_first >= LN_SCTP_WINDOW_MIN &&
           c->receive_window_bytes >= LN_SCTP_WINDOW_MIN &&
           c->receive_window_bytes <= UINT32_MAX / 2 && c->send_buffer_bytes > 0 &&
           c->rto_min > 0 && c->rto_max >= c->rto_min && c->rto_initial > 0 &&
           c->rto_initial <= c->rto_max && c->initial_window_packets > 0 && c->sack_delay >= 0 &&
           c->heartbeat_interval >= 0 && c->packet_bytes_limit <= LN_SCTP_PACKET_BYTES_MAX;
}

static uint32_t random_tag(struct ln_rng *rng)
{
    uint32_t tag;

    do
        tag = ln_rng_u32(rng);
    while (tag == 0);
    return tag;
}

static void init_members(struct ln_sctp *s, const struct ln_sctp_config *config,
                         const struct ln_env *env)
{
    bool keep = !env->pool || env->pool->keep > 0;

    s->env = env;
    s->config = *config;
    s->config.packet_bytes &= ~(size_t)3;
    if (s->config.receive_window_first > s->config.receive_window_bytes)
        s->config.receive_window_first = s->config.receive_window_bytes;
    ln_list_init(&s->news);
    ln_list_init(&s->controls);
    ln_news_init(&s->connected, LN_SCTP_EVENT_CONNECTED);
    ln_news_init(&s->closed, LN_SCTP_EVENT_CLOSED);
    ln_news_init(&s->restarted, LN_SCTP_EVENT_RESTARTED);
    ln_blocks_init(&s->blocks, env->allocator, keep ? BLOCKS_KEPT_BYTES : 0);
    ln_rng_bytes(env->rng, s->cookie_key, sizeof s->cookie_key);
    s->local_tag = random_tag(env->rng);
    s->local_initial_tsn = config->initial_tsn_fixed ? config->initial_tsn : ln_rng_u32(env->rng);
    s->announced_window = s->config.receive_window_first;
    s->handshake_deadline = s->handshake_sent = LN_TIME_NEVER;
    s->data_deadline = s->heartbeat_deadline = s->paced_until = LN_TIME_NEVER;
    s->starving_since = LN_TIME_NEVER;
    s->cc_ops = config->cc ? config->cc : &ln_sctp_cc_cubic;
    s->loss_ops = config->loss ? config->loss : &ln_sctp_loss_rack;
    ln_pmtu_init(&s->pmtu, s->config.packet_bytes, config->packet_bytes_limit);
    ln_rto_init(&s->rto, config->rto_initial, config->rto_min, config->rto_max);
}

int ln_sctp_create(struct ln_sctp **ret_sctp, const struct ln_sctp_config *config,
                   const struct ln_env *env)
{
    struct ln_sctp *s;

    if (!config_valid(config))
        return LN_ERR_INVALID_ARGUMENT;
    s = ln_alloc_zero(env->allocator, sizeof *s);
    if (!s)
        return LN_ERR_NOMEM;
    init_members(s, config, env);
    ln_reset_init(s);
    if (ln_transfer_init(s, s->local_initial_tsn) != 0) {
        ln_sctp_free(s);
        return LN_ERR_NOMEM;
    }
    *ret_sctp = s;
    return 0;
}

static void free_controls(struct ln_sctp *s)
{
    while (!ln_list_empty(&s->controls)) {
        struct ln_control *control = LN_CONTAINER(s->controls.next, struct ln_control, link);

        ln_list_remove(&control->link);
        ln_blocks_put(&s->blocks, control, control->block_bytes);
    }
    s->control_count = 0;
}

void ln_sctp_free(struct ln_sctp *s)
{
    if (!s)
        return;
    ln_association_drop_events(s);
    free_controls(s);
    ln_reset_deinit(s);
    ln_transfer_deinit(s);
    ln_free(s->env->allocator, (void *)(uintptr_t)s->cookie.data);
    ln_free(s->env->allocator, s->agreed);
    ln_blocks_trim(&s->blocks);
    ln_wipe(s->cookie_key, sizeof s->cookie_key);
    ln_free(s->env->allocator, s);
}

static enum ln_sctp_state outer_state(enum ln_association_state state)
{
    switch (state) {
    case LN_ASSOCIATION_IDLE:
        return LN_SCTP_NEW;
    case LN_ASSOCIATION_COOKIE_WAIT:
    case LN_ASSOCIATION_COOKIE_ECHOED:
        return LN_SCTP_CONNECTING;
    case LN_ASSOCIATION_ESTABLISHED:
        return LN_SCTP_CONNECTED;
    case LN_ASSOCIATION_ENDED:
        return LN_SCTP_CLOSED;
    default:
        return LN_SCTP_SHUTTING_DOWN;
    }
}

enum ln_sctp_state ln_sctp_state(const struct ln_sctp *s)
{
    return outer_state(s->state);
}

void ln_association_set_state(struct ln_sctp *s, ln_time now, enum ln_association_state state)
{
    if (s->state == state)
        return;
    assert(s->state != LN_ASSOCIATION_ENDED);
    ln_trace_emit(s->env->trace, now, LN_TRACE_SCTP_STATE, s->config.trace_object, s->state, state,
                  s->close_error, 0);
    if (state == LN_ASSOCIATION_ESTABLISHED) {
        ln_news_tell(&s->news, &s->connected);
        if (s->config.heartbeat_interval > 0)
            s->heartbeat_deadline = ln_time_add(now, s->config.heartbeat_interval);
    }
    if (state > LN_ASSOCIATION_ESTABLISHED)
        ln_send_queue_cut(&s->queue, NULL); /* nobody can finish it any more */
    if (state == LN_ASSOCIATION_ENDED) {
        ln_reassembly_restart(&s->reassembly);
        ln_news_tell(&s->news, &s->closed);
    }
    s->state = state;
}

void ln_association_end(struct ln_sctp *s, ln_time now, int error, uint16_t cause)
{
    if (s->state == LN_ASSOCIATION_ENDED)
        return;
    s->close_error = error;
    s->close_cause = cause;
    ln_reset_fail_all(s, LN_ERR_CLOSED);
    ln_association_set_state(s, now, LN_ASSOCIATION_ENDED);
    s->handshake_deadline = s->data_deadline = s->heartbeat_deadline = LN_TIME_NEVER;
    s->received.delay_until = s->paced_until = s->pmtu.deadline = LN_TIME_NEVER;
    s->starving_since = LN_TIME_NEVER;
    s->pmtu.due = false;
    s->init_due = s->cookie_echo_due = s->cookie_ack_due = s->heartbeat_due = false;
    s->shutdown_due = s->shutdown_ack_due = s->forward_due = s->received.due = false;
}

void ln_association_abort(struct ln_sctp *s, ln_time now, int error, uint16_t cause)
{
    if (s->state == LN_ASSOCIATION_ENDED)
        return;
    free_controls(s);
    if (s->peer_known)
        ln_output_abort(s, s->peer_tag, false, cause);
    ln_association_end(s, now, error, 0);
}

void ln_association_count_error(struct ln_sctp *s, ln_time now)
{
    s->error_count++;
    if (s->config.max_retransmits > 0 && s->error_count > s->config.max_retransmits)
        ln_association_abort(s, now, LN_ERR_TIMEOUT, LN_CAUSE_USER_ABORT);
}

size_t ln_association_fragment_bytes(const struct ln_sctp *s)
{
    return s->config.packet_bytes - LN_SCTP_HEADER_BYTES - ln_association_data_head(s);
}

void ln_association_continue_shutdown(struct ln_sctp *s, ln_time now)
{
    if (s->queue.queued_bytes > 0 || !ln_outstanding_empty(&s->outstanding))
        return;
    if (s->state == LN_ASSOCIATION_SHUTDOWN_PENDING) {
        ln_association_set_state(s, now, LN_ASSOCIATION_SHUTDOWN_SENT);
        s->shutdown_due = true;
    } else if (s->state == LN_ASSOCIATION_SHUTDOWN_RECEIVED) {
        ln_association_set_state(s, now, LN_ASSOCIATION_SHUTDOWN_ACK_SENT);
        s->shutdown_ack_due = true;
    } else {
        return;
    }
    s->handshake_retransmits = 0;
    s->handshake_deadline = ln_time_add(now, s->rto.value);
    s->heartbeat_deadline = LN_TIME_NEVER;
}

/* Timers. */

static void heartbeat_timeout(struct ln_sctp *s, ln_time now)
{
    bool idle = ln_outstanding_empty(&s->outstanding);

    if (s->heartbeat_waiting)
        ln_association_count_error(s, now);
    if (s->state == LN_ASSOCIATION_ENDED)
        return;
    s->heartbeat_deadline = ln_time_add(now, s->config.heartbeat_interval);
    if (!idle)
        return;
    ln_blocks_trim(&s->blocks);
    ln_outstanding_trim(&s->outstanding);
    s->heartbeat_due = true;
}

void ln_sctp_on_timeout(struct ln_sctp *s, ln_time now)
{
    s->want_now = false;
    ln_send_queue_stamp(&s->queue, now);
    ln_association_continue_shutdown(s, now);
    if (ln_time_due(s->handshake_deadline, now))
        ln_handshake_timeout(s, now);
    if (ln_time_due(s->data_deadline, now))
        ln_transfer_timeout(s, now);
    if (ln_time_due(ln_transfer_loss_deadline(s), now))
        ln_transfer_loss_timeout(s, now);
    if (ln_time_due(ln_streaming_deadline(s), now))
        ln_streaming_timeout(s);
    if (ln_time_due(s->paced_until, now))
        s->paced_until = LN_TIME_NEVER; /* poll_transmit() comes next */
    if (ln_time_due(s->pmtu.deadline, now))
        ln_pmtu_timeout(&s->pmtu, now);
    if (ln_time_due(s->reset.deadline, now))
        ln_reset_timeout(s, now);
    if (ln_time_due(s->heartbeat_deadline, now))
        heartbeat_timeout(s, now);
    if (ln_time_due(s->received.delay_until, now)) {
        s->received.due = true;
        s->received.delay_until = LN_TIME_NEVER;
    }
}

ln_time ln_sctp_next_timeout(const struct ln_sctp *s)
{
    ln_time t = ln_time_min(s->handshake_deadline, s->data_deadline);

    if (s->want_now)
        return LN_TIME_IMMEDIATE;
    t = ln_time_min(t, s->reset.deadline);
    t = ln_time_min(t, s->heartbeat_deadline);
    t = ln_time_min(t, s->pmtu.deadline);
    if (!s->received.due)
        t = ln_time_min(t, s->received.delay_until);
    t = ln_time_min(t, ln_transfer_loss_deadline(s));
    t = ln_time_min(t, ln_streaming_deadline(s));
    return ln_time_min(t, s->paced_until);
}

/* The owner's calls. */

void ln_sctp_start(struct ln_sctp *s, ln_time now)
{
    if (s->state == LN_ASSOCIATION_IDLE)
        ln_handshake_start(s, now);
}

int ln_association_sendable_stream(struct ln_sctp *s, uint16_t id,
                                   struct ln_out_stream **ret_stream)
{
    struct ln_out_stream *stream;

    if (s->state == LN_ASSOCIATION_ENDED)
        return LN_ERR_CLOSED;
    if (s->state > LN_ASSOCIATION_ESTABLISHED)
        return LN_ERR_INVALID_STATE;
    if (id >= (s->peer_known ? s->outgoing_streams : s->config.streams))
        return LN_ERR_RANGE;
    stream = ln_send_queue_make_stream(&s->queue, id);
    if (!stream)
        return LN_ERR_NOMEM;
    if (stream->reset != LN_STREAM_OPEN)
        return LN_ERR_INVALID_STATE;
    *ret_stream = stream;
    return 0;
}

int ln_sctp_send(struct ln_sctp *s, uint16_t stream_id, uint32_t ppid, const uint8_t *data,
                 size_t len, const struct ln_sctp_send_options *options)
{
    static const struct ln_sctp_send_options reliable = LN_SCTP_RELIABLE;
    struct ln_out_stream *stream;
    int error;

    if (len == 0 || len > UINT32_MAX / 2)
        return LN_ERR_INVALID_ARGUMENT;
    error = ln_association_sendable_stream(s, stream_id, &stream);
    if (error)
        return error;
    if (len > ln_send_queue_room_for_whole(&s->queue))
        return LN_ERR_LIMIT;
    error = ln_send_queue_push(&s->queue, stream, ppid, data, len, options ? options : &reliable);
    if (error == 0)
        s->want_now = true;
    return error;
}

size_t ln_sctp_buffered_amount(const struct ln_sctp *s, uint16_t stream_id)
{
    const struct ln_out_stream *stream = ln_send_queue_stream(&s->queue, stream_id);

    return stream ? stream->buffered : 0;
}

int ln_sctp_set_buffered_low(struct ln_sctp *s, uint16_t stream_id, size_t threshold)
{
    struct ln_out_stream *stream = ln_send_queue_make_stream(&s->queue, stream_id);

    if (!stream)
        return LN_ERR_NOMEM;
    stream->low_threshold = threshold;
    return 0;
}

int ln_sctp_set_priority(struct ln_sctp *s, uint16_t stream_id, uint16_t priority)
{
    struct ln_out_stream *stream = ln_send_queue_make_stream(&s->queue, stream_id);

    if (!stream)
        return LN_ERR_NOMEM;
    stream->schedule.priority = priority;
    return 0;
}

int ln_sctp_reset_stream(struct ln_sctp *s, uint16_t stream)
{
    int error;

    if (s->state == LN_ASSOCIATION_ENDED)
        return LN_ERR_CLOSED;
    error = ln_reset_want(s, stream);
    if (error == 0)
        s->want_now = true;
    return error;
}

void ln_sctp_discard(struct ln_sctp *s, uint16_t stream_id)
{
    struct ln_out_stream *stream = ln_send_queue_stream(&s->queue, stream_id);

    if (!stream)
        return;
    ln_send_queue_cut(&s->queue, stream);
    ln_send_queue_discard(&s->queue, stream);
}

void ln_sctp_shutdown(struct ln_sctp *s)
{
    if (s->state < LN_ASSOCIATION_ESTABLISHED)
        ln_association_end(s, 0, 0, 0);
    else if (s->state == LN_ASSOCIATION_ESTABLISHED)
        ln_association_set_state(s, 0, LN_ASSOCIATION_SHUTDOWN_PENDING);
    s->want_now = s->state != LN_ASSOCIATION_ENDED;
}

void ln_sctp_abort(struct ln_sctp *s)
{
    if (s->state == LN_ASSOCIATION_ENDED)
        return;
    ln_association_abort(s, 0, LN_ERR_ABORT, LN_CAUSE_USER_ABORT);
    s->want_now = s->control_count > 0;
}

void ln_sctp_stats(const struct ln_sctp *s, struct ln_sctp_stats *ret_stats)
{
    *ret_stats = s->stats;
    ret_stats->messages_abandoned = s->queue.abandoned;
    ret_stats->messages_received = s->reassembly.messages;
    ret_stats->dropped_malformed += s->reassembly.dropped_malformed;
    ret_stats->smoothed_rtt = s->rto.smoothed;
    ret_stats->rto = s->rto.value;
    ret_stats->congestion_window = s->cc_ops->window(s->cc);
    ret_stats->receive_window_limit = s->reassembly.limit_bytes;
    ret_stats->packet_bytes = s->config.packet_bytes;
    ret_stats->in_flight_bytes = s->outstanding.in_flight_bytes;
    ret_stats->peer_window_bytes = s->peer_window;
    ret_stats->send_buffered_bytes = s->queue.held_bytes;
    ret_stats->receive_buffered_bytes = s->reassembly.used_bytes;
    ret_stats->congestion_control = s->cc_ops->name;
    ret_stats->outgoing_streams = s->outgoing_streams;
    ret_stats->incoming_streams = s->incoming_streams;
    ret_stats->peer_partial_reliability = s->peer_partial_reliability;
    ret_stats->peer_reset = s->peer_reset;
    ret_stats->interleaving = s->queue.interleaving;
    ret_stats->zero_checksum_sent = s->zero_checksum;
    ret_stats->snap = s->snap;
}

bool ln_sctp_may_fragment(const struct ln_sctp *s)
{
    return s->oversized;
}

void ln_sctp_path_changed(struct ln_sctp *s, ln_time now)
{
    s->outstanding.min_rtt = 0;
    if (ln_pmtu_fall_back(&s->pmtu, now))
        ln_sctp_set_packet_bytes(s, s->pmtu.best);
}

void ln_sctp_set_packet_bytes(struct ln_sctp *s, size_t bytes)
{
    if (bytes < LN_SCTP_PACKET_BYTES_MIN)
        bytes = LN_SCTP_PACKET_BYTES_MIN;
    if (bytes > LN_SCTP_PACKET_BYTES_MAX)
        bytes = LN_SCTP_PACKET_BYTES_MAX;
    s->config.packet_bytes = bytes & ~(size_t)3;
    s->cc_ops->set_packet_bytes(s->cc, ln_association_fragment_bytes(s));
}
