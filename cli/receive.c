/* SPDX-License-Identifier: Apache-2.0
 * `linnet receive CODE`: finds the sender in the code's room, proves the code, and receives.
 * docs/transfer.md has the rules.
 *
 * A broken connection is made anew, with another proof; what is there already is not sent again. */
#include "cli/commands.h"
#include "cli/receive_internal.h"
#include "transfer/words.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK          LN_MILLISECONDS(200)
#define SENDER_WITHIN LN_SECONDS(30) /* nobody is in the room */
#define PROOF_WITHIN  LN_SECONDS(15)
#define GONE_AFTER    LN_SECONDS(3) /* silence of one who has left the room */
#define BROKEN_PROOFS 3             /* connections that ended in the midst of the proof */

void receive_say(struct receive *r, const char *format, const char *argument)
{
    progress_say(&r->progress, "linnet receive", format, argument);
}

void receive_end(struct receive *r, int exit_code)
{
    if (r->ending)
        return;
    r->ending = true;
    r->exit_code = exit_code;
    r->end_at = ln_loop_now(r->loop) + LN_SECONDS(2);
    if (r->link)
        link_close_soon(r->link);
    r->link = NULL;
}

/* --- the meeting */

static void on_open(void *ctx, struct link *link)
{
    struct receive *r = ctx;
    struct ln_bytes hello;

    if (link != r->link)
        return;
    r->opened_at = ln_loop_now(r->loop);
    if (ln_auth_init(&r->auth, LN_AUTH_RECEIVER, &r->code, link_own_certificate(link),
                     link_other_certificate(link), meeting_env(r->meeting)) != 0 ||
        !ln_auth_poll(&r->auth, &hello) || link_send(link, hello.data, hello.len) != 0) {
        receive_say(r, "%s", "the proof of the code cannot begin");
        receive_end(r, CLI_EXIT_FAILED);
    }
}

static void on_message(void *ctx, struct link *link, const uint8_t *data, size_t len)
{
    struct receive *r = ctx;

    if (link != r->link || r->done)
        return;
    if (!r->receiver) {
        receive_prove(r, data, len);
        return;
    }
    r->heard_at = ln_loop_now(r->loop);
    ln_receiver_receive(r->receiver, data, len);
    receive_work(r);
}

static void on_writable(void *ctx, struct link *link)
{
    (void)ctx;
    (void)link;
}

static void on_broken(void *ctx, struct link *link, const char *sentence)
{
    struct receive *r = ctx;
    bool in_proof = !r->receiver && r->auth.spake2;

    if (link != r->link)
        return;
    if (r->done) {
        receive_forget_link(r);
        receive_end(r, r->failures ? CLI_EXIT_FAILED : CLI_EXIT_OK);
    } else if (in_proof && ++r->broken_proofs == BROKEN_PROOFS) {
        receive_forget_link(r);
        receive_not_proven(r);
    } else {
        receive_lost(r, sentence);
    }
}

static void on_state(void *ctx, enum ln_room_state state, int error, const char *sentence)
{
    struct receive *r = ctx;

    if (state == LN_ROOM_STATE_JOINED) {
        if (!r->entered)
            r->give_up_at = ln_loop_now(r->loop) + SENDER_WITHIN;
        r->entered = true;
    } else if (state == LN_ROOM_STATE_LEFT && error == LN_ERR_SYNTAX && !r->entered) {
        receive_say(r, "\"%s\" is no address of a server; http://127.0.0.1:8080 is one",
                    r->arguments.to);
        receive_end(r, CLI_EXIT_USAGE);
    } else if (state == LN_ROOM_STATE_LEFT && !r->done) {
        receive_say(r, "the server refused: %s", sentence);
        receive_end(r, EXIT_NOT_REACHED);
    }
}

static void on_came(void *ctx, const char *id, const char *name, bool present)
{
    struct receive *r = ctx;

    (void)present;
    if (strcmp(name, "sender") != 0 || (r->sender[0] && r->link))
        return;
    snprintf(r->sender, sizeof r->sender, "%s", id);
    receive_dial(r, ln_loop_now(r->loop));
}

