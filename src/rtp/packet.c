/* SPDX-License-Identifier: Apache-2.0
 * The fixed header, CSRCs, padding, and the unwrapping of counters: RFC 3550, 5.1. */
#include "rtp/packet.h"

#include <assert.h>
#include <string.h>

#define VERSION       2u
#define PADDING_BIT   0x20u
#define EXTENSION_BIT 0x10u
#define MARKER_BIT    0x80u

static void read_header(struct ln_reader *r, struct ln_rtp_header *h, bool *ret_padding)
{
    uint8_t first = ln_read8(r), second = ln_read8(r);

    if (first >> 6 != VERSION)
        r->ok = false;
    *ret_padding = (first & PADDING_BIT) != 0;
    h->has_extension = (first & EXTENSION_BIT) != 0;
    h->csrc_count = first & 0x0f;
    h->marker = (second & MARKER_BIT) != 0;
    h->payload_type = second & 0x7f;
    h->sequence = ln_read16(r);
    h->timestamp = ln_read32(r);
    h->ssrc = ln_read32(r);
    for (size_t i = 0; i < h->csrc_count; i++)
        h->csrc[i] = ln_read32(r);
    if (h->has_extension) {
        h->extension_profile = ln_read16(r);
        h->extension = ln_read_bytes(r, (size_t)ln_read16(r) * 4);
    }
}

int ln_rtp_packet_parse(const void *data, size_t len, struct ln_rtp_packet *ret)
{
    struct ln_rtp_packet p;
    struct ln_reader r;
    bool padding;

    memset(&p, 0, sizeof p);
    ln_reader_init(&r, data, len);
    read_header(&r, &p.header, &padding);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    p.header_len = r.at;
    p.payload = ln_read_rest(&r);
    if (padding) {
        if (p.payload.len == 0)
            return LN_ERR_MALFORMED;
        p.padding = p.payload.data[p.payload.len - 1];
        if (p.padding == 0 || p.padding > p.payload.len)
            return LN_ERR_MALFORMED;
        p.payload.len -= p.padding;
    }
    *ret = p;
    return 0;
}

int ln_rtp_header_len(const void *data, size_t len)
{
    struct ln_rtp_header header;
    struct ln_reader r;
    bool padding;

    ln_reader_init(&r, data, len);
    read_header(&r, &header, &padding);
    return r.ok ? (int)r.at : LN_ERR_MALFORMED;
}

/* ---- writing ---- */

/* Elements as the one-byte form lays them out: a nibble each of id and length less one. */
static void write_elements(struct ln_writer *w, const struct ln_rtp_extension_writer *e)
{
    size_t at = 0;

    while (at < e->len) {
        uint8_t id = e->data[at], len = e->data[at + 1];

        if (e->two_byte_needed) {
            ln_write8(w, id);
            ln_write8(w, len);
        } else {
            ln_write8(w, (uint8_t)(id << 4 | (len - 1)));
        }
        ln_write_bytes(w, e->data + at + 2, len);
        at += 2u + len;
    }
}

static void write_extension(struct ln_writer *w, const struct ln_rtp_extension_writer *e)
{
    size_t size = ln_rtp_extension_writer_size(e), from;

    if (size == 0)
        return;
    ln_write16(w, e->two_byte_needed ? LN_RTP_TWO_BYTE : LN_RTP_ONE_BYTE);
    ln_write16(w, (uint16_t)(size / 4 - 1));
    from = w->len;
    write_elements(w, e);
    if (w->ok)
        ln_write_zero(w, size - 4 - (w->len - from));
}

int ln_rtp_header_write(const struct ln_rtp_header *h, const struct ln_rtp_extension_writer *e,
                        uint8_t *data, size_t cap)
{
    bool extended = e && ln_rtp_extension_writer_size(e) > 0;
    struct ln_writer w;

    assert(h->csrc_count <= LN_RTP_CSRC_MAX && h->payload_type < 128);
    ln_writer_init(&w, data, cap);
    ln_write8(&w, (uint8_t)(VERSION << 6 | (extended ? EXTENSION_BIT : 0) | h->csrc_count));
    ln_write8(&w, (uint8_t)((h->marker ? MARKER_BIT : 0) | h->payload_type));
    ln_write16(&w, h->sequence);
    ln_write32(&w, h->timestamp);
    ln_write32(&w, h->ssrc);
    for (size_t i = 0; i < h->csrc_count; i++)
        ln_write32(&w, h->csrc[i]);
    if (extended)
        write_extension(&w, e);
    return w.ok ? (int)w.len : LN_ERR_NO_SPACE;
}

/* ---- counters ---- */

int64_t ln_rtp_unwrap16_peek(const struct ln_rtp_unwrap *u, uint16_t value)
{
    return u->started ? u->last + (int16_t)(uint16_t)(value - (uint16_t)u->last) : value;
}

int64_t ln_rtp_unwrap32_peek(const struct ln_rtp_unwrap *u, uint32_t value)
{
    return u->started ? u->last + (int32_t)(value - (uint32_t)u->last) : value;
}

static int64_t advance(struct ln_rtp_unwrap *u, int64_t value)
{
    if (!u->started || value > u->last)
        u->last = value;
    u->started = true;
    return value;
}

int64_t ln_rtp_unwrap16(struct ln_rtp_unwrap *u, uint16_t value)
{
    return advance(u, ln_rtp_unwrap16_peek(u, value));
}

int64_t ln_rtp_unwrap32(struct ln_rtp_unwrap *u, uint32_t value)
{
    return advance(u, ln_rtp_unwrap32_peek(u, value));
}
