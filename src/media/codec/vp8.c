/* SPDX-License-Identifier: Apache-2.0
 * VP8 through libvpx (RFC 6386), set up for calls: one pass, constant bit rate, no look-ahead, key
 * frames on demand only.
 *
 * Invariants: the decoder gives libvpx no frame whose header it has not looked at (RFC 6386, 9.1),
 * so that a picture of absurd size is refused before anything is allocated for it. */
#include "base/alloc.h"
#include "media/codec/ops.h"

#include <linnet/error.h>

#include <string.h>

#include <libyuv.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#define CLOCK_HZ       90000u
#define BPS_MIN        10000u
#define BPS_MAX        100000000u
#define STEP_SMOOTHING 8 /* pictures over which the frame duration is averaged */

struct vp8_encoder {
    struct ln_video_encoder base;
    vpx_codec_ctx_t codec;
    vpx_codec_enc_cfg_t cfg;
    bool ready, rate_changed, key_wanted;
    struct ln_video_encoder_config config;
    vpx_codec_pts_t pts;
    int64_t step;         /* smoothed duration of a picture in ticks of 90 kHz */
    ln_time last_capture; /* LN_TIME_NEVER before the first */
    int64_t frame_id;
};

struct vp8_decoder {
    struct ln_video_decoder base;
    vpx_codec_ctx_t codec;
};

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* libvpx's threads wait by spinning: where cores are shared they cost more than they bring, so one
 * serves as long as one core can do it. */
static unsigned threads_for(const struct ln_video_encoder_config *config)
{
    if (config->threads > 0)
        return config->threads;
    return (unsigned)config->width * config->height >= 1920u * 1080 ? 2 : 1;
}

/* At 640 x 480 speed 5 takes a twentieth of a core more than 8 and drops no picture at rates where
 * that does; large pictures need the speed. */
static int speed_for(const struct ln_video_encoder_config *config)
{
    unsigned pixels = (unsigned)config->width * config->height;

    if (config->speed > 0)
        return -(int)clamp(config->speed, 1, 16);
    return pixels <= 640u * 480 ? -5 : pixels <= 1280u * 720 ? -6 : -8;
}

/* The buffer model: half a second is the goal, a second the most (in milliseconds at the target
 * rate); drop pictures when it is nearly empty rather than let the queue to the network grow. */
static void fill_cfg(struct vp8_encoder *e)
{
    vpx_codec_enc_cfg_t *cfg = &e->cfg;

    cfg->g_w = e->config.width;
    cfg->g_h = e->config.height;
    cfg->g_threads = threads_for(&e->config);
    cfg->g_timebase.num = 1;
    cfg->g_timebase.den = (int)CLOCK_HZ;
    cfg->g_lag_in_frames = 0;
    cfg->g_error_resilient = 0;
    cfg->rc_end_usage = VPX_CBR;
    cfg->rc_target_bitrate = e->config.bps / 1000;
    cfg->rc_undershoot_pct = 100;
    cfg->rc_overshoot_pct = 15;
    cfg->rc_buf_initial_sz = 500;
    cfg->rc_buf_optimal_sz = 600;
    cfg->rc_buf_sz = 1000;
    cfg->rc_dropframe_thresh = 30;
    cfg->rc_resize_allowed = 0;
    cfg->rc_min_quantizer = 2;
    cfg->rc_max_quantizer = 56;
    cfg->kf_mode = VPX_KF_DISABLED;
}

/* A key frame may take as much of the buffer as half its goal, but at least three frames' worth. */
static unsigned key_frame_percent(const struct vp8_encoder *e)
{
    unsigned percent = e->cfg.rc_buf_optimal_sz * e->config.fps / 20;

    return percent < 300 ? 300 : percent;
}

