/* SPDX-License-Identifier: Apache-2.0
 * Setting up: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK; collisions and restart. RFC 9260, 5.
 *
 * An INIT leaves nothing behind but the cookie that travels. Until there is a peer, every INIT ACK
 * carries the tag and the initial TSN that our own INIT carries, so that simultaneous INITs come to
 * one association whichever cookie returns first. */
#include "sctp/association.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"
#include "sctp/tsn.h"

#include <string.h>

/* DTLS has just shown that the path works: a lost INIT or COOKIE ECHO is tried again soon. */
#define RETRY_MAX LN_MILLISECONDS(500)
/* So many; then without the parameters that some (Pion 3.1) do not know and throw away whole. */
#define FULL_INITS 2u
#define COOKIE_MAX 1000u /* of the peer's; it must fit one packet */

void ln_handshake_start(struct ln_sctp *s, ln_time now)
{
    if (ln_snap_start(s, now))
        return;
    ln_association_set_state(s, now, LN_ASSOCIATION_COOKIE_WAIT);
    s->init_due = true;
    s->handshake_retransmits = 0;
    s->handshake_sent = now;
    s->handshake_deadline = ln_time_add(now, s->rto.value);
}

void ln_handshake_write_init(struct ln_sctp *s, struct ln_writer *w)
{
    struct ln_sctp_init init;

    memset(&init, 0, sizeof init);
    init.tag = s->local_tag;
    init.window = (uint32_t)ln_reassembly_window(&s->reassembly);
    init.outgoing = init.incoming = s->config.streams;
    init.tsn = s->local_initial_tsn;
    init.interleaving = s->config.interleaving && !s->bare_init;
    init.zero_checksum = s->config.zero_checksum && !s->bare_init;
    s->zero_accepted = init.zero_checksum;
    ln_sctp_init_write(w, LN_CHUNK_INIT, &init);
}

/* A bare INIT begins an association of its own, with another tag: of those before it the peer may
 * have answered one that we did not hear, and it would go on in words that we do not offer now. */
static void go_bare(struct ln_sctp *s)
{
    uint32_t before = s->local_tag;

    s->bare_init = true;
    do
        s->local_tag = ln_rng_u32(s->env->rng);
    while (s->local_tag == 0 || s->local_tag == before);
}

bool ln_handshake_try_bare(struct ln_sctp *s, ln_time now)
{
    if (s->state != LN_ASSOCIATION_COOKIE_WAIT || s->bare_init)
        return false;
    go_bare(s);
    s->init_due = true;
    s->handshake_deadline = ln_time_add(now, s->rto.value);
    return true;
}

static bool retry(struct ln_sctp *s, ln_time now)
{
    s->handshake_retransmits++;
    if (s->config.max_init_retransmits > 0 &&
        s->handshake_retransmits > s->config.max_init_retransmits) {
        ln_association_abort(s, now, LN_ERR_TIMEOUT, LN_CAUSE_USER_ABORT);
        return false;
    }
    ln_rto_back_off(&s->rto);
    if (s->rto.value > RETRY_MAX)
        s->rto.value = RETRY_MAX;
    s->handshake_sent = LN_TIME_NEVER;
    s->handshake_deadline = ln_time_add(now, s->rto.value);
    return true;
}

void ln_handshake_timeout(struct ln_sctp *s, ln_time now)
{
    if (!retry(s, now))
        return;
    switch (s->state) {
    case LN_ASSOCIATION_COOKIE_WAIT:
        s->init_due = true;
        if (s->handshake_retransmits >= FULL_INITS && !s->bare_init)
            go_bare(s);
        break;
    case LN_ASSOCIATION_COOKIE_ECHOED:
        s->cookie_echo_due = true;
        ln_outstanding_lose_all(&s->outstanding); /* went with the cookie, and goes again */
        break;
    case LN_ASSOCIATION_SHUTDOWN_SENT:
        s->shutdown_due = true;
        break;
    case LN_ASSOCIATION_SHUTDOWN_ACK_SENT:
        s->shutdown_ack_due = true;
        break;
    default:
        s->handshake_deadline = LN_TIME_NEVER;
        break;
    }
}

