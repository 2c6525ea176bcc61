/* SPDX-License-Identifier: Apache-2.0
 * The attributes of a description, one handler each, found through a table (RFC 8866, 6; RFC 8829,
 * 5.8 and 5.9).
 *
 * What is malformed and would matter is refused; what is malformed and only describes something
 * optional (a candidate, a rid, a feedback kind) is passed over, as browsers do. */
#include "sdp/parser.h"

#include <linnet/error.h>

#include <string.h>

static int fail_nomem(struct ln_sdp_parser *p)
{
    return ln_sdp_parser_fail(p, LN_ERR_NOMEM, "out of memory");
}

static int fail_limit(struct ln_sdp_parser *p, const char *what, unsigned limit)
{
    return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "more than %u %s", limit, what);
}

static int fail_value(struct ln_sdp_parser *p, const char *name, const char *value)
{
    return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "a=%s cannot have the value \"%.64s\"", name,
                              value);
}

static struct ln_sdp_transport *transport(struct ln_sdp_parser *p)
{
    return p->media ? &p->media->transport : &p->sdp->transport;
}

/* One word of at most `max` characters. */
static int read_word(struct ln_sdp_parser *p, const char *name, char *value, size_t max,
                     const char **ret_word)
{
    char *word = ln_text_token(&value);

    if (!word || ln_text_token(&value))
        return fail_value(p, name, word ? word : "");
    if (strlen(word) > max)
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "a=%s is longer than %zu characters", name, max);
    *ret_word = word;
    return 0;
}

/* ---- Session and grouping ---- */

static int read_group(struct ln_sdp_parser *p, char *value)
{
    struct ln_text_list mids = { 0 };
    struct ln_sdp_group *group;
    char *semantics = ln_text_token(&value), *mid;

    if (!semantics)
        return fail_value(p, "group", "");
    if (p->groups.count == LN_SDP_GROUPS_MAX)
        return fail_limit(p, "a=group lines", LN_SDP_GROUPS_MAX);
    group = ln_text_list_add(p->arena, &p->groups, sizeof *group);
    if (!group)
        return fail_nomem(p);
    while ((mid = ln_text_token(&value)) != NULL) {
        const char **slot;

        if (mids.count == LN_SDP_MEDIA_MAX)
            return fail_limit(p, "mids in a=group", LN_SDP_MEDIA_MAX);
        slot = ln_text_list_add(p->arena, &mids, sizeof *slot);
        if (!slot)
            return fail_nomem(p);
        *slot = mid;
    }
    group->semantics = semantics;
    group->mids = mids.data;
    group->mid_count = mids.count;
    return 0;
}

static int read_msid_semantic(struct ln_sdp_parser *p, char *value)
{
    p->sdp->msid_semantic = ln_text_trim(value);
    return 0;
}

static int read_ice_lite(struct ln_sdp_parser *p, char *value)
{
    p->sdp->ice_lite = true;
    return 0;
}

static int read_allow_mixed(struct ln_sdp_parser *p, char *value)
{
    *(p->media ? &p->media->extmap_allow_mixed : &p->sdp->extmap_allow_mixed) = true;
    return 0;
}

static int read_mid(struct ln_sdp_parser *p, char *value)
{
    if (*p->media->mid)
        return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "section has two a=mid lines");
    return read_word(p, "mid", value, LN_SDP_MID_MAX, &p->media->mid);
}

static int set_direction(struct ln_sdp_parser *p, enum ln_sdp_direction direction)
{
    *(p->media ? &p->media->direction : &p->session_direction) = direction;
    return 0;
}

static int read_sendrecv(struct ln_sdp_parser *p, char *value)
{
    return set_direction(p, LN_SDP_SENDRECV);
}

static int read_sendonly(struct ln_sdp_parser *p, char *value)
{
    return set_direction(p, LN_SDP_SENDONLY);
}

static int read_recvonly(struct ln_sdp_parser *p, char *value)
{
    return set_direction(p, LN_SDP_RECVONLY);
}

