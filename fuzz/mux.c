/* SPDX-License-Identifier: Apache-2.0
 * Three agents on one UDP and one TCP port, and what comes there. The input is a list of records:
 *
 *   | flags (8) | which (8) | length (16) | bytes ... |
 *
 *   bits 0, 1  0  a datagram
 *              1  a check that is right, for the agent of bits 4 and 5 of `which`
 *              2  a piece of the stream of bits 0 to 2 of `which`
 *              3  what `which` says: a stream is accepted, closed; an agent restarts, goes, comes;
 * a signed answer to the last request of an agent; interfaces; a failed send bit 3      then 2 to
 * the power of bits 4 to 7 tenths of a second pass
 *
 * Datagrams come from the address of bits 0 to 3 of `which`. What leaves, leaves on a link that is
 * open; the deadline lies after now; each packet is handed to one agent at most. */
#include "ice/mux.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/rng.h"
#include "base/time.h"
#include "ice/ice.h"
#include "stun/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define AGENTS  3u
#define LINKS   64u
#define RECORDS 200 /* of one input */

static struct ln_env env;
static struct ln_rng rng;
static struct ln_ice_mux *mux;
static struct agent {
    struct ln_ice *ice;
    struct ln_ice_mux_member *member;
    struct ln_stun_id asked;
    struct ln_address asked_at;
} agents[AGENTS];
static bool open_links[LINKS + 1];
static uint32_t listener_request, watch_request;
static ln_link listener, last_link, streams[8];
static unsigned handed; /* of the packet in hand */
static ln_time now;

static void check(bool right)
{
    if (!right)
        abort();
}

static struct ln_bytes text_bytes(const char *text)
{
    return (struct ln_bytes){ (const uint8_t *)text, strlen(text) };
}

static struct ln_address address(uint8_t host, uint16_t port)
{
    return (struct ln_address){ .family = LN_FAMILY_IPV4, .ip = { 192, 0, 2, host }, .port = port };
}

/* --- the agents ---------------------------------------------------------------------------- */

static void receive(void *object, ln_time at, struct ln_packet *packet)
{
    struct agent *agent = object;

    handed++;
    if (ln_ice_unwrap(agent->ice, at, packet) == 1)
        while (ln_ice_unwrap_more(agent->ice, at, packet) == 1)
            ;
}

static void on_timeout(void *object, ln_time at)
{
    ln_ice_on_timeout(((struct agent *)object)->ice, at);
}

static ln_time next_timeout(const void *object)
{
    return ln_ice_next_timeout(((const struct agent *)object)->ice);
}

static int poll_transmit(void *object, ln_time at, struct ln_transmit *out)
{
    struct agent *agent = object;
    int result = ln_ice_poll_transmit(agent->ice, at, out);

    if (result == 1 && out->len >= LN_STUN_HEADER_LEN && out->data[0] == 0 && out->data[1] == 1) {
        memcpy(agent->asked.bytes, out->data + 8, LN_STUN_ID_LEN);
        agent->asked_at = out->path.remote;
    }
    return result;
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    return ln_ice_poll_request(((struct agent *)object)->ice, ret_request);
}

static void answer(void *object, ln_time at, const struct ln_answer *given)
{
    ln_ice_answer(((struct agent *)object)->ice, at, given);
}

static void add_agent(struct agent *agent)
{
    static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, answer };
    struct ln_ice_config config;
    struct ln_candidate candidate = {
        .component = 1, .foundation = "1", .priority = 9, .address = address(10, 1000)
    };

    ln_ice_config_init(&config);
    config.tcp = true;
    check(ln_ice_create(&agent->ice, &config, &env) == 0);
    check(ln_ice_set_remote(agent->ice, "peer", "passwordpasswordpassword", false, NULL) == 0);
    ln_ice_share_port(agent->ice);
    ln_ice_gather(agent->ice);
    (void)!ln_ice_add_remote_candidate(agent->ice, &candidate);
    check(ln_ice_mux_add(mux, (struct ln_endpoint){ &ops, agent }, agent, &agent->member) == 0);
}

