/* SPDX-License-Identifier: Apache-2.0
 * What a pair of descriptions comes to, section by section (RFC 8829, 5.11; RFC 3264, 6 and 7;
 * RFC 9143, 7.3). Send values are those the other side declared, receive values those we did. */
#include "sdp/jsep.h"
#include "sdp/jsep_numbers.h"
#include "sdp/text.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define DEFAULT_SCTP_PORT        5000
#define DEFAULT_MAX_MESSAGE_SIZE 65536 /* RFC 8841, 6.1 */

size_t ln_jsep_transport_section(const struct ln_sdp *description, size_t i)
{
    const struct ln_sdp_group *group = ln_sdp_bundle_of(description, description->media[i].mid);

    for (size_t m = 0; group && m < group->mid_count; m++) {
        int section = ln_sdp_find_mid(description, group->mids[m]);

        if (section >= 0 && !ln_sdp_is_rejected(&description->media[section]))
            return (size_t)section;
    }
    return i;
}

/* ---- Codecs ---- */

static const struct ln_codec_parameters *find_same(const struct ln_sdp_media *media,
                                                   const struct ln_codec_parameters *codec)
{
    const struct ln_codec_parameters *same = NULL;

    for (size_t i = 0; i < media->codec_count; i++) {
        if (!ln_codec_same(&media->codecs[i], codec))
            continue;
        if (media->codecs[i].payload_type == codec->payload_type)
            return &media->codecs[i];
        if (!same)
            same = &media->codecs[i];
    }
    return same;
}

static int rtx_of(const struct ln_sdp_media *media, const struct ln_codec_parameters *codec,
                  uint32_t *ret_time_ms)
{
    const struct ln_codec_parameters *rtx = ln_jsep_find_rtx(media, codec->payload_type);

    if (!rtx)
        return LN_PAYLOAD_TYPE_NONE;
    (void)ln_fmtp_number(rtx->fmtp, "rtx-time", ret_time_ms);
    return rtx->payload_type;
}

/* The codecs of `receiver`, whose numbers and parameters count, that `other` has too. `order` is
 * one of the two: the answer, which decides on preference. */
static int agree_codecs(const struct ln_sdp_media *receiver, const struct ln_sdp_media *other,
                        const struct ln_sdp_media *order, struct ln_arena *arena,
                        const struct ln_jsep_codec **ret_codecs, size_t *ret_count)
{
    struct ln_jsep_codec *codecs = ln_arena_alloc(arena, order->codec_count * sizeof *codecs);
    size_t count = 0;

    if (!codecs)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < order->codec_count; i++) {
        const struct ln_codec_parameters *first = &order->codecs[i];
        const struct ln_codec_parameters *mine = find_same(receiver, first),
                                         *theirs = find_same(other, first);
        struct ln_jsep_codec *codec = &codecs[count];

        if (ln_codec_is_rtx(first) || !mine || !theirs)
            continue;
        codec->parameters = *mine;
        codec->feedback = ln_codec_feedback_bits(mine) & ln_codec_feedback_bits(theirs);
        codec->rtx_payload_type = LN_PAYLOAD_TYPE_NONE;
        if (ln_jsep_find_rtx(other, theirs->payload_type))
            codec->rtx_payload_type = rtx_of(receiver, mine, &codec->rtx_time_ms);
        count++;
    }
    *ret_codecs = codecs;
    *ret_count = count;
    return 0;
}

/* ---- Extensions ---- */

static const struct ln_sdp_extension *find_uri(const struct ln_sdp_media *media, const char *uri)
{
    for (size_t i = 0; i < media->extension_count; i++) {
        if (strcmp(media->extensions[i].uri, uri) == 0)
            return &media->extensions[i];
    }
    return NULL;
}

