/* SPDX-License-Identifier: Apache-2.0
 * The members of the W3C interfaces and dictionaries: defaults, attributes, methods, events, names.
 * docs/w3c-map.md says which test shows which member. */
#include "tests/support/turn_double.h"
#include "tests/unit/peer/pair.h"

#include <linnet/certificate.h>

#include <stdio.h>
#include <stdlib.h>

static struct pair pair; /* large */

#define NAMED(function, prefix, TABLE)                                                             \
    static void function##_names(char *text)                                                       \
    {                                                                                              \
        static const int values[] = { TABLE(prefix) };                                             \
                                                                                                   \
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)                                \
            text += sprintf(text, "%s ", function(values[i]));                                     \
    }
#define SIGNALING(n, t)    LN_SIGNALING_STATE_##n,
#define GATHERING(n, t)    LN_ICE_GATHERING_STATE_##n,
#define ICE(n, t)          LN_ICE_CONNECTION_STATE_##n,
#define PEER(n, t)         LN_PEER_CONNECTION_STATE_##n,
#define SDP_TYPE(n, t)     LN_SDP_TYPE_##n,
#define DIRECTION(n, t)    LN_RTP_TRANSCEIVER_DIRECTION_##n,
#define DTLS(n, t)         LN_DTLS_TRANSPORT_STATE_##n,
#define SCTP(n, t)         LN_SCTP_TRANSPORT_STATE_##n,
#define CHANNEL(n, t)      LN_DATA_CHANNEL_STATE_##n,
#define ROLE(n, t)         LN_ICE_ROLE_##n,
#define ERROR_DETAIL(n, t) LN_ERROR_DETAIL_##n,
NAMED(ln_signaling_state_name, SIGNALING, LN_SIGNALING_STATE_TABLE)
NAMED(ln_ice_gathering_state_name, GATHERING, LN_ICE_GATHERING_STATE_TABLE)
NAMED(ln_ice_connection_state_name, ICE, LN_ICE_CONNECTION_STATE_TABLE)
NAMED(ln_peer_connection_state_name, PEER, LN_PEER_CONNECTION_STATE_TABLE)
NAMED(ln_sdp_type_name, SDP_TYPE, LN_SDP_TYPE_TABLE)
NAMED(ln_rtp_transceiver_direction_name, DIRECTION, LN_RTP_TRANSCEIVER_DIRECTION_TABLE)
NAMED(ln_dtls_transport_state_name, DTLS, LN_DTLS_TRANSPORT_STATE_TABLE)
NAMED(ln_sctp_transport_state_name, SCTP, LN_SCTP_TRANSPORT_STATE_TABLE)
NAMED(ln_data_channel_state_name, CHANNEL, LN_DATA_CHANNEL_STATE_TABLE)
NAMED(ln_ice_role_name, ROLE, LN_ICE_ROLE_TABLE)
NAMED(ln_error_detail_name, ERROR_DETAIL, LN_ERROR_DETAIL_TABLE)

LN_TEST(w3c, enumeration_values_have_their_exact_names)
{
    static const struct {
        void (*names)(char *text);
        const char *expected;
    } enums[] = {
        { ln_signaling_state_name_names, "stable have-local-offer have-remote-offer "
                                         "have-local-pranswer have-remote-pranswer closed " },
        { ln_ice_gathering_state_name_names, "new gathering complete " },
        { ln_ice_connection_state_name_names,
          "new checking connected completed disconnected failed closed " },
        { ln_peer_connection_state_name_names,
          "new connecting connected disconnected failed closed " },
        { ln_sdp_type_name_names, "offer pranswer answer rollback " },
        { ln_rtp_transceiver_direction_name_names, "sendrecv sendonly recvonly inactive stopped " },
        { ln_dtls_transport_state_name_names, "new connecting connected closed failed " },
        { ln_sctp_transport_state_name_names, "connecting connected closed " },
        { ln_data_channel_state_name_names, "connecting open closing closed " },
        { ln_ice_role_name_names, "unknown controlling controlled " },
        { ln_error_detail_name_names,
          " data-channel-failure dtls-failure fingerprint-failure sctp-failure sdp-syntax-error "
          "hardware-encoder-not-available hardware-encoder-error " },
    };
    char text[512];

    for (size_t i = 0; i < sizeof enums / sizeof *enums; i++) {
        enums[i].names(text);
        CHECK_TEXT(text, enums[i].expected);
    }
}

