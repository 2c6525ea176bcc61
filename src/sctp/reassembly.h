/* SPDX-License-Identifier: Apache-2.0
 * Fragments in, messages out. Fragments of one message have consecutive TSNs (RFC 9260, 6.9), so
 * what arrived forms runs on the line of TSNs; each run's bytes go straight into one buffer that
 * becomes the message. With interleaving (RFC 8260) fragments are numbered within their message
 * instead: interleaved.c. Whole messages are delivered at once (unordered) or by their number on
 * the stream.
 *
 * Every byte held, with an overhead per run, counts in used_bytes, from which the receive window is
 * taken; a message counts until the owner has taken it. */
#ifndef LN_SCTP_REASSEMBLY_H
#define LN_SCTP_REASSEMBLY_H

#include "base/map.h"
#include "sctp/blocks.h"
#include "sctp/news.h"
#include "sctp/sctp.h"

/* A run of fragments, in the end a message. */
struct ln_sctp_message {
    struct ln_news news;    /* LN_SCTP_EVENT_MESSAGE, _TOO_BIG, _PART or _ABANDONED */
    struct ln_list partial; /* while not whole */
    struct ln_allocator *allocator;
    uint8_t *data;          /* a block; NULL when empty or discarded */
    size_t cap, start, len; /* of the block; where the bytes begin in it; how many */
    size_t charge;          /* counted in used_bytes */
    size_t own_bytes;       /* of this struct's block */
    uint64_t first_tsn, last_tsn;
    uint64_t id;      /* that parts of it are told under */
    size_t last_part; /* bytes: a guess at the next one's */
    uint32_t ppid;
    uint32_t mid; /* without interleaving the stream sequence number */
    uint16_t stream;
    bool unordered, begin, end, too_big;
    bool whole;  /* nothing is missing */
    bool handed; /* its first bytes were told: what is here follows them */
};

/* Bytes of a message in parts while the owner has them. */
struct ln_lent_part {
    uint8_t *data; /* a block; NULL: none */
    size_t cap, len;
};

struct ln_in_stream {
    struct ln_sctp_message **waiting; /* whole ordered ones ahead of next_mid, by mid */
    size_t waiting_first, waiting_count, waiting_capacity;
    struct ln_list assemblies; /* interleaved messages of which fragments have come */
    struct ln_news reset;
    uint32_t next_mid;
    uint16_t id;
    bool parts; /* its messages are told in parts: parts_in.c */
};

struct ln_assembly; /* interleaved.c */

struct ln_reassembly {
    struct ln_allocator *allocator;
    struct ln_blocks *blocks;
    struct ln_list *news;
    struct ln_in_stream **streams;
    size_t stream_capacity;
    struct ln_sctp_message **edges;  /* by TSN: the run that a TSN could join, see runs.c */
    size_t edge_capacity;            /* a power of two, or 0 */
    struct ln_sctp_message *current; /* the run that the last fragment went to, if it is open */
    struct ln_list partial;
    size_t used_bytes, limit_bytes, max_message_bytes;
    uint64_t taken_bytes;      /* of messages that the owner has had */
    size_t last_message_bytes; /* a guess at the next one's size */
    uint64_t messages, dropped_malformed;
    uint64_t next_id;    /* of a message */
    size_t part_streams; /* whose messages are told in parts */
    bool ending;         /* nobody is told anything any more */
    uint32_t initial_ssn;
    bool interleaving;        /* agreed with the peer */
    struct ln_map assemblies; /* by stream, order and mid */
    struct ln_assembly *last; /* the one that the last fragment went to */
};

struct ln_fragment {
    uint64_t tsn;
    uint32_t ppid;
    uint32_t mid, fsn; /* without interleaving: the stream sequence number, 0 */
    uint16_t stream;
    uint8_t flags;
    struct ln_bytes data;
};

void ln_reassembly_init(struct ln_reassembly *r, const struct ln_env *env, struct ln_blocks *blocks,
                        struct ln_list *news, size_t limit_bytes, size_t max_message_bytes);
void ln_reassembly_deinit(struct ln_reassembly *r);

/* Takes a fragment that was not seen before. cumulative: the point before this fragment counts.
 * Returns 0 (also when it was thrown away because it cannot belong to anything),
 * LN_ERR_LIMIT when the memory for it is used up, LN_ERR_NOMEM; then nothing has changed. */
LN_NODISCARD int ln_reassembly_add(struct ln_reassembly *r, const struct ln_fragment *fragment,
                                   uint64_t cumulative);

/* FORWARD TSN: runs that cannot be completed any more are dropped; then for each stream named, what
 * waits up to mid is delivered, and what is not whole up to it dropped. */
void ln_reassembly_skip_to(struct ln_reassembly *r, uint64_t cumulative);
void ln_reassembly_skip_mid(struct ln_reassembly *r, uint16_t stream, bool unordered, uint32_t mid);

/* RFC 6525: the stream begins anew; news of it follow what was delivered before. Returns 0 or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_reassembly_reset_stream(struct ln_reassembly *r, uint16_t stream);
void ln_reassembly_reset_all(struct ln_reassembly *r);
/* What has come of a message of the stream, and ends with this TSN, is dropped. */
void ln_reassembly_cut(struct ln_reassembly *r, uint16_t stream, uint64_t tsn);
void ln_reassembly_cut_any(struct ln_reassembly *r, uint64_t tsn);
/* Everything that is not yet told is dropped: the peer began anew, or nothing more comes. Of what
 * was told in part that is told. */
void ln_reassembly_restart(struct ln_reassembly *r);

/* The owner has done with a message (out of the news): its window is free again. */
void ln_reassembly_release(struct ln_reassembly *r, struct ln_sctp_message *message);
/* The owner keeps it. */
void ln_reassembly_hand_over(struct ln_reassembly *r, struct ln_sctp_message *message);

/* What may still come (a_rwnd). */
size_t ln_reassembly_window(const struct ln_reassembly *r);

/* Shared with runs.c, interleaved.c and parts_in.c: a message with its first bytes; more bytes at
 * its end, or before its beginning; from here on its bytes are swallowed, as it is too big; its
 * delivery; its end without one (which is news if parts of it were told); the run that ends with a
 * TSN and could go on. */
struct ln_sctp_message *ln_reassembly_create(struct ln_reassembly *r, const struct ln_fragment *f);
LN_NODISCARD int ln_reassembly_put(struct ln_reassembly *r, struct ln_sctp_message *message,
                                   const uint8_t *data, size_t len, bool before);
void ln_reassembly_swallow(struct ln_reassembly *r, struct ln_sctp_message *message);
void ln_reassembly_complete(struct ln_reassembly *r, struct ln_sctp_message *run);
void ln_reassembly_drop(struct ln_reassembly *r, struct ln_sctp_message *message);
struct ln_sctp_message *ln_reassembly_open_run(const struct ln_reassembly *r, uint64_t tsn);

#endif