static int read_inactive(struct ln_sdp_parser *p, char *value)
{
    return set_direction(p, LN_SDP_INACTIVE);
}

/* ---- Transport ---- */

static int read_ufrag(struct ln_sdp_parser *p, char *value)
{
    return read_word(p, "ice-ufrag", value, LN_SDP_TEXT_MAX, &transport(p)->ufrag);
}

static int read_pwd(struct ln_sdp_parser *p, char *value)
{
    return read_word(p, "ice-pwd", value, LN_SDP_TEXT_MAX, &transport(p)->pwd);
}

static int read_ice_options(struct ln_sdp_parser *p, char *value)
{
    transport(p)->ice_options = ln_text_trim(value);
    return 0;
}

static int read_tls_id(struct ln_sdp_parser *p, char *value)
{
    transport(p)->tls_id = ln_text_trim(value);
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "AB:CD:...": pairs of digits with a colon between each two, nothing else (RFC 8122, 5). */
static bool read_hex(const char *text, struct ln_sdp_fingerprint *fingerprint)
{
    for (;;) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0 || fingerprint->len == LN_SDP_FINGERPRINT_MAX)
            return false;
        fingerprint->value[fingerprint->len++] = (uint8_t)(high << 4 | low);
        if (!text[2])
            return true;
        if (text[2] != ':')
            return false;
        text += 3;
    }
}

static bool length_fits(const struct ln_sdp_fingerprint *fingerprint)
{
    static const struct {
        const char *hash;
        uint8_t len;
    } lengths[] = {
        { "sha-1", 20 }, { "sha-224", 28 }, { "sha-256", 32 }, { "sha-384", 48 }, { "sha-512", 64 },
    };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (strcmp(lengths[i].hash, fingerprint->hash) == 0)
            return fingerprint->len == lengths[i].len;
    }
    return true; /* a hash that we do not know is for others to judge */
}

static int read_fingerprint(struct ln_sdp_parser *p, char *value)
{
    char *hash = ln_text_token(&value), *hex = ln_text_token(&value);
    struct ln_sdp_fingerprint fingerprint = { 0 }, *slot;

    if (!hash || !hex || strlen(hash) >= sizeof fingerprint.hash || !read_hex(hex, &fingerprint))
        return fail_value(p, "fingerprint", hex ? hex : "");
    for (size_t i = 0; hash[i]; i++)
        fingerprint.hash[i] = hash[i] >= 'A' && hash[i] <= 'Z' ? (char)(hash[i] + 32) : hash[i];
    if (!length_fits(&fingerprint))
        return fail_value(p, "fingerprint", hex);
    if (p->fingerprints.count == LN_SDP_FINGERPRINTS_MAX)
        return fail_limit(p, "fingerprints", LN_SDP_FINGERPRINTS_MAX);
    slot = ln_text_list_add(p->arena, &p->fingerprints, sizeof *slot);
    if (!slot)
        return fail_nomem(p);
    *slot = fingerprint;
    return 0;
}

static int read_setup(struct ln_sdp_parser *p, char *value)
{
    enum ln_sdp_setup *setup = &transport(p)->setup;

    value = ln_text_trim(value);
    if (strcmp(value, "actpass") == 0)
        *setup = LN_SDP_SETUP_ACTPASS;
    else if (strcmp(value, "active") == 0)
        *setup = LN_SDP_SETUP_ACTIVE;
    else if (strcmp(value, "passive") == 0)
        *setup = LN_SDP_SETUP_PASSIVE;
    else if (strcmp(value, "holdconn") == 0)
        *setup = LN_SDP_SETUP_HOLDCONN;
    else
        return fail_value(p, "setup", value);
    return 0;
}

/* SDES keys go through the signalling in the clear (RFC 8827, 6.5). */
static int read_crypto(struct ln_sdp_parser *p, char *value)
{
    return ln_sdp_parser_fail(p, LN_ERR_INVALID_ACCESS, "a=crypto (SDES keys) is refused");
}

