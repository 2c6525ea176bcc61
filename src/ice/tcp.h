/* SPDX-License-Identifier: Apache-2.0
 * ICE over TCP (RFC 6544): host candidates of three kinds, and the streams of their pairs.
 *
 * Each local TCP candidate has a base with a link of its own, a number that no driver gives out:
 *   active   no socket; a stream is opened from it when the first check of a pair is due
 *   passive  a listening socket; its pairs come from checks on accepted streams
 *   so       both, on one port: whichever side is first, or both at once
 * Pairs have paths on that link; which stream carries a path is known here only. What goes out gets
 * its frame in ln_ice_wrap(), what comes in is cut in ln_ice_unwrap().
 *
 * A stream that was accepted is nobody's until an authentic check came on it: until then it is one
 * of few, has ten seconds, and may send a few packets no longer than a check. When another is to be
 * accepted beyond the limit the oldest such stream goes. When a pair is selected the streams of the
 * others are closed (RFC 6544, 8).
 *
 * A base that listens asks STUN servers over streams from its own port how it is seen:
 * server-reflexive candidates (tcp_ask.c). An allocation of TCP at a relay makes two bases too,
 * whose streams lead to the relay (tcp_relayed.c). */
#ifndef LN_ICE_TCP_H
#define LN_ICE_TCP_H

#include "base/endpoint.h"
#include "ice/candidate.h"
#include "ice/failure.h"
#include "ice/tcp_framing.h"
#include "ice/way.h"
#include "stun/transaction.h"

#define LN_ICE_TCP_LINK           0xC0000000u /* the first of the bases' links */
#define LN_ICE_TCP_ADDRESSES_MAX  4u          /* local addresses that have TCP candidates */
#define LN_ICE_TCP_BASES_MAX      32u         /* of three kinds and of relays, in two generations */
#define LN_ICE_TCP_STREAMS_MAX    32u
#define LN_ICE_TCP_CONNECTING_MAX 12u /* connects under way */
#define LN_ICE_TCP_UNPROVEN_MAX   8u  /* accepted by one base, without an authentic check yet */
#define LN_ICE_TCP_UNPROVEN_ALL   16u /* by all bases */
#define LN_ICE_TCP_UNPROVEN_TIME  LN_SECONDS(10)
#define LN_ICE_TCP_UNPROVEN_TRIES 8u /* packets on a stream before an authentic check */
#define LN_ICE_TCP_CONNECT_TIME   LN_SECONDS(10)
#define LN_ICE_TCP_ATTEMPT_GAP    LN_SECONDS(2) /* through a relay: before another takes its place */
#define LN_ICE_TCP_RETRIES        5u            /* of a stream that a relay closed at once, */
#define LN_ICE_TCP_RETRY_AFTER    LN_MILLISECONDS(500) /* and twice as long each time */
#define LN_ICE_TCP_IDLE_TIME      LN_SECONDS(5)        /* of a stream that nobody needs any more */
#define LN_ICE_TCP_PACKET_MAX     8192u /* bytes of a packet taken; a longer one ends its stream */
#define LN_ICE_TCP_CLOSING_MAX    256u  /* closed, and the driver not told yet */
#define LN_ICE_TCP_ACTIVE_PORT    9u    /* told for ports that nobody knows yet (RFC 6544, 4.5) */
#define LN_ICE_TCP_ASKS_MAX       32u   /* streams to STUN servers */
#define LN_ICE_TCP_SERVERS_MAX    2u    /* of one base */
#define LN_ICE_TCP_ASK_PATIENCE   LN_MILLISECONDS(500) /* of gathering, where UDP was answered */
#define LN_ICE_TCP_AGAIN_MAX      20u                  /* times that a server may end the stream */

struct ln_ice;
struct ln_ice_generation;
struct ln_ice_pair;
struct ln_ice_relay;

