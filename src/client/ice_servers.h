/* SPDX-License-Identifier: Apache-2.0
 * What signalling says of connections as JSON, in the shape of the W3C dictionaries, read into
 * ours. */
#ifndef LN_CLIENT_ICE_SERVERS_H
#define LN_CLIENT_ICE_SERVERS_H

#include <linnet/configuration.h>
#include <linnet/ice_candidate.h>

#include <jansson.h>

#define LN_ICE_SERVERS_MAX     8u
#define LN_ICE_SERVER_URLS_MAX 4u

/* RTCIceServer[] of a server, with its texts. Zeroed memory has none. */
struct ln_ice_servers {
    json_t *texts; /* what the pointers below point into */
    struct ln_ice_server servers[LN_ICE_SERVERS_MAX];
    const char *urls[LN_ICE_SERVERS_MAX][LN_ICE_SERVER_URLS_MAX];
    size_t count;
};

/* Replaces what there was by a copy. What is malformed, or one too many, is left out. NULL: none.
 */
void ln_ice_servers_read(struct ln_ice_servers *servers, const json_t *array);
void ln_ice_servers_deinit(struct ln_ice_servers *servers);

/* RTCIceCandidateInit; texts are borrowed. False without a candidate. */
bool ln_ice_candidate_read(const json_t *object, struct ln_ice_candidate_init *ret_candidate);

#endif
