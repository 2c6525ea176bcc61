/* SPDX-License-Identifier: Apache-2.0
 * CRC32c (Castagnoli), SCTP's checksum (RFC 9260, 6.8 and appendix A). */
#ifndef LN_SCTP_CRC32C_H
#define LN_SCTP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Pass 0 to begin, the last value to go on. On the wire it stands with its low byte first. */
uint32_t ln_crc32c(uint32_t crc, const void *data, size_t len);
/* The same by table on any machine. */
uint32_t ln_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
