/* SPDX-License-Identifier: Apache-2.0
 * Cookies of DTLS (RFC 6347, 4.2.1) without any state: a server looks at a
 * ClientHello, and answers one without the right cookie with a
 * HelloVerifyRequest that is shorter than it. Only a client that receives at
 * the address it sends from comes further, and only then a session is made
 * (struct ln_session_config.after_cookie).
 *
 * The cookie is a time and a MAC over it, the client's address and port, and
 * its random value. It is read from the first fragment of a ClientHello, so
 * that browsers' fragmented ones pass. */
#ifndef LN_CRYPTO_COOKIE_H
#define LN_CRYPTO_COOKIE_H

#include <linnet/address.h>

#define LN_DTLS_COOKIE_KEY_LEN 32u
#define LN_DTLS_VERIFY_LEN     48u /* bytes of a HelloVerifyRequest of ours */
#define LN_DTLS_RANDOM_LEN     32u

enum ln_dtls_hello {
    LN_DTLS_HELLO_NONE,   /* no first fragment of a ClientHello */
    LN_DTLS_HELLO_ASKED,  /* no cookie, or not ours: the answer has been written */
    LN_DTLS_HELLO_PROVED, /* the right cookie */
};

/* Looks at a datagram's first record. `now` is any clock in seconds that all
 * calls share; a cookie lives for one to two minutes. random is set unless
 * NONE: the client's random value, by which a repeated hello is told from a new
 * one; borrowed from the datagram. */
enum ln_dtls_hello ln_dtls_cookie_check(const uint8_t key[LN_DTLS_COOKIE_KEY_LEN], int64_t now,
                                        const struct ln_address *client, struct ln_bytes datagram,
                                        uint8_t answer[LN_DTLS_VERIFY_LEN],
                                        const uint8_t **ret_random);

#endif
