/* SPDX-License-Identifier: Apache-2.0
 * A client of the rig's server inside TLS or DTLS: what it says is sealed, and what the server says
 * opened. */
#ifndef LN_TEST_TURN_SECURE_CLIENT_H
#define LN_TEST_TURN_SECURE_CLIENT_H

#include "crypto/session.h"
#include "tests/unit/turn/rig.h"

struct secure_client {
    struct rig *rig;
    struct ln_session *session; /* to be freed by the test */
    struct ln_path path;
    uint8_t inbox[8192]; /* plain, what the server said last */
    size_t inbox_len;
};

/* Begins a session from there, by DTLS or by a stream of its own; for the protocol "stun.turn", for
 * another, or for none (NULL). */
void secure_open(struct secure_client *c, struct rig *rig, const char *from, bool datagram);
void secure_open_for(struct secure_client *c, struct rig *rig, const char *from, bool datagram,
                     const char *protocol);
/* Sends what the session has to say, and takes the answers, until both are silent. */
void secure_pump(struct secure_client *c);
void secure_say(struct secure_client *c, const void *data, size_t len);
/* Takes what was sent since the last drive. */
void secure_take(struct secure_client *c);
/* Finishes a request, signed as alice's if there is a nonce, and says it. The answer stays until
 * something else is said. */
void secure_call(struct secure_client *c, struct ln_stun_builder *b, const struct ln_bytes *nonce,
                 struct ln_stun_message *ret_answer);

#endif
