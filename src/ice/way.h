/* SPDX-License-Identifier: Apache-2.0
 * A way to a STUN or TURN server (RFC 8489, 6.2; RFC 8656, 3.1): datagrams on a socket, DTLS on it,
 * or a stream of its own, plain or inside TLS, through an HTTP proxy if there is one.
 *
 * Whoever owns a way says what it leads to, begins it, hands it the answers and the bytes that are
 * for its link, and asks whether messages may be sent. Nothing of what passes is known here. */
#ifndef LN_ICE_WAY_H
#define LN_ICE_WAY_H

#include "base/endpoint.h"
#include "crypto/session.h"
#include "stun/framing.h"
#include "stun/proxy.h"

#define LN_ICE_WAY_FRAME_MAX 8192u  /* bytes of a frame on a stream; a longer one ends it */
#define LN_ICE_WAY_PLAIN_MAX 16384u /* of one record */
#define LN_ICE_WAY_DEADLINE  LN_MILLISECONDS(9500) /* connecting, securing, the first answer */

struct ln_ice;
struct ln_ice_server_entry;

enum ln_ice_stream { /* the way's own stream, or socket of UDP */
                     LN_ICE_STREAM_NONE,
                     LN_ICE_STREAM_WANTED,
                     LN_ICE_STREAM_ASKED,
                     LN_ICE_STREAM_OPEN,
                     LN_ICE_STREAM_CLOSING, /* to be closed by the next poll_request */
                     LN_ICE_STREAM_CANCEL,  /* asked for, and not wanted any more */
};

enum ln_ice_tunnel {                     /* through a proxy, in the way's own stream */
                     LN_ICE_TUNNEL_NONE, /* no proxy */
                     LN_ICE_TUNNEL_CLOSED,
                     LN_ICE_TUNNEL_WANTED, /* to be asked for by the next message */
                     LN_ICE_TUNNEL_ASKED,
                     LN_ICE_TUNNEL_OPEN,
};

struct ln_ice_way {
    const struct ln_ice_server_entry *to; /* borrowed; NULL: its owner is leaving */
    ln_link link;                         /* the socket or stream; 0: none */
    uint8_t over;                         /* enum ln_ice_over */
    uint8_t stream;                       /* enum ln_ice_stream */
    uint8_t tunnel;                       /* enum ln_ice_tunnel; with one, `server` is the proxy, */
    bool own;                             /* a socket of UDP of its own */
    bool from_port;                       /* its stream leaves from the port of `base` */
    uint32_t request;
    size_t room; /* bytes that the stream takes */
    struct ln_address base, server;
    struct ln_address target; /* and this the server, if it is not that of the URL */
    struct ln_proxy_answer answer;
    struct ln_session *session; /* TLS or DTLS, else NULL */
    uint8_t *plain;             /* what came out of the session last */
    char *domain;               /* whose certificate it must be, if not the server's own */
    struct ln_stun_stream frames;
    struct ln_bytes rest, plain_rest; /* not unpacked yet; of the packet in hand */
};

/* Begins to connect, or to secure. `domain` is copied. Returns 0, LN_ERR_NOMEM, ...; to be ended
 * either way. */
LN_NODISCARD int ln_ice_way_begin(struct ln_ice *ice, struct ln_ice_way *way, ln_time now);
/* Frees what it holds; its stream is the owner's to close. */
void ln_ice_way_end(struct ln_ice *ice, struct ln_ice_way *way);
/* Begins anew from way->base; its socket, if it is its own, is gone already. */
LN_NODISCARD int ln_ice_way_reopen(struct ln_ice *ice, struct ln_ice_way *way, ln_time now);
bool ln_ice_way_is_stream(const struct ln_ice_way *way);
/* What has failed, of enum ln_ice_error_text: it may have been the proxy. */
unsigned ln_ice_way_text(const struct ln_ice_way *way, unsigned text);

/* --- the driver ---------------------------------------------------------------------------- */

/* A stream that was never open has nothing to say. */
void ln_ice_way_drop(struct ln_ice_way *way);
/* Opens or closes its stream: 1 with a request. Afterwards way->stream is NONE when that was the
 * end. */
int ln_ice_way_poll_request(struct ln_ice *ice, struct ln_ice_way *way,
                            struct ln_request *ret_request);
enum ln_ice_way_news {
    LN_ICE_WAY_NOT_MINE,
    LN_ICE_WAY_TAKEN,
    LN_ICE_WAY_LOST, /* it was not opened, or is closed */
};
enum ln_ice_way_news ln_ice_way_answer(struct ln_ice_way *way, ln_time now,
                                       const struct ln_answer *answer);

/* --- time and messages --------------------------------------------------------------------- */

/* 0, or why it is no way any more. */
int ln_ice_way_run(struct ln_ice_way *way, ln_time now);
ln_time ln_ice_way_next_timeout(const struct ln_ice_way *way);
/* Whether messages may be sent. */
bool ln_ice_way_ready(const struct ln_ice_way *way);
/* Bytes before a message. */
size_t ln_ice_way_head(const struct ln_ice_way *way);
/* Makes a message of len bytes at out + head ready to be sent from `out` on. Returns the bytes
 * there (0: they wait in the session), or < 0. */
int ln_ice_way_wrap(struct ln_ice_way *way, ln_time now, uint8_t *out, size_t len, size_t cap);
/* The owner's next message, put at `data`: its length, 0, or < 0. */
typedef int (*ln_ice_way_message_fn)(struct ln_ice *ice, void *owner, ln_time now, uint8_t *data,
                                     size_t cap);
/* The next message on the way: 1 with `out` filled, 0, or < 0. What the tunnel or the session
 * itself has to say goes before what the owner writes. */
int ln_ice_way_transmit(struct ln_ice *ice, struct ln_ice_way *way, ln_time now,
                        ln_ice_way_message_fn message, void *owner, struct ln_transmit *out);
/* Of a stream whose messages are over: what came on it, as it is: 1, or 0 when there is no more.
 * Borrowed until the next call. */
int ln_ice_way_read(struct ln_ice_way *way, ln_time now, struct ln_bytes *ret_bytes);
/* The next message in way->rest, which is shortened: 1, 0, or < 0: the stream is of no use. */
int ln_ice_way_next(struct ln_ice_way *way, ln_time now, struct ln_bytes *ret_message);

#endif
