/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

void ln_reader_init(struct ln_reader *r, const void *data, size_t len)
{
    r->data = data;
    r->len = len;
    r->at = 0;
    r->ok = true;
}

/* The next len bytes, or NULL with the reader spoilt. */
static const uint8_t *take(struct ln_reader *r, size_t len)
{
    const uint8_t *p;

    if (!r->ok || len > r->len - r->at) {
        r->ok = false;
        return NULL;
    }
    p = r->data + r->at;
    r->at += len;
    return p;
}

uint8_t ln_read8(struct ln_reader *r)
{
    const uint8_t *p = take(r, 1);

    return p ? *p : 0;
}

uint16_t ln_read16(struct ln_reader *r)
{
    const uint8_t *p = take(r, 2);

    return p ? ln_load16(p) : 0;
}

uint32_t ln_read24(struct ln_reader *r)
{
    const uint8_t *p = take(r, 3);

    return p ? ln_load24(p) : 0;
}

uint32_t ln_read32(struct ln_reader *r)
{
    const uint8_t *p = take(r, 4);

    return p ? ln_load32(p) : 0;
}

uint64_t ln_read64(struct ln_reader *r)
{
    const uint8_t *p = take(r, 8);

    return p ? ln_load64(p) : 0;
}

struct ln_bytes ln_read_bytes(struct ln_reader *r, size_t len)
{
    struct ln_bytes bytes = { NULL, 0 };

    if (len > 0 && (bytes.data = take(r, len)) != NULL)
        bytes.len = len;
    return bytes;
}

struct ln_bytes ln_read_rest(struct ln_reader *r)
{
    return ln_read_bytes(r, r->ok ? ln_reader_left(r) : 0);
}

void ln_read_skip(struct ln_reader *r, size_t len)
{
    (void)take(r, len);
}

void ln_read_align(struct ln_reader *r, size_t multiple)
{
    ln_read_skip(r, (multiple - (r->at & (multiple - 1))) & (multiple - 1));
}

struct ln_reader ln_read_sub(struct ln_reader *r, size_t len)
{
    struct ln_reader sub;
    const uint8_t *p = take(r, len);

    ln_reader_init(&sub, p, p ? len : 0);
    sub.ok = p != NULL;
    return sub;
}

void ln_writer_init(struct ln_writer *w, void *data, size_t cap)
{
    w->data = data;
    w->cap = cap;
    w->len = 0;
    w->ok = true;
}

uint8_t *ln_write_reserve(struct ln_writer *w, size_t len)
{
    uint8_t *p;

    if (!w->ok || len > w->cap - w->len) {
        w->ok = false;
        return NULL;
    }
    p = w->data + w->len;
    w->len += len;
    return p;
}

void ln_write8(struct ln_writer *w, uint8_t v)
{
    uint8_t *p = ln_write_reserve(w, 1);

    if (p)
        *p = v;
}

void ln_write16(struct ln_writer *w, uint16_t v)
{
    uint8_t *p = ln_write_reserve(w, 2);

    if (p)
        ln_store16(p, v);
}

void ln_write24(struct ln_writer *w, uint32_t v)
{
    uint8_t *p = ln_write_reserve(w, 3);

    if (p)
        ln_store24(p, v);
}

void ln_write32(struct ln_writer *w, uint32_t v)
{
    uint8_t *p = ln_write_reserve(w, 4);

    if (p)
        ln_store32(p, v);
}

void ln_write64(struct ln_writer *w, uint64_t v)
{
    uint8_t *p = ln_write_reserve(w, 8);

    if (p)
        ln_store64(p, v);
}

void ln_write_bytes(struct ln_writer *w, const void *data, size_t len)
{
    uint8_t *p = ln_write_reserve(w, len);

    if (p && len > 0)
        memcpy(p, data, len);
}

void ln_write_zero(struct ln_writer *w, size_t len)
{
    uint8_t *p = ln_write_reserve(w, len);

    if (p && len > 0)
        memset(p, 0, len);
}

void ln_write_align(struct ln_writer *w, size_t multiple)
{
    ln_write_zero(w, (multiple - (w->len & (multiple - 1))) & (multiple - 1));
}

void ln_write16_at(struct ln_writer *w, size_t at, uint16_t v)
{
    if (w->ok && at + 2 <= w->len)
        ln_store16(w->data + at, v);
}

/* The first byte of a sequence (RFC 3629, 4): how many follow, and between what the next must be.
 */
static bool utf8_lead(struct ln_utf8 *text, uint8_t c)
{
    if (c < 0x80)
        return true;
    if (c < 0xc2 || c > 0xf4)
        return false;
    text->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    text->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;  /* overlong */
    text->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf; /* surrogates; above U+10FFFF */
    return true;
}

bool ln_utf8_next(struct ln_utf8 *text, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        if (text->left == 0) {
            if (!utf8_lead(text, p[i]))
                return false;
            continue;
        }
        if (p[i] < text->low || p[i] > text->high)
            return false;
        text->left--;
        text->low = 0x80;
        text->high = 0xbf;
    }
    return true;
}

bool ln_utf8_valid(const void *data, size_t len)
{
    struct ln_utf8 text = { 0, 0, 0 };

    return ln_utf8_next(&text, data, len) && text.left == 0;
}

