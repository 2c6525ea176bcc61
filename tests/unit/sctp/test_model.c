/* SPDX-License-Identifier: Apache-2.0
 * Random traffic over random links against a model of what must arrive: exactly once, in order
 * where promised, whole or not at all, and everything that is reliable. Messages sent as one and
 * messages written in pieces, told whole on some streams and in parts on others. */
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "sctp/cc.h"
#include "sctp/loss.h"
#include "sctp/scheduler.h"

#include <stdio.h>
#include <stdlib.h>

#define STREAMS      6
#define MESSAGES_MAX 400

struct sent {
    uint16_t stream;
    bool unordered, reliable, arrived;
    bool begun, cut; /* parts of it were told; and that it will not go on */
    uint64_t name;   /* under which they were */
    size_t len, told, written;
};

struct side {
    struct sent messages[MESSAGES_MAX];
    size_t count;
    int64_t last[STREAMS]; /* the last ordered message delivered on each stream */
    int64_t open[STREAMS]; /* the message being written; -1: none */
};

static uint8_t pattern(size_t message, size_t at)
{
    return (uint8_t)(message * 31 + at * 7 + at / 253);
}

static uint8_t data[70000];

static struct ln_sctp_send_options choose(struct side *side, struct ln_rng *rng)
{
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    struct sent *m = &side->messages[side->count];
    uint32_t kind = ln_rng_below(rng, 10);

    memset(m, 0, sizeof *m);
    m->len = 4 + (kind < 5   ? ln_rng_below(rng, 200)
                  : kind < 9 ? ln_rng_below(rng, 5000)
                             : ln_rng_below(rng, 60000));
    m->stream = (uint16_t)ln_rng_below(rng, STREAMS);
    /* Odd streams carry ordered messages only partly reliable. */
    m->unordered = ln_rng_below(rng, 3) == 0;
    m->reliable = m->stream < STREAMS / 2 || ln_rng_below(rng, 2) == 0;
    options.unordered = m->unordered;
    if (!m->reliable) {
        if (ln_rng_below(rng, 2))
            options.max_retransmits = ln_rng_below(rng, 3);
        else
            options.lifetime = LN_MILLISECONDS(ln_rng_below(rng, 300));
    }
    ln_store32(data, (uint32_t)side->count);
    for (size_t i = 4; i < m->len; i++)
        data[i] = pattern(side->count, i);
    return options;
}

static void send_one(struct pipe *pipe, int from, struct side *side, struct ln_rng *rng)
{
    struct ln_sctp_send_options options = choose(side, rng);
    struct sent *m = &side->messages[side->count];
    struct ln_sctp *s = pipe->end[from];

    if (side->open[m->stream] < 0 && ln_rng_below(rng, 3) == 0) {
        CHECK(ln_sctp_begin_message(s, m->stream, (uint32_t)side->count, m->len, &options) == 0);
        side->open[m->stream] = (int64_t)side->count;
    } else {
        CHECK(ln_sctp_send(s, m->stream, (uint32_t)side->count, data, m->len, &options) == 0);
    }
    side->count++;
}

/* The next bytes of a message being written; the last ones finish it, and now and then its writer
 * thinks better of it. */
static void write_one(struct pipe *pipe, int from, struct side *side, uint16_t stream,
                      struct ln_rng *rng, bool all)
{
    size_t id = (size_t)side->open[stream], more, taken;
    struct sent *m = &side->messages[id];
    struct ln_sctp *s = pipe->end[from];
    int error;

