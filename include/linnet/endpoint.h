/* SPDX-License-Identifier: Apache-2.0
 * What a protocol object and the program that drives it (a socket loop, the simulator) say to each
 * other: packets in, packets out, requests for sockets and names, and the answers to them.
 *
 * An object never opens a socket, reads a clock or calls the application. The driver
 *   1. hands it packets with receive() and replies with answer(),
 *   2. calls on_timeout() when next_timeout() has come,
 *   3. then takes everything from poll_transmit() and poll_request() until both return 0.
 * Events for the object's owner are not the driver's business. */
#ifndef LINNET_ENDPOINT_H
#define LINNET_ENDPOINT_H

#include <linnet/address.h>
#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The driver's name of one open socket or stream; never 0, never reused while anybody may refer to
 * it. 0 in a path to be sent means "no link yet". */
typedef uint32_t ln_link;

struct ln_path {
    ln_link link;
    struct ln_address local;  /* where the packet arrived, or is to leave from */
    struct ln_address remote; /* the other end */
};

enum ln_ecn {
    LN_ECN_NOT_ECT = 0,
    LN_ECN_ECT1 = 1,
    LN_ECN_ECT0 = 2,
    LN_ECN_CE = 3
}; /* RFC 3168, 5 */

struct ln_buffer; /* a counted packet buffer, base/pool.h */

/* One received datagram, or any piece of a stream, as it came. `data` is writable (it may be
 * decrypted in place) and borrowed for the call; the structure itself is the callee's to change. If
 * `buffer` is set, the callee may keep the bytes by taking a reference to it; else it copies what
 * it keeps. */
struct ln_packet {
    uint8_t *data;
    size_t len;
    struct ln_path path;
    uint8_t ecn; /* enum ln_ecn */
    struct ln_buffer *buffer;
};

/* A borrowed piece of a kept buffer, to be sent without a copy. */
struct ln_slice {
    const uint8_t *base;
    size_t len;
    struct ln_buffer *buffer; /* a reference that the driver releases after the send */
};

#define LN_TRANSMIT_SEGMENTS_MAX 64     /* Linux UDP_MAX_SEGMENTS */
#define LN_TRANSMIT_BYTES_MAX    65507u /* the largest UDP payload */

/* What is to be sent on one path. The callee writes to data[0..cap), or lends slices; not both.
 * Several datagrams of one size lie back to back: `segment` is that size (the last may be shorter),
 * 0 means one datagram (or a piece of a stream) of `len` bytes. */
struct ln_transmit {
    uint8_t *data; /* the driver's memory */
    size_t cap;
    size_t len; /* bytes written, or the sum over the slices */
    size_t segment;
    struct ln_path path;
    uint8_t ecn;
    uint8_t dscp;       /* RFC 2474, 3: 0..63; 0: what the socket is set to */
    bool may_fragment;  /* one datagram that is too large for its path else: without DF */
    bool whole;         /* one datagram that is dropped where it is too large: with DF */
    ln_time not_before; /* LN_TIME_IMMEDIATE, or the earliest moment of sending */
    struct ln_slice
        slices[LN_TRANSMIT_SEGMENTS_MAX]; /* one a datagram; used when slice_count > 0 */
    size_t slice_count;
};

enum ln_request_kind {
    LN_REQUEST_OPEN_UDP,   /* bind local (port 0: any); answered OPENED or FAILED */
    LN_REQUEST_OPEN_TCP,   /* connect to remote, bound to local if that has a family */
    LN_REQUEST_LISTEN_TCP, /* bind local and accept; each stream is answered OPENED with this id */
    LN_REQUEST_CLOSE,      /* close link; nothing more comes from it. link 0: take back what was
                              asked for under this id and not answered, or a published name */
    LN_REQUEST_RESOLVE,    /* look up name; answered RESOLVED or FAILED */
    LN_REQUEST_PUBLISH, /* let others on the link find local's address (port 0) under name; answered
                           PUBLISHED or FAILED; until it is taken back */
    LN_REQUEST_WATCH_INTERFACES, /* answered INTERFACES now and at each change */
    LN_REQUEST_WINDOW,    /* of the stream link, reads at most `bytes` more until told otherwise */
    LN_REQUEST_OPEN_PAIR, /* a stream within this program, whose other end goes to whoever takes
                             what is not for the object, as a connection from `remote`; answered
                             OPENED or FAILED */
};

