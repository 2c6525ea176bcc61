/* SPDX-License-Identifier: Apache-2.0
 * Counts what OpenSSL allocates, in test binaries that link openssl_memory.c. */
#ifndef LN_TEST_OPENSSL_MEMORY_H
#define LN_TEST_OPENSSL_MEMORY_H

#include <stddef.h>

size_t openssl_memory_live(void); /* bytes in use now */
size_t openssl_memory_peak(void); /* most since openssl_memory_reset_peak() */
void openssl_memory_reset_peak(void);

#endif
