/* SPDX-License-Identifier: Apache-2.0
 * A STUN and TURN server over streams (RFC 8489, 8656, 6062) for the user alice with the password
 * "secret": it grants everything by the book, as far as it looks, or does what it is told to do
 * wrong. Nothing is relayed: what "peers" send is what a test has it say. An endpoint for
 * tests/support/wire.h, which hands in whole messages. */
#ifndef LN_TEST_STREAM_SERVER_H
#define LN_TEST_STREAM_SERVER_H

#include "base/endpoint.h"
#include "ice/ice.h"
#include "stun/message.h"

#define STREAM_SERVER_IP      "203.0.113.9"
#define STREAM_SERVER_STREAMS 96
#define STREAM_SERVER_QUEUE   256

struct stream_server {
    /* what it does wrong */
    bool silent;           /* it answers nothing */
    bool allocates_no_tcp; /* 442 */
    bool connect_silent, connect_without_id;
    uint16_t refuse_connect, refuse_bind; /* codes; 0: none */
    bool bind_silent, bind_rubbish;

    /* what happened */
    unsigned allocates, connects, binds, permissions, releases;

    /* inside */
    bool asked;
    struct ln_address relayed;
    uint32_t next_connection;
    struct stream_server_stream {
        struct ln_path path;
        struct ln_stun_id last; /* of its last request */
        bool open, tcp, bound;
    } streams[STREAM_SERVER_STREAMS];
    size_t count;
    struct {
        size_t stream, len;
        uint8_t data[700];
    } queue[STREAM_SERVER_QUEUE];
    size_t queued;
};

/* It as an agent's server: alice's relay over TCP. */
extern const struct ln_ice_server_address stream_server_relay;

void stream_server_init(struct stream_server *server);
struct ln_endpoint stream_server_endpoint(struct stream_server *server);
/* Streams that are open; those that were bound. */
size_t stream_server_open(const struct stream_server *server);
size_t stream_server_bound(const struct stream_server *server);
/* Says this on a stream, if it is open. */
void stream_server_say(struct stream_server *server, size_t stream, const void *data, size_t len);
/* Answers the last request of a stream, with right integrity, by these attributes. */
void stream_server_answer(struct stream_server *server, size_t stream, enum ln_stun_class kind,
                          uint16_t method, void (*add)(struct ln_stun_builder *b, void *context),
                          void *context);
/* A peer has connected: a ConnectionAttempt on the control connection of the allocation of TCP. */
void stream_server_attempt(struct stream_server *server, const struct ln_address *peer,
                           uint32_t connection);

#endif