struct ln_request {
    enum ln_request_kind kind;
    uint32_t id; /* chosen by the asker, returned in the answer */
    struct ln_address local, remote;
    ln_link link; /* LN_REQUEST_CLOSE, LN_REQUEST_WINDOW */
    size_t bytes; /* LN_REQUEST_WINDOW */
    /* RESOLVE, PUBLISH: the name. OPEN_UDP, LISTEN_TCP: by what packets may be told apart if the
     * socket is shared with other objects (a local ufrag; RFC 8445, 7.3); NULL: it may not be.
     * Borrowed until the next call on the object. */
    const char *name;
    uint16_t whole_above; /* LN_REQUEST_OPEN_UDP: a longer datagram that is too large for its path
                             is lost, not cut; 0: as the system does it */
    bool exclusive;       /* OPEN_UDP, LISTEN_TCP: shares its port with no other driver's socket */
    bool shared;    /* LISTEN_TCP: not all that connect are for the object; what is not may be taken
                       away before a byte of it was read, and is then told as CLOSED */
    uint8_t family; /* LN_REQUEST_RESOLVE: enum ln_family; NONE means both */
};

/* One address of one network interface. */
struct ln_interface {
    char name[16];
    uint32_t index;
    struct ln_address address; /* port 0 */
    uint8_t prefix_len;
    bool up, loopback, point_to_point, temporary, deprecated;
};

enum ln_answer_kind {
    LN_ANSWER_OPENED,    /* id, link, local (the bound address), remote for a stream */
    LN_ANSWER_FAILED,    /* id, error */
    LN_ANSWER_CLOSED,    /* link, error (0: by the other end) */
    LN_ANSWER_WRITABLE,  /* link, bytes: a stream whose send queue was full takes this much again */
    LN_ANSWER_RESOLVED,  /* id, addresses (ports 0) */
    LN_ANSWER_PUBLISHED, /* id: the name can be asked for */
    LN_ANSWER_INTERFACES,  /* id, interfaces: the whole list */
    LN_ANSWER_SEND_FAILED, /* path, error, icmp: a send there failed, for instance unreachable */
};

/* What a router or the host said about a datagram (RFC 792, RFC 4443), as the family of its
 * destination tells; also for one that the first link did not take. All 0: there was no message (no
 * error has type 0). */
struct ln_icmp {
    uint8_t type, code;
    uint32_t mtu; /* bytes of an IP packet that the next link takes, where it was too big; or 0 */
};

/* Borrowed for the call. */
struct ln_answer {
    enum ln_answer_kind kind;
    uint32_t id;
    ln_link link;
    struct ln_address local, remote;
    struct ln_path path;
    int error;
    struct ln_icmp icmp;
    size_t bytes;
    const struct ln_address *addresses;
    size_t address_count;
    const struct ln_interface *interfaces;
    size_t interface_count;
};

/* The six calls that a driver understands. Each takes the object as its first argument. */
struct ln_endpoint_ops {
    void (*receive)(void *object, ln_time now, struct ln_packet *packet);
    void (*on_timeout)(void *object, ln_time now);
    ln_time (*next_timeout)(const void *object);
    int (*poll_transmit)(void *object, ln_time now, struct ln_transmit *out);
    int (*poll_request)(void *object, struct ln_request *ret_request);
    void (*answer)(void *object, ln_time now, const struct ln_answer *answer);
};

struct ln_endpoint {
    const struct ln_endpoint_ops *ops;
    void *object;
};

#ifdef __cplusplus
}
#endif
#endif
