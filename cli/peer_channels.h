/* SPDX-License-Identifier: Apache-2.0
 * The data channels of `linnet peer`: lines in, events out as lines. */
#ifndef CLI_PEER_CHANNELS_H
#define CLI_PEER_CHANNELS_H

#include "cli/peer_bulk.h"

#include <linnet/linnet.h>

#include <jansson.h>

#define PEER_CHANNELS_MAX 256u /* found by their label; further ones still report and echo */

/* What is not yet written of a piece of a message. */
struct peer_piece {
    ln_data_channel *channel; /* NULL: there is none */
    uint8_t *bytes;           /* owned */
    size_t len, at;
    bool more; /* the message goes on after it */
};

struct peer_channels {
    ln_peer_connection *pc; /* borrowed */
    const char *peer;       /* put into each line; NULL: it is the only one; borrowed */
    bool echo;              /* send every message back */
    bool parts;             /* messages are told in parts */
    bool full;              /* more waits than peer_channels_full() wants */
    ln_data_channel *channels[PEER_CHANNELS_MAX];
    size_t count;
    ln_data_channel *open[PEER_CHANNELS_MAX]; /* those with a message begun */
    size_t open_count;
    struct peer_piece piece;
    struct peer_bulk bulk;
};

void peer_channels_add(struct peer_channels *c, ln_data_channel *channel);
/* A line with "channel": a message, or its state as it shall be. */
void peer_channels_line(struct peer_channels *c, const json_t *line);
/* Whether the event was one of channels; its line is written. */
bool peer_channels_event(struct peer_channels *c, const struct ln_event *event);
/* Whether so much waits to be sent that no more shall be read; asked after each line and event. */
bool peer_channels_full(struct peer_channels *c);

/* --- peer_pieces.c: messages in pieces. */

/* Whether the line is a piece: it says that more comes, or follows one that did. */
bool peer_piece_follows(struct peer_channels *c, const ln_data_channel *channel,
                        const json_t *line);
/* Takes the bytes. */
void peer_piece_line(struct peer_channels *c, ln_data_channel *channel, bool text, uint8_t *bytes,
                     size_t len, bool more);
void peer_piece_abandon(struct peer_channels *c, ln_data_channel *channel);
bool peer_piece_event(struct peer_channels *c, const struct ln_event *event);
void peer_piece_closed(struct peer_channels *c, const ln_data_channel *channel);

/* "linnet peer: WHAT: SENTENCE" on standard error. */
void peer_complain(const char *what, int error);

#endif
