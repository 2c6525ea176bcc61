/* SPDX-License-Identifier: Apache-2.0
 * Two sessions over a virtual link: frames arrive whole, in order, in spite of what the link does.
 */
#include "tests/unit/rtp/link.h"

#include "base/time.h"

/* A call: 30 pictures and 50 pieces of sound a second one way, counted at the other end. */
struct call {
    struct link link;
    struct ln_rtp_outbound *video_out, *audio_out;
    struct ln_rtp_inbound *video_in, *audio_in;
    uint32_t video_sent, audio_sent;
    ln_time next_video, next_audio;
    bool want_key;
    size_t picture; /* bytes */
    uint32_t video_got, audio_got, audio_lost, keys_got;
    int64_t last_video, last_audio;
    bool out_of_order, damaged;
    uint32_t key_requests, streams;
    ln_time last_frame_at, longest_gap;
    uint64_t results_arrived, results_lost;
    ln_duration rtt;
    ln_duration audio_skew_max; /* between play times of picture and sound of one capture */
};

static void take_video(struct call *c)
{
    struct ln_frame *frame;

    while (ln_rtp_session_poll_frame(c->link.end[1].session, c->video_in, c->link.now, &frame)) {
        uint32_t number = link_frame_number(frame);

        c->video_got++;
        c->keys_got += frame->key;
        if ((int64_t)number <= c->last_video)
            c->out_of_order = true;
        for (size_t i = 14; i < frame->len; i++)
            c->damaged |= frame->data[i] != (uint8_t)(number + i);
        if (c->last_frame_at)
            c->longest_gap = ln_time_max(c->longest_gap, c->link.now - c->last_frame_at);
        c->last_frame_at = c->link.now;
        c->last_video = number;
        ln_frame_unref(frame);
    }
}

static void take_audio(struct call *c)
{
    struct ln_frame *frame;

    while (ln_rtp_session_poll_frame(c->link.end[1].session, c->audio_in, c->link.now, &frame)) {
        if (frame->lost) {
            c->audio_lost++;
        } else {
            uint32_t number = link_frame_number(frame);

            c->audio_got++;
            if ((int64_t)number <= c->last_audio)
                c->out_of_order = true;
            c->last_audio = number;
        }
        ln_frame_unref(frame);
    }
}

static void take_events(struct call *c, int end)
{
    struct ln_rtp_feedback feedback;
    struct ln_rtp_event event;

    while (ln_rtp_session_poll_event(c->link.end[end].session, &event)) {
        if (event.kind == LN_RTP_EVENT_KEY_FRAME_REQUESTED) {
            c->want_key = true;
            c->key_requests++;
        }
        c->streams += event.kind == LN_RTP_EVENT_STREAM;
    }
    while (ln_rtp_session_poll_feedback(c->link.end[end].session, &feedback)) {
        if (feedback.kind == LN_RTP_FEEDBACK_RTT)
            c->rtt = feedback.rtt;
        for (size_t i = 0; i < feedback.count; i++) {
            c->results_arrived += feedback.results[i].arrival_time != LN_TIME_NEVER;
            c->results_lost += feedback.results[i].arrival_time == LN_TIME_NEVER;
        }
    }
}

static void on_poll(struct link *link, int end)
{
    struct call *c = link->user;

    take_events(c, end);
    if (end == 1) {
        take_video(c);
        take_audio(c);
    }
}

static void call_init(struct call *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    link_init(&c->link, seed);
    c->link.on_poll = on_poll;
    c->link.user = c;
    link_connect(&c->link, 0, LN_MEDIA_VIDEO, "v", &c->video_out, &c->video_in);
    link_connect(&c->link, 0, LN_MEDIA_AUDIO, "a", &c->audio_out, &c->audio_in);
    c->next_video = c->next_audio = c->link.now;
    c->last_video = c->last_audio = -1;
    c->want_key = true;
    c->picture = 4000;
}

