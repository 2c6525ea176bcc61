/* SPDX-License-Identifier: Apache-2.0
 * A tree as text: CRLF lines in the order that browsers write them, which is the order every stack
 * has been tested with.
 *
 * One pass measures, a second writes into memory of exactly that size. Texts that an application
 * chose (stream and track ids) cannot smuggle in a line: a line break ends in
 * LN_ERR_INVALID_ARGUMENT. */
#include "sdp/sdp.h"

#include <linnet/error.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct sink {
    char *data; /* NULL while measuring */
    size_t len;
    bool line_break; /* inside a value */
};

static void put(struct sink *s, const char *text)
{
    size_t len = strlen(text);

    if (s->data)
        memcpy(s->data + s->len, text, len);
    else if (strpbrk(text, "\r\n"))
        s->line_break = true;
    s->len += len;
}

static void end_line(struct sink *s)
{
    if (s->data)
        memcpy(s->data + s->len, "\r\n", 2);
    s->len += 2;
}

static void put_number(struct sink *s, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, number);
    put(s, digits);
}

/* A whole line of the pieces. */
#define LINE(s, ...) put_line(s, (const char *const[]){ __VA_ARGS__, NULL })
static void put_line(struct sink *s, const char *const *pieces)
{
    for (; *pieces; pieces++)
        put(s, *pieces);
    end_line(s);
}

static void number_line(struct sink *s, const char *name, uint64_t number)
{
    put(s, name);
    put_number(s, number);
    end_line(s);
}

static void text_line(struct sink *s, const char *name, const char *text)
{
    if (*text)
        LINE(s, name, text);
}

static void flag_line(struct sink *s, const char *name, bool set)
{
    if (set)
        LINE(s, name);
}

static void write_bandwidths(struct sink *s, const struct ln_sdp_bandwidth *bandwidths,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(s, "b=");
        put(s, bandwidths[i].type);
        number_line(s, ":", bandwidths[i].value);
    }
}

static void write_fingerprint(struct sink *s, const struct ln_sdp_fingerprint *fingerprint)
{
    char hex[3 * LN_SDP_FINGERPRINT_MAX + 1] = "";

    for (size_t i = 0; i < fingerprint->len; i++)
        snprintf(hex + 3 * i, 4, "%02X%s", fingerprint->value[i],
                 i + 1 < fingerprint->len ? ":" : "");
    LINE(s, "a=fingerprint:", fingerprint->hash, " ", hex);
}

static void write_transport(struct sink *s, const struct ln_sdp_transport *transport)
{
    static const char *const setups[] = { "", "actpass", "active", "passive", "holdconn" };

    text_line(s, "a=ice-ufrag:", transport->ufrag);
    text_line(s, "a=ice-pwd:", transport->pwd);
    text_line(s, "a=ice-options:", transport->ice_options);
    for (size_t i = 0; i < transport->fingerprint_count; i++)
        write_fingerprint(s, &transport->fingerprints[i]);
    text_line(s, "a=setup:", setups[transport->setup]);
    text_line(s, "a=tls-id:", transport->tls_id);
}

static void write_media_line(struct sink *s, const struct ln_sdp_media *m)
{
    put(s, "m=");
    put(s, m->media);
    put(s, " ");
    put_number(s, m->port);
    put(s, " ");
    put(s, m->protocol);
    if (*m->formats) {
        put(s, " ");
        put(s, m->formats);
    } else {
        for (size_t i = 0; i < m->codec_count; i++) {
            put(s, " ");
            put_number(s, m->codecs[i].payload_type);
        }
    }
    end_line(s);
}

static void write_codec(struct sink *s, const struct ln_codec_parameters *codec)
{
    char head[32];

    if (*codec->name) {
        char tail[24];

        snprintf(head, sizeof head, "a=rtpmap:%u ", codec->payload_type);
        snprintf(tail, sizeof tail, "/%" PRIu32, codec->clock_rate_hz);
        put(s, head);
        put(s, codec->name);
        put(s, tail);
        if (codec->channels > 1) {
            put(s, "/");
            put_number(s, codec->channels);
        }
        end_line(s);
    }
    snprintf(head, sizeof head, "a=rtcp-fb:%u ", codec->payload_type);
    for (size_t i = 0; i < codec->feedback_count; i++)
        text_line(s, head, codec->feedback[i]);
    snprintf(head, sizeof head, "a=fmtp:%u ", codec->payload_type);
    text_line(s, head, codec->fmtp);
}

