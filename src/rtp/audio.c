/* SPDX-License-Identifier: Apache-2.0
 * Audio payloads: see rtp/audio.h. */
#include "rtp/audio.h"

#include "base/bytes.h"

#define SAMPLES_MAX 5760u /* 120 ms at 48 kHz */

/* RFC 6716, table 2: by configuration number, in samples at 48 kHz. */
static uint32_t frame_samples(uint8_t toc)
{
    unsigned config = toc >> 3;
    static const uint16_t silk[4] = { 480, 960, 1920, 2880 }, hybrid[2] = { 480, 960 };
    static const uint16_t celt[4] = { 120, 240, 480, 960 };

    if (config < 12)
        return silk[config & 3];
    return config < 16 ? hybrid[config & 1] : celt[config & 3];
}

/* A frame length of one or two bytes (RFC 6716, 3.2.1). */
static size_t read_length(struct ln_reader *r)
{
    size_t first = ln_read8(r);

    return first < 252 ? first : first + 4u * ln_read8(r);
}

/* Code 3: count byte, padding, lengths of all but the last if they differ (RFC 6716, 3.2.5). */
static void check_many(struct ln_reader *r, struct ln_opus_packet *p)
{
    uint8_t flags = ln_read8(r);
    size_t padding = 0, sum = 0;

    p->frame_count = flags & 0x3f;
    if (flags & 0x40) {
        uint8_t more;

        do {
            more = ln_read8(r);
            padding += more == 255 ? 254u : more;
        } while (more == 255 && r->ok);
    }
    if (flags & 0x80)
        for (unsigned i = 1; i < p->frame_count; i++) {
            size_t len = read_length(r);

            sum += len;
            if (len > LN_OPUS_FRAME_MAX)
                r->ok = false;
        }
    if (p->frame_count == 0 || !r->ok || padding + sum > ln_reader_left(r)) {
        r->ok = false;
        return;
    }
    sum = ln_reader_left(r) - padding - sum; /* the last frame, or all of them */
    if (flags & 0x80 ? sum > LN_OPUS_FRAME_MAX
                     : sum % p->frame_count != 0 || sum / p->frame_count > LN_OPUS_FRAME_MAX)
        r->ok = false;
}

int ln_opus_packet_parse(const void *data, size_t len, struct ln_opus_packet *ret)
{
    struct ln_opus_packet p = { 1, 0, 0, false };
    struct ln_reader r;
    uint8_t toc;

    ln_reader_init(&r, data, len);
    toc = ln_read8(&r);
    p.frame_samples = frame_samples(toc);
    p.stereo = (toc & 4) != 0;
    switch (toc & 3) {
    case 0:
        r.ok = r.ok && ln_reader_left(&r) <= LN_OPUS_FRAME_MAX;
        break;
    case 1:
        p.frame_count = 2;
        r.ok = r.ok && ln_reader_left(&r) % 2 == 0 && ln_reader_left(&r) / 2 <= LN_OPUS_FRAME_MAX;
        break;
    case 2:
        p.frame_count = 2;
        ln_read_skip(&r, read_length(&r));
        r.ok = r.ok && ln_reader_left(&r) <= LN_OPUS_FRAME_MAX;
        break;
    case 3:
        check_many(&r, &p);
        break;
    }
    p.samples = p.frame_samples * p.frame_count;
    if (!r.ok || p.samples > SAMPLES_MAX)
        return LN_ERR_MALFORMED;
    *ret = p;
    return 0;
}

uint32_t ln_audio_payload_duration(enum ln_codec codec, struct ln_bytes payload)
{
    struct ln_opus_packet opus;

    if (codec == LN_CODEC_OPUS)
        return ln_opus_packet_parse(payload.data, payload.len, &opus) == 0 ? opus.samples : 0;
    if (codec == LN_CODEC_PCMU || codec == LN_CODEC_PCMA)
        return (uint32_t)payload.len; /* a byte a sample */
    return 0;
}
