/* SPDX-License-Identifier: Apache-2.0
 * The states of a peer connection and its transports: combined from the layers (W3C 4.4.3), told by
 * events in the order of the specification, shown by getters when the event is taken. */
#include "peer/peer_connection.h"

static enum ln_peer_connection_state combine(enum ln_ice_connection_state ice,
                                             enum ln_dtls_transport_state dtls)
{
    bool ice_up = ice == LN_ICE_CONNECTION_STATE_CONNECTED ||
                  ice == LN_ICE_CONNECTION_STATE_COMPLETED || ice == LN_ICE_CONNECTION_STATE_CLOSED;

    if (ice == LN_ICE_CONNECTION_STATE_FAILED || dtls == LN_DTLS_TRANSPORT_STATE_FAILED)
        return LN_PEER_CONNECTION_STATE_FAILED;
    if (ice == LN_ICE_CONNECTION_STATE_DISCONNECTED)
        return LN_PEER_CONNECTION_STATE_DISCONNECTED;
    if ((ice == LN_ICE_CONNECTION_STATE_NEW || ice == LN_ICE_CONNECTION_STATE_CLOSED) &&
        (dtls == LN_DTLS_TRANSPORT_STATE_NEW || dtls == LN_DTLS_TRANSPORT_STATE_CLOSED))
        return LN_PEER_CONNECTION_STATE_NEW;
    if (ice_up &&
        (dtls == LN_DTLS_TRANSPORT_STATE_CONNECTED || dtls == LN_DTLS_TRANSPORT_STATE_CLOSED))
        return LN_PEER_CONNECTION_STATE_CONNECTED;
    return LN_PEER_CONNECTION_STATE_CONNECTING;
}

static void tell_gathering(struct ln_peer_connection *pc, enum ln_ice_gathering_state state)
{
    struct ln_event event = { .kind = LN_EVENT_ICE_TRANSPORT_GATHERING_STATE_CHANGE };

    pc->current.ice_transport_gathering = pc->current.gathering = state;
    event.u.ice_gathering_state = state;
    ln_push_event(pc, &event);
    event.kind = LN_EVENT_ICE_GATHERING_STATE_CHANGE;
    ln_push_event(pc, &event);
    if (state == LN_ICE_GATHERING_STATE_COMPLETE) {
        struct ln_event last = { .kind = LN_EVENT_ICE_CANDIDATE };

        last.u.ice_candidate.last = true;
        last.u.ice_candidate.candidate.sdp_m_line_index = -1;
        ln_push_event(pc, &last);
    }
}

static void tell_ice(struct ln_peer_connection *pc, enum ln_ice_connection_state state)
{
    struct ln_event event = { .kind = LN_EVENT_ICE_TRANSPORT_STATE_CHANGE };

    pc->current.ice = pc->current.ice_transport = state;
    event.u.ice_transport_state = state;
    ln_push_event(pc, &event);
    event.kind = LN_EVENT_ICE_CONNECTION_STATE_CHANGE;
    event.u.ice_connection_state = state;
    ln_push_event(pc, &event);
}

void ln_states_update(struct ln_peer_connection *pc)
{
    enum ln_dtls_transport_state dtls = (enum ln_dtls_transport_state)pc->transport.dtls_state;
    enum ln_peer_connection_state connection;
    struct ln_event event;

    if (pc->closed)
        return;
    if (pc->negotiation.state != pc->current.signaling) {
        event.kind = LN_EVENT_SIGNALING_STATE_CHANGE;
        event.u.signaling_state = pc->current.signaling = pc->negotiation.state;
        ln_push_event(pc, &event);
    }
    if (pc->transport.gathering_state != pc->current.gathering)
        tell_gathering(pc, pc->transport.gathering_state);
    if (pc->transport.ice_state != pc->current.ice)
        tell_ice(pc, pc->transport.ice_state);
    if (dtls != pc->current.dtls) {
        event.kind = LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE;
        event.u.dtls_transport_state = pc->current.dtls = dtls;
        ln_push_event(pc, &event);
    }
    connection = combine(pc->transport.ice_state, dtls);
    if (connection != pc->current.connection) {
        event.kind = LN_EVENT_CONNECTION_STATE_CHANGE;
        event.u.connection_state = pc->current.connection = connection;
        ln_push_event(pc, &event);
    }
    if (pc->data.state != pc->current.sctp) {
        event.kind = LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE;
        event.u.sctp_transport_state = pc->current.sctp = pc->data.state;
        ln_push_event(pc, &event);
    }
}

void ln_states_show(struct ln_peer_connection *pc, const struct ln_event *event)
{
    if (pc->closed)
        return;
    switch (event->kind) {
    case LN_EVENT_SIGNALING_STATE_CHANGE:
        pc->shown.signaling = event->u.signaling_state;
        break;
    case LN_EVENT_ICE_TRANSPORT_GATHERING_STATE_CHANGE:
        pc->shown.ice_transport_gathering = event->u.ice_gathering_state;
        break;
    case LN_EVENT_ICE_GATHERING_STATE_CHANGE:
        pc->shown.gathering = event->u.ice_gathering_state;
        break;
    case LN_EVENT_ICE_TRANSPORT_STATE_CHANGE:
        pc->shown.ice_transport = event->u.ice_transport_state;
        break;
    case LN_EVENT_ICE_CONNECTION_STATE_CHANGE:
        pc->shown.ice = event->u.ice_connection_state;
        break;
    case LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE:
        pc->shown.dtls = event->u.dtls_transport_state;
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        pc->shown.connection = event->u.connection_state;
        break;
    case LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE:
        pc->shown.sctp = event->u.sctp_transport_state;
        break;
    default:
        break;
    }
}

void ln_states_close(struct ln_peer_connection *pc)
{
    pc->negotiation.state = LN_SIGNALING_STATE_CLOSED;
    pc->shown.signaling = LN_SIGNALING_STATE_CLOSED;
    pc->shown.ice = pc->shown.ice_transport = LN_ICE_CONNECTION_STATE_CLOSED;
    pc->shown.connection = LN_PEER_CONNECTION_STATE_CLOSED;
    pc->shown.dtls = LN_DTLS_TRANSPORT_STATE_CLOSED;
    pc->shown.sctp = LN_SCTP_TRANSPORT_STATE_CLOSED;
    pc->current = pc->shown;
}
