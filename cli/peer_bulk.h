/* SPDX-License-Identifier: Apache-2.0
 * Bulk on a data channel of `linnet peer`: made-up messages sent, or received ones summed up, so
 * that both ends can tell whether all came, unchanged and in order, without a line for each.
 *
 * Message k begins with k in eight bytes; byte i behind them is 31 i + k. The sum is a chain:
 * SHA-256 of the last sum (32 zero bytes at first) and the message. */
#ifndef CLI_PEER_BULK_H
#define CLI_PEER_BULK_H

#include "crypto/hash.h"

#include <linnet/linnet.h>

#include <jansson.h>

#define PEER_BULK_MESSAGE_MAX 262144u

struct peer_bulk_way {
    ln_data_channel *channel; /* borrowed; NULL: none is under way */
    uint64_t bytes, left, messages;
    uint8_t sum[LN_SHA256_LEN];
};

struct peer_bulk {
    struct peer_bulk_way out, in;
    const char *peer; /* put into each line; NULL: it is the only one; borrowed */
    size_t message_bytes;
    uint8_t *message; /* while something is sent */
};

/* {"channel":…,"bulk":BYTES,"size":BYTES} or {"channel":…,"sum":BYTES}; false: the line is none. */
bool peer_bulk_line(struct peer_bulk *b, ln_data_channel *channel, const json_t *line);
/* Sends what there is room for. */
void peer_bulk_send(struct peer_bulk *b);
/* Takes a message that is to be summed up; false: it is not. */
bool peer_bulk_receive(struct peer_bulk *b, const struct ln_event *event);
/* The channel is gone. */
void peer_bulk_forget(struct peer_bulk *b, const ln_data_channel *channel);

#endif
