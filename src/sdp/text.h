/* SPDX-License-Identifier: Apache-2.0
 * Taking a line of text apart in place, and arrays that grow in an arena. Inside sdp/ only.
 *
 * A line is a writable text; what is cut from it is ended with a NUL where its separator stood. */
#ifndef LN_SDP_TEXT_H
#define LN_SDP_TEXT_H

#include "base/arena.h"

/* Cuts the next run without blanks (space, tab); NULL at the end. */
char *ln_text_token(char **at);
/* Cuts up to the next `separator` or the end; NULL once the text is used up. */
char *ln_text_until(char **at, char separator);
/* Skips blanks at the front, cuts them off the end. */
char *ln_text_trim(char *text);
/* All digits and at most max; else false with ret_number untouched. */
bool ln_text_number(const char *text, uint64_t max, uint64_t *ret_number);
/* Equal but for the case of ASCII letters. */
bool ln_text_same(const char *a, const char *b);
bool ln_text_same_n(const char *a, size_t len, const char *b);
/* Whether the list has the word. Blanks separate; commas too, as libdatachannel wrote for years. */
bool ln_text_has_word(const char *list, const char *word);
/* "%s" and the like into the arena; NULL when out of memory. */
char *ln_text_print(struct ln_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct ln_text_list {
    void *data;
    size_t count, cap;
};
/* The address of a new zeroed last element. NULL: out of memory. */
void *ln_text_list_add(struct ln_arena *arena, struct ln_text_list *list, size_t element_size);

#endif
