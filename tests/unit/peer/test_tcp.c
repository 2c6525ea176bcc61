/* SPDX-License-Identifier: Apache-2.0
 * Peer connections over TCP (RFC 6544): handshake, messages and statistics where no UDP passes. */
#include "tests/unit/peer/pair.h"

static struct pair pair; /* large */
static size_t told[4];   /* candidates of side 0, by their tcpType */

static void count_candidates(struct side *side, const struct ln_event *event)
{
    static const char *const types[] = { "", "active", "passive", "so" };
    const struct ln_ice_candidate *candidate = &event->u.ice_candidate.candidate;

    if (event->kind != LN_EVENT_ICE_CANDIDATE || side->index != 0 || !candidate->type)
        return;
    for (size_t i = 0; i < 4; i++)
        told[i] += strcmp(candidate->tcp_type ? candidate->tcp_type : "", types[i]) == 0;
    CHECK_TEXT(candidate->protocol, candidate->tcp_type ? "tcp" : "udp");
}

static void connect(void)
{
    struct ln_configuration configuration;
    ln_data_channel *channel;

    ln_configuration_init(&configuration);
    configuration.network.ice_tcp = true;
    pair_init(&pair, &configuration);
    memset(told, 0, sizeof told);
    pair.on_event = count_candidates;
    pair.wire.filter = wire_drop_all;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "chat", NULL, &channel) == 0);
    pair.sides[0].channels[pair.sides[0].channel_count++] = channel;
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
}

static bool got_all(struct pair *p)
{
    return p->sides[1].messages >= 20;
}

LN_TEST(peer_tcp, messages_pass_whole_where_no_udp_does)
{
    static char text[60000];
    size_t sent = 0;

    connect();
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 20; i++) {
        CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], text, 1 + i * 3000) == 0);
        sent += 1 + i * 3000;
    }
    CHECK(pair_run(&pair, LN_SECONDS(20), got_all));
    CHECK_EQUAL(pair.sides[1].bytes, sent);
    pair_free(&pair);
}

LN_TEST(peer_tcp, candidates_and_statistics_tell_protocol_and_direction)
{
    struct ln_ice_candidate local, remote;
    ln_op_id op;

    connect();
    CHECK(told[0] >= 1 && told[1] == told[0] && told[2] == told[0] && told[3] == told[0]);
    CHECK(ln_ice_transport_selected_candidate_pair(
        ln_dtls_transport_ice_transport(
            ln_sctp_transport_transport(ln_peer_connection_sctp(pair.sides[0].pc))),
        &local, &remote));
    CHECK_TEXT(local.protocol, "tcp");
    CHECK(local.tcp_type && remote.tcp_type && strcmp(local.tcp_type, remote.tcp_type) != 0);
    CHECK(ln_peer_connection_get_stats(pair.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&pair, LN_MILLISECONDS(10), NULL));
    CHECK(pair.sides[0].stats != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"protocol\":\"tcp\""));
    CHECK(strstr(pair.sides[0].stats, "\"tcpType\":\"active\""));
    CHECK(strstr(pair.sides[0].stats, "\"tcpType\":\"passive\""));
    CHECK(strstr(pair.sides[0].stats, "\"tcpType\":\"so\""));
    pair_free(&pair);
}

LN_TEST(peer_tcp, descriptions_offer_tcp_below_udp_and_never_as_the_default)
{
    struct ln_session_description description;
    const char *udp, *tcp;

    connect();
    CHECK(ln_peer_connection_local_description(pair.sides[0].pc, &description));
    CHECK(strstr(description.sdp, "m=application 9 UDP/DTLS/SCTP ") != NULL);
    udp = strstr(description.sdp, " udp ");
    tcp = strstr(description.sdp, " tcp ");
    CHECK(udp && tcp && udp < tcp);
    pair_free(&pair);
}
