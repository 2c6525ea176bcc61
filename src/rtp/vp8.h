/* SPDX-License-Identifier: Apache-2.0
 * VP8 over RTP (RFC 7741): the payload descriptor, cutting a frame into payloads, and what the
 * first bytes of a frame say. Plain functions.
 *
 *    0 1 2 3 4 5 6 7
 *   |X|R|N|S|R| PID |   required
 *   |I|L|T|K|  RSV  |   if X
 *   |M| PictureID   |   if I; 15 bits if M
 *   |   TL0PICIDX   |   if L
 *   |TID|Y| KEYIDX  |   if T or K */
#ifndef LN_RTP_VP8_H
#define LN_RTP_VP8_H

#include <linnet/error.h>
#include <linnet/types.h>

#define LN_VP8_DESCRIPTOR_MAX 6u

/* Absent numbers are -1. */
struct ln_vp8_descriptor {
    bool non_reference, start; /* N, S */
    uint8_t partition;         /* PID, 0..7 */
    int32_t picture_id;        /* 0..127 or 0..32767 */
    bool long_picture_id;      /* M: 15 bits */
    int16_t tl0picidx;         /* 0..255 */
    int8_t temporal_layer;     /* TID 0..3 */
    bool layer_sync;           /* Y */
    int8_t key_index;          /* KEYIDX 0..31 */
};

void ln_vp8_descriptor_init(struct ln_vp8_descriptor *d); /* everything absent */

/* Splits an RTP payload. Returns 0 with the descriptor and what follows it, or LN_ERR_MALFORMED
 * (cut short, or nothing behind it). */
LN_NODISCARD int ln_vp8_parse(const void *payload, size_t len, struct ln_vp8_descriptor *ret,
                              struct ln_bytes *ret_data);
/* Returns the bytes written (at most LN_VP8_DESCRIPTOR_MAX) or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_vp8_write(const struct ln_vp8_descriptor *d, uint8_t *out, size_t cap);

/* Of the first bytes of a frame (RFC 7741, 4.3; RFC 6386, 9.1). */
struct ln_vp8_frame_header {
    bool key;
    uint16_t width, height; /* of a key frame whose ten bytes are there, else 0 */
};
LN_NODISCARD int ln_vp8_frame_header(struct ln_bytes data, struct ln_vp8_frame_header *ret);

/* Cuts a frame into payloads of nearly equal size, each at most `max` bytes. */
struct ln_vp8_packetizer {
    struct ln_vp8_descriptor descriptor;
    struct ln_bytes frame;
    size_t max, at, left; /* left: payloads to go */
};
/* Returns the number of payloads, or LN_ERR_INVALID_ARGUMENT (empty frame, max too small). */
LN_NODISCARD int ln_vp8_packetizer_init(struct ln_vp8_packetizer *p,
                                        const struct ln_vp8_descriptor *descriptor,
                                        struct ln_bytes frame, size_t max);
/* Writes the next payload; returns its length, 0 after the last. cap is at least max. */
size_t ln_vp8_packetizer_next(struct ln_vp8_packetizer *p, uint8_t *out, size_t cap);

#endif