static void on_went(void *ctx, const char *id)
{
    struct receive *r = ctx;

    if (strcmp(id, r->sender) != 0)
        return;
    r->sender[0] = '\0';
    if (r->link || r->ending || r->done)
        return; /* the connection may well live on */
    receive_say(r, "%s",
                r->was_proven ? "the sender has gone; what came so far is kept, and its next code "
                                "goes on from there"
                              : "the sender has gone");
    receive_end(r, EXIT_NOT_REACHED);
}

/* --- time */

static void give_up(struct receive *r)
{
    if (!r->was_proven && !r->sender[0])
        receive_say(r, "%s", "nobody sends under this number");
    else
        receive_say(r, "%s",
                    r->was_proven ? "the connection did not come back; what came so far is kept"
                                  : "the sender could not be reached");
    receive_end(r, EXIT_NOT_REACHED);
}

static void on_tick(void *ctx, ln_time now)
{
    struct receive *r = ctx;

    ln_loop_timer_set(&r->tick, now + TICK);
    if (r->ending) {
        if (!meeting_is_closing(r->meeting) || now >= r->end_at)
            ln_loop_stop(r->loop);
        return;
    }
    if (r->done && now >= r->end_at) {
        receive_end(r, r->failures ? CLI_EXIT_FAILED : CLI_EXIT_OK);
        return;
    }
    if (r->receiver && r->link && !r->done)
        receive_show(r, now);
    if (!r->entered && now - r->started > REACH_WITHIN) {
        receive_say(r, "the server %s could not be reached in 30 s", r->arguments.to);
        receive_end(r, EXIT_NOT_REACHED);
    } else if (r->link && !r->receiver && r->auth.spake2 && now - r->opened_at > PROOF_WITHIN) {
        link_close(r->link);
        receive_forget_link(r);
        receive_not_proven(r);
    } else if (r->link && r->receiver && !r->sender[0] && now - r->heard_at > GONE_AFTER) {
        link_close(r->link);
        receive_lost(r, "the sender has gone");
    } else if (!r->link && now >= r->give_up_at) {
        give_up(r);
    } else if (now >= r->dial_at) {
        receive_dial(r, now);
    }
}

static void on_signal(void *ctx, int number)
{
    struct receive *r = ctx;

    (void)number;
    if (r->ending) {
        ln_loop_stop(r->loop);
        return;
    }
    progress_clear(&r->progress);
    receive_tell_stop(r);
    receive_end(r, EXIT_INTERRUPTED);
}

/* --- from start to end */

