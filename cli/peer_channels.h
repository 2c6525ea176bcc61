/* SPDX-License-Identifier: Apache-2.0
 * The data channels of `linnet peer`: lines in, events out as lines. */
#ifndef CLI_PEER_CHANNELS_H
#define CLI_PEER_CHANNELS_H

#include <linnet/linnet.h>

#include <jansson.h>

#define PEER_CHANNELS_MAX 256u /* found by their label; further ones still report and echo */

struct peer_channels {
    ln_peer_connection *pc; /* borrowed */
    bool echo;              /* send every message back */
    bool full;              /* more waits than peer_channels_full() wants */
    ln_data_channel *channels[PEER_CHANNELS_MAX];
    size_t count;
};

void peer_channels_add(struct peer_channels *c, ln_data_channel *channel);
/* A line with "channel": a message, or its state as it shall be. */
void peer_channels_line(struct peer_channels *c, const json_t *line);
/* Whether the event was one of channels; its line is written. */
bool peer_channels_event(struct peer_channels *c, const struct ln_event *event);
/* Whether so much waits to be sent that no more shall be read; asked after each line and event. */
bool peer_channels_full(struct peer_channels *c);

/* "linnet peer: WHAT: SENTENCE" on standard error. */
void peer_complain(const char *what, int error);

#endif
