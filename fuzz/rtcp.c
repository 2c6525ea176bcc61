/* SPDX-License-Identifier: Apache-2.0
 * RTCP: a compound into a session that sends two streams and receives one, so that every handler
 * finds something of its own. SSRCs: 1 video (RTX 2), 3 audio, 4 received. */
#include "base/alloc.h"
#include "base/rng.h"
#include "rtp/session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct ln_rtp_codec codec(bool audio)
{
    return (struct ln_rtp_codec){ .codec = audio ? LN_CODEC_OPUS : LN_CODEC_VP8,
                                  .payload_type = (uint8_t)(audio ? 111 : 96),
                                  .clock_rate_hz = audio ? 48000 : 90000,
                                  .rtx_payload_type = (int16_t)(audio ? -1 : 97),
                                  .nack = true,
                                  .pli = true,
                                  .transport_cc = true };
}

static struct ln_rtp_outbound *add_sender(struct ln_rtp_session *s, bool audio)
{
    struct ln_rtp_outbound_config c;
    struct ln_rtp_outbound *out;

    memset(&c, 0, sizeof c);
    c.kind = audio ? LN_MEDIA_AUDIO : LN_MEDIA_VIDEO;
    c.cname = "fuzz";
    c.codecs[0] = codec(audio);
    c.codec_count = 1;
    c.encodings[0].ssrc = audio ? 3 : 1;
    c.encodings[0].rtx_ssrc = audio ? 0 : 2;
    c.encoding_count = 1;
    c.active = true;
    if (ln_rtp_extension_map_set(&c.extensions, LN_RTP_EXTENSION_TRANSPORT_SEQUENCE, 3) != 0 ||
        ln_rtp_session_add_outbound(s, &c, &out) != 0)
        abort();
    return out;
}

static void add_receiver(struct ln_rtp_session *s, ln_time now)
{
    static const uint8_t packet[] = { 0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0x78, 1, 2, 3 };
    struct ln_rtp_inbound_config c;
    struct ln_rtp_inbound *in;

    memset(&c, 0, sizeof c);
    c.kind = LN_MEDIA_AUDIO;
    c.codecs[0] = codec(true);
    c.codec_count = 1;
    c.active = true;
    if (ln_rtp_session_add_inbound(s, &c, &in) != 0)
        abort();
    (void)ln_rtp_session_receive_rtp(s, now, packet, sizeof packet, NULL);
}

static void send(struct ln_rtp_session *s, struct ln_rtp_outbound *out, bool audio, ln_time now)
{
    struct ln_frame *frame = ln_frame_create(ln_allocator_libc(), audio ? 40 : 3000);

    if (!frame)
        abort();
    memset(ln_frame_data(frame), 0x78, frame->len);
    frame->kind = audio ? LN_MEDIA_AUDIO : LN_MEDIA_VIDEO;
    frame->codec = audio ? LN_CODEC_OPUS : LN_CODEC_VP8;
    frame->clock_rate_hz = audio ? 48000 : 90000;
    frame->key = true;
    if (ln_rtp_session_send_frame(s, out, now, frame) != 0)
        abort();
    ln_frame_unref(frame);
}

static void drain(struct ln_rtp_session *s, ln_time now)
{
    uint8_t data[1300];
    struct ln_rtp_out out = { .data = data, .cap = sizeof data };
    struct ln_rtp_feedback feedback;
    struct ln_rtp_event event;
    int packets = 0;

    while (ln_rtp_session_poll_packet(s, now, &out) == 1)
        if (++packets > 1000)
            abort();
    while (ln_rtp_session_poll_event(s, &event))
        ;
    while (ln_rtp_session_poll_feedback(s, &feedback))
        for (size_t i = 0; i < feedback.count; i++)
            if (feedback.results[i].transport_sequence < 1 ||
                feedback.results[i].transport_sequence > 100)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_rtp_session_config config = { 0, 0, true, 0 };
    struct ln_rtp_outbound *video, *audio;
    struct ln_rtp_session *s;
    struct ln_pool pool;
    struct ln_rng rng;
    struct ln_env env = { ln_allocator_libc(), &pool, &rng, NULL };
    ln_time now = LN_SECONDS(1);

    ln_rng_seed(&rng, 1);
    ln_pool_init(&pool, env.allocator, 1500, 64, 4096);
    if (ln_rtp_session_create(&s, &config, &env) != 0)
        return 0;
    video = add_sender(s, false);
    audio = add_sender(s, true);
    add_receiver(s, now);
    send(s, video, false, now);
    send(s, audio, true, now);
    drain(s, now);
    now += LN_MILLISECONDS(50);
    (void)ln_rtp_session_receive_rtcp(s, now, data, len);
    drain(s, now);
    now += LN_SECONDS(2);
    ln_rtp_session_on_timeout(s, now);
    if (ln_rtp_session_next_timeout(s) <= now)
        abort();
    drain(s, now);
    ln_rtp_session_free(s);
    ln_pool_deinit(&pool);
    return 0;
}
