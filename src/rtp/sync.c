/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/sync.h"

#include <assert.h>

/* Release time less NTP time of the same moment, without the extra delay. */
static int64_t lag(const struct ln_sync_stream *s)
{
    return ln_delay_media_time(s->delay, s->report_timestamp) + s->delay->base +
           ln_delay_target(s->delay) - s->report_unix;
}

void ln_sync_update(const struct ln_sync_stream *streams, size_t count)
{
    int64_t largest = INT64_MIN;

    assert(count <= LN_SYNC_STREAMS_MAX);
    for (size_t i = 0; i < count; i++)
        if (lag(&streams[i]) > largest)
            largest = lag(&streams[i]);
    for (size_t i = 0; i < count; i++) {
        int64_t extra = largest - lag(&streams[i]);

        streams[i].delay->extra = extra <= LN_SYNC_EXTRA_MAX ? extra : 0;
    }
}
