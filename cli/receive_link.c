/* SPDX-License-Identifier: Apache-2.0
 * The link of `linnet receive` to the sender: how it begins and is made anew, the proof of the
 * code, and what the receiver (transfer/receiver.h) asks for. */
#include "cli/commands.h"
#include "cli/receive_internal.h"

#include <string.h>

#define WINDOW         (UINT64_C(64) << 20)
#define TURN_ACTIONS   256
#define BACK_WITHIN    LN_SECONDS(120) /* a lost connection */
#define DIAL_AGAIN     LN_SECONDS(1)
#define BUSY_WAIT      LN_SECONDS(2)
#define GOODBYE_WITHIN LN_SECONDS(3)

/* --- the link's life */

void receive_forget_link(struct receive *r)
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

void receive_dial(struct receive *r, ln_time now)
{
    r->dial_at = LN_TIME_NEVER;
    if (r->link || !r->sender[0] || r->ending)
        return;
    receive_forget_link(r);
    if (meeting_dial(r->meeting, r->sender, &r->link) != 0) {
        r->link = NULL;
        r->dial_at = now + DIAL_AGAIN;
    }
}

static void sender_gone(struct receive *r)
{
    receive_say(r, "%s",
                r->was_proven
                    ? "the sender has gone; what came so far is kept, and its next code goes on "
                      "from there"
                    : "the sender has gone");
    receive_end(r, EXIT_NOT_REACHED);
}

void receive_lost(struct receive *r, const char *sentence)
{
    ln_time now = ln_loop_now(r->loop);

    receive_forget_link(r);
    if (r->ending)
        return;
    if (r->give_up_at == LN_TIME_NEVER)
        r->give_up_at = now + BACK_WITHIN;
    if (!r->sender[0]) {
        sender_gone(r);
        return;
    }
    receive_say(r, "%s; trying again", sentence);
    progress_restart(&r->progress);
    r->dial_at = now + DIAL_AGAIN;
}

/* The other side does not want to go on; before the proof that is a hint. */
static void cancelled(struct receive *r, enum ln_transfer_reason reason, const char *sentence)
{
    ln_time now = ln_loop_now(r->loop);

    switch (reason) {
    case LN_REASON_CODE:
        receive_say(r, "%s", "the code is wrong");
        receive_end(r, EXIT_WRONG_CODE);
        break;
    case LN_REASON_USED:
        receive_say(r, "%s", "the code was used already");
        receive_end(r, EXIT_WRONG_CODE);
        break;
    case LN_REASON_BUSY:
        if (!r->busy_told)
            receive_say(r, "%s", "the sender is busy with somebody else; waiting");
        r->busy_told = true;
        link_close(r->link);
        r->link = NULL;
        if (r->give_up_at == LN_TIME_NEVER)
            r->give_up_at = now + BACK_WITHIN;
        r->dial_at = now + BUSY_WAIT;
        break;
    default:
        receive_say(r, "ended: %s", sentence[0] ? sentence : "the other side stopped it");
        receive_end(r, EXIT_ENDED_BY_OTHER);
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
    receive_say(r, "%s", sentence);
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
            receive_say(r, "%s", r->target.sentence);
        snprintf(
            text, sizeof text, "%zu file%s, %s", manifest->files, manifest->files == 1 ? "" : "s",
            manifest->bytes == LN_TRANSFER_SIZE_UNKNOWN ? "of unknown size"
                                                        : progress_bytes(manifest->bytes, bytes));
        receive_say(r, "to come: %s", text);
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
    receive_say(r, "%s", r->target.sentence);
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
    receive_say(r, "received: %s", text);
    r->done = true; /* the sender closes the connection when it has heard of it */
    r->end_at = ln_loop_now(r->loop) + GOODBYE_WITHIN;
}

static void work_later(void *ctx)
{
    struct receive *r = ctx;

    r->work_posted = false;
    if (r->receiver && !r->done)
        receive_work(r);
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
void receive_work(struct receive *r)
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
        receive_end(r, CLI_EXIT_FAILED);
}

void receive_tell_stop(struct receive *r)
{
    struct ln_receiver_action action;

    if (!r->receiver || !r->link || r->done)
        return;
    ln_receiver_cancel(r->receiver, LN_REASON_ASKED, "the receiver stopped it");
    while (ln_receiver_poll(r->receiver, &action))
        act(r, &action);
}

void receive_show(struct receive *r, ln_time now)
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

/* --- the proof */

void receive_not_proven(struct receive *r)
{
    receive_say(r, "%s",
                "the other side does not know the code, or somebody stands between; nothing was "
                "received");
    receive_end(r, EXIT_WRONG_CODE);
}

static void proven(struct receive *r)
{
    r->broken_proofs = 0;
    r->proven_at = r->heard_at = ln_loop_now(r->loop);
    if (ln_receiver_create(&r->receiver, WINDOW, meeting_env(r->meeting)) != 0) {
        receive_say(r, "%s", "out of memory");
        receive_end(r, CLI_EXIT_FAILED);
    }
}

void receive_prove(struct receive *r, const uint8_t *data, size_t len)
{
    struct ln_bytes message;
    int error = ln_auth_receive(&r->auth, data, len);

    if (!error && ln_auth_poll(&r->auth, &message))
        error = link_send(r->link, message.data, message.len);
    if (error) {
        receive_say(r, "%s", ln_error_sentence(error));
        receive_end(r, CLI_EXIT_FAILED);
    } else if (r->auth.state == LN_AUTH_PROVEN) {
        proven(r);
    } else if (r->auth.state == LN_AUTH_CANCELLED) {
        cancelled(r, r->auth.reason, "");
    } else if (r->auth.state != LN_AUTH_WAITING) {
        receive_not_proven(r);
    }
}
