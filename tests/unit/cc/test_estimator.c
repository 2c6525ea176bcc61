/* SPDX-License-Identifier: Apache-2.0
 * The simple estimator over a modelled link: an encoder that follows the target, the pacer, one
 * queue of a given rate, feedback every 100 ms. */
#include "base/time.h"
#include "cc/estimator.h"
#include "cc/pacer.h"
#include "tests/support/test.h"

#define PACKETS_MAX 4096
#define PACKET_SIZE 1000

struct model {
    struct ln_estimator *estimator;
    struct ln_pacer pacer;
    struct ln_rng rng;
    ln_time now;
    /* link */
    uint64_t rate_bps;
    ln_duration delay; /* one way */
    ln_duration queue_limit;
    double random_loss;
    ln_time busy_until;
    /* encoder */
    ln_time next_frame;
    uint64_t encoder_max_bps;
    size_t queued; /* bytes that wait for the pacer */
    ln_time oldest;
    /* what was sent and is not reported yet */
    struct ln_cc_result sent[PACKETS_MAX];
    size_t head, count;
    int64_t sequence;
    ln_time next_feedback;
    /* figures, since the last clear */
    uint64_t packets, lost, delivered_bytes;
    ln_duration queue_max;
};

static void model_init(struct model *m, uint64_t rate_bps, ln_duration delay)
{
    struct ln_estimator_config config = { 0, 0, 0 };

    memset(m, 0, sizeof *m);
    m->now = LN_SECONDS(500);
    m->rate_bps = rate_bps;
    m->delay = delay;
    m->queue_limit = LN_SECONDS(1);
    m->encoder_max_bps = 4000000;
    m->next_frame = m->next_feedback = m->now;
    m->oldest = LN_TIME_NEVER;
    ln_rng_seed(&m->rng, 3);
    CHECK_EQUAL(ln_estimator_simple_create(&m->estimator, test_env(), &config, m->now), 0);
    ln_pacer_init(&m->pacer, m->estimator->ops->target_bps(m->estimator), m->now);
}

static uint64_t target(const struct model *m)
{
    return m->estimator->ops->target_bps(m->estimator);
}

static void transmit(struct model *m, size_t size)
{
    struct ln_cc_sent sent = { m->sequence, (uint32_t)size, m->now, true, false };
    struct ln_cc_result *r;
    ln_duration wait = ln_time_max(0, m->busy_until - m->now);

    CHECK(m->count < PACKETS_MAX);
    r = &m->sent[(m->head + m->count++) % PACKETS_MAX];
    *r = (struct ln_cc_result){ m->sequence++, (uint32_t)size, m->now, LN_TIME_NEVER };
    m->estimator->ops->on_sent(m->estimator, &sent);
    m->packets++;
    m->queue_max = ln_time_max(m->queue_max, wait);
    if (wait > m->queue_limit || ln_rng_unit(&m->rng) < m->random_loss) {
        m->lost++;
        return;
    }
    m->busy_until = ln_time_max(m->busy_until, m->now) +
                    (ln_duration)(size * 8 * 1000000000ull / m->rate_bps);
    r->arrival_time = m->busy_until + m->delay + LN_SECONDS(77777);
    m->delivered_bytes += size;
}

static void encode(struct model *m)
{
    uint64_t bps = target(m) < m->encoder_max_bps ? target(m) : m->encoder_max_bps;
    double noise = 0.8 + 0.4 * ln_rng_unit(&m->rng);

    if (m->queued == 0)
        m->oldest = m->now;
    m->queued += (size_t)((double)bps / 8 / 30 * noise);
    m->next_frame += LN_SECONDS(1) / 30;
}

