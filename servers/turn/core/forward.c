/* SPDX-License-Identifier: Apache-2.0
 * Clients who moved to where another worker hears them (RFC 8016): the kernel gives a new 5-tuple
 * to any worker, and the allocation stays where it is.
 *
 *     client <--> front worker <== parcels ==> home worker (the allocation) <--> peers
 *
 * The front ends TLS and DTLS, cuts streams into messages, and passes each on as it is, from the
 * Refresh with the ticket on; the home sees a client that is `away` and answers by the same way.
 * The front keeps nothing of a client before the home has accepted his move (HOLD), and forgets him
 * when the home does (RELEASE) or when he leaves (GONE). A parcel may be lost: a home that gets a
 * message of a client it does not know says RELEASE, and a UDP client who said nothing for as long
 * as an allocation may live is forgotten. Binding requests are the front's to answer. */
#include "base/time.h"
#include "servers/turn/core/internal.h"

#include <string.h>

enum what { MESSAGE, ANSWER, HOLD, RELEASE, GONE };

struct parcel {
    enum turn_parcel_kind kind;
    enum what what;
    uint8_t from; /* a worker */
    uint8_t transport;
    struct ln_path path; /* of the front */
};

static bool send(struct ln_turn_server *server, unsigned worker, enum what what,
                 const struct turn_client *client, struct ln_bytes message)
{
    struct parcel parcel;

    memset(&parcel, 0, sizeof parcel);
    parcel.kind = TURN_PARCEL_FORWARD;
    parcel.what = what;
    parcel.from = server->config.worker;
    parcel.transport = (uint8_t)client->transport;
    parcel.path = client->path;
    return turn_parcel_send(server, worker, &parcel, sizeof parcel, message.data, message.len);
}

static void tell(struct ln_turn_server *server, unsigned worker, enum what what,
                 const struct turn_client *client)
{
    (void)send(server, worker, what, client, (struct ln_bytes){ NULL, 0 });
}

/* ---- at the front ---- */

static bool is_binding(const uint8_t *data, size_t len)
{
    return ln_stun_is_message(data, len) && (ln_load16(data) & 0x3eefu) == LN_STUN_BINDING;
}

static void pass_on(struct ln_turn_server *server, unsigned worker,
                    const struct turn_client *client, struct ln_bytes message)
{
    server->counts.forwarded += send(server, worker, MESSAGE, client, message);
}

bool turn_forward(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                  const uint8_t *data, size_t len)
{
    client->heard_at = now;
    if (is_binding(data, len))
        return false;
    pass_on(server, client->home, client, (struct ln_bytes){ data, len });
    return true;
}

void turn_forward_request(const struct turn_request *request, unsigned worker)
{
    pass_on(request->server, worker, request->client,
            (struct ln_bytes){ request->message->data, request->message->len });
}

void turn_forward_gone(struct ln_turn_server *server, const struct turn_client *client)
{
    tell(server, client->home, GONE, client);
}

void turn_forward_on_timeout(struct ln_turn_server *server, ln_time now, struct turn_client *client)
{
    ln_time end = client->heard_at + server->config.lifetime_max;

    if (now < end) {
        turn_set_timer(server, &client->timer, end);
        return;
    }
    turn_forward_gone(server, client);
    turn_client_free(server, client);
}

/* The client of this worker that the parcel is about; a UDP client who is not kept is a guest. */
static struct turn_client *client_of(struct ln_turn_server *server, const struct parcel *parcel,
                                     struct turn_client *guest)
{
    struct turn_client *client = turn_client_find(server, &parcel->path);
    enum turn_kind *kind;

    if (parcel->transport == LN_TURN_TCP || parcel->transport == LN_TURN_TLS) {
        kind = ln_map_get_u64(&server->links, parcel->path.link);
        client = kind && *kind == TURN_CLIENT ? LN_CONTAINER(kind, struct turn_client, kind) : NULL;
    }
    if (!client && parcel->transport == LN_TURN_UDP) {
        *guest = (struct turn_client){ .path = parcel->path, .transport = LN_TURN_UDP };
        client = guest;
    }
    return client && client->transport == parcel->transport ? client : NULL;
}

