/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer_channels.h"

#include "cli/json_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_ABOVE  (4u << 20) /* buffered bytes of a channel at which reading stops */
#define RESUME_BELOW (1u << 20)

void peer_complain(const char *what, int error)
{
    fprintf(stderr, "linnet peer: %s: %s\n", what, ln_error_sentence(error));
}

/* With the members of RTCDataChannelInit, so that each side sees what the other asked for. */
static void write_state(const struct peer_channels *c, const ln_data_channel *channel)
{
    enum ln_data_channel_state state = ln_data_channel_ready_state(channel);
    int32_t life = ln_data_channel_max_packet_life_time(channel);
    int32_t retransmits = ln_data_channel_max_retransmits(channel);

    json_lines_write_of(c->peer, json_pack("{s:s, s:s, s:i, s:b, s:s, s:o*, s:o*}", "channel",
                                           ln_data_channel_label(channel), "state",
                                           ln_data_channel_state_name(state), "id",
                                           (int)ln_data_channel_id(channel), "ordered",
                                           ln_data_channel_ordered(channel), "protocol",
                                           ln_data_channel_protocol(channel), "maxPacketLifeTime",
                                           life < 0 ? NULL : json_integer(life), "maxRetransmits",
                                           retransmits < 0 ? NULL : json_integer(retransmits)));
}

static void write_message(const struct peer_channels *c, const struct ln_event *event)
{
    const char *label = ln_data_channel_label(event->u.message.channel);

    if (event->u.message.text)
        json_lines_write_of(c->peer,
                            json_pack("{s:s, s:s%}", "channel", label, "data",
                                      (const char *)event->u.message.data, event->u.message.len));
    else
        json_lines_write_of(
            c->peer, json_lines_bytes_object(label, event->u.message.data, event->u.message.len));
}

void peer_channels_add(struct peer_channels *c, ln_data_channel *channel)
{
    if (c->count < PEER_CHANNELS_MAX)
        c->channels[c->count++] = channel;
    ln_data_channel_set_buffered_amount_low_threshold(channel, RESUME_BELOW);
    if (c->parts && ln_data_channel_set_receive_parts(channel, true) != 0)
        peer_complain("messages come whole", LN_ERR_NOMEM);
}

static void remove_channel(struct peer_channels *c, ln_data_channel *channel)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->channels[i] == channel)
            c->channels[i] = c->channels[--c->count];
    peer_piece_closed(c, channel);
    peer_bulk_forget(&c->bulk, channel);
    ln_data_channel_release(channel);
}

static ln_data_channel *find_channel(struct peer_channels *c, const char *label)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(ln_data_channel_label(c->channels[i]), label) == 0)
            return c->channels[i];
    return NULL;
}

static int32_t number_or_absent(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);
    json_int_t number = json_integer_value(value);

    return json_is_integer(value) && number >= 0 && number <= INT32_MAX ? (int32_t)number : -1;
}

static void open_channel(struct peer_channels *c, const json_t *line)
{
    const char *label = json_string_value(json_object_get(line, "channel"));
    const char *protocol = json_string_value(json_object_get(line, "protocol"));
    struct ln_data_channel_init init;
    ln_data_channel *channel;
    int error;

    ln_data_channel_init_init(&init);
    init.ordered = !json_is_false(json_object_get(line, "ordered"));
    init.max_packet_life_time = number_or_absent(line, "maxPacketLifeTime");
    init.max_retransmits = number_or_absent(line, "maxRetransmits");
    init.negotiated = json_is_true(json_object_get(line, "negotiated"));
    init.id = number_or_absent(line, "id");
    if (protocol)
        init.protocol = protocol;
    error = ln_peer_connection_create_data_channel(c->pc, label, &init, &channel);
    if (error)
        peer_complain("the channel was not opened", error);
    else
        peer_channels_add(c, channel);
}

