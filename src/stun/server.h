/* SPDX-License-Identifier: Apache-2.0
 * A STUN binding server (RFC 8489, 6.3 and 12): stateless answers, limited per source prefix, and
 * an endpoint (linnet/endpoint.h) around them.
 *
 * It must be of no use as an amplifier (RFC 8489, 16.1): answers carry XOR-MAPPED-ADDRESS and
 * FINGERPRINT and nothing else, are at most LN_STUN_ANSWER_MAX bytes, and each /24 (IPv4) or /56
 * (IPv6) has a token bucket; past it requests are dropped and counted. */
#ifndef LN_STUN_SERVER_H
#define LN_STUN_SERVER_H

#include "base/endpoint.h"

#include <linnet/env.h>

#define LN_STUN_ANSWER_MAX 128u

/* Token buckets by source prefix in a fixed table: memory does not grow with the number of sources.
 * Prefixes that fall on one bucket share it. */
#define LN_STUN_BUCKETS 4096u

struct ln_stun_rate_limit {
    uint64_t secret[2];
    uint32_t per_second, burst;
    struct ln_allocator *allocator;
    struct ln_stun_bucket *buckets;
};

/* Defaults for 0: 200 a second, burst 400. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_stun_rate_limit_init(struct ln_stun_rate_limit *limit, const struct ln_env *env,
                                         uint32_t per_second, uint32_t burst);
void ln_stun_rate_limit_deinit(struct ln_stun_rate_limit *limit);
/* True if one more answer may go to this source; takes a token. */
bool ln_stun_rate_limit_take(struct ln_stun_rate_limit *limit, ln_time now,
                             const struct ln_address *source);

/* The answer to one datagram: its length in data[0..cap), 0 when it gets none (not a well-formed
 * binding request, or an indication), LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_stun_server_respond(const void *request, size_t len,
                                        const struct ln_address *from, void *data, size_t cap);

struct ln_stun_server_config {
    const struct ln_address *listen; /* addresses with ports; read during create */
    size_t listen_count;             /* at most LN_STUN_LISTEN_MAX */
    uint32_t per_second, burst;      /* 0: 200 and 400 */
};

#define LN_STUN_LISTEN_MAX 16u
#define LN_STUN_QUEUE_MAX  64u /* answers that wait for poll_transmit; more are dropped */

struct ln_stun_server_counts {
    uint64_t requests, answers, malformed, limited, queue_full, bytes_in, bytes_out;
};

struct ln_stun_server;

/* Returns 0, LN_ERR_INVALID_ARGUMENT or LN_ERR_NOMEM. Opening is requested by poll_request. */
LN_NODISCARD int ln_stun_server_create(struct ln_stun_server **ret_server,
                                       const struct ln_stun_server_config *config,
                                       const struct ln_env *env);
void ln_stun_server_free(struct ln_stun_server *server);
struct ln_endpoint ln_stun_server_endpoint(struct ln_stun_server *server);
void ln_stun_server_counts(const struct ln_stun_server *server,
                           struct ln_stun_server_counts *ret_counts);
/* How the i-th listening address stands: AGAIN while it opens, 0 when open (ret_bound set), else
 * its error. */
int ln_stun_server_listening(const struct ln_stun_server *server, size_t i,
                             struct ln_address *ret_bound);

#endif
