/* SPDX-License-Identifier: Apache-2.0
 * DTLS 1.2 records with AEAD protection; see record.h. */
#include "crypto/record.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

#define SEQUENCE_MAX ((UINT64_C(1) << 48) - 1)
#define AAD_LEN      13u

bool ln_record_next(struct ln_bytes *datagram, struct ln_record *ret_record)
{
    struct ln_reader r;
    struct ln_record record;
    uint16_t len;

    ln_reader_init(&r, datagram->data, datagram->len);
    record.type = ln_read8(&r);
    record.version = ln_read16(&r);
    record.epoch = ln_read16(&r);
    record.sequence = (uint64_t)ln_read16(&r) << 32;
    record.sequence |= ln_read32(&r);
    len = ln_read16(&r);
    record.body = ln_read_bytes(&r, len);
    if (!r.ok)
        return false;
    record.whole = (struct ln_bytes){ datagram->data, r.at };
    *datagram = ln_read_rest(&r);
    *ret_record = record;
    return true;
}

/* epoch || sequence || type || version || length of the plaintext (RFC 5246, 6.2.3.3). */
static void write_aad(uint8_t aad[AAD_LEN], uint64_t epoch_and_sequence, uint8_t type,
                      uint16_t version, size_t len)
{
    ln_store64(aad, epoch_and_sequence);
    aad[8] = type;
    ln_store16(aad + 9, version);
    ln_store16(aad + 11, (uint16_t)len);
}

/* GCM: 4 bytes of the key block, 8 from the record. ChaCha20: the 12 bytes of the key block XOR the
 * number, padded on the left (RFC 7905, 2). */
static void write_nonce(const struct ln_record_keys *keys, const uint8_t *iv,
                        uint64_t explicit_nonce, uint64_t epoch_and_sequence,
                        uint8_t nonce[LN_AEAD_NONCE_LEN])
{
    memcpy(nonce, iv, LN_AEAD_NONCE_LEN);
    if (keys->explicit_nonce)
        ln_store64(nonce + 4, explicit_nonce);
    else
        ln_store64(nonce + 4, ln_load64(iv + 4) ^ epoch_and_sequence);
}

int ln_record_seal(struct ln_record_keys *keys, enum ln_record_type type, const void *plain,
                   size_t len, uint8_t *out)
{
    size_t headroom = ln_record_headroom(keys);
    uint8_t aad[AAD_LEN], nonce[LN_AEAD_NONCE_LEN];
    uint64_t number = UINT64_C(1) << 48 | keys->next_sequence;

    if (keys->next_sequence > SEQUENCE_MAX)
        return LN_ERR_LIMIT;
    write_aad(aad, number, (uint8_t)type, LN_DTLS_1_2, len);
    write_nonce(keys, keys->seal_iv, keys->next_nonce, number, nonce);
    ln_aead_seal(&keys->seal, nonce, aad, sizeof aad, plain, len, out + headroom);
    out[0] = (uint8_t)type;
    ln_store16(out + 1, LN_DTLS_1_2);
    ln_store64(out + 3, number);
    ln_store16(out + 11, (uint16_t)(headroom - LN_RECORD_HEADER_LEN + len + LN_AEAD_TAG_LEN));
    if (keys->explicit_nonce)
        ln_store64(out + LN_RECORD_HEADER_LEN, keys->next_nonce);
    keys->next_sequence++;
    keys->next_nonce++;
    return (int)(headroom + len + LN_AEAD_TAG_LEN);
}

int ln_record_open(struct ln_record_keys *keys, const struct ln_record *record, uint8_t *out,
                   size_t cap)
{
    uint8_t aad[AAD_LEN], nonce[LN_AEAD_NONCE_LEN];
    uint64_t number = (uint64_t)record->epoch << 48 | record->sequence;
    struct ln_reader r;
    uint64_t explicit_nonce;
    struct ln_bytes sealed;

    ln_reader_init(&r, record->body.data, record->body.len);
    explicit_nonce = keys->explicit_nonce ? ln_read64(&r) : 0;
    sealed = ln_read_rest(&r);
    if (!r.ok || sealed.len < LN_AEAD_TAG_LEN ||
        sealed.len - LN_AEAD_TAG_LEN > LN_RECORD_PLAIN_MAX || record->version != LN_DTLS_1_2)
        return LN_ERR_MALFORMED;
    if (!ln_replay_is_new(&keys->replay, record->sequence))
        return LN_ERR_REPLAY;
    if (sealed.len - LN_AEAD_TAG_LEN > cap)
        return LN_ERR_NO_SPACE;
    write_aad(aad, number, record->type, record->version, sealed.len - LN_AEAD_TAG_LEN);
    write_nonce(keys, keys->open_iv, explicit_nonce, number, nonce);
    if (!ln_aead_open(&keys->open, nonce, aad, sizeof aad, sealed.data, sealed.len, out))
        return LN_ERR_INTEGRITY;
    ln_replay_mark(&keys->replay, record->sequence);
    return (int)(sealed.len - LN_AEAD_TAG_LEN);
}

void ln_record_keys_deinit(struct ln_record_keys *keys)
{
    ln_aead_deinit(&keys->seal);
    ln_aead_deinit(&keys->open);
    ln_wipe(keys, sizeof *keys);
}
