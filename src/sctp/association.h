/* SPDX-License-Identifier: Apache-2.0
 * The association from within: what handshake, input, transfer, reset and output share. Nothing
 * outside these files includes it. */
#ifndef LN_SCTP_ASSOCIATION_H
#define LN_SCTP_ASSOCIATION_H

#include "sctp/cc.h"
#include "sctp/cookie.h"
#include "sctp/loss.h"
#include "sctp/outstanding.h"
#include "sctp/packet.h"
#include "sctp/pmtu.h"
#include "sctp/reassembly.h"
#include "sctp/rto.h"
#include "sctp/sack.h"
#include "sctp/send_queue.h"

/* RFC 9260, 4. */
enum ln_association_state {
    LN_ASSOCIATION_IDLE, /* CLOSED of the RFC, before anything happened */
    LN_ASSOCIATION_COOKIE_WAIT,
    LN_ASSOCIATION_COOKIE_ECHOED,
    LN_ASSOCIATION_ESTABLISHED,
    LN_ASSOCIATION_SHUTDOWN_PENDING,
    LN_ASSOCIATION_SHUTDOWN_SENT,
    LN_ASSOCIATION_SHUTDOWN_RECEIVED,
    LN_ASSOCIATION_SHUTDOWN_ACK_SENT,
    LN_ASSOCIATION_ENDED, /* final */
};

#define LN_STATE_BIT(state) (1u << (state))
/* Where user data may arrive, and where it may be sent. */
#define LN_STATES_RECEIVING                                                                        \
    (LN_STATE_BIT(LN_ASSOCIATION_ESTABLISHED) | LN_STATE_BIT(LN_ASSOCIATION_SHUTDOWN_PENDING) |    \
     LN_STATE_BIT(LN_ASSOCIATION_SHUTDOWN_SENT))
#define LN_STATES_SENDING                                                                          \
    (LN_STATE_BIT(LN_ASSOCIATION_ESTABLISHED) | LN_STATE_BIT(LN_ASSOCIATION_SHUTDOWN_PENDING) |    \
     LN_STATE_BIT(LN_ASSOCIATION_SHUTDOWN_RECEIVED))

/* A whole packet that goes out alone: INIT ACK, HEARTBEAT ACK, ERROR, ABORT ... */
struct ln_control {
    struct ln_list link;
    size_t block_bytes, len;
    uint8_t data[];
};

/* RFC 6525, both directions. */
struct ln_reset_state {
    struct ln_list wanted;  /* outgoing streams not yet in a request */
    struct ln_list asked;   /* those in the request under way */
    uint32_t next_sequence; /* of our next request */
    uint32_t sequence;      /* of the one under way */
    uint32_t last_tsn;      /* its sender's last assigned TSN */
    bool under_way, request_due;
    ln_time deadline; /* of its answer; NEVER */

    unsigned tries;
    bool in_progress; /* the peer has it and waits for data */
    bool nudged;      /* it was asked again because it has that data */

    uint32_t peer_sequence; /* the next request we expect */
    struct ln_reset_answer {
        uint32_t sequence;
        uint8_t result; /* enum ln_reset_result */
        bool due;
    } answers[2]; /* to its last requests, the newer first */
    size_t answer_count;
    bool deferred; /* the peer's request waits for our cumulative TSN */
    uint32_t deferred_sequence;
    bool deferred_all;
    uint64_t deferred_tsn;
    uint16_t *deferred_streams;
    size_t deferred_count;
};

struct ln_sctp {
    const struct ln_env *env;
    struct ln_sctp_config config;
    enum ln_association_state state;
    struct ln_blocks blocks;
    struct ln_list news;
    struct ln_news connected, closed, restarted;
    struct ln_sctp_message *lent; /* of the last event; freed at the next */
    struct ln_lent_part part;     /* or this */
    int close_error;
    uint16_t close_cause;
    bool want_now; /* something was queued without a `now` */

    uint8_t cookie_key[LN_COOKIE_KEY_BYTES];
    uint32_t local_tag, peer_tag;
    uint32_t local_initial_tsn;
    uint16_t outgoing_streams, incoming_streams; /* negotiated */
    bool peer_known;                             /* an INIT ACK or a cookie of the peer was taken */
    bool peer_partial_reliability, peer_reset;
    bool zero_checksum; /* the peer takes packets without a sum */
    bool zero_accepted; /* and was told that we do */
    bool bare_init;     /* it did not answer the full one: nothing of it is offered any more */
    struct ln_cookie *agreed; /* what the peer's INIT in its description says; until we begin */
    bool snap;                /* began with it */
    bool unheard; /* and the peer has not shown yet that it did too: an INIT of it begins as ever */
    struct ln_bytes cookie; /* the peer's, to be echoed; ours to free */

