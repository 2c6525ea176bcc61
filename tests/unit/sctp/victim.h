/* SPDX-License-Identifier: Apache-2.0
 * A victim: an association whose peer is written by hand. What that sends are chunks behind a right
 * header. */
#ifndef LN_TEST_SCTP_VICTIM_H
#define LN_TEST_SCTP_VICTIM_H

#include "tests/unit/sctp/pipe.h"

#define TSN 1000u /* the first of either side */

struct victim {
    struct ln_sctp *sctp;
    ln_time now;
    uint32_t tag;      /* for packets to it */
    uint8_t out[2048]; /* its last packet, the chunks at out + 12 */
    size_t out_len;
};

void victim_create(struct victim *v, struct ln_sctp_config *config);
/* And connected; or with a configuration that sends no heartbeats. */
void victim_connect(struct victim *v, struct ln_sctp_config *config);
void victim_default(struct victim *v);

/* Sends it chunks: with its tag, with any, or one of data. */
void victim_tell(struct victim *v, const char *hex);
void victim_tell_raw(struct victim *v, uint32_t tag, const uint8_t *chunks, size_t len);
void victim_tell_data(struct victim *v, uint32_t tsn, uint8_t flags, uint16_t stream, uint16_t ssn,
                      const void *data, size_t len);

/* Takes its next packet; all that it has to send. */
bool victim_hear(struct victim *v);
void victim_hush(struct victim *v);
/* The cumulative TSN that it acknowledges now; 0: none. */
uint32_t victim_acknowledged(struct victim *v);
/* Messages that it was given since this was asked last. */
size_t victim_messages(struct victim *v);
struct ln_sctp_stats victim_stats(const struct victim *v);

#endif
