/* SPDX-License-Identifier: Apache-2.0
 * Which names are taken. A name is looked at as a whole, then part by part. */
#include "transfer/name.h"

#include "base/bytes.h"

#include <string.h>
#include <strings.h>

/* One character of valid UTF-8. */
static uint32_t next_character(const char *name, size_t len, size_t *at)
{
    uint8_t first = (uint8_t)name[*at];
    size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? first : first & (0x3fu >> more);

    (*at)++;
    for (; more > 0 && *at < len; more--)
        c = c << 6 | ((uint8_t)name[(*at)++] & 0x3fu);
    return c;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || /* C0, DEL, C1 */
           c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069); /* lines, paragraphs, directions */
}

static const char *characters_problem(const char *name, size_t len)
{
    if (!ln_utf8_valid(name, len))
        return "is not UTF-8";
    for (size_t at = 0; at < len;) {
        uint32_t c = next_character(name, len, &at);

        if (is_control(c))
            return "has a control character";
        if (c == '\\')
            return "has a backslash";
    }
    return NULL;
}

/* "con", "CON.txt", "com1", "aux.tar.gz": files by no means on some systems. */
static bool is_device(const char *part, size_t len)
{
    static const char *const devices[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };
    const char *dot = memchr(part, '.', len);
    size_t base = dot ? (size_t)(dot - part) : len;

    while (base > 0 && part[base - 1] == ' ')
        base--;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (base == strlen(devices[i]) && strncasecmp(part, devices[i], base) == 0)
            return true;
    return base == 4 && (strncasecmp(part, "com", 3) == 0 || strncasecmp(part, "lpt", 3) == 0) &&
           part[3] >= '0' && part[3] <= '9';
}

/* Names are not ended by NUL. */
static bool consists_of(const char *part, size_t len, const char *characters)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(characters, part[i]))
            return false;
    return true;
}

static const char *part_problem(const char *part, size_t len)
{
    static const size_t ending = sizeof LN_NAME_PART_FILE - 1;

    if (len == 0)
        return "has an empty part";
    if (len <= 2 && consists_of(part, len, "."))
        return "has a part that is . or ..";
    if (consists_of(part, len, ". "))
        return "has a part of dots and blanks only";
    if (len > LN_NAME_PART_MAX)
        return "has a part that is too long";
    if (is_device(part, len))
        return "is the name of a device";
    if (len >= ending && strncasecmp(part + len - ending, LN_NAME_PART_FILE, ending) == 0)
        return "ends as an unfinished file does";
    return NULL;
}

const char *ln_name_problem(const char *name, size_t len)
{
    const char *problem;
    size_t parts = 0;

    if (len == 0)
        return "is empty";
    if (len > LN_NAME_BYTES_MAX)
        return "is too long";
    if (name[0] == '/')
        return "is absolute";
    problem = characters_problem(name, len);
    for (size_t at = 0; !problem && at <= len; parts++) {
        const char *slash = memchr(name + at, '/', len - at);
        size_t end = slash ? (size_t)(slash - name) : len;

        problem = parts == LN_NAME_PARTS_MAX ? "is too deep" : part_problem(name + at, end - at);
        at = end + 1;
    }
    return problem;
}

/* Simple case folding where upper and lower case have the same length in UTF-8. */
static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
        (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1e95) ||
        (c >= 0x1ea0 && c <= 0x1eff))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c + (c & 1);
    return c;
}

static size_t write_character(uint32_t c, size_t bytes, char *to)
{
    if (bytes == 1) {
        to[0] = (char)c;
        return 1;
    }
    for (size_t i = bytes - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((0xff00 >> bytes & 0xff) | c);
    return bytes;
}

size_t ln_name_fold(const char *name, size_t len, char *folded)
{
    size_t out = 0;

    for (size_t at = 0; at < len;) {
        size_t from = at;
        uint32_t c = next_character(name, len, &at);

        if (c == '/')
            while (out > 0 && strchr(". ", folded[out - 1]))
                out--;
        out += write_character(lower(c), at - from, folded + out);
    }
    while (out > 0 && strchr(". ", folded[out - 1]))
        out--;
    return out;
}
