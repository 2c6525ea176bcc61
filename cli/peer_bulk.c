/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/peer_bulk.h"

#include "base/bytes.h"
#include "cli/json_lines.h"
#include "cli/peer_channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES  8u
#define BUFFERED_MOST (2u << 20) /* less than stops reading (peer_channels.c) */
#define MESSAGE_BYTES 16384u     /* unless the line says otherwise */

static void sum_up(struct peer_bulk_way *way, const uint8_t *data, size_t len)
{
    struct ln_bytes pieces[] = { { way->sum, sizeof way->sum }, { data, len } };
    uint8_t sum[LN_SHA256_LEN];

    ln_hash_pieces(LN_HASH_SHA256, pieces, 2, sum);
    memcpy(way->sum, sum, sizeof sum);
    way->messages++;
    way->left -= len;
}

static void tell(const struct peer_bulk *b, struct peer_bulk_way *way, const char *what)
{
    char text[2 * LN_SHA256_LEN + 1];

    for (size_t i = 0; i < LN_SHA256_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", way->sum[i]);
    json_lines_write_of(b->peer,
                        json_pack("{s:s, s:I, s:I, s:s}", "channel",
                                  ln_data_channel_label(way->channel), what, (json_int_t)way->bytes,
                                  "messages", (json_int_t)way->messages, "sha256", text));
    way->channel = NULL;
}

static void begin(struct peer_bulk_way *way, ln_data_channel *channel, uint64_t bytes)
{
    memset(way, 0, sizeof *way);
    way->channel = channel;
    way->bytes = way->left = bytes;
}

bool peer_bulk_line(struct peer_bulk *b, ln_data_channel *channel, const json_t *line)
{
    json_int_t bulk = json_integer_value(json_object_get(line, "bulk"));
    json_int_t sum = json_integer_value(json_object_get(line, "sum"));
    json_int_t size = json_integer_value(json_object_get(line, "size"));

    if (bulk <= 0 && sum <= 0)
        return false;
    if (sum > 0) {
        begin(&b->in, channel, (uint64_t)sum);
        json_lines_write_of(b->peer, json_pack("{s:s, s:I}", "channel",
                                               ln_data_channel_label(channel), "summing", sum));
    }
    if (bulk <= 0)
        return true;
    b->message_bytes = size >= (json_int_t)NUMBER_BYTES && size <= (json_int_t)PEER_BULK_MESSAGE_MAX
                           ? (size_t)size
                           : MESSAGE_BYTES;
    free(b->message);
    b->message = malloc(b->message_bytes);
    if (!b->message) {
        peer_complain("the bulk was not sent", LN_ERR_NOMEM);
        return true;
    }
    begin(&b->out, channel, (uint64_t)bulk);
    peer_bulk_send(b);
    return true;
}

/* Its length; the last one is what is left, and has its number all the same. */
static size_t make_up(struct peer_bulk *b)
{
    uint64_t number = b->out.messages;
    size_t len = b->out.left < b->message_bytes ? (size_t)b->out.left : b->message_bytes, i;

    for (i = 0; i < NUMBER_BYTES; i++)
        b->message[i] = (uint8_t)(number >> (56 - 8 * i));
    for (; i < len; i++)
        b->message[i] = (uint8_t)(31 * i + number);
    return len;
}

static void end_sending(struct peer_bulk *b)
{
    b->out.channel = NULL;
    free(b->message);
    b->message = NULL;
}

void peer_bulk_send(struct peer_bulk *b)
{
    struct peer_bulk_way *way = &b->out;

    while (way->channel && way->left > 0 &&
           ln_data_channel_buffered_amount(way->channel) < BUFFERED_MOST) {
        size_t len = make_up(b);
        int error = ln_data_channel_send(way->channel, b->message, len);

        if (error) {
            peer_complain("the bulk was not sent", error);
            end_sending(b);
            return;
        }
        sum_up(way, b->message, len);
    }
    if (way->channel && way->left == 0) {
        tell(b, way, "sent");
        end_sending(b);
    }
}

bool peer_bulk_receive(struct peer_bulk *b, const struct ln_event *event)
{
    struct peer_bulk_way *way = &b->in;

    if (event->u.message.channel != way->channel || event->u.message.len > way->left)
        return false;
    sum_up(way, event->u.message.data, event->u.message.len);
    if (way->left == 0)
        tell(b, way, "received");
    return true;
}

void peer_bulk_forget(struct peer_bulk *b, const ln_data_channel *channel)
{
    if (b->out.channel == channel)
        end_sending(b);
    if (b->in.channel == channel)
        b->in.channel = NULL;
}
