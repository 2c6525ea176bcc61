/* SPDX-License-Identifier: Apache-2.0
 * A plain OpenSSL DTLS peer opposite one of our transports: what any other stack looks like. */
#ifndef LN_TEST_DTLS_FOREIGN_H
#define LN_TEST_DTLS_FOREIGN_H

#include "crypto/crypto.h"
#include "dtls/dtls.h"

#include "tests/support/test.h"
#include "tests/support/virtual_clock.h"

#include <openssl/ssl.h>

struct foreign {
    struct ln_crypto *crypto;
    struct ln_certificate *certificate; /* ours */
    struct ln_dtls *dtls;               /* ours */
    struct ln_dtls_event last;
    SSL_CTX *context; /* theirs: change it between open and start */
    X509 *x509;
    EVP_PKEY *key;
    SSL *ssl;
    int wire[2]; /* [0] ours, [1] theirs: a pair of sockets that keeps datagrams apart */
    ln_time now;
    bool their_handshake_done, they_failed;
    char received[2][256]; /* [0] by us, [1] by them */
    size_t mtu;
};

/* Their certificate: an EC curve's name, or "RSA:bits". */
void foreign_open(struct foreign *f, bool we_are_client, const char *their_key,
                  const struct ln_dtls_config *config);
/* Makes their SSL object and exchanges packets until nothing moves, stepping time by 20 ms up to
 * the given number of times. */
void foreign_run(struct foreign *f, int steps);
void foreign_close(struct foreign *f);
bool foreign_connected(const struct foreign *f);
void foreign_exchange(struct foreign *f); /* a message each way */

#endif
