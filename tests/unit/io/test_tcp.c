/* SPDX-License-Identifier: Apache-2.0
 * Streams through real loopback sockets. */
#include "tests/unit/io/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends of a stream: `client` connects to `server`. */
struct streams {
    struct probe server, client;
    struct ln_address address; /* where the server listens */
    ln_link listener, at_server, at_client;
};

static void listen_on(struct streams *s, const char *ip)
{
    struct ln_request request = { .kind = LN_REQUEST_LISTEN_TCP, .id = 1, .local = address_of(ip) };
    const struct ln_answer *opened;

    probe_init(&s->server);
    probe_init(&s->client);
    s->server.ctx = s->client.ctx = s;
    probe_add(&s->server);
    probe_add(&s->client);
    probe_request(&s->server, &request);
    opened = wait_answer(&s->server, LN_ANSWER_OPENED, 1);
    s->listener = opened->link;
    s->address = opened->local;
    TRY(opened->remote.family == LN_FAMILY_NONE && opened->local.port != 0);
}

static void connect_to(struct streams *s, uint32_t id)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_TCP, .id = id, .remote = s->address };

    probe_request(&s->client, &request);
}

static bool server_has_stream(void *ctx)
{
    struct streams *s = ctx;
    const struct probe_answer *a = probe_answer(&s->server, LN_ANSWER_OPENED, 1);

    return a && a->answer.remote.family != LN_FAMILY_NONE;
}

static void open_streams(struct streams *s, const char *ip)
{
    const struct ln_answer *opened;

    memset(s, 0, sizeof *s);
    listen_on(s, ip);
    connect_to(s, 2);
    opened = wait_answer(&s->client, LN_ANSWER_OPENED, 2);
    s->at_client = opened->link;
    run_until(server_has_stream, s);
    s->at_server = probe_answer(&s->server, LN_ANSWER_OPENED, 1)->answer.link;
    TRY(ln_address_equal(&opened->remote, &s->address));
    TRY(ln_address_equal(&opened->local,
                         &probe_answer(&s->server, LN_ANSWER_OPENED, 1)->answer.remote));
}

LN_TEST(io_tcp, a_stream_is_told_at_both_ends_with_the_request_ids)
{
    struct streams s;

    probe_loop(NULL);
    open_streams(&s, "127.0.0.1");
    TRY(s.at_server != s.at_client && s.at_server != s.listener);
    probe_loop_close();
    probe_loop(NULL);
    open_streams(&s, "[::1]:0");
    probe_loop_close();
}

/* ---- echo ---- */

#define ECHO_BYTES 300000u