static uint16_t least(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

/* Messages on streams that were not granted are dropped, and the owner is told. */
static void drop_streams_beyond(struct ln_sctp *s, uint16_t granted)
{
    for (size_t i = granted; i < s->queue.stream_capacity; i++) {
        struct ln_out_stream *stream = s->queue.streams[i];

        if (!stream)
            continue;
        ln_send_queue_discard(&s->queue, stream);
        stream->reset_error = LN_ERR_RANGE;
        ln_news_tell(&s->news, &stream->reset_done);
    }
}

static void adopt_peer(struct ln_sctp *s, const struct ln_cookie *peer)
{
    s->peer_known = true;
    s->peer_tag = peer->peer_tag;
    s->outgoing_streams = least(s->config.streams, peer->incoming);
    s->incoming_streams = least(s->config.streams, peer->outgoing);
    s->peer_partial_reliability = peer->partial_reliability;
    s->peer_reset = peer->reset;
    s->zero_checksum = peer->zero_checksum && s->config.zero_checksum;
    s->zero_accepted = s->zero_accepted || s->zero_checksum; /* our INIT ACK echoed the word */
    ln_transfer_set_interleaving(s, peer->interleaving);
    s->peer_window = peer->peer_window;
    s->queue.unfinished_limit = s->peer_window / 2;
    ln_transfer_begin_receiving(s, peer->peer_tsn);
    ln_reset_begin(s, s->local_initial_tsn, peer->peer_tsn);
    drop_streams_beyond(s, s->outgoing_streams);
}

static void forget_cookie(struct ln_sctp *s)
{
    ln_free(s->env->allocator, (void *)(uintptr_t)s->cookie.data);
    s->cookie = (struct ln_bytes){ NULL, 0 };
    s->cookie_echo_due = false;
}

static void become_established(struct ln_sctp *s, ln_time now)
{
    if (s->handshake_sent != LN_TIME_NEVER && now > s->handshake_sent)
        ln_rto_measure(&s->rto, now - s->handshake_sent);
    else
        ln_rto_recover(&s->rto);
    s->handshake_sent = LN_TIME_NEVER;
    s->handshake_deadline = LN_TIME_NEVER;
    s->handshake_retransmits = 0;
    s->error_count = 0;
    s->init_due = false;
    forget_cookie(s);
    ln_association_set_state(s, now, LN_ASSOCIATION_ESTABLISHED);
    if (!ln_outstanding_empty(&s->outstanding))
        s->data_deadline = ln_time_add(now, s->rto.value);
}

void ln_handshake_agree(struct ln_sctp *s, ln_time now, const struct ln_cookie *peer)
{
    adopt_peer(s, peer);
    become_established(s, now);
}

void ln_handshake_describe(const struct ln_sctp *s, const struct ln_sctp_init *init,
                           struct ln_cookie *ret_peer)
{
    memset(ret_peer, 0, sizeof *ret_peer);
    ret_peer->peer_tag = init->tag;
    ret_peer->peer_tsn = init->tsn;
    ret_peer->peer_window = init->window;
    ret_peer->outgoing = init->outgoing;
    ret_peer->incoming = init->incoming;
    ret_peer->partial_reliability = init->partial_reliability;
    ret_peer->reset = init->reset;
    ret_peer->interleaving = init->interleaving && s->config.interleaving && !s->bare_init;
    ret_peer->zero_checksum = init->zero_checksum;
}

static void send_init_ack(struct ln_sctp *s, const struct ln_sctp_init *peer,
                          const struct ln_cookie *cookie)
{
    uint8_t bytes[LN_COOKIE_BYTES];
    struct ln_control *control = ln_output_control(s, 256 + sizeof peer->unrecognized);
    struct ln_sctp_init init = *peer;
    struct ln_writer w;

    if (!control)
        return;
    ln_cookie_write(cookie, s->cookie_key, bytes);
    init.tag = cookie->local_tag;
    init.window = (uint32_t)ln_reassembly_window(&s->reassembly);
    init.outgoing = least(s->config.streams, peer->incoming);
    init.incoming = s->config.streams;
    init.tsn = cookie->local_tsn;
    init.interleaving = cookie->interleaving;
    init.zero_checksum = s->config.zero_checksum && cookie->zero_checksum; /* it knows the word */
    init.cookie = (struct ln_bytes){ bytes, sizeof bytes };
    ln_writer_init(&w, control->data, control->len);
    ln_sctp_packet_begin(&w, s->config.local_port, s->config.remote_port, peer->tag);
    ln_sctp_init_write(&w, LN_CHUNK_INIT_ACK, &init);
    ln_sctp_packet_finish(&w);
    control->len = w.len;
}

/* RFC 9260, 5.2.1 and 5.2.2. */
static void choose_tags(struct ln_sctp *s, struct ln_cookie *cookie)
{
    cookie->local_tag = s->local_tag;
    cookie->local_tsn = s->local_initial_tsn;
    if (s->state <= LN_ASSOCIATION_COOKIE_WAIT || s->unheard)
        return;
    cookie->local_tie_tag = s->local_tag;
    cookie->peer_tie_tag = s->peer_tag;
    if (s->state == LN_ASSOCIATION_COOKIE_ECHOED)
        return;
    do
        cookie->local_tag = ln_rng_u32(s->env->rng);
    while (cookie->local_tag == 0 || cookie->local_tag == s->local_tag);
    cookie->local_tsn = ln_rng_u32(s->env->rng);
}

void ln_handshake_on_init(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    struct ln_sctp_init init;
    struct ln_cookie cookie;

    if (ln_sctp_init_read(chunk->value, &init) != 0 || init.tag == 0) {
        s->stats.dropped_malformed++;
        return;
    }
    if (init.outgoing == 0 || init.incoming == 0) {
        s->stats.dropped_malformed++;
        ln_output_abort(s, init.tag, false, LN_CAUSE_INVALID_PARAMETER);
        return;
    }
    if (s->state == LN_ASSOCIATION_SHUTDOWN_ACK_SENT) {
        s->shutdown_ack_due = true; /* RFC 9260, 9.2 */
        return;
    }
    ln_handshake_describe(s, &init, &cookie);
    cookie.zero_checksum = init.zero_checksum && !s->bare_init;
    cookie.created = now;
    choose_tags(s, &cookie);
    send_init_ack(s, &init, &cookie);
}

void ln_handshake_on_init_ack(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk)
{
    struct ln_sctp_init init;
    struct ln_cookie peer;

    if (ln_sctp_init_read(chunk->value, &init) != 0 || init.tag == 0) {
        s->stats.dropped_malformed++;
        return;
    }
    if (init.outgoing == 0 || init.incoming == 0 || init.cookie.len == 0 ||
        init.cookie.len > COOKIE_MAX || init.cookie.len + 16 > s->config.packet_bytes) {
        s->stats.dropped_malformed++;
        s->peer_known = true;
        s->peer_tag = init.tag;
        ln_association_abort(s, now, LN_ERR_MALFORMED,
                             init.cookie.len == 0 ? LN_CAUSE_MISSING_PARAMETER
                                                  : LN_CAUSE_INVALID_PARAMETER);
        return;
    }
    void *copy = ln_alloc_copy(s->env->allocator, init.cookie.data, init.cookie.len);

    if (!copy) {
        s->stats.dropped_memory++;
        return; /* the INIT will be sent again */
    }
    forget_cookie(s);
    s->cookie = (struct ln_bytes){ copy, init.cookie.len };
    ln_handshake_describe(s, &init, &peer);
    adopt_peer(s, &peer);
    if (s->handshake_sent != LN_TIME_NEVER && now > s->handshake_sent)
        ln_rto_measure(&s->rto, now - s->handshake_sent);
    s->init_due = false;
    s->cookie_echo_due = true;
    s->handshake_retransmits = 0;
    s->handshake_sent = now;
    s->handshake_deadline = ln_time_add(now, s->rto.value);
    ln_association_set_state(s, now, LN_ASSOCIATION_COOKIE_ECHOED);
}

enum cookie_action { RESTART, COLLISION, LATE, DUPLICATE, DISCARD, FIRST };

/* RFC 9260, table 12. */
static enum cookie_action judge(const struct ln_sctp *s, const struct ln_cookie *cookie)
{
    bool local = cookie->local_tag == s->local_tag;
    bool peer = s->peer_known && cookie->peer_tag == s->peer_tag;

    if (s->state == LN_ASSOCIATION_IDLE)
        return local ? FIRST : DISCARD;
    if (local)
        return peer ? DUPLICATE : COLLISION;
    if (peer)
        return cookie->local_tie_tag == 0 && cookie->peer_tie_tag == 0 ? LATE : DISCARD;
    if (cookie->local_tie_tag == s->local_tag && s->peer_known &&
        cookie->peer_tie_tag == s->peer_tag)
        return RESTART;
    return DISCARD;
}

static void restart(struct ln_sctp *s, ln_time now, const struct ln_cookie *cookie)
{
    s->local_tag = cookie->local_tag;
    s->local_initial_tsn = cookie->local_tsn;
    ln_transfer_restart(s, now, cookie->local_tsn);
    ln_reset_fail_all(s, LN_ERR_RESET);
    adopt_peer(s, cookie);
    ln_news_tell(&s->news, &s->restarted);
    s->heartbeat_waiting = s->heartbeat_due = false;
    s->cookie_ack_due = true;
    s->shutdown_due = s->shutdown_ack_due = false;
    become_established(s, now);
}

static void report_stale(struct ln_sctp *s, uint32_t tag, ln_duration by)
{
    uint8_t info[4];
    uint32_t peer_tag = s->peer_tag;

    /* Measure of staleness in microseconds. */
    ln_store32(info, by / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(by / 1000));
    s->peer_tag = tag;
    ln_output_error(s, LN_CAUSE_STALE_COOKIE, (struct ln_bytes){ info, sizeof info });
    s->peer_tag = peer_tag;
}

/* Returns false unless the cookie is authentic, of this packet's tag, and not stale. */
static bool accept_cookie(struct ln_sctp *s, ln_time now, uint32_t tag, struct ln_bytes bytes,
                          struct ln_cookie *ret_cookie)
{
    ln_duration age;

    if (ln_cookie_read(bytes, s->cookie_key, ret_cookie) != 0 || ret_cookie->local_tag != tag) {
        s->stats.dropped_cookie++;
        return false;
    }
    age = now - ret_cookie->created;
    if (age > s->config.cookie_lifetime &&
        !(s->peer_known && ret_cookie->local_tag == s->local_tag &&
          ret_cookie->peer_tag == s->peer_tag)) {
        s->stats.dropped_cookie++;
        report_stale(s, ret_cookie->peer_tag, age - s->config.cookie_lifetime);
        return false;
    }
    return true;
}

/* We began with what the descriptions said, the peer with a handshake after all. Nothing of ours
 * was taken by it before its cookie came; what is on its way goes again. Returns false if that
 * cannot be told in the words of this cookie. */
static bool meet_unheard(struct ln_sctp *s, const struct ln_cookie *cookie)
{
    if (cookie->local_tag != s->local_tag || cookie->interleaving != s->queue.interleaving)
        return false;
    s->unheard = false;
    ln_outstanding_lose_all(&s->outstanding);
    return true;
}

bool ln_handshake_on_cookie_echo(struct ln_sctp *s, ln_time now, uint32_t tag,
                                 const struct ln_chunk *chunk)
{
    struct ln_cookie cookie;

    if (!accept_cookie(s, now, tag, chunk->value, &cookie))
        return false;
    if (s->unheard && !meet_unheard(s, &cookie)) {
        s->stats.dropped_cookie++;
        return false;
    }
    switch (judge(s, &cookie)) {
    case RESTART:
        if (s->state == LN_ASSOCIATION_SHUTDOWN_ACK_SENT) {
            s->shutdown_ack_due = true;
            ln_output_error(s, LN_CAUSE_COOKIE_IN_SHUTDOWN, (struct ln_bytes){ NULL, 0 });
            return false;
        }
        restart(s, now, &cookie);
        return true;
    case FIRST:
    case COLLISION:
        if (s->state > LN_ASSOCIATION_ESTABLISHED) {
            s->stats.dropped_cookie++;
            return false;
        }
        adopt_peer(s, &cookie);
        break;
    case DUPLICATE:
        if (s->state > LN_ASSOCIATION_ESTABLISHED)
            return true;
        break;
    default:
        s->stats.dropped_cookie++;
        return false;
    }
    s->cookie_ack_due = true;
    if (s->state != LN_ASSOCIATION_ESTABLISHED)
        become_established(s, now);
    return true;
}

void ln_handshake_on_cookie_ack(struct ln_sctp *s, ln_time now)
{
    become_established(s, now);
}

/* The peer let our cookie grow old: begin again (RFC 9260, 5.2.6, first alternative). */
void ln_handshake_on_stale_cookie(struct ln_sctp *s, ln_time now)
{
    if (s->state != LN_ASSOCIATION_COOKIE_ECHOED || !retry(s, now))
        return;
    forget_cookie(s);
    ln_outstanding_lose_all(&s->outstanding);
    ln_association_set_state(s, now, LN_ASSOCIATION_COOKIE_WAIT);
    s->init_due = true;
}
