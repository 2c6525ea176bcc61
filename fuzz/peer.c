/* SPDX-License-Identifier: Apache-2.0
 * A connected peer connection (channel, sound and picture, in virtual time) whose other end, or
 * anybody else, does what the input says. What the other end does is encrypted with its keys: it
 * reaches what stands behind DTLS and SRTP.
 *
 * The input is a list of steps, each {kind, length 16, bytes}; bit 0x80 of the kind makes side 0
 * (which sends the media) the victim instead of side 1. All of it repeats: seeds are fixed. */
#include "fuzz/input_end.h"
#include "sctp/association.h"
#include "tests/support/runner.h"
#include "tests/unit/peer/pair.h"

#include "base/bytes.h"
#include "peer/peer_connection.h"
#include "rtp/packet.h"
#include "sctp/crc32c.h"

#include <stdlib.h>

#define STEPS_MAX   64
#define PACKET_MAX  1400
#define PACKET_ROOM 1600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum step {
    STEP_DATAGRAM,    /* as it is, from the other end's address */
    STEP_STRANGER,    /* as it is, from another address */
    STEP_RTP,         /* protected by the other end */
    STEP_RTCP,        /* so */
    STEP_CHUNKS,      /* in a right SCTP packet, in a DTLS record */
    STEP_SCTP,        /* any packet in a DTLS record */
    STEP_SCTP_SEND,   /* {stream 16, PPID 8, message}: sent by the other end's association */
    STEP_MESSAGE,     /* {text or not, message} on the first channel */
    STEP_TIME,        /* {10 ms} */
    STEP_CANDIDATE,   /* the application adds it */
    STEP_DESCRIPTION, /* {type, SDP}: the application sets it as remote */
    STEP_CALL,        /* {number}: the victim's application calls the API */
    STEPS
};

static struct pair pair;
static struct ln_path paths[2]; /* of the last packet of each side */

static bool note_path(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                      size_t len)
{
    paths[node] = *path;
    return false;
}

static void add_track(ln_peer_connection *pc, enum ln_media_kind kind)
{
    static const char *const stream[] = { "s" };
    ln_media_stream_track *track;
    ln_rtp_sender *sender;

    CHECK(ln_media_stream_track_create(test_env(), kind, NULL, &track) == 0);
    CHECK(ln_peer_connection_add_track(pc, track, stream, 1, &sender) == 0);
    ln_media_stream_track_unref(track);
}

static void begin(void)
{
    ln_data_channel *channel;

    pair_init(&pair, NULL);
    pair.wire.filter = note_path;
    pair.wire.delay = LN_MILLISECONDS(1);
    pair.signalling_delay = LN_MILLISECONDS(1);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "a", NULL, &channel) == 0);
    pair.sides[0].channels[pair.sides[0].channel_count++] = channel;
    add_track(pair.sides[0].pc, LN_MEDIA_AUDIO);
    add_track(pair.sides[0].pc, LN_MEDIA_VIDEO);
    if (!pair_run(&pair, LN_SECONDS(5), pair_open))
        abort();
}

static void arrive(int victim, const uint8_t *data, size_t len)
{
    wire_inject(&pair.wire, victim, &paths[victim], data, len);
}

static void arrive_from_stranger(int victim, const uint8_t *data, size_t len)
{
    struct ln_path path = paths[victim];

    path.remote.port ^= 1;
    wire_inject(&pair.wire, victim, &path, data, len);
}

static void arrive_in_record(int victim, const uint8_t *data, size_t len)
{
    uint8_t record[PACKET_ROOM + 200];
    int n = ln_dtls_wrap(pair.sides[!victim].pc->transport.dtls, pair.wire.now, data, len, record,
                         sizeof record);

    if (n > 0)
        arrive(victim, record, (size_t)n);
}

static const struct ln_sctp *association(int side)
{
    struct ln_data_channels *channels = pair.sides[side].pc->data.channels;

    return channels ? ln_data_channels_association(channels) : NULL;
}

static void arrive_as_chunks(int victim, const uint8_t *data, size_t len)
{
    const struct ln_sctp *of_victim = association(victim);
    uint8_t packet[PACKET_ROOM];

    if (!of_victim)
        return;
    ln_store16(packet, 5000);
    ln_store16(packet + 2, 5000);
    ln_store32(packet + 4, len > 0 && data[0] == 1 ? 0 : of_victim->local_tag);
    ln_store32(packet + 8, 0);
    if (len > 0)
        memcpy(packet + 12, data, len);
    ln_store32(packet + 8, __builtin_bswap32(ln_crc32c(0, packet, 12 + len)));
    arrive_in_record(victim, packet, 12 + len);
}

static void arrive_as_rtp(int victim, const uint8_t *data, size_t len)
{
    struct ln_srtp *srtp = pair.sides[!victim].pc->media.protect;
    int header = ln_rtp_header_len(data, len), n;
    uint8_t packet[PACKET_ROOM];

    if (!srtp || header < 0)
        return;
    n = ln_srtp_protect_rtp(
        srtp, ln_load32(data + 8), ln_load16(data + 2), (struct ln_bytes){ data, (size_t)header },
        (struct ln_bytes){ data + header, len - (size_t)header }, packet, sizeof packet);
    if (n > 0)
        arrive(victim, packet, (size_t)n);
}

static void arrive_as_rtcp(int victim, const uint8_t *data, size_t len)
{
    struct ln_srtp *srtp = pair.sides[!victim].pc->media.protect;
    uint8_t packet[PACKET_ROOM];
    int n = srtp && len >= 8 ? ln_srtp_protect_rtcp(srtp, data, len, packet, sizeof packet) : -1;

    if (n > 0)
        arrive(victim, packet, (size_t)n);
}

