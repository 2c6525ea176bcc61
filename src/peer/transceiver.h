/* SPDX-License-Identifier: Apache-2.0
 * RTCRtpTransceiver with its sender and receiver, from the inside. The three live and die together,
 * as long as their peer connection; a stopped one stays as a handle and leaves the list. */
#ifndef LN_PEER_TRANSCEIVER_H
#define LN_PEER_TRANSCEIVER_H

#include "base/rng.h"
#include "peer/media_stream_track.h"
#include "peer/operations.h"
#include "sdp/jsep.h"

#include <linnet/rtp_transceiver.h>

struct ln_peer_connection;

#define LN_STREAM_IDS_MAX 8u
#define LN_MID_TEXT       (LN_SDP_MID_MAX + 1)

struct ln_stream_ids {
    char id[LN_STREAM_IDS_MAX][LN_MSID_TEXT];
    size_t count;
};

struct ln_rtp_outbound;
struct ln_rtp_inbound;

struct ln_rtp_sender {
    ln_rtp_transceiver *transceiver;
    ln_media_stream_track *track; /* a reference; NULL: null */
    struct ln_stream_ids streams;
    uint32_t ssrc, rtx_ssrc;
    struct ln_rtp_encoding_parameters encoding;
    char transaction_id[LN_UUID_TEXT]; /* of the last getParameters(); "": none is open */
    struct ln_rtp_outbound *outbound;  /* NULL before something was negotiated to send */
    enum ln_codec codec;               /* to encode with; NONE while nothing may be sent */
    bool sending;
    bool key_frame_due;                 /* tell the encoder with the next target */
    struct ln_encoder_target told;      /* the target told last, or about to be */
    bool target_queued;                 /* its event is in the queue */
    struct ln_rtp_encoder_report total; /* sums of the encoder's reports */
    char implementation[32];
};

struct ln_rtp_receiver {
    ln_rtp_transceiver *transceiver;
    ln_media_stream_track *track;
    struct ln_stream_ids streams; /* the remote's */
    struct ln_rtp_inbound *inbound;
    double jitter_buffer_target_ms; /* negative: null */
    bool receiving;
    bool frame_told; /* LN_EVENT_FRAME is queued */
    struct ln_rtp_decoder_report total;
    char implementation[32];
};

struct ln_rtp_transceiver {
    struct ln_peer_connection *pc;
    enum ln_media_kind kind;
    char mid[LN_MID_TEXT]; /* "": null */
    int m_line;            /* index of its section, -1: none */
    int offered_line;      /* in the offer created last; -1: none */
    enum ln_rtp_transceiver_direction direction;
    bool has_current;
    enum ln_rtp_transceiver_direction current_direction;
    bool fired_receiving;                            /* [[FiredDirection]] has recv */
    bool mute_due, ended_due, track_due, unmute_due; /* events to be fired, in this order */
    bool stable_fired_receiving;
    bool refused; /* the offer that stands refuses its section: stopped with the answer */
    bool stopping, stopped;
    bool added_by_track; /* addTrack() made it or took it: a remote section may adopt it */
    bool ever_sent;      /* its sender was once negotiated to send */
    struct ln_rtp_codec_parameters *preferences; /* owned; NULL: default order */
    size_t preference_count;
    /* What a rollback goes back to. */
    char stable_mid[LN_MID_TEXT];
    int stable_line;
    struct ln_stream_ids stable_streams; /* the remote's */
    bool made_by_remote_offer;           /* and by nothing else since */
    struct ln_rtp_sender sender;
    struct ln_rtp_receiver receiver;
};

LN_NODISCARD int ln_transceiver_create(struct ln_peer_connection *pc, enum ln_media_kind kind,
                                       ln_media_stream_track *track,
                                       enum ln_rtp_transceiver_direction direction,
                                       ln_rtp_transceiver **ret_transceiver);
/* Frees it; its streams in the media session must be gone. */
void ln_transceiver_free(ln_rtp_transceiver *transceiver);
/* Ends it for good: the track ends, the section of the next offer is refused. Leaves ended_due to
 * be fired if it is asked for. */
void ln_transceiver_stop_now(ln_rtp_transceiver *transceiver, bool fire_ended);
ln_rtp_transceiver *ln_transceiver_of_line(const struct ln_peer_connection *pc, int m_line);

bool ln_direction_sends(enum ln_rtp_transceiver_direction direction);
bool ln_direction_receives(enum ln_rtp_transceiver_direction direction);
enum ln_rtp_transceiver_direction ln_direction_make(bool sends, bool receives);
enum ln_sdp_direction ln_direction_to_sdp(enum ln_rtp_transceiver_direction direction);
enum ln_rtp_transceiver_direction ln_direction_from_sdp(enum ln_sdp_direction direction);

/* Copies up to LN_STREAM_IDS_MAX ids. LN_ERR_INVALID_ARGUMENT for one that is no msid. */
LN_NODISCARD int ln_stream_ids_set(struct ln_stream_ids *ids, const char *const *stream_ids,
                                   size_t count);

/* The dictionaries of getParameters() as far as negotiation decides them. */
void ln_parameters_fill(const ln_rtp_transceiver *transceiver, bool sending,
                        struct ln_rtp_parameters *ret);

/* Operations (peer/operations.h). */
void ln_sender_set_parameters_now(struct ln_peer_connection *pc, ln_time now,
                                  struct ln_operation *operation,
                                  struct ln_operation_result *result);
void ln_sender_replace_track_now(struct ln_peer_connection *pc, ln_time now,
                                 struct ln_operation *operation,
                                 struct ln_operation_result *result);

#endif
