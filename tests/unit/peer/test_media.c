/* SPDX-License-Identifier: Apache-2.0
 * Media between two peer connections on a wire: frames in, frames out, targets, statistics. The
 * frames are made up; nothing here encodes. */
#include "tests/unit/peer/pair.h"

#include "peer/dscp.h"
#include "peer/peer_connection.h"
#include "rtp/packet.h"

#include <stdio.h>
#include <stdlib.h>

static struct pair pair;

struct flow {
    size_t sent, received, lost;
    int64_t last_received;
    uint32_t bitrate;
    bool key_wanted;
};

static struct flow audio, video;
static ln_rtp_sender *audio_sender, *video_sender;
static ln_rtp_receiver *audio_receiver, *video_receiver;

static struct ln_frame *make_frame(enum ln_media_kind kind, size_t number, bool key)
{
    size_t len = kind == LN_MEDIA_AUDIO ? 80 : key ? 6000 : 2500;
    struct ln_frame *frame = ln_frame_create(test_env()->allocator, len);
    uint8_t *data;

    CHECK(frame != NULL);
    data = ln_frame_data(frame);
    memset(data, (int)number, len);
    frame->kind = kind;
    frame->codec = kind == LN_MEDIA_AUDIO ? LN_CODEC_OPUS : LN_CODEC_VP8;
    frame->clock_rate_hz = kind == LN_MEDIA_AUDIO ? 48000 : 90000;
    frame->capture_time = pair.wire.now;
    frame->rtp_timestamp = (uint32_t)((double)pair.wire.now / 1e9 * frame->clock_rate_hz);
    frame->frame_id = (int64_t)number;
    if (kind == LN_MEDIA_AUDIO) {
        frame->duration = LN_MILLISECONDS(20);
        frame->key = true;
        data[0] = 0x78; /* one 20 ms frame, CELT, mono */
    } else {
        frame->key = key;
        frame->width = 640;
        frame->height = 480;
        /* VP8 frame tag and, for a key frame, start code and size (RFC 6386, 9.1). */
        data[0] = (uint8_t)(key ? 0x10 : 0x11);
        if (key) {
            data[3] = 0x9d;
            data[4] = 0x01;
            data[5] = 0x2a;
            data[6] = 640 & 0xff;
            data[7] = 640 >> 8;
            data[8] = 480 & 0xff;
            data[9] = 480 >> 8;
        }
    }
    return frame;
}

static void send_one(ln_rtp_sender *sender, struct flow *flow, enum ln_media_kind kind)
{
    bool key = kind == LN_MEDIA_VIDEO && (flow->sent == 0 || flow->key_wanted);
    struct ln_frame *frame = make_frame(kind, flow->sent, key);
    int error = ln_rtp_sender_send_frame(sender, pair.wire.now, frame);

    CHECK(error == 0 || error == LN_ERR_INVALID_STATE);
    if (!error) {
        flow->sent++;
        flow->key_wanted = false;
    }
    ln_frame_unref(frame);
}

static void poll(ln_rtp_receiver *receiver, struct flow *flow)
{
    struct ln_frame *frame;

    while (ln_rtp_receiver_poll_frame(receiver, pair.wire.now, &frame) == 1) {
        if (frame->lost) {
            flow->lost++;
        } else {
            flow->received++;
            CHECK(frame->kind == LN_MEDIA_AUDIO || frame->frame_id > flow->last_received ||
                  flow->received == 1);
            flow->last_received = frame->frame_id;
        }
        ln_frame_unref(frame);
    }
}

static void on_target(struct side *side, const struct ln_event *event)
{
    const struct ln_encoder_target *target = &event->u.encoder_target;
    struct flow *flow = target->sender == video_sender ? &video : &audio;

    (void)side;
    flow->bitrate = target->bitrate_bps;
    flow->key_wanted = flow->key_wanted || target->key_frame;
}

