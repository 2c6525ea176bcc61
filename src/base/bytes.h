/* SPDX-License-Identifier: Apache-2.0
 * The one bounded reader and the one bounded writer of wire formats (network order, byte-wise), and
 * plain loads and stores.
 *
 * Both fail softly: past the end a read gives 0 and a write does nothing, and `ok` stays false from
 * then on, so that a parser checks once. Lengths are never computed by hand. */
#ifndef LN_BASE_BYTES_H
#define LN_BASE_BYTES_H

#include <linnet/types.h>

static inline uint16_t ln_load16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t ln_load24(const uint8_t *p)
{
    return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}

static inline uint32_t ln_load32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline uint64_t ln_load64(const uint8_t *p)
{
    return ((uint64_t)ln_load32(p) << 32) | ln_load32(p + 4);
}

static inline void ln_store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void ln_store24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

static inline void ln_store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void ln_store64(uint8_t *p, uint64_t v)
{
    ln_store32(p, (uint32_t)(v >> 32));
    ln_store32(p + 4, (uint32_t)v);
}

struct ln_reader {
    const uint8_t *data;
    size_t len, at;
    bool ok;
};

void ln_reader_init(struct ln_reader *r, const void *data, size_t len);
static inline size_t ln_reader_left(const struct ln_reader *r)
{
    return r->len - r->at;
}
uint8_t ln_read8(struct ln_reader *r);
uint16_t ln_read16(struct ln_reader *r);
uint32_t ln_read24(struct ln_reader *r);
uint32_t ln_read32(struct ln_reader *r);
uint64_t ln_read64(struct ln_reader *r);
/* The next len bytes, borrowed; {NULL, 0} and ok false when there are fewer. */
struct ln_bytes ln_read_bytes(struct ln_reader *r, size_t len);
/* All that is left. */
struct ln_bytes ln_read_rest(struct ln_reader *r);
void ln_read_skip(struct ln_reader *r, size_t len);
/* Skips to the next multiple of `multiple` (a power of two) from the reader's start; missing
 * padding at the very end is an error. */
void ln_read_align(struct ln_reader *r, size_t multiple);
/* A reader of the next len bytes; not ok when there are fewer. */
struct ln_reader ln_read_sub(struct ln_reader *r, size_t len);

struct ln_writer {
    uint8_t *data;
    size_t cap, len;
    bool ok;
};

void ln_writer_init(struct ln_writer *w, void *data, size_t cap);
static inline size_t ln_writer_room(const struct ln_writer *w)
{
    return w->cap - w->len;
}
void ln_write8(struct ln_writer *w, uint8_t v);
void ln_write16(struct ln_writer *w, uint16_t v);
void ln_write24(struct ln_writer *w, uint32_t v);
void ln_write32(struct ln_writer *w, uint32_t v);
void ln_write64(struct ln_writer *w, uint64_t v);
void ln_write_bytes(struct ln_writer *w, const void *data, size_t len);
void ln_write_zero(struct ln_writer *w, size_t len);
void ln_write_align(struct ln_writer *w, size_t multiple);
/* Takes len bytes to be filled by the caller; NULL and not ok when they do not fit. */
uint8_t *ln_write_reserve(struct ln_writer *w, size_t len);
/* Overwrites two bytes written before. */
void ln_write16_at(struct ln_writer *w, size_t at, uint16_t v);

/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool ln_utf8_valid(const void *data, size_t len);

/* The same of a text that comes in pieces, which may end within a character. Begins zeroed. */
struct ln_utf8 {
    uint8_t left;      /* bytes that the last character still lacks: 0 at the end of a text */
    uint8_t low, high; /* the next of them */
};
/* Returns false when no text goes on like this; then it is of no use any more. */
bool ln_utf8_next(struct ln_utf8 *text, const void *data, size_t len);

/* Equal without telling where the first difference is; for MACs and tokens. */
bool ln_equal_constant_time(const void *a, const void *b, size_t len);

/* CRC-32 (IEEE 802.3, as FINGERPRINT and PNG use it). Pass 0 to begin, the last value to go on. */
uint32_t ln_crc32(uint32_t crc, const void *data, size_t len);

/* Lower-case hex with its NUL: text holds 2 * len + 1. Returns text. */
char *ln_hex_encode(const void *data, size_t len, char *text);
/* Base64 (RFC 4648, 4) with padding: text holds 4 * ((len + 2) / 3) + 1. Returns text. */
char *ln_base64_encode(const void *data, size_t len, char *text);
/* Returns the bytes written, or LN_ERR_SYNTAX / LN_ERR_NO_SPACE. Padding may be missing. */
LN_NODISCARD int ln_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t cap);

#endif
