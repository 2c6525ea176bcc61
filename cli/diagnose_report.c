/* SPDX-License-Identifier: Apache-2.0
 * Verdicts as lines for people, or as one JSON object. */
#include "cli/diagnose.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = { "ok", "note", "warn", "fail" };

static void print_step(const char *step, enum verdict verdict, const char *text, const char *remedy)
{
    printf("%-5s %-11s %s\n", names[verdict], step, text);
    if (remedy)
        printf("%-5s %-11s try: %s\n", "", "", remedy);
    fflush(stdout);
}

void report_step(struct report *report, const char *step, enum verdict verdict, json_t *facts,
                 const char *remedy, const char *format, ...)
{
    char text[512];
    va_list arguments;
    json_t *object;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!report->json) {
        json_decref(facts);
        print_step(step, verdict, text, remedy);
        return;
    }
    object = json_pack("{s:s, s:s, s:s, s:s*}", "step", step, "verdict", names[verdict], "text",
                       text, "remedy", remedy);
    if (facts)
        json_object_update(object, facts);
    json_decref(facts);
    json_array_append_new(report->steps, object);
}

void report_end(struct report *report, enum verdict verdict, const char *sentence)
{
    json_t *object;

    if (!report->json) {
        print_step("verdict", verdict, sentence, NULL);
        return;
    }
    object = json_pack("{s:s, s:s, s:o}", "verdict", names[verdict], "text", sentence, "steps",
                       report->steps);
    report->steps = NULL;
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}
