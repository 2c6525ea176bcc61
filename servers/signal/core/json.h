/* SPDX-License-Identifier: Apache-2.0
 * JSON for the signalling core: a table of the members a message has, and its text in our memory.
 */
#ifndef LN_SIGNAL_CORE_JSON_H
#define LN_SIGNAL_CORE_JSON_H

#include <linnet/env.h>

#include <jansson.h>

enum member_kind {
    MEMBER_END,
    MEMBER_TEXT,
    MEMBER_TEXT_OR_NULL,
    MEMBER_NUMBER,
    MEMBER_NUMBER_OR_NULL,
    MEMBER_OBJECT
};

struct member {
    enum member_kind kind;
    const char *name;
    bool required;
    size_t max; /* bytes of a text, the value of a number; 0: no limit of its own */
    const struct member *members; /* of an object */
};

/* Whether the object has the members it must have and all known ones are as the table says. If not,
 * writes one sentence to `sentence`. */
bool json_members_valid(const json_t *object, const struct member *members, char *sentence,
                        size_t cap);

/* A new object of the members the table knows; NULL without memory. */
json_t *json_known_members(const json_t *object, const struct member *members);

/* The text of a value in memory of the allocator, with a NUL that *ret_len does not count; takes
 * the value. NULL without memory, or when value is NULL. */
char *json_to_text(struct ln_allocator *allocator, json_t *value, size_t *ret_len);

/* The text of a member, or NULL. */
const char *json_member_text(const json_t *object, const char *name);

#endif
