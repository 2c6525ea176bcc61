/* SPDX-License-Identifier: Apache-2.0
 * What strangers send to the web server: the head of a request, and WebSocket frames, whose masks
 * the target adds so that the input is readable. */
#include "base/alloc.h"
#include "http/frames.h"
#include "http/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void parse_head(const uint8_t *data, size_t len)
{
    size_t length = http_head_length((const char *)data, len);
    struct http_head head;
    char *copy;

    if (length == 0)
        return;
    copy = malloc(length);
    if (!copy)
        return;
    memcpy(copy, data, length);
    if (http_head_parse(copy, length, &head) == 0 && (head.path[0] != '/' || !head.method))
        abort();
    free(copy);
}

static void decode_frames(const uint8_t *data, size_t len, size_t piece)
{
    struct websocket_decoder decoder;
    struct websocket_event event;
    int result = 1;

    websocket_decoder_init(&decoder, ln_allocator_libc(), 4096);
    for (size_t at = 0; at < len && result >= 0; at += piece) {
        const uint8_t *p = data + at;
        size_t left = piece < len - at ? piece : len - at;

        while ((result = websocket_decode(&decoder, &p, &left, &event)) == 1)
            if (event.len > 4096 || (event.opcode == WEBSOCKET_TEXT && event.data[event.len]))
                abort();
    }
    websocket_decoder_deinit(&decoder);
}

/* A header of ours in front of the input, without a mask, is refused: clients mask. */
static void own_header(size_t len)
{
    uint8_t header[16];
    struct websocket_decoder decoder;
    struct websocket_event event;
    const uint8_t *p = header;
    size_t left = websocket_header(header, WEBSOCKET_TEXT, len * 97);

    websocket_decoder_init(&decoder, ln_allocator_libc(), 4096);
    if (websocket_decode(&decoder, &p, &left, &event) >= 0)
        abort();
    websocket_decoder_deinit(&decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    own_header(len);
    parse_head(data, len);
    decode_frames(data, len, len ? len : 1);
    decode_frames(data, len, 3);
    return 0;
}
