/* SPDX-License-Identifier: Apache-2.0
 * Congestion control as a table of functions over a state of the controller's own. It sees bytes of
 * user data, times and the round trip; it never sees packets.
 *
 *   cc_reno.c   RFC 9260, 7.2: the reference
 *   cc_cubic.c  RFC 9438: bulk data, fair to TCP; the default
 *   cc_model.c  bandwidth and least round trip measured, paced: long and lossy paths
 *   cc_delay.c  gives way as soon as a queue grows: beside live media */
#ifndef LN_SCTP_CC_H
#define LN_SCTP_CC_H

#include <linnet/types.h>

struct ln_sctp_cc_config {
    size_t packet_bytes;   /* user data of a full packet */
    size_t initial_window; /* bytes */
    size_t max_window;
};

/* What one SACK brought. */
struct ln_sctp_cc_ack {
    ln_time now;
    size_t acked_bytes;     /* newly, cumulatively or by gap blocks */
    size_t in_flight_bytes; /* before this SACK */
    bool cumulative;        /* the cumulative point moved */
    bool limited;           /* the window was what held sending back since the last SACK */
    bool paced;             /* or the pacing */
    uint64_t cumulative_tsn;
    uint64_t highest_tsn; /* the highest acknowledged so far */
    uint64_t next_tsn;    /* the next to be assigned */
    ln_duration rtt;      /* of the newest fragment acknowledged, or 0 */
    ln_duration smoothed_rtt;
};

struct ln_sctp_cc_ops {
    const char *name;
    size_t state_bytes;
    void (*init)(void *cc, const struct ln_sctp_cc_config *config, ln_time now);
    void (*on_sent)(void *cc, ln_time now, size_t bytes, size_t in_flight_bytes);
    void (*on_ack)(void *cc, const struct ln_sctp_cc_ack *ack);
    /* Data up to largest_tsn, `bytes` of it, was found lost (not by timeout). next_tsn: the next to
     * be assigned. */
    void (*on_loss)(void *cc, ln_time now, size_t bytes, uint64_t largest_tsn, uint64_t next_tsn);
    /* again: nothing was acknowledged since the last one. */
    void (*on_timeout)(void *cc, ln_time now, bool again);
    /* The last loss, or timeout, was none: as if it had not been told. */
    void (*undo)(void *cc, ln_time now);
    void (*on_idle)(void *cc, ln_time now, ln_duration idle, ln_duration rto);
    void (*set_packet_bytes)(void *cc, size_t packet_bytes);
    size_t (*window)(const void *cc);
    /* In loss recovery: the first retransmission passes the window (RFC 9260, 7.2.4). */
    bool (*in_recovery)(const void *cc);
    /* The earliest time of the next packet with data, for a paced controller. NULL: at once. */
    ln_time (*next_send)(const void *cc);
};

extern const struct ln_sctp_cc_ops ln_sctp_cc_reno;
extern const struct ln_sctp_cc_ops ln_sctp_cc_cubic;
extern const struct ln_sctp_cc_ops ln_sctp_cc_model;
extern const struct ln_sctp_cc_ops ln_sctp_cc_delay;

#endif