/* Whether no earlier section gave the id to another extension; `uri` from ln_jsep_first_uris(). */
static bool is_clear(const char *const *uri, const struct ln_sdp_extension *extension)
{
    return !uri || !uri[extension->id] || strcmp(uri[extension->id], extension->uri) == 0;
}

/* Extensions from `sender` (NULL: whatever it may turn out to be) to `receiver`, with the
 * receiver's ids, which are the sender's too by the rules. */
static int agree_extensions(const struct ln_sdp_media *receiver, const struct ln_sdp_media *sender,
                            bool two_byte, const char *const *uri, struct ln_arena *arena,
                            const struct ln_jsep_agreed_extension **ret_extensions,
                            size_t *ret_count)
{
    struct ln_jsep_agreed_extension *extensions = ln_arena_alloc(arena, receiver->extension_count *
                                                                            sizeof *extensions);
    size_t count = 0;

    if (!extensions)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < receiver->extension_count; i++) {
        const struct ln_sdp_extension *in = &receiver->extensions[i];
        const struct ln_sdp_extension *out = sender ? find_uri(sender, in->uri) : NULL;

        if (!(in->direction & LN_SDP_RECVONLY) || (in->id > 14 && !two_byte) ||
            find_uri(receiver, in->uri) != in || !is_clear(uri, in))
            continue;
        if (!sender || (out && (out->direction & LN_SDP_SENDONLY)))
            extensions[count++] = (struct ln_jsep_agreed_extension){ (uint8_t)in->id, in->uri };
    }
    *ret_extensions = extensions;
    *ret_count = count;
    return 0;
}

/* ---- Simulcast ---- */

static bool has_rid(const struct ln_sdp_media *media, const char *id, bool send)
{
    for (size_t i = 0; i < media->rid_count; i++) {
        if (media->rids[i].send == send && strcmp(media->rids[i].id, id) == 0)
            return true;
    }
    return false;
}

/* The rids that `receiver` takes and `sender` gives, in the receiver's order; where it has no
 * simulcast list, its rid lines. */
static int agree_rids(const struct ln_sdp_media *receiver, const struct ln_sdp_media *sender,
                      struct ln_arena *arena, const struct ln_jsep_rid **ret_rids,
                      size_t *ret_count)
{
    bool list = receiver->simulcast_recv_count > 0;
    size_t all = list ? receiver->simulcast_recv_count : receiver->rid_count, count = 0;
    struct ln_jsep_rid *rids = ln_arena_alloc(arena, all * sizeof *rids);

    if (!rids)
        return LN_ERR_NOMEM;
    for (size_t i = 0; i < all; i++) {
        const char *id = list ? receiver->simulcast_recv[i].id : receiver->rids[i].id;

        if ((list || !receiver->rids[i].send) && has_rid(sender, id, true))
            rids[count++] = (struct ln_jsep_rid){ id, list && receiver->simulcast_recv[i].paused };
    }
    *ret_rids = rids;
    *ret_count = count;
    return 0;
}

/* ---- All of a section ---- */

static uint32_t bitrate_of(const struct ln_sdp_media *media)
{
    uint64_t bps = 0;

    for (size_t i = 0; i < media->bandwidth_count; i++) {
        const struct ln_sdp_bandwidth *b = &media->bandwidths[i];
        uint64_t value = b->value < UINT32_MAX ? b->value : UINT32_MAX;

        if (strcmp(b->type, "TIAS") == 0)
            bps = value;
        else if (strcmp(b->type, "AS") == 0 && bps == 0)
            bps = value * 1000;
    }
    return bps < UINT32_MAX ? (uint32_t)bps : UINT32_MAX;
}

