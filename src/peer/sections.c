/* SPDX-License-Identifier: Apache-2.0
 * What transceivers and data channels wish, as the sections of a description to be made (RFC 8829,
 * 5.2.1 and 5.3.1). Sections keep their places; a refused one is taken over by a new transceiver.
 */
#include "peer/codecs.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

struct ln_jsep_state ln_sections_state(const struct ln_peer_connection *pc)
{
    const struct ln_negotiation *n = &pc->negotiation;
    struct ln_jsep_state state = { n->current_local ? n->current_local->sdp : NULL,
                                   n->current_remote ? n->current_remote->sdp : NULL };

    return state;
}

static size_t line_count(const struct ln_peer_connection *pc)
{
    const struct ln_negotiation *n = &pc->negotiation;
    const struct ln_description *all[] = { n->current_local, n->current_remote, n->pending_local,
                                           n->pending_remote };
    size_t count = 0, i;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] && all[i]->sdp->media_count > count)
            count = all[i]->sdp->media_count;
    return count;
}

/* The newest description that has the section. */
static const struct ln_sdp_media *known_section(const struct ln_peer_connection *pc, size_t line)
{
    const struct ln_negotiation *n = &pc->negotiation;
    const struct ln_description *all[] = { n->pending_remote, n->pending_local, n->current_remote,
                                           n->current_local };
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] && line < all[i]->sdp->media_count)
            return &all[i]->sdp->media[line];
    return NULL;
}

static bool mid_taken(const struct ln_peer_connection *pc, const char *mid)
{
    const struct ln_negotiation *n = &pc->negotiation;
    const struct ln_description *all[] = { n->pending_remote, n->pending_local, n->current_remote,
                                           n->current_local };
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] && ln_sdp_find_mid(all[i]->sdp, mid) >= 0)
            return true;
    return false;
}

static const char *new_mid(struct ln_peer_connection *pc, struct ln_arena *arena, uint32_t *next)
{
    char text[16];

    do
        snprintf(text, sizeof text, "%u", (*next)++);
    while (mid_taken(pc, text));
    return ln_arena_text(arena, text, strlen(text));
}

static int fill_transport(struct ln_peer_connection *pc, struct ln_arena *arena,
                          enum ln_sections_for purpose, struct ln_jsep_transport *transport)
{
    struct ln_sdp_fingerprint *fingerprint = ln_arena_alloc(arena, sizeof *fingerprint);

    if (!fingerprint)
        return LN_ERR_NOMEM;
    *fingerprint = pc->transport.fingerprint;
    transport->ufrag = ln_ice_local_ufrag(pc->transport.ice);
    transport->pwd = ln_ice_local_pwd(pc->transport.ice);
    transport->ice_options = "trickle";
    transport->fingerprints = fingerprint;
    transport->fingerprint_count = 1;
    transport->setup = LN_SDP_SETUP_NONE;
    if (purpose == LN_SECTIONS_FOR_ANSWER) {
        enum ln_dtls_role role = ln_dtls_role(pc->transport.dtls);

        transport->setup = role == LN_DTLS_ROLE_CLIENT   ? LN_SDP_SETUP_ACTIVE
                           : role == LN_DTLS_ROLE_SERVER ? LN_SDP_SETUP_PASSIVE
                                                         : LN_SDP_SETUP_NONE;
    }
    return ln_transport_candidates(pc, arena, transport);
}

/* The codecs in the transceiver's order: its preferences, else ours. */
static int fill_codecs(const ln_rtp_transceiver *t, struct ln_arena *arena,
                       struct ln_jsep_section *section)
{
    struct ln_codec_parameters *codecs;
    const struct ln_known_codec *known;
    size_t i, count = 0;

    codecs = ln_arena_alloc(arena, LN_CODECS_MAX * sizeof *codecs);
    if (!codecs)
        return LN_ERR_NOMEM;
    if (t->preferences) {
        for (i = 0; i < t->preference_count; i++)
            codecs[count++] = ln_known_codec_match(t->kind, &t->preferences[i])->parameters;
    } else {
        for (i = 0; (known = ln_known_codec_at(t->kind, i)) != NULL; i++)
            codecs[count++] = known->parameters;
    }
    section->codecs = codecs;
    section->codec_count = count;
    section->own_codec_order = t->preferences != NULL;
    section->extensions = ln_known_extensions(t->kind, &section->extension_count);
    return 0;
}

static int fill_media(struct ln_peer_connection *pc, ln_rtp_transceiver *t, struct ln_arena *arena,
                      struct ln_jsep_section *section)
{
    const char **stream_ids;
    size_t i;

    section->kind = t->kind == LN_MEDIA_AUDIO ? LN_SDP_AUDIO : LN_SDP_VIDEO;
    section->stopped = t->stopping || t->refused;
    section->direction = ln_direction_to_sdp(t->direction);
    stream_ids = ln_arena_alloc(arena, LN_STREAM_IDS_MAX * sizeof *stream_ids);
    if (!stream_ids)
        return LN_ERR_NOMEM;
    for (i = 0; i < t->sender.streams.count; i++) {
        stream_ids[i] = ln_arena_text(arena, t->sender.streams.id[i],
                                      strlen(t->sender.streams.id[i]));
        if (!stream_ids[i])
            return LN_ERR_NOMEM;
    }
    section->stream_ids = stream_ids;
    section->stream_count = t->sender.streams.count;
    section->track_id = t->sender.track ? t->sender.track->id : t->receiver.track->id;
    section->ssrc = t->sender.ssrc;
    section->rtx_ssrc = t->sender.rtx_ssrc;
    section->cname = pc->cname;
    return fill_codecs(t, arena, section);
}

