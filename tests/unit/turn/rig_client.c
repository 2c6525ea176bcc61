/* SPDX-License-Identifier: Apache-2.0
 * The clients of rig.h: what they ask for, send, and were given. */
#include "tests/unit/turn/rig.h"

#include "base/address.h"
#include "crypto/hash.h"

#include <stdio.h>

struct rig_client rig_client(struct rig *rig, const char *address, const char *user,
                             const char *password)
{
    struct rig_client client = { .rig = rig, .user = user, .password = password };

    client.path.link = RIG_LISTENER;
    client.path.local = rig->listen[0].address;
    client.path.remote = rig_address(address);
    return client;
}

void rig_start_with_alice(struct rig *rig, struct rig_client *ret_alice,
                          struct ln_address *ret_relayed)
{
    rig_init(rig);
    rig_start(rig);
    *ret_alice = rig_client(rig, "198.51.100.7:4000", "alice", "secret");
    CHECK_EQUAL(rig_allocate(ret_alice, ret_relayed), 0);
}

ln_link rig_open_stream(struct rig *rig, const char *from)
{
    return rig_accept(rig, 1, from); /* it is the second in the configuration */
}

struct rig_client rig_stream_client(struct rig *rig, const char *address, const char *user,
                                    const char *password)
{
    struct rig_client client = rig_client(rig, address, user, password);

    client.path.link = rig_open_stream(rig, address);
    client.stream = true;
    return client;
}

void rig_repeat_id(struct rig_call *call, struct rig_client *client, uint16_t method, unsigned id)
{
    struct ln_stun_id transaction = { { (uint8_t)(id >> 8), (uint8_t)id, client->path.remote.ip[3],
                                        (uint8_t)client->path.remote.port } };

    call->client = client;
    ln_stun_begin(&call->b, call->data, sizeof call->data, LN_STUN_REQUEST, method, &transaction);
}

void rig_begin(struct rig_call *call, struct rig_client *client, uint16_t method)
{
    rig_repeat_id(call, client, method, ++client->next_id);
}

static void key_of(const struct rig_client *client, uint8_t *key, size_t *len)
{
    char text[512];

    snprintf(text, sizeof text, "%s:example.org:%s", client->user, client->password);
    ln_hash_once(client->strong ? LN_HASH_SHA256 : LN_HASH_MD5, text, strlen(text), key);
    *len = client->strong ? 32 : 16;
}

static void sign(struct rig_call *call)
{
    static const uint8_t list[] = { 0, 2, 0, 0, 0, 1, 0, 0 }, one[] = { 0, 2, 0, 0 };
    struct rig_client *client = call->client;
    uint8_t key[32];
    size_t len;

    ln_stun_add_text(&call->b, LN_STUN_USERNAME, client->user);
    ln_stun_add_text(&call->b, LN_STUN_REALM, "example.org");
    ln_stun_add_text(&call->b, LN_STUN_NONCE, client->nonce);
    if (client->strong) {
        if (!client->no_list)
            ln_stun_add(&call->b, LN_STUN_PASSWORD_ALGORITHMS, list, sizeof list);
        ln_stun_add(&call->b, LN_STUN_PASSWORD_ALGORITHM, one, sizeof one);
    }
    key_of(client, key, &len);
    if (client->strong)
        ln_stun_add_integrity_sha256(&call->b, (struct ln_bytes){ key, len });
    else
        ln_stun_add_integrity(&call->b, (struct ln_bytes){ key, len });
}

/* The answer among what was sent. */
static int find_answer(struct rig_call *call, struct ln_stun_message *ret_answer)
{
    struct rig *rig = call->client->rig;

    for (size_t i = 0; i < rig->packet_count; i++) {
        struct rig_packet *p = &rig->packets[i];
        struct ln_bytes reason;
        uint16_t code;

        if (ln_stun_parse(p->data, p->len, ret_answer) != 0 ||
            !ln_stun_id_equal(&ret_answer->id, &call->b.id) ||
            !ln_address_equal(&p->path.remote, &call->client->path.remote))
            continue;
        if (ret_answer->kind == LN_STUN_SUCCESS)
            return 0;
        CHECK(ret_answer->kind == LN_STUN_ERROR && ln_stun_find_error(ret_answer, &code, &reason));
        return code;
    }
    return -1;
}