static int read_candidate(struct ln_sdp_parser *p, char *value)
{
    const char **slot;

    /* The attribute's name, cut off by a NUL in place, is part of a candidate's text. */
    char *candidate = value - strlen("candidate:");

    candidate[strlen("candidate")] = ':';
    ln_text_trim(value);
    if (strlen(candidate) > LN_SDP_CANDIDATE_MAX || p->candidates.count == LN_SDP_CANDIDATES_MAX)
        return 0;
    slot = ln_text_list_add(p->arena, &p->candidates, sizeof *slot);
    if (!slot)
        return fail_nomem(p);
    *slot = candidate;
    return 0;
}

static int read_end_of_candidates(struct ln_sdp_parser *p, char *value)
{
    if (p->media)
        p->media->end_of_candidates = true;
    return 0;
}

static int read_rtcp(struct ln_sdp_parser *p, char *value)
{
    p->media->rtcp = ln_text_trim(value);
    return 0;
}

static int read_rtcp_mux(struct ln_sdp_parser *p, char *value)
{
    p->media->rtcp_mux = true;
    return 0;
}

static int read_rtcp_mux_only(struct ln_sdp_parser *p, char *value)
{
    p->media->rtcp_mux_only = true;
    return 0;
}

static int read_rtcp_rsize(struct ln_sdp_parser *p, char *value)
{
    p->media->rtcp_rsize = true;
    return 0;
}

static int read_bundle_only(struct ln_sdp_parser *p, char *value)
{
    p->media->bundle_only = true;
    return 0;
}

/* ---- Codecs ---- */

/* The codec of a line that begins with a payload type; NULL if it is not in the m= line. */
static struct ln_codec_parameters *codec_of(struct ln_sdp_parser *p, const char *token)
{
    uint64_t number;

    if (!ln_text_number(token, LN_PAYLOAD_TYPE_MAX, &number) || p->codec_of[number] < 0)
        return NULL;
    return (struct ln_codec_parameters *)p->codecs.data + p->codec_of[number];
}

static int read_rtpmap(struct ln_sdp_parser *p, char *value)
{
    char *token = ln_text_token(&value), *name, *clock, *channels;
    struct ln_codec_parameters *codec;
    uint64_t number;

    if (!token || !ln_text_number(token, LN_PAYLOAD_TYPE_MAX, &number))
        return fail_value(p, "rtpmap", token ? token : "");
    codec = codec_of(p, token);
    if (!codec)
        return 0;
    value = ln_text_trim(value);
    name = ln_text_until(&value, '/');
    clock = ln_text_until(&value, '/');
    channels = ln_text_until(&value, '/');
    if (!*name || !clock || !ln_text_number(clock, UINT32_MAX, &number))
        return fail_value(p, "rtpmap", name);
    codec->name = name;
    codec->clock_rate_hz = (uint32_t)number;
    codec->channels = p->media->kind == LN_SDP_AUDIO;
    if (channels && p->media->kind == LN_SDP_AUDIO) {
        if (!ln_text_number(channels, UINT8_MAX, &number) || number == 0)
            return fail_value(p, "rtpmap", channels);
        codec->channels = (uint8_t)number;
    }
    return 0;
}

static int read_fmtp(struct ln_sdp_parser *p, char *value)
{
    char *token = ln_text_token(&value);
    struct ln_codec_parameters *codec = token ? codec_of(p, token) : NULL;

    if (codec && !*codec->fmtp) /* a second line for one payload type is passed over */
        codec->fmtp = ln_text_trim(value);
    return 0;
}

/* One blank between two words, in place. */
static char *squeeze(char *text)
{
    char *from = ln_text_trim(text), *to = from, *begin = from;

    for (; *from; from++) {
        bool blank = *from == ' ' || *from == '\t';

        if (!blank || (to > begin && to[-1] != ' '))
            *to++ = blank ? ' ' : *from;
    }
    *to = '\0';
    return begin;
}