struct echo {
    struct streams s;
    uint8_t back[ECHO_BYTES]; /* at the server, to be sent back */
    size_t got, returned, sent, checked, wrong;
    size_t step;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

static int client_writes(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct echo *e = probe->ctx;
    size_t left = ECHO_BYTES - e->sent;

    (void)now;
    if (left == 0 || e->s.at_client == 0)
        return 0;
    e->step = e->step * 7 % 9973 + 1; /* pieces of all sizes */
    out->path.link = e->s.at_client;
    out->len = left < e->step ? left : e->step;
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = byte_at(e->sent + i);
    e->sent += out->len;
    return 1;
}

static void client_checks(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct echo *e = probe->ctx;

    (void)now;
    for (size_t i = 0; i < packet->len; i++)
        e->wrong += packet->data[i] != byte_at(e->checked + i);
    e->checked += packet->len;
}

static void server_reads(struct probe *probe, ln_time now, struct ln_packet *packet)
{
    struct echo *e = probe->ctx;

    (void)now;
    if (packet->len > 16384 || e->got + packet->len > ECHO_BYTES)
        e->wrong++;
    else
        memcpy(e->back + e->got, packet->data, packet->len);
    e->got += packet->len;
}

/* In slices of up to 1,000 bytes. */
static int server_writes(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct echo *e = probe->ctx;

    (void)now;
    if (e->returned == e->got)
        return 0;
    out->path.link = e->s.at_server;
    while (out->slice_count < 5 && e->returned < e->got) {
        size_t len = e->got - e->returned < 1000 ? e->got - e->returned : 1000;
        struct ln_buffer *buffer = ln_buffer_copy(test_env()->pool, e->back + e->returned, len);

        if (!buffer)
            break;
        out->slices[out->slice_count].base = ln_buffer_bytes(buffer);
        out->slices[out->slice_count].len = len;
        out->slices[out->slice_count++].buffer = buffer;
        e->returned += len;
        out->len += len;
    }
    return out->slice_count > 0;
}

static bool echo_done(void *ctx)
{
    const struct echo *e = ctx;

    return e->checked >= ECHO_BYTES;
}

LN_TEST(io_tcp, an_echo_of_split_writes_is_complete_and_in_order)
{
    static struct echo e;

    memset(&e, 0, sizeof e);
    e.step = 1;
    probe_loop(NULL);
    open_streams(&e.s, "127.0.0.1");
    e.s.server.ctx = e.s.client.ctx = &e;
    e.s.client.transmit = client_writes;
    e.s.client.receive = client_checks;
    e.s.server.receive = server_reads;
    e.s.server.transmit = server_writes;
    ln_loop_touch(e.s.client.handle);
    run_until(echo_done, &e);
    TRY_EQUAL(e.wrong, 0);
    TRY_EQUAL(e.checked, ECHO_BYTES);
    TRY_EQUAL(test_env()->pool->in_use, 0);
    probe_loop_close();
}

/* ---- back-pressure ---- */

/* A client that keeps to the room it was told, against a peer that reads late. */
struct pressure {
    struct streams s;
    size_t room, sent, total;
    bool heedless;
};

static int press(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct pressure *p = probe->ctx;
    size_t len = 30000;

    (void)now;
    if (p->s.at_client == 0 || p->sent == p->total)
        return 0;
    if (!p->heedless && len > p->room)
        len = p->room;
    if (len > p->total - p->sent)
        len = p->total - p->sent;
    if (len == 0)
        return 0;
    out->path.link = p->s.at_client;
    out->len = len;
    memset(out->data, 0x5a, len);
    p->sent += len;
    p->room -= p->heedless ? 0 : len;
    return 1;
}

static void room_told(struct probe *probe, const struct ln_answer *answer)
{
    struct pressure *p = probe->ctx;

    if (answer->kind == LN_ANSWER_WRITABLE)
        p->room = answer->bytes;
}

static bool pressure_done(void *ctx)
{
    const struct pressure *p = ctx;

    return p->s.server.bytes >= p->total;
}

LN_TEST(io_tcp, a_full_stream_is_told_when_it_takes_more)
{
    struct ln_loop_config config = { .stream_queue_max = 100000 };
    struct pressure p = { .total = 4000000 };

    probe_loop(&config);
    open_streams(&p.s, "127.0.0.1");
    p.s.client.ctx = &p;
    p.s.client.transmit = press;
    p.s.client.answered = room_told;
    p.room = probe_answer(&p.s.client, LN_ANSWER_OPENED, 2)->answer.bytes;
    TRY_EQUAL(p.room, 100000);
    ln_loop_touch(p.s.client.handle);
    run_until(pressure_done, &p);
    TRY_EQUAL(p.s.server.bytes, 4000000);
    TRY_EQUAL(probe_count(&p.s.client, LN_ANSWER_CLOSED), 0);
    TRY(probe_count(&p.s.client, LN_ANSWER_WRITABLE) > 3);
    probe_loop_close();
}

/* A listening socket that is not the loop's: its streams are never read. */
static int listen_raw(struct ln_address *ret_address, int backlog)
{
    struct sockaddr_in name = { .sin_family = AF_INET };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    TRY(fd >= 0);
    TRY(bind(fd, (struct sockaddr *)&name, len) == 0 && listen(fd, backlog) == 0);
    TRY(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
    *ret_address = address_of("127.0.0.1");
    ret_address->port = ntohs(name.sin_port);
    return fd;
}

LN_TEST(io_tcp, a_stream_given_more_than_it_takes_is_closed)
{
    struct ln_loop_config config = { .stream_queue_max = 100000 };
    struct pressure p = { .total = 100000000, .heedless = true };
    int raw;

    probe_loop(&config);
    listen_on(&p.s, "127.0.0.1");
    raw = listen_raw(&p.s.address, 8);
    connect_to(&p.s, 2);
    p.s.at_client = wait_answer(&p.s.client, LN_ANSWER_OPENED, 2)->link;
    p.s.client.ctx = &p;
    p.s.client.transmit = press;
    ln_loop_touch(p.s.client.handle);
    TRY_EQUAL(wait_answer(&p.s.client, LN_ANSWER_CLOSED, 0)->error, LN_ERR_LIMIT);
    close(raw);
    probe_loop_close();
}

/* A stream to a reader that has not begun to read: most of what is sent waits at our end. */
static int open_clogged(struct pressure *p)
{
    struct ln_loop_config config = { .stream_queue_max = 30000000 };
    int raw, reader;

    probe_loop(&config);
    listen_on(&p->s, "127.0.0.1");
    raw = listen_raw(&p->s.address, 8);
    connect_to(&p->s, 2);
    p->s.at_client = wait_answer(&p->s.client, LN_ANSWER_OPENED, 2)->link;
    reader = accept4(raw, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(raw);
    TRY(reader >= 0);
    p->s.client.ctx = p;
    p->s.client.transmit = press;
    ln_loop_touch(p->s.client.handle);
    while (p->sent < p->total && p->s.client.answer_count == 1)
        TRY(ln_loop_run_once(test_loop, 0) == 0);
    return reader;
}

static size_t read_all(int reader)
{
    ln_time limit = ln_loop_now(test_loop) + LN_SECONDS(4);
    static uint8_t data[65536];
    size_t total = 0;

    while (ln_loop_now(test_loop) < limit) {
        ssize_t n = read(reader, data, sizeof data);

        if (n == 0)
            break;
        total += n > 0 ? (size_t)n : 0;
        TRY(ln_loop_run_once(test_loop, 0) == 0);
    }
    return total;
}

LN_TEST(io_tcp, queued_bytes_are_sent_after_the_close)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct pressure p = { .total = 20000000, .heedless = true };
    int reader = open_clogged(&p);
    size_t total;

    close_it.link = p.s.at_client;
    probe_request(&p.s.client, &close_it);
    run_idle();
    total = read_all(reader);
    close(reader);
    TRY_EQUAL(total, test_allocator()->failed ? total : 20000000);
    TRY_EQUAL(probe_count(&p.s.client, LN_ANSWER_CLOSED), test_allocator()->failed);
    probe_loop_close();
}

LN_TEST(io_tcp, queued_bytes_are_sent_after_the_endpoint_is_gone)
{
    struct pressure p = { .total = 20000000, .heedless = true };
    int reader = open_clogged(&p);
    size_t total;

    ln_loop_remove_endpoint(p.s.client.handle);
    total = read_all(reader);
    close(reader);
    TRY_EQUAL(total, test_allocator()->failed ? total : 20000000);
    probe_loop_close();
}

LN_TEST(io_tcp, a_reader_that_never_reads_is_given_up)
{
    struct pressure p = { .total = 20000000, .heedless = true };
    int before = count_descriptors(), reader = open_clogged(&p);

    ln_loop_remove_endpoint(p.s.client.handle);
    run_idle();
    probe_loop_close(); /* at the latest with the loop */
    close(reader);
    CHECK_EQUAL(count_descriptors(), before);
}

LN_TEST(io_tcp, a_reset_in_the_middle_is_told)
{
    struct pressure p = { .total = 20000000, .heedless = true };
    int reader = open_clogged(&p);
    const struct ln_answer *closed;

    close(reader); /* with unread bytes: a reset */
    closed = wait_answer(&p.s.client, LN_ANSWER_CLOSED, 0);
    TRY(closed->error == LN_ERR_RESET || test_allocator()->failed);
    probe_loop_close();
}

LN_TEST(io_tcp, a_connect_leaves_from_the_address_it_was_given)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_TCP, .id = 3 };
    struct streams s;

