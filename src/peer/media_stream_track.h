/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LN_PEER_MEDIA_STREAM_TRACK_H
#define LN_PEER_MEDIA_STREAM_TRACK_H

#include <linnet/media_stream_track.h>

#define LN_MSID_TEXT 65u

struct ln_media_stream_track {
    struct ln_allocator *allocator;
    uint32_t references;
    enum ln_media_kind kind;
    char id[LN_MSID_TEXT];
    bool enabled, live;
    bool muted;     /* as the last event taken said */
    bool receiving; /* a receiver's track: unmuted once media is expected */
};

bool ln_msid_valid(const char *id);

#endif
