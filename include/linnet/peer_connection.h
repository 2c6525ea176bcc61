/* SPDX-License-Identifier: Apache-2.0
 * RTCPeerConnection (https://www.w3.org/TR/webrtc/#interface-definition).
 *
 * A peer connection is an endpoint (linnet/endpoint.h): something else owns the sockets and the
 * clock. Every call on its owner thread; it has no thread and no lock of its own. A call without
 * `now` only queues its work: next_timeout() is then LN_TIME_IMMEDIATE and the next call with now
 * does it. */
#ifndef LINNET_PEER_CONNECTION_H
#define LINNET_PEER_CONNECTION_H

#include <linnet/certificate.h>
#include <linnet/configuration.h>
#include <linnet/endpoint.h>
#include <linnet/env.h>
#include <linnet/event.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_peer_connection ln_peer_connection;

/* new RTCPeerConnection(configuration). NULL takes the defaults. The environment is borrowed for
 * the object's life. Returns 0, LN_ERR_NOMEM, LN_ERR_CRYPTO, LN_ERR_SYNTAX (an ICE URL),
 * LN_ERR_INVALID_ACCESS (expired certificate, missing credential) or LN_ERR_NOT_SUPPORTED. */
LN_API LN_NODISCARD int ln_peer_connection_create(const struct ln_configuration *configuration,
                                                  const struct ln_env *env,
                                                  ln_peer_connection **ret_pc);
/* Frees it with all that belongs to it. NULL is fine. Says nothing to the other side: close() first
 * and let the driver take what poll_transmit() has. */
LN_API void ln_peer_connection_free(ln_peer_connection *pc);
/* close(): states become "closed" without events, as the W3C says; operations under way never end.
 */
LN_API void ln_peer_connection_close(ln_peer_connection *pc);
LN_API void ln_peer_connection_set_wall_offset(ln_peer_connection *pc, int64_t wall_offset);

/* --- the operations chain: each gives an id, LN_EVENT_OPERATION_DONE with it tells the outcome.
 * All return 0, LN_ERR_INVALID_STATE after close(), LN_ERR_LIMIT (256 wait) or LN_ERR_NOMEM. */

/* RTCOfferOptions. */
struct ln_offer_options {
    size_t size;
    bool ice_restart;
};

LN_API LN_NODISCARD int ln_peer_connection_create_offer(ln_peer_connection *pc,
                                                        const struct ln_offer_options *options,
                                                        ln_op_id *ret_op);
LN_API LN_NODISCARD int ln_peer_connection_create_answer(ln_peer_connection *pc, ln_op_id *ret_op);
/* description NULL, or its type IMPLICIT: an offer or answer is made as the state demands. */
LN_API LN_NODISCARD int ln_peer_connection_set_local_description(
    ln_peer_connection *pc, const struct ln_session_description *description, ln_op_id *ret_op);
LN_API LN_NODISCARD int ln_peer_connection_set_remote_description(
    ln_peer_connection *pc, const struct ln_session_description *description, ln_op_id *ret_op);
/* candidate NULL or its text "": the end of candidates. */
LN_API LN_NODISCARD int ln_peer_connection_add_ice_candidate(
    ln_peer_connection *pc, const struct ln_ice_candidate_init *candidate, ln_op_id *ret_op);
/* getStats(): selector NULL for everything. */
LN_API LN_NODISCARD int ln_peer_connection_get_stats(ln_peer_connection *pc,
                                                     const ln_media_stream_track *selector,
                                                     ln_op_id *ret_op);

/* --- attributes. A description's text lives until the next call on pc with now; false stands for
 * null. */
LN_API bool ln_peer_connection_local_description(ln_peer_connection *pc,
                                                 struct ln_session_description *ret);
LN_API bool ln_peer_connection_current_local_description(ln_peer_connection *pc,
                                                         struct ln_session_description *ret);
LN_API bool ln_peer_connection_pending_local_description(ln_peer_connection *pc,
                                                         struct ln_session_description *ret);
LN_API bool ln_peer_connection_remote_description(ln_peer_connection *pc,
                                                  struct ln_session_description *ret);
LN_API bool ln_peer_connection_current_remote_description(ln_peer_connection *pc,
                                                          struct ln_session_description *ret);
LN_API bool ln_peer_connection_pending_remote_description(ln_peer_connection *pc,
                                                          struct ln_session_description *ret);
