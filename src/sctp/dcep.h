/* SPDX-License-Identifier: Apache-2.0
 * The messages of the Data Channel Establishment Protocol (RFC 8832, 5). */
#ifndef LN_SCTP_DCEP_H
#define LN_SCTP_DCEP_H

#include <linnet/types.h>

/* Payload protocol identifiers (RFC 8831, 8). */
enum ln_ppid {
    LN_PPID_DCEP = 50,
    LN_PPID_STRING = 51,
    LN_PPID_BINARY = 53,
    LN_PPID_STRING_EMPTY = 56,
    LN_PPID_BINARY_EMPTY = 57,
};

enum ln_dcep_type { LN_DCEP_ACK = 2, LN_DCEP_OPEN = 3 };

#define LN_DCEP_OPEN_HEAD_BYTES 12u

struct ln_dcep_open {
    bool unordered;
    int32_t max_lifetime_ms, max_retransmits; /* -1: no limit; not both */
    uint16_t priority;
    struct ln_bytes label, protocol;
};

/* Returns 0, or LN_ERR_MALFORMED (lengths, channel type, UTF-8). Texts are borrowed from data. */
LN_NODISCARD int ln_dcep_open_read(const uint8_t *data, size_t len, struct ln_dcep_open *ret_open);
/* Returns the bytes written, or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_dcep_open_write(const struct ln_dcep_open *open, uint8_t *out, size_t cap);

#endif
