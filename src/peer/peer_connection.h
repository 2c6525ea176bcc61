/* SPDX-License-Identifier: Apache-2.0
 * The inside of a peer connection, shared by the files of this folder, and who does what in it:
 *
 *   peer_connection.c  creation, configuration, attributes, the endpoint calls
 *   operations.c       the operations chain
 *   negotiation.c      offer and answer: create_description.c makes them, local_description.c and
 *                      remote_description.c apply them, settle.c takes what both agreed into the
 *                      objects and back, candidates.c, needed.c
 *   sections.c         what the objects wish, as the m-sections of a description
 *   transceiver.c      RTCRtpTransceiver, sender.c, receiver.c
 *   transport.c        ICE and DTLS; packets in and out; transport_events.c, transport_views.c
 *   media.c            RTP, SRTP and congestion control on the transport; media_agree.c
 *   data_channel.c     RTCDataChannel and RTCSctpTransport
 *   states.c           the combined states and their events
 *   stats.c            getStats
 *
 * One BUNDLE transport carries everything. Inside, states are true at once; what the getters show
 * is the copy in `shown`, which moves when the event about it is taken. */
#ifndef LN_PEER_PEER_CONNECTION_H
#define LN_PEER_PEER_CONNECTION_H

#include "base/ring.h"
#include "base/rng.h"
#include "peer/configuration.h"
#include "peer/data_channel.h"
#include "peer/description.h"
#include "peer/events.h"
#include "peer/media.h"
#include "peer/transceiver.h"
#include "peer/transport.h"
#include "sdp/jsep.h"

#include <linnet/peer_connection.h>

#define LN_TRANSCEIVERS_MAX        128u  /* that are not stopped */
#define LN_TRANSCEIVER_HANDLES_MAX 4096u /* with the stopped ones, over the whole life */
#define LN_OPERATIONS_MAX          256u

/* Both sides of the agreed or pending state of negotiation. */
struct ln_negotiation {
    enum ln_signaling_state state;
    struct ln_description *current_local, *pending_local, *current_remote, *pending_remote;
    struct ln_description *created_offer, *created_answer; /* last given out */
    bool local_offered; /* whose offer the current descriptions come from */
    bool needed;        /* [[NegotiationNeeded]] */
    bool check_needed;  /* to be updated when the chain is empty */
    bool ice_restart;   /* restartIce() was called: offers have new credentials until an exchange
                           with them is done ([[LocalIceCredentialsToReplace]]) */
    char replaced_ufrag[LN_CANDIDATE_UFRAG_MAX + 1]; /* by that */
    uint64_t session_id, session_version;            /* the version given out last */
    uint32_t next_mid;
};

struct ln_shown_states {
    enum ln_signaling_state signaling;
    enum ln_ice_gathering_state gathering;
    enum ln_ice_connection_state ice;
    enum ln_peer_connection_state connection;
    enum ln_dtls_transport_state dtls;
    enum ln_ice_connection_state ice_transport;
    enum ln_ice_gathering_state ice_transport_gathering;
    enum ln_sctp_transport_state sctp;
};

struct ln_peer_connection {
    struct ln_env env;
    struct ln_configuration_store configuration;
    uint64_t trace_object;
    ln_time now; /* of the last call that had one */
    bool closed;
    bool stirred; /* a call without now left work */
    struct ln_events events;
    struct ln_ring operations; /* of struct ln_operation */
    ln_op_id last_op;
    struct ln_negotiation negotiation;
    ln_rtp_transceiver **transceivers; /* in the order of creation */
    size_t transceiver_count, transceiver_capacity;
    struct ln_transport transport;
    struct ln_ice_mux_member *member; /* of a shared port, or NULL */
    struct ln_media media;
    struct ln_data data;
    struct ln_shown_states shown;   /* what getters show */
    struct ln_shown_states current; /* what the last event queued said */
    char cname[LN_UUID_TEXT];
};

/* --- states.c */

/* Queues the events for everything that changed since the last call. What finds no room is queued
 * by a later call. */
void ln_states_update(struct ln_peer_connection *pc);
/* The getters follow the event that is being taken. */
void ln_states_show(struct ln_peer_connection *pc, const struct ln_event *event);
/* close(): all closed, no event. */
void ln_states_close(struct ln_peer_connection *pc);

/* --- peer_connection.c */

/* A call without now left work for the next call with now. */
static inline void ln_stir(struct ln_peer_connection *pc)
{
    pc->stirred = true;
}

/* Queues an event that points into no memory of its own; false when there is no room. */
static inline bool ln_push_event(struct ln_peer_connection *pc, const struct ln_event *event)
{
    return ln_events_push(&pc->events, event, NULL);
}

static inline double ln_wall_ms(const struct ln_peer_connection *pc, ln_time now)
{
    return (double)(now + pc->configuration.public.wall_offset) / 1e6;
}

#endif