LN_TEST(w3c, the_configuration_can_be_read_back_and_changed_within_limits)
{
    const char *const urls[] = { "stun:stun.example.org", "turn:turn.example.org?transport=udp" };
    struct ln_ice_server server = { urls, 2, "user", "secret" };
    struct ln_configuration configuration, got;

    ln_configuration_init(&configuration);
    CHECK(configuration.ice_server_count == 0 && configuration.certificate_count == 0);
    CHECK(configuration.ice_transport_policy == LN_ICE_TRANSPORT_POLICY_ALL);
    CHECK(configuration.bundle_policy == LN_BUNDLE_POLICY_BALANCED);
    CHECK(configuration.rtcp_mux_policy == LN_RTCP_MUX_POLICY_REQUIRE);
    CHECK(configuration.ice_candidate_pool_size == 0);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    configuration.bundle_policy = LN_BUNDLE_POLICY_MAX_BUNDLE;
    pair_init(&pair, &configuration);
    ln_peer_connection_get_configuration(pair.sides[0].pc, &got);
    CHECK(got.ice_server_count == 1 && got.ice_servers[0].url_count == 2);
    CHECK_TEXT(got.ice_servers[0].urls[1], urls[1]);
    CHECK_TEXT(got.ice_servers[0].username, "user");
    CHECK_TEXT(got.ice_servers[0].credential, "secret");
    CHECK(got.bundle_policy == LN_BUNDLE_POLICY_MAX_BUNDLE);
    configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    CHECK(ln_peer_connection_set_configuration(pair.sides[0].pc, &configuration) == 0);
    ln_peer_connection_get_configuration(pair.sides[0].pc, &got);
    CHECK(got.ice_transport_policy == LN_ICE_TRANSPORT_POLICY_RELAY);
    configuration.bundle_policy = LN_BUNDLE_POLICY_MAX_COMPAT;
    CHECK(ln_peer_connection_set_configuration(pair.sides[0].pc, &configuration) ==
          LN_ERR_INVALID_MODIFICATION);
    pair_free(&pair);
}

LN_TEST(w3c, a_certificate_tells_its_expiry_and_fingerprints)
{
    const int64_t wall = 1700000000 * (int64_t)LN_SECONDS(1);
    struct ln_configuration configuration;
    ln_certificate *certificate;
    char text[192];

    pair_init(&pair, NULL); /* for the environment's crypto */
    CHECK(ln_peer_connection_generate_certificate(test_env(), LN_KEY_ALGORITHM_ECDSA_P256, wall,
                                                  &certificate) == 0);
    CHECK(ln_certificate_expires_ms(certificate) > wall / 1000000);
    CHECK(ln_certificate_fingerprint(certificate, "sha-256", text, sizeof text) == 0);
    CHECK(strlen(text) == 95 && text[2] == ':');
    CHECK(ln_certificate_fingerprint(certificate, "md2", text, sizeof text) ==
          LN_ERR_NOT_SUPPORTED);
    ln_configuration_init(&configuration);
    configuration.wall_offset = wall;
    configuration.certificates = &certificate;
    configuration.certificate_count = 1;
    ln_peer_connection_free(pair.sides[0].pc);
    CHECK(ln_peer_connection_create(&configuration, test_env(), &pair.sides[0].pc) == 0);
    ln_peer_connection_get_configuration(pair.sides[0].pc, &configuration);
    CHECK(configuration.certificate_count <= 1);
    ln_certificate_unref(certificate);
    pair_free(&pair);
}

LN_TEST(w3c, a_new_connection_is_in_its_initial_states)
{
    struct ln_session_description description;
    const ln_peer_connection *pc;

    pair_init(&pair, NULL);
    pc = pair.sides[0].pc;
    CHECK(ln_peer_connection_signaling_state(pc) == LN_SIGNALING_STATE_STABLE);
    CHECK(ln_peer_connection_ice_gathering_state(pc) == LN_ICE_GATHERING_STATE_NEW);
    CHECK(ln_peer_connection_ice_connection_state(pc) == LN_ICE_CONNECTION_STATE_NEW);
    CHECK(ln_peer_connection_connection_state(pc) == LN_PEER_CONNECTION_STATE_NEW);
    CHECK(ln_peer_connection_can_trickle_ice_candidates(pc) == -1);
    CHECK(ln_peer_connection_sctp(pc) == NULL);
    CHECK(ln_peer_connection_transceiver_count(pc) == 0);
    CHECK(!ln_peer_connection_local_description(pair.sides[0].pc, &description));
    CHECK(!ln_peer_connection_remote_description(pair.sides[0].pc, &description));
    pair_free(&pair);
}

static ln_data_channel *add_channel(const char *label, const struct ln_data_channel_init *init)
{
    ln_data_channel *channel;

    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, label, init, &channel) == 0);
    pair.sides[0].channels[pair.sides[0].channel_count++] = channel;
    return channel;
}