static void give(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                 struct ln_bytes message)
{
    struct ln_buffer *buffer = turn_buffer(server, message.len);

    if (!buffer)
        return;
    memcpy(ln_buffer_bytes(buffer), message.data, message.len);
    (void)turn_send_to_client(server, now, client, buffer);
}

/* A guest of UDP is kept from now on. NULL: no memory. */
static struct turn_client *keep(struct ln_turn_server *server, ln_time now,
                                const struct turn_client *guest)
{
    struct turn_client *kept = turn_client_keep(server, guest);

    if (!kept)
        return NULL;
    kept->kind = kept->timer.kind = TURN_CLIENT;
    kept->heard_at = now;
    if (ln_heap_set(&server->heap, &kept->timer.node, now + server->config.lifetime_max) != 0) {
        turn_client_free(server, kept);
        return NULL;
    }
    ln_list_append(&server->forwarded, &kept->siblings);
    return kept;
}

static void hold(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                 unsigned home, bool is_guest)
{
    struct turn_client *kept = client;

    if (client->allocation || client->connection)
        kept = NULL; /* he began something else meanwhile */
    else if (is_guest)
        kept = keep(server, now, client);
    if (!kept) {
        tell(server, home, GONE, client);
        return;
    }
    if (kept->forwarded && kept->home != home)
        turn_forward_gone(server, kept);
    kept->forwarded = true;
    kept->home = (uint8_t)home;
    turn_stream_has_allocation(server, now, kept, true);
}

static void release(struct ln_turn_server *server, ln_time now, struct turn_client *client,
                    unsigned home)
{
    if (!client->forwarded || client->home != home)
        return;
    client->forwarded = false;
    turn_client_part(server, now, client);
}

/* ---- at home ---- */

bool turn_forward_answer(struct ln_turn_server *server, const struct turn_client *client,
                         struct ln_buffer *buffer)
{
    bool sent = send(server, client->away - 1u, ANSWER, client,
                     (struct ln_bytes){ ln_buffer_bytes(buffer), buffer->len });

    ln_buffer_unref(buffer);
    return sent;
}

void turn_forward_hold(struct ln_turn_server *server, const struct turn_client *client)
{
    tell(server, client->away - 1u, HOLD, client);
}

void turn_forward_release(struct ln_turn_server *server, const struct turn_client *client)
{
    tell(server, client->away - 1u, RELEASE, client);
}

static void message_came(struct ln_turn_server *server, ln_time now, const struct parcel *parcel,
                         struct ln_bytes message)
{
    uint8_t away = (uint8_t)(parcel->from + 1u);
    struct turn_client *client = turn_client_find_away(server, &parcel->path, away);
    struct turn_client guest = { .path = parcel->path,
                                 .transport = (enum ln_turn_transport)parcel->transport,
                                 .away = away };

    turn_client_message(server, now, client ? client : &guest, message.data, message.len);
    if (!client && !turn_client_find_away(server, &parcel->path, away))
        turn_forward_release(server, &guest);
}

static void client_went(struct ln_turn_server *server, ln_time now, const struct parcel *parcel)
{
    struct turn_client *client = turn_client_find_away(server, &parcel->path,
                                                       (uint8_t)(parcel->from + 1u));

    if (!client)
        return;
    turn_client_left(server, now, client);
    turn_client_free(server, client);
}

/* ---- both ---- */

void turn_forward_take(struct ln_turn_server *server, ln_time now, struct ln_bytes bytes)
{
    struct parcel parcel;
    struct ln_bytes message = { bytes.data + sizeof parcel, bytes.len - sizeof parcel };
    struct turn_client guest, *client;

    memcpy(&parcel, bytes.data, sizeof parcel);
    if (parcel.what == MESSAGE) {
        message_came(server, now, &parcel, message);
        return;
    }
    if (parcel.what == GONE) {
        client_went(server, now, &parcel);
        return;
    }
    client = client_of(server, &parcel, &guest);
    if (!client)
        return; /* his stream ended: the home is told, or will be */
    if (parcel.what == ANSWER)
        give(server, now, client, message);
    else if (parcel.what == HOLD)
        hold(server, now, client, parcel.from, client == &guest);
    else
        release(server, now, client, parcel.from);
}
