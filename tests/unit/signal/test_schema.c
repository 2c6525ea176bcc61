/* SPDX-License-Identifier: Apache-2.0
 * The schema in docs/ names the messages and error codes that the program has, and the page about
 * the protocol has a row for each. */
#include "tests/unit/signal/driver.h"

static json_t *load_schema(void)
{
    size_t len;
    const char *text = (const char *)test_file("docs/signalling.schema.json", &len);
    json_t *schema = json_loadb(text, len, 0, NULL);

    CHECK(schema);
    return schema;
}

static const json_t *path(const json_t *at, const char *const *names)
{
    for (; *names; names++)
        at = json_object_get(at, *names);
    return at;
}

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (strcmp(json_string_value(item), text) == 0) return true;
    return false;
}

LN_TEST(schema, names_every_message_of_clients)
{
    json_t *schema = load_schema();
    const json_t *list = path(schema, (const char *const[]){ "$defs", "client", "oneOf", NULL });

    CHECK(json_array_size(list) == LN_SIGNAL_TYPE_COUNT);
    for (int i = 0; i < LN_SIGNAL_TYPE_COUNT; i++) {
        const char *name = json_string_value(
            path(json_array_get(list, (size_t)i),
                 (const char *const[]){ "properties", "type", "const", NULL }));

        CHECK_TEXT(name, ln_signal_type_name((enum ln_signal_type)i));
    }
    json_decref(schema);
}

LN_TEST(schema, and_the_page_name_every_error)
{
    json_t *schema = load_schema();
    const json_t *list = path(schema, (const char *const[]){ "$defs", "server", "oneOf", NULL });
    const json_t *codes = NULL;
    char *page, row[64];
    size_t i, len;
    json_t *item;

    json_array_foreach(list, i,
                       item) if (path(item, (const char *const[]){ "properties", "code", NULL }))
        codes = path(item, (const char *const[]){ "properties", "code", "enum", NULL });
    CHECK(json_array_size(codes) == LN_SIGNAL_ERROR_COUNT);
    page = (char *)test_file("docs/signalling.md", &len);
    page[len - 1] = '\0';
    for (int e = 0; e < LN_SIGNAL_ERROR_COUNT; e++) {
        CHECK(has_text(codes, ln_signal_error_code((enum ln_signal_error)e)));
        snprintf(row, sizeof row, "\n| `%s` |", ln_signal_error_code((enum ln_signal_error)e));
        CHECK(strstr(page, row));
    }
    json_decref(schema);
}