/* Ten-millisecond steps: audio every second one, video every third. */
static void talk(ln_duration length)
{
    ln_time end = pair.wire.now + length;

    for (int step = 0; pair.wire.now < end; step++) {
        if (step % 2 == 0)
            send_one(audio_sender, &audio, LN_MEDIA_AUDIO);
        if (step % 3 == 0)
            send_one(video_sender, &video, LN_MEDIA_VIDEO);
        CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
        if (audio_receiver)
            poll(audio_receiver, &audio);
        if (video_receiver)
            poll(video_receiver, &video);
    }
}

static ln_rtp_sender *add_track(int side, enum ln_media_kind kind)
{
    static const char *const stream[] = { "camera" };
    ln_media_stream_track *track;
    ln_rtp_sender *sender;

    CHECK(ln_media_stream_track_create(test_env(), kind, NULL, &track) == 0);
    CHECK(ln_peer_connection_add_track(pair.sides[side].pc, track, stream, 1, &sender) == 0);
    ln_media_stream_track_unref(track);
    return sender;
}

static void begin_call_with(const struct ln_configuration *configuration)
{
    memset(&audio, 0, sizeof audio);
    memset(&video, 0, sizeof video);
    pair_init(&pair, configuration);
    pair.on_target = on_target;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    audio_sender = add_track(0, LN_MEDIA_AUDIO);
    video_sender = add_track(0, LN_MEDIA_VIDEO);
    audio_receiver = video_receiver = NULL;
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK(ln_peer_connection_transceiver_count(pair.sides[1].pc) == 2);
    audio_receiver = ln_rtp_transceiver_receiver(
        ln_peer_connection_transceiver(pair.sides[1].pc, 0));
    video_receiver = ln_rtp_transceiver_receiver(
        ln_peer_connection_transceiver(pair.sides[1].pc, 1));
}

static void begin_call(void)
{
    begin_call_with(NULL);
}

LN_TEST(media, sound_and_picture_arrive_whole_and_in_order)
{
    begin_call();
    CHECK(pair.sides[1].tracks == 2 && pair.sides[0].tracks == 0);
    CHECK(ln_rtp_sender_codec(audio_sender) == LN_CODEC_OPUS);
    CHECK(ln_rtp_sender_codec(video_sender) == LN_CODEC_VP8);
    talk(LN_SECONDS(5));
    CHECK(video.sent > 150 && video.received + 10 > video.sent);
    CHECK(audio.sent > 200 && audio.received + 10 > audio.sent && audio.lost < 5);
    CHECK(strstr(pair.sides[1].log, "unmute unmute") != NULL);
    CHECK(!ln_media_stream_track_muted(ln_rtp_receiver_track(video_receiver)));
    pair_free(&pair);
}

LN_TEST(media, lost_packets_are_repaired)
{
    begin_call();
    talk(LN_SECONDS(1));
    pair.wire.loss_per_mille = 50;
    talk(LN_SECONDS(8));
    pair.wire.loss_per_mille = 0;
    talk(LN_SECONDS(2));
    CHECK(video.received * 100 > video.sent * 95);
    CHECK((audio.received + audio.lost) * 100 > audio.sent * 97);
    pair_free(&pair);
}

LN_TEST(media, the_encoder_target_grows_on_a_free_path)
{
    begin_call();
    talk(LN_SECONDS(1));
    CHECK(video.bitrate > 100000);
    talk(LN_SECONDS(9));
    CHECK(video.bitrate > 600000);
    pair_free(&pair);
}

