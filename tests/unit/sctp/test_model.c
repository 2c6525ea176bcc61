/* SPDX-License-Identifier: Apache-2.0
 * Random traffic over random links against a model of what must arrive: exactly once, in order
 * where promised, whole or not at all, and everything that is reliable. */
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
    size_t len;
};

struct side {
    struct sent messages[MESSAGES_MAX];
    size_t count;
    int64_t last[STREAMS]; /* the last ordered message delivered on each stream */
};

static uint8_t pattern(size_t message, size_t at)
{
    return (uint8_t)(message * 31 + at * 7 + at / 253);
}

static void send_one(struct pipe *pipe, int from, struct side *side, struct ln_rng *rng)
{
    static uint8_t data[70000];
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    struct sent *m = &side->messages[side->count];
    uint32_t kind = ln_rng_below(rng, 10);

    m->len = 4 + (kind < 5   ? ln_rng_below(rng, 200)
                  : kind < 9 ? ln_rng_below(rng, 5000)
                             : ln_rng_below(rng, 60000));
    m->stream = (uint16_t)ln_rng_below(rng, STREAMS);
    /* Odd streams carry ordered messages only partly reliable. */
    m->unordered = ln_rng_below(rng, 3) == 0;
    m->reliable = m->stream < STREAMS / 2 || ln_rng_below(rng, 2) == 0;
    m->arrived = false;
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
    CHECK(ln_sctp_send(pipe->end[from], m->stream, (uint32_t)side->count, data, m->len, &options) ==
          0);
    side->count++;
}

static void take(struct pipe *pipe, int at, struct side *from)
{
    struct ln_sctp_event event;

    while (ln_sctp_poll_event(pipe->end[at], &event)) {
        size_t id;

        CHECK(event.kind != LN_SCTP_EVENT_CLOSED);
        if (event.kind != LN_SCTP_EVENT_MESSAGE)
            continue;
        CHECK(event.len >= 4);
        id = ln_load32(event.data);
        CHECK(id < from->count);
        CHECK_EQUAL(event.ppid, id);
        CHECK_EQUAL(event.stream, from->messages[id].stream);
        CHECK_EQUAL(event.len, from->messages[id].len);
        CHECK(!from->messages[id].arrived);
        from->messages[id].arrived = true;
        for (size_t i = 4; i < event.len; i++)
            CHECK(event.data[i] == pattern(id, i));
        if (!from->messages[id].unordered) {
            CHECK((int64_t)id > from->last[event.stream]);
            from->last[event.stream] = (int64_t)id;
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
        end = pipe.now + LN_MILLISECONDS(ln_rng_below(&rng, 100));
        while (pipe_step(&pipe, end)) {
            take(&pipe, 0, &sides[1]);
            take(&pipe, 1, &sides[0]);
        }
    }
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
            CHECK(sides[s].messages[i].arrived || !sides[s].messages[i].reliable);
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
