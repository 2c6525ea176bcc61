/* SPDX-License-Identifier: Apache-2.0
 * Whether negotiation is needed (W3C 4.7.3). */
#include "peer/negotiation_parts.h"

#include "peer/peer_connection.h"

#include <string.h>

static bool msid_differs(const ln_rtp_transceiver *t, const struct ln_sdp_media *media)
{
    size_t i, s, wanted = t->sender.streams.count;

    if (media->msid_count != (wanted ? wanted : 1))
        return true;
    for (s = 0; s < wanted; s++) {
        for (i = 0; i < media->msid_count; i++)
            if (strcmp(media->msids[i].stream, t->sender.streams.id[s]) == 0)
                break;
        if (i == media->msid_count)
            return true;
    }
    return false;
}

static bool transceiver_needs(const struct ln_peer_connection *pc, const ln_rtp_transceiver *t)
{
    const struct ln_negotiation *n = &pc->negotiation;
    const struct ln_sdp_media *local, *remote;
    enum ln_sdp_direction wished = ln_direction_to_sdp(t->direction);

    if (t->stopped)
        return false;
    if (t->stopping || t->m_line < 0 || !n->current_local ||
        (size_t)t->m_line >= n->current_local->sdp->media_count)
        return true;
    local = &n->current_local->sdp->media[t->m_line];
    remote = &n->current_remote->sdp->media[t->m_line];
    if ((wished & LN_SDP_SENDONLY) && msid_differs(t, local))
        return true;
    if (n->local_offered)
        return local->direction != wished && ln_sdp_reverse(remote->direction) != wished;
    return local->direction != (wished & ln_sdp_reverse(remote->direction));
}

static bool needs(const struct ln_peer_connection *pc)
{
    size_t i;

    if (pc->negotiation.ice_restart)
        return true;
    if (pc->data.wanted && pc->data.m_line < 0)
        return true;
    for (i = 0; i < pc->transceiver_count; i++)
        if (transceiver_needs(pc, pc->transceivers[i]))
            return true;
    return false;
}

void ln_negotiation_check(struct ln_peer_connection *pc)
{
    struct ln_event event = { .kind = LN_EVENT_NEGOTIATION_NEEDED };
    struct ln_negotiation *n = &pc->negotiation;

    if (pc->closed || !n->check_needed || pc->operations.count > 0 ||
        n->state != LN_SIGNALING_STATE_STABLE)
        return;
    n->check_needed = false;
    if (!needs(pc)) {
        n->needed = false;
    } else if (!n->needed) {
        n->needed = ln_push_event(pc, &event);
        n->check_needed = !n->needed; /* no room: told later */
    }
}
