/* SPDX-License-Identifier: Apache-2.0
 * Parsing RTCP: see rtp/rtcp.h. */
#include "rtp/rtcp.h"

#include <string.h>

#define VERSION         2u
#define PADDING_BIT     0x20u
#define REMB_IDENTIFIER 0x52454d42u /* "REMB" */
#define NTP_UNIX_OFFSET 2208988800u /* seconds from 1900 to 1970 */

void ln_rtcp_begin(struct ln_rtcp_iterator *it, const void *data, size_t len)
{
    ln_reader_init(&it->reader, data, len);
    it->ok = true;
}

bool ln_rtcp_next(struct ln_rtcp_iterator *it, struct ln_rtcp_packet *ret)
{
    struct ln_rtcp_packet p;
    uint8_t first;

    if (!it->ok || ln_reader_left(&it->reader) == 0)
        return false;
    first = ln_read8(&it->reader);
    p.count = first & 0x1f;
    p.type = ln_read8(&it->reader);
    p.body = ln_read_bytes(&it->reader, (size_t)ln_read16(&it->reader) * 4);
    it->ok = it->reader.ok && first >> 6 == VERSION;
    if (it->ok && (first & PADDING_BIT)) {
        uint8_t padding = p.body.len > 0 ? p.body.data[p.body.len - 1] : 0;

        /* Only the last packet of a compound may be padded (RFC 3550, 6.4.1). */
        it->ok = padding > 0 && padding <= p.body.len && ln_reader_left(&it->reader) == 0;
        p.body.len -= it->ok ? padding : 0u;
    }
    if (it->ok)
        *ret = p;
    return it->ok;
}

static void read_block(struct ln_reader *r, struct ln_rtcp_block *b)
{
    uint32_t lost;

    b->ssrc = ln_read32(r);
    b->fraction_lost = ln_read8(r);
    lost = ln_read24(r);
    b->lost = lost & 0x800000u ? (int32_t)lost - 0x1000000 : (int32_t)lost;
    b->highest = ln_read32(r);
    b->jitter = ln_read32(r);
    b->last_sr = ln_read32(r);
    b->delay_since_sr = ln_read32(r);
}

int ln_rtcp_parse_report(const struct ln_rtcp_packet *p, struct ln_rtcp_report *ret)
{
    struct ln_rtcp_report report;
    struct ln_reader r;

    memset(&report, 0, sizeof report);
    ln_reader_init(&r, p->body.data, p->body.len);
    report.ssrc = ln_read32(&r);
    report.sender = p->type == LN_RTCP_SR;
    if (report.sender) {
        report.ntp = ln_read64(&r);
        report.rtp_timestamp = ln_read32(&r);
        report.packets = ln_read32(&r);
        report.octets = ln_read32(&r);
    }
    report.block_count = p->count;
    for (size_t i = 0; i < p->count; i++)
        read_block(&r, &report.blocks[i]);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    *ret = report;
    return 0;
}

int ln_rtcp_parse_bye(const struct ln_rtcp_packet *p, struct ln_rtcp_bye *ret)
{
    struct ln_rtcp_bye bye;
    struct ln_reader r;

    memset(&bye, 0, sizeof bye);
    ln_reader_init(&r, p->body.data, p->body.len);
    bye.count = p->count;
    for (size_t i = 0; i < p->count; i++)
        bye.ssrcs[i] = ln_read32(&r);
    if (r.ok && ln_reader_left(&r) > 0)
        bye.reason = ln_read_bytes(&r, ln_read8(&r));
    if (!r.ok)
        return LN_ERR_MALFORMED;
    *ret = bye;
    return 0;
}

void ln_rtcp_sdes_begin(struct ln_rtcp_sdes_iterator *it, const struct ln_rtcp_packet *p)
{
    memset(it, 0, sizeof *it);
    ln_reader_init(&it->reader, p->body.data, p->body.len);
    it->chunks_left = p->count;
}

bool ln_rtcp_sdes_next(struct ln_rtcp_sdes_iterator *it)
{
    while (it->reader.ok) {
        if (!it->in_chunk) {
            if (it->chunks_left == 0)
                return false;
            it->chunks_left--;
            it->ssrc = ln_read32(&it->reader);
            it->in_chunk = true;
        }
        it->item = ln_read8(&it->reader);
        if (it->item == 0) { /* end of the chunk, zeros up to the next word */
            ln_read_align(&it->reader, 4);
            it->in_chunk = false;
            continue;
        }
        it->text = ln_read_bytes(&it->reader, ln_read8(&it->reader));
        return it->reader.ok;
    }
    return false;
}

