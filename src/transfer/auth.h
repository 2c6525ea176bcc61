/* SPDX-License-Identifier: Apache-2.0
 * The first words on the channel: both ends prove that they know the code and see the same two
 * certificates, so that nobody, the signalling server included, stands between (docs/transfer.md).
 *
 *   receiver                         sender
 *   HELLO (share)   ------------->
 *                   <-------------   SHARE
 *   CONFIRM         ------------->   a wrong one is a failed try of the code
 *                   <-------------   CONFIRM
 *
 * The receiver confirms first: the sender gives away nothing that a guess could be tried on before
 * the guess was made. */
#ifndef LN_TRANSFER_AUTH_H
#define LN_TRANSFER_AUTH_H

#include "crypto/certificate.h"
#include "transfer/code.h"
#include "transfer/message.h"

#define LN_AUTH_TRIES 3u /* wrong ones that a sender takes in all */

enum ln_auth_role { LN_AUTH_RECEIVER, LN_AUTH_SENDER };

enum ln_auth_state {
    LN_AUTH_WAITING, /* for the other's share, then its confirmation */
    LN_AUTH_PROVEN,
    LN_AUTH_WRONG,    /* the other does not know the code, or somebody stands between */
    LN_AUTH_BROKEN,   /* its messages made no sense */
    LN_AUTH_CANCELLED /* the other does not want to go on: see reason */
};

struct ln_auth {
    enum ln_auth_role role;
    enum ln_auth_state state;
    struct ln_spake2 *spake2;
    bool shared; /* its share came */
    /* The certificates as "sha-256 AB:CD:…". */
    char receiver[LN_FINGERPRINT_TEXT_MAX + 16], sender[LN_FINGERPRINT_TEXT_MAX + 16];
    uint8_t out[2 + LN_SPAKE2_SHARE_LEN]; /* a message to be sent */
    size_t out_len;                       /* 0: none */
    enum ln_transfer_reason reason;       /* with CANCELLED; nothing proves who said it */
};

/* der: the certificates of both ends of the connection that the channel is on. Returns 0 or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_auth_init(struct ln_auth *auth, enum ln_auth_role role,
                              const struct ln_code *code, struct ln_bytes ours,
                              struct ln_bytes theirs, struct ln_env *env);
void ln_auth_deinit(struct ln_auth *auth); /* zeroed memory is fine */

/* A message of the channel while the state is WAITING; see auth->state. Returns 0 or LN_ERR_NOMEM.
 */
LN_NODISCARD int ln_auth_receive(struct ln_auth *auth, const uint8_t *data, size_t len);
/* The next message to be sent, borrowed until the next call; false: none. */
bool ln_auth_poll(struct ln_auth *auth, struct ln_bytes *ret_message);

#endif
