/* SPDX-License-Identifier: Apache-2.0
 * The VP8 descriptor: what parses is written and parses to the same; and Opus framing on the same
 * input. */
#include "rtp/vp8.h"
#include "rtp/audio.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_vp8_descriptor first, second;
    struct ln_vp8_frame_header header;
    struct ln_opus_packet opus;
    struct ln_bytes rest, again;
    uint8_t packet[64];
    int n;

    if (ln_opus_packet_parse(data, len, &opus) == 0 &&
        (opus.samples == 0 || opus.samples > 5760 || opus.frame_count == 0))
        abort();
    (void)ln_audio_payload_duration(LN_CODEC_OPUS, (struct ln_bytes){ data, len });
    (void)ln_audio_payload_duration(LN_CODEC_PCMU, (struct ln_bytes){ data, len });
    if (ln_vp8_parse(data, len, &first, &rest) != 0)
        return 0;
    if (rest.len == 0 || rest.data + rest.len != data + len)
        abort();
    if (ln_vp8_frame_header(rest, &header) != 0)
        abort();
    n = ln_vp8_write(&first, packet, LN_VP8_DESCRIPTOR_MAX);
    if (n < 1)
        abort();
    packet[n] = rest.data[0];
    if (ln_vp8_parse(packet, (size_t)n + 1, &second, &again) != 0 || again.len != 1 ||
        first.picture_id != second.picture_id || first.tl0picidx != second.tl0picidx ||
        first.temporal_layer != second.temporal_layer || first.key_index != second.key_index ||
        first.start != second.start || first.partition != second.partition ||
        first.layer_sync != second.layer_sync)
        abort();
    return 0;
}
