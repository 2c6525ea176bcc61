/* SPDX-License-Identifier: Apache-2.0
 * Guests of `linnet send`: the proof of the code, then what their senders ask for. */
#include "cli/send_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_FOR     LN_SECONDS(3) /* then another may take a receiver's place */
#define TURN_ACTIONS 256           /* of one receiver, before others have their turn */

size_t send_active(const struct send *s)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        count += s->guests[i].link && s->guests[i].sender;
    return count;
}

struct guest *send_free_place(struct send *s)
{
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (!s->guests[i].link)
            return &s->guests[i];
    return NULL;
}

void send_forget(struct guest *g)
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
void send_dismiss(struct guest *g)
{
    link_close_soon(g->link);
    send_forget(g);
}

static int tell(struct guest *g, struct ln_bytes message)
{
    return link_send(g->link, message.data, message.len);
}

void send_tell_cancel(struct guest *g, enum ln_transfer_reason reason, const char *sentence)
{
    struct ln_transfer_message cancel = { .type = LN_TRANSFER_CANCEL,
                                          .reason = (uint8_t)reason,
                                          .sentence = { (const uint8_t *)sentence,
                                                        strlen(sentence) } };
    uint8_t out[LN_TRANSFER_SENTENCE_MAX + 8];
    int len = ln_transfer_write(&cancel, out, sizeof out);

    if (len > 0)
        (void)!tell(g, (struct ln_bytes){ out, (size_t)len });
    send_dismiss(g);
}

/* --- standard input */

static void input_done(struct guest *g)
{
    struct send *s = g->send;

    g->waits_for_input = false;
    if (s->input_watch)
        ln_loop_watch_set(s->input_watch, 0);
    ln_sender_read(g->sender, g->input_len);
    send_pump(g);
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
    send_say(s, "received: %s", text);
    link_close(g->link);
    send_forget(g);
    s->finished++;
    if (s->finished >= s->arguments.receivers && send_active(s) == 0)
        send_end(s, s->source.left_out ? CLI_EXIT_FAILED : CLI_EXIT_OK);
}

static void cancelled(struct guest *g, const struct ln_sender_action *action)
{
    struct send *s = g->send;

    send_say(s, "ended: %s", action->sentence[0] ? action->sentence : "the other side stopped it");
    send_dismiss(g);
    s->finished++; /* the code was used */
    if (s->finished >= s->arguments.receivers && send_active(s) == 0)
        send_end(s, EXIT_ENDED_BY_OTHER);
}

static void pump_all(void *ctx)
{
    struct send *s = ctx;

    s->pump_posted = false;
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++)
        if (s->guests[i].link && s->guests[i].sender)
            send_pump(&s->guests[i]);
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
        send_say(g->send, "%s", "the connection takes no more; it is closed");
        send_dismiss(g);
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
void send_pump(struct guest *g)
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

    if ((long)send_active(s) + s->finished < s->arguments.receivers)
        return true;
    for (size_t i = 0; i < sizeof s->guests / sizeof *s->guests; i++) {
        struct guest *g = &s->guests[i];

        if (g != newcomer && g->link && g->sender &&
            (!link_alive(g->link) || now - g->moved_at > IDLE_FOR)) {
            link_close(g->link);
            send_forget(g);
            return true;
        }
    }
    return false;
}

static void welcome(struct guest *g)
{
    struct send *s = g->send;

    if (!make_room(s, g)) {
        if (send_active(s) > 0)
            send_tell_cancel(g, LN_REASON_BUSY, "somebody else is being served");
        else
            send_tell_cancel(g, LN_REASON_USED, "the code was used");
        return;
    }
    if (ln_sender_create(&g->sender, &s->source.manifest, meeting_env(s->meeting)) != 0) {
        send_tell_cancel(g, LN_REASON_LOCAL, "out of memory");
        return;
    }
    source_reader_init(&g->reader, &s->source);
    g->since = g->moved_at = ln_loop_now(s->loop);
    send_say(s, "a receiver has proven the code, path %s", link_path(g->link));
    send_pump(g);
}

static void refuse(struct guest *g)
{
    struct send *s = g->send;
    char count[32];

    s->tries++;
    snprintf(count, sizeof count, "%u of %u", s->tries, LN_AUTH_TRIES);
    send_say(s, "somebody came with a wrong code (%s)", count);
    send_tell_cancel(g, LN_REASON_CODE, "the code is wrong");
    if (s->tries >= LN_AUTH_TRIES) {
        send_say(s, "%s", "that was one too many: this code serves no more");
        if (send_active(s) == 0)
            send_end(s, EXIT_WRONG_CODE);
    }
}

/* Guesses that come at once are counted one by one: after the third wrong one even a right one is
 * not looked at. */
void send_prove(struct guest *g, const uint8_t *data, size_t len)
{
    struct ln_bytes message;
    int error;

    if (g->send->tries >= LN_AUTH_TRIES) {
        send_dismiss(g);
        return;
    }
    error = ln_auth_receive(&g->auth, data, len);
    if (!error && ln_auth_poll(&g->auth, &message))
        error = tell(g, message);
    if (error)
        send_dismiss(g);
    else if (g->auth.state == LN_AUTH_PROVEN)
        welcome(g);
    else if (g->auth.state == LN_AUTH_WRONG)
        refuse(g);
    else if (g->auth.state != LN_AUTH_WAITING)
        send_dismiss(g);
}
