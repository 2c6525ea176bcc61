/* SPDX-License-Identifier: Apache-2.0
 * Building an RTCStatsReport: begin an object, add its members, in any number. Errors are kept and
 * come out of _finish(), so that the collectors stay plain lists of members. */
#ifndef LN_PEER_STATS_REPORT_H
#define LN_PEER_STATS_REPORT_H

#include "base/arena.h"

#include <linnet/stats.h>

#define LN_STATS_OBJECTS_MAX 1024u
#define LN_STATS_MEMBERS_MAX 128u
#define LN_STATS_BYTES_MAX   (4u << 20)

struct ln_stats_report {
    struct ln_allocator *allocator;
    struct ln_arena arena;
    struct ln_stats *objects;
    size_t count, capacity;
    struct ln_stats_member *members; /* of the object being built */
    size_t member_count;
    double timestamp_ms;
    bool failed;
};

LN_NODISCARD ln_stats_report *ln_stats_report_create(struct ln_allocator *allocator,
                                                     double timestamp_ms);

/* Ends the object before and begins the next. The id is printf-like. */
void ln_stats_begin(ln_stats_report *report, const char *type, const char *id_format, ...)
    __attribute__((format(printf, 3, 4)));
void ln_stats_add_boolean(ln_stats_report *report, const char *name, bool value);
void ln_stats_add_integer(ln_stats_report *report, const char *name, int64_t value);
void ln_stats_add_number(ln_stats_report *report, const char *name, double value);
/* The text is copied; NULL adds nothing. */
void ln_stats_add_text(ln_stats_report *report, const char *name, const char *text);
void ln_stats_add_format(ln_stats_report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ln_stats_add_record(ln_stats_report *report, const char *name,
                         const struct ln_stats_record_entry *entries, size_t count);

/* Ends the last object. 0, or LN_ERR_NOMEM with the report freed. */
LN_NODISCARD int ln_stats_finish(ln_stats_report *report);

#endif
