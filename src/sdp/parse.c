/* SPDX-License-Identifier: Apache-2.0
 * The lines of a description (RFC 8866, 5) and its sections.
 *
 * The text is copied once; every text in the tree is a piece of that copy, ended in place. A line
 * is looked at once, so the whole takes linear time, apart from searches in lists that a named
 * limit keeps short. Refused as a whole: bytes that no line may have (NUL, a bare CR), lines that
 * are not "x=...", numbers out of range. Order of lines other than v= and m= plays no part. */
#include "sdp/parser.h"

#include <linnet/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ln_sdp_parser_fail(struct ln_sdp_parser *p, int error, const char *format, ...)
{
    if (p->error) {
        va_list arguments;

        p->error->error = error;
        p->error->line = p->line;
        va_start(arguments, format);
        vsnprintf(p->error->reason, sizeof p->error->reason, format, arguments);
        va_end(arguments);
    }
    return error;
}

static int fail_nomem(struct ln_sdp_parser *p)
{
    return ln_sdp_parser_fail(p, LN_ERR_NOMEM, "out of memory");
}

/* ---- The end of a section ---- */

static bool has_text(const struct ln_text_list *list, const char *text)
{
    const char *const *texts = list->data;

    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(texts[i], text) == 0)
            return true;
    }
    return false;
}

/* rtcp-fb lines by payload type and those for all ("*") come together in the codec (RFC 4585, 4.2).
 * Repair formats get no feedback of their own from a wildcard. */
static int close_feedback(struct ln_sdp_parser *p, struct ln_codec_parameters *codec)
{
    struct ln_text_list *list = &p->feedback[codec->payload_type];
    const char *const *all = p->wildcard_feedback.data;

    if (!ln_codec_is_auxiliary(codec)) {
        for (size_t i = 0; i < p->wildcard_feedback.count && list->count < LN_CODEC_FEEDBACK_MAX;
             i++) {
            const char **slot;

            if (has_text(list, all[i]))
                continue;
            slot = ln_text_list_add(p->arena, list, sizeof *slot);
            if (!slot)
                return fail_nomem(p);
            *slot = all[i];
        }
    }
    codec->feedback = list->data;
    codec->feedback_count = list->count;
    return 0;
}

static const struct ln_sdp_rid *find_rid(const struct ln_sdp_media *media, const char *id)
{
    for (size_t i = 0; i < media->rid_count; i++) {
        if (strcmp(media->rids[i].id, id) == 0)
            return &media->rids[i];
    }
    return NULL;
}

/* Entries without a rid line of their direction, and second ones, are passed over (RFC 8853, 5.2).
 * When the first of some alternatives goes, the next takes its place. */
static size_t keep_declared(const struct ln_sdp_media *media, struct ln_sdp_simulcast_rid *list,
                            size_t count, bool send)
{
    size_t kept = 0;
    bool leader = false; /* of the present group of alternatives is among the kept */

    for (size_t i = 0; i < count; i++) {
        const struct ln_sdp_rid *rid = find_rid(media, list[i].id);
        bool known = rid && rid->send == send;

        if (!list[i].alternative)
            leader = false;
        for (size_t j = 0; j < kept && known; j++)
            known = strcmp(list[j].id, list[i].id) != 0;
        if (!known)
            continue;
        list[kept] = list[i];
        list[kept++].alternative = leader;
        leader = true;
    }
    return kept;
}

static int close_media(struct ln_sdp_parser *p)
{
    struct ln_sdp_media *m = p->media;

    m->transport.fingerprints = p->fingerprints.data;
    m->transport.fingerprint_count = p->fingerprints.count;
    m->bandwidths = p->bandwidths.data;
    m->bandwidth_count = p->bandwidths.count;
    m->codecs = p->codecs.data;
    m->codec_count = p->codecs.count;
    m->extensions = p->extensions.data;
    m->extension_count = p->extensions.count;
    m->msids = p->msids.data;
    m->msid_count = p->msids.count;
    m->ssrcs = p->ssrcs.data;
    m->ssrc_count = p->ssrcs.count;
    m->ssrc_groups = p->ssrc_groups.data;
    m->ssrc_group_count = p->ssrc_groups.count;
    m->rids = p->rids.data;
    m->rid_count = p->rids.count;
    m->simulcast_send = p->simulcast_send.data;
    m->simulcast_send_count = keep_declared(m, p->simulcast_send.data, p->simulcast_send.count,
                                            true);
    m->simulcast_recv = p->simulcast_recv.data;
    m->simulcast_recv_count = keep_declared(m, p->simulcast_recv.data, p->simulcast_recv.count,
                                            false);
    m->candidates = p->candidates.data;
    m->candidate_count = p->candidates.count;
    m->candidate_cap = p->candidates.cap;
    for (size_t i = 0; i < m->codec_count; i++) {
        int status = close_feedback(p, &m->codecs[i]);

        if (status != 0)
            return status;
    }
    return 0;
}

