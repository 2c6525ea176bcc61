/* SPDX-License-Identifier: Apache-2.0
 * What the association tells its owner: news turned into events, and messages lent or handed over.
 */
#include "sctp/association.h"

#include "base/alloc.h"

#include <string.h>

static void return_lent(struct ln_sctp *s)
{
    if (s->lent)
        ln_reassembly_release(&s->reassembly, s->lent);
    s->lent = NULL;
}

void ln_association_drop_events(struct ln_sctp *s)
{
    return_lent(s);
    while (!ln_list_empty(&s->news)) {
        struct ln_news *news = LN_CONTAINER(s->news.next, struct ln_news, link);

        ln_list_remove(&news->link);
        if (news->kind == LN_SCTP_EVENT_MESSAGE || news->kind == LN_SCTP_EVENT_MESSAGE_TOO_BIG)
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
    default:
        event->stream = LN_CONTAINER(news, struct ln_in_stream, reset)->id;
        return;
    }
    event->stream = out->id;
}

static void fill_message_event(struct ln_sctp *s, struct ln_news *news, struct ln_sctp_event *event)
{
    struct ln_sctp_message *message = LN_CONTAINER(news, struct ln_sctp_message, news);

    event->stream = message->stream;
    event->ppid = message->ppid;
    event->unordered = message->unordered;
    event->data = message->data ? message->data + message->start : NULL;
    event->len = message->len;
    s->lent = message;
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

int ln_sctp_poll_event(struct ln_sctp *s, struct ln_sctp_event *ret_event)
{
    struct ln_news *news;

    if (s->lent) {
        return_lent(s);
        consider_window_update(s);
    }
    if (ln_list_empty(&s->news))
        return 0;
    news = LN_CONTAINER(s->news.next, struct ln_news, link);
    ln_list_remove(&news->link);
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->kind = (enum ln_sctp_event_kind)news->kind;
    switch (news->kind) {
    case LN_SCTP_EVENT_CONNECTED:
    case LN_SCTP_EVENT_RESTARTED:
        break;
    case LN_SCTP_EVENT_CLOSED:
        ret_event->error = s->close_error;
        ret_event->cause = s->close_cause;
        break;
    case LN_SCTP_EVENT_MESSAGE:
    case LN_SCTP_EVENT_MESSAGE_TOO_BIG:
        fill_message_event(s, news, ret_event);
        break;
    default:
        fill_stream_event(news, ret_event);
        break;
    }
    return 1;
}

struct ln_sctp_message *ln_sctp_take_message(struct ln_sctp *s)
{
    struct ln_sctp_message *message = s->lent;

    if (!message || message->news.kind != LN_SCTP_EVENT_MESSAGE)
        return NULL;
    s->lent = NULL;
    ln_reassembly_hand_over(&s->reassembly, message);
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
