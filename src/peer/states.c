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
    struct ln_event last = { .kind = LN_EVENT_ICE_CANDIDATE };

    event.u.ice_gathering_state = state;
    if (pc->current.ice_transport_gathering != state && ln_push_event(pc, &event))
        pc->current.ice_transport_gathering = state;
    event.kind = LN_EVENT_ICE_GATHERING_STATE_CHANGE;
    if (pc->current.gathering == state || !ln_push_event(pc, &event))
        return;
    pc->current.gathering = state;
    last.u.ice_candidate.last = true;
    last.u.ice_candidate.candidate.sdp_m_line_index = -1;
    if (state == LN_ICE_GATHERING_STATE_COMPLETE)
        ln_push_event(pc, &last);
}

static void tell_ice(struct ln_peer_connection *pc, enum ln_ice_connection_state state)
{
    struct ln_event event = { .kind = LN_EVENT_ICE_TRANSPORT_STATE_CHANGE };

    event.u.ice_transport_state = state;
    if (pc->current.ice_transport != state && ln_push_event(pc, &event))
        pc->current.ice_transport = state;
    event.kind = LN_EVENT_ICE_CONNECTION_STATE_CHANGE;
    event.u.ice_connection_state = state;
    if (pc->current.ice != state && ln_push_event(pc, &event))
        pc->current.ice = state;
}

void ln_states_update(struct ln_peer_connection *pc)
{
    enum ln_dtls_transport_state dtls = (enum ln_dtls_transport_state)pc->transport.dtls_state;
    enum ln_peer_connection_state connection = combine(pc->transport.ice_state, dtls);
    struct ln_event event;

    if (pc->closed)
        return;
    event.kind = LN_EVENT_SIGNALING_STATE_CHANGE;
    event.u.signaling_state = pc->negotiation.state;
    if (pc->negotiation.state != pc->current.signaling && ln_push_event(pc, &event))
        pc->current.signaling = pc->negotiation.state;
    tell_gathering(pc, pc->transport.gathering_state);
    tell_ice(pc, pc->transport.ice_state);
    event.kind = LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE;
    event.u.dtls_transport_state = dtls;
    if (dtls != pc->current.dtls && ln_push_event(pc, &event))
        pc->current.dtls = dtls;
    event.kind = LN_EVENT_CONNECTION_STATE_CHANGE;
    event.u.connection_state = connection;
    if (connection != pc->current.connection && ln_push_event(pc, &event))
        pc->current.connection = connection;
    event.kind = LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE;
    event.u.sctp_transport_state = pc->data.state;
    if (pc->data.state != pc->current.sctp && ln_push_event(pc, &event))
        pc->current.sctp = pc->data.state;
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
