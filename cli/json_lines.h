/* SPDX-License-Identifier: Apache-2.0
 * One JSON object a line: read from a descriptor as it comes, written to standard output and
 * flushed. */
#ifndef LN_CLI_JSON_LINES_H
#define LN_CLI_JSON_LINES_H

#include <linnet/types.h>

#include <jansson.h>

#define JSON_LINE_MAX (2u << 20) /* bytes; a longer line is told and skipped */

struct json_lines {
    void (*take)(void *ctx, json_t *object);
    void *ctx;
    char *text;
    size_t len, cap;
    bool skipping;
};

void json_lines_init(struct json_lines *lines, void (*take)(void *ctx, json_t *object), void *ctx);
void json_lines_deinit(struct json_lines *lines);

/* Reads once and hands on each whole line that is an object; others are told on standard error.
 * Returns the bytes read, 0 at the end of input, below 0 when it cannot be read. */
long json_lines_read(struct json_lines *lines, int fd);

/* Writes and drops the reference; NULL (out of memory, or text that is not UTF-8) is told on
 * standard error. */
void json_lines_write(json_t *object);
/* The same with {"peer":PEER}, if that is not NULL. */
void json_lines_write_of(const char *peer, json_t *object);
/* {"channel":LABEL,"data64":...}; NULL without memory. */
json_t *json_lines_bytes_object(const char *label, const uint8_t *data, size_t len);
/* The bytes of a base64 text; free() them. Returns 0, LN_ERR_SYNTAX or LN_ERR_NOMEM. */
int json_lines_bytes(const json_t *base64, uint8_t **ret_bytes, size_t *ret_len);

#endif