static int read_rtcp_fb(struct ln_sdp_parser *p, char *value)
{
    char *token = ln_text_token(&value);
    struct ln_text_list *list;
    const char **slot;

    if (!token)
        return 0;
    if (strcmp(token, "*") == 0) {
        list = &p->wildcard_feedback;
    } else {
        struct ln_codec_parameters *codec = codec_of(p, token);

        if (!codec)
            return 0;
        list = &p->feedback[codec->payload_type];
    }
    value = squeeze(value);
    if (!*value || list->count == LN_CODEC_FEEDBACK_MAX)
        return 0;
    slot = ln_text_list_add(p->arena, list, sizeof *slot);
    if (!slot)
        return fail_nomem(p);
    *slot = value;
    return 0;
}

static bool read_direction_name(const char *name, enum ln_sdp_direction *ret_direction)
{
    for (int d = LN_SDP_INACTIVE; d <= LN_SDP_SENDRECV; d++) {
        if (strcmp(name, ln_sdp_direction_name((enum ln_sdp_direction)d)) == 0) {
            *ret_direction = (enum ln_sdp_direction)d;
            return true;
        }
    }
    return false;
}

static int read_extmap(struct ln_sdp_parser *p, char *value)
{
    char *token = ln_text_token(&value), *uri = ln_text_token(&value), *id;
    enum ln_sdp_direction direction = LN_SDP_SENDRECV;
    struct ln_sdp_extension *extension;
    uint64_t number;

    if (!token || !uri)
        return fail_value(p, "extmap", token ? token : "");
    id = ln_text_until(&token, '/');
    if (!ln_text_number(id, UINT16_MAX, &number) ||
        (token && !read_direction_name(token, &direction)))
        return fail_value(p, "extmap", id);
    if (number >= 4096 && number <= 4351)
        return 0; /* an offer's spare choices, which may be left unanswered (RFC 8285, 6) */
    if (number == 0 || number > 255)
        return fail_value(p, "extmap", id);
    if (p->extensions.count == LN_SDP_EXTENSIONS_MAX)
        return fail_limit(p, "a=extmap lines in a section", LN_SDP_EXTENSIONS_MAX);
    extension = ln_text_list_add(p->arena, &p->extensions, sizeof *extension);
    if (!extension)
        return fail_nomem(p);
    extension->id = (uint16_t)number;
    extension->direction = direction;
    extension->uri = uri;
    extension->attributes = ln_text_trim(value);
    return 0;
}

static int read_ptime(struct ln_sdp_parser *p, char *value)
{
    uint64_t number;

    if (ln_text_number(ln_text_trim(value), UINT16_MAX, &number))
        p->media->ptime_ms = (uint32_t)number;
    return 0;
}

static int read_maxptime(struct ln_sdp_parser *p, char *value)
{
    uint64_t number;

    if (ln_text_number(ln_text_trim(value), UINT16_MAX, &number))
        p->media->maxptime_ms = (uint32_t)number;
    return 0;
}

/* ---- Streams ---- */

/* "stream track"; false when a part is too long. */
static bool cut_msid(char *value, struct ln_sdp_msid *ret_msid)
{
    char *stream = ln_text_token(&value), *track = ln_text_token(&value);

    ret_msid->stream = stream ? stream : "";
    ret_msid->track = track ? track : "";
    return strlen(ret_msid->stream) <= LN_SDP_TEXT_MAX &&
           strlen(ret_msid->track) <= LN_SDP_TEXT_MAX;
}

static int read_msid(struct ln_sdp_parser *p, char *value)
{
    struct ln_sdp_msid msid, *slot;

    if (!cut_msid(value, &msid))
        return ln_sdp_parser_fail(p, LN_ERR_LIMIT, "a=msid is longer than %u characters",
                                  LN_SDP_TEXT_MAX);
    if (p->msids.count == LN_SDP_MSIDS_MAX)
        return fail_limit(p, "a=msid lines in a section", LN_SDP_MSIDS_MAX);
    slot = ln_text_list_add(p->arena, &p->msids, sizeof *slot);
    if (!slot)
        return fail_nomem(p);
    *slot = msid;
    return 0;
}

