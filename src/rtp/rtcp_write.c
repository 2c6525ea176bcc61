/* SPDX-License-Identifier: Apache-2.0
 * Writing RTCP: see rtp/rtcp.h. Each function appends a whole packet or nothing. */
#include "rtp/rtcp.h"

#include <assert.h>
#include <string.h>

#define REMB_IDENTIFIER 0x52454d42u
#define FEEDBACK_SIZE   12u /* header and two SSRCs */

static void begin(struct ln_writer *w, unsigned count, enum ln_rtcp_type type, size_t size)
{
    ln_write8(w, (uint8_t)(0x80u | count));
    ln_write8(w, (uint8_t)type);
    ln_write16(w, (uint16_t)(size / 4 - 1));
}

static bool has_room(const struct ln_writer *w, size_t size)
{
    return w->ok && size <= ln_writer_room(w);
}

static void write_block(struct ln_writer *w, const struct ln_rtcp_block *b)
{
    ln_write32(w, b->ssrc);
    ln_write8(w, b->fraction_lost);
    ln_write24(w, (uint32_t)b->lost & 0xffffffu);
    ln_write32(w, b->highest);
    ln_write32(w, b->jitter);
    ln_write32(w, b->last_sr);
    ln_write32(w, b->delay_since_sr);
}

bool ln_rtcp_write_report(struct ln_writer *w, const struct ln_rtcp_report *r)
{
    size_t size = 8u + (r->sender ? 20u : 0u) + 24u * r->block_count;

    assert(r->block_count <= LN_RTCP_BLOCKS_MAX);
    if (!has_room(w, size))
        return false;
    begin(w, r->block_count, r->sender ? LN_RTCP_SR : LN_RTCP_RR, size);
    ln_write32(w, r->ssrc);
    if (r->sender) {
        ln_write64(w, r->ntp);
        ln_write32(w, r->rtp_timestamp);
        ln_write32(w, r->packets);
        ln_write32(w, r->octets);
    }
    for (size_t i = 0; i < r->block_count; i++)
        write_block(w, &r->blocks[i]);
    return true;
}

bool ln_rtcp_write_sdes_cname(struct ln_writer *w, uint32_t ssrc, const char *cname)
{
    size_t len = strlen(cname), used = 8 + 2 + len, size = (used + 1 + 3) / 4 * 4;

    assert(len <= 255);
    if (!has_room(w, size))
        return false;
    begin(w, 1, LN_RTCP_SDES, size);
    ln_write32(w, ssrc);
    ln_write8(w, LN_RTCP_SDES_CNAME);
    ln_write8(w, (uint8_t)len);
    ln_write_bytes(w, cname, len);
    ln_write_zero(w, size - used); /* at least one: the end of the items */
    return true;
}

bool ln_rtcp_write_bye(struct ln_writer *w, const uint32_t *ssrcs, size_t count, const char *reason)
{
    size_t len = reason ? strlen(reason) : 0, used = 4 + 4 * count + (len ? 1 + len : 0);
    size_t size = (used + 3) / 4 * 4;

    assert(count <= LN_RTCP_BLOCKS_MAX && len <= 255);
    if (!has_room(w, size))
        return false;
    begin(w, (unsigned)count, LN_RTCP_BYE, size);
    for (size_t i = 0; i < count; i++)
        ln_write32(w, ssrcs[i]);
    if (len > 0) {
        ln_write8(w, (uint8_t)len);
        ln_write_bytes(w, reason, len);
    }
    ln_write_zero(w, size - used);
    return true;
}

bool ln_rtcp_write_app(struct ln_writer *w, const struct ln_rtcp_app *app)
{
    size_t size = 12 + (app->data.len + 3) / 4 * 4;

    assert(app->subtype < 32);
    if (!has_room(w, size))
        return false;
    begin(w, app->subtype, LN_RTCP_APP, size);
    ln_write32(w, app->ssrc);
    ln_write_bytes(w, app->name, sizeof app->name);
    if (app->data.len > 0)
        ln_write_bytes(w, app->data.data, app->data.len);
    ln_write_zero(w, size - 12 - app->data.len);
    return true;
}

static void begin_feedback(struct ln_writer *w, enum ln_rtcp_feedback_format format,
                           enum ln_rtcp_type type, size_t size, uint32_t sender, uint32_t media)
{
    begin(w, (unsigned)format, type, size);
    ln_write32(w, sender);
    ln_write32(w, media);
}

bool ln_rtcp_write_pli(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc)
{
    if (!has_room(w, FEEDBACK_SIZE))
        return false;
    begin_feedback(w, LN_RTCP_PSFB_PLI, LN_RTCP_PSFB, FEEDBACK_SIZE, sender_ssrc, media_ssrc);
    return true;
}

/* The media SSRC of the common header is 0 in a FIR; the entries name the streams. */
bool ln_rtcp_write_fir(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                       uint8_t sequence)
{
    if (!has_room(w, FEEDBACK_SIZE + 8))
        return false;
    begin_feedback(w, LN_RTCP_PSFB_FIR, LN_RTCP_PSFB, FEEDBACK_SIZE + 8, sender_ssrc, 0);
    ln_write32(w, media_ssrc);
    ln_write32(w, (uint32_t)sequence << 24);
    return true;
}

bool ln_rtcp_write_remb(struct ln_writer *w, uint32_t sender_ssrc, uint64_t bps,
                        const uint32_t *ssrcs, size_t count)
{
    size_t size = FEEDBACK_SIZE + 8 + 4 * count;
    unsigned exponent = 0;

    assert(count <= 255);
    if (!has_room(w, size))
        return false;
    while (bps >> exponent > 0x3ffff)
        exponent++;
    begin_feedback(w, LN_RTCP_PSFB_AFB, LN_RTCP_PSFB, size, sender_ssrc, 0);
    ln_write32(w, REMB_IDENTIFIER);
    ln_write8(w, (uint8_t)count);
    ln_write24(w, exponent << 18 | (uint32_t)(bps >> exponent));
    for (size_t i = 0; i < count; i++)
        ln_write32(w, ssrcs[i]);
    return true;
}

size_t ln_rtcp_write_nack(struct ln_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
                          const uint16_t *sequences, size_t count)
{
    size_t start = w->len, i = 0;

    if (count == 0 || !has_room(w, FEEDBACK_SIZE + 4))
        return 0;
    begin_feedback(w, LN_RTCP_RTPFB_NACK, LN_RTCP_RTPFB, FEEDBACK_SIZE, sender_ssrc, media_ssrc);
    while (i < count && ln_writer_room(w) >= 4) {
        uint16_t pid = sequences[i++], mask = 0;

        for (; i < count && (uint16_t)(sequences[i] - pid - 1) < 16; i++)
            mask = (uint16_t)(mask | 1u << (uint16_t)(sequences[i] - pid - 1));
        ln_write16(w, pid);
        ln_write16(w, mask);
    }
    ln_write16_at(w, start + 2, (uint16_t)((w->len - start) / 4 - 1));
    return i;
}