LN_TEST(w3c, descriptions_move_from_pending_to_current)
{
    struct ln_session_description d = { LN_SDP_TYPE_OFFER, NULL };
    ln_peer_connection *a, *b;
    char *offer;
    ln_op_id op;

    pair_init(&pair, NULL);
    a = pair.sides[0].pc;
    b = pair.sides[1].pc;
    add_channel("chat", NULL);
    CHECK(ln_peer_connection_create_offer(a, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].description != NULL);
    offer = strdup(pair.sides[0].description);
    d.sdp = offer;
    CHECK(ln_peer_connection_set_local_description(a, &d, &op) == 0);
    CHECK(ln_peer_connection_set_remote_description(b, &d, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_peer_connection_signaling_state(a) == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER);
    CHECK(ln_peer_connection_signaling_state(b) == LN_SIGNALING_STATE_HAVE_REMOTE_OFFER);
    CHECK(ln_peer_connection_pending_local_description(a, &d) && d.type == LN_SDP_TYPE_OFFER);
    CHECK(!ln_peer_connection_current_local_description(a, &d));
    CHECK(ln_peer_connection_pending_remote_description(b, &d));
    CHECK(ln_peer_connection_can_trickle_ice_candidates(b) == 1);
    CHECK(ln_peer_connection_create_answer(b, &op) == 0);
    pair_settle(&pair);
    d.type = LN_SDP_TYPE_ANSWER;
    d.sdp = pair.sides[1].description;
    CHECK(ln_peer_connection_set_local_description(b, &d, &op) == 0);
    CHECK(ln_peer_connection_set_remote_description(a, &d, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_peer_connection_signaling_state(a) == LN_SIGNALING_STATE_STABLE);
    CHECK(ln_peer_connection_current_local_description(a, &d) && d.type == LN_SDP_TYPE_OFFER);
    CHECK(ln_peer_connection_current_remote_description(a, &d) && d.type == LN_SDP_TYPE_ANSWER);
    CHECK(!ln_peer_connection_pending_local_description(a, &d));
    CHECK(ln_peer_connection_local_description(b, &d) && d.type == LN_SDP_TYPE_ANSWER);
    CHECK(ln_peer_connection_remote_description(b, &d) && d.type == LN_SDP_TYPE_OFFER);
    free(offer);
    pair_free(&pair);
}

LN_TEST(w3c, an_offer_can_be_rolled_back)
{
    struct ln_session_description rollback = { LN_SDP_TYPE_ROLLBACK, NULL };
    ln_op_id op;

    pair_init(&pair, NULL);
    add_channel("chat", NULL);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(ln_peer_connection_set_local_description(pair.sides[0].pc, &rollback, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].last_error == 0);
    CHECK(ln_peer_connection_signaling_state(pair.sides[0].pc) == LN_SIGNALING_STATE_STABLE);
    pair_free(&pair);
}

LN_TEST(w3c, a_malformed_description_names_its_line)
{
    struct ln_session_description bad = { LN_SDP_TYPE_OFFER,
                                          "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nnonsense\r\n" };
    ln_op_id op;

    pair_init(&pair, NULL);
    CHECK(ln_peer_connection_set_remote_description(pair.sides[0].pc, &bad, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].last_error != 0);
    CHECK(pair.sides[0].last_rtc_error.detail == LN_ERROR_DETAIL_SDP_SYNTAX_ERROR);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.sdp_line_number, 3);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.sctp_cause_code, -1);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.received_alert, -1);
    CHECK_EQUAL(pair.sides[0].last_rtc_error.sent_alert, -1);
    pair_free(&pair);
}

static unsigned seen; /* bit of each kind of event */

static void see(struct side *side, const struct ln_event *event)
{
    (void)side;
    seen |= 1u << event->kind;
    if (event->kind == LN_EVENT_ICE_CANDIDATE && !event->u.ice_candidate.last &&
        event->u.ice_candidate.candidate.candidate[0]) {
        const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;

        CHECK(strncmp(c->candidate, "candidate:", 10) == 0);
        CHECK_TEXT(c->sdp_mid, "0");
        CHECK(c->sdp_m_line_index == 0);
        CHECK(c->foundation[0] && c->username_fragment[0] && c->priority > 0 && c->port > 0);
        CHECK_TEXT(c->component, "rtp");
        CHECK_TEXT(c->protocol, "udp");
        CHECK_TEXT(c->type, "host");
        CHECK_TEXT(c->address, side->index == 0 ? "10.0.0.1" : "10.0.0.2");
        CHECK(!c->tcp_type && !c->related_address && !c->relay_protocol);
    }
}

static void connect_channel(const struct ln_data_channel_init *init)
{
    pair_init(&pair, NULL);
    seen = 0;
    pair.on_event = see;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    add_channel("chat", init);
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
}

