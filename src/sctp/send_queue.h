/* SPDX-License-Identifier: Apache-2.0
 * Messages waiting to be sent, by stream, and the outgoing streams themselves. A message is one
 * block of memory holding the one copy of the user's data; fragments refer to it until they are
 * acknowledged. The scheduler picks the stream; a message once begun is sent to its end, or with
 * interleaving (RFC 8260) the scheduler picks anew for each fragment. */
#ifndef LN_SCTP_SEND_QUEUE_H
#define LN_SCTP_SEND_QUEUE_H

#include "sctp/blocks.h"
#include "sctp/news.h"
#include "sctp/scheduler.h"
#include "sctp/sctp.h"

/* A message from send() until its last fragment is acknowledged or abandoned. */
struct ln_outgoing {
    struct ln_list link;       /* in its stream, until its last fragment has a TSN */
    struct ln_list unstamped;  /* waiting for a `now` that its lifetime counts from */
    struct ln_list unfinished; /* begun, with interleaving */
    size_t block_bytes;
    ln_duration lifetime;
    ln_time deadline;
    uint64_t first_tsn;     /* once begun */
    uint32_t len, assigned; /* bytes; those that have TSNs */
    uint32_t fragments;     /* outstanding ones that refer to it */
    uint32_t next_fsn;      /* of its next fragment (RFC 8260, 2.1) */
    uint32_t ppid, max_retransmits;
    uint32_t mid; /* of the message, once begun; without interleaving the stream sequence number */
    uint64_t arrival;
    uint16_t stream;
    bool unordered, begun, abandoned;
    uint8_t data[];
};

enum ln_stream_reset { LN_STREAM_OPEN, LN_STREAM_RESET_WANTED, LN_STREAM_RESET_ASKED };

struct ln_out_stream {
    struct ln_schedulable schedule;
    struct ln_list messages;
    struct ln_list resetting; /* in the list of streams to be reset */
    struct ln_news low, reset_done, reset_asked;
    size_t buffered, low_threshold;
    int reset_error;
    uint32_t next_mid, next_unordered_mid;
    uint16_t id;
    uint8_t reset; /* enum ln_stream_reset */
};

struct ln_send_queue {
    struct ln_allocator *allocator;
    struct ln_blocks *blocks;
    struct ln_list *news;
    const struct ln_sctp_scheduler_ops *ops;
    void *scheduler;
    struct ln_out_stream **streams; /* by id, NULL where never used */
    size_t stream_capacity;
    struct ln_list unstamped;
    struct ln_outgoing *current; /* begun and not finished */
    size_t queued_bytes;         /* not yet assigned */
    size_t held_bytes;           /* memory of all messages, waiting or outstanding */
    uint64_t abandoned;          /* messages */
    uint64_t arrivals;
    uint32_t initial_ssn;
    bool interleaving; /* agreed with the peer */
    /* Messages begun and not finished, and their bytes: as many as the peer has room for at once,
     * else its window would fill with pieces and none could be completed. */
    struct ln_list unfinished;
    size_t unfinished_bytes, unfinished_limit;
};

LN_NODISCARD int ln_send_queue_init(struct ln_send_queue *queue, struct ln_allocator *allocator,
                                    struct ln_blocks *blocks, struct ln_list *news,
                                    const struct ln_sctp_scheduler_ops *ops);
/* All outstanding fragments have been released before. */
void ln_send_queue_deinit(struct ln_send_queue *queue);

/* The stream, or NULL if it was never used / out of memory. */
struct ln_out_stream *ln_send_queue_stream(const struct ln_send_queue *queue, uint16_t id);
LN_NODISCARD struct ln_out_stream *ln_send_queue_make_stream(struct ln_send_queue *queue,
                                                             uint16_t id);

LN_NODISCARD int ln_send_queue_push(struct ln_send_queue *queue, struct ln_out_stream *stream,
                                    uint32_t ppid, const uint8_t *data, size_t len,
                                    const struct ln_sctp_send_options *options);
/* Turns lifetimes into deadlines. */
void ln_send_queue_stamp(struct ln_send_queue *queue, ln_time now);

/* The message whose next fragment goes next, NULL when nothing waits. Messages that expired before
 * they began are dropped on the way; the one under way is returned even if it has expired. */
struct ln_outgoing *ln_send_queue_next(struct ln_send_queue *queue, ln_time now);
/* The next `bytes` of a message got a TSN: begins it with the first ones, ends it with the last. */
void ln_send_queue_assign(struct ln_send_queue *queue, struct ln_outgoing *message, size_t bytes);
/* One fragment is done with; frees the message after the last. */
void ln_send_queue_release(struct ln_send_queue *queue, struct ln_outgoing *message);
/* Drops what waits on a stream and has not begun. */
void ln_send_queue_discard(struct ln_send_queue *queue, struct ln_out_stream *stream);
/* Every stream begins anew with its first sequence number; a message under way is given up. */
void ln_send_queue_restart(struct ln_send_queue *queue);

#endif
