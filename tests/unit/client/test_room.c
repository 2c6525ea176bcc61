/* SPDX-License-Identifier: Apache-2.0
 * Rooms against the real signalling server: several clients in one process, each with its threads,
 * over loopback. Each test dispatches all of them until what it waits for has happened. */
#include "tests/support/test.h"
#include "tests/unit/client/server.h"

#include <linnet/client.h>

#include <arpa/inet.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_SECONDS 60 /* for what went wrong: a busy machine takes its time */

/* One client in one room, and what it saw. */
struct guest {
    ln_client *client;
    ln_room *room;
    int error;
    unsigned joined, left, connected, messages, reconnecting, joined_again, pictures, snapshots;
    unsigned told; /* how often figures came */
    int snapshot_error;
    char last[64];
    struct ln_participant_figures figures;
    bool echoes;
};

static void on_state(void *ctx, ln_room *room, enum ln_room_state state, int error,
                     const char *sentence)
{
    struct guest *guest = ctx;

    (void)room;
    (void)sentence;
    guest->error = error;
    guest->reconnecting += state == LN_ROOM_STATE_RECONNECTING;
    guest->joined_again += state == LN_ROOM_STATE_JOINED;
}

static void on_joined(void *ctx, ln_room *room, ln_participant *participant)
{
    struct guest *guest = ctx;

    (void)room;
    (void)participant;
    guest->joined++;
}

static void on_left(void *ctx, ln_room *room, ln_participant *participant)
{
    struct guest *guest = ctx;

    (void)room;
    (void)participant;
    guest->left++;
}

static void on_participant_state(void *ctx, ln_room *room, ln_participant *participant)
{
    struct guest *guest = ctx;

    (void)room;
    guest->connected += ln_participant_state(participant) == LN_PEER_CONNECTION_STATE_CONNECTED &&
                        ln_participant_can_receive(participant);
}

static void on_message(void *ctx, ln_room *room, ln_participant *from, const char *text, size_t len)
{
    struct guest *guest = ctx;

    guest->messages++;
    snprintf(guest->last, sizeof guest->last, "%.*s", (int)len, text);
    if (guest->echoes)
        CHECK_EQUAL(ln_room_send_message(room, from, text, len), 0);
}

static void on_picture(void *ctx, ln_room *room, ln_participant *from,
                       const struct ln_picture *picture)
{
    struct guest *guest = ctx;

    (void)room;
    (void)from;
    guest->pictures += picture->width > 0;
}

static void on_figures(void *ctx, ln_room *room, ln_participant *participant,
                       const struct ln_participant_figures *figures)
{
    struct guest *guest = ctx;

    (void)room;
    (void)participant;
    guest->figures = *figures;
    guest->told++;
}

static void on_snapshot(void *ctx, ln_room *room, ln_participant *participant, const char *path,
                        int error)
{
    struct guest *guest = ctx;

    (void)room;
    (void)participant;
    (void)path;
    guest->snapshots++;
    guest->snapshot_error = error;
}

static void enter_with(struct guest *guest, const struct ln_client_config *config, const char *url,
                       const char *name, enum ln_source_kind source, const char *token)
{
    struct ln_room_options options;

    memset(guest, 0, sizeof *guest);
    CHECK_EQUAL(ln_client_create(config, &guest->client), 0);
    ln_room_options_init(&options);
    options.name = name;
    options.token = token;
    options.video = options.audio = source;
    options.ctx = guest;
    options.on_state = on_state;
    options.on_participant_joined = on_joined;
    options.on_participant_left = on_left;
    options.on_participant_state = on_participant_state;
    options.on_message = on_message;
    options.on_picture = on_picture;
    options.on_figures = on_figures;
    options.on_snapshot = on_snapshot;
    CHECK_EQUAL(ln_room_join(guest->client, url, "demo", &options, &guest->room), 0);
}

static void enter(struct guest *guest, const char *url, const char *name,
                  enum ln_source_kind source, const char *token)
{
    struct ln_client_config config;

    ln_client_config_init(&config);
    config.include_loopback = true;
    enter_with(guest, &config, url, name, source, token);
}

/* Dispatches all until done() or the time is over. */
static bool wait_for(struct guest *guests, size_t count, bool (*done)(const struct guest *guests))
{
    time_t end = time(NULL) + LIMIT_SECONDS;

    while (!done(guests)) {
        struct pollfd ready[4];

        if (time(NULL) > end)
            return false;
        for (size_t i = 0; i < count; i++)
            ready[i] = (struct pollfd){ .fd = ln_client_fd(guests[i].client), .events = POLLIN };
        poll(ready, (nfds_t)count, 1000);
        for (size_t i = 0; i < count; i++)
            ln_client_dispatch(guests[i].client);
    }
    return true;
}

static bool first_is_joined(const struct guest *g)
{
    return g[0].joined_again > 0;
}

static bool both_connected(const struct guest *g)
{
    return g[0].connected > 0 && g[1].connected > 0;
}