static struct ln_sdp_ssrc *find_ssrc(struct ln_sdp_parser *p, uint32_t ssrc)
{
    struct ln_sdp_ssrc *ssrcs = p->ssrcs.data;

    for (size_t i = p->ssrcs.count; i > 0; i--) { /* lines of one ssrc stand together */
        if (ssrcs[i - 1].ssrc == ssrc)
            return &ssrcs[i - 1];
    }
    return NULL;
}

static int read_ssrc(struct ln_sdp_parser *p, char *value)
{
    char *token = ln_text_token(&value), *name;
    struct ln_sdp_ssrc *ssrc;
    struct ln_sdp_msid msid;
    uint64_t number;

    if (!token || !ln_text_number(token, UINT32_MAX, &number))
        return fail_value(p, "ssrc", token ? token : "");
    ssrc = find_ssrc(p, (uint32_t)number);
    if (!ssrc) {
        if (p->ssrcs.count == LN_SDP_SSRCS_MAX)
            return fail_limit(p, "ssrcs in a section", LN_SDP_SSRCS_MAX);
        ssrc = ln_text_list_add(p->arena, &p->ssrcs, sizeof *ssrc);
        if (!ssrc)
            return fail_nomem(p);
        ssrc->ssrc = (uint32_t)number;
        ssrc->cname = ssrc->msid.stream = ssrc->msid.track = "";
    }
    name = ln_text_until(&value, ':');
    if (!value)
        return 0;
    name = ln_text_trim(name);
    if (strcmp(name, "cname") == 0 && strlen(value) <= LN_SDP_TEXT_MAX)
        ssrc->cname = ln_text_trim(value);
    else if (strcmp(name, "msid") == 0 && cut_msid(value, &msid) && *msid.stream)
        ssrc->msid = msid;
    return 0;
}

static int read_ssrc_group(struct ln_sdp_parser *p, char *value)
{
    char *semantics = ln_text_token(&value), *token;
    struct ln_text_list ssrcs = { 0 };
    struct ln_sdp_ssrc_group *group;

    if (!semantics)
        return fail_value(p, "ssrc-group", "");
    if (p->ssrc_groups.count == LN_SDP_SSRCS_MAX)
        return fail_limit(p, "a=ssrc-group lines in a section", LN_SDP_SSRCS_MAX);
    group = ln_text_list_add(p->arena, &p->ssrc_groups, sizeof *group);
    if (!group)
        return fail_nomem(p);
    while ((token = ln_text_token(&value)) != NULL) {
        uint64_t number;
        uint32_t *slot;

        if (!ln_text_number(token, UINT32_MAX, &number))
            return fail_value(p, "ssrc-group", token);
        if (ssrcs.count == LN_SDP_SSRCS_MAX)
            return fail_limit(p, "ssrcs in a group", LN_SDP_SSRCS_MAX);
        slot = ln_text_list_add(p->arena, &ssrcs, sizeof *slot);
        if (!slot)
            return fail_nomem(p);
        *slot = (uint32_t)number;
    }
    group->semantics = semantics;
    group->ssrcs = ssrcs.data;
    group->ssrc_count = ssrcs.count;
    return 0;
}

