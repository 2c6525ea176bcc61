/* SPDX-License-Identifier: Apache-2.0
 * Wire format of packets, chunks, parameters, INIT. RFC 9260, 3; RFC 5061, 4.2.7. */
#include "sctp/packet.h"

#include "sctp/crc32c.h"

#include <linnet/error.h>

#include <string.h>

static bool may_lack_sum(const struct ln_reader *r)
{
    uint8_t first = r->data[LN_SCTP_HEADER_BYTES];

    return first != LN_CHUNK_INIT && first != LN_CHUNK_COOKIE_ECHO;
}

int ln_sctp_header_read(struct ln_reader *r, bool zero_allowed, struct ln_sctp_header *ret_header)
{
    static const uint8_t zero[4];
    struct ln_sctp_header header;
    uint32_t sum;

    if (r->len < LN_SCTP_HEADER_BYTES + LN_SCTP_CHUNK_HEAD_BYTES)
        return LN_ERR_MALFORMED;
    header.source_port = ln_read16(r);
    header.destination_port = ln_read16(r);
    header.tag = ln_read32(r);
    header.checksum = __builtin_bswap32(ln_read32(r));
    if (header.checksum != 0 || !zero_allowed || !may_lack_sum(r)) {
        sum = ln_crc32c(0, r->data, 8);
        sum = ln_crc32c(sum, zero, sizeof zero);
        sum = ln_crc32c(sum, r->data + LN_SCTP_HEADER_BYTES, r->len - LN_SCTP_HEADER_BYTES);
        if (sum != header.checksum)
            return LN_ERR_INTEGRITY;
    }
    *ret_header = header;
    return 0;
}

/* Skips padding, as far as it is there. */
static void skip_padding(struct ln_reader *r)
{
    size_t padding = (4 - (r->at & 3)) & 3, left = ln_reader_left(r);

    ln_read_skip(r, padding < left ? padding : left);
}

int ln_chunk_read(struct ln_reader *r, struct ln_chunk *ret_chunk)
{
    const uint8_t *start;
    struct ln_chunk chunk;
    uint16_t len;

    if (ln_reader_left(r) == 0)
        return 0;
    start = r->data + r->at;
    chunk.type = ln_read8(r);
    chunk.flags = ln_read8(r);
    len = ln_read16(r);
    if (!r->ok || len < LN_SCTP_CHUNK_HEAD_BYTES)
        return LN_ERR_MALFORMED;
    chunk.value = ln_read_bytes(r, len - LN_SCTP_CHUNK_HEAD_BYTES);
    if (!r->ok)
        return LN_ERR_MALFORMED;
    chunk.whole = (struct ln_bytes){ start, len };
    skip_padding(r);
    *ret_chunk = chunk;
    return 1;
}

int ln_parameter_read(struct ln_reader *r, struct ln_parameter *ret_parameter)
{
    const uint8_t *start;
    struct ln_parameter parameter;
    uint16_t len;

    if (ln_reader_left(r) == 0)
        return 0;
    start = r->data + r->at;
    parameter.type = ln_read16(r);
    len = ln_read16(r);
    if (!r->ok || len < 4)
        return LN_ERR_MALFORMED;
    parameter.value = ln_read_bytes(r, len - 4u);
    if (!r->ok)
        return LN_ERR_MALFORMED;
    parameter.whole = (struct ln_bytes){ start, len };
    skip_padding(r);
    *ret_parameter = parameter;
    return 1;
}

void ln_sctp_packet_begin(struct ln_writer *w, uint16_t source_port, uint16_t destination_port,
                          uint32_t tag)
{
    ln_write16(w, source_port);
    ln_write16(w, destination_port);
    ln_write32(w, tag);
    ln_write32(w, 0);
}

void ln_sctp_packet_finish(struct ln_writer *w)
{
    ln_store32(w->data + 8, __builtin_bswap32(ln_crc32c(0, w->data, w->len)));
}

size_t ln_chunk_begin(struct ln_writer *w, uint8_t type, uint8_t flags)
{
    size_t at = w->len;

    ln_write8(w, type);
    ln_write8(w, flags);
    ln_write16(w, 0);
    return at;
}

void ln_chunk_finish(struct ln_writer *w, size_t at)
{
    if (!w->ok)
        return;
    ln_write16_at(w, at + 2, (uint16_t)(w->len - at));
    ln_write_zero(w, (4 - (w->len & 3)) & 3);
}

size_t ln_parameter_begin(struct ln_writer *w, uint16_t type)
{
    size_t at = w->len;

    ln_write16(w, type);
    ln_write16(w, 0);
    return at;
}

void ln_parameter_finish(struct ln_writer *w, size_t at)
{
    ln_chunk_finish(w, at); /* the length stands at the same place */
}

