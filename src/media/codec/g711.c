/* SPDX-License-Identifier: Apache-2.0
 * G.711 mu-law and A-law, each a sign, an exponent of 3 bits and a mantissa of 4:
 *
 *   mu: |x| = ((2 m + 33) 2^e - 33) * 4     all bits inverted on the wire
 *   A:  |x| = (2 m + 1) * 8 for e = 0, (2 m + 33) 2^(e - 1) * 8 else; even bits inverted
 *
 * A value goes to the interval that it falls in, not to the nearest output (G.711, table 1 and 2).
 */
#include "media/codec/g711.h"

#define ULAW_BIAS (33 * 4)
#define ULAW_CLIP (32767 - ULAW_BIAS)

/* The position of the highest set bit above `low`, at most 7. */
static int exponent_of(int magnitude, int low)
{
    int e = 0;

    while (e < 7 && magnitude >> (low + 1 + e))
        e++;
    return e;
}

uint8_t ln_g711_ulaw_encode(int16_t sample)
{
    int sign = sample < 0 ? 0x80 : 0;
    /* The complement rather than the negative: the two signs' intervals mirror each other. */
    int magnitude = sample < 0 ? ~sample : sample, e;

    if (magnitude > ULAW_CLIP)
        magnitude = ULAW_CLIP;
    magnitude += ULAW_BIAS;
    e = exponent_of(magnitude, 7);
    return (uint8_t) ~(sign | e << 4 | (magnitude >> (e + 3) & 15));
}

int16_t ln_g711_ulaw_decode(uint8_t code)
{
    int bits = ~code & 0xff, magnitude;

    magnitude = ((((bits & 15) * 2 + 33) << (bits >> 4 & 7)) - 33) * 4;
    return (int16_t)(bits & 0x80 ? -magnitude : magnitude);
}

uint8_t ln_g711_alaw_encode(int16_t sample)
{
    int sign = sample < 0 ? 0 : 0x80;
    int magnitude = sample < 0 ? ~sample : sample;
    int e = exponent_of(magnitude, 7);

    return (uint8_t)((sign | e << 4 | (magnitude >> (e ? e + 3 : 4) & 15)) ^ 0x55);
}

int16_t ln_g711_alaw_decode(uint8_t code)
{
    int bits = code ^ 0x55, e = bits >> 4 & 7, m = bits & 15, magnitude;

    magnitude = e == 0 ? (2 * m + 1) * 8 : ((2 * m + 33) << (e - 1)) * 8;
    return (int16_t)(bits & 0x80 ? magnitude : -magnitude);
}
