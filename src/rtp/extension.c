/* SPDX-License-Identifier: Apache-2.0
 * Header extensions: RFC 8285 elements, and the values of those that linnet knows (RFC 9143, 15;
 * RFC 8852; RFC 6464; abs-send-time; transport-wide-cc-01; 3GPP TS 26.114, 7.4.5). */
#include "rtp/packet.h"

#include <assert.h>
#include <string.h>

static const char *const uris[LN_RTP_EXTENSIONS] = {
    [LN_RTP_EXTENSION_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [LN_RTP_EXTENSION_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [LN_RTP_EXTENSION_REPAIRED_RID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    [LN_RTP_EXTENSION_ABS_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [LN_RTP_EXTENSION_TRANSPORT_SEQUENCE] =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [LN_RTP_EXTENSION_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [LN_RTP_EXTENSION_ORIENTATION] = "urn:3gpp:video-orientation",
};

const char *ln_rtp_extension_uri(enum ln_rtp_extension extension)
{
    assert(extension < LN_RTP_EXTENSIONS);
    return uris[extension];
}

enum ln_rtp_extension ln_rtp_extension_from_uri(const char *uri, size_t len)
{
    unsigned i;

    for (i = 0; i < LN_RTP_EXTENSIONS; i++)
        if (strlen(uris[i]) == len && memcmp(uris[i], uri, len) == 0)
            break;
    return (enum ln_rtp_extension)i;
}

enum ln_rtp_extension ln_rtp_extension_map_find(const struct ln_rtp_extension_map *map, uint8_t id)
{
    unsigned i;

    for (i = 0; i < LN_RTP_EXTENSIONS; i++)
        if (id != 0 && map->id[i] == id)
            break;
    return (enum ln_rtp_extension)i;
}

int ln_rtp_extension_map_set(struct ln_rtp_extension_map *map, enum ln_rtp_extension extension,
                             unsigned id)
{
    enum ln_rtp_extension other;

    assert(extension < LN_RTP_EXTENSIONS);
    if (id == 0 || id == 15 || id > LN_RTP_EXTENSION_ID_MAX)
        return LN_ERR_RANGE;
    other = ln_rtp_extension_map_find(map, (uint8_t)id);
    if (other != LN_RTP_EXTENSIONS && other != extension)
        return LN_ERR_INVALID_ARGUMENT;
    map->id[extension] = (uint8_t)id;
    return 0;
}

/* ---- reading ---- */

void ln_rtp_extensions_begin(struct ln_rtp_extension_iterator *it, const struct ln_rtp_header *h)
{
    memset(it, 0, sizeof *it);
    it->ok = true;
    it->one_byte = h->extension_profile == LN_RTP_ONE_BYTE;
    it->done = !h->has_extension ||
               (!it->one_byte && (h->extension_profile & 0xfff0u) != LN_RTP_TWO_BYTE);
    ln_reader_init(&it->reader, h->extension.data, h->extension.len);
}

bool ln_rtp_extensions_next(struct ln_rtp_extension_iterator *it)
{
    while (!it->done && ln_reader_left(&it->reader) > 0) {
        uint8_t first = ln_read8(&it->reader);
        size_t len;

        if (first == 0)
            continue; /* padding: one byte in both forms */
        if (it->one_byte) {
            it->id = first >> 4;
            len = (first & 0x0fu) + 1u;
            if (it->id == 0 || it->id == 15)
                break;
        } else {
            it->id = first;
            len = ln_read8(&it->reader);
        }
        it->value = ln_read_bytes(&it->reader, len);
        if (!it->reader.ok) {
            it->ok = false;
            break;
        }
        return true;
    }
    it->done = true;
    return false;
}

/* RFC 8866 token characters are what an SDP mid or rid can have. */
static bool is_token(struct ln_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
            return false;
    return text.len > 0;
}

static void read_text(struct ln_bytes value, struct ln_bytes *field)
{
    if (field->len == 0 && is_token(value))
        *field = value;
}

static void read_known(enum ln_rtp_extension kind, struct ln_bytes value,
                       struct ln_rtp_extension_values *v)
{
    switch (kind) {
    case LN_RTP_EXTENSION_MID:
        read_text(value, &v->mid);
        break;
    case LN_RTP_EXTENSION_RID:
        read_text(value, &v->rid);
        break;
    case LN_RTP_EXTENSION_REPAIRED_RID:
        read_text(value, &v->repaired_rid);
        break;
    case LN_RTP_EXTENSION_ABS_SEND_TIME:
        if (value.len == 3 && !v->has_abs_send_time) {
            v->has_abs_send_time = true;
            v->abs_send_time = ln_load24(value.data);
        }
        break;
    case LN_RTP_EXTENSION_TRANSPORT_SEQUENCE:
        if (value.len >= 2 && !v->has_transport_sequence) {
            v->has_transport_sequence = true;
            v->transport_sequence = ln_load16(value.data);
        }
        break;
    case LN_RTP_EXTENSION_AUDIO_LEVEL:
        if (value.len >= 1 && !v->has_audio_level) {
            v->has_audio_level = true;
            v->voice = (value.data[0] & 0x80) != 0;
            v->audio_level = value.data[0] & 0x7f;
        }
        break;
    case LN_RTP_EXTENSION_ORIENTATION:
        if (value.len >= 1 && !v->has_orientation) {
            v->has_orientation = true;
            v->rotation = (uint16_t)(90u * (value.data[0] & 0x03u));
        }
        break;
    case LN_RTP_EXTENSIONS:
        break;
    }
}

void ln_rtp_extensions_read(const struct ln_rtp_header *header,
                            const struct ln_rtp_extension_map *map,
                            struct ln_rtp_extension_values *ret)
{
    struct ln_rtp_extension_iterator it;

    memset(ret, 0, sizeof *ret);
    ln_rtp_extensions_begin(&it, header);
    while (ln_rtp_extensions_next(&it))
        read_known(ln_rtp_extension_map_find(map, it.id), it.value, ret);
}

uint8_t *ln_rtp_extension_locate(uint8_t *data, size_t len, uint8_t id, size_t *ret_len)
{
    struct ln_rtp_extension_iterator it;
    struct ln_rtp_packet packet;

    if (id == 0 || ln_rtp_packet_parse(data, len, &packet) != 0)
        return NULL;
    ln_rtp_extensions_begin(&it, &packet.header);
    while (ln_rtp_extensions_next(&it))
        if (it.id == id && it.value.len > 0) {
            *ret_len = it.value.len;
            return data + (it.value.data - data);
        }
    return NULL;
}

/* ---- writing ---- */

void ln_rtp_extension_writer_init(struct ln_rtp_extension_writer *w, bool two_byte_allowed)
{
    w->len = 0;
    w->two_byte_allowed = two_byte_allowed;
    w->two_byte_needed = false;
}

bool ln_rtp_extension_writer_add(struct ln_rtp_extension_writer *w, uint8_t id, const void *value,
                                 size_t len)
{
    bool two_byte = id > 14 || len == 0 || len > 16;

    if (id == 0 || id == 15 || len > 255 || w->len + 2 + len > sizeof w->data ||
        (two_byte && !w->two_byte_allowed))
        return false;
    w->two_byte_needed |= two_byte;
    w->data[w->len] = id;
    w->data[w->len + 1] = (uint8_t)len;
    if (len > 0)
        memcpy(w->data + w->len + 2, value, len);
    w->len += 2 + len;
    return true;
}

size_t ln_rtp_extension_writer_size(const struct ln_rtp_extension_writer *w)
{
    size_t size = 0;

    if (w->len == 0)
        return 0;
    for (size_t at = 0; at < w->len; at += 2u + w->data[at + 1])
        size += (w->two_byte_needed ? 2u : 1u) + w->data[at + 1];
    return 4 + (size + 3) / 4 * 4;
}

/* The draft's 24 bits: seconds modulo 64 with 18 bits of fraction. */
uint32_t ln_rtp_abs_send_time(ln_time now)
{
    uint64_t ns = (uint64_t)now % (64u * 1000000000ull);

    return (uint32_t)((ns << 18) / 1000000000u) & 0xffffffu;
}
