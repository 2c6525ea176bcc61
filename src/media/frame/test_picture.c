/* SPDX-License-Identifier: Apache-2.0
 * Drawing and reading of the test picture; the layout is docs/test-picture.md's.
 *
 *   0      1/12   flash band
 *   1/12   9/24   colour bars, a disc running over them
 *   9/24   18/24  dark ground: clock, frame number, the second's progress
 *   18/24  1      code: 6 rows of 16 blocks, row by row, most significant bit first:
 *                 number (32), time in ms (48), CRC-16 of these 10 bytes (16); white is 1
 *
 * Invariants: edges lie at floor(side * n / parts), so that any two implementations agree to the
 * pixel; the reader looks at the middle half of each block only. */
#include "media/frame/test_picture.h"

#include "base/bytes.h"

#include <linnet/error.h>

#include <string.h>

#define ROWS         24u /* the height's unit */
#define CODE_TOP     18u
#define CODE_ROWS    6u
#define CODE_COLUMNS 16u
#define CODE_BITS    (CODE_ROWS * CODE_COLUMNS)
#define CODE_BYTES   (CODE_BITS / 8)
#define FLASH_ROWS   2u
#define BARS_BOTTOM  9u
#define CONTRAST_MIN 64 /* of 219 between black and white */
#define BLACK        16
#define WHITE        235
#define DARK         40
#define NEUTRAL      128

/* CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xffff. */
static uint16_t crc16(const uint8_t *data, size_t len)
{
    unsigned crc = 0xffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return (uint16_t)crc;
}

bool ln_test_picture_flash_at(uint64_t time_ms)
{
    return time_ms % 1000 < LN_TEST_PICTURE_FLASH_MS;
}

static unsigned edge(unsigned side, unsigned n, unsigned parts)
{
    return side * n / parts;
}

static void fill_plane(struct ln_picture *p, int plane, unsigned left, unsigned top, unsigned right,
                       unsigned bottom, int value)
{
    for (unsigned y = top; y < bottom && left < right; y++)
        memset(p->plane[plane] + y * p->stride[plane] + left, value, right - left);
}

/* Chroma covers every pixel pair that the rectangle touches from its first one on. */
static void fill(struct ln_picture *p, unsigned left, unsigned top, unsigned right, unsigned bottom,
                 const uint8_t yuv[3])
{
    fill_plane(p, 0, left, top, right, bottom, yuv[0]);
    for (int i = 1; i < 3; i++)
        fill_plane(p, i, (left + 1) / 2, (top + 1) / 2, (right + 1) / 2, (bottom + 1) / 2, yuv[i]);
}

static void fill_grey(struct ln_picture *p, unsigned left, unsigned top, unsigned right,
                      unsigned bottom, int value)
{
    const uint8_t yuv[3] = { (uint8_t)value, NEUTRAL, NEUTRAL };

    fill(p, left, top, right, bottom, yuv);
}

/* Five columns a character, the lowest bit on top. */
struct glyph {
    char character;
    uint8_t column[5];
};

static const struct glyph glyphs[] = {
    { '0', { 0x3e, 0x51, 0x49, 0x45, 0x3e } }, { '1', { 0x00, 0x42, 0x7f, 0x40, 0x00 } },
    { '2', { 0x62, 0x51, 0x49, 0x49, 0x46 } }, { '3', { 0x22, 0x41, 0x49, 0x49, 0x36 } },
    { '4', { 0x18, 0x14, 0x12, 0x7f, 0x10 } }, { '5', { 0x27, 0x45, 0x45, 0x45, 0x39 } },
    { '6', { 0x3c, 0x4a, 0x49, 0x49, 0x30 } }, { '7', { 0x01, 0x71, 0x09, 0x05, 0x03 } },
    { '8', { 0x36, 0x49, 0x49, 0x49, 0x36 } }, { '9', { 0x06, 0x49, 0x49, 0x29, 0x1e } },
    { ':', { 0x00, 0x36, 0x36, 0x00, 0x00 } }, { '.', { 0x00, 0x60, 0x60, 0x00, 0x00 } },
};

