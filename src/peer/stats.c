/* SPDX-License-Identifier: Apache-2.0
 * The statistics selection algorithm and the collectors, one a dictionary of webrtc-stats
 * (https://www.w3.org/TR/webrtc-stats/); those of media are in peer/stats_media.c. Ids are stable
 * over the life of what they name: P peer connection, T0 transport, CP<n> pair, L<n>/R<n>
 * candidates, CFlocal/CFremote certificates, D<n> data channel, I<ssrc>/O<ssrc> streams in and out,
 * RI<ssrc>/RO<ssrc> the other side's view, S<ssrc> media source, C<in|out><mid>_<payload type>
 * codec. */
#include "peer/stats.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/certificate.h"
#include "peer/negotiation.h"
#include "peer/peer_connection.h"
#include "peer/stats_parts.h"

void ln_stats_add_wall(struct ln_peer_connection *pc, ln_stats_report *report, const char *name,
                       ln_time when)
{
    if (when != LN_TIME_NEVER)
        ln_stats_add_number(report, name, ln_wall_ms(pc, when));
}

static void collect_peer_connection(struct ln_peer_connection *pc, ln_stats_report *report)
{
    ln_stats_begin(report, "peer-connection", "P");
    ln_stats_add_integer(report, "dataChannelsOpened", (int64_t)pc->data.opened);
    ln_stats_add_integer(report, "dataChannelsClosed", (int64_t)pc->data.closed);
}

static void collect_transport(struct ln_peer_connection *pc, ln_stats_report *report)
{
    const struct ln_transport *t = &pc->transport;
    struct ln_ice_pair_info pair;

    ln_stats_begin(report, "transport", "%s", LN_STATS_TRANSPORT_ID);
    ln_stats_add_integer(report, "packetsSent", (int64_t)t->packets_sent);
    ln_stats_add_integer(report, "packetsReceived", (int64_t)t->packets_received);
    ln_stats_add_integer(report, "bytesSent", (int64_t)t->bytes_sent);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)t->bytes_received);
    ln_stats_add_text(report, "iceRole", ln_ice_role_name(ln_ice_transport_role(&t->ice_handle)));
    ln_stats_add_text(report, "iceLocalUsernameFragment", ln_ice_local_ufrag(t->ice));
    ln_stats_add_text(report, "dtlsState",
                      ln_dtls_transport_state_name((enum ln_dtls_transport_state)t->dtls_state));
    ln_stats_add_text(report, "iceState", ln_ice_connection_state_name(t->ice_state));
    if (ln_ice_selected_pair(t->ice, &pair))
        ln_stats_add_format(report, "selectedCandidatePairId", "CP%u", pair.id);
    ln_stats_add_text(report, "localCertificateId", "CFlocal");
    if (ln_dtls_remote_certificate(t->dtls).len > 0)
        ln_stats_add_text(report, "remoteCertificateId", "CFremote");
    ln_stats_add_text(report, "dtlsRole", ln_dtls_role_text(ln_dtls_role(t->dtls)));
    if (ln_dtls_version(t->dtls))
        ln_stats_add_format(report, "tlsVersion", "%04X", ln_dtls_version(t->dtls));
    if (ln_dtls_cipher_name(t->dtls)[0])
        ln_stats_add_text(report, "dtlsCipher", ln_dtls_cipher_name(t->dtls));
    if (ln_dtls_srtp_profile(t->dtls))
        ln_stats_add_text(report, "srtpCipher",
                          ln_srtp_profile_name(ln_dtls_srtp_profile(t->dtls)));
    ln_stats_add_integer(report, "selectedCandidatePairChanges",
                         ln_ice_selected_pair_changes(t->ice));
}

