/* SPDX-License-Identifier: Apache-2.0
 * Streams that are given away: by their first byte, and as one end of a pair. */
#include "tests/unit/io/probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

struct taking {
    struct probe object;
    struct ln_address address; /* where it listens */
    ln_link link;
    const char *words; /* that the object says next */
    char wanted;
    int fd, count;
    struct ln_address remote;
    bool secure;
};

static bool taking_wants(void *ctx, uint8_t first)
{
    return first == (uint8_t)((struct taking *)ctx)->wanted;
}

static void taking_take(void *ctx, int fd, const struct ln_address *remote, bool secure)
{
    struct taking *t = ctx;

    t->fd = fd;
    t->remote = *remote;
    t->secure = secure;
    t->count++;
}

static const struct ln_loop_taker taker = { taking_wants, taking_take };

static bool was_taken(void *ctx)
{
    return ((struct taking *)ctx)->count > 0;
}

static bool object_has_bytes(void *ctx)
{
    return ((struct taking *)ctx)->object.bytes > 0;
}

static int dial(const struct ln_address *to)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(to->port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memcpy(&name.sin_addr, to->ip, 4);
    TRY(fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0);
    return fd;
}

static void listen_shared(struct taking *t)
{
    struct ln_request request = {
        .kind = LN_REQUEST_LISTEN_TCP, .id = 1, .shared = true, .local = address_of("127.0.0.1")
    };

    ln_loop_set_taker(test_loop, &taker, t);
    probe_init(&t->object);
    probe_add(&t->object);
    probe_request(&t->object, &request);
    t->address = wait_answer(&t->object, LN_ANSWER_OPENED, 1)->local;
}

LN_TEST(io_taker, a_stream_that_begins_so_is_the_takers_and_not_a_byte_of_it_was_read)
{
    struct taking t = { .wanted = 'G' };
    char text[8];
    int fd;

    probe_loop(NULL);
    listen_shared(&t);
    fd = dial(&t.address);
    run_idle();
    TRY_EQUAL(t.count, 0); /* it has not begun */
    TRY(send(fd, "GET", 3, 0) == 3);
    run_until(was_taken, &t);
    TRY_EQUAL(recv(t.fd, text, sizeof text, MSG_DONTWAIT), 3);
    TRY(!t.secure && t.remote.family == LN_FAMILY_IPV4 && t.remote.port != 0);
    TRY_EQUAL(probe_answer(&t.object, LN_ANSWER_CLOSED, 0)->answer.error, 0);
    TRY_EQUAL(t.object.bytes, 0);
    close(t.fd);
    close(fd);
    probe_loop_close();
}

LN_TEST(io_taker, a_stream_that_begins_otherwise_stays_with_its_object)
{
    struct taking t = { .wanted = 'G' };
    int fd;

    probe_loop(NULL);
    listen_shared(&t);
    fd = dial(&t.address);
    TRY(send(fd, "\0GET", 4, 0) == 4);
    run_until(object_has_bytes, &t);
    TRY_EQUAL(t.object.bytes, 4);
    TRY(send(fd, "G", 1, 0) == 1); /* the first byte was another */
    run_idle();
    TRY_EQUAL(t.count, 0);
    close(fd);
    probe_loop_close();
}

static void set_window(struct taking *t, size_t bytes)
{
    struct ln_request request = { .kind = LN_REQUEST_WINDOW, .link = t->link, .bytes = bytes };

    probe_request(&t->object, &request);
    run_idle();
}

static int transmit_words(struct probe *probe, ln_time now, struct ln_transmit *out)
{
    struct taking *t = probe->ctx;

    (void)now;
    if (!t->words)
        return 0;
    out->path.link = t->link;
    out->len = strlen(t->words);
    memcpy(out->data, t->words, out->len);
    t->words = NULL;
    return 1;
}

static void say(struct taking *t, const char *words)
{
    t->words = words;
    t->object.ctx = t;
    t->object.transmit = transmit_words;
    ln_loop_touch(t->object.handle);
    run_idle();
}

static void open_pair(struct taking *t)
{
    struct ln_request request = { .kind = LN_REQUEST_OPEN_PAIR,
                                  .id = 3,
                                  .remote = address_of("192.0.2.7:4711") };

    ln_loop_set_taker(test_loop, &taker, t);
    probe_init(&t->object);
    probe_add(&t->object);
    probe_request(&t->object, &request);
    t->link = wait_answer(&t->object, LN_ANSWER_OPENED, 3)->link;
    TRY_EQUAL(t->count, 1);
}

LN_TEST(io_taker, a_pair_has_its_other_end_with_the_taker_and_the_address_beside_it)
{
    struct taking t = { .wanted = 'G' };

    probe_loop(NULL);
    open_pair(&t);
    TRY(t.secure && t.remote.port == 4711);
    TRY(send(t.fd, "hello", 5, MSG_NOSIGNAL) == 5);
    run_until(object_has_bytes, &t);
    TRY_EQUAL(t.object.bytes, 5);
    close(t.fd);
    TRY_EQUAL(wait_answer(&t.object, LN_ANSWER_CLOSED, 0)->link, t.link);
    probe_loop_close();
}

LN_TEST(io_taker, what_a_pairs_end_has_left_is_read_when_the_window_opens_and_nothing_spins)
{
    struct taking t = { .wanted = 'G' };
    struct ln_loop_stats before, after;

    probe_loop(NULL);
    open_pair(&t);
    set_window(&t, 0);
    TRY(send(t.fd, "goodbye", 7, MSG_NOSIGNAL) == 7);
    close(t.fd);
    run_idle();
    TRY_EQUAL(probe_count(&t.object, LN_ANSWER_CLOSED), 0);
    ln_loop_stats(test_loop, &before);
    for (int i = 0; i < 20; i++)
        TRY(ln_loop_run_once(test_loop, 0) == 0);
    ln_loop_stats(test_loop, &after);
    TRY(after.turns <= before.turns + 20);
    set_window(&t, 3);
    TRY_EQUAL(t.object.bytes, 3);
    set_window(&t, SIZE_MAX);
    TRY_EQUAL(t.object.bytes, 7);
    TRY_EQUAL(wait_answer(&t.object, LN_ANSWER_CLOSED, 0)->error, 0);
    probe_loop_close();
}

LN_TEST(io_taker, what_is_said_to_a_pairs_closed_end_costs_nothing_it_had_said)
{
    struct taking t = { .wanted = 'G' };

    probe_loop(NULL);
    open_pair(&t);
    set_window(&t, 0);
    TRY(send(t.fd, "refused", 7, MSG_NOSIGNAL) == 7);
    close(t.fd);
    say(&t, "too late");
    TRY_EQUAL(probe_count(&t.object, LN_ANSWER_CLOSED), 0);
    set_window(&t, SIZE_MAX);
    TRY_EQUAL(t.object.bytes, 7);
    TRY_EQUAL(wait_answer(&t.object, LN_ANSWER_CLOSED, 0)->error, 0);
    probe_loop_close();
}
