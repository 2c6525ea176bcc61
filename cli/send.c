/* SPDX-License-Identifier: Apache-2.0
 * `linnet send PATH…`: makes a code, waits for who knows it, and sends. docs/transfer.md has the
 * rules.
 *
 * Each receiver has a link, a proof of the code and, when that is done, a sender of its own
 * (send_guest.c); they share the list of files. Everything is on the meeting's loop. */
#include "cli/commands.h"
#include "cli/qr.h"
#include "cli/send_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROOF_WITHIN    LN_SECONDS(15)
#define TICK            LN_MILLISECONDS(200)
#define ROOMS_TRIED_MAX 20

void send_say(struct send *s, const char *format, const char *argument)
{
    progress_say(&s->progress, "linnet send", format, argument);
}

void send_end(struct send *s, int exit_code)
{
    if (s->ending)
        return;
    s->ending = true;
    s->exit_code = exit_code;
    s->end_at = ln_loop_now(s->loop) + LN_SECONDS(2);
}

/* --- the meeting */

static void on_open(void *ctx, struct link *link)
{
    struct send *s = ctx;
    struct guest *g = s->ending || s->tries >= LN_AUTH_TRIES ? NULL : send_free_place(s);

    if (!g || link_other_certificate(link).len == 0) {
        link_close(link);
        return;
    }
    *g = (struct guest){ .send = s, .link = link, .since = ln_loop_now(s->loop) };
    source_reader_init(&g->reader, &s->source);
    link_set_user_data(link, g);
    if (ln_auth_init(&g->auth, LN_AUTH_SENDER, &s->code, link_own_certificate(link),
                     link_other_certificate(link), meeting_env(s->meeting)) != 0)
        send_dismiss(g);
}

static struct guest *guest_of(struct send *s, struct link *link)
{
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].link == link)
            return &s->guests[i];
    return NULL;
}

static void on_message(void *ctx, struct link *link, const uint8_t *data, size_t len)
{
    struct guest *g = guest_of(ctx, link);

    if (!g)
        return;
    if (!g->sender) {
        send_prove(g, data, len);
        return;
    }
    ln_sender_receive(g->sender, data, len);
    send_pump(g);
}

static void on_writable(void *ctx, struct link *link)
{
    struct guest *g = guest_of(ctx, link);

    if (g && g->sender)
        send_pump(g);
}

static void on_broken(void *ctx, struct link *link, const char *sentence)
{
    struct send *s = ctx;
    struct guest *g = guest_of(s, link);

    if (!g)
        return;
    if (g->sender) {
        send_say(s, "%s; waiting for the receiver to come back", sentence);
        s->expires_at = ln_loop_now(s->loop) + LN_SECONDS(60) * s->arguments.expires;
    }
    send_forget(g);
}

static void announce(struct send *s)
{
    char code[LN_CODE_TEXT_MAX], page[CLI_URL_MAX], path[LN_CODE_TEXT_MAX + 16];

    s->announced = true;
    s->expires_at = ln_loop_now(s->loop) + LN_SECONDS(60) * s->arguments.expires;
    ln_code_text(&s->code, code);
    snprintf(path, sizeof path, "/receive#%s", code);
    printf("code  %s\n", code);
    if (cli_page_url(s->url, path, page) == 0) {
        printf("page  %s\n", page);
        /* no telephone gets to this machine's own address */
        if (!s->arguments.no_qr && isatty(STDOUT_FILENO) && !cli_url_is_loopback(s->url))
            (void)!qr_write(page, stdout);
    }
    printf("or    linnet receive %s --to %s\n", code, s->arguments.to);
    fflush(stdout);
}

/* The room must be ours alone, or it is somebody else's number. */
static void look_around(void *ctx)
{
    struct send *s = ctx;
    char room[LN_CODE_ROOM_MAX];

    if (s->announced || s->ending)
        return;
    if (!s->occupied) {
        announce(s);
        return;
    }
    s->occupied = false;
    if (++s->rooms_tried == ROOMS_TRIED_MAX) {
        send_say(s, "%s", "the server has no free number");
        send_end(s, EXIT_NOT_REACHED);
        return;
    }
    ln_code_renumber(&s->code, meeting_env(s->meeting));
    if (meeting_enter(s->meeting, ln_code_room(&s->code, room)) != 0)
        send_end(s, CLI_EXIT_FAILED);
}