#define GLYPH_WIDTH  6u /* with the gap */
#define GLYPH_HEIGHT 7u

static void draw_glyph(struct ln_picture *p, char character, unsigned x, unsigned y, unsigned scale)
{
    const struct glyph *g = NULL;

    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].character == character)
            g = &glyphs[i];
    for (unsigned c = 0; g && c < 5; c++)
        for (unsigned r = 0; r < GLYPH_HEIGHT; r++)
            if (g->column[c] >> r & 1)
                fill_plane(p, 0, x + c * scale, y + r * scale, x + (c + 1) * scale,
                           y + (r + 1) * scale, WHITE);
}

/* In the middle between two heights, as large as fits; nothing when not even one pixel a dot does.
 * The ground is grey, so that only the luma plane changes. */
static void draw_text(struct ln_picture *p, const char *text, unsigned top, unsigned bottom)
{
    unsigned len = (unsigned)strlen(text), room = p->width * 15u / 16;
    unsigned scale = room / (len * GLYPH_WIDTH), tall = (bottom - top) / (GLYPH_HEIGHT + 1);
    unsigned x, y;

    scale = scale < tall ? scale : tall;
    if (scale == 0)
        return;
    x = (p->width - (len * GLYPH_WIDTH - 1) * scale) / 2;
    y = top + (bottom - top - GLYPH_HEIGHT * scale) / 2;
    for (unsigned i = 0; i < len; i++)
        draw_glyph(p, text[i], x + i * GLYPH_WIDTH * scale, y, scale);
}

static char *write_number(char *at, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

/* "12:34:56.789": the time of day where the clock counts from midnight UTC. */
static void write_clock(char text[13], uint64_t time_ms)
{
    char *at = text;

    at = write_number(at, time_ms / 3600000 % 24, 2);
    *at++ = ':';
    at = write_number(at, time_ms / 60000 % 60, 2);
    *at++ = ':';
    at = write_number(at, time_ms / 1000 % 60, 2);
    *at++ = '.';
    at = write_number(at, time_ms % 1000, 3);
    *at = '\0';
}

static void draw_bars(struct ln_picture *p)
{
    /* White, yellow, cyan, green, magenta, red, blue, black at 75 % (ITU-R BT.601). */
    static const uint8_t colours[8][3] = { { 180, 128, 128 }, { 162, 44, 142 }, { 131, 156, 44 },
                                           { 112, 72, 58 },   { 84, 184, 198 }, { 65, 100, 212 },
                                           { 35, 212, 114 },  { 16, 128, 128 } };

    for (unsigned i = 0; i < 8; i++)
        fill(p, edge(p->width, i, 8), edge(p->height, FLASH_ROWS, ROWS), edge(p->width, i + 1, 8),
             edge(p->height, BARS_BOTTOM, ROWS), colours[i]);
}

/* To and fro between 0 and `span`, `steps` frames a way. */
static unsigned swing(uint32_t number, unsigned steps, unsigned span)
{
    unsigned n = number % (2 * steps);

    return span * (n < steps ? n : 2 * steps - n) / steps;
}

static void draw_disc(struct ln_picture *p, uint32_t number)
{
    unsigned top = edge(p->height, FLASH_ROWS, ROWS), bottom = edge(p->height, BARS_BOTTOM, ROWS);
    unsigned r = p->height / 16, x, y;

    if (p->width <= 2 * r || bottom - top <= 2 * r)
        return;
    x = r + swing(number, 90, p->width - 2 * r);
    y = top + r + swing(number, 37, bottom - top - 2 * r);
    for (unsigned row = 0, half = 0; row < 2 * r; row++) {
        unsigned away = row < r ? r - row : row - r;

        while (half < r && (half + 1) * (half + 1) + away * away <= r * r)
            half++;
        while (half > 0 && half * half + away * away > r * r)
            half--;
        fill_grey(p, x - half, y - r + row, x + half, y - r + row + 1, WHITE);
    }
}

static void draw_code(struct ln_picture *p, const struct ln_test_picture *what)
{
    uint8_t code[CODE_BYTES];

    ln_store32(code, what->number);
    ln_store16(code + 4, (uint16_t)(what->time_ms >> 32));
    ln_store32(code + 6, (uint32_t)what->time_ms);
    ln_store16(code + 10, crc16(code, 10));
    for (unsigned bit = 0; bit < CODE_BITS; bit++) {
        unsigned column = bit % CODE_COLUMNS, row = CODE_TOP + bit / CODE_COLUMNS;

        fill_grey(p, edge(p->width, column, CODE_COLUMNS), edge(p->height, row, ROWS),
                  edge(p->width, column + 1, CODE_COLUMNS), edge(p->height, row + 1, ROWS),
                  code[bit / 8] >> (7 - bit % 8) & 1 ? WHITE : BLACK);
    }
}

void ln_test_picture_draw(struct ln_picture *picture, const struct ln_test_picture *what)
{
    unsigned width = picture->width, height = picture->height;
    char text[16];

    fill_grey(picture, 0, 0, width, edge(height, FLASH_ROWS, ROWS), what->flash ? WHITE : BLACK);
    draw_bars(picture);
    draw_disc(picture, what->number);
    fill_grey(picture, 0, edge(height, BARS_BOTTOM, ROWS), width, height, DARK);
    write_clock(text, what->time_ms);
    draw_text(picture, text, edge(height, 9, ROWS), edge(height, 13, ROWS));
    *write_number(text, what->number, 10) = '\0';
    draw_text(picture, text, edge(height, 13, ROWS), edge(height, 17, ROWS));
    fill_grey(picture, 0, edge(height, 17, ROWS), (unsigned)(what->time_ms % 1000 * width / 1000),
              edge(height, CODE_TOP, ROWS), WHITE);
    if (width >= LN_TEST_PICTURE_SIDE_MIN && height >= LN_TEST_PICTURE_SIDE_MIN)
        draw_code(picture, what);
}

/* The mean of 5 x 5 points over the middle half of a cell of a columns x rows grid. */
static int sample(const struct ln_picture *p, unsigned column, unsigned columns, unsigned row,
                  unsigned rows)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < 5; i++) {
        unsigned y = p->height * (8 * row + 2 + i) / (8 * rows);

        for (unsigned j = 0; j < 5; j++)
            sum += p->plane[0][y * p->stride[0] + p->width * (8 * column + 2 + j) / (8 * columns)];
    }
    return (int)(sum / 25);
}

