/* SPDX-License-Identifier: Apache-2.0
 * A type, then what a table says of it. All numbers in network order.
 *
 *   HELLO     version 8 | share 520                  SHARE     share 520
 *   CONFIRM   digest 256                             MANIFEST  count 32 | bytes 64
 *   ENTRIES   entries                                FILE      file 32 | chunk 64
 *   CHUNK     file 32 | chunk 64 | digest 256 | data END       file 32 | size 64 | digest 256
 *   MISSING   file 32 | sentence                     READY     window 64
 *   GET       file 32 | compare 8 | chunks 64 | digest 256
 *   TAKEN     bytes 64                               DONE      count 32
 *   CANCEL    reason 8 | sentence
 *   entry:    kind 8 | mode 16 | mtime 64 | size 64 | name length 16 | name */
#include "transfer/message.h"

#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

enum field {
    FIELD_VERSION = 1 << 0,
    FIELD_SHARE = 1 << 1,
    FIELD_COUNT = 1 << 2,
    FIELD_BYTES = 1 << 3,
    FIELD_FILE = 1 << 4,
    FIELD_COMPARE = 1 << 5,
    FIELD_CHUNK = 1 << 6,
    FIELD_SIZE = 1 << 7,
    FIELD_DIGEST = 1 << 8,
    FIELD_REASON = 1 << 9,
    FIELD_DATA = 1 << 10,
    FIELD_SENTENCE = 1 << 11,
};

/* Fields stand on the wire in the order of their bits. */
static const struct {
    uint8_t type;
    uint16_t fields;
} formats[] = {
    { LN_TRANSFER_HELLO, FIELD_VERSION | FIELD_SHARE },
    { LN_TRANSFER_SHARE, FIELD_SHARE },
    { LN_TRANSFER_CONFIRM, FIELD_DIGEST },
    { LN_TRANSFER_MANIFEST, FIELD_COUNT | FIELD_BYTES },
    { LN_TRANSFER_ENTRIES, FIELD_DATA },
    { LN_TRANSFER_FILE, FIELD_FILE | FIELD_CHUNK },
    { LN_TRANSFER_CHUNK_OF, FIELD_FILE | FIELD_CHUNK | FIELD_DIGEST | FIELD_DATA },
    { LN_TRANSFER_END, FIELD_FILE | FIELD_SIZE | FIELD_DIGEST },
    { LN_TRANSFER_MISSING, FIELD_FILE | FIELD_SENTENCE },
    { LN_TRANSFER_READY, FIELD_BYTES },
    { LN_TRANSFER_GET, FIELD_FILE | FIELD_COMPARE | FIELD_CHUNK | FIELD_DIGEST },
    { LN_TRANSFER_TAKEN, FIELD_BYTES },
    { LN_TRANSFER_DONE, FIELD_COUNT },
    { LN_TRANSFER_CANCEL, FIELD_REASON | FIELD_SENTENCE },
};

static unsigned fields_of(uint8_t type)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].type == type)
            return formats[i].fields;
    return 0;
}

/* Sentences are shown at a terminal. */
static bool is_sentence(struct ln_bytes text)
{
    if (text.len > LN_TRANSFER_SENTENCE_MAX || !ln_utf8_valid(text.data, text.len))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f ||
            (text.data[i] == 0xc2 && text.data[i + 1] < 0xa0))
            return false;
    return true;
}

int ln_transfer_read(const uint8_t *data, size_t len, struct ln_transfer_message *ret_message)
{
    struct ln_transfer_message m = { 0 };
    struct ln_reader r;
    uint8_t type, compare = 0;
    unsigned fields;

    ln_reader_init(&r, data, len);
    type = ln_read8(&r);
    fields = fields_of(type);
    if (!fields)
        return LN_ERR_MALFORMED;
    m.type = (enum ln_transfer_type)type;
    if (fields & FIELD_VERSION)
        m.version = ln_read8(&r);
    if (fields & FIELD_SHARE)
        m.share = ln_read_bytes(&r, LN_SPAKE2_SHARE_LEN).data;
    if (fields & FIELD_COUNT)
        m.count = ln_read32(&r);
    if (fields & FIELD_BYTES)
        m.bytes = ln_read64(&r);
    if (fields & FIELD_FILE)
        m.file = ln_read32(&r);
    if (fields & FIELD_COMPARE)
        compare = ln_read8(&r);
    if (fields & FIELD_CHUNK)
        m.chunk = ln_read64(&r);
    if (fields & FIELD_SIZE)
        m.size = ln_read64(&r);
    if (fields & FIELD_DIGEST)
        m.digest = ln_read_bytes(&r, LN_SHA256_LEN).data;
    if (fields & FIELD_REASON)
        m.reason = ln_read8(&r);
    if (fields & FIELD_DATA)
        m.data = ln_read_rest(&r);
    if (fields & FIELD_SENTENCE)
        m.sentence = ln_read_rest(&r);
    m.compare = compare == 1;
    if (!r.ok || ln_reader_left(&r) > 0 || compare > 1 || m.reason >= LN_REASON_COUNT ||
        !is_sentence(m.sentence) ||
        (m.type == LN_TRANSFER_CHUNK_OF && (m.data.len == 0 || m.data.len > LN_TRANSFER_CHUNK)))
        return LN_ERR_MALFORMED;
    *ret_message = m;
    return 0;
}

