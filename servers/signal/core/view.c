/* SPDX-License-Identifier: Apache-2.0
 * `view`: for whoever looks for a fault, how the server sees him. Who shows a user's credential for
 * our TURN server is also told what that server saw of this user, and of nobody else: the
 * credential is the key to it, and a wrong one counts as a guess.
 *
 * What TURN saw the driver knows: the question waits until it has answered. */
#include "servers/signal/core/view.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/time.h"
#include "servers/signal/core/json.h"
#include "stun/ephemeral.h"

#include <string.h>

bool view_credential_right(const struct ln_signal *signal, const char *user, const char *credential)
{
    char password[LN_STUN_EPHEMERAL_PASSWORD_MAX];
    bool right;

    if (!signal->config.turn_secret)
        return false;
    ln_stun_ephemeral_password(signal->config.turn_secret,
                               (struct ln_bytes){ (const uint8_t *)user, strlen(user) }, password);
    right = strlen(password) == strlen(credential) &&
            ln_equal_constant_time(password, credential, strlen(password));
    ln_wipe(password, sizeof password);
    return right;
}

json_t *view_json(const struct ln_signal *signal, ln_time now, const struct connection *c)
{
    char address[LN_ADDRESS_TEXT_MAX];

    return json_pack("{s:s, s:s, s:i, s:I}", "type", "view", "address",
                     ln_address_format_ip(&c->address, address), "port", (int)c->address.port,
                     "time", (json_int_t)ln_time_ms(now + signal->config.wall_offset));
}

bool view_ask(struct ln_signal *signal, struct connection *c, const char *user)
{
    char *copy = ln_alloc_text(signal->env->allocator, user);

    if (!copy)
        return false;
    ln_free(signal->env->allocator, c->asks_about);
    c->asks_about = copy;
    ln_list_remove(&c->asking);
    ln_list_append(&signal->asking, &c->asking);
    return true;
}

void view_forget(struct ln_signal *signal, struct connection *c)
{
    ln_list_remove(&c->asking);
    ln_free(signal->env->allocator, c->asks_about);
    c->asks_about = NULL;
}

const char *ln_signal_poll_view(struct ln_signal *signal, uint64_t *ret_connection)
{
    struct connection *c;

    if (ln_list_empty(&signal->asking))
        return NULL;
    c = LN_CONTAINER(signal->asking.next, struct connection, asking);
    ln_list_remove(&c->asking);
    *ret_connection = c->id;
    return c->asks_about;
}

static json_t *seen_json(const struct ln_signal_turn_seen *seen)
{
    char client[LN_ADDRESS_TEXT_MAX], relayed[LN_ADDRESS_TEXT_MAX];
    bool made = seen->relayed.family != LN_FAMILY_NONE;

    return json_pack("{s:s, s:s, s:i, s:s*, s:b, s:I, s:I, s:I, s:i}", "transport", seen->transport,
                     "address", ln_address_format_ip(&seen->client, client), "port",
                     (int)seen->client.port, "relayed",
                     made ? ln_address_format(&seen->relayed, relayed) : NULL, "open", seen->open,
                     "bytesFromClient", (json_int_t)seen->bytes_from_client, "bytesToClient",
                     (json_int_t)seen->bytes_to_client, "packetsDropped",
                     (json_int_t)seen->packets_dropped, "code", (int)seen->code);
}

void ln_signal_answer_view(struct ln_signal *signal, ln_time now, uint64_t connection,
                           const struct ln_signal_turn_view *view)
{
    struct connection *c = ln_map_get_u64(&signal->connections, connection);
    json_t *value, *list = json_array(), *turn;
    size_t len = 0;
    char *text;

    if (!c || !c->asks_about) { /* gone meanwhile */
        json_decref(list);
        return;
    }
    view_forget(signal, c);
    for (size_t i = 0; i < view->count; i++)
        (void)json_array_append_new(list, seen_json(&view->seen[i]));
    turn = json_pack("{s:o, s:I}", "allocations", list, "wrongCredentials",
                     (json_int_t)view->wrong_credentials);
    value = view_json(signal, now, c);
    if (value && json_object_set_new(value, "turn", turn) != 0) {
        json_decref(value);
        value = NULL;
    }
    text = json_to_text(signal->env->allocator, value, &len);
    if (text)
        signal_reply(signal, c, text, len);
    else
        signal_error(signal, now, c, LN_SIGNAL_ERROR_OUT_OF_MEMORY, NULL, "view", NULL);
}