static void on_state(void *ctx, enum ln_room_state state, int error, const char *sentence)
{
    struct send *s = ctx;

    if (state == LN_ROOM_STATE_JOINED) {
        s->entered = true;
        if (!s->announced)
            (void)!ln_loop_post(s->loop, look_around, s);
    } else if (state == LN_ROOM_STATE_LEFT && error == LN_ERR_SYNTAX && !s->entered) {
        send_say(s, "\"%s\" is no address of a server; http://127.0.0.1:8080 is one",
                 s->arguments.to);
        send_end(s, CLI_EXIT_USAGE);
    } else if (state == LN_ROOM_STATE_LEFT) {
        send_say(s, "the server refused: %s", sentence);
        send_end(s, EXIT_NOT_REACHED);
    } else if (state == LN_ROOM_STATE_RECONNECTING) {
        send_say(s, "the server is away (%s); trying again", sentence);
    }
}

static void on_came(void *ctx, const char *id, const char *name, bool present)
{
    struct send *s = ctx;

    (void)id;
    (void)name;
    if (present && !s->announced)
        s->occupied = true;
}

static void on_went(void *ctx, const char *id)
{
    (void)ctx;
    (void)id;
}

/* --- time */

static void show(struct send *s, ln_time now)
{
    struct progress_state state = { .name = "", .total = s->source.manifest.bytes, .path = "" };
    const struct guest *shown = NULL;

    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++) {
        struct guest *g = &s->guests[i];
        struct ln_sender_figures figures;

        if (!g->link || !g->sender)
            continue;
        ln_sender_get_figures(g->sender, &figures);
        if (figures.bytes_taken != g->taken)
            g->moved_at = now;
        g->taken = figures.bytes_taken;
        /* of several the slowest */
        if (shown && figures.bytes_taken + figures.bytes_skipped >= state.done)
            continue;
        shown = g;
        state.done = figures.bytes_taken + figures.bytes_skipped;
        state.path = link_path(g->link);
        if (figures.file < s->source.manifest.count)
            state.name = (const char *)s->source.manifest.entries[figures.file].name.data;
    }
    if (shown)
        progress_show(&s->progress, now, &state);
}

static void look_at_proofs(struct send *s, ln_time now)
{
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++) {
        struct guest *g = &s->guests[i];

        if (g->link && !g->sender && now - g->since > PROOF_WITHIN) {
            link_close(g->link);
            send_forget(g);
        }
    }
}

static void on_tick(void *ctx, ln_time now)
{
    struct send *s = ctx;

    ln_loop_timer_set(&s->tick, now + TICK);
    if (s->ending) {
        if (!meeting_is_closing(s->meeting) || now >= s->end_at)
            ln_loop_stop(s->loop);
        return;
    }
    show(s, now);
    look_at_proofs(s, now);
    if (!s->entered && now - s->started > REACH_WITHIN) {
        send_say(s, "the server %s could not be reached in 30 s", s->arguments.to);
        send_end(s, EXIT_NOT_REACHED);
    } else if (s->announced && now >= s->expires_at && send_active(s) == 0) {
        send_say(s, "%s", s->finished ? "nobody else came in time" : "nobody came in time");
        send_end(s, EXIT_EXPIRED);
    } else if (s->tries >= LN_AUTH_TRIES && send_active(s) == 0) {
        send_end(s, EXIT_WRONG_CODE);
    }
}

static void on_signal(void *ctx, int number)
{
    struct send *s = ctx;

    (void)number;
    if (s->ending) { /* twice: at once */
        ln_loop_stop(s->loop);
        return;
    }
    progress_clear(&s->progress);
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].link)
            send_tell_cancel(&s->guests[i], LN_REASON_ASKED, "the sender stopped it");
    send_end(s, EXIT_INTERRUPTED);
}

/* --- from start to end */

