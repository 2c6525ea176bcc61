/* SPDX-License-Identifier: Apache-2.0
 * The head of an HTTP/1.1 request (RFC 9112, 2 to 5): one line, fields, an empty line. Strict: what
 * two readers could understand in two ways is refused. */
#ifndef LN_HTTP_REQUEST_H
#define LN_HTTP_REQUEST_H

#include <linnet/types.h>

#define HTTP_FIELDS_MAX 100u

/* Texts are borrowed from the head, whose bytes the parser has cut with NULs. */
struct http_head {
    const char *method, *path, *query;
    const char *host, *origin, *if_none_match; /* NULL if absent */
    const char *upgrade, *connection, *websocket_key, *websocket_version;
    bool keep_alive; /* HTTP/1.1 without "close" */
};

/* The length of the head at the start of the bytes, the empty line included; 0: not complete yet.
 */
size_t http_head_length(const char *data, size_t len);

/* Parses a complete head, writing NULs into it. Returns 0 or the status of the refusal: 400, 405,
 * 413 (it has a body), 431 (too many fields), 505. */
int http_head_parse(char *data, size_t len, struct http_head *ret_head);

/* Whether a comma-separated list has this token, in any case of letters. */
bool http_list_has(const char *list, const char *token);

#endif
