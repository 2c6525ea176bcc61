/* SPDX-License-Identifier: Apache-2.0
 * RTCSctpTransport (https://www.w3.org/TR/webrtc/#rtcsctptransport-interface). */
#include "peer/data_channel.h"
#include "peer/peer_connection.h"

ln_sctp_transport *ln_peer_connection_sctp(const ln_peer_connection *pc)
{
    return pc->data.agreed ? (ln_sctp_transport *)(uintptr_t)&pc->data.handle : NULL;
}

ln_dtls_transport *ln_sctp_transport_transport(ln_sctp_transport *transport)
{
    return &transport->pc->transport.dtls_handle;
}

enum ln_sctp_transport_state ln_sctp_transport_state(const ln_sctp_transport *transport)
{
    return transport->pc->shown.sctp;
}

size_t ln_sctp_transport_max_message_size(const ln_sctp_transport *transport)
{
    const struct ln_data_channels *channels = transport->pc->data.channels;
    uint64_t max = channels ? ln_data_channels_max_message(channels) : 0;

    return max > SIZE_MAX ? SIZE_MAX : (size_t)max;
}

bool ln_sctp_transport_max_channels(const ln_sctp_transport *transport, uint16_t *ret_channels)
{
    struct ln_sctp_stats stats;

    if (!transport->pc->data.channels ||
        transport->pc->shown.sctp != LN_SCTP_TRANSPORT_STATE_CONNECTED)
        return false;
    ln_sctp_stats(ln_data_channels_association(transport->pc->data.channels), &stats);
    *ret_channels = stats.incoming_streams < stats.outgoing_streams ? stats.incoming_streams
                                                                    : stats.outgoing_streams;
    return true;
}
