/* SPDX-License-Identifier: Apache-2.0
 * The table of codecs (RTP clock and channels: RFC 7587, 3551, 7741). */
#include "media/codec/codec.h"

#include "media/codec/ops.h"

static const struct ln_codec_info codecs[] = {
    { LN_CODEC_OPUS, LN_MEDIA_AUDIO, 48000, 2, true, true },
    { LN_CODEC_PCMU, LN_MEDIA_AUDIO, 8000, 1, true, true },
    { LN_CODEC_PCMA, LN_MEDIA_AUDIO, 8000, 1, true, true },
    { LN_CODEC_VP8, LN_MEDIA_VIDEO, 90000, 0, true, true },
};

const struct ln_codec_info *ln_codec_list(size_t *ret_count)
{
    *ret_count = sizeof codecs / sizeof *codecs;
    return codecs;
}

const struct ln_codec_info *ln_codec_info(enum ln_codec codec)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (codecs[i].codec == codec)
            return &codecs[i];
    return NULL;
}

const struct ln_codec_ops *ln_codec_ops(enum ln_codec codec)
{
    static const struct ln_codec_ops none = { NULL, NULL, NULL, NULL };
    static const struct ln_codec_ops *const ops[] = {
        [LN_CODEC_OPUS] = &ln_opus_ops,
        [LN_CODEC_PCMU] = &ln_pcmu_ops,
        [LN_CODEC_PCMA] = &ln_pcma_ops,
        [LN_CODEC_VP8] = &ln_vp8_ops,
    };

    return (size_t)codec < sizeof ops / sizeof *ops && ops[codec] ? ops[codec] : &none;
}
