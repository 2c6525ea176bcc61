/* SPDX-License-Identifier: Apache-2.0
 * What the association tells its owner: news turned into events, and messages lent or handed over.
 */
#include "sctp/association.h"

#include "base/alloc.h"
#include "sctp/parts_in.h"

#include <string.h>

static void return_lent(struct ln_sctp *s)
{
    if (s->lent)
        ln_reassembly_release(&s->reassembly, s->lent);
    s->lent = NULL;
    if (s->part.data)
        ln_parts_release(&s->reassembly, &s->part);
}

static bool of_message(const struct ln_news *news)
{
    const unsigned kinds = 1u << LN_SCTP_EVENT_MESSAGE | 1u << LN_SCTP_EVENT_MESSAGE_TOO_BIG |
                           1u << LN_SCTP_EVENT_PART | 1u << LN_SCTP_EVENT_ABANDONED;

    return (kinds >> news->kind & 1u) != 0;
}

void ln_association_drop_events(struct ln_sctp *s)
{
    return_lent(s);
    while (!ln_list_empty(&s->news)) {
        struct ln_news *news = LN_CONTAINER(s->news.next, struct ln_news, link);

        ln_list_remove(&news->link);
        if (of_message(news) && LN_CONTAINER(news, struct ln_sctp_message, news)->whole)
            ln_reassembly_release(&s->reassembly, LN_CONTAINER(news, struct ln_sctp_message, news));
    }
}

static void fill_stream_event(struct ln_news *news, struct ln_sctp_event *event)
{
    const struct ln_out_stream *out = NULL;

    switch (news->kind) {
    case LN_SCTP_EVENT_OUTGOING_RESET:
        out = LN_CONTAINER(news, struct ln_out_stream, reset_done);
        event->error = out->reset_error;
        break;
    case LN_SCTP_EVENT_RESET_REQUESTED:
        out = LN_CONTAINER(news, struct ln_out_stream, reset_asked);
        break;
    case LN_SCTP_EVENT_BUFFERED_LOW:
        out = LN_CONTAINER(news, struct ln_out_stream, low);
        break;
    case LN_SCTP_EVENT_ROOM:
        out = LN_CONTAINER(news, struct ln_out_stream, room);
        break;
    default:
        event->stream = LN_CONTAINER(news, struct ln_in_stream, reset)->id;
        return;
    }
    event->stream = out->id;
}

/* How it is told was not settled when it became news: the owner may have asked for parts since, or
 * for whole messages again. Returns false when it is not to be told yet. */
static bool settle_kind(const struct ln_sctp *s, struct ln_news *news)
{
    struct ln_sctp_message *message = LN_CONTAINER(news, struct ln_sctp_message, news);
    bool parts = message->handed || ln_parts_wanted(&s->reassembly, message->stream);

    if (message->news.kind != LN_SCTP_EVENT_MESSAGE && message->news.kind != LN_SCTP_EVENT_PART)
        return true;
    message->news.kind = parts ? LN_SCTP_EVENT_PART : LN_SCTP_EVENT_MESSAGE;
    if (!parts && message->len > s->reassembly.max_message_bytes)
        message->news.kind = LN_SCTP_EVENT_MESSAGE_TOO_BIG;
    return parts || message->whole;
}

static void fill_message_event(struct ln_sctp *s, struct ln_news *news, struct ln_sctp_event *event)
{
    struct ln_sctp_message *message = LN_CONTAINER(news, struct ln_sctp_message, news);

    event->message = message->id;
    event->first = !message->handed;
    event->last = message->whole;
    event->stream = message->stream;
    event->ppid = message->ppid;
    event->unordered = message->unordered;
    event->data = message->data ? message->data + message->start : NULL;
    event->len = message->len;
    if (message->whole)
        s->lent = message;
    else
        ln_parts_detach(message, &s->part);
}

/* A window that has opened much since it was last announced is worth a SACK of its own (RFC 1122,
 * 4.2.3.3's rule). */
static void consider_window_update(struct ln_sctp *s)
{
    size_t window = ln_reassembly_window(&s->reassembly), limit = s->reassembly.limit_bytes;

    if (s->announced_window < limit / 2 && window >= s->announced_window + limit / 4 &&
        ln_association_in(s, LN_STATES_RECEIVING) && !s->received.due) {
        s->received.due = true;
        s->want_now = true;
    }
}

static void fill_event(struct ln_sctp *s, struct ln_news *news, struct ln_sctp_event *event)
{
    memset(event, 0, sizeof *event);
    event->kind = (enum ln_sctp_event_kind)news->kind;
    if (of_message(news)) {
        fill_message_event(s, news, event);
    } else if (news->kind == LN_SCTP_EVENT_CLOSED) {
        event->error = s->close_error;
        event->cause = s->close_cause;
    } else if (news->kind != LN_SCTP_EVENT_CONNECTED && news->kind != LN_SCTP_EVENT_RESTARTED) {
        fill_stream_event(news, event);
    }
}

int ln_sctp_poll_event(struct ln_sctp *s, struct ln_sctp_event *ret_event)
{
    if (s->lent || s->part.data) {
        return_lent(s);
        consider_window_update(s);
    }
    while (!ln_list_empty(&s->news)) {
        struct ln_news *news = LN_CONTAINER(s->news.next, struct ln_news, link);

        ln_list_remove(&news->link);
        if (of_message(news) && !settle_kind(s, news))
            continue;
        fill_event(s, news, ret_event);
        return 1;
    }
    return 0;
}

struct ln_sctp_message *ln_sctp_take_message(struct ln_sctp *s)
{
    struct ln_sctp_message *message = s->lent;

    if (s->part.data) {
        message = ln_parts_take(&s->reassembly, &s->part);
    } else if (message && (message->news.kind == LN_SCTP_EVENT_MESSAGE ||
                           message->news.kind == LN_SCTP_EVENT_PART)) {
        s->lent = NULL;
        ln_reassembly_hand_over(&s->reassembly, message);
    } else {
        message = NULL;
    }
    if (message)
        consider_window_update(s);
    return message;
}

void ln_sctp_message_free(struct ln_sctp_message *message)
{
    struct ln_allocator *allocator;

    if (!message)
        return;
    allocator = message->allocator;
    ln_free(allocator, message->data);
    ln_free(allocator, message);
}
