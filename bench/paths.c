/* SPDX-License-Identifier: Apache-2.0
 * `linnet bench paths`: one association over an emulated link in virtual time, for each round trip,
 * loss and rate of a matrix. The link is a queue of one bandwidth-delay product (at least 64 KiB)
 * before a line of that rate, in each direction; losses are random and independent. Reported is
 * what the link carries of the application's bytes, with the headers they need, in the last third
 * of the run, and the queueing delay that the sender caused meanwhile. */
#include "bench/bench.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sctp/cc.h"
#include "sctp/sctp.h"

#include <linnet/environment.h>
#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS        10
#define OVERHEAD_BYTES 65u /* DTLS, UDP and IP around an SCTP packet */
#define QUEUE_MIN      65536u
#define MESSAGE_BYTES  65536u
#define UNSENT_BYTES   (4u << 20)
#define PACKETS_MAX    (1u << 18) /* under way in one direction */
#define SEED           0x9e3779b97f4a7c15u

struct packet {
    ln_time at;
    uint16_t len;
    uint8_t data[LN_SCTP_PACKET_BYTES];
};

/* One direction: packets leave in the order in which they came. */
struct line {
    struct packet *packets; /* a ring */
    size_t head, tail;
    ln_time free_at; /* the line has sent all that is queued */
};

struct path {
    struct ln_sctp *end[2];
    struct line lines[2]; /* from each end */
    ln_time now, from, until;
    ln_duration one_way;
    double loss, ns_per_byte;
    ln_duration queue_limit;
    uint64_t chance;    /* xorshift64*: the path is the same in every run */
    uint64_t delivered; /* since `from` */
    ln_duration queue_most;
    double queue_sum;
    size_t queue_count;
};

static const struct {
    const char *name;
    const struct ln_sctp_cc_ops *ops;
} controls[] = {
    { "cubic", &ln_sctp_cc_cubic },
    { "model", &ln_sctp_cc_model },
    { "delay", &ln_sctp_cc_delay },
    { "reno", &ln_sctp_cc_reno },
};

static void note_queue(struct path *p, ln_duration queue)
{
    if (p->now < p->from)
        return;
    p->queue_sum += (double)queue;
    p->queue_count++;
    if (queue > p->queue_most)
        p->queue_most = queue;
}

static double chance(struct path *p)
{
    p->chance ^= p->chance >> 12;
    p->chance ^= p->chance << 25;
    p->chance ^= p->chance >> 27;
    return (double)(p->chance * 0x2545f4914f6cdd1du >> 11) / 9007199254740992.0;
}

static void carry(struct path *p, int from, const uint8_t *data, size_t len)
{
    struct line *line = &p->lines[from];
    ln_time start = ln_time_max(line->free_at, p->now);
    ln_duration queue = start - p->now;
    struct packet *packet;

    if (from == 0)
        note_queue(p, queue);
    if (queue > p->queue_limit || line->tail - line->head == PACKETS_MAX)
        return;
    line->free_at = start + (ln_duration)((double)(len + OVERHEAD_BYTES) * p->ns_per_byte);
    if (chance(p) < p->loss)
        return;
    packet = &line->packets[line->tail++ % PACKETS_MAX];
    packet->at = line->free_at + p->one_way;
    packet->len = (uint16_t)len;
    memcpy(packet->data, data, len);
}

static void fill(struct path *p, const uint8_t *message)
{
    while (ln_sctp_buffered_amount(p->end[0], 0) < UNSENT_BYTES)
        if (ln_sctp_send(p->end[0], 0, 53, message, MESSAGE_BYTES, NULL) != 0)
            break;
}

static void take(struct path *p)
{
    struct ln_sctp_event event;

    while (ln_sctp_poll_event(p->end[1], &event))
        if (event.kind == LN_SCTP_EVENT_MESSAGE && p->now >= p->from)
            p->delivered += event.len;
    while (ln_sctp_poll_event(p->end[0], &event))
        ;
}

static void transmit(struct path *p)
{
    uint8_t out[LN_SCTP_PACKET_BYTES];
    size_t len;

    for (int i = 0; i < 2; i++)
        while ((len = ln_sctp_poll_transmit(p->end[i], p->now, out, sizeof out)) > 0)
            carry(p, i, out, len);
}

/* To the next moment at which something happens. */
static void step(struct path *p)
{
    ln_time next = p->until;

    for (int i = 0; i < 2; i++) {
        const struct line *line = &p->lines[i];

        next = ln_time_min(next, ln_sctp_next_timeout(p->end[i]));
        if (line->head < line->tail)
            next = ln_time_min(next, line->packets[line->head % PACKETS_MAX].at);
    }
    p->now = ln_time_max(p->now, next);
    for (int i = 0; i < 2; i++) {
        struct line *line = &p->lines[1 - i];

        if (ln_sctp_next_timeout(p->end[i]) <= p->now)
            ln_sctp_on_timeout(p->end[i], p->now);
        while (line->head < line->tail && line->packets[line->head % PACKETS_MAX].at <= p->now) {
            struct packet *packet = &line->packets[line->head++ % PACKETS_MAX];

            ln_sctp_receive(p->end[i], p->now, packet->data, packet->len);
        }
    }
}