static int open_codec(struct vp8_encoder *e)
{
    if (vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &e->cfg, 0) != VPX_CODEC_OK)
        return LN_ERR_OPERATION;
    fill_cfg(e);
    switch (vpx_codec_enc_init(&e->codec, vpx_codec_vp8_cx(), &e->cfg, 0)) {
    case VPX_CODEC_OK:
        break;
    case VPX_CODEC_MEM_ERROR:
        return LN_ERR_NOMEM;
    default:
        return LN_ERR_OPERATION;
    }
    vpx_codec_control(&e->codec, VP8E_SET_CPUUSED, speed_for(&e->config));
    vpx_codec_control(&e->codec, VP8E_SET_STATIC_THRESHOLD, e->config.screen ? 100u : 1u);
    vpx_codec_control(&e->codec, VP8E_SET_SCREEN_CONTENT_MODE, e->config.screen ? 1u : 0u);
    vpx_codec_control(&e->codec, VP8E_SET_NOISE_SENSITIVITY, 0u);
    vpx_codec_control(
        &e->codec, VP8E_SET_TOKEN_PARTITIONS,
        (int)(e->cfg.g_threads > 1 ? VP8_TWO_TOKENPARTITION : VP8_ONE_TOKENPARTITION));
    vpx_codec_control(&e->codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, key_frame_percent(e));
    e->ready = true;
    e->key_wanted = true;
    e->rate_changed = false;
    return 0;
}

static void close_codec(struct vp8_encoder *e)
{
    if (e->ready)
        vpx_codec_destroy(&e->codec);
    e->ready = false;
}

static void encoder_destroy(struct ln_video_encoder *encoder)
{
    struct vp8_encoder *e = (struct vp8_encoder *)encoder;

    close_codec(e);
    ln_free(encoder->allocator, e);
}

static int encoder_create(struct ln_video_encoder **ret_encoder,
                          const struct ln_video_encoder_config *config,
                          struct ln_allocator *allocator)
{
    struct vp8_encoder *e = ln_alloc_zero(allocator, sizeof *e);
    int error;

    if (!e)
        return LN_ERR_NOMEM;
    e->base.ops = ln_vp8_ops.video_encoder;
    e->base.allocator = allocator;
    e->config = *config;
    e->config.bps = clamp(config->bps, BPS_MIN, BPS_MAX);
    e->step = CLOCK_HZ / config->fps;
    e->last_capture = LN_TIME_NEVER;
    error = open_codec(e);
    if (error) {
        encoder_destroy(&e->base);
        return error;
    }
    *ret_encoder = &e->base;
    return 0;
}

static void encoder_set_rate(struct ln_video_encoder *encoder, uint32_t bps, uint32_t fps)
{
    struct vp8_encoder *e = (struct vp8_encoder *)encoder;

    bps = clamp(bps, BPS_MIN, BPS_MAX);
    fps = fps > 0 ? clamp(fps, 1, 120) : e->config.fps;
    if (fps != e->config.fps)
        e->step = CLOCK_HZ / fps;
    e->rate_changed |= bps != e->config.bps || fps != e->config.fps;
    e->config.bps = bps;
    e->config.fps = fps;
}

/* Follows the picture's size and the rate that was set. */
static int adapt(struct vp8_encoder *e, const struct ln_picture *picture)
{
    if (!e->ready || picture->width != e->config.width || picture->height != e->config.height) {
        close_codec(e);
        e->config.width = picture->width;
        e->config.height = picture->height;
        return open_codec(e);
    }
    if (e->rate_changed) {
        fill_cfg(e);
        if (vpx_codec_enc_config_set(&e->codec, &e->cfg) != VPX_CODEC_OK)
            return LN_ERR_OPERATION;
        vpx_codec_control(&e->codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, key_frame_percent(e));
        e->rate_changed = false;
    }
    return 0;
}

/* The rate control divides bits by time. The smoothed duration follows a camera that gives fewer
 * pictures than it promised, without being thrown about by the jitter of capture times. */
static void measure_step(struct vp8_encoder *e, ln_time capture)
{
    int64_t nominal = CLOCK_HZ / e->config.fps, step;

    if (e->last_capture != LN_TIME_NEVER && capture > e->last_capture) {
        step = (capture - e->last_capture > LN_SECONDS(1))
                   ? (int64_t)CLOCK_HZ
                   : ln_rtp_ticks(capture - e->last_capture, CLOCK_HZ);
        e->step += (step - e->step) / STEP_SMOOTHING;
    }
    if (e->step < nominal / 2)
        e->step = nominal / 2;
    e->last_capture = capture;
}