static void get_stats(int side)
{
    ln_op_id op;

    CHECK(ln_peer_connection_get_stats(pair.sides[side].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[side].stats != NULL);
}

LN_TEST(media, statistics_of_both_ends_agree)
{
    begin_call();
    talk(LN_SECONDS(6));
    get_stats(0);
    CHECK(pair.sides[0].stats != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"type\":\"outbound-rtp\"") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"type\":\"remote-inbound-rtp\"") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"roundTripTime\":") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"mimeType\":\"video/VP8\"") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"type\":\"media-source\"") != NULL);
    get_stats(1);
    CHECK(pair.sides[1].stats != NULL);
    CHECK(strstr(pair.sides[1].stats, "\"type\":\"inbound-rtp\"") != NULL);
    CHECK(strstr(pair.sides[1].stats, "\"type\":\"remote-outbound-rtp\"") != NULL);
    CHECK(strstr(pair.sides[1].stats, "\"packetsLost\":0") != NULL);
    pair_free(&pair);
}

LN_TEST(media, a_removed_track_falls_silent_at_the_other_side)
{
    begin_call();
    talk(LN_SECONDS(1));
    CHECK(ln_peer_connection_remove_track(pair.sides[0].pc, video_sender) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(strstr(pair.sides[1].log, " mute") != NULL);
    CHECK(ln_media_stream_track_muted(ln_rtp_receiver_track(video_receiver)));
    CHECK(ln_rtp_sender_codec(video_sender) == LN_CODEC_NONE);
    pair_free(&pair);
}

LN_TEST(media, a_stopped_transceiver_ends_the_other_sides_track)
{
    begin_call();
    talk(LN_SECONDS(1));
    CHECK(ln_rtp_transceiver_stop(ln_peer_connection_transceiver(pair.sides[0].pc, 1)) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(strstr(pair.sides[1].log, "ended") != NULL);
    CHECK(ln_peer_connection_transceiver_count(pair.sides[0].pc) == 1);
    CHECK(ln_peer_connection_transceiver_count(pair.sides[1].pc) == 1);
    pair_free(&pair);
}

LN_TEST(media, a_stopped_section_is_recycled)
{
    struct ln_session_description description;
    ln_rtp_transceiver *transceiver;

    begin_call();
    CHECK(ln_rtp_transceiver_stop(ln_peer_connection_transceiver(pair.sides[0].pc, 1)) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL,
                                             &transceiver) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(ln_peer_connection_current_local_description(pair.sides[0].pc, &description));
    CHECK(strstr(description.sdp, "m=video") == NULL);
    CHECK(ln_rtp_transceiver_mid(transceiver) != NULL);
    pair_free(&pair);
}

LN_TEST(media, both_ways_after_the_answerer_adds_its_own)
{
    ln_rtp_sender *back;

    begin_call();
    talk(LN_SECONDS(1));
    back = add_track(1, LN_MEDIA_VIDEO);
    CHECK(ln_rtp_transceiver_sender(ln_peer_connection_transceiver(pair.sides[1].pc, 1)) == back);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(pair.sides[0].tracks == 1);
    CHECK(ln_rtp_sender_codec(back) == LN_CODEC_VP8);
    pair_free(&pair);
}

/* A connection without media has no keys for any: they are made with the first of it. */
LN_TEST(media, comes_to_a_connection_that_had_messages_alone)
{
    for (int sender = 0; sender < 2; sender++) {
        memset(&audio, 0, sizeof audio);
        memset(&video, 0, sizeof video);
        pair_init(&pair, NULL);
        pair.on_target = on_target;
        pair.sides[0].negotiates = pair.sides[1].negotiates = true;
        CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "x", NULL,
                                                     &pair.sides[0].channels[0]) == 0);
        pair.sides[0].channel_count = 1;
        CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
        CHECK(pair_run(&pair, LN_SECONDS(5), NULL));
        for (int i = 0; i < 2; i++)
            CHECK(!pair.sides[i].pc->media.protect && !pair.sides[i].pc->media.unprotect);
        audio_sender = add_track(sender, LN_MEDIA_AUDIO);
        video_sender = add_track(sender, LN_MEDIA_VIDEO);
        audio_receiver = video_receiver = NULL;
        CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
        CHECK(ln_peer_connection_transceiver_count(pair.sides[1 - sender].pc) == 2);
        audio_receiver = ln_rtp_transceiver_receiver(
            ln_peer_connection_transceiver(pair.sides[1 - sender].pc, 0));
        video_receiver = ln_rtp_transceiver_receiver(
            ln_peer_connection_transceiver(pair.sides[1 - sender].pc, 1));
        talk(LN_SECONDS(3));
        CHECK(video.sent > 80 && video.received + 10 > video.sent);
        CHECK(audio.sent > 100 && audio.received + 10 > audio.sent && audio.lost < 5);
        pair_free(&pair);
    }
}

