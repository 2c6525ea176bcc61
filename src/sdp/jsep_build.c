/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_build.h"

#include "sdp/text.h"

#include <linnet/error.h>

#include <inttypes.h>
#include <string.h>

#define DISCARD_PORT      9 /* RFC 8840, 4.1.1: no candidate yet */
#define DEFAULT_SCTP_PORT 5000
#define NO_ADDRESS        "IN IP4 0.0.0.0"

int ln_jsep_begin(struct ln_jsep_maker *maker, const struct ln_jsep_local *local,
                  size_t media_count, struct ln_arena *arena)
{
    struct ln_sdp *sdp = &maker->sdp;

    memset(maker, 0, sizeof *maker);
    maker->local = local;
    maker->arena = arena;
    sdp->username = sdp->name = "-";
    sdp->session_id = ln_text_print(arena, "%" PRIu64, local->session_id);
    sdp->session_version = ln_text_print(arena, "%" PRIu64, local->session_version);
    sdp->media = ln_arena_alloc(arena, media_count * sizeof *sdp->media);
    if (!sdp->session_id || !sdp->session_version || !sdp->media)
        return LN_ERR_NOMEM;
    sdp->origin_address = NO_ADDRESS;
    sdp->connection = "";
    sdp->msid_semantic = "WMS *";
    sdp->transport.ufrag = sdp->transport.pwd = "";
    sdp->transport.ice_options = sdp->transport.tls_id = "";
    sdp->ice_lite = local->ice_lite;
    sdp->media_count = media_count;
    for (size_t i = 0; i < media_count; i++) {
        struct ln_sdp_media *m = &sdp->media[i];

        m->media = m->protocol = m->formats = m->connection = m->mid = m->rtcp = "";
        m->sctp_init = "";
        m->transport.ufrag = m->transport.pwd = "";
        m->transport.ice_options = m->transport.tls_id = "";
        m->direction = LN_SDP_SENDRECV;
    }
    return 0;
}

int ln_jsep_finish(struct ln_jsep_maker *maker, struct ln_sdp **ret_sdp)
{
    return ln_sdp_copy(&maker->sdp, maker->arena, ret_sdp);
}

void ln_jsep_reject(struct ln_sdp_media *media)
{
    static const struct ln_sdp_transport none = {
        .ufrag = "", .pwd = "", .ice_options = "", .tls_id = ""
    };

    media->port = 0;
    media->connection = NO_ADDRESS;
    media->rtcp = "";
    media->bundle_only = false;
    media->direction = LN_SDP_INACTIVE;
    media->transport = none;
    media->candidate_count = 0;
    media->end_of_candidates = false;
    media->sctp_init = "";
    media->extension_count = media->msid_count = 0;
    media->ssrc_count = media->ssrc_group_count = 0;
    media->rid_count = media->simulcast_send_count = media->simulcast_recv_count = 0;
}

void ln_jsep_put_transport(struct ln_sdp_media *media, const struct ln_jsep_section *section,
                           enum ln_sdp_setup setup)
{
    const struct ln_jsep_transport *transport = &section->transport;

    media->port = transport->default_address ? transport->default_port : DISCARD_PORT;
    media->connection = transport->default_address ? transport->default_address : NO_ADDRESS;
    media->transport.ufrag = transport->ufrag;
    media->transport.pwd = transport->pwd;
    media->transport.ice_options = transport->ice_options ? transport->ice_options : "";
    media->transport.fingerprints = transport->fingerprints;
    media->transport.fingerprint_count = transport->fingerprint_count;
    media->transport.setup = setup;
    if (media->bundle_only) /* it has no address of its own (RFC 9143, 6) */
        return;
    media->candidates = transport->candidates;
    media->candidate_count = transport->candidate_count;
    media->end_of_candidates = transport->end_of_candidates;
}

/* ---- Streams ---- */

static const struct ln_sdp_simulcast_rid *find(const struct ln_sdp_simulcast_rid *list,
                                               size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    }
    return NULL;
}

/* A rid line for each and, if there are several, their simulcast list. */
static int put_rids(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                    const struct ln_sdp_simulcast_rid *list, size_t count, bool send)
{
    struct ln_sdp_rid *rids = ln_arena_alloc(maker->arena,
                                             (media->rid_count + count) * sizeof *rids);

    if (!rids)
        return LN_ERR_NOMEM;
    if (media->rid_count > 0)
        memcpy(rids, media->rids, media->rid_count * sizeof *rids);
    for (size_t i = 0; i < count; i++)
        rids[media->rid_count++] = (struct ln_sdp_rid){ list[i].id, send, "" };
    media->rids = rids;
    if (send && count > 1) {
        media->simulcast_send = list;
        media->simulcast_send_count = count;
    } else if (!send) {
        media->simulcast_recv = list;
        media->simulcast_recv_count = count;
    }
    return 0;
}

