/* SPDX-License-Identifier: Apache-2.0
 * Opus through libopus (RFC 6716; in RTP: RFC 7587), 48 kHz, 20 ms packets.
 *
 * libopus takes its state in a block of the caller's size, so that it lies in our allocator. */
#include "base/alloc.h"
#include "media/codec/ops.h"

#include <linnet/error.h>

#include <opus/opus.h>

#define BPS_MIN 6000u
#define BPS_MAX 510000u
/* A packet of at most two bytes says "nothing to send" (RFC 7587, 3.1.3). */
#define DTX_BYTES 2
/* In one packet (RFC 6716, 3.2.5). */
#define FRAMES_MAX 48

static opus_int32 clamp_bps(uint32_t bps)
{
    return (opus_int32)(bps < BPS_MIN ? BPS_MIN : bps > BPS_MAX ? BPS_MAX : bps);
}

static void state_destroy(void *state, struct ln_allocator *allocator)
{
    ln_free(allocator, state);
}

static int configure(OpusEncoder *e, const struct ln_audio_encoder_config *config)
{
    int bad = 0;

    bad |= opus_encoder_ctl(e, OPUS_SET_BITRATE(clamp_bps(config->bps)));
    bad |= opus_encoder_ctl(e, OPUS_SET_VBR(config->constant ? 0 : 1));
    bad |= opus_encoder_ctl(e, OPUS_SET_DTX(config->dtx ? 1 : 0));
    bad |= opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(config->fec ? 1 : 0));
    bad |= opus_encoder_ctl(
        e, OPUS_SET_PACKET_LOSS_PERC(config->loss_percent > 100 ? 100 : config->loss_percent));
    return bad ? LN_ERR_OPERATION : 0;
}

static int encoder_create(void **ret_state, const struct ln_audio_encoder_config *config,
                          struct ln_allocator *allocator)
{
    int application = config->music ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_VOIP, error;
    OpusEncoder *e = ln_alloc_zero(allocator, (size_t)opus_encoder_get_size(config->channels));

    if (!e)
        return LN_ERR_NOMEM;
    error = opus_encoder_init(e, LN_AUDIO_RATE_HZ, config->channels, application) == OPUS_OK
                ? configure(e, config)
                : LN_ERR_OPERATION;
    if (error) {
        ln_free(allocator, e);
        return error;
    }
    *ret_state = e;
    return 0;
}

static int encoder_encode(void *state, const int16_t *data, uint8_t *packet, bool *ret_silence)
{
    opus_int32 len = opus_encode(state, data, LN_AUDIO_PACKET_SAMPLES, packet, LN_AUDIO_PACKET_MAX);

    if (len <= 0)
        return LN_ERR_OPERATION;
    *ret_silence = len <= DTX_BYTES;
    return len;
}

static void encoder_set_rate(void *state, uint32_t bps)
{
    opus_encoder_ctl(state, OPUS_SET_BITRATE(clamp_bps(bps)));
}

static void encoder_set_loss(void *state, uint8_t loss_percent)
{
    opus_encoder_ctl(state, OPUS_SET_PACKET_LOSS_PERC(loss_percent > 100 ? 100 : loss_percent));
}

static int decoder_create(void **ret_state, const struct ln_audio_decoder_config *config,
                          struct ln_allocator *allocator)
{
    OpusDecoder *d = ln_alloc_zero(allocator, (size_t)opus_decoder_get_size(config->channels));

    if (!d)
        return LN_ERR_NOMEM;
    if (opus_decoder_init(d, LN_AUDIO_RATE_HZ, config->channels) != OPUS_OK) {
        ln_free(allocator, d);
        return LN_ERR_OPERATION;
    }
    *ret_state = d;
    return 0;
}

static int decoder_length(void *state, struct ln_bytes packet)
{
    int count;

    if (packet.len > INT32_MAX)
        return LN_ERR_MALFORMED;
    count = opus_decoder_get_nb_samples(state, packet.data, (opus_int32)packet.len);
    return count <= 0 || count > (int)LN_AUDIO_DECODE_MAX ? LN_ERR_MALFORMED : count;
}

static int decoder_decode(void *state, struct ln_bytes packet, int16_t *out)
{
    int count = decoder_length(state, packet);

    if (count < 0)
        return count;
    return opus_decode(state, packet.data, (opus_int32)packet.len, out, count, 0) == count
               ? 0
               : LN_ERR_MALFORMED;
}

/* Whether a packet repeats its predecessor at low rate (LBRR). The first bits of a SILK frame are
 * a voice flag for each 20 ms and the LBRR flag, then the same for the side channel (RFC 6716,
 * 4.2.3 and 4.2.4); they are coded with even odds, so they stand there as plain bits. */
static bool has_correction(struct ln_bytes packet)
{
    const unsigned char *frames[FRAMES_MAX];
    opus_int16 sizes[FRAMES_MAX];
    unsigned char toc;
    int per_frame, silk_frames;

    if (packet.len == 0 || packet.len > INT32_MAX || packet.data[0] & 0x80) /* CELT has none */
        return false;
    if (opus_packet_parse(packet.data, (opus_int32)packet.len, &toc, frames, sizes, NULL) <= 0 ||
        sizes[0] <= 0)
        return false;
    per_frame = opus_packet_get_samples_per_frame(packet.data, LN_AUDIO_RATE_HZ);
    silk_frames = per_frame > 960 ? per_frame / 960 : 1;
    if (frames[0][0] >> (7 - silk_frames) & 1)
        return true;
    return opus_packet_get_nb_channels(packet.data) == 2 &&
           (frames[0][0] >> (6 - 2 * silk_frames) & 1);
}

static size_t decoder_conceal(void *state, struct ln_bytes next, size_t count, int16_t *out)
{
    int wanted = (int)count, from_next;

    if (next.len > 0 && has_correction(next) &&
        opus_decode(state, next.data, (opus_int32)next.len, out, wanted, 1) == wanted) {
        from_next = opus_packet_get_samples_per_frame(next.data, LN_AUDIO_RATE_HZ);
        return from_next <= wanted ? (size_t)from_next : 0;
    }
    if (opus_decode(state, NULL, 0, out, wanted, 0) != wanted)
        opus_decoder_ctl(state, OPUS_RESET_STATE); /* out is zero from its creation: silence */
    return 0;
}

static const struct ln_audio_encoder_ops encoder_ops = { encoder_create, state_destroy,
                                                         encoder_encode, encoder_set_rate,
                                                         encoder_set_loss };
static const struct ln_audio_decoder_ops decoder_ops = { decoder_create, state_destroy,
                                                         decoder_length, decoder_decode,
                                                         decoder_conceal };
const struct ln_codec_ops ln_opus_ops = { NULL, NULL, &encoder_ops, &decoder_ops };
