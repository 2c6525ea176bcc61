/* SPDX-License-Identifier: Apache-2.0
 * RTCStatsReport (https://www.w3.org/TR/webrtc/#rtcstatsreport-object) with the dictionaries of
 * webrtc-stats as lists of named values: exactly the members that have a value. */
#ifndef LINNET_STATS_H
#define LINNET_STATS_H

#include <linnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_stats_report ln_stats_report;

enum ln_stats_value_kind {
    LN_STATS_BOOLEAN,
    LN_STATS_INTEGER, /* the IDL's integers */
    LN_STATS_NUMBER,  /* double and DOMHighResTimeStamp (milliseconds) */
    LN_STATS_TEXT,
    LN_STATS_RECORD, /* record<DOMString, double> */
};

struct ln_stats_record_entry {
    const char *name;
    double value;
};

struct ln_stats_member {
    const char *name; /* as in webrtc-stats.idl */
    enum ln_stats_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;
        struct {
            const struct ln_stats_record_entry *entries;
            size_t count;
        } record;
    } value;
};

/* One RTCStats dictionary. Lives as long as its report. */
struct ln_stats {
    const char *id;
    const char *type;    /* RTCStatsType, "inbound-rtp" */
    double timestamp_ms; /* milliseconds since 1970 */
    const struct ln_stats_member *members;
    size_t member_count;
};

LN_API size_t ln_stats_report_size(const ln_stats_report *report);
LN_API const struct ln_stats *ln_stats_report_at(const ln_stats_report *report, size_t index);
LN_API const struct ln_stats *ln_stats_report_get(const ln_stats_report *report, const char *id);
/* The member, or NULL when it has no value. */
LN_API const struct ln_stats_member *ln_stats_get(const struct ln_stats *stats, const char *name);

/* The report as one JSON array of objects, NUL-terminated. Returns the length that the text has, as
 * snprintf does; text may be NULL when cap is 0. */
LN_API size_t ln_stats_report_json(const ln_stats_report *report, char *text, size_t cap);
LN_API void ln_stats_report_free(ln_stats_report *report); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
