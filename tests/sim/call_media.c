/* SPDX-License-Identifier: Apache-2.0
 * Media of the applications: an encoder made of arithmetic (frames of the size that the target asks
 * for, key frames larger and paid back later) and a decoder that checks what it is given: order,
 * dependencies, content. A frame's data carry its number and when it was sent. */
#include "base/bytes.h"
#include "base/time.h"
#include "tests/sim/call_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>

#define VIDEO_BPS_MAX   600000u
#define VIDEO_STEP      (LN_SECONDS(1) / 30)
#define AUDIO_STEP      LN_MILLISECONDS(20)
#define VIDEO_HEAD      24u /* frame tag, start code, size, then number and time */
#define VIDEO_BYTES_MIN 200u
#define KEY_FACTOR      5
#define AUDIO_BYTES     80u

static void add_track(struct party *party, enum ln_media_kind kind, struct media_out *out)
{
    static const char *const stream[] = { "camera" };
    struct ln_rtp_encoding_parameters encoding;
    struct ln_rtp_transceiver_init init;
    ln_rtp_transceiver *transceiver;
    ln_media_stream_track *track;
    const struct scenario *s = party->call->scenario;

    if (!call_fine(party, ln_media_stream_track_create(test_env(), kind, NULL, &track)))
        return;
    ln_rtp_encoding_parameters_init(&encoding);
    ln_rtp_transceiver_init_init(&init);
    init.stream_ids = stream;
    init.stream_count = 1;
    init.send_encodings = &encoding;
    init.send_encoding_count = 1;
    if (kind == LN_MEDIA_VIDEO)
        encoding.max_bitrate_bps = s->video_max_bps ? s->video_max_bps : VIDEO_BPS_MAX;
    if (party->index == 0) {
        if (call_fine(party, ln_peer_connection_add_transceiver(party->pc, kind, track, &init,
                                                                &transceiver)))
            out->sender = ln_rtp_transceiver_sender(transceiver);
    } else {
        call_fine(party, ln_peer_connection_add_track(party->pc, track, stream, 1, &out->sender));
    }
    ln_media_stream_track_unref(track);
}

void call_media_init(struct party *party)
{
    const struct scenario *s = party->call->scenario;
    struct media_in *ins[] = { &party->audio_in, &party->video_in };

    party->audio_out.next_at = party->video_out.next_at = LN_TIME_NEVER;
    if ((!s->audio && !s->video))
        return;
    for (size_t i = 0; i < 2; i++) {
        ins[i]->notes = calloc(CALL_FRAMES_MAX, sizeof *ins[i]->notes);
        CHECK(ins[i]->notes != NULL);
    }
    if (party->index == 1 && !s->both_send)
        return;
    if (s->audio)
        add_track(party, LN_MEDIA_AUDIO, &party->audio_out);
    if (s->video)
        add_track(party, LN_MEDIA_VIDEO, &party->video_out);
}

void call_media_deinit(struct party *party)
{
    if (party->call && party->call->scenario->codec)
        party->call->scenario->codec->free(party);
    free(party->audio_in.notes);
    free(party->video_in.notes);
}

static void on_target(struct party *party, const struct ln_encoder_target *target)
{
    struct media_out *out = target->sender == party->audio_out.sender ? &party->audio_out
                                                                      : &party->video_out;

    CHECK(target->sender == out->sender);
    out->target = *target;
    out->key_wanted = out->key_wanted || target->key_frame;
    if (target->active && out->next_at == LN_TIME_NEVER)
        out->next_at = party->call->net.now;
    if (!target->active)
        out->next_at = LN_TIME_NEVER;
}

void call_media_event(struct party *party, const struct ln_event *event)
{
    if (event->kind == LN_EVENT_ENCODER_TARGET) {
        on_target(party, &event->u.encoder_target);
    } else if (event->kind == LN_EVENT_TRACK) {
        if (event->u.track.track &&
            ln_media_stream_track_kind(event->u.track.track) == LN_MEDIA_AUDIO)
            party->audio_in.receiver = event->u.track.receiver;
        else
            party->video_in.receiver = event->u.track.receiver;
    }
}

/* --- out */

static size_t video_size(struct party *party, struct media_out *out, bool key)
{
    int64_t share = out->target.bitrate_bps / 8 / 30, size;

    size = (int64_t)((double)share * (0.8 + 0.4 * ln_rng_unit(&party->call->net.chance)));
    if (key) {
        out->debt += size * (KEY_FACTOR - 1);
        size *= KEY_FACTOR;
    } else if (out->debt > 0) {
        int64_t back = size / 4 < out->debt ? size / 4 : out->debt;

        size -= back;
        out->debt -= back;
    }
    return size < VIDEO_BYTES_MIN ? VIDEO_BYTES_MIN : (size_t)size;
}

static struct ln_frame *make_frame(struct party *party, struct media_out *out,
                                   enum ln_media_kind kind, bool key)
{
    bool video = kind == LN_MEDIA_VIDEO;
    size_t len = video ? video_size(party, out, key) : AUDIO_BYTES;
    struct ln_frame *frame = ln_frame_create(test_env()->allocator, len);
    ln_time now = party->call->net.now;
    uint8_t *data;