    struct ln_send_queue queue;
    struct ln_outstanding outstanding;
    struct ln_received received;
    struct ln_reassembly reassembly;
    struct ln_reset_state reset;
    struct ln_rto rto;
    struct ln_pmtu pmtu;
    const struct ln_sctp_cc_ops *cc_ops;
    const struct ln_sctp_loss_ops *loss_ops;
    void *cc, *loss;
    size_t peer_window;      /* as last announced, less what is in flight */
    size_t announced_window; /* ours, as last announced */
    ln_time window_from;     /* since when the owner took what is counted for its size */
    uint64_t window_taken;
    uint64_t forwarded;     /* the last TSN told by FORWARD TSN */
    bool window_limited;    /* sending stopped at the congestion window */
    bool pace_limited;      /* or to be paced, since the queue was last empty */
    bool fast_retransmit;   /* the next packet passes the congestion window */
    size_t repair_bytes;    /* retransmissions that pass it too */
    ln_time paced_until;    /* data waits for its turn; NEVER: it does not */
    bool probing;           /* what is in flight was sent into a closed window */
    ln_time last_sent;      /* data */
    ln_time starving_since; /* the message under way keeps others waiting for its owner; NEVER */
    bool oversized;         /* the last packet was */

    struct ln_list controls;
    size_t control_count;
    bool init_due, cookie_echo_due, cookie_ack_due, shutdown_due, shutdown_ack_due;
    bool shutdown_complete_due, heartbeat_due, forward_due, sack_immediate;

    ln_time handshake_deadline; /* T1-init, T1-cookie, T2-shutdown */
    ln_time handshake_sent;     /* for the round trip; NEVER after a retransmission */
    uint32_t handshake_retransmits;
    ln_time data_deadline; /* T3-rtx */
    uint32_t error_count;
    ln_time heartbeat_deadline, heartbeat_sent;
    uint64_t heartbeat_nonce;
    bool heartbeat_waiting;

    struct ln_sctp_stats stats;
};

/* association.c */
void ln_association_set_state(struct ln_sctp *s, ln_time now, enum ln_association_state state);
/* Ends it: error as in LN_SCTP_EVENT_CLOSED. */
void ln_association_end(struct ln_sctp *s, ln_time now, int error, uint16_t cause);
/* Ends it and tells the peer with an ABORT of that cause. */
void ln_association_abort(struct ln_sctp *s, ln_time now, int error, uint16_t cause);
/* What a shutdown under way waits for has come? */
void ln_association_continue_shutdown(struct ln_sctp *s, ln_time now);
/* One more failure of the path in a row; ends it at the limit. */
void ln_association_count_error(struct ln_sctp *s, ln_time now);
/* The stream, if a message may be queued on it now. */
LN_NODISCARD int ln_association_sendable_stream(struct ln_sctp *s, uint16_t id,
                                                struct ln_out_stream **ret_stream);
void ln_association_drop_events(struct ln_sctp *s); /* events.c */
size_t ln_association_fragment_bytes(const struct ln_sctp *s);

static inline size_t ln_association_data_head(const struct ln_sctp *s)
{
    return s->queue.interleaving ? LN_SCTP_IDATA_HEAD_BYTES : LN_SCTP_DATA_HEAD_BYTES;
}

static inline bool ln_association_in(const struct ln_sctp *s, unsigned states)
{
    return (LN_STATE_BIT(s->state) & states) != 0;
}

