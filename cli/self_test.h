/* SPDX-License-Identifier: Apache-2.0
 * What a client will see of a TURN server that has just started, found out by being one: which
 * ports answer, over what, with which certificate, and whether the address that is told is the one
 * by which the world sees this machine. */
#ifndef LN_CLI_SELF_TEST_H
#define LN_CLI_SELF_TEST_H

#include "crypto/certificate.h"
#include "servers/turn/wiring/service.h"

#include <linnet/env.h>

#include <stdio.h>

enum self_test_kind {
    SELF_TEST_UDP, /* a Binding request over each way is answered */
    SELF_TEST_TCP,
    SELF_TEST_TLS,
    SELF_TEST_DTLS,
    SELF_TEST_CERTIFICATE, /* its name, its expiry, whether this machine trusts it */
    SELF_TEST_EXTERNAL,    /* what is told against what an outside server sees */
};

enum self_test_verdict { SELF_TEST_OK, SELF_TEST_WARNING, SELF_TEST_FAILED };

struct self_test_result {
    enum self_test_kind kind;
    enum self_test_verdict verdict;
    struct ln_address address; /* what was asked: a listener, or the address that is told */
    char name[128];            /* of the certificate, printable ASCII */
    int64_t expires_ms;        /* of the certificate; 0: not known */
    struct ln_address seen;    /* EXTERNAL: from outside; no family: nobody was asked */
    char text[320];            /* one sentence, with what to do about it */
};

struct self_test {
    const struct ln_turn_service *service;
    size_t listen_count;
    const struct ln_turn_listen *listen; /* which of them are streams */
    bool relays;                         /* it is a TURN server, not one of STUN alone */
    bool secure;                         /* it has a certificate */
    const char *outside;                 /* a STUN server elsewhere, HOST:PORT; NULL: none */
    void (*tell)(void *ctx, const struct self_test_result *result);
    void *ctx;
};

/* Runs all of it, one after another; blocks, for milliseconds when all is well and for two seconds
 * for each thing that does not answer. Returns how many have failed. */
size_t self_test_run(const struct self_test *test, const struct ln_env *env);

/* "  check  udp 127.0.0.1:3478: answers" */
void self_test_print(FILE *out, const struct self_test_result *result);

#endif