/* Blocks to bits, measured against the darkest and the brightest of them. */
static bool read_code(const struct ln_picture *p, uint8_t code[CODE_BYTES], int *ret_middle)
{
    int value[CODE_BITS], low = 255, high = 0, middle;

    for (unsigned bit = 0; bit < CODE_BITS; bit++) {
        value[bit] = sample(p, bit % CODE_COLUMNS, CODE_COLUMNS, CODE_TOP + bit / CODE_COLUMNS,
                            ROWS);
        low = value[bit] < low ? value[bit] : low;
        high = value[bit] > high ? value[bit] : high;
    }
    if (high - low < CONTRAST_MIN)
        return false;
    middle = (low + high) / 2;
    memset(code, 0, CODE_BYTES);
    for (unsigned bit = 0; bit < CODE_BITS; bit++)
        if (value[bit] > middle)
            code[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    *ret_middle = middle;
    return true;
}

int ln_test_picture_read(const struct ln_picture *picture, struct ln_test_picture *ret_what)
{
    uint8_t code[CODE_BYTES];
    int middle, flash = 0;

    if (picture->width < LN_TEST_PICTURE_SIDE_MIN || picture->height < LN_TEST_PICTURE_SIDE_MIN ||
        !read_code(picture, code, &middle) || ln_load16(code + 10) != crc16(code, 10))
        return LN_ERR_INTEGRITY;
    for (unsigned column = 0; column < CODE_COLUMNS; column++)
        flash += sample(picture, column, CODE_COLUMNS, 0, ROWS / FLASH_ROWS);
    ret_what->number = ln_load32(code);
    ret_what->time_ms = (uint64_t)ln_load16(code + 4) << 32 | ln_load32(code + 6);
    ret_what->flash = flash / (int)CODE_COLUMNS > middle;
    return 0;
}