static void read_extensions(struct ln_bytes types, struct ln_sctp_init *init)
{
    for (size_t i = 0; i < types.len; i++) {
        if (types.data[i] == LN_CHUNK_FORWARD_TSN)
            init->partial_reliability = true;
        else if (types.data[i] == LN_CHUNK_RECONFIG)
            init->reset = true;
        else if (types.data[i] == LN_CHUNK_IDATA)
            init->interleaving = true;
    }
}

static void note_unrecognized(struct ln_sctp_init *init, const struct ln_parameter *parameter)
{
    size_t padded = (parameter->whole.len + 3) & ~(size_t)3;

    if (!LN_PARAMETER_UNKNOWN_REPORT(parameter->type) ||
        padded + 4 > sizeof init->unrecognized - init->unrecognized_len)
        return;
    /* Each is wrapped on its own (RFC 9260, 3.3.3.1). */
    uint8_t *p = init->unrecognized + init->unrecognized_len;

    ln_store16(p, LN_PARAMETER_UNRECOGNIZED);
    ln_store16(p + 2, (uint16_t)(4 + parameter->whole.len));
    memset(p + 4, 0, padded);
    memcpy(p + 4, parameter->whole.data, parameter->whole.len);
    init->unrecognized_len += 4 + padded;
}

/* Returns false when the rest of the parameters must not be read (RFC 9260, 3.2.1). */
static bool read_parameter(const struct ln_parameter *parameter, struct ln_sctp_init *init)
{
    switch (parameter->type) {
    case LN_PARAMETER_STATE_COOKIE:
        init->cookie = parameter->value;
        return true;
    case LN_PARAMETER_EXTENSIONS:
        read_extensions(parameter->value, init);
        return true;
    case LN_PARAMETER_FORWARD_TSN:
        init->partial_reliability = true;
        return true;
    case LN_PARAMETER_ZERO_CHECKSUM:
        init->zero_checksum = parameter->value.len == 4 &&
                              ln_load32(parameter->value.data) == LN_ZERO_CHECKSUM_DTLS;
        return true;
    case LN_PARAMETER_IPV4:
    case LN_PARAMETER_IPV6:
    case LN_PARAMETER_HOST_NAME:
    case LN_PARAMETER_ADDRESS_TYPES:
    case LN_PARAMETER_COOKIE_PRESERVATIVE:
    case LN_PARAMETER_UNRECOGNIZED:
    case LN_PARAMETER_ECN_CAPABLE:
        return true;
    default:
        note_unrecognized(init, parameter);
        return LN_PARAMETER_UNKNOWN_GO_ON(parameter->type);
    }
}

int ln_sctp_init_read(struct ln_bytes value, struct ln_sctp_init *ret_init)
{
    struct ln_parameter parameter;
    struct ln_sctp_init init;
    struct ln_reader r;
    int result;

    memset(&init, 0, sizeof init);
    ln_reader_init(&r, value.data, value.len);
    init.tag = ln_read32(&r);
    init.window = ln_read32(&r);
    init.outgoing = ln_read16(&r);
    init.incoming = ln_read16(&r);
    init.tsn = ln_read32(&r);
    if (!r.ok)
        return LN_ERR_MALFORMED;
    while ((result = ln_parameter_read(&r, &parameter)) > 0)
        if (!read_parameter(&parameter, &init))
            break;
    if (result < 0)
        return result;
    *ret_init = init;
    return 0;
}

void ln_sctp_init_write(struct ln_writer *w, uint8_t type, const struct ln_sctp_init *init)
{
    size_t at = ln_chunk_begin(w, type, 0), parameter;

    ln_write32(w, init->tag);
    ln_write32(w, init->window);
    ln_write16(w, init->outgoing);
    ln_write16(w, init->incoming);
    ln_write32(w, init->tsn);
    parameter = ln_parameter_begin(w, LN_PARAMETER_FORWARD_TSN);
    ln_parameter_finish(w, parameter);
    parameter = ln_parameter_begin(w, LN_PARAMETER_EXTENSIONS);
    ln_write8(w, LN_CHUNK_FORWARD_TSN);
    ln_write8(w, LN_CHUNK_RECONFIG);
    if (init->interleaving) {
        ln_write8(w, LN_CHUNK_IDATA);
        ln_write8(w, LN_CHUNK_IFORWARD_TSN);
    }
    ln_parameter_finish(w, parameter);
    if (init->zero_checksum) {
        parameter = ln_parameter_begin(w, LN_PARAMETER_ZERO_CHECKSUM);
        ln_write32(w, LN_ZERO_CHECKSUM_DTLS);
        ln_parameter_finish(w, parameter);
    }
    if (init->cookie.len > 0) {
        parameter = ln_parameter_begin(w, LN_PARAMETER_STATE_COOKIE);
        ln_write_bytes(w, init->cookie.data, init->cookie.len);
        ln_parameter_finish(w, parameter);
    }
    ln_write_bytes(w, init->unrecognized, init->unrecognized_len);
    ln_chunk_finish(w, at);
}
