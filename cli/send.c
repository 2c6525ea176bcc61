/* SPDX-License-Identifier: Apache-2.0
 * `linnet send PATH…`: makes a code, waits for who knows it, and sends. docs/transfer.md has the
 * rules.
 *
 * Each receiver has a link, a proof of the code and, when that is done, a sender of its own; they
 * share the list of files. Everything is on the meeting's loop. */
#include "cli/commands.h"
#include "cli/meeting.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/qr.h"
#include "cli/source.h"
#include "cli/transfer_exit.h"
#include "cli/url.h"
#include "transfer/auth.h"
#include "transfer/sender.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECEIVERS_MAX   8
#define PROOF_WITHIN    LN_SECONDS(15)
#define IDLE_FOR        LN_SECONDS(3) /* then another may take a receiver's place */
#define TURN_ACTIONS    256           /* of one receiver, before others have their turn */
#define TICK            LN_MILLISECONDS(200)
#define ROOMS_TRIED_MAX 20

struct arguments {
    const char *to, *token, *name;
    long receivers, expires;
    bool insecure, loopback, relay, no_qr;
};

struct guest {
    struct send *send;
    struct link *link; /* NULL: this place is free */
    struct ln_auth auth;
    struct ln_sender *sender; /* once the code is proven */
    struct source_reader reader;
    bool waits_for_input; /* a READ of standard input is out */
    struct ln_sender_action input;
    size_t input_len;
    ln_time since, moved_at; /* opened; something was taken last */
    uint64_t taken;
};

struct send {
    struct arguments arguments;
    struct source source;
    struct meeting *meeting;
    struct ln_loop *loop;
    struct ln_loop_watch *signal_watch, *input_watch;
    struct ln_loop_timer tick;
    struct progress progress;
    struct ln_code code;
    char url[CLI_URL_MAX];
    bool entered, announced, occupied, ending, pump_posted;
    unsigned rooms_tried, tries;
    long finished;
    ln_time started, expires_at, end_at;
    uint64_t input_at; /* bytes of standard input that were read */
    struct guest guests[RECEIVERS_MAX + LN_AUTH_TRIES];
    int exit_code;
};

static void say(struct send *s, const char *format, const char *argument)
{
    progress_say(&s->progress, "linnet send", format, argument);
}

/* Ends the program once the last words are said. */
static void end(struct send *s, int exit_code)
{
    if (s->ending)
        return;
    s->ending = true;
    s->exit_code = exit_code;
    s->end_at = ln_loop_now(s->loop) + LN_SECONDS(2);
}

/* --- guests */

static size_t active(const struct send *s)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        count += s->guests[i].link && s->guests[i].sender;
    return count;
}

static struct guest *free_place(struct send *s)
{
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (!s->guests[i].link)
            return &s->guests[i];
    return NULL;
}

static void forget(struct guest *g)
{
    struct send *s = g->send;

    if (g->waits_for_input && s->input_watch)
        ln_loop_watch_set(s->input_watch, 0);
    ln_auth_deinit(&g->auth);
    ln_sender_free(g->sender);
    source_reader_deinit(&g->reader);
    memset(g, 0, sizeof *g);
}

/* The last word was said. */
static void dismiss(struct guest *g)
{
    link_close_soon(g->link);
    forget(g);
}

static int tell(struct guest *g, struct ln_bytes message)
{
    return link_send(g->link, message.data, message.len);
}

static void tell_cancel(struct guest *g, enum ln_transfer_reason reason, const char *sentence)
{
    struct ln_transfer_message cancel = { .type = LN_TRANSFER_CANCEL,
                                          .reason = (uint8_t)reason,
                                          .sentence = { (const uint8_t *)sentence,
                                                        strlen(sentence) } };
    uint8_t out[LN_TRANSFER_SENTENCE_MAX + 8];
    int len = ln_transfer_write(&cancel, out, sizeof out);

    if (len > 0)
        (void)!tell(g, (struct ln_bytes){ out, (size_t)len });
    dismiss(g);
}

/* --- standard input */

static void pump(struct guest *g);

static void input_done(struct guest *g)
{
    struct send *s = g->send;

    g->waits_for_input = false;
    if (s->input_watch)
        ln_loop_watch_set(s->input_watch, 0);
    ln_sender_read(g->sender, g->input_len);
    pump(g);
}

