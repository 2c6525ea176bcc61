/* SPDX-License-Identifier: Apache-2.0
 * Everything of a report stands in one arena, members of an object one after another. */
#include "peer/stats_report.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ln_stats_report *ln_stats_report_create(struct ln_allocator *allocator, double timestamp_ms)
{
    ln_stats_report *report = ln_alloc_zero(allocator, sizeof *report);

    if (!report)
        return NULL;
    report->allocator = allocator;
    report->timestamp_ms = timestamp_ms;
    ln_arena_init(&report->arena, allocator, LN_STATS_BYTES_MAX);
    return report;
}

void ln_stats_report_free(ln_stats_report *report)
{
    if (!report)
        return;
    ln_arena_deinit(&report->arena);
    ln_free(report->allocator, report->objects);
    ln_free(report->allocator, report);
}

static void end_object(ln_stats_report *report)
{
    struct ln_stats *object;
    struct ln_stats_member *members;

    if (report->failed || report->count == 0)
        return;
    object = &report->objects[report->count - 1];
    if (object->members)
        return;
    members = ln_arena_alloc(&report->arena, report->member_count * sizeof *members);
    if (!members) {
        report->failed = true;
        return;
    }
    memcpy(members, report->members, report->member_count * sizeof *members);
    object->members = members;
    object->member_count = report->member_count;
}

static char *format_text(ln_stats_report *report, const char *format, va_list arguments)
{
    char text[512];
    int len = vsnprintf(text, sizeof text, format, arguments);
    char *copy;

    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof text)
        len = sizeof text - 1;
    copy = ln_arena_text(&report->arena, text, (size_t)len);
    if (!copy)
        report->failed = true;
    return copy;
}

void ln_stats_begin(ln_stats_report *report, const char *type, const char *id_format, ...)
{
    struct ln_stats *object;
    va_list arguments;

    end_object(report);
    if (report->failed)
        return;
    if (!report->members) {
        report->members = ln_arena_alloc(&report->arena,
                                         LN_STATS_MEMBERS_MAX * sizeof *report->members);
        report->failed = !report->members;
    }
    if (report->failed || ln_grow(report->allocator, &report->objects, sizeof *object,
                                  report->count, &report->capacity, LN_STATS_OBJECTS_MAX) != 0) {
        report->failed = true;
        return;
    }
    object = &report->objects[report->count++];
    memset(object, 0, sizeof *object);
    report->member_count = 0;
    object->type = type;
    object->timestamp_ms = report->timestamp_ms;
    va_start(arguments, id_format);
    object->id = format_text(report, id_format, arguments);
    va_end(arguments);
}

static struct ln_stats_member *add(ln_stats_report *report, const char *name,
                                   enum ln_stats_value_kind kind)
{
    struct ln_stats_member *member;

    if (report->failed || report->member_count == LN_STATS_MEMBERS_MAX) {
        report->failed = true;
        return NULL;
    }
    member = &report->members[report->member_count++];
    member->name = name;
    member->kind = kind;
    return member;
}

void ln_stats_add_boolean(ln_stats_report *report, const char *name, bool value)
{
    struct ln_stats_member *member = add(report, name, LN_STATS_BOOLEAN);

    if (member)
        member->value.boolean = value;
}

void ln_stats_add_integer(ln_stats_report *report, const char *name, int64_t value)
{
    struct ln_stats_member *member = add(report, name, LN_STATS_INTEGER);

    if (member)
        member->value.integer = value;
}

void ln_stats_add_number(ln_stats_report *report, const char *name, double value)
{
    struct ln_stats_member *member = add(report, name, LN_STATS_NUMBER);

    if (member)
        member->value.number = value;
}

void ln_stats_add_text(ln_stats_report *report, const char *name, const char *text)
{
    struct ln_stats_member *member;
    char *copy;

    if (!text || report->failed)
        return;
    copy = ln_arena_text(&report->arena, text, strlen(text));
    if (!copy) {
        report->failed = true;
        return;
    }
    member = add(report, name, LN_STATS_TEXT);
    if (member)
        member->value.text = copy;
}

void ln_stats_add_format(ln_stats_report *report, const char *name, const char *format, ...)
{
    struct ln_stats_member *member;
    va_list arguments;
    char *text;

    if (report->failed)
        return;
    va_start(arguments, format);
    text = format_text(report, format, arguments);
    va_end(arguments);
    member = add(report, name, LN_STATS_TEXT);
    if (member)
        member->value.text = text;
}

