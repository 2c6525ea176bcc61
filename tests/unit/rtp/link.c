/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rtp/link.h"

#include "base/bytes.h"
#include "base/time.h"

#include <stdlib.h>

void link_init(struct link *link, uint64_t seed)
{
    memset(link, 0, sizeof *link);
    ln_rng_seed(&link->rng, seed);
    ln_rng_seed(test_env()->rng, seed + 1);
    link->now = LN_SECONDS(1000);
    for (int i = 0; i < 2; i++) {
        struct ln_rtp_session_config config = { 1150, LN_SECONDS(1700000000), true, 0 };

        link->end[i].out.delay = LN_MILLISECONDS(20);
        link->end[i].out.blackout_until = LN_TIME_IMMEDIATE;
        link->end[i].out.packets = ln_alloc(test_env()->allocator,
                                            LINK_PACKETS_MAX * sizeof(struct link_packet));
        CHECK(link->end[i].out.packets);
        CHECK_EQUAL(ln_rtp_session_create(&link->end[i].session, &config, test_env()), 0);
    }
}

void link_deinit(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        ln_rtp_session_free(link->end[i].session);
        ln_free(test_env()->allocator, link->end[i].out.packets);
    }
}

static void push(struct link *link, struct link_way *way, const struct ln_rtp_out *out)
{
    ln_time at = link->now;
    struct link_packet *p;

    way->sent++;
    if (link->now < way->blackout_until || ln_rng_unit(&link->rng) < way->loss ||
        (way->drop_every && !out->rtcp && way->sent % way->drop_every == 0) ||
        way->count == LINK_PACKETS_MAX) {
        way->lost++;
        return;
    }
    if (way->rate_bps) {
        way->busy_until = ln_time_max(way->busy_until, at) +
                          (ln_duration)((uint64_t)out->len * 8 * 1000000000u / way->rate_bps);
        at = way->busy_until;
    }
    at += way->delay;
    if (way->jitter)
        at += (ln_duration)(ln_rng_unit(&link->rng) * (double)way->jitter);
    if (!way->reorder)
        at = ln_time_max(at, way->last_at);
    way->last_at = at;
    p = &way->packets[way->count++];
    p->at = at;
    p->len = out->len;
    p->rtcp = out->rtcp;
    memcpy(p->data, out->data, out->len);
    if (ln_rng_unit(&link->rng) < way->duplicate && way->count < LINK_PACKETS_MAX) {
        way->packets[way->count] = *p;
        way->packets[way->count++].at += LN_MILLISECONDS(3);
    }
}

static void drain(struct link *link, int i)
{
    struct link_end *end = &link->end[i];
    uint8_t data[1300];
    struct ln_rtp_out out = { .data = data, .cap = sizeof data };

    while (ln_rtp_session_poll_packet(end->session, link->now, &out) == 1) {
        link->hash = (link->hash ^ ln_crc32((uint32_t)link->hash, data, out.len)) * 1099511628211u;
        push(link, &end->out, &out);
    }
}

static void deliver(struct link *link, int to)
{
    struct link_way *way = &link->end[!to].out;
    struct ln_rtp_session *session = link->end[to].session;

    for (size_t i = 0; i < way->count;) {
        struct link_packet p;

        if (way->packets[i].at > link->now) {
            i++;
            continue;
        }
        p = way->packets[i];
        way->count--;
        memmove(way->packets + i, way->packets + i + 1, (way->count - i) * sizeof p);
        if (p.rtcp)
            (void)ln_rtp_session_receive_rtcp(session, link->now, p.data, p.len);
        else
            (void)ln_rtp_session_receive_rtp(session, link->now, p.data, p.len, NULL);
    }
}

static ln_time next_moment(struct link *link, ln_time until)
{
    ln_time next = until;

    for (int i = 0; i < 2; i++) {
        next = ln_time_min(next, ln_rtp_session_next_timeout(link->end[i].session));
        for (size_t j = 0; j < link->end[i].out.count; j++)
            next = ln_time_min(next, link->end[i].out.packets[j].at);
    }
    return ln_time_max(next, link->now);
}

static void step(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        deliver(link, i);
        ln_rtp_session_on_timeout(link->end[i].session, link->now);
        CHECK(ln_rtp_session_next_timeout(link->end[i].session) > link->now);
        if (link->on_poll)
            link->on_poll(link, i);
    }
    for (int i = 0; i < 2; i++)
        drain(link, i);
}

