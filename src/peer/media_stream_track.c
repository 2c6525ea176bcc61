/* SPDX-License-Identifier: Apache-2.0
 * MediaStreamTrack as an identity with states (linnet/media_stream_track.h). */
#include "peer/media_stream_track.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <linnet/error.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* msid-id: 1 to 64 token characters (RFC 8830, 2). */
bool ln_msid_valid(const char *id)
{
    size_t len = strlen(id), i;

    if (len == 0 || len > 64)
        return false;
    for (i = 0; i < len; i++)
        if (id[i] <= ' ' || id[i] > '~' || strchr("\"(),/:;<=>?@[\\]", id[i]))
            return false;
    return true;
}

int ln_media_stream_track_create(const struct ln_env *env, enum ln_media_kind kind, const char *id,
                                 ln_media_stream_track **ret_track)
{
    ln_media_stream_track *track;

    if (id && !ln_msid_valid(id))
        return LN_ERR_INVALID_ARGUMENT;
    track = ln_alloc_zero(env->allocator, sizeof *track);
    if (!track)
        return LN_ERR_NOMEM;
    track->allocator = env->allocator;
    track->references = 1;
    track->kind = kind;
    track->enabled = true;
    track->live = true;
    if (id)
        strcpy(track->id, id);
    else
        ln_uuid_text(env->rng, track->id);
    *ret_track = track;
    return 0;
}

ln_media_stream_track *ln_media_stream_track_ref(ln_media_stream_track *track)
{
    track->references++;
    return track;
}

void ln_media_stream_track_unref(ln_media_stream_track *track)
{
    if (!track)
        return;
    assert(track->references > 0);
    if (--track->references == 0)
        ln_free(track->allocator, track);
}

enum ln_media_kind ln_media_stream_track_kind(const ln_media_stream_track *track)
{
    return track->kind;
}

const char *ln_media_stream_track_id(const ln_media_stream_track *track)
{
    return track->id;
}

bool ln_media_stream_track_enabled(const ln_media_stream_track *track)
{
    return track->enabled;
}

void ln_media_stream_track_set_enabled(ln_media_stream_track *track, bool enabled)
{
    track->enabled = enabled;
}

bool ln_media_stream_track_muted(const ln_media_stream_track *track)
{
    return track->muted;
}

bool ln_media_stream_track_live(const ln_media_stream_track *track)
{
    return track->live;
}

void ln_media_stream_track_stop(ln_media_stream_track *track)
{
    track->live = false;
}
