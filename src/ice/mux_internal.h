/* SPDX-License-Identifier: Apache-2.0
 * What the files of the mux share (ice/mux.h).
 *
 *   base ---< link >--- member        a link is a member's on one base, or one that the driver gave
 *    |         |                      to the member alone
 *    |         +---< claim, asked     addresses, and requests that are not answered
 *    +---< stream                     accepted, nobody's yet
 *
 * Everything that the driver or a member has a number of is an object in `objects`. */
#ifndef LN_ICE_MUX_INTERNAL_H
#define LN_ICE_MUX_INTERNAL_H

#include "base/endpoint.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "ice/mux.h"
#include "ice/tcp_framing.h"

enum ln_mux_kind {
    LN_MUX_BASE,
    LN_MUX_VIRTUAL, /* a link on a base */
    LN_MUX_OWN,     /* a link that the driver gave for one member */
    LN_MUX_STREAM,  /* accepted, nobody's yet */
};

struct ln_mux_object {
    uint8_t kind; /* enum ln_mux_kind */
    ln_link link; /* its number */
};

enum ln_mux_base_state {
    LN_MUX_BASE_FREE,
    LN_MUX_BASE_WANTED,
    LN_MUX_BASE_ASKED,
    LN_MUX_BASE_OPEN,
    LN_MUX_BASE_CLOSING, /* to be closed by the next poll_request */
};

/* A socket or a listener. It stays open while its address is there. */
struct ln_mux_base {
    struct ln_mux_object object;
    uint8_t state; /* enum ln_mux_base_state */
    bool stream;   /* a listener */
    uint32_t request;
    struct ln_address address; /* open: bound */
    struct ln_list links;
};

enum ln_mux_tell {
    LN_MUX_TELL_NOTHING,
    LN_MUX_TELL_OPENED,
    LN_MUX_TELL_FAILED,
    LN_MUX_TELL_CLOSED
};

struct ln_mux_link {
    struct ln_mux_object object;
    uint8_t tell; /* enum ln_mux_tell: the member does not know it yet */
    int error;
    struct ln_ice_mux_member *member;
    struct ln_list in_member; /* or in the mux's list of those to be closed */
    struct ln_list in_base;   /* VIRTUAL */
    struct ln_mux_base *base; /* VIRTUAL; NULL: it is no more */
    uint32_t request;         /* the member's, VIRTUAL; ours, OWN listeners */
    uint8_t ufrag_count, next_ufrag, claim_count;
    uint16_t asked_count;
    char ufrags[LN_ICE_MUX_UFRAGS_MAX][LN_ICE_MUX_UFRAG_LEN_MAX + 1];
    struct ln_list claims; /* the one proven longest ago first */
    struct ln_list asked;  /* the one sent longest ago first */
};

/* "From this address it is that link." */
struct ln_mux_claim {
    struct ln_list in_link;
    struct ln_mux_link *link;
    struct ln_address remote;
    bool returned; /* an answer came from there */
    ln_time at;    /* of the last proof */
};

/* A Binding request of a member. */
struct ln_mux_asked {
    struct ln_list in_all, in_link;
    struct ln_mux_link *link;
    struct ln_address remote;
    uint8_t id[12];
    bool check; /* it carries a USERNAME; else it went to a STUN server */
    ln_time at;
};

/* What a member asked the driver for, through us. */
struct ln_mux_request {
    struct ln_list in_member; /* or in the mux's list of those to be taken back */
    struct ln_ice_mux_member *member;
    uint32_t id, member_id;
    uint8_t kind;             /* enum ln_request_kind */
    struct ln_mux_link *link; /* of a listener: it goes with that */
};

struct ln_mux_stream {
    struct ln_mux_object object;
    struct ln_list in_all; /* the oldest first */
    struct ln_mux_base *base;
    struct ln_address local, remote;
    size_t room;
    ln_time give_up_at;
    struct ln_ice_tcp_frames frames;
};

struct ln_ice_mux_member {
    struct ln_list in_all;
    struct ln_list unsettled; /* it was called: what it is to be told, its deadline */
    struct ln_list to_send, to_ask, news;
    struct ln_heap_node deadline;
    struct ln_ice_mux *mux;
    struct ln_endpoint endpoint;
    void *ctx;
    struct ln_list links, requests;
    uint16_t link_count, request_count;
    bool watches, watch_due; /* interfaces */
    bool refused;            /* its request refused_id, and it does not know it yet */
    int refused_error;
    uint32_t watch_id, refused_id;
};

