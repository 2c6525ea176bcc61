/* SPDX-License-Identifier: Apache-2.0
 * `linnet receive CODE`: finds the sender in the code's room, proves the code, and receives.
 * docs/transfer.md has the rules.
 *
 * A broken connection is made anew, with another proof; what is there already is not sent again. */
#include "cli/commands.h"
#include "cli/meeting.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/target.h"
#include "cli/transfer_exit.h"
#include "cli/url.h"
#include "transfer/auth.h"
#include "transfer/receiver.h"
#include "transfer/words.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW         (UINT64_C(64) << 20)
#define TURN_ACTIONS   256
#define TICK           LN_MILLISECONDS(200)
#define SENDER_WITHIN  LN_SECONDS(30)  /* nobody is in the room */
#define BACK_WITHIN    LN_SECONDS(120) /* a lost connection */
#define DIAL_AGAIN     LN_SECONDS(1)
#define BUSY_WAIT      LN_SECONDS(2)
#define PROOF_WITHIN   LN_SECONDS(15)
#define GOODBYE_WITHIN LN_SECONDS(3)
#define GONE_AFTER     LN_SECONDS(3) /* silence of one who has left the room */
#define BROKEN_PROOFS  3             /* connections that ended in the midst of the proof */

struct arguments {
    const char *to, *token, *output;
    bool force, insecure, loopback, relay;
};

struct receive {
    struct arguments arguments;
    struct ln_code code;
    struct target target;
    struct meeting *meeting;
    struct ln_loop *loop;
    struct ln_loop_watch *signal_watch;
    struct ln_loop_timer tick;
    struct progress progress;
    char url[CLI_URL_MAX];
    char sender[64]; /* its id; "": not there */
    struct link *link;
    struct ln_auth auth;
    struct ln_receiver *receiver; /* once the code is proven */
    bool entered, was_proven, busy_told, ending, done, work_posted;
    unsigned broken_proofs;
    size_t failures; /* files that are not as the sender has them */
    ln_time started, dial_at, give_up_at, opened_at, end_at, proven_at, heard_at;
    uint64_t bytes; /* of connections before */
    int exit_code;
};

static void say(struct receive *r, const char *format, const char *argument)
{
    progress_say(&r->progress, "linnet receive", format, argument);
}

static void end(struct receive *r, int exit_code)
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

/* --- the link's life */

static void forget_link(struct receive *r)
{
    struct ln_receiver_figures figures;

    if (r->receiver) {
        ln_receiver_get_figures(r->receiver, &figures);
        r->bytes += figures.bytes_written;
    }
    target_set_manifest(&r->target, NULL);
    ln_receiver_free(r->receiver);
    ln_auth_deinit(&r->auth);
    r->receiver = NULL;
    r->link = NULL;
}

static void dial(struct receive *r, ln_time now)
{
    r->dial_at = LN_TIME_NEVER;
    if (r->link || !r->sender[0] || r->ending)
        return;
    forget_link(r);
    if (meeting_dial(r->meeting, r->sender, &r->link) != 0) {
        r->link = NULL;
        r->dial_at = now + DIAL_AGAIN;
    }
}

static void sender_gone(struct receive *r)
{
    say(r, "%s",
        r->was_proven ? "the sender has gone; what came so far is kept, and its next code goes on "
                        "from there"
                      : "the sender has gone");
    end(r, EXIT_NOT_REACHED);
}

static void lost(struct receive *r, const char *sentence)
{
    ln_time now = ln_loop_now(r->loop);

    forget_link(r);
    if (r->ending)
        return;
    if (r->give_up_at == LN_TIME_NEVER)
        r->give_up_at = now + BACK_WITHIN;
    if (!r->sender[0]) {
        sender_gone(r);
        return;
    }
    say(r, "%s; trying again", sentence);
    progress_restart(&r->progress);
    r->dial_at = now + DIAL_AGAIN;
}

/* The other side does not want to go on; before the proof that is a hint. */
static void cancelled(struct receive *r, enum ln_transfer_reason reason, const char *sentence)
{
    ln_time now = ln_loop_now(r->loop);

    switch (reason) {
    case LN_REASON_CODE:
        say(r, "%s", "the code is wrong");
        end(r, EXIT_WRONG_CODE);
        break;
    case LN_REASON_USED:
        say(r, "%s", "the code was used already");
        end(r, EXIT_WRONG_CODE);
        break;
    case LN_REASON_BUSY:
        if (!r->busy_told)
            say(r, "%s", "the sender is busy with somebody else; waiting");
        r->busy_told = true;
        link_close(r->link);
        r->link = NULL;
        if (r->give_up_at == LN_TIME_NEVER)
            r->give_up_at = now + BACK_WITHIN;
        r->dial_at = now + BUSY_WAIT;
        break;
    default:
        say(r, "ended: %s", sentence[0] ? sentence : "the other side stopped it");
        end(r, EXIT_ENDED_BY_OTHER);
    }
}