void link_run(struct link *link, ln_time until)
{
    step(link);
    while (link->now < until) {
        link->now = next_moment(link, until);
        step(link);
    }
}

void link_extensions(struct ln_rtp_extension_map *map)
{
    memset(map, 0, sizeof *map);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_MID, 1), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_TRANSPORT_SEQUENCE, 2), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_ABS_SEND_TIME, 3), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_AUDIO_LEVEL, 4), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_ORIENTATION, 5), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_RID, 6), 0);
    CHECK_EQUAL(ln_rtp_extension_map_set(map, LN_RTP_EXTENSION_REPAIRED_RID, 7), 0);
}

struct ln_rtp_codec link_vp8(void)
{
    return (struct ln_rtp_codec){ .codec = LN_CODEC_VP8,
                                  .payload_type = 96,
                                  .clock_rate_hz = 90000,
                                  .rtx_payload_type = 97,
                                  .nack = true,
                                  .pli = true,
                                  .fir = true,
                                  .transport_cc = true };
}

struct ln_rtp_codec link_opus(void)
{
    return (struct ln_rtp_codec){ .codec = LN_CODEC_OPUS,
                                  .payload_type = 111,
                                  .clock_rate_hz = 48000,
                                  .channels = 2,
                                  .rtx_payload_type = -1,
                                  .transport_cc = true };
}

void link_connect(struct link *link, int from, enum ln_media_kind kind, const char *mid,
                  struct ln_rtp_outbound **ret_out, struct ln_rtp_inbound **ret_in)
{
    struct ln_rtp_outbound_config out;
    struct ln_rtp_inbound_config in;

    memset(&out, 0, sizeof out);
    memset(&in, 0, sizeof in);
    out.kind = in.kind = kind;
    strcpy(out.mid, mid);
    strcpy(in.mid, mid);
    out.cname = "cname";
    out.codecs[0] = in.codecs[0] = kind == LN_MEDIA_VIDEO ? link_vp8() : link_opus();
    out.codec_count = in.codec_count = 1;
    out.encodings[0].ssrc = ln_rtp_session_new_ssrc(link->end[from].session);
    out.encodings[0].rtx_ssrc = kind == LN_MEDIA_VIDEO
                                    ? ln_rtp_session_new_ssrc(link->end[from].session)
                                    : 0;
    out.encoding_count = 1;
    link_extensions(&out.extensions);
    link_extensions(&in.extensions);
    out.active = in.active = true;
    in.sync_group = 1;
    CHECK_EQUAL(ln_rtp_session_add_outbound(link->end[from].session, &out, ret_out), 0);
    CHECK_EQUAL(ln_rtp_session_add_inbound(link->end[!from].session, &in, ret_in), 0);
}

struct ln_frame *link_video_frame(uint32_t number, bool key, size_t len, ln_time now)
{
    struct ln_frame *frame = ln_frame_create(test_env()->allocator, len);
    uint8_t *data;

    CHECK(frame && len >= 16);
    data = ln_frame_data(frame);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number + i);
    data[0] = key ? 0x10 : 0x11;
    data[3] = 0x9d;
    data[4] = 0x01;
    data[5] = 0x2a;
    data[6] = 0x80; /* 640 */
    data[7] = 0x02;
    data[8] = 0xe0; /* 480 */
    data[9] = 0x01;
    ln_store32(data + 10, number);
    frame->kind = LN_MEDIA_VIDEO;
    frame->codec = LN_CODEC_VP8;
    frame->rtp_timestamp = number * 3000;
    frame->clock_rate_hz = 90000;
    frame->capture_time = now;
    frame->key = key;
    return frame;
}

/* 20 ms of Opus by its first byte. */
struct ln_frame *link_audio_frame(uint32_t number, ln_time now)
{
    struct ln_frame *frame = ln_frame_create(test_env()->allocator, 60);
    uint8_t *data;

    CHECK(frame);
    data = ln_frame_data(frame);
    memset(data, 7, 60);
    data[0] = 0x78; /* hybrid, 20 ms, one frame */
    ln_store32(data + 10, number);
    frame->kind = LN_MEDIA_AUDIO;
    frame->codec = LN_CODEC_OPUS;
    frame->rtp_timestamp = number * 960;
    frame->clock_rate_hz = 48000;
    frame->capture_time = now;
    frame->duration = LN_MILLISECONDS(20);
    frame->audio_level_dbov = -30;
    return frame;
}

uint32_t link_frame_number(const struct ln_frame *frame)
{
    CHECK(frame->len >= 14);
    return ln_load32(frame->data + 10);
}
