/* SPDX-License-Identifier: Apache-2.0
 * The TURN server on sockets: a worker a core, each with its own loop, sockets (SO_REUSEPORT gives
 * a client always to the same one) and server object. All calls from one thread, the owner's.
 * Peers of its clients that live in the same program: resident.h. */
#ifndef LN_TURN_WIRING_SERVICE_H
#define LN_TURN_WIRING_SERVICE_H

#include "servers/turn/core/turn.h"

#include <linnet/error.h>

struct ln_turn_service;

struct ln_turn_service_config {
    /* Limits, listeners, relays. shared, credentials and policy are not read. nonce_key all zero:
     * one by chance. Without relays: the listening address, or those of the interfaces.
     * relay_ports: of all workers together, at least one each. */
    struct ln_turn_config turn;
    struct ln_turn_limits limits;
    struct ln_turn_policy policy; /* allow and deny; own and listening addresses are added */
    unsigned workers;             /* 0: one a core. With a port 0 in a listener: one */
    /* TLS and DTLS: PEM texts, the chain behind the certificate; {NULL, 0}: neither. Copied. The
     * key may stand in the certificate's text. */
    struct ln_bytes certificate_pem, key_pem;
    /* Takes the streams that are HTTP's (see ln_turn_is_http()), on the thread of a worker: plain
     * ones, or with a certificate those that come by TLS. NULL: there are none. */
    void (*take)(void *ctx, int fd, const struct ln_address *remote, bool secure);
    void *take_ctx;
    bool no_offload; /* neither UDP_SEGMENT nor UDP_GRO */
    /* Events for the log, on the thread of a worker, one at a time. May be NULL. */
    void (*event)(void *ctx, const struct ln_turn_event *event);
    void *ctx;
};

/* Binds everything and serves from then on. Takes the credentials over, also when it fails. Returns
 * 0; LN_ERR_ADDRESS_IN_USE and the like with *ret_failed, the index of the listener that could not
 * be bound; LN_ERR_SYNTAX or LN_ERR_INVALID_ACCESS for a certificate; LN_ERR_NOT_FOUND without a
 * relay address; LN_ERR_NOMEM, LN_ERR_SYSTEM, LN_ERR_CRYPTO.
 */
LN_NODISCARD int ln_turn_service_start(struct ln_turn_service **ret_service,
                                       const struct ln_turn_service_config *config,
                                       struct ln_turn_credentials *credentials, size_t *ret_failed);
/* Ends it at once. Residents that are there go on by their sockets. NULL is fine. */
void ln_turn_service_stop(struct ln_turn_service *service);

/* Other credentials (taken over), policy, limits and certificate, while it runs. Returns 0,
 * LN_ERR_NOMEM, or what is wrong with the certificate; then everything stays as it was. */
LN_NODISCARD int ln_turn_service_reload(struct ln_turn_service *service,
                                        const struct ln_turn_service_config *config,
                                        struct ln_turn_credentials *credentials);
/* Other credentials (taken over) alone. */
void ln_turn_service_set_users(struct ln_turn_service *service,
                               struct ln_turn_credentials *credentials);
/* No new allocations; what is there goes on. Reversible. */
void ln_turn_service_drain(struct ln_turn_service *service, bool drain);

struct ln_address ln_turn_service_listening(const struct ln_turn_service *service, size_t i);
size_t ln_turn_service_relays(const struct ln_turn_service *service,
                              struct ln_turn_relay relays[LN_TURN_RELAYS_MAX]);
unsigned ln_turn_service_workers(const struct ln_turn_service *service);
size_t ln_turn_service_allocations(const struct ln_turn_service *service);
int64_t ln_turn_service_certificate_expires_ms(const struct ln_turn_service *service); /* 0: none */
size_t ln_turn_service_users(const struct ln_turn_service *service);
/* Added up over the workers. Any thread. */
void ln_turn_service_counts(struct ln_turn_service *service, struct ln_turn_counts *ret_counts);

/* The addresses of this machine's interfaces that are up. Returns how many there are in `own`. */
size_t ln_turn_own_addresses(struct ln_address own[LN_TURN_OWN_MAX]);

#endif