/* What each dictionary of webrtc-stats has after some seconds of a call (docs/w3c-map.md). */
static const struct {
    int side;
    const char *type;
    const char *members[32];
} expected_members[] = {
    { 0, "peer-connection", { "dataChannelsOpened", "dataChannelsClosed" } },
    { 0,
      "transport",
      { "packetsSent", "packetsReceived", "bytesSent", "bytesReceived", "iceRole",
        "iceLocalUsernameFragment", "dtlsState", "iceState", "selectedCandidatePairId",
        "localCertificateId", "remoteCertificateId", "tlsVersion", "dtlsCipher", "dtlsRole",
        "srtpCipher", "selectedCandidatePairChanges" } },
    { 0, "certificate", { "fingerprint", "fingerprintAlgorithm", "base64Certificate" } },
    { 0,
      "local-candidate",
      { "transportId", "address", "port", "protocol", "candidateType", "priority", "foundation",
        "usernameFragment" } },
    { 0, "remote-candidate", { "transportId", "address", "port", "protocol", "candidateType" } },
    { 0,
      "candidate-pair",
      { "transportId",
        "localCandidateId",
        "remoteCandidateId",
        "state",
        "nominated",
        "packetsSent",
        "packetsReceived",
        "bytesSent",
        "bytesReceived",
        "lastPacketSentTimestamp",
        "lastPacketReceivedTimestamp",
        "totalRoundTripTime",
        "currentRoundTripTime",
        "availableOutgoingBitrate",
        "requestsReceived",
        "requestsSent",
        "responsesReceived",
        "responsesSent",
        "consentRequestsSent",
        "packetsDiscardedOnSend",
        "bytesDiscardedOnSend" } },
    { 0,
      "codec",
      { "payloadType", "transportId", "mimeType", "clockRate", "channels", "sdpFmtpLine" } },
    { 0, "media-source", { "trackIdentifier", "kind", "width", "height", "frames" } },
    { 0,
      "outbound-rtp",
      { "ssrc",
        "kind",
        "transportId",
        "codecId",
        "packetsSent",
        "bytesSent",
        "mid",
        "mediaSourceId",
        "remoteId",
        "headerBytesSent",
        "retransmittedPacketsSent",
        "retransmittedBytesSent",
        "rtxSsrc",
        "targetBitrate",
        "frameWidth",
        "frameHeight",
        "framesSent",
        "framesEncoded",
        "keyFramesEncoded",
        "qpSum",
        "totalEncodeTime",
        "totalPacketSendDelay",
        "nackCount",
        "firCount",
        "pliCount",
        "encoderImplementation",
        "active" } },
    { 0,
      "remote-inbound-rtp",
      { "ssrc", "kind", "transportId", "codecId", "localId", "packetsReceived", "packetsLost",
        "jitter", "fractionLost", "roundTripTime", "totalRoundTripTime",
        "roundTripTimeMeasurements" } },
    { 1,
      "inbound-rtp",
      { "ssrc",
        "kind",
        "transportId",
        "codecId",
        "packetsReceived",
        "packetsLost",
        "jitter",
        "trackIdentifier",
        "mid",
        "remoteId",
        "lastPacketReceivedTimestamp",
        "headerBytesReceived",
        "bytesReceived",
        "packetsDiscarded",
        "nackCount",
        "firCount",
        "pliCount",
        "estimatedPlayoutTimestamp",
        "jitterBufferDelay",
        "jitterBufferTargetDelay",
        "jitterBufferMinimumDelay",
        "jitterBufferEmittedCount",
        "retransmittedPacketsReceived",
        "retransmittedBytesReceived",
        "rtxSsrc",
        "decoderImplementation",
        "framesDecoded",
        "keyFramesDecoded",
        "framesRendered",
        "framesDropped",
        "totalDecodeTime" } },
    { 1,
      "inbound-rtp",
      { "qpSum", "frameWidth", "frameHeight", "framesReceived",
        "framesAssembledFromMultiplePackets", "totalAssemblyTime", "totalSamplesReceived",
        "concealedSamples", "silentConcealedSamples", "concealmentEvents", "totalAudioEnergy",
        "totalSamplesDuration", "audioLevel" } },
    { 1,
      "remote-outbound-rtp",
      { "ssrc", "kind", "transportId", "codecId", "localId", "packetsSent", "bytesSent",
        "remoteTimestamp", "reportsSent" } },
};

