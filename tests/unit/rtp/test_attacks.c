/* SPDX-License-Identifier: Apache-2.0
 * A hostile or broken peer against a session, and the laws that every protocol object keeps. The
 * numbers are those of the list of attacks. */
#include "base/time.h"
#include "rtp/rtcp.h"
#include "rtp/session_state.h"
#include "tests/unit/rtp/link.h"

/* One session with a sender (SSRC 1, RTX 2) and receivers of mids "v" and "a". */
struct victim {
    struct ln_rtp_session *session;
    struct ln_rtp_outbound *video;
    struct ln_rtp_inbound *in_video, *in_audio;
    ln_time now;
};

static bool add_receiver(struct victim *v, enum ln_media_kind kind, const char *mid,
                         struct ln_rtp_inbound **ret)
{
    struct ln_rtp_inbound_config in;

    memset(&in, 0, sizeof in);
    in.kind = kind;
    strcpy(in.mid, mid);
    in.codecs[0] = kind == LN_MEDIA_VIDEO ? link_vp8() : link_opus();
    in.codec_count = 1;
    link_extensions(&in.extensions);
    in.active = true;
    return ln_rtp_session_add_inbound(v->session, &in, ret) == 0;
}

static bool victim_init(struct victim *v)
{
    struct ln_rtp_session_config config = { 1150, LN_SECONDS(1700000000), true, 0 };
    struct ln_rtp_outbound_config out;

    memset(v, 0, sizeof *v);
    v->now = LN_SECONDS(100);
    if (ln_rtp_session_create(&v->session, &config, test_env()) != 0)
        return false;
    memset(&out, 0, sizeof out);
    out.kind = LN_MEDIA_VIDEO;
    strcpy(out.mid, "v");
    out.cname = "victim";
    out.codecs[0] = link_vp8();
    out.codec_count = 1;
    out.encodings[0].ssrc = 1;
    out.encodings[0].rtx_ssrc = 2;
    out.encoding_count = 1;
    out.active = true;
    link_extensions(&out.extensions);
    if (ln_rtp_session_add_outbound(v->session, &out, &v->video) == 0 &&
        add_receiver(v, LN_MEDIA_VIDEO, "v", &v->in_video) &&
        add_receiver(v, LN_MEDIA_AUDIO, "a", &v->in_audio))
        return true;
    ln_rtp_session_free(v->session);
    return false;
}

static size_t drain(struct victim *v, size_t *ret_bytes)
{
    uint8_t data[1300];
    struct ln_rtp_out out = { .data = data, .cap = sizeof data };
    size_t n = 0;

    while (ln_rtp_session_poll_packet(v->session, v->now, &out) == 1) {
        CHECK(out.len <= 1150);
        if (ret_bytes && !out.rtcp)
            *ret_bytes += out.len;
        n += !out.rtcp;
    }
    return n;
}

static void send_picture(struct victim *v, uint32_t number, size_t len)
{
    struct ln_frame *frame = link_video_frame(number, true, len, v->now);
    int error = ln_rtp_session_send_frame(v->session, v->video, v->now, frame);

    ln_frame_unref(frame);
    CHECK_EQUAL(error, 0);
}

/* A packet with a MID (or none) and 0x78 bytes for payload. */
static int receive(struct victim *v, uint8_t type, uint16_t sequence, uint32_t ssrc,
                   const char *mid)
{
    struct ln_rtp_extension_writer w;
    struct ln_rtp_header h = { .payload_type = type, .sequence = sequence, .ssrc = ssrc };
    uint8_t data[128];
    int len;

    ln_rtp_extension_writer_init(&w, false);
    if (mid)
        CHECK(ln_rtp_extension_writer_add(&w, 1, mid, strlen(mid)));
    len = ln_rtp_header_write(&h, &w, data, sizeof data);
    CHECK(len > 0);
    memset(data + len, 0x78, 20);
    return ln_rtp_session_receive_rtp(v->session, v->now, data, (size_t)len + 20, NULL);
}