    more = all ? m->len - m->written : ln_rng_below(rng, (uint32_t)(m->len - m->written) + 1);
    for (size_t i = 0; i < more; i++)
        data[i] = pattern(id, m->written + i);
    for (size_t i = m->written; i < 4 && i < m->written + more; i++)
        data[i - m->written] = (uint8_t)(id >> (8 * (3 - i)));
    error = ln_sctp_write_message(s, stream, data, more, &taken);
    if (error == 0) {
        CHECK_EQUAL(taken, more);
        m->written += more;
        if (m->written == m->len)
            error = ln_sctp_finish_message(s, stream, 0);
        else if (ln_rng_below(rng, 8) == 0)
            error = ln_sctp_abandon_message(s, stream) ? LN_ERR_OPERATION : LN_ERR_ABORT;
        else
            return;
    }
    side->open[stream] = -1;
    if (error == LN_ERR_ABORT)
        m->reliable = false; /* it need not arrive: given up, or by its limits */
    else
        CHECK(error == 0);
}

static void write_some(struct pipe *pipe, int from, struct side *side, struct ln_rng *rng, bool all)
{
    for (uint16_t stream = 0; stream < STREAMS; stream++)
        if (side->open[stream] >= 0 && (all || ln_rng_below(rng, 2)))
            write_one(pipe, from, side, stream, rng, all);
}

/* Which one it is: what its first bytes say, or the name of its earlier parts. */
static size_t find(const struct side *from, const struct ln_sctp_event *event)
{
    size_t id = from->count;

    if (event->kind == LN_SCTP_EVENT_MESSAGE || event->first)
        return event->ppid; /* of a fragment's 4 first bytes not all may have come */
    while (id-- > 0)
        if (from->messages[id].begun && from->messages[id].name == event->message)
            return id;
    CHECK(!"a part of nothing");
    return 0;
}

static void take_bytes(struct side *from, const struct ln_sctp_event *event)
{
    bool first = event->kind == LN_SCTP_EVENT_MESSAGE || event->first;
    bool last = event->kind == LN_SCTP_EVENT_MESSAGE || event->last;
    size_t id = find(from, event);
    struct sent *m = &from->messages[id];

    CHECK(id < from->count);
    CHECK_EQUAL(event->ppid, id);
    CHECK_EQUAL(event->stream, m->stream);
    CHECK(!m->arrived && !m->cut && m->begun == !first);
    for (size_t i = 0; i < event->len; i++) {
        size_t at = m->told + i;

        CHECK(event->data[i] == (at < 4 ? (uint8_t)(id >> (8 * (3 - at))) : pattern(id, at)));
    }
    m->told += event->len;
    m->begun = true;
    m->name = event->message;
    m->arrived = last;
    CHECK(last ? m->told == m->len : m->told < m->len);
    if (first && !m->unordered) {
        CHECK((int64_t)id > from->last[event->stream]);
        from->last[event->stream] = (int64_t)id;
    }
}

static void take(struct pipe *pipe, int at, struct side *from)
{
    struct ln_sctp_event event;

    while (ln_sctp_poll_event(pipe->end[at], &event)) {
        CHECK(event.kind != LN_SCTP_EVENT_CLOSED);
        if (event.kind == LN_SCTP_EVENT_MESSAGE || event.kind == LN_SCTP_EVENT_PART) {
            take_bytes(from, &event);
        } else if (event.kind == LN_SCTP_EVENT_ABANDONED) {
            struct sent *m = &from->messages[find(from, &event)];

            CHECK(!m->arrived && !m->cut);
            m->cut = true;
        } else if (event.kind == LN_SCTP_EVENT_CONNECTED) {
            for (uint16_t stream = 0; stream < STREAMS; stream += 2)
                CHECK(ln_sctp_set_parts(pipe->end[at], stream, true) == 0);
        }
    }
}

