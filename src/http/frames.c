/* SPDX-License-Identifier: Apache-2.0
 * Reading client frames: a header byte by byte, then the payload in pieces as they come. */
#include "http/frames.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

#define FIN      0x80u
#define RESERVED 0x70u
#define MASKED   0x80u

void websocket_decoder_init(struct websocket_decoder *decoder, struct ln_allocator *allocator,
                            size_t message_max)
{
    memset(decoder, 0, sizeof *decoder);
    decoder->allocator = allocator;
    decoder->message_max = message_max;
    decoder->header_need = 2;
}

void websocket_decoder_deinit(struct websocket_decoder *decoder)
{
    ln_free(decoder->allocator, decoder->message);
    decoder->message = NULL;
    decoder->message_cap = 0;
}

/* What the first two bytes tell. Returns 0 or the close code. */
static int check_start(struct websocket_decoder *d)
{
    uint8_t first = d->header[0], second = d->header[1];
    bool control = (first & 0x08) != 0;

    d->opcode = first & 0x0f;
    d->final = (first & FIN) != 0;
    if ((first & RESERVED) != 0 || (second & MASKED) == 0) /* no extensions; 5.1: masked */
        return WEBSOCKET_PROTOCOL_ERROR;
    switch (d->opcode) {
    case WEBSOCKET_CONTINUATION:
        return d->message_opcode ? 0 : WEBSOCKET_PROTOCOL_ERROR;
    case WEBSOCKET_TEXT:
        return d->message_opcode ? WEBSOCKET_PROTOCOL_ERROR : 0;
    case WEBSOCKET_BINARY:
        return d->message_opcode ? WEBSOCKET_PROTOCOL_ERROR : WEBSOCKET_UNSUPPORTED;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG: /* 5.5: short, and in one piece */
        return d->final && (second & 0x7f) <= WEBSOCKET_CONTROL_MAX && control
                   ? 0
                   : WEBSOCKET_PROTOCOL_ERROR;
    default:
        return WEBSOCKET_PROTOCOL_ERROR;
    }
}

static size_t header_length(uint8_t second)
{
    switch (second & 0x7f) {
    case 126:
        return 2 + 2 + 4;
    case 127:
        return 2 + 8 + 4;
    default:
        return 2 + 4;
    }
}

/* The header is complete. Returns 0 or the close code. */
static int begin_frame(struct websocket_decoder *d)
{
    switch (d->header[1] & 0x7f) { /* 5.2: the shortest form, and 63 bits */
    case 126:
        d->frame_len = ln_load16(d->header + 2);
        if (d->frame_len < 126)
            return WEBSOCKET_PROTOCOL_ERROR;
        break;
    case 127:
        d->frame_len = ln_load64(d->header + 2);
        if (d->frame_len < 65536 || d->frame_len >> 63)
            return WEBSOCKET_PROTOCOL_ERROR;
        break;
    default:
        d->frame_len = d->header[1] & 0x7f;
    }
    d->frame_at = 0;
    if (d->opcode & 0x08)
        return 0;
    if (d->opcode == WEBSOCKET_TEXT) {
        d->message_opcode = d->opcode;
        d->message_len = 0;
        d->fragments = 0;
    }
    if (++d->fragments > WEBSOCKET_FRAGMENTS_MAX)
        return WEBSOCKET_POLICY;
    if (d->frame_len > d->message_max - d->message_len)
        return WEBSOCKET_TOO_BIG;
    return 0;
}

/* Room for len more bytes of the message and its NUL. */
static int reserve(struct websocket_decoder *d, size_t len)
{
    size_t cap = d->message_cap ? d->message_cap : 256;
    char *message;

    if (d->message_len + len < d->message_cap)
        return 0;
    while (cap <= d->message_len + len)
        cap *= 2;
    message = ln_realloc(d->allocator, d->message, cap);
    if (!message)
        return WEBSOCKET_TRY_LATER;
    d->message = message;
    d->message_cap = cap;
    return 0;
}

static void unmask(const struct websocket_decoder *d, uint8_t *out, const uint8_t *data, size_t len)
{
    const uint8_t *mask = d->header + d->header_len - 4;

    for (size_t i = 0; i < len; i++)
        out[i] = data[i] ^ mask[(d->frame_at + i) & 3];
}

