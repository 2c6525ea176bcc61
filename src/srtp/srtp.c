/* SPDX-License-Identifier: Apache-2.0
 * SRTP and SRTCP (RFC 3711, RFC 7714): streams, indices and replay; the packets are transform.c's.
 *
 * Invariants: what arrives changes no state before its tag was checked; what is sent never uses an
 * index twice, so a sender's SSRC is never forgotten. SRTCP is always encrypted (RFC 8827, 6.5). */
#include "srtp/srtp.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "crypto/replay.h"
#include "srtp/transform.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define INDEX_END      (UINT64_C(1) << 48)
#define RTCP_INDEX_END (UINT64_C(1) << 31)

static_assert(LN_SRTP_WINDOW == LN_REPLAY_WINDOW, "the window is crypto's");

struct stream {
    struct ln_list recent;
    uint32_t ssrc;
    struct ln_replay rtp, rtcp; /* a sender's next SRTCP index is rtcp.end */
};

struct ln_srtp {
    const struct ln_env *env;
    const struct ln_srtp_suite *suite;
    bool outbound;
    struct ln_srtp_transform rtp, rtcp;
    struct ln_map streams; /* by SSRC */
    struct ln_list recent; /* the same, latest used first */
    struct stream *last;   /* most packets belong to the stream of the one before */
    struct ln_srtp_counters counters;
};

size_t ln_srtp_key_len(uint16_t profile)
{
    const struct ln_srtp_suite *suite = ln_srtp_suite(profile);

    return suite ? suite->key_len : 0;
}

size_t ln_srtp_salt_len(uint16_t profile)
{
    const struct ln_srtp_suite *suite = ln_srtp_suite(profile);

    return suite ? suite->salt_len : 0;
}

const char *ln_srtp_profile_name(uint16_t profile)
{
    const struct ln_srtp_suite *suite = ln_srtp_suite(profile);

    return suite ? suite->name : "";
}

static int key(struct ln_srtp *s, struct ln_srtp_transform *transform, const uint8_t *master_key,
               const uint8_t *master_salt, bool rtcp, struct ln_crypto *crypto)
{
    struct ln_srtp_session_keys keys;
    int error = ln_srtp_derive(s->suite, master_key, master_salt, rtcp, crypto, &keys);

    if (!error)
        error = ln_srtp_transform_init(transform, s->suite, &keys, s->outbound, crypto);
    ln_wipe(&keys, sizeof keys);
    return error;
}

int ln_srtp_create(struct ln_srtp **ret_srtp, uint16_t profile, const uint8_t *master_key,
                   const uint8_t *master_salt, bool outbound, struct ln_crypto *crypto,
                   const struct ln_env *env)
{
    const struct ln_srtp_suite *suite = ln_srtp_suite(profile);
    struct ln_srtp *s;
    int error;

    if (!suite)
        return LN_ERR_NOT_SUPPORTED;
    if (!(s = ln_alloc_zero(env->allocator, sizeof *s)))
        return LN_ERR_NOMEM;
    s->env = env;
    s->suite = suite;
    s->outbound = outbound;
    ln_map_init(&s->streams, env, LN_SRTP_STREAMS_MAX);
    ln_list_init(&s->recent);
    error = key(s, &s->rtp, master_key, master_salt, false, crypto);
    if (!error)
        error = key(s, &s->rtcp, master_key, master_salt, true, crypto);
    if (error) {
        ln_srtp_free(s);
        return error;
    }
    *ret_srtp = s;
    return 0;
}

void ln_srtp_free(struct ln_srtp *s)
{
    if (!s)
        return;
    LN_LIST_EACH_SAFE (at, after, &s->recent) {
        ln_free(s->env->allocator, LN_CONTAINER(at, struct stream, recent));
    }
    ln_map_deinit(&s->streams);
    ln_srtp_transform_deinit(&s->rtp);
    ln_srtp_transform_deinit(&s->rtcp);
    ln_free(s->env->allocator, s);
}

size_t ln_srtp_rtp_overhead(const struct ln_srtp *s)
{
    return s->suite->tag_len;
}