static int run(struct path *p, const struct ln_env *env, const struct ln_sctp_cc_ops *control)
{
    static uint8_t message[MESSAGE_BYTES]; /* bench: one thread */
    struct ln_sctp_config config;
    int error;

    ln_sctp_config_init(&config);
    config.cc = control;
    for (int i = 0; i < 2; i++) {
        error = ln_sctp_create(&p->end[i], &config, env);
        if (error)
            return error;
        ln_sctp_start(p->end[i], p->now);
    }
    while (p->now < p->until) {
        fill(p, message);
        transmit(p);
        step(p);
        take(p);
    }
    return 0;
}

static json_t *row_of(const struct path *p, const char *name, int rtt_ms, double loss, int mbit,
                      double cpu)
{
    double seconds = (double)(p->until - p->from) / 1e9;
    double mbit_per_s = (double)p->delivered * 8 / 1e6 / seconds;
    double headers = (double)(LN_SCTP_PACKET_BYTES + OVERHEAD_BYTES) /
                     (double)(LN_SCTP_PACKET_BYTES - 28);
    double mean = p->queue_count > 0 ? p->queue_sum / (double)p->queue_count : 0;

    return json_pack("{s:s, s:s, s:i, s:f, s:i, s:f, s:f, s:f, s:f, s:f}", "stack", "linnet",
                     "control", name, "rtt_ms", rtt_ms, "loss_percent", loss * 100, "rate_mbit_s",
                     mbit, "mbit_per_s", mbit_per_s, "link_share", mbit_per_s * headers / mbit,
                     "queue_mean_ms", mean / 1e6, "queue_max_ms", (double)p->queue_most / 1e6,
                     "cpu_s", cpu);
}

static int one_path(const struct bench_options *options, struct line lines[2], size_t control,
                    int rtt_ms, double loss, int mbit, json_t *rows)
{
    struct path *p = calloc(1, sizeof *p);
    ln_environment *environment = NULL;
    double cpu = bench_cpu_seconds();
    ln_duration length = LN_SECONDS(options->seconds ? options->seconds : SECONDS);
    int error;

    if (!p)
        return LN_ERR_NOMEM;
    error = ln_environment_create(NULL, NULL, &environment);
    if (error) {
        free(p);
        return error;
    }
    memcpy(p->lines, lines, sizeof p->lines);
    p->now = LN_SECONDS(1);
    p->until = p->now + length;
    p->from = p->until - length / 3;
    p->one_way = LN_MILLISECONDS(rtt_ms) / 2;
    p->loss = loss;
    p->ns_per_byte = 8e3 / mbit;
    p->queue_limit = LN_MILLISECONDS(rtt_ms);
    if ((double)p->queue_limit < QUEUE_MIN * p->ns_per_byte)
        p->queue_limit = (ln_duration)(QUEUE_MIN * p->ns_per_byte);
    p->chance = SEED;
    error = run(p, ln_environment_env(environment), controls[control].ops);
    if (!error)
        json_array_append_new(
            rows, row_of(p, controls[control].name, rtt_ms, loss, mbit, bench_cpu_seconds() - cpu));
    ln_sctp_free(p->end[0]);
    ln_sctp_free(p->end[1]);
    ln_environment_free(environment);
    free(p);
    return error;
}

/* Is it in the list, or is there no list? */
static bool wanted(const char *list, const char *name)
{
    size_t len = strlen(name);

    if (!list)
        return true;
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static bool number_wanted(const char *list, double number)
{
    char text[32];

    snprintf(text, sizeof text, "%g", number);
    return wanted(list, text);
}

static int all_paths(const struct bench_options *options, struct line lines[2], json_t *rows)
{
    static const int rtts[] = { 1, 20, 50, 100, 200 }, rates[] = { 10, 100, 1000 };
    static const double losses[] = { 0, 0.1, 1, 3 };
    int error = 0;

    for (size_t c = 0; c < sizeof controls / sizeof *controls; c++)
        for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
            for (size_t k = 0; k < sizeof rtts / sizeof *rtts; k++)
                for (size_t m = 0; m < sizeof losses / sizeof *losses && !error; m++)
                    if (wanted(options->controls ? options->controls : "cubic,model",
                               controls[c].name) &&
                        number_wanted(options->rates, rates[i]) &&
                        number_wanted(options->rtts, rtts[k]) &&
                        number_wanted(options->losses, losses[m]))
                        error = one_path(options, lines, c, rtts[k], losses[m] / 100, rates[i],
                                         rows);
    return error;
}

int bench_paths(const struct bench_options *options, json_t *rows)
{
    struct line lines[2] = { { 0 }, { 0 } };
    int error = LN_ERR_NOMEM;

    for (int i = 0; i < 2; i++)
        lines[i].packets = malloc(PACKETS_MAX * sizeof *lines[i].packets);
    if (lines[0].packets && lines[1].packets)
        error = all_paths(options, lines, rows);
    if (!error)
        bench_other_stacks("paths", options, rows);
    free(lines[0].packets);
    free(lines[1].packets);
    return error;
}
