/* SPDX-License-Identifier: Apache-2.0
 * The part of DNS messages that mDNS host names need (RFC 1035, 4; RFC 6762, 18): questions and
 * address records, read with compressed names and written without.
 *
 * Names are text: labels joined by dots, no dot at the end ("x-1.local"), compared without case. */
#ifndef LN_MDNS_MESSAGE_H
#define LN_MDNS_MESSAGE_H

#include "base/bytes.h"

#include <linnet/address.h>

#define LN_DNS_NAME_MAX    255u /* RFC 1035, 2.3.4 */
#define LN_DNS_LABEL_MAX   63u
#define LN_DNS_MESSAGE_MAX 9000u /* RFC 6762, 17 */
#define LN_DNS_RECORDS_MAX 256u  /* of one message that are looked at */

enum ln_dns_type { LN_DNS_A = 1, LN_DNS_AAAA = 28, LN_DNS_NSEC = 47, LN_DNS_ANY = 255 };
#define LN_DNS_CLASS_IN 1u
#define LN_DNS_CLASS_TOP_BIT                                                                       \
    0x8000u /* question: unicast answer wished; record: flush the cache                            \
             */
#define LN_DNS_CLASS_ANY     255u
#define LN_DNS_FLAG_RESPONSE 0x8000u
#define LN_DNS_FLAG_AA       0x0400u

/* One question, or one record of the answer, authority or additional section. */
struct ln_dns_item {
    bool question;
    char name[LN_DNS_NAME_MAX + 1];
    uint16_t type;
    uint16_t klass; /* without the top bit */
    bool top_bit;
    uint32_t ttl; /* seconds; 0 for a question */
    struct ln_bytes data;
    struct ln_address address; /* of A and AAAA records; else family NONE */
};

struct ln_dns_message {
    struct ln_reader r;
    uint16_t id, flags;
    uint32_t questions, records; /* not yet read */
    uint32_t seen;
};

/* Reads the header. Returns 0 or LN_ERR_MALFORMED (too short or too long). */
LN_NODISCARD int ln_dns_parse(const void *data, size_t len, struct ln_dns_message *ret_message);
/* The next question or record: 1, 0 at the end, LN_ERR_MALFORMED. */
LN_NODISCARD int ln_dns_next(struct ln_dns_message *message, struct ln_dns_item *ret_item);

/* Whether text is a name that can be asked for: labels of 1..63 bytes, 255 in all. */
bool ln_dns_name_valid(const char *name);
/* Whether it is a single label under ".local" (draft-ietf-mmusic-mdns-ice-candidates, 3.1). */
bool ln_dns_name_is_local(const char *name);
bool ln_dns_name_equal(const char *a, const char *b);

/* Builders, into a writer: header first, then as many items as it announces. */
void ln_dns_write_header(struct ln_writer *w, uint16_t id, uint16_t flags, uint16_t questions,
                         uint16_t answers, uint16_t additionals);
void ln_dns_write_question(struct ln_writer *w, const char *name, uint16_t type, bool unicast);
/* An A or AAAA record by the address's family. */
void ln_dns_write_address(struct ln_writer *w, const char *name, bool flush, uint32_t ttl,
                          const struct ln_address *address);
/* That the name has this address record and no other (RFC 6762, 6.1): whoever asks for the other
 * family need not wait. */
void ln_dns_write_no_other(struct ln_writer *w, const char *name, uint32_t ttl,
                           enum ln_dns_type only);

#endif
