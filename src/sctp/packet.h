/* SPDX-License-Identifier: Apache-2.0
 * The wire format (RFC 9260, 3): common header, chunks, parameters and error causes.
 *
 *    0                   1                   2                   3
 *   |      source port              |       destination port        |
 *   |                       verification tag                        |
 *   |                  checksum (CRC32c, low byte first)            |
 *   |     type      |     flags     |            length             |  a chunk; its length counts
 *   |  value, padded to whole words ...                             |  the head, not the padding
 *
 * Parameters and causes are {type 16, length 16, value}, padded alike. Reading never trusts a
 * length: an element that does not fit ends the walk with an error. */
#ifndef LN_SCTP_PACKET_H
#define LN_SCTP_PACKET_H

#include "base/bytes.h"

#define LN_SCTP_HEADER_BYTES      12u
#define LN_SCTP_CHUNK_HEAD_BYTES  4u
#define LN_SCTP_DATA_HEAD_BYTES   16u
#define LN_SCTP_IDATA_HEAD_BYTES  20u
#define LN_SCTP_PARAMETERS_REPORT 128u /* bytes of unrecognised parameters reported at most */

enum ln_chunk_type {
    LN_CHUNK_DATA = 0,
    LN_CHUNK_INIT = 1,
    LN_CHUNK_INIT_ACK = 2,
    LN_CHUNK_SACK = 3,
    LN_CHUNK_HEARTBEAT = 4,
    LN_CHUNK_HEARTBEAT_ACK = 5,
    LN_CHUNK_ABORT = 6,
    LN_CHUNK_SHUTDOWN = 7,
    LN_CHUNK_SHUTDOWN_ACK = 8,
    LN_CHUNK_ERROR = 9,
    LN_CHUNK_COOKIE_ECHO = 10,
    LN_CHUNK_COOKIE_ACK = 11,
    LN_CHUNK_SHUTDOWN_COMPLETE = 14,
    LN_CHUNK_IDATA = 64,         /* RFC 8260, 2.1 */
    LN_CHUNK_PAD = 132,          /* RFC 4820, 3 */
    LN_CHUNK_RECONFIG = 130,     /* RFC 6525, 3.1 */
    LN_CHUNK_FORWARD_TSN = 192,  /* RFC 3758, 3.2 */
    LN_CHUNK_IFORWARD_TSN = 194, /* RFC 8260, 2.3.1 */
};

/* What to do with a type that is not known: the two high bits (RFC 9260, 3.2). */
#define LN_CHUNK_UNKNOWN_GO_ON(type)  (((type)&0x80) != 0)
#define LN_CHUNK_UNKNOWN_REPORT(type) (((type)&0x40) != 0)

#define LN_DATA_END          0x01u
#define LN_DATA_BEGIN        0x02u
#define LN_DATA_UNORDERED    0x04u
#define LN_DATA_IMMEDIATE    0x08u   /* RFC 7053 */
#define LN_SKIPPED_UNORDERED 0x0001u /* of an I-FORWARD-TSN entry */
#define LN_TAG_REFLECTED     0x01u   /* the T bit of ABORT and SHUTDOWN COMPLETE */

enum ln_parameter_type {
    LN_PARAMETER_HEARTBEAT_INFO = 1,
    LN_PARAMETER_IPV4 = 5,
    LN_PARAMETER_IPV6 = 6,
    LN_PARAMETER_STATE_COOKIE = 7,
    LN_PARAMETER_UNRECOGNIZED = 8,
    LN_PARAMETER_COOKIE_PRESERVATIVE = 9,
    LN_PARAMETER_HOST_NAME = 11,
    LN_PARAMETER_ADDRESS_TYPES = 12,
    LN_PARAMETER_OUTGOING_RESET = 13, /* RFC 6525, 4 */
    LN_PARAMETER_INCOMING_RESET = 14,
    LN_PARAMETER_TSN_RESET = 15,
    LN_PARAMETER_RESET_RESPONSE = 16,
    LN_PARAMETER_ADD_OUTGOING = 17,
    LN_PARAMETER_ADD_INCOMING = 18,
    LN_PARAMETER_ECN_CAPABLE = 0x8000,
    LN_PARAMETER_ZERO_CHECKSUM = 0x8001, /* RFC 9653, 4 */
    LN_PARAMETER_EXTENSIONS = 0x8008,    /* RFC 5061, 4.2.7 */
    LN_PARAMETER_FORWARD_TSN = 0xc000,   /* RFC 3758, 3.1 */
};