/* Reports what had arrived a one-way delay ago. */
static void feed_back(struct model *m)
{
    struct ln_cc_result results[512];
    size_t n = 0;
    ln_time seen = m->now - m->delay + LN_SECONDS(77777);

    while (m->count > 0 && n < 512) {
        struct ln_cc_result *r = &m->sent[m->head];
        bool lost_known = r->arrival_time == LN_TIME_NEVER &&
                          m->now - r->send_time > 2 * m->delay + LN_MILLISECONDS(20);

        if (!lost_known && (r->arrival_time == LN_TIME_NEVER || r->arrival_time > seen))
            break;
        results[n++] = *r;
        m->head = (m->head + 1) % PACKETS_MAX;
        m->count--;
    }
    if (n > 0) {
        m->estimator->ops->on_feedback(m->estimator, m->now, results, n);
        m->estimator->ops->on_rtt(m->estimator, m->now, 2 * m->delay);
    }
    ln_pacer_set_target(&m->pacer, m->now, target(m));
    m->next_feedback += LN_MILLISECONDS(100);
}

static void model_run(struct model *m, ln_duration time)
{
    ln_time until = m->now + time;

    while (m->now < until) {
        ln_time next = ln_time_min(m->next_frame, m->next_feedback);

        if (m->next_frame <= m->now)
            encode(m);
        if (m->next_feedback <= m->now)
            feed_back(m);
        ln_pacer_set_queue(&m->pacer, m->now, m->queued, m->oldest);
        while (m->queued > 0 && ln_pacer_may_send(&m->pacer, m->now)) {
            size_t size = m->queued < PACKET_SIZE ? m->queued : PACKET_SIZE;

            transmit(m, size);
            ln_pacer_on_sent(&m->pacer, m->now, size);
            m->queued -= size;
        }
        next = ln_time_min(m->next_frame, m->next_feedback);
        if (m->queued > 0)
            next = ln_time_min(next, ln_pacer_next_timeout(&m->pacer));
        m->now = ln_time_max(next, m->now + 1);
    }
}

static void clear_figures(struct model *m)
{
    m->packets = m->lost = m->delivered_bytes = 0;
    m->queue_max = 0;
}

LN_TEST(estimator, studio_over_500_kbits_and_100_ms_settles_without_queue_or_loss)
{
    struct model m;
    double used;

    for (int variant = 0; variant < 3; variant++) {
        model_init(&m, 500000, LN_MILLISECONDS(variant == 2 ? 100 : 50));
        m.queue_limit = variant == 1 ? LN_MILLISECONDS(200) : LN_SECONDS(1);
        model_run(&m, LN_SECONDS(15));
        clear_figures(&m);
        model_run(&m, LN_SECONDS(30));
        used = (double)m.delivered_bytes * 8 / 30 / 500000;
        CHECK(m.lost * 100 < m.packets * 3);
        CHECK(m.queue_max < LN_MILLISECONDS(300));
        CHECK(used >= 0.6);
        ln_estimator_free(m.estimator);
    }
}

LN_TEST(estimator, passes_2_mbits_within_10_s_on_a_free_link)
{
    struct model m;

    model_init(&m, 100000000, LN_MILLISECONDS(20));
    model_run(&m, LN_SECONDS(10));
    CHECK(target(&m) > 2000000);
    CHECK(target(&m) < 20000000);
    ln_estimator_free(m.estimator);
}

LN_TEST(estimator, stays_useful_under_random_loss_of_3_percent)
{
    struct model m;

    model_init(&m, 10000000, LN_MILLISECONDS(30));
    m.random_loss = 0.03;
    model_run(&m, LN_SECONDS(20));
    CHECK(target(&m) >= 250000);
    ln_estimator_free(m.estimator);
}

LN_TEST(estimator, falls_when_the_link_gets_narrow_and_comes_back)
{
    struct model m;

    model_init(&m, 3000000, LN_MILLISECONDS(30));
    model_run(&m, LN_SECONDS(15));
    CHECK(target(&m) > 1800000);
    m.rate_bps = 600000;
    model_run(&m, LN_SECONDS(6));
    clear_figures(&m);
    model_run(&m, LN_SECONDS(10));
    CHECK(target(&m) < 700000);
    CHECK(m.queue_max < LN_MILLISECONDS(300));
    m.rate_bps = 3000000;
    model_run(&m, LN_SECONDS(20));
    CHECK(target(&m) > 1500000);
    ln_estimator_free(m.estimator);
}