    probe_loop(NULL);
    listen_on(&s, "127.0.0.1");
    request.local = address_of("127.0.0.3");
    request.remote = s.address;
    probe_request(&s.client, &request);
    wait_answer(&s.client, LN_ANSWER_OPENED, 3);
    run_until(server_has_stream, &s);
    TRY_EQUAL(probe_answer(&s.server, LN_ANSWER_OPENED, 1)->answer.remote.ip[3], 3);
    request.id = 4;
    request.local = address_of("192.0.2.254"); /* not ours */
    probe_request(&s.client, &request);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 4)->error, LN_ERR_NOT_FOUND);
    request.id = 5;
    memset(&request.remote, 0, sizeof request.remote);
    probe_request(&s.client, &request);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 5)->error, LN_ERR_NOT_SUPPORTED);
    probe_loop_close();
}

LN_TEST(io_tcp, workers_share_a_port_when_told_to)
{
    struct ln_loop_config config = { .ports = LN_LOOP_PORTS_SHARED };
    struct ln_request request = { .kind = LN_REQUEST_LISTEN_TCP, .id = 3 };
    struct streams s;

    probe_loop(NULL);
    listen_on(&s, "127.0.0.1");
    request.local = s.address;
    probe_request(&s.client, &request);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 3)->error, LN_ERR_ADDRESS_IN_USE);
    probe_loop_close();
    probe_loop(&config); /* the port is free again */
    probe_init(&s.client);
    probe_add(&s.client);
    for (request.id = 4; request.id < 6; request.id++) {
        probe_request(&s.client, &request);
        wait_answer(&s.client, LN_ANSWER_OPENED, request.id);
    }
    for (request.id = 6; request.id < 8; request.id++) {
        request.kind = LN_REQUEST_OPEN_UDP;
        probe_request(&s.client, &request);
        wait_answer(&s.client, LN_ANSWER_OPENED, request.id);
    }
    probe_loop_close();
}

