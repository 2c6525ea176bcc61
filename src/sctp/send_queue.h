/* SPDX-License-Identifier: Apache-2.0
 * Messages waiting to be sent, by stream, and the outgoing streams themselves. A message that was
 * sent as one is one block of memory holding the one copy of the user's data; a streamed one is a
 * chain of parts that grows at its end while the owner writes (open_message.c). Fragments refer to
 * a part until they are acknowledged. The scheduler picks the stream; a message once begun is sent
 * to its end, or with interleaving (RFC 8260) the scheduler picks anew for each fragment. */
#ifndef LN_SCTP_SEND_QUEUE_H
#define LN_SCTP_SEND_QUEUE_H

#include "sctp/blocks.h"
#include "sctp/news.h"
#include "sctp/scheduler.h"
#include "sctp/sctp.h"

/* Bytes of a message that lie together. A fragment never spans two. */
struct ln_part {
    struct ln_outgoing *message;
    struct ln_part *next;
    uint8_t *data;
    size_t block_bytes;          /* 0: it lives in its message's block */
    uint32_t cap, len, assigned; /* bytes; those that have TSNs */
    uint32_t fragments;          /* outstanding ones that refer to it */
};

/* A message from send() or its beginning until its last fragment is acknowledged or abandoned. */
struct ln_outgoing {
    struct ln_list link;       /* in its stream, until its last fragment has a TSN */
    struct ln_list unstamped;  /* waiting for a `now` that its lifetime counts from */
    struct ln_list unfinished; /* begun, with interleaving */
    size_t block_bytes;
    ln_duration lifetime;
    ln_time deadline;
    uint64_t first_tsn;             /* once begun */
    struct ln_part *sending, *last; /* whose bytes go next, NULL before any; where more are put */
    uint64_t unsent;                /* bytes that have no TSN */
    uint64_t held;                  /* those of them that wait for the owner: open_message.c */
    uint64_t len, max_len;          /* bytes so far; allowed */
    size_t weight;                  /* what it counts among the unfinished */
    uint32_t fragments;             /* outstanding ones of all its parts */
    uint32_t next_fsn;              /* of its next fragment (RFC 8260, 2.1) */
    uint32_t ppid, max_retransmits;
    uint32_t mid; /* of the message, once begun; without interleaving the stream sequence number */
    uint64_t arrival;
    ln_duration starved; /* how long it has kept others waiting for its owner */
    uint16_t stream;
    bool unordered, begun, abandoned;
    bool open;       /* more may be written */
    bool pressed;    /* it begins although it could be held until it is whole: memory is short */
    bool out;        /* of its stream */
    uint8_t nothing; /* an empty message's one byte */
    struct ln_part part; /* all of one that was sent as one; its bytes follow */
};

enum ln_stream_reset { LN_STREAM_OPEN, LN_STREAM_RESET_WANTED, LN_STREAM_RESET_ASKED };

struct ln_out_stream {
    struct ln_schedulable schedule;
    struct ln_list messages;
    struct ln_list resetting; /* in the list of streams to be reset */
    struct ln_list wanting;   /* a write of it was cut short */
    struct ln_news low, reset_done, reset_asked, room;
    struct ln_outgoing *open;       /* the message that is being written */
    bool open_lost;                 /* it was abandoned, and the writer does not know */
    size_t buffered, low_threshold; /* buffered: what waits for the network */
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
    size_t queued_bytes;         /* not yet assigned, less what is held for its owner */
    size_t waiting_streams;      /* with the scheduler */
    size_t held_bytes;           /* memory of all messages, waiting or outstanding */
    size_t limit_bytes;          /* of held_bytes */
    size_t open_count;           /* messages being written */
    struct ln_list wanting;      /* streams whose writers wait for room */
    uint64_t abandoned;          /* messages */
    uint64_t arrivals;
    uint32_t initial_ssn;
    bool interleaving; /* agreed with the peer */
    bool skippable;    /* the peer takes FORWARD TSN */
    /* Messages begun and not finished, and their bytes: as many as the peer has room for at once,
     * else its window would fill with pieces and none could be completed. */
    struct ln_list unfinished;
    size_t unfinished_bytes, unfinished_limit;
};

LN_NODISCARD int ln_send_queue_init(struct ln_send_queue *queue, struct ln_allocator *allocator,
                                    struct ln_blocks *blocks, struct ln_list *news,
                                    size_t limit_bytes, const struct ln_sctp_scheduler_ops *ops);
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

