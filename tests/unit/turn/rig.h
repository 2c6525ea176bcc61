/* SPDX-License-Identifier: Apache-2.0
 * A TURN server in virtual time: a driver that opens whatever it is asked for, clients that sign
 * requests, and what the server sent, packet by packet. */
#ifndef LN_TEST_TURN_RIG_H
#define LN_TEST_TURN_RIG_H

#include "servers/turn/core/turn.h"
#include "stun/framing.h"
#include "stun/message.h"
#include "tests/support/test.h"

#define RIG_PACKETS_MAX 128
#define RIG_PACKET_CAP  4096
#define RIG_SOCKETS_MAX 512
#define RIG_LISTENER    1u /* the link of the UDP listener */

struct rig_packet {
    struct ln_path path;
    size_t len;
    uint8_t data[RIG_PACKET_CAP];
    bool stayed; /* in the buffer in which it came */
    bool whole;  /* with DF */
};

struct rig_socket {
    ln_link link; /* 0: closed */
    struct ln_address local;
    uint32_t id; /* of the request that opened it */
};

struct rig {
    struct ln_env env;
    struct ln_crypto *crypto; /* with `secure` set before rig_start(): TLS and DTLS */
    struct ln_certificate *certificate;
    bool secure;
    bool mobile;                   /* tickets; implied by `secure` */
    struct ln_turn_shared *shared; /* set before rig_start(): another rig's, as of another worker */
    bool borrowed;
    struct ln_turn_credentials *credentials;
    struct ln_turn_policy policy;
    struct ln_turn_config config;
    struct ln_turn_limits limits;
    struct ln_turn_listen listen[4];
    struct ln_turn_relay relays[2];
    struct ln_turn_server *server;
    struct ln_endpoint e;
    ln_time now;
    ln_link next_link;
    struct rig_socket sockets[RIG_SOCKETS_MAX];
    size_t socket_count, open_count;
    bool hold;           /* requests for sockets wait in `held` */
    unsigned fail_opens; /* so many of the next are answered ADDRESS_IN_USE */
    struct ln_request held[16];
    size_t held_count;
    struct rig_packet packets[RIG_PACKETS_MAX];
    size_t packet_count;
    bool buffered;                /* what comes lies in a buffer that may be kept */
    const struct ln_buffer *came; /* the last one */
    ln_link closed_stream;
    size_t
        windows[RIG_SOCKETS_MAX]; /* by link: what the server wants to read of it, and one more */
    uint32_t cancelled;           /* the id of the last request taken back */
    unsigned watches;             /* of interfaces, asked for */
    uint32_t watch_id;            /* of the last */
    size_t room;                  /* of a stream that it opens; 65536 */
};

/* Defaults in *rig, to be changed before rig_start(): realm "example.org", users alice:secret and
 * bob:hunter2, shared secret "north", relays 203.0.113.1 and 2001:db8::1, all public. */
void rig_init(struct rig *rig);
/* One for streams besides, where that for datagrams is; before rig_start(). */
void rig_listen_for_streams(struct rig *rig);
void rig_start(struct rig *rig);
void rig_end(struct rig *rig);

/* Takes what the server sends and asks for. */
void rig_drive(struct rig *rig);
void rig_answer_held(struct rig *rig, int error);
/* Moves time, with every deadline on the way. */
void rig_advance(struct rig *rig, ln_duration by);

struct rig_client {
    struct rig *rig;
    struct ln_path path;
    const char *user, *password;
    char nonce[128];
    unsigned next_id;
    bool strong;  /* SHA-256 all through */
    bool no_list; /* strong, but without PASSWORD-ALGORITHMS */
    bool stream;
};

struct rig_client rig_client(struct rig *rig, const char *address, const char *user,
                             const char *password);
/* Of the defaults, with alice at 198.51.100.7:4000 and her relay, whose address may be left out. */
void rig_start_with_alice(struct rig *rig, struct rig_client *ret_alice,
                          struct ln_address *ret_relayed);