LN_TEST(w3c, the_events_of_a_connection_are_fired)
{
    static const enum ln_event_kind expected[] = {
        LN_EVENT_OPERATION_DONE,
        LN_EVENT_NEGOTIATION_NEEDED,
        LN_EVENT_ICE_CANDIDATE,
        LN_EVENT_SIGNALING_STATE_CHANGE,
        LN_EVENT_ICE_CONNECTION_STATE_CHANGE,
        LN_EVENT_ICE_GATHERING_STATE_CHANGE,
        LN_EVENT_CONNECTION_STATE_CHANGE,
        LN_EVENT_DATA_CHANNEL,
        LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE,
        LN_EVENT_ICE_TRANSPORT_STATE_CHANGE,
        LN_EVENT_ICE_TRANSPORT_GATHERING_STATE_CHANGE,
        LN_EVENT_SELECTED_CANDIDATE_PAIR_CHANGE,
        LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE,
        LN_EVENT_OPEN,
    };

    connect_channel(NULL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(seen & 1u << expected[i]);
    pair_free(&pair);
}

LN_TEST(w3c, transports_tell_roles_states_candidates_and_certificates)
{
    struct ln_ice_candidate local, remote;
    const char *ufrag, *password;
    ln_sctp_transport *sctp;
    ln_dtls_transport *dtls;
    ln_ice_transport *ice;
    uint16_t channels;

    connect_channel(NULL);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    sctp = ln_peer_connection_sctp(pair.sides[0].pc);
    dtls = ln_sctp_transport_transport(sctp);
    ice = ln_dtls_transport_ice_transport(dtls);
    CHECK(ln_sctp_transport_state(sctp) == LN_SCTP_TRANSPORT_STATE_CONNECTED);
    CHECK(ln_sctp_transport_max_message_size(sctp) == 262144);
    CHECK(ln_sctp_transport_max_channels(sctp, &channels) && channels > 1000);
    CHECK(ln_dtls_transport_state(dtls) == LN_DTLS_TRANSPORT_STATE_CONNECTED);
    CHECK(ln_dtls_transport_remote_certificate(dtls, 0).len > 100);
    CHECK(ln_dtls_transport_remote_certificate(dtls, 1).data == NULL);
    CHECK(ln_ice_transport_role(ice) == LN_ICE_ROLE_CONTROLLING);
    CHECK_TEXT(ln_ice_transport_component(ice), "rtp");
    CHECK(ln_ice_transport_state(ice) == LN_ICE_CONNECTION_STATE_COMPLETED ||
          ln_ice_transport_state(ice) == LN_ICE_CONNECTION_STATE_CONNECTED);
    CHECK(ln_ice_transport_gathering_state(ice) == LN_ICE_GATHERING_STATE_COMPLETE);
    CHECK(ln_ice_transport_local_candidate(ice, 0, &local));
    CHECK_TEXT(local.address, "10.0.0.1");
    CHECK(!ln_ice_transport_local_candidate(ice, 99, &local));
    CHECK(ln_ice_transport_remote_candidate(ice, 0, &remote));
    CHECK_TEXT(remote.address, "10.0.0.2");
    CHECK(ln_ice_transport_selected_candidate_pair(ice, &local, &remote));
    CHECK_TEXT(local.address, "10.0.0.1");
    CHECK_TEXT(remote.address, "10.0.0.2");
    CHECK(ln_ice_transport_local_parameters(ice, &ufrag, &password));
    CHECK(strlen(ufrag) >= 4 && strlen(password) >= 22);
    CHECK(ln_ice_transport_remote_parameters(ice, &ufrag, &password));
    CHECK(strlen(ufrag) >= 4 && strlen(password) >= 22);
    pair_free(&pair);
}

LN_TEST(w3c, a_data_channel_tells_what_it_was_made_with)
{
    struct ln_data_channel_init init;
    ln_data_channel *channel, *other;

    ln_data_channel_init_init(&init);
    CHECK(init.ordered && !init.negotiated && init.id == -1 && !init.protocol[0]);
    CHECK(init.max_packet_life_time == -1 && init.max_retransmits == -1);
    init.ordered = false;
    init.max_retransmits = 3;
    init.protocol = "json";
    init.priority = 512;
    connect_channel(&init);
    channel = pair.sides[0].channels[0];
    other = pair.sides[1].channels[0];
    for (int i = 0; i < 2; i++, channel = other) {
        CHECK_TEXT(ln_data_channel_label(channel), "chat");
        CHECK_TEXT(ln_data_channel_protocol(channel), "json");
        CHECK(!ln_data_channel_ordered(channel) && !ln_data_channel_negotiated(channel));
        CHECK(ln_data_channel_max_retransmits(channel) == 3);
        CHECK(ln_data_channel_max_packet_life_time(channel) == -1);
        CHECK(ln_data_channel_id(channel) >= 0);
        CHECK_EQUAL(ln_data_channel_priority(channel), 512);
        CHECK(ln_data_channel_ready_state(channel) == LN_DATA_CHANNEL_STATE_OPEN);
    }
    init.max_retransmits = -1;
    init.max_packet_life_time = 100;
    CHECK(ln_data_channel_max_packet_life_time(add_channel("timed", &init)) == 100);
    init.max_retransmits = 3;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "both", &init, &channel) ==
          LN_ERR_INVALID_ARGUMENT);
    pair_free(&pair);
}

static bool is_low(struct pair *p)
{
    return strstr(p->sides[0].log, " low") != NULL;
}

LN_TEST(w3c, the_buffered_amount_falls_and_says_so)
{
    static uint8_t data[50000];
    ln_data_channel *channel;

    connect_channel(NULL);
    channel = pair.sides[0].channels[0];
    CHECK(ln_data_channel_buffered_amount_low_threshold(channel) == 0);
    ln_data_channel_set_buffered_amount_low_threshold(channel, 1000);
    CHECK(ln_data_channel_buffered_amount_low_threshold(channel) == 1000);
    CHECK(ln_data_channel_send(channel, data, sizeof data) == 0);
    CHECK(ln_data_channel_buffered_amount(channel) == sizeof data);
    CHECK(pair_run(&pair, LN_SECONDS(5), is_low));
    CHECK(ln_data_channel_buffered_amount(channel) <= 1000);
    pair_free(&pair);
}

LN_TEST(w3c, closing_a_channel_fires_closing_and_close)
{
    connect_channel(NULL);
    ln_data_channel_close(pair.sides[0].channels[0]);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(strstr(pair.sides[1].log, "closing close") != NULL);
    CHECK(ln_data_channel_ready_state(pair.sides[0].channels[0]) == LN_DATA_CHANNEL_STATE_CLOSED);
    pair_free(&pair);
}