struct ln_ice_mux {
    const struct ln_env *env;
    struct ln_ice_mux_config config;
    struct ln_list members, unsettled, to_send, to_ask, news;
    size_t member_count;
    struct ln_ice_mux_member *telling; /* whose owner looks for events just now */
    struct ln_heap heap;               /* of members */
    struct ln_mux_base bases[LN_ICE_MUX_BASES_MAX];
    size_t bases_pending; /* WANTED or CLOSING */
    struct ln_map objects, ufrags, claims, asked, requests;
    struct ln_mux_object *last_object; /* the one that was looked up last */
    struct ln_list all_asked;          /* the one sent longest ago first */
    struct ln_list closing;            /* links that the driver is to close */
    struct ln_list cancelling;         /* requests that the driver is to forget */
    struct ln_list streams;
    size_t stream_count;
    struct ln_mux_link *sending; /* what left last, and where to */
    struct ln_address sending_to;
    uint32_t last_request;
    ln_link last_link;
    bool watch_wanted, watch_asked, interfaces_known;
    uint32_t watch_request;
    struct ln_interface *interfaces;
    size_t interface_count;
    uint64_t drops[LN_ICE_MUX_DROPS];
};

/* mux.c */
void ln_mux_drop(struct ln_ice_mux *mux, enum ln_ice_mux_drop reason);
/* It was called, or is to be: it may have something due, to send, to ask and to tell. */
void ln_mux_stir(struct ln_ice_mux_member *member);
/* As it says now. */
void ln_mux_set_deadline(struct ln_ice_mux_member *member);
struct ln_mux_object *ln_mux_find(struct ln_ice_mux *mux, ln_link link);
LN_NODISCARD int ln_mux_set_object(struct ln_ice_mux *mux, struct ln_mux_object *object);
void ln_mux_unset_object(struct ln_ice_mux *mux, struct ln_mux_object *object);

/* mux_links.c: bases and the links on them. */
/* What a member asked for by name; it is told later. */
void ln_mux_open(struct ln_ice_mux_member *member, const struct ln_request *request);
/* The member has closed it or is gone. */
void ln_mux_close(struct ln_ice_mux *mux, struct ln_mux_link *link);
/* The link of a ufrag on a base, or NULL. */
struct ln_mux_link *ln_mux_link_of_ufrag(const struct ln_ice_mux *mux,
                                         const struct ln_mux_base *base, struct ln_bytes ufrag);
/* The member hears what became of its requests. */
void ln_mux_tell(struct ln_ice_mux_member *member, ln_time now);
int ln_mux_bases_poll_request(struct ln_ice_mux *mux, struct ln_request *ret_request);
bool ln_mux_bases_answer(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer);
/* Closes those whose address is gone and that nobody uses. */
void ln_mux_review_bases(struct ln_ice_mux *mux);

/* mux_requests.c: what is passed on, and all answers. */
int ln_mux_poll_request(struct ln_ice_mux *mux, struct ln_request *ret_request);
void ln_mux_answer(struct ln_ice_mux *mux, ln_time now, const struct ln_answer *answer);
/* Everything that the member has or waits for. */
void ln_mux_release(struct ln_ice_mux_member *member);
/* A link of the driver's becomes the member's. */
struct ln_mux_link *ln_mux_give(struct ln_ice_mux_member *member, ln_link link);
/* The driver is to close a link that nobody wants. */
void ln_mux_close_unwanted(struct ln_ice_mux *mux, ln_link link);

/* mux_datagrams.c: whose they are. */
void ln_mux_receive(struct ln_ice_mux *mux, ln_time now, struct ln_packet *packet,
                    struct ln_mux_base *base);
/* Gives what a member sends its real path, and looks at it. False: dropped. */
bool ln_mux_send(struct ln_ice_mux_member *member, ln_time now, struct ln_transmit *out);
struct ln_mux_link *ln_mux_link_of_address(const struct ln_ice_mux *mux,
                                           const struct ln_mux_base *base,
                                           const struct ln_address *remote);
/* What is known by this link is forgotten. */
void ln_mux_forget(struct ln_ice_mux *mux, struct ln_mux_link *link);
/* The ufrag that a Binding request is for; false: it is none. */
bool ln_mux_read_ufrag(const void *data, size_t len, struct ln_bytes *ret_ufrag);

/* mux_streams.c: accepted, and nobody's yet. */
void ln_mux_accept(struct ln_ice_mux *mux, struct ln_mux_base *base, ln_time now,
                   const struct ln_answer *answer);
void ln_mux_stream_receive(struct ln_ice_mux *mux, ln_time now, struct ln_mux_stream *stream,
                           struct ln_packet *packet);
void ln_mux_stream_free(struct ln_ice_mux *mux, struct ln_mux_stream *stream);
void ln_mux_streams_on_timeout(struct ln_ice_mux *mux, ln_time now);
ln_time ln_mux_streams_next_timeout(const struct ln_ice_mux *mux);
/* Those of a listener that is no more. */
void ln_mux_end_streams(struct ln_ice_mux *mux, const struct ln_mux_base *base);

#endif
