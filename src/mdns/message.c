/* SPDX-License-Identifier: Apache-2.0
 * Reading and writing the DNS messages of mDNS (RFC 1035, 4; RFC 6762, 18).
 *
 *   | id | flags | questions | answers | authorities | additionals |      six times 16 bits
 *   question: name, type, class        record: name, type, class, ttl (32), length (16), data
 *
 * A compressed name may only point backwards, so that a walk ends; its length is capped besides. */
#include "mdns/message.h"

#include <linnet/error.h>

#include <string.h>
#include <strings.h>

#define POINTER_BITS 0xc0u /* RFC 1035, 4.1.4 */
#define POINTERS_MAX 16
#define HEADER_LEN   12u

int ln_dns_parse(const void *data, size_t len, struct ln_dns_message *ret_message)
{
    struct ln_dns_message m = { .questions = 0 };

    if (len < HEADER_LEN || len > LN_DNS_MESSAGE_MAX)
        return LN_ERR_MALFORMED;
    ln_reader_init(&m.r, data, len);
    m.id = ln_read16(&m.r);
    m.flags = ln_read16(&m.r);
    m.questions = ln_read16(&m.r);
    m.records = ln_read16(&m.r);
    m.records += ln_read16(&m.r);
    m.records += ln_read16(&m.r);
    *ret_message = m;
    return 0;
}

/* Appends one label and, before it, a dot. A label with a dot or a control character in it cannot
 * be told apart as text: it ends the message. */
static bool append_label(char *name, size_t *at, struct ln_bytes label)
{
    size_t i;

    if (*at + label.len + 1 > LN_DNS_NAME_MAX)
        return false;
    for (i = 0; i < label.len; i++)
        if (label.data[i] == '.' || label.data[i] < 0x20 || label.data[i] == 0x7f)
            return false;
    if (*at > 0)
        name[(*at)++] = '.';
    memcpy(name + *at, label.data, label.len);
    *at += label.len;
    return true;
}

static bool read_name(struct ln_reader *r, char *name)
{
    struct ln_reader walk = *r;
    size_t at = 0, lowest = r->at;
    int pointers = 0;

    for (;;) {
        uint8_t length = ln_read8(&walk);

        if (!walk.ok)
            return false;
        if ((length & POINTER_BITS) == POINTER_BITS) {
            size_t target = ((size_t)(length & ~POINTER_BITS) << 8) | ln_read8(&walk);

            if (!walk.ok || target >= lowest || ++pointers > POINTERS_MAX)
                return false;
            if (pointers == 1)
                r->at = walk.at;
            lowest = target;
            walk.at = target;
        } else if (length & POINTER_BITS) {
            return false;
        } else if (length == 0) {
            break;
        } else {
            struct ln_bytes label = ln_read_bytes(&walk, length);

            if (!walk.ok || !append_label(name, &at, label))
                return false;
        }
    }
    if (pointers == 0)
        r->at = walk.at;
    name[at] = '\0';
    return true;
}

static void read_address(struct ln_dns_item *item)
{
    if (item->type == LN_DNS_A && item->data.len == 4) {
        item->address.family = LN_FAMILY_IPV4;
        memcpy(item->address.ip, item->data.data, 4);
    } else if (item->type == LN_DNS_AAAA && item->data.len == 16) {
        item->address.family = LN_FAMILY_IPV6;
        memcpy(item->address.ip, item->data.data, 16);
    }
}