/* A socket of another program that shares this port of 127.0.0.1, or one that is free (0); -1 when
 * it may not. */
static int share(int type, uint16_t *port)
{
    struct sockaddr_in name = { .sin_family = AF_INET,
                                .sin_port = htons(*port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&name, len) != 0 ||
        (type == SOCK_STREAM && listen(fd, 1) != 0) ||
        getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(name.sin_port);
    return fd;
}

/* Two programs at one port would each have half of the clients. */
LN_TEST(io_tcp, the_first_worker_takes_no_port_that_a_stranger_shares)
{
    static const struct {
        enum ln_request_kind kind;
        int type;
    } rows[] = { { LN_REQUEST_LISTEN_TCP, SOCK_STREAM }, { LN_REQUEST_OPEN_UDP, SOCK_DGRAM } };
    struct ln_loop_config config = { .ports = LN_LOOP_PORTS_FIRST };
    struct probe p;

    probe_loop(&config);
    probe_init(&p);
    probe_add(&p);
    for (uint32_t i = 0; i < 2; i++) {
        struct ln_request request = { .kind = rows[i].kind, .id = 10 * i + 3 };
        uint16_t port = 0;
        int stranger = share(rows[i].type, &port);

        TRY(stranger >= 0);
        request.local = address_of("127.0.0.1");
        request.local.port = port;
        probe_request(&p, &request);
        TRY_EQUAL(wait_answer(&p, LN_ANSWER_FAILED, request.id)->error, LN_ERR_ADDRESS_IN_USE);
        close(stranger);
        request.id++;
        probe_request(&p, &request);
        wait_answer(&p, LN_ANSWER_OPENED, request.id);
        stranger = share(rows[i].type, &port); /* as the next worker does */
        TRY(stranger >= 0);
        close(stranger);
    }
    probe_loop_close();
}

LN_TEST(io_tcp, the_streams_of_a_source_come_to_one_worker)
{
    struct ln_loop_config config = { .ports = LN_LOOP_PORTS_SHARED, .by_source = 2 };
    struct ln_request request = { .kind = LN_REQUEST_LISTEN_TCP, .id = 3 };
    struct streams s;

    probe_loop(&config);
    listen_on(&s, "127.0.0.1");
    request.local = s.address; /* a port that is free: the listener shares it with nobody */
    request.local.ip[3] = 9;
    for (request.id = 3; request.id < 5; request.id++) {
        probe_request(&s.client, &request);
        wait_answer(&s.client, LN_ANSWER_OPENED, request.id);
    }
    request.kind = LN_REQUEST_OPEN_TCP;
    request.remote = request.local;
    for (request.id = 10; request.id < 20; request.id++) {
        request.local = address_of(request.id % 2 ? "127.0.0.3" : "127.0.0.2");
        probe_request(&s.server, &request);
        wait_answer(&s.server, LN_ANSWER_OPENED, request.id);
    }
    run_idle();
    for (size_t i = 2; i < s.client.answer_count; i++) {
        const struct ln_answer *a = &s.client.answers[i].answer;

        TRY(a->kind == LN_ANSWER_OPENED && a->id == (a->remote.ip[3] == 2 ? 3 : 4));
    }
    TRY_EQUAL(s.client.answer_count, 12);
    probe_loop_close();
}

LN_TEST(io_tcp, streams_leave_from_the_port_of_an_exclusive_listener)
{
    struct ln_loop_config config = { .ports = LN_LOOP_PORTS_SHARED };
    struct ln_request request = { .kind = LN_REQUEST_LISTEN_TCP, .id = 3, .exclusive = true };
    struct streams s;

    probe_loop(&config);
    listen_on(&s, "127.0.0.1");
    request.local = address_of("127.0.0.1");
    probe_request(&s.client, &request);
    request.local = wait_answer(&s.client, LN_ANSWER_OPENED, 3)->local;
    request.id = 4;
    probe_request(&s.client, &request);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 4)->error, LN_ERR_ADDRESS_IN_USE);
    request.kind = LN_REQUEST_OPEN_TCP;
    request.remote = s.address;
    request.id = 5;
    probe_request(&s.client, &request);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_OPENED, 5)->local.port, request.local.port);
    run_until(server_has_stream, &s);
    TRY_EQUAL(probe_answer(&s.server, LN_ANSWER_OPENED, 1)->answer.remote.port, request.local.port);
    s.address = request.local; /* and it accepts as before */
    connect_to(&s, 6);
    wait_answer(&s.client, LN_ANSWER_OPENED, 6);
    probe_loop_close();
}

