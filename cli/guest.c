/* SPDX-License-Identifier: Apache-2.0
 * The guest: a client, one room, and a wait for the client, the terminal and the end. */
#include "cli/guest.h"

#include "cli/guest_view.h"
#include "cli/options.h"
#include "cli/url.h"
#include "io/thread.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define JOIN_WITHIN     LN_SECONDS(30)
#define LEAVE_WITHIN    LN_SECONDS(2)
#define SNAPSHOT_WITHIN LN_SECONDS(2)
#define SNAPSHOT_FRAMES 15u /* seen before the first snapshot: no half-built picture */
#define LINE_MAX_BYTES  4096
#define ECHOES_MAX      100 /* at once, and then so many a second: */
#define ECHOES_A_SECOND 20  /* two that echo must not talk for ever at full speed */

struct guest {
    const struct guest_options *options;
    struct guest_view view;
    ln_client *client;
    ln_room *room;
    ln_time now, join_by, end_at, leave_by, snapshot_by;
    bool joined, leaving, left, snapshot_asked, snapshot_written, snapshot_failed, input_ended;
    int error;
    char sentence[256];
    char line[LINE_MAX_BYTES]; /* of standard input, so far */
    size_t line_len;
    double echoes;
    ln_time echoes_at;
};

/* ---- what happens in the room ---- */

static void on_state(void *ctx, ln_room *room, enum ln_room_state state, int error,
                     const char *sentence)
{
    struct guest *guest = ctx;

    (void)room;
    guest_view_state(&guest->view, state, error, sentence);
    if (state == LN_ROOM_STATE_JOINED && !guest->joined) {
        guest->joined = true;
        guest->join_by = LN_TIME_NEVER;
        if (guest->options->duration > 0)
            guest->end_at = guest->now + LN_SECONDS(guest->options->duration);
    }
    guest->left = state == LN_ROOM_STATE_LEFT;
    guest->error = error;
    snprintf(guest->sentence, sizeof guest->sentence, "%s", sentence);
}

static void on_joined(void *ctx, ln_room *room, ln_participant *participant)
{
    struct guest *guest = ctx;

    (void)room;
    guest_view_presence(&guest->view, participant, "joined");
}

static void on_left(void *ctx, ln_room *room, ln_participant *participant)
{
    struct guest *guest = ctx;

    (void)room;
    guest_view_presence(&guest->view, participant, "left");
}

static bool may_echo(struct guest *guest)
{
    guest->echoes += (double)(guest->now - guest->echoes_at) / 1e9 * ECHOES_A_SECOND;
    guest->echoes_at = guest->now;
    if (guest->echoes > ECHOES_MAX)
        guest->echoes = ECHOES_MAX;
    if (guest->echoes < 1)
        return false;
    guest->echoes -= 1;
    return true;
}

static void on_message(void *ctx, ln_room *room, ln_participant *from, const char *text, size_t len)
{
    struct guest *guest = ctx;

    guest_view_message(&guest->view, from, text, len);
    if (guest->options->echo && may_echo(guest) && ln_room_send_message(room, from, text, len) != 0)
        fprintf(stderr, "%s: an echo could not be sent\n", guest->options->command);
}

static void take_snapshot(struct guest *guest, ln_participant *participant)
{
    guest->snapshot_asked = ln_room_snapshot(guest->room, participant, guest->options->snapshot) ==
                            0;
}

static void on_figures(void *ctx, ln_room *room, ln_participant *participant,
                       const struct ln_participant_figures *figures)
{
    struct guest *guest = ctx;

    guest_view_figures(&guest->view, room, participant, guest->now);
    if (guest->options->snapshot && !guest->snapshot_asked && !guest->snapshot_written &&
        !guest->snapshot_failed && figures->video_in.frames >= SNAPSHOT_FRAMES)
        take_snapshot(guest, participant);
}

static void on_snapshot(void *ctx, ln_room *room, ln_participant *participant, const char *path,
                        int error)
{
    struct guest *guest = ctx;

    (void)room;
    guest->snapshot_asked = false;
    guest->snapshot_written = guest->snapshot_written || !error;
    guest->snapshot_by = LN_TIME_NEVER;
    guest_view_snapshot(&guest->view, participant, path, error);
    guest->snapshot_failed = guest->snapshot_failed || (error && error != LN_ERR_AGAIN);
    if (error && error != LN_ERR_AGAIN)
        fprintf(stderr, "%s: %s cannot be written: %s\n", guest->options->command, path,
                ln_error_sentence(error));
}

/* ---- the end ---- */

