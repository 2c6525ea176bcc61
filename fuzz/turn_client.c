/* SPDX-License-Identifier: Apache-2.0
 * The TURN client against a server that says anything. The input is a list of records:
 *
 *   | flags (8) | length (16) | bytes ... |
 *
 *   bit 0   the bytes are class and method (16) and attributes: the message gets the id of the last
 *           request and a right length; else they are the whole message
 *   bit 1   and it is signed with the client's key
 *   bit 2   before it the client asks for a permission and a channel
 *   bit 3   after it 2 to the power of bits 4 to 7 seconds pass
 *   bit 4   without bit 3, and with TCP: it came on the stream of the newest connection
 *   bit 5   without bit 3, and with TCP: bit 2 asks for a connection instead
 *
 * Before it stands a byte: bit 0 a stream, bit 1 tickets are asked for, bit 2 the allocation is
 * moved after each step, bit 3 an allocation of TCP, whose connections are bound at once.
 *
 * Data that comes out lies within what went in; what ICMP says is of a peer with a permission;
 * after each step the deadline lies ahead; the numbers of connections differ. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "stun/turn_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct ln_turn_client *turn;
static struct ln_stun_id last_id;
static ln_time now;
static bool moves;
static uint32_t newest; /* connection */

static void check(bool right)
{
    if (!right)
        abort();
}

static void take_requests(void)
{
    uint8_t out[LN_TURN_CLIENT_MESSAGE_MAX];
    struct ln_stun_message m;
    int len;

    while ((len = ln_turn_client_poll(turn, now, out, sizeof out)) > 0) {
        check(ln_stun_parse(out, (size_t)len, &m) == 0);
        last_id = m.id;
    }
    check(len == 0);
}

static void take_connections(void)
{
    uint8_t out[LN_TURN_CLIENT_MESSAGE_MAX];
    struct ln_stun_message m;
    struct ln_address peer;
    uint32_t before = newest;
    int len;

    while (ln_turn_client_next_attempt(turn, &peer, &newest))
        check(newest != before && peer.port != 0);
    ln_turn_client_bind_connection(turn, now, newest);
    len = ln_turn_client_bind_poll(turn, now, newest, out, sizeof out);
    check(len >= 0);
    if (len > 0) {
        check(ln_stun_parse(out, (size_t)len, &m) == 0 && m.method == LN_STUN_CONNECTION_BIND);
        last_id = m.id;
    }
}

static size_t build(struct ln_bytes bytes, bool signed_, uint8_t *out, size_t cap)
{
    struct ln_stun_builder b;
    int len;

    if (bytes.len < 2)
        return 0;
    ln_stun_begin(&b, out, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &last_id);
    ln_write_bytes(&b.w, bytes.data + 2, bytes.len - 2);
    ln_write_align(&b.w, 4);
    ln_write16_at(&b.w, 0, ln_load16(bytes.data));
    if (signed_ && turn->auth.algorithm == LN_TURN_CLIENT_ALGORITHM_NONE)
        ln_stun_add_integrity(&b, (struct ln_bytes){ turn->auth.key, 16 });
    else if (signed_)
        ln_stun_add_integrity_sha256(
            &b, (struct ln_bytes){ turn->auth.key,
                                   turn->auth.algorithm == LN_TURN_CLIENT_ALGORITHM_SHA256 ? 32u
                                                                                           : 16u });
    len = ln_stun_finish(&b);
    return len > 0 ? (size_t)len : 0;
}

static void hand_in(uint8_t *message, size_t len)
{
    struct ln_address peer;
    struct ln_icmp icmp;
    uint8_t *data;
    size_t data_len;

    if (ln_turn_client_receive(turn, now, message, len, &peer, &data, &data_len) == 1)
        check(data >= message && data_len <= len && data + data_len <= message + len);
    if (ln_turn_client_next_icmp(turn, &peer, &icmp))
        check(icmp.type != 0 &&
              ln_turn_client_permitted(turn, &peer) == LN_TURN_CLIENT_PERMIT_GRANTED);
}

static void step(uint8_t flags, struct ln_bytes bytes)
{
    static uint8_t message[70000];
    struct ln_address peer = { .family = LN_FAMILY_IPV4, .ip = { 192, 0, 2, 3 }, .port = 4000 };
    uint8_t out[LN_TURN_CLIENT_HEAD_MAX + 8] = { 0 };
    size_t len;
    int n;

    if (flags & 4) {
        if (turn->connections && (flags & 0x28) == 0x20) {
            (void)!ln_turn_client_connect(turn, now, &peer, &newest);
        } else {
            (void)!ln_turn_client_permit(turn, now, &peer);
            (void)!ln_turn_client_bind(turn, now, &peer);
        }
        take_requests();
    }
    if (flags & 1) {
        len = build(bytes, (flags & 2) != 0, message, sizeof message);
    } else {
        len = bytes.len;
        if (len > 0)
            memcpy(message, bytes.data, len);
    }
    if ((flags & 0x18) == 0x10 && turn->connections)
        (void)!ln_turn_client_bind_receive(turn, now, newest, message, len);
    else
        hand_in(message, len);
    take_requests();
    if (turn->connections)
        take_connections();
    n = ln_turn_client_wrap(turn, now, &peer, out, 5);
    check(n < 0 || (size_t)n >= ln_turn_client_head(turn, &peer) + 5);
    if (moves && ln_turn_client_move(turn, now))
        check(ln_turn_client_moving(turn) && ln_turn_client_mobile(turn));
    take_requests();
    if (flags & 8)
        now += LN_SECONDS(1) << (flags >> 4);
    ln_turn_client_on_timeout(turn, now);
    check(ln_turn_client_next_timeout(turn) > now);
    take_requests();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_turn_client_config config = { .username = "user", .password = "secret" };
    struct ln_env env = { .allocator = ln_allocator_libc() };
    struct ln_rng rng;
    struct ln_reader r;
    uint8_t first;

    ln_rng_seed(&rng, 1);
    env.rng = &rng;
    ln_reader_init(&r, data, len);
    first = ln_read8(&r);
    config.stream = (first & 1) != 0;
    config.mobile = (first & 2) != 0;
    config.connections = (first & 9) == 9;
    moves = (first & 4) != 0;
    newest = 0;
    now = LN_SECONDS(1000);
    if (ln_turn_client_create(&turn, &config, &env) != 0)
        return 0;
    ln_turn_client_start(turn, now);
    take_requests();
    while (ln_reader_left(&r) > 3) {
        uint8_t flags = ln_read8(&r);
        size_t size = ln_read16(&r);

        step(flags, ln_read_bytes(&r, size < ln_reader_left(&r) ? size : ln_reader_left(&r)));
    }
    ln_turn_client_free(turn);
    return 0;
}
