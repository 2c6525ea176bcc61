/* SPDX-License-Identifier: Apache-2.0
 * usrsctp as the other end (AF_CONN, no threads of its own at work, its timers driven by our
 * virtual time): set-up, messages both ways under loss, messages in pieces both ways, partial
 * reliability, stream reset, shutdown. A program of its own, since usrsctp lives in globals. Ends
 * with `N passed, N failed`.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/pool.h"
#include "base/rng.h"
#include "sctp/sctp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <usrsctp.h>

#define MESSAGES    200u
#define MESSAGE_MAX 100000u
#define WIRE_MAX    8192u
#define PIECES      300u  /* of a message in pieces */
#define PIECE_BYTES 4000u /* as long as that; in all above what we take whole */
#define OUR_PIECES  20u   /* of ours, which it takes whole */

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                 \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

struct wire {
    struct {
        ln_time at;
        size_t len;
        uint8_t *data;
        bool to_us;
    } packets[WIRE_MAX];
    size_t head, tail;
};

static struct wire wire;
static struct ln_rng rng;
static double loss;
static ln_time now;
static struct ln_sctp *ours;
static struct socket *theirs;
static struct {
    size_t received, resets_in, resets_out;
    bool wrong, up, closed;
    uint8_t partial[MESSAGE_MAX + 8];
    size_t partial_len;
    size_t extra;
} their;

/* usrsctp asks the system for the age of a chunk: it shall hear our time. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv,
                                                        void *restrict zone)
{
    (void)zone;
    tv->tv_sec = now / LN_SECONDS(1);
    tv->tv_usec = now % LN_SECONDS(1) / 1000;
    return 0;
}

static void put(const void *data, size_t len, bool to_us)
{
    size_t i = wire.tail % WIRE_MAX;
    if (ln_rng_unit(&rng) < loss || wire.tail - wire.head == WIRE_MAX)
        return;
    wire.packets[i].at = now + LN_MILLISECONDS(10);
    wire.packets[i].len = len;
    wire.packets[i].data = malloc(len);
    wire.packets[i].to_us = to_us;
    if (!wire.packets[i].data)
        abort();
    memcpy(wire.packets[i].data, data, len);
    wire.tail++;
}

static int conn_output(void *address, void *buffer, size_t len, uint8_t tos, uint8_t set_df)
{
    (void)address;
    (void)tos;
    (void)set_df;
    put(buffer, len, true);
    return 0;
}

static size_t size_of(size_t i)
{
    return i % 10 == 0 ? 4 + (i * 7919) % (MESSAGE_MAX - 4) : 4 + (i * 131) % 3000;
}

static void fill(uint8_t *data, size_t i, size_t len)
{
    ln_store32(data, (uint32_t)i);
    for (size_t k = 4; k < len; k++)
        data[k] = (uint8_t)(i * 13 + k);
}

static bool same(const uint8_t *data, size_t len)
{
    size_t i = len >= 4 ? ln_load32(data) : 0;

    if (len < 4 || len != size_of(i))
        return false;
    for (size_t k = 4; k < len; k++)
        if (data[k] != (uint8_t)(i * 13 + k))
            return false;
    return true;
}

static void on_notification(const union sctp_notification *n)
{
    if (n->sn_header.sn_type == SCTP_ASSOC_CHANGE) {
        if (n->sn_assoc_change.sac_state == SCTP_COMM_UP)
            their.up = true;
        else
            their.closed = true;
    } else if (n->sn_header.sn_type == SCTP_STREAM_RESET_EVENT) {
        if (n->sn_strreset_event.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)
            their.resets_in++;
        if (n->sn_strreset_event.strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN)
            their.resets_out++;
    }
}

static int on_receive(struct socket *socket, union sctp_sockstore address, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *context)
{
    (void)socket;
    (void)address;
    (void)context;
    if (!data)
        return 1;
    if (flags & MSG_NOTIFICATION) {
        on_notification(data);
    } else if (their.partial_len + len > sizeof their.partial) {
        their.wrong = true;
    } else {
        memcpy(their.partial + their.partial_len, data, len);
        their.partial_len += len;
        if (flags & MSG_EOR) {
            if (ntohl(info.rcv_ppid) == 77)
                their.extra++;
            else if (same(their.partial, their.partial_len) &&
                     ln_load32(their.partial) == their.received)
                their.received++;
            else
                their.wrong = true;
            their.partial_len = 0;
        }
    }
    free(data);
    return 1;
}

static struct sockaddr_conn conn_address(void)
{
    struct sockaddr_conn address;

    memset(&address, 0, sizeof address);
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(5000);
    address.sconn_addr = &wire;
    return address;
}

static bool open_theirs(void)
{
    static const uint16_t events[] = { SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT };
    struct sockaddr_conn address = conn_address();
    struct sctp_initmsg init = { .sinit_num_ostreams = 1024, .sinit_max_instreams = 1024 };
    struct sctp_assoc_value reset = { .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ |
                                                     SCTP_ENABLE_CHANGE_ASSOC_REQ };
    struct sctp_rtoinfo rto = { .srto_initial = 500, .srto_min = 300, .srto_max = 2000 };
    int size = 1 << 20, whole = 1 << 19;

    theirs = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, NULL, 0, NULL);
    REQUIRE(theirs);
    REQUIRE(usrsctp_set_non_blocking(theirs, 1) == 0);
    usrsctp_setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    usrsctp_setsockopt(theirs, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof rto);
    /* Its partial delivery loses data; whole messages only. */
    usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_PARTIAL_DELIVERY_POINT, &whole, sizeof whole);
    usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init);
    usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &reset, sizeof reset);
    for (size_t i = 0; i < 2; i++) {
        struct sctp_event event = { .se_assoc_id = SCTP_ALL_ASSOC,
                                    .se_type = events[i],
                                    .se_on = 1 };

        usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
    }
    REQUIRE(usrsctp_bind(theirs, (struct sockaddr *)&address, sizeof address) == 0);
    usrsctp_connect(theirs, (struct sockaddr *)&address, sizeof address);
    return true;
}