int rig_call_unsigned(struct rig_call *call, struct ln_stun_message *ret_answer)
{
    int len = ln_stun_finish(&call->b);

    CHECK(len > 0);
    rig_receive(call->client->rig, &call->client->path, call->data, (size_t)len);
    return find_answer(call, ret_answer);
}

static void learn_nonce(struct rig_client *client, const struct ln_stun_message *answer)
{
    struct ln_bytes nonce;

    if (ln_stun_find(answer, LN_STUN_NONCE, &nonce) && nonce.len < sizeof client->nonce) {
        memcpy(client->nonce, nonce.data, nonce.len);
        client->nonce[nonce.len] = '\0';
    }
}

int rig_call(struct rig_call *call, struct ln_stun_message *ret_answer)
{
    struct rig_client *client = call->client;
    struct rig_call first;
    struct ln_bytes key;
    uint8_t bytes[32];
    int code;

    if (!client->nonce[0]) {
        rig_begin(&first, client, LN_STUN_ALLOCATE);
        CHECK_EQUAL(rig_call_unsigned(&first, ret_answer), 401);
        learn_nonce(client, ret_answer);
    }
    sign(call);
    code = rig_call_unsigned(call, ret_answer);
    if (code == 438)
        learn_nonce(client, ret_answer);
    if (code >= 0 && code != 401 && code != 438 &&
        (ret_answer->integrity || ret_answer->integrity256)) {
        key_of(client, bytes, &key.len);
        key.data = bytes;
        CHECK(ln_stun_check_integrity(ret_answer, key));
        CHECK((ret_answer->integrity256 != 0) == client->strong);
    }
    return code;
}

int rig_allocate_over(struct rig_client *client, uint8_t protocol, struct ln_address *ret_relayed)
{
    struct ln_stun_message answer;
    struct rig_call call;
    int code;

    rig_begin(&call, client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, (uint32_t)protocol << 24);
    code = rig_call(&call, &answer);
    if (code == 0 && ret_relayed)
        CHECK(ln_stun_find_xor_address(&answer, LN_STUN_XOR_RELAYED_ADDRESS, ret_relayed));
    return code;
}

int rig_allocate(struct rig_client *client, struct ln_address *ret_relayed)
{
    return rig_allocate_over(client, 17, ret_relayed);
}

int rig_allocate_with(struct rig_client *client, uint16_t type, const void *value, size_t len,
                      struct ln_stun_message *ret_answer)
{
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_ALLOCATE);
    ln_stun_add_u32(&call.b, LN_STUN_REQUESTED_TRANSPORT, 17u << 24);
    ln_stun_add(&call.b, type, value, len);
    return rig_call(&call, ret_answer);
}

int rig_permit(struct rig_client *client, const char *peer)
{
    struct ln_address address = rig_address(peer);
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_CREATE_PERMISSION);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &address);
    return rig_call(&call, &answer);
}

int rig_bind(struct rig_client *client, uint16_t channel, const char *peer)
{
    struct ln_address address = rig_address(peer);
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_CHANNEL_BIND);
    ln_stun_add_u32(&call.b, LN_STUN_CHANNEL_NUMBER, (uint32_t)channel << 16);
    ln_stun_add_xor_address(&call.b, LN_STUN_XOR_PEER_ADDRESS, &address);
    return rig_call(&call, &answer);
}

int rig_refresh(struct rig_client *client, uint32_t lifetime)
{
    struct ln_stun_message answer;
    struct rig_call call;

    rig_begin(&call, client, LN_STUN_REFRESH);
    ln_stun_add_u32(&call.b, LN_STUN_LIFETIME, lifetime);
    return rig_call(&call, &answer);
}