/* Whether any object of this type in the JSON report has the member. */
static bool some_has(const char *json, const char *type, const char *member)
{
    char wanted_type[64], wanted[64];

    snprintf(wanted_type, sizeof wanted_type, "\"type\":\"%s\"", type);
    snprintf(wanted, sizeof wanted, "\"%s\":", member);
    for (const char *at = json; (at = strstr(at, wanted_type)) != NULL; at++) {
        const char *end = strstr(at, "{\"id\":"), *found = strstr(at, wanted);

        if (found && (!end || found < end))
            return true;
    }
    return false;
}

LN_TEST(media, statistics_have_the_members_of_the_map)
{
    static const struct ln_rtp_encoder_report encoder = { .width = 640,
                                                          .height = 480,
                                                          .implementation = "test" };
    static const struct ln_rtp_decoder_report decoder = { .width = 640,
                                                          .height = 480,
                                                          .implementation = "test" };

    begin_call();
    talk(LN_SECONDS(6));
    ln_rtp_sender_report(video_sender, &encoder);
    ln_rtp_receiver_report(video_receiver, &decoder);
    get_stats(0);
    get_stats(1);
    for (size_t i = 0; i < sizeof expected_members / sizeof *expected_members; i++) {
        const char *json = pair.sides[expected_members[i].side].stats;

        for (size_t m = 0; expected_members[i].members[m]; m++) {
            if (!some_has(json, expected_members[i].type, expected_members[i].members[m]))
                ln_test_fail(expected_members[i].members[m], expected_members[i].type, 0);
        }
    }
    pair_free(&pair);
}

LN_TEST(media, a_receiver_knows_its_synchronization_source)
{
    struct ln_rtp_contributing_source source;

    begin_call();
    talk(LN_SECONDS(1));
    CHECK(ln_rtp_receiver_synchronization_sources(audio_receiver, pair.wire.now, &source, 1) == 1);
    CHECK(source.source != 0 && source.time <= pair.wire.now);
    CHECK(pair_run(&pair, LN_SECONDS(11), NULL));
    CHECK(ln_rtp_receiver_synchronization_sources(audio_receiver, pair.wire.now, &source, 1) == 0);
    pair_free(&pair);
}

static struct ln_path seen_path;         /* of the last packet of side 1 */
static struct ln_rtp_header seen_header; /* of the last sound of side 0 */

static bool see(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                size_t len)
{
    struct ln_rtp_packet packet;

    (void)wire;
    if (node == 1)
        seen_path = *path;
    else if (ln_packet_classify(data, len) == LN_PACKET_RTP &&
             ln_rtp_packet_parse(data, len, &packet) == 0 &&
             packet.header.ssrc == audio_sender->ssrc)
        seen_header = packet.header;
    return false;
}