void ln_stats_add_record(ln_stats_report *report, const char *name,
                         const struct ln_stats_record_entry *entries, size_t count)
{
    struct ln_stats_record_entry *copy;
    struct ln_stats_member *member;

    if (report->failed)
        return;
    copy = ln_arena_alloc(&report->arena, count * sizeof *copy);
    if (!copy) {
        report->failed = true;
        return;
    }
    memcpy(copy, entries, count * sizeof *copy);
    member = add(report, name, LN_STATS_RECORD);
    if (member) {
        member->value.record.entries = copy;
        member->value.record.count = count;
    }
}

int ln_stats_finish(ln_stats_report *report)
{
    end_object(report);
    if (!report->failed)
        return 0;
    ln_stats_report_free(report);
    return LN_ERR_NOMEM;
}

size_t ln_stats_report_size(const ln_stats_report *report)
{
    return report->count;
}

const struct ln_stats *ln_stats_report_at(const ln_stats_report *report, size_t index)
{
    return index < report->count ? &report->objects[index] : NULL;
}

const struct ln_stats *ln_stats_report_get(const ln_stats_report *report, const char *id)
{
    size_t i;

    for (i = 0; i < report->count; i++)
        if (strcmp(report->objects[i].id, id) == 0)
            return &report->objects[i];
    return NULL;
}

const struct ln_stats_member *ln_stats_get(const struct ln_stats *stats, const char *name)
{
    size_t i;

    for (i = 0; i < stats->member_count; i++)
        if (strcmp(stats->members[i].name, name) == 0)
            return &stats->members[i];
    return NULL;
}

/* A JSON text under construction, which counts on past its room. */
struct json {
    char *text;
    size_t cap, len;
};

static void put(struct json *json, const char *text, size_t len)
{
    if (json->len < json->cap) {
        size_t room = json->cap - json->len;

        memcpy(json->text + json->len, text, len < room ? len : room);
    }
    json->len += len;
}

static void put_text(struct json *json, const char *text)
{
    put(json, text, strlen(text));
}

static void put_quoted(struct json *json, const char *text)
{
    put(json, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escape[8];

        if (c == '"' || c == '\\')
            put(json, escape, (size_t)snprintf(escape, sizeof escape, "\\%c", c));
        else if (c < 0x20)
            put(json, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        else
            put(json, text, 1);
    }
    put(json, "\"", 1);
}

static void put_number(struct json *json, double value)
{
    char text[40];

    if (isfinite(value))
        put(json, text, (size_t)snprintf(text, sizeof text, "%.15g", value));
    else
        put_text(json, "null");
}

static void put_member(struct json *json, const struct ln_stats_member *member)
{
    char text[32];
    size_t i;

    put_quoted(json, member->name);
    put(json, ":", 1);
    switch (member->kind) {
    case LN_STATS_BOOLEAN:
        put_text(json, member->value.boolean ? "true" : "false");
        break;
    case LN_STATS_INTEGER:
        put(json, text, (size_t)snprintf(text, sizeof text, "%" PRId64, member->value.integer));
        break;
    case LN_STATS_NUMBER:
        put_number(json, member->value.number);
        break;
    case LN_STATS_TEXT:
        put_quoted(json, member->value.text);
        break;
    case LN_STATS_RECORD:
        put(json, "{", 1);
        for (i = 0; i < member->value.record.count; i++) {
            if (i > 0)
                put(json, ",", 1);
            put_quoted(json, member->value.record.entries[i].name);
            put(json, ":", 1);
            put_number(json, member->value.record.entries[i].value);
        }
        put(json, "}", 1);
        break;
    }
}

size_t ln_stats_report_json(const ln_stats_report *report, char *text, size_t cap)
{
    struct json json = { text, cap > 0 ? cap - 1 : 0, 0 };
    size_t i, m;

    put(&json, "[", 1);
    for (i = 0; i < report->count; i++) {
        const struct ln_stats *stats = &report->objects[i];

        put_text(&json, i > 0 ? ",{\"id\":" : "{\"id\":");
        put_quoted(&json, stats->id);
        put_text(&json, ",\"type\":");
        put_quoted(&json, stats->type);
        put_text(&json, ",\"timestamp\":");
        put_number(&json, stats->timestamp_ms);
        for (m = 0; m < stats->member_count; m++) {
            put(&json, ",", 1);
            put_member(&json, &stats->members[m]);
        }
        put(&json, "}", 1);
    }
    put(&json, "]", 1);
    if (cap > 0)
        text[json.len < cap - 1 ? json.len : cap - 1] = '\0';
    return json.len;
}
