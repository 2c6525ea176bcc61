/* SPDX-License-Identifier: Apache-2.0
 * Two DTLS transports and the wire between them, in virtual time. */
#ifndef LN_TEST_DTLS_PAIR_H
#define LN_TEST_DTLS_PAIR_H

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "dtls/dtls.h"

#include "tests/support/test.h"
#include "tests/support/virtual_clock.h"

#define WIRE_MAX   256
#define PACKET_MAX 2048

struct wire_packet {
    uint8_t data[PACKET_MAX];
    size_t len;
    int to;
    ln_time at;
};

struct pair;
/* Decides the fate of a packet: false loses it. It may change it, or push more. */
typedef bool pair_filter(struct pair *pair, struct wire_packet *packet);

struct side {
    struct ln_certificate *certificate;
    struct ln_dtls *dtls;
    char fingerprint[LN_FINGERPRINT_TEXT_MAX];
    struct ln_dtls_event last;
    int events;
    uint8_t received[64][128];
    size_t received_len[64];
    int received_count;
};

struct pair {
    struct ln_crypto *crypto;
    struct side side[2]; /* 0: client */
    struct wire_packet *wire;
    int wire_count;
    ln_time now, delay;
    pair_filter *filter;
    int sent; /* packets in all */
    void *context;
    uint8_t digest[LN_SHA256_LEN]; /* over all packets sent */
};

void pair_open(struct pair *pair, enum ln_key_type client_key, enum ln_key_type server_key,
               const struct ln_dtls_config *client, const struct ln_dtls_config *server);
void pair_close(struct pair *pair);
/* set_remote with the true fingerprints, and writable. */
void pair_start(struct pair *pair);
void pair_push(struct pair *pair, int to, const void *data, size_t len, ln_duration delay);
/* Takes what both sides want to send. */
void pair_collect(struct pair *pair);
/* Delivers and fires timers until nothing is left to do before the end. */
void pair_run(struct pair *pair, ln_duration duration);
void pair_send(struct pair *pair, int from, const char *text);
bool pair_connected(const struct pair *pair);

#endif