    if (!frame)
        return NULL;
    data = ln_frame_data(frame);
    memset(data, (int)out->number, len);
    frame->kind = kind;
    frame->codec = ln_rtp_sender_codec(out->sender);
    frame->clock_rate_hz = video ? 90000 : 48000;
    frame->capture_time = now;
    frame->rtp_timestamp = (uint32_t)(now / 1000 * (frame->clock_rate_hz / 1000) / 1000);
    frame->frame_id = out->number;
    frame->key = key;
    frame->duration = video ? 0 : AUDIO_STEP;
    if (video) {
        static const uint8_t start[] = { 0x9d,     0x01,       0x2a,    640 & 0xff,
                                         640 >> 8, 480 & 0xff, 480 >> 8 };

        frame->width = 640;
        frame->height = 480;
        data[0] = key ? 0x10 : 0x11; /* RFC 6386, 9.1 */
        if (key)
            memcpy(data + 3, start, sizeof start);
    } else {
        data[0] = 0x78; /* one 20 ms frame, CELT, mono (RFC 6716, 3.1) */
    }
    ln_store32(data + 12, out->number);
    ln_store64(data + 16, (uint64_t)now);
    return frame;
}

static void send_frame(struct party *party, struct media_out *out, enum ln_media_kind kind)
{
    bool key = kind == LN_MEDIA_AUDIO || out->number == 0 || out->key_wanted;
    const struct codec_hooks *codec = kind == LN_MEDIA_VIDEO ? party->call->scenario->codec : NULL;
    struct ln_frame *frame = codec ? codec->encode(party, out->number, key)
                                   : make_frame(party, out, kind, key);
    int error;

    if (!frame && codec) {
        out->number++; /* the encoder's rate control left it out */
        return;
    }
    if (!frame) {
        call_fine(party, LN_ERR_NOMEM);
        return;
    }
    error = ln_rtp_sender_send_frame(out->sender, party->call->net.now, frame);
    if (error == 0) {
        out->number++;
        out->bytes += frame->len;
        if (key)
            out->key_wanted = false;
    } else {
        CHECK(error == LN_ERR_LIMIT || error == LN_ERR_INVALID_STATE ||
              (party->call->lenient && error == LN_ERR_NOMEM));
        out->key_wanted = true;
        out->refused++;
    }
    ln_frame_unref(frame);
}

static ln_time next_frame(const struct party *party, const struct media_out *out)
{
    bool sends = out->sender && !party->gave_up &&
                 ln_rtp_sender_codec(out->sender) != LN_CODEC_NONE &&
                 !party->call->net.hosts[party->index].stopped;

    return sends ? out->next_at : LN_TIME_NEVER;
}

static bool may_send(const struct party *party, const struct media_out *out)
{
    return next_frame(party, out) <= party->call->net.now;
}

void call_media_send(struct party *party)
{
    if (may_send(party, &party->audio_out)) {
        send_frame(party, &party->audio_out, LN_MEDIA_AUDIO);
        party->audio_out.next_at += AUDIO_STEP;
    }
    if (may_send(party, &party->video_out)) {
        send_frame(party, &party->video_out, LN_MEDIA_VIDEO);
        party->video_out.next_at += VIDEO_STEP;
    }
}

ln_time call_media_next(const struct party *party)
{
    return ln_time_min(next_frame(party, &party->audio_out), next_frame(party, &party->video_out));
}

/* --- in */

static void take_frame(struct party *party, struct media_in *in, const struct ln_frame *frame)
{
    ln_time now = party->call->net.now;
    struct frame_note *note;
    uint32_t number;

    if (frame->lost) {
        CHECK(frame->kind == LN_MEDIA_AUDIO);
        in->lost++;
        return;
    }
    if (party->call->scenario->codec && frame->kind == LN_MEDIA_VIDEO) {
        party->call->scenario->codec->decode(party, frame);
        in->count++;
        return;
    }
    CHECK(frame->len >= VIDEO_HEAD);
    number = ln_load32(frame->data + 12);
    for (size_t i = VIDEO_HEAD; i < frame->len; i++)
        if (frame->data[i] != (uint8_t)number)
            CHECK(!"a frame was changed on its way");
    if (in->count > 0)
        CHECK(number > in->last); /* in order, never twice */
    if (frame->kind == LN_MEDIA_VIDEO)
        CHECK(frame->key || (in->count > 0 && number == in->last + 1)); /* decodable */
    in->last = number;
    CHECK(in->count < CALL_FRAMES_MAX);
    note = &in->notes[in->count++];
    note->number = number;
    note->sent = (ln_time)ln_load64(frame->data + 16);
    note->out = now;
    note->play = frame->play_time;
    note->complete = frame->receive_time;
    note->key = frame->key;
    CHECK(note->sent <= note->complete && note->complete <= now);
}

void call_media_poll(struct party *party)
{
    struct media_in *ins[] = { &party->audio_in, &party->video_in };
    struct ln_frame *frame;

    for (size_t i = 0; i < 2; i++)
        while (ins[i]->receiver &&
               ln_rtp_receiver_poll_frame(ins[i]->receiver, party->call->net.now, &frame) == 1) {
            take_frame(party, ins[i], frame);
            ln_frame_unref(frame);
        }
}
