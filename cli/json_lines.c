/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_lines.h"

#include "base/bytes.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536u

void json_lines_init(struct json_lines *lines, void (*take)(void *ctx, json_t *object), void *ctx)
{
    memset(lines, 0, sizeof *lines);
    lines->take = take;
    lines->ctx = ctx;
}

void json_lines_deinit(struct json_lines *lines)
{
    free(lines->text);
    lines->text = NULL;
    lines->len = lines->cap = 0;
}

static void take_line(struct json_lines *lines, const char *text, size_t len)
{
    json_error_t why;
    json_t *object;

    if (len == 0 || strspn(text, " \t\r") >= len)
        return;
    object = json_loadb(text, len, JSON_ALLOW_NUL, &why);
    if (json_is_object(object))
        lines->take(lines->ctx, object);
    else
        fprintf(stderr, "linnet: this line is no JSON object: %s\n",
                object ? "it is another value" : why.text);
    json_decref(object);
}

/* Hands on the lines that are whole and moves the rest to the front. */
static void take_lines(struct json_lines *lines)
{
    char *at = lines->text, *end = lines->text + lines->len, *newline;

    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        *newline = '\0';
        if (!lines->skipping)
            take_line(lines, at, (size_t)(newline - at));
        lines->skipping = false;
        at = newline + 1;
    }
    lines->len = (size_t)(end - at);
    memmove(lines->text, at, lines->len);
    if (lines->len > JSON_LINE_MAX) {
        fprintf(stderr, "linnet: a line of more than %u bytes is passed over\n", JSON_LINE_MAX);
        lines->skipping = true;
        lines->len = 0;
    }
}

long json_lines_read(struct json_lines *lines, int fd)
{
    ssize_t n;

    if (lines->cap - lines->len < READ_BYTES + 1) {
        size_t cap = lines->cap ? lines->cap * 2 : 2 * READ_BYTES;
        char *text = realloc(lines->text, cap);

        if (!text)
            return -1;
        lines->text = text;
        lines->cap = cap;
    }
    n = read(fd, lines->text + lines->len, READ_BYTES);
    if (n > 0) {
        lines->len += (size_t)n;
        take_lines(lines);
    } else if (n == 0 && lines->len > 0) { /* a last line without its end */
        lines->text[lines->len] = '\0';
        take_line(lines, lines->text, lines->len);
        lines->len = 0;
    }
    return n;
}

void json_lines_write(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text) {
        puts(text);
        fflush(stdout);
    } else {
        fprintf(stderr, "linnet: a line could not be written as JSON\n");
    }
    free(text);
    json_decref(object);
}

void json_lines_write_of(const char *peer, json_t *object)
{
    if (peer && object)
        (void)json_object_set_new(object, "peer", json_string(peer));
    json_lines_write(object);
}

json_t *json_lines_bytes_object(const char *label, const uint8_t *data, size_t len)
{
    char *text = malloc(4 * ((len + 2) / 3) + 1);
    json_t *object = NULL;

    if (text)
        object = json_pack("{s:s, s:s}", "channel", label, "data64",
                           ln_base64_encode(data, len, text));
    free(text);
    return object;
}

int json_lines_bytes(const json_t *base64, uint8_t **ret_bytes, size_t *ret_len)
{
    size_t text_len = json_string_length(base64), cap = text_len / 4 * 3 + 3;
    uint8_t *bytes = malloc(cap);
    int len;

    if (!bytes)
        return LN_ERR_NOMEM;
    len = ln_base64_decode(json_string_value(base64), text_len, bytes, cap);
    if (len < 0) {
        free(bytes);
        return len;
    }
    *ret_bytes = bytes;
    *ret_len = (size_t)len;
    return 0;
}