/* The next packet of sound from side 0, as a mixer would send it. */
static void inject_mixed(uint32_t first, uint32_t second)
{
    static const uint8_t payload[] = { 0x78, 1, 2, 3 };
    struct ln_rtp_header header = seen_header;
    uint8_t plain[64], packet[128];
    int header_len, len;

    header.sequence++;
    header.timestamp += 960;
    header.extension = (struct ln_bytes){ 0 };
    header.csrc_count = 2;
    header.csrc[0] = first;
    header.csrc[1] = second;
    header_len = ln_rtp_header_write(&header, NULL, plain, sizeof plain);
    CHECK(header_len == 20 && pair.sides[0].pc->media.protect);
    len = ln_srtp_protect_rtp(pair.sides[0].pc->media.protect, header.ssrc, header.sequence,
                              (struct ln_bytes){ plain, (size_t)header_len },
                              (struct ln_bytes){ payload, sizeof payload }, packet, sizeof packet);
    CHECK(len > 0);
    wire_inject(&pair.wire, 1, &seen_path, packet, (size_t)len);
}

LN_TEST(media, a_receiver_knows_its_contributing_sources)
{
    struct ln_rtp_contributing_source sources[4];

    begin_call();
    pair.wire.filter = see;
    talk(LN_SECONDS(1));
    CHECK(ln_rtp_receiver_contributing_sources(audio_receiver, pair.wire.now, sources, 4) == 0);
    inject_mixed(0x1111, 0x2222);
    CHECK(ln_rtp_receiver_contributing_sources(audio_receiver, pair.wire.now, sources, 4) == 2);
    CHECK(sources[0].source == 0x1111 && sources[1].source == 0x2222);
    CHECK(sources[0].time == pair.wire.now && sources[0].audio_level < 0);
    CHECK(sources[0].rtp_timestamp == seen_header.timestamp + 960);
    CHECK(ln_rtp_receiver_contributing_sources(audio_receiver, pair.wire.now, sources, 1) == 1);
    CHECK(ln_rtp_receiver_synchronization_sources(audio_receiver, pair.wire.now, sources, 4) == 1);
    CHECK(sources[0].source == audio_sender->ssrc);
    CHECK(pair_run(&pair, LN_SECONDS(11), NULL));
    CHECK(ln_rtp_receiver_contributing_sources(audio_receiver, pair.wire.now, sources, 4) == 0);
    pair_free(&pair);
}

/* --- marking for the network ---------------------------------------------------------------- */

enum { CHECKS, RECORDS, SOUND, PICTURES, REPORTS, KINDS };
static unsigned marked[KINDS][64]; /* datagrams of side 0, by kind and code point */

static int kind_of(const uint8_t *data)
{
    if (data[0] < 4)
        return CHECKS;
    if (data[0] < 64)
        return RECORDS;
    if (data[1] >= 192 && data[1] <= 223)
        return REPORTS;
    return (data[1] & 0x7f) == 111 ? SOUND : PICTURES;
}

static bool note_marks(struct wire *wire, int node, const struct ln_path *path, const uint8_t *data,
                       size_t len)
{
    (void)path;
    (void)len;
    if (node == 0)
        marked[kind_of(data)][wire->dscp]++;
    return false;
}

/* Sound, pictures and a message from side 0, with this priority. */
static void talk_with(enum ln_network_priority priority)
{
    struct ln_configuration configuration;
    ln_data_channel *channel;

    ln_configuration_init(&configuration);
    configuration.network.priority = priority;
    memset(marked, 0, sizeof marked);
    begin_call_with(&configuration);
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "chat", NULL, &channel) == 0);
    talk(LN_SECONDS(1)); /* the channel opens */
    pair.wire.filter = note_marks;
    CHECK(ln_data_channel_send(channel, "x", 1) == 0);
    talk(LN_SECONDS(7)); /* longer than consent waits */
    pair_free(&pair);
}