static int send_text(struct peer_channels *c, ln_data_channel *channel, const json_t *line,
                     const json_t *text)
{
    size_t len = json_string_length(text);
    uint8_t *copy;

    if (!peer_piece_follows(c, channel, line))
        return ln_data_channel_send_text(channel, json_string_value(text), len);
    copy = malloc(len + 1);
    if (!copy)
        return LN_ERR_NOMEM;
    memcpy(copy, json_string_value(text), len);
    peer_piece_line(c, channel, true, copy, len, json_is_true(json_object_get(line, "more")));
    return 0;
}

static int send_bytes(struct peer_channels *c, ln_data_channel *channel, const json_t *line,
                      const json_t *base64)
{
    uint8_t *bytes;
    size_t len;
    int error = json_lines_bytes(base64, &bytes, &len);

    if (error)
        return error;
    if (peer_piece_follows(c, channel, line)) {
        peer_piece_line(c, channel, false, bytes, len, json_is_true(json_object_get(line, "more")));
        return 0;
    }
    error = ln_data_channel_send(channel, bytes, len);
    free(bytes);
    return error;
}

void peer_channels_line(struct peer_channels *c, const json_t *line)
{
    const json_t *text = json_object_get(line, "data"), *base64 = json_object_get(line, "data64");
    const char *label = json_string_value(json_object_get(line, "channel"));
    ln_data_channel *channel = label ? find_channel(c, label) : NULL;
    const char *state = json_string_value(json_object_get(line, "state"));
    int error = 0;

    if (!label) {
        fprintf(stderr, "linnet peer: a channel is named by its label, a text\n");
        return;
    }
    if (state && strcmp(state, "open") == 0) {
        open_channel(c, line);
        return;
    }
    if (!channel) {
        fprintf(stderr, "linnet peer: there is no channel \"%s\"\n", label);
        return;
    }
    c->bulk.peer = c->peer;
    if (peer_bulk_line(&c->bulk, channel, line))
        return;
    if (json_is_string(text)) {
        error = send_text(c, channel, line, text);
    } else if (json_is_string(base64)) {
        error = send_bytes(c, channel, line, base64);
    } else if (state && strcmp(state, "closed") == 0) {
        ln_data_channel_close(channel);
    } else if (state && strcmp(state, "abandoned") == 0) {
        peer_piece_abandon(c, channel);
    } else {
        fprintf(stderr, "linnet peer: a channel line needs data, data64, bulk, sum, or state open, "
                        "closed or abandoned\n");
        return;
    }
    if (error)
        peer_complain("the message was not sent", error);
}

bool peer_channels_full(struct peer_channels *c)
{
    bool full = c->piece.channel != NULL;

    for (size_t i = 0; i < c->count; i++)
        full = full || ln_data_channel_buffered_amount(c->channels[i]) >
                           (c->full ? RESUME_BELOW : PAUSE_ABOVE);
    c->full = full;
    return full;
}

static void on_message(struct peer_channels *c, const struct ln_event *event)
{
    int error;

    if (peer_bulk_receive(&c->bulk, event))
        return;
    write_message(c, event);
    if (!c->echo)
        return;
    error = event->u.message.text
                ? ln_data_channel_send_text(event->u.message.channel,
                                            (const char *)event->u.message.data,
                                            event->u.message.len)
                : ln_data_channel_send(event->u.message.channel, event->u.message.data,
                                       event->u.message.len);
    if (error)
        peer_complain("the echo was not sent", error);
}

bool peer_channels_event(struct peer_channels *c, const struct ln_event *event)
{
    switch (event->kind) {
    case LN_EVENT_DATA_CHANNEL:
        peer_channels_add(c, event->u.channel);
        return true;
    case LN_EVENT_OPEN:
    case LN_EVENT_CLOSING:
        write_state(c, event->u.channel);
        return true;
    case LN_EVENT_CLOSE:
        write_state(c, event->u.channel);
        remove_channel(c, event->u.channel);
        return true;
    case LN_EVENT_MESSAGE:
        on_message(c, event);
        return true;
    case LN_EVENT_BUFFERED_AMOUNT_LOW:
        peer_bulk_send(&c->bulk);
        return true;
    default:
        return peer_piece_event(c, event);
    }
}
