/* SPDX-License-Identifier: Apache-2.0
 * The record layer of an established DTLS 1.2 session (RFC 6347 4.1, RFC 5246 6.2.3.3, RFC 5288,
 * RFC 7905): epoch 1, both directions, AEAD suites only. Inside crypto/ only.
 *
 *      0      1        3        5                11       13
 *     +------+--------+--------+----------------+--------+----------------+------------+-----+
 *     | type | fe fd  | epoch  | sequence       | length | explicit nonce | ciphertext | tag |
 *     +------+--------+--------+----------------+--------+----------------+------------+-----+
 *                                                          8, GCM only                   16 */
#ifndef LN_CRYPTO_RECORD_H
#define LN_CRYPTO_RECORD_H

#include "crypto/aead.h"
#include "crypto/replay.h"

#define LN_RECORD_HEADER_LEN 13u
#define LN_RECORD_NONCE_LEN  8u     /* explicit part, GCM */
#define LN_RECORD_PLAIN_MAX  16384u /* RFC 5246, 6.2.1 */
#define LN_DTLS_1_2          0xfefdu

enum ln_record_type {
    LN_RECORD_CHANGE_CIPHER_SPEC = 20,
    LN_RECORD_ALERT = 21,
    LN_RECORD_HANDSHAKE = 22,
    LN_RECORD_APPLICATION_DATA = 23,
};

/* A record's header as it stands on the wire. */
struct ln_record {
    uint8_t type;
    uint16_t version, epoch;
    uint64_t sequence; /* 48 bits */
    struct ln_bytes whole, body;
};

/* Takes the next record off the datagram. False when none is complete: what is left is garbage. */
bool ln_record_next(struct ln_bytes *datagram, struct ln_record *ret_record);

struct ln_record_keys {
    struct ln_aead seal, open;
    uint8_t seal_iv[LN_AEAD_NONCE_LEN], open_iv[LN_AEAD_NONCE_LEN];
    bool explicit_nonce;    /* GCM; ChaCha20 makes its nonce from the sequence number */
    uint64_t next_sequence; /* of the next record to send, in epoch 1 */
    uint64_t next_nonce;    /* explicit part of it: counts on where the handshake's records ended */
    struct ln_replay replay; /* of what arrived */
};

static inline size_t ln_record_headroom(const struct ln_record_keys *keys)
{
    return LN_RECORD_HEADER_LEN + (keys->explicit_nonce ? LN_RECORD_NONCE_LEN : 0);
}

/* Writes one record: ln_record_headroom() + len + LN_AEAD_TAG_LEN bytes. plain may stand where its
 * ciphertext goes. Returns its length, or LN_ERR_LIMIT when the sequence numbers are used up. */
LN_NODISCARD int ln_record_seal(struct ln_record_keys *keys, enum ln_record_type type,
                                const void *plain, size_t len, uint8_t *out);

/* Opens a record of epoch 1 into out and marks its number as seen. Returns the plaintext's length,
 * LN_ERR_MALFORMED, LN_ERR_REPLAY, LN_ERR_NO_SPACE (plaintext above cap) or LN_ERR_INTEGRITY. */
LN_NODISCARD int ln_record_open(struct ln_record_keys *keys, const struct ln_record *record,
                                uint8_t *out, size_t cap);

void ln_record_keys_deinit(struct ln_record_keys *keys); /* wipes */

#endif