static bool all_are(int kind, unsigned dscp)
{
    for (unsigned i = 0; i < 64; i++)
        if (i != dscp && marked[kind][i] > 0)
            return false;
    return marked[kind][dscp] > 0;
}

LN_TEST(dscp, sound_pictures_and_data_of_one_connection_are_marked_apart)
{
    talk_with(LN_NETWORK_PRIORITY_HIGH);
    CHECK(all_are(SOUND, 46) && all_are(PICTURES, 34) && all_are(REPORTS, 34));
    CHECK(all_are(RECORDS, 18));
    CHECK(marked[CHECKS][0] > 0);
    if (test_allocator()->fail_at > 0)
        return; /* a sweep over all of them would take minutes */
    talk_with(LN_NETWORK_PRIORITY_VERY_LOW);
    CHECK(all_are(SOUND, 1) && all_are(PICTURES, 1) && all_are(RECORDS, 1));
    talk_with(LN_NETWORK_PRIORITY_NONE);
    CHECK(all_are(SOUND, 0) && all_are(PICTURES, 0) && all_are(RECORDS, 0));
}

static void ask_for(ln_rtp_sender *sender, enum ln_network_priority priority)
{
    static struct ln_rtp_parameters parameters;
    ln_op_id op;

    ln_rtp_sender_get_parameters(sender, &parameters);
    parameters.encodings[0].network_priority = priority;
    CHECK(ln_rtp_sender_set_parameters(sender, &parameters, &op) == 0);
    pair_settle(&pair);
    CHECK_EQUAL(pair.sides[0].last_error, 0);
}

/* webrtc-priority: networkPriority. */
LN_TEST(dscp, a_sender_has_a_priority_of_its_own)
{
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    for (int with = 0; with < 2; with++) {
        configuration.network.priority = with ? LN_NETWORK_PRIORITY_MEDIUM
                                              : LN_NETWORK_PRIORITY_NONE;
        begin_call_with(&configuration);
        ask_for(video_sender, LN_NETWORK_PRIORITY_HIGH);
        memset(marked, 0, sizeof marked);
        pair.wire.filter = note_marks;
        talk(LN_SECONDS(3));
        CHECK(all_are(PICTURES, 34) && all_are(SOUND, with ? 46 : 0));
        CHECK(all_are(REPORTS, with ? 36 : 0)); /* of the connection */
        ask_for(audio_sender, LN_NETWORK_PRIORITY_VERY_LOW);
        ask_for(video_sender, LN_NETWORK_PRIORITY_NONE); /* absent again */
        talk(LN_MILLISECONDS(500));
        memset(marked, 0, sizeof marked);
        talk(LN_SECONDS(3));
        CHECK(all_are(PICTURES, with ? 36 : 0) && all_are(SOUND, 1));
        pair_free(&pair);
    }
}

/* The data of a channel opened now is marked so. */
static unsigned mark_of_channel(uint16_t priority)
{
    struct ln_data_channel_init init;
    ln_data_channel *channel;

    ln_data_channel_init_init(&init);
    init.priority = priority;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "c", &init, &channel) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    memset(marked, 0, sizeof marked);
    pair.wire.filter = note_marks;
    CHECK(ln_data_channel_send(channel, "x", 1) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    for (unsigned i = 0; i < 64; i++)
        if (all_are(RECORDS, i))
            return i;
    CHECK(!"all data of an association has one code point");
    return 64;
}