static void remove_agent(struct agent *agent)
{
    ln_ice_mux_remove(agent->member);
    ln_ice_free(agent->ice);
    agent->member = NULL;
    agent->ice = NULL;
}

/* --- the driver ---------------------------------------------------------------------------- */

static void tell(const struct ln_answer *given)
{
    ln_ice_mux_endpoint(mux).ops->answer(mux, now, given);
}

static ln_link new_link(void)
{
    if (last_link == LINKS)
        return 0;
    open_links[++last_link] = true;
    return last_link;
}

static void tell_interfaces(bool up)
{
    struct ln_interface in = { .name = "eth0", .index = 1, .address = address(1, 0), .up = up };

    tell(&(struct ln_answer){ .kind = LN_ANSWER_INTERFACES,
                              .id = watch_request,
                              .interfaces = &in,
                              .interface_count = 1 });
}

static void serve(const struct ln_request *request)
{
    struct ln_answer given = { .kind = LN_ANSWER_OPENED, .id = request->id };

    if (request->kind == LN_REQUEST_CLOSE) {
        check(request->link <= LINKS);
        open_links[request->link] = false;
    } else if (request->kind == LN_REQUEST_WATCH_INTERFACES) {
        watch_request = request->id;
        tell_interfaces(true);
    } else if ((request->kind == LN_REQUEST_OPEN_UDP || request->kind == LN_REQUEST_LISTEN_TCP) &&
               (given.link = new_link()) != 0) {
        given.local = request->local;
        if (request->kind == LN_REQUEST_LISTEN_TCP) {
            listener = given.link;
            listener_request = request->id;
        }
        tell(&given);
    } else {
        tell(&(struct ln_answer){
            .kind = LN_ANSWER_FAILED, .id = request->id, .error = LN_ERR_UNREACHABLE });
    }
}

static void drive(void)
{
    static uint8_t data[2048];
    static struct ln_transmit out;
    const struct ln_endpoint_ops *ops = ln_ice_mux_endpoint(mux).ops;
    struct ln_request request = { 0 };

    for (int i = 0; i < 8; i++) {
        ops->on_timeout(mux, now);
        check(ops->next_timeout(mux) > now);
        for (;;) {
            ln_transmit_begin(&out);
            out.data = data;
            out.cap = sizeof data;
            if (ops->poll_transmit(mux, now, &out) != 1)
                break;
            check(out.path.link > 0 && out.path.link <= LINKS && open_links[out.path.link]);
        }
        while (ops->poll_request(mux, &request) == 1)
            serve(&request);
        while (ln_ice_mux_poll_news(mux))
            ;
    }
}

static void hand_in(ln_link link, const struct ln_address *from, const void *bytes, size_t len)
{
    static uint8_t copy[70000];
    struct ln_packet packet = { .data = copy, .len = len };

    if (len > 0)
        memcpy(copy, bytes, len);
    packet.path = (struct ln_path){ link, address(1, 3478), *from };
    handed = 0;
    ln_ice_mux_endpoint(mux).ops->receive(mux, now, &packet);
}

/* --- records ------------------------------------------------------------------------------- */

static size_t build_check(const struct agent *agent, uint8_t *out, size_t cap)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;
    char username[64] = { 0 };
    int len;

    ln_rng_bytes(&rng, &id, sizeof id);
    strcpy(username, ln_ice_local_ufrag(agent->ice));
    strcat(username, ":peer");
    ln_stun_begin(&b, out, cap, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 99);
    ln_stun_add_integrity(&b, text_bytes(ln_ice_local_pwd(agent->ice)));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    check(len > 0);
    return (size_t)len;
}

static void answer_last(struct agent *agent)
{
    struct ln_address mapped = address(1, 3478);
    struct ln_stun_builder b;
    uint8_t out[256];
    int len;

    ln_stun_begin(&b, out, sizeof out, LN_STUN_SUCCESS, LN_STUN_BINDING, &agent->asked);
    ln_stun_add_xor_address(&b, LN_STUN_XOR_MAPPED_ADDRESS, &mapped);
    ln_stun_add_integrity(&b, text_bytes("passwordpasswordpassword"));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    check(len > 0);
    hand_in(1, &agent->asked_at, out, (size_t)len);
}

