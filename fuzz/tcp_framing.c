/* SPDX-License-Identifier: Apache-2.0
 * Packets on a stream (RFC 4571): the first byte says how long the pieces are in which the rest
 * comes. Cut in pieces or whole, the same packets come out. */
#include "ice/tcp_framing.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define LIMIT 600u

/* A number of all packets and of how it ended. */
static uint64_t cut(const uint8_t *data, size_t len, size_t step)
{
    struct ln_ice_tcp_frames frames = { .allocator = ln_allocator_libc(), .limit = LIMIT };
    uint64_t seen = 0;
    int result = 0;

    for (size_t at = 0, n; at < len && result >= 0; at += n) {
        struct ln_bytes piece, packet;

        n = len - at < step ? len - at : step;
        piece = (struct ln_bytes){ data + at, n };
        while ((result = ln_ice_tcp_frames_next(&frames, &piece, &packet)) == 1) {
            if (packet.len == 0 || packet.len > LIMIT)
                abort();
            for (size_t i = 0; i < packet.len; i++)
                seen = (seen ^ packet.data[i]) * 1099511628211u + packet.len;
        }
        if (result == 0 && piece.len > 0)
            abort();
    }
    ln_ice_tcp_frames_deinit(&frames);
    return seen * 31 + (result < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (cut(data + 1, len - 1, 1 + data[0] % 64u) != cut(data + 1, len - 1, len))
        abort();
    return 0;
}