static uint64_t run(uint64_t seed)
{
    static const struct ln_sctp_cc_ops *const controls[] = { &ln_sctp_cc_cubic, &ln_sctp_cc_model,
                                                             &ln_sctp_cc_delay, &ln_sctp_cc_reno };
    static const struct ln_sctp_scheduler_ops *const schedulers[] = {
        &ln_sctp_scheduler_weighted_fair, &ln_sctp_scheduler_first_come,
        &ln_sctp_scheduler_round_robin, &ln_sctp_scheduler_priority
    };
    struct ln_sctp_config config;
    static struct side sides[2];
    struct ln_rng rng;
    struct pipe pipe;
    uint64_t hash;
    ln_time end;

    ln_rng_seed(&rng, seed);
    ln_sctp_config_init(&config);
    config.initial_tsn_fixed = true;
    config.initial_tsn = 0u - ln_rng_below(&rng, 300);
    config.initial_ssn = 0u - ln_rng_below(&rng, 20);
    config.interleaving = seed % 3 != 0;
    config.zero_checksum = seed % 2 == 0;
    config.scheduler = schedulers[seed / 3 % 4];
    config.cc = controls[seed / 4 % 4];
    if (seed % 5 == 0)
        config.loss = &ln_sctp_loss_missing_reports;
    if (seed % 4 == 0)
        config.receive_window_bytes = 100000;
    memset(sides, 0, sizeof sides);
    memset(sides[0].last, 0xff, sizeof sides[0].last);
    memset(sides[1].last, 0xff, sizeof sides[1].last);
    memset(sides[0].open, 0xff, sizeof sides[0].open);
    memset(sides[1].open, 0xff, sizeof sides[1].open);
    pipe_init(&pipe, seed);
    pipe.delay = LN_MILLISECONDS(1 + ln_rng_below(&rng, 50));
    pipe.loss = 0.01 * ln_rng_below(&rng, 16);
    pipe.duplicate = 0.01 * ln_rng_below(&rng, 6);
    pipe.reorder = 0.02 * ln_rng_below(&rng, 20);
    pipe.reorder_by = LN_MILLISECONDS(1 + ln_rng_below(&rng, 40));
    pipe_create(&pipe, &config, &config);
    ln_sctp_start(pipe.end[0], pipe.now);
    if (seed % 3)
        ln_sctp_start(pipe.end[1], pipe.now);
    for (int i = 0; i < 12; i++) {
        for (uint32_t n = ln_rng_below(&rng, 4); n > 0; n--)
            send_one(&pipe, 0, &sides[0], &rng);
        for (uint32_t n = ln_rng_below(&rng, 4); n > 0; n--)
            send_one(&pipe, 1, &sides[1], &rng);
        write_some(&pipe, 0, &sides[0], &rng, false);
        write_some(&pipe, 1, &sides[1], &rng, false);
        end = pipe.now + LN_MILLISECONDS(ln_rng_below(&rng, 100));
        while (pipe_step(&pipe, end)) {
            take(&pipe, 0, &sides[1]);
            take(&pipe, 1, &sides[0]);
        }
    }
    write_some(&pipe, 0, &sides[0], &rng, true);
    write_some(&pipe, 1, &sides[1], &rng, true);
    end = pipe.now + LN_SECONDS(240);
    while (pipe_step(&pipe, end)) {
        struct ln_sctp_stats a, b;

        take(&pipe, 0, &sides[1]);
        take(&pipe, 1, &sides[0]);
        ln_sctp_stats(pipe.end[0], &a);
        ln_sctp_stats(pipe.end[1], &b);
        if (a.send_buffered_bytes == 0 && b.send_buffered_bytes == 0)
            break;
    }
    take(&pipe, 0, &sides[1]);
    take(&pipe, 1, &sides[0]);
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < sides[s].count; i++)
            CHECK(sides[s].messages[i].arrived ||
                  (!sides[s].messages[i].reliable &&
                   (sides[s].messages[i].cut || !sides[s].messages[i].begun)));
    hash = pipe.hash;
    pipe_free(&pipe);
    return hash;
}

LN_TEST(sctp, random_traffic_over_random_links_arrives_as_promised)
{
    const char *only = getenv("SCTP_SEED"), *many = getenv("SCTP_SEEDS");
    uint64_t seeds = many ? strtoull(many, NULL, 10) : 300;

    if (only) {
        run(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 1 : seeds); seed++) {
        if (many)
            fprintf(stderr, "\rSCTP_SEED=%llu", (unsigned long long)seed); /* the last one failed */
        run(seed);
    }
}