LN_TEST(session, attack_45_padding_alone_takes_its_number_and_nothing_else)
{
    static const uint8_t padded[] = { 0xa0, 96, 0, 7, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 3 };
    static const uint8_t padded_rtx[] = { 0xa0, 97, 0, 7, 0, 0, 0, 0, 0, 0, 0, 78, 0, 0, 3 };
    static const uint8_t short_rtx[] = { 0x80, 97, 0, 8, 0, 0, 0, 0, 0, 0, 0, 78, 5 };
    struct ln_rtp_inbound_stats stats;
    struct ln_frame *frame;
    struct victim v;

    if (!victim_init(&v))
        return;
    (void)ln_rtp_session_receive_rtp(v.session, v.now, padded, sizeof padded, NULL);
    (void)ln_rtp_session_receive_rtp(v.session, v.now, padded_rtx, sizeof padded_rtx, NULL);
    (void)ln_rtp_session_receive_rtp(v.session, v.now, short_rtx, sizeof short_rtx, NULL);
    ln_rtp_inbound_get_stats(v.in_video, v.now, &stats);
    CHECK(stats.frames_received == 0 && stats.packets_received <= 3);
    CHECK_EQUAL(ln_rtp_session_poll_frame(v.session, v.in_video, v.now + LN_SECONDS(1), &frame), 0);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_48_a_hundred_thousand_ssrcs_stay_within_the_table)
{
    struct ln_rtp_session_stats stats;
    struct victim v;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    for (uint32_t i = 0; i < 100000; i++) {
        (void)receive(&v, 111, 1, 1000 + i, i % 2 ? "a" : NULL);
        v.now += LN_MICROSECONDS(10);
    }
    CHECK(v.in_audio->stream_count <= LN_RTP_INBOUND_SSRCS_MAX);
    CHECK(v.session->routes.count <= LN_RTP_STREAMS_MAX);
    ln_rtp_session_get_stats(v.session, &stats);
    CHECK(stats.packets_over_limit > 90000);
    CHECK(test_allocator()->live_bytes < 1000000);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_48_no_mid_or_type_takes_a_running_stream_away)
{
    struct victim v;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    CHECK_EQUAL(receive(&v, 111, 1, 500, "a"), 0);
    CHECK_EQUAL(v.in_audio->stream_count, 1);
    /* the stream of "a" under the name of "v": stays where it is, or is dropped */
    (void)receive(&v, 111, 2, 500, "v");
    (void)receive(&v, 96, 3, 500, "v");
    CHECK(v.in_audio->stream_count == 1 && v.in_video->stream_count == 0);
    CHECK(v.in_audio->streams[0]->ssrc == 500);
    /* a MID that nobody has, a type that nobody has, our own SSRC */
    CHECK_EQUAL(receive(&v, 111, 1, 501, "x"), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(receive(&v, 100, 1, 502, NULL), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(receive(&v, 111, 1, 1, "a"), LN_ERR_NOT_FOUND);
    /* by type alone, then the MID corrects it */
    CHECK_EQUAL(receive(&v, 111, 1, 600, NULL), 0);
    CHECK_EQUAL(v.in_audio->stream_count, 2);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_50_a_nack_for_all_numbers_costs_a_bounded_number_of_packets)
{
    uint8_t data[1200];
    struct ln_writer w;
    struct victim v;
    size_t sent;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    for (uint32_t i = 0; i < 20; i++)
        send_picture(&v, i, 5000);
    sent = drain(&v, NULL);
    CHECK(sent >= 100);
    for (int round = 0; round < 20; round++) { /* all 65 536 numbers, at once */
        for (uint32_t from = 0; from < 65536;) {
            ln_writer_init(&w, data, sizeof data);
            ln_write32(&w, 0x81cd0000u | (2 + 256));
            ln_write32(&w, 99);
            ln_write32(&w, 1);
            for (int i = 0; i < 256; i++, from += 17) {
                ln_write16(&w, (uint16_t)from);
                ln_write16(&w, 0xffff);
            }
            (void)ln_rtp_session_receive_rtcp(v.session, v.now, data, w.len);
        }
    }
    CHECK(drain(&v, NULL) <= sent);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_51_a_nack_flood_stays_within_the_budget)
{
    uint8_t data[64];
    size_t first = 0, again = 0;
    struct ln_rtp_outbound_stats stats;
    struct ln_rtp_session_stats totals;
    struct ln_writer w;
    struct victim v;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    for (uint32_t i = 0; i < 300; i++) { /* 10 s: 30 pictures and 1 000 NACKs a second */
        send_picture(&v, i, 4000);
        (void)drain(&v, &first);
        for (int j = 0; j < 33; j++) {
            uint16_t newest = v.video->streams[0].history.newest;
            uint16_t asked[4] = { (uint16_t)(newest - 3), (uint16_t)(newest - 2),
                                  (uint16_t)(newest - 1), newest };

            ln_writer_init(&w, data, sizeof data);
            CHECK_EQUAL(ln_rtcp_write_nack(&w, 99, 1, asked, 4), 4);
            (void)ln_rtp_session_receive_rtcp(v.session, v.now, data, w.len);
            (void)drain(&v, &again);
            v.now += LN_MILLISECONDS(1);
        }
    }
    CHECK(again < first * 6 / 10 + 40000 + 10 * 8000);
    CHECK(ln_rtp_outbound_get_stats(v.video, 0, &stats));
    CHECK(stats.nack_count == 9900 && stats.retransmitted_packets_sent > 10);
    ln_rtp_session_get_stats(v.session, &totals);
    CHECK(totals.retransmissions_refused > 1000);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_51_a_pli_and_fir_flood_asks_for_few_key_frames)
{
    uint8_t data[64];
    struct ln_rtp_event event;
    struct ln_writer w;
    struct victim v;
    int asked = 0;

    if (!victim_init(&v))
        return;
    for (int i = 0; i < 3000; i++) { /* 3 s */
        ln_writer_init(&w, data, sizeof data);
        CHECK(ln_rtcp_write_pli(&w, 99, 1));
        CHECK(ln_rtcp_write_fir(&w, 99, 1, (uint8_t)i));
        (void)ln_rtp_session_receive_rtcp(v.session, v.now, data, w.len);
        ln_rtp_session_on_timeout(v.session, v.now);
        while (ln_rtp_session_poll_event(v.session, &event))
            asked += event.kind == LN_RTP_EVENT_KEY_FRAME_REQUESTED;
        v.now += LN_MILLISECONDS(1);
    }
    CHECK(asked >= 9 && asked <= 11);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, attack_51_feedback_about_foreign_ssrcs_does_nothing)
{
    uint8_t data[256];
    uint16_t asked = 5;
    uint32_t foreign = 4711;
    struct ln_rtcp_report report = { .ssrc = 99, .block_count = 1 };
    struct ln_rtp_session_stats stats;
    struct ln_rtp_feedback feedback;
    struct ln_rtp_event event;
    struct ln_writer w;
    struct victim v;

    if (!victim_init(&v))
        return;
    report.blocks[0] = (struct ln_rtcp_block){ foreign, 255, 5, 6, 7, 8, 9 };
    ln_writer_init(&w, data, sizeof data);
    CHECK(ln_rtcp_write_report(&w, &report));
    CHECK(ln_rtcp_write_pli(&w, 99, foreign));
    CHECK(ln_rtcp_write_fir(&w, 99, foreign, 1));
    CHECK_EQUAL(ln_rtcp_write_nack(&w, 99, foreign, &asked, 1), 1);
    CHECK(ln_rtcp_write_remb(&w, 99, 5000, &foreign, 1));
    CHECK(ln_rtcp_write_bye(&w, &foreign, 1, NULL));
    CHECK_EQUAL(ln_rtp_session_receive_rtcp(v.session, v.now, data, w.len), 0);
    CHECK(!ln_rtp_session_poll_event(v.session, &event));
    CHECK(!ln_rtp_session_poll_feedback(v.session, &feedback));
    ln_rtp_session_get_stats(v.session, &stats);
    CHECK_EQUAL(stats.rtcp_foreign, 6);
    ln_rtp_session_free(v.session);
}

/* ---- laws ---- */

LN_TEST(session, polls_and_getters_on_an_idle_session_change_nothing)
{
    uint8_t data[1300];
    struct ln_rtp_out out = { .data = data, .cap = sizeof data };
    struct ln_rtp_session before;
    struct ln_rtp_session_stats stats;
    struct ln_rtp_inbound_stats in;
    struct ln_rtp_event event;
    struct ln_rtp_head head;
    struct ln_frame *frame = (struct ln_frame *)1;
    struct victim v;

    if (!victim_init(&v))
        return;
    before = *v.session;
    CHECK(ln_rtp_session_next_timeout(v.session) == LN_TIME_NEVER);
    CHECK(!ln_rtp_session_peek(v.session, &head));
    CHECK_EQUAL(ln_rtp_session_poll_packet(v.session, v.now, &out), 0);
    CHECK(!ln_rtp_session_poll_event(v.session, &event));
    CHECK_EQUAL(ln_rtp_session_poll_frame(v.session, v.in_video, v.now, &frame), 0);
    CHECK(frame == (struct ln_frame *)1);
    ln_rtp_session_on_timeout(v.session, v.now);
    ln_rtp_session_get_stats(v.session, &stats);
    ln_rtp_inbound_get_stats(v.in_audio, v.now, &in);
    CHECK_BYTES(&before, v.session, sizeof before);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, a_timeout_that_comes_late_catches_up)
{
    struct victim v;

    if (!victim_init(&v))
        return;
    (void)receive(&v, 111, 1, 500, "a");
    v.now += LN_SECONDS(3600);
    ln_rtp_session_on_timeout(v.session, v.now);
    CHECK(ln_rtp_session_next_timeout(v.session) > v.now);
    (void)drain(&v, NULL);
    CHECK(ln_rtp_session_next_timeout(v.session) > v.now);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, a_full_queue_drops_whole_frames_until_a_key_frame)
{
    struct ln_rtp_outbound_stats stats;
    struct ln_frame *frame;
    struct victim v;
    uint32_t i;
    int error = 0;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    for (i = 0; error == 0; i++) {
        frame = link_video_frame(i, i == 0, 50000, v.now);
        error = ln_rtp_session_send_frame(v.session, v.video, v.now, frame);
        ln_frame_unref(frame);
    }
    CHECK_EQUAL(error, LN_ERR_LIMIT);
    CHECK(drain(&v, NULL) <= LN_RTP_QUEUE_MAX);
    frame = link_video_frame(i, false, 100, v.now);
    CHECK_EQUAL(ln_rtp_session_send_frame(v.session, v.video, v.now, frame), LN_ERR_LIMIT);
    ln_frame_unref(frame);
    send_picture(&v, i + 1, 100);
    CHECK(ln_rtp_outbound_get_stats(v.video, 0, &stats));
    CHECK_EQUAL(stats.frames_dropped, 2);
    ln_rtp_session_free(v.session);
}

LN_TEST(session, a_sender_that_is_removed_says_bye_and_leaves_nothing_queued)
{
    struct ln_rtcp_iterator it;
    struct ln_rtcp_packet p;
    uint8_t data[1300];
    struct ln_rtp_out out = { .data = data, .cap = sizeof data };
    struct victim v;
    bool bye = false;

    LINK_NOT_IN_SWEEP();
    CHECK(victim_init(&v));
    send_picture(&v, 1, 5000);
    (void)drain(&v, NULL);
    send_picture(&v, 2, 5000);
    ln_rtp_session_remove_outbound(v.session, v.video);
    CHECK_EQUAL(ln_rtp_session_queued_bytes(v.session), 0);
    CHECK_EQUAL(ln_rtp_session_poll_packet(v.session, v.now, &out), 1);
    CHECK(out.rtcp);
    ln_rtcp_begin(&it, data, out.len);
    while (ln_rtcp_next(&it, &p))
        bye |= p.type == LN_RTCP_BYE;
    CHECK(bye && it.ok);
    CHECK_EQUAL(ln_rtp_session_poll_packet(v.session, v.now, &out), 0);
    ln_rtp_session_free(v.session);
}

/* Short enough for the out-of-memory sweep: sending, loss, repair, frames. */
LN_TEST(session, a_short_call_survives_any_allocation_that_fails)
{
    struct ln_rtp_outbound *out;
    struct ln_rtp_inbound *in;
    static struct link link;
    struct ln_frame *frame;

    link_init(&link, 5);
    link_connect(&link, 0, LN_MEDIA_VIDEO, "v", &out, &in);
    link.end[0].out.drop_every = 3;
    for (uint32_t i = 0; i < 6; i++) {
        frame = ln_frame_create(test_env()->allocator, 2500);
        if (frame) {
            memset(ln_frame_data(frame), 0x10, 2500);
            frame->kind = LN_MEDIA_VIDEO;
            frame->codec = LN_CODEC_VP8;
            frame->clock_rate_hz = 90000;
            frame->rtp_timestamp = i * 3000;
            frame->key = true;
            (void)!ln_rtp_session_send_frame(link.end[0].session, out, link.now, frame);
            ln_frame_unref(frame);
        }
        link_run(&link, link.now + LN_MILLISECONDS(60));
        while (ln_rtp_session_poll_frame(link.end[1].session, in, link.now, &frame) == 1)
            ln_frame_unref(frame);
    }
    link_deinit(&link);
}