/* ---- windows ---- */

static void set_window(struct probe *probe, ln_link link, size_t bytes)
{
    struct ln_request request = { .kind = LN_REQUEST_WINDOW, .link = link, .bytes = bytes };

    probe_request(probe, &request);
    run_idle();
}

LN_TEST(io_tcp, a_window_bounds_what_is_read_to_the_byte)
{
    struct pressure p = { .total = 300000 };

    probe_loop(NULL);
    open_streams(&p.s, "127.0.0.1");
    set_window(&p.s.server, p.s.at_server, 0);
    p.s.client.ctx = &p;
    p.s.client.transmit = press;
    p.room = p.total;
    ln_loop_touch(p.s.client.handle);
    run_idle();
    TRY_EQUAL(p.s.server.bytes, 0);
    set_window(&p.s.server, p.s.at_server, 1);
    TRY_EQUAL(p.s.server.bytes, 1);
    set_window(&p.s.server, p.s.at_server, 20000); /* more than a piece */
    TRY_EQUAL(p.s.server.bytes, 20001);
    set_window(&p.s.server, p.s.at_server, SIZE_MAX);
    run_until(pressure_done, &p);
    TRY_EQUAL(p.s.server.bytes, 300000);
    probe_loop_close();
}

LN_TEST(io_tcp, a_reset_is_told_though_nothing_is_read)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct pressure p = { .total = 1000 };

    probe_loop(NULL);
    open_streams(&p.s, "127.0.0.1");
    set_window(&p.s.server, p.s.at_server, 0);
    set_window(&p.s.client, p.s.at_client, 0);
    p.s.server.ctx = p.s.client.ctx = &p;
    p.s.client.transmit = press;
    p.room = p.total;
    ln_loop_touch(p.s.client.handle);
    run_idle();
    close_it.link = p.s.at_server; /* with bytes that it has not read: a reset */
    probe_request(&p.s.server, &close_it);
    TRY_EQUAL(wait_answer(&p.s.client, LN_ANSWER_CLOSED, 0)->error, LN_ERR_RESET);
    probe_loop_close();
}

/* ---- ends ---- */

LN_TEST(io_tcp, a_close_is_told_to_the_other_end)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    const struct ln_answer *closed;
    struct streams s;

    probe_loop(NULL);
    open_streams(&s, "127.0.0.1");
    close_it.link = s.at_client;
    probe_request(&s.client, &close_it);
    closed = wait_answer(&s.server, LN_ANSWER_CLOSED, 0);
    TRY(closed->link == s.at_server && closed->error == 0);
    TRY_EQUAL(probe_count(&s.client, LN_ANSWER_CLOSED), 0);
    probe_loop_close();
}

LN_TEST(io_tcp, a_refused_connect_is_told)
{
    struct streams s;

    probe_loop(NULL);
    listen_on(&s, "127.0.0.1");
    s.address.port = 1;
    connect_to(&s, 9);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 9)->error, LN_ERR_REFUSED);
    probe_loop_close();
}