static bool send_theirs(size_t i)
{
    static uint8_t data[MESSAGE_MAX];
    struct sctp_sndinfo info = { .snd_sid = 5, .snd_ppid = htonl(53) };
    size_t len = size_of(i);

    fill(data, i, len);
    return usrsctp_sendv(theirs, data, len, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) ==
           (ssize_t)len;
}

/* One step of 5 ms on both sides. */
static void step(void)
{
    uint8_t out[1200];
    size_t len;

    now += LN_MILLISECONDS(5);
    usrsctp_handle_timers(5);
    if (ln_sctp_next_timeout(ours) <= now)
        ln_sctp_on_timeout(ours, now);
    while ((len = ln_sctp_poll_transmit(ours, now, out, sizeof out)) > 0)
        put(out, len, false);
    while (wire.head < wire.tail && wire.packets[wire.head % WIRE_MAX].at <= now) {
        size_t i = wire.head++ % WIRE_MAX;

        if (wire.packets[i].to_us)
            ln_sctp_receive(ours, now, wire.packets[i].data, wire.packets[i].len);
        else
            usrsctp_conninput(&wire, wire.packets[i].data, wire.packets[i].len, 0);
        free(wire.packets[i].data);
    }
    while ((len = ln_sctp_poll_transmit(ours, now, out, sizeof out)) > 0)
        put(out, len, false);
}

