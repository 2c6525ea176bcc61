/* SPDX-License-Identifier: Apache-2.0
 * STUN messages (RFC 8489, 5 and 14): a parser that borrows the datagram, typed readers of its
 * attributes, and a builder into the caller's memory.
 *
 *   0                   1                   2                   3
 *   0 0|  class and method (14)     |        length (16)            |   length: of the attributes
 *   |                 magic cookie 0x2112A442                       |
 *   |                 transaction id (96)                           |
 *   |  attribute type (16)          |  value length (16)            |   then the value, padded with
 *   |  value ...                                                    |   zeros to a multiple of four
 *
 * A parsed message is well-formed: cookie, length and every attribute lie within the datagram, and
 * FINGERPRINT, if there is one, stands last and is right. Whether it is authentic is a question of
 * its own: ln_stun_check_integrity(). Attributes behind MESSAGE-INTEGRITY are not found (RFC 8489,
 * 14.5), so nothing that the integrity check does not cover is ever read. */
#ifndef LN_STUN_MESSAGE_H
#define LN_STUN_MESSAGE_H

#include "base/bytes.h"

#include <linnet/address.h>

#define LN_STUN_PORT         3478u
#define LN_STUN_TLS_PORT     5349u
#define LN_STUN_COOKIE       0x2112A442u /* RFC 8489, 5 */
#define LN_STUN_HEADER_LEN   20u
#define LN_STUN_ID_LEN       12u
#define LN_STUN_UNKNOWN_MAX  8u   /* unknown required attributes kept for the 420 answer */
#define LN_STUN_USERNAME_MAX 513u /* RFC 8489, 14.3: at most 508 bytes; ICE's two parts: 513 */
#define LN_STUN_REASON_MAX   128u /* characters of an error phrase that we write */

enum ln_stun_method {
    LN_STUN_BINDING = 0x001,
    LN_STUN_ALLOCATE = 0x003, /* RFC 8656, 17 */
    LN_STUN_REFRESH = 0x004,
    LN_STUN_SEND = 0x006,
    LN_STUN_DATA = 0x007,
    LN_STUN_CREATE_PERMISSION = 0x008,
    LN_STUN_CHANNEL_BIND = 0x009,
    LN_STUN_CONNECT = 0x00a, /* RFC 6062, 6.1 */
    LN_STUN_CONNECTION_BIND = 0x00b,
    LN_STUN_CONNECTION_ATTEMPT = 0x00c,
};

enum ln_stun_class {
    LN_STUN_REQUEST = 0,
    LN_STUN_INDICATION = 1,
    LN_STUN_SUCCESS = 2,
    LN_STUN_ERROR = 3
};

/* RFC 8489, 18.3; RFC 8656, 18; RFC 8445, 16.1. Below 0x8000: comprehension required. */
enum ln_stun_attribute {
    LN_STUN_MAPPED_ADDRESS = 0x0001,
    LN_STUN_CHANGE_REQUEST = 0x0003, /* RFC 5780, 9.1: also 0x0027, 0x802B and 0x802C */
    LN_STUN_USERNAME = 0x0006,
    LN_STUN_MESSAGE_INTEGRITY = 0x0008,
    LN_STUN_ERROR_CODE = 0x0009,
    LN_STUN_UNKNOWN_ATTRIBUTES = 0x000A,
    LN_STUN_CHANNEL_NUMBER = 0x000C,
    LN_STUN_LIFETIME = 0x000D,
    LN_STUN_XOR_PEER_ADDRESS = 0x0012,
    LN_STUN_DATA_VALUE = 0x0013,
    LN_STUN_REALM = 0x0014,
    LN_STUN_NONCE = 0x0015,
    LN_STUN_XOR_RELAYED_ADDRESS = 0x0016,
    LN_STUN_REQUESTED_ADDRESS_FAMILY = 0x0017,
    LN_STUN_EVEN_PORT = 0x0018,
    LN_STUN_REQUESTED_TRANSPORT = 0x0019,
    LN_STUN_DONT_FRAGMENT = 0x001A,
    LN_STUN_ACCESS_TOKEN = 0x001B,
    LN_STUN_MESSAGE_INTEGRITY_SHA256 = 0x001C,
    LN_STUN_PASSWORD_ALGORITHM = 0x001D,
    LN_STUN_USERHASH = 0x001E,
    LN_STUN_XOR_MAPPED_ADDRESS = 0x0020,
    LN_STUN_RESERVATION_TOKEN = 0x0022,
    LN_STUN_PRIORITY = 0x0024,
    LN_STUN_USE_CANDIDATE = 0x0025,
    LN_STUN_RESPONSE_PORT = 0x0027,
    LN_STUN_CONNECTION_ID = 0x002A,
    LN_STUN_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
    LN_STUN_ADDRESS_ERROR_CODE = 0x8001,
    LN_STUN_PASSWORD_ALGORITHMS = 0x8002,
    LN_STUN_ALTERNATE_DOMAIN = 0x8003,
    LN_STUN_ICMP = 0x8004,
    LN_STUN_SOFTWARE = 0x8022,
    LN_STUN_ALTERNATE_SERVER = 0x8023,
    LN_STUN_FINGERPRINT = 0x8028,
    LN_STUN_ICE_CONTROLLED = 0x8029,
    LN_STUN_ICE_CONTROLLING = 0x802A,
    LN_STUN_RESPONSE_ORIGIN = 0x802B,
    LN_STUN_OTHER_ADDRESS = 0x802C,
    LN_STUN_THIRD_PARTY_AUTHORIZATION = 0x802E,
    LN_STUN_MOBILITY_TICKET = 0x8030, /* RFC 8016, 3.3 */
    LN_STUN_NOMINATION = 0xC001,      /* browsers' renomination: a counter, the largest wins */
};

