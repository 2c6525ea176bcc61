/* SPDX-License-Identifier: Apache-2.0
 * The probes of prober.h (RFC 8489, 6; RFC 5780, 4 and 7). */
#include "stun/prober.h"

#include "base/address.h"
#include "base/time.h"

#include <linnet/error.h>

#include <string.h>

/* Comprehension-optional and assigned to nobody: every server ignores it. */
#define FILLER 0xFFFEu

enum socket_state { SOCKET_UNUSED, SOCKET_WANTED, SOCKET_ASKED, SOCKET_OPEN, SOCKET_FAILED };

void ln_stun_prober_init(struct ln_stun_prober *p, const struct ln_env *env,
                         const struct ln_address *local)
{
    memset(p, 0, sizeof *p);
    p->env = env;
    p->local = *local;
    p->local.port = 0;
}

bool ln_stun_probe_over(const struct ln_stun_probe *probe)
{
    return probe->state > LN_STUN_PROBE_RUNNING;
}

void ln_stun_probe_give_up(struct ln_stun_probe *probe)
{
    if (ln_stun_probe_over(probe))
        return;
    ln_stun_transaction_cancel(&probe->transaction);
    probe->state = LN_STUN_PROBE_TIMED_OUT;
}

static void begin(struct ln_stun_prober *p, struct ln_stun_probe *probe, ln_time now)
{
    const struct ln_stun_prober_socket *socket = &p->sockets[probe->socket];

    if (socket->state == SOCKET_OPEN) {
        probe->state = LN_STUN_PROBE_RUNNING;
        ln_stun_transaction_begin(&probe->transaction, probe->timing, p->env->rng, now);
    } else if (socket->state == SOCKET_FAILED) {
        probe->state = LN_STUN_PROBE_UNREACHABLE;
        probe->error = socket->error;
    }
}

struct ln_stun_probe *ln_stun_prober_ask(struct ln_stun_prober *p, ln_time now,
                                         const struct ln_stun_probe *probe)
{
    struct ln_stun_prober_socket *socket = &p->sockets[probe->socket];
    struct ln_stun_probe *kept;

    if (p->probe_count == LN_STUN_PROBES_MAX)
        return NULL;
    kept = &p->probes[p->probe_count++];
    *kept = *probe;
    kept->state = LN_STUN_PROBE_WAITING;
    if (socket->state == SOCKET_UNUSED)
        socket->state = SOCKET_WANTED;
    begin(p, kept, now);
    return kept;
}

/* --- in ------------------------------------------------------------------------------------ */

static int socket_of(const struct ln_stun_prober *p, ln_link link)
{
    for (int i = 0; i < (int)LN_STUN_PROBE_SOCKETS_MAX; i++)
        if (p->sockets[i].state == SOCKET_OPEN && p->sockets[i].link == link)
            return i;
    return -1;
}

static struct ln_stun_probe *probe_of(struct ln_stun_prober *p, const struct ln_stun_id *id)
{
    for (size_t i = 0; i < p->probe_count; i++)
        if (p->probes[i].state == LN_STUN_PROBE_RUNNING &&
            ln_stun_id_equal(&p->probes[i].transaction.id, id))
            return &p->probes[i];
    return NULL;
}

void ln_stun_prober_receive(struct ln_stun_prober *p, ln_time now, const struct ln_packet *packet)
{
    int socket = socket_of(p, packet->path.link);
    struct ln_stun_message message;
    struct ln_stun_probe *probe;
    struct ln_bytes reason;

    if (socket < 0 || ln_stun_parse(packet->data, packet->len, &message) != 0 ||
        message.method != LN_STUN_BINDING || !(probe = probe_of(p, &message.id)))
        return;
    if (message.kind == LN_STUN_REQUEST) { /* one of our own has come back to us */
        p->sockets[socket].asked_from_inside = true;
        ln_stun_probe_give_up(probe);
        return;
    }
    if (message.kind == LN_STUN_INDICATION ||
        !ln_stun_transaction_answer(&probe->transaction, &message.id, now, &probe->rtt))
        return;
    probe->answered_on = (uint8_t)socket;
    probe->from = packet->path.remote;
    probe->state = message.kind == LN_STUN_SUCCESS ? LN_STUN_PROBE_ANSWERED : LN_STUN_PROBE_REFUSED;
    (void)ln_stun_find_error(&message, &probe->code, &reason);
    (void)ln_stun_find_mapped(&message, &probe->mapped);
    (void)ln_stun_find_address(&message, LN_STUN_OTHER_ADDRESS, &probe->other);
}

static void open_or_fail(struct ln_stun_prober *p, struct ln_stun_prober_socket *socket,
                         const struct ln_answer *answer, ln_time now)
{
    if (answer->kind == LN_ANSWER_OPENED) {
        socket->state = SOCKET_OPEN;
        socket->link = answer->link;
        socket->local = answer->local;
    } else {
        socket->state = SOCKET_FAILED;
        socket->error = answer->error;
    }
    for (size_t i = 0; i < p->probe_count; i++)
        if (p->probes[i].state == LN_STUN_PROBE_WAITING &&
            &p->sockets[p->probes[i].socket] == socket)
            begin(p, &p->probes[i], now);
}

