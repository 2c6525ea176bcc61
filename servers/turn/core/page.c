/* SPDX-License-Identifier: Apache-2.0
 * Clients of a shared port who speak HTTP inside TLS: their plain bytes go to who serves pages, by
 * a pair of which the other end is his, and come back the same way.
 *
 * From its first plain byte such a client is no guest any more: who serves pages has limits of his
 * own, and closes his end. The bytes pass as those of a TCP allocation do (connection.c): each side
 * is read as far as the other one takes it, and what was sent before an end arrives. */
#include "base/alloc.h"
#include "base/pool.h"
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <string.h>

#define PAIR_PATIENCE LN_SECONDS(10)

static bool ask(struct ln_turn_server *server, struct turn_connection *c)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_PAIR,
                                  .local = c->data->path.local,
                                  .remote = c->data->path.remote };
    uint32_t id = turn_ask_for(server, &c->kind, &request);

    if (id == 0)
        return false;
    c->ask = id;
    return true;
}

bool turn_page_begin(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    struct turn_connection *c = ln_alloc_zero(server->env->allocator, sizeof *c);

    if (!c)
        return false;
    c->kind = c->timer.kind = TURN_CONNECTION;
    c->peer = client->path.remote;
    c->data = client;
    c->early_end = &c->early;
    ln_list_init(&c->siblings);
    ln_list_init(&c->due);
    if (ln_heap_set(&server->heap, &c->timer.node, now + PAIR_PATIENCE) != 0 || !ask(server, c)) {
        ln_heap_remove(&server->heap, &c->timer.node);
        ln_free(server->env->allocator, c);
        server->counts.pages_refused++;
        return false;
    }
    client->connection = c;
    turn_stream_has_allocation(server, now, client, true);
    turn_connection_make_due(server, c); /* no more is read until the pair is open */
    return true;
}

bool turn_page_keep(struct ln_turn_server *server, struct turn_connection *c, struct ln_bytes piece)
{
    struct ln_buffer *buffer = NULL;

    if (c->early_bytes + piece.len <= TURN_PAGE_EARLY)
        buffer = turn_stream_buffer(server, piece.len);
    if (!buffer) {
        server->counts.pages_refused++;
        return false;
    }
    memcpy(ln_buffer_bytes(buffer), piece.data, piece.len);
    buffer->next = NULL;
    *c->early_end = buffer;
    c->early_end = &buffer->next;
    c->early_bytes += piece.len;
    return true;
}

void turn_page_deinit(struct turn_connection *c)
{
    while (c->early) {
        struct ln_buffer *buffer = c->early;

        c->early = buffer->next;
        ln_buffer_unref(buffer);
    }
}

static bool send_early(struct ln_turn_server *server, struct turn_connection *c)
{
    while (c->early) {
        struct ln_buffer *buffer = c->early;

        if (buffer->len > c->room)
            return false;
        c->early = buffer->next;
        c->room -= buffer->len;
        if (!turn_send(server, &c->path, TURN_STREAM, buffer))
            return false;
    }
    return true;
}

void turn_page_answer(struct ln_turn_server *server, ln_time now, struct turn_connection *c,
                      const struct ln_answer *answer)
{
    bool good = answer->kind == LN_ANSWER_OPENED;

    ln_map_remove_u64(&server->asked, c->ask);
    c->ask = 0;
    turn_set_timer(server, &c->timer, LN_TIME_NEVER);
    if (good) {
        c->path = (struct ln_path){ answer->link, answer->local, answer->remote };
        c->room = answer->bytes;
        if (ln_map_set_u64(&server->links, answer->link, &c->kind) != 0) {
            turn_close_link(server, answer->link);
            c->path.link = 0;
            good = false;
        }
    }
    if (!good || !send_early(server, c)) {
        server->counts.pages_refused++;
        turn_connection_end(server, now, c);
        return;
    }
    server->counts.pages++;
    turn_connection_make_due(server, c);
}
