/* SPDX-License-Identifier: Apache-2.0
 * Figures as Prometheus text. Names: prefix linnet_, base units, _total for counters; labels only
 * where the values are few. */
#include "servers/signal/wiring/service.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void append(struct ln_metrics_text *out,
                                                         const char *format, ...)
{
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(out->text + out->len, out->cap - out->len, format, arguments);
    va_end(arguments);
    if (len > 0 && (size_t)len < out->cap - out->len)
        out->len += (size_t)len;
    else
        out->text[out->len] = '\0'; /* a line that does not fit is left out whole */
}

void ln_metrics_head(struct ln_metrics_text *out, const char *name, const char *type,
                     const char *help)
{
    append(out, "# HELP linnet_%s %s\n# TYPE linnet_%s %s\n", name, help, name, type);
}

void ln_metrics_value(struct ln_metrics_text *out, const char *name, const char *label,
                      const char *value, uint64_t number)
{
    if (label)
        append(out, "linnet_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, number);
    else
        append(out, "linnet_%s %" PRIu64 "\n", name, number);
}

struct plain {
    const char *name, *type, *help;
    uint64_t number;
};

static void write_plain(struct ln_metrics_text *out, const struct plain *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ln_metrics_head(out, rows[i].name, rows[i].type, rows[i].help);
        ln_metrics_value(out, rows[i].name, NULL, NULL, rows[i].number);
    }
}

void ln_metrics_signal(struct ln_metrics_text *out, const struct ln_signal_figures *f)
{
    const struct plain rows[] = {
        { "rooms", "gauge", "Rooms with participants.", f->rooms },
        { "participants", "gauge", "Participants of all rooms.", f->participants },
        { "participants_away", "gauge", "Participants whose socket broke, in their grace period.",
          f->resumable },
        { "signal_connections", "gauge", "WebSockets known to the signalling.", f->connections },
        { "joins_total", "counter", "Participants that joined a room.", f->joined },
        { "resumes_total", "counter", "Sessions resumed on a new socket.", f->resumed },
        { "participants_lost_total", "counter", "Participants whose grace period ran out.",
          f->lost },
        { "signal_refused_origins_total", "counter", "Handshakes from a foreign origin.",
          f->refused_origins },
        { "signal_refused_limits_total", "counter", "Handshakes above a limit.",
          f->refused_limits },
        { "signal_duplicates_total", "counter", "Messages that came a second time.",
          f->duplicates },
        { "signal_received_bytes_total", "counter", "Bytes of messages received.",
          f->received_bytes },
        { "signal_sent_messages_total", "counter", "Messages written.", f->sent_messages },
        { "signal_sent_bytes_total", "counter", "Bytes of messages written.", f->sent_bytes },
    };

    write_plain(out, rows, sizeof rows / sizeof *rows);
    ln_metrics_head(out, "signal_messages_total", "counter", "Messages received, by type.");
    for (int i = 0; i < LN_SIGNAL_TYPE_COUNT; i++)
        ln_metrics_value(out, "signal_messages_total", "type",
                         ln_signal_type_name((enum ln_signal_type)i), f->received[i]);
    ln_metrics_head(out, "signal_errors_total", "counter", "Error replies, by code.");
    for (int i = 0; i < LN_SIGNAL_ERROR_COUNT; i++)
        ln_metrics_value(out, "signal_errors_total", "code",
                         ln_signal_error_code((enum ln_signal_error)i), f->errors[i]);
}

void ln_metrics_http(struct ln_metrics_text *out, const struct ln_http_figures *f)
{
    const struct plain rows[] = {
        { "http_connections", "gauge", "Open connections.", f->connections },
        { "http_websockets", "gauge", "Open WebSockets.", f->websockets },
        { "http_requests_total", "counter", "Requests.", f->requests },
        { "http_bad_requests_total", "counter", "Requests that were not well-formed.",
          f->bad_requests },
        { "http_not_found_total", "counter", "Requests for what is not there.", f->not_found },
        { "http_timeouts_total", "counter", "Connections that were too slow.", f->timeouts },
        { "http_refused_connections_total", "counter", "Connections above the limit.",
          f->refused_connections },
        { "websockets_opened_total", "counter", "WebSockets opened.", f->websockets_opened },
        { "websockets_refused_total", "counter", "WebSocket handshakes refused.",
          f->websockets_refused },
    };
    const struct {
        const char *reason;
        uint64_t number;
    } closed[] = {
        { "too_big", f->closed_too_big }, { "bad_text", f->closed_bad_text },
        { "binary", f->closed_binary },   { "protocol", f->closed_protocol },
        { "flood", f->closed_flood },
    };

    write_plain(out, rows, sizeof rows / sizeof *rows);
    ln_metrics_head(out, "websockets_closed_total", "counter",
                    "WebSockets closed for what came on them, by reason.");
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        ln_metrics_value(out, "websockets_closed_total", "reason", closed[i].reason,
                         closed[i].number);
}