static ln_media_stream_track *new_track(enum ln_media_kind kind)
{
    ln_media_stream_track *track;

    CHECK(ln_media_stream_track_create(test_env(), kind, NULL, &track) == 0);
    return track;
}

LN_TEST(w3c, a_transceiver_has_direction_mid_sender_and_receiver)
{
    const char *const streams[] = { "stream" };
    struct ln_rtp_transceiver_init init;
    enum ln_rtp_transceiver_direction direction;
    ln_rtp_transceiver *transceiver, *other;

    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    ln_rtp_transceiver_init_init(&init);
    CHECK(init.direction == LN_RTP_TRANSCEIVER_DIRECTION_SENDRECV);
    CHECK(init.stream_count == 0 && init.send_encoding_count == 0);
    init.direction = LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY;
    init.stream_ids = streams;
    init.stream_count = 1;
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_VIDEO, NULL, &init,
                                             &transceiver) == 0);
    CHECK(ln_rtp_transceiver_mid(transceiver) == NULL);
    CHECK(ln_rtp_transceiver_kind(transceiver) == LN_MEDIA_VIDEO);
    CHECK(!ln_rtp_transceiver_current_direction(transceiver, &direction));
    CHECK(ln_rtp_receiver_track(ln_rtp_transceiver_receiver(transceiver)) != NULL);
    CHECK(ln_rtp_sender_track(ln_rtp_transceiver_sender(transceiver)) == NULL);
    CHECK(ln_rtp_sender_transport(ln_rtp_transceiver_sender(transceiver)) == NULL);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK(ln_rtp_transceiver_mid(transceiver) != NULL);
    CHECK(ln_rtp_transceiver_current_direction(transceiver, &direction) &&
          direction == LN_RTP_TRANSCEIVER_DIRECTION_SENDONLY);
    CHECK(ln_rtp_sender_transport(ln_rtp_transceiver_sender(transceiver)) != NULL);
    CHECK(ln_rtp_receiver_transport(ln_rtp_transceiver_receiver(transceiver)) ==
          ln_rtp_sender_transport(ln_rtp_transceiver_sender(transceiver)));
    CHECK(pair.sides[1].tracks == 1);
    other = ln_peer_connection_transceiver(pair.sides[1].pc, 0);
    CHECK(ln_rtp_transceiver_current_direction(other, &direction) &&
          direction == LN_RTP_TRANSCEIVER_DIRECTION_RECVONLY);
    CHECK(ln_rtp_transceiver_set_direction(transceiver, LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE) ==
          0);
    CHECK(ln_rtp_transceiver_direction(transceiver) == LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    CHECK(ln_rtp_transceiver_current_direction(transceiver, &direction) &&
          direction == LN_RTP_TRANSCEIVER_DIRECTION_INACTIVE);
    pair_free(&pair);
}

static char stream_id[64];

static void keep_stream(struct side *side, const struct ln_event *event)
{
    (void)side;
    if (event->kind != LN_EVENT_TRACK)
        return;
    CHECK(event->u.track.stream_count == 1);
    CHECK(event->u.track.receiver == ln_rtp_transceiver_receiver(event->u.track.transceiver));
    CHECK(event->u.track.track == ln_rtp_receiver_track(event->u.track.receiver));
    snprintf(stream_id, sizeof stream_id, "%s", event->u.track.stream_ids[0]);
}

LN_TEST(w3c, a_track_event_carries_receiver_track_streams_and_transceiver)
{
    const char *const streams[] = { "stream" };
    ln_media_stream_track *track;
    ln_rtp_sender *sender, *again;

    pair_init(&pair, NULL);
    pair.on_event = keep_stream;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    track = new_track(LN_MEDIA_AUDIO);
    CHECK(ln_peer_connection_add_track(pair.sides[0].pc, track, streams, 1, &sender) == 0);
    CHECK(ln_peer_connection_add_track(pair.sides[0].pc, track, streams, 1, &again) ==
          LN_ERR_INVALID_ACCESS);
    CHECK(ln_rtp_sender_track(sender) == track);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK_TEXT(stream_id, "stream");
    ln_media_stream_track_unref(track);
    pair_free(&pair);
}

LN_TEST(w3c, capabilities_name_codecs_and_header_extensions)
{
    static struct ln_rtp_capabilities audio, video;

    ln_rtp_capabilities_get(LN_MEDIA_AUDIO, &audio);
    CHECK_TEXT(audio.codecs[0].mime_type, "audio/opus");
    CHECK(audio.codecs[0].clock_rate == 48000 && audio.codecs[0].channels == 2);
    CHECK(audio.codecs[0].sdp_fmtp_line[0] != '\0');
    ln_rtp_capabilities_get(LN_MEDIA_VIDEO, &video);
    CHECK_TEXT(video.codecs[0].mime_type, "video/VP8");
    CHECK(video.header_extension_count > 0 && strstr(video.header_extensions[0].uri, "mid"));
}

static bool video_agreed(struct pair *p)
{
    return ln_peer_connection_transceiver_count(p->sides[1].pc) == 1 && pair_connected(p);
}

