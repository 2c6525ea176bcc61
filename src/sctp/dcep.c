/* SPDX-License-Identifier: Apache-2.0
 *
 *   | type 3 | channel type | priority 16 | reliability 32 |
 *   | label length 16 | protocol length 16 | label | protocol |      (RFC 8832, 5.1)
 *
 * Channel type: 0x80 is unordered; the rest 0 reliable, 1 limited retransmissions, 2 limited
 * lifetime. */
#include "sctp/dcep.h"

#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

#define UNORDERED   0x80u
#define RELIABLE    0u
#define RETRANSMITS 1u
#define LIFETIME    2u

static int32_t limited(uint32_t value)
{
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

int ln_dcep_open_read(const uint8_t *data, size_t len, struct ln_dcep_open *ret_open)
{
    struct ln_dcep_open open = { .max_lifetime_ms = -1, .max_retransmits = -1 };
    uint16_t label_len, protocol_len;
    uint32_t reliability;
    struct ln_reader r;
    uint8_t type;

    ln_reader_init(&r, data, len);
    if (ln_read8(&r) != LN_DCEP_OPEN)
        return LN_ERR_MALFORMED;
    type = ln_read8(&r);
    open.priority = ln_read16(&r);
    reliability = ln_read32(&r);
    label_len = ln_read16(&r);
    protocol_len = ln_read16(&r);
    open.label = ln_read_bytes(&r, label_len);
    open.protocol = ln_read_bytes(&r, protocol_len);
    if (!r.ok || !ln_utf8_valid(open.label.data, open.label.len) ||
        !ln_utf8_valid(open.protocol.data, open.protocol.len))
        return LN_ERR_MALFORMED;
    open.unordered = (type & UNORDERED) != 0;
    switch (type & ~UNORDERED) {
    case RELIABLE:
        break;
    case RETRANSMITS:
        open.max_retransmits = limited(reliability);
        break;
    case LIFETIME:
        open.max_lifetime_ms = limited(reliability);
        break;
    default:
        return LN_ERR_MALFORMED;
    }
    *ret_open = open;
    return 0;
}

int ln_dcep_open_write(const struct ln_dcep_open *open, uint8_t *out, size_t cap)
{
    uint8_t type = open->max_retransmits >= 0   ? RETRANSMITS
                   : open->max_lifetime_ms >= 0 ? LIFETIME
                                                : RELIABLE;
    int32_t reliability = open->max_retransmits >= 0   ? open->max_retransmits
                          : open->max_lifetime_ms >= 0 ? open->max_lifetime_ms
                                                       : 0;
    struct ln_writer w;

    ln_writer_init(&w, out, cap);
    ln_write8(&w, LN_DCEP_OPEN);
    ln_write8(&w, (uint8_t)(type | (open->unordered ? UNORDERED : 0u)));
    ln_write16(&w, open->priority);
    ln_write32(&w, (uint32_t)reliability);
    ln_write16(&w, (uint16_t)open->label.len);
    ln_write16(&w, (uint16_t)open->protocol.len);
    ln_write_bytes(&w, open->label.data, open->label.len);
    ln_write_bytes(&w, open->protocol.data, open->protocol.len);
    return w.ok ? (int)w.len : LN_ERR_NO_SPACE;
}