/* What was agreed with the peer. */
void ln_send_queue_agree(struct ln_send_queue *queue, bool interleaving, bool skippable);

/* Whether something may go now. */
static inline bool ln_outgoing_ready(const struct ln_outgoing *message)
{
    return message->unsent > message->held;
}

static inline bool ln_send_queue_ready(const struct ln_send_queue *queue)
{
    return queue->current && !queue->interleaving ? ln_outgoing_ready(queue->current)
                                                  : queue->waiting_streams > 0;
}

/* How many bytes of the message lie together and may go now. */
size_t ln_outgoing_next_bytes(const struct ln_outgoing *message);

/* The message whose next fragment goes next, NULL when nothing waits. Messages that expired before
 * they began are dropped on the way; the one under way is returned even if it has expired. */
struct ln_outgoing *ln_send_queue_next(struct ln_send_queue *queue, ln_time now);
/* The next `bytes` of a message got a TSN: begins it with the first ones, ends it with the last. */
void ln_send_queue_assign(struct ln_send_queue *queue, struct ln_outgoing *message, size_t bytes);
/* One fragment is done with; frees the part, and the message, after the last. */
void ln_send_queue_release(struct ln_send_queue *queue, struct ln_part *part);
/* What of a begun message has no TSN will not be sent; a fragment that stands for it refers to the
 * part returned. */
struct ln_part *ln_send_queue_give_up_rest(struct ln_send_queue *queue,
                                           struct ln_outgoing *message);
/* Drops what waits on a stream and has not begun. */
void ln_send_queue_discard(struct ln_send_queue *queue, struct ln_out_stream *stream);
/* Every stream begins anew with its first sequence number; a message under way is given up. */
void ln_send_queue_restart(struct ln_send_queue *queue);

/* --- open_message.c: messages that are written piece by piece, one at a time on a stream. */

LN_NODISCARD int ln_send_queue_begin(struct ln_send_queue *queue, struct ln_out_stream *stream,
                                     uint32_t ppid, uint64_t max_len,
                                     const struct ln_sctp_send_options *options);
/* How much more a writer may take of the memory. */
size_t ln_send_queue_room(const struct ln_send_queue *queue, const struct ln_out_stream *stream);
/* And send(), which leaves some to those who must finish. */
size_t ln_send_queue_room_for_whole(const struct ln_send_queue *queue);
/* Takes what fits of the next bytes. Returns 0, LN_ERR_LIMIT or LN_ERR_NOMEM when it was nothing;
 * news of room follow unless all was taken. */
LN_NODISCARD int ln_send_queue_write(struct ln_send_queue *queue, struct ln_out_stream *stream,
                                     const uint8_t *data, size_t len, size_t *ret_taken);
void ln_send_queue_finish(struct ln_send_queue *queue, struct ln_out_stream *stream,
                          uint32_t empty_ppid);
/* Gives the open message up: at once, or when its turn comes if it has begun. NULL: all streams'.
 */
void ln_send_queue_cut(struct ln_send_queue *queue, struct ln_out_stream *stream);
/* The message under way waits for its owner while others wait for it. */
static inline bool ln_send_queue_stalled(const struct ln_send_queue *queue)
{
    return queue->current && !queue->interleaving && !ln_outgoing_ready(queue->current) &&
           queue->waiting_streams > 0;
}

/* Memory came back: those who wait for it are told, if it is worth going on. */
void ln_send_queue_tell_room(struct ln_send_queue *queue);

/* Shared with it: what the scheduler sees of a stream; the end of a message in its stream; the one
 * being written is gone, its writer to be told. */
void ln_send_queue_update(struct ln_send_queue *queue, struct ln_out_stream *stream);
void ln_send_queue_unlink(struct ln_send_queue *queue, struct ln_out_stream *stream,
                          struct ln_outgoing *message);
void ln_send_queue_lose_open(struct ln_send_queue *queue, struct ln_outgoing *message);
/* A zeroed message at the end of its stream, without bytes; `more` of them may follow it. */
LN_NODISCARD struct ln_outgoing *ln_send_queue_append(struct ln_send_queue *queue,
                                                      struct ln_out_stream *stream, uint32_t ppid,
                                                      size_t more,
                                                      const struct ln_sctp_send_options *options);

#endif
