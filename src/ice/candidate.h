/* SPDX-License-Identifier: Apache-2.0
 * A candidate as it is signalled: the candidate-attribute of RFC 8839, 5.1 (with RFC 6544's
 * tcptype) read and written, priorities (RFC 8445, 5.1.2), and which addresses may be checked.
 *
 *   candidate:FOUNDATION COMPONENT udp PRIORITY ADDRESS PORT typ host|srflx|prflx|relay
 *             [raddr ADDRESS rport PORT] [tcptype active|passive|so] [name value]...
 */
#ifndef LN_ICE_CANDIDATE_H
#define LN_ICE_CANDIDATE_H

#include <linnet/address.h>

#define LN_CANDIDATE_TEXT_MAX       1024u /* characters of one line; a longer one is refused */
#define LN_CANDIDATE_FOUNDATION_MAX 32u   /* RFC 8839, 5.1 */
#define LN_CANDIDATE_NAME_MAX       255u
#define LN_CANDIDATE_UFRAG_MAX      256u /* RFC 8839, 5.4 */

enum ln_candidate_type {
    LN_CANDIDATE_HOST,
    LN_CANDIDATE_SRFLX,
    LN_CANDIDATE_PRFLX,
    LN_CANDIDATE_RELAY
};
enum ln_candidate_protocol { LN_CANDIDATE_UDP, LN_CANDIDATE_TCP };
enum ln_candidate_tcp_type {
    LN_CANDIDATE_TCP_NONE,
    LN_CANDIDATE_TCP_ACTIVE,
    LN_CANDIDATE_TCP_PASSIVE,
    LN_CANDIDATE_TCP_SO
};

struct ln_candidate {
    char foundation[LN_CANDIDATE_FOUNDATION_MAX + 1];
    uint16_t component;
    uint8_t protocol; /* enum ln_candidate_protocol */
    uint8_t type;     /* enum ln_candidate_type */
    uint8_t tcp_type; /* enum ln_candidate_tcp_type */
    uint32_t priority;
    struct ln_address address; /* family NONE when `name` is set; the port is always here */
    char name[LN_CANDIDATE_NAME_MAX + 1];   /* a host name in place of the address, or "" */
    struct ln_address related;              /* family NONE: none */
    char ufrag[LN_CANDIDATE_UFRAG_MAX + 1]; /* the extension "ufrag", or "" */
};

/* Reads a line with or without "a=" and "candidate:". Unknown extensions are passed over. Returns
 * 0, LN_ERR_SYNTAX, or LN_ERR_NOT_SUPPORTED for a transport or type that is not known;
 * ret_candidate is then untouched. */
LN_NODISCARD int ln_candidate_parse(const char *text, size_t len,
                                    struct ln_candidate *ret_candidate);

/* "candidate:..." with its NUL. Returns its length or LN_ERR_NO_SPACE. LN_CANDIDATE_TEXT_MAX bytes
 * are enough for every candidate that parses. */
LN_NODISCARD int ln_candidate_write(const struct ln_candidate *candidate, char *text, size_t cap);

const char *ln_candidate_type_name(enum ln_candidate_type type);             /* "srflx" */
const char *ln_candidate_protocol_name(enum ln_candidate_protocol protocol); /* "udp" */
const char *ln_candidate_tcp_type_name(enum ln_candidate_tcp_type tcp_type); /* "" for NONE */

/* RFC 8445, 5.1.2.1, for component 1. */
uint32_t ln_candidate_priority(enum ln_candidate_type type, uint16_t local_preference);
/* The same over TCP (RFC 6544, 4.2): below every UDP candidate but relayed ones. */
uint32_t ln_candidate_tcp_priority(enum ln_candidate_type type, uint16_t local_preference);
/* RFC 8445, 6.1.2.3: G is the controlling agent's candidate, D the controlled agent's. */
uint64_t ln_candidate_pair_priority(uint32_t controlling, uint32_t controlled);

/* Whether a signalled address may be sent checks to: no port 0, none below 1024 but 80 and 443, no
 * broadcast, multicast, unspecified, mapped or site-local address, no link-local one without scope
 * (RFC 8445, 19; RFC 8828). */
bool ln_candidate_may_check(const struct ln_address *address);
/* Whether it is one of somebody's own network or host: private, link-local or loopback. */
bool ln_candidate_is_inside(const struct ln_address *address);

#endif