static bool echo_came(const struct guest *g)
{
    return g[1].messages > 0;
}

/* A second in which a busy machine left gaps has another pitch. */
static bool hears_the_tone(const struct guest *g)
{
    return fabs(g->figures.audio_in.frequency_hz - 440) <= 5;
}

static bool seen_and_heard(const struct guest *g)
{
    return g[1].figures.video_in.numbers_read > 30 && hears_the_tone(&g[1]) &&
           g[1].figures.round_trip_ms >= 0 && g[1].figures.video_in.bitrate_bps > 0;
}

static bool snapshot_taken(const struct guest *g)
{
    return g[1].snapshots > 0;
}

static bool one_has_left(const struct guest *g)
{
    return g[0].left > 0;
}

static bool has_a_picture(const struct guest *g)
{
    return g[1].pictures > 0;
}

static bool told_twice(const struct guest *g)
{
    return g[0].told >= 2;
}

/* The application looks away while pictures come, and frees the room: they wait behind its last
 * word. */
LN_TEST(room, goes_while_its_pictures_wait)
{
    struct test_server *server = test_server_start(NULL, 0);
    struct guest guests[2], late;

    enter(&guests[0], test_server_url(server), "studio", LN_SOURCE_TEST, NULL);
    CHECK(wait_for(guests, 1, first_is_joined));
    enter(&guests[1], test_server_url(server), "guest", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 2, has_a_picture));
    guests[0].told = 0;
    CHECK(wait_for(guests, 1, told_twice));
    ln_room_free(guests[1].room);
    CHECK(wait_for(guests, 1, one_has_left));
    enter(&late, test_server_url(server), "late", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(&late, 1, first_is_joined));
    ln_client_free(guests[1].client);
    ln_client_free(late.client);
    ln_client_free(guests[0].client);
    test_server_stop(server);
}

LN_TEST(room, two_clients_see_hear_and_message_each_other)
{
    struct test_server *server = test_server_start(NULL, 0);
    struct guest guests[2];
    char path[] = "/tmp/linnet-test-XXXXXX";
    int fd = mkstemp(path);

    enter(&guests[0], test_server_url(server), "studio", LN_SOURCE_TEST, NULL);
    guests[0].echoes = true;
    CHECK(wait_for(guests, 1, first_is_joined));
    enter(&guests[1], test_server_url(server), "guest", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 2, both_connected));
    CHECK_EQUAL(ln_room_participant_count(guests[1].room), 1);
    CHECK_TEXT(ln_participant_name(ln_room_participant(guests[1].room, 0)), "studio");
    CHECK_EQUAL(ln_room_send_message(guests[1].room, NULL, "hello", 5), 0);
    CHECK(wait_for(guests, 2, echo_came));
    CHECK_TEXT(guests[1].last, "hello");
    CHECK(wait_for(guests, 2, seen_and_heard));
    CHECK_EQUAL(guests[1].figures.video_in.numbers_disordered, 0);
    CHECK(guests[1].pictures > 0);
    CHECK_EQUAL(ln_room_snapshot(guests[1].room, ln_room_participant(guests[1].room, 0), path), 0);
    CHECK(wait_for(guests, 2, snapshot_taken));
    CHECK_EQUAL(guests[1].snapshot_error, 0);
    CHECK(lseek(fd, 0, SEEK_END) == 0); /* the file was replaced, not written over */
    close(fd);
    unlink(path);
    ln_client_free(guests[1].client);
    CHECK(wait_for(guests, 1, one_has_left));
    ln_client_free(guests[0].client);
    test_server_stop(server);
}

static bool all_connected(const struct guest *g)
{
    return g[0].connected > 1 && g[1].connected > 0 && g[2].connected > 0;
}

/* How many UDP sockets of this process are bound to the port. */
static unsigned sockets_at(uint16_t port)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_storage name;
        socklen_t len = sizeof name, type_len = sizeof(int);
        int type = 0;

        if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 || type != SOCK_DGRAM)
            continue;
        if (name.ss_family == AF_INET)
            count += ntohs(((struct sockaddr_in *)&name)->sin_port) == port;
        else if (name.ss_family == AF_INET6)
            count += ntohs(((struct sockaddr_in6 *)&name)->sin6_port) == port;
    }
    return count;
}

static uint16_t free_udp_port(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK_EQUAL(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    CHECK_EQUAL(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    close(fd);
    return ntohs(name.sin_port);
}

LN_TEST(room, all_participants_come_by_one_port)
{
    struct test_server *server = test_server_start(NULL, 0);
    struct ln_client_config config;
    struct guest guests[3];
    unsigned sockets;

    ln_client_config_init(&config);
    config.include_loopback = true;
    config.one_port = true;
    config.udp_port = free_udp_port();
    enter_with(&guests[0], &config, test_server_url(server), "hub", LN_SOURCE_NONE, NULL);
    guests[0].echoes = true;
    CHECK(wait_for(guests, 1, first_is_joined));
    enter(&guests[1], test_server_url(server), "one", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 2, both_connected));
    sockets = sockets_at(config.udp_port);
    CHECK(sockets > 0);
    enter(&guests[2], test_server_url(server), "two", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 3, all_connected));
    CHECK_EQUAL(sockets_at(config.udp_port), sockets);
    CHECK_EQUAL(
        ln_room_send_message(guests[1].room, ln_room_participant(guests[1].room, 0), "hello", 5),
        0);
    CHECK(wait_for(guests, 3, echo_came));
    for (int i = 0; i < 3; i++)
        ln_client_free(guests[i].client);
    test_server_stop(server);
}