LN_TEST(w3c, sender_parameters_can_be_read_and_set)
{
    static struct ln_rtp_parameters parameters;
    ln_rtp_transceiver *transceiver;
    ln_rtp_sender *sender;
    ln_op_id op;

    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_VIDEO, NULL, NULL,
                                             &transceiver) == 0);
    sender = ln_rtp_transceiver_sender(transceiver);
    CHECK(pair_run(&pair, LN_SECONDS(5), video_agreed));
    ln_rtp_sender_get_parameters(sender, &parameters);
    CHECK(parameters.transaction_id[0] && parameters.rtcp_cname[0]);
    CHECK(parameters.rtcp_reduced_size);
    CHECK(parameters.codec_count > 0 && parameters.codecs[0].payload_type > 0);
    CHECK(parameters.header_extension_count > 0 && parameters.header_extensions[0].id > 0);
    CHECK(!parameters.header_extensions[0].encrypted);
    CHECK(parameters.encoding_count == 1 && parameters.encodings[0].active);
    CHECK(!parameters.encodings[0].rid[0]);
    parameters.encodings[0].max_bitrate_bps = 300000;
    parameters.encodings[0].max_framerate = 15;
    parameters.encodings[0].scale_resolution_down_by = 2;
    CHECK(ln_rtp_sender_set_parameters(sender, &parameters, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].last_error == 0);
    ln_rtp_sender_get_parameters(sender, &parameters);
    CHECK(parameters.encodings[0].max_bitrate_bps == 300000);
    CHECK(parameters.encodings[0].scale_resolution_down_by > 1.9);
    parameters.encodings[0].scale_resolution_down_by = 0.5;
    CHECK(ln_rtp_sender_set_parameters(sender, &parameters, &op) == 0);
    pair_settle(&pair);
    CHECK_EQUAL(pair.sides[0].last_error, LN_ERR_RANGE);
    pair_free(&pair);
}

LN_TEST(w3c, a_senders_track_and_streams_can_be_replaced)
{
    const char *const streams[] = { "another" };
    ln_media_stream_track *audio, *video;
    ln_rtp_transceiver *transceiver;
    ln_rtp_sender *sender;
    ln_op_id op;

    pair_init(&pair, NULL);
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_VIDEO, NULL, NULL,
                                             &transceiver) == 0);
    sender = ln_rtp_transceiver_sender(transceiver);
    audio = new_track(LN_MEDIA_AUDIO);
    video = new_track(LN_MEDIA_VIDEO);
    CHECK(ln_rtp_sender_replace_track(sender, audio, &op) == LN_ERR_INVALID_ARGUMENT);
    CHECK(ln_rtp_sender_replace_track(sender, video, &op) == 0);
    CHECK(ln_rtp_sender_set_streams(sender, streams, 1) == 0);
    CHECK(ln_peer_connection_create_offer(pair.sides[0].pc, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(ln_rtp_sender_track(sender) == video);
    CHECK(pair.sides[0].description != NULL);
    CHECK(strstr(pair.sides[0].description, "a=msid:another") != NULL);
    ln_media_stream_track_unref(audio);
    ln_media_stream_track_unref(video);
    pair_free(&pair);
}

LN_TEST(w3c, receiver_parameters_and_jitter_buffer_target)
{
    static struct ln_rtp_parameters parameters;
    ln_rtp_transceiver *transceiver;
    ln_rtp_receiver *receiver;

    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL,
                                             &transceiver) == 0);
    receiver = ln_rtp_transceiver_receiver(transceiver);
    CHECK(ln_rtp_receiver_jitter_buffer_target(receiver) < 0);
    CHECK(ln_rtp_receiver_set_jitter_buffer_target(receiver, 120) == 0);
    CHECK(ln_rtp_receiver_jitter_buffer_target(receiver) > 119);
    CHECK(ln_rtp_receiver_set_jitter_buffer_target(receiver, 4001) == LN_ERR_RANGE);
    CHECK(pair_run(&pair, LN_SECONDS(5), video_agreed));
    ln_rtp_receiver_get_parameters(receiver, &parameters);
    CHECK(parameters.codec_count > 0 && parameters.header_extension_count > 0);
    CHECK_TEXT(parameters.codecs[0].mime_type, "audio/opus");
    pair_free(&pair);
}

LN_TEST(w3c, codec_preferences_order_the_offer)
{
    static struct ln_rtp_capabilities capabilities;
    struct ln_rtp_codec_parameters wanted[1], unknown[1];
    ln_rtp_transceiver *transceiver;
    ln_op_id op;
    size_t i;

    pair_init(&pair, NULL);
    ln_rtp_capabilities_get(LN_MEDIA_AUDIO, &capabilities);
    for (i = 0; strcmp(capabilities.codecs[i].mime_type, "audio/PCMA") != 0; i++)
        CHECK(i + 1 < capabilities.codec_count);
    wanted[0] = unknown[0] = capabilities.codecs[i];
    snprintf(unknown[0].mime_type, sizeof unknown[0].mime_type, "audio/unheard-of");
    CHECK(ln_peer_connection_add_transceiver(pair.sides[0].pc, LN_MEDIA_AUDIO, NULL, NULL,
                                             &transceiver) == 0);
    CHECK(ln_rtp_transceiver_set_codec_preferences(transceiver, unknown, 1) ==
          LN_ERR_INVALID_MODIFICATION);
    CHECK(ln_rtp_transceiver_set_codec_preferences(transceiver, wanted, 1) == 0);
    CHECK(ln_peer_connection_create_offer(pair.sides[0].pc, NULL, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].description != NULL);
    CHECK(strstr(pair.sides[0].description, " PCMA/8000") != NULL);
    CHECK(strstr(pair.sides[0].description, "opus") == NULL);
    pair_free(&pair);
}

