/* SPDX-License-Identifier: Apache-2.0
 * Where Redis is: texts that are right, and texts that are not. */
#include "cli/turn_redis.h"
#include "tests/support/test.h"

LN_TEST(redis, an_address_has_a_host_and_may_have_port_and_database)
{
    static const struct {
        const char *text, *host;
        int port, database;
    } rows[] = {
        { "127.0.0.1", "127.0.0.1", 6379, 0 },
        { "127.0.0.1:6380", "127.0.0.1", 6380, 0 },
        { "redis.example.org/2", "redis.example.org", 6379, 2 },
        { "redis.example.org:1/15", "redis.example.org", 1, 15 },
        { "[2001:db8::1]:6380/3", "2001:db8::1", 6380, 3 },
        { "[::1]", "::1", 6379, 0 },
    };
    struct turn_redis_address a;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(turn_redis_address_parse(rows[i].text, &a));
        CHECK_TEXT(a.host, rows[i].host);
        CHECK_EQUAL(a.port, rows[i].port);
        CHECK_EQUAL(a.database, rows[i].database);
    }
}

LN_TEST(redis, what_is_no_address_is_refused)
{
    static const char *const texts[] = {
        "",           ":6379",   "/0",      "host:",   "host:x",  "host:0",
        "host:65536", "host:1x", "host:+1", "host: 1", "host:1/", "host/x",
        "host/1/2",   "host/-1", "[::1",    "[::1]x",  "[]:1",    "[::1]:",
    };
    struct turn_redis_address a;
    char text[TURN_REDIS_HOST_MAX + 1];

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!turn_redis_address_parse(texts[i], &a));
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK(!turn_redis_address_parse(text, &a));
}
