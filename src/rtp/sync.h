/* SPDX-License-Identifier: Apache-2.0
 * Plays streams of one source in step: each is delayed until what was captured at the same NTP time
 * (by the sender reports, RFC 3550, 6.4.1) is released at the same local time. */
#ifndef LN_RTP_SYNC_H
#define LN_RTP_SYNC_H

#include "rtp/delay.h"

#define LN_SYNC_STREAMS_MAX 16u
/* A larger difference is taken for a wrong clock: the stream is left alone. */
#define LN_SYNC_EXTRA_MAX LN_SECONDS(2)

struct ln_sync_stream {
    struct ln_delay *delay;
    ln_time report_unix;      /* NTP time of a sender report, Unix epoch */
    int64_t report_timestamp; /* the RTP time that it names, unwrapped */
};

/* Sets each delay's `extra` so that all are released like the slowest. */
void ln_sync_update(const struct ln_sync_stream *streams, size_t count);

#endif