static bool transfer(void)
{
    static uint8_t data[MESSAGE_MAX];
    size_t sent = 0, their_sent = 0, received = 0;
    struct ln_sctp_event event;

    their.received = 0;

    for (int i = 0; i < 60000 && (received < MESSAGES || their.received < MESSAGES); i++) {
        while (sent < MESSAGES && ln_sctp_buffered_amount(ours, 3) < 500000) {
            fill(data, sent, size_of(sent));
            REQUIRE(ln_sctp_send(ours, 3, 53, data, size_of(sent), NULL) == 0);
            sent++;
        }
        while (their_sent < MESSAGES && send_theirs(their_sent))
            their_sent++;
        step();
        while (ln_sctp_poll_event(ours, &event)) {
            REQUIRE(event.kind != LN_SCTP_EVENT_CLOSED);
            if (event.kind != LN_SCTP_EVENT_MESSAGE)
                continue;
            REQUIRE(event.stream == 5 && same(event.data, event.len));
            REQUIRE(ln_load32(event.data) == received);
            received++;
        }
        REQUIRE(!their.wrong);
    }
    REQUIRE(received == MESSAGES && their.received == MESSAGES);
    return true;
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* The next bytes of a message, from `at` on; how many of them it took. */
static size_t send_a_piece(size_t at)
{
    struct sctp_sndinfo info = { .snd_sid = 6, .snd_ppid = htonl(53) };
    size_t left = PIECES * PIECE_BYTES - at;
    uint8_t data[PIECE_BYTES];
    ssize_t taken;

    /* The last byte alone, so that it is not taken in part. */
    left = left > PIECE_BYTES ? PIECE_BYTES : left > 1 ? left - 1 : left;
    if (at + left == PIECES * PIECE_BYTES)
        info.snd_flags = SCTP_EOR;
    if (left == 0)
        return 0;
    for (size_t k = 0; k < left; k++)
        data[k] = byte_at(at + k);
    taken = usrsctp_sendv(theirs, data, left, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0);
    return taken > 0 ? (size_t)taken : 0;
}

/* It sends one message piece by piece (EXPLICIT_EOR), which we are told in parts. */
static bool their_message_in_pieces(void)
{
    size_t sent = 0, read = 0, lasts = 0, parts = 0;
    struct ln_sctp_event event;
    int on = 1;

    REQUIRE(usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_EXPLICIT_EOR, &on, sizeof on) == 0);
    REQUIRE(ln_sctp_set_parts(ours, 6, true) == 0);
    for (int i = 0; i < 60000 && lasts == 0; i++) {
        sent += send_a_piece(sent);
        step();
        while (ln_sctp_poll_event(ours, &event)) {
            REQUIRE(event.kind == LN_SCTP_EVENT_PART && event.stream == 6);
            REQUIRE(event.first == (read == 0));
            for (size_t k = 0; k < event.len; k++)
                REQUIRE(event.data[k] == byte_at(read + k));
            read += event.len;
            lasts += event.last;
            parts++;
        }
    }
    REQUIRE(lasts == 1 && parts > 10 && read == PIECES * PIECE_BYTES);
    on = 0;
    REQUIRE(usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_EXPLICIT_EOR, &on, sizeof on) == 0);
    return true;
}

/* We write one slowly, think better of the next, and write a third. */
static bool our_messages_in_pieces(void)
{
    static uint8_t data[4000];
    size_t before = their.extra, taken;

    for (int message = 0; message < 3; message++) {
        REQUIRE(ln_sctp_begin_message(ours, 9, 77, UINT64_MAX, NULL) == 0);
        for (size_t i = 0; i < OUR_PIECES; i++) {
            REQUIRE(ln_sctp_write_message(ours, 9, data, sizeof data, &taken) == 0);
            REQUIRE(taken == sizeof data);
            for (int k = 0; k < 10; k++)
                step();
        }
        REQUIRE((message == 1 ? ln_sctp_abandon_message(ours, 9)
                              : ln_sctp_finish_message(ours, 9, 56)) == 0);
    }
    for (int i = 0; i < 4000 && their.extra < before + 2; i++)
        step();
    REQUIRE(their.extra == before + 2 && !their.wrong && !their.closed);
    return true;
}

