/* SPDX-License-Identifier: Apache-2.0
 * Audio payload formats, one frame a packet: Opus (RFC 7587; the TOC byte is RFC 6716, 3.1) and
 * G.711 (RFC 3551, 4.5.14). Nothing is put before the codec's bytes. */
#ifndef LN_RTP_AUDIO_H
#define LN_RTP_AUDIO_H

#include <linnet/error.h>
#include <linnet/frame.h>

#define LN_OPUS_CLOCK_HZ  48000u
#define LN_OPUS_FRAME_MAX 1275u /* bytes of one Opus frame, RFC 6716, 3.4 */

struct ln_opus_packet {
    uint8_t frame_count;    /* 1..48 */
    uint32_t frame_samples; /* at 48 kHz */
    uint32_t samples;       /* of all, at most 5760 (120 ms) */
    bool stereo;
};

/* Checks an Opus packet by its framing. Returns 0 or LN_ERR_MALFORMED. */
LN_NODISCARD int ln_opus_packet_parse(const void *data, size_t len, struct ln_opus_packet *ret);

/* How long an audio payload plays, in units of the RTP clock; 0 when it cannot be told (another
 * codec, or malformed). */
uint32_t ln_audio_payload_duration(enum ln_codec codec, struct ln_bytes payload);

#endif