static void send_video(struct call *c)
{
    struct ln_frame *frame = link_video_frame(
        c->video_sent, c->want_key, c->want_key ? 3 * c->picture : c->picture, c->link.now);

    c->want_key = ln_rtp_session_send_frame(c->link.end[0].session, c->video_out, c->link.now,
                                            frame) != 0;
    ln_frame_unref(frame);
    c->video_sent++;
    c->next_video += LN_SECONDS(1) / 30;
}

static void call_run(struct call *c, ln_duration time)
{
    ln_time until = c->link.now + time;

    while (c->link.now < until) {
        if (c->next_video <= c->link.now)
            send_video(c);
        if (c->next_audio <= c->link.now) {
            struct ln_frame *frame = link_audio_frame(c->audio_sent++, c->link.now);
            int error = ln_rtp_session_send_frame(c->link.end[0].session, c->audio_out, c->link.now,
                                                  frame);

            ln_frame_unref(frame);
            CHECK_EQUAL(error, 0);
            c->next_audio += LN_MILLISECONDS(20);
        }
        link_run(&c->link, ln_time_min(until, ln_time_min(c->next_video, c->next_audio)));
    }
}

static void call_deinit(struct call *c)
{
    link_deinit(&c->link);
}

LN_TEST(session, carries_every_frame_over_a_clean_link)
{
    struct ln_rtp_outbound_stats sent;
    struct ln_rtp_inbound_stats got;
    struct call c;

    LINK_NOT_IN_SWEEP();
    call_init(&c, 1);
    call_run(&c, LN_SECONDS(5));
    ln_rtp_inbound_get_stats(c.video_in, c.link.now, &got);
    CHECK(ln_rtp_outbound_get_stats(c.video_out, 0, &sent));
    CHECK(c.video_got + 3 >= c.video_sent);
    CHECK(c.audio_got + 5 >= c.audio_sent);
    CHECK_EQUAL(c.audio_lost, 0);
    CHECK_EQUAL(c.keys_got, 1);
    CHECK(!c.out_of_order && !c.damaged);
    CHECK_EQUAL(got.packets_lost, 0);
    CHECK_EQUAL(got.nack_count + got.pli_count, 0);
    CHECK_EQUAL(c.streams, 2);
    CHECK_EQUAL(sent.retransmitted_packets_sent, 0);
    CHECK(sent.has_remote && got.has_remote);
    CHECK_TEXT(got.cname, "cname");
    CHECK(c.rtt > LN_MILLISECONDS(39) && c.rtt < LN_MILLISECONDS(42));
    CHECK(c.results_arrived > 800 && c.results_lost == 0);
    call_deinit(&c);
}

LN_TEST(session, repairs_loss_with_rtx_and_decodes_nearly_all)
{
    struct ln_rtp_outbound_stats sent;
    struct ln_rtp_inbound_stats got;
    struct call c;

    LINK_NOT_IN_SWEEP();
    for (uint64_t seed = 1; seed <= 4; seed++) {
        call_init(&c, seed);
        c.link.end[0].out.loss = 0.05;
        c.link.end[1].out.loss = 0.05;
        call_run(&c, LN_SECONDS(8));
        ln_rtp_inbound_get_stats(c.video_in, c.link.now, &got);
        CHECK(ln_rtp_outbound_get_stats(c.video_out, 0, &sent));
        CHECK(!c.out_of_order && !c.damaged);
        CHECK(c.video_got > c.video_sent * 95 / 100);
        CHECK(c.audio_got > c.audio_sent * 90 / 100);
        CHECK(c.audio_got + c.audio_lost + 10 > c.audio_sent);
        CHECK(got.nack_count > 10 && got.retransmitted_packets_received > 10);
        CHECK(sent.retransmitted_packets_sent >= got.retransmitted_packets_received);
        CHECK(got.packets_lost > 0 && sent.remote_packets_lost > 0);
        CHECK(c.results_lost > 0);
        CHECK(c.longest_gap < LN_MILLISECONDS(500));
        call_deinit(&c);
    }
}

/* Senders probe the path with padding, and with repeats of what arrived; to them all of it is sent.
 */