/* Unreliable messages are skipped and the stream goes on. */
static bool partial(void)
{
    struct ln_sctp_send_options options = { true, LN_TIME_NEVER, 0 };

    their.extra = 0;
    for (int i = 0; i < 200; i++) {
        options.unordered = i & 1;
        REQUIRE(ln_sctp_send(ours, 7, 77, (const uint8_t *)"unreliable", 10, &options) == 0);
        step();
    }
    for (int i = 0; i < 2000; i++)
        step();
    REQUIRE(their.extra > 100 && their.extra < 200);
    return true;
}

static bool reset_streams(void)
{
    uint8_t bytes[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
    struct sctp_reset_streams *request = (struct sctp_reset_streams *)bytes;
    bool in = false, out = false;
    struct ln_sctp_event event;

    memset(bytes, 0, sizeof bytes);
    request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request->srs_number_streams = 1;
    request->srs_stream_list[0] = 5;
    REQUIRE(ln_sctp_reset_stream(ours, 3) == 0);
    REQUIRE(usrsctp_setsockopt(theirs, IPPROTO_SCTP, SCTP_RESET_STREAMS, request,
                               (socklen_t)sizeof bytes) == 0);
    for (int i = 0; i < 4000 && !(in && out && their.resets_in && their.resets_out); i++) {
        step();
        while (ln_sctp_poll_event(ours, &event)) {
            in |= event.kind == LN_SCTP_EVENT_INCOMING_RESET && event.stream == 5;
            out |= event.kind == LN_SCTP_EVENT_OUTGOING_RESET && event.stream == 3 &&
                   event.error == 0;
        }
    }
    REQUIRE(in && out && their.resets_in == 1 && their.resets_out == 1);
    return true;
}

static bool shut_down(bool by_us)
{
    struct ln_sctp_event event;

    if (by_us)
        ln_sctp_shutdown(ours);
    else
        usrsctp_shutdown(theirs, SHUT_WR);
    for (int i = 0; i < 4000; i++) {
        step();
        while (ln_sctp_poll_event(ours, &event)) {
            if (event.kind != LN_SCTP_EVENT_CLOSED)
                continue;
            REQUIRE(event.error == 0);
            for (int k = 0; k < 2000 && !their.closed; k++)
                step();
            REQUIRE(their.closed);
            return true;
        }
    }
    REQUIRE(!"closed");
    return false;
}

static bool run(const struct ln_env *env, uint64_t seed, double with_loss)
{
    struct ln_sctp_config config;
    bool ok;

    ln_rng_seed(&rng, seed);
    memset(&their, 0, sizeof their);
    now = LN_SECONDS(1);
    loss = with_loss;
    ln_sctp_config_init(&config);
    if (ln_sctp_create(&ours, &config, env) != 0 || !open_theirs())
        return false;
    ln_sctp_start(ours, now);
    for (int i = 0; i < 4000 && !(their.up && ln_sctp_state(ours) == LN_SCTP_CONNECTED); i++)
        step();
    ok = their.up && transfer() && their_message_in_pieces() && our_messages_in_pieces();
    if (ok && with_loss > 0)
        ok = partial();
    if (ok)
        ok = reset_streams();
    if (ok)
        ok = transfer(); /* from the first sequence number again */
    if (ok)
        ok = shut_down(seed & 1);
    usrsctp_close(theirs);
    ln_sctp_free(ours);
    while (wire.head < wire.tail)
        free(wire.packets[wire.head++ % WIRE_MAX].data);
    return ok;
}

int main(void)
{
    struct ln_rng env_rng;
    struct ln_env env = { ln_allocator_libc(), NULL, &env_rng, NULL };
    unsigned passed = 0, failed = 0;

    ln_rng_seed(&env_rng, 5);
    usrsctp_init_nothreads(0, conn_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(&wire);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        if (run(&env, seed, seed > 2 ? 0.03 : 0))
            passed++;
        else
            failed++;
    }
    usrsctp_deregister_address(&wire);
    for (int i = 0; i < 100 && usrsctp_finish() != 0; i++)
        usrsctp_handle_timers(1000);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