/* --- what the receiver asks for */

static const char *shown_name(struct receive *r, uint32_t file, char name[LN_NAME_BYTES_MAX + 1])
{
    const struct ln_bytes *bytes = &ln_receiver_manifest(r->receiver)->entries[file].name;

    snprintf(name, LN_NAME_BYTES_MAX + 1, "%.*s", (int)bytes->len, (const char *)bytes->data);
    return name;
}

static void failed(struct receive *r, const char *sentence)
{
    say(r, "%s", sentence);
    r->failures++;
}

static void on_manifest(struct receive *r)
{
    const struct ln_manifest *manifest = ln_receiver_manifest(r->receiver);
    char bytes[16], text[64];

    r->failures = 0;
    target_set_manifest(&r->target, manifest);
    if (!r->was_proven) {
        if (target_room(&r->target, manifest->bytes) != 0) /* some of it may be here already */
            say(r, "%s", r->target.sentence);
        snprintf(
            text, sizeof text, "%zu file%s, %s", manifest->files, manifest->files == 1 ? "" : "s",
            manifest->bytes == LN_TRANSFER_SIZE_UNKNOWN ? "of unknown size"
                                                        : progress_bytes(manifest->bytes, bytes));
        say(r, "to come: %s", text);
    }
    r->was_proven = true;
    ln_receiver_accept(r->receiver);
}

static void on_look(struct receive *r, uint32_t file)
{
    uint64_t bytes = 0;
    enum ln_receiver_found found = target_look(&r->target, file, &bytes);

    if (found == LN_FOUND_REFUSED)
        failed(r, r->target.sentence);
    ln_receiver_found(r->receiver, found, bytes);
}

static void on_differs(struct receive *r, uint32_t file)
{
    char name[LN_NAME_BYTES_MAX + 1], sentence[TARGET_SENTENCE_MAX];

    if (!r->arguments.force) {
        snprintf(sentence, sizeof sentence,
                 "%.200s is here already, and is another file; --force overwrites it",
                 shown_name(r, file, name));
        failed(r, sentence);
    }
    ln_receiver_replace(r->receiver, r->arguments.force);
}

static void on_write(struct receive *r, const struct ln_receiver_action *action)
{
    if (target_write(&r->target, action->file, action->offset, action->message.data,
                     action->message.len) == 0) {
        ln_receiver_written(r->receiver);
        r->give_up_at = LN_TIME_NEVER;
        return;
    }
    say(r, "%s", r->target.sentence);
    ln_receiver_cancel(r->receiver, LN_REASON_LOCAL, "the other side cannot write");
    r->exit_code = CLI_EXIT_FAILED;
}

static void on_missing(struct receive *r, const struct ln_receiver_action *action)
{
    char name[LN_NAME_BYTES_MAX + 1], sentence[TARGET_SENTENCE_MAX];

    snprintf(sentence, sizeof sentence, "the sender cannot read %.150s: %.200s",
             shown_name(r, action->file, name), action->sentence);
    failed(r, sentence);
}

static void on_done(struct receive *r)
{
    struct ln_receiver_figures figures;
    char bytes[16], text[100];
    double seconds = (double)(ln_loop_now(r->loop) - r->proven_at) / 1e9;

    target_finish_folders(&r->target);
    ln_receiver_get_figures(r->receiver, &figures);
    snprintf(text, sizeof text, "%s in %.1f s, %.1f MB/s, path %s",
             progress_bytes(figures.bytes_written, bytes), seconds,
             seconds > 0 ? (double)figures.bytes_written / 1e6 / seconds : 0, link_path(r->link));
    say(r, "received: %s", text);
    r->done = true; /* the sender closes the connection when it has heard of it */
    r->end_at = ln_loop_now(r->loop) + GOODBYE_WITHIN;
}

static void work(struct receive *r);

static void work_later(void *ctx)
{
    struct receive *r = ctx;

    r->work_posted = false;
    if (r->receiver && !r->done)
        work(r);
}