static void write_extensions(struct sink *s, const struct ln_sdp_media *m)
{
    for (size_t i = 0; i < m->extension_count; i++) {
        const struct ln_sdp_extension *e = &m->extensions[i];

        put(s, "a=extmap:");
        put_number(s, e->id);
        if (e->direction != LN_SDP_SENDRECV) {
            put(s, "/");
            put(s, ln_sdp_direction_name(e->direction));
        }
        put(s, " ");
        put(s, e->uri);
        if (*e->attributes) {
            put(s, " ");
            put(s, e->attributes);
        }
        end_line(s);
    }
}

static void write_simulcast_list(struct sink *s, const char *direction,
                                 const struct ln_sdp_simulcast_rid *list, size_t count)
{
    put(s, direction);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put(s, list[i].alternative ? "," : ";");
        if (list[i].paused)
            put(s, "~");
        put(s, list[i].id);
    }
}

static void write_rids(struct sink *s, const struct ln_sdp_media *m)
{
    for (size_t i = 0; i < m->rid_count; i++) {
        const struct ln_sdp_rid *rid = &m->rids[i];

        LINE(s, "a=rid:", rid->id, rid->send ? " send" : " recv", *rid->restrictions ? " " : "",
             rid->restrictions);
    }
    if (m->simulcast_send_count + m->simulcast_recv_count == 0)
        return;
    put(s, "a=simulcast:");
    if (m->simulcast_send_count > 0)
        write_simulcast_list(s, "send ", m->simulcast_send, m->simulcast_send_count);
    if (m->simulcast_send_count > 0 && m->simulcast_recv_count > 0)
        put(s, " ");
    if (m->simulcast_recv_count > 0)
        write_simulcast_list(s, "recv ", m->simulcast_recv, m->simulcast_recv_count);
    end_line(s);
}

static void write_ssrcs(struct sink *s, const struct ln_sdp_media *m)
{
    for (size_t i = 0; i < m->ssrc_group_count; i++) {
        const struct ln_sdp_ssrc_group *group = &m->ssrc_groups[i];

        put(s, "a=ssrc-group:");
        put(s, group->semantics);
        for (size_t j = 0; j < group->ssrc_count; j++) {
            put(s, " ");
            put_number(s, group->ssrcs[j]);
        }
        end_line(s);
    }
    for (size_t i = 0; i < m->ssrc_count; i++) {
        const struct ln_sdp_ssrc *ssrc = &m->ssrcs[i];
        char head[32];

        snprintf(head, sizeof head, "a=ssrc:%" PRIu32, ssrc->ssrc);
        if (*ssrc->cname || !*ssrc->msid.stream)
            LINE(s, head, *ssrc->cname ? " cname:" : "", ssrc->cname);
        if (*ssrc->msid.stream)
            LINE(s, head, " msid:", ssrc->msid.stream, *ssrc->msid.track ? " " : "",
                 ssrc->msid.track);
    }
}

static void write_sctp(struct sink *s, const struct ln_sdp_media *m)
{
    if (m->sctp_port_given && !m->old_sctp)
        number_line(s, "a=sctp-port:", m->sctp_port);
    if (m->old_sctp) { /* 1024 streams: what those stacks wrote, and none of them reads */
        put(s, "a=sctpmap:");
        put_number(s, m->sctp_port);
        LINE(s, " webrtc-datachannel 1024");
    }
    if (m->max_message_size_given)
        number_line(s, "a=max-message-size:", m->max_message_size);
    if (*m->sctp_init)
        LINE(s, "a=sctp-init:", m->sctp_init);
}

