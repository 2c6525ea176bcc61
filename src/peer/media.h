/* SPDX-License-Identifier: Apache-2.0
 * Media on the transport: one RTP session under SRTP, with congestion control and pacing, and the
 * encoder targets that follow from it. Comes to life with the first media section. */
#ifndef LN_PEER_MEDIA_H
#define LN_PEER_MEDIA_H

#include "base/endpoint.h"
#include "cc/estimator.h"
#include "cc/pacer.h"
#include "cc/receive_rate.h"
#include "rtp/session.h"
#include "sdp/jsep.h"
#include "srtp/srtp.h"

#include <linnet/event.h>
#include <linnet/rtp_transceiver.h>

#define LN_MEDIA_EARLY_MAX 32u /* packets kept that come before the keys */

struct ln_peer_connection;

struct ln_media {
    struct ln_rtp_session *rtp;
    struct ln_srtp *protect, *unprotect; /* NULL before DTLS gave keys */
    struct ln_estimator *estimator;
    struct ln_pacer pacer;
    struct ln_receive_rate receive_rate;
    struct ln_buffer *early[LN_MEDIA_EARLY_MAX];
    size_t early_count;
    uint64_t target_bps; /* told last */
    double loss;         /* of what we send, told last by the other side */
};

void ln_media_init(struct ln_peer_connection *pc);
void ln_media_deinit(struct ln_peer_connection *pc);
void ln_media_set_wall_offset(struct ln_peer_connection *pc, int64_t wall_offset);

/* The session, its estimator and pacer come to life with the first media section. */
LN_NODISCARD int ln_media_need_session(struct ln_peer_connection *pc);
/* A random SSRC that no sender of this connection has. */
uint32_t ln_media_new_ssrc(struct ln_peer_connection *pc);

/* Our own offer stands: what it says we receive may come before the answer. */
void ln_media_expect(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver,
                     const struct ln_sdp *offer);
/* Both descriptions stand. */
LN_NODISCARD int ln_media_agree(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver,
                                const struct ln_jsep_agreed *agreed);
/* The transceiver's own wishes changed (stopped, track removed, rolled back). */
void ln_media_update(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver);
/* Its streams end. */
void ln_media_remove(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver);
/* Queues an event about the receiver's track. */
void ln_media_push_track(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver,
                         enum ln_event_kind kind);
/* Nothing is received any more: the track is muted (mute_due). */
void ln_media_mute(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver);
/* Negotiation lets the stream be heard that was heard before (unmute_due). */
void ln_media_resume(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver);
/* Something is received: the track is unmuted. */
void ln_media_unmute(struct ln_peer_connection *pc, ln_rtp_transceiver *transceiver);

/* DTLS is connected: keys are there. */
void ln_media_keyed(struct ln_peer_connection *pc);
void ln_media_path_changed(struct ln_peer_connection *pc, ln_time now);

void ln_media_receive_rtp(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet);
void ln_media_receive_rtcp(struct ln_peer_connection *pc, ln_time now, struct ln_packet *packet);
/* Fills out->data from out->len 0 if something may leave now. */
void ln_media_poll_transmit(struct ln_peer_connection *pc, ln_time now, struct ln_transmit *out);
void ln_media_on_timeout(struct ln_peer_connection *pc, ln_time now);
ln_time ln_media_next_timeout(const struct ln_peer_connection *pc);
/* Takes the news of the session and of the estimator. */
void ln_media_process(struct ln_peer_connection *pc, ln_time now);
/* Getters follow the event that is being taken; an encoder target says what holds by then. */
void ln_media_show(struct ln_event *event);

#endif