size_t rig_write_indication(uint8_t *data, size_t cap, const char *peer, const char *text,
                            bool whole)
{
    struct ln_address address = rig_address(peer);
    struct ln_stun_id id = { { 9 } };
    struct ln_stun_builder b;
    int len;

    ln_stun_begin(&b, data, cap, LN_STUN_INDICATION, LN_STUN_SEND, &id);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &address);
    if (whole)
        ln_stun_add(&b, LN_STUN_DONT_FRAGMENT, NULL, 0);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, text, strlen(text));
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    return (size_t)len;
}

void rig_send_indication(struct rig_client *client, const char *peer, const char *text)
{
    uint8_t data[2048];

    rig_receive(client->rig, &client->path, data,
                rig_write_indication(data, sizeof data, peer, text, false));
}

void rig_send_whole(struct rig_client *client, const char *peer, const char *text)
{
    uint8_t data[2048];

    rig_receive(client->rig, &client->path, data,
                rig_write_indication(data, sizeof data, peer, text, true));
}

void rig_send_channel(struct rig_client *client, uint16_t channel, const char *text)
{
    uint8_t data[2048] = { 0 };
    size_t len = strlen(text);

    ln_channel_data_write_header(data, channel, len);
    memcpy(data + 4, text, len);
    len += client->stream ? ln_channel_data_padding(len) : 0;
    rig_receive(client->rig, &client->path, data, len + 4);
}

/* ---- what they were given ---- */

bool rig_is_icmp(const uint8_t *data, size_t len, const char *peer, struct ln_icmp icmp)
{
    const uint8_t value[8] = { 0,
                               0,
                               icmp.type,
                               icmp.code,
                               (uint8_t)(icmp.mtu >> 24),
                               (uint8_t)(icmp.mtu >> 16),
                               (uint8_t)(icmp.mtu >> 8),
                               (uint8_t)icmp.mtu };
    struct ln_address expected = rig_address(peer), told;
    struct ln_stun_message m;
    struct ln_bytes found;

    return ln_stun_parse(data, len, &m) == 0 && m.kind == LN_STUN_INDICATION &&
           m.method == LN_STUN_DATA &&
           ln_stun_find_xor_address(&m, LN_STUN_XOR_PEER_ADDRESS, &told) &&
           ln_address_equal(&told, &expected) && !ln_stun_find(&m, LN_STUN_DATA_VALUE, &found) &&
           ln_stun_find(&m, LN_STUN_ICMP, &found) && found.len == sizeof value &&
           memcmp(found.data, value, sizeof value) == 0;
}

/* The only packet that was sent, if it went to this client. */
static const struct rig_packet *only_packet(const struct rig_client *client)
{
    const struct rig *rig = client->rig;

    return rig->packet_count == 1 &&
                   ln_address_equal(&rig->packets[0].path.remote, &client->path.remote)
               ? &rig->packets[0]
               : NULL;
}

static bool is_text(struct ln_bytes data, const char *text)
{
    return data.len == strlen(text) && (data.len == 0 || memcmp(data.data, text, data.len) == 0);
}

bool rig_got_indication(const struct rig_client *client, const char *peer, const char *text)
{
    const struct rig_packet *p = only_packet(client);
    struct ln_address expected = rig_address(peer), from;
    struct ln_stun_message m;
    struct ln_bytes data;

    return p && ln_stun_parse(p->data, p->len, &m) == 0 && m.kind == LN_STUN_INDICATION &&
           m.method == LN_STUN_DATA &&
           ln_stun_find_xor_address(&m, LN_STUN_XOR_PEER_ADDRESS, &from) &&
           ln_address_equal(&from, &expected) && ln_stun_find(&m, LN_STUN_DATA_VALUE, &data) &&
           is_text(data, text);
}

bool rig_got_channel(const struct rig_client *client, uint16_t number, const char *text)
{
    const struct rig_packet *p = only_packet(client);
    struct ln_bytes data;
    uint16_t is;

    return p && ln_channel_data_read(p->data, p->len, &is, &data) == 0 && is == number &&
           is_text(data, text);
}

bool rig_got_icmp(const struct rig_client *client, const char *peer, struct ln_icmp icmp)
{
    const struct rig_packet *p = only_packet(client);

    return p && rig_is_icmp(p->data, p->len, peer, icmp);
}