static void wrap(vpx_image_t *image, const struct ln_picture *picture)
{
    vpx_img_wrap(image, VPX_IMG_FMT_I420, picture->width, picture->height, 1, picture->plane[0]);
    for (int i = 0; i < 3; i++) {
        image->planes[i] = picture->plane[i];
        image->stride[i] = (int)picture->stride[i];
    }
}

static int make_frame(struct vp8_encoder *e, const vpx_codec_cx_pkt_t *packet,
                      const struct ln_picture *picture, struct ln_frame **ret_frame)
{
    struct ln_frame *frame = ln_frame_create(e->base.allocator, packet->data.frame.sz);

    if (!frame) {
        e->key_wanted = true; /* what follows would refer to a frame that nobody gets */
        return LN_ERR_NOMEM;
    }
    memcpy(ln_frame_data(frame), packet->data.frame.buf, packet->data.frame.sz);
    frame->kind = LN_MEDIA_VIDEO;
    frame->codec = LN_CODEC_VP8;
    frame->clock_rate_hz = CLOCK_HZ;
    frame->capture_time = picture->capture_time;
    frame->rtp_timestamp = (uint32_t)ln_rtp_ticks(picture->capture_time, CLOCK_HZ);
    frame->rotation = picture->rotation;
    frame->width = picture->width;
    frame->height = picture->height;
    frame->encoding = e->config.encoding;
    frame->key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
    frame->non_reference = (packet->data.frame.flags & VPX_FRAME_IS_DROPPABLE) != 0;
    frame->frame_id = e->frame_id++;
    if (!frame->key) {
        frame->dependencies[0] = frame->frame_id - 1;
        frame->dependency_count = 1;
    }
    *ret_frame = frame;
    return 0;
}

static int encoder_encode(struct ln_video_encoder *encoder, const struct ln_picture *picture,
                          bool force_key, struct ln_frame **ret_frame)
{
    struct vp8_encoder *e = (struct vp8_encoder *)encoder;
    const vpx_codec_cx_pkt_t *packet;
    vpx_codec_iter_t iter = NULL;
    vpx_image_t image;
    int error;

    e->key_wanted |= force_key;
    error = adapt(e, picture);
    if (error)
        return error;
    measure_step(e, picture->capture_time);
    wrap(&image, picture);
    if (vpx_codec_encode(&e->codec, &image, e->pts, (unsigned long)e->step,
                         e->key_wanted ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME) != VPX_CODEC_OK)
        return LN_ERR_OPERATION;
    e->pts += e->step;
    while ((packet = vpx_codec_get_cx_data(&e->codec, &iter)) != NULL) {
        if (packet->kind != VPX_CODEC_CX_FRAME_PKT || packet->data.frame.sz == 0)
            continue;
        if (packet->data.frame.flags & VPX_FRAME_IS_KEY)
            e->key_wanted = false;
        return make_frame(e, packet, picture, ret_frame);
    }
    encoder->dropped++;
    return LN_ERR_AGAIN;
}

static void decoder_destroy(struct ln_video_decoder *decoder)
{
    struct vp8_decoder *d = (struct vp8_decoder *)decoder;

    vpx_codec_destroy(&d->codec);
    ln_free(decoder->allocator, d);
}

static int decoder_create(struct ln_video_decoder **ret_decoder,
                          const struct ln_video_decoder_config *config,
                          struct ln_allocator *allocator)
{
    vpx_codec_dec_cfg_t cfg = { config->threads ? config->threads : 1u, 0, 0 };
    struct vp8_decoder *d = ln_alloc_zero(allocator, sizeof *d);

    if (!d)
        return LN_ERR_NOMEM;
    d->base.ops = ln_vp8_ops.video_decoder;
    d->base.allocator = allocator;
    d->base.side_max = config->side_max ? config->side_max : LN_PICTURE_SIDE_MAX;
    d->base.needs_key = true;
    if (vpx_codec_dec_init(&d->codec, vpx_codec_vp8_dx(), &cfg, 0) != VPX_CODEC_OK) {
        ln_free(allocator, d);
        return LN_ERR_OPERATION;
    }
    *ret_decoder = &d->base;
    return 0;
}

