/* SPDX-License-Identifier: Apache-2.0
 * Taking an allocation along to another address (RFC 8016, 3.1 and 3.2).
 *
 * An Allocate asks for a ticket; a server that forbids it (405) is asked again without, one that
 * does not know the attribute passes over it. A move is a Refresh with the ticket. The server
 * answers 400 when it still sees us where we were, and also when it knows nothing of the ticket,
 * and 405 when it has come to forbid moving: a Refresh without the ticket tells whether the
 * allocation is still ours (437: it is not).
 *
 * A move is urgent: its requests are repeated more often than others. */
#include "base/time.h"
#include "stun/turn_state.h"

#include <string.h>

bool ln_turn_client_mobile(const struct ln_turn_client *turn)
{
    return turn->ticket_len > 0;
}

bool ln_turn_client_immobile(const struct ln_turn_client *turn)
{
    return turn->immobile;
}

bool ln_turn_client_moving(const struct ln_turn_client *turn)
{
    return turn->with_ticket && turn->request.transaction.state == LN_STUN_RUNNING;
}

unsigned ln_turn_client_moves(const struct ln_turn_client *turn)
{
    return turn->moves;
}

bool ln_turn_client_move(struct ln_turn_client *turn, ln_time now)
{
    if (turn->state != LN_TURN_CLIENT_READY || !ln_turn_client_mobile(turn) ||
        ln_turn_client_moving(turn))
        return false;
    turn->with_ticket = true;
    turn->request.challenges = 0;
    turn->refresh_at = LN_TIME_NEVER;
    ln_turn_client_begin(turn, &turn->request, LN_STUN_REFRESH, now);
    return true;
}

bool ln_turn_client_refresh(struct ln_turn_client *turn, ln_time now)
{
    if (turn->state != LN_TURN_CLIENT_READY)
        return false;
    if (turn->request.transaction.state != LN_STUN_RUNNING) {
        turn->refresh_at = LN_TIME_NEVER;
        ln_turn_client_begin(turn, &turn->request, LN_STUN_REFRESH, now);
    }
    return true;
}

void ln_turn_client_add_ticket(const struct ln_turn_client *turn, struct ln_stun_builder *b,
                               uint16_t method)
{
    if (method == LN_STUN_ALLOCATE && turn->config.mobile)
        ln_stun_add(b, LN_STUN_MOBILITY_TICKET, NULL, 0);
    else if (method == LN_STUN_REFRESH && turn->with_ticket)
        ln_stun_add(b, LN_STUN_MOBILITY_TICKET, turn->ticket, turn->ticket_len);
}

void ln_turn_client_take_ticket(struct ln_turn_client *turn, const struct ln_stun_message *message)
{
    struct ln_bytes ticket;

    if (turn->with_ticket)
        turn->moves++;
    turn->with_ticket = false;
    if (!turn->config.mobile || !ln_stun_find(message, LN_STUN_MOBILITY_TICKET, &ticket))
        return;
    turn->ticket_len = ticket.len <= sizeof turn->ticket ? (uint16_t)ticket.len : 0;
    if (turn->ticket_len > 0)
        memcpy(turn->ticket, ticket.data, turn->ticket_len);
}

bool ln_turn_client_goes_without_ticket(struct ln_turn_client *turn, uint16_t code, ln_time now)
{
    if (turn->state == LN_TURN_CLIENT_ALLOCATING && code == 405 && turn->config.mobile) {
        turn->config.mobile = false;
        turn->immobile = true;
        ln_turn_client_begin(turn, &turn->request, LN_STUN_ALLOCATE, now);
        return true;
    }
    if (turn->state != LN_TURN_CLIENT_READY || !turn->with_ticket)
        return false;
    turn->with_ticket = false;
    if (code == 405)
        turn->ticket_len = 0;
    if (code == 400 || code == 405)
        ln_turn_client_begin(turn, &turn->request, LN_STUN_REFRESH, now);
    return code == 400 || code == 405;
}
