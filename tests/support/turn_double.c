/* SPDX-License-Identifier: Apache-2.0
 * The TURN server of tests/support/turn_double.h. */
#include "tests/support/turn_double.h"

#include "base/address.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "stun/framing.h"
#include "tests/support/test.h"

#include <stdio.h>

void turn_double_init(struct turn_double *t, const struct ln_env *env, const char *ip)
{
    memset(t, 0, sizeof *t);
    t->env = env;
    CHECK(ln_address_parse(ip, &t->listen) == 0);
    t->relay_ip = t->listen;
    t->listen.port = LN_STUN_PORT;
    t->username = "user";
    t->password = "secret";
    t->realm = "example.org";
}

size_t turn_double_allocated(const struct turn_double *t)
{
    size_t i, count = 0;

    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        count += t->allocations[i].client.family != LN_FAMILY_NONE;
    return count;
}

/* --- out ----------------------------------------------------------------------------------- */

static uint8_t *begin(struct turn_double *t, ln_link link, const struct ln_address *local,
                      const struct ln_address *to)
{
    CHECK(t->queued < TURN_DOUBLE_QUEUE);
    t->queue[t->queued].path = (struct ln_path){ link, *local, *to };
    return t->queue[t->queued].data;
}

static size_t key_of(const struct turn_double *t, uint8_t key[32])
{
    char text[256];
    int len = snprintf(text, sizeof text, "%s:%s:%s", t->username, t->realm, t->password);

    ln_hash_once(t->algorithm == 2 ? LN_HASH_SHA256 : LN_HASH_MD5, text, (size_t)len, key);
    return t->algorithm == 2 ? 32 : 16;
}

static void sign(const struct turn_double *t, struct ln_stun_builder *b)
{
    uint8_t key[32];
    size_t len = key_of(t, key);

    key[0] ^= t->wrong_integrity;
    if (t->algorithm != 0 && !t->weak_integrity)
        ln_stun_add_integrity_sha256(b, (struct ln_bytes){ key, len });
    else
        ln_stun_add_integrity(b, (struct ln_bytes){ key, len });
}

static void finish(struct turn_double *t, struct ln_stun_builder *b)
{
    int len;

    ln_stun_add_fingerprint(b);
    len = ln_stun_finish(b);
    CHECK(len > 0);
    t->queue[t->queued++].len = (size_t)len;
}

static void nonce_text(const struct turn_double *t, char text[64])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned features = (t->algorithm != 0 ? 0x20u : 0) | (t->anonymous ? 0x10u : 0);

    snprintf(text, 64, "obMatJos2%cAAA-%u", digits[features], t->nonce);
}

static void begin_answer(struct turn_double *t, struct ln_stun_builder *b, enum ln_stun_class kind,
                         uint16_t method, const struct ln_stun_id *id,
                         const struct ln_address *client)
{
    uint8_t *data = begin(t, t->link, &t->listen, client);

    ln_stun_begin(b, data, sizeof t->queue[0].data, kind, method, id);
}

static void refuse(struct turn_double *t, const struct ln_stun_message *m,
                   const struct ln_address *client, uint16_t code)
{
    uint8_t algorithms[4] = { 0, (uint8_t)t->algorithm, 0, 0 };
    struct ln_stun_builder b;
    char nonce[64];

    begin_answer(t, &b, LN_STUN_ERROR, m->method, &m->id, client);
    ln_stun_add_error(&b, code, NULL);
    if (code == 401 || code == 438) {
        nonce_text(t, nonce);
        ln_stun_add_text(&b, LN_STUN_REALM, t->realm);
        ln_stun_add_text(&b, LN_STUN_NONCE, nonce);
        if (t->algorithm != 0 && !t->cut_algorithms)
            ln_stun_add(&b, LN_STUN_PASSWORD_ALGORITHMS, algorithms, sizeof algorithms);
    } else if (code == 300) {
        ln_stun_add_address(&b, LN_STUN_ALTERNATE_SERVER, &t->alternate);
    }
    if (code != 401 && code != 438 && !t->unsigned_errors)
        sign(t, &b);
    finish(t, &b);
}

static struct turn_double_allocation *find(struct turn_double *t, const struct ln_address *client)
{
    size_t i;

    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        if (ln_address_equal(&t->allocations[i].client, client))
            return &t->allocations[i];
    return NULL;
}

