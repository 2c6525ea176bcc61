/* SPDX-License-Identifier: Apache-2.0
 * Reading STUN messages (RFC 8489, 5, 6.3, 14).
 *
 * ln_stun_parse() walks all attributes once and notes where the integrity attributes and the
 * fingerprint stand; every later look-up walks the readable part again: a check has eight
 * attributes, an index would cost more than it saves. */
#include "stun/message.h"

#include "crypto/hash.h"

#include <linnet/error.h>

#include <string.h>

#define ATTRIBUTE_HEADER_LEN 4u
#define FINGERPRINT_XOR      0x5354554eu /* RFC 8489, 14.7 */
#define ADDRESS_IPV4         1u          /* RFC 8489, 14.1 */
#define ADDRESS_IPV6         2u

bool ln_stun_is_message(const void *data, size_t len)
{
    const uint8_t *p = data;

    return len >= LN_STUN_HEADER_LEN && (p[0] & 0xc0) == 0 && ln_load32(p + 4) == LN_STUN_COOKIE;
}

bool ln_stun_id_equal(const struct ln_stun_id *a, const struct ln_stun_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool known(uint16_t type)
{
    switch (type) {
    case LN_STUN_MAPPED_ADDRESS:
    case LN_STUN_USERNAME:
    case LN_STUN_MESSAGE_INTEGRITY:
    case LN_STUN_ERROR_CODE:
    case LN_STUN_UNKNOWN_ATTRIBUTES:
    case LN_STUN_CHANNEL_NUMBER:
    case LN_STUN_LIFETIME:
    case LN_STUN_XOR_PEER_ADDRESS:
    case LN_STUN_DATA_VALUE:
    case LN_STUN_REALM:
    case LN_STUN_NONCE:
    case LN_STUN_XOR_RELAYED_ADDRESS:
    case LN_STUN_REQUESTED_ADDRESS_FAMILY:
    case LN_STUN_EVEN_PORT:
    case LN_STUN_REQUESTED_TRANSPORT:
    case LN_STUN_DONT_FRAGMENT:
    case LN_STUN_ACCESS_TOKEN:
    case LN_STUN_MESSAGE_INTEGRITY_SHA256:
    case LN_STUN_PASSWORD_ALGORITHM:
    case LN_STUN_USERHASH:
    case LN_STUN_XOR_MAPPED_ADDRESS:
    case LN_STUN_RESERVATION_TOKEN:
    case LN_STUN_PRIORITY:
    case LN_STUN_USE_CANDIDATE:
    case LN_STUN_CONNECTION_ID:
        return true;
    default:
        return type >= 0x8000;
    }
}

static void note_unknown(struct ln_stun_message *m, uint16_t type)
{
    if (!known(type) && m->unknown_count < LN_STUN_UNKNOWN_MAX)
        m->unknown[m->unknown_count++] = type;
}

/* One attribute of the walk. False when it makes the message malformed. */
static bool note_attribute(struct ln_stun_message *m, uint16_t type, size_t at,
                           struct ln_bytes value, bool last)
{
    bool covered = !m->integrity && !m->integrity256;

    switch (type) {
    case LN_STUN_FINGERPRINT:
        if (!last || value.len != 4)
            return false;
        m->fingerprint = at;
        return (ln_crc32(0, m->data, at) ^ FINGERPRINT_XOR) == ln_load32(value.data);
    case LN_STUN_MESSAGE_INTEGRITY:
        if (value.len != LN_SHA1_LEN)
            return false;
        if (covered)
            m->integrity = at;
        return true;
    case LN_STUN_MESSAGE_INTEGRITY_SHA256:
        if (value.len < 16 || value.len > LN_SHA256_LEN || value.len % 4 != 0)
            return false;
        if (!m->integrity256)
            m->integrity256 = at;
        return true;
    default:
        if (covered)
            note_unknown(m, type);
        return true;
    }
}

int ln_stun_parse(const void *data, size_t len, struct ln_stun_message *ret_message)
{
    struct ln_stun_message m = { .data = data, .len = len };
    struct ln_reader r;
    uint16_t type, length;

    if (!ln_stun_is_message(data, len))
        return LN_ERR_MALFORMED;
    ln_reader_init(&r, data, len);
    type = ln_read16(&r);
    length = ln_read16(&r);
    if (length % 4 != 0 || length != len - LN_STUN_HEADER_LEN)
        return LN_ERR_MALFORMED;
    m.kind = (uint8_t)(((type >> 7) & 2) | ((type >> 4) & 1));
    m.method = (uint16_t)((type & 0x0f) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80));
    ln_read_skip(&r, 4);
    memcpy(m.id.bytes, ln_read_bytes(&r, LN_STUN_ID_LEN).data, LN_STUN_ID_LEN);
    while (ln_reader_left(&r) > 0) {
        size_t at = r.at;
        uint16_t attribute = ln_read16(&r);
        struct ln_bytes value = ln_read_bytes(&r, ln_read16(&r));

        ln_read_align(&r, 4);
        if (!r.ok || !note_attribute(&m, attribute, at, value, ln_reader_left(&r) == 0))
            return LN_ERR_MALFORMED;
    }
    if (m.integrity)
        m.readable = m.integrity;
    else if (m.integrity256)
        m.readable = m.integrity256;
    else
        m.readable = m.fingerprint ? m.fingerprint : len;
    *ret_message = m;
    return 0;
}