/* Cut at a character's border. */
static size_t sentence_len(struct ln_bytes text)
{
    size_t len = text.len;

    if (len <= LN_TRANSFER_SENTENCE_MAX)
        return len;
    len = LN_TRANSFER_SENTENCE_MAX;
    while (len > 0 && (text.data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

int ln_transfer_write(const struct ln_transfer_message *m, uint8_t *out, size_t cap)
{
    unsigned fields = fields_of((uint8_t)m->type);
    struct ln_writer w;

    ln_writer_init(&w, out, cap);
    ln_write8(&w, (uint8_t)m->type);
    if (fields & FIELD_VERSION)
        ln_write8(&w, m->version);
    if (fields & FIELD_SHARE)
        ln_write_bytes(&w, m->share, LN_SPAKE2_SHARE_LEN);
    if (fields & FIELD_COUNT)
        ln_write32(&w, m->count);
    if (fields & FIELD_BYTES)
        ln_write64(&w, m->bytes);
    if (fields & FIELD_FILE)
        ln_write32(&w, m->file);
    if (fields & FIELD_COMPARE)
        ln_write8(&w, m->compare);
    if (fields & FIELD_CHUNK)
        ln_write64(&w, m->chunk);
    if (fields & FIELD_SIZE)
        ln_write64(&w, m->size);
    if (fields & FIELD_DIGEST)
        ln_write_bytes(&w, m->digest, LN_SHA256_LEN);
    if (fields & FIELD_REASON)
        ln_write8(&w, m->reason);
    if (fields & FIELD_DATA)
        ln_write_bytes(&w, m->data.data, m->data.len);
    if (fields & FIELD_SENTENCE)
        ln_write_bytes(&w, m->sentence.data, sentence_len(m->sentence));
    return w.ok ? (int)w.len : LN_ERR_NO_SPACE;
}

void ln_transfer_write_chunk_head(uint32_t file, uint64_t chunk,
                                  const uint8_t digest[LN_SHA256_LEN],
                                  uint8_t out[LN_TRANSFER_CHUNK_HEAD])
{
    out[0] = LN_TRANSFER_CHUNK_OF;
    ln_store32(out + 1, file);
    ln_store64(out + 5, chunk);
    memcpy(out + 13, digest, LN_SHA256_LEN);
}

int ln_transfer_next_entry(struct ln_bytes *data, struct ln_transfer_entry *ret_entry)
{
    struct ln_transfer_entry entry;
    struct ln_reader r;
    uint8_t kind;

    if (data->len == 0)
        return 0;
    ln_reader_init(&r, data->data, data->len);
    kind = ln_read8(&r);
    entry.mode = ln_read16(&r);
    entry.mtime_ms = (int64_t)ln_read64(&r);
    entry.size = ln_read64(&r);
    entry.name = ln_read_bytes(&r, ln_read16(&r));
    if (!r.ok || kind > LN_KIND_FOLDER || entry.mode > 0777 ||
        (entry.size > LN_TRANSFER_SIZE_MAX && entry.size != LN_TRANSFER_SIZE_UNKNOWN) ||
        (kind == LN_KIND_FOLDER && entry.size != 0))
        return LN_ERR_MALFORMED;
    entry.kind = (enum ln_transfer_kind)kind;
    *data = ln_read_rest(&r);
    *ret_entry = entry;
    return 1;
}

int ln_transfer_write_entry(const struct ln_transfer_entry *entry, uint8_t *out, size_t cap)
{
    struct ln_writer w;

    ln_writer_init(&w, out, cap);
    ln_write8(&w, (uint8_t)entry->kind);
    ln_write16(&w, entry->mode);
    ln_write64(&w, (uint64_t)entry->mtime_ms);
    ln_write64(&w, entry->size);
    ln_write16(&w, (uint16_t)entry->name.len);
    ln_write_bytes(&w, entry->name.data, entry->name.len);
    return w.ok ? (int)w.len : LN_ERR_NO_SPACE;
}

void ln_transfer_chain(uint8_t digest[LN_SHA256_LEN], const void *data, size_t len)
{
    const struct ln_bytes pieces[2] = { { digest, LN_SHA256_LEN }, { data, len } };

    ln_hash_pieces(LN_HASH_SHA256, pieces, 2, digest);
}