/* A listener whose backlog is full does not answer. */
static int silent_listener(struct ln_address *ret_address, int fillers[4])
{
    int fd = listen_raw(ret_address, 0);

    for (int i = 0; i < 4; i++) {
        struct sockaddr_in name = { .sin_family = AF_INET };

        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port = htons(ret_address->port);
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&name, sizeof name);
    }
    return fd;
}

LN_TEST(io_tcp, a_connect_that_nobody_answers_ends_in_time)
{
    struct ln_loop_config config = { .connect_timeout = LN_MILLISECONDS(30) };
    int raw, fillers[4];
    struct streams s;

    probe_loop(&config);
    listen_on(&s, "127.0.0.1");
    raw = silent_listener(&s.address, fillers);
    connect_to(&s, 9);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 9)->error, LN_ERR_TIMEOUT);
    close(raw);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    probe_loop_close();
}

LN_TEST(io_tcp, a_connect_can_be_taken_back)
{
    struct ln_request take_back = { .kind = LN_REQUEST_CLOSE, .id = 9 };
    struct ln_loop_stats stats;
    int raw, fillers[4];
    struct streams s;

    probe_loop(NULL);
    listen_on(&s, "127.0.0.1");
    raw = silent_listener(&s.address, fillers);
    connect_to(&s, 9);
    probe_request(&s.client, &take_back);
    run_idle();
    ln_loop_stats(test_loop, &stats);
    TRY_EQUAL(stats.links, 1);
    TRY_EQUAL(s.client.answer_count, 0);
    close(raw);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    probe_loop_close();
}

LN_TEST(io_tcp, a_listener_takes_no_more_streams_than_allowed)
{
    struct ln_loop_config config = { .streams_max = 2 };
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct streams s;

    probe_loop(&config);
    open_streams(&s, "127.0.0.1");
    connect_to(&s, 3);
    wait_answer(&s.client, LN_ANSWER_OPENED, 3);
    connect_to(&s, 4);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_CLOSED, 4)->link,
              probe_answer(&s.client, LN_ANSWER_OPENED, 4)->answer.link);
    TRY_EQUAL(probe_count(&s.server, LN_ANSWER_OPENED), 3); /* itself and two */
    close_it.link = s.at_server;                            /* makes room for one */
    probe_request(&s.server, &close_it);
    run_idle();
    connect_to(&s, 5);
    wait_answer(&s.client, LN_ANSWER_OPENED, 5);
    run_idle();
    TRY_EQUAL(probe_count(&s.server, LN_ANSWER_OPENED), 4);
    probe_loop_close();
}

LN_TEST(io_tcp, streams_outlive_their_listener)
{
    struct ln_request close_it = { .kind = LN_REQUEST_CLOSE };
    struct pressure p = { .total = 1000, .heedless = true };

    probe_loop(NULL);
    open_streams(&p.s, "127.0.0.1");
    close_it.link = p.s.listener;
    probe_request(&p.s.server, &close_it);
    run_idle();
    p.s.client.ctx = &p;
    p.s.client.transmit = press;
    ln_loop_touch(p.s.client.handle);
    run_until(pressure_done, &p);
    connect_to(&p.s, 7);
    TRY_EQUAL(wait_answer(&p.s.client, LN_ANSWER_FAILED, 7)->error, LN_ERR_REFUSED);
    probe_loop_close();
}

static void limit_descriptors(const struct rlimit *normal, int count)
{
    struct rlimit limit = *normal;

    limit.rlim_cur = (rlim_t)count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

LN_TEST(io_tcp, without_descriptors_an_open_fails_clearly_and_accepting_waits)
{
    struct rlimit normal;
    struct streams s;
    bool waited;
    int probe_fd;

    probe_loop(NULL);
    listen_on(&s, "127.0.0.1");
    probe_fd = dup(0); /* the lowest free number */
    close(probe_fd);
    getrlimit(RLIMIT_NOFILE, &normal);
    limit_descriptors(&normal, probe_fd);
    probe_open_udp(&s.client, 5, "127.0.0.1");
    run_idle();
    limit_descriptors(&normal, probe_fd + 1); /* one: the client's own end */
    connect_to(&s, 6);
    run_idle();
    waited = !server_has_stream(&s);
    setrlimit(RLIMIT_NOFILE, &normal);
    TRY_EQUAL(wait_answer(&s.client, LN_ANSWER_FAILED, 5)->error, LN_ERR_LIMIT);
    TRY(waited);
    run_until(server_has_stream, &s); /* after the pause */
    probe_loop_close();
}
