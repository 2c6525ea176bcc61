/* SPDX-License-Identifier: Apache-2.0
 * Names of what is transferred: relative paths in UTF-8 with "/" between their parts. Here stands
 * which of them are taken, before any file system is asked. */
#ifndef LN_TRANSFER_NAME_H
#define LN_TRANSFER_NAME_H

#include <linnet/types.h>

#define LN_NAME_BYTES_MAX 4000u /* of a whole name */
#define LN_NAME_PART_MAX  240u  /* of a part: with our ending it still fits 255 */
#define LN_NAME_PARTS_MAX 64u
#define LN_NAME_PART_FILE ".linnet.part" /* what an unfinished file ends in */

/* NULL if the name is taken, else why not: a part of a sentence, "has an empty part". Refused are
 * absolute names, empty parts, "." and "..", what is not UTF-8, control characters (also those that
 * turn the direction of text around), "\", names of devices on some system (CON, NUL, COM1, …, with
 * any ending), our own ending, and what is too long or too deep. */
const char *ln_name_problem(const char *name, size_t len);

/* The name as file systems without case see it: letters (Latin, Greek, Cyrillic) in lower case,
 * dots and blanks at the end of a part left out. folded holds len bytes; returns the length. The
 * name is one that is taken. */
size_t ln_name_fold(const char *name, size_t len, char *folded);

#endif
