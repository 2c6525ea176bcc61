/* SPDX-License-Identifier: Apache-2.0
 * The test picture: moving parts and a clock for people, a code of big black and white blocks for
 * programs (frame number, time, check bits), and a band that flashes white once a second.
 *
 * The code survives VP8 at low rates and scaling. Its geometry is given in fractions of width and
 * height and written down in docs/test-picture.md; web/test-picture.js draws and reads the same. */
#ifndef LN_MEDIA_FRAME_TEST_PICTURE_H
#define LN_MEDIA_FRAME_TEST_PICTURE_H

#include "base/frame.h"

#define LN_TEST_PICTURE_SIDE_MIN    64u  /* smaller pictures carry no code */
#define LN_TEST_PICTURE_FLASH_MS    100u /* the band is white for the first 100 ms of a second */
#define LN_TEST_PICTURE_TIME_MAX_MS ((UINT64_C(1) << 48) - 1)

struct ln_test_picture {
    uint32_t number;  /* of the frame */
    uint64_t time_ms; /* of the capture, 48 bits; on whatever clock the two ends share */
    bool flash;
};

/* Whether a picture of this time shows the flash: the first 100 ms of each second. */
bool ln_test_picture_flash_at(uint64_t time_ms);

/* Draws to a picture that is not yet handed on. Pictures with a side under
 * LN_TEST_PICTURE_SIDE_MIN get no code. */
void ln_test_picture_draw(struct ln_picture *picture, const struct ln_test_picture *what);

/* Reads the code, in any size the picture was scaled to. Returns 0, or LN_ERR_INTEGRITY when there
 * is no code, or it cannot be read for sure. Rotation is not undone. */
LN_NODISCARD int ln_test_picture_read(const struct ln_picture *picture,
                                      struct ln_test_picture *ret_what);

#endif
