/* SPDX-License-Identifier: Apache-2.0
 * The operations chain of a peer connection (https://www.w3.org/TR/webrtc/#dfn-operations-chain):
 * asynchronous calls are queued, run one after another in calls that have `now`, and each ends in
 * one LN_EVENT_OPERATION_DONE. An operation does all its work in one go, so the chain never stands
 * half-way. */
#ifndef LN_PEER_OPERATIONS_H
#define LN_PEER_OPERATIONS_H

#include <linnet/peer_connection.h>

struct ln_peer_connection;

enum ln_operation_kind {
    LN_OPERATION_CREATE_OFFER,
    LN_OPERATION_CREATE_ANSWER,
    LN_OPERATION_SET_LOCAL_DESCRIPTION,
    LN_OPERATION_SET_REMOTE_DESCRIPTION,
    LN_OPERATION_ADD_ICE_CANDIDATE,
    LN_OPERATION_GET_STATS,
    LN_OPERATION_SET_PARAMETERS,
    LN_OPERATION_REPLACE_TRACK,
    LN_OPERATIONS /* how many kinds there are */
};

struct ln_operation {
    enum ln_operation_kind kind;
    ln_op_id id;
    bool ice_restart;                     /* create offer */
    enum ln_sdp_type type;                /* set description */
    char *text;                           /* its SDP, or the candidate line; owned; may be NULL */
    char *mid, *username_fragment;        /* candidate; owned; may be NULL */
    int32_t m_line_index;                 /* candidate */
    bool end_of_candidates;               /* candidate NULL: for all sections */
    ln_rtp_sender *sender;                /* set parameters, replace track */
    ln_media_stream_track *track;         /* replace track, get stats: a reference; may be NULL */
    struct ln_rtp_parameters *parameters; /* owned */
};

/* Queues one; takes over what it owns, also on failure. Returns 0, LN_ERR_INVALID_STATE after
 * close, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_operations_add(struct ln_peer_connection *pc, struct ln_operation *operation,
                                   ln_op_id *ret_op);
/* Runs all that are queued. */
void ln_operations_run(struct ln_peer_connection *pc, ln_time now);
/* close(): forgets them; they never end. */
void ln_operations_clear(struct ln_peer_connection *pc);

/* What an operation came to; the runner makes the event of it. */
struct ln_operation_result {
    struct ln_rtc_error error; /* error.error 0: done */
    char *message;             /* owned text of error.message; may be NULL */
    struct ln_session_description description;
    char *text;             /* owned text of description.sdp */
    ln_stats_report *stats; /* owned */
};

/* Marks failure with a sentence (copied; format as in printf). */
void ln_operation_fail(struct ln_peer_connection *pc, struct ln_operation_result *result, int error,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
