/* SPDX-License-Identifier: Apache-2.0
 * The shape that every driver and every protocol object share: see linnet/endpoint.h. Here are the
 * small helpers that objects use to fill requests and outputs. */
#ifndef LN_BASE_ENDPOINT_H
#define LN_BASE_ENDPOINT_H

#include "base/pool.h"

#include <linnet/endpoint.h>

#include <string.h>

static inline bool ln_path_equal(const struct ln_path *a, const struct ln_path *b)
{
    return a->link == b->link && ln_address_equal(&a->remote, &b->remote);
}

/* An output that writes one datagram into the driver's memory; members other than data and cap are
 * reset. */
static inline void ln_transmit_begin(struct ln_transmit *out)
{
    out->len = 0;
    out->segment = 0;
    out->ecn = LN_ECN_NOT_ECT;
    out->dscp = 0;
    out->may_fragment = out->whole = false;
    out->not_before = LN_TIME_IMMEDIATE;
    out->slice_count = 0;
    memset(&out->path, 0, sizeof out->path);
}

/* What a datagram on the media port is, by its first byte (RFC 7983, 7, as RFC 9443 amends it). */
enum ln_packet_kind {
    LN_PACKET_STUN,
    LN_PACKET_DTLS,
    LN_PACKET_CHANNEL_DATA,
    LN_PACKET_RTP,
    LN_PACKET_RTCP,
    LN_PACKET_UNKNOWN,
};

enum ln_packet_kind ln_packet_classify(const uint8_t *data, size_t len);

#endif