/* One piece of it. Returns whether more is wanted. */
static bool read_input(struct guest *g)
{
    ssize_t got = read(STDIN_FILENO, g->input.data + g->input_len, g->input.cap - g->input_len);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got > 0) {
        g->input_len += (size_t)got;
        g->send->input_at += (uint64_t)got;
    }
    return got > 0 && g->input_len < g->input.cap;
}

static void on_input(void *ctx, unsigned events)
{
    struct send *s = ctx;

    (void)events;
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].waits_for_input && !read_input(&s->guests[i]))
            input_done(&s->guests[i]);
}

/* Returns whether the READ is answered. */
static bool begin_input(struct guest *g, const struct ln_sender_action *action)
{
    struct send *s = g->send;
    int error = 0;

    if (action->offset != s->input_at) {
        ln_sender_missing(g->sender, "standard input cannot be read twice");
        return true;
    }
    g->input = *action;
    g->input_len = 0;
    if (!s->input_watch)
        error = ln_loop_watch_fd(s->loop, STDIN_FILENO, LN_LOOP_READABLE, on_input, s,
                                 &s->input_watch);
    if (!error) {
        g->waits_for_input = true;
        ln_loop_watch_set(s->input_watch, LN_LOOP_READABLE);
        return false;
    }
    while (read_input(g)) /* a file: it never blocks */
        ;
    ln_sender_read(g->sender, g->input_len);
    return true;
}

/* --- what the sender asks for */

/* Returns whether it is answered. */
static bool answer_read(struct guest *g, const struct ln_sender_action *action)
{
    ssize_t got;

    if (action->file == g->send->source.standard_input)
        return begin_input(g, action);
    got = source_read(&g->reader, action->file, action->offset, action->data, action->cap);
    if (got < 0)
        ln_sender_missing(g->sender, strerror(errno));
    else
        ln_sender_read(g->sender, (size_t)got);
    return true;
}

static void finish(struct guest *g)
{
    struct send *s = g->send;
    struct ln_sender_figures figures;
    char bytes[16], text[80];
    double seconds = (double)(ln_loop_now(s->loop) - g->since) / 1e9;

    ln_sender_get_figures(g->sender, &figures);
    snprintf(text, sizeof text, "%s in %.1f s, %.1f MB/s, path %s",
             progress_bytes(figures.bytes_taken, bytes), seconds,
             seconds > 0 ? (double)figures.bytes_taken / 1e6 / seconds : 0, link_path(g->link));
    say(s, "received: %s", text);
    link_close(g->link);
    forget(g);
    s->finished++;
    if (s->finished >= s->arguments.receivers && active(s) == 0)
        end(s, s->source.left_out ? CLI_EXIT_FAILED : CLI_EXIT_OK);
}

static void cancelled(struct guest *g, const struct ln_sender_action *action)
{
    struct send *s = g->send;

    say(s, "ended: %s", action->sentence[0] ? action->sentence : "the other side stopped it");
    dismiss(g);
    s->finished++; /* the code was used */
    if (s->finished >= s->arguments.receivers && active(s) == 0)
        end(s, EXIT_ENDED_BY_OTHER);
}

static void pump_all(void *ctx)
{
    struct send *s = ctx;

    s->pump_posted = false;
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].link && s->guests[i].sender)
            pump(&s->guests[i]);
}

static void post_pump(struct send *s)
{
    if (!s->pump_posted)
        s->pump_posted = ln_loop_post(s->loop, pump_all, s) == 0;
}

/* Returns whether there may be more to do now. */
static bool act(struct guest *g, const struct ln_sender_action *action)
{
    switch (action->kind) {
    case LN_SENDER_SEND:
        if (tell(g, action->message) == 0)
            return true;
        say(g->send, "%s", "the connection takes no more; it is closed");
        dismiss(g);
        return false;
    case LN_SENDER_READ:
        return answer_read(g, action);
    case LN_SENDER_READY:
        progress_restart(&g->send->progress);
        return true;
    case LN_SENDER_DONE:
        finish(g);
        return false;
    case LN_SENDER_CANCELLED:
        cancelled(g, action);
        return false;
    }
    return false;
}