static int close_level(struct ln_sdp_parser *p)
{
    int status = 0;

    if (p->media) {
        status = close_media(p);
    } else {
        p->sdp->transport.fingerprints = p->fingerprints.data;
        p->sdp->transport.fingerprint_count = p->fingerprints.count;
        p->sdp->bandwidths = p->bandwidths.data;
        p->sdp->bandwidth_count = p->bandwidths.count;
    }
    memset(&p->fingerprints, 0, sizeof p->fingerprints);
    memset(&p->bandwidths, 0, sizeof p->bandwidths);
    memset(&p->codecs, 0, sizeof p->codecs);
    memset(&p->extensions, 0, sizeof p->extensions);
    memset(&p->msids, 0, sizeof p->msids);
    memset(&p->ssrcs, 0, sizeof p->ssrcs);
    memset(&p->ssrc_groups, 0, sizeof p->ssrc_groups);
    memset(&p->rids, 0, sizeof p->rids);
    memset(&p->candidates, 0, sizeof p->candidates);
    memset(&p->simulcast_send, 0, sizeof p->simulcast_send);
    memset(&p->simulcast_recv, 0, sizeof p->simulcast_recv);
    memset(&p->wildcard_feedback, 0, sizeof p->wildcard_feedback);
    memset(p->feedback, 0, sizeof p->feedback);
    memset(p->codec_of, -1, sizeof p->codec_of);
    return status;
}

/* ---- m= ---- */

/* Payload types that mean a codec without an rtpmap line (RFC 3551, 6). */
static const struct {
    uint8_t payload_type;
    const char *name;
} static_types[] = {
    { 0, "PCMU" }, { 3, "GSM" }, { 8, "PCMA" }, { 9, "G722" }, { 13, "CN" }, { 18, "G729" },
};

static void fill_static(struct ln_codec_parameters *codec)
{
    for (size_t i = 0; i < sizeof static_types / sizeof static_types[0]; i++) {
        if (static_types[i].payload_type == codec->payload_type) {
            codec->name = static_types[i].name;
            codec->clock_rate_hz = 8000;
            codec->channels = 1;
        }
    }
}

static int read_payload_types(struct ln_sdp_parser *p, char *formats)
{
    char *token;

    while ((token = ln_text_token(&formats)) != NULL) {
        struct ln_codec_parameters *codec;
        uint64_t number;

        if (!ln_text_number(token, LN_PAYLOAD_TYPE_MAX, &number))
            return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "payload type \"%.32s\" is not 0 to 127",
                                      token);
        if (p->codec_of[number] >= 0)
            continue; /* named twice */
        codec = ln_text_list_add(p->arena, &p->codecs, sizeof *codec);
        if (!codec)
            return fail_nomem(p);
        p->codec_of[number] = (int16_t)(p->codecs.count - 1);
        codec->name = codec->fmtp = "";
        codec->payload_type = (uint8_t)number;
        if (p->media->kind == LN_SDP_AUDIO)
            fill_static(codec);
    }
    return 0;
}

static enum ln_sdp_kind kind_of(const char *media)
{
    return strcmp(media, "audio") == 0         ? LN_SDP_AUDIO
           : strcmp(media, "video") == 0       ? LN_SDP_VIDEO
           : strcmp(media, "application") == 0 ? LN_SDP_APPLICATION
                                               : LN_SDP_OTHER;
}

/* The old form has the SCTP port where the format stands now (drafts of RFC 8841 before 2017). */
static void read_old_sctp(struct ln_sdp_media *media)
{
    uint64_t port;

    if (media->kind == LN_SDP_APPLICATION && strstr(media->protocol, "DTLS/SCTP") &&
        ln_text_number(media->formats, UINT16_MAX, &port)) {
        media->old_sctp = true;
        media->sctp_port_given = true;
        media->sctp_port = (uint16_t)port;
    }
}

static int read_media(struct ln_sdp_parser *p, char *value)
{
    char *media = ln_text_token(&value), *port = ln_text_token(&value),
         *protocol = ln_text_token(&value), *ports;
    struct ln_sdp_media *m;
    uint64_t number;
    int status = close_level(p);

    if (status != 0)
        return status;
    if (p->medias.count == LN_SDP_MEDIA_MAX)
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "more than %u m= lines", LN_SDP_MEDIA_MAX);
    if (!media || !port || !protocol)
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "m= line has too few fields");
    ports = port;
    port = ln_text_until(&ports, '/'); /* a number of ports is of no use here */
    if (!ln_text_number(port, UINT16_MAX, &number))
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "port \"%.32s\" is not 0 to 65535", port);
    m = ln_text_list_add(p->arena, &p->medias, sizeof *m);
    if (!m)
        return fail_nomem(p);
    p->media = m;
    m->kind = kind_of(media);
    m->media = media;
    m->port = (uint16_t)number;
    m->protocol = protocol;
    m->formats = value = ln_text_trim(value);
    m->connection = m->mid = m->rtcp = m->sctp_init = "";
    m->transport.ufrag = m->transport.pwd = m->transport.ice_options = m->transport.tls_id = "";
    m->direction = p->session_direction;
    m->line = p->line;
    read_old_sctp(m);
    if (!ln_sdp_is_rtp(m) || !*m->formats)
        return 0;
    m->formats = "";
    return read_payload_types(p, value);
}

