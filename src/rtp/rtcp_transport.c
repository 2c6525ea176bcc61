/* SPDX-License-Identifier: Apache-2.0
 * The transport-cc feedback record, read and written
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1). Status chunks, 16 bits each:
 *
 *   0 | S S | run length (13)          S: 0 not received, 1 small delta, 2 large delta
 *   1 0 | 14 symbols of one bit        0 not received, 1 small delta
 *   1 1 | 7 symbols of two bits */
#include "rtp/rtcp.h"

#include <assert.h>
#include <string.h>

#define RUN_MAX       8191u
#define ONE_BIT_COUNT 14u
#define TWO_BIT_COUNT 7u

enum symbol { MISSING, SMALL, LARGE, RESERVED };

/* How many statuses a chunk speaks of, padding included. */
static uint16_t chunk_capacity(uint16_t chunk)
{
    if (!(chunk & 0x8000u))
        return chunk & 0x1fffu;
    return chunk & 0x4000u ? TWO_BIT_COUNT : ONE_BIT_COUNT;
}

/* The symbol of a chunk with `left` statuses to go. */
static enum symbol chunk_symbol(uint16_t chunk, uint16_t left)
{
    if (!(chunk & 0x8000u))
        return (enum symbol)((unsigned)chunk >> 13 & 3u);
    if (chunk & 0x4000u)
        return (enum symbol)((unsigned)chunk >> (2u * (left - 1u)) & 3u);
    return (unsigned)chunk >> (left - 1u) & 1u ? SMALL : MISSING;
}

/* The next status; false when the chunks are used up before. */
static bool next_symbol(struct ln_rtcp_transport_iterator *it, enum symbol *ret)
{
    while (it->chunk_left == 0) {
        if (ln_reader_left(&it->chunks) < 2)
            return false;
        it->chunk = ln_read16(&it->chunks);
        it->chunk_left = chunk_capacity(it->chunk);
    }
    *ret = chunk_symbol(it->chunk, it->chunk_left);
    it->chunk_left--;
    return true;
}

int ln_rtcp_transport_begin(struct ln_rtcp_transport_iterator *it, struct ln_bytes fci)
{
    struct ln_rtcp_transport_iterator begin, scan;
    size_t delta_bytes = 0;
    enum symbol symbol;
    uint32_t word;

    memset(&begin, 0, sizeof begin);
    ln_reader_init(&begin.chunks, fci.data, fci.len);
    begin.base = ln_read16(&begin.chunks);
    begin.status_count = ln_read16(&begin.chunks);
    word = ln_read32(&begin.chunks);
    if (!begin.chunks.ok || begin.status_count == 0)
        return LN_ERR_MALFORMED;
    begin.reference = (int32_t)(word & 0x80000000u ? (int64_t)(word >> 8) - 0x1000000
                                                   : (int64_t)(word >> 8));
    begin.feedback_count = (uint8_t)word;
    begin.ticks = (int64_t)begin.reference * (LN_RTCP_TRANSPORT_REFERENCE / LN_RTCP_TRANSPORT_TICK);
    scan = begin; /* the deltas stand behind the last chunk: find it first */
    for (uint32_t i = 0; i < begin.status_count; i++) {
        if (!next_symbol(&scan, &symbol) || symbol == RESERVED)
            return LN_ERR_MALFORMED;
        delta_bytes += symbol == SMALL ? 1u : symbol == LARGE ? 2u : 0u;
    }
    begin.deltas = ln_read_sub(&scan.chunks, delta_bytes);
    if (!begin.deltas.ok)
        return LN_ERR_MALFORMED;
    *it = begin;
    return 0;
}

bool ln_rtcp_transport_next(struct ln_rtcp_transport_iterator *it,
                            struct ln_rtcp_transport_status *ret)
{
    enum symbol symbol;

    if (it->done >= it->status_count || !next_symbol(it, &symbol))
        return false;
    ret->sequence = (uint16_t)(it->base + it->done++);
    ret->received = symbol != MISSING;
    if (symbol == SMALL)
        it->ticks += ln_read8(&it->deltas);
    else if (symbol == LARGE)
        it->ticks += (int16_t)ln_read16(&it->deltas);
    ret->ticks = it->ticks;
    return true;
}

/* ---- writing ---- */

