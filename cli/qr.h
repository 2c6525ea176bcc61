/* SPDX-License-Identifier: Apache-2.0
 * A QR code in the terminal, two dots to a character. */
#ifndef LN_CLI_QR_H
#define LN_CLI_QR_H

#include <stdio.h>

/* Dark on light whatever the terminal's colours, with the border that readers need. Returns 0, or
 * -1: the text is too long. */
int qr_write(const char *text, FILE *out);

#endif