static void act(struct receive *r, const struct ln_receiver_action *a)
{
    switch (a->kind) {
    case LN_RECEIVER_SEND:
        if (link_send(r->link, a->message.data, a->message.len) != 0)
            ln_receiver_cancel(r->receiver, LN_REASON_LOCAL, "the connection takes no more");
        break;
    case LN_RECEIVER_MANIFEST:
        on_manifest(r);
        break;
    case LN_RECEIVER_FOLDER:
        if (target_make_folder(&r->target, a->file) != 0)
            failed(r, r->target.sentence);
        break;
    case LN_RECEIVER_LOOK:
        on_look(r, a->file);
        break;
    case LN_RECEIVER_READ:
        ln_receiver_read(r->receiver, target_read(&r->target, a->file, a->offset, a->data, a->cap));
        break;
    case LN_RECEIVER_WRITE:
        on_write(r, a);
        break;
    case LN_RECEIVER_FINISH:
        if (target_finish(&r->target, a->file, a->size) != 0)
            failed(r, r->target.sentence);
        break;
    case LN_RECEIVER_SAME:
        break;
    case LN_RECEIVER_DIFFERS:
        on_differs(r, a->file);
        break;
    case LN_RECEIVER_MISSING:
        on_missing(r, a);
        break;
    case LN_RECEIVER_DONE:
        on_done(r);
        break;
    case LN_RECEIVER_CANCELLED:
        cancelled(r, a->reason, a->sentence);
        break;
    }
}

/* All that follows from a message; reading what is there already is done in pieces. */
static void work(struct receive *r)
{
    struct ln_receiver_action action;

    for (int reads = 0; ln_receiver_poll(r->receiver, &action);
         reads += action.kind == LN_RECEIVER_READ) {
        if (!r->link) { /* ended: only the last word is of interest */
            continue;
        }
        act(r, &action);
        if (reads < TURN_ACTIONS)
            continue;
        if (!r->work_posted)
            r->work_posted = ln_loop_post(r->loop, work_later, r) == 0;
        return;
    }
    if (r->exit_code == CLI_EXIT_FAILED && !r->ending)
        end(r, CLI_EXIT_FAILED);
}

/* --- the proof */

static void not_proven(struct receive *r)
{
    say(r, "%s",
        "the other side does not know the code, or somebody stands between; nothing was "
        "received");
    end(r, EXIT_WRONG_CODE);
}

static void proven(struct receive *r)
{
    r->broken_proofs = 0;
    r->proven_at = r->heard_at = ln_loop_now(r->loop);
    if (ln_receiver_create(&r->receiver, WINDOW, meeting_env(r->meeting)) != 0) {
        say(r, "%s", "out of memory");
        end(r, CLI_EXIT_FAILED);
    }
}

static void prove(struct receive *r, const uint8_t *data, size_t len)
{
    struct ln_bytes message;
    int error = ln_auth_receive(&r->auth, data, len);

    if (!error && ln_auth_poll(&r->auth, &message))
        error = link_send(r->link, message.data, message.len);
    if (error) {
        say(r, "%s", ln_error_sentence(error));
        end(r, CLI_EXIT_FAILED);
    } else if (r->auth.state == LN_AUTH_PROVEN) {
        proven(r);
    } else if (r->auth.state == LN_AUTH_CANCELLED) {
        cancelled(r, r->auth.reason, "");
    } else if (r->auth.state != LN_AUTH_WAITING) {
        not_proven(r);
    }
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
        say(r, "%s", "the proof of the code cannot begin");
        end(r, CLI_EXIT_FAILED);
    }
}

static void on_message(void *ctx, struct link *link, const uint8_t *data, size_t len)
{
    struct receive *r = ctx;

    if (link != r->link || r->done)
        return;
    if (!r->receiver) {
        prove(r, data, len);
        return;
    }
    r->heard_at = ln_loop_now(r->loop);
    ln_receiver_receive(r->receiver, data, len);
    work(r);
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
        forget_link(r);
        end(r, r->failures ? CLI_EXIT_FAILED : CLI_EXIT_OK);
    } else if (in_proof && ++r->broken_proofs == BROKEN_PROOFS) {
        forget_link(r);
        not_proven(r);
    } else {
        lost(r, sentence);
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
        say(r, "\"%s\" is no address of a server; http://127.0.0.1:8080 is one", r->arguments.to);
        end(r, CLI_EXIT_USAGE);
    } else if (state == LN_ROOM_STATE_LEFT && !r->done) {
        say(r, "the server refused: %s", sentence);
        end(r, EXIT_NOT_REACHED);
    }
}