static int read_code(struct receive *r, const char *text)
{
    char word[LN_CODE_TEXT_MAX];
    const char *words[LN_TRANSFER_WORDS + 1] = { NULL }, *nearest;

    switch (ln_code_parse(text, &r->code, word)) {
    case 0:
        return 0;
    case LN_ERR_NOT_FOUND:
        for (size_t i = 0; i < LN_TRANSFER_WORDS; i++)
            words[i] = ln_transfer_words[i];
        nearest = cli_nearest(word, words);
        fprintf(stderr, "linnet receive: \"%s\" is no word of a code%s%s%s\n", word,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
        return -1;
    default:
        fprintf(stderr, "linnet receive: a code is a number and three words, as "
                        "4711-anchor-velvet-otter\n");
        return -1;
    }
}

static int start(struct receive *r)
{
    static const int signals[] = { SIGINT, SIGTERM };
    struct meeting_config config = { .url = r->url,
                                     .name = "receiver",
                                     .token = r->arguments.token,
                                     .insecure = r->arguments.insecure,
                                     .proxy = r->arguments.proxy,
                                     .ice_tcp = r->arguments.ice_tcp,
                                     .loopback = r->arguments.loopback,
                                     .relay_only = r->arguments.relay,
                                     .state = on_state,
                                     .came = on_came,
                                     .went = on_went,
                                     .open = on_open,
                                     .message = on_message,
                                     .writable = on_writable,
                                     .broken = on_broken,
                                     .ctx = r };
    char room[LN_CODE_ROOM_MAX];
    int error = meeting_create(&r->meeting, &config);

    if (error)
        return error;
    r->loop = meeting_loop(r->meeting);
    error = ln_loop_watch_signals(r->loop, signals, 2, on_signal, r, &r->signal_watch);
    if (!error)
        error = ln_loop_timer_init(r->loop, &r->tick, on_tick, r);
    if (error)
        return error;
    r->started = ln_loop_now(r->loop);
    ln_loop_timer_set(&r->tick, r->started + TICK);
    return meeting_enter(r->meeting, ln_code_room(&r->code, room));
}

static void stop(struct receive *r)
{
    receive_forget_link(r);
    ln_loop_timer_deinit(&r->tick);
    ln_loop_watch_remove(r->signal_watch);
    meeting_free(r->meeting);
    target_close(&r->target);
}

static const struct cli_option options[] = {
    CLI_TEXT("to", "URL", struct receive_arguments, to,
             "the server ($LINNET_SERVER, or http://127.0.0.1:8080)"),
    CLI_TEXT_OR_LETTER('o', "output", "DIR", struct receive_arguments, output, "where to (.)"),
    CLI_FLAG("force", struct receive_arguments, force,
             "overwrite files that are there and are others"),
    CLI_TEXT("token", "TOKEN", struct receive_arguments, token,
             "if the server's rooms ask for one"),
    CLI_FLAG("relay", struct receive_arguments, relay, "by way of a relay only"),
    CLI_FLAG("insecure", struct receive_arguments, insecure,
             "any certificate of the server will do"),
    CLI_PROXY_OPTION(struct receive_arguments, proxy),
    CLI_FLAG("ice-tcp", struct receive_arguments, ice_tcp, "gather TCP candidates too"),
    CLI_FLAG("loopback", struct receive_arguments, loopback, "use loopback addresses too"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "receive",
    .synopsis = "CODE [--to URL] [-o DIR] [options]",
    .summary = "Receives the files that `linnet send` offers under a code.",
    .details =
        "Exit codes: 0 all is here, 1 some of it is not, 2 wrong command line, 3 the server or\n"
        "the sender could not be reached, 4 wrong code, 5 ended by the other side, 130 Ctrl-C.",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
};

int cli_receive(int argc, char **argv)
{
    struct receive *r = calloc(1, sizeof *r);
    struct cli_words words;
    int error = 0, code = CLI_EXIT_USAGE;

    if (!r)
        return CLI_EXIT_FAILED;
    r->arguments = (struct receive_arguments){ .to = transfer_default_server(), .output = "." };
    r->dial_at = r->give_up_at = LN_TIME_NEVER;
    r->target.folder = -1;
    switch (cli_parse(&command, argc, argv, &r->arguments, &words)) {
    case CLI_HELP:
        free(r);
        return CLI_EXIT_OK;
    case CLI_USAGE:
        free(r);
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (read_code(r, words.items[0]) != 0 ||
        !cli_proxy_choose("receive", r->arguments.proxy, r->arguments.to, &r->arguments.proxy)) {
        free(r);
        return CLI_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    progress_init(&r->progress, stderr, isatty(STDERR_FILENO));
    if (target_open(&r->target, r->arguments.output, r->arguments.force) != 0) {
        receive_say(r, "%s", r->target.sentence);
        target_close(&r->target);
        free(r);
        return CLI_EXIT_FAILED;
    }
    error = cli_socket_url(r->arguments.to, r->url);
    if (!error)
        error = start(r);
    if (!error)
        error = ln_loop_run(r->loop);
    if (error)
        receive_say(r, "cannot start: %s", ln_error_sentence(error));
    progress_clear(&r->progress);
    code = error ? CLI_EXIT_FAILED : r->exit_code;
    stop(r);
    free(r);
    return code;
}
