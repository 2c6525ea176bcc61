/* SPDX-License-Identifier: Apache-2.0
 * The agent's own candidates and candidate pairs (RFC 8445, 5.1, 6.1.2).
 *
 * Checks leave from a socket or through a relay, so pairs are formed from host and relayed
 * candidates only (a server-reflexive one is replaced by its base and then pruned, RFC 8445,
 * 6.1.2.4); what the other side sees of us is
 * `local`, which an answer's mapped address tells. A pair is found by its path: (link, remote). */
#ifndef LN_ICE_PAIR_H
#define LN_ICE_PAIR_H

#include "base/endpoint.h"
#include "base/list.h"
#include "ice/candidate.h"
#include "ice/consent.h"
#include "ice/ice.h"
#include "stun/transaction.h"

struct ln_ice_generation;
struct ln_ice_own_name;

struct ln_ice_local {
    struct ln_list in_generation;
    uint32_t id;
    uint32_t priority;
    uint32_t foundation;       /* a small number, written in decimal */
    struct ln_address address; /* what others see */
    struct ln_address base;    /* what the socket is bound to */
    ln_link link;
    uint32_t interface;         /* index of the one that the socket is bound to */
    struct ln_ice_relay *relay; /* relayed ones of UDP: what carries the datagrams */
    struct ln_address related;  /* shown as raddr and rport; family NONE: none */
    uint16_t preference;        /* of the link (RFC 8445, 5.1.2.1) */
    int8_t server;              /* index of the server it came from, -1: none */
    uint8_t type;               /* enum ln_candidate_type */
    uint8_t tcp_type;           /* enum ln_candidate_tcp_type; NONE: UDP */
    bool signalled;
    const struct ln_ice_own_name *name; /* host: told instead of the address; NULL: none */
};

enum ln_ice_name_state {
    LN_ICE_NAME_NONE, /* has an address from the start */
    LN_ICE_NAME_WANTED,
    LN_ICE_NAME_ASKED,
    LN_ICE_NAME_DONE,
    LN_ICE_NAME_FAILED
};

struct ln_ice_remote {
    struct ln_list in_generation;
    uint32_t id;
    uint32_t priority;
    uint32_t request; /* of its look-up */
    uint64_t foundation;
    struct ln_address address; /* family NONE until a name is resolved */
    struct ln_address related;
    char *name;  /* host name, or NULL */
    char *ufrag; /* as signalled, or NULL */
    char foundation_text[LN_CANDIDATE_FOUNDATION_MAX + 1];
    uint8_t type, protocol, tcp_type, name_state;
    bool signalled; /* false: only seen as the source of a check */
    bool usable;    /* may have pairs */
};

/* What a lite agent knows of a pair beside (lite.c). */
struct ln_ice_pair_lite {
    ln_time confirmed_at;     /* the last authentic data; LN_TIME_NEVER: none yet */
    ln_time unanswered_since; /* data went out and none came; LN_TIME_NEVER: none did */
    ln_time taken_at;         /* it was selected */
    bool unchecked;           /* no checks of the other side tell of it, data does */
};

struct ln_ice_pair {
    struct ln_ice_generation *generation;
    struct ln_ice_local *base;  /* the host or relayed candidate that checks leave from */
    struct ln_ice_local *local; /* what the other side sees; base until an answer tells otherwise */
    struct ln_ice_remote *remote;
    struct ln_path path;
    uint32_t id;
    uint64_t priority;
    uint8_t state;   /* enum ln_ice_pair_state */
    uint8_t failure; /* enum ln_ice_failure */
    uint8_t send_failures;
    bool authenticated;      /* an authentic check, request or answer, was seen on the path */
    bool nominated;          /* both sides agreed */
    bool nominating;         /* the running check carries USE-CANDIDATE */
    bool nominate_requested; /* the other side, controlling, wants this pair */
    bool sent_controlling;   /* the role that the last check claimed */

    struct ln_list busy;      /* in the agent's list of pairs with a deadline */
    struct ln_list triggered; /* in the check list's queue */
    struct ln_list outbox;    /* in the agent's list of pairs with something to send */
    struct ln_stun_transaction check;
    struct ln_consent consent;
    ln_time alive_at;      /* the last authentic sign of the other side */
    ln_time awaits_since;  /* a sign of it, because of data; LN_TIME_NEVER: nothing is awaited */
    ln_duration usual_gap; /* what such a sign takes, while data goes here */

    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint32_t requests_sent, requests_received, responses_sent, responses_received;
    uint32_t consent_requests_sent;
    uint32_t nominate_order; /* of the other side's request: the latest wins */
    uint64_t packets_discarded, bytes_discarded;
    ln_time last_sent, last_received;
    ln_duration current_rtt, total_rtt;
    struct ln_ice_pair_lite lite[]; /* one where the agent is lite, else none */
};

/* Whether checks leave from it: a socket, or a relay. */
static inline bool ln_ice_is_base(const struct ln_ice_local *local)
{
    return local->type == LN_CANDIDATE_HOST || local->type == LN_CANDIDATE_RELAY;
}

/* Not in any list yet; NULL when out of memory. */
struct ln_ice_pair *ln_ice_pair_create(struct ln_allocator *allocator,
                                       struct ln_ice_generation *generation,
                                       struct ln_ice_local *base, struct ln_ice_remote *remote,
                                       uint32_t id, bool lite);
/* Leaves all lists. */
void ln_ice_pair_free(struct ln_allocator *allocator, struct ln_ice_pair *pair);
void ln_ice_pair_set_priority(struct ln_ice_pair *pair, bool controlling);
/* Succeeded, and consent to send lives. */
static inline bool ln_ice_pair_usable(const struct ln_ice_pair *pair)
{
    return pair->state == LN_ICE_PAIR_SUCCEEDED && !pair->consent.lost;
}
/* What was answered may be sent on for as long as that consent lives (RFC 7675, 5.1). */
static inline bool ln_ice_pair_consented(const struct ln_ice_pair *pair, ln_time now)
{
    return ln_ice_pair_usable(pair) && (pair->consent.for_ever || now < pair->consent.valid_until);
}
/* Pairs of one foundation thaw together (RFC 8445, 6.1.2.6). */
static inline bool ln_ice_pair_same_foundation(const struct ln_ice_pair *a,
                                               const struct ln_ice_pair *b)
{
    return a->base->foundation == b->base->foundation &&
           a->remote->foundation == b->remote->foundation;
}
/* Whether a socket at `base` can reach `remote` at all: transport, family, loopback and scope
 * agree. False at a passive base: its pairs come from checks (RFC 6544, 6.2). */
bool ln_ice_pair_possible(const struct ln_ice_local *base, const struct ln_ice_remote *remote);
/* Over UDP, and neither side is behind a NAT: no better pair is worth waiting for. */
bool ln_ice_pair_direct(const struct ln_ice_pair *pair);
/* Goes through a relay, ours or (as far as we were told) the other side's. */
bool ln_ice_pair_relayed(const struct ln_ice_pair *pair);
/* Direct before through NATs before TCP before relayed: 3, 2, 1, 0. */
int ln_ice_pair_kind(const struct ln_ice_pair *pair);
/* An answered check's round trip. */
void ln_ice_pair_count_rtt(struct ln_ice_pair *pair, ln_duration rtt);

#endif