enum ln_ice_tcp_base_state {
    LN_ICE_TCP_BASE_FREE,
    LN_ICE_TCP_BASE_WANTED,
    LN_ICE_TCP_BASE_ASKED,
    LN_ICE_TCP_BASE_OPEN,
    LN_ICE_TCP_BASE_FAILED, /* no port: not asked for again */
};

struct ln_ice_tcp_base {
    uint8_t state;    /* enum ln_ice_tcp_base_state */
    uint8_t tcp_type; /* enum ln_candidate_tcp_type */
    const struct ln_ice_generation *generation;
    struct ln_ice_relay *relay; /* whose allocation it is; NULL: of this host */
    uint32_t interface;
    uint16_t preference; /* RFC 6544, 4.2 */
    uint16_t tries;      /* ports of the range that were refused */
    uint16_t first_port; /* offset in the range */
    uint32_t request;
    ln_link listener; /* 0: none */
    ln_link link;     /* the base's own */
    struct ln_address address;
};

enum ln_ice_tcp_stream_state {
    LN_ICE_TCP_STREAM_FREE,
    LN_ICE_TCP_STREAM_WAITING, /* to be opened again */
    LN_ICE_TCP_STREAM_WANTED,
    LN_ICE_TCP_STREAM_ASKED,
    LN_ICE_TCP_STREAM_RELAYED, /* a relay makes it (tcp_relayed.c) */
    LN_ICE_TCP_STREAM_OPEN,
};

/* Of a stream that passes a relay. */
struct ln_ice_tcp_relayed {
    struct ln_ice_relay *relay;
    uint32_t number; /* of the connection, as the TURN client has it */
    bool begun;      /* the way is */
    struct ln_ice_way way;
};

struct ln_ice_tcp_stream {
    uint8_t state;  /* enum ln_ice_tcp_stream_state */
    bool accepted;  /* the other side opened it */
    bool proven;    /* an authentic check, request or answer, came on it */
    uint8_t tries;  /* packets before that */
    uint8_t again;  /* times that it was opened again */
    uint32_t order; /* of opening */
    uint32_t request;
    ln_link link;
    struct ln_path path;                /* of its pair: on the base's link */
    struct ln_address local;            /* the stream's own */
    size_t room, reserve;               /* bytes that its queue takes; of them kept for checks */
    ln_time give_up_at;                 /* to connect, or to be proven; LN_TIME_NEVER: no more */
    struct ln_ice_tcp_relayed *relayed; /* NULL: it is the driver's alone */
    ln_time opened_at;                  /* accepted: since when */
    ln_time retry_at;                   /* WAITING; else LN_TIME_NEVER */
    ln_time idle_at; /* to be closed, as nobody needs it; LN_TIME_NEVER: in use */
    struct ln_ice_tcp_frames frames;
    struct ln_bytes rest; /* of the piece in hand */
};

struct ln_ice_tcp_closing {
    ln_link link;     /* 0: the request is taken back */
    uint32_t request; /* of a listener: what it accepts until the driver knows is closed too */
};

/* One binding transaction over a stream: from a base to a server. */
struct ln_ice_tcp_ask {
    const struct ln_ice_generation *generation;
    struct ln_ice_way way;
    struct ln_stun_transaction transaction;
    ln_link base;   /* its link */
    uint8_t server; /* index */
    uint8_t again;  /* times that the server ended it */
    bool done;      /* answered or given up: gathering does not wait for it */
    bool failed;    /* another server may be asked instead */
    bool mapped;    /* there is a mapping to be kept */
    ln_time opened_at;
    ln_time give_up_at; /* unless it is answered */
    ln_time again_at;   /* the server ended it: to be asked anew; LN_TIME_NEVER */
};