static void on_came(void *ctx, const char *id, const char *name, bool present)
{
    struct receive *r = ctx;

    (void)present;
    if (strcmp(name, "sender") != 0 || (r->sender[0] && r->link))
        return;
    snprintf(r->sender, sizeof r->sender, "%s", id);
    dial(r, ln_loop_now(r->loop));
}

static void on_went(void *ctx, const char *id)
{
    struct receive *r = ctx;

    if (strcmp(id, r->sender) != 0)
        return;
    r->sender[0] = '\0';
    if (r->link || r->ending || r->done)
        return; /* the connection may well live on */
    say(r, "%s",
        r->was_proven ? "the sender has gone; what came so far is kept, and its next code "
                        "goes on from there"
                      : "the sender has gone");
    end(r, EXIT_NOT_REACHED);
}

/* --- time */

static void show(struct receive *r, ln_time now)
{
    struct progress_state state = { .path = link_path(r->link) };
    const struct ln_manifest *manifest = ln_receiver_manifest(r->receiver);
    struct ln_receiver_figures figures;
    char name[LN_NAME_BYTES_MAX + 1] = "";

    ln_receiver_get_figures(r->receiver, &figures);
    if (figures.file < manifest->count)
        shown_name(r, figures.file, name);
    state.name = name;
    state.done = figures.bytes_written + figures.bytes_kept;
    state.total = manifest->bytes;
    if (manifest->count > 0)
        progress_show(&r->progress, now, &state);
}

static void give_up(struct receive *r)
{
    if (!r->was_proven && !r->sender[0])
        say(r, "%s", "nobody sends under this number");
    else
        say(r, "%s",
            r->was_proven ? "the connection did not come back; what came so far is kept"
                          : "the sender could not be reached");
    end(r, EXIT_NOT_REACHED);
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
        end(r, r->failures ? CLI_EXIT_FAILED : CLI_EXIT_OK);
        return;
    }
    if (r->receiver && r->link && !r->done)
        show(r, now);
    if (!r->entered && now - r->started > REACH_WITHIN) {
        say(r, "the server %s could not be reached in 30 s", r->arguments.to);
        end(r, EXIT_NOT_REACHED);
    } else if (r->link && !r->receiver && r->auth.spake2 && now - r->opened_at > PROOF_WITHIN) {
        link_close(r->link);
        forget_link(r);
        not_proven(r);
    } else if (r->link && r->receiver && !r->sender[0] && now - r->heard_at > GONE_AFTER) {
        link_close(r->link);
        lost(r, "the sender has gone");
    } else if (!r->link && now >= r->give_up_at) {
        give_up(r);
    } else if (now >= r->dial_at) {
        dial(r, now);
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
    if (r->receiver && r->link && !r->done) {
        struct ln_receiver_action action;

        ln_receiver_cancel(r->receiver, LN_REASON_ASKED, "the receiver stopped it");
        while (ln_receiver_poll(r->receiver, &action))
            act(r, &action);
    }
    end(r, EXIT_INTERRUPTED);
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
    forget_link(r);
    ln_loop_timer_deinit(&r->tick);
    ln_loop_watch_remove(r->signal_watch);
    meeting_free(r->meeting);
    target_close(&r->target);
}

static const struct cli_option options[] = {
    CLI_TEXT("to", "URL", struct arguments, to,
             "the server ($LINNET_SERVER, or http://127.0.0.1:8080)"),
    CLI_TEXT_OR_LETTER('o', "output", "DIR", struct arguments, output, "where to (.)"),
    CLI_FLAG("force", struct arguments, force, "overwrite files that are there and are others"),
    CLI_TEXT("token", "TOKEN", struct arguments, token, "if the server's rooms ask for one"),
    CLI_FLAG("relay", struct arguments, relay, "by way of a relay only"),
    CLI_FLAG("insecure", struct arguments, insecure, "any certificate of the server will do"),
    CLI_FLAG("loopback", struct arguments, loopback, "use loopback addresses too"),
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
    r->arguments = (struct arguments){ .to = transfer_default_server(), .output = "." };
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
    if (read_code(r, words.items[0]) != 0) {
        free(r);
        return CLI_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    progress_init(&r->progress, stderr, isatty(STDERR_FILENO));
    if (target_open(&r->target, r->arguments.output, r->arguments.force) != 0) {
        say(r, "%s", r->target.sentence);
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
        say(r, "cannot start: %s", ln_error_sentence(error));
    progress_clear(&r->progress);
    code = error ? CLI_EXIT_FAILED : r->exit_code;
    stop(r);
    free(r);
    return code;
}