/* As much as the channel takes, and not too much at a time. */
static void pump(struct guest *g)
{
    struct ln_sender_action action;

    for (int i = 0; i < TURN_ACTIONS; i++) {
        if (g->waits_for_input || link_buffered(g->link) >= MEETING_BUFFER_HIGH ||
            !ln_sender_poll(g->sender, &action) || !act(g, &action))
            return;
    }
    post_pump(g->send);
}

/* --- the proof */

/* Who lost the connection comes back as somebody new: the old place is his. */
static bool make_room(struct send *s, const struct guest *newcomer)
{
    ln_time now = ln_loop_now(s->loop);

    if ((long)active(s) + s->finished < s->arguments.receivers)
        return true;
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++) {
        struct guest *g = &s->guests[i];

        if (g != newcomer && g->link && g->sender &&
            (!link_alive(g->link) || now - g->moved_at > IDLE_FOR)) {
            link_close(g->link);
            forget(g);
            return true;
        }
    }
    return false;
}

static void welcome(struct guest *g)
{
    struct send *s = g->send;

    if (!make_room(s, g)) {
        if (active(s) > 0)
            tell_cancel(g, LN_REASON_BUSY, "somebody else is being served");
        else
            tell_cancel(g, LN_REASON_USED, "the code was used");
        return;
    }
    if (ln_sender_create(&g->sender, &s->source.manifest, meeting_env(s->meeting)) != 0) {
        tell_cancel(g, LN_REASON_LOCAL, "out of memory");
        return;
    }
    source_reader_init(&g->reader, &s->source);
    g->since = g->moved_at = ln_loop_now(s->loop);
    say(s, "a receiver has proven the code, path %s", link_path(g->link));
    pump(g);
}

static void refuse(struct guest *g)
{
    struct send *s = g->send;
    char count[32];

    s->tries++;
    snprintf(count, sizeof count, "%u of %u", s->tries, LN_AUTH_TRIES);
    say(s, "somebody came with a wrong code (%s)", count);
    tell_cancel(g, LN_REASON_CODE, "the code is wrong");
    if (s->tries >= LN_AUTH_TRIES) {
        say(s, "%s", "that was one too many: this code serves no more");
        if (active(s) == 0)
            end(s, EXIT_WRONG_CODE);
    }
}

/* Guesses that come at once are counted one by one: after the third wrong one even a right one is
 * not looked at. */
static void prove(struct guest *g, const uint8_t *data, size_t len)
{
    struct ln_bytes message;
    int error;

    if (g->send->tries >= LN_AUTH_TRIES) {
        dismiss(g);
        return;
    }
    error = ln_auth_receive(&g->auth, data, len);
    if (!error && ln_auth_poll(&g->auth, &message))
        error = tell(g, message);
    if (error)
        dismiss(g);
    else if (g->auth.state == LN_AUTH_PROVEN)
        welcome(g);
    else if (g->auth.state == LN_AUTH_WRONG)
        refuse(g);
    else if (g->auth.state != LN_AUTH_WAITING)
        dismiss(g);
}

/* --- the meeting */

static void on_open(void *ctx, struct link *link)
{
    struct send *s = ctx;
    struct guest *g = s->ending || s->tries >= LN_AUTH_TRIES ? NULL : free_place(s);

    if (!g || link_other_certificate(link).len == 0) {
        link_close(link);
        return;
    }
    *g = (struct guest){ .send = s, .link = link, .since = ln_loop_now(s->loop) };
    source_reader_init(&g->reader, &s->source);
    link_set_user_data(link, g);
    if (ln_auth_init(&g->auth, LN_AUTH_SENDER, &s->code, link_own_certificate(link),
                     link_other_certificate(link), meeting_env(s->meeting)) != 0)
        dismiss(g);
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
        prove(g, data, len);
        return;
    }
    ln_sender_receive(g->sender, data, len);
    pump(g);
}

static void on_writable(void *ctx, struct link *link)
{
    struct guest *g = guest_of(ctx, link);

    if (g && g->sender)
        pump(g);
}