int ln_dns_next(struct ln_dns_message *message, struct ln_dns_item *ret_item)
{
    struct ln_reader *r = &message->r;
    struct ln_dns_item item;

    if (message->questions + message->records == 0 || message->seen >= LN_DNS_RECORDS_MAX)
        return 0;
    memset(&item, 0, sizeof item);
    message->seen++;
    if (!read_name(r, item.name))
        return LN_ERR_MALFORMED;
    item.type = ln_read16(r);
    item.klass = ln_read16(r);
    item.top_bit = (item.klass & LN_DNS_CLASS_TOP_BIT) != 0;
    item.klass = (uint16_t)(item.klass & ~LN_DNS_CLASS_TOP_BIT);
    item.question = message->questions > 0;
    if (item.question) {
        message->questions--;
    } else {
        message->records--;
        item.ttl = ln_read32(r);
        item.data = ln_read_bytes(r, ln_read16(r));
        read_address(&item);
    }
    if (!r->ok)
        return LN_ERR_MALFORMED;
    *ret_item = item;
    return 1;
}

bool ln_dns_name_valid(const char *name)
{
    size_t label = 0, total = 0;

    for (; *name; name++, total++) {
        if (*name == '.' ? label == 0 : (unsigned char)*name <= 0x20 || *name == 0x7f)
            return false;
        label = *name == '.' ? 0 : label + 1;
        if (label > LN_DNS_LABEL_MAX)
            return false;
    }
    return label > 0 && total + 2 <= LN_DNS_NAME_MAX;
}

bool ln_dns_name_is_local(const char *name)
{
    const char *dot = strchr(name, '.');

    return ln_dns_name_valid(name) && dot && strcasecmp(dot, ".local") == 0;
}

bool ln_dns_name_equal(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0; /* ASCII only (RFC 6762, 16) */
}

static void write_name(struct ln_writer *w, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");

        ln_write8(w, (uint8_t)len);
        ln_write_bytes(w, name, len);
        name += len + (name[len] == '.');
    }
    ln_write8(w, 0);
}

void ln_dns_write_header(struct ln_writer *w, uint16_t id, uint16_t flags, uint16_t questions,
                         uint16_t answers, uint16_t additionals)
{
    ln_write16(w, id);
    ln_write16(w, flags);
    ln_write16(w, questions);
    ln_write16(w, answers);
    ln_write16(w, 0);
    ln_write16(w, additionals);
}

void ln_dns_write_question(struct ln_writer *w, const char *name, uint16_t type, bool unicast)
{
    write_name(w, name);
    ln_write16(w, type);
    ln_write16(w, (uint16_t)(LN_DNS_CLASS_IN | (unicast ? LN_DNS_CLASS_TOP_BIT : 0)));
}

void ln_dns_write_address(struct ln_writer *w, const char *name, bool flush, uint32_t ttl,
                          const struct ln_address *address)
{
    bool ipv4 = address->family == LN_FAMILY_IPV4;

    write_name(w, name);
    ln_write16(w, ipv4 ? LN_DNS_A : LN_DNS_AAAA);
    ln_write16(w, (uint16_t)(LN_DNS_CLASS_IN | (flush ? LN_DNS_CLASS_TOP_BIT : 0)));
    ln_write32(w, ttl);
    ln_write16(w, ipv4 ? 4 : 16);
    ln_write_bytes(w, address->ip, ipv4 ? 4 : 16);
}

/* RFC 4034, 4.1: the next name (here the same), then one window of the bitmap of types. */
void ln_dns_write_no_other(struct ln_writer *w, const char *name, uint32_t ttl,
                           enum ln_dns_type only)
{
    uint8_t bitmap[LN_DNS_AAAA / 8 + 1] = { 0 };
    size_t bytes = (size_t)only / 8 + 1;

    bitmap[only / 8] = (uint8_t)(0x80u >> only % 8);
    write_name(w, name);
    ln_write16(w, LN_DNS_NSEC);
    ln_write16(w, LN_DNS_CLASS_IN | LN_DNS_CLASS_TOP_BIT);
    ln_write32(w, ttl);
    ln_write16(w, (uint16_t)(strlen(name) + 2 + 2 + bytes));
    write_name(w, name);
    ln_write8(w, 0);
    ln_write8(w, (uint8_t)bytes);
    ln_write_bytes(w, bitmap, bytes);
}