LN_API enum ln_signaling_state ln_peer_connection_signaling_state(const ln_peer_connection *pc);
LN_API enum ln_ice_gathering_state
ln_peer_connection_ice_gathering_state(const ln_peer_connection *pc);
LN_API enum ln_ice_connection_state
ln_peer_connection_ice_connection_state(const ln_peer_connection *pc);
LN_API enum ln_peer_connection_state
ln_peer_connection_connection_state(const ln_peer_connection *pc);
/* canTrickleIceCandidates: 1, 0, or -1 for null. */
LN_API int ln_peer_connection_can_trickle_ice_candidates(const ln_peer_connection *pc);
LN_API void ln_peer_connection_restart_ice(ln_peer_connection *pc);
/* getConfiguration(): texts and lists are borrowed from pc. */
LN_API void ln_peer_connection_get_configuration(const ln_peer_connection *pc,
                                                 struct ln_configuration *ret);
/* setConfiguration(): certificates, bundle and mux policy, ice_lite must stay
 * (LN_ERR_INVALID_MODIFICATION). */
LN_API LN_NODISCARD int
ln_peer_connection_set_configuration(ln_peer_connection *pc,
                                     const struct ln_configuration *configuration);

/* --- media. getTransceivers() and, through them, getSenders() and getReceivers(). */
LN_API size_t ln_peer_connection_transceiver_count(const ln_peer_connection *pc);
LN_API ln_rtp_transceiver *ln_peer_connection_transceiver(const ln_peer_connection *pc,
                                                          size_t index);
/* addTrack(): a reference to the track is taken. Returns 0, LN_ERR_INVALID_STATE,
 * LN_ERR_INVALID_ACCESS (already sent by one of the senders) or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_peer_connection_add_track(ln_peer_connection *pc,
                                                     ln_media_stream_track *track,
                                                     const char *const *stream_ids,
                                                     size_t stream_count,
                                                     ln_rtp_sender **ret_sender);
LN_API LN_NODISCARD int ln_peer_connection_remove_track(ln_peer_connection *pc,
                                                        ln_rtp_sender *sender);
/* addTransceiver(): track may be NULL, then kind counts. init NULL for defaults. */
LN_API LN_NODISCARD int ln_peer_connection_add_transceiver(
    ln_peer_connection *pc, enum ln_media_kind kind, ln_media_stream_track *track,
    const struct ln_rtp_transceiver_init *init, ln_rtp_transceiver **ret_transceiver);

/* --- data. */
LN_API ln_sctp_transport *ln_peer_connection_sctp(const ln_peer_connection *pc); /* NULL: null */
/* createDataChannel(): init NULL for defaults. Returns 0, LN_ERR_INVALID_STATE after close,
 * LN_ERR_INVALID_ARGUMENT (label or protocol above 65535 bytes or not UTF-8, both limits, id
 * 65535), LN_ERR_OPERATION (id in use or no id left), LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int
ln_peer_connection_create_data_channel(ln_peer_connection *pc, const char *label,
                                       const struct ln_data_channel_init *init,
                                       ln_data_channel **ret_channel);

/* --- the endpoint, for the driver. */
LN_API struct ln_endpoint ln_peer_connection_endpoint(ln_peer_connection *pc);
LN_API void ln_peer_connection_receive(ln_peer_connection *pc, ln_time now,
                                       struct ln_packet *packet);
LN_API void ln_peer_connection_on_timeout(ln_peer_connection *pc, ln_time now);
LN_API ln_time ln_peer_connection_next_timeout(const ln_peer_connection *pc);
LN_API LN_NODISCARD int ln_peer_connection_poll_transmit(ln_peer_connection *pc, ln_time now,
                                                         struct ln_transmit *out);
LN_API LN_NODISCARD int ln_peer_connection_poll_request(ln_peer_connection *pc,
                                                        struct ln_request *ret_request);
LN_API void ln_peer_connection_answer(ln_peer_connection *pc, ln_time now,
                                      const struct ln_answer *answer);
/* Returns 1 and an event, or 0. */
LN_API LN_NODISCARD int ln_peer_connection_poll_event(ln_peer_connection *pc,
                                                      struct ln_event *ret_event);

/* Packets that were dropped, by reason: the index-th reason's name, NULL past the end. */
LN_API const char *ln_peer_connection_drop_reason(const ln_peer_connection *pc, size_t index,
                                                  uint64_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