static void accept(struct turn_double *t, const struct ln_stun_message *m,
                   const struct ln_address *client)
{
    const struct turn_double_allocation *a = find(t, client);
    struct ln_stun_builder b;

    begin_answer(t, &b, LN_STUN_SUCCESS, m->method, &m->id, client);
    if (m->method == LN_STUN_REFRESH && a && a->ticket)
        ln_stun_add_u32(&b, LN_STUN_MOBILITY_TICKET, a->ticket);
    if (m->method == LN_STUN_REFRESH)
        ln_stun_add_u32(&b, LN_STUN_LIFETIME, t->lifetime_s ? t->lifetime_s : 600);
    sign(t, &b);
    finish(t, &b);
}

/* --- requests ------------------------------------------------------------------------------ */

static void forget(struct turn_double_allocation *a)
{
    a->client.family = LN_FAMILY_NONE; /* its socket stays open: nobody misses it in a test */
}

/* 0 when the request may go on, else the code. */
static uint16_t judge(struct turn_double *t, const struct ln_stun_message *m)
{
    struct ln_bytes value;
    uint8_t key[32];
    char nonce[64];

    if (m->integrity == 0 && m->integrity256 == 0)
        return 401;
    t->signed_requests++;
    if (t->stale_every > 0 && t->signed_requests % t->stale_every == 0)
        t->nonce++;
    nonce_text(t, nonce);
    if (!ln_stun_find(m, LN_STUN_NONCE, &value) || value.len != strlen(nonce) ||
        memcmp(value.data, nonce, value.len) != 0)
        return 438;
    if (!ln_stun_find(m, t->anonymous ? LN_STUN_USERHASH : LN_STUN_USERNAME, &value))
        return 400;
    if ((t->algorithm != 0) != (m->integrity256 != 0))
        return 400;
    return ln_stun_check_integrity(m, (struct ln_bytes){ key, key_of(t, key) }) ? 0 : 401;
}

static void allocate(struct turn_double *t, ln_time now, const struct ln_stun_message *m,
                     const struct ln_address *client)
{
    struct turn_double_allocation *a = find(t, client);
    struct ln_address none = { 0 };
    struct ln_bytes ticket;
    bool wanted = ln_stun_find(m, LN_STUN_MOBILITY_TICKET, &ticket);

    t->allocates++;
    if (wanted && t->mobility == TURN_DOUBLE_FORBIDS_MOVES) {
        refuse(t, m, client, 405);
        return;
    }
    if (t->alternate.family != LN_FAMILY_NONE)
        refuse(t, m, client, 300);
    else if (t->refuse_allocate && (t->refusals == 0 || t->allocates <= t->refusals))
        refuse(t, m, client, t->refuse_allocate);
    else if (a && !ln_stun_id_equal(&a->id, &m->id))
        refuse(t, m, client, 437);
    else if (!a && (a = find(t, &none))) {
        memset(a, 0, sizeof *a);
        a->client = *client;
        a->id = m->id;
        a->ticket = wanted && t->mobility == TURN_DOUBLE_MOVES ? t->signed_requests : 0;
        a->expires_at = now + LN_SECONDS(t->lifetime_s ? t->lifetime_s : 600);
    }
}

static void relay_opened(struct turn_double *t, struct turn_double_allocation *a)
{
    struct ln_stun_builder b;

    begin_answer(t, &b, LN_STUN_SUCCESS, LN_STUN_ALLOCATE, &a->id, &a->client);
    if (t->relayed_nowhere)
        memset(a->relayed.ip, 0, sizeof a->relayed.ip);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_RELAYED_ADDRESS, &a->relayed);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &a->client);
    ln_stun_add_u32(&b, LN_STUN_LIFETIME, t->lifetime_s ? t->lifetime_s : 600);
    if (a->ticket && t->ticket_len > 0)
        ln_stun_add(&b, LN_STUN_MOBILITY_TICKET, (const uint8_t[512]){ 0 }, t->ticket_len);
    else if (a->ticket)
        ln_stun_add_u32(&b, LN_STUN_MOBILITY_TICKET, a->ticket);
    sign(t, &b);
    finish(t, &b);
}

/* A Refresh with a ticket: the code of the error, or 0: the client is another one now. */
static uint16_t move(struct turn_double *t, const struct ln_stun_message *m,
                     const struct ln_address *client)
{
    uint32_t ticket;

    if (t->refuse_move)
        return t->refuse_move;
    for (size_t i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++) {
        struct turn_double_allocation *a = &t->allocations[i];

        if (a->client.family == LN_FAMILY_NONE ||
            !ln_stun_find_u32(m, LN_STUN_MOBILITY_TICKET, &ticket) || ticket != a->ticket ||
            ln_address_equal(&a->client, client))
            continue;
        t->moves++;
        a->client = *client;
        a->ticket = t->signed_requests;
        return 0;
    }
    return 400;
}