struct ln_stun_id {
    uint8_t bytes[LN_STUN_ID_LEN];
};

/* A well-formed message; borrows the datagram. */
struct ln_stun_message {
    const uint8_t *data;
    size_t len;
    uint16_t method; /* enum ln_stun_method */
    uint8_t kind;    /* enum ln_stun_class */
    struct ln_stun_id id;
    size_t readable;     /* where the attributes that may be read end */
    size_t integrity;    /* offset of MESSAGE-INTEGRITY, 0: none */
    size_t integrity256; /* offset of MESSAGE-INTEGRITY-SHA256, 0: none */
    size_t fingerprint;  /* offset of FINGERPRINT, 0: none */
    /* Required attributes that this codec does not know (RFC 8489, 6.3.1): answer 420. */
    uint16_t unknown[LN_STUN_UNKNOWN_MAX];
    uint8_t unknown_count;
};

/* Whether the first bytes look like STUN: two zero bits and the cookie (RFC 8489, 5). */
bool ln_stun_is_message(const void *data, size_t len);

/* Returns 0, or LN_ERR_MALFORMED with ret_message untouched. */
LN_NODISCARD int ln_stun_parse(const void *data, size_t len, struct ln_stun_message *ret_message);

/* The first readable attribute of the type; false and ret_value untouched when there is none. */
bool ln_stun_find(const struct ln_stun_message *message, uint16_t type, struct ln_bytes *ret_value);
/* The next one, for attributes that stand several times: *at is 0 at first, and afterwards where
 * the search goes on. */
bool ln_stun_find_next(const struct ln_stun_message *message, uint16_t type, size_t *at,
                       struct ln_bytes *ret_value);
/* Reads the value of an XOR-…-ADDRESS. */
bool ln_stun_read_xor_address(const struct ln_stun_message *message, struct ln_bytes value,
                              struct ln_address *ret_address);
/* The same, with a value of the right size. */
bool ln_stun_find_u32(const struct ln_stun_message *message, uint16_t type, uint32_t *ret_value);
bool ln_stun_find_u64(const struct ln_stun_message *message, uint16_t type, uint64_t *ret_value);
bool ln_stun_find_address(const struct ln_stun_message *message, uint16_t type,
                          struct ln_address *ret_address);
bool ln_stun_find_xor_address(const struct ln_stun_message *message, uint16_t type,
                              struct ln_address *ret_address);
/* XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS. */
bool ln_stun_find_mapped(const struct ln_stun_message *message, struct ln_address *ret_address);
/* ERROR-CODE: 300..699, and its phrase (borrowed, not NUL-terminated). */
bool ln_stun_find_error(const struct ln_stun_message *message, uint16_t *ret_code,
                        struct ln_bytes *ret_reason);

/* Whether the message carries an integrity attribute that is right for the key: -SHA256 where there
 * is one, else SHA-1. Compared in constant time. False when it carries none. */
LN_NODISCARD bool ln_stun_check_integrity(const struct ln_stun_message *message,
                                          struct ln_bytes key);

bool ln_stun_id_equal(const struct ln_stun_id *a, const struct ln_stun_id *b);

/* The key of long-term credentials (RFC 8489, 18.5.1.1): MD5(username ":" realm ":" password). */
void ln_stun_long_term_key(struct ln_bytes username, struct ln_bytes realm,
                           struct ln_bytes password, uint8_t ret_key[16]);

/* Writes a message attribute by attribute; padding is always zero. What does not fit makes
 * ln_stun_finish() fail, so that a caller checks once. Order: begin, attributes, integrity (if
 * any), fingerprint (if any), finish. */
struct ln_stun_builder {
    struct ln_writer w;
    struct ln_stun_id id;
};

void ln_stun_begin(struct ln_stun_builder *b, void *data, size_t cap, enum ln_stun_class kind,
                   uint16_t method, const struct ln_stun_id *id);
void ln_stun_add(struct ln_stun_builder *b, uint16_t type, const void *value, size_t len);
void ln_stun_add_text(struct ln_stun_builder *b, uint16_t type, const char *text);
void ln_stun_add_u32(struct ln_stun_builder *b, uint16_t type, uint32_t value);
void ln_stun_add_u64(struct ln_stun_builder *b, uint16_t type, uint64_t value);
void ln_stun_add_address(struct ln_stun_builder *b, uint16_t type,
                         const struct ln_address *address);
void ln_stun_add_xor_address(struct ln_stun_builder *b, uint16_t type,
                             const struct ln_address *address);
/* ERROR-CODE with the standard phrase of the code, or `reason` if not NULL. */
void ln_stun_add_error(struct ln_stun_builder *b, uint16_t code, const char *reason);
void ln_stun_add_unknown(struct ln_stun_builder *b, const uint16_t *types, size_t count);
void ln_stun_add_integrity(struct ln_stun_builder *b, struct ln_bytes key);
void ln_stun_add_integrity_sha256(struct ln_stun_builder *b, struct ln_bytes key);
void ln_stun_add_fingerprint(struct ln_stun_builder *b);
/* The message's length or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_stun_finish(struct ln_stun_builder *b);

/* "Unauthenticated" for 401; "Error" for a code that is not known. */
const char *ln_stun_error_phrase(uint16_t code);

#endif