static void collect_certificate(ln_stats_report *report, struct ln_allocator *allocator,
                                const char *id, struct ln_bytes der)
{
    char fingerprint[LN_FINGERPRINT_TEXT_MAX], *base64;

    if (der.len == 0 || ln_fingerprint_format(der, "sha-256", fingerprint) != 0)
        return;
    base64 = ln_alloc(allocator, 4 * ((der.len + 2) / 3) + 1);
    ln_stats_begin(report, "certificate", "%s", id);
    ln_stats_add_text(report, "fingerprint", fingerprint);
    ln_stats_add_text(report, "fingerprintAlgorithm", "sha-256");
    if (base64)
        ln_stats_add_text(report, "base64Certificate", ln_base64_encode(der.data, der.len, base64));
    else
        report->failed = true;
    ln_free(allocator, base64);
}

static void collect_candidate(ln_stats_report *report, const struct ln_ice_candidate_info *info)
{
    const struct ln_candidate *c = &info->candidate;
    char ip[LN_ADDRESS_TEXT_MAX];

    ln_stats_begin(report, info->remote ? "remote-candidate" : "local-candidate", "%c%u",
                   info->remote ? 'R' : 'L', info->id);
    ln_stats_add_text(report, "transportId", LN_STATS_TRANSPORT_ID);
    ln_stats_add_text(report, "address",
                      c->name[0] ? c->name : ln_address_format_ip(&c->address, ip));
    ln_stats_add_integer(report, "port", c->address.port);
    ln_stats_add_text(report, "protocol", ln_candidate_protocol_name(c->protocol));
    ln_stats_add_text(report, "candidateType", ln_candidate_type_name(c->type));
    ln_stats_add_integer(report, "priority", c->priority);
    ln_stats_add_text(report, "url", info->url);
    ln_stats_add_text(report, "relayProtocol", info->relay_protocol);
    ln_stats_add_text(report, "foundation", c->foundation);
    if (c->related.family != LN_FAMILY_NONE) {
        ln_stats_add_text(report, "relatedAddress", ln_address_format_ip(&c->related, ip));
        ln_stats_add_integer(report, "relatedPort", c->related.port);
    }
    if (c->ufrag[0])
        ln_stats_add_text(report, "usernameFragment", c->ufrag);
    if (c->tcp_type != LN_CANDIDATE_TCP_NONE)
        ln_stats_add_text(report, "tcpType", ln_candidate_tcp_type_name(c->tcp_type));
}

static void collect_pair(struct ln_peer_connection *pc, ln_stats_report *report,
                         const struct ln_ice_pair_info *pair)
{
    const struct ln_media *m = &pc->media;

    ln_stats_begin(report, "candidate-pair", "CP%u", pair->id);
    ln_stats_add_text(report, "transportId", LN_STATS_TRANSPORT_ID);
    ln_stats_add_format(report, "localCandidateId", "L%u", pair->local_id);
    ln_stats_add_format(report, "remoteCandidateId", "R%u", pair->remote_id);
    ln_stats_add_text(report, "state", ln_ice_pair_state_name(pair->state));
    if (pair->failure != LN_ICE_FAILURE_NONE)
        ln_stats_add_text(report, "linnetFailure", ln_ice_failure_sentence(pair->failure));
    ln_stats_add_boolean(report, "nominated", pair->nominated);
    ln_stats_add_integer(report, "packetsSent", (int64_t)pair->packets_sent);
    ln_stats_add_integer(report, "packetsReceived", (int64_t)pair->packets_received);
    ln_stats_add_integer(report, "bytesSent", (int64_t)pair->bytes_sent);
    ln_stats_add_integer(report, "bytesReceived", (int64_t)pair->bytes_received);
    ln_stats_add_wall(pc, report, "lastPacketSentTimestamp", pair->last_sent);
    ln_stats_add_wall(pc, report, "lastPacketReceivedTimestamp", pair->last_received);
    ln_stats_add_number(report, "totalRoundTripTime", LN_STATS_SECONDS(pair->total_rtt));
    if (pair->current_rtt >= 0)
        ln_stats_add_number(report, "currentRoundTripTime", LN_STATS_SECONDS(pair->current_rtt));
    if (pair->selected && m->estimator)
        ln_stats_add_number(report, "availableOutgoingBitrate",
                            (double)m->estimator->ops->target_bps(m->estimator));
    ln_stats_add_integer(report, "requestsReceived", (int64_t)pair->requests_received);
    ln_stats_add_integer(report, "requestsSent", (int64_t)pair->requests_sent);
    ln_stats_add_integer(report, "responsesReceived", (int64_t)pair->responses_received);
    ln_stats_add_integer(report, "responsesSent", (int64_t)pair->responses_sent);
    ln_stats_add_integer(report, "consentRequestsSent", (int64_t)pair->consent_requests_sent);
    ln_stats_add_integer(report, "packetsDiscardedOnSend", (int64_t)pair->packets_discarded);
    ln_stats_add_integer(report, "bytesDiscardedOnSend", (int64_t)pair->bytes_discarded);
}