/* Takes len bytes of the frame's payload. Returns 0 or the close code. */
static int take_payload(struct websocket_decoder *d, const uint8_t *data, size_t len)
{
    if (d->opcode & 0x08) {
        unmask(d, d->control + d->frame_at, data, len);
    } else {
        int code = reserve(d, len);

        if (code)
            return code;
        unmask(d, (uint8_t *)d->message + d->message_len, data, len);
        d->message_len += len;
    }
    d->frame_at += len;
    return 0;
}

/* 7.4: codes that may stand in a close frame. */
static bool close_code_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != WEBSOCKET_NO_CODE &&
            code != WEBSOCKET_ABNORMAL) ||
           (code >= 3000 && code <= 4999);
}

static int end_close(struct websocket_decoder *d, struct websocket_event *event)
{
    event->code = WEBSOCKET_NO_CODE;
    if (d->frame_len == 0)
        return 1;
    if (d->frame_len < 2)
        return -WEBSOCKET_PROTOCOL_ERROR;
    event->code = ln_load16(d->control);
    if (!close_code_valid(event->code))
        return -WEBSOCKET_PROTOCOL_ERROR;
    if (!ln_utf8_valid(d->control + 2, (size_t)d->frame_len - 2))
        return -WEBSOCKET_BAD_TEXT;
    return 1;
}

/* The frame is complete. Returns 1 with an event, 0 if the message goes on, or a negative code. */
static int end_frame(struct websocket_decoder *d, struct websocket_event *event)
{
    d->header_len = 0;
    d->header_need = 2;
    if (d->opcode & 0x08) {
        *event = (struct websocket_event){ (enum websocket_opcode)d->opcode,
                                           (const char *)d->control, (size_t)d->frame_len, 0 };
        d->control[d->frame_len] = '\0';
        return d->opcode == WEBSOCKET_CLOSE ? end_close(d, event) : 1;
    }
    if (!d->final)
        return 0;
    d->message_opcode = 0;
    if (reserve(d, 0) != 0)
        return -WEBSOCKET_TRY_LATER;
    d->message[d->message_len] = '\0';
    if (!ln_utf8_valid(d->message, d->message_len))
        return -WEBSOCKET_BAD_TEXT;
    *event = (struct websocket_event){ WEBSOCKET_TEXT, d->message, d->message_len, 0 };
    return 1;
}

/* Reads header bytes until the header is complete or the input ends. Returns 0 or a close code. */
static int read_header(struct websocket_decoder *d, const uint8_t **data, size_t *len)
{
    while (d->header_len<d->header_need && * len> 0) {
        int code = 0;

        d->header[d->header_len++] = *(*data)++;
        (*len)--;
        if (d->header_len == 2) {
            code = check_start(d);
            d->header_need = header_length(d->header[1]);
        } else if (d->header_len == d->header_need) {
            code = begin_frame(d);
        }
        if (code)
            return code;
    }
    return 0;
}

int websocket_decode(struct websocket_decoder *decoder, const uint8_t **data, size_t *len,
                     struct websocket_event *ret_event)
{
    struct websocket_decoder *d = decoder;

    for (;;) {
        size_t piece;
        int code = read_header(d, data, len), result;

        if (code)
            return -code;
        if (d->header_len < d->header_need)
            return 0;
        piece = d->frame_len - d->frame_at < *len ? (size_t)(d->frame_len - d->frame_at) : *len;
        code = take_payload(d, *data, piece);
        if (code)
            return -code;
        *data += piece;
        *len -= piece;
        if (d->frame_at < d->frame_len)
            return 0;
        result = end_frame(d, ret_event);
        if (result != 0)
            return result;
    }
}

size_t websocket_header(uint8_t *header, enum websocket_opcode opcode, size_t len)
{
    header[0] = (uint8_t)(FIN | opcode);
    if (len < 126) {
        header[1] = (uint8_t)len;
        return 2;
    }
    if (len < 65536) {
        header[1] = 126;
        ln_store16(header + 2, (uint16_t)len);
        return 4;
    }
    header[1] = 127;
    ln_store64(header + 2, len);
    return 10;
}