size_t ln_srtp_rtcp_overhead(const struct ln_srtp *s)
{
    return s->suite->tag_len + LN_SRTCP_WORD_LEN;
}

const struct ln_srtp_counters *ln_srtp_counters(const struct ln_srtp *s)
{
    return &s->counters;
}

/* ---- streams ---- */

static struct stream *find_stream(struct ln_srtp *s, uint32_t ssrc)
{
    struct stream *stream = s->last;

    if (stream && stream->ssrc == ssrc)
        return stream;
    return ln_map_get_u64(&s->streams, ssrc);
}

/* Only a packet that was good counts as use. */
static void use_stream(struct ln_srtp *s, struct stream *stream)
{
    if (s->last == stream)
        return;
    ln_list_remove(&stream->recent);
    ln_list_prepend(&s->recent, &stream->recent);
    s->last = stream;
}

/* A receiver forgets the stream that was unused for longest. */
static void make_room(struct ln_srtp *s)
{
    struct stream *oldest = LN_CONTAINER(s->recent.prev, struct stream, recent);

    (void)ln_map_remove_u64(&s->streams, oldest->ssrc);
    ln_list_remove(&oldest->recent);
    if (s->last == oldest)
        s->last = NULL;
    ln_free(s->env->allocator, oldest);
    s->counters.streams_replaced++;
}

static int add_stream(struct ln_srtp *s, uint32_t ssrc, struct stream **ret_stream)
{
    struct stream *stream;
    int error;

    if (s->streams.count >= LN_SRTP_STREAMS_MAX) {
        if (s->outbound)
            return LN_ERR_LIMIT;
        make_room(s);
    }
    if (!(stream = ln_alloc_zero(s->env->allocator, sizeof *stream)))
        return LN_ERR_NOMEM;
    stream->ssrc = ssrc;
    if ((error = ln_map_set_u64(&s->streams, ssrc, stream))) {
        ln_free(s->env->allocator, stream);
        return error;
    }
    ln_list_prepend(&s->recent, &stream->recent);
    s->last = stream;
    *ret_stream = stream;
    return 0;
}

/* The index (roll-over counter and sequence number) that is nearest to the highest one seen (RFC
 * 3711, 3.3.1). Before the first roll-over there is nothing to go back to: a number from far behind
 * is then one from far ahead. */
static uint64_t estimate_index(const struct stream *stream, uint16_t sequence)
{
    uint64_t highest, roc;
    int32_t ahead;

    if (!stream || stream->rtp.end == 0)
        return sequence;
    highest = stream->rtp.end - 1;
    roc = highest >> 16;
    ahead = (int32_t)sequence - (int32_t)(highest & 0xffff);
    if (ahead > 0x8000 && roc > 0)
        roc--;
    else if (ahead < -0x8000)
        roc++;
    return roc << 16 | sequence;
}

static int count_error(struct ln_srtp *s, int error)
{
    s->counters.malformed += error == LN_ERR_MALFORMED;
    s->counters.bad_integrity += error == LN_ERR_INTEGRITY;
    s->counters.replayed += error == LN_ERR_REPLAY;
    return error;
}

/* ---- RTP ---- */

int ln_srtp_protect_rtp(struct ln_srtp *s, uint32_t ssrc, uint16_t sequence, struct ln_bytes header,
                        struct ln_bytes payload, uint8_t *out, size_t cap)
{
    struct stream *stream = find_stream(s, ssrc);
    size_t tag_len = s->suite->tag_len;
    uint64_t index;
    int error;

    assert(s->outbound);
    if (cap < tag_len || header.len > cap - tag_len || payload.len > cap - tag_len - header.len)
        return LN_ERR_NO_SPACE;
    if (!stream && (error = add_stream(s, ssrc, &stream)))
        return error;
    index = estimate_index(stream, sequence);
    if (index >= INDEX_END)
        return LN_ERR_LIMIT;
    if (!ln_replay_is_new(&stream->rtp, index))
        return count_error(s, LN_ERR_REPLAY);
    if (out != header.data)
        memcpy(out, header.data, header.len);
    ln_srtp_seal_rtp(&s->rtp, ssrc, index, header.len, payload, out);
    ln_replay_mark(&stream->rtp, index);
    use_stream(s, stream);
    s->counters.protected_packets++;
    return (int)(header.len + payload.len + tag_len);
}

