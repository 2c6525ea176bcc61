/* SPDX-License-Identifier: Apache-2.0
 * Stateless cookies of DTLS (RFC 6347, 4.2.1 and 4.2.2).
 *
 *   record     | type (8) | version (16) | epoch (16) | sequence (48) | length
 * (16) | handshake  | type (8) | length (24) | message (16) | offset (24) |
 * fragment length (24) | hello      | version (16) | random (256) | session id
 * <0..32> | cookie <0..255> | ... */
#include "crypto/cookie.h"

#include "base/bytes.h"
#include "crypto/hash.h"

#include <string.h>

#define HANDSHAKE            22
#define CLIENT_HELLO         1
#define HELLO_VERIFY_REQUEST 3
#define DTLS_1_0             0xfeff /* the version of every HelloVerifyRequest (RFC 6347, 4.2.1) */
#define PERIOD               60
#define MAC_LEN              16u
#define COOKIE_LEN           (4u + MAC_LEN)

static void make_cookie(const uint8_t key[LN_DTLS_COOKIE_KEY_LEN], uint32_t period,
                        const struct ln_address *client, const uint8_t *random,
                        uint8_t cookie[COOKIE_LEN])
{
    uint8_t mac[LN_SHA256_LEN], port[2];
    struct ln_bytes pieces[4] = {
        { cookie, 4 }, { client->ip, 16 }, { port, 2 }, { random, LN_DTLS_RANDOM_LEN }
    };

    ln_store32(cookie, period);
    ln_store16(port, client->port);
    ln_hmac_once(LN_HASH_SHA256, key, LN_DTLS_COOKIE_KEY_LEN, pieces, 4, mac);
    memcpy(cookie + 4, mac, MAC_LEN);
}

static void write_answer(const uint8_t *sequence, const uint8_t cookie[COOKIE_LEN],
                         uint8_t answer[LN_DTLS_VERIFY_LEN])
{
    struct ln_writer w;

    ln_writer_init(&w, answer, LN_DTLS_VERIFY_LEN);
    ln_write8(&w, HANDSHAKE);
    ln_write16(&w, DTLS_1_0);
    ln_write16(&w, 0);
    ln_write_bytes(&w, sequence, 6); /* that of the hello, so that nothing is remembered */
    ln_write16(&w, 12 + 3 + COOKIE_LEN);
    ln_write8(&w, HELLO_VERIFY_REQUEST);
    ln_write24(&w, 3 + COOKIE_LEN);
    ln_write16(&w, 0);
    ln_write24(&w, 0);
    ln_write24(&w, 3 + COOKIE_LEN);
    ln_write16(&w, DTLS_1_0);
    ln_write8(&w, COOKIE_LEN);
    ln_write_bytes(&w, cookie, COOKIE_LEN);
}

/* What the check needs of a hello. False when the datagram does not begin with
 * one. */
static bool read_hello(struct ln_bytes datagram, const uint8_t **ret_sequence,
                       const uint8_t **ret_random, struct ln_bytes *ret_cookie)
{
    struct ln_reader r;
    bool right;

    ln_reader_init(&r, datagram.data, datagram.len);
    right = ln_read8(&r) == HANDSHAKE;
    right &= ln_read8(&r) == 0xfe;
    ln_read_skip(&r, 1);
    right &= ln_read16(&r) == 0;
    *ret_sequence = ln_read_bytes(&r, 6).data;
    r = ln_read_sub(&r, ln_read16(&r));
    right &= ln_read8(&r) == CLIENT_HELLO;
    ln_read_skip(&r, 3 + 2);
    right &= ln_read24(&r) == 0; /* the first fragment */
    r = ln_read_sub(&r, ln_read24(&r));
    ln_read_skip(&r, 2);
    *ret_random = ln_read_bytes(&r, LN_DTLS_RANDOM_LEN).data;
    ln_read_skip(&r, ln_read8(&r));
    *ret_cookie = ln_read_bytes(&r, ln_read8(&r));
    return right && r.ok;
}

enum ln_dtls_hello ln_dtls_cookie_check(const uint8_t key[LN_DTLS_COOKIE_KEY_LEN], int64_t now,
                                        const struct ln_address *client, struct ln_bytes datagram,
                                        uint8_t answer[LN_DTLS_VERIFY_LEN],
                                        const uint8_t **ret_random)
{
    uint32_t period = (uint32_t)(now / PERIOD);
    const uint8_t *sequence, *random;
    uint8_t expected[COOKIE_LEN];
    struct ln_bytes cookie;

    if (!read_hello(datagram, &sequence, &random, &cookie))
        return LN_DTLS_HELLO_NONE;
    *ret_random = random;
    if (cookie.len == COOKIE_LEN) {
        uint32_t made = ln_load32(cookie.data);

        make_cookie(key, made, client, random, expected);
        if ((made == period || made + 1 == period) &&
            ln_equal_constant_time(expected, cookie.data, COOKIE_LEN))
            return LN_DTLS_HELLO_PROVED;
    }
    make_cookie(key, period, client, random, expected);
    write_answer(sequence, expected, answer);
    return LN_DTLS_HELLO_ASKED;
}
