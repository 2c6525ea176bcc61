/* SPDX-License-Identifier: Apache-2.0
 * Two peer connections on a wire in virtual time, with a signalling path between them that carries
 * descriptions and candidates after a delay, in order, as an application would. Each side
 * negotiates by itself when it is told to (perfect negotiation: side 0 is impolite, side 1 polite).
 */
#ifndef LN_TEST_PEER_PAIR_H
#define LN_TEST_PEER_PAIR_H

#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <linnet/linnet.h>

#define PAIR_MESSAGES  256
#define PAIR_CHANNELS  16
#define PAIR_LOG_BYTES 32768

struct pair;

struct side {
    struct pair *pair;
    int index;
    ln_peer_connection *pc;
    ln_data_channel *channels[PAIR_CHANNELS]; /* in the order they were created or announced */
    size_t channel_count;
    bool negotiates; /* answers negotiationneeded by itself */
    bool making_offer, ignoring_offer;
    ln_op_id local_op, remote_offer_op, last_op;
    int last_error; /* of the last operation that ended */
    struct ln_rtc_error last_rtc_error;
    char *description; /* of the last createOffer or createAnswer; malloc */
    char *stats;       /* JSON of the last getStats; malloc */
    size_t messages, bytes, opened, closed, tracks, errors;
    uint8_t last_message[512];
    size_t last_len;
    bool last_text;
    bool needed;              /* negotiationneeded was fired and not taken care of */
    char log[PAIR_LOG_BYTES]; /* the events, as words */
};

struct note { /* on its way to the other side */
    ln_time at;
    int to;
    enum ln_sdp_type type; /* IMPLICIT: a candidate */
    char *text;
    char mid[65];
    bool end;
};

struct pair {
    struct wire wire;
    struct side sides[2];
    struct note notes[PAIR_MESSAGES];
    size_t note_count;
    ln_duration signalling_delay;
    bool no_trickle;
    bool drop_candidates;
    void (*on_event)(struct side *side, const struct ln_event *event); /* each, before all else */
    void (*on_message)(struct side *side, const struct ln_event *event);
    void (*on_target)(struct side *side,
                      const struct ln_event *event); /* LN_EVENT_ENCODER_TARGET */
};

/* Makes both with this configuration (NULL: defaults) at time 1 s. */
void pair_init(struct pair *pair, const struct ln_configuration *configuration);
/* The same with a configuration each. */
void pair_init_with(struct pair *pair, const struct ln_configuration *first,
                    const struct ln_configuration *second);
void pair_free(struct pair *pair);
/* Runs until the time, or until `done` says so; false when the time came first. */
bool pair_run(struct pair *pair, ln_duration limit, bool (*done)(struct pair *pair));
/* Runs what is due now without letting time pass. */
void pair_settle(struct pair *pair);

bool pair_connected(struct pair *pair);
bool pair_open(struct pair *pair); /* the first channel of each side */

#endif