bool ln_equal_constant_time(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint8_t difference = 0;
    size_t i;

    for (i = 0; i < len; i++)
        difference |= (uint8_t)(x[i] ^ y[i]);
    return difference == 0;
}

/* Four bytes a step: what each of a word's eight nibbles becomes within 32 shifts, added up. The
 * last two rows are those of one byte within eight. */
uint32_t ln_crc32(uint32_t crc, const void *data, size_t len)
{
    static const uint32_t table[8][16] = {
        { 0x00000000, 0xb8bc6765, 0xaa09c88b, 0x12b5afee, 0x8f629757, 0x37def032, 0x256b5fdc,
          0x9dd738b9, 0xc5b428ef, 0x7d084f8a, 0x6fbde064, 0xd7018701, 0x4ad6bfb8, 0xf26ad8dd,
          0xe0df7733, 0x58631056 },
        { 0x00000000, 0x5019579f, 0xa032af3e, 0xf02bf8a1, 0x9b14583d, 0xcb0d0fa2, 0x3b26f703,
          0x6b3fa09c, 0xed59b63b, 0xbd40e1a4, 0x4d6b1905, 0x1d724e9a, 0x764dee06, 0x2654b999,
          0xd67f4138, 0x866616a7 },
        { 0x00000000, 0x01c26a37, 0x0384d46e, 0x0246be59, 0x0709a8dc, 0x06cbc2eb, 0x048d7cb2,
          0x054f1685, 0x0e1351b8, 0x0fd13b8f, 0x0d9785d6, 0x0c55efe1, 0x091af964, 0x08d89353,
          0x0a9e2d0a, 0x0b5c473d },
        { 0x00000000, 0x1c26a370, 0x384d46e0, 0x246be590, 0x709a8dc0, 0x6cbc2eb0, 0x48d7cb20,
          0x54f16850, 0xe1351b80, 0xfd13b8f0, 0xd9785d60, 0xc55efe10, 0x91af9640, 0x8d893530,
          0xa9e2d0a0, 0xb5c473d0 },
        { 0x00000000, 0x191b3141, 0x32366282, 0x2b2d53c3, 0x646cc504, 0x7d77f445, 0x565aa786,
          0x4f4196c7, 0xc8d98a08, 0xd1c2bb49, 0xfaefe88a, 0xe3f4d9cb, 0xacb54f0c, 0xb5ae7e4d,
          0x9e832d8e, 0x87981ccf },
        { 0x00000000, 0x4ac21251, 0x958424a2, 0xdf4636f3, 0xf0794f05, 0xbabb5d54, 0x65fd6ba7,
          0x2f3f79f6, 0x3b83984b, 0x71418a1a, 0xae07bce9, 0xe4c5aeb8, 0xcbfad74e, 0x8138c51f,
          0x5e7ef3ec, 0x14bce1bd },
        { 0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535,
          0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd,
          0xe7b82d07, 0x90bf1d91 },
        { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
          0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
          0xa00ae278, 0xbdbdf21c },
    };
    const uint8_t *p = data;

    crc = ~crc;
    for (; len >= 4; len -= 4, p += 4) {
        uint32_t word = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                               (uint32_t)p[3] << 24);

        crc = 0;
        for (unsigned i = 0; i < 8; i++)
            crc ^= table[i][word >> 4 * i & 15];
    }
    for (; len > 0; len--, p++) {
        uint32_t byte = (crc ^ *p) & 0xff;

        crc = crc >> 8 ^ table[6][byte & 15] ^ table[7][byte >> 4];
    }
    return ~crc;
}

char *ln_hex_encode(const void *data, size_t len, char *text)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *p = data;
    size_t i;

    for (i = 0; i < len; i++) {
        text[2 * i] = digit[p[i] >> 4];
        text[2 * i + 1] = digit[p[i] & 15];
    }
    text[2 * len] = '\0';
    return text;
}

static const char base64_char[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *ln_base64_encode(const void *data, size_t len, char *text)
{
    const uint8_t *p = data;
    char *out = text;
    size_t i;

    for (i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;

        if (n > 1)
            v |= (uint32_t)p[i + 1] << 8;
        if (n > 2)
            v |= p[i + 2];
        *out++ = base64_char[v >> 18];
        *out++ = base64_char[(v >> 12) & 63];
        *out++ = n > 1 ? base64_char[(v >> 6) & 63] : '=';
        *out++ = n > 2 ? base64_char[v & 63] : '=';
    }
    *out = '\0';
    return text;
}

int ln_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t cap)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t len = 0, i;

    while (text_len > 0 && text[text_len - 1] == '=')
        text_len--;
    if (text_len % 4 == 1)
        return LN_ERR_SYNTAX;
    for (i = 0; i < text_len; i++) {
        const char *at = text[i] ? strchr(base64_char, text[i]) : NULL;

        if (!at)
            return LN_ERR_SYNTAX;
        bits = (bits << 6) | (uint32_t)(at - base64_char);
        if (++count % 4 == 1)
            continue;
        if (len == cap || len == INT32_MAX)
            return LN_ERR_NO_SPACE;
        data[len++] = (uint8_t)(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0));
    }
    return (int)len;
}
