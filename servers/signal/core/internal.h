/* SPDX-License-Identifier: Apache-2.0
 * What the files of the signalling core share: its objects and the verbs on them.
 *
 * A connection is a socket; a participant is a member of a room. A participant has at most one
 * connection, a connection at most one participant. Each has one deadline in the server's heap:
 * connection:  join or resume, later: be heard
 * participant: its grace period while it has no connection, else never
 *
 * Who cannot be served any more (queue full, no memory) is doomed, not removed in the midst of a
 * walk over its room; signal_sweep() removes the doomed at the end of each call from outside. */
#ifndef LN_SIGNAL_CORE_INTERNAL_H
#define LN_SIGNAL_CORE_INTERNAL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "servers/signal/core/signal.h"

#define SIGNAL_REPLIES_MAX     64u /* replies waiting on one connection */
#define SIGNAL_ERRORS_MAX      64u /* then it is closed */
#define SIGNAL_DENIALS_MAX     5u  /* wrong tokens or secrets, then it is closed */
#define SIGNAL_ACK_EVERY       16u /* numbered messages of a client between two acks */
#define SIGNAL_HOST_MAX        255u
#define SIGNAL_ID_LEN          16u /* hex digits */
#define SIGNAL_SECRET_LEN      32u
#define SIGNAL_CANDIDATE_BYTES 2048u
#define SIGNAL_MID_BYTES       64u
#define SIGNAL_UFRAG_BYTES     256u
#define SIGNAL_TOKEN_BYTES     1024u
#define SIGNAL_USER_BYTES      512u /* of a name for TURN */

enum timed_kind { TIMED_CONNECTION, TIMED_PARTICIPANT };

struct timed {
    struct ln_heap_node node;
    enum timed_kind kind;
};

struct text { /* a whole message, owned by the queue it stands in */
    char *data;
    size_t len;
};

struct room {
    char *name;
    struct ln_list participants;
    size_t count;
};

struct connection {
    struct timed deadline;
    uint64_t id;
    struct participant *participant; /* NULL before join and resume */
    char host[SIGNAL_HOST_MAX + 1];
    uint8_t source[LN_ADDRESS_KEY_LEN];
    struct ln_address address; /* of the other end, as we see it */
    struct ln_ring replies;    /* struct text: before anything numbered */
    ln_time rate_at;
    int64_t allowance; /* messages left, in thousandths */
    unsigned errors, denials;
    uint16_t close_code; /* not 0: closing, once the replies are written */
    struct ln_list ready, asking;
    char *asks_about; /* a user of TURN, until the driver has answered (view.c) */
};

struct participant {
    struct timed deadline;
    char id[SIGNAL_ID_LEN + 1];
    char secret[SIGNAL_SECRET_LEN + 1];
    char *name;
    struct room *room;
    struct ln_list in_room;
    struct connection *connection; /* NULL: in its grace period */
    struct ln_ring queue;          /* struct text, numbered acked + 1, acked + 2, … */
    size_t queue_bytes;
    uint64_t acked;    /* all up to here arrived there */
    size_t sent;       /* this many of the queue are written to the present connection */
    uint64_t received; /* the last number that came from there */
    unsigned unacked;  /* numbered messages since our last ack */
    struct ln_list doomed;
    enum ln_signal_error doom; /* why */
};

struct source { /* sockets of one address prefix */
    size_t count;
};

struct ln_signal {
    struct ln_env *env;
    struct ln_signal_config config;
    struct ln_map connections;  /* by number */
    struct ln_map participants; /* by id */
    struct ln_map rooms;        /* by name */
    struct ln_map sources;      /* by prefix */
    struct ln_heap deadlines;
    struct ln_list ready;  /* connections that have something to write, in turn */
    struct ln_list asking; /* connections whose question the driver has not taken */
    struct ln_list doomed; /* participants to be removed at the end of this call */
    struct ln_signal_figures figures;
    char *lent; /* the text given out last, if nobody else owns it */
};

/* signal.c */
void signal_reply(struct ln_signal *signal, struct connection *c, char *text, size_t len);
void signal_close(struct ln_signal *signal, ln_time now, struct connection *c, uint16_t code);
void signal_sweep(struct ln_signal *signal, ln_time now);
void signal_ready(struct ln_signal *signal, struct connection *c);
/* Counts the error, writes it to the connection (sentence NULL: that of the table; of, to: may be
 * NULL) and closes it if the table says so or it is one too many. */
void signal_error(struct ln_signal *signal, ln_time now, struct connection *c,
                  enum ln_signal_error error, const char *sentence, const char *of, const char *to);

/* participant.c */
/* Adds a participant to a room, which is made if need be, and tells the others.
 * Returns 0, or -1 with *ret_error set. */
int participant_create(struct ln_signal *signal, const char *room, const char *name,
                       struct participant **ret_participant, enum ln_signal_error *ret_error);
/* Takes it out of its room (freeing an empty one), tells the others, frees it. */
void participant_remove(struct ln_signal *signal, struct participant *p, const char *reason);
void participant_free(struct ln_signal *signal, struct participant *p);
void participant_attach(struct ln_signal *signal, struct participant *p, struct connection *c);
/* Takes its connection away; its grace period begins. */
void participant_detach(struct ln_signal *signal, ln_time now, struct participant *p);
/* What was written up to here arrived. Numbers never given out are ignored. */
void participant_acknowledge(struct ln_signal *signal, struct participant *p, uint64_t ack);
/* The number the next message to it has. */
uint64_t participant_next(const struct participant *p);
/* Appends to its queue, taking text (NULL: there was no memory for it). If it does not fit the
 * participant is doomed. */
void participant_send(struct ln_signal *signal, struct participant *p, char *text, size_t len);

/* message.c */
void message_receive(struct ln_signal *signal, ln_time now, struct connection *c, const char *text,
                     size_t len);

#endif
