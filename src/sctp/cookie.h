/* SPDX-License-Identifier: Apache-2.0
 * The state cookie (RFC 9260, 5.1.3): all that an INIT left behind travels to the peer and back,
 * under a keyed hash. It holds numbers of the protocol only, nothing about our memory. */
#ifndef LN_SCTP_COOKIE_H
#define LN_SCTP_COOKIE_H

#include <linnet/types.h>

#define LN_COOKIE_BYTES     84u
#define LN_COOKIE_KEY_BYTES 32u

struct ln_cookie {
    ln_time created;
    uint32_t local_tag, peer_tag;         /* of the association that it would make */
    uint32_t local_tie_tag, peer_tie_tag; /* of the one that existed; 0: none */
    uint32_t local_tsn, peer_tsn;
    uint32_t peer_window;
    uint16_t outgoing, incoming; /* the peer's view: what it sends, what it takes */
    bool partial_reliability, reset, interleaving, zero_checksum;
};

void ln_cookie_write(const struct ln_cookie *cookie, const uint8_t key[LN_COOKIE_KEY_BYTES],
                     uint8_t bytes[LN_COOKIE_BYTES]);
/* Returns 0, LN_ERR_MALFORMED (another length) or LN_ERR_INTEGRITY. Age is the caller's matter. */
LN_NODISCARD int ln_cookie_read(struct ln_bytes bytes, const uint8_t key[LN_COOKIE_KEY_BYTES],
                                struct ln_cookie *ret_cookie);

#endif
