/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/stun/turn_scene.h"

#include "base/address.h"

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct turn_user *u = object;
    uint8_t *data = packet->data;
    size_t len = packet->len;

    u->heard_from = packet->path.remote;
    if (u->turn && ln_turn_client_receive(u->turn, now, packet->data, packet->len, &u->heard_from,
                                          &data, &len) != 1)
        return;
    CHECK(len <= sizeof u->heard);
    memcpy(u->heard, data, len);
    u->heard_len = len;
    u->heard_count++;
}

static void on_timeout(void *object, ln_time now)
{
    struct turn_user *u = object;

    if (u->turn)
        ln_turn_client_on_timeout(u->turn, now);
}

static ln_time next_timeout(const void *object)
{
    const struct turn_user *u = object;

    return u->turn ? ln_turn_client_next_timeout(u->turn) : LN_TIME_NEVER;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct turn_user *u = object;
    int len = 0;

    ln_transmit_begin(out);
    out->path = (struct ln_path){ u->link, u->local, u->server };
    if (u->out_len > 0) {
        memcpy(out->data, u->out, u->out_len);
        len = (int)u->out_len;
        u->out_len = 0;
    } else if (u->turn) {
        len = ln_turn_client_poll(u->turn, now, out->data, out->cap);
        CHECK(len >= 0);
    }
    out->len = (size_t)len;
    return len > 0;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct turn_user *u = object;

    if (u->asked)
        return 0;
    u->asked = true;
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .id = 1, .local = u->local };
    return 1;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct turn_user *u = object;

    CHECK_EQUAL(a->kind, LN_ANSWER_OPENED);
    u->link = a->link;
    u->local = a->local;
    if (u->turn)
        ln_turn_client_start(u->turn, now);
}

static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                            poll_transmit, poll_request, answer };

void scene_init(struct turn_scene *s)
{
    wire_init(&s->wire, test_env());
    turn_double_init(&s->server, test_env(), "192.0.2.1");
    memset(&s->user, 0, sizeof s->user);
    memset(&s->peer, 0, sizeof s->peer);
    memset(&s->config, 0, sizeof s->config);
    s->config.username = "user";
    s->config.password = "secret";
}

bool scene_start(struct turn_scene *s)
{
    if (ln_turn_client_create(&s->user.turn, &s->config, test_env()) != 0)
        return false;
    s->user.server = s->server.listen;
    CHECK(ln_address_parse("192.0.2.2", &s->user.local) == 0);
    CHECK(ln_address_parse("192.0.2.3", &s->peer.local) == 0);
    wire_add(&s->wire, turn_double_endpoint(&s->server));
    wire_add(&s->wire, (struct ln_endpoint){ &ops, &s->user });
    wire_add(&s->wire, (struct ln_endpoint){ &ops, &s->peer });
    return true;
}

void scene_run(struct turn_scene *s, ln_duration duration)
{
    wire_run(&s->wire, s->wire.now + duration, NULL, NULL);
}

void scene_free(struct turn_scene *s)
{
    ln_turn_client_free(s->user.turn);
}

bool scene_allocated(struct turn_scene *s)
{
    scene_init(s);
    if (!scene_start(s))
        return false;
    scene_run(s, LN_MILLISECONDS(10));
    return ln_turn_client_state(s->user.turn) == LN_TURN_CLIENT_READY;
}

bool scene_permitted(struct turn_scene *s)
{
    if (!scene_allocated(s))
        return false;
    CHECK(ln_turn_client_permit(s->user.turn, s->wire.now, &s->peer.local) == 0);
    scene_run(s, LN_MILLISECONDS(10));
    return ln_turn_client_permitted(s->user.turn, &s->peer.local) == LN_TURN_CLIENT_PERMIT_GRANTED;
}

void scene_say(struct turn_scene *s, const char *text)
{
    size_t head = ln_turn_client_head(s->user.turn, &s->peer.local);
    int len;

    memcpy(s->user.out + head, text, strlen(text));
    len = ln_turn_client_wrap(s->user.turn, s->wire.now, &s->peer.local, s->user.out, strlen(text));
    CHECK(len > 0);
    s->user.out_len = (size_t)len;
    scene_run(s, LN_MILLISECONDS(10));
}

void scene_peer_says(struct turn_scene *s, const char *text)
{
    CHECK(ln_turn_client_relayed(s->user.turn, 0, &s->peer.server));
    memcpy(s->peer.out, text, strlen(text));
    s->peer.out_len = strlen(text);
    scene_run(s, LN_MILLISECONDS(10));
}