static void leave(struct guest *guest)
{
    guest->snapshot_by = LN_TIME_NEVER;
    guest->leave_by = guest->now + LEAVE_WITHIN;
    ln_room_leave(guest->room);
}

/* A last look at what is seen now, then away. */
static void begin_to_leave(struct guest *guest)
{
    if (guest->leaving)
        return;
    guest->leaving = true;
    guest->join_by = guest->end_at = LN_TIME_NEVER;
    for (size_t i = 0; guest->options->snapshot && !guest->snapshot_failed &&
                       i < ln_room_participant_count(guest->room);
         i++) {
        ln_participant *participant = ln_room_participant(guest->room, i);
        struct ln_participant_figures figures;

        ln_participant_figures(participant, &figures);
        if (figures.video_in.frames == 0)
            continue;
        take_snapshot(guest, participant);
        if (guest->snapshot_asked) {
            guest->snapshot_by = guest->now + SNAPSHOT_WITHIN;
            return;
        }
    }
    leave(guest);
}

static void complain_of_url(const struct guest_options *options)
{
    fprintf(stderr, "%s: \"%s\" is no address of a server; ws://127.0.0.1:8080/ws is one\n",
            options->command, options->url);
}

static int exit_code(const struct guest *guest)
{
    const struct guest_options *options = guest->options;

    if (!guest->joined && !guest->leaving && guest->error == LN_ERR_SYNTAX) {
        complain_of_url(options);
        return CLI_EXIT_USAGE;
    }
    if (!guest->joined && !guest->leaving && guest->error) {
        fprintf(stderr, "%s: the room could not be joined: %s\n", options->command,
                guest->sentence);
        return GUEST_EXIT_REFUSED;
    }
    if (guest->joined && !guest->leaving && guest->error) {
        fprintf(stderr, "%s: the room was lost: %s\n", options->command, guest->sentence);
        return CLI_EXIT_FAILED;
    }
    if (guest->snapshot_failed)
        return CLI_EXIT_FAILED;
    if (options->snapshot && guest->joined && !guest->snapshot_written) {
        fprintf(stderr, "%s: no picture came that could be written to %s\n", options->command,
                options->snapshot);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* ---- standard input ---- */

static void send_line(struct guest *guest)
{
    if (guest->line_len > 0 && ln_room_send_message(guest->room, NULL, guest->line,
                                                    guest->line_len) == LN_ERR_INVALID_ARGUMENT)
        fprintf(stderr, "%s: the line is not UTF-8\n", guest->options->command);
    guest->line_len = 0;
}

static void read_input(struct guest *guest)
{
    char data[1024];
    ssize_t got = read(STDIN_FILENO, data, sizeof data);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) { /* it goes on without */
        send_line(guest);
        guest->input_ended = true;
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (data[i] == '\n')
            send_line(guest);
        else if (guest->line_len < sizeof guest->line)
            guest->line[guest->line_len++] = data[i];
    }
}

/* ---- running ---- */

static ln_time next_deadline(const struct guest *guest)
{
    const ln_time times[] = { guest->join_by, guest->end_at, guest->leave_by, guest->snapshot_by };
    ln_time first = LN_TIME_NEVER;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        first = times[i] < first ? times[i] : first;
    return first;
}

static int wait_ms(const struct guest *guest)
{
    ln_time deadline = next_deadline(guest);

    if (deadline == LN_TIME_NEVER)
        return -1;
    return deadline <= guest->now ? 0 : (int)((deadline - guest->now) / 1000000) + 1;
}

/* Returns an exit code, or -1 while it goes on. */
static int look_at_clock(struct guest *guest)
{
    if (guest->now >= guest->join_by) {
        fprintf(stderr, "%s: the server could not be reached in 30 s: %s\n",
                guest->options->command, guest->sentence);
        return GUEST_EXIT_NOT_JOINED;
    }
    if (guest->now >= guest->end_at)
        begin_to_leave(guest);
    if (guest->now >= guest->snapshot_by ||
        (guest->leaving && !guest->snapshot_asked && guest->leave_by == LN_TIME_NEVER))
        leave(guest);
    return guest->left || guest->now >= guest->leave_by ? exit_code(guest) : -1;
}

static int run(struct guest *guest, int stop_fd)
{
    int code = -1;

    while (code < 0) {
        struct pollfd ready[3] = { { .fd = ln_client_fd(guest->client), .events = POLLIN },
                                   { .fd = guest->leaving ? -1 : stop_fd, .events = POLLIN },
                                   { .fd = -1, .events = POLLIN } };

        if (guest->options->chat && !guest->input_ended)
            ready[2].fd = STDIN_FILENO;
        if (poll(ready, 3, wait_ms(guest)) < 0 && errno != EINTR)
            return CLI_EXIT_FAILED;
        guest->now = ln_client_now(guest->client);
        ln_client_dispatch(guest->client);
        if (ready[2].revents)
            read_input(guest);
        if (ready[1].revents)
            begin_to_leave(guest);
        code = look_at_clock(guest);
    }
    return code;
}

static int enter(struct guest *guest)
{
    const struct guest_options *options = guest->options;
    struct ln_client_config config;
    struct ln_room_options room;
    char url[CLI_URL_MAX];
    int error;

    ln_client_config_init(&config);
    config.include_loopback = options->loopback;
    if (options->network)
        cli_network_apply(options->network, &config.network);
    error = ln_client_create(&config, &guest->client);
    if (error) {
        fprintf(stderr, "%s: cannot start: %s\n", options->command, ln_error_sentence(error));
        return CLI_EXIT_FAILED;
    }
    ln_room_options_init(&room);
    room.name = options->name;
    room.token = options->token;
    room.video = options->video;
    room.audio = options->audio;
    room.insecure = options->insecure;
    room.ctx = guest;
    room.on_state = on_state;
    room.on_participant_joined = on_joined;
    room.on_participant_left = on_left;
    room.on_message = on_message;
    room.on_figures = on_figures;
    room.on_snapshot = on_snapshot;
    error = cli_socket_url(options->url, url);
    if (!error)
        error = ln_room_join(guest->client, url, options->room, &room, &guest->room);
    if (error == LN_ERR_SYNTAX)
        complain_of_url(options);
    else if (error == LN_ERR_INVALID_ARGUMENT)
        fprintf(stderr,
                "%s: a room is of A-Z a-z 0-9 . _ -, a name of 1 to 64 bytes; room \"%s\", name "
                "\"%s\" will not do\n",
                options->command, options->room, options->name);
    else if (error)
        fprintf(stderr, "%s: cannot join: %s\n", options->command, ln_error_sentence(error));
    return error == LN_ERR_SYNTAX || error == LN_ERR_INVALID_ARGUMENT ? CLI_EXIT_USAGE
           : error                                                    ? CLI_EXIT_FAILED
                                                                      : 0;
}

int guest_run(const struct guest_options *options, int stop_fd)
{
    struct guest *guest = calloc(1, sizeof *guest);
    int code;

    if (!guest)
        return CLI_EXIT_FAILED;
    guest->options = options;
    guest_view_init(&guest->view, options->output, options->chat);
    guest->join_by = guest->end_at = guest->leave_by = guest->snapshot_by = LN_TIME_NEVER;
    guest->echoes = ECHOES_MAX;
    code = enter(guest);
    if (!code) {
        guest->now = guest->echoes_at = ln_client_now(guest->client);
        guest->join_by = guest->now + JOIN_WITHIN;
        code = run(guest, stop_fd);
    }
    ln_client_free(guest->client);
    free(guest);
    return code;
}

/* ---- the studio ---- */

struct studio {
    struct ln_thread thread;
    struct guest_options options;
    char *url, *room;
    int stop_fd;
};

static void run_studio(void *ctx)
{
    struct studio *studio = ctx;

    (void)guest_run(&studio->options, studio->stop_fd);
}

static void free_studio(struct studio *studio)
{
    if (studio->stop_fd >= 0)
        close(studio->stop_fd);
    free(studio->url);
    free(studio->room);
    free(studio);
}

struct studio *studio_start(const char *url, const char *room, bool insecure, bool loopback)
{
    struct studio *studio = calloc(1, sizeof *studio);

    if (!studio)
        return NULL;
    studio->stop_fd = eventfd(0, EFD_CLOEXEC);
    studio->url = strdup(url);
    studio->room = strdup(room);
    studio->options = (struct guest_options){ .command = "linnet serve: studio",
                                              .url = studio->url,
                                              .room = studio->room,
                                              .name = "studio",
                                              .video = LN_SOURCE_TEST,
                                              .audio = LN_SOURCE_TEST,
                                              .echo = true,
                                              .insecure = insecure,
                                              .loopback = loopback,
                                              .output = GUEST_TEXT };
    if (studio->stop_fd < 0 || !studio->url || !studio->room ||
        ln_thread_start(&studio->thread, "studio", run_studio, studio) != 0) {
        free_studio(studio);
        return NULL;
    }
    return studio;
}

void studio_stop(struct studio *studio)
{
    if (!studio)
        return;
    eventfd_write(studio->stop_fd, 1);
    ln_thread_join(&studio->thread);
    free_studio(studio);
}