static void accept_stream(uint8_t which)
{
    struct ln_answer given = { .kind = LN_ANSWER_OPENED,
                               .id = listener_request,
                               .local = address(1, 443),
                               .remote = address((uint8_t)(20 + which % 4), (uint16_t)(which + 1)),
                               .bytes = 65536 };

    if (listener && open_links[listener] && (given.link = new_link()) != 0) {
        streams[which % 8] = given.link;
        tell(&given);
    }
}

static void act(uint8_t which)
{
    struct agent *agent = &agents[(which >> 4) % AGENTS];
    ln_link stream = streams[which % 8];

    switch (which % 8) {
    case 0:
        accept_stream(which >> 3);
        break;
    case 1:
        if (stream && open_links[stream]) {
            open_links[stream] = false;
            tell(&(struct ln_answer){ .kind = LN_ANSWER_CLOSED, .link = stream });
        }
        break;
    case 2:
        (void)!ln_ice_restart(agent->ice);
        (void)!ln_ice_set_remote(agent->ice, "peer", "passwordpasswordpassword", false, NULL);
        ln_ice_gather(agent->ice);
        ln_ice_mux_touch(agent->member);
        break;
    case 3:
        remove_agent(agent);
        add_agent(agent);
        break;
    case 4:
        answer_last(agent);
        break;
    case 5:
        if (watch_request)
            tell_interfaces(which & 8);
        break;
    case 6:
        tell(&(struct ln_answer){ .kind = LN_ANSWER_SEND_FAILED,
                                  .path = { 1, address(1, 3478), agent->asked_at },
                                  .icmp = { .type = which & 3, .code = which >> 2 & 7 },
                                  .error = LN_ERR_UNREACHABLE });
        break;
    default:
        tell(&(struct ln_answer){ .kind = LN_ANSWER_WRITABLE, .link = stream, .bytes = 1000 });
    }
}

static void step(uint8_t flags, uint8_t which, struct ln_bytes bytes)
{
    struct ln_address from = address((uint8_t)(10 + which % 8),
                                     (uint16_t)(1000 + (which >> 3 & 1)));
    uint8_t message[512], frame[600];
    size_t len;

    switch (flags & 3) {
    case 0:
        hand_in(1, &from, bytes.data, bytes.len);
        check(handed <= 1);
        break;
    case 1:
        len = build_check(&agents[(which >> 4) % AGENTS], message, sizeof message);
        if (flags & 4) { /* on a stream */
            ln_store16(frame, (uint16_t)len);
            memcpy(frame + 2, message, len);
            hand_in(streams[which % 8], &from, frame, len + 2);
        } else {
            hand_in(1, &from, message, len);
            check(handed <= 1);
        }
        break;
    case 2:
        if (streams[which % 8])
            hand_in(streams[which % 8], &from, bytes.data, bytes.len);
        break;
    default:
        act(which);
    }
    if (flags & 8)
        now += LN_MILLISECONDS(100) << (flags >> 4);
    drive();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_ice_mux_config config = { .udp_port = 3478, .tcp_port = 443, .tcp = true };
    struct ln_reader r;

    ln_rng_seed(&rng, 11);
    env = (struct ln_env){ .allocator = ln_allocator_libc(), .rng = &rng };
    memset(open_links, 0, sizeof open_links);
    memset(streams, 0, sizeof streams);
    last_link = listener = 0;
    listener_request = watch_request = 0;
    now = LN_SECONDS(1);
    check(ln_ice_mux_create(&mux, &config, &env) == 0);
    for (size_t i = 0; i < AGENTS; i++)
        add_agent(&agents[i]);
    drive();
    ln_reader_init(&r, data, len);
    for (int i = 0; i < RECORDS && ln_reader_left(&r) > 3; i++) {
        uint8_t flags = ln_read8(&r), which = ln_read8(&r);
        size_t size = ln_read16(&r);

        step(flags, which,
             ln_read_bytes(&r, size < ln_reader_left(&r) ? size : ln_reader_left(&r)));
    }
    for (size_t i = 0; i < AGENTS; i++)
        remove_agent(&agents[i]);
    drive();
    ln_ice_mux_free(mux);
    return 0;
}
