/* SPDX-License-Identifier: Apache-2.0
 *
 *   created 8 | tags 4 x 4 | TSNs 2 x 4 | window 4 | streams 2 x 2 | flags 1 | zero 11 | MAC 32
 *
 * HMAC-SHA-256 over all before it, compared in constant time. */
#include "sctp/cookie.h"

#include "base/bytes.h"
#include "crypto/hash.h"

#include <linnet/error.h>

#define CONTENT_BYTES 52u
#define FLAG_PARTIAL  1u
#define FLAG_RESET    2u
#define FLAG_MIXED    4u
#define FLAG_ZERO     8u

static void compute_mac(const uint8_t key[LN_COOKIE_KEY_BYTES], const uint8_t *content,
                        uint8_t *mac)
{
    struct ln_bytes piece = { content, CONTENT_BYTES };

    ln_hmac_once(LN_HASH_SHA256, key, LN_COOKIE_KEY_BYTES, &piece, 1, mac);
}

void ln_cookie_write(const struct ln_cookie *cookie, const uint8_t key[LN_COOKIE_KEY_BYTES],
                     uint8_t bytes[LN_COOKIE_BYTES])
{
    struct ln_writer w;

    ln_writer_init(&w, bytes, LN_COOKIE_BYTES);
    ln_write64(&w, (uint64_t)cookie->created);
    ln_write32(&w, cookie->local_tag);
    ln_write32(&w, cookie->peer_tag);
    ln_write32(&w, cookie->local_tie_tag);
    ln_write32(&w, cookie->peer_tie_tag);
    ln_write32(&w, cookie->local_tsn);
    ln_write32(&w, cookie->peer_tsn);
    ln_write32(&w, cookie->peer_window);
    ln_write16(&w, cookie->outgoing);
    ln_write16(&w, cookie->incoming);
    ln_write8(&w,
              (uint8_t)((cookie->partial_reliability ? FLAG_PARTIAL : 0) |
                        (cookie->reset ? FLAG_RESET : 0) | (cookie->interleaving ? FLAG_MIXED : 0) |
                        (cookie->zero_checksum ? FLAG_ZERO : 0)));
    ln_write_zero(&w, CONTENT_BYTES - w.len);
    compute_mac(key, bytes, bytes + CONTENT_BYTES);
}

int ln_cookie_read(struct ln_bytes bytes, const uint8_t key[LN_COOKIE_KEY_BYTES],
                   struct ln_cookie *ret_cookie)
{
    uint8_t mac[LN_SHA256_LEN], flags;
    struct ln_reader r;

    if (bytes.len != LN_COOKIE_BYTES)
        return LN_ERR_MALFORMED;
    compute_mac(key, bytes.data, mac);
    if (!ln_equal_constant_time(mac, bytes.data + CONTENT_BYTES, sizeof mac))
        return LN_ERR_INTEGRITY;
    ln_reader_init(&r, bytes.data, CONTENT_BYTES);
    ret_cookie->created = (ln_time)ln_read64(&r);
    ret_cookie->local_tag = ln_read32(&r);
    ret_cookie->peer_tag = ln_read32(&r);
    ret_cookie->local_tie_tag = ln_read32(&r);
    ret_cookie->peer_tie_tag = ln_read32(&r);
    ret_cookie->local_tsn = ln_read32(&r);
    ret_cookie->peer_tsn = ln_read32(&r);
    ret_cookie->peer_window = ln_read32(&r);
    ret_cookie->outgoing = ln_read16(&r);
    ret_cookie->incoming = ln_read16(&r);
    flags = ln_read8(&r);
    ret_cookie->partial_reliability = (flags & FLAG_PARTIAL) != 0;
    ret_cookie->reset = (flags & FLAG_RESET) != 0;
    ret_cookie->interleaving = (flags & FLAG_MIXED) != 0;
    ret_cookie->zero_checksum = (flags & FLAG_ZERO) != 0;
    return 0;
}