static void permit(struct turn_double_allocation *a, ln_time now, const struct ln_address *peer)
{
    size_t i;

    for (i = 0; i < a->permission_count; i++)
        if (ln_address_equal_ip(&a->permissions[i], peer))
            break;
    CHECK(i < TURN_DOUBLE_PEERS);
    a->permissions[i] = *peer;
    a->permission_until[i] = now + LN_SECONDS(300);
    if (i == a->permission_count)
        a->permission_count++;
}

static bool permitted(const struct turn_double_allocation *a, ln_time now,
                      const struct ln_address *peer)
{
    size_t i;

    for (i = 0; i < a->permission_count; i++)
        if (ln_address_equal_ip(&a->permissions[i], peer))
            return now < a->permission_until[i];
    return false;
}

static void bind_channel(struct turn_double *t, ln_time now, const struct ln_stun_message *m,
                         struct turn_double_allocation *a, const struct ln_address *peer)
{
    uint32_t number;

    t->bindings++;
    if (!ln_stun_find_u32(m, LN_STUN_CHANNEL_NUMBER, &number) || number >> 16 < 0x4000 ||
        number >> 16 >= 0x4000 + TURN_DOUBLE_PEERS) {
        refuse(t, m, &a->client, 400);
        return;
    }
    number = (number >> 16) - 0x4000;
    if (t->refuse_channel || (a->bound[number] && !ln_address_equal(&a->channels[number], peer))) {
        refuse(t, m, &a->client, t->refuse_channel ? t->refuse_channel : 400);
        return;
    }
    a->bound[number] = true;
    a->channels[number] = *peer;
    permit(a, now, peer);
    accept(t, m, &a->client);
}

static void request(struct turn_double *t, ln_time now, const struct ln_stun_message *m,
                    const struct ln_address *client)
{
    struct turn_double_allocation *a = find(t, client);
    struct ln_address peer;
    struct ln_bytes ticket;
    uint32_t lifetime = 600;
    uint16_t code = judge(t, m);

    if (code) {
        refuse(t, m, client, code);
        return;
    }
    if (m->method == LN_STUN_ALLOCATE) {
        allocate(t, now, m, client);
        return;
    }
    if (m->method == LN_STUN_REFRESH && t->mobility == TURN_DOUBLE_MOVES &&
        ln_stun_find(m, LN_STUN_MOBILITY_TICKET, &ticket)) {
        code = move(t, m, client);
        if (code) {
            refuse(t, m, client, code);
            return;
        }
        a = find(t, client);
    }
    if (!a) {
        refuse(t, m, client, 437);
        return;
    }
    switch (m->method) {
    case LN_STUN_REFRESH:
        (void)ln_stun_find_u32(m, LN_STUN_LIFETIME, &lifetime);
        t->refreshes += lifetime > 0;
        t->releases += lifetime == 0;
        a->expires_at = now + LN_SECONDS(t->lifetime_s ? t->lifetime_s : 600);
        accept(t, m, client);
        if (lifetime == 0)
            forget(a);
        break;
    case LN_STUN_CREATE_PERMISSION:
        t->permissions++;
        CHECK(ln_stun_find_xor_address(m, LN_STUN_XOR_PEER_ADDRESS, &peer));
        if (t->refuse_permission) {
            refuse(t, m, client, t->refuse_permission);
            break;
        }
        permit(a, now, &peer);
        accept(t, m, client);
        break;
    case LN_STUN_CHANNEL_BIND:
        CHECK(ln_stun_find_xor_address(m, LN_STUN_XOR_PEER_ADDRESS, &peer));
        bind_channel(t, now, m, a, &peer);
        break;
    default:
        refuse(t, m, client, 400);
    }
}

/* --- data ---------------------------------------------------------------------------------- */

static void to_peer(struct turn_double *t, ln_time now, struct turn_double_allocation *a,
                    const struct ln_address *peer, struct ln_bytes data)
{
    if (!permitted(a, now, peer)) {
        t->refused_data++;
        return;
    }
    memcpy(begin(t, a->relay, &a->relayed, peer), data.data, data.len);
    t->queue[t->queued++].len = data.len;
}