#define LN_PARAMETER_UNKNOWN_GO_ON(type)  (((type)&0x8000) != 0)
#define LN_PARAMETER_UNKNOWN_REPORT(type) (((type)&0x4000) != 0)

enum ln_error_cause {
    LN_CAUSE_INVALID_STREAM = 1,
    LN_CAUSE_MISSING_PARAMETER = 2,
    LN_CAUSE_STALE_COOKIE = 3,
    LN_CAUSE_OUT_OF_RESOURCE = 4,
    LN_CAUSE_UNRECOGNIZED_CHUNK = 6,
    LN_CAUSE_INVALID_PARAMETER = 7,
    LN_CAUSE_UNRECOGNIZED_PARAMETERS = 8,
    LN_CAUSE_NO_USER_DATA = 9,
    LN_CAUSE_COOKIE_IN_SHUTDOWN = 10,
    LN_CAUSE_USER_ABORT = 12,
    LN_CAUSE_PROTOCOL_VIOLATION = 13,
};

/* Result codes of a re-configuration response (RFC 6525, 4.4). */
enum ln_reset_result {
    LN_RESET_NOTHING_TO_DO = 0,
    LN_RESET_PERFORMED = 1,
    LN_RESET_DENIED = 2,
    LN_RESET_WRONG_SSN = 3,
    LN_RESET_ALREADY_IN_PROGRESS = 4,
    LN_RESET_BAD_SEQUENCE = 5,
    LN_RESET_IN_PROGRESS = 6,
};

/* Error detection methods of the zero checksum (RFC 9653, 4): the packet is inside DTLS. */
#define LN_ZERO_CHECKSUM_DTLS 1u

struct ln_sctp_header {
    uint16_t source_port, destination_port;
    uint32_t tag, checksum;
};

struct ln_chunk {
    uint8_t type, flags;
    struct ln_bytes value; /* without head and padding */
    struct ln_bytes whole; /* with head, for error reports */
};

struct ln_parameter {
    uint16_t type;
    struct ln_bytes value, whole;
};

/* Reads the head and checks the sum; zero_allowed: none is fine too, unless the first chunk is an
 * INIT or COOKIE ECHO (RFC 9653, 5.3). Returns 0, LN_ERR_MALFORMED (too short), LN_ERR_INTEGRITY.
 */
LN_NODISCARD int ln_sctp_header_read(struct ln_reader *r, bool zero_allowed,
                                     struct ln_sctp_header *ret_header);

/* The next element: 1, 0 at the end, LN_ERR_MALFORMED. Missing padding at the very end is
 * tolerated. Causes are read as parameters. */
int ln_chunk_read(struct ln_reader *r, struct ln_chunk *ret_chunk);
int ln_parameter_read(struct ln_reader *r, struct ln_parameter *ret_parameter);

/* Begins a packet with a zero checksum; ln_sctp_packet_finish() puts it in. */
void ln_sctp_packet_begin(struct ln_writer *w, uint16_t source_port, uint16_t destination_port,
                          uint32_t tag);
void ln_sctp_packet_finish(struct ln_writer *w);

/* Begin returns the place to be handed to finish, which sets the length and pads. */
size_t ln_chunk_begin(struct ln_writer *w, uint8_t type, uint8_t flags);
void ln_chunk_finish(struct ln_writer *w, size_t at);
size_t ln_parameter_begin(struct ln_writer *w, uint16_t type);
void ln_parameter_finish(struct ln_writer *w, size_t at);

/* The least a_rwnd of an INIT (RFC 9260, 3.3.2). */
#define LN_SCTP_WINDOW_MIN 1500u

/* What INIT and INIT ACK say. */
struct ln_sctp_init {
    uint32_t tag, window, tsn;
    uint16_t outgoing, incoming;
    bool partial_reliability, reset, interleaving;
    bool zero_checksum;                              /* is accepted */
    struct ln_bytes cookie;                          /* INIT ACK */
    uint8_t unrecognized[LN_SCTP_PARAMETERS_REPORT]; /* whole parameters to be reported */
    size_t unrecognized_len;
};

/* Returns 0 or LN_ERR_MALFORMED. Addresses are passed over: DTLS knows the path (RFC 8261, 6). */
LN_NODISCARD int ln_sctp_init_read(struct ln_bytes value, struct ln_sctp_init *ret_init);
/* The whole chunk, with partial reliability and reset, interleaving and zero checksum if so said,
 * the cookie (if any) and what was not recognised. */
void ln_sctp_init_write(struct ln_writer *w, uint8_t type, const struct ln_sctp_init *init);

#endif