static void other_end_sends(int victim, const uint8_t *data, size_t len)
{
    /* The association is the pair's own; the getter is const for others. */
    struct ln_sctp *sctp = (struct ln_sctp *)(uintptr_t)association(!victim);
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;

    if (sctp && len > 3)
        (void)!ln_sctp_send(sctp, ln_load16(data), data[2], data + 3, len - 3, &options);
}

static void message(int victim, const uint8_t *data, size_t len)
{
    struct side *other = &pair.sides[!victim];

    if (len == 0 || other->channel_count == 0)
        return;
    if (data[0] & 1)
        (void)!ln_data_channel_send_text(other->channels[0], (const char *)data + 1, len - 1);
    else
        (void)!ln_data_channel_send(other->channels[0], data + 1, len - 1);
}

static void signal_text(struct side *side, enum step step, const uint8_t *data, size_t len)
{
    static const enum ln_sdp_type types[] = { LN_SDP_TYPE_OFFER, LN_SDP_TYPE_ANSWER,
                                              LN_SDP_TYPE_PRANSWER, LN_SDP_TYPE_ROLLBACK };
    size_t skip = step == STEP_DESCRIPTION && len > 0;
    char *text = malloc(len - skip + 1);
    struct ln_session_description description = { types[len > 0 ? data[0] & 3 : 0], text };
    struct ln_ice_candidate_init candidate = { text, "0", -1, NULL };
    ln_op_id op;

    if (!text)
        return;
    memcpy(text, data + skip, len - skip);
    text[len - skip] = 0;
    if (step == STEP_CANDIDATE)
        (void)!ln_peer_connection_add_ice_candidate(side->pc, &candidate, &op);
    else
        (void)!ln_peer_connection_set_remote_description(side->pc, &description, &op);
    free(text);
}

static void call(struct side *side, unsigned number)
{
    ln_peer_connection *pc = side->pc;
    ln_data_channel *channel;
    ln_op_id op;

    switch (number % 8) {
    case 0:
        (void)!ln_peer_connection_get_stats(pc, NULL, &op);
        break;
    case 1:
        ln_peer_connection_restart_ice(pc);
        break;
    case 2:
        (void)!ln_peer_connection_create_data_channel(pc, "b", NULL, &channel);
        break;
    case 3:
        if (side->channel_count > 0)
            ln_data_channel_close(side->channels[0]);
        break;
    case 4:
        (void)!ln_peer_connection_set_local_description(pc, NULL, &op);
        break;
    case 5:
        add_track(pc, LN_MEDIA_VIDEO);
        break;
    case 6:
        (void)!ln_peer_connection_create_offer(pc, NULL, &op);
        break;
    default:
        ln_peer_connection_close(pc);
    }
}

static void take_frames(struct side *side)
{
    struct ln_frame *frame;

    for (size_t i = 0; i < ln_peer_connection_transceiver_count(side->pc); i++) {
        ln_rtp_transceiver *t = ln_peer_connection_transceiver(side->pc, i);

        while (ln_rtp_receiver_poll_frame(ln_rtp_transceiver_receiver(t), pair.wire.now, &frame) ==
               1)
            ln_frame_unref(frame);
    }
}

static void one_step(uint8_t kind, const uint8_t *data, size_t len)
{
    static void (*const packets[])(int victim, const uint8_t *data, size_t len) = {
        [STEP_DATAGRAM] = arrive,           [STEP_STRANGER] = arrive_from_stranger,
        [STEP_RTP] = arrive_as_rtp,         [STEP_RTCP] = arrive_as_rtcp,
        [STEP_CHUNKS] = arrive_as_chunks,   [STEP_SCTP] = arrive_in_record,
        [STEP_SCTP_SEND] = other_end_sends, [STEP_MESSAGE] = message,
    };
    enum step step = (enum step)((kind & 0x7f) % STEPS);
    int victim = kind & 0x80 ? 0 : 1;
    ln_duration pause = LN_MILLISECONDS(3);

    if (step <= STEP_MESSAGE)
        packets[step](victim, data, len);
    else if (step == STEP_CANDIDATE || step == STEP_DESCRIPTION)
        signal_text(&pair.sides[victim], step, data, len);
    else if (step == STEP_CALL)
        call(&pair.sides[victim], len > 0 ? data[0] : 0);
    else
        pause = LN_MILLISECONDS(10) * (len > 0 ? data[0] : 1);
    pair_run(&pair, pause, NULL);
    take_frames(&pair.sides[0]);
    take_frames(&pair.sides[1]);
}

static void run(const uint8_t *data, size_t len)
{
    struct ln_reader r;

    begin();
    ln_reader_init(&r, data, len);
    for (int i = 0; i < STEPS_MAX && ln_reader_left(&r) >= 3; i++) {
        uint8_t kind = ln_read8(&r);
        size_t n = ln_read16(&r), left = ln_reader_left(&r);
        struct ln_bytes bytes = ln_read_bytes(&r, n < left ? n : left);

        one_step(kind, bytes.len > 0 ? bytes.data : (const uint8_t *)"",
                 bytes.len < PACKET_MAX ? bytes.len : PACKET_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool failed;

    ln_runner_begin(0);
    if (setjmp(ended) == 0)
        run(data, len);
    pair_free(&pair);
    if (ln_runner_end(&failed) > 0)
        abort(); /* a leak */
    return 0;
}