/* Exists only where TCP is asked for. */
struct ln_ice_tcp {
    struct ln_ice_tcp_base bases[LN_ICE_TCP_BASES_MAX];
    struct ln_ice_tcp_stream streams[LN_ICE_TCP_STREAMS_MAX];
    struct ln_ice_tcp_closing closing[LN_ICE_TCP_CLOSING_MAX];
    size_t closing_count;
    struct ln_ice_tcp_ask *asks[LN_ICE_TCP_ASKS_MAX];
    size_t ask_count;
    size_t relayed_count;               /* streams that pass a relay */
    struct ln_ice_tcp_stream *draining; /* it has more of the packet in hand, or NULL */
    uint32_t last_link, last_order;
};

static inline bool ln_ice_is_tcp(ln_link link)
{
    return link >= LN_ICE_TCP_LINK;
}

LN_NODISCARD int ln_ice_tcp_create(struct ln_ice *ice); /* 0 or LN_ERR_NOMEM */
void ln_ice_tcp_free(struct ln_ice *ice);

/* tcp.c: the bases. All calls do nothing where there is no TCP. */

/* Bases for the addresses of the present generation that have none, and their candidates. */
void ln_ice_tcp_gather(struct ln_ice *ice);
bool ln_ice_tcp_gathered(const struct ln_ice *ice);
/* RFC 6544, 4.2: the preference of a server-reflexive candidate whose host candidate has this one.
 */
uint16_t ln_ice_tcp_reflexive_preference(enum ln_candidate_tcp_type type, uint16_t of_host);
/* Below every relayed candidate of UDP (relay.c). */
uint16_t ln_ice_tcp_relayed_preference(enum ln_candidate_tcp_type type, uint16_t of_relay);
/* A base of the present generation with a link, wanted; NULL at the limit. */
struct ln_ice_tcp_base *ln_ice_tcp_new_base(struct ln_ice *ice, enum ln_candidate_tcp_type type);
/* Those of an allocation that is no more, with their streams. */
void ln_ice_tcp_end_relayed(struct ln_ice *ice, const struct ln_ice_relay *relay,
                            enum ln_ice_failure failure);
/* The base with this link, or NULL. */
const struct ln_ice_tcp_base *ln_ice_tcp_base_of(const struct ln_ice *ice, ln_link link);
/* Those of a generation that goes, with their streams; NULL: all. */
void ln_ice_tcp_release(struct ln_ice *ice, const struct ln_ice_generation *g);
bool ln_ice_tcp_owns(const struct ln_ice *ice, ln_link link);
int ln_ice_tcp_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
bool ln_ice_tcp_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
void ln_ice_tcp_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_tcp_next_timeout(const struct ln_ice *ice);

/* tcp_ask.c: the streams to STUN servers. Those with `want` and `poll` do nothing without TCP. */

/* A stream from each base that listens to each STUN server of its family. */
void ln_ice_tcp_want_asks(struct ln_ice *ice, ln_time now);
bool ln_ice_tcp_asks_settled(const struct ln_ice *ice);
void ln_ice_tcp_end_asks(struct ln_ice *ice, const struct ln_ice_tcp_base *base);
void ln_ice_tcp_free_asks(struct ln_ice *ice);
/* Takes what came on one of these streams; false: it is none. */
bool ln_ice_tcp_asks_unwrap(struct ln_ice *ice, ln_time now, const struct ln_packet *packet);
int ln_ice_tcp_asks_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
int ln_ice_tcp_asks_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
bool ln_ice_tcp_asks_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
void ln_ice_tcp_asks_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_tcp_asks_next_timeout(const struct ln_ice *ice);

/* tcp_relayed.c: through relays. */

/* The two bases of an allocation that was just made, and their candidates. */
void ln_ice_tcp_add_relayed(struct ln_ice *ice, struct ln_ice_relay *relay);
/* Whether a stream passes it. */
bool ln_ice_tcp_uses(const struct ln_ice *ice, const struct ln_ice_relay *relay);
/* Asks for the permissions of whoever may connect. */
void ln_ice_tcp_relayed_permit(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);
/* Takes the peers that have connected. */
void ln_ice_tcp_relayed_attempts(struct ln_ice *ice, struct ln_ice_relay *relay, ln_time now);
bool ln_ice_tcp_relayed_connect(struct ln_ice *ice, struct ln_ice_tcp_stream *stream,
                                struct ln_ice_relay *relay, ln_time now);