/* The rids that we send: all wished ones, in an answer those that the offer asks for. */
static int put_send_rids(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                         const struct ln_jsep_section *section, const struct ln_sdp_media *offered)
{
    struct ln_sdp_simulcast_rid *list = ln_arena_alloc(maker->arena,
                                                       section->rid_count * sizeof *list);
    size_t count = 0;

    if (!list)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < section->rid_count; i++) {
        const struct ln_jsep_rid *rid = &section->rids[i];

        if (offered && !find(offered->simulcast_recv, offered->simulcast_recv_count, rid->id))
            continue;
        list[count].id = rid->id;
        list[count++].paused = rid->paused;
    }
    return count > 0 ? put_rids(maker, media, list, count, true) : 0;
}

static int put_receive_rids(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                            const struct ln_jsep_section *section,
                            const struct ln_sdp_media *offered)
{
    struct ln_sdp_simulcast_rid *list;
    size_t count = offered ? offered->simulcast_send_count : section->receive_rid_count;

    if (!section->receive_simulcast || count == 0)
        return 0;
    if (offered)
        return put_rids(maker, media, offered->simulcast_send, count, false);
    list = ln_arena_alloc(maker->arena, count * sizeof *list);
    if (!list)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        list[i].id = section->receive_rids[i].id;
        list[i].paused = section->receive_rids[i].paused;
    }
    return put_rids(maker, media, list, count, false);
}

static int put_msids(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                     const struct ln_jsep_section *section)
{
    size_t count = section->stream_count > 0 ? section->stream_count : 1;
    struct ln_sdp_msid *msids = ln_arena_alloc(maker->arena, count * sizeof *msids);

    if (!msids)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        msids[i].stream = section->stream_count > 0 ? section->stream_ids[i] : "-";
        msids[i].track = section->track_id;
    }
    media->msids = msids;
    media->msid_count = count;
    return 0;
}

static int put_ssrcs(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                     const struct ln_jsep_section *section)
{
    struct ln_sdp_ssrc *ssrcs = ln_arena_alloc(maker->arena, 2 * sizeof *ssrcs);
    struct ln_sdp_ssrc_group *group = ln_arena_alloc(maker->arena, sizeof *group);
    uint32_t *members = ln_arena_alloc(maker->arena, 2 * sizeof *members);
    bool rtx = false;

    if (!ssrcs || !group || !members)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < media->codec_count; i++)
        rtx = rtx || ln_codec_is_rtx(&media->codecs[i]);
    rtx = rtx && section->rtx_ssrc != 0;
    members[0] = section->ssrc;
    members[1] = section->rtx_ssrc;
    for (size_t i = 0; i < (rtx ? 2u : 1u); i++) {
        ssrcs[i].ssrc = members[i];
        ssrcs[i].cname = section->cname ? section->cname : "";
        ssrcs[i].msid = media->msid_count > 0 ? media->msids[0] : (struct ln_sdp_msid){ "", "" };
    }
    media->ssrcs = ssrcs;
    media->ssrc_count = rtx ? 2 : 1;
    *group = (struct ln_sdp_ssrc_group){ "FID", members, 2 };
    media->ssrc_groups = group;
    media->ssrc_group_count = rtx;
    return 0;
}

int ln_jsep_put_streams(struct ln_jsep_maker *maker, struct ln_sdp_media *media,
                        const struct ln_jsep_section *section, const struct ln_sdp_media *offered)
{
    int status = 0;

    if (media->direction & LN_SDP_SENDONLY) {
        if (section->track_id && *section->track_id)
            status = put_msids(maker, media, section);
        if (status == 0 && section->rid_count > 0)
            status = put_send_rids(maker, media, section, offered);
        /* Both rids and ssrc lines would confuse Chromium's probing (livekit#2601). */
        if (status == 0 && section->ssrc != 0 && media->rid_count == 0)
            status = put_ssrcs(maker, media, section);
    }
    if (status == 0 && (media->direction & LN_SDP_RECVONLY))
        status = put_receive_rids(maker, media, section, offered);
    return status;
}

void ln_jsep_put_sctp(struct ln_sdp_media *media, const struct ln_jsep_section *section,
                      bool old_form)
{
    media->sctp_port = section->sctp_port ? section->sctp_port : DEFAULT_SCTP_PORT;
    media->sctp_port_given = true;
    media->old_sctp = old_form;
    media->max_message_size = section->max_message_size;
    media->max_message_size_given = true;
    media->sctp_init = section->sctp_init && !old_form ? section->sctp_init : "";
}