LN_TEST(w3c, a_stats_report_is_a_map_of_ids)
{
    ln_op_id op;

    connect_channel(NULL);
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[0].stats != NULL);
    CHECK(strstr(pair.sides[0].stats, "{\"id\":\"T0\",\"type\":\"transport\",\"timestamp\":"));
    CHECK(strstr(pair.sides[0].stats, "\"label\":\"chat\",\"protocol\":\"\","
                                      "\"dataChannelIdentifier\":"));
    CHECK(strstr(pair.sides[0].stats, "\"state\":\"open\",\"messagesSent\":0,\"bytesSent\":0,"
                                      "\"messagesReceived\":0,\"bytesReceived\":0"));
    pair_free(&pair);
}

LN_TEST(w3c, restarting_ice_asks_for_negotiation)
{
    connect_channel(NULL);
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    pair.sides[0].negotiates = false;
    seen = 0;
    ln_peer_connection_restart_ice(pair.sides[0].pc);
    pair_settle(&pair);
    CHECK(seen & 1u << LN_EVENT_NEGOTIATION_NEEDED);
    pair_free(&pair);
}

LN_TEST(w3c, an_unanswered_server_is_reported)
{
    const char *const urls[] = { "stun:10.0.0.99:3478" };
    struct ln_ice_server server = { urls, 1, NULL, NULL };
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    pair_init(&pair, &configuration);
    seen = 0;
    pair.on_event = see;
    pair.sides[0].negotiates = true;
    add_channel("chat", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(60), NULL));
    CHECK(seen & 1u << LN_EVENT_ICE_CANDIDATE_ERROR);
    pair_free(&pair);
}

LN_TEST(w3c, the_relay_policy_gives_no_other_candidates)
{
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    pair_init(&pair, &configuration);
    pair.sides[0].negotiates = true;
    add_channel("chat", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    CHECK(strstr(pair.sides[0].log, "complete") != NULL);
    for (size_t i = 0; i < pair.note_count; i++)
        CHECK(!pair.notes[i].text[0] || !strstr(pair.notes[i].text, "typ host"));
    pair_free(&pair);
}

static struct turn_double relay;
static unsigned relayed_candidates;

static void see_relayed(struct side *side, const struct ln_event *event)
{
    const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;

    if (event->kind != LN_EVENT_ICE_CANDIDATE || event->u.ice_candidate.last || !c->candidate[0])
        return;
    (void)side;
    CHECK_TEXT(c->type, "relay");
    CHECK_TEXT(c->url, "turn:192.0.2.1?transport=udp");
    CHECK_TEXT(c->relay_protocol, "udp");
    CHECK_TEXT(c->related_address, "0.0.0.0");
    CHECK_EQUAL(c->related_port, 9);
    relayed_candidates++;
}

LN_TEST(w3c, a_relayed_candidate_tells_its_server_and_hides_the_host)
{
    const char *const urls[] = { "turn:192.0.2.1?transport=udp" };
    struct ln_ice_server server = { urls, 1, "user", "secret" };
    struct ln_session_description description;
    struct ln_configuration configuration;
    ln_op_id op;

    ln_configuration_init(&configuration);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    configuration.ice_transport_policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    pair_init(&pair, NULL);
    for (int i = 0; i < 2; i++) /* before it gathers */
        CHECK(ln_peer_connection_set_configuration(pair.sides[i].pc, &configuration) == 0);
    turn_double_init(&relay, test_env(), "192.0.2.1");
    wire_add(&pair.wire, turn_double_endpoint(&relay));
    pair.on_event = see_relayed;
    relayed_candidates = 0;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    add_channel("chat", NULL);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_open));
    CHECK(ln_data_channel_send(pair.sides[0].channels[0], "through", 7) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(6), NULL));
    CHECK(pair.sides[1].last_len == 7 && memcmp(pair.sides[1].last_message, "through", 7) == 0);
    CHECK_EQUAL(relayed_candidates, 2);
    CHECK(ln_peer_connection_local_description(pair.sides[0].pc, &description));
    CHECK(!strstr(description.sdp, "10.0.0.") && strstr(description.sdp, " typ relay "));
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(7), NULL));
    CHECK(pair.sides[0].stats != NULL);
    CHECK(!strstr(pair.sides[0].stats, "10.0.0."));
    CHECK(strstr(pair.sides[0].stats, "\"relayProtocol\":\"udp\""));
    CHECK(strstr(pair.sides[0].stats, "\"url\":\"turn:192.0.2.1?transport=udp\""));
    CHECK(relay.channel_data_in > 5 && relay.channel_data_in > relay.indications_in / 2);
    pair_free(&pair);
}

static struct ln_rtc_error dtls_error, channel_error;

