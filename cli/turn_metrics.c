/* SPDX-License-Identifier: Apache-2.0
 * The TURN server's figures as Prometheus text, and its events as lines of a log. */
#include "cli/turn_metrics.h"

#include "cli/turn_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void write_transports(struct ln_metrics_text *out, const struct ln_turn_counts *c)
{
    const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
#define ROW(name_, type_, help_, field_)                                                           \
    { name_, type_, help_, offsetof(struct ln_turn_counts, transport[0].field_) }
        ROW("turn_allocations", "gauge", "Allocations, by the client's transport.", allocations),
        ROW("turn_sessions", "gauge", "Streams and DTLS sessions of clients.", sessions),
        ROW("turn_client_packets_total", "counter", "Packets relayed for clients.", packets_in),
        ROW("turn_client_bytes_total", "counter", "Payload relayed for clients.", bytes_in),
        ROW("turn_peer_packets_total", "counter", "Packets relayed to clients.", packets_out),
        ROW("turn_peer_bytes_total", "counter", "Payload relayed to clients.", bytes_out),
#undef ROW
    };
    const size_t stride = sizeof c->transport[0];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ln_metrics_head(out, rows[i].name, rows[i].type, rows[i].help);
        for (unsigned t = 0; t < LN_TURN_TRANSPORT_COUNT; t++) {
            uint64_t value;

            memcpy(&value, (const char *)c + rows[i].offset + t * stride, sizeof value);
            ln_metrics_value(out, rows[i].name, "transport", ln_turn_transport_name(t), value);
        }
    }
}

static void write_redis(struct ln_metrics_text *out, struct turn_redis *redis)
{
    struct turn_redis_stats s;

    turn_redis_stats(redis, &s);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        { "turn_redis_up", "gauge", "Whether the last read of users succeeded.", s.up },
        { "turn_redis_reads_total", "counter", "Reads of all users that succeeded.", s.reads },
        { "turn_redis_failures_total", "counter", "Connections and reads that failed.",
          s.failures },
        { "turn_redis_users", "gauge", "Users read last.", s.users },
        { "turn_redis_secrets", "gauge", "Secrets read last.", s.secrets },
        { "turn_redis_bad_entries", "gauge", "Entries of the last read that are no key.", s.bad },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ln_metrics_head(out, rows[i].name, rows[i].type, rows[i].help);
        ln_metrics_value(out, rows[i].name, NULL, NULL, rows[i].value);
    }
}

void turn_metrics_write(struct ln_metrics_text *out, struct ln_turn_service *service,
                        struct turn_redis *redis)
{
    struct ln_turn_counts c;

    ln_turn_service_counts(service, &c);
    write_transports(out, &c);
    if (redis)
        write_redis(out, redis);
    ln_metrics_head(out, "turn_users", "gauge", "Users with an allocation.");
    ln_metrics_value(out, "turn_users", NULL, NULL, ln_turn_service_users(service));
    ln_metrics_head(out, "turn_shared_ports", "gauge", "Relay ports that allocations share.");
    ln_metrics_value(out, "turn_shared_ports", NULL, NULL, c.shared_ports);
    ln_metrics_head(out, "turn_shared_port_relays", "gauge",
                    "Relays on them: of one family, as many allocations.");
    ln_metrics_value(out, "turn_shared_port_relays", NULL, NULL, c.shared_relays);
#define ROW(name_, help_)                                                                          \
    ln_metrics_head(out, "turn_" #name_ "_total", "counter", help_);                               \
    ln_metrics_value(out, "turn_" #name_ "_total", NULL, NULL, c.name_);
    LN_TURN_COUNTER_TABLE(ROW)
#undef ROW
    ln_metrics_head(out, "turn_ended_total", "counter", "Allocations that ended, by why.");
    for (unsigned k = 0; k < LN_TURN_END_COUNT; k++)
        ln_metrics_value(out, "turn_ended_total", "reason", ln_turn_end_name((enum ln_turn_end)k),
                         c.ended[k]);
    ln_metrics_head(out, "turn_refused_peers_by_class_total", "counter",
                    "Peer addresses refused, by what they are.");
    for (unsigned k = 1; k < LN_TURN_CLASS_COUNT; k++)
        ln_metrics_value(out, "turn_refused_peers_by_class_total", "class",
                         ln_turn_class_name((enum ln_turn_class)k), c.refused_class[k]);
}

/* ---- the log ---- */

static const char *event_name(enum ln_turn_event_kind kind)
{
    static const char *const names[] = { "allocated", "moved",        "ended",
                                         "refused",   "refused-peer", "wrong-credentials" };

    return names[kind];
}

static void write_stamp(FILE *out)
{
    struct timespec now;
    struct tm parts;
    char text[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(out, "{\"time\":\"%s.%03ldZ\"", text, now.tv_nsec / 1000000);
}

/* Names hold printable ASCII only; two of its characters need an escape. */
static void write_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":\"", name);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_address(FILE *out, const char *name, const struct ln_address *address)
{
    char text[LN_ADDRESS_TEXT_MAX];

    if (address->family)
        fprintf(out, ",\"%s\":\"%s\"", name, ln_address_format(address, text));
}

void turn_log_event(FILE *out, const struct ln_turn_event *event, bool addresses)
{
    write_stamp(out);
    fprintf(out, ",\"event\":\"%s\",\"transport\":\"%s\"", event_name(event->kind),
            ln_turn_transport_name(event->transport));
    if (event->allocation)
        fprintf(out, ",\"allocation\":%" PRIu64, event->allocation);
    if (event->user[0])
        write_text(out, "user", event->user);
    if (event->code)
        fprintf(out, ",\"code\":%u", event->code);
    if (event->kind == LN_TURN_EVENT_REFUSED_PEER)
        fprintf(out, ",\"reason\":\"%s\"", ln_turn_class_name(event->peer_class));
    if (event->kind == LN_TURN_EVENT_ENDED)
        fprintf(out,
                ",\"reason\":\"%s\",\"seconds\":%.3f,\"bytes_from_client\":%" PRIu64
                ",\"bytes_to_client\":%" PRIu64,
                ln_turn_end_name(event->end), (double)event->duration / 1e9,
                event->bytes_from_client, event->bytes_to_client);
    if (addresses) {
        write_address(out, "client", &event->client);
        write_address(out, "relayed", &event->relayed);
        write_address(out, "peer", &event->peer);
    }
    fprintf(out, "}\n");
}

void turn_log_check(FILE *out, const struct self_test_result *result, bool addresses)
{
    static const char *const kinds[] = { "udp", "tcp", "tls", "dtls", "certificate", "external" };
    static const char *const verdicts[] = { "ok", "warning", "failed" };

    write_stamp(out);
    fprintf(out, ",\"event\":\"self-test\",\"check\":\"%s\",\"verdict\":\"%s\"",
            kinds[result->kind], verdicts[result->verdict]);
    if (result->address.port)
        fprintf(out, ",\"port\":%u", result->address.port);
    if (result->name[0])
        write_text(out, "name", result->name);
    if (result->expires_ms)
        fprintf(out, ",\"expires\":%" PRId64, result->expires_ms / 1000);
    if (addresses || result->kind != SELF_TEST_EXTERNAL)
        write_text(out, "text", result->text);
    if (addresses) {
        write_address(out, "address", &result->address);
        write_address(out, "seen", &result->seen);
    }
    fprintf(out, "}\n");
    fflush(out);
}
