/* SPDX-License-Identifier: Apache-2.0
 * Signalling: each line of the input is a message of one of four sockets, in turn. Two of them have
 * joined one room before; the room "t" asks for the token "secret". A line "~N" lets N seconds
 * pass, "!" breaks the socket whose turn it is.
 */
#include "servers/signal/core/signal.h"
#include "base/alloc.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define SOCKETS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void drain(struct ln_signal *signal)
{
    struct ln_signal_output out;

    while (ln_signal_poll(signal, &out))
        if (!out.close_code && (out.len == 0 || out.text[out.len] != '\0'))
            abort();
}

static void open_socket(struct ln_signal *signal, ln_time now, uint64_t number)
{
    struct ln_signal_visitor visitor = { .origin = NULL, .host = "[::1]:8080" };

    visitor.source.family = LN_FAMILY_IPV4;
    if (ln_signal_open(signal, now, number, &visitor) != 0)
        abort();
}

static void say(struct ln_signal *signal, ln_time now, uint64_t number, const uint8_t *text,
                size_t len)
{
    ln_signal_receive(signal, now, number, (const char *)text, len);
    drain(signal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct ln_signal_room_token token = { "t", "secret" };
    static const struct ln_signal_ice_server server = { "turn:192.0.2.1", "user", "password" };
    static const char join[] = "{\"type\":\"join\",\"room\":\"r\",\"name\":\"n\"}";
    struct ln_rng rng;
    struct ln_env env = { ln_allocator_libc(), NULL, &rng, NULL };
    struct ln_signal_config config;
    struct ln_signal *signal;
    uint64_t numbers[SOCKETS], next = 0, turn = 0;
    ln_time now = 0;

    ln_rng_seed(&rng, 1); /* the ids are then the same in every run, and stand in the corpus */
    ln_signal_config_init(&config);
    config.stun_port = config.turn_udp_port = config.turn_tcp_port = 3478;
    config.turns_port = 5349;
    config.turn_secret = "secret";
    config.ice_servers = &server;
    config.ice_server_count = 1;
    config.room_tokens = &token;
    config.room_token_count = 1;
    if (ln_signal_create(&signal, &config, &env) != 0)
        return 0;
    for (int i = 0; i < SOCKETS; i++)
        open_socket(signal, now, numbers[i] = next++);
    say(signal, now, numbers[0], (const uint8_t *)join, sizeof join - 1);
    say(signal, now, numbers[1], (const uint8_t *)join, sizeof join - 1);
    while (len > 0) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;
        uint64_t *number = &numbers[turn++ % SOCKETS];

        if (line >= 2 && data[0] == '~') {
            now += LN_SECONDS(data[1]);
            ln_signal_on_timeout(signal, now);
            if (ln_signal_next_timeout(signal) <= now)
                abort();
            drain(signal);
        } else if (line == 1 && data[0] == '!') {
            ln_signal_closed(signal, now, *number);
            open_socket(signal, now, *number = next++);
        } else {
            say(signal, now, *number, data, line);
        }
        data += end ? line + 1 : line;
        len -= end ? line + 1 : line;
    }
    ln_signal_free(signal);
    return 0;
}