/* RFC 8837, 5: the highest of the channels, and one for all; it does not fall again. */
LN_TEST(dscp, data_has_the_highest_priority_of_its_channels)
{
    static const struct {
        enum ln_network_priority connection;
        uint16_t channels[3];
        uint8_t marks[3];
    } cases[] = {
        { LN_NETWORK_PRIORITY_NONE, { 1024, 256, 128 }, { 0, 0, 0 } },
        { LN_NETWORK_PRIORITY_LOW, { 256, 512, 1024 }, { 0, 10, 18 } },
        { LN_NETWORK_PRIORITY_MEDIUM, { 128, 256, 128 }, { 1, 10, 10 } },
        { LN_NETWORK_PRIORITY_HIGH, { 256, 128, 512 }, { 18, 18, 18 } },
    };
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        configuration.network.priority = cases[i].connection;
        begin_call_with(&configuration);
        for (int k = 0; k < 3; k++)
            CHECK_EQUAL(mark_of_channel(cases[i].channels[k]), cases[i].marks[k]);
        pair_free(&pair);
    }
}

/* RFC 8837, 5. */
LN_TEST(dscp, another_code_point_begins_the_congestion_control_of_data_anew)
{
    static char text[60000];
    struct ln_configuration configuration;
    struct ln_sctp_stats stats;
    ln_data_channel *channel;
    size_t window;

    ln_configuration_init(&configuration);
    configuration.network.priority = LN_NETWORK_PRIORITY_LOW;
    begin_call_with(&configuration);
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "c", NULL, &channel) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 20; i++)
        CHECK(ln_data_channel_send_text(channel, text, sizeof text) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(10), NULL));
    ln_sctp_stats(ln_data_channels_association(pair.sides[0].pc->data.channels), &stats);
    window = stats.congestion_window;
    (void)mark_of_channel(1024);
    ln_sctp_stats(ln_data_channels_association(pair.sides[0].pc->data.channels), &stats);
    CHECK(stats.congestion_window < window / 2);
    for (int i = 0; i < 20; i++) /* and it goes on */
        CHECK(ln_data_channel_send_text(channel, text, sizeof text) == 0);
    pair.sides[1].messages = 0;
    CHECK(pair_run(&pair, LN_SECONDS(20), NULL));
    CHECK_EQUAL(pair.sides[1].messages, 20);
    pair_free(&pair);
}

/* webrtc-priority: priority; RFC 8835, 4.1: each level is twice the one below. */
LN_TEST(media, pictures_share_the_bandwidth_by_the_priorities_of_their_senders)
{
    static struct ln_rtp_parameters parameters;
    ln_rtp_sender *other;
    ln_op_id op;

    begin_call();
    other = add_track(0, LN_MEDIA_VIDEO);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(other->told.active && other->told.bitrate_bps == video_sender->told.bitrate_bps);
    ln_rtp_sender_get_parameters(other, &parameters);
    parameters.encodings[0].priority = LN_NETWORK_PRIORITY_HIGH;
    CHECK(ln_rtp_sender_set_parameters(other, &parameters, &op) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(other->told.bitrate_bps / 4 - video_sender->told.bitrate_bps <= 1);
    ln_rtp_sender_get_parameters(other, &parameters);
    parameters.encodings[0].priority = LN_NETWORK_PRIORITY_HIGH + 1;
    CHECK(ln_rtp_sender_set_parameters(other, &parameters, &op) == 0);
    pair_settle(&pair);
    CHECK_EQUAL(pair.sides[0].last_error, LN_ERR_RANGE);
    pair_free(&pair);
}

/* RFC 8837, 5, Table 1; of two values the one that is dropped last. */
LN_TEST(dscp, the_code_points_are_those_of_rfc_8837)
{
    static const uint8_t table[][3] = {
        { 0, 0, 0 }, { 1, 1, 1 }, { 0, 0, 0 }, { 46, 36, 10 }, { 46, 34, 18 },
    };

    for (unsigned priority = 0; priority < 5; priority++)
        for (unsigned flow = 0; flow < 3; flow++)
            CHECK_EQUAL(ln_dscp_of((enum ln_network_priority)priority, (enum ln_dscp_flow)flow),
                        table[priority][flow]);
}