static bool cut_and_back(const struct guest *g)
{
    return g[0].reconnecting > 0 && g[0].joined_again > 1;
}

static bool third_seen(const struct guest *g)
{
    return g[0].joined == 2 && g[2].joined == 2;
}

LN_TEST(room, resumes_after_its_socket_was_cut_and_misses_nothing)
{
    struct test_server *server = test_server_start(NULL, 0);
    struct guest guests[3];

    enter(&guests[0], test_server_url(server), "one", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 1, first_is_joined));
    enter(&guests[1], test_server_url(server), "two", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(guests, 2, both_connected));
    ln_room_drop_connection(guests[0].room);
    enter(&guests[2], test_server_url(server), "three", LN_SOURCE_NONE, NULL);
    CHECK_EQUAL(ln_room_send_message(guests[0].room, NULL, "still here", 10), 0);
    CHECK(wait_for(guests, 3, cut_and_back));
    CHECK(wait_for(guests, 3, third_seen));
    CHECK(wait_for(guests, 3, echo_came));
    CHECK_TEXT(guests[1].last, "still here");
    CHECK_EQUAL(guests[1].messages, 1);
    CHECK_EQUAL(guests[0].left + guests[1].left + guests[2].left, 0);
    for (int i = 0; i < 3; i++)
        ln_client_free(guests[i].client);
    test_server_stop(server);
}

static bool first_has_ended(const struct guest *g)
{
    return ln_room_state(g[0].room) == LN_ROOM_STATE_LEFT;
}

LN_TEST(room, ends_with_the_reason_when_the_token_is_wrong)
{
    struct test_server *server = test_server_start("secret", 0);
    struct guest guest;

    enter(&guest, test_server_url(server), "guest", LN_SOURCE_NONE, "wrong");
    CHECK(wait_for(&guest, 1, first_has_ended));
    CHECK_EQUAL(guest.error, LN_ERR_NOT_ALLOWED);
    CHECK_EQUAL(ln_client_run(guest.client), LN_ERR_NOT_ALLOWED);
    ln_client_free(guest.client);
    test_server_stop(server);
}

static bool joined_twice(const struct guest *g)
{
    return g[0].joined_again > 1;
}

LN_TEST(room, joins_anew_when_the_server_was_restarted)
{
    struct test_server *server = test_server_start(NULL, 0);
    uint16_t port = test_server_port(server);
    struct guest guest;

    enter(&guest, test_server_url(server), "guest", LN_SOURCE_NONE, NULL);
    CHECK(wait_for(&guest, 1, first_is_joined));
    test_server_stop(server);
    server = test_server_start(NULL, port);
    CHECK(wait_for(&guest, 1, joined_twice));
    CHECK(guest.reconnecting > 0);
    ln_client_free(guest.client);
    test_server_stop(server);
}

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

LN_TEST(room, posted_calls_are_made_by_dispatch_only)
{
    ln_client *client;
    int calls = 0;

    CHECK_EQUAL(ln_client_create(NULL, &client), 0);
    CHECK_EQUAL(ln_client_post(client, count_call, &calls), 0);
    CHECK_EQUAL(ln_client_post(client, count_call, &calls), 0);
    CHECK_EQUAL(calls, 0);
    ln_client_dispatch(client);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(ln_client_post(client, count_call, &calls), 0);
    ln_client_free(client);
    CHECK_EQUAL(calls, 2);
}

LN_TEST(room, wrong_arguments_are_refused_at_once)
{
    struct ln_room_options options;
    ln_client *client;
    ln_room *room;

    CHECK_EQUAL(ln_client_create(NULL, &client), 0);
    CHECK_EQUAL(ln_room_join(client, "http://x/", "demo", NULL, &room), LN_ERR_SYNTAX);
    CHECK_EQUAL(ln_room_join(client, "ws://", "demo", NULL, &room), LN_ERR_SYNTAX);
    CHECK_EQUAL(ln_room_join(client, "ws://127.0.0.1/ws", "no room", NULL, &room),
                LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_room_join(client, "ws://127.0.0.1/ws", "", NULL, &room),
                LN_ERR_INVALID_ARGUMENT);
    ln_room_options_init(&options);
    options.name = "";
    CHECK_EQUAL(ln_room_join(client, "ws://127.0.0.1/ws", "demo", &options, &room),
                LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_client_run(client), 0); /* there is no room to run for */
    ln_client_free(client);
}