static void keep_errors(struct side *side, const struct ln_event *event)
{
    if (side->index == 0 && event->kind == LN_EVENT_DTLS_TRANSPORT_ERROR)
        dtls_error = event->u.error.error;
    if (side->index == 0 && event->kind == LN_EVENT_ERROR)
        channel_error = event->u.error.error;
}

static bool first_failed(struct pair *p)
{
    return ln_peer_connection_connection_state(p->sides[0].pc) == LN_PEER_CONNECTION_STATE_FAILED;
}

LN_TEST(w3c, another_fingerprint_fails_the_transport_with_an_error_event)
{
    char *fingerprint;

    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    pair.signalling_delay = LN_MILLISECONDS(100);
    pair.on_event = keep_errors;
    add_channel("chat", NULL);
    while (!pair.note_count || pair.notes[0].to != 0 || pair.notes[0].type != LN_SDP_TYPE_ANSWER)
        CHECK(pair_run(&pair, LN_MILLISECONDS(5), NULL) && pair.wire.now < LN_SECONDS(5));
    fingerprint = strstr(pair.notes[0].text, "sha-256 ");
    CHECK(fingerprint != NULL);
    fingerprint[8] = fingerprint[8] == 'A' ? 'B' : 'A';
    CHECK(pair_run(&pair, LN_SECONDS(10), first_failed));
    CHECK_EQUAL(dtls_error.detail, LN_ERROR_DETAIL_FINGERPRINT_FAILURE);
    CHECK(channel_error.error != 0);
    CHECK(ln_data_channel_ready_state(pair.sides[0].channels[0]) == LN_DATA_CHANNEL_STATE_CLOSED);
    pair_free(&pair);
}

LN_TEST(w3c, an_offer_with_ice_restart_has_new_credentials)
{
    struct ln_offer_options options = { sizeof options, true };
    const char *ufrag, *password;
    ln_op_id op;

    connect_channel(NULL);
    CHECK(ln_ice_transport_local_parameters(
        ln_dtls_transport_ice_transport(
            ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc))),
        &ufrag, &password));
    CHECK(ln_peer_connection_create_offer(pair.sides[0].pc, &options, &op) == 0);
    pair_settle(&pair);
    CHECK(pair.sides[0].description && !strstr(pair.sides[0].description, ufrag));
    pair_free(&pair);
}

/* Adds a candidate to side 0 and looks for it by its foundation; NULL fragment: none given. */
static int add_remote(const char *line, const char *fragment, struct ln_ice_candidate *ret)
{
    const struct ln_ice_candidate_init init = { line, "0", 0, fragment };
    ln_ice_transport *ice = ln_dtls_transport_ice_transport(
        ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc)));
    ln_op_id op;

    CHECK(ln_peer_connection_add_ice_candidate(pair.sides[0].pc, &init, &op) == 0);
    pair_settle(&pair);
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; ln_ice_transport_remote_candidate(ice, i, ret); i++)
        if (strcmp(ret->foundation, "77") == 0)
            break;
    return pair.sides[0].last_error;
}

LN_TEST(w3c, remote_candidates_are_parsed)
{
    static const char line[] = "candidate:77 1 udp 1677729535 198.51.100.7 4000 typ srflx raddr "
                               "10.9.9.9 rport 5000";
    const char *ufrag, *password;
    struct ln_ice_candidate candidate;
    ln_op_id op;

    connect_channel(NULL);
    CHECK(ln_ice_transport_remote_parameters(
        ln_dtls_transport_ice_transport(
            ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc))),
        &ufrag, &password));
    CHECK_EQUAL(add_remote(line, "another", &candidate), LN_ERR_OPERATION);
    CHECK_EQUAL(add_remote(line, ufrag, &candidate), 0);
    CHECK_TEXT(candidate.type, "srflx");
    CHECK_TEXT(candidate.address, "198.51.100.7");
    CHECK(candidate.port == 4000 && candidate.priority == 1677729535u);
    CHECK_TEXT(candidate.foundation, "77");
    CHECK_TEXT(candidate.related_address, "10.9.9.9");
    CHECK(candidate.related_port == 5000);
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[0].stats != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"relatedAddress\":\"10.9.9.9\",\"relatedPort\":5000"));
    pair_free(&pair);
}

LN_TEST(w3c, a_track_selects_its_statistics)
{
    ln_media_stream_track *track;
    ln_rtp_sender *audio, *video;
    ln_op_id op;

    pair_init(&pair, NULL);
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    track = new_track(LN_MEDIA_AUDIO);
    CHECK(ln_peer_connection_add_track(pair.sides[0].pc, track, NULL, 0, &audio) == 0);
    ln_media_stream_track_unref(track);
    track = new_track(LN_MEDIA_VIDEO);
    CHECK(ln_peer_connection_add_track(pair.sides[0].pc, track, NULL, 0, &video) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(5), pair_connected));
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, track, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[0].stats != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"kind\":\"video\"") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"kind\":\"audio\"") == NULL);
    CHECK(strstr(pair.sides[0].stats, "\"type\":\"peer-connection\"") == NULL);
    CHECK(strstr(pair.sides[0].stats, "\"type\":\"transport\"") != NULL);
    ln_media_stream_track_unref(track);
    pair_free(&pair);
}
