/* SPDX-License-Identifier: Apache-2.0
 * A signalling server under test: sockets by number, what was written to each, a clock that only
 * the test moves. */
#ifndef LN_TEST_SIGNAL_DRIVER_H
#define LN_TEST_SIGNAL_DRIVER_H

#include "base/address.h"
#include "servers/signal/core/signal.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define SOCKETS 300
#define TEXTS   128

struct socket {
    json_t *texts; /* what was written and not yet taken, in order */
    uint16_t close_code;
};

struct driver {
    struct ln_signal_config config;
    struct ln_signal *signal;
    struct socket sockets[SOCKETS];
    ln_time now;
};

static inline void driver_start(struct driver *d)
{
    if (ln_signal_create(&d->signal, &d->config, test_env()) != 0)
        d->signal = NULL;
    CHECK(d->signal);
    d->now = LN_SECONDS(1000);
}

static inline struct driver *driver_make(struct driver *d)
{
    for (int i = 0; i < SOCKETS; i++) /* of a test that ended early */
        json_decref(d->sockets[i].texts);
    memset(d, 0, sizeof *d);
    ln_signal_config_init(&d->config);
    d->config.stun_port = 3478;
    return d;
}

static inline struct driver *driver_init(struct driver *d)
{
    driver_make(d);
    driver_start(d);
    return d;
}

static inline void driver_end(struct driver *d)
{
    ln_signal_free(d->signal);
    for (int i = 0; i < SOCKETS; i++) {
        json_decref(d->sockets[i].texts);
        d->sockets[i].texts = NULL;
    }
}

static inline void driver_poll(struct driver *d)
{
    struct ln_signal_output out;

    while (ln_signal_poll(d->signal, &out)) {
        struct socket *s = &d->sockets[out.connection];

        CHECK(s->close_code == 0);
        if (out.close_code) {
            s->close_code = out.close_code;
            continue;
        }
        if (!s->texts)
            s->texts = json_array();
        json_array_append_new(s->texts, json_loadb(out.text, out.len, 0, NULL));
    }
}

static inline int driver_open_as(struct driver *d, uint64_t socket, const char *origin,
                                 const char *host)
{
    struct ln_signal_visitor visitor = { origin, host, ln_address_ipv4(192, 0, 2, 1, 4000) };

    json_decref(d->sockets[socket].texts);
    d->sockets[socket].texts = NULL;
    d->sockets[socket].close_code = 0;
    return ln_signal_open(d->signal, d->now, socket, &visitor);
}

static inline void driver_open(struct driver *d, uint64_t socket)
{
    CHECK(driver_open_as(d, socket, "https://example.org", "example.org") == 0);
}

static inline void driver_say(struct driver *d, uint64_t socket, const char *text)
{
    ln_signal_receive(d->signal, d->now, socket, text, strlen(text));
    driver_poll(d);
}

/* The first text not yet taken; fails the test when there is none. Valid until the next. */
static inline json_t *driver_take(struct driver *d, uint64_t socket)
{
    static json_t *last;
    json_t *first = json_array_get(d->sockets[socket].texts, 0);

    CHECK(first);
    json_decref(last);
    last = json_incref(first);
    json_array_remove(d->sockets[socket].texts, 0);
    return last;
}

static inline size_t driver_waiting(const struct driver *d, uint64_t socket)
{
    return json_array_size(d->sockets[socket].texts);
}

static inline const char *text_of(const json_t *message, const char *member)
{
    const char *text = json_string_value(json_object_get(message, member));

    return text ? text : "";
}

static inline long long number_of(const json_t *message, const char *member)
{
    return json_integer_value(json_object_get(message, member));
}

static inline bool is(const json_t *message, const char *type)
{
    return strcmp(text_of(message, "type"), type) == 0;
}

/* Takes the next text, which must be an error of this code. */
static inline void driver_expect_error(struct driver *d, uint64_t socket, const char *code)
{
    json_t *message = driver_take(d, socket);

    CHECK(is(message, "error"));
    CHECK_TEXT(text_of(message, "code"), code);
    CHECK(strlen(text_of(message, "sentence")) > 10);
}

struct member_of_room {
    uint64_t socket;
    char id[80], secret[80];
};

static inline struct member_of_room driver_join(struct driver *d, uint64_t socket, const char *room,
                                                const char *name)
{
    struct member_of_room m = { .socket = socket };
    char text[256];
    json_t *joined;

    driver_open(d, socket);
    snprintf(text, sizeof text, "{\"type\":\"join\",\"room\":\"%s\",\"name\":\"%s\"}", room, name);
    driver_say(d, socket, text);
    joined = driver_take(d, socket);
    CHECK(is(joined, "joined"));
    snprintf(m.id, sizeof m.id, "%s", text_of(joined, "id"));
    snprintf(m.secret, sizeof m.secret, "%s", text_of(joined, "resume"));
    return m;
}

static inline void driver_candidate(struct driver *d, const struct member_of_room *from,
                                    const struct member_of_room *to, int seq, const char *candidate)
{
    char text[512], number[32] = "";

    if (seq > 0)
        snprintf(number, sizeof number, "\"seq\":%d,", seq);
    snprintf(text, sizeof text,
             "{\"type\":\"candidate\",%s\"to\":\"%s\",\"candidate\":{\"candidate\":\"%s\","
             "\"sdpMid\":\"0\",\"sdpMLineIndex\":0,\"usernameFragment\":null,\"x\":1}}",
             number, to->id, candidate);
    driver_say(d, from->socket, text);
}

static inline void driver_break(struct driver *d, uint64_t socket)
{
    ln_signal_closed(d->signal, d->now, socket);
    driver_poll(d);
}

static inline void driver_resume(struct driver *d, struct member_of_room *m, uint64_t socket,
                                 long long ack)
{
    char text[256];

    driver_open(d, socket);
    m->socket = socket;
    snprintf(text, sizeof text,
             "{\"type\":\"resume\",\"id\":\"%s\",\"resume\":\"%s\",\"ack\":%lld}", m->id, m->secret,
             ack);
    driver_say(d, socket, text);
}

static inline void driver_advance(struct driver *d, ln_duration duration)
{
    ln_time end = d->now + duration, t;

    while ((t = ln_signal_next_timeout(d->signal)) <= end) {
        d->now = t > d->now ? t : d->now;
        ln_signal_on_timeout(d->signal, d->now);
        CHECK(ln_signal_next_timeout(d->signal) > d->now);
        driver_poll(d);
    }
    d->now = end;
}

#endif
