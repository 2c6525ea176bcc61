/* SPDX-License-Identifier: Apache-2.0
 * libqrencode makes the dots; here they become half blocks. */
#include "cli/qr.h"

#include <qrencode.h>
#include <stdbool.h>

/* The standard asks for four; readers are content with two, and terminals are small. */
#define BORDER 2

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1);
}

int qr_write(const char *text, FILE *out)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

    if (!code)
        return -1;
    for (int y = -BORDER; y < code->width + BORDER; y += 2) {
        fputs("\x1b[30;47m", out);
        for (int x = -BORDER; x < code->width + BORDER; x++) {
            bool upper = is_dark(code, x, y), lower = is_dark(code, x, y + 1);

            fputs(upper ? (lower ? "\u2588" : "\u2580") : (lower ? "\u2584" : " "), out);
        }
        fputs("\x1b[0m\n", out);
    }
    QRcode_free(code);
    return 0;
}
