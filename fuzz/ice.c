/* SPDX-License-Identifier: Apache-2.0
 * Two ICE agents that find each other in virtual time, full or lite, while somebody who knows their
 * credentials (or does not) does what the input says.
 *
 * The first byte says who is lite, which one controls, whether there is TCP, and whether side a has
 * a TURN server over streams (which UDP does not get around); then come steps, each {kind, length
 * 16, bytes}. Bit 0x80 of the kind makes side b the victim instead of a. All of it repeats: seeds
 * are fixed. */
#include "base/bytes.h"
#include "fuzz/input_end.h"
#include "stun/message.h"
#include "tests/support/runner.h"
#include "tests/support/stream_server.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX  64
#define PACKET_MAX 1400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum step {
    STEP_DATAGRAM,  /* as it is, from the other end's address */
    STEP_CHECK,     /* {flags, attributes}: a right one, from there or from a stranger */
    STEP_ANSWER,    /* {class, attributes}: to the last check, with the right password */
    STEP_DATA,      /* {flags}: the owner sends, hears, believes */
    STEP_TIME,      /* {100 ms} */
    STEP_CANDIDATE, /* a line of signalling */
    STEP_REMOTE,    /* {lite}: credentials, the other end's as they are now */
    STEP_CALL,      /* {number} */
    STEP_SERVER,    /* {what, ...}: of the TURN server, or of a peer through it */
    STEPS
};

static struct agents s;
static struct stream_server server;
static struct ln_path paths[2];            /* of the last datagram to each side, as it sees them */
static uint8_t last_id[2][LN_STUN_ID_LEN]; /* of the last check of each side */

static bool note_path(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                      size_t len)
{
    if (node > 1)
        return true;
    paths[node] = *path;
    if (len >= 20 && data[0] == 0 && data[1] == 1)
        memcpy(last_id[node], data + 8, LN_STUN_ID_LEN);
    return false;
}

static struct side *side_of(int victim)
{
    return victim ? &s.b : &s.a;
}

static void begin(uint8_t how)
{
    agents_init(&s);
    memset(paths, 0, sizeof paths);
    memset(last_id, 0, sizeof last_id);
    s.a.config.lite = how & 1;
    s.b.config.lite = how & 2;
    s.a.config.controlling = !(how & 4);
    s.b.config.controlling = how & 4;
    s.a.config.tcp = s.b.config.tcp = how & 8;
    s.wire.delay = LN_MILLISECONDS(1);
    s.wire.filter = note_path;
    if (how & 32) {
        s.a.config.tcp = true;
        s.a.config.servers = &stream_server_relay;
        s.a.config.server_count = 1;
        s.wire.filter = wire_drop_all;
    }
    CHECK(agents_create(&s));
    stream_server_init(&server);
    if (how & 32)
        wire_add(&s.wire, stream_server_endpoint(&server));
    agents_run(&s, 0); /* it listens */
    wire_interface(&s.wire, s.a.node, "203.0.113.2");
    wire_interface(&s.wire, s.b.node, "203.0.113.3");
    agents_start(&s);
    agents_run(&s, LN_MILLISECONDS(how & 16 ? 1 : 300));
}

static void arrive(int victim, bool stranger, const void *data, size_t len)
{
    struct ln_path path = paths[victim];

    if (path.link == 0)
        return; /* it has not spoken yet */
    path.remote.port = stranger ? 6666 : path.remote.port;
    wire_inject(&s.wire, victim, &path, data, len);
}

/* Attributes of the input, as they are, before the integrity. */
static void add_attributes(struct ln_stun_builder *b, const uint8_t *data, size_t len)
{
    struct ln_reader r;

    ln_reader_init(&r, data, len);
    while (ln_reader_left(&r) >= 3) {
        uint16_t type = ln_read16(&r);
        size_t n = ln_read8(&r), left = ln_reader_left(&r);
        struct ln_bytes value = ln_read_bytes(&r, n < left ? n : left);

        if (type != LN_STUN_MESSAGE_INTEGRITY && type != LN_STUN_FINGERPRINT)
            ln_stun_add(b, type, value.data, value.len);
    }
}

static void finish(int victim, bool stranger, struct ln_stun_builder *b, const uint8_t *packet,
                   const char *pwd)
{
    int len;

    ln_stun_add_integrity(b, (struct ln_bytes){ (const uint8_t *)pwd, strlen(pwd) });
    ln_stun_add_fingerprint(b);
    len = ln_stun_finish(b);
    if (len > 0)
        arrive(victim, stranger, packet, (size_t)len);
}