static void write_rtp(struct sink *s, const struct ln_sdp_media *m)
{
    for (size_t i = 0; i < m->msid_count; i++)
        LINE(s, "a=msid:", m->msids[i].stream, *m->msids[i].track ? " " : "", m->msids[i].track);
    flag_line(s, "a=rtcp-mux", m->rtcp_mux);
    flag_line(s, "a=rtcp-mux-only", m->rtcp_mux_only);
    flag_line(s, "a=rtcp-rsize", m->rtcp_rsize);
    for (size_t i = 0; i < m->codec_count; i++)
        write_codec(s, &m->codecs[i]);
    if (m->ptime_ms)
        number_line(s, "a=ptime:", m->ptime_ms);
    if (m->maxptime_ms)
        number_line(s, "a=maxptime:", m->maxptime_ms);
    write_rids(s, m);
    write_ssrcs(s, m);
}

static void write_media(struct sink *s, const struct ln_sdp_media *m)
{
    write_media_line(s, m);
    text_line(s, "c=", m->connection);
    write_bandwidths(s, m->bandwidths, m->bandwidth_count);
    text_line(s, "a=rtcp:", m->rtcp);
    for (size_t i = 0; i < m->candidate_count; i++)
        text_line(s, "a=", m->candidates[i]);
    flag_line(s, "a=end-of-candidates", m->end_of_candidates);
    write_transport(s, &m->transport);
    text_line(s, "a=mid:", m->mid);
    flag_line(s, "a=bundle-only", m->bundle_only);
    flag_line(s, "a=extmap-allow-mixed", m->extmap_allow_mixed);
    write_extensions(s, m);
    if (ln_sdp_is_rtp(m) || m->direction != LN_SDP_SENDRECV)
        LINE(s, "a=", ln_sdp_direction_name(m->direction));
    write_rtp(s, m);
    write_sctp(s, m);
}

static void write_session(struct sink *s, const struct ln_sdp *sdp)
{
    LINE(s, "v=0");
    LINE(s, "o=", sdp->username, " ", sdp->session_id, " ", sdp->session_version, " ",
         sdp->origin_address);
    LINE(s, "s=", sdp->name);
    text_line(s, "c=", sdp->connection);
    write_bandwidths(s, sdp->bandwidths, sdp->bandwidth_count);
    LINE(s, "t=0 0");
    for (size_t i = 0; i < sdp->group_count; i++) {
        put(s, "a=group:");
        put(s, sdp->groups[i].semantics);
        for (size_t j = 0; j < sdp->groups[i].mid_count; j++) {
            put(s, " ");
            put(s, sdp->groups[i].mids[j]);
        }
        end_line(s);
    }
    flag_line(s, "a=extmap-allow-mixed", sdp->extmap_allow_mixed);
    text_line(s,
              "a=msid-semantic: ", sdp->msid_semantic); /* the blank is wanted: Pion and others */
    flag_line(s, "a=ice-lite", sdp->ice_lite);
    write_transport(s, &sdp->transport);
}

static void write_all(struct sink *s, const struct ln_sdp *sdp)
{
    write_session(s, sdp);
    for (size_t i = 0; i < sdp->media_count; i++)
        write_media(s, &sdp->media[i]);
}

int ln_sdp_write(const struct ln_sdp *sdp, struct ln_arena *arena, const char **ret_text,
                 size_t *ret_len)
{
    struct sink measure = { 0 }, out = { 0 };

    write_all(&measure, sdp);
    if (measure.line_break)
        return LN_ERR_INVALID_ARGUMENT;
    out.data = ln_arena_alloc(arena, measure.len + 1);
    if (!out.data)
        return LN_ERR_NOMEM;
    write_all(&out, sdp);
    *ret_text = out.data;
    *ret_len = out.len;
    return 0;
}

int ln_sdp_copy(const struct ln_sdp *sdp, struct ln_arena *arena, struct ln_sdp **ret_sdp)
{
    const char *text;
    size_t len;
    int status = ln_sdp_write(sdp, arena, &text, &len);

    /* What the tree has, the text has: the way over it needs no second list of all members. */
    return status != 0 ? status : ln_sdp_parse(text, len, arena, ret_sdp, NULL);
}