LN_TEST(session, counts_every_packet_of_the_rtx_stream_as_received)
{
    /* VP8 of SSRC 77, then on its RTX stream that packet again, and padding alone */
    static const uint8_t media[] = { 0x80, 96, 0, 7, 0, 0, 0, 0, 0, 0, 0, 77, 0x10, 1, 2, 3 };
    static const uint8_t repeat[] = {
        0x80, 97, 0, 1, 0, 0, 0, 0, 0, 0, 0, 78, 0, 7, 0x10, 1, 2, 3
    };
    static const uint8_t padding[] = { 0xa0, 97, 0, 2, 0, 0, 0, 0, 0, 0, 0, 78, 0, 0, 3 };
    struct ln_rtp_inbound_stats got;
    struct link link;
    struct ln_rtp_outbound *out;
    struct ln_rtp_inbound *in;

    LINK_NOT_IN_SWEEP();
    link_init(&link, 1);
    link_connect(&link, 0, LN_MEDIA_VIDEO, "v", &out, &in);
    CHECK_EQUAL(
        ln_rtp_session_receive_rtp(link.end[1].session, link.now, media, sizeof media, NULL), 0);
    (void)ln_rtp_session_receive_rtp(link.end[1].session, link.now, repeat, sizeof repeat,
                                     NULL); /* has that one: LN_ERR_REPLAY */
    CHECK_EQUAL(
        ln_rtp_session_receive_rtp(link.end[1].session, link.now, padding, sizeof padding, NULL),
        0);
    ln_rtp_inbound_get_stats(in, link.now, &got);
    CHECK_EQUAL(got.packets_received, 3);
    CHECK_EQUAL(got.retransmitted_packets_received, 2);
    CHECK_EQUAL(got.bytes_received, 4 + 6);
    CHECK_EQUAL(got.header_bytes_received, 12 + 12 + 15);
    CHECK_EQUAL(got.packets_lost, 0);
    link_deinit(&link);
}

LN_TEST(session, survives_heavy_loss_reorder_and_duplicates)
{
    struct call c;

    LINK_NOT_IN_SWEEP();
    for (uint64_t seed = 10; seed < 16; seed++) {
        call_init(&c, seed);
        for (int i = 0; i < 2; i++) {
            c.link.end[i].out.loss = 0.2;
            c.link.end[i].out.duplicate = 0.05;
            c.link.end[i].out.jitter = LN_MILLISECONDS(30);
            c.link.end[i].out.reorder = true;
        }
        call_run(&c, LN_SECONDS(6));
        CHECK(!c.out_of_order && !c.damaged);
        CHECK(c.video_got > c.video_sent / 2);
        CHECK(c.audio_got > c.audio_sent / 2);
        call_deinit(&c);
    }
}

LN_TEST(session, shows_a_picture_soon_after_a_burst_of_loss)
{
    struct call c;

    LINK_NOT_IN_SWEEP();
    for (uint64_t seed = 20; seed < 26; seed++) {
        call_init(&c, seed);
        call_run(&c, LN_SECONDS(2));
        c.link.end[0].out.blackout_until = c.link.now + LN_MILLISECONDS(300);
        call_run(&c, LN_MILLISECONDS(300));
        c.last_frame_at = c.link.now; /* measure from its end */
        c.longest_gap = 0;
        call_run(&c, LN_SECONDS(3));
        CHECK(!c.out_of_order && !c.damaged);
        CHECK(c.longest_gap <= 2 * LN_MILLISECONDS(40) + LN_MILLISECONDS(500));
        CHECK(c.video_got > 100);
        call_deinit(&c);
    }
}

LN_TEST(session, gives_the_same_bytes_for_the_same_seed)
{
    uint64_t hash[2];

    LINK_NOT_IN_SWEEP();
    for (int i = 0; i < 2; i++) {
        struct call c;

        call_init(&c, 99);
        c.link.end[0].out.loss = 0.1;
        call_run(&c, LN_SECONDS(2));
        hash[i] = c.link.hash;
        call_deinit(&c);
    }
    CHECK(hash[0] == hash[1]);
}
