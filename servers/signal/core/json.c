/* SPDX-License-Identifier: Apache-2.0
 * Members by table, and dumping. Texts come from jansson's parser, so they are UTF-8 without NUL.
 */
#include "servers/signal/core/json.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static bool text_valid(const json_t *value, const struct member *m, char *sentence, size_t cap)
{
    if (!json_is_string(value)) {
        snprintf(sentence, cap, "The member \"%s\" must be a text.", m->name);
        return false;
    }
    if (m->max && json_string_length(value) > m->max) {
        snprintf(sentence, cap, "The member \"%s\" is longer than %zu bytes.", m->name, m->max);
        return false;
    }
    return true;
}

static bool number_valid(const json_t *value, const struct member *m, char *sentence, size_t cap)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        snprintf(sentence, cap, "The member \"%s\" must be a whole number from 0.", m->name);
        return false;
    }
    if (m->max && (unsigned long long)json_integer_value(value) > m->max) {
        snprintf(sentence, cap, "The member \"%s\" is larger than %zu.", m->name, m->max);
        return false;
    }
    return true;
}

static bool member_valid(const json_t *value, const struct member *m, char *sentence, size_t cap)
{
    switch (m->kind) {
    case MEMBER_TEXT_OR_NULL:
        if (json_is_null(value))
            return true;
        return text_valid(value, m, sentence, cap);
    case MEMBER_TEXT:
        return text_valid(value, m, sentence, cap);
    case MEMBER_NUMBER_OR_NULL:
        if (json_is_null(value))
            return true;
        return number_valid(value, m, sentence, cap);
    case MEMBER_NUMBER:
        return number_valid(value, m, sentence, cap);
    case MEMBER_OBJECT:
        if (!json_is_object(value)) {
            snprintf(sentence, cap, "The member \"%s\" must be an object.", m->name);
            return false;
        }
        return json_members_valid(value, m->members, sentence, cap);
    case MEMBER_END:
        break;
    }
    return false;
}

bool json_members_valid(const json_t *object, const struct member *members, char *sentence,
                        size_t cap)
{
    for (const struct member *m = members; m->kind != MEMBER_END; m++) {
        const json_t *value = json_object_get(object, m->name);

        if (!value && m->required) {
            snprintf(sentence, cap, "The member \"%s\" is missing.", m->name);
            return false;
        }
        if (value && !member_valid(value, m, sentence, cap))
            return false;
    }
    return true;
}

json_t *json_known_members(const json_t *object, const struct member *members)
{
    json_t *copy = json_object();

    for (const struct member *m = members; copy && m->kind != MEMBER_END; m++) {
        json_t *value = json_object_get(object, m->name);

        if (value && json_object_set(copy, m->name, value) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

char *json_to_text(struct ln_allocator *allocator, json_t *value, size_t *ret_len)
{
    size_t len = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    char *text = len ? ln_alloc(allocator, len + 1) : NULL;

    if (text && json_dumpb(value, text, len, JSON_COMPACT) == len) {
        text[len] = '\0';
        *ret_len = len;
    } else {
        ln_free(allocator, text);
        text = NULL;
    }
    json_decref(value);
    return text;
}

const char *json_member_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
