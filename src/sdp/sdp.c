/* SPDX-License-Identifier: Apache-2.0
 * Reading a description: what a section is, what it has of its own and what comes from the session
 * (RFC 8866, 5.13; RFC 8839, 5.4), and adding the candidates that were gathered. */
#include "sdp/sdp.h"

#include "sdp/text.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

int ln_sdp_find_mid(const struct ln_sdp *sdp, const char *mid)
{
    for (size_t i = 0; i < sdp->media_count; i++) {
        if (*mid && strcmp(sdp->media[i].mid, mid) == 0)
            return (int)i;
    }
    return -1;
}

bool ln_sdp_is_rejected(const struct ln_sdp_media *media)
{
    return media->port == 0 && !media->bundle_only;
}

bool ln_sdp_is_data(const struct ln_sdp_media *media)
{
    static const char *const protocols[] = { "UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP" };

    if (media->kind != LN_SDP_APPLICATION)
        return false;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (strcmp(media->protocol, protocols[i]) == 0)
            return media->old_sctp || strcmp(media->formats, "webrtc-datachannel") == 0;
    }
    return false;
}

bool ln_sdp_is_rtp(const struct ln_sdp_media *media)
{
    static const char *const protocols[] = {
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP",
        "RTP/SAVPF",         "RTP/SAVP",         "RTP/AVPF",           "RTP/AVP",
    };

    if (media->kind != LN_SDP_AUDIO && media->kind != LN_SDP_VIDEO)
        return false;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (strcmp(media->protocol, protocols[i]) == 0)
            return true;
    }
    return false;
}

const struct ln_sdp_group *ln_sdp_bundle_of(const struct ln_sdp *sdp, const char *mid)
{
    for (size_t g = 0; g < sdp->group_count && *mid; g++) {
        const struct ln_sdp_group *group = &sdp->groups[g];

        if (strcmp(group->semantics, "BUNDLE") != 0)
            continue;
        for (size_t i = 0; i < group->mid_count; i++) {
            if (strcmp(group->mids[i], mid) == 0)
                return group;
        }
    }
    return NULL;
}

const char *ln_sdp_ufrag(const struct ln_sdp *sdp, const struct ln_sdp_media *media)
{
    return *media->transport.ufrag ? media->transport.ufrag : sdp->transport.ufrag;
}

const char *ln_sdp_pwd(const struct ln_sdp *sdp, const struct ln_sdp_media *media)
{
    return *media->transport.pwd ? media->transport.pwd : sdp->transport.pwd;
}

const char *ln_sdp_ice_options(const struct ln_sdp *sdp, const struct ln_sdp_media *media)
{
    return *media->transport.ice_options ? media->transport.ice_options
                                         : sdp->transport.ice_options;
}

bool ln_sdp_has_ice_option(const struct ln_sdp *sdp, const struct ln_sdp_media *media,
                           const char *option)
{
    return ln_text_has_word(ln_sdp_ice_options(sdp, media), option);
}

enum ln_sdp_setup ln_sdp_setup_of(const struct ln_sdp *sdp, const struct ln_sdp_media *media)
{
    return media->transport.setup != LN_SDP_SETUP_NONE ? media->transport.setup
                                                       : sdp->transport.setup;
}

const struct ln_sdp_fingerprint *
ln_sdp_fingerprints(const struct ln_sdp *sdp, const struct ln_sdp_media *media, size_t *ret_count)
{
    const struct ln_sdp_transport *transport = media->transport.fingerprint_count > 0
                                                   ? &media->transport
                                                   : &sdp->transport;

    *ret_count = transport->fingerprint_count;
    return transport->fingerprints;
}

bool ln_sdp_allows_mixed(const struct ln_sdp *sdp, const struct ln_sdp_media *media)
{
    return sdp->extmap_allow_mixed || media->extmap_allow_mixed;
}

enum ln_sdp_direction ln_sdp_reverse(enum ln_sdp_direction direction)
{
    return (enum ln_sdp_direction)((direction & LN_SDP_SENDONLY ? LN_SDP_RECVONLY : 0) |
                                   (direction & LN_SDP_RECVONLY ? LN_SDP_SENDONLY : 0));
}

const char *ln_sdp_direction_name(enum ln_sdp_direction direction)
{
    static const char *const names[] = { "inactive", "sendonly", "recvonly", "sendrecv" };

    return names[direction & LN_SDP_SENDRECV];
}

int ln_sdp_add_candidate(struct ln_sdp *sdp, struct ln_arena *arena, size_t section,
                         const char *candidate)
{
    struct ln_sdp_media *media = &sdp->media[section];
    struct ln_text_list list = { (void *)(uintptr_t)media->candidates, media->candidate_count,
                                 media->candidate_cap };
    const char **slot;
    char *text;

    assert(section < sdp->media_count);
    if (strncmp(candidate, "a=", 2) == 0)
        candidate += 2;
    if (list.count >= LN_SDP_CANDIDATES_MAX || strlen(candidate) > LN_SDP_CANDIDATE_MAX ||
        strpbrk(candidate, "\r\n") || strncmp(candidate, "candidate:", 10) != 0)
        return 0;
    for (size_t i = 0; i < list.count; i++) {
        if (strcmp(media->candidates[i], candidate) == 0)
            return 0;
    }
    text = ln_arena_text(arena, candidate, strlen(candidate));
    slot = text ? ln_text_list_add(arena, &list, sizeof *slot) : NULL;
    if (!slot)
        return LN_ERR_NOMEM;
    *slot = text;
    media->candidates = list.data;
    media->candidate_count = list.count;
    media->candidate_cap = list.cap;
    return 0;
}

void ln_sdp_end_candidates(struct ln_sdp *sdp, size_t section)
{
    assert(section < sdp->media_count);
    sdp->media[section].end_of_candidates = true;
}
