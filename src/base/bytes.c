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

uint32_t ln_crc32(uint32_t crc, const void *data, size_t len)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *p = data;
    size_t i;

    crc = ~crc;
    for (i = 0; i < len; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
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
