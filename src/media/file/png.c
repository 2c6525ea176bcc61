/* SPDX-License-Identifier: Apache-2.0
 * PNG through libpng; rows go to RGB two at a time, so that no second picture is held.
 *
 * libpng reports errors by longjmp: what must outlive one lies in `struct writer`, never in a
 * local variable that changes after setjmp. */
#include "media/file/png.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <setjmp.h>
#include <string.h>

#include <libyuv.h>
#include <png.h>

#define BYTES_MAX   (256u << 20) /* of an encoded file in memory */
#define COMPRESSION 3            /* a snapshot is wanted now, not small */

struct writer {
    struct ln_allocator *allocator;
    ln_png_sink sink;
    void *ctx;
    png_structp png;
    png_infop info;
    uint8_t *rows; /* two */
    int error;
};

static void fail(png_structp png, png_const_charp message)
{
    struct writer *w = png_get_error_ptr(png);

    (void)message;
    if (w->error == 0)
        w->error = LN_ERR_OPERATION;
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp take(png_structp png, png_alloc_size_t size)
{
    struct writer *w = png_get_mem_ptr(png);
    void *block = ln_alloc(w->allocator, size);

    if (!block)
        w->error = LN_ERR_NOMEM;
    return block;
}

static void give_back(png_structp png, png_voidp block)
{
    struct writer *w = png_get_mem_ptr(png);

    ln_free(w->allocator, block);
}

static void write_piece(png_structp png, png_bytep data, size_t len)
{
    struct writer *w = png_get_io_ptr(png);
    int error = w->sink(w->ctx, data, len);

    if (error < 0) {
        w->error = error;
        png_error(png, "stopped");
    }
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void write_rows(struct writer *w, const struct ln_picture *p)
{
    size_t row = (size_t)p->width * 3;

    for (unsigned y = 0; y < p->height; y += 2) {
        int lines = p->height - y > 1 ? 2 : 1;

        I420ToRAW(p->plane[0] + y * p->stride[0], (int)p->stride[0],
                  p->plane[1] + y / 2 * p->stride[1], (int)p->stride[1],
                  p->plane[2] + y / 2 * p->stride[2], (int)p->stride[2], w->rows, (int)row,
                  p->width, lines);
        png_write_row(w->png, w->rows);
        if (lines == 2)
            png_write_row(w->png, w->rows + row);
    }
}

static void write_file(struct writer *w, const struct ln_picture *picture)
{
    if (setjmp(png_jmpbuf(w->png)))
        return;
    png_set_write_fn(w->png, w, write_piece, flush_nothing);
    png_set_compression_level(w->png, COMPRESSION);
    png_set_IHDR(w->png, w->info, picture->width, picture->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    write_rows(w, picture);
    png_write_end(w->png, w->info);
}

int ln_png_write(const struct ln_picture *picture, struct ln_allocator *allocator, ln_png_sink sink,
                 void *ctx)
{
    struct writer w = { .allocator = allocator, .sink = sink, .ctx = ctx };

    if (picture->width == 0 || picture->height == 0)
        return LN_ERR_RANGE;
    w.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &w, fail, ignore, &w, take, give_back);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    w.rows = ln_alloc_array(allocator, picture->width, 6);
    if (w.info && w.rows)
        write_file(&w, picture);
    else
        w.error = LN_ERR_NOMEM;
    ln_free(allocator, w.rows);
    png_destroy_write_struct(w.png ? &w.png : NULL, &w.info);
    return w.error;
}

struct memory {
    struct ln_allocator *allocator;
    uint8_t *data;
    size_t len, capacity;
};

static int append(void *ctx, const uint8_t *data, size_t len)
{
    struct memory *m = ctx;

    if (len > BYTES_MAX - m->len)
        return LN_ERR_LIMIT;
    if (m->len + len > m->capacity) {
        size_t capacity = m->capacity * 2 > m->len + len ? m->capacity * 2 : m->len + len + 4096;
        uint8_t *grown = ln_realloc(m->allocator, m->data, capacity);

        if (!grown)
            return LN_ERR_NOMEM;
        m->data = grown;
        m->capacity = capacity;
    }
    memcpy(m->data + m->len, data, len);
    m->len += len;
    return 0;
}

int ln_png_encode(const struct ln_picture *picture, struct ln_allocator *allocator,
                  uint8_t **ret_data, size_t *ret_len)
{
    struct memory m = { .allocator = allocator };
    int error = ln_png_write(picture, allocator, append, &m);

    if (error) {
        ln_free(allocator, m.data);
        return error;
    }
    *ret_data = m.data;
    *ret_len = m.len;
    return 0;
}
