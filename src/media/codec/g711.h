/* SPDX-License-Identifier: Apache-2.0
 * The two laws of G.711: one sample to one byte and back. */
#ifndef LN_MEDIA_CODEC_G711_H
#define LN_MEDIA_CODEC_G711_H

#include <stdint.h>

/* 16-bit samples; the laws use the upper 14 bits (mu) or 13 bits (A). */
uint8_t ln_g711_ulaw_encode(int16_t sample);
int16_t ln_g711_ulaw_decode(uint8_t code);
uint8_t ln_g711_alaw_encode(int16_t sample);
int16_t ln_g711_alaw_decode(uint8_t code);

#endif