/* handshake.c */
void ln_handshake_start(struct ln_sctp *s, ln_time now);
void ln_handshake_timeout(struct ln_sctp *s, ln_time now);
void ln_handshake_on_init(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
void ln_handshake_on_init_ack(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
/* Returns false when the cookie was refused: the rest of the packet is not to be looked at. */
bool ln_handshake_on_cookie_echo(struct ln_sctp *s, ln_time now, uint32_t tag,
                                 const struct ln_chunk *chunk);
void ln_handshake_on_cookie_ack(struct ln_sctp *s, ln_time now);
void ln_handshake_on_stale_cookie(struct ln_sctp *s, ln_time now);
/* An INIT that was refused is sent again without what is new in it, once. Returns false if it was
 * not the INIT. */
bool ln_handshake_try_bare(struct ln_sctp *s, ln_time now);
void ln_handshake_write_init(struct ln_sctp *s, struct ln_writer *w);
/* What an INIT or INIT ACK says of its sender, as a cookie keeps it. */
void ln_handshake_describe(const struct ln_sctp *s, const struct ln_sctp_init *init,
                           struct ln_cookie *ret_peer);
/* Established without more. */
void ln_handshake_agree(struct ln_sctp *s, ln_time now, const struct ln_cookie *peer);

/* snap.c */
/* Begins with the peer's INIT if we have it. */
bool ln_snap_start(struct ln_sctp *s, ln_time now);

/* transfer.c */
int ln_transfer_init(struct ln_sctp *s, uint32_t local_tsn);
void ln_transfer_deinit(struct ln_sctp *s);
/* The peer's side of the numbers begins (again). */
void ln_transfer_begin_receiving(struct ln_sctp *s, uint32_t peer_tsn);
/* What was agreed about I-DATA. */
void ln_transfer_set_interleaving(struct ln_sctp *s, bool interleaving);
void ln_transfer_tune_window(struct ln_sctp *s, ln_time now);
void ln_transfer_restart(struct ln_sctp *s, ln_time now, uint32_t local_tsn);
/* DATA or I-DATA, FORWARD TSN or I-FORWARD-TSN. */
void ln_transfer_on_data(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
void ln_transfer_on_sack(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
void ln_transfer_on_cumulative(struct ln_sctp *s, ln_time now, uint32_t tsn); /* of a SHUTDOWN */
void ln_transfer_on_forward_tsn(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
void ln_transfer_timeout(struct ln_sctp *s, ln_time now);
/* When loss detection wants to look again; NEVER when nothing is outstanding. */
ln_time ln_transfer_loss_deadline(const struct ln_sctp *s);
void ln_transfer_loss_timeout(struct ln_sctp *s, ln_time now);

/* streaming.c */
/* Looks whether the message under way waits for its owner while others wait for it. */
void ln_streaming_watch(struct ln_sctp *s, ln_time now);
ln_time ln_streaming_deadline(const struct ln_sctp *s);
void ln_streaming_timeout(struct ln_sctp *s); /* it is given up */

/* reset.c */
void ln_reset_init(struct ln_sctp *s);
void ln_reset_deinit(struct ln_sctp *s);
void ln_reset_begin(struct ln_sctp *s, uint32_t local_tsn, uint32_t peer_tsn);
int ln_reset_want(struct ln_sctp *s, uint16_t stream);
void ln_reset_timeout(struct ln_sctp *s, ln_time now);
void ln_reset_on_reconfig(struct ln_sctp *s, ln_time now, const struct ln_chunk *chunk);
void ln_reset_on_cumulative(struct ln_sctp *s); /* the received point moved: deferred requests */
void ln_reset_on_ack(struct ln_sctp *s);        /* the acknowledged point moved */
bool ln_reset_due(const struct ln_sctp *s);
/* Puts streams whose data was all sent into a request, if none is under way. */
void ln_reset_prepare(struct ln_sctp *s);
void ln_reset_write(struct ln_sctp *s, ln_time now, struct ln_writer *w);
/* Gives up on all: each stream tells error. */
void ln_reset_fail_all(struct ln_sctp *s, int error);

/* output_control.c */
void ln_output_write_handshake(struct ln_sctp *s, struct ln_writer *w);
void ln_output_write_sack(struct ln_sctp *s, struct ln_writer *w);
void ln_output_write_forward_tsn(struct ln_sctp *s, ln_time now, struct ln_writer *w);
void ln_output_write_heartbeat(struct ln_sctp *s, ln_time now, struct ln_writer *w);
/* A packet of its own: the probe that is due. Returns its length, 0 when cap is too small. */
size_t ln_output_write_probe(struct ln_sctp *s, ln_time now, uint8_t *out, size_t cap);
void ln_output_write_shutdown(struct ln_sctp *s, struct ln_writer *w);

/* output.c */
/* Queues a packet of its own; body writes its chunks. Dropped when the queue is full. */
struct ln_control *ln_output_control(struct ln_sctp *s, size_t body_bytes);
void ln_output_error(struct ln_sctp *s, uint16_t cause, struct ln_bytes info);
void ln_output_abort(struct ln_sctp *s, uint32_t tag, bool reflected, uint16_t cause);

#endif