bool ln_stun_find(const struct ln_stun_message *message, uint16_t type, struct ln_bytes *ret_value)
{
    size_t at = 0;

    return ln_stun_find_next(message, type, &at, ret_value);
}

bool ln_stun_find_next(const struct ln_stun_message *message, uint16_t type, size_t *at,
                       struct ln_bytes *ret_value)
{
    struct ln_reader r;

    ln_reader_init(&r, message->data, message->readable);
    ln_read_skip(&r, *at > 0 ? *at : LN_STUN_HEADER_LEN);
    while (ln_reader_left(&r) > 0 && r.ok) {
        uint16_t attribute = ln_read16(&r);
        struct ln_bytes value = ln_read_bytes(&r, ln_read16(&r));

        ln_read_align(&r, 4);
        if (attribute == type && r.ok) {
            *ret_value = value;
            *at = r.at;
            return true;
        }
    }
    return false;
}

bool ln_stun_find_u32(const struct ln_stun_message *message, uint16_t type, uint32_t *ret_value)
{
    struct ln_bytes value;

    if (!ln_stun_find(message, type, &value) || value.len != 4)
        return false;
    *ret_value = ln_load32(value.data);
    return true;
}

bool ln_stun_find_u64(const struct ln_stun_message *message, uint16_t type, uint64_t *ret_value)
{
    struct ln_bytes value;

    if (!ln_stun_find(message, type, &value) || value.len != 8)
        return false;
    *ret_value = ln_load64(value.data);
    return true;
}

