/* SPDX-License-Identifier: Apache-2.0
 * Questions about descriptions in force: restarts, places to use again, and whether the wishes have
 * moved away from what was agreed (webrtc-pc, 4.7.3). */
#include "sdp/jsep.h"

#include <string.h>

bool ln_jsep_ice_restarted(const struct ln_sdp *before, const struct ln_sdp *after, size_t i)
{
    const struct ln_sdp_media *was, *is;

    if (!before || i >= before->media_count || i >= after->media_count ||
        ln_sdp_is_rejected(&before->media[i]) || ln_sdp_is_rejected(&after->media[i]))
        return false;
    was = &before->media[ln_jsep_transport_section(before, i)];
    is = &after->media[ln_jsep_transport_section(after, i)];
    return strcmp(ln_sdp_ufrag(before, was), ln_sdp_ufrag(after, is)) != 0 ||
           strcmp(ln_sdp_pwd(before, was), ln_sdp_pwd(after, is)) != 0;
}

int ln_jsep_recyclable(const struct ln_jsep_state *state, size_t from)
{
    if (!state->local || !state->remote)
        return -1;
    for (size_t i = from; i < state->local->media_count && i < state->remote->media_count; i++) {
        if (ln_sdp_is_rejected(&state->local->media[i]) ||
            ln_sdp_is_rejected(&state->remote->media[i]))
            return (int)i;
    }
    return -1;
}

/* Whether the msid lines say other streams than the wish. */
static bool streams_differ(const struct ln_jsep_section *section, const struct ln_sdp_media *media)
{
    size_t found = 0;

    if (!section->track_id || !*section->track_id)
        return false; /* nothing was to be said */
    if (section->stream_count == 0)
        return media->msid_count != 1 || strcmp(media->msids[0].stream, "-") != 0;
    if (media->msid_count != section->stream_count)
        return true;
    for (size_t i = 0; i < section->stream_count; i++) {
        for (size_t j = 0; j < media->msid_count; j++) {
            if (strcmp(section->stream_ids[i], media->msids[j].stream) == 0) {
                found++;
                break;
            }
        }
    }
    return found != section->stream_count;
}

static bool section_differs(const struct ln_jsep_section *section, const struct ln_sdp_media *local,
                            const struct ln_sdp_media *remote, bool local_offered)
{
    bool rejected = ln_sdp_is_rejected(local) || ln_sdp_is_rejected(remote);

    if (section->kind == LN_SDP_OTHER)
        return false;
    if (section->stopped)
        return !rejected;
    if (rejected || section->kind == LN_SDP_APPLICATION)
        return false; /* the other side refused: asking again would not help by itself */
    if ((section->direction & LN_SDP_SENDONLY) && streams_differ(section, local))
        return true;
    if (local_offered)
        return local->direction != section->direction &&
               ln_sdp_reverse(remote->direction) != section->direction;
    return (unsigned)local->direction !=
           ((unsigned)section->direction & ln_sdp_reverse(remote->direction));
}

bool ln_jsep_needs_negotiation(const struct ln_jsep_local *local, const struct ln_jsep_state *state,
                               bool local_offered)
{
    for (size_t i = 0; i < local->section_count; i++) {
        const struct ln_jsep_section *section = &local->sections[i];

        if (!state->local || !state->remote || i >= state->local->media_count ||
            i >= state->remote->media_count ||
            strcmp(state->local->media[i].mid, section->mid ? section->mid : "") != 0) {
            if (!section->stopped && section->kind != LN_SDP_OTHER)
                return true;
            continue;
        }
        if (section_differs(section, &state->local->media[i], &state->remote->media[i],
                            local_offered))
            return true;
    }
    return false;
}
