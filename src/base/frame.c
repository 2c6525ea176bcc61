/* SPDX-License-Identifier: Apache-2.0
 * Frames, pictures and samples: one block each, header and content, with an atomic count. */
#include <linnet/frame.h>

#include "base/alloc.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define PLANE_ALIGN 64u

struct counted {
    struct ln_allocator *allocator;
    atomic_uint references;
    alignas(max_align_t) uint8_t body[];
};

static struct counted *counted_of(const void *body)
{
    return (struct counted *)((uintptr_t)body - offsetof(struct counted, body));
}

static void *counted_create(struct ln_allocator *allocator, size_t size)
{
    struct counted *c;

    if (size > SIZE_MAX - sizeof *c)
        return NULL;
    c = ln_alloc(allocator, sizeof *c + size);
    if (!c)
        return NULL;
    c->allocator = allocator;
    atomic_init(&c->references, 1);
    return c->body;
}

static void *counted_ref(const void *body)
{
    struct counted *c = counted_of(body);

    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c->body;
}

static void counted_unref(const void *body)
{
    struct counted *c;

    if (!body)
        return;
    c = counted_of(body);
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) == 1)
        ln_free(c->allocator, c);
}

static const char *const codec_names[] = {
    [LN_CODEC_NONE] = "",     [LN_CODEC_OPUS] = "opus", [LN_CODEC_PCMU] = "PCMU",
    [LN_CODEC_PCMA] = "PCMA", [LN_CODEC_VP8] = "VP8",   [LN_CODEC_VP9] = "VP9",
    [LN_CODEC_H264] = "H264", [LN_CODEC_AV1] = "AV1",
};

const char *ln_codec_name(enum ln_codec codec)
{
    return (size_t)codec < sizeof codec_names / sizeof *codec_names ? codec_names[codec] : "";
}

enum ln_codec ln_codec_from_name(const char *name)
{
    size_t i;

    for (i = 1; i < sizeof codec_names / sizeof *codec_names; i++)
        if (strcasecmp(name, codec_names[i]) == 0)
            return (enum ln_codec)i;
    return LN_CODEC_NONE;
}

struct ln_frame *ln_frame_create(struct ln_allocator *allocator, size_t len)
{
    struct ln_frame *frame;

    if (len > SIZE_MAX / 2)
        return NULL;
    frame = counted_create(allocator, sizeof *frame + len);
    if (!frame)
        return NULL;
    memset(frame, 0, sizeof *frame);
    frame->audio_level_dbov = 1;
    frame->data = (const uint8_t *)(frame + 1);
    frame->len = len;
    return frame;
}

uint8_t *ln_frame_data(struct ln_frame *frame)
{
    return (uint8_t *)(frame + 1);
}

struct ln_frame *ln_frame_ref(const struct ln_frame *frame)
{
    return counted_ref(frame);
}

void ln_frame_unref(const struct ln_frame *frame)
{
    counted_unref(frame);
}

static size_t align_up(size_t n)
{
    return (n + PLANE_ALIGN - 1) / PLANE_ALIGN * PLANE_ALIGN;
}

struct ln_picture *ln_picture_create(struct ln_allocator *allocator, uint16_t width,
                                     uint16_t height)
{
    size_t chroma_width = ((size_t)width + 1) / 2, chroma_height = ((size_t)height + 1) / 2;
    size_t luma = align_up(width) * height, chroma = align_up(chroma_width) * chroma_height;
    struct ln_picture *picture;
    uint8_t *planes;

    picture = counted_create(allocator, sizeof *picture + PLANE_ALIGN + luma + 2 * chroma);
    if (!picture)
        return NULL;
    memset(picture, 0, sizeof *picture);
    picture->width = width;
    picture->height = height;
    planes = (uint8_t *)align_up((uintptr_t)(picture + 1));
    picture->plane[0] = planes;
    picture->plane[1] = planes + luma;
    picture->plane[2] = planes + luma + chroma;
    picture->stride[0] = align_up(width);
    picture->stride[1] = picture->stride[2] = align_up(chroma_width);
    return picture;
}

struct ln_picture *ln_picture_ref(const struct ln_picture *picture)
{
    return counted_ref(picture);
}

void ln_picture_unref(const struct ln_picture *picture)
{
    counted_unref(picture);
}

struct ln_samples *ln_samples_create(struct ln_allocator *allocator, uint32_t rate_hz,
                                     uint8_t channels, uint32_t count)
{
    size_t len = (size_t)count * channels * sizeof(int16_t);
    struct ln_samples *samples = counted_create(allocator, sizeof *samples + len);

    if (!samples)
        return NULL;
    memset(samples, 0, sizeof *samples + len);
    samples->rate_hz = rate_hz;
    samples->channels = channels;
    samples->count = count;
    samples->data = (int16_t *)(void *)(samples + 1);
    return samples;
}

struct ln_samples *ln_samples_ref(const struct ln_samples *samples)
{
    return counted_ref(samples);
}

void ln_samples_unref(const struct ln_samples *samples)
{
    counted_unref(samples);
}
