/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LARGE_ELEMENT 64u /* bytes: there is mostly one */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

char *ln_text_token(char **at)
{
    char *begin = *at;

    while (is_blank(*begin))
        begin++;
    if (!*begin) {
        *at = begin;
        return NULL;
    }
    *at = begin;
    while (**at && !is_blank(**at))
        (*at)++;
    if (**at)
        *(*at)++ = '\0';
    return begin;
}

char *ln_text_until(char **at, char separator)
{
    char *begin = *at, *end;

    if (!begin)
        return NULL;
    end = strchr(begin, separator);
    if (end)
        *end++ = '\0';
    *at = end;
    return begin;
}

char *ln_text_trim(char *text)
{
    size_t len;

    while (is_blank(*text))
        text++;
    len = strlen(text);
    while (len > 0 && is_blank(text[len - 1]))
        text[--len] = '\0';
    return text;
}

bool ln_text_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (*text < '0' || *text > '9' || number > max / 10 ||
            (number == max / 10 && digit > max % 10))
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool ln_text_same(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return !*a && !*b;
}

bool ln_text_same_n(const char *a, size_t len, const char *b)
{
    for (; len > 0 && *b; len--, a++, b++) {
        if (lower(*a) != lower(*b))
            return false;
    }
    return len == 0 && !*b;
}

bool ln_text_has_word(const char *list, const char *word)
{
    static const char separators[] = " \t,";
    size_t len = strlen(word), run;

    for (; *list; list += run) {
        list += strspn(list, separators);
        run = strcspn(list, separators);
        if (run == len && run > 0 && memcmp(list, word, len) == 0)
            return true;
    }
    return false;
}

char *ln_text_print(struct ln_arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int len;

    va_start(arguments, format);
    len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len >= 0)
        text = ln_arena_alloc(arena, (size_t)len + 1);
    if (text) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)len + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

void *ln_text_list_add(struct ln_arena *arena, struct ln_text_list *list, size_t element_size)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : element_size > LARGE_ELEMENT ? 1 : 4;
        void *data = ln_arena_alloc(arena, cap * element_size);

        if (!data)
            return NULL;
        if (list->count > 0)
            memcpy(data, list->data, list->count * element_size);
        list->data = data;
        list->cap = cap;
    }
    return (char *)list->data + list->count++ * element_size;
}