/* What the system could not send is told once; ICMP may also mean one lost packet among several, so
 * that only a request without an answer ends by it. */
static void send_failed(struct ln_stun_prober *p, const struct ln_answer *answer)
{
    int socket = socket_of(p, answer->path.link);

    for (size_t i = 0; socket >= 0 && i < p->probe_count; i++) {
        struct ln_stun_probe *probe = &p->probes[i];

        if (probe->state != LN_STUN_PROBE_RUNNING || probe->socket != socket ||
            probe->transaction.sent == 0 || !ln_address_equal(&probe->to, &answer->path.remote))
            continue;
        probe->error = answer->error;
        if (p->sockets[socket].dont_fragment)
            continue; /* one of several sizes was too large; the others have their own fate */
        ln_stun_transaction_cancel(&probe->transaction);
        probe->state = LN_STUN_PROBE_UNREACHABLE;
    }
}

void ln_stun_prober_answer(struct ln_stun_prober *p, ln_time now, const struct ln_answer *answer)
{
    switch (answer->kind) {
    case LN_ANSWER_OPENED:
    case LN_ANSWER_FAILED:
        if (answer->id < LN_STUN_PROBE_SOCKETS_MAX && p->sockets[answer->id].state == SOCKET_ASKED)
            open_or_fail(p, &p->sockets[answer->id], answer, now);
        break;
    case LN_ANSWER_SEND_FAILED:
        send_failed(p, answer);
        break;
    default:
        break;
    }
}

/* --- time ---------------------------------------------------------------------------------- */

void ln_stun_prober_on_timeout(struct ln_stun_prober *p, ln_time now)
{
    for (size_t i = 0; i < p->probe_count; i++) {
        struct ln_stun_probe *probe = &p->probes[i];

        if (probe->state != LN_STUN_PROBE_RUNNING)
            continue;
        ln_stun_transaction_on_timeout(&probe->transaction, now);
        if (probe->transaction.state == LN_STUN_TIMED_OUT)
            probe->state = LN_STUN_PROBE_TIMED_OUT;
    }
}

ln_time ln_stun_prober_next_timeout(const struct ln_stun_prober *p)
{
    ln_time next = LN_TIME_NEVER;

    for (size_t i = 0; i < p->probe_count; i++)
        if (p->probes[i].state == LN_STUN_PROBE_RUNNING)
            next = ln_time_min(next, ln_stun_transaction_next_timeout(&p->probes[i].transaction));
    return next;
}

/* --- out ----------------------------------------------------------------------------------- */

static int write_request(const struct ln_stun_probe *probe, struct ln_transmit *out)
{
    static const uint8_t zeros[LN_STUN_PROBE_BYTES_MAX];
    struct ln_stun_builder b;
    size_t head = 4 + 8; /* of the filler, and FINGERPRINT */

    ln_stun_begin(&b, out->data, out->cap, LN_STUN_REQUEST, LN_STUN_BINDING,
                  &probe->transaction.id);
    if (probe->change_ip || probe->change_port) /* RFC 5780, 7.2 */
        ln_stun_add_u32(&b, LN_STUN_CHANGE_REQUEST,
                        (probe->change_ip ? 4u : 0u) | (probe->change_port ? 2u : 0u));
    if (probe->response_port != 0)
        ln_stun_add_u32(&b, LN_STUN_RESPONSE_PORT, (uint32_t)probe->response_port << 16);
    if (probe->bytes > LN_STUN_HEADER_LEN + head && probe->bytes <= LN_STUN_PROBE_BYTES_MAX)
        ln_stun_add(&b, FILLER, zeros, probe->bytes - LN_STUN_HEADER_LEN - head);
    ln_stun_add_fingerprint(&b);
    return ln_stun_finish(&b);
}

int ln_stun_prober_poll_transmit(struct ln_stun_prober *p, ln_time now, struct ln_transmit *out)
{
    for (size_t i = 0; i < p->probe_count; i++) {
        struct ln_stun_probe *probe = &p->probes[i];
        const struct ln_stun_prober_socket *socket = &p->sockets[probe->socket];
        int len;

        if (probe->state != LN_STUN_PROBE_RUNNING || !probe->transaction.due)
            continue;
        ln_transmit_begin(out);
        len = write_request(probe, out);
        if (len < 0)
            return len;
        (void)ln_stun_transaction_take(&probe->transaction, now);
        out->len = (size_t)len;
        out->path = (struct ln_path){ socket->link, socket->local, probe->to };
        return 1;
    }
    return 0;
}

int ln_stun_prober_poll_request(struct ln_stun_prober *p, struct ln_request *ret_request)
{
    for (size_t i = 0; i < LN_STUN_PROBE_SOCKETS_MAX; i++) {
        struct ln_stun_prober_socket *socket = &p->sockets[i];

        if (socket->state != SOCKET_WANTED)
            continue;
        socket->state = SOCKET_ASKED;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                            .id = (uint32_t)i,
                                            .local = p->local,
                                            .whole_above = socket->dont_fragment ? 1 : 0 };
        return 1;
    }
    return 0;
}