static void on_broken(void *ctx, struct link *link, const char *sentence)
{
    struct send *s = ctx;
    struct guest *g = guest_of(s, link);

    if (!g)
        return;
    if (g->sender) {
        say(s, "%s; waiting for the receiver to come back", sentence);
        s->expires_at = ln_loop_now(s->loop) + LN_SECONDS(60) * s->arguments.expires;
    }
    forget(g);
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
        say(s, "%s", "the server has no free number");
        end(s, EXIT_NOT_REACHED);
        return;
    }
    ln_code_renumber(&s->code, meeting_env(s->meeting));
    if (meeting_enter(s->meeting, ln_code_room(&s->code, room)) != 0)
        end(s, CLI_EXIT_FAILED);
}

static void on_state(void *ctx, enum ln_room_state state, int error, const char *sentence)
{
    struct send *s = ctx;

    if (state == LN_ROOM_STATE_JOINED) {
        s->entered = true;
        if (!s->announced)
            (void)!ln_loop_post(s->loop, look_around, s);
    } else if (state == LN_ROOM_STATE_LEFT && error == LN_ERR_SYNTAX && !s->entered) {
        say(s, "\"%s\" is no address of a server; http://127.0.0.1:8080 is one", s->arguments.to);
        end(s, CLI_EXIT_USAGE);
    } else if (state == LN_ROOM_STATE_LEFT) {
        say(s, "the server refused: %s", sentence);
        end(s, EXIT_NOT_REACHED);
    } else if (state == LN_ROOM_STATE_RECONNECTING) {
        say(s, "the server is away (%s); trying again", sentence);
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
            forget(g);
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
        say(s, "the server %s could not be reached in 30 s", s->arguments.to);
        end(s, EXIT_NOT_REACHED);
    } else if (s->announced && now >= s->expires_at && active(s) == 0) {
        say(s, "%s", s->finished ? "nobody else came in time" : "nobody came in time");
        end(s, EXIT_EXPIRED);
    } else if (s->tries >= LN_AUTH_TRIES && active(s) == 0) {
        end(s, EXIT_WRONG_CODE);
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
            tell_cancel(&s->guests[i], LN_REASON_ASKED, "the sender stopped it");
    end(s, EXIT_INTERRUPTED);
}

/* --- from start to end */

static int start(struct send *s, const struct cli_words *paths)
{
    static const int signals[] = { SIGINT, SIGTERM };
    struct meeting_config config = { .url = s->url,
                                     .name = "sender",
                                     .token = s->arguments.token,
                                     .insecure = s->arguments.insecure,
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
            forget(&s->guests[i]);
    ln_loop_watch_remove(s->input_watch);
    ln_loop_timer_deinit(&s->tick);
    if (s->source.manifest.allocator)
        source_deinit(&s->source);
    ln_loop_watch_remove(s->signal_watch);
    meeting_free(s->meeting);
}

static const struct cli_option options[] = {
    CLI_TEXT("to", "URL", struct arguments, to,
             "the server ($LINNET_SERVER, or http://127.0.0.1:8080)"),
    CLI_INTEGER("receivers", "N", 1, RECEIVERS_MAX, struct arguments, receivers,
                "how many may receive (1)"),
    CLI_INTEGER("expires", "MINUTES", 1, 1440, struct arguments, expires,
                "how long the code waits for them (60)"),
    CLI_TEXT("name", "NAME", struct arguments, name, "what standard input is called (stdin)"),
    CLI_TEXT("token", "TOKEN", struct arguments, token, "if the server's rooms ask for one"),
    CLI_FLAG("relay", struct arguments, relay, "by way of a relay only"),
    CLI_FLAG("no-qr", struct arguments, no_qr, "without the QR code"),
    CLI_FLAG("insecure", struct arguments, insecure, "any certificate of the server will do"),
    CLI_FLAG("loopback", struct arguments, loopback, "use loopback addresses too"),
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
    s->arguments = (struct arguments){
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
    signal(SIGPIPE, SIG_IGN);
    progress_init(&s->progress, stderr, isatty(STDERR_FILENO));
    error = cli_socket_url(s->arguments.to, s->url);
    if (!error)
        error = start(s, &paths);
    if (!error)
        error = ln_loop_run(s->loop);
    if (error && error != LN_ERR_NOT_FOUND) /* that one is told */
        say(s, "cannot start: %s", ln_error_sentence(error));
    progress_clear(&s->progress);
    code = error ? CLI_EXIT_FAILED : s->exit_code;
    stop(s);
    free(s);
    return code;
}