static void collect_ice(struct ln_peer_connection *pc, ln_stats_report *report)
{
    const struct ln_ice *ice = pc->transport.ice;
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair;
    size_t i;

    for (i = 0; ln_ice_pair(ice, i, &pair); i++)
        collect_pair(pc, report, &pair);
    for (i = 0; ln_ice_local_candidate(ice, i, &info); i++)
        collect_candidate(report, &info);
    for (i = 0; ln_ice_remote_candidate(ice, i, &info); i++)
        collect_candidate(report, &info);
}

static void collect_channels(struct ln_peer_connection *pc, ln_stats_report *report)
{
    size_t number = 0;

    LN_LIST_EACH (at, &pc->data.handles) {
        const struct ln_data_channel *channel = LN_CONTAINER(at, struct ln_data_channel, link);
        struct ln_channel_info info = { .messages_sent = channel->messages_sent,
                                        .bytes_sent = channel->bytes_sent,
                                        .messages_received = channel->messages_received,
                                        .bytes_received = channel->bytes_received };
        int32_t id = ln_data_channel_id(channel);

        if (channel->channel)
            (void)ln_data_channels_get(pc->data.channels, channel->channel, &info);
        ln_stats_begin(report, "data-channel", "D%zu", ++number);
        ln_stats_add_text(report, "label", channel->label);
        ln_stats_add_text(report, "protocol", channel->protocol);
        if (id >= 0)
            ln_stats_add_integer(report, "dataChannelIdentifier", id);
        ln_stats_add_text(report, "state", ln_data_channel_state_name(channel->state));
        ln_stats_add_integer(report, "messagesSent", (int64_t)info.messages_sent);
        ln_stats_add_integer(report, "bytesSent", (int64_t)info.bytes_sent);
        ln_stats_add_integer(report, "messagesReceived", (int64_t)info.messages_received);
        ln_stats_add_integer(report, "bytesReceived", (int64_t)info.bytes_received);
    }
}

void ln_stats_collect(struct ln_peer_connection *pc, ln_time now, struct ln_operation *operation,
                      struct ln_operation_result *result)
{
    const ln_media_stream_track *track = operation->track;
    ln_stats_report *report = ln_stats_report_create(pc->env.allocator, ln_wall_ms(pc, now));
    size_t i;

    if (!report) {
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
        return;
    }
    if (!track) {
        collect_peer_connection(pc, report);
        collect_channels(pc, report);
    }
    collect_transport(pc, report);
    collect_certificate(report, pc->env.allocator, "CFlocal",
                        ln_certificate_der(pc->transport.certificate));
    collect_certificate(report, pc->env.allocator, "CFremote",
                        ln_dtls_remote_certificate(pc->transport.dtls));
    collect_ice(pc, report);
    for (i = 0; i < pc->transceiver_count; i++) {
        const ln_rtp_transceiver *t = pc->transceivers[i];

        if (!track || t->sender.track == track)
            ln_stats_collect_sender(report, &t->sender);
        if (!track || t->receiver.track == track)
            ln_stats_collect_receiver(pc, report, &t->receiver, now);
    }
    if (ln_stats_finish(report) != 0)
        ln_operation_fail(pc, result, LN_ERR_NOMEM, "out of memory");
    else
        result->stats = report;
}