int ln_srtp_unprotect_rtp(struct ln_srtp *s, uint32_t ssrc, uint16_t sequence, size_t header_len,
                          const uint8_t *in, size_t len, uint8_t *out, size_t cap)
{
    struct stream *stream = find_stream(s, ssrc);
    size_t tag_len = s->suite->tag_len;
    uint64_t index;
    int error;

    assert(!s->outbound);
    if (len < tag_len || header_len > len - tag_len)
        return count_error(s, LN_ERR_MALFORMED);
    if (len - tag_len > cap)
        return LN_ERR_NO_SPACE;
    index = estimate_index(stream, sequence);
    if (index >= INDEX_END || (stream && !ln_replay_is_new(&stream->rtp, index)))
        return count_error(s, LN_ERR_REPLAY);
    if (!ln_srtp_open_rtp(&s->rtp, ssrc, index, header_len, in, len, out))
        return count_error(s, LN_ERR_INTEGRITY);
    if (!stream && (error = add_stream(s, ssrc, &stream)))
        return error;
    if (out != in)
        memcpy(out, in, header_len);
    ln_replay_mark(&stream->rtp, index);
    use_stream(s, stream);
    s->counters.unprotected_packets++;
    return (int)(len - tag_len);
}

/* ---- RTCP ---- */

int ln_srtp_protect_rtcp(struct ln_srtp *s, const uint8_t *in, size_t len, uint8_t *out, size_t cap)
{
    size_t overhead = ln_srtp_rtcp_overhead(s);
    struct stream *stream;
    uint32_t ssrc;
    int error;

    assert(s->outbound);
    if (len < LN_SRTCP_CLEAR_LEN)
        return LN_ERR_MALFORMED;
    if (cap < overhead || len > cap - overhead)
        return LN_ERR_NO_SPACE;
    ssrc = ln_load32(in + 4);
    stream = find_stream(s, ssrc);
    if (!stream && (error = add_stream(s, ssrc, &stream)))
        return error;
    if (stream->rtcp.end >= RTCP_INDEX_END)
        return LN_ERR_LIMIT;
    ln_srtp_seal_rtcp(&s->rtcp, ssrc, (uint32_t)stream->rtcp.end, in, len, out);
    ln_replay_mark(&stream->rtcp, stream->rtcp.end);
    use_stream(s, stream);
    s->counters.protected_packets++;
    return (int)(len + overhead);
}

int ln_srtp_unprotect_rtcp(struct ln_srtp *s, const uint8_t *in, size_t len, uint8_t *out,
                           size_t cap)
{
    size_t overhead = ln_srtp_rtcp_overhead(s), plain_len;
    struct stream *stream;
    uint32_t ssrc, word, index;
    int error;

    assert(!s->outbound);
    if (len < LN_SRTCP_CLEAR_LEN + overhead)
        return count_error(s, LN_ERR_MALFORMED);
    plain_len = len - overhead;
    if (plain_len > cap)
        return LN_ERR_NO_SPACE;
    ssrc = ln_load32(in + 4);
    word = ln_load32(s->suite->gcm ? in + len - LN_SRTCP_WORD_LEN : in + plain_len);
    index = word & ~LN_SRTCP_E;
    if (!(word & LN_SRTCP_E))
        return count_error(s, LN_ERR_MALFORMED);
    stream = find_stream(s, ssrc);
    if (stream && !ln_replay_is_new(&stream->rtcp, index))
        return count_error(s, LN_ERR_REPLAY);
    if (!ln_srtp_open_rtcp(&s->rtcp, ssrc, word, in, plain_len, out))
        return count_error(s, LN_ERR_INTEGRITY);
    if (!stream && (error = add_stream(s, ssrc, &stream)))
        return error;
    if (out != in)
        memcpy(out, in, LN_SRTCP_CLEAR_LEN);
    ln_replay_mark(&stream->rtcp, index);
    use_stream(s, stream);
    s->counters.unprotected_packets++;
    return (int)plain_len;
}
