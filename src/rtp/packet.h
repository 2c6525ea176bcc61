/* SPDX-License-Identifier: Apache-2.0
 * RTP packets on the wire: fixed header, CSRC list, header extensions, padding.
 * RFC 3550, 5.1 and 5.3.1; RFC 8285 (one- and two-byte extension elements).
 *
 * All packets are plaintext: SRTP is applied by the caller, who needs header_len, ssrc and
 * sequence. What is parsed is borrowed from the packet.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *   |                           timestamp                           |
 *   |                             SSRC                              |
 *   |                        CSRC 0..15 ...                         |
 *   |  0xBEDE (one-byte) or 0x100x  |  length in words              |  if X
 *   |  elements ...                                                 |
 *   |  payload ...                              | padding |  count  |  count if P */
#ifndef LN_RTP_PACKET_H
#define LN_RTP_PACKET_H

#include "base/bytes.h"

#include <linnet/error.h>
#include <linnet/types.h>

#define LN_RTP_HEADER_MIN       12u
#define LN_RTP_CSRC_MAX         15u
#define LN_RTP_ONE_BYTE         0xbedeu /* RFC 8285, 4.2 */
#define LN_RTP_TWO_BYTE         0x1000u /* RFC 8285, 4.3; the low four bits are free */
#define LN_RTP_EXTENSION_ID_MAX 255u

/* The header extensions that linnet knows. Wire ids are negotiated per BUNDLE group. */
enum ln_rtp_extension {
    LN_RTP_EXTENSION_MID,                /* RFC 9143, 15 */
    LN_RTP_EXTENSION_RID,                /* RFC 8852, 3.1 */
    LN_RTP_EXTENSION_REPAIRED_RID,       /* RFC 8852, 3.2 */
    LN_RTP_EXTENSION_ABS_SEND_TIME,      /* 24 bits, 6.18 fixed point seconds */
    LN_RTP_EXTENSION_TRANSPORT_SEQUENCE, /* transport-wide-cc-extensions-01, 2 */
    LN_RTP_EXTENSION_AUDIO_LEVEL,        /* RFC 6464 */
    LN_RTP_EXTENSION_ORIENTATION,        /* 3GPP TS 26.114, 7.4.5 (CVO) */
    LN_RTP_EXTENSIONS                    /* how many; also "not known" */
};

/* The URI of an extmap line; LN_RTP_EXTENSIONS for one that is not known. */
const char *ln_rtp_extension_uri(enum ln_rtp_extension extension);
enum ln_rtp_extension ln_rtp_extension_from_uri(const char *uri, size_t len);

/* Which wire id means which extension. All zero is the empty map. */
struct ln_rtp_extension_map {
    uint8_t id[LN_RTP_EXTENSIONS]; /* 1..255 except 15; 0: not negotiated */
    bool two_byte; /* sending: the two-byte form may be used (a=extmap-allow-mixed) */
};

/* Returns 0, LN_ERR_RANGE for an id that cannot be (0, 15, above 255), LN_ERR_INVALID_ARGUMENT if
 * the id has another meaning in this map already. */
LN_NODISCARD int ln_rtp_extension_map_set(struct ln_rtp_extension_map *map,
                                          enum ln_rtp_extension extension, unsigned id);
/* LN_RTP_EXTENSIONS when the id means nothing. */
enum ln_rtp_extension ln_rtp_extension_map_find(const struct ln_rtp_extension_map *map, uint8_t id);

struct ln_rtp_header {
    uint8_t payload_type;
    bool marker;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t ssrc;
    uint8_t csrc_count;
    uint32_t csrc[LN_RTP_CSRC_MAX];
    bool has_extension;
    uint16_t extension_profile;
    struct ln_bytes extension; /* the elements, without the four bytes before them */
};

struct ln_rtp_packet {
    struct ln_rtp_header header;
    size_t header_len; /* with CSRCs and extension */
    struct ln_bytes payload;
    uint8_t padding; /* bytes behind the payload, 0 when there are none */
};

/* Splits a packet. Returns 0 or LN_ERR_MALFORMED (too short, wrong version, CSRC list, extension
 * or padding beyond the packet, padding count 0). */