LN_TEST(estimator, acks_for_packets_never_sent_do_not_raise_the_rate)
{
    struct ln_estimator_config config = { 0, 0, 0 };
    struct ln_estimator_stats stats;
    struct ln_estimator *e;
    ln_time now = LN_SECONDS(10);
    uint64_t before;

    CHECK_EQUAL(ln_estimator_simple_create(&e, test_env(), &config, now), 0);
    before = e->ops->target_bps(e);
    for (int i = 0; i < 1000; i++) {
        struct ln_cc_result r = { 5000 + i, 1200, now - LN_MILLISECONDS(10), now };

        e->ops->on_feedback(e, now, &r, 1);
        now += LN_MILLISECONDS(10);
    }
    CHECK(e->ops->target_bps(e) <= before);
    /* One packet sent, and acknowledged a thousand times. */
    e->ops->on_sent(e, &(struct ln_cc_sent){ 1, 1200, now, true, false });
    for (int i = 0; i < 1000; i++) {
        struct ln_cc_result r = { 1, 1200, now - LN_MILLISECONDS(10), now };

        e->ops->on_feedback(e, now, &r, 1);
        now += LN_MILLISECONDS(10);
    }
    CHECK(e->ops->target_bps(e) <= before);
    e->ops->get_stats(e, &stats);
    CHECK(stats.results_unknown >= 1000);
    ln_estimator_free(e);
}

LN_TEST(estimator, stays_within_its_limits_and_below_remb)
{
    struct model m;

    model_init(&m, 100000000, LN_MILLISECONDS(10));
    m.estimator->ops->set_limits(m.estimator, 100000, 800000);
    model_run(&m, LN_SECONDS(10));
    CHECK(target(&m) <= 800000 && target(&m) > 700000);
    m.estimator->ops->on_remb(m.estimator, m.now, 250000);
    CHECK_EQUAL(target(&m), 250000);
    m.estimator->ops->on_remb(m.estimator, m.now, 1000);
    CHECK_EQUAL(target(&m), 100000);
    ln_estimator_free(m.estimator);
}

LN_TEST(estimator, follows_remb_where_there_is_no_transport_feedback)
{
    struct ln_estimator_config config = { 0, 0, 0 };
    struct ln_estimator *e;
    ln_time now = LN_SECONDS(10);

    CHECK_EQUAL(ln_estimator_simple_create(&e, test_env(), &config, now), 0);
    for (int i = 0; i < 1500; i++) { /* 15 s of sending at the target, REMB each second */
        size_t bytes = (size_t)(e->ops->target_bps(e) / 8 / 100);

        e->ops->on_sent(e, &(struct ln_cc_sent){ -1, (uint32_t)bytes, now, true, false });
        if (i % 100 == 0) {
            e->ops->on_remb(e, now, 1500000);
            e->ops->on_loss(e, now, 0, 100);
        }
        now += LN_MILLISECONDS(10);
    }
    CHECK_EQUAL(e->ops->target_bps(e), 1500000);
    for (int i = 0; i < 20; i++) {
        e->ops->on_loss(e, now, 0.4, 100);
        now += LN_SECONDS(1);
    }
    CHECK(e->ops->target_bps(e) < 200000);
    ln_estimator_free(e);
}

LN_TEST(estimator, falls_when_feedback_stops_and_its_deadline_lies_ahead)
{
    struct model m;
    uint64_t before;
    int falls = 0;

    model_init(&m, 5000000, LN_MILLISECONDS(20));
    model_run(&m, LN_SECONDS(8));
    before = target(&m);
    m.estimator->ops->on_sent(m.estimator,
                              &(struct ln_cc_sent){ m.sequence, 1000, m.now, true, false });
    for (ln_time end = m.now + LN_SECONDS(10);;) {
        ln_time next = m.estimator->ops->next_timeout(m.estimator);

        CHECK(next != LN_TIME_NEVER);
        if (next > end)
            break;
        m.now = next;
        m.estimator->ops->on_timeout(m.estimator, m.now);
        CHECK(m.estimator->ops->next_timeout(m.estimator) > m.now);
        falls++;
    }
    CHECK(falls >= 5 && falls <= 10);
    CHECK(target(&m) < before / 4);
    ln_estimator_free(m.estimator);
}

