/* SPDX-License-Identifier: Apache-2.0
 * VP8 payload format: see rtp/vp8.h. */
#include "rtp/vp8.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

enum { X = 0x80, N = 0x20, S = 0x10, PID = 0x07 }; /* first byte */
enum { I = 0x80, L = 0x40, T = 0x20, K = 0x10 };   /* second */
enum { M = 0x80 };                                 /* picture id */
enum { Y = 0x20, KEYIDX = 0x1f };                  /* last */

void ln_vp8_descriptor_init(struct ln_vp8_descriptor *d)
{
    memset(d, 0, sizeof *d);
    d->picture_id = -1;
    d->tl0picidx = -1;
    d->temporal_layer = -1;
    d->key_index = -1;
}

static void read_picture_id(struct ln_reader *r, struct ln_vp8_descriptor *d)
{
    uint8_t first = ln_read8(r);

    d->long_picture_id = (first & M) != 0;
    d->picture_id = first & 0x7f;
    if (d->long_picture_id)
        d->picture_id = d->picture_id << 8 | ln_read8(r);
}

static void read_extensions(struct ln_reader *r, struct ln_vp8_descriptor *d)
{
    uint8_t flags = ln_read8(r);

    if (flags & I)
        read_picture_id(r, d);
    if (flags & L)
        d->tl0picidx = ln_read8(r);
    if (flags & (T | K)) {
        uint8_t last = ln_read8(r);

        if (flags & T) {
            d->temporal_layer = (int8_t)(last >> 6);
            d->layer_sync = (last & Y) != 0;
        }
        if (flags & K)
            d->key_index = (int8_t)(last & KEYIDX);
    }
}

int ln_vp8_parse(const void *payload, size_t len, struct ln_vp8_descriptor *ret,
                 struct ln_bytes *ret_data)
{
    struct ln_vp8_descriptor d;
    struct ln_reader r;
    uint8_t first;

    ln_vp8_descriptor_init(&d);
    ln_reader_init(&r, payload, len);
    first = ln_read8(&r);
    d.non_reference = (first & N) != 0;
    d.start = (first & S) != 0;
    d.partition = first & PID;
    if (first & X)
        read_extensions(&r, &d);
    if (!r.ok || ln_reader_left(&r) == 0)
        return LN_ERR_MALFORMED;
    *ret = d;
    *ret_data = ln_read_rest(&r);
    return 0;
}

int ln_vp8_write(const struct ln_vp8_descriptor *d, uint8_t *out, size_t cap)
{
    unsigned flags = (d->picture_id >= 0 ? I : 0u) | (d->tl0picidx >= 0 ? L : 0u) |
                     (d->temporal_layer >= 0 ? T : 0u) | (d->key_index >= 0 ? K : 0u);
    struct ln_writer w;

    ln_writer_init(&w, out, cap);
    ln_write8(&w, (uint8_t)((flags ? X : 0u) | (d->non_reference ? N : 0u) | (d->start ? S : 0u) |
                            (d->partition & PID)));
    if (flags)
        ln_write8(&w, (uint8_t)flags);
    if (flags & I) {
        if (d->long_picture_id || d->picture_id > 0x7f)
            ln_write16(&w, (uint16_t)(0x8000u | ((uint32_t)d->picture_id & 0x7fffu)));
        else
            ln_write8(&w, (uint8_t)d->picture_id);
    }
    if (flags & L)
        ln_write8(&w, (uint8_t)d->tl0picidx);
    if (flags & (T | K))
        ln_write8(&w, (uint8_t)((d->temporal_layer > 0 ? (unsigned)d->temporal_layer << 6 : 0u) |
                                (d->layer_sync ? Y : 0u) |
                                (d->key_index > 0 ? (unsigned)d->key_index & KEYIDX : 0u)));
    return w.ok ? (int)w.len : LN_ERR_NO_SPACE;
}

int ln_vp8_frame_header(struct ln_bytes data, struct ln_vp8_frame_header *ret)
{
    struct ln_vp8_frame_header h = { false, 0, 0 };

    if (data.len == 0)
        return LN_ERR_MALFORMED;
    h.key = (data.data[0] & 1) == 0;
    /* Frame tag of three bytes, start code 9d 01 2a, then 14 bits each, least byte first. */
    if (h.key && data.len >= 10 && ln_load24(data.data + 3) == 0x9d012a) {
        h.width = (uint16_t)((data.data[6] | (unsigned)data.data[7] << 8) & 0x3fffu);
        h.height = (uint16_t)((data.data[8] | (unsigned)data.data[9] << 8) & 0x3fffu);
    }
    *ret = h;
    return 0;
}

int ln_vp8_packetizer_init(struct ln_vp8_packetizer *p, const struct ln_vp8_descriptor *descriptor,
                           struct ln_bytes frame, size_t max)
{
    uint8_t scratch[LN_VP8_DESCRIPTOR_MAX];
    int size = ln_vp8_write(descriptor, scratch, sizeof scratch);

    if (size < 0 || frame.len == 0 || max <= (size_t)size)
        return LN_ERR_INVALID_ARGUMENT;
    p->descriptor = *descriptor;
    p->descriptor.partition = 0;
    p->frame = frame;
    p->at = 0;
    p->max = max - (size_t)size;
    p->left = (frame.len + p->max - 1) / p->max;
    return (int)p->left;
}

size_t ln_vp8_packetizer_next(struct ln_vp8_packetizer *p, uint8_t *out, size_t cap)
{
    size_t len;
    int size;

    if (p->left == 0)
        return 0;
    /* Equal shares: a last payload of a few bytes would cost a packet and help nobody. */
    len = (p->frame.len - p->at + p->left - 1) / p->left;
    p->descriptor.start = p->at == 0;
    size = ln_vp8_write(&p->descriptor, out, cap);
    assert(size > 0 && (size_t)size + len <= cap && len <= p->max);
    memcpy(out + size, p->frame.data + p->at, len);
    p->at += len;
    p->left--;
    return (size_t)size + len;
}