/* Somebody connects to the listener that was asked for with this id; the link, which is
 * rig->closed_stream as well if the server closed it at once. */
ln_link rig_accept(struct rig *rig, uint32_t id, const char *from);
ln_link rig_open_stream(struct rig *rig, const char *from); /* a client */
struct rig_client rig_stream_client(struct rig *rig, const char *address, const char *user,
                                    const char *password);
/* What a driver says of a link: that it ended, in order or by an error; that so much may be
 * written. */
void rig_close_link(struct rig *rig, ln_link link);
void rig_lose_link(struct rig *rig, ln_link link, int error);
void rig_make_writable(struct rig *rig, ln_link link, size_t bytes);

/* A request: begin, add attributes, then sign and send; the answer is parsed into *ret_answer,
 * whose bytes stay until the next drive. */
struct rig_call {
    struct rig_client *client;
    uint8_t data[2048];
    struct ln_stun_builder b;
};
void rig_begin(struct rig_call *call, struct rig_client *client, uint16_t method);
void rig_repeat_id(struct rig_call *call, struct rig_client *client, uint16_t method, unsigned id);
/* 0 for success, the error code, or -1 when nothing came. Gets a nonce by itself. */
int rig_call(struct rig_call *call, struct ln_stun_message *ret_answer);
/* Sends it unsigned. */
int rig_call_unsigned(struct rig_call *call, struct ln_stun_message *ret_answer);

/* A relay of UDP, or of the protocol of that number (RFC 8656, 18.8). */
int rig_allocate_over(struct rig_client *client, uint8_t protocol, struct ln_address *ret_relayed);
int rig_allocate(struct rig_client *client, struct ln_address *ret_relayed);
/* With one attribute more. */
int rig_allocate_with(struct rig_client *client, uint16_t type, const void *value, size_t len,
                      struct ln_stun_message *ret_answer);
int rig_permit(struct rig_client *client, const char *peer);
int rig_bind(struct rig_client *client, uint16_t channel, const char *peer);
int rig_refresh(struct rig_client *client, uint32_t lifetime);
void rig_send_indication(struct rig_client *client, const char *peer, const char *text);
void rig_send_whole(struct rig_client *client, const char *peer, const char *text);
/* The indication alone, `whole` with DONT-FRAGMENT; its length. */
size_t rig_write_indication(uint8_t *data, size_t cap, const char *peer, const char *text,
                            bool whole);
void rig_send_channel(struct rig_client *client, uint16_t channel, const char *text);
/* A datagram of a peer to a relay's address. */
void rig_from_peer(struct rig *rig, const char *peer, const struct ln_address *relayed,
                   const char *text);
/* What ICMP says about a datagram from the relay's address to the peer. */
void rig_icmp(struct rig *rig, const struct ln_address *relayed, const char *peer,
              struct ln_icmp icmp);
/* Whether these bytes tell a client just that. */
bool rig_is_icmp(const uint8_t *data, size_t len, const char *peer, struct ln_icmp icmp);
void rig_receive(struct rig *rig, const struct ln_path *path, const void *data, size_t len);
struct ln_address rig_address(const char *text);
ln_link rig_link_of(const struct rig *rig, const struct ln_address *relayed);

/* That one packet was sent since the last drive was asked for, to this client: a Data indication of
 * this peer, ChannelData of this number, or what ICMP says about this peer. */
bool rig_got_indication(const struct rig_client *client, const char *peer, const char *text);
bool rig_got_channel(const struct rig_client *client, uint16_t number, const char *text);
bool rig_got_icmp(const struct rig_client *client, const char *peer, struct ln_icmp icmp);
/* The i-th packet sent since the last drive was asked for; NULL past the end. */
bool rig_sent(const struct rig *rig, size_t i, const char *remote, const char *text);
struct ln_turn_counts rig_counts(const struct rig *rig);

#endif