static void change_path(struct model *m, uint64_t rate_bps, ln_duration delay)
{
    m->rate_bps = rate_bps;
    m->delay = delay;
    m->busy_until = m->now;
    m->head = m->count = 0; /* nothing is heard of what the old one had */
    m->estimator->ops->on_path_change(m->estimator, m->now);
}

/* Until as much arrives as is wanted, counted in tenths of a second; 0: not within ten seconds. */
static ln_duration time_to_reach(struct model *m, uint64_t bps)
{
    for (int i = 1; i <= 100; i++) {
        model_run(m, LN_MILLISECONDS(100));
        if (target(m) >= bps)
            return LN_MILLISECONDS(100) * i;
    }
    return 0;
}

LN_TEST(estimator, is_back_within_3_s_of_a_path_that_is_like_the_last)
{
    static const uint64_t rates[] = { 800000, 2500000, 5000000 };
    static const ln_duration delays[] = { LN_MILLISECONDS(20), LN_MILLISECONDS(100) };

    for (size_t i = 0; i < 6; i++) {
        ln_duration delay = delays[i % 2], took;
        uint64_t before;
        struct model m;

        model_init(&m, rates[i / 2], delay);
        model_run(&m, LN_SECONDS(30));
        before = target(&m);
        clear_figures(&m);
        change_path(&m, rates[i / 2], delay);
        took = time_to_reach(&m, before < 3600000 ? 9 * before / 10 : 3240000);
        CHECK(took > 0 && took <= LN_SECONDS(3));
        model_run(&m, LN_SECONDS(5));
        CHECK(m.queue_max < LN_MILLISECONDS(300));
        CHECK_EQUAL(m.lost, 0);
        ln_estimator_free(m.estimator);
    }
}

/* A tenth of the rate: what was good is not insisted on. */
LN_TEST(estimator, gives_way_at_once_on_a_path_that_is_much_narrower)
{
    struct model m;

    model_init(&m, 4000000, LN_MILLISECONDS(30));
    model_run(&m, LN_SECONDS(30));
    change_path(&m, 400000, LN_MILLISECONDS(30));
    model_run(&m, LN_SECONDS(2));
    CHECK(target(&m) < 400000);
    model_run(&m, LN_SECONDS(4));
    clear_figures(&m);
    model_run(&m, LN_SECONDS(20));
    CHECK(m.queue_max < LN_MILLISECONDS(300));
    CHECK(m.delivered_bytes * 8 / 20 > 250000);
    ln_estimator_free(m.estimator);
}

LN_TEST(estimator, forgets_what_was_good_after_a_minute)
{
    struct model m;

    model_init(&m, 5000000, LN_MILLISECONDS(20));
    model_run(&m, LN_SECONDS(8));
    CHECK(target(&m) > 1000000);
    m.now += LN_SECONDS(61);
    m.estimator->ops->on_path_change(m.estimator, m.now);
    CHECK_EQUAL(target(&m), 300000);
    ln_estimator_free(m.estimator);
}

/* Two changes in a row: the first path had no time to say what is good on it. */
LN_TEST(estimator, remembers_what_was_good_over_a_path_that_never_worked)
{
    uint64_t resumed;
    struct model m;

    model_init(&m, 5000000, LN_MILLISECONDS(20));
    model_run(&m, LN_SECONDS(20));
    change_path(&m, 5000000, LN_MILLISECONDS(20));
    resumed = target(&m);
    CHECK(resumed > 1000000);
    m.now += LN_SECONDS(5);
    change_path(&m, 5000000, LN_MILLISECONDS(20));
    CHECK_EQUAL(target(&m), resumed);
    ln_estimator_free(m.estimator);
}
