/* SPDX-License-Identifier: Apache-2.0
 * Mobility tickets (RFC 8016, 3.1.2 and 5): what a client shows to take his allocation to another
 * address.
 *
 *     | nonce (96) | sealed: allocation (64), serial (32), expiry (64), worker (8) | tag (128) |
 *
 * Sealed with AES-256-GCM under a key that only the workers of this server have: nothing can be
 * read of a ticket, nothing changed, and it ends with the program, as allocations do. It names the
 * allocation, whose user is looked up there; its serial is that of the last move, so that a ticket
 * serves once; it expires when the allocation would if nobody refreshed it. */
#include "base/alloc.h"
#include "base/rng.h"
#include "servers/turn/core/internal.h"

#include <linnet/error.h>

#include <string.h>

#define PLAIN_LEN 21u

_Static_assert(TURN_TICKET_LEN == LN_AEAD_NONCE_LEN + PLAIN_LEN + LN_AEAD_TAG_LEN, "its parts");

int turn_tickets_init(struct ln_turn_server *server)
{
    static const uint8_t none[LN_TURN_TICKET_KEY_LEN];
    uint8_t *key = server->config.ticket_key;
    struct ln_crypto *crypto = server->env->crypto;
    int error;

    if (!crypto)
        return 0;
    if (memcmp(key, none, sizeof none) == 0)
        ln_rng_bytes(server->env->rng, key, LN_TURN_TICKET_KEY_LEN);
    error = ln_aead_init(&server->seal, crypto, LN_AEAD_AES_256_GCM, key, true);
    if (!error)
        error = ln_aead_init(&server->unseal, crypto, LN_AEAD_AES_256_GCM, key, false);
    ln_wipe(key, LN_TURN_TICKET_KEY_LEN);
    server->tickets = !error;
    return error;
}

void turn_tickets_deinit(struct ln_turn_server *server)
{
    ln_aead_deinit(&server->seal);
    ln_aead_deinit(&server->unseal);
}

bool turn_ticket_in(const struct turn_request *request, struct ln_bytes *ret_ticket)
{
    return ln_stun_find(request->message, LN_STUN_MOBILITY_TICKET, ret_ticket);
}

enum turn_ticket turn_ticket_read(struct ln_turn_server *server, ln_time now,
                                  struct ln_bytes ticket, struct turn_ticket_content *ret_content)
{
    uint8_t plain[PLAIN_LEN];

    if (!server->tickets || ticket.len != TURN_TICKET_LEN ||
        !ln_aead_open(&server->unseal, ticket.data, NULL, 0, ticket.data + LN_AEAD_NONCE_LEN,
                      ticket.len - LN_AEAD_NONCE_LEN, plain))
        return TURN_TICKET_FORGED;
    ret_content->allocation = ln_load64(plain);
    ret_content->serial = ln_load32(plain + 8);
    ret_content->expires = (ln_time)ln_load64(plain + 12);
    ret_content->worker = plain[20];
    return now < ret_content->expires ? TURN_TICKET_GOOD : TURN_TICKET_EXPIRED;
}

struct turn_allocation *turn_ticket_owner(const struct turn_request *request)
{
    struct turn_ticket_content content;
    struct ln_bytes ticket;

    if (!turn_ticket_in(request, &ticket) ||
        turn_ticket_read(request->server, request->now, ticket, &content) == TURN_TICKET_FORGED ||
        content.worker != request->server->config.worker)
        return NULL;
    return ln_map_get_u64(&request->server->mobile, content.allocation);
}

void turn_ticket_add(struct ln_stun_builder *b, struct ln_turn_server *server,
                     const struct turn_allocation *allocation)
{
    uint8_t ticket[TURN_TICKET_LEN], plain[PLAIN_LEN];

    ln_rng_bytes(server->env->rng, ticket, LN_AEAD_NONCE_LEN);
    ln_store64(plain, allocation->number);
    ln_store32(plain + 8, allocation->serial);
    ln_store64(plain + 12, (uint64_t)allocation->expires);
    plain[20] = server->config.worker;
    ln_aead_seal(&server->seal, ticket, NULL, 0, plain, sizeof plain, ticket + LN_AEAD_NONCE_LEN);
    ln_stun_add(b, LN_STUN_MOBILITY_TICKET, ticket, sizeof ticket);
}