static bool is_rid_id(const char *id)
{
    return *id && strlen(id) <= LN_SDP_RID_ID_MAX &&
           id[strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")] ==
               '\0';
}

static int read_rid(struct ln_sdp_parser *p, char *value)
{
    char *id = ln_text_token(&value), *direction = ln_text_token(&value);
    struct ln_sdp_rid *rids = p->rids.data, *rid;

    if (!id || !direction || !is_rid_id(id) ||
        (strcmp(direction, "send") != 0 && strcmp(direction, "recv") != 0))
        return 0;
    for (size_t i = 0; i < p->rids.count; i++) {
        if (strcmp(rids[i].id, id) == 0)
            return 0;
    }
    if (p->rids.count == LN_SDP_RIDS_MAX)
        return fail_limit(p, "a=rid lines in a section", LN_SDP_RIDS_MAX);
    rid = ln_text_list_add(p->arena, &p->rids, sizeof *rid);
    if (!rid)
        return fail_nomem(p);
    rid->id = id;
    rid->send = strcmp(direction, "send") == 0;
    rid->restrictions = ln_text_trim(value);
    return 0;
}

/* One stream of a simulcast list: "1,~2" (RFC 8853, 5.1). */
static int read_alternatives(struct ln_sdp_parser *p, char *text, struct ln_text_list *list)
{
    bool alternative = false;
    char *id;

    while ((id = ln_text_until(&text, ',')) != NULL) {
        struct ln_sdp_simulcast_rid *rid;
        bool paused = *id == '~';

        id += paused;
        if (!is_rid_id(id))
            continue;
        if (list->count == LN_SDP_RIDS_MAX)
            return fail_limit(p, "rids in a=simulcast", LN_SDP_RIDS_MAX);
        rid = ln_text_list_add(p->arena, list, sizeof *rid);
        if (!rid)
            return fail_nomem(p);
        rid->id = id;
        rid->paused = paused;
        rid->alternative = alternative;
        alternative = true;
    }
    return 0;
}

static int read_simulcast(struct ln_sdp_parser *p, char *value)
{
    char *direction, *streams, *stream;

    while ((direction = ln_text_token(&value)) != NULL &&
           (streams = ln_text_token(&value)) != NULL) {
        struct ln_text_list *list = strcmp(direction, "send") == 0   ? &p->simulcast_send
                                    : strcmp(direction, "recv") == 0 ? &p->simulcast_recv
                                                                     : NULL;

        if (!list || list->count > 0)
            return 0;
        if (strncmp(streams, "rid=", 4) == 0) /* Firefox before 59 */
            streams += 4;
        while ((stream = ln_text_until(&streams, ';')) != NULL) {
            int status = read_alternatives(p, stream, list);

            if (status != 0)
                return status;
        }
    }
    return 0;
}

/* ---- SCTP ---- */

static int read_sctp_port(struct ln_sdp_parser *p, char *value)
{
    uint64_t number;

    value = ln_text_trim(value);
    if (!ln_text_number(value, UINT16_MAX, &number))
        return fail_value(p, "sctp-port", value);
    if (p->media->old_sctp) /* its m= line says it already */
        return 0;
    p->media->sctp_port = (uint16_t)number;
    p->media->sctp_port_given = true;
    return 0;
}

static int read_max_message_size(struct ln_sdp_parser *p, char *value)
{
    uint64_t number;

    value = ln_text_trim(value);
    if (!ln_text_number(value, UINT64_MAX, &number))
        return fail_value(p, "max-message-size", value);
    p->media->max_message_size = number;
    p->media->max_message_size_given = true;
    return 0;
}

/* Where the characters are no base64 there is no such line (draft-hancke-tsvwg-snap). What they say
 * is SCTP's matter. */
static int read_sctp_init(struct ln_sdp_parser *p, char *value)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len;

    value = ln_text_trim(value);
    len = strspn(value, base64);
    len += strspn(value + len, "=");
    if (p->media->kind == LN_SDP_APPLICATION && !value[len] && len <= LN_SDP_SCTP_INIT_MAX)
        p->media->sctp_init = value;
    return 0;
}

/* "5000 webrtc-datachannel 1024" says no more than the m= line of its time. */
static int read_sctpmap(struct ln_sdp_parser *p, char *value)
{
    if (p->media->kind == LN_SDP_APPLICATION && !p->media->sctp_port_given) {
        char *token = ln_text_token(&value);
        uint64_t number;

        if (token && ln_text_number(token, UINT16_MAX, &number)) {
            p->media->sctp_port = (uint16_t)number;
            p->media->sctp_port_given = true;
        }
    }
    return 0;
}

