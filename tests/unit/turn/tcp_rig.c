/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/turn/tcp_rig.h"

void tcp_rig_init(struct rig *rig)
{
    rig_init(rig);
    rig_listen_for_streams(rig);
    rig->config.tcp_relay = true;
}

void tcp_rig_start(struct rig *rig)
{
    tcp_rig_init(rig);
    rig_start(rig);
}

struct rig_client tcp_alice(struct rig *rig, const char *from)
{
    return rig_stream_client(rig, from, "alice", "secret");
}

int tcp_allocate(struct rig_client *client, struct ln_address *ret_relayed)
{
    return rig_allocate_over(client, 6, ret_relayed);
}

int tcp_dial(struct rig_client *client, const char *peer, uint32_t *ret_id)
{
    struct ln_address address = rig_address(peer);
    struct ln_stun_message answer;
    struct rig_call call;
    int code;

    rig_begin(&call, client, LN_STUN_CONNECT);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &address);
    code = rig_call(&call, &answer);
    if (code == 0)
        CHECK(ln_stun_find_u32(&answer, LN_STUN_CONNECTION_ID, ret_id) && *ret_id != 0);
    return code;
}

int tcp_bind(struct rig_client *client, uint32_t id)
{
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_CONNECTION_BIND);
    ln_stun_add_u32(&call.b, LN_STUN_CONNECTION_ID, id);
    return rig_call(&call, &answer);
}

int tcp_code_sent(const struct rig *rig)
{
    struct ln_stun_message m;
    struct ln_bytes reason;
    uint16_t code = 0;

    for (size_t i = 0; i < rig->packet_count; i++)
        if (ln_stun_parse(rig->packets[i].data, rig->packets[i].len, &m) == 0 &&
            (m.kind == LN_STUN_SUCCESS || ln_stun_find_error(&m, &code, &reason)))
            return code;
    return -1;
}

struct ln_path tcp_path_of(const struct rig *rig, ln_link link)
{
    struct ln_path path = { .link = link };

    for (size_t i = 0; i < RIG_SOCKETS_MAX; i++)
        if (rig->sockets[i].link == link)
            path.local = rig->sockets[i].local;
    return path;
}

void tcp_from_peer(struct rig *rig, ln_link link, const char *text)
{
    struct ln_path path = tcp_path_of(rig, link);

    rig_receive(rig, &path, text, strlen(text));
}

ln_link tcp_peer_connects(struct rig *rig, const char *peer, const struct ln_address *relayed)
{
    ln_link listener = rig_link_of(rig, relayed);

    for (size_t i = 0; i < RIG_SOCKETS_MAX; i++)
        if (rig->sockets[i].link == listener)
            return rig_accept(rig, rig->sockets[i].id, peer);
    return 0;
}

uint32_t tcp_attempt_sent(const struct rig *rig, const char *peer)
{
    struct ln_address address, wanted = rig_address(peer);
    struct ln_stun_message m;
    uint32_t id = 0;

    for (size_t i = 0; i < rig->packet_count; i++)
        if (ln_stun_parse(rig->packets[i].data, rig->packets[i].len, &m) == 0 &&
            m.kind == LN_STUN_INDICATION && m.method == LN_STUN_CONNECTION_ATTEMPT) {
            CHECK(ln_stun_find_xor_address(&m, LN_STUN_XOR_PEER_ADDRESS, &address));
            CHECK(ln_address_equal(&address, &wanted));
            CHECK(ln_stun_find_u32(&m, LN_STUN_CONNECTION_ID, &id));
        }
    return id;
}

void tcp_join(struct tcp_joined *j, struct rig *rig)
{
    j->control = tcp_alice(rig, "198.51.100.7:4000");
    CHECK_EQUAL(tcp_allocate(&j->control, &j->relayed), 0);
    j->peer = rig->next_link;
    CHECK_EQUAL(tcp_dial(&j->control, PEER, &j->id), 0);
    CHECK_EQUAL(rig->windows[j->peer], 1); /* nothing is read of it yet */
    j->data = tcp_alice(rig, "198.51.100.7:4001");
    CHECK_EQUAL(tcp_bind(&j->data, j->id), 0);
}