struct statuses {
    uint8_t symbol[LN_RTCP_TRANSPORT_STATUSES_MAX];
    int16_t delta[LN_RTCP_TRANSPORT_STATUSES_MAX];
    size_t count;
    int32_t reference;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Rounds the moments to ticks; ends before a difference that 16 bits cannot hold. */
static void quantize(struct statuses *s, const ln_time *arrivals, size_t count)
{
    int64_t ticks;

    s->reference = (int32_t)(floor_div(arrivals[0], LN_RTCP_TRANSPORT_REFERENCE) & 0xffffff);
    ticks = floor_div(arrivals[0], LN_RTCP_TRANSPORT_REFERENCE) *
            (LN_RTCP_TRANSPORT_REFERENCE / LN_RTCP_TRANSPORT_TICK);
    for (s->count = 0; s->count < count && s->count < LN_RTCP_TRANSPORT_STATUSES_MAX; s->count++) {
        int64_t delta;

        if (arrivals[s->count] == LN_TIME_NEVER) {
            s->symbol[s->count] = MISSING;
            s->delta[s->count] = 0;
            continue;
        }
        delta = floor_div(arrivals[s->count] + LN_RTCP_TRANSPORT_TICK / 2, LN_RTCP_TRANSPORT_TICK) -
                ticks;
        if (delta < INT16_MIN || delta > INT16_MAX)
            break;
        s->symbol[s->count] = delta >= 0 && delta <= 255 ? SMALL : LARGE;
        s->delta[s->count] = (int16_t)delta;
        ticks += delta;
    }
}

static size_t run_length(const struct statuses *s, size_t at)
{
    size_t n = 1;

    while (at + n < s->count && n < RUN_MAX && s->symbol[at + n] == s->symbol[at])
        n++;
    return n;
}

static bool fits_one_bit(const struct statuses *s, size_t at)
{
    for (size_t i = at; i < s->count && i < at + ONE_BIT_COUNT; i++)
        if (s->symbol[i] == LARGE)
            return false;
    return true;
}

/* A vector of symbols, padded with "not received" behind the last. */
static uint16_t vector_chunk(const struct statuses *s, size_t at, unsigned count, unsigned bits)
{
    unsigned chunk = 0;

    for (unsigned i = 0; i < count; i++)
        chunk = chunk << bits | (at + i < s->count ? s->symbol[at + i] : MISSING);
    return (uint16_t)(0x8000u | (bits == 2 ? 0x4000u : 0u) | chunk);
}

/* The chunk that says most of what stands at `at`; returns how many statuses it takes. */
static size_t next_chunk(const struct statuses *s, size_t at, uint16_t *ret_chunk)
{
    size_t run = run_length(s, at);
    bool one_bit = fits_one_bit(s, at);
    size_t vector = one_bit ? ONE_BIT_COUNT : TWO_BIT_COUNT;

    if (run >= vector || at + run == s->count) {
        *ret_chunk = (uint16_t)((unsigned)s->symbol[at] << 13 | run);
        return run;
    }
    *ret_chunk = vector_chunk(s, at, (unsigned)vector, one_bit ? 1 : 2);
    return at + vector < s->count ? vector : s->count - at;
}

static size_t delta_size(const struct statuses *s, size_t from, size_t n)
{
    size_t size = 0;

    for (size_t i = from; i < from + n; i++)
        size += s->symbol[i];
    return size; /* SMALL is 1 byte, LARGE 2 */
}

/* Cuts the statuses to what fits in `room` bytes of chunks and deltas. */
static void shorten(struct statuses *s, size_t room)
{
    size_t at = 0, used = 0;
    uint16_t chunk;

    while (at < s->count) {
        size_t n = next_chunk(s, at, &chunk);

        used += 2 + delta_size(s, at, n);
        if (used > room)
            break;
        at += n;
    }
    s->count = at;
}

size_t ln_rtcp_write_transport(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                               uint16_t base, uint8_t feedback_count, const ln_time *arrivals,
                               size_t count)
{
    const size_t fixed = 20, start = w->len;
    struct statuses s;
    size_t padding;

    assert(count > 0);
    if (!w->ok || ln_writer_room(w) < fixed + 8)
        return 0;
    quantize(&s, arrivals, count);
    shorten(&s, (ln_writer_room(w) - fixed) / 4 * 4);
    if (s.count == 0)
        return 0;
    ln_write8(w, 0x80u | LN_RTCP_RTPFB_TRANSPORT_CC);
    ln_write8(w, LN_RTCP_RTPFB);
    ln_write16(w, 0);
    ln_write32(w, sender_ssrc);
    ln_write32(w, media_ssrc);
    ln_write16(w, base);
    ln_write16(w, (uint16_t)s.count);
    ln_write24(w, (uint32_t)s.reference);
    ln_write8(w, feedback_count);
    for (size_t at = 0; at < s.count;) {
        uint16_t chunk;

        at += next_chunk(&s, at, &chunk);
        ln_write16(w, chunk);
    }
    for (size_t i = 0; i < s.count; i++) {
        if (s.symbol[i] == SMALL)
            ln_write8(w, (uint8_t)s.delta[i]);
        else if (s.symbol[i] == LARGE)
            ln_write16(w, (uint16_t)s.delta[i]);
    }
    padding = (4 - ((w->len - start) & 3)) & 3;
    if (padding > 0) { /* zeros and their count, with the padding bit */
        ln_write_zero(w, padding - 1);
        ln_write8(w, (uint8_t)padding);
        w->data[start] |= 0x20;
    }
    ln_write16_at(w, start + 2, (uint16_t)((w->len - start) / 4 - 1));
    assert(w->ok);
    return s.count;
}