/* The frame tag (RFC 6386, 9.1):
 *
 *   bit 0 of byte 0: 0 = key frame    bits 5..23: length of the first partition
 *   key frames: 9d 01 2a, then 14 bits of width and 2 of scale, the same for the height; all little
 *   endian */
static int check_header(const struct vp8_decoder *d, const struct ln_frame *frame, bool *ret_key)
{
    const uint8_t *p = frame->data;
    size_t header, first_partition;
    unsigned width, height;

    if (frame->len < 3)
        return LN_ERR_MALFORMED;
    *ret_key = (p[0] & 1) == 0;
    header = *ret_key ? 10 : 3;
    first_partition = (size_t)(p[0] | p[1] << 8 | p[2] << 16) >> 5;
    if (frame->len < header || first_partition > frame->len - header)
        return LN_ERR_MALFORMED;
    if (!*ret_key)
        return 0;
    if (p[3] != 0x9d || p[4] != 0x01 || p[5] != 0x2a)
        return LN_ERR_MALFORMED;
    width = (unsigned)(p[6] | p[7] << 8) & 0x3fff;
    height = (unsigned)(p[8] | p[9] << 8) & 0x3fff;
    if (width == 0 || height == 0)
        return LN_ERR_MALFORMED;
    return width > d->base.side_max || height > d->base.side_max ? LN_ERR_LIMIT : 0;
}

static int make_picture(const struct vp8_decoder *d, const vpx_image_t *image,
                        const struct ln_frame *frame, struct ln_picture **ret_picture)
{
    struct ln_picture *picture;

    if (image->fmt != VPX_IMG_FMT_I420 || image->d_w == 0 || image->d_h == 0 ||
        image->d_w > d->base.side_max || image->d_h > d->base.side_max)
        return LN_ERR_LIMIT;
    picture = ln_picture_create(d->base.allocator, (uint16_t)image->d_w, (uint16_t)image->d_h);
    if (!picture)
        return LN_ERR_NOMEM;
    I420Copy(image->planes[0], image->stride[0], image->planes[1], image->stride[1],
             image->planes[2], image->stride[2], picture->plane[0], (int)picture->stride[0],
             picture->plane[1], (int)picture->stride[1], picture->plane[2], (int)picture->stride[2],
             picture->width, picture->height);
    picture->rotation = frame->rotation;
    picture->capture_time = frame->capture_time;
    picture->play_time = frame->play_time;
    picture->rtp_timestamp = frame->rtp_timestamp;
    *ret_picture = picture;
    return 0;
}

static int decoder_decode(struct ln_video_decoder *decoder, const struct ln_frame *frame,
                          struct ln_picture **ret_picture)
{
    struct vp8_decoder *d = (struct vp8_decoder *)decoder;
    vpx_codec_iter_t iter = NULL;
    const vpx_image_t *image, *last = NULL;
    int corrupted = 0, error;
    bool key = false;

    error = check_header(d, frame, &key);
    if (error == 0 && !key && decoder->needs_key)
        return LN_ERR_INVALID_STATE;
    if (error == 0 &&
        (frame->len > UINT32_MAX / 2 ||
         vpx_codec_decode(&d->codec, frame->data, (unsigned)frame->len, NULL, 0) != VPX_CODEC_OK))
        error = LN_ERR_MALFORMED;
    if (error) {
        decoder->needs_key = true;
        return error;
    }
    while ((image = vpx_codec_get_frame(&d->codec, &iter)) != NULL)
        last = image;
    if (vpx_codec_control(&d->codec, VP8D_GET_FRAME_CORRUPTED, &corrupted) != VPX_CODEC_OK ||
        corrupted) {
        decoder->needs_key = true;
        return LN_ERR_MALFORMED;
    }
    decoder->needs_key = false;
    return last ? make_picture(d, last, frame, ret_picture) : LN_ERR_AGAIN;
}

static const struct ln_video_encoder_ops encoder_ops = { encoder_create, encoder_destroy,
                                                         encoder_encode, encoder_set_rate };
static const struct ln_video_decoder_ops decoder_ops = { decoder_create, decoder_destroy,
                                                         decoder_decode };
const struct ln_codec_ops ln_vp8_ops = { &encoder_ops, &decoder_ops, NULL, NULL };