int ln_rtcp_parse_app(const struct ln_rtcp_packet *p, struct ln_rtcp_app *ret)
{
    struct ln_rtcp_app app;
    struct ln_bytes name;
    struct ln_reader r;

    ln_reader_init(&r, p->body.data, p->body.len);
    app.subtype = p->count;
    app.ssrc = ln_read32(&r);
    name = ln_read_bytes(&r, sizeof app.name);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    memcpy(app.name, name.data, sizeof app.name);
    app.data = ln_read_rest(&r);
    *ret = app;
    return 0;
}

int ln_rtcp_parse_feedback(const struct ln_rtcp_packet *p, struct ln_rtcp_feedback *ret)
{
    struct ln_rtcp_feedback f;
    struct ln_reader r;

    ln_reader_init(&r, p->body.data, p->body.len);
    f.sender_ssrc = ln_read32(&r);
    f.media_ssrc = ln_read32(&r);
    f.fci = ln_read_rest(&r);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    *ret = f;
    return 0;
}

void ln_rtcp_nack_begin(struct ln_rtcp_nack_iterator *it, struct ln_bytes fci)
{
    memset(it, 0, sizeof *it);
    ln_reader_init(&it->reader, fci.data, fci.len);
}

bool ln_rtcp_nack_next(struct ln_rtcp_nack_iterator *it, uint16_t *ret_sequence)
{
    while (it->bit != 0 && it->bit <= 16) {
        unsigned bit = it->bit++;

        if (it->mask >> (bit - 1) & 1) {
            *ret_sequence = (uint16_t)(it->pid + bit);
            return true;
        }
    }
    if (ln_reader_left(&it->reader) < 4)
        return false;
    it->pid = ln_read16(&it->reader);
    it->mask = ln_read16(&it->reader);
    it->bit = 1;
    *ret_sequence = it->pid;
    return true;
}

bool ln_rtcp_fir_entry(struct ln_bytes fci, size_t i, uint32_t *ret_ssrc, uint8_t *ret_sequence)
{
    if (i >= fci.len / 8)
        return false;
    *ret_ssrc = ln_load32(fci.data + i * 8);
    *ret_sequence = fci.data[i * 8 + 4];
    return true;
}

int ln_rtcp_parse_remb(struct ln_bytes fci, struct ln_rtcp_remb *ret)
{
    struct ln_rtcp_remb remb;
    uint32_t rate, mantissa;
    unsigned exponent;
    struct ln_reader r;

    ln_reader_init(&r, fci.data, fci.len);
    if (ln_read32(&r) != REMB_IDENTIFIER)
        return LN_ERR_MALFORMED;
    remb.ssrc_count = ln_read8(&r);
    rate = ln_read24(&r);
    exponent = rate >> 18;
    mantissa = rate & 0x3ffffu;
    remb.ssrcs = ln_read_bytes(&r, remb.ssrc_count * 4u);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    /* 18 bits shifted by up to 63: what does not fit means "no limit". */
    remb.bps = exponent > 45 && mantissa > 0 ? UINT64_MAX >> 1 : (uint64_t)mantissa << exponent;
    if (exponent > 45 && mantissa == 0)
        remb.bps = 0;
    *ret = remb;
    return 0;
}

uint64_t ln_ntp_from_unix(ln_time unix_time)
{
    int64_t seconds = unix_time / 1000000000, rest = unix_time % 1000000000;

    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    return (uint64_t)(uint32_t)(seconds + NTP_UNIX_OFFSET) << 32 |
           (uint32_t)(((uint64_t)rest << 32) / 1000000000u);
}

ln_time ln_ntp_to_unix(uint64_t ntp)
{
    int64_t seconds = (int64_t)(ntp >> 32) - (int64_t)NTP_UNIX_OFFSET;

    if (seconds < 0)
        seconds += 0x100000000ll; /* the era that begins in 2036 */
    return seconds * 1000000000 + (int64_t)(((ntp & 0xffffffffu) * 1000000000u) >> 32);
}