static int fill_data(struct ln_peer_connection *pc, const struct ln_sdp_media *offered,
                     struct ln_jsep_section *section)
{
    section->kind = LN_SDP_APPLICATION;
    section->sctp_port = 5000;
    section->max_message_size = pc->configuration.public.max_message_size;
    section->direction = LN_SDP_SENDRECV;
    return ln_data_own_init(pc, offered, &section->sctp_init);
}

static const char *section_mid(const struct ln_peer_connection *pc, size_t line)
{
    const struct ln_sdp_media *known = known_section(pc, line);

    return known ? known->mid : "";
}

/* The sections that exist already. */
static int fill_known(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                      struct ln_arena *arena, struct ln_jsep_section *sections, size_t count)
{
    size_t i;
    int error = 0;

    for (i = 0; i < count && !error; i++) {
        ln_rtp_transceiver *t = ln_transceiver_of_line(pc, (int)i);
        const struct ln_sdp_media *known = known_section(pc, i);

        sections[i].mid = section_mid(pc, i);
        if (t) {
            error = fill_media(pc, t, arena, &sections[i]);
            if (purpose == LN_SECTIONS_FOR_OFFER)
                t->offered_line = (int)i;
        } else if (pc->data.m_line == (int)i) {
            error = fill_data(pc,
                              purpose == LN_SECTIONS_FOR_ANSWER
                                  ? &pc->negotiation.pending_remote->sdp->media[i]
                                  : NULL,
                              &sections[i]);
        } else {
            sections[i].kind = known ? known->kind : LN_SDP_OTHER;
            sections[i].stopped = true;
        }
        if (!error)
            error = fill_transport(pc, arena, purpose, &sections[i].transport);
    }
    return error;
}

/* The place for a new section: a recycled one, or the end. */
static size_t new_place(struct ln_peer_connection *pc, const struct ln_jsep_section *sections,
                        size_t *from, size_t *count)
{
    struct ln_jsep_state state = ln_sections_state(pc);
    int line;

    while ((line = ln_jsep_recyclable(&state, *from)) >= 0) {
        *from = (size_t)line + 1;
        if ((size_t)line < *count && sections[line].stopped)
            return (size_t)line;
    }
    return (*count)++;
}

int ln_sections_build(struct ln_peer_connection *pc, enum ln_sections_for purpose,
                      struct ln_arena *arena, struct ln_jsep_local *ret_local)
{
    size_t count = line_count(pc), room = count + ln_peer_connection_transceiver_count(pc) + 1,
           from = 0, i, place;
    struct ln_jsep_section *sections = ln_arena_alloc(arena, room * sizeof *sections);
    uint32_t next = pc->negotiation.next_mid; /* counted on when the offer is applied */
    int error;

    if (!sections)
        return LN_ERR_NOMEM;
    for (i = 0; i < pc->transceiver_count && purpose == LN_SECTIONS_FOR_OFFER; i++)
        pc->transceivers[i]->offered_line = -1;
    if (purpose == LN_SECTIONS_FOR_ANSWER)
        count = pc->negotiation.pending_remote->sdp->media_count;
    error = fill_known(pc, purpose, arena, sections, count);
    for (i = 0; i < pc->transceiver_count && !error && purpose == LN_SECTIONS_FOR_OFFER; i++) {
        ln_rtp_transceiver *t = pc->transceivers[i];

        if (t->stopping || t->m_line >= 0)
            continue;
        place = new_place(pc, sections, &from, &count);
        memset(&sections[place], 0, sizeof sections[place]);
        sections[place].mid = new_mid(pc, arena, &next);
        t->offered_line = (int)place;
        error = sections[place].mid ? fill_media(pc, t, arena, &sections[place]) : LN_ERR_NOMEM;
        if (!error)
            error = fill_transport(pc, arena, purpose, &sections[place].transport);
    }
    if (!error && purpose == LN_SECTIONS_FOR_OFFER && pc->data.wanted && pc->data.m_line < 0) {
        place = new_place(pc, sections, &from, &count);
        memset(&sections[place], 0, sizeof sections[place]);
        sections[place].mid = new_mid(pc, arena, &next);
        error = sections[place].mid ? fill_data(pc, NULL, &sections[place]) : LN_ERR_NOMEM;
        if (!error)
            error = fill_transport(pc, arena, purpose, &sections[place].transport);
    }
    if (error)
        return error;
    memset(ret_local, 0, sizeof *ret_local);
    ret_local->session_id = pc->negotiation.session_id;
    ret_local->session_version = pc->negotiation.session_version;
    ret_local->ice_lite = pc->configuration.public.ice_lite;
    /* There is one transport: an answer takes no section beside it. */
    ret_local->bundle_policy = purpose == LN_SECTIONS_FOR_ANSWER ? LN_JSEP_BUNDLE_MAX_BUNDLE
                                                                 : LN_JSEP_BUNDLE_BALANCED;
    ret_local->sections = sections;
    ret_local->section_count = count;
    return 0;
}