/* What came before the stream is bound, in relayed->way.rest. */
void ln_ice_tcp_relayed_bind(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now);
void ln_ice_tcp_relayed_run(struct ln_ice *ice, struct ln_ice_tcp_stream *stream, ln_time now);
int ln_ice_tcp_relayed_poll(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
void ln_ice_tcp_relayed_free(struct ln_ice *ice, struct ln_ice_tcp_stream *stream);

/* tcp_data.c: what passes on them. */

/* Frames what is in `out` and gives it the stream's path. 1, or < 0: dropped and counted. */
int ln_ice_tcp_wrap(struct ln_ice *ice, ln_time now, struct ln_transmit *out);
/* Whether several packets may be framed at once. */
bool ln_ice_tcp_takes_trains(const struct ln_ice *ice, const struct ln_path *path);
/* Takes a piece of one of our streams; false: it is none. */
bool ln_ice_tcp_unwrap(struct ln_ice *ice, ln_time now, const struct ln_packet *packet);
/* The next packet of the piece in hand: 1; 0: no more; < 0: the stream is of no use. */
int ln_ice_tcp_next(struct ln_ice *ice, ln_time now, struct ln_packet *packet);
/* What ln_ice_tcp_next() gave was looked at: does it prove the stream? */
void ln_ice_tcp_judge(struct ln_ice *ice);

/* tcp_stream.c: the streams. */

/* Whether the pair's checks may leave now; a stream is opened if need be, and the pair fails when
 * there can be none. */
bool ln_ice_tcp_ready(struct ln_ice *ice, struct ln_ice_pair *pair, ln_time now);
void ln_ice_tcp_accept(struct ln_ice *ice, struct ln_ice_tcp_base *base, ln_time now,
                       const struct ln_answer *answer);
/* A place for one from this address, unproven: the oldest such may go for it, if it is older than
 * `gap`. NULL: none. */
struct ln_ice_tcp_stream *ln_ice_tcp_admit(struct ln_ice *ice, const struct ln_ice_tcp_base *base,
                                           const struct ln_address *remote, ln_duration gap,
                                           ln_time now);
void ln_ice_tcp_stream_opened(struct ln_ice_tcp_stream *stream, ln_link link,
                              const struct ln_address *local, size_t room, ln_time now);
struct ln_ice_tcp_stream *ln_ice_tcp_find_stream(const struct ln_ice *ice,
                                                 const struct ln_path *path);
void ln_ice_tcp_end_stream(struct ln_ice *ice, struct ln_ice_tcp_stream *stream,
                           enum ln_ice_failure failure);
bool ln_ice_tcp_stream_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer);
int ln_ice_tcp_stream_poll_request(struct ln_ice *ice, struct ln_request *ret_request);
void ln_ice_tcp_streams_run(struct ln_ice *ice, ln_time now);
ln_time ln_ice_tcp_streams_next_timeout(const struct ln_ice *ice);
/* Closes what was opened from a base that is no more, and fails its pairs. */
void ln_ice_tcp_end_streams(struct ln_ice *ice, const struct ln_ice_tcp_base *base,
                            enum ln_ice_failure failure);
/* The driver is told to close a link (a listener with its request), or (link 0) to forget a
 * request.
 */
void ln_ice_tcp_close_link(struct ln_ice *ice, ln_link link, uint32_t request);
/* The way's stream, wherever it stands; the way is the owner's to end. */
void ln_ice_tcp_close_way(struct ln_ice *ice, struct ln_ice_way *way);

#endif