static void check(int victim, const uint8_t *data, size_t len)
{
    struct side *side = side_of(victim);
    uint8_t packet[PACKET_MAX], flags = len > 0 ? data[0] : 0;
    struct ln_stun_builder b;
    struct ln_stun_id id;
    char username[64];

    memset(&id, flags, sizeof id);
    snprintf(username, sizeof username, "%s:x", ln_ice_local_ufrag(side->ice));
    ln_stun_begin(&b, packet, sizeof packet, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    if (flags & 1)
        ln_stun_add_u64(&b, LN_STUN_ICE_CONTROLLING, flags);
    if (flags & 2)
        ln_stun_add_u64(&b, LN_STUN_ICE_CONTROLLED, flags);
    if (flags & 4)
        ln_stun_add(&b, LN_STUN_USE_CANDIDATE, NULL, 0);
    if (len > 0)
        add_attributes(&b, data + 1, len - 1);
    finish(victim, flags & 8, &b, packet, ln_ice_local_pwd(side->ice));
}

static void answer(int victim, const uint8_t *data, size_t len)
{
    uint8_t packet[PACKET_MAX], flags = len > 0 ? data[0] : 0;
    struct ln_stun_builder b;
    struct ln_stun_id id;

    memcpy(&id, last_id[victim], sizeof id);
    ln_stun_begin(&b, packet, sizeof packet, flags & 1 ? LN_STUN_ERROR : LN_STUN_SUCCESS,
                  LN_STUN_BINDING, &id);
    if (flags & 2)
        ln_stun_add_error(&b, flags & 4 ? 487 : 400, NULL);
    if (len > 0)
        add_attributes(&b, data + 1, len - 1);
    finish(victim, flags & 8, &b, packet, ln_ice_remote_pwd(side_of(victim)->ice));
}

static void data_passes(int victim, uint8_t flags)
{
    struct ln_ice *ice = side_of(victim)->ice;
    struct ln_path path = paths[victim];

    path.remote.port = flags & 8 ? 6666 : path.remote.port;
    if (flags & 1)
        ln_ice_count_received(ice, s.wire.now, &path, 1, 100);
    if (flags & 2)
        ln_ice_confirm(ice, s.wire.now, &path);
    if (ln_ice_send_path(ice, &path) && (flags & 4))
        ln_ice_count_sent(ice, s.wire.now, &path, 1, 1000);
}

struct attributes {
    const uint8_t *data;
    size_t len;
};

static void add_given(struct ln_stun_builder *b, void *context)
{
    const struct attributes *given = context;

    add_attributes(b, given->data, given->len);
}

/* Which wrong things the server does from now on. */
static void misbehave(uint8_t how)
{
    server.silent = how & 1;
    server.connect_silent = how & 2;
    server.connect_without_id = how & 4;
    server.refuse_connect = how & 8 ? 447 : 0;
    server.refuse_bind = how & 16 ? 400 : 0;
    server.bind_silent = how & 32;
    server.bind_rubbish = how & 64;
}

static void server_acts(const uint8_t *data, size_t len)
{
    struct ln_address peer = { .family = LN_FAMILY_IPV4, .ip = { 203, 0, 113, 3 } };
    struct attributes given;

    if (len < 4)
        return;
    switch (data[0] % 4) {
    case 0: /* a peer connects: {connection, port} */
        peer.port = ln_load16(data + 2);
        stream_server_attempt(&server, &peer, data[1]);
        break;
    case 1: /* bytes on a stream */
        stream_server_say(&server, data[1], data + 2, len - 2);
        break;
    case 2: /* an answer on a stream: {stream, class, method, attributes} */
        given = (struct attributes){ data + 4, len - 4 };
        stream_server_answer(&server, data[1], data[2] & 3, data[3], add_given, &given);
        break;
    default:
        misbehave(data[1]);
    }
}

static void call(struct side *side, uint8_t number)
{
    struct ln_ice *ice = side->ice;

    switch (number % 8) {
    case 0:
        (void)!ln_ice_restart(ice);
        break;
    case 1:
        (void)ln_ice_rollback(ice);
        break;
    case 2:
        ln_ice_gather(ice);
        break;
    case 3:
        ln_ice_set_role(ice, number & 8);
        break;
    case 4:
        ln_ice_end_of_candidates(ice);
        break;
    case 5:
        wire_interface(&s.wire, side->node, "203.0.113.77");
        break;
    case 6:
        wire_remove_interface(&s.wire, side->node, number & 8 ? "203.0.113.2" : "203.0.113.3");
        break;
    default:
        ln_ice_close(ice);
    }
}

static void one_step(uint8_t kind, const uint8_t *data, size_t len)
{
    int victim = kind & 0x80 ? 1 : 0;
    struct side *side = side_of(victim), *other = side->other;
    uint8_t first = len > 0 ? data[0] : 0;
    ln_duration pause = LN_MILLISECONDS(5);

    switch ((enum step)((kind & 0x7f) % STEPS)) {
    case STEP_DATAGRAM:
        arrive(victim, false, data, len);
        break;
    case STEP_CHECK:
        check(victim, data, len);
        break;
    case STEP_ANSWER:
        answer(victim, data, len);
        break;
    case STEP_DATA:
        data_passes(victim, first);
        break;
    case STEP_CANDIDATE:
        (void)!ln_ice_add_remote_candidate_text(side->ice, (const char *)data, len);
        break;
    case STEP_REMOTE:
        (void)!ln_ice_set_remote(side->ice, ln_ice_local_ufrag(other->ice),
                                 ln_ice_local_pwd(other->ice), first & 1, NULL);
        break;
    case STEP_CALL:
        call(side, first);
        break;
    case STEP_SERVER:
        server_acts(data, len);
        break;
    default:
        pause = LN_MILLISECONDS(100) * (len > 0 ? data[0] : 1);
    }
    agents_run(&s, pause);
}

static void run(const uint8_t *data, size_t len)
{
    struct ln_reader r;

    ln_reader_init(&r, data, len);
    begin(ln_read8(&r));
    for (int i = 0; i < STEPS_MAX && ln_reader_left(&r) >= 3 && s.wire.link_count < WIRE_LINKS / 2;
         i++) {
        uint8_t kind = ln_read8(&r);
        size_t n = ln_read16(&r), left = ln_reader_left(&r);
        struct ln_bytes bytes = ln_read_bytes(&r, n < left ? n : left);

        one_step(kind, bytes.len > 0 ? bytes.data : (const uint8_t *)"",
                 bytes.len < PACKET_MAX ? bytes.len : PACKET_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool failed;

    ln_runner_begin(0);
    if (setjmp(ended) == 0)
        run(data, len);
    agents_free(&s);
    if (ln_runner_end(&failed) > 0)
        abort(); /* a leak */
    return 0;
}
