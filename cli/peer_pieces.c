/* SPDX-License-Identifier: Apache-2.0
 * Messages in pieces for `linnet peer`: lines with "more" one way, parts the other way. One piece
 * at a time waits for room, and no line is read meanwhile. */
#include "cli/peer_channels.h"

#include "cli/json_lines.h"

#include <stdlib.h>
#include <string.h>

static void drop(struct peer_piece *piece)
{
    free(piece->bytes);
    memset(piece, 0, sizeof *piece);
}

static ln_data_channel **find_open(struct peer_channels *c, const ln_data_channel *channel)
{
    for (size_t i = 0; i < c->open_count; i++)
        if (c->open[i] == channel)
            return &c->open[i];
    return NULL;
}

static void forget(struct peer_channels *c, const ln_data_channel *channel)
{
    ln_data_channel **open = find_open(c, channel);

    if (open)
        *open = c->open[--c->open_count];
}

/* Writes what is taken; the end of the message, and of the piece, when it was all. */
static void write_on(struct peer_channels *c)
{
    struct peer_piece *piece = &c->piece;
    size_t taken = 0;
    int error = 0;

    if (piece->at < piece->len) {
        error = ln_data_channel_write(piece->channel, piece->bytes + piece->at,
                                      piece->len - piece->at, &taken);
        piece->at += taken;
        if (error == LN_ERR_LIMIT || (!error && piece->at < piece->len))
            return; /* LN_EVENT_WRITABLE comes */
    }
    if (!error && !piece->more)
        error = ln_data_channel_finish_message(piece->channel);
    if (error) {
        peer_complain("the piece was not sent, and the message is given up", error);
        (void)!ln_data_channel_abandon_message(piece->channel);
        forget(c, piece->channel);
    }
    drop(piece);
}

bool peer_piece_follows(struct peer_channels *c, const ln_data_channel *channel, const json_t *line)
{
    return json_is_true(json_object_get(line, "more")) || find_open(c, channel);
}

void peer_piece_line(struct peer_channels *c, ln_data_channel *channel, bool text, uint8_t *bytes,
                     size_t len, bool more)
{
    int error = 0;

    if (!find_open(c, channel)) {
        error = c->open_count == PEER_CHANNELS_MAX ? LN_ERR_LIMIT
                                                   : ln_data_channel_begin_message(channel, text);
        if (!error)
            c->open[c->open_count++] = channel;
    }
    if (!more)
        forget(c, channel);
    if (error) {
        peer_complain("the message was not begun", error);
        free(bytes);
        return;
    }
    c->piece = (struct peer_piece){ channel, bytes, len, 0, more };
    write_on(c);
}

void peer_piece_abandon(struct peer_channels *c, ln_data_channel *channel)
{
    int error = ln_data_channel_abandon_message(channel);

    forget(c, channel);
    if (error)
        peer_complain("the message was not given up", error);
}

static void write_part(const struct peer_channels *c, const struct ln_event *event)
{
    const char *label = ln_data_channel_label(event->u.part.channel);
    json_t *line = json_lines_bytes_object(label, event->u.part.data, event->u.part.len);

    if (line) {
        json_object_set_new(line, "message", json_integer((json_int_t)event->u.part.message));
        json_object_set_new(line, "text", json_boolean(event->u.part.text));
        json_object_set_new(line, "more", json_boolean(!event->u.part.last));
    }
    json_lines_write_of(c->peer, line);
}

bool peer_piece_event(struct peer_channels *c, const struct ln_event *event)
{
    switch (event->kind) {
    case LN_EVENT_WRITABLE:
        if (c->piece.channel == event->u.channel)
            write_on(c);
        return true;
    case LN_EVENT_MESSAGE_PART:
        write_part(c, event);
        return true;
    case LN_EVENT_MESSAGE_ABANDONED:
        json_lines_write_of(c->peer,
                            json_pack("{s:s, s:I, s:s}", "channel",
                                      ln_data_channel_label(event->u.part.channel), "message",
                                      (json_int_t)event->u.part.message, "state", "abandoned"));
        return true;
    default:
        return false;
    }
}

void peer_piece_closed(struct peer_channels *c, const ln_data_channel *channel)
{
    forget(c, channel);
    if (c->piece.channel == channel)
        drop(&c->piece);
}