/* ---- The table ---- */

enum {
    SESSION = 1,
    MEDIA = 2,
    OTHER = 4, /* also in sections of a kind that we refuse anyway */
    VALUE = 8, /* refused without a value */
};

static const struct {
    const char *name;
    int (*read)(struct ln_sdp_parser *p, char *value);
    unsigned where;
} attributes[] = {
    { "rtpmap", read_rtpmap, MEDIA | VALUE },
    { "rtcp-fb", read_rtcp_fb, MEDIA },
    { "fmtp", read_fmtp, MEDIA },
    { "extmap", read_extmap, MEDIA | VALUE },
    { "candidate", read_candidate, MEDIA },
    { "ssrc", read_ssrc, MEDIA | VALUE },
    { "ssrc-group", read_ssrc_group, MEDIA | VALUE },
    { "msid", read_msid, MEDIA | VALUE },
    { "mid", read_mid, MEDIA | OTHER | VALUE },
    { "rid", read_rid, MEDIA },
    { "simulcast", read_simulcast, MEDIA },
    { "sendrecv", read_sendrecv, SESSION | MEDIA | OTHER },
    { "sendonly", read_sendonly, SESSION | MEDIA | OTHER },
    { "recvonly", read_recvonly, SESSION | MEDIA | OTHER },
    { "inactive", read_inactive, SESSION | MEDIA | OTHER },
    { "ice-ufrag", read_ufrag, SESSION | MEDIA | VALUE },
    { "ice-pwd", read_pwd, SESSION | MEDIA | VALUE },
    { "ice-options", read_ice_options, SESSION | MEDIA },
    { "ice-lite", read_ice_lite, SESSION | MEDIA },
    { "end-of-candidates", read_end_of_candidates, SESSION | MEDIA },
    { "fingerprint", read_fingerprint, SESSION | MEDIA | VALUE },
    { "setup", read_setup, SESSION | MEDIA | VALUE },
    { "tls-id", read_tls_id, SESSION | MEDIA },
    { "crypto", read_crypto, MEDIA },
    { "rtcp", read_rtcp, MEDIA },
    { "rtcp-mux", read_rtcp_mux, MEDIA },
    { "rtcp-mux-only", read_rtcp_mux_only, MEDIA },
    { "rtcp-rsize", read_rtcp_rsize, MEDIA },
    { "bundle-only", read_bundle_only, MEDIA | OTHER },
    { "group", read_group, SESSION | VALUE },
    { "msid-semantic", read_msid_semantic, SESSION },
    { "extmap-allow-mixed", read_allow_mixed, SESSION | MEDIA },
    { "sctp-port", read_sctp_port, MEDIA | VALUE },
    { "max-message-size", read_max_message_size, MEDIA | VALUE },
    { "sctp-init", read_sctp_init, MEDIA },
    { "sctpmap", read_sctpmap, MEDIA },
    { "ptime", read_ptime, MEDIA },
    { "maxptime", read_maxptime, MEDIA },
};

static unsigned place(const struct ln_sdp_parser *p)
{
    return !p->media ? SESSION : p->media->kind == LN_SDP_OTHER ? OTHER : MEDIA;
}

int ln_sdp_parse_attribute(struct ln_sdp_parser *p, char *text)
{
    char *value = text, *name = ln_text_until(&value, ':');

    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (strcmp(attributes[i].name, name) != 0)
            continue;
        if (!(attributes[i].where & place(p)))
            return 0;
        if (attributes[i].where & VALUE && (!value || !*value))
            return ln_sdp_parser_fail(p, LN_ERR_SYNTAX, "a=%s has no value", name);
        if (!value && attributes[i].read == read_candidate)
            return 0;
        return attributes[i].read(p, value ? value : name + strlen(name));
    }
    return 0;
}