/* ---- Lines ---- */

static void read_origin(struct ln_sdp_parser *p, char *value)
{
    struct ln_sdp *sdp = p->sdp;
    char *username = ln_text_token(&value), *id = ln_text_token(&value),
         *version = ln_text_token(&value), *address = ln_text_trim(value);

    if (username)
        sdp->username = username;
    if (id)
        sdp->session_id = id;
    if (version)
        sdp->session_version = version;
    if (*address)
        sdp->origin_address = address;
}

static int read_bandwidth(struct ln_sdp_parser *p, char *value)
{
    char *type = ln_text_until(&value, ':');
    struct ln_sdp_bandwidth *bandwidth;
    uint64_t number;

    if (!value || !ln_text_number(ln_text_trim(value), UINT64_MAX, &number) ||
        p->bandwidths.count == LN_SDP_BANDWIDTHS_MAX)
        return 0;
    bandwidth = ln_text_list_add(p->arena, &p->bandwidths, sizeof *bandwidth);
    if (!bandwidth)
        return fail_nomem(p);
    bandwidth->type = ln_text_trim(type);
    bandwidth->value = number;
    return 0;
}

static int read_line(struct ln_sdp_parser *p, char *line)
{
    char type = line[0], *value;

    if (type < 'a' || type > 'z' || line[1] != '=')
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "line is not of the form \"x=...\"");
    value = line + 2;
    switch (type) {
    case 'a':
        return ln_sdp_parse_attribute(p, value);
    case 'm':
        return read_media(p, value);
    case 'b':
        return read_bandwidth(p, value);
    case 'c':
        *(p->media ? &p->media->connection : &p->sdp->connection) = ln_text_trim(value);
        return 0;
    case 'o':
        read_origin(p, value);
        return 0;
    case 's':
        if (*value && !p->media)
            p->sdp->name = value;
        return 0;
    default:
        return 0;
    }
}

/* Ends the line at *at in place and moves *at behind it. */
static int cut_line(struct ln_sdp_parser *p, char **at, char *end, char **ret_line)
{
    char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
    size_t len;

    p->line++;
    if (p->line > LN_SDP_LINES_MAX)
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "more than %u lines", LN_SDP_LINES_MAX);
    *at = stop ? stop + 1 : end;
    len = (size_t)((stop ? stop : end) - line);
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    if (len > LN_SDP_LINE_MAX)
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "line is longer than %u bytes", LN_SDP_LINE_MAX);
    if (memchr(line, '\r', len))
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "carriage return inside a line");
    *ret_line = line;
    return 0;
}

static int read_lines(struct ln_sdp_parser *p, char *at, char *end)
{
    bool first = true;

    while (at < end) {
        char *line = NULL;
        int status = cut_line(p, &at, end, &line);

        if (status != 0)
            return status;
        if (!*line)
            continue;
        if (first && strcmp(line, "v=0") != 0)
            return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "first line is not \"v=0\"");
        first = false;
        status = read_line(p, line);
        if (status != 0)
            return status;
    }
    if (first)
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "description is empty");
    return close_level(p);
}

static void init_session(struct ln_sdp *sdp)
{
    sdp->username = sdp->name = "-";
    sdp->session_id = sdp->session_version = "0";
    sdp->origin_address = "IN IP4 0.0.0.0";
    sdp->connection = sdp->msid_semantic = "";
    sdp->transport.ufrag = sdp->transport.pwd = "";
    sdp->transport.ice_options = sdp->transport.tls_id = "";
}

int ln_sdp_parse(const char *text, size_t len, struct ln_arena *arena, struct ln_sdp **ret_sdp,
                 struct ln_sdp_error *ret_error)
{
    struct ln_sdp_parser parser = { .error = ret_error }, *p = &parser;
    char *copy;
    int status;

    if (len > LN_SDP_BYTES_MAX)
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "description is longer than %u bytes",
                                  LN_SDP_BYTES_MAX);
    if (len > 0 && memchr(text, '\0', len))
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "description has a NUL byte");
    copy = ln_arena_text(arena, text, len);
    if (!copy)
        return fail_nomem(p);
    p->arena = arena;
    p->session_direction = LN_SDP_SENDRECV;
    memset(p->codec_of, -1, sizeof p->codec_of);
    p->sdp = ln_arena_alloc(arena, sizeof *p->sdp);
    if (!p->sdp)
        return fail_nomem(p);
    init_session(p->sdp);
    status = read_lines(p, copy, copy + len);
    if (status != 0)
        return status;
    p->sdp->media = p->medias.data;
    p->sdp->media_count = p->medias.count;
    p->sdp->groups = p->groups.data;
    p->sdp->group_count = p->groups.count;
    *ret_sdp = p->sdp;
    return 0;
}