static int agree_rtp(const struct ln_sdp *local, const struct ln_sdp *remote, bool local_offered,
                     size_t i, struct ln_arena *arena, struct ln_jsep_agreed *agreed)
{
    const struct ln_sdp_media *ours = &local->media[i], *theirs = &remote->media[i];
    const struct ln_sdp_media *order = local_offered ? theirs : ours;
    const char *uri[LN_JSEP_EXTENSION_ID_MAX + 1];
    int status;

    ln_jsep_first_uris(remote, uri);

    agreed->direction = (enum ln_sdp_direction)((unsigned)ours->direction &
                                                ln_sdp_reverse(theirs->direction));
    agreed->two_byte_extensions = ln_sdp_allows_mixed(local, ours) &&
                                  ln_sdp_allows_mixed(remote, theirs);
    agreed->rtcp_rsize = ours->rtcp_rsize && theirs->rtcp_rsize;
    agreed->max_bitrate_bps = bitrate_of(theirs);
    agreed->ptime_ms = theirs->ptime_ms;
    agreed->maxptime_ms = theirs->maxptime_ms;
    status = agree_codecs(theirs, ours, order, arena, &agreed->send, &agreed->send_count);
    if (status == 0)
        status = agree_codecs(ours, theirs, order, arena, &agreed->receive, &agreed->receive_count);
    if (status == 0)
        status = agree_extensions(theirs, ours, agreed->two_byte_extensions, uri, arena,
                                  &agreed->send_extensions, &agreed->send_extension_count);
    if (status == 0)
        status = agree_extensions(ours, theirs, agreed->two_byte_extensions, NULL, arena,
                                  &agreed->receive_extensions, &agreed->receive_extension_count);
    if (status == 0)
        status = agree_rids(theirs, ours, arena, &agreed->send_rids, &agreed->send_rid_count);
    if (status == 0)
        status = agree_rids(ours, theirs, arena, &agreed->receive_rids, &agreed->receive_rid_count);
    return status;
}

static uint16_t sctp_port_of(const struct ln_sdp_media *media)
{
    return media->sctp_port_given ? media->sctp_port : DEFAULT_SCTP_PORT;
}

static void agree_data(const struct ln_sdp_media *ours, const struct ln_sdp_media *theirs,
                       struct ln_jsep_agreed *agreed)
{
    agreed->direction = LN_SDP_SENDRECV;
    agreed->local_sctp_port = sctp_port_of(ours);
    agreed->remote_sctp_port = sctp_port_of(theirs);
    agreed->max_message_size = theirs->max_message_size_given ? theirs->max_message_size
                                                              : DEFAULT_MAX_MESSAGE_SIZE;
    if (*ours->sctp_init)
        agreed->remote_sctp_init = theirs->sctp_init;
    agreed->rejected = agreed->local_sctp_port == 0 || agreed->remote_sctp_port == 0;
}

/* The answer's setup decides (RFC 8842, 5.3); a missing one means active (RFC 4145, 4). */
static enum ln_jsep_role role_of(enum ln_sdp_setup answer, bool local_offered)
{
    bool answerer_is_client = answer != LN_SDP_SETUP_PASSIVE;

    return answerer_is_client == local_offered ? LN_JSEP_ROLE_SERVER : LN_JSEP_ROLE_CLIENT;
}

static enum ln_sdp_setup setup_of(const struct ln_sdp *sdp, size_t transport, size_t i)
{
    enum ln_sdp_setup setup = ln_sdp_setup_of(sdp, &sdp->media[transport]);

    return setup != LN_SDP_SETUP_NONE ? setup : ln_sdp_setup_of(sdp, &sdp->media[i]);
}

