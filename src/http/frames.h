/* SPDX-License-Identifier: Apache-2.0
 * WebSocket frames (RFC 6455, 5), the server's side: client frames to messages, messages to frames.
 *
 *    0                   1                   2                   3
 *   |F|R R R| opcode |M|  length   | 16 or 64 bits of length if 126 or 127 |
 *   |                  mask, 4 bytes                    | payload ...
 *
 * Memory grows with what has come, never with what is announced. */
#ifndef LN_HTTP_FRAMES_H
#define LN_HTTP_FRAMES_H

#include <linnet/env.h>

#define WEBSOCKET_CONTROL_MAX   125u
#define WEBSOCKET_FRAGMENTS_MAX 1024u /* of one message */
#define WEBSOCKET_HEADER_MAX    10u

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

enum { /* RFC 6455, 7.4.1 */
       WEBSOCKET_NORMAL = 1000,
       WEBSOCKET_GOING_AWAY = 1001,
       WEBSOCKET_PROTOCOL_ERROR = 1002,
       WEBSOCKET_UNSUPPORTED = 1003,
       WEBSOCKET_NO_CODE = 1005,
       WEBSOCKET_ABNORMAL = 1006,
       WEBSOCKET_BAD_TEXT = 1007,
       WEBSOCKET_POLICY = 1008,
       WEBSOCKET_TOO_BIG = 1009,
       WEBSOCKET_TRY_LATER = 1013,
};

struct websocket_decoder {
    struct ln_allocator *allocator;
    size_t message_max;
    uint8_t header[14]; /* of the frame being read */
    size_t header_len, header_need;
    uint64_t frame_len, frame_at;
    uint8_t opcode, message_opcode; /* 0: no message has begun */
    bool final;
    unsigned fragments;
    char *message; /* what has come of the message */
    size_t message_len, message_cap;
    uint8_t control[WEBSOCKET_CONTROL_MAX + 1];
};

struct websocket_event {
    enum websocket_opcode opcode; /* TEXT, CLOSE, PING or PONG */
    const char *data;             /* borrowed until the next call; a text has a NUL behind it */
    size_t len;
    uint16_t code; /* CLOSE: what it says, WEBSOCKET_NO_CODE if nothing */
};

void websocket_decoder_init(struct websocket_decoder *decoder, struct ln_allocator *allocator,
                            size_t message_max);
void websocket_decoder_deinit(struct websocket_decoder *decoder);

/* Reads from *data, moving it on. Returns 1 with an event, 0 when all is read, or the negative
 * close code of what was wrong; then the decoder is of no further use. */
LN_NODISCARD int websocket_decode(struct websocket_decoder *decoder, const uint8_t **data,
                                  size_t *len, struct websocket_event *ret_event);

/* The header of an unmasked, unfragmented frame; header has WEBSOCKET_HEADER_MAX bytes. Returns its
 * length. */
size_t websocket_header(uint8_t *header, enum websocket_opcode opcode, size_t len);

#endif
