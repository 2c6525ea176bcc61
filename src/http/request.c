/* SPDX-License-Identifier: Apache-2.0
 * Parsing a request's head. Field names and values are cut out in place; a field that matters is
 * kept by a row of a table, and a second one of the same name refuses the request. */
#include "http/request.h"

#include <string.h>
#include <strings.h>

size_t http_head_length(const char *data, size_t len)
{
    const char *end = len >= 4 ? memmem(data, len, "\r\n\r\n", 4) : NULL;

    return end ? (size_t)(end - data) + 4 : 0;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Field values: visible characters, blanks and tabs, and bytes from 0x80 (RFC 9110, 5.5). */
static bool value_valid(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return false;
    return true;
}

/* Cuts the target into path and query. Only the origin form is taken; controls are not. */
static int parse_target(char *target, struct http_head *head)
{
    char *query = strchr(target, '?');

    if (target[0] != '/')
        return 400;
    for (const char *p = target; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '#')
            return 400;
    head->query = "";
    if (query) {
        *query = '\0';
        head->query = query + 1;
    }
    head->path = target;
    return 0;
}

static int parse_request_line(char *line, struct http_head *head)
{
    char *target = strchr(line, ' '), *version;

    if (!target)
        return 400;
    *target++ = '\0';
    version = strchr(target, ' ');
    if (!version)
        return 400;
    *version++ = '\0';
    for (const char *p = line; *p; p++)
        if (!is_token_char(*p))
            return 400;
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
    head->keep_alive = version[7] == '1';
    head->method = line;
    if (strcmp(line, "GET") != 0 && strcmp(line, "HEAD") != 0)
        return 405;
    return parse_target(target, head);
}

struct known_field {
    const char *name;
    const char **place;
};

static int keep_field(struct known_field *known, const char *name, const char *value)
{
    for (; known->name; known++) {
        if (strcasecmp(known->name, name) != 0)
            continue;
        if (*known->place)
            return 400;
        *known->place = value;
        return 0;
    }
    return 0;
}

/* One "name: value"; the line has lost its end. */
static int parse_field(char *line, size_t len, struct known_field *known)
{
    char *colon = memchr(line, ':', len), *value, *end = line + len;

    if (!colon || colon == line)
        return 400;
    for (const char *p = line; p < colon; p++)
        if (!is_token_char(*p)) /* a blank before the colon, or a folded line */
            return 400;
    if (!value_valid(colon + 1, (size_t)(end - colon - 1)))
        return 400;
    *colon = '\0';
    value = colon + 1;
    value += strspn(value, " \t");
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return keep_field(known, line, value);
}

int http_head_parse(char *data, size_t len, struct http_head *ret_head)
{
    struct http_head head = { 0 };
    const char *length = NULL, *encoding = NULL;
    struct known_field known[] = {
        { "host", &head.host },
        { "origin", &head.origin },
        { "if-none-match", &head.if_none_match },
        { "upgrade", &head.upgrade },
        { "connection", &head.connection },
        { "sec-websocket-key", &head.websocket_key },
        { "sec-websocket-version", &head.websocket_version },
        { "content-length", &length },
        { "transfer-encoding", &encoding },
        { NULL, NULL },
    };
    char *end = data + len, *at = data;
    size_t fields = 0;
    int status;

    if (memchr(data, '\0', len))
        return 400;
    for (bool first = true; at < end; first = false) {
        char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);

        if (!line_end)
            return 400;
        *line_end = '\0';
        if (memchr(at, '\n', (size_t)(line_end - at)) || memchr(at, '\r', (size_t)(line_end - at)))
            return 400;
        if (line_end == at)
            break;
        if (!first && ++fields > HTTP_FIELDS_MAX)
            return 431;
        status = first ? parse_request_line(at, &head)
                       : parse_field(at, (size_t)(line_end - at), known);
        if (status)
            return status;
        at = line_end + 2;
    }
    if (!head.path)
        return 400;
    if (head.keep_alive && !head.host) /* RFC 9112, 3.2 */
        return 400;
    if (encoding || (length && strcmp(length, "0") != 0))
        return 413;
    if (head.connection && http_list_has(head.connection, "close"))
        head.keep_alive = false;
    *ret_head = head;
    return 0;
}

bool http_list_has(const char *list, const char *token)
{
    size_t len = strlen(token);

    while (list && *list) {
        size_t item;

        list += strspn(list, " \t,");
        item = strcspn(list, ",");
        while (item > 0 && (list[item - 1] == ' ' || list[item - 1] == '\t'))
            item--;
        if (item == len && strncasecmp(list, token, len) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}