LN_NODISCARD int ln_rtp_packet_parse(const void *data, size_t len, struct ln_rtp_packet *ret);

/* The bytes that a packet's header takes, as SRTP needs them, or LN_ERR_MALFORMED. */
LN_NODISCARD int ln_rtp_header_len(const void *data, size_t len);

/* Walks the elements; next() returns false at the end and at the first malformed element (`ok` is
 * then false). In the one-byte form id 15, and id 0 with a length, end the walk (RFC 8285, 4.1 and
 * 4.2); id 0 is padding. */
struct ln_rtp_extension_iterator {
    struct ln_reader reader;
    bool one_byte, done, ok;
    uint8_t id;
    struct ln_bytes value;
};
void ln_rtp_extensions_begin(struct ln_rtp_extension_iterator *it, const struct ln_rtp_header *h);
bool ln_rtp_extensions_next(struct ln_rtp_extension_iterator *it);

/* What the known extensions of one packet say. The first element of an id counts; an element with
 * an impossible length is left out. */
struct ln_rtp_extension_values {
    struct ln_bytes mid, rid,
        repaired_rid; /* empty: absent; only ASCII that an SDP token can have */
    bool has_abs_send_time, has_transport_sequence, has_audio_level, has_orientation;
    uint32_t abs_send_time; /* 24 bits */
    uint16_t transport_sequence;
    uint8_t audio_level; /* 0 (loudest) .. 127, in -dBov */
    bool voice;
    uint16_t rotation; /* 0, 90, 180, 270 */
};
void ln_rtp_extensions_read(const struct ln_rtp_header *header,
                            const struct ln_rtp_extension_map *map,
                            struct ln_rtp_extension_values *ret);

/* An extension block while it is put together: elements are added in any order. A block takes the
 * one-byte form if all ids and lengths allow it, else the two-byte form if `two_byte` is allowed,
 * else elements that do not fit are left out. */
#define LN_RTP_EXTENSION_BLOCK_MAX 255u
struct ln_rtp_extension_writer {
    uint8_t data[LN_RTP_EXTENSION_BLOCK_MAX];
    size_t len; /* stored as id, length, value */
    bool two_byte_allowed, two_byte_needed;
};
void ln_rtp_extension_writer_init(struct ln_rtp_extension_writer *w, bool two_byte_allowed);
/* False when the element cannot be carried (no room, or needs the two-byte form). */
bool ln_rtp_extension_writer_add(struct ln_rtp_extension_writer *w, uint8_t id, const void *value,
                                 size_t len);
/* The size of the finished block with its four bytes, 0 when there are no elements. */
size_t ln_rtp_extension_writer_size(const struct ln_rtp_extension_writer *w);

/* Writes fixed header, CSRCs and the extension block (NULL: none; header->extension is ignored).
 * Returns the header's length or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_rtp_header_write(const struct ln_rtp_header *header,
                                     const struct ln_rtp_extension_writer *extensions,
                                     uint8_t *data, size_t cap);

/* Where the value of element `id` stands in a packet of ours, to be filled at send time (transport
 * sequence, abs-send-time); NULL when it is not there. *ret_len is its length. */
uint8_t *ln_rtp_extension_locate(uint8_t *data, size_t len, uint8_t id, size_t *ret_len);

/* 24 bits of 6.18 fixed point seconds, as abs-send-time has them. */
uint32_t ln_rtp_abs_send_time(ln_time now);

/* Counters of 16 and 32 bits as growing 64-bit numbers: the nearest to the last one. */
struct ln_rtp_unwrap {
    int64_t last;
    bool started;
};
int64_t ln_rtp_unwrap16(struct ln_rtp_unwrap *u, uint16_t value); /* moves `last` forward only */
int64_t ln_rtp_unwrap32(struct ln_rtp_unwrap *u, uint32_t value);
/* The same without moving. */
int64_t ln_rtp_unwrap16_peek(const struct ln_rtp_unwrap *u, uint16_t value);
int64_t ln_rtp_unwrap32_peek(const struct ln_rtp_unwrap *u, uint32_t value);

#endif
