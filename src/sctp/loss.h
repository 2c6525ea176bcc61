/* SPDX-License-Identifier: Apache-2.0
 * Loss detection as a table of functions over a state of its own: after each SACK, and at times of
 * its choice, it moves outstanding fragments from in flight to lost. The retransmission timer of
 * RFC 9260, 6.3 stays with the association. loss_rack.c goes by time, loss_missing_reports.c is
 * RFC 9260's own. */
#ifndef LN_SCTP_LOSS_H
#define LN_SCTP_LOSS_H

#include "sctp/outstanding.h"

struct ln_sctp_loss_ops {
    const char *name;
    size_t state_bytes;
    void (*init)(void *loss);
    /* Returns the highest TSN newly found lost, 0 for none. */
    uint64_t (*on_ack)(void *loss, struct ln_outstanding *o, const struct ln_ack *ack,
                       bool in_recovery, ln_duration smoothed_rtt, ln_time now);
    /* The rest may be NULL, all of it. */
    ln_time (*next_timeout)(const void *loss);
    /* As on_ack; ret_probe: one packet is to be sent now, whatever the congestion window says. */
    uint64_t (*on_timeout)(void *loss, struct ln_outstanding *o, ln_time now, bool *ret_probe);
    void (*on_sent)(void *loss, const struct ln_outstanding *o, ln_duration smoothed_rtt,
                    ln_time now);
    /* The retransmission timer ran out: all is held lost. */
    void (*on_rto)(void *loss);
    /* Retransmissions were in vain: what looks lost is late more often than thought. */
    void (*on_in_vain)(void *loss, const struct ln_outstanding *o);
    /* ln_outstanding_find_again() was called: what is really lost must be found again. */
    void (*on_undo)(void *loss, const struct ln_outstanding *o, ln_time now);
};

extern const struct ln_sctp_loss_ops ln_sctp_loss_missing_reports;
extern const struct ln_sctp_loss_ops ln_sctp_loss_rack;

#endif