/*   |  0  |  family  |  port (16)  |  address (32 or 128)  |   RFC 8489, 14.1 */
static bool read_address(struct ln_bytes value, struct ln_address *ret_address)
{
    struct ln_address address = { 0 };

    if (value.len < 8)
        return false;
    address.port = ln_load16(value.data + 2);
    if (value.data[1] == ADDRESS_IPV4 && value.len == 8) {
        address.family = LN_FAMILY_IPV4;
        memcpy(address.ip, value.data + 4, 4);
    } else if (value.data[1] == ADDRESS_IPV6 && value.len == 20) {
        address.family = LN_FAMILY_IPV6;
        memcpy(address.ip, value.data + 4, 16);
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}

bool ln_stun_find_address(const struct ln_stun_message *message, uint16_t type,
                          struct ln_address *ret_address)
{
    struct ln_bytes value;

    return ln_stun_find(message, type, &value) && read_address(value, ret_address);
}

/* XORs port and address with the cookie, for IPv6 with cookie and transaction id (14.2). */
static void xor_address(struct ln_address *address, const struct ln_stun_id *id)
{
    uint8_t mask[16];
    size_t i, len = address->family == LN_FAMILY_IPV4 ? 4 : 16;

    ln_store32(mask, LN_STUN_COOKIE);
    memcpy(mask + 4, id->bytes, LN_STUN_ID_LEN);
    address->port = (uint16_t)(address->port ^ (LN_STUN_COOKIE >> 16));
    for (i = 0; i < len; i++)
        address->ip[i] ^= mask[i];
}

bool ln_stun_read_xor_address(const struct ln_stun_message *message, struct ln_bytes value,
                              struct ln_address *ret_address)
{
    struct ln_address address;

    if (!read_address(value, &address))
        return false;
    xor_address(&address, &message->id);
    *ret_address = address;
    return true;
}

bool ln_stun_find_xor_address(const struct ln_stun_message *message, uint16_t type,
                              struct ln_address *ret_address)
{
    struct ln_bytes value;

    return ln_stun_find(message, type, &value) &&
           ln_stun_read_xor_address(message, value, ret_address);
}

bool ln_stun_find_mapped(const struct ln_stun_message *message, struct ln_address *ret_address)
{
    return ln_stun_find_xor_address(message, LN_STUN_XOR_MAPPED_ADDRESS, ret_address) ||
           ln_stun_find_address(message, LN_STUN_MAPPED_ADDRESS, ret_address);
}

/*   |  0 (21)  | class (3) | number (8) |  phrase ...   |   RFC 8489, 14.8 */
bool ln_stun_find_error(const struct ln_stun_message *message, uint16_t *ret_code,
                        struct ln_bytes *ret_reason)
{
    struct ln_bytes value;
    uint8_t hundreds, number;

    if (!ln_stun_find(message, LN_STUN_ERROR_CODE, &value) || value.len < 4)
        return false;
    hundreds = value.data[2] & 7;
    number = value.data[3];
    if (hundreds < 3 || hundreds > 6 || number > 99)
        return false;
    *ret_code = (uint16_t)(hundreds * 100 + number);
    *ret_reason = (struct ln_bytes){ value.data + 4, value.len - 4 };
    return true;
}

/* The HMAC covers everything before the attribute at `at`, with the length in the header as if the
 * message ended behind that attribute (14.5). */
static void message_mac(const uint8_t *data, size_t at, enum ln_hash hash, size_t mac_len,
                        struct ln_bytes key, uint8_t *mac)
{
    uint8_t length[2];
    struct ln_bytes pieces[3] = { { data, 2 }, { length, 2 }, { data + 4, at - 4 } };

    ln_store16(length, (uint16_t)(at + ATTRIBUTE_HEADER_LEN + mac_len - LN_STUN_HEADER_LEN));
    ln_hmac_once(hash, key.data, key.len, pieces, 3, mac);
}

bool ln_stun_check_integrity(const struct ln_stun_message *message, struct ln_bytes key)
{
    bool strong = message->integrity256 != 0;
    size_t at = strong ? message->integrity256 : message->integrity;
    uint8_t mac[LN_HASH_MAX];
    size_t len;

    if (at == 0)
        return false;
    len = ln_load16(message->data + at + 2);
    message_mac(message->data, at, strong ? LN_HASH_SHA256 : LN_HASH_SHA1, len, key, mac);
    return ln_equal_constant_time(mac, message->data + at + ATTRIBUTE_HEADER_LEN, len);
}

void ln_stun_long_term_key(struct ln_bytes username, struct ln_bytes realm,
                           struct ln_bytes password, uint8_t ret_key[16])
{
    static const uint8_t colon[1] = { ':' };
    struct ln_bytes pieces[5] = { username, { colon, 1 }, realm, { colon, 1 }, password };

    ln_hash_pieces(LN_HASH_MD5, pieces, 5, ret_key);
}

void ln_stun_begin(struct ln_stun_builder *b, void *data, size_t cap, enum ln_stun_class kind,
                   uint16_t method, const struct ln_stun_id *id)
{
    unsigned type = (method & 0x0fu) | ((method & 0x70u) << 1) | ((method & 0xf80u) << 2) |
                    (((unsigned)kind & 1u) << 4) | (((unsigned)kind & 2u) << 7);

    ln_writer_init(&b->w, data, cap < UINT16_MAX ? cap : UINT16_MAX);
    b->id = *id;
    ln_write16(&b->w, (uint16_t)type);
    ln_write16(&b->w, 0);
    ln_write32(&b->w, LN_STUN_COOKIE);
    ln_write_bytes(&b->w, id->bytes, LN_STUN_ID_LEN);
}

/* An attribute's header and room for its value; NULL when it does not fit. */
static uint8_t *reserve(struct ln_stun_builder *b, uint16_t type, size_t len)
{
    uint8_t *value;

    if (len > UINT16_MAX) {
        b->w.ok = false;
        return NULL;
    }
    ln_write16(&b->w, type);
    ln_write16(&b->w, (uint16_t)len);
    value = ln_write_reserve(&b->w, len);
    ln_write_align(&b->w, 4);
    return b->w.ok ? value : NULL;
}

void ln_stun_add(struct ln_stun_builder *b, uint16_t type, const void *value, size_t len)
{
    uint8_t *to = reserve(b, type, len);

    if (to && len > 0)
        memcpy(to, value, len);
}

void ln_stun_add_text(struct ln_stun_builder *b, uint16_t type, const char *text)
{
    ln_stun_add(b, type, text, strlen(text));
}

void ln_stun_add_u32(struct ln_stun_builder *b, uint16_t type, uint32_t value)
{
    uint8_t bytes[4];

    ln_store32(bytes, value);
    ln_stun_add(b, type, bytes, sizeof bytes);
}

void ln_stun_add_u64(struct ln_stun_builder *b, uint16_t type, uint64_t value)
{
    uint8_t bytes[8];

    ln_store64(bytes, value);
    ln_stun_add(b, type, bytes, sizeof bytes);
}

void ln_stun_add_address(struct ln_stun_builder *b, uint16_t type, const struct ln_address *address)
{
    bool ipv4 = address->family == LN_FAMILY_IPV4;
    size_t len = ipv4 ? 4 : 16;
    uint8_t *value = reserve(b, type, 4 + len);

    if (!value)
        return;
    value[0] = 0;
    value[1] = ipv4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    ln_store16(value + 2, address->port);
    memcpy(value + 4, address->ip, len);
}

void ln_stun_add_xor_address(struct ln_stun_builder *b, uint16_t type,
                             const struct ln_address *address)
{
    struct ln_address masked = *address;

    xor_address(&masked, &b->id);
    ln_stun_add_address(b, type, &masked);
}

void ln_stun_add_error(struct ln_stun_builder *b, uint16_t code, const char *reason)
{
    const char *phrase = reason ? reason : ln_stun_error_phrase(code);
    size_t len = strlen(phrase);
    uint8_t *value;

    len = len < LN_STUN_REASON_MAX ? len : LN_STUN_REASON_MAX;
    value = reserve(b, LN_STUN_ERROR_CODE, 4 + len);
    if (!value)
        return;
    ln_store16(value, 0);
    value[2] = (uint8_t)(code / 100);
    value[3] = (uint8_t)(code % 100);
    memcpy(value + 4, phrase, len);
}

void ln_stun_add_unknown(struct ln_stun_builder *b, const uint16_t *types, size_t count)
{
    uint8_t *value = reserve(b, LN_STUN_UNKNOWN_ATTRIBUTES, 2 * count);
    size_t i;

    for (i = 0; value && i < count; i++)
        ln_store16(value + 2 * i, types[i]);
}

/* The header's length field as if the message ended where the writer stands. */
static void write_length(struct ln_stun_builder *b)
{
    if (b->w.ok)
        ln_write16_at(&b->w, 2, (uint16_t)(b->w.len - LN_STUN_HEADER_LEN));
}

static void add_mac(struct ln_stun_builder *b, uint16_t type, enum ln_hash hash, size_t len,
                    struct ln_bytes key)
{
    size_t at = b->w.len;
    uint8_t *value = reserve(b, type, len);

    if (value)
        message_mac(b->w.data, at, hash, len, key, value);
}

void ln_stun_add_integrity(struct ln_stun_builder *b, struct ln_bytes key)
{
    add_mac(b, LN_STUN_MESSAGE_INTEGRITY, LN_HASH_SHA1, LN_SHA1_LEN, key);
}

void ln_stun_add_integrity_sha256(struct ln_stun_builder *b, struct ln_bytes key)
{
    add_mac(b, LN_STUN_MESSAGE_INTEGRITY_SHA256, LN_HASH_SHA256, LN_SHA256_LEN, key);
}

void ln_stun_add_fingerprint(struct ln_stun_builder *b)
{
    size_t at = b->w.len;
    uint8_t *value = reserve(b, LN_STUN_FINGERPRINT, 4);

    if (!value)
        return;
    write_length(b);
    ln_store32(value, ln_crc32(0, b->w.data, at) ^ FINGERPRINT_XOR);
}

int ln_stun_finish(struct ln_stun_builder *b)
{
    if (!b->w.ok)
        return LN_ERR_NO_SPACE;
    write_length(b);
    return (int)b->w.len;
}

const char *ln_stun_error_phrase(uint16_t code)
{
    static const struct {
        uint16_t code;
        const char *phrase;
    } table[] = {
        { 300, "Try Alternate" },
        { 400, "Bad Request" },
        { 401, "Unauthenticated" },
        { 403, "Forbidden" },
        { 405, "Mobility Forbidden" },
        { 420, "Unknown Attribute" },
        { 437, "Allocation Mismatch" },
        { 438, "Stale Nonce" },
        { 440, "Address Family not Supported" },
        { 441, "Wrong Credentials" },
        { 442, "Unsupported Transport Protocol" },
        { 443, "Peer Address Family Mismatch" },
        { 446, "Connection Already Exists" },
        { 447, "Connection Timeout or Failure" },
        { 486, "Allocation Quota Reached" },
        { 487, "Role Conflict" },
        { 500, "Server Error" },
        { 508, "Insufficient Capacity" },
    };
    size_t i;

    for (i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].phrase;
    return "Error";
}