static void agree_transport(const struct ln_sdp *local, const struct ln_sdp *remote,
                            bool local_offered, size_t i, struct ln_jsep_agreed *agreed)
{
    const struct ln_sdp *answer = local_offered ? remote : local;
    size_t t = ln_jsep_transport_section(answer, i);
    const struct ln_sdp_media *theirs = &remote->media[t];

    agreed->transport_section = t;
    agreed->bundled = ln_sdp_bundle_of(answer, answer->media[i].mid) != NULL;
    if (!*ln_sdp_ufrag(remote, theirs) && agreed->bundled) {
        /* The offer's tag may be another section than the answer's (RFC 9143, 7.3.1). */
        theirs = &remote->media[ln_jsep_transport_section(remote, t)];
    }
    agreed->remote_ufrag = ln_sdp_ufrag(remote, theirs);
    agreed->remote_pwd = ln_sdp_pwd(remote, theirs);
    agreed->remote_ice_options = ln_sdp_ice_options(remote, theirs);
    agreed->remote_fingerprints = ln_sdp_fingerprints(remote, theirs,
                                                      &agreed->remote_fingerprint_count);
    agreed->role = role_of(setup_of(answer, t, i), local_offered);
    agreed->remote_ice_lite = remote->ice_lite;
    agreed->remote_candidates = theirs->candidates;
    agreed->remote_candidate_count = theirs->candidate_count;
    agreed->remote_end_of_candidates = theirs->end_of_candidates;
}

int ln_jsep_negotiate(const struct ln_sdp *local, const struct ln_sdp *remote, bool local_offered,
                      size_t i, struct ln_arena *arena, struct ln_jsep_agreed *ret_agreed)
{
    struct ln_jsep_agreed agreed = { 0 };
    const struct ln_sdp_media *ours, *theirs;
    int status = 0;

    assert(i < local->media_count);
    ours = &local->media[i];
    agreed.kind = ours->kind;
    agreed.mid = ours->mid;
    agreed.remote_ufrag = agreed.remote_pwd = agreed.remote_ice_options = "";
    agreed.remote_sctp_init = "";
    agreed.transport_section = i;
    if (i >= remote->media_count || ln_sdp_is_rejected(ours) ||
        ln_sdp_is_rejected(&remote->media[i]) || remote->media[i].kind != ours->kind) {
        agreed.rejected = true;
        *ret_agreed = agreed;
        return 0;
    }
    theirs = &remote->media[i];
    agreed.remote = theirs;
    if (ln_sdp_is_rtp(ours) && ln_sdp_is_rtp(theirs))
        status = agree_rtp(local, remote, local_offered, i, arena, &agreed);
    else if (ln_sdp_is_data(ours) && ln_sdp_is_data(theirs))
        agree_data(ours, theirs, &agreed);
    else
        agreed.rejected = true;
    if (status != 0)
        return status;
    agree_transport(local, remote, local_offered, i, &agreed);
    *ret_agreed = agreed;
    return 0;
}

int ln_jsep_expect(const struct ln_sdp *local_offer, size_t i, struct ln_arena *arena,
                   struct ln_jsep_agreed *ret_agreed)
{
    const struct ln_sdp_media *ours;
    struct ln_jsep_agreed agreed = { 0 };
    int status;

    assert(i < local_offer->media_count);
    ours = &local_offer->media[i];
    agreed.kind = ours->kind;
    agreed.mid = ours->mid;
    agreed.direction = ours->direction;
    agreed.rejected = ln_sdp_is_rejected(ours);
    agreed.two_byte_extensions = ln_sdp_allows_mixed(local_offer, ours);
    agreed.rtcp_rsize = ours->rtcp_rsize;
    agreed.remote_ufrag = agreed.remote_pwd = agreed.remote_ice_options = "";
    agreed.remote_sctp_init = "";
    agreed.transport_section = ln_jsep_transport_section(local_offer, i);
    agreed.bundled = ln_sdp_bundle_of(local_offer, ours->mid) != NULL;
    if (ln_sdp_is_data(ours))
        agreed.local_sctp_port = sctp_port_of(ours);
    status = agree_codecs(ours, ours, ours, arena, &agreed.receive, &agreed.receive_count);
    if (status == 0)
        status = agree_extensions(ours, NULL, agreed.two_byte_extensions, NULL, arena,
                                  &agreed.receive_extensions, &agreed.receive_extension_count);
    if (status == 0)
        *ret_agreed = agreed;
    return status;
}