static void from_client(struct turn_double *t, ln_time now, const struct ln_packet *packet)
{
    struct turn_double_allocation *a = find(t, &packet->path.remote);
    struct ln_stun_message m;
    struct ln_address peer;
    struct ln_bytes value;
    uint16_t number;

    if (a && ln_channel_data_read(packet->data, packet->len, &number, &value) == 0) {
        t->channel_data_in++;
        if (number < 0x4000 + TURN_DOUBLE_PEERS && a->bound[number - 0x4000])
            to_peer(t, now, a, &a->channels[number - 0x4000], value);
        return;
    }
    if (ln_stun_parse(packet->data, packet->len, &m) != 0)
        return;
    if (m.kind == LN_STUN_REQUEST && m.method == LN_STUN_BINDING) {
        struct ln_stun_builder b;

        begin_answer(t, &b, LN_STUN_SUCCESS, LN_STUN_BINDING, &m.id, &packet->path.remote);
        ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &packet->path.remote);
        finish(t, &b);
    } else if (m.kind == LN_STUN_REQUEST) {
        request(t, now, &m, &packet->path.remote);
    } else if (a && m.kind == LN_STUN_INDICATION && m.method == LN_STUN_SEND &&
               ln_stun_find_xor_address(&m, LN_STUN_XOR_PEER_ADDRESS, &peer) &&
               ln_stun_find(&m, LN_STUN_DATA_VALUE, &value)) {
        t->indications_in++;
        to_peer(t, now, a, &peer, value);
    }
}

static void from_peer(struct turn_double *t, ln_time now, struct turn_double_allocation *a,
                      const struct ln_packet *packet)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;
    size_t i;

    if (a->client.family == LN_FAMILY_NONE || !permitted(a, now, &packet->path.remote)) {
        t->refused_data++;
        return;
    }
    for (i = 0; i < TURN_DOUBLE_PEERS; i++)
        if (a->bound[i] && ln_address_equal(&a->channels[i], &packet->path.remote)) {
            uint8_t *data = begin(t, t->link, &t->listen, &a->client);

            ln_channel_data_write_header(data, (uint16_t)(0x4000 + i), packet->len);
            memcpy(data + 4, packet->data, packet->len);
            t->queue[t->queued++].len = 4 + packet->len;
            t->channel_data_out++;
            return;
        }
    ln_rng_bytes(t->env->rng, id.bytes, sizeof id.bytes);
    begin_answer(t, &b, LN_STUN_INDICATION, LN_STUN_DATA, &id, &a->client);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_PEER_ADDRESS, &packet->path.remote);
    ln_stun_add(&b, LN_STUN_DATA_VALUE, packet->data, packet->len);
    finish(t, &b);
    t->indications_out++;
}

/* --- endpoint ------------------------------------------------------------------------------ */

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct turn_double *t = object;
    size_t i;

    if (t->silent)
        return;
    if (packet->path.link == t->link)
        from_client(t, now, packet);
    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        if (t->allocations[i].relay == packet->path.link && packet->path.link != t->link)
            from_peer(t, now, &t->allocations[i], packet);
}

static void on_timeout(void *object, ln_time now)
{
    struct turn_double *t = object;
    size_t i;

    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        if (t->allocations[i].client.family != LN_FAMILY_NONE &&
            now >= t->allocations[i].expires_at)
            forget(&t->allocations[i]);
}

static ln_time next_timeout(const void *object)
{
    const struct turn_double *t = object;
    ln_time next = LN_TIME_NEVER;
    size_t i;

    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        if (t->allocations[i].client.family != LN_FAMILY_NONE)
            next = ln_time_min(next, t->allocations[i].expires_at);
    return next;
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct turn_double *t = object;

    (void)now;
    if (t->queued == 0)
        return 0;
    ln_transmit_begin(out);
    out->path = t->queue[0].path;
    out->len = t->queue[0].len;
    memcpy(out->data, t->queue[0].data, out->len);
    t->queued--;
    memmove(&t->queue[0], &t->queue[1], t->queued * sizeof t->queue[0]);
    return 1;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct turn_double *t = object;
    size_t i;

    if (!t->asked) {
        t->asked = true;
        *ret_request =
            (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP, .id = 1, .local = t->listen };
        t->last_request = 1;
        return 1;
    }
    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++) {
        struct turn_double_allocation *a = &t->allocations[i];

        if (a->client.family == LN_FAMILY_NONE || a->request != 0)
            continue;
        a->request = ++t->last_request;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_OPEN_UDP,
                                            .id = a->request,
                                            .local = t->relay_ip };
        return 1;
    }
    return 0;
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    struct turn_double *t = object;
    size_t i;

    (void)now;
    if (a->kind != LN_ANSWER_OPENED)
        return;
    if (a->id == 1) {
        t->open = true;
        t->link = a->link;
        return;
    }
    for (i = 0; i < TURN_DOUBLE_ALLOCATIONS; i++)
        if (t->allocations[i].request == a->id) {
            t->allocations[i].relay = a->link;
            t->allocations[i].relayed = a->local;
            relay_opened(t, &t->allocations[i]);
        }
}

struct ln_endpoint turn_double_endpoint(struct turn_double *t)
{
    static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, answer };

    return (struct ln_endpoint){ &ops, t };
}