static int start(struct send *s, const struct cli_words *paths)
{
    static const int signals[] = { SIGINT, SIGTERM };
    struct meeting_config config = { .url = s->url,
                                     .name = "sender",
                                     .token = s->arguments.token,
                                     .insecure = s->arguments.insecure,
                                     .proxy = s->arguments.proxy,
                                     .ice_tcp = s->arguments.ice_tcp,
                                     .loopback = s->arguments.loopback,
                                     .relay_only = s->arguments.relay,
                                     .answers = true,
                                     .state = on_state,
                                     .came = on_came,
                                     .went = on_went,
                                     .open = on_open,
                                     .message = on_message,
                                     .writable = on_writable,
                                     .broken = on_broken,
                                     .ctx = s };
    char room[LN_CODE_ROOM_MAX];
    int error = meeting_create(&s->meeting, &config);

    if (error)
        return error;
    s->loop = meeting_loop(s->meeting);
    source_init(&s->source, meeting_env(s->meeting));
    for (size_t i = 0; i < paths->count; i++)
        if (source_add(&s->source, paths->items[i], s->arguments.name, stderr) != 0)
            return LN_ERR_NOT_FOUND;
    error = ln_loop_watch_signals(s->loop, signals, 2, on_signal, s, &s->signal_watch);
    if (!error)
        error = ln_loop_timer_init(s->loop, &s->tick, on_tick, s);
    if (error)
        return error;
    s->started = ln_loop_now(s->loop);
    ln_loop_timer_set(&s->tick, s->started + TICK);
    ln_code_make(&s->code, meeting_env(s->meeting));
    return meeting_enter(s->meeting, ln_code_room(&s->code, room));
}

static void stop(struct send *s)
{
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].link)
            send_forget(&s->guests[i]);
    ln_loop_watch_remove(s->input_watch);
    ln_loop_timer_deinit(&s->tick);
    if (s->source.manifest.allocator)
        source_deinit(&s->source);
    ln_loop_watch_remove(s->signal_watch);
    meeting_free(s->meeting);
}

static const struct cli_option options[] = {
    CLI_TEXT("to", "URL", struct send_arguments, to,
             "the server ($LINNET_SERVER, or http://127.0.0.1:8080)"),
    CLI_INTEGER("receivers", "N", 1, RECEIVERS_MAX, struct send_arguments, receivers,
                "how many may receive (1)"),
    CLI_INTEGER("expires", "MINUTES", 1, 1440, struct send_arguments, expires,
                "how long the code waits for them (60)"),
    CLI_TEXT("name", "NAME", struct send_arguments, name, "what standard input is called (stdin)"),
    CLI_TEXT("token", "TOKEN", struct send_arguments, token, "if the server's rooms ask for one"),
    CLI_FLAG("relay", struct send_arguments, relay, "by way of a relay only"),
    CLI_FLAG("no-qr", struct send_arguments, no_qr, "without the QR code"),
    CLI_FLAG("insecure", struct send_arguments, insecure, "any certificate of the server will do"),
    CLI_PROXY_OPTION(struct send_arguments, proxy),
    CLI_FLAG("ice-tcp", struct send_arguments, ice_tcp, "gather TCP candidates too"),
    CLI_FLAG("loopback", struct send_arguments, loopback, "use loopback addresses too"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "send",
    .synopsis = "PATH... [--to URL] [options]",
    .summary = "Sends files and folders (- is standard input) to whoever has the code it prints.",
    .details =
        "Exit codes: 0 all was received, 1 failed, 2 wrong command line, 3 the server could not\n"
        "be reached, 4 wrong codes, 5 ended by the other side, 6 nobody came, 130 Ctrl-C.",
    .options = options,
    .arguments_min = 1,
    .arguments_max = SIZE_MAX,
};

int cli_send(int argc, char **argv)
{
    struct send *s = calloc(1, sizeof *s);
    struct cli_words paths;
    int error, code;

    if (!s)
        return CLI_EXIT_FAILED;
    s->arguments = (struct send_arguments){
        .to = transfer_default_server(), .name = "stdin", .receivers = 1, .expires = 60
    };
    switch (cli_parse(&command, argc, argv, &s->arguments, &paths)) {
    case CLI_HELP:
        free(s);
        return CLI_EXIT_OK;
    case CLI_USAGE:
        free(s);
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (!cli_proxy_choose("send", s->arguments.proxy, s->arguments.to, &s->arguments.proxy)) {
        free(s);
        return CLI_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    progress_init(&s->progress, stderr, isatty(STDERR_FILENO));
    error = cli_socket_url(s->arguments.to, s->url);
    if (!error)
        error = start(s, &paths);
    if (!error)
        error = ln_loop_run(s->loop);
    if (error && error != LN_ERR_NOT_FOUND) /* that one is told */
        send_say(s, "cannot start: %s", ln_error_sentence(error));
    progress_clear(&s->progress);
    code = error ? CLI_EXIT_FAILED : s->exit_code;
    stop(s);
    free(s);
    return code;
}
